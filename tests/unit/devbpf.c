/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device program: instruction by instruction for a few lists of rules, by running it in a small interpreter against a
 * model of the rules for many lists and every request that could tell them apart, and by the kernel's own verifier where
 * this process may ask it.
 */
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>

#include "plan/plan.h"

#define BLOCK 1u
#define CHAR 2u
#define M 1u
#define R 2u
#define W 4u

struct list {
    struct wh_devrule rule[16];
    size_t n;
};

static void rule(struct list *l, bool allow, char type, int64_t major, int64_t minor, const char *access)
{
    struct wh_devrule *d = &l->rule[l->n++];

    *d = (struct wh_devrule){ .allow = allow, .type = type };
    d->major = (struct wh_opt_i64){ .v = major, .set = major != -2 };
    d->minor = (struct wh_opt_i64){ .v = minor, .set = minor != -2 };
    d->access.v = access;
}

static int compile(struct list *l, struct wh_arena *arena, struct bpf_insn **ret, size_t *ret_n, struct wh_err *err)
{
    struct wh_spec spec = { 0 };
    struct wh_request req = { 0 };

    spec.linux_.set = spec.linux_.resources.set = true;
    spec.linux_.resources.devices.v = l->rule;
    spec.linux_.resources.devices.n = l->n;
    spec.linux_.resources.devices.set = l->n > 0;
    return wh_devbpf_compile(&spec, &req, arena, ret, ret_n, err);
}

/* ---- disassembly, of what the compiler emits ---- */

static void text(const struct bpf_insn *p, size_t n, struct wh_buf *b)
{
    for (size_t i = 0; i < n; i++) {
        unsigned d = p[i].dst_reg, s = p[i].src_reg;
        size_t target = i + 1 + (size_t)p[i].off;
        int k = p[i].imm;

        switch (p[i].code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            wh_buf_printf(b, "%zu r%u = *(u32 *)(r%u + %d)\n", i, d, s, p[i].off);
            break;
        case BPF_ALU64 | BPF_MOV | BPF_X:
            wh_buf_printf(b, "%zu r%u = r%u\n", i, d, s);
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            wh_buf_printf(b, "%zu r%u = %d\n", i, d, k);
            break;
        case BPF_ALU64 | BPF_AND | BPF_K:
            wh_buf_printf(b, "%zu r%u &= %d\n", i, d, k);
            break;
        case BPF_ALU64 | BPF_RSH | BPF_K:
            wh_buf_printf(b, "%zu r%u >>= %d\n", i, d, k);
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            wh_buf_printf(b, "%zu if w%u != %d goto %zu\n", i, d, k, target);
            break;
        case BPF_JMP | BPF_JNE | BPF_K:
            wh_buf_printf(b, "%zu if r%u != %d goto %zu\n", i, d, k, target);
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            wh_buf_printf(b, "%zu if r%u & %d goto %zu\n", i, d, k, target);
            break;
        case BPF_JMP | BPF_JA:
            wh_buf_printf(b, "%zu goto %zu\n", i, target);
            break;
        case BPF_JMP | BPF_EXIT:
            wh_buf_printf(b, "%zu exit\n", i);
            break;
        default:
            wh_buf_printf(b, "%zu ? %#x\n", i, p[i].code);
        }
    }
}

#define PROLOGUE                                                                                                       \
    "0 r2 = *(u32 *)(r1 + 0)\n"                                                                                        \
    "1 r3 = r2\n"                                                                                                      \
    "2 r3 &= 65535\n"                                                                                                  \
    "3 r2 >>= 16\n"                                                                                                    \
    "4 r4 = *(u32 *)(r1 + 4)\n"                                                                                        \
    "5 r5 = *(u32 *)(r1 + 8)\n"
