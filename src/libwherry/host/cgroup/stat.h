/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_STAT_H
#define WH_HOST_CGROUP_STAT_H

#include "base/json-out.h"
#include "host/cgroup/cgroup.h"

/*
 * What the kernel has counted for a container. A controller of a v1 hierarchy in which the container has a directory is read there,
 * everything else in cgroup2, where processor time and pressure are there without any controller. What is not counted is left out, or 0
 * where consumers decode a fixed member; a line of the kernel's that is not understood is skipped.
 */

/* The members cpu, cpuset, memory, pids, blkio, hugetlb and rdma, into an open object. */
void wh_cgroup_stats(const struct wh_cgroup *cg, struct wh_json *j);

/* ---- memory, for those who say why a process died ---- */

struct wh_memory {
    uint64_t kills; /* processes that the OOM killer ended, in it and below */
    uint64_t usage, peak; /* bytes; peak 0: not known (before Linux 5.19) */
    uint64_t limit; /* bytes; UINT64_MAX: none of its own */
    bool reached; /* something did not fit in that limit, once at least */
};
/* -ENODATA where memory is not accounted to the container. */
int wh_cgroup_memory(const struct wh_cgroup *cg, struct wh_memory *ret);
/* "memory limit reached: peak 67108864, limit 67108864" (bytes), or that it was not that limit, into buf, which it returns. */
const char *wh_memory_text(const struct wh_memory *m, char *buf, size_t size);
/* The same as a member: {"kills":1,"peak":…,"limit":…}; without what is not known. */
void wh_memory_json(const struct wh_memory *m, const char *key, struct wh_json *j);

#endif
