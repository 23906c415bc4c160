/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of its cgroup that a payload manages itself: systemd, or a runtime of containers (cgroup-v2.rst, "Delegation").
 *
 *   /a/ID               the container's: its limits, its device program; what engines read and delete. No process.
 *   /a/ID/payload       the root of the payload's cgroup namespace, and its owner's. No limit.
 *   /a/ID/SUB/LEAF      run.oci.delegate-cgroup: the first process, so that SUB can hand on controllers at once
 *
 * The limits are one level above what the payload can name. nsdelegate alone would protect them too, but it is an option of the one
 * superblock that a host may not have set; and the payload could not hand on a controller whose limits are set on its own cgroup by somebody
 * else without the two getting in each other's way.
 */
#include "plan/compile.h"

#include <errno.h>

#define OF_ITS_OWN "payload"

static const struct wh_kv *filled(const struct wh_spec *spec, enum wh_ann ann)
{
    const struct wh_kv *kv = wh_annotation(spec, ann);

    return kv && *kv->value ? kv : NULL;
}

/* What the kernel puts into every cgroup is named so; the directory could not be made, on a host that has the controller. */
static bool is_file_of_kernel(const char *name)
{
    static const char *const words[] = { "cgroup",  "cpu",  "cpuset", "io",   "memory", "pids",
                                         "hugetlb", "rdma", "misc",   "dmem", "irq" };
    size_t len = strcspn(name, ".");

    for (size_t i = 0; name[len] && i < WH_ELEMENTSOF(words); i++)
        if (strlen(words[i]) == len && strncmp(words[i], name, len) == 0)
            return true;
    return false;
}

static bool check_name(struct wh_compile *c, const struct wh_kv *kv)
{
    const char *v = kv->value;

    if (strchr(v, '/') || strchr(v, '\n') || wh_streq(v, ".") || wh_streq(v, "..") || strlen(v) > 255 ||
        is_file_of_kernel(v)) {
        wh_compile_err(c, -EINVAL, kv->src, "\"%.80s\" cannot be the name of a cgroup: want one of a directory", v);
        return false;
    }
    return true;
}

/* A mount of the hierarchy that the payload may write to by its configuration: engines ask for a systemd in a container like that. */
static bool mounted_writable(const struct wh_spec *spec)
{
    for (size_t i = 0; i < spec->nmounts; i++) {
        const struct wh_mount_spec *m = &spec->mounts[i];
        bool ro = false, cgroup = wh_streq(m->type.v, "cgroup") || wh_streq(m->type.v, "cgroup2");

        if ((!cgroup && !wh_streq(m->source.v, "cgroup")) || !wh_streq(m->destination.v, "/sys/fs/cgroup"))
            continue;
        for (size_t k = 0; k < m->options.n; k++) {
            const char *word = m->options.v[k].v;

            if (wh_streq(word, "ro") || wh_streq(word, "rro"))
                ro = true;
            else if (wh_streq(word, "rw"))
                ro = false;
        }
        return !ro;
    }
    return false;
}

/* The payload's user, as this process calls it. False where that cannot be known: a joined user namespace, whose map is not told. */
static bool owner(const struct wh_compile *c, uint32_t *ret)
{
    const struct wh_idmaps *m = &c->spec->linux_.uid_mappings;
    const struct wh_process *p = c->process;
    uint32_t uid = p && p->user.uid.set ? p->user.uid.v : 0;

    *ret = uid;
    if (!c->new_ns[WH_NS_USER] && !c->join_ns[WH_NS_USER])
        return true;
    for (size_t i = 0; i < m->n; i++)
        if (uid >= m->v[i].container_id && uid - m->v[i].container_id < m->v[i].size) {
            *ret = m->v[i].host_id + (uid - m->v[i].container_id);
            return true;
        }
    return false;
}

static void add_owner(struct wh_compile *c, wh_node src, const char *path, uint32_t uid)
{
    struct wh_step_cg_owner *s = WH_STEP(c, CG_OWNER, cg_owner, src);

    if (!s)
        return;
    s->path = wh_build_str(c->b, path);
    s->uid = uid;
}

