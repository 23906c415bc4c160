/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saying so when memory is what ended a process. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "host/cgroup/stat.h"
#include "host/sigsys.h"

uint64_t wh_api_oom_kills(const struct wh_cgroup *cg)
{
    struct wh_memory m;

    return wh_cgroup_exists(cg) && wh_cgroup_memory(cg, &m) == 0 ? m.kills : 0;
}

bool wh_api_oom_since(const struct wh_cgroup *cg, uint64_t before, char *text, size_t size)
{
    struct wh_memory m;

    if (!wh_cgroup_exists(cg) || wh_cgroup_memory(cg, &m) < 0 || m.kills <= before)
        return false;
    wh_memory_text(&m, text, size);
    return true;
}

/* The place of the limit of memory; 0 where the configuration has none, and a cgroup above is what limits. */
static wh_node limit_of(const struct wh_spec *spec)
{
    const struct wh_resources *r = &spec->linux_.resources;
    wh_node src = r->memory.limit.v > 0 ? r->memory.limit.src : 0;

    for (size_t i = 0; i < r->unified.n; i++)
        if (wh_streq(r->unified.v[i].key, "memory.max"))
            src = r->unified.v[i].src;
    return src;
}

void wh_api_oom_explain(const struct wh_cgroup *cg, uint64_t before, const struct wh_spec *spec, struct wh_err *err)
{
    char text[WH_OOM_TEXT];
    size_t len = strlen(err->msg);
    struct wh_memory m;

    /* Killed before it could say anything; all else has a reason of its own. */
    if (err->code != -ECHILD)
        return;
    if (wh_api_oom_since(cg, before, text, sizeof text)) {
        wh_node src = spec ? limit_of(spec) : 0;

        /* Not that of the step, which the message names: it is not what has to be changed. */
        if (src)
            wh_spec_where(spec, src, err->path, sizeof err->path);
        snprintf(err->msg + len, sizeof err->msg - len, ": OOM-killed (memory limit too low?): %s", text);
    } else if (err->killed && wh_cgroup_exists(cg) && wh_cgroup_memory(cg, &m) == 0)
        snprintf(
            err->msg + len, sizeof err->msg - len,
            ": not by the OOM killer, which counted nothing in its cgroup; RLIMIT_CPU, systemd-oomd, an engine that "
            "gave up and kill -9 send this signal too");
    else if (err->killed)
        snprintf(err->msg + len, sizeof err->msg - len,
                 ": the OOM killer may have done it, but its cgroup has no count of that; RLIMIT_CPU, systemd-oomd, an "
                 "engine "
                 "that gave up and kill -9 send this signal too");
}

static bool is_filtered(const struct wh_plan *plan)
{
    const struct wh_step *s = wh_plan_first(plan);

    for (uint32_t i = 0; i < plan->nsteps; i++, s = wh_step_next(s))
        if (s->op == WH_OP_SECCOMP)
            return true;
    return false;
}

void wh_api_sigsys_log(const wherry_ctx *ctx, const struct wh_plan *plan, pid_t pid, int status, const char *what)
{
    char call[80];

    if (status != 128 + SIGSYS || !is_filtered(plan))
        return;
    wh_sigsys_text(pid, call, sizeof call);
    wh_api_log(ctx, WHERRY_LOG_ERROR, "%s was killed: %s: the seccomp filter does not allow it%s", what, call,
               strchr(call, ':') ? "" : "; the kernel's audit log may have its number (type=1326)");
}

void wh_api_oom_log(const wherry_ctx *ctx, const struct wh_cgroup *cg, uint64_t before, int status, const char *what)
{
    char text[WH_OOM_TEXT];

    /* A shell ends with the same status as the child that was killed. A payload that survives the loss of a process has dealt
     * with it, and there is nothing to report. */
    if (status == 128 + SIGKILL && wh_api_oom_since(cg, before, text, sizeof text))
        wh_api_log(ctx, WHERRY_LOG_ERROR, "%s was killed: %s", what, text);
}
