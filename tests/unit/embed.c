/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library inside another program: containers come and go, and the program keeps its descriptors, children, working directory, umask,
 * signal mask and environment. Needs root and a static busybox.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "tap.h"
#include "wherry.h"

static char dir[128], bundle[160], state[160];
static int dir_fd = -1;

static const char config[] =
    "{ \"ociVersion\": \"1.0.2\", \"root\": { \"path\": \"rootfs\" }, \"annotations\": { \"a\": \"b\" },"
    "  \"process\": { \"cwd\": \"/\", \"args\": [ \"/bin/busybox\", \"sh\", \"-c\", \"%s\" ], \"user\": { \"uid\": 0, "
    "\"gid\": 0 } },"
    "  \"mounts\": [ { \"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\" } ],"
    "  \"linux\": { \"namespaces\": [ { \"type\": \"pid\" }, { \"type\": \"mount\" }, { \"type\": \"ipc\" } ] } }";

struct outside {
    char fds[4096]; /* number, flags and what it is, of each: another one with the same number is no success */
    mode_t mask;
    sigset_t blocked;
    char cwd[256];
};

static void open_fds(char *text, size_t size)
{
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;
    size_t len = 0;

    while (d && (e = readdir(d)) && len < size - 300) {
        int fd = (int)strtol(e->d_name, NULL, 10);
        char target[256];
        ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target);

        if (e->d_name[0] != '.' && fd != dirfd(d) && n >= 0)
            len += (size_t)snprintf(text + len, size - len, "%d (%d) %.*s\n", fd, fcntl(fd, F_GETFD), (int)n, target);
    }
    if (d)
        closedir(d);
}

static void look(struct outside *o)
{
    memset(o, 0, sizeof *o);
    open_fds(o->fds, sizeof o->fds);
    o->mask = umask(0);
    umask(o->mask);
    sigprocmask(SIG_SETMASK, NULL, &o->blocked);
    if (!getcwd(o->cwd, sizeof o->cwd))
        o->cwd[0] = '\0';
}

/* How many children live; a container's init is one until it ends. */
static unsigned kids;

static void unchanged(const struct outside *before, const char *what)
{
    struct outside now;
    int status;

    look(&now);
    is_str(now.fds, before->fds, "%s: the same descriptors", what);
    ok(now.mask == before->mask && memcmp(&now.blocked, &before->blocked, sizeof now.blocked) == 0 &&
           strcmp(now.cwd, before->cwd) == 0,
       "%s: umask, signal mask and working directory as before", what);
    if (kids)
        is_int(syscall(SYS_wait4, -1, &status, __WALL | 1 /* WNOHANG */, NULL), 0, "%s: no dead child is left", what);
    else
        ok(syscall(SYS_wait4, -1, &status, __WALL | 1 /* WNOHANG */, NULL) < 0 && errno == ECHILD,
           "%s: no child is left", what);
}

