/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/hints.h"

#include <errno.h>

#include "abi/plan.h"
#include "base/str.h"

/*
 * Causes that the errno does not tell. The first row that fits is used, so the narrow ones come first.
 *
 * No hint may have words that engines look for in messages ("permission denied", "no such file", "not found", "is a
 * directory" …): they make the user's exit code of them, whatever the sentence was about. A test looks.
 */
static const struct wh_hint_row rows[] = {
    /* ---- A ---- */
    { WH_OP_OOM_ADJ, WH_SITE_WRITE, EACCES, NULL, "a score below the caller's own needs CAP_SYS_RESOURCE" },
    { WH_OP_OOM_ADJ, WH_SITE_WRITE, EPERM, NULL, "a score below the caller's own needs CAP_SYS_RESOURCE" },
    { WH_OP_RLIMIT_RAISE, WH_SITE_PRLIMIT, EPERM, NULL,
      "a hard limit above the caller's own needs CAP_SYS_RESOURCE; RLIMIT_NOFILE may not exceed fs.nr_open" },
    { WH_OP_RLIMIT, WH_SITE_PRLIMIT, EPERM, NULL,
      "a hard limit above the caller's own needs CAP_SYS_RESOURCE; RLIMIT_NOFILE may not exceed fs.nr_open" },
    { WH_OP_RLIMIT, WH_SITE_PRLIMIT, EINVAL, NULL, "the soft limit is above the hard one" },
    { WH_OP_JOIN, WH_SITE_SETNS, EINVAL, NULL, "the path leads to a namespace of another type, or to none" },
    { WH_OP_JOIN, WH_SITE_SETNS, EPERM, NULL,
      "the namespace belongs to a user namespace in which the caller has no CAP_SYS_ADMIN" },
    { WH_OP_JOIN_PIDFD, WH_SITE_SETNS, ESRCH, NULL, "the container has ended meanwhile" },
    { WH_OP_JOIN_PIDFD, WH_SITE_SETNS, EPERM, NULL,
      "the container's user namespace belongs to somebody else, or the container was created by an ordinary user and "
      "has not been started" },
    { WH_OP_AFFINITY, WH_SITE_SCHED_SETAFFINITY, EINVAL, NULL, "none of these CPUs is in the cpuset of the container" },
    { WH_OP_UNSHARE, WH_SITE_UNSHARE, ENOSPC, NULL,
      "a limit of /proc/sys/user/max_*_namespaces is reached, or namespaces are nested too deep" },
    { WH_OP_UNSHARE, WH_SITE_UNSHARE, EPERM, NULL,
      "new namespaces need CAP_SYS_ADMIN; for user namespaces look at kernel.unprivileged_userns_clone, AppArmor and "
      "chroots" },
    { WH_OP_UNSHARE, WH_SITE_UNSHARE, EINVAL, NULL, "this kernel was built without one of these namespaces" },
    { WH_OP_UNSHARE, WH_SITE_UNSHARE, EUSERS, NULL, "user namespaces are nested too deep" },
    { WH_OP_ASK_IDMAP, 0, EPERM, NULL,
      "ids other than the caller's own need newuidmap and newgidmap, and ranges in /etc/subuid and /etc/subgid" },
    { WH_OP_ASK_IDMAP, 0, EINVAL, NULL, "the ranges overlap, or are more than 340" },
    { WH_OP_TIMENS, 0, ERANGE, NULL,
      "an offset makes the clock of the container negative, or moves it past 146 years" },
    { WH_OP_SET_IDS, 0, EINVAL, NULL, "the id is not mapped in the user namespace" },
    { WH_OP_CLONE_B, 0, EAGAIN, NULL,
      "the limit of processes is reached: pids.max of a cgroup above, or RLIMIT_NPROC" },
    { WH_OP_CLONE_B, 0, ENOMEM, NULL,
      "memory ran out, or the first process of the joined pid namespace is gone: no other can be made there" },
    { WH_OP_CLONE_B, 0, ENOSPC, NULL, "pid namespaces are nested too deep" },
    { WH_OP_SESSION, WH_SITE_SETSID, EPERM, NULL,
      "where other processes of its pid namespace may have CAP_SYS_PTRACE, the seccomp filter must allow what is still "
      "done: docs/COMPATIBILITY.md" },
    { WH_OP_CHDIR_JOINED, 0, ENOENT, NULL,
      "root.path has to be there in the mount namespace that is joined; \"/\" is the root that it has already" },
    { WH_OP_CHDIR_ROOTFS, 0, EACCES, NULL, "the container's root must be allowed to search root.path" },

    /* ---- mounts ---- */
    { WH_OP_MOUNT_FS, 0, EPERM, "proc",
      "the kernel refuses a new proc while parts of the caller's /proc are masked, or without a pid namespace of one's "
      "own: bind /proc instead" },
    { WH_OP_MOUNT_FS, 0, EPERM, "sysfs",
      "the kernel refuses a new sysfs without a network namespace of one's own, or while parts of the caller's /sys "
      "are "
      "masked: bind /sys instead" },
    { WH_OP_MOUNT_FS, 0, EPERM, "mqueue", "mqueue needs an IPC namespace of the same user namespace" },
    { WH_OP_MOUNT_FS, 0, EPERM, "cgroup2", "cgroup2 needs a cgroup namespace of the same user namespace" },
    { WH_OP_MOUNT_FS, 0, EBUSY, "cgroup2", "the hierarchy is in use by cgroup v1" },
    { WH_OP_MOUNT_FS, WH_SITE_FSOPEN, ENODEV, NULL,
      "this kernel does not know this file system, or its module is not loaded" },
    { WH_OP_MOUNT_FS, WH_SITE_FSOPEN, EPERM, NULL, "this file system cannot be mounted in a user namespace" },
    { WH_OP_MOUNT_FS, 0, EINVAL, "devpts", "a gid= that the user namespace does not map must be left out" },
    { WH_OP_MOUNT_FS, WH_SITE_FSCONFIG, EINVAL, NULL, "the file system does not know this option, or not this value" },
    { WH_OP_MOUNT_FS, WH_SITE_FSCONFIG_CREATE, EINVAL, NULL, "the file system does not take these options" },
    { WH_OP_MOUNT_BIND, WH_SITE_OPEN_TREE, ENOENT, NULL, "the source of the bind mount is missing" },
    { WH_OP_MOUNT_BIND, WH_SITE_OPEN_TREE, EINVAL, NULL,
      "the source is below an unbindable mount, or in a mount namespace that is not the caller's" },
    { WH_OP_MOUNT_ATTR, WH_SITE_MOUNT_SETATTR, EPERM, NULL,
      "in a user namespace the flags that the source has (nosuid, nodev, noexec, ro, atime) are locked: ask for them "
      "too" },
    { WH_OP_MOUNT_ATTR, WH_SITE_MOUNT_SETATTR, EINVAL, NULL, "this kernel does not know one of these attributes" },
    { WH_OP_ATTACH, WH_SITE_MKDIRAT, EACCES, NULL,
      "the rootfs lacks the mount point, and its owner is not the container's root: make it beforehand, or chown the "
      "rootfs" },
    { WH_OP_REMOUNT, WH_SITE_VERIFY_FS, EINVAL, NULL,
      "nothing is mounted there: remount is for what an earlier mount brought" },
    { WH_OP_REMOUNT, WH_SITE_FSCONFIG, EINVAL, NULL, "the file system does not know this option, or not this value" },
    { WH_OP_REMOUNT, WH_SITE_FSPICK, EPERM, NULL,
      "the file system belongs to another user namespace than the container's" },
    { WH_OP_REMOUNT, WH_SITE_FSCONFIG_RECONFIGURE, 0, NULL,
      "the file system cannot change these options while it is mounted" },
    { WH_OP_COPY_LINK, WH_SITE_SYMLINKAT, EEXIST, NULL, "the rootfs has another file there" },
    { WH_OP_ATTACH, 0, ELOOP, NULL, "a component of the target is a symlink, where none is allowed" },
    { WH_OP_ATTACH, 0, EXDEV, NULL, "the target leads out of the rootfs" },
    { WH_OP_ATTACH, WH_SITE_OPENAT2, ENOTDIR, NULL, "an element of the target is a file" },
    { WH_OP_ATTACH, 0, ENOTDIR, NULL, "a file and a directory cannot be mounted on each other" },
    { WH_OP_ATTACH, WH_SITE_VERIFY_FS, 0, NULL,
      "only a procfs may be mounted on /proc, and only a few of its files may be "
      "covered" },
    { WH_OP_COPYUP, WH_SITE_LIMIT, 0, NULL, "tmpcopyup copies a bounded number of files and levels" },
    { WH_OP_COPYUP, 0, ENOSPC, NULL, "the tmpfs is smaller than what it covers" },
    { WH_OP_PIVOT, WH_SITE_PIVOT_ROOT, EINVAL, NULL,
      "the rootfs is on the initramfs, where only --no-pivot works, or a mount above it is shared" },
    { WH_OP_RDONLY, WH_SITE_MOUNT_SETATTR, EPERM, NULL, "the path is on a mount whose flags are locked" },
    { WH_OP_ROOT_BIND, 0, ENOTDIR, NULL, "root.path must be an existing directory" },

    /* ---- devices and console ---- */
    { WH_OP_MKNOD, WH_SITE_MKNODAT, EPERM, NULL,
      "device nodes need CAP_MKNOD and a device policy that allows them; with CAP_SYS_ADMIN the container could change "
      "mode and owner of the "
      "host's, which is therefore not bound instead" },
    { WH_OP_MKNOD, WH_SITE_VERIFY_DEVICE, 0, NULL, "the rootfs has another file there" },
    { WH_OP_DEV_BIND, WH_SITE_VERIFY_DEVICE, 0, NULL, "the host's node is another device" },
    { WH_OP_DEV_BIND, 0, ENOENT, NULL, "the host has no such device" },
    { WH_OP_OPEN_DEVNULL, 0, 0, NULL, "the host's /dev/null must be the character device 1:3" },
    { WH_OP_CONSOLE, WH_SITE_VERIFY_FS, 0, NULL, "a terminal needs a devpts on /dev/pts in mounts" },
    { WH_OP_CONSOLE, WH_SITE_OPENAT2, ENOENT, NULL, "a terminal needs a devpts on /dev/pts in mounts" },
    { WH_OP_CONSOLE, WH_SITE_SENDMSG, 0, NULL, "the other end of the console socket is gone" },

    /* ---- kernel settings ---- */
    { WH_OP_SYSCTL, 0, ENOENT, NULL, "this kernel has no such sysctl" },
    { WH_OP_SYSCTL, WH_SITE_WRITE, EINVAL, "ping_group_range",
      "the kernel does not take this value; in a user namespace the group ids have to be mapped" },
    { WH_OP_SYSCTL, WH_SITE_WRITE, EINVAL, NULL, "the kernel does not take this value" },
    { WH_OP_SYSCTL, 0, EACCES, NULL, "this sysctl belongs to the host's root" },
    { WH_OP_SYSCTL, 0, EPERM, NULL, "this sysctl belongs to the host's root" },
    { WH_OP_KEYRING, WH_SITE_KEYCTL, EDQUOT, NULL, "the user's quota of keys is used up: kernel.keys.maxkeys" },

    /* ---- the process ---- */
    { WH_OP_MEMPOLICY, 0, EINVAL, NULL,
      "a node is offline, without memory or outside of the cpuset, or this kernel does not know the mode or takes no "
      "such "
      "flag with it" },
    { WH_OP_MEMPOLICY, 0, ENOSYS, NULL, "this kernel was built without NUMA" },
    { WH_OP_LSM_EXEC, WH_SITE_WRITE, ENOENT, NULL, "the profile is not loaded: apparmor_parser -r loads one" },
    { WH_OP_LSM_EXEC, WH_SITE_WRITE, EINVAL, NULL, "the policy has no such label, or does not allow this transition" },
    { WH_OP_LSM_EXEC, WH_SITE_WRITE, EACCES, NULL, "the caller's own label does not allow this transition" },
    { WH_OP_CWD, 0, ENOTDIR, NULL, "process.cwd leads through a file" },
    { WH_OP_CWD_CHECK, WH_SITE_VERIFY_CWD, 0, NULL, "the working directory must be inside of the container's root" },
    { WH_OP_CWD_CHECK, 0, EACCES, NULL, "the user of the container may not enter process.cwd" },
    { WH_OP_HOME, 0, 0, NULL,
      "/etc/passwd of the rootfs must be a regular file; HOME in process.env avoids reading it" },
    { WH_OP_SETGROUPS, WH_SITE_SETGROUPS, EPERM, NULL, "setgroups is denied in this user namespace" },
    { WH_OP_SETGROUPS, WH_SITE_SETGROUPS, EINVAL, NULL, "a group is not mapped in the user namespace" },
    { WH_OP_BOUNDING, 0, EPERM, NULL, "dropping from the bounding set needs CAP_SETPCAP" },
    { WH_OP_IDS, 0, EINVAL, NULL, "the id is not mapped in the user namespace" },
    { WH_OP_IDS, 0, EAGAIN, NULL, "RLIMIT_NPROC of the user is reached" },
    { WH_OP_CAPS, 0, EPERM, NULL, "a capability is not in the caller's own sets" },
    { WH_OP_EXEC_CHECK, WH_SITE_EXEC_NOEXEC_MOUNT, 0, NULL, "it is on a mount with noexec" },
    { WH_OP_EXEC_CHECK, WH_SITE_EXEC_NO_X, 0, NULL, "it has no x bit for this user" },
    { WH_OP_EXEC_CHECK, WH_SITE_EXEC_FORMAT, 0, NULL, "it is neither an ELF program nor a script that begins with #!" },
    { WH_OP_EXEC_CHECK, WH_SITE_EXEC_ARCH, 0, NULL, "it is built for another machine than this one" },
    { WH_OP_EXEC_CHECK, WH_SITE_EXEC_SHEBANG, 0, NULL, "the interpreter after its #! is missing" },
    { WH_OP_EXEC_CHECK, WH_SITE_EXEC_SHEBANG_CRLF, 0, NULL,
      "its first line ends in a carriage return: save the script with Unix line ends" },
    { WH_OP_EXEC_CHECK, WH_SITE_EXEC_LOADER, 0, NULL, "its ELF loader (dynamic linker) is missing in the rootfs" },
    { WH_OP_SECCOMP, WH_SITE_SECCOMP, EINVAL, NULL,
      "this kernel does not know a flag of the filter, or it is too long" },
    { WH_OP_SECCOMP, WH_SITE_SECCOMP, EACCES, NULL, "a filter needs noNewPrivileges or CAP_SYS_ADMIN" },
    /* What EXEC_CHECK remembers, since binfmt_misc may run both, and EXEC tells. */
    { WH_OP_EXEC, WH_SITE_EXEC_FORMAT, 0, NULL, "it is neither an ELF program nor a script that begins with #!" },
    { WH_OP_EXEC, WH_SITE_EXEC_ARCH, 0, NULL, "it is built for another machine than this one" },
    { WH_OP_EXEC, WH_SITE_EXECVE, EACCES, NULL, "the file, or its interpreter, may not be executed by this user" },
    { WH_OP_EXEC, WH_SITE_EXECVE, ENOENT, NULL, "it vanished after create, or its interpreter is missing" },
    { WH_OP_EXEC, WH_SITE_EXECVE, ENOEXEC, NULL, "it is neither an ELF program of this machine nor a script" },
    { WH_OP_EXEC, WH_SITE_EXECVE, E2BIG, NULL, "arguments and environment are too long together" },
    { WH_OP_EXEC, WH_SITE_EXECVE, EAGAIN, NULL, "RLIMIT_NPROC of the user is reached" },
    { WH_OP_EXEC, WH_SITE_EXECVE, ETXTBSY, NULL, "the file is open for writing" },
    { WH_OP_EXEC, WH_SITE_EXECVE, EPERM, NULL, "the seccomp filter must allow execve" },

    /* ---- any step ---- */
    { 0, 0, ENOSYS, NULL, "wherry needs Linux 5.14 or later, and a sandbox around it may hide system calls" },
    { 0, 0, EMFILE, NULL, "RLIMIT_NOFILE of the caller is too low" },
    { 0, WH_SITE_PROTOCOL, 0, NULL, "wherry-init and its host disagree: this is a bug of wherry" },
    { 0, WH_SITE_VERIFY_PLAN, 0, NULL, "the plan was damaged on its way: this is a bug of wherry" },
};

const struct wh_hint_row *wh_hint_row(size_t n)
{
    return n < WH_ELEMENTSOF(rows) ? &rows[n] : NULL;
}

const char *wh_hint(unsigned op, uint32_t site, int err, const char *fstype)
{
    for (size_t i = 0; i < WH_ELEMENTSOF(rows); i++) {
        const struct wh_hint_row *r = &rows[i];

        if ((!r->op || r->op == op) && (!r->site || r->site == site) && (!r->err || r->err == err) &&
            (!r->fstype || (fstype && wh_streq(r->fstype, fstype))))
            return r->hint;
    }
    return NULL;
}
