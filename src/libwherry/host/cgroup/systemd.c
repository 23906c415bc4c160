/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The systemd driver: systemd makes the cgroup, as that of a transient unit, and removes it; what is inside is done as without it. A unit is
 * made with its first process: wherry-init's, which waits for our word all the while.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"
#include "host/cgroup/unit.h"

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

static struct wh_unit_ref ref(const struct wh_cgroup *cg)
{
    return (struct wh_unit_ref){ cg->unit, cg->unit_user ? cg->user_bus : SYSTEM_BUS };
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

int wh_cgroup_place(struct wh_cgroup *cg, const struct wh_plan *plan, int proc_fd, pid_t pid,
                    const struct wh_step **ret_step, struct wh_err *err)
{
    struct wh_unit_ref unit = ref(cg);
    struct wh_sdbus sd;
    bool slice;
    size_t len;
    int r;

    if (!cg->unit)
        return wh_cgroup_attach(cg, pid, err);
    len = strlen(cg->unit);
    slice = len > strlen(".slice") && wh_streq(cg->unit + len - strlen(".slice"), ".slice");
    r = wh_sdbus_load(&sd, err);
    if (r < 0)
        return r;
    r = wh_unit_start(&sd, &unit, plan, slice ? 0 : pid, WH_UNIT_TIMEOUT_MS, ret_step, err);
    /* Somebody else's is nothing to be undone. */
    cg->unit_made = r != -EEXIST && r != -ECONNREFUSED;
    if (r == 0)
        r = open_made(cg, err);
    /* systemd puts processes into scopes only. */
    if (r == 0 && slice)
        r = wh_cgroup_enter(cg, pid, err);
    if (r == 0)
        r = verify(cg, proc_fd, pid, err);
    if (r == 0 && cg->enable)
        r = wh_cg_enable(&cg->two, cg->enable, err);
    return r;
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
    if (r == -ECONNREFUSED || r == -ENOPKG)
        return 0;
    if (r < 0 && err && err->code == 0)
        *err = why;
    return r;
}
