/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The grammar is that of runc's parser (one or two dashes for any name), because go-runc and users' scripts rely on it: getopt_long
 * would read `-no-subreaper` as seven letters and take `-1` for an option.
 */

__attribute__((format(printf, 2, 3))) static int usage_error(struct cli_usage_error *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    return -EINVAL;
}

int cli_parse_bool(const char *s)
{
    static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
    static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcmp(s, yes[i]) == 0)
            return 1;
        if (strcmp(s, no[i]) == 0)
            return 0;
    }
    return -EINVAL;
}

/* Digits only: no sign, no blanks, nothing after them. */
int cli_parse_u32(const char *s, uint32_t *ret)
{
    uint64_t n = 0;

    if (!*s)
        return -EINVAL;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -EINVAL;
        n = n * 10 + (uint64_t)(*s - '0');
        if (n > UINT32_MAX)
            return -ERANGE;
    }
    *ret = (uint32_t)n;
    return 0;
}

static const struct cli_opt *find(const struct cli_opt *opts, const char *name, size_t len)
{
    for (const struct cli_opt *o = opts; o->name; o++) {
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
        if (len == 1 && o->letter && o->letter == name[0])
            return o;
    }
    return NULL;
}

static int store(const struct cli_opt *o, const char *value, struct cli_args *args, struct cli_usage_error *e)
{
    char *at = (char *)args + o->offset;
    struct cli_list *list;
    uint32_t number;
    const char **v;
    bool flag;
    int r;

    switch (o->kind) {
    case OPT_BOOL:
        r = value ? cli_parse_bool(value) : 1;
        if (r < 0)
            return usage_error(e, "invalid value \"%.64s\" for flag --%s: want true or false", value, o->name);
        flag = r > 0;
        memcpy(at, &flag, sizeof(flag));
        return 0;
    case OPT_U32:
        r = cli_parse_u32(value, &number);
        if (r < 0)
            return usage_error(e, "invalid value \"%.64s\" for flag --%s: %s", value, o->name,
                               r == -ERANGE ? "value out of range" : "want a number");
        memcpy(at, &number, sizeof(number));
        return 0;
    case OPT_LIST:
        list = (struct cli_list *)(void *)at;
        v = realloc(list->v, (list->n + 2) * sizeof(*v));
        if (!v)
            return usage_error(e, "out of memory");
        v[list->n++] = value;
        v[list->n] = NULL;
        list->v = v;
        return 0;
    case OPT_STRING:
        memcpy(at, &value, sizeof(value));
        return 0;
    }
    return usage_error(e, "option --%s has no kind", o->name);
}

/* "-" is an operand (stdin), and so is "-1": a signal or a number. */
static bool is_option(const char *s)
{
    if (s[0] != '-' || !s[1])
        return false;
    return s[1] == '-' || s[1] == '?' || (s[1] >= 'a' && s[1] <= 'z') || (s[1] >= 'A' && s[1] <= 'Z');
}

/* Engines look for the beginning of the text. */
static int unknown(const struct cli_opt *opts, const char *name, size_t len, struct cli_usage_error *e)
{
    int shown = (int)(len < 100 ? len : 100);
    struct cli_near near = { .count = 0 };
    char text[128];

    if (opts != cli_global_opts && find(cli_global_opts, name, len))
        return usage_error(e, "flag provided but not defined: -%.*s (a global option: it goes before the command)",
                           shown, name);
    for (const struct cli_opt *o = opts; o->name; o++)
        if (!(o->flags & OPT_HIDDEN))
            cli_near_add(&near, name, len, o->name);
    cli_near_text(&near, "--", text, sizeof(text));
    return usage_error(e, "flag provided but not defined: -%.*s%s", shown, name, text);
}

int cli_parse(const struct cli_opt *opts, int argc, char **argv, int *i, bool stops, bool keep_rest,
              struct cli_args *args, struct cli_usage_error *e)
{
    for (; *i < argc; (*i)++) {
        const char *word = argv[*i], *name, *eq, *value;
        const struct cli_opt *o;
        size_t len;
        int r;

        if (strcmp(word, "--") == 0) {
            (*i)++;
            break;
        }
        if (!is_option(word)) {
            if (stops)
                break;
            args->pos[args->npos++] = argv[*i];
            continue;
        }
        name = word + (word[1] == '-' ? 2 : 1);
        eq = strchr(name, '=');
        len = eq ? (size_t)(eq - name) : strlen(name);
        /* Every table has help; these are crun's other names for it. */
        if (len == 1 && name[0] == '?')
            name = "help", len = 4, eq = NULL;
        o = find(opts, name, len);
        if (!o)
            return unknown(opts, name, len, e);
        value = eq ? eq + 1 : NULL;
        if (o->kind != OPT_BOOL && !value) {
            if (*i + 1 >= argc)
                return usage_error(e, "flag needs an argument: --%s", o->name);
            value = argv[++*i];
        }
        r = store(o, value, args, e);
        if (r < 0)
            return r;
        /* Nothing after a request for help can be wrong: engines probe for a command with `COMMAND --help` and no operands. */
        if (args->help)
            return 0;
    }
    if (keep_rest)
        for (; *i < argc; (*i)++)
            args->pos[args->npos++] = argv[*i];
    return 0;
}

int cli_check_operands(const struct cli_command *c, int n, struct cli_usage_error *e)
{
    if (c->min == c->max && n != c->min)
        return usage_error(e, "\"%s\" requires exactly %d argument(s)", c->name, c->min);
    if (n < c->min)
        return usage_error(e, "\"%s\" requires a minimum of %d argument(s)", c->name, c->min);
    if (c->max >= 0 && n > c->max)
        return usage_error(e, "\"%s\" requires a maximum of %d argument(s)", c->name, c->max);
    return 0;
}

char *cli_abspath(const char *cwd, const char *path)
{
    size_t size = strlen(cwd) + strlen(path) + 3, len = 0;
    char *out = malloc(size);

    if (!out)
        return NULL;
    out[0] = '/';
    for (int part = path[0] == '/' ? 1 : 0; part < 2; part++) {
        const char *p = part == 0 ? cwd : path;

        while (*p) {
            size_t n;

            p += strspn(p, "/");
            n = strcspn(p, "/");
            if (n == 2 && p[0] == '.' && p[1] == '.') {
                while (len > 0 && out[--len] != '/')
                    ;
            } else if (n > 0 && !(n == 1 && p[0] == '.')) {
                out[len++] = '/';
                memcpy(out + len, p, n);
                len += n;
            }
            p += n;
        }
    }
    if (len == 0)
        out[len++] = '/';
    out[len] = '\0';
    return out;
}
