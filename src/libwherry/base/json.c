/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

/*
 * Names are interned in a hash table, and an entry remembers the serial number of the last object that had the name.
 * That makes "seen twice in this object" one comparison; what an inner object overwrote is put back from `undo` when it
 * ends. No step depends on how many members an object has.
 */
struct entry {
    uint32_t hash, name, last;
};
struct undo {
    uint32_t entry, last;
};

#define TABLE_MIN 256u
#define NOENTRY UINT32_MAX

static struct wh_json_level *top(struct wh_json_reader *r)
{
    return &r->level[r->depth];
}

static void problem(struct wh_json_reader *r, uint32_t offset, const char *what)
{
    r->events->problem(r->ctx, offset, what);
}

static int stop(struct wh_json_reader *r, int ret)
{
    r->ret = ret;
    r->stopped = true;
    return 0;
}

static bool table_rebuild(struct wh_json_reader *r, uint32_t size)
{
    static const uint32_t none[64];
    const struct entry *e = (const struct entry *)r->entries.data;
    size_t n = r->entries.len / sizeof *e;
    uint32_t *slot;

    r->table.len = 0;
    for (uint32_t i = 0; i < size; i += WH_ELEMENTSOF(none))
        wh_buf_add(&r->table, none, sizeof none);
    if (r->table.failed)
        return false;
    r->table_mask = size - 1;
    slot = (uint32_t *)r->table.data;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = e[i].hash & r->table_mask;

        while (slot[at])
            at = (at + 1) & r->table_mask;
        slot[at] = i + 1;
    }
    return true;
}

/* The entry of a name, made if it is new. */
static uint32_t intern(struct wh_json_reader *r, const char *s, size_t len)
{
    struct entry fresh = { .hash = 2166136261u };
    const struct entry *e;
    const uint32_t *slot;
    uint32_t at, n;

    for (size_t i = 0; i < len; i++)
        fresh.hash = (fresh.hash ^ (unsigned char)s[i]) * 16777619u;
    e = (const struct entry *)r->entries.data;
    slot = (const uint32_t *)r->table.data;
    for (at = fresh.hash & r->table_mask; slot[at]; at = (at + 1) & r->table_mask) {
        const struct entry *have = &e[slot[at] - 1];
        const char *name = r->names.data + have->name;

        if (have->hash == fresh.hash && strncmp(name, s, len) == 0 && name[len] == '\0')
            return slot[at] - 1;
    }
    n = (uint32_t)(r->entries.len / sizeof *e);
    fresh.name = (uint32_t)r->names.len;
    wh_buf_add(&r->names, s, len);
    wh_buf_add(&r->names, "", 1);
    wh_buf_add(&r->entries, &fresh, sizeof fresh);
    if (r->names.failed || r->entries.failed)
        return NOENTRY;
    ((uint32_t *)r->table.data)[at] = n + 1;
    if (n >= r->table_mask / 2 && !table_rebuild(r, (r->table_mask + 1) * 2))
        return NOENTRY;
    return n;
}

size_t wh_utf8_valid(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;

    while (i < n) {
        unsigned char c = s[i];
        size_t more;

        if (c < 0x80) {
            i++;
            continue;
        }
        more = c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 0;
        if (more == 0 || more >= n - i)
            return i;
        if ((c == 0xe0 && s[i + 1] < 0xa0) || (c == 0xed && s[i + 1] >= 0xa0) || (c == 0xf0 && s[i + 1] < 0x90) ||
            (c == 0xf4 && s[i + 1] >= 0x90))
            return i;
        for (size_t k = 1; k <= more; k++)
            if ((s[i + k] & 0xc0) != 0x80)
                return i;
        i += more + 1;
    }
    return n;
}

