/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include "spec/fields.h"

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

/* ---- capabilities ---- */

uint64_t wh_compile_grantable(const struct wh_compile *c)
{
    uint64_t known = c->facts->last_cap >= 63 ? UINT64_MAX : CAP_BIT(c->facts->last_cap + 1) - 1;

    /* The first process of a user namespace has them all there, whatever we have outside. */
    if (c->new_ns[WH_NS_USER] || c->join_ns[WH_NS_USER])
        return known;
    return known & c->facts->own_caps;
}

/* Name of the lowest capability in `set`. */
static const char *lowest(uint64_t set)
{
    const char *name = wh_cap_name((unsigned)__builtin_ctzll(set));

    return name ? name : "an unknown capability";
}

static unsigned count_bits(uint64_t set)
{
    unsigned n = 0;

    for (; set; set &= set - 1)
        n++;
    return n;
}

/* "CAP_A, CAP_B and 3 more", in arena. */
static const char *cap_names(struct wh_compile *c, uint64_t set)
{
    const char *text = lowest(set);
    unsigned shown = 1;

    for (set &= set - 1; set && text; set &= set - 1) {
        if (shown++ == 4)
            return wh_arena_printf(c->arena, "%s and %u more", text, count_bits(set));
        text = wh_arena_printf(c->arena, "%s, %s", text, lowest(set));
    }
    return text ? text : "some";
}

/*
 * config.md: a capability that cannot be granted MUST be warned of and SHOULD NOT be an error. `exec` warns of what it was given itself, and not again
 * of what `create` has warned of. An ambient capability that cannot be raised is a finding of `check` alone: the default configuration of runc 1.1
 * asks for three of them, and runc itself says nothing.
 */
static void warn_lost(struct wh_compile *c, const struct wh_process *p, uint64_t can)
{
    const struct wh_caps *want = &p->capabilities;
    const struct wh_exec_request *exec = c->req->verb == WH_VERB_EXEC ? c->req->exec : NULL;
    uint64_t known = c->facts->last_cap >= 63 ? UINT64_MAX : CAP_BIT(c->facts->last_cap + 1) - 1;
    uint64_t sets = want->bounding.mask | want->permitted.mask | want->effective.mask | want->inheritable.mask;

    if (exec && (exec->hook || !c->spec->exec))
        sets = exec->caps;
    if (sets & ~known)
        wh_compile_warn(c, -EPERM, want->src, "%s left out: not known to this kernel", cap_names(c, sets & ~known));
    if (sets & known & ~can)
        wh_compile_warn(c, -EPERM, want->src, "%s left out: the caller does not have it to grant",
                        cap_names(c, sets & known & ~can));
}

static void caps_step(struct wh_compile *c, const struct wh_process *p, bool keep_admin)
{
    const struct wh_caps *want = &p->capabilities;
    /* A capability that this kernel or this host cannot grant is left out (the specification wants no
     * error); explain and check say so. */
    uint64_t can = wh_compile_grantable(c), admin = keep_admin ? CAP_BIT(CAP_SYS_ADMIN) : 0;
    struct wh_step_caps *s = WH_STEP(c, CAPS, caps, want->src);

    if (!s)
        return;
    s->permitted = (want->permitted.mask & can) | admin;
    s->effective = (want->effective.mask & can) | admin;
    s->inheritable = want->inheritable.mask & can;
}

static void capabilities(struct wh_compile *c, const struct wh_process *p, bool keep_admin)
{
    const struct wh_caps *want = &p->capabilities;
    uint64_t can = wh_compile_grantable(c);
    struct wh_step_ambient *a;

    /* The kernel refuses both, with an EPERM that says nothing. */
    if (want->effective.mask & ~want->permitted.mask)
        wh_compile_err(c, -EINVAL, want->effective.src, "the effective set has %s, which the permitted set lacks",
                       lowest(want->effective.mask & ~want->permitted.mask));
    if (want->inheritable.mask & ~want->bounding.mask)
        wh_compile_err(c, -EINVAL, want->inheritable.src, "the inheritable set has %s, which the bounding set lacks",
                       lowest(want->inheritable.mask & ~want->bounding.mask));

    warn_lost(c, p, can);
    caps_step(c, p, keep_admin);
    a = WH_STEP(c, AMBIENT, ambient, want->ambient.src ? want->ambient.src : want->src);
    if (!a)
        return;
    /* The kernel raises only what is permitted and inheritable; asked for more, the specification again wants no error
     * (the default configuration of runc 1.1 does ask). */
    a->caps = want->ambient.mask & want->permitted.mask & want->inheritable.mask & can;
}

