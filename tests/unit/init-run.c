/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real wherry-init on plans made by hand, as root: namespaces, mounts, pivot, exec. The host's part of the protocol is the few lines of
 * init-host.h, so that this test depends on nothing of src/libwherry/host. */
#include "tap.h"

#include "init-host.h"

/* ---- plans ---- */

static void head(uint32_t nsflags)
{
    wh_build_host_slot(tp, WH_SLOT_PROC);
    wh_build_host_slot(tp, WH_SLOT_ROOTFS);
    wh_build_host_slot(tp, WH_SLOT_LISTEN);
    ADD(SIGNALS, signals, );
    ADD(OOM_ADJ, oom_adj, .proc = WH_SLOT_PROC, .value = 100);
    ADD(CHDIR_ROOTFS, chdir_rootfs, .rootfs = WH_SLOT_ROOTFS);
    ADD(UNSHARE, unshare, .nsflags = nsflags);
    ADD(DUMPABLE, dumpable, .value = 0);
    ADD(CLONE_B, clone_b, );
    ADD(ASK_LIMITS, ask_limits, );
    ADD(SESSION, session, );
    ADD(LOOPBACK, loopback, );
    ADD(ROOT_PROPAGATION, root_propagation, .propagation = WH_MS_SLAVE);
    ADD(OPEN_DEVNULL, open_devnull, .devnull = WH_SLOT_DEVNULL);
    ADD(ROOT_BIND, root_bind, .root = WH_SLOT_ROOT, .recursive = 1);
}

static void fs_on(const char *type, const char *dst, struct wh_vec params, uint64_t attr, uint32_t flags)
{
    ADD(MOUNT_FS, mount_fs, .fstype = STR(type), .source = STR(type), .params = params, .attr = attr,
        .mount = WH_SLOT_SCRATCH);
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR(dst), .flags = flags);
}

static void mounts(void)
{
    struct wh_vec none = { 0, 0 };

    fs_on("proc", "/proc", none, 0, WH_ATTACH_NOSYMLINK);
    fs_on("tmpfs", "/dev", PARAMS("mode", "755", "size", "64k"), WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_STRICTATIME, 0);
    fs_on("devpts", "/dev/pts", PARAMS("newinstance", NULL, "ptmxmode", "0666", "mode", "620"), WH_MOUNT_ATTR_NOSUID,
          0);
    fs_on("sysfs", "/sys", none, WH_MOUNT_ATTR_RDONLY, WH_ATTACH_NOSYMLINK);
    fs_on("tmpfs", "/run/deep/link", none, 0, WH_ATTACH_KEEP_MODE);
    ADD(MOUNT_FS, mount_fs, .fstype = STR("tmpfs"), .mount = WH_SLOT_SCRATCH);
    ADD(COPYUP, copyup, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/data"));
    ADD(MOUNT_ATTR, mount_attr, .mount = WH_SLOT_SCRATCH, .set = WH_MOUNT_ATTR_NOEXEC);
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/data"));
    ADD(MOUNT_BIND, mount_bind, .source = STR("/etc/hostname"), .mount = WH_SLOT_SCRATCH);
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/etc/host-name"));
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/null"), .mode = S_IFCHR | 0666, .major = 1, .minor = 3);
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/zero"), .mode = S_IFCHR | 0640, .major = 1, .minor = 5,
        .uid = 7, .gid = 8);
    ADD(DEV_BIND, dev_bind, .source = STR("/dev/full"), .root = WH_SLOT_ROOT, .path = STR("/dev/full"),
        .mode = S_IFCHR | 0666, .major = 1, .minor = 7);
    ADD(SYMLINK, symlink, .root = WH_SLOT_ROOT, .target = STR("pts/ptmx"), .path = STR("/dev/ptmx"), .replace = 1);
    ADD(SYMLINK, symlink, .root = WH_SLOT_ROOT, .target = STR("/proc/self/fd"), .path = STR("/dev/fd"));
}

