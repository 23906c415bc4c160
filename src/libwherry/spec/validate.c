/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "spec/validate.h"

/*
 * What no row can say alone: properties that contradict or need one another. Only what follows from the file itself;
 * what depends on the host is compile's business. The texts are those that engines and users know (contract of the
 * runtimes that came before) where such a text exists.
 */
void wh_check_error(struct wh_check *c, wh_node node, const char *fmt, ...)
{
    char where[sizeof((struct wh_err *)0)->path], msg[512];
    struct wh_err *e = wh_errlist_next(c->errs);
    va_list ap;

    c->n++;
    if (!e)
        return;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    wh_err_set(e, WH_ERR_SPEC, -EINVAL, wh_spec_where(c->s, node, where, sizeof where), "%s", msg);
}

void wh_check_warning(struct wh_check *c, wh_node node, const char *fmt, ...)
{
    char where[sizeof((struct wh_err *)0)->path], msg[512];
    struct wh_err *e = wh_errlist_warn(c->errs);
    va_list ap;

    if (!e)
        return;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    wh_err_set(e, WH_ERR_SPEC, -EINVAL, wh_spec_where(c->s, node, where, sizeof where), "%s", msg);
}

void wh_check_error_in(struct wh_check *c, wh_node object, const char *name, const char *text)
{
    wh_check_error(c, wh_spec_child(c->s, object, name), "%s", text);
}

/* ---------------------------------------------------------------- id maps */

/* Lines of a map that the kernel takes (user_namespaces(7)). */
#define MAX_EXTENTS 340

bool wh_idmaps_has(const struct wh_idmaps *maps, uint32_t id)
{
    for (size_t i = 0; i < maps->n; i++)
        if (id >= maps->v[i].container_id && id - maps->v[i].container_id < maps->v[i].size)
            return true;
    return false;
}

static bool overlap(uint32_t a, uint32_t an, uint32_t b, uint32_t bn)
{
    return a < b ? b - a < an : a - b < bn;
}

static void check_idmaps(struct wh_check *c, const struct wh_idmaps *maps)
{
    if (maps->n > MAX_EXTENTS) {
        wh_check_error(c, maps->src, "has %zu ranges, more than the %d that the kernel takes", maps->n, MAX_EXTENTS);
        return;
    }
    for (size_t i = 0; i < maps->n; i++) {
        const struct wh_idmap *m = &maps->v[i];

        /* 4294967295 itself is no id, so that a range ends before it. */
        if (m->size > UINT32_MAX - m->container_id || m->size > UINT32_MAX - m->host_id) {
            wh_check_error_in(c, m->src, "size", "reaches beyond the last id, 4294967294");
            continue;
        }
        for (size_t k = 0; k < i; k++)
            if (overlap(m->container_id, m->size, maps->v[k].container_id, maps->v[k].size) ||
                overlap(m->host_id, m->size, maps->v[k].host_id, maps->v[k].size)) {
                wh_check_error(c, m->src, "overlaps range %zu of the same list", k);
                break;
            }
    }
}

/* ---------------------------------------------------------------- namespaces */

static bool has_ns(const struct wh_spec *s, enum wh_ns ns)
{
    return s->linux_.ns[ns].set;
}

static bool new_ns(const struct wh_spec *s, enum wh_ns ns)
{
    return has_ns(s, ns) && !s->linux_.ns[ns].path.v;
}

static void check_userns(struct wh_check *c, const struct wh_linux *l)
{
    static const char unwanted[] = "user namespace mappings specified, but user namespace isn't enabled in the config";

    check_idmaps(c, &l->uid_mappings);
    check_idmaps(c, &l->gid_mappings);
    if (!l->ns[WH_NS_USER].set) {
        if (l->uid_mappings.n > 0)
            wh_check_error(c, l->uid_mappings.src, unwanted);
        if (l->gid_mappings.n > 0)
            wh_check_error(c, l->gid_mappings.src, unwanted);
        return;
    }
    if ((l->uid_mappings.n > 0) != (l->gid_mappings.n > 0))
        wh_check_error(c, l->uid_mappings.n ? l->uid_mappings.src : l->gid_mappings.src,
                       "uidMappings and gidMappings must both be given");
    else if (l->uid_mappings.n == 0 && !l->ns[WH_NS_USER].path.v)
        wh_check_error(c, l->ns[WH_NS_USER].src, "a new user namespace needs uidMappings and gidMappings");
}

