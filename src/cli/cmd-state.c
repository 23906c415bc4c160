/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

int cmd_state(struct cli *cli)
{
    wherry_container *c = NULL;
    wherry_error *error = NULL;
    char *json = NULL;
    int r = wherry_container_open(cli->ctx, cli->args.pos[0], &c, &error);

    if (r >= 0)
        r = wherry_container_state(c, cli->args.verbose ? WHERRY_STATE_VERBOSE : 0, &json, &error);
    r = r < 0 ? cli_fail(cli, NULL, r, error) : cli_print(cli, json);
    wherry_free(json);
    wherry_container_free(c);
    return r;
}
