/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/notify.h"

/* How long a master whose last slave is closed is left alone: the payload may open /dev/console again. */
#define HUNG_UP_MS 50
/* More than the kernel buffers for a pty (64 KiB). Without a pid namespace others may hold the slave and write for ever. */
#define PTY_MAX (128u * 1024u)
/* A shell tells nobody that it made a running job the foreground one. */
#define BACKGROUND_MS 300

void wh_tty_init(struct wh_tty *t, int in, int out)
{
    memset(t, 0, sizeof *t);
    t->in = in;
    t->out = out;
    t->console = t->receive = t->master = -1;
}

void wh_tty_release(struct wh_tty *t)
{
    wh_closep(&t->console);
}

/* With SIGTTIN and SIGTTOU blocked the kernel lets a background job change the terminal under the shell's hands. */
static bool in_background(const struct wh_tty *t)
{
    pid_t owner = tcgetpgrp(t->in);

    return owner >= 0 && owner != getpgrp();
}

static void restore(struct wh_tty *t)
{
    /* TCSADRAIN would wait for a terminal that nobody reads. */
    if (t->raw && !in_background(t))
        (void)tcsetattr(t->in, TCSANOW, &t->saved);
}

void wh_tty_done(struct wh_tty *t)
{
    restore(t);
    t->raw = false;
    wh_closep(&t->console);
    wh_closep(&t->receive);
    wh_closep(&t->master);
}

int wh_tty_open(struct wh_tty *t, struct wh_err *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return wh_err_sys(err, -errno, "make a socket for the terminal");
    t->receive = pair[0];
    t->console = pair[1];
    return 0;
}

static void set_raw(struct wh_tty *t)
{
    struct termios raw;

    t->background = in_background(t);
    if (t->background)
        return;
    if (tcgetattr(t->in, t->raw ? &raw : &t->saved) < 0)
        return; /* not a terminal: a pipe needs no mode */
    raw = t->saved;
    cfmakeraw(&raw);
    /* The container's side has no ONLCR (CONSOLE), so that a pipe gets plain newlines: this side adds the carriage returns. */
    raw.c_oflag |= OPOST;
    if (tcsetattr(t->in, TCSANOW, &raw) == 0)
        t->raw = true;
}

static void resize(struct wh_tty *t)
{
    struct winsize ws;

    /* A terminal without a size (a serial line) has nothing to tell: the config's consoleSize stays. */
    if ((ioctl(t->in, TIOCGWINSZ, &ws) == 0 || ioctl(t->out, TIOCGWINSZ, &ws) == 0) && ws.ws_row && ws.ws_col)
        (void)ioctl(t->master, TIOCSWINSZ, &ws);
}

void wh_tty_suspend(struct wh_tty *t)
{
    WH_CLEANUP_FD int tty = openat(AT_FDCWD, "/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    sigset_t stop, old;

    if (tty < 0)
        return;
    if (t)
        restore(t);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    /* Pending while it is blocked, and so taken by this thread, now, and not by another one later. */
    pthread_sigmask(SIG_BLOCK, &stop, &old);
    (void)raise(SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (t && t->raw)
        set_raw(t);
}

int wh_tty_receive(struct wh_tty *t, struct wh_err *err)
{
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof(int))];
    } c;
    char payload[4096];
    struct iovec iov = { .iov_base = payload, .iov_len = sizeof payload };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = CMSG_LEN(sizeof(int))
    };
    WH_CLEANUP_FD int fd = -1;
    unsigned number;
    ssize_t n;

    memset(&c, 0, sizeof c);
    do
        n = recvmsg(t->receive, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return wh_err_sys(err, -errno, "receive the container's terminal");

    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(h), sizeof fd);
    if (fd < 0 || ioctl(fd, TIOCGPTN, &number) < 0)
        return wh_err_set(err, WH_ERR_PROTOCOL, -EPROTO, NULL, "receive the container's terminal: what came is none");
    /* It is ours alone: init has closed its copy. */
    if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return wh_err_sys(err, -errno, "receive the container's terminal");
    t->master = wh_take_fd(&fd);
    wh_closep(&t->receive);
    resize(t);
    set_raw(t);
    return 0;
}

/* ---------------------------------------------------------------- the copy loop */

#define BUFFER 8192

