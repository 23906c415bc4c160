/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's side of the protocol against an init that does what the input says: messages, descriptors, mailbox, silence, end of file, and
 * processes that end or do not, at any time. It always comes to an end; what it asks the host to do is a step of the plan that may be
 * asked for, in order and once; afterwards no descriptor is left open, and after a failure no process that can be killed is left alive.
 */
#define FUZZ_NAME "serve"
#include "fuzz.h"

#include "fake-files.h"

#include "abi/proto.h"
#include "host/listener.h"
#include "host/prio.h"
#include "host/proc.h"
#include "host/serve.h"
#include "host/waits.h"
#include "plan/plan.h"

static struct fuzz_bytes script;

/* ---- processes: what a descriptor is the pidfd of ---- */

enum who { NOT_A_PIDFD, A, B, STRANGER, WHO_MAX };
static struct {
    enum who of[FAKE_FDS];
    bool dead[WHO_MAX], reaped[WHO_MAX], stuck; /* stuck: nothing ends by being killed */
    int ctl, mbox, proc, cancel;
    bool closed, silent; /* init's end of the socket; it says nothing more */
    unsigned int received, asked[8], forked;
    uint32_t last_step;
    const struct wh_plan *plan;
    struct wh_mbox mail;
} world;

static enum who who(int fd)
{
    must(fake_at(fd));
    return world.of[fd - FAKE_FD];
}

static int new_pidfd(enum who w)
{
    int fd = fake_new(NULL, 0, false);

    if (fd >= 0)
        world.of[fd - FAKE_FD] = w;
    return fd;
}

static char proc_text[64];

/* /proc of these processes. Voluntary switches do not go on: a process that is silent does nothing. */
static bool fake_file(int at, const char *path, const uint8_t **ret, size_t *ret_len)
{
    int fd, n = 0;

    must(at == world.proc);
    if (strncmp(path, "self/fdinfo/", 12) == 0) {
        fd = atoi(path + 12);
        if (who(fd) == NOT_A_PIDFD)
            n = snprintf(proc_text, sizeof proc_text, "pos:\t0\nflags:\t02\n");
        else
            n = snprintf(proc_text, sizeof proc_text, "pos:\t0\nPid:\t%d\n",
                         world.reaped[who(fd)] ? -1 : 100 + (int)who(fd));
    } else if (strstr(path, "/stat")) {
        n = snprintf(proc_text, sizeof proc_text, "101 (w) S 1 1 1");
    } else {
        return false;
    }
    *ret = (const uint8_t *)proc_text;
    *ret_len = (size_t)n;
    return true;
}

static void fake_path(int at, const char *path)
{
    (void)at, (void)path;
    must(!"a path is opened for writing");
}

static bool readable(int fd)
{
    if (fd == world.ctl)
        return world.closed || (!world.silent && script.left > 0);
    if (fd == world.cancel)
        return false;
    return who(fd) != NOT_A_PIDFD && world.dead[who(fd)];
}

static int world_poll(struct pollfd *p, nfds_t n, int ms)
{
    int ready = 0;

    must(ms >= 0);
    for (nfds_t i = 0; i < n; i++) {
        p[i].revents = p[i].fd >= 0 && readable(p[i].fd) ? POLLIN : 0;
        ready += p[i].revents != 0;
    }
    /* Init has done what it does: the last byte of the world says how it stands there. */
    if (ready == 0)
        fake.now_ms += ms ? ms : 1;
    return ready;
}

static int world_waitid(int type, unsigned int fd, siginfo_t *si, int flags)
{
    enum who w = who((int)fd);

    must(type == P_PIDFD && (flags & WNOHANG));
    if (w == NOT_A_PIDFD || w == STRANGER || world.reaped[w]) {
        errno = w == NOT_A_PIDFD ? EBADF : ECHILD;
        return -1;
    }
    if (world.dead[w]) {
        si->si_pid = 100 + (int)w;
        si->si_code = w == A ? CLD_EXITED : CLD_KILLED;
        si->si_status = w == A ? 0 : SIGKILL;
        if (!(flags & WNOWAIT))
            world.reaped[w] = true;
    }
    return 0;
}

static long world_syscall(long nr, ...)
{
    va_list ap;
    int fd;

    va_start(ap, nr);
    fd = va_arg(ap, int);
    va_end(ap);
    if (nr == SYS_pidfd_send_signal) {
        /* Only what is ours is ever killed. */
        must(who(fd) == A || who(fd) == B);
        world.dead[who(fd)] = world.dead[who(fd)] || !world.stuck;
        return 0;
    }
    errno = ENOSYS;
    return -1;
}

