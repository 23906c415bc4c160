/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_CGROUP_H
#define WH_HOST_CGROUP_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "plan/plan.h"

/*
 * The container's control group, one interface for every host. cgroup2 tracks, freezes and kills the processes and holds
 * the device program wherever it is mounted; limits are written there too (unified), or to the controllers that still sit
 * on v1 hierarchies (hybrid). A container without a cgroup (manager "disabled") has an empty value: every call is a
 * success that does nothing, but for those that say otherwise.
 *
 * The life of one, in create:
 *
 *     struct wh_cgroup cg;
 *     wh_cgroup_init(&cg);
 *     wh_cgroup_plan(&cg, plan, facts, err)     looks only: refuses a populated or frozen cgroup
 *     wh_cgroup_save(&cg, &buf)                 into the journal, before the first side effect (I10)
 *     wh_cgroup_make(&cg, err)                  makes the directories, turns on the controllers
 *     wh_cgroup_save(&cg, &buf)                 into the state file: now with the identity of each directory
 *     clone3(CLONE_INTO_CGROUP, wh_cgroup_fd(&cg))
 *     wh_cgroup_preload(&cg, plan)              may be left out
 *     wh_cgroup_place(&cg, …, pid_of_A, …)      v1 hierarchies, systemd; before GO, so that B is born there
 *     wh_cgroup_settle(&cg, pid_of_B, err)      when it is born, with its cgroup namespace
 *     wh_cgroup_apply(&cg, plan, &step, err)    on ASK_LIMITS
 *     wh_cgroup_done(&cg)                       memory and fds; the cgroup stays
 *
 * and in every later command: wh_cgroup_load(&cg, text, …), then query, kill, remove.
 * Undoing a failed create: wh_cgroup_kill(), wh_cgroup_remove().
 */

/* One directory of the container's in one hierarchy. */
struct wh_cgroup_dir {
    char *mount; /* where the hierarchy is mounted; null = none */
    char *path; /* absolute below the mount: "/a/b" */
    char *controller; /* v1: the controllers of the hierarchy ("cpu,cpuacct"); null for cgroup2 */
    uint32_t made; /* how many components at the end of `path` are ours to remove; the last one always is */
    uint64_t id; /* inode of the directory, never reused while the kernel runs; 0 = not made yet, or unknown */
    bool fresh; /* made by this process: nothing in it to replace */
    int mount_fd; /* O_PATH of the mount, or -1 */
    int fd; /* the directory (O_RDONLY), or -1 when it is not there */
};

#define WH_CGROUP_V1_MAX 16

struct wh_cgroup {
    struct wh_cgroup_dir two; /* cgroup2 */
    struct wh_cgroup_dir one[WH_CGROUP_V1_MAX];
    uint32_t none;
    int devices_fd; /* device program that wh_cgroup_preload() has loaded, or -1 */
    char *sub; /* the payload's own, below `two`, and the root of its namespace: "payload"; or null */
    char *leaf; /* below that, where its first process is moved; or null */
    int in_fd; /* where processes are put, at or below `sub`; -1: in `two` itself */
    char *enable; /* controllers that the limits need in cgroup2: "pids memory"; null when none */
    char account
        [256]; /* controllers that are turned on where they can be, because they are there ("cpuset cpu io memory pids"), or to be handed on */
    char *unit; /* the systemd manager: the unit whose cgroup it is; else null */
    bool unit_user; /* a unit of the user's systemd */
    bool unit_made; /* there to be stopped */
    int cancel_fd; /* the caller's: readable = systemd is not waited for; -1 = none */
    const char *
        user_bus; /* address of the bus of that, or null; the caller's, set after wh_cgroup_init() or wh_cgroup_load() */
};

void wh_cgroup_init(struct wh_cgroup *cg);
void wh_cgroup_done(struct wh_cgroup *cg);
#define WH_CLEANUP_CGROUP __attribute__((cleanup(wh_cgroup_done)))

