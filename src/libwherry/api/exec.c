/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/console.h"
#include "host/image.h"
#include "host/init.h"
#include "host/intelrdt.h"
#include "host/listener.h"
#include "host/waits.h"

/* One exec. No lock is taken: kill, state and delete never wait for it. What a delete takes away meanwhile (init's pidfd, the
 * cgroup) is held by fd, and using it fails. */
struct executing {
    struct wherry_exec_opts opts;
    struct wh_target target;
    struct wh_load load;
    struct wh_spec *process; /* of --process */
    struct wh_buf text; /* of that */
    struct wh_exec_request req;
    uint32_t closed_stdio;
    int console_fd, mbox_fd, rootfs_fd;
    int payload_fd; /* its pidfd, where that is entered instead of init; else -1 */
    struct wh_nsfds ns; /* that a created container has sent */
    struct wh_tty tty;
    bool own_tty;
    bool late; /* B enters the cgroup, instead of A being born there */
    struct wh_run run;
    struct wh_listener listener;
    uint64_t oom_kills; /* that the cgroup had counted before */
};

static void executing_init(struct executing *x)
{
    memset(x, 0, sizeof *x);
    wh_target_init(&x->target);
    wh_load_init(&x->load);
    wh_tty_init(&x->tty, 0, 1);
    wh_nsfds_init(&x->ns);
    x->console_fd = x->mbox_fd = x->rootfs_fd = x->payload_fd = x->listener.sock = -1;
    x->run = (struct wh_run){ .proc_fd = -1,
                              .ctl = -1,
                              .mbox_fd = -1,
                              .cancel_fd = -1,
                              .pidfd_a = -1,
                              .pidfd_b = -1,
                              .failed_step = WH_NO_STEP };
}

static void executing_done(struct executing *x)
{
    wh_closep(&x->run.ctl);
    wh_closep(&x->run.pidfd_b);
    wh_closep(&x->console_fd);
    wh_closep(&x->mbox_fd);
    wh_closep(&x->rootfs_fd);
    wh_closep(&x->payload_fd);
    wh_nsfds_done(&x->ns);
    wh_listener_done(&x->listener);
    wh_tty_done(&x->tty);
    wh_load_done(&x->load);
    wh_spec_free(x->process);
    wh_buf_done(&x->text);
    wh_target_done(&x->target);
}
#define CLEANUP_EXECUTING __attribute__((cleanup(executing_done)))

/* ---- what was asked for ---- */

/* "UID[:GID]", numbers: names would have to be looked up in files of the container. */
static int parse_user(struct wh_exec_request *req, const char *user, struct wh_err *err)
{
    const char *colon = strchr(user, ':');
    char uid[16];
    uint64_t v;

    snprintf(uid, sizeof uid, "%.*s", colon ? (int)(colon - user) : (int)strlen(user), user);
    if ((colon ? (size_t)(colon - user) : strlen(user)) >= sizeof uid || wh_parse_u64(uid, UINT32_MAX - 1, &v) < 0)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "bad uid in user \"%s\": want UID or UID:GID", user);
    req->set_uid = true;
    req->uid = (uint32_t)v;
    if (!colon)
        return 0;
    if (wh_parse_u64(colon + 1, UINT32_MAX - 1, &v) < 0)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "bad gid in user \"%s\": want UID or UID:GID", user);
    req->set_gid = true;
    req->gid = (uint32_t)v;
    return 0;
}

/* As in the configuration: what is not known is left out with a warning. */
static void parse_caps(struct wh_exec_request *req, const char *const *caps, struct wh_errlist *errs)
{
    for (size_t i = 0; caps && caps[i]; i++) {
        int cap = wh_cap_from_name(caps[i]);
        struct wh_err *w;

        if (cap >= 0) {
            req->caps |= UINT64_C(1) << cap;
            continue;
        }
        w = wh_errlist_warn(errs);
        if (w)
            wh_err_set(w, WH_ERR_USAGE, -EINVAL, NULL, "unknown capability \"%.80s\" is left out", caps[i]);
    }
}

static size_t count(const char *const *v)
{
    size_t n = 0;

    while (v && v[n])
        n++;
    return n;
}

static const char *some(const char *s)
{
    return s && *s ? s : NULL;
}

