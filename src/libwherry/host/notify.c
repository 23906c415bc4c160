/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "host/proc.h"
#include "host/waits.h"

#define BARRIER_MS 30000 /* as runc has it */
#define RETRY_MS 100
/* The protocol's messages are lines of a few bytes; of a longer one the beginning is looked at. */
#define MESSAGE_MAX 4096

int wh_notify_make(int dir_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = -1;

    if (mkdirat(dir_fd, "notify", 0755) < 0)
        return wh_err_sys(err, -errno, "make the directory of the notify socket");
    fd = openat(dir_fd, "notify", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Any user of the container; the caller's umask is not ours to change. */
    return fd < 0 || fchmod(fd, 0755) < 0 ? wh_err_sys(err, -errno, "make the directory of the notify socket") : 0;
}

int wh_notify_listen(int dir_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), dir = -1;
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    dir = openat(dir_fd, "notify", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/notify.sock", dir_fd);
    if (fd < 0 || dir < 0 || (unlinkat(dir_fd, "notify.sock", 0) < 0 && errno != ENOENT) ||
        bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
        return wh_err_sys(err, -errno, "make the notify socket");
    /* Made where the container cannot see it, then moved: in its directory a process of the container that made the mount
     * writable could put a symlink in the way of chmod. */
    if (fchmodat(dir_fd, "notify.sock", 0777, 0) < 0 || renameat(dir_fd, "notify.sock", dir, "notify.sock") < 0)
        return wh_err_sys(err, -errno, "make the notify socket");
    return wh_take_fd(&fd);
}

/* One datagram, of which any line may be READY=1. Without room for ancillary data the kernel closes the fds that came with it. */
static bool says_ready(int sock)
{
    char buf[MESSAGE_MAX + 1], *save = NULL;
    ssize_t n = recv(sock, buf, MESSAGE_MAX, MSG_DONTWAIT);

    if (n <= 0)
        return false;
    buf[n] = '\0';
    for (char *line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (wh_streq(line, "READY=1"))
            return true;
    return false;
}

/* Connected, because poll(2) knows only of a connected socket whether its peer's queue has room. Waits for that until `end`. */
static int send_waiting(int sock, const struct sockaddr_un *sa, socklen_t len, const struct msghdr *m, int cancel_fd,
                        int64_t end)
{
    if (connect(sock, (const struct sockaddr *)sa, len) < 0)
        return -errno;
    for (;;) {
        int r;

        if (sendmsg(sock, m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        r = wh_wait_fd(sock, POLLOUT, cancel_fd, end);
        if (r < 0)
            return r;
    }
}

/* end: of wh_now_ms(); one that has passed: without waiting. */
static int send_text(const char *host, const char *text, int fd, int cancel_fd, int64_t end, struct wh_err *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    WH_CLEANUP_FD int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof(int))];
    } c;
    struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    size_t len = strlen(host);
    int r;

    if ((host[0] != '/' && host[0] != '@') || len < 2 || len >= sizeof sa.sun_path)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "NOTIFY_SOCKET \"%.100s\" is no address of a socket", host);
    memcpy(sa.sun_path, host, len);
    if (host[0] == '@')
        sa.sun_path[0] = '\0';
    if (fd >= 0) {
        memset(&c, 0, sizeof c);
        c.h.cmsg_len = CMSG_LEN(sizeof(int));
        c.h.cmsg_level = SOL_SOCKET;
        c.h.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&c.h), &fd, sizeof fd);
        m.msg_control = c.buf;
        m.msg_controllen = sizeof c.buf;
    }
    r = sock < 0 ? -errno
                 : send_waiting(sock, &sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (host[0] == '/')),
                                &m, cancel_fd, end);
    if (r == -ECANCELED)
        return wh_err_set(err, WH_ERR_HOST, r, NULL, "canceled");
    return r < 0 ? wh_err_sys(err, r, "notify the service manager at %s", host) : 0;
}

/* The manager closes its end of the pipe when it has acted on all that came before: we may exit then, and it still knows whose the
 * messages were (sd_notify_barrier(3)). */
static int barrier(const struct wh_notify *n, struct wh_err *err)
{
    WH_CLEANUP_FD int ours = -1, theirs = -1;
    int pair[2], r;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return wh_err_sys(err, -errno, "make a pipe");
    ours = pair[0];
    theirs = pair[1];
    r = send_text(n->host, "BARRIER=1", theirs, n->cancel_fd, wh_now_ms() + wh_waits.peer, err);
    if (r < 0)
        return r;
    wh_closep(&theirs);
    theirs = -1;
    for (int64_t end = wh_now_ms() + BARRIER_MS, now; (now = wh_now_ms()) < end;) {
        struct pollfd p[2] = { { .fd = ours }, { .fd = n->cancel_fd, .events = POLLIN } };
        int k = poll(p, 2, (int)(end - now));

        if (k < 0 && errno != EINTR)
            return wh_err_sys(err, -errno, "poll");
        if (k > 0 && p[1].revents)
            return wh_err_set(err, WH_ERR_HOST, -ECANCELED, NULL, "canceled");
        if (k > 0)
            return 0;
    }
    return wh_err_sys(err, -ETIMEDOUT, "wait for the service manager");
}

int wh_notify_wait(const struct wh_notify *n, struct wh_err *err)
{
    struct pollfd p[3] = { { .fd = n->sock, .events = POLLIN },
                           { .fd = n->pidfd, .events = POLLIN },
                           { .fd = n->cancel_fd, .events = POLLIN } };
    char text[32];
    int r;

    for (;;) {
        int k = poll(p, 3, -1);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return wh_err_sys(err, -errno, "poll");
        if (p[2].revents)
            return wh_err_set(err, WH_ERR_HOST, -ECANCELED, NULL, "canceled");
        /* First what it said, then that it is gone: a payload may say it and end. */
        if (p[0].revents) {
            if (says_ready(n->sock))
                break;
            continue;
        }
        if (p[1].revents)
            return 0;
    }
    r = send_text(n->host, "READY=1", -1, n->cancel_fd, wh_now_ms() + wh_waits.peer, err);
    if (r < 0 || n->main_pid <= 0)
        return r;
    snprintf(text, sizeof text, "MAINPID=%d", (int)n->main_pid);
    r = send_text(n->host, text, -1, n->cancel_fd, wh_now_ms() + wh_waits.peer, err);
    return r < 0 ? r : barrier(n, err);
}

void wh_notify_take(struct wh_notify *n)
{
    struct wh_err ignored = { 0 };

    if (says_ready(n->sock) && !n->told)
        n->due = true;
    /* A manager whose queue is full is tried again; one that is not there, or refuses, is not. */
    if (n->due && send_text(n->host, "READY=1", -1, -1, 0, &ignored) != -ETIMEDOUT) {
        n->due = false;
        n->told = true;
    }
}

int wh_notify_due_ms(const struct wh_notify *n)
{
    return n && n->due ? RETRY_MS : -1;
}