/* False for a container without a cgroup. */
static inline bool wh_cgroup_exists(const struct wh_cgroup *cg)
{
    return cg->two.mount != NULL;
}

/*
 * Reads the CG_* host lists of the plan and looks at what is there, changing nothing. -EBUSY when a directory that is already there
 * has processes ("container's cgroup is not empty: N process(es) found") or is frozen ("container's cgroup unexpectedly
 * frozen"); -EOPNOTSUPP when a controller that a limit needs is not on this host.
 */
int wh_cgroup_plan(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_facts *facts, struct wh_err *err);

/* Makes what is missing, parents included, and turns on the controllers on the way down. On failure what was made is
 * removed again. */
int wh_cgroup_make(struct wh_cgroup *cg, struct wh_err *err);

/* Where a process of the container's belongs, for clone3(CLONE_INTO_CGROUP); borrowed; -1 without a cgroup. */
int wh_cgroup_fd(const struct wh_cgroup *cg);

/* Moves B below the root of its cgroup namespace, where the plan says so (CG_LEAF). B does nothing meanwhile. */
int wh_cgroup_settle(struct wh_cgroup *cg, pid_t pid, struct wh_err *err);

/*
 * Puts the container's first process, which is not in it yet, where it belongs: the v1 directories, or a unit that systemd makes with it; then
 * the saved text is another one. On failure *ret_src is the place of the property of the unit that was refused, if that is known; else as it was.
 */
int wh_cgroup_place(struct wh_cgroup *cg, const struct wh_plan *plan, int proc_fd, pid_t pid, wh_node *ret_src,
                    struct wh_err *err);

/* Before making, changing or removing one: -ELIBACC in a program that cannot load what that needs, with nothing done. */
int wh_cgroup_ready(const struct wh_cgroup *cg, struct wh_err *err);

/* Puts a process into the v1 directories; nothing to do on a unified host. */
int wh_cgroup_attach(struct wh_cgroup *cg, pid_t pid, struct wh_err *err);

/* Puts a process that was made elsewhere into all of its directories. */
int wh_cgroup_enter(struct wh_cgroup *cg, pid_t pid, struct wh_err *err);

/*
 * For exec. A cgroup below the container's own, which must be there already: from now on `cg` stands for that (and is not to be
 * saved or removed). `where` is "PATH", or "CONTROLLER,…:PATH" for the v1 hierarchy of a controller. -EINVAL for what would lead out of it.
 */
int wh_cgroup_descend(struct wh_cgroup *cg, const char *where, struct wh_err *err);
/* The same for the one that a process is in, in cgroup2 (`path` as /proc/PID/cgroup has it): the container's own takes none where it has handed its
 * controllers on. -ENOENT when it is not below. */
int wh_cgroup_descend_to(struct wh_cgroup *cg, const char *path);

/* Loads the device program ahead of wh_cgroup_apply(): the kernel's verifier takes longer than most of create, and there is time
 * while wherry-init starts. What fails is tried again, and reported, by apply. */
void wh_cgroup_preload(struct wh_cgroup *cg, const struct wh_plan *plan);

/*
 * Writes to the container's files, in order, as the flags say (WH_CGW_*). On failure *ret_failed is which one, the message has file, value
 * and the kernel's answer, and what was written before it stays.
 */
int wh_cgroup_write(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, size_t *ret_failed,
                    struct wh_err *err);

/* Reads a file of the container's: of the v1 directory of the controller, or, with "unified", of cgroup2. Length, or -errno (-ENOENT without one). */
ssize_t wh_cgroup_read(const struct wh_cgroup *cg, const char *controller, const char *file, char *buf, size_t max);

/*
 * Changes the limits of a container that is there: does all of these writes, or none, for what is there before is read first, and written back
 * in reverse order when one fails. Directories of v1 hierarchies and controllers that the container had no need of until now are made first and
 * turned on (`save` is called with what there is to remove, before and after), and its processes are moved in last. The controllers stay
 * on if it fails: they limit nothing. A unit gets the properties that stand for the writes. *ret_src: the place of the write or property that failed;
 * as it was when it was none of them.
 * How it is undone is in a file of the state directory before the first change, and that is gone after the last one: so it is all or nothing
 * also when it is killed, as soon as wh_cgroup_undo() is called. The caller of either holds the lock of updates.
 */
