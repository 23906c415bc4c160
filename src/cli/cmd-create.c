/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

int cmd_create(struct cli *cli)
{
    struct wherry_create_opts opts;
    wherry_error *error = NULL;
    int r = cli_create_opts(cli, &opts);

    if (r != 0)
        return r;
    r = wherry_create(cli->ctx, cli->args.pos[0], &opts, &error);
    return r < 0 ? cli_fail(cli, "create failed", r, error) : 0;
}
