/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing what compile decided: limits into the files of the container's cgroup, and the device program. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/arena.h"
#include "base/fd.h"
#include "host/cgroup/cgroup.h"
#include "host/cgroup/internal.h"

/* Writes that wait for another (WH_CGW_RETRY): a period and a burst wait for their quota, and no more. */
#define DEFERRED_MAX 4

/* Refuses what the kernel would do by reclaiming and killing. */
static int check_use(const struct wh_cgroup_dir *dir, const struct wh_cg_write *w, struct wh_err *err)
{
    char file[64], now[32];
    size_t stem = strlen(w->file) - strlen("max");
    uint64_t used, wanted;
    ssize_t n;

    if (stem + sizeof "current" > sizeof file)
        return 0;
    memcpy(file, w->file, stem);
    memcpy(file + stem, "current", sizeof "current");
    n = wh_read_at(dir->fd, file, now, sizeof now - 1);
    if (n == -ENOENT)
        return 0;
    if (n < 0)
        return wh_err_sys(err, (int)n, "read %s of cgroup %s%s", file, dir->mount, dir->path);
    now[strcspn(now, "\n")] = '\0';
    if (wh_parse_u64(now, UINT64_MAX, &used) < 0 || wh_parse_u64(w->value, UINT64_MAX, &wanted) < 0 || used <= wanted)
        return 0;
    return wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL,
                      "write \"%s\" to %s of cgroup %s%s: current usage is %llu, and checkBeforeUpdate is set",
                      w->value, w->file, dir->mount, dir->path, (unsigned long long)used);
}

/* 1 when the file is not there and may be. */
static int write_one(const struct wh_cgroup *cg, const struct wh_cg_write *w, struct wh_err *err)
{
    const struct wh_cgroup_dir *dir = wh_streq(w->controller, "unified") ? &cg->two : wh_cg_v1_find(cg, w->controller);
    int r;

    /* Compile has refused it already; the directory is the container's boundary, so it is asked twice (I14). */
    if (!dir || dir->fd < 0 || strchr(w->file, '/'))
        return wh_err_set(err, WH_ERR_HOST, -ENOTDIR, NULL,
                          "write \"%s\" to cgroup file %s: no such file of the container's", w->value, w->file);
    if (w->flags & WH_CGW_ABOVE_USE) {
        r = check_use(dir, w, err);
        if (r < 0)
            return r;
    }
    r = wh_write_at(dir->fd, w->file, w->value);
    if (r == -ENOENT && w->flags & WH_CGW_MAY_LACK)
        return 1;
    if (r == -ENOENT)
        return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, NULL,
                          "write \"%s\" to %s of cgroup %s%s: this kernel has no such file", w->value, w->file,
                          dir->mount, dir->path);
    if (r < 0)
        return wh_cg_refused(dir, w, r, err);
    WH_DEBUG("wrote \"%s\" to %s of cgroup %s%s", w->value, w->file, dir->mount, dir->path);
    return 0;
}

int wh_cgroup_write(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, size_t *ret_failed,
                    struct wh_err *err)
{
    size_t deferred[DEFERRED_MAX], ndeferred = 0;
    bool lacked = false;

    for (size_t i = 0; i < n; i++) {
        struct wh_err why = { 0 };
        int r;

        *ret_failed = i;
        if (v[i].flags & WH_CGW_ELSE && !lacked)
            continue;
        r = write_one(cg, &v[i], &why);
        lacked = r == 1;
        if (r == -EINVAL && v[i].flags & WH_CGW_RETRY && i + 1 < n && ndeferred < DEFERRED_MAX) {
            deferred[ndeferred++] = i;
            continue;
        }
        for (size_t k = 0; r >= 0 && k < ndeferred && !(v[i].flags & WH_CGW_RETRY); k++) {
            *ret_failed = deferred[k];
            r = write_one(cg, &v[deferred[k]], &why);
        }
        if (r < 0) {
            if (err)
                *err = why;
            return r;
        }
        if (!(v[i].flags & WH_CGW_RETRY))
            ndeferred = 0;
    }
    return 0;
}

void wh_cgroup_preload(struct wh_cgroup *cg, const struct wh_plan *plan)
{
    const struct wh_step *s = wh_plan_first_host(plan);

    for (uint32_t i = 0; wh_cgroup_exists(cg) && i < plan->nhost; i++, s = wh_step_next(s))
        if (s->op == WH_OP_DEV_BPF) {
            const struct wh_step_dev_bpf *a = (const void *)s;

            cg->devices_fd = wh_cg_load_devices(wh_plan_at(plan, a->insns.off), a->insns.len, NULL);
            return; /* negative is empty, whatever the number */
        }
}

static int apply_devices(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step_dev_bpf *a,
                         struct wh_err *err)
{
    WH_CLEANUP_FD int prog = wh_take_fd(&cg->devices_fd);

    if (prog < 0)
        prog = wh_cg_load_devices(wh_plan_at(plan, a->insns.off), a->insns.len, err);
    return prog < 0 ? prog : wh_cg_attach_devices(cg->two.fd, prog, cg->two.fresh, err);
}

/* The unit began with room for both processes of init (wh_compile_unit_limit), of which the second is left. systemd
 * writes pids.max itself, so this comes before our own writes. */
static int narrow_unit(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, size_t *ret_at,
                       struct wh_err *err)
{
    wh_node src = 0;
    int r = 0;

    for (size_t i = 0; cg->unit && i < n && r == 0; i++)
        if (wh_streq(v[i].file, "pids.max") && (wh_streq(v[i].value, "0") || wh_streq(v[i].value, "1"))) {
            *ret_at = i;
            r = wh_cg_unit_set(cg, &v[i], 1, &src, err);
        }
    return r;
}

int wh_cgroup_apply(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step **ret_step,
                    struct wh_err *err)
{
    const struct wh_step *s = wh_plan_first_host(plan);
    WH_CLEANUP_ARENA struct wh_arena *arena = NULL;
    const struct wh_step **from;
    struct wh_cg_write *v;
    const struct wh_step *devices = NULL, *failed = NULL;
    size_t n = 0, at = 0;
    int r;

    if (!wh_cgroup_exists(cg))
        return 0;
    arena = wh_arena_new();
    v = arena ? wh_arena_new_array(arena, struct wh_cg_write, plan->nhost + 1) : NULL;
    from = arena ? wh_arena_new_array(arena, const struct wh_step *, plan->nhost + 1) : NULL;
    if (!v || !from)
        return wh_err_sys(err, -ENOMEM, "cgroup");
    for (uint32_t i = 0; i < plan->nhost; i++, s = wh_step_next(s)) {
        if (s->op == WH_OP_CG_WRITE) {
            const struct wh_step_cg_write *a = (const void *)s;

            from[n] = s;
            v[n++] = (struct wh_cg_write){ s->src, wh_plan_str(plan, a->controller), wh_plan_str(plan, a->file),
                                           wh_plan_str(plan, a->value), a->flags };
        } else if (s->op == WH_OP_DEV_BPF) {
            devices = s;
        }
    }
    r = narrow_unit(cg, v, n, &at, err);
    if (r == 0)
        r = wh_cgroup_write(cg, v, n, &at, err);
    if (r < 0)
        failed = from[at];
    if (r == 0 && devices) {
        failed = devices;
        r = apply_devices(cg, plan, (const void *)devices, err);
    }
    if (r == 0)
        r = wh_cg_payload_hand_over(cg, plan, &failed, err);
    if (r < 0 && ret_step)
        *ret_step = failed;
    return r;
}