/* ---- the socket ---- */

static void put_fds(struct msghdr *mh, unsigned int n)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(mh);
    unsigned int fit = n;

    while (fit > 0 && CMSG_SPACE(fit * sizeof(int)) > mh->msg_controllen)
        fit--;
    if (fit < n)
        mh->msg_flags |= MSG_CTRUNC;
    if (fit == 0) {
        mh->msg_controllen = 0;
        return;
    }
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fit * sizeof(int));
    for (unsigned int i = 0; i < fit; i++) {
        int fd = new_pidfd((enum who)(fuzz_take(&script, 1) % WHO_MAX));

        memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
    }
    mh->msg_controllen = CMSG_SPACE(fit * sizeof(int));
}

/* One message of the script: what it is, how long, how many descriptors it has and how many it says. */
static ssize_t world_recvmsg(int fd, struct msghdr *mh, int flags)
{
    struct wh_msg m = { 0 };
    uint64_t kind = fuzz_take(&script, 1), fds;
    size_t len = sizeof m;

    must(fd == world.ctl && (flags & MSG_DONTWAIT) && (flags & MSG_CMSG_CLOEXEC));
    must(++world.received < 5000);
    if (world.closed || script.left == 0) {
        world.closed = true;
        mh->msg_controllen = 0;
        return 0;
    }
    if (kind >= 0xf0) {
        mh->msg_controllen = 0;
        errno = kind == 0xf1 ? EAGAIN : kind == 0xf2 ? EINTR : kind == 0xf3 ? ECONNRESET : EAGAIN;
        return -1;
    }
    m.type = (uint16_t)(kind % 16);
    fds = fuzz_take(&script, 1);
    m.step = (uint32_t)fuzz_take(&script, 1);
    m.val = m.type == WH_MSG_HELLO ? (int32_t)WH_ABI_VERSION : 100 + (int)B;
    if (kind & 0x40) {
        m.val = (int32_t)fuzz_take(&script, 4);
        m.step = (uint32_t)fuzz_take(&script, 4);
    }
    if (kind & 0x80) {
        len = fuzz_take(&script, 1) % (2 * sizeof m);
        mh->msg_flags |= len > sizeof m ? MSG_TRUNC : 0;
        len = len < sizeof m ? len : sizeof m;
    }
    m.nfds = (uint16_t)(fds & 15);
    mh->msg_flags |= 0;
    put_fds(mh, (unsigned int)((kind & 0x20 ? fds >> 4 : fds) & 15));
    memcpy(mh->msg_iov[0].iov_base, &m, len);
    /* Between two messages anything may happen to the processes and to the mailbox. */
    kind = fuzz_take(&script, 1);
    world.dead[A] = world.dead[A] || kind == 1;
    world.dead[B] = world.dead[B] || kind == 2;
    world.mail.state = kind == 3 ? WH_MBOX_EXEC : kind == 4 ? WH_MBOX_FAILED : world.mail.state;
    world.mail.step = kind == 5 ? (uint32_t)fuzz_take(&script, 4) : world.mail.step;
    return (ssize_t)len;
}

static ssize_t world_sendmsg(int fd, const struct msghdr *mh, int flags)
{
    must(fd == world.ctl && (flags & MSG_NOSIGNAL) && (flags & MSG_DONTWAIT));
    if (world.closed) {
        errno = EPIPE;
        return -1;
    }
    return (ssize_t)mh->msg_iov[0].iov_len;
}

static ssize_t world_pread(int fd, void *buf, size_t n, off_t at)
{
    if (fd != world.mbox)
        return fake_pread(fd, buf, n, at);
    must(n == sizeof world.mail && at == 0);
    memcpy(buf, &world.mail, n);
    return (ssize_t)n;
}

#undef poll
#undef syscall
#undef pread
#define poll(p, n, ms) world_poll(p, n, ms)
#define syscall(...) world_syscall(__VA_ARGS__)
#define pread(fd, buf, n, at) world_pread(fd, buf, n, at)
#define pwrite(fd, data, n, at) fake_write(fd, data, n)
#define waitid(type, fd, si, flags) world_waitid((int)(type), fd, si, flags)
#define recvmsg(fd, m, flags) world_recvmsg(fd, m, flags)
#define sendmsg(fd, m, flags) world_sendmsg(fd, m, flags)

#include "base/fd.c"
#include "host/proc.c"
#include "host/serve.c"

