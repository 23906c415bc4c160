/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_ABI_PLAN_H
#define WH_ABI_PLAN_H

#include <stddef.h>
#include <stdint.h>

/*
 * A plan is one sealed blob: header, step records, data area. Offsets only, from the start of the blob; 0 is null.
 * Written once by plan/build.c, checked on both sides by plan-verify.c; nobody checks again after that. The host and
 * wherry-init come from one build (build_id), so there is no versioning beyond `abi`.
 */
#define WH_PLAN_MAGIC "wherry\n\0"
#define WH_ABI_VERSION 1u
#define WH_PLAN_MAX_BYTES (16u << 20)
#define WH_PLAN_MAX_STEPS 65535u

typedef uint32_t wh_off;  /* byte offset in the blob */
typedef uint32_t wh_slot; /* index of an fd slot */
struct wh_vec {           /* n wh_off or uint32_t at off, 4-aligned */
    wh_off off;
    uint32_t n;
};
struct wh_bytes { /* len bytes at off, 8-aligned */
    wh_off off;
    uint32_t len;
};

struct wh_plan {
    char magic[8];
    uint32_t abi, size;
    uint32_t nsteps, steps;   /* executed by init, from `steps` on */
    uint32_t nhost, hosts;    /* host lists, after them */
    uint64_t host_slots;      /* bit i: the host passes an fd for slot i, at fd base + 3 + rank(i) */
    uint32_t nslots, preserve; /* fds 3 .. 2+preserve belong to the payload */
};

/* Fixed slots. The first four are the host's to fill; JOIN namespaces follow, then what compile allocates. */
enum {
    WH_SLOT_PROC,    /* the host's /proc, checked: procfs magic, root inode */
    WH_SLOT_ROOTFS,  /* O_PATH of root.path */
    WH_SLOT_CONSOLE, /* socket connected to --console-socket */
    WH_SLOT_LISTEN,  /* listening start socket in the state directory */
    WH_SLOT_NS,      /* + enum wh_ns: namespaces to join */
    WH_SLOT_ROOT = WH_SLOT_NS + 8,
    WH_SLOT_DEVNULL,
    WH_SLOT_MASKFS,
    WH_SLOT_SCRATCH,
    WH_SLOT_FREE, /* first one that compile may allocate */
    WH_SLOTS = 64,
};

#define WH_PH_H 1u
#define WH_PH_A 2u
#define WH_PH_B 4u
#define WH_PH_C 8u

#define WH_OPF_ASK 1u
#define WH_OPF_SECURITY 2u
#define WH_OPF_SECRET 4u

#define WH_STEP_ALT 1u /* flags: runs only when the soft step before it failed softly */

/* Errno classes of a soft step (bits). */
#define WH_SOFT_PERM 1u  /* EPERM, EACCES */
#define WH_SOFT_NOSYS 2u /* ENOSYS, ENODEV, EOPNOTSUPP */
#define WH_SOFT_BUSY 4u  /* EBUSY */

/* Field kinds: C type of the argument struct. plan-verify.c checks by kind, explain.c prints by kind. */
#define WH_FT_U32 uint32_t
#define WH_FT_I32 int32_t
#define WH_FT_U64 uint64_t
#define WH_FT_HEX uint32_t
#define WH_FT_MODE uint32_t     /* octal; with S_IFMT bits where a node is made */
#define WH_FT_REC uint32_t      /* 0 or 1: AT_RECURSIVE; verify refuses others */
#define WH_FT_RLIMIT uint32_t   /* RLIMIT_* < 16 */
#define WH_FT_NSFLAGS uint32_t  /* CLONE_NEW* */
#define WH_FT_PROP uint32_t     /* one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, or 0 = leave */
#define WH_FT_MATTR uint64_t    /* MOUNT_ATTR_* */
#define WH_FT_CAPS uint64_t     /* bit i: capability i */
#define WH_FT_SECFLAGS uint32_t /* SECCOMP_FILTER_FLAG_* */
#define WH_FT_NOTIFY uint32_t   /* 0 or 1: expects a listener */
#define WH_FT_HOOKKIND uint32_t /* enum wh_hook_kind */
#define WH_FT_ATTACHFLAGS uint32_t
#define WH_FT_STR wh_off        /* NUL-terminated, not null */
#define WH_FT_STRN wh_off       /* may be null */
#define WH_FT_HPATH wh_off      /* absolute path on the host; never one below the rootfs */
#define WH_FT_CPATH wh_off      /* absolute path in the container; resolved below ROOT only */
#define WH_FT_STRV struct wh_vec
#define WH_FT_ENVV struct wh_vec   /* "K=V" strings; values redacted in files */
#define WH_FT_PARAMS struct wh_vec /* pairs key, value; a null value = FSCONFIG_SET_FLAG */
#define WH_FT_U32V struct wh_vec
#define WH_FT_BLOB struct wh_bytes
#define WH_FT_SLOTIN wh_slot  /* must have been filled by the host or by an earlier step */
#define WH_FT_SLOTOUT wh_slot /* closed first if it holds an fd */

