/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_LISTENER_H
#define WH_HOST_LISTENER_H

#include "host/state.h"

/*
 * Handing a seccomp listener over: runtime-spec, config-linux.md, "The Container Process State". The fd is made by the
 * kernel in the process whose filter notifies, when it loads it as its last act before execve; it can tell us its number
 * only through the mailbox (abi/plan.h), and waits there for our answer.
 */
struct wh_listener {
    int sock; /* connected, owned; -1 = none is expected, or it is done */
    const char *path, *metadata; /* metadata may be null */
    /* What the message says of the container, with the status of that moment: "creating" for the container's own init (it has not
     * executed its program, and agents tell it by that from an exec), else the current one. */
    const struct wh_state *state;
    const char *status;
};

/* Whether a socket is there; connects to nothing. Errors of these have the place of listenerPath, as far as it has
 * one. */
int wh_listener_look(const struct wh_state *s, struct wh_err *err);
/* Connects, before the process can load its filter: a listener that is not there fails what can still be undone. */
int wh_listener_connect(struct wh_listener *l, int cancel_fd, struct wh_err *err);
void wh_listener_done(struct wh_listener *l);

/*
 * Takes fd `number` out of the process, checks that it is a seccomp listener, sends the message with it and closes the
 * connection and our copies. -ESRCH without err when the process is gone.
 */
int wh_listener_send(struct wh_listener *l, int proc_fd, int pidfd, pid_t pid, int number, int cancel_fd,
                     struct wh_err *err);

#endif