static bool copy_busybox(void)
{
    int from = openat(AT_FDCWD, "/bin/busybox", O_RDONLY | O_CLOEXEC), to;
    char buf[65536];
    ssize_t n;

    if (from < 0)
        return false;
    to = openat(dir_fd, "b/rootfs/bin/busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    while ((n = read(from, buf, sizeof buf)) > 0)
        if (wh_write_all(to, buf, (size_t)n) < 0)
            break;
    close(from);
    close(to);
    return n == 0;
}

static struct wherry_create_opts script(const char *text)
{
    static char json[2048];
    struct wherry_create_opts o = { .size = sizeof o, .bundle = bundle };

    snprintf(json, sizeof json, config, text);
    o.config_data = json;
    o.config_len = strlen(json);
    return o;
}

static void test_life(wherry_ctx *ctx, const char *id)
{
    struct wherry_create_opts o = script("exec sleep 1000");
    wherry_container *c = NULL, **list = NULL;
    wherry_error *e = NULL;
    struct outside before;
    char *json = NULL;

    look(&before);
    if (!is_int(wherry_create(ctx, id, &o, &e), 0, "create"))
        diag("%s", wherry_error_text(e));
    is_int(wherry_create(ctx, id, &o, &e), -EEXIST, "not twice");
    is_str(wherry_error_message(e), "container with given ID already exists", "and why");
    wherry_error_free(e);
    is_int(wherry_container_open(ctx, id, &c, &e), 0, "open");
    is_str(wherry_container_status(c), "created", "created");
    wherry_container_free(c);
    is_int(wherry_start(ctx, id, &e), 0, "start");
    is_int(wherry_list(ctx, &list, &e), 0, "list");
    ok(list && list[0] && !list[1], "of one");
    is_str(wherry_container_status(list[0]), "running", "running");
    is_int(wherry_container_state(list[0], WHERRY_STATE_VERBOSE, &json, &e), 0, "state");
    has_str(json, "\"annotations\": {\n    \"a\": \"b\"\n  }", "with annotations");
    wherry_free(json);
    wherry_container_free(list[0]);
    wherry_free(list);
    is_int(wherry_delete(ctx, id, 0, &e), -EBUSY, "a running one is not deleted");
    wherry_error_free(e);
    is_int(wherry_kill(ctx, id, SIGKILL, 0, &e), 0, "kill");
    is_int(wherry_delete(ctx, id, WHERRY_DELETE_FORCE, &e), 0, "delete");
    is_int(wherry_container_open(ctx, id, &c, &e), -ENOENT, "gone");
    wherry_error_free(e);
    /* It was our child; nobody else reaps it. */
    while (syscall(SYS_wait4, -1, NULL, __WALL, NULL) > 0)
        ;
    unchanged(&before, "a life");
}

static void test_run(wherry_ctx *ctx, const char *id)
{
    struct wherry_create_opts o = script("exit 7");
    wherry_error *e = NULL;
    struct outside before;
    int status = -1, p[2];

    look(&before);
    is_int(wherry_run(ctx, id, &o, &status, &e), 0, "run");
    is_int(status, 7, "its status");
    unchanged(&before, "run");

    if (pipe2(p, O_CLOEXEC) < 0 || write(p[1], "", 1) != 1)
        bail_out("pipe");
    o = script("sleep 1000");
    o.cancel_fd = p[0];
    is_int(wherry_run(ctx, id, &o, &status, &e), -ECANCELED, "a run that is canceled");
    wherry_error_free(e);
    close(p[0]);
    close(p[1]);
    unchanged(&before, "canceled");
}

static void test_exec(wherry_ctx *ctx, const char *id)
{
    static const char *const args[] = { "/bin/busybox", "sh", "-c", "exit $N", NULL }, *const none[] = { "/none",
                                                                                                         NULL };
    static const char *const env[] = { "N=9", NULL }, *const sleeper[] = { "/bin/busybox", "sleep", "1000", NULL };
    static const char process[] = "{\"args\": [\"/none\"], \"cwd\": \"/\"}";
    struct wherry_create_opts o = script("sleep 1000");
    struct wherry_exec_opts x = { .size = sizeof x, .args = args, .env = env };
    wherry_error *e = NULL;
    struct outside before;
    int status = -1, p[2];

    is_int(wherry_create(ctx, id, &o, &e), 0, "a container for exec");
    is_int(wherry_start(ctx, id, &e), 0, "started");
    kids = 1;
    look(&before);
    is_int(wherry_exec(ctx, id, &x, &status, &e), 0, "exec");
    is_int(status, 9, "its status");
    unchanged(&before, "exec");

    x.args = none;
    is_int(wherry_exec(ctx, id, &x, &status, &e), -ENOENT, "exec of what is missing");
    ok(e && strstr(wherry_error_message(e), "/none") && *wherry_error_step(e), "names it, and the step");
    wherry_error_free(e);
    x = (struct wherry_exec_opts){ .size = sizeof x, .process_data = process, .process_len = sizeof process - 1 };
    is_int(wherry_exec(ctx, id, &x, &status, &e), -ENOENT, "exec of a process object");
    ok(e && strncmp(wherry_error_path(e), "process.json: /", 15) == 0, "names the place in it");
    wherry_error_free(e);
    unchanged(&before, "an exec that failed");

    if (pipe2(p, O_CLOEXEC) < 0 || write(p[1], "", 1) != 1)
        bail_out("pipe");
    x = (struct wherry_exec_opts){ .size = sizeof x, .args = sleeper, .cancel_fd = p[0] };
    is_int(wherry_exec(ctx, id, &x, &status, &e), -ECANCELED, "an exec that is canceled");
    wherry_error_free(e);
    close(p[0]);
    close(p[1]);
    unchanged(&before, "an exec that was canceled");
    x = (struct wherry_exec_opts){ .size = sizeof x };
    is_int(wherry_exec(ctx, id, &x, &status, &e), -EINVAL, "an exec of nothing");
    wherry_error_free(e);

    is_int(wherry_delete(ctx, id, WHERRY_DELETE_FORCE, &e), 0, "and deleted");
    kids = 0;
    while (syscall(SYS_wait4, -1, NULL, __WALL, NULL) > 0)
        ;
}

static void test_failures(wherry_ctx *ctx, const char *id)
{
    struct wherry_create_opts o = script("true");
    wherry_error *e = NULL;
    struct outside before;
    char longer[sizeof o + 16] = { 0 };
    size_t size = sizeof longer;

    look(&before);
    o.config_data = "{ \"ociVersion\": 1 }";
    o.config_len = strlen(o.config_data);
    ok(wherry_create(ctx, id, &o, &e) < 0, "a configuration that is wrong");
    has_str(wherry_error_path(e), "/ociVersion", "is told with its place");
    wherry_error_free(e);
    o = script("true");
    o.bundle = "/nonexistent";
    is_int(wherry_create(ctx, id, &o, &e), -ENOENT, "a bundle that is not there");
    wherry_error_free(e);
    o = script("true");
    o.preserve_fds = 500;
    is_int(wherry_create(ctx, id, &o, &e), -EBADF, "a preserved fd that is closed");
    has_str(wherry_error_text(e), "unable to stat preserved-fd", "in runc's words");
    wherry_error_free(e);
    o = script("true");
    memcpy(longer, &o, sizeof o);
    memcpy(longer, &size, sizeof size);
    is_int(wherry_create(ctx, id, (void *)longer, &e), 0, "options of a newer caller that asks for nothing new");
    is_int(wherry_delete(ctx, id, WHERRY_DELETE_FORCE, &e), 0, "delete");
    longer[sizeof o] = 1;
    is_int(wherry_create(ctx, id, (void *)longer, &e), -E2BIG, "and of one that does");
    wherry_error_free(e);
    while (syscall(SYS_wait4, -1, NULL, __WALL, NULL) > 0)
        ;
    unchanged(&before, "failures");
}

/* ---- kinds of failure: each leaves the program as it was, with no child of its own and no container ---- */

static const char kinds_of_config[] = "{ \"ociVersion\": \"1.0.2\", %s \"linux\": { %s \"namespaces\": [ { \"type\": "
                                      "\"pid\" }, { \"type\": \"mount\" }, { \"type\": \"ipc\" } %s ] } }";
#define ROOT "\"root\": { \"path\": \"rootfs\" }, "
#define PROCESS(args) "\"process\": { \"cwd\": \"/\", \"args\": [ " args " ], \"user\": { \"uid\": 0, \"gid\": 0 } }, "
#define TRUE_ "\"/bin/busybox\", \"true\""
#define HOOK(kind, path) "\"hooks\": { \"" kind "\": [ { \"path\": \"" path "\" } ] }, "
#define MOUNT(type, source)                                                                                            \
    "\"mounts\": [ { \"destination\": \"/m\", \"type\": \"" type "\", \"source\": \"" source                           \
    "\", \"options\": [ \"rbind\" ] } ], "

static const struct {
    const char *what, *members, *of_linux, *namespaces;
} broken[] = {
    { "a property that is missing", ROOT PROCESS(""), "", "" },
    { "a rootfs that is not there", "\"root\": { \"path\": \"none\" }, " PROCESS(TRUE_), "", "" },
    { "a rootfs that is a file", "\"root\": { \"path\": \"rootfs/bin/busybox\" }, " PROCESS(TRUE_), "", "" },
    { "a program that is not there", ROOT PROCESS("\"/none\""), "", "" },
    { "a bind of what is not there", ROOT PROCESS(TRUE_) MOUNT("bind", "/none"), "", "" },
    { "a file system that the kernel does not know",
      ROOT PROCESS(TRUE_) "\"mounts\": [ { \"destination\": \"/m\", "
                          "\"type\": \"nonefs\", \"source\": \"none\" } ], ",
      "", "" },
    { "a prestart hook that fails", ROOT PROCESS(TRUE_) HOOK("prestart", "/bin/false"), "", "" },
    { "a createRuntime hook that fails", ROOT PROCESS(TRUE_) HOOK("createRuntime", "/bin/false"), "", "" },
    { "a createRuntime hook that is not there", ROOT PROCESS(TRUE_) HOOK("createRuntime", "/none"), "", "" },
    { "a createRuntime hook that takes too long",
      ROOT PROCESS(TRUE_) "\"hooks\": { \"createRuntime\": [ { \"path\": "
                          "\"/bin/busybox\", \"args\": [ \"sleep\", \"1000\" ], \"timeout\": 1 } ] }, ",
      "", "" },
    { "a createContainer hook that fails", ROOT PROCESS(TRUE_) HOOK("createContainer", "/bin/false"), "", "" },
    { "a createContainer hook that is not there", ROOT PROCESS(TRUE_) HOOK("createContainer", "/none"), "", "" },
    { "a startContainer hook that fails",
      ROOT PROCESS(TRUE_) "\"hooks\": { \"startContainer\": [ { \"path\": "
                          "\"/bin/busybox\", \"args\": [ \"false\" ] } ] }, ",
      "", "" },
    { "a startContainer hook that is not there", ROOT PROCESS(TRUE_) HOOK("startContainer", "/none"), "", "" },
    { "a namespace that is not there", ROOT PROCESS(TRUE_), "", ", { \"type\": \"network\", \"path\": \"/none\" }" },
    { "a file that is no namespace", ROOT PROCESS(TRUE_), "", ", { \"type\": \"network\", \"path\": \"/dev/null\" }" },
    { "a sysctl that the kernel does not know", ROOT PROCESS(TRUE_), "\"sysctl\": { \"net.none\": \"1\" }, ",
      ", { \"type\": \"network\" }" },
    { "a seccomp agent that is not there", ROOT PROCESS(TRUE_),
      "\"seccomp\": { \"defaultAction\": \"SCMP_ACT_ALLOW\", "
      "\"listenerPath\": \"/none\", \"syscalls\": [ { \"names\": [ \"mkdir\" ], \"action\": \"SCMP_ACT_NOTIFY\" } ] "
      "}, ",
      "" },
};

static struct wherry_create_opts broken_opts(size_t n)
{
    static char json[4096];
    struct wherry_create_opts o = { .size = sizeof o, .bundle = bundle };

    snprintf(json, sizeof json, kinds_of_config, broken[n].members, broken[n].of_linux, broken[n].namespaces);
    o.config_data = json;
    o.config_len = strlen(json);
    return o;
}

static void fails(int r, const char *what, wherry_error **e)
{
    ok(r < 0 && *e && *wherry_error_text(*e), "%s: an error that says something", what);
    if (r < 0)
        diag("%s", wherry_error_text(*e));
    wherry_error_free(*e);
    *e = NULL;
}

static void test_broken(wherry_ctx *ctx, const char *id)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct wherry_create_opts o = broken_opts(i);
        wherry_container *c = NULL;
        wherry_error *e = NULL;
        struct outside before;
        int status, r;

        look(&before);
        fails(wherry_run(ctx, id, &o, &status, &e), broken[i].what, &e);
        unchanged(&before, broken[i].what);
        is_int(wherry_container_open(ctx, id, &c, NULL), -ENOENT, "%s: no container", broken[i].what);
        /* In two steps, where the first may do. */
        r = wherry_create(ctx, id, &o, &e);
        if (r == 0) {
            fails(wherry_start(ctx, id, &e), broken[i].what, &e);
            wherry_delete(ctx, id, WHERRY_DELETE_FORCE, NULL);
            while (syscall(SYS_wait4, -1, NULL, __WALL, NULL) > 0)
                ;
        } else {
            fails(r, broken[i].what, &e);
        }
        unchanged(&before, broken[i].what);
    }
}

