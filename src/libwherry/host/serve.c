/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/serve.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/proto.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/listener.h"
#include "host/prio.h"
#include "host/proc.h"
#include "host/sigsys.h"
#include "host/state.h"
#include "host/waits.h"
#include "plan/plan.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* How long a process that closed its socket may take to be gone: the kernel closes the fds of a dying process before its
 * pidfd becomes readable. */
#define DYING_MS 2000

/* How long a created container may take to send its namespaces. Nothing but a start that came first keeps it. */
#define ENTER_MS 10000

/* How often the mailbox is looked at for a listener. The filter may forbid the process to wake us up. */
#define LISTENER_MS 1

/* How often it is looked at whether a process that says nothing gets on. */
#define LOOK_MS 250

struct inbox {
    struct wh_msg m;
    int fds[WH_ASK_MAX_FDS];
    unsigned nfds;
};

static void inbox_done(struct inbox *in)
{
    for (unsigned i = 0; i < in->nfds; i++)
        wh_close(in->fds[i]);
    in->nfds = 0;
}
#define CLEANUP_INBOX __attribute__((cleanup(inbox_done)))

/* 1 = a message, 0 = end of file, -EPROTO = not one of ours, -errno. fds are received whatever happens, and closed. */
static int receive(int ctl, struct inbox *in)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int) * WH_ASK_MAX_FDS)];
    } control;
    struct iovec iov = { &in->m, sizeof in->m };
    struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    bool foreign = false;
    ssize_t n;

    do
        n = recvmsg(ctl, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? 0 : -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            foreign = true;
            continue;
        }
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (in->nfds < WH_ASK_MAX_FDS)
                in->fds[in->nfds++] = fd;
            else {
                wh_close(fd);
                foreign = true;
            }
        }
    }
    if (n == 0 && in->nfds == 0)
        return 0;
    if (foreign || n != sizeof in->m || (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || in->m.nfds != in->nfds)
        return -EPROTO;
    return 1;
}

static int answer(int ctl, uint16_t type, uint32_t step, int32_t val, int fd)
{
    struct wh_msg m = { .type = type, .nfds = fd >= 0, .step = step, .val = val };
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { &m, sizeof m };
    struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof control);
        mh.msg_control = &control;
        mh.msg_controllen = sizeof control;
        c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    /* Never blocks: with strict alternation the queue is empty, unless the peer cheats. A peer that is gone is found by
     * the next receive, together with its reason. */
    return sendmsg(ctl, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE && errno != ECONNRESET ? -errno : 0;
}

/* For records: the step as `explain` prints it, or "" where nobody knows. */
static void step_text(const struct wh_run *r, uint32_t n, const char *steps, size_t steps_len, char *ret, size_t size)
{
    WH_CLEANUP_BUF struct wh_buf text = { 0 };

    ret[0] = '\0';
    if (r->plan && n < r->plan->nsteps) {
        wh_explain_step(r->plan, wh_plan_step(r->plan, n), WH_EXPLAIN_REDACT, &text);
        snprintf(ret, size, "%s", text.data && !text.failed ? text.data : "");
    } else if (steps) {
        wh_step_text(steps, steps_len, n, ret, size);
    }
}

/* One record for each step that init began. A step ends where the next one begins; the end of the last is not known. */
static void log_steps(const struct wh_run *r, const char *steps, size_t steps_len)
{
    uint32_t began[WH_MBOX_TIMES], last = WH_NO_STEP;
    uint64_t now;
    char text[512];

    if (!wh_log_on(WH_LOG_DEBUG) || !wh_mbox_times(r->mbox_fd, began, &now))
        return;
    for (uint32_t i = 0; i <= WH_MBOX_TIMES; i++) {
        uint64_t end = i < WH_MBOX_TIMES ? began[i] : now + 1;

        if (i < WH_MBOX_TIMES && !began[i])
            continue;
        if (last != WH_NO_STEP) {
            step_text(r, last, steps, steps_len, text, sizeof text);
            WH_DEBUG("step %u: %s: began after %u us, took %s%llu us", last, text, began[last] - 1,
                     i < WH_MBOX_TIMES ? "" : "at most ",
                     (unsigned long long)(end > began[last] ? end - began[last] : 0));
        }
        last = i;
    }
}

static const struct wh_step *step_at(const struct wh_run *r, uint32_t n)
{
    return r->plan && n < r->plan->nsteps ? wh_plan_step(r->plan, n) : NULL;
}

