/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_BASE_FD_H
#define WH_BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * File descriptors have one owner. -1 is empty; ownership moves only by wh_take_fd(). Every path-taking call of the
 * host goes through here, relative to a directory fd; all fds are O_CLOEXEC.
 */
void wh_close(int fd); /* -1 is fine; keeps errno */
void wh_closep(int *fd);
#define WH_CLEANUP_FD __attribute__((cleanup(wh_closep)))

static inline int wh_take_fd(int *fd)
{
    int r = *fd;

    *fd = -1;
    return r;
}

/* openat2(2). resolve: RESOLVE_* flags. fd or -errno. O_CLOEXEC is added. Retries EAGAIN a bounded number of times
 * (RESOLVE_IN_ROOT races with renames, openat2(2)). */
int wh_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/* Reads at most max bytes from an open file or one below dirfd into buf (NUL added: buf has max+1 bytes).
 * Length or -errno; -EFBIG when there is more. */
ssize_t wh_read_fd(int fd, char *buf, size_t max);
ssize_t wh_read_at(int dirfd, const char *path, char *buf, size_t max);

/* One write(2) of the whole text, as control files of the kernel want it. 0 or -errno (-EIO if short). */
int wh_write_at(int dirfd, const char *path, const char *text);
/* Writes everything, over several calls if need be. */
int wh_write_all(int fd, const void *data, size_t len);

/*
 * Makes or replaces dirfd/name with mode, less the umask where others may have the file too: O_TMPFILE-less temp
 * file in the same directory, rename. The file is complete or absent; a symlink at `name` is replaced, not followed.
 * 0 or -errno.
 */
int wh_replace_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode);

/* Removes dirfd/name and all below it, never following symlinks or crossing mounts; a missing name is success. */
int wh_remove_tree_at(int dirfd, const char *name);

#endif
