/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

int cmd_start(struct cli *cli)
{
    wherry_error *error = NULL;
    int r = wherry_start(cli->ctx, cli->args.pos[0], &error);

    return r < 0 ? cli_fail(cli, NULL, r, error) : 0;
}
