/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_FUZZ_FAKE_FILES_H
#define WH_FUZZ_FAKE_FILES_H

/*
 * A kernel for the host floor, whose files are what is fuzzed: included before the sources under test, which a target includes as C files, it
 * puts itself in the place of the system calls that they make. Nothing leaves the process, so a target runs some ten thousand times a second.
 *
 * Each file that is opened gets the next part of the input (fake_file()), whatever its name. A path that may be named is the target's to judge
 * (fake_path()); a descriptor that stays open is a leak, and so is one that is closed twice.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define FAKE_FD 1000
#define FAKE_FDS 64

struct fake_open {
    bool used, dir, v1; /* v1: there is a 1 in its path, which a target can give to what is to be a v1 hierarchy */
    const uint8_t *data;
    size_t len, at;
};

static struct {
    struct fake_open fd[FAKE_FDS];
    unsigned int open, opened, writes;
    int64_t now_ms;
    struct dirent entry;
} fake;

/* Of the target: what the file of that path holds; false: there is none. */
static bool fake_file(int dirfd, const char *path, const uint8_t **ret, size_t *ret_len);
/* Of the target: a path that is opened for writing, made or removed. Aborts when no such path may be named. */
static void fake_path(int dirfd, const char *path);

__attribute__((unused)) static int fake_new(const uint8_t *data, size_t len, bool dir)
{
    for (int i = 0; i < FAKE_FDS; i++)
        if (!fake.fd[i].used) {
            fake.fd[i] = (struct fake_open){ .used = true, .dir = dir, .data = data, .len = len };
            fake.open++;
            fake.opened++;
            return FAKE_FD + i;
        }
    errno = EMFILE;
    return -1;
}

/* Null, and EBADF, for what is not open. */
static struct fake_open *fake_at(int fd)
{
    if (fd >= FAKE_FD && fd < FAKE_FD + FAKE_FDS && fake.fd[fd - FAKE_FD].used)
        return &fake.fd[fd - FAKE_FD];
    errno = EBADF;
    return NULL;
}

__attribute__((unused)) static void fake_reset(void)
{
    fake.open = fake.opened = fake.writes = 0;
    fake.now_ms = 1000;
    for (int i = 0; i < FAKE_FDS; i++)
        fake.fd[i].used = false;
}

__attribute__((unused)) static int fake_openat(int dirfd, const char *path, int flags, ...)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    bool dir;
    int fd;

    dir = strcmp(path, ".") == 0 || strcmp(path, "..") == 0 || (flags & O_DIRECTORY);
    if (!path[0]) {
        errno = ENOENT;
        return -1;
    }
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT)) {
        if (dir) {
            errno = EISDIR;
            return -1;
        }
        fake_path(dirfd, path);
        return fake_new(NULL, 0, false);
    }
    if (!fake_file(dirfd, path, &data, &len)) {
        errno = ENOENT;
        return -1;
    }
    fd = fake_new(data, len, dir);
    if (fd >= 0)
        fake.fd[fd - FAKE_FD].v1 = strchr(path, '1') != NULL;
    return fd;
}

__attribute__((unused)) static int fake_close(int fd)
{
    struct fake_open *f = fake_at(fd);

    must(f);
    f->used = false;
    fake.open--;
    return 0;
}

__attribute__((unused)) static ssize_t fake_pread(int fd, void *buf, size_t n, off_t at)
{
    const struct fake_open *f = fake_at(fd);
    size_t left;

    if (!f)
        return -1;
    left = (size_t)at < f->len ? f->len - (size_t)at : 0;
    n = n < left ? n : left;
    if (n)
        memcpy(buf, f->data + at, n);
    return (ssize_t)n;
}

__attribute__((unused)) static ssize_t fake_read(int fd, void *buf, size_t n)
{
    struct fake_open *f = fake_at(fd);
    ssize_t r = -1;

    if (f && f->dir) {
        errno = EISDIR;
        return -1;
    }
    r = f ? fake_pread(fd, buf, n, (off_t)f->at) : -1;

    if (r > 0)
        f->at += (size_t)r;
    return r;
}

__attribute__((unused)) static ssize_t fake_write(int fd, const void *data, size_t n)
{
    (void)data;
    fake.writes++;
    return fake_at(fd) ? (ssize_t)n : -1;
}

/* Regular files as long as their text, of one device; a directory where one was opened. */
__attribute__((unused)) static int fake_fstat(int fd, struct stat *st)
{
    const struct fake_open *f = fake_at(fd);

    if (!f)
        return -1;
    memset(st, 0, sizeof *st);
    st->st_mode = (f->dir ? (mode_t)S_IFDIR : (mode_t)S_IFREG) | 0600;
    st->st_size = (off_t)f->len;
    st->st_nlink = 1;
    st->st_ino = 7;
    return 0;
}

__attribute__((unused)) static int fake_fstatfs(int fd, struct statfs *fs)
{
    const struct fake_open *f = fake_at(fd);

    memset(fs, 0, sizeof *fs);
    if (f)
        fs->f_type = !f->dir ? NSFS_MAGIC : f->v1 ? CGROUP_SUPER_MAGIC : CGROUP2_SUPER_MAGIC;
    return f ? 0 : -1;
}

