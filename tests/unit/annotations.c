/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `features` tells engines of annotations covers each one that is read, by the rule of the specification, and is sorted. */
#include "api/features.h"
#include "plan/plan.h"
#include "tap.h"

static const char *const read_ones[] = {
#define WH_ANNOTATION(ID, name) name,
#define WH_ANNOTATION_RESERVED(name)
#include "plan/annotations.def"
#undef WH_ANNOTATION
#undef WH_ANNOTATION_RESERVED
};

static const char *const reserved[] = {
#define WH_ANNOTATION(ID, name)
#define WH_ANNOTATION_RESERVED(name) name,
#include "plan/annotations.def"
#undef WH_ANNOTATION
#undef WH_ANNOTATION_RESERVED
};

/* The array as it is printed, between its brackets. */
static const char *listed(struct wh_buf *out)
{
    char *p;

    wh_features_write(out);
    p = out->failed ? NULL : strstr(out->data, "\"potentiallyUnsafeConfigAnnotations\": [");
    if (!p)
        bail_out("features has no list of annotations");
    *strchr(p, ']') = '\0';
    return strchr(p, '[') + 1;
}

/* features.md: a value that ends in a dot is the beginning of keys. */
static bool is_listed(const char *list, const char *key)
{
    char entry[128];
    size_t len;

    for (const char *p = list; (p = strchr(p, '"')) != NULL; p += len + 2) {
        len = strcspn(p + 1, "\"");
        snprintf(entry, sizeof entry, "%.*s", (int)len, p + 1);
        if (entry[len - 1] == '.' ? strncmp(key, entry, len) == 0 : strcmp(key, entry) == 0)
            return true;
    }
    return false;
}

static void looked_up(void)
{
    struct wh_kv kv[] = { { .key = "org.systemd.property.A", .value = "1" },
                          { .key = "run.oci.handler2", .value = "no" },
                          { .key = "run.oci.handler", .value = "0" },
                          { .key = "org.systemd.property.B", .value = "2" } };
    struct wh_spec spec = { .annotations = { .v = kv, .n = WH_ELEMENTSOF(kv) } };
    const struct wh_kv *at = wh_annotation_next(&spec, WH_ANN_SYSTEMD_PROPERTY, NULL);

    is_str(wh_annotation_value(&spec, WH_ANN_HANDLER), "0", "an annotation is found by its whole name");
    is_str(wh_annotation_value(&spec, WH_ANN_INIT), NULL, "one that is not set is not there");
    ok(!wh_annotation_on(&spec, WH_ANN_HANDLER), "0 is off");
    ok(at == &kv[0], "the first of those that begin with a name");
    at = wh_annotation_next(&spec, WH_ANN_SYSTEMD_PROPERTY, at);
    ok(at == &kv[3], "and the next");
    ok(!wh_annotation_next(&spec, WH_ANN_SYSTEMD_PROPERTY, at), "and then none");
}

int main(void)
{
    WH_CLEANUP_BUF struct wh_buf out = { 0 };
    const char *list = listed(&out), *last = "", *entry;
    char child[128];
    size_t n = 0;

    for (size_t i = 0; i < WH_ELEMENTSOF(read_ones); i++) {
        snprintf(child, sizeof child, "%s%s", read_ones[i], strchr(read_ones[i], '\0')[-1] == '.' ? "Any" : "");
        ok(is_listed(list, child), "%s is listed", child);
        is_str(wh_annotation_name((enum wh_ann)i), read_ones[i], "under the name that is looked up");
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(reserved); i++)
        ok(is_listed(list, reserved[i]), "%s is listed, read or not", reserved[i]);
    ok(!is_listed(list, "org.opencontainers.image.stopSignal"), "what does nothing is not");
    ok(!is_listed(list, "bundle2"), "a name without a dot at its end is no prefix");
    for (; (entry = wh_annotation_unsafe(n)) != NULL; n++) {
        ok(strcmp(last, entry) < 0, "\"%s\" is after \"%s\"", entry, last);
        last = entry;
    }
    ok(n > 0 && n < WH_ELEMENTSOF(read_ones), "families are listed once (%zu entries)", n);
    looked_up();
    return done_testing();
}
