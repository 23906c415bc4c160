/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stddef.h>
#include <string.h>

/*
 * Every command and every option, once: the parser, --help, and the test that compares man pages and completion with it read this table.
 * Options of runc and of crun both, so that an engine's or a user's command line for either is understood.
 */

#define AT(member) offsetof(struct cli_args, member)
#define FLAG(name, letter, member, help)                                                                               \
    {                                                                                                                  \
        (name), (letter), OPT_BOOL, AT(member), NULL, (help), 0                                                        \
    }
#define FLAG_HIDDEN(name, letter, member, help)                                                                        \
    {                                                                                                                  \
        (name), (letter), OPT_BOOL, AT(member), NULL, (help), OPT_HIDDEN                                               \
    }
#define VALUE(name, letter, member, arg, help)                                                                         \
    {                                                                                                                  \
        (name), (letter), OPT_STRING, AT(member), (arg), (help), 0                                                     \
    }
#define NUMBER(name, letter, member, arg, help)                                                                        \
    {                                                                                                                  \
        (name), (letter), OPT_U32, AT(member), (arg), (help), 0                                                        \
    }

#define REPEAT(name, letter, member, arg, help)                                                                        \
    {                                                                                                                  \
        (name), (letter), OPT_LIST, AT(member), (arg), (help), 0                                                       \
    }

#define HELP FLAG("help", 'h', help, "show this text")
#define BUNDLE VALUE("bundle", 'b', bundle, "DIR", "the bundle (default: the working directory)")
#define CONFIG VALUE("config", 'f', config, "FILE", "the config's name in the bundle (default: config.json)")
#define NO_PIVOT FLAG("no-pivot", 0, no_pivot, "move the root instead of pivot_root: for a rootfs on an initramfs")
#define INIT FLAG("init", 0, init, "stay as pid 1: reap orphans, pass signals on to the payload")
#define NO_KEYRING FLAG("no-new-keyring", 0, no_new_keyring, "keep the session keyring of the caller")
#define PRESERVE NUMBER("preserve-fds", 0, preserve_fds, "N", "pass the descriptors 3 to 2+N to the payload")
#define CREATE                                                                                                         \
    BUNDLE, CONFIG, VALUE("console-socket", 0, console_socket, "PATH", "socket that is sent the terminal's master"),   \
        VALUE("pidfd-socket", 0, pidfd_socket, "PATH", "socket that is sent a pidfd of the container's init"),         \
        VALUE("pid-file", 0, pid_file, "FILE", "file for the pid of the container's init"), PRESERVE, NO_PIVOT,        \
        NO_KEYRING, INIT
#define END                                                                                                            \
    {                                                                                                                  \
        0                                                                                                              \
    }

const struct cli_opt cli_global_opts[] = {
    VALUE("root", 0, root, "DIR", "where containers are kept (default: /run/wherry)"),
    VALUE("log", 0, log, "DEST", "FILE, file:FILE, syslog:IDENT or journald:IDENT (default: stderr)"),
    VALUE("log-format", 0, log_format, "FORMAT", "text (default) or json"),
    VALUE("log-level", 0, log_level, "LEVEL", "error, warning (default), info or debug"),
    FLAG("debug", 0, debug, "the same as --log-level debug"),
    FLAG("systemd-cgroup", 0, systemd_cgroup, "the same as --cgroup-manager systemd"),
    VALUE("cgroup-manager", 0, cgroup_manager, "MANAGER", "cgroupfs (default), systemd or disabled"),
    VALUE("rootless", 0, rootless, "VALUE", "true, false or auto: whether to do without a cgroup that may not be made"),
    { "criu", 0, OPT_STRING, AT(criu), "PATH", "accepted; criu is found through PATH", OPT_HIDDEN },
    FLAG("version", 'v', version, "show the version"),
    FLAG_HIDDEN("V", 0, version, "show the version"),
    FLAG_HIDDEN("usage", 0, usage, "show a short usage line"),
    HELP,
    END,
};

static const struct cli_opt check_opts[] = {
    BUNDLE,
    CONFIG,
    VALUE("format", 0, format, "FORMAT", "text (default) or json"),
    VALUE("profile", 0, profile, "PROFILE",
          "engine: what engines write and decide is a note; default; hardened: what is open counts one step more"),
    REPEAT("ignore", 0, ignore, "ID", "leave out findings with this id; may be repeated"),
    FLAG("strict", 0, strict, "warnings count as errors"),
    HELP,
    END,
};

static const struct cli_opt create_opts[] = {
    CREATE,
    FLAG_HIDDEN("detach", 'd', detach, "accepted: create never waits"),
    FLAG_HIDDEN("keep", 0, keep, "accepted: create always keeps"),
    FLAG_HIDDEN("no-subreaper", 0, no_subreaper, "accepted: create never becomes a subreaper"),
    HELP,
    END,
};

static const struct cli_opt run_opts[] = {
    CREATE,
    FLAG("detach", 'd', detach, "return once the payload runs"),
    FLAG("keep", 0, keep, "do not delete the container when it has ended"),
    FLAG("no-subreaper", 0, no_subreaper, "do not adopt the orphans of the container"),
    HELP,
    END,
};

