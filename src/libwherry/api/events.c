/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/events.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/json-out.h"
#include "host/cgroup/stat.h"
#include "host/cgroup/watch.h"

/* One wherry_events. */
struct watching {
    struct wherry_events_opts opts;
    struct wh_target target;
    struct wh_watch watch;
    int64_t interval, next; /* ms; 0: no statistics */
    wherry_event_fn fn;
    void *data;
};

static void watching_done(struct watching *w)
{
    wh_watch_done(&w->watch);
    wh_target_done(&w->target);
}
#define CLEANUP_WATCHING __attribute__((cleanup(watching_done)))

static int parse_interval(struct watching *w, struct wh_err *err)
{
    uint64_t ns;
    int r;

    if (!w->opts.interval)
        return 0;
    r = wh_parse_duration(w->opts.interval, &ns);
    if (r == 0 && ns == 0)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "duration interval must be greater than 0");
    if (r < 0 || ns / 1000000 > INT32_MAX)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL,
                          "invalid interval \"%.64s\": want a duration of at most 24 days, such as 5s or 1m30s",
                          w->opts.interval);
    /* poll(2) counts milliseconds. */
    w->interval = ns < 1000000 ? 1 : (int64_t)(ns / 1000000);
    return 0;
}

static int hand_over(const struct watching *w, struct wh_buf *out, struct wh_err *err)
{
    int r = out->failed ? wh_err_sys(err, -ENOMEM, "write an event") : 0;

    for (char *line = out->data, *end; r >= 0 && line && *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end)
            break;
        *end = '\0';
        r = w->fn(w->data, line);
        if (r < 0)
            wh_err_sys(err, r, "hand over an event of container %s", w->target.state.id);
    }
    wh_buf_done(out);
    return r < 0 ? r : 0;
}

static void add_exit(const struct watching *w, struct wh_buf *out)
{
    struct wh_exit ex;
    struct wh_memory m;
    struct wh_json j;

    wh_record_open(&j, out, "exit", w->target.state.id);
    wh_json_open(&j, "data", '{');
    wh_json_u64(&j, "pid", (uint64_t)w->target.state.pid);
    /* Its parent is who knows for sure: of us the kernel may keep it. */
    if (wh_pidfd_exit(w->target.proc_fd, w->target.pidfd, w->target.state.pid, w->target.state.identity.start, &ex) ==
        0) {
        wh_json_u64(&j, "status", (uint64_t)(ex.signalled ? 128 + ex.value : ex.value));
        if (ex.signalled)
            wh_json_u64(&j, "signal", (uint64_t)ex.value);
    }
    if (wh_cgroup_memory(&w->target.cgroup, &m) == 0 && m.kills > 0)
        wh_memory_json(&m, "oom", &j);
    wh_json_close(&j, '}');
    wh_record_close(&j);
}

/* The time that poll(2) may take: until the next statistics, or what is watched wants to be looked at. */
static int timeout(struct watching *w, int watch)
{
    int64_t left;

    if (!w->interval)
        return watch;
    left = w->next - wh_now_ms();
    left = left < 0 ? 0 : left;
    return watch >= 0 && watch < left ? watch : (int)left;
}

static int watch_loop(struct watching *w, struct wh_err *err)
{
    struct pollfd p[WH_WATCH_MAX + 2];

    w->next = w->interval ? wh_now_ms() + w->interval : 0;
    for (;;) {
        WH_CLEANUP_BUF struct wh_buf out = { 0 };
        int wait = wh_watch_prepare(&w->watch, p), r;
        struct pollfd *init = &p[w->watch.n], *cancel = init + 1;
        bool ended, tick;

        *init = (struct pollfd){ .fd = w->target.pidfd, .events = POLLIN };
        *cancel = (struct pollfd){ .fd = w->opts.cancel_fd > 0 ? w->opts.cancel_fd : -1, .events = POLLIN };
        r = poll(p, w->watch.n + 2, timeout(w, wait));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return wh_err_sys(err, -errno, "poll");
        if (cancel->revents)
            return wh_err_set(err, WH_ERR_HOST, -ECANCELED, NULL, "canceled");
        ended = init->revents != 0;
        tick = w->interval && wh_now_ms() >= w->next;
        /* What killed it is told before that it ended. With the statistics all is looked at: pids.events of v1 hierarchies does not notify
         * (seen on Linux 6.18). */
        wh_watch_look(&w->watch, p, ended || tick, &out);
        if (ended)
            add_exit(w, &out);
        else if (tick) {
            size_t before = out.len;

            wh_api_record_stats(&out, &w->target);
            /* What was read of a process that has ended meanwhile may be another one's; that it has is told next. */
            if (wh_pidfd_wait(w->target.pidfd, 0) != -ETIMEDOUT && out.data) {
                out.len = before;
                out.data[before] = '\0';
            }
            /* From now: who was stopped for an hour wants one record, not all that were missed. */
            w->next = wh_now_ms() + w->interval;
        }
        r = hand_over(w, &out, err);
        if (r < 0 || ended)
            return r;
    }
}

int wherry_events(wherry_ctx *ctx, const char *id, const struct wherry_events_opts *opts, wherry_event_fn fn,
                  void *data, wherry_error **reterr)
{
    CLEANUP_WATCHING struct watching w = { .fn = fn, .data = data };
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    wh_target_init(&w.target);
    r = wh_api_opts(&w.opts, sizeof w.opts, opts, &err);
    if (r == 0)
        r = parse_interval(&w, &err);
    if (r == 0)
        r = wh_api_events_target(&w.target, ctx, id, &err);
    if (r == 0)
        r = wh_watch_open(&w.watch, &w.target.cgroup, w.target.state.id, &err);
    for (size_t i = 0; r == 0 && w.opts.triggers && w.opts.triggers[i]; i++)
        r = wh_watch_trigger(&w.watch, w.opts.triggers[i], &err);
    if (r == 0)
        r = watch_loop(&w, &err);
    return r < 0 ? wh_api_fail(reterr, &err, WH_NO_STEP) : 0;
}
