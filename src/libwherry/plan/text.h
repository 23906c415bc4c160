/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_TEXT_H
#define WH_PLAN_TEXT_H

/* The words of ops.def, for explain.c and render.c. */
struct wh_optext {
    const char *name; /* "mount_fs" */
    const char *tmpl; /* "fsopen {fstype} …" */
    const char *const *fields; /* names, in the order of wh_opinfo(op)->fields; ends with null */
};
/* Null for an unknown op. */
const struct wh_optext *wh_optext(unsigned op);

#endif
