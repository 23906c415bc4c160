/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every command of the library with its k-th call into the C library failing, for all k: it succeeds, or says in one line why it does not; it leaves
 * no descriptor, and create and run leave no container. What was said is one of the lines of said.txt, with numbers as #, our directory as DIR and a cgroup as
 * CGROUP:
 * a text that changes is noticed here, however seldom the kernel makes us say it. WHERRY_SAID=FILE writes what was said to FILE.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "wrap.h"

#include "tap.h"
#include "wherry.h"

static char dir[64], bundle[96], root[96], sock[96], pid_file[96];
static int out_fd = -1;
static const char *base_config;

#include "said-text.h"

/* ---- the commands ---- */

static wherry_ctx *ctx;
static char id[32] = "said";

/* The error of the command that is tried. 0, or 1: it failed and said so. */
static int said(int r, wherry_error *const *error)
{
    wherry_error *e;

    wrap_armed = false;
    if (r >= 0)
        return 0;
    e = *error;
    if (!e || !*wherry_error_text(e)) {
        char text[128];

        snprintf(text, sizeof text, "FAILS WITHOUT A WORD: after %s, %d", wrap_name, r);
        tell(text);
        return 1;
    }
    for (const wherry_error *at = e; at; at = wherry_error_next(at))
        tell(wherry_error_text(at));
    wherry_error_free(e);
    return 1;
}

static struct wherry_create_opts options(const char *config)
{
    return (struct wherry_create_opts){ .size = sizeof(struct wherry_create_opts),
                                        .bundle = bundle,
                                        .config_data = config,
                                        .config_len = strlen(config),
                                        .path = "/usr/bin:/bin" };
}

static void made(void)
{
    struct wherry_create_opts o = options(base_config);
    wherry_error *e = NULL;

    if (wherry_create(ctx, id, &o, &e) < 0)
        tell("SET-UP: create"), said(-1, &e);
}

static void started(void)
{
    wherry_error *e = NULL;

    made();
    if (wherry_start(ctx, id, &e) < 0)
        tell("SET-UP: start"), said(-1, &e);
}

static void paused(void)
{
    started();
    wherry_pause(ctx, id, NULL);
}

static void nothing(void)
{
}

static int c_create(unsigned k, int err)
{
    struct wherry_create_opts o = options(base_config);
    wherry_error *e = NULL;

    o.pid_file = pid_file;
    o.pidfd_socket = sock;
    wrap_arm(k, err);
    return said(wherry_create(ctx, id, &o, &e), &e);
}

static int c_run(unsigned k, int err)
{
    struct wherry_create_opts o = options(base_config);
    wherry_error *e = NULL;
    int status;

    o.flags = WHERRY_CREATE_DETACH;
    wrap_arm(k, err);
    return said(wherry_run(ctx, id, &o, &status, &e), &e);
}

static int c_terminal(unsigned k, int err)
{
    static char text[8192];
    struct wherry_create_opts o;
    wherry_error *e = NULL;

    snprintf(text, sizeof text, "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":true,%s",
             strstr(base_config, "\"cwd\""));
    o = options(text);
    o.console_socket = sock;
    wrap_arm(k, err);
    return said(wherry_create(ctx, id, &o, &e), &e);
}

static int c_run_terminal(unsigned k, int err)
{
    static char text[8192];
    struct wherry_create_opts o;
    wherry_error *e = NULL;
    sigset_t set;
    int status, r;

    snprintf(text, sizeof text,
             "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":true,\"cwd\":\"/\",\"args\":[\"/bin/"
             "busybox\",\"true\"],%s",
             strstr(base_config, "\"oomScoreAdj\""));
    o = options(text);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    o.signal_fd = __real_signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    raise(SIGUSR1);
    wrap_arm(k, err);
    r = wherry_run(ctx, id, &o, &status, &e);
    wrap_armed = false;
    close(o.signal_fd);
    return said(r, &e);
}

static int c_start(unsigned k, int err)
{
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_start(ctx, id, &e), &e);
}

static int c_kill(unsigned k, int err)
{
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_kill(ctx, id, SIGURG, 0, &e), &e);
}

static int c_kill_all(unsigned k, int err)
{
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_kill(ctx, id, SIGURG, WHERRY_KILL_ALL, &e), &e);
}

static int c_pause(unsigned k, int err)
{
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_pause(ctx, id, &e), &e);
}

