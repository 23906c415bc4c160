/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The systemd driver: systemd makes the cgroup, as that of a transient unit, and removes it; what is inside is done as without it. A unit is
 * made with its first process: wherry-init's, which waits for our word all the while.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/cgroup/internal.h"
#include "host/cgroup/unit.h"
#include "host/waits.h"

/* How long systemd has to see that a unit is empty, where we cannot talk to it. */
#define NOTICE_MS 3000

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

static struct wh_unit_ref ref(const struct wh_cgroup *cg)
{
    return (struct wh_unit_ref){ cg->unit, cg->unit_user ? cg->user_bus : SYSTEM_BUS, cg->cancel_fd };
}

int wh_cg_unit_plan(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step_cg_unit *s)
{
    cg->unit = strdup(wh_plan_str(plan, s->unit));
    cg->unit_user = wh_streq(wh_plan_str(plan, s->manager), "user");
    return cg->unit ? 0 : -ENOMEM;
}

/* unit MANAGER NAME */
void wh_cg_unit_save(const struct wh_cgroup *cg, struct wh_buf *out)
{
    if (cg->unit)
        wh_buf_printf(out, "unit %s %s\n", cg->unit_user ? "user" : "system", cg->unit);
}

int wh_cg_unit_parse(struct wh_cgroup *cg, const char *line)
{
    const char *name = strrchr(line, ' ') + 1;
    bool user = wh_startswith(line, "unit user "), system = wh_startswith(line, "unit system ");

    if (cg->unit || (!user && !system) || name != line + strlen(user ? "unit user " : "unit system ") || !*name ||
        strlen(name) > 255 || strchr(name, '/') || !strchr(name, '.'))
        return -EINVAL;
    cg->unit_user = user;
    cg->unit_made = true;
    cg->unit = strdup(name);
    return cg->unit ? 0 : -ENOMEM;
}

int wh_cgroup_ready(const struct wh_cgroup *cg, struct wh_err *err)
{
    struct wh_sdbus sd;
    int r = cg->unit ? wh_sdbus_load(&sd, err) : 0;

    /* Removing works without the bus as well; see below. */
    return r;
}

/* Where systemd has put the process; it may be of another mind than we about where that is. */
static int verify(const struct wh_cgroup *cg, int proc_fd, pid_t pid, struct wh_err *err)
{
    char file[32], text[8192], *line, *end;
    ssize_t n;

    snprintf(file, sizeof file, "%d/cgroup", (int)pid);
    n = wh_read_at(proc_fd, file, text, sizeof text - 1);
    if (n < 0)
        return wh_err_sys(err, (int)n, "look at the cgroup of the container's process");
    text[n] = '\0';
    line = wh_startswith(text, "0::") ? text : strstr(text, "\n0::");
    line = line ? strchr(line, '/') : NULL;
    end = line ? strchr(line, '\n') : NULL;
    if (!end)
        return wh_err_set(err, WH_ERR_HOST, -EPROTO, NULL, "the container's process has no cgroup");
    *end = '\0';
    if (!wh_streq(line, cg->two.path))
        return wh_err_set(err, WH_ERR_HOST, -EPROTO, NULL, "systemd has put unit %s into cgroup %.200s, not %.200s",
                          cg->unit, line, cg->two.path);
    return 0;
}

static int open_made(struct wh_cgroup *cg, struct wh_err *err)
{
    int r = wh_cg_open_mount(&cg->two);

    if (r == 0)
        r = wh_cg_open_dir(&cg->two, &cg->two.id);
    if (r < 0)
        return wh_err_sys(err, r, "open cgroup %s%s, which systemd has made", cg->two.mount, cg->two.path);
    cg->two.made = 1;
    cg->two.fresh = true;
    return 0;
}

/* With Delegate= systemd makes those of its own controllers, and knows nothing of others (cpuset, hugetlb, net_cls). */
static int make_v1(struct wh_cgroup *cg, pid_t pid, struct wh_err *err)
{
    int r = 0;

    for (uint32_t i = 0; i < cg->none && r == 0; i++) {
        wh_closep(&cg->one[i].fd);
        r = wh_cg_look(&cg->one[i], err);
        if (r == 0 && cg->one[i].fd < 0)
            r = wh_cg_v1_make(&cg->one[i], err);
    }
    return r == 0 ? wh_cgroup_attach(cg, pid, err) : r;
}

/* systemd puts processes into scopes only. */
static int enter_slice(const struct wh_cgroup *cg, pid_t pid, struct wh_err *err)
{
    char text[24];
    int r;

    snprintf(text, sizeof text, "%d", (int)pid);
    r = wh_write_at(cg->two.fd, "cgroup.procs", text);
    return r < 0 ? wh_err_sys(err, r, "put the process into cgroup %s%s", cg->two.mount, cg->two.path) : 0;
}

