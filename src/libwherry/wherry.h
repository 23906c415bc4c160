/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WHERRY_H
#define WHERRY_H

#include <stddef.h>
#include <stdint.h>

/*
 * libwherry: run OCI containers from a program.
 *
 * Rules that hold for every function:
 *  - 0 or a positive number is success; a negative errno is failure, and *reterr (when reterr is not null) receives an
 *    error object that the caller frees with wherry_error_free().
 *  - No globals, no constructors, no signal handlers, no fork() of the caller's address space (but in wherry_doctor()); umask,
 *    rlimits, signal masks and the working directory of the process stay as they are. Any thread may use its own context; one context is used by
 *    one thread at a time.
 *  - File descriptors that are passed in stay the caller's; those that are returned are the caller's to close, and O_CLOEXEC.
 *  - Strings that are returned in `char **` are the caller's, freed with wherry_free().
 *  - Option structs begin with `size` = sizeof of the struct that the caller was compiled with. A shorter one is extended
 *    with zeros; a longer one must be zero in the part that this library does not know, else -E2BIG. Zero is the default
 *    of every member (fds: use -1 or leave the flag that announces them unset, as documented there).
 *  - The library never prints and never exits.
 *  - The processes of a container are children of the caller until it exits. A caller that reaps every child (waitpid(-1), or
 *    SIGCHLD ignored) takes exit statuses from wherry_run() and wherry_exec(), which then return -ECHILD, and from what runs hooks,
 *    newuidmap(1) or ps(1): whether those succeeded cannot be told, and that is a failure. Everything else works all the same.
 */

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WHERRY_API __attribute__((visibility("default")))
#else
#define WHERRY_API
#endif

typedef struct wherry_ctx wherry_ctx;
typedef struct wherry_error wherry_error;
typedef struct wherry_container wherry_container;

/* ---- errors ---- */
WHERRY_API int wherry_error_code(const wherry_error *e); /* negative errno */
WHERRY_API const char *wherry_error_message(const wherry_error *e); /* one line, without the path */
WHERRY_API const char *wherry_error_path(const wherry_error *e); /* "config.json:41:20: /mounts/3/source", or "" */
WHERRY_API const char *wherry_error_step(const wherry_error *e); /* "57" when a step of the plan failed, or "" */
/* Whole text, one line: "path: message". With wherry_error_next() follow further errors of the same configuration,
 * or what went wrong when a failure was cleaned up after. */
WHERRY_API const char *wherry_error_text(const wherry_error *e);
WHERRY_API const wherry_error *wherry_error_next(const wherry_error *e);
WHERRY_API void wherry_error_free(wherry_error *e);
WHERRY_API void wherry_free(void *p);

/* ---- context ---- */
enum wherry_log_level { WHERRY_LOG_ERROR, WHERRY_LOG_WARNING, WHERRY_LOG_INFO, WHERRY_LOG_DEBUG };
typedef void (*wherry_log_fn)(void *data, enum wherry_log_level level, const char *message);
/* The same with the place in the library that wrote the record: "src/libwherry/host/hooks.c", "run_one". */
typedef void (*wherry_log_at_fn)(void *data, enum wherry_log_level level, const char *message, const char *file,
                                 const char *func);

enum wherry_cgroup_manager { WHERRY_CGROUP_CGROUPFS, WHERRY_CGROUP_SYSTEMD, WHERRY_CGROUP_DISABLED };

/* Whether a container may do without a cgroup where the caller may not make one and nothing asks for it. AUTO: unless the
 * caller is root of the host. */
enum wherry_rootless { WHERRY_ROOTLESS_AUTO, WHERRY_ROOTLESS_YES, WHERRY_ROOTLESS_NO };

struct wherry_ctx_opts {
    size_t size;
    const char *root; /* state root; null: /run/wherry, or $XDG_RUNTIME_DIR/wherry when rootless */
    enum wherry_cgroup_manager cgroup_manager;
    wherry_log_fn log;
    void *log_data;
    enum wherry_rootless rootless;
    /* The service manager's socket (sd_notify(3): NOTIFY_SOCKET), or null. A container that is created with it has a socket to say
     * that it is ready; wherry_start and a detached wherry_run then wait for that, unless they have none themselves. */
    const char *notify_socket;
    /* D-Bus address of the bus of the user's systemd, for containers with the systemd cgroup manager and without root: "unix:path=/run/user/1000/bus"; or null. */
    const char *user_bus;
    /* INFO, DEBUG: each thing that is done is one record: at INFO containers that are made, changed and removed, and
     * hooks; at DEBUG also facts, plan, steps with their times, requests, cgroups, affinity and filter. Less (also 0):
     * errors and warnings only, and nothing is measured. */
    enum wherry_log_level log_level;
    wherry_log_at_fn log_at; /* called instead of `log`; or null */
};
WHERRY_API int wherry_ctx_new(const struct wherry_ctx_opts *opts, wherry_ctx **ret, wherry_error **reterr);
WHERRY_API void wherry_ctx_free(wherry_ctx *ctx);
WHERRY_API const char *wherry_ctx_root(const wherry_ctx *ctx);

