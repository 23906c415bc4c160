/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resources.devices to a BPF_PROG_TYPE_CGROUP_DEVICE program. cgroup2 has no device files: the kernel
 * runs the program at each mknod and open of a device node, with type, access and number, and 0 means EPERM.
 *
 * The rules apply in order on top of "deny everything", and the fixed allows come after them. So for each wanted access bit
 * the last rule that matches decides, and the program is the rules backwards: r2 holds the bits that nobody has decided yet,
 * an allow clears those that it covers, a deny that covers one of them ends it, and a request is granted when r2 is empty.
 * Bits are decided one by one, so that "r" from one rule and "w" from another make "rw", as in the lists of cgroup v1.
 *
 *     r3 = type, r2 = access, r4 = major, r5 = minor
 *     for each rule:  skip it unless type, major and minor match
 *       allow:  r2 &= ~bits; if (r2 == 0) return 1
 *       deny:   if (r2 & bits) return 0
 *     return 0
 *
 * A rule that matches every device and covers rwm leaves nothing for those before it. That is what "a" without numbers means
 * in cgroup v1, where it empties the list; and the verifier refuses code that cannot be reached.
 */
#include "plan/plan.h"

#include <errno.h>
#include <linux/bpf.h>

#define RWM (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)
#define ANY (-1)

struct rule {
    bool allow;
    uint32_t type; /* BPF_DEVCG_DEV_*; 0 = both */
    int64_t major, minor;
    uint32_t access;
};

/* Whatever the configuration says: nodes that every container has, its terminals, and making nodes, which without the right
 * to open them gives nothing. 10:200 is tun, which engines have relied on for as long as there are containers. */
static const struct rule fixed[] = {
    { true, BPF_DEVCG_DEV_CHAR, ANY, ANY, BPF_DEVCG_ACC_MKNOD },
    { true, BPF_DEVCG_DEV_BLOCK, ANY, ANY, BPF_DEVCG_ACC_MKNOD },
    { true, BPF_DEVCG_DEV_CHAR, 1, 3, RWM }, /* null */
    { true, BPF_DEVCG_DEV_CHAR, 1, 5, RWM }, /* zero */
    { true, BPF_DEVCG_DEV_CHAR, 1, 7, RWM }, /* full */
    { true, BPF_DEVCG_DEV_CHAR, 1, 8, RWM }, /* random */
    { true, BPF_DEVCG_DEV_CHAR, 1, 9, RWM }, /* urandom */
    { true, BPF_DEVCG_DEV_CHAR, 5, 0, RWM }, /* tty */
    { true, BPF_DEVCG_DEV_CHAR, 5, 1, RWM }, /* console */
    { true, BPF_DEVCG_DEV_CHAR, 5, 2, RWM }, /* ptmx */
    { true, BPF_DEVCG_DEV_CHAR, 136, ANY, RWM }, /* pts */
    { true, BPF_DEVCG_DEV_CHAR, 10, 200, RWM }, /* tun */
};

/* The prologue, at most eight instructions a rule, and the end. */
#define PROLOGUE 6u
#define MAX_RULE 8u
#define MAX_END 2u

struct program {
    struct bpf_insn *insns;
    size_t n;
};

