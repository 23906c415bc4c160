/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks that run in the container's namespaces: each is an exec of its own, whose plan is made from the hook. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/hooks.h"
#include "host/image.h"
#include "host/init.h"
#include "host/listener.h"

int wh_api_find_namespaces(int proc_fd, const struct wh_state *state, int pidfd, uint32_t *ret, struct wh_err *err)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } all[] = {
        { CLONE_NEWUSER, "user" }, { CLONE_NEWNS, "mnt" },  { CLONE_NEWPID, "pid" },   { CLONE_NEWNET, "net" },
        { CLONE_NEWIPC, "ipc" },   { CLONE_NEWUTS, "uts" }, { CLONE_NEWTIME, "time" }, { CLONE_NEWCGROUP, "cgroup" },
    };
    char link[40];

    *ret = 0;
    for (size_t i = 0; i < WH_ELEMENTSOF(all); i++) {
        uint64_t own, theirs;
        int r;

        if (!(state->nsflags & all[i].flag))
            continue;
        snprintf(link, sizeof link, "self/ns/%s", all[i].name);
        r = wh_proc_ns_ino(proc_fd, link, &own);
        if (r == 0) {
            snprintf(link, sizeof link, "%d/ns/%s", (int)state->pid, all[i].name);
            r = wh_proc_ns_ino(proc_fd, link, &theirs);
        }
        if (r == -ENOENT || r == -ESRCH)
            return -ESRCH;
        if (r < 0)
            return wh_err_sys(err, r, "look at the %s namespace of the container", all[i].name);
        if (own != theirs)
            *ret |= all[i].flag;
    }
    /* The number may have become another process's while we looked, whose namespaces are perhaps our own. */
    return wh_pidfd_wait(pidfd, 0) == -ETIMEDOUT ? 0 : -ESRCH;
}

int wh_api_take_namespaces(struct wh_nsfds *n, int proc_fd, const struct wh_state *state, const int *fds, unsigned nfds,
                           uint32_t *ret_join, uint32_t *ret_host, struct wh_err *err)
{
    int own[WH_ASK_MAX_FDS], r = 0;
    unsigned k;

    for (k = 0; k < nfds && k < WH_ASK_MAX_FDS; k++) {
        own[k] = fcntl(fds[k], F_DUPFD_CLOEXEC, 3);
        if (own[k] < 0)
            r = -errno;
    }
    if (r == 0)
        r = wh_nsfds_take(n, proc_fd, own, k, state->nsflags, ret_join, ret_host);
    while (k-- > 0)
        wh_closep(&own[k]);
    if (r == -EPROTO)
        return wh_err_set(err, WH_ERR_PROTOCOL, r, NULL, "protocol error: wherry-init sent what is not its namespaces");
    return r < 0 ? wh_err_sys(err, r, "take the namespaces of the container") : 0;
}

/* The pid of init as its own pid namespace has it: the last one of the list. */
static pid_t inner_pid(int proc_fd, pid_t pid)
{
    char path[32], text[4096], *line, *last;
    uint64_t inner;
    ssize_t n;

    snprintf(path, sizeof path, "%d/status", (int)pid);
    n = wh_read_at(proc_fd, path, text, sizeof text - 1);
    if (n <= 0)
        return pid;
    text[n] = '\0';
    line = strstr(text, "\nNSpid:");
    if (!line)
        return pid;
    line[1 + strcspn(line + 1, "\n")] = '\0';
    last = strrchr(line + 1, '\t');
    return last && wh_parse_u64(last + 1, INT32_MAX, &inner) == 0 && inner > 0 ? (pid_t)inner : pid;
}

/* ---- one hook ---- */

static int on_forked(void *data, pid_t pid, int pidfd, struct wh_err *err)
{
    const struct wh_hooking *k = data;

    (void)pidfd;
    /* Entering, unlike being born there, is not refused by pids.max: the hook is one more beside init. */
    return wh_cgroup_enter(k->cgroup, pid, err);
}

static const struct wh_serve_ops serve_ops = { .forked = on_forked };

static int load_hook(const struct wh_hooking *k, const struct wh_hook_entry *h, struct wh_load *l,
                     struct wh_exec_request *req, struct wh_exec_hook *hook, struct wh_err *err)
{
    int r;

    *hook = (struct wh_exec_hook){ .path = h->path,
                                   .args = h->args.v,
                                   .nargs = h->args.n,
                                   .env = h->env.v,
                                   .nenv = h->env.n,
                                   .env_set = h->env_set,
                                   .create = h->kind == WH_HOOK_CREATE_CONTAINER };
    *req =
        (struct wh_exec_request){ .hook = hook, .join = k->join, .join_host = k->join_host, .by_fd = k->ask->nfds > 0 };
    r = req->by_fd ? 0 : wh_api_find_namespaces(k->proc_fd, k->state, k->pidfd, &req->join, err);
    if (r == -ESRCH && err->code == 0)
        return wh_err_set(err, WH_ERR_STATE, r, NULL, "container init died meanwhile");
    if (r < 0)
        return r;
    l->arena = wh_arena_new();
    l->errs = calloc(1, sizeof *l->errs);
    l->proc_fd = fcntl(k->proc_fd, F_DUPFD_CLOEXEC, 3);
    if (!l->arena || !l->errs || l->proc_fd < 0)
        return wh_err_sys(err, l->proc_fd < 0 ? -errno : -ENOMEM, "prepare a hook");
    l->bundle = k->state->bundle;
    l->req.exec = req;
    l->opts.seccomp_receiver = k->state->listener_path;
    l->opts.flags = k->state->no_new_keyring ? WHERRY_CREATE_NO_NEW_KEYRING : 0;
    r = wh_load_plan(l, k->ctx, WH_VERB_EXEC, k->state->id, k->root_fd, err);
    if (r < 0 && err->code == 0 && l->errs->n > 0)
        *err = l->errs->e[0];
    return r;
}

