/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/state.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <yajl/yajl_parse.h>

#include "abi/kernel.h"
#include "base/json-out.h"

/* ---- writing ---- */

static void strings(struct wh_json *j, const char *key, const struct wh_strv *v)
{
    wh_json_open(j, key, '[');
    for (size_t i = 0; i < v->n; i++)
        wh_json_str(j, NULL, v->v[i]);
    wh_json_close(j, ']');
}

/* Keys and links of namespace_paths, as runc's state.json has them and scripts read them. */
static const struct {
    uint32_t flag;
    const char *key, *link;
} ns_names[] = {
    { CLONE_NEWCGROUP, "NEWCGROUP", "cgroup" }, { CLONE_NEWIPC, "NEWIPC", "ipc" },
    { CLONE_NEWNET, "NEWNET", "net" },          { CLONE_NEWNS, "NEWNS", "mnt" },
    { CLONE_NEWPID, "NEWPID", "pid" },          { CLONE_NEWTIME, "NEWTIME", "time" },
    { CLONE_NEWUSER, "NEWUSER", "user" },       { CLONE_NEWUTS, "NEWUTS", "uts" },
};

void wh_state_write(const struct wh_state *s, struct wh_buf *out)
{
    struct wh_json j = { .out = out };

    wh_json_open(&j, NULL, '{');
    wh_json_str(&j, "id", s->id);
    wh_json_u64(&j, "init_process_pid", (uint64_t)s->pid);
    wh_json_u64(&j, "init_process_start", s->identity.start);
    wh_json_u64(&j, "init_process_ino", s->identity.ino);
    wh_json_str(&j, "created", s->created);
    wh_json_str(&j, "bundle", s->bundle);
    wh_json_str(&j, "rootfs", s->rootfs);
    wh_json_bool(&j, "rootless", s->rootless);
    wh_json_open(&j, "cgroup_paths", '{');
    if (s->cgroup_path)
        wh_json_str(&j, "", s->cgroup_path);
    wh_json_close(&j, '}');
    wh_json_open(&j, "namespace_paths", '{');
    for (size_t i = 0; s->pid && i < WH_ELEMENTSOF(ns_names); i++)
        if (s->nsflags & ns_names[i].flag) {
            char path[48];

            snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)s->pid, ns_names[i].link);
            wh_json_str(&j, ns_names[i].key, path);
        }
    wh_json_close(&j, '}');
    wh_json_u64(&j, "nsflags", s->nsflags);
    if (s->start_step)
        wh_json_u64(&j, "start_step", s->start_step);
    wh_json_str(&j, "cgroup", s->cgroup);
    wh_json_u64(&j, "cgroup_manager", s->cgroup_manager);
    wh_json_bool(&j, "private_pidns", s->private_pidns);
    wh_json_bool(&j, "notify", s->notify);
    if (s->no_new_keyring)
        wh_json_bool(&j, "no_new_keyring", true);
    if (s->init)
        wh_json_bool(&j, "init", true);
    wh_json_u64(&j, "pidns", s->pidns);
    wh_json_str(&j, "boot_id", s->boot_id);
    if (s->listener_path)
        wh_json_str(&j, "listener_path", s->listener_path);
    if (s->listener_place)
        wh_json_str(&j, "listener_place", s->listener_place);
    if (s->listener_metadata)
        wh_json_str(&j, "listener_metadata", s->listener_metadata);
    wh_json_open(&j, "annotations", '{');
    for (size_t i = 0; i < s->nannotations; i++)
        wh_json_str(&j, s->annotations[i].key, s->annotations[i].value);
    wh_json_close(&j, '}');
    wh_json_open(&j, "hooks", '[');
    for (size_t i = 0; i < s->nhooks; i++) {
        const struct wh_hook_entry *h = &s->hooks[i];

        wh_json_open(&j, NULL, '{');
        wh_json_u64(&j, "kind", h->kind);
        wh_json_u64(&j, "index", h->index);
        wh_json_u64(&j, "timeout", h->timeout);
        wh_json_u64(&j, "line", h->line);
        wh_json_bool(&j, "env_set", h->env_set);
        wh_json_str(&j, "path", h->path);
        strings(&j, "args", &h->args);
        strings(&j, "env", &h->env);
        wh_json_close(&j, '}');
    }
    wh_json_close(&j, ']');
    wh_json_close(&j, '}');
    wh_buf_add(out, "\n", 1);
}

/* ---- reading ---- */

#define READ_DEPTH 6
#define READ_KEY 48
#define READ_MAX_ITEMS 65536u

