/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every finding of `wherry check`: one configuration that has it and nothing else, and one that has none. Those
 * about the kernel: check-foresee.c. */
#include "check-tests.h"

static const struct test tests[] = {
    { WH_CHECK_NOT_WEIGHED, "/linux/resources/blockIO/leafWeight", "blockIO leafWeight 300: this host does not have ",
      .linux_ = NAMESPACES "," SECCOMP "," PATHS "," CGROUP
                           ",\"resources\":{\"pids\":{\"limit\":9},\"blockIO\":{\"leafWeight\":300}}" },
    { WH_CHECK_INVALID, "/process/cwd", "", .process = USER "," NNP "," ARGS ",\"cwd\":7" },
    { WH_CHECK_UNKNOWN_KEY, "/process/noNewPrivilege", "did you mean \"noNewPrivileges\"?",
      .process = USER "," NNP "," ARGS ",\"noNewPrivilege\":true" },
    { WH_CHECK_ACCEPTED, "/process/capabilities/bounding/0", "unknown capability \"CAP_NOBODY\" is left out",
      .process = CAPS("\"bounding\":[\"CAP_NOBODY\"]") },
    { WH_CHECK_UNKNOWN_KEY, "/qqqqqqqqqqqqqqqq", "unknown property", .top = ",\"qqqqqqqqqqqqqqqq\":1" },
    { WH_CHECK_REFUSED, "/mounts/1", "the option copy-symlink is for bind mounts, and not on or below /proc",
      .mounts = MOUNT("/proc/uptime", "none", "/dev/null", "\"bind\",\"copy-symlink\"") },
    /* Two edits at most, also of the prefix; what is below it and near nothing is no name of ours either. */
    { WH_CHECK_ANNOTATION_UNKNOWN, "/annotations/org.wherry.intt",
      "unknown annotation; did you mean \"org.wherry.init\"?", .top = ANNOTATION("org.wherry.intt") },
    { WH_CHECK_ANNOTATION_UNKNOWN, "/annotations/run.oic.handler", "did you mean \"run.oci.handler\"?",
      .top = ANNOTATION("run.oic.handler") },
    { WH_CHECK_ANNOTATION_UNKNOWN, "/annotations/run.oci.seccomp.reciever",
      "did you mean \"run.oci.seccomp.receiver\"?", .top = ANNOTATION("run.oci.seccomp.reciever") },
    { WH_CHECK_ANNOTATION_UNKNOWN, "/annotations/run.oci.nothing-like-it", "unknown annotation [",
      .top = ANNOTATION("run.oci.nothing-like-it") },
    { WH_CHECK_ANNOTATION_UNKNOWN, "/annotations/org.wherry.", "unknown annotation [",
      .top = ANNOTATION("org.wherry.") },
    { WH_CHECK_DUPLICATE_ENV, "/process/env/2", "A is set twice",
      .process = USER "," NNP "," ARGS ",\"env\":[\"A=1\",\"AB=2\",\"A=3\"]" },
    { WH_CHECK_HIDDEN_MOUNT, "/mounts/1", "the mount on /a/b is hidden by the later one on /a",
      .mounts = PROC ",{\"destination\":\"/a/b\",\"type\":\"tmpfs\"},{\"destination\":\"/ab\",\"type\":\"tmpfs\"}"
                     ",{\"destination\":\"/a\",\"type\":\"tmpfs\"}" },
    { WH_CHECK_AMBIENT_LOST, "/process/capabilities/ambient", "CAP_KILL is not in the inheritable set",
      .process = CAPS("\"bounding\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"],\"ambient\":[\"CAP_KILL\"]") },

    { WH_CHECK_ROOTFS_MISSING, "/root/path", "there is no nothing", .root = "\"path\":\"nothing\",\"readonly\":true" },
    { WH_CHECK_ROOTFS_MISSING, "/root/path", "file is not a directory", .root = "\"path\":\"file\",\"readonly\":true" },
    { WH_CHECK_BIND_SOURCE_MISSING, "/mounts/1/source", "there is no /srv/wherry/none, which is mounted on /d",
      .mounts = MOUNT("/d", "bind", "/srv/wherry/none", "\"bind\"") },
    { WH_CHECK_BIND_SOURCE_MISSING, "/mounts/1/source", "there is no none",
      .mounts = MOUNT("/d", "none", "none", "\"rbind\"") },
    { WH_CHECK_NAMESPACE_MISSING, "/linux/namespaces/0/path", "there is no /srv/wherry/ns",
      .linux_ =
          "\"namespaces\":[{\"type\":\"uts\",\"path\":\"/srv/wherry/ns\"},{\"type\":\"pid\"},{\"type\":\"network\"}"
          ",{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"cgroup\"}]," SECCOMP "," RESOURCES "," PATHS
          "," CGROUP },
    { WH_CHECK_HOOK_MISSING, "/hooks/createRuntime/0/path", "there is no /srv/wherry/hook",
      .top = ",\"hooks\":{\"createRuntime\":[{\"path\":\"/srv/wherry/hook\"}]}" },
    { WH_CHECK_HOOK_MISSING, "/hooks/poststop/0/path", "/etc/passwd is not an executable file",
      .top = ",\"hooks\":{\"poststop\":[{\"path\":\"/etc/passwd\"}]}" },
    { WH_CHECK_ARGS_NOT_FOUND, "/process/args/0", "/bin/none is not in the root file system",
      .process = USER "," NNP ",\"args\":[\"/bin/none\"]" },
    { WH_CHECK_ARGS_NOT_FOUND, "/process/args/0", "none is not in the root file system, nowhere in PATH",
      .process = USER "," NNP ",\"args\":[\"none\"],\"env\":[\"PATH=/usr/bin:/bin\"]" },
    { WH_CHECK_ARGS_NOT_FOUND, "/process/args/0", "/bin/data may not be executed by the user of the process",
      .process = USER "," NNP ",\"args\":[\"/bin/data\"]" },
    { WH_CHECK_ARGS_NOT_FOUND, "/process/args/0", "/bin is a directory",
      .process = USER "," NNP ",\"args\":[\"/bin\"]" },
    { WH_CHECK_ARGS_NOT_FOUND, "/process/args/0", "exec: \"none\": executable file not found in $PATH",
      .process = USER "," NNP ",\"args\":[\"none\"],\"env\":[\"A=1\"]" },
    /* The link leads to the rootfs' own /bin, not to the host's. */
    { WH_CHECK_ARGS_NOT_FOUND, "/process/args/0", "/escape/sh is not in the root file system",
      .process = USER "," NNP ",\"args\":[\"/escape/sh\"]" },

    { WH_CHECK_ROOT_NO_USERNS, "/process/user/uid", "the process runs as root",
      .process = "\"user\":{\"uid\":0,\"gid\":0}," NNP "," ARGS },
    { WH_CHECK_USERNS_MAPS_ROOT, "/linux/uidMappings/0", "uid 5 of the container is root of the host",
      .linux_ = "\"namespaces\":[{\"type\":\"user\"},{\"type\":\"uts\"},{\"type\":\"pid\"},{\"type\":\"network\"}"
                ",{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"cgroup\"}]," SECCOMP "," RESOURCES "," PATHS
                "," CGROUP ",\"uidMappings\":[{\"containerID\":5,\"hostID\":0,\"size\":1},{\"containerID\":1000,"
                "\"hostID\":5000,\"size\":9}]"
                ",\"gidMappings\":[{\"containerID\":0,\"hostID\":5000,\"size\":2000}]",
      .others = -1 },
    { WH_CHECK_NEW_PRIVILEGES, "/process", "noNewPrivileges is not set", .process = USER "," ARGS },
    { WH_CHECK_NEW_PRIVILEGES, "/process/noNewPrivileges", "noNewPrivileges is false",
      .process = USER "," ARGS ",\"noNewPrivileges\":false" },
    { WH_CHECK_PRIVILEGED, "/process", "privileged container",
      .process = CAPS("\"effective\":[\"CAP_SYS_ADMIN\"],\"permitted\":[\"CAP_SYS_ADMIN\"]"),
      .linux_ = DEVICES("{\"allow\":true,\"access\":\"rwm\"}"), .others = 2 },
    { WH_CHECK_CAP_SYS_ADMIN, "/process/capabilities/bounding", "CAP_SYS_ADMIN is granted",
      .process = CAPS("\"bounding\":[\"CAP_SYS_ADMIN\"]") },
    { WH_CHECK_CAP_DANGEROUS, "/process/capabilities/permitted", "CAP_SYS_MODULE loads code into the kernel",
      .process = CAPS("\"bounding\":[\"CAP_SYS_MODULE\"],\"permitted\":[\"CAP_SYS_MODULE\"]") },
    { WH_CHECK_ENV_SECRET, "/process/env/3", "DB_PASSWORD looks like a secret",
      .process = USER "," NNP "," ARGS ",\"env\":[\"PASSWORDS=x\",\"A_TOKEN=/run/token\",\"DB_PASSWORD_FILE=x\""
                      ",\"DB_PASSWORD=hunter2\",\"SECRET=\"]" },
    { WH_CHECK_ENV_SECRET, "/process/env/0", "github_token looks like a secret",
      .process = USER "," NNP "," ARGS ",\"env\":[\"github_token=x\"]" },
    { WH_CHECK_OOM_PROTECTED, "/process/oomScoreAdj", "oomScoreAdj is -500",
      .process = USER "," NNP "," ARGS ",\"oomScoreAdj\":-500" },

    { WH_CHECK_NO_SECCOMP, "/linux", "no seccomp filter", .linux_ = NAMESPACES "," RESOURCES "," PATHS "," CGROUP },
    { WH_CHECK_SECCOMP_ALLOWS, "/linux/seccomp/defaultAction", "the default action is SCMP_ACT_ALLOW",
      .linux_ = NAMESPACES "," RESOURCES "," PATHS "," CGROUP
                           ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"acct\"],"
                           "\"action\":\"SCMP_ACT_ERRNO\"}]}" },
    { WH_CHECK_SECCOMP_UNKNOWN, "/linux/seccomp/syscalls/0/names/1", "2 unknown system calls: raed, wirte",
      .linux_ =
          NAMESPACES "," RESOURCES "," PATHS "," CGROUP
                     ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\",\"raed\","
                     "\"wirte\"],\"action\":\"SCMP_ACT_ALLOW\"}]}" },
    /* The first of two; a rule without conditions above one with; and what says the same as the default action or as the other contradicts
     * nothing. */
    { WH_CHECK_SECCOMP_OVERRULED, "/linux/seccomp/syscalls/1/names/1",
      "SCMP_ACT_ALLOW is not applied to acct, sync: /linux/seccomp/syscalls/0 says SCMP_ACT_LOG without conditions",
      .linux_ = RULES("\"acct\",\"sync\"", "LOG", "", "\"read\",\"acct\",\"sync\"", "ALLOW", "") },
    { WH_CHECK_SECCOMP_OVERRULED, "/linux/seccomp/syscalls/0/names/0",
      "SCMP_ACT_LOG is not applied to acct: /linux/seccomp/syscalls/1 says SCMP_ACT_ALLOW",
      .linux_ = RULES("\"acct\"", "LOG", ARG, "\"acct\"", "ALLOW", "") },
    { WH_CHECK_SECCOMP_OVERRULED, "/linux/seccomp/syscalls/0/names/0",
      "SCMP_ACT_ERRNO is not applied to acct: /linux/seccomp/syscalls/1 says SCMP_ACT_ALLOW",
      .linux_ = RULES("\"acct\"", "ERRNO", "", "\"acct\"", "ALLOW", "") },

