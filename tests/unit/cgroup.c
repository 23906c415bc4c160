/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's control group: text for the state file, and the real thing where this process may make cgroups. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <mntent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/cgroup.h"
#include "host/cgroup/internal.h"
#include "tap.h"

/* ---------------------------------------------------------------- a plan by hand: host lists only */
static struct {
    _Alignas(8) char data[8192];
    uint32_t len;
} blob;

static struct wh_plan *plan_new(void)
{
    struct wh_plan *p = (void *)blob.data;

    memset(&blob, 0, sizeof blob);
    blob.len = sizeof *p;
    p->hosts = blob.len;
    return p;
}

static void *plan_step(enum wh_op op, size_t size)
{
    struct wh_plan *p = (void *)blob.data;
    struct wh_step *s = (void *)(blob.data + blob.len);

    s->op = op;
    s->len = (uint16_t)((size + 7) & ~7ul);
    blob.len += s->len;
    p->nhost++;
    return s;
}

/* Strings go to the end of the blob, downwards. */
static uint32_t str_end = sizeof blob.data;
static wh_off plan_data(const void *s, size_t len)
{
    str_end = (str_end - (uint32_t)len) & ~7u;
    memcpy(blob.data + str_end, s, len);
    return str_end;
}
static wh_off plan_str(const char *s)
{
    return plan_data(s, strlen(s) + 1);
}

static void add_create(const char *path)
{
    wh_off o = plan_str(path);
    struct wh_step_cg_create *s = plan_step(WH_OP_CG_CREATE, sizeof *s);

    s->path = o;
}
static void add_v1(const char *controller, const char *path)
{
    wh_off c = plan_str(controller), p = plan_str(path);
    struct wh_step_cg_v1_create *s = plan_step(WH_OP_CG_V1_CREATE, sizeof *s);

    s->controller = c;
    s->path = p;
}
static void add_write(const char *controller, const char *file, const char *value)
{
    wh_off c = plan_str(controller), f = plan_str(file), v = plan_str(value);
    struct wh_step_cg_write *s = plan_step(WH_OP_CG_WRITE, sizeof *s);

    s->controller = c;
    s->file = f;
    s->value = v;
}
/* r0 = value; exit */
static void add_bpf(int value)
{
    struct bpf_insn prog[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = value },
                               { .code = BPF_JMP | BPF_EXIT } };
    wh_off o = plan_data(prog, sizeof prog);
    struct wh_step_dev_bpf *s = plan_step(WH_OP_DEV_BPF, sizeof *s);

    s->insns.off = o;
    s->insns.len = sizeof prog;
}

/* ---------------------------------------------------------------- pure */
static void test_paths(void)
{
    static const struct {
        const char *path;
        bool good;
    } t[] = {
        { "/", true },    { "/a", true },     { "/a/b", true },    { "/a.slice/b:c", true }, { "", false },
        { "a", false },   { "//a", false },   { "/a//b", false },  { "/a/", false },         { "/..", false },
        { "/.", false },  { "/a/..", false }, { "/a/./b", false }, { "/a/../b", false },     { "/a\nb", false },
        { "/..a", true }, { "/a..", true },   { "/...", true },
    };
    char longest[300];

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++)
        is_int(wh_cg_path_ok(t[i].path), t[i].good, "path number %zu is %s", i, t[i].good ? "good" : "bad");
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[256] = '\0';
    ok(wh_cg_path_ok(longest), "a name of 255 bytes");
    longest[256] = 'x';
    longest[257] = '\0';
    ok(!wh_cg_path_ok(longest), "a name of 256 bytes");
    is_int(wh_cg_depth("/"), 0, "depth of /");
    is_int(wh_cg_depth("/a"), 1, "depth of /a");
    is_int(wh_cg_depth("/a/b/c"), 3, "depth of /a/b/c");
    is_int(wh_cg_prefix("/aa/bb/c", 1), 2, "first component");
    is_int(wh_cg_prefix("/aa/bb/c", 2), 5, "two components");
    is_int(wh_cg_prefix("/aa/bb/c", 3), 7, "all components");
    is_int(wh_cg_prefix("/aa/bb/c", 9), 7, "no more than there are");
}

