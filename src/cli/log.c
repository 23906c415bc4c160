/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* conmon reads what a failed command left in its pipe with one read, and a pipe holds 64 KiB: more than that could be lost, or block. */
#define MESSAGE_MAX_BYTES 60000
/* A record of the log must be a whole line even when several commands append to the file at once. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static const char *const level_names[] = {
    [WHERRY_LOG_ERROR] = "error",
    [WHERRY_LOG_WARNING] = "warning",
    [WHERRY_LOG_INFO] = "info",
    [WHERRY_LOG_DEBUG] = "debug",
};

static const int level_priorities[] = {
    [WHERRY_LOG_ERROR] = LOG_ERR,
    [WHERRY_LOG_WARNING] = LOG_WARNING,
    [WHERRY_LOG_INFO] = LOG_INFO,
    [WHERRY_LOG_DEBUG] = LOG_DEBUG,
};

static int parse_level(const char *s, enum wherry_log_level *ret)
{
    if (strcmp(s, "warn") == 0)
        s = "warning";
    for (int i = 0; i <= WHERRY_LOG_DEBUG; i++) {
        if (strcmp(s, level_names[i]) != 0)
            continue;
        *ret = (enum wherry_log_level)i;
        return 0;
    }
    return -EINVAL;
}

static int open_file(struct cli_log *log, const char *path, struct cli_usage_error *e)
{
    char words[64];

    /* O_NONBLOCK: a FIFO without a reader is an error and not a hang. */
    log->fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (log->fd < 0) {
        int r = -errno;

        snprintf(e->text, sizeof(e->text), "open log file %.150s: %s", path, cli_errno_words(r, words));
        return r;
    }
    log->dest = DEST_FILE;
    return 0;
}

static int open_journal(struct cli_log *log, struct cli_usage_error *e)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
    char words[64];
    int r;

    log->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (log->fd < 0 || connect(log->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        r = -errno;
        snprintf(e->text, sizeof(e->text), "connect to the journal at %s: %s", JOURNAL_SOCKET,
                 cli_errno_words(r, words));
        if (log->fd >= 0)
            close(log->fd);
        log->fd = -1;
        return r;
    }
    log->dest = DEST_JOURNAL;
    return 0;
}

int cli_log_open(struct cli_log *log, const struct cli_args *args, struct cli_usage_error *e)
{
    const char *dest = args->log;

    *log = (struct cli_log){ .dest = DEST_STDERR, .fd = -1, .level = WHERRY_LOG_WARNING };
    if (args->log_format && *args->log_format) {
        log->json = strcmp(args->log_format, "json") == 0;
        if (!log->json && strcmp(args->log_format, "text") != 0) {
            snprintf(e->text, sizeof(e->text), "invalid log-format: %.64s (want text or json)", args->log_format);
            return -EINVAL;
        }
    }
    if (args->log_level && *args->log_level && parse_level(args->log_level, &log->level) < 0) {
        snprintf(e->text, sizeof(e->text), "invalid log-level: %.64s (want error, warning, info or debug)",
                 args->log_level);
        return -EINVAL;
    }
    if (args->debug)
        log->level = WHERRY_LOG_DEBUG;
    if (!dest || !*dest)
        return 0;
    if (strncmp(dest, "file:", 5) == 0)
        return open_file(log, dest + 5, e);
    if (strncmp(dest, "syslog:", 7) == 0) {
        log->ident = strdup(dest + 7);
        log->dest = DEST_SYSLOG;
        openlog(log->ident, LOG_PID, LOG_DAEMON);
        return 0;
    }
    if (strncmp(dest, "journald:", 9) == 0) {
        log->ident = strdup(dest + 9);
        return open_journal(log, e);
    }
    return open_file(log, dest, e);
}

