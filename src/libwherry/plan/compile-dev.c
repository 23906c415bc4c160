/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device nodes, the links of /dev, and the console. */
#include "plan/compile.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/stat.h>

static const struct {
    const char *path;
    uint32_t major, minor;
} defaults[] = {
    { "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
    { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static const struct {
    const char *path, *target;
    bool replace;
} links[] = {
    /* Images bring a node, which would be the host's ptmx. */
    { "/dev/ptmx", "pts/ptmx", true },
    { "/dev/fd", "/proc/self/fd", false },
    { "/dev/stdin", "/proc/self/fd/0", false },
    { "/dev/stdout", "/proc/self/fd/1", false },
    { "/dev/stderr", "/proc/self/fd/2", false },
    /* Dangles where the kernel has no kcore, as it does behind a mask. */
    { "/dev/core", "/proc/kcore", false },
};

#define DEFAULT_MODE 0666u
#define BITS 07777u

static bool has_option(const struct wh_mount_spec *m, const char *word)
{
    for (size_t i = 0; i < m->options.n; i++)
        if (wh_streq(m->options.v[i].v, word))
            return true;
    return false;
}

/* The last mount on a place, or null. A remount brings nothing of its own. */
static const struct wh_mount_spec *mount_at(const struct wh_compile *c, const char *path)
{
    for (size_t i = c->spec->nmounts; i > 0; i--) {
        const struct wh_mount_spec *m = &c->spec->mounts[i - 1];
        const char *dst = m->destination.v ? wh_compile_clean_path(c->arena, "", m->destination.v) : NULL;

        if (dst && wh_streq(dst, path) && !has_option(m, "remount"))
            return m;
    }
    return NULL;
}

static bool is_bind(const struct wh_mount_spec *m)
{
    return m && (has_option(m, "bind") || has_option(m, "rbind"));
}

static const struct wh_device *listed(const struct wh_compile *c, const char *path)
{
    for (size_t i = 0; i < c->spec->linux_.devices.n; i++) {
        const struct wh_device *d = &c->spec->linux_.devices.v[i];
        const char *clean = d->path.v ? wh_compile_clean_path(c->arena, "", d->path.v) : NULL;

        if (clean && wh_streq(clean, path))
            return d;
    }
    return NULL;
}

struct node {
    const char *path;
    uint32_t mode, major, minor, uid, gid; /* mode with the type */
    wh_node src;
};

/* The fields that MKNOD and ASK_DEVICE have in common. */
#define FILL_NODE(s, c, n)                                                                                             \
    do {                                                                                                               \
        (s)->root = WH_SLOT_ROOT;                                                                                      \
        (s)->path = wh_build_str((c)->b, (n)->path);                                                                   \
        (s)->mode = (n)->mode;                                                                                         \
        (s)->major = (n)->major;                                                                                       \
        (s)->minor = (n)->minor;                                                                                       \
        (s)->uid = (n)->uid;                                                                                           \
        (s)->gid = (n)->gid;                                                                                           \
    } while (0)

static void add_mknod(struct wh_compile *c, const struct node *n, uint16_t soft)
{
    struct wh_step_mknod *s = WH_STEP(c, MKNOD, mknod, n->src);

    if (!s)
        return;
    s->s.soft = soft;
    FILL_NODE(s, c, n);
}

/* The host's node of the same path. Mode and owner are the host's then: they cannot be changed without changing its. */
static void add_dev_bind(struct wh_compile *c, const struct node *n, bool alt)
{
    struct wh_step_dev_bind *s = WH_STEP(c, DEV_BIND, dev_bind, n->src);

    if (!s)
        return;
    s->s.flags = alt ? WH_STEP_ALT : 0;
    s->source = wh_build_str(c->b, n->path);
    s->root = WH_SLOT_ROOT;
    s->path = wh_build_str(c->b, n->path);
    s->mode = n->mode;
    s->major = n->major;
    s->minor = n->minor;
}

/*
 * Whether the payload could make the bound node of the host writable again, and then give it another mode or owner: that takes CAP_SYS_ADMIN over
 * its mounts, and that the owner of the node, root of the host, is mapped in its user namespace. In a user namespace that we are in ourselves
 * that is not so: its root cannot make nodes.
 */
static bool may_change_host_node(const struct wh_compile *c)
{
    const struct wh_linux *l = &c->spec->linux_;
    /* The map of a namespace that is joined need not be told; one with root of the host in it protects nothing of the host. */
    bool mapped = false;

    if (c->facts->in_userns || c->facts->euid != 0 ||
        !(c->process->capabilities.bounding.mask & wh_compile_grantable(c) & (UINT64_C(1) << CAP_SYS_ADMIN)))
        return false;
    if (!c->new_ns[WH_NS_USER] && !c->join_ns[WH_NS_USER])
        return true;
    for (size_t i = 0; i < l->uid_mappings.n; i++)
        mapped |= l->uid_mappings.v[i].host_id == 0 && l->uid_mappings.v[i].size > 0;
    return mapped;
}

/* Nobody's in the container, as what the host owns is: what the peers give it as well. */
static void warn_unmapped(struct wh_compile *c, const struct node *n)
{
    const struct wh_idmaps *uid = &c->spec->linux_.uid_mappings, *gid = &c->spec->linux_.gid_mappings;

    if (n->src && uid->n && !wh_compile_maps_id(uid, n->uid))
        wh_compile_warn(c, -EINVAL, n->src,
                        "device %s gets no owner: the user namespace of the container does not map uid %u", n->path,
                        n->uid);
    if (n->src && gid->n && !wh_compile_maps_id(gid, n->gid))
        wh_compile_warn(c, -EINVAL, n->src,
                        "device %s gets no group: the user namespace of the container does not map gid %u", n->path,
                        n->gid);
}

/* One of its own, made by the host: with the mode and the owner that were asked for. */
static void add_ask_device(struct wh_compile *c, const struct node *n)
{
    struct wh_step_ask_device *s = WH_STEP(c, ASK_DEVICE, ask_device, n->src);
    struct wh_strv params = { 0 };

    if (!s)
        return;
    FILL_NODE(s, c, n);
    wh_compile_label_params(c, "tmpfs", &params);
    s->params = wh_build_params(c->b, params.v, params.n);
    warn_unmapped(c, n);
}

/* The host makes it on a tmpfs of its own: that takes CAP_MKNOD, and CAP_SYS_ADMIN for the tmpfs. */
static bool host_makes_nodes(const struct wh_compile *c)
{
    return c->facts->may_mknod && (c->facts->own_caps & UINT64_C(1) << CAP_SYS_ADMIN);
}

static void add_node(struct wh_compile *c, const struct node *n)
{
    bool userns = c->new_ns[WH_NS_USER] || c->join_ns[WH_NS_USER];

    /* A fifo is no device: every user namespace may make one. */
    if ((n->mode & S_IFMT) == S_IFIFO) {
        add_mknod(c, n, 0);
    } else if (userns && host_makes_nodes(c) && (n->src || may_change_host_node(c))) {
        /* The default ones are as the host's, and binding them is faster. */
        add_ask_device(c, n);
    } else if (may_change_host_node(c)) {
        /* An error of MKNOD, or here: in a user namespace of its own a node made there could not be opened. */
        if (userns || !c->facts->may_mknod)
            wh_compile_err(c, -EPERM, n->src,
                           "device %s cannot be made, and the host's is not bound instead: with CAP_SYS_ADMIN the "
                           "container could change its "
                           "mode and owner on the host",
                           n->path);
        else
            add_mknod(c, n, 0);
    } else if (c->userns || !c->facts->may_mknod) {
        /* A node made in a mount of a user namespace could not be opened. */
        add_dev_bind(c, n, false);
    } else {
        add_mknod(c, n, WH_SOFT_PERM);
        add_dev_bind(c, n, true);
    }
}

static int number(struct wh_compile *c, const struct wh_device *d, const struct wh_opt_i64 *v, const char *name,
                  int64_t max, uint32_t *ret)
{
    if (!v->set)
        return wh_compile_err(c, -EINVAL, d->src, "device %s has no %s number", d->path.v, name);
    if (v->v < 0 || v->v > max)
        return wh_compile_err(c, -EINVAL, v->src, "the %s number of a device is from 0 to %lld", name, (long long)max);
    *ret = (uint32_t)v->v;
    return 0;
}

static void add_listed(struct wh_compile *c, const struct wh_device *d, bool dev_is_bind)
{
    struct node n = { .src = d->src };

    n.path = d->path.v ? wh_compile_clean_path(c->arena, "", d->path.v) : NULL;
    if (!d->path.v || wh_streq(n.path, "/")) {
        wh_compile_err(c, -EINVAL, d->src, "a device needs a path");
        return;
    }
    if (!n.path) {
        c->failed = true;
        return;
    }
    if (d->type == 'p') {
        n.mode = S_IFIFO;
    } else {
        /* 12 and 20 bits: what the kernel keeps of a device number. */
        if (number(c, d, &d->major, "major", 0xfff, &n.major) < 0 ||
            number(c, d, &d->minor, "minor", 0xfffff, &n.minor) < 0)
            return;
        n.mode = d->type == 'b' ? S_IFBLK : S_IFCHR;
    }
    /* Type bits in fileMode are common, copied from stat(2), and say nothing that `type` does not. */
    n.mode |= (d->file_mode.set ? d->file_mode.v : DEFAULT_MODE) & BITS;
    n.uid = d->uid.set ? d->uid.v : 0;
    n.gid = d->gid.set ? d->gid.v : 0;
    if (dev_is_bind && wh_compile_is_below(n.path, "/dev"))
        return;
    add_node(c, &n);
}

static void add_links(struct wh_compile *c)
{
    for (size_t i = 0; i < WH_ELEMENTSOF(links); i++) {
        struct wh_step_symlink *s;

        /* What the configuration puts there itself stays; a mount point could not be replaced either. */
        if (listed(c, links[i].path) || mount_at(c, links[i].path))
            continue;
        s = WH_STEP(c, SYMLINK, symlink, 0);
        if (!s)
            return;
        s->root = WH_SLOT_ROOT;
        s->target = wh_build_str(c->b, links[i].target);
        s->path = wh_build_str(c->b, links[i].path);
        s->replace = links[i].replace;
    }
}

/* A window size; TIOCSWINSZ has 16 bits. */
static uint32_t cells(uint64_t n)
{
    return n > UINT16_MAX ? UINT16_MAX : (uint32_t)n;
}

void wh_compile_console(struct wh_compile *c)
{
    const struct wh_process *p = c->process;
    bool exec = c->req->verb == WH_VERB_EXEC;
    const struct wh_mount_spec *pts = mount_at(c, "/dev/pts");
    struct wh_step_console *s;

    if (!p || !p->terminal.set || !p->terminal.v)
        return;
    if (!c->req->console_socket && c->req->verb != WH_VERB_EXPLAIN) {
        wh_compile_err(c, -EINVAL, p->terminal.src,
                       "cannot allocate tty if runc will detach without setting console socket");
        return;
    }
    if (exec && !c->spec->linux_.ns[WH_NS_MOUNT].set) {
        wh_compile_err(c, -EINVAL, p->terminal.src, "a terminal is not supported without a mount namespace");
        return;
    }
    if (exec) {
        struct wh_step_root_open *open = WH_STEP(c, ROOT_OPEN, root_open, 0);

        if (!open)
            return;
        open->root = WH_SLOT_ROOT;
        open->mode = 1;
    }
    /* The terminal belongs to the container's own devpts: one of the host's would give it the others' terminals as well. What
     * a bind brings is checked when it is there. */
    if (!exec && !(pts && (is_bind(pts) || (pts->type.v && wh_streq(pts->type.v, "devpts")))) &&
        !is_bind(mount_at(c, "/dev"))) {
        wh_compile_err(c, -EINVAL, p->terminal.src, "a terminal needs a mount of type devpts on /dev/pts");
        return;
    }
    s = WH_STEP(c, CONSOLE, console, p->terminal.src);
    if (!s)
        return;
    wh_build_host_slot(c->b, WH_SLOT_CONSOLE);
    s->root = WH_SLOT_ROOT;
    s->socket = WH_SLOT_CONSOLE;
    s->node = !exec;
    s->uid = p->user.uid.v;
    s->nocrlf = c->req->own_tty;
    s->rows = p->console_size.set ? cells(p->console_size.height) : exec ? cells(c->req->exec->rows) : 0;
    s->cols = p->console_size.set ? cells(p->console_size.width) : exec ? cells(c->req->exec->cols) : 0;
    if (!exec && !c->born_last)
        WH_STEP(c, CTTY, ctty, p->terminal.src);
}

void wh_compile_devices(struct wh_compile *c)
{
    /* Somebody else's directory, the host's own more often than not: nothing is made there. */
    bool dev_is_bind = is_bind(mount_at(c, "/dev"));

    for (size_t i = 0; !dev_is_bind && i < WH_ELEMENTSOF(defaults); i++) {
        struct node n = { .path = defaults[i].path,
                          .mode = S_IFCHR | DEFAULT_MODE,
                          .major = defaults[i].major,
                          .minor = defaults[i].minor };

        if (!listed(c, n.path) && !mount_at(c, n.path))
            add_node(c, &n);
    }
    for (size_t i = 0; i < c->spec->linux_.devices.n; i++)
        add_listed(c, &c->spec->linux_.devices.v[i], dev_is_bind);
    if (!dev_is_bind)
        add_links(c);
    wh_compile_console(c);
}
