/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing the limits of a container. What it has now is what the kernel says: no copy of ours can be out of date. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/intelrdt.h"
#include "plan/compile-resources.h"

/* How long another update of the same container is waited for. */
#define LOCK_MS 10000

struct updating {
    struct wherry_update_opts opts;
    struct wh_target target;
    struct wh_arena *arena;
    struct wh_errlist *errs;
    struct wh_buf config, text;
    struct wh_spec *spec, *changes; /* config.json as create read it; what is asked for */
    struct wh_facts facts;
    int lock_fd;
};

static void updating_done(struct updating *u)
{
    wh_closep(&u->lock_fd);
    wh_buf_done(&u->config);
    wh_buf_done(&u->text);
    wh_spec_free(u->spec);
    wh_spec_free(u->changes);
    wh_target_done(&u->target);
    wh_arena_free(u->arena);
    free(u->errs);
}

static int refuse(const struct updating *u, struct wh_err *err)
{
    if (u->target.status == WH_STATUS_STOPPED)
        return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL, "container not running");
    if (!wh_cgroup_exists(&u->target.cgroup))
        return wh_err_set(err, WH_ERR_STATE, -EOPNOTSUPP, NULL,
                          "cgroup not exist: the container was created without one (--cgroup-manager=disabled, or no "
                          "permission to make one)");
    return 0;
}

/* ---- reading ---- */

static int load_changes(struct updating *u, struct wh_err *err)
{
    const struct wherry_update_opts *o = &u->opts;
    const char *name = o->resources ? o->resources : "resources.json", *base = strrchr(name, '/');
    const char *data = o->resources_data;
    size_t len = o->resources_len;
    int r;

    if (!data && !o->resources)
        return 0;
    if (!data) {
        r = wh_load_file(AT_FDCWD, name, 0, -1, &u->text, err);
        if (r == -ENOENT && err->code == 0)
            return wh_err_sys(err, r, "open resources file %s", name);
        if (r < 0)
            return r;
        data = u->text.data;
        len = u->text.len;
    }
    return wh_spec_parse_resources(data, len, base && base[1] ? base + 1 : name, &u->changes, u->errs);
}

static int load_config(struct updating *u, struct wh_err *err)
{
    int r = wh_load_file(u->target.dir_fd, "config.json", O_NOFOLLOW, -1, &u->config, err);

    if (r == -ENOENT && err->code == 0)
        return wh_err_set(err, WH_ERR_STATE, r, NULL, "the configuration of container %s was not kept",
                          u->target.state.id);
    return r < 0 ? r : wh_spec_parse(u->config.data, u->config.len, "config.json", 0, &u->spec, u->errs);
}

