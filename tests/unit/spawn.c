/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a spawned program gets: exactly its fds, its environment, its signals; what the caller keeps: everything. And hooks. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/hooks.h"
#include "host/idmap.h"
#include "host/proc.h"
#include "host/spawn.h"
#include "tap.h"

static volatile sig_atomic_t usr1;
static void count(int sig)
{
    usr1 += sig == SIGUSR1;
}

static char out[65536];

/* Runs a shell script and takes its output. */
static int sh(struct wh_spawn *s, const char *script)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL }, *envp[] = { "A=b", NULL };
    struct wh_err err = { 0 };
    struct wh_exit ex = { 0 };
    int p[2], pidfd = -1, r;
    ssize_t n;

    if (pipe2(p, O_CLOEXEC) < 0)
        bail_out("pipe");
    s->path = "/bin/sh";
    s->argv = argv;
    s->envp = envp;
    s->stdio[1] = p[1];
    r = wh_spawn(s, &pidfd, NULL, &err);
    wh_close(p[1]);
    if (r < 0)
        diag("%s", err.msg);
    n = r < 0 ? 0 : wh_read_fd(p[0], out, sizeof out - 1);
    out[n > 0 ? n : 0] = '\0';
    wh_close(p[0]);
    if (r < 0)
        return r;
    r = wh_pidfd_reap(pidfd, &ex);
    wh_close(pidfd);
    return r < 0 ? r : ex.signalled ? 128 + ex.value : ex.value;
}

static void test_fds(void)
{
    struct wh_spawn s;
    int a = openat(AT_FDCWD, "/dev/zero", O_RDONLY | O_CLOEXEC),
        b = openat(AT_FDCWD, "/dev/full", O_RDONLY | O_CLOEXEC);
    int far = fcntl(a, F_DUPFD, 200); /* without close-on-exec */
    sigset_t before, after;
    mode_t mask = umask(022);

    sigprocmask(SIG_SETMASK, NULL, &before);
    wh_spawn_init(&s, "sh");
    s.stdio[0] = WH_SPAWN_NULL;
    /* Crossed: each has the number of the other. */
    s.fds[0] = b;
    s.fds[1] = a;
    s.nfds = 2;
    is_int(sh(&s, "readlink /proc/$$/fd/3; readlink /proc/$$/fd/4; readlink /proc/$$/fd/0; ls /proc/$$/fd; env"), 0,
           "sh");
    has_str(out, "/dev/full\n/dev/zero\n/dev/null\n",
            "fds stand where they were asked for, whatever their numbers were");
    has_str(out, "\n0\n1\n2\n3\n4\nA=b\n", "and there is no other");
    has_str(out, "\nA=b\n", "the environment is the given one");
    ok(!strstr(out, "HOME="), "and nothing of ours");
    ok(fcntl(far, F_GETFD) == 0 && fcntl(a, F_GETFD) == FD_CLOEXEC, "our own fds are as before");
    sigprocmask(SIG_SETMASK, NULL, &after);
    ok(memcmp(&before, &after, sizeof before) == 0, "our signal mask is as before");
    is_int(umask(mask), 022, "our umask is as before");

    wh_spawn_init(&s, "sh");
    dup2(a, 3);
    dup2(b, 4);
    s.keep = 2;
    is_int(sh(&s, "readlink /proc/$$/fd/3; readlink /proc/$$/fd/4; ls /proc/$$/fd"), 0, "sh with preserved fds");
    has_str(out, "/dev/zero\n/dev/full\n0\n1\n2\n3\n4\n", "they keep their numbers");
    wh_close(far);
    wh_close(a);
    wh_close(b);
    wh_close(3);
    wh_close(4);
}

