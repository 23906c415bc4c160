/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_CLI_H
#define WH_CLI_H

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wherry.h"

/*
 * The program: arguments in, one call of the library, text out. Everything here runs once and ends with the process, so memory that
 * lives until exit is not freed one by one.
 */

enum cli_verb {
    VERB_NONE,
    VERB_CHECK,
    VERB_CREATE,
    VERB_DELETE,
    VERB_DOCTOR,
    VERB_EVENTS,
    VERB_EXEC,
    VERB_EXPLAIN,
    VERB_FEATURES,
    VERB_KILL,
    VERB_LICENSES,
    VERB_LIST,
    VERB_PAUSE,
    VERB_PS,
    VERB_RESUME,
    VERB_RUN,
    VERB_SPEC,
    VERB_START,
    VERB_STATE,
    VERB_UPDATE,
    VERB_HELP,
    VERB_MAX,
};

/* ---- arguments ---- */

/* The values of an option that may be given more than once; null-terminated when there is one. */
struct cli_list {
    const char **v;
    size_t n;
};

/* What was given; members of options that were not given are zero. */
struct cli_args {
    /* before the command */
    const char *root, *log, *log_format, *log_level, *cgroup_manager, *rootless, *criu;
    bool debug, systemd_cgroup, version, usage, help;
    /* after it */
    const char *bundle, *config, *console_socket, *pidfd_socket, *pid_file, *format, *profile;
    uint32_t preserve_fds;
    const char *cwd, *user, *process, *process_label, *apparmor;
    const char *resources, *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period,
        *cpu_rt_runtime, *cpu_idle, *cpuset_cpus, *cpuset_mems, *memory, *memory_reservation, *memory_swap, *pids_limit,
        *l3_schema, *mb_schema, *kernel_memory, *kernel_memory_tcp;
    struct cli_list env, gids, caps, cgroups, ignore;
    bool tty, no_new_privs, ignore_paused;
    const char *interval;
    struct cli_list triggers;
    bool stats, no_stats;
    bool no_pivot, no_new_keyring, init, detach, keep, no_subreaper, all, force, regex, quiet, verbose, strict,
        rootless_spec, json;
    /* what is not an option */
    char **pos;
    int npos;
};

enum cli_opt_kind { OPT_BOOL, OPT_STRING, OPT_U32, OPT_LIST };
enum cli_opt_flags { OPT_HIDDEN = 1 };

struct cli_opt {
    const char *name; /* without dashes; null ends a table */
    char letter; /* or 0 */
    enum cli_opt_kind kind;
    size_t offset; /* in struct cli_args */
    const char *arg; /* what the value is called, or null */
    const char *help;
    unsigned int flags;
};

struct cli_command {
    enum cli_verb verb;
    const char *name;
    const char *operands; /* for the usage line */
    const char *summary;
    const char *text; /* more for --help, or null */
    const struct cli_opt *opts;
    int min, max; /* number of operands; max < 0: any */
    bool stops; /* after the first operand, all that follows are operands */
};

extern const struct cli_opt cli_global_opts[];
extern const struct cli_command cli_commands[]; /* sorted by name; ends with a null name */

const struct cli_command *cli_command_find(const char *name);

/* Why parsing ended. text is one line for people. */
struct cli_usage_error {
    char text[256];
};

/*
 * Reads options of `opts` from argv[*i] on. Operands are kept in argv's own order in args->pos, which must have room for argc + 1. With
 * `stops` the first operand ends it: for the options before the command *i is then the command's index. 0 or -EINVAL.
 */
int cli_parse(const struct cli_opt *opts, int argc, char **argv, int *i, bool stops, bool keep_rest,
              struct cli_args *args, struct cli_usage_error *e);
/* The nearest of the candidates that were added, within two edits. */
#define CLI_NEAR_MAX 3u
struct cli_near {
    const char *names[CLI_NEAR_MAX];
    unsigned int count, distance;
};
void cli_near_add(struct cli_near *n, const char *name, size_t len, const char *candidate);
/* ", did you mean --a or --b?", or "". quote: what precedes each name, "--" or "\"". */
void cli_near_text(const struct cli_near *n, const char *quote, char *ret, size_t size);
/* As many operands as the command wants? 0 or -EINVAL. */
int cli_check_operands(const struct cli_command *c, int n, struct cli_usage_error *e);
/* Go's strconv.ParseBool: 0, 1, or -EINVAL. */
int cli_parse_bool(const char *s);

/* ---- paths ---- */

/* The path made absolute (from cwd, which is absolute) and rid of empty parts, "." and ".." by its text alone. Malloc'd, or null. */
char *cli_abspath(const char *cwd, const char *path);

/* ---- text that is built, then written at once ---- */

struct cli_buf {
    char *data;
    size_t len, size;
    bool failed; /* out of memory: what was added since is lost */
};
void cli_buf_add(struct cli_buf *b, const char *data, size_t len);
__attribute__((format(printf, 2, 3))) void cli_buf_printf(struct cli_buf *b, const char *fmt, ...);
void cli_buf_str(struct cli_buf *b, const char *s);
/* Text on one line: control characters as \xNN. */
void cli_buf_line(struct cli_buf *b, const char *s);
/* A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void cli_buf_json(struct cli_buf *b, const char *s);
/* A value of logfmt, quoted. */
void cli_buf_quoted(struct cli_buf *b, const char *s);
void cli_buf_free(struct cli_buf *b);

/* All of it, or -errno. */
int cli_write_all(int fd, const char *data, size_t len);

