/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TEST_FAKE_CALLS_H
#define WH_TEST_FAKE_CALLS_H

/* The rest of the recorder of fake-sys.h, which includes this: mounts, processes, sockets. */

/* ---- mounts ---- */

long sys_fsopen(const char *fstype, unsigned int flags)
{
    char name[64];

    ENTER(fsopen, "%s%s", fstype, flags & WH_FSOPEN_CLOEXEC ? "" : ", !CLOEXEC");
    snprintf(name, sizeof(name), "fs(%s)", fstype);
    return fake_leave(fake_open(name, NULL));
}

long sys_fsconfig(int fd, unsigned int cmd, const char *key, const void *value, int aux)
{
    ENTER(fsconfig, "%s, %s, %s, %s, %d", fdn(fd),
          cmd == WH_FSCONFIG_CMD_CREATE        ? "CREATE"
          : cmd == WH_FSCONFIG_CMD_RECONFIGURE ? "RECONFIGURE"
          : cmd == WH_FSCONFIG_SET_FLAG        ? "FLAG"
                                               : "STRING",
          key ? key : "-", value ? (const char *)value : "-", aux);
    NEEDS_FD(fd);
    return fake_leave(0);
}

long sys_fspick(int fd, const char *path, unsigned int flags)
{
    char name[FAKE_NAME + 8];

    ENTER(fspick, "%s, \"%s\", %s%s", fdn(fd), path, flags & WH_FSPICK_CLOEXEC ? "CLOEXEC" : "0",
          flags & WH_FSPICK_EMPTY_PATH ? "|EMPTY" : "");
    NEEDS_FD(fd);
    snprintf(name, sizeof(name), "fs(%.140s)", fake.fd[fd].name);
    return fake_leave(fake_open(name, NULL));
}

long sys_fsmount(int fd, unsigned int flags, unsigned int attr)
{
    struct fake_node n = { .mode = S_IFDIR | 0755, .fs = TMPFS_MAGIC_ };
    char name[FAKE_NAME + 8];

    ENTER(fsmount, "%s, %s, %#x", fdn(fd), flags & WH_FSMOUNT_CLOEXEC ? "CLOEXEC" : "0", attr);
    NEEDS_FD(fd);
    snprintf(name, sizeof(name), "mnt%s", fake.fd[fd].name + 2);
    if (strstr(name, "(proc)"))
        n.fs = WH_PROC_MAGIC, n.ino = WH_PROC_ROOT_INO;
    if (strstr(name, "(devpts)"))
        n.fs = WH_DEVPTS_MAGIC;
    return fake_leave(fake_open(name, &n));
}

long sys_open_tree(int fd, const char *path, unsigned int flags)
{
    const char *from = fake_join(fd, path);
    struct fake_node *n = fake_find(from);
    char name[FAKE_NAME + 8];

    ENTER(open_tree, "%s, \"%s\", %s%s%s", fdn(fd), path, flags & WH_OPEN_TREE_CLONE ? "CLONE" : "",
          flags & AT_RECURSIVE ? "|RECURSIVE" : "", flags & AT_SYMLINK_NOFOLLOW ? "|NOFOLLOW" : "");
    NEEDS_FD(fd);
    if (n && n->err && *path)
        return fake_leave(-n->err);
    if (strcmp(path, ".") == 0)
        return fake_leave(fake_open("ROOT", NULL));
    snprintf(name, sizeof(name), "tree(%.140s)", from);
    return fake_leave(fake_open(name, *path ? n : &fake.fd[fd].node));
}

SIMPLE(mount_setattr, (int fd, const char *path, unsigned int flags, const struct wh_mount_attr *a),
       "%s, \"%s\", %s, %#llx, %#llx, %#llx", fdn(fd), path, flags &AT_RECURSIVE ? "RECURSIVE" : "0", a->attr_set,
       a->attr_clr, a->propagation)

long sys_move_mount(int from, int to, const char *path, unsigned int flags)
{
    ENTER(move_mount, "%s, %s, \"%s\"%s", fdn(from), fdn(to), path,
          flags & WH_MOVE_MOUNT_F_EMPTY_PATH ? "" : ", !EMPTY");
    NEEDS_FD(from);
    NEEDS_FD(to);
    if (to >= 0 && fake.nnodes < FAKE_NODES) {
        struct fake_node keep = fake.fd[from].node, *n = fake_node(fake.fd[to].name, keep.mode);

        memcpy(keep.name, n->name, sizeof(keep.name));
        *n = keep;
    }
    return fake_leave(0);
}

