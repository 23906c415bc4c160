/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a container is, told from inside as lines of "key: value", which tests/differential/run compares between runtimes. Static, so that it
 * needs nothing of the rootfs. Arguments are printed; with a line "stay" on stdin it ends at the end of stdin, with the status that follows "exit ".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

static void line(const char *key, const char *text)
{
    printf("%s: %s\n", key, text ? text : "-");
}

static void error_or(const char *key, long r)
{
    if (r < 0)
        printf("%s: %s\n", key, strerrorname_np(errno));
    else
        printf("%s: ok\n", key);
}

static void file_text(const char *key, const char *path)
{
    char buf[8192];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);

    if (n < 0) {
        printf("%s: %s\n", key, strerrorname_np(errno));
    } else {
        buf[n] = '\0';
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] == '\n' || buf[i] == '\t')
                buf[i] = ' ';
        line(key, buf);
    }
    if (fd >= 0)
        close(fd);
}

/* Chosen lines of /proc/self/status. */
static void status(void)
{
    static const char *const want[] = { "Uid:",
                                        "Gid:",
                                        "Groups:",
                                        "CapInh:",
                                        "CapPrm:",
                                        "CapEff:",
                                        "CapBnd:",
                                        "CapAmb:",
                                        "Umask:",
                                        "Seccomp:",
                                        "NoNewPrivs:",
                                        "SigBlk:",
                                        "SigIgn:",
                                        "Cpus_allowed_list:",
                                        "Mems_allowed_list:",
                                        "NSpid:",
                                        "Seccomp_filters:",
                                        "NSsid:",
                                        "NSpgid:" };
    char buf[512];
    FILE *f = fopen("/proc/self/status", "re");

    while (f && fgets(buf, sizeof buf, f))
        for (size_t i = 0; i < sizeof want / sizeof *want; i++)
            if (strncmp(buf, want[i], strlen(want[i])) == 0) {
                buf[strcspn(buf, "\n")] = '\0';
                for (char *p = buf; *p; p++)
                    if (*p == '\t')
                        *p = ' ';
                printf("status.%.*s: %s\n", (int)strlen(want[i]) - 1, want[i], buf + strlen(want[i]));
            }
    if (f)
        fclose(f);
    else
        line("status", strerrorname_np(errno));
}

static void limits(void)
{
    static const char *const names[] = { "CPU",      "FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
                                         "NPROC",    "NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
                                         "MSGQUEUE", "NICE",   "RTPRIO",  "RTTIME" };

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct rlimit r;

        if (getrlimit(i, &r) == 0)
            printf("rlimit.%s: %llu %llu\n", names[i], (unsigned long long)r.rlim_cur, (unsigned long long)r.rlim_max);
    }
}

static void descriptors(void)
{
    for (int fd = 0; fd < 64; fd++) {
        struct stat st;

        if (fstat(fd, &st) < 0)
            continue;
        printf("fd.%d: %s flags %x mode %o owner %u:%u tty %d\n", fd,
               S_ISFIFO(st.st_mode)   ? "pipe"
               : S_ISCHR(st.st_mode)  ? "char"
               : S_ISREG(st.st_mode)  ? "file"
               : S_ISDIR(st.st_mode)  ? "dir"
               : S_ISSOCK(st.st_mode) ? "socket"
                                      : "other",
               (unsigned)fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_APPEND), st.st_mode & 07777, st.st_uid,
               st.st_gid, isatty(fd));
    }
}

static void terminal(void)
{
    struct winsize ws;
    struct termios t;

    if (tcgetattr(0, &t) < 0) {
        line("tty", "none");
        return;
    }
    printf("tty: iflag %x oflag %x lflag %x\n", t.c_iflag, t.c_oflag, t.c_lflag);
    if (ioctl(0, TIOCGWINSZ, &ws) == 0)
        printf("tty.size: %d %d\n", ws.ws_row, ws.ws_col);
    printf("tty.session: %s\n", tcgetsid(0) == getsid(0) ? "own" : "other");
    error_or("tty.open", open("/dev/tty", O_RDWR | O_CLOEXEC));
}

static void node(const char *path)
{
    struct stat st;
    char key[256], target[256];
    ssize_t n;
    int fd;

    snprintf(key, sizeof key, "node.%s", path);
    if (lstat(path, &st) < 0) {
        line(key, strerrorname_np(errno));
        return;
    }
    if (S_ISLNK(st.st_mode)) {
        n = readlink(path, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = '\0';
        printf("%s: link %s\n", key, target);
        return;
    }
    printf("%s: %o %u:%u", key, st.st_mode, st.st_uid, st.st_gid);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        printf(" %u:%u", major(st.st_rdev), minor(st.st_rdev));
        fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        printf(" open %s", fd < 0 ? strerrorname_np(errno) : "ok");
        if (fd >= 0)
            close(fd);
    }
    printf("\n");
}