static int violation(struct wh_run *r, const struct inbox *in, struct wh_err *err)
{
    struct wh_mbox mbox;

    wh_mbox_read(r->mbox_fd, &mbox);
    r->failed_step = mbox.step;
    return wh_err_set(err, WH_ERR_PROTOCOL, -EPROTO, NULL,
                      "protocol error at step %u: wherry-init sent message %u (step %u) that has no place there",
                      mbox.step, in->m.type, in->m.step);
}

/* Why the process of the mailbox is gone. */
static int epitaph(struct wh_run *r, const struct wh_spec *spec, const char *steps, size_t steps_len,
                   const struct wh_exit *ex, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    const char *what = r->what ? r->what : "container init";
    const struct wh_step *step;
    struct wh_mbox mbox;

    wh_mbox_read(r->mbox_fd, &mbox);
    r->failed_step = mbox.step;
    if (mbox.state == WH_MBOX_FAILED) {
        struct wh_failure f = { .step = mbox.fail.step,
                                .site = mbox.fail.site,
                                .err = mbox.fail.err,
                                .detail = mbox.fail.detail[0] ? mbox.fail.detail : NULL };

        r->failed_step = f.step;
        if (r->plan)
            wh_render_failure(r->plan, spec, &f, err);
        else
            wh_render_failure_text(steps, steps_len, &f, err);
        if (err->code == 0)
            wh_err_set(err, WH_ERR_STEP, f.err > 0 && f.err < 4096 ? -f.err : -EIO, NULL, "step %u failed", f.step);
        return err->code;
    }
    step = step_at(r, mbox.step);
    if (step) {
        wh_buf_puts(&text, " (");
        wh_explain_step(r->plan, step, WH_EXPLAIN_REDACT, &text);
        wh_buf_puts(&text, ")");
    }
    if (ex && ex->signalled && ex->value == SIGSYS) {
        char call[80];

        wh_sigsys_text(r->pid_b, call, sizeof call);
        return wh_err_set(err, WH_ERR_STEP, -ECHILD, NULL, "%s was killed by signal %d (%s) during step %u%s", what,
                          ex->value, call, mbox.step, text.data ? text.data : "");
    }
    if (ex && ex->signalled) {
        wh_err_set(err, WH_ERR_STEP, -ECHILD, NULL, "%s was killed by signal %d during step %u%s", what, ex->value,
                   mbox.step, text.data ? text.data : "");
        err->killed = ex->value == SIGKILL;
        return err->code;
    }
    return wh_err_set(err, WH_ERR_STEP, -ECHILD, NULL, "%s ended during step %u%s without a reason", what, mbox.step,
                      text.data ? text.data : "");
}

/* err, if there is one: what it is that does not end. */
static int finish(struct wh_run *r, int *pidfd, struct wh_exit *ex, struct wh_err *err)
{
    int rc;

    if (*pidfd < 0)
        return 0;
    wh_pidfd_kill(*pidfd, SIGKILL);
    rc = wh_pidfd_reap_until(*pidfd, r->gone_by ? r->gone_by : wh_now_ms() + wh_waits.killed, ex);
    /* Not our child (start by another process): at least it is dead. Where waitid(2) failed for another reason, it
     * is reaped now. */
    if (rc < 0 && rc != -ETIMEDOUT && wh_pidfd_wait(*pidfd, DYING_MS) == 0)
        rc = wh_pidfd_reap(*pidfd, ex);
    if (rc == -ETIMEDOUT) {
        char what[160];
        int pid = wh_pidfd_pid(r->proc_fd, *pidfd);
        size_t len = err ? strlen(err->msg) : 0;

        r->left = true;
        wh_proc_waits(r->proc_fd, pid, what, sizeof what);
        if (err)
            snprintf(err->msg + len, sizeof err->msg - len,
                     "; process %d was killed, but has not ended within %d s: it is %s, and is left to its cgroup", pid,
                     wh_waits.killed / 1000, what);
    }
    wh_close(*pidfd);
    *pidfd = -1;
    return rc;
}