static void test_signals(void)
{
    struct sigaction sa = { .sa_handler = count }, old_chld, old_usr1, now;
    struct wh_spawn s;
    sigset_t block;

    sigaction(SIGCHLD, &sa, &old_chld);
    sigaction(SIGUSR1, &sa, &old_usr1);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    wh_spawn_init(&s, "sh");
    s.reset_signals = s.session = true;
    is_int(sh(&s, "grep -E 'SigBlk|SigIgn|SigCgt' /proc/self/status; cut -d' ' -f5,6 /proc/$$/stat; echo $$"), 0, "sh");
    has_str(out, "SigBlk:\t0000000000000000\n", "nothing is blocked");
    has_str(out, "SigIgn:\t0000000000000000\n", "nothing is ignored");
    {
        int pid, pgid, sid;
        const char *tail = strrchr(out, ':') ? strchr(strrchr(out, ':'), '\n') + 1 : "";
        char *end;

        pgid = (int)strtol(tail, &end, 10);
        sid = (int)strtol(end, &end, 10);
        pid = (int)strtol(end, &end, 10);
        ok(pid > 0 && pgid == pid && sid == pid, "it leads a session of its own");
    }
    sigaction(SIGUSR1, NULL, &now);
    ok(now.sa_handler == count, "our handlers are as before");
    raise(SIGUSR1);
    is_int(usr1, 1, "and work");
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    sigaction(SIGCHLD, &old_chld, NULL);
    sigaction(SIGUSR1, &old_usr1, NULL);
    signal(SIGPIPE, SIG_DFL);
}

static void test_failures(void)
{
    const char *argv[] = { "x", NULL }, *envp[] = { NULL };
    struct wh_err err = { 0 };
    struct wh_spawn s;
    int pidfd = -1, status;

    wh_spawn_init(&s, "the program");
    s.path = "/nonexistent/program";
    s.argv = argv;
    s.envp = envp;
    is_int(wh_spawn(&s, &pidfd, NULL, &err), -ENOENT, "a program that is not there");
    is_str(err.msg, "execute the program: no such file or directory", "is told as such");
    is_int(pidfd, -1, "without a pidfd");
    ok(syscall(SYS_wait4, -1, &status, __WALL | 1 /* WNOHANG */, NULL) < 0 && errno == ECHILD, "and without a zombie");
    err.code = 0;
    s.path = "/dev/null";
    is_int(wh_spawn(&s, &pidfd, NULL, &err), -EACCES, "a program that is none");
    err.code = 0;
    s.path = "/bin/true";
    s.keep = 5;
    is_int(wh_spawn(&s, &pidfd, NULL, &err), -EBADF, "a preserved fd that is closed");
    has_str(err.msg, "set up fds of the program", "is told as such");
}

static double spawn_us(unsigned rounds)
{
    const char *argv[] = { "true", NULL }, *envp[] = { NULL };
    double best = 1e9;

    for (unsigned i = 0; i < rounds; i++) {
        struct timespec t0, t1;
        struct wh_err err = { 0 };
        struct wh_spawn s;
        int pidfd = -1;
        double us;

        wh_spawn_init(&s, "true");
        s.path = "/bin/true";
        s.argv = argv;
        s.envp = envp;
        clock_gettime(CLOCK_MONOTONIC, &t0);
        if (wh_spawn(&s, &pidfd, NULL, &err) < 0)
            return -1;
        clock_gettime(CLOCK_MONOTONIC, &t1);
        wh_pidfd_reap(pidfd, NULL);
        wh_close(pidfd);
        us = (double)(t1.tv_sec - t0.tv_sec) * 1e6 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e3;
        if (us < best)
            best = us;
    }
    return best;
}

/* fork() copies the page tables of the whole heap: two orders of magnitude. The ratio, of the best of many, is what a loaded machine
 * leaves stable. */
static void test_cost(void)
{
    size_t size = 1u << 30;
    double before = spawn_us(60), after;
    char *heap = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (heap == MAP_FAILED) {
        skip("no 1 GiB of memory");
        return;
    }
    madvise(heap, size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < size; i += 4096)
        heap[i] = 1;
    /* Again where the machine was busy meanwhile: a fork of such a heap is never fast. */
    after = spawn_us(60);
    for (int i = 0; i < 5 && after >= 3 * before + 100; i++)
        after = spawn_us(60);
    diag("spawn: %.0f us with a small heap, %.0f us with 1 GiB", before, after);
    ok(before > 0 && after > 0 && after < 3 * before + 100, "spawning costs the same with a heap of 1 GiB");
    munmap(heap, size);
}

/* ---- hooks ---- */

static int hook(struct wh_hook_entry *h, struct wh_err *err, int cancel_fd)
{
    static struct wh_annotation notes[] = { { "k", "v" } };
    struct wh_state st = { .id = "c1", .bundle = "/tmp", .rootfs = "/r", .annotations = notes, .nannotations = 1 };
    int dir = openat(AT_FDCWD, "/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct wh_hook_run run = {
        .hooks = h, .nhooks = 1, .state = &st, .bundle_fd = dir, .cancel_fd = cancel_fd, .init_fd = -1
    };
    int r;

    memset(err, 0, sizeof *err);
    r = wh_hooks_run(&run, h->kind, "creating", 42, err);
    wh_close(dir);
    return r;
}

