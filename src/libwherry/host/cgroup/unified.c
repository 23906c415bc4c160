/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup2: controllers, and killing. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"

/* True if the space-separated list has the word. */
static bool list_has(const char *list, const char *word, size_t len)
{
    while (*list) {
        size_t n = strcspn(list, " \n");

        if (n == len && strncmp(list, word, len) == 0)
            return true;
        list += n + strspn(list + n, " \n");
    }
    return false;
}

/* "+pids +memory" for the wanted ones that `on` lacks; empty when there is nothing to do. */
static void missing(const char *wanted, const char *on, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    while (*wanted) {
        size_t n = strcspn(wanted, " ");

        if (!list_has(on, wanted, n))
            used += (size_t)snprintf(out + used, size - used, "%s+%.*s", used ? " " : "", (int)n, wanted);
        wanted += n + strspn(wanted + n, " ");
    }
}

/* Whether a cgroup that is not the hierarchy's own root (which has no cgroup.type, and may have both) has processes. */
static bool has_processes(const struct wh_cgroup_dir *dir, const char *prefix)
{
    char rel[4096 + 32], text[32];
    ssize_t n;

    snprintf(rel, sizeof rel, "%scgroup.type", prefix);
    if (wh_read_at(dir->mount_fd, rel, text, sizeof text - 1) <= 0)
        return false;
    snprintf(rel, sizeof rel, "%scgroup.procs", prefix);
    n = wh_read_at(dir->mount_fd, rel, text, sizeof text - 1);
    /* More than fit are some, too. */
    return n > 0 || n == -EFBIG;
}

static int enable_at(const struct wh_cgroup_dir *dir, unsigned depth, const char *controllers, struct wh_err *err)
{
    char rel[4096 + 32], prefix[4096 + 2], on[512], text[512], name[4096];
    int len = (int)wh_cg_prefix(dir->path, depth), r;

    if (depth == 0)
        len = 0;
    snprintf(name, sizeof name, "/%.*s", len, dir->path + 1);
    snprintf(prefix, sizeof prefix, "%.*s%s", len, dir->path + 1, len ? "/" : "");
    snprintf(rel, sizeof rel, "%scgroup.subtree_control", prefix);
    r = (int)wh_read_at(dir->mount_fd, rel, on, sizeof on - 1);
    if (r < 0)
        return wh_err_sys(err, r, "read cgroup.subtree_control of cgroup %s", name);
    missing(controllers, on, text, sizeof text);
    if (!text[0])
        return 1;
    /* Siblings keep what they have: controllers are only ever added here. Of the threaded ones (cpu, cpuset, pids) alone the
     * kernel takes them also above processes: by making this the root of a threaded subtree, in whose cgroups no process
     * can be, the container's no more than a sibling's. */
    r = has_processes(dir, prefix) ? -EBUSY : wh_write_at(dir->mount_fd, rel, text);
    if (r == -EBUSY)
        return wh_err_set(err, WH_ERR_HOST, r, NULL,
                          "turn on controllers %s below cgroup %s: it has processes of its own, and the kernel takes "
                          "limits only below cgroups without (choose another cgroupsPath)",
                          text, name);
    if (r == -ENOENT)
        return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, NULL,
                          "turn on controllers %s below cgroup %s: not in its cgroup.controllers", text, name);
    return r < 0 ? wh_err_sys(err, r, "write \"%s\" to cgroup.subtree_control of cgroup %s", text, name) : 0;
}

int wh_cg_enable(const struct wh_cgroup_dir *dir, const char *controllers, struct wh_err *err)
{
    unsigned depth = wh_cg_depth(dir->path);
    /* A parent that has them proves that its ancestors do. */
    int r = enable_at(dir, depth - 1, controllers, depth > 1 ? &(struct wh_err){ 0 } : err);

    if (r >= 0 || depth == 1)
        return r < 0 ? r : 0;
    for (unsigned n = 0; n < depth; n++) {
        r = enable_at(dir, n, controllers, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A cgroup that cannot be killed as one (threaded): stop everything first, else a fork bomb outruns us. */
static int kill_frozen(int dirfd, int64_t deadline)
{
    size_t n;
    int r = wh_write_at(dirfd, "cgroup.freeze", "1");

    if (r >= 0)
        (void)wh_cg_wait_event(dirfd, "frozen", 1, deadline);
    r = wh_cg_signal_all(dirfd, SIGKILL, &n);
    (void)wh_write_at(dirfd, "cgroup.freeze", "0");
    return r;
}

/* How long what was killed as one may take to end before it is looked at one by one. */
#define ONE_BY_ONE_MS 20

int wh_cg_kill_two(int dirfd, int64_t deadline)
{
    int64_t now = wh_cg_now();
    int step = ONE_BY_ONE_MS, r = wh_write_at(dirfd, "cgroup.kill", "1");
    size_t n;

    if (r == -ENODEV)
        return 0; /* removed by another delete */
    if (r == -EOPNOTSUPP || r == -ENOENT)
        r = kill_frozen(dirfd, deadline);
    /* cgroup.kill does not reach a process whose first thread has ended while others run: the kernel sends the signal to each process's first
     * thread alone. By pidfd it goes to the process. */
    for (; r == 0; step = step < 1000 ? step * 2 : step) {
        int64_t until = now + step < deadline ? now + step : deadline;

        r = wh_cg_wait_event(dirfd, "populated", 0, until);
        if (r != -ETIMEDOUT)
            return r;
        r = wh_cg_signal_all(dirfd, SIGKILL, &n);
        now = wh_cg_now();
        if (r == 0 && now >= deadline)
            /* What these have ended is not waited for, nor told from what does not end. */
            return wh_cg_wait_event(dirfd, "populated", 0, now);
    }
    return r;
}
