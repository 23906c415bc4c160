/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>

int wh_compile_err(struct wh_compile *c, int code, wh_node src, const char *fmt, ...)
{
    struct wh_err *e = wh_errlist_next(c->errs);
    char where[sizeof e->path] = "", msg[sizeof e->msg];
    va_list ap;

    c->failed = true;
    if (!e)
        return code;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (src)
        wh_spec_where(c->spec, src, where, sizeof where);
    return wh_err_set(e, code == -EINVAL ? WH_ERR_SPEC : WH_ERR_HOST, code, where, "%s", msg);
}

void wh_compile_warn(struct wh_compile *c, int code, wh_node src, const char *fmt, ...)
{
    struct wh_err *e = wh_errlist_warn(c->errs);
    char where[sizeof e->path] = "", msg[sizeof e->msg];
    va_list ap;

    if (!e)
        return;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (src)
        wh_spec_where(c->spec, src, where, sizeof where);
    wh_err_set(e, WH_ERR_SPEC, code, where, "%s", msg);
}

wh_node wh_compile_place(const struct wh_spec *spec, wh_node src)
{
    return src ? src : spec->linux_.src ? spec->linux_.src : WH_NODE_DOCUMENT;
}

uint32_t wh_compile_line(const struct wh_compile *c, wh_node src)
{
    uint32_t col;

    return src && !c->spec->one_line ? wh_spec_line(c->spec, src, &col) : 0;
}

/* What the list of namespaces means, and what it cannot. */
static void namespaces(struct wh_compile *c)
{
    const struct wh_namespace *ns = c->spec->linux_.ns;
    const char *root = c->spec->root.path.v;

    for (unsigned i = 0; i < WH_NS_MAX; i++) {
        c->join_ns[i] = ns[i].set && ns[i].path.v && *ns[i].path.v;
        c->new_ns[i] = ns[i].set && !c->join_ns[i];
    }
    c->userns = c->new_ns[WH_NS_USER] || c->join_ns[WH_NS_USER] || c->facts->in_userns;
    if (c->req->verb != WH_VERB_EXEC && root)
        c->root_path = wh_compile_clean_path(c->arena, *root == '/' ? "" : c->req->bundle, root);
    c->setup = c->new_ns[WH_NS_MOUNT] ||
               (c->join_ns[WH_NS_MOUNT] && (c->req->verb == WH_VERB_EXEC || !wh_streq(c->root_path, "/")));

    /* Ids would be set, files owned and maps written with rights that only real root has. */
    if (c->facts->euid != 0 && !ns[WH_NS_USER].set)
        wh_compile_err(
            c, -EINVAL, wh_compile_place(c->spec, 0),
            "rootless container requires user namespaces (wherry spec --rootless writes a configuration that has one)");
}

/* In a joined mount namespace the container is set up as in one of its own, as runc and crun do: root.path is a
 * directory of its tree, and becomes its root for every process that is in it. "/" is the root that it has. */
static void joined_mounts(struct wh_compile *c)
{
    const struct wh_sstr *path = &c->spec->linux_.ns[WH_NS_MOUNT].path;

    if (!c->setup || !c->join_ns[WH_NS_MOUNT] || c->req->verb == WH_VERB_EXEC)
        return;
    if (c->req->in_host_mntns)
        wh_compile_err(c, -EINVAL, path->src,
                       "mount namespace %s is the host's: the root of every process in it would be the container's",
                       path->v);
    if (c->new_ns[WH_NS_USER])
        wh_compile_err(
            c, -EINVAL, path->src,
            "a new user namespace gives no right to mount in a mount namespace that is joined: join the user "
            "namespace that owns it, too");
}

/* Without a mount namespace, what is mounted would be mounted on the host, and stay there; and where the root of a
 * joined one stays what it is, nothing is set up either. What asks for it is refused: it would be skipped. */
