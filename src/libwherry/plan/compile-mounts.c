/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's mounts. Each is built detached in a slot, gets its attributes there, and is
 * attached last: it is never seen with fewer restrictions than asked for (I2). Read-only tmpfs is the one exception: mount
 * points and devices are made on it, by us and by hooks, so that it becomes read-only when they are done.
 */
#include "plan/compile-mount.h"

#include <errno.h>

#include "abi/kernel.h"
#include "spec/fields.h"

/* ---------------------------------------------------------------- steps */

void wh_mount_add_fs(struct wh_compile *c, const struct wh_mount_job *j, const char *fstype, const char *source,
                     const struct wh_strv *params, uint64_t attr, uint16_t soft)
{
    struct wh_step_mount_fs *s = WH_STEP(c, MOUNT_FS, mount_fs, j->m->src);

    if (!s)
        return;
    s->s.soft = soft;
    s->fstype = wh_build_str(c->b, fstype);
    s->source = wh_build_str(c->b, source);
    s->params = wh_build_strv(c->b, params->v, params->n);
    s->attr = attr;
    s->mount = j->slot;
}

void wh_mount_add_bind(struct wh_compile *c, const struct wh_mount_job *j, wh_slot slot, const char *source, bool rec,
                       bool alt)
{
    uint16_t flags = alt ? WH_STEP_ALT : 0;
    bool idmapped = j->uid_map || j->userns;

    if (!source)
        return;
    /* The container's root may not be allowed to walk to the source, and what it cloned itself would have the attributes of
     * the host's mounts locked. An ordinary user's host has no right to clone anything, nor has root of a user namespace
     * in a mount namespace from outside; B has, in its own mount namespace. */
    if (idmapped || (wh_mount_foreign(c) && c->facts->euid == 0 && !c->facts->mnt_foreign)) {
        struct wh_step_ask_mount *s = WH_STEP(c, ASK_MOUNT, ask_mount, j->m->src);

        if (!s)
            return;
        s->s.flags = flags;
        s->source = wh_build_str(c->b, source);
        s->userns = wh_build_str(c->b, j->userns);
        s->uid_map = wh_build_str(c->b, j->uid_map);
        s->gid_map = wh_build_str(c->b, j->gid_map);
        s->propagation = c->propagation;
        s->recursive = rec;
        s->idmap_recursive = idmapped && j->o.ridmap;
        s->nofollow = j->o.src_nofollow || j->o.copy_symlink;
        s->mount = slot;
    } else {
        struct wh_step_mount_bind *s = WH_STEP(c, MOUNT_BIND, mount_bind, j->m->src);

        if (!s)
            return;
        s->s.flags = flags;
        s->source = wh_build_str(c->b, source);
        s->recursive = rec;
        s->nofollow = j->o.src_nofollow || j->o.copy_symlink;
        s->mount = slot;
    }
}

void wh_mount_add_attr(struct wh_compile *c, wh_node src, wh_slot slot, uint64_t set, uint64_t clr,
                       uint32_t propagation, bool rec, bool alt)
{
    struct wh_step_mount_attr *s;

    if (!set && !clr && !propagation)
        return;
    s = WH_STEP(c, MOUNT_ATTR, mount_attr, src);
    if (!s)
        return;
    s->s.flags = alt ? WH_STEP_ALT : 0;
    s->set = set;
    s->clr = clr;
    s->propagation = propagation;
    s->mount = slot;
    s->recursive = rec;
}

void wh_mount_add_propagation(struct wh_compile *c, const struct wh_mount_job *j, wh_slot slot)
{
    /* One call each: mount_setattr takes one type at a time, and slave followed by shared is a state of its own. */
    for (unsigned i = 0; i < j->o.nprop; i++)
        wh_mount_add_attr(c, j->m->src, slot, 0, 0, j->o.prop[i], j->o.prop_rec[i], false);
}

