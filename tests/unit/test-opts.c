/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line's grammar, the texts that are written, and whether man page and completion know every option. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

static struct cli_usage_error error;
static char *operands[32];

/* Parses a command line, given as words and ended by a null; returns what cli_parse() does. */
static int parse(const struct cli_opt *opts, bool stops, struct cli_args *args, int *ret_i, ...)
{
    char *argv[32] = { (char *)"wherry" };
    int argc = 1, i = 1, r;
    va_list ap;

    va_start(ap, ret_i);
    while ((argv[argc] = va_arg(ap, char *)))
        argc++;
    va_end(ap);
    memset(args, 0, sizeof(*args));
    memset(operands, 0, sizeof(operands));
    args->pos = operands;
    error.text[0] = '\0';
    r = cli_parse(opts, argc, argv, &i, stops, ret_i == NULL, args, &error);
    if (ret_i)
        *ret_i = i;
    return r;
}

#define COMMAND(name, ...)                                                                                             \
    parse(cli_command_find(name)->opts, cli_command_find(name)->stops, &args, NULL, __VA_ARGS__, (char *)NULL)
#define GLOBAL(...) parse(cli_global_opts, true, &args, &at, __VA_ARGS__, (char *)NULL)

static void test_forms(void)
{
    struct cli_args args;
    int at;

    is_int(COMMAND("create", "--bundle", "/b", "c1"), 0, "--opt value");
    is_str(args.bundle, "/b", "its value");
    is_int(args.npos, 1, "one operand");
    is_str(args.pos[0], "c1", "which is the id");
    is_int(COMMAND("create", "--bundle=/b=c", "c1"), 0, "--opt=value");
    is_str(args.bundle, "/b=c", "only the first = separates");
    is_int(COMMAND("create", "-b", "/b", "c1"), 0, "-o value");
    is_str(args.bundle, "/b", "its value");
    is_int(COMMAND("create", "-b=/b", "c1"), 0, "-o=value");
    is_str(args.bundle, "/b", "its value");
    is_int(COMMAND("run", "-no-subreaper", "-bundle", "/x", "c1"), 0, "one dash before long names");
    ok(args.no_subreaper && args.bundle && strcmp(args.bundle, "/x") == 0, "both were understood");
    is_int(COMMAND("create", "c1", "--bundle", "/b"), 0, "options after the operand");
    ok(args.npos == 1 && args.bundle, "both were understood");
    is_int(COMMAND("create", "--bundle=", "c1"), 0, "an empty value");
    is_str(args.bundle, "", "is kept");
    is_int(COMMAND("create", "--bundle", "--", "c1"), 0, "a value is taken as it stands");
    is_str(args.bundle, "--", "even if it is --");
    is_int(COMMAND("create", "--bundle", "/a", "-b", "/b", "c1"), 0, "an option given twice");
    is_str(args.bundle, "/b", "the later counts");
    is_int(COMMAND("create", "--preserve-fds", "3", "c1"), 0, "a number");
    is_int(args.preserve_fds, 3, "its value");
    is_int(COMMAND("create", "--preserve-fds=4294967295", "c1"), 0, "the largest number");
    is_u64(args.preserve_fds, UINT32_MAX, "its value");
    is_int(COMMAND("create", "--", "--bundle"), 0, "-- ends options");
    ok(args.npos == 1 && strcmp(args.pos[0], "--bundle") == 0 && !args.bundle, "what follows is an operand");
    is_int(COMMAND("create", "-1", "-", "-.x"), 0, "- and - with something that is no letter");
    ok(args.npos == 3 && strcmp(args.pos[0], "-1") == 0 && strcmp(args.pos[1], "-") == 0, "are operands");

    is_int(GLOBAL("--root", "/r", "--debug", "--log=/l", "--log-format", "json", "create", "--bundle", "b", "c1"), 0,
           "global options");
    is_int(at, 7, "end at the command");
    ok(args.debug && strcmp(args.root, "/r") == 0 && strcmp(args.log, "/l") == 0 &&
           strcmp(args.log_format, "json") == 0,
       "and were all read");
    is_int(GLOBAL("--cgroup-manager", "disabled", "--rootless=true", "--systemd-cgroup", "--criu", "/c", "list"), 0,
           "options of runc and crun");
    ok(args.systemd_cgroup && strcmp(args.rootless, "true") == 0 && strcmp(args.cgroup_manager, "disabled") == 0,
       "read");
    is_int(GLOBAL("-v"), 0, "-v");
    ok(args.version, "is the version");
    is_int(GLOBAL("-V"), 0, "-V");
    ok(args.version, "is the version");
    is_int(GLOBAL("-?"), 0, "-?");
    ok(args.help, "is help");
    is_int(GLOBAL("--usage"), 0, "--usage");
    ok(args.usage && !args.help, "is a usage line");
    is_int(COMMAND("create", "--help", "--nonsense"), 0, "nothing after --help matters");
    ok(args.help, "help was asked for");
    is_int(COMMAND("delete", "-f", "c1"), 0, "-f of delete");
    ok(args.force && !args.config, "is force");
}

