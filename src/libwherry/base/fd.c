/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void wh_close(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
}

void wh_closep(int *fd)
{
    wh_close(*fd);
    *fd = -1;
}

int wh_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };

    for (int tries = 0;; tries++) {
        long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);

        if (fd >= 0)
            return (int)fd;
        if (errno == EINTR || (errno == EAGAIN && tries < 32))
            continue;
        return -errno;
    }
}

ssize_t wh_read_fd(int fd, char *buf, size_t max)
{
    size_t len = 0;

    for (;;) {
        char spare;
        ssize_t n = len < max ? read(fd, buf + len, max - len) : read(fd, &spare, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        if (len == max)
            return -EFBIG;
        len += (size_t)n;
    }
    buf[len] = '\0';
    return (ssize_t)len;
}

ssize_t wh_read_at(int dirfd, const char *path, char *buf, size_t max)
{
    WH_CLEANUP_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? -errno : wh_read_fd(fd, buf, max);
}

int wh_write_at(int dirfd, const char *path, const char *text)
{
    WH_CLEANUP_FD int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    size_t len = strlen(text);
    ssize_t n;

    if (fd < 0)
        return -errno;
    do
        n = write(fd, text, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == len ? 0 : -EIO;
}

int wh_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int wh_replace_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
    WH_CLEANUP_FD int fd = -1;
    const char *base = strrchr(name, '/');
    int dirlen = base ? (int)(base + 1 - name) : 0, r;
    char tmp[4096];

    base = base ? base + 1 : name;
    if (snprintf(tmp, sizeof tmp, "%.*s.%s.%d~", dirlen, name, base, (int)getpid()) >= (int)sizeof tmp)
        return -ENAMETOOLONG;
    /* The name carries our pid; what stands there was left by a killed process of the same number. */
    unlinkat(dirfd, tmp, 0);
    fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    r = wh_write_all(fd, data, len);
    /* A private file is ours to read again, whatever the umask; one for others is made as any program makes files. */
    if (r == 0 && !(mode & 077) && fchmod(fd, mode) < 0)
        r = -errno;
    if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
        r = -errno;
    if (r < 0)
        unlinkat(dirfd, tmp, 0);
    return r;
}

static int remove_tree(int at, const char *name, dev_t dev, unsigned depth)
{
    struct dirent *de;
    struct stat st;
    DIR *dir;
    int fd, r = 0;

    if (depth > 64)
        return -ELOOP;
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    /* Another device below means a mount: removing through it would destroy what is not ours. */
    if (fstat(fd, &st) < 0 || st.st_dev != dev) {
        wh_close(fd);
        return -EXDEV;
    }
    dir = fdopendir(fd);
    if (!dir) {
        wh_close(fd);
        return -ENOMEM;
    }
    while (r == 0 && (errno = 0, de = readdir(dir))) {
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), de->d_name, 0) == 0 || errno == ENOENT)
            continue;
        r = errno == EISDIR || errno == EPERM ? remove_tree(dirfd(dir), de->d_name, dev, depth + 1) : -errno;
    }
    closedir(dir);
    if (r == 0 && unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}

int wh_remove_tree_at(int dirfd, const char *name)
{
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISDIR(st.st_mode))
        return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
    return remove_tree(dirfd, name, st.st_dev, 0);
}