void wh_mount_add_attach(struct wh_compile *c, wh_node src, wh_slot slot, const char *dst, uint32_t flags)
{
    struct wh_step_attach *s = WH_STEP(c, ATTACH, attach, src);

    if (!s)
        return;
    s->mount = slot;
    s->root = WH_SLOT_ROOT;
    s->dst = wh_build_str(c->b, dst);
    s->flags = flags;
}

uint64_t wh_mount_clone_attr(uint64_t attr)
{
    return attr & (WH_MOUNT_ATTR_RDONLY | WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NODEV | WH_MOUNT_ATTR_NOEXEC |
                   WH_MOUNT_ATTR_NOSYMFOLLOW);
}

/* The mount in the slot gets its place. */
static void add_place(struct wh_compile *c, const struct wh_mount_job *j)
{
    struct wh_step_root_over *s;

    if (!wh_streq(j->dst, "/")) {
        wh_mount_add_attach(c, j->m->src, j->slot, j->dst, j->attach);
        return;
    }
    s = WH_STEP(c, ROOT_OVER, root_over, j->m->src);
    if (!s)
        return;
    s->mount = j->slot;
    s->root = WH_SLOT_ROOT;
}

/* ---------------------------------------------------------------- one file system of its own */

static bool host_ns(const struct wh_compile *c, enum wh_ns ns)
{
    return !c->new_ns[ns] && !c->join_ns[ns];
}

/* The kernel makes a sysfs only for the owner of the network namespace that it will show. */
static bool sysfs_refused(const struct wh_compile *c)
{
    const enum wh_ns net = WH_NS_NETWORK;

    if (!wh_mount_foreign(c) || c->new_ns[net])
        return false;
    return host_ns(c, net) || c->req->in_host_netns || c->req->ns_owner[net] == WH_NSO_HOST;
}

/*
 * Kernel file systems that only the owner of a namespace can make, and the clone of the host's that stands in where that is
 * known to be refused (*ret_sure), or may be (mount_too_revealing, design §4). Null: nothing may stand in. The host's /proc
 * never does for another pid namespace: it would show the host's processes.
 */
static const char *stand_in(const struct wh_compile *c, const char *fstype, bool *ret_sure)
{
    *ret_sure = false;
    if (!c->userns)
        return NULL;
    if (wh_streq(fstype, "proc") && host_ns(c, WH_NS_PID)) {
        *ret_sure = wh_mount_foreign(c);
        return "/proc";
    }
    if (wh_streq(fstype, "sysfs")) {
        *ret_sure = sysfs_refused(c);
        return "/sys";
    }
    return NULL;
}

static void add_param(struct wh_compile *c, struct wh_strv *params, const char *key, const char *value)
{
    const char **v = wh_arena_new_array(c->arena, const char *, params->n + 2);

    if (!v) {
        c->failed = true;
        return;
    }
    v[0] = key;
    v[1] = value;
    if (params->n)
        memcpy(v + 2, params->v, params->n * sizeof *v);
    params->v = v;
    params->n += 2;
}

/* A procfs shows the pid namespace of who makes it, and A is not in that of its children. The path is of A's own
 * tree, which is the host's still. */
static void proc_of_children(struct wh_compile *c, struct wh_strv *params)
{
    for (size_t i = 0; i < params->n; i += 2)
        if (wh_streq(params->v[i], "pidns"))
            return;
    add_param(c, params, "pidns", "/proc/self/ns/pid_for_children");
}