#define NS_LESS(rest) "\"namespaces\":[{\"type\":\"mount\"}," rest "]," SECCOMP "," RESOURCES "," PATHS "," CGROUP
    { WH_CHECK_HOST_PID, "/linux", "no pid namespace",
      .linux_ = NS_LESS("{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"cgroup\"}") },
    { WH_CHECK_HOST_NETWORK, "/linux", "no network namespace",
      .linux_ = NS_LESS("{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"cgroup\"}") },
    { WH_CHECK_HOST_IPC, "/linux", "no ipc namespace",
      .linux_ = NS_LESS("{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"uts\"},{\"type\":\"cgroup\"}") },
    { WH_CHECK_HOST_UTS, "/linux", "no uts namespace",
      .linux_ = NS_LESS("{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"cgroup\"}") },
    { WH_CHECK_HOST_MOUNT, "/linux", "no mount namespace",
      .linux_ = "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
                "{\"type\":\"cgroup\"}]," SECCOMP "," RESOURCES "," CGROUP,
      .others = -1 },
    { WH_CHECK_HOST_CGROUP, "/linux", "no cgroup namespace",
      .linux_ = NS_LESS("{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}") },
    { WH_CHECK_HOST_NETWORK, "/linux/namespaces/2/path", "/proc/self/ns/net is the host's network namespace",
      .linux_ = NS_LESS("{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/proc/self/ns/net\"},{\"type\":\"ipc\"},"
                        "{\"type\":\"uts\"},{\"type\":\"cgroup\"}") },

    { WH_CHECK_ROOTFS_IS_HOST, "/root/path", "root.path is /", .root = "\"path\":\"//\",\"readonly\":true",
      .others = -1 },
    { WH_CHECK_ROOTFS_WRITABLE, "/root", "writable", .root = "\"path\":\"rootfs\"" },
    { WH_CHECK_ROOTFS_WRITABLE, "/root/readonly", "writable", .root = "\"path\":\"rootfs\",\"readonly\":false" },
    { WH_CHECK_PROC_SYS_WRITABLE, "/mounts/0", "/proc/sys is writable",
      .linux_ = NAMESPACES "," SECCOMP "," RESOURCES "," CGROUP ",\"maskedPaths\":[\"/proc/kcore\"],"
                           "\"readonlyPaths\":[\"/proc/sysrq-trigger\"]" },
    { WH_CHECK_PROC_SYS_WRITABLE, "/mounts/0", "/proc/sysrq-trigger is writable",
      .linux_ = NAMESPACES "," SECCOMP "," RESOURCES "," CGROUP ",\"maskedPaths\":[\"/proc/kcore\"],"
                           "\"readonlyPaths\":[\"/proc/sys\"]" },
    { WH_CHECK_PROC_UNMASKED, "/mounts/0", "nothing in /proc is masked",
      .linux_ = NAMESPACES "," SECCOMP "," RESOURCES "," CGROUP
                           ",\"readonlyPaths\":[\"/proc/sys\",\"/proc/sysrq-trigger\"]" },
    { WH_CHECK_PROC_UNMASKED, "/linux/maskedPaths", "/proc/kcore is not masked",
      .linux_ = NAMESPACES "," SECCOMP "," RESOURCES "," CGROUP ",\"maskedPaths\":[\"/proc/keys\"],"
                           "\"readonlyPaths\":[\"/proc/sys\",\"/proc/sysrq-trigger\"]" },
    { WH_CHECK_SYSFS_WRITABLE, "/mounts/1", "sysfs is mounted writable on /sys",
      .mounts = MOUNT("/sys", "sysfs", "sysfs", "") },
    { WH_CHECK_SYSFS_WRITABLE, "/mounts/1/source", "/sys of the host is mounted writable on /sys",
      .mounts = MOUNT("/sys", "none", "/sys", "\"rbind\"") },
    { WH_CHECK_CGROUP_WRITABLE, "/mounts/1", "cgroups are mounted writable",
      .mounts = MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "\"ro\",\"rw\"") },
    { WH_CHECK_CGROUP_WRITABLE, "/mounts/1/source", "/sys/fs/cgroup of the host is mounted writable",
      .mounts = MOUNT("/cg", "bind", "/sys/fs/cgroup", "\"rbind\"") },
    { WH_CHECK_BIND_ROOT, "/mounts/1/source", "the host's / is mounted on /host, read-only",
      .mounts = MOUNT("/host", "bind", "/", "\"rbind\",\"ro\"") },
    { WH_CHECK_BIND_SOCKET, "/mounts/1/source", "/tmp/docker.sock is an engine's socket",
      .mounts = MOUNT("/s", "bind", "/tmp/docker.sock", "\"bind\""), .others = -1 },
    { WH_CHECK_BIND_SENSITIVE, "/mounts/1/source", "/etc of the host is mounted on /e",
      .mounts = MOUNT("/e", "bind", "/etc//", "\"rbind\"") },
    { WH_CHECK_SHARED_PROPAGATION, "/mounts/1", "the mount on /d is shared with the host",
      .mounts = MOUNT("/d", "bind", "rootfs", "\"rbind\",\"rshared\""), .others = 1 },
    { WH_CHECK_SHARED_PROPAGATION, "/linux/rootfsPropagation", "rootfsPropagation is shared",
      .linux_ = NAMESPACES "," SECCOMP "," RESOURCES "," PATHS "," CGROUP ",\"rootfsPropagation\":\"shared\"" },

    { WH_CHECK_DEVICE_WILDCARD, "/linux/resources/devices/0", "all devices are allowed",
      .linux_ = DEVICES("{\"allow\":true,\"type\":\"a\",\"access\":\"r\"}") },
    { WH_CHECK_DEVICE_WILDCARD, "/linux/resources/devices/1", "all character devices are allowed",
      .linux_ = DEVICES(
          "{\"allow\":true,\"type\":\"c\",\"access\":\"m\"},{\"allow\":true,\"type\":\"c\",\"access\":\"rwm\"}") },
    { WH_CHECK_DEVICE_WILDCARD, "/linux/resources/devices/0", "all of a driver's devices are allowed",
      .linux_ = DEVICES("{\"allow\":true,\"type\":\"b\",\"major\":8,\"minor\":-1,\"access\":\"w\"},"
                        "{\"allow\":true,\"type\":\"c\",\"major\":136,\"access\":\"rw\"}") },
    { WH_CHECK_DEVICE_DISK, "/linux/resources/devices/0", "block device 8:0 is allowed",
      .linux_ = DEVICES("{\"allow\":true,\"type\":\"b\",\"major\":8,\"minor\":0,\"access\":\"rw\"}") },
    { WH_CHECK_DEVICE_DISK, "/linux/devices/0", "/dev/disk is a block device",
      .linux_ = NAMESPACES "," SECCOMP "," RESOURCES "," PATHS "," CGROUP
                           ",\"devices\":[{\"path\":\"/dev/disk\",\"type\":\"b\",\"major\":7,\"minor\":1}]" },
    { WH_CHECK_DEVICE_MEMORY, "/linux/resources/devices/0", "device 1:1 is allowed",
      .linux_ = DEVICES("{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":1,\"access\":\"r\"}") },
    { WH_CHECK_DEVICE_MEMORY, "/linux/devices/0", "/dev/port is device 1:4",
      .linux_ = NAMESPACES "," SECCOMP "," RESOURCES "," PATHS "," CGROUP
                           ",\"devices\":[{\"path\":\"/dev/port\",\"type\":\"c\",\"major\":1,\"minor\":4}]" },
    { WH_CHECK_NO_PIDS_LIMIT, "/linux", "not limited", .linux_ = NAMESPACES "," SECCOMP "," PATHS "," CGROUP },
    { WH_CHECK_NO_PIDS_LIMIT, "/linux/resources/pids/limit", "not limited",
      .linux_ = NAMESPACES "," SECCOMP "," PATHS "," CGROUP ",\"resources\":{\"pids\":{\"limit\":-1}}" },
};

