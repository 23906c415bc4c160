/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_SPEC_PARSE_H
#define WH_SPEC_PARSE_H

#include "base/json.h"
#include "spec/fields.h"

/* Between the two halves of the engine: parse.c (objects and arrays) and parse-value.c (messages and scalars). */
enum mode { M_SKIP, M_OBJECT, M_LIST, M_MAP, M_KVS, M_STRV, M_U32V, M_BITS };

struct frame {
    uint8_t mode;
    bool bad;
    const struct wh_type *type; /* M_OBJECT */
    const struct wh_row *row; /* the row that the value belongs to; null for the top and for elements */
    uint32_t object; /* scratch offset: M_OBJECT: of the object; else of the object that has the row */
    uint32_t holder; /* WH_F_POINTER: of the object that has the row */
    uint32_t base, n; /* elements on the scratch stack */
    wh_node node;
    uint64_t seen; /* M_OBJECT: rows; M_BITS: bits */
};

struct wh_parser {
    struct wh_arena *arena;
    struct wh_errlist *errs;
    unsigned flags;
    unsigned nerrs;
    bool failed; /* out of memory */
    bool one_line; /* of the whole text: nobody looks for column 2715 */
    bool invalid; /* no JSON: there the column is all that helps */
    struct wh_json_reader r;
    struct wh_buf scratch, nodes, lines, unknown;
    const char *name;
    wh_node tag; /* of all nodes */
    const struct wh_row *top; /* what the document is */
    struct frame frame[WH_JSON_MAX_DEPTH + 1];
    unsigned depth; /* frames in use */
};

/* parse-value.c. A value that is not what its row asks for is told, and left out: false, and nothing in *ret. */
void wh_parse_error(struct wh_parser *p, uint32_t offset, const char *fmt, ...) WH_PRINTF(3, 4);
void wh_parse_wrong_type(struct wh_parser *p, const struct wh_json_value *v, const char *want);
bool wh_parse_text(struct wh_parser *p, const struct wh_row *row, const struct wh_json_value *v, const char **ret);
/* False, after an error, if the string is longer than its row allows. With WH_K_KVS the limit is that of the names. */
bool wh_parse_fits(struct wh_parser *p, const struct wh_row *row, uint32_t offset, size_t len);
bool wh_parse_word(struct wh_parser *p, const struct wh_row *row, const struct wh_json_value *v,
                   struct wh_sstr *ret_text, int64_t *ret);
/* Into the field of the row's kind at `where`; an enum into `object`, where the row says. */
void wh_parse_integer(struct wh_parser *p, const struct wh_row *row, void *where, const struct wh_json_value *v,
                      wh_node node);
void wh_parse_string(struct wh_parser *p, const struct wh_row *row, struct wh_sstr *where,
                     const struct wh_json_value *v, wh_node node);
void wh_parse_enum(struct wh_parser *p, const struct wh_row *row, char *object, const struct wh_json_value *v,
                   wh_node node);

#endif
