/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program as a whole, with a library in its place that only tells what it was asked for: each verb's options, its exit status, what it prints,
 * and every message of its own. Needs no root and no container.
 */
#undef main
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

int cli_main(int argc, char **argv);

/* ---- the library ---- */

struct wherry_error {
    const char *text;
};
struct wherry_container {
    int n;
};

static int fake_result, fake_status; /* of every call, and of what it ran */
static const char *fake_text; /* of the error, or of the document */
static bool fake_twin;
static struct wherry_error fake_error;
static char fake_ctx;

__attribute__((format(printf, 1, 2))) static void told(const char *fmt, ...)
{
    char line[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    (void)!write(9, line, strlen(line));
}

static int result(wherry_error **reterr)
{
    if (fake_result < 0 && fake_text) {
        fake_error.text = fake_text;
        *reterr = &fake_error;
    }
    return fake_result;
}

static int document(char **ret, wherry_error **reterr)
{
    if (fake_result >= 0)
        *ret = strdup(fake_text ? fake_text : "");
    return result(reterr);
}

static const char *or_none(const char *s)
{
    return s ? s : "-";
}

const char *wherry_error_text(const wherry_error *e)
{
    return e->text;
}
const wherry_error *wherry_error_next(const wherry_error *e)
{
    (void)e;
    return NULL;
}
void wherry_error_free(wherry_error *e)
{
    (void)e;
}
void wherry_free(void *p)
{
    free(p);
}
int wherry_ctx_new(const struct wherry_ctx_opts *o, wherry_ctx **ret, wherry_error **reterr)
{
    (void)reterr;
    told("ctx root=%s manager=%d rootless=%d bus=%s; ", o->root, (int)o->cgroup_manager, (int)o->rootless,
         or_none(o->user_bus));
    *ret = (wherry_ctx *)(void *)&fake_ctx;
    return 0;
}
void wherry_ctx_free(wherry_ctx *ctx)
{
    (void)ctx;
}
static void told_create(const char *verb, const char *id, const struct wherry_create_opts *o)
{
    told("%s %s bundle=%s config=%s console=%s pidfd=%s pid-file=%s fds=%u listen=%u flags=%#x signals=%d cancel=%d",
         verb, id, or_none(o->bundle), or_none(o->config), or_none(o->console_socket), or_none(o->pidfd_socket),
         or_none(o->pid_file), o->preserve_fds, o->listen_fds, o->flags, o->signal_fd > 0, o->cancel_fd > 0);
}
int wherry_create(wherry_ctx *ctx, const char *id, const struct wherry_create_opts *o, wherry_error **reterr)
{
    (void)ctx;
    told_create("create", id, o);
    return result(reterr);
}
int wherry_run(wherry_ctx *ctx, const char *id, const struct wherry_create_opts *o, int *ret_status,
               wherry_error **reterr)
{
    (void)ctx;
    told_create("run", id, o);
    *ret_status = fake_status;
    return result(reterr);
}
int wherry_explain(wherry_ctx *ctx, const struct wherry_create_opts *o, uint32_t flags, char **ret,
                   wherry_error **reterr)
{
    (void)ctx;
    told_create("explain", "-", o);
    told(" %u", flags);
    return document(ret, reterr);
}
int wherry_check(wherry_ctx *ctx, const struct wherry_create_opts *o, uint32_t flags, char **ret, int *ret_worst,
                 wherry_error **reterr)
{
    (void)ctx;
    told("check config=%s flags=%u", or_none(o->config), flags);
    *ret_worst = fake_status;
    return document(ret, reterr);
}
int wherry_doctor(wherry_ctx *ctx, const char *path, uint32_t flags, char **ret, int *ret_usable, wherry_error **reterr)
{
    (void)ctx;
    told("doctor path=%d flags=%u", path != NULL, flags);
    *ret_usable = fake_status == 0;
    return document(ret, reterr);
}
int wherry_start(wherry_ctx *ctx, const char *id, wherry_error **reterr)
{
    (void)ctx;
    told("start %s", id);
    return result(reterr);
}
int wherry_exec(wherry_ctx *ctx, const char *id, const struct wherry_exec_opts *o, int *ret_status,
                wherry_error **reterr)
{
    (void)ctx;
    told("exec %s process=%s arg0=%s cwd=%s user=%s gids=%zu flags=%#x signals=%d cancel=%d", id, or_none(o->process),
         o->args ? o->args[0] : "-", or_none(o->cwd), or_none(o->user), o->nadditional_gids, o->flags, o->signal_fd > 0,
         o->cancel_fd > 0);
    *ret_status = fake_status;
    return result(reterr);
}
int wherry_kill(wherry_ctx *ctx, const char *id, int sig, uint32_t flags, wherry_error **reterr)
{
    (void)ctx;
    told("kill %s %d %u", id, sig, flags);
    return result(reterr);
}
int wherry_signal_number(const char *name)
{
    return strcmp(name, "HUP") == 0 ? 1 : -EINVAL;
}
int wherry_pause(wherry_ctx *ctx, const char *id, wherry_error **reterr)
{
    (void)ctx;
    told("pause %s", id);
    return result(reterr);
}
int wherry_resume(wherry_ctx *ctx, const char *id, wherry_error **reterr)
{
    (void)ctx;
    told("resume %s", id);
    return result(reterr);
}
int wherry_update(wherry_ctx *ctx, const char *id, const struct wherry_update_opts *o, wherry_error **reterr)
{
    (void)ctx;
    told("update %s %s %.*s", id, o->resources, (int)o->resources_len,
         o->resources_data ? (const char *)o->resources_data : "");
    return result(reterr);
}
int wherry_delete(wherry_ctx *ctx, const char *id, uint32_t flags, wherry_error **reterr)
{
    (void)ctx;
    told("delete %s %u; ", id, flags);
    return result(reterr);
}
int wherry_container_open(wherry_ctx *ctx, const char *id, wherry_container **ret, wherry_error **reterr)
{
    (void)ctx;
    told("open %s; ", id);
    *ret = NULL;
    return result(reterr);
}
void wherry_container_free(wherry_container *c)
{
    (void)c;
}
static struct wherry_container boxes[2] = { { 0 }, { 1 } };
const char *wherry_container_id(const wherry_container *c)
{
    return c->n ? "two" : "one";
}
int wherry_container_pid(const wherry_container *c)
{
    return c->n ? 0 : 4711;
}
const char *wherry_container_status(const wherry_container *c)
{
    return c->n ? "stopped" : "running";
}
const char *wherry_container_bundle(const wherry_container *c)
{
    return c->n ? "/a/bundle" : "/b";
}
const char *wherry_container_created(const wherry_container *c)
{
    (void)c;
    return "2026-01-01T00:00:00Z";
}
const char *wherry_container_owner(const wherry_container *c)
{
    (void)c;
    return "root";
}
int wherry_container_state(const wherry_container *c, uint32_t flags, char **ret, wherry_error **reterr)
{
    (void)c;
    told("state %u; ", flags);
    return document(ret, reterr);
}
int wherry_list(wherry_ctx *ctx, wherry_container ***ret, wherry_error **reterr)
{
    (void)ctx;
    told("list; ");
    *ret = calloc(3, sizeof **ret);
    (*ret)[0] = &boxes[0];
    (*ret)[1] = &boxes[1];
    (void)reterr;
    return 0;
}
int wherry_pids(wherry_ctx *ctx, const char *id, int32_t **ret, size_t *ret_n, wherry_error **reterr)
{
    (void)ctx;
    told("pids %s", id);
    *ret_n = fake_status > 0 ? 2 : 0;
    *ret = calloc(2, sizeof **ret);
    (*ret)[0] = 7;
    (*ret)[1] = 9;
    return result(reterr);
}
int wherry_ps(wherry_ctx *ctx, const char *id, const struct wherry_ps_opts *o, char **ret, wherry_error **reterr)
{
    (void)ctx;
    told("ps %s %s", id, o->args ? o->args[0] : "-");
    return document(ret, reterr);
}
int wherry_features(wherry_ctx *ctx, char **ret, wherry_error **reterr)
{
    (void)ctx;
    told("features");
    return document(ret, reterr);
}
int wherry_spec(wherry_ctx *ctx, uint32_t flags, char **ret, wherry_error **reterr)
{
    (void)ctx;
    told("spec %u", flags);
    return document(ret, reterr);
}
int wherry_stats(wherry_ctx *ctx, const char *id, char **ret, wherry_error **reterr)
{
    (void)ctx;
    told("stats %s", id);
    return document(ret, reterr);
}
int wherry_events(wherry_ctx *ctx, const char *id, const struct wherry_events_opts *o, wherry_event_fn fn, void *data,
                  wherry_error **reterr)
{
    (void)ctx;
    told("events %s %s %s", id, or_none(o->interval), o->triggers ? o->triggers[0] : "-");
    fn(data, "{}");
    return result(reterr);
}
const char *wherry_version(void)
{
    return "9.8.7";
}
const char *wherry_spec_version(void)
{
    return "1.3.0";
}
const char *wherry_build_features(void)
{
    return "+NOTHING";
}
bool wherry_twin_needed(void)
{
    return fake_twin;
}
void wherry_twin_lost(void)
{
    told("lost\n");
}

/* ---- a run of the program ---- */

static char dir[64];
static struct {
    int status;
    char out[8192], err[8192], calls[8192];
} got;

static void take(int fd, char *buf, size_t size)
{
    size_t len = 0;
    ssize_t n;

    while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
        len += (size_t)n;
    buf[len] = '\0';
    close(fd);
}

static void (*in_child)(void);

/* Words with one blank between; "@" is our directory. */
static void run(const char *line)
{
    char text[1024], *argv[32] = { (char *)"wherry" }, *save = NULL;
    int out[2], err[2], calls[2], status = 0, argc = 1;
    size_t n = 0;
    pid_t pid;

    for (const char *p = line; *p && n + sizeof dir < sizeof text; p++)
        if (*p == '@')
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", dir);
        else
            text[n++] = *p;
    text[n] = '\0';
    for (char *w = strtok_r(text, " ", &save); w && argc < 31; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || pipe2(calls, O_CLOEXEC) < 0)
        bail_out("pipe");
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        dup2(null, 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        dup2(calls[1], 9);
        for (int fd = 3; fd < 40; fd++)
            if (fd != 9)
                close(fd);
        if (in_child)
            in_child();
        _exit(cli_main(argc, argv));
    }
    close(out[1]);
    close(err[1]);
    close(calls[1]);
    take(out[0], got.out, sizeof got.out);
    take(err[0], got.err, sizeof got.err);
    take(calls[0], got.calls, sizeof got.calls);
    waitpid(pid, &status, 0);
    got.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
    in_child = NULL;
}

/* ---- what is asked of the library ---- */

static void test_calls(void)
{
    static const struct {
        const char *line, *calls;
    } t[] = {
        { "--root /r create c1", "ctx root=/r manager=0 rootless=0 bus=-; create c1 bundle=- config=- console=- "
                                 "pidfd=- pid-file=- fds=0 listen=0 "
                                 "flags=0 signals=0 cancel=1" },
        { "--root /r --systemd-cgroup --rootless=true create -b /b -f x.json --console-socket /s --pidfd-socket /p "
          "--pid-file /f --no-pivot --no-new-keyring --init c1",
          "ctx root=/r manager=1 rootless=1 bus=-; create c1 bundle=/b config=x.json console=/s pidfd=/p pid-file=/f "
          "fds=0 "
          "listen=0 flags=0x23 signals=0 cancel=1" },
        { "--root /r --cgroup-manager disabled --rootless=0 run c1",
          "ctx root=/r manager=2 rootless=2 bus=-; run c1 bundle=- config=- console=- pidfd=- pid-file=- fds=0 "
          "listen=0 "
          "flags=0 signals=1 cancel=0" },
        { "--root /r run -d --keep --no-subreaper c1", "ctx root=/r manager=0 rootless=0 bus=-; run c1 bundle=- "
                                                       "config=- console=- pidfd=- pid-file=- fds=0 listen=0 "
                                                       "flags=0x1c signals=0 cancel=1" },
        { "--root /a/../r// start c1", "ctx root=/r manager=0 rootless=0 bus=-; start c1" },
        { "--root /r kill c1", "ctx root=/r manager=0 rootless=0 bus=-; kill c1 15 0" },
        { "--root /r kill -a c1 HUP", "ctx root=/r manager=0 rootless=0 bus=-; kill c1 1 1" },
        { "--root /r delete c1", "ctx root=/r manager=0 rootless=0 bus=-; delete c1 0; " },
        { "--root /r delete --force c1", "ctx root=/r manager=0 rootless=0 bus=-; delete c1 1; " },
        { "--root /r kill --regex t.*", "ctx root=/r manager=0 rootless=0 bus=-; list; kill two 15 0" },
        { "--root /r delete --regex .", "ctx root=/r manager=0 rootless=0 bus=-; list; delete one 0; delete two 0; " },
        { "--root /r pause c1", "ctx root=/r manager=0 rootless=0 bus=-; pause c1" },
        { "--root /r resume c1", "ctx root=/r manager=0 rootless=0 bus=-; resume c1" },
        { "--root /r state c1", "ctx root=/r manager=0 rootless=0 bus=-; open c1; state 0; " },
        { "--root /r exec -d -t --cwd /w --user 1:2 -g 3 -g 4 --no-new-privs --ignore-paused c1 sh -c x",
          "ctx root=/r manager=0 rootless=0 bus=-; exec c1 process=- arg0=sh cwd=/w user=1:2 gids=2 flags=0xf "
          "signals=0 "
          "cancel=1" },
        { "--root /r exec -p /p.json c1", "ctx root=/r manager=0 rootless=0 bus=-; exec c1 process=/p.json arg0=- "
                                          "cwd=- user=- gids=0 flags=0 signals=1 "
                                          "cancel=1" },
        { "--root /r update --memory 64k --memory-swap -1 --pids-limit 9 --cpuset-cpus 0-1 c1",
          "ctx root=/r manager=0 rootless=0 bus=-; update c1 options {\"cpu\": {\"cpus\": \"0-1\"}, \"memory\": "
          "{\"limit\": "
          "65536, \"swap\": -1}, \"pids\": {\"limit\": 9}}" },
        { "--root /r update --memory 1GiB --memory-reservation 12 c1",
          "ctx root=/r manager=0 rootless=0 bus=-; update c1 options {\"memory\": {\"limit\": 1073741824, "
          "\"reservation\": "
          "12}}" },
        { "--root /r update -r /x.json c1", "ctx root=/r manager=0 rootless=0 bus=-; update c1 /x.json " },
        { "--root /r update -r - c1", "ctx root=/r manager=0 rootless=0 bus=-; update c1 stdin " },
        { "--root /r ps c1 -o pid", "ctx root=/r manager=0 rootless=0 bus=-; ps c1 -o" },
        { "--root /r ps -f json c1", "ctx root=/r manager=0 rootless=0 bus=-; pids c1" },
        { "--root /r events c1", "ctx root=/r manager=0 rootless=0 bus=-; events c1 5s -" },
        { "--root /r events --no-stats --trigger cpu=some:1ms/1s c1",
          "ctx root=/r manager=0 rootless=0 bus=-; events c1 - cpu=some:1ms/1s" },
        { "--root /r events --stats c1", "ctx root=/r manager=0 rootless=0 bus=-; stats c1" },
        { "--root /r check --strict", "ctx root=/r manager=0 rootless=0 bus=-; check config=- flags=2" },
        { "--root /r check --format json -f c.json",
          "ctx root=/r manager=0 rootless=0 bus=-; check config=c.json flags=1" },
        { "--root /r doctor --rootless", "ctx root=/r manager=0 rootless=0 bus=-; doctor path=1 flags=2" },
        { "--root /r doctor --json", "ctx root=/r manager=0 rootless=0 bus=-; doctor path=1 flags=1" },
        { "--root /r features", "ctx root=/r manager=0 rootless=0 bus=-; features" },
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        run(t[i].line);
        is_str(got.calls, t[i].calls, "wherry %s", t[i].line);
        is_int(got.status, 0, "succeeds");
        is_str(got.err, "", "in silence");
    }
}

static void test_statuses(void)
{
    static const struct {
        const char *line;
        int result, status, want;
    } t[] = {
        { "--root /r create c1", -EIO, 0, 1 },
        { "--root /r run c1", 0, 7, 7 },
        { "--root /r run c1", 0, 137, 137 },
        { "--root /r run -d c1", 0, 7, 0 },
        { "--root /r run c1", -EIO, 0, 1 },
        { "--root /r exec c1 x", 0, 7, 7 },
        { "--root /r exec -d c1 x", 0, 7, 0 },
        { "--root /r exec c1 x", -EIO, 0, 255 },
        { "--root /r exec -p p c1 x", 0, 0, 0 },
        { "--root /r exec -g x c1 y", 0, 0, 255 },
        { "--root /r check", 0, 0, 0 },
        { "--root /r check", 0, 1, 1 },
        { "--root /r check", 0, 2, 2 },
        { "--root /r check", -EIO, 0, 2 },
        { "--root /r check --none", 0, 0, 2 },
        { "--root /r check x", 0, 0, 2 },
        { "--root / check", 0, 0, 2 },
        { "--root /r doctor", 0, 0, 0 },
        { "--root /r doctor", 0, 1, 1 },
        { "--root /r doctor", -EIO, 0, 1 },
        { "--root /r state c1", -ENOENT, 0, 1 },
        { "--root /r list", 0, 0, 1 },
        { "--root /r events c1", -EIO, 0, 1 },
        { "--root /r update c1", -EIO, 0, 1 },
        { "--root /r delete --regex .", -EIO, 0, 1 },
        { "--root /r kill c1 NONE", 0, 0, 1 },
        { "", 0, 0, 0 },
        { "--version", 0, 0, 0 },
        { "--help", 0, 0, 0 },
        { "create --help", 0, 0, 0 },
        { "nothing", 0, 0, 1 },
        { "help nothing", 0, 0, 1 },
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        fake_result = t[i].result;
        fake_status = t[i].status;
        run(t[i].line);
        is_int(got.status, t[i].want, "wherry %s: the library says %d and %d", t[i].line, t[i].result, t[i].status);
    }
    fake_result = fake_status = 0;
}

/* ---- what is said ---- */

static void small_pipe(void)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    dup2(full, 1);
}