SIMPLE(pivot_root, (const char *new_root, const char *put_old), "%s, %s", new_root, put_old)
long sys_umount2(const char *path, int flags)
{
    ENTER(umount2, "%s, %d", path, flags);
    /* Two mounts on /proc, none on other places; "." is the old root. */
    if (*path == '/' && (strcmp(path, "/proc") != 0 || fake.umounts++ == 2))
        return fake_leave(-EINVAL);
    return fake_leave(0);
}
SIMPLE(chroot, (const char *path), "%s", path)
SIMPLE(chdir, (const char *path), "%s", path)
SIMPLE(fchdir, (int fd), "%s", fdn(fd))

long sys_getcwd(char *buf, size_t size)
{
    struct fake_node *n = fake_find("getcwd");

    ENTER(getcwd, "%s", "");
    snprintf(buf, size, "%s", n ? n->data : "/work");
    fake_leave(0);
    return 6;
}

/* ---- processes ---- */

SIMPLE(setns, (int fd, int type), "%s, %#x", fdn(fd), (unsigned int)type)
SIMPLE(unshare, (unsigned long flags), "%#lx", flags)
SIMPLE(setsid, (void), "%s", "")
SIMPLE(capset, (const struct wh_cap_header *h, const struct wh_cap_data *d), "%#x, E %x:%x P %x:%x I %x:%x", h->version,
       d[1].effective, d[0].effective, d[1].permitted, d[0].permitted, d[1].inheritable, d[0].inheritable)
SIMPLE(personality, (unsigned long p), "%#lx", p)
SIMPLE(set_mempolicy, (int mode, const unsigned long *nodes, unsigned long max), "%#x, %#lx, %lu", (unsigned int)mode,
       nodes ? nodes[0] : 0, max)
SIMPLE(clock_gettime, (int clock, int64_t ts[2]), "%d%s", clock, ts ? "" : ", null")
SIMPLE(sched_setaffinity, (const void *mask, size_t n), "%#lx, %zu", *(const unsigned long *)mask, n)
SIMPLE(sethostname, (const char *name, size_t len), "%.*s", (int)len, name)
SIMPLE(setdomainname, (const char *name, size_t len), "%.*s", (int)len, name)
SIMPLE(setgroups, (size_t n, const uint32_t *g), "%zu: %u %u", n, n > 0 ? g[0] : 0, n > 1 ? g[1] : 0)

/* One line for all 62 of them. */
long sys_sigaction(int sig, const void *act)
{
    (void)act;
    if (sig == SIGHUP || sig == 64)
        ENTER(sigaction, "%d", sig);
    return sig == SIGHUP || sig == 64 ? fake_leave(0) : 0;
}
SIMPLE(setpgid, (int pid, int group), "%d, %d", pid, group)
SIMPLE(kill, (int pid, int sig), "%d, %d", pid, sig)

long sys_munmap(void *at, size_t len)
{
    ENTER(munmap, "%s%s", at == &fake.mbox ? "mbox" : at == fake.plan ? "plan" : "?", len ? "" : ", 0");
    return fake_leave(0);
}

long sys_getpid(void)
{
    ENTER(getpid, "%s", "");
    return fake_leave(FAKE_PAYLOAD);
}

/* SIGTERM, SIGCHLD of an orphan, an interruption, SIGCHLD of the payload. */
long sys_sigtimedwait(const void *set)
{
    static const long script[] = { 15, SIGCHLD, -EINTR, SIGCHLD };

    ENTER(sigtimedwait, "%lx", *(const unsigned long *)set);
    fake_leave(0);
    if (fake.waits == sizeof(script) / sizeof(script[0]))
        sys_exit_group(99);
    return script[fake.waits++];
}

long sys_wait4(int pid, int *status, int flags)
{
    ENTER(wait4, "%d, %d", pid, flags);
    fake_leave(0);
    fake.reaps++;
    if (fake.reaps % 2 == 0)
        return 0;
    *status = fake.waits == 2 ? 1 << 8 : fake.payload_status;
    return fake.waits == 2 ? 4711 : FAKE_PAYLOAD;
}