static void test_none(void)
{
    const struct test t = { 0 };
    char *report;

    is_int(check(configuration(&t), 0, WHERRY_CGROUP_CGROUPFS, &report), 0, "a configuration without findings");
    is_str(report, "0 errors, 0 warnings, 0 notes\n", "its report");
    wherry_free(report);
    is_int(check(configuration(&t), WHERRY_CHECK_JSON, WHERRY_CGROUP_CGROUPFS, &report), 0, "the same as JSON");
    is_str(report,
           "{\n  \"version\": 1,\n  \"config\": \"config.json\",\n  \"profile\": \"default\",\n  \"findings\": [],\n  "
           "\"errors\": 0,\n"
           "  \"warnings\": 0,\n  \"notes\": 0,\n  \"ignored\": 0\n}\n",
           "its report");
    wherry_free(report);
}

static void test_formats(void)
{
    const struct test t = { .process = USER "," ARGS };
    const struct test bad = { .process = USER "," ARGS ",\"cwd\":7,\"terminal\":\"x\",\"env\":9" };
    char *report;

    is_int(check(configuration(&t), 0, WHERRY_CGROUP_CGROUPFS, &report), 1, "a warning");
    is_str(report,
           "config.json:2:11: warning: /process: noNewPrivileges is not set [new-privileges]\n"
           "    why: set-user-ID programs in the container can raise privileges.\n"
           "    fix: Set process.noNewPrivileges to true.\n"
           "0 errors, 1 warning, 0 notes\n",
           "the text report");
    wherry_free(report);
    is_int(check(configuration(&t), WHERRY_CHECK_STRICT, WHERRY_CGROUP_CGROUPFS, &report), 2,
           "is an error with strict");
    has_str(report, ":2:11: error: /process: ", "and called one");
    has_str(report, "\n1 error, 0 warnings, 0 notes\n", "and counted as one");
    wherry_free(report);
    is_int(check(configuration(&t), WHERRY_CHECK_JSON, WHERRY_CGROUP_CGROUPFS, &report), 1, "JSON");
    is_str(report,
           "{\n  \"version\": 1,\n  \"config\": \"config.json\",\n  \"profile\": \"default\",\n  \"findings\": [\n    "
           "{\n      \"id\": \"new-privileges\",\n"
           "      \"severity\": \"warning\",\n      \"line\": 2,\n      \"column\": 11,\n      \"pointer\": "
           "\"/process\",\n"
           "      \"message\": \"noNewPrivileges is not set\",\n"
           "      \"why\": \"set-user-ID programs in the container can raise privileges.\",\n"
           "      \"fix\": \"Set process.noNewPrivileges to true.\"\n    }\n  ],\n"
           "  \"errors\": 0,\n  \"warnings\": 1,\n  \"notes\": 0,\n  \"ignored\": 0\n}\n",
           "its report");
    wherry_free(report);
    is_int(check(configuration(&bad), 0, WHERRY_CGROUP_CGROUPFS, &report), 2, "a broken configuration");
    is_int(count(report, "[invalid]"), 3, "has all its errors in the report");
    wherry_free(report);
    is_int(check("{", 0, WHERRY_CGROUP_CGROUPFS, &report), 2, "no JSON at all");
    is_int(count(report, "[invalid]"), 1, "one error");
    wherry_free(report);
}

