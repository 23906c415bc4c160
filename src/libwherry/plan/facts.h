/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_FACTS_H
#define WH_PLAN_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "spec/spec.h"

/*
 * Everything that compile may know about the host: a value, probed once by host/facts.c, written by hand in tests.
 * Probed by behaviour; EPERM from a seccomp-filtered probe counts as absent.
 */
#define WH_FEAT_APPARMOR (1ull << 0)
#define WH_FEAT_SELINUX (1ull << 1)
#define WH_FEAT_KEYRINGS (1ull << 2)
#define WH_FEAT_SECCOMP (1ull << 3) /* kernel takes filters */
#define WH_FEAT_SECCOMP_NOTIFY (1ull << 4)
#define WH_FEAT_CGROUP_BPF (1ull << 5) /* BPF_CGROUP_DEVICE programs can be loaded */
#define WH_FEAT_CGROUP_WRITABLE (1ull << 6) /* we may make cgroups where cgroups_path leads */
#define WH_FEAT_SETGROUPS_DENIED                                                                                       \
    (1ull << 7) /* our own /proc/self/setgroups reads "deny": nested namespaces inherit it */
#define WH_FEAT_PROC_PIDNS (1ull << 8) /* procfs takes a pid namespace as an option: Linux 6.17 */

enum wh_cgroup_mode {
    WH_CGROUP_NONE, /* no cgroup2 mount at all */
    WH_CGROUP_UNIFIED, /* /sys/fs/cgroup is cgroup2 */
    WH_CGROUP_HYBRID, /* controllers on v1 hierarchies, cgroup2 mounted next to them */
};

/* One mounted v1 hierarchy of a hybrid host. */
struct wh_v1_hierarchy {
    const char *mountpoint; /* "/sys/fs/cgroup/cpu,cpuacct" */
    const char *controllers; /* "cpu,cpuacct" or "name=systemd" */
    const char *own; /* our path in it, from /proc/self/cgroup: "/" */
    bool closed; /* we may make no cgroups at its root: an ordinary user, a read-only mount */
};

struct wh_facts {
    uint64_t feat;
    uid_t euid;
    gid_t egid;
    uint32_t page_size; /* bytes; 0: the usual 4096 */
    uint8_t last_cap;
    uint64_t own_caps; /* our permitted set, bit per capability */
    uint8_t seccomp_api; /* libseccomp's API level; 0 without it */
    uint8_t cgroup_mode;
    bool in_userns; /* we are not in the initial user namespace */
    bool may_mknod;
    const char *cgroup2_mount; /* where cgroup2 is mounted; null if nowhere */
    const char *cgroup2_own; /* our own cgroup there, "/" or "/a/b" */
    const char *cgroup2_controllers; /* cgroup.controllers at the root of the mount, or of what is delegated to us */
    const char *cgroup2_delegated; /* where a cgroup without a path of its own goes; null: beside ours */
    const char *
        systemd_root; /* own cgroup of the systemd that makes units for us, "/" for PID 1's; null: none, or not asked */
    bool systemd_user; /* that is the user's, not PID 1 */
    bool mnt_foreign; /* our mount namespace is another user namespace's: we may clone none of its mounts */
    const struct wh_v1_hierarchy *v1;
    size_t nv1;
};

enum wh_verb { WH_VERB_CREATE, WH_VERB_RUN, WH_VERB_EXEC, WH_VERB_EXPLAIN };
enum wh_cgroup_manager { WH_CGM_CGROUPFS, WH_CGM_SYSTEMD, WH_CGM_DISABLED };
enum wh_rootless { WH_ROOTLESS_AUTO, WH_ROOTLESS_YES, WH_ROOTLESS_NO };
enum wh_ns_owner {
    WH_NSO_UNKNOWN,
    WH_NSO_HOST,
    WH_NSO_USER
}; /* of a joined namespace: host's userns, or the one we join */

/*
 * What the command line of an exec changes of the process that it starts from: that of the container (`args` then replace its
 * own), or, with --process, the one of that file (wh_spec.exec), and nothing here but `join` and the size counts. Null, 0 and false leave
 * it as it is.
 */
/* A hook of the container's namespaces: the process of an exec, in the place of the request's other words. */
struct wh_exec_hook {
    const char *path;
    const char *const *args, *const *env;
    size_t nargs, nenv;
    bool env_set;
    bool create; /* createContainer: before there is a root to enter; else startContainer */
};

struct wh_exec_request {
    const struct wh_exec_hook *hook; /* or null */
    const char *const *args, *const *env;
    size_t nargs, nenv;
    const char *cwd, *apparmor_profile, *selinux_label;
    bool terminal, no_new_privileges, set_uid, set_gid;
    uint32_t uid, gid;
    const uint32_t *gids; /* added */
    size_t ngids;
    uint64_t caps; /* added */
    uint32_t rows, cols; /* of the caller's terminal, where the process has no consoleSize */
    uint32_t join; /* CLONE_NEW*: namespaces of the container's init that are not ours already */
    bool created; /* the container is not started: its init is not the payload yet */
    bool by_fd; /* init has sent them, one descriptor each; else they are joined by its pidfd */
    uint32_t join_host; /* by_fd: those of `join` that our own user namespace owns */
};

#define WH_NOTIFY_DIR "/run/notify" /* runc's; in it notify.sock */

/* What the caller asked for, next to config.json; filled by api. */
struct wh_request {
    enum wh_verb verb;
    const char *id;
    const char *bundle; /* absolute */
    uint32_t preserve_fds; /* LISTEN_FDS + --preserve-fds */
    uint32_t listen_fds; /* of those, how many are announced as LISTEN_FDS */
    const char *listen_fdnames; /* the value of LISTEN_FDNAMES with it, or null */
    const char *notify_dir; /* on the host, for WH_NOTIFY_DIR; null: no readiness is waited for */
    bool own_tty; /* the terminal is served by this command, in the foreground */
    bool console_socket; /* a socket was given (or run in the foreground owns the terminal) */
    bool no_pivot, no_new_keyring;
    bool init; /* --init: wherry-init stays, the payload is its child */
    enum wh_cgroup_manager cgroup_manager;
    enum wh_rootless rootless; /* does without a cgroup that it may not make */
    int8_t ns_owner[WH_NS_MAX]; /* enum wh_ns_owner; host opened the paths and asked NS_GET_USERNS */
    /* The compiled seccomp filter (struct sock_filter[]), or null: see wh_seccomp_*. */
    const void *seccomp_bpf;
    size_t seccomp_bpf_len;
    const struct wh_exec_request *exec; /* WH_VERB_EXEC only */
    const char
        *seccomp_receiver; /* of the caller's environment: who gets the listener where the configuration names nobody */
    bool in_host_mntns; /* a mount namespace joined by path is ours, or that of process 1 */
    bool in_host_netns; /* a network namespace joined by path is the host's own */
};

#endif
