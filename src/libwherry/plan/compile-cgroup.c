/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the container's cgroup is, and the host lists that make it and fill it. Every container
 * has a directory in cgroup2, where it is tracked, frozen and killed and where the device program is attached; on a hybrid
 * host a controller that sits on a v1 hierarchy gets a directory of the same path there.
 */
#include "plan/compile.h"

#include <errno.h>
#include <linux/bpf.h>

/* ---------------------------------------------------------------- the path */

static int path_error(const struct wh_spec *spec, struct wh_err *err, enum wh_err_kind kind, int code, const char *text,
                      const char *what)
{
    wh_node src = spec->linux_.cgroups_path.src;
    char where[160];

    return wh_err_set(err, kind, code, src ? wh_spec_where(spec, src, where, sizeof where) : NULL, "%s%s", text, what);
}

/* Directory names: the kernel's limit, and its ban on line breaks (cgroup_mkdir). */
static bool path_possible(const char *path)
{
    for (const char *s = path; *s;) {
        size_t len;

        s += strspn(s, "/");
        len = strcspn(s, "/");
        if (len > 255 || memchr(s, '\n', len))
            return false;
        s += len;
    }
    return true;
}

/* Beside our own cgroup: a cgroup with processes can have no limited children (no internal processes), and what limits us
 * limits what we start. */
static const char *sibling(struct wh_arena *arena, const char *own, const char *id)
{
    const char *clean = wh_compile_clean_path(arena, "", own ? own : "/");
    const char *up = clean ? wh_compile_clean_path(arena, clean, "..") : NULL;

    return up ? wh_compile_clean_path(arena, up, id) : NULL;
}

/* Until 1.3 of the specification the limit was a plain number whose zero is "not set", and engines of that time send 0 for
 * "unlimited" (podman run --pids-limit -1). Since 1.3 it is optional, and 0 is a limit. */
static bool zero_is_a_limit(const struct wh_spec *spec)
{
    const char *version = spec->oci_version.v ? spec->oci_version.v : "";

    return !wh_startswith(version, "1.0.") && !wh_startswith(version, "1.1.") && !wh_startswith(version, "1.2.");
}

static bool has_pids_limit(const struct wh_spec *spec)
{
    const struct wh_resources *r = &spec->linux_.resources;

    return r->pids.set && r->pids.limit.set && (r->pids.limit.v != 0 || zero_is_a_limit(spec));
}

static bool limits_wanted(const struct wh_spec *spec)
{
    return has_pids_limit(spec) && spec->linux_.resources.pids.limit.v >= 0;
}

static wh_node limits_src(const struct wh_spec *spec)
{
    return spec->linux_.resources.pids.limit.src;
}

