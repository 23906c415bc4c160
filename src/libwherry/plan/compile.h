/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_COMPILE_H
#define WH_PLAN_COMPILE_H

#include "plan/plan.h"

/* What every compile-*.c shares; compile.c owns it and fixes the order of everything. */
struct wh_compile {
    const struct wh_spec *spec;
    const struct wh_request *req;
    const struct wh_facts *facts;
    struct wh_arena *arena;
    struct wh_build *b;
    struct wh_errlist *errs;
    const struct wh_process *process; /* what is to run: the configuration's, or what exec made of it */
    bool new_ns[WH_NS_MAX]; /* made for this container */
    bool join_ns[WH_NS_MAX]; /* joined by path */
    bool userns; /* new or joined, or we run inside one ourselves: no mknod, no raw mounts of host sources */
    const char *root_path; /* absolute; null for an exec, or where the configuration has none */
    bool born_last; /* B, in a pid namespace of others: A sets everything up, as for exec */
    bool setup; /* there is a mount namespace, new or joined, and the rootfs becomes its root */
    bool keep_groups; /* run.oci.keep_original_groups: the caller's supplementary groups stay, and no others are set */
    bool no_setgroups; /* setgroups(2) is denied to the container: no SETGROUPS step, and no additional groups */
    const char
        *cgroup_path; /* below the cgroup2 mount; null when disabled. Set by wh_compile_cgroup(), which comes first */
    const char
        *cgroup_ns; /* the root of the container's cgroup namespace: the same, or what the payload has below it */
    bool delegated; /* and that was asked for: it is mounted writable */
    uint32_t v1_made; /* bit i: the plan makes a directory in facts->v1[i] (host/facts.c finds 16 at most) */
    const char *mount_label, *mount_context; /* of new file systems, and the option that carries it; null: none */
    uint32_t propagation; /* WH_MS_* of the old tree, which clones get as well; set by wh_compile_mounts */
    bool failed;
    /* Mounts that stay writable until devices and hooks are done; wh_compile_masks makes them read-only. */
    struct {
        wh_slot slot;
        wh_node src;
    } late_ro[WH_SLOTS];
    unsigned nlate_ro;
};

/* Records an error at a node (collected; compile goes on so that the user sees all of them). Returns -EINVAL. */
/* Notes what is accepted with less or another effect than it reads: never an error. `code`: -EPERM for a capability that
 * is left out (`check` has findings of its own for those), else -EINVAL. */