static void masks(uint32_t pivot)
{
    static const char *const masked[] = { "/proc/kcore", "/proc/acpi", "/proc/no-such", "/sys/firmware", "/proc/keys" };

    ADD(MOUNT_FS, mount_fs, .fstype = STR("tmpfs"), .params = PARAMS("nr_blocks", "1", "nr_inodes", "1"),
        .attr = WH_MOUNT_ATTR_RDONLY, .mount = WH_SLOT_MASKFS);
    for (size_t k = 0; k < sizeof(masked) / sizeof(masked[0]); k++)
        ADD(MASK, mask, .root = WH_SLOT_ROOT, .devnull = WH_SLOT_DEVNULL, .maskfs = WH_SLOT_MASKFS,
            .path = STR(masked[k]));
    ADD(RDONLY, rdonly, .root = WH_SLOT_ROOT, .path = STR("/proc/sys"));
    ADD(MKDIR, mkdir, .root = WH_SLOT_ROOT, .path = STR("/srv/here"));
    ADD(ROOT_RDONLY, root_rdonly, .root = WH_SLOT_ROOT);
    ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = pivot);
    ADD(SYSCTL, sysctl, .proc = WH_SLOT_PROC, .path = STR("net/ipv4/ip_unprivileged_port_start"), .value = STR("77"));
    ADD(HOSTNAME, hostname, .name = STR("walker"));
    ADD(DOMAINNAME, domainname, .name = STR("skeleton"));
}

static void tail(const char *script, uint32_t uid, const char *cwd)
{
    ADD(UMASK, umask, .mask = 022);
    ADD(HOME, home, .uid = uid);
    ADD(CWD, cwd, .path = STR(cwd), .make = 1);
    ADD(STDIO, stdio, .uid = uid);
    ADD(SETGROUPS, setgroups, .gids = U32V(4, 24));
    ADD(BOUNDING, bounding, .caps = 0x21, .last_cap = 40);
    ADD(IDS, ids, .uid = uid, .gid = uid);
    ADD(CAPS, caps, .effective = 0x21, .permitted = 0x21, .inheritable = 0x20);
    ADD(AMBIENT, ambient, .caps = 0x20);
    ADD(NNP, nnp, );
    ADD(CWD_CHECK, cwd_check, .path = STR(cwd));
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("sh"), .candidates = STRV("/sbin/sh", "/bin/sh"));
    ADD(READY, ready, .listen = WH_SLOT_LISTEN);
    ADD(WAIT_START, wait_start, .listen = WH_SLOT_LISTEN);
    ADD(RLIMIT, rlimit, .resource = 7, .soft = 16, .hard = 16);
    ADD(CLOSE_FDS, close_fds, .first = 3);
    ADD(EXEC, exec, .args = STRV("sh", "-c", script), .env = STRV("PATH=/bin", "ONE=1"));
}

static void count_maps(pid_t pid, char *ret, size_t size)
{
    char path[64], line[512];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    f = fopen(path, "re");
    *ret = 0;
    while (f && fgets(line, sizeof(line), f)) {
        char *name = strchr(line, '/');

        if (!name)
            name = strchr(line, '[');
        if (!name)
            continue;
        name[strcspn(name, "\n")] = 0;
        if (!strstr(ret, name) && strlen(ret) + strlen(name) + 2 < size) {
            strcat(ret, name);
            strcat(ret, " ");
        }
    }
    if (f)
        fclose(f);
}

