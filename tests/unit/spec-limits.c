/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/json.h"
#include "read-file.h"
#include "spec/spec.h"
#include "tap.h"

/* How much: many errors, many values, deep and large texts, cut-off and damaged ones, and no memory. */
#define HEAD "{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"r\"}, "

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define OWN_MALLOC 0
#define ENOUGH 10.0 /* with every access checked */
#else
#define OWN_MALLOC 1
#define ENOUGH 1.0
/* Counts allocations, and refuses all from the one at fail_at on. */
static unsigned long allocations, fail_at;
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static bool refuse(void)
{
    return ++allocations >= fail_at && fail_at > 0;
}

void *malloc(size_t n)
{
    return refuse() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return refuse() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return refuse() ? NULL : __libc_realloc(p, n);
}
#endif

static struct wh_errlist errs;

static int parse(const char *json, size_t len, unsigned flags, struct wh_spec **ret)
{
    errs = (struct wh_errlist){ 0 };
    return wh_spec_parse(json, len, "config.json", flags, ret, &errs);
}

static int parse_text(const char *json, unsigned flags, struct wh_spec **ret)
{
    return parse(json, strlen(json), flags, ret);
}

static double now(void)
{
    struct timespec t;

    /* Of the processor, so that what else the machine does is not measured. */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_many_errors(void)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    WH_CLEANUP_BUF struct wh_buf b = { 0 };
    char want[64];

    wh_buf_puts(&b, HEAD "\n\"annotations\": {");
    for (int i = 0; i < 25; i++)
        wh_buf_printf(&b, "%s\n  \"k%d\": %d", i ? "," : "", i, i);
    wh_buf_puts(&b, "}}");
    is_int(parse(b.data, b.len, 0, &s), -EINVAL, "a text with 25 errors");
    ok(!s, "no spec comes of it");
    is_int(errs.n, WH_ERRLIST_MAX, "20 are told");
    is_int(errs.dropped, 5, "5 more are counted");
    for (unsigned i = 0; i < errs.n; i++) {
        snprintf(want, sizeof want, "config.json:%u:%d: /annotations/k%u", i + 3, i < 10 ? 9 : 10, i);
        is_str(errs.e[i].path, want, "error %u, in the order of the text", i);
    }
}

static void test_unknown(void)
{
    static const char json[] = HEAD "\"hostnam\": \"h\", \"Process\": {\"cwd\": 5},\n"
                                    "\"linux\": {\"namespace\": [], \"resources\": {\"memory\": {\"limits\": \"x\"}},\n"
                                    "\"intelRdt\": {\"closid\": \"x\"}, \"zzzzzzzzzz\": [{\"limit\": 1}]}}";
    static const struct {
        const char *where, *nearest;
    } want[] = {
        { "config.json:1:59: /hostnam", "hostname" },
        { "config.json:1:75: /Process", "process" },
        { "config.json:2:24: /linux/namespace", "namespaces" },
        { "config.json:2:63: /linux/resources/memory/limits", "limit" },
        { "config.json:3:24: /linux/intelRdt/closid", "closID" },
        { "config.json:3:44: /linux/zzzzzzzzzz", NULL },
    };
    struct wh_spec *s = NULL;
    char buf[200];

    is_int(parse_text(json, 0, &s), 0, "unknown properties are no error, whatever is in them");
    is_int(s ? s->nunknown : 99, 0, "they are not collected unless asked for");
    wh_spec_free(s);
    s = NULL;
    if (!is_int(parse_text(json, WH_SPEC_UNKNOWN, &s), 0, "asked for"))
        return;
    is_int(s->nunknown, WH_ELEMENTSOF(want), "all are there");
    for (size_t i = 0; i < s->nunknown && i < WH_ELEMENTSOF(want); i++) {
        is_str(wh_spec_where(s, s->unknown[i].src, buf, sizeof buf), want[i].where, "unknown property %zu", i);
        is_str(s->unknown[i].nearest, want[i].nearest, "its nearest known name");
    }
    wh_spec_free(s);
}

static void test_seccomp_none(void)
{
    static const char *const none[] = { "{}", "{\"seccomp\": null}" };

    for (size_t i = 0; i < WH_ELEMENTSOF(none); i++) {
        WH_CLEANUP_SPEC struct wh_spec *s = NULL;
        char json[200];

        snprintf(json, sizeof json, HEAD "\"linux\": %s}", none[i]);
        ok(parse_text(json, 0, &s) == 0 && !s->linux_.seccomp.set, "%s has no profile", none[i]);
    }
}

