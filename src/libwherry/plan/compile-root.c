/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens to the root when everything is mounted: masks, read-only paths, propagation, the pivot. */
#include "plan/compile-mount.h"

#include <errno.h>

#include "abi/kernel.h"

/* ---------------------------------------------------------------- propagation */

/*
 * What rootfsPropagation means before the pivot (old tree) and after it (new root). With shared, a bind of a shared mount of the host stays its
 * peer, so that mounts travel both ways (Kubernetes' Bidirectional); without the r, mounts below the root of the tree keep their own type, as with
 * runc and crun. Unbindable comes after the pivot alone: nothing of the tree could be bound before it.
 */
static const struct {
    const char *name;
    uint32_t before;
    bool before_rec;
    uint32_t after;
    bool rec;
} propagations[] = {
    { "private", WH_MS_PRIVATE, false, 0, false },
    { "rprivate", WH_MS_PRIVATE, true, 0, false },
    { "slave", WH_MS_SLAVE, false, 0, false },
    { "rslave", WH_MS_SLAVE, true, 0, false },
    { "shared", WH_MS_SHARED, false, WH_MS_SHARED, false },
    { "rshared", WH_MS_SHARED, true, WH_MS_SHARED, true },
    { "unbindable", WH_MS_SLAVE, true, WH_MS_UNBINDABLE, false },
    { "runbindable", WH_MS_SLAVE, true, WH_MS_UNBINDABLE, true },
};

bool wh_mount_root_may_share(const struct wh_compile *c)
{
    const char *name = c->spec->linux_.rootfs_propagation.v;

    return name && (wh_streq(name, "private") || wh_streq(name, "slave") || wh_streq(name, "shared") ||
                    wh_streq(name, "rshared"));
}

uint32_t wh_mount_root_propagation(struct wh_compile *c, bool *ret_before_rec, uint32_t *ret_after, bool *ret_rec)
{
    const struct wh_sstr *name = &c->spec->linux_.rootfs_propagation;

    *ret_after = 0;
    *ret_rec = false;
    *ret_before_rec = true;
    if (!name->v || !*name->v)
        return WH_MS_SLAVE;
    for (size_t i = 0; i < WH_ELEMENTSOF(propagations); i++)
        if (wh_streq(name->v, propagations[i].name)) {
            *ret_before_rec = propagations[i].before_rec;
            *ret_after = propagations[i].after;
            *ret_rec = propagations[i].rec;
            return propagations[i].before;
        }
    wh_compile_err(c, -EINVAL, name->src, "unknown rootfsPropagation \"%s\"", name->v);
    return WH_MS_SLAVE;
}

/* ---------------------------------------------------------------- masks */

/* Paths that have been dealt with. Identical strings have one offset in the plan, so a set of offsets is enough. */
struct path_set {
    wh_off *slots;
    size_t mask;
};

static bool set_init(struct wh_compile *c, struct path_set *set, size_t n)
{
    size_t size = 16;

    while (size < 2 * n)
        size *= 2;
    set->slots = wh_arena_new_array(c->arena, wh_off, size);
    set->mask = size - 1;
    return set->slots;
}

/* False if it is there already. */
static bool set_add(struct path_set *set, wh_off off)
{
    size_t i = (off * 2654435761u) & set->mask;

    for (; set->slots[i]; i = (i + 1) & set->mask)
        if (set->slots[i] == off)
            return false;
    set->slots[i] = off;
    return true;
}

/* The next path as it goes into a step; 0 for one that is there already, or in error. */
static wh_off next_path(struct wh_compile *c, struct path_set *set, const struct wh_sstr *path, const char *what)
{
    const char *clean = wh_compile_clean_path(c->arena, "", path->v);
    wh_off off;

    if (clean && wh_streq(clean, "/")) {
        wh_compile_err(c, -EINVAL, path->src, "%s cannot have \"/\"", what);
        return 0;
    }
    off = wh_build_str(c->b, clean);
    return off && set_add(set, off) ? off : 0;
}

static void compile_maskfs(struct wh_compile *c)
{
    /* Room for nothing: two inodes, because the root directory is one and some kernels refuse a limit of one. */
    const char *usual[] = { "nr_blocks", "1", "nr_inodes", "2", "mode", "755" };
    struct wh_strv params = { usual, WH_ELEMENTSOF(usual) };
    struct wh_step_mount_fs *s = WH_STEP(c, MOUNT_FS, mount_fs, c->spec->linux_.masked_paths.src);

    if (!s)
        return;
    s->fstype = wh_build_str(c->b, "tmpfs");
    wh_compile_label_params(c, "tmpfs", &params);
    s->params = wh_build_strv(c->b, params.v, params.n);
    s->attr = WH_MOUNT_ATTR_RDONLY | WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NODEV | WH_MOUNT_ATTR_NOEXEC;
    s->mount = WH_SLOT_MASKFS;
}

