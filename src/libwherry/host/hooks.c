/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "host/apart.h"
#include "base/json-out.h"
#include "host/image.h"
#include "host/sigsys.h"
#include "host/spawn.h"
#include "host/waits.h"
#include "plan/annotations.h"

extern char **environ;

/* What of a hook's output goes into the message: its end, where the reason is. */
#define TAIL 300
/* Of that, escaped: two of them and the rest of the sentence fit into an error. */
#define SHOWN 340

struct tail {
    int fd;
    size_t len;
    bool cut;
    char text[TAIL + 1];
};

const char *wh_hook_name(uint32_t kind)
{
    static const char *const names[WH_HOOK_MAX] = { "prestart",       "createRuntime", "createContainer",
                                                    "startContainer", "poststart",     "poststop" };

    return kind < WH_HOOK_MAX ? names[kind] : "unknown";
}

bool wh_hooks_any(const struct wh_hook_entry *hooks, size_t n, uint32_t kind)
{
    for (size_t i = 0; i < n; i++)
        if (hooks[i].kind == kind)
            return true;
    return false;
}

static bool plan_strings(const struct wh_plan *plan, struct wh_vec vec, struct wh_arena *arena, struct wh_strv *ret)
{
    const wh_off *off = wh_plan_at(plan, vec.off);

    ret->n = vec.n;
    ret->v = wh_arena_new_array(arena, const char *, vec.n);
    for (uint32_t i = 0; ret->v && i < vec.n; i++)
        ret->v[i] = wh_plan_str(plan, off[i]);
    return ret->v;
}

