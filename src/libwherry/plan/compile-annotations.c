/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Annotations that change what a container is. The list, with those that change nothing and why, is docs/ANNOTATIONS.md.
 * One that nobody knows is ignored, as the specification demands. One that is known, asks for confinement, and that we do
 * not have, is refused: a container that runs without what was asked for would look like one that has it.
 */
#include "plan/compile.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "abi/kernel.h"
#include "spec/fields.h"

#ifndef SECCOMP_RET_USER_NOTIF
#define SECCOMP_RET_USER_NOTIF 0x7fc00000U
#endif

const struct wh_kv *wh_annotation_next(const struct wh_spec *spec, enum wh_ann ann, const struct wh_kv *last)
{
    const struct wh_kv *v = spec->annotations.v;

    for (size_t i = last ? (size_t)(last - v) + 1 : 0; i < spec->annotations.n; i++)
        if (wh_annotation_is(v[i].key, ann))
            return &v[i];
    return NULL;
}

const struct wh_kv *wh_annotation(const struct wh_spec *spec, enum wh_ann ann)
{
    return wh_annotation_next(spec, ann, NULL);
}

const char *wh_annotation_value(const struct wh_spec *spec, enum wh_ann ann)
{
    const struct wh_kv *kv = wh_annotation(spec, ann);

    return kv ? kv->value : NULL;
}

bool wh_annotation_on(const struct wh_spec *spec, enum wh_ann ann)
{
    const char *v = wh_annotation_value(spec, ann);

    return v && !wh_streq(v, "0");
}

const struct wh_kv *wh_annotation_unknown(const struct wh_spec *spec, const struct wh_kv *last, const char **ret_near)
{
    const struct wh_kv *v = spec->annotations.v;

    for (size_t i = last ? (size_t)(last - v) + 1 : 0; i < spec->annotations.n; i++) {
        const char *near = NULL;
        unsigned distance = 0;
        bool known = false;

        for (unsigned k = 0; k < WH_ANN_COUNT && !known; k++) {
            known = wh_annotation_is(v[i].key, k);
            /* The prefix may be what is misspelt. */
            if (wh_annotation_is_ours(wh_annotation_name(k)))
                wh_nearest(v[i].key, wh_annotation_name(k), &near, &distance);
        }
        if (known || (!near && !wh_annotation_is_ours(v[i].key)))
            continue;
        *ret_near = near;
        return &v[i];
    }
    return NULL;
}

#define bad(spec, kv, err, ...)                                                                                        \
    wh_err_set((err), WH_ERR_SPEC, -EINVAL, wh_spec_where((spec), (kv)->src, (char[160]){ 0 }, 160), __VA_ARGS__)

/* ---------------------------------------------------------------- run.oci.seccomp_bpf_data */

bool wh_seccomp_wanted(const struct wh_spec *spec)
{
    return spec->linux_.seccomp.set || wh_annotation(spec, WH_ANN_SECCOMP_DATA);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, section 4, strictly: no white space, padded, nothing hidden in the bits that pad. -1 if it is not that. */
static int64_t base64(const char *s, size_t len, unsigned char *to)
{
    size_t pad = len > 1 && s[len - 1] == '=' ? (s[len - 2] == '=' ? 2 : 1) : 0, n = 0;

    if (len % 4)
        return -1;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t v = 0;
        size_t digits = i + 4 == len ? 4 - pad : 4;

        for (size_t k = 0; k < 4; k++) {
            int d = k < digits ? base64_digit(s[i + k]) : 0;

            if (d < 0)
                return -1;
            v = v << 6 | (uint32_t)d;
        }
        if (digits < 4 && (v & ((1u << (8 * (4 - digits))) - 1)))
            return -1;
        for (size_t k = 0; k < digits - 1; k++)
            to[n++] = (unsigned char)(v >> (16 - 8 * k));
    }
    return (int64_t)n;
}

