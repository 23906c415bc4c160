/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "spec/parse.h"

/* ---------------------------------------------------------------- messages */

static void place_text(const struct wh_parser *p, uint32_t offset, char *buf, size_t size)
{
    const uint32_t *line = (const uint32_t *)p->lines.data;
    size_t lo = 0, hi = p->lines.len / sizeof *line;
    int n;

    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;

        if (line[mid] <= offset)
            lo = mid;
        else
            hi = mid;
    }
    n = snprintf(buf, size, "%s:%zu:%u: ", p->name, lo + 1, offset - line[lo] + 1);
    if (n < 0 || (size_t)n >= size)
        return;
    wh_json_reader_pointer(&p->r, buf + n, size - (size_t)n);
    if (p->one_line && !p->invalid && buf[n]) {
        n = snprintf(buf, size, "%s: ", p->name);
        wh_json_reader_pointer(&p->r, buf + n, size - (size_t)n);
    }
    if (buf[n] == '\0')
        buf[n - 2] = '\0'; /* the whole document: only the place */
}

static void error_at(struct wh_parser *p, uint32_t offset, const char *fmt, va_list ap)
{
    char path[sizeof((struct wh_err *)0)->path], msg[512];
    struct wh_err *e;

    p->nerrs += p->nerrs < UINT32_MAX;
    for (unsigned i = 0; i <= p->r.depth && i < p->depth; i++)
        p->frame[i].bad = true;
    e = wh_errlist_next(p->errs);
    if (!e)
        return;
    place_text(p, offset, path, sizeof path);
    vsnprintf(msg, sizeof msg, fmt, ap);
    wh_err_set(e, WH_ERR_SPEC, -EINVAL, path, "%s", msg);
}

static void parse_warning(struct wh_parser *p, uint32_t offset, const char *fmt, ...) WH_PRINTF(3, 4);
static void parse_warning(struct wh_parser *p, uint32_t offset, const char *fmt, ...)
{
    char path[sizeof((struct wh_err *)0)->path], msg[512];
    struct wh_err *e = wh_errlist_warn(p->errs);
    va_list ap;

    if (!e)
        return;
    place_text(p, offset, path, sizeof path);
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    wh_err_set(e, WH_ERR_SPEC, -EINVAL, path, "%s", msg);
}

void wh_parse_error(struct wh_parser *p, uint32_t offset, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_at(p, offset, fmt, ap);
    va_end(ap);
}

void wh_parser_error(struct wh_parser *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_at(p, p->r.level[p->r.depth].offset, fmt, ap);
    va_end(ap);
}

struct wh_spec *wh_parser_spec(struct wh_parser *p)
{
    return (struct wh_spec *)p->scratch.data;
}

/* A text of millions of errors is answered in the time of one without: nothing is made that nobody will see. */
static bool errors_full(const struct wh_parser *p)
{
    return p->errs->n == WH_ERRLIST_MAX;
}

static const char *type_word(const struct wh_json_value *v)
{
    switch (v->type) {
    case WH_JSON_NULL:
        return "null";
    case WH_JSON_BOOL:
        return v->b ? "true" : "false";
    case WH_JSON_NUMBER:
        return "a number";
    case WH_JSON_STRING:
        return "a string";
    case WH_JSON_OBJECT:
        return "an object";
    case WH_JSON_ARRAY:
        return "an array";
    }
    return "?";
}

void wh_parse_wrong_type(struct wh_parser *p, const struct wh_json_value *v, const char *want)
{
    char text[48] = "";

    if (!errors_full(p) && (v->type == WH_JSON_STRING || v->type == WH_JSON_NUMBER)) {
        struct wh_buf b = { 0 };
        char copy[24];

        snprintf(copy, sizeof copy, "%.*s", v->len < 20 ? (int)v->len : 20, v->text);
        wh_buf_escape(&b, copy, true);
        if (b.data)
            snprintf(text, sizeof text, v->type == WH_JSON_STRING ? " \"%.32s%s\"" : " (%.32s%s)", b.data,
                     v->len > 20 ? "..." : "");
        wh_buf_done(&b);
    }
    wh_parse_error(p, v->offset, "must be %s, not %s%s", want, type_word(v), text);
}

