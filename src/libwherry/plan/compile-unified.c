/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux.resources: hugepageLimits, rdma, network, and the raw keys of `unified`. */
#include "plan/compile-resources.h"

#include <errno.h>
#include <stdio.h>

static const struct wh_controller hugetlb = { "hugetlb", "hugetlb" }, rdma = { "rdma", "rdma" },
                                  net_cls = { NULL, "net_cls" }, net_prio = { NULL, "net_prio" };

static void hugepages(struct wh_res *x, const struct wh_hugepage *h)
{
    const char *value = wh_res_u64(x, h->limit);
    enum wh_res_at at = wh_res_at(x, WH_RES_LIMIT, &hugetlb, h->src,
                                  wh_arena_printf(x->c->arena, "hugepage limit (%s)", h->page_size.v), value);
    const char *last = at == WH_RES_V1 ? "limit_in_bytes" : "max";

    /* A reservation (mmap of what is not touched yet) counts apart, since Linux 5.7. */
    wh_res_put(x, at, &hugetlb, h->src, wh_arena_printf(x->c->arena, "hugetlb.%s.%s", h->page_size.v, last), value, 0);
    wh_res_put(x, at, &hugetlb, h->src, wh_arena_printf(x->c->arena, "hugetlb.%s.rsvd.%s", h->page_size.v, last), value,
               WH_CGW_MAY_LACK);
}

static void compile_rdma(struct wh_res *x, const struct wh_rdma *d)
{
    char handles[40] = "", objects[40] = "";
    const char *value;

    if (d->hca_handles.set)
        snprintf(handles, sizeof handles, " hca_handle=%u", d->hca_handles.v);
    if (d->hca_objects.set)
        snprintf(objects, sizeof objects, " hca_object=%u", d->hca_objects.v);
    value = wh_arena_printf(x->c->arena, "%s%s%s", d->device, handles, objects);
    wh_res_put(x, wh_res_at(x, WH_RES_LIMIT, &rdma, d->src, "rdma limit", value), &rdma, d->src, "rdma.max", value, 0);
}

void wh_res_others(struct wh_res *x)
{
    const struct wh_resources *r = x->r;

    for (size_t i = 0; i < r->hugepages.n; i++)
        hugepages(x, &r->hugepages.v[i]);
    for (size_t i = 0; i < r->rdma.n; i++)
        compile_rdma(x, &r->rdma.v[i]);
    if (r->network.class_id.v) {
        const char *value = wh_res_u64(x, r->network.class_id.v);

        wh_res_put(x, wh_res_at(x, WH_RES_LIMIT, &net_cls, r->network.class_id.src, "network classID", value), &net_cls,
                   r->network.class_id.src, "net_cls.classid", value, 0);
    }
    for (size_t i = 0; i < r->network.nprio; i++) {
        const struct wh_net_prio *p = &r->network.prio[i];
        const char *value = wh_arena_printf(x->c->arena, "%s %u", p->name.v, p->priority);

        wh_res_put(x, wh_res_at(x, WH_RES_LIMIT, &net_prio, p->src, "network priority", value), &net_prio, p->src,
                   "net_prio.ifpriomap", value, 0);
    }
}

/* ---------------------------------------------------------------- unified */

/* What wherry does with the container's cgroup itself, or what would take the processes out of it. */
static const char *own_business(const char *file)
{
    static const struct {
        const char *file, *why;
    } t[] = {
        { "cgroup.procs", "moves processes" },           { "cgroup.threads", "moves threads" },
        { "cgroup.kill", "kills the container" },        { "cgroup.freeze", "stops the container before it starts" },
        { "cgroup.type", "makes it a threaded cgroup" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++)
        if (wh_streq(file, t[i].file))
            return t[i].why;
    return NULL;
}

static void raw_key(struct wh_res *x, const struct wh_kv *kv)
{
    size_t len = strcspn(kv->key, ".");
    const char *name = wh_arena_strndup(x->c->arena, kv->key, len), *why = own_business(kv->key);
    /* The core's own files, which no controller brings. */
    bool core = (name && wh_streq(name, "cgroup")) || wh_streq(kv->key + len, ".pressure");
    const struct wh_controller controller = { name, NULL };
    enum wh_res_at at = WH_RES_NOWHERE;
    /* For messages, which are one line. */
    const char *value = wh_arena_printf(x->c->arena, "\"%.*s%s\"", (int)strcspn(kv->value, "\n"), kv->value,
                                        strchr(kv->value, '\n') ? "..." : "");

    if (!name || !value) {
        x->c->failed = true;
        return;
    }
    if (x->mode != WH_RES_LOOK && why) {
        wh_compile_err(x->c, -EINVAL, kv->src, "%s cannot be set: it %s", kv->key, why);
        return;
    }
    if (core && x->mode == WH_RES_HOST && x->c->facts->cgroup2_mount)
        at = WH_RES_UNIFIED;
    else if (x->mode == WH_RES_HOST && wh_compile_v1(x->c, wh_streq(name, "io") ? "blkio" : name))
        wh_compile_err(x->c, -EOPNOTSUPP, kv->src,
                       "%s %s: the controller %s of this host is on a cgroup v1 hierarchy, which has no such file",
                       kv->key, value, name);
    else
        at = wh_res_at(x, WH_RES_LIMIT, &controller, kv->src, kv->key, value);
    if (at == WH_RES_NOWHERE)
        return;
    /* The kernel takes one line a write; an empty value is a line, too. */
    for (const char *line = kv->value, *end;; line = end + 1) {
        end = line + strcspn(line, "\n");
        if (end > line || line == kv->value)
            wh_res_put(x, at, &controller, kv->src, kv->key,
                       end > line ? wh_arena_strndup(x->c->arena, line, (size_t)(end - line)) : "\n", 0);
        if (!*end)
            return;
    }
}

void wh_res_unified(struct wh_res *x)
{
    for (size_t i = 0; i < x->r->unified.n; i++)
        raw_key(x, &x->r->unified.v[i]);
}
