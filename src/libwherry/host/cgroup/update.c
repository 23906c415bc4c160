/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing the limits of a container that is there: all of them, or none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/update.h"
#include "host/proc.h"

/* ---------------------------------------------------------------- more v1 directories */

/* The cgroup of a process in the hierarchy, "/a"; malloc'ed, null when it is gone or cannot be named. */
static char *cgroup_of(int proc_fd, pid_t pid, const char *controllers)
{
    char name[32], text[8192];
    size_t len = strlen(controllers);
    ssize_t n;

    snprintf(name, sizeof name, "%d/cgroup", (int)pid);
    n = wh_read_at(proc_fd, name, text, sizeof text - 1);
    for (char *line = n > 0 ? text : NULL, *end; line && *line; line = *end ? end + 1 : end) {
        const char *c = strchr(line, ':');

        end = strchrnul(line, '\n');
        if (c && strncmp(c + 1, controllers, len) == 0 && c[1 + len] == ':' && !wh_startswith(c + 2 + len, "/.."))
            return strndup(c + 2 + len, (size_t)(end - (c + 2 + len)));
    }
    return NULL;
}

static bool among(const struct wh_pids *pids, pid_t pid)
{
    for (size_t i = 0; i < pids->n; i++)
        if (pids->v[i] == pid)
            return true;
    return false;
}

static int move_one(const struct wh_cgroup_dir *dir, int proc_fd, int journal_fd, pid_t pid, struct wh_cg_moves *moves)
{
    char text[24];
    int r;

    if (moves->n == moves->cap) {
        size_t cap = moves->cap ? moves->cap * 2 : 64;
        struct wh_cg_moved *v = reallocarray(moves->v, cap, sizeof *v);

        if (!v)
            return -ENOMEM;
        moves->v = v;
        moves->cap = cap;
    }
    moves->v[moves->n] = (struct wh_cg_moved){ pid, cgroup_of(proc_fd, pid, dir->controller) };
    snprintf(text, sizeof text, "%d", (int)pid);
    r = wh_cg_journal_move(journal_fd, dir, &moves->v[moves->n]);
    if (r == 0)
        r = wh_write_at(dir->fd, "cgroup.procs", text);
    /* It has ended meanwhile. */
    if (r < 0)
        free(moves->v[moves->n].from);
    else
        moves->n++;
    return r == -ESRCH ? 0 : r;
}

/* Until all that cgroup2 knows of is there: one that was not moved yet bears its children outside. */
static int move_all(const struct wh_cgroup *cg, const struct wh_cgroup_dir *dir, int proc_fd, int journal_fd,
                    struct wh_cg_moves *moves)
{
    int64_t deadline = wh_cg_now() + WH_CG_MOVE_MS;

    for (;;) {
        struct wh_pids all = { 0 }, there = { 0 };
        bool more = false;
        int r = wh_cg_collect(cg->two.fd, &all);

        if (r == 0)
            r = wh_cg_collect(dir->fd, &there);
        for (size_t i = 0; i < all.n && r == 0; i++)
            if (!among(&there, all.v[i])) {
                more = true;
                r = move_one(dir, proc_fd, journal_fd, all.v[i], moves);
            }
        free(all.v);
        free(there.v);
        if (r < 0 || !more)
            return r;
        if (wh_cg_left(deadline) == 0)
            return -EAGAIN;
    }
}

void wh_cg_move_back(const struct wh_cgroup_dir *dir, const struct wh_cg_moves *moves)
{
    for (size_t i = moves->n; i-- > 0;) {
        char path[4096 + 16], text[24];
        const char *from = moves->v[i].from;

        snprintf(path, sizeof path, "%s%scgroup.procs", from ? from + 1 : "", from && from[1] ? "/" : "");
        snprintf(text, sizeof text, "%d", (int)moves->v[i].pid);
        (void)wh_write_at(dir->mount_fd, path, text);
    }
}

static void moves_done(struct wh_cg_moves *moves)
{
    for (size_t i = 0; i < moves->n; i++)
        free(moves->v[i].from);
    free(moves->v);
    *moves = (struct wh_cg_moves){ 0 };
}

/* What the writes need and the container has not: looks only. */
static int look_for_more(struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, const struct wh_facts *facts,
                         struct wh_err *err)
{
    uint32_t first = cg->none;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = wh_streq(v[i].controller, "unified") ? wh_cg_want(cg, v[i].file, err)
                                                 : wh_cg_add_v1(cg, v[i].controller, cg->two.path, facts, err);
    for (uint32_t i = first; i < cg->none && r == 0; i++)
        r = wh_cg_v1_look(&cg->one[i], err);
    return r;
}

static void drop(struct wh_cgroup *cg, uint32_t at)
{
    struct wh_cgroup_dir *dir = &cg->one[at];

    wh_closep(&dir->fd);
    wh_closep(&dir->mount_fd);
    free(dir->mount);
    free(dir->path);
    free(dir->controller);
    memmove(dir, dir + 1, (--cg->none - at) * sizeof *dir);
}

