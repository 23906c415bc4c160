/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_INTERNAL_H
#define WH_HOST_CGROUP_INTERNAL_H

/* Shared by the drivers; nobody outside this directory includes it. */

#include "host/cgroup/cgroup.h"

/* Milliseconds of the monotonic clock, and what is left until a deadline (never negative). */
int64_t wh_cg_now(void);
int wh_cg_left(int64_t deadline);

/* Opens dir->mount and checks that it is a cgroup file system of the right kind; 0 or -errno. */
int wh_cg_open_mount(struct wh_cgroup_dir *dir);
/* Opens dir->path below it into dir->fd, without following or crossing anything. *ret_id: the inode. */
int wh_cg_open_dir(struct wh_cgroup_dir *dir, uint64_t *ret_id);
/* Looks whether it is there: sets fd and id, or `made` (how many components are missing). */
int wh_cg_look(struct wh_cgroup_dir *dir, struct wh_err *err);
/* Makes the directory and missing parents, which get a mark (cgroup2), so that any later delete may remove them. */
int wh_cg_make_dir(struct wh_cgroup_dir *dir, struct wh_err *err);
/* Length of the first n components of an absolute path, without the leading slash; all when n is large. */
size_t wh_cg_prefix(const char *path, unsigned n);
unsigned wh_cg_depth(const char *path);
/* "/", "/a", "/a/b": absolute, no empty, "." or ".." component, no newline, not too long. */
bool wh_cg_path_ok(const char *path);

/* The value of a key of cgroup.events of an open directory: 0, 1 or -errno. */
int wh_cg_event(int dirfd, const char *key);
/* Waits until it has the value. 0, -ETIMEDOUT or -errno; a directory that is gone has every value. */
int wh_cg_wait_event(int dirfd, const char *key, int value, int64_t deadline);

struct wh_pids {
    pid_t *v;
    size_t n, cap;
    bool thaw; /* wh_cg_collect() also writes THAWED to freezer.state (v1) of each directory that it visits */
};
/* Adds the pids of a directory and of all below it. */
int wh_cg_collect(int dirfd, struct wh_pids *pids);
/* A signal to every process of a directory and of all below it, each by a pidfd that is known to be of one there. *ret_n: how many there were. */
int wh_cg_signal_all(int dirfd, int sig, size_t *ret_n);
/* Removes all that is below an open directory, deepest first, however deep; not the directory itself. */
int wh_cg_remove_below(int dirfd, int64_t deadline);
/* Removes the parents, upwards, while they are empty and made by us: by this container, or by another one (the mark). */
void wh_cg_remove_parents(const struct wh_cgroup_dir *dir);

/* unified.c: turns the controllers on in every ancestor of the directory. */
int wh_cg_enable(const struct wh_cgroup_dir *dir, const char *controllers, struct wh_err *err);
int wh_cg_kill_two(int dirfd, int64_t deadline);

/* cgroup.c: a directory in the v1 hierarchy of the controller, unless there is one (opens nothing); notes the controller of a cgroup2 file. */
int wh_cg_add_v1(struct wh_cgroup *cg, const char *controller, const char *path, const struct wh_facts *facts,
                 struct wh_err *err);
int wh_cg_want(struct wh_cgroup *cg, const char *file, struct wh_err *err);
/* Turns on the controllers of cg->account, each where it can be. */
void wh_cg_account(const struct wh_cgroup *cg);

/* hybrid.c */
int wh_cg_v1_look(struct wh_cgroup_dir *dir, struct wh_err *err);
int wh_cg_v1_make(struct wh_cgroup_dir *dir, struct wh_err *err);
/* Thaws the container's directory of the v1 freezer and all below it, as far as there is one. */
void wh_cg_v1_thaw(const struct wh_cgroup *cg);
/* The container's directory of the v1 freezer if it is frozen, itself or by one above; else null. */
const struct wh_cgroup_dir *wh_cg_v1_frozen(const struct wh_cgroup *cg);
int wh_cg_v1_kill(const struct wh_cgroup_dir *dir, int64_t deadline);
/* The directory of the hierarchy that has the controller, or null. */
const struct wh_cgroup_dir *wh_cg_v1_find(const struct wh_cgroup *cg, const char *controller);

/* systemd.c: fills cg->unit from the plan, writes and reads the line of the saved text, stops it when its processes are gone. */
int wh_cg_unit_plan(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step_cg_unit *s);
void wh_cg_unit_save(const struct wh_cgroup *cg, struct wh_buf *out);
int wh_cg_unit_parse(struct wh_cgroup *cg, const char *line);
/* Gives the unit the properties that stand for these writes to its cgroup's files; systemd then writes what it has properties for. -ENOPKG,
 * -ECONNREFUSED, -ETIMEDOUT, or what systemd says. *ret_src: the place of the one that was refused, if that is known. */
int wh_cg_unit_set(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, wh_node *ret_src,
                   struct wh_err *err);
int wh_cg_unit_remove(struct wh_cgroup *cg, int64_t deadline, struct wh_err *err);

/* payload.c: what of the plan is below the container's directory; makes it (and then in_fd is its root); hands it over, when no process is in
 * between; opens it again, if it is there. The names as lines of the saved text. */
int wh_cg_payload_plan(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step *s, struct wh_err *err);
int wh_cg_payload_make(struct wh_cgroup *cg, struct wh_err *err);
int wh_cg_payload_hand_over(const struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step **ret_step,
                            struct wh_err *err);
int wh_cg_payload_open(struct wh_cgroup *cg, struct wh_err *err);
void wh_cg_payload_save(const struct wh_cgroup *cg, struct wh_buf *out);
/* 1 when the line is none of these; -EINVAL, -ENOMEM. */
int wh_cg_payload_parse(struct wh_cgroup *cg, const char *line);

/* refused.c: the error r of a write, with what the kernel would take, or what is in use. Returns r. */
int wh_cg_refused(const struct wh_cgroup_dir *dir, const struct wh_cg_write *w, int r, struct wh_err *err);

/* bpf.c: loads the program (an fd), and attaches it to the open cgroup2 directory. `fresh`: we made that, so nothing is there
 * to replace. */
int wh_cg_load_devices(const void *insns, size_t len, struct wh_err *err);
int wh_cg_attach_devices(int dirfd, int prog, bool fresh, struct wh_err *err);

#endif