static void test_where(void)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    char buf[200], small[8];
    uint32_t col = 9;

    is_int(parse_text("{\"ociVersion\": \"1.0.0\",\r\n\t\"root\":\n{\"path\"  :\t\"\xc3\xa9\"}}", 0, &s), 0,
           "odd white space");
    is_int(wh_spec_line(s, s->root.src, &col), 3, "line of an object");
    is_int(col, 1, "its column");
    is_int(wh_spec_line(s, s->root.path.src, &col), 3, "line of a string");
    is_int(col, 12, "its column, in bytes");
    is_int(wh_spec_line(s, 0, &col), 0, "what is not from the file has no line");
    is_int(col, 0, "and no column");
    is_int(wh_spec_line(s, UINT32_MAX, &col), 0, "nor has a node that is not there");
    is_str(wh_spec_where(s, 0, buf, sizeof buf), "config.json", "where: the file");
    is_str(wh_spec_where(s, 1, buf, sizeof buf), "config.json:1:1", "where: the document");
    is_str(wh_spec_where(s, s->root.path.src, buf, sizeof buf), "config.json:3:12: /root/path", "where: a value");
    is_str(wh_spec_pointer(s, s->root.path.src, small, sizeof small), "/root/p", "a pointer is cut at its buffer");
}

static void nested(unsigned levels, int want)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    WH_CLEANUP_BUF struct wh_buf b = { 0 };

    wh_buf_puts(&b, HEAD "\"x\": ");
    for (unsigned i = 1; i < levels; i++)
        wh_buf_puts(&b, "[");
    for (unsigned i = 1; i < levels; i++)
        wh_buf_puts(&b, "]");
    wh_buf_puts(&b, "}");
    is_int(parse(b.data, b.len, 0, &s), want, "%u levels", levels);
}

static void timed(const char *what, struct wh_buf *b, int want)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    double start = now(), took;
    int r = parse(b->data, b->len, WH_SPEC_UNKNOWN, &s);

    took = now() - start;
    if (!is_int(r, want, "%s: %zu bytes are answered", what, b->len))
        diag("  %s: %s", errs.e[0].path, errs.e[0].msg);
    ok(took < ENOUGH, "%s: in less than %.0f s (%.3f s)", what, ENOUGH, took);
    wh_buf_done(b);
}

static void test_large(void)
{
    struct wh_buf b = { 0 };

    wh_buf_puts(&b, HEAD "\"mounts\": [");
    for (int i = 0; i < 10000; i++)
        wh_buf_printf(
            &b,
            "%s{\"destination\": \"/m/%d\", \"type\": \"tmpfs\", \"source\": \"t\", \"options\": [\"ro\", \"nosuid\"]}",
            i ? ",\n" : "", i);
    wh_buf_puts(&b, "]}");
    timed("10,000 mounts", &b, 0);

    wh_buf_puts(&b, HEAD "\"annotations\": {");
    for (int i = 0; b.len < 10u << 20; i++)
        wh_buf_printf(&b, "%s\"key.number.%d\": \"value %d\"", i ? ",\n" : "", i, i);
    wh_buf_puts(&b, "}}");
    timed("10 MB of annotations", &b, 0);

    wh_buf_puts(&b, HEAD "\"process\": {\"cwd\": \"/\", \"args\": [\"");
    while (b.len < 10u << 20)
        wh_buf_puts(&b, "0123456789abcdef\\n\\u00e9");
    wh_buf_puts(&b, "\"]}}");
    timed("a string of 10 MB", &b, 0);

    wh_buf_puts(&b, HEAD "\"linux\": {");
    for (int i = 0; b.len < 10u << 20; i++)
        wh_buf_printf(&b, "%s\"unknown%d\": {\"a\": [%d, {\"a\": null}]}", i ? "," : "", i, i);
    wh_buf_puts(&b, "}}");
    timed("10 MB of unknown properties", &b, 0);

    wh_buf_puts(&b, HEAD "\"mounts\": [");
    while (b.len < 10u << 20)
        wh_buf_puts(&b, "5,\n");
    wh_buf_puts(&b, "5]}");
    timed("10 MB of errors", &b, -EINVAL);
    ok(errs.dropped > 1000000, "and they are counted");

    wh_buf_puts(&b, HEAD "\"linux\": {\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [");
    for (int i = 0; b.len < 10u << 20; i++)
        wh_buf_printf(&b, "%s{\"names\": [\"read\", \"s%d\"], \"action\": \"SCMP_ACT_ERRNO\"}", i ? "," : "", i);
    wh_buf_puts(&b, "]}}}");
    timed("10 MB of seccomp rules", &b, 0);
}

/* An engine's own configuration, at every start of a container. */
static void test_usual(void)
{
    size_t len = 0;
    char *json = read_file("tests/configs/podman-4.3-default.json", &len);
    double took = now();
    unsigned good = 0;

    for (int i = 0; json && i < 100; i++) {
        WH_CLEANUP_SPEC struct wh_spec *s = NULL;

        good += parse(json, len, 0, &s) == 0;
    }
    took = (now() - took) / 100;
    is_int(good, 100, "a configuration of %zu bytes, a hundred times", len);
    ok(took < ENOUGH / 1000, "in less than %.0f ms (%.3f ms)", ENOUGH, took * 1000);
    free(json);
}