static void test_stops(void)
{
    struct cli_args args;

    is_int(COMMAND("kill", "--all", "c1", "-9"), 0, "kill ends its options at the id");
    ok(args.all && args.npos == 2 && strcmp(args.pos[1], "-9") == 0, "what follows is the signal");
    is_int(COMMAND("kill", "c1", "--all"), 0, "even what looks like an option of kill");
    ok(!args.all && args.npos == 2 && strcmp(args.pos[1], "--all") == 0, "is an operand");
    is_int(COMMAND("ps", "c1", "-f"), 0, "ps ends its options at the id: even what looks like one of its own");
    ok(!args.format && args.npos == 2 && strcmp(args.pos[1], "-f") == 0, "is an operand");
    is_int(COMMAND("kill", "-a", "--", "-c1", "9"), 0, "-- before the id");
    ok(args.all && args.npos == 2 && strcmp(args.pos[0], "-c1") == 0, "lets an id begin with a dash");
}

static void test_bools(void)
{
    static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
    static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
    struct cli_args args;
    char word[32];

    for (size_t i = 0; i < 6; i++) {
        snprintf(word, sizeof(word), "--detach=%s", yes[i]);
        ok(COMMAND("run", word, "c1") == 0 && args.detach, "%s sets", word);
        snprintf(word, sizeof(word), "-d=%s", no[i]);
        ok(COMMAND("run", "-d", word, "c1") == 0 && !args.detach, "%s clears", word);
    }
    is_int(COMMAND("run", "--detach=yes", "c1"), -EINVAL, "another word");
    is_str(error.text, "invalid value \"yes\" for flag --detach: want true or false", "is refused");
    is_int(COMMAND("run", "--detach=", "c1"), -EINVAL, "no word");
    is_int(COMMAND("run", "--detach", "true"), 0, "a boolean takes no second word");
    is_int(args.npos, 1, "which is an operand");
}

static void test_errors(void)
{
    static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1e3", "one", "18446744073709551617" };
    struct cli_args args;
    char word[64];
    int at;

    is_int(COMMAND("create", "--bundle"), -EINVAL, "an option without its value");
    is_str(error.text, "flag needs an argument: --bundle", "is named");
    is_int(COMMAND("create", "c1", "-b"), -EINVAL, "the same with one letter");
    is_str(error.text, "flag needs an argument: --bundle", "is named in full");
    is_int(GLOBAL("--root"), -EINVAL, "a global option without its value");
    is_str(error.text, "flag needs an argument: --root", "is named");
    is_int(COMMAND("create", "--frobnicate", "c1"), -EINVAL, "an unknown option");
    is_str(error.text, "flag provided but not defined: -frobnicate", "is named");
    is_int(COMMAND("create", "--frobnicate=1", "c1"), -EINVAL, "an unknown option with a value");
    is_str(error.text, "flag provided but not defined: -frobnicate", "is named without it");
    is_int(COMMAND("create", "-bx", "c1"), -EINVAL, "letters are not joined");
    is_int(COMMAND("create", "--=x", "c1"), -EINVAL, "an option without a name");
    is_int(COMMAND("create", "--bundl", "x", "c1"), -EINVAL, "names are not completed");
    is_int(COMMAND("start", "--bundle", "/b", "c1"), -EINVAL, "another command's option");
    is_int(GLOBAL("--bundle", "/b"), -EINVAL, "a command's option before it");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(word, sizeof(word), "--preserve-fds=%s", bad[i]);
        is_int(COMMAND("create", word, "c1"), -EINVAL, "%s", word);
    }
    is_int(COMMAND("create", "--preserve-fds=4294967296", "c1"), -EINVAL, "2^32");
    is_str(error.text, "invalid value \"4294967296\" for flag --preserve-fds: value out of range", "is out of range");

    is_int(cli_check_operands(cli_command_find("create"), 0, &error), -EINVAL, "create without id");
    is_str(error.text, "\"create\" requires exactly 1 argument(s)", "says so");
    is_int(cli_check_operands(cli_command_find("create"), 2, &error), -EINVAL, "create with two");
    is_int(cli_check_operands(cli_command_find("create"), 1, &error), 0, "create with one");
    is_int(cli_check_operands(cli_command_find("kill"), 0, &error), -EINVAL, "kill without id");
    is_str(error.text, "\"kill\" requires a minimum of 1 argument(s)", "says so");
    is_int(cli_check_operands(cli_command_find("kill"), 3, &error), -EINVAL, "kill with three");
    is_str(error.text, "\"kill\" requires a maximum of 2 argument(s)", "says so");
    is_int(cli_check_operands(cli_command_find("list"), 1, &error), -EINVAL, "list with an operand");
    ok(!cli_command_find("frobnicate") && !cli_command_find("") && cli_command_find("h"), "commands by name");
}

