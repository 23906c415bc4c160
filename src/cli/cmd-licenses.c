/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

/* licenses.S */
extern const char cli_licenses[] __attribute__((visibility("hidden")));

int cmd_licenses(struct cli *cli)
{
    return cli_print(cli, cli_licenses);
}
