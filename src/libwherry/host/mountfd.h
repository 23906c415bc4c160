/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_MOUNTFD_H
#define WH_HOST_MOUNTFD_H

#include "host/serve.h"

/* ASK_MOUNT: a detached clone of a host directory or file, made in our mount namespace with our privilege. fd (O_CLOEXEC)
 * or -errno. */
int wh_mountfd_open(const struct wh_plan *plan, const struct wh_ask *ask, struct wh_err *err);

#endif
