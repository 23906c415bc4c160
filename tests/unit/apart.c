/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work in a process of its own, which can be killed where we cannot wait, and waits that have an end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/apart.h"
#include "host/proc.h"
#include "host/waits.h"
#include "tap.h"

static int double_it(void *arg)
{
    int *n = arg;

    *n *= 2;
    return 7;
}

static int fail(void *arg)
{
    (void)arg;
    return -EXDEV;
}

static int for_ever(void *arg)
{
    (void)arg;
    for (;;)
        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
    return 0;
}

static int die(void *arg)
{
    (void)arg;
    syscall(SYS_exit, 3);
    return 0;
}

static void test_apart(int readable, int silent)
{
    int n = 21;
    sigset_t before, after;

    sigprocmask(SIG_SETMASK, NULL, &before);
    is_int(wh_apart(double_it, &n, sizeof n, silent), 7, "what the function returns");
    is_int(n, 42, "and its argument as it left it");
    is_int(wh_apart(fail, &n, sizeof n, -1), -EXDEV, "an error");
    is_int(wh_apart(for_ever, &n, sizeof n, readable), -ECANCELED, "one that would wait for ever is given up");
    is_int(wh_apart(die, &n, sizeof n, -1), 0, "one that ends in the middle has no result");
    sigprocmask(SIG_SETMASK, NULL, &after);
    is_mem(&after, &before, sizeof(unsigned long), "signals are blocked as before");
    ok(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD, "and no process of it is left");
}

static void test_files(void)
{
    char path[] = "/tmp/wherry-apart-XXXXXX", text[16] = "";
    int made = mkostemp(path, O_CLOEXEC), fd;
    bool slow = true;

    if (made < 0)
        bail_out("no temporary file");
    is_int(wh_apart_replace(path, "hello", 5, 0600, -1), 0, "a file is written");
    fd = wh_apart_open_file(AT_FDCWD, path, 0, -1, &slow);
    ok(fd >= 0, "and opened");
    is_int(fcntl(fd, F_GETFD), FD_CLOEXEC, "with close-on-exec");
    is_int(wh_apart_read(fd, text, sizeof text - 1, -1), 5, "and read");
    is_str(text, "hello", "its text");
    wh_close(fd);
    fd = wh_apart_open(AT_FDCWD, path, O_PATH, 0, -1);
    ok(fd >= 0, "as a path, too");
    wh_close(fd);
    is_int(wh_apart_open(AT_FDCWD, "/nowhere/at/all", O_PATH, 0, -1), -ENOENT, "what is not there");
    is_int(wh_apart_open_file(AT_FDCWD, "/nowhere/at/all", 0, -1, &slow), -ENOENT, "nor as a file");
    unlink(path);
    wh_close(made);
    /* A FIFO that nothing writes to does not keep the caller. */
    if (mkfifo(path, 0600) == 0) {
        fd = wh_apart_open_file(AT_FDCWD, path, 0, -1, &slow);
        ok(fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK), "a FIFO is opened without waiting");
        wh_close(fd);
        unlink(path);
    }
}

static void test_waits(int readable, int silent)
{
    int64_t begin = wh_now_ms();

    is_int(wh_wait_fd(readable, POLLIN, -1, begin + 20000), 0, "what is there");
    is_int(wh_wait_fd(readable, POLLIN, -1, begin - 1000), 0, "also when the time is over");
    is_int(wh_wait_fd(silent, POLLIN, -1, begin + 20), -ETIMEDOUT, "what is not there");
    ok(wh_now_ms() >= begin + 20, "is waited for until the end");
    is_int(wh_wait_fd(silent, POLLIN, -1, begin), -ETIMEDOUT, "without waiting when that has passed");
    is_int(wh_wait_fd(silent, POLLIN, readable, begin + 20000), -ECANCELED, "a wait is given up");
    is_int(wh_wait_fd(readable, POLLIN, readable, begin + 20000), -ECANCELED, "also when both have come");
    ok(wh_waits.killed > 0 && wh_waits.killed < wh_waits.file, "what was killed is not waited for as long as a file");
    ok(wh_waits.file <= wh_waits.exec, "and exec has the time for a file");
}

int main(void)
{
    int readable[2], silent[2];

    if (pipe2(readable, O_CLOEXEC) < 0 || pipe2(silent, O_CLOEXEC) < 0 || write(readable[1], "x", 1) != 1)
        bail_out("no pipes");
    test_apart(readable[0], silent[0]);
    test_files();
    test_waits(readable[0], silent[0]);
    return done_testing();
}
