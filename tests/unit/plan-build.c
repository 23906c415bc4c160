/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>

#include "tap.h"

/* The smallest plan that verify takes, with `extra` steps before CLONE_B. */
static int finish(struct wh_build *b, unsigned extra, const struct wh_plan **ret, struct wh_err *err)
{
    const char *args[] = { "sh", "-c" };
    struct wh_step_umask *u;
    struct wh_step_exec_check *k;
    struct wh_step_exec *x;

    for (unsigned i = 0; i < extra; i++)
        wh_add(b, SIGNALS, signals, 0, 0);
    wh_add(b, CLONE_B, clone_b, 0, 0);
    u = wh_add(b, UMASK, umask, 7, 3);
    k = wh_add(b, EXEC_CHECK, exec_check, 0, 0);
    x = wh_add(b, EXEC, exec, 9, 12);
    if (u && k && x) {
        u->mask = 022;
        k->arg0 = wh_build_str(b, "sh");
        k->candidates = wh_build_strv(b, args, 1);
        x->args = wh_build_strv(b, args, 2);
        x->env = wh_build_strv(b, NULL, 0);
    }
    return wh_build_finish(b, ret, err);
}

static void roundtrip(void)
{
    WH_CLEANUP_ARENA struct wh_arena *a = wh_arena_new();
    struct wh_build *b = wh_build_new(a);
    const struct wh_plan *p = NULL;
    const struct wh_step *s;
    struct wh_err err = { 0 };
    uint32_t step = 0;
    struct wh_step_cg_write *w = wh_add(b, CG_WRITE, cg_write, 0, 0);

    w->controller = wh_build_str(b, "unified");
    w->file = wh_build_str(b, "pids.max");
    w->value = wh_build_str(b, "5");
    wh_build_host_slot(b, WH_SLOT_PROC);
    wh_build_preserve(b, 3);
    is_int(finish(b, 2, &p, &err), 0, "a small plan is finished");
    is_int(wh_plan_verify(p, p->size, &step), 0, "and verify takes it (step %u)", step);
    is_int(p->nsteps, 6, "init's steps are counted");
    is_int(p->nhost, 1, "host steps went to their own list");
    is_u64(p->host_slots, 1u << WH_SLOT_PROC, "the host's slots are in the header");
    is_int(p->preserve, 3, "preserved fds are in the header");
    s = wh_plan_step(p, 3);
    is_int(s->op, WH_OP_UMASK, "step 3, counted from 0, is UMASK");
    is_int(s->src, 7, "with its node");
    is_int(s->src_line, 3, "and its line");
    ok(!wh_plan_step(p, 6), "there is no step after the last one");
    s = wh_plan_step(p, 5);
    is_int(s->op, WH_OP_EXEC, "the last step is EXEC");
    const struct wh_vec *v = &((const struct wh_step_exec *)s)->args;
    const wh_off *off = wh_plan_at(p, v->off);
    is_int(v->n, 2, "two arguments");
    is_str(wh_plan_str(p, off[0]), "sh", "the first");
    is_str(wh_plan_str(p, off[1]), "-c", "the second");
    is_int(v->off % 8, 0, "their storage can be widened to pointers");
    ok(((const struct wh_step_exec *)s)->env.off != 0, "an empty environment has storage for HOME too");
    is_str(wh_plan_str(p, ((const struct wh_step_cg_write *)wh_plan_first_host(p))->value), "5",
           "strings of host steps");
}

static void interning(void)
{
    WH_CLEANUP_ARENA struct wh_arena *a = wh_arena_new();
    struct wh_build *b = wh_build_new(a);
    const struct wh_plan *p = NULL;
    struct wh_err err = { 0 };
    bool same = true, distinct = true;
    static wh_off first[5000];
    char text[32];

    for (unsigned i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "string %u", i);
        first[i] = wh_build_str(b, text);
        distinct = distinct && first[i] && (i == 0 || first[i] != first[i - 1]);
    }
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "string %u", i);
        same = same && wh_build_str(b, text) == first[i];
    }
    ok(distinct, "different strings are different");
    ok(same, "a string is stored once, also after the table grew");
    is_int(wh_build_str(b, NULL), 0, "null is the null offset");
    ok(wh_build_str(b, "") != 0, "the empty string is not");
    is_int(finish(b, 0, &p, &err), 0, "and the plan is finished");
}

static void shared_vector(void)
{
    WH_CLEANUP_ARENA struct wh_arena *a = wh_arena_new();
    struct wh_build *b = wh_build_new(a);
    const struct wh_plan *p = NULL;
    struct wh_err err = { 0 };
    const char *v[] = { "mode", "755", "flag", NULL };
    struct wh_vec vec;
    const struct wh_step_mount_fs *one, *two;

    wh_add(b, CLONE_B, clone_b, 0, 0);
    vec = wh_build_params(b, v, 4);
    for (unsigned i = 0; i < 2; i++) {
        struct wh_step_mount_fs *m = wh_add(b, MOUNT_FS, mount_fs, 0, 0);

        m->fstype = wh_build_str(b, "tmpfs");
        m->params = vec;
        m->mount = WH_SLOT_SCRATCH;
    }
    is_int(wh_build_finish(b, &p, &err), 0, "two steps share a vector");
    one = (const struct wh_step_mount_fs *)wh_plan_step(p, 1);
    two = (const struct wh_step_mount_fs *)wh_plan_step(p, 2);
    is_int(one->params.off, two->params.off, "it is one vector");
    const wh_off *off = wh_plan_at(p, one->params.off);
    is_str(wh_plan_str(p, off[1]), "755", "whose strings are right");
    is_int(off[3], 0, "and whose null stays null");
}

static void limits(void)
{
    WH_CLEANUP_ARENA struct wh_arena *a = wh_arena_new();
    const struct wh_plan *p = NULL;
    struct wh_build *b = wh_build_new(a);
    struct wh_err err = { 0 };
    static char big[WH_PLAN_MAX_BYTES];
    static uint32_t numbers[1000];
    uint32_t step = 0;

    is_int(finish(b, WH_PLAN_MAX_STEPS - 4, &p, &err), 0, "as many steps as a plan may have");
    is_int(wh_plan_verify(p, p->size, &step), 0, "verify agrees");

    b = wh_build_new(a);
    is_int(finish(b, WH_PLAN_MAX_STEPS - 3, &p, &err), -E2BIG, "one more is too many");
    has_str(err.msg, "65535 steps", "and the message says the limit");

    err = (struct wh_err){ 0 };
    b = wh_build_new(a);
    memset(big, 'x', sizeof big - 1);
    is_int(wh_build_str(b, big), 0, "a string as large as the blob has no room");
    is_int(finish(b, 0, &p, &err), -E2BIG, "which is remembered until the end");
    has_str(err.msg, "too large", "and told");

    err = (struct wh_err){ 0 };
    b = wh_build_new(a);
    big[sizeof big / 2] = 0;
    wh_build_str(b, big);
    for (unsigned i = 0; i < 2200; i++) {
        numbers[0] = i;
        wh_build_u32v(b, numbers, 1000);
    }
    is_int(finish(b, 0, &p, &err), -E2BIG, "many small pieces over the limit");

    b = wh_build_new(a);
    for (unsigned i = WH_SLOT_FREE; i < WH_SLOTS; i++)
        wh_build_alloc_slot(b);
    is_int(wh_build_alloc_slot(b), WH_SLOTS, "no slot is left");
}

int main(void)
{
    roundtrip();
    interning();
    shared_vector();
    limits();
    return done_testing();
}
