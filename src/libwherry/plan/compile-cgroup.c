/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the container's cgroup is, and the host lists that make it and fill it. Every container has a directory in cgroup2,
 * where it is tracked, frozen and killed and where the device program is attached; on a hybrid host it has one of the same path
 * in every v1 hierarchy as well.
 */
#include "plan/compile-resources.h"
#include "plan/compile-systemd.h"

#include <errno.h>
#include <linux/bpf.h>

#include "spec/fields.h"

/* ---------------------------------------------------------------- the path */

static int path_error(const struct wh_spec *spec, struct wh_err *err, enum wh_err_kind kind, int code, const char *text,
                      const char *what)
{
    char where[160];

    wh_spec_where(spec, wh_compile_place(spec, spec->linux_.cgroups_path.src), where, sizeof where);
    return wh_err_set(err, kind, code, where, "%s%s", text, what);
}

/* Directory names: the kernel's limit, and its ban on line breaks (cgroup_mkdir). Null, or what is wrong. */
static const char *path_impossible(struct wh_arena *arena, const char *path, const char *mount)
{
    size_t room = WH_MAX_PATH - (strlen(mount) < WH_MAX_PATH ? strlen(mount) : WH_MAX_PATH);

    if (strchr(path, '\n'))
        return "has a line break";
    for (const char *s = path; *s;) {
        size_t len;

        s += strspn(s, "/");
        len = strcspn(s, "/");
        if (len > WH_MAX_NAME)
            return wh_arena_printf(arena, "has a name that is %zu bytes long, and the kernel takes at most %u", len,
                                   WH_MAX_NAME);
        s += len;
    }
    if (strlen(path) > room)
        return wh_arena_printf(arena, "is %zu bytes long, and below %s the kernel takes at most %zu", strlen(path),
                               mount, room);
    return NULL;
}

/* Beside our own cgroup: a cgroup with processes can have no limited children (no internal processes), and what limits us
 * limits what we start. */
static const char *sibling(struct wh_arena *arena, const char *own, const char *id)
{
    const char *clean = wh_compile_clean_path(arena, "", own ? own : "/");
    const char *up = clean ? wh_compile_clean_path(arena, clean, "..") : NULL;

    return up ? wh_compile_clean_path(arena, up, id) : NULL;
}

/* The first limit that is wanted; false when nothing is really limited. */
static bool limits_wanted(const struct wh_spec *spec, const struct wh_facts *facts, struct wh_arena *arena,
                          wh_node *ret_src)
{
    struct wh_errlist errs = { 0 };
    struct wh_compile c = { .spec = spec, .facts = facts, .arena = arena, .errs = &errs };
    struct wh_cg_writes writes;

    wh_compile_resources(&c, &spec->linux_.resources, WH_RES_LOOK, &writes);
    *ret_src = writes.first;
    return writes.limited;
}

/* The first words are what engines and users know from elsewhere; the rest is what to do. */
static int not_permitted(const struct wh_spec *spec, wh_node src, struct wh_err *err)
{
    char where[160];

    return wh_err_set(err, WH_ERR_HOST, -EACCES, wh_spec_where(spec, wh_compile_place(spec, src), where, sizeof where),
                      "rootless needs no limits + no cgrouppath when no permission is granted for cgroups (start it in "
                      "a cgroup that is yours: systemd-run --user --scope -p Delegate=yes wherry ...; or leave out "
                      "limits and cgroupsPath)");
}

bool wh_compile_rootless(const struct wh_request *req, const struct wh_facts *facts)
{
    if (req->rootless != WH_ROOTLESS_AUTO)
        return req->rootless == WH_ROOTLESS_YES;
    return facts->euid != 0 || facts->in_userns;
}

int wh_cgroup_path(const struct wh_spec *spec, const struct wh_request *req, const struct wh_facts *facts,
                   struct wh_arena *arena, const char **ret, struct wh_err *err)
{
    const char *path = spec->linux_.cgroups_path.v, *found, *wrong;
    wh_node limit;