/* ---------------------------------------------------------------- scalars */

struct number {
    bool negative;
    uint64_t magnitude;
};

static bool read_number(const struct wh_json_value *v, struct number *ret)
{
    const char *s = v->text, *end = v->text + v->len;
    uint64_t m = 0;

    ret->negative = s < end && *s == '-';
    if (ret->negative)
        s++;
    for (; s < end; s++) {
        if (*s < '0' || *s > '9')
            return false;
        if (__builtin_mul_overflow(m, 10u, &m) || __builtin_add_overflow(m, (uint64_t)(*s - '0'), &m))
            return false;
    }
    ret->magnitude = m;
    return true;
}

static const struct wh_range *range_of(const struct wh_row *row)
{
    static const struct wh_range i32 = { INT32_MIN, INT32_MAX }, u32 = { 0, UINT32_MAX },
                                 i64 = { INT64_MIN, INT64_MAX }, u64 = { 0, UINT64_MAX };

    if (row->range)
        return row->range;
    return row->kind == WH_K_I32 ? &i32 : row->kind == WH_K_I64 ? &i64 : row->kind == WH_K_U64 ? &u64 : &u32;
}

/* The value as two's complement in *ret. */
static bool integer(struct wh_parser *p, const struct wh_row *row, const struct wh_json_value *v, uint64_t *ret)
{
    const struct wh_range *range = range_of(row);
    char want[80];
    struct number n;

    snprintf(want, sizeof want, "an integer from %lld to %llu", (long long)range->min, (unsigned long long)range->max);
    if (v->type != WH_JSON_NUMBER) {
        wh_parse_wrong_type(p, v, want);
        return false;
    }
    if (!read_number(v, &n) || (n.negative && range->min >= 0) ||
        (n.negative ? n.magnitude > -(uint64_t)range->min
                    : n.magnitude > range->max || (range->min > 0 && n.magnitude < (uint64_t)range->min))) {
        wh_parse_error(p, v->offset, "must be %s, not %.*s%s", want, v->len < 40 ? (int)v->len : 40, v->text,
                       v->len > 40 ? "..." : "");
        return false;
    }
    *ret = n.negative ? -n.magnitude : n.magnitude;
    return true;
}

void wh_parse_integer(struct wh_parser *p, const struct wh_row *row, void *where, const struct wh_json_value *v,
                      wh_node node)
{
    uint64_t x;

    if (!integer(p, row, v, &x))
        return;
    if (row->flags & WH_F_PLAIN) {
        if (row->kind == WH_K_I32 || row->kind == WH_K_U32)
            *(uint32_t *)where = (uint32_t)x;
        else
            *(uint64_t *)where = x;
        return;
    }
    switch (row->kind) {
    case WH_K_I32:
        *(struct wh_opt_i32 *)where = (struct wh_opt_i32){ (int32_t)x, true, node };
        break;
    case WH_K_I64:
        *(struct wh_opt_i64 *)where = (struct wh_opt_i64){ (int64_t)x, true, node };
        break;
    case WH_K_U64:
        *(struct wh_opt_u64 *)where = (struct wh_opt_u64){ x, true, node };
        break;
    default:
        *(struct wh_opt_u32 *)where = (struct wh_opt_u32){ (uint32_t)x, true, node };
        break;
    }
}

/* What an error has room for beside the value; longer lists are in the manual. */
#define MAX_LIST 220

