/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int print_json(struct cli *cli)
{
    wherry_error *error = NULL;
    struct cli_buf b = { 0 };
    int32_t *pids = NULL;
    size_t n = 0;
    int r = wherry_pids(cli->ctx, cli->args.pos[0], &pids, &n, &error);

    if (r < 0)
        return cli_fail(cli, NULL, r, error);
    for (size_t i = 0; i < n; i++)
        cli_buf_printf(&b, "%s%d", i ? "," : "[", (int)pids[i]);
    /* What Go's encoder makes of a nil slice. */
    cli_buf_str(&b, n ? "]\n" : "null\n");
    wherry_free(pids);
    return cli_print_buf(cli, &b);
}

int cmd_ps(struct cli *cli)
{
    const struct cli_args *a = &cli->args;
    const char *format = a->format ? a->format : "table";
    struct wherry_ps_opts opts = {
        .size = sizeof(opts),
        .path = getenv("PATH"),
        .args = a->npos > 1 ? (const char *const *)&a->pos[1] : NULL,
    };
    wherry_error *error = NULL;
    char *table = NULL;
    int r;

    if (strcmp(format, "json") == 0)
        return print_json(cli);
    if (strcmp(format, "table") != 0)
        return cli_failf(cli, "invalid format option: %.64s (want table or json)", format);
    r = wherry_ps(cli->ctx, a->pos[0], &opts, &table, &error);
    r = r < 0 ? cli_fail(cli, NULL, r, error) : cli_print(cli, table);
    wherry_free(table);
    return r;
}
