/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/hooks.h"
#include "host/listener.h"
#include "host/notify.h"
#include "host/waits.h"

/* The explain text that create left, for the sentence about a step that failed. Missing is no reason to fail. */
static char *read_steps(int dir_fd, size_t *ret_len)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, "steps.txt", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ssize_t n;
    char *buf;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)(2 * WH_PLAN_MAX_BYTES))
        return NULL;
    buf = malloc((size_t)st.st_size + 1);
    n = buf ? wh_read_fd(fd, buf, (size_t)st.st_size) : -1;
    if (n < 0) {
        free(buf);
        return NULL;
    }
    *ret_len = (size_t)n;
    return buf;
}

static int on_hook(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct wh_starting *s = data;
    WH_CLEANUP_LOAD struct wh_load kept;
    struct wh_hooking k = { .ctx = s->ctx,
                            .spec = s->spec,
                            .state = s->state,
                            .cgroup = s->cgroup,
                            .hooks = s->state->hooks,
                            .nhooks = s->state->nhooks,
                            .root_fd = s->root_fd,
                            .proc_fd = s->proc_fd,
                            .bundle_fd = s->bundle_fd,
                            .cancel_fd = s->cancel_fd,
                            .pidfd = s->pidfd,
                            .ask = ask };
    int r = 0;

    (void)ret_fd;
    wh_load_init(&kept);
    if (!s->spec) {
        r = wh_load_kept(&kept, s->proc_fd, s->dir_fd, s->state->id, err);
        if (r < 0 && err->code == 0 && kept.errs && kept.errs->n > 0)
            *err = kept.errs->e[0];
        k.spec = kept.spec;
    }
    if (r == 0)
        r = wh_api_container_hooks(&k, WH_HOOK_START_CONTAINER, "created", err);
    s->hook_failed = r < 0;
    return r;
}

static const struct wh_serve_ops start_ops = { .hook = on_hook };

int wh_api_start(struct wh_starting *s, uint32_t *ret_step, struct wh_err *err)
{
    WH_CLEANUP_FD int ctl = s->ctl >= 0 ? s->ctl : wh_store_connect(s->dir_fd, s->cancel_fd);
    struct wh_run run = { .plan = s->plan,
                          .proc_fd = s->proc_fd,
                          .ctl = ctl,
                          .mbox_fd = s->mbox_fd,
                          .cancel_fd = s->cancel_fd,
                          .pidfd_a = -1,
                          .pidfd_b = s->pidfd,
                          .pid_b = s->state->pid,
                          .ops = &start_ops,
                          .data = s,
                          .hook_step = s->plan ? 0 : s->state->start_step };
    /* What runc says, whose init has its filter before create returns: agents know the container's init by it. */
    struct wh_listener listener = { .sock = -1,
                                    .path = s->state->listener_path,
                                    .metadata = s->state->listener_metadata,
                                    .state = s->state,
                                    .status = "creating" };
    struct wh_hook_run hooks = { .hooks = s->state->hooks,
                                 .nhooks = s->state->nhooks,
                                 .state = s->state,
                                 .bundle_fd = s->bundle_fd,
                                 .cancel_fd = s->cancel_fd,
                                 .init_fd = -1 }; /* a payload that is quick may have ended */
    size_t steps_len = 0;
    char *steps;
    int r;

    if (ctl == -ETIMEDOUT) {
        char what[160];

        wh_proc_waits(s->proc_fd, s->state->pid, what, sizeof what);
        return wh_err_set(err, WH_ERR_STATE, ctl, NULL, "container init has not accepted for %d s: it is %s",
                          wh_waits.peer / 1000, what);
    }
    if (ctl < 0)
        return wh_err_sys(err, ctl, "connect to the created container");
    if (listener.path) {
        /* Before START: nothing has happened yet, and start can be tried again. */
        r = wh_listener_connect(&listener, s->cancel_fd, err);
        if (r < 0)
            return r;
        run.listener = &listener;
    }
    steps = s->plan ? NULL : read_steps(s->dir_fd, &steps_len);
    r = wh_serve_start(&run, s->spec, steps, steps_len, err);
    free(steps);
    wh_listener_done(&listener);
    *ret_step = run.failed_step;
    if (r < 0)
        return r;
    WH_INFO("container %s was started", s->state->id);
    r = wh_hooks_run(&hooks, WH_HOOK_POSTSTART, "running", s->state->pid, err);
    /* A payload whose poststart hooks failed must not go on. */
    if (r < 0) {
        WH_INFO("killed process %d of container %s", (int)s->state->pid, s->state->id);
        wh_pidfd_kill(s->pidfd, SIGKILL);
    }
    s->hook_failed = r < 0;
    return r;
}

