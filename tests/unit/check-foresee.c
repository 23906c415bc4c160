/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings about what the kernel of this host would refuse (host/foresee.c), each by itself. With containers:
 * tests/integration/foresee.bats. */
#include <sys/utsname.h>

#include "check-tests.h"
#include "host/foresee.h"

static const struct test tests[] = {
    { WH_CHECK_INTERPRETER_MISSING, "/process/args/0",
      "/bin/script is run by /bin/none, which is not in the root file system", .process = PROGRAM("script") },
    { WH_CHECK_INTERPRETER_MISSING, "/process/args/0", "/bin/script is run by /bin/none, which is not in",
      .process = PROGRAM("nested") },
    { WH_CHECK_INTERPRETER_MISSING, "/process/args/0",
      "/bin/closed is run by /bin/data, which may not be executed by the user", .process = PROGRAM("closed") },
    { WH_CHECK_SHEBANG_CRLF, "/process/args/0", "the first line of /bin/crlf, which names /bin/prog, ends in CR LF",
      .process = PROGRAM("crlf") },
    { WH_CHECK_SHEBANG_CRLF, "/process/args/0", "the first line of /bin/crlf-arg, which names /bin/prog, ends in CR LF",
      .process = PROGRAM("crlf-arg") },
    { WH_CHECK_SHEBANG_CRLF, "/process/args/0", "the first line of /bin/crlf-bare, which names nothing, ends in CR LF",
      .process = PROGRAM("crlf-bare") },
    { WH_CHECK_INTERPRETER_MISSING, "/process/args/0", "/bin/run-by-dir is run by /bin, which is not a regular file",
      .process = PROGRAM("run-by-dir") },
    { WH_CHECK_LOADER_MISSING, "/process/args/0", "/bin/loaded is run by /lib/ld-none.so, which is not in the root",
      .process = PROGRAM("loaded") },
    { WH_CHECK_WRONG_MACHINE, "/process/args/0", "/bin/foreign is a program of another machine",
      .process = PROGRAM("foreign") },
    { WH_CHECK_NOT_A_PROGRAM, "/process/args/0", "/bin/text is neither an ELF file nor a script that begins with #!",
      .process = PROGRAM("text") },
    { WH_CHECK_NOT_A_PROGRAM, "/process/args/0", "/bin/empty is neither", .process = PROGRAM("empty") },
    { WH_CHECK_FS_UNKNOWN, "/mounts/1", "this kernel does not know the file system nosuchfs",
      .mounts = MOUNT("/d", "nosuchfs", "x", "") },
    { WH_CHECK_SYSCTL_MISSING, "/linux/sysctl/net.ipv4.nothing",
      "there is no /proc/sys/net/ipv4/nothing in a new network namespace",
      .linux_ = LINUX(
          "\"sysctl\":{\"net.ipv4.nothing\":\"1\",\"net.ipv4.conf.eth7.mtu\":\"1\",\"net.ipv4.ip_forward\":\"1\"}") },
    { WH_CHECK_SYSCTL_MISSING, "/linux/sysctl/net.ipv4.conf.all.nothing", "there is no ",
      .linux_ = LINUX("\"sysctl\":{\"net.ipv4.conf.all.nothing\":\"1\"}") },
    { WH_CHECK_SYSCTL_MISSING, "/linux/sysctl/fs.mqueue.nothing", "there is no /proc/sys/fs/mqueue/nothing [",
      .linux_ = LINUX("\"sysctl\":{\"fs.mqueue.nothing\":\"1\",\"kernel.shmmax\":\"1\"}") },
    { WH_CHECK_VALUE_RANGE, "/process/rlimits/0", "RLIMIT_NOFILE 9999999999 is more than fs.nr_open, ",
      .process = USER "," NNP "," ARGS ",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1,\"hard\":9999999999}]" },
    { WH_CHECK_NETDEV_MISSING, "/linux/netDevices/none7", "there is no network device none7",
      .linux_ = LINUX("\"netDevices\":{\"none7\":{}}") },
};

