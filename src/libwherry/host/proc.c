/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/waits.h"

#define WH_PID_FS_MAGIC 0x50494446
#define WH_TMPFS_MAGIC 0x01021994

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int wh_proc_open(struct wh_err *err)
{
    WH_CLEANUP_FD int fd = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct statfs sfs;
    struct stat st;
    char self[16], pid[16];
    ssize_t n;

    if (fd < 0)
        return wh_err_sys(err, -errno, "open /proc");
    if (fstatfs(fd, &sfs) < 0 || fstat(fd, &st) < 0)
        return wh_err_sys(err, -errno, "stat /proc");
    if (sfs.f_type != WH_PROC_MAGIC || st.st_ino != WH_PROC_ROOT_INO)
        return wh_err_set(err, WH_ERR_HOST, -ENODEV, NULL, "/proc is not the root of a proc file system");
    /* `unshare -p` without --mount-proc: every pid that we look up there would be another process's. */
    n = readlinkat(fd, "self", self, sizeof self - 1);
    /* ENOENT: we are not in it. */
    if (n < 0 && errno != ENOENT)
        return wh_err_sys(err, -errno, "read /proc/self");
    self[n > 0 ? n : 0] = '\0';
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (!wh_streq(self, pid))
        return wh_err_set(err, WH_ERR_HOST, -ENODEV, NULL,
                          "/proc shows another pid namespace than the caller's: mount a proc file system there first "
                          "(unshare --mount-proc)");
    return wh_take_fd(&fd);
}

/* The fields of a process behind its name, from the third on. */
static int stat_fields(int proc_fd, pid_t pid, char *buf, size_t size, char **ret)
{
    char path[32], *p;
    ssize_t n;

    if (pid <= 0)
        return -ESRCH;
    snprintf(path, sizeof path, "%d/stat", (int)pid);
    n = wh_read_at(proc_fd, path, buf, size - 1);
    if (n < 0)
        return n == -ENOENT ? -ESRCH : (int)n;
    /* The name, field 2, may hold blanks and brackets: count from the last closing one. */
    p = strrchr(buf, ')');
    if (!p || p[1] != ' ' || !p[2])
        return -EIO;
    *ret = p + 2;
    return 0;
}

/* From the third field to another one; -1 without it, or where it is no number. */
static int64_t stat_number(const char *p, int field)
{
    uint64_t v;

    for (int at = 3; at < field; at++) {
        p = strchr(p, ' ');
        if (!p)
            return -1;
        p++;
    }
    return wh_parse_u64_front(p, INT64_MAX, &v) < 0 ? -1 : (int64_t)v;
}

int wh_proc_stat(int proc_fd, pid_t pid, struct wh_proc_stat *ret)
{
    char buf[1024], *p;
    int64_t start;
    int r = stat_fields(proc_fd, pid, buf, sizeof buf, &p);

    if (r < 0)
        return r;
    ret->state = *p;
    start = stat_number(p, 22);
    ret->start = (uint64_t)start;
    return start < 0 ? -EIO : 0;
}

/* struct pidfd_info of the first version, which is what libc headers lack (Linux 6.13; exit_code since 6.15). */
struct pidfd_info {
    uint64_t mask, cgroupid;
    uint32_t ids[11];
    int32_t exit_code;
};
#define PIDFD_INFO_EXITED (UINT64_C(1) << 3)
#define PIDFD_INFO_IOCTL _IOWR(0xff, 11, struct pidfd_info)

static int exit_of_reaped(int pidfd, int *ret)
{
    struct pidfd_info info = { .mask = PIDFD_INFO_EXITED };

    if (ioctl(pidfd, PIDFD_INFO_IOCTL, &info) < 0)
        return -ENODATA;
    if (!(info.mask & PIDFD_INFO_EXITED))
        return -EAGAIN;
    *ret = info.exit_code;
    return 0;
}

static int exit_of_zombie(int proc_fd, pid_t pid, uint64_t start, int *ret)
{
    char buf[1024], io[32], text[512], *p;
    int64_t code;

    if (stat_fields(proc_fd, pid, buf, sizeof buf, &p) < 0 || *p != 'Z' || stat_number(p, 22) != (int64_t)start)
        return -ENODATA;
    code = stat_number(p, 52);
    /* Whoever may not trace it reads 0, and may not read this file (proc(5)). */
    snprintf(io, sizeof io, "%d/io", (int)pid);
    if (code < 0 || (code == 0 && wh_read_at(proc_fd, io, text, sizeof text - 1) < 0))
        return -ENODATA;
    *ret = (int)code;
    return 0;
}

int wh_pidfd_exit(int proc_fd, int pidfd, pid_t pid, uint64_t start, struct wh_exit *ret)
{
    int code, r = -EAGAIN;

    /* In between it is neither, for a moment. */
    for (int tries = 0; r == -EAGAIN && tries < 50; tries++) {
        if (tries > 0)
            poll(NULL, 0, 2);
        r = exit_of_zombie(proc_fd, pid, start, &code);
        if (r < 0)
            r = exit_of_reaped(pidfd, &code);
    }
    if (r < 0)
        return -ENODATA;
    *ret = (struct wh_exit){ .signalled = WIFSIGNALED(code),
                             .value = WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code) };
    return 0;
}

