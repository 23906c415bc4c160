/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_HINTS_H
#define WH_PLAN_HINTS_H

#include <stddef.h>
#include <stdint.h>

/* The likely cause of a failure, or null: one clause, without a full stop. op 0 = not known; fstype may be null. */
const char *wh_hint(unsigned op, uint32_t site, int err, const char *fstype);
/* The whole table, for tests: the n-th hint, or null after the last one. */
struct wh_hint_row {
    uint16_t op, site; /* 0 = any */
    int err; /* 0 = any */
    const char *fstype; /* null = any */
    const char *hint;
};
const struct wh_hint_row *wh_hint_row(size_t n);

#endif