    *ret = NULL;
    if (req->cgroup_manager == WH_CGM_DISABLED)
        return 0;
    if (req->cgroup_manager == WH_CGM_SYSTEMD) {
        struct wh_unit unit;
        int r = wh_unit_find(spec, req, facts, arena, &unit, err);

        if (r == 0)
            *ret = unit.path;
        return r;
    }
    /* Rootless without delegation: no cgroup at all is better than no container, as long as nothing depends on it. */
    if (wh_compile_rootless(req, facts) && !(facts->feat & WH_FEAT_CGROUP_WRITABLE)) {
        bool limited = limits_wanted(spec, facts, arena, &limit);

        if ((!path || !*path) && !limited)
            return 0;
        return not_permitted(spec, path && *path ? spec->linux_.cgroups_path.src : limit, err);
    }
    if (facts->cgroup_mode == WH_CGROUP_NONE || !facts->cgroup2_mount)
        return path_error(spec, err, WH_ERR_HOST, -EOPNOTSUPP,
                          "this host has no cgroup2 hierarchy mounted: mount one, or use --cgroup-manager=disabled",
                          "");
    /* A relative path is relative to the mount, not to the caller's cgroup: the same value has to lead to the same cgroup
     * whoever calls (specification). */
    if (path && *path)
        found = wh_compile_clean_path(arena, "", path);
    else if (facts->cgroup2_delegated)
        found = wh_compile_clean_path(arena, facts->cgroup2_delegated, req->id);
    else
        found = sibling(arena, facts->cgroup2_own, req->id);
    if (!found)
        return wh_err_set(err, WH_ERR_HOST, -ENOMEM, NULL, "cannot allocate memory for the cgroup path");
    if (wh_streq(found, "/"))
        return path_error(spec, err, WH_ERR_SPEC, -EINVAL,
                          "cgroupsPath is the root of the hierarchy, which every process of the host is below: ", path);
    wrong = path_impossible(arena, found, facts->cgroup2_mount);
    if (wrong)
        return path_error(spec, err, WH_ERR_SPEC, -EINVAL, "cgroupsPath ", wrong);
    *ret = found;
    return 0;
}

/* ---------------------------------------------------------------- controllers */

bool wh_compile_has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *s = list ? list : ""; *s;) {
        size_t n = strcspn(s, " ,\n");

        if (n == len && memcmp(s, word, len) == 0)
            return true;
        s += n + (s[n] != '\0');
    }
    return false;
}

bool wh_compile_in_v1(const struct wh_compile *c, const struct wh_v1_hierarchy *h)
{
    return c->cgroup_path && c->v1_made & 1u << (h - c->facts->v1);
}

/* The first property that is written to the hierarchy; null for none. */
static const struct wh_cg_write *first_write(const struct wh_cg_writes *writes, const struct wh_v1_hierarchy *h)
{
    for (size_t i = 0; i < writes->n; i++)
        if (wh_compile_has_word(h->controllers, writes->v[i].controller))
            return &writes->v[i];
    return NULL;
}

/*
 * A directory in every v1 hierarchy, whether it has a limit or not: engines read there what the container uses, and what it is
 * not in would show it the whole host. Those where we may make none are left out, but not where a limit needs one (the host
 * then says what it lacks), nor where systemd has made one for the unit.
 */
static void make_v1(struct wh_compile *c, const struct wh_cg_writes *writes)
{
    for (size_t i = 0; c->facts->cgroup_mode == WH_CGROUP_HYBRID && i < c->facts->nv1; i++) {
        const struct wh_v1_hierarchy *h = &c->facts->v1[i];
        const struct wh_cg_write *w = first_write(writes, h);
        bool of_unit = c->req->cgroup_manager == WH_CGM_SYSTEMD && wh_streq(h->controllers, "name=systemd");
        struct wh_step_cg_v1_create *s;
        const char *first;

        if (h->closed && !w && !of_unit)
            continue;
        c->v1_made |= 1u << i;
        s = WH_STEP(c, CG_V1_CREATE, cg_v1_create, w ? w->src : 0);
        if (!s)
            return;
        first = wh_arena_strndup(c->arena, h->controllers, strcspn(h->controllers, ","));
        c->failed |= !first;
        s->controller = wh_build_str(c->b, first ? first : "");
        s->path = wh_build_str(c->b, c->cgroup_path);
    }
}