/* What an update that was killed meant to make, and has not: it is not in the way of this one. */
static void drop_missing(struct wh_cgroup *cg)
{
    for (uint32_t i = cg->none; i-- > 0;)
        if (cg->one[i].fd < 0)
            drop(cg, i);
}

static int make_more(struct wh_cgroup *cg, uint32_t first, struct wh_err *err)
{
    int r = cg->enable ? wh_cg_enable(&cg->two, cg->enable, err) : 0;

    for (uint32_t i = first; i < cg->none && r == 0; i++)
        r = wh_cg_v1_make(&cg->one[i], err);
    return r;
}

bool wh_cg_remove_v1(struct wh_cgroup *cg, uint32_t at)
{
    const struct wh_cgroup_dir *dir = &cg->one[at];

    if (dir->fd >= 0 && unlinkat(dir->mount_fd, dir->path + 1, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return false;
    if (dir->fd >= 0)
        wh_cg_remove_parents(dir);
    drop(cg, at);
    return true;
}

/* ---------------------------------------------------------------- all or nothing */

static bool is_written(const struct wh_cgroup *cg, uint32_t at, const struct wh_cg_write *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (wh_cg_v1_find(cg, v[i].controller) == &cg->one[at])
            return true;
    return false;
}

/* Into the new directories, and those where an update was killed before it had moved all. The processes are back where they were if that fails. */
static int move_in(struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, int proc_fd, int dir_fd,
                   struct wh_err *err)
{
    WH_CLEANUP_FD int journal_fd = openat(dir_fd, WH_CG_JOURNAL, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    struct wh_cg_moves moves[WH_CGROUP_V1_MAX] = { 0 };
    int r = journal_fd < 0 ? wh_err_sys(err, -errno, "open the journal of the update") : 0;

    for (uint32_t i = 0; i < cg->none && r == 0; i++) {
        if (!is_written(cg, i, v, n))
            continue;
        r = move_all(cg, &cg->one[i], proc_fd, journal_fd, &moves[i]);
        if (r < 0)
            wh_err_sys(err, r, "put the container's processes into cgroup %s%s", cg->one[i].mount, cg->one[i].path);
    }
    for (uint32_t i = cg->none; i-- > 0;) {
        if (r < 0)
            wh_cg_move_back(&cg->one[i], &moves[i]);
        moves_done(&moves[i]);
    }
    return r;
}

/* ---------------------------------------------------------------- the unit */

/* What systemd writes, from the unit's properties, when one of them has changed. Some it does not know as we do: the quota is rounded, and
 * memory.oom.group and cpu.idle have no property in older ones. */
static const struct {
    const char *controller, *file;
} systemds[] = {
    { "unified", "memory.min" },  { "unified", "memory.low" },      { "unified", "memory.high" },
    { "unified", "memory.max" },  { "unified", "memory.swap.max" }, { "unified", "memory.oom.group" },
    { "unified", "cpu.weight" },  { "unified", "cpu.idle" },        { "unified", "cpu.max" },
    { "unified", "io.weight" },   { "unified", "io.bfq.weight" },   { "unified", "cpuset.cpus" },
    { "unified", "cpuset.mems" }, { "unified", "pids.max" },        { "memory", "memory.limit_in_bytes" },
    { "cpu", "cpu.shares" },      { "cpu", "cpu.cfs_quota_us" },    { "cpu", "cpu.cfs_period_us" },
    { "pids", "pids.max" },
};

/* What the update may change: the files that it writes, and, of a unit, those that systemd may. malloc'ed, null without memory. */
static struct wh_cg_write *touched(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, size_t *ret_n)
{
    struct wh_cg_write *all = calloc(n + WH_ELEMENTSOF(systemds) + 1, sizeof *all);

    if (!all)
        return NULL;
    for (*ret_n = 0; *ret_n < n; ++*ret_n)
        all[*ret_n] = v[*ret_n];
    for (size_t i = 0; cg->unit && i < WH_ELEMENTSOF(systemds); i++)
        /* Of several lines of io.weight, the one that systemd writes. A file that is there twice is no harm. */
        all[(*ret_n)++] =
            (struct wh_cg_write){ .controller = systemds[i].controller, .file = systemds[i].file, .value = "default" };
    return all;
}

bool wh_cg_unit_set_back(const struct wh_cgroup *cg, const struct wh_cg_old *old, size_t n, struct wh_err *err)
{
    struct wh_cg_write *v = calloc(n + 1, sizeof *v);
    struct wh_err why = { 0 }, first = *err;
    wh_node nowhere = 0;
    size_t k = 0;
    int r;

    for (size_t i = 0; v && i < n; i++)
        if (old[i].value) {
            v[k] = *old[i].w;
            v[k++].value = old[i].value;
        }
    r = v ? wh_cg_unit_set(cg, v, k, &nowhere, &why) : wh_err_sys(&why, -ENOMEM, "change unit %s", cg->unit);
    free(v);
    if (r < 0) {
        *err = (struct wh_err){ 0 };
        wh_err_set(err, first.kind, first.code, first.path, "%s; and %s", first.msg, why.msg);
    }
    return r == 0;
}

/* On v1 the property of a quota is made of two files, of which one may stay as it is. `set` has room for two more; how many there are. */
static size_t with_other_half(const struct wh_cg_write *v, size_t n, const struct wh_cg_old *now, size_t nnow,
                              struct wh_cg_write *set)
{
    size_t k = n;
    bool there = false;

    for (size_t i = 0; i < n; i++) {
        set[i] = v[i];
        there |= wh_startswith(v[i].file, "cpu.cfs_");
    }
    for (size_t i = 0; there && i < nnow && k < n + 2; i++)
        if (!now[i].w->src && now[i].value && wh_startswith(now[i].w->file, "cpu.cfs_")) {
            set[k] = *now[i].w;
            set[k++].value = now[i].value;
        }
    return k;
}

/* So that systemd writes the same the next time that it writes at all. Last, because nothing of it can be refused any more but by systemd, which
 * changes all properties or none. */
static int change_unit(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, const struct wh_cg_write *all,
                       size_t nall, const struct wh_cg_old *old, size_t nold, wh_node *ret_src, struct wh_err *err)
{
    struct wh_cg_write *set;
    struct wh_cg_old *now;
    const struct wh_cg_old *left;
    size_t nnow = 0;
    int r;

    if (!cg->unit)
        return 0;
    set = calloc(n + 2, sizeof *set);
    now = set ? wh_cg_old_read(cg, all, nall, &nnow, err) : NULL;
    if (!now) {
        free(set);
        return err->code ? err->code : wh_err_sys(err, -ENOMEM, "update the cgroup");
    }
    r = wh_cg_unit_set(cg, set, with_other_half(v, n, now, nnow, set), ret_src, err);
    free(set);
    left = r == 0 ? wh_cg_old_bring_back(cg, now, nnow) : NULL;
    if (left) {
        r = wh_err_set(err, WH_ERR_HOST, -EIO, NULL, "write \"%s\" to %s once more, after systemd has changed it",
                       left->value, left->w->file);
        (void)wh_cg_unit_set_back(cg, old, nold, err);
    }
    wh_cg_old_free(now, nnow);
    return r;
}

static int change(struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, uint32_t first, int proc_fd,
                  const struct wh_cgroup_saver *save, wh_node *ret_src, struct wh_err *err)
{
    struct wh_cg_write *all = NULL;
    struct wh_cg_old *old;
    size_t nall = 0, nold = 0, failed = 0;
    int r = make_more(cg, first, err);

    /* With their identity, while nothing is in them yet. */
    if (r == 0 && cg->none > first)
        r = save->save(save->data, cg, err);
    if (r < 0)
        return r;
    all = touched(cg, v, n, &nall);
    if (!all)
        return wh_err_sys(err, -ENOMEM, "update the cgroup");
    old = wh_cg_old_read(cg, all, nall, &nold, err);
    if (!old) {
        free(all);
        return err->code;
    }
    r = wh_cg_journal_write(cg, first, old, nold, save->dir_fd, err);
    if (r == 0) {
        r = wh_cgroup_write(cg, v, n, &failed, err);
        if (r < 0)
            *ret_src = v[failed].src;
    }
    /* Now that the limits are there, because a process that has moved may have forked. */
    if (r == 0)
        r = move_in(cg, v, n, proc_fd, save->dir_fd, err);
    if (r == 0)
        r = change_unit(cg, v, n, all, nall, old, nold, ret_src, err);
    /* From here on it is done, whatever becomes of us. */
    if (r == 0 && unlinkat(save->dir_fd, WH_CG_JOURNAL, 0) < 0) {
        r = wh_err_sys(err, -errno, "remove the journal of the update");
        if (cg->unit)
            (void)wh_cg_unit_set_back(cg, old, nold, err);
    }
    if (r < 0)
        wh_cg_old_restore(cg, old, nold, err);
    wh_cg_old_free(old, nold);
    free(all);
    return r;
}

static void forget_more(struct wh_cgroup *cg, uint32_t first)
{
    for (uint32_t i = cg->none; i-- > first;)
        (void)wh_cg_remove_v1(cg, i);
}

int wh_cgroup_update(struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, const struct wh_facts *facts,
                     int proc_fd, const struct wh_cgroup_saver *save, wh_node *ret_src, struct wh_err *err)
{
    uint32_t first;
    int r;

    if (n == 0)
        return 0;
    drop_missing(cg);
    first = cg->none;
    r = look_for_more(cg, v, n, facts, err);
    /* Before they are made, so that a delete finds them, and the next command removes them, whatever becomes of us. */
    if (r == 0 && cg->none > first)
        r = wh_cg_journal_write(cg, first, NULL, 0, save->dir_fd, err);
    if (r == 0 && cg->none > first)
        r = save->save(save->data, cg, err);
    if (r == 0)
        r = change(cg, v, n, first, proc_fd, save, ret_src, err);
    if (r < 0 && cg->none > first) {
        forget_more(cg, first);
        (void)save->save(save->data, cg, NULL);
    }
    if (r < 0)
        (void)unlinkat(save->dir_fd, WH_CG_JOURNAL, 0);
    return r;
}