static void compile_fs(struct wh_compile *c, struct wh_mount_job *j)
{
    const char *fstype = j->m->type.v, *source = j->m->source.v;
    struct wh_strv params = j->o.params;
    uint64_t attr = j->late_ro ? j->attr & ~WH_MOUNT_ATTR_RDONLY : j->attr, clone_attr;
    bool sure;
    const char *instead = stand_in(c, fstype, &sure);
    /* Nothing stands in for a queue file system; a user namespace that does not own its IPC namespace goes without. */
    bool soft = instead || (c->userns && wh_streq(fstype, "mqueue"));

    /* Media that cannot be written want a read-only superblock too. Only where the source is a device: a file system with
     * one superblock for all, such as debugfs, would become read-only on the host. */
    if (source && strlen(source) > WH_MAX_NAME) {
        /* fsconfig(2) copies no more of it; mount(2) would have. */
        wh_compile_err(c, -EINVAL, j->m->source.src,
                       "is %zu bytes long, and of what is no bind mount the kernel takes at most %u", strlen(source),
                       WH_MAX_NAME);
        return;
    }
    if ((attr & WH_MOUNT_ATTR_RDONLY) && source && source[0] == '/')
        add_param(c, &params, "ro", NULL);
    if (c->born_last && wh_streq(fstype, "proc"))
        proc_of_children(c, &params);
    wh_compile_label_params(c, fstype, &params);
    if (!sure)
        wh_mount_add_fs(c, j, fstype, source && *source ? source : NULL, &params, attr, soft ? WH_SOFT_PERM : 0);
    if (instead) {
        clone_attr = wh_mount_clone_attr(attr);
        /* Below the host's /sys are its control groups and more; what was asked for had none of it. */
        if (wh_streq(fstype, "sysfs"))
            clone_attr |= WH_MOUNT_ATTR_RDONLY;
        wh_mount_add_bind(c, j, j->slot, instead, true, !sure);
        wh_mount_add_attr(c, j->m->src, j->slot, clone_attr, 0, 0, true, !sure);
    }
    wh_mount_add_propagation(c, j, j->slot);
    if (j->o.tmpcopyup) {
        struct wh_step_copyup *s = WH_STEP(c, COPYUP, copyup, j->m->src);

        if (s) {
            s->mount = j->slot;
            s->root = WH_SLOT_ROOT;
            s->dst = wh_build_str(c->b, j->dst);
        }
    }
    add_place(c, j);
}

/* ---------------------------------------------------------------- one bind */

/* *ret_below: the path in the container of a source that is inside its rootfs, or null. */
static const char *bind_source(struct wh_compile *c, const struct wh_mount_job *j, const char **ret_below)
{
    const struct wh_sstr *source = &j->m->source;
    const char *path, *root;

    *ret_below = NULL;

    if (!source->v || !*source->v) {
        wh_compile_err(c, -EINVAL, source->v ? source->src : j->m->src, "a bind mount needs a source");
        return NULL;
    }
    path = wh_compile_clean_path(c->arena, source->v[0] == '/' ? "" : c->req->bundle, source->v);
    root = c->spec->root.path.v;
    if (!path || !root)
        return NULL;
    root = wh_compile_clean_path(c->arena, root[0] == '/' ? "" : c->req->bundle, root);
    /* Its symlinks belong to the image: followed on the host, they would lead to any of the host's files (I1). */
    if (root && !wh_streq(root, "/") && wh_compile_is_below(path, root))
        *ret_below = path + strlen(root);
    return path;
}

static void add_bind_root(struct wh_compile *c, const struct wh_mount_job *j, const char *source)
{
    struct wh_step_bind_root *s;

    /* The host would have to resolve the path, and does not enter the rootfs for it. */
    if (j->uid_map || j->userns) {
        wh_compile_err(c, -EINVAL, j->m->source.src, "a bind source inside the rootfs cannot be id-mapped");
        return;
    }
    s = WH_STEP(c, BIND_ROOT, bind_root, j->m->src);
    if (!s)
        return;
    s->root = WH_SLOT_ROOT;
    s->source = wh_build_str(c->b, source);
    s->recursive = j->o.rec;
    s->nofollow = j->o.src_nofollow || j->o.copy_symlink;
    s->mount = j->slot;
}

/*
 * mount(2) sets the flags of a bind in a second call, which replaces all of them, so that those of the source that are not named are dropped
 * (an atime mode is kept where none is named): a volume on a noexec file system with the option rw is executable.
 */
