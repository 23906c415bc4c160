/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_PLAN_H
#define WH_PLAN_PLAN_H

#include "abi/plan.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/annotations.h"
#include "plan/facts.h"
#include "spec/spec.h"

/* ---- compile: plan = f(spec, request, facts). Pure: no system call anywhere below (make check-floors). ---- */

/* What compile says of a process without a command; check tells such templates of engines apart. */
#define WH_MSG_NO_ARGS "args must not be empty"

/*
 * Compiles into one blob allocated in `arena`; *ret has been verified. Errors: -EINVAL (the configuration cannot be
 * executed, also "not supported yet"), -EOPNOTSUPP (this host cannot), -E2BIG, -ENOMEM; collected in errs.
 */
int wh_compile(const struct wh_spec *spec, const struct wh_request *req, const struct wh_facts *facts,
               struct wh_arena *arena, const struct wh_plan **ret, struct wh_errlist *errs);

/* ---- seccomp: compiled by libseccomp, which writes to an fd; so the host brings the fd and the cache ---- */

/* The canonical text of all that decides the filter (rules, flags, architectures, libseccomp version): the cache key. `made_by` names the code that
 * compiles and where it runs, which this floor does not know. In arena. Null when the spec has no filter. */
const char *wh_seccomp_key(const struct wh_spec *spec, const char *made_by, struct wh_arena *arena, size_t *ret_len);
/*
 * The filter is two parts, one after the other: the -ENOSYS stub of compile-seccomp.c (struct sock_filter[] in arena,
 * *ret_len bytes, perhaps 0), which this floor cannot write for want of write(2), and what libseccomp compiles. The caller
 * writes the stub to an empty memfd of his; then wh_seccomp_compile appends the rest at the file's position. Errors name the
 * rule: -EINVAL (this libseccomp or the rules of SCMP_ACT_NOTIFY), -EOPNOTSUPP (built without libseccomp), -ENOMEM.
 */
int wh_seccomp_stub(const struct wh_spec *spec, struct wh_arena *arena, const void **ret, size_t *ret_len,
                    struct wh_err *err);
struct wh_seccomp_at {
    size_t rule,
        name; /* the rule that is being added, and for which of its names; rule is their number when all have been */
};
/* *at (or null) is kept up to date, for one who watches. */
int wh_seccomp_compile(const struct wh_spec *spec, int fd, volatile struct wh_seccomp_at *at, struct wh_err *err);
/*
 * Whether libseccomp may need any time for the rules. It makes one tree of all conditions for a system call;
 * versions up to 2.5 (at least) do not come back from adding a rule to some trees. Also when there are very many
 * rules.
 */
bool wh_seccomp_risky(const struct wh_spec *spec);
/* Sets -ETIMEDOUT: it was at *at after so many milliseconds. */
int wh_seccomp_endless(const struct wh_spec *spec, const struct wh_seccomp_at *at, int ms, struct wh_err *err);
/* SECCOMP_FILTER_FLAG_* for the kernel; without NEW_LISTENER, which the step's `notify` stands for. */
uint32_t wh_seccomp_flags(const struct wh_spec *spec, const struct wh_request *req);
/* Names of the specification's actions, operators and architectures that this build turns into a filter, for `features`; null
 * past the end (without libseccomp: at once). */
const char *wh_seccomp_action_name(size_t i);
const char *wh_seccomp_operator_name(size_t i);
const char *wh_seccomp_arch_name(size_t i);
/* The next annotation that is one of plan/annotations.def misspelt, or that begins as they do and is none: start
 * with null; null at the end. *ret_near: the nearest name, or null. */
const struct wh_kv *wh_annotation_unknown(const struct wh_spec *spec, const struct wh_kv *last, const char **ret_near);
/* Names of system calls that libseccomp does not know (their rules are skipped): start with *pos = 0; null at the end. */
const struct wh_sstr *wh_seccomp_unknown(const struct wh_spec *spec, size_t *pos);
/* The rule that decides about the name-th name of the rule-th rule with another action than this one's; null: none. There has to be a filter. */
const struct wh_seccomp_rule *wh_seccomp_overruled(const struct wh_spec *spec, size_t rule, size_t name);
/* ---- compile-annotations.c ---- */

/* Null when it is not set. */
const struct wh_kv *wh_annotation(const struct wh_spec *spec, enum wh_ann ann);
const char *wh_annotation_value(const struct wh_spec *spec, enum wh_ann ann);
/* The next one after `last` (null: the first) of an annotation whose name ends in a dot. */
const struct wh_kv *wh_annotation_next(const struct wh_spec *spec, enum wh_ann ann, const struct wh_kv *last);
/* Set, to anything but "0": how crun reads its switches. */
bool wh_annotation_on(const struct wh_spec *spec, enum wh_ann ann);
/* True if there is a filter: linux.seccomp, or the annotation run.oci.seccomp_bpf_data, which stands instead of it. */
bool wh_seccomp_wanted(const struct wh_spec *spec);
/* The program of that annotation, in arena; *ret is null without it. -EINVAL when the kernel would not take it, with the place. */
int wh_seccomp_data(const struct wh_spec *spec, struct wh_arena *arena, const void **ret, size_t *ret_len,
                    struct wh_err *err);
/* True if the kernel will be asked for a listener: some rule is SCMP_ACT_NOTIFY, or the program given returns that. */
bool wh_seccomp_notifies(const struct wh_spec *spec, const struct wh_request *req);
/* Who is sent it: the listenerPath, else the annotation run.oci.seccomp.receiver, else what the caller named; or null. Relative
 * ones start at the bundle. *ret_src is where it stands, 0 for the caller's. */
const char *wh_seccomp_listener(const struct wh_spec *spec, const struct wh_request *req, wh_node *ret_src);

