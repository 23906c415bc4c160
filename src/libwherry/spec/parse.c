/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "spec/parse.h"

/*
 * One engine for all of config.json: the events of the JSON reader, steered by the rows of fields.c.
 *
 * Objects are built on a scratch stack, the outermost at its bottom, and are addressed by offset, because the stack
 * moves when it grows. The elements of an array lie on top of it one after the other; when the array ends they are
 * copied into the arena at their exact number and taken off. What an element owns is thereby in the arena before the
 * element itself is, and nothing is ever allocated twice.
 */
_Static_assert(WH_KEY_INDEX == WH_JSON_INDEX, "one way to write an array index");

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
    return (wh_node)(p->nodes.len / sizeof n - 1) | p->tag;
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

/* ---------------------------------------------------------------- members */

static int begin_object(struct wh_parser *p, const struct wh_row *row, uint32_t object, const struct wh_json_value *v,
                        wh_node node)
{
    const struct wh_type *type = row->sub.type;
    uint32_t base = (uint32_t)p->scratch.len;
    struct frame *f;

    if (v->type != WH_JSON_OBJECT) {
        wh_parse_wrong_type(p, v, "an object");
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
        wh_parse_wrong_type(p, v, map ? "an object" : "an array");
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
        wh_parse_string(p, row, (struct wh_sstr *)where, v, node);
        break;
    case WH_K_ENUM:
        wh_parse_enum(p, row, at(p, object), v, node);
        break;
    case WH_K_BOOL:
        if (v->type != WH_JSON_BOOL)
            wh_parse_wrong_type(p, v, "true or false");
        else if (row->flags & WH_F_PLAIN)
            *(bool *)where = v->b;
        else
            *(struct wh_opt_bool *)where = (struct wh_opt_bool){ v->b, true, node };
        break;
    case WH_K_I32:
    case WH_K_U32:
    case WH_K_I64:
    case WH_K_U64:
        wh_parse_integer(p, row, where, v, node);
        break;
    }
    /* A container where a scalar belongs was told already. */
    return p->failed ? -ENOMEM : skip(p, v);
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
                wh_parse_error(p, v->offset, "is required and must not be null");
            f->seen |= UINT64_C(1) << i;
            return 0;
        }
        f->seen |= UINT64_C(1) << i;
        /* Go programs write strings that they did not fill in as "": nothing is named, as with null. */
        if (row->kind == WH_K_STR && v->type == WH_JSON_STRING && v->len == 0 &&
            (row->flags & (WH_F_NONEMPTY | WH_F_REQUIRED)) == WH_F_NONEMPTY)
            return 0;
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
        wh_parse_wrong_type(p, v, "an object");
        return skip(p, v);
    }
    if (list->mode == M_MAP) {
        const char *name = p->r.names.data + v->key, *what = list->row->check ? list->row->check(name) : NULL;

        if (what)
            wh_parse_error(p, v->offset, "%s", what);
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

    if (v->bad) {
        f->bad = true;
        return skip(p, v);
    }
    switch (f->mode) {
    case M_LIST:
    case M_MAP:
        return element_object(p, f, v);
    case M_BITS:
        if (wh_parse_word(p, row, v, NULL, &value))
            f->seen |= row->sub.names->lookup ? UINT64_C(1) << value : (uint64_t)value;
        break;
    case M_STRV:
        if (!push(p, sizeof(struct wh_sstr)))
            return out_of_memory(p);
        f->n++;
        wh_parse_string(p, row, at(p, where), v, new_node(p, f->node, v));
        break;
    case M_U32V:
        if (!push(p, sizeof(struct wh_opt_u32)))
            return out_of_memory(p);
        f->n++;
        wh_parse_integer(p, row, at(p, where), v, new_node(p, f->node, v));
        break;
    case M_KVS: {
        const char *name = p->r.names.data + v->key, *what = row->check ? row->check(name) : NULL;

        if (wh_parse_fits(p, row, v->offset, strlen(name)) && what)
            wh_parse_error(p, v->offset, "%s", what);
        kv.src = new_node(p, f->node, v);
        kv.key = wh_arena_strndup(p->arena, name, strlen(name));
        if (!kv.key)
            return out_of_memory(p);
        wh_parse_text(p, row, v, &kv.value);
        wh_buf_add(&p->scratch, &kv, sizeof kv);
        f->n++;
        break;
    }
    default:
        break;
    }
    if (p->failed)
        return -ENOMEM;
    return skip(p, v);
}

