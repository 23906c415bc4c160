/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_ABI_KERNEL_H
#define WH_ABI_KERNEL_H

/*
 * Constants of the kernel's interface that the libc headers of Debian 12 (musl 1.2.3, glibc 2.36) lack or hide behind
 * headers that cannot be included together. Values are the kernel's user ABI (include/uapi/linux); they never change.
 * Plain numbers, no system headers: wherry-init is built without the kernel's headers.
 */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

/* openat2(2) */
#define WH_RESOLVE_NO_XDEV 0x01
#define WH_RESOLVE_NO_MAGICLINKS 0x02
#define WH_RESOLVE_NO_SYMLINKS 0x04
#define WH_RESOLVE_BENEATH 0x08
#define WH_RESOLVE_IN_ROOT 0x10

/* mount_setattr(2), fsmount(2) */
#define WH_MOUNT_ATTR_RDONLY 0x00000001ULL
#define WH_MOUNT_ATTR_NOSUID 0x00000002ULL
#define WH_MOUNT_ATTR_NODEV 0x00000004ULL
#define WH_MOUNT_ATTR_NOEXEC 0x00000008ULL
#define WH_MOUNT_ATTR_ATIME 0x00000070ULL /* the mask */
#define WH_MOUNT_ATTR_RELATIME 0x00000000ULL
#define WH_MOUNT_ATTR_NOATIME 0x00000010ULL
#define WH_MOUNT_ATTR_STRICTATIME 0x00000020ULL
#define WH_MOUNT_ATTR_NODIRATIME 0x00000080ULL
#define WH_MOUNT_ATTR_IDMAP 0x00100000ULL
#define WH_MOUNT_ATTR_NOSYMFOLLOW 0x00200000ULL

#define WH_FSOPEN_CLOEXEC 1
#define WH_FSMOUNT_CLOEXEC 1
#define WH_FSCONFIG_SET_FLAG 0
#define WH_FSCONFIG_SET_STRING 1
#define WH_FSCONFIG_CMD_CREATE 6
#define WH_OPEN_TREE_CLONE 1
#define WH_OPEN_TREE_CLOEXEC 02000000
#define WH_MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#define WH_MOVE_MOUNT_T_EMPTY_PATH 0x00000040
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

/* mount(2) propagation types, as mount_setattr(2) takes them */
#define WH_MS_UNBINDABLE (1u << 17)
#define WH_MS_PRIVATE (1u << 18)
#define WH_MS_SLAVE (1u << 19)
#define WH_MS_SHARED (1u << 20)

struct wh_mount_attr {
    unsigned long long attr_set, attr_clr, propagation, userns_fd;
};
struct wh_clone_args {
    unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
struct wh_open_how {
    unsigned long long flags, mode, resolve;
};

/* statfs(2) f_type */
#define WH_PROC_MAGIC 0x9fa0
#define WH_DEVPTS_MAGIC 0x1cd1
#define WH_CGROUP2_MAGIC 0x63677270
#define WH_PROC_ROOT_INO 1

#define WH_CLOSE_RANGE_CLOEXEC 4

/* seccomp(2) */
#define WH_SECCOMP_SET_MODE_FILTER 1
#define WH_SECCOMP_FILTER_FLAG_TSYNC 1u
#define WH_SECCOMP_FILTER_FLAG_LOG 2u
#define WH_SECCOMP_FILTER_FLAG_SPEC_ALLOW 4u
#define WH_SECCOMP_FILTER_FLAG_NEW_LISTENER 8u
#define WH_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32u

#endif
