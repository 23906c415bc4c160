/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_FUZZ_SECCOMP_MODEL_H
#define WH_FUZZ_SECCOMP_MODEL_H

/*
 * What a seccomp profile means, said twice: bpf_run() executes a classic BPF program as the kernel does, model_answer() reads the rules of the
 * specification one after the other, without libseccomp's compiler. A program is right where both give the same answer.
 */

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/forked.h"
#include "plan/plan.h"

#define MODEL_X32 0x40000000u
/* Half of what the fuzzer calls a hang; the compiler takes a thousandth of it. */
#define ENDLESS_MS 400

/* The subset that seccomp(2) allows; `must` where the kernel would not have loaded the program. */
static uint32_t bpf_run(const struct sock_filter *f, size_t n, const struct seccomp_data *d)
{
    uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };

    for (size_t pc = 0; pc < n; pc++) {
        uint32_t k = f[pc].k, rhs = BPF_SRC(f[pc].code) == BPF_X ? x : k;
        bool yes;

        switch (f[pc].code) {
        case BPF_LD | BPF_W | BPF_ABS:
            must(k % 4 == 0 && k + 4 <= sizeof *d);
            memcpy(&a, (const char *)d + k, 4);
            break;
        case BPF_LD | BPF_IMM:
            a = k;
            break;
        case BPF_LDX | BPF_IMM:
            x = k;
            break;
        case BPF_LD | BPF_MEM:
            must(k < BPF_MEMWORDS);
            a = mem[k];
            break;
        case BPF_ST:
            must(k < BPF_MEMWORDS);
            mem[k] = a;
            break;
        case BPF_MISC | BPF_TAX:
            x = a;
            break;
        case BPF_MISC | BPF_TXA:
            a = x;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
        case BPF_ALU | BPF_AND | BPF_X:
            a &= rhs;
            break;
        case BPF_ALU | BPF_OR | BPF_K:
            a |= k;
            break;
        case BPF_JMP | BPF_JA:
            must(k < n - pc - 1);
            pc += k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JEQ | BPF_X:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_X:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_X:
        case BPF_JMP | BPF_JSET | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_X:
            yes = BPF_OP(f[pc].code) == BPF_JEQ   ? a == rhs
                  : BPF_OP(f[pc].code) == BPF_JGT ? a > rhs
                  : BPF_OP(f[pc].code) == BPF_JGE ? a >= rhs
                                                  : (a & rhs) != 0;
            pc += yes ? f[pc].jt : f[pc].jf;
            break;
        case BPF_RET | BPF_K:
            return k;
        default:
            must(!"an instruction that seccomp does not allow");
        }
    }
    must(!"the program runs past its end");
    return 0;
}

/* ---- the rules ---- */

static uint32_t model_action(const char *name, const struct wh_opt_u32 *e)
{
    uint32_t v = e->set ? e->v : EPERM;

    if (strcmp(name, "SCMP_ACT_ALLOW") == 0)
        return SECCOMP_RET_ALLOW;
    if (strcmp(name, "SCMP_ACT_LOG") == 0)
        return SECCOMP_RET_LOG;
    if (strcmp(name, "SCMP_ACT_ERRNO") == 0)
        return SECCOMP_RET_ERRNO | v;
    if (strcmp(name, "SCMP_ACT_TRACE") == 0)
        return SECCOMP_RET_TRACE | v;
    if (strcmp(name, "SCMP_ACT_TRAP") == 0)
        return SECCOMP_RET_TRAP;
    if (strcmp(name, "SCMP_ACT_KILL_PROCESS") == 0)
        return SECCOMP_RET_KILL_PROCESS;
    if (strcmp(name, "SCMP_ACT_NOTIFY") == 0)
        return SECCOMP_RET_USER_NOTIF;
    must(strcmp(name, "SCMP_ACT_KILL") == 0 || strcmp(name, "SCMP_ACT_KILL_THREAD") == 0);
    return SECCOMP_RET_KILL_THREAD;
}

