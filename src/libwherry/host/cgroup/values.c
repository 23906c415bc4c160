/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in the files of a cgroup, and what has to be written to have it so again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "host/cgroup/update.h"

/* Some files refuse a value as long as another one stands (memory and memsw, idle and weight): what is written back is looked at again. */
#define RESTORE_PASSES 4

#define TEXT_MAX 65536

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

void wh_cg_old_free(struct wh_cg_old *v, size_t n)
{
    for (size_t i = 0; v && i < n; i++)
        free(v[i].value);
    free(v);
}

/* 0, or -errno. */
static int read_old(const struct wh_cgroup *cg, struct wh_cg_old *o, struct wh_err *err)
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

struct wh_cg_old *wh_cg_old_read(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, size_t *ret_n,
                                 struct wh_err *err)
{
    struct wh_cg_old *all = calloc(2 * n + 1, sizeof *all);
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
            wh_cg_old_free(all, k);
            return NULL;
        }
    }
    *ret_n = k;
    return all;
}

/* Whether the file says what it said; true as well where that cannot be known. */
static bool is_back(const struct wh_cgroup *cg, const struct wh_cg_old *o)
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

const struct wh_cg_old *wh_cg_old_bring_back(const struct wh_cgroup *cg, const struct wh_cg_old *v, size_t n)
{
    const struct wh_cg_old *left = NULL;

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

bool wh_cg_old_restore(const struct wh_cgroup *cg, const struct wh_cg_old *v, size_t n, struct wh_err *err)
{
    const struct wh_cg_old *left = wh_cg_old_bring_back(cg, v, n);
    struct wh_err why = *err;

    if (!left)
        return true;
    *err = (struct wh_err){ 0 };
    wh_err_set(err, why.kind, why.code, why.path, "%s; and %s could not be set back to \"%s\"", why.msg, left->w->file,
               left->value);
    return false;
}
