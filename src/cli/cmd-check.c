/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

/* The status tells what was found, so what keeps us from looking is told apart from warnings: 2, as for a config that cannot run. */
#define STATUS_ERROR 2

int cmd_check(struct cli *cli)
{
    struct wherry_create_opts opts;
    wherry_error *error = NULL;
    char *report = NULL;
    int worst = 0, r;
    bool json;

    if (cli_report_format(cli, &json) != 0 || cli_create_opts(cli, &opts) != 0)
        return STATUS_ERROR;
    do
        r = wherry_check(cli->ctx, &opts, (json ? WHERRY_CHECK_JSON : 0) | (cli->args.strict ? WHERRY_CHECK_STRICT : 0),
                         &report, &worst, &error);
    while (cli_twin_for_labels(cli, r, &error));
    if (r < 0) {
        cli_fail(cli, NULL, r, error);
        return STATUS_ERROR;
    }
    r = cli_print(cli, report);
    wherry_free(report);
    return r != 0 ? STATUS_ERROR : worst;
}
