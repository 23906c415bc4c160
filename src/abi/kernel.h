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
#define WH_FSCONFIG_SET_FD 5
#define WH_FSCONFIG_CMD_CREATE 6
#define WH_FSCONFIG_CMD_RECONFIGURE 7
#define WH_FSPICK_CLOEXEC 1
#define WH_FSPICK_EMPTY_PATH 8
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

/* umount2(2) */
#define WH_MNT_DETACH 2
#define WH_UMOUNT_NOFOLLOW 8

struct wh_mount_attr {
    unsigned long long attr_set, attr_clr, propagation, userns_fd;
};
struct wh_clone_args {
    unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
        cgroup;
};
struct wh_open_how {
    unsigned long long flags, mode, resolve;
};

/* statx(2), as far as we read it; libc headers lack the mount id */
struct wh_statx {
    unsigned int mask, blksize;
    unsigned long long attributes;
    unsigned int nlink, uid, gid;
    unsigned short mode, pad0;
    unsigned long long ino, size, blocks, attributes_mask;
    struct {
        long long sec;
        unsigned int nsec;
        int pad;
    } atime, btime, ctime, mtime;
    unsigned int rdev_major, rdev_minor, dev_major, dev_minor;
    unsigned long long mnt_id, pad1[13];
};
#define WH_STATX_BASIC 0x7ffu
#define WH_STATX_MNT_ID 0x1000u
#define WH_STATX_ATTR_MOUNT_ROOT 0x2000u

/* signalfd(2), as far as we read it */
struct wh_signalfd_siginfo {
    unsigned int signo;
    unsigned char rest[124];
};

/* getdents64(2) */
struct wh_dirent {
    unsigned long long ino;
    long long off;
    unsigned short reclen;
    unsigned char type;
    char name[];
};

/* SIOCGIFFLAGS, SIOCSIFFLAGS; <net/if.h> brings too much */
struct wh_ifreq {
    char name[16];
    short flags;
    char pad[22];
};
#define WH_IFF_UP 1

/* capset(2), version 3 */
#define WH_CAP_VERSION 0x20080522u
struct wh_cap_header {
    unsigned int version;
    int pid;
};
struct wh_cap_data {
    unsigned int effective, permitted, inheritable;
};

/* keyctl(2) */
#define WH_KEYCTL_JOIN_SESSION_KEYRING 1
#define WH_KEYCTL_SETPERM 5
/* the possessor all, its user nothing */
#define WH_KEY_PERM_SESSION 0x3f000000u

/* statfs(2) f_type */
#define WH_PROC_MAGIC 0x9fa0
#define WH_DEVPTS_MAGIC 0x1cd1
#define WH_ST_NOEXEC 8 /* f_flags */
#define WH_CGROUP2_MAGIC 0x63677270
#define WH_PROC_ROOT_INO 1

#define WH_CLOSE_RANGE_CLOEXEC 4

/* struct sock_fprog and struct sock_filter of <linux/filter.h> */
struct wh_sock_filter {
    unsigned short code;
    unsigned char jt, jf;
    unsigned int k;
};
struct wh_sock_fprog {
    unsigned short len;
    const struct wh_sock_filter *filter;
};
#define WH_BPF_MAXINSNS 4096
#define WH_BPF_LD_ABS 0x20 /* 32 bits of struct seccomp_data */
#define WH_BPF_JEQ 0x15
#define WH_BPF_RET 0x06
#define WH_SECCOMP_DATA_NR 0 /* offsets of <linux/seccomp.h> */
#define WH_SECCOMP_DATA_ARCH 4
#define WH_SECCOMP_RET_ALLOW 0x7fff0000u
#define WH_SECCOMP_RET_KILL_PROCESS 0x80000000u
/* AUDIT_ARCH_* of <linux/audit.h>; where it is missing here, only the number of the call is looked at. */
#if defined(__x86_64__)
#define WH_AUDIT_ARCH 0xc000003eu
#elif defined(__aarch64__)
#define WH_AUDIT_ARCH 0xc00000b7u
#endif

/* seccomp(2) */
#define WH_SECCOMP_SET_MODE_FILTER 1
#define WH_SECCOMP_FILTER_FLAG_TSYNC 1u
#define WH_SECCOMP_FILTER_FLAG_LOG 2u
#define WH_SECCOMP_FILTER_FLAG_SPEC_ALLOW 4u
#define WH_SECCOMP_FILTER_FLAG_NEW_LISTENER 8u
#define WH_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32u

/* The kernel's struct termios, as far as we know it: that of the C library is another one (TCGETS, asm-generic/termbits.h). */
#define WH_ONLCR 4u
struct wh_ktermios {
    unsigned int iflag, oflag, cflag, lflag;
    unsigned char rest[64];
};

#endif