static void check_namespaces(struct wh_check *c)
{
    const struct wh_spec *s = c->s;
    const struct wh_linux *l = &s->linux_;

    check_userns(c, l);
    if (s->hostname.v && !has_ns(s, WH_NS_UTS))
        wh_check_error(c, s->hostname.src, "unable to set hostname without a private UTS namespace");
    if (s->domainname.v && !has_ns(s, WH_NS_UTS))
        wh_check_error(c, s->domainname.src, "unable to set domainname without a private UTS namespace");
    if (l->time_offsets.monotonic.set || l->time_offsets.boottime.set) {
        if (!has_ns(s, WH_NS_TIME))
            wh_check_error(c, l->time_offsets.src,
                           "time namespace offsets specified, but time namespace isn't enabled in the config");
        else if (!new_ns(s, WH_NS_TIME))
            wh_check_error(c, l->time_offsets.src,
                           "time namespace offsets specified, but the time namespace is joined and has its own");
    }
    if (!has_ns(s, WH_NS_MOUNT)) {
        static const char text[] = "unable to restrict sys entries without a private MNT namespace";

        if (l->masked_paths.n > 0)
            wh_check_error(c, l->masked_paths.src, text);
        if (l->readonly_paths.n > 0)
            wh_check_error(c, l->readonly_paths.src, text);
    }
}

/* ---------------------------------------------------------------- mounts */

static bool has_option(const struct wh_mount_spec *m, const char *a, const char *b)
{
    for (size_t i = 0; i < m->options.n; i++)
        if (wh_streq(m->options.v[i].v, a) || wh_streq(m->options.v[i].v, b))
            return true;
    return false;
}

/* The last word about ids: idmap, ridmap, or either with mappings of its own (crun). */
static const struct wh_sstr *idmap_option(const struct wh_mount_spec *m)
{
    for (size_t i = m->options.n; i > 0; i--) {
        const struct wh_sstr *o = &m->options.v[i - 1];
        const char *word = o->v[0] == 'r' ? o->v + 1 : o->v;

        if (wh_streq(word, "idmap") || wh_startswith(word, "idmap="))
            return o;
    }
    return NULL;
}

static void check_mount(struct wh_check *c, const struct wh_mount_spec *m)
{
    bool bind = has_option(m, "bind", "rbind");
    const struct wh_sstr *idmap = idmap_option(m);

    if (bind && !has_option(m, "remount", "remount") && (!m->source.v || !*m->source.v))
        wh_check_error(c, m->source.v ? m->source.src : m->src, "a bind mount needs a source");
    if (!bind && (!m->type.v || !*m->type.v) && !has_option(m, "remount", "remount"))
        wh_check_error(c, m->type.v ? m->type.src : m->src, "invalid mount type for `%s`: only a bind mount needs none",
                       m->destination.v);
    check_idmaps(c, &m->uid);
    check_idmaps(c, &m->gid);
    if ((m->uid.n > 0) != (m->gid.n > 0))
        wh_check_error(c, m->uid.n ? m->uid.src : m->gid.src, "uidMappings and gidMappings must both be given");
    else if (m->uid.n > 0 && !bind)
        wh_check_error(c, m->uid.src, "only a bind mount can have id mappings");
    /* Without mappings of its own such a mount takes those of the container's user namespace. */
    if (idmap) {
        if (!bind)
            wh_check_error(c, m->options.src, "only a bind mount can be idmapped");
        else if (m->uid.n == 0 && m->gid.n == 0 && !strchr(idmap->v, '=') && !has_ns(c->s, WH_NS_USER))
            wh_check_error(c, m->options.src,
                           "an idmapped mount needs uidMappings and gidMappings, or a user namespace");
    }
}

/* ---------------------------------------------------------------- devices, interfaces, sysctl */

static void check_device(struct wh_check *c, const struct wh_device *d)
{
    if (d->type == 'p')
        return;
    if (!d->major.set)
        wh_check_error(c, d->src, "a device of type %c needs the property \"major\"", d->type);
    if (!d->minor.set)
        wh_check_error(c, d->src, "a device of type %c needs the property \"minor\"", d->type);
}

