/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each value of a JSON text in turn, replaced by each of a list of others, or left out: what a program that writes configurations may get
 * wrong, or leave out because it is optional. For tests only; the parser is not the one under test.
 */
#ifndef WH_TEST_MUTATE_H
#define WH_TEST_MUTATE_H

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "base/str.h"
#include "read-file.h"
#include "tap.h"

/* What stands in the place of a value; null: nothing, and its name goes with it. */
static const char *const mutations[] = { NULL, "null", "{}", "[]", "\"\"", "0", "-1", "9223372036854775808", "\"x\"" };

struct mutator {
    yajl_val root;
    yajl_val target; /* what is replaced now */
    const char *with;
    char where[200]; /* its JSON pointer */
    struct wh_buf text;
    unsigned done;
    /* One text of the many. */
    void (*take)(void *ctx, const char *json, size_t len);
    void *ctx;
};

/* What the test was doing when it crashed. */
static struct mutator *mutating;
static const char *mutating_what = "";

static void mutate_say(void)
{
    char line[400];
    int n = mutating ? snprintf(line, sizeof line, "# crashed with %s: %s replaced by %s\n", mutating_what,
                                mutating->where, mutating->with ? mutating->with : "nothing")
                     : 0;

    if (n > 0)
        (void)!write(1, line, (size_t)n);
}

/* The sanitizers' hook: called before they end the process. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    mutate_say();
}

static void on_crash(int sig)
{
    mutate_say();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void mutate_watch(void)
{
    const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };

    for (size_t i = 0; i < WH_ELEMENTSOF(signals); i++)
        signal(signals[i], on_crash);
}

static void put_string(struct wh_buf *b, const char *s)
{
    wh_buf_puts(b, "\"");
    for (; *s; s++)
        if (*s == '"' || *s == '\\' || (unsigned char)*s < 0x20)
            wh_buf_printf(b, "\\u%04x", (unsigned char)*s);
        else
            wh_buf_add(b, s, 1);
    wh_buf_puts(b, "\"");
}

static void put_value(struct mutator *m, yajl_val v)
{
    struct wh_buf *b = &m->text;
    bool first = true;

    if (v == m->target) {
        wh_buf_puts(b, m->with ? m->with : ""); /* nothing, where the document itself is left out */
    } else if (YAJL_IS_OBJECT(v)) {
        wh_buf_puts(b, "{");
        for (size_t i = 0; i < v->u.object.len; i++) {
            if (v->u.object.values[i] == m->target && !m->with)
                continue;
            wh_buf_puts(b, first ? "" : ",");
            first = false;
            put_string(b, v->u.object.keys[i]);
            wh_buf_puts(b, ":");
            put_value(m, v->u.object.values[i]);
        }
        wh_buf_puts(b, "}");
    } else if (YAJL_IS_ARRAY(v)) {
        wh_buf_puts(b, "[");
        for (size_t i = 0; i < v->u.array.len; i++) {
            if (v->u.array.values[i] == m->target && !m->with)
                continue;
            wh_buf_puts(b, first ? "" : ",");
            first = false;
            put_value(m, v->u.array.values[i]);
        }
        wh_buf_puts(b, "]");
    } else if (YAJL_IS_STRING(v)) {
        put_string(b, YAJL_GET_STRING(v));
    } else {
        wh_buf_puts(b, YAJL_IS_NUMBER(v)  ? YAJL_GET_NUMBER(v)
                       : YAJL_IS_TRUE(v)  ? "true"
                       : YAJL_IS_FALSE(v) ? "false"
                                          : "null");
    }
}

static void mutate_one(struct mutator *m, yajl_val v, const char *with)
{
    m->target = v;
    m->with = with;
    m->text.len = 0;
    put_value(m, m->root);
    m->take(m->ctx, m->text.data, m->text.len);
    m->done++;
}

/* `list`: of strings that take the place of v, each as JSON. */
static void mutate_value(struct mutator *m, yajl_val v, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mutate_one(m, v, list[i]);
}

typedef void (*mutate_with)(struct mutator *m, yajl_val v);

static void mutate_plainly(struct mutator *m, yajl_val v)
{
    mutate_value(m, v, mutations, WH_ELEMENTSOF(mutations));
}

/* A string becomes longer than the kernel takes of any: in one part, and in many. */
static void mutate_lengths(struct mutator *m, yajl_val v)
{
    static char one[200001], many[5001];
    static const struct {
        const char *more;
        size_t len;
    } longer[] = { { one, 300 }, { one, 5000 }, { many, 5000 }, { one, sizeof one - 1 } };

    memset(one, 'x', sizeof one - 1);
    for (size_t i = 0; i < sizeof many - 1; i++)
        many[i] = i % 2 ? 'x' : '/';
    for (size_t i = 0; YAJL_IS_STRING(v) && i < WH_ELEMENTSOF(longer); i++) {
        WH_CLEANUP_BUF struct wh_buf text = { 0 };

        put_string(&text, YAJL_GET_STRING(v));
        text.len--;
        wh_buf_add(&text, longer[i].more, longer[i].len);
        wh_buf_puts(&text, "\"");
        mutate_one(m, v, text.data);
    }
}

