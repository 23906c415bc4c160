/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/hooks.h"

/* How long what we killed may take to be gone (runc: 100 times 100 ms). */
#define KILL_MS 10000

void wh_target_init(struct wh_target *t)
{
    memset(t, 0, sizeof *t);
    t->root_fd = t->dir_fd = t->proc_fd = t->pidfd = -1;
    wh_cgroup_init(&t->cgroup);
}

void wh_target_done(struct wh_target *t)
{
    wh_cgroup_done(&t->cgroup);
    wh_closep(&t->pidfd);
    wh_closep(&t->proc_fd);
    wh_closep(&t->dir_fd);
    wh_closep(&t->root_fd);
    wh_arena_free(t->arena);
    t->arena = NULL;
}

static int open_parts(struct wh_target *t, struct wh_err *err)
{
    int r = wh_cgroup_load(&t->cgroup, t->state.cgroup, strlen(t->state.cgroup), err);

    if (r < 0)
        return r;
    t->cgroup.user_bus = t->user_bus;
    t->pidfd = wh_state_pidfd(&t->state, t->proc_fd);
    if (t->pidfd < 0 && t->pidfd != -ESRCH) {
        r = t->pidfd;
        t->pidfd = -1;
        return wh_identity_err(err, r, t->state.pid);
    }
    if (t->pidfd < 0)
        t->pidfd = -1;
    return 0;
}

/* A journal whose line of init is damaged, or that was killed before it was written. */
static void add_mark(struct wh_target *t, const char *id)
{
    struct wh_state mark;

    if (t->state.pid == 0 && wh_mark_read(t->root_fd, id, t->arena, &mark) == 0 &&
        wh_streq(mark.boot_id, t->state.boot_id)) {
        t->state.pid = mark.pid;
        t->state.identity = mark.identity;
        t->state.pidns = mark.pidns;
        t->state.cgroup = mark.cgroup;
    }
}

int wh_target_look(struct wh_target *t, const char *id, bool journal, struct wh_err *err)
{
    int r;

    wh_closep(&t->pidfd);
    wh_cgroup_done(&t->cgroup);
    wh_cgroup_init(&t->cgroup);
    wh_arena_free(t->arena);
    t->state = (struct wh_state){ 0 };
    t->creating = false;
    t->arena = wh_arena_new();
    if (!t->arena)
        return wh_err_sys(err, -ENOMEM, "read the state of container %s", id);
    r = wh_store_read(t->dir_fd, id, t->arena, &t->state, journal ? &t->creating : NULL, err);
    if (r < 0)
        return r;
    if (journal)
        add_mark(t, id);
    r = open_parts(t, err);
    if (r < 0)
        return r;
    /* A frozen process that is sent a signal leaves the freezer for a moment (cgroup.events: frozen 0) although nothing of
     * the program runs: what was asked for counts as well. */
    r = wh_state_status(t->dir_fd, t->pidfd >= 0,
                        t->pidfd >= 0 && (wh_cgroup_freezing(&t->cgroup) || wh_cgroup_frozen(&t->cgroup) == 1));
    if (r < 0)
        return wh_err_sys(err, r, "read the mailbox of container %s", id);
    t->status = (enum wh_status)r;
    return 0;
}

int wh_target_open(struct wh_target *t, const wherry_ctx *ctx, const char *id, bool journal, struct wh_err *err)
{
    int r = wh_state_check_id(id, err);

    if (r < 0)
        return r;
    t->user_bus = ctx->user_bus;
    t->root_fd = wh_store_root(ctx->root, false, err);
    if (t->root_fd < 0)
        return err->code ? t->root_fd : wh_err_set(err, WH_ERR_STATE, -ENOENT, NULL, "container does not exist");
    t->dir_fd = wh_store_open(t->root_fd, id, err);
    if (t->dir_fd < 0)
        return t->dir_fd;
    t->proc_fd = wh_proc_open(err);
    r = t->proc_fd < 0 ? t->proc_fd : wh_target_look(t, id, journal, err);
    return r == 0 && !journal ? wh_api_undo_update(t, ctx, id, err) : r;
}

