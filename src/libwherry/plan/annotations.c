/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/annotations.h"

#include <string.h>

#include "base/str.h"

static const char *const names[] = {
#define WH_ANNOTATION(ID, name) [WH_ANN_##ID] = (name),
#define WH_ANNOTATION_RESERVED(name)
#include "plan/annotations.def"
#undef WH_ANNOTATION
#undef WH_ANNOTATION_RESERVED
};

static const char *const reserved[] = {
#define WH_ANNOTATION(ID, name)
#define WH_ANNOTATION_RESERVED(name) (name),
#include "plan/annotations.def"
#undef WH_ANNOTATION
#undef WH_ANNOTATION_RESERVED
};

const char *wh_annotation_name(enum wh_ann ann)
{
    return names[ann];
}

/* As engines read the list (runtime-spec, features.md). */
static bool covers(const char *entry, const char *key)
{
    return entry[strlen(entry) - 1] == '.' ? wh_startswith(key, entry) : wh_streq(key, entry);
}

bool wh_annotation_is(const char *key, enum wh_ann ann)
{
    return covers(names[ann], key);
}

static bool is_covered(const char *key)
{
    for (size_t i = 0; i < WH_ELEMENTSOF(reserved); i++)
        if (covers(reserved[i], key))
            return true;
    return false;
}

bool wh_annotation_is_ours(const char *key)
{
    for (size_t i = 0; i < WH_ELEMENTSOF(reserved); i++)
        for (size_t k = 0; k < WH_ELEMENTSOF(names) && covers(reserved[i], key); k++)
            if (covers(reserved[i], names[k]))
                return true;
    return false;
}

/* The smallest entry after `last`; null when there is none. There are few, and nobody is in a hurry who asks for features. */
static const char *after(const char *last)
{
    const char *next = NULL;

    for (size_t i = 0; i < WH_ELEMENTSOF(names) + WH_ELEMENTSOF(reserved); i++) {
        const char *at = i < WH_ELEMENTSOF(names) ? names[i] : reserved[i - WH_ELEMENTSOF(names)];

        if (i < WH_ELEMENTSOF(names) && is_covered(at))
            continue;
        if (strcmp(at, last) > 0 && (!next || strcmp(at, next) < 0))
            next = at;
    }
    return next;
}

const char *wh_annotation_unsafe(size_t i)
{
    const char *at = after("");

    while (at && i-- > 0)
        at = after(at);
    return at;
}