/* ---- life cycle (OCI runtime-spec, runtime.md) ---- */
enum wherry_create_flags {
    WHERRY_CREATE_NO_PIVOT = 1u << 0,
    WHERRY_CREATE_NO_NEW_KEYRING = 1u << 1,
    WHERRY_CREATE_DETACH = 1u << 2, /* wherry_run: return once the payload runs */
    WHERRY_CREATE_KEEP = 1u << 3, /* wherry_run: do not delete when it has ended */
    WHERRY_CREATE_NO_SUBREAPER = 1u << 4,
    WHERRY_CREATE_INIT = 1u << 5, /* an init that reaps and forwards signals is pid 1, the payload its child */
};
struct wherry_create_opts {
    size_t size;
    const char *bundle; /* null: the working directory */
    const char *config; /* file name in the bundle; null: config.json */
    const void *config_data; /* or the bytes themselves (config_len of them); config then only names them in messages */
    size_t config_len;
    const char *console_socket; /* path, or null */
    const char *pid_file; /* path, or null */
    uint32_t preserve_fds; /* fds 3 .. 2+N go to the payload */
    uint32_t listen_fds; /* the first of them are announced as LISTEN_FDS */
    uint32_t flags; /* enum wherry_create_flags */
    int cancel_fd; /* readable = give up and undo; 0 = none */
    int signal_fd; /* wherry_run: a signalfd whose signals go to the payload; 0 = none */
    const char *pidfd_socket; /* path of a socket that is sent a pidfd of the container's init, or null */
    const char *path; /* the value of PATH: newuidmap and newgidmap are looked for there; null = nowhere */
    const char *listen_fdnames; /* and as LISTEN_FDNAMES: names of the first ones, or null */
    const char *
        seccomp_receiver; /* absolute path of a socket that is sent the seccomp listener where config.json names none */
    const char *const *check_ignore; /* wherry_check: ids of findings that are left out, null-terminated, or null */
};

/* Creates; the payload waits for wherry_start(). All is undone on failure. */
WHERRY_API int wherry_create(wherry_ctx *ctx, const char *id, const struct wherry_create_opts *opts,
                             wherry_error **reterr);
WHERRY_API int wherry_start(wherry_ctx *ctx, const char *id, wherry_error **reterr);
/* Create and start in one; with WHERRY_CREATE_DETACH returns then, else waits. *ret_status: exit code, 128 + N for signal N. */
WHERRY_API int wherry_run(wherry_ctx *ctx, const char *id, const struct wherry_create_opts *opts, int *ret_status,
                          wherry_error **reterr);

enum wherry_exec_flags {
    WHERRY_EXEC_DETACH = 1u << 0, /* return once the process runs */
    WHERRY_EXEC_TTY = 1u << 1, /* a terminal */
    WHERRY_EXEC_NO_NEW_PRIVS = 1u << 2,
    WHERRY_EXEC_IGNORE_PAUSED = 1u << 3, /* a paused container is no error: the process runs when it is resumed */
};
struct wherry_exec_opts {
    size_t size;
    /* Either a process object (config.md, "process"): the name of a file, or its bytes … */
    const char *process; /* with process_data: only what messages call it */
    const void *process_data;
    size_t process_len;
    /* … or args, and what differs from the process of the container's own configuration; each may be null or 0. */
    const char *const *args; /* null-terminated, as is env */
    const char *const *env; /* "K=V": added */
    const char *cwd;
    const char *user; /* "UID" or "UID:GID" */
    const uint32_t *additional_gids; /* added */
    size_t nadditional_gids;
    const char *const *caps; /* null-terminated; added */
    const char *apparmor_profile, *process_label;
    /* With either: */
    const char *const *cgroups; /* null-terminated: "PATH" or "CONTROLLER:PATH" below the container's cgroup */
    const char *console_socket; /* path, or null */
    const char *pidfd_socket; /* path of a socket that is sent a pidfd of the process, or null */
    const char *pid_file; /* path, or null */
    uint32_t preserve_fds; /* fds 3 .. 2+N go to the process */
    uint32_t flags; /* enum wherry_exec_flags */
    int cancel_fd; /* readable = give up, until the process runs; 0 = none */
    int signal_fd; /* a signalfd whose signals go to the process, while it runs in the foreground; 0 = none */
    uint32_t listen_fds; /* the first of the preserved fds are announced as LISTEN_FDS */
    const char *listen_fdnames; /* and as LISTEN_FDNAMES: their names, or null */
};
/*
 * Runs another process in a container that was created. With WHERRY_EXEC_DETACH returns when it runs, else waits for its end.
 * *ret_status (may be null): exit code, 128 + N for signal N. On failure nothing of it is left, and there is no pid file.
 */
