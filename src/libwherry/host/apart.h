/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_APART_H
#define WH_HOST_APART_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * System calls on files that the caller or the configuration names. Their file system may be FUSE or NFS, and a server that does not answer holds
 * the calling thread until SIGKILL: so they are made by a process beside this one, which shares its memory and fds and can be killed alone.
 * Each gives -ETIMEDOUT after wh_waits.file, and -ECANCELED when cancel_fd (-1 = none) became readable.
 */

/* Runs fn, which makes system calls only: no allocation, no locks. It gets a copy of *arg, which is copied back. Its result, which is 0 or more,
 * or -errno. */
int wh_apart(int (*fn)(void *arg), void *arg, size_t arg_size, int cancel_fd);

/* openat(2) with O_CLOEXEC, O_NOCTTY and O_NONBLOCK. With O_PATH, what the kernel has in its cache is opened without such a process. */
int wh_apart_open(int dir_fd, const char *path, int flags, mode_t mode, int cancel_fd);

/* The same of a file that is to be read: *ret_slow where read(2) may have to wait for a server. */
int wh_apart_open_file(int dir_fd, const char *path, int flags, int cancel_fd, bool *ret_slow);

/* read(2), of a part if it likes. */
ssize_t wh_apart_read(int fd, void *buf, size_t size, int cancel_fd);

/* wh_replace_at() of a path. */
int wh_apart_replace(const char *path, const char *text, size_t len, mode_t mode, int cancel_fd);

#endif