/* ---- user ---- */

static void user(struct wh_compile *c, const struct wh_process *p)
{
    const struct wh_linux *l = &c->spec->linux_;
    uint32_t uid = p->user.uid.set ? p->user.uid.v : 0, gid = p->user.gid.set ? p->user.gid.v : 0;
    bool mapped = c->new_ns[WH_NS_USER] || c->join_ns[WH_NS_USER];
    const struct wh_u32v none = { 0 }, *groups = &p->user.additional_gids;

    /* Engines list the groups of the image's user as well: what is asked for is that those of the caller stay. */
    if (c->keep_groups)
        groups = &none;
    if (mapped && l->uid_mappings.n && !wh_compile_maps_id(&l->uid_mappings, uid))
        wh_compile_err(c, -EINVAL, p->user.uid.src, "cannot setuid to unmapped uid %u in user namespace", uid);
    if (mapped && l->gid_mappings.n && !wh_compile_maps_id(&l->gid_mappings, gid))
        wh_compile_err(c, -EINVAL, p->user.gid.src, "cannot setgid to unmapped gid %u in user namespace", gid);
    for (size_t i = 0; mapped && l->gid_mappings.n && i < groups->n; i++)
        if (!wh_compile_maps_id(&l->gid_mappings, groups->v[i].v))
            wh_compile_err(c, -EINVAL, groups->v[i].src, "cannot set unmapped additional gid %u in user namespace",
                           groups->v[i].v);
    if (c->no_setgroups && groups->n)
        wh_compile_err(c, -EINVAL, groups->src,
                       "cannot set any additional groups in a rootless container (groups need newgidmap and ranges in "
                       "/etc/subgid)");
}

static void setgroups(struct wh_compile *c, const struct wh_process *p)
{
    const struct wh_u32v *groups = &p->user.additional_gids;
    struct wh_step_setgroups *s;
    uint32_t *v;

    /* A has dropped the caller's groups where a user namespace is joined: compile-ns.c. */
    if (c->keep_groups || c->no_setgroups || (c->join_ns[WH_NS_USER] && groups->n == 0))
        return;
    /* Also when the list is empty: the caller's own groups must not stay. */
    s = WH_STEP(c, SETGROUPS, setgroups, groups->src ? groups->src : p->user.src);
    v = wh_arena_new_array(c->arena, uint32_t, groups->n);
    if (!s || !v) {
        c->failed = true;
        return;
    }
    for (size_t i = 0; i < groups->n; i++)
        v[i] = groups->v[i].v;
    s->gids = wh_build_u32v(c->b, v, groups->n);
}

/* ---- environment and executable ---- */

struct env {
    const char **v;
    size_t n;
    const char *path, *home; /* values; null when absent */
};

static size_t name_len(const char *entry)
{
    return strcspn(entry, "=");
}

static uint32_t name_hash(const char *s, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

/* Slot of the name in a table of indices + 1 into v (a power of two, at most half full). */
static size_t *find(size_t *table, size_t size, const char **v, const char *entry)
{
    size_t len = name_len(entry), i = name_hash(entry, len) & (size - 1);

    while (table[i] && (strncmp(v[table[i] - 1], entry, len) != 0 || v[table[i] - 1][len] != '='))
        i = (i + 1) & (size - 1);
    return &table[i];
}

static const char *value_of(const char *entry, const char *name)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && entry[len] == '=' ? entry + len + 1 : NULL;
}

