/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was said, without what differs from run to run. Part of said.c. */
#ifndef WH_TEST_SAID_TEXT_H
#define WH_TEST_SAID_TEXT_H

static unsigned wrong;
static char *lines[4096];
static size_t nlines;

static int order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void keep(const char *line)
{
    for (size_t i = 0; i < nlines; i++)
        if (strcmp(lines[i], line) == 0)
            return;
    if (nlines < sizeof lines / sizeof *lines)
        lines[nlines++] = strdup(line);
}

static struct utsname kernel;

static bool word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Pids, descriptors and lines are # and what is ours is DIR. */
static void normal(const char *from, char *to, size_t size)
{
    size_t n = 0, len = strlen(dir);

    for (const char *p = from; *p && n + 4 < size;) {
        if (strncmp(p, dir, len) == 0) {
            n += (size_t)snprintf(to + n, size - n, "DIR");
            p += len;
        } else if (kernel.release[0] && strncmp(p, kernel.release, strlen(kernel.release)) == 0) {
            n += (size_t)snprintf(to + n, size - n, "KERNEL");
            p += strlen(kernel.release);
        } else if (strncmp(p, "/sys/fs/cgroup/", 15) == 0) {
            n += (size_t)snprintf(to + n, size - n, "CGROUP");
            p += strcspn(p, " :)");
        } else if (*p >= '0' && *p <= '9' && (p == from || !word_char(p[-1]))) {
            const char *end = p;

            while (*end >= '0' && *end <= '9')
                end++;
            if (word_char(*end)) {
                while (p < end && n + 4 < size)
                    to[n++] = *p++;
            } else {
                to[n++] = '#';
                p = end;
            }
        } else {
            to[n++] = *p == '\n' ? '|' : *p;
            p++;
        }
    }
    to[n] = '\0';
}

/* What is the same for many: which container or hook, and the words of the errno. How often which of them comes is a matter of time. */
static char *core(char *line)
{
    static const char *const ends[] = { ": input/output error", ": cannot allocate memory", ": operation not permitted",
                                        ": function not implemented", ": no such device" };
    char *p, *after = strstr(line, "  (after ");

    if (strncmp(line, "error running ", 14) == 0 && (p = strstr(line, " hook ##: ")))
        line = p + 10;
    if (strncmp(line, "load container said-", 20) == 0 && (p = strstr(line, ": ")))
        line = p + 2;
    if (after)
        *after = '\0';
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(line), n = strlen(ends[i]);

        if (len > n && strcmp(line + len - n, ends[i]) == 0) {
            line[len - n] = '\0';
            break;
        }
    }
    return line;
}

static void tell(const char *text)
{
    char buf[2048], *line;
    bool armed = wrap_armed;

    wrap_armed = false;
    normal(text, buf, sizeof buf - 2);
    line = core(buf);
    strcat(line, "\n");
    (void)!write(out_fd, line, strlen(line));
    wrap_armed = armed;
}

static void on_log(void *data, enum wherry_log_level level, const char *message)
{
    (void)data;
    (void)level;
    tell(message);
}

#endif
