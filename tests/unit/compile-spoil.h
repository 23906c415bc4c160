/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TESTS_COMPILE_SPOIL_H
#define WH_TESTS_COMPILE_SPOIL_H

/* A specification that was read without an error, one part of which is spoiled before it is compiled. */
#include <errno.h>

#include "plan/compile.h"

#include "tap.h"

struct spoilt {
    void (*spoil)(struct wh_spec *);
    const char *want; /* the one error of compile */
};

static void spoilt_is_refused(const struct spoilt *t, struct wh_spec *spec, const struct wh_request *request,
                              const struct wh_facts *facts)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    const struct wh_plan *plan = NULL;
    struct wh_errlist errs = { 0 };

    t->spoil(spec);
    is_int(wh_compile(spec, request, facts, arena, &plan, &errs), -EINVAL, "refused: %s", t->want);
    is_str(errs.n == 1 ? errs.e[0].msg : "another number of errors", t->want, "with these words");
    ok(!plan, "and no plan");
}

#endif
