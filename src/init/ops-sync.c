/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "init/ini.h"

/* The init side of abi/proto.h. Messages carry numbers only; one fd at most travels with each. */

int ini_send(int fd, uint16_t type, uint32_t step, int32_t val, int with_fd)
{
    struct wh_msg m = { .type = type, .nfds = with_fd >= 0, .step = step, .val = val };
    struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } c;
    struct msghdr h;
    long r;

    memset(&h, 0, sizeof(h));
    h.msg_iov = &iov;
    h.msg_iovlen = 1;
    if (with_fd >= 0) {
        memset(&c, 0, sizeof(c));
        c.h.cmsg_len = CMSG_LEN(sizeof(int));
        c.h.cmsg_level = SOL_SOCKET;
        c.h.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&c.h), &with_fd, sizeof(int));
        h.msg_control = &c;
        h.msg_controllen = sizeof(c);
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

int ini_ask(struct ini *i, int *ret_fd)
{
    CLEAN_FD fd = -1;
    struct wh_msg m;
    int r;

    r = ini_send(i->ctl, WH_MSG_ASK, i->nr, 0, -1);
    if (r < 0)
        return fail(i, SENDMSG, r);
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

int op_ask_hook(struct ini *i, const struct wh_step_ask_hook *s)
{
    (void)s;
    return ini_ask(i, NULL);
}

int op_ask_prio(struct ini *i, const struct wh_step_ask_prio *s)
{
    (void)s;
    return ini_ask(i, NULL);
}

int op_ready(struct ini *i, const struct wh_step_ready *s)
{
    int listen = i->base + 1, k;
    long r;

    /*
     * Everything but stdio, the preserved fds and the two sockets goes before the host can say that the container is created.
     * The start socket moves next to the control socket, so that the rest is one range.
     */
    if (i->slot[s->listen] != listen) {
        r = sys_dup3(i->slot[s->listen], listen, O_CLOEXEC);
        if (r < 0)
            return fail(i, DUP, r);
    }
    r = sys_close_range((unsigned int)listen + 1, ~0u, 0);
    if (r < 0)
        return fail(i, CLOSE_RANGE, r);
    for (k = 0; k < WH_SLOTS; k++)
        i->slot[k] = -1;
    i->slot[s->listen] = listen;

    ini_state(i, WH_MBOX_READY);
    r = ini_send(i->ctl, WH_MSG_READY, i->nr, 0, -1);
    if (r < 0)
        return fail(i, SENDMSG, r);
    sys_close(i->ctl);
    i->ctl = -1;
    return 0;
}

int op_host_alive(struct ini *i, const struct wh_step_host_alive *s)
{
    long r;

    (void)s;
    /* There is nothing to read: end of file, or silence. */
    r = ini_silent(i->ctl);
    return r == -EAGAIN ? 0 : fail(i, PROTOCOL, r < 0 ? r : r == 0 ? -ECONNRESET : -EPROTO);
}

int op_wait_start(struct ini *i, const struct wh_step_wait_start *s)
{
    for (;;) {
        CLEAN_FD fd = -1;
        struct wh_msg m;
        int r;

        fd = (int)sys_accept4(i->slot[s->listen], SOCK_CLOEXEC);
        if (fd == -EINTR || fd == -ECONNABORTED)
            continue;
        if (fd < 0)
            return fail(i, ACCEPT, fd);
        r = ini_recv(fd, &m, NULL);
        /* A `start` that died before it said so has not started anything. */
        if (r < 0 || m.type != WH_MSG_START)
            continue;
        i->ctl = take_fd(&fd);
        ini_slot_set(i, s->listen, -1);
        ini_state(i, WH_MBOX_STARTING);
        return 0;
    }
}
