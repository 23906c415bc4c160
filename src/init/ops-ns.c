/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "init/ini.h"

/* The steps of A, and what concerns namespaces in B. */

int op_signals(struct ini *i, const struct wh_step_signals *s)
{
    /* All zero is SIG_DFL, no flags, an empty mask, whatever the machine's order of fields. */
    static const unsigned long zero[8];
    int sig;
    long r;

    (void)s;
    for (sig = 1; sig <= 64; sig++) {
        if (sig == SIGKILL || sig == SIGSTOP)
            continue;
        r = sys_sigaction(sig, zero);
        if (r < 0)
            return fail(i, SIGNAL, r);
    }
    r = sys_sigprocmask(SIG_SETMASK, zero);
    return r < 0 ? fail(i, SIGNAL, r) : 0;
}

/* A file below the host's verified procfs, beneath it and on no other mount: even this one could be covered in parts. */
int ini_proc_write(struct ini *i, int dir, const char *path, uint64_t resolve, const char *text, size_t n)
{
    CLEAN_FD fd = -1;
    long r;

    fd = (int)ini_openat2(dir, path, O_WRONLY,
                          WH_RESOLVE_BENEATH | WH_RESOLVE_NO_XDEV | WH_RESOLVE_NO_MAGICLINKS | resolve);
    if (fd < 0) {
        ini_detail(i, path);
        return fail(i, OPENAT2, fd);
    }
    /* In one write: these files parse what each write brings. */
    r = sys_write(fd, text, n);
    if (r >= 0 && (size_t)r != n)
        r = -EIO;
    if (r < 0) {
        ini_detail(i, path);
        return fail(i, WRITE, r);
    }
    return 0;
}

char *ini_decimal(char text[INI_I32_TEXT], int32_t value)
{
    uint32_t v = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    char *p = &text[INI_I32_TEXT - 1];

    *p = 0;
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    if (value < 0)
        *--p = '-';
    return p;
}

int op_oom_adj(struct ini *i, const struct wh_step_oom_adj *s)
{
    char text[INI_I32_TEXT], *p = ini_decimal(text, s->value);

    return ini_proc_write(i, i->slot[s->proc], "self/oom_score_adj", 0, p, strlen(p));
}

int op_rlimit_raise(struct ini *i, const struct wh_step_rlimit_raise *s)
{
    struct rlimit l;
    long r;

    r = sys_prlimit(s->resource, NULL, &l);
    if (r < 0)
        return fail(i, PRLIMIT, r);
    if (l.rlim_cur >= s->hard)
        return 0;
    l.rlim_cur = s->hard;
    if (l.rlim_max < s->hard)
        l.rlim_max = s->hard;
    r = sys_prlimit(s->resource, &l, NULL);
    return r < 0 ? fail(i, PRLIMIT, r) : 0;
}

int op_join(struct ini *i, const struct wh_step_join *s)
{
    long r = sys_setns(i->slot[s->ns], (int)s->nstype);

    return r < 0 ? fail(i, SETNS, r) : 0;
}

int op_affinity(struct ini *i, const struct wh_step_affinity *s)
{
    long r = sys_sched_setaffinity(wh_plan_at(i->plan, s->mask.off), s->mask.len);

    return r < 0 ? fail(i, SCHED_SETAFFINITY, r) : 0;
}

static void close_host(struct ini *i)
{
    wh_slot k;

    for (k = 0; k < WH_SLOTS; k++)
        if (k != WH_SLOT_CONSOLE && k != WH_SLOT_LISTEN && i->slot[k] >= 0)
            ini_slot_set(i, k, -1);
}

int op_join_pidfd(struct ini *i, const struct wh_step_join_pidfd *s)
{
    long r = sys_setns(i->slot[s->target], (int)s->nsflags);

    if (r < 0)
        return fail(i, SETNS, r);
    close_host(i);
    return 0;
}

int op_join_fd(struct ini *i, const struct wh_step_join_fd *s)
{
    long r = sys_setns(i->slot[s->ns], (int)s->nstype);

    return r < 0 ? fail(i, SETNS, r) : 0;
}

int op_close_host(struct ini *i, const struct wh_step_close_host *s)
{
    (void)s;
    close_host(i);
    return 0;
}

int op_open_ns(struct ini *i, const struct wh_step_open_ns *s)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } all[WH_NS_FDS] = {
        { CLONE_NEWUSER, "user" }, { CLONE_NEWNS, "mnt" },  { CLONE_NEWPID, "pid" },   { CLONE_NEWNET, "net" },
        { CLONE_NEWIPC, "ipc" },   { CLONE_NEWUTS, "uts" }, { CLONE_NEWTIME, "time" }, { CLONE_NEWCGROUP, "cgroup" },
    };
    CLEAN_FD dir = -1;
    unsigned int k;

    dir = (int)ini_openat2(i->slot[s->proc], "self/ns", O_PATH | O_DIRECTORY,
                           WH_RESOLVE_BENEATH | WH_RESOLVE_NO_XDEV | WH_RESOLVE_NO_MAGICLINKS);
    if (dir < 0)
        return fail(i, OPENAT2, dir);
    for (k = 0; k < WH_NS_FDS && i->nns < WH_NS_FDS; k++) {
        long fd;

        if (!(s->nsflags & all[k].flag))
            continue;
        fd = sys_openat(dir, all[k].name, O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0)
            return fail(i, OPEN, fd);
        i->ns[i->nns++] = (int)fd;
    }
    return 0;
}

int op_unshare(struct ini *i, const struct wh_step_unshare *s)
{
    long r = sys_unshare(s->nsflags);

    return r < 0 ? fail(i, UNSHARE, r) : 0;
}