static void directory(const char *path)
{
    struct dirent **list;
    int n = scandir(path, &list, NULL, alphasort);
    char child[512];

    for (int i = 0; i < n; i++)
        if (list[i]->d_name[0] != '.') {
            snprintf(child, sizeof child, "%s/%s", path, list[i]->d_name);
            node(child);
        }
}

static void access_to(const char *path)
{
    struct stat st;
    char key[256], buf[64];
    int fd;

    snprintf(key, sizeof key, "access.%s", path);
    if (stat(path, &st) < 0) {
        line(key, strerrorname_np(errno));
        return;
    }
    printf("%s: %s", key, S_ISDIR(st.st_mode) ? "dir" : S_ISCHR(st.st_mode) ? "char" : "file");
    if (S_ISDIR(st.st_mode)) {
        DIR *d = opendir(path);
        int n = 0;

        while (d && readdir(d))
            n++;
        printf(" entries %s", !d ? strerrorname_np(errno) : n > 2 ? "some" : "none");
        if (d)
            closedir(d);
    } else {
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        printf(" read %s", fd < 0                          ? strerrorname_np(errno)
                           : read(fd, buf, sizeof buf) < 0 ? strerrorname_np(errno)
                                                           : "ok");
        if (fd >= 0)
            close(fd);
    }
    printf(" write %s\n", access(path, W_OK) < 0 ? strerrorname_np(errno) : "ok");
}

static void namespaces(void)
{
    static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };
    char path[64], target[128], key[64];
    ssize_t n;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
        snprintf(key, sizeof key, "ns.%s", names[i]);
        n = readlink(path, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = '\0';
        line(key, target);
    }
}

struct call {
    const char *name;
    long nr, a, b, c;
};

/* Calls that do nothing with these arguments; what is compared is the errno. */
static const struct call calls[] = {
#define C(name, ...)                                                                                                   \
    {                                                                                                                  \
#name, SYS_##name, __VA_ARGS__                                                                                 \
    }
    C(getpid, 0, 0, 0),
    C(mount, 0, 0, 0),
    C(umount2, 0, 0, 0),
    C(swapon, 0, 0, 0),
    C(swapoff, 0, 0, 0),
    C(reboot, 0, 0, 0),
    C(sethostname, 0, -1, 0),
    C(setdomainname, 0, -1, 0),
    C(init_module, 0, 0, 0),
    C(delete_module, 0, 0, 0),
    C(quotactl, 0, 0, 0),
    C(acct, 1, 0, 0),
    C(settimeofday, 1, 1, 0),
    C(clock_settime, 99, 0, 0),
    C(adjtimex, 0, 0, 0),
    C(ptrace, 99, 0, 0),
    C(personality, 0xffffffff, 0, 0),
    C(unshare, 0, 0, 0),
    C(setns, -1, 0, 0),
    C(pivot_root, 0, 0, 0),
    C(chroot, 0, 0, 0),
    C(keyctl, 99, 0, 0),
    C(add_key, 0, 0, 0),
    C(request_key, 0, 0, 0),
    C(bpf, 99, 0, 0),
    C(perf_event_open, 0, -1, -1),
    C(kcmp, -1, 0, 0),
    C(process_vm_readv, -1, 0, 0),
    C(process_vm_writev, -1, 0, 0),
    C(userfaultfd, 0xffff, 0, 0),
    C(io_uring_setup, 0, 0, 0),
    C(open_by_handle_at, -1, 0, 0),
    C(name_to_handle_at, -1, 0, 0),
    C(kexec_load, 0, 99, 0),
    C(iopl, 99, 0, 0),
    C(ioperm, 0, 0, 0),
    C(syslog, 99, 0, 0),
    C(vhangup, 0, 0, 0),
    C(setpriority, 99, 0, 0),
    C(sched_setscheduler, -1, 99, 0),
    C(mlockall, 99, 0, 0),
    C(fsopen, 0, 0, 0),
    C(fsmount, -1, 0, 0),
    C(move_mount, -1, 0, -1),
    C(open_tree, -1, 0, 0),
    C(mount_setattr, -1, 0, 0),
    C(clone3, 0, 0, 0),
    C(pidfd_open, -1, 0, 0),
    C(pidfd_getfd, -1, 0, 0),
    C(fanotify_init, 0xffff, 0, 0),
    C(seccomp, 99, 0, 0),
    C(prlimit64, -1, 0, 0),
    C(mbind, 0, 0, 99),
    C(set_mempolicy, 99, 0, 0),
    C(move_pages, -1, 0, 0),
    C(lookup_dcookie, 0, 0, 0),
    C(chown, 0, 0, 0),
    C(mknod, 0, 0, 0),
    C(setuid, -1, 0, 0),
    C(capset, 0, 0, 0),
    C(socket, 99, 0, 0),
    C(openat2, -1, 0, 0),
    C(memfd_create, 0, -1, 0),
#undef C
};

