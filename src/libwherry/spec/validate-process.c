/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/sched.h>

#include "spec/validate.h"

/* Rules between the properties of `process`. */

static void check_rlimits(struct wh_check *c, const struct wh_process *p)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < p->rlimits.n; i++) {
        const struct wh_rlimit *r = &p->rlimits.v[i];

        if (seen & 1u << r->resource)
            wh_check_error(c, r->type.src, "duplicated rlimit %s", r->type.v);
        seen |= 1u << r->resource;
        if (r->soft > r->hard)
            wh_check_error(c, wh_spec_child(c->s, r->src, "soft"), "soft limit %llu is above the hard limit %llu",
                           (unsigned long long)r->soft, (unsigned long long)r->hard);
    }
}

static void check_deadline(struct wh_check *c, const struct wh_scheduler *s)
{
    if (!s->runtime.set || !s->deadline.set) {
        wh_check_error(c, s->src, "SCHED_DEADLINE needs the properties \"runtime\" and \"deadline\"");
        return;
    }
    /* sched(7); a period of 0 stands for the deadline. */
    if (s->runtime.v < 1024)
        wh_check_error(c, s->runtime.src, "must be at least 1024 nanoseconds");
    if (s->runtime.v > s->deadline.v)
        wh_check_error(c, s->runtime.src, "must not be longer than the deadline");
    if (s->period.set && s->period.v != 0 && s->period.v < s->deadline.v)
        wh_check_error(c, s->period.src, "must not be shorter than the deadline");
}

static void check_scheduler(struct wh_check *c, const struct wh_scheduler *s)
{
    bool rt = s->policy == SCHED_FIFO || s->policy == SCHED_RR;
    const struct wh_opt_u64 *times[] = { &s->runtime, &s->deadline, &s->period };

    if (!s->set)
        return;
    if (s->priority.set && s->priority.v != 0 && !rt)
        wh_check_error(c, s->priority.src,
                       "scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR policy");
    if (rt && (!s->priority.set || s->priority.v == 0))
        wh_check_error(c, s->priority.set ? s->priority.src : s->src,
                       "SCHED_FIFO and SCHED_RR need a priority from 1 to 99");
    if (s->policy == SCHED_DEADLINE) {
        check_deadline(c, s);
        return;
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(times); i++)
        if (times[i]->set && times[i]->v != 0)
            wh_check_error(c, times[i]->src,
                           "scheduler runtime/deadline/period can only be specified for SCHED_DEADLINE policy");
}

static void check_caps(struct wh_check *c, const struct wh_caps *caps)
{
    uint64_t beyond = caps->effective.mask & ~caps->permitted.mask;

    /* capset(2) refuses what is effective and not permitted. */
    if (beyond) {
        const char *name = wh_cap_name((unsigned)__builtin_ctzll(beyond));

        wh_check_error(c, caps->effective.src, "%s cannot be effective, because it is not in the permitted set",
                       name ? name : "a capability");
    }
}

/* Ids of the container that the new user namespace has no ids of the host for. */
static void check_user(struct wh_check *c, const struct wh_process *p)
{
    const struct wh_linux *l = &c->s->linux_;

    if (!l->ns[WH_NS_USER].set || l->uid_mappings.n == 0 || l->gid_mappings.n == 0)
        return;
    if (!wh_idmaps_has(&l->uid_mappings, p->user.uid.v))
        wh_check_error(c, p->user.uid.set ? p->user.uid.src : p->src,
                       "cannot setuid to unmapped uid %u in user namespace", p->user.uid.v);
    if (!wh_idmaps_has(&l->gid_mappings, p->user.gid.v))
        wh_check_error(c, p->user.gid.set ? p->user.gid.src : p->src,
                       "cannot setgid to unmapped gid %u in user namespace", p->user.gid.v);
    for (size_t i = 0; i < p->user.additional_gids.n; i++)
        if (!wh_idmaps_has(&l->gid_mappings, p->user.additional_gids.v[i].v))
            wh_check_error(c, p->user.additional_gids.v[i].src,
                           "cannot set additional unmapped gid %u in user namespace", p->user.additional_gids.v[i].v);
}

void wh_check_process(struct wh_check *c, const struct wh_process *p)
{
    if (p->args.n > 0 && !*p->args.v[0].v)
        wh_check_error(c, p->args.v[0].src, "the name of the program must not be empty");
    /* NGROUPS_MAX of the kernel, setgroups(2). */
    if (p->user.additional_gids.n > 65536)
        wh_check_error(c, p->user.additional_gids.src, "has %zu groups, more than the 65536 that the kernel takes",
                       p->user.additional_gids.n);
    /* The specification requires both; engines and people leave them out, and runc and crun take 0. */
    if (p->user.set && !p->user.gid.set)
        wh_check_warning(c, p->user.src, "the required property \"gid\" is missing: 0 is taken");
    if (p->ioprio.set && !p->ioprio.priority.set)
        wh_check_warning(c, p->ioprio.src, "the required property \"priority\" is missing: 0 is taken");
    check_rlimits(c, p);
    check_scheduler(c, &p->scheduler);
    check_caps(c, &p->capabilities);
    check_user(c, p);
}