/* The environment of the payload: of duplicates the last one, in the place of the first. */
static bool environment(struct wh_compile *c, const struct wh_process *p, struct env *ret)
{
    const char *added[3] = { NULL }, *value;
    size_t room, size = 16, nadded = 0, *table;

    /* After the configuration's own, so that they win: the caller's sockets are what they describe. */
    if (c->req->listen_fds) {
        added[nadded++] = wh_arena_printf(c->arena, "LISTEN_FDS=%u", c->req->listen_fds);
        if (c->req->listen_fdnames)
            added[nadded++] = wh_arena_printf(c->arena, "LISTEN_FDNAMES=%s", c->req->listen_fdnames);
    }
    if (c->req->notify_dir)
        added[nadded++] = "NOTIFY_SOCKET=" WH_NOTIFY_DIR "/notify.sock";
    room = p->env.n + nadded;

    while (size < room * 2)
        size *= 2;
    table = wh_arena_new_array(c->arena, size_t, size);
    ret->v = wh_arena_new_array(c->arena, const char *, room);
    if (!table || !ret->v) {
        c->failed = true;
        return false;
    }
    for (size_t i = 0; i < room; i++) {
        const char *entry;
        size_t *at;

        if (i < p->env.n) {
            entry = p->env.v[i].v;
            if (name_len(entry) == 0 || !strchr(entry, '=')) {
                wh_compile_err(c, -EINVAL, p->env.v[i].src, "invalid environment variable: missing '='");
                continue;
            }
            if (!wh_compile_arg(c, &p->env.v[i], "the environment variable", p->args.n ? p->args.v[0].v : ""))
                continue;
        } else {
            entry = added[i - p->env.n];
        }
        if (!entry) {
            c->failed = true;
            return false;
        }
        at = find(table, size, ret->v, entry);
        if (!*at)
            *at = ++ret->n;
        ret->v[*at - 1] = entry;
    }
    for (size_t i = 0; i < ret->n; i++) {
        value = value_of(ret->v[i], "PATH");
        if (value)
            ret->path = value;
        value = value_of(ret->v[i], "HOME");
        if (value && *value)
            ret->home = value;
        /* What init appends would come second and lose: HOME, where an empty one counts as absent, and LISTEN_PID. */
        if ((value && !*value) || (c->req->listen_fds && value_of(ret->v[i], "LISTEN_PID"))) {
            memmove(&ret->v[i], &ret->v[i + 1], (ret->n - i - 1) * sizeof *ret->v);
            ret->n--;
            i--;
        }
    }
    return true;
}

/* Where execvp would look, in its order. Their state is known in the container only: EXEC_CHECK picks. */
static void exec_check(struct wh_compile *c, const struct wh_process *p, const struct env *env)
{
    const struct wh_exec_hook *hook = c->req->exec ? c->req->exec->hook : NULL;
    /* What a hook calls itself need not be what is executed. */
    const char *name = hook ? hook->path : p->args.v[0].v, **v, *dir, *end;
    struct wh_step_exec_check *s;
    bool slash = strchr(name, '/');
    size_t n = 1;

    if (!*name || (!slash && (!env->path || !*env->path))) {
        wh_compile_err(c, -ENOENT, p->args.v[0].src, "exec: \"%s\": executable file not found in $PATH", name);
        return;
    }
    if (strlen(name) > (slash ? WH_MAX_PATH : WH_MAX_NAME)) {
        wh_compile_err(c, -EINVAL, p->args.v[0].src,
                       "exec: \"%.40s...\" is %zu bytes long, and the kernel takes at most %u", name, strlen(name),
                       slash ? WH_MAX_PATH : WH_MAX_NAME);
        return;
    }
    for (dir = slash ? "" : env->path; *dir; dir++)
        n += *dir == ':';
    v = wh_arena_new_array(c->arena, const char *, n);
    s = WH_STEP(c, EXEC_CHECK, exec_check, p->args.v[0].src);
    if (!s || !v) {
        c->failed = true;
        return;
    }
    if (slash) {
        v[0] = name; /* relative to the working directory */
    } else {
        dir = env->path;
        for (size_t i = 0; i < n; i++, dir = end + 1) {
            end = dir + strcspn(dir, ":");
            /* An empty element is the working directory. */
            v[i] = end == dir
                       ? wh_arena_printf(c->arena, "./%s", name)
                       : wh_arena_printf(c->arena, "%.*s%s%s", (int)(end - dir), dir, end[-1] == '/' ? "" : "/", name);
            if (!v[i]) {
                c->failed = true;
                return;
            }
        }
        /* No file can have such a path: it is passed over, as by execvp(3). */
        for (size_t i = n, k = n = 0; k < i; k++)
            if (strlen(v[k]) <= WH_MAX_PATH)
                v[n++] = v[k];
    }
    s->arg0 = wh_build_str(c->b, name);
    s->candidates = wh_build_strv(c->b, v, n);
}