/* What has to be root's to be asked, or depends on the host. */
static void test_foresee(void)
{
    const struct test option = { .mounts = MOUNT("/d", "tmpfs", "x", "\"sise=1m\"") };
    const struct test idmap = {
        .mounts = PROC ",{\"destination\":\"/d\",\"type\":\"bind\",\"source\":\"/proc/self/fdinfo\",\"options\":"
                       "[\"bind\"],\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":9}],"
                       "\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":9}]}"
    };
    const struct test limit = { .process = USER
                                "," NNP "," ARGS
                                ",\"rlimits\":[{\"type\":\"RLIMIT_SIGPENDING\",\"soft\":1,\"hard\":1000001}]" };
    struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct d[2];
    char *report;

    if (geteuid() != 0) {
        skip("options of file systems, id maps and limits need root");
        return;
    }
    check(configuration(&option), 0, WHERRY_CGROUP_CGROUPFS, &report);
    has_finding(report, WH_CHECK_FS_OPTION, "/mounts/1", "tmpfs refuses the option sise", 0);
    wherry_free(report);
    check(configuration(&idmap), 0, WHERRY_CGROUP_CGROUPFS, &report);
    has_finding(report, WH_CHECK_IDMAP_UNSUPPORTED, "/mounts/1", "its file system cannot be id-mapped on this kernel",
                1);
    wherry_free(report);

    if (syscall(SYS_capget, &h, d) == 0) {
        const struct rlimit low = { .rlim_cur = 1000, .rlim_max = 1000000 };

        setrlimit(RLIMIT_SIGPENDING, &low);
        d[0].effective &= ~(1u << CAP_SYS_RESOURCE);
        d[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
        syscall(SYS_capset, &h, d);
        check(configuration(&limit), 0, WHERRY_CGROUP_CGROUPFS, &report);
        has_finding(report, WH_CHECK_RLIMIT_ABOVE, "/process/rlimits/0",
                    "RLIMIT_SIGPENDING 1000001 is more than the caller's hard limit, ", 0);
        wherry_free(report);
    }
}

static void put_at(int dir, const char *name, const char *text)
{
    WH_CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        diag("cannot write %s", name);
}

/* With a procfs of the test's own. "No" is for a kernel that loads no modules, or whose list of modules was read. */
static void test_fstypes(void)
{
    char dir[] = "/tmp/wherry-fstypes-XXXXXX", list[256];
    struct utsname u;
    int cannot_say;

    uname(&u);
    snprintf(list, sizeof list, "/lib/modules/%s/modules.alias", u.release);
    cannot_say = access(list, R_OK) == 0 ? 0 : -ENOENT;
    if (!mkdtemp(dir)) {
        ok(false, "mkdtemp");
        return;
    }
    WH_CLEANUP_FD int proc = open(dir, O_PATH | O_CLOEXEC);
    put_at(proc, "filesystems", "nodev\tproc\n\text4\n");
    is_int(wh_foresee_fstype(proc, "ext4"), 1, "a file system that the kernel has");
    is_int(wh_foresee_fstype(proc, "nosuchfs"), 0, "none, and the kernel cannot load modules");
    mkdirat(proc, "sys", 0755);
    mkdirat(proc, "sys/kernel", 0755);
    put_at(proc, "sys/kernel/modprobe", "\n");
    is_int(wh_foresee_fstype(proc, "nosuchfs"), 0, "none, and it has been told to load none");
    put_at(proc, "sys/kernel/modprobe", "/sbin/modprobe\n");
    is_int(wh_foresee_fstype(proc, "nosuchfs"), cannot_say,
           "none, but a module that is not seen from here may have it");
    unlinkat(proc, "sys/kernel/modprobe", 0);
    unlinkat(proc, "sys/kernel", AT_REMOVEDIR);
    unlinkat(proc, "sys", AT_REMOVEDIR);
    unlinkat(proc, "filesystems", 0);
    rmdir(dir);
}

