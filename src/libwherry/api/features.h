/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_API_FEATURES_H
#define WH_API_FEATURES_H

#include <stdbool.h>

#include "base/str.h"

/* The documents of `features` and `spec`, as text. Both are decided when wherry is built: they say nothing about the host. */
void wh_features_write(struct wh_buf *out);
/* euid, egid: what container id 0 stands for in the rootless variant. */
void wh_spec_write(bool rootless, unsigned euid, unsigned egid, struct wh_buf *out);

#endif
