/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_UNIT_H
#define WH_HOST_CGROUP_UNIT_H

#include <sys/types.h>

#include "host/cgroup/sdbus.h"
#include "plan/plan.h"

/* Transient units of systemd, over the bus (org.freedesktop.systemd1(5)). Each call has one connection and one deadline. */

#define WH_UNIT_TIMEOUT_MS 30000

/* Which unit, and how its manager is reached. */
struct wh_unit_ref {
    const char *name;
    const char *address; /* of the bus: "unix:path=…"; null: the user's is not known */
};

/*
 * Starts the unit of the plan (CG_UNIT, CG_PROP) with the process in it, and waits for the job. A unit of that name which has failed and was
 * left is reset first. On failure *ret_step (may be null) is the property that was refused, where systemd named it.
 */
int wh_unit_start(const struct wh_sdbus *sd, const struct wh_unit_ref *unit, const struct wh_plan *plan, pid_t pid,
                  int timeout_ms, const struct wh_step **ret_step, struct wh_err *err);

/* Stops it, waits for the job, and forgets that it has failed. One that is not there is success. -ECONNREFUSED when the manager cannot be
 * reached at all. */
int wh_unit_stop(const struct wh_sdbus *sd, const struct wh_unit_ref *unit, int timeout_ms, struct wh_err *err);

#endif