/* Making nodes, then the devices that every container has. */
#define FIXED                                                                                                          \
    "6 if w3 != 2 goto 11\n"                                                                                           \
    "7 r2 &= 6\n"                                                                                                      \
    "8 if r2 != 0 goto 11\n"                                                                                           \
    "9 r0 = 1\n"                                                                                                       \
    "10 exit\n"                                                                                                        \
    "11 if w3 != 1 goto 16\n"                                                                                          \
    "12 r2 &= 6\n"                                                                                                     \
    "13 if r2 != 0 goto 16\n"                                                                                          \
    "14 r0 = 1\n"                                                                                                      \
    "15 exit\n"                                                                                                        \
    "16 if w3 != 2 goto 21\n"                                                                                          \
    "17 if w4 != 1 goto 21\n"                                                                                          \
    "18 if w5 != 3 goto 21\n"                                                                                          \
    "19 r0 = 1\n"                                                                                                      \
    "20 exit\n"                                                                                                        \
    "21 if w3 != 2 goto 26\n"                                                                                          \
    "22 if w4 != 1 goto 26\n"                                                                                          \
    "23 if w5 != 5 goto 26\n"                                                                                          \
    "24 r0 = 1\n"                                                                                                      \
    "25 exit\n"                                                                                                        \
    "26 if w3 != 2 goto 31\n"                                                                                          \
    "27 if w4 != 1 goto 31\n"                                                                                          \
    "28 if w5 != 7 goto 31\n"                                                                                          \
    "29 r0 = 1\n"                                                                                                      \
    "30 exit\n"                                                                                                        \
    "31 if w3 != 2 goto 36\n"                                                                                          \
    "32 if w4 != 1 goto 36\n"                                                                                          \
    "33 if w5 != 8 goto 36\n"                                                                                          \
    "34 r0 = 1\n"                                                                                                      \
    "35 exit\n"                                                                                                        \
    "36 if w3 != 2 goto 41\n"                                                                                          \
    "37 if w4 != 1 goto 41\n"                                                                                          \
    "38 if w5 != 9 goto 41\n"                                                                                          \
    "39 r0 = 1\n"                                                                                                      \
    "40 exit\n"                                                                                                        \
    "41 if w3 != 2 goto 46\n"                                                                                          \
    "42 if w4 != 5 goto 46\n"                                                                                          \
    "43 if w5 != 0 goto 46\n"                                                                                          \
    "44 r0 = 1\n"                                                                                                      \
    "45 exit\n"                                                                                                        \
    "46 if w3 != 2 goto 51\n"                                                                                          \
    "47 if w4 != 5 goto 51\n"                                                                                          \
    "48 if w5 != 1 goto 51\n"                                                                                          \
    "49 r0 = 1\n"                                                                                                      \
    "50 exit\n"                                                                                                        \
    "51 if w3 != 2 goto 56\n"                                                                                          \
    "52 if w4 != 5 goto 56\n"                                                                                          \
    "53 if w5 != 2 goto 56\n"                                                                                          \
    "54 r0 = 1\n"                                                                                                      \
    "55 exit\n"                                                                                                        \
    "56 if w3 != 2 goto 60\n"                                                                                          \
    "57 if w4 != 136 goto 60\n"                                                                                        \
    "58 r0 = 1\n"                                                                                                      \
    "59 exit\n"                                                                                                        \
    "60 if w3 != 2 goto 65\n"                                                                                          \
    "61 if w4 != 10 goto 65\n"                                                                                         \
    "62 if w5 != 200 goto 65\n"                                                                                        \
    "63 r0 = 1\n"                                                                                                      \
    "64 exit\n"

static void golden(const char *name, struct list *l, const char *want)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_BUF struct wh_buf b = { 0 };
    struct wh_err err = { 0 };
    struct bpf_insn *p;
    size_t n;

    is_int(compile(l, arena, &p, &n, &err), 0, "%s: compiles", name);
    text(p, n, &b);
    is_str(b.data, want, "%s: the program", name);
}

static void test_golden(void)
{
    struct list none = { 0 }, deny = { 0 }, gpu = { 0 }, all = { 0 };

    golden("no rules", &none, PROLOGUE FIXED "65 r0 = 0\n66 exit\n");
    rule(&deny, false, 'a', -2, -2, "rwm");
    golden("what engines send", &deny, PROLOGUE FIXED "65 r0 = 0\n66 exit\n");
    rule(&gpu, true, 'b', 8, 0, "rwm");
    rule(&gpu, false, 'a', -1, -1, "rwm");
    rule(&gpu, true, 'c', 195, -1, "rw");
    rule(&gpu, false, 'c', 195, 255, "w");
    golden("rules after a reset", &gpu,
           PROLOGUE FIXED "65 if w3 != 2 goto 72\n"
                          "66 if w4 != 195 goto 72\n"
                          "67 if w5 != 255 goto 72\n"
                          "68 if r2 & 4 goto 70\n"
                          "69 goto 72\n"
                          "70 r0 = 0\n"
                          "71 exit\n"
                          "72 if w3 != 2 goto 78\n"
                          "73 if w4 != 195 goto 78\n"
                          "74 r2 &= 1\n"
                          "75 if r2 != 0 goto 78\n"
                          "76 r0 = 1\n"
                          "77 exit\n"
                          "78 r0 = 0\n"
                          "79 exit\n");
    rule(&all, false, 'c', 1, 1, "rwm");
    rule(&all, true, 'a', -2, -2, "rwm");
    golden("everything allowed: nothing is left of what came before", &all, PROLOGUE FIXED "65 r0 = 1\n66 exit\n");
}

/* ---- the model ---- */

