/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

static wherry_error *new_error(const struct wh_err *e, uint32_t step)
{
    size_t room = sizeof e->path + sizeof e->msg + 3;
    wherry_error *r = calloc(1, sizeof *r + room);

    if (!r)
        return NULL;
    r->e = *e;
    wh_err_text(e, r->text, room);
    if (step != WH_NO_STEP)
        snprintf(r->step, sizeof r->step, "%u", step);
    return r;
}

int wh_api_fail(wherry_error **reterr, const struct wh_err *err, uint32_t step)
{
    int code = err->code < 0 ? err->code : -EIO;

    if (reterr)
        *reterr = new_error(err, step);
    return code;
}

int wh_api_fail_list(wherry_error **reterr, const struct wh_errlist *errs)
{
    wherry_error **at = reterr;

    for (unsigned i = 0; at && i < errs->n; i++) {
        *at = new_error(&errs->e[i], WH_NO_STEP);
        at = *at ? &(*at)->next : NULL;
    }
    return errs->n > 0 && errs->e[0].code < 0 ? errs->e[0].code : -EINVAL;
}

void wh_api_also_begin(wherry_ctx *ctx, struct wh_also *also)
{
    *also = (struct wh_also){ NULL, NULL };
    also->last = &also->first;
    ctx->also = also;
}

void wh_api_also_end(wherry_ctx *ctx, wherry_error **reterr)
{
    struct wh_also *also = ctx->also;

    ctx->also = NULL;
    /* Who wants no errors wants none of these. */
    if (!reterr)
        wherry_error_free(also->first);
    while (reterr && *reterr)
        reterr = &(*reterr)->next;
    if (reterr)
        *reterr = also->first;
}

/* False when there is no memory for it. */
static bool keep(struct wh_also *also, const char *text)
{
    struct wh_err e = { .kind = WH_ERR_HOST, .code = -EIO };

    snprintf(e.msg, sizeof e.msg, "%.*s", (int)sizeof e.msg - 1, text);
    *also->last = new_error(&e, WH_NO_STEP);
    if (!*also->last)
        return false;
    also->last = &(*also->last)->next;
    return true;
}

static void pass_on(const wherry_ctx *ctx, enum wherry_log_level level, const char *text, const char *file,
                    const char *func)
{
    const char *from = strstr(file, "src/");

    /* The compiler was given the path from its own working directory. */
    if (ctx->log_at)
        ctx->log_at(ctx->log_data, level, text, from ? from : file, func);
    else
        ctx->log(ctx->log_data, level, text);
}

void wh_api_log_at(const wherry_ctx *ctx, enum wherry_log_level level, const char *file, const char *func,
                   const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (!ctx->log && !ctx->log_at && !ctx->also)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (level == WHERRY_LOG_WARNING && ctx->also && keep(ctx->also, text))
        return;
    if (!ctx->log && !ctx->log_at)
        return;
    pass_on(ctx, level, text, file, func);
}

static void record(void *data, enum wh_log_level level, const char *file, const char *func, const char *text)
{
    pass_on(data, level == WH_LOG_INFO ? WHERRY_LOG_INFO : WHERRY_LOG_DEBUG, text, file, func);
}

struct wh_logger wh_api_log_begin(const wherry_ctx *ctx)
{
    struct wh_logger before = wh_logger;

    wh_logger = (struct wh_logger){ .level = !ctx->log && !ctx->log_at            ? WH_LOG_NONE
                                             : ctx->log_level >= WHERRY_LOG_DEBUG ? WH_LOG_DEBUG
                                             : ctx->log_level == WHERRY_LOG_INFO  ? WH_LOG_INFO
                                                                                  : WH_LOG_NONE,
                                    .fn = record,
                                    .data = (void *)(uintptr_t)ctx };
    return before;
}

void wh_api_log_end(const struct wh_logger *before)
{
    wh_logger = *before;
}

int wherry_error_code(const wherry_error *e)
{
    return e ? e->e.code : 0;
}

const char *wherry_error_message(const wherry_error *e)
{
    return e ? e->e.msg : "";
}

const char *wherry_error_path(const wherry_error *e)
{
    return e ? e->e.path : "";
}

const char *wherry_error_step(const wherry_error *e)
{
    return e ? e->step : "";
}

const char *wherry_error_text(const wherry_error *e)
{
    return e ? e->text : "";
}

const wherry_error *wherry_error_next(const wherry_error *e)
{
    return e ? e->next : NULL;
}

void wherry_error_free(wherry_error *e)
{
    while (e) {
        wherry_error *next = e->next;

        free(e);
        e = next;
    }
}

void wherry_free(void *p)
{
    free(p);
}
