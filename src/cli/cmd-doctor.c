/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stdlib.h>

int cmd_doctor(struct cli *cli)
{
    wherry_error *error = NULL;
    char *report = NULL;
    int usable = 0, r;
    bool json;

    if (cli_report_format(cli, &json) != 0)
        return 1;
    json = json || cli->args.json;
    r = wherry_doctor(cli->ctx, getenv("PATH"),
                      (json ? WHERRY_DOCTOR_JSON : 0) | (cli->args.rootless_spec ? WHERRY_DOCTOR_ROOTLESS : 0), &report,
                      &usable, &error);
    if (r < 0)
        return cli_fail(cli, NULL, r, error);
    r = cli_print(cli, report);
    wherry_free(report);
    return r != 0 ? r : usable ? 0 : 1;
}
