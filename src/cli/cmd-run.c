/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

int cmd_run(struct cli *cli)
{
    struct wherry_create_opts opts;
    wherry_error *error = NULL;
    char words[64];
    int status = 0, r, fd;

    r = cli_create_opts(cli, &opts);
    if (r != 0)
        return r;
    if (cli->args.detach)
        opts.flags |= WHERRY_CREATE_DETACH;
    if (cli->args.keep)
        opts.flags |= WHERRY_CREATE_KEEP;
    if (cli->args.no_subreaper)
        opts.flags |= WHERRY_CREATE_NO_SUBREAPER;
    if (cli->args.detach) {
        fd = cli_take_end_signals();
        opts.cancel_fd = fd;
    } else {
        if (!cli->args.no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
            return cli_failf(cli, "run failed: become the parent of orphans: %s", cli_errno_words(errno, words));
        /* Blocked before the container exists: none is lost, and none can end us half-way. */
        fd = cli_take_payload_signals();
        opts.signal_fd = fd;
    }
    if (fd < 0)
        return cli_failf(cli, "run failed: take over signals: %s", cli_errno_words(fd, words));
    do
        r = wherry_run(cli->ctx, cli->args.pos[0], &opts, &status, &error);
    while (cli_twin_for_labels(cli, r, &error));
    close(fd);
    if (r < 0)
        return cli_fail(cli, "run failed", r, error);
    return cli->args.detach ? 0 : status;
}