/* The bytes are never looked at: there are none behind the address. */
static void test_too_large(void)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    const char *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    is_int(parse(nothing, (size_t)1 << 30, 0, &s), -E2BIG, "1 GiB is refused unread");
    has_str(errs.e[0].msg, "is larger than 64 MiB", "and it says why");
    is_int(parse(nothing, WH_SPEC_MAX_BYTES + 1ul, 0, &s), -E2BIG, "so is one byte above the limit");
}

/* What a text that is cut off or damaged anywhere gives: a spec or errors that have a place, nothing else. */
/* With WH_SPEC_UNKNOWN a broken configuration has a spec too, for its unknown keys. */
static void check_outcome(int r, const struct wh_spec *s, bool unknown, unsigned *wrong)
{
    if (r == 0 ? !s || errs.n : (s && !unknown) || r != -EINVAL || errs.n == 0)
        ++*wrong;
    for (unsigned i = 0; i < errs.n; i++)
        if (strncmp(errs.e[i].path, "config.json:", 12) != 0 || !errs.e[i].msg[0])
            ++*wrong;
}

static void test_damaged(const char *path)
{
    static const char with[] = { '"', '{', ']', ',', '\\', '9', '\0', '\xff', '\n' };
    unsigned wrong = 0, accepted = 0;
    size_t len = 0;
    char *json = read_file(path, &len);

    if (!ok(json != NULL, "%s", path))
        return;
    for (size_t n = 0; n < len; n++) {
        struct wh_spec *s = NULL;
        char *cut = malloc(n ? n : 1);
        int r;

        memcpy(cut, json, n);
        r = parse(cut, n, 0, &s);
        check_outcome(r, s, false, &wrong);
        accepted += r == 0;
        wh_spec_free(s);
        free(cut);
    }
    is_int(wrong, 0, "%s, cut off anywhere: errors with a place", path);
    ok(accepted <= 1, "and only the whole of it is accepted");
    for (size_t n = 0; n < len; n += 3) {
        struct wh_spec *s = NULL;
        char was = json[n];
        int r;

        json[n] = with[n / 3 % sizeof with];
        r = parse(json, len, WH_SPEC_UNKNOWN, &s);
        check_outcome(r, s, true, &wrong);
        wh_spec_free(s);
        json[n] = was;
    }
    is_int(wrong, 0, "%s, damaged: a spec, or errors with a place", path);
    free(json);
}

static void test_no_memory(void)
{
#if OWN_MALLOC
    size_t len = 0;
    char *json = read_file("tests/oci-validation/good/everything.json", &len);
    unsigned long n = 0, wrong = 0;
    int r = -ENOMEM;

    while (r != 0 && n < 10000) {
        struct wh_spec *s = NULL;

        allocations = 0;
        fail_at = ++n;
        r = parse(json, len, WH_SPEC_UNKNOWN, &s);
        fail_at = 0;
        wrong += r == 0 ? !s : s || r != -ENOMEM || errs.n != 1;
        wh_spec_free(s);
    }
    ok(r == 0 && n > 10, "enough memory after %lu allocations", n - 1);
    is_int(wrong, 0, "without: -ENOMEM and one error, at each of them");
    free(json);
#else
    skip("the sanitizer has a malloc of its own");
#endif
}

static void test_utf8(void)
{
    static const struct {
        const char *s;
        size_t len, valid;
    } t[] = {
        { "", 0, 0 },
        { "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10, 10 },
        { "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 10, 10 },
        { "a\x80", 2, 1 },
        { "a\xc1\xbf", 3, 1 },
        { "\xe0\x9f\xbf", 3, 0 },
        { "\xf0\x8f\xbf\xbf", 4, 0 },
        { "\xf5\x80\x80\x80", 4, 0 },
        { "ab\xe2\x82", 4, 2 },
        { "\xe2\x28\xa1", 3, 0 },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++)
        is_u64(wh_utf8_valid(t[i].s, t[i].len), t[i].valid, "UTF-8, text %zu", i);
}

int main(void)
{
    test_utf8();
    test_many_errors();
    test_unknown();
    test_seccomp_none();
    test_where();
    nested(64, 0);
    nested(65, -EINVAL);
    nested(5000, -EINVAL);
    test_large();
    test_usual();
    test_too_large();
    test_damaged("tests/oci-validation/good/everything.json");
    test_damaged("tests/configs/runc-1.1-spec.json");
    test_no_memory();
    return done_testing();
}
