/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUs the process may use: all of its cpuset's, unless execCPUAffinity says otherwise. */
#include "plan/compile.h"

#include <errno.h>

/* As many as the kernel can be built for (CONFIG_NR_CPUS); it ignores bits beyond those that it has. */
#define MAX_CPUS 8192u

/* The blanks around it, too: the specification's pattern allows them. */
static uint64_t number(const char **p)
{
    uint64_t n = 0;

    *p += strspn(*p, " ");
    for (; **p >= '0' && **p <= '9'; (*p)++)
        n = n < MAX_CPUS ? n * 10 + (uint64_t)(**p - '0') : n;
    *p += strspn(*p, " ");
    return n;
}

/* Of "0-3,7", whose form the spec has checked. False when it names a CPU that no kernel has. */
static bool parse(const char *p, uint64_t mask[MAX_CPUS / 64], size_t *ret_words)
{
    *ret_words = 0;
    while (*p) {
        uint64_t first = number(&p), last = first;

        if (*p == '-') {
            p++;
            last = number(&p);
        }
        if (last >= MAX_CPUS || last < first)
            return false;
        for (uint64_t cpu = first; cpu <= last; cpu++)
            mask[cpu / 64] |= UINT64_C(1) << cpu % 64;
        if (last / 64 + 1 > *ret_words)
            *ret_words = last / 64 + 1;
        /* A separator; nothing else can stand here. */
        p += *p != '\0';
    }
    return *ret_words > 0;
}

static bool build(struct wh_compile *c, const struct wh_sstr *list, wh_off *ret_cpus, struct wh_bytes *ret_mask)
{
    uint64_t *mask = wh_arena_new_array(c->arena, uint64_t, MAX_CPUS / 64);
    size_t words;

    if (!mask) {
        c->failed = true;
        return false;
    }
    if (!parse(list->v, mask, &words)) {
        wh_compile_err(c, -EINVAL, list->src, "\"%s\" has a CPU above %u", list->v, MAX_CPUS - 1);
        return false;
    }
    *ret_cpus = wh_build_str(c->b, list->v);
    *ret_mask = wh_build_bytes(c->b, mask, words * sizeof *mask);
    return true;
}

static bool given(const struct wh_sstr *s)
{
    return s->v && *s->v;
}

void wh_compile_affinity(struct wh_compile *c)
{
    const struct wh_sstr *initial = &c->process->exec_cpu_affinity.initial,
                         *final = &c->process->exec_cpu_affinity.final;
    static const uint64_t all[MAX_CPUS / 64] = { [0 ... MAX_CPUS / 64 - 1] = UINT64_MAX };
    bool exec = c->req->verb == WH_VERB_EXEC;
    struct wh_step_cpu_initial *before;
    struct wh_step_affinity *s;

    if (exec && given(initial)) {
        before = WH_STEP(c, CPU_INITIAL, cpu_initial, initial->src);
        if (before)
            build(c, initial, &before->cpus, &before->mask);
        /* What is left of it in the cpuset is what the specification leaves to the kernel. */
        if (!given(final))
            return;
    }
    s = WH_STEP(c, AFFINITY, affinity, exec && given(final) ? final->src : 0);
    if (!s)
        return;
    if (exec && given(final)) {
        build(c, final, &s->cpus, &s->mask);
        return;
    }
    /* A runtime that was started on one CPU, by taskset or by a scheduler, must not pin the container to it. */
    s->cpus = wh_build_str(c->b, "all");
    s->mask = wh_build_bytes(c->b, all, sizeof all);
}
