/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>

#include "abi/kernel.h"

static const uint32_t clone_flag[WH_NS_MAX] = {
    [WH_NS_PID] = CLONE_NEWPID,       [WH_NS_NETWORK] = CLONE_NEWNET, [WH_NS_MOUNT] = CLONE_NEWNS,
    [WH_NS_IPC] = CLONE_NEWIPC,       [WH_NS_UTS] = CLONE_NEWUTS,     [WH_NS_USER] = CLONE_NEWUSER,
    [WH_NS_CGROUP] = CLONE_NEWCGROUP, [WH_NS_TIME] = CLONE_NEWTIME,
};

static void step_join(struct wh_compile *c, enum wh_ns ns)
{
    const struct wh_namespace *n = &c->spec->linux_.ns[ns];
    struct wh_step_join *s = WH_STEP(c, JOIN, join, n->src);

    if (!s)
        return;
    s->ns = WH_SLOT_NS + ns;
    s->nstype = clone_flag[ns];
    s->path = wh_build_str(c->b, n->path.v);
    wh_build_host_slot(c->b, WH_SLOT_NS + ns);
}

static void step_unshare(struct wh_compile *c, uint32_t flags, wh_node src)
{
    struct wh_step_unshare *s;

    if (!flags)
        return;
    s = WH_STEP(c, UNSHARE, unshare, src);
    if (s)
        s->nsflags = flags;
}

/* Hooks in the container and exec enter its namespaces. The kernel takes that for debugging init, which is not dumpable. */
void wh_compile_open_ns(struct wh_compile *c)
{
    struct wh_step_open_ns *s;
    uint32_t flags = 0;

    if (c->facts->own_caps & UINT64_C(1) << CAP_SYS_PTRACE)
        return;
    for (unsigned i = 0; i < WH_NS_MAX; i++)
        if (c->new_ns[i] || c->join_ns[i])
            flags |= clone_flag[i];
    s = flags ? WH_STEP(c, OPEN_NS, open_ns, c->spec->linux_.src) : NULL;
    if (!s)
        return;
    s->proc = WH_SLOT_PROC;
    s->nsflags = flags;
}

static void step_join_fd(struct wh_compile *c, enum wh_ns ns)
{
    struct wh_step_join_fd *s = WH_STEP(c, JOIN_FD, join_fd, c->spec->linux_.src);

    if (!s)
        return;
    s->ns = WH_SLOT_NS + ns;
    s->nstype = clone_flag[ns];
    wh_build_host_slot(c->b, WH_SLOT_NS + ns);
}

static void join_fds(struct wh_compile *c, uint32_t flags)
{
    for (unsigned i = 0; i < WH_NS_MAX; i++)
        if (i != WH_NS_MOUNT && flags & clone_flag[i])
            step_join_fd(c, i);
    /* Last: it changes root and cwd. */
    if (flags & CLONE_NEWNS)
        step_join_fd(c, WH_NS_MOUNT);
}

void wh_compile_join_fds(struct wh_compile *c, uint32_t join, uint32_t host)
{
    uint32_t ours = join & host & ~(uint32_t)CLONE_NEWUSER;

    /* Inside the user namespace there are no rights to those of the host, and outside none to those that it owns. */
    join_fds(c, ours);
    join_fds(c, join & CLONE_NEWUSER);
    join_fds(c, join & ~ours & ~(uint32_t)CLONE_NEWUSER);
    WH_STEP(c, CLOSE_HOST, close_host, 0);
}

/* True if the namespace can only be joined with rights in the user namespace that we join, not with the host's. */
static bool owned_by_user(const struct wh_compile *c, enum wh_ns ns)
{
    if (!c->join_ns[WH_NS_USER])
        return false; /* one that we make owns nothing yet */
    if (c->req->ns_owner[ns] == WH_NSO_HOST)
        return false;
    /* Unknown (explain asks nobody): namespaces joined together with a user namespace are a pod's, made inside of it. */
    return true;
}

/* `user`: those of the user namespace, else the host's. */
static void joins(struct wh_compile *c, bool user)
{
    for (unsigned i = 0; i < WH_NS_MAX; i++)
        if (c->join_ns[i] && i != WH_NS_USER && i != WH_NS_MOUNT && owned_by_user(c, i) == user)
            step_join(c, i);
    /* The mount namespace last: it changes root and cwd. */
    if (c->join_ns[WH_NS_MOUNT] && owned_by_user(c, WH_NS_MOUNT) == user)
        step_join(c, WH_NS_MOUNT);
}

bool wh_compile_maps_id(const struct wh_idmaps *m, uint32_t id)
{
    for (size_t i = 0; i < m->n; i++)
        if (id >= m->v[i].container_id && id - m->v[i].container_id < m->v[i].size)
            return true;
    return false;
}

