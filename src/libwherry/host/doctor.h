/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_DOCTOR_H
#define WH_HOST_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "plan/facts.h"

/*
 * Looks for what containers need by doing it: a probe is a namespace made, a mount made in it, an id map written. Nothing of it is
 * left, because all but the cgroup lives in processes that have ended when this returns.
 */

enum wh_probe {
#define PROBE(NAME, id, title, root, user) WH_PROBE_##NAME,
#include "host/doctor.def"
#undef PROBE
    WH_PROBE_MAX
};

enum wh_probe_status {
    WH_PROBE_SKIPPED, /* nobody can tell from here: detail says why */
    WH_PROBE_OK,
    WH_PROBE_LACK,
};

struct wh_probe_info {
    const char *id, *title;
    bool needed[2]; /* by root's containers, by an ordinary user's */
};
extern const struct wh_probe_info wh_probe_infos[WH_PROBE_MAX];

struct wh_probe_result {
    enum wh_probe_status status;
    char detail[256]; /* what was found, one line; may be empty */
    char fix[256]; /* one command, or what to ask whom for; empty unless it is a lack */
};

struct wh_doctor {
    /* in */
    const char *path; /* value of PATH, where newuidmap is looked for; may be null */
    const char *root; /* the state root */
    bool rootless; /* what an ordinary user can have, although the caller may be root */
    /* out */
    char kernel[66];
    uid_t uid; /* who it was tried as */
    struct wh_facts facts;
    struct wh_probe_result r[WH_PROBE_MAX];
};

/* True if containers do not run without it: those that `rootless` says, for this caller. */
bool wh_probe_needed(const struct wh_doctor *d, enum wh_probe p);

/* 0, or -errno when not even looking is possible. A probe that fails is a result, not an error. */
int wh_doctor_run(struct wh_doctor *d, struct wh_arena *arena, struct wh_err *err);

/* ---- doctor-child.c: what needs a process of its own ---- */

/* What the process writes, in memory that it shares with us. */
struct wh_trial {
    bool tried;
    int err; /* positive errno, or 0 */
    char what[24]; /* which of several things failed */
};

/* Tries everything in namespaces of their own. `user`: in a user namespace, as `uid` and `gid`, which we become first if we are somebody else. t has
 * WH_PROBE_MAX entries. *ret_ended: false when the process was killed in the middle, by a filter around us or because it hung. */
int wh_trials_run(bool user, uid_t uid, gid_t gid, struct wh_trial *t, bool *ret_ended, struct wh_err *err);

#endif
