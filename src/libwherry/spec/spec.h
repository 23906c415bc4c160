/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_SPEC_SPEC_H
#define WH_SPEC_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/*
 * The typed config.json (OCI runtime-spec 1.3.0, Linux). One arena, immutable after wh_spec_parse(). Every object and
 * every array element has a node: where it stands in the file. A null pointer, an empty vector or `set == false` means
 * that the property was absent (or JSON null, which the specification treats alike).
 */
typedef uint32_t wh_node; /* 0 = not from the configuration */
/* Nodes of the process object of an exec (wh_spec_parse_process) have this bit, so that a plan of both files names the right
 * one. Neither file is large enough to reach it. */
#define WH_NODE_PROCESS 0x40000000u
#define WH_NODE_DOCUMENT 1u /* the whole file: the place of what is missing at the top */

struct wh_srcnode {
    wh_node parent;
    uint32_t key; /* offset into wh_spec.keys of the member name; or WH_KEY_INDEX | array index */
    uint32_t offset; /* byte offset of the value in the file */
};
#define WH_KEY_INDEX 0x80000000u

/* Optional scalars carry whether they were there, and where. */
struct wh_opt_u64 {
    uint64_t v;
    bool set;
    wh_node src;
};
struct wh_opt_i64 {
    int64_t v;
    bool set;
    wh_node src;
};
struct wh_opt_u32 {
    uint32_t v;
    bool set;
    wh_node src;
};
struct wh_opt_i32 {
    int32_t v;
    bool set;
    wh_node src;
};
struct wh_opt_bool {
    bool v, set;
    wh_node src;
};
/* A string; v is null when absent. An empty string is present. */
struct wh_sstr {
    const char *v;
    wh_node src;
};
struct wh_sstrv {
    struct wh_sstr *v;
    size_t n;
    bool set; /* [] is set with n == 0 */
    wh_node src;
};
/* One entry of a string -> string object, in file order. */
struct wh_kv {
    const char *key, *value;
    wh_node src;
};
struct wh_kvs {
    struct wh_kv *v;
    size_t n;
    bool set;
    wh_node src;
};
struct wh_u32v {
    struct wh_opt_u32 *v;
    size_t n;
    bool set;
    wh_node src;
};

struct wh_idmap {
    uint32_t container_id, host_id, size;
    wh_node src;
};
struct wh_idmaps {
    struct wh_idmap *v;
    size_t n;
    bool set;
    wh_node src;
};

struct wh_root {
    struct wh_sstr path;
    struct wh_opt_bool readonly;
    bool set;
    wh_node src;
};

struct wh_mount_spec {
    wh_node src;
    struct wh_sstr destination, type, source;
    struct wh_sstrv options;
    struct wh_idmaps uid, gid;
};

struct wh_hook {
    wh_node src;
    struct wh_sstr path;
    struct wh_sstrv args, env;
    struct wh_opt_i64 timeout; /* seconds, > 0 */
};
struct wh_hooklist {
    struct wh_hook *v;
    size_t n;
    bool set;
    wh_node src;
};
struct wh_hooks {
    struct wh_hooklist prestart, create_runtime, create_container, start_container, poststart, poststop;
    bool set;
    wh_node src;
};

struct wh_rlimit {
    wh_node src;
    int resource; /* RLIMIT_* of the kernel */
    struct wh_sstr type;
    uint64_t soft, hard; /* 18446744073709551615 = RLIM_INFINITY */
};

/* Capability sets as bit masks over CAP_* numbers, with the vector kept for messages. */
struct wh_capset {
    uint64_t mask;
    bool set;
    wh_node src;
};
struct wh_caps {
    struct wh_capset bounding, effective, inheritable, permitted, ambient;
    bool set;
    wh_node src;
};