static int fill_request(struct executing *x, struct wh_err *err)
{
    const struct wherry_exec_opts *o = &x->opts;
    struct wh_exec_request *req = &x->req;
    int r = 0;

    if (o->process || o->process_data)
        return 0;
    req->args = o->args;
    req->nargs = count(o->args);
    if (req->nargs == 0)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "exec args cannot be empty");
    req->env = o->env;
    req->nenv = count(o->env);
    req->cwd = some(o->cwd);
    req->apparmor_profile = some(o->apparmor_profile);
    req->selinux_label = some(o->process_label);
    req->terminal = o->flags & WHERRY_EXEC_TTY;
    req->no_new_privileges = o->flags & WHERRY_EXEC_NO_NEW_PRIVS;
    req->gids = o->additional_gids;
    req->ngids = o->nadditional_gids;
    for (size_t i = 0; i < req->ngids; i++)
        if (req->gids[i] == UINT32_MAX)
            return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "bad gid %u in additional gids", req->gids[i]);
    if (some(o->user))
        r = parse_user(req, o->user, err);
    return r;
}

/* What containerd and podman write for one exec and remove: nobody can look into it afterwards, and its name says nothing. */
static bool is_passing(const char *base)
{
    return wh_startswith(base, "runc-process") || wh_startswith(base, "exec-process-");
}

static int load_process(struct executing *x, struct wh_err *err)
{
    const struct wherry_exec_opts *o = &x->opts;
    const char *name = o->process ? o->process : "process.json", *base = strrchr(name, '/');
    const char *data = o->process_data;
    size_t len = o->process_len;
    int r;

    if (!data) {
        r = wh_load_file(AT_FDCWD, name, 0, x->load.cancel_fd, &x->text, err);
        if (r == -ENOENT && err->code == 0)
            return wh_err_sys(err, r, "open process file %s", name);
        if (r < 0)
            return r;
        data = x->text.data;
        len = x->text.len;
    }
    base = base && base[1] ? base + 1 : name;
    return wh_spec_parse_process(data, len, is_passing(base) ? NULL : base, &x->process, x->load.errs);
}

/* Of the container, as it was when it was created. */
static int load_config(struct executing *x, struct wh_err *err)
{
    struct wh_load *l = &x->load;
    int r;

    r = wh_load_kept(l, x->target.proc_fd, x->target.dir_fd, x->target.state.id, err);
    if (r == 0 && (x->opts.process || x->opts.process_data)) {
        r = load_process(x, err);
        l->spec->exec = x->process;
    }
    if (r == 0 && !x->process && !l->spec->process)
        return wh_err_set(err, WH_ERR_SPEC, -EINVAL, NULL, "process property must not be empty");
    return r;
}

/* ---- the container ---- */

static int stopped(const struct executing *x, struct wh_err *err)
{
    char why[WH_OOM_TEXT];
    uint64_t kills = wh_api_oom_kills(&x->target.cgroup);

    *err = (struct wh_err){ 0 };
    /* How many, and not that this is why it stopped: they may have been others than its init, and long ago. */
    if (kills > 0 && wh_api_oom_since(&x->target.cgroup, 0, why, sizeof why))
        return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL,
                          "cannot exec in a stopped container (the OOM killer ended %llu of its processes: %s)",
                          (unsigned long long)kills, why);
    return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL, "cannot exec in a stopped container");
}

/* How long a process that has none any more may take to end. */
#define LAST_MS 1000

/* A first thread that has ended is in no namespaces any more, though others of the process run: they are entered by the first one alone. */
static int no_namespaces(const struct executing *x, struct wh_err *err)
{
    if (wh_pidfd_wait(x->target.pidfd, LAST_MS) != -ETIMEDOUT)
        return stopped(x, err);
    return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL,
                      "cannot exec in container %s: the first thread of its init has ended, and without it the kernel "
                      "gives no access to the namespaces of the others",
                      x->target.state.id);
}

static int refuse(const struct executing *x, struct wh_err *err)
{
    switch (x->target.status) {
    case WH_STATUS_CREATED:
    case WH_STATUS_RUNNING:
        return 0;
    case WH_STATUS_PAUSED:
        if (x->opts.flags & WHERRY_EXEC_IGNORE_PAUSED)
            return 0;
        return wh_err_set(err, WH_ERR_STATE, -EBUSY, NULL,
                          "cannot exec in a paused container (use --ignore-paused to override)");
    default:
        return stopped(x, err);
    }
}

