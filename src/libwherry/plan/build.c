/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/plan.h"

#include <errno.h>

/*
 * Each area grows by chunks that never move, so that a step and an interned string stay where they are and nothing is
 * copied twice. The data area comes last in the blob (EXEC writes into it, and must not reach a step), so its offsets are
 * counted from its own start until wh_build_finish() knows where that is; the table of ops says which fields they are.
 */
struct chunk {
    struct chunk *next;
    size_t base, used, cap; /* base: offset of its first byte in the area */
    unsigned char bytes[];
};
struct area {
    struct chunk *first, *last;
    size_t size; /* bytes used, with the gaps between chunks */
};
struct interned {
    uint32_t hash;
    wh_off off; /* 0 = free */
    const char *s;
};

/* Data offsets start here: 0 is null. */
#define DATA_BIAS 8u
#define CHUNK_MIN 4096u
#define CHUNK_MAX (256u << 10)

/* A vector of string offsets in the data area. Listed, because two steps may share one, and it is moved once. */
struct strvec {
    wh_off *at;
    uint32_t n;
};

struct wh_build {
    struct wh_arena *arena;
    struct area steps, hosts, data;
    struct area strvecs; /* of struct strvec; not part of the blob */
    uint32_t nsteps, nhost, preserve;
    uint64_t host_slots;
    wh_slot next_slot;
    struct interned *table;
    size_t ntable, nstrings;
    int failed; /* -ENOMEM or -E2BIG; the first one */
};

struct wh_build *wh_build_new(struct wh_arena *arena)
{
    struct wh_build *b = wh_arena_alloc(arena, sizeof *b);

    if (!b)
        return NULL;
    b->arena = arena;
    b->next_slot = WH_SLOT_FREE;
    b->data.size = DATA_BIAS;
    return b;
}

static void *build_fail(struct wh_build *b, int code)
{
    if (!b->failed)
        b->failed = code;
    return NULL;
}

/* `len` zeroed bytes, aligned to `align` (4 or 8) in the area; null after a failure. */
static void *area_add(struct wh_build *b, struct area *a, size_t len, size_t align, size_t *ret_off)
{
    size_t off = (a->size + align - 1) & ~(align - 1), cap;
    struct chunk *c = a->last;
    void *p;

    if (b->failed)
        return NULL;
    if (len > WH_PLAN_MAX_BYTES || off + len > WH_PLAN_MAX_BYTES)
        return build_fail(b, -E2BIG);
    if (!c || off - c->base + len > c->cap) {
        /* Doubling keeps the number of chunks small; the ceiling keeps the waste of the last one small. */
        cap = !c ? CHUNK_MIN : c->cap < CHUNK_MAX ? c->cap * 2 : CHUNK_MAX;
        if (cap < len)
            cap = len;
        off = (a->size + 7) & ~(size_t)7;
        c = wh_arena_alloc(b->arena, sizeof *c + cap);
        if (!c)
            return build_fail(b, -ENOMEM);
        c->cap = cap;
        c->base = off;
        if (a->last)
            a->last->next = c;
        else
            a->first = c;
        a->last = c;
    }
    p = c->bytes + (off - c->base);
    c->used = off - c->base + len;
    a->size = off + len;
    *ret_off = off;
    return p;
}

static wh_off data_add(struct wh_build *b, const void *p, size_t len, size_t align, void **ret)
{
    size_t off = 0;
    void *to = area_add(b, &b->data, len, align, &off);

    if (!to)
        return 0;
    if (p)
        memcpy(to, p, len);
    if (ret)
        *ret = to;
    return (wh_off)off;
}

