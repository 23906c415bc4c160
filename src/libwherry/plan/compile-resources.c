/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.resources: memory, cpu, cpuset, pids. Files and formulas: Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/ of the kernel, and the conversions that the runtimes have in common. 0 is "not set" for every number
 * but pids.limit, swappiness, cpu.idle, cpu.burst of a change and the sizes of hugepageLimits: engines send all
 * properties, as zeros.
 */
#include "plan/compile-resources.h"

#include <errno.h>

static const struct wh_controller memory = { "memory", "memory" }, cpu = { "cpu", "cpu" },
                                  cpuset = { "cpuset", "cpuset" }, pids = { "pids", "pids" };

/* ---------------------------------------------------------------- shared */

const struct wh_v1_hierarchy *wh_compile_v1(const struct wh_compile *c, const char *controller)
{
    /* On a unified host nothing of v1 counts, not even a mount that somebody made. */
    if (c->facts->cgroup_mode != WH_CGROUP_HYBRID)
        return NULL;
    for (size_t i = 0; i < c->facts->nv1; i++)
        if (wh_compile_has_word(c->facts->v1[i].controllers, controller))
            return &c->facts->v1[i];
    return NULL;
}

static struct wh_cg_write *grow(struct wh_res *x, struct wh_cg_write **v, size_t *n, size_t *cap)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 16;
        struct wh_cg_write *to = wh_arena_new_array(x->c->arena, struct wh_cg_write, more);

        if (!to) {
            x->c->failed = true;
            return NULL;
        }
        if (*n)
            memcpy(to, *v, *n * sizeof *to);
        *v = to;
        *cap = more;
    }
    return &(*v)[(*n)++];
}

void wh_res_put(struct wh_res *x, enum wh_res_at at, const struct wh_controller *controller, wh_node src,
                const char *file, const char *value, uint32_t flags)
{
    struct wh_cg_write *w;

    if (at == WH_RES_NOWHERE)
        return;
    if (!file || !value) {
        x->c->failed = true;
        return;
    }
    w = grow(x, &x->out->v, &x->out->n, &x->out->cap);
    if (w)
        *w = (struct wh_cg_write){ src, at == WH_RES_V1 ? controller->one : "unified", file, value, flags };
}

void wh_res_skip(struct wh_res *x, wh_node src, const char *what, const char *value, const char *controller)
{
    struct wh_cg_write *w;

    if (x->mode == WH_RES_LOOK)
        return;
    w = grow(x, &x->out->skipped, &x->out->nskipped, &x->out->skipped_cap);
    if (w)
        *w = (struct wh_cg_write){ src, controller, what, value, 0 };
}

enum wh_res_at wh_res_at(struct wh_res *x, enum wh_res_kind kind, const struct wh_controller *controller, wh_node src,
                         const char *what, const char *value)
{
    const char *name = controller->two ? controller->two : controller->one;

    if (kind == WH_RES_LIMIT && !x->out->limited) {
        x->out->limited = true;
        x->out->first = src;
    }
    if (x->mode == WH_RES_LOOK)
        return WH_RES_NOWHERE;
    if (x->mode == WH_RES_HOST) {
        if (controller->one && wh_compile_v1(x->c, controller->one))
            return WH_RES_V1;
        if (controller->two && wh_compile_has_word(x->c->facts->cgroup2_controllers, controller->two))
            return WH_RES_UNIFIED;
    }
    if (kind == WH_RES_WEIGHT)
        wh_res_skip(x, src, what, value, name);
    if (kind != WH_RES_LIMIT)
        return WH_RES_NOWHERE;
    if (x->mode == WH_RES_NO_CGROUP)
        wh_compile_err(x->c, -EINVAL, src, "%s %s: there is no cgroup to set it in (--cgroup-manager=disabled)", what,
                       value);
    else if (x->c->facts->cgroup2_delegated)
        wh_compile_err(x->c, -EOPNOTSUPP, src,
                       "%s %s: the cgroup controller %s is not delegated to this user (systemctl edit user@.service: "
                       "[Service] Delegate=cpuset cpu io memory pids)",
                       what, value, name);
    else
        wh_compile_err(x->c, -EOPNOTSUPP, src, "%s %s: this host does not offer the cgroup controller %s", what, value,
                       name);
    return WH_RES_NOWHERE;
}

