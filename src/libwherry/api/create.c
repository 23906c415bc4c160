/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "api/api.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/console.h"
#include "host/hooks.h"
#include "host/idmap.h"
#include "host/init.h"
#include "host/intelrdt.h"
#include "host/listener.h"
#include "host/devnode.h"
#include "host/mountfd.h"
#include "host/netdev.h"
#include "host/notify.h"
#include "host/waits.h"

/* How long the kernel may take to free a cgroup whose last process has ended. */
#define MOMENT_MS 300

void wh_creation_init(struct wh_creation *c)
{
    memset(c, 0, sizeof *c);
    wh_load_init(&c->load);
    wh_tty_init(&c->tty, 0, 1);
    wh_cgroup_init(&c->cgroup);
    wh_mountfd_init(&c->mounts);
    c->root_fd = c->dir_fd = c->journal_fd = c->mbox_fd = c->listen_fd = c->rootfs_fd = c->console_fd = c->end_fd = -1;
    c->run = (struct wh_run){ .proc_fd = -1,
                              .ctl = -1,
                              .mbox_fd = -1,
                              .cancel_fd = -1,
                              .pidfd_a = -1,
                              .pidfd_b = -1,
                              .failed_step = WH_NO_STEP };
}

void wh_creation_done(struct wh_creation *c)
{
    wh_closep(&c->run.ctl);
    wh_closep(&c->run.pidfd_b);
    wh_closep(&c->end_fd);
    wh_closep(&c->console_fd);
    wh_closep(&c->rootfs_fd);
    wh_closep(&c->listen_fd);
    wh_closep(&c->mbox_fd);
    wh_closep(&c->journal_fd);
    wh_tty_done(&c->tty);
    wh_cgroup_done(&c->cgroup);
    wh_mountfd_done(&c->mounts);
    wh_load_done(&c->load);
    /* The lock goes with it, last. */
    wh_closep(&c->dir_fd);
    wh_closep(&c->root_fd);
}

/* ---- what init asks for ---- */

static int on_forked(void *data, pid_t pid, int pidfd, struct wh_err *err)
{
    struct wh_creation *c = data;
    int r = wh_identity(c->load.proc_fd, pidfd, pid, &c->state.identity);

    if (r < 0)
        return wh_identity_err(err, r, pid);
    c->state.pid = pid;
    /* Before it runs its first step: from here on delete knows whom to kill. */
    r = wh_store_journal_init(c->journal_fd, pid, &c->state.identity, err);
    if (r == 0)
        r = wh_mark_write(c->root_fd, &c->state, err);
    if (r == 0)
        r = wh_cgroup_settle(&c->cgroup, pid, err);
    return r < 0 ? r : wh_rdt_join_here(c->load.proc_fd, c->dir_fd, pid, err);
}

static int on_limits(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct wh_creation *c = data;
    const struct wh_step *step = NULL;
    int r = wh_cgroup_apply(&c->cgroup, c->load.plan, &step, err);

    (void)ask;
    (void)ret_fd;
    if (r < 0 && step && step->src && err->path[0] == '\0')
        wh_spec_where(c->load.spec, step->src, err->path, sizeof err->path);
    return r;
}

static int on_idmap(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct wh_creation *c = data;

    (void)ret_fd;
    return wh_idmap_write(c->load.proc_fd, c->load.opts.path, c->load.plan, ask, err);
}

static int on_mount(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct wh_creation *c = data;
    int fd;

    c->mounts.proc_fd = c->load.proc_fd;
    c->mounts.path = c->load.opts.path;
    c->mounts.joined_userns = c->load.ns.fd[WH_NS_USER];
    fd = wh_mountfd_open(&c->mounts, c->load.plan, ask, err);

    if (fd < 0) {
        if (err->path[0] == '\0')
            wh_spec_where(c->load.spec, ask->step->src, err->path, sizeof err->path);
        return fd;
    }
    *ret_fd = fd;
    return 0;
}

