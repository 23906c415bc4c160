/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real wherry-init where it needs more of the host than a yes: a user namespace, a terminal, a seccomp listener, joined namespaces. */
#include "tap.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "init-host.h"

static char rootfs[64];
static struct run r;

static void head(uint32_t nsflags)
{
    tp_begin();
    wh_build_host_slot(tp, WH_SLOT_PROC);
    wh_build_host_slot(tp, WH_SLOT_ROOTFS);
    wh_build_host_slot(tp, WH_SLOT_LISTEN);
    ADD(SIGNALS, signals, );
    if (nsflags & CLONE_NEWUSER) {
        ADD(UNSHARE, unshare, .nsflags = CLONE_NEWUSER);
        ADD(ASK_IDMAP, ask_idmap, .uid_map = STR("0 100000 65536\n"), .gid_map = STR("0 100000 65536\n"),
            .setgroups = STR("allow"));
    }
    ADD(CHDIR_ROOTFS, chdir_rootfs, .rootfs = WH_SLOT_ROOTFS);
    ADD(UNSHARE, unshare, .nsflags = nsflags & ~(uint32_t)CLONE_NEWUSER);
    if (nsflags & CLONE_NEWTIME)
        ADD(TIMENS, timens, .proc = WH_SLOT_PROC, .offsets = STR("boottime 1000000 0\n"));
    ADD(SET_IDS, set_ids, .uid = 0, .gid = 0);
    ADD(DUMPABLE, dumpable, .value = 0);
    ADD(CLONE_B, clone_b, );
    ADD(SESSION, session, );
    ADD(KEYRING, keyring, )->soft = WH_SOFT_NOSYS;
    ADD(LOOPBACK, loopback, );
    ADD(ROOT_PROPAGATION, root_propagation, .propagation = WH_MS_SLAVE);
    ADD(OPEN_DEVNULL, open_devnull, .devnull = WH_SLOT_DEVNULL);
    ADD(ROOT_BIND, root_bind, .root = WH_SLOT_ROOT, .recursive = 1);
    tp_fs("proc", "/proc", (struct wh_vec){ 0, 0 }, 0, WH_ATTACH_NOSYMLINK, 0);
    tp_fs("tmpfs", "/dev", PARAMS("mode", "755"), WH_MOUNT_ATTR_NOSUID, 0, 0);
    tp_fs("devpts", "/dev/pts", PARAMS("newinstance", NULL, "ptmxmode", "0666"), WH_MOUNT_ATTR_NOSUID, 0, 0);
}

static void tail(void)
{
    ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = 0);
    ADD(UMASK, umask, .mask = 022);
    ADD(CWD, cwd, .path = STR("/"));
    ADD(STDIO, stdio, .uid = 0);
    ADD(CWD_CHECK, cwd_check, .path = STR("/"));
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("sh"), .candidates = STRV("/bin/sh"));
    ADD(READY, ready, .listen = WH_SLOT_LISTEN);
    ADD(WAIT_START, wait_start, .listen = WH_SLOT_LISTEN);
}

static void exec_sh(const char *script)
{
    ADD(CLOSE_FDS, close_fds, .first = 3);
    ADD(EXEC, exec, .args = STRV("sh", "-c", script), .env = STRV("PATH=/bin"));
}

/* Whom init's files in /proc belong to while it waits for start: the payload is another program, and dumpable. */
static long long mem_owner;

static int created(void)
{
    char sock[sizeof(root_dir) + 16], path[64];
    struct stat st;

    go(&r, ~0u, sock, sizeof(sock));
    is_str(r.error, "", "the protocol is kept");
    if (!ok(r.ready, "created"))
        diag("%s", state_name(&r));
    snprintf(path, sizeof(path), "/proc/%d/mem", r.pid_b);
    mem_owner = stat(path, &st) == 0 ? (long long)st.st_uid : -1;
    return r.ready ? start(sock) : -1;
}

static void finish(int fd)
{
    collect(&r);
    if (fd >= 0)
        close(fd);
    if (r.mbox->state != WH_MBOX_EXEC)
        diag("%s", state_name(&r));
}