/* Our copy of init's end of the socket says end of file: it is dying, or it cheats by closing the socket and living on. */
static int ended(struct wh_run *r, const struct wh_spec *spec, struct wh_err *err)
{
    int *pidfd = r->pidfd_b >= 0 ? &r->pidfd_b : &r->pidfd_a;
    bool lives = wh_pidfd_wait(*pidfd, DYING_MS) < 0;
    struct wh_exit ex = { 0 };
    int rc;

    finish(r, pidfd, &ex, NULL);
    if (!lives)
        return epitaph(r, spec, NULL, 0, &ex, err);
    rc = wh_err_set(err, WH_ERR_PROTOCOL, -EPROTO, NULL, "protocol error: wherry-init closed its socket");
    return rc;
}

/* -ECHILD: it is no child of ours. A child's number stays its own until it is reaped. */
static int take_b(struct wh_run *r, pid_t pid)
{
    WH_CLEANUP_FD int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    siginfo_t si = { 0 };

    if (fd < 0)
        return pid <= 0 || errno == ESRCH || errno == EINVAL ? -ECHILD : -errno;
    if (waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
        return -errno;
    r->pid_b = pid;
    r->pidfd_b = wh_take_fd(&fd);
    return 0;
}

/* Whether B gets a limit of processes, which counts A, too, until that is reaped. */
static bool counts_processes(const struct wh_run *r)
{
    for (uint32_t i = 0; r->plan && i < r->plan->nsteps; i++) {
        const struct wh_step *s = step_at(r, i);

        if (s->op == WH_OP_RLIMIT && ((const struct wh_step_rlimit *)(const void *)s)->resource == RLIMIT_NPROC)
            return true;
    }
    return false;
}

static int on_forked(struct wh_run *r, struct inbox *in, struct wh_err *err)
{
    struct wh_mbox mbox = { 0 };
    int rc;

    if (r->pidfd_b >= 0 || in->nfds != 0)
        return violation(r, in, err);
    rc = wh_mbox_read(r->mbox_fd, &mbox);
    if (rc < 0)
        return wh_err_sys(err, rc, "read the mailbox of wherry-init");
    rc = in->m.val != mbox.forked ? -ECHILD : take_b(r, in->m.val);
    if (rc == -ECHILD)
        return violation(r, in, err);
    if (rc < 0)
        return wh_err_sys(err, rc, "look at the container's init");
    /* It is a child of ours: from here on it is killed and reaped with A. */
    rc = r->ops->forked ? r->ops->forked(r->data, r->pid_b, r->pidfd_b, err) : 0;
    if (rc < 0)
        return rc;
    if (counts_processes(r))
        finish(r, &r->pidfd_a, NULL, NULL);
    return answer(r->ctl, WH_MSG_GO, 0, 0, -1);
}

/* After the end of A, which may have cloned B without a word, or whose FORKED was not looked at. B waits for GO, or
 * is dead. */
static void take_unannounced(struct wh_run *r)
{
    struct wh_mbox mbox;

    /* Once more where the system was short of something: nothing else knows of B, and init of a pid namespace that B
     * is in does not end before B is reaped. */
    for (int i = 0; i < 2 && r->pidfd_b < 0; i++)
        if (wh_mbox_read(r->mbox_fd, &mbox) == 0 && take_b(r, mbox.forked) == 0)
            WH_INFO("killed process %d", (int)r->pid_b);
}

static int dispatch(const struct wh_run *r, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    const struct wh_serve_ops *o = r->ops;
    const struct {
        uint16_t op;
        int (*fn)(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err);
    } table[] = {
        { WH_OP_ASK_LIMITS, o->limits }, { WH_OP_ASK_IDMAP, o->idmap },   { WH_OP_ASK_MOUNT, o->mount },
        { WH_OP_ASK_HOOK, o->hook },     { WH_OP_ASK_PRIO, wh_prio_set }, { WH_OP_ASK_NETDEV, o->netdev },
        { WH_OP_ASK_DEVICE, o->device },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(table); i++)
        if (table[i].op == ask->step->op && table[i].fn)
            return table[i].fn(r->data, ask, ret_fd, err);
    return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, NULL, "step %u asks for what this host program cannot do",
                      ask->number);
}

