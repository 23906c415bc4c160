/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_WATCH_H
#define WH_HOST_CGROUP_WATCH_H

#include <poll.h>

#include "host/cgroup/cgroup.h"

/*
 * What happens to a container's cgroup, as the kernel tells of it: memory.events, memory.swap.events, pids.events, hugetlb.*.events and
 * cgroup.events are polled for POLLPRI, pressure through triggers, out of memory in v1 through an eventfd. Nothing is looked at before
 * it changed. What changes all the time (a limit that is hit by each fork) is told at most ten times a second.
 *
 * Each change becomes one record, a line of JSON (oci-spec-schema/stats-schema.json), appended to a buffer.
 */

#define WH_WATCH_MAX 48

struct wh_watch {
    const char *id; /* of the container: the caller's */
    const struct wh_cgroup *cg; /* the caller's */
    struct wh_watch_source *v[WH_WATCH_MAX];
    unsigned n;
};

/* Opens all there is to watch. Watching begins here: what happens from now on is told. */
int wh_watch_open(struct wh_watch *w, const struct wh_cgroup *cg, const char *id, struct wh_err *err);
/* "memory=some:150ms/1s": tell when some (or full) tasks have been held up for 150 ms within one second. -EINVAL when it is no such thing. */
int wh_watch_trigger(struct wh_watch *w, const char *text, struct wh_err *err);
void wh_watch_done(struct wh_watch *w);
#define WH_CLEANUP_WATCH __attribute__((cleanup(wh_watch_done)))

/* Fills p (of WH_WATCH_MAX), w->n of them, and returns how long poll(2) may wait: milliseconds, -1 for ever. */
int wh_watch_prepare(struct wh_watch *w, struct pollfd *p);
/* After poll(2): looks at what has changed, with `all` at everything. A cgroup that is gone has nothing to tell. */
void wh_watch_look(struct wh_watch *w, const struct pollfd *p, bool all, struct wh_buf *out);

/* The beginning of a record: {"type":…,"id":… ; the caller closes it and adds the newline. */
struct wh_json;
void wh_record_open(struct wh_json *j, struct wh_buf *out, const char *type, const char *id);
void wh_record_close(struct wh_json *j);

#endif