/* The first words are what engines and users know from elsewhere; the rest is what to do. */
static int not_permitted(const struct wh_spec *spec, wh_node src, struct wh_err *err)
{
    char where[160];

    return wh_err_set(err, WH_ERR_HOST, -EACCES, src ? wh_spec_where(spec, src, where, sizeof where) : NULL,
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
    const char *path = spec->linux_.cgroups_path.v, *found;

    *ret = NULL;
    if (req->cgroup_manager == WH_CGM_DISABLED)
        return 0;
    if (req->cgroup_manager == WH_CGM_SYSTEMD)
        return wh_err_set(err, WH_ERR_USAGE, -EOPNOTSUPP, NULL,
                          "--systemd-cgroup (--cgroup-manager=systemd) is not supported by this version of wherry: use "
                          "--cgroup-manager=cgroupfs");
    /* Rootless without delegation: no cgroup at all is better than no container, as long as nothing depends on it. */
    if (wh_compile_rootless(req, facts) && !(facts->feat & WH_FEAT_CGROUP_WRITABLE)) {
        if ((!path || !*path) && !limits_wanted(spec))
            return 0;
        return not_permitted(spec, path && *path ? spec->linux_.cgroups_path.src : limits_src(spec), err);
    }
    if (facts->cgroup_mode == WH_CGROUP_NONE || !facts->cgroup2_mount)
        return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, NULL,
                          "this host has no cgroup2 hierarchy mounted: mount one, or use --cgroup-manager=disabled");
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
    if (!path_possible(found))
        return path_error(spec, err, WH_ERR_SPEC, -EINVAL,
                          "cgroupsPath has a name that is longer than 255 bytes or has a line break", "");
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

static const struct wh_v1_hierarchy *v1_of(const struct wh_compile *c, const char *controller)
{
    /* On a unified host nothing of v1 counts, not even a mount that somebody made. */
    if (c->facts->cgroup_mode != WH_CGROUP_HYBRID)
        return NULL;
    for (size_t i = 0; i < c->facts->nv1; i++)
        if (wh_compile_has_word(c->facts->v1[i].controllers, controller))
            return &c->facts->v1[i];
    return NULL;
}

const char *wh_compile_cgroup_v1_path(const struct wh_compile *c, const struct wh_v1_hierarchy *h)
{
    if (c->cgroup_path && has_pids_limit(c->spec) && v1_of(c, "pids") == h)
        return c->cgroup_path;
    /* Seen from a cgroup namespace, a cgroup outside of it is "/../x"; cleaned, that would be another one. */
    return h->own && !wh_startswith(h->own, "/..") ? h->own : "/";
}

static void add_write(struct wh_compile *c, wh_node src, const char *controller, const char *file, const char *value)
{
    struct wh_step_cg_write *s = WH_STEP(c, CG_WRITE, cg_write, src);

    if (!s)
        return;
    s->controller = wh_build_str(c->b, controller);
    s->file = wh_build_str(c->b, file);
    s->value = wh_build_str(c->b, value);
}

static void compile_pids(struct wh_compile *c)
{
    const struct wh_opt_i64 *limit = &c->spec->linux_.resources.pids.limit;
    const char *value = limit->v == -1 ? "max" : wh_arena_printf(c->arena, "%lld", (long long)limit->v);
    struct wh_step_cg_v1_create *s;

    if (!value)
        return;
    if (limit->v < -1) {
        wh_compile_err(c, -EINVAL, limit->src, "pids limit %s: it is -1 (unlimited) or a number of processes", value);
        return;
    }
    if (v1_of(c, "pids")) {
        s = WH_STEP(c, CG_V1_CREATE, cg_v1_create, limit->src);
        if (s) {
            s->controller = wh_build_str(c->b, "pids");
            s->path = wh_build_str(c->b, c->cgroup_path);
        }
        add_write(c, limit->src, "pids", "pids.max", value);
    } else if (wh_compile_has_word(c->facts->cgroup2_controllers, "pids")) {
        add_write(c, limit->src, "unified", "pids.max", value);
    } else if (limit->v >= 0) {
        wh_compile_err(c, -EOPNOTSUPP, limit->src,
                       c->facts->cgroup2_delegated
                           ? "pids limit %s: the cgroup controller pids is not delegated to this user (systemctl edit "
                             "user@.service: [Service] Delegate=pids cpu memory)"
                           : "pids limit %s: this host does not offer the cgroup controller pids",
                       value);
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
                c, -EOPNOTSUPP, r->devices.src,
                "this host cannot run device programs (CONFIG_CGROUP_BPF, and the right to load one): device "
                "access cannot be denied");
        return;
    }
    s = WH_STEP(c, DEV_BPF, dev_bpf, r->devices.src);
    if (s)
        s->insns = wh_build_bytes(c->b, insns, n * sizeof *insns);
}

void wh_compile_cgroup(struct wh_compile *c)
{
    const struct wh_linux *l = &c->spec->linux_;
    struct wh_step_cg_create *create;
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
        if (limits_wanted(c->spec))
            wh_compile_err(c, -EINVAL, l->resources.pids.limit.src,
                           "pids limit %lld: there is no cgroup to set it in (--cgroup-manager=disabled)",
                           (long long)l->resources.pids.limit.v);
        return;
    }
    create = WH_STEP(c, CG_CREATE, cg_create, l->cgroups_path.src);
    if (create)
        create->path = wh_build_str(c->b, c->cgroup_path);
    if (has_pids_limit(c->spec))
        compile_pids(c);
    compile_devices(c);
}