static void add_bind_flags(struct wh_compile *c, const struct wh_mount_job *j)
{
    uint64_t all = WH_MOUNT_ATTR_RDONLY | WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NODEV | WH_MOUNT_ATTR_NOEXEC |
                   WH_MOUNT_ATTR_NOSYMFOLLOW;
    struct wh_step_mount_relax *s;

    wh_mount_add_attr(c, j->m->src, j->slot, j->o.attr_set, j->o.attr_clr, 0, false, false);
    all &= ~(j->o.attr_set | j->o.attr_clr);
    if (!j->o.named || !all)
        return;
    s = WH_STEP(c, MOUNT_RELAX, mount_relax, j->m->src);
    if (!s)
        return;
    s->mount = j->slot;
    s->clr = all;
}

/* A mount that is made inside is meant to be seen outside, and will not be. */
static void warn_unshared(struct wh_compile *c, const struct wh_mount_job *j)
{
    bool shared = false;

    for (unsigned i = 0; i < j->o.nprop; i++)
        shared = shared || j->o.prop[i] == WH_MS_SHARED;
    if (!shared || (c->propagation == WH_MS_SHARED && !wh_mount_foreign(c)))
        return;
    wh_compile_warn(c, -EINVAL, j->m->options.src, "mounts made on %s in the container will not appear on the host: %s",
                    j->dst,
                    wh_mount_foreign(c) ? "a user namespace never sends mounts to it"
                                        : "that takes linux.rootfsPropagation shared or rshared too");
}

static void compile_bind(struct wh_compile *c, struct wh_mount_job *j)
{
    const char *below, *source = bind_source(c, j, &below);

    if (!source || wh_mount_idmap(c, j) < 0)
        return;
    if (below)
        add_bind_root(c, j, below);
    else
        wh_mount_add_bind(c, j, j->slot, source, j->o.rec, false);
    if (j->o.copy_symlink) {
        struct wh_step_copy_link *s = WH_STEP(c, COPY_LINK, copy_link, j->m->src);

        if (s) {
            s->mount = j->slot;
            s->root = WH_SLOT_ROOT;
            s->dst = wh_build_str(c->b, j->dst);
        }
    }
    warn_unshared(c, j);
    add_bind_flags(c, j);
    wh_mount_add_attr(c, j->m->src, j->slot, j->o.rattr_set, j->o.rattr_clr, 0, true, false);
    wh_mount_add_propagation(c, j, j->slot);
    add_place(c, j);
}

/* ---------------------------------------------------------------- what is mounted already */

static bool keep_for_late_ro(struct wh_compile *c, struct wh_mount_job *j)
{
    j->slot = wh_build_alloc_slot(c->b);
    if (j->slot >= WH_SLOTS) {
        wh_compile_err(c, -E2BIG, j->m->src,
                       "too many read-only tmpfs mounts: each is kept open until devices and hooks are done, and there "
                       "is room for %u",
                       c->nlate_ro);
        return false;
    }
    c->late_ro[c->nlate_ro].slot = j->slot;
    c->late_ro[c->nlate_ro++].src = j->m->src;
    return true;
}

static void compile_remount(struct wh_compile *c, struct wh_mount_job *j)
{
    struct wh_step_remount *s;

    /* The devices are made in /dev after this step: it becomes read-only when they are there. */
    if (wh_streq(j->dst, "/dev") && (j->o.attr_set & WH_MOUNT_ATTR_RDONLY)) {
        j->o.attr_set &= ~WH_MOUNT_ATTR_RDONLY;
        if (!keep_for_late_ro(c, j))
            return;
    }
    s = WH_STEP(c, REMOUNT, remount, j->m->src);
    if (!s)
        return;
    s->params = wh_build_strv(c->b, j->o.params.v, j->o.params.n);
    s->root = WH_SLOT_ROOT;
    s->dst = wh_build_str(c->b, j->dst);
    s->mount = j->slot;
    /* What the words do not name stays: mount(2) would have cleared it, and with it what protects. */
    wh_mount_add_attr(c, j->m->src, j->slot, j->o.attr_set, j->o.attr_clr, 0, false, false);
    wh_mount_add_attr(c, j->m->src, j->slot, j->o.rattr_set, j->o.rattr_clr, 0, true, false);
    wh_mount_add_propagation(c, j, j->slot);
}