static const struct cli_opt delete_opts[] = {
    FLAG("force", 'f', force, "kill it first when it runs; an unknown ID is no error"),
    FLAG("regex", 'r', regex, "ID is an extended regular expression: every container that matches"),
    HELP,
    END,
};

static const struct cli_opt doctor_opts[] = {
    FLAG("rootless", 0, rootless_spec, "what an ordinary user can have, also when root asks"),
    FLAG("json", 0, json, "as JSON"),
    VALUE("format", 0, format, "FORMAT", "text (default) or json"),
    HELP,
    END,
};

static const struct cli_opt events_opts[] = {
    FLAG("stats", 0, stats, "print one record of statistics and end"),
    VALUE("interval", 0, interval, "DURATION", "statistics so often (default: 5s)"),
    FLAG("no-stats", 0, no_stats, "no statistics, only what happens"),
    REPEAT("trigger", 0, triggers, "TRIGGER", "tell of pressure, such as memory=some:150ms/1s; may be repeated"),
    HELP,
    END,
};

static const struct cli_opt exec_opts[] = {
    FLAG("detach", 'd', detach, "return once the process runs"),
    FLAG("tty", 't', tty, "give it a terminal"),
    VALUE("user", 'u', user, "UID[:GID]", "run as this user (numbers)"),
    REPEAT("additional-gids", 'g', gids, "GID", "one more group; may be repeated"),
    VALUE("cwd", 0, cwd, "DIR", "its working directory in the container"),
    REPEAT("env", 'e', env, "NAME=VALUE", "one more environment variable; may be repeated"),
    REPEAT("cap", 'c', caps, "CAP", "one more capability; may be repeated"),
    FLAG("no-new-privs", 0, no_new_privs, "it cannot gain privileges"),
    VALUE("apparmor", 0, apparmor, "PROFILE", "its AppArmor profile"),
    VALUE("process-label", 0, process_label, "LABEL", "its SELinux label"),
    VALUE("process", 'p', process, "FILE", "a process object as JSON, instead of all options above and a command"),
    REPEAT("cgroup", 0, cgroups, "[CTRL:]PATH", "a cgroup below the container's own, which must exist"),
    FLAG("ignore-paused", 0, ignore_paused, "wait for a paused container instead of failing"),
    VALUE("console-socket", 0, console_socket, "PATH", "socket that is sent the terminal's master"),
    VALUE("pidfd-socket", 0, pidfd_socket, "PATH", "socket that is sent a pidfd of the process"),
    VALUE("pid-file", 0, pid_file, "FILE", "file for the pid of the process"),
    PRESERVE,
    FLAG_HIDDEN("no-subreaper", 0, no_subreaper, "accepted: exec never becomes a subreaper"),
    HELP,
    END,
};

static const struct cli_opt explain_opts[] = {
    BUNDLE,   CONFIG,     VALUE("format", 0, format, "FORMAT", "text (default) or json"),
    NO_PIVOT, NO_KEYRING, INIT,
    PRESERVE, HELP,       END,
};

static const struct cli_opt kill_opts[] = {
    FLAG("all", 'a', all, "every process of the container; a stopped container is no error"),
    FLAG("regex", 'r', regex, "ID is an extended regular expression: every container that matches"),
    HELP,
    END,
};

static const struct cli_opt list_opts[] = {
    VALUE("format", 'f', format, "FORMAT", "table (default) or json"),
    FLAG("quiet", 'q', quiet, "only the ids, one a line"),
    HELP,
    END,
};

static const struct cli_opt ps_opts[] = {
    VALUE("format", 'f', format, "FORMAT", "table (default) or json: the process ids alone"),
    HELP,
    END,
};

static const struct cli_opt spec_opts[] = {
    VALUE("bundle", 'b', bundle, "DIR", "where to write it (default: the working directory)"),
    VALUE("file", 'f', config, "FILE", "its name (default: config.json)"),
    FLAG("rootless", 0, rootless_spec, "for a user without privileges"),
    HELP,
    END,
};

static const struct cli_opt state_opts[] = {
    FLAG("verbose", 0, verbose, "also fallbacks taken, the cgroup, and how init is identified"),
    FLAG_HIDDEN("all", 'a', verbose, "the same as --verbose"),
    HELP,
    END,
};

