/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <unistd.h>

int cmd_create(struct cli *cli)
{
    struct wherry_create_opts opts;
    wherry_error *error = NULL;
    char words[64];
    int r = cli_create_opts(cli, &opts), fd;

    if (r != 0)
        return r;
    fd = cli_take_end_signals();
    if (fd < 0)
        return cli_failf(cli, "create failed: take over signals: %s", cli_errno_words(fd, words));
    opts.cancel_fd = fd;
    do
        r = wherry_create(cli->ctx, cli->args.pos[0], &opts, &error);
    while (cli_twin_for_labels(cli, r, &error));
    close(fd);
    return r < 0 ? cli_fail(cli, "create failed", r, error) : 0;
}
