/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For serve.c: a plan, and an init that the test plays over a socket, with processes that sleep in the place of A
 * and B. */
#ifndef WH_TESTS_SERVE_WORLD_H
#define WH_TESTS_SERVE_WORLD_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/proto.h"
#include "base/fd.h"
#include "host/facts.h"
#include "host/listener.h"
#include "host/proc.h"
#include "host/serve.h"
#include "plan/plan.h"
#include "tap.h"

/* Steps of the plan below. */
enum { S_CLONE_B = 1, S_LIMITS, S_HOOK, S_NETDEV, S_EXEC_CHECK, S_READY, S_WAIT, S_HOOK_C };

static const struct wh_plan *make_plan(struct wh_arena *a)
{
    struct wh_build *b = wh_build_new(a);
    const char *args[] = { "/bin/true" };
    const struct wh_plan *plan = NULL;
    struct wh_err err = { 0 };
    struct wh_step_ask_netdev *netdev;
    struct wh_step_exec_check *check;
    struct wh_step_exec *exec;

    wh_build_host_slot(b, WH_SLOT_LISTEN);
    wh_add(b, SIGNALS, signals, 0, 0);
    wh_add(b, CLONE_B, clone_b, 0, 0);
    wh_add(b, ASK_LIMITS, ask_limits, 0, 0);
    wh_add(b, ASK_HOOK, ask_hook, 0, 0)->kind = WH_HOOK_PRESTART;
    netdev = wh_add(b, ASK_NETDEV, ask_netdev, 0, 0);
    netdev->device = wh_build_str(b, "eth0");
    netdev->name = wh_build_str(b, "eth0");
    check = wh_add(b, EXEC_CHECK, exec_check, 0, 0);
    check->arg0 = wh_build_str(b, "/bin/true");
    check->candidates = wh_build_strv(b, args, 1);
    wh_add(b, READY, ready, 0, 0)->listen = WH_SLOT_LISTEN;
    wh_add(b, WAIT_START, wait_start, 0, 0)->listen = WH_SLOT_LISTEN;
    wh_add(b, ASK_HOOK, ask_hook, 0, 0)->kind = WH_HOOK_START_CONTAINER;
    exec = wh_add(b, EXEC, exec, 0, 0);
    exec->args = wh_build_strv(b, args, 1);
    exec->env = wh_build_strv(b, NULL, 0);
    if (wh_build_finish(b, &plan, &err) < 0)
        diag("plan: %s", err.msg);
    return plan;
}

struct world {
    const struct wh_plan *plan;
    int proc_fd, mbox_fd, ours, theirs;
    struct wh_mbox *mbox;
    struct wh_run run;
    pid_t a, b;
    struct wh_err err;
    unsigned limits, hooks;
    int limits_result, hook_result;
    bool hook_step; /* it was found in a plan */
};

static int on_limits(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct world *w = data;

    (void)ask;
    (void)ret_fd;
    w->limits++;
    return w->limits_result < 0 ? wh_err_sys(err, w->limits_result, "write 5 to pids.max") : 0;
}

static int on_hook(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct world *w = data;

    (void)ret_fd;
    w->hooks++;
    w->hook_step = ask->step != NULL;
    return w->hook_result < 0 ? wh_err_set(err, WH_ERR_HOST, w->hook_result, NULL, "error running a hook") : 0;
}

static const struct wh_serve_ops ops = { .limits = on_limits, .hook = on_hook };

static pid_t sleeper(int *pidfd)
{
    pid_t pid = (pid_t)syscall(SYS_fork);

    if (pid == 0) {
        /* It outlives nothing: a test that hangs is killed, and its log ends. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close_range(3, ~0u, 0);
        for (;;)
            pause();
    }
    *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return pid;
}

static void world_init(struct world *w, const struct wh_plan *plan)
{
    int pair[2];

    memset(w, 0, sizeof *w);
    w->plan = plan;
    w->proc_fd = wh_proc_open(&w->err);
    w->mbox_fd = memfd_create("mbox", MFD_CLOEXEC);
    if (ftruncate(w->mbox_fd, WH_MBOX_SIZE) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        bail_out("no socket pair");
    w->mbox = mmap(NULL, WH_MBOX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, w->mbox_fd, 0);
    w->ours = pair[0];
    w->theirs = pair[1];
    w->run = (struct wh_run){ .plan = plan,
                              .proc_fd = w->proc_fd,
                              .ctl = w->ours,
                              .mbox_fd = w->mbox_fd,
                              .cancel_fd = -1,
                              .pidfd_b = -1,
                              .ops = &ops,
                              .data = w };
    w->a = sleeper(&w->run.pidfd_a);
}

static void world_done(struct world *w)
{
    wh_close(w->run.pidfd_a);
    wh_close(w->run.pidfd_b);
    wh_close(w->proc_fd);
    wh_close(w->ours);
    wh_close(w->theirs);
    munmap(w->mbox, WH_MBOX_SIZE);
    wh_close(w->mbox_fd);
    if (w->b > 0 && syscall(SYS_kill, w->b, SIGKILL) == 0)
        syscall(SYS_wait4, w->b, NULL, __WALL, NULL);
}

static void say(struct world *w, uint16_t type, uint32_t step, int32_t val, int fd)
{
    struct wh_msg m = { .type = type, .nfds = fd >= 0, .step = step, .val = val };
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } c;
    struct iovec iov = { &m, sizeof m };
    struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        memset(&c, 0, sizeof c);
        mh.msg_control = &c;
        mh.msg_controllen = sizeof c;
        c.align.cmsg_len = CMSG_LEN(sizeof fd);
        c.align.cmsg_level = SOL_SOCKET;
        c.align.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&c.align), &fd, sizeof fd);
    }
    sendmsg(w->theirs, &mh, MSG_NOSIGNAL);
}

static void hello(struct world *w)
{
    say(w, WH_MSG_HELLO, 0, WH_ABI_VERSION, -1);
}

static void forked(struct world *w)
{
    int pidfd;

    w->b = sleeper(&pidfd);
    wh_close(pidfd);
    w->mbox->forked = w->b;
    say(w, WH_MSG_FORKED, S_CLONE_B, w->b, -1);
}

static int serve(struct world *w)
{
    alarm(20);
    return wh_serve_create(&w->run, NULL, &w->err);
}

/* What the protocol queued for init. */
static uint16_t heard(struct world *w)
{
    struct wh_msg m;

    return recv(w->theirs, &m, sizeof m, MSG_DONTWAIT) == sizeof m ? m.type : 0;
}

static bool gone(pid_t pid)
{
    return syscall(SYS_kill, pid, 0) < 0 && errno == ESRCH;
}

#endif
