/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_INIT_SYS_H
#define WH_INIT_SYS_H

/*
 * The only door of wherry-init to the kernel: one wrapper per system call, which returns -errno. libc's own wrappers would
 * bring in cancellation, stdio locks, and for ids and groups a walk over threads that we do not have. With WH_FAKE_SYS
 * they are declared only, and tests/unit/fake-sys.c implements and records them.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "abi/kernel.h"

/* 32-bit machines have a second set of id calls, and fstatfs64 takes a size. */
#ifndef SYS_setresuid32
#define SYS_setresuid32 SYS_setresuid
#define SYS_setresgid32 SYS_setresgid
#define SYS_getresuid32 SYS_getresuid
#define SYS_getresgid32 SYS_getresgid
#define SYS_setgroups32 SYS_setgroups
#define SYS_fchown32 SYS_fchown
#endif
#ifdef __s390__
#define CLONE_ARGS(flags, ptid) 0, flags, ptid, 0, 0
#else
#define CLONE_ARGS(flags, ptid) flags, 0, ptid, 0, 0
#endif
#ifdef SYS_fstatfs64
#define FSTATFS_ARGS(fd, st) SYS_fstatfs64, fd, sizeof(*(st)), st
#else
#define FSTATFS_ARGS(fd, st) SYS_fstatfs, fd, st
#endif
#ifdef SYS_mmap2
#define MMAP_NR SYS_mmap2
#else
#define MMAP_NR SYS_mmap
#endif

#ifdef SYS_rt_sigtimedwait_time32 /* the time, which is what differs, is null */
#define WH_NR_SIGTIMEDWAIT SYS_rt_sigtimedwait_time32
#else
#define WH_NR_SIGTIMEDWAIT SYS_rt_sigtimedwait
#endif
#ifdef SYS_ppoll_time32
#define WH_NR_PPOLL SYS_ppoll_time32
#else
#define WH_NR_PPOLL SYS_ppoll
#endif

/* Two numbers of 64 bits on every architecture. */
#ifdef SYS_clock_gettime64
#define WH_NR_CLOCK_GETTIME SYS_clock_gettime64
#else
#define WH_NR_CLOCK_GETTIME SYS_clock_gettime
#endif

