/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "host/proc.h"

#define STACK_SIZE (16u * 1024u)

/* ---- a socket elsewhere ---- */

struct opener {
    int netns_fd;
    volatile int result;
};

/* Runs in our memory, on a stack of its own, in a process that ends here: system calls only. */
__attribute__((no_sanitize("address"))) static int opener_main(void *arg)
{
    struct opener *o = arg;
    long r = syscall(SYS_setns, o->netns_fd, CLONE_NEWNET);

    if (r == 0)
        r = syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    o->result = r < 0 ? -errno : (int)r;
    return 0;
}

int wh_rtnl_open(int netns_fd)
{
    struct opener o = { .netns_fd = netns_fd, .result = -EIO };
    WH_CLEANUP_FD int pidfd = -1;
    unsigned long all = ~0ul, before;
    char *stack;
    int r;

    /* A socket belongs to the namespace in which it was made. The caller's thread does not go there: if it could not come
     * back, it would live on in the container's. The child shares our fds, so that the socket is ours. */
    stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, 8);
    r = clone(opener_main, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PIDFD, &o, &pidfd);
    r = r < 0 ? -errno : 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
    munmap(stack, STACK_SIZE);
    if (r < 0)
        return r;
    wh_pidfd_reap(pidfd, NULL);
    /* The kernel answers before send returns; should it ever not, that is an error and no hang. */
    if (o.result >= 0)
        setsockopt(o.result, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 10 }, sizeof(struct timeval));
    return o.result;
}

/* ---- messages ---- */

struct request {
    struct nlmsghdr h;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg addr;
    };
    char attrs[256];
};

typedef int (*handler)(const struct nlmsghdr *h, void *data);

static void begin(struct request *q, uint16_t type, unsigned flags, size_t body)
{
    memset(q, 0, sizeof *q);
    q->h.nlmsg_type = type;
    q->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    q->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
}