/* The properties of the plan. */
static int planned(const struct wh_plan *plan, struct wh_arena *arena, struct wh_unit_props *ret)
{
    const struct wh_step *s = wh_plan_first_host(plan);
    struct wh_unit_prop *v = arena ? wh_arena_new_array(arena, struct wh_unit_prop, plan->nhost + 1) : NULL;

    if (!v)
        return -ENOMEM;
    *ret = (struct wh_unit_props){ v, 0 };
    for (uint32_t i = 0; i < plan->nhost; i++, s = wh_step_next(s)) {
        const struct wh_step_cg_prop *a = (const void *)s;
        const wh_off *text;
        const char **texts;

        if (s->op != WH_OP_CG_PROP)
            continue;
        text = wh_plan_at(plan, a->values.off);
        texts = wh_arena_new_array(arena, const char *, a->values.n + 1);
        if (!texts)
            return -ENOMEM;
        for (uint32_t k = 0; k < a->values.n; k++)
            texts[k] = wh_plan_str(plan, text[k]);
        v[ret->n++] =
            (struct wh_unit_prop){ s->src, wh_plan_str(plan, a->name), wh_plan_str(plan, a->type), texts, a->values.n };
    }
    return 0;
}

int wh_cgroup_place(struct wh_cgroup *cg, const struct wh_plan *plan, int proc_fd, pid_t pid, wh_node *ret_src,
                    struct wh_err *err)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = NULL;
    struct wh_unit_ref unit = ref(cg);
    struct wh_unit_props props;
    struct wh_sdbus sd;
    bool slice, asked = false;
    size_t len;
    int r;

    if (!cg->unit)
        return wh_cgroup_attach(cg, pid, err);
    len = strlen(cg->unit);
    slice = len > strlen(".slice") && wh_streq(cg->unit + len - strlen(".slice"), ".slice");
    r = wh_sdbus_load(&sd, err);
    if (r < 0)
        return r;
    arena = wh_arena_new();
    r = planned(plan, arena, &props);
    if (r < 0)
        return wh_err_sys(err, r, "start unit %s", cg->unit);
    r = wh_unit_start(&sd, &unit, &props, slice ? 0 : pid, wh_waits.unit, &asked, ret_src, err);
    /* Another's is nothing to be undone, nor what systemd was never asked for. */
    cg->unit_made = asked && r != -EEXIST;
    if (r == 0)
        r = open_made(cg, err);
    if (r == 0 && slice)
        r = enter_slice(cg, pid, err);
    if (r == 0)
        r = verify(cg, proc_fd, pid, err);
    if (r == 0)
        r = make_v1(cg, pid, err);
    if (r == 0 && cg->enable)
        r = wh_cg_enable(&cg->two, cg->enable, err);
    /* systemd turns on those that the unit's properties name. */
    if (r == 0)
        wh_cg_account(cg);
    if (r == 0 && cg->sub) {
        r = wh_cg_payload_make(cg, err);
        if (r == 0)
            r = wh_cgroup_enter(cg, pid, err);
    }
    return r;
}

int wh_cg_unit_set(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, wh_node *ret_src,
                   struct wh_err *err)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_unit_prop *props =
        arena ? wh_arena_new_array(arena, struct wh_unit_prop, n * WH_UNIT_LIMIT_MAX + 1) : NULL;
    struct wh_unit_props all = { props, 0 };
    struct wh_unit_ref unit = ref(cg);
    struct wh_sdbus sd;
    int r = wh_sdbus_load(&sd, err);

    if (r < 0)
        return r;
    for (size_t i = 0; props && i < n; i++)
        all.n += wh_unit_limit(arena, v, n, i, props + all.n);
    if (!props || wh_arena_failed(arena))
        return wh_err_sys(err, -ENOMEM, "change unit %s", cg->unit);
    return all.n ? wh_unit_set(&sd, &unit, &all, wh_waits.unit, ret_src, err) : 0;
}

/* Who removes a unit's cgroup before systemd has read that it is empty takes the news away: the unit would be active for ever. */
static void let_systemd_see(const struct wh_cgroup *cg, int64_t deadline)
{
    int64_t end = wh_cg_now() + NOTICE_MS;

    end = end < deadline ? end : deadline;
    while (faccessat(cg->two.mount_fd, cg->two.path + 1, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && wh_cg_left(end) > 0)
        (void)poll(NULL, 0, 10);
}

int wh_cg_unit_remove(struct wh_cgroup *cg, int64_t deadline, struct wh_err *err)
{
    struct wh_unit_ref unit = ref(cg);
    struct wh_err why = { 0 };
    struct wh_sdbus sd;
    int r;

    if (!cg->unit || !cg->unit_made)
        return 0;
    r = wh_sdbus_load(&sd, &why);
    if (r == 0)
        r = wh_unit_stop(&sd, &unit, wh_cg_left(deadline), &why);
    /* Its processes are dead: a unit without any ends by itself when systemd sees that. Who deletes need not have the bus of who created. */
    if (r == -ECONNREFUSED || r == -ENOPKG) {
        if (cg->two.fd >= 0)
            let_systemd_see(cg, deadline);
        return 0;
    }
    if (r < 0 && err && err->code == 0)
        *err = why;
    if (r == 0)
        WH_INFO("stopped unit %s", cg->unit);
    return r;
}
