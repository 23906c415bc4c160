/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

static int delete_one(struct cli *cli, const char *id, wherry_error **reterr)
{
    return wherry_delete(cli->ctx, id, cli->args.force ? WHERRY_DELETE_FORCE : 0, reterr);
}

int cmd_delete(struct cli *cli)
{
    return cli_each_id(cli, delete_one);
}
