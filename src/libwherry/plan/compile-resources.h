/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_COMPILE_RESOURCES_H
#define WH_PLAN_COMPILE_RESOURCES_H

#include "plan/compile.h"

/* linux.resources to what is written to which file. Used by create, which puts it into the plan, and by whoever changes the limits of a
 * container that is there. */
struct wh_cg_writes {
    struct wh_cg_write *v; /* in the order to write them; in arena */
    size_t n, cap;
    struct wh_cg_write
        *skipped; /* weights that nothing here weighs; controller is the missing one, value what was asked for */
    size_t nskipped, skipped_cap;
    bool limited; /* something is really limited: not all of it is weights and "unlimited" */
    wh_node first; /* the first that is */
};

/* Where it goes: the controllers of the facts; no cgroup at all (every limit is an error); or nowhere, only `limited` is found out. */
enum wh_res_mode { WH_RES_HOST, WH_RES_NO_CGROUP, WH_RES_LOOK };

/*
 * Of `c`, only spec (for places and the version), facts, arena and errs are used. Everything of `r` but the device rules and what `update`
 * has to merge first. Errors (values that cannot be, limits whose controller is not on this host) go to c->errs, and c->failed is set.
 */
void wh_compile_resources(struct wh_compile *c, const struct wh_resources *r, enum wh_res_mode mode,
                          struct wh_cg_writes *ret);

/* The v1 hierarchy of the controller; null on a unified host, or when there is none. */
const struct wh_v1_hierarchy *wh_compile_v1(const struct wh_compile *c, const char *controller);

/*
 * cpu.weight (1 to 10000) for cpu.shares (2 to 262144; 0 is the caller's to leave out):
 * ceil(10^((l^2 + 125 l) / 612 - 7/34)), l = log2(shares). Through (2, 1), (1024, 100) and (262144, 10000): the least, the default and the
 * most of both. All common runtimes have used it since 2025; weights of the older linear formula are not comparable to these.
 */
uint32_t wh_cpu_weight(uint64_t shares);
/* io.weight (1 to 10000) for a blockIO weight (10 to 1000): linear, 1 + (w - 10) * 9999 / 990. */
uint32_t wh_io_weight(uint32_t weight);

/* ---- shared by compile-resources.c and compile-blockio.c ---- */
struct wh_res {
    struct wh_compile *c;
    const struct wh_resources *r;
    struct wh_cg_writes *out;
    enum wh_res_mode mode;
};

/* A controller by its name in cgroup2 and in v1; null where it does not exist. */
struct wh_controller {
    const char *two, *one;
};

/* LIMIT: an error without its controller. WEIGHT: skipped, and noted. OPEN: "unlimited", which is so without a controller. */
enum wh_res_kind { WH_RES_LIMIT, WH_RES_WEIGHT, WH_RES_OPEN };
enum wh_res_at { WH_RES_NOWHERE, WH_RES_V1, WH_RES_UNIFIED };

/* Where the controller is; says what has to be said when it is nowhere. `what` and `value` name the property: "cpu quota", "20000". */
enum wh_res_at wh_res_at(struct wh_res *x, enum wh_res_kind kind, const struct wh_controller *controller, wh_node src,
                         const char *what, const char *value);
void wh_res_put(struct wh_res *x, enum wh_res_at at, const struct wh_controller *controller, wh_node src,
                const char *file, const char *value, uint32_t flags);
void wh_res_skip(struct wh_res *x, wh_node src, const char *what, const char *value, const char *controller);
const char *wh_res_i64(struct wh_res *x, int64_t v);
const char *wh_res_u64(struct wh_res *x, uint64_t v);
/* "max" for -1. */
const char *wh_res_max(struct wh_res *x, int64_t v);

/* compile-blockio.c: blockIO. */
void wh_res_block_io(struct wh_res *x);
/* compile-unified.c: hugepageLimits, rdma, network; and the raw keys, which come last. */
void wh_res_others(struct wh_res *x);
void wh_res_unified(struct wh_res *x);

#endif