static int on_device(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct wh_creation *c = data;
    int fd = wh_devnode_make(c->load.proc_fd, c->load.plan, ask, err);

    if (fd < 0) {
        if (err->path[0] == '\0')
            wh_spec_where(c->load.spec, ask->step->src, err->path, sizeof err->path);
        return fd;
    }
    *ret_fd = fd;
    return 0;
}

static int on_netdev(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct wh_creation *c = data;

    (void)ret_fd;
    return wh_netdev_move(c->load.proc_fd, c->load.plan, ask, err);
}

static struct wh_hook_run hook_run(struct wh_creation *c)
{
    return (struct wh_hook_run){ .hooks = c->hooks,
                                 .nhooks = c->nhooks,
                                 .state = &c->state,
                                 .bundle_fd = c->load.bundle_fd,
                                 .cancel_fd = c->run.cancel_fd,
                                 .ret_gone_by = &c->run.gone_by,
                                 .init_fd = c->run.pidfd_b };
}

static int on_hook(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    struct wh_creation *c = data;
    struct wh_hook_run run = hook_run(c);
    uint32_t kind = ((const struct wh_step_ask_hook *)ask->step)->kind;

    (void)ret_fd;
    if (kind == WH_HOOK_CREATE_CONTAINER) {
        struct wh_hooking k = { .ctx = c->ctx,
                                .spec = c->load.spec,
                                .state = &c->state,
                                .cgroup = &c->cgroup,
                                .hooks = c->hooks,
                                .nhooks = c->nhooks,
                                .root_fd = c->root_fd,
                                .proc_fd = c->load.proc_fd,
                                .bundle_fd = c->load.bundle_fd,
                                .cancel_fd = c->run.cancel_fd,
                                .pidfd = c->run.pidfd_b,
                                .ask = ask };

        return wh_api_container_hooks(&k, kind, "creating", err);
    }
    return wh_hooks_run(&run, kind, "creating", c->state.pid, err);
}

static const struct wh_serve_ops serve_ops = { .forked = on_forked,
                                               .limits = on_limits,
                                               .idmap = on_idmap,
                                               .mount = on_mount,
                                               .device = on_device,
                                               .netdev = on_netdev,
                                               .hook = on_hook };

/* ---- before anything is made ---- */

static int open_rootfs(struct wh_creation *c, struct wh_err *err)
{
    struct wh_load *l = &c->load;
    const char *path = l->spec->root.path.v ? l->spec->root.path.v : "";
    char link[32], buf[4096];
    ssize_t n;

    c->rootfs_fd = wh_apart_open(l->bundle_fd, path, O_PATH | O_DIRECTORY, 0, c->run.cancel_fd);
    if (c->rootfs_fd < 0) {
        wh_api_unanswered(c->rootfs_fd, "open rootfs", path, err);
        wh_spec_where(l->spec, l->spec->root.path.src, err->path, sizeof err->path);
        return err->code;
    }
    snprintf(link, sizeof link, "self/fd/%d", c->rootfs_fd);
    n = readlinkat(l->proc_fd, link, buf, sizeof buf - 1);
    if (n <= 0 || n >= (ssize_t)sizeof buf - 1)
        return wh_err_sys(err, n < 0 ? -errno : -ENAMETOOLONG, "find the absolute path of rootfs %s", path);
    c->state.rootfs = wh_arena_strndup(l->arena, buf, (size_t)n);
    return 0;
}

static const char *now_text(struct wh_arena *arena)
{
    struct timespec ts;
    char buf[WH_UTC_SIZE];

    clock_gettime(CLOCK_REALTIME, &ts);
    wh_utc_text(ts.tv_sec, (uint32_t)ts.tv_nsec, buf);
    return wh_arena_strndup(arena, buf, strlen(buf));
}