WHERRY_API int wherry_exec(wherry_ctx *ctx, const char *id, const struct wherry_exec_opts *opts, int *ret_status,
                           wherry_error **reterr);

enum wherry_kill_flags { WHERRY_KILL_ALL = 1u << 0 };
WHERRY_API int wherry_kill(wherry_ctx *ctx, const char *id, int signal, uint32_t flags, wherry_error **reterr);
/* "TERM", "SIGTERM", "15", "RTMIN+3", any case: the number, or -EINVAL. */
WHERRY_API int wherry_signal_number(const char *name);

/* Stops all processes of a container that was created or runs, where they are; waits until they stand (10 s, then -ETIMEDOUT and all go on). */
WHERRY_API int wherry_pause(wherry_ctx *ctx, const char *id, wherry_error **reterr);
WHERRY_API int wherry_resume(wherry_ctx *ctx, const char *id, wherry_error **reterr);

struct wherry_update_opts {
    size_t size;
    /* A linux.resources object (config-linux.md): the name of a file, or its bytes. What it leaves out, and zeros but for pids.limit, stay as they
     * are; devices, hugepageLimits, rdma and network always do. */
    const char *resources; /* with resources_data: only what messages call it */
    const void *resources_data;
    size_t resources_len;
    const char *l3_cache_schema, *mem_bw_schema; /* lines of Intel RDT, for a container that has such limits; or null */
};
/* Changes the limits of a container that was created or runs: all of what is asked for, or nothing. */
WHERRY_API int wherry_update(wherry_ctx *ctx, const char *id, const struct wherry_update_opts *opts,
                             wherry_error **reterr);

enum wherry_delete_flags { WHERRY_DELETE_FORCE = 1u << 0 };
WHERRY_API int wherry_delete(wherry_ctx *ctx, const char *id, uint32_t flags, wherry_error **reterr);

/* ---- queries ---- */
WHERRY_API int wherry_container_open(wherry_ctx *ctx, const char *id, wherry_container **ret, wherry_error **reterr);
WHERRY_API void wherry_container_free(wherry_container *c);
WHERRY_API const char *wherry_container_id(const wherry_container *c);
WHERRY_API int wherry_container_pid(const wherry_container *c); /* 0 when stopped */
WHERRY_API const char *wherry_container_status(const wherry_container *c); /* creating created running paused stopped */
WHERRY_API const char *wherry_container_bundle(const wherry_container *c);
WHERRY_API const char *wherry_container_rootfs(const wherry_container *c);
WHERRY_API const char *wherry_container_created(const wherry_container *c); /* RFC 3339, UTC */
WHERRY_API const char *wherry_container_owner(const wherry_container *c); /* user name, or #uid */

/* The process ids, in the caller's pid namespace, of all that is in the container's cgroup and below it, in order; freed with wherry_free(). */
WHERRY_API int wherry_pids(wherry_ctx *ctx, const char *id, int32_t **ret_pids, size_t *ret_n, wherry_error **reterr);

struct wherry_ps_opts {
    size_t size;
    const char *path; /* the value of PATH: ps is looked for there */
    const char *const *args; /* of ps(1), null-terminated; null or empty: -ef. It has to print a column PID */
};
/* The rows of ps(1) that are processes of the container, and its header. */
WHERRY_API int wherry_ps(wherry_ctx *ctx, const char *id, const struct wherry_ps_opts *opts, char **ret_table,
                         wherry_error **reterr);

