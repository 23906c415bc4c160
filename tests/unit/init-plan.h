/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TEST_INIT_PLAN_H
#define WH_TEST_INIT_PLAN_H

/* Plans by hand, for the tests of wherry-init: one statement a step, fields by name. */

#include <stdlib.h>

#include "abi/kernel.h"
#include "abi/plan.h"
#include "plan/plan.h"

static struct wh_arena *tp_arena;
static struct wh_build *tp;

__attribute__((unused)) static void tp_begin(void)
{
    tp_arena = wh_arena_new();
    tp = wh_build_new(tp_arena);
}

/* An aligned copy on the heap, for init to write into and for the sanitizer to watch its end. */
__attribute__((unused)) static struct wh_plan *tp_end(size_t *ret_size)
{
    const struct wh_plan *p = NULL;
    struct wh_err err = { 0 };
    struct wh_plan *copy;

    if (wh_build_finish(tp, &p, &err) < 0)
        abort();
    copy = malloc(p->size);
    memcpy(copy, p, p->size);
    if (ret_size)
        *ret_size = p->size;
    wh_arena_free(tp_arena);
    tp_arena = NULL;
    tp = NULL;
    return copy;
}

#define STR(s) wh_build_str(tp, (s))
#define STRV(...)                                                                                                      \
    wh_build_strv(tp, (const char *const[]){ __VA_ARGS__ },                                                            \
                  sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define NO_STRV wh_build_strv(tp, NULL, 0)
#define PARAMS(...)                                                                                                    \
    wh_build_params(tp, (const char *const[]){ __VA_ARGS__ },                                                          \
                    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define U32V(...)                                                                                                      \
    wh_build_u32v(tp, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* Evaluates to the step, for its flags. */
#define ADD(NAME, name, ...)                                                                                           \
    ({                                                                                                                 \
        struct wh_step_##name add_v = { __VA_ARGS__ }, *add_p = wh_add(tp, NAME, name, 0, 0);                          \
        add_v.s = add_p->s;                                                                                            \
        *add_p = add_v;                                                                                                \
        &add_p->s;                                                                                                     \
    })

#endif
