/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TEST_INIT_HOST_H
#define WH_TEST_INIT_HOST_H

/* The host's part for tests that run the real wherry-init: as little of it as can be, and nothing of src/libwherry/host. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/proto.h"
#include "base/fd.h"
#include "init-plan.h"

extern const unsigned char wh_init_image[], wh_init_image_end[];

static char root_dir[] = "/tmp/wherry-init-test.XXXXXX";

/* What the host puts into slots; go() fills PROC, ROOTFS and LISTEN. -1: none. */
static int host_fd[WH_SLOTS] = { [0 ... WH_SLOTS - 1] = -1 };
/* Called for each ASK before it is answered; may set *ret_fd to what goes with the answer. */
struct run;
static void (*host_ask)(struct run *r, const struct wh_step *s, int *ret_fd);

struct run {
    struct wh_mbox *mbox;
    struct wh_plan *plan;
    pid_t pid_a, pid_b;
    int ctl, out; /* out: read end of the payload's stdout and stderr */
    bool ready;
    char error[128]; /* protocol */
    char text[16384]; /* what the payload wrote */
    size_t len;
    int status;
};

static int image_fd(void)
{
    int fd = memfd_create("wherry-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t size = (size_t)(wh_init_image_end - wh_init_image);

    if (fd < 0 || wh_write_all(fd, wh_init_image, size) < 0)
        return -1;
    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return fd;
}

/* slots: fds in the order of the bits of host_slots. */
static void spawn(struct run *r, struct wh_plan *plan, size_t size, const int *slots, int nslots)
{
    int sv[2], out[2], plan_fd, mbox_fd, image, k, high;
    char base[12];

    memset(r, 0, sizeof(*r));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) || pipe2(out, O_CLOEXEC))
        abort();
    plan_fd = memfd_create("plan", MFD_CLOEXEC);
    mbox_fd = memfd_create("mbox", MFD_CLOEXEC);
    image = image_fd();
    if (wh_write_all(plan_fd, plan, size) < 0 || ftruncate(mbox_fd, WH_MBOX_SIZE) || image < 0)
        abort();
    r->mbox = mmap(NULL, WH_MBOX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, mbox_fd, 0);
    r->mbox->abi = WH_ABI_VERSION;
    snprintf(base, sizeof(base), "%u", 3 + plan->preserve);

    r->pid_a = fork();
    if (r->pid_a == 0) {
        char *argv[] = { (char[]){ "wherry:[A]" }, base, NULL }, *envp[] = { NULL };
        int from[3 + WH_SLOTS], n = 0, first = 3 + (int)plan->preserve;

        from[n++] = sv[1];
        from[n++] = plan_fd;
        from[n++] = mbox_fd;
        for (k = 0; k < nslots; k++)
            from[n++] = slots[k];
        /* Out of the way of the targets first. */
        for (k = 0; k < n; k++)
            from[k] = fcntl(from[k], F_DUPFD, 200);
        high = fcntl(image, F_DUPFD_CLOEXEC, 300);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        for (k = 0; k < n; k++)
            dup2(from[k], first + k);
        syscall(SYS_execveat, high, "", argv, envp, AT_EMPTY_PATH);
        _exit(99);
    }
    close(sv[1]);
    close(out[1]);
    close(plan_fd);
    close(mbox_fd);
    close(image);
    r->ctl = sv[0];
    r->out = out[0];
}

static int receive(int fd, struct wh_msg *m, int *ret_fd)
{
    struct iovec iov = { m, sizeof(*m) };
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } c;
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };
    ssize_t n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
    struct cmsghdr *p = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;

    *ret_fd = -1;
    if (p && p->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(p), sizeof(int));
    return n == sizeof(*m) ? 1 : n == 0 ? 0 : -1;
}

static void reply_fd(int fd, uint16_t type, uint32_t step, int32_t val, int with)
{
    struct wh_msg m = { .type = type, .nfds = with >= 0, .step = step, .val = val };
    struct iovec iov = { &m, sizeof(m) };
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } c = { 0 };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (with >= 0) {
        c.h.cmsg_len = CMSG_LEN(sizeof(int));
        c.h.cmsg_level = SOL_SOCKET;
        c.h.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&c.h), &with, sizeof(int));
        h.msg_control = &c;
        h.msg_controllen = sizeof(c);
    }
    if (sendmsg(fd, &h, MSG_NOSIGNAL) != sizeof(m))
        diag("reply: %s", strerror(errno));
}

static void reply(int fd, uint16_t type, uint32_t step, int32_t val)
{
    reply_fd(fd, type, step, val, -1);
}

static bool host_commits = true;