/* A missing working directory is made, which is too late when the step that enters it runs on a read-only root. */
static void compile_workdir(struct wh_compile *c)
{
    const struct wh_spec *spec = c->spec;
    bool rdonly = (spec->root.readonly.set && spec->root.readonly.v) || c->nlate_ro || spec->linux_.readonly_paths.n;
    const char *cwd = spec->process ? spec->process->cwd.v : NULL;
    struct wh_step_mkdir *s;

    if (!rdonly || !cwd || !*cwd || wh_streq(cwd, "/"))
        return;
    s = WH_STEP(c, MKDIR, mkdir, spec->process->cwd.src);
    if (!s)
        return;
    s->root = WH_SLOT_ROOT;
    s->path = wh_build_str(c->b, cwd);
}

void wh_compile_masks(struct wh_compile *c)
{
    const struct wh_sstrv *masked = &c->spec->linux_.masked_paths, *rdonly = &c->spec->linux_.readonly_paths;
    struct path_set masks, rdonlys;

    if (!set_init(c, &masks, masked->n) || !set_init(c, &rdonlys, rdonly->n)) {
        wh_compile_err(c, -ENOMEM, 0, "cannot allocate memory for the masks");
        return;
    }
    compile_workdir(c);
    for (unsigned i = 0; i < c->nlate_ro; i++)
        wh_mount_add_attr(c, c->late_ro[i].src, c->late_ro[i].slot, WH_MOUNT_ATTR_RDONLY, 0, 0, false, false);
    if (masked->n)
        compile_maskfs(c);
    for (size_t i = 0; i < masked->n; i++) {
        wh_off path = next_path(c, &masks, &masked->v[i], "maskedPaths");
        struct wh_step_mask *s;

        if (!path)
            continue;
        s = WH_STEP(c, MASK, mask, masked->v[i].src);
        if (!s)
            return;
        s->root = WH_SLOT_ROOT;
        s->devnull = WH_SLOT_DEVNULL;
        s->maskfs = WH_SLOT_MASKFS;
        s->path = path;
    }
    for (size_t i = 0; i < rdonly->n; i++) {
        wh_off path = next_path(c, &rdonlys, &rdonly->v[i], "readonlyPaths");
        struct wh_step_rdonly *s;

        if (!path)
            continue;
        s = WH_STEP(c, RDONLY, rdonly, rdonly->v[i].src);
        if (!s)
            return;
        s->root = WH_SLOT_ROOT;
        s->path = path;
    }
}

void wh_compile_pivot(struct wh_compile *c)
{
    const struct wh_spec *spec = c->spec;
    struct wh_step_root_rdonly *ro;
    struct wh_step_root_share *share;
    struct wh_step_pivot *pivot;
    bool before_rec, rec;
    uint32_t after;

    if (spec->root.readonly.set && spec->root.readonly.v) {
        ro = WH_STEP(c, ROOT_RDONLY, root_rdonly, spec->root.readonly.src);
        if (ro)
            ro->root = WH_SLOT_ROOT;
    }
    pivot = WH_STEP(c, PIVOT, pivot, spec->root.src);
    if (pivot) {
        pivot->root = WH_SLOT_ROOT;
        pivot->mode = c->req->no_pivot;
        pivot->old = wh_mount_root_may_share(c) ? WH_MS_SLAVE : 0;
    }
    /* An unknown name has been reported by wh_compile_mounts; this has no second opinion on it. */
    if (c->failed)
        return;
    wh_mount_root_propagation(c, &before_rec, &after, &rec);
    if (!after)
        return;
    share = WH_STEP(c, ROOT_SHARE, root_share, spec->linux_.rootfs_propagation.src);
    if (share) {
        share->propagation = after;
        share->recursive = rec;
    }
}

void wh_compile_chroot(struct wh_compile *c)
{
    struct wh_step_root_open *root = WH_STEP(c, ROOT_OPEN, root_open, c->spec->root.src);
    struct wh_step_pivot *pivot = root ? WH_STEP(c, PIVOT, pivot, c->spec->root.src) : NULL;

    if (!pivot)
        return;
    root->root = WH_SLOT_ROOT;
    root->mode = 0;
    pivot->root = WH_SLOT_ROOT;
    pivot->mode = 2;
}
