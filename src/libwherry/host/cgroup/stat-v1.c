/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics of v1 controllers (Documentation/admin-guide/cgroup-v1). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/stat-read.h"

#define NS 1000000000ull

/* cpuacct.usage_all: "cpu user system", then a line a processor. Its columns, or, with `total`, the numbers of cpuacct.usage_percpu. */
static void percpu(struct wh_json *j, const char *key, const char *text, unsigned column)
{
    char *copy = text ? strdup(text) : NULL, *at = copy;
    bool open = false;

    for (char *line; (line = wh_stat_line(&at)) != NULL;) {
        char *word = wh_stat_word(&line);
        uint64_t v;

        for (unsigned i = 0; word && i < column; i++)
            word = wh_stat_word(&line);
        for (; word && wh_parse_u64(word, UINT64_MAX, &v) == 0; word = column ? NULL : wh_stat_word(&line)) {
            if (!open)
                wh_json_open(j, key, '[');
            open = true;
            wh_json_u64(j, NULL, v);
        }
    }
    if (open)
        wh_json_close(j, ']');
    free(copy);
}

void wh_stat_one_usage(struct wh_json *j, int dirfd)
{
    char *each = wh_stat_file(dirfd, "cpuacct.usage_percpu"), *all = wh_stat_file(dirfd, "cpuacct.usage_all");
    char *stat = wh_stat_file(dirfd, "cpuacct.stat");
    uint64_t user = 0, system = 0, tick = (uint64_t)sysconf(_SC_CLK_TCK);

    if (stat && tick > 0) {
        /* In ticks (cpuacct.rst), which are coarser than the total. */
        wh_stat_key(stat, "user", &user);
        wh_stat_key(stat, "system", &system);
        user = wh_stat_mul(user, NS / tick);
        system = wh_stat_mul(system, NS / tick);
    }
    wh_stat_opt(j, "total", wh_stat_value(dirfd, "cpuacct.usage"));
    percpu(j, "percpu", each, 0);
    percpu(j, "percpu_kernel", all, 2);
    percpu(j, "percpu_user", all, 1);
    wh_json_u64(j, "kernel", system);
    wh_json_u64(j, "user", user);
    free(each);
    free(all);
    free(stat);
}

void wh_stat_one_throttling(struct wh_json *j, int dirfd)
{
    char *stat = wh_stat_file(dirfd, "cpu.stat");
    uint64_t v;

    if (wh_stat_key(stat, "nr_periods", &v))
        wh_stat_opt(j, "periods", v);
    if (wh_stat_key(stat, "nr_throttled", &v))
        wh_stat_opt(j, "throttledPeriods", v);
    if (wh_stat_key(stat, "throttled_time", &v))
        wh_stat_opt(j, "throttledTime", v);
    free(stat);
}

void wh_stat_one_cpuset(struct wh_json *j, int dirfd)
{
    static const char *const flags[] = { "cpu_exclusive",   "mem_hardwall",       "mem_exclusive",
                                         "memory_migrate",  "memory_spread_page", "memory_spread_slab",
                                         "memory_pressure", "sched_load_balance" };
    char name[64], text[32] = "0";

    wh_stat_list_file(j, "cpus", dirfd, "cpuset.cpus");
    wh_json_u64(j, flags[0], wh_stat_value(dirfd, "cpuset.cpu_exclusive"));
    wh_stat_list_file(j, "mems", dirfd, "cpuset.mems");
    for (size_t i = 1; i < WH_ELEMENTSOF(flags); i++) {
        snprintf(name, sizeof name, "cpuset.%s", flags[i]);
        wh_json_u64(j, flags[i], wh_stat_value(dirfd, name));
    }
    /* -1: whatever the machine's default is. */
    if (wh_read_at(dirfd, "cpuset.sched_relax_domain_level", text, sizeof text - 1) < 0 || !wh_startswith(text, "-1\n"))
        wh_json_u64(j, "sched_relax_domain_level", wh_stat_value(dirfd, "cpuset.sched_relax_domain_level"));
    else
        wh_json_i64(j, "sched_relax_domain_level", -1);
}

static void memory_entry(struct wh_json *j, const char *key, int dirfd, const char *prefix)
{
    static const struct {
        const char *key, *file;
        bool always;
    } v[] = { { "limit", "limit_in_bytes", true },
              { "usage", "usage_in_bytes", false },
              { "max", "max_usage_in_bytes", false },
              { "failcnt", "failcnt", true } };
    char name[64];

    wh_json_open(j, key, '{');
    for (size_t i = 0; i < WH_ELEMENTSOF(v); i++) {
        uint64_t n;

        snprintf(name, sizeof name, "%s.%s", prefix, v[i].file);
        n = wh_stat_value(dirfd, name);
        if (n || v[i].always)
            wh_json_u64(j, v[i].key, n);
    }
    wh_json_close(j, '}');
}

