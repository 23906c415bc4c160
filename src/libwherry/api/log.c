/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/api.h"

/* What --debug shows of a container that is about to be made. */

static const char *or_none(const char *s)
{
    return s && *s ? s : "none";
}

static void add_features(uint64_t feat, struct wh_buf *ret)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } names[] = { { WH_FEAT_APPARMOR, "AppArmor" },
                  { WH_FEAT_SELINUX, "SELinux" },
                  { WH_FEAT_KEYRINGS, "keyrings" },
                  { WH_FEAT_SECCOMP, "seccomp" },
                  { WH_FEAT_SECCOMP_NOTIFY, "seccomp listeners" },
                  { WH_FEAT_CGROUP_BPF, "eBPF device programs" },
                  { WH_FEAT_CGROUP_WRITABLE, "writable cgroups" },
                  { WH_FEAT_SETGROUPS_DENIED, "setgroups denied" },
                  { WH_FEAT_PROC_PIDNS, "procfs of another pid namespace" } };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (feat & names[i].bit)
            wh_buf_printf(ret, "%s%s", ret->len ? ", " : "", names[i].name);
}

void wh_api_log_facts(const struct wh_facts *f)
{
    WH_CLEANUP_BUF struct wh_buf features = { 0 };

    if (!wh_log_on(WH_LOG_DEBUG))
        return;
    add_features(f->feat, &features);
    WH_DEBUG("host: euid %u, capabilities %#llx of %u, %s user namespace, features: %s", f->euid,
             (unsigned long long)f->own_caps, f->last_cap + 1u, f->in_userns ? "in a" : "in the initial",
             or_none(features.data));
    /* `exec` uses the cgroup that is there, and does not look at the hierarchies. */
    if (f->cgroup_mode != WH_CGROUP_NONE)
        WH_DEBUG("host: %s, cgroup2 at %s, own cgroup %s, controllers %s, delegated %s, %zu v1 hierarchies",
                 f->cgroup_mode == WH_CGROUP_UNIFIED ? "cgroup2 alone" : "v1 hierarchies and cgroup2",
                 or_none(f->cgroup2_mount), or_none(f->cgroup2_own), or_none(f->cgroup2_controllers),
                 or_none(f->cgroup2_delegated), f->nv1);
}

void wh_api_log_plan(const struct wh_plan *plan)
{
    const struct wh_step *s = wh_plan_first(plan);
    bool affinity = false, filter = false;

    if (!wh_log_on(WH_LOG_DEBUG))
        return;
    WH_DEBUG("plan: %u steps for wherry-init, %u entries for the host, %u bytes", plan->nsteps, plan->nhost,
             plan->size);
    for (uint32_t i = 0; i < plan->nsteps; i++, s = wh_step_next(s)) {
        WH_CLEANUP_BUF struct wh_buf text = { 0 };

        if (s->op != WH_OP_AFFINITY && s->op != WH_OP_SECCOMP)
            continue;
        affinity |= s->op == WH_OP_AFFINITY;
        filter |= s->op == WH_OP_SECCOMP;
        wh_explain_step(plan, s, WH_EXPLAIN_REDACT, &text);
        if (s->op == WH_OP_AFFINITY)
            WH_DEBUG("CPU affinity, in step %u: %s", i, text.data ? text.data : "");
        else
            WH_DEBUG("seccomp, in step %u: %s", i, text.data ? text.data : "");
    }
    if (!affinity)
        WH_DEBUG("CPU affinity: left as it is");
    if (!filter)
        WH_DEBUG("seccomp: no filter");
}

void wh_api_log_cgroup(const struct wh_cgroup *cg)
{
    if (!wh_log_on(WH_LOG_DEBUG))
        return;
    if (!wh_cgroup_exists(cg))
        WH_DEBUG("cgroup: none");
    else
        WH_DEBUG("cgroup: %s%s%s%s%s%s", cg->two.mount, or_none(cg->two.path), cg->sub ? "/" : "",
                 cg->sub ? cg->sub : "", cg->unit ? ", of unit " : "", cg->unit ? cg->unit : "");
    for (uint32_t i = 0; i < cg->none; i++)
        WH_DEBUG("cgroup: %s%s (%s)", cg->one[i].mount, or_none(cg->one[i].path), or_none(cg->one[i].controller));
}