/* All containers below the root: a null-terminated array of handles; free each, then the array with wherry_free(). A
 * container that cannot be read is skipped and logged as a warning. */
WHERRY_API int wherry_list(wherry_ctx *ctx, wherry_container ***ret, wherry_error **reterr);

enum wherry_state_flags {
    WHERRY_STATE_VERBOSE = 1u << 0, /* fallbacks taken, cgroup, init's identity */
    WHERRY_STATE_OWNER = 1u << 1, /* fill in owner, as `list` does */
    WHERRY_STATE_COMPACT = 1u << 2, /* one line */
};
/* The state document of the specification, with rootfs, created and owner. */
WHERRY_API int wherry_container_state(const wherry_container *c, uint32_t flags, char **ret_json,
                                      wherry_error **reterr);
WHERRY_API int wherry_features(wherry_ctx *ctx, char **ret_json, wherry_error **reterr);
enum wherry_spec_flags { WHERRY_SPEC_ROOTLESS = 1u << 0 };
WHERRY_API int wherry_spec(wherry_ctx *ctx, uint32_t flags, char **ret_json, wherry_error **reterr);

/* One line of JSON: what the kernel has counted for a container that is created or runs (oci-spec-schema/stats-schema.json). */
WHERRY_API int wherry_stats(wherry_ctx *ctx, const char *id, char **ret_json, wherry_error **reterr);

struct wherry_events_opts {
    size_t size;
    const char *interval; /* statistics so often: Go's notation, "5s", "1m30s"; null = none */
    /* Null-terminated, or null: tell when tasks have been held up for long, "memory=some:150ms/1s": MEMORY, CPU, IO or IRQ in small
     * letters, some or all ("full") of them, for 150 ms within one second. */
    const char *const *triggers;
    int cancel_fd; /* readable = end with -ECANCELED; 0 = none */
};
/* One record, a line of JSON without its newline, valid during the call. Negative = end, and wherry_events returns that. */
typedef int (*wherry_event_fn)(void *data, const char *json);
/*
 * Calls fn for what happens to a container from now on, until it ends: statistics, out of memory, a limit that is hit, pressure, freezing,
 * the exit. Sleeps until the kernel tells; without an interval there is no wake-up while nothing happens.
 */
WHERRY_API int wherry_events(wherry_ctx *ctx, const char *id, const struct wherry_events_opts *opts, wherry_event_fn fn,
                             void *data, wherry_error **reterr);

enum wherry_explain_flags { WHERRY_EXPLAIN_JSON = 1u << 0 };
/* The plan as text, without privileges and without touching anything. Uses opts->bundle, config*, flags, preserve_fds. */
WHERRY_API int wherry_explain(wherry_ctx *ctx, const struct wherry_create_opts *opts, uint32_t flags, char **ret_text,
                              wherry_error **reterr);

enum wherry_check_flags {
    WHERRY_CHECK_JSON = 1u << 0,
    WHERRY_CHECK_STRICT = 1u << 1, /* warnings are errors */
    /* Profiles, at most one: what engines write and decide is a note; what lies between the container and the host
     * counts one step more. */
    WHERRY_CHECK_ENGINE = 1u << 2,
    WHERRY_CHECK_HARDENED = 1u << 3,
};
/* Schema, logic, host and security findings. *ret_worst: 0 nothing above a note, 1 warnings, 2 errors. */
WHERRY_API int wherry_check(wherry_ctx *ctx, const struct wherry_create_opts *opts, uint32_t flags, char **ret_report,
                            int *ret_worst, wherry_error **reterr);

enum wherry_doctor_flags { WHERRY_DOCTOR_JSON = 1u << 0, WHERRY_DOCTOR_ROOTLESS = 1u << 1 };
/* Tries what containers need of this host, in processes and a cgroup that are gone when it returns. path: value of PATH, for newuidmap; may be null.
 * *ret_usable: 1 when everything needed is there. */
WHERRY_API int wherry_doctor(wherry_ctx *ctx, const char *path, uint32_t flags, char **ret_report, int *ret_usable,
                             wherry_error **reterr);

WHERRY_API const char *wherry_version(void); /* "0.1.0" */
WHERRY_API const char *wherry_spec_version(void); /* "1.3.0" */
WHERRY_API const char *wherry_build_features(void); /* "+SECCOMP +EBPF ..." */

#ifdef __cplusplus
}
#endif
#endif
