/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `run` and `exec` do while their payload runs: signals to it, its status back. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/console.h"
#include "host/notify.h"
#include "host/waits.h"

/* Reaps what the container's processes left to us (the program made itself subreaper), but not init: its status is ours to
 * return. Looked at first, because waiting for all children cannot leave one out. */
void wh_api_reap_orphans(pid_t init)
{
    siginfo_t si;

    for (;;) {
        si.si_pid = 0;
        if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0 || si.si_pid == init)
            return;
        if (waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG) < 0)
            return;
    }
}

static int pass_signals(int signal_fd, const struct wh_run *run, bool subreaper)
{
    struct signalfd_siginfo si;
    ssize_t n;

    do
        n = read(signal_fd, &si, sizeof si);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (n != sizeof si)
        return -EIO;
    if (si.ssi_signo == SIGCHLD) {
        if (subreaper)
            wh_api_reap_orphans(run->pid_b);
    } else if (si.ssi_signo != SIGURG) {
        wh_pidfd_kill(run->pidfd_b, (int)si.ssi_signo);
        if (si.ssi_signo == SIGTSTP)
            wh_tty_suspend(NULL);
    }
    return 0;
}

/* Without a terminal: the payload has our own stdio, there is nothing to copy. */
static int wait_payload(const struct wh_foreground *f, struct wh_err *err)
{
    struct pollfd p[4] = { { .fd = f->run->pidfd_b, .events = POLLIN },
                           { .fd = f->signal_fd, .events = POLLIN },
                           { .fd = f->run->cancel_fd, .events = POLLIN } };

    for (;;) {
        int n, r;

        p[3] = (struct pollfd){ .fd = f->notify ? f->notify->sock : -1, .events = POLLIN };
        n = poll(p, 4, wh_notify_due_ms(f->notify));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return wh_err_sys(err, -errno, "poll");
        if (p[3].revents || n == 0)
            wh_notify_take(f->notify);
        if (p[0].revents)
            return 0;
        if (p[1].revents) {
            r = pass_signals(f->signal_fd, f->run, f->subreaper);
            if (r < 0)
                return wh_err_sys(err, r, "read signals");
        }
        if (p[2].revents)
            return wh_err_set(err, WH_ERR_HOST, -ECANCELED, NULL, "canceled");
    }
}

static void tell_left(const struct wh_run *run, const char *what, struct wh_err *err)
{
    size_t len = strlen(err->msg);
    char waits[160];

    wh_proc_waits(run->proc_fd, run->pid_b, waits, sizeof waits);
    snprintf(err->msg + len, sizeof err->msg - len,
             "; %s (process %d) was killed, but has not ended within %d s: it is %s, and is left to its cgroup", what,
             (int)run->pid_b, wh_waits.killed / 1000, waits);
}

int wh_api_foreground(const struct wh_foreground *f, int *ret_status, struct wh_err *err)
{
    struct wh_run *run = f->run;
    struct wh_exit ex = { 0 };
    int r, d;

    if (f->tty && f->subreaper) {
        f->tty->reap = wh_api_reap_orphans;
        f->tty->keep = run->pid_b;
    }
    if (f->tty)
        f->tty->notify = f->notify;
    r = f->tty ? wh_tty_copy(f->tty, run->pidfd_b, f->signal_fd, run->cancel_fd, err) : wait_payload(f, err);
    if (f->tty)
        wh_tty_done(f->tty);
    if (r < 0)
        wh_pidfd_kill(run->pidfd_b, SIGKILL);
    if (r < 0)
        run->gone_by = wh_now_ms() + wh_waits.killed;
    d = wh_pidfd_reap_until(run->pidfd_b, wh_now_ms() + wh_waits.killed, &ex);
    /* It is kept, so that who cleans up knows that it lives. */
    if (r < 0 && d == -ETIMEDOUT) {
        tell_left(run, f->what, err);
        return r;
    }
    if (d == 0)
        WH_INFO("%s ended: %s %d", f->what, ex.signalled ? "killed by signal" : "exit status", ex.value);
    if (d == 0)
        *ret_status = ex.signalled ? 128 + ex.value : ex.value;
    else if (r == 0 && d == -EBUSY)
        r = wh_err_set(err, WH_ERR_HOST, d, NULL,
                       "%s has ended, but a process that traces it does not let go of it: its status cannot be told",
                       f->what);
    else if (r == 0)
        r = wh_err_sys(err, d, "wait for %s", f->what);
    wh_closep(&run->pidfd_b);
    if (f->signal_fd >= 0 && f->subreaper)
        wh_api_reap_orphans(0);
    return r;
}

int wh_api_open_console(const char *socket, int cancel_fd, int *ret_fd, struct wh_tty *tty, struct wh_err *err)
{
    int r = socket ? wh_console_connect(socket, "console socket", cancel_fd, ret_fd, err) : 0;

    return r < 0 || !tty ? r : wh_tty_open(tty, err);
}
