/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COLUMNS 6

static int print_json(struct cli *cli, wherry_container *const *list, struct cli_buf *b)
{
    const char *sep = "[";

    for (size_t i = 0; list && list[i]; i++) {
        wherry_error *error = NULL;
        char *json = NULL;
        int r = wherry_container_state(list[i], WHERRY_STATE_OWNER | WHERRY_STATE_COMPACT, &json, &error);

        if (r < 0)
            return cli_fail(cli, NULL, r, error);
        cli_buf_str(b, sep);
        cli_buf_add(b, json, strcspn(json, "\n"));
        wherry_free(json);
        sep = ",";
    }
    /* What Go's encoder makes of a nil slice, and what go-runc reads. */
    cli_buf_str(b, *sep == '[' ? "null\n" : "]\n");
    return 0;
}

static int print_table(struct cli *cli, wherry_container *const *list, size_t n, struct cli_buf *b)
{
    static const char *const header[COLUMNS] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };
    const char **cells = calloc((n + 1) * COLUMNS, sizeof(*cells));
    char(*pids)[16] = calloc(n + 1, sizeof(*pids));

    if (!cells || !pids) {
        free(cells);
        free(pids);
        return cli_failf(cli, "out of memory");
    }
    memcpy(cells, header, sizeof(header));
    for (size_t i = 0; i < n; i++) {
        const char **row = cells + (i + 1) * COLUMNS;

        snprintf(pids[i], sizeof(pids[i]), "%d", wherry_container_pid(list[i]));
        row[0] = wherry_container_id(list[i]);
        row[1] = pids[i];
        row[2] = wherry_container_status(list[i]);
        row[3] = wherry_container_bundle(list[i]);
        row[4] = wherry_container_created(list[i]);
        row[5] = wherry_container_owner(list[i]);
    }
    cli_table(b, cells, n + 1, COLUMNS);
    free(cells);
    free(pids);
    return 0;
}

/* 1 when there is no root yet, which is no error unless somebody named it. */
static int root_is_missing(struct cli *cli)
{
    struct stat st;

    if (fstatat(AT_FDCWD, cli->root, &st, 0) == 0 || errno != ENOENT)
        return 0;
    return 1;
}

int cmd_list(struct cli *cli)
{
    const char *format = cli->args.format ? cli->args.format : "table";
    bool json = strcmp(format, "json") == 0;
    wherry_container **list = NULL;
    wherry_error *error = NULL;
    struct cli_buf b = { 0 };
    size_t n = 0;
    int r;

    if (!json && strcmp(format, "table") != 0)
        return cli_failf(cli, "invalid format option: %.64s (want table or json)", format);
    if (root_is_missing(cli)) {
        if (cli->root_explicit)
            return cli_failf(cli, "open %.200s: no such file or directory", cli->root);
    } else {
        r = wherry_list(cli->ctx, &list, &error);
        if (r < 0)
            return cli_fail(cli, NULL, r, error);
    }
    while (list && list[n])
        n++;
    r = 0;
    if (cli->args.quiet) {
        for (size_t i = 0; i < n; i++)
            cli_buf_printf(&b, "%s\n", wherry_container_id(list[i]));
    } else if (json) {
        r = print_json(cli, list, &b);
    } else {
        r = print_table(cli, list, n, &b);
    }
    for (size_t i = 0; i < n; i++)
        wherry_container_free(list[i]);
    wherry_free(list);
    return r != 0 ? r : cli_print_buf(cli, &b);
}
