/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/proc.h"
#include "host/waits.h"

/* Enough for the calls below with a stack protector; never touched by the program that is exec'd. */
#define STACK_SIZE (16u * 1024u)

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

enum child_step { STEP_NONE, STEP_CPUS, STEP_CGROUP, STEP_SESSION, STEP_SIGNALS, STEP_FDS, STEP_CWD, STEP_EXEC };

static const char *const step_words[] = { "",
                                          "set the CPU affinity of",
                                          "join the cgroup of",
                                          "setsid for",
                                          "reset signals of",
                                          "set up fds of",
                                          "change directory for",
                                          "execute" };

struct child {
    const struct wh_spawn *s;
    int null_fd, self_procs; /* self_procs: where clone3 could not place it */
    /* Written by the child, in our memory: no pipe is needed to learn why it did not exec. */
    volatile int step, err;
    /* The kernel clears it and wakes us when the child leaves our memory, by execve or exit (set_tid_address(2)). At the far end of the child's
     * stack, which stays as long as the child may. */
    _Atomic uint32_t *here;
};

/* What runs on the child's stack leaves it by execve, in the middle of a frame: AddressSanitizer would keep it poisoned, for whatever is mapped
 * there next. */
#define ON_CHILD_STACK __attribute__((no_sanitize("address")))

ON_CHILD_STACK static void child_fail(struct child *c, enum child_step step)
{
    c->err = errno;
    c->step = step;
}

/* Moves what the program gets to its place. Sources are first copied above all targets, so that no dup2 overwrites one. */
ON_CHILD_STACK static bool child_fds(struct child *c)
{
    const struct wh_spawn *s = c->s;
    int base = 3 + (int)s->keep, above = base + (int)s->nfds + 1;
    int high[WH_SPAWN_MAX_FDS], std[3], exec_fd = -1;

    for (unsigned i = 0; i < s->nfds; i++) {
        high[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, above);
        if (high[i] < 0)
            return false;
    }
    for (int i = 0; i < 3; i++) {
        int from = s->stdio[i] == WH_SPAWN_NULL ? c->null_fd : s->stdio[i];

        std[i] = s->stdio[i] == -1 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, above);
        if (s->stdio[i] != -1 && std[i] < 0)
            return false;
    }
    if (s->exec_fd >= 0) {
        exec_fd = fcntl(s->exec_fd, F_DUPFD_CLOEXEC, above);
        if (exec_fd < 0)
            return false;
    }
    for (int i = 0; i < 3; i++)
        if (std[i] >= 0 && dup2(std[i], i) < 0)
            return false;
    for (int fd = 0; fd < base; fd++)
        if (fcntl(fd, F_SETFD, 0) < 0)
            return false;
    for (unsigned i = 0; i < s->nfds; i++)
        if (dup2(high[i], base + (int)i) < 0)
            return false;
    /* The program itself is the one fd above, and goes with execve: it has close-on-exec. */
    if (exec_fd >= 0 && dup3(exec_fd, above - 1, O_CLOEXEC) < 0)
        return false;
    return syscall(SYS_close_range, exec_fd >= 0 ? above : above - 1, ~0u, 0) == 0;
}

/* Handlers are code of the caller, in memory that we share: they must be gone before any signal is let through. */
ON_CHILD_STACK static bool child_signals(void)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        unsigned long mask[2];
    } dfl;
    unsigned long none[2] = { 0, 0 };

    memset(&dfl, 0, sizeof dfl);
    for (int sig = 1; sig < 65; sig++)
        if (sig != SIGKILL && sig != SIGSTOP)
            syscall(SYS_rt_sigaction, sig, &dfl, NULL, 8);
    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, 8) == 0;
}

