/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/mountfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/idmap.h"

void wh_mountfd_init(struct wh_mountfd *m)
{
    *m = (struct wh_mountfd){ .proc_fd = -1, .joined_userns = -1, .userns = -1 };
}

void wh_mountfd_done(struct wh_mountfd *m)
{
    wh_closep(&m->userns);
}

static int set_attr(int fd, bool recursive, const struct wh_mount_attr *a)
{
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

    return syscall(SYS_mount_setattr, fd, "", flags, a, sizeof *a) < 0 ? -errno : 0;
}

/* A user namespace with the maps of the step; it lives by its fd. */
static int userns(struct wh_mountfd *m, const struct wh_plan *plan, const struct wh_step_ask_mount *s,
                  struct wh_err *err)
{
    int fd;

    if (s->userns)
        return m->joined_userns >= 0 ? m->joined_userns : wh_err_sys(err, -EBADF, "find the joined user namespace");
    if (!s->uid_map || !s->gid_map)
        return wh_err_sys(err, -EINVAL, "find both id maps");
    /* Equal strings are one string in a plan. */
    if (m->userns >= 0 && m->uid_map == s->uid_map && m->gid_map == s->gid_map)
        return m->userns;
    fd = wh_idmap_userns(m->proc_fd, m->path, wh_plan_str(plan, s->uid_map), wh_plan_str(plan, s->gid_map),
                         m->cancel_fd, err);
    if (fd < 0)
        return fd;
    wh_closep(&m->userns);
    m->userns = fd;
    m->uid_map = s->uid_map;
    m->gid_map = s->gid_map;
    return fd;
}

static int map_ids(struct wh_mountfd *m, const struct wh_plan *plan, const struct wh_step_ask_mount *s, int fd,
                   struct wh_err *err)
{
    const char *source = wh_plan_str(plan, s->source), *why = "";
    struct wh_mount_attr a = { .attr_set = WH_MOUNT_ATTR_IDMAP };
    int ns = userns(m, plan, s, err), r;

    if (ns < 0)
        return ns;
    a.userns_fd = (unsigned long long)ns;
    r = set_attr(fd, s->idmap_recursive, &a);
    m->cannot_idmap = r == -EINVAL;
    /* The kernel has two errnos for all that can be wrong. */
    if (r == -EINVAL)
        why = s->idmap_recursive ? " (one of its file systems cannot be id-mapped on this kernel)"
                                 : " (its file system cannot be id-mapped on this kernel)";
    else if (r == -EPERM)
        why = " (it is id-mapped already, or its file system belongs to another user namespace than ours)";
    return r < 0 ? wh_err_sys(err, r, "id-map the mount of %s%s", source, why) : 0;
}

struct cloning {
    const char *source;
    unsigned flags;
};

static int clone_tree(void *arg)
{
    const struct cloning *c = arg;
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, c->source, c->flags);

    return fd < 0 ? -errno : fd;
}

int wh_mountfd_open(struct wh_mountfd *m, const struct wh_plan *plan, const struct wh_ask *ask, struct wh_err *err)
{
    const struct wh_step_ask_mount *s = (const struct wh_step_ask_mount *)ask->step;
    const char *source = wh_plan_str(plan, s->source);
    unsigned flags = WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC;
    struct wh_mount_attr a = { .propagation = s->propagation };
    WH_CLEANUP_FD int fd = -1;
    int r;

    m->cancel_fd = ask->cancel_fd;
    m->cannot_idmap = false;
    if (s->recursive)
        flags |= AT_RECURSIVE;
    if (s->nofollow)
        flags |= AT_SYMLINK_NOFOLLOW;
    fd = wh_apart(clone_tree, &(struct cloning){ source, flags }, sizeof(struct cloning), ask->cancel_fd);
    if (fd == -ECANCELED)
        return wh_err_set(err, WH_ERR_HOST, fd, NULL, "canceled");
    if (fd < 0)
        return wh_err_sys(err, fd, "open_tree %s", source);
    /* The clone of a shared mount is a peer of it: what the container mounts below would appear on the host. */
    if (s->propagation) {
        r = set_attr(fd, true, &a);
        if (r < 0)
            return wh_err_sys(err, r, "set the propagation of the clone of %s", source);
    }
    if (s->userns || s->uid_map || s->gid_map) {
        r = map_ids(m, plan, s, fd, err);
        if (r < 0)
            return r;
    }
    return wh_take_fd(&fd);
}