static int find_cgroup(struct executing *x, struct wh_err *err)
{
    int r = 0;

    /* Its limits and its device program are there; elsewhere the process would have none. */
    if (wh_cgroup_exists(&x->target.cgroup) && wh_cgroup_fd(&x->target.cgroup) < 0)
        return wh_err_set(err, WH_ERR_STATE, -ENODEV, NULL,
                          "the cgroup of the container is gone, or is another's by now");
    for (size_t i = 0; x->opts.cgroups && x->opts.cgroups[i] && r == 0; i++)
        r = wh_cgroup_descend(&x->target.cgroup, x->opts.cgroups[i], err);
    return r;
}

static int ask_namespaces(struct executing *x, struct wh_err *err)
{
    WH_CLEANUP_FD int ctl = wh_store_connect(x->target.dir_fd, x->opts.cancel_fd > 0 ? x->opts.cancel_fd : -1);
    int fds[WH_ASK_MAX_FDS], r;
    unsigned n;

    if (ctl < 0)
        return ctl;
    r = wh_serve_enter(ctl, x->target.pidfd, x->opts.cancel_fd > 0 ? x->opts.cancel_fd : -1, fds, &n, err);
    if (r < 0)
        return r;
    r = wh_api_take_namespaces(&x->ns, x->target.proc_fd, &x->target.state, fds, n, &x->req.join, &x->req.join_host,
                               err);
    while (n-- > 0)
        wh_close(fds[n]);
    x->req.by_fd = r == 0;
    return r;
}

/* The first of init's children, in the order in which they became that. */
static pid_t first_child(const struct wh_target *t)
{
    char path[48], text[32];
    WH_CLEANUP_FD int fd = -1;
    uint64_t pid;
    ssize_t n;

    snprintf(path, sizeof path, "%d/task/%d/children", (int)t->state.pid, (int)t->state.pid);
    fd = openat(t->proc_fd, path, O_RDONLY | O_CLOEXEC);
    /* Orphans follow, as many as the payload likes. */
    n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return n < 0 ? -errno : -ESRCH;
    text[n] = '\0';
    text[strcspn(text, " ")] = '\0';
    return wh_parse_u64(text, INT32_MAX, &pid) == 0 && pid > 0 ? (pid_t)pid : -ESRCH;
}

/* With --init the payload has started in the namespaces that init is in, and is what pid 1 is elsewhere. */
static int enter_payload(struct executing *x, struct wh_err *err)
{
    const struct wh_target *t = &x->target;
    struct wh_state payload = t->state;

    payload.pid = first_child(t);
    if (payload.pid == -ESRCH)
        return -ESRCH;
    if (payload.pid < 0)
        return wh_err_sys(err, payload.pid, "look for the payload below init");
    x->payload_fd = (int)syscall(SYS_pidfd_open, payload.pid, 0);
    if (x->payload_fd < 0)
        return errno == ESRCH ? -ESRCH : wh_err_sys(err, -errno, "open a pidfd of the payload");
    /* It ends before init does: the number was its own when the pidfd was made. */
    if (first_child(t) != payload.pid || wh_pidfd_wait(t->pidfd, 0) != -ETIMEDOUT)
        return -ESRCH;
    return wh_api_find_namespaces(t->proc_fd, &payload, x->payload_fd, &x->req.join, err);
}

/* An init that waits, for start or for its payload, is not dumpable: without CAP_SYS_PTRACE the one has to send us what we may not open, and
 * the other is not entered itself. */
static int find_namespaces(struct executing *x, struct wh_err *err)
{
    const struct wh_target *t = &x->target;
    struct wh_err why = { 0 };
    int r = wh_api_find_namespaces(t->proc_fd, &t->state, t->pidfd, &x->req.join, err), asked;

    if (r != -EACCES && r != -EPERM)
        return r;
    if (t->status != WH_STATUS_CREATED && t->state.init) {
        *err = why;
        r = enter_payload(x, err);
    }
    if (t->status != WH_STATUS_CREATED)
        return r;
    asked = ask_namespaces(x, &why);
    if (asked < 0 && why.code == 0) {
        /* Nobody listens any more. */
        *err = why;
        return wh_api_find_namespaces(t->proc_fd, &t->state, t->pidfd, &x->req.join, err);
    }
    *err = why;
    return asked;
}