/* libseccomp compares 32 bits of an argument for x32, whose registers have 64. */
static bool model_matches(const struct wh_seccomp_arg *a, const struct seccomp_data *d)
{
    uint64_t bits = (uint32_t)d->nr >= MODEL_X32 ? UINT32_MAX : UINT64_MAX;
    uint64_t v = d->args[a->index] & bits, value = a->value & bits;

    if (strcmp(a->op.v, "SCMP_CMP_NE") == 0)
        return v != value;
    if (strcmp(a->op.v, "SCMP_CMP_LT") == 0)
        return v < value;
    if (strcmp(a->op.v, "SCMP_CMP_LE") == 0)
        return v <= value;
    if (strcmp(a->op.v, "SCMP_CMP_EQ") == 0)
        return v == value;
    if (strcmp(a->op.v, "SCMP_CMP_GE") == 0)
        return v >= value;
    if (strcmp(a->op.v, "SCMP_CMP_GT") == 0)
        return v > value;
    must(strcmp(a->op.v, "SCMP_CMP_MASKED_EQ") == 0);
    /* It masks both sides, for every runtime: a value with bits beside the mask, which no argument could equal, matches without them. */
    return (v & value) == (a->value_two & value);
}

/* Two conditions on the same argument are alternatives: libseccomp compares one once in a rule. */
static bool model_apart(const struct wh_seccomp_rule *r)
{
    bool apart = false, seen[6] = { false };

    for (size_t i = 0; i < r->nargs; i++) {
        apart = apart || seen[r->args[i].index];
        seen[r->args[i].index] = true;
    }
    return apart;
}

static bool model_rule(const struct wh_seccomp_rule *r, const struct seccomp_data *d)
{
    bool all = true, any = false;

    for (size_t i = 0; i < r->nargs; i++) {
        bool m = model_matches(&r->args[i], d);

        all = all && m;
        any = any || m;
    }
    return model_apart(r) ? any : all;
}

static bool model_names(const struct wh_seccomp_rule *r, const struct seccomp_data *d)
{
    uint32_t arch = (uint32_t)d->nr >= MODEL_X32 ? SCMP_ARCH_X32 : SCMP_ARCH_X86_64;

    for (size_t k = 0; k < r->names.n; k++)
        if (d->nr >= 0 && seccomp_syscall_resolve_name_arch(arch, r->names.v[k].v) == d->nr)
            return true;
    return false;
}

struct model {
    const struct wh_seccomp *f;
    int64_t highest[2]; /* that the profile mentions: of x86-64, of x32; -1 */
    bool x32;
};

static void model_prepare(struct model *m, const struct wh_seccomp *f)
{
    *m = (struct model){ .f = f, .highest = { -1, -1 } };
    for (size_t i = 0; i < f->architectures.n; i++)
        m->x32 = m->x32 || strcmp(f->architectures.v[i].v, "SCMP_ARCH_X32") == 0;
    for (size_t i = 0; i < f->nrules; i++)
        for (size_t k = 0; k < f->rules[i].names.n; k++) {
            int nr = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, f->rules[i].names.v[k].v);
            int x = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X32, f->rules[i].names.v[k].v);

            m->highest[0] = nr > m->highest[0] ? nr : m->highest[0];
            m->highest[1] = x > m->highest[1] ? x : m->highest[1];
        }
}

/* A mask of nothing compares nothing, in 32 bits perhaps: libseccomp makes a rule without that condition of it. */
static bool model_empty(const struct wh_seccomp_rule *r, const struct seccomp_data *d)
{
    uint64_t bits = (uint32_t)d->nr >= MODEL_X32 ? UINT32_MAX : UINT64_MAX;

    for (size_t i = 0; i < r->nargs; i++)
        if (strcmp(r->args[i].op.v, "SCMP_CMP_MASKED_EQ") == 0 && !(r->args[i].value & bits))
            return true;
    return false;
}

/*
 * Whether the answer is the profile's. A rule without conditions stands above those with some. *ret_exact: false where two or more rules with
 * conditions are about one call. Of these libseccomp (2.5, and so every runtime) makes one tree of comparisons, which may not come back from
 * the branch of one rule to try the other, and may leave out a comparison that another rule's seems to imply: then the answer is only known to be
 * the default action or one of those rules'.
 */