struct wh_cgroup_saver {
    int (*save)(void *data, const struct wh_cgroup *cg, struct wh_err *err);
    void *data;
    int dir_fd; /* the state directory */
};
int wh_cgroup_update(struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, const struct wh_facts *facts,
                     int proc_fd, const struct wh_cgroup_saver *save, wh_node *ret_src, struct wh_err *err);
/* Takes back what an update that was killed has done: values, directories, the places of processes. Nothing to do is success. An error
 * when a value cannot be brought back, which is tried once. */
bool wh_cgroup_undo_wanted(int dir_fd);
int wh_cgroup_undo(struct wh_cgroup *cg, const struct wh_cgroup_saver *save, struct wh_err *err);

/* Writes the limits and attaches the device program, which replaces one that is there; hands controllers and ownership on to the payload's
 * part. On failure *ret_step (may be null)
 * is the host step that failed: its src is the node to name. The message has file, value and the kernel's answer. */
int wh_cgroup_apply(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step **ret_step,
                    struct wh_err *err);

/*
 * As text for the journal and the state file, and back. One line for each directory, nothing for an empty value.
 * wh_cgroup_load() opens the directories; one that is gone, or whose identity is not the saved one (the name belongs to
 * somebody else by now), is left out: it has no processes of ours and is not ours to remove. -EINVAL for text that
 * wh_cgroup_save() cannot have written; nothing of a damaged text is ever acted upon.
 */
void wh_cgroup_save(const struct wh_cgroup *cg, struct wh_buf *out);
int wh_cgroup_load(struct wh_cgroup *cg, const char *text, size_t len, struct wh_err *err);

/* ---- what is in it ---- */

/* 1 frozen, 0 not, negative errno. */
int wh_cgroup_frozen(const struct wh_cgroup *cg);
/* The same of where a process is put, which the payload may freeze itself. */
int wh_cgroup_stands(const struct wh_cgroup *cg);
/* Whether it was told to freeze: perhaps not all of it has. */
bool wh_cgroup_freezing(const struct wh_cgroup *cg);
/* 1 some process lives in it or below, 0 none (also when it is gone), negative errno. */
int wh_cgroup_populated(const struct wh_cgroup *cg);
/* All pids in it and below, as this process sees them (0 = not in our pid namespace: left out). malloc'ed; -EOPNOTSUPP
 * without a cgroup. */
int wh_cgroup_pids(const struct wh_cgroup *cg, pid_t **ret, size_t *ret_n, struct wh_err *err);

/* ---- acting on all of it ---- */

/* Freezes or thaws, and waits (at most timeout_ms) until the kernel says so. -ETIMEDOUT: what was to freeze is thawed again; -EOPNOTSUPP
 * without a cgroup. */
int wh_cgroup_freeze(struct wh_cgroup *cg, bool freeze, int timeout_ms, struct wh_err *err);
/* A signal to every process in it and below: cgroup.kill for SIGKILL, else freeze, signal, thaw, so that none forks its way
 * out; a cgroup that was frozen stays so. -EOPNOTSUPP without a cgroup. */
int wh_cgroup_signal(struct wh_cgroup *cg, int sig, struct wh_err *err);
/* Kills every process in it and below, frozen ones too, and waits at most timeout_ms until none is left. -ETIMEDOUT. */
int wh_cgroup_kill(struct wh_cgroup *cg, int timeout_ms, struct wh_err *err);
/* Removes the directories with all that the payload made below them, and the parents that we made and that are empty.
 * Kills what is still inside, first. One that is gone is success. -EBUSY/-ETIMEDOUT after timeout_ms. */
int wh_cgroup_remove(struct wh_cgroup *cg, int timeout_ms, struct wh_err *err);

#endif
