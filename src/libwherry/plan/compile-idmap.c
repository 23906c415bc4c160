/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose ids a mount shows. Mappings come from, in this order: the option idmap=…, uidMappings and gidMappings of the mount, the
 * container's user namespace. In all of them the first id of a range is one of the source's file system and the second what
 * it becomes, as the host numbers it: the kernel reads the map of the mount as it reads that of a user namespace.
 */
#include "plan/compile-mount.h"

#include <errno.h>
#include <stdio.h>

const char *wh_compile_map_text(struct wh_compile *c, const struct wh_idmaps *m)
{
    /* Built in one pass: maps have up to 340 lines, and each append would copy the rest. */
    enum { LINE = sizeof "4294967295 4294967295 4294967295\n" };
    size_t cap = m->n * LINE + 1, len = 0;
    char *text = wh_arena_alloc(c->arena, cap);

    if (!text) {
        c->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < m->n; i++)
        len += (size_t)snprintf(text + len, cap - len, "%s%u %u %u", i ? "\n" : "", m->v[i].container_id,
                                m->v[i].host_id, m->v[i].size);
    return text;
}

/* ---------------------------------------------------------------- idmap=uids=0-100000-65536#…;gids=… */

/* An unsigned number that ends at `end`; false for anything else, signs and blanks included. */
static bool number(const char **s, char end, uint32_t *ret)
{
    uint64_t v = 0;
    unsigned n = 0;

    for (; **s >= '0' && **s <= '9' && n < 11; ++*s, n++)
        v = v * 10 + (uint64_t)(**s - '0');
    if (n == 0 || v > UINT32_MAX || (end && **s != end))
        return false;
    *s += end != '\0';
    *ret = (uint32_t)v;
    return true;
}

static size_t count(const char *s, size_t len, char ch)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += s[i] == ch;
    return n;
}

/* What the container's ids are on the host: a range may lie in several of its user namespace's. Zero once all of it is mapped. */
static uint32_t add_relative(const struct wh_idmaps *own, struct wh_idmap r, struct wh_idmaps *ret)
{
    while (r.size > 0) {
        uint32_t done = 0;

        for (size_t i = 0; i < own->n && !done; i++) {
            const struct wh_idmap *o = &own->v[i];
            uint32_t skip = r.host_id - o->container_id;

            if (r.host_id < o->container_id || skip >= o->size)
                continue;
            done = o->size - skip < r.size ? o->size - skip : r.size;
            ret->v[ret->n++] = (struct wh_idmap){ r.container_id, o->host_id + skip, done, r.src };
        }
        if (!done)
            break;
        r.container_id += done;
        r.host_id += done;
        r.size -= done;
    }
    return r.size;
}

/* One of the lists. text is up to the semicolon or the end. */
static int parse_list(struct wh_compile *c, const struct wh_sstr *opt, const char *text, size_t len,
                      const struct wh_idmaps *own, struct wh_idmaps *ret)
{
    /* Each relative range may touch every range of the container's, and is then cut into as many. */
    size_t ranges = count(text, len, '#') + 1, room = ranges * (own->n + 1);
    const char *s = text, *end = text + len;

    if (ret->n)
        return wh_compile_err(c, -EINVAL, opt->src, "mount option \"%s\" has the same list twice", opt->v);
    ret->v = wh_arena_new_array(c->arena, struct wh_idmap, room);
    if (!ret->v)
        return wh_compile_err(c, -ENOMEM, opt->src, "cannot allocate memory for an id map");
    for (;;) {
        bool relative = *s == '@';
        struct wh_idmap r = { .src = opt->src };
        uint32_t left = 0;

        s += relative;
        if (!number(&s, '-', &r.container_id) || !number(&s, '-', &r.host_id) || !number(&s, '\0', &r.size) ||
            (s != end && *s != '#'))
            return wh_compile_err(
                c, -EINVAL, opt->src,
                "mount option \"%s\" is not of the form idmap=uids=FROM-TO-COUNT#FROM-TO-COUNT;gids=FROM-TO-COUNT",
                opt->v);
        if (r.size == 0 || r.size > UINT32_MAX - r.container_id || r.size > UINT32_MAX - r.host_id)
            return wh_compile_err(c, -EINVAL, opt->src,
                                  "mount option \"%s\" has a range that is empty or reaches beyond the last id, "
                                  "4294967294",
                                  opt->v);
        if (!relative)
            ret->v[ret->n++] = r;
        else
            left = add_relative(own, r, ret);
        if (left)
            return wh_compile_err(c, -EINVAL, opt->src,
                                  "mount option \"%s\": id %u is not in the mappings of the container's user namespace",
                                  opt->v, r.host_id + (r.size - left));
        if (s == end)
            return 0;
        s++;
    }
}

