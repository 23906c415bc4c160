/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_COMPILE_MOUNT_H
#define WH_PLAN_COMPILE_MOUNT_H

#include "plan/compile.h"

/* What compile-mounts.c and compile-mountcg.c share. */

/* One entry of mounts[] while it is compiled. */
struct wh_mount_job {
    const struct wh_mount_spec *m;
    struct wh_mountopts o;
    const char *dst; /* in the container, clean */
    uint64_t attr; /* of a file system of its own: all attribute words together, as fsmount(2) takes them */
    wh_slot slot; /* where the mount is kept */
    uint32_t attach; /* WH_ATTACH_* */
    /* An id-mapped bind: both texts, or the path of the joined user namespace. */
    const char *uid_map, *gid_map, *userns;
    bool late_ro; /* stays writable until devices and hooks are done */
};

/* True if the container's root is not root of the user namespace that owns the host's mounts. */
static inline bool wh_mount_foreign(const struct wh_compile *c)
{
    return c->new_ns[WH_NS_USER] || c->join_ns[WH_NS_USER];
}

/* Steps. `alt`: part of the fallback of the soft step before. */
void wh_mount_add_fs(struct wh_compile *c, const struct wh_mount_job *j, const char *fstype, const char *source,
                     const struct wh_strv *params, uint64_t attr, uint16_t soft);
void wh_mount_add_bind(struct wh_compile *c, const struct wh_mount_job *j, wh_slot slot, const char *source, bool rec,
                       bool alt);
void wh_mount_add_attr(struct wh_compile *c, wh_node src, wh_slot slot, uint64_t set, uint64_t clr,
                       uint32_t propagation, bool rec, bool alt);
void wh_mount_add_propagation(struct wh_compile *c, const struct wh_mount_job *j, wh_slot slot);
void wh_mount_add_attach(struct wh_compile *c, wh_node src, wh_slot slot, const char *dst, uint32_t flags);

/* What of attr a clone of a host mount can be given: atime modes may be locked there, the others can always be added. */
uint64_t wh_mount_clone_attr(uint64_t attr);

/* compile-root.c: what rootfsPropagation asks for, WH_MS_*: of the old tree (returned; only its root unless *ret_before_rec), and of the
 * new root after the pivot (0 = nothing). Reports an unknown name. */
uint32_t wh_mount_root_propagation(struct wh_compile *c, bool *ret_before_rec, uint32_t *ret_after, bool *ret_rec);
/* True if mounts of the old tree may be peers of the host's while the container is made. */
bool wh_mount_root_may_share(const struct wh_compile *c);

/* compile-idmap.c: fills uid_map and gid_map, or userns, where the mount is id-mapped. 0, or -errno and the error is recorded. */
int wh_mount_idmap(struct wh_compile *c, struct wh_mount_job *j);

/* compile-mountcg.c: types cgroup and cgroup2. */
void wh_mount_cgroup(struct wh_compile *c, struct wh_mount_job *j);

#endif
