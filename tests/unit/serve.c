/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's side of the protocol against an init that keeps it, that dies at each point of it, and that cheats: whatever it
 * sends, serve ends, says why, leaves no process and no fd.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/facts.h"
#include "host/listener.h"
#include "serve-world.h"

static void test_good(const struct wh_plan *plan)
{
    struct world w;

    world_init(&w, plan);
    hello(&w);
    forked(&w);
    say(&w, WH_MSG_ASK, S_LIMITS, 0, -1);
    say(&w, WH_MSG_ASK, S_HOOK, 0, -1);
    say(&w, WH_MSG_READY, S_READY, 0, -1);
    is_int(serve(&w), 0, "an init that keeps the protocol is served until READY");
    is_str(w.err.msg, "", "and there is no message");
    is_int(heard(&w), WH_MSG_GO, "GO after HELLO");
    is_int(heard(&w), WH_MSG_GO, "GO for B");
    is_int(heard(&w), WH_MSG_OK, "OK for the limits");
    is_int(heard(&w), WH_MSG_OK, "OK for the hook");
    is_int(heard(&w), 0, "and nothing else");
    is_int(wh_serve_commit(&w.run, &w.err), 0, "the host commits");
    is_int(heard(&w), WH_MSG_COMMIT, "COMMIT");
    is_int(w.limits, 1, "limits were applied once");
    is_int(w.hooks, 1, "hooks ran once");
    ok(gone(w.a), "A is reaped");
    ok(!gone(w.b), "B lives");
    is_int(w.run.pid_b, w.b, "B's pid is known");
    world_done(&w);
}

static int serve_exec(struct world *w)
{
    alarm(20);
    return wh_serve_exec(&w->run, NULL, &w->err);
}

/* exec: no READY; the end of the socket is success where the mailbox says EXEC, and only there. */
static void test_exec(const struct wh_plan *plan)
{
    struct world w;

    world_init(&w, plan);
    hello(&w);
    forked(&w);
    say(&w, WH_MSG_ASK, S_HOOK_C, 0, -1);
    w.mbox->state = WH_MBOX_EXEC;
    shutdown(w.theirs, SHUT_WR);
    is_int(serve_exec(&w), 0, "exec: served until the socket ends after EXEC");
    is_str(w.err.msg, "", "exec: and there is no message");
    is_int(w.hooks, 1, "exec: steps of both phases may ask");
    ok(gone(w.a), "exec: A is reaped");
    ok(w.run.pidfd_b >= 0 && !gone(w.b), "exec: B lives, and is the caller's");
    world_done(&w);

    world_init(&w, plan);
    hello(&w);
    forked(&w);
    w.mbox->state = WH_MBOX_B;
    shutdown(w.theirs, SHUT_WR);
    ok(serve_exec(&w) < 0 && w.err.msg[0], "exec: the end of the socket without EXEC is none");
    ok(gone(w.a) && gone(w.b), "exec: A and B are dead and reaped");
    w.b = 0;
    world_done(&w);

    /* Whoever says EXEC before there is a B has executed nothing. */
    world_init(&w, plan);
    hello(&w);
    w.mbox->state = WH_MBOX_EXEC;
    shutdown(w.theirs, SHUT_WR);
    ok(serve_exec(&w) < 0 && w.err.msg[0], "exec: EXEC without a B is none");
    ok(gone(w.a), "exec: A is dead and reaped");
    world_done(&w);

    world_init(&w, plan);
    hello(&w);
    forked(&w);
    say(&w, WH_MSG_READY, S_READY, 0, -1);
    is_int(serve_exec(&w), -EPROTO, "exec: READY has no place");
    ok(gone(w.a) && gone(w.b), "exec: whoever says it is killed");
    w.b = 0;
    world_done(&w);
}