static int hex4(const char *s)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        char c = s[i];

        v = v * 16 + (c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* yajl turns a lone surrogate into a question mark without a word, so the text as written is looked at. yajl has
 * checked the syntax of the escapes. */
static const char *bad_escape(const char *s, const char *end)
{
    while (s < end && (s = memchr(s, '\\', (size_t)(end - s)))) {
        int v;

        if (s[1] != 'u') {
            s += 2;
            continue;
        }
        v = hex4(s + 2);
        if (v == 0)
            return "contains a NUL character (\\u0000)";
        if (v >= 0xd800 && v < 0xdc00 && end - s >= 12 && s[6] == '\\' && s[7] == 'u' && hex4(s + 8) >= 0xdc00 &&
            hex4(s + 8) < 0xe000)
            s += 12;
        else if (v >= 0xd800 && v < 0xe000)
            return "contains half of a surrogate pair (\\uD800 to \\uDFFF), which is not a character";
        else
            s += 6;
    }
    return NULL;
}

static bool between(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == ',' || c == ':';
}

/* Begins a token: its first byte, and the place of an element. yajl tells where a token ends; between two tokens there
 * is only white space, and a comma or colon. */
static uint32_t token(struct wh_json_reader *r)
{
    size_t end = yajl_get_bytes_consumed(r->yajl), start = r->end;

    while (start < r->len && between(r->text[start]))
        start++;
    /* A number that ends the text is told about after the end of it. */
    r->end = end > start ? (uint32_t)end : (uint32_t)r->len;
    return (uint32_t)start;
}

static const char *string_problem(const struct wh_json_reader *r, uint32_t start, const unsigned char *s, size_t len)
{
    const char *what = NULL;

    /* Decoded in place means: no escapes. */
    if ((const char *)s < r->text || (const char *)s > r->text + r->len)
        what = bad_escape(r->text + start, r->text + r->end);
    if (!what && wh_utf8_valid((const char *)s, len) != len)
        what = "is not valid UTF-8";
    return what;
}

static void place(struct wh_json_reader *r, struct wh_json_value *v)
{
    struct wh_json_level *l = top(r);

    v->offset = token(r);
    if (r->depth > 0 && l->serial == 0)
        l->key = (l->key + 1) | WH_JSON_INDEX;
    l->offset = v->offset;
    v->key = l->key;
    v->bad = r->bad_key;
    r->bad_key = false;
}

static int deliver(struct wh_json_reader *r, struct wh_json_value *v)
{
    int ret = r->events->value(r->ctx, v);

    return ret < 0 ? stop(r, ret) : 1;
}

static int on_null(void *ctx)
{
    struct wh_json_value v = { .type = WH_JSON_NULL };

    place(ctx, &v);
    return deliver(ctx, &v);
}

static int on_bool(void *ctx, int b)
{
    struct wh_json_value v = { .type = WH_JSON_BOOL, .b = b };

    place(ctx, &v);
    return deliver(ctx, &v);
}

static int on_number(void *ctx, const char *text, size_t len)
{
    struct wh_json_value v = { .type = WH_JSON_NUMBER, .text = text, .len = len };

    place(ctx, &v);
    return deliver(ctx, &v);
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    struct wh_json_value v = { .type = WH_JSON_STRING, .text = (const char *)text, .len = len };
    struct wh_json_reader *r = ctx;
    const char *what;

    place(r, &v);
    what = string_problem(r, v.offset, text, len);
    if (what) {
        problem(r, v.offset, what);
        v.bad = true;
    }
    return deliver(r, &v);
}

static int open_level(struct wh_json_reader *r, enum wh_json_type type)
{
    struct wh_json_value v = { .type = type };
    int ret;

    place(r, &v);
    if (r->depth == WH_JSON_MAX_DEPTH) {
        problem(r, v.offset, "is nested more than 64 levels deep");
        return stop(r, -EINVAL);
    }
    ret = deliver(r, &v);
    r->depth++;
    *top(r) = (struct wh_json_level){
        .key = type == WH_JSON_ARRAY ? UINT32_MAX : 0,
        .serial = type == WH_JSON_OBJECT ? ++r->serial : 0,
        .undo = (uint32_t)(r->undo.len / sizeof(struct undo)),
    };
    return ret;
}

static int on_object(void *ctx)
{
    return open_level(ctx, WH_JSON_OBJECT);
}

static int on_array(void *ctx)
{
    return open_level(ctx, WH_JSON_ARRAY);
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    struct wh_json_reader *r = ctx;
    struct wh_json_level *l = top(r);
    uint32_t start = token(r), id;
    const char *what = string_problem(r, start, text, len);
    struct entry *e;
    struct undo u;

    if (what) /* A broken name is interned up to where it breaks, for its pointer. */
        len = wh_utf8_valid((const char *)text, strnlen((const char *)text, len));
    id = intern(r, (const char *)text, len);
    if (id == NOENTRY)
        return stop(r, -ENOMEM);
    e = (struct entry *)r->entries.data + id;
    l->key = e->name;
    l->offset = start;
    if (what) {
        char msg[128];

        snprintf(msg, sizeof msg, "the property name %s", what);
        problem(r, start, msg);
        r->bad_key = true;
        return 1;
    }
    if (e->last == l->serial) {
        problem(r, start, "is given twice in the same object");
        r->bad_key = true;
        return 1;
    }
    u = (struct undo){ id, e->last };
    e->last = l->serial;
    wh_buf_add(&r->undo, &u, sizeof u);
    return r->undo.failed ? stop(r, -ENOMEM) : 1;
}

static int on_end(void *ctx)
{
    struct wh_json_reader *r = ctx;
    const struct wh_json_level *l = top(r);
    const struct undo *u = (const struct undo *)r->undo.data;
    int ret;

    for (size_t i = r->undo.len / sizeof *u; i > l->undo; i--)
        ((struct entry *)r->entries.data)[u[i - 1].entry].last = u[i - 1].last;
    r->undo.len = l->undo * sizeof *u;
    token(r);
    r->depth--;
    ret = r->events->end(r->ctx);
    return ret < 0 ? stop(r, ret) : 1;
}

/*
 * yajl does not look whether it got the memory that it asked for, and would write through a null pointer. What it needs
 * for any usual text comes from a pool that is allocated, with a look, beforehand: only a string of more than 4 KiB
 * that has escapes makes it ask for more.
 */
#define POOL_SIZE 16384u
struct pool {
    size_t used;
    _Alignas(16) char data[POOL_SIZE];
};
struct block {
    size_t size;
    _Alignas(16) char data[];
};

static bool pooled(const struct pool *pool, const void *p)
{
    return (const char *)p >= pool->data && (const char *)p < pool->data + POOL_SIZE;
}

static void *pool_malloc(void *ctx, size_t size)
{
    struct pool *pool = ctx;
    size_t want = sizeof(struct block) + ((size + 15) & ~(size_t)15);
    struct block *b;

    if (size > POOL_SIZE || want > POOL_SIZE - pool->used)
        return malloc(size);
    b = (struct block *)(pool->data + pool->used);
    pool->used += want;
    b->size = size;
    return b->data;
}

static void *pool_realloc(void *ctx, void *p, size_t size)
{
    const struct block *b;
    void *fresh;

    if (!p || !pooled(ctx, p))
        return p ? realloc(p, size) : pool_malloc(ctx, size);
    b = (const struct block *)((const char *)p - offsetof(struct block, data));
    if (size <= b->size)
        return p;
    fresh = pool_malloc(ctx, size);
    return fresh ? memcpy(fresh, p, b->size) : NULL;
}

static void pool_free(void *ctx, void *p)
{
    if (!pooled(ctx, p))
        free(p);
}

static void syntax_problem(struct wh_json_reader *r)
{
    size_t at = yajl_get_bytes_consumed(r->yajl);
    unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
    char msg[160];

    /* It stands at the byte that is wrong inside a string, behind one that begins no token, and behind a whole token
     * that the grammar has no place for. */
    if (text && wh_startswith((const char *)text, "parse error"))
        at = token(r);
    else if (at > 0 && text && strstr((const char *)text, "invalid char in json text"))
        at--;
    snprintf(msg, sizeof msg, "not valid JSON: %s", text ? (const char *)text : "syntax error");
    msg[strcspn(msg, "\n")] = '\0';
    if (text)
        yajl_free_error(r->yajl, text);
    problem(r, (uint32_t)(at < r->len ? at : r->len), msg);
}

int wh_json_read(struct wh_json_reader *r, const char *text, size_t len, const struct wh_json_events *events, void *ctx)
{
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_bool,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_object,
        .yajl_map_key = on_key,
        .yajl_end_map = on_end,
        .yajl_start_array = on_array,
        .yajl_end_array = on_end,
    };
    yajl_alloc_funcs alloc = { pool_malloc, pool_realloc, pool_free, NULL };
    yajl_status status;

    *r = (struct wh_json_reader){ .events = events, .ctx = ctx, .text = text, .len = len };
    if (len > INT32_MAX)
        return -E2BIG;
    wh_buf_add(&r->names, "", 1);
    if (r->names.failed || !table_rebuild(r, TABLE_MIN))
        return -ENOMEM;
    r->pool = malloc(sizeof(struct pool));
    if (!r->pool)
        return -ENOMEM;
    ((struct pool *)r->pool)->used = 0;
    alloc.ctx = r->pool;
    r->yajl = yajl_alloc(&callbacks, &alloc, r);
    if (!r->yajl)
        return -ENOMEM;
    /* Its own check of UTF-8 passes overlong forms and surrogates; ours does not. */
    yajl_config(r->yajl, yajl_dont_validate_strings, 1);
    status = yajl_parse(r->yajl, (const unsigned char *)text, len);
    if (status == yajl_status_ok) {
        r->end = (uint32_t)len;
        status = yajl_complete_parse(r->yajl);
        if (status == yajl_status_error) {
            /* Offsets of this last chunk, a blank, say nothing about the text. */
            r->depth = 0;
            r->level[0] = (struct wh_json_level){ .offset = (uint32_t)len };
            problem(r, (uint32_t)len, "not valid JSON: the text ends too early");
            status = yajl_status_client_canceled;
            stop(r, -EINVAL);
        }
    }
    if (status == yajl_status_error && !r->stopped) {
        syntax_problem(r);
        return -EINVAL;
    }
    return r->ret;
}

