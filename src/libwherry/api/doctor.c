/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `doctor`: what host/doctor.c found, for people and for programs. */
#include <errno.h>

#include "api/api.h"
#include "base/json-out.h"
#include "host/doctor.h"

static bool missing(const struct wh_doctor *d, enum wh_probe p)
{
    return d->r[p].status == WH_PROBE_LACK && wh_probe_needed(d, p);
}

static unsigned count(const struct wh_doctor *d, bool of_needed)
{
    unsigned n = 0;

    for (unsigned p = 0; p < WH_PROBE_MAX; p++)
        n += d->r[p].status == WH_PROBE_LACK && wh_probe_needed(d, p) == of_needed;
    return n;
}

static const char *status_word(const struct wh_doctor *d, enum wh_probe p)
{
    if (missing(d, p))
        return "missing";
    return d->r[p].status == WH_PROBE_OK ? "ok" : d->r[p].status == WH_PROBE_LACK ? "lack" : "skipped";
}

static void text(const struct wh_doctor *d, struct wh_buf *out)
{
    unsigned need = count(d, true), lack = count(d, false);

    wh_buf_printf(out, "Linux %s, %s containers, as uid %u\n", d->kernel, d->rootless ? "an ordinary user's" : "root's",
                  d->uid);
    for (unsigned p = 0; p < WH_PROBE_MAX; p++) {
        const struct wh_probe_result *r = &d->r[p];

        wh_buf_printf(out, "%-8s %-22s %s", status_word(d, p), wh_probe_infos[p].id, wh_probe_infos[p].title);
        if (r->detail[0]) {
            wh_buf_puts(out, ": ");
            wh_buf_escape(out, r->detail, false);
        }
        wh_buf_puts(out, "\n");
        if (r->fix[0]) {
            wh_buf_printf(out, "%-8s %-22s fix: ", "", "");
            wh_buf_escape(out, r->fix, false);
            wh_buf_puts(out, "\n");
        }
    }
    if (need)
        wh_buf_printf(out, "Containers do not run here: %u thing%s missing.\n", need, need == 1 ? " is" : "s are");
    else if (lack)
        wh_buf_printf(out, "Containers run here. %u lack%s: configurations that ask for %s are refused.\n", lack,
                      lack == 1 ? "" : "s", lack == 1 ? "it" : "one");
    else
        wh_buf_puts(out, "Containers run here.\n");
}

static void json(const struct wh_doctor *d, struct wh_buf *out)
{
    struct wh_json j = { .out = out, .indent = 2 };

    wh_json_open(&j, NULL, '{');
    wh_json_str(&j, "wherryVersion", wherry_version());
    wh_json_str(&j, "kernel", d->kernel);
    wh_json_u64(&j, "uid", d->uid);
    wh_json_bool(&j, "rootless", d->rootless);
    wh_json_bool(&j, "usable", count(d, true) == 0);
    wh_json_open(&j, "probes", '[');
    for (unsigned p = 0; p < WH_PROBE_MAX; p++) {
        wh_json_open(&j, NULL, '{');
        wh_json_str(&j, "id", wh_probe_infos[p].id);
        wh_json_str(&j, "title", wh_probe_infos[p].title);
        wh_json_str(&j, "status", status_word(d, p));
        wh_json_bool(&j, "needed", wh_probe_needed(d, p));
        if (d->r[p].detail[0])
            wh_json_str(&j, "detail", d->r[p].detail);
        if (d->r[p].fix[0])
            wh_json_str(&j, "fix", d->r[p].fix);
        wh_json_close(&j, '}');
    }
    wh_json_close(&j, ']');
    wh_json_close(&j, '}');
    wh_buf_puts(out, "\n");
}

int wherry_doctor(wherry_ctx *ctx, const char *path, uint32_t flags, char **ret_report, int *ret_usable,
                  wherry_error **reterr)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_BUF struct wh_buf out = { 0 };
    struct wh_doctor d = { .path = path, .root = ctx->root, .rootless = flags & WHERRY_DOCTOR_ROOTLESS };
    struct wh_err err = { 0 };
    int r = arena ? 0 : wh_err_sys(&err, -ENOMEM, "look at this host");

    if (reterr)
        *reterr = NULL;
    *ret_report = NULL;
    if (r == 0 && flags & ~(uint32_t)(WHERRY_DOCTOR_JSON | WHERRY_DOCTOR_ROOTLESS))
        r = wh_err_set(&err, WH_ERR_USAGE, -EINVAL, NULL, "unknown flags %#x of wherry_doctor", flags);
    if (r == 0)
        r = wh_doctor_run(&d, arena, &err);
    if (r < 0)
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    (flags & WHERRY_DOCTOR_JSON ? json : text)(&d, &out);
    if (out.failed || wh_arena_failed(arena)) {
        wh_err_sys(&err, -ENOMEM, "write the report");
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    *ret_report = out.data;
    *ret_usable = count(&d, true) == 0;
    out = (struct wh_buf){ 0 };
    return 0;
}