static void exec(struct wh_compile *c, const struct wh_process *p, const struct env *env)
{
    struct wh_step_exec *s = WH_STEP(c, EXEC, exec, p->args.src);
    const char **v = wh_arena_new_array(c->arena, const char *, p->args.n);

    if (!s || !v) {
        c->failed = true;
        return;
    }
    for (size_t i = 0; i < p->args.n; i++) {
        wh_compile_arg(c, &p->args.v[i], "the argument", p->args.v[0].v);
        v[i] = p->args.v[i].v;
    }
    s->args = wh_build_strv(c->b, v, p->args.n);
    s->env = wh_build_strv(c->b, env->v, env->n);
}

/* ---- the parts of the tail ---- */

static void keyring(struct wh_compile *c)
{
    struct wh_step_keyring *s;

    if (c->req->no_new_keyring || !(c->facts->feat & WH_FEAT_KEYRINGS))
        return;
    s = WH_STEP(c, KEYRING, keyring, 0);
    if (!s)
        return;
    s->s.soft = WH_SOFT_NOSYS;
    /* Sandboxes that we are nested in answer EPERM; a rootless caller has no keyring of the host's to leak. */
    if (c->facts->euid != 0 || c->facts->in_userns)
        s->s.soft |= WH_SOFT_PERM;
}

static void rlimits(struct wh_compile *c, const struct wh_process *p, bool nofile)
{
    for (size_t i = 0; i < p->rlimits.n; i++) {
        const struct wh_rlimit *l = &p->rlimits.v[i];
        struct wh_step_rlimit *s;

        if ((l->resource == RLIMIT_NOFILE) != nofile)
            continue;
        s = WH_STEP(c, RLIMIT, rlimit, l->src);
        if (!s)
            return;
        s->soft = l->soft;
        s->hard = l->hard;
        s->resource = (uint32_t)l->resource;
    }
}

/* The limit of processes while the user changes: the kernel looks at it there alone, and again at execve. */
static void nproc(struct wh_compile *c, const struct wh_process *p, bool back)
{
    for (size_t i = 0; i < p->rlimits.n; i++) {
        const struct wh_rlimit *l = &p->rlimits.v[i];
        struct wh_step_rlimit_soft *s;

        if (l->resource != RLIMIT_NPROC)
            continue;
        s = WH_STEP(c, RLIMIT_SOFT, rlimit_soft, l->src);
        if (!s)
            return;
        s->soft = back ? RLIM_INFINITY : l->soft;
        s->resource = RLIMIT_NPROC;
    }
}

static wh_node seccomp_src(const struct wh_spec *spec)
{
    const struct wh_kv *data = wh_annotation(spec, WH_ANN_SECCOMP_DATA);

    return data ? data->src : spec->linux_.seccomp.src;
}

