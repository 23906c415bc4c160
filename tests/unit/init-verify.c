/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wh_plan_verify(): a sound plan passes, and each rule broken once is found, by its number and at the right step. */
#include "tap.h"

#include "init-plan.h"

static struct wh_plan *p;
static size_t size;

static void fresh(void)
{
    free(p);
    tp_realistic((struct tp_options){ .notify = true });
    p = tp_end(&size);
}

/* NR: where the rule must be found; -1 = not about one step. */
static void found(int rule, long nr, const char *what)
{
    uint32_t step = ~0u;
    int r = wh_plan_verify(p, size, &step);

    ok(r == rule && (nr < 0 || step == (uint32_t)nr), "%s", what);
    if (r != rule || (nr >= 0 && step != (uint32_t)nr))
        diag("rule %d at step %u; want %d at %ld", r, step, rule, nr);
}

#define STEP(NAME, name, n) struct wh_step_##name *s = (void *)tp_find(p, WH_OP_##NAME, (n), &nr)
/* One broken thing: CODE sees the step as s. */
#define BREAK(RULE, NAME, name, n, what, ...)                                                                          \
    do {                                                                                                               \
        uint32_t nr;                                                                                                   \
        fresh();                                                                                                       \
        STEP(NAME, name, n);                                                                                           \
        (void)s;                                                                                                       \
        __VA_ARGS__;                                                                                                   \
        found(WH_RULE_##RULE, nr, what);                                                                               \
    } while (0)
#define BREAK_ALL(RULE, what, ...)                                                                                     \
    do {                                                                                                               \
        fresh();                                                                                                       \
        __VA_ARGS__;                                                                                                   \
        found(WH_RULE_##RULE, -1, what);                                                                               \
    } while (0)

static void test_header(void)
{
    struct wh_plan *moved;

    BREAK_ALL(HEADER, "magic", p->magic[0]++);
    BREAK_ALL(HEADER, "abi", p->abi++);
    BREAK_ALL(HEADER, "size field larger than the blob", p->size++);
    BREAK_ALL(HEADER, "blob larger than the size field", p->size--);
    BREAK_ALL(HEADER, "no step", p->nsteps = 0);
    BREAK_ALL(HEADER, "too many steps", p->nsteps = WH_PLAN_MAX_STEPS + 1);
    BREAK_ALL(HEADER, "too many host steps", p->nhost = WH_PLAN_MAX_STEPS + 1);
    BREAK_ALL(HEADER, "steps in the header", p->steps = sizeof(*p) - 8);
    BREAK_ALL(HEADER, "too many slots", p->nslots = WH_SLOTS + 1);
    BREAK_ALL(HEADER, "a host slot beyond the slots", p->host_slots |= 1ull << 63);
    BREAK_ALL(HEADER, "smaller than a header", size = sizeof(*p) - 1);
    BREAK_ALL(HEADER, "larger than allowed", p->size = (uint32_t)(size = WH_PLAN_MAX_BYTES + 8));

    fresh();
    moved = malloc(size + 4);
    memcpy((char *)moved + 4, p, size);
    is_int(wh_plan_verify((char *)moved + 4, size, NULL), WH_RULE_HEADER, "misaligned blob");
    free(moved);
}

static void test_records(void)
{
    BREAK(RECORD, UNSHARE, unshare, 0, "record too long", s->s.len += 8);
    BREAK(RECORD, UNSHARE, unshare, 0, "record too short", s->s.len -= 8);
    BREAK(RECORD, UNSHARE, unshare, 0, "record of length 0", s->s.len = 0);
    BREAK_ALL(RECORD, "misaligned records", p->steps += 4);
    BREAK_ALL(RECORD, "records beyond the end", p->steps = (uint32_t)size & ~7u);
    BREAK_ALL(RECORD, "records far beyond the end", p->steps = 0xfffffff8u);
    BREAK_ALL(RECORD, "host lists before the end of the steps", p->hosts -= 8);
    BREAK_ALL(RECORD, "misaligned host lists", p->hosts += 4);
    BREAK_ALL(RECORD, "host lists far beyond the end", p->hosts = 0xfffffff8u);
    BREAK(OP, UNSHARE, unshare, 0, "op 0", s->s.op = WH_OP_NONE);
    BREAK(OP, UNSHARE, unshare, 0, "unknown op", s->s.op = WH_OP_MAX);
    BREAK(FLAGS, UNSHARE, unshare, 0, "unknown flag", s->s.flags = 2);
    BREAK(FLAGS, KEYRING, keyring, 0, "unknown errno class", s->s.soft = 8);
    BREAK(SOFT, UNSHARE, unshare, 0, "soft set on a step that confines", s->s.soft = WH_SOFT_PERM);
    BREAK(SOFT, MASK, mask, 0, "soft set on a mask", s->s.soft = WH_SOFT_NOSYS);
    BREAK(SOFT, SESSION, session, 0, "soft set on an op that may not be soft", s->s.soft = WH_SOFT_PERM);
    BREAK(ALT, MOUNT_ATTR, mount_attr, 0, "alternative without a soft step", s->s.flags = WH_STEP_ALT);
    BREAK(ALT, LOOPBACK, loopback, 0, "alternative of an op that must run", s->s.flags = WH_STEP_ALT);
    {
        uint32_t nr;

        fresh();
        STEP(MKNOD, mknod, 0);
        s->s.soft = 0;
        found(WH_RULE_ALT, nr + 1, "alternative after a step that is not soft any more");
        fresh();
        s = (void *)tp_find(p, WH_OP_MOUNT_FS, 1, &nr);
        /* A soft alternative: make the ALT step a MOUNT_FS by exchanging the two. */
        s->s.flags = WH_STEP_ALT;
        found(WH_RULE_SOFT, nr, "soft alternative");
    }
}

static void test_phases(void)
{
    BREAK(PHASE, CLONE_B, clone_b, 0, "a step of B in A", tp_swap(&s->s));
    BREAK(PHASE, CG_WRITE, cg_write, 0, "a step of init in the host lists",
          s->s = (struct wh_step){ WH_OP_SYMLINK, s->s.len, 0, 0, 0, 0 });
    {
        uint32_t nr;

        fresh();
        STEP(DUMPABLE, dumpable, 0);
        s->s.op = WH_OP_UNSHARE; /* of the same length */
        s->value = CLONE_NEWUTS;
        tp_swap(&s->s);
        found(WH_RULE_PHASE, nr + 1, "a step of A in B");
        fresh();
        s = (void *)tp_find(p, WH_OP_WAIT_START, 0, &nr);
        tp_swap(&s->s);
        found(WH_RULE_ORDER, nr, "READY is followed by WAIT_START alone");
        fresh();
        s = (void *)tp_find(p, WH_OP_EXEC_CHECK, 0, &nr);
        tp_swap(&s->s);
        found(WH_RULE_PHASE, nr + 1, "a step of B in C");
    }
    BREAK_ALL(PHASE, "a host step in A", p->nsteps++, p->nhost--, p->hosts += tp_find(p, WH_OP_CG_WRITE, 0, NULL)->len,
              tp_remove(p, tp_find(p, WH_OP_CLONE_B, 0, NULL)));
}

static void test_order(void)
{
    struct wh_step *step;
    uint32_t at;

    BREAK_ALL(PHASE, "no CLONE_B", tp_remove(p, tp_find(p, WH_OP_CLONE_B, 0, NULL)));
    BREAK_ALL(ORDER, "no EXEC", p->nsteps--, p->nhost++, p->hosts -= tp_find(p, WH_OP_EXEC, 0, NULL)->len);
    BREAK_ALL(ORDER, "no EXEC_CHECK", tp_remove(p, tp_find(p, WH_OP_EXEC_CHECK, 0, NULL)));
    BREAK_ALL(ORDER, "READY without WAIT_START", tp_remove(p, tp_find(p, WH_OP_WAIT_START, 0, NULL)));
    BREAK_ALL(ORDER, "WAIT_START without READY", tp_remove(p, tp_find(p, WH_OP_READY, 0, NULL)));
    BREAK(ORDER, EXEC, exec, 0, "EXEC without arguments", s->args.n = 0);
    fresh();
    step = tp_find(p, WH_OP_SECCOMP, 0, &at);
    tp_swap(step);
    found(WH_RULE_ORDER, at, "EXEC is last");
    fresh();
    step = tp_find(p, WH_OP_DUMPABLE, 1, &at);
    tp_swap(step);
    found(WH_RULE_ORDER, at + 1, "SECCOMP is right before EXEC");

    free(p);
    tp_realistic((struct tp_options){ .exec = true, .early = true });
    p = tp_end(&size);
    ((struct wh_step_seccomp *)tp_find(p, WH_OP_SECCOMP, 0, &at))->notify = 1;
    found(WH_RULE_ORDER, at, "a listener in A");
    free(p);
    tp_realistic((struct tp_options){ .exec = true, .early = true });
    p = tp_end(&size);
    step = tp_find(p, WH_OP_EXEC_CHECK, 0, &at);
    tp_swap(step);
    found(WH_RULE_ORDER, at + 1, "after a filter in A there is CAPS, or B is made");
}

static void test_values(void)
{
    BREAK(VALUE, ROOT_SHARE, root_share, 0, "recursive: 2", s->recursive = 2);
    BREAK(VALUE, SECCOMP, seccomp, 0, "notify: 2", s->notify = 2);
    BREAK(VALUE, RLIMIT, rlimit, 0, "resource: 16", s->resource = 16);
    BREAK(VALUE, UNSHARE, unshare, 0, "no namespace", s->nsflags = 0);
    BREAK(VALUE, UNSHARE, unshare, 0, "namespace flag: CLONE_VM", s->nsflags |= 0x100);
    BREAK(VALUE, ROOT_PROPAGATION, root_propagation, 0, "two propagations",
          s->propagation = WH_MS_SLAVE | WH_MS_SHARED);
    BREAK(VALUE, MOUNT_FS, mount_fs, 0, "idmap as an attribute", s->attr |= WH_MOUNT_ATTR_IDMAP);
    BREAK(VALUE, MOUNT_ATTR, mount_attr, 0, "attribute above 32 bits", s->clr = 1ull << 32);
    BREAK(VALUE, MKNOD, mknod, 0, "mode of 17 bits", s->mode = 0200000);
    BREAK(VALUE, SECCOMP, seccomp, 0, "NEW_LISTENER as a flag", s->flags = WH_SECCOMP_FILTER_FLAG_NEW_LISTENER);
    BREAK(VALUE, ASK_HOOK, ask_hook, 0, "hook kind", s->kind = WH_HOOK_MAX);
    BREAK(VALUE, ATTACH, attach, 0, "attach flags", s->flags = 32);
}

static void test_strings(void)
{
    BREAK(STRING, HOSTNAME, hostname, 0, "null string", s->name = 0);
    BREAK(STRING, HOSTNAME, hostname, 0, "string in the header", s->name = 8);
    BREAK(STRING, HOSTNAME, hostname, 0, "string in the step records", s->name = p->steps);
    BREAK(STRING, HOSTNAME, hostname, 0, "string in the host lists", s->name = p->hosts);
    BREAK(STRING, HOSTNAME, hostname, 0, "string at the end", s->name = (wh_off)size);
    BREAK(STRING, HOSTNAME, hostname, 0, "string beyond the end", s->name = 0xffffffffu);
    BREAK(STRING, HOSTNAME, hostname, 0, "unterminated string", s->name = (wh_off)size - 1,
          ((char *)p)[size - 1] = 'x');
    BREAK(STRING, ASK_MOUNT, ask_mount, 0, "unterminated optional string", s->uid_map = (wh_off)size - 1,
          ((char *)p)[size - 1] = 'x');
    BREAK(STRING, JOIN, join, 0, "relative host path", s->path++);
    BREAK(STRING, ATTACH, attach, 0, "relative container path", s->dst++);
    BREAK(STRING, EXEC_CHECK, exec_check, 0, "null string in a vector",
          ((wh_off *)wh_plan_at(p, s->candidates.off))[1] = 0);
    BREAK(STRING, EXEC, exec, 0, "environment beyond the end", ((wh_off *)wh_plan_at(p, s->env.off))[0] = (wh_off)size);
    {
        struct wh_step_mount_fs *fs;
        uint32_t nr;

        fresh();
        fs = (void *)tp_find(p, WH_OP_MOUNT_FS, 2, &nr);
        ((wh_off *)wh_plan_at(p, fs->params.off))[3] = 0;
        found(0, 0, "a parameter without a value is fine");
        ((wh_off *)wh_plan_at(p, fs->params.off))[2] = 0;
        found(WH_RULE_STRING, nr, "a parameter without a key is not");
    }
    {
        static char path[5000] = "/";
        uint32_t step = 0;

        memset(path + 1, 'a', sizeof(path) - 2);
        for (size_t len = 4095; len <= 4096; len++) {
            path[len] = 0;
            free(p);
            tp_begin();
            ADD(UNSHARE, unshare, .nsflags = CLONE_NEWNS);
            ADD(CLONE_B, clone_b, );
            ADD(CWD, cwd, .path = STR(path));
            ADD(EXEC_CHECK, exec_check, .arg0 = STR("x"), .candidates = NO_STRV);
            ADD(EXEC, exec, .args = STRV("x"), .env = NO_STRV);
            p = tp_end(&size);
            tp_find(p, WH_OP_CWD, 0, &step);
            found(len < 4096 ? 0 : WH_RULE_STRING, len < 4096 ? 0 : (long)step, "path of PATH_MAX");
            path[len] = 'a';
        }
    }
}

static void test_vectors(void)
{
    BREAK(VECTOR, EXEC, exec, 0, "arguments misaligned", s->args.off += 4);
    BREAK(VECTOR, EXEC, exec, 0, "no room to widen", s->args.off = ((wh_off)size & ~7u) - 24);
    BREAK(VECTOR, EXEC, exec, 0, "room for no pointer", s->env.off = (wh_off)(size & ~7u), s->env.n = 0);
    BREAK(VECTOR, EXEC, exec, 0, "2^32 - 1 arguments", s->args.n = 0xffffffffu);
    BREAK(VECTOR, EXEC, exec, 0, "2^29 arguments, whose size wraps in 32 bits", s->args.n = 0x20000000u);
    BREAK(VECTOR, EXEC, exec, 0, "arguments in the step records", s->args.off = p->steps & ~7u);
    BREAK(VECTOR, EXEC, exec, 0, "arguments beyond the end", s->args.off = 0xfffffff8u);
    BREAK(VECTOR, MOUNT_FS, mount_fs, 2, "odd number of parameters", s->params.n--);
    BREAK(VECTOR, MOUNT_FS, mount_fs, 2, "2^30 parameters, whose size wraps in 32 bits", s->params.n = 0x40000000u);
    BREAK(VECTOR, SETGROUPS, setgroups, 0, "groups beyond the end", s->gids.n = 0x40000000u);
    BREAK(VECTOR, SETGROUPS, setgroups, 0, "groups misaligned", s->gids.off += 2);
    BREAK(VECTOR, SECCOMP, seccomp, 0, "empty filter", s->filter.len = 0);
    BREAK(VECTOR, SECCOMP, seccomp, 0, "half an instruction", s->filter.len -= 4);
    BREAK(VECTOR, SECCOMP, seccomp, 0, "filter misaligned", s->filter.off += 4);
    BREAK(VECTOR, SECCOMP, seccomp, 0, "filter beyond the end", s->filter.len = 0xfffffff8u);
}

static void test_slots(void)
{
    BREAK(SLOT, ATTACH, attach, 0, "slot out of range", s->mount = WH_SLOTS);
    BREAK(SLOT, ATTACH, attach, 0, "slot far out of range", s->mount = 0xffffffffu);
    BREAK(SLOT, ATTACH, attach, 0, "slot that nothing filled", s->mount = WH_SLOT_MASKFS);
    BREAK(SLOT, ATTACH, attach, 0, "slot beyond nslots", s->mount = p->nslots);
    BREAK(SLOT, OOM_ADJ, oom_adj, 0, "host slot that the host does not fill", p->host_slots &= ~1ull);
    BREAK(SLOT, MOUNT_FS, mount_fs, 0, "a mount in the PROC slot", s->mount = WH_SLOT_PROC);
    BREAK(SLOT, MOUNT_FS, mount_fs, 0, "a mount in a slot of the host", p->host_slots |= 1ull << s->mount);
    BREAK(SLOT, MOUNT_FS, mount_fs, 0, "a mount beyond the slots", s->mount = p->nslots);
    BREAK(SLOT, WAIT_START, wait_start, 0, "READY closes all slots but one", s->listen = WH_SLOT_PROC);
}

static void test_variants(void)
{
    uint32_t cut, accepted = 0, seed = 12345;

    fresh();
    found(0, 0, "a realistic plan is sound");
    free(p);
    tp_realistic((struct tp_options){ .exec = true });
    p = tp_end(&size);
    found(0, 0, "so is one without READY");
    free(p);
    tp_realistic((struct tp_options){ .exec = true, .early = true });
    p = tp_end(&size);
    found(0, 0, "and one that has its filter in A");

    /* Each prefix, in memory of exactly that size. */
    fresh();
    for (cut = 0; cut < size; cut++) {
        struct wh_plan *q = malloc(cut + 1);

        memcpy(q, p, cut);
        if (cut >= sizeof(*q))
            q->size = cut;
        accepted += wh_plan_verify(q, cut, NULL) == 0;
        free(q);
    }
    ok(accepted <= 8, "no prefix is accepted (but for unused bytes at the end: %u)", accepted);

    /* Noise: for the sanitizers to judge. */
    for (unsigned int k = 0; k < 20000; k++) {
        fresh();
        for (unsigned int n = 0; n < 1 + k % 4; n++) {
            seed = seed * 1664525 + 1013904223;
            ((uint8_t *)p)[(seed >> 8) % size] = (uint8_t)(seed >> 3);
        }
        wh_plan_verify(p, size, NULL);
    }
    pass("20000 damaged plans are read without a fault");
}

static void test_table(void)
{
    unsigned int op, k;

    for (op = 1; op < WH_OP_MAX; op++) {
        const struct wh_opinfo *o = wh_opinfo(op);
        bool sound = o && o->size % 8 == 0 && o->phases && !(o->flags & WH_OPF_SOFT && o->flags & WH_OPF_SECURITY) &&
                     !((o->phases & WH_PH_H) && o->phases != WH_PH_H);
        uint16_t last = sizeof(struct wh_step);

        for (k = 0; sound && k < o->nfields; k++) {
            sound = o->fields[k].off >= last && o->fields[k].off % 4 == 0;
            last = (uint16_t)(o->fields[k].off + 4);
        }
        if (!sound || last > o->size)
            fail_test("op %u: sizes, phases and flags are sound", op);
    }
    pass("the table of ops is sound");
    ok(!wh_opinfo(0) && !wh_opinfo(WH_OP_MAX), "there is no other op");
}

int main(void)
{
    test_table();
    test_variants();
    test_header();
    test_records();
    test_phases();
    test_order();
    test_values();
    test_strings();
    test_vectors();
    test_slots();
    free(p);
    return done_testing();
}