/* ---- a user namespace: what the host has to do for it ---- */

static void write_maps(struct run *run, const struct wh_step *s, int *ret_fd)
{
    char path[64];

    if (s->op == WH_OP_ASK_IDMAP) {
        const struct wh_step_ask_idmap *m = (const void *)s;

        snprintf(path, sizeof(path), "/proc/%d/uid_map", run->pid_a);
        if (wh_write_at(AT_FDCWD, path, wh_plan_str(run->plan, m->uid_map)) < 0)
            diag("%s: %s", path, strerror(errno));
        snprintf(path, sizeof(path), "/proc/%d/gid_map", run->pid_a);
        if (wh_write_at(AT_FDCWD, path, wh_plan_str(run->plan, m->gid_map)) < 0)
            diag("%s: %s", path, strerror(errno));
    }
    if (s->op == WH_OP_ASK_MOUNT)
        *ret_fd = (int)syscall(SYS_open_tree, AT_FDCWD, root_dir, WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC);
}

static void test_userns(void)
{
    int fd;

    head(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWTIME);
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/null"), .mode = S_IFCHR | 0666, .major = 1, .minor = 3)
        ->soft = WH_SOFT_PERM;
    ADD(DEV_BIND, dev_bind, .source = STR("/dev/null"), .root = WH_SLOT_ROOT, .path = STR("/dev/null"),
        .mode = S_IFCHR | 0666, .major = 1, .minor = 3)
        ->flags = WH_STEP_ALT;
    ADD(ASK_MOUNT, ask_mount, .source = STR(root_dir), .mount = WH_SLOT_SCRATCH);
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/from-host"));
    tail();
    exec_sh("cat /proc/self/uid_map; id -u; stat -c %t:%T /dev/null; ls /from-host; "
            "test $(cut -d. -f1 /proc/uptime) -gt 1000000 && echo later; ls -l /proc/1/exe 2>&1 | grep -c busybox");
    host_ask = write_maps;
    fd = created();
    is_int(mem_owner, 0, "init is not dumpable: its files in /proc are the host root's");
    ok(r.mbox->alt_taken[0] || r.mbox->alt_taken[1], "mknod in a user namespace falls back to a bind, and says so");
    finish(fd);
    host_ask = NULL;
    has_str(r.text, "0     100000      65536\n0\n1:3\nrootfs\nstart\nlater\n1\n",
            "ids are mapped, the device is bound, the host's mount is there, time has its offset");
}

/* ---- a terminal ---- */