static void refuse_setup(struct wh_compile *c)
{
    const struct wh_spec *s = c->spec;
    const struct wh_linux *l = &s->linux_;
    const char *in = c->join_ns[WH_NS_MOUNT] ? "on the root of a joined mount namespace" : "without a mount namespace";

    if (l->masked_paths.n)
        wh_compile_err(c, -EINVAL, l->masked_paths.src,
                       "unable to restrict sys entries without a private MNT namespace");
    if (l->readonly_paths.n)
        wh_compile_err(c, -EINVAL, l->readonly_paths.src,
                       "unable to restrict sys entries without a private MNT namespace");
    if (s->root.readonly.set && s->root.readonly.v)
        wh_compile_err(c, -EINVAL, s->root.readonly.src, "the root cannot be made read-only %s", in);
    if (l->rootfs_propagation.v && *l->rootfs_propagation.v)
        wh_compile_err(c, -EINVAL, l->rootfs_propagation.src, "rootfsPropagation has no effect %s", in);
    if (s->nmounts)
        wh_compile_err(c, -EINVAL, s->mounts[0].src, "mounts are not made %s: leave them out%s", in,
                       c->join_ns[WH_NS_MOUNT] ? "" : ", or add {\"type\": \"mount\"} to linux.namespaces");
    if (l->devices.n)
        wh_compile_err(c, -EINVAL, l->devices.src, "devices are not made %s: leave them out", in);
    /* The pty comes from the container's own devpts, whose place in a foreign namespace nobody has set up for us. */
    if (c->req->verb != WH_VERB_EXEC && s->process && s->process->terminal.set && s->process->terminal.v)
        wh_compile_err(c, -EINVAL, s->process->terminal.src, "a terminal is not supported %s", in);
}

/*
 * Whether A sets the container up and B is born last, with nothing but what the payload will have. In a pid
 * namespace that is joined a process of another container, with CAP_SYS_PTRACE and in no user namespace, takes B
 * over whether it is dumpable or not. What needs B early is left: hooks are given its pid, a listener is taken out
 * of it, and with --init it loads a filter of its own.
 */
static bool born_last(const struct wh_compile *c)
{
    const struct wh_spec *s = c->spec;
    const struct wh_hooks *h = &s->hooks;
    const struct wh_kv *init = wh_annotation(s, WH_ANN_INIT);

    if (c->req->verb == WH_VERB_EXEC || !c->join_ns[WH_NS_PID] || s->linux_.ns[WH_NS_USER].set ||
        c->join_ns[WH_NS_MOUNT])
        return false;
    /* Else OPEN_NS opens the namespaces of the process that is to be entered. */
    if (!(c->facts->feat & WH_FEAT_PROC_PIDNS) || !(c->facts->own_caps & UINT64_C(1) << CAP_SYS_PTRACE))
        return false;
    return !h->prestart.n && !h->create_runtime.n && !h->create_container.n && !wh_seccomp_notifies(s, c->req) &&
           !c->req->init && !(init && wh_streq(init->value, "1"));
}

void wh_compile_first_of_b(struct wh_compile *c)
{
    /* From here on every byte is charged to the container, and no device node may be opened that is not allowed. */
    if (c->cgroup_path)
        WH_STEP(c, ASK_LIMITS, ask_limits, c->spec->linux_.resources.src);
    /* Before the console: a controlling terminal needs a session without one. */
    WH_STEP(c, SESSION, session, 0);
}

/* The order of design: docs/DESIGN.md, "Phases and order". Each part appends; where order matters the reason is here. */
static void parts(struct wh_compile *c)
{
    /* Host lists: made before A is spawned, because A is born in the cgroup. */
    wh_compile_cgroup(c);
    wh_compile_rdt(c);

    /* ---- A ---- */
    c->born_last = born_last(c);
    wh_compile_ns(c);

    /* ---- B ---- */
    if (!c->born_last)
        wh_compile_first_of_b(c);
    wh_compile_open_ns(c);
    /* Hooks and the payload expect a working lo. */
    if (c->new_ns[WH_NS_NETWORK])
        WH_STEP(c, LOOPBACK, loopback, c->spec->linux_.ns[WH_NS_NETWORK].src);
    /* Before sysctls, which may be about them, and before hooks. */
    wh_compile_netdevs(c);
    if (c->setup) {
        wh_compile_mount_label(c);
        wh_compile_mounts(c);
        wh_compile_notify(c);
        wh_compile_devices(c);
    }
    /* The mounts are there, the old root still is: what engines' hooks expect (NVIDIA, CDI and CNI enter the namespaces or
     * write below the rootfs). */
    wh_compile_hooks(c, WH_HOOK_PRESTART);
    wh_compile_hooks(c, WH_HOOK_CREATE_RUNTIME);
    wh_compile_hooks(c, WH_HOOK_CREATE_CONTAINER);
    if (c->setup) {
        /* After the hooks, which may add mounts below a masked path; before the pivot, because a clone of /dev/null whose
         * mount left with the old root is refused. */
        wh_compile_masks(c);
        wh_compile_pivot(c);
    } else if (!c->join_ns[WH_NS_MOUNT]) {
        wh_compile_chroot(c);
    }
    /* Through the host's procfs, so that a read-only /proc/sys in the container is no obstacle. */
    wh_compile_sysctl(c);

    /* ---- the tail, and C ---- */
    wh_compile_process(c);

    /* Host lists again: run after the payload started, and after it is gone. */
    wh_compile_hooks(c, WH_HOOK_POSTSTART);
    wh_compile_hooks(c, WH_HOOK_POSTSTOP);
}

