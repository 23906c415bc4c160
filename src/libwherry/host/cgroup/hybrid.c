/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v1 hierarchies next to cgroup2: they hold limits, and count what the container uses. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"

static bool has_controller(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = list;; p++) {
        size_t n = strcspn(p, ",");

        if (n == len && strncmp(p, name, n) == 0)
            return true;
        p += n;
        if (!*p)
            return false;
    }
}

const struct wh_cgroup_dir *wh_cg_v1_find(const struct wh_cgroup *cg, const char *controller)
{
    for (uint32_t i = 0; i < cg->none; i++)
        if (has_controller(cg->one[i].controller, controller))
            return &cg->one[i];
    return NULL;
}

static int frozen_by_v1(const struct wh_cgroup_dir *dir)
{
    char state[32];

    return has_controller(dir->controller, "freezer") &&
           wh_read_at(dir->fd, "freezer.state", state, sizeof state - 1) > 0 && !wh_startswith(state, "THAWED");
}

int wh_cg_v1_look(struct wh_cgroup_dir *dir, struct wh_err *err)
{
    int r = wh_cg_look(dir, err);

    if (r < 0 || dir->fd < 0)
        return r;

    struct wh_pids pids = { 0 };
    r = wh_cg_collect(dir->fd, &pids);
    free(pids.v);
    if (r < 0)
        return wh_err_sys(err, r, "list the processes of cgroup %s%s", dir->mount, dir->path);
    if (pids.n)
        return wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL,
                          "container's cgroup is not empty: %zu process(es) found in %s%s", pids.n, dir->mount,
                          dir->path);
    if (frozen_by_v1(dir))
        return wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL, "container's cgroup unexpectedly frozen: %s%s", dir->mount,
                          dir->path);
    return 0;
}

/* A new v1 cpuset has no CPUs and no memory nodes, and takes no process until it has (cpusets.rst). Neither may it have more than its
 * parent; somebody else may have made that, and left it empty. */
static int init_cpuset(const struct wh_cgroup_dir *dir, struct wh_err *err)
{
    static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
    unsigned depth = wh_cg_depth(dir->path);

    for (unsigned n = 1; n <= depth; n++)
        for (size_t i = 0; i < WH_ELEMENTSOF(files); i++) {
            char from[4096 + 16], to[4096 + 16], value[4096];
            int up = n > 1 ? (int)wh_cg_prefix(dir->path, n - 1) : 0;
            int r;

            snprintf(from, sizeof from, "%.*s%s%s", up, dir->path + 1, up ? "/" : "", files[i]);
            snprintf(to, sizeof to, "%.*s/%s", (int)wh_cg_prefix(dir->path, n), dir->path + 1, files[i]);
            r = (int)wh_read_at(dir->mount_fd, to, value, sizeof value - 1);
            if (r > 0 && value[0] > ' ')
                continue;
            r = (int)wh_read_at(dir->mount_fd, from, value, sizeof value - 1);
            if (r >= 0)
                r = wh_write_at(dir->mount_fd, to, value);
            if (r < 0)
                return wh_err_sys(err, r, "copy %s of the parent to cgroup %s%s", files[i], dir->mount, dir->path);
        }
    return 0;
}

int wh_cg_v1_make(struct wh_cgroup_dir *dir, struct wh_err *err)
{
    bool fresh = dir->fd < 0;
    int r = wh_cg_make_dir(dir, err);

    if (r == 0 && has_controller(dir->controller, "cpuset"))
        r = init_cpuset(dir, err);
    /* A child of a frozen cgroup is frozen, and we would wait in vain for what is put there. */
    if (r == 0 && fresh && frozen_by_v1(dir))
        r = wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL, "container's cgroup unexpectedly frozen: the parent of %s%s is",
                       dir->mount, dir->path);
    return r;
}

void wh_cg_v1_thaw(const struct wh_cgroup *cg)
{
    const struct wh_cgroup_dir *dir = wh_cg_v1_find(cg, "freezer");
    struct wh_pids pids = { .thaw = true };

    if (!dir || dir->fd < 0)
        return;
    (void)wh_cg_collect(dir->fd, &pids);
    free(pids.v);
}

const struct wh_cgroup_dir *wh_cg_v1_frozen(const struct wh_cgroup *cg)
{
    const struct wh_cgroup_dir *dir = wh_cg_v1_find(cg, "freezer");

    return dir && dir->fd >= 0 && frozen_by_v1(dir) ? dir : NULL;
}

int wh_cg_v1_kill(const struct wh_cgroup_dir *dir, int64_t deadline)
{
    /* cgroup2 has killed them already, unless one was moved out of there; the hierarchies are updated one after the other
     * while a process exits, and v1 tells nobody when a directory becomes empty. */
    for (long nap = 100000;; nap = nap < 20000000 ? nap * 2 : nap) {
        size_t n;
        int r = wh_cg_signal_all(dir->fd, SIGKILL, &n);

        if (r < 0 || n == 0)
            return r;
        if (wh_cg_left(deadline) == 0)
            return -ETIMEDOUT;
        nanosleep(&(struct timespec){ .tv_nsec = nap }, NULL);
    }
}
