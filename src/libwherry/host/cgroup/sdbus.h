/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_SDBUS_H
#define WH_HOST_CGROUP_SDBUS_H

#include <errno.h>
#include <stdint.h>

#include "base/err.h"

/*
 * The part of libsystemd's sd-bus that is used here (sd-bus(3)), as a table: the library is loaded with dlopen, only when a container has
 * a unit, and is not needed to build. Tests fill the table themselves.
 */
typedef struct sd_bus sd_bus;
typedef struct sd_bus_message sd_bus_message;
typedef struct sd_bus_slot sd_bus_slot;
/* Public layout of libsystemd's (sd_bus_error(3)). */
struct wh_sdbus_error {
    const char *name, *message;
    int need_free;
};

typedef int (*wh_sdbus_handler)(sd_bus_message *m, void *data, struct wh_sdbus_error *ret);

struct wh_sdbus {
    int (*sd_bus_new)(sd_bus **ret);
    int (*sd_bus_set_address)(sd_bus *bus, const char *address);
    int (*sd_bus_set_bus_client)(sd_bus *bus, int b);
    int (*sd_bus_start)(sd_bus *bus);
    int (*sd_bus_is_ready)(sd_bus *bus);
    int (*sd_bus_process)(sd_bus *bus, sd_bus_message **ret);
    int (*sd_bus_get_fd)(sd_bus *bus);
    int (*sd_bus_get_events)(sd_bus *bus);
    int (*sd_bus_get_timeout)(sd_bus *bus, uint64_t *ret_usec); /* CLOCK_MONOTONIC; UINT64_MAX: none */
    sd_bus *(*sd_bus_close_unref)(sd_bus *bus);
    int (*sd_bus_call_async)(sd_bus *bus, sd_bus_slot **ret_slot, sd_bus_message *m, wh_sdbus_handler handler,
                             void *data, uint64_t usec);
    sd_bus_slot *(*sd_bus_slot_unref)(sd_bus_slot *slot);
    int (*sd_bus_message_new_method_call)(sd_bus *bus, sd_bus_message **ret, const char *destination, const char *path,
                                          const char *interface, const char *member);
    int (*sd_bus_message_append_basic)(sd_bus_message *m, char type, const void *p);
    int (*sd_bus_message_append_array)(sd_bus_message *m, char type, const void *p, size_t size);
    int (*sd_bus_message_open_container)(sd_bus_message *m, char type, const char *contents);
    int (*sd_bus_message_close_container)(sd_bus_message *m);
    int (*sd_bus_message_read_basic)(sd_bus_message *m, char type, void *p);
    int (*sd_bus_message_is_signal)(sd_bus_message *m, const char *interface, const char *member);
    const struct wh_sdbus_error *(*sd_bus_message_get_error)(sd_bus_message *m); /* the message's own */
    int (*sd_bus_message_get_errno)(sd_bus_message *m);
    sd_bus_message *(*sd_bus_message_ref)(sd_bus_message *m);
    sd_bus_message *(*sd_bus_message_unref)(sd_bus_message *m);
};

/*
 * Loads libsystemd.so.0. -ENOPKG when it is not installed, too old, or not built for; -ELIBACC in a program that cannot load libraries:
 * somebody else has to do what was asked for.
 */
int wh_sdbus_load(struct wh_sdbus *ret, struct wh_err *err);

/* What it says in a build without. */
static inline int wh_sdbus_none(struct wh_err *err)
{
    return wh_err_set(err, WH_ERR_HOST, -ENOPKG, NULL,
                      "this build of wherry has no systemd cgroup manager: use --cgroup-manager=cgroupfs");
}

#endif