static void seccomp(struct wh_compile *c, bool be_init)
{
    wh_node src = seccomp_src(c->spec);
    struct wh_step_seccomp *s;
    bool notify;

    if (!wh_seccomp_wanted(c->spec))
        return;
    if (!(c->facts->feat & WH_FEAT_SECCOMP)) {
        wh_compile_err(c, -EOPNOTSUPP, src, "this kernel takes no seccomp filters");
        return;
    }
    if (!c->req->seccomp_bpf || !c->req->seccomp_bpf_len) {
        wh_compile_err(c, -EOPNOTSUPP, src, "this build of wherry cannot compile seccomp filters");
        return;
    }
    notify = wh_seccomp_notifies(c->spec, c->req);
    if (notify)
        wh_compile_listener(c);
    /* The host takes the listener out of the process as a debugger would, which without CAP_SYS_PTRACE is allowed on a dumpable
     * one only. Nothing of the host is left in it by now but the connection of start, which execve closes. */
    if (notify && !(c->facts->own_caps & CAP_BIT(CAP_SYS_PTRACE))) {
        struct wh_step_dumpable *d = WH_STEP(c, DUMPABLE, dumpable, src);

        /* The payload is executed before what stays is out of its reach again, and would find there a process without the filter. */
        if (be_init)
            wh_compile_err(c, -EOPNOTSUPP, src,
                           "a seccomp listener together with --init needs CAP_SYS_PTRACE, which this process lacks");
        if (d)
            d->value = 1;
    }
    s = WH_STEP(c, SECCOMP, seccomp, src);
    if (!s)
        return;
    s->filter = wh_build_bytes(c->b, c->req->seccomp_bpf, c->req->seccomp_bpf_len);
    s->flags = wh_seccomp_flags(c->spec, c->req);
    s->notify = notify;
}

/* The container is created; what follows is after `start`. */
static void ready(struct wh_compile *c)
{
    struct wh_step_ready *s = WH_STEP(c, READY, ready, 0);
    struct wh_step_wait_start *wait = WH_STEP(c, WAIT_START, wait_start, 0);

    wh_build_host_slot(c->b, WH_SLOT_LISTEN);
    if (s) {
        s->preserve = c->req->preserve_fds;
        s->listen = WH_SLOT_LISTEN;
    }
    if (wait)
        wait->listen = WH_SLOT_LISTEN;
    wh_compile_hooks(c, WH_HOOK_START_CONTAINER);
}

void wh_compile_hook_process(struct wh_compile *c)
{
    const struct wh_process *p = c->process;
    struct wh_step_umask *um = WH_STEP(c, UMASK, umask, 0);
    struct wh_step_cwd *cwd = WH_STEP(c, CWD, cwd, 0);
    struct wh_step_cwd_check *check;
    struct wh_step_close_fds *close_fds;
    struct env env = { 0 };

    if (!environment(c, p, &env))
        return;
    if (um)
        um->mask = 0022;
    if (cwd)
        cwd->path = wh_build_str(c->b, p->cwd.v);
    /* A bundle that root of the container's user namespace cannot walk to is an error: a hook in another directory is none. */
    check = WH_STEP(c, CWD_CHECK, cwd_check, 0);
    if (check)
        check->path = wh_build_str(c->b, p->cwd.v);
    exec_check(c, p, &env);
    WH_STEP(c, HOST_ALIVE, host_alive, 0);
    close_fds = WH_STEP(c, CLOSE_FDS, close_fds, 0);
    if (close_fds)
        close_fds->first = 3;
    exec(c, p, &env);
}

/*
 * Whether this process is dumpable for a moment, for its listener, and has to be kept from processes of the container meanwhile: of the same
 * user they could trace it, and would have a process without filter and label. One that lacks a capability that this
 * one has cannot (ptrace(2)), and execve takes it away.
 */
static bool shielded(struct wh_compile *c, const struct wh_process *p)
{
    const struct wh_process *own = c->spec->process;
    uint64_t theirs =
        (p->capabilities.bounding.mask | (own ? own->capabilities.bounding.mask : 0)) & wh_compile_grantable(c);
    bool exec_verb = c->req->verb == WH_VERB_EXEC;

    if (c->facts->own_caps & CAP_BIT(CAP_SYS_PTRACE) || !wh_seccomp_wanted(c->spec) ||
        !wh_seccomp_notifies(c->spec, c->req))
        return false;
    if (!(theirs & (CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE))))
        return true;
    /* Alone in a user namespace there is nobody. */
    if (exec_verb || c->spec->hooks.start_container.n || !c->new_ns[WH_NS_USER])
        wh_compile_err(c, -EOPNOTSUPP, seccomp_src(c->spec),
                       "seccomp listeners need CAP_SYS_PTRACE, which this process lacks, where the container may have "
                       "CAP_SYS_ADMIN or CAP_SYS_PTRACE: a process of it could take over another that has no filter "
                       "or label yet");
    return false;
}