/* Each is a message that has no place where it is sent; everything before it is right. */
static void test_violations(const struct wh_plan *plan)
{
    static const struct {
        const char *name;
        bool hello, forked, limits;
        uint16_t type;
        uint32_t step;
        int32_t val;
        int fd;
    } rows[] = {
        { "ASK before HELLO", false, false, false, WH_MSG_ASK, S_LIMITS, 0, -1 },
        { "READY before HELLO", false, false, false, WH_MSG_READY, S_READY, 0, -1 },
        { "a second HELLO", true, false, false, WH_MSG_HELLO, 0, WH_ABI_VERSION, -1 },
        { "HELLO with an fd", false, false, false, WH_MSG_HELLO, 0, WH_ABI_VERSION, 0 },
        { "READY from A", true, false, false, WH_MSG_READY, S_READY, 0, -1 },
        { "a step of B asked by A", true, false, false, WH_MSG_ASK, S_LIMITS, 0, -1 },
        { "a step that both may have, behind CLONE_B, asked by A", true, false, false, WH_MSG_ASK, S_NETDEV, 0, -1 },
        { "a step of C asked before READY", true, true, false, WH_MSG_ASK, S_HOOK_C + 2, 0, -1 },
        { "a step that asks nothing", true, true, false, WH_MSG_ASK, S_EXEC_CHECK, 0, -1 },
        { "the same step twice", true, true, true, WH_MSG_ASK, S_LIMITS, 0, -1 },
        { "a step that is not there", true, true, false, WH_MSG_ASK, 9999, 0, -1 },
        { "step -1", true, true, false, WH_MSG_ASK, UINT32_MAX, 0, -1 },
        { "an fd with an ASK that has none", true, true, false, WH_MSG_ASK, S_LIMITS, 0, 0 },
        { "READY of another step", true, true, true, WH_MSG_READY, S_LIMITS, 0, -1 },
        { "READY with an fd", true, true, true, WH_MSG_READY, S_READY, 0, 0 },
        { "FORKED of a process that the mailbox lacks", true, false, false, WH_MSG_FORKED, S_CLONE_B, 1, -1 },
        { "FORKED of no number", true, false, false, WH_MSG_FORKED, S_CLONE_B, 0, -1 },
        { "FORKED of a negative number", true, false, false, WH_MSG_FORKED, S_CLONE_B, -1, -1 },
        { "FORKED with an fd", true, false, false, WH_MSG_FORKED, S_CLONE_B, 1, 0 },
        { "a second FORKED", true, true, false, WH_MSG_FORKED, S_CLONE_B, 1, -1 },
        { "START from init", true, true, false, WH_MSG_START, 0, 0, -1 },
        { "GO from init", true, false, false, WH_MSG_GO, 0, 0, -1 },
        { "message 0", true, false, false, 0, 0, 0, -1 },
        { "message 65535", true, true, false, 65535, 0, 0, -1 },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(rows); i++) {
        struct world w;

        world_init(&w, plan);
        w.mbox->step = 3;
        if (rows[i].hello)
            hello(&w);
        if (rows[i].forked)
            forked(&w);
        if (rows[i].limits)
            say(&w, WH_MSG_ASK, S_LIMITS, 0, -1);
        say(&w, rows[i].type, rows[i].step, rows[i].val, rows[i].fd);
        is_int(serve(&w), -EPROTO, "%s is a violation", rows[i].name);
        has_str(w.err.msg, "protocol error at step 3", "%s: the message names the step", rows[i].name);
        ok(gone(w.a) && (w.b == 0 || gone(w.b)), "%s: A and B are killed and reaped", rows[i].name);
        w.b = 0;
        world_done(&w);
    }
}

static void test_foreign_pid(const struct wh_plan *plan)
{
    struct world w;
    int pidfd;

    world_init(&w, plan);
    hello(&w);
    w.mbox->forked = getppid();
    say(&w, WH_MSG_FORKED, S_CLONE_B, getppid(), -1);
    is_int(serve(&w), -EPROTO, "a process that is not our child is a violation");
    ok(gone(w.a), "and A is killed");
    ok(!gone(getppid()), "the other process is left alone");
    world_done(&w);

    world_init(&w, plan);
    hello(&w);
    w.b = sleeper(&pidfd);
    w.mbox->forked = w.b + 1;
    say(&w, WH_MSG_FORKED, S_CLONE_B, w.b, -1);
    is_int(serve(&w), -EPROTO, "a number that is not the mailbox's is a violation");
    ok(!gone(w.b), "and a child that nothing says to be B is left alone");
    wh_close(pidfd);
    world_done(&w);
}

