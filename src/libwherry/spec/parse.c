/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "spec/fields.h"

/*
 * One engine for all of config.json: the events of the JSON reader, steered by the rows of fields.c.
 *
 * Objects are built on a scratch stack, the outermost at its bottom, and are addressed by offset, because the stack
 * moves when it grows. The elements of an array lie on top of it one after the other; when the array ends they are
 * copied into the arena at their exact number and taken off. What an element owns is thereby in the arena before the
 * element itself is, and nothing is ever allocated twice.
 */
_Static_assert(WH_KEY_INDEX == WH_JSON_INDEX, "one way to write an array index");

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
    struct wh_json_reader r;
    struct wh_buf scratch, nodes, lines, unknown;
    const char *name;
    struct frame frame[WH_JSON_MAX_DEPTH + 1];
    unsigned depth; /* frames in use */
};

/* What lists of spec.h look like. */
struct list_head {
    void *v;
    size_t n;
    bool set;
    wh_node src;
};
#define SAME_AS_LIST(type)                                                                                             \
    _Static_assert(offsetof(type, v) == offsetof(struct list_head, v) &&                                               \
                       offsetof(type, n) == offsetof(struct list_head, n) &&                                           \
                       offsetof(type, set) == offsetof(struct list_head, set) &&                                       \
                       offsetof(type, src) == offsetof(struct list_head, src),                                         \
                   #type " is filled as a list")
SAME_AS_LIST(struct wh_sstrv);
SAME_AS_LIST(struct wh_u32v);
SAME_AS_LIST(struct wh_kvs);
SAME_AS_LIST(struct wh_idmaps);
SAME_AS_LIST(struct wh_hooklist);
SAME_AS_LIST(struct wh_blkio_devs);

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

WH_PRINTF(3, 4) static void errorf(struct wh_parser *p, uint32_t offset, const char *fmt, ...)
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

static int wrong_type(struct wh_parser *p, const struct wh_json_value *v, const char *want)
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
    errorf(p, v->offset, "must be %s, not %s%s", want, type_word(v), text);
    return 0;
}

/* ---------------------------------------------------------------- memory */

static void *at(struct wh_parser *p, uint32_t offset)
{
    return p->scratch.data + offset;
}

static int out_of_memory(struct wh_parser *p)
{
    p->failed = true;
    return -ENOMEM;
}

/* A zeroed object on top of the scratch stack. */
static bool push(struct wh_parser *p, size_t size)
{
    static const char zero[64];

    while (size > 0) {
        size_t n = size < sizeof zero ? size : sizeof zero;

        wh_buf_add(&p->scratch, zero, n);
        size -= n;
    }
    /* Offsets into it are 32 bits wide; the file's limit of 64 MiB keeps it far below. */
    return !p->scratch.failed && p->scratch.len < UINT32_MAX;
}

static void *pop(struct wh_parser *p, uint32_t base)
{
    size_t size = p->scratch.len - base;
    void *copy = wh_arena_alloc(p->arena, size);

    if (copy)
        memcpy(copy, p->scratch.data + base, size);
    p->scratch.len = base;
    return copy;
}

static wh_node new_node(struct wh_parser *p, wh_node parent, const struct wh_json_value *v)
{
    struct wh_srcnode n = { .parent = parent, .key = v->key, .offset = v->offset };

    wh_buf_add(&p->nodes, &n, sizeof n);
    return (wh_node)(p->nodes.len / sizeof n - 1);
}

static struct frame *enter(struct wh_parser *p, enum mode mode)
{
    struct frame *f = &p->frame[p->depth++];

    *f = (struct frame){ .mode = (uint8_t)mode };
    return f;
}

static int skip(struct wh_parser *p, const struct wh_json_value *v)
{
    if (v->type == WH_JSON_OBJECT || v->type == WH_JSON_ARRAY)
        enter(p, M_SKIP);
    return 0;
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
        wrong_type(p, v, want);
        return false;
    }
    if (!read_number(v, &n) || (n.negative && range->min >= 0) ||
        (n.negative ? n.magnitude > -(uint64_t)range->min
                    : n.magnitude > range->max || (range->min > 0 && n.magnitude < (uint64_t)range->min))) {
        errorf(p, v->offset, "must be %s, not %.*s%s", want, v->len < 40 ? (int)v->len : 40, v->text,
               v->len > 40 ? "..." : "");
        return false;
    }
    *ret = n.negative ? -n.magnitude : n.magnitude;
    return true;
}

