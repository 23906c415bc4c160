/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/init.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "abi/proto.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/log.h"
#include "host/image.h"
#include "host/spawn.h"
#include "host/state.h"

void wh_init_start_init(struct wh_init_start *s, const struct wh_plan *plan)
{
    *s = (struct wh_init_start){ .plan = plan, .root_fd = -1, .mbox_fd = -1, .cgroup_fd = -1, .stdio = { -1, -1, -1 } };
    for (unsigned i = 0; i < WH_SLOTS; i++)
        s->slot[i] = -1;
}

/* The affinity that the plan wants before the cgroup is entered (execCPUAffinity). */
static void initial_cpus(const struct wh_plan *plan, struct wh_spawn *s)
{
    const struct wh_step *step = wh_plan_first_host(plan);

    for (uint32_t i = 0; i < plan->nhost; i++, step = wh_step_next(step))
        if (step->op == WH_OP_CPU_INITIAL) {
            const struct wh_step_cpu_initial *a = (const void *)step;

            s->cpus = wh_plan_at(plan, a->mask.off);
            s->cpus_len = a->mask.len;
            WH_DEBUG("CPU affinity of wherry-init, before it enters the cgroup: %s", wh_plan_str(plan, a->cpus));
        }
}

int wh_init_start(const struct wh_init_start *p, struct wh_run *run, struct wh_err *err)
{
    static const char *const no_env[] = { NULL };
    WH_CLEANUP_FD int image = wh_image_open(p->root_fd, err), plan = -1, ours = -1, theirs = -1;
    const char *argv[] = { "wherry:[A]", NULL, NULL };
    char base[12];
    struct wh_spawn s;
    pid_t pid = 0;
    int pair[2], r;

    if (image < 0)
        return image;
    plan = wh_image_plan(p->plan, err);
    if (plan < 0)
        return plan;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return wh_err_sys(err, -errno, "make a socket pair");
    ours = pair[0];
    theirs = pair[1];

    wh_spawn_init(&s, "wherry-init");
    for (int i = 0; i < 3; i++)
        if (p->closed_stdio & (1u << i))
            s.stdio[i] = WH_SPAWN_NULL;
        else if (p->stdio[i] >= 0)
            s.stdio[i] = p->stdio[i];
    s.exec_fd = image;
    s.keep = p->plan->preserve;
    snprintf(base, sizeof base, "%u", 3 + s.keep);
    argv[1] = base;
    s.argv = argv;
    s.envp = no_env;
    s.fds[WH_INIT_CTL] = theirs;
    s.fds[WH_INIT_PLAN] = plan;
    s.fds[WH_INIT_MBOX] = p->mbox_fd;
    s.nfds = WH_INIT_SLOTS;
    for (unsigned i = 0; i < WH_SLOTS; i++)
        if (p->plan->host_slots >> i & 1) {
            if (p->slot[i] < 0 || s.nfds == WH_SPAWN_MAX_FDS)
                return wh_err_set(err, WH_ERR_HOST, -EBADF, NULL, "the plan wants an fd for slot %u, and there is none",
                                  i);
            s.fds[s.nfds++] = p->slot[i];
        }
    s.cgroup_fd = p->cgroup_fd;
    s.cancel_fd = run->cancel_fd;
    initial_cpus(p->plan, &s);
    if (wh_log_on(WH_LOG_DEBUG))
        wh_mbox_time(p->mbox_fd);
    r = wh_spawn(&s, &run->pidfd_a, &pid, err);
    if (r == 0)
        WH_DEBUG("wherry-init runs as process %d, with a plan of %u steps (%u bytes)", (int)pid, p->plan->nsteps,
                 p->plan->size);
    if (r == -EACCES && wh_startswith(err->msg, "execute")) {
        *err = (struct wh_err){ 0 };
        wh_err_set(err, WH_ERR_HOST, r, NULL,
                   "execute wherry-init: permission denied: a security module forbids it, or sysctl vm.memfd_noexec "
                   "does and the "
                   "state root is mounted noexec");
    }
    if (r == 0)
        run->ctl = wh_take_fd(&ours);
    return r;
}
