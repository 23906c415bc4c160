/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor spec|podman ROOTFS: the least that a container of tests/configs/runc-1.1-spec.json or podman-4.3-default.json can cost here. Makes the
 * same namespaces, mounts, device nodes, masks and read-only paths with the mount API of file descriptors, pivots, and executes /bin/true as pid 1.
 * No configuration is read; there is no cgroup, no state, no capability, no filter, no descriptor hygiene. Not a runtime: a ruler.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/kernel.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#define RO WH_MOUNT_ATTR_RDONLY
#define NS WH_MOUNT_ATTR_NOSUID
#define ND WH_MOUNT_ATTR_NODEV
#define NX WH_MOUNT_ATTR_NOEXEC
#define ST WH_MOUNT_ATTR_STRICTATIME

struct fs {
    const char *dst, *type, *source, *keys[4], *values[4];
    uint64_t attr;
};

static const struct fs spec_mounts[] = {
    { "proc", "proc", "proc", { 0 }, { 0 }, 0 },
    { "dev", "tmpfs", "tmpfs", { "mode", "size" }, { "755", "65536k" }, NS | ST },
    { "dev/pts", "devpts", "devpts", { "ptmxmode", "mode", "gid" }, { "0666", "0620", "5" }, NS | NX },
    { "dev/shm", "tmpfs", "shm", { "mode", "size" }, { "1777", "65536k" }, NS | NX | ND },
    { "dev/mqueue", "mqueue", "mqueue", { 0 }, { 0 }, NS | NX | ND },
    { "sys", "sysfs", "sysfs", { 0 }, { 0 }, NS | NX | ND | RO },
    { "sys/fs/cgroup", "cgroup2", "cgroup", { 0 }, { 0 }, NS | NX | ND | RO },
    { 0 },
};
static const char *const spec_masked[] = { "proc/acpi",
                                           "proc/asound",
                                           "proc/kcore",
                                           "proc/keys",
                                           "proc/latency_stats",
                                           "proc/timer_list",
                                           "proc/timer_stats",
                                           "proc/sched_debug",
                                           "sys/firmware",
                                           "proc/scsi",
                                           0 };
static const char *const spec_readonly[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger", 0 };

static const struct fs podman_mounts[] = {
    { "proc", "proc", "proc", { 0 }, { 0 }, NS | NX | ND },
    { "dev", "tmpfs", "tmpfs", { "mode", "size" }, { "755", "65536k" }, NS | NX | ST },
    { "sys", "sysfs", "sysfs", { 0 }, { 0 }, NS | NX | ND | RO },
    { "dev/pts", "devpts", "devpts", { "ptmxmode", "mode", "gid" }, { "0666", "0620", "5" }, NS | NX },
    { "dev/mqueue", "mqueue", "mqueue", { 0 }, { 0 }, NS | NX | ND },
    { "sys/fs/cgroup", "cgroup2", "cgroup", { 0 }, { 0 }, NS | NX | ND | RO },
    { 0 },
};
static const char *const podman_masked[] = { "proc/acpi",          "proc/kcore",      "proc/keys",
                                             "proc/latency_stats", "proc/timer_list", "proc/timer_stats",
                                             "proc/sched_debug",   "proc/scsi",       "sys/firmware",
                                             "sys/fs/selinux",     "sys/dev/block",   0 };
static const char *const podman_readonly[] = { "proc/asound", "proc/bus",           "proc/fs", "proc/irq",
                                               "proc/sys",    "proc/sysrq-trigger", 0 };

static void die(const char *what, const char *object)
{
    fprintf(stderr, "floor: %s %s: %s\n", what, object, strerror(errno));
    _exit(1);
}

static void attach(int mount, const char *dst)
{
    if (syscall(SYS_move_mount, mount, "", AT_FDCWD, dst, WH_MOVE_MOUNT_F_EMPTY_PATH) < 0)
        die("move_mount", dst);
    close(mount);
}

static int mount_fs(const struct fs *m)
{
    int fs = (int)syscall(SYS_fsopen, m->type, WH_FSOPEN_CLOEXEC), mount;

    if (fs < 0)
        die("fsopen", m->type);
    syscall(SYS_fsconfig, fs, WH_FSCONFIG_SET_STRING, "source", m->source, 0);
    for (unsigned i = 0; i < 4 && m->keys[i]; i++)
        if (syscall(SYS_fsconfig, fs, WH_FSCONFIG_SET_STRING, m->keys[i], m->values[i], 0) < 0)
            die("fsconfig", m->keys[i]);
    if (syscall(SYS_fsconfig, fs, WH_FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        die("fsconfig create", m->type);
    mount = (int)syscall(SYS_fsmount, fs, WH_FSMOUNT_CLOEXEC, m->attr);
    if (mount < 0)
        die("fsmount", m->type);
    close(fs);
    return mount;
}

static int clone_tree(int at, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, at, path, WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC | flags);
}

static void devices(void)
{
    static const struct {
        const char *name;
        unsigned minor, major;
    } nodes[] = { { "dev/null", 3, 1 },   { "dev/zero", 5, 1 },    { "dev/full", 7, 1 },
                  { "dev/random", 8, 1 }, { "dev/urandom", 9, 1 }, { "dev/tty", 0, 5 } };
    static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
                                            { "/proc/self/fd/0", "dev/stdin" },
                                            { "/proc/self/fd/1", "dev/stdout" },
                                            { "/proc/self/fd/2", "dev/stderr" },
                                            { "pts/ptmx", "dev/ptmx" } };

    for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0)
            die("mknod", nodes[i].name);
    for (unsigned i = 0; i < sizeof links / sizeof *links; i++)
        if (symlink(links[i][0], links[i][1]) < 0)
            die("symlink", links[i][1]);
}