/* FNV-1a. The strings are the caller's own configuration: nobody to defend against but bad luck. */
static uint32_t hash_of(const char *s)
{
    uint32_t h = 2166136261u;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

static struct interned *slot_of(struct interned *table, size_t n, uint32_t hash, const char *s)
{
    size_t i = hash & (n - 1);

    while (table[i].off && (table[i].hash != hash || !wh_streq(table[i].s, s)))
        i = (i + 1) & (n - 1);
    return &table[i];
}

static bool table_grow(struct wh_build *b)
{
    size_t n = b->ntable ? b->ntable * 2 : 256;
    struct interned *table = wh_arena_new_array(b->arena, struct interned, n);

    if (!table) {
        build_fail(b, -ENOMEM);
        return false;
    }
    for (size_t i = 0; i < b->ntable; i++)
        if (b->table[i].off)
            *slot_of(table, n, b->table[i].hash, b->table[i].s) = b->table[i];
    b->table = table;
    b->ntable = n;
    return true;
}

wh_off wh_build_str(struct wh_build *b, const char *s)
{
    struct interned *e;
    uint32_t hash;
    void *to = NULL;
    wh_off off;

    if (!s || b->failed)
        return 0;
    if (b->nstrings * 2 >= b->ntable && !table_grow(b))
        return 0;
    hash = hash_of(s);
    e = slot_of(b->table, b->ntable, hash, s);
    if (e->off)
        return e->off;
    off = data_add(b, s, strlen(s) + 1, 1, &to);
    if (!off)
        return 0;
    *e = (struct interned){ .hash = hash, .off = off, .s = to };
    b->nstrings++;
    return off;
}

static struct wh_vec build_vec(struct wh_build *b, const char *const *v, size_t n, size_t bytes, size_t align)
{
    struct strvec *listed;
    size_t unused = 0;
    void *p = NULL;
    wh_off off;

    off = data_add(b, NULL, bytes, align, &p);
    listed = area_add(b, &b->strvecs, sizeof *listed, 8, &unused);
    if (!off || !listed)
        return (struct wh_vec){ 0 };
    *listed = (struct strvec){ .at = p, .n = (uint32_t)n };
    /* Chunks do not move: `at` outlives the strings added meanwhile. */
    for (size_t i = 0; i < n; i++)
        listed->at[i] = wh_build_str(b, v[i]);
    return (struct wh_vec){ .off = off, .n = (uint32_t)n };
}

struct wh_vec wh_build_strv(struct wh_build *b, const char *const *v, size_t n)
{
    if (n > WH_PLAN_MAX_BYTES / 8) {
        build_fail(b, -E2BIG);
        return (struct wh_vec){ 0 };
    }
    return build_vec(b, v, n, WH_VEC_STORE(n), 8);
}

struct wh_vec wh_build_params(struct wh_build *b, const char *const *v, size_t n)
{
    if (n > WH_PLAN_MAX_BYTES / sizeof(wh_off)) {
        build_fail(b, -E2BIG);
        return (struct wh_vec){ 0 };
    }
    if (n == 0)
        return (struct wh_vec){ 0 };
    return build_vec(b, v, n, n * sizeof(wh_off), 4);
}

struct wh_vec wh_build_u32v(struct wh_build *b, const uint32_t *v, size_t n)
{
    wh_off off;

    if (n == 0)
        return (struct wh_vec){ 0 };
    if (n > WH_PLAN_MAX_BYTES / sizeof *v) {
        build_fail(b, -E2BIG);
        return (struct wh_vec){ 0 };
    }
    off = data_add(b, v, n * sizeof *v, 4, NULL);
    return off ? (struct wh_vec){ .off = off, .n = (uint32_t)n } : (struct wh_vec){ 0 };
}

struct wh_bytes wh_build_bytes(struct wh_build *b, const void *p, size_t len)
{
    wh_off off;

    if (len == 0)
        return (struct wh_bytes){ 0 };
    off = data_add(b, p, len, 8, NULL);
    return off ? (struct wh_bytes){ .off = off, .len = (uint32_t)len } : (struct wh_bytes){ 0 };
}

struct wh_step *wh_build_step(struct wh_build *b, enum wh_op op, wh_node src, uint32_t line)
{
    const struct wh_opinfo *info = wh_opinfo(op);
    bool host = info->phases == WH_PH_H;
    struct wh_step *s;
    size_t off = 0;

    if (b->failed)
        return NULL;
    if ((host ? b->nhost : b->nsteps) == WH_PLAN_MAX_STEPS)
        return build_fail(b, -E2BIG);
    s = area_add(b, host ? &b->hosts : &b->steps, info->size, 8, &off);
    if (!s)
        return NULL;
    s->op = (uint16_t)op;
    s->len = info->size;
    s->src = src;
    s->src_line = line;
    if (host)
        b->nhost++;
    else
        b->nsteps++;
    return s;
}

void wh_build_preserve(struct wh_build *b, uint32_t n)
{
    b->preserve = n;
}

void wh_build_host_slot(struct wh_build *b, wh_slot slot)
{
    b->host_slots |= UINT64_C(1) << slot;
}

wh_slot wh_build_alloc_slot(struct wh_build *b)
{
    return b->next_slot < WH_SLOTS ? b->next_slot++ : WH_SLOTS;
}

static void area_copy(unsigned char *to, const struct area *a)
{
    for (const struct chunk *c = a->first; c; c = c->next)
        memcpy(to + c->base, c->bytes, c->used);
}

/* In place, before the areas are copied: the builder is of no use afterwards. */
static void move_steps(const struct area *steps, uint32_t by)
{
    for (const struct chunk *c = steps->first; c; c = c->next)
        for (size_t at = 0; at < c->used;) {
            struct wh_step *s = (struct wh_step *)(void *)((unsigned char *)c + offsetof(struct chunk, bytes) + at);
            const struct wh_opinfo *info = wh_opinfo(s->op);

            for (unsigned i = 0; i < info->nfields; i++) {
                wh_off *off = (wh_off *)(void *)((char *)s + info->fields[i].off);

                switch ((enum wh_field_kind)info->fields[i].kind) {
                case WH_FK_STR:
                case WH_FK_STRN:
                case WH_FK_HPATH:
                case WH_FK_CPATH:
                case WH_FK_STRV:
                case WH_FK_ENVV:
                case WH_FK_PARAMS:
                case WH_FK_U32V:
                case WH_FK_BLOB:
                    /* Vectors and blobs begin with their offset. */
                    if (*off)
                        *off += by;
                    break;
                default:
                    break;
                }
            }
            at += s->len;
        }
}

static void move_vectors(const struct area *strvecs, uint32_t by)
{
    for (const struct chunk *c = strvecs->first; c; c = c->next) {
        const struct strvec *v = (const void *)c->bytes;

        for (size_t i = 0; i < c->used / sizeof *v; i++)
            for (uint32_t k = 0; k < v[i].n; k++)
                if (v[i].at[k])
                    v[i].at[k] += by;
    }
}

int wh_build_finish(struct wh_build *b, const struct wh_plan **ret, struct wh_err *err)
{
    size_t steps = sizeof(struct wh_plan), hosts = steps + b->steps.size, data = hosts + b->hosts.size - DATA_BIAS;
    size_t size = data + b->data.size;
    struct wh_plan *plan = NULL;

    /* Each area stayed below the limit; the sum has not been looked at yet. */
    if (!b->failed && size > WH_PLAN_MAX_BYTES)
        build_fail(b, -E2BIG);
    if (!b->failed) {
        plan = wh_arena_alloc(b->arena, size);
        if (!plan)
            build_fail(b, -ENOMEM);
    }
    if (b->failed == -E2BIG)
        return wh_err_set(err, WH_ERR_SPEC, -E2BIG, NULL,
                          "the configuration is too large: its plan exceeds %u bytes or %u steps", WH_PLAN_MAX_BYTES,
                          WH_PLAN_MAX_STEPS);
    if (b->failed)
        return wh_err_set(err, WH_ERR_HOST, b->failed, NULL, "cannot allocate memory for the plan");

    move_steps(&b->steps, (uint32_t)data);
    move_steps(&b->hosts, (uint32_t)data);
    move_vectors(&b->strvecs, (uint32_t)data);
    area_copy((unsigned char *)plan + steps, &b->steps);
    area_copy((unsigned char *)plan + hosts, &b->hosts);
    area_copy((unsigned char *)plan + data, &b->data);
    memcpy(plan->magic, WH_PLAN_MAGIC, sizeof plan->magic);
    plan->abi = WH_ABI_VERSION;
    plan->size = (uint32_t)size;
    plan->nsteps = b->nsteps;
    plan->steps = (uint32_t)steps;
    plan->nhost = b->nhost;
    plan->hosts = (uint32_t)hosts;
    plan->host_slots = b->host_slots;
    plan->nslots = b->next_slot;
    plan->preserve = b->preserve;
    *ret = plan;
    return 0;
}

const struct wh_step *wh_plan_step(const struct wh_plan *plan, uint32_t n)
{
    const struct wh_step *s = wh_plan_first(plan);

    if (n >= plan->nsteps)
        return NULL;
    while (n--)
        s = wh_step_next(s);
    return s;
}