const char *wh_res_i64(struct wh_res *x, int64_t v)
{
    const char *s = wh_arena_printf(x->c->arena, "%lld", (long long)v);

    x->c->failed |= !s;
    return s ? s : "";
}

const char *wh_res_u64(struct wh_res *x, uint64_t v)
{
    const char *s = wh_arena_printf(x->c->arena, "%llu", (unsigned long long)v);

    x->c->failed |= !s;
    return s ? s : "";
}

const char *wh_res_max(struct wh_res *x, int64_t v)
{
    return v == -1 ? "max" : wh_res_i64(x, v);
}

static enum wh_res_kind kind_of(int64_t v)
{
    return v < 0 ? WH_RES_OPEN : WH_RES_LIMIT;
}

/* A property that only v1 hierarchies can do. */
static void only_v1(struct wh_res *x, wh_node src, const char *what, const char *value, const char *why)
{
    wh_compile_err(x->c, -EOPNOTSUPP, src, "%s %s: %s", what, value, why);
}

/* ---------------------------------------------------------------- memory */

/* What spec says of config.json; here for limits that come from elsewhere, too. */
static bool swap_possible(struct wh_res *x, int64_t limit, const struct wh_opt_i64 *swap)
{
    if (swap->v <= 0 || (limit > 0 && swap->v >= limit))
        return true;
    if (x->mode != WH_RES_LOOK)
        wh_compile_err(x->c, -EINVAL, swap->src,
                       limit <= 0 ? "unable to set swap limit without memory limit"
                                  : "memory+swap limit should be >= memory limit");
    return false;
}

/* memory.swap of the specification is memory and swap together, as on v1; in cgroup2 each has its own limit. */
static void memory_and_swap(struct wh_res *x)
{
    const struct wh_opt_i64 *limit = &x->r->memory.limit;
    struct wh_opt_i64 swap = x->r->memory.swap;
    uint32_t check = x->r->memory.check_before_update.v ? WH_CGW_ABOVE_USE : 0;
    enum wh_res_at at;

    if (!swap_possible(x, limit->v, &swap))
        return;
    /* Of a change, or beside a limit, it is one of the zeros that engines send. */
    if (swap.set && swap.v == 0 && !limit->set && x->mode == WH_RES_HOST && !x->c->spec->changes)
        wh_compile_warn(
            x->c, -EINVAL, swap.src,
            "swap limit 0 without a memory limit has no effect: 0 is no limit, and swap is limited with memory");
    /* Else the memory would be unlimited, and memory and swap together limited by what was set before. */
    if (limit->v == -1 && swap.v == 0)
        swap = (struct wh_opt_i64){ .set = true, .src = limit->src, .v = -1 };
    if (limit->v) {
        const char *value = wh_res_i64(x, limit->v);

        at = wh_res_at(x, kind_of(limit->v), &memory, limit->src, "memory limit", value);
        /* On v1 memory alone must never be more than both: whichever goes the way of the change first. */
        if (at == WH_RES_V1)
            wh_res_put(x, at, &memory, limit->src, "memory.limit_in_bytes", value, swap.v ? WH_CGW_RETRY : 0);
        else
            wh_res_put(x, at, &memory, limit->src, "memory.max", wh_res_max(x, limit->v), limit->v > 0 ? check : 0);
    }
    if (swap.v) {
        const char *value = wh_res_i64(x, swap.v);

        at = wh_res_at(x, kind_of(swap.v), &memory, swap.src, "swap limit", value);
        /* The files are missing where swap is not accounted, or there is none: nothing is lost then if none was to be had, or any amount. */
        if (at == WH_RES_V1)
            wh_res_put(x, at, &memory, swap.src, "memory.memsw.limit_in_bytes", value,
                       swap.v == -1 ? WH_CGW_MAY_LACK : 0);
        else if (swap.v == -1)
            wh_res_put(x, at, &memory, swap.src, "memory.swap.max", "max", WH_CGW_MAY_LACK);
        else if (swap.v == limit->v)
            wh_res_put(x, at, &memory, swap.src, "memory.swap.max", "0", WH_CGW_MAY_LACK | check);
        else
            wh_res_put(x, at, &memory, swap.src, "memory.swap.max", wh_res_i64(x, swap.v - limit->v), check);
    }
}

