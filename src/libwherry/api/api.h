/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_API_API_H
#define WH_API_API_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "host/cgroup/cgroup.h"
#include "host/facts.h"
#include "host/mountfd.h"
#include "host/serve.h"
#include "host/state.h"
#include "host/tty.h"
#include "plan/plan.h"
#include "wherry.h"

/* What the functions of wherry.h share. Nothing here is exported. */

struct wherry_ctx {
    char *root; /* absolute */
    char *notify_socket; /* or null */
    char *user_bus; /* or null */
    enum wherry_cgroup_manager cgroup_manager;
    enum wherry_rootless rootless;
    wherry_log_fn log;
    wherry_log_at_fn log_at;
    void *log_data;
    enum wherry_log_level log_level;
    struct wh_also *also; /* where warnings go while a failure is cleaned up after; null: to the log */
};

/*
 * What goes wrong while a failure is cleaned up after: hooks, cgroups. It becomes a part of the failure and no
 * warning before it: podman reads the log of a failed create as one record. Begun before the cleaning, attached to
 * the errors after it.
 */
struct wh_also {
    struct wherry_error *first, **last;
};
void wh_api_also_begin(wherry_ctx *ctx, struct wh_also *also);
void wh_api_also_end(wherry_ctx *ctx, wherry_error **reterr);

struct wherry_error {
    struct wh_err e;
    char step[12];
    struct wherry_error *next;
    char text[];
};

struct wherry_container {
    struct wh_arena *arena;
    struct wh_state state;
    enum wh_status status;
    char *owner;
    int dir_fd;
};

/* Hands err over to the caller of the library; returns its code. `step` is a step number or WH_NO_STEP. */
int wh_api_fail(wherry_error **reterr, const struct wh_err *err, uint32_t step);
int wh_api_fail_list(wherry_error **reterr, const struct wh_errlist *errs);
void wh_api_log_at(const wherry_ctx *ctx, enum wherry_log_level level, const char *file, const char *func,
                   const char *fmt, ...) WH_PRINTF(5, 6);
#define wh_api_log(ctx, level, ...) wh_api_log_at((ctx), (level), __FILE__, __func__, __VA_ARGS__)

/* For the rest of the function, this thread writes its records to the log of the context. First in every verb. */
struct wh_logger wh_api_log_begin(const wherry_ctx *ctx);
void wh_api_log_end(const struct wh_logger *before);
#define WH_API_LOGS(ctx)                                                                                               \
    __attribute__((cleanup(wh_api_log_end), unused)) const struct wh_logger before_ = wh_api_log_begin(ctx)

/* Records at level debug (log.c). */
void wh_api_log_facts(const struct wh_facts *f);
void wh_api_log_plan(const struct wh_plan *plan);
void wh_api_log_cgroup(const struct wh_cgroup *cg);

/* Copies an option struct of any version into ours (wherry.h). -E2BIG when it asks for what we do not know, -EINVAL when it
 * is no option struct. opts may be null. */
int wh_api_opts(void *to, size_t size, const void *opts, struct wh_err *err);

/* Which of fds 0-2 are closed, and whether the preserved ones are open. Before we open any. */
int wh_api_look_at_fds(uint32_t preserve, uint32_t listen, uint32_t *ret_closed, struct wh_err *err);
/* What is told of a process that is there; a null path is success. */
int wh_api_send_pidfd(const char *socket, int pidfd, const char *payload, int cancel_fd, struct wh_err *err);
int wh_api_write_pid_file(const char *path, pid_t pid, int cancel_fd, struct wh_err *err);

/* A path of the caller, made absolute with the working directory. In arena; null when that fails (errno). */
const char *wh_api_absolute(struct wh_arena *arena, const char *path);

/* The directory of a container that exists, with the rest that most commands need. */
struct wh_target {
    int root_fd, dir_fd, proc_fd;
    struct wh_arena *arena;
    struct wh_state state;
    bool creating;
    int pidfd; /* of init, -1 when it is gone */
    struct wh_cgroup cgroup;
    const char *user_bus; /* the context's */
    enum wh_status status;
};
void wh_target_init(struct wh_target *t);
void wh_target_done(struct wh_target *t);
#define WH_CLEANUP_TARGET __attribute__((cleanup(wh_target_done)))
/* Looks the container up and fills all of it. `journal`: containers that are being made, or whose creator died, count too. */
int wh_target_open(struct wh_target *t, const wherry_ctx *ctx, const char *id, bool journal, struct wh_err *err);
/* Of an update that was killed nothing stays: wh_target_open() sees to it. One that goes on is left alone. */
int wh_api_undo_update(struct wh_target *t, const wherry_ctx *ctx, const char *id, struct wh_err *err);
/* The part of it that can change: reads the state again. */
int wh_target_look(struct wh_target *t, const char *id, bool journal, struct wh_err *err);

