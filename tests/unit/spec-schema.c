/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <yajl/yajl_tree.h>

#include "read-file.h"
#include "spec/fields.h"
#include "tap.h"

/*
 * The rows of fields.c against two schemas: the official one, of which every Linux property must have a row of the same
 * type that takes every word it lists, and our own (oci-spec-schema), which must say exactly what the rows say, both
 * ways.
 */
static const char *const other_platforms[] = { "windows", "solaris", "vm", "zos", "freebsd" };

struct schema {
    const char *dir;
    bool ours;
    struct file {
        char name[64];
        yajl_val root;
    } files[16];
    size_t nfiles;
    unsigned properties;
};
/* A place in a schema: references are relative to the file that has them. */
struct at {
    yajl_val v;
    const struct file *file;
};

static const struct file *load(struct schema *s, const char *name)
{
    char path[256], error[128] = "", *text;
    size_t len = 0;
    struct file *f;

    for (size_t i = 0; i < s->nfiles; i++)
        if (strcmp(s->files[i].name, name) == 0)
            return &s->files[i];
    if (s->nfiles == WH_ELEMENTSOF(s->files))
        return NULL;
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    text = read_file(path, &len);
    if (text)
        text = realloc(text, len + 1);
    if (!text) {
        fail_test("%s cannot be read", path);
        return NULL;
    }
    text[len] = '\0';
    f = &s->files[s->nfiles];
    snprintf(f->name, sizeof f->name, "%s", name);
    f->root = yajl_tree_parse(text, error, sizeof error);
    free(text);
    if (!f->root) {
        fail_test("%s: %s", path, error);
        return NULL;
    }
    s->nfiles++;
    return f;
}

static const char *text_of(yajl_val v)
{
    const char *s = YAJL_GET_STRING(v);

    return s ? s : "";
}

static yajl_val get(yajl_val v, const char *name)
{
    if (!YAJL_IS_OBJECT(v))
        return NULL;
    for (size_t i = 0; i < v->u.object.len; i++)
        if (strcmp(v->u.object.keys[i], name) == 0)
            return v->u.object.values[i];
    return NULL;
}

static struct at resolve(struct schema *s, struct at a)
{
    yajl_val ref;

    while ((ref = get(a.v, "$ref"))) {
        char text[128], *frag = text, *file;

        snprintf(text, sizeof text, "%s", text_of(ref));
        file = strsep(&frag, "#");
        if (*file)
            a.file = load(s, file);
        if (!a.file) {
            a.v = NULL;
            break;
        }
        a.v = a.file->root;
        for (char *part; frag && (part = strsep(&frag, "/"));)
            if (*part)
                a.v = get(a.v, part);
        if (!a.v)
            fail_test("dead reference %s", text_of(ref));
    }
    return a;
}

/* Alternatives and conjunctions of the official schema that hold objects: looked through. */
static bool parts(struct schema *s, struct at a, const char *word, void (*each)(struct schema *, struct at, void *),
                  void *ctx)
{
    yajl_val list = get(a.v, word);

    if (!list)
        return false;
    for (size_t i = 0; i < list->u.array.len; i++)
        each(s, resolve(s, (struct at){ list->u.array.values[i], a.file }), ctx);
    return true;
}

struct finding {
    const char *name;
    struct at found;
    bool required;
};

static void find_in(struct schema *s, struct at a, void *ctx)
{
    struct finding *f = ctx;
    yajl_val v = get(get(a.v, "properties"), f->name), required = get(a.v, "required");

    if (v && !f->found.v)
        f->found = resolve(s, (struct at){ v, a.file });
    for (size_t i = 0; required && i < required->u.array.len; i++)
        f->required |= strcmp(text_of(required->u.array.values[i]), f->name) == 0;
    parts(s, a, "allOf", find_in, f);
    parts(s, a, "anyOf", find_in, f);
}

static const char *schema_type(yajl_val v)
{
    yajl_val t = get(v, "type");

    return t ? text_of(t) : get(v, "allOf") || get(v, "anyOf") ? "object" : "any";
}

