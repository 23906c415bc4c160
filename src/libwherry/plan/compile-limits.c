/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strings that are longer than the kernel takes. The rows of spec/fields.c refuse those of config.json. A path of a plan can also be joined
 * from several strings or come from the command line, so this file checks the finished plan as well, by the kinds of its fields. Without it
 * wh_plan_verify() would report the user's mistake as an internal error.
 */
#include "plan/compile.h"

#include <errno.h>

#include "spec/fields.h"

#define AT(NAME, name, field, most)                                                                                    \
    {                                                                                                                  \
        WH_OP_##NAME, (uint16_t)offsetof(struct wh_step_##name, field), (most)                                         \
    }

/* Beside the paths, which have kinds of their own. */
static const struct {
    uint16_t op, off;
    uint32_t max;
} others[] = {
    /* fsopen(2) and fsconfig(2). */
    AT(MOUNT_FS, mount_fs, fstype, WH_MAX_WRITE),      AT(MOUNT_FS, mount_fs, source, WH_MAX_NAME),
    AT(LSM_EXEC, lsm_exec, label, WH_MAX_WRITE),       AT(CG_CREATE, cg_create, path, WH_MAX_PATH),
    AT(CG_V1_CREATE, cg_v1_create, path, WH_MAX_PATH), AT(CG_SUB, cg_sub, path, WH_MAX_PATH),
    AT(CG_LEAF, cg_leaf, path, WH_MAX_PATH),           AT(CG_OWNER, cg_owner, path, WH_MAX_PATH),
    AT(CG_WRITE, cg_write, value, WH_MAX_WRITE),
};

static uint32_t max_of(const struct wh_step *s, const struct wh_field *f)
{
    if (f->kind == WH_FK_HPATH || f->kind == WH_FK_CPATH)
        return WH_MAX_PATH;
    if (f->kind == WH_FK_STR || f->kind == WH_FK_STRN)
        for (size_t i = 0; i < WH_ELEMENTSOF(others); i++)
            if (others[i].op == s->op && others[i].off == f->off)
                return others[i].max;
    return 0;
}

/* False after an error about one of the strings of the step. */
static bool look_at(struct wh_compile *c, const struct wh_plan *plan, const struct wh_step *s)
{
    const struct wh_opinfo *o = wh_opinfo(s->op);

    for (unsigned i = 0; i < o->nfields; i++) {
        uint32_t max = max_of(s, &o->fields[i]);
        const char *text;
        wh_off off;

        memcpy(&off, (const char *)s + o->fields[i].off, sizeof off);
        text = max ? wh_plan_str(plan, off) : NULL;
        if (!text || strlen(text) <= max)
            continue;
        wh_compile_err(c, -EINVAL, s->src, "\"%.40s...\" is %zu bytes long, and the kernel takes at most %u", text,
                       strlen(text), max);
        return false;
    }
    return true;
}

void wh_compile_limits(struct wh_compile *c, const struct wh_plan *plan)
{
    const struct wh_step *s = wh_plan_first(plan);
    wh_node reported = 0;

    for (uint32_t i = 0; i < plan->nsteps + plan->nhost; i++) {
        if (i == plan->nsteps)
            s = wh_plan_first_host(plan);
        if ((!reported || s->src != reported) && !look_at(c, plan, s))
            reported = s->src;
        s = wh_step_next(s);
    }
}

/* ---------------------------------------------------------------- arguments */

bool wh_compile_arg(struct wh_compile *c, const struct wh_sstr *s, const char *what, const char *program)
{
    /* MAX_ARG_STRLEN of execve(2), which counts the byte that ends it. */
    size_t max = 32 * (c->facts->page_size ? c->facts->page_size : 4096) - 1, len = strlen(s->v);

    if (len <= max)
        return true;
    /* The words of execve(2), for those who look for them. Of the string the beginning alone: what comes later in an environment variable may be
     * a secret. */
    wh_compile_err(
        c, -EINVAL, s->src,
        "exec: \"%.40s\": argument list too long: %s \"%.*s...\" is %zu bytes long, and the kernel takes at most %zu",
        program, what, (int)(strcspn(s->v, "=") < 40 ? strcspn(s->v, "=") : 40), s->v, len, max);
    return false;
}
