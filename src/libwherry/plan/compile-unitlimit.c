/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits as properties of the container's unit (systemd.resource-control(5)). We write the cgroup's files ourselves; but systemd writes them too,
 * from the properties, whenever it has a reason to apply the unit again (daemon-reload, a change of a neighbour's controllers), and a limit that
 * it does not know of would then be gone.
 */
#include "plan/plan.h"

#include <string.h>

#define INFINITY_TEXT "18446744073709551615"

struct limits {
    struct wh_arena *arena;
    struct wh_unit_prop *v;
    size_t n;
};

/* Nothing when there is no value. Memory that cannot be had is seen by who looks at the arena. */
static void put(struct limits *l, wh_node src, const char *name, const char *type, const char *value)
{
    const char **v = value ? wh_arena_new_array(l->arena, const char *, 1) : NULL;

    if (!v)
        return;
    v[0] = value;
    l->v[l->n++] = (struct wh_unit_prop){ src, name, type, v, 1 };
}

/* "max" is what systemd calls infinity. It refuses a zero for some; those count pages, or one's own process, so that one is as little. */
static const char *amount(const char *value, bool zero)
{
    uint64_t n;

    if (wh_streq(value, "max") || wh_streq(value, "-1"))
        return INFINITY_TEXT;
    if (wh_parse_u64(value, UINT64_MAX - 1, &n) < 0)
        return NULL;
    return n == 0 && !zero ? "1" : value;
}

/* The value that is written to the file, or null. */
static const char *among(const struct wh_cg_write *v, size_t n, const char *controller, const char *file)
{
    for (size_t i = 0; i < n; i++)
        if (wh_streq(v[i].controller, controller) && wh_streq(v[i].file, file))
            return v[i].value;
    return NULL;
}

/* "QUOTA PERIOD" of cpu.max, in microseconds each. */
static void cpu_max(struct limits *l, wh_node src, const char *value)
{
    size_t len = strcspn(value, " ");
    const char *first = wh_arena_strndup(l->arena, value, len), *quota = NULL;
    uint64_t q, period = 100000;

    if (!first || (value[len] && (wh_parse_u64(value + len + 1, UINT32_MAX, &period) < 0 || period == 0)))
        return;
    if (wh_streq(first, "max")) {
        quota = INFINITY_TEXT;
    } else if (wh_parse_u64(first, UINT64_MAX / 1000000, &q) == 0 && q > 0) {
        uint64_t second = q * 1000000 / period;

        /* systemd counts in hundredths of a processor; less than was asked for would be too little. */
        second += second % 10000 ? 10000 - second % 10000 : 0;
        quota = wh_arena_printf(l->arena, "%llu", (unsigned long long)(second ? second : 10000));
    }
    if (!quota)
        return;
    put(l, src, "CPUQuotaPerSecUSec", "t", quota);
    put(l, src, "CPUQuotaPeriodUSec", "t", wh_arena_printf(l->arena, "%llu", (unsigned long long)period));
}

/* v1: systemd makes shares of the weight, 1024 of 100. Quota and period are two files and one property. */
static void cpu_v1(struct limits *l, const struct wh_cg_write *v, size_t n, size_t at)
{
    const char *quota = among(v, n, "cpu", "cpu.cfs_quota_us"), *period = among(v, n, "cpu", "cpu.cfs_period_us");
    uint64_t shares;

    if (wh_streq(v[at].file, "cpu.shares") && wh_parse_u64(v[at].value, UINT32_MAX, &shares) == 0) {
        shares = shares * 100 / 1024;
        put(l, v[at].src, "CPUWeight", "t",
            wh_arena_printf(l->arena, "%llu",
                            (unsigned long long)(shares < 1       ? 1
                                                 : shares > 10000 ? 10000
                                                                  : shares)));
    } else if (wh_streq(v[at].file, "cpu.cfs_quota_us")) {
        if (wh_streq(quota, "-1"))
            quota = "max";
        cpu_max(l, v[at].src, period ? wh_arena_printf(l->arena, "%s %s", quota, period) : quota);
    } else if (wh_streq(v[at].file, "cpu.cfs_period_us") && !quota) {
        put(l, v[at].src, "CPUQuotaPeriodUSec", "t", v[at].value);
    }
}

/* "0-3,8" as a bit mask, lowest byte first, in hexadecimal digits; no digit at all for the list that is empty. Null when it is no such list. */
static const char *mask(struct wh_arena *arena, const char *list)
{
    static const char hex[] = "0123456789abcdef";
    enum { BITS = 8192 };
    unsigned char bits[BITS / 8] = { 0 };
    size_t top = 0;
    char *to;

    for (const char *s = list; *s && *s != '\n'; s += *s == ',') {
        size_t len = strcspn(s, ",\n"), n = strcspn(s, ",-\n");
        char *a = wh_arena_strndup(arena, s, n);
        char *b = n < len ? wh_arena_strndup(arena, s + n + 1, len - n - 1) : a;
        uint64_t from, end;

        if (!a || !b || wh_parse_u64(a, BITS - 1, &from) < 0 || wh_parse_u64(b, BITS - 1, &end) < 0 || from > end)
            return NULL;
        for (; from <= end; from++)
            bits[from / 8] |= (unsigned char)(1u << from % 8);
        top = end / 8 + 1 > top ? end / 8 + 1 : top;
        s += len;
    }
    to = wh_arena_alloc(arena, top * 2 + 1);
    if (!to)
        return NULL;
    for (size_t i = 0; i < top; i++) {
        to[2 * i] = hex[bits[i] >> 4];
        to[2 * i + 1] = hex[bits[i] & 15];
    }
    to[2 * top] = '\0';
    return to;
}

size_t wh_unit_limit(struct wh_arena *arena, const struct wh_cg_write *v, size_t n, size_t at,
                     struct wh_unit_prop ret[WH_UNIT_LIMIT_MAX])
{
    static const struct {
        const char *controller, *file, *property;
        bool zero;
    } amounts[] = {
        { "unified", "memory.max", "MemoryMax", false },
        { "unified", "memory.high", "MemoryHigh", false },
        { "unified", "memory.low", "MemoryLow", true },
        { "unified", "memory.min", "MemoryMin", true },
        { "unified", "memory.swap.max", "MemorySwapMax", true },
        { "unified", "pids.max", "TasksMax", false },
        { "unified", "cpu.weight", "CPUWeight", false },
        { "memory", "memory.limit_in_bytes", "MemoryMax", false },
        { "pids", "pids.max", "TasksMax", false },
    };
    struct limits l = { arena, ret, 0 };
    const char *file = v[at].file, *value = v[at].value;
    wh_node src = v[at].src;

    for (size_t i = 0; i < WH_ELEMENTSOF(amounts); i++)
        /* An idle cgroup's weight reads as zero. */
        if (wh_streq(v[at].controller, amounts[i].controller) && wh_streq(file, amounts[i].file) &&
            !(wh_streq(file, "cpu.weight") && wh_streq(value, "0")))
            put(&l, src, amounts[i].property, "t", amount(value, amounts[i].zero));
    if (wh_streq(v[at].controller, "cpu"))
        cpu_v1(&l, v, n, at);
    if (!wh_streq(v[at].controller, "unified"))
        return l.n;
    if (wh_streq(file, "cpu.max"))
        cpu_max(&l, src, value);
    else if (wh_streq(file, "io.weight"))
        put(&l, src, "IOWeight", "t",
            amount(wh_startswith(value, "default ") ? value + strlen("default ") : value, false));
    else if (wh_streq(file, "cpuset.cpus"))
        put(&l, src, "AllowedCPUs", "ay", mask(arena, value));
    else if (wh_streq(file, "cpuset.mems"))
        put(&l, src, "AllowedMemoryNodes", "ay", mask(arena, value));
    return l.n;
}