/* Copies of the mailbox are made in host/store.c, which has nothing else that is needed here. */
int wh_mbox_read(int fd, struct wh_mbox *ret)
{
    memset(ret, 0, sizeof *ret);
    if (pread(fd, ret, sizeof *ret, 0) != sizeof *ret)
        return -EIO;
    ret->fail.detail[WH_MBOX_DETAIL - 1] = '\0';
    return 0;
}

void wh_sigsys_text(pid_t pid, char *ret, size_t size)
{
    (void)pid;
    snprintf(ret, size, "bad system call");
}

/* Nobody wants records here. */
void wh_mbox_time(int fd)
{
    (void)fd;
}

bool wh_mbox_times(int fd, uint32_t *ret, uint64_t *ret_now)
{
    (void)fd;
    (void)ret;
    (void)ret_now;
    return false;
}

/* ---- what serve asks of the rest of the host: anything may fail ---- */

static int work(const struct wh_ask *ask, enum wh_op op, int *ret_fd, struct wh_err *err)
{
    uint64_t r = fuzz_take(&script, 1);

    must(++world.asked[0] < 64);
    must(!ask->step || ask->step == wh_plan_step(world.plan, ask->number));
    must(!ask->step || ask->step->op == op);
    /* In order, and none twice. */
    must(world.asked[0] == 1 || ask->number > world.last_step);
    must(who(ask->pidfd) == A || who(ask->pidfd) == B);
    must(ask->nfds == 0 || op == WH_OP_ASK_HOOK);
    for (unsigned int i = 0; i < ask->nfds; i++)
        must(fake_at(ask->fds[i]));
    world.last_step = ask->number;
    if (r % 4 == 1)
        return wh_err_sys(err, -EPERM, "do what step %u asks for", ask->number);
    if (ret_fd && r % 4 == 2)
        *ret_fd = fake_new(NULL, 0, false);
    return 0;
}

static int on_limits(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    (void)data;
    return work(ask, WH_OP_ASK_LIMITS, ret_fd, err);
}
static int on_idmap(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    (void)data;
    must(who(ask->pidfd) == A);
    return work(ask, WH_OP_ASK_IDMAP, ret_fd, err);
}
static int on_mount(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    (void)data;
    return work(ask, WH_OP_ASK_MOUNT, ret_fd, err);
}
static int on_device(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    (void)data;
    return work(ask, WH_OP_ASK_DEVICE, ret_fd, err);
}
static int on_netdev(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    (void)data;
    return work(ask, WH_OP_ASK_NETDEV, ret_fd, err);
}
static int on_hook(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    (void)data;
    return work(ask, WH_OP_ASK_HOOK, ret_fd, err);
}
int wh_prio_set(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    (void)data;
    return work(ask, WH_OP_ASK_PRIO, ret_fd, err);
}
static int on_forked_b(void *data, pid_t pid, int pidfd, struct wh_err *err)
{
    (void)data;
    must(++world.forked == 1 && (who(pidfd) == A || who(pidfd) == B) && pid == 100 + (int)who(pidfd));
    return fuzz_take(&script, 1) % 8 == 1 ? wh_err_sys(err, -EIO, "write the journal") : 0;
}
static int on_still(void *data, struct wh_err *err)
{
    (void)data;
    return fuzz_take(&script, 1) % 4 == 1 ? wh_err_set(err, WH_ERR_HOST, -ETIMEDOUT, NULL, "it is frozen") : 0;
}

void wh_listener_done(struct wh_listener *l)
{
    if (l->sock >= 0)
        wh_close(l->sock);
    l->sock = -1;
}
int wh_listener_send(struct wh_listener *l, int proc_fd, int pidfd, pid_t pid, int number, int cancel_fd,
                     struct wh_err *err)
{
    (void)proc_fd, (void)pid, (void)cancel_fd;
    must(who(pidfd) == A || who(pidfd) == B);
    must(number > 0);
    if (number % 4 == 1)
        return -ESRCH;
    wh_listener_done(l);
    return number % 4 == 2
               ? wh_err_set(err, WH_ERR_PROTOCOL, -EPROTO, NULL, "fd %d of the container is no listener", number)
               : 0;
}

static const struct wh_serve_ops ops = { on_forked_b, on_limits, on_idmap, on_mount,
                                         on_device,   on_netdev, on_hook,  on_still };

/* ---- plans, made once ---- */

