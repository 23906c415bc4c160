/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_BASE_JSON_H
#define WH_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * Reading JSON (RFC 8259) as events, on top of yajl's SAX interface, and stricter than yajl: a name given twice in one
 * object, "\u0000", a lone surrogate, overlong or otherwise invalid UTF-8 and nesting over 64 levels are problems that
 * are told with their place. Numbers stay text, so that 18446744073709551615 is exact and 1.0 is not an integer.
 * Member names are interned: equal names have equal offsets in `names`.
 */
#define WH_JSON_MAX_DEPTH 64
#define WH_JSON_INDEX 0x80000000u

enum wh_json_type { WH_JSON_NULL, WH_JSON_BOOL, WH_JSON_NUMBER, WH_JSON_STRING, WH_JSON_OBJECT, WH_JSON_ARRAY };

struct wh_json_value {
    enum wh_json_type type;
    bool b;
    bool bad; /* a problem with it or its name was told already: take its place, not its content */
    const char *text; /* string: decoded; number: as written. Not NUL-terminated; valid during the call */
    size_t len;
    uint32_t offset; /* of its first byte */
    uint32_t key; /* offset of the member name in names; WH_JSON_INDEX | i in an array; 0 at the top */
};

struct wh_json_reader;

struct wh_json_events {
    /* A scalar, or the beginning of an object or array. 0, or a negative errno that ends the reading. */
    int (*value)(void *ctx, const struct wh_json_value *v);
    /* The end of the innermost open object or array. While it runs, the reader's place is that object or array. */
    int (*end)(void *ctx);
    /* What is wrong at `offset`; the reader's place is the value concerned. Reading goes on where it can. */
    void (*problem)(void *ctx, uint32_t offset, const char *what);
};

struct wh_json_level {
    uint32_t key; /* of the member or element that is being read */
    uint32_t offset; /* where that begins */
    uint32_t serial; /* the object's own number; 0 for an array */
    uint32_t undo; /* length of `undo` when it was opened */
};

struct wh_json_reader {
    const struct wh_json_events *events;
    void *ctx;
    const char *text;
    size_t len;
    void *yajl, *pool;
    int ret;
    uint32_t end; /* end of the last token */
    uint32_t serial;
    bool bad_key, stopped;
    unsigned depth;
    struct wh_json_level level[WH_JSON_MAX_DEPTH + 1];
    struct wh_buf names; /* NUL-terminated names; offset 0 is "" */
    struct wh_buf entries, table, undo; /* see json.c */
    uint32_t table_mask;
};

/* Reads all of text (at most 2 GiB). 0; -EINVAL after a syntax error (told as a problem); what an event returned;
 * -ENOMEM. The reader's names stay valid until wh_json_reader_done(). */
int wh_json_read(struct wh_json_reader *r, const char *text, size_t len, const struct wh_json_events *events,
                 void *ctx);
void wh_json_reader_done(struct wh_json_reader *r);
#define WH_CLEANUP_JSON_READER __attribute__((cleanup(wh_json_reader_done)))

/* JSON pointer of the reader's place; returns buf. */
const char *wh_json_reader_pointer(const struct wh_json_reader *r, char *buf, size_t size);

/* Appends "/name" or "/index" to a JSON pointer (RFC 6901: ~ and / escaped; control bytes as \u00XX, since pointers are
 * printed). `pos` is the length so far; returns the new one, at most size - 1. */
size_t wh_json_pointer_add(char *buf, size_t size, size_t pos, const char *names, uint32_t key);

/* Length of the first n bytes that are valid UTF-8 (RFC 3629): n when all are. */
size_t wh_utf8_valid(const char *s, size_t n);

#endif
