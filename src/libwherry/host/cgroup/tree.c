/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories of any cgroup hierarchy: finding, making, listing and removing them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"

/* Marks a parent that we made: two containers may share it, and the one that made it may go first. */
#define MADE_MARK "user.wherry.made"

int64_t wh_cg_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int wh_cg_left(int64_t deadline)
{
    int64_t left = deadline - wh_cg_now();

    return left < 0 ? 0 : (int)left;
}

unsigned wh_cg_depth(const char *path)
{
    unsigned n = 0;

    for (const char *p = path; *p; p++)
        n += *p == '/' && p[1] != '\0';
    return n;
}

size_t wh_cg_prefix(const char *path, unsigned n)
{
    const char *p = path + 1;

    for (; *p; p++)
        if (*p == '/' && --n == 0)
            break;
    return (size_t)(p - path - 1);
}

bool wh_cg_path_ok(const char *path)
{
    const char *p = path;

    /* The kernel refuses a newline in a cgroup's name, and the saved text has one entry a line. */
    if (p[0] != '/' || strlen(path) >= 4096 || strchr(path, '\n'))
        return false;
    if (p[1] == '\0')
        return true;
    while (*p == '/') {
        size_t len = strcspn(++p, "/");

        if (len == 0 || len > 255 || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += len;
    }
    return true;
}

int wh_cg_open_mount(struct wh_cgroup_dir *dir)
{
    struct statfs fs;

    if (dir->mount_fd >= 0)
        return 0;

    WH_CLEANUP_FD int fd = openat(AT_FDCWD, dir->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &fs) < 0)
        return -errno;
    if (fs.f_type != (dir->controller ? CGROUP_SUPER_MAGIC : CGROUP2_SUPER_MAGIC))
        return -ENODEV;
    dir->mount_fd = wh_take_fd(&fd);
    return 0;
}

