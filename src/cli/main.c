/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

static int cmd_help(struct cli *cli);

static int (*const commands[VERB_MAX])(struct cli *) = {
    [VERB_CHECK] = cmd_check,     [VERB_CREATE] = cmd_create,
    [VERB_DELETE] = cmd_delete,   [VERB_DOCTOR] = cmd_doctor,
    [VERB_EVENTS] = cmd_events,   [VERB_EXEC] = cmd_exec,
    [VERB_EXPLAIN] = cmd_explain, [VERB_FEATURES] = cmd_features,
    [VERB_HELP] = cmd_help,       [VERB_KILL] = cmd_kill,
    [VERB_LIST] = cmd_list,       [VERB_RUN] = cmd_run,
    [VERB_SPEC] = cmd_spec,       [VERB_START] = cmd_start,
    [VERB_STATE] = cmd_state,     [VERB_PAUSE] = cmd_pause,
    [VERB_PS] = cmd_ps,           [VERB_RESUME] = cmd_resume,
    [VERB_UPDATE] = cmd_update,   [VERB_LICENSES] = cmd_licenses,
};

static int print_help(struct cli *cli, const struct cli_command *c)
{
    struct cli_buf b = { 0 };

    cli_help(&b, c);
    return cli_print_buf(cli, &b);
}

static void near_commands(const char *name, char *ret, size_t size)
{
    struct cli_near near = { .count = 0 };

    for (const struct cli_command *c = cli_commands; c->name; c++)
        cli_near_add(&near, name, strlen(name), c->name);
    cli_near_text(&near, "\"", ret, size);
}

static int cmd_help(struct cli *cli)
{
    const struct cli_command *c = NULL;
    char near[128];

    if (cli->args.npos > 0) {
        c = cli_command_find(cli->args.pos[0]);
        if (!c) {
            near_commands(cli->args.pos[0], near, sizeof(near));
            return cli_failf(cli, "no help topic for \"%.100s\"%s", cli->args.pos[0], near);
        }
    }
    return print_help(cli, c);
}