static unsigned int count_fds(pid_t pid)
{
    char path[64];
    unsigned int n = 0;
    struct dirent *d;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    while (dir && (d = readdir(dir)))
        n += d->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static long status_kb(pid_t pid, const char *key)
{
    char path[64], text[4096], *p;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    n = wh_read_at(AT_FDCWD, path, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = 0;
    p = strstr(text, key);
    return p ? atol(p + strlen(key)) : -1;
}

static const char all_script[] =
    "echo pid $$; hostname; cat /proc/sys/kernel/domainname; id -u; id -G; pwd; echo home $HOME $ONE; umask;"
    "cat /run/deep/link/x 2>/dev/null || echo no-x; ls -ld /run/deep/link | cut -c1-10;"
    "cat /data/file /data/sub/link; stat -c '%a %u %g' /data/file;"
    "stat -c '%a %u %g %t:%T' /dev/null /dev/zero; stat -c %t:%T /dev/full; readlink /dev/ptmx;"
    "wc -c < /proc/keys; ls /sys/firmware | wc -l; echo 1 > /proc/sys/net/ipv4/ip_forward || echo ro-sys;"
    "touch /x || echo ro-root; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep -c . /proc/self/mountinfo "
    ">/dev/null && echo mounts;"
    "test -s /etc/host-name && echo bound; ls /proc/self/fd | wc -l; grep -E 'Cap|NoNew|Groups' /proc/self/status; "
    "ulimit -n;"
    "ip link show lo 2>/dev/null | grep -o 'LOOPBACK,UP'; cat /proc/self/oom_score_adj; /data/prog || echo noexec; ls "
    "/ | wc -l";

static void test_all(void)
{
    char sock[sizeof(root_dir) + 16], maps[2048];
    struct run r;
    int fd;
    long rss;

    tp_begin();
    head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP);
    mounts();
    masks(0);
    tail(all_script, 1234, "/srv/here");
    go(&r, ~0u, sock, sizeof(sock));
    is_str(r.error, "", "the protocol is kept");
    if (!ok(r.ready && r.mbox->state == WH_MBOX_READY, "created")) {
        diag("%s", state_name(&r));
        collect(&r);
        return;
    }

    /* COMMIT is sent before init has closed the socket on which it came. */
    for (int tries = 0; tries < 200 && count_fds(r.pid_b) > 5; tries++)
        usleep(5000);
    {
        char path[64], title[32] = "", comm[32] = "";

        snprintf(path, sizeof(path), "/proc/%d/cmdline", r.pid_b);
        wh_read_at(AT_FDCWD, path, title, sizeof(title) - 1);
        snprintf(path, sizeof(path), "/proc/%d/comm", r.pid_b);
        wh_read_at(AT_FDCWD, path, comm, sizeof(comm) - 1);
        is_str(title, "wherry:[B]", "its title says what it is");
        is_str(comm, "wherry:[B]\n", "its name too");
    }
    is_u64(count_fds(r.pid_b), 5, "a created container holds stdio, the start socket and a signalfd");
    count_maps(r.pid_b, maps, sizeof(maps));
    diag("maps: %s", maps);
    ok(!strstr(maps, ".so") && strstr(maps, "memfd:wherry-init"), "nothing of the host is mapped");
    rss = status_kb(r.pid_b, "VmRSS:");
    diag("VmRSS %ld kB, of it file %ld kB shmem %ld kB anonymous %ld kB", rss, status_kb(r.pid_b, "RssFile:"),
         status_kb(r.pid_b, "RssShmem:"), status_kb(r.pid_b, "RssAnon:"));
    ok(rss > 0 && rss <= 120, "a created container has at most 120 kB");

    fd = start(sock);
    ok(fd >= 0, "start connects");
    {
        struct wh_msg m;
        int got;

        is_int(receive(fd, &m, &got), 0, "execve closes start's connection");
    }
    is_int(r.mbox->state, WH_MBOX_EXEC, "and the state says so");
    close(fd);
    collect(&r);
    if (!ok(WIFEXITED(r.status) && WEXITSTATUS(r.status) == 0, "the payload exits with 0"))
        diag("status %#x; %s", r.status, state_name(&r));
    has_str(r.text, "pid 1\n", "pid 1");
    has_str(r.text, "walker\nskeleton\n1234\n1234 4 24\n/srv/here\n", "host name, domain name, ids, cwd");
    has_str(r.text, "home /home/walker 1\n0022\n", "HOME, environment, umask");
    has_str(r.text, "no-x\ndrwxr-x--x\n", "a mount at the end of a dangling symlink keeps the mode of what it covers");
    has_str(r.text, "content\ncontent\n640 3 4\n", "tmpcopyup");
    has_str(r.text, "666 0 0 1:3\n640 7 8 1:5\n1:7\npts/ptmx\n", "device nodes, device bind, symlink");
    has_str(r.text, "0\n0\n", "masked file and directory are empty");
    has_str(r.text, "ro-sys\n", "readonly path");
    has_str(r.text, "ro-root\n77\nmounts\nbound\n4\n", "read-only root, sysctl, file bind, no leaked fd");
    has_str(r.text, "Groups:\t4 24 ", "supplementary groups");
    has_str(
        r.text,
        "CapInh:\t0000000000000020\nCapPrm:\t0000000000000020\nCapEff:\t0000000000000020\nCapBnd:\t0000000000000021\n"
        "CapAmb:\t0000000000000020\nNoNewPrivs:\t1\n",
        "capabilities and no_new_privs");
    has_str(r.text, "\n16\n", "RLIMIT_NOFILE");
    has_str(r.text, "LOOPBACK,UP\n100\n", "lo is up; oom_score_adj");
    has_str(r.text, "noexec\n", "attributes set on a detached mount hold");
    if (tap_fail_count)
        diag("output: %s", r.text);
}

/* What the payload must never do, under each of the three ways to change the root. */
static void test_no_pivot(void)
{
    char sock[sizeof(root_dir) + 16];
    struct run r;
    int fd;

    tp_begin();
    head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
    fs_on("proc", "/proc", (struct wh_vec){ 0, 0 }, 0, WH_ATTACH_NOSYMLINK);
    ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = 1);
    tail("cut -d' ' -f5 /proc/self/mountinfo; ls -d /real", 0, "/");
    go(&r, ~0u, sock, sizeof(sock));
    ok(r.ready, "no-pivot: created");
    fd = start(sock);
    collect(&r);
    close(fd);
    is_str(r.text, "/\n/proc\n/real\n", "no-pivot: only the container's mounts are in reach");
    if (!r.ready)
        diag("%s", state_name(&r));
}