/* Start by another process than create: there is no plan to look the step up in, but which one it must be is known. */
static int on_start_hook(struct wh_run *r, const struct inbox *in, struct wh_err *err)
{
    struct wh_ask ask = { .number = in->m.step, .pid = r->pid_b, .pidfd = r->pidfd_b, .cancel_fd = r->cancel_fd };
    WH_CLEANUP_FD int fd = -1;
    int rc;

    if (!r->hook_step || in->m.step != r->hook_step || !r->ops || !r->ops->hook)
        return violation(r, in, err);
    ask.fds = in->fds;
    ask.nfds = in->nfds;
    r->hook_step = 0;
    rc = r->ops->hook(r->data, &ask, &fd, err);
    WH_DEBUG("request of step %u (startContainer hooks): %s", ask.number, rc < 0 ? "refused" : "served");
    if (rc < 0)
        r->failed_step = ask.number;
    return rc < 0 ? (answer(r->ctl, WH_MSG_DENY, ask.number, -rc, -1), rc)
                  : answer(r->ctl, WH_MSG_OK, ask.number, 0, fd);
}

/* Whether the step is A's, that is before B is made: some may be of either. */
static bool of_a(const struct wh_run *r, uint32_t n)
{
    while (n > 0)
        if (step_at(r, --n)->op == WH_OP_CLONE_B)
            return false;
    return true;
}

static int on_ask(struct wh_run *r, const struct wh_spec *spec, const struct inbox *in, uint8_t phase,
                  struct wh_err *err)
{
    const struct wh_step *step = in->m.step >= r->next_ask ? step_at(r, in->m.step) : NULL;
    struct wh_ask ask;
    WH_CLEANUP_FD int fd = -1;
    int64_t began;
    int rc;

    if (!step || !(wh_opinfo(step->op)->flags & WH_OPF_ASK) || !(wh_opinfo(step->op)->phases & phase) ||
        of_a(r, in->m.step) != (phase == WH_PH_A) || (in->nfds > 0 && step->op != WH_OP_ASK_HOOK))
        return violation(r, in, err);
    r->next_ask = in->m.step + 1;
    if (phase != WH_PH_A)
        finish(r, &r->pidfd_a, NULL,
               NULL); /* has nothing to do since FORKED; so it counts against no pids.max any more */
    ask = (struct wh_ask){ .step = step,
                           .number = in->m.step,
                           .pidfd = phase == WH_PH_A ? r->pidfd_a : r->pidfd_b,
                           .cancel_fd = r->cancel_fd,
                           .fds = in->fds,
                           .nfds = in->nfds };
    ask.pid = phase == WH_PH_A ? wh_pidfd_pid(r->proc_fd, r->pidfd_a) : r->pid_b;
    began = wh_log_on(WH_LOG_DEBUG) ? wh_now_ms() : 0;
    rc = dispatch(r, &ask, &fd, err);
    if (wh_log_on(WH_LOG_DEBUG)) {
        char text[512];

        step_text(r, ask.number, NULL, 0, text, sizeof text);
        WH_DEBUG("request of step %u (%s): %s after %lld ms", ask.number, text, rc < 0 ? "refused" : "served",
                 (long long)(wh_now_ms() - began));
    }
    if (rc < 0) {
        r->failed_step = ask.number;
        answer(r->ctl, WH_MSG_DENY, ask.number, -rc, -1);
        if (err->code == 0)
            wh_err_sys(err, rc, "step %u", ask.number);
        /* A hook's message names it by kind and number. */
        if (spec && step->src && err->path[0] == '\0' && step->op != WH_OP_ASK_HOOK)
            wh_spec_where(spec, step->src, err->path, sizeof err->path);
        return rc;
    }
    return answer(r->ctl, WH_MSG_OK, ask.number, 0, fd);
}

/* One message before READY. 1 = READY, 0 = go on, -errno. */
static int on_message(struct wh_run *r, const struct wh_spec *spec, bool exec, bool *greeted, struct inbox *in,
                      struct wh_err *err)
{
    if (!*greeted) {
        if (in->m.type != WH_MSG_HELLO || in->nfds > 0)
            return violation(r, in, err);
        if (in->m.val != (int32_t)WH_ABI_VERSION)
            return wh_err_set(err, WH_ERR_PROTOCOL, -EPROTO, NULL, "wherry-init speaks version %d, not %u", in->m.val,
                              WH_ABI_VERSION);
        *greeted = true;
        return answer(r->ctl, WH_MSG_GO, 0, 0, -1);
    }
    if (in->m.type == WH_MSG_ASK)
        /* Without READY nothing is between B and C. */
        return on_ask(r, spec, in, r->pidfd_b < 0 ? WH_PH_A : exec ? WH_PH_B | WH_PH_C : WH_PH_B, err);
    if (in->m.type == WH_MSG_FORKED)
        return on_forked(r, in, err);
    if (in->m.type == WH_MSG_READY && !exec && r->pidfd_b >= 0 && in->nfds == 0) {
        const struct wh_step *step = step_at(r, in->m.step);

        if (step && step->op == WH_OP_READY)
            return 1;
    }
    return violation(r, in, err);
}

