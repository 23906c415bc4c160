/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_STATE_H
#define WH_HOST_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/plan.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "host/proc.h"

/*
 * What is known about a container, as it stands in its directory:
 *
 *   <root>/<id>/journal     first line: this state, as JSON, written before the first side effect; then one line for each thing
 *                           learned since: "init PID START". Enough to clean up after SIGKILL at any instruction (I10).
 *   <root>/<id>/state.json  the same state, complete; there from the moment that the container is created.
 *   <root>/<id>/config.json the configuration as create read it: exec's template, whatever becomes of the bundle's
 *   <root>/<id>/steps.txt   the plan for people, without environment values: `start` names step 57 by line 57.
 *   <root>/<id>/mbox        wherry-init's mailbox
 *   <root>/<id>/rdt         the container's group in resctrl (host/intelrdt.h)
 *   <root>/<id>/start.sock  where the created container waits
 *   <root>/.init/<id>       the mark, below
 *
 * Locks (flock): the directory, exclusively, by create and delete; mbox, exclusively, by start. state, list and kill take
 * none, and so never wait for a start that blocks.
 */
struct wh_hook_entry {
    uint32_t kind; /* enum wh_hook_kind */
    uint32_t index; /* in its list, for messages */
    uint32_t timeout; /* seconds, 0 = none */
    uint32_t line; /* of config.json, for messages; 0 = not known */
    bool env_set;
    const char *path;
    struct wh_strv args, env;
};

struct wh_annotation {
    const char *key, *value;
};

/* Strings live in `arena`. */
struct wh_state {
    struct wh_arena *arena;
    const char *id, *bundle, *rootfs, *created; /* created: RFC 3339, UTC */
    const char *cgroup; /* as wh_cgroup_save() wrote it; "" = none */
    const char *cgroup_path; /* for people: "/sys/fs/cgroup/a/b", or null */
    uint32_t cgroup_manager;
    bool rootless, private_pidns, no_new_keyring;
    bool init; /* --init: the payload is the first child of init */
    bool notify; /* its directory has one for a notify socket, mounted in the container */
    /* Init's identity. pid 0 = not known (yet). */
    pid_t pid;
    struct wh_identity identity;
    uint64_t pidns; /* of the process that wrote this; elsewhere the pid means nothing */
    const char *boot_id;
    const char *listener_path, *listener_metadata; /* absolute; null where no filter notifies. Metadata may be null */
    const char
        *listener_place; /* its place in the configuration, for messages; null: it is from the caller's environment */
    uint32_t start_step; /* of startContainer hooks in the plan, the one that start may be asked for; 0 = none */
    uint32_t nsflags; /* CLONE_NEW* of the namespaces that are the container's own */
    struct wh_annotation *annotations;
    size_t nannotations;
    struct wh_hook_entry *
        hooks; /* startContainer, poststart and poststop; the file is 0600 because their environment may hold secrets */
    size_t nhooks;
};

/* The state as JSON on one line.. */
void wh_state_write(const struct wh_state *s, struct wh_buf *out);

/* Reads one; unknown keys are ignored and missing ones left empty (tolerant: written by any version). -EINVAL when it is no
 * JSON object, has a wrong type where it matters, or names another container. Strings are made in `arena`. */
int wh_state_read(const char *json, size_t len, const char *id, struct wh_arena *arena, struct wh_state *ret);

/* -EINVAL with runc's texts: "container id cannot be empty", "invalid container ID format". */
int wh_state_check_id(const char *id, struct wh_err *err);

/* ---- the directories ---- */

/* Opens the state root: a directory of ours that nobody else can write to. With `make`, it and its parents are made (0700).
 * fd or -errno; -ENOENT without `make` leaves err empty. */
int wh_store_root(const char *path, bool make, struct wh_err *err);

/* 0 when there is no container of that name; -EEXIST with its text. */
int wh_store_unused(int root_fd, const char *id, struct wh_err *err);

/* Makes <root>/<id> (0711) and locks it. -EEXIST: "container with given ID already exists". dir fd or -errno. */
int wh_store_make(int root_fd, const char *id, struct wh_err *err);

