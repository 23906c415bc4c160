/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Payload of tests: a process whose first thread has ended, or that does not let go of its end. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void *run(void *arg)
{
    (void)arg;
    for (;;)
        pause();
}

static void usr1(int sig)
{
    (void)sig;
    (void)!write(1, "usr1\n", 5);
}

static void trace(pid_t pid)
{
    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) == 0)
        (void)!write(1, "ready\n", 6);
    for (;;)
        pause();
}

/* "child": the same in a second process, and the first one waits for it. "vfork": the first one is held by its child. */
int main(int argc, char **argv)
{
    pthread_t t;

    signal(SIGUSR1, usr1);
    if (argc > 1 && strcmp(argv[1], "traced") == 0) {
        pid_t self = getpid();

        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
        if (fork() == 0)
            trace(self);
        for (;;)
            pause();
    }
    if (argc > 1 && strcmp(argv[1], "vfork") == 0 && vfork() == 0)
        for (;;)
            pause();
    if (argc > 1 && strcmp(argv[1], "child") == 0 && fork() > 0)
        for (;;)
            pause();
    for (int i = 0; i < 3; i++)
        if (pthread_create(&t, NULL, run, NULL))
            return 1;
    (void)!write(1, "ready\n", 6);
    pthread_exit(NULL);
}
