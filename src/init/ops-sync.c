/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <poll.h>
#include <signal.h>

#include "init/ini.h"

/* The init side of abi/proto.h. Messages carry numbers only; one fd at most travels with each that is received. */

int ini_send_fds(int fd, uint16_t type, uint32_t step, int32_t val, const int *fds, unsigned int n)
{
    struct wh_msg m = { .type = type, .nfds = (uint16_t)n, .step = step, .val = val };
    struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(WH_NS_FDS * sizeof(int))];
    } c;
    struct msghdr h;
    long r;

    memset(&h, 0, sizeof(h));
    h.msg_iov = &iov;
    h.msg_iovlen = 1;
    if (n) {
        memset(&c, 0, sizeof(c));
        c.h.cmsg_len = CMSG_LEN(n * sizeof(int));
        c.h.cmsg_level = SOL_SOCKET;
        c.h.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&c.h), fds, n * sizeof(int));
        h.msg_control = &c;
        h.msg_controllen = CMSG_SPACE(n * sizeof(int));
    }
    do
        r = sys_sendmsg(fd, &h, MSG_NOSIGNAL);
    while (r == -EINTR);
    return r < 0 ? (int)r : r == sizeof(m) ? 0 : -EPROTO;
}

int ini_recv(int fd, struct wh_msg *ret, int *ret_fd)
{
    struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } c;
    struct msghdr h;
    CLEAN_FD got = -1;
    long r;

    memset(&h, 0, sizeof(h));
    memset(&c, 0, sizeof(c));
    h.msg_iov = &iov;
    h.msg_iovlen = 1;
    h.msg_control = &c;
    h.msg_controllen = sizeof(c);
    do
        r = sys_recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
    while (r == -EINTR);
    if (r < 0)
        return (int)r;
    if (h.msg_controllen >= sizeof(struct cmsghdr) && c.h.cmsg_level == SOL_SOCKET && c.h.cmsg_type == SCM_RIGHTS &&
        c.h.cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&got, CMSG_DATA(&c.h), sizeof(int));
    if (r == 0)
        return -ECONNRESET;
    if (r != sizeof(*ret) || h.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || ret->nfds != (got >= 0) || (got >= 0 && !ret_fd))
        return -EPROTO;
    if (ret_fd)
        *ret_fd = take_fd(&got);
    return 0;
}

/* What recvmsg would do now, without waiting and without taking the message. */
static long ini_silent(int fd)
{
    struct wh_msg m;
    struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
    struct msghdr h;
    long r;

    memset(&h, 0, sizeof(h));
    h.msg_iov = &iov;
    h.msg_iovlen = 1;
    do
        r = sys_recvmsg(fd, &h, MSG_PEEK | MSG_DONTWAIT);
    while (r == -EINTR);
    return r;
}

static int send_question(struct ini *i, const int *fds, unsigned int n)
{
    int r = ini_send_fds(i->ctl, WH_MSG_ASK, i->nr, 0, fds, n);

    return r < 0 ? fail(i, SENDMSG, r) : 0;
}

static int take_answer(struct ini *i, int *ret_fd)
{
    CLEAN_FD fd = -1;
    struct wh_msg m;
    int r;

    r = ini_recv(i->ctl, &m, &fd);
    if (r < 0)
        return ini_fail(i, r == -EPROTO || r == -ECONNRESET ? WH_SITE_PROTOCOL : WH_SITE_RECVMSG, r);
    if (m.step == i->nr && m.type == WH_MSG_DENY && m.val > 0 && m.val < 4096 && fd < 0)
        return fail(i, DENIED, -m.val);
    if (m.step != i->nr || m.type != WH_MSG_OK || (fd >= 0) != !!ret_fd)
        return fail(i, PROTOCOL, -EPROTO);
    if (ret_fd)
        *ret_fd = take_fd(&fd);
    return 0;
}

int ini_ask(struct ini *i, int *ret_fd)
{
    int r = send_question(i, NULL, 0);

    return r < 0 ? r : take_answer(i, ret_fd);
}