/* The attributes that we send fit by far. */
static void put(struct request *q, uint16_t type, const void *data, size_t len)
{
    struct rtattr *a = (struct rtattr *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(len);
    memcpy(RTA_DATA(a), data, len);
    q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* 0 go on, 1 the end, -errno. */
static int one_reply(const struct nlmsghdr *h, const struct request *q, handler fn, void *data)
{
    const struct nlmsgerr *e = NLMSG_DATA(h);

    if (h->nlmsg_seq != q->h.nlmsg_seq)
        return 0;
    if (h->nlmsg_flags & NLM_F_DUMP_INTR)
        return -EAGAIN;
    if (h->nlmsg_type == NLMSG_DONE)
        return 1;
    if (h->nlmsg_type != NLMSG_ERROR)
        return fn ? fn(h, data) : 0;
    return h->nlmsg_len < NLMSG_LENGTH(sizeof *e) ? -EPROTO : e->error < 0 ? e->error : 1;
}

/* Sends the request and hands each message of the answer to fn, to its end. */
static int talk(int fd, struct request *q, handler fn, void *data)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    WH_UNINITIALIZED union {
        struct nlmsghdr align;
        char bytes[32768];
    } buf;

    static _Thread_local uint32_t seq;

    q->h.nlmsg_seq = ++seq;
    /* Two bits, each of which means something else to requests that are no dump. */
    if ((q->h.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
        q->h.nlmsg_flags |= NLM_F_ACK;
    if (sendto(fd, q, q->h.nlmsg_len, MSG_NOSIGNAL, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return -errno;
    for (;;) {
        struct sockaddr_nl from = { 0 };
        struct iovec iov = { &buf, sizeof buf };
        struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t n = recvmsg(fd, &m, 0);
        int len, r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (m.msg_flags & MSG_TRUNC)
            return -EMSGSIZE;
        /* Any process may send to our port. */
        if (from.nl_pid != 0)
            continue;
        len = (int)n;
        for (struct nlmsghdr *h = &buf.align; NLMSG_OK(h, (unsigned)len); h = NLMSG_NEXT(h, len)) {
            r = one_reply(h, q, fn, data);
            if (r != 0)
                return r < 0 ? r : 0;
        }
    }
}

/* ---- links ---- */

static void copy_name(char *to, size_t size, const struct rtattr *a)
{
    size_t n = strnlen(RTA_DATA(a), RTA_PAYLOAD(a));

    if (n >= size)
        n = size - 1;
    memcpy(to, RTA_DATA(a), n);
    to[n] = '\0';
}

static int on_link(const struct nlmsghdr *h, void *data)
{
    const struct ifinfomsg *i = NLMSG_DATA(h);
    struct wh_link *ret = data;
    int len = (int)IFLA_PAYLOAD(h);

    if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof *i))
        return 0;
    *ret = (struct wh_link){ .index = i->ifi_index, .flags = i->ifi_flags };
    for (struct rtattr *a = IFLA_RTA(i); RTA_OK(a, len); a = RTA_NEXT(a, len))
        if (a->rta_type == IFLA_IFNAME)
            copy_name(ret->name, sizeof ret->name, a);
    return 0;
}

int wh_rtnl_link(int fd, const char *name, int index, struct wh_link *ret)
{
    struct request q;
    int r;

    *ret = (struct wh_link){ 0 };
    begin(&q, RTM_GETLINK, 0, sizeof q.link);
    q.link.ifi_index = name ? 0 : index;
    if (name)
        put(&q, IFLA_IFNAME, name, strlen(name) + 1);
    r = talk(fd, &q, on_link, ret);
    return r < 0 ? r : ret->index > 0 ? 0 : -ENODEV;
}

int wh_rtnl_up(int fd, int index, bool up)
{
    struct request q;

    begin(&q, RTM_NEWLINK, 0, sizeof q.link);
    q.link.ifi_index = index;
    q.link.ifi_flags = up ? IFF_UP : 0;
    q.link.ifi_change = IFF_UP;
    return talk(fd, &q, NULL, NULL);
}

int wh_rtnl_move(int fd, int index, int netns_fd, const char *name, int new_index)
{
    uint32_t ns = (uint32_t)netns_fd;
    int32_t number = new_index;
    struct request q;

    begin(&q, RTM_NEWLINK, 0, sizeof q.link);
    q.link.ifi_index = index;
    put(&q, IFLA_NET_NS_FD, &ns, sizeof ns);
    put(&q, IFLA_IFNAME, name, strlen(name) + 1);
    if (new_index)
        put(&q, IFLA_NEW_IFINDEX, &number, sizeof number);
    return talk(fd, &q, NULL, NULL);
}

/* ---- addresses ---- */

struct addr_list {
    int index;
    struct wh_ifaddr *v;
    size_t n;
};

static bool copy_bytes(uint8_t *to, size_t size, const struct rtattr *a)
{
    if (RTA_PAYLOAD(a) > size)
        return false;
    memcpy(to, RTA_DATA(a), RTA_PAYLOAD(a));
    return true;
}

static void read_addr(const struct rtattr *t, struct wh_ifaddr *a, uint32_t *flags)
{
    if (t->rta_type == IFA_LOCAL && copy_bytes(a->local, sizeof a->local, t))
        a->has |= WH_IFADDR_LOCAL;
    else if (t->rta_type == IFA_ADDRESS && copy_bytes(a->address, sizeof a->address, t))
        a->has |= WH_IFADDR_ADDRESS;
    else if (t->rta_type == IFA_BROADCAST && copy_bytes(a->broadcast, sizeof a->broadcast, t))
        a->has |= WH_IFADDR_BROADCAST;
    else if (t->rta_type == IFA_RT_PRIORITY && copy_bytes((uint8_t *)&a->metric, sizeof a->metric, t))
        a->has |= WH_IFADDR_METRIC;
    else if (t->rta_type == IFA_FLAGS)
        copy_bytes((uint8_t *)flags, sizeof *flags, t);
}

static int on_addr(const struct nlmsghdr *h, void *data)
{
    const struct ifaddrmsg *i = NLMSG_DATA(h);
    struct addr_list *list = data;
    struct wh_ifaddr a = { 0 };
    uint32_t flags;
    int len = (int)IFA_PAYLOAD(h);

    if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof *i) || (int)i->ifa_index != list->index ||
        i->ifa_scope != RT_SCOPE_UNIVERSE || (i->ifa_family != AF_INET && i->ifa_family != AF_INET6))
        return 0;
    a.family = i->ifa_family;
    a.prefixlen = i->ifa_prefixlen;
    flags = i->ifa_flags;
    for (struct rtattr *t = IFA_RTA(i); RTA_OK(t, len); t = RTA_NEXT(t, len))
        read_addr(t, &a, &flags);
    if (!(flags & IFA_F_PERMANENT) || !(a.has & (WH_IFADDR_LOCAL | WH_IFADDR_ADDRESS)))
        return 0;
    if (list->n == WH_IFADDR_MAX)
        return -E2BIG;
    /* The others say what the kernel made of the address. */
    a.flags = flags & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_HOMEADDRESS);
    list->v[list->n++] = a;
    return 0;
}

int wh_rtnl_addrs(int fd, int index, struct wh_ifaddr ret[WH_IFADDR_MAX], size_t *ret_n)
{
    struct addr_list list = { .index = index, .v = ret };
    struct request q;
    int r = -EAGAIN;

    for (int tries = 0; r == -EAGAIN && tries < 5; tries++) {
        list.n = 0;
        begin(&q, RTM_GETADDR, NLM_F_DUMP, sizeof q.addr);
        r = talk(fd, &q, on_addr, &list);
    }
    *ret_n = list.n;
    return r;
}

int wh_rtnl_add_addr(int fd, int index, const struct wh_ifaddr *a)
{
    size_t len = a->family == AF_INET ? 4 : 16;
    struct request q;
    int r;

    begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof q.addr);
    q.addr.ifa_family = a->family;
    q.addr.ifa_prefixlen = a->prefixlen;
    q.addr.ifa_scope = RT_SCOPE_UNIVERSE;
    q.addr.ifa_index = (unsigned)index;
    if (a->has & WH_IFADDR_LOCAL)
        put(&q, IFA_LOCAL, a->local, len);
    if (a->has & WH_IFADDR_ADDRESS)
        put(&q, IFA_ADDRESS, a->address, len);
    if ((a->has & WH_IFADDR_BROADCAST) && a->family == AF_INET)
        put(&q, IFA_BROADCAST, a->broadcast, sizeof a->broadcast);
    if (a->has & WH_IFADDR_METRIC)
        put(&q, IFA_RT_PRIORITY, &a->metric, sizeof a->metric);
    put(&q, IFA_FLAGS, &a->flags, sizeof a->flags);
    r = talk(fd, &q, NULL, NULL);
    return r == -EEXIST ? 0 : r;
}