void wh_api_warn(void *ctx, const struct wh_err *err)
{
    char text[sizeof err->path + sizeof err->msg + 3];

    wh_api_log(ctx, WHERRY_LOG_WARNING, "%s", wh_err_text(err, text, sizeof text));
}

static void poststop(const wherry_ctx *ctx, const struct wh_target *t)
{
    WH_CLEANUP_FD int bundle = -1;
    struct wh_hook_run run = {
        .hooks = t->state.hooks,
        .nhooks = t->state.nhooks,
        .state = &t->state,
        .cancel_fd = -1,
        .init_fd = -1,
        .failed = wh_api_warn,
        .failed_data = (void *)(uintptr_t)ctx,
    };
    struct wh_err err = { 0 };

    if (!wh_hooks_any(t->state.hooks, t->state.nhooks, WH_HOOK_POSTSTOP))
        return;
    run.bundle_fd = bundle = wh_apart_open(AT_FDCWD, t->state.bundle, O_PATH | O_DIRECTORY, 0, -1);
    if (bundle < 0)
        wh_api_unanswered(bundle, "run poststop hooks in bundle", t->state.bundle, &err);
    else
        wh_hooks_run(&run, WH_HOOK_POSTSTOP, "stopped", 0, &err);
    /* The container is deleted whatever they say (runtime-spec, runtime.md, lifecycle step 13). */
    if (err.code)
        wh_api_warn((void *)(uintptr_t)ctx, &err);
}

/* Without a pid namespace of its own the end of init is not the end of all, and only the cgroup knows who else there is. Of an earlier boot
 * there is nobody. */
static int refuse_hidden(const struct wh_target *t, const char *id, struct wh_err *err)
{
    const struct wh_cgroup_dir *two = &t->cgroup.two;

    if (t->state.private_pidns || !two->mount || two->mount_fd >= 0 ||
        wh_proc_this_boot(t->proc_fd, t->state.boot_id) != 1)
        return 0;
    return wh_err_set(err, WH_ERR_HOST, -ENODEV, NULL,
                      "the processes of container %s cannot be told: its cgroup %s is below %s, where no cgroup2 is "
                      "mounted here",
                      id, two->path, two->mount);
}

/* Without a cgroup nobody but init is known, and elsewhere its number says nothing. */
static int refuse_elsewhere(const struct wh_target *t, const char *id, struct wh_err *err)
{
    if (t->pidfd >= 0 || wh_cgroup_exists(&t->cgroup) || !t->state.boot_id ||
        !wh_state_elsewhere(&t->state, t->proc_fd))
        return 0;
    return wh_err_set(err, WH_ERR_HOST, -ENODEV, NULL,
                      "it cannot be told whether container %s lives: it has no cgroup, and its init is in another pid "
                      "namespace than the caller's (process %d there)",
                      id, (int)t->state.pid);
}

static int left(int64_t end)
{
    int64_t ms = end - wh_now_ms();

    return ms > 0 ? (int)ms : 0;
}

static int remove_cgroup(struct wh_target *t, const char *id, int64_t end, struct wh_err *err)
{
    (void)id;
    return wh_cgroup_remove(&t->cgroup, left(end), err);
}

static int remove_state(struct wh_target *t, const char *id, int64_t end, struct wh_err *err)
{
    (void)end;
    return wh_store_remove(t->root_fd, id, err);
}

/* A call that fails once does not leave a container behind: each part is tried again, and what failed first is in err all the same. What
 * stays, stays with the state, so that delete can be called again. */