static void time_namespace(struct wh_compile *c)
{
    const struct wh_linux *l = &c->spec->linux_;
    const struct wh_timeoff *off[] = { &l->time_offsets.monotonic, &l->time_offsets.boottime };
    static const char *const clock[] = { "monotonic", "boottime" };
    char text[2 * sizeof "monotonic -9223372036854775808 4294967295\n"] = "";
    struct wh_step_timens *s;
    size_t len = 0;

    if (!c->new_ns[WH_NS_TIME]) {
        if (off[0]->set || off[1]->set)
            wh_compile_err(c, -EINVAL, l->time_offsets.src,
                           c->join_ns[WH_NS_TIME]
                               ? "time namespace offsets specified, but the time namespace is joined by path"
                               : "time namespace offsets specified, but time namespace isn't enabled in the config");
        return;
    }
    step_unshare(c, CLONE_NEWTIME, l->ns[WH_NS_TIME].src);
    for (unsigned i = 0; i < 2; i++)
        if (off[i]->set)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %lld %u", len ? "\n" : "", clock[i],
                                    (long long)(off[i]->secs.set ? off[i]->secs.v : 0),
                                    off[i]->nanosecs.set ? off[i]->nanosecs.v : 0);
    if (!len)
        return;
    s = WH_STEP(c, TIMENS, timens, l->time_offsets.src);
    if (!s)
        return;
    s->proc = WH_SLOT_PROC;
    s->offsets = wh_build_str(c->b, text);
}

/* Without rights in the host the kernel takes a gid map only after setgroups is denied for good. */
static bool must_deny_setgroups(const struct wh_compile *c)
{
    const struct wh_idmaps *g = &c->spec->linux_.gid_mappings;

    return c->facts->euid != 0 && g->n == 1 && g->v[0].size == 1 && g->v[0].host_id == c->facts->egid;
}

static void user_namespace(struct wh_compile *c)
{
    const struct wh_linux *l = &c->spec->linux_;
    const struct wh_namespace *ns = &l->ns[WH_NS_USER];
    struct wh_step_ask_idmap *s;

    if (c->join_ns[WH_NS_USER]) {
        /* Root of the namespace that is joined could trace us otherwise, if it sees the host's processes. Not where an ordinary
         * user has a file of /proc/self to write yet, which would be root's then. */
        if (c->facts->euid == 0 || !c->new_ns[WH_NS_TIME])
            WH_STEP(c, DUMPABLE, dumpable, 0);
        step_join(c, WH_NS_USER);
        return;
    }
    if (!c->new_ns[WH_NS_USER]) {
        if (l->uid_mappings.n || l->gid_mappings.n)
            wh_compile_err(c, -EINVAL, l->uid_mappings.n ? l->uid_mappings.src : l->gid_mappings.src,
                           "user namespace mappings specified, but user namespace isn't enabled in the config");
        return;
    }
    if (!l->uid_mappings.n || !l->gid_mappings.n) {
        wh_compile_err(c, -EINVAL, ns->src, "a new user namespace requires at least one %s mapping",
                       l->uid_mappings.n ? "GID" : "UID");
        return;
    }
    step_unshare(c, CLONE_NEWUSER, ns->src);
    s = WH_STEP(c, ASK_IDMAP, ask_idmap, l->uid_mappings.src);
    if (!s)
        return;
    s->uid_map = wh_build_str(c->b, wh_compile_map_text(c, &l->uid_mappings));
    s->gid_map = wh_build_str(c->b, wh_compile_map_text(c, &l->gid_mappings));
    s->setgroups = wh_build_str(c->b, must_deny_setgroups(c) ? "deny" : "allow");
}

void wh_compile_set_ids(struct wh_compile *c)
{
    const struct wh_linux *l = &c->spec->linux_;
    struct wh_step_set_ids *s;

    s = WH_STEP(c, SET_IDS, set_ids, l->ns[WH_NS_USER].src);
    if (!s)
        return;
    /* An unmapped id could create no file in the container; a map without 0 has no other candidate than its own ids. */
    if (l->uid_mappings.n && !wh_compile_maps_id(&l->uid_mappings, 0))
        s->uid = l->uid_mappings.v[0].container_id;
    if (l->gid_mappings.n && !wh_compile_maps_id(&l->gid_mappings, 0))
        s->gid = l->gid_mappings.v[0].container_id;
}

/* The id of the host that an id of the container is; -1 where nobody says. */
static int64_t host_id(const struct wh_idmaps *m, uint32_t id)
{
    for (size_t i = 0; i < m->n; i++)
        if (id >= m->v[i].container_id && id - m->v[i].container_id < m->v[i].size)
            return (int64_t)m->v[i].host_id + (id - m->v[i].container_id);
    return -1;
}

