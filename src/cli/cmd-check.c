/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <string.h>

/* The status tells what was found, so what keeps us from looking is told apart from warnings: 2, as for a config that cannot run. */
#define STATUS_ERROR 2

/* 0 or exit status. */
static int profile(struct cli *cli, uint32_t *ret_flags)
{
    static const struct {
        const char *name;
        uint32_t flags;
    } t[] = { { "default", 0 }, { "engine", WHERRY_CHECK_ENGINE }, { "hardened", WHERRY_CHECK_HARDENED } };
    const char *name = cli->args.profile ? cli->args.profile : t[0].name;

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (strcmp(name, t[i].name) == 0) {
            *ret_flags = t[i].flags;
            return 0;
        }
    return cli_failf(cli, "unknown profile \"%.64s\": want engine, default or hardened", name);
}

int cmd_check(struct cli *cli)
{
    struct wherry_create_opts opts;
    wherry_error *error = NULL;
    char *report = NULL;
    int worst = 0, r;
    uint32_t flags = 0;
    bool json;

    if (cli_report_format(cli, &json) != 0 || profile(cli, &flags) != 0 || cli_create_opts(cli, &opts) != 0)
        return STATUS_ERROR;
    flags |= (json ? WHERRY_CHECK_JSON : 0) | (cli->args.strict ? WHERRY_CHECK_STRICT : 0);
    opts.check_ignore = cli->args.ignore.v;
    do
        r = wherry_check(cli->ctx, &opts, flags, &report, &worst, &error);
    while (cli_twin_for_labels(cli, r, &error));
    if (r < 0) {
        cli_fail(cli, NULL, r, error);
        return STATUS_ERROR;
    }
    r = cli_print(cli, report);
    wherry_free(report);
    return r != 0 ? STATUS_ERROR : worst;
}