/* The instructions that the kernel takes in a filter of system calls (kernel/seccomp.c, seccomp_check_filter). */
static bool known_insn(uint16_t code)
{
    static const uint16_t codes[] = {
        BPF_LD | BPF_W | BPF_ABS,
        BPF_LD | BPF_W | BPF_LEN,
        BPF_LDX | BPF_W | BPF_LEN,
        BPF_RET | BPF_K,
        BPF_RET | BPF_A,
        BPF_ALU | BPF_NEG,
        BPF_LD | BPF_IMM,
        BPF_LDX | BPF_IMM,
        BPF_MISC | BPF_TAX,
        BPF_MISC | BPF_TXA,
        BPF_LD | BPF_MEM,
        BPF_LDX | BPF_MEM,
        BPF_ST,
        BPF_STX,
        BPF_JMP | BPF_JA,
    };
    /* Of these, each with a constant or with the index register. */
    static const uint16_t pairs[] = {
        BPF_ALU | BPF_ADD, BPF_ALU | BPF_SUB, BPF_ALU | BPF_MUL,  BPF_ALU | BPF_DIV, BPF_ALU | BPF_AND,
        BPF_ALU | BPF_OR,  BPF_ALU | BPF_XOR, BPF_ALU | BPF_LSH,  BPF_ALU | BPF_RSH, BPF_JMP | BPF_JEQ,
        BPF_JMP | BPF_JGE, BPF_JMP | BPF_JGT, BPF_JMP | BPF_JSET,
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(codes); i++)
        if (code == codes[i])
            return true;
    for (size_t i = 0; i < WH_ELEMENTSOF(pairs); i++)
        if (code == (pairs[i] | BPF_K) || code == (pairs[i] | BPF_X))
            return true;
    return false;
}

/* What bpf_check_classic() and seccomp_check_filter() of the kernel look at, so that a broken program is an error of create,
 * with its place, and not one of start. 0, or the number of the bad instruction from 1 on. */
static size_t bad_insn(const struct sock_filter *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t cls = BPF_CLASS(f[i].code), op = BPF_OP(f[i].code);
        bool constant = BPF_SRC(f[i].code) == BPF_K;

        if (!known_insn(f[i].code))
            return i + 1;
        if (f[i].code == (BPF_LD | BPF_W | BPF_ABS) && (f[i].k >= sizeof(struct seccomp_data) || f[i].k % 4))
            return i + 1;
        if ((f[i].code == (BPF_LD | BPF_MEM) || f[i].code == (BPF_LDX | BPF_MEM) || f[i].code == BPF_ST ||
             f[i].code == BPF_STX) &&
            f[i].k >= BPF_MEMWORDS)
            return i + 1;
        if (cls == BPF_ALU && constant &&
            ((op == BPF_DIV && f[i].k == 0) || ((op == BPF_LSH || op == BPF_RSH) && f[i].k > 31)))
            return i + 1;
        if (cls == BPF_JMP && op == BPF_JA && f[i].k >= n - i - 1)
            return i + 1;
        if (cls == BPF_JMP && op != BPF_JA && (i + f[i].jt + 1u >= n || i + f[i].jf + 1u >= n))
            return i + 1;
    }
    return BPF_CLASS(f[n - 1].code) == BPF_RET ? 0 : n;
}

int wh_seccomp_data(const struct wh_spec *spec, struct wh_arena *arena, const void **ret, size_t *ret_len,
                    struct wh_err *err)
{
    const struct wh_kv *kv = wh_annotation(spec, WH_ANN_SECCOMP_DATA);
    size_t len, at;
    struct sock_filter *f;
    int64_t n;

    *ret = NULL;
    *ret_len = 0;
    if (!kv)
        return 0;
    len = strlen(kv->value);
    if (len / 4 * 3 > (size_t)WH_BPF_MAXINSNS * sizeof *f + 2)
        return bad(spec, kv, err, "the filter has more than %zu instructions", (size_t)WH_BPF_MAXINSNS);
    f = wh_arena_new_array(arena, struct sock_filter, len / sizeof *f + 1);
    if (!f)
        return wh_err_sys(err, -ENOMEM, "decode the seccomp filter");
    n = base64(kv->value, len, (unsigned char *)f);
    if (n < 0)
        return bad(spec, kv, err, "the value is not base64 (RFC 4648, padded)");
    if (n == 0)
        return bad(spec, kv, err, "the filter is empty");
    if ((size_t)n % sizeof *f)
        return bad(spec, kv, err, "the filter has %zu bytes, which is no whole number of instructions of 8 bytes",
                   (size_t)n);
    if ((size_t)n / sizeof *f > WH_BPF_MAXINSNS)
        return bad(spec, kv, err, "the filter has more than %zu instructions", (size_t)WH_BPF_MAXINSNS);
    at = bad_insn(f, (size_t)n / sizeof *f);
    if (at)
        return bad(spec, kv, err, "instruction %zu of the filter is not one that the kernel takes", at - 1);
    *ret = f;
    *ret_len = (size_t)n;
    return 0;
}