static int on_value(void *ctx, const struct wh_json_value *v)
{
    struct wh_parser *p = ctx;
    struct frame *f;

    if (p->depth == 0)
        return begin_object(p, p->top, 0, v, new_node(p, 0, v));
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
    struct wh_parser *p = ctx;

    p->invalid = wh_startswith(what, "not valid JSON");
    wh_parse_error(p, offset, "%s", what);
}

/* ---------------------------------------------------------------- the whole */

/* Offsets of the beginnings of lines: kept, because the text is not. */
static void index_lines(struct wh_parser *p, const char *json, size_t len)
{
    const char *s = json, *end = json + len;
    uint32_t offset = 0;

    wh_buf_add(&p->lines, &offset, sizeof offset);
    while (end > s && strchr(" \t\r\n", end[-1]))
        end--;
    p->one_line = p->flags & WH_SPEC_PLACELESS || !memchr(json, '\n', (size_t)(end - s));
    for (end = json + len; s < end && (s = memchr(s, '\n', (size_t)(end - s)));) {
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
    s->tag = p->tag;
    s->changes = p->top == &wh_row_resources;
    s->nnodes = (uint32_t)(p->nodes.len / sizeof *s->nodes);
    s->nodes = (struct wh_srcnode *)keep(p->arena, &p->nodes);
    s->keys = keep(p->arena, &p->r.names);
    s->name = wh_arena_strndup(p->arena, p->name, strlen(p->name));
    s->nlines = (uint32_t)(p->lines.len / sizeof *s->lines);
    s->lines = keep(p->arena, &p->lines);
    s->one_line = p->one_line;
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

static int parse(const char *json, size_t len, const char *name, unsigned flags, const struct wh_row *top, wh_node tag,
                 struct wh_spec **ret, struct wh_errlist *errs)
{
    static const struct wh_json_events events = { on_value, on_end, on_problem };
    WH_CLEANUP_ARENA struct wh_arena *arena = NULL;
    __attribute__((cleanup(
        parser_done))) struct wh_parser p = { .errs = errs, .flags = flags, .name = name, .tag = tag, .top = top };
    static const struct wh_srcnode none;
    struct wh_spec *s;
    bool bad;
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
    bad = r < 0 || p.nerrs > 0;
    if (bad && !(flags & WH_SPEC_UNKNOWN))
        return -EINVAL;
    s = finish(&p);
    if (!s)
        return no_memory(errs, name);
    if (!bad)
        bad = wh_spec_validate(s, errs) > 0;
    if (bad && !(flags & WH_SPEC_UNKNOWN))
        return -EINVAL;
    p.arena = arena = NULL;
    *ret = s;
    return bad ? -EINVAL : 0;
}

int wh_spec_parse(const char *json, size_t len, const char *name, unsigned flags, struct wh_spec **ret,
                  struct wh_errlist *errs)
{
    static const struct wh_row top = { .name = "", .kind = WH_K_OBJECT, .sub.type = &wh_type_spec };

    return parse(json, len, name, flags, &top, 0, ret, errs);
}

int wh_spec_parse_process(const char *json, size_t len, const char *name, struct wh_spec **ret, struct wh_errlist *errs)
{
    return parse(json, len, name ? name : "process.json", name ? 0 : WH_SPEC_PLACELESS, &wh_row_process,
                 WH_NODE_PROCESS, ret, errs);
}

int wh_spec_parse_resources(const char *json, size_t len, const char *name, struct wh_spec **ret,
                            struct wh_errlist *errs)
{
    return parse(json, len, name, 0, &wh_row_resources, 0, ret, errs);
}

void wh_spec_free(struct wh_spec *s)
{
    if (s)
        wh_arena_free(s->arena);
}
