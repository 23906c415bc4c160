/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/apart.h"
#include "host/proc.h"
#include "host/waits.h"

int wh_console_check(bool terminal, bool detach, bool socket, struct wh_err *err)
{
    if (terminal && detach && !socket)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL,
                          "cannot allocate tty if wherry will detach without setting console socket");
    if (socket && !(terminal && detach))
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL,
                          "cannot use console socket if wherry will not detach or allocate tty");
    return 0;
}

static int canceled(struct wh_err *err)
{
    return wh_err_set(err, WH_ERR_HOST, -ECANCELED, NULL, "canceled");
}

/* An O_PATH fd of the socket. */
static int find(const char *path, const char *what, int cancel_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int at = wh_apart_open(AT_FDCWD, path, O_PATH, 0, cancel_fd);
    struct stat st;

    if (at == -ECANCELED)
        return canceled(err);
    if (at < 0 || fstat(at, &st) < 0)
        return wh_err_sys(err, at < 0 ? at : -errno, "connect to %s %s", what, path);
    if (!S_ISSOCK(st.st_mode))
        return wh_err_set(err, WH_ERR_USAGE, -ENOTSOCK, NULL, "connect to %s %s: it is not a socket", what, path);
    return wh_take_fd(&at);
}

int wh_console_look(const char *path, const char *what, struct wh_err *err)
{
    WH_CLEANUP_FD int at = find(path, what, -1, err);

    return at < 0 ? at : 0;
}

int wh_console_connect(const char *path, const char *what, int cancel_fd, int *ret_fd, struct wh_err *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    WH_CLEANUP_FD int at = find(path, what, cancel_fd, err), fd = -1;
    struct timeval limit = { .tv_sec = wh_waits.peer / 1000, .tv_usec = wh_waits.peer % 1000 * 1000 };
    int r;

    if (at < 0)
        return at;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return wh_err_sys(err, -errno, "make a socket for %s %s", what, path);
    /* For wherry-init, which sends the terminal. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
        return wh_err_sys(err, -errno, "set a time limit for %s %s", what, path);
    /* Not by its path, which is too long for some, and would be looked up a second time. */
    snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d", at);
    r = wh_wait_connect(fd, (struct sockaddr *)&sa, sizeof sa, cancel_fd);
    if (r == -ECANCELED)
        return canceled(err);
    if (r == -ETIMEDOUT)
        return wh_err_set(err, WH_ERR_HOST, r, NULL,
                          "connect to %s %s: nobody has accepted for %d s: connection timed out", what, path,
                          wh_waits.peer / 1000);
    if (r < 0)
        return wh_err_sys(err, r, "connect to %s %s", what, path);
    *ret_fd = wh_take_fd(&fd);
    return 0;
}

int wh_console_send(int sock, int fd, const char *payload, const char *what, int cancel_fd, struct wh_err *err)
{
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof(int))];
    } c;
    size_t len = strlen(payload), done = 0;
    struct iovec iov = { .iov_base = (void *)(uintptr_t)payload, .iov_len = len };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof c.buf };
    int64_t end = wh_now_ms() + wh_waits.peer;

    memset(&c, 0, sizeof c);
    c.h.cmsg_len = CMSG_LEN(sizeof(int));
    c.h.cmsg_level = SOL_SOCKET;
    c.h.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&c.h), &fd, sizeof fd);
    while (done < len) {
        /* The fd went with the first part. */
        ssize_t n = done == 0 ? sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT)
                              : send(sock, payload + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        int r = n < 0 && errno == EAGAIN  ? wh_wait_fd(sock, POLLOUT, cancel_fd, end)
                : n < 0 && errno != EINTR ? -errno
                                          : 0;

        if (r == -ECANCELED)
            return canceled(err);
        if (r == -ETIMEDOUT)
            return wh_err_set(err, WH_ERR_HOST, r, NULL, "send to %s: nobody has read for %d s: connection timed out",
                              what, wh_waits.peer / 1000);
        if (r < 0)
            return wh_err_sys(err, r, "send to %s", what);
        done += n < 0 ? 0 : (size_t)n;
    }
    return 0;
}