static const char *row_type(const struct wh_row *row)
{
    switch ((enum wh_kind)row->kind) {
    case WH_K_OBJECT:
    case WH_K_MAP:
    case WH_K_KVS:
        return "object";
    case WH_K_LIST:
    case WH_K_STRV:
    case WH_K_U32V:
    case WH_K_BITS:
        return "array";
    case WH_K_STR:
    case WH_K_ENUM:
        return "string";
    case WH_K_BOOL:
        return "boolean";
    case WH_K_IGNORED:
        return "any";
    default:
        return "integer";
    }
}

static bool takes(const struct wh_names *names, const char *word)
{
    return names->lookup ? names->lookup(word) >= 0 : wh_names_find(names, word) != NULL;
}

static void compare_words(const struct schema *s, const struct wh_row *row, yajl_val v, const char *path)
{
    yajl_val list = get(v, "enum");
    const struct wh_names *names = row->sub.names;
    unsigned own = 0;

    for (size_t i = 0; list && i < list->u.array.len; i++) {
        const char *word = text_of(list->u.array.values[i]);

        ok(names && takes(names, word), "%s takes \"%s\"", path, word);
    }
    if (!s->ours || !names)
        return;
    while (names->nth && names->nth(own))
        own++;
    is_int(list ? list->u.array.len : 0, names->nth ? own : names->n, "%s: the schema lists every word", path);
}

static void compare_range(const struct wh_row *row, yajl_val v, const char *path)
{
    static const struct wh_range types[] = {
        [WH_K_I32] = { INT32_MIN, INT32_MAX }, [WH_K_U32] = { 0, UINT32_MAX },  [WH_K_I64] = { INT64_MIN, INT64_MAX },
        [WH_K_U64] = { 0, UINT64_MAX },        [WH_K_U32V] = { 0, UINT32_MAX },
    };
    const struct wh_range *r = row->range ? row->range : &types[row->kind];
    yajl_val min = get(v, "minimum"), max = get(v, "maximum");
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)r->min);
    is_str(min ? YAJL_GET_NUMBER(min) : NULL, text, "%s: minimum", path);
    snprintf(text, sizeof text, "%llu", (unsigned long long)r->max);
    is_str(max ? YAJL_GET_NUMBER(max) : NULL, text, "%s: maximum", path);
}

static void compare_object(struct schema *s, const struct wh_type *type, struct at a, const char *path);

static struct at items(struct schema *s, struct at a, const char *word)
{
    return resolve(s, (struct at){ get(a.v, word), a.file });
}

static void compare(struct schema *s, const struct wh_row *row, struct at a, const char *path)
{
    char below[320];
    struct at each = a;

    s->properties++;
    if (row->kind == WH_K_IGNORED) {
        ok(true, "%s is read past", path);
        return;
    }
    if (!is_str(row_type(row), schema_type(a.v), "%s: type", path))
        return;
    snprintf(below, sizeof below, "%s/*", path);
    switch ((enum wh_kind)row->kind) {
    case WH_K_OBJECT:
        compare_object(s, row->sub.type, a, path);
        return;
    case WH_K_LIST:
        compare_object(s, row->sub.type, items(s, a, "items"), below);
        return;
    case WH_K_MAP:
        compare_object(s, row->sub.type, items(s, a, "additionalProperties"), below);
        return;
    case WH_K_STRV:
    case WH_K_BITS:
        each = items(s, a, "items");
        is_str(schema_type(each.v), "string", "%s: elements", path);
        break;
    case WH_K_U32V:
        each = items(s, a, "items");
        is_str(schema_type(each.v), "integer", "%s: elements", path);
        break;
    case WH_K_KVS: {
        yajl_val pattern = get(get(a.v, "patternProperties"), ".{1,}");

        each = pattern ? (struct at){ pattern, a.file } : items(s, a, "additionalProperties");
        is_str(schema_type(each.v), "string", "%s: values", path);
        return;
    }
    default:
        break;
    }
    if (row->kind == WH_K_STR || row->kind == WH_K_STRV || row->kind == WH_K_ENUM || row->kind == WH_K_BITS) {
        compare_words(s, row, each.v, path);
        if (s->ours)
            ok((get(each.v, "minLength") != NULL) ==
                   ((row->flags & WH_F_NONEMPTY) && (row->kind != WH_K_STR || row->flags & WH_F_REQUIRED)),
               "%s: may it be empty", path);
    } else if (row->kind != WH_K_BOOL && s->ours) {
        compare_range(row, each.v, path);
    }
    if (s->ours)
        ok((get(a.v, "minItems") != NULL) == ((row->flags & WH_F_MINONE) != 0), "%s: may it have no elements", path);
}

