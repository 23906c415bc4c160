/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In the program that is linked statically, instead of src/twin/dynamic.c, host/cgroup/sdbus.c and host/selinux-load.c: one object, so that the linker finds them
 * here before it looks into the library, and leaves dlopen out. A static program could load libraries only of the very C library that
 * it was linked with.
 */
#include <errno.h>
#include <stdbool.h>

#include "host/cgroup/sdbus.h"
#include "host/selinux.h"

bool wherry_twin_needed(void);
void wherry_twin_lost(void);

#if defined(HAVE_SYSTEMD) || defined(HAVE_SELINUX)
#define TWIN true
#else
#define TWIN false /* nor is there one */
#endif

bool wherry_twin_needed(void)
{
    return TWIN;
}

static bool lost;

void wherry_twin_lost(void)
{
    lost = true;
}

int wh_selinux_load(struct wh_selinux *ret)
{
    (void)ret;
#ifdef HAVE_SELINUX
    return lost ? -ENOPKG : -ELIBACC;
#else
    return -ENOPKG;
#endif
}

int wh_sdbus_load(struct wh_sdbus *ret, struct wh_err *err)
{
    (void)ret;
#ifndef HAVE_SYSTEMD
    return wh_sdbus_none(err);
#else
    return wh_err_set(err, WH_ERR_HOST, -ELIBACC, NULL, "this program cannot load libsystemd");
#endif
}