int wh_cg_open_dir(struct wh_cgroup_dir *dir, uint64_t *ret_id)
{
    const char *rel = dir->path[1] ? dir->path + 1 : ".";
    WH_CLEANUP_FD int fd = wh_openat2(dir->mount_fd, rel, O_RDONLY | O_DIRECTORY, 0,
                                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    wh_closep(&dir->fd);
    dir->fd = wh_take_fd(&fd);
    *ret_id = st.st_ino;
    return 0;
}

int wh_cg_look(struct wh_cgroup_dir *dir, struct wh_err *err)
{
    char rel[4096];
    int r = wh_cg_open_mount(dir);

    if (r < 0)
        return wh_err_sys(err, r, "open the cgroup mount %s", dir->mount);
    r = wh_cg_open_dir(dir, &dir->id);
    dir->made = 1;
    if (r != -ENOENT)
        return r < 0 ? wh_err_sys(err, r, "open cgroup %s%s", dir->mount, dir->path) : 0;

    for (unsigned n = wh_cg_depth(dir->path) - 1; n > 0; n--, dir->made++) {
        struct stat st;

        snprintf(rel, sizeof rel, "%.*s", (int)wh_cg_prefix(dir->path, n), dir->path + 1);
        if (fstatat(dir->mount_fd, rel, &st, AT_SYMLINK_NOFOLLOW) == 0)
            break;
        if (errno != ENOENT)
            return wh_err_sys(err, -errno, "look for cgroup %s/%s", dir->mount, rel);
    }
    return 0;
}

static int cannot_make(const struct wh_cgroup_dir *dir, const char *rel, int r, struct wh_err *err)
{
    if ((r == -EACCES || r == -EPERM) && geteuid() != 0)
        return wh_err_set(
            err, WH_ERR_HOST, r, NULL,
            "make cgroup %s/%s: permission denied (it is not delegated to this user: leave out what needs "
            "it, or have it made and chowned)",
            dir->mount, rel);
    return wh_err_sys(err, r, "make cgroup %s/%s", dir->mount, rel);
}

/* Makes the parents that are missing. `made` counts from the first one that is ours. */
static int make_parents(struct wh_cgroup_dir *dir, struct wh_err *err)
{
    unsigned depth = wh_cg_depth(dir->path);
    char rel[4096];

    for (unsigned n = 1; n < depth; n++) {
        snprintf(rel, sizeof rel, "%.*s", (int)wh_cg_prefix(dir->path, n), dir->path + 1);
        if (mkdirat(dir->mount_fd, rel, 0755) < 0) {
            if (errno == EEXIST)
                continue;
            if (errno == ENOENT)
                return 0; /* its own parent has just been removed by another delete: the caller tries again */
            return cannot_make(dir, rel, -errno, err);
        }
        if (dir->made < depth - n + 1)
            dir->made = depth - n + 1;

        WH_CLEANUP_FD int fd = openat(dir->mount_fd, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        /* Without the mark (old v1 hierarchies take none) a shared parent may stay behind: untidy, and no more. */
        if (fd >= 0)
            (void)fsetxattr(fd, MADE_MARK, "1", 1, 0);
    }
    return 0;
}

int wh_cg_make_dir(struct wh_cgroup_dir *dir, struct wh_err *err)
{
    struct stat st;
    int r;

    if (dir->fd >= 0)
        return 0;
    dir->made = 1;
    /* A sibling's delete may remove an empty parent between our two calls, so this is tried again; not for ever. */
    for (int tries = 0; mkdirat(dir->mount_fd, dir->path + 1, 0755) < 0; tries++) {
        if (errno != ENOENT || tries == 64) {
            r = errno == EEXIST ? -EBUSY : -errno;
            return cannot_make(dir, dir->path + 1, r, err);
        }
        r = make_parents(dir, err);
        if (r < 0)
            return r;
    }
    dir->fresh = true;
    r = wh_cg_open_dir(dir, &dir->id);
    if (r < 0) {
        (void)unlinkat(dir->mount_fd, dir->path + 1, AT_REMOVEDIR);
        return wh_err_sys(err, r, "open cgroup %s%s", dir->mount, dir->path);
    }
    /* The caller's umask is none of the container's business, whose users read these files. */
    if (fstat(dir->fd, &st) == 0 && (st.st_mode & 0777) != 0755)
        (void)fchmod(dir->fd, 0755);
    return 0;
}

int wh_cg_event(int dirfd, const char *key)
{
    char buf[256];
    size_t len = strlen(key);
    ssize_t n = wh_read_at(dirfd, "cgroup.events", buf, sizeof buf - 1);

    if (n < 0)
        return (int)n;
    for (const char *line = buf; *line;) {
        const char *end = strchrnul(line, '\n');

        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return line[len + 1] == '1';
        line = *end ? end + 1 : end;
    }
    return -ENODATA;
}

int wh_cg_wait_event(int dirfd, const char *key, int value, int64_t deadline)
{
    WH_CLEANUP_FD int fd = openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == ENODEV ? 0 : -errno;
    for (;;) {
        char buf[256], *at;
        ssize_t n = pread(fd, buf, sizeof buf - 1, 0);

        if (n < 0)
            return errno == ENODEV ? 0 : -errno;
        buf[n] = '\0';
        at = strstr(buf, key);
        if (at && at[strlen(key)] == ' ' && (at[strlen(key) + 1] == '1') == value)
            return 0;

        int left = wh_cg_left(deadline);
        if (left == 0)
            return -ETIMEDOUT;
        /* The kernel notifies through kernfs, which rate-limits cgroup.events to one in 10 ms; a look now and then
         * costs nothing and needs no trust in it. */
        struct pollfd p = { .fd = fd, .events = POLLPRI };
        if (poll(&p, 1, left < 100 ? left : 100) < 0 && errno != EINTR)
            return -errno;
    }
}

static int add_pids(int dirfd, const char *file, struct wh_pids *pids)
{
    WH_CLEANUP_FD int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC);
    char buf[4096];
    uint64_t pid = 0;
    bool digits = false;

    if (fd < 0)
        return errno == ENOENT || errno == ENODEV ? 0 : -errno;
    for (;;) {
        ssize_t n = read(fd, buf, sizeof buf);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == ENODEV ? 0 : -errno;
        if (n == 0)
            return 0;
        for (ssize_t i = 0; i < n; i++) {
            if (buf[i] >= '0' && buf[i] <= '9') {
                pid = pid * 10 + (uint64_t)(buf[i] - '0');
                digits = true;
                if (pid > INT32_MAX)
                    return -EPROTO;
                continue;
            }
            /* 0 is a process that our pid namespace does not see. */
            if (digits && pid > 0) {
                if (pids->n == pids->cap) {
                    size_t cap = pids->cap ? pids->cap * 2 : 64;
                    pid_t *v = reallocarray(pids->v, cap, sizeof *v);

                    if (!v)
                        return -ENOMEM;
                    pids->v = v;
                    pids->cap = cap;
                }
                pids->v[pids->n++] = (pid_t)pid;
            }
            pid = 0;
            digits = false;
        }
    }
}

static DIR *dir_stream(int dirfd)
{
    /* A new description: the caller's keeps its position. */
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !d)
        wh_close(fd);
    return d;
}

