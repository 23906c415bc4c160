/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "base/json-out.h"
#include "host/cgroup/stat.h"

static int open_container(wherry_ctx *ctx, const char *id, wherry_container **ret, struct wh_err *err)
{
    WH_CLEANUP_TARGET struct wh_target t;
    wherry_container *c;
    int r;

    wh_target_init(&t);
    r = wh_target_open(&t, ctx, id, false, err);
    if (r < 0)
        return r;
    c = calloc(1, sizeof *c);
    if (!c)
        return wh_err_sys(err, -ENOMEM, "open container %s", id);
    c->arena = t.arena;
    t.arena = NULL;
    c->state = t.state;
    c->status = t.status;
    c->dir_fd = wh_take_fd(&t.dir_fd);
    *ret = c;
    return 0;
}

int wherry_container_open(wherry_ctx *ctx, const char *id, wherry_container **ret, wherry_error **reterr)
{
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    *ret = NULL;
    r = open_container(ctx, id, ret, &err);
    return r < 0 ? wh_api_fail(reterr, &err, WH_NO_STEP) : 0;
}

void wherry_container_free(wherry_container *c)
{
    if (!c)
        return;
    wh_close(c->dir_fd);
    wh_arena_free(c->arena);
    free(c->owner);
    free(c);
}

const char *wherry_container_id(const wherry_container *c)
{
    return c->state.id;
}

int wherry_container_pid(const wherry_container *c)
{
    return c->status == WH_STATUS_STOPPED ? 0 : c->state.pid;
}

const char *wherry_container_status(const wherry_container *c)
{
    return wh_status_name(c->status);
}

const char *wherry_container_bundle(const wherry_container *c)
{
    return c->state.bundle;
}

const char *wherry_container_rootfs(const wherry_container *c)
{
    return c->state.rootfs;
}

const char *wherry_container_created(const wherry_container *c)
{
    return c->state.created;
}

/* Name of the owner of the state directory, or #uid. From /etc/passwd alone: getpwuid(3) would load whatever modules
 * nsswitch.conf(5) names into a privileged process, to print a column of `list`. */
static char *owner_name(int dir_fd)
{
    int fd = openat(AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC);
    FILE *passwd = fd < 0 ? NULL : fdopen(fd, "re");
    struct passwd pw, *found = NULL;
    char buf[4096], *name = NULL;
    struct stat st;

    if (!passwd)
        wh_close(fd);
    if (fstat(dir_fd, &st) == 0) {
        while (passwd && !name && fgetpwent_r(passwd, &pw, buf, sizeof buf, &found) == 0)
            name = pw.pw_uid == st.st_uid ? strdup(pw.pw_name) : NULL;
        if (!name && asprintf(&name, "#%u", st.st_uid) < 0)
            name = NULL;
    }
    if (passwd)
        fclose(passwd);
    return name;
}

const char *wherry_container_owner(const wherry_container *c)
{
    wherry_container *w = (wherry_container *)(uintptr_t)c;

    /* Asked for by `list` alone. */
    if (!c->owner)
        w->owner = owner_name(c->dir_fd);
    return c->owner ? c->owner : "";
}

static int add(wherry_container ***list, size_t *n, size_t *cap, wherry_container *c)
{
    if (*n + 1 >= *cap) {
        size_t want = *cap ? *cap * 2 : 16;
        wherry_container **more = realloc(*list, want * sizeof *more);

        if (!more)
            return -ENOMEM;
        *list = more;
        *cap = want;
    }
    (*list)[(*n)++] = c;
    (*list)[*n] = NULL;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(wherry_container *const *)a)->state.id, (*(wherry_container *const *)b)->state.id);
}

static int list_dir(wherry_ctx *ctx, DIR *dir, wherry_container ***list, size_t *n, struct wh_err *err)
{
    struct dirent *de;
    size_t cap = 0;

    while ((errno = 0, de = readdir(dir))) {
        struct wh_err one = { 0 };
        wherry_container *c = NULL;
        int r;

        if (de->d_name[0] == '.')
            continue;
        r = open_container(ctx, de->d_name, &c, &one);
        if (r == 0)
            r = add(list, n, &cap, c);
        if (r == -ENOMEM) {
            wherry_container_free(c);
            return wh_err_sys(err, r, "list containers");
        }
        /* -ENOENT: being made, or gone since. */
        if (r < 0 && r != -ENOENT)
            wh_api_log(ctx, WHERRY_LOG_WARNING, "load container %s: %s", de->d_name, one.msg);
    }
    return errno ? wh_err_sys(err, -errno, "list containers") : 0;
}

