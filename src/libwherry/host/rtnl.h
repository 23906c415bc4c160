/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_RTNL_H
#define WH_HOST_RTNL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As much of rtnetlink(7) as moving a network device takes. Everything returns 0 or -errno of the kernel. */

struct wh_link {
    int index;
    unsigned flags; /* IFF_* */
    char name[IF_NAMESIZE];
};

/* An address without what the kernel finds out itself. */
struct wh_ifaddr {
    uint8_t family, prefixlen;
    uint8_t has; /* WH_IFADDR_* */
    uint8_t pad;
    uint32_t flags, metric;
    uint8_t local[16], address[16], broadcast[4];
};
#define WH_IFADDR_LOCAL 1u
#define WH_IFADDR_ADDRESS 2u
#define WH_IFADDR_BROADCAST 4u
#define WH_IFADDR_METRIC 8u
#define WH_IFADDR_MAX 64

/* A socket in a network namespace; the caller's thread stays where it is. fd or -errno. */
int wh_rtnl_open(int netns_fd);
/* By name or, with a null name, by index. -ENODEV. */
int wh_rtnl_link(int fd, const char *name, int index, struct wh_link *ret);
/* The permanent addresses of global scope. -E2BIG when there are more than fit. */
int wh_rtnl_addrs(int fd, int index, struct wh_ifaddr ret[WH_IFADDR_MAX], size_t *ret_n);
int wh_rtnl_up(int fd, int index, bool up);
/* To another namespace, under `name` (perhaps with %d) and, unless it is 0, as `new_index`. One request: it may have moved even
 * when the new name was refused. */
int wh_rtnl_move(int fd, int index, int netns_fd, const char *name, int new_index);
/* One that is there already is success. */
int wh_rtnl_add_addr(int fd, int index, const struct wh_ifaddr *a);

#endif
