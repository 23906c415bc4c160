/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.seccomp to classic BPF. The only file that calls libseccomp; that library is asked for the
 * rules alone, the -ENOSYS stub in front of them is ours.
 *
 * The stub. A profile that denies by default answers every system call that it does not name with the same errno, usually
 * EPERM. A C library newer than the profile tries a new call, expects ENOSYS from an old kernel, and gives up on EPERM. So
 * system calls above the highest number that the profile mentions anywhere (also those it denies by name) get ENOSYS: the
 * author of the profile cannot have known them, and -ENOSYS allows nothing. Numbers belong to an architecture, so there is
 * one comparison for each. The stub either returns or jumps to the instruction behind its end, and all jumps of classic
 * BPF are relative and forward: what libseccomp compiles is put behind it as it is.
 *
 *     ld  arch
 *     jeq #native, next, skip-block      one block for each architecture, the native one first
 *       ld  nr
 *       jge #0x40000000 ...              x86-64 only: x32 shares AUDIT_ARCH_X86_64 and has numbers of its own
 *       jgt #highest, enosys
 *       ja  end
 *       enosys: ret ERRNO|ENOSYS
 *     ...
 *     end: (libseccomp's program, which kills what comes from an architecture that is not in the filter)
 */
#include "plan/plan.h"

#include <errno.h>
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "abi/kernel.h"

static const struct wh_seccomp *filter_of(const struct wh_spec *spec)
{
    return spec->linux_.set && spec->linux_.seccomp.set ? &spec->linux_.seccomp : NULL;
}

uint32_t wh_seccomp_flags(const struct wh_spec *spec, const struct wh_request *req)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } names[] = {
        { "SECCOMP_FILTER_FLAG_LOG", WH_SECCOMP_FILTER_FLAG_LOG },
        { "SECCOMP_FILTER_FLAG_SPEC_ALLOW", WH_SECCOMP_FILTER_FLAG_SPEC_ALLOW },
        { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", WH_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
    };
    const struct wh_seccomp *f = filter_of(spec);
    uint32_t flags = 0;

    if (!wh_seccomp_wanted(spec))
        return 0;
    /* Absent and empty differ: profiles written before the property existed rely on the speculation mitigations being off,
     * which cost more than the filter itself. */
    if (!f || !f->flags.set)
        return WH_SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    /* SECCOMP_FILTER_FLAG_TSYNC means nothing: wherry-init has one thread, and the kernel refuses it next to a listener. */
    for (size_t i = 0; i < f->flags.n; i++)
        for (size_t j = 0; j < WH_ELEMENTSOF(names); j++)
            if (wh_streq(f->flags.v[i].v, names[j].name))
                flags |= names[j].flag;
    /* The kernel answers EINVAL to it without a listener, where there is nothing to wait for. */
    if (!wh_seccomp_notifies(spec, req))
        flags &= ~WH_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    return flags;
}

#ifndef HAVE_SECCOMP

const char *wh_seccomp_action_name(size_t i)
{
    (void)i;
    return NULL;
}

const char *wh_seccomp_operator_name(size_t i)
{
    (void)i;
    return NULL;
}

const char *wh_seccomp_arch_name(size_t i)
{
    (void)i;
    return NULL;
}

const char *wh_seccomp_key(const struct wh_spec *spec, const char *made_by, struct wh_arena *arena, size_t *ret_len)
{
    const char *key = filter_of(spec) ? wh_arena_strndup(arena, "none", 4) : NULL;

    (void)made_by;
    *ret_len = key ? 4 : 0;
    return key;
}

static int not_built(const struct wh_spec *spec, struct wh_err *err)
{
    const struct wh_seccomp *f = filter_of(spec);
    char where[160];

    return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, f ? wh_spec_where(spec, f->src, where, sizeof where) : NULL,
                      "this wherry was built without libseccomp and cannot apply a seccomp filter");
}

int wh_seccomp_stub(const struct wh_spec *spec, struct wh_arena *arena, const void **ret, size_t *ret_len,
                    struct wh_err *err)
{
    (void)arena;
    *ret = NULL;
    *ret_len = 0;
    return not_built(spec, err);
}

int wh_seccomp_compile(const struct wh_spec *spec, int fd, volatile struct wh_seccomp_at *at, struct wh_err *err)
{
    (void)fd;
    (void)at;
    return not_built(spec, err);
}

