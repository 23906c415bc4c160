/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_NOTIFY_H
#define WH_HOST_NOTIFY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * sd_notify(3) for a payload: the service manager's socket is not given to the container. It gets one of ours, of which nothing
 * but "I am ready" is passed on. What it sends is hostile: one bounded buffer, no fds taken in, the kernel's bound on its queue.
 */

/* <state>/notify, which the plan mounts on /run/notify. Removed with the state. */
int wh_notify_make(int dir_fd, struct wh_err *err);

/* The socket in it, mode 0777. fd or -errno. */
int wh_notify_listen(int dir_fd, struct wh_err *err);

struct wh_notify {
    int sock; /* of wh_notify_listen(), -1 = nothing to wait for; the caller closes it, when the barrier is through, because the payload may have one too */
    const char *host; /* NOTIFY_SOCKET of the caller: a path, or "@" and an abstract name */
    int pidfd; /* of init: when it has ended there is nothing to wait for */
    pid_t main_pid; /* announced as MAINPID=, with a barrier, because we exit; 0 = we stay */
    bool due, told; /* by wh_notify_take(): the manager's queue was full; it knows, or cannot be told */
    int cancel_fd; /* readable = give up; -1 = none */
};

/* Waits until the payload says READY=1 and passes it on. 0 also when init has ended without a word: that is no failure of start.
 * -ECANCELED; other errors are about the manager, and the payload runs all the same. */
int wh_notify_wait(const struct wh_notify *n, struct wh_err *err);

/* Takes one message, for a caller that waits for other things too and polls n->sock. The first READY=1 is passed on, all else is
 * dropped: for as long as the payload lives, which may ask for a barrier later, or send watchdog messages, and would wait for
 * a reader. A manager that cannot be told is no reason to end a payload. */
void wh_notify_take(struct wh_notify *n);
/* The timeout of that poll, after which wh_notify_take() is called as well; -1 = none. n may be null. */
int wh_notify_due_ms(const struct wh_notify *n);

#endif
