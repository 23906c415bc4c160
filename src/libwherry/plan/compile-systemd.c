/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The systemd manager: which unit a container is, where systemd puts its cgroup, and the properties that it is made with
 * (org.freedesktop.systemd1(5), systemd.resource-control(5)). The limits themselves are written by us, as with any other manager.
 */
#include "plan/compile-systemd.h"

#include <errno.h>

#define FORM "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"%.200s\" instead"

/* ---------------------------------------------------------------- names */

static int bad_path(const struct wh_spec *spec, struct wh_err *err, const char *fmt, const char *what)
{
    char where[160];

    wh_spec_where(spec, wh_compile_place(spec, spec->linux_.cgroups_path.src), where, sizeof where);
    return wh_err_set(err, WH_ERR_SPEC, -EINVAL, where, fmt, what);
}

static int no_memory(struct wh_err *err)
{
    return wh_err_set(err, WH_ERR_HOST, -ENOMEM, NULL, "cannot allocate memory for the unit's name");
}

/* systemd's VALID_CHARS, but for the backslash, which is how the others are written. */
static bool valid_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(":-_.@", c));
}

/* What a unit's name cannot have, as systemd-escape(1) writes it: a container's id may have a plus sign. */
static char *escape(struct wh_arena *arena, const char *name)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = strlen(name), n = 0;
    char *to = wh_arena_alloc(arena, len * 4 + 1);

    for (size_t i = 0; to && i < len; i++)
        if (valid_char(name[i]) || name[i] == '\\')
            to[n++] = name[i];
        else {
            to[n++] = '\\';
            to[n++] = 'x';
            to[n++] = hex[(unsigned char)name[i] >> 4];
            to[n++] = hex[(unsigned char)name[i] & 15];
        }
    if (to)
        to[n] = '\0';
    return to;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && wh_streq(s + n - m, end);
}