static int store_integer(struct wh_parser *p, const struct wh_row *row, void *where, const struct wh_json_value *v,
                         wh_node node)
{
    uint64_t x;

    if (!integer(p, row, v, &x))
        return 0;
    if (row->flags & WH_F_PLAIN) {
        if (row->kind == WH_K_I32 || row->kind == WH_K_U32)
            *(uint32_t *)where = (uint32_t)x;
        else
            *(uint64_t *)where = x;
        return 0;
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
    return 0;
}

static bool unknown_value(struct wh_parser *p, const struct wh_names *names, const char *s, uint32_t offset)
{
    const char *near = errors_full(p) ? NULL : wh_names_nearest(names, s);
    struct wh_buf b = { 0 };

    wh_buf_escape(&b, s, true);
    errorf(p, offset, "unknown %s \"%.80s%s\"%s%s%s", names->what, b.data ? b.data : "",
           b.data && b.len > 80 ? "..." : "", near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    wh_buf_done(&b);
    return false;
}

/* Everything about one string that a row says. The copy is in the arena. */
static bool string(struct wh_parser *p, const struct wh_row *row, const struct wh_json_value *v, const char **ret)
{
    const char *s, *what;

    if (v->type != WH_JSON_STRING) {
        wrong_type(p, v, "a string");
        return false;
    }
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
        errorf(p, v->offset, "%s", what);
        return false;
    }
    *ret = s;
    return true;
}

static bool word(struct wh_parser *p, const struct wh_row *row, const struct wh_json_value *v, struct wh_sstr *ret_text,
                 int64_t *ret)
{
    const struct wh_names *names = row->sub.names;
    const struct wh_name *found;
    char s[80];

    if (v->type != WH_JSON_STRING) {
        wrong_type(p, v, "a string");
        return false;
    }
    snprintf(s, sizeof s, "%.*s", v->len < sizeof s ? (int)v->len : (int)sizeof s - 1, v->text);
    if (names->lookup) {
        *ret = v->len < sizeof s ? names->lookup(s) : -1;
        if (*ret < 0)
            return unknown_value(p, names, s, v->offset);
        return true;
    }
    found = v->len < sizeof s ? wh_names_find(names, s) : NULL;
    if (!found)
        return unknown_value(p, names, s, v->offset);
    *ret = found->value;
    if (ret_text)
        ret_text->v = found->name;
    return true;
}

static int store_string(struct wh_parser *p, const struct wh_row *row, struct wh_sstr *where,
                        const struct wh_json_value *v, wh_node node)
{
    int64_t value;

    where->src = node;
    /* A word of a list needs no copy: the list's own text does. */
    if (row->sub.names)
        word(p, row, v, where, &value);
    else
        string(p, row, v, &where->v);
    return p->failed ? -ENOMEM : 0;
}

static int store_enum(struct wh_parser *p, const struct wh_row *row, char *object, const struct wh_json_value *v,
                      wh_node node)
{
    struct wh_sstr text = { NULL, node };
    int64_t value;

    if (!word(p, row, v, &text, &value))
        return 0;
    if (row->width == 1)
        *(char *)(object + row->offset) = (char)value;
    else
        *(int *)(object + row->offset) = (int)value;
    if (row->text != WH_NO_TEXT)
        *(struct wh_sstr *)(object + row->text) = text;
    return 0;
}

/* ---------------------------------------------------------------- members */

static int begin_object(struct wh_parser *p, const struct wh_row *row, uint32_t object, const struct wh_json_value *v,
                        wh_node node)
{
    const struct wh_type *type = row->sub.type;
    uint32_t base = (uint32_t)p->scratch.len;
    struct frame *f;

    if (v->type != WH_JSON_OBJECT) {
        wrong_type(p, v, "an object");
        return skip(p, v);
    }
    if ((row->flags & WH_F_POINTER) && !push(p, type->size))
        return out_of_memory(p);
    f = enter(p, M_OBJECT);
    f->type = type;
    f->row = row;
    f->holder = object;
    f->object = row->flags & WH_F_POINTER ? base : object + row->offset;
    f->node = node;
    if (type->set >= 0)
        *(bool *)((char *)at(p, f->object) + type->set) = true;
    if (type->src >= 0)
        *(wh_node *)((char *)at(p, f->object) + type->src) = node;
    return 0;
}

static int begin_many(struct wh_parser *p, const struct wh_row *row, uint32_t object, const struct wh_json_value *v,
                      wh_node node)
{
    static const uint8_t modes[] = {
        [WH_K_LIST] = M_LIST, [WH_K_MAP] = M_MAP,   [WH_K_KVS] = M_KVS,
        [WH_K_STRV] = M_STRV, [WH_K_U32V] = M_U32V, [WH_K_BITS] = M_BITS,
    };
    bool map = row->kind == WH_K_MAP || row->kind == WH_K_KVS;
    struct frame *f;

    if (v->type != (map ? WH_JSON_OBJECT : WH_JSON_ARRAY)) {
        wrong_type(p, v, map ? "an object" : "an array");
        return skip(p, v);
    }
    f = enter(p, modes[row->kind]);
    f->row = row;
    f->object = object;
    f->base = (uint32_t)p->scratch.len;
    f->node = node;
    return 0;
}

static int store(struct wh_parser *p, const struct wh_row *row, uint32_t object, const struct wh_json_value *v,
                 wh_node node)
{
    char *where = (char *)at(p, object) + row->offset;
    int r = 0;

    switch ((enum wh_kind)row->kind) {
    case WH_K_OBJECT:
        return begin_object(p, row, object, v, node);
    case WH_K_LIST:
    case WH_K_MAP:
    case WH_K_KVS:
    case WH_K_STRV:
    case WH_K_U32V:
    case WH_K_BITS:
        return begin_many(p, row, object, v, node);
    case WH_K_IGNORED:
        return skip(p, v);
    case WH_K_STR:
        r = store_string(p, row, (struct wh_sstr *)where, v, node);
        break;
    case WH_K_ENUM:
        r = store_enum(p, row, at(p, object), v, node);
        break;
    case WH_K_BOOL:
        if (v->type != WH_JSON_BOOL)
            wrong_type(p, v, "true or false");
        else if (row->flags & WH_F_PLAIN)
            *(bool *)where = v->b;
        else
            *(struct wh_opt_bool *)where = (struct wh_opt_bool){ v->b, true, node };
        break;
    case WH_K_I32:
    case WH_K_U32:
    case WH_K_I64:
    case WH_K_U64:
        r = store_integer(p, row, where, v, node);
        break;
    }
    /* A container where a scalar belongs was told already. */
    return r < 0 ? r : skip(p, v);
}

/* So many unknown properties are compared with the known ones; it takes time, and nobody reads on. */
#define NEAREST_MAX 1000

static int unknown_key(struct wh_parser *p, const struct frame *f, const struct wh_json_value *v)
{
    struct wh_unknown_key u = { 0 };
    unsigned distance = 0;

    if (p->flags & WH_SPEC_UNKNOWN) {
        const char *name = p->r.names.data + v->key;

        u.src = new_node(p, f->node, v);
        for (unsigned i = 0; i < f->type->nrows && p->unknown.len < NEAREST_MAX * sizeof u; i++)
            wh_nearest(name, f->type->rows[i].name, &u.nearest, &distance);
        wh_buf_add(&p->unknown, &u, sizeof u);
    }
    return skip(p, v);
}

static int member(struct wh_parser *p, struct frame *f, const struct wh_json_value *v)
{
    const char *name = p->r.names.data + v->key;
    const struct wh_row *row;

    for (unsigned i = 0; i < f->type->nrows; i++) {
        row = &f->type->rows[i];
        if (!wh_streq(row->name, name))
            continue;
        if (v->bad) {
            f->bad = true;
            f->seen |= UINT64_C(1) << i;
            return skip(p, v);
        }
        if (v->type == WH_JSON_NULL && row->kind != WH_K_IGNORED) {
            if (row->flags & WH_F_REQUIRED)
                errorf(p, v->offset, "is required and must not be null");
            f->seen |= UINT64_C(1) << i;
            return 0;
        }
        f->seen |= UINT64_C(1) << i;
        return store(p, row, f->object, v, row->kind == WH_K_IGNORED ? 0 : new_node(p, f->node, v));
    }
    return unknown_key(p, f, v);
}

/* ---------------------------------------------------------------- elements */

static int element_object(struct wh_parser *p, struct frame *list, const struct wh_json_value *v)
{
    const struct wh_type *type = list->row->sub.type;
    uint32_t object = (uint32_t)p->scratch.len;
    const char *key = NULL;
    struct frame *f;
    wh_node node;

    if (v->type != WH_JSON_OBJECT) {
        wrong_type(p, v, "an object");
        return skip(p, v);
    }
    if (list->mode == M_MAP) {
        const char *name = p->r.names.data + v->key, *what = list->row->check ? list->row->check(name) : NULL;

        if (what)
            errorf(p, v->offset, "%s", what);
        key = wh_arena_strndup(p->arena, name, strlen(name));
        if (!key)
            return out_of_memory(p);
    }
    node = new_node(p, list->node, v);
    if (!push(p, type->size))
        return out_of_memory(p);
    if (key)
        *(const char **)((char *)at(p, object) + type->key) = key;
    if (type->src >= 0)
        *(wh_node *)((char *)at(p, object) + type->src) = node;
    list->n++;
    f = enter(p, M_OBJECT);
    f->type = type;
    f->object = object;
    f->node = node;
    return 0;
}

static int element(struct wh_parser *p, struct frame *f, const struct wh_json_value *v)
{
    const struct wh_row *row = f->row;
    uint32_t where = (uint32_t)p->scratch.len;
    struct wh_kv kv = { 0 };
    int64_t value;
    int r = 0;

    if (v->bad) {
        f->bad = true;
        return skip(p, v);
    }
    switch (f->mode) {
    case M_LIST:
    case M_MAP:
        return element_object(p, f, v);
    case M_BITS:
        if (word(p, row, v, NULL, &value))
            f->seen |= row->sub.names->lookup ? UINT64_C(1) << value : (uint64_t)value;
        break;
    case M_STRV:
        if (!push(p, sizeof(struct wh_sstr)))
            return out_of_memory(p);
        f->n++;
        r = store_string(p, row, at(p, where), v, new_node(p, f->node, v));
        break;
    case M_U32V:
        if (!push(p, sizeof(struct wh_opt_u32)))
            return out_of_memory(p);
        f->n++;
        r = store_integer(p, row, at(p, where), v, new_node(p, f->node, v));
        break;
    case M_KVS: {
        const char *name = p->r.names.data + v->key, *what = row->check ? row->check(name) : NULL;

        if (what)
            errorf(p, v->offset, "%s", what);
        kv.src = new_node(p, f->node, v);
        kv.key = wh_arena_strndup(p->arena, name, strlen(name));
        if (!kv.key)
            return out_of_memory(p);
        string(p, row, v, &kv.value);
        wh_buf_add(&p->scratch, &kv, sizeof kv);
        f->n++;
        break;
    }
    default:
        break;
    }
    if (r < 0 || p->failed)
        return -ENOMEM;
    return skip(p, v);
}

static int on_value(void *ctx, const struct wh_json_value *v)
{
    static const struct wh_row top = { .name = "", .kind = WH_K_OBJECT, .sub.type = &wh_type_spec };
    struct wh_parser *p = ctx;
    struct frame *f;

    if (p->depth == 0)
        return begin_object(p, &top, 0, v, new_node(p, 0, v));
    f = &p->frame[p->depth - 1];
    if (f->mode == M_SKIP)
        return skip(p, v);
    if (f->mode == M_OBJECT)
        return member(p, f, v);
    return element(p, f, v);
}

/* ---------------------------------------------------------------- ends */

static void end_object(struct wh_parser *p, struct frame *f)
{
    const struct wh_type *type = f->type;

    for (unsigned i = 0; i < type->nrows; i++)
        if ((type->rows[i].flags & WH_F_REQUIRED) && !(f->seen & UINT64_C(1) << i)) {
            wh_parser_error(p, "the required property \"%s\" is missing", type->rows[i].name);
            f->bad = true;
        }
    if (type->end && !f->bad)
        type->end(p, at(p, f->object));
    if (f->row && (f->row->flags & WH_F_POINTER)) {
        void *copy = pop(p, f->object);

        *(void **)((char *)at(p, f->holder) + f->row->offset) = copy;
    }
}

static void end_many(struct wh_parser *p, const struct frame *f)
{
    const struct wh_row *row = f->row;
    struct list_head *head;
    void *v = NULL;

    if (f->mode == M_BITS) {
        char *where = (char *)at(p, f->object) + row->offset;

        if (row->width == 8)
            *(uint64_t *)where = f->seen;
        else
            *(uint32_t *)where = (uint32_t)f->seen;
        if (row->flags & WH_F_HEAD) {
            ((struct wh_capset *)where)->set = true;
            ((struct wh_capset *)where)->src = f->node;
        }
        return;
    }
    if (f->n == 0 && (row->flags & WH_F_MINONE))
        wh_parser_error(p, "must have at least one element");
    if (row->flags & WH_F_SCRATCH)
        p->scratch.len = f->base;
    else
        v = pop(p, f->base);
    if (row->flags & WH_F_SCRATCH)
        return;
    head = (struct list_head *)((char *)at(p, f->object) + row->offset);
    head->v = v;
    head->n = f->n;
    if (row->flags & WH_F_HEAD) {
        head->set = true;
        head->src = f->node;
    }
}

static int on_end(void *ctx)
{
    struct wh_parser *p = ctx;
    struct frame *f = &p->frame[--p->depth];

    if (f->mode == M_OBJECT)
        end_object(p, f);
    else if (f->mode != M_SKIP)
        end_many(p, f);
    if (p->failed || wh_arena_failed(p->arena) || p->nodes.failed || p->unknown.failed || p->scratch.failed)
        return out_of_memory(p);
    return 0;
}

static void on_problem(void *ctx, uint32_t offset, const char *what)
{
    errorf(ctx, offset, "%s", what);
}

/* ---------------------------------------------------------------- the whole */

/* Offsets of the beginnings of lines: kept, because the text is not. */
static void index_lines(struct wh_parser *p, const char *json, size_t len)
{
    const char *s = json, *end = json + len;
    uint32_t offset = 0;

    wh_buf_add(&p->lines, &offset, sizeof offset);
    while (s < end && (s = memchr(s, '\n', (size_t)(end - s)))) {
        offset = (uint32_t)(++s - json);
        wh_buf_add(&p->lines, &offset, sizeof offset);
    }
}

static const void *keep(struct wh_arena *a, const struct wh_buf *b)
{
    void *copy = wh_arena_alloc(a, b->len);

    if (copy && b->len)
        memcpy(copy, b->data, b->len);
    return copy;
}

/* Moves the finished spec, and the maps of it, from the parser's buffers into the arena. */
static struct wh_spec *finish(struct wh_parser *p)
{
    struct wh_spec *s = wh_arena_alloc(p->arena, sizeof *s);

    if (!s)
        return NULL;
    memcpy(s, p->scratch.data, sizeof *s);
    s->arena = p->arena;
    s->nnodes = (uint32_t)(p->nodes.len / sizeof *s->nodes);
    s->nodes = (struct wh_srcnode *)keep(p->arena, &p->nodes);
    s->keys = keep(p->arena, &p->r.names);
    s->name = wh_arena_strndup(p->arena, p->name, strlen(p->name));
    s->nlines = (uint32_t)(p->lines.len / sizeof *s->lines);
    s->lines = keep(p->arena, &p->lines);
    s->nunknown = p->unknown.len / sizeof *s->unknown;
    s->unknown = (struct wh_unknown_key *)keep(p->arena, &p->unknown);
    return wh_arena_failed(p->arena) ? NULL : s;
}

static void parser_done(struct wh_parser *p)
{
    wh_json_reader_done(&p->r);
    wh_buf_done(&p->scratch);
    wh_buf_done(&p->nodes);
    wh_buf_done(&p->lines);
    wh_buf_done(&p->unknown);
}

static int no_memory(struct wh_errlist *errs, const char *name)
{
    return wh_err_set(wh_errlist_next(errs), WH_ERR_HOST, -ENOMEM, name, "not enough memory to read the configuration");
}

int wh_spec_parse(const char *json, size_t len, const char *name, unsigned flags, struct wh_spec **ret,
                  struct wh_errlist *errs)
{
    static const struct wh_json_events events = { on_value, on_end, on_problem };
    WH_CLEANUP_ARENA struct wh_arena *arena = NULL;
    __attribute__((cleanup(parser_done))) struct wh_parser p = { .errs = errs, .flags = flags, .name = name };
    static const struct wh_srcnode none;
    struct wh_spec *s;
    int r;

    *ret = NULL;
    if (len > WH_SPEC_MAX_BYTES)
        return wh_err_set(wh_errlist_next(errs), WH_ERR_SPEC, -E2BIG, name,
                          "is larger than %u MiB, the most that a configuration may have", WH_SPEC_MAX_BYTES >> 20);
    p.arena = arena = wh_arena_new();
    index_lines(&p, json, len);
    wh_buf_add(&p.nodes, &none, sizeof none);
    if (!arena || p.lines.failed || p.nodes.failed || !push(&p, sizeof *s))
        return no_memory(errs, name);
    r = wh_json_read(&p.r, json, len, &events, &p);
    if (r == -ENOMEM || p.failed)
        return no_memory(errs, name);
    if (r < 0 || p.nerrs > 0)
        return -EINVAL;
    s = finish(&p);
    if (!s)
        return no_memory(errs, name);
    if (wh_spec_validate(s, errs) > 0)
        return -EINVAL;
    p.arena = arena = NULL;
    *ret = s;
    return 0;
}

void wh_spec_free(struct wh_spec *s)
{
    if (s)
        wh_arena_free(s->arena);
}
