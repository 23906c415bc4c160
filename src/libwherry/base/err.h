/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_BASE_ERR_H
#define WH_BASE_ERR_H

#include <stddef.h>
#include <stdint.h>

#define WH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* What a failure is about; decides nothing but how it is presented. */
enum wh_err_kind {
    WH_ERR_NONE = 0,
    WH_ERR_USAGE, /* the command line, or an argument of an API call */
    WH_ERR_SPEC, /* config.json: type, range, contradiction */
    WH_ERR_HOST, /* this host lacks something, or refused a call of ours */
    WH_ERR_STATE, /* the container is not in a state that allows it */
    WH_ERR_STEP, /* a step of the plan failed in wherry-init */
    WH_ERR_PROTOCOL, /* wherry-init broke the protocol */
};

/*
 * One failure, told once, at the place that knows its meaning. Owned by the caller, on the stack or inside another
 * object; no allocation, so that it works when memory is what ran out. The first error wins: setting it again keeps
 * what is there. `path` is the place in the configuration ("config.json:41:20: /mounts/3/source") or empty.
 */
struct wh_err {
    int code; /* negative errno; 0 = no error */
    uint8_t kind;
    uint8_t
        killed; /* the process that this is about was ended by SIGKILL, which says nothing of who sent it: api/oom.c asks the cgroup */
    char path[160], msg[864];
};

#define WH_ERRLIST_MAX 20

#define WH_WARNLIST_MAX 8

/*
 * Findings about one configuration, collected so that a user fixes a file once (design: up to 20). Warnings are about what is accepted with
 * another meaning than it reads (docs/COMPATIBILITY.md); they never make anything fail.
 */
struct wh_errlist {
    unsigned n, dropped, nwarn, warn_dropped;
    struct wh_err e[WH_ERRLIST_MAX];
    struct wh_err w[WH_WARNLIST_MAX];
};

/* Sets *e (when not null and still empty) and returns `code`, so that `return wh_err_set(...)` reads as one statement.
 * `code` is a negative errno. `path` may be null. Control bytes of the text are escaped: a message is one line. The text carries no trailing newline and no errno words of its own. */
int wh_err_set(struct wh_err *e, enum wh_err_kind kind, int code, const char *path, const char *fmt, ...)
    WH_PRINTF(5, 6);

/* The same, with ": " and the words for -code appended: "open /x: permission denied". */
int wh_err_sys(struct wh_err *e, int code, const char *fmt, ...) WH_PRINTF(3, 4);

/* Adds exactly one context prefix at an API boundary: "PREFIX: message". */
void wh_err_prefix(struct wh_err *e, const char *fmt, ...) WH_PRINTF(2, 3);

/* Renders "path: message" (path only when there is one) into buf; returns buf. */
const char *wh_err_text(const struct wh_err *e, char *buf, size_t size);

/* A fresh slot of the list, or null (and `dropped` counted) when it is full. */
struct wh_err *wh_errlist_next(struct wh_errlist *l);

/* The same for a warning (`warn_dropped`). The caller sets it with any code that is not 0; nothing returns that code. */
struct wh_err *wh_errlist_warn(struct wh_errlist *l);

#define WH_ERRTEXT_SIZE 64

/* Words for an errno (positive) as Go prints them: "no such file or directory". Engines compare them case-sensitively
 * Copies into buf of WH_ERRTEXT_SIZE and returns it. Locale is never consulted. */
const char *wh_errno_words(int err, char *buf);

/* "ENOENT"; "E123" for a number without a name (into a static constant table; never null). */
const char *wh_errno_name(int err);

#endif