static void own(struct wh_compile *c, const struct wh_kv *asked, const char *leaf)
{
    wh_node user = c->process && c->process->user.uid.set ? c->process->user.uid.src : 0;
    uint32_t uid;

    if (!asked &&
        (c->facts->cgroup_mode != WH_CGROUP_UNIFIED || !c->new_ns[WH_NS_CGROUP] || !mounted_writable(c->spec)))
        return;
    if (!owner(c, &uid)) {
        /* In a new one it is an id that is not mapped, which is told elsewhere. */
        if (asked && c->join_ns[WH_NS_USER])
            wh_compile_err(c, -EINVAL, asked->src,
                           "the ids of the user namespace that is joined are not known: list its linux.uidMappings");
        return;
    }
    if (uid == c->facts->euid)
        return;
    if (c->facts->euid != 0) {
        if (asked)
            wh_compile_err(c, -EPERM, user ? user : asked->src,
                           "the cgroup of a rootless container can be given to no other user than its root");
        return;
    }
    add_owner(c, asked ? asked->src : user, c->cgroup_ns, uid);
    if (leaf)
        add_owner(c, asked ? asked->src : user, leaf, uid);
}

static void refuse_host(struct wh_compile *c, const struct wh_kv *by)
{
    if (!c->cgroup_path)
        wh_compile_err(c, -EINVAL, by->src,
                       "a container without a cgroup has nothing to delegate (--cgroup-manager=disabled, or no "
                       "permission to make one)");
    else if (c->facts->cgroup_mode != WH_CGROUP_UNIFIED)
        wh_compile_err(c, -EOPNOTSUPP, by->src,
                       "needs the unified cgroup hierarchy: cgroup v1 has no delegation that is safe");
    else if (!c->new_ns[WH_NS_CGROUP])
        wh_compile_err(c, -EINVAL, by->src,
                       "needs a cgroup namespace of the container's own: add { \"type\": \"cgroup\" } to "
                       "linux.namespaces");
}

void wh_compile_delegation(struct wh_compile *c)
{
    const struct wh_kv *ours = wh_annotation(c->spec, WH_ANN_DELEGATE), *sub = filled(c->spec, WH_ANN_SUBGROUP);
    const struct wh_kv *leaf = filled(c->spec, WH_ANN_DELEGATE_LEAF), *asked = leaf, *by;
    const char *leaf_path = NULL;
    struct wh_step_cg_sub *s;

    c->cgroup_ns = c->cgroup_path;
    if (ours && !wh_streq(ours->value, "1") && !wh_streq(ours->value, "0")) {
        wh_compile_err(c, -EINVAL, ours->src, "must be 0 or 1, not \"%.80s\"", ours->value);
        return;
    }
    if (ours && wh_streq(ours->value, "1"))
        asked = ours;
    if (leaf && !sub) {
        wh_compile_err(c, -EINVAL, leaf->src, "needs the annotation %s: the cgroup is made below that one",
                       wh_annotation_name(WH_ANN_SUBGROUP));
        return;
    }
    /* Of a scope; elsewhere a level that nobody asked for would only be in the way. */
    by = asked ? asked : c->req->cgroup_manager == WH_CGM_SYSTEMD ? sub : NULL;
    if ((by && sub && !check_name(c, sub)) || (leaf && !check_name(c, leaf)))
        return;
    if (asked && (!c->cgroup_path || c->facts->cgroup_mode != WH_CGROUP_UNIFIED || !c->new_ns[WH_NS_CGROUP])) {
        refuse_host(c, asked);
        return;
    }
    if (!c->cgroup_path)
        return;
    if (by) {
        c->cgroup_ns = wh_arena_printf(c->arena, "%s/%s", c->cgroup_path, sub ? sub->value : OF_ITS_OWN);
        s = WH_STEP(c, CG_SUB, cg_sub, by->src);
        if (!s || !c->cgroup_ns) {
            c->failed = true;
            return;
        }
        s->path = wh_build_str(c->b, c->cgroup_ns);
        /* What it may turn on is up to it: all that there is. */
        s->controllers = wh_build_str(c->b, c->facts->cgroup2_controllers ? c->facts->cgroup2_controllers : "");
    }
    if (leaf) {
        struct wh_step_cg_leaf *l = WH_STEP(c, CG_LEAF, cg_leaf, leaf->src);

        leaf_path = wh_arena_printf(c->arena, "%s/%s", c->cgroup_ns, leaf->value);
        if (!l || !leaf_path) {
            c->failed = true;
            return;
        }
        l->path = wh_build_str(c->b, leaf_path);
    }
    c->delegated = asked != NULL;
    own(c, asked, leaf_path);
}