struct reader {
    struct wh_state *s;
    unsigned depth; /* objects and arrays that are open */
    char key[READ_DEPTH + 1][READ_KEY]; /* of the member being read, by depth */
    char *annotation; /* the whole key, in the arena */
    size_t cap_annotations, cap_hooks, cap_args, cap_env;
};

static void *grow(struct wh_arena *a, void *old, size_t n, size_t *cap, size_t size)
{
    void *p;

    if (n < *cap)
        return old;
    if (n >= READ_MAX_ITEMS)
        return NULL;
    *cap = *cap ? *cap * 2 : 8;
    p = wh_arena_array(a, size, *cap);
    if (p && n)
        memcpy(p, old, n * size);
    return p;
}

static bool in_hooks(const struct reader *r)
{
    return r->depth >= 3 && wh_streq(r->key[1], "hooks");
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    struct reader *r = ctx;
    struct wh_state *s = r->s;
    char *v;
    const char *key = r->key[r->depth <= READ_DEPTH ? r->depth : 0];

    if (r->depth > 4)
        return 1;
    v = wh_arena_strndup(s->arena, (const char *)text, len);
    if (!v)
        return 0;
    if (r->depth == 1) {
        const struct {
            const char *key;
            const char **to;
        } rows[] = { { "listener_path", &s->listener_path },
                     { "listener_metadata", &s->listener_metadata },
                     { "listener_place", &s->listener_place },
                     { "id", &s->id },
                     { "created", &s->created },
                     { "bundle", &s->bundle },
                     { "rootfs", &s->rootfs },
                     { "cgroup", &s->cgroup },
                     { "boot_id", &s->boot_id } };

        for (size_t i = 0; i < WH_ELEMENTSOF(rows); i++)
            if (wh_streq(key, rows[i].key))
                *rows[i].to = v;
    } else if (r->depth == 2 && wh_streq(r->key[1], "cgroup_paths")) {
        s->cgroup_path = v;
    } else if (r->depth == 2 && wh_streq(r->key[1], "annotations")) {
        s->annotations = grow(s->arena, s->annotations, s->nannotations, &r->cap_annotations, sizeof *s->annotations);
        if (!s->annotations || !r->annotation)
            return 0;
        s->annotations[s->nannotations++] = (struct wh_annotation){ r->annotation, v };
    } else if (in_hooks(r) && s->nhooks > 0) {
        struct wh_hook_entry *h = &s->hooks[s->nhooks - 1];

        if (r->depth == 3 && wh_streq(key, "path"))
            h->path = v;
        if (r->depth == 4) {
            bool args = wh_streq(r->key[3], "args");
            struct wh_strv *to = args ? &h->args : &h->env;

            to->v = grow(s->arena, to->v, to->n, args ? &r->cap_args : &r->cap_env, sizeof *to->v);
            if (!to->v)
                return 0;
            to->v[to->n++] = v;
        }
    }
    return 1;
}

/* yajl hands numbers over as text when asked: a uint64 (start time, inode) survives. */
static int on_number(void *ctx, const char *text, size_t len)
{
    struct reader *r = ctx;
    struct wh_state *s = r->s;
    const char *key = r->key[r->depth <= READ_DEPTH ? r->depth : 0];
    uint64_t v, *to64 = NULL;
    uint32_t *to32 = NULL;
    char num[24];
    bool pid = false;

    if (r->depth == 1) {
        pid = wh_streq(key, "init_process_pid");
        to64 = wh_streq(key, "init_process_start") ? &s->identity.start
               : wh_streq(key, "init_process_ino") ? &s->identity.ino
               : wh_streq(key, "pidns")            ? &s->pidns
                                                   : NULL;
        to32 = wh_streq(key, "nsflags")          ? &s->nsflags
               : wh_streq(key, "start_step")     ? &s->start_step
               : wh_streq(key, "cgroup_manager") ? &s->cgroup_manager
                                                 : NULL;
    } else if (in_hooks(r) && r->depth == 3 && s->nhooks > 0) {
        struct wh_hook_entry *h = &s->hooks[s->nhooks - 1];

        to32 = wh_streq(key, "kind")      ? &h->kind
               : wh_streq(key, "index")   ? &h->index
               : wh_streq(key, "timeout") ? &h->timeout
               : wh_streq(key, "line")    ? &h->line
                                          : NULL;
    }
    if (!pid && !to64 && !to32)
        return 1;
    if (len >= sizeof num)
        return 0;
    memcpy(num, text, len);
    num[len] = '\0';
    if (wh_parse_u64(num, pid ? INT32_MAX : to32 ? UINT32_MAX : UINT64_MAX, &v) < 0)
        return 0;
    if (pid)
        s->pid = (pid_t)v;
    else if (to64)
        *to64 = v;
    else
        *to32 = (uint32_t)v;
    return 1;
}