static void test_host(void)
{
    const struct test plain = { 0 };
    struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct d[2];
    char *report;

    check(NULL, 0, WHERRY_CGROUP_CGROUPFS, &report);
    has_finding(report, WH_CHECK_UNREADABLE, NULL, "config.json", 0);
    wherry_free(report);

    if (access("/run/systemd/system", F_OK) < 0 && geteuid() == 0) {
        is_int(check(configuration(&plain), 0, WHERRY_CGROUP_SYSTEMD, &report), 2, "a manager that this host lacks");
        has_str(report, "this host is not run by systemd", "is said");
        wherry_free(report);
    }

    if (geteuid() != 0) {
        skip("capabilities need root");
        return;
    }
    /* Without it nobody has a limit of processes. */
    if (access("/sys/fs/cgroup", W_OK) == 0) {
        static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        char dir[128], procs[160];
        bool made = false;

        for (size_t i = 0; i < WH_ELEMENTSOF(mounts) && !made; i++) {
            snprintf(dir, sizeof dir, "%s/cgroup.procs", mounts[i]);
            if (access(dir, W_OK) < 0)
                continue;
            snprintf(dir, sizeof dir, "%s/%s", mounts[i], cgroup_name);
            made = mkdir(dir, 0755) == 0;
        }
        if (made) {
            pid_t pid = fork();
            int fd;

            if (pid == 0) {
                for (;;)
                    pause();
            }
            snprintf(procs, sizeof procs, "%s/cgroup.procs", dir);
            fd = open(procs, O_WRONLY | O_CLOEXEC);
            dprintf(fd, "%d", (int)pid);
            close(fd);
            check(configuration(&plain), 0, WHERRY_CGROUP_CGROUPFS, &report);
            has_finding(report, WH_CHECK_CGROUP_BUSY, "/linux/cgroupsPath", "1 process(es) found", 0);
            wherry_free(report);
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            rmdir(dir);
        } else
            skip("no cgroup2 that this process may write");
    }

    if (syscall(SYS_capget, &h, d) == 0) {
        const struct test t = { .process = CAPS("\"bounding\":[\"CAP_WAKE_ALARM\"]") };

        d[1].effective &= ~(1u << (CAP_WAKE_ALARM - 32));
        d[1].permitted &= ~(1u << (CAP_WAKE_ALARM - 32));
        syscall(SYS_capset, &h, d);
        check(configuration(&t), 0, WHERRY_CGROUP_CGROUPFS, &report);
        has_finding(report, WH_CHECK_CAP_NOT_GRANTED, "/process/capabilities", "CAP_WAKE_ALARM is not ours to grant",
                    0);
        wherry_free(report);
    }
}