void wh_compile_warn(struct wh_compile *c, int code, wh_node src, const char *fmt, ...) WH_PRINTF(4, 5);
int wh_compile_err(struct wh_compile *c, int code, wh_node src, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The place of what a host lacks, or a file: the property that asks for it, else what it would be in. */
wh_node wh_compile_place(const struct wh_spec *spec, wh_node src);
/* Line of a node for step headers. */
uint32_t wh_compile_line(const struct wh_compile *c, wh_node src);

/* Add a step of the op, for the node; sets c->failed and returns null when memory ran out. */
#define WH_STEP(c, NAME, name, node) wh_add((c)->b, NAME, name, (node), wh_compile_line((c), (node)))

/* True if the container id lies in the map. */
bool wh_compile_maps_id(const struct wh_idmaps *m, uint32_t id);
/* compile-idmap.c. The text of /proc/PID/uid_map; null (and c->failed) when memory ran out. */
const char *wh_compile_map_text(struct wh_compile *c, const struct wh_idmaps *m);
/* compile-paths.c. base + "/" + path, absolute, with ".", ".." and double slashes resolved in the text alone; ".." stays at
 * "/". In arena; null when memory ran out. */
char *wh_compile_clean_path(struct wh_arena *arena, const char *base, const char *path);
/* True if path is below dir, not dir itself; both clean. */
bool wh_compile_is_below(const char *path, const char *dir);

/* compile-limits.c: refuses what no kernel takes for its length; of a plan that is finished, before it is verified. */
void wh_compile_limits(struct wh_compile *c, const struct wh_plan *plan);
/* One argument or environment variable of a program; `what` it is. False after an error. */
bool wh_compile_arg(struct wh_compile *c, const struct wh_sstr *s, const char *what, const char *program);

/* compile.c: ASK_LIMITS and SESSION, the first of B wherever it is born. */
void wh_compile_first_of_b(struct wh_compile *c);
/* compile-exec.c: c->process of an exec; and its phase A, to CLONE_B. */
void wh_compile_exec_process(struct wh_compile *c);
void wh_compile_exec(struct wh_compile *c);
/* compile-affinity.c: host step and step of execCPUAffinity, or the reset. */
void wh_compile_affinity(struct wh_compile *c);
/* compile-ns.c: what both phases A begin with; and SET_IDS. */
void wh_compile_before_ns(struct wh_compile *c);
void wh_compile_set_ids(struct wh_compile *c);
/* compile-rdt.c: RDT. */
void wh_compile_rdt(struct wh_compile *c);
/* compile-netdev.c: ASK_NETDEV. */
void wh_compile_netdevs(struct wh_compile *c);
/* compile-ns.c: JOIN, UNSHARE, id maps, TIMENS, CLONE_B (phase A, in the order of design §3). */
void wh_compile_ns(struct wh_compile *c);
/* exec, where init is not entered by its pidfd: by the descriptors in the slots WH_SLOT_NS. `join`: CLONE_NEW*;
 * `host`: those of them that our own user namespace owns. */
void wh_compile_join_fds(struct wh_compile *c, uint32_t join, uint32_t host);
/* Where the host could not enter init's namespaces: init opens them for it. */
void wh_compile_open_ns(struct wh_compile *c);
/* compile-mounts.c: propagation, ROOT_BIND, config mounts. */
void wh_compile_mounts(struct wh_compile *c);
/* compile-root.c: what became read-only late, masks, read-only paths; root, pivot. */
void wh_compile_masks(struct wh_compile *c);
void wh_compile_pivot(struct wh_compile *c);
/* The root of a container that has no mount namespace of its own. */
void wh_compile_chroot(struct wh_compile *c);
/* compile-dev.c: default and listed devices, symlinks, console. */
void wh_compile_devices(struct wh_compile *c);
void wh_compile_console(struct wh_compile *c);
/* compile-hooks.c: host list and ASK_HOOK steps. */
void wh_compile_hooks(struct wh_compile *c, enum wh_hook_kind kind);
/* The capabilities that the container's process can get at all: known to the kernel, and ours or a new user namespace's. */
uint64_t wh_compile_grantable(const struct wh_compile *c);
/* compile-process.c: the tail, shared with exec. */
void wh_compile_process(struct wh_compile *c);
/* The short tail of a createContainer hook, which nothing confines. */
void wh_compile_hook_process(struct wh_compile *c);
/* compile-tail.c: --init. Call after everything of phase C but SECCOMP and EXEC. True if it is wanted. */
bool wh_compile_be_init(struct wh_compile *c, const struct wh_process *p);
/* compile-tail.c: ASK_PRIO, MEMPOLICY, LSM_EXEC; refused where the security module is not there. */
void wh_compile_prio(struct wh_compile *c, const struct wh_process *p);
void wh_compile_mempolicy(struct wh_compile *c);
void wh_compile_lsm(struct wh_compile *c, const struct wh_process *p);
/* The SELinux label of the session keyring that is made after it. */
void wh_compile_key_label(struct wh_compile *c, const struct wh_process *p);
/* Before the mounts: linux.mountLabel, which wh_compile_label_params adds to the parameters of a new file system. */
void wh_compile_mount_label(struct wh_compile *c);
void wh_compile_label_params(struct wh_compile *c, const char *fstype, struct wh_strv *params);
/* compile-cgroup.c: host lists CG_*, DEV_BPF. */
void wh_compile_cgroup(struct wh_compile *c);
/* compile-delegate.c: CG_SUB, CG_LEAF, CG_OWNER, and what struct wh_compile says of it. */
void wh_compile_delegation(struct wh_compile *c);
/* True if the container has a directory of its own in a v1 hierarchy of the host: at c->cgroup_path. */
bool wh_compile_in_v1(const struct wh_compile *c, const struct wh_v1_hierarchy *h);
/* True if the caller's lack of rights over cgroups is to be expected: --rootless, or as it looks from the facts. */
bool wh_compile_rootless(const struct wh_request *req, const struct wh_facts *facts);
/* True if the space- or comma-separated list has the word. */
bool wh_compile_has_word(const char *list, const char *word);
/* compile-sysctl.c: SYSCTL, HOSTNAME, DOMAINNAME. */
void wh_compile_sysctl(struct wh_compile *c);
/* compile-annotations.c: refuses those that ask for confinement that we do not have. */
void wh_compile_annotations(struct wh_compile *c);
/* Whether a filter that notifies can be served: kernel, and somebody to send the listener to. */
void wh_compile_listener(struct wh_compile *c);
/* compile-notify.c: the directory of the notify socket. */
void wh_compile_notify(struct wh_compile *c);

/* compile-mountopts.c: the words of mounts[].options. */
struct wh_mountopts {
    bool bind, rec, tmpcopyup, idmap, ridmap, remount;
    bool named; /* a word that was a flag of mount(2): a bind then has no flag but those that are named */
    uint64_t attr_set, attr_clr; /* of the mount */
    uint64_t rattr_set, rattr_clr; /* of the tree (rro …) */
    uint32_t prop[4]; /* MS_* in order of appearance */
    bool prop_rec[4];
    unsigned nprop;
    bool ro, src_nofollow, dest_nofollow, copy_symlink;
    const struct wh_sstr *idmap_opt; /* the last word that asked for an id-mapped mount */
    struct wh_strv params; /* pairs key, value-or-null: fsconfig */
    bool has_mode;
};
int wh_mountopts_parse(struct wh_compile *c, const struct wh_mount_spec *m, struct wh_mountopts *ret);
/* For `features`: sorted names of all options that this version takes. */
const char *const *wh_mountopts_names(size_t *ret_n);

#endif