static bool unknown_value(struct wh_parser *p, const struct wh_row *row, const char *s, uint32_t offset)
{
    const struct wh_names *names = row->sub.names;
    const char *near = errors_full(p) ? NULL : wh_names_nearest(names, s);
    struct wh_buf b = { 0 }, list = { 0 };

    wh_buf_escape(&b, s, true);
    if (row->flags & WH_F_LENIENT) {
        parse_warning(p, offset, "unknown %s \"%.80s%s\" is left out%s%s%s", names->what, b.data ? b.data : "",
                      b.data && b.len > 80 ? "..." : "", near ? ", did you mean \"" : "", near ? near : "",
                      near ? "\"?" : "");
        wh_buf_done(&b);
        return false;
    }
    for (size_t i = 0; !near && names->v && i < names->n; i++)
        if (names->v[i].name[0])
            wh_buf_printf(&list, "%s%s", i ? ", " : ": want one of ", names->v[i].name);
    wh_parse_error(p, offset, "unknown %s \"%.80s%s\"%s%s%s%s", names->what, b.data ? b.data : "",
                   b.data && b.len > 80 ? "..." : "", near ? ", did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "", list.data && list.len <= MAX_LIST ? list.data : "");
    wh_buf_done(&b);
    wh_buf_done(&list);
    return false;
}

bool wh_parse_fits(struct wh_parser *p, const struct wh_row *row, uint32_t offset, size_t len)
{
    if (row->max == 0 || len <= row->max)
        return true;
    wh_parse_error(p, offset, "%s %zu bytes long, and the kernel takes at most %u",
                   row->kind == WH_K_KVS ? "has a name that is" : "is", len, row->max);
    return false;
}

/* Everything about one string that a row says. The copy is in the arena. */
bool wh_parse_text(struct wh_parser *p, const struct wh_row *row, const struct wh_json_value *v, const char **ret)
{
    const char *s, *what;

    if (v->type != WH_JSON_STRING) {
        wh_parse_wrong_type(p, v, "a string");
        return false;
    }
    if (row->kind != WH_K_KVS && !wh_parse_fits(p, row, v->offset, v->len))
        return false;
    s = wh_arena_strndup(p->arena, v->text, v->len);
    if (!s) {
        p->failed = true;
        return false;
    }
    /* The more telling message first: a check may have words of its own for the empty string. */
    what = row->check && row->kind != WH_K_KVS ? row->check(s) : NULL;
    if (!what && v->len == 0 && (row->flags & WH_F_NONEMPTY))
        what = "must not be empty";
    if (what) {
        wh_parse_error(p, v->offset, "%s", what);
        return false;
    }
    *ret = s;
    return true;
}

bool wh_parse_word(struct wh_parser *p, const struct wh_row *row, const struct wh_json_value *v,
                   struct wh_sstr *ret_text, int64_t *ret)
{
    const struct wh_names *names = row->sub.names;
    const struct wh_name *found;
    char s[80];
    size_t len;

    if (v->type != WH_JSON_STRING) {
        wh_parse_wrong_type(p, v, "a string");
        return false;
    }
    len = v->len < sizeof s ? v->len : sizeof s - 1;
    memcpy(s, v->text, len);
    s[len] = '\0';
    if (names->lookup) {
        *ret = v->len < sizeof s ? names->lookup(s) : -1;
        if (*ret < 0)
            return unknown_value(p, row, s, v->offset);
        return true;
    }
    found = v->len < sizeof s ? wh_names_find(names, s) : NULL;
    if (!found)
        return unknown_value(p, row, s, v->offset);
    *ret = found->value;
    if (ret_text)
        ret_text->v = found->name;
    return true;
}

void wh_parse_string(struct wh_parser *p, const struct wh_row *row, struct wh_sstr *where,
                     const struct wh_json_value *v, wh_node node)
{
    int64_t value;

    where->src = node;
    /* A word of a list needs no copy: the list's own text does. */
    if (row->sub.names)
        wh_parse_word(p, row, v, where, &value);
    else
        wh_parse_text(p, row, v, &where->v);
}

void wh_parse_enum(struct wh_parser *p, const struct wh_row *row, char *object, const struct wh_json_value *v,
                   wh_node node)
{
    struct wh_sstr text = { NULL, node };
    int64_t value;

    if (!wh_parse_word(p, row, v, &text, &value))
        return;
    if (row->width == 1)
        *(char *)(object + row->offset) = (char)value;
    else
        *(int *)(object + row->offset) = (int)value;
    if (row->text != WH_NO_TEXT)
        *(struct wh_sstr *)(object + row->text) = text;
}