int op_ask_idmap(struct ini *i, const struct wh_step_ask_idmap *s)
{
    (void)s;
    return ini_ask(i, NULL);
}

int op_chdir_rootfs(struct ini *i, const struct wh_step_chdir_rootfs *s)
{
    long r = sys_fchdir(i->slot[s->rootfs]);

    return r < 0 ? fail(i, FCHDIR, r) : 0;
}

int op_chdir_joined(struct ini *i, const struct wh_step_chdir_joined *s)
{
    CLEAN_FD fd = -1;
    long r;

    /* A link of that tree to /proc/self/fd would lead to what we have open of the host (CVE-2024-21626). */
    fd = (int)ini_openat2(AT_FDCWD, ini_str(i, s->path), O_PATH | O_DIRECTORY, WH_RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return fail(i, OPENAT2, fd);
    r = sys_fchdir(fd);
    return r < 0 ? fail(i, FCHDIR, r) : 0;
}

int op_timens(struct ini *i, const struct wh_step_timens *s)
{
    const char *text = ini_str(i, s->offsets);

    return ini_proc_write(i, i->slot[s->proc], "self/timens_offsets", 0, text, strlen(text));
}

int op_dumpable(struct ini *i, const struct wh_step_dumpable *s)
{
    long r = sys_prctl(PR_SET_DUMPABLE, s->value, 0, 0);

    return r < 0 ? fail(i, PRCTL, r) : 0;
}

int op_clone_b(struct ini *i, const struct wh_step_clone_b *s)
{
    struct wh_msg m;
    long r;

    (void)s;
    /*
     * Like fork: no stack of its own, and init has no threads. clone and not clone3, which the seccomp profile of an
     * outer container commonly answers with ENOSYS. B is the host's child from here on, and the host has to know its
     * number even if this process is killed before it has said FORKED: the kernel stores it in the mailbox before B
     * runs. clone(2) has one argument for that and for a pidfd, so the host opens the pidfd.
     */
    r = sys_clone(CLONE_PARENT | CLONE_PARENT_SETTID, (int *)&i->mbox->forked);
    if (r < 0)
        return fail(i, CLONE, r);
    if (r > 0) {
        r = ini_send(i->ctl, WH_MSG_FORKED, i->nr, (int32_t)r, -1);
        if (r < 0)
            return fail(i, SENDMSG, r);
        /* B reads from the same socket: another read here would take its message. */
        sys_exit_group(0);
        __builtin_trap();
    }
    i->title[strlen(i->title) - 2] = 'B';
    sys_prctl(PR_SET_NAME, (unsigned long)"wherry:[B]", 0, 0);
    r = ini_recv(i->ctl, &m, NULL);
    if (r >= 0 && m.type != WH_MSG_GO)
        r = -EPROTO;
    if (r < 0)
        return fail(i, PROTOCOL, r);
    ini_state(i, WH_MBOX_B);
    return 0;
}

int op_ask_limits(struct ini *i, const struct wh_step_ask_limits *s)
{
    (void)s;
    return ini_ask(i, NULL);
}

int op_session(struct ini *i, const struct wh_step_session *s)
{
    long r = sys_setsid();

    (void)s;
    return r < 0 ? fail(i, SETSID, r) : 0;
}

int op_ctty(struct ini *i, const struct wh_step_ctty *s)
{
    long r = sys_ioctl(0, TIOCSCTTY, NULL);

    (void)s;
    return r < 0 ? fail(i, IOCTL, r) : 0;
}

int op_loopback(struct ini *i, const struct wh_step_loopback *s)
{
    struct wh_ifreq q = { .name = "lo" };
    CLEAN_FD fd = -1;
    long r;

    (void)s;
    /* Any socket answers these; AF_UNIX is there when the kernel has no IPv4. */
    fd = (int)sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC);
    if (fd < 0)
        return fail(i, SOCKET, fd);
    r = sys_ioctl(fd, SIOCGIFFLAGS, &q);
    if (r < 0)
        return fail(i, IOCTL, r);
    q.flags |= WH_IFF_UP;
    r = sys_ioctl(fd, SIOCSIFFLAGS, &q);
    return r < 0 ? fail(i, IOCTL, r) : 0;
}

int op_ask_netdev(struct ini *i, const struct wh_step_ask_netdev *s)
{
    (void)s;
    return ini_ask(i, NULL);
}

int op_sysctl(struct ini *i, const struct wh_step_sysctl *s)
{
    const char *text = ini_str(i, s->value);
    CLEAN_FD dir = -1;

    dir = (int)ini_openat2(i->slot[s->proc], "sys", O_PATH | O_DIRECTORY,
                           WH_RESOLVE_BENEATH | WH_RESOLVE_NO_XDEV | WH_RESOLVE_NO_SYMLINKS);
    if (dir < 0)
        return fail(i, OPENAT2, dir);
    return ini_proc_write(i, dir, ini_str(i, s->path), WH_RESOLVE_NO_SYMLINKS, text, strlen(text));
}

int op_hostname(struct ini *i, const struct wh_step_hostname *s)
{
    const char *name = ini_str(i, s->name);
    long r = sys_sethostname(name, strlen(name));

    return r < 0 ? fail(i, SETHOSTNAME, r) : 0;
}

int op_domainname(struct ini *i, const struct wh_step_domainname *s)
{
    const char *name = ini_str(i, s->name);
    long r = sys_setdomainname(name, strlen(name));

    return r < 0 ? fail(i, SETDOMAINNAME, r) : 0;
}
