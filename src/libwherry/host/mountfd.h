/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_MOUNTFD_H
#define WH_HOST_MOUNTFD_H

#include <stdbool.h>

#include "host/serve.h"

/* What the mounts of one container share. fds are borrowed but for the last. */
struct wh_mountfd {
    int proc_fd, cancel_fd; /* cancel_fd: that of the last ask */
    const char *path; /* value of PATH, for newuidmap; may be null */
    int joined_userns; /* the user namespace that the container joins, or -1 */
    /* The user namespace made for the last id-mapped mount, and its maps (strings of the plan): a pod's mounts have the same. */
    int userns;
    wh_off uid_map, gid_map;
    bool cannot_idmap; /* the last one failed because the file system of its source cannot be id-mapped */
};

void wh_mountfd_init(struct wh_mountfd *m);
void wh_mountfd_done(struct wh_mountfd *m);

/* ASK_MOUNT: a detached clone of a host directory or file, made in our mount namespace with our privilege, id-mapped if the step
 * says so. fd (O_CLOEXEC) or -errno. */
int wh_mountfd_open(struct wh_mountfd *m, const struct wh_plan *plan, const struct wh_ask *ask, struct wh_err *err);

#endif
