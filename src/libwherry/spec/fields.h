/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_SPEC_FIELDS_H
#define WH_SPEC_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/spec.h"

/*
 * The tables that say what config.json may contain (fields.c), and what the engine that fills the structs of spec.h
 * from them needs to know (parse.c). A property is one row. The tests walk the same rows against the schemas.
 */
enum wh_kind {
    WH_K_OBJECT, /* sub: struct wh_type, in place, or allocated with WH_F_POINTER */
    WH_K_LIST, /* array of objects; sub: struct wh_type */
    WH_K_MAP, /* object of name -> object; sub: struct wh_type with a key */
    WH_K_KVS, /* object of name -> string: struct wh_kvs */
    WH_K_STR, /* struct wh_sstr; names: the only values */
    WH_K_STRV, /* struct wh_sstrv; names: the only elements */
    WH_K_BOOL,
    WH_K_I32, /* struct wh_opt_*, or the bare type with WH_F_PLAIN */
    WH_K_U32,
    WH_K_I64,
    WH_K_U64,
    WH_K_U32V, /* struct wh_u32v */
    WH_K_ENUM, /* string to number, of `width` bytes; names or lookup */
    WH_K_BITS, /* array of such strings: the bits of the numbers (names) or 1 << number (lookup), of `width` bytes */
    WH_K_IGNORED, /* of another platform: read past */
};

enum {
    WH_F_REQUIRED = 1u << 0,
    WH_F_PLAIN = 1u << 1,
    WH_F_NONEMPTY =
        1u << 2, /* a required string, or each string of an array; an optional string that is empty is absent */
    WH_F_HEAD = 1u << 3, /* list: `set` and `src` follow v and n */
    WH_F_POINTER = 1u << 4,
    WH_F_SCRATCH = 1u << 5, /* list: the elements go where their type's end() puts them */
    WH_F_MINONE = 1u << 6, /* array: at least one element */
    WH_F_LENIENT =
        1u << 7, /* BITS: an unknown word is left out with a warning (config.md demands that of capabilities) */
};

struct wh_name {
    const char *name;
    int64_t value;
};

/* What a string may be, and how messages call it ("namespace type"). */
struct wh_names {
    const char *what;
    const struct wh_name *v;
    size_t n;
    bool
        closed; /* errors list them, and never guess which was meant: only the same word in other letters, or without the prefix, is named */
    const char *prefix; /* that all of them have, of `closed`; or null */
    int (*lookup)(const char *name); /* instead of v for finding; v, or nth, for "did you mean" */
    const char *(*nth)(unsigned i);
};

struct wh_range {
    int64_t min;
    uint64_t max;
};

/* A rule about one string: null, or what is wrong with it, to stand after the pointer. */
typedef const char *(*wh_str_check)(const char *s);

struct wh_parser;

struct wh_type {
    uint32_t size;
    uint16_t nrows;
    const struct wh_row *rows;
    int16_t set, src, key; /* offsets of `bool set`, `wh_node src` and of the name in a map; -1 = none */
    /* Called when a complete element was read without an error of its own. */
    void (*end)(struct wh_parser *p, void *object);
};

struct wh_row {
    const char *name;
    uint8_t kind, flags, width;
    uint16_t offset, text; /* text: enum: offset of a struct wh_sstr that gets the word too, or WH_NO_TEXT */
    union {
        const struct wh_type *type;
        const struct wh_names *names;
    } sub;
    uint32_t
        max; /* bytes that the kernel takes of the string, of each element, or of the key of WH_K_KVS; 0: any number */
    const struct wh_range *range; /* null: of the type */
    wh_str_check check; /* value, element, or key of WH_K_KVS */
};
#define WH_NO_TEXT UINT16_MAX

/* Without the byte that ends it: PATH_MAX, NAME_MAX, and what one write to a file of procfs or kernfs may have. */
#define WH_MAX_PATH 4095u
#define WH_MAX_NAME 255u
#define WH_MAX_WRITE 4095u

extern const struct wh_type wh_type_spec;
extern const struct wh_row wh_row_process, wh_row_resources; /* of wh_type_spec */

/* Tells a problem with the value or object that is being read. */
void wh_parser_error(struct wh_parser *p, const char *fmt, ...) WH_PRINTF(2, 3);
struct wh_spec *wh_parser_spec(struct wh_parser *p);

/* values.c */
extern const struct wh_names wh_names_ns, wh_names_cap, wh_names_rlimit, wh_names_sched_policy, wh_names_sched_flag,
    wh_names_ioprio, wh_names_device, wh_names_devrule, wh_names_propagation, wh_names_mpol, wh_names_mpol_flag,
    wh_names_persona, wh_names_seccomp_action, wh_names_seccomp_arch, wh_names_seccomp_op, wh_names_seccomp_flag;
/* The entry called `name`, or null. */
const struct wh_name *wh_names_find(const struct wh_names *names, const char *name);
/* The name most like `name`, or null when none is near. */
const char *wh_names_nearest(const struct wh_names *names, const char *name);
/* Keeps the nearer of two candidates: call with *best = null first. Far ones are not taken. */
void wh_nearest(const char *name, const char *candidate, const char **best, unsigned *best_distance);

/* checks.c: rules about one string */
const char *wh_check_version(const char *s);
const char *wh_check_abspath(const char *s);
const char *wh_check_cwd(const char *s);
const char *wh_check_env(const char *s);
const char *wh_check_key(const char *s);
const char *wh_check_sysctl(const char *s);
const char *wh_check_unified(const char *s);
const char *wh_check_cpulist(const char *s);
const char *wh_check_nodelist(const char *s);
const char *wh_check_pagesize(const char *s);
const char *wh_check_access(const char *s);
const char *wh_check_closid(const char *s);
const char *wh_check_membw(const char *s);
const char *wh_check_ifname(const char *s);

/* validate.c: what no row can say alone. Returns how many errors it found. */
unsigned wh_spec_validate(struct wh_spec *s, struct wh_errlist *errs);

/* srcmap.c: the member `name` of node `object`; `object` itself when it has none. Linear: for messages only. */
wh_node wh_spec_child(const struct wh_spec *s, wh_node object, const char *name);

#endif
