/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/console.h"

int wh_api_opts(void *to, size_t size, const void *opts, struct wh_err *err)
{
    size_t theirs;

    memset(to, 0, size);
    if (!opts)
        return 0;
    memcpy(&theirs, opts, sizeof theirs);
    if (theirs < sizeof theirs || theirs > 4096)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "option struct of %zu bytes", theirs);
    /* The kernel's rule for extensible structs: what we do not know must not be asked for. */
    for (size_t i = size; i < theirs; i++)
        if (((const char *)opts)[i] != 0)
            return wh_err_set(err, WH_ERR_USAGE, -E2BIG, NULL,
                              "option struct sets a member that this library does not have");
    memcpy(to, opts, theirs < size ? theirs : size);
    return 0;
}

/* Fds that are not open now must not be mistaken for ours later: what we open takes the lowest free number. */
int wh_api_look_at_fds(uint32_t preserve, uint32_t listen, uint32_t *ret_closed, struct wh_err *err)
{
    *ret_closed = 0;
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            *ret_closed |= 1u << fd;
    if (preserve > 1u << 20 || listen > preserve)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "%u preserved fds, %u of them to listen on", preserve,
                          listen);
    for (uint32_t i = 0; i < preserve; i++)
        if (fcntl(3 + (int)i, F_GETFD) < 0)
            return wh_err_sys(err, -errno, "unable to stat preserved-fd %u (of %u)", i, preserve);
    return 0;
}

int wh_api_send_pidfd(const char *socket, int pidfd, const char *payload, int cancel_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int sock = -1;
    int r;

    if (!socket)
        return 0;
    r = wh_console_connect(socket, "pidfd socket", cancel_fd, &sock, err);
    return r < 0 ? r : wh_console_send(sock, pidfd, payload, "pidfd socket", cancel_fd, err);
}

/* Complete or absent, no newline. The caller's directory, so the caller's umask. */
int wh_api_write_pid_file(const char *path, pid_t pid, int cancel_fd, struct wh_err *err)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d", (int)pid), r;

    if (!path)
        return 0;
    r = wh_apart_replace(path, text, (size_t)n, 0666, cancel_fd);
    return r < 0 ? wh_api_unanswered(r, "write pid file", path, err) : 0;
}

const char *wh_api_absolute(struct wh_arena *arena, const char *path)
{
    char cwd[4096];

    if (path[0] == '/')
        return wh_arena_strndup(arena, path, strlen(path));
    if (!getcwd(cwd, sizeof cwd))
        return NULL;
    /* "(unreachable)" of a working directory outside of our root */
    if (cwd[0] != '/') {
        errno = ENOENT;
        return NULL;
    }
    if (wh_streq(path, ".") || !*path)
        return wh_arena_strndup(arena, cwd, strlen(cwd));
    return wh_arena_printf(arena, "%s/%s", cwd[1] ? cwd : "", path);
}

static char *state_root(const char *path)
{
    char buf[64], *root = NULL;
    struct wh_arena *arena = wh_arena_new();
    const char *abs;
    size_t len;

    if (!path) {
        if (geteuid() == 0)
            path = "/run/wherry";
        else {
            snprintf(buf, sizeof buf, "/run/user/%u/wherry", geteuid());
            path = buf;
        }
    }
    abs = arena ? wh_api_absolute(arena, path) : NULL;
    if (abs) {
        len = strlen(abs);
        while (len > 1 && abs[len - 1] == '/')
            len--;
        root = strndup(abs, len);
    }
    wh_arena_free(arena);
    return root;
}

int wherry_ctx_new(const struct wherry_ctx_opts *opts, wherry_ctx **ret, wherry_error **reterr)
{
    struct wherry_ctx_opts o;
    struct wh_err err = { 0 };
    wherry_ctx *ctx;

    *ret = NULL;
    if (wh_api_opts(&o, sizeof o, opts, &err) < 0)
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    if ((unsigned)o.cgroup_manager > WHERRY_CGROUP_DISABLED) {
        wh_err_set(&err, WH_ERR_USAGE, -EINVAL, NULL, "unknown cgroup manager %d", (int)o.cgroup_manager);
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    if ((unsigned)o.rootless > WHERRY_ROOTLESS_NO) {
        wh_err_set(&err, WH_ERR_USAGE, -EINVAL, NULL, "unknown rootless mode %d", (int)o.rootless);
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    ctx = calloc(1, sizeof *ctx);
    if (ctx)
        ctx->root = state_root(o.root);
    if (!ctx || !ctx->root) {
        wh_err_sys(&err, ctx && errno ? -errno : -ENOMEM, "find the state root");
        free(ctx);
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    if (wh_streq(ctx->root, "/")) {
        wh_err_set(&err, WH_ERR_USAGE, -EINVAL, NULL, "Option --root argument should not be set to /");
        wherry_ctx_free(ctx);
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    if (o.notify_socket && *o.notify_socket) {
        ctx->notify_socket = strdup(o.notify_socket);
        if (!ctx->notify_socket) {
            wherry_ctx_free(ctx);
            wh_err_sys(&err, -ENOMEM, "make a context");
            return wh_api_fail(reterr, &err, WH_NO_STEP);
        }
    }
    if (o.user_bus && *o.user_bus) {
        ctx->user_bus = strdup(o.user_bus);
        if (!ctx->user_bus) {
            wherry_ctx_free(ctx);
            wh_err_sys(&err, -ENOMEM, "make a context");
            return wh_api_fail(reterr, &err, WH_NO_STEP);
        }
    }
    ctx->cgroup_manager = o.cgroup_manager;
    ctx->rootless = o.rootless;
    ctx->log = o.log;
    ctx->log_at = o.log_at;
    ctx->log_level = o.log_level;
    ctx->log_data = o.log_data;
    *ret = ctx;
    return 0;
}

void wherry_ctx_free(wherry_ctx *ctx)
{
    if (!ctx)
        return;
    free(ctx->user_bus);
    free(ctx->notify_socket);
    free(ctx->root);
    free(ctx);
}

const char *wherry_ctx_root(const wherry_ctx *ctx)
{
    return ctx->root;
}

int wherry_signal_number(const char *name)
{
    int sig;

    return name && wh_signal_from_name(name, &sig) == 0 ? sig : -EINVAL;
}
