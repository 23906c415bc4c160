/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing the limits of a container that is there: all of them, or none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"
#include "host/proc.h"

/* Some files refuse a value as long as another one stands (memory and memsw, idle and weight): what is written back is looked at again. */
#define RESTORE_PASSES 4

/* How long a container that keeps forking is followed into new directories. */
#define MOVE_MS 5000

#define TEXT_MAX 65536

/* In the state directory while an update goes on: how it is undone, by whoever comes next if that is killed. */
#define UNDO "update"
#define UNDO_MAX (16 << 20)

static const struct wh_cgroup_dir *dir_of(const struct wh_cgroup *cg, const char *controller)
{
    const struct wh_cgroup_dir *dir = wh_streq(controller, "unified") ? &cg->two : wh_cg_v1_find(cg, controller);

    return dir && dir->fd >= 0 ? dir : NULL;
}

ssize_t wh_cgroup_read(const struct wh_cgroup *cg, const char *controller, const char *file, char *buf, size_t max)
{
    const struct wh_cgroup_dir *dir = dir_of(cg, controller);

    return !dir || strchr(file, '/') ? -ENOENT : wh_read_at(dir->fd, file, buf, max);
}

/* ---------------------------------------------------------------- what was there before */

struct old {
    const struct wh_cg_write *w; /* whose file this was */
    struct wh_cg_write extra; /* one that nobody writes, but that changes with another */
    char *value; /* what brings it back; null: nothing to bring back */
};

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && wh_streq(s + n - m, end);
}

/* "8:16 …": a value for one device. */
static size_t device_len(const char *value)
{
    size_t n = strspn(value, "0123456789"), m = value[n] == ':' ? strspn(value + n + 1, "0123456789") : 0;

    return n && m && value[n + 1 + m] == ' ' ? n + 1 + m : 0;
}

/* The line that begins with these bytes and a blank, or null. */
static const char *find_line(const char *text, const char *key, size_t len)
{
    for (const char *line = text; *line;) {
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return line;
        line = strchrnul(line, '\n');
        line += *line == '\n';
    }
    return NULL;
}

/* A device without a line of its own has what stands for none. */
static const char *device_default(const char *file)
{
    if (wh_streq(file, "io.max"))
        return "rbps=max wbps=max riops=max wiops=max";
    if (wh_streq(file, "io.latency"))
        return "target=0";
    return strstr(file, ".throttle.") ? "0" : "default";
}

/* How much of the file's text, as it is read, has to be written to have it so again: files are written in another way than they read. malloc'ed;
 * null when there is no such thing. */
static char *what_brings_back(const struct wh_cg_write *w, const char *text)
{
    size_t dev = device_len(w->value), word = strcspn(w->value, " \n");
    const char *line = text;
    char *r;

    /* A trigger of its writer's, and acts: neither has a value. */
    if (ends_with(w->file, ".pressure") || wh_streq(w->file, "memory.reclaim") || wh_streq(w->file, "memory.peak"))
        return NULL;
    if (dev) {
        line = find_line(text, w->value, dev);
        if (!line)
            return asprintf(&r, "%.*s %s", (int)dev, w->value, device_default(w->file)) < 0 ? NULL : r;
    } else if (wh_streq(w->file, "memory.oom_control")) {
        line = find_line(text, "oom_kill_disable", strlen("oom_kill_disable"));
        line = line ? line + strlen("oom_kill_disable ") : "0";
    } else if (strchr(text, '\n') && strchr(text, '\n')[1]) {
        /* One line for each of several things (misc.max); or the default, and the devices that differ. */
        line = find_line(text, w->value, word);
        line = line ? line : text;
    }
    /* BFQ takes its default as a number alone. */
    if (ends_with(w->file, "bfq.weight") && wh_startswith(line, "default "))
        line += strlen("default ");
    /* An empty list (cpuset.cpus: those of the parent) is a line break: nothing at all is no write. */
    return *line == '\n' || !*line ? strdup("\n") : strndup(line, strcspn(line, "\n"));
}

static void old_done(struct old *v, size_t n)
{
    for (size_t i = 0; v && i < n; i++)
        free(v[i].value);
    free(v);
}

