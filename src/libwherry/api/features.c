/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `features` (runtime-spec features.md). Engines choose by it, so it lists what this version executes and nothing that it
 * refuses: a test creates a configuration for every entry. Null means "not known", an empty list "none".
 */
#include "api/features.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "base/json-out.h"
#include "plan/annotations.h"
#include "plan/compile.h"
#include "plan/plan.h"
#include "wherry.h"

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

static void strings(struct wh_json *j, const char *key, const char *const *v, size_t n)
{
    wh_json_open(j, key, '[');
    for (size_t i = 0; i < n; i++)
        wh_json_str(j, NULL, v[i]);
    wh_json_close(j, ']');
}

static void enabled(struct wh_json *j, const char *key, bool on)
{
    wh_json_open(j, key, '{');
    wh_json_bool(j, "enabled", on);
    wh_json_close(j, '}');
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define NAMES_MAX 64

/* What a table of plan/compile-seccomp.c has, sorted. */
static void names(struct wh_json *j, const char *key, const char *(*name)(size_t))
{
    const char *v[NAMES_MAX];
    size_t n = 0;

    for (size_t i = 0; n < NAMES_MAX && name(i); i++)
        v[n++] = name(i);
    qsort(v, n, sizeof *v, compare);
    strings(j, key, v, n);
}

/* The same of a list of the specification's words. */
static void words(struct wh_json *j, const char *key, enum wh_words list)
{
    const char *v[NAMES_MAX];
    size_t n = 0;

    for (; n < NAMES_MAX && wh_word(list, n, NULL); n++)
        v[n] = wh_word(list, n, NULL);
    qsort(v, n, sizeof *v, compare);
    strings(j, key, v, n);
}

static void seccomp(struct wh_json *j)
{
    static const char *const known[] = { "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                         "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" };
    bool on = wh_seccomp_action_name(0) != NULL;

    wh_json_open(j, "seccomp", '{');
    wh_json_bool(j, "enabled", on);
    if (on) {
        names(j, "actions", wh_seccomp_action_name);
        names(j, "operators", wh_seccomp_operator_name);
        names(j, "archs", wh_seccomp_arch_name);
        strings(j, "knownFlags", known, WH_ELEMENTSOF(known));
        strings(j, "supportedFlags", known, WH_ELEMENTSOF(known));
    }
    wh_json_close(j, '}');
}

static void linux_part(struct wh_json *j)
{
    static const char *const namespaces[] = { "cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts" };

    wh_json_open(j, "linux", '{');
    strings(j, "namespaces", namespaces, WH_ELEMENTSOF(namespaces));
    wh_json_open(j, "capabilities", '[');
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
        if (wh_cap_name(i))
            wh_json_str(j, NULL, wh_cap_name(i));
    wh_json_close(j, ']');
    wh_json_open(j, "cgroup", '{');
    wh_json_bool(j, "v1", true); /* for limits, on hosts that have cgroup2 next to it */
    wh_json_bool(j, "v2", true);
#ifdef HAVE_SYSTEMD
    wh_json_bool(j, "systemd", true);
    wh_json_bool(j, "systemdUser", true);
#else
    wh_json_bool(j, "systemd", false);
    wh_json_bool(j, "systemdUser", false);
#endif
    wh_json_bool(j, "rdma", true);
    wh_json_close(j, '}');
    seccomp(j);
    /* That this program can, not that the host does (features-linux.md). */
    enabled(j, "apparmor", true);
    enabled(j, "selinux", true);
    wh_json_open(j, "intelRdt", '{');
    wh_json_bool(j, "enabled", true);
    wh_json_bool(j, "schemata", true);
    wh_json_bool(j, "monitoring", true);
    wh_json_close(j, '}');
    wh_json_open(j, "memoryPolicy", '{');
    words(j, "modes", WH_WORDS_MPOL);
    words(j, "flags", WH_WORDS_MPOL_FLAG);
    wh_json_close(j, '}');
    wh_json_open(j, "mountExtensions", '{');
    enabled(j, "idmap", true);
    wh_json_close(j, '}');
    enabled(j, "netDevices", true);
    wh_json_close(j, '}');
}

void wh_features_write(struct wh_buf *out)
{
    static const char *const hooks[] = { "prestart",       "createRuntime", "createContainer",
                                         "startContainer", "poststart",     "poststop" };
    struct wh_json j = { .out = out, .indent = 4 };
    size_t n;
    const char *const *options = wh_mountopts_names(&n);

    wh_json_open(&j, NULL, '{');
    wh_json_str(&j, "ociVersionMin", "1.0.0");
    wh_json_str(&j, "ociVersionMax", wherry_spec_version());
    strings(&j, "hooks", hooks, WH_ELEMENTSOF(hooks));
    strings(&j, "mountOptions", options, n);
    linux_part(&j);
    wh_json_open(&j, "annotations", '{');
#ifdef HAVE_SECCOMP
    wh_json_str(&j, "io.github.seccomp.libseccomp.version",
                TEXT(SCMP_VER_MAJOR) "." TEXT(SCMP_VER_MINOR) "." TEXT(SCMP_VER_MICRO));
#endif
    wh_json_str(&j, "run.wherry.version", wherry_version());
    wh_json_close(&j, '}');
    names(&j, "potentiallyUnsafeConfigAnnotations", wh_annotation_unsafe);
    wh_json_close(&j, '}');
    wh_buf_puts(out, "\n");
}