static int c_resume(unsigned k, int err)
{
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_resume(ctx, id, &e), &e);
}

static int c_delete(unsigned k, int err)
{
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_delete(ctx, id, WHERRY_DELETE_FORCE, &e), &e);
}

static int c_exec(unsigned k, int err)
{
    static const char *const args[] = { "/bin/busybox", "sleep", "1000", NULL };
    struct wherry_exec_opts x = {
        .size = sizeof x, .args = args, .flags = WHERRY_EXEC_DETACH, .pid_file = pid_file, .pidfd_socket = sock
    };
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_exec(ctx, id, &x, NULL, &e), &e);
}

static int c_exec_terminal(unsigned k, int err)
{
    static const char *const args[] = { "/bin/busybox", "sleep", "1000", NULL };
    struct wherry_exec_opts x = {
        .size = sizeof x, .args = args, .flags = WHERRY_EXEC_DETACH | WHERRY_EXEC_TTY, .console_socket = sock
    };
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_exec(ctx, id, &x, NULL, &e), &e);
}

static int c_update(unsigned k, int err)
{
    static const char object[] = "{\"pids\": {\"limit\": 90}}";
    struct wherry_update_opts u = {
        .size = sizeof u, .resources = "r.json", .resources_data = object, .resources_len = sizeof object - 1
    };
    wherry_error *e = NULL;

    wrap_arm(k, err);
    return said(wherry_update(ctx, id, &u, &e), &e);
}

static int c_ps(unsigned k, int err)
{
    struct wherry_ps_opts p = { .size = sizeof p, .path = "/usr/bin:/bin" };
    wherry_error *e = NULL;
    char *text = NULL;
    int r;

    wrap_arm(k, err);
    r = wherry_ps(ctx, id, &p, &text, &e);
    wherry_free(text);
    return said(r, &e);
}

static int c_stats(unsigned k, int err)
{
    wherry_error *e = NULL;
    char *text = NULL;
    int r;

    wrap_arm(k, err);
    r = wherry_stats(ctx, id, &text, &e);
    wherry_free(text);
    return said(r, &e);
}

static int enough(void *data, const char *json)
{
    (void)data;
    (void)json;
    return -ECANCELED;
}

static int c_events(unsigned k, int err)
{
    static const char *const triggers[] = { "memory=some:150ms/2s", NULL };
    struct wherry_events_opts o = { .size = sizeof o, .interval = "1ms", .triggers = triggers };
    wherry_error *e = NULL;
    int r;

    wrap_arm(k, err);
    r = wherry_events(ctx, id, &o, enough, NULL, &e);
    wrap_armed = false;
    return r == -ECANCELED ? (wherry_error_free(e), 0) : said(r, &e);
}

static int c_list(unsigned k, int err)
{
    wherry_container **list = NULL;
    wherry_error *e = NULL;
    char *json = NULL;
    int r;

    wrap_arm(k, err);
    r = wherry_list(ctx, &list, &e);
    if (r >= 0 && list[0])
        r = wherry_container_state(list[0], WHERRY_STATE_VERBOSE | WHERRY_STATE_OWNER, &json, &e);
    wherry_free(json);
    for (size_t i = 0; list && list[i]; i++)
        wherry_container_free(list[i]);
    wherry_free(list);
    return said(r, &e);
}

static int c_features(unsigned k, int err)
{
    wherry_error *e = NULL;
    char *text = NULL;
    int r;

    wrap_arm(k, err);
    r = wherry_features(ctx, &text, &e);
    wherry_free(text);
    return said(r, &e);
}

static int c_spec(unsigned k, int err)
{
    wherry_error *e = NULL;
    char *text = NULL;
    int r;

    wrap_arm(k, err);
    r = wherry_spec(ctx, 0, &text, &e);
    wherry_free(text);
    return said(r, &e);
}

static int c_explain(unsigned k, int err)
{
    struct wherry_create_opts o = options(base_config);
    wherry_error *e = NULL;
    char *text = NULL;
    int r;

    wrap_arm(k, err);
    r = wherry_explain(ctx, &o, 0, &text, &e);
    wherry_free(text);
    return said(r, &e);
}

static int c_check(unsigned k, int err)
{
    struct wherry_create_opts o = options(base_config);
    wherry_error *e = NULL;
    char *text = NULL;
    int r, worst;

    wrap_arm(k, err);
    r = wherry_check(ctx, &o, 0, &text, &worst, &e);
    wherry_free(text);
    return said(r, &e);
}

