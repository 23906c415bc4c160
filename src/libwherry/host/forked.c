/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/forked.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "host/proc.h"
#include "host/waits.h"

#define UNKNOWN INT_MIN

struct shared {
    atomic_uint go;
    volatile int result;
    _Alignas(16) char arg[];
};

static void close_all_but(int keep)
{
    /* A sandbox that hides the call leaves them open until this process ends, which is soon. */
    if (keep > 0)
        syscall(SYS_close_range, 0, keep - 1, 0);
    syscall(SYS_close_range, keep + 1, ~0u, 0);
}

/* The address space of the caller counts, too. Where /proc does not tell its size there is no limit but the
 * deadline. */
static void limit_memory(void)
{
    char text[128];
    uint64_t pages;
    ssize_t n = wh_read_at(AT_FDCWD, "/proc/self/statm", text, sizeof text - 1);
    struct rlimit limit;

    if (n <= 0)
        return;
    text[n] = '\0';
    text[strcspn(text, " \n")] = '\0';
    if (wh_parse_u64(text, UINT64_MAX / 65536, &pages) < 0 || getrlimit(RLIMIT_AS, &limit) < 0)
        return;
    pages = pages * (uint64_t)sysconf(_SC_PAGESIZE) + WH_FORKED_MEMORY;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > pages) {
        limit.rlim_cur = pages;
        setrlimit(RLIMIT_AS, &limit);
    }
}

_Noreturn static void child(struct shared *s, int (*fn)(void *arg), int keep, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* Only a process that exists can be opened, and one whose parent ignores SIGCHLD is gone as soon as it has
     * ended. */
    while (!atomic_load(&s->go) && getppid() == parent)
        syscall(SYS_futex, &s->go, FUTEX_WAIT, 0, NULL, NULL, 0);
    if (getppid() != parent)
        _exit(1);
    limit_memory();
    close_all_but(keep);
    s->result = fn(s->arg);
    _exit(0);
}

/* How it ended: it is reaped, and what it said is in its memory. */
static int attend(const struct shared *s, int pidfd, int ms, int cancel_fd)
{
    int r = wh_wait_fd(pidfd, POLLIN, cancel_fd, wh_now_ms() + ms);

    if (r < 0)
        wh_pidfd_kill(pidfd, SIGKILL);
    /* -ECHILD: another thread of the caller reaps whatever there is. */
    wh_pidfd_reap(pidfd, NULL);
    return s->result != UNKNOWN ? s->result : r < 0 ? r : -ECHILD;
}

static int fork_and_attend(struct shared *s, int (*fn)(void *arg), int keep, int ms, int cancel_fd)
{
    WH_CLEANUP_FD int pidfd = -1;
    unsigned long all = ~0ul, before;
    pid_t parent = getpid(), pid;
    int r;

    /* No handler of the caller's runs in the copy. */
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, 8);
    pid = fork();
    if (pid == 0)
        child(s, fn, keep, parent);
    r = pid < 0 ? -errno : 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
    if (r < 0)
        return r;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        r = -errno;
        /* It waits for us: its number is its own. */
        syscall(SYS_kill, pid, SIGKILL);
        syscall(SYS_wait4, pid, NULL, 0, NULL);
        return r;
    }
    atomic_store(&s->go, 1);
    syscall(SYS_futex, &s->go, FUTEX_WAKE, 1, NULL, NULL, 0);
    return attend(s, pidfd, ms, cancel_fd);
}

int wh_forked(int (*fn)(void *arg), void *arg, size_t arg_size, int keep, int ms, int cancel_fd)
{
    size_t size = sizeof(struct shared) + arg_size;
    struct shared *s = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int r;

    if (s == MAP_FAILED)
        return -errno;
    s->result = UNKNOWN;
    memcpy(s->arg, arg, arg_size);
    r = fork_and_attend(s, fn, keep, ms, cancel_fd);
    memcpy(arg, s->arg, arg_size);
    munmap(s, size);
    return r;
}
