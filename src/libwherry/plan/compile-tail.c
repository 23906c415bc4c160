/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scheduling, I/O priority, memory policy and labels of the process: parts of the tail that create and exec share. */
#include "plan/compile.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/sched.h>

void wh_compile_prio(struct wh_compile *c, const struct wh_process *p)
{
    const struct wh_scheduler *sched = &p->scheduler;
    struct wh_step_ask_prio *s;

    if (!sched->set && !p->ioprio.set)
        return;
    s = WH_STEP(c, ASK_PRIO, ask_prio, sched->set ? sched->src : p->ioprio.src);
    if (!s)
        return;
    s->policy = sched->set ? (uint32_t)sched->policy : WH_SCHED_KEEP;
    if (sched->set) {
        s->flags = (uint32_t)sched->flags;
        s->nice = sched->nice.v;
        s->priority = sched->priority.v;
        s->runtime = sched->runtime.v;
        s->deadline = sched->deadline.v;
        s->period = sched->period.v;
    }
    if (p->ioprio.set)
        s->ioprio = (uint32_t)IOPRIO_PRIO_VALUE(p->ioprio.class, p->ioprio.priority.v);
}

/* ---- memory policy ---- */

/* The next range of "0-3,7"; false at the end. The syntax was checked when the file was read. */
static bool next_range(const char **at, uint64_t *first, uint64_t *last)
{
    uint64_t *v = first;

    if (!**at)
        return false;
    *first = *last = 0;
    for (; **at && **at != ','; (*at)++) {
        if (**at == '-')
            v = last;
        else if (*v <= WH_MAX_NODES)
            *v = *v * 10 + (uint64_t)(**at - '0');
    }
    if (v == first)
        *last = *first;
    if (**at)
        (*at)++;
    return true;
}

void wh_compile_mempolicy(struct wh_compile *c)
{
    const struct wh_linux *l = &c->spec->linux_;
    const struct wh_sstr *text = &l->memory_policy.nodes;
    struct wh_step_mempolicy *s;
    uint32_t *nodes;
    uint64_t first, last;
    size_t n = 0;

    if (!l->memory_policy.set)
        return;
    s = WH_STEP(c, MEMPOLICY, mempolicy, l->memory_policy.src);
    nodes = wh_arena_new_array(c->arena, uint32_t, WH_MAX_NODES);
    if (!s || !nodes) {
        c->failed = true;
        return;
    }
    s->mode = (uint32_t)l->memory_policy.mode;
    s->flags = l->memory_policy.flags;
    for (const char *at = text->v ? text->v : ""; next_range(&at, &first, &last);) {
        if (first >= WH_MAX_NODES || last >= WH_MAX_NODES) {
            wh_compile_err(c, -EINVAL, text->src, "there is no memory node above %u", WH_MAX_NODES - 1);
            return;
        }
        /* A node named twice is one node. */
        for (; first <= last; first++) {
            size_t k = 0;

            while (k < n && nodes[k] != first)
                k++;
            if (k == n)
                nodes[n++] = (uint32_t)first;
        }
    }
    s->nodes = wh_build_u32v(c->b, nodes, n);
}

/* ---- labels ---- */

static void lsm_exec(struct wh_compile *c, wh_node src, enum wh_lsm_attr attr, const char *label)
{
    struct wh_step_lsm_exec *s = WH_STEP(c, LSM_EXEC, lsm_exec, src);

    if (!s)
        return;
    s->proc = WH_SLOT_PROC;
    wh_build_host_slot(c->b, WH_SLOT_PROC);
    s->attr = attr;
    s->label = wh_build_str(c->b, label);
}

void wh_compile_lsm(struct wh_compile *c, const struct wh_process *p)
{
    const struct wh_sstr *profile = &p->apparmor_profile, *label = &p->selinux_label;

    /* Engines write "" where they want none. */
    if (profile->v && *profile->v) {
        if (c->facts->feat & WH_FEAT_APPARMOR)
            lsm_exec(c, profile->src, WH_LSM_APPARMOR, wh_arena_printf(c->arena, "exec %s", profile->v));
        else
            wh_compile_err(c, -EOPNOTSUPP, profile->src, "apparmor: config provided but apparmor not supported");
    }
    if (label->v && *label->v) {
        if (c->facts->feat & WH_FEAT_SELINUX)
            lsm_exec(c, label->src, WH_LSM_SELINUX, label->v);
        else
            wh_compile_err(c, -EOPNOTSUPP, label->src,
                           "selinux label is specified in config, but selinux is disabled or not supported");
    }
}

