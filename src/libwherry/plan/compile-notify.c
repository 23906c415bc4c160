/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory of the socket on which the payload says that it is ready (sd_notify(3)). */
#include "plan/compile-mount.h"

#include "abi/kernel.h"

/*
 * A directory, not the socket: create makes the mount, and start, which may be another process, the socket in it. Read-only,
 * because it is a directory of the host's, and connecting needs no more. After the mounts of the configuration, which may put a
 * tmpfs on /run.
 */
void wh_compile_notify(struct wh_compile *c)
{
    const struct wh_mount_spec m = { 0 };
    const struct wh_mount_job j = { .m = &m, .slot = WH_SLOT_SCRATCH };

    if (!c->req->notify_dir)
        return;
    wh_mount_add_bind(c, &j, j.slot, c->req->notify_dir, false, false);
    wh_mount_add_attr(c, 0, j.slot,
                      WH_MOUNT_ATTR_RDONLY | WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NODEV | WH_MOUNT_ATTR_NOEXEC, 0, 0,
                      false, false);
    wh_mount_add_attach(c, 0, j.slot, WH_NOTIFY_DIR, 0);
}
