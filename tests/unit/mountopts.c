/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of mounts[].options: what each means, that the later wins, that every word of the specification is known, and
 * that the kernel takes what comes out.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "plan/compile.h"

#define ALL_SIZE 64

/* options: words separated by spaces. */
static int parse(struct wh_arena *arena, const char *type, const char *options, struct wh_mountopts *ret,
                 struct wh_errlist *errs)
{
    struct wh_spec spec = { 0 };
    struct wh_compile c = { .spec = &spec, .arena = arena, .errs = errs };
    struct wh_sstr words[ALL_SIZE] = { 0 };
    struct wh_mount_spec m = { .options = { .v = words, .set = true } };

    *errs = (struct wh_errlist){ 0 };
    m.type.v = type;
    for (const char *s = options; *s;) {
        size_t len = strcspn(s, " ");

        words[m.options.n++].v = wh_arena_strndup(arena, s, len);
        s += len + (s[len] == ' ');
    }
    return wh_mountopts_parse(&c, &m, ret);
}

/* "nosuid nodev=clear …" would be hard to read in C: one line of text a result. */
static const char *text(const struct wh_mountopts *o, struct wh_buf *b)
{
    static const struct {
        uint32_t p;
        const char *name;
    } props[] = { { WH_MS_SHARED, "shared" },
                  { WH_MS_SLAVE, "slave" },
                  { WH_MS_PRIVATE, "private" },
                  { WH_MS_UNBINDABLE, "unbindable" } };

    b->len = 0;
    wh_buf_printf(b, "%s%sset %#llx clear %#llx", o->bind ? o->rec ? "rbind " : "bind " : "", o->ro ? "ro " : "",
                  (unsigned long long)o->attr_set, (unsigned long long)o->attr_clr);
    if (o->rattr_set || o->rattr_clr)
        wh_buf_printf(b, " tree set %#llx clear %#llx", (unsigned long long)o->rattr_set,
                      (unsigned long long)o->rattr_clr);
    for (unsigned i = 0; i < o->nprop; i++)
        for (size_t k = 0; k < WH_ELEMENTSOF(props); k++)
            if (props[k].p == o->prop[i])
                wh_buf_printf(b, " %s%s", o->prop_rec[i] ? "r" : "", props[k].name);
    for (size_t i = 0; i < o->params.n; i += 2)
        wh_buf_printf(b, o->params.v[i + 1] ? " <%s>=<%s>" : " <%s>", o->params.v[i], o->params.v[i + 1]);
    return b->data;
}