static void test_load_damaged(void)
{
    static const char *const bad[] = {
        "x",
        "\n",
        "v2\n",
        "v2 1 0 4 /mnt/a", /* no newline: cut off */
        "v3 1 0 4 /mnt/a\n",
        "v1: 1 0 4 /mnt/a\n",
        "v2 0 0 4 /mnt/a\n",
        "v2 2 0 4 /mnt/a\n", /* more components than there are */
        "v2 1 x 4 /mnt/a\n",
        "v2 1 -1 4 /mnt/a\n",
        "v2 1 0 0 /mnt/a\n",
        "v2 1 0 3 /mnt/a\n",
        "v2 1 0 40 /mnt/a\n",
        "v2 1 0 4 /mnt/\n",
        "v2 1 0 4 /mnt/..\n",
        "v2 1 0 4 /mnt/a/../b\n",
        "v2 1 0 3 mnt/a\n",
        "v2 1 99999999999999999999 4 /mnt/a\n",
        "v2 1 0 4 /mnt/a\nv2 1 0 4 /mnt/b\n", /* cgroup2 twice */
        "v2 1 0 4 /mnt/a\nv1:pids 1 0 4 /mnt\n",
        "sub a\n", /* of nothing */
        "v2 1 0 4 /mnt/a\nsub \n",
        "v2 1 0 4 /mnt/a\nsub a/b\n",
        "v2 1 0 4 /mnt/a\nsub ..\n",
        "v2 1 0 4 /mnt/a\nsub a\nsub b\n",
        "v2 1 0 4 /mnt/a\nleaf a\n",
        "v2 1 0 4 /mnt/a\nsub a\nleaf ../..\n",
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(bad); i++) {
        struct wh_cgroup cg;
        struct wh_err err = { 0 };

        is_int(wh_cgroup_load(&cg, bad[i], strlen(bad[i]), &err), -EINVAL, "damaged text %zu is refused", i);
        is_str(err.msg, "the saved cgroup is damaged", "and said so");
        ok(!wh_cgroup_exists(&cg) && cg.none == 0 && cg.two.fd == -1, "and nothing of it kept");
    }

    struct wh_cgroup cg;
    is_int(wh_cgroup_load(&cg, "v2 1 0 4 /mnt/a\n\0", 17, NULL), -EINVAL, "a NUL inside is damage");
}

