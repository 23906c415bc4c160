/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <regex.h>

/* A container that only the twin can deal with; with --regex the others are done by then, and it does what is left. */
static int failed(struct cli *cli, const char *prefix, int r, wherry_error *error)
{
    if (r != -ELIBACC || !wherry_twin_needed())
        return cli_fail(cli, prefix, r, error);
    wherry_error_free(error);
    return cli_twin(cli);
}

int cli_each_id(struct cli *cli, int (*fn)(struct cli *cli, const char *id, wherry_error **reterr))
{
    wherry_container **list = NULL;
    wherry_error *error = NULL;
    regex_t re;
    int r, status = 0;

    if (!cli->args.regex) {
        r = fn(cli, cli->args.pos[0], &error);
        return r < 0 ? failed(cli, NULL, r, error) : 0;
    }
    r = regcomp(&re, cli->args.pos[0], REG_EXTENDED | REG_NOSUB);
    if (r != 0) {
        char why[128];

        regerror(r, &re, why, sizeof(why));
        return cli_failf(cli, "invalid regular expression \"%.100s\": %s", cli->args.pos[0], why);
    }
    r = wherry_list(cli->ctx, &list, &error);
    if (r < 0)
        status = cli_fail(cli, NULL, r, error);
    /* One that fails does not spare the others. */
    for (size_t i = 0; list && list[i]; i++) {
        if (regexec(&re, wherry_container_id(list[i]), 0, NULL, 0) == 0) {
            error = NULL;
            r = fn(cli, wherry_container_id(list[i]), &error);
            if (r < 0)
                status = failed(cli, wherry_container_id(list[i]), r, error);
        }
        wherry_container_free(list[i]);
    }
    wherry_free(list);
    regfree(&re);
    return status;
}
