/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of a cgroup that is not as it should be, in directories that stand for it: nobody may make one here,
 * and the kernel fails in few of these ways when asked. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/cgroup.h"
#include "host/cgroup/internal.h"
#include "host/cgroup/watch.h"
#include "init-plan.h"
#include "tap.h"

#define MOUNT "/sys/fs/cgroup"

static char top_path[64];
static int top = -1;
static struct wh_err err;

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void put(const char *name, const char *data)
{
    WH_CLEANUP_FD int fd = openat(top, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || wh_write_all(fd, data, strlen(data)) < 0)
        bail_out("no temporary file");
}

static void put_dir(const char *name)
{
    if (mkdirat(top, name, 0755) < 0)
        bail_out("no temporary directory");
}

static void fresh(void)
{
    wh_close(top);
    if (*top_path)
        wh_remove_tree_at(AT_FDCWD, top_path);
    strcpy(top_path, "/tmp/wherry-cg-said-XXXXXX");
    if (!mkdtemp(top_path))
        bail_out("no temporary directory");
    top = openat(AT_FDCWD, top_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The container's cgroup is the temporary directory. Nothing of it is freed: the texts are ours. */
static struct wh_cgroup box(void)
{
    struct wh_cgroup cg;

    wh_cgroup_init(&cg);
    cg.two.mount = text(MOUNT);
    cg.two.path = text("/box");
    cg.two.fd = top;
    return cg;
}

static void said(int r, int want, const char *words)
{
    is_int(r, want, "fails: %s", words);
    is_str(err.msg, words, "in these words");
    err = (struct wh_err){ 0 };
}

static void test_v1(void)
{
    struct wh_v1_hierarchy cpu = { .mountpoint = MOUNT "/cpu", .controllers = "cpu", .own = "/" };
    struct wh_facts none = { 0 }, one = { .v1 = &cpu, .nv1 = 1 };
    struct wh_cgroup cg = box();

    said(wh_cg_add_v1(&cg, "cpu", "/box", &none, &err), -EOPNOTSUPP,
         "cgroup controller cpu is not mounted on this host");
    for (cg.none = 0; cg.none < WH_CGROUP_V1_MAX; cg.none++)
        cg.one[cg.none].controller = text("other");
    said(wh_cg_add_v1(&cg, "cpu", "/box", &one, &err), -E2BIG, "more than 16 v1 cgroup hierarchies");
}

static void test_descend(void)
{
    struct wh_cgroup cg = box(), none;

    wh_cgroup_init(&none);
    said(wh_cgroup_descend(&none, "/sub", &err), -EOPNOTSUPP, "cgroup /sub: the container has no cgroup");
    said(wh_cgroup_descend(&cg, ":/sub", &err), -EINVAL, "cgroup :/sub names no controller");
    cg.one[0] = (struct wh_cgroup_dir){
        .controller = text("cpu"), .mount = text(MOUNT "/cpu"), .path = text("/box"), .fd = top, .mount_fd = -1
    };
    cg.none = 1;
    said(wh_cgroup_descend(&cg, "cpu:/sub", &err), -ENOENT,
         "open cgroup cpu:/sub of the container: no such file or directory");
}

static void test_freeze(void)
{
    struct wh_cgroup cg = box();

    put("cgroup.freeze", "0");
    put("cgroup.events", "populated 1\nfrozen 0\n");
    said(wh_cgroup_freeze(&cg, true, 1, &err), -ETIMEDOUT,
         "freeze cgroup /sys/fs/cgroup/box: not all of its processes stop (one is in an uninterruptible call); they go "
         "on");
    cg.two.fd = -1;
    said(wh_cgroup_freeze(&cg, true, 1, &err), -ENOENT, "cgroup not exist: /sys/fs/cgroup/box was removed");
}

static void test_plan(void)
{
    struct wh_facts none = { 0 };
    struct wh_cgroup cg;
    struct wh_plan *plan;

    tp_begin();
    ADD(CG_CREATE, cg_create, .path = STR("/box"));
    ADD(CLONE_B, clone_b, );
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("x"), .candidates = STRV("/x"));
    ADD(EXEC, exec, .args = STRV("x"), .env = NO_STRV);
    plan = tp_end(NULL);
    wh_cgroup_init(&cg);
    said(wh_cgroup_plan(&cg, plan, &none, &err), -EOPNOTSUPP, "cgroup2 is not mounted on this host");
    free(plan);
}

/* A plan of one step: CG_SUB, CG_LEAF or CG_OWNER. */
static struct wh_plan *payload(enum wh_op op, const char *path)
{
    tp_begin();
    if (op == WH_OP_CG_SUB)
        ADD(CG_SUB, cg_sub, .path = STR(path), .controllers = STR("cpu"));
    else if (op == WH_OP_CG_LEAF)
        ADD(CG_LEAF, cg_leaf, .path = STR(path));
    else
        ADD(CG_OWNER, cg_owner, .path = STR(path), .uid = 7);
    ADD(CLONE_B, clone_b, );
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("x"), .candidates = STRV("/x"));
    ADD(EXEC, exec, .args = STRV("x"), .env = NO_STRV);
    return tp_end(NULL);
}