int wh_hooks_of_plan(const struct wh_plan *plan, struct wh_arena *arena, struct wh_hook_entry **ret, size_t *ret_n)
{
    const struct wh_step *first = wh_plan_first_host(plan), *s = first;
    struct wh_hook_entry *v;
    size_t n = 0;

    for (uint32_t i = 0; i < plan->nhost; i++, s = wh_step_next(s))
        n += s->op == WH_OP_HOOK;
    v = wh_arena_new_array(arena, struct wh_hook_entry, n);
    if (!v)
        return -ENOMEM;
    s = first;
    n = 0;
    for (uint32_t i = 0; i < plan->nhost; i++, s = wh_step_next(s)) {
        const struct wh_step_hook *h = (const struct wh_step_hook *)s;

        if (s->op != WH_OP_HOOK)
            continue;
        v[n] = (struct wh_hook_entry){ .kind = h->kind,
                                       .index = h->index,
                                       .timeout = h->timeout,
                                       .line = s->src_line,
                                       .env_set = h->env_set,
                                       .path = wh_plan_str(plan, h->path) };
        if (!plan_strings(plan, h->args, arena, &v[n].args) || !plan_strings(plan, h->env, arena, &v[n].env))
            return -ENOMEM;
        n++;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

void wh_hook_state(const struct wh_state *s, const char *status, pid_t pid, struct wh_buf *out)
{
    struct wh_json j = { .out = out };

    wh_json_open(&j, NULL, '{');
    wh_json_str(&j, "ociVersion", "1.3.0");
    wh_json_str(&j, "id", s->id);
    wh_json_str(&j, "status", status);
    if (pid > 0)
        wh_json_u64(&j, "pid", (uint64_t)pid);
    wh_json_str(&j, "root", s->rootfs);
    wh_json_str(&j, "bundle", s->bundle);
    wh_json_open(&j, "annotations", '{');
    for (size_t i = 0; i < s->nannotations; i++)
        wh_json_str(&j, s->annotations[i].key, s->annotations[i].value);
    wh_json_close(&j, '}');
    wh_json_close(&j, '}');
}

/* Reads what is there, without waiting. False at the end of the file. */
static bool tail_read(struct tail *t)
{
    char buf[512];
    ssize_t n = read(t->fd, buf, sizeof buf);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    if ((size_t)n >= TAIL) {
        t->cut = t->cut || t->len > 0 || (size_t)n > TAIL;
        memcpy(t->text, buf + (size_t)n - TAIL, TAIL);
        t->len = TAIL;
    } else {
        size_t over = t->len + (size_t)n > TAIL ? t->len + (size_t)n - TAIL : 0;

        t->cut = t->cut || over > 0;
        memmove(t->text, t->text + over, t->len - over);
        memcpy(t->text + t->len - over, buf, (size_t)n);
        t->len = t->len - over + (size_t)n;
    }
    return true;
}

/* One line whatever it wrote: control bytes are escaped, the line break at the end goes. */
static void tail_text(struct tail *t, struct wh_buf *out)
{
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    size_t over;

    while (t->len > 0 && t->text[t->len - 1] == '\n')
        t->len--;
    t->text[t->len] = '\0';
    wh_buf_escape(&text, t->text, false);
    over = text.len > SHOWN ? text.len - SHOWN : 0;
    if (t->cut || over)
        wh_buf_puts(out, "...");
    if (text.data)
        wh_buf_puts(out, text.data + over);
}

/*
 * Waits for the hook itself, and takes its output as it comes so that a full pipe does not stop it. A background process that it
 * leaves behind keeps the pipes open: nothing here waits for their end (I12).
 */
static int attend(const struct wh_hook_run *run, const struct wh_hook_entry *h, int pidfd, struct tail out[2])
{
    int64_t end = h->timeout ? wh_now_ms() + (int64_t)h->timeout * 1000 : 0;
    struct pollfd p[5] = { { .fd = pidfd, .events = POLLIN },
                           { .fd = out[0].fd, .events = POLLIN },
                           { .fd = out[1].fd, .events = POLLIN },
                           { .fd = run->cancel_fd, .events = POLLIN },
                           { .fd = run->init_fd, .events = POLLIN } };

    for (;;) {
        int64_t now = wh_now_ms(), left = h->timeout ? end - now : -1;
        int n;

        if (h->timeout && left <= 0)
            return -ETIMEDOUT;
        if (run->until && run->until <= now)
            return -ECANCELED;
        if (run->until && (left < 0 || run->until - now < left))
            left = run->until - now;
        n = poll(p, 5, left < 0 ? -1 : left > 1000000000 ? 1000000000 : (int)left);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n <= 0)
            continue;
        if (p[3].revents)
            return -ECANCELED;
        if (p[4].revents)
            return -ESRCH;
        for (int i = 0; i < 2; i++)
            if (p[1 + i].revents && !tail_read(&out[i]))
                p[1 + i].fd = -1;
        if (p[0].revents)
            break;
    }
    for (int i = 0; i < 2; i++)
        for (int rounds = 0; p[1 + i].fd >= 0 && rounds < 512; rounds++) {
            struct pollfd q = { .fd = out[i].fd, .events = POLLIN };

            if (poll(&q, 1, 0) <= 0 || !tail_read(&out[i]))
                break;
        }
    return 0;
}

static int verdict(const struct wh_hook_entry *h, pid_t pid, int waited, const struct wh_exit *ex, struct tail out[2],
                   int64_t taken_ms, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    char why[128], call[80] = "";

    if (waited == 0 && !ex->signalled && ex->value == 0)
        return 0;
    if (waited == 0 && ex->signalled && ex->value == SIGSYS)
        wh_sigsys_text(pid, call, sizeof call);
    if (waited == -ETIMEDOUT)
        snprintf(why, sizeof why, "hook ran past specified timeout of %u.0s", h->timeout);
    else if (waited == -ECANCELED)
        snprintf(why, sizeof why, "canceled");
    else if (waited == -ESRCH)
        snprintf(why, sizeof why, "container init died meanwhile");
    else if (waited == -EBUSY)
        snprintf(why, sizeof why, "it ended, but a process that traces it keeps it");
    else if (waited < 0)
        snprintf(why, sizeof why, "cannot wait for it (errno %d)", -waited);
    else
        snprintf(why, sizeof why, "%s %d%s%s%s", ex->signalled ? "killed by signal" : "exit status", ex->value,
                 *call ? " (" : "", call, *call ? ")" : "");
    wh_buf_printf(&text, "%s, stdout: ", why);
    tail_text(&out[0], &text);
    wh_buf_puts(&text, ", stderr: ");
    tail_text(&out[1], &text);
    /* Last: engines look for what stands before it. */
    wh_buf_printf(&text, " (after %lld.%03llds, %s)", (long long)(taken_ms / 1000), (long long)(taken_ms % 1000),
                  h->path);
    return wh_err_set(err, WH_ERR_HOST, waited < 0 ? waited : -ECHILD, NULL, "error running %s hook #%u: %s",
                      wh_hook_name(h->kind), h->index, text.data ? text.data : why);
}

/* Where one stream of a hook goes. -1: into a pipe, whose end is told if the hook fails. */
static int open_output(const struct wh_hook_run *run, enum wh_ann ann, int *ret, struct wh_err *err)
{
    const char *path = NULL;

    *ret = -1;
    for (size_t i = 0; i < run->state->nannotations; i++)
        if (wh_annotation_is(run->state->annotations[i].key, ann))
            path = run->state->annotations[i].value;
    if (!path || !*path)
        return 0;
    /* Opening a FIFO that nobody reads would wait for ever; the hook itself may wait. */
    *ret = wh_apart_open(run->bundle_fd, path, O_WRONLY | O_APPEND | O_CREAT, 0700, run->cancel_fd);
    if (*ret < 0 || fcntl(*ret, F_SETFL, O_APPEND) < 0)
        return wh_err_sys(err, *ret < 0 ? *ret : -errno, "open %s of annotation %s", path, wh_annotation_name(ann));
    return 0;
}

/* A pipe for one stream, and its writing end; or the file that it goes to. */
static int make_output(const struct wh_hook_run *run, enum wh_ann ann, int *ret_r, int *ret_w, struct wh_err *err)
{
    int p[2], r = open_output(run, ann, ret_w, err);

    if (r < 0 || *ret_w >= 0)
        return r;
    if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
        return wh_err_sys(err, -errno, "make a pipe");
    *ret_r = p[0];
    *ret_w = p[1];
    /* Only our end may be non-blocking: programs take EAGAIN on stdout for a failure. */
    return fcntl(p[1], F_SETFL, 0) < 0 ? wh_err_sys(err, -errno, "set up a pipe") : 0;
}

/* A process that SIGKILL does not end is in a frozen v1 cgroup, or waits for a device: that it is left must be known. */
static void tell_left(pid_t pid, struct wh_err *err)
{
    size_t len = err ? strlen(err->msg) : 0;
    char what[160];

    wh_proc_waits(-1, pid, what, sizeof what);
    if (err)
        snprintf(err->msg + len, sizeof err->msg - len,
                 "; process %d was killed, but has not ended within %d s: it is %s, and is left", (int)pid,
                 wh_waits.killed / 1000, what);
}

/* The file may be another by now: it is the one that create read. */
static void add_place(const struct wh_hook_entry *h, struct wh_err *err)
{
    char line[16] = "";

    if (!err || err->path[0])
        return;
    if (h->line)
        snprintf(line, sizeof line, ":%u", h->line);
    snprintf(err->path, sizeof err->path, "config.json%s: /hooks/%s/%u", line, wh_hook_name(h->kind), h->index);
}

static int run_one(const struct wh_hook_run *run, const struct wh_hook_entry *h, const struct wh_buf *state,
                   struct wh_err *err)
{
    WH_CLEANUP_FD int in = -1, out_r = -1, out_w = -1, err_r = -1, err_w = -1, pidfd = -1;
    size_t argc = h->args.n ? h->args.n : 1, envc = h->env_set ? h->env.n : 0;
    struct wh_arena *arena = wh_arena_new();
    struct tail tails[2];
    const char **argv = arena ? wh_arena_new_array(arena, const char *, argc + 1) : NULL;
    const char **envp = arena ? wh_arena_new_array(arena, const char *, envc + 1) : NULL;
    struct wh_exit ex = { 0 };
    struct wh_spawn s;
    pid_t pid = 0;
    int r, waited = 0;
    int64_t began, end, took;

    if (!argv || !envp) {
        wh_arena_free(arena);
        return wh_err_sys(err, -ENOMEM, "run %s hook #%u", wh_hook_name(h->kind), h->index);
    }
    argv[0] = h->path;
    for (size_t i = 0; i < h->args.n; i++)
        argv[i] = h->args.v[i];
    for (size_t i = 0; i < envc; i++)
        envp[i] = h->env.v[i];
    in = wh_image_data("wherry-state", state->data, state->len, err);
    r = in < 0 ? in : 0;
    if (r == 0)
        r = make_output(run, WH_ANN_HOOKS_STDOUT, &out_r, &out_w, err);
    if (r == 0)
        r = make_output(run, WH_ANN_HOOKS_STDERR, &err_r, &err_w, err);
    began = wh_now_ms();
    if (r == 0 && run->spawn) {
        r = run->spawn(run->spawn_data, h, (const int[3]){ in, out_w, err_w }, &pidfd, &pid, err);
    } else if (r == 0) {
        wh_spawn_init(&s, h->path);
        s.path = h->path;
        s.argv = argv;
        s.envp = h->env_set ? envp : (const char *const *)environ;
        s.stdio[0] = in;
        s.stdio[1] = out_w;
        s.stdio[2] = err_w;
        s.session = s.reset_signals = true;
        s.cwd_fd = run->bundle_fd;
        s.cancel_fd = run->cancel_fd;
        r = wh_spawn(&s, &pidfd, &pid, err);
    }
    if (r < 0)
        wh_err_prefix(err, "error running %s hook #%u", wh_hook_name(h->kind), h->index);
    wh_arena_free(arena);
    if (r < 0)
        return r;
    wh_closep(&out_w);
    wh_closep(&err_w);
    tails[0].fd = out_r;
    tails[1].fd = err_r;
    tails[0].len = tails[1].len = 0;
    tails[0].cut = tails[1].cut = false;
    waited = attend(run, h, pidfd, tails);
    end = wh_now_ms() + wh_waits.killed;
    if (waited < 0) {
        if (run->ret_gone_by)
            *run->ret_gone_by = end;
        /* The whole group. The leader is not reaped yet, so the number is still its own. */
        syscall(SYS_kill, -pid, SIGKILL);
        wh_pidfd_kill(pidfd, SIGKILL);
        /* A failed hook is the end of the container: both end side by side, and are waited for once. */
        if (run->init_fd >= 0)
            wh_pidfd_kill(run->init_fd, SIGKILL);
    }
    r = wh_pidfd_reap_until(pidfd, end, &ex);
    /* A failed hook is the end of the container, and so of who traces the hook; its first process is not gone before all in its pid namespace are
     * reaped. */
    if (r == -EBUSY && run->init_fd >= 0) {
        wh_pidfd_kill(run->init_fd, SIGKILL);
        (void)wh_pidfd_reap(pidfd, NULL);
    }
    took = wh_now_ms() - began;
    if (waited < 0)
        WH_INFO("%s hook #%u %s was stopped after %lld ms", wh_hook_name(h->kind), h->index, h->path, (long long)took);
    else
        WH_INFO("%s hook #%u %s: %s %d after %lld ms", wh_hook_name(h->kind), h->index, h->path,
                ex.signalled ? "killed by signal" : "exit status", ex.value, (long long)took);
    if (verdict(h, pid, waited < 0 ? waited : r, &ex, tails, took, err) == 0)
        return 0;
    if (r == -ETIMEDOUT)
        tell_left(pid, err);
    return err ? err->code : r;
}

int wh_hooks_run(const struct wh_hook_run *run, uint32_t kind, const char *status, pid_t pid, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf state = { 0 };

    for (size_t i = 0; i < run->nhooks; i++) {
        struct wh_err why = { 0 };
        int r;

        if (run->hooks[i].kind != kind)
            continue;
        if (!state.data) {
            wh_hook_state(run->state, status, pid, &state);
            if (state.failed)
                return wh_err_sys(err, -ENOMEM, "write the state for a hook");
        }
        r = run_one(run, &run->hooks[i], &state, run->failed ? &why : err);
        if (r < 0)
            add_place(&run->hooks[i], run->failed ? &why : err);
        if (r < 0 && run->failed)
            run->failed(run->failed_data, &why);
        else if (r < 0)
            return r;
    }
    return 0;
}