/* What doctor lacks once a call fails, and what is to be done about it. */
static int doctor(unsigned k, int err, uint32_t flags)
{
    wherry_error *e = NULL;
    char *text = NULL;
    int r, usable;

    wrap_arm(k, err);
    r = wherry_doctor(ctx, "/usr/bin:/bin", flags, &text, &usable, &e);
    wrap_armed = false;
    for (char *p = text, *nl; p && (nl = strchr(p, '\n')); p = nl + 1) {
        *nl = '\0';
        /* Below and behind the titles: what was seen, and what to do. */
        if (strncmp(p, "Containers ", 11) == 0)
            tell(p);
        else if (strncmp(p, "ok ", 3) != 0 && strncmp(p, "Linux ", 6) != 0 && strstr(p, ": "))
            tell(strstr(p, ": ") + 2);
    }
    wherry_free(text);
    return said(r, &e);
}

static int c_doctor(unsigned k, int err)
{
    return doctor(k, err, 0);
}

static int c_doctor_user(unsigned k, int err)
{
    return doctor(k, err, WHERRY_DOCTOR_ROOTLESS);
}

static const struct {
    const char *name;
    void (*before)(void);
    int (*command)(unsigned k, int err);
    bool root,
        gone; /* needs root; a failure leaves no container. A run that has started may: its undoing fails with the call. */
    int errors[4]; /* besides EIO */
} table[] = {
    { "create", nothing, c_create, true, true, { EPERM } },
    { "run -d", nothing, c_run, true, false },
    { "create with a terminal", nothing, c_terminal, true, true },
    { "run with a terminal", nothing, c_run_terminal, true, false },
    { "start", made, c_start, true, false },
    { "kill", started, c_kill, true, false },
    { "kill --all", started, c_kill_all, true, false },
    { "pause", started, c_pause, true, false },
    { "resume", paused, c_resume, true, false },
    { "delete -f", started, c_delete, true, false },
    { "exec", started, c_exec, true, false, { EPERM } },
    { "exec with a terminal", started, c_exec_terminal, true, false },
    { "update", started, c_update, true, false },
    { "ps", started, c_ps, true, false },
    { "stats", started, c_stats, true, false },
    { "events", started, c_events, true, false },
    { "list", made, c_list, true, false },
    { "list of nothing", nothing, c_list, false, false },
    { "features", nothing, c_features, false, false },
    { "spec", nothing, c_spec, false, false },
    { "explain", nothing, c_explain, false, false },
    { "check", nothing, c_check, false, false },
    { "doctor", nothing, c_doctor, true, false, { EPERM, ENOSYS, ENODEV } },
    { "doctor for an ordinary user", nothing, c_doctor_user, true, false, { EPERM, ENOSYS } },
};

/* What the command has left to us ends within a second; true when something lives on. */
static bool reap(void)
{
    for (int i = 0; i < 1000; i++) {
        long r = __real_syscall(SYS_wait4, -1, NULL, __WALL | WNOHANG, NULL);

        if (r < 0)
            return false;
        if (r == 0)
            __real_poll(NULL, 0, 5);
    }
    return true;
}

/* By a process of its own: the container's init does not end before its processes are reaped that are our children, those of exec. */
static void clear(void)
{
    pid_t pid = fork(), r = 0;

    if (pid == 0) {
        wherry_error *e = NULL;

        if (wherry_delete(ctx, id, WHERRY_DELETE_FORCE, &e) < 0) {
            tell("LEAVES A CONTAINER that cannot be deleted");
            said(-1, &e);
        }
        _exit(0);
    }
    while (r != pid && r >= 0) {
        r = (pid_t)__real_syscall(SYS_wait4, -1, NULL, __WALL, NULL);
    }
}

static unsigned attempt_k;

static void hangs(int sig)
{
    char text[128];
    int n = snprintf(text, sizeof text, "HANGS: call %u (%s)\n", attempt_k, wrap_name);

    (void)sig;
    (void)!__real_write(out_fd, text, (size_t)n);
    _exit(2);
}

