/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "host/proc.h"
#include "host/waits.h"

#define STACK_SIZE (64u * 1024u)

#define UNKNOWN INT_MIN

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif

struct job {
    int (*fn)(void *arg);
    void *arg;
    pid_t parent;
    volatile int result;
};

/* On a stack of its own in our memory, with every signal blocked. errno is this thread's, which sleeps meanwhile. It is left in the middle of a
 * frame when it is killed, hence no AddressSanitizer. */
__attribute__((no_sanitize("address"))) static int job_main(void *arg)
{
    struct job *j = arg;

    /* What ends us with a signal must not leave it behind. */
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (syscall(SYS_getppid) == j->parent)
        j->result = j->fn(j->arg);
    return 0;
}

static int attend(const struct job *j, int pidfd, int cancel_fd, bool *ret_lost)
{
    int64_t end = wh_now_ms() + wh_waits.file;
    int r = wh_wait_fd(pidfd, POLLIN, cancel_fd, end);

    /* A wait that failed says nothing of it; and what is killed may have opened a descriptor that is not known here. */
    if (r < 0 && r != -ETIMEDOUT && r != -ECANCELED)
        r = wh_wait_fd(pidfd, POLLIN, cancel_fd, end);
    if (r < 0)
        wh_pidfd_kill(pidfd, SIGKILL);
    *ret_lost = wh_pidfd_wait(pidfd, wh_waits.killed) < 0;
    if (!*ret_lost)
        wh_pidfd_reap(pidfd, NULL);
    return *ret_lost || j->result == UNKNOWN ? r : j->result;
}

int wh_apart(int (*fn)(void *arg), void *arg, size_t arg_size, int cancel_fd)
{
    size_t size = STACK_SIZE + sizeof(struct job) + arg_size;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    struct job *j = (void *)(memory + STACK_SIZE);
    WH_CLEANUP_FD int pidfd = -1;
    unsigned long all = ~0ul, before;
    bool lost = false;
    int r;

    if (memory == MAP_FAILED)
        return -errno;
    *j = (struct job){ .fn = fn, .arg = j + 1, .parent = getpid(), .result = UNKNOWN };
    memcpy(j->arg, arg, arg_size);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, 8);
    r = clone(job_main, memory + STACK_SIZE, CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_PIDFD, j, &pidfd);
    r = r < 0 ? -errno : 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
    if (r == 0)
        r = attend(j, pidfd, cancel_fd, &lost);
    /* One that SIGKILL does not end may still write there. */
    if (lost)
        return r;
    memcpy(arg, j->arg, arg_size);
    munmap(memory, size);
    return r;
}

struct opening {
    int dir_fd, flags;
    bool slow;
    const char *path;
    mode_t mode;
};

static int open_plainly(void *arg)
{
    const struct opening *o = arg;
    int fd = (int)syscall(SYS_openat, o->dir_fd, o->path, o->flags, o->mode);

    return fd < 0 ? -errno : fd;
}

int wh_apart_open(int dir_fd, const char *path, int flags, mode_t mode, int cancel_fd)
{
    struct opening o = { .dir_fd = dir_fd,
                         .flags = flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY | O_NONBLOCK),
                         .path = path,
                         .mode = mode };
    struct open_how how = { .flags = (unsigned)o.flags, .resolve = RESOLVE_CACHED };
    long fd = flags & O_PATH ? syscall(SYS_openat2, dir_fd, path, &how, sizeof how) : -1;

    return fd >= 0 ? (int)fd : wh_apart(open_plainly, &o, sizeof o, cancel_fd);
}

/* Whose file system keeps nobody waiting for a server. */
static bool is_fast(int fd)
{
    static const unsigned fast[] = { 0x01021994 /* tmpfs */, 0x794c7630 /* overlay */, 0xef53 /* ext4 */,
                                     0x58465342 /* XFS */,   0x9123683e /* btrfs */,   0x858458f6 /* ramfs */ };
    struct statfs fs;

    if (syscall(SYS_fstatfs, fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < WH_ELEMENTSOF(fast); i++)
        if ((unsigned)fs.f_type == fast[i])
            return true;
    return false;
}

static int open_file(void *arg)
{
    struct opening *o = arg;
    int fd = open_plainly(arg);

    o->slow = fd < 0 || !is_fast(fd);
    return fd;
}

int wh_apart_open_file(int dir_fd, const char *path, int flags, int cancel_fd, bool *ret_slow)
{
    struct opening o = { .dir_fd = dir_fd,
                         .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags,
                         .path = path };
    int fd = wh_apart(open_file, &o, sizeof o, cancel_fd);

    *ret_slow = o.slow;
    return fd;
}

struct reading {
    int fd;
    unsigned size;
    char buf[16384];
};

static int read_plainly(void *arg)
{
    struct reading *a = arg;
    long n = syscall(SYS_read, a->fd, a->buf, a->size);

    return n < 0 ? -errno : (int)n;
}

ssize_t wh_apart_read(int fd, void *buf, size_t size, int cancel_fd)
{
    struct reading a = { .fd = fd };
    int n;

    a.size = (unsigned)(size < sizeof a.buf ? size : sizeof a.buf);
    n = wh_apart(read_plainly, &a, sizeof a, cancel_fd);
    if (n > 0)
        memcpy(buf, a.buf, (size_t)n);
    return n;
}

struct replacing {
    const char *path, *text;
    size_t len;
    mode_t mode;
};

static int replace_plainly(void *arg)
{
    const struct replacing *a = arg;

    return wh_replace_at(AT_FDCWD, a->path, a->text, a->len, a->mode);
}

int wh_apart_replace(const char *path, const char *text, size_t len, mode_t mode, int cancel_fd)
{
    struct replacing a = { path, text, len, mode };

    /* Always: which file system it is, statfs(2) asks its server. */
    return wh_apart(replace_plainly, &a, sizeof a, cancel_fd);
}
