/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "init/ini.h"

int ini_fail(struct ini *i, uint32_t site, long r)
{
    i->site = site;
    return (int)r;
}

void ini_detail(struct ini *i, const char *text)
{
    size_t n = strlen(text);

    if (n >= sizeof(i->detail))
        n = sizeof(i->detail) - 1;
    memcpy(i->detail, text, n);
    i->detail[n] = 0;
}

void ini_state(struct ini *i, uint32_t state)
{
    __atomic_store_n((uint32_t *)&i->mbox->state, state, __ATOMIC_RELEASE);
}

_Noreturn void ini_die(struct ini *i, uint32_t step, int err)
{
    i->mbox->fail.step = step;
    i->mbox->fail.site = i->site;
    i->mbox->fail.err = err;
    memcpy(i->mbox->fail.detail, i->detail, sizeof(i->detail));
    ini_state(i, WH_MBOX_FAILED);
    sys_exit_group(1);
    __builtin_trap();
}

void ini_slot_set(struct ini *i, wh_slot slot, int fd)
{
    ini_close(i->slot[slot]);
    i->slot[slot] = fd;
    i->attached &= ~(1ull << slot);
    i->skipped &= ~(1ull << slot);
}

int ini_step(struct ini *i, const struct wh_step *s)
{
    switch (s->op) {
#define WH_OPS_INIT
#define OP(NAME, name, phases, flags, tmpl, doc, fields)                                                               \
    case WH_OP_##NAME:                                                                                                 \
        return op_##name(i, (const struct wh_step_##name *)s);
#include "abi/ops.def"
#undef OP
#undef WH_OPS_INIT
    default:
        /* wh_plan_verify() lets no other through. */
        return fail(i, VERIFY_PLAN, -EINVAL);
    }
}

static bool is_soft(uint32_t classes, int err)
{
    switch (err) {
    case EPERM:
    case EACCES:
        return classes & WH_SOFT_PERM;
    case ENOSYS:
    case ENODEV:
    case EOPNOTSUPP:
        return classes & WH_SOFT_NOSYS;
    case EBUSY:
        return classes & WH_SOFT_BUSY;
    default:
        return false;
    }
}

static void taken(struct ini *i, uint32_t nr)
{
    if (nr < sizeof(i->mbox->alt_taken) * 8)
        i->mbox->alt_taken[nr / 64] |= 1ull << nr % 64;
}

/* Slots that a step would have filled. */
static uint64_t slots_out(const struct wh_step *s)
{
    const struct wh_opinfo *o = wh_opinfo(s->op);
    uint64_t out = 0;
    unsigned int k;

    for (k = 0; k < o->nfields; k++)
        if (o->fields[k].kind == WH_FK_SLOTOUT)
            out |= 1ull << *(const wh_slot *)((const char *)s + o->fields[k].off);
    return out;
}

/* Only where the host wants times: a step costs no system call otherwise. Not behind a filter: it may kill for this. */
static void stamp(struct ini *i)
{
    uint64_t epoch = i->mbox->epoch, now;
    int64_t ts[2] = { 0, 0 };

    if (!epoch || i->nr >= WH_MBOX_TIMES || i->filtered || sys_clock_gettime(CLOCK_REALTIME, ts) < 0)
        return;
    now = (uint64_t)ts[0] * 1000000000u + (uint64_t)ts[1];
    now = now < epoch ? 0 : (now - epoch) / 1000;
    ((uint32_t *)((char *)i->mbox + WH_MBOX_TIMES_OFF))[i->nr] = now < UINT32_MAX ? (uint32_t)now + 1 : UINT32_MAX;
}

_Noreturn void ini_run(struct ini *i)
{
    const struct wh_step *s = wh_plan_first(i->plan);
    bool alt = false; /* the soft step before failed: its alternatives run */

    for (i->nr = 0;; i->nr++, s = wh_step_next(s)) {
        uint64_t out;
        int r;

        if (s->flags & WH_STEP_ALT && !alt)
            continue;
        if (s->flags & WH_STEP_ALT)
            taken(i, i->nr);
        else
            alt = false;

        /* Before the op starts: it names the step even after SIGKILL. */
        __atomic_store_n((uint32_t *)&i->mbox->step, i->nr, __ATOMIC_RELEASE);
        stamp(i);
        i->filtered |= s->op == WH_OP_SECCOMP;
        i->detail[0] = 0;
        r = ini_step(i, s);
        if (r >= 0)
            continue;
        if (!is_soft(s->soft, -r))
            ini_die(i, i->nr, -r);

        alt = true;
        out = slots_out(s);
        if (!(i->nr + 1 < i->plan->nsteps && wh_step_next(s)->flags & WH_STEP_ALT))
            taken(i, i->nr);
        for (wh_slot k = 0; out; k++, out >>= 1)
            if (out & 1) {
                ini_slot_set(i, k, -1);
                i->skipped |= 1ull << k;
            }
    }
}
