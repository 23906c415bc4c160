/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_INIT_H
#define WH_HOST_INIT_H

#include "abi/plan.h"
#include "base/err.h"
#include "host/serve.h"

/*
 * The one way to start wherry-init, for create and for every kind of exec: image and plan in sealed memfds, the control socket, the
 * mailbox, and an fd for each slot that the plan wants of the host.
 */
struct wh_init_start {
    const struct wh_plan *plan;
    int root_fd; /* the state root: for an unnamed copy of the image where no memfd may be executed */
    int mbox_fd;
    int cgroup_fd; /* to be born in, or -1 */
    int stdio[3]; /* for fds 0-2; -1 = ours */
    uint32_t closed_stdio; /* bit i: fd i was closed when the caller was called; it becomes /dev/null */
    int slot[WH_SLOTS]; /* -1 = none */
};
void wh_init_start_init(struct wh_init_start *s, const struct wh_plan *plan);

/* 0, and run->ctl and run->pidfd_a are there; -ECANCELED when run->cancel_fd became readable; or -errno with nothing left behind. */
int wh_init_start(const struct wh_init_start *s, struct wh_run *run, struct wh_err *err);

#endif
