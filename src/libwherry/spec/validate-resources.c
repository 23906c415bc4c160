/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/validate.h"

/* Rules between the properties of `linux.resources` and of `linux.seccomp`. */

static void check_memory(struct wh_check *c, const struct wh_resources *r)
{
    const struct wh_opt_i64 *limit = &r->memory.limit, *swap = &r->memory.swap;

    /* 0 is unset and -1 is unlimited, for both. */
    if (!swap->set || swap->v <= 0)
        return;
    if (!limit->set || limit->v <= 0)
        wh_check_error(c, swap->src, "unable to set swap limit without memory limit");
    else if (swap->v < limit->v)
        wh_check_error(c, swap->src, "memory+swap limit should be >= memory limit");
}

static void check_weight(struct wh_check *c, const struct wh_opt_u32 *w)
{
    if (w->set && w->v != 0 && w->v < 10)
        wh_check_error(c, w->src, "must be an integer from 10 to 1000, or 0 for none, not %u", w->v);
}

static void check_block_io(struct wh_check *c, const struct wh_resources *r)
{
    check_weight(c, &r->block_io.weight);
    check_weight(c, &r->block_io.leaf_weight);
    for (size_t i = 0; i < r->block_io.weight_device.n; i++) {
        const struct wh_blkio_dev *d = &r->block_io.weight_device.v[i];

        check_weight(c, &d->weight);
        check_weight(c, &d->leaf_weight);
        if (!d->weight.set && !d->leaf_weight.set)
            wh_check_error(c, d->src, "needs \"weight\" or \"leafWeight\"");
    }
}

void wh_check_resources(struct wh_check *c, const struct wh_resources *r)
{
    /* Against the container's present limits, by whoever changes them. */
    if (!c->s->changes)
        check_memory(c, r);
    check_block_io(c, r);
    for (size_t i = 0; i < r->devices.n; i++) {
        const struct wh_devrule *d = &r->devices.v[i];

        if (!d->access.v || !*d->access.v)
            wh_check_error(c, d->access.v ? d->access.src : d->src, "device access at %zu field cannot be empty", i);
    }
    for (size_t i = 0; i < r->rdma.n; i++)
        if (!r->rdma.v[i].hca_handles.set && !r->rdma.v[i].hca_objects.set)
            wh_check_error(c, r->rdma.v[i].src, "needs \"hcaHandles\" or \"hcaObjects\"");
}

/* ---------------------------------------------------------------- seccomp */

static bool returns_errno(const struct wh_sstr *action)
{
    return wh_streq(action->v, "SCMP_ACT_ERRNO") || wh_streq(action->v, "SCMP_ACT_TRACE");
}

static void check_errno(struct wh_check *c, const char *property, const struct wh_opt_u32 *ret,
                        const struct wh_sstr *action)
{
    if (!ret->set)
        return;
    if (!returns_errno(action))
        wh_check_error(c, ret->src, "%s is only for the actions SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not for %s",
                       property, action->v);
    else if (ret->v > 4095 && wh_streq(action->v, "SCMP_ACT_ERRNO"))
        wh_check_error(c, ret->src, "%s must not be larger than 4095, the last errno", property);
}

static void check_rule(struct wh_check *c, const struct wh_seccomp_rule *r)
{
    check_errno(c, "errnoRet", &r->errno_ret, &r->action);
    /* The one who waits for the notification learns of it by a message: with write() it would wait for itself. */
    if (wh_streq(r->action.v, "SCMP_ACT_NOTIFY"))
        for (size_t i = 0; i < r->names.n; i++)
            if (wh_streq(r->names.v[i].v, "write"))
                wh_check_error(c, r->names.v[i].src, "SCMP_ACT_NOTIFY cannot be used for the write syscall");
}

void wh_check_seccomp(struct wh_check *c, const struct wh_seccomp *s)
{
    if (!s->set)
        return;
    if (wh_streq(s->default_action.v, "SCMP_ACT_NOTIFY"))
        wh_check_error(c, s->default_action.src, "SCMP_ACT_NOTIFY cannot be used as default action");
    check_errno(c, "defaultErrnoRet", &s->default_errno_ret, &s->default_action);
    if (s->listener_metadata.v && !s->listener_path.v)
        wh_check_error(c, s->listener_metadata.src, "listenerMetadata needs listenerPath");
    for (size_t i = 0; i < s->nrules; i++)
        check_rule(c, &s->rules[i]);
}
