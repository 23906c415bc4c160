/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/cgroup/stat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/cgroup/internal.h"
#include "host/cgroup/stat-read.h"

/* The directory of a controller: -1 when the container has none of it in v1. */
static int v1(const struct wh_cgroup *cg, const char *controller)
{
    const struct wh_cgroup_dir *dir = wh_cg_v1_find(cg, controller);

    return dir ? dir->fd : -1;
}

typedef void (*inside_fn)(struct wh_json *j, int dirfd);

/* Of v1 where the container has a directory there, else of cgroup2. */
static void part(const struct wh_cgroup *cg, struct wh_json *j, const char *controller, inside_fn one, inside_fn two)
{
    int fd = v1(cg, controller);

    if (fd >= 0)
        one(j, fd);
    else
        two(j, cg->two.fd);
}

static void pids(const struct wh_cgroup *cg, struct wh_json *j)
{
    int fd = v1(cg, "pids");
    uint64_t limit;

    fd = fd >= 0 ? fd : cg->two.fd;
    limit = wh_stat_value(fd, "pids.max");
    wh_stat_opt(j, "current", wh_stat_value(fd, "pids.current"));
    wh_stat_opt(j, "limit", limit == UINT64_MAX ? 0 : limit);
}

/* One resource of one device: "mlx4_0 hca_handle=2 hca_object=max", from the file of limits. */
static bool rdma_limit(const char *text, const char *device, const char *resource, uint64_t *ret)
{
    char *copy = text ? strdup(text) : NULL, *at = copy;
    size_t len = strlen(resource);
    bool found = false;

    for (char *line; !found && (line = wh_stat_line(&at)) != NULL;) {
        char *name = wh_stat_word(&line);

        if (!name || !wh_streq(name, device))
            continue;
        for (char *word; !found && (word = wh_stat_word(&line)) != NULL;)
            if (strncmp(word, resource, len) == 0 && word[len] == '=') {
                found = wh_streq(word + len + 1, "max") || wh_parse_u64(word + len + 1, UINT64_MAX, ret) == 0;
                if (wh_streq(word + len + 1, "max"))
                    *ret = UINT64_MAX;
            }
    }
    free(copy);
    return found;
}

static void rdma(const struct wh_cgroup *cg, struct wh_json *j)
{
    int fd = v1(cg, "rdma");
    char *current, *max, *at;
    bool open = false;

    fd = fd >= 0 ? fd : cg->two.fd;
    current = at = wh_stat_file(fd, "rdma.current");
    max = wh_stat_file(fd, "rdma.max");
    for (char *line; (line = wh_stat_line(&at)) != NULL;) {
        char *device = wh_stat_word(&line);

        if (!device)
            continue;
        if (!open)
            wh_json_open(j, "rdma", '{');
        open = true;
        wh_json_open(j, device, '{');
        for (char *word; (word = wh_stat_word(&line)) != NULL;) {
            char *value = strchr(word, '=');
            uint64_t v = 0, limit = 0;

            if (!value)
                continue;
            *value++ = '\0';
            if (wh_parse_u64(value, UINT64_MAX, &v) < 0)
                continue;
            wh_json_open(j, word, '{');
            wh_stat_opt(j, "current", v);
            if (rdma_limit(max, device, word, &limit))
                wh_json_u64(j, "limit", limit);
            wh_json_close(j, '}');
        }
        wh_json_close(j, '}');
    }
    if (open)
        wh_json_close(j, '}');
    free(current);
    free(max);
}

void wh_cgroup_stats(const struct wh_cgroup *cg, struct wh_json *j)
{
    wh_json_open(j, "cpu", '{');
    wh_json_open(j, "usage", '{');
    part(cg, j, "cpuacct", wh_stat_one_usage, wh_stat_two_usage);
    wh_json_close(j, '}');
    wh_json_open(j, "throttling", '{');
    part(cg, j, "cpu", wh_stat_one_throttling, wh_stat_two_throttling);
    wh_json_close(j, '}');
    wh_stat_psi(j, cg->two.fd, "cpu.pressure");
    wh_json_close(j, '}');

    wh_json_open(j, "cpuset", '{');
    part(cg, j, "cpuset", wh_stat_one_cpuset, wh_stat_two_cpuset);
    wh_json_close(j, '}');

    wh_json_open(j, "memory", '{');
    part(cg, j, "memory", wh_stat_one_memory, wh_stat_two_memory);
    wh_stat_psi(j, cg->two.fd, "memory.pressure");
    wh_json_close(j, '}');

    wh_json_open(j, "pids", '{');
    pids(cg, j);
    wh_json_close(j, '}');

    wh_json_open(j, "blkio", '{');
    part(cg, j, "blkio", wh_stat_one_blkio, wh_stat_two_blkio);
    wh_stat_psi(j, cg->two.fd, "io.pressure");
    wh_json_close(j, '}');

    wh_json_open(j, "hugetlb", '{');
    part(cg, j, "hugetlb", wh_stat_one_hugetlb, wh_stat_two_hugetlb);
    wh_json_close(j, '}');

    rdma(cg, j);
}

