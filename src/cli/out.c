/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <errno.h>
#include <sys/stat.h>
#include <signal.h>
#include <poll.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* stdio would cost a locale-aware formatter's set-up at every start, and may split what has to be one write(2). */

void cli_buf_add(struct cli_buf *b, const char *data, size_t len)
{
    if (b->failed)
        return;
    if (len >= b->size - b->len) {
        size_t size = (b->size ? b->size : 512);
        char *p;

        while (size - b->len <= len)
            size *= 2;
        p = realloc(b->data, size);
        if (!p) {
            b->failed = true;
            return;
        }
        b->data = p;
        b->size = size;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void cli_buf_str(struct cli_buf *b, const char *s)
{
    cli_buf_add(b, s, strlen(s));
}

void cli_buf_printf(struct cli_buf *b, const char *fmt, ...)
{
    char stack[512], *heap;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(stack, sizeof(stack), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n < sizeof(stack)) {
        cli_buf_add(b, stack, (size_t)n);
        return;
    }
    heap = malloc((size_t)n + 1);
    if (!heap) {
        b->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(heap, (size_t)n + 1, fmt, ap);
    va_end(ap);
    cli_buf_add(b, heap, (size_t)n);
    free(heap);
}

void cli_buf_free(struct cli_buf *b)
{
    free(b->data);
    *b = (struct cli_buf){ 0 };
}

/* Ids, file names and what a container wrote must not be able to begin a second line, or to steer the terminal. */
void cli_buf_line(struct cli_buf *b, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 0x20 || c == 0x7f)
            cli_buf_printf(b, "\\x%02x", c);
        else
            cli_buf_add(b, s, 1);
    }
}

/* Length of the UTF-8 sequence at s, or 0: overlong forms, surrogates and what lies above U+10FFFF are none. */
static size_t utf8_len(const unsigned char *s)
{
    size_t n;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        n = 2;
    else if ((s[0] & 0xf0) == 0xe0)
        n = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        n = 4;
    else
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* JSON and logfmt agree on how to quote, but for what is not UTF-8, which only JSON minds. */
static void add_quoted(struct cli_buf *b, const char *s, bool json)
{
    cli_buf_add(b, "\"", 1);
    while (*s) {
        unsigned char c = (unsigned char)*s;
        size_t n = utf8_len((const unsigned char *)s);

        if (n == 0) {
            cli_buf_str(b, json ? "\\ufffd" : "\xef\xbf\xbd");
            n = 1;
        } else if (c == '"' || c == '\\') {
            char esc[2] = { '\\', (char)c };

            cli_buf_add(b, esc, 2);
        } else if (c == '\n') {
            cli_buf_str(b, "\\n");
        } else if (c == '\t') {
            cli_buf_str(b, "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            cli_buf_printf(b, json ? "\\u%04x" : "\\x%02x", c);
        } else {
            cli_buf_add(b, s, n);
        }
        s += n;
    }
    cli_buf_add(b, "\"", 1);
}

void cli_buf_json(struct cli_buf *b, const char *s)
{
    add_quoted(b, s, true);
}

void cli_buf_quoted(struct cli_buf *b, const char *s)
{
    add_quoted(b, s, false);
}

/* create, run and exec block signals, so that none ends them half-way. A write to a full pipe that nobody reads would block for ever then: a signal
 * that is already pending ends the program here as well. */
static void wait_as_others_do(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    sigset_t none;

    if (poll(&p, 1, 0) != 0)
        return;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int cli_write_all(int fd, const char *data, size_t len)
{
    struct stat st;
    /* A record of a log is one write; a pipe that poll calls writable has room for this much. */
    size_t most = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? len : PIPE_BUF;

    while (len > 0) {
        ssize_t n;

        wait_as_others_do(fd);
        n = write(fd, data, len < most ? len : most);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Characters, not bytes: a bundle may have a name in any script. */
static size_t text_width(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void cli_table(struct cli_buf *b, const char *const *cells, size_t nrows, size_t ncols)
{
    for (size_t row = 0; row < nrows; row++) {
        for (size_t col = 0; col < ncols; col++) {
            const char *cell = cells[row * ncols + col];
            size_t width = 12;

            cli_buf_line(b, cell);
            if (col + 1 == ncols)
                break;
            for (size_t i = 0; i < nrows; i++) {
                size_t w = text_width(cells[i * ncols + col]) + 3;

                if (w > width)
                    width = w;
            }
            cli_buf_printf(b, "%*s", (int)(width - text_width(cell)), "");
        }
        cli_buf_add(b, "\n", 1);
    }
}

const char *cli_errno_words(int err, char buf[64])
{
    const char *text = strerrordesc_np(err < 0 ? -err : err);

    if (!text) {
        snprintf(buf, 64, "errno %d", err < 0 ? -err : err);
        return buf;
    }
    snprintf(buf, 64, "%s", text);
    /* Engines compare with Go's texts, which begin in lower case; "RPC …" and the like stay as they are. */
    if (buf[0] >= 'A' && buf[0] <= 'Z' && !(buf[1] >= 'A' && buf[1] <= 'Z'))
        buf[0] = (char)(buf[0] - 'A' + 'a');
    return buf;
}