static void test_none(void)
{
    struct wh_cgroup cg;
    struct wh_err err = { 0 };
    WH_CLEANUP_BUF struct wh_buf buf = { 0 };
    struct wh_facts facts = { 0 };
    pid_t *pids;
    size_t n;

    wh_cgroup_init(&cg);
    is_int(wh_cgroup_plan(&cg, plan_new(), &facts, &err), 0, "a plan without cgroup");
    ok(!wh_cgroup_exists(&cg), "has none");
    is_int(wh_cgroup_make(&cg, &err), 0, "make");
    is_int(wh_cgroup_fd(&cg), -1, "no fd");
    is_int(wh_cgroup_attach(&cg, 1, &err), 0, "attach");
    is_int(wh_cgroup_apply(&cg, plan_new(), NULL, &err), 0, "apply");
    is_int(wh_cgroup_kill(&cg, 10, &err), 0, "kill");
    is_int(wh_cgroup_remove(&cg, 10, &err), 0, "remove");
    is_int(wh_cgroup_frozen(&cg), 0, "frozen");
    is_int(wh_cgroup_populated(&cg), 0, "populated");
    wh_cgroup_save(&cg, &buf);
    is_u64(buf.len, 0, "saves as nothing");
    is_int(wh_cgroup_load(&cg, "", 0, &err), 0, "and loads from it");
    is_int(err.code, 0, "no error so far");
    is_int(wh_cgroup_pids(&cg, &pids, &n, &err), -EOPNOTSUPP, "but has no list of processes");
    has_str(err.msg, "cgroup not exist", "says why");
    is_int(wh_cgroup_signal(&cg, SIGTERM, NULL), -EOPNOTSUPP, "and cannot be signalled as one");
    is_int(wh_cgroup_freeze(&cg, true, 10, NULL), -EOPNOTSUPP, "nor frozen");
    wh_cgroup_done(&cg);

    add_create("/a");
    is_int(wh_cgroup_plan(&cg, (void *)blob.data, &facts, &err), -EOPNOTSUPP, "a host without cgroup2");
    wh_cgroup_done(&cg);
    facts.cgroup2_mount = "/proc";
    memset(&err, 0, sizeof err);
    is_int(wh_cgroup_plan(&cg, (void *)blob.data, &facts, &err), -ENODEV, "a mount that is no cgroup2");
    wh_cgroup_done(&cg);
    plan_new();
    add_create("/");
    memset(&err, 0, sizeof err);
    is_int(wh_cgroup_plan(&cg, (void *)blob.data, &facts, &err), -EINVAL, "the root is nobody's own");
    wh_cgroup_done(&cg);
}

/* ---------------------------------------------------------------- writing, into plain files */
static void file_is(int dir, const char *file, const char *want, const char *what)
{
    char got[64];

    if (wh_read_at(dir, file, got, sizeof got - 1) < 0)
        snprintf(got, sizeof got, "(not there)");
    is_str(got, want, "%s", what);
}