/* ---- why a process died ---- */

/* v1 has no "max": without a limit the file has the largest number of pages that fits, in bytes (page_counter.h). */
#define V1_UNLIMITED ((uint64_t)INT64_MAX / 65536 * 65536)

/* Processes charge memory in batches of 64 pages (memcontrol.h), of which the last may not have fitted. */
#define BATCH 64

/* The counters of failures stay 0 on kernels since 6.15 that have the v1 hierarchy; peaks are kept. */
static bool v1_hit(int fd, const char *limit, const char *peak, const char *failures)
{
    uint64_t max, top;

    if (wh_stat_value(fd, failures) > 0)
        return true;
    return wh_stat_number(fd, limit, &max) && wh_stat_number(fd, peak, &top) && max < V1_UNLIMITED &&
           top + (uint64_t)BATCH * (uint64_t)sysconf(_SC_PAGESIZE) > max;
}

int wh_cgroup_memory(const struct wh_cgroup *cg, struct wh_memory *ret)
{
    int fd = v1(cg, "memory");
    bool one = fd >= 0;
    uint64_t hits = 0;
    char *events;
    int r = 0;

    *ret = (struct wh_memory){ .limit = UINT64_MAX };
    fd = one ? fd : cg->two.fd;
    events = wh_stat_file(fd, one ? "memory.oom_control" : "memory.events");
    if (!wh_stat_key(events, "oom_kill", &ret->kills))
        r = -ENODATA;
    /* The kernel counts "oom" where the limit is, and upwards; a kill where the process was. */
    if (!one)
        wh_stat_key(events, "oom", &hits);
    free(events);
    if (r < 0)
        return r;
    ret->reached =
        one ? v1_hit(fd, "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.failcnt") ||
                  v1_hit(fd, "memory.memsw.limit_in_bytes", "memory.memsw.max_usage_in_bytes", "memory.memsw.failcnt")
            : hits > 0;
    ret->usage = wh_stat_value(fd, one ? "memory.usage_in_bytes" : "memory.current");
    ret->peak = wh_stat_value(fd, one ? "memory.max_usage_in_bytes" : "memory.peak");
    if (!wh_stat_number(fd, one ? "memory.limit_in_bytes" : "memory.max", &ret->limit) ||
        (one && ret->limit >= V1_UNLIMITED))
        ret->limit = UINT64_MAX;
    return 0;
}

const char *wh_memory_text(const struct wh_memory *m, char *buf, size_t size)
{
    char peak[40] = "";

    if (m->peak)
        snprintf(peak, sizeof peak, "peak %llu, ", (unsigned long long)m->peak);
    if (m->limit == UINT64_MAX)
        snprintf(buf, size, "out of memory: %sno limit of its own (the host or a cgroup above it ran out)", peak);
    else if (!m->reached)
        snprintf(buf, size,
                 "out of memory: %slimit %llu, which was not reached (the host or a cgroup above it ran out)", peak,
                 (unsigned long long)m->limit);
    else
        snprintf(buf, size, "memory limit reached: %slimit %llu", peak, (unsigned long long)m->limit);
    return buf;
}

void wh_memory_json(const struct wh_memory *m, const char *key, struct wh_json *j)
{
    wh_json_open(j, key, '{');
    wh_json_u64(j, "kills", m->kills);
    wh_stat_opt(j, "peak", m->peak);
    if (m->limit != UINT64_MAX)
        wh_json_u64(j, "limit", m->limit);
    wh_json_close(j, '}');
}