/* Each argument as a long: an int in a variable argument list leaves the upper half of its place undefined. */
#define SYS_L1(a) , (long)(a)
#define SYS_L2(a, ...) , (long)(a)SYS_L1(__VA_ARGS__)
#define SYS_L3(a, ...) , (long)(a)SYS_L2(__VA_ARGS__)
#define SYS_L4(a, ...) , (long)(a)SYS_L3(__VA_ARGS__)
#define SYS_L5(a, ...) , (long)(a)SYS_L4(__VA_ARGS__)
#define SYS_L6(a, ...) , (long)(a)SYS_L5(__VA_ARGS__)
#define SYS_L0(a)
#define SYS_PICK(n, a, b, c, d, e, f, pick, ...) pick
#define SYS_ARGS(nr, ...)                                                                                              \
    nr SYS_PICK(nr, ##__VA_ARGS__, SYS_L6, SYS_L5, SYS_L4, SYS_L3, SYS_L2, SYS_L1, SYS_L0)(__VA_ARGS__)

#ifdef WH_FAKE_SYS
#define SYS(name, params, ...) long sys_##name params;
#else
#define SYS(name, params, ...)                                                                                         \
    static inline long sys_##name params                                                                               \
    {                                                                                                                  \
        long ret = syscall(SYS_ARGS(__VA_ARGS__));                                                                     \
        return ret == -1 ? -errno : ret;                                                                               \
    }
#endif

SYS(accept4, (int fd, int flags), SYS_accept4, fd, NULL, NULL, flags)
SYS(capset, (const struct wh_cap_header *h, const struct wh_cap_data *d), SYS_capset, h, d)
SYS(chdir, (const char *path), SYS_chdir, path)
SYS(chroot, (const char *path), SYS_chroot, path)
SYS(clone, (unsigned long flags, int *ptid), SYS_clone, CLONE_ARGS(flags, ptid))
SYS(clock_gettime, (int clock, int64_t ts[2]), WH_NR_CLOCK_GETTIME, clock, ts)
SYS(close, (int fd), SYS_close, fd)
SYS(close_range, (unsigned int first, unsigned int last, unsigned int flags), SYS_close_range, first, last, flags)
SYS(dup3, (int from, int to, int flags), SYS_dup3, from, to, flags)
SYS(execve, (const char *path, char *const *argv, char *const *envp), SYS_execve, path, argv, envp)
SYS(exit_group, (int status), SYS_exit_group, status)
SYS(faccessat2, (int fd, const char *path, int mode, int flags), SYS_faccessat2, fd, path, mode, flags)
SYS(fchdir, (int fd), SYS_fchdir, fd)
SYS(fchmod, (int fd, unsigned int mode), SYS_fchmod, fd, mode)
SYS(fchown, (int fd, uint32_t uid, uint32_t gid), SYS_fchown32, fd, uid, gid)
SYS(fchownat, (int fd, const char *path, uint32_t uid, uint32_t gid, int flags), SYS_fchownat, fd, path, uid, gid,
    flags)
SYS(fgetxattr, (int fd, const char *name, void *value, size_t size), SYS_fgetxattr, fd, name, value, size)
SYS(flistxattr, (int fd, char *list, size_t size), SYS_flistxattr, fd, list, size)
SYS(fsconfig, (int fd, unsigned int cmd, const char *key, const void *value, int aux), SYS_fsconfig, fd, cmd, key,
    value, aux)
SYS(fsetxattr, (int fd, const char *name, const void *value, size_t size), SYS_fsetxattr, fd, name, value, size, 0)
SYS(fsmount, (int fd, unsigned int flags, unsigned int attr), SYS_fsmount, fd, flags, attr)
SYS(fsopen, (const char *fstype, unsigned int flags), SYS_fsopen, fstype, flags)
SYS(fspick, (int fd, const char *path, unsigned int flags), SYS_fspick, fd, path, flags)
SYS(fstatfs, (int fd, struct statfs *st), FSTATFS_ARGS(fd, st))
SYS(getcwd, (char *buf, size_t size), SYS_getcwd, buf, size)
SYS(getdents64, (int fd, void *buf, size_t size), SYS_getdents64, fd, buf, size)
SYS(getpid, (void), SYS_getpid)
SYS(getresgid, (uint32_t id[3]), SYS_getresgid32, &id[0], &id[1], &id[2])
SYS(getresuid, (uint32_t id[3]), SYS_getresuid32, &id[0], &id[1], &id[2])
SYS(ioctl, (int fd, unsigned long request, void *arg), SYS_ioctl, fd, request, arg)
SYS(keyctl, (int cmd, unsigned long a, unsigned long b), SYS_keyctl, cmd, a, b)
SYS(kill, (int pid, int sig), SYS_kill, pid, sig)
SYS(mkdirat, (int fd, const char *path, unsigned int mode), SYS_mkdirat, fd, path, mode)
SYS(mknodat, (int fd, const char *path, unsigned int mode, unsigned int dev), SYS_mknodat, fd, path, mode, dev)
SYS(mmap, (size_t len, int prot, int flags, int fd), MMAP_NR, NULL, len, prot, flags, fd, 0)
SYS(mount_setattr, (int fd, const char *path, unsigned int flags, const struct wh_mount_attr *a), SYS_mount_setattr, fd,
    path, flags, a, sizeof(*a))
SYS(move_mount, (int from, int to, const char *path, unsigned int flags), SYS_move_mount, from, "", to, path, flags)
SYS(munmap, (void *at, size_t len), SYS_munmap, at, len)
SYS(open_tree, (int fd, const char *path, unsigned int flags), SYS_open_tree, fd, path, flags)
SYS(openat, (int fd, const char *path, int flags, unsigned int mode), SYS_openat, fd, path, flags, mode)
SYS(openat2, (int fd, const char *path, const struct wh_open_how *how), SYS_openat2, fd, path, how, sizeof(*how))
SYS(personality, (unsigned long persona), SYS_personality, persona)
SYS(pivot_root, (const char *new_root, const char *put_old), SYS_pivot_root, new_root, put_old)
SYS(prctl, (int option, unsigned long a, unsigned long b, unsigned long c), SYS_prctl, option, a, b, c, 0UL)
SYS(ppoll, (struct pollfd * fds, unsigned int n), WH_NR_PPOLL, fds, n, NULL, NULL, 8)
SYS(pread, (int fd, void *buf, size_t n, long off), SYS_pread64, fd, buf, n, off)
SYS(prlimit, (unsigned int res, const struct rlimit *set, struct rlimit *get), SYS_prlimit64, 0, res, set, get)
SYS(read, (int fd, void *buf, size_t n), SYS_read, fd, buf, n)
SYS(readlinkat, (int fd, const char *path, char *buf, size_t n), SYS_readlinkat, fd, path, buf, n)
SYS(recvmsg, (int fd, struct msghdr *m, int flags), SYS_recvmsg, fd, m, flags)
SYS(sched_setaffinity, (const void *mask, size_t n), SYS_sched_setaffinity, 0, n, mask)
SYS(seccomp, (unsigned int op, unsigned int flags, const struct wh_sock_fprog *prog), SYS_seccomp, op, flags, prog)
SYS(sendmsg, (int fd, const struct msghdr *m, int flags), SYS_sendmsg, fd, m, flags)
SYS(set_mempolicy, (int mode, const unsigned long *nodes, unsigned long max), SYS_set_mempolicy, mode, nodes, max)
SYS(setdomainname, (const char *name, size_t len), SYS_setdomainname, name, len)
SYS(setgroups, (size_t n, const uint32_t *gids), SYS_setgroups32, n, gids)
SYS(sethostname, (const char *name, size_t len), SYS_sethostname, name, len)
SYS(setns, (int fd, int type), SYS_setns, fd, type)
SYS(setpgid, (int pid, int group), SYS_setpgid, pid, group)
SYS(setresgid, (uint32_t r, uint32_t e, uint32_t s), SYS_setresgid32, r, e, s)
SYS(setresuid, (uint32_t r, uint32_t e, uint32_t s), SYS_setresuid32, r, e, s)
SYS(setsid, (void), SYS_setsid)
SYS(sigaction, (int sig, const void *act), SYS_rt_sigaction, sig, act, NULL, 8)
SYS(signalfd4, (int fd, const void *set, int flags), SYS_signalfd4, fd, set, 8, flags)
SYS(sigprocmask, (int how, const void *set), SYS_rt_sigprocmask, how, set, NULL, 8)
SYS(sigtimedwait, (const void *set), WH_NR_SIGTIMEDWAIT, set, NULL, NULL, 8)
SYS(socket, (int domain, int type), SYS_socket, domain, type, 0)
SYS(statx, (int fd, const char *path, int flags, unsigned int mask, struct wh_statx *st), SYS_statx, fd, path, flags,
    mask, st)
SYS(symlinkat, (const char *target, int fd, const char *path), SYS_symlinkat, target, fd, path)
SYS(umask, (unsigned int mask), SYS_umask, mask)
SYS(umount2, (const char *path, int flags), SYS_umount2, path, flags)
SYS(unlinkat, (int fd, const char *path, int flags), SYS_unlinkat, fd, path, flags)
SYS(unshare, (unsigned long flags), SYS_unshare, flags)
SYS(utimensat, (int fd, const char *path, const struct timespec ts[2], int flags), SYS_utimensat, fd, path, ts, flags)
SYS(wait4, (int pid, int *status, int flags), SYS_wait4, pid, status, flags, NULL)
SYS(write, (int fd, const void *buf, size_t n), SYS_write, fd, buf, n)

#endif