static bool model_allows(const struct model *m, const struct seccomp_data *d, uint32_t answer, bool *ret_exact)
{
    const struct wh_seccomp *f = m->f;
    uint32_t def = model_action(f->default_action.v, &f->default_errno_ret);
    bool stub = def != SECCOMP_RET_ALLOW && def != SECCOMP_RET_LOG && (def & 0xffff0000u) != SECCOMP_RET_TRACE &&
                def != (SECCOMP_RET_ERRNO | ENOSYS);
    bool x32 = (uint32_t)d->nr >= MODEL_X32, some = false, found = false, among = false, empty = false;
    size_t alternatives = 0;

    *ret_exact = true;

    if (d->arch != AUDIT_ARCH_X86_64 || (x32 && !m->x32))
        return answer == SECCOMP_RET_KILL_THREAD;
    if (stub && m->highest[x32] >= 0 && (uint32_t)d->nr > (uint32_t)m->highest[x32])
        return answer == (SECCOMP_RET_ERRNO | ENOSYS);
    for (int conditions = 0; conditions < 2 && !some; conditions++)
        for (size_t i = 0; i < f->nrules; i++) {
            const struct wh_seccomp_rule *r = &f->rules[i];
            uint32_t action = model_action(r->action.v, &r->errno_ret);

            if (action == def || !model_names(r, d))
                continue;
            empty = empty || model_empty(r, d);
            among = among || action == answer;
            if ((r->nargs > 0) != conditions)
                continue;
            alternatives += model_apart(r) ? r->nargs : 1;
            some = some || model_rule(r, d);
            found = found || (model_rule(r, d) && action == answer);
        }
    *ret_exact = alternatives < 2 && !empty;
    return found || (answer == def && !some) || (!*ret_exact && (answer == def || among));
}

/* ---- random calls ---- */

static uint64_t random_state;

static uint64_t rnd(void)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return random_state;
}

/* A value near one that some rule compares with, or any. */
static uint64_t any_value(const struct wh_seccomp_rule *r)
{
    const struct wh_seccomp_arg *a = r && r->nargs ? &r->args[rnd() % r->nargs] : NULL;
    uint64_t near = rnd() % 3 - 1;

    switch (rnd() % 8) {
    case 0:
        return rnd();
    case 1:
        return rnd() >> (rnd() % 64);
    case 2:
        return a ? a->value << 32 | a->value : 0;
    case 3:
        return a ? a->value_two | (rnd() & ~a->value) : 1;
    case 4:
        return a ? a->value ^ UINT64_C(1) << (rnd() % 64) : UINT64_MAX;
    default:
        return (a ? rnd() % 2 ? a->value : a->value_two : 0) + near;
    }
}

/* A call that a rule is about, most of the time: one of its names, its conditions or nearly. */
static void any_call(const struct wh_seccomp *f, struct seccomp_data *d)
{
    const struct wh_seccomp_rule *r = f->nrules ? &f->rules[rnd() % f->nrules] : NULL;
    uint32_t arch = rnd() % 8 ? SCMP_ARCH_X86_64 : SCMP_ARCH_X32;
    int nr = (int)(rnd() % 600);

    if (r && r->names.n && rnd() % 8)
        nr = seccomp_syscall_resolve_name_arch(arch, r->names.v[rnd() % r->names.n].v);
    else if (rnd() % 4 == 0)
        nr = (int)(uint32_t)rnd();
    /* A name that the architecture does not have; and what a tracer sets to skip a call, which libseccomp treats in its own way. */
    nr = nr == -1 ? 7 : nr;
    *d = (struct seccomp_data){ .nr = nr, .arch = rnd() % 16 ? AUDIT_ARCH_X86_64 : (uint32_t)rnd() };
    for (int i = 0; i < 6; i++)
        d->args[i] = any_value(r);
    for (size_t i = 0; r && i < r->nargs; i++)
        if (rnd() % 2)
            d->args[r->args[i].index] = r->args[i].value;
}

/* libseccomp 2.5 does not come back from some trees of rules with several conditions. So that nothing but those
 * costs a process, what never was seen to be endless is compiled here: rules with one condition each. */