static int on_bool(void *ctx, int value)
{
    struct reader *r = ctx;

    if (r->depth == 1 && wh_streq(r->key[1], "rootless"))
        r->s->rootless = value;
    else if (r->depth == 1 && wh_streq(r->key[1], "notify"))
        r->s->notify = value;
    else if (r->depth == 1 && wh_streq(r->key[1], "private_pidns"))
        r->s->private_pidns = value;
    else if (r->depth == 1 && wh_streq(r->key[1], "no_new_keyring"))
        r->s->no_new_keyring = value;
    else if (r->depth == 1 && wh_streq(r->key[1], "init"))
        r->s->init = value;
    else if (in_hooks(r) && r->depth == 3 && r->s->nhooks > 0 && wh_streq(r->key[3], "env_set"))
        r->s->hooks[r->s->nhooks - 1].env_set = value;
    return 1;
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    struct reader *r = ctx;

    if (r->depth > READ_DEPTH)
        return 1;
    if (r->depth == 2 && wh_streq(r->key[1], "annotations"))
        r->annotation = wh_arena_strndup(r->s->arena, (const char *)text, len);
    if (len >= READ_KEY)
        len = 0;
    memcpy(r->key[r->depth], text, len);
    r->key[r->depth][len] = '\0';
    return 1;
}

static int on_open(void *ctx)
{
    struct reader *r = ctx;
    struct wh_state *s = r->s;

    if (++r->depth > 64)
        return 0;
    if (r->depth <= READ_DEPTH)
        r->key[r->depth][0] = '\0';
    if (r->depth == 3 && wh_streq(r->key[1], "hooks")) {
        s->hooks = grow(s->arena, s->hooks, s->nhooks, &r->cap_hooks, sizeof *s->hooks);
        if (!s->hooks)
            return 0;
        memset(&s->hooks[s->nhooks++], 0, sizeof *s->hooks);
        r->cap_args = r->cap_env = 0;
    }
    return 1;
}

static int on_array(void *ctx)
{
    struct reader *r = ctx;

    /* A state is an object. */
    return r->depth == 0 ? 0 : on_open(ctx);
}

static int on_close(void *ctx)
{
    ((struct reader *)ctx)->depth--;
    return 1;
}

int wh_state_read(const char *json, size_t len, const char *id, struct wh_arena *arena, struct wh_state *ret)
{
    static const yajl_callbacks cb = { .yajl_boolean = on_bool,
                                       .yajl_number = on_number,
                                       .yajl_string = on_string,
                                       .yajl_start_map = on_open,
                                       .yajl_map_key = on_key,
                                       .yajl_end_map = on_close,
                                       .yajl_start_array = on_array,
                                       .yajl_end_array = on_close };
    struct wh_state s = { .arena = arena };
    struct reader r = { .s = &s };
    yajl_handle h = yajl_alloc(&cb, NULL, &r);
    yajl_status st;

    if (!h)
        return -ENOMEM;
    st = yajl_parse(h, (const unsigned char *)json, len);
    if (st == yajl_status_ok)
        st = yajl_complete_parse(h);
    yajl_free(h);
    if (wh_arena_failed(arena))
        return -ENOMEM;
    /* What delete acts upon must be whole: a state that lacks one of these is damaged. */
    if (st != yajl_status_ok || !s.id || !wh_streq(s.id, id) || !s.bundle || !s.rootfs || !s.created || !s.cgroup ||
        !s.boot_id)
        return -EINVAL;
    for (size_t i = 0; i < s.nhooks; i++)
        if (!s.hooks[i].path || s.hooks[i].kind >= WH_HOOK_MAX)
            return -EINVAL;
    *ret = s;
    return 0;
}

int wh_state_check_id(const char *id, struct wh_err *err)
{
    size_t n;

    if (!id || !*id)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "container id cannot be empty");
    n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-");
    /* NAME_MAX; a leading dot is ours (.cache), and hides the container from `ls`. */
    if (id[n] || n > 255 || id[0] == '.')
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "invalid container ID format");
    return 0;
}

const char *wh_status_name(enum wh_status s)
{
    static const char *const names[] = { "stopped", "created", "running", "paused", "creating" };

    return names[s];
}