struct wh_scheduler {
    bool set;
    wh_node src;
    int policy; /* SCHED_* of the kernel */
    uint64_t flags; /* SCHED_FLAG_* of the kernel */
    struct wh_opt_i32 nice, priority;
    struct wh_opt_u64 runtime, deadline, period; /* nanoseconds */
};
struct wh_ioprio {
    bool set;
    wh_node src;
    int class; /* IOPRIO_CLASS_* of the kernel */
    struct wh_opt_i32 priority;
};

struct wh_process {
    wh_node src;
    struct wh_opt_bool terminal;
    struct {
        bool set;
        wh_node src;
        uint64_t height, width;
    } console_size;
    struct wh_sstr cwd, command_line;
    struct wh_sstrv env, args;
    struct {
        bool set;
        wh_node src;
        struct wh_opt_u32 uid, gid, umask;
        struct wh_u32v additional_gids;
        struct wh_sstr username;
    } user;
    struct wh_caps capabilities;
    struct {
        struct wh_rlimit *v;
        size_t n;
        bool set;
        wh_node src;
    } rlimits;
    struct wh_opt_bool no_new_privileges;
    struct wh_sstr apparmor_profile, selinux_label;
    struct wh_opt_i32 oom_score_adj;
    struct wh_scheduler scheduler;
    struct wh_ioprio ioprio;
    struct {
        bool set;
        wh_node src;
        struct wh_sstr initial, final;
    } exec_cpu_affinity;
};

/* In the order in which `ns_owner`, slots and messages number them. */
enum wh_ns {
    WH_NS_PID,
    WH_NS_NETWORK,
    WH_NS_MOUNT,
    WH_NS_IPC,
    WH_NS_UTS,
    WH_NS_USER,
    WH_NS_CGROUP,
    WH_NS_TIME,
    WH_NS_MAX
};

struct wh_namespace {
    bool set; /* in the list */
    struct wh_sstr path; /* path.v null = a new namespace */
    wh_node src;
};

struct wh_device {
    wh_node src;
    struct wh_sstr path;
    char type; /* c b p ('u' is read as 'c') */
    struct wh_opt_i64 major, minor;
    struct wh_opt_u32 file_mode, uid, gid;
};

struct wh_netdev {
    wh_node src;
    const char *host_name;
    struct wh_sstr name;
};

struct wh_devrule {
    wh_node src;
    bool allow;
    char type; /* a c b */
    struct wh_opt_i64 major, minor; /* absent or -1 = any */
    struct wh_sstr access;
};
struct wh_blkio_dev {
    wh_node src;
    int64_t major, minor;
    struct wh_opt_u32 weight, leaf_weight;
    struct wh_opt_u64 rate;
};
struct wh_blkio_devs {
    struct wh_blkio_dev *v;
    size_t n;
    bool set;
    wh_node src;
};
struct wh_hugepage {
    wh_node src;
    struct wh_sstr page_size;
    uint64_t limit;
};
struct wh_rdma {
    wh_node src;
    const char *device;
    struct wh_opt_u32 hca_handles, hca_objects;
};
struct wh_net_prio {
    wh_node src;
    struct wh_sstr name;
    uint32_t priority;
};

struct wh_resources {
    bool set;
    wh_node src;
    struct wh_kvs unified;
    struct {
        struct wh_devrule *v;
        size_t n;
        bool set;
        wh_node src;
    } devices;
    struct {
        bool set;
        wh_node src;
        struct wh_opt_i64 limit;
    } pids;
    struct {
        bool set;
        wh_node src;
        struct wh_opt_i64 limit, reservation, swap, kernel, kernel_tcp;
        struct wh_opt_u64 swappiness;
        struct wh_opt_bool disable_oom_killer, use_hierarchy, check_before_update;
    } memory;
    struct {
        bool set;
        wh_node src;
        struct wh_opt_u64 shares, period, burst, rt_period;
        struct wh_opt_i64 quota, rt_runtime, idle;
        struct wh_sstr cpus, mems;
    } cpu;
    struct {
        bool set;
        wh_node src;
        struct wh_opt_u32 weight, leaf_weight;
        struct wh_blkio_devs weight_device, read_bps, write_bps, read_iops, write_iops;
    } block_io;
    struct {
        struct wh_hugepage *v;
        size_t n;
        bool set;
        wh_node src;
    } hugepages;
    struct {
        struct wh_rdma *v;
        size_t n;
        bool set;
        wh_node src;
    } rdma;
    struct {
        bool set;
        wh_node src;
        struct wh_opt_u32 class_id;
        struct wh_net_prio *prio;
        size_t nprio;
    } network;
};

