/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <string.h>

int cli_report_format(struct cli *cli, bool *ret_json)
{
    const char *format = cli->args.format ? cli->args.format : "text";

    *ret_json = strcmp(format, "json") == 0;
    if (!*ret_json && strcmp(format, "text") != 0)
        return cli_failf(cli, "invalid format option: %.64s (want text or json)", format);
    return 0;
}

int cmd_explain(struct cli *cli)
{
    struct wherry_create_opts opts;
    wherry_error *error = NULL;
    char *text = NULL;
    bool json;
    int r = cli_report_format(cli, &json);

    if (r == 0)
        r = cli_create_opts(cli, &opts);
    if (r != 0)
        return r;
    r = wherry_explain(cli->ctx, &opts, json ? WHERRY_EXPLAIN_JSON : 0, &text, &error);
    r = r < 0 ? cli_fail(cli, NULL, r, error) : cli_print(cli, text);
    wherry_free(text);
    return r;
}
