/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fds WHO [FILE]: appends a line to FILE, or prints it: WHO and the descriptors that are open, by asking for each number. A list from /proc would
 * need a /proc, and have its own descriptor in it. FILE - is standard output. Further arguments are executed then.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* RLIMIT_NOFILE may have been lowered after a descriptor was opened, so that it says nothing. */
#define HIGHEST 65536

int main(int argc, char **argv)
{
    char line[4096];
    size_t len;
    int out = 1;

    if (argc < 2)
        return 2;
    len = (size_t)snprintf(line, sizeof line, "%s:", argv[1]);
    for (int fd = 0; fd < HIGHEST && len < sizeof line - 16; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            len += (size_t)snprintf(line + len, sizeof line - len, " %d", fd);
    line[len++] = '\n';
    if (argc > 2 && strcmp(argv[2], "-") != 0)
        out = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (out < 0 || write(out, line, len) != (ssize_t)len)
        return 3;
    if (argc > 3)
        execv(argv[3], argv + 3);
    return argc > 3 ? 127 : 0;
}