static void test_options(wherry_ctx *ctx, const char *id)
{
    struct wherry_create_opts good = script("sleep 1000"), o;
    wherry_error *e = NULL;
    struct outside before;
    int status, p[2];

    if (pipe2(p, O_CLOEXEC) < 0 || write(p[1], "", 1) != 1)
        bail_out("pipe");
    look(&before);
#define TRIED(what, field, value)                                                                                      \
    o = good;                                                                                                          \
    o.field = value;                                                                                                   \
    fails(wherry_create(ctx, id, &o, &e), what, &e);                                                                   \
    unchanged(&before, what);                                                                                          \
    fails(wherry_run(ctx, id, &o, &status, &e), what, &e);                                                             \
    unchanged(&before, what)
    TRIED("a canceled create", cancel_fd, p[0]);
    TRIED("a pid file in no directory", pid_file, "/none/pid");
    TRIED("a socket for the pidfd that is not there", pidfd_socket, "/none");
    TRIED("a console socket without a terminal", console_socket, "/none");
    TRIED("a configuration that is not there", config_data, NULL);
    TRIED("preserved descriptors that are closed", preserve_fds, 400);
    close(p[0]);
    close(p[1]);
}

static int no_events(void *data, const char *json)
{
    (void)data;
    (void)json;
    return -ECANCELED;
}

