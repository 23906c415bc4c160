/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Containers that run: pausing them, and looking at their processes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/spawn.h"

/* How long a process in an uninterruptible call is waited for (runc: about as long). */
#define FREEZE_MS 10000

/* How long ps(1) may take: a process whose memory another one holds locked makes it wait (/proc/PID/cmdline). */
#define PS_MS 30000
/* And how long a killed one is waited for: in that very wait it cannot be killed. */
#define KILLED_MS 1000

/* A table of processes is some kilobytes; what is larger than this is none. */
#define PS_MAX_BYTES (64u << 20)

static int pause_open(struct wh_target *t, struct wh_err *err)
{
    int r;

    if (t->status != WH_STATUS_CREATED && t->status != WH_STATUS_RUNNING)
        return wh_err_set(err, WH_ERR_STATE, -EBUSY, NULL, "container not running");
    r = wh_cgroup_freeze(&t->cgroup, true, FREEZE_MS, err);
    /* It ended meanwhile: an empty cgroup freezes like any other. */
    if (r == 0 && wh_pidfd_wait(t->pidfd, 0) == 0) {
        /* What it left behind would stay frozen for ever: a container without init is not one to resume. */
        (void)wh_cgroup_freeze(&t->cgroup, false, 0, NULL);
        return wh_err_set(err, WH_ERR_STATE, -ESRCH, NULL, "container not running");
    }
    return r;
}

static int resume_open(struct wh_target *t, struct wh_err *err)
{
    /* Told to freeze, and not all of it has: whoever paused it was killed meanwhile. That has to have an end. */
    if (t->status != WH_STATUS_PAUSED && !(t->pidfd >= 0 && wh_cgroup_freezing(&t->cgroup)))
        return wh_err_set(err, WH_ERR_STATE, -EINVAL, NULL, "container not paused");
    return wh_cgroup_freeze(&t->cgroup, false, FREEZE_MS, err);
}

static int with_target(wherry_ctx *ctx, const char *id, int (*fn)(struct wh_target *t, struct wh_err *err),
                       const char *done, wherry_error **reterr)
{
    WH_API_LOGS(ctx);
    WH_CLEANUP_TARGET struct wh_target t;
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    wh_target_init(&t);
    r = wh_target_open(&t, ctx, id, false, &err);
    if (r == 0)
        r = fn(&t, &err);
    if (r == 0)
        WH_INFO("container %s was %s", id, done);
    return r < 0 ? wh_api_fail(reterr, &err, WH_NO_STEP) : 0;
}

int wherry_pause(wherry_ctx *ctx, const char *id, wherry_error **reterr)
{
    return with_target(ctx, id, pause_open, "paused", reterr);
}

int wherry_resume(wherry_ctx *ctx, const char *id, wherry_error **reterr)
{
    return with_target(ctx, id, resume_open, "resumed", reterr);
}

/* ---- processes ---- */

static int by_number(const void *a, const void *b)
{
    const pid_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Sorted, each once: one that was moved from one cgroup to another while we looked was seen in both. */
static int pids_of(wherry_ctx *ctx, const char *id, pid_t **ret, size_t *ret_n, struct wh_err *err)
{
    WH_CLEANUP_TARGET struct wh_target t;
    size_t n = 0, kept = 0;
    pid_t *v = NULL;
    int r;

    wh_target_init(&t);
    r = wh_target_open(&t, ctx, id, false, err);
    if (r == 0)
        r = wh_cgroup_pids(&t.cgroup, &v, &n, err);
    if (r < 0)
        return r;
    if (n > 1)
        qsort(v, n, sizeof *v, by_number);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || v[i] != v[i - 1])
            v[kept++] = v[i];
    *ret = v;
    *ret_n = kept;
    return 0;
}

