/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static bool has_control(const char *s)
{
    while (*s && !is_control((unsigned char)*s))
        s++;
    return *s;
}

/* A message is one line, and nothing in it acts on a terminal: names of the configuration and of files may have any byte. Here, because no caller
 * can be trusted to think of it. What no longer fits is cut off. */
static void one_line(char *msg, size_t size)
{
    char from[sizeof((struct wh_err *)0)->msg], *to = msg;
    size_t len = strlen(msg);

    memcpy(from, msg, len + 1);
    for (const char *p = from; *p && (size_t)(to - msg) + 5 < size; p++) {
        if (is_control((unsigned char)*p))
            to += snprintf(to, 5, "\\x%02x", (unsigned char)*p);
        else
            *to++ = *p;
    }
    *to = '\0';
}

static int verr_set(struct wh_err *e, enum wh_err_kind kind, int code, const char *path, const char *fmt, va_list ap)
{
    if (!e || e->code != 0)
        return code;
    e->code = code ? code : -EIO;
    e->kind = (uint8_t)kind;
    snprintf(e->path, sizeof e->path, "%s", path ? path : "");
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    if (has_control(e->msg))
        one_line(e->msg, sizeof e->msg);
    return code;
}

int wh_err_set(struct wh_err *e, enum wh_err_kind kind, int code, const char *path, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    verr_set(e, kind, code, path, fmt, ap);
    va_end(ap);
    return code;
}

int wh_err_sys(struct wh_err *e, int code, const char *fmt, ...)
{
    char words[WH_ERRTEXT_SIZE];
    size_t len;
    va_list ap;

    if (!e || e->code != 0)
        return code;
    va_start(ap, fmt);
    verr_set(e, WH_ERR_HOST, code, NULL, fmt, ap);
    va_end(ap);
    len = strlen(e->msg);
    snprintf(e->msg + len, sizeof e->msg - len, ": %s", wh_errno_words(-code, words));
    return code;
}

void wh_err_prefix(struct wh_err *e, const char *fmt, ...)
{
    char msg[sizeof e->msg], prefix[192];
    va_list ap;

    if (!e || e->code == 0)
        return;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    memcpy(msg, e->msg, sizeof msg);
    snprintf(e->msg, sizeof e->msg, "%s: %.*s", prefix, (int)(sizeof e->msg - sizeof prefix - 3), msg);
}

const char *wh_err_text(const struct wh_err *e, char *buf, size_t size)
{
    if (e->path[0])
        snprintf(buf, size, "%s: %s", e->path, e->msg);
    else
        snprintf(buf, size, "%s", e->msg);
    return buf;
}

struct wh_err *wh_errlist_next(struct wh_errlist *l)
{
    if (l->n == WH_ERRLIST_MAX) {
        l->dropped++;
        return NULL;
    }
    l->e[l->n] = (struct wh_err){ 0 };
    return &l->e[l->n++];
}

struct wh_err *wh_errlist_warn(struct wh_errlist *l)
{
    if (l->nwarn == WH_WARNLIST_MAX) {
        l->warn_dropped++;
        return NULL;
    }
    /* What was there, and was logged, would stand in the way of another text. */
    l->w[l->nwarn] = (struct wh_err){ 0 };
    return &l->w[l->nwarn++];
}

const char *wh_errno_words(int err, char *buf)
{
    const char *desc = strerrordesc_np(err);

    if (!desc) {
        snprintf(buf, WH_ERRTEXT_SIZE, "errno %d", err);
        return buf;
    }
    snprintf(buf, WH_ERRTEXT_SIZE, "%s", desc);
    /* Acronyms keep their case ("RFS specific error"); Go prints no capital at the start otherwise. */
    if (buf[0] >= 'A' && buf[0] <= 'Z' && !(buf[1] >= 'A' && buf[1] <= 'Z'))
        buf[0] = (char)(buf[0] - 'A' + 'a');
    return buf;
}

const char *wh_errno_name(int err)
{
    const char *name = strerrorname_np(err);

    return name ? name : "E?";
}
