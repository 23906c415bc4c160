/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_PLAN_ANNOTATIONS_H
#define WH_PLAN_ANNOTATIONS_H

#include <stdbool.h>
#include <stddef.h>

enum wh_ann {
#define WH_ANNOTATION(ID, name) WH_ANN_##ID,
#define WH_ANNOTATION_RESERVED(name)
#include "plan/annotations.def"
#undef WH_ANNOTATION
#undef WH_ANNOTATION_RESERVED
    WH_ANN_COUNT
};

/* Its key; where that ends in a dot, the beginning of its keys. */
const char *wh_annotation_name(enum wh_ann ann);
/* Whether it is this annotation, or one of those. */
bool wh_annotation_is(const char *key, enum wh_ann ann);
/* Whether it begins as annotations do that a runtime alone reads: with a reserved prefix that some of the table
 * have. */
bool wh_annotation_is_ours(const char *key);
/* The i-th entry of potentiallyUnsafeConfigAnnotations, sorted; null after the last one. Together they cover the table. */
const char *wh_annotation_unsafe(size_t i);

#endif
