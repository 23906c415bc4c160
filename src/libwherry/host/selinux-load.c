/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of its own: the program that is linked statically has another wh_selinux_load() (src/twin/static.c), and nothing of dlopen. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "host/selinux.h"

int wh_selinux_load(struct wh_selinux *ret)
{
#ifdef HAVE_SELINUX
    /* Never closed: a second container of the same caller would load it again. */
    void *library = dlopen("libselinux.so.1", RTLD_NOW | RTLD_LOCAL), *check;

    if (!library)
        return -ENOPKG;
    check = dlsym(library, "security_check_context");
    if (!check)
        return -ENOPKG;
    memcpy(&ret->security_check_context, &check, sizeof check);
    return 0;
#else
    (void)ret;
    return -ENOPKG;
#endif
}