static const struct wh_plan *make_plan(bool exec_only)
{
    static struct wh_arena *arenas[2];
    struct wh_arena *a = arenas[exec_only] = wh_arena_new();
    struct wh_build *b = wh_build_new(a);
    const char *args[] = { "/bin/true" };
    const struct wh_plan *plan = NULL;
    struct wh_step_ask_netdev *netdev;
    struct wh_step_ask_device *device;
    struct wh_step_exec_check *check;
    struct wh_step_ask_idmap *idmap;
    struct wh_step_ask_mount *mount;
    struct wh_err err = { 0 };
    struct wh_step_exec *exec;

    wh_build_host_slot(b, WH_SLOT_LISTEN);
    wh_add(b, SIGNALS, signals, 0, 0);
    idmap = wh_add(b, ASK_IDMAP, ask_idmap, 0, 0);
    idmap->uid_map = idmap->gid_map = wh_build_str(b, "0 1000 1\n");
    idmap->setgroups = wh_build_str(b, "deny");
    wh_add(b, CLONE_B, clone_b, 0, 0);
    wh_add(b, ASK_LIMITS, ask_limits, 0, 0);
    netdev = wh_add(b, ASK_NETDEV, ask_netdev, 0, 0);
    netdev->device = netdev->name = wh_build_str(b, "eth0");
    mount = wh_add(b, ASK_MOUNT, ask_mount, 0, 0);
    mount->source = wh_build_str(b, "/src");
    mount->mount = wh_build_alloc_slot(b);
    wh_add(b, ROOT_OPEN, root_open, 0, 0)->root = WH_SLOT_ROOT;
    device = wh_add(b, ASK_DEVICE, ask_device, 0, 0);
    device->root = WH_SLOT_ROOT;
    device->path = wh_build_str(b, "/dev/x");
    wh_add(b, ASK_HOOK, ask_hook, 0, 0)->kind = WH_HOOK_PRESTART;
    wh_add(b, ASK_PRIO, ask_prio, 0, 0)->policy = 0;
    check = wh_add(b, EXEC_CHECK, exec_check, 0, 0);
    check->arg0 = wh_build_str(b, "/bin/true");
    check->candidates = wh_build_strv(b, args, 1);
    if (!exec_only) {
        wh_add(b, READY, ready, 0, 0)->listen = WH_SLOT_LISTEN;
        wh_add(b, WAIT_START, wait_start, 0, 0)->listen = WH_SLOT_LISTEN;
        wh_add(b, ASK_HOOK, ask_hook, 0, 0)->kind = WH_HOOK_START_CONTAINER;
    }
    exec = wh_add(b, EXEC, exec, 0, 0);
    exec->args = wh_build_strv(b, args, 1);
    exec->env = wh_build_strv(b, NULL, 0);
    must(wh_build_finish(b, &plan, &err) == 0);
    return plan;
}

/* ---- one spawn ---- */

enum { CREATE, EXEC_VERB, START, START_ALONE, ENTER, VERBS };

static void build_world(uint64_t how, struct wh_run *run, struct wh_listener *l)
{
    fake_reset();
    memset(&world, 0, sizeof world);
    world.stuck = how & 0x20;
    world.silent = false;
    world.mail.abi = WH_ABI_VERSION;
    world.mail.state = (uint32_t)(fuzz_take(&script, 1) % 8);
    world.mail.step = (uint32_t)fuzz_take(&script, 1) % 16;
    world.mail.fail.step = (uint32_t)fuzz_take(&script, 1) % 16;
    world.mail.fail.site = (uint32_t)fuzz_take(&script, 1);
    world.mail.fail.err = (int32_t)fuzz_take(&script, how & 0x40 ? 4 : 1);
    world.mail.notify_fd = (int32_t)fuzz_take(&script, 1) - 4;
    for (size_t i = 0, n = fuzz_take(&script, 1) % (sizeof world.mail.fail.detail + 1); i < n; i++)
        world.mail.fail.detail[i] = (char)fuzz_take(&script, 1);
    world.ctl = fake_new(NULL, 0, false);
    world.mbox = fake_new(NULL, 0, false);
    world.proc = fake_new(NULL, 0, true);
    world.cancel = how & 0x80 ? fake_new(NULL, 0, false) : -1;
    *l = (struct wh_listener){ .sock = how & 0x10 ? fake_new(NULL, 0, false) : -1 };
    *run = (struct wh_run){ .proc_fd = world.proc,
                            .ctl = world.ctl,
                            .mbox_fd = world.mbox,
                            .cancel_fd = world.cancel,
                            .pidfd_a = -1,
                            .pidfd_b = -1,
                            .ops = &ops,
                            .listener = how & 0x10 ? l : NULL };
}

