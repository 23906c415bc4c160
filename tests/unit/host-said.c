/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What host says of calls that this kernel, with this process's rights, answers otherwise: the test gives the
 * answer. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/idmap.h"
#include "host/listener.h"
#include "host/netdev.h"
#include "host/notify.h"
#include "host/facts.h"
#include "host/prio.h"
#include "host/proc.h"
#include "host/spawn.h"
#include "host/state.h"
#include "init-plan.h"
#include "tap.h"

/* ---- the answers: of one system call by its number, of fstat(2) and of ioctl(2) (host.mk: -Wl,--wrap) ---- */

static long answered = -1;
static int answer, fstat_answer, ioctl_answer;
static bool no_link;

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...);
long __wrap_syscall(long nr, ...)
{
    long a[6];
    va_list ap;

    if (nr == answered) {
        errno = answer;
        return -1;
    }
    va_start(ap, nr);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    return __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st)
{
    int r = __real_fstat(fd, st);

    if (no_link)
        st->st_nlink = 0;
    errno = fstat_answer ? fstat_answer : errno;
    return fstat_answer ? -1 : r;
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    void *more;

    va_start(ap, request);
    more = va_arg(ap, void *);
    va_end(ap);
    if (ioctl_answer && request == NS_GET_USERNS) {
        errno = ioctl_answer;
        return -1;
    }
    return __real_ioctl(fd, request, more);
}

static struct wh_err err;
static char top_path[64];
static int top = -1;

static void said(int r, int want, const char *words)
{
    is_int(r, want, "fails: %s", words);
    is_str(err.msg, words, "in these words");
    err = (struct wh_err){ 0 };
    answered = -1;
}

/* ---- */

static int prio(long nr, int error, struct wh_step_ask_prio s)
{
    struct wh_ask ask = { .step = &s.s, .pid = getpid(), .pidfd = -1, .cancel_fd = -1 };

    answered = nr;
    answer = error;
    return wh_prio_set(NULL, &ask, NULL, &err);
}

static void test_prio(void)
{
    const struct wh_step_ask_prio deadline = { .policy = SCHED_DEADLINE },
                                  rt = { .policy = WH_SCHED_KEEP, .ioprio = IOPRIO_CLASS_RT << 13 };

    said(prio(SYS_sched_setattr, EPERM, deadline), -EPERM,
         "set scheduling policy SCHED_DEADLINE: operation not permitted (SCHED_DEADLINE needs CAP_SYS_NICE, and a "
         "process that may run on all processors of its cpuset)");
    said(prio(SYS_sched_setattr, EBUSY, deadline), -EBUSY,
         "set scheduling policy SCHED_DEADLINE: device or resource busy (the processors have not that much time left "
         "for SCHED_DEADLINE)");
    said(prio(SYS_sched_setattr, EOPNOTSUPP, deadline), -EOPNOTSUPP,
         "set scheduling policy SCHED_DEADLINE: operation not supported (this kernel was built without utilization "
         "clamping)");
    said(prio(SYS_ioprio_set, EPERM, rt), -EPERM,
         "set I/O priority IOPRIO_CLASS_RT: operation not permitted (this class needs CAP_SYS_NICE or CAP_SYS_ADMIN)");
}

static void test_notify(void)
{
    struct wh_notify n = { .pidfd = -1, .cancel_fd = -1 };
    int pair[2];

    said(wh_notify_listen(top, &err), -ENOENT, "make the notify socket: no such file or directory");
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
        bail_out("no sockets");
    n.sock = pair[0];
    n.host = "run/notify";
    ok(send(pair[1], "READY=1", 7, 0) == 7, "the payload is ready");
    said(wh_notify_wait(&n, &err), -EINVAL, "NOTIFY_SOCKET \"run/notify\" is no address of a socket");
    n.host = "/nowhere/notify";
    ok(send(pair[1], "READY=1", 7, 0) == 7, "the payload is ready");
    said(wh_notify_wait(&n, &err), -ENOENT, "notify the service manager at /nowhere/notify: no such file or directory");
    wh_close(pair[0]);
    wh_close(pair[1]);
}

