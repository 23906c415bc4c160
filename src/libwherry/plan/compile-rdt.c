/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

void wh_compile_rdt(struct wh_compile *c)
{
    const typeof(c->spec->linux_.intel_rdt) *rdt = &c->spec->linux_.intel_rdt;
    const struct wh_sstr *first[] = { &rdt->l3_cache_schema, &rdt->mem_bw_schema };
    bool monitor = rdt->enable_monitoring.set && rdt->enable_monitoring.v;
    const char **v = wh_arena_new_array(c->arena, const char *, rdt->schemata.n + 2);
    struct wh_step_rdt *s;
    size_t n = 0;

    if (!v) {
        c->failed = true;
        return;
    }
    /* In this order: the later ones win where they name the same resource (config-linux.md). */
    for (size_t i = 0; i < WH_ELEMENTSOF(first); i++)
        if (first[i]->v && *first[i]->v)
            v[n++] = first[i]->v;
    for (size_t i = 0; i < rdt->schemata.n; i++)
        v[n++] = rdt->schemata.v[i].v;
    /* {} asks for nothing; enableCMT and enableMBM are of older versions, and were never more than a wish. */
    if (!rdt->clos_id.v && !n && !monitor)
        return;
    s = WH_STEP(c, RDT, rdt, rdt->src);
    if (!s)
        return;
    s->group = wh_build_str(c->b, rdt->clos_id.v ? rdt->clos_id.v : c->req->id ? c->req->id : "container");
    s->mode = !rdt->clos_id.v ? WH_RDT_OWN : n && !wh_streq(rdt->clos_id.v, "/") ? WH_RDT_MAKE : WH_RDT_JOIN;
    s->schemata = wh_build_strv(c->b, v, n);
    s->monitor = monitor ? wh_build_str(c->b, c->req->id ? c->req->id : "container") : 0;
}