static void filter(void)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char key[64];
        int st;
        pid_t pid;

        if (calls[i].nr == SYS_vhangup)
            continue;
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            errno = 0;
            syscall(calls[i].nr, calls[i].a, calls[i].b, calls[i].c, 0, 0, 0);
            _exit(errno & 0xff);
        }
        snprintf(key, sizeof key, "call.%s", calls[i].name);
        if (pid < 0 || waitpid(pid, &st, 0) < 0)
            line(key, strerrorname_np(errno));
        else if (WIFSIGNALED(st))
            line(key, sigabbrev_np(WTERMSIG(st)));
        else
            line(key, WEXITSTATUS(st) ? strerrorname_np(WEXITSTATUS(st)) : "ok");
    }
}

static void misc(void)
{
    struct utsname u;
    char cwd[4096], name[16];
    struct sched_param sp;

    uname(&u);
    line("uts.node", u.nodename);
    line("uts.domain", u.domainname);
    line("cwd", getcwd(cwd, sizeof cwd));
    printf("session: %s group %s\n", getsid(0) == getpid() ? "leader" : "member",
           getpgrp() == getpid() ? "leader" : "member");
    printf("pid: %d\n", getpid());
    file_text("oom", "/proc/self/oom_score_adj");
    sched_getparam(0, &sp);
    printf("sched: policy %d priority %d nice %d ioprio %ld\n", sched_getscheduler(0), sp.sched_priority,
           getpriority(PRIO_PROCESS, 0), syscall(SYS_ioprio_get, 1, 0));
    printf("personality: %lx\n", syscall(SYS_personality, 0xffffffff));
    printf("dumpable: %d\n", prctl(PR_GET_DUMPABLE));
    printf("pdeathsig: %d\n", prctl(PR_GET_PDEATHSIG, (int *)name) < 0 ? -1 : *(int *)name);
    printf("securebits: %x\n", (unsigned)prctl(PR_GET_SECUREBITS));
    printf("thp: %d\n", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    file_text("attr", "/proc/self/attr/current");
    file_text("uid_map", "/proc/self/uid_map");
    file_text("gid_map", "/proc/self/gid_map");
    file_text("setgroups", "/proc/self/setgroups");
    file_text("timens", "/proc/self/timens_offsets");
    file_text("sysctl.ping", "/proc/sys/net/ipv4/ping_group_range");
    file_text("sysctl.shmmax", "/proc/sys/kernel/shmmax");
    file_text("sysctl.msgmax", "/proc/sys/fs/mqueue/msg_max");
    file_text("sysctl.forward", "/proc/sys/net/ipv4/ip_forward");
    printf("keyring: %s\n", syscall(SYS_keyctl, 0, -3, 0) < 0 ? strerrorname_np(errno) : "there");
}

static void mounts(void)
{
    char buf[8192];
    FILE *f = fopen("/proc/self/mountinfo", "re");

    while (f && fgets(buf, sizeof buf, f))
        printf("mountinfo: %s", buf);
    if (f)
        fclose(f);
    else
        line("mountinfo", strerrorname_np(errno));
    f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(buf, sizeof buf, f))
        printf("cgroup: %s", buf);
    if (f)
        fclose(f);
}

int main(int argc, char **argv)
{
    static const char *const paths[] = { "/proc/kcore",
                                         "/proc/keys",
                                         "/proc/timer_list",
                                         "/proc/sys/kernel/hostname",
                                         "/proc/sysrq-trigger",
                                         "/proc/acpi",
                                         "/proc/scsi",
                                         "/sys/firmware",
                                         "/proc/bus",
                                         "/proc/irq",
                                         "/sys/fs/cgroup",
                                         "/sys",
                                         "/proc/sys",
                                         "/masked",
                                         "/masked-dir",
                                         "/readonly",
                                         "/readonly-dir",
                                         "/made",
                                         "/made/deep",
                                         "/vol",
                                         "/vol/file",
                                         "/",
                                         "/tmp",
                                         "/run",
                                         "/dev/shm",
                                         "/dev/mqueue" };
    char buf[256];
    int status_out = 0;

    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (int i = 0; i < argc; i++)
        printf("arg.%d: %s\n", i, argv[i]);
    for (char **e = environ; *e; e++)
        printf("env: %s\n", *e);
    status();
    limits();
    descriptors();
    terminal();
    misc();
    namespaces();
    mounts();
    node("/dev");
    directory("/dev");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        access_to(paths[i]);
        node(paths[i]);
    }
    filter();
    printf("END\n");
    fflush(stdout);
    while (fgets(buf, sizeof buf, stdin))
        if (sscanf(buf, "exit %d", &status_out) == 1)
            break;
    return status_out;
}