static int open_bundle(const char *path)
{
    return wh_apart_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, -1);
}

static int refuse(enum wh_status status, struct wh_err *err)
{
    switch (status) {
    case WH_STATUS_CREATED:
        return 0;
    case WH_STATUS_RUNNING:
        return wh_err_set(err, WH_ERR_STATE, -EBUSY, NULL, "cannot start an already running container");
    case WH_STATUS_PAUSED:
        return wh_err_set(err, WH_ERR_STATE, -EBUSY, NULL, "cannot start a container in the paused state");
    default:
        return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL, "cannot start a container that has stopped");
    }
}

static int wait_ready(const wherry_ctx *ctx, const struct wh_notify *n, struct wh_err *err)
{
    struct wh_err why = { 0 };
    int r = wh_notify_wait(n, &why);

    if (r == -ECANCELED)
        *err = why;
    else if (r < 0)
        /* The payload runs, and that is what was asked for. */
        wh_api_log(ctx, WHERRY_LOG_WARNING, "%s", why.msg);
    return r == -ECANCELED ? r : 0;
}

/* After a failed hook: runtime-spec, runtime.md, lifecycle steps 7 and 9. What stays, delete removes. */
static void destroy_started(wherry_ctx *ctx, struct wh_target *t, const char *id)
{
    struct wh_err why = { 0 };
    int r = wh_store_lock(t->dir_fd, wh_waits.killed);

    /* Another process has deleted it meanwhile. */
    if (r == -ENOENT)
        return;
    if (r < 0)
        wh_err_sys(&why, r, "lock container %s", id);
    else if (wh_target_look(t, id, true, &why) == 0)
        wh_api_destroy(ctx, t, id, wh_now_ms() + wh_waits.killed, &why);
    if (why.code) {
        wh_err_prefix(&why, "destroy container %s after the failure of its hook", id);
        wh_api_warn(ctx, &why);
    }
}

int wherry_start(wherry_ctx *ctx, const char *id, wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    WH_CLEANUP_TARGET struct wh_target t;
    WH_CLEANUP_FD int mbox = -1, bundle = -1, notify = -1;
    uint64_t oom_kills;
    uint32_t step = WH_NO_STEP;
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    wh_target_init(&t);
    r = wh_target_open(&t, ctx, id, false, &err);
    if (r == 0)
        r = refuse(t.status, &err);
    if (r == 0) {
        mbox = wh_store_mbox_open(t.dir_fd, &err);
        r = mbox < 0 ? mbox : 0;
    }
    /* Of two that start at once, one starts. Not the lock of the directory: a start may block, and delete must not wait. */
    if (r == 0 && flock(mbox, LOCK_EX | LOCK_NB) < 0)
        r = wh_err_set(&err, WH_ERR_STATE, -EBUSY, NULL, "cannot start an already running container");
    if (r == 0)
        r = wh_target_look(&t, id, false, &err);
    if (r == 0)
        r = refuse(t.status, &err);
    if (r == 0) {
        bundle = wh_hooks_any(t.state.hooks, t.state.nhooks, WH_HOOK_POSTSTART) ||
                         wh_hooks_any(t.state.hooks, t.state.nhooks, WH_HOOK_START_CONTAINER)
                     ? open_bundle(t.state.bundle)
                     : -1;
        if (bundle < -1)
            r = wh_api_unanswered(bundle, "open bundle", t.state.bundle, &err);
    }
    /* Before the payload, which may be quick. */
    if (r == 0 && ctx->notify_socket && t.state.notify) {
        notify = wh_notify_listen(t.dir_fd, &err);
        r = notify < 0 ? notify : 0;
    }
    if (r == 0) {
        struct wh_starting s = { .ctx = ctx,
                                 .root_fd = t.root_fd,
                                 .cgroup = &t.cgroup,
                                 .dir_fd = t.dir_fd,
                                 .proc_fd = t.proc_fd,
                                 .mbox_fd = mbox,
                                 .pidfd = t.pidfd,
                                 .bundle_fd = bundle,
                                 .cancel_fd = -1,
                                 .ctl = -1,
                                 .state = &t.state };

        oom_kills = wh_api_oom_kills(&t.cgroup);
        r = wh_api_start(&s, &step, &err);
        if (r < 0)
            wh_api_oom_explain(&t.cgroup, oom_kills, NULL, &err);
        if (s.hook_failed) {
            struct wh_also also;

            wh_api_also_begin(ctx, &also);
            destroy_started(ctx, &t, id);
            r = wh_api_fail(reterr, &err, step);
            wh_api_also_end(ctx, reterr);
            return r;
        }
    }
    /* With the lock of the mailbox alone, which nobody but another start wants: state, kill and delete do not wait for us. */
    if (r == 0 && notify >= 0) {
        struct wh_notify n = {
            .sock = notify, .host = ctx->notify_socket, .pidfd = t.pidfd, .main_pid = t.state.pid, .cancel_fd = -1
        };

        r = wait_ready(ctx, &n, &err);
    }
    return r < 0 ? wh_api_fail(reterr, &err, step) : 0;
}

