/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/facts.h"
#include "host/proc.h"

#define NSFS_MAGIC 0x6e736673

static const struct {
    int type;
    const char *self, *words;
} kinds[WH_NS_MAX] = {
    [WH_NS_PID] = { CLONE_NEWPID, "self/ns/pid", "a pid namespace" },
    [WH_NS_NETWORK] = { CLONE_NEWNET, "self/ns/net", "a network namespace" },
    [WH_NS_MOUNT] = { CLONE_NEWNS, "self/ns/mnt", "a mount namespace" },
    [WH_NS_IPC] = { CLONE_NEWIPC, "self/ns/ipc", "an ipc namespace" },
    [WH_NS_UTS] = { CLONE_NEWUTS, "self/ns/uts", "a uts namespace" },
    [WH_NS_USER] = { CLONE_NEWUSER, "self/ns/user", "a user namespace" },
    [WH_NS_CGROUP] = { CLONE_NEWCGROUP, "self/ns/cgroup", "a cgroup namespace" },
    [WH_NS_TIME] = { CLONE_NEWTIME, "self/ns/time", "a time namespace" },
};

void wh_nsfds_init(struct wh_nsfds *n)
{
    for (int i = 0; i < WH_NS_MAX; i++) {
        n->fd[i] = -1;
        n->owner[i] = WH_NSO_UNKNOWN;
        n->own[i] = false;
    }
}

void wh_nsfds_done(struct wh_nsfds *n)
{
    for (int i = 0; i < WH_NS_MAX; i++)
        wh_closep(&n->fd[i]);
}

static int owner_of(const struct wh_nsfds *n, int proc_fd, int fd, int8_t *ret)
{
    WH_CLEANUP_FD int owner = ioctl(fd, NS_GET_USERNS);
    struct stat st, user;
    uint64_t own;

    /* EPERM: it is owned by a user namespace that is not ours and not below ours. */
    if (owner < 0 && errno != EPERM)
        return -errno;
    if (owner < 0) {
        *ret = WH_NSO_UNKNOWN;
        return 0;
    }
    if (fstat(owner, &st) < 0 || wh_proc_ns_ino(proc_fd, "self/ns/user", &own) < 0)
        return -errno;
    if (n->fd[WH_NS_USER] >= 0 && fstat(n->fd[WH_NS_USER], &user) == 0 && user.st_ino == st.st_ino &&
        user.st_dev == st.st_dev)
        *ret = WH_NSO_USER;
    else
        *ret = st.st_ino == own ? WH_NSO_HOST : WH_NSO_UNKNOWN;
    return 0;
}

int wh_nsfds_open(struct wh_nsfds *n, int proc_fd, enum wh_ns ns, const char *path, const char *place, int cancel_fd,
                  struct wh_err *err)
{
    WH_CLEANUP_FD int fd = -1;
    struct statfs sfs;
    struct stat st;
    uint64_t own;
    int r;

    /* procfs has no server that could be mute. */
    if (wh_startswith(path, "/proc/"))
        fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    else if ((fd = wh_apart_open(AT_FDCWD, path, O_RDONLY, 0, cancel_fd)) < 0)
        errno = -fd;
    if (fd < 0) {
        r = wh_err_sys(err, -errno, "open namespace %s", path);
        if (err && place)
            snprintf(err->path, sizeof err->path, "%s", place);
        return r;
    }
    if (fstat(fd, &st) < 0)
        return wh_err_sys(err, -errno, "stat namespace %s", path);
    /* The type is asked of the file itself: nothing but nsfs knows the ioctl, and other drivers may use its number. */
    if (fstatfs(fd, &sfs) < 0 || sfs.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != kinds[ns].type)
        return wh_err_set(err, WH_ERR_SPEC, -EINVAL, place, "%s is not %s", path, kinds[ns].words);
    r = wh_proc_ns_ino(proc_fd, kinds[ns].self, &own);
    n->own[ns] = r == 0 && own == st.st_ino;
    /* An engine may run us in a mount namespace of its own. */
    if (ns == WH_NS_MOUNT && wh_proc_ns_ino(proc_fd, "1/ns/mnt", &own) == 0)
        n->own[ns] |= own == st.st_ino;
    r = owner_of(n, proc_fd, fd, &n->owner[ns]);
    if (r < 0)
        return wh_err_sys(err, r, "ask for the owner of namespace %s", path);
    n->fd[ns] = wh_take_fd(&fd);
    return 0;
}

static int take(struct wh_nsfds *n, int *fd, uint32_t flags)
{
    struct statfs sfs;
    int type;

    if (fstatfs(*fd, &sfs) < 0 || sfs.f_type != NSFS_MAGIC)
        return -EPROTO;
    type = ioctl(*fd, NS_GET_NSTYPE);
    for (int i = 0; type > 0 && i < WH_NS_MAX; i++)
        if (kinds[i].type == type && flags & (uint32_t)type && n->fd[i] < 0) {
            n->fd[i] = wh_take_fd(fd);
            return 0;
        }
    return -EPROTO;
}

int wh_nsfds_take(struct wh_nsfds *n, int proc_fd, int *fds, unsigned nfds, uint32_t flags, uint32_t *ret_join,
                  uint32_t *ret_host)
{
    int r = 0;

    *ret_join = *ret_host = 0;
    for (unsigned i = 0; i < nfds && r == 0; i++)
        r = take(n, &fds[i], flags);
    for (int i = 0; i < WH_NS_MAX && r == 0; i++) {
        struct stat st;
        uint64_t own;

        if (!(flags & (uint32_t)kinds[i].type))
            continue;
        /* One that is missing would leave whoever enters in our own. */
        if (n->fd[i] < 0)
            return -EPROTO;
        if (fstat(n->fd[i], &st) < 0)
            return -errno;
        r = wh_proc_ns_ino(proc_fd, kinds[i].self, &own);
        n->own[i] = r == 0 && own == st.st_ino;
        if (r < 0 || n->own[i])
            continue;
        *ret_join |= (uint32_t)kinds[i].type;
        r = i == WH_NS_USER ? 0 : owner_of(n, proc_fd, n->fd[i], &n->owner[i]);
        if (r == 0 && n->owner[i] == WH_NSO_HOST)
            *ret_host |= (uint32_t)kinds[i].type;
    }
    return r;
}