void wh_json_reader_done(struct wh_json_reader *r)
{
    if (r->yajl)
        yajl_free(r->yajl);
    wh_buf_done(&r->names);
    wh_buf_done(&r->entries);
    wh_buf_done(&r->table);
    wh_buf_done(&r->undo);
    free(r->pool);
    r->yajl = r->pool = NULL;
}

size_t wh_json_pointer_add(char *buf, size_t size, size_t pos, const char *names, uint32_t key)
{
    int n;

    if (pos + 1 >= size)
        return pos;
    buf[pos++] = '/';
    buf[pos] = '\0';
    if (key & WH_JSON_INDEX) {
        n = snprintf(buf + pos, size - pos, "%u", key & ~WH_JSON_INDEX);
        pos += (size_t)n;
        return pos < size ? pos : size - 1;
    }
    for (const char *s = names + key; *s && pos + 1 < size; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '~' || c == '/')
            n = snprintf(buf + pos, size - pos, c == '~' ? "~0" : "~1");
        else if (c < 0x20 || c == 0x7f)
            n = snprintf(buf + pos, size - pos, "\\u%04x", c);
        else
            n = snprintf(buf + pos, size - pos, "%c", c);
        pos += (size_t)n;
    }
    return pos < size ? pos : size - 1;
}

const char *wh_json_reader_pointer(const struct wh_json_reader *r, char *buf, size_t size)
{
    size_t pos = 0;

    buf[0] = '\0';
    for (unsigned i = 1; i <= r->depth; i++)
        if (r->level[i].key != 0 && r->level[i].key != UINT32_MAX) /* none yet */
            pos = wh_json_pointer_add(buf, size, pos, r->names.data, r->level[i].key);
    return buf;
}
