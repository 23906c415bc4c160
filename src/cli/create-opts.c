/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse_count(const char *s, uint32_t max, uint32_t *ret)
{
    uint32_t n = 0;

    if (!*s || strlen(s) > 9)
        return -EINVAL;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -EINVAL;
        n = n * 10 + (uint32_t)(*s - '0');
    }
    if (n > max)
        return -ERANGE;
    *ret = n;
    return 0;
}

/* sd_listen_fds(3): meant for us only if LISTEN_PID says so; inherited from an ancestor it names descriptors of other files. */
static int listen_fds(struct cli *cli, const char *prefix, uint32_t *ret)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint32_t p, n;

    *ret = 0;
    if (!pid || !fds || parse_count(pid, INT_MAX, &p) < 0 || (pid_t)p != getpid())
        return 0;
    if (parse_count(fds, 1024, &n) < 0)
        return cli_failf(cli, "%sLISTEN_FDS is \"%.32s\", which is no number of descriptors", prefix, fds);
    *ret = n;
    return 0;
}

int cli_preserved_fds(struct cli *cli, const char *prefix, uint32_t *ret_listen, uint32_t *ret_preserve)
{
    uint32_t more = cli->args.preserve_fds;
    int r = listen_fds(cli, prefix, ret_listen);

    if (r != 0)
        return r;
    if (more > INT_MAX - 3 - *ret_listen)
        return cli_failf(cli, "%s--preserve-fds %u is more than a process can have", prefix, more);
    *ret_preserve = *ret_listen + more;
    return 0;
}

int cli_look_at_fds(struct cli *cli, const char *prefix, uint32_t preserve)
{
    for (uint32_t i = 0; i < preserve; i++)
        if (fcntl((int)(3 + i), F_GETFD) < 0)
            return cli_failf(cli, "%sunable to stat preserved-fd %u (of %u)", prefix, i, preserve);
    return 0;
}

/* $XDG_RUNTIME_DIR is swept of what looks old, but not of what has the sticky bit (XDG Base Directory Specification). */
static int make_rootless_root(struct cli *cli, const char *prefix)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    char words[64];

    if (cli->root_explicit || !dir || !*dir || strncmp(cli->root, dir, strlen(dir)) != 0)
        return 0;
    if (mkdirat(AT_FDCWD, cli->root, 0700) < 0) {
        if (errno == EEXIST)
            return 0;
    } else if (fchmodat(AT_FDCWD, cli->root, 01700, 0) == 0) {
        return 0;
    }
    return cli_failf(cli, "%screate the state directory %.200s: %s", prefix, cli->root, cli_errno_words(errno, words));
}

int cli_take_signals(const sigset_t *set)
{
    int fd = sigprocmask(SIG_BLOCK, set, NULL) < 0 ? -1 : signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int cli_take_payload_signals(void)
{
    sigset_t set;

    sigfillset(&set);
    sigdelset(&set, SIGURG);
    return cli_take_signals(&set);
}

int cli_take_end_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return cli_take_signals(&set);
}

int cli_create_opts(struct cli *cli, struct wherry_create_opts *opts)
{
    const struct cli_args *args = &cli->args;
    const char *prefix = cli->command->verb == VERB_CREATE ? "create failed: "
                         : cli->command->verb == VERB_RUN  ? "run failed: "
                                                           : "";
    int r;

    *opts = (struct wherry_create_opts){
        .size = sizeof(*opts),
        .bundle = args->bundle && *args->bundle ? args->bundle : NULL,
        .config = args->config && *args->config ? args->config : NULL,
        .console_socket = args->console_socket && *args->console_socket ? args->console_socket : NULL,
        .pidfd_socket = args->pidfd_socket && *args->pidfd_socket ? args->pidfd_socket : NULL,
        .pid_file = args->pid_file && *args->pid_file ? args->pid_file : NULL,
        .flags = (args->no_pivot ? WHERRY_CREATE_NO_PIVOT : 0) |
                 (args->no_new_keyring ? WHERRY_CREATE_NO_NEW_KEYRING : 0) | (args->init ? WHERRY_CREATE_INIT : 0),
    };
    r = cli_preserved_fds(cli, prefix, &opts->listen_fds, &opts->preserve_fds);
    if (r != 0)
        return r;
    opts->listen_fdnames = opts->listen_fds ? getenv("LISTEN_FDNAMES") : NULL;
    opts->seccomp_receiver = getenv("RUN_OCI_SECCOMP_RECEIVER"); /* crun's */
    opts->path = getenv("PATH"); /* newuidmap and newgidmap are found there */
    if (cli->command->verb == VERB_CREATE || cli->command->verb == VERB_RUN) {
        r = make_rootless_root(cli, prefix);
        if (r == 0)
            r = cli_look_at_fds(cli, prefix, opts->preserve_fds);
    }
    return r;
}
