/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/cgroup/stat-read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

/* io.stat has a line for each device, memory.numa_stat one for each node: far below this on any machine. */
#define FILE_MAX_BYTES (4u << 20)
/* Processors and memory nodes; the kernel's own limits are 8192 and 1024. */
#define LIST_MAX 65536

char *wh_stat_file(int dirfd, const char *name)
{
    WH_CLEANUP_FD int fd = dirfd < 0 ? -1 : openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    WH_UNINITIALIZED char chunk[8192];
    struct wh_buf text = { 0 };
    ssize_t n;

    if (fd < 0)
        return NULL;
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            wh_buf_add(&text, chunk, (size_t)n);
        if (n < 0 || text.failed || text.len > FILE_MAX_BYTES) {
            wh_buf_done(&text);
            return NULL;
        }
    }
    return text.data ? text.data : strdup("");
}

char *wh_stat_line(char **at)
{
    char *line = *at;

    if (!line || !*line)
        return NULL;
    *at = line + strcspn(line, "\n");
    if (**at)
        *(*at)++ = '\0';
    return line;
}

char *wh_stat_word(char **at)
{
    char *word = *at + strspn(*at, " \t");

    if (!*word)
        return NULL;
    *at = word + strcspn(word, " \t");
    if (**at)
        *(*at)++ = '\0';
    return word;
}

static bool parse(const char *text, uint64_t *ret)
{
    if (wh_streq(text, "max"))
        *ret = UINT64_MAX;
    return wh_streq(text, "max") || wh_parse_u64(text, UINT64_MAX, ret) == 0;
}

