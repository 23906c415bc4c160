/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "abi/plan.h"

#include <string.h>

#include "abi/kernel.h"

/*
 * Both sides run this before they believe a plan: the host on what it wrote (a bug of compile is found where it was
 * made), init on what it was given. It goes by field kind, so that a new op needs nothing here. Every read below is
 * bounded by `size` first: it is fuzzed with arbitrary bytes.
 */

const struct wh_opinfo *wh_opinfo(unsigned int op)
{
    /* A function and not an array: `args` in a block of its own is the only way for F() to know its op's struct. */
    switch (op) {
#define F(kind, field) { offsetof(args, field), WH_FK_##kind },
#define OP(NAME, name, phases_, flags_, tmpl, doc, fields_)                                                            \
    case WH_OP_##NAME: {                                                                                               \
        typedef struct wh_step_##name args;                                                                            \
        static const struct wh_field fields[] = { fields_{ 0, 0 } };                                                   \
        static const struct wh_opinfo info = { .size = (sizeof(args) + 7) & ~7u,                                       \
                                               .phases = (phases_),                                                    \
                                               .flags = (flags_),                                                      \
                                               .nfields = sizeof(fields) / sizeof(fields[0]) - 1,                      \
                                               .fields = fields };                                                     \
        return &info;                                                                                                  \
    }
#include "abi/ops.def"
#undef OP
#undef F
    default:
        return NULL;
    }
}

#define PATH_LIMIT 4096u /* PATH_MAX: a longer one fails in the kernel anyway */
#define NS_FLAGS 0x7e020080u
#define ATTR_FLAGS                                                                                                     \
    (WH_MOUNT_ATTR_RDONLY | WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NODEV | WH_MOUNT_ATTR_NOEXEC | WH_MOUNT_ATTR_ATIME |  \
     WH_MOUNT_ATTR_NODIRATIME | WH_MOUNT_ATTR_NOSYMFOLLOW)
