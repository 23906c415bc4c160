/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_FORESEE_H
#define WH_HOST_FORESEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/plan.h"

/*
 * What this host would refuse of a container, asked before there is one. Nothing that is made outlives the call: a
 * context of a file system is closed before it has a file system, a network namespace ends with the process that
 * looked around in it. What waits for a file system is done by a process that is killed after wh_waits.file
 * (host/apart.h). -errno means everywhere: it cannot be told.
 */

/* 1: the kernel has this file system, or a module for it; 0: neither; -ENOENT: it could load modules, but the list of
 * them is not there to be read. No module is loaded. */
int wh_foresee_fstype(int proc_fd, const char *type);

/*
 * Gives the options of a MOUNT_FS step to a context of its file system. 1: it takes them, as far as it tells before
 * it is mounted; 0: it refuses one, which *ret_key is (in the plan), with the kernel's words in log (empty: it has
 * none).
 */
int wh_foresee_fsoptions(int proc_fd, const struct wh_plan *plan, const struct wh_step_mount_fs *s, int cancel_fd,
                         const char **ret_key, char *log, size_t size);

/* Which of these paths below /proc/sys are not there: bit i of *ret_missing for the i-th. new_netns: look in a new
 * network namespace, where that may be made, else in our own, which has more. */
#define WH_FORESEE_SYSCTLS 64
int wh_foresee_sysctls(int proc_fd, const char *const *paths, size_t n, bool new_netns, int cancel_fd,
                       uint64_t *ret_missing);

/* Lists of sysfs such as "0-3,7": the processors that are online, and the nodes with memory. Length or -errno. */
int wh_foresee_cpus(char *buf, size_t size);
int wh_foresee_mems(char *buf, size_t size);

/* Our own hard limit. */
int wh_foresee_rlimit(int resource, uint64_t *ret_hard);
/* fs.nr_open, which no RLIMIT_NOFILE exceeds. */
int wh_foresee_nr_open(int proc_fd, uint64_t *ret);

/* 1: our network namespace has the device; 0: it has not. */
int wh_foresee_netdev(const char *name);

enum wh_exec_kind {
    WH_EXEC_UNKNOWN, /* it cannot be read, or is of another kind */
    WH_EXEC_STATIC, /* ELF without a loader */
    WH_EXEC_LOADED, /* ELF with a loader, whose name is `runs` */
    WH_EXEC_SCRIPT, /* #!, `runs` is the interpreter */
    WH_EXEC_OTHER_MACHINE, /* ELF of another machine */
    WH_EXEC_NEITHER, /* neither ELF nor #!: the kernel says ENOEXEC */
};
struct wh_exec_head {
    enum wh_exec_kind kind;
    bool crlf; /* of a script: its first line ends in CR LF */
    char runs[256];
};
/* What the kernel will make of a program in the rootfs. Not what is registered with binfmt_misc: wh_foresee_binfmt() */
int wh_foresee_exec(int root_fd, const char *path, int cancel_fd, struct wh_exec_head *ret);
/* Whether formats are registered that this does not know, or may be: true where that is not seen without mounting. */
bool wh_foresee_binfmt(int proc_fd);

#endif
