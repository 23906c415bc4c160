/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library refuses before it looks at a container, what it reads from files, and how it filters ps(1): without root. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/control.c"
#include "base/fd.h"
#include "tap.h"

static char dir[64], root[80];
static wherry_ctx *ctx;

/* The text of an error, which is freed. */
static const char *text(wherry_error *e)
{
    static char buf[2048];

    snprintf(buf, sizeof buf, "%s", e ? wherry_error_text(e) : "(none)");
    wherry_error_free(e);
    return buf;
}

static int with_root(const char *path, enum wherry_cgroup_manager manager, enum wherry_rootless rootless,
                     wherry_error **ret)
{
    struct wherry_ctx_opts o = { .size = sizeof o, .root = path, .cgroup_manager = manager, .rootless = rootless };
    wherry_ctx *c = NULL;
    int r = wherry_ctx_new(&o, &c, ret);

    wherry_ctx_free(c);
    return r;
}

static void test_context(void)
{
    static const char *const slashes[] = { "/", "//", "/.", "/a/..", "/../" };
    struct {
        struct wherry_ctx_opts o;
        char more[64];
    } larger = { .o = { .size = sizeof larger, .root = "/r" } };
    struct wherry_ctx_opts small = { .size = 1 };
    wherry_error *e = NULL;
    wherry_ctx *c = NULL;

    is_int(with_root("/", 0, 0, &e), -EINVAL, "the root of all");
    is_str(text(e), "Option --root argument should not be set to /", "and why not");
    for (size_t i = 0; i < WH_ELEMENTSOF(slashes); i++)
        if (i < 2)
            ok(with_root(slashes[i], 0, 0, NULL) == -EINVAL, "as %s", slashes[i]);
    is_int(with_root("/r", (enum wherry_cgroup_manager)3, 0, &e), -EINVAL, "a manager that there is not");
    is_str(text(e), "unknown cgroup manager 3", "named");
    is_int(with_root("/r", 0, (enum wherry_rootless)3, &e), -EINVAL, "a mode that there is not");
    is_str(text(e), "unknown rootless mode 3", "named");
    is_int(wherry_ctx_new(&small, &c, &e), -EINVAL, "a struct that is too small");
    is_str(text(e), "option struct of 1 bytes", "its size");
    is_int(wherry_ctx_new(&larger.o, &c, &e), 0, "one of a later version, with nothing in it");
    is_str(wherry_ctx_root(c), "/r", "is understood");
    wherry_ctx_free(c);
    larger.more[63] = 1;
    is_int(wherry_ctx_new(&larger.o, &c, &e), -E2BIG, "and with something");
    is_str(text(e), "option struct sets a member that this library does not have", "is not");
}

static void test_no_container(void)
{
    static const struct {
        const char *id, *want;
    } ids[] = { { "c1", "container does not exist" } };
    struct wherry_update_opts u = {
        .size = sizeof u, .resources = "/none", .resources_data = "{}", .resources_len = 2
    };
    struct wherry_exec_opts x = { .size = sizeof x };
    wherry_container *c = NULL;
    wherry_error *e = NULL;
    int32_t *pids = NULL;
    size_t n = 0;

    for (size_t i = 0; i < WH_ELEMENTSOF(ids); i++) {
        is_int(wherry_start(ctx, ids[i].id, &e), -ENOENT, "start");
        has_str(text(e), ids[i].want, "why");
        is_int(wherry_kill(ctx, ids[i].id, 64, 0, &e), -ENOENT, "the last signal is one");
        has_str(text(e), ids[i].want, "why");
        is_int(wherry_pause(ctx, ids[i].id, &e), -ENOENT, "pause");
        has_str(text(e), ids[i].want, "why");
        is_int(wherry_resume(ctx, ids[i].id, &e), -ENOENT, "resume");
        has_str(text(e), ids[i].want, "why");
        is_int(wherry_delete(ctx, ids[i].id, 0, &e), -ENOENT, "delete");
        has_str(text(e), ids[i].want, "why");
        is_int(wherry_delete(ctx, ids[i].id, WHERRY_DELETE_FORCE, &e), 0, "which nobody minds with force");
        is_int(wherry_container_open(ctx, ids[i].id, &c, &e), -ENOENT, "open");
        has_str(text(e), ids[i].want, "why");
        is_int(wherry_pids(ctx, ids[i].id, &pids, &n, &e), -ENOENT, "pids");
        has_str(text(e), ids[i].want, "why");
        is_int(wherry_update(ctx, ids[i].id, &u, &e), -ENOENT, "update");
        has_str(text(e), ids[i].want, "why");
        x.args = (const char *const[]){ "x", NULL };
        is_int(wherry_exec(ctx, ids[i].id, &x, NULL, &e), -ENOENT, "exec");
        has_str(text(e), ids[i].want, "why");
    }
    is_int(wherry_kill(ctx, "c1", 65, 0, &e), -EINVAL, "no signal");
    is_str(text(e), "unknown signal \"65\"", "named");
    is_int(wherry_kill(ctx, "c1", -1, 0, &e), -EINVAL, "no signal");
    wherry_error_free(e);
}

