/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever is not root of the host has at most a part of cgroup2: which one. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/facts.h"
#include "plan/compile.h"

/* Both: a directory that is ours does not make its interface files ours (cgroup-v2.rst, "Model of Delegation"). */
static bool may_fill(int mount_fd, const char *path, struct wh_arena *arena)
{
    const char *rel = path[1] ? path + 1 : ".";
    const char *procs = wh_arena_printf(arena, "%s/cgroup.procs", rel);

    return procs && faccessat(mount_fd, rel, W_OK | X_OK, AT_EACCESS) == 0 &&
           faccessat(mount_fd, procs, W_OK, AT_EACCESS) == 0;
}

static const char *parent_of(const char *path, struct wh_arena *arena)
{
    return wh_compile_clean_path(arena, path, "..");
}

/* The lowest cgroup on the way to `path` that is there; not `path` itself when it must be made. */
static const char *existing(int mount_fd, const char *path, struct wh_arena *arena)
{
    while (path && path[1] && faccessat(mount_fd, path + 1, F_OK, 0) < 0 && errno == ENOENT)
        path = parent_of(path, arena);
    return path;
}

static void read_controllers(int mount_fd, const char *path, struct wh_arena *arena, struct wh_facts *f)
{
    const char *file = wh_arena_printf(arena, "%s/cgroup.controllers", path[1] ? path + 1 : ".");
    char text[512];
    ssize_t n = file ? wh_read_at(mount_fd, file, text, sizeof text - 1) : -ENOMEM;

    f->cgroup2_controllers = n > 0 ? wh_arena_strndup(arena, text, strcspn(text, "\n")) : "";
}

void wh_facts_delegation(const char *cgroups_path, struct wh_arena *arena, struct wh_facts *f)
{
    WH_CLEANUP_FD int mount_fd = -1;
    const char *own, *found = NULL;

    f->feat &= ~WH_FEAT_CGROUP_WRITABLE;
    f->cgroup2_delegated = NULL;
    if (!f->cgroup2_mount)
        return;
    mount_fd = openat(AT_FDCWD, f->cgroup2_mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (mount_fd < 0)
        return;
    if (cgroups_path && *cgroups_path) {
        const char *path = wh_compile_clean_path(arena, "", cgroups_path);

        found = path ? existing(mount_fd, path, arena) : NULL;
        if (!found || !may_fill(mount_fd, found, arena))
            return;
        f->feat |= WH_FEAT_CGROUP_WRITABLE;
        /* The container's own, adopted: what its parent passes on is what counts. */
        if (path && wh_streq(found, path))
            found = parent_of(path, arena);
        if (found)
            read_controllers(mount_fd, found, arena, f);
        return;
    }
    /* A path that leads out of our cgroup namespace is none that we could walk. */
    own = f->cgroup2_own && !wh_startswith(f->cgroup2_own, "/..") ? wh_compile_clean_path(arena, "", f->cgroup2_own)
                                                                  : NULL;
    if (!own)
        return;
    /* Beside us, as for root, where that is ours too; else below us, where the kernel takes no limits of a domain controller
     * as long as we are in the parent. */
    found = parent_of(own, arena);
    if (!found || !may_fill(mount_fd, found, arena))
        found = may_fill(mount_fd, own, arena) ? own : NULL;
    if (!found)
        return;
    f->feat |= WH_FEAT_CGROUP_WRITABLE;
    f->cgroup2_delegated = found;
    read_controllers(mount_fd, found, arena, f);
}

/* "/user.slice/user-1000.slice/user@1000.service" of a path in it; null when it is in no user's systemd. */
static const char *user_manager(const char *own, struct wh_arena *arena)
{
    for (const char *p = own; (p = strstr(p, "/user@")) != NULL; p++) {
        size_t len = strcspn(p + 1, "/") + 1;

        if (len > strlen(".service") && strncmp(p + len - strlen(".service"), ".service", strlen(".service")) == 0)
            return wh_arena_strndup(arena, own, (size_t)(p - own) + len);
    }
    return NULL;
}

void wh_facts_systemd(struct wh_arena *arena, struct wh_facts *f)
{
    WH_CLEANUP_FD int mount_fd = -1;
    const char *own = f->cgroup2_own ? f->cgroup2_own : "/", *user = user_manager(own, arena);

    f->systemd_root = NULL;
    /* Root of a user namespace is a user of the host, or has a systemd of its own in there. */
    f->systemd_user = f->euid != 0 || (f->in_userns && user);
    if (!f->cgroup2_mount)
        return;
    if (!f->systemd_user) {
        /* sd_booted(3) */
        if (faccessat(AT_FDCWD, "/run/systemd/system", F_OK, AT_EACCESS) == 0)
            f->systemd_root = "/";
        return;
    }
    /* In a session, which is beside it. */
    if (!user)
        user =
            wh_arena_printf(arena, "/user.slice/user-%u.slice/user@%u.service", (unsigned)f->euid, (unsigned)f->euid);
    mount_fd = openat(AT_FDCWD, f->cgroup2_mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (mount_fd < 0 || !user || faccessat(mount_fd, user + 1, F_OK, 0) < 0)
        return;
    f->systemd_root = user;
    f->feat |= WH_FEAT_CGROUP_WRITABLE;
    f->cgroup2_delegated = user;
    read_controllers(mount_fd, user, arena, f);
}
