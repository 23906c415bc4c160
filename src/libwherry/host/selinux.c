/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/selinux.h"

#include <errno.h>

int wh_selinux_check(const struct wh_selinux *se, const char *context)
{
    /* Other errors say that we may not ask (EACCES), or whose /sys this is (ENOENT), and nothing of the context. */
    return se->security_check_context(context) < 0 && errno == EINVAL ? -EINVAL : 0;
}
