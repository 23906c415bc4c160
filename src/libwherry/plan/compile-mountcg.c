/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts of type cgroup and cgroup2.
 *
 *   unified, own cgroup namespace   a cgroup2 mount, whose root is the container's cgroup; or a clone of that directory
 *   unified, the host's namespace   a clone of the host's mount: making a new one there would reset the options of the one
 *                                   superblock, nsdelegate first, for the whole host
 *   hybrid, type cgroup             a tmpfs with one clone for each v1 hierarchy, links for controllers that share one, and
 *                                   the cgroup2 directory as "unified"
 *
 * Of v1 the container sees the hierarchies that it has a directory in, and of each that directory alone: the rest would be others' (I14).
 *
 * Writable as the config says; `check` warns. A payload that was given a part of its cgroup gets it writable whatever the config says: engines
 * send ro with every container, and its limits are above the namespace's root.
 */
#include "plan/compile-mount.h"

#include <errno.h>

#include "abi/kernel.h"

#define HARDEN (WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NODEV | WH_MOUNT_ATTR_NOEXEC)

static uint64_t attr_of(const struct wh_compile *c, const struct wh_mount_job *j)
{
    return c->delegated ? j->attr & ~WH_MOUNT_ATTR_RDONLY : j->attr;
}

/* The container's directory in cgroup2; without one of its own it stays in ours. */
static const char *unified_dir(struct wh_compile *c)
{
    const char *path = c->cgroup_ns ? c->cgroup_ns : c->facts->cgroup2_own;

    return wh_compile_clean_path(c->arena, c->facts->cgroup2_mount, path ? path : "");
}

/* Options of the cgroup2 superblock, which is one for the host: a clone cannot have others, and needs none. */
static int check_clone_params(struct wh_compile *c, const struct wh_mount_job *j)
{
    static const char *const known[] = { "nsdelegate",         "favordynmods",         "nofavordynmods",
                                         "memory_localevents", "memory_recursiveprot", "memory_hugetlb_accounting",
                                         "pids_localevents" };

    for (size_t i = 0; i < j->o.params.n; i += 2) {
        bool ok = false;

        for (size_t k = 0; k < WH_ELEMENTSOF(known); k++)
            ok = ok || wh_streq(j->o.params.v[i], known[k]);
        if (!ok)
            return wh_compile_err(c, -EINVAL, j->m->src,
                                  "the mount option %s has no meaning for a %s mount on this host", j->o.params.v[i],
                                  j->m->type.v);
    }
    return 0;
}