/* Until READY or the end of the connection. deny: this step is refused with EPERM. */
static void serve(struct run *r, uint32_t deny)
{
    struct wh_msg m;
    int fd, n;

    while ((n = receive(r->ctl, &m, &fd)) == 1) {
        switch (m.type) {
        case WH_MSG_HELLO:
            reply(r->ctl, WH_MSG_GO, 0, 0);
            break;
        case WH_MSG_ASK: {
            const struct wh_step *s = wh_plan_step(r->plan, m.step);
            int with = -1;

            if (!s || !(wh_opinfo(s->op)->flags & WH_OPF_ASK))
                snprintf(r->error, sizeof(r->error), "ASK for step %u, which asks for nothing", m.step);
            else if (host_ask && m.step != deny)
                host_ask(r, s, &with);
            reply_fd(r->ctl, m.step == deny ? WH_MSG_DENY : WH_MSG_OK, m.step, m.step == deny ? EPERM : 0, with);
            if (with >= 0)
                close(with);
            break;
        }
        case WH_MSG_FORKED: {
            siginfo_t si = { 0 };

            if (fd >= 0 || waitid(P_PID, (id_t)m.val, &si, WEXITED | WNOHANG) < 0)
                snprintf(r->error, sizeof(r->error), "FORKED: not our child: %s", strerror(errno));
            r->pid_b = m.val;
            waitpid(r->pid_a, NULL, 0);
            reply(r->ctl, WH_MSG_GO, 0, 0);
            break;
        }
        case WH_MSG_READY:
            r->ready = true;
            if (host_commits)
                reply(r->ctl, WH_MSG_COMMIT, 0, 0);
            return;
        default:
            snprintf(r->error, sizeof(r->error), "message of type %u", m.type);
        }
        if (fd >= 0)
            close(fd);
    }
}

__attribute__((unused)) static void collect(struct run *r)
{
    ssize_t n;

    while (r->len < sizeof(r->text) - 1 && (n = read(r->out, r->text + r->len, sizeof(r->text) - 1 - r->len)) > 0)
        r->len += (size_t)n;
    r->text[r->len] = 0;
    if (r->pid_b > 0)
        waitpid(r->pid_b, &r->status, 0);
    else
        waitpid(r->pid_a, &r->status, 0);
    close(r->out);
    close(r->ctl);
    free(r->plan);
    r->plan = NULL;
}

__attribute__((unused)) static const char *state_name(struct run *r)
{
    static char text[300];
    static const char *const sites[] = {
#define SITE(NAME, t) #NAME,
        "NONE",
#include "abi/sites.def"
#undef SITE
    };

    snprintf(text, sizeof(text), "state %u step %u; fail step %u %s: %s (%s)", r->mbox->state, r->mbox->step,
             r->mbox->fail.step, r->mbox->fail.site < WH_SITE_MAX ? sites[r->mbox->fail.site] : "?",
             strerror(r->mbox->fail.err), r->mbox->fail.detail);
    return text;
}

static void write_file(const char *dir, const char *name, const char *text, size_t len, mode_t mode)
{
    char path[300];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    if (fd < 0 || wh_write_all(fd, text, len) < 0 || fchmod(fd, mode))
        diag("%s: %s", path, strerror(errno));
    close(fd);
}

static int listen_fd(char *path, size_t size)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(path, size, "%s/start", root_dir);
    memcpy(a.sun_path, path, strlen(path) + 1);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
        abort();
    return fd;
}

__attribute__((unused)) static int start(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
        return -1;
    reply(fd, WH_MSG_START, 0, 0);
    return fd;
}

__attribute__((unused)) static void go(struct run *r, uint32_t deny, char *sock, size_t size)
{
    char rootfs[sizeof(root_dir) + 8];
    int slots[WH_SLOTS], n = 0;
    struct wh_plan *plan;
    uint32_t step;
    size_t len;

    plan = tp_end(&len);
    is_int(wh_plan_verify(plan, len, &step), 0, "the plan is sound (else step %u is not)", step);
    snprintf(rootfs, sizeof(rootfs), "%s/rootfs", root_dir);
    host_fd[WH_SLOT_PROC] = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    host_fd[WH_SLOT_ROOTFS] = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    host_fd[WH_SLOT_LISTEN] = listen_fd(sock, size);
    for (int k = 0; k < WH_SLOTS; k++)
        if (plan->host_slots >> k & 1)
            slots[n++] = host_fd[k];
    spawn(r, plan, len, slots, n);
    for (int k = 0; k < WH_SLOTS; k++) {
        if (host_fd[k] >= 0)
            close(host_fd[k]);
        host_fd[k] = -1;
    }
    r->plan = plan;
    serve(r, deny);
}

/* The tools that the scripts use, from busybox. False with a reason where the machine cannot run these tests. */
__attribute__((unused)) static bool make_busybox(const char *rootfs)
{
    static const char *const tools[] = { "sh",    "cat", "ls", "id",   "hostname", "stat",     "wc",    "grep",
                                         "touch", "cut", "ip", "true", "tty",      "readlink", "mkdir", "stty" };
    char path[300];
    struct stat st;
    void *bb;
    int fd = open("/bin/busybox", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st))
        return false;
    snprintf(path, sizeof(path), "%s/bin", rootfs);
    mkdir(path, 0755);
    bb = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    write_file(rootfs, "bin/busybox", bb, (size_t)st.st_size, 0755);
    munmap(bb, (size_t)st.st_size);
    close(fd);
    for (size_t k = 0; k < sizeof(tools) / sizeof(tools[0]); k++) {
        snprintf(path, sizeof(path), "%s/bin/%s", rootfs, tools[k]);
        if (symlink("busybox", path))
            return false;
    }
    return true;
}

/* Null, or why these tests cannot run. */
__attribute__((unused)) static const char *cannot_run(void)
{
    if (geteuid() != 0)
        return "needs root: namespaces and mounts";
    if (wh_init_image_end - wh_init_image < 1024)
        return "wherry-init was not built";
    if (access("/bin/busybox", X_OK))
        return "/bin/busybox is missing (package busybox-static)";
    return NULL;
}

#endif