static int check_with(const char *config, uint32_t flags, const char *const *ignore, char **ret, char *text,
                      size_t size)
{
    struct wherry_ctx_opts copts = { .size = sizeof copts, .root = bundle };
    struct wherry_create_opts opts = { .size = sizeof opts,
                                       .bundle = bundle,
                                       .config_data = config,
                                       .config_len = strlen(config),
                                       .check_ignore = ignore };
    wherry_error *error = NULL;
    wherry_ctx *ctx;
    int worst = -1, r;

    *ret = NULL;
    text[0] = '\0';
    if (wherry_ctx_new(&copts, &ctx, NULL) < 0)
        return -1;
    r = wherry_check(ctx, &opts, flags, ret, &worst, &error);
    if (r < 0)
        snprintf(text, size, "%s", wherry_error_text(error));
    wherry_error_free(error);
    wherry_ctx_free(ctx);
    return r < 0 ? r : worst;
}

/* Of every class one finding, with each profile; and what may not be asked. */
static void test_profiles(void)
{
    static const struct {
        uint32_t flags;
        int status;
        const char *sum;
    } t[] = {
        { 0, 1, "0 errors, 2 warnings, 1 note\n" },
        { WHERRY_CHECK_ENGINE, 0, "0 errors, 0 warnings, 3 notes\n" },
        { WHERRY_CHECK_ENGINE | WHERRY_CHECK_STRICT, 0, "0 errors, 0 warnings, 3 notes\n" },
        { WHERRY_CHECK_HARDENED, 2, "1 error, 2 warnings, 0 notes\n" },
        { WHERRY_CHECK_HARDENED | WHERRY_CHECK_STRICT, 2, "3 errors, 0 warnings, 0 notes\n" },
    };
    /* OPEN, a warning and a note; WRITTEN, a warning. */
    const struct test open = { .process = USER "," ARGS ",\"env\":[\"A=1\",\"A=2\"]", .root = "\"path\":\"rootfs\"" };
    const struct test wrong = { .process = USER "," NNP ",\"args\":[\"/bin/none\"]" };
    const struct test template = { .process = USER "," NNP };
    static const char *const ignore[] = { "duplicate-env", "new-privileges", NULL };
    static const char *const unknown[] = { "new-privileges", "duplicate-emv", NULL }, *const far[] = { "zzzzzzzz",
                                                                                                       NULL };
    char text[256], *report;

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        is_int(check_with(configuration(&open), t[i].flags, NULL, &report, text, sizeof text), t[i].status,
               "status with flags %#x", t[i].flags);
        has_str(report, t[i].sum, "its sum");
        wherry_free(report);
        is_int(check_with(configuration(&wrong), t[i].flags, NULL, &report, text, sizeof text), 2,
               "what cannot run is an error in each");
        wherry_free(report);
    }
    is_int(check_with(configuration(&template), WHERRY_CHECK_ENGINE, NULL, &report, text, sizeof text), 0,
           "a template of an engine");
    has_finding(report, WH_CHECK_NO_COMMAND, "/process", "args must not be empty", 0);
    wherry_free(report);
    is_int(check_with(configuration(&template), 0, NULL, &report, text, sizeof text), 2, "is no container");
    has_str(report, "error: /process: args must not be empty [refused]", "and is refused");
    wherry_free(report);

    is_int(check_with(configuration(&open), 0, ignore, &report, text, sizeof text), 0, "ignored findings do not count");
    is_str(strrchr(report, ']') ? strstr(report, "0 errors") : report, "0 errors, 0 warnings, 1 note, 2 ignored\n",
           "but are counted");
    is_int(count(report, "    why: "), 1, "and are not printed");
    wherry_free(report);
    is_int(check_with(configuration(&open), WHERRY_CHECK_JSON, ignore, &report, text, sizeof text), 0, "as JSON");
    has_str(report, "\"notes\": 1,\n  \"ignored\": 2\n}", "the same");
    wherry_free(report);
    is_int(check_with(configuration(&open), 0, unknown, &report, text, sizeof text), -EINVAL, "an unknown id");
    is_str(text, "no finding has the id \"duplicate-emv\"; did you mean \"duplicate-env\"?", "is named");
    is_int(check_with(configuration(&open), 0, far, &report, text, sizeof text), -EINVAL, "one that is like no other");
    is_str(text, "no finding has the id \"zzzzzzzz\"", "is named, too");
    is_int(
        check_with(configuration(&open), WHERRY_CHECK_ENGINE | WHERRY_CHECK_HARDENED, NULL, &report, text, sizeof text),
        -EINVAL, "two profiles");
    is_str(text, "the profiles engine and hardened exclude each other", "are refused");
}