static bool covers(const struct wh_devrule *d, uint32_t type, uint32_t major, uint32_t minor)
{
    if (d->type == 'c' && type != CHAR)
        return false;
    if (d->type == 'b' && type != BLOCK)
        return false;
    return (!d->major.set || d->major.v == -1 || d->major.v == major) &&
           (!d->minor.set || d->minor.v == -1 || d->minor.v == minor);
}

/* Bit by bit, the last rule that says something about it; the fixed ones last of all. */
static bool model(const struct list *l, uint32_t type, uint32_t access, uint32_t major, uint32_t minor)
{
    for (uint32_t bit = 1; bit <= W; bit <<= 1) {
        const char *letter = bit == M ? "m" : bit == R ? "r" : "w";
        bool allowed = false;

        if (!(access & bit))
            continue;
        for (size_t i = 0; i < l->n; i++)
            if (covers(&l->rule[i], type, major, minor) && strstr(l->rule[i].access.v, letter))
                allowed = l->rule[i].allow;
        if (bit == M)
            allowed = true;
        if (type == CHAR && major == 1 && (minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9))
            allowed = true;
        if (type == CHAR && major == 5 && minor <= 2)
            allowed = true;
        if (type == CHAR && (major == 136 || (major == 10 && minor == 200)))
            allowed = true;
        if (!allowed)
            return false;
    }
    return true;
}

/* ---- the machine: -1 if the program does what the verifier would not let it ---- */

static int run(const struct bpf_insn *p, size_t n, const uint32_t ctx[3])
{
    uint64_t r[11] = { 0 };

    for (size_t pc = 0, steps = 0; pc < n && steps < 10000; pc++, steps++) {
        const struct bpf_insn *i = &p[pc];
        uint64_t k = (uint64_t)(int64_t)i->imm;

        if (i->off < 0)
            return -1;
        switch (i->code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            if (i->src_reg != 1 || i->off % 4 || i->off > 8)
                return -1;
            r[i->dst_reg] = ctx[i->off / 4];
            break;
        case BPF_ALU64 | BPF_MOV | BPF_X:
            r[i->dst_reg] = r[i->src_reg];
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            r[i->dst_reg] = k;
            break;
        case BPF_ALU64 | BPF_AND | BPF_K:
            r[i->dst_reg] &= k;
            break;
        case BPF_ALU64 | BPF_RSH | BPF_K:
            r[i->dst_reg] >>= k;
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            pc += (uint32_t)r[i->dst_reg] != (uint32_t)k ? (size_t)i->off : 0;
            break;
        case BPF_JMP | BPF_JNE | BPF_K:
            pc += r[i->dst_reg] != k ? (size_t)i->off : 0;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += r[i->dst_reg] & k ? (size_t)i->off : 0;
            break;
        case BPF_JMP | BPF_JA:
            pc += (size_t)i->off;
            break;
        case BPF_JMP | BPF_EXIT:
            return r[0] == 0 || r[0] == 1 ? (int)r[0] : -1;
        default:
            return -1;
        }
    }
    return -1;
}

/* Every number that a rule or the fixed list names, its neighbours, and the ends of the range. */
static size_t numbers(const struct list *l, bool major, uint32_t *ret)
{
    static const uint32_t always[] = { 0,  1,   2,   3,   4,   5,   6,   7,    8,       9,         10,
                                       11, 135, 136, 137, 199, 200, 201, 4095, 1048575, UINT32_MAX };
    size_t n = 0;

    for (size_t i = 0; i < WH_ELEMENTSOF(always); i++)
        ret[n++] = always[i];
    for (size_t i = 0; i < l->n; i++) {
        const struct wh_opt_i64 *v = major ? &l->rule[i].major : &l->rule[i].minor;

        if (!v->set || v->v == -1)
            continue;
        ret[n++] = (uint32_t)v->v;
        ret[n++] = (uint32_t)v->v + 1;
    }
    return n;
}

/* Number of requests that the program answers otherwise than the model. */
static unsigned disagreements(const struct list *l, const struct bpf_insn *p, size_t n, unsigned *ret_asked)
{
    uint32_t major[64], minor[64];
    size_t nmajor = numbers(l, true, major), nminor = numbers(l, false, minor);
    unsigned bad = 0;

    for (uint32_t type = BLOCK; type <= CHAR; type++)
        for (uint32_t access = 1; access <= 7; access++)
            for (size_t a = 0; a < nmajor; a++)
                for (size_t b = 0; b < nminor; b++) {
                    uint32_t ctx[3] = { access << 16 | type, major[a], minor[b] };
                    bool want = model(l, type, access, major[a], minor[b]);
                    int got = run(p, n, ctx);

                    ++*ret_asked;
                    if (got == want)
                        continue;
                    if (!bad++)
                        diag("type %u access %u %u:%u: program %d, rules %d", type, access, major[a], minor[b], got,
                             want);
                }
    return bad;
}

