/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A resources object is what an engine sends, no more than some kilobytes. */
#define RESOURCES_MAX (16u << 20)

/* One option and where it stands in linux.resources. */
struct part {
    const char *option; /* for messages */
    const char *object, *property; /* null object: the one before */
    enum { NUMBER, SIZE, TEXT } kind;
    const char *value; /* or null */
    enum {
        IS_VALUE,
        IS_NOTHING,
        UNLIMITED_IS_MINUS_ONE
    } zero; /* what 0 is: as in the JSON of engines, which send all properties, mostly no change */
};

/* The factor of "k", "kb", "KiB" and so on, of 1024; 0 for what is none. */
static int shift_of(const char *s)
{
    static const char letters[] = "kmgtpe";
    char first = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
    const char *at = first ? strchr(letters, first) : NULL;

    if (first == '\0' || (first == 'b' && !s[1]))
        return 0;
    if (!at)
        return -1;
    s++;
    if (*s == 'i' || *s == 'I')
        s++;
    if (*s == 'b' || *s == 'B')
        s++;
    return *s ? -1 : 10 * (int)(at - letters + 1);
}

/* "-1", "512", "64m", "1GiB". 0, -EINVAL or -ERANGE. */
static int parse_size(const char *s, int64_t *ret)
{
    uint64_t n = 0;
    const char *p = s;
    int shift;

    if (strcmp(s, "-1") == 0) {
        *ret = -1;
        return 0;
    }
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
            return -ERANGE;
    shift = shift_of(p);
    if (p == s || shift < 0)
        return -EINVAL;
    if (n > (uint64_t)INT64_MAX >> shift)
        return -ERANGE;
    *ret = (int64_t)(n << shift);
    return 0;
}

/* Of the form that JSON has too; the library knows the ranges. */
static bool is_number(const char *s)
{
    size_t n;

    s += *s == '-';
    n = strspn(s, "0123456789");
    return n > 0 && n <= 20 && !s[n] && (n == 1 || *s != '0');
}

/* notes: strings, each with its NUL. */
static int add_value(struct cli *cli, struct cli_buf *b, const struct part *p, struct cli_buf *notes)
{
    int64_t size = 0;
    int r = 0;

    switch (p->kind) {
    case TEXT:
        cli_buf_json(b, p->value);
        return 0;
    case SIZE:
        r = parse_size(p->value, &size);
        break;
    case NUMBER:
        r = is_number(p->value) ? 0 : -EINVAL;
        break;
    }
    if (r < 0)
        return cli_failf(cli, "invalid value for %s: \"%.64s\" %s", p->option, p->value,
                         r == -ERANGE      ? "is out of range"
                         : p->kind == SIZE ? "is no size (12, 64m, 1g, -1)"
                                           : "is no whole number");
    if (p->zero != IS_VALUE && (p->kind == SIZE ? size == 0 : strcmp(p->value, "0") == 0)) {
        cli_buf_printf(notes, "--%s 0 changes nothing%s", p->option,
                       p->zero == UNLIMITED_IS_MINUS_ONE ? ": -1 is no limit" : "");
        cli_buf_add(notes, "", 1);
    }
    if (p->kind == SIZE)
        cli_buf_printf(b, "%lld", (long long)size);
    else
        cli_buf_str(b, p->value);
    return 0;
}