/* A host that lacks something cannot be had at will; a compile error with another errno stands for it. */
static void test_host_lacks(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_BUF struct wh_buf out = { 0 };
    struct wh_findings f = { .arena = arena, .name = "a:1.json" };
    struct wh_err e = { 0 };

    wh_err_set(&e, WH_ERR_HOST, -EOPNOTSUPP, "a:1.json:7:30: /linux/resources", "no controller");
    wh_check_add_err(&f, WH_CHECK_HOST_LACKS, &e);
    is_int(wh_check_report(&f, false, false, &out), 2, "an error of compile");
    has_str(out.data, "a:1.json:7:30: error: ", "its place is understood, whatever the file is called");
    has_finding(out.data, WH_CHECK_HOST_LACKS, "/linux/resources", "no controller", 0);
}

/* docs/CHECKS.md lists every finding, with its severity and both sentences. */
static void test_docs(void)
{
    static const char *const names[] = { "note", "warning", "error" };
    static char text[65536];
    ssize_t n = wh_read_at(AT_FDCWD, "docs/CHECKS.md", text, sizeof text - 1);
    unsigned listed = 0;

    if (!ok(n > 0, "docs/CHECKS.md can be read"))
        return;
    for (const char *p = text; (p = strstr(p, "\n### `")) != NULL; p++)
        listed++;
    is_int(listed, WH_CHECK_MAX, "it has one section for each finding");
    for (size_t i = 0; i < WH_CHECK_MAX; i++) {
        const struct wh_check_info *info = &wh_check_infos[i];
        char want[1024];

        const char *engine = names[wh_check_severity(i, WH_PROFILE_ENGINE)];
        const char *hardened = names[wh_check_severity(i, WH_PROFILE_HARDENED)];
        bool eases = !wh_streq(engine, names[info->severity]), raises = !wh_streq(hardened, names[info->severity]);
        char raised[64] = "", profiles[128] = "\n";

        if (raises)
            snprintf(raised, sizeof raised, "%s %s with `hardened`", wh_streq(hardened, "error") ? "an" : "a",
                     hardened);
        if (eases || raises)
            snprintf(profiles, sizeof profiles, "\n\nProfiles: %s%s%s.\n", eases ? "a note with `engine`" : "",
                     eases && raises ? ", " : "", raised);
        snprintf(want, sizeof want, "\n### `%s` (%s)\n\nWhy: %s\n\nFix: %s%s", info->id, names[info->severity],
                 info->why, info->fix, profiles);
        if (!strstr(text, want))
            fail_test("docs/CHECKS.md lacks:%s", want);
        for (size_t k = 0; k < i; k++)
            if (strcmp(info->id, wh_check_infos[k].id) == 0)
                fail_test("the id %s is used twice", info->id);
    }
}