static void test_words(void)
{
    static const struct {
        const char *type, *options, *want;
    } cases[] = {
        { "tmpfs", "", "set 0 clear 0" },
        { "tmpfs", "defaults loud silent iversion noiversion", "set 0 clear 0" },
        { "tmpfs", "ro", "ro set 0x1 clear 0" },
        { "tmpfs", "nosuid nodev noexec nosymfollow nodiratime", "set 0x20008e clear 0" },
        { "tmpfs", "suid dev exec symfollow diratime rw", "set 0 clear 0x20008f" },
        /* The later wins. */
        { "tmpfs", "ro rw", "set 0 clear 0x1" },
        { "tmpfs", "rw ro", "ro set 0x1 clear 0" },
        { "tmpfs", "nosuid suid nosuid", "set 0x2 clear 0" },
        /* atime: three flags of mount(2), one mode in the kernel. */
        { "tmpfs", "noatime", "set 0x10 clear 0x70" },
        { "tmpfs", "strictatime", "set 0x20 clear 0x70" },
        { "tmpfs", "relatime", "set 0 clear 0x70" },
        { "tmpfs", "atime", "set 0 clear 0x70" },
        { "tmpfs", "noatime atime", "set 0 clear 0x70" },
        { "tmpfs", "atime noatime", "set 0x10 clear 0x70" },
        { "tmpfs", "noatime relatime", "set 0x10 clear 0x70" },
        { "tmpfs", "noatime strictatime", "set 0x20 clear 0x70" },
        { "tmpfs", "noatime strictatime nostrictatime", "set 0x10 clear 0x70" },
        { "tmpfs", "norelatime", "set 0 clear 0" },
        { "tmpfs", "nostrictatime", "set 0 clear 0" },
        { "none", "bind norelatime", "bind set 0 clear 0" },
        /* Of the tree. */
        { "none", "rbind rro", "rbind set 0 clear 0 tree set 0x1 clear 0" },
        { "none", "rbind rro rrw", "rbind set 0 clear 0 tree set 0 clear 0x1" },
        { "none", "rbind rnosuid rnodev rnoexec rnosymfollow rnodiratime",
          "rbind set 0 clear 0 tree set 0x20008e clear 0" },
        { "none", "rbind rsuid rdev rexec rsymfollow rdiratime", "rbind set 0 clear 0 tree set 0 clear 0x20008e" },
        { "none", "rbind rnoatime", "rbind set 0 clear 0 tree set 0x10 clear 0x70" },
        { "none", "rbind rnoatime rstrictatime", "rbind set 0 clear 0 tree set 0x20 clear 0x70" },
        { "none", "rbind rstrictatime rnostrictatime", "rbind set 0 clear 0 tree set 0 clear 0x70" },
        { "none", "rbind ratime", "rbind set 0 clear 0 tree set 0 clear 0x70" },
        { "none", "rbind rrelatime", "rbind set 0 clear 0 tree set 0 clear 0x70" },
        { "none", "rbind rnorelatime", "rbind set 0 clear 0 tree set 0 clear 0x70" },
        { "none", "rbind ro rrw", "rbind ro set 0x1 clear 0 tree set 0 clear 0x1" },
        /* Propagation in order of appearance. */
        { "none", "rbind rslave shared", "rbind set 0 clear 0 rslave shared" },
        { "none", "bind private rprivate unbindable runbindable",
          "bind set 0 clear 0 private rprivate unbindable runbindable" },
        { "none", "bind slave rshared", "bind set 0 clear 0 slave rshared" },
        { "none", "rbind bind", "rbind set 0 clear 0" },
        /* The superblock. */
        { "tmpfs", "sync", "set 0 clear 0 <sync>" },
        { "tmpfs", "dirsync lazytime mand", "set 0 clear 0 <dirsync> <lazytime> <mand>" },
        { "tmpfs", "sync async", "set 0 clear 0 <sync> <async>" },
        { "tmpfs", "sync async sync", "set 0 clear 0 <async> <sync>" },
        { "tmpfs", "rsync rasync rdirsync rmand rnomand", "set 0 clear 0 <sync> <async> <dirsync> <mand> <nomand>" },
        { "tmpfs", "size=1 nolazytime", "set 0 clear 0 <nolazytime> <size>=<1>" },
        { "none", "bind sync dirsync lazytime mand async", "bind set 0 clear 0" },
        /* The file system's own. */
        { "tmpfs", "size=64k mode=755", "set 0 clear 0 <size>=<64k> <mode>=<755>" },
        { "tmpfs", "size=64k,mode=755,ro=x", "set 0 clear 0 <size>=<64k> <mode>=<755> <ro>=<x>" },
        { "devpts", "newinstance gid=5", "set 0 clear 0 <newinstance> <gid>=<5>" },
        { "x", "key=", "set 0 clear 0 <key>=<>" },
        { "x", "a=b=c", "set 0 clear 0 <a>=<b=c>" },
        { "x", "a,,b", "set 0 clear 0 <a> <b>" },
        { "overlay", "lowerdir=/a\\,b:/c,userxattr", "set 0 clear 0 <lowerdir>=</a\\,b:/c> <userxattr>" },
        { "tmpfs", "mpol=bind:0,2", "set 0 clear 0 <mpol>=<bind:0,2>" },
        { "tmpfs", "context=\"system_u:object_r:container_file_t:s0:c1,c2\"",
          "set 0 clear 0 <context>=<system_u:object_r:container_file_t:s0:c1,c2>" },
        /* A word of ours with a value is not that word. */
        { "x", "ro=1", "set 0 clear 0 <ro>=<1>" },
        { "x", "RO", "set 0 clear 0 <RO>" },
    };
    WH_CLEANUP_BUF struct wh_buf b = { 0 };

    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_errlist errs;
        struct wh_mountopts o;

        if (parse(arena, cases[i].type, cases[i].options, &o, &errs) < 0)
            fail_test("%s: %s", cases[i].options, errs.e[0].msg);
        else
            is_str(text(&o, &b), cases[i].want, "\"%s\"", cases[i].options);
    }
}

