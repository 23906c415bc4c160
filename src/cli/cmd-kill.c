/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <signal.h>

/* Read once; a container of a --regex must not meet another signal than its neighbour. */
static int kill_signal;

static int kill_one(struct cli *cli, const char *id, wherry_error **reterr)
{
    return wherry_kill(cli->ctx, id, kill_signal, cli->args.all ? WHERRY_KILL_ALL : 0, reterr);
}

int cmd_kill(struct cli *cli)
{
    kill_signal = SIGTERM;
    /* A script's empty variable is no signal with runc and crun, too. */
    if (cli->args.npos > 1 && cli->args.pos[1][0]) {
        kill_signal = wherry_signal_number(cli->args.pos[1]);
        if (kill_signal < 0)
            return cli_failf(cli, "unknown signal \"%.64s\"", cli->args.pos[1]);
    }
    return cli_each_id(cli, kill_one);
}
