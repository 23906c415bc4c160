/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "init/ini.h"

/*
 * tmpcopyup: the directory that a new tmpfs will cover is copied into it first. The one loop of init over files of the
 * container; so it is bounded in depth and number, opens beneath the fd of the parent only, follows nothing, crosses no
 * mount, and looks at what it opened before it reads. Sockets and devices are left out: a copy of them is another thing.
 */

#define DEPTH_MAX 32u
#define ENTRIES_MAX 65536u
#define BENEATH (WH_RESOLVE_BENEATH | WH_RESOLVE_NO_SYMLINKS | WH_RESOLVE_NO_XDEV)

static int copy_data(struct ini *i, int from, int to)
{
    char buf[4096];

    for (;;) {
        long n = sys_read(from, buf, sizeof(buf)), off = 0;

        if (n < 0)
            return fail(i, READ, n);
        if (n == 0)
            return 0;
        while (off < n) {
            long w = sys_write(to, buf + off, (size_t)(n - off));

            if (w <= 0)
                return fail(i, WRITE, w ? w : -EIO);
            off += w;
        }
    }
}

/* File capabilities and labels, as far as a tmpfs and our privileges take them. */
static void copy_xattrs(int from, int to)
{
    char list[512], value[512];
    long n = sys_flistxattr(from, list, sizeof(list)), k, len;

    for (k = 0; k < n; k += (long)strlen(list + k) + 1) {
        len = sys_fgetxattr(from, list + k, value, sizeof(value));
        if (len > 0)
            sys_fsetxattr(to, list + k, value, (size_t)len);
    }
}

static int copy_meta(struct ini *i, int from, int to, const struct wh_statx *st)
{
    const struct timespec ts[2] = { { .tv_sec = st->atime.sec, .tv_nsec = st->atime.nsec },
                                    { .tv_sec = st->mtime.sec, .tv_nsec = st->mtime.nsec } };
    long r;

    if (st->uid || st->gid) {
        r = sys_fchown(to, st->uid, st->gid);
        if (r < 0)
            return fail(i, FCHOWN, r);
    }
    /* After the owner: chown takes the set-id bits away, and file capabilities. */
    r = sys_fchmod(to, st->mode & 07777);
    if (r < 0)
        return fail(i, FCHMOD, r);
    if (from >= 0)
        copy_xattrs(from, to);
    sys_utimensat(to, NULL, ts, 0);
    return 0;
}

static int copy_dir(struct ini *i, int from, int to, unsigned int depth, unsigned int *left);

static int copy_link(struct ini *i, int from, int to, const char *name, const struct wh_statx *st)
{
    long r = sys_readlinkat(from, name, i->link, sizeof(i->link) - 1);

    if (r < 0)
        return fail(i, READLINK, r);
    i->link[r] = 0;
    r = sys_symlinkat(i->link, to, name);
    if (r < 0)
        return fail(i, SYMLINKAT, r);
    r = sys_fchownat(to, name, st->uid, st->gid, AT_SYMLINK_NOFOLLOW);
    return r < 0 ? fail(i, FCHOWN, r) : 0;
}

static int copy_entry(struct ini *i, int from, int to, const char *name, unsigned int depth, unsigned int *left)
{
    CLEAN_FD in = -1, out = -1;
    struct wh_statx st, now;
    uint32_t type;
    int r;

    r = (int)sys_statx(from, name, AT_SYMLINK_NOFOLLOW, WH_STATX_BASIC, &st);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return fail(i, FSTAT, r);
    type = st.mode & S_IFMT;
    if (type == S_IFLNK)
        return copy_link(i, from, to, name, &st);
    if (type == S_IFIFO) {
        r = (int)sys_mknodat(to, name, S_IFIFO | 0600, 0);
        if (r < 0)
            return fail(i, MKNODAT, r);
        out = (int)ini_openat2(to, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, BENEATH);
        if (out < 0)
            return fail(i, OPENAT2, out);
        return copy_meta(i, -1, out, &st);
    }
    if (type != S_IFDIR && type != S_IFREG)
        return 0;

    in = (int)ini_openat2(from, name,
                          O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | (type == S_IFDIR ? O_DIRECTORY : 0), BENEATH);
    /* Another mount: only its mount point is part of what is covered. */
    if (in == -EXDEV && type == S_IFDIR) {
        r = (int)sys_mkdirat(to, name, 0755);
        return r < 0 ? fail(i, MKDIRAT, r) : 0;
    }
    if (in == -EXDEV)
        return 0;
    if (in < 0)
        return fail(i, OPENAT2, in);
    r = ini_stat(in, &now);
    if (r < 0)
        return fail(i, FSTAT, r);
    if (now.ino != st.ino || (now.mode & S_IFMT) != type)
        return fail(i, OPENAT2, -ESTALE);

    if (type == S_IFDIR) {
        r = (int)sys_mkdirat(to, name, 0700);
        if (r < 0)
            return fail(i, MKDIRAT, r);
        out = (int)ini_openat2(to, name, O_RDONLY | O_DIRECTORY, BENEATH);
        if (out < 0)
            return fail(i, OPENAT2, out);
        r = copy_dir(i, in, out, depth + 1, left);
    } else {
        out = (int)sys_openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (out < 0)
            return fail(i, CREAT, out);
        r = copy_data(i, in, out);
    }
    return r < 0 ? r : copy_meta(i, in, out, &now);
}

static int copy_dir(struct ini *i, int from, int to, unsigned int depth, unsigned int *left)
{
    /* Small: it is on the stack once for each level, and the stack of a created container stays. */
    _Alignas(8) char buf[512];
    long n, at;
    int r;

    if (depth > DEPTH_MAX)
        return fail(i, LIMIT, -ELOOP);
    for (;;) {
        n = sys_getdents64(from, buf, sizeof(buf));
        if (n < 0)
            return fail(i, GETDENTS, n);
        if (n == 0)
            return 0;
        for (at = 0; at < n;) {
            const struct wh_dirent *d = (const struct wh_dirent *)(buf + at);
            const char *name = d->name;

            at += d->reclen;
            if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
                continue;
            if (!(*left)--)
                return fail(i, LIMIT, -E2BIG);
            r = copy_entry(i, from, to, name, depth, left);
            if (r < 0) {
                if (!i->detail[0])
                    ini_detail(i, name);
                return r;
            }
        }
    }
}

int ini_copyup(struct ini *i, int from, int to)
{
    CLEAN_FD in = -1, out = -1;
    unsigned int left = ENTRIES_MAX;
    struct wh_statx st;
    int r;

    in = (int)ini_openat2(from, ".", O_RDONLY | O_DIRECTORY, BENEATH);
    /* A file there will make ATTACH fail with the better message. */
    if (in == -ENOTDIR)
        return 0;
    if (in < 0)
        return fail(i, OPENAT2, in);
    out = (int)ini_openat2(to, ".", O_RDONLY | O_DIRECTORY, BENEATH);
    if (out < 0)
        return fail(i, OPENAT2, out);
    r = ini_stat(in, &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    return copy_dir(i, in, out, 0, &left);
}