static void test_switches(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_errlist errs;
    struct wh_mountopts o;

    parse(arena, "tmpfs", "tmpcopyup", &o, &errs);
    ok(o.tmpcopyup && !o.has_mode, "tmpcopyup");
    parse(arena, "tmpfs", "mode=1777", &o, &errs);
    ok(o.has_mode && !o.tmpcopyup, "mode");
    parse(arena, "tmpfs", "modern=1", &o, &errs);
    ok(!o.has_mode, "a name that begins with mode");
    parse(arena, "none", "bind src-nofollow", &o, &errs);
    ok(o.src_nofollow && !o.dest_nofollow, "src-nofollow");
    parse(arena, "none", "bind dest-nofollow copy-symlink", &o, &errs);
    ok(!o.src_nofollow && o.dest_nofollow && o.copy_symlink, "dest-nofollow, copy-symlink");
    parse(arena, "none", "bind idmap", &o, &errs);
    ok(o.idmap && !o.ridmap, "idmap");
    parse(arena, "none", "bind ridmap", &o, &errs);
    ok(o.idmap && o.ridmap, "ridmap");
    parse(arena, "none", "bind ridmap idmap", &o, &errs);
    ok(o.idmap && !o.ridmap, "the later wins");
    parse(arena, "none", "bind ridmap=uids=0-1-2;gids=0-1-2", &o, &errs);
    ok(o.idmap && o.ridmap && o.idmap_opt && strchr(o.idmap_opt->v, '='), "ridmap=");
    parse(arena, "none", "bind idmap=uids=0-1-2", &o, &errs);
    ok(o.idmap, "idmap=");
    parse(arena, "none", "bind remount ro", &o, &errs);
    ok(o.remount && o.bind && o.ro, "remount");
}

static void test_errors(void)
{
    static char longer[400];
    static const struct {
        const char *type, *options, *want;
    } cases[] = {
        { "none", "bind size=1", "bind mounts cannot have any filesystem-specific options applied: \"size=1\"" },
        { "none", "bind nonsense", "bind mounts cannot have any filesystem-specific options applied: \"nonsense\"" },
        { "proc", "tmpcopyup", "only tmpfs can have the option tmpcopyup" },
        { "tmpfs", "bind tmpcopyup", "only tmpfs can have the option tmpcopyup" },
        { "x", "=1", "has no name" },
        { "x", longer, "the kernel takes at most 255 bytes" },
        { "none", "bind shared slave private unbindable shared", "more than 4 propagation options" },
    };

    memset(longer, 'a', sizeof longer - 1);
    longer[1] = '=';
    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_errlist errs;
        struct wh_mountopts o;

        is_int(parse(arena, cases[i].type, cases[i].options, &o, &errs), -EINVAL, "%.40s is refused", cases[i].options);
        has_str(errs.n ? errs.e[0].msg : NULL, cases[i].want, "in these words");
    }
    longer[257] = '\0';
    {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_errlist errs;
        struct wh_mountopts o;

        is_int(parse(arena, "x", longer, &o, &errs), 0, "255 bytes of a value are taken");
    }
}

