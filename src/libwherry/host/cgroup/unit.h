/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_UNIT_H
#define WH_HOST_CGROUP_UNIT_H

#include <sys/types.h>

#include "host/cgroup/sdbus.h"
#include "plan/plan.h"

/* Transient units of systemd, over the bus (org.freedesktop.systemd1(5)). Each call has one connection and one deadline. */

/* Which unit, and how its manager is reached. */
struct wh_unit_ref {
    const char *name;
    const char *address; /* of the bus: "unix:path=…"; null: the user's is not known */
    int cancel_fd; /* readable = give up, -ECANCELED; -1 = none */
};

/* In this order: where two have the same name, the last one stands. */
struct wh_unit_props {
    const struct wh_unit_prop *v;
    size_t n;
};

/*
 * Starts it with these properties and the process in it (0: none), and waits for the job. A unit of that name which has failed and was left is
 * reset first. *ret_asked: systemd may have it, whatever is returned. On failure *ret_src is the place of the property that was refused, where systemd named it and it has one; else as it was.
 */
int wh_unit_start(const struct wh_sdbus *sd, const struct wh_unit_ref *unit, const struct wh_unit_props *props,
                  pid_t pid, int timeout_ms, bool *ret_asked, wh_node *ret_src, struct wh_err *err);

/* Changes these properties, all or none, until the unit ends; at the return systemd has written what follows from them to the cgroup's files.
 * *ret_src as above. */
int wh_unit_set(const struct wh_sdbus *sd, const struct wh_unit_ref *unit, const struct wh_unit_props *props,
                int timeout_ms, wh_node *ret_src, struct wh_err *err);

/* Stops it, waits for the job, and forgets that it has failed. One that is not there is success. -ECONNREFUSED when the manager cannot be
 * reached at all. */
int wh_unit_stop(const struct wh_sdbus *sd, const struct wh_unit_ref *unit, int timeout_ms, struct wh_err *err);

#endif