static int remove_all(struct wh_target *t, const char *id, int64_t end, struct wh_err *err)
{
    int (*const parts[])(struct wh_target *, const char *, int64_t, struct wh_err *) = { remove_cgroup, remove_state };

    for (size_t i = 0; i < WH_ELEMENTSOF(parts); i++) {
        struct wh_err first = { 0 }, again = { 0 };
        int r = parts[i](t, id, end, &first);

        /* It has been waited for. */
        if (r < 0 && r != -ETIMEDOUT && r != -EBUSY && parts[i](t, id, end, &again) == 0)
            r = 0;
        if (first.code && err->code == 0)
            *err = first;
        if (r < 0)
            return err->code;
    }
    return 0;
}

int wh_api_destroy(const wherry_ctx *ctx, struct wh_target *t, const char *id, int64_t end, struct wh_err *err)
{
    int r;

    if (t->pidfd >= 0) {
        wh_pidfd_kill(t->pidfd, SIGKILL);
        /* All of it, before init is waited for: one that traces init can keep its end, and a paused container's signal waits for the thaw, which
         * this needs not. What goes wrong here is said below. */
        (void)wh_cgroup_kill(&t->cgroup, left(end), &(struct wh_err){ 0 });
        r = wh_pidfd_wait(t->pidfd, left(end));
        /* A wait that failed says nothing of init. */
        if (r < 0 && r != -ETIMEDOUT)
            r = wh_pidfd_wait(t->pidfd, left(end));
        if (r < 0)
            return wh_err_set(err, WH_ERR_STATE, r, NULL, "container init still running");
    }
    r = refuse_hidden(t, id, err);
    if (r == 0)
        r = refuse_elsewhere(t, id, err);
    if (r < 0)
        return r;
    r = remove_all(t, id, end, err);
    if (r < 0)
        return r;
    if (t->state.id && !t->creating)
        poststop(ctx, t);
    return err->code;
}

/* -ENOENT: there never was an init. */
static int look_at_mark(struct wh_target *t, const char *id, struct wh_err *err)
{
    int r;

    wh_cgroup_done(&t->cgroup);
    wh_closep(&t->pidfd);
    wh_arena_free(t->arena);
    t->arena = wh_arena_new();
    r = t->arena ? wh_mark_read(t->root_fd, id, t->arena, &t->state) : -ENOMEM;
    if (r == -ENOENT)
        return r;
    if (r == 0 && t->proc_fd < 0)
        r = t->proc_fd = wh_proc_open(err);
    if (r >= 0)
        r = open_parts(t, err);
    if (r == -EINVAL)
        wh_err_set(
            (*err = (struct wh_err){ 0 }, err), WH_ERR_STATE, r, NULL,
            "the state of container %s is damaged, and so is the record of its first process (.init/%s in the "
            "state root): processes and a cgroup of it may be left; when there are none, remove the directory and the "
            "record by hand",
            id, id);
    if (r < 0 && err->code == 0)
        return wh_err_sys(err, r, "read the record of container %s's first process", id);
    return r < 0 ? r : 0;
}

/* Who holds the lock is create or run until the state is written, and then another delete, or a program that is not
 * ours. */
static int locked(const struct wh_target *t, const char *id, bool force, struct wh_err *err)
{
    *err = (struct wh_err){ 0 };
    if (t->creating || !t->state.id)
        return wh_err_set(err, WH_ERR_STATE, -EBUSY, NULL, "cannot delete container %s that is not stopped: creating",
                          id);
    if (!force)
        return wh_err_set(err, WH_ERR_STATE, -EBUSY, NULL,
                          "cannot delete container %s: another command holds the lock of its state directory", id);
    return wh_err_set(err, WH_ERR_STATE, -EBUSY, NULL,
                      "cannot delete container %s: another command has held the lock of its state directory for %d s",
                      id, KILL_MS / 1000);
}

