/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/cgroup/internal.h"
#include "host/facts.h"
#include "host/idmap.h"
#include "host/image.h"
#include "host/proc.h"
#include "host/spawn.h"
#include "host/state.h"
#include "host/subid.h"
#include "plan/compile.h"

/* Whom an ordinary user's rights are tried as when root asks: nobody. */
#define NOBODY 65534

const struct wh_probe_info wh_probe_infos[WH_PROBE_MAX] = {
#define PROBE(NAME, id, title, root, user) [WH_PROBE_##NAME] = { id, title, { root, user } },
#include "host/doctor.def"
#undef PROBE
};

bool wh_probe_needed(const struct wh_doctor *d, enum wh_probe p)
{
    /* Whoever is root of a user namespace runs containers that have none of their own. */
    if (d->rootless && d->facts.in_userns && d->uid == 0 && (p == WH_PROBE_USERNS || p == WH_PROBE_OWN_ID))
        return false;
    return wh_probe_infos[p].needed[d->rootless];
}

/* ---------------------------------------------------------------- results */

static void set(struct wh_doctor *d, enum wh_probe p, enum wh_probe_status status, const char *fmt, ...)
    WH_PRINTF(4, 5);
static void set(struct wh_doctor *d, enum wh_probe p, enum wh_probe_status status, const char *fmt, ...)
{
    va_list ap;

    d->r[p].status = status;
    va_start(ap, fmt);
    vsnprintf(d->r[p].detail, sizeof d->r[p].detail, fmt, ap);
    va_end(ap);
}

static void fix(struct wh_doctor *d, enum wh_probe p, const char *fmt, ...) WH_PRINTF(3, 4);
static void fix(struct wh_doctor *d, enum wh_probe p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(d->r[p].fix, sizeof d->r[p].fix, fmt, ap);
    va_end(ap);
}

/* 0 is good; else what failed, and why. */
static bool outcome(struct wh_doctor *d, enum wh_probe p, const char *what, int r)
{
    char words[64];

    if (r >= 0)
        set(d, p, WH_PROBE_OK, "%s", "");
    else
        set(d, p, WH_PROBE_LACK, "%s%s%s", what, *what ? ": " : "", wh_errno_words(-r, words));
    return r >= 0;
}

/* ---------------------------------------------------------------- the kernel */

