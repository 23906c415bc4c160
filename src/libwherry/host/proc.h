/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_PROC_H
#define WH_HOST_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * /proc and processes. A process is a pidfd, or a pid together with its start time: the number alone is reused
 * (invariant I11).
 */

/* Opens /proc (O_PATH) and checks that it is procfs and its root: a bind mount or tmpfs on /proc would answer for us
 * (I3). fd or -errno. */
int wh_proc_open(struct wh_err *err);

struct wh_proc_stat {
    char state; /* 'R', 'S', 'Z', … (proc(5), field 3) */
    uint64_t start; /* field 22, in clock ticks since boot: identifies the process together with its pid */
};
/* -ESRCH when there is no such process. */
int wh_proc_stat(int proc_fd, pid_t pid, struct wh_proc_stat *ret);

/* A number that changes whenever the process gets on in any way, if only from one wait in the kernel to the next: it is made of the counts of
 * its context switches. 0 where nobody can tell. */
uint64_t wh_proc_progress(int proc_fd, pid_t pid);
/* What a process that does not get on is doing, for messages: "waiting for a FUSE file system". proc_fd may be -1. */
void wh_proc_waits(int proc_fd, pid_t pid, char *buf, size_t size);

/* Inode number of a namespace of this process; `link` is a path below /proc: "self/ns/pid". 0 or -errno. */
int wh_proc_ns_ino(int proc_fd, const char *link, uint64_t *ret);

/* What tells a process from another one that gets its pid later. */
struct wh_identity {
    uint64_t start; /* as in struct wh_proc_stat; 0: /proc hides the process (hidepid=) from the caller */
    uint64_t ino; /* of its pidfds, unique until the next boot; 0: before Linux 6.9, where all of them had one */
};
/* Of the process behind the pidfd, which has not been reaped. -ESRCH; -EACCES when /proc hides the process and the kernel has no inode for its pidfd. */
int wh_identity(int proc_fd, int pidfd, pid_t pid, struct wh_identity *ret);

/* Why that, or the boot, cannot be told: sets err and returns r. */
int wh_identity_err(struct wh_err *err, int r, pid_t pid);

#define WH_BOOT_ID_SIZE 40
/* Empty where /proc has only processes (subset=pid) and `dir_fd` is on a file system in memory: what is stored there does not outlive the boot. -ENOENT on
 * others. */
int wh_proc_boot_id(int proc_fd, int dir_fd, char buf[WH_BOOT_ID_SIZE]);
/* 1: the boot that `id` is of is this one; 0: it is not; -ENOENT: /proc does not tell. */
int wh_proc_this_boot(int proc_fd, const char *id);

/* The pid, as our pid namespace numbers it, behind a pidfd; -ESRCH when it is gone, -EINVAL when fd is no pidfd. */
int wh_pidfd_pid(int proc_fd, int pidfd);
/* pidfd_open(2), then the identity is compared: fd, or -ESRCH when the process is gone or another one, or -EACCES when that cannot be seen. */
int wh_pidfd_open(int proc_fd, pid_t pid, const struct wh_identity *id);
int wh_pidfd_kill(int pidfd, int sig); /* 0 or -errno */
/* Waits until the process behind the pidfd has ended (whoever its parent is). ms < 0: for ever. 0, -ETIMEDOUT, -errno. */
int wh_pidfd_wait(int pidfd, int ms);

struct wh_exit {
    bool signalled;
    int value; /* exit status or signal */
};
/* How a process that has ended did, when it is nobody's child of ours: of a zombie /proc says it, of one that was reaped the pidfd does since Linux
 * 6.15. -ENODATA where neither knows. */
int wh_pidfd_exit(int proc_fd, int pidfd, pid_t pid, uint64_t start, struct wh_exit *ret);
/* Reaps a child that was killed or has ended, also one whose exit signal is not SIGCHLD (it never exec'd): __WALL. -ECHILD when another
 * thread did; after wh_waits.killed -ETIMEDOUT when it lives still, -EBUSY when it has ended and a process that traces it keeps it. */
int wh_pidfd_reap(int pidfd, struct wh_exit *ret);
/* The same until `end` (wh_now_ms), for several waits that have one bound together. */
int wh_pidfd_reap_until(int pidfd, int64_t end, struct wh_exit *ret);

/* True if the caller's process ignores the signal. Looks only: sigaction(2), which changes a whole process, is not the library's. */
bool wh_signal_ignored(int sig);

/* CLOCK_MONOTONIC, in milliseconds. */
int64_t wh_now_ms(void);

#endif