static uint32_t own_namespaces(const struct wh_spec *spec)
{
    static const uint32_t flags[WH_NS_MAX] = {
        [WH_NS_PID] = CLONE_NEWPID,       [WH_NS_NETWORK] = CLONE_NEWNET, [WH_NS_MOUNT] = CLONE_NEWNS,
        [WH_NS_IPC] = CLONE_NEWIPC,       [WH_NS_UTS] = CLONE_NEWUTS,     [WH_NS_USER] = CLONE_NEWUSER,
        [WH_NS_CGROUP] = CLONE_NEWCGROUP, [WH_NS_TIME] = CLONE_NEWTIME,
    };
    uint32_t r = 0;

    for (int i = 0; i < WH_NS_MAX; i++)
        if (spec->linux_.ns[i].set)
            r |= flags[i];
    return r;
}

/* The step that asks for startContainer hooks, or 0, which is never one. */
static uint32_t start_step(const struct wh_plan *plan)
{
    const struct wh_step *s = wh_plan_first(plan);

    for (uint32_t i = 0; i < plan->nsteps; i++, s = wh_step_next(s))
        if (s->op == WH_OP_ASK_HOOK && ((const struct wh_step_ask_hook *)s)->kind == WH_HOOK_START_CONTAINER)
            return i;
    return 0;
}

static bool has_op(const struct wh_plan *plan, uint16_t op)
{
    const struct wh_step *s = wh_plan_first(plan);

    for (uint32_t i = 0; i < plan->nsteps; i++, s = wh_step_next(s))
        if (s->op == op)
            return true;
    return false;
}

/* Everything of the state but init's identity and the cgroup. */
static int fill_state(struct wh_creation *c, struct wh_err *err)
{
    struct wh_load *l = &c->load;
    const struct wh_namespace *pidns = &l->spec->linux_.ns[WH_NS_PID];
    struct wh_state *s = &c->state;
    char *boot_id = wh_arena_alloc(l->arena, WH_BOOT_ID_SIZE);
    struct wh_hook_entry *kept;
    int r;

    s->arena = l->arena;
    s->id = c->id;
    s->bundle = l->bundle;
    s->created = now_text(l->arena);
    s->cgroup = "";
    s->cgroup_manager = l->req.cgroup_manager;
    s->notify = l->req.notify_dir;
    s->rootless = l->facts.euid != 0;
    /* One that is joined has other processes in it: they do not die with ours. */
    s->private_pidns = pidns->set && !pidns->path.v;
    s->nsflags = own_namespaces(l->spec);
    s->no_new_keyring = l->req.no_new_keyring;
    s->init = has_op(l->plan, WH_OP_BE_INIT);
    s->nannotations = l->spec->annotations.n;
    s->annotations = wh_arena_new_array(l->arena, struct wh_annotation, s->nannotations);
    r = wh_hooks_of_plan(l->plan, l->arena, &c->hooks, &c->nhooks);
    if (wh_seccomp_notifies(l->spec, &l->req)) {
        char where[160];
        wh_node src = 0;
        const char *path = wh_seccomp_listener(l->spec, &l->req, &src);

        /* start may run elsewhere. */
        s->listener_path = path[0] == '/' ? path : wh_arena_printf(l->arena, "%s/%s", l->bundle, path);
        if (src)
            s->listener_place = wh_arena_printf(l->arena, "%s", wh_spec_where(l->spec, src, where, sizeof where));
        s->listener_metadata = l->spec->linux_.seccomp.listener_metadata.v;
    }
    kept = r < 0 ? NULL : wh_arena_new_array(l->arena, struct wh_hook_entry, c->nhooks);
    if (!boot_id || !s->annotations || !kept || !s->created)
        return wh_err_sys(err, -ENOMEM, "write the state");
    for (size_t i = 0; i < s->nannotations; i++)
        s->annotations[i] = (struct wh_annotation){ l->spec->annotations.v[i].key, l->spec->annotations.v[i].value };
    for (size_t i = 0; i < c->nhooks; i++)
        if (c->hooks[i].kind == WH_HOOK_START_CONTAINER || c->hooks[i].kind == WH_HOOK_POSTSTART ||
            c->hooks[i].kind == WH_HOOK_POSTSTOP)
            kept[s->nhooks++] = c->hooks[i];
    s->hooks = kept;
    s->start_step = start_step(l->plan);
    r = wh_proc_boot_id(l->proc_fd, c->root_fd, boot_id);
    if (r == 0)
        r = wh_proc_ns_ino(l->proc_fd, "self/ns/pid", &s->pidns);
    s->boot_id = boot_id;
    return r < 0 ? wh_identity_err(err, r, 0) : 0;
}