static void add(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
    p->insns[p->n++] = (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
}

static void add_return(struct program *p, bool allow)
{
    add(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
    add(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void add_prologue(struct program *p)
{
    const uint8_t load = BPF_LDX | BPF_MEM | BPF_W;

    add(p, load, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
    add(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
    add(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_3, 0, 0, 0xffff);
    add(p, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_2, 0, 0, 16);
    add(p, load, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
    add(p, load, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

/* True if nothing before this rule can matter any more. */
static bool add_rule(struct program *p, const struct rule *r)
{
    size_t test[3], ntest = 0;
    bool all = !r->type && r->major == ANY && r->minor == ANY && r->access == RWM;

    /* 32-bit comparisons: the immediate of a 64-bit one is sign-extended. */
    if (r->type) {
        test[ntest++] = p->n;
        add(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_3, 0, 0, (int32_t)r->type);
    }
    if (r->major != ANY) {
        test[ntest++] = p->n;
        add(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int32_t)(uint32_t)r->major);
    }
    if (r->minor != ANY) {
        test[ntest++] = p->n;
        add(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int32_t)(uint32_t)r->minor);
    }
    if (r->access == RWM) {
        add_return(p, r->allow);
    } else if (r->allow) {
        add(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, (int32_t)(RWM & ~r->access));
        add(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 2, 0);
        add_return(p, true);
    } else {
        add(p, BPF_JMP | BPF_JSET | BPF_K, BPF_REG_2, 0, 1, (int32_t)r->access);
        add(p, BPF_JMP | BPF_JA, 0, 0, 2, 0);
        add_return(p, false);
    }
    for (size_t i = 0; i < ntest; i++)
        p->insns[test[i]].off = (int16_t)(p->n - test[i] - 1);
    return all;
}

static int rule_error(const struct wh_spec *spec, wh_node src, struct wh_err *err, const char *text)
{
    char where[160];

    return wh_err_set(err, WH_ERR_SPEC, -EINVAL, wh_spec_where(spec, src, where, sizeof where), "%s", text);
}

static int number(const struct wh_spec *spec, const struct wh_opt_i64 *n, int64_t *ret, struct wh_err *err)
{
    *ret = ANY;
    if (!n->set || n->v == -1)
        return 0;
    if (n->v < 0 || n->v > UINT32_MAX)
        return rule_error(spec, n->src, err, "a device number is -1 (any) or from 0 to 4294967295");
    *ret = n->v;
    return 0;
}

static int read_rule(const struct wh_spec *spec, const struct wh_devrule *d, struct rule *ret, struct wh_err *err)
{
    int r;

    *ret = (struct rule){ .allow = d->allow };
    ret->type = d->type == 'c' ? BPF_DEVCG_DEV_CHAR : d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : 0;
    r = number(spec, &d->major, &ret->major, err);
    if (r == 0)
        r = number(spec, &d->minor, &ret->minor, err);
    if (r < 0)
        return r;
    /* Nothing said could be read as everything or as nothing; engines always say it. */
    if (!d->access.v || !*d->access.v)
        return rule_error(spec, d->access.v ? d->access.src : d->src, err, "device access cannot be empty");
    for (const char *s = d->access.v; *s; s++) {
        uint32_t bit = *s == 'r'   ? BPF_DEVCG_ACC_READ
                       : *s == 'w' ? BPF_DEVCG_ACC_WRITE
                       : *s == 'm' ? BPF_DEVCG_ACC_MKNOD
                                   : 0;

        if (!bit)
            return rule_error(spec, d->access.src, err, "device access is made of the letters r, w and m");
        ret->access |= bit;
    }
    return 0;
}

int wh_devbpf_compile(const struct wh_spec *spec, const struct wh_request *req, struct wh_arena *arena,
                      struct bpf_insn **ret, size_t *ret_n, struct wh_err *err)
{
    const struct wh_resources *res = &spec->linux_.resources;
    size_t nrules = res->devices.n;
    struct program p = { 0 };
    bool done = false;
    int r;

    (void)req;
    *ret = NULL;
    *ret_n = 0;
    p.insns = wh_arena_array(arena, sizeof *p.insns, PROLOGUE + (WH_ELEMENTSOF(fixed) + nrules) * MAX_RULE + MAX_END);
    if (!p.insns)
        return wh_err_set(err, WH_ERR_HOST, -ENOMEM, NULL, "compile the device rules: cannot allocate memory");
    add_prologue(&p);
    for (size_t i = 0; i < WH_ELEMENTSOF(fixed); i++)
        add_rule(&p, &fixed[i]);
    for (size_t i = nrules; i > 0; i--) {
        struct rule rule;

        /* Those that no longer matter are still checked. */
        r = read_rule(spec, &res->devices.v[i - 1], &rule, err);
        if (r < 0)
            return r;
        if (!done)
            done = add_rule(&p, &rule);
    }
    if (!done)
        add_return(&p, false);
    *ret = p.insns;
    *ret_n = p.n;
    return 0;
}

/* ---------------------------------------------------------------- as properties of a unit */

struct allows {
    struct wh_arena *arena;
    const char **v;
    size_t n;
};

/* One kind of node: systemd.resource-control(5), DeviceAllow=. */
static void add_allow(struct allows *a, const struct rule *r, bool block)
{
    const char *kind = block ? "block" : "char";
    const char *node = r->major == ANY   ? wh_arena_printf(a->arena, "%s-*", kind)
                       : r->minor == ANY ? wh_arena_printf(a->arena, "%s-%lld", kind, (long long)r->major)
                                         : wh_arena_printf(a->arena, "/dev/%s/%lld:%lld", kind, (long long)r->major,
                                                           (long long)r->minor);

    a->v[a->n++] = node;
    a->v[a->n++] =
        wh_arena_printf(a->arena, "%s%s%s", r->access & BPF_DEVCG_ACC_READ ? "r" : "",
                        r->access & BPF_DEVCG_ACC_WRITE ? "w" : "", r->access & BPF_DEVCG_ACC_MKNOD ? "m" : "");
}

static void add_allows(struct allows *a, const struct rule *r)
{
    if (r->type != BPF_DEVCG_DEV_BLOCK)
        add_allow(a, r, false);
    if (r->type != BPF_DEVCG_DEV_CHAR)
        add_allow(a, r, true);
}

int wh_devbpf_unit(const struct wh_spec *spec, struct wh_arena *arena, const char *const **ret, size_t *ret_n)
{
    const struct wh_resources *res = &spec->linux_.resources;
    struct allows a = { arena, wh_arena_new_array(arena, const char *, (res->devices.n + WH_ELEMENTSOF(fixed)) * 4),
                        0 };
    bool everything = false;

    *ret_n = 0;
    if (!a.v)
        return -ENOMEM;
    for (size_t i = 0; i < res->devices.n; i++) {
        struct rule r;
        bool all;

        if (read_rule(spec, &res->devices.v[i], &r, NULL) < 0)
            return -EINVAL;
        all = !r.type && r.major == ANY && r.minor == ANY && r.access == RWM;
        if (all) {
            everything = r.allow;
            a.n = 0;
        } else if (r.allow && !everything) {
            add_allows(&a, &r);
        }
    }
    if (everything)
        return 0;
    for (size_t i = 0; i < WH_ELEMENTSOF(fixed); i++)
        add_allows(&a, &fixed[i]);
    *ret = a.v;
    *ret_n = a.n;
    return 1;
}
