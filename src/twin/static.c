/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In the program that is linked statically, instead of src/twin/dynamic.c and host/cgroup/sdbus.c: one object, so that the linker finds both
 * here before it looks into the library, and leaves dlopen out. A static program could load libraries only of the very C library that
 * it was linked with.
 */
#include <errno.h>
#include <stdbool.h>

#include "host/cgroup/sdbus.h"

bool wherry_twin_needed(void);

#ifdef HAVE_SYSTEMD
#define TWIN true
#else
#define TWIN false /* nor is there one */
#endif

bool wherry_twin_needed(void)
{
    return TWIN;
}

int wh_sdbus_load(struct wh_sdbus *ret, struct wh_err *err)
{
    (void)ret;
    if (!TWIN)
        return wh_sdbus_none(err);
    return wh_err_set(err, WH_ERR_HOST, -ELIBACC, NULL, "this program cannot load libsystemd");
}