static bool sysctl_is(const char *path, const char *value)
{
    char text[32];
    ssize_t n = wh_read_at(AT_FDCWD, path, text, sizeof text - 1);

    if (n <= 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    return wh_streq(text, value);
}

static void kernel(struct wh_doctor *d)
{
    static const struct {
        const char *name;
        long nr;
    } calls[] = {
        { "openat2", SYS_openat2 },   { "close_range", SYS_close_range },   { "mount_setattr", SYS_mount_setattr },
        { "fsopen", SYS_fsopen },     { "move_mount", SYS_move_mount },     { "pidfd_getfd", SYS_pidfd_getfd },
        { "execveat", SYS_execveat }, { "memfd_create", SYS_memfd_create },
    };

    set(d, WH_PROBE_KERNEL, WH_PROBE_OK, "Linux %s", d->kernel);
    for (size_t i = 0; i < WH_ELEMENTSOF(calls); i++)
        /* Descriptors, addresses and flags that none of them takes. */
        if (syscall(calls[i].nr, -1L, -1L, -1L, -1L, 0L) < 0 && errno == ENOSYS) {
            set(d, WH_PROBE_KERNEL, WH_PROBE_LACK, "Linux %s, and %s is not there: function not implemented", d->kernel,
                calls[i].name);
            fix(d, WH_PROBE_KERNEL, "boot Linux 5.14 or later, or let the sandbox around this allow %s", calls[i].name);
            return;
        }
}

/* The lowest directory on the way to the path that is there: an fd, or -errno. */
static int nearest_dir(const char *path, char *buf, size_t size)
{
    char *slash;
    int fd;

    if (snprintf(buf, size, "%s", path) >= (int)size)
        return -ENAMETOOLONG;
    while ((fd = openat(AT_FDCWD, *buf ? buf : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 && errno == ENOENT &&
           (slash = strrchr(buf, '/')) != NULL)
        *slash = '\0';
    return fd < 0 ? -errno : fd;
}

/* A file that never has a name, so that nobody sees it. Where the file system has none of those, what the mode says must do. */
static bool may_write(int dir)
{
    WH_CLEANUP_FD int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    return fd >= 0 || ((errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT) &&
                       faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) == 0);
}

static void state_root(struct wh_doctor *d)
{
    struct wh_err err = { 0 };
    WH_CLEANUP_FD int fd = wh_store_root(d->root, false, &err), dir = -1;
    char path[4096], name[64];

    if (fd >= 0 || fd == -ENOENT) {
        dir = fd >= 0 ? -1 : nearest_dir(d->root, path, sizeof path);
        if ((fd >= 0 || dir >= 0) && may_write(fd >= 0 ? fd : dir)) {
            set(d, WH_PROBE_STATE_ROOT, WH_PROBE_OK, "%s%s", d->root, fd >= 0 ? "" : ", which can be made");
            return;
        }
        wh_err_sys(&err, -errno, "write to %s", fd >= 0 ? d->root : *path ? path : "/");
    }
    set(d, WH_PROBE_STATE_ROOT, WH_PROBE_LACK, "%s", err.msg);
    wh_user_name(d->uid, name, sizeof name);
    if (d->rootless)
        fix(d, WH_PROBE_STATE_ROOT, "export XDG_RUNTIME_DIR=/run/user/%u   (root makes it: loginctl enable-linger %s)",
            d->uid, name);
    else
        fix(d, WH_PROBE_STATE_ROOT, "mount -t tmpfs -o mode=755 tmpfs /run   (or give another directory with --root)");
}

static void helper(struct wh_doctor *d)
{
    static const char *const argv[] = { "wherry:[doctor]", "3", NULL }, *const envp[] = { NULL };
    struct wh_err err = { 0 };
    char path[4096];
    /* Where memfds may not be executed, a file without a name in the state root is. */
    WH_CLEANUP_FD int image = -1, pidfd = -1, root = nearest_dir(d->root, path, sizeof path);
    struct wh_spawn s;
    int r;

    image = wh_image_open(root, &err);
    r = image;
    if (image >= 0) {
        wh_spawn_init(&s, "wherry-init");
        s.exec_fd = image;
        s.argv = argv;
        s.envp = envp;
        for (int i = 0; i < 3; i++)
            s.stdio[i] = WH_SPAWN_NULL;
        /* It finds no plan and ends; that it began is what is asked. */
        r = wh_spawn(&s, &pidfd, NULL, &err);
    }
    if (r >= 0) {
        wh_pidfd_reap(pidfd, NULL);
        set(d, WH_PROBE_HELPER, WH_PROBE_OK, "%s", "");
        return;
    }
    set(d, WH_PROBE_HELPER, WH_PROBE_LACK, "%s", err.msg);
    if (sysctl_is("/proc/sys/vm/memfd_noexec", "2"))
        fix(d, WH_PROBE_HELPER, "sysctl -w vm.memfd_noexec=1");
    else
        fix(d, WH_PROBE_HELPER, "dmesg | tail   (a security module or a limit is in the way, and may say which)");
}

static void pidfd(struct wh_doctor *d)
{
    WH_CLEANUP_FD int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int r = fd < 0 ? -errno : wh_pidfd_kill(fd, 0);

    if (!outcome(d, WH_PROBE_PIDFD, fd < 0 ? "pidfd_open" : "pidfd_send_signal", r))
        fix(d, WH_PROBE_PIDFD, "let the sandbox around this allow pidfd_open and pidfd_send_signal");
}

/* ---------------------------------------------------------------- what was tried in namespaces */

/* The switches that distributions have put in front of user namespaces. */
static void fix_userns(struct wh_doctor *d, enum wh_probe p, int err)
{
    if (sysctl_is("/proc/sys/user/max_user_namespaces", "0"))
        fix(d, p, "sysctl -w user.max_user_namespaces=15000");
    else if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
        fix(d, p, "sysctl -w kernel.unprivileged_userns_clone=1");
    else if (sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
        fix(d, p, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
    else if (err == EINVAL || err == ENOSYS)
        fix(d, p, "boot a kernel with CONFIG_USER_NS=y");
    else if (err == ENOSPC || err == EUSERS)
        fix(d, p, "sysctl -w user.max_user_namespaces=15000   (or there are too many levels of them)");
    else
        fix(d, p, "let the sandbox around this allow unshare and clone: --security-opt seccomp=unconfined");
}

static const char *fix_trial(enum wh_probe p, bool user, int err)
{
    switch (p) {
    case WH_PROBE_NAMESPACES:
        return err == ENOSPC  ? "sysctl -w user.max_net_namespaces=15000 user.max_mnt_namespaces=15000"
               : err == EPERM ? "run it as root, or with --rootless"
                              : "boot a kernel with CONFIG_NAMESPACES=y, CONFIG_NET_NS=y and CONFIG_CGROUPS=y";
    case WH_PROBE_TIME_NAMESPACE:
        return err == EPERM ? "run it as root, or with --rootless" : "boot a kernel with CONFIG_TIME_NS=y";
    case WH_PROBE_PROC_MOUNT:
        return "unmount what covers parts of /proc: grep ' /proc/' /proc/self/mountinfo   (or run where nothing does: "
               "--security-opt unmask=ALL)";
    case WH_PROBE_SYSFS:
        return "unmount what covers parts of /sys: grep ' /sys/' /proc/self/mountinfo   (or bind /sys)";
    case WH_PROBE_OVERLAY:
        return err == ENODEV ? "modprobe overlay"
               : user        ? "boot Linux 5.11 or later, or use fuse-overlayfs"
                             : "boot a kernel with CONFIG_OVERLAY_FS=y";
    case WH_PROBE_MQUEUE:
        return "boot a kernel with CONFIG_POSIX_MQUEUE=y";
    case WH_PROBE_SECCOMP:
    case WH_PROBE_SECCOMP_NOTIFY:
        return err == EBUSY ? "leave the container whose filter has a listener already"
                            : "boot a kernel with CONFIG_SECCOMP_FILTER=y";
    case WH_PROBE_KEYRING:
        return err == EDQUOT ? "sysctl -w kernel.keys.maxkeys=2000"
                             : "let the sandbox around this allow keyctl, or run with --no-new-keyring";
    default:
        return "let the sandbox around this allow the mount system calls: --security-opt seccomp=unconfined";
    }
}

static int trials(struct wh_doctor *d, struct wh_err *err)
{
    static const enum wh_probe tried[] = {
        WH_PROBE_USERNS,  WH_PROBE_OWN_ID,  WH_PROBE_NAMESPACES,     WH_PROBE_TIME_NAMESPACE, WH_PROBE_TMPFS,
        WH_PROBE_BIND,    WH_PROBE_SYSFS,   WH_PROBE_DEVPTS,         WH_PROBE_MQUEUE,         WH_PROBE_PROC_MOUNT,
        WH_PROBE_OVERLAY, WH_PROBE_SECCOMP, WH_PROBE_SECCOMP_NOTIFY, WH_PROBE_KEYRING,
    };
    struct wh_trial t[WH_PROBE_MAX] = { 0 }, second[WH_PROBE_MAX] = { 0 };
    bool user = d->uid != 0, ended = false, also = true;
    int r = wh_trials_run(user, d->uid, user && d->uid != geteuid() ? NOBODY : getegid(), t, &ended, err);

    /* For root it is a thing of its own, and not what the others are tried in. */
    if (r == 0 && !user) {
        r = wh_trials_run(true, d->uid, getegid(), second, &also, err);
        t[WH_PROBE_USERNS] = second[WH_PROBE_USERNS];
        t[WH_PROBE_OWN_ID] = second[WH_PROBE_OWN_ID];
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < WH_ELEMENTSOF(tried); i++) {
        enum wh_probe p = tried[i];

        /* It was killed while it tried the first of these, and the verdict must not be that all is well. */
        if (!t[p].tried && !ended && wh_probe_needed(d, p)) {
            set(d, p, WH_PROBE_LACK, "the process that was to try it was killed, or did not end");
            fix(d, p, "let the sandbox around this allow what containers do: --security-opt seccomp=unconfined");
            continue;
        }
        if (!t[p].tried) {
            set(d, p, WH_PROBE_SKIPPED, "not tried: what it needs failed");
            continue;
        }
        if (outcome(d, p, t[p].what, -t[p].err))
            continue;
        /* With the restriction of AppArmor the namespace is there, and has no rights. */
        if (p == WH_PROBE_USERNS || p == WH_PROBE_OWN_ID ||
            (user && p == WH_PROBE_NAMESPACES && (t[p].err == EPERM || t[p].err == EACCES)))
            fix_userns(d, p, t[p].err);
        else
            fix(d, p, "%s", fix_trial(p, user, t[p].err));
    }
    return 0;
}

/* ---------------------------------------------------------------- ids */

static void subids(struct wh_doctor *d, int proc_fd)
{
    struct wh_subid_range uids, gids;
    struct wh_err err = { 0 };
    char name[64], umap[96], gmap[96];
    WH_CLEANUP_FD int fd = -1;
    unsigned long long first;
    int have[2];

    wh_user_name(d->uid, name, sizeof name);
    have[0] = wh_subid_biggest(false, d->uid, name, &uids);
    have[1] = wh_subid_biggest(true, d->uid, name, &gids);
    if (have[0] <= 0 || have[1] <= 0) {
        const char *file = have[0] <= 0 ? "/etc/subuid" : "/etc/subgid";

        set(d, WH_PROBE_SUBIDS, WH_PROBE_LACK, "%s has no line for %s: a container has one id, the user's own", file,
            name);
        first = wh_subid_free();
        fix(d, WH_PROBE_SUBIDS, "usermod --add-subuids %llu-%llu --add-subgids %llu-%llu %s", first, first + 65535,
            first, first + 65535, name);
        return;
    }
    snprintf(umap, sizeof umap, "0 %u 1\n1 %llu %llu", d->uid, (unsigned long long)uids.first,
             (unsigned long long)uids.count);
    snprintf(gmap, sizeof gmap, "0 %u 1\n1 %llu %llu", getegid(), (unsigned long long)gids.first,
             (unsigned long long)gids.count);
    fd = wh_idmap_userns(proc_fd, d->path, umap, gmap, -1, &err);
    if (fd >= 0) {
        set(d, WH_PROBE_SUBIDS, WH_PROBE_OK, "%llu uids from %llu, %llu gids from %llu", (unsigned long long)uids.count,
            (unsigned long long)uids.first, (unsigned long long)gids.count, (unsigned long long)gids.first);
        return;
    }
    set(d, WH_PROBE_SUBIDS, WH_PROBE_LACK, "%s", err.msg);
    if (strstr(err.msg, "uidmap)"))
        fix(d, WH_PROBE_SUBIDS, "apt install uidmap   (elsewhere: shadow-utils, shadow)");
    else if (strstr(err.msg, "set-uid"))
        fix(d, WH_PROBE_SUBIDS, "chmod u+s \"$(command -v newuidmap)\" \"$(command -v newgidmap)\"");
    else
        fix(d, WH_PROBE_SUBIDS, "see newuidmap(1) and subuid(5); no_new_privs must not be set");
}

/* A detached clone of the file system, with the owners of its files shifted. */
static int shift(int userns_fd, const char *path)
{
    struct wh_mount_attr a = { .attr_set = WH_MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns_fd };
    WH_CLEANUP_FD int mnt = -1;

    mnt = (int)syscall(SYS_open_tree, AT_FDCWD, path, WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC);
    return mnt < 0 || syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH, &a, sizeof a) < 0 ? -errno : 0;
}

static void idmapped(struct wh_doctor *d, int proc_fd)
{
    WH_CLEANUP_FD int ns = -1;
    struct wh_err err = { 0 };
    int r;

    if (d->rootless) {
        set(d, WH_PROBE_IDMAPPED, WH_PROBE_SKIPPED, "for root only: it needs rights over the file system");
        return;
    }
    ns = wh_idmap_userns(proc_fd, d->path, "0 100000 65536", "0 100000 65536", -1, &err);
    if (ns < 0) {
        set(d, WH_PROBE_IDMAPPED, WH_PROBE_SKIPPED, "not tried: %s", err.msg);
        return;
    }
    r = shift(ns, "/");
    if (outcome(d, WH_PROBE_IDMAPPED, "of /", r < 0 ? r : 0))
        return;
    fix(d, WH_PROBE_IDMAPPED,
        r == -EINVAL ? "keep images on ext4, xfs, btrfs or tmpfs: the file system of / cannot"
                     : "run it as root of the host");
}

/* ---------------------------------------------------------------- cgroups */

static const char *where_cgroup(struct wh_doctor *d, struct wh_arena *arena)
{
    const struct wh_facts *f = &d->facts;
    const char *own = wh_compile_clean_path(arena, "", f->cgroup2_own ? f->cgroup2_own : "/");

    return f->cgroup2_delegated ? f->cgroup2_delegated : own ? wh_compile_clean_path(arena, own, "..") : NULL;
}

/* In the directory: what create, kill and delete do. */
static int use_cgroup(struct wh_doctor *d, int fd, const char **ret_what)
{
    /* r0 = 1; exit: everything is allowed. */
    static const struct bpf_insn allow[] = { { .code = 0xb7, .imm = 1 }, { .code = 0x95 } };
    WH_CLEANUP_FD int prog = -1;
    struct wh_err err = { 0 };
    int r = wh_write_at(fd, "cgroup.kill", "1");

    *ret_what = "cgroup.kill";
    if (r < 0)
        return r;
    if (d->rootless) {
        return 0;
    }
    prog = wh_cg_load_devices(allow, sizeof allow, &err);
    r = prog < 0 ? prog : wh_cg_attach_devices(fd, prog, true, &err);
    if (r < 0) {
        set(d, WH_PROBE_DEVICES, WH_PROBE_LACK, "%s", err.msg);
        fix(d, WH_PROBE_DEVICES, "boot a kernel with CONFIG_CGROUP_BPF=y, or allow the bpf system call around this");
    } else
        set(d, WH_PROBE_DEVICES, WH_PROBE_OK, "%s", "");
    return 0;
}

static void cgroup(struct wh_doctor *d, struct wh_arena *arena)
{
    const char *parent = where_cgroup(d, arena), *what = "mkdir", *rel;
    WH_CLEANUP_FD int mount_fd = -1, fd = -1;
    char name[64];
    int r;

    set(d, WH_PROBE_DEVICES, WH_PROBE_SKIPPED,
        d->rootless ? "for root only: the nodes in an ordinary user's container are the host's"
                    : "not tried: what it needs failed");
    if (!d->facts.cgroup2_mount) {
        set(d, WH_PROBE_CGROUP, WH_PROBE_LACK, "no cgroup2 hierarchy is mounted");
        fix(d, WH_PROBE_CGROUP, "mount -t cgroup2 none /sys/fs/cgroup");
        return;
    }
    if (d->rootless && !(d->facts.feat & WH_FEAT_CGROUP_WRITABLE)) {
        set(d, WH_PROBE_CGROUP, WH_PROBE_LACK,
            "no cgroup is delegated to this user: containers run without one, and cannot be limited");
        wh_user_name(d->uid, name, sizeof name);
        if (faccessat(AT_FDCWD, "/run/systemd/system", F_OK, AT_EACCESS) == 0)
            fix(d, WH_PROBE_CGROUP, "systemd-run --user --scope -p Delegate=yes $SHELL");
        else
            fix(d, WH_PROBE_CGROUP,
                "mkdir -p %s/%s/sh && chown -R %s %s/%s && echo $$ >%s/%s/sh/cgroup.procs   (as root, then su)",
                d->facts.cgroup2_mount, name, name, d->facts.cgroup2_mount, name, d->facts.cgroup2_mount, name);
        return;
    }
    rel = parent ? wh_arena_printf(arena, "%s/wherry-doctor-%d", parent, (int)getpid()) : NULL;
    mount_fd = openat(AT_FDCWD, d->facts.cgroup2_mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!rel || mount_fd < 0) {
        outcome(d, WH_PROBE_CGROUP, "open the hierarchy", rel ? -errno : -ENOMEM);
        fix(d, WH_PROBE_CGROUP, "ls -ld %s", d->facts.cgroup2_mount);
        return;
    }
    rel += strspn(rel, "/");
    r = mkdirat(mount_fd, rel, 0700) < 0 ? -errno : 0;
    if (r == 0) {
        fd = openat(mount_fd, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = fd < 0 ? -errno : use_cgroup(d, fd, &what);
        if (unlinkat(mount_fd, rel, AT_REMOVEDIR) < 0 && r == 0) {
            r = -errno;
            what = "rmdir";
        }
    }
    if (outcome(d, WH_PROBE_CGROUP, what, r)) {
        set(d, WH_PROBE_CGROUP, WH_PROBE_OK, "in %s%s", d->facts.cgroup2_mount, parent);
        return;
    }
    if (r == -EROFS)
        fix(d, WH_PROBE_CGROUP, "mount -o remount,rw %s", d->facts.cgroup2_mount);
    else if (r == -ENOENT)
        fix(d, WH_PROBE_CGROUP, "boot Linux 5.14 or later");
    else
        fix(d, WH_PROBE_CGROUP, "run it with rights over %s", d->facts.cgroup2_mount);
}

static void controllers(struct wh_doctor *d, struct wh_arena *arena)
{
    static const char *const wanted[] = { "cpu", "cpuset", "io", "memory", "pids" };
    const struct wh_facts *f = &d->facts;
    WH_CLEANUP_BUF struct wh_buf have = { 0 }, lack = { 0 };

    (void)arena;
    if (d->rootless && !(f->feat & WH_FEAT_CGROUP_WRITABLE)) {
        set(d, WH_PROBE_CONTROLLERS, WH_PROBE_SKIPPED, "not tried: no cgroup is delegated");
        return;
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(wanted); i++) {
        bool on = wh_compile_has_word(f->cgroup2_controllers, wanted[i]);

        for (size_t k = 0; k < f->nv1 && !on && !d->rootless; k++)
            on = wh_compile_has_word(f->v1[k].controllers, wh_streq(wanted[i], "io") ? "blkio" : wanted[i]);
        wh_buf_printf(on ? &have : &lack, "%s%s", (on ? have : lack).len ? " " : "", wanted[i]);
    }
    if (!lack.len) {
        set(d, WH_PROBE_CONTROLLERS, WH_PROBE_OK, "%s", have.data);
        return;
    }
    set(d, WH_PROBE_CONTROLLERS, WH_PROBE_LACK, "%s%slacking: %s", have.len ? have.data : "", have.len ? "; " : "",
        lack.data);
    if (d->rootless)
        fix(d, WH_PROBE_CONTROLLERS,
            "systemctl edit user@.service, there: [Service] Delegate=cpu cpuset io memory pids");
    else
        fix(d, WH_PROBE_CONTROLLERS, "boot without cgroup_disable=, and with systemd.unified_cgroup_hierarchy=1");
}

/* ---------------------------------------------------------------- security modules */

static void modules(struct wh_doctor *d)
{
    const struct {
        enum wh_probe p;
        uint64_t bit;
        const char *boot;
    } m[] = { { WH_PROBE_APPARMOR, WH_FEAT_APPARMOR, "boot with lsm=...,apparmor (CONFIG_SECURITY_APPARMOR=y)" },
              { WH_PROBE_SELINUX, WH_FEAT_SELINUX, "boot with lsm=...,selinux (CONFIG_SECURITY_SELINUX=y)" } };

    for (size_t i = 0; i < WH_ELEMENTSOF(m); i++) {
        if (d->facts.feat & m[i].bit) {
            set(d, m[i].p, WH_PROBE_OK, "%s", "");
            continue;
        }
        set(d, m[i].p, WH_PROBE_LACK, "not active on this host");
        fix(d, m[i].p, "%s", m[i].boot);
    }
}

int wh_doctor_run(struct wh_doctor *d, struct wh_arena *arena, struct wh_err *err)
{
    struct wh_err probe = { 0 };
    WH_CLEANUP_FD int proc_fd = -1;
    struct utsname uts;
    bool other;
    int r;

    if (uname(&uts) < 0)
        return wh_err_sys(err, -errno, "uname");
    snprintf(d->kernel, sizeof d->kernel, "%s", uts.release);
    d->uid = geteuid();
    proc_fd = wh_proc_open(&probe);
    kernel(d);
    if (proc_fd < 0) {
        /* Nothing else can be told without it. */
        set(d, WH_PROBE_PROC, WH_PROBE_LACK, "%s", probe.msg);
        fix(d, WH_PROBE_PROC, "mount -t proc proc /proc");
        return 0;
    }
    set(d, WH_PROBE_PROC, WH_PROBE_OK, "%s", "");
    r = wh_facts_probe(proc_fd, WH_FACTS_LSM | WH_FACTS_SECCOMP, arena, &d->facts, err);
    if (r < 0)
        return r;
    d->rootless = d->rootless || d->uid != 0 || d->facts.in_userns;
    other = d->rootless && d->uid == 0 && !d->facts.in_userns;
    if (d->rootless)
        wh_facts_delegation(NULL, arena, &d->facts);
    state_root(d);
    helper(d);
    pidfd(d);
    if (other) {
        /* Root asks what others can have: what depends on who they are must be asked by them. */
        d->uid = NOBODY;
        set(d, WH_PROBE_STATE_ROOT, WH_PROBE_SKIPPED, "depends on the user: let the user run wherry doctor");
    }
    r = trials(d, err);
    if (r < 0)
        return r;
    if (other) {
        static const enum wh_probe theirs[] = { WH_PROBE_SUBIDS, WH_PROBE_CGROUP, WH_PROBE_CONTROLLERS,
                                                WH_PROBE_DEVICES };

        for (size_t i = 0; i < WH_ELEMENTSOF(theirs); i++)
            set(d, theirs[i], WH_PROBE_SKIPPED, "depends on the user: let the user run wherry doctor");
    } else {
        if (d->uid == 0)
            set(d, WH_PROBE_SUBIDS, WH_PROBE_SKIPPED, "root maps without them, as far as its own ids reach");
        else
            subids(d, proc_fd);
        cgroup(d, arena);
        controllers(d, arena);
    }
    idmapped(d, proc_fd);
    modules(d);
    return 0;
}
