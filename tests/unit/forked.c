/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A computation in a process of its own: its result, its bounds, and what the caller has afterwards, which is what
 * it had before. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/forked.h"
#include "host/proc.h"
#include "tap.h"

struct job {
    int fd, out;
    pid_t pid;
    unsigned fds;
    char *text;
};

static int works(void *arg)
{
    struct job *j = arg;

    j->pid = getpid();
    j->fds = fd_count();
    j->text[0] = 'x';
    return write(j->fd, "done", 4) == 4 && fcntl(STDIN_FILENO, F_GETFD) < 0 && fcntl(j->out, F_GETFD) < 0 ? 7 : -EBADF;
}

static int fails(void *arg)
{
    (void)arg;
    return -EXDEV;
}

static int never(void *arg)
{
    struct job *j = arg;

    j->pid = getpid();
    for (volatile bool on = true; on;)
        ;
    return 0;
}

static int dies(void *arg)
{
    struct job *j = arg;

    j->pid = getpid();
    syscall(SYS_kill, j->pid, SIGKILL);
    return 0;
}

static int greedy(void *arg)
{
    (void)arg;
    for (size_t n = 0; n < 2 * (size_t)WH_FORKED_MEMORY; n += 1u << 20) {
        void *p = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            return -errno;
    }
    return (int)(WH_FORKED_MEMORY >> 20);
}

static int allocates(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        char *volatile p = malloc(100 + (size_t)i);

        if (!p)
            return -ENOMEM;
        free(p);
    }
    return 1;
}

static unsigned at_first;

static void nothing_left(const char *what)
{
    int status;

    is_int(syscall(SYS_wait4, -1, &status, __WALL | WNOHANG, NULL), -1, "%s: no child is left", what);
    is_int(fd_count(), at_first, "%s: no descriptor is left", what);
}

static void test_results(void)
{
    char text[2] = "a", got[8] = "";
    struct job j = { .fd = memfd_create("a", MFD_CLOEXEC), .out = memfd_create("b", MFD_CLOEXEC), .text = text };

    at_first = fd_count();
    is_int(wh_forked(works, &j, sizeof j, j.fd, 20000, -1), 7,
           "the result is the function's; of our descriptors it has the one that it was given");
    /* Its own, and those of opendir: ".", "..", the directory. */
    is_int(j.fds, 4, "and no other");
    ok(j.pid > 0 && j.pid != getpid(), "it was another process");
    ok(text[0] == 'a', "which has no access to our memory");
    ok(pread(j.fd, got, sizeof got, 0) == 4 && lseek(j.fd, 0, SEEK_CUR) == 4, "what it wrote is in the file");
    nothing_left("a result");
    is_int(wh_forked(fails, &j, sizeof j, -1, 20000, -1), -EXDEV, "an error is the function's");
    is_int(wh_forked(dies, &j, sizeof j, -1, 20000, -1), -ECHILD, "one that is killed has no result");
    is_int(wh_forked(greedy, &j, sizeof j, -1, 20000, -1), -ENOMEM, "its memory is limited");
    nothing_left("errors");
    close(j.fd);
    close(j.out);
}

static void test_bounds(void)
{
    struct job j = { 0 };
    int64_t began = wh_now_ms();
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0 || write(p[1], "x", 1) != 1)
        bail_out("pipe");
    at_first = fd_count();
    is_int(wh_forked(never, &j, sizeof j, -1, 100, -1), -ETIMEDOUT, "what does not end is ended");
    ok(wh_now_ms() - began >= 100, "after its time");
    ok(j.pid > 0 && syscall(SYS_kill, j.pid, 0) < 0 && errno == ESRCH,
       "what it had written until then is seen; it is gone");
    nothing_left("a deadline");
    is_int(wh_forked(never, &j, sizeof j, -1, 60000, p[0]), -ECANCELED, "and when the caller gives up");
    nothing_left("giving up");
    close(p[0]);
    close(p[1]);
}

static volatile sig_atomic_t handled, stop;
static pid_t self;

static void handler(int sig)
{
    (void)sig;
    if (getpid() != self)
        abort();
    handled++;
}

__attribute__((unused)) static void *hammer(void *arg)
{
    while (!stop)
        free(malloc((size_t)(uintptr_t)arg));
    return NULL;
}

/* The sanitizer's allocator does not care for fork(2), as the C library's does. */
#if !defined(__has_feature)
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
static void test_threads(void)
{
    skip("threads in the allocator: the lock of AddressSanitizer stays held in a copy");
}
#else
static void test_threads(void)
{
    struct job j = { 0 };
    pthread_t threads[3];
    int good = 0;

    for (size_t i = 0; i < 3; i++)
        if (pthread_create(&threads[i], NULL, hammer, (void *)(uintptr_t)(100 * i + 20)) != 0)
            bail_out("pthread_create");
    for (int i = 0; i < 100; i++)
        good += wh_forked(allocates, &j, sizeof j, -1, 20000, -1) == 1;
    stop = 1;
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    is_int(good, 100, "other threads were in the allocator: it works in each copy");
}
#endif

/* The caller is someone's daemon: handlers, a loop that reaps every child, or SIGCHLD ignored. */
static void test_caller(void)
{
    struct sigaction act = { .sa_handler = handler }, before;
    struct job j = { 0 };

    self = getpid();
    sigaction(SIGCHLD, &act, &before);
    is_int(wh_forked(allocates, &j, sizeof j, -1, 20000, -1), 1, "the caller handles SIGCHLD");
    act.sa_handler = SIG_IGN;
    sigaction(SIGCHLD, &act, NULL);
    is_int(wh_forked(allocates, &j, sizeof j, -1, 20000, -1), 1, "the caller ignores SIGCHLD");
    is_int(wh_forked(fails, &j, sizeof j, -1, 20000, -1), -EXDEV, "and gets errors, too");
    is_int(wh_forked(never, &j, sizeof j, -1, 50, -1), -ETIMEDOUT, "and bounds");
    sigaction(SIGCHLD, &before, NULL);
}

int main(void)
{
    test_results();
    test_bounds();
    test_threads();
    test_caller();
    return done_testing();
}