/* Opens it. -ENOENT: "container does not exist". */
int wh_store_open(int root_fd, const char *id, struct wh_err *err);

/* Locks an open one, waiting at most ms. -EBUSY when create or delete have it; -ENOENT when it was removed meanwhile. */
int wh_store_lock(int dir_fd, int ms);

/* Reads the state of a container. `creating` may be null; with it, a container that has only a journal is found too, and
 * *creating says so. -ENOENT: "container does not exist"; -EINVAL: the file is damaged (and, with `creating`, the
 * journal as well). */
int wh_store_read(int dir_fd, const char *id, struct wh_arena *arena, struct wh_state *ret, bool *creating,
                  struct wh_err *err);

/* The journal of a container that is being made: opened by the first call, which writes the whole state. fd or -errno. */
int wh_store_journal(int dir_fd, const struct wh_state *s, struct wh_err *err);
int wh_store_journal_init(int journal_fd, pid_t pid, const struct wh_identity *id, struct wh_err *err);

/* Writes a file of the container, atomically, 0600. */
int wh_store_write(int dir_fd, const char *name, const struct wh_buf *text, struct wh_err *err);

/* Removes the directory and all in it. */
int wh_store_remove(int root_fd, const char *id, struct wh_err *err);

/* ---- the mark ---- */

/*
 * <root>/.init/<id>: a symbolic link whose target is text: init's identity and the saved cgroup. It is made as soon as init is known and goes after
 * the container's directory, so that delete --force finds what lives also when everything in that directory is damaged, or when it is not there
 * any more. A link is there as a whole or not at all: no crash leaves an empty one.
 */
int wh_mark_write(int root_fd, const struct wh_state *s, struct wh_err *err);
/* Sets pid, start, pidns, boot_id, private_pidns and cgroup. -ENOENT: no init of that id was ever recorded, or it was deleted; -EINVAL: damaged. */
int wh_mark_read(int root_fd, const char *id, struct wh_arena *arena, struct wh_state *ret);
int wh_mark_remove(int root_fd, const char *id);

/* ---- mailbox and start socket ---- */

int wh_store_mbox_make(int dir_fd, struct wh_err *err); /* fd for init (read-write) */
int wh_store_mbox_open(int dir_fd, struct wh_err *err); /* of an existing one, to read it and to answer in it */
/* Copies it. Never mapped here: whoever holds a writable fd of the file, and that is init, could truncate it, and reading the
 * mapping would be SIGBUS. -EIO when it is short. `detail` is terminated; all of it is hostile input. */
int wh_mbox_read(int fd, struct wh_mbox *ret);
/* From now on init notes when each step begins, and forgets earlier notes. Only for records: failing is no error. */
void wh_mbox_time(int fd);
/* What it has noted (WH_MBOX_TIMES of them), and how many us have gone by; it stops. False: there are no notes. */
bool wh_mbox_times(int fd, uint32_t *ret, uint64_t *ret_now);

int wh_store_listen(int dir_fd, struct wh_err *err);
/* Connected, or -errno without err: -ECONNREFUSED when nobody listens any more. */
int wh_store_connect(int dir_fd, int cancel_fd);

/* ---- status (contract: created, running, paused, stopped) ---- */

enum wh_status { WH_STATUS_STOPPED, WH_STATUS_CREATED, WH_STATUS_RUNNING, WH_STATUS_PAUSED, WH_STATUS_CREATING };
const char *wh_status_name(enum wh_status s);

/* Init as a pidfd if it lives: same pid, start time, boot and pid namespace, and not all of its threads have ended. fd, or -ESRCH; another errno when that cannot be
 * told. */
int wh_state_pidfd(const struct wh_state *s, int proc_fd);
/* Whether it was made in another pid namespace than ours since this boot: then only its cgroup tells whether it lives. */
bool wh_state_elsewhere(const struct wh_state *s, int proc_fd);
/* What the mailbox of a living init says; `frozen` is the cgroup's word. enum wh_status, or -errno when that cannot be read. */
int wh_state_status(int dir_fd, bool alive, bool frozen);

#endif