/* The process has loaded its filter, told where the listener is, and waits for our word. */
static int hand_over(struct wh_run *r, struct wh_err *err)
{
    struct wh_mbox mbox;
    int32_t ack;
    int rc;

    if (r->pidfd_b < 0 || wh_mbox_read(r->mbox_fd, &mbox) < 0 || mbox.notify_fd <= 0)
        return 0;
    rc = wh_listener_send(r->listener, r->proc_fd, r->pidfd_b, r->pid_b, mbox.notify_fd, r->cancel_fd, err);
    /* Gone: the pidfd tells, and the mailbox knows why. */
    if (rc == -ESRCH && err->code == 0)
        return 0;
    ack = rc < 0 ? -1 : 1;
    if (pwrite(r->mbox_fd, &ack, sizeof ack, offsetof(struct wh_mbox, ack)) != sizeof ack && rc == 0)
        rc = wh_err_sys(err, errno ? -errno : -EIO, "answer in the mailbox");
    if (rc < 0) {
        r->failed_step = mbox.step;
        /* Its own exit may be one of the calls that wait for somebody. */
        wh_pidfd_kill(r->pidfd_b, SIGKILL);
    }
    return rc;
}

/* What a process that says nothing has been seen at. */
struct silence {
    int64_t began, moved, look; /* when it began, when the process last got on, when to look again */
    uint64_t progress;
    uint32_t step;
};

static int stuck(struct wh_run *r, pid_t pid, int64_t now, const struct silence *q, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    const struct wh_step *step = step_at(r, q->step);
    bool late = r->until && now >= r->until;
    char what[160];

    if (step) {
        wh_buf_puts(&text, " (");
        wh_explain_step(r->plan, step, WH_EXPLAIN_REDACT, &text);
        wh_buf_puts(&text, ")");
    }
    wh_proc_waits(r->proc_fd, pid, what, sizeof what);
    r->failed_step = q->step;
    if (late)
        return wh_err_set(err, WH_ERR_STEP, -ETIMEDOUT, NULL, "%s was not executed within %d s: it is %s, in step %u%s",
                          r->what ? r->what : "the process", wh_waits.exec / 1000, what, q->step,
                          text.data ? text.data : "");
    return wh_err_set(err, WH_ERR_STEP, -ETIMEDOUT, NULL, "%s has been %s for %d s, in step %u%s",
                      r->what ? r->what : "container init", what, wh_waits.still / 1000, q->step,
                      text.data ? text.data : "");
}

/* Nothing was to be received. 0: it is waited on. */
static int look(struct wh_run *r, struct silence *q, struct wh_err *err)
{
    int64_t now = wh_now_ms();
    struct wh_mbox mbox = { .step = q->step };
    uint64_t progress;
    pid_t pid;
    int rc = 0;

    if (now < q->look)
        return 0;
    q->look = now + LOOK_MS;
    if (r->ops && r->ops->still && now - q->began >= wh_waits.frozen) {
        rc = r->ops->still(r->data, err);
        if (rc < 0)
            return rc;
    }
    pid = r->pidfd_b >= 0 ? r->pid_b : wh_pidfd_pid(r->proc_fd, r->pidfd_a);
    wh_mbox_read(r->mbox_fd, &mbox);
    progress = wh_proc_progress(r->proc_fd, pid);
    if (rc == 1 || progress != q->progress || mbox.step != q->step)
        q->moved = now;
    if (rc == 1 && r->until)
        r->until = now + wh_waits.exec;
    q->progress = progress;
    q->step = mbox.step;
    return now - q->moved >= wh_waits.still || (r->until && now >= r->until) ? stuck(r, pid, now, q, err) : 0;
}

/* Waits for the socket, the process and the caller. 0 = something to receive, 1 = the process ended and the socket is drained,
 * -ECANCELED, -ETIMEDOUT, -errno. */