static int save_cgroup(struct wh_creation *c, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf buf = { 0 };

    wh_cgroup_save(&c->cgroup, &buf);
    if (buf.failed)
        return wh_err_sys(err, -ENOMEM, "write the state");
    c->state.cgroup = wh_arena_strndup(c->load.arena, buf.data ? buf.data : "", buf.len);
    if (wh_cgroup_exists(&c->cgroup))
        c->state.cgroup_path = wh_arena_printf(c->load.arena, "%s%s", c->cgroup.two.mount, c->cgroup.two.path);
    return wh_arena_failed(c->load.arena) ? wh_err_sys(err, -ENOMEM, "write the state") : 0;
}

/*
 * The signals of a foreground run are the payload's; but until there is one, somebody who wants to end it must not wait for a
 * hook that hangs, and a pid 1 that has no handlers yet would ignore what comes early. They stay pending for the caller's signalfd.
 */
static int watch_end_signals(struct wh_creation *c, struct wh_err *err)
{
    static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < WH_ELEMENTSOF(ends); i++)
        /* nohup(1): a blocked signal comes even if it is ignored. */
        if (!wh_signal_ignored(ends[i]))
            sigaddset(&set, ends[i]);
    c->end_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (c->end_fd < 0)
        return wh_err_sys(err, -errno, "watch for signals");
    c->run.cancel_fd = c->end_fd;
    return 0;
}

static int load(struct wh_creation *c, const struct wherry_create_opts *opts, enum wh_verb verb, struct wh_err *err)
{
    struct wh_load *l = &c->load;
    bool detach = verb == WH_VERB_CREATE || (l->opts.flags & WHERRY_CREATE_DETACH);
    bool terminal;
    int r;

    r = wh_api_opts(&l->opts, sizeof l->opts, opts, err);
    if (r == 0)
        r = wh_state_check_id(c->id, err);
    if (r == 0)
        r = wh_api_look_at_fds(l->opts.preserve_fds, l->opts.listen_fds, &c->closed_stdio, err);
    if (r < 0)
        return r;
    detach = verb == WH_VERB_CREATE || (l->opts.flags & WHERRY_CREATE_DETACH);
    c->run.cancel_fd = l->opts.cancel_fd > 0 ? l->opts.cancel_fd : -1;
    if (!detach && l->opts.signal_fd > 0 && c->run.cancel_fd < 0) {
        r = watch_end_signals(c, err);
        if (r < 0)
            return r;
    }
    l->cancel_fd = c->run.cancel_fd;
    r = wh_load_spec(l, 0, err);
    if (r < 0)
        return r;
    if (!l->spec->process)
        return wh_err_set(err, WH_ERR_SPEC, -EINVAL, NULL, "process property must not be empty");
    terminal = l->spec->process->terminal.v;
    r = wh_console_check(terminal, detach, l->opts.console_socket, err);
    if (r < 0)
        return r;
    c->own_tty = terminal && !detach;
    c->root_fd = wh_store_root(c->ctx->root, true, err);
    if (c->root_fd < 0)
        return c->root_fd;
    /* Told before anything that a living container of that name would make us say (its cgroup is not empty). Making the
     * directory is what decides. */
    r = wh_store_unused(c->root_fd, c->id, err);
    if (r < 0)
        return r;
    /* Elsewhere nothing is mounted for this container. */
    if (c->ctx->notify_socket && l->spec->linux_.ns[WH_NS_MOUNT].set && !l->spec->linux_.ns[WH_NS_MOUNT].path.v)
        l->req.notify_dir = wh_arena_printf(l->arena, "%s/%s/notify", c->ctx->root, c->id);
    r = wh_load_plan(l, c->ctx, verb, c->id, c->root_fd, err);
    if (r == 0)
        r = wh_load_labels(l, err);
    if (r < 0)
        return r;
    r = open_rootfs(c, err);
    c->cgroup.user_bus = c->ctx->user_bus;
    c->cgroup.cancel_fd = c->run.cancel_fd;
    if (r == 0)
        r = wh_cgroup_plan(&c->cgroup, l->plan, &l->facts, err);
    /* One that was there before us has counted for others, too. */
    if (r == 0)
        c->oom_kills = wh_api_oom_kills(&c->cgroup);
    if (r == 0)
        r = wh_cgroup_ready(&c->cgroup, err);
    if (r == 0)
        r = fill_state(c, err);
    /* Not connected: an agent expects one connection for each process, and start makes it. */
    if (r == 0 && c->state.listener_path)
        r = wh_listener_look(&c->state, err);
    return r < 0 ? r : save_cgroup(c, err);
}