/* Names stay text here (spec makes no libseccomp calls); values.c has checked them against the specification's lists. */
struct wh_seccomp_arg {
    wh_node src;
    uint32_t index;
    uint64_t value, value_two;
    struct wh_sstr op;
};
struct wh_seccomp_rule {
    wh_node src;
    struct wh_sstrv names;
    struct wh_sstr action;
    struct wh_opt_u32 errno_ret;
    struct wh_seccomp_arg *args;
    size_t nargs;
};
struct wh_seccomp {
    bool set;
    wh_node src;
    struct wh_sstr default_action, listener_path, listener_metadata;
    struct wh_opt_u32 default_errno_ret;
    struct wh_sstrv architectures, flags; /* flags.set == false differs from []: see compile-seccomp.c */
    struct wh_seccomp_rule *rules;
    size_t nrules;
};

struct wh_timeoff {
    bool set;
    wh_node src;
    struct wh_opt_i64 secs;
    struct wh_opt_u32 nanosecs;
};

struct wh_linux {
    bool set;
    wh_node src;
    struct wh_namespace ns[WH_NS_MAX];
    struct wh_idmaps uid_mappings, gid_mappings;
    struct {
        struct wh_device *v;
        size_t n;
        bool set;
        wh_node src;
    } devices;
    struct {
        struct wh_netdev *v;
        size_t n;
        bool set;
        wh_node src;
    } net_devices;
    struct wh_sstr cgroups_path, rootfs_propagation, mount_label;
    struct wh_resources resources;
    struct wh_kvs sysctl;
    struct wh_seccomp seccomp;
    struct wh_sstrv masked_paths, readonly_paths;
    struct {
        bool set;
        wh_node src;
        struct wh_sstr clos_id, l3_cache_schema, mem_bw_schema;
        struct wh_sstrv schemata;
        struct wh_opt_bool enable_monitoring, enable_cmt, enable_mbm;
    } intel_rdt;
    struct {
        bool set;
        wh_node src;
        int mode; /* MPOL_* of the kernel */
        struct wh_sstr nodes;
        uint32_t flags; /* MPOL_F_* of the kernel */
    } memory_policy;
    struct {
        bool set;
        wh_node src;
        uint32_t persona; /* PER_LINUX or PER_LINUX32 */
        struct wh_sstrv flags;
    } personality;
    struct {
        bool set;
        wh_node src;
        struct wh_timeoff monotonic, boottime;
    } time_offsets;
};

/* A key of the file that no table row knows. */
struct wh_unknown_key {
    wh_node src; /* its value */
    const char *nearest; /* the nearest known name in that object, or null */
};

struct wh_spec {
    struct wh_arena *arena;
    struct wh_srcnode *nodes;
    uint32_t nnodes;
    const char *keys; /* interned member names */
    const char *name; /* what messages call the file: "config.json" */
    const uint32_t *lines; /* offset of the start of each line */
    uint32_t nlines;
    bool one_line; /* as engines write it: messages have the pointer alone */
    struct wh_sstr oci_version, hostname, domainname;
    struct wh_root root;
    struct wh_process *process; /* null when absent */
    struct wh_mount_spec *mounts;
    size_t nmounts;
    struct wh_hooks hooks;
    struct wh_kvs annotations;
    struct wh_linux linux_;
    struct wh_unknown_key *unknown; /* only with WH_SPEC_UNKNOWN */
    size_t nunknown;
    bool changes; /* only linux_.resources, as changes to those of a container */
    wh_node tag; /* what all nodes have in common: 0 or WH_NODE_PROCESS */
    const struct wh_spec
        *exec; /* of a container: the file with the process that exec adds, or null; owned by whoever set it */
};