int op_ask_prio(struct ini *i, const struct wh_step_ask_prio *s)
{
    (void)s;
    return ini_ask(i, NULL);
}

long ini_close_others(int first, const int *keep, unsigned int n)
{
    for (;;) {
        int next = -1;
        unsigned int k;
        long r = 0;

        for (k = 0; k < n; k++)
            if (keep[k] >= first && (next < 0 || keep[k] < next))
                next = keep[k];
        if (next != first)
            r = sys_close_range((unsigned int)first, next < 0 ? ~0u : (unsigned int)next - 1, 0);
        if (r < 0 || next < 0)
            return r;
        first = next + 1;
    }
}

int op_ready(struct ini *i, const struct wh_step_ready *s)
{
    const uint64_t all = ~UINT64_C(0);
    int keep[1 + WH_NS_FDS];
    wh_slot k;
    long r;

    /* Before the host can say that the container is created: from then on signals are sent, and WAIT_START looks for them. The first process of
     * a pid namespace is sent none that it neither blocks nor has a handler for. */
    r = sys_sigprocmask(SIG_SETMASK, &all);
    if (r < 0)
        return fail(i, SIGNAL, r);

    /* Everything but stdio, the preserved fds, the two sockets and OPEN_NS's own goes before the host can say that the container is
     * created. The control socket stays open until the host commits (WAIT_START). */
    keep[0] = i->slot[s->listen];
    memcpy(keep + 1, i->ns, i->nns * sizeof(int));
    r = ini_close_others(i->base + 1, keep, 1 + i->nns);
    if (r < 0)
        return fail(i, CLOSE_RANGE, r);
    for (k = 0; k < WH_SLOTS; k++)
        i->slot[k] = k == s->listen ? keep[0] : -1;

    ini_state(i, WH_MBOX_READY);
    r = ini_send(i->ctl, WH_MSG_READY, i->nr, 0, -1);
    return r < 0 ? fail(i, SENDMSG, r) : 0;
}

int op_host_alive(struct ini *i, const struct wh_step_host_alive *s)
{
    long r;

    (void)s;
    /* There is nothing to read: end of file, or silence. */
    r = ini_silent(i->ctl);
    return r == -EAGAIN ? 0 : fail(i, PROTOCOL, r < 0 ? r : r == 0 ? -ECONNRESET : -EPROTO);
}

/* What ends an init of runc's that waits for start. It ignores the others, whose default action would end a process outside of a pid namespace
 * of its own. */
#define BIT(sig) (UINT64_C(1) << ((sig)-1))
#define ENDING                                                                                                         \
    (BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGTERM) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) |             \
     BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGSEGV) | BIT(SIGSYS) | ENDING_STKFLT)
#ifdef SIGSTKFLT
#define ENDING_STKFLT BIT(SIGSTKFLT)
#else
#define ENDING_STKFLT 0
#endif

static void take_signals(int signals)
{
    struct wh_signalfd_siginfo si;
    const uint64_t none = 0;

    while (sys_read(signals, &si, sizeof(si)) == sizeof(si)) {
        if (si.signo < 1 || si.signo > 64 || !(ENDING & BIT(si.signo)))
            continue;
        /* By the signal, for who reads the status; that does not end the first process of a pid namespace. */
        sys_kill((int)sys_getpid(), (int)si.signo);
        sys_sigprocmask(SIG_SETMASK, &none);
        sys_exit_group(128 + (int)si.signo);
    }
}

