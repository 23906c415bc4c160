/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_ABI_PLAN_H
#define WH_ABI_PLAN_H

#include <stddef.h>
#include <stdint.h>

/*
 * A plan is one sealed blob: header, step records, host records, data area. Offsets only, from the start; 0 is null.
 * Written once by plan/build.c, checked on both sides by plan-verify.c; nobody checks again after that. The host and
 * wherry-init come from one build (build_id), so there is no versioning beyond `abi`.
 */
#define WH_PLAN_MAGIC "wherry\n\0"
#define WH_ABI_VERSION 1u
#define WH_PLAN_MAX_BYTES (16u << 20)
#define WH_PLAN_MAX_STEPS 65535u

typedef uint32_t wh_off; /* byte offset in the blob */
typedef uint32_t wh_slot; /* index of an fd slot */
struct wh_vec { /* n wh_off or uint32_t at off, 4-aligned; see STRV for string vectors */
    wh_off off;
    uint32_t n; /* offsets or numbers, so for PARAMS twice the number of pairs */
};
struct wh_bytes { /* len bytes at off, 8-aligned */
    wh_off off;
    uint32_t len;
};

struct wh_plan {
    char magic[8];
    uint32_t abi, size;
    uint32_t nsteps, steps; /* executed by init, from `steps` on */
    uint32_t nhost, hosts; /* host lists, after them */
    uint64_t host_slots; /* bit i: the host passes an fd for slot i, at fd base + 3 + rank(i) */
    uint32_t nslots, preserve; /* fds 3 .. 2+preserve belong to the payload */
};

