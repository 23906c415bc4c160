/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CONSOLE_H
#define WH_HOST_CONSOLE_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Sockets of engines that are sent one fd: --console-socket (the pty master, by wherry-init itself) and --pidfd-socket.
 */

/* The rules of contract: a terminal needs a socket when nobody stays to serve it, and a socket needs a terminal.
 * `detach`: create, and run in the background. 0 or -EINVAL with the text that engines know. */
int wh_console_check(bool terminal, bool detach, bool socket, struct wh_err *err);

/* Connects to a listening stream socket. `path` may be longer than the 107 bytes of sockaddr_un and is relative to the
 * working directory; `what` names it in messages: "console socket". The fd is the caller's. A peer that does
 * not accept, or read, is waited for as wh_waits.peer says: -ETIMEDOUT; -ECANCELED when cancel_fd (-1 = none) became readable. */
int wh_console_connect(const char *path, const char *what, int cancel_fd, int *ret_fd, struct wh_err *err);

/* 0 when there is a socket of that path: said before anything is made, so that one that is missing costs nothing. */
int wh_console_look(const char *path, const char *what, struct wh_err *err);

/* `payload` (not empty) with exactly one fd at its first byte: one message, unless it is larger than the socket's buffer.
 * fd stays the caller's. */
int wh_console_send(int sock, int fd, const char *payload, const char *what, int cancel_fd, struct wh_err *err);

#endif