static int parse_option(struct wh_compile *c, const struct wh_sstr *opt, struct wh_idmaps *uid, struct wh_idmaps *gid)
{
    const struct wh_linux *l = &c->spec->linux_;
    const char *s = strchr(opt->v, '=') + 1;

    for (;;) {
        size_t len = strcspn(s, ";");
        bool u = wh_startswith(s, "uids=");
        int r;

        if (!u && !wh_startswith(s, "gids="))
            return wh_compile_err(c, -EINVAL, opt->src,
                                  "mount option \"%s\" has neither uids= nor gids= where a list should begin", opt->v);
        r = parse_list(c, opt, s + 5, len - 5, u ? &l->uid_mappings : &l->gid_mappings, u ? uid : gid);
        if (r < 0)
            return r;
        s += len;
        if (!*s)
            break;
        s++;
    }
    if (!uid->n || !gid->n)
        return wh_compile_err(c, -EINVAL, opt->src, "mount option \"%s\" needs both lists, uids= and gids=", opt->v);
    return 0;
}

/* ---------------------------------------------------------------- one mount */

int wh_mount_idmap(struct wh_compile *c, struct wh_mount_job *j)
{
    const struct wh_linux *l = &c->spec->linux_;
    const struct wh_mount_spec *m = j->m;
    const struct wh_idmaps *uid = &m->uid, *gid = &m->gid;
    struct wh_idmaps ouid = { 0 }, ogid = { 0 };
    wh_node src = j->o.idmap_opt ? j->o.idmap_opt->src : m->uid.n ? m->uid.src : m->gid.src;

    if (!j->o.idmap && !m->uid.n && !m->gid.n)
        return 0;
    if (!j->o.bind)
        return wh_compile_err(c, -EINVAL, src, "only a bind mount can be idmapped");
    /* The kernel asks for CAP_SYS_ADMIN in the user namespace that owns the file system. */
    if (c->facts->euid != 0)
        return wh_compile_err(c, -EINVAL, src,
                              "an idmapped mount needs root of the host: it is not possible for a rootless container");
    if (j->o.idmap_opt && strchr(j->o.idmap_opt->v, '=')) {
        if (uid->n || gid->n)
            return wh_compile_err(
                c, -EINVAL, src,
                "a mount has either mappings in the option %s or uidMappings and gidMappings, not both",
                j->o.ridmap ? "ridmap=" : "idmap=");
        if (parse_option(c, j->o.idmap_opt, &ouid, &ogid) < 0)
            return -EINVAL;
        uid = &ouid;
        gid = &ogid;
    } else if (!uid->n && !gid->n) {
        if (c->join_ns[WH_NS_USER]) {
            j->userns = l->ns[WH_NS_USER].path.v;
            return 0;
        }
        if (!c->new_ns[WH_NS_USER])
            return wh_compile_err(c, -EINVAL, src,
                                  "an idmapped mount needs uidMappings and gidMappings, or a user namespace");
        uid = &l->uid_mappings;
        gid = &l->gid_mappings;
    }
    if (!uid->n || !gid->n)
        return wh_compile_err(c, -EINVAL, src, "uidMappings and gidMappings must both be given");
    j->uid_map = wh_compile_map_text(c, uid);
    j->gid_map = wh_compile_map_text(c, gid);
    return j->uid_map && j->gid_map ? 0 : -ENOMEM;
}