int wherry_pids(wherry_ctx *ctx, const char *id, int32_t **ret_pids, size_t *ret_n, wherry_error **reterr)
{
    struct wh_err err = { 0 };
    int r;

    if (reterr)
        *reterr = NULL;
    *ret_pids = NULL;
    *ret_n = 0;
    r = pids_of(ctx, id, ret_pids, ret_n, &err);
    return r < 0 ? wh_api_fail(reterr, &err, WH_NO_STEP) : 0;
}

/* Runs ps(1); what it wrote is in *ret, with a NUL behind it. */
static int run_ps(const char *path, const char *const *args, struct wh_buf *ret, struct wh_err *err)
{
    static const char *const all[] = { "-ef", NULL };
    /* No columns are cut off, whatever the caller's terminal. */
    static const char *const envp[] = { "LC_ALL=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", NULL };
    WH_CLEANUP_FD int fd = wh_spawn_find(path, "ps", -1), pidfd = -1;
    WH_CLEANUP_FD int out = memfd_create("wherry-ps", MFD_CLOEXEC), said = memfd_create("wherry-ps", MFD_CLOEXEC);
    const char **argv;
    struct wh_exit ex = { 0 };
    struct wh_spawn s;
    struct stat st;
    size_t n = 0;
    int r;

    if (fd == -ETIMEDOUT)
        return wh_err_sys(err, fd, "look for ps in $PATH");
    if (fd < 0)
        return wh_err_set(err, WH_ERR_HOST, fd, NULL,
                          "ps is not in $PATH (package procps): without a table, --format json needs none");
    if (out < 0 || said < 0)
        return wh_err_sys(err, -errno, "make a memfd for ps");
    args = args && args[0] ? args : all;
    while (args[n])
        n++;
    argv = calloc(n + 2, sizeof *argv);
    if (!argv)
        return wh_err_sys(err, -ENOMEM, "run ps");
    argv[0] = "ps";
    memcpy(&argv[1], args, n * sizeof *argv);
    wh_spawn_init(&s, "ps");
    s.exec_fd = fd;
    s.argv = argv;
    s.envp = envp;
    s.stdio[0] = WH_SPAWN_NULL;
    s.stdio[1] = out;
    s.stdio[2] = said;
    s.reset_signals = true;
    r = wh_spawn(&s, &pidfd, NULL, err);
    free(argv);
    if (r < 0)
        return r;
    r = wh_pidfd_wait(pidfd, PS_MS);
    if (r == -ETIMEDOUT) {
        wh_pidfd_kill(pidfd, SIGKILL);
        if (wh_pidfd_wait(pidfd, KILLED_MS) == 0)
            wh_pidfd_reap(pidfd, NULL);
        return wh_err_set(err, WH_ERR_HOST, r, NULL,
                          "ps did not end within %d s, and was killed: --format json does without", PS_MS / 1000);
    }
    if (r == 0)
        r = wh_pidfd_reap(pidfd, &ex);
    if (r < 0)
        return wh_err_sys(err, r, "wait for ps");
    /* 1 without a word: nothing matched. */
    if (ex.signalled || ex.value > 1 || (ex.value == 1 && fstat(said, &st) == 0 && st.st_size > 0)) {
        char line[200];
        ssize_t len = pread(said, line, sizeof line - 1, 0);

        line[len > 0 ? len : 0] = '\0';
        len = (ssize_t)strspn(line, "\n");
        line[len + (ssize_t)strcspn(line + len, "\n")] = '\0';
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "ps failed (%s %d)%s%s",
                          ex.signalled ? "signal" : "exit status", ex.value, line[len] ? ": " : "", line + len);
    }
    if (fstat(out, &st) < 0)
        return wh_err_sys(err, -errno, "read the output of ps");
    if (st.st_size > (off_t)PS_MAX_BYTES)
        return wh_err_set(err, WH_ERR_HOST, -EFBIG, NULL, "ps wrote %lld bytes", (long long)st.st_size);
    ret->data = calloc(1, (size_t)st.st_size + 1);
    if (!ret->data)
        return wh_err_sys(err, -ENOMEM, "read the output of ps");
    ret->len = (size_t)st.st_size;
    ret->cap = ret->len + 1;
    if (pread(out, ret->data, ret->len, 0) != st.st_size)
        return wh_err_sys(err, -EIO, "read the output of ps");
    return 0;
}