static void test_console(void)
{
    char text[4096];
    int sv[2], master = -1, fd;
    size_t len = 0;
    ssize_t n;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
        abort();
    host_fd[WH_SLOT_CONSOLE] = sv[1];
    head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
    wh_build_host_slot(tp, WH_SLOT_CONSOLE);
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/tty"), .mode = S_IFCHR | 0666, .major = 5, .minor = 0);
    ADD(CONSOLE, console, .root = WH_SLOT_ROOT, .socket = WH_SLOT_CONSOLE, .uid = 0, .rows = 33, .cols = 77, .node = 1);
    ADD(CTTY, ctty, );
    tail();
    exec_sh("tty; stty size; echo to-console >/dev/console; stat -c %t /dev/console; exec 2>&-; echo tty >/dev/tty || "
            "echo no-tty");
    fd = created();
    {
        struct iovec iov = { text, sizeof(text) };
        union {
            struct cmsghdr h;
            char space[CMSG_SPACE(sizeof(int))];
        } c;
        struct msghdr h = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(sizeof(int))
        };

        n = recvmsg(sv[0], &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        ok(n > 0 && !(h.msg_flags & MSG_CTRUNC), "the console socket gets a message with a payload");
        if (CMSG_FIRSTHDR(&h))
            memcpy(&master, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(int));
        ok(master >= 0 && isatty(master), "and the master of a terminal");
        is_int(recvmsg(sv[0], &h, MSG_DONTWAIT), 0, "and its end after that one message");
    }
    while (master >= 0 && len < sizeof(text) - 1 && (n = read(master, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = 0;
    finish(fd);
    is_str(text, "/dev/pts/0\r\n33 77\r\nto-console\r\n88\r\ntty\r\n",
           "stdio is the terminal, of that size, on /dev/console");
    if (master >= 0)
        close(master);
    close(sv[0]);
}

/* ---- seccomp ---- */

static int listener_of(pid_t pid, struct wh_mbox *mbox)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), fd = -1;

    for (int k = 0; k < 2000 && !mbox->notify_fd; k++)
        usleep(1000);
    if (mbox->notify_fd)
        fd = (int)syscall(SYS_pidfd_getfd, pidfd, mbox->notify_fd, 0);
    close(pidfd);
    return fd;
}

/* Everything but execve waits for the listener: also what init would do after the filter, so it must do nothing. */
static void test_notify(void)
{
    static const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    unsigned int seen = 0;
    int fd, listener;
    char other[32];

    head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/null"), .mode = S_IFCHR | 0666, .major = 1, .minor = 3);
    tail();
    ADD(CLOSE_FDS, close_fds, .first = 3);
    ADD(DUMPABLE, dumpable, .value = 1);
    ADD(SECCOMP, seccomp, .filter = wh_build_bytes(tp, filter, sizeof(filter)), .notify = 1);
    ADD(EXEC, exec, .args = STRV("sh", "-c", "mkdir /refused 2>/dev/null || echo refused"), .env = STRV("PATH=/bin"));
    fd = created();
    listener = listener_of(r.pid_b, r.mbox);
    if (!ok(listener >= 0, "the listener is taken out of the process"))
        diag("%s: %s", strerror(errno), state_name(&r));
    snprintf(other, sizeof(other), "/proc/self/fd/%d", listener);
    {
        char link[64] = "";

        ok(readlink(other, link, sizeof(link) - 1) > 0 && strstr(link, "seccomp"), "and is one: %s", link);
    }
    __atomic_store_n((int32_t *)&r.mbox->ack, 1, __ATOMIC_RELEASE);
    for (;;) {
        struct seccomp_notif q = { 0 };
        struct pollfd p = { .fd = listener, .events = POLLIN };
        struct seccomp_notif_resp a = { 0 };

        if (poll(&p, 1, 10000) != 1 || !(p.revents & POLLIN))
            break;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &q))
            continue;
        seen++;
        if (seen == 1)
            is_int(r.mbox->state, WH_MBOX_EXEC, "the first call that waits is the payload's");
        a.id = q.id;
        if (q.data.nr == SYS_mkdir || q.data.nr == SYS_mkdirat)
            a.error = -EPERM;
        else
            a.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &a);
    }
    close(listener);
    finish(fd);
    is_str(r.text, "refused\n", "the listener decides");
}

static void test_notify_refused(void)
{
    static const struct sock_filter filter[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF) };
    int fd;

    head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
    tail();
    ADD(CLOSE_FDS, close_fds, .first = 3);
    ADD(SECCOMP, seccomp, .filter = wh_build_bytes(tp, filter, sizeof(filter)), .notify = 1);
    ADD(EXEC, exec, .args = STRV("sh", "-c", "echo ran"), .env = STRV("PATH=/bin"));
    fd = created();
    listener_of(r.pid_b, r.mbox);
    __atomic_store_n((int32_t *)&r.mbox->ack, -1, __ATOMIC_RELEASE);
    for (int k = 0; k < 2000 && r.mbox->state != WH_MBOX_FAILED; k++)
        usleep(1000);
    is_int(r.mbox->state, WH_MBOX_FAILED, "a refusal is told by the mailbox, where even exit would wait");
    is_int(r.mbox->fail.site, WH_SITE_SECCOMP, "at seccomp");
    kill(r.pid_b, SIGKILL);
    collect(&r);
    close(fd);
    is_str(r.text, "", "and nothing ran");
}