static void close_streamp(DIR **d)
{
    if (*d)
        closedir(*d);
}
#define CLEANUP_DIR __attribute__((cleanup(close_streamp)))

static bool is_subdir(const struct dirent *e)
{
    return e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

/* Directories that are still to be looked into: names, each with its end, and an empty one. */
struct level {
    char *names, *next;
};

static int list_below(int dirfd, struct level *ret)
{
    CLEANUP_DIR DIR *d = dir_stream(dirfd);
    WH_CLEANUP_BUF struct wh_buf names = { 0 };

    if (!d)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *e; (errno = 0, e = readdir(d)) != NULL;)
        if (is_subdir(e))
            wh_buf_add(&names, e->d_name, strlen(e->d_name) + 1);
    if (errno && errno != ENOENT && errno != ENODEV)
        return -errno;
    wh_buf_add(&names, "", 1);
    if (names.failed)
        return -ENOMEM;
    ret->names = ret->next = names.data;
    names = (struct wh_buf){ 0 };
    return 0;
}

/* All below *at, which is closed. One descriptor and a list of names whatever the depth: a payload may nest as deep as it likes. */
static int collect(int *at, struct wh_pids *pids, struct level **levels, size_t *n)
{
    for (size_t cap = 0;;) {
        int sub = -1, r = add_pids(*at, "cgroup.procs", pids);

        if (pids->thaw)
            (void)wh_write_at(*at, "freezer.state", "THAWED");
        /* A threaded cgroup has no processes of its own: they are counted at its domain. */
        if (r < 0 && r != -EOPNOTSUPP)
            return r;
        if (*n == cap) {
            struct level *v = reallocarray(*levels, cap = cap ? cap * 2 : 16, sizeof *v);

            if (!v)
                return -ENOMEM;
            *levels = v;
        }
        (*levels)[*n] = (struct level){ 0 };
        r = list_below(*at, &(*levels)[*n]);
        if (r < 0)
            return r;
        ++*n;
        while (sub < 0) {
            struct level *l = &(*levels)[*n - 1];

            if (l->next && *l->next) {
                sub = openat(*at, l->next, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (sub < 0 && errno != ENOENT)
                    return -errno;
                l->next += strlen(l->next) + 1;
                continue;
            }
            free(l->names);
            if (--*n == 0)
                return 0;
            /* Also of a directory that has been removed meanwhile. */
            sub = openat(*at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (sub < 0)
                return -errno;
            wh_close(*at);
            *at = wh_take_fd(&sub);
        }
        wh_close(*at);
        *at = sub;
    }
}

int wh_cg_collect(int dirfd, struct wh_pids *pids)
{
    WH_CLEANUP_FD int at = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct level *levels = NULL;
    size_t n = 0;
    int r;

    if (at < 0)
        return errno == ENOENT || errno == ENODEV ? 0 : -errno;
    r = collect(&at, pids, &levels, &n);
    while (n > 0)
        free(levels[--n].names);
    free(levels);
    return r;
}

static int pid_order(const void *a, const void *b)
{
    const pid_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* How many processes are held by pidfds at a time. */
#define SIGNAL_BATCH 64

int wh_cg_signal_all(int dirfd, int sig, size_t *ret_n)
{
    struct wh_pids pids = { 0 };
    int r = wh_cg_collect(dirfd, &pids);

    *ret_n = pids.n;
    for (size_t at = 0; r == 0 && at < pids.n; at += SIGNAL_BATCH) {
        size_t n = pids.n - at < SIGNAL_BATCH ? pids.n - at : SIGNAL_BATCH;
        int fd[SIGNAL_BATCH], open_error = 0;
        struct wh_pids now = { 0 };

        for (size_t i = 0; i < n; i++) {
            fd[i] = (int)syscall(SYS_pidfd_open, pids.v[at + i], 0);
            if (fd[i] < 0 && errno != ESRCH)
                open_error = -errno;
        }
        /* Read again: a number that is still here belongs to a process of this cgroup, so what is held by it is that process, or one that
         * has ended. One that is not here any more may be anybody's by now. */
        r = wh_cg_collect(dirfd, &now);
        if (now.n > 1)
            qsort(now.v, now.n, sizeof *now.v, pid_order);
        for (size_t i = 0; i < n; i++) {
            if (r == 0 && fd[i] >= 0 && now.n && bsearch(&pids.v[at + i], now.v, now.n, sizeof *now.v, pid_order) &&
                syscall(SYS_pidfd_send_signal, fd[i], sig, NULL, 0) < 0 && errno != ESRCH)
                open_error = -errno;
            wh_close(fd[i]);
        }
        free(now.v);
        r = r < 0 ? r : open_error;
    }
    free(pids.v);
    return r;
}

/* Removes the subdirectories that can be; *ret_child: one that has children of its own, opened, or -1. Returns 1 when
 * one is left that was already emptied (`emptied`: the inode) and still cannot be removed. */
static int sweep(int dirfd, uint64_t emptied, int *ret_child)
{
    CLEANUP_DIR DIR *d = dir_stream(dirfd);

    *ret_child = -1;
    if (!d)
        return -errno;
    for (struct dirent *e; (errno = 0, e = readdir(d)) != NULL;) {
        if (!is_subdir(e) || unlinkat(dirfd, e->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            continue;
        if (errno != EBUSY && errno != ENOTEMPTY)
            return -errno;
        if (e->d_ino == emptied)
            return 1;
        *ret_child = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (*ret_child >= 0)
            return 0;
        if (errno != ENOENT)
            return -errno;
    }
    return errno == ENOENT || errno == ENODEV ? 0 : -errno;
}

int wh_cg_remove_below(int dirfd, int64_t deadline)
{
    WH_CLEANUP_FD int at = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat top, st;
    uint64_t emptied = 0;

    if (at < 0 || fstat(at, &top) < 0)
        return -errno;
    /* Down into the first one that cannot be removed, and up when nothing is left below: two fds whatever the depth. */
    for (;;) {
        int child, r = sweep(at, emptied, &child);

        if (r < 0)
            return r;
        if (r == 1)
            return -EBUSY;
        if (child < 0) {
            if (fstat(at, &st) < 0)
                return -errno;
            if (st.st_ino == top.st_ino)
                return 0;
            emptied = st.st_ino;
            child = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (child < 0)
                return -errno;
        }
        wh_close(at);
        at = child;
        if (wh_cg_left(deadline) == 0)
            return -ETIMEDOUT;
    }
}

void wh_cg_remove_parents(const struct wh_cgroup_dir *dir)
{
    unsigned depth = wh_cg_depth(dir->path);
    char rel[4096];

    for (unsigned n = depth - 1; n > 0; n--) {
        snprintf(rel, sizeof rel, "%.*s", (int)wh_cg_prefix(dir->path, n), dir->path + 1);
        if (depth - n >= dir->made) {
            WH_CLEANUP_FD int fd = openat(dir->mount_fd, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
            char mark[4];

            if (fd < 0 || fgetxattr(fd, MADE_MARK, mark, sizeof mark) < 1)
                return;
        }
        /* Only an empty cgroup can be removed, so a sibling's is safe. */
        if (unlinkat(dir->mount_fd, rel, AT_REMOVEDIR) < 0 && errno != ENOENT)
            return;
    }
}
