/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "host/proc.h"

#ifndef SECCOMP_RET_USER_NOTIF
#define SECCOMP_RET_USER_NOTIF 0x7fc00000U
#endif

/* Inode of the initial user namespace (PROC_USER_INIT_INO); fixed in the kernel's ABI since namespaces have inodes. */
#define INIT_USER_INO 0xEFFFFFFDu

#define V1_MAX 16
#define CAP(c) (1ull << (c))

/* 64 KiB is a thousand mounts. Hybrid hosts alone are asked. */
#define MOUNTINFO_MAX (4u << 20)

static int permitted_caps(uint64_t *ret)
{
    struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct d[2] = { { 0 } };

    if (syscall(SYS_capget, &h, d) < 0)
        return -errno;
    *ret = (uint64_t)d[1].permitted << 32 | d[0].permitted;
    return 0;
}

/* 1 the kernel has it, 0 it does not. Nothing but EINVAL says so: one that is overlooked would not be dropped. */
static int has_cap(int cap)
{
    return prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0 ? 1 : errno == EINVAL ? 0 : -errno;
}

static int last_cap(uint8_t *ret)
{
    int cap = CAP_LAST_CAP, r = 1;

    while (cap > 0 && (r = has_cap(cap)) == 0)
        cap--;
    while (cap < 63 && r == 1 && (r = has_cap(cap + 1)) == 1)
        cap++;
    *ret = (uint8_t)cap;
    return r < 0 ? r : 0;
}

static bool exists(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0;
}

/* A context for a procfs of our own pid namespace, which is never made. */
static bool takes_pidns(int proc_fd)
{
    WH_CLEANUP_FD int fs = (int)syscall(SYS_fsopen, "proc", WH_FSOPEN_CLOEXEC);
    WH_CLEANUP_FD int ns = openat(proc_fd, "self/ns/pid", O_RDONLY | O_CLOEXEC);

    return fs >= 0 && ns >= 0 && syscall(SYS_fsconfig, fs, WH_FSCONFIG_SET_FD, "pidns", NULL, ns) == 0;
}

static void probe_kernel(int proc_fd, unsigned want, struct wh_facts *f)
{
    const uint32_t notif = SECCOMP_RET_USER_NOTIF, kill = SECCOMP_RET_KILL_PROCESS;
    union bpf_attr attr;
    char deny[8];

    if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0 || errno != ENOSYS)
        f->feat |= WH_FEAT_KEYRINGS;
    if (want & WH_FACTS_SECCOMP) {
        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) == 0)
            f->feat |= WH_FEAT_SECCOMP;
        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &notif) == 0)
            f->feat |= WH_FEAT_SECCOMP_NOTIFY;
    }
    if (want & WH_FACTS_PROC_PIDNS && takes_pidns(proc_fd))
        f->feat |= WH_FEAT_PROC_PIDNS;
    if (want & WH_FACTS_LSM) {
        char on[4];

        /* The module's own word: securityfs may not be mounted here, and the files in /proc are there when it is off. */
        if (wh_read_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", on, sizeof on - 1) > 0 && on[0] == 'Y')
            f->feat |= WH_FEAT_APPARMOR;
        if (exists("/sys/fs/selinux/enforce"))
            f->feat |= WH_FEAT_SELINUX;
    }
    /* A program of no instructions: EINVAL or E2BIG from a kernel that would look at one, EPERM or ENOSYS otherwise. */
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    if (!f->in_userns && !(want & WH_FACTS_NO_CGROUP) && syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr) < 0 &&
        errno != EPERM && errno != ENOSYS && errno != EACCES)
        f->feat |= WH_FEAT_CGROUP_BPF;
    if (f->in_userns && wh_read_at(proc_fd, "self/setgroups", deny, sizeof deny - 1) > 0 && wh_startswith(deny, "deny"))
        f->feat |= WH_FEAT_SETGROUPS_DENIED;
}