int wherry_list(wherry_ctx *ctx, wherry_container ***ret, wherry_error **reterr)
{
    wherry_container **list = calloc(1, sizeof *list);
    struct wh_err err = { 0 };
    DIR *dir = NULL;
    size_t n = 0;
    int fd, r = 0;

    if (reterr)
        *reterr = NULL;
    *ret = NULL;
    fd = wh_store_root(ctx->root, false, &err);
    if (!list)
        r = wh_err_sys(&err, -ENOMEM, "list containers");
    else if (fd < 0 && err.code)
        r = fd;
    else if (fd >= 0) {
        dir = fdopendir(fd);
        r = dir ? list_dir(ctx, dir, &list, &n, &err) : wh_err_sys(&err, -errno, "list containers");
    }
    if (dir)
        closedir(dir);
    else
        wh_close(fd);
    if (r < 0) {
        for (size_t i = 0; i < n; i++)
            wherry_container_free(list[i]);
        free(list);
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    if (n > 1)
        qsort(list, n, sizeof *list, by_id);
    *ret = list;
    return 0;
}

static void verbose(const wherry_container *c, struct wh_json *j)
{
    WH_CLEANUP_FD int fd = openat(c->dir_fd, "mbox", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct wh_memory memory;
    struct wh_cgroup cg;
    struct wh_mbox mbox;

    wh_json_str(j, "cgroup", c->state.cgroup_path ? c->state.cgroup_path : "");
    wh_cgroup_init(&cg);
    if (wh_cgroup_load(&cg, c->state.cgroup, strlen(c->state.cgroup), NULL) == 0 &&
        wh_cgroup_memory(&cg, &memory) == 0 && memory.kills > 0)
        wh_memory_json(&memory, "oom", j);
    wh_cgroup_done(&cg);
    wh_json_open(j, "init", '{');
    wh_json_u64(j, "pid", (uint64_t)c->state.pid);
    if (c->state.identity.start)
        wh_json_u64(j, "startTime", c->state.identity.start);
    if (c->state.identity.ino)
        wh_json_u64(j, "pidfdInode", c->state.identity.ino);
    wh_json_u64(j, "pidNamespace", c->state.pidns);
    wh_json_str(j, "bootId", c->state.boot_id);
    wh_json_close(j, '}');
    wh_json_open(j, "fallbacks", '[');
    if (fd >= 0 && wh_mbox_read(fd, &mbox) == 0)
        for (unsigned i = 0; i < WH_ELEMENTSOF(mbox.alt_taken) * 64; i++)
            if (mbox.alt_taken[i / 64] >> (i % 64) & 1)
                wh_json_u64(j, NULL, i);
    wh_json_close(j, ']');
}

int wherry_container_state(const wherry_container *c, uint32_t flags, char **ret_json, wherry_error **reterr)
{
    struct wh_buf out = { 0 };
    struct wh_json j = { .out = &out, .indent = flags & WHERRY_STATE_COMPACT ? 0 : 2 };
    struct wh_err err = { 0 };

    if (reterr)
        *reterr = NULL;
    wh_json_open(&j, NULL, '{');
    wh_json_str(&j, "ociVersion", wherry_spec_version());
    wh_json_str(&j, "id", c->state.id);
    wh_json_u64(&j, "pid", (uint64_t)wherry_container_pid(c));
    wh_json_str(&j, "status", wh_status_name(c->status));
    wh_json_str(&j, "bundle", c->state.bundle);
    wh_json_str(&j, "rootfs", c->state.rootfs);
    wh_json_str(&j, "created", c->state.created);
    if (c->state.nannotations > 0) {
        wh_json_open(&j, "annotations", '{');
        for (size_t i = 0; i < c->state.nannotations; i++)
            wh_json_str(&j, c->state.annotations[i].key, c->state.annotations[i].value);
        wh_json_close(&j, '}');
    }
    if (flags & WHERRY_STATE_VERBOSE)
        verbose(c, &j);
    wh_json_str(&j, "owner", flags & WHERRY_STATE_OWNER ? wherry_container_owner(c) : "");
    wh_json_close(&j, '}');
    if (out.failed || !out.data) {
        wh_buf_done(&out);
        wh_err_sys(&err, -ENOMEM, "write the state");
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    *ret_json = out.data;
    return 0;
}

int wherry_explain(wherry_ctx *ctx, const struct wherry_create_opts *opts, uint32_t flags, char **ret_text,
                   wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    WH_CLEANUP_LOAD struct wh_load l;
    struct wh_buf out = { 0 };
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    *ret_text = NULL;
    wh_load_init(&l);
    r = wh_api_opts(&l.opts, sizeof l.opts, opts, &err);
    if (r == 0)
        r = wh_load_spec(&l, 0, &err);
    if (r == 0)
        r = wh_load_plan(&l, ctx, WH_VERB_EXPLAIN, "ID", -1, &err);
    if (r < 0)
        return wh_load_fail(&l, &err, WH_NO_STEP, reterr);
    wh_explain(l.plan, l.spec, flags & WHERRY_EXPLAIN_JSON ? WH_EXPLAIN_JSON : 0, &out);
    if (out.failed || !out.data) {
        wh_buf_done(&out);
        wh_err_sys(&err, -ENOMEM, "explain");
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    *ret_text = out.data;
    wh_load_warnings(&l, ctx);
    return 0;
}
