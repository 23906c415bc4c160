/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GVariant text (docs.gtk.org/glib/gvariant-text-format.html), as far as the properties of a unit need it. */
#include "plan/compile-systemd.h"

#include <errno.h>

struct reader {
    struct wh_arena *arena;
    const char *s;
    const char *why;
};

static void blanks(struct reader *r)
{
    r->s += strspn(r->s, " \t\n");
}

static int fail(struct reader *r, const char *why)
{
    r->why = why;
    return -EINVAL;
}

/* 'text' or "text". The escapes that mean another character are not among what engines write. */
static int string(struct reader *r, const char **ret)
{
    char quote = *r->s++;
    char *to = wh_arena_alloc(r->arena, strlen(r->s) + 1);
    size_t n = 0;

    if (!to)
        return -ENOMEM;
    for (; *r->s && *r->s != quote; r->s++) {
        if (*r->s == '\\') {
            r->s++;
            if (!*r->s || !strchr("\\'\"", *r->s))
                return fail(r, "a backslash that is not before a quotation mark or a backslash");
        }
        to[n++] = *r->s;
    }
    if (!*r->s)
        return fail(r, "a text without its end");
    r->s++;
    to[n] = '\0';
    *ret = to;
    return 0;
}

/* ['a', 'b'] */
static int strings(struct reader *r, struct wh_unit_value *ret)
{
    /* Each has at least two quotation marks. */
    const char **v = wh_arena_new_array(r->arena, const char *, strlen(r->s) / 2 + 1);

    if (!v)
        return -ENOMEM;
    *ret = (struct wh_unit_value){ "as", v, 0 };
    r->s++;
    blanks(r);
    while (*r->s != ']') {
        int rc;

        if (*r->s != '\'' && *r->s != '"')
            return fail(r, "an array of something else than texts");
        rc = string(r, &v[ret->n++]);
        if (rc < 0)
            return rc;
        blanks(r);
        if (*r->s == ',') {
            r->s++;
            blanks(r);
            if (*r->s == ']')
                return fail(r, "a comma at the end of an array");
        } else if (*r->s != ']') {
            return fail(r, "an array without its end");
        }
    }
    r->s++;
    return 0;
}

static int number(struct reader *r, const char *type, struct wh_unit_value *ret)
{
    static const struct {
        char type;
        uint64_t max, min; /* of the number, and of its amount below zero */
    } ranges[] = {
        { 'i', INT32_MAX, (uint64_t)INT32_MAX + 1 },
        { 'u', UINT32_MAX, 0 },
        { 'x', INT64_MAX, (uint64_t)INT64_MAX + 1 },
        { 't', UINT64_MAX, 0 },
    };
    bool negative = *r->s == '-';
    size_t len = strspn(r->s + negative, "0123456789");
    const char *digits = wh_arena_strndup(r->arena, r->s + negative, len);
    const char **v = wh_arena_new_array(r->arena, const char *, 1);
    uint64_t n;

    if (!digits || !v)
        return -ENOMEM;
    if (len == 0)
        return fail(r, "not a value of GVariant's that a property can have (true, 'text', ['a'], uint64 5, 5)");
    for (size_t i = 0; i < WH_ELEMENTSOF(ranges); i++)
        if (ranges[i].type == *type && wh_parse_u64(digits, negative ? ranges[i].min : ranges[i].max, &n) < 0)
            return fail(r, "a number out of the range of its type");
    v[0] = wh_arena_strndup(r->arena, r->s, len + negative);
    if (!v[0])
        return -ENOMEM;
    r->s += len + negative;
    *ret = (struct wh_unit_value){ type, v, 1 };
    return 0;
}

static int value(struct reader *r, struct wh_unit_value *ret)
{
    static const struct {
        const char *word, *type;
    } types[] = { { "uint64", "t" }, { "int64", "x" }, { "uint32", "u" }, { "int32", "i" } };
    static const char *const booleans[] = { "true", "false" };
    size_t len = strspn(r->s, "abcdefghijklmnopqrstuvwxyz0123456789");

    if (*r->s == '\'' || *r->s == '"') {
        const char **v = wh_arena_new_array(r->arena, const char *, 1);

        if (!v)
            return -ENOMEM;
        *ret = (struct wh_unit_value){ "s", v, 1 };
        return string(r, &v[0]);
    }
    if (wh_startswith(r->s, "@as")) {
        r->s += 3;
        blanks(r);
        return *r->s == '[' ? strings(r, ret) : fail(r, "@as without an array");
    }
    if (*r->s == '[')
        return strings(r, ret);
    for (size_t i = 0; i < WH_ELEMENTSOF(booleans); i++)
        if (len == strlen(booleans[i]) && strncmp(r->s, booleans[i], len) == 0) {
            r->s += len;
            *ret = (struct wh_unit_value){ "b", &booleans[i], 1 };
            return 0;
        }
    for (size_t i = 0; i < WH_ELEMENTSOF(types); i++)
        if (len == strlen(types[i].word) && strncmp(r->s, types[i].word, len) == 0) {
            r->s += len;
            if (!strchr(" \t\n", *r->s))
                return fail(r, "a type without its number");
            blanks(r);
            return number(r, types[i].type, ret);
        }
    return number(r, "i", ret);
}

int wh_gvariant_parse(struct wh_arena *arena, const char *text, struct wh_unit_value *ret, const char **ret_why)
{
    struct reader r = { arena, text, "cannot allocate memory" };
    int rc;

    blanks(&r);
    rc = value(&r, ret);
    blanks(&r);
    if (rc == 0 && *r.s)
        rc = fail(&r, "something follows the value");
    *ret_why = r.why;
    return rc;
}