static int load(struct executing *x, wherry_ctx *ctx, const char *id, const struct wherry_exec_opts *opts,
                struct wh_err *err)
{
    struct wh_load *l = &x->load;
    const struct wh_process *p;
    struct winsize ws;
    bool detach;
    int r;

    r = wh_api_opts(&x->opts, sizeof x->opts, opts, err);
    x->load.cancel_fd = x->opts.cancel_fd > 0 ? x->opts.cancel_fd : -1;
    if (r == 0)
        r = wh_api_look_at_fds(x->opts.preserve_fds, x->opts.listen_fds, &x->closed_stdio, err);
    if (r == 0)
        r = fill_request(x, err);
    if (r == 0)
        r = wh_target_open(&x->target, ctx, id, false, err);
    if (r == 0)
        r = refuse(x, err);
    if (r == 0)
        r = load_config(x, err);
    if (r == 0 && !x->process)
        parse_caps(&x->req, x->opts.caps, x->load.errs);
    if (r == 0)
        r = find_namespaces(x, err);
    if (r == -ESRCH && err->code == 0)
        return no_namespaces(x, err);
    if (r == 0)
        r = find_cgroup(x, err);
    if (r < 0)
        return r;
    detach = x->opts.flags & WHERRY_EXEC_DETACH;
    p = x->process ? x->process->process : NULL;
    if (p ? p->terminal.v : x->req.terminal) {
        r = wh_console_check(true, detach, x->opts.console_socket, err);
        x->own_tty = !detach;
    } else {
        r = wh_console_check(false, detach, x->opts.console_socket, err);
    }
    if (r < 0)
        return r;
    /* The process has the size from its first instruction, whichever of the three is a terminal. */
    for (int fd = 0; x->own_tty && fd < 3 && !x->req.rows; fd++)
        if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_row && ws.ws_col) {
            x->req.rows = ws.ws_row;
            x->req.cols = ws.ws_col;
        }
    x->late = x->target.status == WH_STATUS_PAUSED;
    /* One that is paused may never have been started. */
    x->req.created = wh_state_status(x->target.dir_fd, true, false) == WH_STATUS_CREATED;
    l->opts.preserve_fds = x->opts.preserve_fds;
    l->opts.listen_fds = x->opts.listen_fds;
    l->opts.listen_fdnames = x->opts.listen_fdnames;
    l->opts.console_socket = x->own_tty ? "" : x->opts.console_socket;
    /* Who got the listener of init gets this one, whatever our own environment says. */
    l->opts.seccomp_receiver = x->target.state.listener_path;
    l->opts.flags = x->target.state.no_new_keyring ? WHERRY_CREATE_NO_NEW_KEYRING : 0;
    l->req.exec = &x->req;
    r = wh_load_plan(l, ctx, WH_VERB_EXEC, id, x->target.root_fd, err);
    return r < 0 ? r : wh_load_labels(l, err);
}

/* ---- making it ---- */

/* The cgroup of init below the container's own: a payload such as systemd hands its controllers on, and then no process may be in a cgroup
 * that has others below it. One that was asked for is not exchanged for another. */
static int descend_to_init(struct executing *x)
{
    char link[40], text[8192], *line, *end;
    ssize_t n;

    if (x->opts.cgroups && x->opts.cgroups[0])
        return -EBUSY;
    snprintf(link, sizeof link, "%d/cgroup", (int)x->target.state.pid);
    n = wh_read_at(x->target.proc_fd, link, text, sizeof text - 1);
    if (n < 0)
        return (int)n;
    for (line = text; line && strncmp(line, "0::", 3) != 0; line = end ? end + 1 : NULL)
        end = strchr(line, '\n');
    if (!line || wh_pidfd_wait(x->target.pidfd, 0) != -ETIMEDOUT)
        return -ENOENT;
    line[strcspn(line, "\n")] = '\0';
    return wh_cgroup_descend_to(&x->target.cgroup, line + 3);
}

