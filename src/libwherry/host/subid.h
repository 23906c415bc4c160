/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_SUBID_H
#define WH_HOST_SUBID_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Subordinate ids, as subuid(5) and subgid(5) grant them. The files alone are read: what other sources nsswitch.conf(5) names
 * is known to newuidmap(1), and what is said here is about its refusal. */

struct wh_subid_range {
    uint64_t first, count;
};

/* Name of the user in /etc/passwd, or its number: both are good in subuid(5). */
void wh_user_name(uid_t uid, char *buf, size_t size);

/* The biggest range of the user, whose name is also given. 1 there is one, 0 there is none, or -errno. */
int wh_subid_biggest(bool gid, uid_t uid, const char *name, struct wh_subid_range *ret);

/* The first id that is behind everybody's ranges, of uids and of gids: where a new one shares no files with another user's. */
uint64_t wh_subid_free(void);

/* The first part of the map's host ids ("CID HID SIZE" a line) that is neither `own` nor of a range of the user. 1 and
 * *ret, 0 when all are, or -errno when nobody can tell. */
int wh_subid_uncovered(bool gid, uid_t uid, const char *name, uint32_t own, const char *map,
                       struct wh_subid_range *ret);

#endif
