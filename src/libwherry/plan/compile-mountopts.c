/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of mounts[].options in the terms of the new mount API, which knows three kinds of them:
 * attributes of the mount (mount_setattr, fsmount), propagation types, and parameters of the file system (fsconfig).
 */
#include "plan/compile.h"

#include <errno.h>

#include "abi/kernel.h"

enum word_kind {
    W_NONE, /* accepted, does nothing here */
    W_SET, /* attribute of the mount */
    W_CLEAR,
    W_ATIME_SET, /* one of the three flags of mount(2) that together choose the kernel's one atime mode */
    W_ATIME_CLEAR,
    W_RSET, /* of the whole tree */
    W_RCLEAR,
    W_RATIME_SET,
    W_RATIME_CLEAR,
    W_SB, /* flag of the superblock: an fsconfig flag of the same name, or of the name without its r */
    W_PROP,
    W_PROP_REC,
    W_BIND,
    W_RBIND,
    W_REMOUNT,
    W_TMPCOPYUP,
    W_IDMAP,
    W_RIDMAP,
    W_COPY_SYMLINK,
    W_SRC_NOFOLLOW,
    W_DEST_NOFOLLOW,
};

#define RELATIME 1u
#define NOATIME 2u
#define STRICTATIME 4u

struct word {
    const char *name;
    enum word_kind kind;
    uint32_t arg;
};

/*
 * Sorted: looked up by bisection, and what `features` lists.
 *
 * silent, loud: suppress a kernel message at mount(2); fsconfig has no such flag. iversion: every file system that counts
 * versions does so always since Linux 6.1, and fsconfig has no flag either. defaults: what is there without it.
 */
static const struct word words[] = {
    { "async", W_SB, 0 },
    { "atime", W_ATIME_CLEAR, NOATIME },
    { "bind", W_BIND, 0 },
    { "copy-symlink", W_COPY_SYMLINK, 0 },
    { "defaults", W_NONE, 0 },
    { "dest-nofollow", W_DEST_NOFOLLOW, 0 },
    { "dev", W_CLEAR, WH_MOUNT_ATTR_NODEV },
    { "diratime", W_CLEAR, WH_MOUNT_ATTR_NODIRATIME },
    { "dirsync", W_SB, 0 },
    { "exec", W_CLEAR, WH_MOUNT_ATTR_NOEXEC },
    { "idmap", W_IDMAP, 0 },
    { "iversion", W_NONE, 0 },
    { "lazytime", W_SB, 0 },
    { "loud", W_NONE, 0 },
    { "mand", W_SB, 0 },
    { "noatime", W_ATIME_SET, NOATIME },
    { "nodev", W_SET, WH_MOUNT_ATTR_NODEV },
    { "nodiratime", W_SET, WH_MOUNT_ATTR_NODIRATIME },
    { "noexec", W_SET, WH_MOUNT_ATTR_NOEXEC },
    { "noiversion", W_NONE, 0 },
    { "nolazytime", W_SB, 0 },
    { "nomand", W_SB, 0 },
    { "norelatime", W_ATIME_CLEAR, RELATIME },
    { "nostrictatime", W_ATIME_CLEAR, STRICTATIME },
    { "nosuid", W_SET, WH_MOUNT_ATTR_NOSUID },
    { "nosymfollow", W_SET, WH_MOUNT_ATTR_NOSYMFOLLOW },
    { "private", W_PROP, WH_MS_PRIVATE },
    { "rasync", W_SB, 1 },
    { "ratime", W_RATIME_CLEAR, NOATIME },
    { "rbind", W_RBIND, 0 },
    { "rdev", W_RCLEAR, WH_MOUNT_ATTR_NODEV },
    { "rdiratime", W_RCLEAR, WH_MOUNT_ATTR_NODIRATIME },
    { "rdirsync", W_SB, 1 },
    { "relatime", W_ATIME_SET, RELATIME },
    { "remount", W_REMOUNT, 0 },
    { "rexec", W_RCLEAR, WH_MOUNT_ATTR_NOEXEC },
    { "ridmap", W_RIDMAP, 0 },
    { "rmand", W_SB, 1 },
    { "rnoatime", W_RATIME_SET, NOATIME },
    { "rnodev", W_RSET, WH_MOUNT_ATTR_NODEV },
    { "rnodiratime", W_RSET, WH_MOUNT_ATTR_NODIRATIME },
    { "rnoexec", W_RSET, WH_MOUNT_ATTR_NOEXEC },
    { "rnomand", W_SB, 1 },
    { "rnorelatime", W_RATIME_CLEAR, RELATIME },
    { "rnostrictatime", W_RATIME_CLEAR, STRICTATIME },
    { "rnosuid", W_RSET, WH_MOUNT_ATTR_NOSUID },
    { "rnosymfollow", W_RSET, WH_MOUNT_ATTR_NOSYMFOLLOW },
    { "ro", W_SET, WH_MOUNT_ATTR_RDONLY },
    { "rprivate", W_PROP_REC, WH_MS_PRIVATE },
    { "rrelatime", W_RATIME_SET, RELATIME },
    { "rro", W_RSET, WH_MOUNT_ATTR_RDONLY },
    { "rrw", W_RCLEAR, WH_MOUNT_ATTR_RDONLY },
    { "rshared", W_PROP_REC, WH_MS_SHARED },
    { "rslave", W_PROP_REC, WH_MS_SLAVE },
    { "rstrictatime", W_RATIME_SET, STRICTATIME },
    { "rsuid", W_RCLEAR, WH_MOUNT_ATTR_NOSUID },
    { "rsymfollow", W_RCLEAR, WH_MOUNT_ATTR_NOSYMFOLLOW },
    { "rsync", W_SB, 1 },
    { "runbindable", W_PROP_REC, WH_MS_UNBINDABLE },
    { "rw", W_CLEAR, WH_MOUNT_ATTR_RDONLY },
    { "shared", W_PROP, WH_MS_SHARED },
    { "silent", W_NONE, 0 },
    { "slave", W_PROP, WH_MS_SLAVE },
    { "src-nofollow", W_SRC_NOFOLLOW, 0 },
    { "strictatime", W_ATIME_SET, STRICTATIME },
    { "suid", W_CLEAR, WH_MOUNT_ATTR_NOSUID },
    { "symfollow", W_CLEAR, WH_MOUNT_ATTR_NOSYMFOLLOW },
    { "sync", W_SB, 0 },
    { "tmpcopyup", W_TMPCOPYUP, 0 },
    { "unbindable", W_PROP, WH_MS_UNBINDABLE },
};

