/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include <errno.h>

static const struct wh_hooklist *list_of(const struct wh_hooks *h, enum wh_hook_kind kind)
{
    switch (kind) {
    case WH_HOOK_PRESTART:
        return &h->prestart;
    case WH_HOOK_CREATE_RUNTIME:
        return &h->create_runtime;
    case WH_HOOK_CREATE_CONTAINER:
        return &h->create_container;
    case WH_HOOK_START_CONTAINER:
        return &h->start_container;
    case WH_HOOK_POSTSTART:
        return &h->poststart;
    case WH_HOOK_POSTSTOP:
        return &h->poststop;
    default:
        return NULL;
    }
}

static struct wh_vec strings(struct wh_compile *c, const struct wh_sstrv *s, const char *what, const char *program)
{
    const char **v = wh_arena_new_array(c->arena, const char *, s->n);

    if (!v) {
        c->failed = true;
        return (struct wh_vec){ 0 };
    }
    for (size_t i = 0; i < s->n; i++) {
        wh_compile_arg(c, &s->v[i], what, program);
        v[i] = s->v[i].v;
    }
    return wh_build_strv(c->b, v, s->n);
}

static void hook(struct wh_compile *c, enum wh_hook_kind kind, uint32_t index, const struct wh_hook *h)
{
    struct wh_step_hook *s;

    if (!h->path.v || h->path.v[0] != '/') {
        wh_compile_err(c, -EINVAL, h->src, "the path of a hook must be absolute");
        return;
    }
    if (h->timeout.set && (h->timeout.v <= 0 || h->timeout.v > UINT32_MAX)) {
        wh_compile_err(c, -EINVAL, h->timeout.src, "the timeout of a hook must be from 1 to 4294967295 seconds");
        return;
    }
    s = WH_STEP(c, HOOK, hook, h->src);
    if (!s)
        return;
    s->kind = (uint32_t)kind;
    s->index = index;
    s->path = wh_build_str(c->b, h->path.v);
    /* argv is the hook's own, its name included; without one there is still a name. */
    s->args = h->args.n ? strings(c, &h->args, "the argument", h->path.v) : wh_build_strv(c->b, &h->path.v, 1);
    /* Without env a hook gets the runtime's; with one exactly that, also when it is empty. */
    s->env = strings(c, &h->env, "the environment variable", h->path.v);
    s->env_set = h->env.set;
    s->timeout = h->timeout.set ? (uint32_t)h->timeout.v : 0;
}

void wh_compile_hooks(struct wh_compile *c, enum wh_hook_kind kind)
{
    const struct wh_hooklist *l = list_of(&c->spec->hooks, kind);
    struct wh_step_ask_hook *s;

    if (!l || l->n == 0)
        return;
    for (size_t i = 0; i < l->n; i++)
        hook(c, kind, (uint32_t)i, &l->v[i]);
    /* The payload runs already, or no longer: nothing for init to wait for. */
    if (kind == WH_HOOK_POSTSTART || kind == WH_HOOK_POSTSTOP)
        return;
    s = WH_STEP(c, ASK_HOOK, ask_hook, l->src);
    if (s)
        s->kind = (uint32_t)kind;
}