/* ---- cgroup paths (compile-cgroup.c) ---- */

/* The container's path below the cgroup2 mount, cleaned, absolute: "/a/b". In arena. */
int wh_cgroup_path(const struct wh_spec *spec, const struct wh_request *req, const struct wh_facts *facts,
                   struct wh_arena *arena, const char **ret, struct wh_err *err);

/* One write to a file of the cgroup. */
struct wh_cg_write {
    wh_node src;
    const char *controller, *file, *value; /* controller: "unified", or the name of the v1 controller */
    uint32_t flags; /* WH_CGW_* */
};

/* A property of a systemd unit, as D-Bus has it: "b" "s" "i" "u" "x" "t" with one text, "as" with any number, "a(ss)" with any even number, "ay"
 * with one text of hexadecimal digits. */
struct wh_unit_prop {
    wh_node src;
    const char *name, *type;
    const char *const *v;
    size_t n;
};

/*
 * compile-unitlimit.c: the properties that keep systemd from writing something else, at the next daemon-reload, to the file of the write v[at]
 * than this write does; among `n`, because one may stand for two files. How many; 0 where there is none. In arena (see wh_arena_failed()).
 */
#define WH_UNIT_LIMIT_MAX 2
size_t wh_unit_limit(struct wh_arena *arena, const struct wh_cg_write *v, size_t n, size_t at,
                     struct wh_unit_prop ret[WH_UNIT_LIMIT_MAX]);

/* ---- device program (compile-devbpf.c): pure, golden-tested instruction by instruction ---- */
struct bpf_insn;
/* Compiles the rules (plus the allows that cannot be turned off) to a BPF_PROG_TYPE_CGROUP_DEVICE program in arena. */
int wh_devbpf_compile(const struct wh_spec *spec, const struct wh_request *req, struct wh_arena *arena,
                      struct bpf_insn **ret, size_t *ret_n, struct wh_err *err);
/*
 * The same rules as DeviceAllow= of a unit: node and access by turns, in arena. It can only allow, and knows no minor number of any major: what it
 * allows is at least what the program does, which goes on to decide. 1; 0 when it is everything; -errno, when the program could not be compiled either.
 */
int wh_devbpf_unit(const struct wh_spec *spec, struct wh_arena *arena, const char *const **ret, size_t *ret_n);

/* ---- writing a plan (build.c) ---- */
struct wh_build; /* steps and data of one plan under construction; memory in the arena */

struct wh_build *wh_build_new(struct wh_arena *arena);
/* Data; identical strings are stored once. Offset 0 (null) for a null string. */
wh_off wh_build_str(struct wh_build *b, const char *s);
/* STRV and ENVV: with the storage that EXEC needs to widen them in place (abi/plan.h). */
struct wh_vec wh_build_strv(struct wh_build *b, const char *const *v, size_t n);
/* PARAMS: key, value, key, value …; null values stay null offsets. */
struct wh_vec wh_build_params(struct wh_build *b, const char *const *v, size_t n);
struct wh_vec wh_build_u32v(struct wh_build *b, const uint32_t *v, size_t n);
struct wh_bytes wh_build_bytes(struct wh_build *b, const void *p, size_t len);
/* A new step record, zeroed but for its header; null when memory ran out or the plan is too large (remembered). The
 * pointer stays valid until the arena is freed: steps do not move. Host-phase ops go to the host lists by themselves. */
struct wh_step *wh_build_step(struct wh_build *b, enum wh_op op, wh_node src, uint32_t line);
void wh_build_preserve(struct wh_build *b, uint32_t n);
void wh_build_host_slot(struct wh_build *b, wh_slot slot);
wh_slot wh_build_alloc_slot(struct wh_build *b); /* WH_SLOTS when none is left */
int wh_build_finish(struct wh_build *b, const struct wh_plan **ret, struct wh_err *err);

/* wh_add(b, MOUNT_FS, mount_fs, src, line) -> struct wh_step_mount_fs * */
#define wh_add(b, NAME, name, src, line) ((struct wh_step_##name *)wh_build_step(b, WH_OP_##NAME, src, line))

/* ---- reading one for people ---- */
enum wh_explain_flags {
    WH_EXPLAIN_JSON = 1u << 0,
    WH_EXPLAIN_REDACT = 1u << 1, /* no values of the environment, no passwords of file systems: for files and logs */
};
/* All steps, one a line: number, phase, text, fallbacks, place in config.json. spec may be null (no places). */
void wh_explain(const struct wh_plan *plan, const struct wh_spec *spec, unsigned flags, struct wh_buf *out);
/* One step's text without number: "mount tmpfs on /run …". */
void wh_explain_step(const struct wh_plan *plan, const struct wh_step *step, unsigned flags, struct wh_buf *out);
/* The n-th step of init (n from 0), or null. */
const struct wh_step *wh_plan_step(const struct wh_plan *plan, uint32_t n);

/* ---- (step, site, errno) -> sentence (render.c) ---- */
struct wh_failure {
    uint32_t step, site;
    int err; /* positive errno */
    const char *detail; /* untrusted text, or null */
};
/* Fills err with the sentence of design §9 and a hint where the cause is known. `spec` gives the place and may be null;
 * then `steps_txt` (the explain text saved at create) is used for `start`: the n-th line is step n. */
void wh_render_failure(const struct wh_plan *plan, const struct wh_spec *spec, const struct wh_failure *f,
                       struct wh_err *err);
void wh_render_failure_text(const char *steps_txt, size_t len, const struct wh_failure *f, struct wh_err *err);
/* The step alone, out of the same text. False: it is not there. */
bool wh_step_text(const char *steps_txt, size_t len, uint32_t step, char *ret, size_t size);
const char *wh_site_name(uint32_t site);

#endif