/* ---- run ---- */

/* What create left is at hand, unless an update has given the container more directories since. */
static int look_again(struct wh_creation *c, struct wh_err *err)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_state now = { 0 };
    struct wh_err ignored = { 0 };
    struct wh_cgroup cgroup;
    int r;

    if (!arena || wh_store_read(c->dir_fd, c->id, arena, &now, NULL, &ignored) < 0 ||
        wh_streq(now.cgroup, c->state.cgroup))
        return 0;
    r = wh_cgroup_load(&cgroup, now.cgroup, strlen(now.cgroup), err);
    if (r < 0)
        return r;
    wh_cgroup_done(&c->cgroup);
    c->cgroup = cgroup;
    c->cgroup.user_bus = c->ctx->user_bus;
    return 0;
}

static int destroy_own(struct wh_creation *c, int64_t end, struct wh_err *err)
{
    int64_t left = end - wh_now_ms();
    struct wh_err first = { 0 };
    struct wh_target t;
    int r;

    /* Someone else may have deleted it meanwhile, and another container may have its id, its path and its cgroup by now. Only
     * the directory that we made tells. */
    r = wh_store_lock(c->dir_fd, left > 0 ? (int)left : 0);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        wh_err_sys(&first, r, "lock container %s", c->id);
    if (r == -EBUSY)
        return *err = first, r;
    /* The container is ours, and it is over: what fails from here on is reported, and the rest is removed all the same. */
    (void)look_again(c, first.code ? &(struct wh_err){ 0 } : &first);
    wh_target_init(&t);
    t.root_fd = c->root_fd;
    t.dir_fd = c->dir_fd;
    t.proc_fd = c->load.proc_fd;
    t.state = c->state;
    t.cgroup = c->cgroup;
    t.pidfd = c->run.pidfd_b;
    /* Who has cancelled waits for the bound alone: a unit is stopped all the same. */
    t.cgroup.cancel_fd = -1;
    (void)wh_api_destroy(c->ctx, &t, c->id, end, err);
    c->cgroup = t.cgroup;
    if (first.code)
        *err = first;
    return err->code;
}

static void tell_killed(const struct wh_creation *c, int status)
{
    char what[300];

    snprintf(what, sizeof what, "container %s", c->id);
    wh_api_oom_log(c->ctx, &c->cgroup, c->oom_kills, status, what);
    wh_api_sigsys_log(c->ctx, c->load.plan, c->state.pid, status, what);
}

