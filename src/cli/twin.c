/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef WHERRY_TWIN
#define WHERRY_TWIN "/usr/libexec/wherry/wherry-dynamic"
#endif

extern char **environ;

/* Beside this program: a build that is not installed. */
static int beside(char *path, size_t size)
{
    ssize_t n = readlinkat(AT_FDCWD, "/proc/self/exe", path, size);
    char *slash;

    if (n < 0)
        return -errno;
    if ((size_t)n + sizeof("wherry-dynamic") >= size)
        return -ENAMETOOLONG;
    path[n] = '\0';
    slash = strrchr(path, '/');
    if (!slash)
        return -ENOENT;
    memcpy(slash + 1, "wherry-dynamic", sizeof("wherry-dynamic"));
    return 0;
}

static int become(struct cli *cli)
{
    char path[PATH_MAX];
    int r;

    /* The same arguments, environment, descriptors and signal mask: it begins where this one began. */
    execve(WHERRY_TWIN, cli->argv, environ);
    r = -errno;
    if (r == -ENOENT && beside(path, sizeof(path)) == 0) {
        execve(path, cli->argv, environ);
        r = -errno;
    }
    return r;
}

bool cli_twin_for_labels(struct cli *cli, int r, wherry_error **error)
{
    if (r != -ELIBACC || !wherry_twin_needed() || cli->twin_tried)
        return false;
    become(cli);
    /* Labels are for the kernel to judge in any case: without the library the message is less clear, and nothing else. */
    cli->twin_tried = true;
    wherry_twin_lost();
    wherry_error_free(*error);
    *error = NULL;
    return true;
}

int cli_twin(struct cli *cli)
{
    char words[64];
    int r = become(cli);

    return cli_failf(cli, "the systemd cgroup manager needs a program that is not there or does not run: %s: %s",
                     WHERRY_TWIN, cli_errno_words(r, words));
}