static void a_directory(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    dup2(fd, 0);
}

static void no_descriptors(void)
{
    struct rlimit l = { 10, 10 };

    /* The program under test tells us on 9. */
    for (int fd = 3; fd < 9; fd++)
        dup2(0, fd);
    setrlimit(RLIMIT_NOFILE, &l);
}

static void twin(void)
{
    fake_twin = true;
    setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x", 1);
}

static void listening(void)
{
    char pid[32];

    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "x", 1);
}

static void gone_cwd(void)
{
    char path[96];

    snprintf(path, sizeof path, "%s/gone", dir);
    if (mkdir(path, 0700) < 0 || chdir(path) < 0 || rmdir(path) < 0)
        _exit(99);
}

static void endless(void)
{
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    dup2(fd, 0);
}

static void own_runtime_dir(void)
{
    setenv("XDG_RUNTIME_DIR", "/proc/none", 1);
    setenv("USER", "me", 1);
}

static void test_messages(void)
{
    static const struct {
        void (*before)(void);
        const char *line, *err;
    } t[] = {
        { NULL, "--root /r nothing", "wherry: unknown command \"nothing\" (`wherry --help` lists them)\n" },
        { NULL, "help nothing", "wherry: no help topic for \"nothing\"\n" },
        { NULL, "--root / state c1", "wherry: Option --root argument should not be set to /\n" },
        { NULL, "--root /a/.. state c1", "wherry: Option --root argument should not be set to /\n" },
        { NULL, "--cgroup-manager x state c1",
          "wherry: invalid cgroup-manager: x (want cgroupfs, systemd or disabled)\n" },
        { NULL, "--rootless=x state c1", "wherry: invalid rootless: x (want true, false or auto)\n" },
        { NULL, "--log-format x state c1", "wherry: invalid log-format: x (want text or json)\n" },
        { NULL, "--log-level x state c1", "wherry: invalid log-level: x (want error, warning, info or debug)\n" },
        { NULL, "--log /none/x state c1", "wherry: open log file /none/x: no such file or directory\n" },
        { NULL, "--none", "wherry: flag provided but not defined: -none\n" },
        { NULL, "--root", "wherry: flag needs an argument: --root\n" },
        { NULL, "--debug=x", "wherry: invalid value \"x\" for flag --debug: want true or false\n" },
        { NULL, "create --preserve-fds x c1", "wherry: invalid value \"x\" for flag --preserve-fds: want a number\n" },
        { NULL, "create --preserve-fds 4294967296 c1",
          "wherry: invalid value \"4294967296\" for flag --preserve-fds: value out of range\n" },
        { NULL, "state", "wherry: \"state\" requires exactly 1 argument(s)\n" },
        { NULL, "exec", "wherry: \"exec\" requires a minimum of 1 argument(s)\n" },
        { NULL, "kill a b c", "wherry: \"kill\" requires a maximum of 2 argument(s)\n" },
        { NULL, "--root /r kill c1 NONE", "wherry: unknown signal \"NONE\"\n" },
        { NULL, "--root /r kill --regex (", "wherry: invalid regular expression \"(\": Unmatched ( or \\(\n" },
        { NULL, "--root @/none list", "wherry: open @/none: no such file or directory\n" },
        { NULL, "--root /r list --format x", "wherry: invalid format option: x (want table or json)\n" },
        { NULL, "--root /r ps --format x c1", "wherry: invalid format option: x (want table or json)\n" },
        { NULL, "--root /r check --format x", "wherry: invalid format option: x (want text or json)\n" },
        { NULL, "--root /r events --stats --no-stats c1",
          "wherry: --stats prints one record and ends: --no-stats has no place beside it\n" },
        { NULL, "--root /r events --stats --trigger x c1",
          "wherry: --stats prints one record and ends: --trigger has no place beside it\n" },
        { NULL, "--root /r events --no-stats --interval 1s c1",
          "wherry: --interval and --no-stats contradict each other\n" },
        { NULL, "--root /r exec -g x c1 y", "wherry: exec failed: bad gid \"x\" in additional gids\n" },
        { NULL, "--root /r exec --preserve-fds 2147483647 c1 y",
          "wherry: exec failed: --preserve-fds 2147483647 is more than a process can have\n" },
        { NULL, "--root /r create --preserve-fds 2 c1",
          "wherry: create failed: unable to stat preserved-fd 0 (of 2)\n" },
        { NULL, "--root /r update --memory x c1",
          "wherry: invalid value for memory: \"x\" is no size (12, 64m, 1g, -1)\n" },
        { NULL, "--root /r update --memory 99999999999999999999 c1",
          "wherry: invalid value for memory: \"99999999999999999999\" is out of range\n" },
        { NULL, "--root /r update --memory 8e c1", "wherry: invalid value for memory: \"8e\" is out of range\n" },
        { NULL, "--root /r update --pids-limit 09 c1",
          "wherry: invalid value for pids-limit: \"09\" is no whole number\n" },
        { a_directory, "--root /r update -r - c1", "wherry: read resources from stdin: is a directory\n" },
        { endless, "--root /r update -r - c1", "wherry: resources from stdin are larger than 16777216 bytes\n" },
        { small_pipe, "--root /r features", "wherry: write to standard output: no space left on device\n" },
        { no_descriptors, "--root /r create c1", "wherry: create failed: take over signals: too many open files\n" },
        { no_descriptors, "--root /r run c1", "wherry: run failed: take over signals: too many open files\n" },
        { no_descriptors, "--root /r exec c1 x", "wherry: exec failed: take over signals: too many open files\n" },
        { listening, "--root /r create c1",
          "wherry: create failed: LISTEN_FDS is \"x\", which is no number of descriptors\n" },
        { listening, "--root /r exec c1 x",
          "wherry: exec failed: LISTEN_FDS is \"x\", which is no number of descriptors\n" },
        { gone_cwd, "--root r state c1",
          "wherry: find the working directory for --root r: no such file or directory\n" },
        { NULL, "spec -b @/none", "wherry: open bundle @/none: no such file or directory\n" },
        { NULL, "spec -b /proc", "wherry: create config.json: no such file or directory\n" },
        { NULL, "spec -b @ -f there", "wherry: File there exists. Remove it first\n" },
    };
    char there[96];
    int fd;

    snprintf(there, sizeof there, "%s/there", dir);
    fd = open(there, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char want[1024];
        size_t n = 0;

        for (const char *p = t[i].err; *p && n + sizeof dir < sizeof want; p++)
            if (*p == '@')
                n += (size_t)snprintf(want + n, sizeof want - n, "%s", dir);
            else
                want[n++] = *p;
        want[n] = '\0';
        in_child = t[i].before;
        fake_text = "text";
        run(t[i].line);
        is_str(got.err, want, "wherry %s", t[i].line);
        ok(got.status != 0, "is a failure");
    }
    fake_text = NULL;
    in_child = twin;
    run("--root /r --systemd-cgroup create c1");
    ok(strstr(got.err, "the systemd cgroup manager needs a program that is not there or does not run: ") != NULL ||
           got.status != 0,
       "a twin that is not there, or is and fails");
    fake_result = -ELIBACC;
    fake_text = "this program cannot load libselinux";
    static const char *const verbs[] = { "create c1", "run c1", "exec c1 true", "check" };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        char line[64];
        const char *first;

        snprintf(line, sizeof line, "--root /r %s", verbs[i]);
        in_child = twin;
        run(line);
        first = strstr(got.calls, "lost\n");
        ok(first && strlen(first) > sizeof "lost\n" && !strstr(first + 1, "lost\n"),
           "%s: without the twin it is done once more, without libselinux", verbs[i]);
        has_str(got.err, "this program cannot load libselinux", "and what fails then is said");
    }
    fake_result = 0;
    fake_text = NULL;
    if (geteuid() != 0) {
        in_child = own_runtime_dir;
        run("create c1");
        has_str(got.err, "create the state directory /proc/none/wherry: ", "a runtime directory that is none");
    }
    unlink(there);
}