/* Fixed slots. The first five are the host's to fill; JOIN namespaces follow, then what compile allocates. */
enum {
    WH_SLOT_PROC, /* the host's /proc, checked: procfs magic, root inode */
    WH_SLOT_ROOTFS, /* O_PATH of root.path */
    WH_SLOT_CONSOLE, /* socket connected to --console-socket */
    WH_SLOT_LISTEN, /* listening start socket in the state directory */
    WH_SLOT_TARGET, /* exec: pidfd of the container's init */
    WH_SLOT_NS, /* + enum wh_ns: namespaces to join */
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
#define WH_OPF_SOFT 8u /* the only ops that may carry a soft set (design: the list of fallbacks) */
#define WH_OPF_ALT                                                                                                     \
    16u /* the only ops that may be an alternative: an ALT step can be skipped, so never one that confines */

#define WH_STEP_ALT 1u /* flags: runs only when the soft step before it failed softly */
/*
 * A soft step whose failure is in its class is skipped, and the ALT steps that directly follow it run instead. If it should have filled
 * a slot and no ALT step did, COPYUP, MOUNT_ATTR and ATTACH of that slot are skipped too: there is nothing to attach.
 */

/* Errno classes of a soft step (bits). */
#define WH_SOFT_PERM 1u /* EPERM, EACCES */
#define WH_SOFT_NOSYS 2u /* ENOSYS, ENODEV, EOPNOTSUPP */
#define WH_SOFT_BUSY 4u /* EBUSY */

/* Field kinds: C type of the argument struct. plan-verify.c checks by kind, explain.c prints by kind. */
#define WH_FT_U32 uint32_t
#define WH_FT_I32 int32_t
#define WH_FT_U64 uint64_t
#define WH_FT_HEX uint32_t
#define WH_FT_MODE uint32_t /* octal; with S_IFMT bits where a node is made */
#define WH_FT_REC uint32_t /* 0 or 1: AT_RECURSIVE; verify refuses others */
#define WH_FT_NOFOLLOW uint32_t /* 0 or 1: the last component of a source is not followed */
#define WH_FT_NOCRLF uint32_t /* 0 or 1: a line of output ends with \n alone, as without a terminal */
#define WH_FT_DEVCONSOLE uint32_t /* 0 or 1: the terminal is mounted on /dev/console too */
#define WH_FT_RLIMIT uint32_t /* RLIMIT_* < 16 */
#define WH_FT_NSFLAGS uint32_t /* CLONE_NEW* */
#define WH_FT_PROP uint32_t /* one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, or 0 = leave */
#define WH_FT_MATTR uint64_t /* MOUNT_ATTR_* */
#define WH_FT_CAPS uint64_t /* bit i: capability i */
#define WH_FT_SECFLAGS uint32_t /* SECCOMP_FILTER_FLAG_* */
#define WH_FT_NOTIFY uint32_t /* 0 or 1: expects a listener */
#define WH_FT_HOOKKIND uint32_t /* enum wh_hook_kind */
#define WH_FT_ATTACHFLAGS uint32_t
#define WH_FT_I32NZ int32_t /* 0 is not printed */
#define WH_FT_U64NZ uint64_t /* 0 is not printed */
#define WH_FT_SCHED uint32_t /* SCHED_*, or WH_SCHED_KEEP: only the I/O priority is set */
#define WH_FT_SCHEDFLAGS uint32_t /* SCHED_FLAG_* */
#define WH_FT_IOPRIO uint32_t /* as ioprio_set(2) takes it; 0 = leave */
#define WH_FT_MPOL uint32_t /* MPOL_* */
#define WH_FT_MPOLFLAGS uint32_t /* MPOL_F_* */
#define WH_FT_RDTMODE uint32_t /* enum wh_rdt_mode */
#define WH_FT_LSMATTR uint32_t /* enum wh_lsm_attr */
#define WH_FT_MAKE uint32_t /* 0 or 1: made if it is missing */
#define WH_FT_FOREGROUND uint32_t /* 0 or 1: the foreground process group of the terminal on stdin */
#define WH_FT_CGWFLAGS uint32_t /* WH_CGW_* */
#define WH_FT_STR wh_off /* NUL-terminated, not null */
#define WH_FT_STRN wh_off /* may be null */
#define WH_FT_HPATH wh_off /* absolute path on the host; never one below the rootfs */
#define WH_FT_CPATH wh_off /* absolute path in the container; resolved below ROOT only */
/*
 * STRV and ENVV: the storage of every string vector is 8-aligned and (n + 3) * 8 bytes long, also when n is 0. The n offsets
 * stand in its first 4 * n bytes. EXEC turns them into pointers in place, from the last one on, without memory of its own; the three
 * extra places are for HOME and LISTEN_PID (ENVV) and the terminating null.
 */
#define WH_FT_STRV struct wh_vec
#define WH_FT_ENVV struct wh_vec /* "K=V" strings; values redacted in files */
#define WH_VEC_STORE(n) (((uint64_t)(n) + 3) * 8)
#define WH_FT_PARAMS struct wh_vec /* key, value, key, value …; a null value = FSCONFIG_SET_FLAG */
#define WH_FT_U32V struct wh_vec
#define WH_FT_BLOB struct wh_bytes
#define WH_FT_SLOTIN wh_slot /* must have been filled by the host or by an earlier step */
#define WH_FT_SLOTOUT wh_slot /* from WH_SLOT_ROOT on; closed first if it holds an fd */

/* ATTACHFLAGS */
#define WH_ATTACH_NOSYMLINK 1u /* proc and sysfs: every component a real directory */
#define WH_ATTACH_KEEP_MODE 2u /* tmpfs without mode=: keep the mode (and owner) of the directory that it covers */
#define WH_ATTACH_BENEATH_PROC                                                                                         \
    4u /* the target is on a procfs and must be a regular file of it (allow-list in compile) */
#define WH_ATTACH_SOURCE_PROC 8u /* what is mounted must be a procfs: on /proc anything else would be taken for one */
#define WH_ATTACH_NOFOLLOW 16u /* the last component of the target is not followed if it is a symlink (dest-nofollow) */

/* CGWFLAGS. Which files a cgroup has, and which of two values has to be written first, only the kernel knows: it depends on its
 * configuration and on what the cgroup holds already. */
#define WH_CGW_MAY_LACK 1u /* a file that is not there is no error */
#define WH_CGW_ELSE 2u /* only if the file of the write before was not there */
#define WH_CGW_RETRY 4u /* EINVAL: once more after the next write without this flag, whose value it depends on */
#define WH_CGW_ABOVE_USE 8u /* X.max: refused if X.current is more, which the kernel would reclaim or kill for */

#define WH_SCHED_KEEP UINT32_MAX
#define WH_IOPRIO_CLASS_SHIFT 13
/* One more than the last node that a kernel can have (NODES_SHIFT is 10 at most). */
#define WH_MAX_NODES 1024u

/* A group of resctrl: the container's own; one that must be there; one that is made, or compared if it is there. */
enum wh_rdt_mode { WH_RDT_OWN, WH_RDT_JOIN, WH_RDT_MAKE, WH_RDT_MODE_MAX };

/* Files of /proc/thread-self that take the label of the next execve, or of the keyrings made before it. */
enum wh_lsm_attr { WH_LSM_SELINUX, WH_LSM_APPARMOR, WH_LSM_KEYCREATE, WH_LSM_ATTR_MAX };
#define WH_LSM_SELINUX_PATH "thread-self/attr/exec"
#define WH_LSM_KEYCREATE_PATH "thread-self/attr/keycreate"
#define WH_LSM_APPARMOR_PATH "thread-self/attr/apparmor/exec"

enum wh_hook_kind {
    WH_HOOK_PRESTART,
    WH_HOOK_CREATE_RUNTIME,
    WH_HOOK_CREATE_CONTAINER,
    WH_HOOK_START_CONTAINER,
    WH_HOOK_POSTSTART,
    WH_HOOK_POSTSTOP,
    WH_HOOK_MAX
};

/* Steps are numbered from 0, in every message, mailbox field and text. */
struct wh_step {
    uint16_t op, len; /* len: whole record, multiple of 8 */
    uint16_t flags; /* WH_STEP_* */
    uint16_t soft; /* WH_SOFT_* */
    uint32_t src; /* node of the spec; 0 = none */
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
#define OP(NAME, name, phases, flags, tmpl, doc, fields)                                                               \
    struct wh_step_##name {                                                                                            \
        struct wh_step s;                                                                                              \
        fields                                                                                                         \
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
    _Atomic int32_t
        forked; /* B's pid as A sees it: the kernel stores it before B runs, so that B is known even if A dies before FORKED */
    struct {
        uint32_t step, site;
        int32_t err; /* positive errno */
        char detail[WH_MBOX_DETAIL];
    } fail; /* valid only in state FAILED; control bytes are the reader's to escape */
    uint64_t alt_taken
        [32]; /* bit = number of an ALT step that ran, or of a soft step skipped without one; first 2048 steps */
    _Atomic int32_t notify_fd; /* number of the seccomp listener in the process; 0 = none (yet) */
    _Atomic int32_t ack; /* the host's answer to it: 1 = taken, negative = refused */
    uint64_t epoch; /* ns of CLOCK_REALTIME, which no time namespace shifts; 0 = steps are not timed */
};
#define WH_MBOX_SIZE 4096u
/* When a step began, in us after the epoch plus one, 0 = it did not: uint32_t of the first WH_MBOX_TIMES steps. */
#define WH_MBOX_TIMES_OFF 1024u
#define WH_MBOX_TIMES ((WH_MBOX_SIZE - WH_MBOX_TIMES_OFF) / 4)
_Static_assert(sizeof(struct wh_mbox) <= WH_MBOX_TIMES_OFF, "the times lie behind the mailbox");

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

/* Description of one op, generated from ops.def (plan-verify.c); the fields in the order of their row. */
enum wh_field_kind {
    WH_FK_U32,
    WH_FK_I32,
    WH_FK_U64,
    WH_FK_HEX,
    WH_FK_MODE,
    WH_FK_REC,
    WH_FK_NOFOLLOW,
    WH_FK_NOCRLF,
    WH_FK_DEVCONSOLE,
    WH_FK_RLIMIT,
    WH_FK_NSFLAGS,
    WH_FK_PROP,
    WH_FK_MATTR,
    WH_FK_CAPS,
    WH_FK_SECFLAGS,
    WH_FK_NOTIFY,
    WH_FK_HOOKKIND,
    WH_FK_ATTACHFLAGS,
    WH_FK_I32NZ,
    WH_FK_U64NZ,
    WH_FK_SCHED,
    WH_FK_SCHEDFLAGS,
    WH_FK_IOPRIO,
    WH_FK_MPOL,
    WH_FK_MPOLFLAGS,
    WH_FK_RDTMODE,
    WH_FK_LSMATTR,
    WH_FK_MAKE,
    WH_FK_FOREGROUND,
    WH_FK_CGWFLAGS,
    WH_FK_STR,
    WH_FK_STRN,
    WH_FK_HPATH,
    WH_FK_CPATH,
    WH_FK_STRV,
    WH_FK_ENVV,
    WH_FK_PARAMS,
    WH_FK_U32V,
    WH_FK_BLOB,
    WH_FK_SLOTIN,
    WH_FK_SLOTOUT,
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
/* Null for an unknown op. */
const struct wh_opinfo *wh_opinfo(unsigned int op);

/* The rules of wh_plan_verify. */
enum wh_rule {
    WH_RULE_HEADER = 1, /* size, alignment, magic, abi, counts */
    WH_RULE_RECORD, /* a step record is out of bounds or misaligned, or has another length than its op */
    WH_RULE_OP, /* unknown op */
    WH_RULE_FLAGS, /* unknown flag or errno class */
    WH_RULE_SOFT, /* soft set on an op without WH_OPF_SOFT, or on an alternative */
    WH_RULE_ALT, /* alternative without a soft step before it, or of an op without WH_OPF_ALT */
    WH_RULE_PHASE, /* host op among init's or the reverse; phases go back; A to B only by CLONE_B, B to C only by READY if there is one */
    WH_RULE_VALUE, /* a field is out of the range of its kind */
    WH_RULE_STRING, /* null, out of bounds, not terminated, too long, or a path that is not absolute */
    WH_RULE_VECTOR, /* vector or bytes out of bounds, misaligned or too short to be widened */
    WH_RULE_SLOT, /* out of range, never filled, or one that only the host fills */
    WH_RULE_ORDER, /* one CLONE_B, one EXEC and it is last; READY at most once, WAIT_START right after it; EXEC_CHECK before EXEC;
                           SECCOMP right before EXEC */
    WH_RULE_MAX
};

/*
 * Checks a whole blob of `size` bytes (8-aligned) against the rules above. Data must lie behind all step records, so that nothing
 * that EXEC writes can change a step. Returns 0, or the enum wh_rule that is broken (for tests and messages); *ret_step (may be
 * null) is the number of the step, counting the host lists on after init's steps.
 */
int wh_plan_verify(const void *blob, size_t size, uint32_t *ret_step);

#endif