/* Runs on its own stack in our memory. System calls only; errno is this thread's, which sleeps until we exec or exit. */
ON_CHILD_STACK static int child_main(void *arg)
{
    struct child *c = arg;
    const struct wh_spawn *s = c->s;

    if (s->cpus_len && syscall(SYS_sched_setaffinity, 0, s->cpus_len, s->cpus) < 0) {
        child_fail(c, STEP_CPUS);
        return 127;
    }
    if (c->self_procs >= 0 && write(c->self_procs, "0", 1) != 1) {
        child_fail(c, STEP_CGROUP);
        return 127;
    }
    if (s->session && syscall(SYS_setsid) < 0)
        child_fail(c, STEP_SESSION);
    else if (s->cwd_fd >= 0 && syscall(SYS_fchdir, s->cwd_fd) < 0)
        child_fail(c, STEP_CWD);
    else if (!child_fds(c))
        child_fail(c, STEP_FDS);
    else if (s->reset_signals && !child_signals())
        child_fail(c, STEP_SIGNALS);
    else {
        if (s->exec_fd >= 0)
            syscall(SYS_execveat, 3 + (int)s->keep + (int)s->nfds, "", s->argv, s->envp, AT_EMPTY_PATH);
        else
            syscall(SYS_execve, s->path, s->argv, s->envp);
        child_fail(c, STEP_EXEC);
    }
    return 127;
}

/*
 * clone3(2) with a stack of its own: the C library has no wrapper, because the child returns on a stack without a frame to
 * return to. So the child never returns: it calls fn and exits. -ENOSYS where this is not written.
 */
static long raw_clone3(struct wh_clone_args *args, int (*fn)(void *), void *arg)
{
#if defined(__x86_64__)
    long ret;
    register int (*r8)(void *) __asm__("r8") = fn;
    register void *r9 __asm__("r9") = arg;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r9, %%rdi\n\t"
                     "call *%%r8\n\t"
                     "mov %%eax, %%edi\n\t"
                     "mov %[exit], %%eax\n\t"
                     "syscall\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(ret)
                     : "a"(SYS_clone3), "D"(args), "S"(sizeof *args), "r"(r8), "r"(r9), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory", "cc");
    return ret;
#elif defined(__aarch64__)
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = (long)sizeof *args;
    register long x8 __asm__("x8") = SYS_clone3;
    register int (*x9)(void *) __asm__("x9") = fn;
    register void *x10 __asm__("x10") = arg;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, x10\n\t"
                     "blr x9\n\t"
                     "mov x8, %[exit]\n\t"
                     "svc #0\n\t"
                     "brk #1\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x1), "r"(x8), "r"(x9), "r"(x10), [exit] "i"(SYS_exit)
                     : "memory", "cc");
    return x0;
#else
    (void)args;
    (void)fn;
    (void)arg;
    return -ENOSYS;
#endif
}

static long spawn_clone(struct child *c, char *stack, int *pidfd)
{
    struct wh_clone_args args = {
        /* Not CLONE_VFORK: nothing but SIGKILL ends that wait, and a frozen cgroup or a mute file system makes it one for ever. */
        .flags = CLONE_VM | CLONE_CHILD_CLEARTID | CLONE_PIDFD,
        .child_tid = (unsigned long long)(uintptr_t)c->here,
        .pidfd = (unsigned long long)(uintptr_t)pidfd,
        .stack = (unsigned long long)(uintptr_t)stack,
        .stack_size = STACK_SIZE,
    };
    int cgroup_fd = c->s->cgroup_fd;
    long r;

    if (cgroup_fd >= 0 && c->s->cpus_len == 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned long long)cgroup_fd;
    }
    r = cgroup_fd >= 0 && c->s->cpus_len > 0 ? -ENOSYS : raw_clone3(&args, child_main, c);
    if (r != -ENOSYS && r != -EPERM)
        return r;
    /*
     * An outer sandbox hides clone3, whose flags a filter cannot read (EPERM is what old container engines answer), or
     * the code above is not written for this machine. clone() cannot place the child in a cgroup, and this thread sleeps
     * until the child execs: the child moves itself, before anything else.
     */
    if (cgroup_fd >= 0) {
        c->self_procs = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (c->self_procs < 0)
            return -errno;
    }
    r = clone(child_main, stack + STACK_SIZE, (int)(args.flags & ~CLONE_INTO_CGROUP), c, pidfd, NULL, (void *)c->here);
    if (r < 0)
        r = -errno;
    wh_close(c->self_procs);
    return r;
}

/* True as well when nobody can tell, of a process that was born in a cgroup. */
static bool is_frozen(int cgroup_fd)
{
    char text[256];

    return cgroup_fd >= 0 &&
           (wh_read_at(cgroup_fd, "cgroup.events", text, sizeof text - 1) < 0 || strstr(text, "frozen 1"));
}