/* What only the v1 controller can do, or (no file) once could. */
static void of_v1(struct wh_res *x, wh_node src, const char *what, const char *value, const char *file,
                  const char *why_not)
{
    enum wh_res_at at = wh_res_at(x, WH_RES_LIMIT, &memory, src, what, value);

    if (at == WH_RES_UNIFIED)
        only_v1(x, src, what, value, why_not);
    else if (at == WH_RES_V1 && file)
        wh_res_put(x, at, &memory, src, file, value, 0);
    else if (at == WH_RES_V1)
        wh_res_skip(x, src, what, value, "memory.kmem");
}

static void compile_memory(struct wh_res *x)
{
    const typeof(x->r->memory) *m = &x->r->memory;

    memory_and_swap(x);
    if (m->reservation.v) {
        const char *value = wh_res_i64(x, m->reservation.v);
        enum wh_res_at at =
            wh_res_at(x, kind_of(m->reservation.v), &memory, m->reservation.src, "memory reservation", value);

        if (at == WH_RES_V1)
            wh_res_put(x, at, &memory, m->reservation.src, "memory.soft_limit_in_bytes", value, 0);
        else
            wh_res_put(x, at, &memory, m->reservation.src, "memory.low", wh_res_max(x, m->reservation.v), 0);
    }
    if (m->swappiness.set)
        of_v1(x, m->swappiness.src, "swappiness", wh_res_u64(x, m->swappiness.v), "memory.swappiness",
              "cgroup2 has none for a cgroup: leave it out");
    if (m->disable_oom_killer.v)
        of_v1(x, m->disable_oom_killer.src, "disableOOMKiller", "1", "memory.oom_control",
              "cgroup2 cannot turn the OOM killer off: leave it out");
    /* Kernel memory is part of memory.limit since there is no limit of its own: the old file takes values and does nothing (Linux 5.16).
     * useHierarchy has no meaning left: it is always so. */
    if (m->kernel.v > 0)
        of_v1(x, m->kernel.src, "kernel memory limit", wh_res_i64(x, m->kernel.v), NULL,
              "cgroup2 counts it in memory.limit: leave it out");
    if (m->kernel_tcp.v > 0)
        of_v1(x, m->kernel_tcp.src, "kernel TCP memory limit", wh_res_i64(x, m->kernel_tcp.v), NULL,
              "cgroup2 counts it in memory.limit: leave it out");
}

/* ---------------------------------------------------------------- cpu */

#define FRACTION 40 /* bits behind the point */

/* log2(v) with FRACTION bits, rounded down; v > 0. Squaring the mantissa shifts the next bit of its logarithm out of it. */
static uint64_t log2_of(uint64_t v)
{
    unsigned whole = 63u - (unsigned)__builtin_clzll(v);
    uint64_t mantissa = v << (63 - whole), r = whole; /* mantissa: 1.0 is bit 63 */

    for (unsigned i = 0; i < FRACTION; i++) {
        __extension__ unsigned __int128 square = (unsigned __int128)mantissa * mantissa;
        bool two = square >> 127;

        mantissa = (uint64_t)(square >> (two ? 64 : 63));
        r = r << 1 | two;
    }
    return r;
}