#define SEC_FLAGS                                                                                                      \
    (WH_SECCOMP_FILTER_FLAG_TSYNC | WH_SECCOMP_FILTER_FLAG_LOG | WH_SECCOMP_FILTER_FLAG_SPEC_ALLOW |                   \
     WH_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

struct check {
    const struct wh_plan *plan;
    uint32_t size, data; /* data: end of the step records */
    uint64_t defined; /* slots that hold an fd by now */
    uint32_t phase;
    uint32_t clone_b, exec_check, be_init; /* seen */
    uint32_t has_ready;
    uint16_t prev; /* op before this one */
    uint32_t soft; /* the step before is soft, or an alternative of a soft one */
};

static int string(const struct check *c, wh_off off, uint32_t limit)
{
    const char *s;
    uint32_t room;

    if (off < c->data || off >= c->size)
        return WH_RULE_STRING;
    room = c->size - off;
    s = wh_plan_at(c->plan, off);
    return memchr(s, 0, room < limit ? room : limit) ? 0 : WH_RULE_STRING;
}

/* bytes has 64 bits, so that no count can make it wrap. */
static int range(const struct check *c, wh_off off, uint64_t bytes, uint32_t align)
{
    return off < c->data || off > c->size || off % align || bytes > c->size - off ? WH_RULE_VECTOR : 0;
}

static int vector(const struct check *c, const struct wh_vec *v, uint8_t kind)
{
    const uint32_t *at;
    uint32_t k;
    int r;

    if (kind == WH_FK_STRV || kind == WH_FK_ENVV)
        r = range(c, v->off, WH_VEC_STORE(v->n), 8);
    else
        r = v->n ? range(c, v->off, (uint64_t)v->n * 4, 4) : 0;
    if (r)
        return r;
    if (kind == WH_FK_U32V)
        return 0;
    if (kind == WH_FK_PARAMS && v->n % 2)
        return WH_RULE_VECTOR;
    at = wh_plan_at(c->plan, v->off);
    for (k = 0; k < v->n; k++) {
        if (kind == WH_FK_PARAMS && k % 2 && !at[k])
            continue;
        r = string(c, at[k], c->size);
        if (r)
            return r;
    }
    return 0;
}

static int value(uint8_t kind, uint64_t v)
{
    switch (kind) {
    case WH_FK_REC:
    case WH_FK_NOFOLLOW:
    case WH_FK_NOCRLF:
    case WH_FK_DEVCONSOLE:
    case WH_FK_NOTIFY:
    case WH_FK_MAKE:
    case WH_FK_FOREGROUND:
        return v > 1;
    case WH_FK_RLIMIT:
        return v > 15;
    case WH_FK_NSFLAGS:
        return !v || v & ~(uint64_t)NS_FLAGS;
    case WH_FK_PROP:
        return v && v != WH_MS_SHARED && v != WH_MS_SLAVE && v != WH_MS_PRIVATE && v != WH_MS_UNBINDABLE;
    case WH_FK_MATTR:
        return !!(v & ~ATTR_FLAGS);
    case WH_FK_MODE:
        return v > 0177777;
    case WH_FK_SECFLAGS:
        return !!(v & ~(uint64_t)SEC_FLAGS);
    case WH_FK_HOOKKIND:
        return v >= WH_HOOK_MAX;
    case WH_FK_SCHED:
        return v > 6 && v != WH_SCHED_KEEP;
    case WH_FK_SCHEDFLAGS:
        return v > 0x7f;
    case WH_FK_IOPRIO:
        return v >> WH_IOPRIO_CLASS_SHIFT > 3 || (v & ((1u << WH_IOPRIO_CLASS_SHIFT) - 1)) > 7;
    case WH_FK_MPOL:
        return v > 6;
    case WH_FK_MPOLFLAGS:
        return !!(v & ~(uint64_t)0xe000);
    case WH_FK_RDTMODE:
        return v >= WH_RDT_MODE_MAX;
    case WH_FK_LSMATTR:
        return v >= WH_LSM_ATTR_MAX;
    case WH_FK_CGWFLAGS:
        return v > 15;
    case WH_FK_ATTACHFLAGS:
        return v > (WH_ATTACH_NOSYMLINK | WH_ATTACH_KEEP_MODE | WH_ATTACH_BENEATH_PROC | WH_ATTACH_SOURCE_PROC |
                    WH_ATTACH_NOFOLLOW);
    default:
        return 0;
    }
}

static int field(struct check *c, const struct wh_step *s, const struct wh_field *f)
{
    const char *at = (const char *)s + f->off;
    uint32_t v;
    uint64_t v64;

    memcpy(&v, at, sizeof(v));
    switch (f->kind) {
    case WH_FK_U64:
    case WH_FK_U64NZ:
    case WH_FK_CAPS:
    case WH_FK_MATTR:
        memcpy(&v64, at, sizeof(v64));
        return value(f->kind, v64) ? WH_RULE_VALUE : 0;
    case WH_FK_STRN:
        return v ? string(c, v, c->size) : 0;
    case WH_FK_STR:
        return string(c, v, c->size);
    case WH_FK_HPATH:
    case WH_FK_CPATH: {
        int r = string(c, v, PATH_LIMIT);

        return r ? r : *(const char *)wh_plan_at(c->plan, v) == '/' ? 0 : WH_RULE_STRING;
    }
    case WH_FK_STRV:
    case WH_FK_ENVV:
    case WH_FK_PARAMS:
    case WH_FK_U32V: {
        struct wh_vec vec;

        memcpy(&vec, at, sizeof(vec));
        return vector(c, &vec, f->kind);
    }
    case WH_FK_BLOB: {
        struct wh_bytes b;

        memcpy(&b, at, sizeof(b));
        /* Arrays of 8-byte instructions, and masks in 64-bit words. */
        return !b.len || b.len % 8 ? WH_RULE_VECTOR : range(c, b.off, b.len, 8);
    }
    case WH_FK_SLOTIN:
        return v < c->plan->nslots && (c->defined >> v & 1) ? 0 : WH_RULE_SLOT;
    case WH_FK_SLOTOUT:
        /* The host's own slots stay what the host made of them, PROC above all. */
        if (v < WH_SLOT_ROOT || v >= c->plan->nslots || c->plan->host_slots >> v & 1)
            return WH_RULE_SLOT;
        c->defined |= 1ull << v;
        return 0;
    default:
        return value(f->kind, v) ? WH_RULE_VALUE : 0;
    }
}

static int flags(struct check *c, const struct wh_step *s, const struct wh_opinfo *o)
{
    if (s->flags & ~WH_STEP_ALT || s->soft & ~(WH_SOFT_PERM | WH_SOFT_NOSYS | WH_SOFT_BUSY))
        return WH_RULE_FLAGS;
    if (s->soft && (!(o->flags & WH_OPF_SOFT) || o->flags & WH_OPF_SECURITY || s->flags & WH_STEP_ALT))
        return WH_RULE_SOFT;
    if (s->flags & WH_STEP_ALT && (!c->soft || !(o->flags & WH_OPF_ALT)))
        return WH_RULE_ALT;
    c->soft = s->soft || s->flags & WH_STEP_ALT;
    return 0;
}

static int order(struct check *c, const struct wh_step *s, const struct wh_opinfo *o, int last)
{
    if (!(o->phases & c->phase)) {
        /* A plan without READY (exec) enters C by its first step of C. */
        if (c->phase != WH_PH_B || c->has_ready || !(o->phases & WH_PH_C))
            return WH_RULE_PHASE;
        c->phase = WH_PH_C;
    }
    /* Early, with B born under it, or last. A listener is taken out of B. */
    if (c->prev == WH_OP_SECCOMP && s->op != (c->phase == WH_PH_A ? WH_OP_CLONE_B : WH_OP_EXEC) &&
        !(c->phase == WH_PH_A && s->op == WH_OP_CAPS))
        return WH_RULE_ORDER;
    if (s->op == WH_OP_SECCOMP && c->phase == WH_PH_A && ((const struct wh_step_seccomp *)s)->notify)
        return WH_RULE_ORDER;
    if ((c->prev == WH_OP_READY) != (s->op == WH_OP_WAIT_START) || (s->op == WH_OP_EXEC) != last)
        return WH_RULE_ORDER;
    switch (s->op) {
    case WH_OP_JOIN_PIDFD:
    case WH_OP_CLOSE_HOST:
        /* All others are closed by it. */
        c->defined &= 1ull << WH_SLOT_CONSOLE | 1ull << WH_SLOT_LISTEN;
        break;
    case WH_OP_CLONE_B:
        c->clone_b = 1;
        c->phase = WH_PH_B;
        break;
    case WH_OP_READY:
        c->phase = WH_PH_C;
        /* All others are closed by it. */
        c->defined &= 1ull << ((const struct wh_step_ready *)s)->listen;
        break;
    case WH_OP_WAIT_START:
        c->defined = 0;
        break;
    case WH_OP_BE_INIT:
        if (c->be_init)
            return WH_RULE_ORDER;
        c->be_init = 1;
        break;
    case WH_OP_EXEC_CHECK:
        c->exec_check = 1;
        break;
    case WH_OP_EXEC:
        if (!c->clone_b || !c->exec_check || !((const struct wh_step_exec *)s)->args.n)
            return WH_RULE_ORDER;
        break;
    default:
        break;
    }
    c->prev = s->op;
    return 0;
}

/* Where the n records from *off on end, or a broken rule. */
static int walk(const struct wh_plan *p, uint32_t size, uint32_t *off, uint32_t n, uint32_t *at)
{
    for (; n; n--, ++*at) {
        const struct wh_step *s = wh_plan_at(p, *off);
        const struct wh_opinfo *o;

        if (*off % 8 || *off > size || size - *off < sizeof(*s))
            return WH_RULE_RECORD;
        o = wh_opinfo(s->op);
        if (!o)
            return WH_RULE_OP;
        if (s->len != o->size || s->len > size - *off)
            return WH_RULE_RECORD;
        *off += s->len;
    }
    return 0;
}

static int header(const struct wh_plan *p, size_t size)
{
    if (size < sizeof(*p) || size > WH_PLAN_MAX_BYTES || (uintptr_t)p % 8)
        return WH_RULE_HEADER;
    if (memcmp(p->magic, WH_PLAN_MAGIC, sizeof(p->magic)) || p->abi != WH_ABI_VERSION || p->size != size ||
        !p->nsteps || p->nsteps > WH_PLAN_MAX_STEPS || p->nhost > WH_PLAN_MAX_STEPS || p->steps < sizeof(*p) ||
        p->nslots > WH_SLOTS || (p->nslots < WH_SLOTS && p->host_slots >> p->nslots))
        return WH_RULE_HEADER;
    return 0;
}

int wh_plan_verify(const void *blob, size_t size, uint32_t *ret_step)
{
    const struct wh_plan *p = blob;
    struct check c = { .plan = p, .phase = WH_PH_A };
    uint32_t dummy, end, k, j;
    const struct wh_step *s;
    int r;

    if (!ret_step)
        ret_step = &dummy;
    *ret_step = 0;
    r = header(p, size);
    if (r)
        return r;
    c.size = (uint32_t)size;
    c.defined = p->host_slots;

    end = p->steps;
    r = walk(p, c.size, &end, p->nsteps, ret_step);
    if (r)
        return r;
    c.data = end;
    if (p->nhost) {
        if (p->hosts < end)
            return WH_RULE_RECORD;
        c.data = p->hosts;
        r = walk(p, c.size, &c.data, p->nhost, ret_step);
        if (r)
            return r;
    }

    for (s = wh_plan_first(p), k = 0; k < p->nsteps; k++, s = wh_step_next(s))
        c.has_ready |= s->op == WH_OP_READY;

    s = wh_plan_first(p);
    for (k = 0; k < p->nsteps + p->nhost; k++) {
        const struct wh_opinfo *o;

        if (k == p->nsteps)
            s = wh_plan_first_host(p);
        o = wh_opinfo(s->op);
        *ret_step = k;
        if (k >= p->nsteps) {
            c.soft = 0;
            r = o->phases != WH_PH_H ? WH_RULE_PHASE : flags(&c, s, o);
        } else {
            r = flags(&c, s, o);
        }
        for (j = 0; !r && j < o->nfields; j++)
            r = field(&c, s, &o->fields[j]);
        /* After the fields: READY's slot must be one. */
        if (!r && k < p->nsteps)
            r = order(&c, s, o, k + 1 == p->nsteps);
        if (r)
            return r;
        s = wh_step_next(s);
    }
    *ret_step = 0;
    return 0;
}
