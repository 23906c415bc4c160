/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include <errno.h>

/*
 * Which sysctls belong to a namespace. Everything else acts on the whole host, whatever namespaces the
 * writer is in, so this list is closed.
 */
struct rule {
    const char *name; /* slash form; a trailing slash makes it a prefix */
    enum wh_ns ns;
};
static const struct rule rules[] = {
    { "fs/mqueue/", WH_NS_IPC },        { "kernel/msgmax", WH_NS_IPC }, { "kernel/msgmnb", WH_NS_IPC },
    { "kernel/msgmni", WH_NS_IPC },     { "kernel/sem", WH_NS_IPC },    { "kernel/shm_rmid_forced", WH_NS_IPC },
    { "kernel/shmall", WH_NS_IPC },     { "kernel/shmmax", WH_NS_IPC }, { "kernel/shmmni", WH_NS_IPC },
    { "kernel/domainname", WH_NS_UTS }, { "net/", WH_NS_NETWORK },      { "user/", WH_NS_USER },
};

/*
 * Either form to the path below /proc/sys, as sysctl(8) reads them: the first separator decides which one separates, and
 * the other character is then part of a name ("net.ipv4.conf.eth0/100.mtu" and "net/ipv4/conf/eth0.100/mtu" are the same).
 * Null for what could leave the directory or names nothing.
 */
static char *path_of(struct wh_compile *c, const char *key)
{
    size_t len = strlen(key);
    char *path = wh_arena_strndup(c->arena, key, len), *part = path;
    const char *sep;
    bool dots;

    if (!path) {
        c->failed = true;
        return NULL;
    }
    sep = strpbrk(key, "./");
    dots = sep && *sep == '.';
    for (char *p = path; dots && *p; p++)
        *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
    for (char *p = path;; p++) {
        if (*p && *p != '/')
            continue;
        /* "", "." and "..": no component may move the path, nor be empty. */
        if (p == part || (p - part == 1 && part[0] == '.') || (p - part == 2 && part[0] == '.' && part[1] == '.'))
            return NULL;
        if (!*p)
            return path;
        part = p + 1;
    }
}

static const struct rule *rule_of(const char *path)
{
    for (size_t i = 0; i < WH_ELEMENTSOF(rules); i++) {
        size_t len = strlen(rules[i].name);

        if (rules[i].name[len - 1] == '/' ? strncmp(path, rules[i].name, len) == 0 && path[len]
                                          : wh_streq(path, rules[i].name))
            return &rules[i];
    }
    return NULL;
}

/* True if the namespace is not the host's (nor ours). */
static bool own_ns(const struct wh_compile *c, enum wh_ns ns)
{
    if (ns == WH_NS_NETWORK && c->join_ns[ns] && c->req->in_host_netns)
        return false;
    return c->new_ns[ns] || c->join_ns[ns];
}

static void sysctl(struct wh_compile *c, const struct wh_kv *kv)
{
    const struct rule *rule;
    struct wh_step_sysctl *s;
    char *path = path_of(c, kv->key);

    if (!path) {
        if (!c->failed || !wh_arena_failed(c->arena))
            wh_compile_err(c, -EINVAL, kv->src, "sysctl \"%s\" is not a valid name", kv->key);
        return;
    }
    if (wh_streq(path, "kernel/hostname")) {
        wh_compile_err(c, -EINVAL, kv->src, "sysctl \"%s\" is not allowed: use the hostname property", kv->key);
        return;
    }
    rule = rule_of(path);
    if (!rule) {
        wh_compile_err(c, -EINVAL, kv->src,
                       "sysctl \"%s\" is not in a separate kernel namespace: it would change the whole host", kv->key);
        return;
    }
    if (!own_ns(c, rule->ns)) {
        wh_compile_err(c, -EINVAL, kv->src, "sysctl \"%s\" is not allowed in the hosts %s namespace", kv->key,
                       wh_ns_name(rule->ns));
        return;
    }
    s = WH_STEP(c, SYSCTL, sysctl, kv->src);
    if (!s)
        return;
    s->proc = WH_SLOT_PROC;
    s->path = wh_build_str(c->b, path);
    s->value = wh_build_str(c->b, kv->value);
}

void wh_compile_sysctl(struct wh_compile *c)
{
    const struct wh_spec *s = c->spec;
    bool host = s->hostname.v && *s->hostname.v, domain = s->domainname.v && *s->domainname.v;

    for (size_t i = 0; i < s->linux_.sysctl.n; i++)
        sysctl(c, &s->linux_.sysctl.v[i]);
    if (host && !own_ns(c, WH_NS_UTS))
        wh_compile_err(c, -EINVAL, s->hostname.src, "unable to set hostname without a private UTS namespace");
    else if (host) {
        struct wh_step_hostname *h = WH_STEP(c, HOSTNAME, hostname, s->hostname.src);

        if (h)
            h->name = wh_build_str(c->b, s->hostname.v);
    }
    if (domain && !own_ns(c, WH_NS_UTS))
        wh_compile_err(c, -EINVAL, s->domainname.src, "unable to set domainname without a private UTS namespace");
    else if (domain) {
        struct wh_step_domainname *d = WH_STEP(c, DOMAINNAME, domainname, s->domainname.src);

        if (d)
            d->name = wh_build_str(c->b, s->domainname.v);
    }
}
