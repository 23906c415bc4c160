/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_HOOKS_H
#define WH_HOST_HOOKS_H

#include "base/arena.h"
#include "host/state.h"

/* All hooks of the plan's host lists; strings are the plan's. 0 or -ENOMEM. */
int wh_hooks_of_plan(const struct wh_plan *plan, struct wh_arena *arena, struct wh_hook_entry **ret, size_t *ret_n);

const char *wh_hook_name(uint32_t kind); /* "createRuntime" */
bool wh_hooks_any(const struct wh_hook_entry *hooks, size_t n, uint32_t kind);

/* The state as hooks read it on stdin (runtime-spec, runtime.md). `pid` 0 is left out. */
void wh_hook_state(const struct wh_state *s, const char *status, pid_t pid, struct wh_buf *out);

/*
 * Where the hooks of a kind do not run in the runtime's own namespaces: starts one, as a child of ours that leads a session, with
 * these fds as 0-2. 0 or -errno with the reason in err.
 */
typedef int (*wh_hook_spawn_fn)(void *data, const struct wh_hook_entry *h, const int stdio[3], int *ret_pidfd,
                                pid_t *ret_pid, struct wh_err *err);

struct wh_hook_run {
    const struct wh_hook_entry *hooks; /* of all kinds */
    size_t nhooks;
    const struct wh_state *state;
    int bundle_fd; /* where they run */
    int cancel_fd; /* readable = give up; or -1 */
    wh_hook_spawn_fn spawn; /* null: in the runtime's namespaces */
    void *spawn_data;
    int64_t until; /* wh_now_ms: what has not ended by then is given up as if cancel_fd were readable; 0: no bound */
    int64_t *
        ret_gone_by; /* set when one was killed: until when, wh_now_ms, what is killed with it is waited for; or null */
    int init_fd; /* pidfd of the container's init: a hook for one that has died is not waited for; or -1 */
    /* poststop: gets each failure, and the rest runs all the same; or null */
    void (*failed)(void *data, const struct wh_err *err);
    void *failed_data;
};

/*
 * Runs the hooks of one kind, in order: in the runtime's namespaces, or where `spawn` puts them. Exactly their environment (the caller's where the
 * configuration has no `env`, as its readers expect), cwd the bundle, a session of their own, three fds. The first failure
 * stops: "error running createRuntime hook #0: exit status 1, stdout: , stderr: … (after 0.012s, /bin/sh)", with its place. Annotations
 * run.oci.hooks.stdout and .stderr name files (relative ones in the bundle) that the output is appended to instead. 0, -ECHILD (it failed),
 * -ETIMEDOUT, -ECANCELED, -errno.
 */
int wh_hooks_run(const struct wh_hook_run *run, uint32_t kind, const char *status, pid_t pid, struct wh_err *err);

#endif