/* Rows of cells in columns as wide as the widest, at least 12, three blanks between them. ncols cells per row. */
void cli_table(struct cli_buf *b, const char *const *cells, size_t nrows, size_t ncols);

void cli_help(struct cli_buf *b, const struct cli_command *c); /* null: the program's */
/* name: the program's name on the first line, "wherry" or "runc". */
void cli_version(struct cli_buf *b, const char *name);

/* "no such file or directory": lower-case, of no language. */
const char *cli_errno_words(int err, char buf[64]);

/* ---- log ---- */

struct cli_log {
    enum { DEST_STDERR, DEST_FILE, DEST_SYSLOG, DEST_JOURNAL } dest;
    int fd; /* of DEST_FILE and DEST_JOURNAL */
    char *ident;
    bool json;
    enum wherry_log_level level;
};
/* From the options; makes the file. 0 or -errno with a text. */
int cli_log_open(struct cli_log *log, const struct cli_args *args, struct cli_usage_error *e);
/* Callback for the library; data is the struct cli_log. */
void cli_log_message(void *data, enum wherry_log_level level, const char *message, const char *file, const char *func);
/* The one record of a failed command: to the log, and as plain text to stderr. lines: further lines for people, or null. */
void cli_log_failure(struct cli_log *log, const char *message, const char *people, size_t people_len);
/* One record, as it is written (exposed for its test). now: seconds since 1970. */
struct cli_record {
    enum wherry_log_level level;
    const char *message;
    const char *file, *func; /* where in the source; or null */
};
void cli_log_record(struct cli_buf *b, bool json, const struct cli_record *r, int64_t now);

/* ---- commands ---- */

struct cli {
    struct cli_args args;
    struct cli_log log;
    const struct cli_command *command;
    wherry_ctx *ctx;
    char *root; /* absolute */
    bool root_explicit; /* given with --root */
    char **argv; /* as it came */
    bool twin_tried; /* for a label, and it did not run */
};

/*
 * The program that is linked statically can load no libraries; its twin, the same program linked dynamically, is executed instead where one is
 * needed (src/twin). False in the twin, and where there is only one.
 */
bool wherry_twin_needed(void);
/* Becomes the twin. Returns the exit status when that fails, with the failure reported. */
int cli_twin(struct cli *cli);
/* From now on nothing needs it for a label. */
void wherry_twin_lost(void);
/*
 * After a verb that failed with r and has done nothing: where the twin could check an SELinux label, becomes it. True when that does not run
 * either, with the error freed: the verb is then called again, and does not check.
 */
bool cli_twin_for_labels(struct cli *cli, int r, wherry_error **error);

/* Reports a failure of the library and returns the exit status 1. Frees error. prefix: "create failed", or null. */
int cli_fail(struct cli *cli, const char *prefix, int r, wherry_error *error);
__attribute__((format(printf, 2, 3))) int cli_failf(struct cli *cli, const char *fmt, ...);
/* A mistake on the command line: the help of `help` on stdout (null: none), the text as an error. Returns 1. */
bool cli_named_by_engine(void);
int cli_usage(struct cli *cli, const struct cli_usage_error *e, const struct cli_command *help);
/* Writes to stdout, with one newline at the end; returns the exit status. */
int cli_print(struct cli *cli, const char *text);
int cli_print_buf(struct cli *cli, struct cli_buf *b);

/* The options of create and run, explain and check. 0 or exit status. */
int cli_create_opts(struct cli *cli, struct wherry_create_opts *opts);
/* What goes on to the payload: the sockets of LISTEN_FDS, if they are meant for us, and --preserve-fds. `prefix` stands before messages. 0 or
 * exit status. */
int cli_preserved_fds(struct cli *cli, const char *prefix, uint32_t *ret_listen, uint32_t *ret_preserve);
/* Whether they are open: to be called where 3 is still the caller's 3. 0 or exit status. */
int cli_look_at_fds(struct cli *cli, const char *prefix, uint32_t preserve);
/* Blocks the signals of `set` and returns a descriptor that is readable when one has come, or -errno. */
int cli_take_signals(const sigset_t *set);
/* The same for those that end a program. Who ends us half-way wants no half of a container: the library is to undo what it has done. */
int cli_take_end_signals(void);
/*
 * The same for all that are the payload's while this process waits for it: all but SIGURG, of our own sockets; SIGCHLD tells the library of
 * orphans. Called before there is a payload, so that none is lost.
 */
int cli_take_payload_signals(void);
/* Digits only, up to the maximum. 0 or -EINVAL, -ERANGE. */
int cli_parse_u32(const char *s, uint32_t *ret);
/* --format text|json of explain and check. 0 or exit status. */
int cli_report_format(struct cli *cli, bool *ret_json);
/* Calls fn with every id that matches args.pos[0]: the id itself, or with --regex each container. Returns the exit status. */
int cli_each_id(struct cli *cli, int (*fn)(struct cli *cli, const char *id, wherry_error **reterr));

/* Each returns the exit status. */
int cmd_check(struct cli *cli);
int cmd_create(struct cli *cli);
int cmd_delete(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_events(struct cli *cli);
int cmd_exec(struct cli *cli);
int cmd_explain(struct cli *cli);
int cmd_features(struct cli *cli);
int cmd_licenses(struct cli *cli);
int cmd_kill(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_pause(struct cli *cli);
int cmd_ps(struct cli *cli);
int cmd_resume(struct cli *cli);
int cmd_run(struct cli *cli);
int cmd_spec(struct cli *cli);
int cmd_start(struct cli *cli);
int cmd_state(struct cli *cli);
int cmd_update(struct cli *cli);

#endif
