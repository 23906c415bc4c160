/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "host/rtnl.h"

struct ends {
    int host_ns, ctr_ns; /* namespaces */
    int host, ctr; /* netlink sockets in them */
};
#define NO_ENDS                                                                                                        \
    {                                                                                                                  \
        -1, -1, -1, -1                                                                                                 \
    }

static void ends_done(struct ends *e)
{
    wh_close(e->host);
    wh_close(e->ctr);
    wh_close(e->host_ns);
    wh_close(e->ctr_ns);
}
#define CLEANUP_ENDS __attribute__((cleanup(ends_done)))

static int open_sockets(struct ends *e, struct wh_err *err)
{
    e->host = wh_rtnl_open(e->host_ns);
    e->ctr = e->host < 0 ? -1 : wh_rtnl_open(e->ctr_ns);
    if (e->host < 0 || e->ctr < 0)
        return wh_err_sys(err, e->host < 0 ? e->host : e->ctr, "enter the container's network namespace");
    return 0;
}

static int open_ends(struct ends *e, int proc_fd, pid_t pid, struct wh_err *err)
{
    struct stat a, b;
    char path[32];

    snprintf(path, sizeof path, "%d/ns/net", (int)pid);
    e->host_ns = openat(proc_fd, "thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    e->ctr_ns = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (e->host_ns < 0 || e->ctr_ns < 0 || fstat(e->host_ns, &a) < 0 || fstat(e->ctr_ns, &b) < 0)
        return wh_err_sys(err, -errno, "open the container's network namespace");
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return wh_err_set(err, WH_ERR_SPEC, -EINVAL, NULL, "unable to move network devices without a NET namespace");
    return open_sockets(e, err);
}

/* Its number on the host if that is free in the container, else the next free one: so that it is known whatever becomes of a name like eth%d. */
static int free_index(int ctr, int wish, int *ret)
{
    struct wh_link l;
    int r = 0;

    for (int i = 0; i < 4096 && r == 0; i++) {
        *ret = wish + i;
        r = wh_rtnl_link(ctr, NULL, *ret, &l);
    }
    return r == -ENODEV ? 0 : r < 0 ? r : -EBUSY;
}

static int move_error(struct wh_err *err, int r, const char *device, const char *name)
{
    char words[WH_ERRTEXT_SIZE];

    return wh_err_set(err, WH_ERR_HOST, r, NULL, "move network device %s to the container as %s: %s%s", device, name,
                      wh_errno_words(-r, words),
                      r == -EINVAL ? " (devices of this kind belong to their network namespace)" : "");
}

/* Refused by the kernel, it has not left the host, but is down by now, and without its IPv6 addresses. One that has moved all the same is not found. */
static void stay(int host, const struct wh_link *l, const struct wh_ifaddr *addrs, size_t naddrs)
{
    if (l->flags & IFF_UP)
        (void)wh_rtnl_up(host, l->index, true);
    for (size_t i = 0; i < naddrs; i++)
        (void)wh_rtnl_add_addr(host, l->index, &addrs[i]);
}

int wh_netdev_move(int proc_fd, const struct wh_plan *plan, const struct wh_ask *ask, struct wh_err *err)
{
    const struct wh_step_ask_netdev *s = (const struct wh_step_ask_netdev *)ask->step;
    const char *device = wh_plan_str(plan, s->device), *name = wh_plan_str(plan, s->name);
    CLEANUP_ENDS struct ends e = NO_ENDS;
    WH_UNINITIALIZED struct wh_ifaddr addrs[WH_IFADDR_MAX];
    struct wh_link l, there;
    size_t naddrs = 0;
    int r = open_ends(&e, proc_fd, ask->pid, err), index = 0;

    if (r < 0)
        return r;
    r = wh_rtnl_link(e.host, device, 0, &l);
    if (r < 0)
        return wh_err_sys(err, r, "find network device %s", device);
    if (!strchr(name, '%') && wh_rtnl_link(e.ctr, name, 0, &there) == 0)
        return wh_err_set(err, WH_ERR_HOST, -EEXIST, NULL,
                          "move network device %s: the container's network namespace has a device %s already", device,
                          name);
    r = wh_rtnl_addrs(e.host, l.index, addrs, &naddrs);
    if (r < 0)
        return wh_err_sys(err, r, "read the addresses of network device %s", device);
    r = free_index(e.ctr, l.index, &index);
    if (r < 0)
        return move_error(err, r, device, name);
    r = wh_rtnl_up(e.host, l.index, false);
    if (r == 0)
        r = wh_rtnl_move(e.host, l.index, e.ctr_ns, name, index);
    if (r < 0) {
        stay(e.host, &l, addrs, naddrs);
        return move_error(err, r, device, name);
    }
    /* The kernel drops the addresses of a device that moves. */
    for (size_t i = 0; i < naddrs; i++) {
        r = wh_rtnl_add_addr(e.ctr, index, &addrs[i]);
        if (r < 0)
            return wh_err_sys(err, r, "give network device %s its address in the container", device);
    }
    r = wh_rtnl_up(e.ctr, index, true);
    return r < 0 ? wh_err_sys(err, r, "set network device %s up in the container", device) : 0;
}
