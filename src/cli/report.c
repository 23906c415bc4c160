/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * How a failure reaches people and engines. The log gets one record with the whole text on one line (podman reads the file as one object).
 * stderr gets the same text: one line, or one line for each error of a config.json, the first with what was attempted. It begins with the
 * program's name unless the log is elsewhere, where engines show the line with a name of their own in front.
 */

/* One failure in both its forms. */
struct report {
    struct cli_buf record, people;
    unsigned int count;
};

/* conmon reads our stderr, and its engine shows the text behind the runtime's name. conmon's variable is the only sign of it. */
bool cli_named_by_engine(void)
{
    return getenv("_OCI_SYNCPIPE") != NULL;
}

static void report_add(const struct cli *cli, struct report *rep, const char *prefix, const char *text)
{
    bool first = rep->count++ == 0;

    if (first && cli->log.dest == DEST_STDERR && !cli_named_by_engine())
        cli_buf_str(&rep->people, "wherry: ");
    if (first && prefix) {
        cli_buf_printf(&rep->record, "%s: ", prefix);
        cli_buf_printf(&rep->people, "%s: ", prefix);
    }
    if (!first)
        cli_buf_str(&rep->record, "; ");
    cli_buf_line(&rep->record, text);
    cli_buf_line(&rep->people, text);
    cli_buf_add(&rep->people, "\n", 1);
}

static int report_done(struct cli *cli, struct report *rep)
{
    static const char oom[] = "out of memory";

    if (rep->record.failed || rep->people.failed || !rep->record.data)
        cli_log_failure(&cli->log, oom, "wherry: out of memory\n", sizeof("wherry: out of memory\n") - 1);
    else
        cli_log_failure(&cli->log, rep->record.data, rep->people.data, rep->people.len);
    cli_buf_free(&rep->record);
    cli_buf_free(&rep->people);
    return 1;
}

int cli_fail(struct cli *cli, const char *prefix, int r, wherry_error *error)
{
    struct report rep = { 0 };
    char words[64];

    if (!error || !*wherry_error_text(error))
        report_add(cli, &rep, prefix, cli_errno_words(r, words));
    for (const wherry_error *e = error; e; e = wherry_error_next(e))
        if (*wherry_error_text(e))
            report_add(cli, &rep, prefix, wherry_error_text(e));
    wherry_error_free(error);
    return report_done(cli, &rep);
}

int cli_failf(struct cli *cli, const char *fmt, ...)
{
    struct report rep = { 0 };
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    report_add(cli, &rep, NULL, text);
    return report_done(cli, &rep);
}

int cli_usage(struct cli *cli, const struct cli_usage_error *e, const struct cli_command *help)
{
    struct report rep = { 0 };

    if (help) {
        struct cli_buf b = { 0 };

        cli_buf_str(&b, "Incorrect Usage.\n\n");
        cli_help(&b, help);
        if (!b.failed)
            (void)cli_write_all(STDOUT_FILENO, b.data, b.len);
        cli_buf_free(&b);
    }
    /* With its name always: `wherry: "create" requires exactly 1 argument(s)` is how runc says it. */
    cli_buf_str(&rep.record, "wherry: ");
    cli_buf_str(&rep.people, cli->log.dest == DEST_STDERR || cli_named_by_engine() ? "" : "wherry: ");
    report_add(cli, &rep, NULL, e->text);
    return report_done(cli, &rep);
}

int cli_print_buf(struct cli *cli, struct cli_buf *b)
{
    char words[64];
    int r;

    if (b->len == 0 && !b->failed)
        return 0;
    if (!b->failed && b->data[b->len - 1] != '\n')
        cli_buf_add(b, "\n", 1);
    if (b->failed)
        return cli_failf(cli, "out of memory");
    r = cli_write_all(STDOUT_FILENO, b->data, b->len);
    cli_buf_free(b);
    if (r < 0)
        return cli_failf(cli, "write to standard output: %s", cli_errno_words(r, words));
    return 0;
}

int cli_print(struct cli *cli, const char *text)
{
    struct cli_buf b = { 0 };

    cli_buf_str(&b, text);
    return cli_print_buf(cli, &b);
}