/* The n-th word of a line, its length in *ret_len; null when there are fewer. */
static const char *word(const char *line, size_t n, size_t *ret_len)
{
    for (;;) {
        line += strspn(line, " \t");
        *ret_len = strcspn(line, " \t\n");
        if (*ret_len == 0 || n-- == 0)
            return *ret_len ? line : NULL;
        line += *ret_len;
    }
}

/* The word that ends where `columns` characters of the line do (UTF-8), or null. */
static const char *word_at(const char *line, size_t columns, size_t *ret_len)
{
    const char *end = line, *begin;

    *ret_len = 0;

    for (; *end && *end != '\n' && (columns > 0 || ((unsigned char)*end & 0xc0) == 0x80); end++)
        columns -= ((unsigned char)*end & 0xc0) != 0x80;
    if (columns > 0 || (*end && !strchr(" \t\n", *end)))
        return NULL;
    for (begin = end; begin > line && !strchr(" \t", begin[-1]); begin--)
        ;
    *ret_len = (size_t)(end - begin);
    return *ret_len ? begin : NULL;
}

static bool is_pid(const char *w, size_t len, pid_t *ret)
{
    char number[16];
    uint64_t pid;

    snprintf(number, sizeof number, "%.*s", w && len < sizeof number ? (int)len : 0, w ? w : "");
    if (wh_parse_u64(number, INT32_MAX, &pid) < 0)
        return false;
    *ret = (pid_t)pid;
    return true;
}

/* Leaves the header and the rows of these processes. */
static int keep_rows(struct wh_buf *text, const pid_t *pids, size_t n, struct wh_err *err)
{
    const char *w = NULL, *line;
    size_t field = 0, column, len;
    pid_t pid;
    char *to;

    for (; (w = word(text->data, field, &len)); field++)
        if (len == 3 && memcmp(w, "PID", 3) == 0)
            break;
    if (!w)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL,
                          "ps prints no column PID, and without it the rows of the container cannot be told (add one: "
                          "-o pid,...)");
    column = (size_t)(w - text->data) + len;
    to = text->data + strcspn(text->data, "\n");
    to += *to == '\n';
    for (line = to; *line;) {
        size_t row = strcspn(line, "\n");

        row += line[row] == '\n';
        /* Numbers end below the end of their title; columns before may have blanks in them. A number that is too wide for its column has no
         * such place, and is counted to. */
        w = word_at(line, column, &len);
        if (!is_pid(w, len, &pid)) {
            w = word(line, field, &len);
            pid = is_pid(w, len, &pid) ? pid : 0;
        }
        if (n > 0 && bsearch(&pid, pids, n, sizeof *pids, by_number)) {
            memmove(to, line, row);
            to += row;
        }
        line += row;
    }
    *to = '\0';
    text->len = (size_t)(to - text->data);
    return 0;
}

int wherry_ps(wherry_ctx *ctx, const char *id, const struct wherry_ps_opts *opts, char **ret_table,
              wherry_error **reterr)
{
    struct wherry_ps_opts o = { 0 };
    struct wh_buf text = { 0 };
    struct wh_err err = { 0 };
    pid_t *pids = NULL;
    size_t n = 0;
    int r;

    if (reterr)
        *reterr = NULL;
    *ret_table = NULL;
    r = wh_api_opts(&o, sizeof o, opts, &err);
    if (r == 0)
        r = pids_of(ctx, id, &pids, &n, &err);
    if (r == 0)
        r = run_ps(o.path, o.args, &text, &err);
    if (r == 0)
        r = keep_rows(&text, pids, n, &err);
    free(pids);
    if (r < 0) {
        wh_buf_done(&text);
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    *ret_table = text.data;
    return 0;
}