static int await(struct wh_run *r, struct wh_err *err)
{
    struct pollfd p[3] = { { .fd = r->ctl, .events = POLLIN },
                           { .fd = r->pidfd_b >= 0 ? r->pidfd_b : r->pidfd_a, .events = POLLIN },
                           { .fd = r->cancel_fd, .events = POLLIN } };
    int64_t now = wh_now_ms();
    struct silence q = { .began = now, .moved = now, .look = now + LOOK_MS };

    for (;;) {
        bool expected = r->listener && r->listener->sock >= 0;
        int n = poll(p, r->cancel_fd >= 0 ? 3 : 2, expected ? LISTENER_MS : LOOK_MS), rc;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return wh_err_sys(err, -errno, "poll");
        rc = expected ? hand_over(r, err) : 0;
        if (rc == 0 && n == 0)
            rc = look(r, &q, err);
        if (rc < 0)
            return rc;
        if (n == 0)
            continue;
        if (r->cancel_fd >= 0 && p[2].revents)
            return wh_err_set(err, WH_ERR_HOST, -ECANCELED, NULL, "canceled");
        return p[0].revents ? 0 : 1;
    }
}

/* `exec`: to the execve, else to READY. */
static int serve(struct wh_run *r, const struct wh_spec *spec, bool exec, struct wh_err *err)
{
    struct wh_mbox mbox;
    bool greeted = false;

    for (;;) {
        CLEANUP_INBOX struct inbox in = { .nfds = 0 };
        int rc = await(r, err);

        if (rc < 0)
            return rc;
        rc = rc == 1 ? 0 : receive(r->ctl, &in);
        if (rc == -EAGAIN)
            continue;
        /* The end of the socket alone is no success: whoever dies closes it, too. */
        if (rc == 0 && exec && r->pidfd_b >= 0 && wh_mbox_read(r->mbox_fd, &mbox) == 0 && mbox.state == WH_MBOX_EXEC)
            return 0;
        if (rc == 0)
            return ended(r, spec, err);
        if (rc == -EPROTO)
            return violation(r, &in, err);
        if (rc < 0)
            return wh_err_sys(err, rc, "receive from wherry-init");
        rc = on_message(r, spec, exec, &greeted, &in, err);
        if (rc < 0)
            return err->code ? rc : wh_err_sys(err, rc, "answer wherry-init");
        if (rc == 1)
            return 0;
    }
}

static int serve_spawn(struct wh_run *r, const struct wh_spec *spec, bool exec, struct wh_err *err)
{
    int rc;

    r->failed_step = WH_NO_STEP;
    r->until = exec ? wh_now_ms() + wh_waits.exec : 0;
    rc = serve(r, spec, exec, err);
    log_steps(r, NULL, 0);
    if (rc < 0 && !r->gone_by)
        r->gone_by = wh_now_ms() + wh_waits.killed;
    /* Both at once: the kernel frees them side by side. */
    if (rc < 0 && r->pidfd_b >= 0) {
        WH_INFO("killed process %d", (int)r->pid_b);
        wh_pidfd_kill(r->pidfd_b, SIGKILL);
    }
    finish(r, &r->pidfd_a, NULL, rc < 0 ? err : NULL);
    /* One that is known has been dealt with; when it has been reaped its number may be another child's. */
    if (rc < 0 && r->pid_b == 0)
        take_unannounced(r);
    if (rc < 0)
        finish(r, &r->pidfd_b, NULL, r->left ? NULL : err);
    return rc;
}

int wh_serve_create(struct wh_run *r, const struct wh_spec *spec, struct wh_err *err)
{
    return serve_spawn(r, spec, false, err);
}

int wh_serve_commit(struct wh_run *r, struct wh_err *err)
{
    int rc = answer(r->ctl, WH_MSG_COMMIT, 0, 0, -1);

    return rc < 0 ? wh_err_sys(err, rc, "tell the container that it is created") : 0;
}

int wh_serve_exec(struct wh_run *r, const struct wh_spec *spec, struct wh_err *err)
{
    return serve_spawn(r, spec, true, err);
}

int wh_serve_start(struct wh_run *r, const struct wh_spec *spec, const char *steps, size_t steps_len,
                   struct wh_err *err)
{
    struct wh_exit ex = { 0 };
    struct wh_mbox mbox;
    int rc;

