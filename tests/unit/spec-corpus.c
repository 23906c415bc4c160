/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plan/plan.h"
#include "read-file.h"
#include "spec/spec.h"
#include "tap.h"

/*
 * Whole configurations: those that engines write and the specification's examples, and the broken ones of
 * tests/oci-validation/bad, of which each must give exactly the one error that cases.tsv states, at its place.
 */
#define BAD "tests/oci-validation/bad/"
#define ACCEPTED "tests/oci-validation/accepted/"
#define OFFICIAL "tests/oci-validation/official/test/config/"

static int parse(const char *path, struct wh_errlist *errs, struct wh_spec **ret)
{
    size_t len = 0;
    char *json = read_file(path, &len);
    int r;

    *errs = (struct wh_errlist){ 0 };
    *ret = NULL;
    if (!json)
        return -ENOENT;
    r = wh_spec_parse(json, len, "config.json", 0, ret, errs);
    free(json);
    return r;
}

static void good(const char *path)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    struct wh_errlist errs;

    if (!ok(parse(path, &errs, &s) == 0, "%s is read", path))
        diag("  %s: %s", errs.e[0].path, errs.e[0].msg);
}

static void refused(const char *path, const char *pointer, const char *message)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    struct wh_errlist errs;
    int r = parse(path, &errs, &s);

    ok(r == -EINVAL && !s && errs.n == 1, "%s is refused, with one error", path);
    has_str(errs.e[0].path, pointer, "%s: at %s", path, pointer);
    has_str(errs.e[0].msg, message, "%s: %s", path, message);
}

/* What the specification's floor takes, because only the next one knows: in the order of `create`, the filter first. */
static int later(const struct wh_spec *s, struct wh_errlist *errs)
{
    static const struct wh_facts facts = {
        .feat =
            WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP | WH_FEAT_SECCOMP_NOTIFY | WH_FEAT_CGROUP_BPF | WH_FEAT_CGROUP_WRITABLE,
        .last_cap = 40,
        .own_caps = (UINT64_C(1) << 41) - 1,
        .seccomp_api = 6,
        .cgroup_mode = WH_CGROUP_UNIFIED,
        .may_mknod = true,
        .cgroup2_mount = "/sys/fs/cgroup",
        .cgroup2_own = "/",
        .cgroup2_controllers = "cpuset cpu io memory pids",
    };
    struct wh_request req = { .verb = WH_VERB_CREATE, .id = "bad", .bundle = "/bundle" };
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    const struct wh_plan *plan = NULL;
    const void *stub = NULL;
    size_t len = 0;
    int fd = memfd_create("filter", MFD_CLOEXEC), r = 0;

    if (wh_seccomp_wanted(s)) {
        r = wh_seccomp_data(s, arena, &stub, &len, &errs->e[0]);
        if (r == 0 && !stub)
            r = wh_seccomp_stub(s, arena, &stub, &len, &errs->e[0]);
        if (r == 0 && s->linux_.seccomp.set)
            r = wh_seccomp_compile(s, fd, NULL, &errs->e[0]);
        errs->n = r < 0;
        req.seccomp_bpf = "\6\0\0\0\0\0\377\177";
        req.seccomp_bpf_len = 8;
    }
    close(fd);
    return r < 0 ? r : wh_compile(s, &req, &facts, arena, &plan, errs);
}

static void bad_case(const char *file, const char *where, const char *pointer, const char *message)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    char path[256], want[sizeof((struct wh_err *)0)->path];
    struct wh_errlist errs;
    int r;

    snprintf(path, sizeof path, BAD "%s", file);
    snprintf(want, sizeof want, "config.json%s%s%s%s", *where ? ":" : "", where, *pointer ? ": " : "", pointer);
    r = parse(path, &errs, &s);
    if (r == 0)
        r = later(s, &errs);
    else if (s)
        fail_test("bad/%s: an error, and a specification", file);
    if (ok(r == -EINVAL && errs.n == 1 && errs.dropped == 0 && strcmp(errs.e[0].path, want) == 0 &&
               strstr(errs.e[0].msg, message) && !strpbrk(errs.e[0].msg, "\n\r\t"),
           "bad/%s", file))
        return;
    diag("  parse says %d with %u errors, want: %s: %s", r, errs.n, want, message);
    for (unsigned i = 0; i < errs.n; i++)
        diag("  got: %s: %s", errs.e[i].path, errs.e[i].msg);
}