void cli_log_record(struct cli_buf *b, bool json, const struct cli_record *r, int64_t now)
{
    struct tm tm = { 0 };
    time_t t = (time_t)now;
    char when[32];

    gmtime_r(&t, &tm);
    snprintf(when, sizeof(when), "%04d-%02d-%02dT%02d:%02d:%02dZ", (tm.tm_year + 1900) % 10000, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (json) {
        cli_buf_str(b, "{");
        if (r->file && r->func) {
            cli_buf_str(b, "\"file\":");
            cli_buf_json(b, r->file);
            cli_buf_str(b, ",\"func\":");
            cli_buf_json(b, r->func);
            cli_buf_str(b, ",");
        }
        cli_buf_printf(b, "\"level\":\"%s\",\"msg\":", level_names[r->level]);
        cli_buf_json(b, r->message);
        cli_buf_printf(b, ",\"time\":\"%s\"}\n", when);
    } else {
        cli_buf_printf(b, "time=\"%s\" level=%s msg=", when, level_names[r->level]);
        cli_buf_quoted(b, r->message);
        if (r->file && r->func)
            cli_buf_printf(b, " func=%s file=%s", r->func, r->file);
        cli_buf_add(b, "\n", 1);
    }
}

/* Cut where a character ends, so that what is left is still UTF-8. */
static size_t bounded(const char *s, size_t len)
{
    if (len <= MESSAGE_MAX_BYTES)
        return len;
    len = MESSAGE_MAX_BYTES;
    while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static void write_journal(const struct cli_log *log, const struct cli_record *r)
{
    struct cli_buf b = { 0 };

    /* The journal's own protocol: one field a line, so the text must be one line. */
    cli_buf_printf(&b, "PRIORITY=%d\nSYSLOG_IDENTIFIER=", level_priorities[r->level]);
    cli_buf_line(&b, log->ident ? log->ident : "wherry");
    cli_buf_str(&b, "\nMESSAGE=");
    cli_buf_line(&b, r->message);
    cli_buf_add(&b, "\n", 1);
    if (r->file && r->func)
        cli_buf_printf(&b, "CODE_FILE=%s\nCODE_FUNC=%s\n", r->file, r->func);
    if (!b.failed)
        (void)!send(log->fd, b.data, b.len, MSG_NOSIGNAL);
    cli_buf_free(&b);
}

static void write_record(const struct cli_log *log, const struct cli_record *r)
{
    struct cli_buf b = { 0 };

    switch (log->dest) {
    case DEST_SYSLOG:
        syslog(level_priorities[r->level], "%s", r->message);
        return;
    case DEST_JOURNAL:
        write_journal(log, r);
        return;
    case DEST_STDERR:
    case DEST_FILE:
        cli_log_record(&b, log->json, r, (int64_t)time(NULL));
        if (!b.failed)
            (void)cli_write_all(log->dest == DEST_FILE ? log->fd : STDERR_FILENO, b.data, b.len);
        cli_buf_free(&b);
        return;
    }
}

void cli_log_message(void *data, enum wherry_log_level level, const char *message, const char *file, const char *func)
{
    const struct cli_log *log = data;
    bool debug = log->level == WHERRY_LOG_DEBUG;
    struct cli_record record = { level, message, debug ? file : NULL, debug ? func : NULL };
    struct cli_buf b = { 0 };

    if (level > log->level)
        return;
    /* Not to stderr as well, as failures are: with `run`, and with `create` of an engine, it is the container's.
     * runc does the same. */
    if (log->dest != DEST_STDERR || log->json || level != WHERRY_LOG_WARNING) {
        write_record(log, &record);
        return;
    }
    cli_buf_str(&b, cli_named_by_engine() ? "warning: " : "wherry: warning: ");
    cli_buf_line(&b, message);
    cli_buf_str(&b, "\n");
    if (!b.failed)
        (void)cli_write_all(STDERR_FILENO, b.data, b.len);
    cli_buf_free(&b);
}

void cli_log_failure(struct cli_log *log, const char *message, const char *people, size_t people_len)
{
    char *cut = strndup(message, bounded(message, strlen(message)));
    bool debug = log->level == WHERRY_LOG_DEBUG;

    if (cut && (log->dest != DEST_STDERR || log->json))
        write_record(log, &(struct cli_record){ WHERRY_LOG_ERROR, cut, debug ? strstr(__FILE__, "src/") : NULL,
                                                debug ? __func__ : NULL });
    free(cut);
    /* Engines without a log file read stderr, and so do people: it has the text in every case but the one where it is the log. */
    if (log->dest == DEST_STDERR && log->json)
        return;
    people_len = bounded(people, people_len);
    if (people_len > 0)
        (void)cli_write_all(STDERR_FILENO, people, people_len);
}
