/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The k-th call into the C library fails. A program that includes this is linked with -Wl,--wrap for each name of WRAPPED (tests/fault/wrap.mk),
 * so that the library's own objects call these; the C library's inner calls are not counted. Nothing fails, and nothing is counted, before
 * wrap_arm(). What a child on our memory calls counts as ours does: its failures are those that host/spawn.c reports.
 */
#ifndef WH_TEST_WRAP_H
#define WH_TEST_WRAP_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned wrap_at, wrap_count; /* which one, from 1; 0: none */
static int wrap_errno;
static bool wrap_armed, wrap_fired;
static const char *wrap_name = "";

static void wrap_arm(unsigned k, int err)
{
    wrap_at = k;
    wrap_count = 0;
    wrap_errno = err;
    wrap_fired = false;
    wrap_armed = true;
}

static bool wrap_hit(const char *name)
{
    if (!wrap_armed || ++wrap_count != wrap_at)
        return false;
    wrap_fired = true;
    wrap_name = name;
    errno = wrap_errno;
    return true;
}

#define WRAP(type, name, failed, params, args)                                                                         \
    type __real_##name params;                                                                                         \
    type __wrap_##name params;                                                                                         \
    type __wrap_##name params                                                                                          \
    {                                                                                                                  \
        return wrap_hit(#name) ? failed : __real_##name args;                                                          \
    }

WRAP(int, fstat, -1, (int fd, struct stat *st), (fd, st))
WRAP(int, fstatat, -1, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags))
WRAP(int, fstatfs, -1, (int fd, struct statfs *st), (fd, st))
WRAP(int, mkdirat, -1, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(int, unlinkat, -1, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(int, renameat, -1, (int a, const char *from, int b, const char *to), (a, from, b, to))
WRAP(int, faccessat, -1, (int fd, const char *path, int mode, int flags), (fd, path, mode, flags))
WRAP(int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
WRAP(int, fchown, -1, (int fd, uid_t u, gid_t g), (fd, u, g))
WRAP(int, fchownat, -1, (int fd, const char *path, uid_t u, gid_t g, int flags), (fd, path, u, g, flags))
WRAP(int, flock, -1, (int fd, int op), (fd, op))
WRAP(int, ftruncate, -1, (int fd, off_t len), (fd, len))
WRAP(off_t, lseek, -1, (int fd, off_t at, int whence), (fd, at, whence))
WRAP(ssize_t, readlinkat, -1, (int fd, const char *path, char *buf, size_t n), (fd, path, buf, n))
WRAP(ssize_t, read, -1, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP(ssize_t, __read_chk, -1, (int fd, void *buf, size_t n, size_t size), (fd, buf, n, size))
WRAP(ssize_t, pread, -1, (int fd, void *buf, size_t n, off_t at), (fd, buf, n, at))
WRAP(ssize_t, __pread_chk, -1, (int fd, void *buf, size_t n, off_t at, size_t size), (fd, buf, n, at, size))
WRAP(ssize_t, write, -1, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP(ssize_t, pwrite, -1, (int fd, const void *buf, size_t n, off_t at), (fd, buf, n, at))
WRAP(int, socket, -1, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, socketpair, -1, (int domain, int type, int protocol, int *pair), (domain, type, protocol, pair))
WRAP(int, bind, -1, (int fd, const struct sockaddr *sa, socklen_t len), (fd, sa, len))
WRAP(int, listen, -1, (int fd, int n), (fd, n))
WRAP(int, connect, -1, (int fd, const struct sockaddr *sa, socklen_t len), (fd, sa, len))
WRAP(int, setsockopt, -1, (int fd, int level, int name, const void *v, socklen_t len), (fd, level, name, v, len))
WRAP(ssize_t, send, -1, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags))
WRAP(ssize_t, sendto, -1, (int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa, socklen_t len),
     (fd, buf, n, flags, sa, len))
WRAP(ssize_t, sendmsg, -1, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, recv, -1, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags))
WRAP(ssize_t, recvmsg, -1, (int fd, struct msghdr *m, int flags), (fd, m, flags))
WRAP(int, poll, -1, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
WRAP(int, __poll_chk, -1, (struct pollfd * p, nfds_t n, int ms, size_t size), (p, n, ms, size))
WRAP(int, waitid, -1, (idtype_t type, id_t id, siginfo_t *si, int options), (type, id, si, options))
WRAP(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
WRAP(int, signalfd, -1, (int fd, const sigset_t *set, int flags), (fd, set, flags))
WRAP(int, pipe2, -1, (int *pair, int flags), (pair, flags))
WRAP(int, umount2, -1, (const char *path, int flags), (path, flags))
WRAP(char *, getcwd, NULL, (char *buf, size_t n), (buf, n))
WRAP(void *, mmap, MAP_FAILED, (void *at, size_t n, int prot, int flags, int fd, off_t off),
     (at, n, prot, flags, fd, off))
WRAP(void *, malloc, (errno = ENOMEM, NULL), (size_t n), (n))
WRAP(void *, calloc, (errno = ENOMEM, NULL), (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (errno = ENOMEM, NULL), (void *p, size_t n), (p, n))

/* Those with an argument that may be there or not: it is passed on as a register has it. */
#define WRAP_MORE(name, params, last, ...)                                                                             \
    int __real_##name params;                                                                                          \
    int __wrap_##name params;                                                                                          \
    int __wrap_##name params                                                                                           \
    {                                                                                                                  \
        va_list ap;                                                                                                    \
        unsigned long more;                                                                                            \
                                                                                                                       \
        va_start(ap, last);                                                                                            \
        more = va_arg(ap, unsigned long);                                                                              \
        va_end(ap);                                                                                                    \
        return wrap_hit(#name) ? -1 : __real_##name(__VA_ARGS__, more);                                                \
    }
WRAP_MORE(openat, (int fd, const char *path, int flags, ...), flags, fd, path, flags)
WRAP_MORE(fcntl, (int fd, int cmd, ...), cmd, fd, cmd)
WRAP_MORE(ioctl, (int fd, unsigned long request, ...), request, fd, request)

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...);
long __wrap_syscall(long nr, ...)
{
    long a[6];
    va_list ap;

    va_start(ap, nr);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    /* These cannot fail, and what kills a process must: nothing else would end the test. */
    if (nr != SYS_rt_sigprocmask && nr != SYS_pidfd_send_signal && nr != SYS_getppid && nr != SYS_futex &&
        nr != SYS_rt_sigaction && nr != SYS_ppoll && wrap_hit("syscall"))
        return -1;
    return __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#endif