/* Between READY and COMMIT nobody but the host knows of init. `word`: what the host says then; 0: it dies. */
static void test_commit(uint16_t word)
{
    char sock[sizeof(root_dir) + 16];
    struct wh_msg m;
    struct run r;
    int fd;

    tp_begin();
    head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
    ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = 0);
    tail("ls /proc/self/fd", 0, "/");
    host_commits = false;
    go(&r, ~0u, sock, sizeof(sock));
    host_commits = true;
    if (!ok(r.ready && waitpid(r.pid_b, NULL, WNOHANG) == 0, "init waits for COMMIT"))
        diag("%s", state_name(&r));
    if (word) {
        reply(r.ctl, word, 0, 0);
        is_int(receive(r.ctl, &m, &fd), 0, "START instead of COMMIT: execve closes the control socket");
        is_int(r.mbox->state, WH_MBOX_EXEC, "and the state says so");
        collect(&r);
        return;
    }
    close(r.ctl);
    r.ctl = open("/dev/null", O_RDONLY | O_CLOEXEC);
    collect(&r);
    is_int(r.mbox->state, WH_MBOX_FAILED, "the host dies before COMMIT: init ends");
    is_int(r.mbox->fail.site, WH_SITE_PROTOCOL, "and says that the connection ended");
    is_str(r.text, "", "without having executed anything");
}

static void test_fail(const char *what, const char *arg0, const char *candidate, const char *cwd, uint32_t deny,
                      uint32_t op, uint32_t site, int err, const char *detail)
{
    char sock[sizeof(root_dir) + 16];
    const struct wh_step *s;
    struct wh_plan *plan;
    struct run r;
    uint32_t k, at = 0;

    for (k = 0; k < 2; k++) {
        tp_begin();
        head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
        ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = 0);
        ADD(UMASK, umask, .mask = 077);
        ADD(CWD, cwd, .path = STR(cwd), .make = 1);
        ADD(CWD_CHECK, cwd_check, .path = STR(cwd));
        ADD(EXEC_CHECK, exec_check, .arg0 = STR(arg0), .candidates = STRV(candidate));
        ADD(READY, ready, .listen = WH_SLOT_LISTEN);
        ADD(WAIT_START, wait_start, .listen = WH_SLOT_LISTEN);
        ADD(EXEC, exec, .args = STRV(arg0), .env = NO_STRV);
        if (k == 0) {
            plan = tp_end(NULL);
            for (at = 0, s = wh_plan_first(plan); s->op != op; s = wh_step_next(s))
                at++;
            free(plan);
        }
    }
    go(&r, deny, sock, sizeof(sock));
    if (r.ready)
        close(start(sock));
    collect(&r);
    is_int(r.mbox->state, WH_MBOX_FAILED, "%s: fails", what);
    if (!ok(r.mbox->fail.step == at && r.mbox->fail.site == site && r.mbox->fail.err == err, "%s: step, site and errno",
            what))
        diag("%s; want step %u", state_name(&r), at);
    if (detail)
        is_str(r.mbox->fail.detail, detail, "%s: detail", what);
}

