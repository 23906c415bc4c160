/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/listener.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json-out.h"
#include "host/console.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define WHAT "seccomp listener"

static int with_place(const struct wh_state *s, int r, struct wh_err *err)
{
    if (r < 0 && err->code && r != -ECANCELED && s->listener_place && err->path[0] == '\0')
        snprintf(err->path, sizeof err->path, "%s", s->listener_place);
    return r;
}

int wh_listener_look(const struct wh_state *s, struct wh_err *err)
{
    return with_place(s, wh_console_look(s->listener_path, WHAT, err), err);
}

int wh_listener_connect(struct wh_listener *l, int cancel_fd, struct wh_err *err)
{
    return with_place(l->state, wh_console_connect(l->path, WHAT, cancel_fd, &l->sock, err), err);
}

void wh_listener_done(struct wh_listener *l)
{
    wh_closep(&l->sock);
    l->sock = -1;
}

static void message(const struct wh_listener *l, pid_t pid, struct wh_buf *out)
{
    const struct wh_state *s = l->state;
    struct wh_json j = { .out = out };

    wh_json_open(&j, NULL, '{');
    wh_json_str(&j, "ociVersion", "1.3.0");
    wh_json_open(&j, "fds", '[');
    wh_json_str(&j, NULL, "seccompFd");
    wh_json_close(&j, ']');
    wh_json_u64(&j, "pid", (uint64_t)pid);
    if (l->metadata)
        wh_json_str(&j, "metadata", l->metadata);
    wh_json_open(&j, "state", '{');
    wh_json_str(&j, "ociVersion", "1.3.0");
    wh_json_str(&j, "id", s->id);
    wh_json_str(&j, "status", l->status);
    wh_json_u64(&j, "pid", (uint64_t)s->pid);
    wh_json_str(&j, "bundle", s->bundle);
    if (s->nannotations > 0) {
        wh_json_open(&j, "annotations", '{');
        for (size_t i = 0; i < s->nannotations; i++)
            wh_json_str(&j, s->annotations[i].key, s->annotations[i].value);
        wh_json_close(&j, '}');
    }
    wh_json_close(&j, '}');
    wh_json_close(&j, '}');
}

/* The number is the process's word. */
static bool is_listener(int proc_fd, int fd)
{
    char link[32], buf[64];
    ssize_t n;

    snprintf(link, sizeof link, "self/fd/%d", fd);
    n = readlinkat(proc_fd, link, buf, sizeof buf - 1);
    if (n < 0)
        return false;
    buf[n] = '\0';
    return wh_streq(buf, "anon_inode:seccomp notify");
}

int wh_listener_send(struct wh_listener *l, int proc_fd, int pidfd, pid_t pid, int number, int cancel_fd,
                     struct wh_err *err)
{
    WH_CLEANUP_FD int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    int r;

    if (fd < 0 && errno == ESRCH)
        return -ESRCH;
    if (fd < 0 && errno == EPERM)
        return wh_err_set(err, WH_ERR_HOST, -EPERM, NULL,
                          "take the " WHAT
                          " out of the container: operation not permitted: without CAP_SYS_PTRACE, or with "
                          "sysctl kernel.yama.ptrace_scope = 3, no filter can notify");
    if (fd < 0)
        return wh_err_sys(err, -errno, "take the " WHAT " out of the container");
    if (!is_listener(proc_fd, fd))
        return wh_err_set(err, WH_ERR_PROTOCOL, -EPROTO, NULL, "fd %d of the container is no " WHAT, number);
    message(l, pid, &text);
    if (text.failed)
        return wh_err_sys(err, -ENOMEM, "write the container process state");
    r = with_place(l->state, wh_console_send(l->sock, fd, text.data, WHAT, cancel_fd, err), err);
    /* Also on failure: one connection for one process. Our copy of the listener goes as well, so that the end of the one who answers
     * is the end of the listener. */
    wh_listener_done(l);
    return r;
}