static void check_netdevs(struct wh_check *c, const struct wh_linux *l)
{
    if (l->net_devices.n == 0)
        return;
    if (!l->ns[WH_NS_NETWORK].set)
        wh_check_error(c, l->net_devices.src, "unable to move network devices without a NET namespace");
    for (size_t i = 0; i < l->net_devices.n; i++) {
        const struct wh_netdev *d = &l->net_devices.v[i];

        /* The few that there are, and no more: a container's devices are physical or made one by one. */
        for (size_t k = 0; k < i && i < 256; k++) {
            const struct wh_netdev *o = &l->net_devices.v[k];
            const char *name = d->name.v ? d->name.v : d->host_name, *other = o->name.v ? o->name.v : o->host_name;

            if (wh_streq(name, other) && !strchr(name, '%')) {
                wh_check_error(c, d->name.v ? d->name.src : d->src, "two network devices would be named \"%s\"", name);
                break;
            }
        }
    }
}

static bool is_sysctl(const char *key, const char *name)
{
    for (; *key && *name; key++, name++)
        if (*key != *name && !(*key == '/' && *name == '.'))
            return false;
    return *key == *name;
}

static void check_sysctl(struct wh_check *c, const struct wh_kvs *sysctl)
{
    for (size_t i = 0; i < sysctl->n; i++) {
        const struct wh_kv *kv = &sysctl->v[i];

        if (is_sysctl(kv->key, "kernel.hostname"))
            wh_check_error(c, kv->src,
                           "sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field");
        if (is_sysctl(kv->key, "kernel.domainname") && c->s->domainname.v && !wh_streq(kv->value, c->s->domainname.v))
            wh_check_error(
                c, kv->src,
                "sysctl \"kernel.domainname\" is not allowed as it conflicts with the OCI \"domainname\" field");
    }
}

/* ---------------------------------------------------------------- the rest of linux */

static void check_rdt(struct wh_check *c, const struct wh_linux *l)
{
    /* Two ways to write the same file, of which the last would win. */
    if (l->intel_rdt.set && l->intel_rdt.schemata.n > 0)
        for (size_t i = 0; i < l->intel_rdt.schemata.n; i++)
            if (strchr(l->intel_rdt.schemata.v[i].v, '\n'))
                wh_check_error(c, l->intel_rdt.schemata.v[i].src, "must be one line");
}

static void check_mempolicy(struct wh_check *c, const struct wh_linux *l)
{
    enum { DEFAULT = 0, PREFERRED = 1, BIND = 2, LOCAL = 4 };
    enum { NUMA_BALANCING = 1 << 13, RELATIVE = 1 << 14, STATIC = 1 << 15 };
    const struct wh_sstr *nodes = &l->memory_policy.nodes;
    int mode = l->memory_policy.mode;
    bool some = nodes->v && *nodes->v;

    if (!l->memory_policy.set)
        return;
    if (mode == DEFAULT || mode == LOCAL) {
        if (some)
            wh_check_error(c, nodes->src, "MPOL_%s takes no nodes", mode == LOCAL ? "LOCAL" : "DEFAULT");
    } else if (mode != PREFERRED && !some) {
        wh_check_error(c, nodes->v ? nodes->src : l->memory_policy.src, "this memory policy needs at least one node");
    }
    if ((l->memory_policy.flags & RELATIVE) && (l->memory_policy.flags & STATIC))
        wh_check_error_in(c, l->memory_policy.src, "flags",
                          "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other");
    else if (l->memory_policy.flags && (mode == DEFAULT || mode == LOCAL))
        wh_check_error_in(c, l->memory_policy.src, "flags", "this memory policy takes no flags");
}

static void check_linux(struct wh_check *c, const struct wh_linux *l)
{
    for (size_t i = 0; i < l->devices.n; i++)
        check_device(c, &l->devices.v[i]);
    check_netdevs(c, l);
    check_sysctl(c, &l->sysctl);
    wh_check_resources(c, &l->resources);
    wh_check_seccomp(c, &l->seccomp);
    check_rdt(c, l);
    check_mempolicy(c, l);
    /* Not one is defined; a word that does nothing would be a silent no. */
    if (l->personality.flags.n > 0)
        wh_check_error(c, l->personality.flags.src, "no personality flags are defined");
}

unsigned wh_spec_validate(struct wh_spec *s, struct wh_errlist *errs)
{
    struct wh_check c = { .s = s, .errs = errs };

    if (s->process)
        wh_check_process(&c, s->process);
    for (size_t i = 0; i < s->nmounts; i++)
        check_mount(&c, &s->mounts[i]);
    check_namespaces(&c);
    check_linux(&c, &s->linux_);
    return c.n;
}
