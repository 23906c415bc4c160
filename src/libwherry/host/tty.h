/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_TTY_H
#define WH_HOST_TTY_H

#include <stdbool.h>
#include <termios.h>

#include "base/err.h"

/*
 * The terminal of a container that `run` serves itself, in the foreground:
 *
 *     struct wh_tty tty WH_CLEANUP_TTY;     restores the caller's terminal on every way out
 *     wh_tty_init(&tty, 0, 1);
 *     wh_tty_open(&tty, err)                before spawn: tty.console goes into the CONSOLE slot
 *       … spawn and serve until READY; wh_tty_release(&tty) closes our copy of tty.console
 *     wh_tty_receive(&tty, err)             the pty master; the caller's terminal goes raw, sizes are made equal
 *       … start
 *     wh_tty_copy(&tty, pidfd, signal_fd, cancel_fd, err)
 *
 * The pty is made by wherry-init from the container's own devpts; nothing is allocated on the host.
 */
struct wh_notify;
struct wh_tty {
    int in, out; /* the caller's, borrowed */
    int console; /* for wherry-init */
    int receive; /* our end of it */
    int master;
    struct wh_notify *notify; /* the payload's readiness is passed on meanwhile; borrowed, or null */
    bool raw; /* `saved` is to be put back */
    bool background; /* another job has the terminal: it is not ours to set or to read */
    struct termios saved;
    void (*reap)(int keep); /* for each SIGCHLD that signal_fd brings; may be null */
    int keep;
};

void wh_tty_init(struct wh_tty *t, int in, int out);
int wh_tty_open(struct wh_tty *t, struct wh_err *err);
void wh_tty_release(struct wh_tty *t);

/* Takes the master, which wherry-init has sent before READY: does not wait. What was sent must be a pty master (init is not
 * trusted). */
int wh_tty_receive(struct wh_tty *t, struct wh_err *err);

/*
 * Copies both ways until the process behind pidfd has ended (it is not reaped here) and its output is written. signal_fd: a
 * signalfd or -1; SIGWINCH resizes the pty, SIGURG is dropped, SIGCHLD calls `reap`, all others go to the process, and SIGTSTP stops the
 * caller as well (wh_tty_suspend). As a background job the caller's terminal is left alone until it is ours. A reader of ours
 * that is gone (EPIPE) only loses output; one that does not read holds up nothing but the output: signals go on, and
 * after the process has ended SIGINT, SIGTERM, SIGHUP or SIGQUIT give the rest up. cancel_fd: -1, or readable = -ECANCELED.
 */
int wh_tty_copy(struct wh_tty *t, int pidfd, int signal_fd, int cancel_fd, struct wh_err *err);

/*
 * SIGTSTP was taken from the caller, who blocks it: stops the whole process as it would have done, with the terminal of `t` (may
 * be null) as it was before, and returns after SIGCONT. Without a controlling terminal there is no shell that could let us go
 * on: nothing happens.
 */
void wh_tty_suspend(struct wh_tty *t);

/* Restores the caller's terminal and closes everything. Twice is harmless. */
void wh_tty_done(struct wh_tty *t);
#define WH_CLEANUP_TTY __attribute__((cleanup(wh_tty_done)))

#endif