/* Read and compiled, with the one warning that cases.tsv states, or with none. */
static void accepted_case(const char *file, const char *where, const char *pointer, const char *message)
{
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    char path[256], want[sizeof((struct wh_err *)0)->path];
    struct wh_errlist errs;
    int r;

    snprintf(path, sizeof path, ACCEPTED "%s", file);
    snprintf(want, sizeof want, "config.json:%s: %s", where, pointer);
    r = parse(path, &errs, &s);
    if (r == 0)
        r = later(s, &errs);
    if (ok(r == 0 && errs.n == 0 && errs.nwarn == (*message != '\0') &&
               (!*message || (strcmp(errs.w[0].path, want) == 0 && strstr(errs.w[0].msg, message))),
           "accepted/%s", file))
        return;
    diag("  result %d with %u errors and %u warnings, want: %s: %s", r, errs.n, errs.nwarn, want, message);
    for (unsigned i = 0; i < errs.n; i++)
        diag("  got: %s: %s", errs.e[i].path, errs.e[i].msg);
    for (unsigned i = 0; i < errs.nwarn; i++)
        diag("  got the warning: %s: %s", errs.w[i].path, errs.w[i].msg);
}

static unsigned cases(const char *list, void (*one)(const char *, const char *, const char *, const char *))
{
    char line[1024];
    unsigned n = 0;
    FILE *f = fopen(list, "r");

    if (!ok(f != NULL, "%s is there", list))
        return 0;
    while (fgets(line, sizeof line, f)) {
        char *rest = line, *file = strsep(&rest, "\t"), *where = strsep(&rest, "\t"), *pointer = strsep(&rest, "\t");

        if (!rest) {
            fail_test("%s: malformed line for %s", list, file);
            break;
        }
        rest[strcspn(rest, "\n")] = '\0';
        one(file, where, pointer, rest);
        n++;
    }
    fclose(f);
    return n;
}

static unsigned files(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    unsigned n = 0;

    while (d && (e = readdir(d)))
        n += strstr(e->d_name, ".json") != NULL;
    if (d)
        closedir(d);
    return n;
}

int main(void)
{
    static const char *const configs[] = { "containerd-1.6-default.json", "podman-4.3-default.json",
                                           "runc-1.1-spec-rootless.json", "runc-1.1-spec.json" };
    static const char *const official[] = { "linux-rdma.json",   "minimal-for-start.json", "minimal.json",
                                            "spec-example.json", "zos-minimal.json",       "freebsd-minimal.json" };
    char path[256];
    unsigned n;

    for (size_t i = 0; i < WH_ELEMENTSOF(configs); i++) {
        snprintf(path, sizeof path, "tests/configs/%s", configs[i]);
        good(path);
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(official); i++) {
        snprintf(path, sizeof path, OFFICIAL "good/%s", official[i]);
        good(path);
    }
    /* Good for the schema, which cannot say these rules of the text: Linux has no namespace for what they ask. */
    refused(OFFICIAL "good/linux-netdevice.json", ": /linux/netDevices", "without a NET namespace");
    refused(OFFICIAL "good/zos-example.json", ": /hostname", "without a private UTS namespace");
    refused(OFFICIAL "good/freebsd-example.json", ": /hostname", "without a private UTS namespace");

    refused(OFFICIAL "bad/invalid-json.json", "config.json:1:2", "not valid JSON");
    refused(OFFICIAL "bad/linux-hugepage.json", ": /linux/resources/hugepageLimits/0/pageSize", "must be a page size");
    refused(OFFICIAL "bad/linux-netdevice.json", ": /linux/netDevices/eth0/name", "must be a string");
    refused(OFFICIAL "bad/linux-rdma.json", ": /linux/resources/rdma/mlx5_1/hcaHandles", "must be an integer");
    /* Bad in a property of another platform, which is read past on Linux. */
    good(OFFICIAL "bad/freebsd-vnet-disable.json");

    n = cases(BAD "cases.tsv", bad_case);
    ok(n >= 150, "at least 150 broken configurations (%u)", n);
    is_int(files(BAD), n, "cases.tsv lists every file of " BAD);
    n = cases(ACCEPTED "cases.tsv", accepted_case);
    ok(n >= 40, "at least 40 configurations that are accepted (%u)", n);
    is_int(files(ACCEPTED), n, "cases.tsv lists every file of " ACCEPTED);
    return done_testing();
}
