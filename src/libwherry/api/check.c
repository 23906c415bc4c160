/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/check.h"

#include <errno.h>

#include "api/api.h"
#include "spec/fields.h"

/* The container that is checked has no name yet; it only shows in the default path of its cgroup. */
#define ANY_ID "ID"

static enum wh_check check_of(const struct wh_findings *f, const struct wh_err *e, bool compile)
{
    if (!compile)
        return WH_CHECK_INVALID;
    /* What an engine prints as its default is no container yet. */
    if (f->profile == WH_PROFILE_ENGINE && wh_streq(e->msg, WH_MSG_NO_ARGS))
        return WH_CHECK_NO_COMMAND;
    /* A name without a slash, and no PATH to look in. */
    return e->code == -EINVAL ? WH_CHECK_REFUSED : e->code == -ENOENT ? WH_CHECK_ARGS_NOT_FOUND : WH_CHECK_HOST_LACKS;
}

static void errors(struct wh_findings *f, const struct wh_errlist *l, bool compile)
{
    for (unsigned i = 0; l && i < l->n; i++)
        wh_check_add_err(f, check_of(f, &l->e[i], compile), &l->e[i]);
    for (unsigned i = 0; l && i < l->nwarn; i++)
        /* Capabilities that are left out have findings of their own (check-host.c, check-spec.c). */
        if (l->w[i].code != -EPERM)
            wh_check_add_err(f, WH_CHECK_ACCEPTED, &l->w[i]);
    if (l && l->dropped)
        wh_check_add(f, compile ? WH_CHECK_REFUSED : WH_CHECK_INVALID, 0, "%u more of the kind", l->dropped);
}

static int profile_of(uint32_t flags, enum wh_check_profile *ret, struct wh_err *err)
{
    bool engine = flags & WHERRY_CHECK_ENGINE, hardened = flags & WHERRY_CHECK_HARDENED;

    if (engine && hardened)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "the profiles engine and hardened exclude each other");
    *ret = engine ? WH_PROFILE_ENGINE : hardened ? WH_PROFILE_HARDENED : WH_PROFILE_DEFAULT;
    return 0;
}

/* Nothing but such a finding would be left to make the status: without it a bundle that was not checked would pass. */
static bool ends_check(unsigned check)
{
    return check == WH_CHECK_UNREADABLE || check == WH_CHECK_INVALID;
}

static int ignored(struct wh_findings *f, const char *const *ids, struct wh_err *err)
{
    for (; ids && *ids; ids++) {
        enum wh_check check = wh_check_from_id(*ids);
        const char *near = NULL;
        unsigned distance = 0;

        if (ends_check(check))
            return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL,
                              "the finding \"%s\" cannot be ignored: it means that nothing else was checked", *ids);
        if (check != WH_CHECK_MAX) {
            f->ignore[check] = true;
            continue;
        }
        for (unsigned i = 0; i < WH_CHECK_MAX; i++)
            if (!ends_check(i))
                wh_nearest(*ids, wh_check_infos[i].id, &near, &distance);
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "no finding has the id \"%.80s\"%s%s%s", *ids,
                          near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    return 0;
}

/* Fails only when nothing can be said at all. */
static int collect(struct wh_findings *f, struct wh_load *l, const wherry_ctx *ctx, struct wh_err *err)
{
    struct wh_err first = { 0 };
    int r = wh_load_spec(l, WH_SPEC_UNKNOWN, &first);

    f->arena = l->arena;
    f->name = l->opts.config ? l->opts.config : "config.json";
    if (!f->arena)
        return wh_err_sys(err, -ENOMEM, "check %s", f->name);
    if (r == -ENOMEM)
        return wh_err_sys(err, -ENOMEM, "check %s", f->name);
    if (r < 0) {
        /* Without /proc nothing was checked either, and this finding is what says so. */
        if (l->proc_fd < 0)
            f->ignore[WH_CHECK_HOST_LACKS] = false;
        if (first.code)
            wh_check_add_err(f,
                             first.kind == WH_ERR_SPEC ? WH_CHECK_INVALID
                             : l->proc_fd < 0          ? WH_CHECK_HOST_LACKS
                                                       : WH_CHECK_UNREADABLE,
                             &first);
        else
            errors(f, l->errs, false);
        /* A property that is missing is often one that is misspelt: both are told at once. */
        f->spec = l->spec;
        if (l->spec)
            wh_check_unknown(f, l->spec);
        return 0;
    }
    f->spec = l->spec;
    errors(f, l->errs, false);
    wh_check_spec(f, l->spec);

    *l->errs = (struct wh_errlist){ 0 };
    r = wh_load_plan(l, ctx, WH_VERB_EXPLAIN, ANY_ID, -1, &first);
    if (r == 0)
        r = wh_load_labels(l, &first);
    if (r == -ELIBACC) {
        *err = first;
        return r;
    }
    if (r == -ENOMEM)
        return wh_err_sys(err, -ENOMEM, "check %s", f->name);
    if (r < 0 && first.code)
        wh_check_add_err(f, first.kind == WH_ERR_SPEC ? WH_CHECK_REFUSED : WH_CHECK_HOST_LACKS, &first);
    errors(f, l->errs, true);
    wh_check_host(f, l->spec, r < 0 ? NULL : l->plan, &l->facts, l->bundle_fd, l->proc_fd, l->cancel_fd);
    return 0;
}

int wherry_check(wherry_ctx *ctx, const struct wherry_create_opts *opts, uint32_t flags, char **ret_report,
                 int *ret_worst, wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    WH_CLEANUP_LOAD struct wh_load l;
    WH_CLEANUP_BUF struct wh_buf out = { 0 };
    struct wh_findings f = { 0 };
    struct wh_err err = { 0 };
    int r, worst;

    if (reterr)
        *reterr = NULL;
    *ret_report = NULL;
    wh_load_init(&l);
    r = wh_api_opts(&l.opts, sizeof l.opts, opts, &err);
    if (r == 0 &&
        flags & ~(uint32_t)(WHERRY_CHECK_JSON | WHERRY_CHECK_STRICT | WHERRY_CHECK_ENGINE | WHERRY_CHECK_HARDENED))
        r = wh_err_set(&err, WH_ERR_USAGE, -EINVAL, NULL, "unknown flags %#x of wherry_check", flags);
    if (r == 0)
        r = profile_of(flags, &f.profile, &err);
    if (r == 0)
        r = ignored(&f, l.opts.check_ignore, &err);
    if (r == 0)
        r = collect(&f, &l, ctx, &err);
    if (r < 0)
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    worst = wh_check_report(&f, flags & WHERRY_CHECK_JSON, flags & WHERRY_CHECK_STRICT, &out);
    if (out.failed || wh_arena_failed(l.arena)) {
        wh_err_sys(&err, -ENOMEM, "check");
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    *ret_report = out.data;
    *ret_worst = worst;
    out = (struct wh_buf){ 0 };
    return 0;
}