static void test_write(void)
{
    char dir[] = "/tmp/wherry-unit-XXXXXX";
    struct wh_cgroup cg;
    struct wh_err err = { 0 };
    size_t failed = 99;

    if (!mkdtemp(dir)) {
        fail_test("no directory");
        return;
    }
    wh_cgroup_init(&cg);
    cg.two.mount = strdup(dir);
    cg.two.path = strdup("/c");
    cg.two.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const files[] = { "a", "b", "x.max" };
    for (size_t i = 0; i < WH_ELEMENTSOF(files); i++)
        close(openat(cg.two.fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    int fd = openat(cg.two.fd, "x.current", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dprintf(fd, "100\n");
    close(fd);

    const struct wh_cg_write both[] = { { 0, "unified", "a", "1", WH_CGW_MAY_LACK },
                                        { 0, "unified", "b", "2", WH_CGW_ELSE | WH_CGW_MAY_LACK } };
    is_int(wh_cgroup_write(&cg, both, 2, &failed, &err), 0, "a file that is there, and one instead of it");
    file_is(cg.two.fd, "a", "1", "the first is written");
    file_is(cg.two.fd, "b", "", "the other is not");
    const struct wh_cg_write other[] = { { 0, "unified", "missing", "1", WH_CGW_MAY_LACK },
                                         { 0, "unified", "b", "2", WH_CGW_ELSE | WH_CGW_MAY_LACK },
                                         { 0, "unified", "a", "3", WH_CGW_ELSE } };
    is_int(wh_cgroup_write(&cg, other, 3, &failed, &err), 0, "one that is missing");
    file_is(cg.two.fd, "b", "2", "the other is written");
    file_is(cg.two.fd, "a", "1", "and no third, since the second was there");
    const struct wh_cg_write none[] = { { 0, "unified", "a", "5", 0 },
                                        { 0, "unified", "missing", "1", 0 },
                                        { 0, "unified", "b", "6", 0 } };
    is_int(wh_cgroup_write(&cg, none, 3, &failed, &err), -EOPNOTSUPP, "a file that must be there");
    is_u64(failed, 1, "is the one that failed");
    has_str(err.msg, "write \"1\" to missing of cgroup ", "is named with the value");
    has_str(err.msg, "this kernel has no such file", "and the reason");
    file_is(cg.two.fd, "b", "2", "and nothing is written after it");
    const struct wh_cg_write use[] = { { 0, "unified", "x.max", "100", WH_CGW_ABOVE_USE },
                                       { 0, "unified", "x.max", "99", WH_CGW_ABOVE_USE } };
    memset(&err, 0, sizeof err);
    is_int(wh_cgroup_write(&cg, use, 2, &failed, &err), -EBUSY, "less than is in use");
    is_u64(failed, 1, "not as much as is in use");
    has_str(err.msg, "current usage is 100", "says how much");
    file_is(cg.two.fd, "x.max", "100", "and is not written");
    static const char *const outside[] = { "../a", "sub/a" };
    for (size_t i = 0; i < WH_ELEMENTSOF(outside); i++)
        is_int(wh_cgroup_write(&cg, &(struct wh_cg_write){ 0, "unified", outside[i], "1", 0 }, 1, &failed, NULL),
               -ENOTDIR, "%s leads out", outside[i]);
    is_int(wh_cgroup_write(&cg, &(struct wh_cg_write){ 0, "memory", "a", "1", 0 }, 1, &failed, NULL), -ENOTDIR,
           "a hierarchy that the container is not in");
    static const char *const all[] = { "a", "b", "x.max", "x.current" };
    for (size_t i = 0; i < WH_ELEMENTSOF(all); i++)
        unlinkat(cg.two.fd, all[i], 0);
    rmdir(dir);
    wh_cgroup_done(&cg);
}

/* ---------------------------------------------------------------- the real thing */
static char mount2[256], mount_pids[256];

static void find_mounts(void)
{
    FILE *f = setmntent("/proc/self/mounts", "r");

    for (struct mntent *m; f && (m = getmntent(f)) != NULL;) {
        if (strcmp(m->mnt_type, "cgroup2") == 0)
            snprintf(mount2, sizeof mount2, "%s", m->mnt_dir);
        if (strcmp(m->mnt_type, "cgroup") == 0 && hasmntopt(m, "pids"))
            snprintf(mount_pids, sizeof mount_pids, "%s", m->mnt_dir);
    }
    if (f)
        endmntent(f);
}

static char *at(const char *mount, const char *path)
{
    static char buf[4][1024];
    static int i;

    i = (i + 1) % 4;
    snprintf(buf[i], sizeof buf[i], "%s%s", mount, path);
    return buf[i];
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        diag("write %s to %s: errno %d", text, path, errno);
    if (fd >= 0)
        close(fd);
}

/* A child in the cgroup, that ignores SIGTERM if asked and sleeps for ever. */
static pid_t sleeper(const char *procs, bool stubborn)
{
    int sync[2];
    char c;
    pid_t pid;

    if (pipe2(sync, O_CLOEXEC) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        if (stubborn)
            signal(SIGTERM, SIG_IGN);
        put(procs, "0");
        (void)!write(sync[1], "x", 1);
        for (;;)
            pause();
    }
    close(sync[1]);
    (void)!read(sync[0], &c, 1);
    close(sync[0]);
    return pid;
}

static int status_of(pid_t pid)
{
    int status = -1;

    waitpid(pid, &status, 0);
    return status;
}

static char base[64]; /* "/wherry-unit-PID": parents of what the tests make */

static void plan_of(struct wh_cgroup *cg, const char *path, int want, const char *what)
{
    struct wh_v1_hierarchy v1 = { .mountpoint = mount_pids, .controllers = "pids", .own = "/" };
    struct wh_facts facts = { .cgroup2_mount = mount2, .v1 = &v1, .nv1 = mount_pids[0] != 0 };
    struct wh_err err = { 0 };

    wh_cgroup_init(cg);
    plan_new();
    str_end = sizeof blob.data;
    add_create(path);
    if (mount_pids[0]) {
        add_v1("pids", path);
        add_write("pids", "pids.max", "7");
    }
    is_int(wh_cgroup_plan(cg, (void *)blob.data, &facts, &err), want, "plan: %s", what);
    if (err.code)
        diag("%s", err.msg);
}

static void test_life(void)
{
    struct wh_cgroup cg, again;
    struct wh_err err = { 0 };
    WH_CLEANUP_BUF struct wh_buf before = { 0 }, after = { 0 };
    const struct wh_step *failed = NULL;
    char path[128], value[128];
    pid_t a, b, *pids;
    size_t n;

    snprintf(path, sizeof path, "%s/x/c1", base);
    plan_of(&cg, path, 0, "a fresh path");
    is_u64(cg.two.made, 3, "three components are to be made");
    ok(!there(at(mount2, base)), "planning makes nothing");
    wh_cgroup_save(&cg, &before);
    is_int(wh_cgroup_make(&cg, &err), 0, "make: %s", err.msg);
    ok(there(at(mount2, path)), "it is there");
    is_u64(cg.two.made, 3, "three were made");
    ok(wh_cgroup_fd(&cg) >= 0, "and open");
    wh_cgroup_save(&cg, &after);
    ok(strcmp(before.data, after.data) != 0, "the identity is new in the saved text");

    a = sleeper(at(at(mount2, path), "/cgroup.procs"), false);
    is_int(wh_cgroup_attach(&cg, a, &err), 0, "attach: %s", err.msg);
    is_int(wh_cgroup_apply(&cg, (void *)blob.data, &failed, &err), 0, "apply: %s", err.msg);
    if (mount_pids[0]) {
        ok(wh_read_at(AT_FDCWD, at(at(mount_pids, path), "/pids.max"), value, sizeof value - 1) > 0,
           "pids.max is there");
        is_str(value, "7\n", "and holds the limit");
        ok(wh_read_at(AT_FDCWD, at(at(mount_pids, path), "/cgroup.procs"), value, sizeof value - 1) > 0,
           "it has processes");
    } else {
        skip("the pids controller is not on v1");
        skip("the same");
        skip("the same");
    }
    is_int(wh_cgroup_populated(&cg), 1, "populated");
    is_int(wh_cgroup_pids(&cg, &pids, &n, &err), 0, "list");
    is_u64(n, 1, "one process");
    ok(n == 1 && pids[0] == a, "the right one");
    free(pids);

    plan_of(&again, path, -EBUSY, "a populated cgroup is refused");
    wh_cgroup_done(&again);

    mkdir(at(at(mount2, path), "/sub"), 0755);
    b = sleeper(at(at(mount2, path), "/sub/cgroup.procs"), true);
    is_int(wh_cgroup_pids(&cg, &pids, &n, &err), 0, "list with a sub-cgroup");
    is_u64(n, 2, "two processes");
    free(pids);

    is_int(wh_cgroup_freeze(&cg, true, 5000, &err), 0, "freeze: %s", err.msg);
    is_int(wh_cgroup_frozen(&cg), 1, "frozen");
    is_int(wh_cgroup_signal(&cg, SIGTERM, &err), 0, "signal while frozen");
    /* A signal makes a frozen process leave its trap for an instant. */
    is_int(wh_cg_wait_event(wh_cgroup_fd(&cg), "frozen", 1, wh_cg_now() + 5000), 0, "still frozen");
    is_int(wh_cgroup_freeze(&cg, false, 5000, &err), 0, "thaw: %s", err.msg);
    is_int(status_of(a), SIGTERM, "one dies of SIGTERM");
    is_int(wh_cgroup_populated(&cg), 1, "the stubborn one lives");

    is_int(wh_cgroup_load(&again, after.data, after.len, &err), 0, "load: %s", err.msg);
    is_u64(again.two.made, 3, "remembers what was made");
    ok(again.two.fd >= 0, "has it open");
    is_int(wh_cgroup_freeze(&again, true, 5000, &err), 0, "freeze again");
    is_int(wh_cgroup_kill(&again, 5000, &err), 0, "kill a frozen cgroup: %s", err.msg);
    is_int(status_of(b), SIGKILL, "the stubborn one was killed");
    is_int(wh_cgroup_populated(&again), 0, "nobody is left");
    is_int(wh_cgroup_remove(&again, 5000, &err), 0, "remove: %s", err.msg);
    ok(!there(at(mount2, base)), "with the parents that were made");
    ok(!mount_pids[0] || !there(at(mount_pids, base)), "also on v1");
    is_int(wh_cgroup_remove(&again, 5000, &err), 0, "removing again is no error");
    is_int(wh_cgroup_remove(&cg, 5000, &err), 0, "nor by another handle: %s", err.msg);
    wh_cgroup_done(&again);

    /* Crash before the state file was written: the journal's text has no identity. */
    is_int(wh_cgroup_make(&cg, &err), 0, "make again: %s", err.msg);
    a = sleeper(at(at(mount2, path), "/cgroup.procs"), true);
    is_int(wh_cgroup_load(&again, before.data, before.len, &err), 0, "load the journal's text");
    is_int(wh_cgroup_remove(&again, 5000, &err), 0, "remove kills by itself: %s", err.msg);
    is_int(status_of(a), SIGKILL, "it did");
    ok(!there(at(mount2, base)), "nothing is left");
    wh_cgroup_done(&again);
    wh_cgroup_done(&cg);

    /* The name belongs to somebody else by now. */
    mkdir(at(mount2, base), 0755);
    snprintf(value, sizeof value, "%s/x", base);
    mkdir(at(mount2, value), 0755);
    mkdir(at(mount2, path), 0755);
    a = sleeper(at(at(mount2, path), "/cgroup.procs"), false);
    is_int(wh_cgroup_load(&again, after.data, after.len, &err), 0, "load a text whose cgroup was replaced");
    is_int(wh_cgroup_fd(&again), -1, "it is not opened");
    is_int(wh_cgroup_kill(&again, 100, &err), 0, "kill");
    is_int(wh_cgroup_remove(&again, 100, &err), 0, "and remove");
    is_int(waitpid(a, NULL, WNOHANG), 0, "leave it alone");
    ok(there(at(mount2, path)), "entirely");
    wh_cgroup_done(&again);
    kill(a, SIGKILL);
    status_of(a);
    rmdir(at(mount2, path));
    rmdir(at(mount2, value));
    rmdir(at(mount2, base));
}

static void test_parents(void)
{
    struct wh_cgroup one, two;
    struct wh_err err = { 0 };
    char p1[128], p2[128];

    snprintf(p1, sizeof p1, "%s/p/c1", base);
    snprintf(p2, sizeof p2, "%s/p/c2", base);
    plan_of(&one, p1, 0, "first of two siblings");
    is_int(wh_cgroup_make(&one, &err), 0, "make the first");
    plan_of(&two, p2, 0, "second");
    is_int(wh_cgroup_make(&two, &err), 0, "make the second");
    is_u64(two.two.made, 1, "its parents were there");
    is_int(wh_cgroup_remove(&one, 1000, &err), 0, "remove the one that made the parents");
    ok(there(at(mount2, p2)), "its sibling stays");
    is_int(wh_cgroup_remove(&two, 1000, &err), 0, "remove the sibling");
    ok(!there(at(mount2, base)), "and the parents go with the last one");
    ok(!mount_pids[0] || !there(at(mount_pids, base)), "also on v1");
    wh_cgroup_done(&one);
    wh_cgroup_done(&two);

    mkdir(at(mount2, base), 0755);
    plan_of(&one, p1, 0, "below a parent that was there");
    is_int(wh_cgroup_make(&one, &err), 0, "make");
    is_int(wh_cgroup_remove(&one, 1000, &err), 0, "remove");
    ok(there(at(mount2, base)), "it stays");
    wh_cgroup_done(&one);

    plan_of(&one, p1, 0, "plan");
    put(at(at(mount2, base), "/cgroup.freeze"), "1");
    plan_of(&two, p1, -EBUSY, "below a frozen parent");
    wh_cgroup_done(&two);
    put(at(at(mount2, base), "/cgroup.freeze"), "0");
    mkdir(at(at(mount2, base), "/p"), 0755);
    mkdir(at(mount2, p1), 0755);
    put(at(at(mount2, p1), "/cgroup.freeze"), "1");
    plan_of(&two, p1, -EBUSY, "a frozen cgroup");
    wh_cgroup_done(&two);
    put(at(at(mount2, p1), "/cgroup.freeze"), "0");
    plan_of(&two, p1, 0, "an empty one is adopted");
    ok(two.two.fd >= 0 && two.two.made == 1, "and is ours from here on");
    is_int(wh_cgroup_make(&one, &err), -EBUSY, "made by somebody else between plan and make: refused");
    has_str(err.msg, "make cgroup", "the message says what");
    is_int(wh_cgroup_remove(&two, 1000, NULL), 0, "remove the adopted one");
    ok(!there(at(mount2, p1)), "it is gone");
    wh_cgroup_done(&one);
    wh_cgroup_done(&two);
    rmdir(at(at(mount2, base), "/p"));
    rmdir(at(mount2, base));
}

static void test_deep(void)
{
    struct wh_cgroup cg;
    struct wh_err err = { 0 };
    char path[128];
    int fd, n;

    snprintf(path, sizeof path, "%s-deep", base);
    plan_of(&cg, path, 0, "a payload that nests");
    is_int(wh_cgroup_make(&cg, &err), 0, "make");
    fd = dup(wh_cgroup_fd(&cg));
    for (n = 0; n < 300; n++) {
        int sub;

        mkdirat(fd, "w1", 0755);
        mkdirat(fd, "w2", 0755);
        if (mkdirat(fd, "d", 0755) < 0 || (sub = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
            break;
        close(fd);
        fd = sub;
    }
    close(fd);
    is_int(n, 300, "300 levels deep");
    is_int(wh_cgroup_remove(&cg, 10000, &err), 0, "remove: %s", err.msg);
    ok(!there(at(mount2, path)), "all gone");
    wh_cgroup_done(&cg);
}

static int cgroup_device(const char *path, const char *device)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        put(path, "0");
        _exit(open(device, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
    }
    status = status_of(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_devices(void)
{
    struct wh_cgroup cg;
    struct wh_err err = { 0 };
    struct wh_facts facts = { .cgroup2_mount = mount2 };
    char path[128], procs[512];
    const struct wh_step *failed = NULL;

    snprintf(path, sizeof path, "%s-dev", base);
    snprintf(procs, sizeof procs, "%s%s/cgroup.procs", mount2, path);
    for (int round = 0; round < 3; round++) {
        wh_cgroup_init(&cg);
        plan_new();
        str_end = sizeof blob.data;
        add_create(path);
        add_bpf(round == 1); /* deny, allow, deny */
        is_int(wh_cgroup_plan(&cg, (void *)blob.data, &facts, &err), 0, "plan");
        is_int(wh_cgroup_make(&cg, &err), 0, "make");
        ok(cg.two.fresh == (round == 0), "fresh in the first round only");
        if (round < 2)
            wh_cgroup_preload(&cg, (void *)blob.data);
        ok((cg.devices_fd >= 0) == (round < 2), "loaded ahead, or not");
        if (!is_int(wh_cgroup_apply(&cg, (void *)blob.data, &failed, &err), 0, "device program: %s", err.msg))
            break;
        is_int(cgroup_device(procs, "/dev/null"), round == 1 ? 0 : EPERM,
               "the program decides, and replaces the one before");
        if (round < 2)
            wh_cgroup_done(&cg);
    }
    is_int(wh_cgroup_remove(&cg, 1000, &err), 0, "remove");
    wh_cgroup_done(&cg);

    wh_cgroup_init(&cg);
    plan_new();
    str_end = sizeof blob.data;
    add_create(path);
    add_write("unified", "cgroup.max.depth", "rubbish");
    memset(&err, 0, sizeof err);
    is_int(wh_cgroup_plan(&cg, (void *)blob.data, &facts, &err), 0, "plan");
    is_int(wh_cgroup_make(&cg, &err), 0, "make");
    is_int(wh_cgroup_apply(&cg, (void *)blob.data, &failed, &err), -EINVAL, "a value that the kernel refuses");
    has_str(err.msg, "write \"rubbish\" to cgroup.max.depth of cgroup ", "value and file are named");
    has_str(err.msg, ": invalid argument", "and the kernel's answer");
    ok(failed && failed->op == WH_OP_CG_WRITE, "and the step");
    is_int(wh_cgroup_remove(&cg, 1000, &err), 0, "remove");
    wh_cgroup_done(&cg);
}

static void test_enable(void)
{
    struct wh_cgroup cg;
    struct wh_err err = { 0 };
    struct wh_facts facts = { .cgroup2_mount = mount2 };
    char path[128], have[512], file[600];
    const char *name;

    if (wh_read_at(AT_FDCWD, at(mount2, "/cgroup.controllers"), have, sizeof have - 1) < 2) {
        skip("no controller on cgroup2");
        return;
    }
    have[strcspn(have, " \n")] = '\0';
    name = have;
    snprintf(file, sizeof file, "%s.anything", name);
    snprintf(path, sizeof path, "%s/e/c", base);
    wh_cgroup_init(&cg);
    plan_new();
    str_end = sizeof blob.data;
    add_create(path);
    add_write("unified", file, "1");
    add_write("unified", file, "2");
    add_write("unified", "cpu.pressure", "some 150000 1000000");
    add_write("unified", "cgroup.max.depth", "3");
    is_int(wh_cgroup_plan(&cg, (void *)blob.data, &facts, &err), 0, "plan");
    is_str(cg.enable, name, "wants the controller, once");
    is_int(wh_cgroup_make(&cg, &err), 0, "make: %s", err.msg);
    ok(wh_read_at(cg.two.fd, "cgroup.controllers", file, sizeof file - 1) > 0, "has controllers");
    has_str(file, name, "the wanted one");
    is_int(wh_cgroup_remove(&cg, 1000, &err), 0, "remove");
    wh_cgroup_done(&cg);

    wh_cgroup_init(&cg);
    plan_new();
    add_create(path);
    add_write("unified", "nonsense.max", "1");
    is_int(wh_cgroup_plan(&cg, (void *)blob.data, &facts, &err), 0, "plan with a controller that does not exist");
    is_int(wh_cgroup_make(&cg, &err) < 0, 1, "is refused by make");
    has_str(err.msg, "+nonsense", "naming it");
    ok(!there(at(mount2, base)), "and nothing is left");
    wh_cgroup_done(&cg);
}

int main(void)
{
    int fds = fd_count();

    test_paths();
    test_load_damaged();
    test_none();
    test_write();
    find_mounts();
    snprintf(base, sizeof base, "/wherry-unit-%d", (int)getpid());
    if (!mount2[0] || mkdir(at(mount2, base), 0755) < 0) {
        skip("no cgroup2 that this process may write");
    } else {
        rmdir(at(mount2, base));
        test_life();
        test_parents();
        test_deep();
        test_devices();
        test_enable();
    }
    is_int(fd_count(), fds, "no file descriptor is left open");
    return done_testing();
}