void wh_compile_key_label(struct wh_compile *c, const struct wh_process *p)
{
    const struct wh_sstr *label = &p->selinux_label;

    /* Where there is no SELinux, wh_compile_lsm() refuses the label. */
    if (label->v && *label->v && c->facts->feat & WH_FEAT_SELINUX && c->facts->feat & WH_FEAT_KEYRINGS &&
        !c->req->no_new_keyring)
        lsm_exec(c, label->src, WH_LSM_KEYCREATE, label->v);
}

/* ---- the label of new file systems ---- */

static const char *annotation(const struct wh_spec *s, enum wh_ann ann, wh_node *ret_src)
{
    const struct wh_kv *kv = wh_annotation(s, ann);

    *ret_src = kv ? kv->src : 0;
    return kv ? kv->value : NULL;
}

static const char *const context_words[] = { "context", "fscontext", "defcontext", "rootcontext" };

static bool is_context(const char *word)
{
    for (size_t i = 0; i < WH_ELEMENTSOF(context_words); i++)
        if (wh_streq(word, context_words[i]))
            return true;
    return false;
}

void wh_compile_mount_label(struct wh_compile *c)
{
    const struct wh_sstr *label = &c->spec->linux_.mount_label;
    wh_node src = 0;
    const char *type = annotation(c->spec, WH_ANN_MOUNT_CONTEXT, &src);

    if (!label->v || !*label->v)
        return;
    if (!(c->facts->feat & WH_FEAT_SELINUX)) {
        wh_compile_err(c, -EOPNOTSUPP, label->src,
                       "mountLabel is specified in config, but selinux is disabled or not supported");
        return;
    }
    if (type && !is_context(type)) {
        wh_compile_err(c, -EINVAL, src, "must be context, fscontext, defcontext or rootcontext, not \"%s\"", type);
        return;
    }
    c->mount_label = label->v;
    c->mount_context = type ? type : "context";
}

void wh_compile_label_params(struct wh_compile *c, const char *fstype, struct wh_strv *params)
{
    /* File systems of the kernel, whose files have labels of their own; the kernel would refuse another one. */
    static const char *const own[] = { "proc", "sysfs", "mqueue", "cgroup", "cgroup2" };
    const char **v;

    if (!c->mount_label)
        return;
    for (size_t i = 0; i < WH_ELEMENTSOF(own); i++)
        if (wh_streq(fstype, own[i]))
            return;
    for (size_t i = 0; i < params->n; i += 2)
        if (is_context(params->v[i]))
            return;
    v = wh_arena_new_array(c->arena, const char *, params->n + 2);
    if (!v) {
        c->failed = true;
        return;
    }
    if (params->n)
        memcpy(v, params->v, params->n * sizeof *v);
    v[params->n] = c->mount_context;
    v[params->n + 1] = c->mount_label;
    params->v = v;
    params->n += 2;
}

/* ---- --init ---- */

bool wh_compile_be_init(struct wh_compile *c, const struct wh_process *p)
{
    wh_node src = 0;
    const char *wanted = annotation(c->spec, WH_ANN_INIT, &src);
    struct wh_step_be_init *s;

    if (wanted && !wh_streq(wanted, "1") && !wh_streq(wanted, "0")) {
        wh_compile_err(c, -EINVAL, src, "must be 0 or 1, not \"%s\"", wanted);
        return false;
    }
    if (c->req->verb == WH_VERB_EXEC || !(c->req->init || (wanted && *wanted == '1')))
        return false;
    if (p->scheduler.set && (p->scheduler.policy == SCHED_DEADLINE || p->scheduler.flags & SCHED_FLAG_RESET_ON_FORK))
        wh_compile_err(c, -EINVAL, p->scheduler.src,
                       "with an init of wherry's the payload is its child, which would lose this scheduling policy");
    s = WH_STEP(c, BE_INIT, be_init, src);
    if (!s)
        return true;
    /* Signals must reach a payload that has changed its user. */
    s->keep = p->capabilities.permitted.mask & wh_compile_grantable(c) & (UINT64_C(1) << CAP_KILL);
    s->foreground = p->terminal.set && p->terminal.v;
    return true;
}