/* In a process of its own: 0 when the k-th call was made and failed, 1 when there are not so many, else 2. */
static int attempt(size_t n, unsigned k, int err)
{
    struct wherry_ctx_opts opts = { .size = sizeof opts, .root = root, .log = on_log };
    unsigned fds;
    int r;

    attempt_k = k;
    signal(SIGALRM, hangs);
    alarm(20);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (wherry_ctx_new(&opts, &ctx, NULL) < 0)
        return 2;
    table[n].before();
    fds = fd_count();
    r = table[n].command(k, err);
    if (fd_count() != fds) {
        char text[128];

        snprintf(text, sizeof text, "LEAVES A DESCRIPTOR: %s, call %u (%s)", table[n].name, k, wrap_name);
        tell(text);
    }
    if (r == 1 && table[n].gone) {
        wherry_container *c = NULL;

        if (wherry_container_open(ctx, id, &c, NULL) != -ENOENT) {
            tell("LEAVES A CONTAINER");
            wherry_container_free(c);
        }
    }
    clear();
    wherry_ctx_free(ctx);
    if (reap()) {
        char text[128];

        snprintf(text, sizeof text, "LEAVES A PROCESS: %s, call %u (%s)", table[n].name, k, wrap_name);
        tell(text);
    }
    return wrap_fired ? 0 : 1;
}

/* Most attempts wait for what they have killed: some at the same time, each with a container of its own. */
#define SIDE_BY_SIDE 6

struct running {
    pid_t pid;
    int fd;
};

static struct running begin(size_t n, unsigned k, int err)
{
    struct running r = { .pid = -1, .fd = -1 };
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return r;
    r.pid = fork();
    if (r.pid == 0) {
        close(pair[0]);
        out_fd = pair[1];
        snprintf(id, sizeof id, "said-%zu-%u", n, k);
        _exit(attempt(n, k, err));
    }
    close(pair[1]);
    r.fd = pair[0];
    return r;
}

/* 0: all is well; 1: there are not so many calls; -1: it went wrong. */
static int end(const struct running *r, size_t n, unsigned k, int err)
{
    static char buf[65536];
    char *p = buf, *nl;
    size_t len = 0;
    ssize_t got;
    int status = 0, ret = 0;

    while (len < sizeof buf - 1 && (got = read(r->fd, buf + len, sizeof buf - 1 - len)) > 0)
        len += (size_t)got;
    buf[len] = '\0';
    close(r->fd);
    waitpid(r->pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 2) {
        diag("%s, call %u, %s: status %#x", table[n].name, k, strerror(err), (unsigned)status);
        ret = -1;
    } else {
        ret = WEXITSTATUS(status);
    }
    for (; (nl = strchr(p, '\n')); p = nl + 1) {
        *nl = '\0';
        if (strncmp(p, "LEAVES", 6) == 0 || strncmp(p, "HANGS", 5) == 0 || strncmp(p, "FAILS WITHOUT", 13) == 0 ||
            strncmp(p, "SET-UP", 6) == 0) {
            diag("%s, call %u, %s: %s", table[n].name, k, strerror(err), p);
            ret = ret == 1 ? 1 : -1;
            wrong++;
        } else {
            keep(p);
        }
    }
    return ret;
}

static void command(size_t n, int err)
{
    struct running r[SIDE_BY_SIDE];
    /* WHERRY_SAID_FROM=K: begins at that call, to look at one. */
    const char *from = getenv("WHERRY_SAID_FROM");
    unsigned first = from ? (unsigned)strtoul(from, NULL, 10) : 1, k, bad = wrong;
    bool more = true;

    for (k = first; more && k < 3000; k += SIDE_BY_SIDE) {
        for (unsigned i = 0; i < SIDE_BY_SIDE; i++)
            r[i] = begin(n, k + i, err);
        for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
            int e = end(&r[i], n, k + i, err);

            wrong += e < 0;
            more = more && e != 1;
        }
    }
    ok(wrong == bad && k > 5, "%s: each of its calls fails once, with %s", table[n].name, strerror(err));
}

/* ---- set-up ---- */

static void sibling(const char *name, char *ret, size_t size)
{
    snprintf(ret, size, "%s/%s", dir, name);
}

static bool set_up(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof dir, "%.40s/said-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return false;
    sibling("b", bundle, sizeof bundle);
    sibling("s", root, sizeof root);
    sibling("sock", sock, sizeof sock);
    sibling("pid", pid_file, sizeof pid_file);
    return true;
}

static char config_text[8192];