/* ATTACHFLAGS */
#define WH_ATTACH_NOSYMLINK 1u /* proc and sysfs: every component a real directory */
#define WH_ATTACH_KEEP_MODE 2u /* tmpfs without mode=: keep the mode (and owner) of the directory that it covers */
#define WH_ATTACH_BENEATH_PROC 4u /* the target is on a procfs and must be a regular file of it (allow-list in compile) */
#define WH_ATTACH_SOURCE_PROC 8u  /* what is mounted must be a procfs: on /proc anything else would be taken for one */
#define WH_ATTACH_NOFOLLOW 16u    /* the last component of the target is not followed if it is a symlink (dest-nofollow) */

enum wh_hook_kind { WH_HOOK_PRESTART, WH_HOOK_CREATE_RUNTIME, WH_HOOK_CREATE_CONTAINER, WH_HOOK_START_CONTAINER,
                    WH_HOOK_POSTSTART, WH_HOOK_POSTSTOP, WH_HOOK_MAX };

struct wh_step {
    uint16_t op, len; /* len: whole record, multiple of 8 */
    uint16_t flags;   /* WH_STEP_* */
    uint16_t soft;    /* WH_SOFT_* */
    uint32_t src;     /* node of the spec; 0 = none */
    uint32_t src_line;
};

enum wh_op {
    WH_OP_NONE,
#define OP(NAME, name, phases, flags, tmpl, doc, fields) WH_OP_##NAME,
#include "abi/ops.def"
#undef OP
    WH_OP_MAX
};

#define F(kind, field) WH_FT_##kind field;
#define OP(NAME, name, phases, flags, tmpl, doc, fields) \
    struct wh_step_##name {                             \
        struct wh_step s;                               \
        fields                                          \
    };
#include "abi/ops.def"
#undef OP
#undef F

/* Calls inside an op, so that (step, site, errno) says which one failed. */
enum wh_site {
    WH_SITE_NONE,
#define SITE(NAME, text) WH_SITE_##NAME,
#include "abi/sites.def"
#undef SITE
    WH_SITE_MAX
};

/* ---- mailbox: one page, MAP_SHARED, a file in the state directory. Written by init; hostile input for the host. ---- */
enum wh_mbox_state { WH_MBOX_NEW, WH_MBOX_A, WH_MBOX_B, WH_MBOX_READY, WH_MBOX_STARTING, WH_MBOX_EXEC, WH_MBOX_FAILED };

#define WH_MBOX_DETAIL 128
struct wh_mbox {
    uint32_t abi;
    _Atomic uint32_t state;
    _Atomic uint32_t step; /* stored before each op starts: names the step even after SIGKILL */
    uint32_t pad;
    struct {
        uint32_t step, site;
        int32_t err; /* positive errno */
        char detail[WH_MBOX_DETAIL];
    } fail; /* valid only in state FAILED; control bytes are the reader's to escape */
    uint64_t alt_taken[32]; /* bit = step number, of the first 2048 steps */
    _Atomic int32_t notify_fd, ack;
};
#define WH_MBOX_SIZE 4096u

/* ---- reading a plan (both sides) ---- */
static inline const void *wh_plan_at(const struct wh_plan *p, wh_off off)
{
    return (const char *)p + off;
}
static inline const char *wh_plan_str(const struct wh_plan *p, wh_off off)
{
    return off ? (const char *)p + off : NULL;
}
static inline const struct wh_step *wh_plan_first(const struct wh_plan *p)
{
    return (const struct wh_step *)wh_plan_at(p, p->steps);
}
static inline const struct wh_step *wh_plan_first_host(const struct wh_plan *p)
{
    return (const struct wh_step *)wh_plan_at(p, p->hosts);
}
static inline const struct wh_step *wh_step_next(const struct wh_step *s)
{
    return (const struct wh_step *)((const char *)s + s->len);
}

/* Description of one op, generated from ops.def (plan-verify.c). */
enum wh_field_kind {
    WH_FK_U32, WH_FK_I32, WH_FK_U64, WH_FK_HEX, WH_FK_MODE, WH_FK_REC, WH_FK_RLIMIT, WH_FK_NSFLAGS, WH_FK_PROP, WH_FK_MATTR,
    WH_FK_CAPS, WH_FK_SECFLAGS, WH_FK_NOTIFY, WH_FK_HOOKKIND, WH_FK_ATTACHFLAGS, WH_FK_STR, WH_FK_STRN, WH_FK_HPATH,
    WH_FK_CPATH, WH_FK_STRV, WH_FK_ENVV, WH_FK_PARAMS, WH_FK_U32V, WH_FK_BLOB, WH_FK_SLOTIN, WH_FK_SLOTOUT,
};
struct wh_field {
    uint16_t off; /* in the argument struct */
    uint8_t kind;
};
struct wh_opinfo {
    uint16_t size; /* of the argument struct, rounded up to 8 */
    uint8_t phases, flags, nfields;
    const struct wh_field *fields;
};
extern const struct wh_opinfo wh_opinfos[WH_OP_MAX];

/*
 * Checks a whole blob of `size` bytes: bounds, known ops, exact argument sizes, strings terminated, slots defined before
 * use, phases monotonic, exactly one CLONE_B, READY and EXEC, EXEC last, ALT only after a soft step, soft never on a
 * security op. Returns 0, or the 1-based number of a rule that is broken (for tests and messages); *ret_step is the step.
 */
int wh_plan_verify(const void *blob, size_t size, uint32_t *ret_step);

#endif