SIMPLE(sigprocmask, (int how, const void *set), "%d, %lu", how, *(const unsigned long *)set)

long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c)
{
    static const struct {
        int option;
        const char *name;
    } names[] = { { PR_SET_NAME, "SET_NAME" },
                  { PR_SET_DUMPABLE, "SET_DUMPABLE" },
                  { PR_SET_KEEPCAPS, "SET_KEEPCAPS" },
                  { PR_CAPBSET_DROP, "CAPBSET_DROP" },
                  { PR_CAPBSET_READ, "CAPBSET_READ" },
                  { PR_CAP_AMBIENT, "CAP_AMBIENT" },
                  { PR_SET_NO_NEW_PRIVS, "SET_NO_NEW_PRIVS" },
                  { PR_SET_CHILD_SUBREAPER, "SET_CHILD_SUBREAPER" } };
    const char *name = "?";

    for (unsigned int k = 0; k < sizeof(names) / sizeof(names[0]); k++)
        if (names[k].option == option)
            name = names[k].name;
    /* The names of processes are nothing to fail for. */
    if (option == PR_SET_NAME) {
        fprintf(fake.out, "prctl(SET_NAME, %s)\n", (const char *)a);
        return 0;
    }
    ENTER(prctl, "%s, %lu, %lu, %lu", name, a, b, c);
    return fake_leave(option == PR_CAPBSET_READ ? 1 : 0);
}

static long fake_set(uint32_t id[3], uint32_t r, uint32_t e, uint32_t s)
{
    id[0] = r;
    id[1] = e;
    id[2] = s;
    return fake_leave(0);
}
long sys_setresuid(uint32_t r, uint32_t e, uint32_t s)
{
    ENTER(setresuid, "%u, %u, %u", r, e, s);
    return fake_set(fake.uid, r, e, s);
}
long sys_setresgid(uint32_t r, uint32_t e, uint32_t s)
{
    ENTER(setresgid, "%u, %u, %u", r, e, s);
    return fake_set(fake.gid, r, e, s);
}
long sys_getresuid(uint32_t id[3])
{
    ENTER(getresuid, "%s", "");
    memcpy(id, fake.uid, sizeof(fake.uid));
    return fake_leave(0);
}
long sys_getresgid(uint32_t id[3])
{
    ENTER(getresgid, "%s", "");
    memcpy(id, fake.gid, sizeof(fake.gid));
    return fake_leave(0);
}

long sys_prlimit(unsigned int res, const struct rlimit *set, struct rlimit *get)
{
    ENTER(prlimit, "%u, %ld, %ld", res, set ? (long)set->rlim_cur : -1, set ? (long)set->rlim_max : -1);
    if (get) {
        get->rlim_cur = 1024;
        get->rlim_max = 2048;
    }
    return fake_leave(0);
}

long sys_umask(unsigned int mask)
{
    fprintf(fake.out, "umask(%o)\n", mask);
    fprintf(fake.conf, "umask(%o)\n", mask);
    return 022;
}

long sys_keyctl(int cmd, unsigned long a, unsigned long b)
{
    ENTER(keyctl, "%s, %#lx", cmd == WH_KEYCTL_SETPERM ? "SETPERM" : a ? "by name" : "new", b);
    fake_leave(0);
    return cmd == WH_KEYCTL_SETPERM ? 0 : 77;
}

long sys_socket(int domain, int type)
{
    ENTER(socket, "%d, %#x", domain, (unsigned int)type);
    return fake_leave(fake_open("socket", NULL));
}

