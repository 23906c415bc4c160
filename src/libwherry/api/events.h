/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_API_EVENTS_H
#define WH_API_EVENTS_H

#include "api/api.h"
#include "base/str.h"

/* What wherry_stats and wherry_events share. */

/* Looks up a container that runs and has a cgroup. */
int wh_api_events_target(struct wh_target *t, const wherry_ctx *ctx, const char *id, struct wh_err *err);
/* Appends a record and a newline. Out of memory: out->failed. */
void wh_api_record_stats(struct wh_buf *out, const struct wh_target *t);

#endif
