/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What delete needs of a container whose own directory tells nothing any more. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/state.h"

#define DIR_NAME ".init"
/* PATH_MAX; some file systems take less. */
#define MARK_MAX 4096

static int open_marks(int root_fd, bool make)
{
    int fd;

    if (make && mkdirat(root_fd, DIR_NAME, 0700) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(root_fd, DIR_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int put(int dir_fd, const char *id, const char *text)
{
    if (symlinkat(text, dir_fd, id) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    /* Of a container whose directory was removed by hand. */
    return unlinkat(dir_fd, id, 0) < 0 || symlinkat(text, dir_fd, id) < 0 ? -errno : 0;
}

int wh_mark_write(int root_fd, const struct wh_state *s, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = open_marks(root_fd, true);
    const char *nl = strchr(s->cgroup, '\n');
    /* All directories; that of cgroup2 alone, in which every process is; or that there is one, and then delete says that it does not know it. */
    const int lens[] = { (int)strlen(s->cgroup), nl ? (int)(nl + 1 - s->cgroup) : 0, 0 };
    int r = fd < 0 ? fd : -ENAMETOOLONG;

    for (size_t i = 0; fd >= 0 && r == -ENAMETOOLONG && i < WH_ELEMENTSOF(lens); i++) {
        WH_CLEANUP_BUF struct wh_buf text = { 0 };

        wh_buf_printf(&text, "%d %llu %llu %llu %s %s\n%.*s%s", (int)s->pid, (unsigned long long)s->identity.start,
                      (unsigned long long)s->identity.ino, (unsigned long long)s->pidns, s->boot_id,
                      s->private_pidns ? "pidns" : "-", lens[i], s->cgroup, *s->cgroup && lens[i] == 0 ? "?" : "");
        r = text.failed ? -ENOMEM : put(fd, s->id, text.data);
    }
    return r < 0 ? wh_err_sys(err, r, "record the first process of container %s", s->id) : 0;
}

/* Cuts the first line into its words, in place. */
static int parse(char *text, struct wh_state *ret)
{
    char *word[6], *rest = strchr(text, '\n');
    uint64_t pid;

    if (!rest)
        return -EINVAL;
    *rest++ = '\0';
    for (size_t i = 0; i < WH_ELEMENTSOF(word); i++) {
        word[i] = text;
        text += strcspn(text, " ");
        if (!*text != (i + 1 == WH_ELEMENTSOF(word)))
            return -EINVAL;
        if (*text)
            *text++ = '\0';
    }
    if (wh_parse_u64(word[0], INT32_MAX, &pid) < 0 || wh_parse_u64(word[1], UINT64_MAX, &ret->identity.start) < 0 ||
        wh_parse_u64(word[2], UINT64_MAX, &ret->identity.ino) < 0 || wh_parse_u64(word[3], UINT64_MAX, &ret->pidns) < 0)
        return -EINVAL;
    ret->pid = (pid_t)pid;
    ret->boot_id = word[4];
    ret->private_pidns = wh_streq(word[5], "pidns");
    ret->cgroup = rest;
    return 0;
}

int wh_mark_read(int root_fd, const char *id, struct wh_arena *arena, struct wh_state *ret)
{
    WH_CLEANUP_FD int fd = open_marks(root_fd, false);
    char buf[MARK_MAX], *text;
    ssize_t n;

    if (fd < 0)
        return fd;
    n = readlinkat(fd, id, buf, sizeof buf);
    if (n < 0)
        return -errno;
    text = n < (ssize_t)sizeof buf ? wh_arena_strndup(arena, buf, (size_t)n) : NULL;
    if (!text)
        return wh_arena_failed(arena) ? -ENOMEM : -EINVAL;
    *ret = (struct wh_state){ .arena = arena };
    return parse(text, ret);
}

int wh_mark_remove(int root_fd, const char *id)
{
    WH_CLEANUP_FD int fd = open_marks(root_fd, false);
    int r = fd < 0 ? fd : unlinkat(fd, id, 0) < 0 ? -errno : 0;

    return r == -ENOENT ? 0 : r;
}
