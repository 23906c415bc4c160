/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_SERVE_H
#define WH_HOST_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/plan.h"
#include "base/err.h"

struct wh_run;
struct wh_listener;

#define WH_ASK_MAX_FDS 8

/* What init asked for. The step was found in our own copy of the plan; the fds came with the message, are ours to use and
 * closed by serve. */
struct wh_ask {
    const struct wh_step *step;
    uint32_t number; /* of the step, from 0 */
    pid_t pid; /* of the asking process, as our pid namespace numbers it */
    int pidfd; /* of the same */
    int cancel_fd; /* the run's */
    const int *fds;
    unsigned nfds;
};

/*
 * The work behind the protocol, by what init asks. Each returns 0, or a negative errno with the sentence in err: the
 * errno is what init is told, the sentence what the user is told. `data` is wh_run.data. *ret_fd, when the function is
 * given one, is an fd that goes to init with the answer (serve closes ours). A null function refuses.
 */
struct wh_serve_ops {
    /* B is there, and verified as our child; called once, before it runs its first step. */
    int (*forked)(void *data, pid_t pid, int pidfd, struct wh_err *err);
    int (*limits)(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err);
    int (*idmap)(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err);
    int (*mount)(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err);
    int (*device)(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err);
    int (*netdev)(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err);
    int (*hook)(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err);
    /* Nothing was heard of it for wh_waits.frozen, and for each second after that. 1: it may be still for as long as it likes. May be null. */
    int (*still)(void *data, struct wh_err *err);
};

/* One process tree from spawn to READY, or from START to EXEC. fds are borrowed but for those marked. */
struct wh_run {
    const struct wh_plan *plan;
    int proc_fd, ctl, mbox_fd; /* mbox_fd: writable where there is a listener */
    int cancel_fd; /* readable = give up; -1 = none */
    int pidfd_a; /* owned; reaped and closed by serve */
    int pidfd_b; /* owned once FORKED; -1 before */
    pid_t pid_b;
    const struct wh_serve_ops *ops;
    void *data;
    const char *what; /* for messages; null: "container init" */
    /* Connected, where the filter notifies: it is handed over when the process has loaded the filter, whoever serves then.
     * Null where no filter does. */
    struct wh_listener *listener;
    uint32_t next_ask; /* lowest step that may still ask */
    int64_t until; /* when the process must have been executed, of wh_now_ms(); 0 = as long as it gets on */
    bool left; /* something that was killed has not ended: the cgroup is what is left to find it by */
    int64_t
        gone_by; /* what was killed is waited for until then, all together, of wh_now_ms(); 0 = nothing has failed */
    uint32_t hook_step; /* the one ASK_HOOK of a start without a plan; 0 = none */
    /* The step that failed, for the caller's error object; WH_NO_STEP when none did. */
    uint32_t failed_step;
};
#define WH_NO_STEP UINT32_MAX

/*
 * Serves one spawn until READY. 0: B waits for wh_serve_commit() or wh_serve_start() on r->ctl, and ends if that closes before; A is
 * reaped. Negative errno: A and B are dead and reaped, unless `left`; err says why. The spec names places in messages and may be null.
 * -ECANCELED when cancel_fd became readable; -ETIMEDOUT when init was in one system call for wh_waits.still.
 */
struct wh_spec;
int wh_serve_create(struct wh_run *r, const struct wh_spec *spec, struct wh_err *err);

/* The state is on disk: B outlives the caller from here on, and waits on the start socket. */
int wh_serve_commit(struct wh_run *r, struct wh_err *err);

/*
 * Serves a spawn whose plan has no READY (exec) until execve closed the socket. 0: the payload runs, or has ended already, and A is
 * reaped. Negative errno: A and B are dead and reaped, err says why.
 */
int wh_serve_exec(struct wh_run *r, const struct wh_spec *spec, struct wh_err *err);

/*
 * On a connection to the start socket, or on the control socket of a B that was not committed: START, then what the steps of phase C ask, until execve closed the socket. 0: the
 * payload runs. Negative errno with the reason otherwise; the process is left to the caller. r->plan may be null when
 * this process did not create the container: then `steps` (the text of steps.txt, may be null) names the step, and
 * init may ask for nothing but step hook_step, once, which is then called with ask.step null.
 */
int wh_serve_start(struct wh_run *r, const struct wh_spec *spec, const char *steps, size_t steps_len,
                   struct wh_err *err);

/*
 * For the namespaces of a created container whose plan has OPEN_NS, over a connection to its start socket: the caller owns what is in ret_fds.
 * -ECONNRESET with an empty err: it was started, or ended, meanwhile. cancel_fd: readable = give up; -1 = none.
 */
int wh_serve_enter(int ctl, int pidfd, int cancel_fd, int ret_fds[WH_ASK_MAX_FDS], unsigned *ret_n, struct wh_err *err);

#endif
