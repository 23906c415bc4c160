/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/mountfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/kernel.h"

int wh_mountfd_open(const struct wh_plan *plan, const struct wh_ask *ask, struct wh_err *err)
{
    const struct wh_step_ask_mount *s = (const struct wh_step_ask_mount *)ask->step;
    const char *source = wh_plan_str(plan, s->source);
    unsigned flags = WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC;
    long fd;

    if (s->idmap)
        return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, NULL, "id-mapped mounts are not supported yet");
    if (s->recursive)
        flags |= AT_RECURSIVE;
    if (s->nofollow)
        flags |= AT_SYMLINK_NOFOLLOW;
    fd = syscall(SYS_open_tree, AT_FDCWD, source, flags);
    return fd < 0 ? wh_err_sys(err, -errno, "open_tree %s", source) : (int)fd;
}