static void test_filter(void)
{
    static const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    int fd;

    head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
    tail();
    /* Without no_new_privs the filter needs CAP_SYS_ADMIN, which lives in permitted and effective only and ends with execve. */
    ADD(CLOSE_FDS, close_fds, .first = 3);
    ADD(SECCOMP, seccomp, .filter = wh_build_bytes(tp, filter, sizeof(filter)));
    ADD(EXEC, exec, .args = STRV("sh", "-c", "mkdir /x 2>&1; grep Seccomp: /proc/self/status"),
        .env = STRV("PATH=/bin"));
    fd = created();
    finish(fd);
    has_str(r.text, "Invalid cross-device link", "the filter is on");
    has_str(r.text, "Seccomp:\t2", "and shown");
}

/* ---- joined namespaces, no READY: what exec does ---- */

static void test_join(void)
{
    char sock[sizeof(root_dir) + 16], path[64];
    struct run first;
    int fd;

    head(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
    ADD(HOSTNAME, hostname, .name = STR("joined"));
    tail();
    exec_sh("echo first; cat");
    go(&first, ~0u, sock, sizeof(sock));
    ok(first.ready, "a container to join");

    tp_begin();
    wh_build_host_slot(tp, WH_SLOT_NS);
    snprintf(path, sizeof(path), "/proc/%d", first.pid_b);
    host_fd[WH_SLOT_NS] = (int)syscall(SYS_pidfd_open, first.pid_b, 0);
    ADD(SIGNALS, signals, );
    ADD(DUMPABLE, dumpable, .value = 0);
    ADD(JOIN, join, .ns = WH_SLOT_NS, .nstype = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS,
        .path = STR(path));
    ADD(CLONE_B, clone_b, );
    ADD(SESSION, session, );
    ADD(UMASK, umask, .mask = 022);
    ADD(CWD, cwd, .path = STR("/etc"));
    ADD(CWD_CHECK, cwd_check, .path = STR("/etc"));
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("sh"), .candidates = STRV("/bin/sh"));
    exec_sh("hostname; pwd; echo $$; ls /proc/self/fd | wc -l; ls -d /proc/1");
    {
        struct wh_plan *plan;
        size_t len;

        plan = tp_end(&len);
        is_int(wh_plan_verify(plan, len, NULL), 0, "the plan of exec is sound");
        fd = host_fd[WH_SLOT_NS];
        spawn(&r, plan, len, &fd, 1);
        close(fd);
        host_fd[WH_SLOT_NS] = -1;
        r.plan = plan;
        serve(&r, ~0u);
    }
    is_int(r.mbox->state, WH_MBOX_EXEC, "the end of the connection and the state EXEC are all that exec tells");
    collect(&r);
    has_str(r.text, "joined\n/etc\n", "the namespaces and the root are the container's");
    has_str(r.text, "\n4\n/proc/1\n", "and no fd of the host is there");
    kill(first.pid_b, SIGKILL);
    collect(&first);
}

int main(void)
{
    const char *why = cannot_run();

    if (why) {
        skip(why);
        return done_testing();
    }
    alarm(120);
    signal(SIGPIPE, SIG_IGN);
    snprintf(rootfs, sizeof(rootfs), "%s", root_dir);
    if (!mkdtemp(root_dir) || chmod(root_dir, 0755)) {
        fail_test("%s: %s", root_dir, strerror(errno));
        return done_testing();
    }
    snprintf(rootfs, sizeof(rootfs), "%s/rootfs", root_dir);
    {
        static const char *const dirs[] = { "", "/etc", "/proc", "/dev", "/from-host" };
        char path[100];

        for (size_t k = 0; k < sizeof(dirs) / sizeof(dirs[0]); k++) {
            snprintf(path, sizeof(path), "%s%s", rootfs, dirs[k]);
            mkdir(path, 0755);
        }
        make_busybox(rootfs);
    }
    test_userns();
    test_console();
    test_filter();
    test_notify();
    test_notify_refused();
    test_join();
    is_int(wh_remove_tree_at(AT_FDCWD, root_dir), 0, "nothing is left");
    return done_testing();
}