static void test_namespaces(void)
{
    WH_CLEANUP_FD int proc_fd = wh_proc_open(NULL);
    struct wh_nsfds n;

    wh_nsfds_init(&n);
    said(wh_nsfds_open(&n, proc_fd, WH_NS_IPC, "/proc/self/ns/net", NULL, -1, &err), -EINVAL,
         "/proc/self/ns/net is not an ipc namespace");
    said(wh_nsfds_open(&n, proc_fd, WH_NS_UTS, "/proc/self/ns/net", NULL, -1, &err), -EINVAL,
         "/proc/self/ns/net is not a uts namespace");
    fstat_answer = EIO;
    said(wh_nsfds_open(&n, proc_fd, WH_NS_UTS, "/proc/self/ns/uts", NULL, -1, &err), -EIO,
         "stat namespace /proc/self/ns/uts: input/output error");
    fstat_answer = 0;
    ioctl_answer = EIO;
    said(wh_nsfds_open(&n, proc_fd, WH_NS_UTS, "/proc/self/ns/uts", NULL, -1, &err), -EIO,
         "ask for the owner of namespace /proc/self/ns/uts: input/output error");
    ioctl_answer = 0;
    wh_nsfds_done(&n);
}

static void test_listener(void)
{
    struct wh_listener l = { .sock = -1 };

    answered = SYS_pidfd_getfd;
    answer = EPERM;
    said(wh_listener_send(&l, -1, -1, 1, 5, -1, &err), -EPERM,
         "take the seccomp listener out of the container: operation not permitted: without CAP_SYS_PTRACE, or with "
         "sysctl kernel.yama.ptrace_scope = 3, no filter can notify");
}

static void test_maps(void)
{
    struct wh_ask ask = { .pid = 0, .pidfd = -1, .cancel_fd = -1 };
    struct wh_plan *plan;

    tp_begin();
    ADD(ASK_IDMAP, ask_idmap, .uid_map = STR("0 0 1"), .gid_map = STR("0 0 1"), .setgroups = STR("deny"));
    ADD(CLONE_B, clone_b, );
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("x"), .candidates = STRV("/x"));
    ADD(EXEC, exec, .args = STRV("x"), .env = NO_STRV);
    plan = tp_end(NULL);
    for (uint32_t i = 0; i < plan->nsteps && !ask.step; i++)
        if (wh_plan_step(plan, i)->op == WH_OP_ASK_IDMAP)
            ask.step = wh_plan_step(plan, i);
    said(wh_idmap_write(top, NULL, plan, &ask, &err), -ESRCH, "write id maps: no such process");
    /* A proc with a process 5 that takes nothing. */
    if (mkdirat(top, "5", 0755) < 0 || mkdirat(top, "5/setgroups", 0755) < 0)
        bail_out("no temporary directory");
    ask.pid = 5;
    said(wh_idmap_write(top, NULL, plan, &ask, &err), -EISDIR, "write setgroups of the container: is a directory");
    free(plan);
}

static void test_store(void)
{
    no_link = true;
    said(wh_store_make(top, "box", &err), -ENOENT, "container box was deleted while it was created");
    no_link = false;
}

static void test_spawn(void)
{
    static const char *const argv[] = { "true", NULL }, *const envp[] = { NULL };
    static const unsigned long no_cpu = 0;
    WH_CLEANUP_FD int fd = openat(AT_FDCWD, "/bin/true", O_PATH | O_CLOEXEC);
    struct wh_spawn s;
    int pidfd = -1;

    wh_spawn_init(&s, "true");
    s.exec_fd = fd;
    s.argv = argv;
    s.envp = envp;
    s.cpus = &no_cpu;
    s.cpus_len = sizeof no_cpu;
    said(wh_spawn(&s, &pidfd, NULL, &err), -EINVAL, "set the CPU affinity of true: invalid argument");
}

int main(void)
{
    strcpy(top_path, "/tmp/wherry-host-said-XXXXXX");
    if (!mkdtemp(top_path))
        bail_out("no temporary directory");
    top = openat(AT_FDCWD, top_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    test_prio();
    test_notify();
    test_namespaces();
    test_listener();
    test_maps();
    test_store();
    test_spawn();
    wh_remove_tree_at(AT_FDCWD, top_path);
    wh_close(top);
    return done_testing();
}