/* Every word that the specification lists (MUST, SHOULD, MAY): none may fall through to the file system. */
static void test_complete(void)
{
    static const char spec[] =
        "async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec "
        "noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared "
        "rslave "
        "runbindable rw shared silent slave strictatime suid sync unbindable "
        "nosymfollow symfollow ratime rdev rdiratime rexec rnoatime rnodev rnodiratime rnoexec rnorelatime "
        "rnostrictatime "
        "rnosuid rnosymfollow rrelatime rro rrw rstrictatime rsuid rsymfollow idmap ridmap mand nomand tmpcopyup "
        "rsync rasync rdirsync rmand rnomand copy-symlink src-nofollow dest-nofollow ";
    size_t n, count = 0;
    const char *const *names = wh_mountopts_names(&n);
    unsigned unsorted = 0, foreign = 0, missing = 0;

    for (const char *s = spec; *s;) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        size_t len = strcspn(s, " ");
        struct wh_errlist errs;
        struct wh_mountopts o;
        char word[32], pair[64];
        bool listed = false;

        snprintf(word, sizeof word, "%.*s", (int)len, s);
        /* With bind, a word that is not known is an error. */
        snprintf(pair, sizeof pair, "bind %s", word);
        if (parse(arena, "none", pair, &o, &errs) < 0 && strcmp(word, "tmpcopyup") != 0) {
            diag("%s: %s", word, errs.e[0].msg);
            foreign++;
        }
        for (size_t i = 0; i < n; i++)
            listed = listed || strcmp(names[i], word) == 0;
        if (listed == (strstr("idmap ridmap", word) && strlen(word) > 4)) {
            diag("%s: %s", word, listed ? "listed" : "not listed");
            missing++;
        }
        count++;
        s += len + 1;
    }
    for (size_t i = 1; i < n; i++)
        unsorted += strcmp(names[i - 1], names[i]) >= 0;
    is_u64(foreign, 0, "%zu words of the specification and of crun: all are known", count);
    is_u64(missing, 0, "features lists all but those that have a place of their own there");
    is_u64(n + 2, count, "and nothing else");
    is_u64(unsorted, 0, "sorted, each once");
}

/* ---- what the kernel says ---- */

static long fs_mount(const char *type, const struct wh_mountopts *o)
{
    long fs = syscall(SYS_fsopen, type, WH_FSOPEN_CLOEXEC), r = 0;

    for (size_t i = 0; r == 0 && i < o->params.n; i += 2)
        r = syscall(SYS_fsconfig, fs, o->params.v[i + 1] ? WH_FSCONFIG_SET_STRING : WH_FSCONFIG_SET_FLAG,
                    o->params.v[i], o->params.v[i + 1], 0);
    if (r == 0)
        r = syscall(SYS_fsconfig, fs, WH_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (r == 0)
        r = syscall(SYS_fsmount, fs, WH_FSMOUNT_CLOEXEC, o->attr_set);
    return r;
}

static int bind_attr(const struct wh_mountopts *o)
{
    struct wh_mount_attr a = { .attr_set = o->attr_set, .attr_clr = o->attr_clr },
                         t = { .attr_set = o->rattr_set, .attr_clr = o->rattr_clr };
    long fd = syscall(SYS_open_tree, AT_FDCWD, "/", WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC), r;

    r = fd < 0 ? fd : syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &a, sizeof a);
    if (r == 0)
        r = syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &t, sizeof t);
    for (unsigned i = 0; r == 0 && i < o->nprop; i++) {
        struct wh_mount_attr p = { .propagation = o->prop[i] };

        r = syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (o->prop_rec[i] ? AT_RECURSIVE : 0), &p, sizeof p);
    }
    return r < 0 ? -errno : 0;
}

static void test_kernel(void)
{
    size_t n;
    const char *const *names = wh_mountopts_names(&n);
    unsigned bad_fs = 0, bad_bind = 0;

    if (unshare(CLONE_NEWNS) < 0) {
        skip("no mount namespace of one's own here");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_errlist errs;
        struct wh_mountopts o;
        char pair[64];

        if (parse(arena, "tmpfs", names[i], &o, &errs) < 0 || (!o.bind && fs_mount("tmpfs", &o) < 0)) {
            diag("tmpfs %s: errno %d", names[i], errno);
            bad_fs++;
        }
        snprintf(pair, sizeof pair, "bind %s", names[i]);
        if (strcmp(names[i], "tmpcopyup") != 0 && (parse(arena, "none", pair, &o, &errs) < 0 || bind_attr(&o) < 0)) {
            diag("bind %s: errno %d", names[i], errno);
            bad_bind++;
        }
    }
    is_u64(bad_fs, 0, "the kernel takes every word for a tmpfs");
    is_u64(bad_bind, 0, "and for a bind");
}

int main(void)
{
    test_words();
    test_switches();
    test_errors();
    test_complete();
    test_kernel();
    return done_testing();
}
