/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes in which `doctor` tries things. They are copies of the caller, not made by spawn.c: there is nothing to exec, and the namespaces that
 * they enter end with them. What runs in them makes system calls and no other calls, since a copy of a process with threads has locks that nobody
 * releases. By syscall(2): what is banned for a library is what these processes are for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/doctor.h"
#include "host/proc.h"

/* A mount of a file system whose server hangs, and the like. */
#define TRIAL_MS 5000

/* A copy of us, with our stack and all: 0 in the copy. No signal tells its end, so no handler of the caller's sees it. */
static long copy_process(int *ret_pidfd)
{
    long r = syscall(SYS_clone, CLONE_PIDFD, NULL, ret_pidfd, NULL, NULL);

    return r < 0 ? -errno : r;
}

__attribute__((noreturn)) static void leave(int status)
{
    for (;;)
        syscall(SYS_exit_group, status);
}

/* Notes the result; true if it went well. */
static bool note(struct wh_trial *t, long r)
{
    t->tried = true;
    t->err = r < 0 ? errno : 0;
    return r >= 0;
}

static bool note_what(struct wh_trial *t, const char *what, long r)
{
    if (!note(t, r)) {
        size_t len = strlen(what);

        memcpy(t->what, what, len < sizeof t->what ? len : sizeof t->what - 1);
    }
    return r >= 0;
}

static long write_file(const char *path, const char *text)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0), r;
    int saved;

    if (fd < 0)
        return fd;
    r = syscall(SYS_write, fd, text, strlen(text));
    saved = errno;
    syscall(SYS_close, fd);
    errno = saved;
    return r;
}

struct param {
    const char *key, *value;
};