/* Until there is something to read, or a connection to accept. */
static int wait_for(struct ini *i, int signals, int fd)
{
    struct pollfd p[2] = { { .fd = signals, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

    for (;;) {
        long r = sys_ppoll(p, 2);

        if (r == -EINTR)
            continue;
        if (r < 0)
            return fail(i, POLL, r);
        if (p[0].revents)
            take_signals(signals);
        else if (p[1].revents)
            return 0;
    }
}

/* True when the container is to start: *ret_fd is the connection then. */
static int answer(struct ini *i, const struct wh_step_wait_start *s, int signals, int *ret_fd)
{
    CLEAN_FD fd = -1;
    struct wh_msg m;
    int r = wait_for(i, signals, i->slot[s->listen]);

    if (r < 0)
        return r;
    fd = (int)sys_accept4(i->slot[s->listen], SOCK_CLOEXEC);
    if (fd == -EINTR || fd == -ECONNABORTED)
        return 0;
    if (fd < 0)
        return fail(i, ACCEPT, fd);
    r = wait_for(i, signals, fd);
    if (r < 0)
        return r;
    r = ini_recv(fd, &m, NULL);
    /* Who is not there any more to take the answer has not entered anything. */
    if (r >= 0 && m.type == WH_MSG_ENTER)
        ini_send_fds(fd, WH_MSG_OK, i->nr, 0, i->ns, i->nns);
    /* A `start` that died before it said so has not started anything. */
    if (r < 0 || m.type != WH_MSG_START)
        return 0;
    *ret_fd = take_fd(&fd);
    return 1;
}

/*
 * Until the state is on disk the host is the only one that knows of this process. If the host dies before, the socket ends, and so does this
 * process. True when the host says START instead of COMMIT: *ret_fd is the control socket then, as the connection of a start.
 */
static int committed(struct ini *i, int signals, int *ret_fd)
{
    CLEAN_FD ctl = take_fd(&i->ctl);
    struct wh_msg m;
    int r = wait_for(i, signals, ctl);

    if (r < 0)
        return r;
    r = ini_recv(ctl, &m, NULL);
    if (r < 0)
        return ini_fail(i, r == -EPROTO || r == -ECONNRESET ? WH_SITE_PROTOCOL : WH_SITE_RECVMSG, r);
    if (m.type != WH_MSG_START)
        return m.type == WH_MSG_COMMIT ? 0 : fail(i, PROTOCOL, -EPROTO);
    *ret_fd = take_fd(&ctl);
    return 1;
}

int op_wait_start(struct ini *i, const struct wh_step_wait_start *s)
{
    const uint64_t all = ~UINT64_C(0), none = 0;
    CLEAN_FD signals = -1, fd = -1;
    long r;

    signals = (int)sys_signalfd4(-1, &all, O_CLOEXEC | O_NONBLOCK);
    if (signals < 0)
        return fail(i, SIGNALFD, signals);
    r = committed(i, signals, &fd);
    while (r == 0)
        r = answer(i, s, signals, &fd);
    if (r < 0)
        return (int)r;
    /* Here, because what was ignored until now must not be pending when it is let through. */
    take_signals(signals);
    r = sys_sigprocmask(SIG_SETMASK, &none);
    if (r < 0)
        return fail(i, SIGNAL, r);
    i->ctl = take_fd(&fd);
    ini_slot_set(i, s->listen, -1);
    ini_state(i, WH_MBOX_STARTING);
    return 0;
}

/* A startContainer hook may take long, and this process is one that users send signals to by now: it ends on those that end it in WAIT_START, where
 * the first process of a pid namespace would not without a handler. Others are ignored. */
static int answer_or_signal(struct ini *i)
{
    const uint64_t all = ~UINT64_C(0), none = 0;
    CLEAN_FD signals = (int)sys_signalfd4(-1, &all, O_CLOEXEC | O_NONBLOCK);
    long r;

    if (signals < 0)
        return fail(i, SIGNALFD, signals);
    r = sys_sigprocmask(SIG_SETMASK, &all);
    if (r < 0)
        return fail(i, SIGNAL, r);
    r = send_question(i, i->ns, i->nns);
    if (r == 0)
        r = wait_for(i, signals, i->ctl);
    if (r == 0)
        r = take_answer(i, NULL);
    if (r < 0)
        return (int)r;
    take_signals(signals);
    r = sys_sigprocmask(SIG_SETMASK, &none);
    return r < 0 ? fail(i, SIGNAL, r) : 0;
}

int op_ask_hook(struct ini *i, const struct wh_step_ask_hook *s)
{
    int r;

    if (s->kind == WH_HOOK_START_CONTAINER)
        return answer_or_signal(i);
    r = send_question(i, i->ns, i->nns);
    return r < 0 ? r : take_answer(i, NULL);
}