/* What each capability is said to do. */
static void test_capabilities(void)
{
    static const struct {
        const char *cap, *does;
    } t[] = {
        { "DAC_READ_SEARCH", "opens every file of the host's file systems by its handle" },
        { "LINUX_IMMUTABLE", "changes files that are marked immutable" },
        { "NET_ADMIN", "configures network interfaces, routes and packet filters" },
        { "SYS_MODULE", "loads code into the kernel" },
        { "SYS_RAWIO", "writes to disks, ports and memory past the drivers" },
        { "SYS_PTRACE", "reads and changes the memory of other processes" },
        { "SYS_BOOT", "reboots the host, or starts another kernel" },
        { "SYS_TIME", "sets the host's clock" },
        { "MAC_OVERRIDE", "goes past mandatory access control" },
        { "MAC_ADMIN", "changes the policy of mandatory access control" },
        { "SYSLOG", "reads the kernel's messages and addresses" },
        { "PERFMON", "observes the whole system" },
        { "BPF", "loads programs into the kernel" },
        { "CHECKPOINT_RESTORE", "chooses process ids and reads the memory maps of others" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        char process[256], want[160];
        struct test one = { .process = process };
        char *report;

        snprintf(process, sizeof process, USER "," NNP "," ARGS ",\"capabilities\":{\"bounding\":[\"CAP_%s\"]}",
                 t[i].cap);
        check(configuration(&one), 0, WHERRY_CGROUP_CGROUPFS, &report);
        snprintf(want, sizeof want, "CAP_%s", t[i].cap);
        has_str(report, want, "the capability is named");
        has_str(report, t[i].does, "with what it does");
        wherry_free(report);
    }
}

/* Messages as a whole, of which the table above has the beginning. */
static void test_texts(void)
{
    static const struct {
        struct test t;
        const char *want;
    } t[] = {
        { { .root = "\"path\":\"rootfs\"" }, "the root file system is writable" },
        { { .linux_ = NAMESPACES "," SECCOMP "," PATHS "," CGROUP }, "the number of processes is not limited" },
        { { .linux_ = DEVICES("{\"allow\":true,\"type\":\"b\",\"access\":\"rw\"}") }, "all block devices are allowed" },
        { { .linux_ = DEVICES("{\"allow\":true,\"type\":\"c\",\"access\":\"rw\"}") },
          "all character devices are allowed" },
        { { .process = USER "," NNP "," ARGS ",\"noNewPrivilege\":true" },
          "unknown property; did you mean \"noNewPrivileges\"?" },
    };
    char *report;

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        check(configuration(&t[i].t), 0, WHERRY_CGROUP_CGROUPFS, &report);
        has_str(report, t[i].want, "as a whole");
        wherry_free(report);
    }
    /* More errors than are kept. */
    {
        char env[2048] = USER "," NNP "," ARGS ",\"env\":[";
        struct test many = { .process = env };

        for (int i = 0; i < 25; i++)
            strcat(env, i ? ",\"x\"" : "\"x\"");
        strcat(env, "]");
        check(configuration(&many), 0, WHERRY_CGROUP_CGROUPFS, &report);
        has_str(report, "5 more of the kind", "those that are not told are counted");
        wherry_free(report);
    }
}

int main(void)
{
    if (!make_bundle())
        return 1;
    test_none();
    test_table(tests, WH_ELEMENTSOF(tests));
    test_formats();
    test_profiles();
    test_host_lacks();
    test_docs();
    test_host();
    test_capabilities();
    test_texts();
    for (size_t i = 0; i < WH_CHECK_MAX; i++)
        if (!seen[i] && (i < WH_CHECK_INTERPRETER_MISSING || i > WH_CHECK_NETDEV_MISSING) &&
            (geteuid() == 0 || (i != WH_CHECK_CGROUP_BUSY && i != WH_CHECK_CAP_NOT_GRANTED)))
            fail_test("no test has the finding %s", wh_check_infos[i].id);
    wh_remove_tree_at(AT_FDCWD, bundle);
    return done_testing();
}
