/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_INTELRDT_H
#define WH_HOST_INTELRDT_H

#include <stdbool.h>
#include <sys/types.h>

#include "abi/plan.h"
#include "base/err.h"

/*
 * The container's group in resctrl (linux.intelRdt). What was made stands in the file "rdt" of the state directory, which is
 * written before anything is made:
 *
 *   group KIND NAME     KIND: own (goes with the container), made (for a closID: goes only if the create fails), or there
 *   monitor NAME        the monitoring group below it
 */

/* Where resctrl is, and how groups are made and removed there: only the tests have another one than the kernel's. */
struct wh_rdt_fs {
    int fd; /* of the mount's root */
    int (*make)(int dir_fd, const char *name); /* 0 or -errno */
    int (*remove)(int dir_fd, const char *name);
};
/* Finds the mount. -ENODEV with a sentence when there is none. The fd is the caller's to close. */
int wh_rdt_find(int proc_fd, struct wh_rdt_fs *ret, struct wh_err *err);

/* The step of the plan, or null. */
const struct wh_step_rdt *wh_rdt_step(const struct wh_plan *plan);

/* Makes or looks at the group, as the step says. On failure what was made is for wh_rdt_remove. */
int wh_rdt_make(const struct wh_rdt_fs *fs, int dir_fd, const struct wh_plan *plan, const struct wh_step_rdt *s,
                struct wh_err *err);
/* Puts a process into the groups that dir_fd names; nothing without such a file. Its children follow. */
int wh_rdt_join(const struct wh_rdt_fs *fs, int dir_fd, pid_t pid, struct wh_err *err);
/*
 * Gives the container's group other lines, both in one write, of which the kernel does all or nothing. Either may be null. *ret_old: what brings the
 * former ones back (wh_rdt_put_back), the caller's to free. -EOPNOTSUPP without such a resource, or without a group of the container's.
 */
int wh_rdt_update(const struct wh_rdt_fs *fs, int dir_fd, const char *l3, const char *mb, char **ret_old,
                  struct wh_err *err);
void wh_rdt_put_back(const struct wh_rdt_fs *fs, int dir_fd, const char *old);

/* Removes what was made. `failed`: the container never came to be. What is gone already is fine. */
int wh_rdt_remove(const struct wh_rdt_fs *fs, int dir_fd, bool failed, struct wh_err *err);

/* Opens the group that dir_fd names, and the monitoring group below it (-1: there is none). -ENOENT without such a file. */
int wh_rdt_open(const struct wh_rdt_fs *fs, int dir_fd, int *ret_group, int *ret_monitor);
/* The member intel_rdt (rdtstat.c), empty for a container without a group: its schemata, those of the machine, and what is monitored. */
struct wh_json;
void wh_rdt_stats(const struct wh_rdt_fs *fs, int dir_fd, struct wh_json *j);
void wh_rdt_stats_here(int proc_fd, int dir_fd, struct wh_json *j);

/* The same with the kernel's resctrl, found only if dir_fd has the file. */
int wh_rdt_join_here(int proc_fd, int dir_fd, pid_t pid, struct wh_err *err);
int wh_rdt_remove_here(int dir_fd, bool failed, struct wh_err *err);

#endif
