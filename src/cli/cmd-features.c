/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

int cmd_features(struct cli *cli)
{
    wherry_error *error = NULL;
    char *json = NULL;
    int r = wherry_features(cli->ctx, &json, &error);

    r = r < 0 ? cli_fail(cli, NULL, r, error) : cli_print(cli, json);
    wherry_free(json);
    return r;
}