static void stdio_owner(struct wh_compile *c, const struct wh_process *p)
{
    const struct wh_linux *l = &c->spec->linux_;
    bool hook = c->req->verb == WH_VERB_EXEC && c->req->exec->hook;
    int64_t uid = host_id(&l->uid_mappings, p->user.uid.v);
    struct wh_step_stdio_owner *s;

    if (!l->ns[WH_NS_USER].set || hook || (p->terminal.set && p->terminal.v) || uid < 0 || c->facts->euid != 0)
        return;
    s = WH_STEP(c, STDIO_OWNER, stdio_owner, p->user.src);
    if (s)
        s->uid = (uint32_t)uid;
}

void wh_compile_before_ns(struct wh_compile *c)
{
    const struct wh_process *p = c->process;

    /* Of a joined user namespace nobody has told; an ordinary user's is most likely one where it is denied. */
    c->no_setgroups = (c->facts->feat & WH_FEAT_SETGROUPS_DENIED) ||
                      (c->new_ns[WH_NS_USER] ? must_deny_setgroups(c) : c->facts->euid != 0);
    WH_STEP(c, SIGNALS, signals, 0);
    /* In a joined user namespace setgroups may be denied, and nobody can tell. The caller's groups are dropped while that is
     * still possible; groups that are asked for are set in B, and fail there if they must. */
    if (c->join_ns[WH_NS_USER] && !c->no_setgroups && !c->keep_groups)
        WH_STEP(c, SETGROUPS, setgroups, c->spec->linux_.ns[WH_NS_USER].src);
    /* Both need the host's privilege, and the files of a dumpable process. */
    if (p->oom_score_adj.set) {
        struct wh_step_oom_adj *s = WH_STEP(c, OOM_ADJ, oom_adj, p->oom_score_adj.src);

        if (s) {
            s->proc = WH_SLOT_PROC;
            s->value = p->oom_score_adj.v;
        }
        wh_build_host_slot(c->b, WH_SLOT_PROC);
    }
    for (size_t i = 0; i < p->rlimits.n; i++) {
        const struct wh_rlimit *l = &p->rlimits.v[i];
        struct wh_step_rlimit_raise *s = WH_STEP(c, RLIMIT_RAISE, rlimit_raise, l->src);

        if (!s)
            return;
        s->hard = l->hard;
        s->resource = (uint32_t)l->resource;
    }
    stdio_owner(c, p);
    /* exec: in B, which enters the v1 hierarchies later than A, and a cpuset that is entered takes its own. */
    if (c->req->verb != WH_VERB_EXEC)
        wh_compile_affinity(c);
}

void wh_compile_ns(struct wh_compile *c)
{
    /* The time namespace is made apart; that of the cgroup shows the container's cgroup as its root, because A is born
     * there. A new pid namespace is for the child only. */
    static const enum wh_ns rest[] = { WH_NS_MOUNT, WH_NS_PID, WH_NS_NETWORK, WH_NS_IPC, WH_NS_UTS, WH_NS_CGROUP };
    bool user = c->new_ns[WH_NS_USER] || c->join_ns[WH_NS_USER];
    uint32_t flags = 0;
    wh_node src = 0;

    wh_build_host_slot(c->b, WH_SLOT_PROC);
    wh_compile_before_ns(c);
    joins(c, false);
    user_namespace(c);
    /* Before SET_IDS: changing ids makes the process non-dumpable, and then /proc/self/timens_offsets is no longer ours. */
    time_namespace(c);
    joins(c, true);
    /* Before the other namespaces: the root of an IPC namespace's mqueue belongs to the id that makes it. */
    if (user)
        wh_compile_set_ids(c);
    if (c->join_ns[WH_NS_MOUNT] && c->setup) {
        struct wh_step_chdir_joined *s = WH_STEP(c, CHDIR_JOINED, chdir_joined, c->spec->root.src);

        if (s)
            s->path = wh_build_str(c->b, c->root_path);
    } else if (!c->join_ns[WH_NS_MOUNT]) {
        struct wh_step_chdir_rootfs *s = WH_STEP(c, CHDIR_ROOTFS, chdir_rootfs, c->spec->root.src);

        wh_build_host_slot(c->b, WH_SLOT_ROOTFS);
        if (s)
            s->rootfs = WH_SLOT_ROOTFS;
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(rest); i++)
        if (c->new_ns[rest[i]]) {
            flags |= clone_flag[rest[i]];
            src = c->spec->linux_.ns[rest[i]].src;
        }
    step_unshare(c, flags, flags && !(flags & (flags - 1)) ? src : c->spec->linux_.src);
    /* The last of A, so that B is never seen dumpable in the container's namespaces. */
    WH_STEP(c, DUMPABLE, dumpable, 0);
    if (!c->born_last)
        WH_STEP(c, CLONE_B, clone_b, 0);
}