__attribute__((unused)) static int fake_path_call(int dirfd, const char *path)
{
    fake_path(dirfd, path);
    return 0;
}

__attribute__((unused)) static FILE *fake_fdopen(int fd)
{
    struct fake_open *f = fake_at(fd);
    /* The stream owns the descriptor, which is of no use without it. */
    FILE *s = f && f->len ? fmemopen((void *)(uintptr_t)f->data, f->len, "r") : NULL;

    if (s)
        fake_close(fd);
    return s;
}

/* The names of a directory are the lines of its text. The stream is the descriptor. */
__attribute__((unused)) static DIR *fake_fdopendir(int fd)
{
    return fake_at(fd) ? (DIR *)(uintptr_t)fd : NULL;
}
__attribute__((unused)) static struct dirent *fake_readdir(DIR *d)
{
    struct fake_open *f = fake_at((int)(uintptr_t)d);
    size_t n = 0;

    must(f);
    memset(&fake.entry, 0, sizeof fake.entry);
    while (f->at < f->len && f->data[f->at] != '\n' && f->data[f->at] && n < NAME_MAX)
        fake.entry.d_name[n++] = (char)f->data[f->at++];
    f->at++;
    fake.entry.d_type = DT_REG;
    return n ? &fake.entry : NULL;
}
__attribute__((unused)) static int fake_closedir(DIR *d)
{
    return fake_close((int)(uintptr_t)d);
}

/* Time passes by being asked for: whatever waits for it to end, ends. */
__attribute__((unused)) static int fake_clock_gettime(clockid_t clock, struct timespec *ts)
{
    (void)clock;
    fake.now_ms += 500;
    *ts = (struct timespec){ .tv_sec = fake.now_ms / 1000, .tv_nsec = fake.now_ms % 1000 * 1000000 };
    return 0;
}

/* Nothing is ever ready; it takes as long as it is waited for. */
__attribute__((unused)) static int fake_poll(struct pollfd *p, nfds_t n, int ms)
{
    (void)p, (void)n;
    must(ms >= 0);
    fake.now_ms += ms;
    return 0;
}

__attribute__((unused)) static int fake_fails(int error, ...)
{
    errno = error;
    return -1;
}
__attribute__((unused)) static int fake_succeeds(int fd, ...)
{
    (void)fd;
    return 0;
}

/* No other system call but openat2, which must not be able to leave where it starts. */
__attribute__((unused)) static long fake_syscall(long nr, ...)
{
    const struct open_how *how;
    const char *path;
    long r = -1;
    va_list ap;
    int dir;

    if (nr != SYS_openat2) {
        errno = ENOSYS;
        return -1;
    }
    va_start(ap, nr);
    dir = va_arg(ap, int);
    path = va_arg(ap, const char *);
    how = va_arg(ap, const struct open_how *);
    must(how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT));
    r = fake_openat(dir, path, (int)how->flags);
    va_end(ap);
    return r;
}

#define openat(...) fake_openat(__VA_ARGS__)
#define close(fd) fake_close(fd)
#define read(fd, buf, n) fake_read(fd, buf, n)
#define pread(fd, buf, n, at) fake_pread(fd, buf, n, at)
#define write(fd, data, n) fake_write(fd, data, n)
#define fstat(fd, st) fake_fstat(fd, st)
#define fstatat(...) fake_fails(ENOENT, __VA_ARGS__)
#define fstatfs(fd, fs) fake_fstatfs(fd, fs)
#define faccessat(...) fake_fails(ENOENT, __VA_ARGS__)
#define readlinkat(...) fake_fails(ENOENT, __VA_ARGS__)
#define unlinkat(fd, path, flags) fake_path_call(fd, path)
#define mkdirat(fd, path, mode) fake_path_call(fd, path)
#define renameat(fd, from, to_fd, to) fake_path_call(to_fd, to)
#define fchmod(...) fake_succeeds(__VA_ARGS__)
#define flock(...) fake_succeeds(__VA_ARGS__)
#define fsetxattr(...) fake_fails(EOPNOTSUPP, __VA_ARGS__)
#define fgetxattr(...) fake_fails(EOPNOTSUPP, __VA_ARGS__)
#define umount2(...) fake_fails(EINVAL, __VA_ARGS__)
#define ioctl(...) fake_fails(ENOTTY, __VA_ARGS__)
#define fdopen(fd, mode) fake_fdopen(fd)
#define fdopendir(fd) fake_fdopendir(fd)
#define readdir(d) fake_readdir(d)
#define closedir(d) fake_closedir(d)
#define dirfd(d) ((int)(uintptr_t)(d))
#define clock_gettime(clock, ts) fake_clock_gettime(clock, ts)
#define poll(p, n, ms) fake_poll(p, n, ms)
#define syscall(...) fake_syscall(__VA_ARGS__)

#endif