static void mutate_walk(struct mutator *m, yajl_val v, mutate_with with)
{
    size_t len = strlen(m->where), n = YAJL_IS_OBJECT(v) ? v->u.object.len : YAJL_IS_ARRAY(v) ? v->u.array.len : 0;

    with(m, v);
    for (size_t i = 0; i < n; i++) {
        yajl_val child = YAJL_IS_OBJECT(v) ? v->u.object.values[i] : v->u.array.values[i];

        /* Of a list of plain values one code reads each: the first and the last stand for all. */
        if (YAJL_IS_ARRAY(v) && !YAJL_IS_OBJECT(child) && i > 0 && i + 1 < n)
            continue;
        if (YAJL_IS_OBJECT(v))
            snprintf(m->where + len, sizeof m->where - len, "/%s", v->u.object.keys[i]);
        else
            snprintf(m->where + len, sizeof m->where - len, "/%zu", i);
        mutate_walk(m, child, with);
        m->where[len] = '\0';
    }
}

/* All mutations of v, a part of m->root or that. How many texts were taken. */
static unsigned mutate(struct mutator *m, yajl_val v, mutate_with with)
{
    m->done = 0;
    m->where[0] = '\0';
    mutating = m;
    mutate_walk(m, v, with);
    mutating = NULL;
    return m->done;
}

/* The tree of a file; null after a failed check. */
static yajl_val mutate_read(const char *path)
{
    size_t len = 0;
    char *json = read_file(path, &len), *text = json ? realloc(json, len + 1) : NULL, why[200] = "";
    yajl_val v = NULL;

    if (text) {
        text[len] = '\0';
        v = yajl_tree_parse(text, why, sizeof why);
    }
    if (!v)
        fail_test("%s cannot be read: %s", path, why);
    free(text);
    return v;
}

/* The value at a JSON pointer, or null. */
static yajl_val mutate_find(yajl_val v, const char *pointer)
{
    while (v && *pointer == '/') {
        size_t len = strcspn(++pointer, "/"), n = YAJL_IS_ARRAY(v) ? (size_t)atoi(pointer) : 0;
        yajl_val in = v;

        v = NULL;
        if (YAJL_IS_ARRAY(in) && n < in->u.array.len)
            v = in->u.array.values[n];
        for (size_t i = 0; YAJL_IS_OBJECT(in) && i < in->u.object.len; i++)
            if (strlen(in->u.object.keys[i]) == len && strncmp(in->u.object.keys[i], pointer, len) == 0)
                v = in->u.object.values[i];
        pointer += len;
    }
    return v;
}

/* Before the mutations begin: the tree with other JSON at the pointer. */
__attribute__((unused)) static yajl_val mutate_edit(yajl_val root, const char *pointer, const char *json)
{
    struct mutator m = { .root = root, .target = mutate_find(root, pointer), .with = json };
    char why[200] = "";
    yajl_val edited;

    put_value(&m, root);
    edited = m.target ? yajl_tree_parse(m.text.data, why, sizeof why) : NULL;
    if (!edited)
        fail_test("cannot put %s at %s: %s", json, pointer, why);
    wh_buf_done(&m.text);
    if (edited)
        yajl_tree_free(root);
    return edited ? edited : root;
}

/* ---- refusals without a place, and the like: each text once, with the first example ---- */

struct complaint {
    char what[200], example[300];
    unsigned n;
};
struct complaints {
    struct complaint v[64];
    unsigned n, all;
};

static void complain(struct complaints *c, const struct mutator *m, const char *what)
{
    char plain[200];
    size_t k = 0;

    /* Numbers are no difference. */
    for (; *what && k < sizeof plain - 1; what++)
        if (*what < '0' || *what > '9')
            plain[k++] = *what;
    plain[k] = '\0';
    c->all++;
    for (unsigned i = 0; i < c->n; i++)
        if (strcmp(c->v[i].what, plain) == 0) {
            c->v[i].n++;
            return;
        }
    if (c->n == WH_ELEMENTSOF(c->v))
        return;
    snprintf(c->v[c->n].what, sizeof c->v[c->n].what, "%s", plain);
    snprintf(c->v[c->n].example, sizeof c->v[c->n].example, "%s; %s replaced by %.60s", mutating_what, m->where,
             m->with ? m->with : "nothing");
    c->v[c->n++].n = 1;
}

static void complaints_report(const struct complaints *c, const char *about)
{
    if (ok(c->all == 0, "%s", about))
        return;
    for (unsigned i = 0; i < c->n; i++)
        diag("  %u times: %s (%s)", c->v[i].n, c->v[i].what, c->v[i].example);
}

#endif
