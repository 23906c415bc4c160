/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maxrss COMMAND ARGS…: runs it and prints the largest resident set, in KiB, of any process of it that was waited for, on standard error.
 * The kernel counts what a process was before execve too, so this program must be smaller than anything that it measures: it is linked
 * statically, and vfork keeps it from being copied.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct rusage ru;
    int status;
    pid_t pid;

    if (argc < 2)
        return 2;
    pid = vfork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &ru) < 0)
        return 2;
    fprintf(stderr, "%ld\n", ru.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
