/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a plan. What is accepted must be readable without a further check: every string and vector is walked, as the executor and
 * the renderer do. */
#define FUZZ_NAME "verify"
#include "fuzz.h"

#include "../unit/init-plan.h"

static size_t walk_string(const struct wh_plan *p, wh_off off)
{
    return off ? strlen(wh_plan_str(p, off)) : 0;
}

static size_t walk(const struct wh_plan *p)
{
    const struct wh_step *s = wh_plan_first(p);
    size_t sum = 0;

    for (uint32_t k = 0; k < p->nsteps + p->nhost; k++, s = wh_step_next(s)) {
        const struct wh_opinfo *o;

        if (k == p->nsteps)
            s = wh_plan_first_host(p);
        o = wh_opinfo(s->op);
        for (unsigned int f = 0; f < o->nfields; f++) {
            const void *at = (const char *)s + o->fields[f].off;
            const struct wh_vec *v = at;
            const struct wh_bytes *b = at;

            switch (o->fields[f].kind) {
            case WH_FK_STR:
            case WH_FK_STRN:
            case WH_FK_HPATH:
            case WH_FK_CPATH:
                sum += walk_string(p, *(const wh_off *)at);
                break;
            case WH_FK_STRV:
            case WH_FK_ENVV:
                /* EXEC widens it. */
                for (uint32_t n = 0; n < (v->n + 2) * 8; n++)
                    sum += ((const uint8_t *)wh_plan_at(p, v->off))[n];
                /* fall through */
            case WH_FK_PARAMS:
                for (uint32_t n = 0; n < v->n; n++)
                    sum += walk_string(p, ((const wh_off *)wh_plan_at(p, v->off))[n]);
                break;
            case WH_FK_U32V:
                for (uint32_t n = 0; n < v->n; n++)
                    sum += ((const uint32_t *)wh_plan_at(p, v->off))[n];
                break;
            case WH_FK_BLOB:
                for (uint32_t n = 0; n < b->len; n++)
                    sum += ((const uint8_t *)wh_plan_at(p, b->off))[n];
                break;
            default:
                break;
            }
        }
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile size_t sink __attribute__((unused));
    struct wh_plan *p = malloc(size ? size : 1);
    uint32_t step;

    memcpy(p, data, size);
    /* The size is the first thing that a random change breaks, and the least interesting. */
    if (size >= sizeof(*p))
        p->size = (uint32_t)size;
    if (wh_plan_verify(p, size, &step) == 0)
        sink = walk(p);
    free(p);
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    if (n > 1)
        return NULL;
    tp_realistic((struct tp_options){ .exec = n == 1, .notify = n == 0 });
    return (uint8_t *)tp_end(ret_size);
}