/* ---- making ---- */

static int spawn_init(struct wh_creation *c, struct wh_err *err)
{
    struct wh_init_start s;

    wh_init_start_init(&s, c->load.plan);
    s.root_fd = c->root_fd;
    s.mbox_fd = c->mbox_fd;
    s.cgroup_fd = wh_cgroup_fd(&c->cgroup);
    s.closed_stdio = c->closed_stdio;
    s.slot[WH_SLOT_PROC] = c->load.proc_fd;
    s.slot[WH_SLOT_ROOTFS] = c->rootfs_fd;
    s.slot[WH_SLOT_CONSOLE] = c->own_tty ? c->tty.console : c->console_fd;
    s.slot[WH_SLOT_LISTEN] = c->listen_fd;
    for (unsigned i = 0; i < WH_NS_MAX; i++)
        s.slot[WH_SLOT_NS + i] = c->load.ns.fd[i];
    return wh_init_start(&s, &c->run, err);
}

static int place(struct wh_creation *c, struct wh_err *err)
{
    wh_node src = 0;
    int r = wh_cgroup_place(&c->cgroup, c->load.plan, c->load.proc_fd, wh_pidfd_pid(c->load.proc_fd, c->run.pidfd_a),
                            &src, err);

    if (r < 0 && src && err->path[0] == '\0')
        wh_spec_where(c->load.spec, src, err->path, sizeof err->path);
    /* systemd has made the directory only now. */
    return r == 0 && c->cgroup.unit ? save_cgroup(c, err) : r;
}

static int make_rdt(struct wh_creation *c, struct wh_err *err)
{
    const struct wh_step_rdt *s = wh_rdt_step(c->load.plan);
    struct wh_rdt_fs fs;
    int r;

    if (!s)
        return 0;
    r = wh_rdt_find(c->load.proc_fd, &fs, err);
    if (r == 0)
        r = wh_rdt_make(&fs, c->dir_fd, c->load.plan, s, err);
    if (r < 0 && err->path[0] == '\0')
        wh_spec_where(c->load.spec, s->s.src, err->path, sizeof err->path);
    wh_close(fs.fd);
    return r;
}

