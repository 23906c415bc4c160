/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "init/ini.h"

/*
 * --init: this process stays as the container's init and the payload is its child, for payloads that neither reap orphans nor
 * expect that signals without a handler are ignored, as the kernel does for init. The one place of wherry-init that has a child
 * after A.
 */

/* What the loop below needs, and nothing else: whoever takes this process over from the container gains nothing by it. */
static const struct wh_sock_filter four_calls[] = {
#ifdef WH_AUDIT_ARCH
    { WH_BPF_LD_ABS, 0, 0, WH_SECCOMP_DATA_ARCH },
    { WH_BPF_JEQ, 0, 5, WH_AUDIT_ARCH },
#endif
    { WH_BPF_LD_ABS, 0, 0, WH_SECCOMP_DATA_NR },
    { WH_BPF_JEQ, 4, 0, WH_NR_SIGTIMEDWAIT },
    { WH_BPF_JEQ, 3, 0, SYS_wait4 },
    { WH_BPF_JEQ, 2, 0, SYS_kill },
    { WH_BPF_JEQ, 1, 0, SYS_exit_group },
    { WH_BPF_RET, 0, 0, WH_SECCOMP_RET_KILL_PROCESS },
    { WH_BPF_RET, 0, 0, WH_SECCOMP_RET_ALLOW },
};

/* Less than the payload has, and nothing of the host: no fd, no plan with its environment, no mailbox. */
static long confine(struct ini *i, uint64_t keep)
{
    const struct wh_sock_fprog prog = { .len = sizeof(four_calls) / sizeof(four_calls[0]), .filter = four_calls };
    const struct wh_cap_header h = { .version = WH_CAP_VERSION };
    struct wh_cap_data d[2];
    size_t size = i->plan->size;
    unsigned int k;
    long r;

    sys_prctl(PR_SET_NAME, (unsigned long)"wherry:[init]", 0, 0);
    /* The payload may be a process of the same user. */
    r = sys_prctl(PR_SET_DUMPABLE, 0, 0, 0);
    if (r >= 0)
        r = sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0);
    /* stdio too: its readers wait for the payload's end of it, not for ours. */
    if (r >= 0)
        r = sys_close_range(0, ~0u, 0);
    if (r >= 0)
        r = sys_munmap(i->plan, size);
    if (r >= 0)
        r = sys_munmap(i->mbox, WH_MBOX_SIZE);
    for (k = 0; k < 2; k++) {
        d[k].effective = d[k].permitted = (unsigned int)(keep >> (32 * k));
        d[k].inheritable = 0;
    }
    if (r >= 0)
        r = sys_capset(&h, d);
    return r < 0 ? r : sys_seccomp(WH_SECCOMP_SET_MODE_FILTER, 0, &prog);
}

/* Everything that has ended; the payload's status, as a shell would give it, or -1 while it lives. */
static int reap(int payload)
{
    int status, ret = -1;
    long pid;

    while ((pid = sys_wait4(-1, &status, WNOHANG)) > 0 || pid == -EINTR)
        if (pid == payload)
            ret = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ret;
}

static _Noreturn void stay(struct ini *i, int payload, uint64_t keep)
{
    const uint64_t all = ~UINT64_C(0);
    int status = -1;

    /* The child says why in the mailbox. */
    if (__atomic_load_n((uint32_t *)&i->mbox->state, __ATOMIC_ACQUIRE) == WH_MBOX_FAILED)
        sys_exit_group(1);
    if (confine(i, keep) < 0) {
        sys_kill(payload, SIGKILL);
        sys_exit_group(128 + SIGKILL);
    }
    while (status < 0) {
        long sig = sys_sigtimedwait(&all);

        if (sig == SIGCHLD)
            status = reap(payload);
        else if (sig > 0)
            sys_kill(payload, (int)sig);
    }
    /* Ends what is left of the container, if this is the first process of its pid namespace. */
    sys_exit_group(status);
    __builtin_trap();
}

int op_be_init(struct ini *i, const struct wh_step_be_init *s)
{
    const uint64_t all = ~UINT64_C(0), none = 0;
    long pid, r;

    /* Before there is a child: a signal that comes from now on waits for the loop. One that is blocked is not thrown away, though
     * init has no handler for it. */
    r = sys_sigprocmask(SIG_SETMASK, &all);
    if (r < 0)
        return fail(i, SIGNAL, r);
    /* Where the pid namespace is not the container's own, orphans are left to us all the same. */
    r = sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0);
    if (r < 0)
        return fail(i, PRCTL, r);
    /* VFORK: we go on when the payload has been executed. FILES: until then the fd table is one, so that the host finds a seccomp
     * listener in this process, and learns from our closing of the connection that execve has worked. */
    pid = sys_clone(CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL);
    if (pid < 0)
        return fail(i, CLONE, pid);
    if (pid > 0)
        stay(i, (int)pid, s->keep);

    /* A group of its own: what it sends to its group is not for us, and what its terminal sends is for it. */
    r = sys_setpgid(0, 0);
    if (r < 0)
        return fail(i, SETPGID, r);
    if (s->foreground) {
        int group = (int)sys_getpid();

        r = sys_ioctl(0, TIOCSPGRP, &group);
        if (r < 0)
            return fail(i, IOCTL, r);
    }
    r = sys_sigprocmask(SIG_SETMASK, &none);
    return r < 0 ? fail(i, SIGNAL, r) : 0;
}