/* 0, or -errno. */
static int read_old(const struct wh_cgroup *cg, struct old *o, struct wh_err *err)
{
    char *text = malloc(TEXT_MAX + 1);
    ssize_t n = text ? wh_cgroup_read(cg, o->w->controller, o->w->file, text, TEXT_MAX) : -ENOMEM;
    int r = 0;

    /* What is not there, or only takes values, has nothing to bring back; the write will say what is wrong, if that is. */
    if (n >= 0)
        o->value = what_brings_back(o->w, text);
    else if (n != -ENOENT && n != -EINVAL && n != -EACCES && n != -EOPNOTSUPP)
        r = wh_err_sys(err, (int)n, "read %s of the container's cgroup", o->w->file);
    free(text);
    return r;
}

/* The weight that an idle cgroup had is lost. */
static bool weight_of(const struct wh_cg_write *w, struct wh_cg_write *ret)
{
    if (!wh_streq(w->file, "cpu.idle"))
        return false;
    *ret = *w;
    ret->file = wh_streq(w->controller, "unified") ? "cpu.weight" : "cpu.shares";
    ret->value = "0";
    return true;
}

static struct old *read_all(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, size_t *ret_n,
                            struct wh_err *err)
{
    struct old *all = calloc(2 * n + 1, sizeof *all);
    size_t k = 0;

    if (!all) {
        wh_err_sys(err, -ENOMEM, "update the cgroup");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        all[k++].w = &v[i];
        if (read_old(cg, &all[k - 1], err) == 0 && weight_of(&v[i], &all[k].extra)) {
            all[k].w = &all[k].extra;
            k++;
            (void)read_old(cg, &all[k - 1], err);
        }
        if (err->code) {
            old_done(all, k);
            return NULL;
        }
    }
    *ret_n = k;
    return all;
}

/* Whether the file says what it said; true as well where that cannot be known. */
static bool is_back(const struct wh_cgroup *cg, const struct old *o)
{
    char *text = malloc(TEXT_MAX + 1), *now = NULL;
    ssize_t n = text ? wh_cgroup_read(cg, o->w->controller, o->w->file, text, TEXT_MAX) : -ENOMEM;
    bool same;

    if (n >= 0)
        now = what_brings_back(o->w, text);
    same = n < 0 ? n != -ENOMEM : now && wh_streq(now, o->value);
    free(now);
    free(text);
    return same;
}

/* Writes what is not as it was. Null, or one that could not be brought back. */
static const struct old *bring_back(const struct wh_cgroup *cg, const struct old *v, size_t n)
{
    const struct old *left = NULL;

    for (int pass = 0; pass == 0 || (left && pass < RESTORE_PASSES); pass++) {
        left = NULL;
        for (size_t i = n; i-- > 0;) {
            const struct wh_cgroup_dir *dir = dir_of(cg, v[i].w->controller);

            if (!v[i].value || !dir || is_back(cg, &v[i]))
                continue;
            (void)wh_write_at(dir->fd, v[i].w->file, v[i].value);
            left = &v[i];
        }
    }
    return left && !is_back(cg, left) ? left : NULL;
}

/* Adds to err what could not be brought back, and says whether all is. */
static bool restore(const struct wh_cgroup *cg, const struct old *v, size_t n, struct wh_err *err)
{
    const struct old *left = bring_back(cg, v, n);
    struct wh_err why = *err;

    if (!left)
        return true;
    *err = (struct wh_err){ 0 };
    wh_err_set(err, why.kind, why.code, why.path, "%s; and %s could not be set back to \"%s\"", why.msg, left->w->file,
               left->value);
    return false;
}

/* ---------------------------------------------------------------- more v1 directories */

struct moved {
    pid_t pid;
    char *from; /* where it was in the hierarchy, "/a/b"; null: not known */
};

struct moves {
    struct moved *v;
    size_t n, cap;
};

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

/* Before it is moved. A line without its end is one that nothing followed. */
static int note_move(int undo_fd, const struct wh_cgroup_dir *dir, const struct moved *m)
{
    WH_CLEANUP_BUF struct wh_buf line = { 0 };

    wh_buf_printf(&line, "moved %s %d %s\n", dir->controller, (int)m->pid, m->from ? m->from : "/");
    return line.failed ? -ENOMEM : wh_write_all(undo_fd, line.data, line.len);
}