static int on_forked(void *data, pid_t pid, int pidfd, struct wh_err *err)
{
    struct executing *x = data;
    int r = wh_rdt_join_here(x->load.proc_fd, x->target.dir_fd, pid, err);

    (void)pidfd;
    if (r < 0)
        return r;
    /* B does nothing before we answer. Entering, unlike being born, is not refused by pids.max; and the v1 hierarchies know no other
     * way. */
    if (!x->late)
        return wh_cgroup_attach(&x->target.cgroup, pid, err);
    r = wh_cgroup_enter(&x->target.cgroup, pid, err);
    if (r == -EBUSY && descend_to_init(x) == 0) {
        *err = (struct wh_err){ 0 };
        r = wh_cgroup_enter(&x->target.cgroup, pid, err);
    }
    return r;
}

/* The container may freeze what it likes of its own cgroups, and whoever asked for this process would wait as long as it pleases. */
static int on_still(void *data, struct wh_err *err)
{
    struct executing *x = data;

    if (wh_cgroup_stands(&x->target.cgroup) != 1)
        return 0;
    if (x->opts.flags & WHERRY_EXEC_IGNORE_PAUSED)
        return 1;
    return wh_err_set(err, WH_ERR_STATE, -ETIMEDOUT, NULL,
                      "the cgroup of the process has been frozen for %d s (use --ignore-paused to wait until it is "
                      "thawed)",
                      wh_waits.frozen / 1000);
}

static const struct wh_serve_ops serve_ops = { .forked = on_forked, .still = on_still };

static int spawn(struct executing *x, struct wh_err *err)
{
    struct wh_init_start s;
    int r;

    wh_closep(&x->mbox_fd);
    x->mbox_fd = wh_image_mbox(err);
    if (x->mbox_fd < 0)
        return x->mbox_fd;
    wh_init_start_init(&s, x->load.plan);
    s.root_fd = x->target.root_fd;
    s.mbox_fd = x->mbox_fd;
    s.cgroup_fd = x->late ? -1 : wh_cgroup_fd(&x->target.cgroup);
    s.closed_stdio = x->closed_stdio;
    s.slot[WH_SLOT_PROC] = x->target.proc_fd;
    s.slot[WH_SLOT_CONSOLE] = x->own_tty ? x->tty.console : x->console_fd;
    s.slot[WH_SLOT_ROOTFS] = x->rootfs_fd;
    s.slot[WH_SLOT_TARGET] = x->payload_fd >= 0 ? x->payload_fd : x->target.pidfd;
    for (unsigned i = 0; i < WH_NS_MAX; i++)
        s.slot[WH_SLOT_NS + i] = x->ns.fd[i];
    r = wh_init_start(&s, &x->run, err);
    if (r < 0)
        return r;
    x->run.plan = x->load.plan;
    x->run.proc_fd = x->target.proc_fd;
    x->run.mbox_fd = x->mbox_fd;
    x->run.ops = &serve_ops;
    x->run.data = x;
    x->run.next_ask = 0;
    r = wh_serve_exec(&x->run, x->load.spec, err);
    wh_closep(&x->run.ctl);
    return r;
}

static bool failed_at(const struct executing *x, uint16_t op)
{
    const struct wh_step *s = x->run.failed_step != WH_NO_STEP ? wh_plan_step(x->load.plan, x->run.failed_step) : NULL;

    return s && s->op == op;
}