/* The text that create saved for start, with a step of any number. */
static const char steps[] = "  0 A  reset signals\n  1 B  mount proc on /proc        config.json:3: /mounts/0\n";

static int serve_one(unsigned int verb, struct wh_run *run, int fds[WH_ASK_MAX_FDS], unsigned int *n,
                     struct wh_err *err)
{
    static const struct wh_plan *plans[2];

    if (!plans[0]) {
        plans[0] = make_plan(false);
        plans[1] = make_plan(true);
    }
    run->plan = world.plan = verb == START_ALONE ? NULL : plans[verb == EXEC_VERB];
    if (verb == CREATE || verb == EXEC_VERB) {
        run->pidfd_a = new_pidfd(A);
        return verb == CREATE ? wh_serve_create(run, NULL, err) : wh_serve_exec(run, NULL, err);
    }
    run->pidfd_b = new_pidfd(B);
    run->pid_b = 100 + (int)B;
    run->hook_step = verb == START_ALONE ? 5 : 0;
    if (verb == ENTER)
        return wh_serve_enter(run->ctl, run->pidfd_b, world.cancel, fds, n, err);
    return wh_serve_start(run, NULL, steps, sizeof steps - 1, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wh_listener listener;
    struct wh_err err = { 0 };
    struct wh_run run;
    int fds[WH_ASK_MAX_FDS], r;
    unsigned int n = 0, verb;
    uint64_t how;

    script = (struct fuzz_bytes){ data, size };
    verb = (unsigned int)fuzz_take(&script, 1) % VERBS;
    how = fuzz_take(&script, 1);
    build_world(how, &run, &listener);
    r = serve_one(verb, &run, fds, &n, &err);
    if (r < 0 && !(verb == ENTER && r == -ECONNRESET))
        must(err.code < 0 && err.msg[0]);
    must(!strchr(err.msg, '\n') && !strchr(err.msg, '\033'));
    if (verb == CREATE || verb == EXEC_VERB) {
        must(run.pidfd_a < 0 && (world.reaped[A] || run.left || run.pidfd_b >= 0 || r < 0));
        /* After a failure nothing that can be killed is alive. */
        must(r == 0 || run.pidfd_b < 0);
        must(r == 0 || world.stuck || !world.forked || world.dead[B] || world.dead[A]);
        must(r == 0 || world.stuck || world.dead[A]);
    }
    for (unsigned int i = 0; i < n; i++)
        fake_close(fds[i]);
    if (run.pidfd_b >= 0)
        fake_close(run.pidfd_b);
    wh_listener_done(&listener);
    fake_close(world.ctl);
    fake_close(world.mbox);
    fake_close(world.proc);
    if (world.cancel >= 0)
        fake_close(world.cancel);
    must(fake.open == 0);
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    /* VERB, how, eight bytes of the mailbox with a length; then messages: type, descriptors, step, what they are of, what happens. */
#define SEED(text)                                                                                                     \
    {                                                                                                                  \
        text, sizeof text - 1                                                                                          \
    }
    static const struct {
        const char *text;
        size_t len;
    } seeds[] = {
        SEED("\0\0"
             "\1\0\0\0\0\4\0"
             "\1\0\0\0"
             "\3\0\1\0\0"
             "\6\1\0\2\0\0"
             "\3\0\3\0\0"
             "\3\0\4\0\0"
             "\3\0\5\0\2"
             "\3\0\6\0\0"
             "\7\0\11\0"),
        SEED("\1\20"
             "\1\0\0\0\0\12\0"
             "\1\0\0\0"
             "\6\1\0\2\0\0"
             "\3\0\3\0\0"
             "\3\0\7\0\0"
             "\4\0\0\3"),
        SEED("\2\0"
             "\5\0\0\0\0\4\0"
             "\3\0\13\0\0"
             "\4\0\0\3"),
        SEED("\3\0"
             "\6\1\1\2\2\4\5a\033\nb\n"
             "\3\0\5\0\0"),
        SEED("\4\0"
             "\3\0\0\0\0\4\0"
             "\4\2\0\3\3\0"),
        SEED("\0\340"
             "\1\0\0\0\0\0\0\4\0"
             "\1\0\0\0"
             "\46\41\0\2\3\0"),
    };

    if (n >= WH_ELEMENTSOF(seeds))
        return NULL;
    *ret_size = seeds[n].len;
    return memcpy(malloc(seeds[n].len), seeds[n].text, seeds[n].len);
}
