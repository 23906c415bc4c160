/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdlib.h>

#include "api/check.h"
#include "base/json-out.h"

const struct wh_check_info wh_check_infos[WH_CHECK_MAX] = {
#define CHECK(NAME, id, severity, class, why, fix) { id, why, fix, WH_SEV_##severity, WH_CLASS_##class },
#include "api/check.def"
#undef CHECK
};

enum wh_severity wh_check_severity(enum wh_check check, enum wh_check_profile profile)
{
    const struct wh_check_info *info = &wh_check_infos[check];

    if (info->class == WH_CLASS_ALWAYS)
        return info->severity;
    if (profile == WH_PROFILE_ENGINE)
        return WH_SEV_NOTE;
    if (profile == WH_PROFILE_HARDENED && info->class == WH_CLASS_OPEN)
        return info->severity == WH_SEV_NOTE ? WH_SEV_WARNING : WH_SEV_ERROR;
    return info->severity;
}

enum wh_check wh_check_from_id(const char *id)
{
    unsigned i = 0;

    while (i < WH_CHECK_MAX && !wh_streq(wh_check_infos[i].id, id))
        i++;
    return (enum wh_check)i;
}

static struct wh_finding *next(struct wh_findings *f, enum wh_check check)
{
    if (f->ignore[check]) {
        f->nignored++;
        return NULL;
    }
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 32;
        struct wh_finding *v = wh_arena_new_array(f->arena, struct wh_finding, cap);

        if (!v)
            return NULL;
        if (f->n)
            memcpy(v, f->v, f->n * sizeof *v);
        f->v = v;
        f->cap = cap;
    }
    f->v[f->n].check = check;
    return &f->v[f->n++];
}

void wh_check_add(struct wh_findings *f, enum wh_check check, wh_node src, const char *fmt, ...)
{
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    struct wh_finding *e;
    char pointer[512];
    va_list ap;

    va_start(ap, fmt);
    wh_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    e = next(f, check);
    if (!e)
        return;
    e->message = wh_arena_strndup(f->arena, text.data ? text.data : "", text.len);
    e->pointer = "";
    if (src && f->spec) {
        if (!f->spec->one_line)
            e->line = wh_spec_line(f->spec, src, &e->column);
        wh_spec_pointer(f->spec, src, pointer, sizeof pointer);
        e->pointer = wh_arena_strndup(f->arena, pointer, strlen(pointer));
    }
}

/* Decimal digits at *p. */
static uint32_t number(const char **p)
{
    uint32_t n = 0;

    while (**p >= '0' && **p <= '9' && n < 100000000)
        n = n * 10 + (uint32_t)(*(*p)++ - '0');
    return n;
}

void wh_check_add_err(struct wh_findings *f, enum wh_check check, const struct wh_err *e)
{
    struct wh_finding *n = next(f, check);
    size_t len = strlen(f->name);

    if (!n)
        return;
    n->message = wh_arena_strndup(f->arena, e->msg, strlen(e->msg));
    n->pointer = "";
    if (strncmp(e->path, f->name, len) != 0 || e->path[len] != ':')
        return;

    const char *p = e->path + len + 1;
    n->line = number(&p);
    if (*p == ':') {
        p++;
        n->column = number(&p);
    }
    p += *p == ':';
    if (*p == ' ')
        n->pointer = wh_arena_strndup(f->arena, p + 1, strlen(p + 1));
}

static int by_place(const void *a, const void *b)
{
    const struct wh_finding *x = a, *y = b;

    /* What has no place comes last: it is about the host. */
    if (!*x->pointer != !*y->pointer)
        return *x->pointer ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    if (x->check != y->check)
        return x->check < y->check ? -1 : 1;
    return x->message && y->message ? strcmp(x->message, y->message) : 0;
}

static enum wh_severity severity_of(const struct wh_findings *f, const struct wh_finding *e, bool strict)
{
    enum wh_severity s = wh_check_severity(e->check, f->profile);

