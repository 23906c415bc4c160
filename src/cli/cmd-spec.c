/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int write_new(struct cli *cli, int dirfd, const char *name, const char *text)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666), r;
    char words[64];

    if (fd < 0 && errno == EEXIST)
        return cli_failf(cli, "File %.100s exists. Remove it first", name);
    if (fd < 0)
        return cli_failf(cli, "create %.100s: %s", name, cli_errno_words(errno, words));
    r = cli_write_all(fd, text, strlen(text));
    if (r >= 0 && text[0] && text[strlen(text) - 1] != '\n')
        r = cli_write_all(fd, "\n", 1);
    /* Some filesystems tell of a full disk only here. */
    if (close(fd) < 0 && r >= 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dirfd, name, 0);
        return cli_failf(cli, "write %.100s: %s", name, cli_errno_words(r, words));
    }
    return 0;
}

int cmd_spec(struct cli *cli)
{
    const char *name = cli->args.config && *cli->args.config ? cli->args.config : "config.json";
    const char *bundle = cli->args.bundle && *cli->args.bundle ? cli->args.bundle : ".";
    wherry_error *error = NULL;
    char *json = NULL, words[64];
    int r, dirfd;

    r = wherry_spec(cli->ctx, cli->args.rootless_spec ? WHERRY_SPEC_ROOTLESS : 0, &json, &error);
    if (r < 0)
        return cli_fail(cli, NULL, r, error);
    dirfd = openat(AT_FDCWD, bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        r = cli_failf(cli, "open bundle %.200s: %s", bundle, cli_errno_words(errno, words));
    else
        r = write_new(cli, dirfd, name, json);
    if (dirfd >= 0)
        close(dirfd);
    wherry_free(json);
    return r;
}