/* ---------------------------------------------------------------- destinations */

/* Files of /proc that a bind may replace: what lxcfs and engines provide per container. Nothing else of /proc: it is where
 * labels, limits and id maps are written (I3). */
static bool proc_file_allowed(const char *dst)
{
    static const char *const files[] = {
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
        "/proc/loadavg",
        "/proc/slabinfo",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(files); i++)
        if (wh_streq(dst, files[i]))
            return true;
    return false;
}

static int check_destination(struct wh_compile *c, struct wh_mount_job *j)
{
    const char *type = j->m->type.v;
    wh_node src = j->m->destination.src;

    if (wh_streq(j->dst, "/") && (j->o.remount || j->o.tmpcopyup || j->o.copy_symlink))
        return wh_compile_err(c, -EINVAL, src, "a mount on \"/\" cannot have the option %s",
                              j->o.remount     ? "remount: root.readonly is for that"
                              : j->o.tmpcopyup ? "tmpcopyup"
                                               : "copy-symlink");
    if (wh_compile_is_below(j->dst, "/proc")) {
        if (!j->o.bind || !proc_file_allowed(j->dst))
            return wh_compile_err(c, -EINVAL, src, "\"%s\" cannot be mounted because it is inside /proc", j->dst);
        j->attach |= WH_ATTACH_BENEATH_PROC;
    }
    if (wh_streq(j->dst, "/proc") && !j->o.remount) {
        if (!j->o.bind && !wh_streq(type, "proc"))
            return wh_compile_err(c, -EINVAL, src, "\"/proc\" cannot be mounted because it is not of type proc");
        j->attach |= WH_ATTACH_SOURCE_PROC;
    }
    return 0;
}

static int check_options(struct wh_compile *c, const struct wh_mount_job *j)
{
    const char *type = j->m->type.v;

    if (j->o.remount && (j->o.idmap || j->o.copy_symlink || j->o.tmpcopyup))
        return wh_compile_err(
            c, -EINVAL, j->m->src,
            "the option remount changes a mount that is there: it goes with attributes and options of "
            "the file system only");
    if (j->o.copy_symlink && (!j->o.bind || wh_streq(j->dst, "/proc") || wh_compile_is_below(j->dst, "/proc")))
        return wh_compile_err(c, -EINVAL, j->m->src,
                              "the option copy-symlink is for bind mounts, and not on or below /proc");
    if (j->o.bind || j->o.remount)
        return 0;
    if (!type || !*type)
        return wh_compile_err(c, -EINVAL, j->m->src,
                              "invalid mount type for \"%s\": a mount that is not a bind needs one", j->dst);
    if (wh_streq(type, "bind"))
        return wh_compile_err(c, -EINVAL, j->m->src,
                              "the type bind alone makes no bind mount: add the option bind or rbind");
    return 0;
}

/* Refused here, where the place is known and nothing has been made; where the map is somebody else's, the kernel tells. */
static int check_ids(struct wh_compile *c, const struct wh_mount_job *j)
{
    const struct wh_linux *l = &c->spec->linux_;
    uint64_t id;

    for (size_t i = 0; c->new_ns[WH_NS_USER] && i < j->o.params.n; i += 2) {
        const char *key = j->o.params.v[i], *value = j->o.params.v[i + 1];
        bool gid = wh_streq(key, "gid");
        const struct wh_idmaps *map = gid ? &l->gid_mappings : &l->uid_mappings;

        if ((!gid && !wh_streq(key, "uid")) || !value || wh_parse_u64(value, UINT32_MAX, &id) < 0)
            continue;
        if (!wh_compile_maps_id(map, (uint32_t)id))
            return wh_compile_err(c, -EINVAL, j->m->src,
                                  "cannot mount %s with %s=%s: %s %s is not mapped in the user namespace (leave the "
                                  "option out, or map it)",
                                  j->dst, key, value, key, value);
    }
    return 0;
}