struct visit {
    const struct wh_type *type;
    const char *path;
};

static const struct wh_row *find_row(const struct wh_type *type, const char *name)
{
    for (unsigned i = 0; i < type->nrows; i++)
        if (strcmp(type->rows[i].name, name) == 0)
            return &type->rows[i];
    return NULL;
}

/* Every property of the schema has a row. */
static void visit_properties(struct schema *s, struct at a, void *ctx)
{
    const struct visit *v = ctx;
    yajl_val p = get(a.v, "properties");

    for (size_t i = 0; p && i < p->u.object.len; i++)
        ok(find_row(v->type, p->u.object.keys[i]) != NULL, "%s/%s has a row", v->path, p->u.object.keys[i]);
    parts(s, a, "allOf", visit_properties, ctx);
    parts(s, a, "anyOf", visit_properties, ctx);
}

/* Rows that the official schema lacks: properties of older versions that are still written. */
static bool of_old_versions(const char *name)
{
    return strcmp(name, "enableCMT") == 0 || strcmp(name, "enableMBM") == 0;
}

static void compare_object(struct schema *s, const struct wh_type *type, struct at a, const char *path)
{
    struct visit v = { type, path };

    if (!ok(a.v != NULL, "%s is an object of the schema", path))
        return;
    visit_properties(s, a, &v);
    for (unsigned i = 0; i < type->nrows; i++) {
        const struct wh_row *row = &type->rows[i];
        struct finding f = { .name = row->name };
        char below[300];

        snprintf(below, sizeof below, "%s/%s", path, row->name);
        find_in(s, a, &f);
        if (!f.found.v) {
            ok(!s->ours && of_old_versions(row->name), "%s is in the schema", below);
            continue;
        }
        if (s->ours)
            is_int(f.required, (row->flags & WH_F_REQUIRED) != 0, "%s: is it required", below);
        else if (f.required && strcmp(below, "/process/user/gid") != 0 &&
                 strcmp(below, "/process/ioPriority/priority") != 0) /* 0, with a warning: validate-process.c */
            ok(row->flags & WH_F_REQUIRED, "%s is required", below);
        compare(s, row, f.found, below);
    }
}

static void whole(struct schema *s, const char *name)
{
    const struct file *f;

    diag("%s/%s", s->dir, name);
    f = load(s, name);
    if (f)
        compare_object(s, &wh_type_spec, (struct at){ f->root, f }, "");
    for (size_t i = 0; i < s->nfiles; i++)
        yajl_tree_free(s->files[i].root);
}

int main(void)
{
    struct schema official = { .dir = "tests/oci-validation/official" },
                  ours = { .dir = "oci-spec-schema", .ours = true };

    for (size_t i = 0; i < WH_ELEMENTSOF(other_platforms); i++)
        ok(find_row(&wh_type_spec, other_platforms[i]) &&
               find_row(&wh_type_spec, other_platforms[i])->kind == WH_K_IGNORED,
           "%s is read past", other_platforms[i]);
    whole(&official, "config-schema.json");
    whole(&ours, "config-schema.json");
    /* So that a schema that lost its properties does not pass for one that has them all. */
    ok(official.properties >= 170, "the official schema has properties (%u)", official.properties);
    is_int(ours.properties, official.properties + 2, "our schema has the same and two of older versions");
    return done_testing();
}