/*
 * Kills, removes the cgroup, the state directory, and runs poststop. What failed is in err, and the state directory stays,
 * so that it can be repeated. The caller holds the lock.
 */
int wh_api_destroy(const wherry_ctx *ctx, struct wh_target *t, const char *id, int64_t end, struct wh_err *err);
/* Logs a failure that ends nothing. `ctx` is a wherry_ctx: for wh_hook_run. */
void wh_api_warn(void *ctx, const struct wh_err *err);

/* ---- load.c ---- */

/* config.json and all that is known before anything is made. */
struct wh_load {
    struct wherry_create_opts opts;
    struct wh_arena *arena;
    struct wh_spec *spec;
    struct wh_errlist *errs;
    struct wh_buf text; /* the bytes of config.json: create keeps them for exec */
    const char *bundle; /* absolute */
    int bundle_fd, proc_fd;
    int cancel_fd; /* readable = give up; -1 = none */
    struct wh_facts facts;
    struct wh_request req;
    struct wh_nsfds ns;
    const struct wh_plan *plan;
};
void wh_load_init(struct wh_load *l);
void wh_load_done(struct wh_load *l);
#define WH_CLEANUP_LOAD __attribute__((cleanup(wh_load_done)))

/* Reads and parses. Errors in err, or in l->errs when err stays empty. */
int wh_load_spec(struct wh_load *l, unsigned spec_flags, struct wh_err *err);
/* Probes the host, opens namespaces, compiles filter and plan. root_fd (for the filter cache) may be -1. */
int wh_load_plan(struct wh_load *l, const wherry_ctx *ctx, enum wh_verb verb, const char *id, int root_fd,
                 struct wh_err *err);
/*
 * Asks libselinux about the labels of a plan that is compiled: a context that the loaded policy does not know is an error here, before anything
 * is made. -ELIBACC in a program that cannot load it. Nothing is loaded where there is no label.
 */
int wh_load_labels(struct wh_load *l, struct wh_err *err);
/* A file of at most WH_SPEC_MAX_BYTES, regular or a pipe that has no name, whole. `flags`: more for openat, such as O_NOFOLLOW. -ENOENT leaves
 * err empty. */
int wh_load_file(int dir_fd, const char *name, int flags, int cancel_fd, struct wh_buf *ret, struct wh_err *err);
/* The sentence for what wh_apart() and its like return: "open bundle NAME: …". */
int wh_api_unanswered(int r, const char *what, const char *name, struct wh_err *err);
/* Of a container that is there, as create read it. Errors in err, or in l->errs when err stays empty. */
int wh_load_kept(struct wh_load *l, int proc_fd, int dir_fd, const char *id, struct wh_err *err);
/* Logs the warnings about the configuration, and forgets them. Called when all went well: engines expect one record of a failure. */
void wh_load_warnings(const struct wh_load *l, const wherry_ctx *ctx);
/* Hands over whichever of the two errors there is. */
int wh_load_fail(const struct wh_load *l, const struct wh_err *err, uint32_t step, wherry_error **reterr);

/* ---- hook.c ---- */

/* Which of init's namespaces are not ours already (joining one's own user namespace is an error), as CLONE_NEW*. -ESRCH with an
 * empty err: init has died. */
int wh_api_find_namespaces(int proc_fd, const struct wh_state *state, int pidfd, uint32_t *ret, struct wh_err *err);

/* What init has sent (see wh_nsfds_take), each fd duplicated. */
int wh_api_take_namespaces(struct wh_nsfds *n, int proc_fd, const struct wh_state *state, const int *fds, unsigned nfds,
                           uint32_t *ret_join, uint32_t *ret_host, struct wh_err *err);

/* Everything but `ns` borrowed. */
struct wh_hooking {
    const wherry_ctx *ctx;
    struct wh_spec *spec;
    const struct wh_state *state;
    struct wh_cgroup *cgroup;
    const struct wh_hook_entry *hooks; /* of all kinds */
    size_t nhooks;
    int root_fd, proc_fd, bundle_fd, cancel_fd;
    int pidfd; /* of init, which waits */
    const struct wh_ask *ask; /* with which it may have sent its namespaces */
    struct wh_nsfds ns; /* those */
    uint32_t join, join_host;
};
/* Runs createContainer or startContainer hooks in the container's namespaces: wh_hooks_run. */
int wh_api_container_hooks(struct wh_hooking *k, uint32_t kind, const char *status, struct wh_err *err);

