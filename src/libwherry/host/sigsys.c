/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sigsys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "base/fd.h"
#include "base/str.h"
#include "host/proc.h"

/*
 * Nobody outside can ask a dead process for the system call that killed it. But the kernel audits each kill by a filter
 * (seccomp(2), SECCOMP_RET_KILL_PROCESS), and where no audit daemon takes the records they are in the kernel's log
 * (kauditd_thread() of kernel/audit.c), each in one line:
 *   5,123,456,-;audit: type=1326 audit(1.2:3): auid=0 uid=0 gid=0 ses=1 pid=7 comm="a" exe="/a" sig=31 arch=c000003e
 *   syscall=83 ...
 * comm and exe are in hexadecimal where they could be taken for something else.
 */
#define RECORD_MAX 8192
#define WAIT_MS 100
#define RECENT_US 5000000u
#define PROC_PID_INIT_INO 0xeffffffcu /* of the initial pid namespace (linux/proc_ns.h): records have its numbers */

static const char *field(const char *text, const char *name)
{
    const char *p = strstr(text, name);

    return p ? p + strlen(name) : NULL;
}

static uint64_t hex(const char *s)
{
    uint64_t n = 0;

    for (; *s && strchr("0123456789abcdef", *s); s++)
        n = n << 4 | (uint64_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
    return n;
}

/* What is between the commas is a number: priority, sequence, us since boot. */
static uint64_t header(const char *record, int nth)
{
    uint64_t n;

    for (; nth > 0 && (record = strchr(record, ',')); nth--)
        record++;
    return record && wh_parse_u64_front(record, UINT64_MAX, &n) == 0 ? n : UINT64_MAX;
}

int wh_sigsys_record(const char *record, pid_t pid, uint64_t now, unsigned *ret_arch, int *ret_nr)
{
    const char *text = strchr(record, ';'), *p, *sig, *arch, *nr;
    uint64_t n, at = header(record, 2);

    /* Of the kernel itself: what programs write there has another facility than 0. */
    if (!text || header(record, 0) > 7 || !wh_startswith(text + 1, "audit: type=1326 "))
        return -ENOENT;
    /* An older one is of another process that had the number. The two clocks differ a little. */
    if (at == UINT64_MAX || at + RECENT_US < now)
        return -ENOENT;
    p = field(text, " pid=");
    sig = field(text, " sig=31 ");
    arch = field(text, " arch=");
    nr = field(text, " syscall=");
    if (!p || !sig || !arch || !nr || wh_parse_u64_front(p, INT32_MAX, &n) < 0 || n != (uint64_t)pid)
        return -ENOENT;
    if (wh_parse_u64_front(nr, INT32_MAX, &n) < 0)
        return -ENOENT;
    *ret_nr = (int)n;
    *ret_arch = (unsigned)hex(arch);
    return 0;
}

/* The last that there is about this process. Until `end`: the log can be written faster than it is read here. */
static bool read_log(int fd, pid_t pid, uint64_t now, int64_t end, unsigned *ret_arch, int *ret_nr)
{
    char record[RECORD_MAX];
    bool found = false;

    while (wh_now_ms() < end) {
        ssize_t n = read(fd, record, sizeof record - 1);

        /* EPIPE: what came next has been overwritten meanwhile. */
        if (n < 0 && (errno == EPIPE || errno == EINTR))
            continue;
        if (n <= 0)
            return found;
        record[n] = '\0';
        found |= wh_sigsys_record(record, pid, now, ret_arch, ret_nr) == 0;
    }
    return found;
}

static bool is_initial_pidns(void)
{
    WH_CLEANUP_FD int proc = wh_proc_open(NULL);
    struct stat st;

    return proc >= 0 && fstatat(proc, "self/ns/pid", &st, 0) == 0 && st.st_ino == PROC_PID_INIT_INO;
}

static bool find(pid_t pid, unsigned *ret_arch, int *ret_nr)
{
    WH_CLEANUP_FD int fd = -1;
    int64_t now = wh_now_ms(), end = now + WAIT_MS, left;
    struct stat st;

    if (pid <= 0 || !is_initial_pidns())
        return false;
    fd = openat(AT_FDCWD, "/dev/kmsg", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 11))
        return false;
    /* A thread of the kernel writes them, a moment after the death. */
    while (!read_log(fd, pid, (uint64_t)now * 1000, end, ret_arch, ret_nr)) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        left = end - wh_now_ms();
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return false;
    }
    return true;
}

void wh_sigsys_text(pid_t pid, char *ret, size_t size)
{
    unsigned arch = 0;
    int nr = -1;
    bool known = find(pid, &arch, &nr);
    char *name = NULL;

#ifdef HAVE_SECCOMP
    name = known ? seccomp_syscall_resolve_num_arch(arch, nr) : NULL;
#endif
    if (name)
        snprintf(ret, size, "bad system call: %s", name);
    else if (known)
        snprintf(ret, size, "bad system call: number %d of architecture %#x", nr, arch);
    else
        snprintf(ret, size, "bad system call");
    free(name);
}