/* A is killed, or breaks the protocol, when B is there already: B is in the mailbox alone, or its FORKED has not
 * been looked at. */
static void test_unannounced(const struct wh_plan *plan)
{
    static const struct {
        const char *what;
        bool a_killed, b_killed, ask;
        int rc;
    } rows[] = {
        { "A is killed before FORKED", true, false, false, -ECHILD },
        { "A and B are killed before FORKED", true, true, false, -ECHILD },
        { "a violation before FORKED", false, false, true, -EPROTO },
        { "a cancel before FORKED", false, false, false, -ECANCELED },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(rows); i++) {
        struct world w;
        int pidfd, p[2];

        world_init(&w, plan);
        hello(&w);
        w.b = sleeper(&pidfd);
        wh_close(pidfd);
        w.mbox->forked = w.b;
        if (rows[i].a_killed)
            syscall(SYS_kill, w.a, SIGKILL);
        if (rows[i].b_killed)
            syscall(SYS_kill, w.b, SIGKILL);
        if (rows[i].ask)
            say(&w, WH_MSG_ASK, S_LIMITS, 0, -1);
        if (rows[i].rc == -ECANCELED) {
            if (pipe2(p, O_CLOEXEC) < 0 || close(p[1]) < 0)
                bail_out("no pipe");
            w.run.cancel_fd = p[0];
        }
        is_int(serve(&w), rows[i].rc, "%s is an error", rows[i].what);
        ok(gone(w.a) && gone(w.b), "%s: A and B are killed and reaped", rows[i].what);
        if (rows[i].rc == -ECANCELED)
            wh_close(p[0]);
        w.b = gone(w.b) ? 0 : w.b;
        world_done(&w);
    }
}

static pid_t other;

/* B ends, and its number is given to another child of ours before anything else happens. */
static int on_forked(void *data, pid_t pid, int pidfd, struct wh_err *err)
{
    struct world *w = data;

    (void)pidfd;
    (void)err;
    syscall(SYS_kill, pid, SIGKILL);
    w->mbox->forked = other;
    wh_close(w->theirs);
    w->theirs = -1;
    return 0;
}

static void test_number_again(const struct wh_plan *plan)
{
    struct wh_serve_ops those = ops;
    struct world w;
    int pidfd;

    world_init(&w, plan);
    other = sleeper(&pidfd);
    those.forked = on_forked;
    w.run.ops = &those;
    hello(&w);
    forked(&w);
    is_int(serve(&w) < 0, 1, "B ends as soon as it is known");
    ok(gone(w.b), "and is reaped");
    ok(!gone(other), "another child that has its number now is left alone");
    syscall(SYS_kill, other, SIGKILL);
    syscall(SYS_wait4, other, NULL, 0, NULL);
    wh_close(pidfd);
    w.b = 0;
    world_done(&w);
}

/* A wherry-init of another build than ours. */
static void test_versions(const struct wh_plan *plan)
{
    static const int32_t versions[] = { 0, (int32_t)WH_ABI_VERSION + 1, INT32_MAX };

    for (size_t i = 0; i < WH_ELEMENTSOF(versions); i++) {
        struct world w;
        char want[96];

        world_init(&w, plan);
        say(&w, WH_MSG_HELLO, 0, versions[i], -1);
        is_int(serve(&w), -EPROTO, "version %d is refused", versions[i]);
        snprintf(want, sizeof want, "wherry-init speaks version %d, not %u", versions[i], (unsigned)WH_ABI_VERSION);
        is_str(w.err.msg, want, "and named");
        ok(gone(w.a), "A is killed");
        world_done(&w);
    }
}