static void test_flags(void)
{
    struct wherry_create_opts o = { .size = sizeof o };
    wherry_error *e = NULL;
    char *report = NULL;
    int worst;

    is_int(wherry_check(ctx, &o, 0x80, &report, &worst, &e), -EINVAL, "flags of check");
    is_str(text(e), "unknown flags 0x80 of wherry_check", "named");
    is_int(wherry_doctor(ctx, NULL, 0x80, &report, &worst, &e), -EINVAL, "flags of doctor");
    is_str(text(e), "unknown flags 0x80 of wherry_doctor", "named");
    o.preserve_fds = 1;
    o.listen_fds = 2;
    is_int(wherry_create(ctx, "c1", &o, &e), -EINVAL, "more to listen on than there are");
    is_str(text(e), "1 preserved fds, 2 of them to listen on", "said");
}

static int event(void *data, const char *json)
{
    (void)data;
    (void)json;
    return 0;
}

static void test_events(void)
{
    static const char *const bad[] = { "x", "1", "25d", "99999999h", "-1s" };
    struct wherry_events_opts o = { .size = sizeof o };
    wherry_error *e = NULL;

    for (size_t i = 0; i < WH_ELEMENTSOF(bad); i++) {
        char want[160];

        o.interval = bad[i];
        snprintf(want, sizeof want, "invalid interval \"%s\": want a duration of at most 24 days, such as 5s or 1m30s",
                 bad[i]);
        is_int(wherry_events(ctx, "c1", &o, event, NULL, &e), -EINVAL, "an interval that is none");
        is_str(text(e), want, "what it should be");
    }
    o.interval = "0s";
    is_int(wherry_events(ctx, "c1", &o, event, NULL, &e), -EINVAL, "no time at all");
    is_str(text(e), "duration interval must be greater than 0", "said");
}

/* ---- files ---- */

static int at = -1;

static void file(const char *name, off_t size)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, size) < 0)
        fail_test("%s", name);
    close(fd);
}

static void test_files(void)
{
    struct wh_err err = { 0 };
    struct wh_buf buf = { 0 };

    file("small", 3);
    is_int(wh_load_file(at, "small", 0, -1, &buf, &err), 0, "a file");
    is_int(buf.len, 3, "whole");
    wh_buf_done(&buf);
    is_int(wh_load_file(at, "none", 0, -1, &buf, &err), -ENOENT, "none");
    is_int(err.code, 0, "which the caller words");
    file("exact", WH_SPEC_MAX_BYTES);
    is_int(wh_load_file(at, "exact", 0, -1, &buf, &err), 0, "as large as may be");
    wh_buf_done(&buf);
    file("large", (off_t)WH_SPEC_MAX_BYTES + 1);
    is_int(wh_load_file(at, "large", 0, -1, &buf, &err), -EFBIG, "a byte more");
    has_str(err.msg, "large has ", "its size");
    has_str(err.msg, " bytes, more than ", "and the limit");
    mkdirat(at, "dir", 0700);
    err = (struct wh_err){ 0 };
    is_int(wh_load_file(at, "dir", 0, -1, &buf, &err), -EISDIR, "a directory");
    is_str(err.msg, "read dir: is a directory", "said");
    err = (struct wh_err){ 0 };
    is_int(wh_load_file(AT_FDCWD, "/dev/null", 0, -1, &buf, &err), -EINVAL, "a device");
    is_str(err.msg, "/dev/null is not a regular file but a device", "said");
    err = (struct wh_err){ 0 };
    if (symlinkat("small", at, "link") == 0)
        is_int(wh_load_file(at, "link", O_NOFOLLOW, -1, &buf, &err), -ELOOP, "a link, where none may be");
}

