/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What no test of ours would think of leaving out: each property of the configurations that engines write, and of the specification's
 * examples, in turn removed or replaced by something else, for every kind of host, with namespaces that are new, joined or not there.
 * Nothing crashes, nothing ends in an internal error, and every refusal names its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "api/check.h"
#include "mutate-hosts.h"

/* ---------------------------------------------------------------- one text */

enum ns_kind { NS_AS_IS, NS_REMOVED, NS_NEW, NS_JOINED, NS_KINDS };

/*
 * A spec is immutable; this one is the test's own. The rules that the parser has about namespaces are held again by compile. That of mounts stays
 * as it is, without which next to nothing is compiled, and so does that of users, which needs maps.
 */
static void set_ns(struct wh_spec *s, enum ns_kind kind, const struct wh_namespace *as_is)
{
    for (unsigned i = 0; i < WH_NS_MAX; i++) {
        struct wh_namespace *ns = &s->linux_.ns[i];

        if (kind == NS_AS_IS || i == WH_NS_MOUNT || (i == WH_NS_USER && kind == NS_NEW))
            *ns = as_is[i];
        else if (kind == NS_REMOVED)
            *ns = (struct wh_namespace){ 0 };
        else
            *ns = (struct wh_namespace){ .set = true,
                                         .src = s->linux_.set ? s->linux_.src : 1,
                                         .path = { kind == NS_JOINED ? "/run/ns" : NULL, 1 } };
    }
}

static void filter_of(struct run *run, const struct wh_spec *s)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    const void *stub;
    size_t len;
    int r;

    mutating_what = "the filter";
    if (!wh_seccomp_wanted(s))
        return;
    wh_seccomp_key(s, "a build", arena, &len);
    r = wh_seccomp_data(s, arena, &stub, &len, &run->errs.e[0]);
    if (r == 0 && !stub && s->linux_.seccomp.set)
        r = wh_seccomp_stub(s, arena, &stub, &len, &run->errs.e[0]);
    run->errs.n = r < 0;
    look_at(run);
}

static void check_of(const struct wh_spec *s)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_findings f = { .arena = arena, .spec = s, .name = "config.json" };
    static int bundle_fd = -1, proc_fd = -1;

    mutating_what = "check";
    wh_check_spec(&f, s);
    /* Of the host it only reads; the root file system is not there, or a directory of the sources. */
    if (bundle_fd < 0)
        bundle_fd = open("tests", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc_fd < 0)
        proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    wh_check_host(&f, s, NULL, &hosts[0].facts, bundle_fd, proc_fd, -1);
}

static void take_config(void *ctx, const char *json, size_t len)
{
    struct run *run = ctx;
    WH_CLEANUP_SPEC struct wh_spec *s = NULL;
    struct wh_namespace as_is[WH_NS_MAX];

    mutating_what = "the parser";
    if (wh_spec_parse(json, len, "config.json", 0, &s, &run->errs) < 0) {
        look_at(run);
        return;
    }
    check_of(s);
    filter_of(run, s);
    memcpy(as_is, s->linux_.ns, sizeof as_is);
    for (enum ns_kind kind = NS_AS_IS; kind < (run->deep ? NS_KINDS : NS_REMOVED); kind++) {
        set_ns(s, kind, as_is);
        for (size_t i = 0; i < (run->deep ? WH_ELEMENTSOF(hosts) : 3); i++)
            compile_on(run, s, &hosts[i], &hosts[i].req, kind == NS_AS_IS && i == 0);
    }
}

/* ---------------------------------------------------------------- configurations */

/* What keeps a configuration from being compiled at all, so that nothing after it would be reached. */
struct edit {
    const char *pointer, *json;
};

static void config(const char *path, const struct edit *edits)
{
    struct run *run = new_run();
    struct mutator m = { .take = take_config, .ctx = run };
    unsigned n, plans;

    m.root = mutate_read(path);
    for (; m.root && edits && edits->pointer; edits++)
        m.root = mutate_edit(m.root, edits->pointer, edits->json);
    if (!m.root)
        return;
    run->m = &m;
    run->deep = true;
    mutate_one(&m, NULL, NULL);
    plans = run->compiled;
    ok(plans > 1, "%s: %u plans of what is unchanged", path, plans);
    n = mutate(&m, m.root, mutate_plainly);
    ok(n > 0 && run->compiled > plans, "%u texts, %u plans, %u refusals", n, run->compiled, run->refused);
    run->deep = false;
    n = mutate(&m, m.root, mutate_lengths);
    ok(n > 0, "%u texts with a string that is too long", n);
    complaints_report(&run->places, "every refusal names its place");
    complaints_report(&run->internal, "none is an internal error");
    wh_buf_done(&m.text);
    yajl_tree_free(m.root);
    free(run);
}

int main(void)
{
    static const struct edit containerd[] = { { "/process/cwd", "\"/\",\"args\":[\"/bin/sh\"]" }, { 0 } };
    static const struct edit rdma[] = {
        { "/root",
          "{\"path\":\"r\"},\"process\":{\"cwd\":\"/\",\"args\":[\"/bin/sh\"],\"user\":{\"uid\":0,\"gid\":0}}" },
        { 0 }
    };
    static const struct edit everything[] = {
        { "/process/terminal", "false" },     { "/process/capabilities/inheritable", "[]" },
        { "/linux/resources/cpu/idle", "0" }, { "/linux/resources/cpu/shares", "2" },
        { "/linux/resources/unified", "{}" }, { 0 },
    };
    static const struct edit minimal[] = { { "/process/args", "[\"/bin/sh\"]" }, { 0 } };
    static const struct {
        const char *path;
        const struct edit *edits;
    } configs[] = {
        { "tests/configs/containerd-1.6-default.json", containerd },
        { "tests/configs/podman-4.3-default.json", NULL },
        { "tests/configs/podman-5.8-systemd.json", NULL },
        { "tests/configs/runc-1.1-spec-rootless.json", NULL },
        { "tests/configs/runc-1.1-spec.json", NULL },
        { "tests/oci-validation/good/everything.json", everything },
        { "tests/oci-validation/official/test/config/good/spec-example.json", NULL },
        { "tests/oci-validation/official/test/config/good/linux-rdma.json", rdma },
        { "tests/oci-validation/official/test/config/good/minimal-for-start.json", minimal },
    };

    mutate_watch();
    for (size_t i = 0; i < WH_ELEMENTSOF(configs); i++)
        config(configs[i].path, configs[i].edits);
    return done_testing();
}