/* Else the first file that is opened becomes somebody's stdout, and ends up in the container. */
static int fill_stdio(void)
{
    for (int fd = 0; fd < 3; fd++) {
        int null;

        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        null = openat(AT_FDCWD, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
        if (null != fd)
            return null < 0 ? -errno : -EBADF;
    }
    return 0;
}

/* All ids mapped to themselves: the user namespace that the machine began with. */
static bool in_initial_userns(void)
{
    char map[128];
    int fd = openat(AT_FDCWD, "/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, map, sizeof(map) - 1);

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return true;
    map[n] = '\0';
    return strspn(map, " 0") >= strcspn(map, "4") && strstr(map, "4294967295") && strchr(map, '\n') == map + n - 1;
}

static const char *default_root(void)
{
    static char path[PATH_MAX];
    const char *dir = getenv("XDG_RUNTIME_DIR"), *user = getenv("USER");
    bool rootless = geteuid() != 0 || (!in_initial_userns() && (!user || strcmp(user, "root") != 0));

    if (!rootless || !dir || !*dir || snprintf(path, sizeof(path), "%s/wherry", dir) >= (int)sizeof(path))
        return "/run/wherry";
    return path;
}

static int find_root(struct cli *cli)
{
    char *cwd = NULL;
    char words[64];

    cli->root_explicit = cli->args.root && *cli->args.root;
    if (!cli->root_explicit)
        cli->args.root = default_root();
    if (cli->args.root[0] != '/') {
        cwd = getcwd(NULL, 0);
        if (!cwd)
            return cli_failf(cli, "find the working directory for --root %.100s: %s", cli->args.root,
                             cli_errno_words(errno, words));
    }
    cli->root = cli_abspath(cwd ? cwd : "/", cli->args.root);
    free(cwd);
    if (!cli->root)
        return cli_failf(cli, "out of memory");
    if (strcmp(cli->root, "/") == 0)
        return cli_failf(cli, "Option --root argument should not be set to /");
    return 0;
}

/* An address of D-Bus: what is not one of these characters is written as %xx (D-Bus specification, "Server Addresses"). */
static const char *bus_of_runtime_dir(const char *dir)
{
    static const char plain[] = "-_/.\\*0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    struct cli_buf b = { 0 };

    cli_buf_str(&b, "unix:path=");
    for (const char *p = dir; *p; p++)
        if (strchr(plain, *p))
            cli_buf_add(&b, p, 1);
        else
            cli_buf_printf(&b, "%%%02x", (unsigned)(unsigned char)*p);
    cli_buf_str(&b, "/bus");
    return b.failed ? NULL : b.data;
}

static const char *user_bus(void)
{
    const char *address = getenv("DBUS_SESSION_BUS_ADDRESS"), *dir = getenv("XDG_RUNTIME_DIR");

    return address && *address ? address : dir && *dir ? bus_of_runtime_dir(dir) : NULL;
}

static int open_context(struct cli *cli)
{
    struct wherry_ctx_opts opts = {
        .size = sizeof(opts), .log_at = cli_log_message, .log_data = &cli->log, .log_level = cli->log.level
    };
    const char *manager = cli->args.cgroup_manager, *rootless = cli->args.rootless;
    wherry_error *error = NULL;
    int r;

    opts.cgroup_manager = cli->args.systemd_cgroup ? WHERRY_CGROUP_SYSTEMD : WHERRY_CGROUP_CGROUPFS;
    if (manager && *manager) {
        if (strcmp(manager, "cgroupfs") == 0)
            opts.cgroup_manager = WHERRY_CGROUP_CGROUPFS;
        else if (strcmp(manager, "systemd") == 0)
            opts.cgroup_manager = WHERRY_CGROUP_SYSTEMD;
        else if (strcmp(manager, "disabled") == 0)
            opts.cgroup_manager = WHERRY_CGROUP_DISABLED;
        else
            return cli_failf(cli, "invalid cgroup-manager: %.64s (want cgroupfs, systemd or disabled)", manager);
    }
    if (rootless && *rootless && strcmp(rootless, "auto") != 0) {
        r = cli_parse_bool(rootless);
        if (r < 0)
            return cli_failf(cli, "invalid rootless: %.64s (want true, false or auto)", rootless);
        opts.rootless = r ? WHERRY_ROOTLESS_YES : WHERRY_ROOTLESS_NO;
    }
    r = find_root(cli);
    if (r != 0)
        return r;
    opts.root = cli->root;
    opts.notify_socket = getenv("NOTIFY_SOCKET");
    opts.user_bus = user_bus();
    r = wherry_ctx_new(&opts, &cli->ctx, &error);
    if (r < 0)
        return cli_fail(cli, NULL, r, error);
    /* Now, and not when the library says so: nothing has been done yet that the other program would find done. */
    if (opts.cgroup_manager == WHERRY_CGROUP_SYSTEMD &&
        (cli->command->verb == VERB_CREATE || cli->command->verb == VERB_RUN) && wherry_twin_needed())
        return cli_twin(cli);
    return 0;
}

/*
 * The command that argv names, for the status of what fails before or while the options in front of it are read. How
 * many words belong to an option that is not known is not known either: after one, the first word that is a
 * command's name counts.
 */
static const struct cli_command *command_meant(int argc, char **argv)
{
    bool sure = true;

    for (int i = 1; i < argc; i++) {
        const struct cli_command *c = NULL;
        struct cli_usage_error e = { "" };
        struct cli_args args = { 0 };

        if (cli_parse(cli_global_opts, argc, argv, &i, true, false, &args, &e) < 0) {
            sure = false;
            continue;
        }
        if (i < argc)
            c = cli_command_find(argv[i]);
        if (c || sure)
            return c;
    }
    return NULL;
}

/* 1 is how `check` says that there are warnings. */
static int usage_status(const struct cli *cli, int status)
{
    return cli->command && cli->command->verb == VERB_CHECK && status == 1 ? 2 : status;
}

/* go-runc reads the version of a program that calls itself runc, and of no other. */
static int print_version(struct cli *cli)
{
    const char *as = getenv("WHERRY_COMPAT"), *slash = strrchr(cli->argv[0] ? cli->argv[0] : "", '/');
    struct cli_buf b = { 0 };

    if (as && *as && strcmp(as, "runc") != 0)
        return cli_failf(cli, "invalid WHERRY_COMPAT: %.64s (want runc)", as);
    if (!as || !*as)
        as = slash ? slash + 1 : cli->argv[0];
    cli_version(&b, as && strcmp(as, "runc") == 0 ? "runc" : "wherry");
    return cli_print_buf(cli, &b);
}

static int run_command(struct cli *cli, int argc, char **argv, int i)
{
    struct cli_usage_error e = { "" };
    char near[128];
    int r;

    cli->command = cli_command_find(argv[i]);
    if (!cli->command) {
        near_commands(argv[i], near, sizeof(near));
        return cli_failf(cli, "unknown command \"%.100s\"%s (`wherry --help` lists them)", argv[i], near);
    }
    i++;
    r = cli_parse(cli->command->opts, argc, argv, &i, cli->command->stops, true, &cli->args, &e);
    if (r < 0)
        return usage_status(cli, cli_usage(cli, &e, NULL));
    if (cli->args.help)
        return print_help(cli, cli->command);
    r = cli_check_operands(cli->command, cli->args.npos, &e);
    if (r < 0)
        return usage_status(cli, cli_usage(cli, &e, cli->command));
    if (cli->command->verb != VERB_HELP) {
        r = open_context(cli);
        if (r != 0)
            return usage_status(cli, r);
    }
    r = commands[cli->command->verb](cli);
    wherry_ctx_free(cli->ctx);
    free(cli->root);
    return r;
}

int main(int argc, char **argv)
{
    struct cli cli = { .log = { .dest = DEST_STDERR, .fd = -1 }, .argv = argv };
    struct cli_usage_error e = { "" };
    char words[64];
    int i = 1, r;

    cli.command = command_meant(argc, argv);
    r = fill_stdio();
    if (r < 0)
        return usage_status(&cli, cli_failf(&cli, "open /dev/null for stdin, stdout or stderr that is closed: %s",
                                            cli_errno_words(-r, words)));
    /* A caller that ignores it has handed that on, and the kernel would keep no status of our children. */
    sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
    /* Somebody's privileges and somebody else's environment: nothing here was made for that. */
    if (getauxval(AT_SECURE))
        return usage_status(&cli, cli_failf(&cli, "wherry must not be set-uid, set-gid or have file capabilities"));
    cli.args.pos = calloc((size_t)argc + 1, sizeof(*cli.args.pos));
    if (!cli.args.pos)
        return usage_status(&cli, cli_failf(&cli, "out of memory"));
    r = cli_parse(cli_global_opts, argc, argv, &i, true, false, &cli.args, &e);
    if (r < 0) {
        r = usage_status(&cli, cli_usage(&cli, &e, NULL));
    } else if (cli.args.version) {
        r = print_version(&cli);
    } else if (cli.args.usage) {
        r = cli_print(&cli, "Usage: wherry [OPTIONS] COMMAND [COMMAND OPTIONS] [ID] [ARGS]");
    } else if (cli.args.help || i >= argc) {
        r = print_help(&cli, NULL);
    } else if (cli_log_open(&cli.log, &cli.args, &e) < 0) {
        r = usage_status(&cli, cli_failf(&cli, "%s", e.text));
    } else {
        r = run_command(&cli, argc, argv, i);
    }
    free(cli.args.pos);
    free(cli.args.env.v);
    free(cli.args.gids.v);
    free(cli.args.caps.v);
    free(cli.args.cgroups.v);
    free(cli.args.triggers.v);
    return r;
}
