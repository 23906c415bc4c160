/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any words as the command line, each ended by a line break: options before the command, the command's own, and the values that are numbers,
 * truths and paths. Nothing is done; what is accepted points into the words, and a refusal is one line.
 */
#define FUZZ_NAME "args"
#include "fuzz.h"

#include <errno.h>

#include "cli/cli.h"

#define MAX_WORDS 40

static char *words[MAX_WORDS + 1], *operands[MAX_WORDS + 1];
static int nwords;

static bool among(const char *s)
{
    for (int i = 0; i < nwords; i++)
        if (s >= words[i] && s <= words[i] + strlen(words[i]))
            return true;
    return false;
}

/* Each value that was stored is a part of some word. */
static void check_values(const struct cli_opt *opts, const struct cli_args *args)
{
    for (const struct cli_opt *o = opts; o->name; o++) {
        const void *at = (const char *)args + o->offset;
        const struct cli_list *list = at;
        const char *text;

        if (o->kind == OPT_STRING) {
            memcpy(&text, at, sizeof text);
            must(!text || among(text));
        } else if (o->kind == OPT_LIST) {
            for (size_t i = 0; i < list->n; i++)
                must(among(list->v[i]));
            must(!list->v || !list->v[list->n]);
        }
    }
}

static void free_lists(struct cli_args *args)
{
    free(args->env.v);
    free(args->gids.v);
    free(args->caps.v);
    free(args->cgroups.v);
    free(args->triggers.v);
}

static void check_error(int r, const struct cli_usage_error *e)
{
    must(r == -EINVAL && e->text[0] && memchr(e->text, '\0', sizeof e->text));
}

static void parse(void)
{
    struct cli_args args = { .pos = operands };
    struct cli_usage_error e = { "" };
    const struct cli_command *c;
    int i = 1, r = cli_parse(cli_global_opts, nwords, words, &i, true, false, &args, &e);

    must(i >= 1 && i <= nwords);
    check_values(cli_global_opts, &args);
    if (r < 0)
        check_error(r, &e);
    c = r == 0 && i < nwords ? cli_command_find(words[i]) : NULL;
    if (c) {
        must(strcmp(c->name, words[i]) == 0 || strcmp(words[i], "h") == 0);
        i++;
        args.npos = 0;
        r = cli_parse(c->opts, nwords, words, &i, c->stops, true, &args, &e);
        check_values(c->opts, &args);
        if (r == 0 && !args.help) {
            must(i == nwords && args.npos <= nwords);
            r = cli_check_operands(c, args.npos, &e);
            must(r < 0 || (args.npos >= c->min && (c->max < 0 || args.npos <= c->max)));
        }
        if (r < 0)
            check_error(r, &e);
    }
    free_lists(&args);
}

/* Absolute, and without an empty, "." or ".." part. */
static void check_path(const char *s)
{
    char *path = cli_abspath("/a/b", s);

    must(path && path[0] == '/' && strlen(path) <= strlen(s) + sizeof "/a/b");
    must(!strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
    for (const char *end = strrchr(path, '/'); end; end = NULL)
        must(strcmp(end, "/.") != 0 && strcmp(end, "/..") != 0 && (end == path || end[1]));
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes b = { data, size };
    uint32_t number;
    int r;

    nwords = 0;
    words[nwords++] = strdup("wherry");
    while (b.left > 0 && nwords < MAX_WORDS)
        words[nwords++] = fuzz_part(&b, '\n', NULL);
    words[nwords] = NULL;
    parse();
    for (int i = 1; i < nwords; i++) {
        r = cli_parse_bool(words[i]);
        must(r == 0 || r == 1 || r == -EINVAL);
        r = cli_parse_u32(words[i], &number);
        must(r == 0 || r == -EINVAL || r == -ERANGE);
        check_path(words[i]);
    }
    while (nwords > 0)
        free(words[--nwords]);
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    static const char *const seeds[] = {
        ("--root\n/r\n--debug\n--log=/l\n--log-format\njson\ncreate\n--bundle\n../b//c/./"
         "d\n--preserve-fds=3\n-no-pivot\nc1"),
        "exec\n-e\nA=b\n--env=C\n--cap\nCAP_KILL\n-g\n4294967295\n--tty=false\nc1\n--\nsh\n-c\nx",
        "update\n--memory\n1g\n-r\n-\n--pids-limit=-1\nc1",
        "events\n--interval=1.5s\n--trigger\nmemory=some:150ms/1s\nc1",
        "kill\n--all\nc1\n-9",
        "run\n--help",
    };

    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return NULL;
    *ret_size = strlen(seeds[n]);
    return (uint8_t *)strdup(seeds[n]);
}