uint32_t wh_cpu_weight(uint64_t shares)
{
    uint64_t l, log2_10 = log2_of(10);
    __extension__ unsigned __int128 exponent;
    uint64_t wanted;
    uint32_t low = 1, high = 10000;

    if (shares <= 2)
        return 1;
    if (shares >= 262144)
        return 10000;
    /* weight >= 10^((l^2 + 125 l - 126) / 612) is 612 log2(weight) >= (l^2 + 125 l - 126) log2(10). */
    l = log2_of(shares);
    exponent = ((__extension__(unsigned __int128) l * l) >> FRACTION) + 125 * (__extension__(unsigned __int128) l) -
               ((__extension__(unsigned __int128) 126) << FRACTION);
    wanted = (uint64_t)((exponent * log2_10) >> FRACTION);
    /* Where it is a whole number (1024 shares), rounding down 40 bits must not make it one more. The next that is not whole is further from
     * one than this for all 262141 shares (tests/unit/resources.c looks at them all). */
    wanted -= 1u << (FRACTION - 28);
    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (612 * log2_of(middle) >= wanted)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void cpu_weight(struct wh_res *x)
{
    const typeof(x->r->cpu) *p = &x->r->cpu;
    const char *value;
    enum wh_res_at at;

    /* First: a group that is idle takes no weight. */
    if (p->idle.set) {
        value = wh_res_i64(x, p->idle.v);
        at = wh_res_at(x, p->idle.v ? WH_RES_LIMIT : WH_RES_OPEN, &cpu, p->idle.src, "cpu idle", value);
        wh_res_put(x, at, &cpu, p->idle.src, "cpu.idle", value, p->idle.v ? 0 : WH_CGW_MAY_LACK);
    }
    if (!p->shares.v)
        return;
    value = wh_res_u64(x, p->shares.v);
    at = wh_res_at(x, WH_RES_WEIGHT, &cpu, p->shares.src, "cpu shares", value);
    if (at != WH_RES_NOWHERE && p->idle.v == 1) {
        wh_compile_err(x->c, -EINVAL, p->shares.src,
                       "cpu shares %s: with cpu.idle 1 the kernel takes no weight: make it 0", value);
    } else if (at == WH_RES_V1) {
        /* The kernel would take the nearest of these, and say nothing. */
        if (p->shares.v < 2 || p->shares.v > 262144)
            wh_compile_err(x->c, -EINVAL, p->shares.src, "cpu shares %s: this host takes 2 to 262144", value);
        wh_res_put(x, at, &cpu, p->shares.src, "cpu.shares", value, 0);
    } else {
        wh_res_put(x, at, &cpu, p->shares.src, "cpu.weight", wh_res_u64(x, wh_cpu_weight(p->shares.v)), 0);
    }
}

static void cpu_bandwidth(struct wh_res *x)
{
    const typeof(x->r->cpu) *p = &x->r->cpu;
    int64_t quota = p->quota.v;
    uint64_t period = p->period.v;
    wh_node src = quota ? p->quota.src : p->period.src;
    enum wh_res_at at = WH_RES_NOWHERE, burst;

    if (quota || period)
        at = wh_res_at(x, quota > 0 ? WH_RES_LIMIT : WH_RES_OPEN, &cpu, src, "cpu quota", wh_res_i64(x, quota));
    /* A shorter period, or a smaller burst, may only fit the new quota. */
    if (at == WH_RES_V1 && period)
        wh_res_put(x, at, &cpu, p->period.src, "cpu.cfs_period_us", wh_res_u64(x, period), quota ? WH_CGW_RETRY : 0);
    /* A change to 0 is one, as with runc; a new cgroup has none. */
    if (p->burst.v || (p->burst.set && x->c->spec->changes)) {
        burst = wh_res_at(x, p->burst.v ? WH_RES_LIMIT : WH_RES_OPEN, &cpu, p->burst.src, "cpu burst",
                          wh_res_u64(x, p->burst.v));
        /* Without the file there is less to burst with, and no limit is lost. */
        wh_res_put(x, burst, &cpu, p->burst.src, burst == WH_RES_V1 ? "cpu.cfs_burst_us" : "cpu.max.burst",
                   wh_res_u64(x, p->burst.v),
                   (quota || (period && burst == WH_RES_UNIFIED) ? WH_CGW_RETRY : 0) |
                       (burst == WH_RES_V1 || !p->burst.v ? WH_CGW_MAY_LACK : 0));
    }
    if (at == WH_RES_V1 && quota) {
        wh_res_put(x, at, &cpu, p->quota.src, "cpu.cfs_quota_us", wh_res_i64(x, quota > 0 ? quota : -1), 0);
    } else if (at == WH_RES_UNIFIED) {
        const char *value = wh_arena_printf(x->c->arena, "%s %llu", quota > 0 ? wh_res_i64(x, quota) : "max",
                                            (unsigned long long)(period ? period : 100000));

        wh_res_put(x, at, &cpu, src, "cpu.max", value, 0);
    }
}

static void cpu_realtime(struct wh_res *x)
{
    const typeof(x->r->cpu) *p = &x->r->cpu;
    wh_node src = p->rt_runtime.v ? p->rt_runtime.src : p->rt_period.src;
    const char *what = p->rt_runtime.v ? "cpu realtimeRuntime" : "cpu realtimePeriod";
    const char *value = p->rt_runtime.v ? wh_res_i64(x, p->rt_runtime.v) : wh_res_u64(x, p->rt_period.v);
    enum wh_res_at at;

    if (!p->rt_runtime.v && !p->rt_period.v)
        return;
    at = wh_res_at(x, WH_RES_LIMIT, &cpu, src, what, value);
    if (at == WH_RES_UNIFIED)
        only_v1(x, src, what, value, "cgroup2 has no limits for realtime processes: leave it out");
    if (at != WH_RES_V1)
        return;
    if (p->rt_period.v)
        wh_res_put(x, at, &cpu, p->rt_period.src, "cpu.rt_period_us", wh_res_u64(x, p->rt_period.v),
                   p->rt_runtime.v ? WH_CGW_RETRY : 0);
    if (p->rt_runtime.v)
        wh_res_put(x, at, &cpu, p->rt_runtime.src, "cpu.rt_runtime_us", value, 0);
}

static void compile_cpuset(struct wh_res *x, const struct wh_sstr *list, const char *what, const char *file)
{
    if (list->v && *list->v)
        wh_res_put(x, wh_res_at(x, WH_RES_LIMIT, &cpuset, list->src, what, list->v), &cpuset, list->src, file, list->v,
                   0);
}

/* ---------------------------------------------------------------- pids */

/* Until 1.3 of the specification the limit was a plain number whose zero is "not set", and engines of that time send 0 for
 * "unlimited" (podman run --pids-limit -1). Since 1.3 it is optional, and 0 is a limit. */
static bool zero_is_a_limit(const struct wh_spec *spec)
{
    const char *version = spec->oci_version.v ? spec->oci_version.v : "";

    return !wh_startswith(version, "1.0.") && !wh_startswith(version, "1.1.") && !wh_startswith(version, "1.2.");
}

static void compile_pids(struct wh_res *x)
{
    const struct wh_opt_i64 *limit = &x->r->pids.limit;
    const char *value = wh_res_max(x, limit->v);

    if (!x->r->pids.set || !limit->set || (limit->v == 0 && !zero_is_a_limit(x->c->spec)))
        return;
    if (limit->v < -1)
        wh_compile_err(x->c, -EINVAL, limit->src, "pids limit %s: it is -1 (unlimited) or a number of processes",
                       value);
    else
        wh_res_put(x, wh_res_at(x, kind_of(limit->v), &pids, limit->src, "pids limit", value), &pids, limit->src,
                   "pids.max", value, 0);
}

void wh_compile_resources(struct wh_compile *c, const struct wh_resources *r, enum wh_res_mode mode,
                          struct wh_cg_writes *ret)
{
    struct wh_res x = { .c = c, .r = r, .out = ret, .mode = mode };

    *ret = (struct wh_cg_writes){ 0 };
    compile_pids(&x);
    compile_memory(&x);
    cpu_weight(&x);
    cpu_bandwidth(&x);
    cpu_realtime(&x);
    compile_cpuset(&x, &r->cpu.cpus, "cpus", "cpuset.cpus");
    compile_cpuset(&x, &r->cpu.mems, "mems", "cpuset.mems");
    wh_res_block_io(&x);
    wh_res_others(&x);
    /* After the typed ones: who writes raw keys knows better. */
    wh_res_unified(&x);
}
