/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One more process in a container that is there: what it is, and how A gets into the container's namespaces. Everything after
 * that is the tail of create (compile-process.c).
 */
#include "plan/compile.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>

/* ---- the process ---- */

/* A vector of the configuration, or none, followed by words of the command line, which have no place in a file. */
static void append(struct wh_compile *c, struct wh_sstrv *to, const char *const *more, size_t n, bool replace)
{
    size_t keep = replace ? 0 : to->n;
    struct wh_sstr *v;

    if (n == 0)
        return;
    v = wh_arena_new_array(c->arena, struct wh_sstr, keep + n);
    if (!v) {
        c->failed = true;
        return;
    }
    for (size_t i = 0; i < keep; i++)
        v[i] = to->v[i];
    for (size_t i = 0; i < n; i++)
        v[keep + i] = (struct wh_sstr){ more[i], 0 };
    *to = (struct wh_sstrv){ .v = v, .n = keep + n, .set = true, .src = replace ? 0 : to->src };
}

static void add_groups(struct wh_compile *c, struct wh_u32v *to, const struct wh_exec_request *e)
{
    struct wh_opt_u32 *v;

    if (e->ngids == 0)
        return;
    v = wh_arena_new_array(c->arena, struct wh_opt_u32, to->n + e->ngids);
    if (!v) {
        c->failed = true;
        return;
    }
    for (size_t i = 0; i < to->n; i++)
        v[i] = to->v[i];
    for (size_t i = 0; i < e->ngids; i++)
        v[to->n + i] = (struct wh_opt_u32){ .v = e->gids[i], .set = true };
    *to = (struct wh_u32v){ .v = v, .n = to->n + e->ngids, .set = true, .src = to->src };
}

static void add_caps(struct wh_caps *caps, uint64_t more)
{
    caps->bounding.mask |= more;
    caps->effective.mask |= more;
    caps->permitted.mask |= more;
    /* Ambient only where they can be: what is inheritable is the configuration's alone. */
    if (caps->inheritable.mask)
        caps->ambient.mask |= more & caps->inheritable.mask;
}

/* The template of a command line: the container's own process, with what was asked for in its place. */
static void from_options(struct wh_compile *c, struct wh_process *p, const struct wh_exec_request *e)
{
    append(c, &p->args, e->args, e->nargs, true);
    append(c, &p->env, e->env, e->nenv, false);
    /* Only -t: most containers of engines have one terminal, and their exec has pipes. */
    p->terminal = (struct wh_opt_bool){ .v = e->terminal, .set = e->terminal, .src = 0 };
    if (e->cwd)
        p->cwd = (struct wh_sstr){ e->cwd, 0 };
    if (e->set_uid)
        p->user.uid = (struct wh_opt_u32){ .v = e->uid, .set = true };
    if (e->set_gid)
        p->user.gid = (struct wh_opt_u32){ .v = e->gid, .set = true };
    add_groups(c, &p->user.additional_gids, e);
    add_caps(&p->capabilities, e->caps);
    if (e->no_new_privileges)
        p->no_new_privileges = (struct wh_opt_bool){ .v = true, .set = true };
    if (e->apparmor_profile)
        p->apparmor_profile = (struct wh_sstr){ e->apparmor_profile, 0 };
    if (e->selinux_label)
        p->selinux_label = (struct wh_sstr){ e->selinux_label, 0 };
}

/* A process of a file of its own: what it leaves out, and what is the container's whoever runs in it. */
static void from_container(struct wh_process *p, const struct wh_process *own)
{
    if (!p->capabilities.set)
        p->capabilities = own->capabilities;
    if (!p->rlimits.set)
        p->rlimits = own->rlimits;
    if (!p->user.umask.set)
        p->user.umask = own->user.umask;
    /* Without a label of its own it would be less confined than the container that it is in. */
    if (!p->apparmor_profile.v || !*p->apparmor_profile.v)
        p->apparmor_profile = own->apparmor_profile;
    if (!p->selinux_label.v || !*p->selinux_label.v)
        p->selinux_label = own->selinux_label;
    p->oom_score_adj = own->oom_score_adj;
}

/*
 * A startContainer hook is the payload but for what it executes: its ids, capabilities, limits, filter and labels hold for it. A
 * createContainer hook is one of the runtime's in the container's namespaces: nothing confines it yet, and its working directory is the rootfs,
 * where tools that are hooks look for it.
 */
static void from_hook(struct wh_compile *c, struct wh_process *p, const struct wh_process *own,
                      const struct wh_exec_hook *h)
{
    const struct wh_process none = { .src = own->src };
    struct wh_sstrv args = { 0 }, env = { .set = true };

    *p = h->create ? none : *own;
    if (h->create)
        p->cwd.v = wh_compile_clean_path(c->arena, c->req->bundle, c->spec->root.path.v ? c->spec->root.path.v : ".");
    append(c, &args, h->args, h->nargs, true);
    append(c, &env, h->env, h->nenv, true);
    p->args = args;
    if (h->create || h->env_set)
        p->env = env;
    p->terminal = (struct wh_opt_bool){ 0 };
}

