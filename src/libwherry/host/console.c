/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define SEND_SECONDS 10

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

int wh_console_connect(const char *path, const char *what, int *ret_fd, struct wh_err *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    WH_CLEANUP_FD int at = -1, fd = -1;
    struct timeval limit = { .tv_sec = SEND_SECONDS };
    struct stat st;

    at = openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
    if (at < 0)
        return wh_err_sys(err, -errno, "connect to %s %s", what, path);
    if (fstat(at, &st) < 0)
        return wh_err_sys(err, -errno, "connect to %s %s", what, path);
    if (!S_ISSOCK(st.st_mode))
        return wh_err_set(err, WH_ERR_USAGE, -ENOTSOCK, NULL, "connect to %s %s: it is not a socket", what, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return wh_err_sys(err, -errno, "make a socket for %s %s", what, path);
    /* It bounds connect() too: a full backlog makes it wait. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
        return wh_err_sys(err, -errno, "set a time limit for %s %s", what, path);
    if (strlen(path) < sizeof sa.sun_path)
        memcpy(sa.sun_path, path, strlen(path));
    else
        snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d", at);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        int r = errno == EAGAIN || errno == EINPROGRESS ? -ETIMEDOUT : -errno;

        return wh_err_sys(err, r, "connect to %s %s", what, path);
    }
    *ret_fd = wh_take_fd(&fd);
    return 0;
}

int wh_console_send(int sock, int fd, const char *payload, const char *what, struct wh_err *err)
{
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof(int))];
    } c;
    struct iovec iov = { .iov_base = (void *)(uintptr_t)payload, .iov_len = strlen(payload) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof c.buf };
    ssize_t n;

    memset(&c, 0, sizeof c);
    c.h.cmsg_len = CMSG_LEN(sizeof(int));
    c.h.cmsg_level = SOL_SOCKET;
    c.h.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&c.h), &fd, sizeof fd);
    do
        n = sendmsg(sock, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? wh_err_sys(err, errno == EAGAIN ? -ETIMEDOUT : -errno, "send to %s", what) : 0;
}
