/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What engines take for "the process could not be run"; 1 could be its own status. */
#define FAILED 255

static const char *some(const char *s)
{
    return s && *s ? s : NULL;
}

/* The numbers of -g, malloc'ed; null when there is none, or, with *ret_bad, one that is no number. */
static uint32_t *gids(const struct cli_list *list, const char **ret_bad)
{
    uint32_t *v = list->n ? calloc(list->n, sizeof(*v)) : NULL;

    for (size_t i = 0; v && i < list->n; i++)
        if (cli_parse_u32(list->v[i], &v[i]) < 0) {
            *ret_bad = list->v[i];
            free(v);
            return NULL;
        }
    return v;
}

int cmd_exec(struct cli *cli)
{
    const struct cli_args *a = &cli->args;
    struct wherry_exec_opts opts = {
        .size = sizeof(opts),
        .process = some(a->process),
        .args = a->npos > 1 ? (const char *const *)&a->pos[1] : NULL,
        .env = a->env.v,
        .cwd = some(a->cwd),
        .user = some(a->user),
        .caps = a->caps.v,
        .apparmor_profile = some(a->apparmor),
        .process_label = some(a->process_label),
        .cgroups = a->cgroups.v,
        .console_socket = some(a->console_socket),
        .pidfd_socket = some(a->pidfd_socket),
        .pid_file = some(a->pid_file),
        .flags = (a->detach ? WHERRY_EXEC_DETACH : 0) | (a->tty ? WHERRY_EXEC_TTY : 0) |
                 (a->no_new_privs ? WHERRY_EXEC_NO_NEW_PRIVS : 0) | (a->ignore_paused ? WHERRY_EXEC_IGNORE_PAUSED : 0),
    };
    int status = 0, r, cancel_fd, signal_fd = -1;
    wherry_error *error = NULL;
    const char *bad = NULL;
    uint32_t *groups;
    char words[64];

    /* As with runc and crun. */
    if (opts.process && a->npos > 1) {
        char text[200];

        snprintf(text, sizeof(text), "with --process the command is that of the file: \"%.100s\" is ignored",
                 a->pos[1]);
        cli_log_message(&cli->log, WHERRY_LOG_WARNING, text, strstr(__FILE__, "src/"), __func__);
        opts.args = NULL;
    }
    if (cli_preserved_fds(cli, "exec failed: ", &opts.listen_fds, &opts.preserve_fds) != 0 ||
        cli_look_at_fds(cli, "exec failed: ", opts.preserve_fds) != 0)
        return FAILED;
    opts.listen_fdnames = opts.listen_fds ? getenv("LISTEN_FDNAMES") : NULL;
    groups = gids(&a->gids, &bad);
    if (bad) {
        cli_failf(cli, "exec failed: bad gid \"%.64s\" in additional gids", bad);
        return FAILED;
    }
    opts.additional_gids = groups;
    opts.nadditional_gids = groups ? a->gids.n : 0;
    /* Whoever ends us before the process runs wants no half of one; from then on the signals are its own. */
    cancel_fd = cli_take_end_signals();
    if (cancel_fd >= 0 && !a->detach)
        signal_fd = cli_take_payload_signals();
    if (cancel_fd < 0 || (!a->detach && signal_fd < 0)) {
        cli_failf(cli, "exec failed: take over signals: %s",
                  cli_errno_words(cancel_fd < 0 ? cancel_fd : signal_fd, words));
        return FAILED;
    }
    opts.cancel_fd = cancel_fd;
    opts.signal_fd = a->detach ? 0 : signal_fd;
    do
        r = wherry_exec(cli->ctx, a->pos[0], &opts, &status, &error);
    while (cli_twin_for_labels(cli, r, &error));
    close(cancel_fd);
    if (signal_fd >= 0)
        close(signal_fd);
    free(groups);
    if (r < 0) {
        cli_fail(cli, "exec failed", r, error);
        return FAILED;
    }
    return a->detach ? 0 : status;
}