void wh_stat_one_memory(struct wh_json *j, int dirfd)
{
    char *stat = wh_stat_file(dirfd, "memory.stat");
    uint64_t cache = 0;

    /* With what is below, as usage is. */
    if (!wh_stat_key(stat, "total_cache", &cache))
        wh_stat_key(stat, "cache", &cache);
    wh_stat_opt(j, "cache", cache);
    memory_entry(j, "usage", dirfd, "memory");
    memory_entry(j, "swap", dirfd, "memory.memsw");
    memory_entry(j, "kernel", dirfd, "memory.kmem");
    memory_entry(j, "kernelTCP", dirfd, "memory.kmem.tcp");
    wh_stat_map(j, "raw", stat);
    free(stat);
}

/* "8:0 Read 4096", "8:0 4096"; the sums ("Total 4096", "8:0 Total 4096") are left out: who adds up would count all twice. */
static bool blkio_list(struct wh_stat_blkio *b, int dirfd, const char *name)
{
    char *text = wh_stat_file(dirfd, name), *at = text;
    bool some = false;

    for (char *line; (line = wh_stat_line(&at)) != NULL;) {
        char *device = wh_stat_word(&line), *op = device ? wh_stat_word(&line) : NULL;
        char *value = op ? wh_stat_word(&line) : NULL;
        uint64_t v;

        if (op && !value) {
            value = op;
            op = NULL;
        }
        if (!value || wh_streq(device, "Total") || (op && wh_streq(op, "Total")) ||
            wh_parse_u64(value, UINT64_MAX, &v) < 0)
            continue;
        wh_stat_blkio_add(b, device, op, v);
        some = true;
    }
    free(text);
    return some;
}

void wh_stat_one_blkio(struct wh_json *j, int dirfd)
{
    static const struct {
        const char *key, *file;
        bool throttle; /* counted without an I/O scheduler too */
    } v[] = { { "ioServiceBytesRecursive", "io_service_bytes_recursive", true },
              { "ioServicedRecursive", "io_serviced_recursive", true },
              { "ioQueueRecursive", "io_queued_recursive", false },
              { "ioServiceTimeRecursive", "io_service_time_recursive", false },
              { "ioWaitTimeRecursive", "io_wait_time_recursive", false },
              { "ioMergedRecursive", "io_merged_recursive", false },
              { "ioTimeRecursive", "time_recursive", false },
              { "sectorsRecursive", "sectors_recursive", false } };
    /* The scheduler's own count first: that of throttling lacks what is merged. */
    static const char *const prefixes[] = { "bfq.", "", "throttle." };

    for (size_t i = 0; i < WH_ELEMENTSOF(v); i++) {
        struct wh_stat_blkio b = { .j = j, .key = v[i].key };

        for (size_t k = 0; k < (v[i].throttle ? 3 : 2); k++) {
            char name[64];

            snprintf(name, sizeof name, "blkio.%s%s", prefixes[k], v[i].file);
            if (blkio_list(&b, dirfd, name))
                break;
        }
        wh_stat_blkio_end(&b);
    }
}

void wh_stat_one_hugetlb(struct wh_json *j, int dirfd)
{
    struct wh_stat_sizes sizes;

    wh_stat_sizes(dirfd, "usage_in_bytes", &sizes);
    for (unsigned i = 0; i < sizes.n; i++) {
        char name[64], prefix[40];
        uint64_t v;

        /* What is reserved is what the limit of the specification is about. */
        snprintf(prefix, sizeof prefix, "hugetlb.%s.rsvd", sizes.name[i]);
        snprintf(name, sizeof name, "%s.usage_in_bytes", prefix);
        if (!wh_stat_number(dirfd, name, &v))
            snprintf(prefix, sizeof prefix, "hugetlb.%s", sizes.name[i]);
        wh_json_open(j, sizes.name[i], '{');
        snprintf(name, sizeof name, "%s.usage_in_bytes", prefix);
        wh_stat_opt(j, "usage", wh_stat_value(dirfd, name));
        snprintf(name, sizeof name, "%s.max_usage_in_bytes", prefix);
        wh_stat_opt(j, "max", wh_stat_value(dirfd, name));
        snprintf(name, sizeof name, "%s.failcnt", prefix);
        wh_json_u64(j, "failcnt", wh_stat_value(dirfd, name));
        wh_json_close(j, '}');
    }
}