/* What the options say, as the object that --resources would have. 0 or exit status. */
static int from_options(struct cli *cli, struct cli_buf *b, struct cli_buf *notes)
{
    const struct cli_args *a = &cli->args;
    const struct part parts[] = {
        { "blkio-weight", "blockIO", "weight", NUMBER, a->blkio_weight, IS_NOTHING },
        { "cpu-period", "cpu", "period", NUMBER, a->cpu_period, IS_NOTHING },
        { "cpu-quota", NULL, "quota", NUMBER, a->cpu_quota, UNLIMITED_IS_MINUS_ONE },
        { "cpu-burst", NULL, "burst", NUMBER, a->cpu_burst, IS_VALUE },
        { "cpu-share", NULL, "shares", NUMBER, a->cpu_share, IS_NOTHING },
        { "cpu-rt-period", NULL, "realtimePeriod", NUMBER, a->cpu_rt_period, IS_NOTHING },
        { "cpu-rt-runtime", NULL, "realtimeRuntime", NUMBER, a->cpu_rt_runtime, IS_NOTHING },
        { "cpu-idle", NULL, "idle", NUMBER, a->cpu_idle, IS_VALUE },
        { "cpuset-cpus", NULL, "cpus", TEXT, a->cpuset_cpus, IS_VALUE },
        { "cpuset-mems", NULL, "mems", TEXT, a->cpuset_mems, IS_VALUE },
        { "memory", "memory", "limit", SIZE, a->memory, UNLIMITED_IS_MINUS_ONE },
        { "memory-reservation", NULL, "reservation", SIZE, a->memory_reservation, IS_NOTHING },
        { "memory-swap", NULL, "swap", SIZE, a->memory_swap, UNLIMITED_IS_MINUS_ONE },
        { "pids-limit", "pids", "limit", NUMBER, a->pids_limit, IS_VALUE },
    };
    const char *object = NULL, *open = NULL;

    cli_buf_str(b, "{");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        object = parts[i].object ? parts[i].object : object;
        if (!parts[i].value || !*parts[i].value)
            continue;
        if (open == object)
            cli_buf_str(b, ", ");
        else
            cli_buf_printf(b, "%s\"%s\": {", open ? "}, " : "", object);
        open = object;
        cli_buf_printf(b, "\"%s\": ", parts[i].property);
        if (add_value(cli, b, &parts[i], notes) != 0)
            return 1;
    }
    cli_buf_str(b, open ? "}}" : "}");
    return b->failed ? cli_failf(cli, "out of memory") : 0;
}

static int from_stdin(struct cli *cli, struct cli_buf *b)
{
    char chunk[4096], words[64];
    ssize_t n;

    while ((n = read(0, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cli_failf(cli, "read resources from stdin: %s", cli_errno_words(errno, words));
        if (b->len > RESOURCES_MAX)
            return cli_failf(cli, "resources from stdin are larger than %u bytes", RESOURCES_MAX);
        cli_buf_add(b, chunk, (size_t)n);
    }
    return b->failed ? cli_failf(cli, "out of memory") : 0;
}

/* The twin reads from its standard input what we have read already. */
static int to_twin(struct cli *cli, const struct cli_buf *b)
{
    int fd = memfd_create("resources", MFD_CLOEXEC);
    char words[64];
    size_t done = 0;
    ssize_t n = 0;

    for (; fd >= 0 && n >= 0 && done < b->len; done += (size_t)n)
        n = write(fd, b->data + done, b->len - done);
    if (fd < 0 || n < 0 || lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, 0) < 0)
        return cli_failf(cli, "keep the resources that were read from stdin: %s", cli_errno_words(errno, words));
    return cli_twin(cli);
}

int cmd_update(struct cli *cli)
{
    const struct cli_args *a = &cli->args;
    struct wherry_update_opts opts = { .size = sizeof(opts),
                                       .l3_cache_schema = a->l3_schema,
                                       .mem_bw_schema = a->mb_schema };
    bool in = a->resources && strcmp(a->resources, "-") == 0;
    wherry_error *error = NULL;
    struct cli_buf b = { 0 }, notes = { 0 };
    int r;

    if (a->resources && *a->resources && !in) {
        opts.resources = a->resources;
    } else {
        opts.resources = in ? "stdin" : "options";
        if ((in ? from_stdin(cli, &b) : from_options(cli, &b, &notes)) != 0) {
            cli_buf_free(&b);
            cli_buf_free(&notes);
            return 1;
        }
        opts.resources_data = b.data ? b.data : "";
        opts.resources_len = b.len;
    }
    r = wherry_update(cli->ctx, a->pos[0], &opts, &error);
    if (r == -ELIBACC && wherry_twin_needed()) {
        /* Which warns itself. */
        cli_buf_free(&notes);
        wherry_error_free(error);
        return in ? to_twin(cli, &b) : cli_twin(cli);
    }
    /* As elsewhere: a failure is one record. */
    for (size_t at = 0; r >= 0 && !notes.failed && at < notes.len; at += strlen(notes.data + at) + 1)
        cli_log_message(&cli->log, WHERRY_LOG_WARNING, notes.data + at, strstr(__FILE__, "src/"), __func__);
    cli_buf_free(&b);
    cli_buf_free(&notes);
    return r < 0 ? cli_fail(cli, NULL, r, error) : 0;
}