static void test_paths(void)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        { "/", "/" },          { "//", "/" },          { "/.", "/" },        { "/..", "/" },
        { "/a/../..", "/" },   { "/a/../../", "/" },   { "/a//b/", "/a/b" }, { "/a/./b/../c", "/a/c" },
        { "x", "/cwd/dir/x" }, { ".", "/cwd/dir" },    { "../x", "/cwd/x" }, { "../../..", "/" },
        { "/...", "/..." },    { "/a/..b", "/a/..b" }, { "/.a", "/.a" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *p = cli_abspath("/cwd/dir", rows[i].path);

        is_str(p, rows[i].want, "%s", rows[i].path);
        free(p);
    }
}

static void test_texts(void)
{
    static const char *const cells[] = { "ID", "PID", "STATUS", "a-long-identifier", "1", "x", "b", "12", "y" };
    struct cli_buf b = { 0 };
    char words[64], *big = malloc(100001);

    cli_log_record(
        &b, true,
        &(struct cli_record){ WHERRY_LOG_ERROR, "a \"b\" \\ \n\t\x01\x7f \xc3\xa4 \xff\xc3 \xed\xa0\x80", NULL, NULL },
        1787220612);
    is_str(b.data,
           "{\"level\":\"error\",\"msg\":\"a \\\"b\\\" \\\\ \\n\\t\\u0001\\u007f \xc3\xa4 \\ufffd\\ufffd "
           "\\ufffd\\ufffd\\ufffd\","
           "\"time\":\"2026-08-20T10:10:12Z\"}\n",
           "a record in JSON");
    cli_buf_free(&b);
    cli_log_record(&b, false, &(struct cli_record){ WHERRY_LOG_WARNING, "exec: \"x\": no", NULL, NULL }, 0);
    is_str(b.data, "time=\"1970-01-01T00:00:00Z\" level=warning msg=\"exec: \\\"x\\\": no\"\n", "a record as text");
    cli_buf_free(&b);
    cli_log_record(&b, true, &(struct cli_record){ WHERRY_LOG_DEBUG, "m", "src/a.c", "f" }, 0);
    is_str(
        b.data,
        "{\"file\":\"src/a.c\",\"func\":\"f\",\"level\":\"debug\",\"msg\":\"m\",\"time\":\"1970-01-01T00:00:00Z\"}\n",
        "a record in JSON with its place");
    cli_buf_free(&b);
    cli_log_record(&b, false, &(struct cli_record){ WHERRY_LOG_DEBUG, "m", "src/a.c", "f" }, 0);
    is_str(b.data, "time=\"1970-01-01T00:00:00Z\" level=debug msg=\"m\" func=f file=src/a.c\n",
           "a record as text with its place");
    cli_buf_free(&b);
    cli_buf_line(&b, "a\nb\x1b[31m");
    is_str(b.data, "a\\x0ab\\x1b[31m", "text on one line");
    cli_buf_free(&b);
    cli_table(&b, cells, 3, 3);
    is_str(b.data,
           "ID                  PID         STATUS\n"
           "a-long-identifier   1           x\n"
           "b                   12          y\n",
           "a table");
    cli_buf_free(&b);
    if (big) {
        memset(big, 'x', 100000);
        big[100000] = '\0';
        cli_buf_printf(&b, "<%s>", big);
        is_int(b.len, 100002, "a long text is not cut");
        cli_buf_free(&b);
    }
    free(big);
    is_str(cli_errno_words(ENOENT, words), "no such file or directory", "ENOENT in words");
    is_str(cli_errno_words(-EPERM, words), "operation not permitted", "EPERM in words");
    is_str(cli_errno_words(99999, words), "errno 99999", "an unknown errno");
    is_int(cli_parse_bool("true"), 1, "true");
    is_int(cli_parse_bool("off"), -EINVAL, "off");
}

/* ---- the documents; the program runs in the top of the source tree ---- */

static char *slurp(const char *path)
{
    int fd = open(path, O_RDONLY);
    char *text = calloc(1, 1 << 18);
    ssize_t n = fd < 0 || !text ? -1 : read(fd, text, (1 << 18) - 1);

    if (fd >= 0)
        close(fd);
    ok(n > 0, "%s can be read", path);
    return text;
}

