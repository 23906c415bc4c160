/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_SPAWN_H
#define WH_HOST_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * The one place that makes processes.
 *
 * The caller may be a daemon with a big heap and many threads. fork() would copy its page tables (44 ms for 1 GiB) and
 * leave the child with malloc locks that nobody releases; so the child shares our memory on a stack of its own, with
 * this thread suspended (CLONE_VM, and CLONE_VFORK or a futex), does nothing but a few system calls, and execs. The environment is never
 * inherited.
 *
 * execve(2) makes the exit signal SIGCHLD whatever clone was told, so a caller that reaps every child with waitpid(-1) may take
 * an exit status from us. It is then unknown, which is an error where it matters, and never another process's.
 */

#define WH_SPAWN_MAX_FDS 24

struct wh_spawn {
    const char *what; /* for messages: "wherry-init" */
    int exec_fd; /* program, by fd (execveat with an empty path) … */
    const char *path; /* … or, when exec_fd is -1, by absolute path */
    const char *const *argv; /* null-terminated, as is envp */
    const char *const *envp;
    /* fds 0-2 of the child: -1 = keep ours, WH_SPAWN_NULL = /dev/null. */
    int stdio[3];
    uint32_t keep; /* fds 3 .. 2+keep stay as they are, without close-on-exec */
    int fds[WH_SPAWN_MAX_FDS]; /* become 3+keep, 4+keep, …; everything else is closed */
    unsigned nfds;
    int cgroup_fd; /* directory in cgroup2 to be born in, or -1 */
    bool session; /* setsid: a hook leads a process group of its own, which a timeout can kill */
    bool reset_signals; /* default dispositions, nothing blocked (wherry-init does that by itself) */
    int cwd_fd; /* directory, or -1 */
    int cancel_fd; /* readable = give up: -ECANCELED; -1 = none */
    /* A mask for sched_setaffinity(2), set before the cgroup is entered: then it enters by itself, because clone3 would place it at once. */
    const void *cpus;
    size_t cpus_len; /* 0 = as ours */
};

#define WH_SPAWN_NULL (-2)

/* A spec with no fds, our stdio, no cgroup. */
void wh_spawn_init(struct wh_spawn *s, const char *what);

/* 0 and *ret_pidfd (O_CLOEXEC, the caller's; reap with wh_pidfd_reap), or -errno with nothing left behind. -ETIMEDOUT when its cgroup is
 * frozen, or its file system does not answer. *ret_pid
 * may be null. */
int wh_spawn(const struct wh_spawn *s, int *ret_pidfd, pid_t *ret_pid, struct wh_err *err);

/* The program of that name in the directories of `path` (the value of PATH, or null), as an fd: what was found is what is executed. -ENOENT. */
int wh_spawn_find(const char *path, const char *tool, int cancel_fd);

/* A process that sleeps in a new user namespace, so that its maps can be written and the namespace be opened. */
struct wh_holder {
    pid_t pid;
    int pidfd;
    void *stack;
};
/* 0, or -errno with nothing left behind. It dies with this thread at the latest; wh_holder_done() kills and reaps it. */
int wh_spawn_holder(struct wh_holder *ret, struct wh_err *err);
void wh_holder_done(struct wh_holder *h);

#endif
