/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <unistd.h>

static int print_event(void *data, const char *json)
{
    struct cli_buf *line = data;

    /* One write a record: whoever reads has whole lines, also of two programs that share a pipe. */
    line->len = 0;
    cli_buf_str(line, json);
    cli_buf_add(line, "\n", 1);
    return line->failed ? -ENOMEM : cli_write_all(STDOUT_FILENO, line->data, line->len);
}

static int print_stats(struct cli *cli)
{
    wherry_error *error = NULL;
    char *json = NULL;
    int r = wherry_stats(cli->ctx, cli->args.pos[0], &json, &error);

    r = r < 0 ? cli_fail(cli, NULL, r, error) : cli_print(cli, json);
    wherry_free(json);
    return r;
}

int cmd_events(struct cli *cli)
{
    const struct cli_args *a = &cli->args;
    struct wherry_events_opts opts = {
        .size = sizeof(opts),
        .interval = a->no_stats   ? NULL
                    : a->interval ? a->interval
                                  : "5s",
        .triggers = a->triggers.v,
    };
    wherry_error *error = NULL;
    struct cli_buf line = { 0 };
    int r;

    if (a->stats && (a->no_stats || a->triggers.n > 0))
        return cli_failf(cli, "--stats prints one record and ends: --%s has no place beside it",
                         a->no_stats ? "no-stats" : "trigger");
    if (a->no_stats && a->interval)
        return cli_failf(cli, "--interval and --no-stats contradict each other");
    if (a->stats)
        return print_stats(cli);
    r = wherry_events(cli->ctx, a->pos[0], &opts, print_event, &line, &error);
    cli_buf_free(&line);
    return r < 0 ? cli_fail(cli, NULL, r, error) : 0;
}