bool wh_stat_number(int dirfd, const char *name, uint64_t *ret)
{
    char text[64];

    if (dirfd < 0 || wh_read_at(dirfd, name, text, sizeof text - 1) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    return parse(text, ret);
}

uint64_t wh_stat_value(int dirfd, const char *name)
{
    uint64_t v = 0;

    return wh_stat_number(dirfd, name, &v) ? v : 0;
}

bool wh_stat_key(const char *text, const char *key, uint64_t *ret)
{
    size_t len = strlen(key);

    for (const char *line = text; line && *line;) {
        size_t n = strcspn(line, "\n");
        char value[24];

        if (n > len && n - len - 1 < sizeof value && strncmp(line, key, len) == 0 && line[len] == ' ') {
            snprintf(value, sizeof value, "%.*s", (int)(n - len - 1), line + len + 1);
            return wh_parse_u64(value, UINT64_MAX, ret) == 0;
        }
        line += n + (line[n] == '\n');
    }
    return false;
}

uint64_t wh_stat_mul(uint64_t a, uint64_t b)
{
    uint64_t r;

    return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

uint64_t wh_stat_add(uint64_t a, uint64_t b)
{
    uint64_t r;

    return __builtin_add_overflow(a, b, &r) ? UINT64_MAX : r;
}

void wh_stat_opt(struct wh_json *j, const char *key, uint64_t value)
{
    if (value)
        wh_json_u64(j, key, value);
}

/* Decimal digits at *at, moving it past them. */
static bool digits(const char **at, uint64_t *ret)
{
    const char *s = *at;

    *ret = 0;
    for (; *s >= '0' && *s <= '9' && *ret < LIST_MAX; s++)
        *ret = *ret * 10 + (uint64_t)(*s - '0');
    if (s == *at || *ret >= LIST_MAX)
        return false;
    *at = s;
    return true;
}

/* Calls for every number of the list when j is there; else only looks whether it is one. */
static bool walk_list(const char *s, struct wh_json *j)
{
    for (;;) {
        uint64_t a, b;

        if (!digits(&s, &a))
            return false;
        b = a;
        if (*s == '-') {
            s++;
            if (!digits(&s, &b) || b < a)
                return false;
        }
        for (; j && a <= b; a++)
            wh_json_u64(j, NULL, a);
        if (*s == '\0')
            return true;
        if (*s++ != ',')
            return false;
    }
}

void wh_stat_list(struct wh_json *j, const char *key, const char *text)
{
    if (!text || !walk_list(text, NULL))
        return;
    wh_json_open(j, key, '[');
    walk_list(text, j);
    wh_json_close(j, ']');
}

void wh_stat_list_file(struct wh_json *j, const char *key, int dirfd, const char *name)
{
    char *text = wh_stat_file(dirfd, name);

    if (text)
        text[strcspn(text, "\n")] = '\0';
    wh_stat_list(j, key, text);
    free(text);
}

void wh_stat_map(struct wh_json *j, const char *key, char *text)
{
    bool open = false;

    for (char *line; (line = wh_stat_line(&text)) != NULL;) {
        char *name = wh_stat_word(&line), *value = name ? wh_stat_word(&line) : NULL;
        uint64_t v;

        if (!value || wh_stat_word(&line) || wh_parse_u64(value, UINT64_MAX, &v) < 0)
            continue;
        if (!open)
            wh_json_open(j, key, '{');
        open = true;
        wh_json_u64(j, name, v);
    }
    if (open)
        wh_json_close(j, '}');
}

/* "12.34", as JSON writes a number. */
static bool is_decimal(const char *s)
{
    size_t whole = strspn(s, "0123456789"), part;

    if (whole == 0 || (s[0] == '0' && whole > 1) || s[whole] != '.')
        return false;
    part = strspn(s + whole + 1, "0123456789");
    return part > 0 && s[whole + 1 + part] == '\0';
}

struct psi {
    const char *avg[3];
    uint64_t total;
};

/* "avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static bool parse_psi(char *line, struct psi *ret)
{
    static const char *const keys[] = { "avg10=", "avg60=", "avg300=", "total=" };

    for (size_t i = 0; i < WH_ELEMENTSOF(keys); i++) {
        char *word = wh_stat_word(&line);

        if (!word || !wh_startswith(word, keys[i]))
            return false;
        word += strlen(keys[i]);
        if (i < 3)
            ret->avg[i] = word;
        if (i < 3 ? !is_decimal(word) : wh_parse_u64(word, UINT64_MAX, &ret->total) < 0)
            return false;
    }
    return true;
}

void wh_stat_psi(struct wh_json *j, int dirfd, const char *name)
{
    char *text = wh_stat_file(dirfd, name), *at = text;
    bool open = false;

    for (char *line; (line = wh_stat_line(&at)) != NULL;) {
        char *kind = wh_stat_word(&line);
        struct psi p;

        if (!kind || (!wh_streq(kind, "some") && !wh_streq(kind, "full")) || !parse_psi(line, &p))
            continue;
        if (!open)
            wh_json_open(j, "psi", '{');
        open = true;
        wh_json_open(j, kind, '{');
        wh_json_raw(j, "avg10", p.avg[0]);
        wh_json_raw(j, "avg60", p.avg[1]);
        wh_json_raw(j, "avg300", p.avg[2]);
        wh_json_u64(j, "total", p.total);
        wh_json_close(j, '}');
    }
    if (open)
        wh_json_close(j, '}');
    free(text);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

void wh_stat_sizes(int dirfd, const char *suffix, struct wh_stat_sizes *ret)
{
    int fd = dirfd < 0 ? -1 : openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    ret->n = 0;
    if (!d) {
        wh_close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL && ret->n < WH_STAT_SIZES;) {
        const char *size = e->d_name + strlen("hugetlb.");
        size_t len;

        if (!wh_startswith(e->d_name, "hugetlb."))
            continue;
        len = strcspn(size, ".");
        if (len > 0 && len < sizeof ret->name[0] && size[len] == '.' && wh_streq(size + len + 1, suffix))
            snprintf(ret->name[ret->n++], sizeof ret->name[0], "%.*s", (int)len, size);
    }
    closedir(d);
    if (ret->n > 1)
        qsort(ret->name, ret->n, sizeof ret->name[0], by_name);
}

void wh_stat_blkio_add(struct wh_stat_blkio *b, const char *device, const char *op, uint64_t value)
{
    const char *colon = strchr(device, ':');
    char major[16];
    uint64_t ma, mi;

    if (!colon || (size_t)(colon - device) >= sizeof major)
        return;
    snprintf(major, sizeof major, "%.*s", (int)(colon - device), device);
    if (wh_parse_u64(major, UINT32_MAX, &ma) < 0 || wh_parse_u64(colon + 1, UINT32_MAX, &mi) < 0)
        return;
    if (!b->open)
        wh_json_open(b->j, b->key, '[');
    b->open = true;
    wh_json_open(b->j, NULL, '{');
    wh_stat_opt(b->j, "major", ma);
    wh_stat_opt(b->j, "minor", mi);
    if (op)
        wh_json_str(b->j, "op", op);
    wh_stat_opt(b->j, "value", value);
    wh_json_close(b->j, '}');
}

void wh_stat_blkio_end(struct wh_stat_blkio *b)
{
    if (b->open)
        wh_json_close(b->j, ']');
    b->open = false;
}