    r->failed_step = WH_NO_STEP;
    /* What create answered is not asked again. */
    for (uint32_t i = 0; r->plan && i < r->plan->nsteps; i++)
        if (step_at(r, i)->op == WH_OP_WAIT_START)
            r->next_ask = i + 1;
    if (wh_log_on(WH_LOG_DEBUG))
        wh_mbox_time(r->mbox_fd);
    rc = answer(r->ctl, WH_MSG_START, 0, 0, -1);
    if (rc < 0)
        return wh_err_sys(err, rc, "tell the container to start");
    for (;;) {
        CLEANUP_INBOX struct inbox in = { .nfds = 0 };

        rc = await(r, err);
        /* It was let go already: what was given up must not run later. */
        if (rc == -ETIMEDOUT)
            wh_pidfd_kill(r->pidfd_b, SIGKILL);
        if (rc < 0)
            return rc;
        rc = rc == 1 ? 0 : receive(r->ctl, &in);
        if (rc == -EAGAIN)
            continue;
        if (rc == 0)
            break;
        if (rc == 1 && in.m.type == WH_MSG_ASK && r->plan)
            rc = on_ask(r, spec, &in, WH_PH_C, err);
        else if (rc == 1 && in.m.type == WH_MSG_ASK)
            rc = on_start_hook(r, &in, err);
        else
            rc = violation(r, &in, err);
        if (rc < 0) {
            wh_pidfd_kill(r->pidfd_b, SIGKILL);
            /* Who refuses says why; what is left is an answer that could not be sent. */
            return wh_err_sys(err, rc, "answer wherry-init");
        }
    }
    log_steps(r, steps, steps_len);
    if (wh_mbox_read(r->mbox_fd, &mbox) == 0 && mbox.state == WH_MBOX_EXEC)
        return 0;
    /* End of file without execve: it failed, or was killed. It alone is left to reap by whoever is its parent. */
    if (wh_pidfd_wait(r->pidfd_b, DYING_MS) < 0)
        wh_pidfd_kill(r->pidfd_b, SIGKILL);
    else {
        siginfo_t si = { 0 };

        if (waitid((idtype_t)P_PIDFD, (id_t)r->pidfd_b, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
            si.si_pid > 0)
            ex = (struct wh_exit){ .signalled = si.si_code != CLD_EXITED, .value = si.si_status };
    }
    return epitaph(r, spec, steps, steps_len, &ex, err);
}

int wh_serve_enter(int ctl, int pidfd, int cancel_fd, int ret_fds[WH_ASK_MAX_FDS], unsigned *ret_n, struct wh_err *err)
{
    CLEANUP_INBOX struct inbox in = { .nfds = 0 };
    struct pollfd p[3] = { { .fd = ctl, .events = POLLIN },
                           { .fd = pidfd, .events = POLLIN },
                           { .fd = cancel_fd, .events = POLLIN } };
    int64_t end = wh_now_ms() + ENTER_MS, now;
    int n = 0, rc = answer(ctl, WH_MSG_ENTER, 0, 0, -1);

    if (rc < 0)
        return wh_err_sys(err, rc, "ask the created container for its namespaces");
    while ((now = wh_now_ms()) < end && (n = poll(p, 3, (int)(end - now))) < 0 && errno == EINTR)
        ;
    if (n < 0)
        return wh_err_sys(err, -errno, "poll");
    if (p[2].revents)
        return wh_err_set(err, WH_ERR_HOST, -ECANCELED, NULL, "canceled");
    if (n == 0)
        return wh_err_set(err, WH_ERR_STATE, -ETIMEDOUT, NULL,
                          "the created container does not answer: it is being started");
    rc = p[0].revents ? receive(ctl, &in) : 0;
    /* Started, or ended, meanwhile. */
    if (rc == 0)
        return -ECONNRESET;
    if (rc > 0 && in.m.type == WH_MSG_OK && in.nfds == 0)
        return wh_err_set(
            err, WH_ERR_STATE, -EPERM, NULL,
            "enter the namespaces of a created container: operation not permitted: whoever created it had "
            "CAP_SYS_PTRACE, which this process lacks: start it first");
    if (rc < 0 || in.m.type != WH_MSG_OK)
        return wh_err_set(err, WH_ERR_PROTOCOL, -EPROTO, NULL, "protocol error: the created container sent message %u",
                          in.m.type);
    memcpy(ret_fds, in.fds, sizeof in.fds);
    *ret_n = in.nfds;
    in.nfds = 0;
    return 0;
}
