/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/waits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "host/proc.h"

const volatile struct wh_waits wh_waits = {
    .killed = 5000,
    .still = 30000,
    .exec = 30000,
    .frozen = 10000,
    .file = 10000,
    .peer = 10000,
    .unit = 30000,
    .helper = 30000,
    .filter = 10000,
};

/* The kernel has no event for a backlog that has room again. */
#define CONNECT_MS 20

int wh_wait_fd(int fd, short events, int cancel_fd, int64_t end)
{
    struct pollfd p[2] = { { .fd = cancel_fd, .events = POLLIN }, { .fd = fd, .events = events } };

    for (;;) {
        int64_t left = end - wh_now_ms();
        int n = poll(p, 2, left > 0 ? (int)left : 0);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            return p[0].revents ? -ECANCELED : 0;
        if (n == 0 && left <= 0)
            return -ETIMEDOUT;
    }
}

static int connect_until(int fd, const struct sockaddr *sa, socklen_t len, int cancel_fd, int64_t end)
{
    for (;;) {
        int64_t now;
        int r;

        if (connect(fd, sa, len) == 0)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        now = wh_now_ms();
        if (now >= end)
            return -ETIMEDOUT;
        r = wh_wait_fd(-1, 0, cancel_fd, now + CONNECT_MS < end ? now + CONNECT_MS : end);
        if (r != -ETIMEDOUT)
            return r;
    }
}

int wh_wait_connect(int fd, const struct sockaddr *sa, socklen_t len, int cancel_fd)
{
    int flags = fcntl(fd, F_GETFL), r;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    r = connect_until(fd, sa, len, cancel_fd, wh_now_ms() + wh_waits.peer);
    return fcntl(fd, F_SETFL, flags) < 0 && r == 0 ? -errno : r;
}