static int make(struct executing *x, struct wh_err *err)
{
    int r;

    /* A container without a mount namespace: the plan changes the root. */
    if (x->load.plan->host_slots >> WH_SLOT_ROOTFS & 1) {
        x->rootfs_fd = wh_apart_open(AT_FDCWD, x->target.state.rootfs, O_PATH | O_DIRECTORY, 0, x->run.cancel_fd);
        if (x->rootfs_fd < 0)
            return wh_api_unanswered(x->rootfs_fd, "open rootfs", x->target.state.rootfs, err);
    }
    /* Its own connection and message: an agent serves one process a connection. */
    if (wh_seccomp_notifies(x->load.spec, &x->load.req) && x->target.state.listener_path) {
        x->listener = (struct wh_listener){ .sock = -1,
                                            .path = x->target.state.listener_path,
                                            .metadata = x->target.state.listener_metadata,
                                            .state = &x->target.state,
                                            .status = wh_status_name(x->target.status) };
        r = wh_listener_connect(&x->listener, x->run.cancel_fd, err);
        if (r < 0)
            return r;
        x->run.listener = &x->listener;
    }
    r = wh_api_open_console(x->opts.console_socket, x->run.cancel_fd, &x->console_fd, x->own_tty ? &x->tty : NULL, err);
    if (r < 0)
        return r;
    r = spawn(x, err);
    if (r == -EBUSY && x->run.failed_step == WH_NO_STEP && descend_to_init(x) == 0) {
        *err = (struct wh_err){ 0 };
        r = spawn(x, err);
    }
    /* pids.max has room for one, and A was that one; or for none: then B enters, which the kernel does not refuse. Nor does it where all is
     * frozen. */
    if ((r == -EAGAIN || (r == -ETIMEDOUT && x->opts.flags & WHERRY_EXEC_IGNORE_PAUSED)) && !x->late &&
        wh_cgroup_fd(&x->target.cgroup) >= 0 && (x->run.failed_step == WH_NO_STEP || failed_at(x, WH_OP_CLONE_B))) {
        *err = (struct wh_err){ 0 };
        x->late = true;
        x->run.failed_step = WH_NO_STEP;
        r = spawn(x, err);
    }
    wh_closep(&x->console_fd);
    if (x->own_tty)
        wh_tty_release(&x->tty);
    return r;
}

/* It runs; who waits for it is told. */
static int tell(struct executing *x, struct wh_err *err)
{
    int r = x->own_tty ? wh_tty_receive(&x->tty, err) : 0;

    if (r == 0)
        r = wh_api_send_pidfd(x->opts.pidfd_socket, x->run.pidfd_b, "setns", x->run.cancel_fd, err);
    if (r == 0)
        r = wh_api_write_pid_file(x->opts.pid_file, x->run.pid_b, x->run.cancel_fd, err);
    if (r == 0)
        return 0;
    wh_tty_done(&x->tty);
    wh_pidfd_kill(x->run.pidfd_b, SIGKILL);
    wh_pidfd_reap(x->run.pidfd_b, NULL);
    wh_closep(&x->run.pidfd_b);
    return r;
}

int wherry_exec(wherry_ctx *ctx, const char *id, const struct wherry_exec_opts *opts, int *ret_status,
                wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    CLEANUP_EXECUTING struct executing x;
    struct wh_err err = { 0 };
    int r, status = 0;

    if (reterr)
        *reterr = NULL;
    executing_init(&x);
    r = load(&x, ctx, id, opts, &err);
    if (r == 0) {
        x.run.what = "the process";
        x.run.cancel_fd = x.opts.cancel_fd > 0 ? x.opts.cancel_fd : -1;
        x.oom_kills = wh_api_oom_kills(&x.target.cgroup);
        r = make(&x, &err);
    }
    if (r < 0) {
        wh_api_oom_explain(&x.target.cgroup, x.oom_kills, x.load.spec, &err);
        if (failed_at(&x, WH_OP_EXEC_CHECK) || failed_at(&x, WH_OP_EXEC))
            wh_err_prefix(&err, "unable to start container process");
        return wh_load_fail(&x.load, &err, x.run.failed_step, reterr);
    }
    WH_INFO("process %d was started in container %s", (int)x.run.pid_b, id);
    wh_load_warnings(&x.load, ctx);
    r = tell(&x, &err);
    /* From here on signals are the process's own business. */
    x.run.cancel_fd = -1;
    if (r == 0 && !(x.opts.flags & WHERRY_EXEC_DETACH)) {
        struct wh_foreground f = { .run = &x.run,
                                   .tty = x.own_tty ? &x.tty : NULL,
                                   .signal_fd = x.opts.signal_fd > 0 ? x.opts.signal_fd : -1,
                                   .what = "the process" };

        r = wh_api_foreground(&f, &status, &err);
        if (r == 0)
            wh_api_oom_log(ctx, &x.target.cgroup, x.oom_kills, status, "the process");
        if (r == 0)
            wh_api_sigsys_log(ctx, x.load.plan, x.run.pid_b, status, "the process");
    }
    if (ret_status)
        *ret_status = status;
    return r < 0 ? wh_api_fail(reterr, &err, WH_NO_STEP) : 0;
}
