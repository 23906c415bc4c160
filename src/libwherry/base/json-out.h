/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_BASE_JSON_OUT_H
#define WH_BASE_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * Writing JSON. Commas and, with indent > 0, line breaks are the writer's business; keys and values come in the order of the calls.
 * Text that is not valid UTF-8 is written with U+FFFD in place of the broken bytes, so that what we write can be
 * read.
 */
#define WH_JSON_DEPTH 16

struct wh_json {
    struct wh_buf *out;
    unsigned indent; /* spaces a level; 0 = one line */
    unsigned depth;
    bool some[WH_JSON_DEPTH]; /* the level has a member already */
};

/* key is null inside an array and at the top. */
void wh_json_open(struct wh_json *j, const char *key, char bracket); /* '{' or '[' */
void wh_json_close(struct wh_json *j, char bracket); /* '}' or ']' */
void wh_json_str(struct wh_json *j, const char *key, const char *value);
void wh_json_u64(struct wh_json *j, const char *key, uint64_t value);
void wh_json_i64(struct wh_json *j, const char *key, int64_t value);
void wh_json_bool(struct wh_json *j, const char *key, bool value);
/* Text that is one JSON value already: "0.25", "null". */
void wh_json_raw(struct wh_json *j, const char *key, const char *value);

#endif