int wh_proc_ns_ino(int proc_fd, const char *link, uint64_t *ret)
{
    struct stat st;

    if (fstatat(proc_fd, link, &st, 0) < 0)
        return -errno;
    *ret = st.st_ino;
    return 0;
}

static int boot_id(int proc_fd, char buf[WH_BOOT_ID_SIZE])
{
    ssize_t n = wh_read_at(proc_fd, "sys/kernel/random/boot_id", buf, WH_BOOT_ID_SIZE - 1);

    if (n < 0)
        return (int)n;
    buf[strcspn(buf, "\n")] = '\0';
    return 0;
}

int wh_proc_boot_id(int proc_fd, int dir_fd, char buf[WH_BOOT_ID_SIZE])
{
    int r = boot_id(proc_fd, buf);
    struct statfs sfs;

    if (r == -ENOENT && fstatfs(dir_fd, &sfs) == 0 && sfs.f_type == WH_TMPFS_MAGIC) {
        buf[0] = '\0';
        return 0;
    }
    return r;
}

int wh_proc_this_boot(int proc_fd, const char *id)
{
    char now[WH_BOOT_ID_SIZE];
    int r;

    if (id && !*id)
        return 1;
    r = boot_id(proc_fd, now);
    return r < 0 ? r : wh_streq(now, id);
}

int wh_pidfd_pid(int proc_fd, int pidfd)
{
    char path[48], buf[1024], *p;
    uint64_t pid;
    ssize_t n;

    snprintf(path, sizeof path, "self/fdinfo/%d", pidfd);
    n = wh_read_at(proc_fd, path, buf, sizeof buf - 1);
    if (n < 0)
        return (int)n;
    p = strstr(buf, "\nPid:\t");
    if (!p)
        return -EINVAL;
    p += 6;
    /* -1: it has been reaped; 0: it is in no pid namespace of ours. */
    return wh_parse_u64_front(p, INT32_MAX, &pid) < 0 || pid == 0 ? -ESRCH : (int)pid;
}

/* Since Linux 6.9 each process has an inode in a file system of their own, with a number that is not used again. */
static int pidfd_ino(int pidfd, uint64_t *ret)
{
    struct statfs sfs;
    struct stat st;

    *ret = 0;
    if (fstatfs(pidfd, &sfs) < 0 || fstat(pidfd, &st) < 0)
        return -errno;
    if (sfs.f_type == WH_PID_FS_MAGIC)
        *ret = st.st_ino;
    return 0;
}

/* No such directory in /proc: it is gone, or it is hidden from us. */
static int gone_or_hidden(int pidfd)
{
    return wh_pidfd_kill(pidfd, 0) == -ESRCH ? -ESRCH : -EACCES;
}

int wh_identity(int proc_fd, int pidfd, pid_t pid, struct wh_identity *ret)
{
    struct wh_proc_stat st = { 0 };
    uint64_t ino;
    int r;

    /* What cannot be asked for is left out: the time of the start says it, too. */
    pidfd_ino(pidfd, &ino);
    r = wh_proc_stat(proc_fd, pid, &st);
    if (r == -ESRCH && ino == 0)
        return gone_or_hidden(pidfd);
    if (r < 0 && ino == 0)
        return r;
    *ret = (struct wh_identity){ .start = r == 0 ? st.start : 0, .ino = ino };
    return 0;
}

int wh_identity_err(struct wh_err *err, int r, pid_t pid)
{
    if (r == -EACCES)
        return wh_err_set(
            err, WH_ERR_HOST, r, NULL,
            "/proc hides process %d (its mount option hidepid=), and this kernel has no other identity of "
            "a process (Linux 6.9 has): mount it without, or become a member of the group of its option gid=",
            (int)pid);
    if (r == -ENOENT)
        return wh_err_set(
            err, WH_ERR_HOST, r, NULL,
            "/proc does not tell which boot this is (its mount option subset=pid): mount it without, or have "
            "the state directory (--root) on a tmpfs from the beginning");
    return pid ? wh_err_sys(err, r, "open process %d", (int)pid) : wh_err_sys(err, r, "find this host's identity");
}

int wh_pidfd_open(int proc_fd, pid_t pid, const struct wh_identity *id)
{
    WH_CLEANUP_FD int fd = -1;
    struct wh_proc_stat st;
    uint64_t ino;
    int r;

    if (pid <= 0)
        return -ESRCH;
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return errno == EINVAL ? -ESRCH : -errno;
    /* After the open: from here on the number cannot be given to another process without our noticing. */
    if (id->ino) {
        r = pidfd_ino(fd, &ino);
        /* Not knowing is not "gone": the state of a container that runs would be deleted. */
        if (r < 0)
            return r;
        return ino == id->ino ? wh_take_fd(&fd) : -ESRCH;
    }
    r = wh_proc_stat(proc_fd, pid, &st);
    if (r < 0)
        return r == -ESRCH ? gone_or_hidden(fd) : r;
    return st.start == id->start ? wh_take_fd(&fd) : -ESRCH;
}