static bool has_label(const struct wh_process *p)
{
    return (p->apparmor_profile.v && *p->apparmor_profile.v) || (p->selinux_label.v && *p->selinux_label.v);
}

/*
 * Init that has not executed the payload yet is without its filter and label, and may have CAP_SYS_ADMIN to load the one. It is not dumpable, but
 * CAP_SYS_PTRACE is enough to take it over where its memory belongs to the user namespace of the container. Without that capability, and
 * without a way to get it (the bounding set), what is executed before the payload can not.
 */
static void without_ptrace(struct wh_compile *c, struct wh_process *p, const struct wh_process *own)
{
    const struct wh_exec_request *e = c->req->exec;
    const struct wh_namespace *ns = c->spec->linux_.ns;
    const uint64_t bit = UINT64_C(1) << CAP_SYS_PTRACE;
    struct wh_caps *caps = &p->capabilities;
    uint64_t any = caps->bounding.mask | caps->effective.mask | caps->permitted.mask | caps->inheritable.mask;

    if (!(e->hook ? !e->hook->create : e->created) || ns[WH_NS_USER].set || !ns[WH_NS_PID].set)
        return;
    if (!(any & wh_compile_grantable(c) & bit) || !(wh_seccomp_wanted(c->spec) || (own && has_label(own))))
        return;
    caps->bounding.mask &= ~bit;
    caps->effective.mask &= ~bit;
    caps->permitted.mask &= ~bit;
    caps->inheritable.mask &= ~bit;
    caps->ambient.mask &= ~bit;
    /* A hook has no command line to answer to, and create would warn each time. */
    if (!e->hook)
        wh_compile_warn(
            c, -EPERM, caps->src,
            "CAP_SYS_PTRACE left out: the container is not started, and its first process, which has no seccomp "
            "filter or label yet, could be taken over");
}

void wh_compile_exec_process(struct wh_compile *c)
{
    const struct wh_process *own = c->spec->process, *file = c->spec->exec ? c->spec->exec->process : NULL;
    struct wh_process *p;

    c->process = NULL;
    if (!own && !file)
        return; /* told by the caller */
    p = wh_arena_alloc(c->arena, sizeof *p);
    if (!p) {
        c->failed = true;
        return;
    }
    if (c->req->exec->hook && own) {
        from_hook(c, p, own, c->req->exec->hook);
        without_ptrace(c, p, own);
        c->process = p;
        return;
    }
    if (file) {
        *p = *file;
        if (own)
            from_container(p, own);
    } else {
        *p = *own;
        from_options(c, p, c->req->exec);
    }
    without_ptrace(c, p, own);
    c->process = p;
}

/* ---- phase A ---- */

/*
 * The pid namespace of a container that is being made has nobody in it but init. One that is joined has processes of others, and one with
 * CAP_SYS_PTRACE there would take over a createContainer hook, which has every capability of the runtime: such a hook stays in the pid namespace
 * of the runtime.
 */
static uint32_t joined(const struct wh_compile *c)
{
    const struct wh_exec_request *e = c->req->exec;

    return e->hook && e->hook->create && c->join_ns[WH_NS_PID] ? e->join & ~(uint32_t)CLONE_NEWPID : e->join;
}

void wh_compile_exec(struct wh_compile *c)
{
    const struct wh_exec_request *e = c->req->exec;
    struct wh_step_join_pidfd *s;
    uint32_t join = joined(c);

    wh_compile_before_ns(c);
    wh_compile_lsm(c, c->process);
    wh_compile_key_label(c, c->process);
    /* Before the namespaces: root of the container's could trace us otherwise (I5). */
    WH_STEP(c, DUMPABLE, dumpable, 0);
    if (!c->spec->linux_.ns[WH_NS_MOUNT].set) {
        struct wh_step_chdir_rootfs *dir = WH_STEP(c, CHDIR_ROOTFS, chdir_rootfs, c->spec->root.src);

        wh_build_host_slot(c->b, WH_SLOT_ROOTFS);
        if (dir)
            dir->rootfs = WH_SLOT_ROOTFS;
    }
    if (join && e->by_fd) {
        wh_compile_join_fds(c, join, e->join_host);
    } else if (join) {
        s = WH_STEP(c, JOIN_PIDFD, join_pidfd, c->spec->linux_.src);
        if (s) {
            s->target = WH_SLOT_TARGET;
            s->nsflags = join;
        }
        wh_build_host_slot(c->b, WH_SLOT_TARGET);
    }
    if (join & CLONE_NEWUSER)
        wh_compile_set_ids(c);
}