    return strict && s == WH_SEV_WARNING ? WH_SEV_ERROR : s;
}

static const char *const severity_names[] = { "note", "warning", "error" };

static void text_report(const struct wh_findings *f, bool strict, const unsigned *count, struct wh_buf *out)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct wh_finding *e = &f->v[i];
        const struct wh_check_info *info = &wh_check_infos[e->check];

        wh_buf_escape(out, f->name, false);
        if (e->line)
            wh_buf_printf(out, ":%u:%u", e->line, e->column);
        wh_buf_printf(out, ": %s: ", severity_names[severity_of(f, e, strict)]);
        if (e->pointer && *e->pointer) {
            wh_buf_escape(out, e->pointer, false);
            wh_buf_puts(out, ": ");
        }
        wh_buf_escape(out, e->message ? e->message : "", false);
        wh_buf_printf(out, " [%s]\n    why: %s\n    fix: %s\n", info->id, info->why, info->fix);
    }
    wh_buf_printf(out, "%u error%s, %u warning%s, %u note%s", count[2], count[2] == 1 ? "" : "s", count[1],
                  count[1] == 1 ? "" : "s", count[0], count[0] == 1 ? "" : "s");
    if (f->nignored)
        wh_buf_printf(out, ", %zu ignored", f->nignored);
    wh_buf_puts(out, "\n");
}

static const char *const profile_names[] = {
    [WH_PROFILE_DEFAULT] = "default",
    [WH_PROFILE_ENGINE] = "engine",
    [WH_PROFILE_HARDENED] = "hardened",
};

static void json_report(const struct wh_findings *f, bool strict, const unsigned *count, struct wh_buf *out)
{
    struct wh_json j = { .out = out, .indent = 2 };

    wh_json_open(&j, NULL, '{');
    /* docs/check-report.schema.json; a member that is added does not change it. */
    wh_json_u64(&j, "version", 1);
    wh_json_str(&j, "config", f->name);
    wh_json_str(&j, "profile", profile_names[f->profile]);
    wh_json_open(&j, "findings", '[');
    for (size_t i = 0; i < f->n; i++) {
        const struct wh_finding *e = &f->v[i];
        const struct wh_check_info *info = &wh_check_infos[e->check];

        wh_json_open(&j, NULL, '{');
        wh_json_str(&j, "id", info->id);
        wh_json_str(&j, "severity", severity_names[severity_of(f, e, strict)]);
        if (e->line) {
            wh_json_u64(&j, "line", e->line);
            wh_json_u64(&j, "column", e->column);
        }
        /* A file of one line has no other place. */
        if (e->line || (e->pointer && *e->pointer))
            wh_json_str(&j, "pointer", e->pointer ? e->pointer : "");
        wh_json_str(&j, "message", e->message ? e->message : "");
        wh_json_str(&j, "why", info->why);
        wh_json_str(&j, "fix", info->fix);
        wh_json_close(&j, '}');
    }
    wh_json_close(&j, ']');
    wh_json_u64(&j, "errors", count[WH_SEV_ERROR]);
    wh_json_u64(&j, "warnings", count[WH_SEV_WARNING]);
    wh_json_u64(&j, "notes", count[WH_SEV_NOTE]);
    wh_json_u64(&j, "ignored", f->nignored);
    wh_json_close(&j, '}');
    wh_buf_puts(out, "\n");
}

int wh_check_report(struct wh_findings *f, bool json, bool strict, struct wh_buf *out)
{
    unsigned count[3] = { 0 };

    if (f->n > 1)
        qsort(f->v, f->n, sizeof *f->v, by_place);
    for (size_t i = 0; i < f->n; i++)
        count[severity_of(f, &f->v[i], strict)]++;
    (json ? json_report : text_report)(f, strict, count, out);
    return count[WH_SEV_ERROR] ? 2 : count[WH_SEV_WARNING] ? 1 : 0;
}