static void test_errors(void)
{
    fake_result = -ENOENT;
    run("--root /r state c1");
    is_str(got.err, "wherry: no such file or directory\n", "an error without words has those of its number");
    fake_text = "a\nb\033c";
    run("--root /r create c1");
    is_str(got.err, "wherry: create failed: a\\x0ab\\x1bc\n", "one line, whatever the library says");
    fake_text = "why";
    run("--root /r delete --regex .");
    is_str(got.err, "wherry: one: why\nwherry: two: why\n", "each container that failed, with its name");
    run("--root /r run c1");
    is_str(got.err, "wherry: run failed: why\n", "run");
    run("--root /r exec c1 x");
    is_str(got.err, "wherry: exec failed: why\n", "exec");
    fake_result = 0;
    fake_text = NULL;
}

static void test_documents(void)
{
    run("--version");
    ok(strncmp(got.out, "wherry version 9.8.7\n", 21) == 0, "the version is the first line");
    has_str(got.out, "spec: 1.3.0\n", "with that of the specification");
    run("--usage");
    is_str(got.out, "Usage: wherry [OPTIONS] COMMAND [COMMAND OPTIONS] [ID] [ARGS]\n", "a usage line");
    run("--root / list");
    is_str(got.out, "", "nothing on stdout of a failure");
    run("--root /proc list");
    is_str(got.out,
           "ID          PID         STATUS      BUNDLE      CREATED                OWNER\n"
           "one         4711        running     /b          2026-01-01T00:00:00Z   root\n"
           "two         0           stopped     /a/bundle   2026-01-01T00:00:00Z   root\n",
           "the table of list");
    run("--root /proc list -q");
    is_str(got.out, "one\ntwo\n", "ids alone");
    fake_text = "{}";
    run("--root /proc list -f json");
    is_str(got.out, "[{},{}]\n", "JSON");
    run("--root /proc events c1");
    is_str(got.out, "{}\n", "a record is a line");
    run("--root /r state c1");
    is_str(got.out, "{}\n", "a document ends its line");
    fake_status = 1;
    run("--root /r ps -f json c1");
    is_str(got.out, "[7,9]\n", "pids");
    fake_status = 0;
    run("--root /r ps -f json c1");
    is_str(got.out, "null\n", "of nothing");
    fake_text = NULL;
    run("state");
    ok(strncmp(got.out, "Incorrect Usage.\n\n", 18) == 0, "what a wrong number of operands prints on stdout");
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof dir, "%.40s/cli-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        bail_out("no temporary directory");
        return 1;
    }
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    unsetenv("NOTIFY_SOCKET");
    unsetenv("LISTEN_PID");
    /* Another process's: not ours. */
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", "1", 1);
    test_calls();
    test_statuses();
    test_messages();
    test_errors();
    test_documents();
    rmdir(dir);
    return done_testing();
}