static bool make_rootfs(void)
{
    static const char *const dirs[] = { "", "dev", "etc", "proc", "sys", "run", "data", "data/sub", "real" };
    char path[300], dir[100];
    size_t k;

    if (!mkdtemp(root_dir))
        return false;
    chmod(root_dir, 0755);
    snprintf(dir, sizeof(dir), "%s/rootfs", root_dir);
    for (k = 0; k < sizeof(dirs) / sizeof(dirs[0]); k++) {
        snprintf(path, sizeof(path), "%s/%s", dir, dirs[k]);
        if (mkdir(path, 0755))
            return false;
    }
    if (!make_busybox(dir))
        return false;
#define PUT(name, text, mode) write_file(dir, name, text, sizeof(text) - 1, mode)
    PUT("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwalker:x:1234:1234::/home/walker:/bin/sh\n", 0644);
    PUT("data/file", "content\n", 0640);
    PUT("data/prog", "#!/bin/sh\necho ran\n", 0755);
    snprintf(path, sizeof(path), "%s/data/file", dir);
    if (chown(path, 3, 4))
        return false;
    snprintf(path, sizeof(path), "%s/data/sub/link", dir);
    if (symlink("../file", path))
        return false;
    /* /run/deep -> /real/gone, where gone/link is there with an unusual mode in one test and gone is missing in none. */
    snprintf(path, sizeof(path), "%s/run/deep", dir);
    if (symlink("/real/gone", path))
        return false;
    snprintf(path, sizeof(path), "%s/real/gone", dir);
    if (mkdir(path, 0755))
        return false;
    snprintf(path, sizeof(path), "%s/real/gone/link", dir);
    if (mkdir(path, 0) || chmod(path, 0751))
        return false;
    PUT("bin/no-interp", "#!/no/such/shell -x\n", 0755);
    PUT("bin/crlf", "#!/bin/sh\r\necho x\r\n", 0755);
    PUT("bin/text", "echo text\n", 0755);
    PUT("bin/no-x", "#!/bin/sh\n", 0644);
    {
        /* This very program's kind: an ELF whose loader is not in the rootfs. */
        char buf[65536];
        int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        ssize_t n = read(self, buf, sizeof(buf));

        close(self);
        write_file(dir, "bin/dynamic", buf, (size_t)n, 0755);
        buf[18] = 0x7f; /* e_machine */
        buf[19] = 0x7f;
        write_file(dir, "bin/foreign", buf, (size_t)n, 0755);
    }
    snprintf(path, sizeof(path), "%s/escape", dir);
    return symlink("/proc/self/fd/3", path) == 0;
}

int main(void)
{
    const char *why = cannot_run();

    if (why) {
        skip(why);
        return done_testing();
    }
    signal(SIGPIPE, SIG_IGN);
    if (!make_rootfs()) {
        fail_test("rootfs: %s", strerror(errno));
        return done_testing();
    }
    test_all();
    test_no_pivot();
    test_commit(WH_MSG_START);
    test_commit(0);
    test_fail("denied", "/bin/true", "/bin/true", "/", 6, WH_OP_ASK_LIMITS, WH_SITE_DENIED, EPERM, "");
    test_fail("not in $PATH", "none", "/bin/none", "/", ~0u, WH_OP_EXEC_CHECK, WH_SITE_EXEC_NOT_FOUND, ENOENT, "none");
    test_fail("missing", "/bin/none", "/bin/none", "/", ~0u, WH_OP_EXEC_CHECK, WH_SITE_EXEC_STAT, ENOENT, "/bin/none");
    test_fail("directory", "/bin", "/bin", "/", ~0u, WH_OP_EXEC_CHECK, WH_SITE_EXEC_IS_DIR, EACCES, "/bin");
    test_fail("no x bit", "no-x", "/bin/no-x", "/", ~0u, WH_OP_EXEC_CHECK, WH_SITE_EXEC_NO_X, EACCES, "/bin/no-x");
    test_fail("#! missing", "no-interp", "/bin/no-interp", "/", ~0u, WH_OP_EXEC_CHECK, WH_SITE_EXEC_SHEBANG, ENOENT,
              "/no/such/shell");
    test_fail("#! CRLF", "crlf", "/bin/crlf", "/", ~0u, WH_OP_EXEC_CHECK, WH_SITE_EXEC_SHEBANG_CRLF, ENOENT, "/bin/sh");
    test_fail("loader missing", "dynamic", "/bin/dynamic", "/", ~0u, WH_OP_EXEC_CHECK, WH_SITE_EXEC_LOADER, ENOENT,
              NULL);
    test_fail("foreign machine", "foreign", "/bin/foreign", "/", ~0u, WH_OP_EXEC, WH_SITE_EXEC_ARCH, ENOEXEC,
              "/bin/foreign");
    test_fail("text", "text", "/bin/text", "/", ~0u, WH_OP_EXEC, WH_SITE_EXEC_FORMAT, ENOEXEC, "/bin/text");
    test_fail("cwd is a file", "/bin/true", "/bin/true", "/etc/passwd", ~0u, WH_OP_CWD, WH_SITE_CHDIR, ENOTDIR,
              "/etc/passwd");

    is_int(wh_remove_tree_at(AT_FDCWD, root_dir), 0, "nothing is left");
    return done_testing();
}