/*
 * Whether a process of the container may take over B of exec, which is in its pid namespace: B is not dumpable, so that it takes CAP_SYS_PTRACE
 * in the user namespace that the memory of wherry-init was made in, and that is the host's. A pid namespace from elsewhere has processes that
 * nobody knows.
 */
static bool traceable(const struct wh_compile *c, const struct wh_process *p)
{
    const struct wh_process *own = c->spec->process;
    const struct wh_namespace *ns = c->spec->linux_.ns;
    uint64_t theirs =
        (p->capabilities.bounding.mask | (own ? own->capabilities.bounding.mask : 0)) & wh_compile_grantable(c);

    return c->req->verb == WH_VERB_EXEC && !ns[WH_NS_USER].set && ns[WH_NS_PID].set &&
           (c->join_ns[WH_NS_PID] || theirs & CAP_BIT(CAP_SYS_PTRACE));
}

/* A filter for B to be born under. CAP_SYS_ADMIN, if it took that, goes before B is made. */
static void early_filter(struct wh_compile *c, const struct wh_process *p, bool keep_admin)
{
    if (wh_seccomp_notifies(c->spec, c->req)) {
        wh_compile_err(
            c, -EOPNOTSUPP, seccomp_src(c->spec),
            "exec with a seccomp listener is refused in a container without a user namespace whose processes may have "
            "CAP_SYS_PTRACE: one of them could take over the new process before it has its filter");
        return;
    }
    seccomp(c, false);
    if (keep_admin)
        caps_step(c, p, false);
}

struct tail {
    bool exec; /* the verb */
    bool late; /* B is born after the first part, which is A's: exec, and in a pid namespace that is joined */
    bool nnp, keep_admin;
    struct env env;
};

/* The process as it will be. Where B is born late this is A: what takes a privilege is done before B is made. */
static void become(struct wh_compile *c, const struct wh_process *p, const struct tail *t)
{
    uint32_t uid = p->user.uid.set ? p->user.uid.v : 0, gid = p->user.gid.set ? p->user.gid.v : 0;
    struct wh_step_bounding *bound;
    struct wh_step_cwd_check *check;
    struct wh_step_umask *um;
    struct wh_step_cwd *cwd;
    struct wh_step_ids *ids;

    /* exec has written it before it entered anything, and the thread keeps it until it executes a program. */
    if (!t->exec)
        wh_compile_key_label(c, p);
    keyring(c);
    if (c->spec->linux_.personality.set) {
        struct wh_step_personality *s = WH_STEP(c, PERSONALITY, personality, c->spec->linux_.personality.src);

        if (s)
            s->persona = c->spec->linux_.personality.persona;
    }
    if (!t->late)
        wh_compile_prio(c, p);
    wh_compile_mempolicy(c);
    um = WH_STEP(c, UMASK, umask, p->user.umask.src);
    if (um)
        um->mask = p->user.umask.set ? p->user.umask.v : 0022;
    if (!t->late)
        rlimits(c, p, false);
    /* From here on nothing is executed but the payload; and no_new_privs, later, would forbid most transitions. exec
     * has done it before it entered anything. */
    if (!t->exec)
        wh_compile_lsm(c, p);
    /* The environment of a hook is the one that it has. */
    if (!t->env.home && !(c->req->exec && c->req->exec->hook && c->req->exec->hook->env_set)) {
        struct wh_step_home *s = WH_STEP(c, HOME, home, p->env.src);

        if (s)
            s->uid = uid;
    }
    /* While still root, and again as the user: CWD_CHECK. */
    cwd = WH_STEP(c, CWD, cwd, p->cwd.src);
    if (cwd) {
        cwd->path = wh_build_str(c->b, p->cwd.v);
        /* A typing error of exec's user makes no directory in a container that runs. */
        cwd->make = !t->exec;
    }
    /* The console was made for this user already. */
    if (!p->terminal.set || !p->terminal.v) {
        struct wh_step_stdio *s = WH_STEP(c, STDIO, stdio, p->user.src);

        if (s)
            s->uid = uid;
    }
    setgroups(c, p);
    bound = WH_STEP(c, BOUNDING, bounding, p->capabilities.bounding.src);
    if (bound) {
        bound->caps = p->capabilities.bounding.mask & wh_compile_grantable(c);
        bound->last_cap = c->facts->last_cap;
    }
    if (t->late)
        nproc(c, p, false);
    ids = WH_STEP(c, IDS, ids, p->user.src);
    if (ids) {
        ids->uid = uid;
        ids->gid = gid;
    }
    if (t->late)
        nproc(c, p, true);
    capabilities(c, p, t->keep_admin);
    if (t->nnp)
        WH_STEP(c, NNP, nnp, p->no_new_privileges.src);
    /* Last before the executable is looked for: both as the user will see them. */
    check = WH_STEP(c, CWD_CHECK, cwd_check, p->cwd.src);
    if (check)
        check->path = wh_build_str(c->b, p->cwd.v);
    exec_check(c, p, &t->env);
}