static const char *const accesses[] = { "r", "w", "m", "rw", "rm", "wm", "rwm" };

static void test_model(void)
{
    unsigned asked = 0, bad = 0, failed = 0;
    uint32_t seed = 20260731;

    for (unsigned round = 0; round < 120; round++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_err err = { 0 };
        struct list l = { 0 };
        struct bpf_insn *p;
        size_t n, want = round % 9;

        while (l.n < want) {
            int64_t number[2];

            for (unsigned i = 0; i < 2; i++) {
                seed = seed * 1664525u + 1013904223u;
                number[i] = (int64_t)(seed >> 24) % 12 - 2;
            }
            seed = seed * 1664525u + 1013904223u;
            rule(&l, seed >> 31, "acb"[(seed >> 27) % 3], number[0], number[1], accesses[(seed >> 20) % 7]);
        }
        if (compile(&l, arena, &p, &n, &err) < 0) {
            failed++;
            continue;
        }
        bad += disagreements(&l, p, n, &asked);
    }
    is_u64(failed, 0, "every list of rules compiles");
    is_u64(bad, 0, "%u requests: the program and the rules agree", asked);
}

static void test_large_numbers(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_err err = { 0 };
    struct list l = { 0 };
    struct bpf_insn *p;
    unsigned asked = 0;
    size_t n;

    /* As a sign-extended immediate, these would be negative. */
    rule(&l, true, 'b', UINT32_MAX, 0x80000000ll, "rw");
    rule(&l, false, 'b', UINT32_MAX, UINT32_MAX, "r");
    is_int(compile(&l, arena, &p, &n, &err), 0, "numbers of 32 bits compile");
    is_u64(disagreements(&l, p, n, &asked), 0, "numbers of 32 bits mean themselves");
    l.rule[0].major.v = UINT32_MAX + 1ll;
    is_int(compile(&l, arena, &p, &n, &err), -EINVAL, "a number of 33 bits is refused");
    has_str(err.msg, "device number", "and named");
}

static void test_access_without_bits(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    uint32_t ctx[3] = { CHAR, 99, 99 };
    struct wh_err err = { 0 };
    struct list l = { 0 };
    struct bpf_insn *p;
    size_t n;

    compile(&l, arena, &p, &n, &err);
    is_int(run(p, n, ctx), 1, "access(path, F_OK) asks for no bit, and is granted");
}

static void test_errors(void)
{
    static const struct {
        const char *access, *want;
    } cases[] = {
        { NULL, "device access cannot be empty" },
        { "", "device access cannot be empty" },
        { "rx", "letters r, w and m" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_err err = { 0 };
        struct list l = { 0 };
        struct bpf_insn *p;
        size_t n;

        rule(&l, true, 'c', 1, 1, cases[i].access);
        /* Made irrelevant, but checked. */
        rule(&l, false, 'a', -1, -1, "rwm");
        is_int(compile(&l, arena, &p, &n, &err), -EINVAL, "access %s is refused",
               cases[i].access ? cases[i].access : "(none)");
        has_str(err.msg, cases[i].want, "in these words");
    }
}

static void test_kernel(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_err err = { 0 };
    struct list l = { 0 };
    struct bpf_insn *p;
    static char log[1 << 20];
    union bpf_attr attr;
    size_t n;
    long fd;

    rule(&l, true, 'b', 8, 0, "rwm");
    rule(&l, false, 'a', -1, -1, "r");
    rule(&l, true, 'c', 195, -1, "rw");
    rule(&l, false, 'c', UINT32_MAX, 255, "w");
    for (unsigned i = 0; i < 2; i++) {
        compile(&l, arena, &p, &n, &err);
        memset(&attr, 0, sizeof attr);
        attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
        attr.insns = (uintptr_t)p;
        attr.insn_cnt = (uint32_t)n;
        attr.license = (uintptr_t) "GPL";
        attr.log_buf = (uintptr_t)log;
        attr.log_size = sizeof log;
        attr.log_level = 1;
        fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
        if (fd < 0 && (errno == EPERM || errno == ENOSYS)) {
            skip("loading a device program is not allowed here");
            return;
        }
        if (!ok(fd >= 0, "the kernel's verifier takes the program (%s)", i ? "everything decided" : "open end"))
            diag("errno %d: %s", errno, log);
        if (fd >= 0)
            close((int)fd);
        rule(&l, true, 'a', -2, -2, "rwm");
    }
}

int main(void)
{
    test_golden();
    test_model();
    test_large_numbers();
    test_access_without_bits();
    test_errors();
    test_kernel();
    return done_testing();
}
