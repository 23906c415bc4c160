/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct wh_buf *b, size_t more)
{
    size_t need, cap;
    char *p;

    if (b->failed || __builtin_add_overflow(b->len, more, &need) || need > SIZE_MAX / 2) {
        b->failed = true;
        return false;
    }
    if (need < b->cap)
        return true;
    cap = b->cap ? b->cap : 256;
    while (cap <= need)
        cap *= 2;
    p = realloc(b->data, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void wh_buf_add(struct wh_buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void wh_buf_puts(struct wh_buf *b, const char *s)
{
    wh_buf_add(b, s, strlen(s));
}

void wh_buf_vprintf(struct wh_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0 || !reserve(b, (size_t)n)) {
        b->failed = true;
        return;
    }
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
}

void wh_buf_printf(struct wh_buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    wh_buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void wh_buf_escape(struct wh_buf *b, const char *s, bool quote)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '\n')
            wh_buf_puts(b, "\\n");
        else if (c == '\t')
            wh_buf_puts(b, "\\t");
        else if (c < 0x20 || c == 0x7f)
            wh_buf_printf(b, "\\x%02x", c);
        else if (c == '\\' || (quote && c == '"'))
            wh_buf_printf(b, "\\%c", c);
        else
            wh_buf_add(b, &c, 1);
    }
}

void wh_buf_done(struct wh_buf *b)
{
    free(b->data);
    *b = (struct wh_buf){ 0 };
}

int wh_parse_u64_front(const char *s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (*s < '0' || *s > '9')
        return -EINVAL;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return -ERANGE;
    if (v > max)
        return -ERANGE;
    *ret = v;
    return 0;
}

int wh_parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
    return s[strspn(s, "0123456789")] ? -EINVAL : wh_parse_u64_front(s, max, ret);
}

static bool octal(char c)
{
    return c >= '0' && c <= '7';
}

void wh_unescape_octal(char *s)
{
    char *to = s;

    while (*s) {
        /* The first digit is at most 3: three of them are a byte. */
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && octal(s[2]) && octal(s[3])) {
            *to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

unsigned wh_edit_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    unsigned row[MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > MAX || lb > MAX)
        return 255;
    for (unsigned j = 0; j <= lb; j++)
        row[j] = j;
    for (unsigned i = 1; i <= la; i++) {
        unsigned diag = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            unsigned subst = diag + (a[i - 1] != b[j - 1]), best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

            diag = row[j];
            row[j] = subst < best ? subst : best;
        }
    }
    return row[lb];
}

const char *wh_utc_text(int64_t seconds, uint32_t nanoseconds, char *buf)
{
    /* The Gregorian calendar repeats every 400 years = 146097 days; counted from 1 March, leap days come last in a year. */
    int64_t days = seconds / 86400, rest = seconds % 86400, era, year;
    unsigned day_of_era, year_of_era, day_of_year, month, day;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    days += 719468; /* from 0000-03-01 to 1970-01-01 */
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = (unsigned)(days - era * 146097);
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * day_of_year + 2) / 153;
    day = day_of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year = (int64_t)year_of_era + era * 400 + (month <= 2);
    snprintf(buf, WH_UTC_SIZE, "%04lld-%02u-%02uT%02u:%02u:%02u.%09uZ", (long long)year, month, day,
             (unsigned)(rest / 3600), (unsigned)(rest / 60 % 60), (unsigned)(rest % 60), nanoseconds);
    return buf;
}

/* One number of a duration, "1.5", in units of `unit` nanoseconds, added to *sum. */
static int add_part(const char *digits, size_t whole, size_t part, uint64_t unit, uint64_t *sum)
{
    uint64_t n = 0, scale = unit;

    for (size_t i = 0; i < whole; i++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(digits[i] - '0'), &n))
            return -ERANGE;
    if (__builtin_mul_overflow(n, unit, &n))
        return -ERANGE;
    /* What is below a nanosecond is dropped. */
    for (size_t i = 0; i < part; i++) {
        scale /= 10;
        n += scale * (uint64_t)(digits[whole + 1 + i] - '0');
    }
    return __builtin_add_overflow(*sum, n, sum) ? -ERANGE : 0;
}

int wh_parse_duration(const char *s, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = { { "ns", 1 },       { "us", 1000 },      { "\xc2\xb5s", 1000 }, { "\xce\xbcs", 1000 },
                  { "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 },  { "h", 3600000000000 } };
    uint64_t sum = 0;

    if (wh_streq(s, "0")) {
        *ret = 0;
        return 0;
    }
    if (!*s)
        return -EINVAL;
    while (*s) {
        size_t whole = strspn(s, "0123456789"), part = 0, used = whole, len, i;
        int r;

        if (s[used] == '.') {
            part = strspn(s + used + 1, "0123456789");
            used += 1 + part;
        }
        if (whole + part == 0)
            return -EINVAL;
        len = strcspn(s + used, "0123456789.");
        for (i = 0; i < WH_ELEMENTSOF(units); i++)
            if (strlen(units[i].name) == len && memcmp(units[i].name, s + used, len) == 0)
                break;
        if (i == WH_ELEMENTSOF(units))
            return -EINVAL;
        r = add_part(s, whole, part, units[i].ns, &sum);
        if (r < 0)
            return r;
        s += used + len;
    }
    *ret = sum;
    return 0;
}
