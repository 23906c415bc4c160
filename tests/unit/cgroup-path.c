/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the container's cgroup is, for each form of cgroupsPath and each kind of host; and the cleaning of paths. */
#include "tap.h"

#include <errno.h>

#include "plan/compile-systemd.h"
#include "plan/compile.h"

static const struct wh_facts unified = { .feat = WH_FEAT_CGROUP_WRITABLE,
                                         .cgroup_mode = WH_CGROUP_UNIFIED,
                                         .cgroup2_mount = "/sys/fs/cgroup",
                                         .cgroup2_own = "/" };

/* Null in *ret_path for "none"; the error's text in err. */
static int path(const struct wh_facts *facts, const char *cgroups_path, struct wh_arena *arena, const char **ret_path,
                struct wh_err *err)
{
    struct wh_request req = { .id = "c1" };
    struct wh_spec spec = { 0 };

    spec.linux_.set = true;
    spec.linux_.cgroups_path.v = cgroups_path;
    return wh_cgroup_path(&spec, &req, facts, arena, ret_path, err);
}

static void test_forms(void)
{
    static const struct {
        const char *own, *path, *want;
    } cases[] = {
        { "/", "/a/b", "/a/b" },
        { "/", "/default", "/default" },
        /* The same value, the same cgroup, whoever calls. */
        { "/", "a/b", "/a/b" },
        { "/user.slice/session.scope", "a/b", "/a/b" },
        { "/x/y", "/a/b", "/a/b" },
        /* Nothing asked for: beside ours. */
        { "/", NULL, "/c1" },
        { "/", "", "/c1" },
        { NULL, NULL, "/c1" },
        { "/a", NULL, "/c1" },
        { "/a/b", NULL, "/a/c1" },
        { "/user.slice/user-0.slice/session-1.scope", "", "/user.slice/user-0.slice/c1" },
        /* Seen from inside a cgroup namespace. */
        { "/../../x", NULL, "/c1" },
        /* Cleaned; ".." stays inside. */
        { "/", "/a/../b", "/b" },
        { "/", "../../etc", "/etc" },
        { "/", "//a//./b//", "/a/b" },
        { "/", "/a/..b/...", "/a/..b/..." },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_facts facts = unified;
        struct wh_err err = { 0 };
        const char *got;

        facts.cgroup2_own = cases[i].own;
        path(&facts, cases[i].path, arena, &got, &err);
        is_str(got, cases[i].want, "cgroupsPath %s, called from %s", cases[i].path ? cases[i].path : "(absent)",
               cases[i].own ? cases[i].own : "(unknown)");
    }
}

static void test_refused(void)
{
    static char longer[300];
    static const struct {
        const char *path, *want;
    } cases[] = {
        { "/", "root of the hierarchy" },
        { "/a/..", "root of the hierarchy" },
        { "..", "root of the hierarchy" },
        { "/a\nb", "line break" },
        { longer, "a name that is 299 bytes long, and the kernel takes at most 255" },
    };

    memset(longer, 'a', sizeof longer - 1);
    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_err err = { 0 };
        const char *got;

        is_int(path(&unified, cases[i].path, arena, &got, &err), -EINVAL, "cgroupsPath %.20s is refused",
               cases[i].path);
        has_str(err.msg, cases[i].want, "in these words");
        ok(!got, "and gives no path");
    }
}

static void test_managers(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_request req = { .id = "c1", .cgroup_manager = WH_CGM_DISABLED };
    struct wh_facts none = { .cgroup_mode = WH_CGROUP_NONE };
    struct wh_spec spec = { 0 };
    struct wh_err err = { 0 };
    const char *got = "x";

    spec.linux_.cgroups_path.v = "/a";
    is_int(wh_cgroup_path(&spec, &req, &unified, arena, &got, &err), 0, "disabled");
    ok(!got, "means none");
    is_int(wh_cgroup_path(&spec, &req, &none, arena, &got, &err), 0, "also where there is no cgroup2");
    req.cgroup_manager = WH_CGM_SYSTEMD;
    is_int(wh_cgroup_path(&spec, &req, &unified, arena, &got, &err), -EOPNOTSUPP, "systemd where there is none");
    has_str(err.msg, "--systemd-cgroup: this host is not run by systemd", "by the name of its option");
    err = (struct wh_err){ 0 };
    is_int(path(&none, "/a", arena, &got, &err), -EOPNOTSUPP, "a host without cgroup2 is refused");
    has_str(err.msg, "--cgroup-manager=disabled", "with a way out");
}

static int unit(const char *path, const char *id, bool user, struct wh_arena *arena, struct wh_unit *ret,
                struct wh_err *err)
{
    struct wh_request req = { .id = id, .cgroup_manager = WH_CGM_SYSTEMD };
    struct wh_facts facts = unified;
    struct wh_spec spec = { 0 };

