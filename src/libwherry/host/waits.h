/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_WAITS_H
#define WH_HOST_WAITS_H

#include <stdint.h>
#include <sys/socket.h>

/*
 * How long the host waits for others, in milliseconds: every wait has an end (docs/DESIGN.md, "Waits"). One table, so that the bounds can be compared, and
 * so that the tests can shorten them in a copy of the program (tests/tools/shorter-waits writes into the file; nothing reads them from the
 * environment).
 */
struct wh_waits {
    /* A process that was killed. The kernel frees one in a system call of FUSE or NFS at once; what is still there has a frozen v1 cgroup, or a
     * device, and nobody knows for how long: it is left to its cgroup. Also the time in which a command ends after SIGTERM. */
    int killed;
    /* wherry-init in one system call, without as much as a context switch meanwhile: the longest that disks take to spin up, and NFS to give
     * up a first time. */
    int still;
    /* `exec` until the program runs. The container can slow down whatever exec looks up in it: progress alone would not be a bound. */
    int exec;
    /* A cgroup that the container itself has frozen, before a process can be born in it. */
    int frozen;
    /* A file that the caller or the configuration names: bundle, rootfs, config.json, what a mount is made of, a hook's program. */
    int file;
    /* A peer that does not accept or read: console socket, seccomp agent, pidfd socket, service manager. */
    int peer;
    /* systemd's job that starts a unit: it may be busy with others'. */
    int unit;
    /* newuidmap and newgidmap. They may ask a directory service for names. */
    int helper;
    /* libseccomp's compiler of rules, where it may not come to an end. An engine's profile takes it some
     * milliseconds. */
    int filter;
};

/* volatile: the compiler must not copy the numbers into the code. */
extern const volatile struct wh_waits wh_waits;

/* Waits for events of fd until `end` (wh_now_ms). 0, -ETIMEDOUT, -ECANCELED when cancel_fd (-1 = none) became readable first, -errno. */
int wh_wait_fd(int fd, short events, int cancel_fd, int64_t end);
/* connect(2) of a Unix socket, which blocks while the listener's backlog is full: at most wh_waits.peer. As above. */
int wh_wait_connect(int fd, const struct sockaddr *sa, socklen_t len, int cancel_fd);

#endif
