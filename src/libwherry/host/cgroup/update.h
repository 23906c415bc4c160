/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_UPDATE_H
#define WH_HOST_CGROUP_UPDATE_H

/* Shared by what an update is made of: the values that were there (values.c), the change (update.c), and its journal (journal.c). */

#include "host/cgroup/internal.h"

/* ---- values.c ---- */

struct wh_cg_old {
    const struct wh_cg_write *w; /* whose file this was */
    struct wh_cg_write extra; /* one that nobody writes, but that changes with another */
    char *value; /* what brings it back; null: nothing to bring back */
};

/* What the files of these writes hold now; malloc'ed, ended with wh_cg_old_free(). Null with err on failure. `v` has to outlive it. */
struct wh_cg_old *wh_cg_old_read(const struct wh_cgroup *cg, const struct wh_cg_write *v, size_t n, size_t *ret_n,
                                 struct wh_err *err);
void wh_cg_old_free(struct wh_cg_old *v, size_t n);
/* Writes what is not as it was. Null, or one that could not be brought back. */
const struct wh_cg_old *wh_cg_old_bring_back(const struct wh_cgroup *cg, const struct wh_cg_old *v, size_t n);
/* The same; adds to err what could not be brought back, and says whether all is. */
bool wh_cg_old_restore(const struct wh_cgroup *cg, const struct wh_cg_old *v, size_t n, struct wh_err *err);

/* ---- update.c ---- */

/* How long a container that keeps forking is followed into other directories. */
#define WH_CG_MOVE_MS 5000

struct wh_cg_moved {
    pid_t pid;
    char *from; /* where it was in the hierarchy, "/a/b"; null: not known */
};

struct wh_cg_moves {
    struct wh_cg_moved *v;
    size_t n, cap;
};

/* Each process to where it was; what has ended has ended. */
void wh_cg_move_back(const struct wh_cgroup_dir *dir, const struct wh_cg_moves *moves);
/* Removes the v1 directory and forgets it, unless somebody is in it still: then it is left to delete, and false. */
bool wh_cg_remove_v1(struct wh_cgroup *cg, uint32_t at);
/* The unit's properties as they were: what the files had in them says so. Adds to err what systemd says, and says whether they are. */
bool wh_cg_unit_set_back(const struct wh_cgroup *cg, const struct wh_cg_old *old, size_t n, struct wh_err *err);

/* ---- journal.c ---- */

/* In the state directory while an update goes on: how it is undone, by whoever comes next if that is killed. Its lines:
 * made CONTROLLERS              a directory that is not to stay
 * was CONTROLLER FILE VALUE     what is to be written back
 * moved CONTROLLERS PID FROM    a process, noted before it is moved; a line without its end is one that nothing followed */
#define WH_CG_JOURNAL "update"

/* The v1 directories from `first` on, and the old values. 0, or an error in err. */
int wh_cg_journal_write(const struct wh_cgroup *cg, uint32_t first, const struct wh_cg_old *old, size_t n, int dir_fd,
                        struct wh_err *err);
/* Adds a line; 0 or -errno. */
int wh_cg_journal_move(int journal_fd, const struct wh_cgroup_dir *dir, const struct wh_cg_moved *m);

#endif
