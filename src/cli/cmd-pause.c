/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

static int done(struct cli *cli, int r, wherry_error *error)
{
    return r < 0 ? cli_fail(cli, NULL, r, error) : 0;
}

int cmd_pause(struct cli *cli)
{
    wherry_error *error = NULL;
    int r = wherry_pause(cli->ctx, cli->args.pos[0], &error);

    return done(cli, r, error);
}

int cmd_resume(struct cli *cli)
{
    wherry_error *error = NULL;
    int r = wherry_resume(cli->ctx, cli->args.pos[0], &error);

    return done(cli, r, error);
}
