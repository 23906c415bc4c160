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
#include "plan/compile-resources.h"
#include "plan/plan.h"

#include "mutate.h"

/* ---------------------------------------------------------------- hosts */

#define FEATS                                                                                                          \
    (WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP | WH_FEAT_SECCOMP_NOTIFY | WH_FEAT_CGROUP_BPF | WH_FEAT_CGROUP_WRITABLE)
#define ALL_CAPS ((UINT64_C(1) << 41) - 1)
#define COMMON .last_cap = 40, .own_caps = ALL_CAPS, .seccomp_api = 6, .may_mknod = true
#define UNIFIED                                                                                                        \
    .cgroup_mode = WH_CGROUP_UNIFIED, .cgroup2_mount = "/sys/fs/cgroup", .cgroup2_own = "/user.slice/session",         \
    .cgroup2_controllers = "cpuset cpu io memory hugetlb pids rdma misc"

static const struct wh_v1_hierarchy v1[] = {
    { "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct", "/" },
    { "/sys/fs/cgroup/cpuset", "cpuset", "/" },
    { "/sys/fs/cgroup/memory", "memory", "/session" },
    { "/sys/fs/cgroup/blkio", "blkio", NULL },
    { "/sys/fs/cgroup/pids", "pids", "/../elsewhere" },
    { "/sys/fs/cgroup/devices", "devices", "/" },
    { "/sys/fs/cgroup/hugetlb", "hugetlb", "/" },
    { "/sys/fs/cgroup/rdma", "rdma", "/" },
    { "/sys/fs/cgroup/net_cls,net_prio", "net_cls,net_prio", "/" },
    { "/sys/fs/cgroup/systemd", "name=systemd", "/" },
};

/* Any instructions will do: compile does not look into a filter. */
static const uint64_t filter[4];
#define REQUEST .id = "box", .bundle = "/bundle", .seccomp_bpf = filter, .seccomp_bpf_len = sizeof filter

static const struct host {
    const char *name;
    struct wh_facts facts;
    struct wh_request req;
} hosts[] = {
    { "the unified hierarchy", { .feat = FEATS, COMMON, UNIFIED }, { REQUEST, .console_socket = true } },
    { "systemd and security modules",
      { .feat = FEATS | WH_FEAT_APPARMOR | WH_FEAT_SELINUX, COMMON, UNIFIED, .systemd_root = "/" },
      { REQUEST, .cgroup_manager = WH_CGM_SYSTEMD, .console_socket = true, .init = true } },
    { "hybrid hierarchies",
      { .feat = FEATS | WH_FEAT_APPARMOR | WH_FEAT_SELINUX,
        COMMON,
        .cgroup_mode = WH_CGROUP_HYBRID,
        .cgroup2_mount = "/sys/fs/cgroup/unified",
        .cgroup2_own = "/",
        .cgroup2_controllers = "",
        .v1 = v1,
        .nv1 = WH_ELEMENTSOF(v1) },
      { REQUEST, .console_socket = true, .listen_fds = 1, .listen_fdnames = "a", .notify_dir = "/run/n" } },
    { "cgroups disabled",
      { .feat = FEATS, COMMON, UNIFIED },
      { REQUEST, .cgroup_manager = WH_CGM_DISABLED, .console_socket = true } },
    { "no cgroup hierarchy", { .feat = FEATS, COMMON, .cgroup_mode = WH_CGROUP_NONE }, { REQUEST } },
    { "an ordinary user",
      { .feat = WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP,
        .euid = 1000,
        .egid = 1000,
        .last_cap = 40,
        .seccomp_api = 6,
        UNIFIED },
      { REQUEST, .console_socket = true } },
    { "an ordinary user with a systemd session",
      { .feat = FEATS,
        .euid = 1000,
        .egid = 1000,
        .last_cap = 40,
        .seccomp_api = 6,
        UNIFIED,
        .systemd_root = "/user.slice/user-1000.slice/user@1000.service",
        .systemd_user = true,
        .cgroup2_delegated = "/user.slice/user-1000.slice/user@1000.service/a" },
      { REQUEST } },
    { "root of a user namespace",
      { .feat = FEATS & ~WH_FEAT_CGROUP_BPF,
        .last_cap = 40,
        .own_caps = ALL_CAPS,
        .seccomp_api = 6,
        .in_userns = true,
        .mnt_foreign = true,
        UNIFIED },
      { REQUEST, .no_pivot = true } },
    { "an old kernel",
      { .last_cap = 37, .own_caps = UINT64_C(0x2401c0), UNIFIED },
      { REQUEST, .verb = WH_VERB_EXPLAIN } },
};

/* ---------------------------------------------------------------- one text */

enum ns_kind { NS_AS_IS, NS_REMOVED, NS_NEW, NS_JOINED, NS_KINDS };

struct run {
    struct mutator *m;
    bool
        deep; /* every host and every kind of namespaces; else the first hosts, which differ in what they write of a string */
    const struct wh_spec *container; /* exec: what the process is added to */
    struct complaints places, internal;
    unsigned refused, compiled;
    struct wh_errlist errs; /* empty between two uses: it is large */
};

static struct run *new_run(void)
{
    struct run *run = calloc(1, sizeof *run);

    if (!run)
        abort();
    return run;
}

static void look_at(struct run *run)
{
    for (unsigned i = 0; i < run->errs.n; i++) {
        struct wh_err *e = &run->errs.e[i];
        const char *digit = strchr(e->path, ':');

        run->refused++;
        if (strstr(e->msg, "internal error"))
            complain(&run->internal, run->m, e->msg);
        /* Line and column; a JSON pointer but for the document itself, whose pointer is empty. */
        if (!digit || digit[1] < '1' || digit[1] > '9')
            complain(&run->places, run->m, e->msg);
        *e = (struct wh_err){ 0 };
    }
    run->errs.n = run->errs.dropped = 0;
}

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

static void compile_on(struct run *run, const struct wh_spec *s, const struct host *h, const struct wh_request *req,
                       bool explain)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    const struct wh_plan *plan = NULL;

    mutating_what = h->name;
    if (wh_compile(s, req, &h->facts, arena, &plan, &run->errs) == 0) {
        run->compiled++;
        if (explain)
            wh_explain(plan, s, 0, &text);
    }
    look_at(run);
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

    mutating_what = "check";
    wh_check_spec(&f, s);
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