static int make(struct wh_creation *c, struct wh_err *err)
{
    struct wh_load *l = &c->load;
    int r;

    c->dir_fd = wh_store_make(c->root_fd, c->id, err);
    if (c->dir_fd < 0)
        return c->dir_fd;
    c->made = true;
    c->journal_fd = wh_store_journal(c->dir_fd, &c->state, err);
    if (c->journal_fd < 0)
        return c->journal_fd;
    r = make_rdt(c, err);
    if (r == 0 && l->req.notify_dir)
        r = wh_notify_make(c->dir_fd, err);
    if (r == 0)
        r = wh_cgroup_make(&c->cgroup, err);
    if (r == 0)
        r = save_cgroup(c, err);
    if (r < 0)
        return r;
    c->mbox_fd = wh_store_mbox_make(c->dir_fd, err);
    if (c->mbox_fd < 0)
        return c->mbox_fd;
    c->listen_fd = wh_store_listen(c->dir_fd, err);
    if (c->listen_fd < 0)
        return c->listen_fd;
    r = wh_api_open_console(l->opts.console_socket, c->run.cancel_fd, &c->console_fd, c->own_tty ? &c->tty : NULL, err);
    if (r < 0)
        return r;
    r = spawn_init(c, err);
    if (r < 0)
        return r;
    wh_cgroup_preload(&c->cgroup, l->plan);
    r = place(c, err);
    if (r == 0)
        wh_api_log_cgroup(&c->cgroup);
    if (r < 0) {
        wh_pidfd_kill(c->run.pidfd_a, SIGKILL);
        wh_pidfd_reap(c->run.pidfd_a, NULL);
        wh_closep(&c->run.pidfd_a);
        return r;
    }
    c->run.plan = l->plan;
    c->run.proc_fd = l->proc_fd;
    c->run.mbox_fd = c->mbox_fd;
    c->run.ops = &serve_ops;
    c->run.data = c;
    r = wh_serve_create(&c->run, l->spec, err);
    /* Peers take our copies for the container's: conmon waits for the end of its console connection. */
    wh_closep(&c->console_fd);
    wh_closep(&c->listen_fd);
    if (c->own_tty)
        wh_tty_release(&c->tty);
    return r;
}

/* The caller's word before the configuration's. */
static const char *pidfd_socket(const struct wh_creation *c)
{
    const char *path = wh_annotation_value(c->load.spec, WH_ANN_PIDFD_RECEIVER);

    if (c->load.opts.pidfd_socket || !path || !*path)
        return c->load.opts.pidfd_socket;
    return path[0] == '/' ? path : wh_arena_printf(c->load.arena, "%s/%s", c->load.bundle, path);
}

/* Until its last message init ends when we do: whenever we are killed, either `state` knows the container or nothing of it lives. */
static int commit(struct wh_creation *c, enum wh_verb verb, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf state = { 0 }, steps = { 0 };
    int r;

    /* `run` starts at once and renders failures from the plan itself. */
    if (verb == WH_VERB_CREATE) {
        wh_explain(c->load.plan, c->load.spec, WH_EXPLAIN_REDACT, &steps);
        r = wh_store_write(c->dir_fd, "steps.txt", &steps, err);
        if (r < 0)
            return r;
    }
    wh_state_write(&c->state, &state);
    r = wh_store_write(c->dir_fd, "config.json", &c->load.text, err);
    if (r < 0)
        return r;
    r = wh_store_write(c->dir_fd, "state.json", &state, err);
    if (r == 0)
        r = wh_api_send_pidfd(pidfd_socket(c), c->run.pidfd_b, "standard", c->run.cancel_fd, err);
    if (r == 0)
        r = wh_api_write_pid_file(c->load.opts.pid_file, c->state.pid, c->run.cancel_fd, err);
    /* START of `run` says it as well. */
    return r < 0 || verb == WH_VERB_RUN ? r : wh_serve_commit(&c->run, err);
}

/* Nothing half-made stays. What cannot be removed stays with its state directory, for `delete --force`. All of it has one bound, together with what
 * was killed already: a caller that has cancelled waits no longer than for one process. */