/* "-.slice", or names between single dashes: slice_name_is_valid() of systemd. */
static bool valid_slice(const char *name)
{
    size_t len = strlen(name);

    if (!ends_with(name, ".slice") || len > 255)
        return false;
    if (wh_streq(name, "-.slice"))
        return true;
    len -= strlen(".slice");
    if (len == 0 || name[0] == '-' || name[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if ((!valid_char(name[i]) && name[i] != '\\') || (name[i] == '-' && name[i + 1] == '-'))
            return false;
    return true;
}

/* The directory of a unit: systemd puts an underscore before what the kernel's own files could be called (cg_escape()). */
static const char *directory(struct wh_arena *arena, const char *unit)
{
    static const char *const files[] = { "notify_on_release", "release_agent", "tasks" };
    static const char *const controllers[] = { "cgroup",
                                               "cpu",
                                               "cpuacct",
                                               "cpuset",
                                               "io",
                                               "blkio",
                                               "memory",
                                               "devices",
                                               "pids",
                                               "bpf-firewall",
                                               "bpf-devices",
                                               "bpf-foreign",
                                               "bpf-socket-bind",
                                               "bpf-restrict-network-interfaces" };
    size_t dot = strcspn(unit, ".");
    bool escaped = unit[0] == '_' || unit[0] == '.';

    for (size_t i = 0; i < WH_ELEMENTSOF(files); i++)
        escaped |= wh_streq(unit, files[i]);
    for (size_t i = 0; i < WH_ELEMENTSOF(controllers); i++)
        escaped |= strlen(controllers[i]) == dot && strncmp(unit, controllers[i], dot) == 0;
    return escaped ? wh_arena_printf(arena, "_%s", unit) : unit;
}

/* "a-b.slice" is a.slice/a-b.slice: each dash is one level. `base` is the manager's own cgroup. */
static const char *slice_path(struct wh_arena *arena, const char *base, const char *slice)
{
    size_t len = strlen(slice) - strlen(".slice");
    const char *path = wh_streq(base, "/") ? "" : base;

    if (wh_streq(slice, "-.slice"))
        return path;
    for (size_t i = 1; path && i <= len; i++) {
        const char *part;

        if (i < len && slice[i] != '-')
            continue;
        part = wh_arena_printf(arena, "%.*s.slice", (int)i, slice);
        part = part ? directory(arena, part) : NULL;
        path = part ? wh_arena_printf(arena, "%s/%s", path, part) : NULL;
    }
    return path;
}

/* "a-b.slice" is in "a.slice", and that in "-.slice". */
static const char *parent_slice(struct wh_arena *arena, const char *slice)
{
    const char *dash = strrchr(slice, '-');

    return dash ? wh_arena_printf(arena, "%.*s.slice", (int)(dash - slice), slice) : "-.slice";
}

static int find_host(const struct wh_spec *spec, const struct wh_facts *facts, struct wh_err *err)
{
    const char *lacks = NULL;
    char where[160];

    if (!facts->systemd_root)
        lacks = facts->systemd_user
                    ? "--systemd-cgroup: there is no systemd of this user (loginctl enable-linger starts one): use "
                      "--cgroup-manager=cgroupfs"
                    : "--systemd-cgroup: this host is not run by systemd: use --cgroup-manager=cgroupfs";
    else if (facts->cgroup_mode == WH_CGROUP_NONE)
        lacks = "--systemd-cgroup needs a systemd that uses cgroup2, which is not mounted on this host: boot with "
                "systemd.unified_cgroup_hierarchy=1";
    /* systemd delegates no v1 controller to a user. */
    else if (facts->cgroup_mode == WH_CGROUP_HYBRID && facts->systemd_user)
        lacks = "--systemd-cgroup without root needs the unified cgroup hierarchy, and this host has v1 controllers: "
                "use --cgroup-manager=cgroupfs";
    if (!lacks)
        return 0;
    wh_spec_where(spec, wh_compile_place(spec, spec->linux_.cgroups_path.src), where, sizeof where);
    return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, where, "%s", lacks);
}

/* Cuts "slice:prefix:name". */
static int split(const struct wh_spec *spec, const char *id, struct wh_arena *arena, const char *ret[3],
                 struct wh_err *err)
{
    const char *text = spec->linux_.cgroups_path.v, *s = text;

    if (!text || !*text) {
        ret[0] = "";
        ret[1] = "wherry";
        ret[2] = id;
        return 0;
    }
    for (int i = 0; i < 3; i++) {
        size_t len = i < 2 ? strcspn(s, ":") : strlen(s);

        if (i < 2 ? s[len] != ':' : len == 0 || strchr(s, ':') != NULL)
            return bad_path(spec, err, FORM, text);
        ret[i] = wh_arena_strndup(arena, s, len);
        if (!ret[i])
            return no_memory(err);
        s += len + (i < 2);
    }
    return 0;
}

int wh_unit_find(const struct wh_spec *spec, const struct wh_request *req, const struct wh_facts *facts,
                 struct wh_arena *arena, struct wh_unit *ret, struct wh_err *err)
{
    const char *part[3] = { "", "", "" }, *slice, *name, *path;
    int r = find_host(spec, facts, err);

    if (r == 0)
        r = split(spec, req->id ? req->id : "container", arena, part, err);
    if (r < 0)
        return r;
    slice = wh_streq(part[0], "")    ? (facts->systemd_user ? "user.slice" : "system.slice")
            : wh_streq(part[0], "-") ? "-.slice"
                                     : part[0];
    if (strchr(part[1], '/') || strchr(part[2], '/'))
        return bad_path(spec, err, "cgroupsPath \"%.200s\": a unit's name has no slash", spec->linux_.cgroups_path.v);
    *ret = (struct wh_unit){ .is_slice = ends_with(part[2], ".slice") };
    if (ret->is_slice) {
        if (!valid_slice(part[2]) || wh_streq(part[2], "-.slice"))
            return bad_path(spec, err, "cgroupsPath: invalid slice name \"%.200s\"", part[2]);
        name = part[2];
        slice = parent_slice(arena, name);
        path = slice_path(arena, facts->systemd_root, name);
    } else {
        if (!valid_slice(slice))
            return bad_path(spec, err, "cgroupsPath: invalid slice name \"%.200s\"", slice);
        for (int i = 1; i < 3; i++)
            part[i] = escape(arena, part[i]);
        if (!part[1] || !part[2])
            return no_memory(err);
        name = wh_arena_printf(arena, "%s%s%s.scope", part[1], *part[1] ? "-" : "", part[2]);
        if (!name)
            return no_memory(err);
        path = slice_path(arena, facts->systemd_root, slice);
        if (path)
            path = directory(arena, name) ? wh_arena_printf(arena, "%s/%s", path, directory(arena, name)) : NULL;
    }
    if (!slice || !path)
        return no_memory(err);
    if (strlen(name) > 255)
        return bad_path(spec, err, "cgroupsPath: the unit's name is %s bytes long, and systemd takes at most 255",
                        wh_arena_printf(arena, "%zu", strlen(name)));
    ret->name = name;
    ret->slice = slice;
    ret->path = path;
    return 0;
}

/* ---------------------------------------------------------------- properties */

static void add(struct wh_compile *c, wh_node src, const char *name, const char *type, const char *const *v, size_t n)
{
    struct wh_step_cg_prop *s = WH_STEP(c, CG_PROP, cg_prop, src);

    if (!s)
        return;
    s->name = wh_build_str(c->b, name);
    s->type = wh_build_str(c->b, type);
    s->values = wh_build_strv(c->b, v, n);
}

static void add_one(struct wh_compile *c, wh_node src, const char *name, const char *type, const char *value)
{
    if (value)
        add(c, src, name, type, &value, 1);
    else
        c->failed = true;
}

void wh_compile_unit(struct wh_compile *c, const struct wh_unit *unit)
{
    static const char *const accounting[] = { "MemoryAccounting", "CPUAccounting", "IOAccounting", "TasksAccounting" };
    wh_node src = c->spec->linux_.cgroups_path.src;
    struct wh_step_cg_unit *s = WH_STEP(c, CG_UNIT, cg_unit, src);

    if (!s)
        return;
    s->unit = wh_build_str(c->b, unit->name);
    s->manager = wh_build_str(c->b, c->facts->systemd_user ? "user" : "system");
    add_one(c, 0, "Description", "s",
            wh_arena_printf(c->arena, "libcontainer container %s", c->req->id ? c->req->id : "container"));
    if (unit->is_slice) {
        add_one(c, src, "Wants", "as", unit->slice);
    } else {
        add_one(c, src, "Slice", "s", unit->slice);
        /* Else systemd takes what is below for its own, and removes it. */
        add_one(c, 0, "Delegate", "b", "true");
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(accounting); i++)
        add_one(c, 0, accounting[i], "b", "true");
    /* Their Conflicts=shutdown.target would stop a container before what engines order after it. */
    add_one(c, 0, "DefaultDependencies", "b", "false");
}

void wh_compile_unit_limit(struct wh_compile *c, const struct wh_cg_write *v, size_t n, size_t at)
{
    static const char *const two[] = { "2" };
    struct wh_unit_prop props[WH_UNIT_LIMIT_MAX];
    size_t k = wh_unit_limit(c->arena, v, n, at, props);

    /* systemd limits the unit from its start, when the first process of init has still to make the second.
     * ASK_LIMITS makes it what it was asked to be. */
    for (size_t i = 0; i < k; i++)
        if (wh_streq(props[i].name, "TasksMax") && wh_streq(props[i].v[0], "1"))
            props[i].v = two;
    for (size_t i = 0; i < k; i++)
        add(c, props[i].src, props[i].name, props[i].type, props[i].v, props[i].n);
}

/* Above our own program, and said in the words of who looks after the host's units: all programs of a cgroup must allow. */
void wh_compile_unit_devices(struct wh_compile *c)
{
    wh_node src = c->spec->linux_.resources.devices.src;
    const char *const *v;
    size_t n;
    int r = wh_devbpf_unit(c->spec, c->arena, &v, &n);

    if (r < 0)
        c->failed = true;
    if (r <= 0)
        return;
    add_one(c, src, "DevicePolicy", "s", "strict");
    add(c, src, "DeviceAllow", "a(ss)", v, n);
}

/* ---------------------------------------------------------------- org.systemd.property.* */

static bool is_letter(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* "1.5" seconds are 1500000. Null when it is no number of seconds. */
static const char *microseconds(struct wh_compile *c, const struct wh_unit_value *v, const char *text)
{
    const char *number = v->n == 1 && v->type[1] == '\0' && strchr("iuxt", v->type[0]) ? v->v[0] : text;
    size_t whole = strcspn(number, ".");
    uint64_t seconds, part = 0, scale = 1000000;
    const char *first = wh_arena_strndup(c->arena, number, whole);

    if (!first || wh_parse_u64(first, UINT64_MAX / 1000000 - 1, &seconds) < 0)
        return NULL;
    if (number[whole] == '.') {
        if (!number[whole + 1])
            return NULL;
        for (const char *d = number + whole + 1; *d; d++) {
            if (*d < '0' || *d > '9')
                return NULL;
            scale /= 10;
            part += (uint64_t)(*d - '0') * scale;
        }
    }
    return wh_arena_printf(c->arena, "%llu", (unsigned long long)seconds * 1000000 + part);
}

static void annotation(struct wh_compile *c, const struct wh_kv *kv)
{
    const char *name = kv->key + strlen(wh_annotation_name(WH_ANN_SYSTEMD_PROPERTY)), *why = "", *usec;
    struct wh_unit_value value = { "", NULL, 0 };
    size_t len = strlen(name);
    int r;

    if (len < 3) {
        wh_compile_err(c, -EINVAL, kv->src, "annotation %.100s name incorrect: too short", kv->key);
        return;
    }
    for (size_t i = 0; i < len; i++)
        if (!is_letter(name[i])) {
            wh_compile_err(c, -EINVAL, kv->src, "annotation %.100s name incorrect: contains non-alphabetic character",
                           kv->key);
            return;
        }
    r = wh_gvariant_parse(c->arena, kv->value, &value, &why);
    /* What systemd takes in units and on its command line as seconds is a property of microseconds on the bus. */
    if (len > 3 && ends_with(name, "Sec") && name[len - 4] >= 'a' && name[len - 4] <= 'z') {
        if (r < 0)
            value.n = 0;
        usec = microseconds(c, &value, kv->value);
        if (!usec) {
            wh_compile_err(c, -EINVAL, kv->src, "annotation %.100s value \"%.40s\": not a number", kv->key, kv->value);
            return;
        }
        name = wh_arena_printf(c->arena, "%.*sUSec", (int)len - 3, name);
        if (name)
            add_one(c, kv->src, name, "t", usec);
        else
            c->failed = true;
        return;
    }
    if (r < 0)
        wh_compile_err(c, r, kv->src, "annotation %.100s value \"%.100s\": %s", kv->key, kv->value, why);
    else
        add(c, kv->src, name, value.type, value.v, value.n);
}

void wh_compile_unit_annotations(struct wh_compile *c)
{
    const struct wh_kv *kv = NULL;

    while ((kv = wh_annotation_next(c->spec, WH_ANN_SYSTEMD_PROPERTY, kv)) != NULL)
        annotation(c, kv);
}
