/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics of cgroup2 (Documentation/admin-guide/cgroup-v2.rst). */
#include <stdio.h>
#include <stdlib.h>

#include "host/cgroup/stat-read.h"

/* cpu.stat counts microseconds; the record nanoseconds. */
static uint64_t usec(const char *stat, const char *key)
{
    uint64_t v;

    return wh_stat_key(stat, key, &v) ? wh_stat_mul(v, 1000) : 0;
}

void wh_stat_two_usage(struct wh_json *j, int dirfd)
{
    char *stat = wh_stat_file(dirfd, "cpu.stat");

    wh_stat_opt(j, "total", usec(stat, "usage_usec"));
    wh_json_u64(j, "kernel", usec(stat, "system_usec"));
    wh_json_u64(j, "user", usec(stat, "user_usec"));
    free(stat);
}

void wh_stat_two_throttling(struct wh_json *j, int dirfd)
{
    char *stat = wh_stat_file(dirfd, "cpu.stat");
    uint64_t v;

    if (wh_stat_key(stat, "nr_periods", &v))
        wh_stat_opt(j, "periods", v);
    if (wh_stat_key(stat, "nr_throttled", &v))
        wh_stat_opt(j, "throttledPeriods", v);
    wh_stat_opt(j, "throttledTime", usec(stat, "throttled_usec"));
    free(stat);
}

void wh_stat_two_cpuset(struct wh_json *j, int dirfd)
{
    static const char *const flags[] = { "mem_hardwall",       "mem_exclusive",           "memory_migrate",
                                         "memory_spread_page", "memory_spread_slab",      "memory_pressure",
                                         "sched_load_balance", "sched_relax_domain_level" };

    /* What it may use: cpuset.cpus itself is empty until somebody writes it. The flags are of v1 alone, and consumers want them. */
    wh_stat_list_file(j, "cpus", dirfd, "cpuset.cpus.effective");
    wh_json_u64(j, "cpu_exclusive", 0);
    wh_stat_list_file(j, "mems", dirfd, "cpuset.mems.effective");
    for (size_t i = 0; i < WH_ELEMENTSOF(flags); i++)
        wh_json_u64(j, flags[i], 0);
}

static void memory_entry(struct wh_json *j, const char *key, uint64_t limit, uint64_t usage, uint64_t max)
{
    wh_json_open(j, key, '{');
    wh_json_u64(j, "limit", limit);
    wh_stat_opt(j, "usage", usage);
    wh_stat_opt(j, "max", max);
    wh_json_u64(j, "failcnt", 0);
    wh_json_close(j, '}');
}

void wh_stat_two_memory(struct wh_json *j, int dirfd)
{
    char *stat = wh_stat_file(dirfd, "memory.stat");
    uint64_t usage = wh_stat_value(dirfd, "memory.current"), limit = wh_stat_value(dirfd, "memory.max");
    uint64_t swap, cache = 0;

    wh_stat_key(stat, "file", &cache);
    wh_stat_opt(j, "cache", cache);
    memory_entry(j, "usage", limit, usage, wh_stat_value(dirfd, "memory.peak"));
    /* Memory and swap in one number, which is what v1 counted; without swap in the kernel it is memory alone. */
    if (wh_stat_number(dirfd, "memory.swap.current", &swap))
        memory_entry(j, "swap", wh_stat_add(limit, wh_stat_value(dirfd, "memory.swap.max")), wh_stat_add(usage, swap),
                     0);
    else
        memory_entry(j, "swap", 0, 0, 0);
    memory_entry(j, "kernel", 0, 0, 0);
    memory_entry(j, "kernelTCP", 0, 0, 0);
    wh_stat_map(j, "raw", stat);
    free(stat);
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0": a pair of lists, of the keys READ and WRITE. */
static void io_list(struct wh_json *j, const char *key, const char *text, const char *read, const char *write)
{
    char *copy = text ? strdup(text) : NULL, *at = copy;
    struct wh_stat_blkio b = { .j = j, .key = key };

    for (char *line; (line = wh_stat_line(&at)) != NULL;) {
        char *device = wh_stat_word(&line);

        for (char *word; device && (word = wh_stat_word(&line)) != NULL;) {
            char *value = strchr(word, '=');
            uint64_t v;

            if (!value)
                continue;
            *value++ = '\0';
            if (wh_parse_u64(value, UINT64_MAX, &v) < 0)
                continue;
            if (wh_streq(word, read))
                wh_stat_blkio_add(&b, device, "Read", v);
            else if (wh_streq(word, write))
                wh_stat_blkio_add(&b, device, "Write", v);
        }
    }
    wh_stat_blkio_end(&b);
    free(copy);
}

void wh_stat_two_blkio(struct wh_json *j, int dirfd)
{
    char *stat = wh_stat_file(dirfd, "io.stat");

    io_list(j, "ioServiceBytesRecursive", stat, "rbytes", "wbytes");
    io_list(j, "ioServicedRecursive", stat, "rios", "wios");
    free(stat);
}

void wh_stat_two_hugetlb(struct wh_json *j, int dirfd)
{
    struct wh_stat_sizes sizes;

    wh_stat_sizes(dirfd, "current", &sizes);
    for (unsigned i = 0; i < sizes.n; i++) {
        uint64_t usage, failed = 0;
        char name[64], *events;

        /* What is reserved is what the limit of the specification is about. */
        snprintf(name, sizeof name, "hugetlb.%s.rsvd.current", sizes.name[i]);
        if (!wh_stat_number(dirfd, name, &usage)) {
            snprintf(name, sizeof name, "hugetlb.%s.current", sizes.name[i]);
            usage = wh_stat_value(dirfd, name);
        }
        snprintf(name, sizeof name, "hugetlb.%s.events", sizes.name[i]);
        events = wh_stat_file(dirfd, name);
        wh_stat_key(events, "max", &failed);
        free(events);
        wh_json_open(j, sizes.name[i], '{');
        wh_stat_opt(j, "usage", usage);
        wh_json_u64(j, "failcnt", failed);
        wh_json_close(j, '}');
    }
}