static void mount_unified(struct wh_compile *c, struct wh_mount_job *j)
{
    bool own = c->new_ns[WH_NS_CGROUP], joined = c->join_ns[WH_NS_CGROUP];
    const char *mnt = c->facts->cgroup2_mount;
    uint64_t attr = attr_of(c, j), clone = wh_mount_clone_attr(attr);

    if (own || joined) {
        const char *source = j->m->source.v && *j->m->source.v ? j->m->source.v : NULL;
        /* Nobody but the one who joined it knows what a joined namespace hides: nothing can stand in for its view. */
        bool fallback = own && mnt;

        wh_mount_add_fs(c, j, "cgroup2", source, &j->o.params, attr, fallback ? WH_SOFT_PERM | WH_SOFT_BUSY : 0);
        if (fallback) {
            wh_mount_add_bind(c, j, j->slot, unified_dir(c), false, true);
            wh_mount_add_attr(c, j->m->src, j->slot, clone, 0, 0, false, true);
        }
    } else {
        if (!mnt) {
            wh_compile_err(c, -EOPNOTSUPP, j->m->src, "this host has no cgroup2 hierarchy mounted");
            return;
        }
        if (check_clone_params(c, j) < 0)
            return;
        wh_mount_add_bind(c, j, j->slot, wh_compile_clean_path(c->arena, mnt, ""), false, false);
        wh_mount_add_attr(c, j->m->src, j->slot, clone, 0, 0, false, false);
    }
    wh_mount_add_propagation(c, j, j->slot);
    wh_mount_add_attach(c, j->m->src, j->slot, j->dst, j->attach);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* One clone below the tmpfs. */
static void attach_below(struct wh_compile *c, const struct wh_mount_job *j, const char *source, const char *name,
                         uint64_t attr)
{
    const char *dst = wh_compile_clean_path(c->arena, j->dst, name);

    if (!source || !dst)
        return;
    wh_mount_add_bind(c, j, WH_SLOT_SCRATCH, source, false, false);
    wh_mount_add_attr(c, j->m->src, WH_SLOT_SCRATCH, attr, 0, 0, false, false);
    wh_mount_add_attach(c, j->m->src, WH_SLOT_SCRATCH, dst, 0);
}

/* "cpu" and "cpuacct" for a hierarchy mounted as "cpu,cpuacct": programs look for either. */
static void link_controllers(struct wh_compile *c, const struct wh_mount_job *j, const struct wh_v1_hierarchy *h,
                             const char *name)
{
    for (const char *s = h->controllers; *s;) {
        size_t len = strcspn(s, ",");
        const char *word = wh_arena_strndup(c->arena, s, len);
        const char *path;

        s += len + (s[len] == ',');
        if (!word || !*word)
            continue;
        if (wh_startswith(word, "name="))
            word += strlen("name=");
        if (wh_streq(word, name))
            continue;
        path = wh_compile_clean_path(c->arena, j->dst, word);
        if (path) {
            struct wh_step_symlink *link = WH_STEP(c, SYMLINK, symlink, j->m->src);

            if (!link)
                return;
            link->root = WH_SLOT_ROOT;
            link->target = wh_build_str(c->b, name);
            link->path = wh_build_str(c->b, path);
        }
    }
}

static void mount_hybrid(struct wh_compile *c, struct wh_mount_job *j)
{
    static const char *const tree_params[] = { "mode", "755" };
    struct wh_strv params = { (const char **)tree_params, WH_ELEMENTSOF(tree_params) };
    uint64_t clone = wh_mount_clone_attr(j->attr) | HARDEN;

    if (j->o.params.n) {
        wh_compile_err(c, -EINVAL, j->m->src, "the mount option %s has no meaning for a %s mount on this host",
                       j->o.params.v[0], j->m->type.v);
        return;
    }
    j->slot = wh_build_alloc_slot(c->b);
    if (j->slot >= WH_SLOTS) {
        wh_compile_err(c, -E2BIG, j->m->src, "too many mounts that are kept open: no place for a cgroup mount");
        return;
    }
    wh_mount_add_fs(c, j, "tmpfs", "cgroup", &params, (j->attr & ~WH_MOUNT_ATTR_RDONLY) | HARDEN, 0);
    wh_mount_add_propagation(c, j, j->slot);
    wh_mount_add_attach(c, j->m->src, j->slot, j->dst, j->attach);
    for (size_t i = 0; i < c->facts->nv1; i++) {
        const struct wh_v1_hierarchy *h = &c->facts->v1[i];
        const char *name = last_part(h->mountpoint);

        /* Where it has no directory of its own there is nothing to show but what is others'. */
        if (!wh_compile_in_v1(c, h))
            continue;
        attach_below(c, j, wh_compile_clean_path(c->arena, h->mountpoint, c->cgroup_path), name, clone);
        link_controllers(c, j, h, name);
    }
    if (c->facts->cgroup2_mount)
        attach_below(c, j, unified_dir(c), "unified", clone);
    /* Last, because mount points and links are made in it. */
    if (j->attr & WH_MOUNT_ATTR_RDONLY)
        wh_mount_add_attr(c, j->m->src, j->slot, WH_MOUNT_ATTR_RDONLY, 0, 0, false, false);
}

void wh_mount_cgroup(struct wh_compile *c, struct wh_mount_job *j)
{
    bool v1 = c->facts->cgroup_mode != WH_CGROUP_UNIFIED && c->facts->nv1 > 0;

    if (v1 && wh_streq(j->m->type.v, "cgroup"))
        mount_hybrid(c, j);
    else
        mount_unified(c, j);
}