/* From one text to the next. "\n.S" is the next .Sh or .Ss. */
static char *section(const char *text, const char *begin, const char *next)
{
    const char *p = strstr(text, begin), *q;

    if (!p)
        return NULL;
    for (q = p + strlen(begin); (q = strstr(q, next)); q++)
        if (next[0] != '\n' || q[3] == 'h' || q[3] == 's')
            break;
    return q ? strndup(p, (size_t)(q - p)) : strdup(p);
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = text; (p = strstr(p, word)); p += n) {
        char before = p == text ? ' ' : p[-1], after = p[n];

        if (strchr(" \n\t\"(=|", before) && (after == '\0' || strchr(" \n\t\",)|", after)))
            return true;
    }
    return false;
}

static void test_documents(void)
{
    char *man = slurp("docs/man/wherry.1"), *bash = slurp("contrib/completion/wherry.bash"), word[96];

    for (const struct cli_opt *o = cli_global_opts; o->name; o++) {
        char *s = section(man, ".Sh GLOBAL OPTIONS", "\n.S");

        if (!(o->flags & OPT_HIDDEN)) {
            snprintf(word, sizeof(word), "Fl -%s", o->name);
            if (o->letter)
                snprintf(word, sizeof(word), "Fl %c , -%s", o->letter, o->name);
            ok(s && has_word(s, word), "the man page has --%s", o->name);
            snprintf(word, sizeof(word), "--%s", o->name);
            ok(has_word(bash, word), "completion has --%s", o->name);
        }
        free(s);
    }
    for (const struct cli_command *c = cli_commands; c->name; c++) {
        char begin[64], *m, *s;
        struct cli_buf help = { 0 };

        snprintf(begin, sizeof(begin), ".Ss wherry %s\n", c->name);
        m = section(man, begin, "\n.S");
        ok(m, "the man page has a section for %s", c->name);
        snprintf(begin, sizeof(begin), "\n    %s)", c->name);
        s = section(bash, begin, ";;");
        ok(s, "completion has %s", c->name);
        cli_help(&help, c);
        ok(strstr(help.data, c->name), "%s has help", c->name);
        for (const struct cli_opt *o = c->opts; o->name; o++) {
            if (o->flags & OPT_HIDDEN)
                continue;
            snprintf(word, sizeof(word), "--%s", o->name);
            ok(strstr(help.data, word) && o->help && *o->help, "%s --help has %s", c->name, word);
            ok(s && has_word(s, word), "completion of %s has %s", c->name, word);
            if (strcmp(o->name, "help") == 0)
                continue;
            snprintf(word, sizeof(word), "Fl -%s", o->name);
            if (o->letter)
                snprintf(word, sizeof(word), "Fl %c , -%s", o->letter, o->name);
            ok(m && has_word(m, word), "the man page's %s has --%s", c->name, o->name);
        }
        cli_buf_free(&help);
        free(m);
        free(s);
    }
    free(man);
    free(bash);
}

static void test_table(void)
{
    for (const struct cli_command *c = cli_commands; c->name; c++) {
        if (c[1].name)
            ok(strcmp(c->name, c[1].name) < 0, "%s stands before %s", c->name, c[1].name);
        ok(c->verb > VERB_NONE && c->verb < VERB_MAX, "%s has a verb", c->name);
        for (const struct cli_opt *o = c->opts; o->name; o++) {
            for (const struct cli_opt *p = o + 1; p->name; p++)
                if (strcmp(o->name, p->name) == 0 || (o->letter && o->letter == p->letter))
                    fail_test("%s: --%s and --%s are given the same name", c->name, o->name, p->name);
            if ((o->kind == OPT_BOOL) != !o->arg)
                fail_test("%s: --%s has a value, or none, against its kind", c->name, o->name);
        }
    }
}

/* A log is ours alone: neither emptied by the next command nor open in what is executed. */
static void test_log_file(void)
{
    struct cli_args args = { .log = "/dev/null" };
    struct cli_log log;
    int flags;

    is_int(cli_log_open(&log, &args, &error), 0, "a log");
    flags = fcntl(log.fd, F_GETFL);
    ok(fcntl(log.fd, F_GETFD) & FD_CLOEXEC, "is closed by execve");
    ok(flags & O_APPEND, "and appended to");
    close(log.fd);
}

int main(void)
{
    test_log_file();
    test_forms();
    test_stops();
    test_bools();
    test_errors();
    test_paths();
    test_texts();
    test_table();
    test_documents();
    return done_testing();
}
