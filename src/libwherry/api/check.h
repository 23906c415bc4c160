/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_API_CHECK_H
#define WH_API_CHECK_H

#include "base/arena.h"
#include "base/err.h"
#include "plan/plan.h"

/* The findings of `wherry check`. */

enum wh_severity { WH_SEV_NOTE, WH_SEV_WARNING, WH_SEV_ERROR };

enum wh_check {
#define CHECK(NAME, id, severity, class, why, fix) WH_CHECK_##NAME,
#include "api/check.def"
#undef CHECK
    WH_CHECK_MAX
};

/* What a profile makes of the severity: check.def. */
enum wh_check_class { WH_CLASS_ALWAYS, WH_CLASS_WRITTEN, WH_CLASS_OPEN };
enum wh_check_profile { WH_PROFILE_DEFAULT, WH_PROFILE_ENGINE, WH_PROFILE_HARDENED };

struct wh_check_info {
    const char *id, *why, *fix;
    enum wh_severity severity;
    enum wh_check_class class;
};
extern const struct wh_check_info wh_check_infos[WH_CHECK_MAX];
enum wh_severity wh_check_severity(enum wh_check check, enum wh_check_profile profile);
/* WH_CHECK_MAX: there is none. */
enum wh_check wh_check_from_id(const char *id);

struct wh_finding {
    enum wh_check check;
    uint32_t line, column; /* 0 when it is not about a place */
    const char *pointer, *message;
};

struct wh_findings {
    struct wh_arena *arena;
    const struct wh_spec *spec; /* for places; may be null */
    const char *name; /* of the file */
    enum wh_check_profile profile;
    bool ignore[WH_CHECK_MAX]; /* left out, and counted in nignored */
    size_t nignored;
    struct wh_finding *v;
    size_t n, cap;
};

/* Memory that runs out is remembered by the arena. Message: one line, without the id. */
void wh_check_add(struct wh_findings *f, enum wh_check check, wh_node src, const char *fmt, ...) WH_PRINTF(4, 5);
/* An error of spec or compile, whose place is text: "config.json:4:2: /a". */
void wh_check_add_err(struct wh_findings *f, enum wh_check check, const struct wh_err *e);

/* The keys that nobody knows: all that can be said about a configuration with errors. wh_check_spec() does it as well. */
void wh_check_unknown(struct wh_findings *f, const struct wh_spec *spec);

/* What the configuration alone tells; no system call. */
void wh_check_spec(struct wh_findings *f, const struct wh_spec *spec);

/* What this host tells. Places below the rootfs are resolved as wherry-init will; nothing is changed. plan may be null:
 * then what needs it is left out. */
void wh_check_host(struct wh_findings *f, const struct wh_spec *spec, const struct wh_plan *plan,
                   const struct wh_facts *facts, int bundle_fd, int proc_fd, int cancel_fd);

/* What this host would refuse when the plan is executed. */
void wh_check_foresee(struct wh_findings *f, const struct wh_spec *spec, const struct wh_plan *plan,
                      const struct wh_facts *facts, int proc_fd, int cancel_fd);
/* The format of the program that was found at `path` of the rootfs, and what it needs. */
void wh_check_program(struct wh_findings *f, const struct wh_spec *spec, const char *path, int root_fd, int proc_fd,
                      int cancel_fd);
/* What is at a path of the rootfs that has to be executed. */
enum wh_program {
    WH_PROGRAM_UNKNOWN, /* a mount decides, or it cannot be looked at */
    WH_PROGRAM_MISSING,
    WH_PROGRAM_THERE, /* and the user of the process may execute it */
    WH_PROGRAM_DENIED, /* a file that the user may not execute */
    WH_PROGRAM_NO_FILE, /* a directory or something else that is no regular file */
};
enum wh_program wh_check_executable(const struct wh_spec *spec, int root_fd, int proc_fd, const char *path);

/* In the order of the file. `strict`: warnings are errors. Returns the worst severity as an exit code: 0, 1, 2. */
int wh_check_report(struct wh_findings *f, bool json, bool strict, struct wh_buf *out);

#endif