static bool make_bundle(void)
{
    char command_line[512];

    snprintf(command_line, sizeof command_line,
             "mkdir -p '%s/rootfs/bin' '%s/rootfs/proc' && cp /bin/busybox '%s/rootfs/bin/' && ln -s busybox "
             "'%s/rootfs/bin/sh'",
             bundle, bundle, bundle, bundle);
    snprintf(config_text, sizeof config_text,
             "{\"ociVersion\":\"1.0.2\",\"process\":{\"cwd\":\"/\",\"args\":[\"/bin/busybox\",\"sleep\",\"1000\"],"
             "\"oomScoreAdj\":500,\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4},\"scheduler\":{"
             "\"policy\":\"SCHED_BATCH\"},\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":0}],"
             "\"user\":{\"uid\":0,\"gid\":0}},\"root\":{\"path\":\"rootfs\"},\"hostname\":\"said\","
             "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
             "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\"]},"
             "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"newinstance\","
             "\"ptmxmode=0666\"]},{\"destination\":\"/m\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"rbind\","
             "\"idmap=uids=0-1000-1;gids=0-1000-1\"]}],"
             "\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/true\"}],\"createContainer\":[{\"path\":\"/bin/true\"}],"
             "\"startContainer\":[{\"path\":\"/bin/busybox\",\"args\":[\"true\"]}],"
             "\"poststart\":[{\"path\":\"/bin/true\"}],\"poststop\":[{\"path\":\"/bin/true\"}]},"
             "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
             "{\"type\":\"network\"},{\"type\":\"cgroup\"},{\"type\":\"time\"}],\"timeOffsets\":{\"monotonic\":{"
             "\"secs\":1}},"
             "\"resources\":{\"pids\":{\"limit\":100},\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
             "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":"
             "\"SCMP_ACT_ERRNO\"}]}}}",
             bundle);
    base_config = config_text;
    return system(command_line) == 0; /* NOLINT(cert-env33-c) */
}

static bool listener(void)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", sock);
    return fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 4096) == 0;
}

/* The lines of said.txt, and what was said without being one. */
static void compare(void)
{
    static char text[1 << 20];
    const char *file = getenv("WHERRY_SAID"), *path = "tests/fault/said.txt";
    unsigned unknown = 0, known = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text + 1, sizeof text - 2);

    text[0] = '\n';
    qsort(lines, nlines, sizeof *lines, order);
    if (file) {
        FILE *f = fopen(file, "we");

        for (size_t i = 0; f && i < nlines; i++)
            fprintf(f, "%s\n", lines[i]);
        if (f)
            fclose(f);
    }
    if (fd >= 0)
        close(fd);
    if (!ok(n > 0, "%s is there", path))
        return;
    for (size_t i = 0; i < nlines; i++) {
        /* Whether a killed process has ended in time is a matter of the machine's load. */
        const char *late = strstr(lines[i], "; process # was killed, but has not ended");
        char want[2100];

        snprintf(want, sizeof want, "\n%.*s\n", late ? (int)(late - lines[i]) : (int)strlen(lines[i]), lines[i]);
        if (strstr(text, want)) {
            known++;
        } else {
            unknown++;
            diag("not in %s: %s", path, lines[i]);
        }
    }
    /* Which call is the k-th differs a little from run to run on a busy machine, so that a few lines are new now and then: they are shown above.
     * Many mean that the list is out of date. */
    ok(unknown * 10 <= known, "what was said is in %s (%u lines, and %u that are not)", path, known, unknown);
}

int main(void)
{
    const char *only = getenv("WHERRY_SAID_ONLY");
    bool root_here = uname(&kernel) == 0 && geteuid() == 0 && access("/bin/busybox", X_OK) == 0;

    if (!set_up() || !make_bundle() || !listener()) {
        skip("no place for a bundle, or no static busybox");
        return done_testing();
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (only && strcmp(only, table[i].name) != 0)
            continue;
        if (table[i].root && !root_here) {
            skip("needs root and a static busybox");
            continue;
        }
        command(i, EIO);
        for (size_t e = 0; e < 4 && table[i].errors[e]; e++)
            command(i, table[i].errors[e]);
    }
    compare();
    {
        char command_line[128];

        snprintf(command_line, sizeof command_line, "rm -rf '%s'", dir);
        ok(system(command_line) == 0, "nothing is left"); /* NOLINT(cert-env33-c) */
    }
    return done_testing();
}