static const struct cli_opt update_opts[] = {
    VALUE("resources", 'r', resources, "FILE",
          "a linux.resources object as JSON, - for stdin, instead of the options below"),
    VALUE("blkio-weight", 0, blkio_weight, "WEIGHT", "of its block I/O, 10 to 1000"),
    VALUE("cpu-period", 0, cpu_period, "USEC", "the time that the quota is of"),
    VALUE("cpu-quota", 0, cpu_quota, "USEC", "processor time in a period; -1: no limit"),
    VALUE("cpu-burst", 0, cpu_burst, "USEC", "unused quota that may be used later"),
    VALUE("cpu-share", 0, cpu_share, "SHARES", "processor time against others, 2 to 262144"),
    VALUE("cpu-rt-period", 0, cpu_rt_period, "USEC", "the same as --cpu-period for realtime processes"),
    VALUE("cpu-rt-runtime", 0, cpu_rt_runtime, "USEC", "the same as --cpu-quota for realtime processes"),
    VALUE("cpu-idle", 0, cpu_idle, "0|1", "1: only when nobody else wants the processor"),
    VALUE("cpuset-cpus", 0, cpuset_cpus, "LIST", "the processors that it may use: 0-3,7"),
    VALUE("cpuset-mems", 0, cpuset_mems, "LIST", "the memory nodes that it may use"),
    VALUE("memory", 0, memory, "SIZE", "memory limit: bytes, or with a unit (64m, 1g); -1: no limit"),
    VALUE("memory-reservation", 0, memory_reservation, "SIZE", "memory that is spared under pressure"),
    VALUE("memory-swap", 0, memory_swap, "SIZE", "limit of memory and swap together; -1: no limit of swap"),
    VALUE("pids-limit", 0, pids_limit, "N", "the most processes and threads; -1: no limit"),
    VALUE("l3-cache-schema", 0, l3_schema, "SCHEMA", "the line of Intel RDT for the L3 cache"),
    VALUE("mem-bw-schema", 0, mb_schema, "SCHEMA", "the line of Intel RDT for memory bandwidth"),
    { "kernel-memory", 0, OPT_STRING, AT(kernel_memory), "SIZE", "accepted: part of the memory limit", OPT_HIDDEN },
    { "kernel-memory-tcp", 0, OPT_STRING, AT(kernel_memory_tcp), "SIZE", "accepted: part of the memory limit",
      OPT_HIDDEN },
    HELP,
    END,
};

static const struct cli_opt no_opts[] = { HELP, END };

const struct cli_command cli_commands[] = {
    { VERB_CHECK, "check", "", "find what is wrong or unsafe in a config.json",
      "Exit status: 0 nothing above a note, 1 warnings, 2 errors.", check_opts, 0, 0, false },
    { VERB_CREATE, "create", "ID", "create a container; its payload waits for start", NULL, create_opts, 1, 1, false },
    { VERB_DELETE, "delete", "ID", "delete a container that has ended", NULL, delete_opts, 1, 1, false },
    { VERB_DOCTOR, "doctor", "", "try what containers need of this host, and say what would fix each lack",
      "Exit status: 0 when containers run here, 1 when something that they need is missing.", doctor_opts, 0, 0,
      false },
    { VERB_EVENTS, "events", "ID", "show what a container uses and what happens to it, a line of JSON each", NULL,
      events_opts, 1, 1, false },
    { VERB_EXEC, "exec", "ID [COMMAND [ARGS]]", "run another process in a container",
      "Exit status: that of the process, 128+N when signal N killed it; 255 when it could not be run.", exec_opts, 1,
      -1, true },
    { VERB_EXPLAIN, "explain", "", "show step by step what create would do", "Needs no privileges and touches nothing.",
      explain_opts, 0, 0, false },
    { VERB_FEATURES, "features", "", "what this build can do, as JSON", NULL, no_opts, 0, 0, false },
    { VERB_HELP, "help", "[COMMAND]", "show how a command is used", NULL, no_opts, 0, 1, false },
    { VERB_KILL, "kill", "ID [SIGNAL]", "send a signal to a container (default: TERM)",
      "SIGNAL is a number or a name in any case, with or without SIG: 15, TERM, SIGTERM, RTMIN+3.", kill_opts, 1, 2,
      true },
    { VERB_LICENSES, "licenses", "", "print the notices of the libraries that are linked into the program", NULL,
      no_opts, 0, 0, false },
    { VERB_LIST, "list", "", "list the containers", NULL, list_opts, 0, 0, false },
    { VERB_PAUSE, "pause", "ID", "stop all processes of a container where they are", NULL, no_opts, 1, 1, false },
    { VERB_PS, "ps", "ID [PS OPTIONS]", "list the processes of a container",
      "PS OPTIONS are those of ps(1), -ef by default; it has to print a column PID.", ps_opts, 1, -1, true },
    { VERB_RESUME, "resume", "ID", "let a paused container go on", NULL, no_opts, 1, 1, false },
    { VERB_RUN, "run", "ID", "create and start a container and wait for its end",
      "Exit status: that of the payload, 128+N when signal N killed it; 1 when it could not be run.", run_opts, 1, 1,
      false },
    { VERB_SPEC, "spec", "", "write a config.json to begin with", NULL, spec_opts, 0, 0, false },
    { VERB_START, "start", "ID", "start the payload of a created container", NULL, no_opts, 1, 1, false },
    { VERB_STATE, "state", "ID", "show the state of a container as JSON", NULL, state_opts, 1, 1, false },
    { VERB_UPDATE, "update", "ID", "change the limits of a container", "All of them are changed, or none.", update_opts,
      1, 1, false },
    { VERB_NONE, NULL, NULL, NULL, NULL, NULL, 0, 0, false },
};

const struct cli_command *cli_command_find(const char *name)
{
    if (strcmp(name, "h") == 0)
        name = "help";
    for (const struct cli_command *c = cli_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}
