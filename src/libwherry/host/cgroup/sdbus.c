/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of its own: the program that is linked statically has another wh_sdbus_load() (src/twin/static.c), and nothing of dlopen. */
#include "host/cgroup/sdbus.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"

#define LIBRARY "libsystemd.so.0"

int wh_sdbus_load(struct wh_sdbus *ret, struct wh_err *err)
{
#ifdef HAVE_SYSTEMD
#define SYMBOL(name)                                                                                                   \
    {                                                                                                                  \
#name, &ret->name                                                                                              \
    }
    const struct {
        const char *name;
        void *to;
    } symbols[] = {
        SYMBOL(sd_bus_new),
        SYMBOL(sd_bus_set_address),
        SYMBOL(sd_bus_set_bus_client),
        SYMBOL(sd_bus_start),
        SYMBOL(sd_bus_is_ready),
        SYMBOL(sd_bus_process),
        SYMBOL(sd_bus_get_fd),
        SYMBOL(sd_bus_get_events),
        SYMBOL(sd_bus_get_timeout),
        SYMBOL(sd_bus_close_unref),
        SYMBOL(sd_bus_call_async),
        SYMBOL(sd_bus_slot_unref),
        SYMBOL(sd_bus_message_new_method_call),
        SYMBOL(sd_bus_message_append_basic),
        SYMBOL(sd_bus_message_append_array),
        SYMBOL(sd_bus_message_open_container),
        SYMBOL(sd_bus_message_close_container),
        SYMBOL(sd_bus_message_read_basic),
        SYMBOL(sd_bus_message_is_signal),
        SYMBOL(sd_bus_message_get_error),
        SYMBOL(sd_bus_message_get_errno),
        SYMBOL(sd_bus_message_ref),
        SYMBOL(sd_bus_message_unref),
    };
#undef SYMBOL
    /* Never closed: libsystemd is linked so that it stays (-z nodelete), and the table points into it. */
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return wh_err_set(err, WH_ERR_HOST, -ENOPKG, NULL,
                          "the systemd cgroup manager needs " LIBRARY ", which cannot be loaded: install it, or use "
                          "--cgroup-manager=cgroupfs");
    for (size_t i = 0; i < WH_ELEMENTSOF(symbols); i++) {
        void *p = dlsym(library, symbols[i].name);

        if (!p)
            return wh_err_set(err, WH_ERR_HOST, -ENOPKG, NULL, LIBRARY " is too old: it has no %s", symbols[i].name);
        memcpy(symbols[i].to, &p, sizeof p);
    }
    return 0;
#else
    (void)ret;
    return wh_sdbus_none(err);
#endif
}
