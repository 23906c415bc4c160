/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Console sockets, and the terminal of a foreground run: a pty of the host stands for the container's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "host/console.h"
#include "host/tty.h"
#include "tap.h"

static void test_rules(void)
{
    static const struct {
        bool terminal, detach, socket;
        const char *want;
    } t[] = {
        { false, false, false, NULL },
        { false, true, false, NULL },
        { true, false, false, NULL },
        { true, true, true, NULL },
        { true, true, false, "cannot allocate tty if wherry will detach without setting console socket" },
        { false, true, true, "cannot use console socket if wherry will not detach or allocate tty" },
        { false, false, true, "cannot use console socket if wherry will not detach or allocate tty" },
        { true, false, true, "cannot use console socket if wherry will not detach or allocate tty" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        struct wh_err err = { 0 };
        int r = wh_console_check(t[i].terminal, t[i].detach, t[i].socket, &err);

        is_int(r, t[i].want ? -EINVAL : 0, "terminal %d, detached %d, socket %d", t[i].terminal, t[i].detach,
               t[i].socket);
        is_str(err.msg, t[i].want ? t[i].want : "", "its text");
    }
}

static int receive_fd(int sock, char *payload, size_t size)
{
    char c[CMSG_SPACE(4 * sizeof(int))];
    struct iovec iov = { .iov_base = payload, .iov_len = size - 1 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c };
    ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    int fd;

    payload[n > 0 ? n : 0] = '\0';
    if (!h || h->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    memcpy(&fd, CMSG_DATA(h), sizeof fd);
    return fd;
}

static void test_connect(void)
{
    char dir[] = "/tmp/wherry-tty-XXXXXX", path[PATH_MAX], payload[64], deep[160], fdpath[64];
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct wh_err err = { 0 };
    WH_CLEANUP_FD int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    WH_CLEANUP_FD int dirfd = -1;
    int fd = -1;

    if (!mkdtemp(dir)) {
        fail_test("a temporary directory");
        return;
    }
    /* A path that no sockaddr_un can hold. */
    memset(deep, 'd', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    snprintf(path, sizeof path, "%s/%s", dir, deep);
    ok(mkdir(path, 0700) == 0, "a directory with a long name");
    dirfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(fdpath, sizeof fdpath, "/proc/self/fd/%d/s", dirfd);
    memcpy(sa.sun_path, fdpath, strlen(fdpath));
    ok(bind(listener, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(listener, 1) == 0, "a socket in it");
    snprintf(path, sizeof path, "%s/%s/s", dir, deep);
    ok(strlen(path) > sizeof sa.sun_path, "its path is too long for sockaddr_un");
    if (is_int(wh_console_connect(path, "console socket", -1, &fd, &err), 0, "connects all the same: %s", err.msg)) {
        WH_CLEANUP_FD int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC),
                          null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        WH_CLEANUP_FD int got = -1;
        struct stat a, b;

        is_int(wh_console_send(fd, null, "standard", "pidfd socket", -1, &err), 0, "sends an fd");
        got = receive_fd(peer, payload, sizeof payload);
        is_str(payload, "standard", "with its payload");
        ok(got >= 0 && fstat(got, &a) == 0 && fstat(null, &b) == 0 && a.st_rdev == b.st_rdev, "it is that one");
        close(fd);
        is_int(read(peer, payload, sizeof payload), 0, "and nothing after it");
    }
    close(wh_take_fd(&listener));
    memset(&err, 0, sizeof err);
    is_int(wh_console_connect(path, "console socket", -1, &fd, &err), -ECONNREFUSED, "nobody listens");
    has_str(err.msg, "connect to console socket ", "verb and object");
    has_str(err.msg, ": connection refused", "and why");
    unlinkat(dirfd, "s", 0);
    memset(&err, 0, sizeof err);
    is_int(wh_console_connect(path, "console socket", -1, &fd, &err), -ENOENT, "no such socket");
    has_str(err.msg, ": no such file or directory", "why");
    memset(&err, 0, sizeof err);
    is_int(wh_console_connect(dir, "console socket", -1, &fd, &err), -ENOTSOCK, "a directory is no socket");
    has_str(err.msg, "it is not a socket", "why");
    snprintf(path, sizeof path, "%s/%s", dir, deep);
    rmdir(path);
    rmdir(dir);
}

/* ---------------------------------------------------------------- the copy loop */
struct rig {
    struct wh_tty t;
    int in, out; /* our ends */
    int sink, source; /* what the loop has */
    int slave;
    pid_t payload;
    int pidfd, signal_fd;
};

/* A payload on a pty, whose master is sent as wherry-init would. `terminal`: the caller has one too. */
static bool rig_start(struct rig *g, bool terminal, void (*payload)(void))
{
    struct wh_err err = { 0 };
    int in[2], out[2], go[2], master, mine, theirs;
    sigset_t set;

    memset(g, 0, sizeof *g);
    if (terminal) {
        struct winsize ws = { .ws_row = 33, .ws_col = 77 };

        if (openpty(&mine, &theirs, NULL, NULL, &ws) < 0)
            return false;
        g->in = g->out = mine;
        g->source = g->sink = theirs;
        fcntl(mine, F_SETFD, FD_CLOEXEC);
        fcntl(theirs, F_SETFD, FD_CLOEXEC);
    } else {
        if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
            return false;
        g->in = in[1];
        g->source = in[0];
        g->out = out[0];
        g->sink = out[1];
    }
    wh_tty_init(&g->t, g->source, g->sink);
    if (pipe2(go, O_CLOEXEC) < 0 || wh_tty_open(&g->t, &err) < 0 || openpty(&master, &g->slave, NULL, NULL, NULL) < 0)
        return false;
    g->payload = fork();
    if (g->payload == 0) {
        char c;

        /* As a container waits for `start`. */
        close(go[1]);
        (void)!read(go[0], &c, 1);
        setsid();
        ioctl(g->slave, TIOCSCTTY, 0);
        for (int i = 0; i < 3; i++)
            dup2(g->slave, i);
        syscall(SYS_close_range, 3u, ~0u, 0u);
        sigemptyset(&set);
        sigprocmask(SIG_SETMASK, &set, NULL);
        payload();
        _exit(0);
    }
    wh_closep(&g->slave);
    g->pidfd = (int)syscall(SYS_pidfd_open, g->payload, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    ok(wh_console_send(g->t.console, master, " ", "console", -1, &err) == 0, "the master is sent");
    close(master);
    wh_tty_release(&g->t);
    is_int(wh_tty_receive(&g->t, &err), 0, "and received: %s", err.msg);
    close(go[0]);
    close(go[1]);
    return err.code == 0;
}

static int rig_status(struct rig *g)
{
    int status = -1;

    waitpid(g->payload, &status, 0);
    return status;
}

static void rig_done(struct rig *g)
{
    wh_tty_done(&g->t);
    wh_closep(&g->pidfd);
    wh_closep(&g->signal_fd);
    wh_closep(&g->source);
    if (g->in == g->out)
        g->out = -1;
    if (g->source == g->sink)
        g->sink = -1;
    wh_closep(&g->in);
    wh_closep(&g->out);
    wh_closep(&g->sink);
}

static int copy(struct rig *g)
{
    struct wh_err err = { 0 };

    /* A loop that hangs ends the test program, without a plan. */
    alarm(20);
    int r = wh_tty_copy(&g->t, g->pidfd, g->signal_fd, -1, &err);
    alarm(0);
    if (r < 0)
        diag("%s", err.msg);
    return r;
}

static ssize_t read_some(int fd, char *buf, size_t size)
{
    size_t len = 0;

    while (len < size - 1) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (poll(&p, 1, 0) <= 0)
            break;
        n = read(fd, buf + len, size - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    buf[len] = '\0';
    return (ssize_t)len;
}

static void p_hello(void)
{
    (void)!write(1, "hello\n", 6);
}

/* Reads lines until the end of its input, and says how many bytes there were. */
static void p_count(void)
{
    char buf[256];
    long total = 0;

    for (ssize_t n; (n = read(0, buf, sizeof buf)) > 0;)
        total += n;
    dprintf(1, "total %ld\n", total);
}

static void p_size(void)
{
    struct winsize ws = { 0 };

    ioctl(0, TIOCGWINSZ, &ws);
    dprintf(1, "size %d %d\n", ws.ws_row, ws.ws_col);
}

static void p_flood(void)
{
    char line[1000];

    memset(line, 'x', sizeof line);
    line[999] = '\n';
    for (int i = 0; i < 300; i++)
        for (size_t done = 0; done < sizeof line;) {
            ssize_t n = write(1, line + done, sizeof line - done);

            if (n > 0)
                done += (size_t)n;
        }
}

static void p_wait(void)
{
    for (;;)
        pause();
}

/* Closes the terminal, lives on, opens it again and speaks. */
static void p_reopen(void)
{
    char name[64];
    int fd;

    if (ttyname_r(0, name, sizeof name) != 0)
        return;
    signal(SIGHUP, SIG_IGN);
    close(0);
    close(1);
    close(2);
    nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
    fd = open(name, O_RDWR);
    (void)!write(fd, "again\n", 6);
}

static void test_output(void)
{
    struct rig g;
    char buf[4096];

    if (rig_start(&g, false, p_hello)) {
        is_int(copy(&g), 0, "copies until the end");
        read_some(g.out, buf, sizeof buf);
        is_str(buf, "hello\r\n", "what it said came out");
        is_int(rig_status(&g), 0, "and it is still to be reaped");
    }
    rig_done(&g);

    if (rig_start(&g, false, p_reopen)) {
        is_int(copy(&g), 0, "a payload that closes its terminal for a while");
        read_some(g.out, buf, sizeof buf);
        has_str(buf, "again", "is heard when it opens it again");
        rig_status(&g);
    }
    rig_done(&g);
}

static void test_input(void)
{
    static const struct {
        const char *text, *want;
    } t[] = { { "one\ntwo\n", "total 8" }, { "", "total 0" }, { "no newline", "total 10" } };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        struct rig g;
        char buf[4096];

        if (rig_start(&g, false, p_count)) {
            (void)!write(g.in, t[i].text, strlen(t[i].text));
            wh_closep(&g.in);
            is_int(copy(&g), 0, "input that ends");
            read_some(g.out, buf, sizeof buf);
            has_str(buf, t[i].want, "the payload sees its end, and all of it");
            rig_status(&g);
        }
        rig_done(&g);
    }
}

static void test_terminal(void)
{
    struct rig g;
    struct termios before, during, after;
    char buf[4096];

    if (rig_start(&g, true, p_size)) {
        before = g.t.saved;
        tcgetattr(g.source, &during);
        ok((before.c_lflag & ICANON) && !(during.c_lflag & (ICANON | ECHO | ISIG)), "the caller's terminal is raw");
        is_int(copy(&g), 0, "copy");
        wh_tty_done(&g.t);
        tcgetattr(g.source, &after);
        ok(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag && after.c_oflag == before.c_oflag,
           "and afterwards as it was");
        read_some(g.out, buf, sizeof buf);
        has_str(buf, "size 33 77", "the payload has its size");
        rig_status(&g);
    }
    rig_done(&g);
}

static void test_signals(void)
{
    struct rig g;
    struct winsize ws = { .ws_row = 11, .ws_col = 22 }, got = { 0 };
    int master;

    if (!rig_start(&g, true, p_wait)) {
        rig_done(&g);
        return;
    }
    /* SIGWINCH makes the sizes equal again and is not for the payload; SIGUSR1 is. */
    master = fcntl(g.t.master, F_DUPFD_CLOEXEC, 3);
    ioctl(g.source, TIOCSWINSZ, &ws);
    raise(SIGWINCH);
    raise(SIGUSR1);
    is_int(copy(&g), 0, "ends with the payload");
    ioctl(master, TIOCGWINSZ, &got);
    is_int(got.ws_row * 1000 + got.ws_col, 11022, "resized");
    close(master);
    int status = rig_status(&g);
    is_int(WIFSIGNALED(status) ? WTERMSIG(status) : 0, SIGUSR1, "the signal went to the payload");
    rig_done(&g);
}

static void test_reader(void)
{
    struct rig g;
    char buf[4096];
    pid_t reader;
    size_t total = 0;

    /* One that is gone. */
    if (rig_start(&g, false, p_flood)) {
        wh_closep(&g.out);
        is_int(copy(&g), 0, "a reader that is gone loses output, and nothing else");
        is_int(rig_status(&g), 0, "the payload came to its end");
    }
    rig_done(&g);

    /* One that does not read: the payload is stopped by it, and signals still pass. */
    if (rig_start(&g, false, p_flood)) {
        /* The payload dies of the first one; the second gives its output up. */
        is_int(fcntl(g.out, F_SETPIPE_SZ, 4096), 4096, "a small pipe");
        pid_t poker = fork();
        if (poker == 0) {
            nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
            kill(getppid(), SIGUSR1);
            nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
            kill(getppid(), SIGTERM);
            _exit(0);
        }
        is_int(copy(&g), 0, "a reader that does not read");
        waitpid(poker, NULL, 0);
        is_int(rig_status(&g), SIGUSR1, "the payload was ended by the first signal, and its output by the second");
    }
    rig_done(&g);

    /* One that is slow: nothing may be lost. */
    if (rig_start(&g, false, p_flood)) {
        fcntl(g.out, F_SETPIPE_SZ, 4096);
        int report[2];
        (void)!pipe2(report, O_CLOEXEC);
        reader = fork();
        if (reader == 0) {
            close(g.sink);
            for (ssize_t n; (n = read(g.out, buf, sizeof buf)) > 0;) {
                total += (size_t)n;
                nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
            }
            (void)!write(report[1], &total, sizeof total);
            _exit(0);
        }
        is_int(copy(&g), 0, "a slow reader");
        wh_tty_done(&g.t);
        wh_closep(&g.sink);
        (void)!read(report[0], &total, sizeof total);
        is_u64(total, 300 * 1001, "gets every byte");
        waitpid(reader, NULL, 0);
        close(report[0]);
        close(report[1]);
        rig_status(&g);
    }
    rig_done(&g);
}

/* What a cmsg for one fd has room for, since its length is rounded up. */
static void send_two(int sock, int fd)
{
    int fds[2] = { fd, fd };
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof fds)];
    } c = { .h = { .cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec iov = { (char[]){ ' ' }, 1 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof c.buf };

    memcpy(CMSG_DATA(&c.h), fds, sizeof fds);
    ok(sendmsg(sock, &m, 0) == 1, "two fds are sent");
}

static void test_receive(void)
{
    struct wh_tty t;
    struct wh_err err = { 0 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    wh_tty_init(&t, null, null);
    is_int(wh_tty_open(&t, &err), 0, "open");
    is_int(wh_tty_receive(&t, &err), -EAGAIN, "nothing was sent: no wait");
    memset(&err, 0, sizeof err);
    wh_console_send(t.console, null, " ", "console", -1, &err);
    is_int(wh_tty_receive(&t, &err), -EPROTO, "what is no pty is refused");
    is_str(err.msg, "receive the container's terminal: what came is none", "and said");
    memset(&err, 0, sizeof err);
    send_two(t.console, null);
    is_int(wh_tty_receive(&t, &err), -EPROTO, "a second fd is none of ours, and not kept");
    wh_tty_done(&t);
    wh_tty_done(&t);
    close(null);
}

int main(void)
{
    int fds = fd_count();

    test_rules();
    test_connect();
    test_receive();
    test_output();
    test_input();
    test_terminal();
    test_signals();
    test_reader();
    is_int(fd_count(), fds, "no file descriptor is left open");
    return done_testing();
}