int wh_pidfd_kill(int pidfd, int sig)
{
    return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int64_t wh_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int wh_pidfd_wait(int pidfd, int ms)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };
    int64_t end = ms < 0 ? 0 : wh_now_ms() + ms;

    for (;;) {
        int r = poll(&p, 1, ms);

        if (r > 0)
            return p.revents & POLLNVAL ? -EBADF : 0;
        if (r < 0 && errno != EINTR)
            return -errno;
        if (r == 0 && ms >= 0)
            return -ETIMEDOUT;
        if (ms >= 0) {
            int64_t left = end - wh_now_ms();

            if (left <= 0)
                return -ETIMEDOUT;
            ms = (int)left;
        }
    }
}

uint64_t wh_proc_progress(int proc_fd, pid_t pid)
{
    char path[32], text[4096], *p;
    uint64_t v = 0;

    snprintf(path, sizeof path, "%d/status", (int)pid);
    /* Its last two lines: voluntary_ctxt_switches and nonvoluntary_ctxt_switches. */
    if (pid <= 0 || wh_read_at(proc_fd, path, text, sizeof text - 1) < 0)
        return 0;
    for (p = strstr(text, "voluntary_ctxt_switches:"); p && *p; p++)
        if (*p >= '0' && *p <= '9')
            v = v * 31 + (uint64_t)*p;
    return v;
}

void wh_proc_waits(int proc_fd, pid_t pid, char *buf, size_t size)
{
    static const struct {
        const char *symbol, *words;
    } places[] = {
        { "request_wait_answer", "waiting for a FUSE file system" },
        { "fuse_", "waiting for a FUSE file system" },
        { "rpc_wait_bit_killable", "waiting for an NFS server" },
        { "do_freezer_trap", "in a frozen cgroup" },
        { "__refrigerator", "in a frozen cgroup" },
        { "seccomp_do_user_notification", "waiting for a seccomp agent" },
    };
    WH_CLEANUP_FD int own = proc_fd < 0 ? wh_proc_open(NULL) : -1;
    struct wh_proc_stat st = { 0 };
    char path[32], where[128];

    proc_fd = proc_fd < 0 ? own : proc_fd;
    snprintf(buf, size, "waiting in the kernel");
    if (wh_proc_stat(proc_fd, pid, &st) < 0)
        return;
    snprintf(path, sizeof path, "%d/wchan", (int)pid);
    if (wh_read_at(proc_fd, path, where, sizeof where - 1) <= 0)
        where[0] = '\0';
    for (size_t i = 0; i < WH_ELEMENTSOF(places); i++)
        if (wh_startswith(where, places[i].symbol)) {
            snprintf(buf, size, "%s", places[i].words);
            return;
        }
    if (st.state == 'T')
        snprintf(buf, size, "stopped by a signal (SIGCONT lets it go on)");
    else if (st.state == 't')
        snprintf(buf, size, "stopped by a process that traces it");
    /* "0": it runs, or we may not know. */
    else if (where[0] && !wh_streq(where, "0"))
        snprintf(buf, size, "waiting in the kernel (%s)", where);
}

int wh_pidfd_reap_until(int pidfd, int64_t end, struct wh_exit *ret)
{
    siginfo_t si;

    for (;;) {
        memset(&si, 0, sizeof si);
        if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG | __WALL) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (si.si_pid != 0)
            break;
        /* It lives, or it has ended and a process beside it that traces it does not let it go (ptrace(2)): that may be one of the container's,
         * which would keep a blocking call here for as long as it likes. */
        if (wh_pidfd_wait(pidfd, 0) == -ETIMEDOUT) {
            int64_t left = end - wh_now_ms();
            int r = left > 0 ? wh_pidfd_wait(pidfd, (int)left) : -ETIMEDOUT;

            if (r < 0)
                return r;
            continue;
        }
        /* A debugger takes the end of a process within a moment. */
        if (wh_now_ms() >= end)
            return -EBUSY;
        else
            poll(NULL, 0, 10);
    }
    if (ret)
        *ret = (struct wh_exit){ .signalled = si.si_code != CLD_EXITED, .value = si.si_status };
    return 0;
}

int wh_pidfd_reap(int pidfd, struct wh_exit *ret)
{
    return wh_pidfd_reap_until(pidfd, wh_now_ms() + wh_waits.killed, ret);
}

bool wh_signal_ignored(int sig)
{
    /* The kernel's struct sigaction begins with the handler; the rest has room for any machine's. */
    uintptr_t old[32] = { (uintptr_t)SIG_DFL };

    return syscall(SYS_rt_sigaction, sig, NULL, old, 8) == 0 && old[0] == (uintptr_t)SIG_IGN;
}