/*
 * B that is born late: what is of one process and not inherited, or what A could not bear. None of it takes a
 * privilege. The limits are here because that of processes would count A as well; the affinity of exec, because a v1
 * cpuset that is entered takes its own.
 */
static void late_b(struct wh_compile *c, const struct wh_process *p, bool exec)
{
    WH_STEP(c, CLONE_B, clone_b, 0);
    if (exec)
        WH_STEP(c, SESSION, session, 0);
    else
        wh_compile_first_of_b(c);
    if (p->terminal.set && p->terminal.v)
        WH_STEP(c, CTTY, ctty, p->terminal.src);
    if (exec)
        wh_compile_affinity(c);
    wh_compile_prio(c, p);
    rlimits(c, p, false);
}

void wh_compile_process(struct wh_compile *c)
{
    const struct wh_process *p = c->process;
    struct tail t = { .exec = c->req->verb == WH_VERB_EXEC, .nnp = p->no_new_privileges.set && p->no_new_privileges.v };
    bool filter = wh_seccomp_wanted(c->spec), early = filter && (c->born_last || traceable(c, p)), be_init;
    struct wh_step_close_fds *close_fds;

    t.late = t.exec || c->born_last;
    /* The kernel lets a process load a filter that has CAP_SYS_ADMIN or can no longer gain privileges. execve takes the
     * capability away where the bounding and inheritable sets lack it. */
    t.keep_admin = filter && !t.nnp;
    if (!p->cwd.v || p->cwd.v[0] != '/') {
        wh_compile_err(c, -EINVAL, p->cwd.v ? p->cwd.src : p->src, "Cwd must be an absolute path");
        return;
    }
    if (shielded(c, p))
        t.keep_admin = true;
    if (t.keep_admin && !(wh_compile_grantable(c) & CAP_BIT(CAP_SYS_ADMIN)))
        wh_compile_err(c, -EOPNOTSUPP, seccomp_src(c->spec),
                       "a seccomp filter without noNewPrivileges needs CAP_SYS_ADMIN, which this process lacks");
    if (!environment(c, p, &t.env))
        return;
    user(c, p);

    become(c, p, &t);
    /* exec has closed it when it entered the namespaces. */
    if (c->born_last)
        WH_STEP(c, CLOSE_HOST, close_host, 0);
    if (early)
        early_filter(c, p, t.keep_admin);
    if (t.late)
        late_b(c, p, t.exec);
    if (t.exec)
        WH_STEP(c, HOST_ALIVE, host_alive, 0);
    else
        ready(c);

    /* ---- C ---- */
    close_fds = WH_STEP(c, CLOSE_FDS, close_fds, 0);
    if (close_fds)
        close_fds->first = 3 + c->req->preserve_fds;
    /* So late because EXEC_CHECK and WAIT_START need an fd each, and the limit may be 4. */
    rlimits(c, p, true);
    be_init = wh_compile_be_init(c, p);
    if (c->req->listen_fds)
        WH_STEP(c, LISTEN_PID, listen_pid, 0);
    /* Last: the filter may deny whatever we would still need. */
    if (!early)
        seccomp(c, be_init);
    exec(c, p, &t.env);
}