/* Of two updates the second begins with what the first has left. Not the lock of the directory: a delete must not wait for us. */
static int lock(struct updating *u, const char *id, struct wh_err *err)
{
    int r;

    u->lock_fd = openat(u->target.dir_fd, "config.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (u->lock_fd < 0)
        return errno == ENOENT ? 0 : wh_err_sys(err, -errno, "lock container %s", id);
    r = wh_store_lock(u->lock_fd, LOCK_MS);
    if (r == -ENOENT)
        return wh_err_set(err, WH_ERR_STATE, r, NULL, "container does not exist");
    if (r == -EBUSY)
        return wh_err_set(err, WH_ERR_STATE, r, NULL, "container %s is being updated by another process", id);
    return r < 0 ? wh_err_sys(err, r, "lock container %s", id) : 0;
}

/* ---- what is there already ---- */

/* The n-th word of a file as a number; -1 for "max" and, on v1, for the largest one; false without it. */
static bool now(const struct updating *u, const char *controller, const char *file, unsigned nth, int64_t *ret)
{
    char text[128], *w = text;
    uint64_t v;

    if (wh_cgroup_read(&u->target.cgroup, controller, file, text, sizeof text - 1) < 0)
        return false;
    for (; nth > 0 && *w; nth--) {
        w += strcspn(w, " \n");
        w += *w == ' ';
    }
    w[strcspn(w, " \n")] = '\0';
    if (wh_streq(w, "max")) {
        *ret = -1;
        return true;
    }
    if (wh_parse_u64(w, INT64_MAX, &v) < 0)
        return false;
    /* v1 counts pages in a signed long. */
    *ret = v > (uint64_t)INT64_MAX - (1u << 20) ? -1 : (int64_t)v;
    return true;
}

/* The limit of memory, and of memory and swap together, as config.json counts them; -1: none. */
static void memory_now(const struct updating *u, int64_t *ret_limit, int64_t *ret_total)
{
    int64_t swap, total;

    *ret_limit = *ret_total = -1;
    if (now(u, "memory", "memory.limit_in_bytes", 0, ret_limit)) {
        (void)now(u, "memory", "memory.memsw.limit_in_bytes", 0, ret_total);
    } else if (now(u, "unified", "memory.max", 0, ret_limit) && *ret_limit >= 0 &&
               now(u, "unified", "memory.swap.max", 0, &swap) && swap >= 0) {
        *ret_total = __builtin_add_overflow(*ret_limit, swap, &total) ? INT64_MAX : total;
    }
}

/* What is given in part stands beside the container's present other part. */
static void merge(struct updating *u, struct wh_resources *r)
{
    const struct wh_resources *old = &u->spec->linux_.resources;
    int64_t limit, total, v;

    memory_now(u, &limit, &total);
    if (r->memory.swap.v > 0 && !r->memory.limit.v && limit >= 0)
        r->memory.limit = (struct wh_opt_i64){ .set = true, .src = r->memory.swap.src, .v = limit };
    else if (r->memory.limit.v > 0 && !r->memory.swap.v && total >= 0)
        r->memory.swap = (struct wh_opt_i64){ .set = true, .src = r->memory.limit.src, .v = total };
    if (!r->memory.check_before_update.set)
        r->memory.check_before_update = old->memory.check_before_update;
    /* One file in cgroup2. */
    if (r->cpu.quota.v && !r->cpu.period.v && now(u, "unified", "cpu.max", 1, &v) && v > 0)
        r->cpu.period = (struct wh_opt_u64){ .set = true, .src = r->cpu.quota.src, .v = (uint64_t)v };
    else if (r->cpu.period.v && !r->cpu.quota.v && now(u, "unified", "cpu.max", 0, &v))
        r->cpu.quota = (struct wh_opt_i64){ .set = true, .src = r->cpu.period.src, .v = v };
    /* Device plug-ins have perhaps put a program of their own in the place of ours, and engines send all that they know: neither of these
     * is a change (contract of runc's update). */
    r->devices.n = r->hugepages.n = r->rdma.n = r->network.nprio = 0;
    r->network.class_id = (struct wh_opt_u32){ 0 };
}

/* With more memory to come, the swap first: less memory before there is more swap would push out what could stay, and the other way round. */
static void order(const struct updating *u, struct wh_cg_writes *w)
{
    int64_t limit;
    uint64_t v;

    for (size_t i = 0; i + 1 < w->n; i++)
        if (wh_streq(w->v[i].file, "memory.max") && wh_streq(w->v[i + 1].file, "memory.swap.max") &&
            now(u, "unified", "memory.max", 0, &limit) && limit >= 0 &&
            (wh_parse_u64(w->v[i].value, UINT64_MAX, &v) < 0 || v > (uint64_t)limit)) {
            struct wh_cg_write first = w->v[i];

            w->v[i] = w->v[i + 1];
            w->v[i + 1] = first;
            return;
        }
}

/* ---- doing it ---- */

static int save_within(int ms, struct wh_target *t, const struct wh_cgroup *cg, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf cgroup = { 0 }, text = { 0 };
    WH_CLEANUP_FD int dir = openat(t->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 ? -errno : wh_store_lock(dir, ms);

    /* A delete that has read the state already removes what stood in it then, and nothing that is made now. */
    if (r == -ENOENT)
        return wh_err_set(err, WH_ERR_STATE, r, NULL, "container does not exist");
    if (r == -EBUSY)
        return wh_err_set(err, WH_ERR_STATE, r, NULL, "container %s is being started or deleted by another process",
                          t->state.id);
    if (r < 0)
        return wh_err_sys(err, r, "lock container %s", t->state.id);
    wh_cgroup_save(cg, &cgroup);
    t->state.cgroup = wh_arena_strndup(t->arena, cgroup.data ? cgroup.data : "", cgroup.len);
    if (cgroup.failed || !t->state.cgroup)
        return wh_err_sys(err, -ENOMEM, "save the state of container %s", t->state.id);
    wh_state_write(&t->state, &text);
    r = wh_mark_write(t->root_fd, &t->state, err);
    return r < 0 ? r : wh_store_write(t->dir_fd, "state.json", &text, err);
}

static int save(void *data, const struct wh_cgroup *cg, struct wh_err *err)
{
    return save_within(LOCK_MS, data, cg, err);
}

static int save_at_once(void *data, const struct wh_cgroup *cg, struct wh_err *err)
{
    return save_within(0, data, cg, err);
}

/* Also by commands that wait for nobody (state, kill): whoever comes later tries again. */
static int undo(struct wh_target *t, struct wh_err *err)
{
    const struct wh_cgroup_saver how = { save_at_once, t, t->dir_fd };

    return wh_cgroup_undo(&t->cgroup, &how, err);
}

int wh_api_undo_update(struct wh_target *t, const wherry_ctx *ctx, const char *id, struct wh_err *err)
{
    WH_CLEANUP_FD int lock_fd = -1;
    struct wh_err why = { 0 };
    int r;

    /* Without processes there is nothing that anybody would miss. */
    if (t->pidfd < 0 || !wh_cgroup_undo_wanted(t->dir_fd))
        return 0;
    /* A unit: whoever can reach systemd does it, at the latest the next update. */
    if (wh_cgroup_ready(&t->cgroup, &why) < 0)
        return 0;
    lock_fd = openat(t->dir_fd, "config.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    /* It is not dead. */
    if (lock_fd < 0 || wh_store_lock(lock_fd, 0) < 0)
        return 0;
    r = wh_target_look(t, id, false, err);
    if (r == 0 && t->pidfd >= 0 && undo(t, &why) < 0)
        wh_api_log(ctx, WHERRY_LOG_WARNING, "%s", why.msg);
    return r;
}

static int load(struct updating *u, wherry_ctx *ctx, const char *id, struct wh_err *err)
{
    struct wh_target *t = &u->target;
    int r = wh_target_open(t, ctx, id, false, err);

    u->arena = wh_arena_new();
    u->errs = calloc(1, sizeof *u->errs);
    if (r == 0 && (!u->arena || !u->errs))
        r = wh_err_sys(err, -ENOMEM, "update container %s", id);
    if (r == 0)
        r = refuse(u, err);
    /* Before anything is read that can be read only once (a pipe), for whoever does it instead of us. */
    if (r == 0)
        r = wh_cgroup_ready(&t->cgroup, err);
    if (r == 0)
        r = lock(u, id, err);
    if (r == 0)
        r = wh_target_look(t, id, false, err);
    if (r == 0)
        r = refuse(u, err);
    if (r == 0)
        r = undo(t, err);
    if (r == 0)
        r = load_config(u, err);
    if (r == 0)
        r = load_changes(u, err);
    if (r == 0)
        r = wh_facts_probe(t->proc_fd, 0, u->arena, &u->facts, err);
    if (r == 0 && (u->facts.euid != 0 || u->facts.in_userns))
        wh_facts_delegation(t->cgroup.two.path, u->arena, &u->facts);
    return r;
}

static int update(struct updating *u, struct wh_err *err)
{
    const struct wh_cgroup_saver how = { save, &u->target, u->target.dir_fd };
    struct wh_compile c = { .spec = u->changes, .facts = &u->facts, .arena = u->arena, .errs = u->errs };
    struct wh_cg_writes w = { 0 };
    char where[160];
    wh_node src = 0;
    int r;

    if (!u->changes)
        return 0;
    /* Which version of the specification the numbers are meant in. */
    u->changes->oci_version = u->spec->oci_version;
    merge(u, &u->changes->linux_.resources);
    wh_compile_resources(&c, &u->changes->linux_.resources, WH_RES_HOST, &w);
    if (wh_arena_failed(u->arena))
        return wh_err_sys(err, -ENOMEM, "update container %s", u->target.state.id);
    if (c.failed)
        return -EINVAL;
    order(u, &w);
    r = wh_cgroup_update(&u->target.cgroup, w.v, w.n, &u->facts, u->target.proc_fd, &how, &src, err);
    if (r < 0 && src)
        snprintf(err->path, sizeof err->path, "%s", wh_spec_where(u->changes, src, where, sizeof where));
    return r;
}

/* The lines of Intel RDT, and the rest; the lines as they were if that fails. */
static int update_all(struct updating *u, struct wh_err *err)
{
    const char *l3 = u->opts.l3_cache_schema, *mb = u->opts.mem_bw_schema;
    struct wh_rdt_fs fs = { .fd = -1 };
    struct wh_err none = { 0 };
    char *old = NULL;
    int r;

    l3 = l3 && *l3 ? l3 : NULL;
    mb = mb && *mb ? mb : NULL;
    if (!l3 && !mb)
        return update(u, err);
    /* Without a mount there is no such resource, and that is what is said. */
    (void)wh_rdt_find(u->target.proc_fd, &fs, &none);
    r = wh_rdt_update(&fs, u->target.dir_fd, l3, mb, &old, err);
    if (r == 0) {
        r = update(u, err);
        if (r < 0)
            wh_rdt_put_back(&fs, u->target.dir_fd, old);
    }
    free(old);
    wh_close(fs.fd);
    return r;
}

int wherry_update(wherry_ctx *ctx, const char *id, const struct wherry_update_opts *opts, wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    struct updating u = { .lock_fd = -1 };
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    wh_target_init(&u.target);
    r = wh_api_opts(&u.opts, sizeof u.opts, opts, &err);
    if (r == 0)
        r = load(&u, ctx, id, &err);
    if (r == 0)
        r = update_all(&u, &err);
    if (r == 0)
        WH_INFO("container %s was updated", id);
    if (r < 0)
        r = !err.code && u.errs ? wh_api_fail_list(reterr, u.errs) : wh_api_fail(reterr, &err, WH_NO_STEP);
    updating_done(&u);
    return r;
}
