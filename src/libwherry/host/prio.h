/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_PRIO_H
#define WH_HOST_PRIO_H

#include "host/serve.h"

/*
 * ASK_PRIO: scheduling policy and I/O priority of the process that asks (sched_setattr(2), ioprio_set(2)), with our privilege.
 * An answer like those of struct wh_serve_ops; it needs no data, so that every verb has it without asking.
 */
int wh_prio_set(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err);

#endif
