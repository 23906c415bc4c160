/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json-out.h"

/* Length of the UTF-8 sequence at s, 0 when it is broken (RFC 3629: no surrogates, no overlong forms). */
static size_t utf8_len(const unsigned char *s)
{
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : (s[0] & 0xf0) == 0xe0       ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] >= 0x90))
        return 0;
    return n;
}

static void quoted(struct wh_buf *b, const char *value)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)value, *plain = s;

    wh_buf_add(b, "\"", 1);
    while (*s) {
        size_t n = utf8_len(s);

        if (n > 1 || (n == 1 && *s >= 0x20 && *s != '"' && *s != '\\')) {
            s += n;
            continue;
        }
        wh_buf_add(b, plain, (size_t)(s - plain));
        if (n == 0)
            wh_buf_add(b, "\xef\xbf\xbd", 3);
        else if (*s == '"' || *s == '\\')
            wh_buf_add(b, (char[]){ '\\', (char)*s }, 2);
        else if (*s == '\n')
            wh_buf_add(b, "\\n", 2);
        else
            wh_buf_add(b, (char[]){ '\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15] }, 6);
        plain = ++s;
    }
    wh_buf_add(b, plain, (size_t)(s - plain));
    wh_buf_add(b, "\"", 1);
}

static void line(struct wh_json *j)
{
    if (j->indent == 0)
        return;
    wh_buf_add(j->out, "\n", 1);
    for (unsigned i = 0; i < j->indent * j->depth; i++)
        wh_buf_add(j->out, " ", 1);
}

static void member(struct wh_json *j, const char *key)
{
    if (j->depth > 0) {
        if (j->some[j->depth - 1])
            wh_buf_add(j->out, ",", 1);
        j->some[j->depth - 1] = true;
        line(j);
    }
    if (key) {
        quoted(j->out, key);
        wh_buf_add(j->out, ": ", j->indent ? 2 : 1);
    }
}

void wh_json_open(struct wh_json *j, const char *key, char bracket)
{
    member(j, key);
    wh_buf_add(j->out, &bracket, 1);
    if (j->depth == WH_JSON_DEPTH) {
        j->out->failed = true;
        return;
    }
    j->some[j->depth++] = false;
}

void wh_json_close(struct wh_json *j, char bracket)
{
    bool some = j->some[--j->depth];

    if (some)
        line(j);
    wh_buf_add(j->out, &bracket, 1);
}

void wh_json_str(struct wh_json *j, const char *key, const char *value)
{
    member(j, key);
    quoted(j->out, value);
}

static void number(struct wh_buf *out, bool negative, uint64_t value)
{
    char buf[24], *p = buf + sizeof buf;

    do
        *--p = (char)('0' + value % 10);
    while (value /= 10);
    if (negative)
        *--p = '-';
    wh_buf_add(out, p, (size_t)(buf + sizeof buf - p));
}

void wh_json_u64(struct wh_json *j, const char *key, uint64_t value)
{
    member(j, key);
    number(j->out, false, value);
}

void wh_json_i64(struct wh_json *j, const char *key, int64_t value)
{
    member(j, key);
    number(j->out, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void wh_json_bool(struct wh_json *j, const char *key, bool value)
{
    member(j, key);
    wh_buf_puts(j->out, value ? "true" : "false");
}

void wh_json_raw(struct wh_json *j, const char *key, const char *value)
{
    member(j, key);
    wh_buf_puts(j->out, value);
}