long sys_ioctl(int fd, unsigned long request, void *arg)
{
    static const struct {
        unsigned long request;
        const char *name;
    } names[] = { { TIOCSPTLCK, "TIOCSPTLCK" },     { TIOCGPTPEER, "TIOCGPTPEER" }, { TIOCSWINSZ, "TIOCSWINSZ" },
                  { TIOCGWINSZ, "TIOCGWINSZ" },     { TIOCSCTTY, "TIOCSCTTY" },     { SIOCGIFFLAGS, "SIOCGIFFLAGS" },
                  { SIOCSIFFLAGS, "SIOCSIFFLAGS" }, { TIOCSPGRP, "TIOCSPGRP" } };
    const char *name = "?";

    (void)arg;
    for (unsigned int k = 0; k < sizeof(names) / sizeof(names[0]); k++)
        if (names[k].request == request)
            name = names[k].name;
    ENTER(ioctl, "%s, %s", fdn(fd), name);
    NEEDS_FD(fd);
    if (request == TIOCGPTPEER) {
        struct fake_node n = { .mode = S_IFCHR | 0620, .major = 136, .tty = true, .fs = WH_DEVPTS_MAGIC };

        return fake_leave(fake_open("slave", &n));
    }
    if (request == TIOCGWINSZ && !fake.fd[fd].node.tty)
        return fake_leave(-ENOTTY);
    return fake_leave(0);
}

long sys_faccessat2(int fd, const char *path, int mode, int flags)
{
    struct fake_node *n = fake_find(fake_join(fd, path));

    ENTER(faccessat2, "%s, \"%s\", %d, %#x", fdn(fd), path, mode, (unsigned int)flags);
    if (!*path && fake.fd[fd].node.exec_denied)
        return fake_leave(-EACCES);
    return fake_leave(n && n->err && *path ? -n->err : 0);
}

long sys_clone(unsigned long flags, int *ptid)
{
    ENTER(clone, "%#lx", flags);
    if (flags & CLONE_VFORK) {
        if (!fake.stays)
            return fake_leave(0);
        fake_leave(0);
        fake.mbox.state = fake.payload_failed ? WH_MBOX_FAILED : WH_MBOX_EXEC; /* by the child */
        return FAKE_PAYLOAD;
    }
    if (!fake.is_a) {
        fake.pending = WH_MSG_GO;
        return fake_leave(0);
    }
    if (!(flags & CLONE_PARENT_SETTID) || ptid != (int *)&fake.mbox.forked)
        fail_test("the kernel is not asked to store the pid of B");
    fake_leave(0);
    *ptid = 4242;
    return 4242;
}

long sys_signalfd4(int fd, const void *set, int flags)
{
    ENTER(signalfd4, "%d, %lx, %s|%s", fd, *(const unsigned long *)set, flags & O_CLOEXEC ? "CLOEXEC" : "0",
          flags & O_NONBLOCK ? "NONBLOCK" : "0");
    return fake_leave(fake_open("signals", NULL));
}

long sys_ppoll(struct pollfd *fds, unsigned int n)
{
    unsigned int k;

    ENTER(ppoll, "%s, %s", fdn(fds[0].fd), fdn(fds[n - 1].fd));
    for (k = 0; k < n; k++) {
        NEEDS_FD(fds[k].fd);
        fds[k].revents = 0;
    }
    fds[n - 1].revents = POLLIN;
    return fake_leave(1);
}

long sys_accept4(int fd, int flags)
{
    ENTER(accept4, "%s, %s", fdn(fd), flags & SOCK_CLOEXEC ? "CLOEXEC" : "0");
    NEEDS_FD(fd);
    /* An exec first, where it would be answered. */
    fake.pending = ini.nns && !fake.entered ? WH_MSG_ENTER : WH_MSG_START;
    fake.entered = true;
    return fake_leave(fake_open("conn", NULL));
}