static int foreground(struct wh_creation *c, struct wh_notify *notify, int *ret_status, struct wh_err *err)
{
    const struct wherry_create_opts *o = &c->load.opts;
    struct wh_foreground f = { .run = &c->run,
                               .tty = c->own_tty ? &c->tty : NULL,
                               .signal_fd = o->signal_fd > 0 ? o->signal_fd : -1,
                               .subreaper = !(o->flags & WHERRY_CREATE_NO_SUBREAPER),
                               .notify = notify,
                               .what = "container init" };
    int r = wh_api_foreground(&f, ret_status, err), d = 0;

    if (r == 0)
        tell_killed(c, *ret_status);

    if (r < 0 || !(o->flags & WHERRY_CREATE_KEEP)) {
        struct wh_err second = { 0 };

        d = destroy_own(c, c->run.gone_by ? c->run.gone_by : wh_now_ms() + wh_waits.killed, &second);
        if (d < 0 && r == 0)
            *err = second;
    }
    return r < 0 ? r : d;
}

/* A run that failed leaves nothing. */
static void end_run(struct wh_creation *c)
{
    struct wh_err ignored = { 0 };

    wh_tty_done(&c->tty);
    wh_pidfd_kill(c->run.pidfd_b, SIGKILL);
    /* Ends the others too, without which init may not end; what does not end is not waited for here a second time. */
    destroy_own(c, wh_now_ms() + wh_waits.killed, &ignored);
    if (wh_pidfd_wait(c->run.pidfd_b, 0) == 0)
        wh_pidfd_reap(c->run.pidfd_b, NULL);
    wh_closep(&c->run.pidfd_b);
}

int wherry_run(wherry_ctx *ctx, const char *id, const struct wherry_create_opts *opts, int *ret_status,
               wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    struct wh_notify notify = { .sock = -1, .host = ctx->notify_socket };
    WH_CLEANUP_CREATION struct wh_creation c;
    uint32_t step = WH_NO_STEP;
    struct wh_err err = { 0 };
    int r, status = 0;

    if (reterr)
        *reterr = NULL;
    wh_creation_init(&c);
    r = wh_api_create(&c, ctx, id, opts, WH_VERB_RUN, reterr);
    if (r < 0)
        return r;
    if (c.own_tty)
        r = wh_tty_receive(&c.tty, &err);
    if (r == 0 && c.state.notify) {
        notify.sock = wh_notify_listen(c.dir_fd, &err);
        r = notify.sock < 0 ? notify.sock : 0;
    }
    if (r == 0) {
        struct wh_starting s = { .ctx = ctx,
                                 .root_fd = c.root_fd,
                                 .cgroup = &c.cgroup,
                                 .dir_fd = c.dir_fd,
                                 .proc_fd = c.load.proc_fd,
                                 .mbox_fd = c.mbox_fd,
                                 .pidfd = c.run.pidfd_b,
                                 .bundle_fd = c.load.bundle_fd,
                                 .cancel_fd = c.run.cancel_fd,
                                 .ctl = wh_take_fd(&c.run.ctl),
                                 .plan = c.load.plan,
                                 .spec = c.load.spec,
                                 .state = &c.state };

        r = wh_api_start(&s, &step, &err);
    }
    if (r < 0) {
        struct wh_also also;

        wh_api_oom_explain(&c.cgroup, c.oom_kills, c.load.spec, &err);
        wh_closep(&notify.sock);
        wh_api_also_begin(ctx, &also);
        end_run(&c);
        r = wh_api_fail(reterr, &err, step);
        wh_api_also_end(ctx, reterr);
        return r;
    }
    if (c.end_fd >= 0) {
        wh_closep(&c.end_fd);
        c.run.cancel_fd = -1;
    }
    /* The container is there now; delete and kill from elsewhere must not wait for us. */
    flock(c.dir_fd, LOCK_UN);
    if (!(c.load.opts.flags & WHERRY_CREATE_DETACH)) {
        /* The process that the service manager knows stays: no MAINPID. */
        r = foreground(&c, &notify, &status, &err);
    } else if (notify.sock >= 0) {
        notify.pidfd = c.run.pidfd_b;
        notify.main_pid = c.state.pid;
        notify.cancel_fd = c.run.cancel_fd;
        r = wait_ready(ctx, &notify, &err);
        if (r < 0)
            end_run(&c);
    }
    wh_closep(&notify.sock);
    if (ret_status)
        *ret_status = status;
    return r < 0 ? wh_api_fail(reterr, &err, WH_NO_STEP) : 0;
}