static void mask(const char *const *paths)
{
    static const struct fs empty = { .type = "tmpfs", .source = "tmpfs", .attr = RO };
    int shared = -1, null = open("/dev/null", O_PATH | O_CLOEXEC), mount;
    struct stat st;

    for (; *paths; paths++) {
        if (stat(*paths, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode)) {
            if (shared < 0)
                shared = mount_fs(&empty);
            mount = clone_tree(shared, "", AT_EMPTY_PATH);
        } else {
            mount = clone_tree(null, "", AT_EMPTY_PATH);
        }
        if (mount < 0)
            die("open_tree for", *paths);
        attach(mount, *paths);
    }
    close(shared);
    close(null);
}

static void set_readonly(const char *const *paths)
{
    struct wh_mount_attr attr = { .attr_set = RO };

    for (; *paths; paths++) {
        int mount = clone_tree(AT_FDCWD, *paths, AT_RECURSIVE);

        if (mount < 0) {
            if (errno == ENOENT)
                continue;
            die("open_tree", *paths);
        }
        if (syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
            die("mount_setattr", *paths);
        attach(mount, *paths);
    }
}

static void container(int is_spec, const char *rootfs)
{
    static char *const argv[] = { "/bin/true", NULL }, *const envp[] = { "PATH=/bin", NULL };
    struct wh_mount_attr slave = { .propagation = WH_MS_SLAVE }, readonly = { .attr_set = RO };
    const char *hostname = is_spec ? "runc" : "box";
    int root, dir;

    if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave) < 0)
        die("mount_setattr", "/");
    root = clone_tree(AT_FDCWD, rootfs, AT_RECURSIVE);
    if (root < 0)
        die("open_tree", rootfs);
    dir = dup(root);
    attach(root, rootfs);
    if (fchdir(dir) < 0)
        die("fchdir", rootfs);
    for (const struct fs *m = is_spec ? spec_mounts : podman_mounts; m->dst; m++) {
        int mount = mount_fs(m);

        mkdir(m->dst, 0755);
        attach(mount, m->dst);
    }
    devices();
    mask(is_spec ? spec_masked : podman_masked);
    set_readonly(is_spec ? spec_readonly : podman_readonly);
    if (is_spec && syscall(SYS_mount_setattr, dir, "", AT_EMPTY_PATH, &readonly, sizeof readonly) < 0)
        die("mount_setattr", rootfs);
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        die("pivot_root", rootfs);
    if (syscall(SYS_umount2, ".", 2 /* MNT_DETACH */) < 0)
        die("umount", ".");
    if (chdir("/") < 0 || sethostname(hostname, strlen(hostname)) < 0)
        die("enter", rootfs);
    execve(argv[0], argv, envp);
    die("execve", argv[0]);
}

int main(int argc, char **argv)
{
    struct wh_clone_args args = { .flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS |
                                           CLONE_VFORK,
                                  .exit_signal = SIGCHLD };
    int status;
    long pid;

    if (argc != 3 || (strcmp(argv[1], "spec") != 0 && strcmp(argv[1], "podman") != 0)) {
        fprintf(stderr, "usage: floor spec|podman ROOTFS\n");
        return 2;
    }
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0)
        die("clone3", "");
    if (pid == 0)
        container(argv[1][0] == 's', argv[2]);
    if (waitpid((pid_t)pid, &status, 0) < 0)
        die("waitpid", "");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