static int move_one(const struct wh_cgroup_dir *dir, int proc_fd, int undo_fd, pid_t pid, struct moves *moves)
{
    char text[24];
    int r;

    if (moves->n == moves->cap) {
        size_t cap = moves->cap ? moves->cap * 2 : 64;
        struct moved *v = reallocarray(moves->v, cap, sizeof *v);

        if (!v)
            return -ENOMEM;
        moves->v = v;
        moves->cap = cap;
    }
    moves->v[moves->n] = (struct moved){ pid, cgroup_of(proc_fd, pid, dir->controller) };
    snprintf(text, sizeof text, "%d", (int)pid);
    r = note_move(undo_fd, dir, &moves->v[moves->n]);
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
static int move_all(const struct wh_cgroup *cg, const struct wh_cgroup_dir *dir, int proc_fd, int undo_fd,
                    struct moves *moves)
{
    int64_t deadline = wh_cg_now() + MOVE_MS;

    for (;;) {
        struct wh_pids all = { 0 }, there = { 0 };
        bool more = false;
        int r = wh_cg_collect(cg->two.fd, &all);

        if (r == 0)
            r = wh_cg_collect(dir->fd, &there);
        for (size_t i = 0; i < all.n && r == 0; i++)
            if (!among(&there, all.v[i])) {
                more = true;
                r = move_one(dir, proc_fd, undo_fd, all.v[i], moves);
            }
        free(all.v);
        free(there.v);
        if (r < 0 || !more)
            return r;
        if (wh_cg_left(deadline) == 0)
            return -EAGAIN;
    }
}

static void move_back(const struct wh_cgroup_dir *dir, const struct moves *moves)
{
    for (size_t i = moves->n; i-- > 0;) {
        char path[4096 + 16], text[24];
        const char *from = moves->v[i].from;

        snprintf(path, sizeof path, "%s%scgroup.procs", from ? from + 1 : "", from && from[1] ? "/" : "");
        snprintf(text, sizeof text, "%d", (int)moves->v[i].pid);
        (void)wh_write_at(dir->mount_fd, path, text);
    }
}

static void moves_done(struct moves *moves)
{
    for (size_t i = 0; i < moves->n; i++)
        free(moves->v[i].from);
    free(moves->v);
    *moves = (struct moves){ 0 };
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

/* And forgets it, unless somebody is in it still: then it is left to delete. */
static bool remove_at(struct wh_cgroup *cg, uint32_t at)
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
    WH_CLEANUP_FD int undo_fd = openat(dir_fd, UNDO, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    struct moves moves[WH_CGROUP_V1_MAX] = { 0 };
    int r = undo_fd < 0 ? wh_err_sys(err, -errno, "open the journal of the update") : 0;

    for (uint32_t i = 0; i < cg->none && r == 0; i++) {
        if (!is_written(cg, i, v, n))
            continue;
        r = move_all(cg, &cg->one[i], proc_fd, undo_fd, &moves[i]);
        if (r < 0)
            wh_err_sys(err, r, "put the container's processes into cgroup %s%s", cg->one[i].mount, cg->one[i].path);
    }
    for (uint32_t i = cg->none; i-- > 0;) {
        if (r < 0)
            move_back(&cg->one[i], &moves[i]);
        moves_done(&moves[i]);
    }
    return r;
}

/* made CONTROLLERS: a directory that is not to stay. was CONTROLLER FILE VALUE: what is to be written back. moved CONTROLLERS PID FROM. */
static int write_undo(const struct wh_cgroup *cg, uint32_t first, const struct old *old, size_t n, int dir_fd,
                      struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    int r;

    for (uint32_t i = first; i < cg->none; i++)
        wh_buf_printf(&text, "made %s\n", cg->one[i].controller);
    for (size_t i = 0; i < n; i++)
        if (old[i].value)
            wh_buf_printf(&text, "was %s %s %.*s\n", old[i].w->controller, old[i].w->file,
                          (int)strcspn(old[i].value, "\n"), old[i].value);
    r = text.failed ? -ENOMEM : wh_replace_at(dir_fd, UNDO, text.data ? text.data : "", text.len, 0600);
    return r < 0 ? wh_err_sys(err, r, "write the journal of the update") : 0;
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

/* The properties as they were: what the files had in them says so. Adds to err what systemd says, and says whether they are. */
static bool set_unit_back(const struct wh_cgroup *cg, const struct old *old, size_t n, struct wh_err *err)
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
static size_t with_other_half(const struct wh_cg_write *v, size_t n, const struct old *now, size_t nnow,
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
                       size_t nall, const struct old *old, size_t nold, wh_node *ret_src, struct wh_err *err)
{
    struct wh_cg_write *set;
    struct old *now;
    const struct old *left;
    size_t nnow = 0;
    int r;

    if (!cg->unit)
        return 0;
    set = calloc(n + 2, sizeof *set);
    now = set ? read_all(cg, all, nall, &nnow, err) : NULL;
    if (!now) {
        free(set);
        return err->code ? err->code : wh_err_sys(err, -ENOMEM, "update the cgroup");
    }
    r = wh_cg_unit_set(cg, set, with_other_half(v, n, now, nnow, set), ret_src, err);
    free(set);
    left = r == 0 ? bring_back(cg, now, nnow) : NULL;
    if (left) {
        r = wh_err_set(err, WH_ERR_HOST, -EIO, NULL, "write \"%s\" to %s once more, after systemd has changed it",
                       left->value, left->w->file);
        (void)set_unit_back(cg, old, nold, err);
    }
    old_done(now, nnow);
    return r;
}

static int change(struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, uint32_t first, int proc_fd,
                  const struct wh_cgroup_saver *save, wh_node *ret_src, struct wh_err *err)
{
    struct wh_cg_write *all = NULL;
    struct old *old;
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
    old = read_all(cg, all, nall, &nold, err);
    if (!old) {
        free(all);
        return err->code;
    }
    r = write_undo(cg, first, old, nold, save->dir_fd, err);
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
    if (r == 0 && unlinkat(save->dir_fd, UNDO, 0) < 0) {
        r = wh_err_sys(err, -errno, "remove the journal of the update");
        if (cg->unit)
            (void)set_unit_back(cg, old, nold, err);
    }
    if (r < 0)
        restore(cg, old, nold, err);
    old_done(old, nold);
    free(all);
    return r;
}

static void forget_more(struct wh_cgroup *cg, uint32_t first)
{
    for (uint32_t i = cg->none; i-- > first;)
        (void)remove_at(cg, i);
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
        r = write_undo(cg, first, NULL, 0, save->dir_fd, err);
    if (r == 0 && cg->none > first)
        r = save->save(save->data, cg, err);
    if (r == 0)
        r = change(cg, v, n, first, proc_fd, save, ret_src, err);
    if (r < 0 && cg->none > first) {
        forget_more(cg, first);
        (void)save->save(save->data, cg, NULL);
    }
    if (r < 0)
        (void)unlinkat(save->dir_fd, UNDO, 0);
    return r;
}

/* ---------------------------------------------------------------- undoing one that was killed */

/* The journal, cut into its lines in place. */
struct undo {
    char *text, **line;
    size_t n;
};

static void undo_done(struct undo *u)
{
    free(u->text);
    free(u->line);
}

static int read_undo(int dir_fd, struct undo *ret)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, UNDO, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > UNDO_MAX)
        return -EINVAL;
    ret->text = malloc((size_t)st.st_size + 1);
    ret->line = calloc((size_t)st.st_size + 1, sizeof *ret->line);
    if (!ret->text || !ret->line)
        return -ENOMEM;
    n = wh_read_fd(fd, ret->text, (size_t)st.st_size);
    if (n < 0)
        return (int)n;
    for (char *at = ret->text, *end; (end = strchr(at, '\n')); at = end + 1) {
        *end = '\0';
        ret->line[ret->n++] = at;
    }
    return 0;
}

/* What follows "WORD NAME " in the line, or null. */
static char *after(char *line, const char *word, const char *name)
{
    size_t len = strlen(word), n = strlen(name);

    if (strncmp(line, word, len) != 0 || line[len] != ' ' || strncmp(line + len + 1, name, n) != 0)
        return NULL;
    line += len + 1 + n;
    return *line == ' ' || !*line ? line + (*line == ' ') : NULL;
}

/* Where that process was; one that was born since then, where the first of them was. Null: nobody was moved into it. */
static const char *was_in(const struct undo *u, const struct wh_cgroup_dir *dir, pid_t pid)
{
    const char *first = NULL;
    char number[16];

    snprintf(number, sizeof number, "%d ", (int)pid);
    for (size_t i = 0; i < u->n; i++) {
        char *p = after(u->line[i], "moved", dir->controller), *from = p ? strchr(p, ' ') : NULL;

        if (!from)
            continue;
        first = first ? first : from + 1;
        if (wh_startswith(p, number))
            return from + 1;
    }
    return first;
}

static void undo_moves(const struct wh_cgroup *cg, const struct undo *u)
{
    int64_t deadline = wh_cg_now() + MOVE_MS;
    bool more = true;

    /* One that is not moved back yet bears its children here. */
    while (more && wh_cg_left(deadline) > 0) {
        more = false;
        for (uint32_t i = 0; i < cg->none; i++) {
            const struct wh_cgroup_dir *dir = &cg->one[i];
            struct moves moves = { 0 };
            struct wh_pids there = { 0 };

            if (dir->fd < 0 || !was_in(u, dir, 0) || wh_cg_collect(dir->fd, &there) < 0)
                continue;
            moves.v = calloc(there.n + 1, sizeof *moves.v);
            for (size_t k = 0; moves.v && k < there.n; k++)
                moves.v[moves.n++] = (struct moved){ there.v[k], (char *)(uintptr_t)was_in(u, dir, there.v[k]) };
            more |= moves.n > 0;
            move_back(dir, &moves);
            free(moves.v);
            free(there.v);
        }
    }
}

static bool undo_values(const struct wh_cgroup *cg, const struct undo *u, struct wh_err *err)
{
    struct old *old = calloc(u->n + 1, sizeof *old);
    bool done = old != NULL;
    size_t n = 0;

    for (size_t i = 0; old && i < u->n; i++) {
        char *controller = wh_startswith(u->line[i], "was ") ? u->line[i] + strlen("was ") : NULL, *file, *value;

        file = controller ? strchr(controller, ' ') : NULL;
        value = file ? strchr(file + 1, ' ') : NULL;
        if (!value)
            continue;
        *file = *value = '\0';
        old[n].value = value[1] ? value + 1 : (char *)(uintptr_t) "\n";
        /* The old value begins with the same device or word as the new one did. */
        old[n].extra = (struct wh_cg_write){ 0, controller, file + 1, old[n].value, 0 };
        old[n].w = &old[n].extra;
        n++;
    }
    /* The unit first, because systemd writes files. */
    if (old && cg->unit)
        done = set_unit_back(cg, old, n, err);
    if (old)
        done = restore(cg, old, n, err) && done;
    free(old);
    return done;
}

bool wh_cgroup_undo_wanted(int dir_fd)
{
    return faccessat(dir_fd, UNDO, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int undo_all(struct wh_cgroup *cg, const struct undo *u, const struct wh_cgroup_saver *save, struct wh_err *err)
{
    bool dropped = false, back;
    int r;

    wh_err_set(err, WH_ERR_HOST, -EIO, NULL, "an update was killed");
    undo_moves(cg, u);
    back = undo_values(cg, u, err);
    for (uint32_t i = cg->none; i-- > 0;)
        for (size_t k = 0; k < u->n; k++)
            if (after(u->line[k], "made", cg->one[i].controller)) {
                dropped |= remove_at(cg, i);
                break;
            }
    if (back)
        *err = (struct wh_err){ 0 };
    r = dropped ? save->save(save->data, cg, back ? err : NULL) : 0;
    /* What could not be brought back will not be later. */
    if (r == 0 && unlinkat(save->dir_fd, UNDO, 0) < 0)
        r = wh_err_sys(back ? err : NULL, -errno, "remove the journal of an update");
    return back ? r : -EIO;
}

int wh_cgroup_undo(struct wh_cgroup *cg, const struct wh_cgroup_saver *save, struct wh_err *err)
{
    struct undo u = { 0 };
    int r = read_undo(save->dir_fd, &u);

    if (r == 0)
        r = undo_all(cg, &u, save, err);
    else
        r = r == -ENOENT ? 0 : wh_err_sys(err, r, "read the journal of an update that was killed");
    undo_done(&u);
    return r;
}
