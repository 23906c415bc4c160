/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "api/events.h"
#include "base/fd.h"
#include "base/json-out.h"
#include "host/cgroup/stat.h"
#include "host/cgroup/watch.h"
#include "host/intelrdt.h"
#include "host/netstat.h"

int wh_api_events_target(struct wh_target *t, const wherry_ctx *ctx, const char *id, struct wh_err *err)
{
    int r = wh_target_open(t, ctx, id, false, err);

    if (r < 0)
        return r;
    if (t->status == WH_STATUS_STOPPED)
        return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL, "container with id %s is not running", id);
    if (!wh_cgroup_exists(&t->cgroup))
        return wh_err_set(err, WH_ERR_STATE, -EOPNOTSUPP, NULL,
                          "container with id %s has no cgroup, and without one nothing is counted for it", id);
    return 0;
}

void wh_api_record_stats(struct wh_buf *out, const struct wh_target *t)
{
    struct wh_json j;

    wh_record_open(&j, out, "stats", t->state.id);
    wh_json_open(&j, "data", '{');
    wh_cgroup_stats(&t->cgroup, &j);
    wh_rdt_stats_here(t->proc_fd, t->dir_fd, &j);
    wh_net_stats(t->proc_fd, t->state.pid, &j);
    wh_json_close(&j, '}');
    wh_record_close(&j);
}

int wherry_stats(wherry_ctx *ctx, const char *id, char **ret_json, wherry_error **reterr)
{
    WH_CLEANUP_TARGET struct wh_target t;
    struct wh_buf out = { 0 };
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    *ret_json = NULL;
    wh_target_init(&t);
    r = wh_api_events_target(&t, ctx, id, &err);
    if (r == 0) {
        wh_api_record_stats(&out, &t);
        if (out.failed || !out.data)
            r = wh_err_sys(&err, -ENOMEM, "write the statistics");
        /* What was read of a process that has ended meanwhile may be another one's. */
        else if (wh_pidfd_wait(t.pidfd, 0) != -ETIMEDOUT)
            r = wh_err_set(&err, WH_ERR_STATE, -ESRCH, NULL, "container with id %s is not running", id);
    }
    if (r < 0) {
        wh_buf_done(&out);
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    out.data[strcspn(out.data, "\n")] = '\0';
    *ret_json = out.data;
    return 0;
}