/* Every command, for a container that is not there and for what is no name of one. */
static void test_nobody(wherry_ctx *ctx)
{
    static const char *const ids[] = { "embed-nobody", "../x", "" }, *const args[] = { "/bin/true", NULL };

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct wherry_update_opts u = { .size = sizeof u, .resources_data = "{}", .resources_len = 2 };
        struct wherry_exec_opts x = { .size = sizeof x, .args = args };
        struct wherry_events_opts v = { .size = sizeof v };
        struct wherry_ps_opts s = { .size = sizeof s, .path = "/bin:/usr/bin" };
        wherry_container *c = NULL;
        wherry_error *e = NULL;
        struct outside before;
        char *text = NULL;
        int32_t *pids = NULL;
        size_t n = 0;
        int status;

        look(&before);
#define NOBODY(call)                                                                                                   \
    fails(call, #call, &e);                                                                                            \
    unchanged(&before, #call)
        NOBODY(wherry_container_open(ctx, ids[i], &c, &e));
        NOBODY(wherry_start(ctx, ids[i], &e));
        NOBODY(wherry_exec(ctx, ids[i], &x, &status, &e));
        NOBODY(wherry_kill(ctx, ids[i], SIGTERM, 0, &e));
        NOBODY(wherry_kill(ctx, ids[i], SIGTERM, WHERRY_KILL_ALL, &e));
        NOBODY(wherry_pause(ctx, ids[i], &e));
        NOBODY(wherry_resume(ctx, ids[i], &e));
        NOBODY(wherry_update(ctx, ids[i], &u, &e));
        NOBODY(wherry_delete(ctx, ids[i], 0, &e));
        NOBODY(wherry_pids(ctx, ids[i], &pids, &n, &e));
        NOBODY(wherry_ps(ctx, ids[i], &s, &text, &e));
        NOBODY(wherry_stats(ctx, ids[i], &text, &e));
        NOBODY(wherry_events(ctx, ids[i], &v, no_events, NULL, &e));
    }
}

static void reap_all(int sig)
{
    int saved = errno;

    (void)sig;
    while (syscall(SYS_wait4, -1, NULL, 1 /* WNOHANG */, NULL) > 0)
        ;
    errno = saved;
}

/* A program that reaps whatever dies: the exit status is lost, and nothing else. */
static void test_reaper(wherry_ctx *ctx, const char *id)
{
    struct sigaction sa = { .sa_handler = reap_all }, old;
    struct wherry_create_opts o = script("exec sleep 1000");
    wherry_error *e = NULL;
    struct outside before;
    int status = -1, r;

    look(&before);
    sigaction(SIGCHLD, &sa, &old);
    is_int(wherry_create(ctx, id, &o, &e), 0, "create beside a handler that reaps everything");
    is_int(wherry_start(ctx, id, &e), 0, "start");
    is_int(wherry_delete(ctx, id, WHERRY_DELETE_FORCE, &e), 0, "delete");
    o = script("exit 7");
    r = wherry_run(ctx, id, &o, &status, &e);
    ok((r == 0 && status == 7) || r == -ECHILD, "run tells the status, or that it does not know it");
    wherry_error_free(e);
    e = NULL;
    o = script("true");
    o.config_data = "{";
    o.config_len = 1;
    ok(wherry_create(ctx, id, &o, &e) < 0, "a create that fails");
    wherry_error_free(e);
    sigaction(SIGCHLD, &old, NULL);
    unchanged(&before, "a reaper");
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    struct wherry_ctx_opts co = { .size = sizeof co };
    wherry_error *e = NULL;
    wherry_ctx *ctx = NULL;
    char id[64];

    if (geteuid() != 0) {
        skip("needs root");
        return done_testing();
    }
    snprintf(dir, sizeof dir, "%s/wherry-embed-%d", tmp ? tmp : "/tmp", (int)getpid());
    snprintf(bundle, sizeof bundle, "%s/b", dir);
    snprintf(state, sizeof state, "%s/state", dir);
    snprintf(id, sizeof id, "embed-%d", (int)getpid());
    if (mkdirat(AT_FDCWD, dir, 0755) < 0)
        bail_out("no temporary directory");
    dir_fd = openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdirat(dir_fd, "b", 0755);
    mkdirat(dir_fd, "b/rootfs", 0755);
    mkdirat(dir_fd, "b/rootfs/bin", 0755);
    mkdirat(dir_fd, "b/rootfs/proc", 0755);
    mkdirat(dir_fd, "b/rootfs/dev", 0755);
    if (!copy_busybox())
        skip("needs /bin/busybox");
    else {
        co.root = state;
        co.cgroup_manager = WHERRY_CGROUP_DISABLED;
        is_int(wherry_ctx_new(&co, &ctx, &e), 0, "context");
        test_life(ctx, id);
        test_run(ctx, id);
        test_exec(ctx, id);
        test_failures(ctx, id);
        test_broken(ctx, id);
        test_options(ctx, id);
        test_nobody(ctx);
        test_reaper(ctx, id);
        wherry_ctx_free(ctx);
        co.root = "/";
        ok(wherry_ctx_new(&co, &ctx, &e) < 0, "/ is no state root");
        wherry_error_free(e);
    }
    wh_remove_tree_at(AT_FDCWD, dir);
    close(dir_fd);
    return done_testing();
}
