/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/prctl.h>

#include "init/ini.h"

/* Privileges and confinement. Nothing here may fail softly but KEYRING. */

int op_keyring(struct ini *i, const struct wh_step_keyring *s)
{
    /*
     * Without a name. By its name any process of the same uid could join it, from another container or from the host, for as long as it
     * lets its user search or link it; and one made by name does so until its permissions are changed, that is, for a process that waits for it.
     */
    long id = sys_keyctl(WH_KEYCTL_JOIN_SESSION_KEYRING, 0, 0), r;

    (void)s;
    if (id < 0)
        return fail(i, KEYCTL, id);
    /* A security module may not allow it. What it was made with lets its user view and read it, by its number, and nothing more. */
    r = sys_keyctl(WH_KEYCTL_SETPERM, (unsigned long)id, WH_KEY_PERM_SESSION);
    return r < 0 && r != -EACCES ? fail(i, KEYCTL, r) : 0;
}

int op_personality(struct ini *i, const struct wh_step_personality *s)
{
    long r = sys_personality(s->persona);

    return r < 0 ? fail(i, PERSONALITY, r) : 0;
}

int op_lsm_exec(struct ini *i, const struct wh_step_lsm_exec *s)
{
    const char *label = ini_str(i, s->label), *path = s->attr == WH_LSM_APPARMOR    ? WH_LSM_APPARMOR_PATH
                                                      : s->attr == WH_LSM_KEYCREATE ? WH_LSM_KEYCREATE_PATH
                                                                                    : WH_LSM_SELINUX_PATH;

    return ini_proc_write(i, i->slot[s->proc], path, 0, label, strlen(label));
}

/* A change of ids makes the process as dumpable as fs.suid_dumpable says, which may be fully. */
static int undump(struct ini *i)
{
    long r = sys_prctl(PR_SET_DUMPABLE, 0, 0, 0);

    return r < 0 ? fail(i, PRCTL, r) : 0;
}

static int set_ids(struct ini *i, uint32_t uid, uint32_t gid)
{
    uint32_t id[3];
    long r;

    r = sys_setresgid(gid, gid, gid);
    if (r < 0)
        return fail(i, SETRESGID, r);
    r = sys_setresuid(uid, uid, uid);
    if (r < 0)
        return fail(i, SETRESUID, r);
    r = sys_getresgid(id);
    if (r < 0 || id[0] != gid || id[1] != gid || id[2] != gid)
        return fail(i, VERIFY_IDS, r < 0 ? r : -EPERM);
    r = sys_getresuid(id);
    if (r < 0 || id[0] != uid || id[1] != uid || id[2] != uid)
        return fail(i, VERIFY_IDS, r < 0 ? r : -EPERM);
    return undump(i);
}

int op_set_ids(struct ini *i, const struct wh_step_set_ids *s)
{
    return set_ids(i, s->uid, s->gid);
}

int op_setgroups(struct ini *i, const struct wh_step_setgroups *s)
{
    long r = sys_setgroups(s->gids.n, wh_plan_at(i->plan, s->gids.off));

    return r < 0 ? fail(i, SETGROUPS, r) : 0;
}

int op_bounding(struct ini *i, const struct wh_step_bounding *s)
{
    uint32_t cap;

    for (cap = 0; cap <= s->last_cap && cap < 64; cap++) {
        long r;

        if (s->caps >> cap & 1)
            continue;
        r = sys_prctl(PR_CAPBSET_DROP, cap, 0, 0);
        /* Without CAP_SETPCAP it is still fine if there is nothing to drop. */
        if (r == -EPERM && sys_prctl(PR_CAPBSET_READ, cap, 0, 0) == 0)
            continue;
        if (r < 0)
            return fail(i, CAP_BSET, r);
    }
    return 0;
}

int op_ids(struct ini *i, const struct wh_step_ids *s)
{
    /* Ends by itself at execve. */
    long r = sys_prctl(PR_SET_KEEPCAPS, 1, 0, 0);

    return r < 0 ? fail(i, PRCTL, r) : set_ids(i, s->uid, s->gid);
}

int op_caps(struct ini *i, const struct wh_step_caps *s)
{
    const struct wh_cap_header h = { .version = WH_CAP_VERSION };
    struct wh_cap_data d[2];
    unsigned int k;
    long r;

    for (k = 0; k < 2; k++) {
        d[k].effective = (unsigned int)(s->effective >> (32 * k));
        d[k].permitted = (unsigned int)(s->permitted >> (32 * k));
        d[k].inheritable = (unsigned int)(s->inheritable >> (32 * k));
    }
    r = sys_capset(&h, d);
    return r < 0 ? fail(i, CAPSET, r) : undump(i);
}

int op_ambient(struct ini *i, const struct wh_step_ambient *s)
{
    uint32_t cap;
    long r;

    r = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);
    if (r < 0)
        return fail(i, CAP_AMBIENT, r);
    for (cap = 0; cap < 64; cap++) {
        if (!(s->caps >> cap & 1))
            continue;
        r = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0);
        if (r < 0)
            return fail(i, CAP_AMBIENT, r);
    }
    return 0;
}

int op_nnp(struct ini *i, const struct wh_step_nnp *s)
{
    long r = sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0);

    (void)s;
    return r < 0 ? fail(i, PRCTL, r) : 0;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/* Some ten seconds of a pause instruction; a host that is alive answers in microseconds. */
#ifndef INI_ACK_SPINS
#define INI_ACK_SPINS (1u << 28)
#endif

int op_seccomp(struct ini *i, const struct wh_step_seccomp *s)
{
    struct wh_sock_fprog prog = { .len = (unsigned short)(s->filter.len / sizeof(struct wh_sock_filter)),
                                  .filter = wh_plan_at(i->plan, s->filter.off) };
    unsigned int spins;
    int32_t ack = 0;
    long r;

    if (s->filter.len / sizeof(struct wh_sock_filter) > WH_BPF_MAXINSNS)
        return fail(i, LIMIT, -E2BIG);
    r = sys_seccomp(WH_SECCOMP_SET_MODE_FILTER, s->flags | (s->notify ? WH_SECCOMP_FILTER_FLAG_NEW_LISTENER : 0),
                    &prog);
    if (r < 0)
        return fail(i, SECCOMP, r);
    if (!s->notify)
        return 0;
    /*
     * From here on any system call may be denied, or may wait for the very listener that the host does not have yet. The
     * number goes into the mailbox, the host takes the fd out of this process and answers there.
     */
    __atomic_store_n((int32_t *)&i->mbox->notify_fd, (int32_t)r, __ATOMIC_RELEASE);
    for (spins = 0; spins < INI_ACK_SPINS && !ack; spins++) {
        relax();
        ack = __atomic_load_n((int32_t *)&i->mbox->ack, __ATOMIC_ACQUIRE);
    }
    return ack == 1 ? 0 : fail(i, SECCOMP, ack ? -ECONNREFUSED : -ETIMEDOUT);
}
