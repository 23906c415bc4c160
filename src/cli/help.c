/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static void options(struct cli_buf *b, const struct cli_opt *opts)
{
    for (const struct cli_opt *o = opts; o->name; o++) {
        char left[64];

        if (o->flags & OPT_HIDDEN)
            continue;
        if (o->letter)
            snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        else
            snprintf(left, sizeof(left), "    --%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        cli_buf_printf(b, "  %-28s %s\n", left, o->help);
    }
}

void cli_help(struct cli_buf *b, const struct cli_command *c)
{
    if (c) {
        cli_buf_printf(b, "Usage: wherry [GLOBAL OPTIONS] %s [OPTIONS]%s%s\n\n%c%s.\n", c->name,
                       *c->operands ? " " : "", c->operands, c->summary[0] - ('a' - 'A'), c->summary + 1);
        if (c->text)
            cli_buf_printf(b, "%s\n", c->text);
        cli_buf_str(b, "\nOptions:\n");
        options(b, c->opts);
        return;
    }
    cli_buf_str(b, "Usage: wherry [OPTIONS] COMMAND [COMMAND OPTIONS] [ID] [ARGS]\n\n"
                   "Run containers as the OCI runtime specification describes them.\n\nCommands:\n");
    for (c = cli_commands; c->name; c++)
        cli_buf_printf(b, "  %-10s %s\n", c->name, c->summary);
    cli_buf_str(b, "\nOptions:\n");
    options(b, cli_global_opts);
    cli_buf_str(b, "\n`wherry COMMAND --help` tells more, and so does wherry(1).\n");
}