bool wh_seccomp_risky(const struct wh_spec *spec)
{
    (void)spec;
    return false;
}

int wh_seccomp_endless(const struct wh_spec *spec, const struct wh_seccomp_at *at, int ms, struct wh_err *err)
{
    (void)at;
    (void)ms;
    return not_built(spec, err);
}

const struct wh_sstr *wh_seccomp_unknown(const struct wh_spec *spec, size_t *pos)
{
    (void)spec;
    (void)pos;
    return NULL;
}

const struct wh_seccomp_rule *wh_seccomp_overruled(const struct wh_spec *spec, size_t rule, size_t name)
{
    (void)spec;
    (void)rule;
    (void)name;
    return NULL;
}

#else

#include <seccomp.h>

/* Changes whenever the same profile would give another program: the key of the cache. */
#define FORMAT "wherry-seccomp-2"
#define OPTIMIZE_ABOVE 32u

#define X32_BIT 0x40000000u

static const struct {
    const char *name;
    uint32_t action;
    bool takes_errno;
} actions[] = {
    { "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false },
    { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false },
    { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false },
    { "SCMP_ACT_TRAP", SCMP_ACT_TRAP, false },
    { "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true },
    { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true },
    { "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false },
    { "SCMP_ACT_LOG", SCMP_ACT_LOG, false },
    { "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY, false },
};

static const struct {
    const char *name;
    enum scmp_compare op;
} compares[] = {
    { "SCMP_CMP_NE", SCMP_CMP_NE },
    { "SCMP_CMP_LT", SCMP_CMP_LT },
    { "SCMP_CMP_LE", SCMP_CMP_LE },
    { "SCMP_CMP_EQ", SCMP_CMP_EQ },
    { "SCMP_CMP_GE", SCMP_CMP_GE },
    { "SCMP_CMP_GT", SCMP_CMP_GT },
    { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

/* Those that the specification names and libseccomp 2.5 has. One that this library lacks (LoongArch, M68K, SH) is left out:
 * a program of an architecture that is not in the filter is killed, so leaving it out never allows anything. */
static const struct {
    const char *name;
    uint32_t token;
} arches[] = {
    { "SCMP_ARCH_X86", SCMP_ARCH_X86 },
    { "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64 },
    { "SCMP_ARCH_X32", SCMP_ARCH_X32 },
    { "SCMP_ARCH_ARM", SCMP_ARCH_ARM },
    { "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64 },
    { "SCMP_ARCH_MIPS", SCMP_ARCH_MIPS },
    { "SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64 },
    { "SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32 },
    { "SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL },
    { "SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64 },
    { "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32 },
    { "SCMP_ARCH_PPC", SCMP_ARCH_PPC },
    { "SCMP_ARCH_PPC64", SCMP_ARCH_PPC64 },
    { "SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE },
    { "SCMP_ARCH_S390", SCMP_ARCH_S390 },
    { "SCMP_ARCH_S390X", SCMP_ARCH_S390X },
    { "SCMP_ARCH_PARISC", SCMP_ARCH_PARISC },
    { "SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64 },
    { "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64 },
#ifdef SCMP_ARCH_LOONGARCH64
    { "SCMP_ARCH_LOONGARCH64", SCMP_ARCH_LOONGARCH64 },
#endif
#ifdef SCMP_ARCH_M68K
    { "SCMP_ARCH_M68K", SCMP_ARCH_M68K },
#endif
#ifdef SCMP_ARCH_SH
    { "SCMP_ARCH_SH", SCMP_ARCH_SH },
    { "SCMP_ARCH_SHEB", SCMP_ARCH_SHEB },
#endif
};
#define MAX_ARCHES (WH_ELEMENTSOF(arches) + 1)

const char *wh_seccomp_action_name(size_t i)
{
    return i < WH_ELEMENTSOF(actions) ? actions[i].name : NULL;
}

const char *wh_seccomp_operator_name(size_t i)
{
    return i < WH_ELEMENTSOF(compares) ? compares[i].name : NULL;
}

const char *wh_seccomp_arch_name(size_t i)
{
    return i < WH_ELEMENTSOF(arches) ? arches[i].name : NULL;
}

static int spec_error(const struct wh_spec *spec, wh_node src, struct wh_err *err, int code, const char *text,
                      const char *what)
{
    char where[160];

    return wh_err_set(err, WH_ERR_SPEC, code, wh_spec_where(spec, src, where, sizeof where), "%s%s", text, what);
}

/* The value as libseccomp spells it. EPERM is what profiles without an errno mean (specification). */
static int action_of(const struct wh_spec *spec, const struct wh_sstr *name, const struct wh_opt_u32 *errno_ret,
                     uint32_t *ret, struct wh_err *err)
{
    uint32_t e = errno_ret->set ? errno_ret->v : EPERM;

    for (size_t i = 0; i < WH_ELEMENTSOF(actions); i++) {
        if (!wh_streq(name->v, actions[i].name))
            continue;
        /* The kernel has 16 bits for it; more would reach into the action. */
        if (actions[i].takes_errno && e > 0xffff)
            return spec_error(spec, errno_ret->src, err, -EINVAL, "errnoRet is larger than 65535", "");
        *ret = actions[i].action | (actions[i].takes_errno ? e : 0);
        return 0;
    }
    return spec_error(spec, name->src, err, -EINVAL, "unknown seccomp action ", name->v);
}

/* Native first, the others as listed, each once. */
static size_t arches_of(const struct wh_seccomp *f, uint32_t *ret)
{
    size_t n = 0;

    ret[n++] = seccomp_arch_native();
    for (size_t i = 0; i < f->architectures.n; i++)
        for (size_t j = 0; j < WH_ELEMENTSOF(arches); j++) {
            bool seen = false;

            if (!wh_streq(f->architectures.v[i].v, arches[j].name))
                continue;
            for (size_t k = 0; k < n; k++)
                seen = seen || ret[k] == arches[j].token;
            if (!seen)
                ret[n++] = arches[j].token;
        }
    return n;
}

const struct wh_sstr *wh_seccomp_unknown(const struct wh_spec *spec, size_t *pos)
{
    const struct wh_seccomp *f = filter_of(spec);
    size_t at = 0;

    for (size_t i = 0; f && i < f->nrules; i++)
        for (size_t j = 0; j < f->rules[i].names.n; j++)
            if (at++ >= *pos && seccomp_syscall_resolve_name(f->rules[i].names.v[j].v) == __NR_SCMP_ERROR) {
                *pos = at;
                return &f->rules[i].names.v[j];
            }
    *pos = at;
    return NULL;
}

static bool has_name(const struct wh_seccomp_rule *r, const char *name)
{
    for (size_t i = 0; i < r->names.n; i++)
        if (wh_streq(r->names.v[i].v, name))
            return true;
    return false;
}

const struct wh_seccomp_rule *wh_seccomp_overruled(const struct wh_spec *spec, size_t rule, size_t name)
{
    const struct wh_seccomp *f = filter_of(spec);
    const struct wh_seccomp_rule *r = &f->rules[rule];
    struct wh_err err = { 0 };
    uint32_t def, own, action;

    if (action_of(spec, &f->default_action, &f->default_errno_ret, &def, &err) < 0 ||
        action_of(spec, &r->action, &r->errno_ret, &own, &err) < 0 ||
        seccomp_syscall_resolve_name(r->names.v[name].v) == __NR_SCMP_ERROR)
        return NULL;
    /* A rule that says what the default action says is not added (add_rules), and stands above none. */
    for (size_t i = 0; i < f->nrules; i++)
        if (f->rules[i].nargs == 0 && has_name(&f->rules[i], r->names.v[name].v) &&
            action_of(spec, &f->rules[i].action, &f->rules[i].errno_ret, &action, &err) == 0 && action != def)
            return action == own ? NULL : &f->rules[i];
    return NULL;
}

/* ---------------------------------------------------------------- key of the cache */

/* Built at every start of a container with a filter, for hundreds of names: no format is parsed for them. */
static void key_str(struct wh_buf *b, const char *what, const char *s)
{
    size_t len = strlen(s), n = len;
    char digits[24], *d = digits + sizeof digits;

    /* With its length, so that no name can pretend to be the next line. */
    *--d = ':';
    do {
        *--d = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    wh_buf_puts(b, what);
    wh_buf_add(b, d, (size_t)(digits + sizeof digits - d));
    wh_buf_add(b, s, len);
    wh_buf_add(b, "\n", 1);
}

static void key_opt(struct wh_buf *b, const struct wh_opt_u32 *o)
{
    if (o->set)
        wh_buf_printf(b, "errno %lu\n", (unsigned long)o->v);
}

const char *wh_seccomp_key(const struct wh_spec *spec, const char *made_by, struct wh_arena *arena, size_t *ret_len)
{
    const struct wh_seccomp *f = filter_of(spec);
    const struct scmp_version *v = seccomp_version();
    WH_CLEANUP_BUF struct wh_buf b = { 0 };
    const char *key;

    *ret_len = 0;
    if (!f)
        return NULL;
    wh_buf_printf(&b, FORMAT "\n%s\nlibseccomp %u.%u.%u native %lx\n", made_by, v->major, v->minor, v->micro,
                  (unsigned long)seccomp_arch_native());
    key_str(&b, "default ", f->default_action.v);
    key_opt(&b, &f->default_errno_ret);
    for (size_t i = 0; i < f->architectures.n; i++)
        key_str(&b, "arch ", f->architectures.v[i].v);
    for (size_t i = 0; i < f->nrules; i++) {
        const struct wh_seccomp_rule *r = &f->rules[i];

        key_str(&b, "rule ", r->action.v);
        key_opt(&b, &r->errno_ret);
        for (size_t j = 0; j < r->nargs; j++) {
            wh_buf_printf(&b, "arg %lu %llu %llu", (unsigned long)r->args[j].index,
                          (unsigned long long)r->args[j].value, (unsigned long long)r->args[j].value_two);
            key_str(&b, " ", r->args[j].op.v);
        }
        for (size_t j = 0; j < r->names.n; j++)
            key_str(&b, "name ", r->names.v[j].v);
    }
    if (b.failed || !b.data || !(key = wh_arena_strndup(arena, b.data, b.len)))
        return NULL;
    *ret_len = b.len;
    return key;
}

/* ---------------------------------------------------------------- stub */

/*
 * The number of a name on an architecture, or -1. libseccomp gives pseudo numbers to calls that came to 32-bit x86 and s390
 * as parts of socketcall(2) and ipc(2); since Linux 4.3 and 5.1 they have numbers of their own there, 359 to 373 and 393 to
 * 402, which is what a profile that names socket means as well.
 */
static int64_t number_of(uint32_t arch, const char *name)
{
    int nr = seccomp_syscall_resolve_name_arch(arch, name);
    bool multiplexed = arch == SCMP_ARCH_X86 || arch == SCMP_ARCH_S390 || arch == SCMP_ARCH_S390X;

    if (nr >= 0)
        return nr;
    if (multiplexed && nr <= -101 && nr >= -120)
        return 373;
    if (multiplexed && nr <= -201 && nr >= -224)
        return 402;
    return -1;
}

/* The highest number that the profile mentions on an architecture, or -1. */
static int64_t highest(const struct wh_seccomp *f, uint32_t arch)
{
    int64_t max = -1;

    for (size_t i = 0; i < f->nrules; i++)
        for (size_t j = 0; j < f->rules[i].names.n; j++) {
            int64_t nr = number_of(arch, f->rules[i].names.v[j].v);

            max = nr > max ? nr : max;
        }
    return max;
}

static bool wants_stub(uint32_t default_action)
{
    return default_action != SCMP_ACT_ALLOW && default_action != SCMP_ACT_LOG &&
           (default_action & 0xffff0000u) != SCMP_ACT_TRACE(0) && default_action != SCMP_ACT_ERRNO(ENOSYS);
}

#define LD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP(op, k, jt, jf) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (jt), (jf))
#define ENOSYS_RET BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)
/* Its distance is filled in when the length of the stub is known. */
#define END BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0)
#define MAX_BLOCK 9u

static void add(struct sock_filter *stub, size_t *n, struct sock_filter insn)
{
    stub[(*n)++] = insn;
}

/* One block. nr: highest number, or -1 for "says nothing"; x32: the same, of x32. */
static void add_block(struct sock_filter *stub, size_t *n, uint32_t arch, int64_t nr, int64_t x32)
{
    size_t start = *n;

    if (nr < 0 && x32 < 0)
        return;
    add(stub, n, (struct sock_filter)JUMP(BPF_JEQ, arch, 0, 0));
    add(stub, n, (struct sock_filter)LD(nr));
    if (arch == SCMP_ARCH_X86_64) {
        add(stub, n, (struct sock_filter)JUMP(BPF_JGE, X32_BIT, x32 < 0 ? 1 : 2, 0));
        add(stub, n, (struct sock_filter)JUMP(BPF_JGT, nr < 0 ? X32_BIT - 1 : (uint32_t)nr, x32 < 0 ? 1 : 3, 0));
        add(stub, n, (struct sock_filter)END);
        if (x32 >= 0) {
            add(stub, n, (struct sock_filter)JUMP(BPF_JGT, (uint32_t)x32, 1, 0));
            add(stub, n, (struct sock_filter)END);
        }
    } else {
        /* 0 is the way into a system call whose number is in a register; no filter can see which one it is. */
        if (arch == SCMP_ARCH_S390 || arch == SCMP_ARCH_S390X)
            add(stub, n, (struct sock_filter)JUMP(BPF_JEQ, 0, 2, 0));
        add(stub, n, (struct sock_filter)JUMP(BPF_JGT, (uint32_t)nr, 1, 0));
        add(stub, n, (struct sock_filter)END);
    }
    add(stub, n, (struct sock_filter)ENOSYS_RET);
    stub[start].jf = (uint8_t)(*n - start - 1);
}

int wh_seccomp_stub(const struct wh_spec *spec, struct wh_arena *arena, const void **ret, size_t *ret_len,
                    struct wh_err *err)
{
    const struct wh_seccomp *f = filter_of(spec);
    uint32_t arch[MAX_ARCHES], def;
    struct sock_filter *stub;
    size_t narch, n = 0;
    bool x86_64_done = false;
    int r;

    *ret = NULL;
    *ret_len = 0;
    if (!f)
        return 0;
    r = action_of(spec, &f->default_action, &f->default_errno_ret, &def, err);
    if (r < 0)
        return r;
    if (!wants_stub(def))
        return 0;
    narch = arches_of(f, arch);
    stub = wh_arena_new_array(arena, struct sock_filter, 1 + narch * MAX_BLOCK);
    if (!stub)
        return wh_err_set(err, WH_ERR_HOST, -ENOMEM, NULL, "compile the seccomp filter: cannot allocate memory");
    add(stub, &n, (struct sock_filter)LD(arch));
    for (size_t i = 0; i < narch; i++) {
        int64_t x32 = -1, nr = -1;

        if (arch[i] != SCMP_ARCH_X86_64 && arch[i] != SCMP_ARCH_X32) {
            add_block(stub, &n, arch[i], highest(f, arch[i]), -1);
            continue;
        }
        if (x86_64_done)
            continue;
        for (size_t j = i; j < narch; j++) {
            nr = arch[j] == SCMP_ARCH_X86_64 ? highest(f, arch[j]) : nr;
            x32 = arch[j] == SCMP_ARCH_X32 ? highest(f, arch[j]) : x32;
        }
        add_block(stub, &n, SCMP_ARCH_X86_64, nr, x32);
        x86_64_done = true;
    }
    for (size_t i = 0; i < n; i++)
        if (stub[i].code == (BPF_JMP | BPF_JA))
            stub[i].k = (uint32_t)(n - i - 1);
    /* Nothing that this machine knows was mentioned: no stub, the default action stands. */
    if (n == 1)
        return 0;
    *ret = stub;
    *ret_len = n * sizeof *stub;
    return 0;
}

/* ---------------------------------------------------------------- rules */

static void releasep(scmp_filter_ctx *ctx)
{
    if (*ctx)
        seccomp_release(*ctx);
}

static int add_rule(const struct wh_spec *spec, scmp_filter_ctx ctx, uint32_t action, const struct wh_sstr *name,
                    int nr, const struct scmp_arg_cmp *args, unsigned nargs, struct wh_err *err)
{
    int r = seccomp_rule_add_array(ctx, action, nr, nargs, args);
    char words[WH_ERRTEXT_SIZE], where[160];

    if (r == 0)
        return 0;
    if (r == -EEXIST)
        return spec_error(spec, name->src, err, -EINVAL,
                          "two rules with the same conditions and different actions for the system call ", name->v);
    return wh_err_set(err, r == -ENOMEM ? WH_ERR_HOST : WH_ERR_SPEC, r == -ENOMEM ? r : -EINVAL,
                      wh_spec_where(spec, name->src, where, sizeof where), "libseccomp refuses the rule for %s: %s",
                      name->v, wh_errno_words(-r, words));
}

static int rule_args(const struct wh_spec *spec, const struct wh_seccomp_rule *rule, struct scmp_arg_cmp *ret,
                     bool *ret_apart, struct wh_err *err)
{
    bool seen[6] = { false };

    *ret_apart = false;
    for (size_t i = 0; i < rule->nargs; i++) {
        const struct wh_seccomp_arg *a = &rule->args[i];
        bool known = false;

        if (a->index >= WH_ELEMENTSOF(seen))
            return spec_error(spec, a->src, err, -EINVAL, "a system call has the arguments 0 to 5", "");
        *ret_apart = *ret_apart || seen[a->index];
        seen[a->index] = true;
        ret[i] = (struct scmp_arg_cmp){ .arg = a->index, .datum_a = a->value, .datum_b = a->value_two };
        for (size_t j = 0; j < WH_ELEMENTSOF(compares); j++)
            if (wh_streq(a->op.v, compares[j].name)) {
                ret[i].op = compares[j].op;
                known = true;
            }
        if (!known)
            return spec_error(spec, a->op.src, err, -EINVAL, "unknown comparison ", a->op.v);
    }
    return 0;
}

#define MAX_ARGS 64u

static int add_rules(const struct wh_spec *spec, scmp_filter_ctx ctx, const struct wh_seccomp_rule *rule, uint32_t def,
                     volatile struct wh_seccomp_at *at, struct wh_err *err)
{
    struct scmp_arg_cmp args[MAX_ARGS];
    uint32_t action;
    bool apart;
    int r;

    r = action_of(spec, &rule->action, &rule->errno_ret, &action, err);
    if (r < 0)
        return r;
    /* libseccomp refuses a rule that changes nothing; profiles have them, made by one generator for many defaults. */
    if (action == def)
        return 0;
    if (rule->nargs > MAX_ARGS)
        return spec_error(spec, rule->src, err, -EINVAL, "more than 64 conditions in one rule", "");
    r = rule_args(spec, rule, args, &apart, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < rule->names.n; i++) {
        const struct wh_sstr *name = &rule->names.v[i];
        int nr = seccomp_syscall_resolve_name(name->v);

        if (nr == __NR_SCMP_ERROR)
            continue;
        if (at)
            at->name = i;
        /* The supervisor would have to write to learn of it, and wait for itself. */
        if (action == SCMP_ACT_NOTIFY && wh_streq(name->v, "write"))
            return spec_error(spec, name->src, err, -EINVAL, "SCMP_ACT_NOTIFY cannot be used for the write syscall",
                              "");
        /* One rule of libseccomp compares an argument once: conditions on the same argument are alternatives. */
        for (size_t j = 0; apart && j < rule->nargs; j++) {
            r = add_rule(spec, ctx, action, name, nr, &args[j], 1, err);
            if (r < 0)
                return r;
        }
        if (!apart) {
            r = add_rule(spec, ctx, action, name, nr, args, (unsigned)rule->nargs, err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int lib_error(struct wh_err *err, const char *what, int r)
{
    return wh_err_sys(err, r == -EINVAL ? -EOPNOTSUPP : r, "compile the seccomp filter: %s", what);
}

int wh_seccomp_compile(const struct wh_spec *spec, int fd, volatile struct wh_seccomp_at *at, struct wh_err *err)
{
    const struct wh_seccomp *f = filter_of(spec);
    __attribute__((cleanup(releasep))) scmp_filter_ctx ctx = NULL;
    uint32_t arch[MAX_ARCHES], def;
    size_t narch, nnames = 0;
    int r;

    if (!f)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "the configuration has no seccomp filter");
    r = action_of(spec, &f->default_action, &f->default_errno_ret, &def, err);
    if (r < 0)
        return r;
    if (def == SCMP_ACT_NOTIFY)
        return spec_error(spec, f->default_action.src, err, -EINVAL, "SCMP_ACT_NOTIFY cannot be the default action",
                          "");
    ctx = seccomp_init(def);
    if (!ctx)
        return spec_error(spec, f->default_action.src, err, -EOPNOTSUPP,
                          "libseccomp or the kernel does not know the default action ", f->default_action.v);
    /* noNewPrivileges is a property of its own, set by its own step. */
    r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
    if (r < 0)
        return lib_error(err, "libseccomp keeps no_new_privs", r);
    /* A binary tree instead of a list: libseccomp takes longer for it, once, but the kernel runs the program for every system
     * call number when it is loaded, to know those that it need not ask about again, and that is paid at each start. */
    for (size_t i = 0; i < f->nrules; i++)
        nnames += f->rules[i].names.n;
    if (nnames > OPTIMIZE_ABOVE) {
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        if (r < 0)
            return lib_error(err, "libseccomp has no binary tree", r);
    }
    narch = arches_of(f, arch);
    for (size_t i = 1; i < narch; i++) {
        r = seccomp_arch_add(ctx, arch[i]);
        /* EDOM: of the other byte order, which no kernel of this machine runs; left out like one that is not known. */
        if (r < 0 && r != -EEXIST && r != -EDOM)
            return lib_error(err, "libseccomp refuses an architecture", r);
    }
    for (size_t i = 0; i < f->nrules; i++) {
        if (at)
            at->rule = i;
        r = add_rules(spec, ctx, &f->rules[i], def, at, err);
        if (r < 0)
            return r;
    }
    if (at)
        at->rule = f->nrules;
    r = seccomp_export_bpf(ctx, fd);
    return r < 0 ? lib_error(err, "write the program", r) : 0;
}

/* ---------------------------------------------------------------- what may take any time */

/* Rules that libseccomp adds in less time than a process takes to be made. */
#define FEW 2000u

/* The first rule before `end` that has conditions and the name; or null. */
static const struct wh_seccomp_rule *conditional(const struct wh_seccomp *f, size_t end, const char *name)
{
    for (size_t i = 0; i < end; i++)
        if (f->rules[i].nargs > 0 && has_name(&f->rules[i], name))
            return &f->rules[i];
    return NULL;
}

/* Several conditions on one argument are several rules (add_rules). */
static bool compares_twice(const struct wh_seccomp_rule *r)
{
    for (size_t i = 0; i < r->nargs; i++)
        for (size_t j = 0; j < i; j++)
            if (r->args[i].index == r->args[j].index)
                return true;
    return false;
}

bool wh_seccomp_risky(const struct wh_spec *spec)
{
    const struct wh_seccomp *f = filter_of(spec);
    size_t n = 0;

    for (size_t i = 0; f && i < f->nrules; i++)
        n += f->rules[i].names.n * (f->rules[i].nargs > 0 ? f->rules[i].nargs : 1);
    if (n > FEW)
        return true;
    for (size_t i = 0; f && i < f->nrules; i++) {
        const struct wh_seccomp_rule *r = &f->rules[i];

        if (compares_twice(r))
            return true;
        for (size_t j = 0; r->nargs > 0 && j < r->names.n; j++)
            if (conditional(f, i, r->names.v[j].v))
                return true;
    }
    return false;
}

int wh_seccomp_endless(const struct wh_spec *spec, const struct wh_seccomp_at *at, int ms, struct wh_err *err)
{
    const struct wh_seccomp *f = filter_of(spec);
    const struct wh_seccomp_rule *r = at->rule < f->nrules ? &f->rules[at->rule] : NULL, *other;
    const struct wh_sstr *name = r && at->name < r->names.n ? &r->names.v[at->name] : NULL;
    char where[160];

    other = name && r->nargs > 0 ? conditional(f, at->rule, name->v) : NULL;
    if (other)
        return wh_err_set(err, WH_ERR_SPEC, -ETIMEDOUT, wh_spec_where(spec, r->src, where, sizeof where),
                          "libseccomp has not compiled the rule for %s within %d s: its conditions overlap those of "
                          "/linux/seccomp/syscalls/%zu, and some such rules are endless for it (write conditions that "
                          "exclude each other, or one rule)",
                          name->v, ms / 1000, (size_t)(other - f->rules));
    return wh_err_set(err, WH_ERR_SPEC, -ETIMEDOUT, wh_spec_where(spec, r ? r->src : f->src, where, sizeof where),
                      "libseccomp has not compiled the filter within %d s: it has too many rules or conditions",
                      ms / 1000);
}

#endif
