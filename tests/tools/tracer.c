/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In a container, with CAP_SYS_PTRACE: seizes every process that turns up and prints what it then holds, one line each:
 *   seized COMM Seccomp=N CapInh=… CapPrm=… CapEff=… CapBnd=… CapAmb=… fds=LINK,LINK,… exe=LINK maps=PATH,…
 * Without an end; "ready" comes first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_all(char *buf, size_t size, const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n, len = 0;

    while (fd >= 0 && (n = read(fd, buf + len, size - 1 - (size_t)len)) > 0)
        len += n;
    buf[len] = 0;
    close(fd);
}

static void status(int pid)
{
    static const char *const keys[] = { "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
    char path[64], text[8192], *at;

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    read_all(text, sizeof text, path);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char key[16];

        snprintf(key, sizeof key, "\n%s:\t", keys[i]);
        at = strstr(text, key);
        if (at)
            printf(" %s=%.*s", keys[i], (int)strcspn(at + strlen(key), "\n"), at + strlen(key));
    }
}

static void links(int pid)
{
    char path[64], link[4096], text[65536], last[4096] = "", *line;
    struct dirent *e;
    ssize_t n;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    d = opendir(path);
    printf(" fds=");
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        n = readlinkat(dirfd(d), e->d_name, link, sizeof link);
        printf("%s:%.*s,", e->d_name, n > 0 ? (int)n : 0, link);
    }
    if (d)
        closedir(d);
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    n = readlink(path, link, sizeof link);
    printf(" exe=%.*s maps=", n > 0 ? (int)n : 0, link);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    read_all(text, sizeof text, path);
    for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const char *file = strchr(line, '/');

        if (file && strcmp(file, last) != 0)
            printf("%s,", strncpy(last, file, sizeof last - 1));
    }
}

static void look(int pid)
{
    char path[64], comm[64];

    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
        return;
    /* Stopped, or gone: what it holds now is what it could have been made to use. */
    if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 || waitpid(pid, NULL, __WALL) != pid)
        return;
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    read_all(comm, sizeof comm, path);
    comm[strcspn(comm, "\n")] = 0;
    if (*comm) {
        printf("seized %s", comm);
        status(pid);
        links(pid);
        putchar('\n');
        fflush(stdout);
    }
    ptrace(PTRACE_DETACH, pid, 0, 0);
}

int main(void)
{
    /* The pid that was given last in this pid namespace: quicker than a look at the directory. */
    int fd = open("/proc/sys/kernel/ns_last_pid", O_RDONLY), seen = getpid();
    char text[32];

    puts(fd < 0 ? "no ns_last_pid" : "ready");
    fflush(stdout);
    while (fd >= 0) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        int pid;

        text[n > 0 ? n : 0] = 0;
        pid = atoi(text);
        if (pid != seen)
            look(pid);
        seen = pid;
        while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
            ;
    }
    return 1;
}
