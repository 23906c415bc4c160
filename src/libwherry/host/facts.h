/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_FACTS_H
#define WH_HOST_FACTS_H

#include "base/arena.h"
#include "base/err.h"
#include "plan/facts.h"

/* Probes the host (plan/facts.h); strings are made in `arena`. A probe that is refused is a feature that is absent: only a
 * host that cannot be looked at is an error. `want` chooses the probes that cost something. */
enum wh_facts_want {
    WH_FACTS_LSM = 1u << 0,
    WH_FACTS_SECCOMP = 1u << 1,
    WH_FACTS_NO_CGROUP = 1u << 2, /* of them nothing is asked: exec enters one that is there */
    WH_FACTS_PROC_PIDNS = 1u << 3,
};
int wh_facts_probe(int proc_fd, unsigned want, struct wh_arena *arena, struct wh_facts *ret, struct wh_err *err);
/* Which cgroups are ours to make, for whoever is not root of the host: sets or clears WH_FEAT_CGROUP_WRITABLE for the path of
 * the configuration (null or empty: it names none), cgroup2_delegated and cgroup2_controllers. What cannot be looked at is
 * not ours. */
void wh_facts_delegation(const char *cgroups_path, struct wh_arena *arena, struct wh_facts *f);

/* The same for the systemd manager: systemd_root and systemd_user, and what that systemd hands on. */
void wh_facts_systemd(struct wh_arena *arena, struct wh_facts *f);

/* ---- namespaces that are joined by path ---- */

struct wh_nsfds {
    int fd[WH_NS_MAX]; /* -1 = none */
    int8_t owner[WH_NS_MAX]; /* enum wh_ns_owner */
    bool own[WH_NS_MAX]; /* it is the one that we are in */
};
void wh_nsfds_init(struct wh_nsfds *n);
void wh_nsfds_done(struct wh_nsfds *n);
#define WH_CLEANUP_NSFDS __attribute__((cleanup(wh_nsfds_done)))

/* Opens a namespace once, checks that it is one of that type, and asks who owns it. The user namespace must come first, if
 * there is one. `place` names the configuration's line, or null. */
int wh_nsfds_open(struct wh_nsfds *n, int proc_fd, enum wh_ns ns, const char *path, const char *place, int cancel_fd,
                  struct wh_err *err);

/* Takes the namespaces that init has sent, which must be those of `flags` (CLONE_NEW*): what is taken is -1 in fds afterwards. *ret_join: those
 * that are not our own; *ret_host: those of these that our own user namespace owns. -EPROTO: it sent something else. */
int wh_nsfds_take(struct wh_nsfds *n, int proc_fd, int *fds, unsigned nfds, uint32_t flags, uint32_t *ret_join,
                  uint32_t *ret_host);

#endif