enum wh_spec_flags {
    WH_SPEC_UNKNOWN = 1u << 0, /* collect unknown keys (check) */
    WH_SPEC_PLACELESS = 1u << 1, /* places have the pointer alone, as of a text of one line */
};

/* 64 MiB: a larger file is refused before it is read to its end. */
#define WH_SPEC_MAX_BYTES (64u * 1024u * 1024u)

/*
 * Parses and validates a whole config.json (not NUL-terminated). `name` is used in messages. The spec keeps nothing of
 * `json`. 0, or -EINVAL/-ENOMEM/-E2BIG with up to 20 errors in `errs`; *ret is null then, but for -EINVAL with
 * WH_SPEC_UNKNOWN: of that spec only the unknown keys and the places hold. Free with wh_spec_free().
 * Reads no file and makes no other system call.
 */
int wh_spec_parse(const char *json, size_t len, const char *name, unsigned flags, struct wh_spec **ret,
                  struct wh_errlist *errs);
/*
 * The same for a file that is a process object by itself (`exec --process`): of *ret only `process` is filled. What
 * it says is held against itself alone; compile holds it against the container. A null name: a file that is removed
 * when the command has ended, is called process.json, and has no lines.
 */
int wh_spec_parse_process(const char *json, size_t len, const char *name, struct wh_spec **ret,
                          struct wh_errlist *errs);
/*
 * The same for a linux.resources object by itself (`update --resources`): of *ret only linux_.resources is filled. Limits of memory and swap are
 * not held against each other: one of the two may be the container's present one.
 */
int wh_spec_parse_resources(const char *json, size_t len, const char *name, struct wh_spec **ret,
                            struct wh_errlist *errs);
void wh_spec_free(struct wh_spec *s);

static inline void wh_spec_freep(struct wh_spec **s)
{
    wh_spec_free(*s);
    *s = NULL;
}
#define WH_CLEANUP_SPEC __attribute__((cleanup(wh_spec_freep)))

/* Source map. "/mounts/3/source" (JSON pointer, RFC 6901); returns buf. */
const char *wh_spec_pointer(const struct wh_spec *s, wh_node n, char *buf, size_t size);
/* 1-based line and column (in bytes) of the value; 0 for node 0. */
uint32_t wh_spec_line(const struct wh_spec *s, wh_node n, uint32_t *ret_col);
/* "config.json:41:20: /mounts/3/source"; returns buf. */
const char *wh_spec_where(const struct wh_spec *s, wh_node n, char *buf, size_t size);

/* The file that the node is in: "config.json". */
const char *wh_spec_file(const struct wh_spec *s, wh_node n);

/* Names used by compile, explain and check too. */
const char *wh_ns_name(enum wh_ns ns); /* "network" */
int wh_signal_from_name(const char *name, int *ret); /* number, or name in any case; 0 or -EINVAL */
int wh_cap_from_name(const char *name); /* CAP_CHOWN -> 0; -EINVAL */
const char *wh_cap_name(unsigned cap); /* "CAP_CHOWN", or null */
const char *wh_rlimit_name(int resource); /* "RLIMIT_NOFILE" */
/* Words of the specification and the kernel's numbers for them: the i-th of a list, null past its end; *ret_value may be null. */
enum wh_words { WH_WORDS_SCHED_POLICY, WH_WORDS_SCHED_FLAG, WH_WORDS_IOPRIO, WH_WORDS_MPOL, WH_WORDS_MPOL_FLAG };
const char *wh_word(enum wh_words list, size_t i, int64_t *ret_value);
/* The word for a number, or null. */
const char *wh_word_of(enum wh_words list, int64_t value);

#endif