struct buffer {
    char data[BUFFER + 2]; /* two more for end_of_input() */
    size_t start, end;
    char last; /* byte that was read */
    bool eof; /* nothing more will be read into it */
    bool broken; /* nobody takes what is in it any more */
};

static size_t pending(const struct buffer *b)
{
    return b->broken ? 0 : b->end - b->start;
}

static bool room(const struct buffer *b)
{
    return !b->eof && (b->broken || b->end < BUFFER || b->start > 0);
}

/* One read into the buffer; bytes, 0 at the end, or -errno. */
static ssize_t fill(struct buffer *b, int fd)
{
    ssize_t n;

    if (b->broken)
        b->start = b->end = 0;
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
    if (b->end >= BUFFER)
        return -EAGAIN;
    n = read(fd, b->data + b->end, BUFFER - b->end);
    if (n < 0)
        return -errno;
    b->end += (size_t)n;
    if (n > 0)
        b->last = b->data[b->end - 1];
    return n;
}

/* One write from it that does not wait: a pipe that is ready takes 4096 bytes (PIPE_BUF), a socket is told so. */
static void drain(struct buffer *b, int fd)
{
    size_t len = b->end - b->start;
    ssize_t n = send(fd, b->data + b->start, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno == ENOTSOCK)
        n = write(fd, b->data + b->start, len < 4096 ? len : 4096);
    if (n >= 0)
        b->start += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        b->broken = true;
    if (b->start == b->end)
        b->start = b->end = 0;
}

/* A description of our own of the output, that may be non-blocking: the caller's is shared with others (its shell) that do
 * not expect EAGAIN. -1 where there is none to have: a socket, a file, a terminal that may not be opened. */
