/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/devnode.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/apart.h"

/* 340 lines of three numbers. */
#define MAP_MAX 16384

/* What an id of the map's user namespace is in ours: 0 where it is none, as root of the host owns what is bound. */
static uint32_t host_id(const char *map, uint32_t id)
{
    for (const char *line = map; line && *line; line = strchr(line, '\n')) {
        uint64_t v[3] = { 0 };

        for (size_t i = 0; i < WH_ELEMENTSOF(v); i++) {
            line += strspn(line, " \n");
            if (wh_parse_u64_front(line, UINT32_MAX, &v[i]) < 0)
                return 0;
            line += strspn(line, "0123456789");
        }
        if (id >= v[0] && id - v[0] < v[2])
            return (uint32_t)(v[1] + (id - v[0]));
    }
    return 0;
}

static int map_id(int proc_fd, pid_t pid, const char *file, uint32_t id, uint32_t *ret, struct wh_err *err)
{
    WH_UNINITIALIZED char map[MAP_MAX + 1];
    char path[32];
    ssize_t n;

    snprintf(path, sizeof path, "%d/%s", (int)pid, file);
    n = wh_read_at(proc_fd, path, map, MAP_MAX);
    if (n < 0)
        return wh_err_sys(err, (int)n, "read /proc/%s", path);
    *ret = host_id(map, id);
    return 0;
}

struct making {
    const struct wh_plan *plan;
    const struct wh_step_ask_device *step;
    uint32_t uid, gid;
    const char *call; /* that failed */
};

static long configure(int fs, const struct making *m)
{
    const struct wh_vec *params = &m->step->params;
    const wh_off *v = wh_plan_at(m->plan, params->off);
    long r = 0;

    for (uint32_t k = 0; r >= 0 && k < params->n; k += 2)
        r = syscall(SYS_fsconfig, fs, WH_FSCONFIG_SET_STRING, wh_plan_str(m->plan, v[k]),
                    wh_plan_str(m->plan, v[k + 1]), 0);
    return r < 0 ? r : syscall(SYS_fsconfig, fs, WH_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

/* In a mount namespace of our own: only what is mounted in the caller's can be cloned, before Linux 6.15. The umask
 * is ours since then, too. */
static int clone_node(struct making *m, int mnt)
{
    const struct wh_step_ask_device *s = m->step;
    const struct wh_mount_attr private = { .propagation = WH_MS_PRIVATE };
    long fd;

    m->call = "unshare";
    if (syscall(SYS_unshare, CLONE_NEWNS) < 0)
        return -errno;
    /* Else it would be mounted on the host as well. */
    m->call = "mount_setattr";
    if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof private) < 0)
        return -errno;
    m->call = "move_mount";
    if (syscall(SYS_move_mount, mnt, "", AT_FDCWD, "/", WH_MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    syscall(SYS_umask, 0);
    m->call = "mknod";
    if (syscall(SYS_mknodat, mnt, "node", s->mode, (unsigned)makedev(s->major, s->minor)) < 0)
        return -errno;
    m->call = "chown";
    if (syscall(SYS_fchownat, mnt, "node", m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    m->call = "open_tree";
    fd = syscall(SYS_open_tree, mnt, "node", WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    return fd < 0 ? -errno : (int)fd;
}

static int make(void *arg)
{
    struct making *m = arg;
    long fs, mnt = -1;
    int r;

    m->call = "fsopen";
    fs = syscall(SYS_fsopen, "tmpfs", WH_FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    m->call = "fsconfig";
    if (configure((int)fs, m) >= 0) {
        m->call = "fsmount";
        mnt = syscall(SYS_fsmount, fs, WH_FSMOUNT_CLOEXEC, WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NOEXEC);
    }
    r = mnt < 0 ? -errno : clone_node(m, (int)mnt);
    if (mnt >= 0)
        syscall(SYS_close, mnt);
    syscall(SYS_close, fs);
    return r;
}

int wh_devnode_make(int proc_fd, const struct wh_plan *plan, const struct wh_ask *ask, struct wh_err *err)
{
    struct making m = { .plan = plan, .step = (const struct wh_step_ask_device *)ask->step };
    const char *path = wh_plan_str(plan, m.step->path);
    int fd, r;

    r = map_id(proc_fd, ask->pid, "uid_map", m.step->uid, &m.uid, err);
    if (r >= 0)
        r = map_id(proc_fd, ask->pid, "gid_map", m.step->gid, &m.gid, err);
    if (r < 0)
        return r;
    fd = wh_apart(make, &m, sizeof m, ask->cancel_fd);
    if (fd == -ECANCELED)
        return wh_err_set(err, WH_ERR_HOST, fd, NULL, "canceled");
    return fd < 0 ? wh_err_sys(err, fd, "make the device node %s: %s", path, m.call) : fd;
}