static bool data_notifies(const struct wh_request *req)
{
    const struct sock_filter *f = req->seccomp_bpf;

    for (size_t i = 0; f && i < req->seccomp_bpf_len / sizeof *f; i++)
        if (f[i].code == (BPF_RET | BPF_K) && (f[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
            return true;
    return false;
}

/* ---------------------------------------------------------------- the listener */

static const struct wh_sstr *notify_rule(const struct wh_seccomp *f)
{
    for (size_t i = 0; f->set && i < f->nrules; i++)
        if (wh_streq(f->rules[i].action.v, "SCMP_ACT_NOTIFY"))
            return &f->rules[i].action;
    return NULL;
}

bool wh_seccomp_notifies(const struct wh_spec *spec, const struct wh_request *req)
{
    return wh_annotation(spec, WH_ANN_SECCOMP_DATA) ? data_notifies(req) : notify_rule(&spec->linux_.seccomp) != NULL;
}

const char *wh_seccomp_listener(const struct wh_spec *spec, const struct wh_request *req, wh_node *ret_src)
{
    const struct wh_seccomp *f = &spec->linux_.seccomp;
    const struct wh_kv *kv = wh_annotation(spec, WH_ANN_SECCOMP_RECEIVER);

    *ret_src = 0;
    if (f->listener_path.v && *f->listener_path.v) {
        *ret_src = f->listener_path.src;
        return f->listener_path.v;
    }
    if (kv && *kv->value) {
        *ret_src = kv->src;
        return kv->value;
    }
    return req->seccomp_receiver && *req->seccomp_receiver ? req->seccomp_receiver : NULL;
}

void wh_compile_listener(struct wh_compile *c)
{
    const struct wh_kv *data = wh_annotation(c->spec, WH_ANN_SECCOMP_DATA);
    const struct wh_sstr *rule = notify_rule(&c->spec->linux_.seccomp);
    wh_node asks = data ? data->src : rule ? rule->src : 0, src;
    const char *path = wh_seccomp_listener(c->spec, c->req, &src);

    if (!(c->facts->feat & WH_FEAT_SECCOMP_NOTIFY)) {
        wh_compile_err(c, -EOPNOTSUPP, asks, "this kernel has no seccomp notifications (SCMP_ACT_NOTIFY)");
        return;
    }
    /* Every call that is notified would wait for somebody who does not exist. */
    if (!path)
        wh_compile_err(c, -EINVAL, asks,
                       "a filter that notifies (SCMP_ACT_NOTIFY) needs a listener: set linux.seccomp.listenerPath, or "
                       "the annotation %s",
                       wh_annotation_name(WH_ANN_SECCOMP_RECEIVER));
    else if (path[0] != '/' && src != c->spec->linux_.seccomp.listener_path.src)
        wh_compile_err(c, -EINVAL, src, "the seccomp receiver \"%.80s\" is no absolute path", path);
}

/* ---------------------------------------------------------------- what is refused */

static void unknown_syscalls(struct wh_compile *c)
{
    const struct wh_sstr *name;

    for (size_t pos = 0; (name = wh_seccomp_unknown(c->spec, &pos)) != NULL;)
        wh_compile_err(c, -EINVAL, name->src, "unknown system call \"%.80s\" (%s)", name->v,
                       wh_annotation_name(WH_ANN_SECCOMP_STRICT));
}

void wh_compile_annotations(struct wh_compile *c)
{
    const struct wh_kv *kv = wh_annotation(c->spec, WH_ANN_HANDLER);
    const char *kind = wh_annotation_value(c->spec, WH_ANN_CONTAINER_TYPE);

    /* A virtual machine or a sandbox around the payload. The pause container of a pod is no payload. */
    if (kv && *kv->value && !(kind && wh_streq(kind, "sandbox")))
        wh_compile_err(c, -EINVAL, kv->src,
                       "there are no handlers in wherry: the payload is executed itself, not by \"%.40s\"", kv->value);
    kv = wh_annotation(c->spec, WH_ANN_SECCOMP_PLUGINS);
    if (kv && *kv->value)
        wh_compile_err(c, -EINVAL, kv->src, "wherry loads no seccomp plug-ins: name a listener that answers with %s",
                       wh_annotation_name(WH_ANN_SECCOMP_RECEIVER));
    if (wh_annotation_on(c->spec, WH_ANN_SECCOMP_STRICT))
        unknown_syscalls(c);
}