/* A state directory that tells nothing (its creator died before the journal) or that is damaged beyond reading. */
static int remove_rest(const wherry_ctx *ctx, struct wh_target *t, const char *id, bool force, struct wh_err *err)
{
    struct wh_err why = *err;
    int r;

    if (t->root_fd < 0 || (why.code == -EINVAL && !force))
        return why.code;
    /* What could not be looked at may be whole, and live. */
    if (t->dir_fd >= 0 ? why.kind != WH_ERR_STATE || (why.code != -ENOENT && why.code != -EINVAL)
                       : why.code != -ENOENT && why.code != -ENOTDIR && why.code != -ELOOP)
        return why.code;
    if (t->dir_fd >= 0) {
        r = wh_store_lock(t->dir_fd, force ? KILL_MS : 0);
        if (r == -EBUSY)
            return locked(t, id, force, err);
        /* It may have become a container while we waited. */
        *err = (struct wh_err){ 0 };
        if (r == 0 && why.code == -ENOENT && wh_target_look(t, id, true, err) == 0)
            return 1;
    }
    *err = (struct wh_err){ 0 };
    r = look_at_mark(t, id, err);
    if (r == 0 && !force && t->pidfd >= 0) {
        *err = why;
        return why.code;
    }
    if (r == 0)
        r = wh_api_destroy(ctx, t, id, wh_now_ms() + KILL_MS, err);
    else if (r == -ENOENT)
        r = wh_store_remove(t->root_fd, id, err);
    if (r < 0)
        return r;
    if (force)
        return 0;
    *err = why;
    return why.code;
}

static int delete_locked(wherry_ctx *ctx, struct wh_target *t, const char *id, bool force, struct wh_err *err)
{
    bool creating = t->creating;
    int r;

    if (!force && (t->status == WH_STATUS_RUNNING || t->status == WH_STATUS_PAUSED))
        return wh_err_set(err, WH_ERR_STATE, -EBUSY, NULL, "cannot delete container %s that is not stopped: %s", id,
                          wh_status_name(t->status));
    if (!force && t->pidfd < 0 && wh_state_elsewhere(&t->state, t->proc_fd) && wh_cgroup_populated(&t->cgroup) != 0)
        return wh_err_set(
            err, WH_ERR_STATE, -EBUSY, NULL,
            "cannot delete container %s that is not stopped: it has processes, and its init is in another "
            "pid namespace than the caller's",
            id);
    r = wh_cgroup_ready(&t->cgroup, err);
    if (r == -ELIBACC)
        return r;
    *err = (struct wh_err){ 0 };
    r = wh_api_destroy(ctx, t, id, wh_now_ms() + KILL_MS, err);
    if (r < 0 || force || !creating)
        return r;
    return wh_err_set(err, WH_ERR_STATE, -ENOENT, NULL, "container does not exist");
}

/* With force init has been killed by now. What is damaged stays so; another failure may be a passing one. */
static int look_twice(struct wh_target *t, const char *id, struct wh_err *passing, struct wh_err *err)
{
    struct wh_err again = { 0 };
    int r = wh_target_look(t, id, true, err);

    if (r == 0 || (err->kind == WH_ERR_STATE && (r == -EINVAL || r == -ENOENT)))
        return r;
    if (wh_target_look(t, id, true, &again) < 0)
        return r;
    *passing = *err;
    *err = again;
    return 0;
}

