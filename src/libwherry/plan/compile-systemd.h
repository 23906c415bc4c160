/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_COMPILE_SYSTEMD_H
#define WH_PLAN_COMPILE_SYSTEMD_H

#include "plan/compile.h"

/* What the systemd manager is to make for a container. Strings in the arena. */
struct wh_unit {
    const char *name; /* "runc-c1.scope", or "a-b.slice" */
    const char *slice; /* what it is in; of a slice, its parent */
    const char *path; /* its cgroup below the cgroup2 mount: "/system.slice/runc-c1.scope" */
    bool is_slice;
};

/* From cgroupsPath ("slice:prefix:name", or absent). -EINVAL with the place; -EOPNOTSUPP where this host has no systemd for us. */
int wh_unit_find(const struct wh_spec *spec, const struct wh_request *req, const struct wh_facts *facts,
                 struct wh_arena *arena, struct wh_unit *ret, struct wh_err *err);

/* A value of a unit property as D-Bus has it: "b" "s" "i" "u" "x" "t" with one text, "as" with any number, "ay" with one text of
 * hexadecimal digits. */
struct wh_unit_value {
    const char *type;
    const char *const *v;
    size_t n;
};
/* GVariant text, as far as engines write it: true, 'text', ['a', 'b'], uint64 5, 5 (an int32). -EINVAL when it is something
 * else, with why in *ret_why. */
int wh_gvariant_parse(struct wh_arena *arena, const char *text, struct wh_unit_value *ret, const char **ret_why);

/* The steps CG_UNIT and CG_PROP, but for those of limits: before any CG_WRITE. */
void wh_compile_unit(struct wh_compile *c, const struct wh_unit *unit);
/* A step for each property of wh_unit_limit(). */
void wh_compile_unit_limit(struct wh_compile *c, const struct wh_cg_write *v, size_t n, size_t at);
/* DevicePolicy and DeviceAllow. */
void wh_compile_unit_devices(struct wh_compile *c);
/* org.systemd.property.*: after everything else, so that they win. */
void wh_compile_unit_annotations(struct wh_compile *c);

#endif