#define SCRIPT(text)                                                                                                   \
    {                                                                                                                  \
        .v = (const char *[]){ "/bin/sh", "-c", text }, .n = 3                                                         \
    }

static void test_hooks(void)
{
    struct wh_hook_entry h = { .kind = WH_HOOK_CREATE_RUNTIME, .index = 3, .path = "/bin/sh", .env_set = true };
    struct wh_err err;
    int64_t t;
    int p[2];

    h.args = (struct wh_strv)SCRIPT("exit 0");
    is_int(hook(&h, &err, -1), 0, "a hook that succeeds");
    h.args = (struct wh_strv)SCRIPT("echo to stdout; echo to stderr >&2; exit 7");
    is_int(hook(&h, &err, -1), -ECHILD, "a hook that fails");
    has_str(err.msg,
            "error running createRuntime hook #3: exit status 7, stdout: to stdout, stderr: to stderr (after 0.",
            "is told with its output, and the time that it took");
    h.args = (struct wh_strv)SCRIPT(
        "for i in 1 2 3 4; do printf '%0100d' 0 | tr 0 '\\001'; done; printf '%0900d' 0 >&2; echo why >&2; exit 7");
    memset(&err, 0, sizeof err);
    is_int(hook(&h, &err, -1), -ECHILD, "one that says much, and nothing that can be shown");
    has_str(err.msg, "stdout: ...\\x01", "its output is escaped");
    has_str(err.msg, "0why (after 0.", "and leaves room for the reason and the time");
    h.args = (struct wh_strv)SCRIPT("cat >&2; exit 1");
    hook(&h, &err, -1);
    has_str(err.msg, "stderr: {\"ociVersion\":\"1.3.0\",\"id\":\"c1\",\"status\":\"creating\",\"pid\":42,",
            "it reads the state");
    h.args = (struct wh_strv)SCRIPT("exec >&2; readlink /proc/self/cwd; env; ls /proc/$$/fd; exit 1");
    hook(&h, &err, -1);
    has_str(err.msg, "stderr: /tmp\\n", "it runs in the bundle");
    ok(!strstr(err.msg, "HOME="), "an empty environment is empty");
    has_str(err.msg, "\\n0\\n1\\n2", "three fds");
    ok(!strstr(err.msg, "\\n2\\n3"), "and no more");
    h.args = (struct wh_strv)SCRIPT("kill -KILL $$");
    hook(&h, &err, -1);
    has_str(err.msg, "hook #3: killed by signal 9", "death by a signal is a failure");
    h.args = (struct wh_strv)SCRIPT("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; "
                                    "i=$((i+1)); done; echo the end; exit 2");
    hook(&h, &err, -1);
    has_str(err.msg, "the end, stderr: ", "of much output the end is shown");
    ok(strlen(err.msg) < 800, "and not more");
    h.args = (struct wh_strv)SCRIPT("printf '\\033[31mred'; exit 1");
    hook(&h, &err, -1);
    has_str(err.msg, "\\x1b[31mred", "control bytes are escaped");

    t = wh_now_ms();
    h.args = (struct wh_strv)SCRIPT("sleep 4 & exit 0");
    is_int(hook(&h, &err, -1), 0, "a hook that leaves a process with its pipes open");
    ok(wh_now_ms() - t < 3500, "is not waited for");

    t = wh_now_ms();
    h.timeout = 1;
    h.args = (struct wh_strv)SCRIPT("sleep 171717 & sleep 171717");
    is_int(hook(&h, &err, -1), -ETIMEDOUT, "a hook that takes too long");
    has_str(err.msg, "hook ran past specified timeout of 1.0s", "is told as such");
    ok(wh_now_ms() - t >= 1000 && wh_now_ms() - t < 20000, "in time");
    h.timeout = 0;
    h.args = (struct wh_strv)SCRIPT("sleep 0.2; for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; done 2>/dev/null | "
                                    "grep 'sleep 17171[7]' && exit 1; exit 0");
    is_int(hook(&h, &err, -1), 0, "and its whole group is dead");

    if (pipe2(p, O_CLOEXEC) < 0 || write(p[1], "", 1) != 1)
        bail_out("pipe");
    h.args = (struct wh_strv)SCRIPT("sleep 100");
    is_int(hook(&h, &err, p[0]), -ECANCELED, "a hook can be canceled");
    wh_close(p[0]);
    wh_close(p[1]);

    h.path = "/nonexistent";
    is_int(hook(&h, &err, -1), -ENOENT, "a hook that is not there");
    is_str(err.msg, "error running createRuntime hook #3: execute /nonexistent: no such file or directory",
           "is told as such");
}

