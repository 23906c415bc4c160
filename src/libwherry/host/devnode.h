/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_DEVNODE_H
#define WH_HOST_DEVNODE_H

#include "host/serve.h"

/*
 * ASK_DEVICE: a device node of the container's own, as a detached mount whose root is the node. It is on a tmpfs of
 * the host's user namespace: only there devices can be opened. Its owner is what the asking process's user namespace
 * maps the ids to, or root of the host where it maps them to nothing. fd (O_CLOEXEC) or -errno.
 */
int wh_devnode_make(int proc_fd, const struct wh_plan *plan, const struct wh_ask *ask, struct wh_err *err);

#endif