static void test_odd_packets(const struct wh_plan *plan)
{
    static const size_t sizes[] = { 1, 8, 15, 17, 4096 };
    char big[4096] = { WH_MSG_HELLO };

    for (size_t i = 0; i < WH_ELEMENTSOF(sizes); i++) {
        struct world w;

        world_init(&w, plan);
        if (send(w.theirs, big, sizes[i], MSG_NOSIGNAL) < 0)
            bail_out("send");
        is_int(serve(&w), -EPROTO, "a packet of %zu bytes is a violation", sizes[i]);
        ok(gone(w.a), "and A is killed");
        world_done(&w);
    }
}

static void test_many_fds(const struct wh_plan *plan)
{
    unsigned before = fd_count();
    struct world w;
    struct wh_msg m = { .type = WH_MSG_HELLO, .nfds = 12, .val = WH_ABI_VERSION };
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(12 * sizeof(int))];
    } c;
    int fds[12] = { 0 };
    struct iovec iov = { &m, sizeof m };
    struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };

    world_init(&w, plan);
    memset(&c, 0, sizeof c);
    c.align.cmsg_len = CMSG_LEN(sizeof fds);
    c.align.cmsg_level = SOL_SOCKET;
    c.align.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&c.align), fds, sizeof fds);
    sendmsg(w.theirs, &mh, MSG_NOSIGNAL);
    is_int(serve(&w), -EPROTO, "more fds than a message may have is a violation");
    world_done(&w);
    is_int(fd_count(), before, "and none of them stays open");
}

static void test_deaths(const struct wh_plan *plan)
{
    struct world w;

    world_init(&w, plan);
    hello(&w);
    forked(&w);
    w.mbox->step = S_EXEC_CHECK;
    syscall(SYS_kill, w.b, SIGKILL);
    is_int(serve(&w), -ECHILD, "B killed by a signal is an error");
    has_str(w.err.msg, "killed by signal 9 during step 5", "that names the signal and the step");
    has_str(w.err.msg, "/bin/true", "and what the step was about");
    is_int(w.run.failed_step, S_EXEC_CHECK, "the step is there as a number too");
    w.b = 0;
    world_done(&w);

    world_init(&w, plan);
    hello(&w);
    forked(&w);
    w.mbox->step = 999999;
    syscall(SYS_kill, w.b, SIGKILL);
    is_int(serve(&w), -ECHILD, "a step number that is none");
    has_str(w.err.msg, "step 999999", "is shown as it is");
    w.b = 0;
    world_done(&w);

    world_init(&w, plan);
    hello(&w);
    forked(&w);
    w.mbox->state = WH_MBOX_FAILED;
    w.mbox->fail.step = S_EXEC_CHECK;
    w.mbox->fail.site = WH_SITE_EXEC_NOT_FOUND;
    w.mbox->fail.err = ENOENT;
    syscall(SYS_kill, w.b, SIGKILL);
    ok(serve(&w) < 0, "a failure that init reported is an error");
    has_str(w.err.msg, "executable file not found", "with its sentence");
    w.b = 0;
    world_done(&w);

    world_init(&w, plan);
    hello(&w);
    forked(&w);
    w.mbox->state = WH_MBOX_FAILED;
    w.mbox->fail.step = 77777;
    w.mbox->fail.site = 0x7fffffff;
    w.mbox->fail.err = -5;
    memset(w.mbox->fail.detail, 0x1b, sizeof w.mbox->fail.detail);
    syscall(SYS_kill, w.b, SIGKILL);
    ok(serve(&w) < 0, "a mailbox full of nonsense is an error");
    ok(!strchr(w.err.msg, 0x1b), "without control bytes in the message");
    w.b = 0;
    world_done(&w);

    world_init(&w, plan);
    hello(&w);
    close(w.theirs);
    w.theirs = -1;
    syscall(SYS_kill, w.a, SIGTERM);
    is_int(serve(&w), -ECHILD, "A gone before FORKED is an error");
    has_str(w.err.msg, "killed by signal 15", "that names the signal");
    world_done(&w);
}