    facts.systemd_root = user ? "/user.slice/user-5.slice/user@5.service" : "/";
    facts.systemd_user = user;
    spec.linux_.cgroups_path.v = path;
    return wh_unit_find(&spec, &req, &facts, arena, ret, err);
}

static void test_units(void)
{
    static const struct {
        const char *path, *id, *name, *slice, *dir;
    } cases[] = {
        { NULL, "c1", "wherry-c1.scope", "system.slice", "/system.slice/wherry-c1.scope" },
        { "", "a+b_c.d-e", "wherry-a\\x2bb_c.d-e.scope", "system.slice", "/system.slice/wherry-a\\x2bb_c.d-e.scope" },
        { ":runc:c1", "x", "runc-c1.scope", "system.slice", "/system.slice/runc-c1.scope" },
        { "system.slice:runc:c1", "x", "runc-c1.scope", "system.slice", "/system.slice/runc-c1.scope" },
        { "a.slice::c1", "x", "c1.scope", "a.slice", "/a.slice/c1.scope" },
        { "::c1", "x", "c1.scope", "system.slice", "/system.slice/c1.scope" },
        { "-:p:c1", "x", "p-c1.scope", "-.slice", "/p-c1.scope" },
        { "-.slice:p:c1", "x", "p-c1.scope", "-.slice", "/p-c1.scope" },
        { "a-b-c.slice:p:n", "x", "p-n.scope", "a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope" },
        { "kubepods-pod1_2.slice:cri-containerd:00ff", "x", "cri-containerd-00ff.scope", "kubepods-pod1_2.slice",
          "/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-00ff.scope" },
        { "z.slice:p:a-b.slice", "x", "a-b.slice", "a.slice", "/a.slice/a-b.slice" },
        { ":p:a.slice", "x", "a.slice", "-.slice", "/a.slice" },
        /* What the kernel's own files could be called. */
        { "io.slice::memory", "x", "memory.scope", "io.slice", "/_io.slice/_memory.scope" },
        { "::_x", "x", "_x.scope", "system.slice", "/system.slice/__x.scope" },
        { "::cgroup.y", "x", "cgroup.y.scope", "system.slice", "/system.slice/_cgroup.y.scope" },
        { "::memoryx", "x", "memoryx.scope", "system.slice", "/system.slice/memoryx.scope" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++)
        for (int user = 0; user < 2; user++) {
            WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
            const char *base = user ? "/user.slice/user-5.slice/user@5.service" : "", *dir = cases[i].dir;
            struct wh_unit u = { 0 };
            struct wh_err err = { 0 };

            is_int(unit(cases[i].path, cases[i].id, user, arena, &u, &err), 0, "cgroupsPath %s is a unit",
                   cases[i].path ? cases[i].path : "(absent)");
            is_str(u.name, cases[i].name, "of this name");
            if (user && wh_streq(cases[i].slice, "system.slice") && cases[i].path &&
                !wh_startswith(cases[i].path, "system"))
                dir = wh_arena_printf(arena, "/user.slice%s", dir + strlen("/system.slice"));
            else if (user && !cases[i].path)
                dir = "/user.slice/wherry-c1.scope";
            else
                is_str(u.slice, cases[i].slice, "in this slice");
            is_str(u.path, wh_arena_printf(arena, "%s%s", base, dir), "and its cgroup is there");
        }
}

static void test_no_units(void)
{
    static char longer[400] = "::";
    static const struct {
        const char *path, *want;
    } cases[] = {
        { "/a/b",
          "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/a/b\" instead" },
        { "a:b", "got \"a:b\" instead" },
        { "a.slice:b:", "got \"a.slice:b:\" instead" },
        { "a.slice:b:c:d", "got \"a.slice:b:c:d\" instead" },
        { "a/b.slice:p:n", "invalid slice name \"a/b.slice\"" },
        { "a:p:n", "invalid slice name \"a\"" },
        { "-a.slice:p:n", "invalid slice name \"-a.slice\"" },
        { "a-.slice:p:n", "invalid slice name \"a-.slice\"" },
        { "a--b.slice:p:n", "invalid slice name \"a--b.slice\"" },
        { ".slice:p:n", "invalid slice name \".slice\"" },
        { "..:p:n", "invalid slice name" },
        { ":p:-.slice", "invalid slice name \"-.slice\"" },
        { ":p:a--b.slice", "invalid slice name \"a--b.slice\"" },
        { ":p:../n", "has no slash" },
        { ":p/q:n", "has no slash" },
        { longer, "bytes long, and systemd takes at most 255" },
    };

    memset(longer + 2, 'a', sizeof longer - 3);
    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_unit u;
        struct wh_err err = { 0 };

        is_int(unit(cases[i].path, "x", false, arena, &u, &err), -EINVAL, "cgroupsPath %.20s is refused",
               cases[i].path);
        has_str(err.msg, cases[i].want, "in these words");
    }
}