static int start_hook(const struct wh_hooking *k, const struct wh_load *l, const int stdio[3], bool notifies,
                      struct wh_run *run, struct wh_err *err)
{
    WH_CLEANUP_FD int mbox = wh_image_mbox(err), rootfs = -1;
    struct wh_listener listener = { .sock = -1,
                                    .path = k->state->listener_path,
                                    .metadata = k->state->listener_metadata,
                                    .state = k->state,
                                    .status = "created" };
    struct wh_init_start s;
    int r = mbox < 0 ? mbox : 0;

    if (r == 0 && l->plan->host_slots >> WH_SLOT_ROOTFS & 1) {
        rootfs = wh_apart_open(AT_FDCWD, k->state->rootfs, O_PATH | O_DIRECTORY, 0, k->cancel_fd);
        if (rootfs < 0)
            r = wh_api_unanswered(rootfs, "open rootfs", k->state->rootfs, err);
    }
    if (r == 0 && notifies) {
        r = wh_listener_connect(&listener, k->cancel_fd, err);
        run->listener = &listener;
    }
    if (r == 0) {
        wh_init_start_init(&s, l->plan);
        s.root_fd = k->root_fd;
        s.mbox_fd = mbox;
        memcpy(s.stdio, stdio, sizeof s.stdio);
        s.slot[WH_SLOT_PROC] = k->proc_fd;
        s.slot[WH_SLOT_ROOTFS] = rootfs;
        s.slot[WH_SLOT_TARGET] = k->pidfd;
        for (unsigned i = 0; i < WH_NS_MAX; i++)
            s.slot[WH_SLOT_NS + i] = k->ns.fd[i];
        r = wh_init_start(&s, run, err);
    }
    if (r == 0) {
        run->mbox_fd = mbox;
        r = wh_serve_exec(run, k->spec, err);
    }
    wh_closep(&run->ctl);
    wh_listener_done(&listener);
    run->listener = NULL;
    return r;
}

static int spawn(void *data, const struct wh_hook_entry *h, const int stdio[3], int *ret_pidfd, pid_t *ret_pid,
                 struct wh_err *err)
{
    struct wh_hooking *k = data;
    struct wh_exec_request req;
    struct wh_exec_hook hook;
    struct wh_load l;
    struct wh_run run = { .proc_fd = k->proc_fd,
                          .ctl = -1,
                          .mbox_fd = -1,
                          .cancel_fd = k->cancel_fd,
                          .pidfd_a = -1,
                          .pidfd_b = -1,
                          .ops = &serve_ops,
                          .data = k,
                          .what = "the hook",
                          .failed_step = WH_NO_STEP };
    int r;

    wh_load_init(&l);
    l.spec = k->spec;
    r = load_hook(k, h, &l, &req, &hook, err);
    if (r == 0) {
        bool notifies = !hook.create && k->state->listener_path && wh_seccomp_notifies(k->spec, &l.req);

        run.plan = l.plan;
        r = start_hook(k, &l, stdio, notifies, &run, err);
    }
    l.spec = NULL; /* borrowed */
    wh_load_done(&l);
    if (r < 0)
        return r;
    *ret_pidfd = run.pidfd_b;
    *ret_pid = run.pid_b;
    return 0;
}

/* The pid of init as the hooks see it: those of createContainer are not in a pid namespace that was joined (compile-exec.c). */
static pid_t seen_pid(const struct wh_hooking *k, uint32_t kind)
{
    const struct wh_namespace *ns = &k->spec->linux_.ns[WH_NS_PID];

    if (kind == WH_HOOK_CREATE_CONTAINER && ns->set && ns->path.v && *ns->path.v)
        return k->state->pid;
    return inner_pid(k->proc_fd, k->state->pid);
}

int wh_api_container_hooks(struct wh_hooking *k, uint32_t kind, const char *status, struct wh_err *err)
{
    struct wh_hook_run run = { .hooks = k->hooks,
                               .nhooks = k->nhooks,
                               .state = k->state,
                               .bundle_fd = k->bundle_fd,
                               .cancel_fd = k->cancel_fd,
                               .init_fd = k->pidfd,
                               .spawn = spawn,
                               .spawn_data = k };
    int r = 0;

    wh_nsfds_init(&k->ns);
    if (k->ask->nfds > 0)
        r = wh_api_take_namespaces(&k->ns, k->proc_fd, k->state, k->ask->fds, k->ask->nfds, &k->join, &k->join_host,
                                   err);
    if (r == 0)
        r = wh_hooks_run(&run, kind, status, seen_pid(k, kind), err);
    wh_nsfds_done(&k->ns);
    return r;
}