static const struct word *find_word(const char *name)
{
    size_t lo = 0, hi = WH_ELEMENTSOF(words);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int d = strcmp(name, words[mid].name);

        if (d == 0)
            return &words[mid];
        if (d < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* Id-mapped mounts have a place of their own in `features`, where engines look for them. */
static bool supported(const struct word *w)
{
    return w->kind != W_IDMAP && w->kind != W_RIDMAP;
}

const char *const *wh_mountopts_names(size_t *ret_n)
{
    static const char *names[WH_ELEMENTSOF(words)];
    size_t n = 0;

    /* The same values whoever fills it: threads may race here without harm. */
    for (size_t i = 0; i < WH_ELEMENTSOF(words); i++)
        if (supported(&words[i]))
            names[n++] = words[i].name;
    *ret_n = n;
    return names;
}

/* The words that stand for flags of mount(2) keep a value each, "the later wins"; their combination becomes a mode at the
 * end, as the kernel does it for mount(2): strictatime before noatime before relatime. */
struct atime {
    unsigned set, named;
};

static void atime_word(struct atime *a, unsigned flag, bool set)
{
    a->set = set ? a->set | flag : a->set & ~flag;
    a->named |= flag;
}

static uint64_t atime_mode(const struct atime *a)
{
    return a->set & STRICTATIME ? WH_MOUNT_ATTR_STRICTATIME
           : a->set & NOATIME   ? WH_MOUNT_ATTR_NOATIME
                                : WH_MOUNT_ATTR_RELATIME;
}

/* mount_setattr(2) takes an atime mode only if the whole field is cleared as well. norelatime or nostrictatime alone name
 * no mode that the mount should have, so that a bind keeps its own. */
static void atime_apply(const struct atime *a, uint64_t *set, uint64_t *clr)
{
    if (!a->set && !(a->named & NOATIME))
        return;
    *set |= atime_mode(a);
    *clr |= WH_MOUNT_ATTR_ATIME;
}

/* The later wins. */
static void attr_word(uint64_t *set, uint64_t *clr, uint64_t attr, bool on)
{
    *set = on ? *set | attr : *set & ~attr;
    *clr = on ? *clr & ~attr : *clr | attr;
}

/* fsconfig(2) copies at most this much of a key and of a value, NUL included, and says EINVAL to more. */
#define FSCONFIG_MAX 256u

static int add_param(struct wh_compile *c, const struct wh_sstr *opt, const char *word, size_t len,
                     struct wh_mountopts *ret)
{
    const char *eq = memchr(word, '=', len);
    size_t klen = eq ? (size_t)(eq - word) : len, vlen = eq ? len - klen - 1 : 0;
    const char *value = eq ? eq + 1 : NULL;

    if (klen == 0)
        return len == 0 ? 0 : wh_compile_err(c, -EINVAL, opt->src, "mount option \"%s\" has no name", opt->v);
    /* The quotes were for mount(2), where a comma in a label would have ended the option. */
    if (vlen >= 2 && value[0] == '"' && value[vlen - 1] == '"') {
        value++;
        vlen -= 2;
    }
    if (klen >= FSCONFIG_MAX || vlen >= FSCONFIG_MAX)
        return wh_compile_err(c, -EINVAL, opt->src,
                              "mount option %.*s: the kernel takes at most %u bytes of a name and of a value",
                              klen < FSCONFIG_MAX ? (int)klen : 32, word, FSCONFIG_MAX - 1);
    ret->has_mode = ret->has_mode || (klen == 4 && memcmp(word, "mode", 4) == 0);
    ret->params.v[ret->params.n] = wh_arena_strndup(c->arena, word, klen);
    ret->params.v[ret->params.n + 1] = value ? wh_arena_strndup(c->arena, value, vlen) : NULL;
    ret->params.n += 2;
    return 0;
}

/* Values that have commas of their own. */
static bool has_commas(const char *word)
{
    static const char *const keys[] = { "context=", "fscontext=", "defcontext=", "rootcontext=", "mpol=" };

    for (size_t i = 0; i < WH_ELEMENTSOF(keys); i++)
        if (wh_startswith(word, keys[i]))
            return true;
    return false;
}

/* A word that we do not know belongs to the file system. Runtimes used to join these with commas for mount(2), so one word
 * may hold several parameters; a backslash protects a comma, as in the paths of overlayfs. */
static int add_params(struct wh_compile *c, const struct wh_sstr *opt, struct wh_mountopts *ret)
{
    const char *start = opt->v;
    int r;

    if (has_commas(opt->v))
        return add_param(c, opt, opt->v, strlen(opt->v), ret);
    for (const char *s = opt->v;; s++) {
        if (*s == '\\' && s[1]) {
            s++;
            continue;
        }
        if (*s && *s != ',')
            continue;
        r = add_param(c, opt, start, (size_t)(s - start), ret);
        if (r < 0 || !*s)
            return r;
        start = s + 1;
    }
}

static size_t count_params(const struct wh_sstrv *options)
{
    size_t n = options->n;

    for (size_t i = 0; i < options->n; i++)
        for (const char *s = options->v[i].v; *s; s++)
            n += *s == ',';
    return n;
}

struct state {
    struct wh_mountopts *ret;
    struct atime atime, ratime;
    const struct wh_sstr *data; /* the first word that is a parameter of the file system */
    const char *sb[16]; /* superblock flags, each name once, later before earlier by replacement */
    size_t nsb;
};

/* sync and async, lazytime and nolazytime… set and clear one bit: the kernel lets the later win by itself, in order. */
static void add_sb(struct state *s, const struct word *w)
{
    const char *name = w->arg ? w->name + 1 : w->name;

    for (size_t i = 0; i < s->nsb; i++)
        if (wh_streq(s->sb[i], name)) {
            for (size_t j = i; j + 1 < s->nsb; j++)
                s->sb[j] = s->sb[j + 1];
            s->nsb--;
            break;
        }
    s->sb[s->nsb++] = name;
}

static int add_propagation(struct wh_compile *c, const struct wh_sstr *opt, const struct word *w,
                           struct wh_mountopts *ret)
{
    /* More can mean nothing new: a mount has a group that it sends to and one that it receives from. */
    if (ret->nprop == WH_ELEMENTSOF(ret->prop))
        return wh_compile_err(c, -EINVAL, opt->src, "more than %zu propagation options on one mount",
                              WH_ELEMENTSOF(ret->prop));
    ret->prop[ret->nprop] = w->arg;
    ret->prop_rec[ret->nprop++] = w->kind == W_PROP_REC;
    return 0;
}

static int add_word(struct wh_compile *c, const struct wh_sstr *opt, const struct word *w, struct state *s)
{
    struct wh_mountopts *ret = s->ret;

    switch (w->kind) {
    case W_NONE:
        break;
    case W_SET:
    case W_CLEAR:
        ret->named = true;
        attr_word(&ret->attr_set, &ret->attr_clr, w->arg, w->kind == W_SET);
        break;
    case W_RSET:
    case W_RCLEAR:
        attr_word(&ret->rattr_set, &ret->rattr_clr, w->arg, w->kind == W_RSET);
        break;
    case W_ATIME_SET:
    case W_ATIME_CLEAR:
        ret->named = true;
        atime_word(&s->atime, w->arg, w->kind == W_ATIME_SET);
        break;
    case W_RATIME_SET:
        /* A mode of the tree, not a flag: there is no mount(2) to be like. */
        s->ratime = (struct atime){ .set = w->arg, .named = w->arg };
        break;
    case W_RATIME_CLEAR:
        /* Whatever is cleared, relatime is what the kernel has left: the specification's "any atime attribute clears all". */
        s->ratime.set &= ~w->arg;
        s->ratime.named |= NOATIME;
        break;
    case W_SB:
        ret->named = true;
        add_sb(s, w);
        break;
    case W_PROP:
    case W_PROP_REC:
        return add_propagation(c, opt, w, ret);
    case W_BIND:
        ret->bind = true;
        break;
    case W_RBIND:
        ret->bind = ret->rec = true;
        break;
    case W_REMOUNT:
        ret->remount = true;
        break;
    case W_TMPCOPYUP:
        ret->tmpcopyup = true;
        break;
    case W_IDMAP:
    case W_RIDMAP:
        /* The later wins. */
        ret->idmap = true;
        ret->ridmap = w->kind == W_RIDMAP;
        ret->idmap_opt = opt;
        break;
    case W_COPY_SYMLINK:
        ret->copy_symlink = true;
        break;
    case W_SRC_NOFOLLOW:
        ret->src_nofollow = true;
        break;
    case W_DEST_NOFOLLOW:
        ret->dest_nofollow = true;
        break;
    }
    return 0;
}

/* The flags of the superblock go in front of the file system's own parameters. A bind shares its superblock with others and
 * cannot change it; mount(2) takes and ignores these words there, and configurations have them. */
static void apply_sb(struct state *s)
{
    struct wh_mountopts *ret = s->ret;

    if (ret->bind)
        return;
    memmove(ret->params.v + 2 * s->nsb, ret->params.v, ret->params.n * sizeof *ret->params.v);
    for (size_t i = 0; i < s->nsb; i++) {
        ret->params.v[2 * i] = s->sb[i];
        ret->params.v[2 * i + 1] = NULL;
    }
    ret->params.n += 2 * s->nsb;
}

int wh_mountopts_parse(struct wh_compile *c, const struct wh_mount_spec *m, struct wh_mountopts *ret)
{
    struct state s = { .ret = ret };
    int r = 0, first = 0;

    *ret = (struct wh_mountopts){ 0 };
    ret->params.v = wh_arena_new_array(c->arena, const char *, 2 * (count_params(&m->options) + WH_ELEMENTSOF(s.sb)));
    if (!ret->params.v)
        return wh_compile_err(c, -ENOMEM, m->src, "cannot allocate memory for mount options");
    for (size_t i = 0; i < m->options.n; i++) {
        const struct wh_sstr *opt = &m->options.v[i];
        const struct word *w = find_word(opt->v);

        /* podman 4.5 and later write one for every container that runs systemd. */
        if (*opt->v == '\0')
            continue;
        if (w) {
            r = add_word(c, opt, w, &s);
        } else if (wh_startswith(opt->v, "idmap=") || wh_startswith(opt->v, "ridmap=")) {
            ret->idmap = true;
            ret->ridmap = *opt->v == 'r';
            ret->idmap_opt = opt;
        } else {
            s.data = s.data ? s.data : opt;
            r = add_params(c, opt, ret);
        }
        first = first ? first : r;
    }
    if (first < 0)
        return first;
    atime_apply(&s.atime, &ret->attr_set, &ret->attr_clr);
    atime_apply(&s.ratime, &ret->rattr_set, &ret->rattr_clr);
    apply_sb(&s);
    ret->ro = ret->attr_set & WH_MOUNT_ATTR_RDONLY;
    if (ret->bind && s.data)
        return wh_compile_err(c, -EINVAL, s.data->src,
                              "bind mounts cannot have any filesystem-specific options applied: \"%s\"", s.data->v);
    if (ret->tmpcopyup && (ret->bind || !m->type.v || !wh_streq(m->type.v, "tmpfs")))
        return wh_compile_err(c, -EINVAL, m->src, "only tmpfs can have the option tmpcopyup");
    return 0;
}