/* Of files of both hierarchies, whichever this host has. */
static void test_ranges(void)
{
    static const struct {
        const char *file, *value, *file2, *value2, *says; /* says: null: nothing */
        enum wh_check check;
    } t[] = {
        { "cpu.max", "1000 1000000", "cpu.max.burst", "1000", NULL, 0 },
        { "cpu.max", "max 1000", "cpu.max.burst", "5000", NULL, 0 },
        { "cpu.max", "5000", "cpu.weight", "10000", NULL, 0 },
        { "cpu.cfs_quota_us", "-1", "cpu.cfs_burst_us", "5000", NULL, 0 },
        { "cpu.rt_runtime_us", "-1", "cpu.rt_period_us", "1", NULL, 0 },
        { "cpu.rt_runtime_us", "1000000", "memory.swappiness", "200", NULL, 0 },
        { "cpuset.cpus", "0", "cpuset.mems", "0-0", NULL, 0 },
        { "cpuset.cpus", "", "cpuset.mems", "", NULL, 0 },
        { "cpu.max", "999 100000", NULL, NULL, "cpu.max quota 999: the kernel takes 1000 or more",
          WH_CHECK_VALUE_RANGE },
        { "cpu.max", "max 999", NULL, NULL, "cpu.max period 999: the kernel takes 1000 to 1000000",
          WH_CHECK_VALUE_RANGE },
        { "cpu.max", "5000 1000001", NULL, NULL, "cpu.max period 1000001: ", WH_CHECK_VALUE_RANGE },
        { "cpu.max", "5000 100000", "cpu.max.burst", "5001", "cpu burst 5001 is more than the quota, 5000",
          WH_CHECK_VALUE_RANGE },
        { "cpu.cfs_burst_us", "5001", "cpu.cfs_quota_us", "5000", "cpu burst 5001 is more than the quota, 5000",
          WH_CHECK_VALUE_RANGE },
        { "cpu.cfs_quota_us", "999", NULL, NULL, "cpu.cfs_quota_us 999: the kernel takes 1000 or more",
          WH_CHECK_VALUE_RANGE },
        { "cpu.cfs_period_us", "999", NULL, NULL, "cpu.cfs_period_us 999: ", WH_CHECK_VALUE_RANGE },
        { "cpu.weight", "0", NULL, NULL, "cpu.weight 0: the kernel takes 1 to 10000", WH_CHECK_VALUE_RANGE },
        { "cpu.weight", "10001", NULL, NULL, "cpu.weight 10001: ", WH_CHECK_VALUE_RANGE },
        { "cpu.rt_period_us", "0", NULL, NULL, "cpu.rt_period_us 0: the kernel takes 1 or more", WH_CHECK_VALUE_RANGE },
        { "cpu.rt_runtime_us", "11", "cpu.rt_period_us", "10", "realtime runtime 11 is more than its period, 10",
          WH_CHECK_VALUE_RANGE },
        { "cpu.rt_runtime_us", "1000001", NULL, NULL, "realtime runtime 1000001 is more than its period, 1000000",
          WH_CHECK_VALUE_RANGE },
        { "blkio.bfq.weight", "1001", NULL, NULL, "blkio.bfq.weight 1001: ", WH_CHECK_VALUE_RANGE },
        { "blkio.weight", "9", NULL, NULL, "blkio.weight 9: ", WH_CHECK_VALUE_RANGE },
        { "memory.swappiness", "201", NULL, NULL, "memory.swappiness 201: the kernel takes 0 to 200",
          WH_CHECK_VALUE_RANGE },
        { "cpuset.cpus", "0,9000-9001", NULL, NULL, "cpuset.cpus 0,9000-9001: this host has the processors 0",
          WH_CHECK_CPUSET_BEYOND },
        { "cpuset.mems", "9000", NULL, NULL, "cpuset.mems 9000: this host has the memory nodes 0",
          WH_CHECK_CPUSET_BEYOND },
    };
    WH_CLEANUP_FD int proc_fd = open("/proc", O_PATH | O_CLOEXEC);

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        WH_CLEANUP_BUF struct wh_buf out = { 0 };
        struct wh_findings f = { .arena = arena, .name = "config.json" };
        struct wh_build *b = wh_build_new(arena);
        const struct wh_plan *plan = NULL;
        const struct wh_facts facts = { 0 };
        struct wh_step_exec *x;
        struct wh_err err = { 0 };
        static const struct wh_spec spec;

        for (unsigned k = 0; k < 2; k++) {
            struct wh_step_cg_write *w = k == 0 || t[i].file2 ? wh_add(b, CG_WRITE, cg_write, 0, 0) : NULL;

            if (!w)
                continue;
            w->controller = wh_build_str(b, "unified");
            w->file = wh_build_str(b, k ? t[i].file2 : t[i].file);
            w->value = wh_build_str(b, k ? t[i].value2 : t[i].value);
        }
        wh_add(b, CLONE_B, clone_b, 0, 0);
        x = wh_add(b, EXEC, exec, 0, 0);
        x->args = wh_build_strv(b, NULL, 0);
        x->env = wh_build_strv(b, NULL, 0);
        if (!is_int(wh_build_finish(b, &plan, &err), 0, "a plan (%s)", err.msg))
            continue;
        wh_check_foresee(&f, &spec, plan, &facts, proc_fd, -1);
        wh_check_report(&f, false, false, &out);
        if (t[i].says)
            has_finding(out.data, t[i].check, NULL, t[i].says, 0);
        else
            is_str(out.data, "0 errors, 0 warnings, 0 notes\n", "%s %s, %s %s", t[i].file, t[i].value, t[i].file2,
                   t[i].value2);
    }
}

int main(void)
{
    if (!make_bundle())
        return 1;
    test_table(tests, WH_ELEMENTSOF(tests));
    test_foresee();
    test_fstypes();
    test_ranges();
    for (size_t i = WH_CHECK_INTERPRETER_MISSING; i <= WH_CHECK_NETDEV_MISSING; i++)
        if (!seen[i] && (geteuid() == 0 ||
                         (i != WH_CHECK_FS_OPTION && i != WH_CHECK_IDMAP_UNSUPPORTED && i != WH_CHECK_RLIMIT_ABOVE)))
            fail_test("no test has the finding %s", wh_check_infos[i].id);
    wh_remove_tree_at(AT_FDCWD, bundle);
    return done_testing();
}