static bool may_be_endless(const struct wh_spec *spec)
{
    const struct wh_seccomp *f = &spec->linux_.seccomp;

    for (size_t i = 0; i < f->nrules; i++)
        if (f->rules[i].nargs > 1)
            return wh_seccomp_risky(spec);
    return false;
}

struct compiling {
    const struct wh_spec *spec;
    int fd;
    struct wh_err err;
};

static int compile_in_child(void *arg)
{
    struct compiling *c = arg;

    return wh_seccomp_compile(c->spec, c->fd, NULL, &c->err);
}

/* As api/load.c does it, with less patience. */
static int compile_within(const struct wh_spec *spec, int fd, struct wh_err *err)
{
    struct compiling c = { .spec = spec, .fd = fd };
    int r;

    if (!may_be_endless(spec))
        return wh_seccomp_compile(spec, fd, NULL, err);
    r = wh_forked(compile_in_child, &c, sizeof c, fd, ENDLESS_MS, -1);
    *err = c.err;
    return r == -ETIMEDOUT ? wh_err_set(err, WH_ERR_SPEC, r, NULL, "endless") : r;
}

/* The whole program, as the host makes it: the stub, and what libseccomp adds. Null where the rules are refused. */
static struct sock_filter *program(const struct wh_spec *spec, struct wh_arena *arena, size_t *ret_n)
{
    static int fd = -1;
    struct sock_filter *all = NULL;
    struct wh_err err = { 0 };
    const void *stub;
    size_t len;
    off_t end;

    if (wh_seccomp_stub(spec, arena, &stub, &len, &err) < 0) {
        must(err.code < 0 && err.msg[0] && !strchr(err.msg, '\n'));
        return NULL;
    }
    if (fd < 0)
        fd = memfd_create("seccomp", MFD_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, stub, len) == (ssize_t)len);
    if (compile_within(spec, fd, &err) < 0) {
        must(err.code < 0 && err.msg[0] && !strchr(err.msg, '\n'));
        return NULL;
    }
    end = lseek(fd, 0, SEEK_CUR);
    must(end > 0 && end % (off_t)sizeof *all == 0);
    all = malloc((size_t)end);
    must(all && pread(fd, all, (size_t)end, 0) == end);
    *ret_n = (size_t)end / sizeof *all;
    return all;
}

/* How many calls were answered exactly as the rules say; 0 where the rules are refused. */
static unsigned int check_spec(const struct wh_spec *spec, unsigned int calls)
{
    const struct wh_seccomp *f = &spec->linux_.seccomp;
    struct wh_arena *arena = wh_arena_new();
    struct sock_filter *all;
    struct model m;
    unsigned int done = 0;
    size_t n = 0;

    all = program(spec, arena, &n);
    model_prepare(&m, f);
    for (unsigned int i = 0; all && i < calls; i++) {
        struct seccomp_data d;
        bool exact;

        any_call(f, &d);
        if (!model_allows(&m, &d, bpf_run(all, n, &d), &exact)) {
            fprintf(stderr, "call %d of arch %x (%llx %llx %llx %llx %llx %llx) is answered %x\n", d.nr, d.arch,
                    (unsigned long long)d.args[0], (unsigned long long)d.args[1], (unsigned long long)d.args[2],
                    (unsigned long long)d.args[3], (unsigned long long)d.args[4], (unsigned long long)d.args[5],
                    bpf_run(all, n, &d));
            must(!"the answer is one that the rules have");
        }
        done += exact;
    }
    free(all);
    wh_arena_free(arena);
    return done;
}

static struct wh_spec *parse(const char *rules, size_t len)
{
    static const char head[] = "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"seccomp\":";
    struct wh_errlist errs = { 0 };
    struct wh_spec *spec = NULL;
    char *json = malloc(sizeof head - 1 + len + 2);

    memcpy(json, head, sizeof head - 1);
    memcpy(json + sizeof head - 1, rules, len);
    memcpy(json + sizeof head - 1 + len, "}}", 2);
    wh_spec_parse(json, sizeof head - 1 + len + 2, "config.json", 0, &spec, &errs);
    free(json);
    return spec;
}

#endif