static int taken(struct wh_cgroup *cg, enum wh_op op, const char *path)
{
    struct wh_plan *plan = payload(op, path);
    int r = wh_cg_payload_plan(cg, plan, wh_plan_first_host(plan), &err);

    free(plan);
    return r;
}

static int handed_over(const struct wh_cgroup *cg, enum wh_op op, const char *path)
{
    struct wh_plan *plan = payload(op, path);
    const struct wh_step *at;
    int r = wh_cg_payload_hand_over(cg, plan, &at, &err);

    free(plan);
    return r;
}

static void test_payload(void)
{
    struct wh_cgroup cg = box(), none;

    wh_cgroup_init(&none);
    said(taken(&none, WH_OP_CG_SUB, "/box/sub"), -EPROTO, "a cgroup below none");
    said(taken(&cg, WH_OP_CG_LEAF, "/box/sub/leaf"), -EPROTO, "a cgroup below none");
    said(taken(&cg, WH_OP_CG_SUB, "/other/sub"), -EPROTO, "cgroup /other/sub is not one below /box");
    said(taken(&cg, WH_OP_CG_SUB, "/box/.."), -EPROTO, "cgroup /box/.. is not one below /box");

    fresh();
    cg.two.fd = top;
    cg.sub = text("sub");
    put_dir("sub");
    said(wh_cg_payload_make(&cg, &err), -EEXIST, "make cgroup sub below cgroup /sys/fs/cgroup/box: file exists");
    cg.in_fd = top;
    cg.leaf = text("leaf");
    said(wh_cgroup_settle(&cg, getpid(), &err), -ENOENT,
         "open cgroup leaf below cgroup /sys/fs/cgroup/box: no such file or directory");
    put("cgroup.controllers", "cpu pids\n");
    put_dir("cgroup.subtree_control");
    said(handed_over(&cg, WH_OP_CG_SUB, "/box/sub"), -EISDIR,
         "write \"+cpu +pids\" to cgroup.subtree_control of cgroup /sys/fs/cgroup/box: is a directory");
    said(handed_over(&cg, WH_OP_CG_OWNER, "/other"), -EPROTO, "cgroup /other is not the container's");
    said(handed_over(&cg, WH_OP_CG_OWNER, "/box/gone"), -ENOENT,
         "give cgroup /sys/fs/cgroup/box/gone to uid 7: no such file or directory");
}

static void test_tree(void)
{
    struct wh_cgroup_dir dir = { .mount = top_path, .path = text("/a/b/c"), .mount_fd = top, .fd = -1 };
    char want[200];

    fresh();
    dir.mount_fd = top;
    said(wh_cg_enable(&dir, "cpu", &err), -ENOENT,
         "read cgroup.subtree_control of cgroup /: no such file or directory");
    put("a", "");
    snprintf(want, sizeof want, "open cgroup %s/a/b/c: not a directory", top_path);
    said(wh_cg_look(&dir, &err), -ENOTDIR, want);
}

static void test_triggers(void)
{
    struct wh_cgroup cg = box();
    struct wh_watch w = { .cg = &cg, .n = WH_WATCH_MAX };

    put("memory.pressure", "");
    said(wh_watch_trigger(&w, "memory=some:150ms/1s", &err), -E2BIG, "trigger memory=some:150ms/1s: too many triggers");
}

/* One that may load nothing. */
static void test_devices(void)
{
    int pair[2];
    char words[200] = "";
    pid_t pid;

    if (pipe2(pair, O_CLOEXEC) < 0)
        bail_out("no pipe");
    pid = fork();
    if (pid == 0) {
        static const uint64_t nothing[2];
        struct wh_err e = { 0 };

        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
            _exit(2);
        _exit(wh_cg_load_devices(nothing, sizeof nothing, &e) >= 0 ||
              write(pair[1], e.msg, strlen(e.msg)) != (ssize_t)strlen(e.msg));
    }
    wh_close(pair[1]);
    if (read(pair[0], words, sizeof words - 1) < 0)
        bail_out("no pipe");
    wh_close(pair[0]);
    waitpid(pid, NULL, 0);
    is_str(words, "load the device program (it needs CAP_BPF or CAP_SYS_ADMIN): operation not permitted",
           "a device program that may not be loaded");
}

int main(void)
{
    fresh();
    test_v1();
    test_descend();
    test_freeze();
    test_plan();
    test_payload();
    test_tree();
    test_triggers();
    test_devices();
    wh_remove_tree_at(AT_FDCWD, top_path);
    wh_close(top);
    return done_testing();
}