/* ---- create.c ---- */

/* A container under construction, and, in wherry_run, the one that runs. */
struct wh_creation {
    const wherry_ctx *ctx;
    const char *id;
    struct wh_load load;
    uint32_t closed_stdio; /* bit i: fd i was closed when we were called */
    int root_fd, dir_fd, journal_fd, mbox_fd, listen_fd, rootfs_fd, console_fd;
    int end_fd; /* signals that end a foreground run whose payload is not there yet; run.cancel_fd meanwhile */
    struct wh_tty tty;
    bool own_tty;
    struct wh_cgroup cgroup;
    struct wh_mountfd mounts;
    struct wh_state state;
    struct wh_hook_entry *hooks;
    size_t nhooks;
    struct wh_run run;
    uint64_t oom_kills; /* that the cgroup had counted before */
    bool made; /* there is something to undo */
};
void wh_creation_init(struct wh_creation *c);
void wh_creation_done(struct wh_creation *c);
#define WH_CLEANUP_CREATION __attribute__((cleanup(wh_creation_done)))
int wh_api_create(struct wh_creation *c, wherry_ctx *ctx, const char *id, const struct wherry_create_opts *opts,
                  enum wh_verb verb, wherry_error **reterr);

/* ---- foreground.c: run and exec, while the payload runs ---- */

struct wh_foreground {
    struct wh_run *run; /* its pidfd_b is reaped and closed */
    struct wh_tty *tty; /* the one that we serve, or null */
    int signal_fd; /* signals for the payload, or -1 */
    bool subreaper; /* orphans of the container become children of ours */
    struct wh_notify *notify; /* whose readiness is passed on meanwhile, or null */
    const char *what; /* for messages: "container init" */
};
/* Where the payload's terminal goes: the console socket, connected into *ret_fd (`socket` may be null: nothing), or a terminal of
 * our own (`tty`, null for none). Both are the caller's to close, also on failure. */
int wh_api_open_console(const char *socket, int cancel_fd, int *ret_fd, struct wh_tty *tty, struct wh_err *err);
/* Waits for its end. On failure it was killed. *ret_status: exit code, or 128 + signal. */
int wh_api_foreground(const struct wh_foreground *f, int *ret_status, struct wh_err *err);
/* Children that nobody waits for, but for `init`. */
void wh_api_reap_orphans(pid_t init);

/* ---- oom.c: when memory is what ended a process ---- */
#define WH_OOM_TEXT 192
/* How many processes the OOM killer has ended in the cgroup; 0 where nobody counts. */
uint64_t wh_api_oom_kills(const struct wh_cgroup *cg);
/* More than `before`? With the sentence that says so. */
bool wh_api_oom_since(const struct wh_cgroup *cg, uint64_t before, char *text, size_t size);
/* Adds the sentence to the error of a process of ours that was killed. */
void wh_api_oom_explain(const struct wh_cgroup *cg, uint64_t before, const struct wh_spec *spec, struct wh_err *err);
/* Logs it as an error when a payload's status is 128 + SIGSYS and it has a seccomp filter, which sends that. what: "container c1". */
void wh_api_sigsys_log(const wherry_ctx *ctx, const struct wh_plan *plan, pid_t pid, int status, const char *what);
/* Logs it as an error when a payload's status (128 + SIGKILL) comes of it. what: "container c1". */
void wh_api_oom_log(const wherry_ctx *ctx, const struct wh_cgroup *cg, uint64_t before, int status, const char *what);

/* ---- start.c ---- */
struct wh_starting {
    const wherry_ctx *ctx;
    int root_fd; /* the state root */
    struct wh_cgroup *cgroup;
    int dir_fd, proc_fd, mbox_fd, pidfd, bundle_fd, cancel_fd;
    int ctl; /* of an init that is not committed: closed by wh_api_start; -1: its start socket */
    const struct wh_plan *plan; /* may be null, with spec */
    struct wh_spec *spec;
    const struct wh_state *state;
    bool hook_failed; /* set by wh_api_start: the container has to be destroyed */
};
/* START, EXEC, poststart. On failure the container is dead, unless it could not be reached, or its seccomp listener could not: then it
 * is created still, and can be started again. */
int wh_api_start(struct wh_starting *s, uint32_t *ret_step, struct wh_err *err);

#endif
