/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_SPEC_VALIDATE_H
#define WH_SPEC_VALIDATE_H

#include "spec/fields.h"

struct wh_check {
    const struct wh_spec *s;
    struct wh_errlist *errs;
    unsigned n; /* errors found */
};

/* Notes an error at a node. */
void wh_check_error(struct wh_check *c, wh_node at, const char *fmt, ...) WH_PRINTF(3, 4);
/* Notes what is accepted with another meaning than the specification gives it (base/err.h). */
void wh_check_warning(struct wh_check *c, wh_node at, const char *fmt, ...) WH_PRINTF(3, 4);
/* An error at the member `name` of an object whose struct keeps no place for it. */
void wh_check_error_in(struct wh_check *c, wh_node object, const char *name, const char *text);

/* Is id inside one of the ranges of the container's side? */
bool wh_idmaps_has(const struct wh_idmaps *maps, uint32_t id);

void wh_check_process(struct wh_check *c, const struct wh_process *p); /* validate-process.c */
void wh_check_resources(struct wh_check *c, const struct wh_resources *r); /* validate-resources.c */
void wh_check_seccomp(struct wh_check *c, const struct wh_seccomp *s); /* validate-resources.c */

#endif