static void test_rootless(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_request req = { .id = "c1" };
    struct wh_facts facts = unified;
    struct wh_spec spec = { 0 };
    struct wh_err err = { 0 };
    const char *got = "x";

    facts.euid = 1000;
    facts.feat = 0;
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), 0, "no permission, nothing asked for");
    ok(!got, "no cgroup");
    spec.linux_.cgroups_path.v = "/a";
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), -EACCES, "no permission, a path asked for");
    has_str(err.msg, "rootless needs no limits + no cgrouppath when no permission is granted for cgroups",
            "these words");
    spec.linux_.cgroups_path.v = NULL;
    spec.linux_.resources.pids.set = true;
    spec.linux_.resources.pids.limit = (struct wh_opt_i64){ .v = 5, .set = true };
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), -EACCES, "no permission, a limit asked for");
    spec.linux_.resources.pids.limit.v = -1;
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), 0, "no limit is no limit");
    facts.feat = WH_FEAT_CGROUP_WRITABLE;
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), 0, "delegated");
    is_str(got, "/c1", "a cgroup like everyone's");
    facts.cgroup2_delegated = "/user.slice/mine";
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), 0, "a part of the tree is delegated");
    is_str(got, "/user.slice/mine/c1", "a cgroup there");
    spec.linux_.cgroups_path.v = "/b/c";
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), 0, "and a path of its own");
    is_str(got, "/b/c", "is where the container goes");

    spec.linux_.cgroups_path.v = NULL;
    spec.linux_.resources.pids.limit.v = -1;
    facts = (struct wh_facts){ .cgroup_mode = WH_CGROUP_NONE, .euid = 1000 };
    got = "x";
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), 0, "no cgroup2 at all, and nothing asked for");
    ok(!got, "no cgroup");

    facts = unified;
    facts.feat = 0;
    req.rootless = WH_ROOTLESS_YES;
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), 0, "--rootless=true for root");
    ok(!got, "does without");
    facts.euid = 1000;
    req.rootless = WH_ROOTLESS_NO;
    is_int(wh_cgroup_path(&spec, &req, &facts, arena, &got, &err), 0, "--rootless=false for a user");
    ok(got != NULL, "insists on a cgroup");
}

static void test_clean(void)
{
    static const struct {
        const char *base, *path, *want;
    } cases[] = {
        { "", "", "/" },
        { "", "/", "/" },
        { "", "..", "/" },
        { "", "a", "/a" },
        { "", "/a/", "/a" },
        { "/b", "a", "/b/a" },
        { "/b", "../a", "/a" },
        { "/b/c", "..", "/b" },
        { "/b", "/a", "/b/a" },
        { "", "/a/./b/.", "/a/b" },
        { "", "/a/../../b", "/b" },
        { "", "/..a/.b", "/..a/.b" },
        { "/b/", "a", "/b/a" },
        { "", "/a//b///c", "/a/b/c" },
    };
    static const struct {
        const char *path, *dir;
        bool want;
    } below[] = {
        { "/proc/x", "/proc", true }, { "/proc", "/proc", false }, { "/process", "/proc", false },
        { "/a", "/", true },          { "/", "/", false },         { "/a/b/c", "/a/b", true },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();

        is_str(wh_compile_clean_path(arena, cases[i].base, cases[i].path), cases[i].want, "\"%s\" + \"%s\"",
               cases[i].base, cases[i].path);
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(below); i++)
        is_int(wh_compile_is_below(below[i].path, below[i].dir), below[i].want, "%s below %s", below[i].path,
               below[i].dir);
}

static void test_words(void)
{
    ok(wh_compile_has_word("cpuset cpu io memory pids", "pids"), "the last of a list");
    ok(wh_compile_has_word("pids", "pids"), "the only one");
    ok(!wh_compile_has_word("rpids pidsx", "pids"), "part of a name is not the name");
    ok(wh_compile_has_word("cpu,cpuacct", "cpuacct"), "commas");
    ok(!wh_compile_has_word(NULL, "pids"), "no list");
    ok(wh_compile_has_word("cpu pids\n", "pids"), "as the kernel writes it");
}

int main(void)
{
    test_forms();
    test_refused();
    test_managers();
    test_units();
    test_no_units();
    test_rootless();
    test_clean();
    test_words();
    return done_testing();
}
