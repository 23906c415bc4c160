/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_SELINUX_H
#define WH_HOST_SELINUX_H

#include "base/err.h"

/*
 * Whether SELinux is on is asked of the kernel (host/facts.c): is_selinux_enabled() also wants /etc/selinux/config, which a host whose kernel
 * enforces labels need not have.
 *
 * The part of libselinux that is used here, as a table: the library is loaded with dlopen, only when a container has a label, and is not needed
 * to build. What it does not do is write the labels: wherry-init does that, as the thread that they are for.
 */
struct wh_selinux {
    int (*security_check_context)(const char *context);
};

/*
 * Loads libselinux.so.1. -ENOPKG when it is not installed, too old, or not built for: labels are then written unchecked. -ELIBACC in a program
 * that cannot load libraries, and whose twin can.
 */
int wh_selinux_load(struct wh_selinux *ret);

/* 0 when the loaded policy knows the context, or when nothing can be said of it; -EINVAL when it does not. */
int wh_selinux_check(const struct wh_selinux *se, const char *context);

#endif