/* The detached mount, or -1 and errno. */
static long new_fs(const char *type, const struct param *p, size_t n)
{
    long fs = syscall(SYS_fsopen, type, WH_FSOPEN_CLOEXEC), r = 0;

    if (fs < 0)
        return -1;
    for (size_t i = 0; i < n && r == 0; i++)
        r = syscall(SYS_fsconfig, fs, p[i].value ? WH_FSCONFIG_SET_STRING : WH_FSCONFIG_SET_FLAG, p[i].key, p[i].value,
                    0);
    if (r == 0)
        r = syscall(SYS_fsconfig, fs, WH_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    return r < 0 ? -1 : syscall(SYS_fsmount, fs, WH_FSMOUNT_CLOEXEC, 0);
}

static long attach(long mnt, const char *where)
{
    return syscall(SYS_move_mount, mnt, "", AT_FDCWD, where, WH_MOVE_MOUNT_F_EMPTY_PATH);
}

/* ---- everything that is tried in namespaces ---- */

struct maps {
    char uid[64], gid[64];
};

static void try_proc(struct wh_trial *t)
{
    siginfo_t si;
    int pidfd;
    /* The pid namespace is for children only. */
    long pid = copy_process(&pidfd);

    if (pid == 0) {
        note(&t[WH_PROBE_PROC_MOUNT], new_fs("proc", NULL, 0));
        leave(0);
    }
    if (pid < 0)
        note(&t[WH_PROBE_PROC_MOUNT], -1);
    else
        syscall(SYS_waitid, P_PID, pid, &si, WEXITED | __WALL, NULL);
}

static void try_overlay(struct wh_trial *t, bool user)
{
    /* Relative, and on the tmpfs that is the working directory now. */
    const struct param p[] = {
        { "lowerdir", "l" }, { "upperdir", "u" }, { "workdir", "w" }, { user ? "userxattr" : NULL, NULL }
    };

    for (const char *dir = "luw"; *dir; dir++) {
        const char name[] = { *dir, '\0' };

        if (syscall(SYS_mkdirat, AT_FDCWD, name, 0755) < 0) {
            note(&t[WH_PROBE_OVERLAY], -1);
            return;
        }
    }
    note(&t[WH_PROBE_OVERLAY], new_fs("overlay", p, user ? 4 : 3));
}

static void try_mounts(struct wh_trial *t, bool user)
{
    static const struct param pts[] = { { "newinstance", NULL }, { "ptmxmode", "0666" } };
    struct wh_mount_attr slave = { .propagation = WH_MS_SLAVE };
    long mnt;

    /* Else what is attached here shows on the host. */
    if (!note_what(&t[WH_PROBE_TMPFS], "mount_setattr",
                   syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave)))
        return;
    note(&t[WH_PROBE_BIND],
         syscall(SYS_open_tree, AT_FDCWD, "/", WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    note(&t[WH_PROBE_SYSFS], new_fs("sysfs", NULL, 0));
    note(&t[WH_PROBE_DEVPTS], new_fs("devpts", pts, 2));
    note(&t[WH_PROBE_MQUEUE], new_fs("mqueue", NULL, 0));
    try_proc(t);
    mnt = new_fs("tmpfs", NULL, 0);
    if (!note_what(&t[WH_PROBE_TMPFS], "fsmount", mnt) ||
        !note_what(&t[WH_PROBE_TMPFS], "move_mount", attach(mnt, "/")))
        return;
    if (syscall(SYS_fchdir, mnt) == 0)
        try_overlay(t, user);
}

static void try_seccomp(struct wh_trial *t)
{
    static const struct wh_sock_filter allow[] = { { 0x06, 0, 0, 0x7fff0000 } };
    struct wh_sock_fprog prog = { 1, allow };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    note(&t[WH_PROBE_SECCOMP], syscall(SYS_seccomp, WH_SECCOMP_SET_MODE_FILTER, 0, &prog));
    note(&t[WH_PROBE_SECCOMP_NOTIFY],
         syscall(SYS_seccomp, WH_SECCOMP_SET_MODE_FILTER, WH_SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog));
}

static bool try_userns(struct wh_trial *t, const struct maps *maps)
{
    if (!note(&t[WH_PROBE_USERNS], syscall(SYS_unshare, CLONE_NEWUSER)))
        return false;
    return note_what(&t[WH_PROBE_OWN_ID], "setgroups", write_file("/proc/self/setgroups", "deny")) &&
           note_what(&t[WH_PROBE_OWN_ID], "uid_map", write_file("/proc/self/uid_map", maps->uid)) &&
           note_what(&t[WH_PROBE_OWN_ID], "gid_map", write_file("/proc/self/gid_map", maps->gid));
}

static void try_all(struct wh_trial *t, bool user, const struct maps *maps)
{
    static const struct {
        int flag;
        const char *name;
    } ns[] = {
        { CLONE_NEWNS, "mount" }, { CLONE_NEWPID, "pid" },     { CLONE_NEWIPC, "ipc" },
        { CLONE_NEWUTS, "uts" },  { CLONE_NEWNET, "network" }, { CLONE_NEWCGROUP, "cgroup" },
    };
    bool own_mounts = false;

    if (user && !try_userns(t, maps))
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    note(&t[WH_PROBE_KEYRING], syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
    note(&t[WH_PROBE_TIME_NAMESPACE], syscall(SYS_unshare, CLONE_NEWTIME));
    for (size_t i = 0; i < WH_ELEMENTSOF(ns); i++) {
        long r = syscall(SYS_unshare, ns[i].flag);

        own_mounts = own_mounts || (r == 0 && i == 0);
        if (!note_what(&t[WH_PROBE_NAMESPACES], ns[i].name, r))
            break;
    }
    if (own_mounts)
        try_mounts(t, user);
    try_seccomp(t);
}

/* In the copy: from somebody with rights to somebody without. */
static bool become(uid_t uid, gid_t gid)
{
    /* Dumpable again: else the files below /proc/self are root's. */
    return syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, gid, gid, gid) == 0 &&
           syscall(SYS_setresuid, uid, uid, uid) == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

int wh_trials_run(bool user, uid_t uid, gid_t gid, struct wh_trial *t, bool *ret_ended, struct wh_err *err)
{
    size_t size = WH_PROBE_MAX * sizeof *t;
    struct wh_trial *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool drop = uid != geteuid();
    struct wh_exit ex;
    struct maps maps;
    int pidfd = -1;
    long pid;

    if (shared == MAP_FAILED)
        return wh_err_sys(err, -errno, "allocate memory for the probes");
    snprintf(maps.uid, sizeof maps.uid, "0 %u 1", uid);
    snprintf(maps.gid, sizeof maps.gid, "0 %u 1", gid);
    pid = copy_process(&pidfd);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (drop && !become(uid, gid))
            leave(1);
        try_all(shared, user, &maps);
        leave(0);
    }
    if (pid > 0) {
        if (wh_pidfd_wait(pidfd, TRIAL_MS) < 0)
            wh_pidfd_kill(pidfd, SIGKILL);
        *ret_ended = wh_pidfd_reap(pidfd, &ex) == 0 && !ex.signalled && ex.value == 0;
        wh_close(pidfd);
        memcpy(t, shared, size);
    }
    munmap(shared, size);
    return pid < 0 ? wh_err_sys(err, (int)pid, "create a process for the probes") : 0;
}