static void add_writes(struct wh_compile *c, const struct wh_cg_writes *writes)
{
    make_v1(c, writes);
    for (size_t i = 0; i < writes->n; i++) {
        const struct wh_cg_write *w = &writes->v[i];
        struct wh_step_cg_write *s = WH_STEP(c, CG_WRITE, cg_write, w->src);

        if (!s)
            return;
        s->controller = wh_build_str(c->b, w->controller);
        s->file = wh_build_str(c->b, w->file);
        s->value = wh_build_str(c->b, w->value);
        s->flags = w->flags;
        if (c->req->cgroup_manager == WH_CGM_SYSTEMD)
            wh_compile_unit_limit(c, writes->v, writes->n, i);
    }
}

/* ---------------------------------------------------------------- devices */

/* True if the rules end with "everything is allowed". */
static bool allows_everything(const struct wh_resources *r)
{
    const struct wh_devrule *d = r->devices.n ? &r->devices.v[r->devices.n - 1] : NULL;

    return d && d->allow && d->type != 'c' && d->type != 'b' && (!d->major.set || d->major.v == -1) &&
           (!d->minor.set || d->minor.v == -1) && d->access.v && strchr(d->access.v, 'r') && strchr(d->access.v, 'w') &&
           strchr(d->access.v, 'm');
}

static void compile_devices(struct wh_compile *c)
{
    const struct wh_resources *r = &c->spec->linux_.resources;
    struct bpf_insn *insns;
    struct wh_step_dev_bpf *s;
    struct wh_err err = { 0 }, *e;
    size_t n;

    if (wh_devbpf_compile(c->spec, c->req, c->arena, &insns, &n, &err) < 0) {
        c->failed = true;
        e = wh_errlist_next(c->errs);
        if (e)
            *e = err;
        return;
    }
    if (!(c->facts->feat & WH_FEAT_CGROUP_BPF)) {
        /* In a user namespace no node can be made, and what is bound in is governed by who runs the outer container. */
        if (!c->facts->in_userns && c->facts->euid == 0 && !allows_everything(r))
            wh_compile_err(
                c, -EOPNOTSUPP, wh_compile_place(c->spec, r->devices.src ? r->devices.src : r->src),
                "this host cannot run device programs (CONFIG_CGROUP_BPF, and the right to load one): device "
                "access cannot be denied");
        return;
    }
    s = WH_STEP(c, DEV_BPF, dev_bpf, r->devices.src);
    if (s)
        s->insns = wh_build_bytes(c->b, insns, n * sizeof *insns);
    /* The user's systemd may load no programs. */
    if (c->req->cgroup_manager == WH_CGM_SYSTEMD && !c->facts->systemd_user)
        wh_compile_unit_devices(c);
}

void wh_compile_cgroup(struct wh_compile *c)
{
    const struct wh_linux *l = &c->spec->linux_;
    struct wh_step_cg_create *create;
    struct wh_cg_writes writes;
    struct wh_err err = { 0 }, *e;

    if (wh_cgroup_path(c->spec, c->req, c->facts, c->arena, &c->cgroup_path, &err) < 0) {
        c->failed = true;
        e = wh_errlist_next(c->errs);
        if (e)
            *e = err;
        return;
    }
    if (!c->cgroup_path) {
        /* Device rules are not refused: engines send them with every container, also with --cgroups=disabled. There is no
         * cgroup to attach the program to; explain has no line for it. */
        wh_compile_resources(c, &l->resources, WH_RES_NO_CGROUP, &writes);
        wh_compile_delegation(c);
        return;
    }
    create = WH_STEP(c, CG_CREATE, cg_create, l->cgroups_path.src);
    if (create)
        create->path = wh_build_str(c->b, c->cgroup_path);
    if (c->req->cgroup_manager == WH_CGM_SYSTEMD) {
        struct wh_unit unit;

        if (wh_unit_find(c->spec, c->req, c->facts, c->arena, &unit, &err) == 0)
            wh_compile_unit(c, &unit);
    }
    wh_compile_resources(c, &l->resources, WH_RES_HOST, &writes);
    add_writes(c, &writes);
    compile_devices(c);
    wh_compile_delegation(c);
    if (c->req->cgroup_manager == WH_CGM_SYSTEMD)
        wh_compile_unit_annotations(c);
}