static int delete (wherry_ctx *ctx, const char *id, bool force, struct wh_err *err)
{
    WH_CLEANUP_TARGET struct wh_target t;
    struct wh_err passing = { 0 };
    int r;

    wh_target_init(&t);
    r = wh_target_open(&t, ctx, id, true, err);
    if (r < 0) {
        if (t.root_fd < 0)
            return force && r == -ENOENT ? 0 : r;
        r = remove_rest(ctx, &t, id, force, err);
        if (r != 1)
            return r;
        return delete_locked(ctx, &t, id, force, err);
    }
    /* A create or a run that is in progress holds the lock, perhaps until somebody answers its init (a hook, a seccomp listener).
     * Killing that makes it fail, undo, and let go. */
    if (force && wh_cgroup_ready(&t.cgroup, err) == -ELIBACC)
        return -ELIBACC;
    *err = (struct wh_err){ 0 };
    if (force && t.pidfd >= 0) {
        WH_INFO("killed process %d of container %s", (int)t.state.pid, id);
        wh_pidfd_kill(t.pidfd, SIGKILL);
    }
    r = wh_store_lock(t.dir_fd, force ? KILL_MS : 0);
    if (r == -ENOENT && force)
        return 0;
    if (r == -ENOENT)
        return wh_err_set(err, WH_ERR_STATE, r, NULL, "container does not exist");
    if (r == -EBUSY)
        return locked(&t, id, force, err);
    /* Where locking fails, one that is being made may be another's work; all else is deleted, and the failure reported. */
    if (r < 0) {
        wh_err_sys(&passing, r, "lock container %s", id);
        if (t.creating && !force)
            return *err = passing, r;
    }
    r = look_twice(&t, id, &passing, err);
    r = r < 0 ? remove_rest(ctx, &t, id, force, err) : delete_locked(ctx, &t, id, force, err);
    if (r == 0 && passing.code)
        *err = passing;
    return r == 0 ? err->code : r;
}

int wherry_delete(wherry_ctx *ctx, const char *id, uint32_t flags, wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    r = wh_state_check_id(id, &err);
    if (r == 0)
        r = delete (ctx, id, flags & WHERRY_DELETE_FORCE, &err);
    return r < 0 ? wh_api_fail(reterr, &err, WH_NO_STEP) : 0;
}

static int not_running(struct wh_err *err)
{
    return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL, "container not running");
}

static int send_signal(struct wh_target *t, int sig, bool all, struct wh_err *err)
{
    bool alive = t->pidfd >= 0;
    int r;

    /* Without a pid namespace of its own the container does not die with its init: everybody gets it, init alive or not. Without a cgroup nobody
     * else is known. */
    if ((all || (sig == SIGKILL && !t->state.private_pidns)) && wh_cgroup_exists(&t->cgroup)) {
        if (!alive && !all && wh_cgroup_populated(&t->cgroup) == 0)
            return not_running(err);
        return wh_cgroup_signal(&t->cgroup, sig, err);
    }
    if (!alive) {
        if (all)
            return 0;
        if (sig == SIGKILL && !t->state.private_pidns)
            return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL, "unable to kill all processes: container not running");
        return not_running(err);
    }
    r = wh_pidfd_kill(t->pidfd, sig);
    if (r == -ESRCH)
        return all ? 0 : not_running(err);
    if (r < 0)
        return wh_err_sys(err, r, "send signal %d to container init", sig);
    if (sig == SIGKILL && t->status == WH_STATUS_PAUSED)
        r = wh_cgroup_freeze(&t->cgroup, false, KILL_MS, err);
    /* With init all of its pid namespace ends; but not while one of that traces init and keeps its end. */
    if (sig == SIGKILL && wh_cgroup_exists(&t->cgroup))
        (void)wh_cgroup_signal(&t->cgroup, sig, &(struct wh_err){ 0 });
    return r;
}

int wherry_kill(wherry_ctx *ctx, const char *id, int signal, uint32_t flags, wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    WH_CLEANUP_TARGET struct wh_target t;
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    wh_target_init(&t);
    if (signal < 0 || signal > 64)
        r = wh_err_set(&err, WH_ERR_USAGE, -EINVAL, NULL, "unknown signal \"%d\"", signal);
    else
        r = wh_target_open(&t, ctx, id, false, &err);
    if (r == 0)
        r = send_signal(&t, signal, flags & WHERRY_KILL_ALL, &err);
    if (r == 0)
        WH_INFO("signal %d was sent to container %s", signal, id);
    return r < 0 ? wh_api_fail(reterr, &err, WH_NO_STEP) : 0;
}