static int reopen_out(int fd)
{
    struct stat st;
    char path[32];

    if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return openat(AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct loop {
    struct wh_tty *t;
    int pidfd, signal_fd, cancel_fd;
    int out;
    struct buffer input, output; /* towards the payload, and from it */
    bool ended; /* the process has */
    bool hung_up; /* no slave is open at the moment */
    bool give_up;
    size_t after_end; /* bytes that came after it: what it left in the pty, unless others go on writing */
};

/* The caller's input ended, and it was no terminal that could have said so by itself: the payload's terminal says it. */
static void end_of_input(struct loop *l)
{
    struct termios tio;
    bool line_ended = !l->input.last || l->input.last == '\n';

    l->input.eof = true;
    if (l->t->raw || tcgetattr(l->t->master, &tio) < 0 || !(tio.c_lflag & ICANON) || !tio.c_cc[VEOF])
        return;
    /* The first one ends a line that has no newline, and only the next is the end of the file. */
    for (int i = line_ended ? 1 : 0; i < 2 && l->input.end < sizeof l->input.data; i++)
        l->input.data[l->input.end++] = (char)tio.c_cc[VEOF];
}

static int take_signals(struct loop *l, struct wh_err *err)
{
    struct signalfd_siginfo si;
    ssize_t n = read(l->signal_fd, &si, sizeof si);
    int sig;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n != sizeof si)
        return wh_err_sys(err, n < 0 ? -errno : -EIO, "read the signals to pass on");
    sig = (int)si.ssi_signo;
    if (sig == SIGCHLD && l->t->reap)
        l->t->reap(l->t->keep);
    if (sig == SIGCHLD || sig == SIGURG)
        return 0;
    if (sig == SIGPIPE && si.ssi_pid == (uint32_t)getpid())
        return 0; /* of a write of ours, which has seen EPIPE */
    if (sig == SIGWINCH) {
        resize(l->t);
        return 0;
    }
    /* A shell that let us stop has put its own modes back, and its window may have another size by now. */
    if (sig == SIGCONT && (l->t->raw || l->t->background)) {
        set_raw(l->t);
        resize(l->t);
    }
    if (l->ended) {
        l->give_up |= sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
        return 0;
    }
    if (syscall(SYS_pidfd_send_signal, l->pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
        return wh_err_sys(err, -errno, "pass signal %d on to the container", sig);
    if (sig == SIGTSTP)
        wh_tty_suspend(l->t);
    return 0;
}

/* Returns 1 when the loop is done. */
static int turn(struct loop *l, struct wh_err *err)
{
    enum { IN, OUT, MASTER, PID, SIG, CANCEL, NOTIFY, N };
    struct pollfd p[N];
    bool stalled = l->hung_up && !l->ended;
    int r;

    for (int i = 0; i < N; i++)
        p[i] = (struct pollfd){ .fd = -1 };
    if (l->t->background && !in_background(l->t)) {
        set_raw(l->t);
        resize(l->t);
    }
    if (room(&l->input) && !l->ended && !l->t->background)
        p[IN] = (struct pollfd){ .fd = l->t->in, .events = POLLIN };
    if (pending(&l->output))
        p[OUT] = (struct pollfd){ .fd = l->out, .events = POLLOUT };
    /* After the end one portion at a time: a master that has hung up is always ready, and would keep us spinning while the
     * output waits for its reader. */
    if (!stalled && room(&l->output) && !(l->ended && pending(&l->output)))
        p[MASTER] = (struct pollfd){ .fd = l->t->master, .events = POLLIN };
    if (!stalled && pending(&l->input) && !l->ended) {
        p[MASTER].fd = l->t->master;
        p[MASTER].events |= POLLOUT;
    }
    if (!l->ended)
        p[PID] = (struct pollfd){ .fd = l->pidfd, .events = POLLIN };
    p[SIG] = (struct pollfd){ .fd = l->signal_fd, .events = POLLIN };
    if (l->t->notify)
        p[NOTIFY] = (struct pollfd){ .fd = l->t->notify->sock, .events = POLLIN };
    p[CANCEL] = (struct pollfd){ .fd = l->cancel_fd, .events = POLLIN };

    r = poll(p, N,
             l->ended && room(&l->output) && !pending(&l->output) ? 0
             : stalled                                            ? HUNG_UP_MS
             : l->t->background                                   ? BACKGROUND_MS
                                                                  : wh_notify_due_ms(l->t->notify));
    if (r < 0)
        return errno == EINTR ? 0 : wh_err_sys(err, -errno, "wait for the container's terminal");
    l->hung_up = false;
    if (p[NOTIFY].revents || wh_notify_due_ms(l->t->notify) >= 0)
        wh_notify_take(l->t->notify);
    if (p[CANCEL].revents)
        return wh_err_set(err, WH_ERR_USAGE, -ECANCELED, NULL, "cancelled");
    if (p[SIG].revents) {
        r = take_signals(l, err);
        if (r < 0)
            return r;
    }
    if (p[IN].revents) {
        ssize_t n = fill(&l->input, l->t->in);

        /* EIO: the terminal is gone, or another job has it by now. */
        l->t->background = n == -EIO && in_background(l->t);
        if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR && !l->t->background))
            end_of_input(l);
    }
    if (p[MASTER].revents & POLLOUT)
        drain(&l->input, l->t->master);
    if (p[MASTER].revents & (POLLIN | POLLHUP | POLLERR) && room(&l->output)) {
        ssize_t n = fill(&l->output, l->t->master);

        l->hung_up = n == 0 || n == -EIO;
        l->after_end += l->ended && n > 0 ? (size_t)n : 0;
        l->output.eof = n < 0 && n != -EAGAIN && n != -EINTR && n != -EIO;
    }
    if (p[OUT].revents)
        drain(&l->output, l->out);
    /* Only when the master was asked in this turn and had nothing: what was written before the end is still in there. */
    if (l->ended && p[MASTER].fd >= 0 && !pending(&l->output) &&
        (!(p[MASTER].revents & POLLIN) || l->after_end > PTY_MAX))
        return 1;
    if (p[PID].revents)
        l->ended = true;
    return l->ended && l->give_up;
}

int wh_tty_copy(struct wh_tty *t, int pidfd, int signal_fd, int cancel_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int own_out = reopen_out(t->out);
    struct loop l = { .t = t, .pidfd = pidfd, .signal_fd = signal_fd, .cancel_fd = cancel_fd };
    sigset_t pipe_set, old, before;
    int r;

    l.out = own_out >= 0 ? own_out : t->out;
    /* A write to a pipe that nobody reads must not end the caller, whose handlers are not ours to change: this thread blocks
     * the signal, and takes it out again if it was us who caused it. */
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&before);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    do
        r = turn(&l, err);
    while (r == 0);
    if (!sigismember(&before, SIGPIPE))
        (void)sigtimedwait(&pipe_set, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r < 0 ? r : 0;
}