/* In a container that is there: its namespaces instead of a root to set up, and then the same tail. */
static void exec_parts(struct wh_compile *c)
{
    if (c->req->exec->hook && c->req->exec->hook->create) {
        /* The root that it enters is the one of before the pivot: the host's tree, with the container's mounts in it. */
        wh_compile_exec(c);
        WH_STEP(c, CLONE_B, clone_b, 0);
        WH_STEP(c, SESSION, session, 0);
        wh_compile_hook_process(c);
        return;
    }
    wh_compile_exec(c);
    /* Else the root of the namespace that was joined is the container's already. */
    if (!c->spec->linux_.ns[WH_NS_MOUNT].set)
        wh_compile_chroot(c);
    wh_compile_console(c);
    wh_compile_process(c);
}

/* Explained by a user who could not run it: what root of this host would do. */
static void as_root(struct wh_facts *f)
{
    f->euid = f->egid = 0;
    f->own_caps = UINT64_MAX;
    f->may_mknod = !f->in_userns;
    f->feat |= WH_FEAT_CGROUP_WRITABLE | WH_FEAT_CGROUP_BPF;
}

int wh_compile(const struct wh_spec *spec, const struct wh_request *req, const struct wh_facts *facts,
               struct wh_arena *arena, const struct wh_plan **ret, struct wh_errlist *errs)
{
    struct wh_compile c = { .spec = spec, .req = req, .facts = facts, .arena = arena, .errs = errs };
    const struct wh_plan *plan = NULL;
    struct wh_err *e, first = { 0 };
    struct wh_facts root = *facts;
    unsigned told = errs->n + errs->dropped;
    uint32_t step = 0;
    int r;

    if (req->verb == WH_VERB_EXPLAIN && facts->euid != 0 && !spec->linux_.ns[WH_NS_USER].set) {
        as_root(&root);
        c.facts = &root;
    }

    c.b = wh_build_new(arena);
    if (!c.b)
        return wh_compile_err(&c, -ENOMEM, 0, "cannot allocate memory for the plan");

    namespaces(&c);
    c.keep_groups = wh_annotation_on(spec, WH_ANN_KEEP_GROUPS);
    if (!spec->root.set || !spec->root.path.v || !*spec->root.path.v)
        wh_compile_err(&c, -EINVAL, spec->root.src ? spec->root.src : WH_NODE_DOCUMENT,
                       "root property must not be empty");
    joined_mounts(&c);
    if (!c.setup)
        refuse_setup(&c);
    c.process = spec->process;
    if (req->verb == WH_VERB_EXEC)
        wh_compile_exec_process(&c);
    wh_compile_annotations(&c);
    if (!c.process)
        wh_compile_err(&c, -EINVAL, WH_NODE_DOCUMENT, "process property must not be empty");
    else if (c.process->args.n == 0)
        wh_compile_err(&c, -EINVAL, c.process->src, "%s", WH_MSG_NO_ARGS);
    else if (req->verb == WH_VERB_EXEC)
        exec_parts(&c);
    else
        parts(&c);
    wh_build_preserve(c.b, req->preserve_fds);

    if (errs->n + errs->dropped > told)
        return errs->e[told < errs->n ? told : 0].code;
    /* A part that got no memory or no room says nothing: the builder remembers why. */
    r = wh_build_finish(c.b, &plan, &first);
    if (r == 0 && c.failed)
        r = wh_err_set(&first, WH_ERR_HOST, -ENOMEM, NULL, "cannot allocate memory for the plan");
    if (r == -E2BIG)
        wh_spec_where(spec, WH_NODE_DOCUMENT, first.path, sizeof first.path);
    if (r < 0) {
        e = wh_errlist_next(errs);
        if (e)
            *e = first;
        return r;
    }
    wh_compile_limits(&c, plan);
    if (errs->n + errs->dropped > told)
        return errs->e[told < errs->n ? told : 0].code;
    /* Not an assertion: what compile got wrong must not reach a process with privileges. */
    r = wh_plan_verify(plan, plan->size, &step);
    if (r != 0)
        return wh_compile_err(&c, -EPROTO, 0, "internal error: step %u of the plan breaks rule %d", step, r);
    *ret = plan;
    return 0;
}
