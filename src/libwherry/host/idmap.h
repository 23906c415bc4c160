/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_IDMAP_H
#define WH_HOST_IDMAP_H

#include "host/serve.h"

/*
 * ASK_IDMAP: writes uid_map, gid_map and setgroups of the asking process, whose user namespace is new and empty. Directly
 * where we may; else through newuidmap and newgidmap, looked for in `path` (the value of PATH, may be null), which run
 * with an empty environment. 0 or -errno; -ETIMEDOUT where they do not end, -ECANCELED as ask->cancel_fd says.
 */
int wh_idmap_write(int proc_fd, const char *path, const struct wh_plan *plan, const struct wh_ask *ask,
                   struct wh_err *err);

/* A new user namespace with these maps, for an id-mapped mount: its fd (O_CLOEXEC), which alone keeps it alive, or -errno. */
int wh_idmap_userns(int proc_fd, const char *path, const char *uid_map, const char *gid_map, int cancel_fd,
                    struct wh_err *err);

#endif