/* 0 when the child has left our memory; else why not, and it is dead, or *ret_lost. */
static int leave(struct child *c, pid_t pid, int pidfd, bool *ret_lost, struct wh_err *err)
{
    const struct wh_spawn *s = c->s;
    struct pollfd cancel = { .fd = s->cancel_fd, .events = POLLIN };
    /* A memfd has no file system that could be mute. */
    int limit = s->exec_fd >= 0 ? wh_waits.still : wh_waits.file;
    int64_t began = wh_now_ms(), passed = 0;
    char what[160];
    int r = 0;

    while (r == 0 && atomic_load(c->here) != 0) {
        /* Not FUTEX_PRIVATE: that is not how the kernel wakes. Errors are looked at by looking again. */
        syscall(SYS_futex, c->here, FUTEX_WAIT, 1, &(struct timespec){ .tv_nsec = 50000000 }, NULL, 0);
        passed = wh_now_ms() - began;
        if (passed >= limit || (passed >= wh_waits.frozen && is_frozen(s->cgroup_fd)))
            r = -ETIMEDOUT;
        else if (s->cancel_fd >= 0 && poll(&cancel, 1, 0) > 0)
            r = -ECANCELED;
    }
    if (atomic_load(c->here) == 0)
        return 0;
    wh_proc_waits(-1, pid, what, sizeof what);
    if (r == -ECANCELED)
        wh_err_set(err, WH_ERR_HOST, r, NULL, "canceled");
    else if (passed < limit)
        wh_err_set(err, WH_ERR_HOST, r, NULL, "%s was not executed within %d s: its cgroup is frozen", s->what,
                   wh_waits.frozen / 1000);
    else
        wh_err_set(err, WH_ERR_HOST, r, NULL, "%s was not executed within %d s: it is %s", s->what, limit / 1000, what);
    /* The freezer of cgroup2 lets go of what is killed. */
    wh_pidfd_kill(pidfd, SIGKILL);
    *ret_lost = wh_pidfd_wait(pidfd, wh_waits.killed) < 0;
    if (!*ret_lost)
        wh_pidfd_reap(pidfd, NULL);
    return r;
}

static int open_null(struct wh_err *err)
{
    WH_CLEANUP_FD int fd = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return wh_err_sys(err, -errno, "open /dev/null");
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return wh_err_set(err, WH_ERR_HOST, -ENODEV, NULL, "/dev/null is not the null device");
    return wh_take_fd(&fd);
}

int wh_spawn_find(const char *path, const char *tool, int cancel_fd)
{
    char file[4096];

    for (const char *p = path ? path : ""; *p;) {
        size_t len = strcspn(p, ":");
        int n = snprintf(file, sizeof file, "%.*s/%s", (int)len, p, tool);

        /* A relative entry means the caller's working directory: never for a program that is set-id, or that root runs. */
        if (len > 0 && *p == '/' && n < (int)sizeof file) {
            WH_CLEANUP_FD int fd = wh_apart_open(AT_FDCWD, file, O_PATH, 0, cancel_fd);
            struct stat st;

            /* What comes first in $PATH must not be passed over because it is slow today. */
            if (fd == -ETIMEDOUT || fd == -ECANCELED)
                return fd;
            if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
                return wh_take_fd(&fd);
        }
        p += len + (p[len] == ':');
    }
    return -ENOENT;
}

void wh_spawn_init(struct wh_spawn *s, const char *what)
{
    *s = (struct wh_spawn){
        .what = what, .exec_fd = -1, .stdio = { -1, -1, -1 }, .cgroup_fd = -1, .cwd_fd = -1, .cancel_fd = -1
    };
}