long sys_sendmsg(int fd, const struct msghdr *m, int flags)
{
    static const char *const names[] = { "?",      "HELLO", "GO",    "ASK",   "OK",    "DENY",
                                         "FORKED", "READY", "START", "ENTER", "COMMIT" };
    const struct wh_msg *msg = m->msg_iov->iov_base;
    int with = -1;

    if (m->msg_controllen)
        memcpy(&with, CMSG_DATA(CMSG_FIRSTHDR(m)), sizeof(int));
    if (m->msg_iov->iov_len != sizeof(*msg)) {
        ENTER(sendmsg, "%s, \"%.*s\", fd %s", fdn(fd), (int)m->msg_iov->iov_len, (const char *)m->msg_iov->iov_base,
              fdn(with));
        return fake_leave(0);
    }
    if (with >= 0)
        ENTER(sendmsg, "%s, %s, fd %s%s%s", fdn(fd), names[msg->type], fdn(with), msg->nfds > 1 ? " and others" : "",
              flags & MSG_NOSIGNAL ? "" : ", !NOSIGNAL");
    else
        ENTER(sendmsg, "%s, %s%s", fdn(fd), names[msg->type], flags & MSG_NOSIGNAL ? "" : ", !NOSIGNAL");
    NEEDS_FD(fd);
    fake_leave(0);
    if (msg->type == WH_MSG_HELLO)
        fake.pending = WH_MSG_GO;
    if (msg->type == WH_MSG_READY)
        fake.ready = true;
    if (msg->type == WH_MSG_ASK) {
        fake.pending = msg->step == fake.deny ? WH_MSG_DENY : WH_MSG_OK;
        fake.pending_val = msg->step == fake.deny ? EPERM : 0;
        fake.pending_step = msg->step;
        if (ini.nr && fake.pending == WH_MSG_OK && msg->step == ini.nr) {
            const struct wh_step *s = wh_plan_first(fake.plan);

            for (uint32_t k = 0; k < msg->step; k++)
                s = wh_step_next(s);
            fake.pending_device = s->op == WH_OP_ASK_DEVICE;
            fake.pending_fd = s->op == WH_OP_ASK_MOUNT || fake.pending_device;
        }
    }
    return sizeof(*msg);
}

long sys_recvmsg(int fd, struct msghdr *m, int flags)
{
    struct wh_msg msg = { .type = fake.pending, .step = fake.pending_step, .val = fake.pending_val };

    if (flags & MSG_PEEK) {
        ENTER(recvmsg, "%s, PEEK%s", fdn(fd), flags & MSG_DONTWAIT ? "|DONTWAIT" : "");
        NEEDS_FD(fd);
        fake_leave(0);
        return fake.gone ? 0 : -EAGAIN;
    }
    ENTER(recvmsg, "%s%s", fdn(fd), flags & MSG_CMSG_CLOEXEC ? "" : ", !CLOEXEC");
    NEEDS_FD(fd);
    fake_leave(0);
    if (fake.ready)
        fake.pending = msg.type = fake.after_ready;
    fake.ready = false;
    if (fake.eof || !fake.pending) {
        m->msg_controllen = 0;
        return 0;
    }
    if (fake.pending_fd) {
        struct cmsghdr *c = m->msg_control;
        struct fake_node device = { .mode = S_IFCHR | 0660, .major = 1, .minor = fake.wrong_device ? 5 : 3 };
        int got = fake.pending_device ? fake_open("host-device", &device) : fake_open("host-mount", NULL);

        msg.nfds = 1;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &got, sizeof(int));
    } else {
        m->msg_controllen = 0;
    }
    memcpy(m->msg_iov->iov_base, &msg, sizeof(msg));
    fake.pending = 0;
    fake.pending_fd = false;
    fake.pending_step = 0;
    fake.pending_val = 0;
    return sizeof(msg);
}

long sys_seccomp(unsigned int op, unsigned int flags, const struct wh_sock_fprog *prog)
{
    ENTER(seccomp, "%u, %#x, %u instructions", op, flags, prog->len);
    if (flags & WH_SECCOMP_FILTER_FLAG_NEW_LISTENER) {
        fake.mbox.ack = fake.ack;
        return fake_leave(fake_open("listener", NULL));
    }
    return fake_leave(0);
}

long sys_execve(const char *path, char *const *argv, char *const *envp)
{
    int n;

    ENTER(execve, "%s", path);
    fputc('\n', fake.out);
    n = snprintf(fake.exec, sizeof(fake.exec), "%s", path);
    for (; *argv; argv++)
        n += snprintf(fake.exec + n, sizeof(fake.exec) - (size_t)n, " %s", *argv);
    for (; *envp; envp++)
        n += snprintf(fake.exec + n, sizeof(fake.exec) - (size_t)n, " %s", *envp);
    fake.ended = 2;
    longjmp(fake.end, 1);
}

long sys_exit_group(int status)
{
    fprintf(fake.out, "exit_group(%d)\n", status);
    fake.ended = 1;
    fake.status = status;
    longjmp(fake.end, 1);
}

#endif