static void test_refused(const struct wh_plan *plan)
{
    struct world w;

    world_init(&w, plan);
    w.limits_result = -EACCES;
    hello(&w);
    forked(&w);
    say(&w, WH_MSG_ASK, S_LIMITS, 0, -1);
    is_int(serve(&w), -EACCES, "what the host could not do is the error");
    is_str(w.err.msg, "write 5 to pids.max: permission denied", "in the host's words");
    is_int(w.run.failed_step, S_LIMITS, "with the step that asked");
    ok(gone(w.a) && gone(w.b), "A and B are killed and reaped");
    w.b = 0;
    world_done(&w);
}

static void test_cancel(const struct wh_plan *plan)
{
    struct world w;
    int p[2];

    if (pipe(p) < 0)
        bail_out("pipe");
    world_init(&w, plan);
    w.run.cancel_fd = p[0];
    hello(&w);
    forked(&w);
    if (write(p[1], "", 1) != 1)
        bail_out("write");
    is_int(serve(&w), -ECANCELED, "a readable cancel fd ends it");
    ok(gone(w.a), "A is killed and reaped");
    close(p[0]);
    close(p[1]);
    world_done(&w);
}

static uint32_t seed = 20240607;
static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void test_fuzz(const struct wh_plan *plan)
{
    unsigned before = fd_count(), wrong = 0, silent = 0, alive = 0, rounds = 600;

    for (unsigned i = 0; i < rounds; i++) {
        bool full = false;
        unsigned n = rnd(8);
        struct world w;
        int r;

        world_init(&w, plan);
        for (unsigned k = 0; k < WH_MBOX_SIZE; k += 1 + rnd(200))
            ((unsigned char *)w.mbox)[k] = (unsigned char)rnd(256);
        if (rnd(4))
            hello(&w);
        if (rnd(3))
            forked(&w);
        for (unsigned k = 0; k < n; k++)
            say(&w, (uint16_t)rnd(10), rnd(10), (int32_t)rnd(4), rnd(4) ? -1 : (int)rnd(3));
        if (rnd(2) && w.b > 0)
            syscall(SYS_kill, w.b, SIGKILL);
        /* Never READY in place here: at the latest the end of the socket ends it. */
        close(w.theirs);
        w.theirs = -1;
        /* Living on with a closed socket is given two seconds each time: a few of those do. */
        if (rnd(100))
            syscall(SYS_kill, w.a, SIGKILL);
        if (rnd(100) && w.b > 0)
            syscall(SYS_kill, w.b, SIGKILL);
        r = serve(&w);
        full = r == 0;
        wrong += r > 0;
        silent += r < 0 && w.err.msg[0] == '\0';
        alive += !gone(w.a) || (!full && w.run.pid_b > 0 && !gone(w.run.pid_b));
        if (!full && w.run.pid_b > 0)
            w.b = 0;
        world_done(&w);
    }
    is_int(wrong, 0, "%u random conversations: each ends with success or a negative errno", rounds);
    is_int(silent, 0, "each failure has a message");
    is_int(alive, 0, "no process is left");
    is_int(fd_count(), before, "no fd is left");
}

/* A start whose process tells in the mailbox that fd `number` is its listener. Nothing may be sent for any of these. */
static void no_listener(const struct wh_plan *plan, int number, int code, const char *words)
{
    struct wh_state state = { .id = "box", .bundle = "/bundle" };
    struct wh_listener listener = { .path = "/nobody", .state = &state, .status = "creating" };
    struct world w;
    char byte;
    int pair[2], r;

    world_init(&w, plan);
    w.b = sleeper(&w.run.pidfd_b);
    w.run.pid_b = w.b;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        bail_out("no socket pair");
    listener.sock = pair[0];
    w.run.listener = &listener;
    __atomic_store_n((int32_t *)&w.mbox->notify_fd, number, __ATOMIC_RELEASE);
    r = wh_serve_start(&w.run, NULL, NULL, 0, &w.err);
    is_int(r, code, "fd %d is no listener: %s", number, w.err.msg);
    has_str(w.err.msg, words, "and why");
    is_int(w.mbox->ack, -1, "the process is told no");
    is_int(wh_pidfd_wait(w.run.pidfd_b, 2000), 0, "and killed: its own exit may be one of the calls that wait");
    wh_listener_done(&listener);
    is_int(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0, "nothing was sent");
    wh_close(pair[1]);
    /* start knows of no A. */
    if (syscall(SYS_kill, w.a, SIGKILL) == 0)
        syscall(SYS_wait4, w.a, NULL, __WALL, NULL);
    world_done(&w);
}