/* The path of one line of /proc/self/cgroup: "0::/a/b", "4:cpu,cpuacct:/a". */
static const char *own_cgroup(const char *text, const char *controllers, struct wh_arena *arena)
{
    size_t len = strlen(controllers);

    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n'), *c = strchr(line, ':');

        if (c && strncmp(c + 1, controllers, len) == 0 && c[1 + len] == ':') {
            const char *path = c + 2 + len;

            return wh_arena_strndup(arena, path, end ? (size_t)(end - path) : strlen(path));
        }
        line = end ? end + 1 : NULL;
    }
    return NULL;
}

static char *unescape(struct wh_arena *arena, const char *s, size_t len)
{
    char *r = wh_arena_strndup(arena, s, len);

    if (r)
        wh_unescape_octal(r);
    return r;
}

/* "rw,cpu,cpuacct" has "cpu,cpuacct". */
static bool among(const char *options, const char *words, size_t len)
{
    for (const char *p = options; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, words, len) == 0 && (p[len] == ',' || p[len] == '\0'))
            return true;
    }
    return false;
}

/* One line of mountinfo (proc(5)): "36 35 98:0 /root /mount opts … - type source superopts". */
static void mount_line(char *line, const char *own, struct wh_v1_hierarchy *v1, struct wh_facts *f,
                       struct wh_arena *arena)
{
    char *dash = strstr(line, " - "), *field[6], *p = line, *save, *type, *super;

    if (!dash)
        return;
    *dash = '\0';
    for (int i = 0; i < 5; i++) {
        field[i] = p;
        p = strchr(p, ' ');
        if (!p)
            return;
        *p++ = '\0';
    }
    type = strtok_r(dash + 3, " ", &save);
    super = strtok_r(NULL, " ", &save) ? strtok_r(NULL, " ", &save) : NULL;
    if (!type || !super)
        return;
    if (wh_streq(type, "cgroup2") && !f->cgroup2_mount && wh_streq(field[3], "/"))
        f->cgroup2_mount = unescape(arena, field[4], strlen(field[4]));
    if (!wh_streq(type, "cgroup") || f->nv1 == V1_MAX)
        return;
    /* The controllers stand among the options of the superblock, written as in /proc/self/cgroup. */
    for (const char *l = own; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL) {
        const char *names = strchr(l, ':'), *end = names ? strchr(++names, ':') : NULL;

        if (end && end > names && among(super, names, (size_t)(end - names))) {
            struct wh_v1_hierarchy *h = &v1[f->nv1++];

            h->mountpoint = unescape(arena, field[4], strlen(field[4]));
            h->controllers = wh_arena_strndup(arena, names, (size_t)(end - names));
            h->own = h->controllers ? own_cgroup(own, h->controllers, arena) : NULL;
            h->closed = !h->mountpoint || faccessat(AT_FDCWD, h->mountpoint, W_OK | X_OK, AT_EACCESS) < 0;
            return;
        }
    }
}