/* ---------------------------------------------------------------- one mount */

/* A new mount is not a tree: the recursive words, which come second, and the others are one set. */
static uint64_t fs_attr(const struct wh_mountopts *o)
{
    return (o->attr_set & ~o->rattr_clr) | o->rattr_set;
}

static void compile_mount(struct wh_compile *c, const struct wh_mount_spec *m)
{
    struct wh_mount_job j = { .m = m, .slot = WH_SLOT_SCRATCH };
    bool tmpfs;

    if (wh_mountopts_parse(c, m, &j.o) < 0)
        return;
    if (!m->destination.v) {
        wh_compile_err(c, -EINVAL, m->src, "a mount needs a destination");
        return;
    }
    j.dst = wh_compile_clean_path(c->arena, "", m->destination.v);
    if (!j.dst) {
        c->failed = true;
        return;
    }
    if (check_options(c, &j) < 0 || check_destination(c, &j) < 0)
        return;
    if (j.o.remount) {
        compile_remount(c, &j);
        return;
    }
    if (j.o.dest_nofollow)
        j.attach |= WH_ATTACH_NOFOLLOW;
    if (j.o.bind) {
        compile_bind(c, &j);
        return;
    }
    if (check_ids(c, &j) < 0)
        return;
    j.attr = fs_attr(&j.o);
    if (wh_streq(m->type.v, "cgroup") || wh_streq(m->type.v, "cgroup2")) {
        wh_mount_cgroup(c, &j);
        return;
    }
    /* A symlink there would take the container's /proc, and what is written to it, elsewhere. */
    if (wh_streq(m->type.v, "proc") || wh_streq(m->type.v, "sysfs"))
        j.attach |= WH_ATTACH_NOSYMLINK;
    tmpfs = wh_streq(m->type.v, "tmpfs");
    if (tmpfs && !j.o.has_mode)
        j.attach |= WH_ATTACH_KEEP_MODE;
    j.late_ro = (j.attr & WH_MOUNT_ATTR_RDONLY) && (tmpfs || wh_streq(j.dst, "/dev"));
    if (j.late_ro && !keep_for_late_ro(c, &j))
        return;
    compile_fs(c, &j);
}

/* ---------------------------------------------------------------- the root */

void wh_compile_mounts(struct wh_compile *c)
{
    const struct wh_spec *spec = c->spec;
    struct wh_step_root_propagation *prop;
    struct wh_step_open_devnull *devnull;
    struct wh_step_root_bind *bind;
    bool before_rec, rec;
    uint32_t before, after;

    before = wh_mount_root_propagation(c, &before_rec, &after, &rec);
    /* What the host clones for us has to be as it would be in our own copy of the tree. Where only its root changes, that could be a peer of the
     * host's: it is one if it was asked for. */
    c->propagation = before_rec || before == WH_MS_SHARED ? before : WH_MS_SLAVE;
    prop = WH_STEP(c, ROOT_PROPAGATION, root_propagation, spec->linux_.rootfs_propagation.src);
    if (prop) {
        prop->propagation = before;
        prop->recursive = before_rec;
    }
    if (wh_mount_root_may_share(c))
        WH_STEP(c, ROOT_HOLDER, root_holder, spec->linux_.rootfs_propagation.src);
    /* Here the tree is the host's still: no /dev of the container can impersonate it. */
    if (spec->linux_.masked_paths.n) {
        devnull = WH_STEP(c, OPEN_DEVNULL, open_devnull, spec->linux_.masked_paths.src);
        if (devnull)
            devnull->devnull = WH_SLOT_DEVNULL;
    }
    bind = WH_STEP(c, ROOT_BIND, root_bind, spec->root.src);
    if (bind) {
        bind->root = WH_SLOT_ROOT;
        bind->recursive = 1;
    }
    for (size_t i = 0; i < spec->nmounts; i++)
        compile_mount(c, &spec->mounts[i]);
}