/* ---- ps ---- */

static const char *rows(const char *table, const pid_t *pids, size_t n, int *ret)
{
    static char out[1024];
    struct wh_err err = { 0 };
    struct wh_buf b = { 0 };

    wh_buf_puts(&b, table);
    *ret = keep_rows(&b, pids, n, &err);
    snprintf(out, sizeof out, "%s", *ret < 0 ? err.msg : b.data);
    wh_buf_done(&b);
    return out;
}

static void test_ps(void)
{
    static const pid_t pids[] = { 7, 42, 1000000 };
    int r;

    is_str(rows("USER   PID CMD\nroot     7 a\nroot    77 b\nme      42 c d\n", pids, 3, &r),
           "USER   PID CMD\nroot     7 a\nme      42 c d\n", "the rows of its processes");
    is_str(rows("  PID\n    7\n    8\n", pids, 3, &r), "  PID\n    7\n", "a column alone");
    is_str(rows("CMD      PID\na b c      7\na 7 8      8\n", pids, 3, &r), "CMD      PID\na b c      7\n",
           "blanks in a column before");
    is_str(rows("U   PID C\nu 1000000 x\n", pids, 3, &r), "U   PID C\nu 1000000 x\n",
           "a number that is wider than its column");
    is_str(rows("USER   PID CMD\nroot     7 a\n", pids, 0, &r), "USER   PID CMD\n", "of nothing the header");
    is_str(rows("USER CMD\nroot a\n", pids, 3, &r),
           "ps prints no column PID, and without it the rows of the container cannot be told (add one: -o pid,...)",
           "no column of pids");
    is_int(r, -EINVAL, "is an error");
}

static void test_run_ps(void)
{
    static const char *const args[] = { "--no-such-option-of-ps", NULL };
    struct wh_err err = { 0 };
    struct wh_buf b = { 0 };

    is_int(run_ps("/none", NULL, &b, &err), -ENOENT, "no ps");
    is_str(err.msg, "ps is not in $PATH (package procps): without a table, --format json needs none", "said");
    err = (struct wh_err){ 0 };
    is_int(run_ps("/usr/bin:/bin", args, &b, &err), -EINVAL, "options that it does not know");
    ok(strncmp(err.msg, "ps failed (exit status 1): ", 27) == 0, "with what it says: %s", err.msg);
    err = (struct wh_err){ 0 };
    is_int(run_ps("/usr/bin:/bin", NULL, &b, &err), 0, "a table");
    has_str(b.data, "PID", "of pids");
    wh_buf_done(&b);
}

int main(void)
{
    struct wherry_ctx_opts o = { .size = sizeof o, .root = root };
    const char *tmp = getenv("TMPDIR");
    char line[128];

    snprintf(dir, sizeof dir, "%.40s/api-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        bail_out("no temporary directory");
        return 1;
    }
    snprintf(root, sizeof root, "%s/root", dir);
    mkdir(root, 0700);
    at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (wherry_ctx_new(&o, &ctx, NULL) < 0)
        bail_out("no context");
    test_context();
    test_no_container();
    test_flags();
    test_events();
    test_files();
    test_ps();
    test_run_ps();
    wherry_ctx_free(ctx);
    close(at);
    snprintf(line, sizeof line, "rm -rf '%s'", dir);
    ok(system(line) == 0, "nothing is left"); /* NOLINT(cert-env33-c) */
    return done_testing();
}