static int probe_hybrid(int proc_fd, const char *own, struct wh_facts *f, struct wh_arena *arena, struct wh_err *err)
{
    struct wh_v1_hierarchy *v1 = wh_arena_new_array(arena, struct wh_v1_hierarchy, V1_MAX);
    WH_CLEANUP_FD int fd = openat(proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    WH_UNINITIALIZED char chunk[8192];
    char *save = NULL;
    ssize_t n;

    if (fd < 0 || !v1)
        return wh_err_sys(err, fd < 0 ? -errno : -ENOMEM, "read /proc/self/mountinfo");
    while ((n = read(fd, chunk, sizeof chunk)) > 0 && text.len < MOUNTINFO_MAX)
        wh_buf_add(&text, chunk, (size_t)n);
    if (n < 0 || text.failed)
        return wh_err_sys(err, n < 0 ? -errno : -ENOMEM, "read /proc/self/mountinfo");
    /* No mount at all is an empty file: in a chroot none of them can be reached. */
    for (char *line = text.data ? strtok_r(text.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
        mount_line(line, own, v1, f, arena);
    f->v1 = v1;
    f->cgroup_mode = f->cgroup2_mount ? (f->nv1 ? WH_CGROUP_HYBRID : WH_CGROUP_UNIFIED) : WH_CGROUP_NONE;
    return 0;
}

static int probe_cgroups(int proc_fd, struct wh_facts *f, struct wh_arena *arena, struct wh_err *err)
{
    WH_CLEANUP_FD int dir = openat(AT_FDCWD, "/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
    WH_UNINITIALIZED char own[16384];
    char controllers[512];
    struct statfs sfs;
    ssize_t n;

    n = wh_read_at(proc_fd, "self/cgroup", own, sizeof own - 1);
    if (n < 0 && n != -ENOENT)
        return wh_err_sys(err, (int)n, "read /proc/self/cgroup");
    if (n < 0)
        own[0] = '\0'; /* a kernel without cgroups */
    if (dir >= 0 && fstatfs(dir, &sfs) == 0 && sfs.f_type == WH_CGROUP2_MAGIC) {
        f->cgroup_mode = WH_CGROUP_UNIFIED;
        f->cgroup2_mount = "/sys/fs/cgroup";
    } else {
        int r = probe_hybrid(proc_fd, own, f, arena, err);

        if (r < 0)
            return r;
        if (!f->cgroup2_mount)
            return 0;
        wh_closep(&dir);
        dir = openat(AT_FDCWD, f->cgroup2_mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
            return wh_err_sys(err, -errno, "open %s", f->cgroup2_mount);
    }
    f->cgroup2_own = own_cgroup(own, "", arena);
    if (!f->cgroup2_own)
        f->cgroup2_own = "/";
    n = wh_read_at(dir, "cgroup.controllers", controllers, sizeof controllers - 1);
    if (n < 0 && n != -ENOENT)
        return wh_err_sys(err, (int)n, "read cgroup.controllers");
    if (n > 0)
        f->cgroup2_controllers = wh_arena_strndup(arena, controllers, strcspn(controllers, "\n"));
    if (!f->cgroup2_controllers)
        f->cgroup2_controllers = "";
    if (faccessat(dir, ".", W_OK, AT_EACCESS) == 0)
        f->feat |= WH_FEAT_CGROUP_WRITABLE;
    return 0;
}

/* `unshare -U` without -m, and a process that joined a user namespace alone. */
static bool mount_namespace_foreign(int proc_fd)
{
    WH_CLEANUP_FD int ns = openat(proc_fd, "self/ns/mnt", O_RDONLY | O_CLOEXEC), owner = -1;
    struct stat st, own;

    if (ns < 0)
        return true;
    /* EPERM: the owner is neither our user namespace nor one below it. */
    owner = ioctl(ns, NS_GET_USERNS);
    return owner < 0 || fstat(owner, &st) < 0 || fstatat(proc_fd, "self/ns/user", &own, 0) < 0 ||
           st.st_ino != own.st_ino;
}

int wh_facts_probe(int proc_fd, unsigned want, struct wh_arena *arena, struct wh_facts *ret, struct wh_err *err)
{
    struct wh_facts f = { .euid = geteuid(), .egid = getegid(), .page_size = (uint32_t)sysconf(_SC_PAGESIZE) };
    uint64_t ino;
    int r = last_cap(&f.last_cap);

    if (r == 0)
        r = permitted_caps(&f.own_caps);
    if (r < 0)
        return wh_err_sys(err, r, "look at our capabilities");
    r = wh_proc_ns_ino(proc_fd, "self/ns/user", &ino);
    /* A kernel without user namespaces has one. */
    if (r < 0 && r != -ENOENT)
        return wh_err_sys(err, r, "look at our user namespace");
    f.in_userns = r == 0 && ino != INIT_USER_INO;
    f.mnt_foreign = f.in_userns && mount_namespace_foreign(proc_fd);
    f.may_mknod = !f.in_userns && (f.own_caps & CAP(CAP_MKNOD));
    probe_kernel(proc_fd, want, &f);
    r = want & WH_FACTS_NO_CGROUP ? 0 : probe_cgroups(proc_fd, &f, arena, err);
    if (r < 0)
        return r;
    if (wh_arena_failed(arena))
        return wh_err_sys(err, -ENOMEM, "look at the host");
    *ret = f;
    return 0;
}