static void test_listener(const struct wh_plan *plan)
{
    int before = fd_count();

    no_listener(plan, 1, -EPROTO, "fd 1 of the container is no seccomp listener");
    no_listener(plan, 2000, -EBADF, "take the seccomp listener out of the container");
    no_listener(plan, INT32_MAX, -EBADF, "take the seccomp listener out of the container");
    is_int(fd_count(), before, "no fd is left");
}

/* START and what comes after it, of the process that created the container (it has the plan) and of another one. */
static int start(struct world *w)
{
    alarm(20);
    w->run.pidfd_b = w->run.pidfd_a;
    w->run.pid_b = w->a;
    w->run.pidfd_a = -1;
    return wh_serve_start(&w->run, NULL, NULL, 0, &w->err);
}

static void test_start(const struct wh_plan *plan)
{
    static const struct {
        const char *what;
        bool plan;
        uint32_t known; /* step that the state names */
        uint32_t asks[2]; /* steps, 0 = no more */
        int result, want; /* of the hooks, of start */
        unsigned hooks;
    } t[] = {
        { "no hooks", false, 0, { 0 }, 0, 0, 0 },
        { "with the plan", true, 0, { S_HOOK_C }, 0, 0, 1 },
        { "with the plan, twice", true, 0, { S_HOOK_C, S_HOOK_C }, 0, -EPROTO, 1 },
        { "with the plan, another step", true, 0, { S_HOOK }, 0, -EPROTO, 0 },
        { "with the plan, and hooks that fail", true, 0, { S_HOOK_C }, -ECHILD, -ECHILD, 1 },
        { "without a plan, the step that the state names", false, S_HOOK_C, { S_HOOK_C }, 0, 0, 1 },
        { "without a plan, twice", false, S_HOOK_C, { S_HOOK_C, S_HOOK_C }, 0, -EPROTO, 1 },
        { "without a plan, another step", false, S_HOOK_C, { S_HOOK }, 0, -EPROTO, 0 },
        { "without a plan, and no hooks", false, 0, { S_HOOK_C }, 0, -EPROTO, 0 },
        { "without a plan, and hooks that fail", false, S_HOOK_C, { S_HOOK_C }, -ECHILD, -ECHILD, 1 },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        struct world w;
        int r;

        world_init(&w, t[i].plan ? plan : NULL);
        w.run.hook_step = t[i].known;
        w.hook_result = t[i].result;
        for (unsigned k = 0; k < 2 && t[i].asks[k]; k++)
            say(&w, WH_MSG_ASK, t[i].asks[k], 0, -1);
        shutdown(w.theirs, SHUT_WR);
        w.mbox->state = WH_MBOX_EXEC;
        r = start(&w);
        is_int(r, t[i].want, "start, %s", t[i].what);
        is_int(w.hooks, t[i].hooks, "hooks run as often as they should");
        is_int(heard(&w), WH_MSG_START, "START comes first");
        if (t[i].hooks) {
            is_int(heard(&w), t[i].result < 0 ? WH_MSG_DENY : WH_MSG_OK, "the answer");
            is_int(w.hook_step, t[i].plan, "a step is known where there is a plan");
        }
        if (r < 0) {
            is_int(wh_pidfd_wait(w.run.pidfd_b, 5000), 0, "init is dead");
            ok(w.err.msg[0] != '\0', "and start says why");
        }
        if (w.a > 0 && syscall(SYS_kill, w.a, SIGKILL) == 0)
            syscall(SYS_wait4, w.a, NULL, __WALL, NULL);
        world_done(&w);
    }
}