int wh_spawn(const struct wh_spawn *s, int *ret_pidfd, pid_t *ret_pid, struct wh_err *err)
{
    struct child c = { .s = s, .null_fd = -1, .self_procs = -1 };
    bool lost = false;
    int gone = 0;
    WH_CLEANUP_FD int null_fd = -1, pidfd = -1;
    unsigned long all = ~0ul, before;
    char *stack;
    long r;

    for (int i = 0; i < 3 && null_fd < 0; i++)
        if (s->stdio[i] == WH_SPAWN_NULL) {
            c.null_fd = null_fd = open_null(err);
            if (null_fd < 0)
                return null_fd;
        }
    stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return wh_err_sys(err, -errno, "allocate a stack for %s", s->what);
    c.here = (void *)stack;
    atomic_store(c.here, 1);
    /* By system call: the C library's sigfillset leaves out its own signals, whose handlers would run in the child too. */
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, 8);
    r = spawn_clone(&c, stack, &pidfd);
    /* The child keeps its own mask; a signal that ends this process must not wait for it. */
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
    if (r >= 0)
        gone = leave(&c, (pid_t)r, pidfd, &lost, err);
    /* Of one that lives still, whatever holds it, that is all there is to stand on. */
    if (!lost)
        munmap(stack, STACK_SIZE);
    if (gone < 0)
        return gone;
    /* Whoever moves a process needs rights over the cgroup that has both ends below it (cgroup-v2.rst, "Delegation
     * Containment"). */
    if (r == -EACCES && s->cgroup_fd >= 0)
        return wh_err_set(
            err, WH_ERR_HOST, -EACCES, NULL,
            "create a process for %s in its cgroup: permission denied (the caller's own cgroup is outside of "
            "what is delegated: start it in a cgroup there, as systemd-run --user --scope does)",
            s->what);
    if (r < 0)
        return wh_err_sys(err, (int)r, "create a process for %s", s->what);
    if (c.step != STEP_NONE) {
        wh_pidfd_reap(pidfd, NULL);
        return wh_err_sys(err, -c.err, "%s %s", step_words[c.step], s->what);
    }
    if (ret_pid)
        *ret_pid = (pid_t)r;
    *ret_pidfd = wh_take_fd(&pidfd);
    return 0;
}

/*
 * Runs beside us in our memory, on a stack of its own and with every signal blocked. errno is not its own: none of these calls
 * fails or returns early. There is no other way: a map is written by a process outside of the namespace while one is inside, and
 * a fork or an exec would cost more than all else that an id-mapped mount takes.
 */
ON_CHILD_STACK static int holder_main(void *arg)
{
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* The parent that it should die with may be gone already. */
    while (syscall(SYS_getppid) == (long)(intptr_t)arg)
        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
    return 0;
}

int wh_spawn_holder(struct wh_holder *ret, struct wh_err *err)
{
    struct wh_clone_args args = { .flags = CLONE_VM | CLONE_PIDFD | CLONE_NEWUSER, .stack_size = STACK_SIZE };
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    void *self = (void *)(intptr_t)getpid();
    unsigned long all = ~0ul, before;
    int pidfd = -1;
    long r;

    if (stack == MAP_FAILED)
        return wh_err_sys(err, -errno, "allocate a stack for a user namespace");
    args.pidfd = (unsigned long long)(uintptr_t)&pidfd;
    args.stack = (unsigned long long)(uintptr_t)stack;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, 8);
    r = raw_clone3(&args, holder_main, self);
    /* As in spawn_clone(): a sandbox may hide clone3. A refusal of the namespace itself comes again. */
    if (r == -ENOSYS || r == -EPERM) {
        r = clone(holder_main, stack + STACK_SIZE, CLONE_VM | CLONE_PIDFD | CLONE_NEWUSER, self, &pidfd);
        if (r < 0)
            r = -errno;
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
    if (r < 0) {
        munmap(stack, STACK_SIZE);
        return wh_err_sys(err, (int)r, "make a user namespace for an id-mapped mount%s",
                          r == -ENOSPC ? " (user.max_user_namespaces)" : "");
    }
    *ret = (struct wh_holder){ .pid = (pid_t)r, .pidfd = pidfd, .stack = stack };
    return 0;
}

void wh_holder_done(struct wh_holder *h)
{
    /* It ends by nothing else: a sandbox that hides the call must not make us wait for ever. Nobody but us can have reaped it while it lives, so the
     * number is still its own. */
    if (wh_pidfd_kill(h->pidfd, SIGKILL) < 0)
        syscall(SYS_kill, h->pid, SIGKILL);
    /* Whoever reaped it: it is dead then, and its stack free. If that cannot be known, the stack stays. */
    if (wh_pidfd_wait(h->pidfd, wh_waits.killed) == 0)
        munmap(h->stack, STACK_SIZE);
    wh_pidfd_reap(h->pidfd, NULL);
    wh_close(h->pidfd);
}