static void undo(struct wh_creation *c, bool cancelled)
{
    struct wh_hook_run run = hook_run(c);
    struct wh_err ignored = { 0 };
    int64_t now = wh_now_ms(), end = c->run.gone_by ? c->run.gone_by : now + wh_waits.killed, left;
    int r;

    /* What ended at the last moment leaves its cgroup a moment later. */
    end = end < now + MOMENT_MS ? now + MOMENT_MS : end;
    c->cgroup.cancel_fd = -1;
    WH_INFO("creating container %s failed: what was made for it is removed", c->id);
    if (c->run.pidfd_b >= 0) {
        WH_INFO("killed process %d of container %s", (int)c->state.pid, c->id);
        wh_pidfd_kill(c->run.pidfd_b, SIGKILL);
        if (wh_pidfd_reap_until(c->run.pidfd_b, end, NULL) == -ETIMEDOUT)
            wh_api_log(c->ctx, WHERRY_LOG_WARNING, "undo of %s: process %d was killed, but has not ended: it is left",
                       c->id, (int)c->state.pid);
    }
    left = end - wh_now_ms();
    r = wh_cgroup_remove(&c->cgroup, left > 0 ? (int)left : 0, &ignored);
    if (r < 0) {
        wh_api_log(c->ctx, WHERRY_LOG_WARNING, "undo of %s: %s", c->id, ignored.msg);
        return;
    }
    r = wh_store_remove(c->root_fd, c->id, &ignored);
    if (r < 0)
        wh_api_log(c->ctx, WHERRY_LOG_WARNING, "undo of %s: %s", c->id, ignored.msg);
    run.init_fd = -1;
    run.ret_gone_by = NULL;
    /* It is readable already. */
    if (cancelled)
        run.cancel_fd = -1;
    run.until = cancelled ? end : 0;
    run.failed = wh_api_warn;
    run.failed_data = (void *)(uintptr_t)c->ctx;
    ignored = (struct wh_err){ 0 };
    if (c->state.pid > 0 && wh_hooks_run(&run, WH_HOOK_POSTSTOP, "stopped", 0, &ignored) < 0)
        wh_api_warn((void *)(uintptr_t)c->ctx, &ignored);
}

/* Engines know this beginning from runc; the reason follows unchanged. */
static void add_context(const struct wh_creation *c, struct wh_err *err)
{
    const struct wh_step *s =
        c->run.failed_step != WH_NO_STEP && c->load.plan ? wh_plan_step(c->load.plan, c->run.failed_step) : NULL;

    if (s && (s->op == WH_OP_EXEC_CHECK || s->op == WH_OP_EXEC))
        wh_err_prefix(err, "unable to start container process: error during container init");
}

int wh_api_create(struct wh_creation *c, wherry_ctx *ctx, const char *id, const struct wherry_create_opts *opts,
                  enum wh_verb verb, wherry_error **reterr)
{
    struct wh_err err = { 0 };
    struct wh_also also;
    int r;

    c->ctx = ctx;
    c->id = id;
    r = load(c, opts, verb, &err);
    if (r == 0)
        r = make(c, &err);
    if (r == 0)
        r = commit(c, verb, &err);
    if (r == 0) {
        WH_INFO("container %s was created: its init is process %d, its bundle %s", id, (int)c->state.pid,
                c->state.bundle);
        wh_load_warnings(&c->load, ctx);
        return 0;
    }
    /* While there is a cgroup to ask. */
    wh_api_oom_explain(&c->cgroup, c->oom_kills, c->load.spec, &err);
    wh_api_also_begin(ctx, &also);
    if (c->made)
        undo(c, err.code == -ECANCELED);
    add_context(c, &err);
    r = wh_load_fail(&c->load, &err, c->run.failed_step, reterr);
    wh_api_also_end(ctx, reterr);
    return r;
}

int wherry_create(wherry_ctx *ctx, const char *id, const struct wherry_create_opts *opts, wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    WH_CLEANUP_CREATION struct wh_creation c;

    if (reterr)
        *reterr = NULL;
    wh_creation_init(&c);
    return wh_api_create(&c, ctx, id, opts, WH_VERB_CREATE, reterr);
}