/* What a created container answers to who wants to enter it. */
static void test_enter(const struct wh_plan *plan)
{
    static const struct {
        const char *what, *says;
        uint16_t type;
        bool fd, end, cancel;
        int want;
    } t[] = {
        { "with a namespace", "", WH_MSG_OK, true, false, false, 0 },
        { "with none", "start it first", WH_MSG_OK, false, false, false, -EPERM },
        { "with something else", "protocol error", WH_MSG_READY, true, false, false, -EPROTO },
        { "not at all: it was started", "", 0, false, true, false, -ECONNRESET },
        { "not at all, and nobody waits any longer", "canceled", 0, false, false, true, -ECANCELED },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        unsigned before = fd_count(), n = 0;
        int fds[WH_ASK_MAX_FDS], cancel[2], r;
        struct world w;

        world_init(&w, plan);
        if (pipe2(cancel, O_CLOEXEC) < 0)
            bail_out("no pipe");
        if (t[i].type)
            say(&w, t[i].type, S_WAIT, 0, t[i].fd ? w.mbox_fd : -1);
        if (t[i].end)
            shutdown(w.theirs, SHUT_WR);
        if (t[i].cancel)
            wh_closep(&cancel[1]);
        alarm(20);
        r = wh_serve_enter(w.ours, w.run.pidfd_a, cancel[0], fds, &n, &w.err);
        is_int(r, t[i].want, "ENTER is answered %s", t[i].what);
        is_int(heard(&w), WH_MSG_ENTER, "it was asked");
        is_int(n, r == 0, "fds that came");
        has_str(w.err.msg, t[i].says, "the error says why");
        while (n > 0)
            wh_close(fds[--n]);
        wh_close(cancel[0]);
        wh_close(cancel[1]);
        syscall(SYS_kill, w.a, SIGKILL);
        syscall(SYS_wait4, w.a, NULL, __WALL, NULL);
        world_done(&w);
        is_int(fd_count(), before, "no fd is left");
    }
}

static int ns_of(const char *name)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void test_namespaces(void)
{
    const uint32_t flags = CLONE_NEWUTS | CLONE_NEWNET;
    static const struct {
        const char *what, *fds[3];
        int want;
    } t[] = {
        { "those that it has", { "net", "uts" }, 0 }, { "one too few", { "net" }, -EPROTO },
        { "one twice", { "net", "net" }, -EPROTO },   { "one of another kind", { "net", "uts", "ipc" }, -EPROTO },
        { "a file", { "net", "uts", "" }, -EPROTO },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        unsigned before = fd_count(), n = 0;
        struct wh_err err = { 0 };
        uint32_t join = 1, host = 1;
        struct wh_nsfds ns;
        int fds[3], proc_fd = wh_proc_open(&err);

        for (; n < 3 && t[i].fds[n]; n++)
            fds[n] = *t[i].fds[n] ? ns_of(t[i].fds[n]) : dup(proc_fd);
        wh_nsfds_init(&ns);
        is_int(wh_nsfds_take(&ns, proc_fd, fds, n, flags, &join, &host), t[i].want, "init sends %s", t[i].what);
        ok(join == 0 && host == 0, "nothing is joined that is our own");
        wh_nsfds_done(&ns);
        while (n > 0)
            wh_close(fds[--n]);
        wh_close(proc_fd);
        is_int(fd_count(), before, "no fd is left");
    }
}

int main(void)
{
    struct wh_arena *a = wh_arena_new();
    const struct wh_plan *plan = make_plan(a);

    if (!ok(plan != NULL, "there is a plan"))
        return done_testing();
    test_good(plan);
    test_exec(plan);
    test_violations(plan);
    test_unannounced(plan);
    test_number_again(plan);
    test_foreign_pid(plan);
    test_versions(plan);
    test_odd_packets(plan);
    test_many_fds(plan);
    test_deaths(plan);
    test_refused(plan);
    test_cancel(plan);
    test_start(plan);
    test_enter(plan);
    test_namespaces();
    test_fuzz(plan);
    test_listener(plan);
    wh_arena_free(a);
    return done_testing();
}