/* Maps that take CAP_SETUID, so that the file of the namespace is shown to be the new one's. */
static void test_holder(void)
{
    WH_CLEANUP_FD int proc = -1, ns = -1;
    struct wh_err err = { 0 };
    struct stat ours, theirs;
    struct wh_holder h;
    char path[64];
    siginfo_t si = { 0 };
    int r = wh_spawn_holder(&h, &err);

    if (r == -EPERM || r == -ENOSPC || r == -EUSERS) {
        skip("no user namespaces here");
        return;
    }
    is_int(r, 0, "a process that holds a user namespace");
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)h.pid);
    ok(stat("/proc/self/ns/user", &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino != theirs.st_ino,
       "which is not ours");
    /* With every signal that can be blocked, and a stop. */
    for (int sig = 1; sig < 65; sig++)
        if (sig != SIGKILL && sig != SIGSTOP)
            kill(h.pid, sig);
    kill(h.pid, SIGSTOP);
    kill(h.pid, SIGCONT);
    ok(stat(path, &theirs) == 0 && waitid(P_PID, (id_t)h.pid, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
           si.si_pid == 0,
       "no signal ends it");
    errno = 0;
    wh_holder_done(&h);
    ok(waitid(P_PID, (id_t)h.pid, &si, WEXITED | WNOHANG | __WALL) < 0 && errno == ECHILD,
       "done, it is gone and reaped");

    proc = wh_proc_open(&err);
    ns = wh_idmap_userns(proc, NULL, "0 1000 1", "0 1000 1", -1, &err);
    if (geteuid() != 0 || ns < 0) {
        skip("no right to map the ids of others");
        return;
    }
    ok(fstat(ns, &theirs) == 0 && theirs.st_ino != ours.st_ino, "a user namespace that nobody is in");
    is_int(fcntl(ns, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC, "closed on exec");
    memset(&err, 0, sizeof err);
    is_int(wh_idmap_userns(proc, NULL, "0 1000 2\n1 5000 2", "0 1000 1", -1, &err), -EINVAL, "maps that overlap");
    is_str(err.msg, "write uid_map \"0 1000 2\\x0a1 5000 2\": invalid argument", "are told");
    ok(waitid(P_ALL, 0, &si, WEXITED | WNOHANG | __WALL) < 0 && errno == ECHILD, "no process is left");
}

/* Who a process is: by its start, whatever its name, and a helper only where a path leads that is absolute. */
static void test_identity(void)
{
    struct wh_err err = { 0 };
    int proc = wh_proc_open(&err), fd;
    struct wh_proc_stat before, now;
    char name[17] = "";

    is_int(wh_proc_stat(proc, getpid(), &before), 0, "a process");
    prctl(PR_GET_NAME, name);
    prctl(PR_SET_NAME, "a) Z 1 (2) 3");
    is_int(wh_proc_stat(proc, getpid(), &now), 0, "with brackets and blanks in its name");
    ok(now.start == before.start && now.state == 'R', "is the same, and runs");
    prctl(PR_SET_NAME, name);
    fd = wh_pidfd_open(proc, getpid(), &(struct wh_identity){ .start = before.start });
    ok(fd >= 0, "it is opened by its start");
    wh_close(fd);
    is_int(wh_pidfd_open(proc, getpid(), &(struct wh_identity){ .start = before.start + 1 }), -ESRCH,
           "another one with its pid is not");
    wh_close(proc);
    fd = wh_spawn_find("/nowhere:/bin:/usr/bin", "sh", -1);
    ok(fd >= 0, "a helper below an absolute directory");
    wh_close(fd);
    if (chdir("/bin") == 0) {
        is_int(wh_spawn_find(".", "sh", -1), -ENOENT, "none below the working directory");
        is_int(wh_spawn_find("", "sh", -1), -ENOENT, "nor where there is no path");
        is_int(wh_spawn_find("../bin", "sh", -1), -ENOENT, "nor a relative one");
    }
}

int main(void)
{
    test_holder();
    setenv("HOME", "/root", 1);
    test_fds();
    test_signals();
    test_failures();
    test_cost();
    test_hooks();
    test_identity();
    return done_testing();
}
