/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_BASE_STR_H
#define WH_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A string vector. Not null-terminated: n says how many. */
struct wh_strv {
    const char **v;
    size_t n;
};

/*
 * A null pointer is a string that is absent: it equals no string, also not the empty one, and begins with nothing. Optional properties are
 * compared everywhere, and the configurations of engines always have most of them: a missing check would be found by a user.
 */
static inline bool wh_streq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline bool wh_startswith(const char *s, const char *prefix)
{
    return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

/*
 * A growing text buffer (malloc). Running out of memory is remembered in `failed` and turns later calls into no-ops,
 * so that a writer checks once at the end. Always NUL-terminated when data is not null.
 */
struct wh_buf {
    char *data;
    size_t len, cap;
    bool failed;
};

void wh_buf_add(struct wh_buf *b, const void *data, size_t len);
void wh_buf_puts(struct wh_buf *b, const char *s);
void wh_buf_printf(struct wh_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void wh_buf_vprintf(struct wh_buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Appends s with control bytes, backslash and (if quote) double quotes escaped, for text from untrusted places. */
void wh_buf_escape(struct wh_buf *b, const char *s, bool quote);
void wh_buf_done(struct wh_buf *b);
#define WH_CLEANUP_BUF __attribute__((cleanup(wh_buf_done)))

/* Decimal number without sign, spaces or leading plus; the whole string. 0 or -EINVAL / -ERANGE. */
int wh_parse_u64(const char *s, uint64_t max, uint64_t *ret);
/* The same of the digits that s begins with, whatever follows them. */
int wh_parse_u64_front(const char *s, uint64_t max, uint64_t *ret);

/* mountinfo(5) writes blank, tab, newline and backslash as three octal digits behind a backslash: undoes that in place. */
void wh_unescape_octal(char *s);

/* Go's notation of durations, "1m30s", "1.5h", "100ms", without a sign: nanoseconds. 0, -EINVAL or -ERANGE. */
int wh_parse_duration(const char *s, uint64_t *ret);

/* Edit distance, for "did you mean"; capped at 255. */
unsigned wh_edit_distance(const char *a, const char *b);

#define WH_UTC_SIZE 48
/* RFC 3339 in UTC with nine digits of the second: "2026-08-20T10:11:12.123456789Z". Copies into buf of WH_UTC_SIZE and
 * returns it. Not gmtime(3): that reads the host's time zone files to answer a question that needs none. */
const char *wh_utc_text(int64_t seconds, uint32_t nanoseconds, char *buf);

/* For large buffers that are read no further than they were written: the build's -ftrivial-auto-var-init=zero would touch
 * every page of them at every start. */
#define WH_UNINITIALIZED __attribute__((uninitialized))

#define WH_ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

#endif
