/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "init/ini.h"

/*
 * Everything below the root is someone else's: its directories may be symlinks, FIFOs or other mounts, and may be swapped
 * while we look (another container can share the file system). So the kernel resolves every path against ROOT, what is
 * missing is made one component at a time on the fd of its parent, and what was made is opened again by the same way.
 */

#define LINKS_MAX 40 /* as the kernel */
#define RACES_MAX 64

long ini_openat2(int fd, const char *path, uint64_t flags, uint64_t resolve)
{
    struct wh_open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
    unsigned int tries = 0;
    long r;

    do {
        r = sys_openat2(fd, path, &how);
    } while ((r == -EAGAIN || r == -EINTR) && ++tries < RACES_MAX);
    return r;
}

static int make_one(struct ini *i, int parent, const char *name, bool dir)
{
    long r;

    if (dir) {
        r = sys_mkdirat(parent, name, 0755);
        return r < 0 ? fail(i, MKDIRAT, r) : 0;
    }
    r = sys_openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0644);
    if (r < 0)
        return fail(i, CREAT, r);
    sys_close((int)r);
    return 0;
}

/* Puts the link that stands at b[from..to) in its place; b[to] is cut, `keep` was there. 0 if it is no link. */
static int follow(struct ini *i, int parent, size_t from, size_t to, char keep)
{
    char *b = i->path;
    size_t n, rest;
    long r;

    r = sys_readlinkat(parent, b + from, i->link, sizeof(i->link));
    if (r == -EINVAL)
        return 0;
    if (r < 0)
        return fail(i, READLINK, r);
    n = (size_t)r;
    b[to] = keep;
    rest = strlen(b + to) + 1;
    if (n && i->link[0] == '/')
        from = 0;
    if (n >= sizeof(i->link) || from + n + rest > sizeof(i->path))
        return fail(i, READLINK, -ENAMETOOLONG);
    memmove(b + from + n, b + to, rest);
    memcpy(b + from, i->link, n);
    return 1;
}

/* i->path component by component, making what is missing. The prefix is resolved from the root each time, so that ".."
 * and absolute links mean the same as in one go. */
static int walk(struct ini *i, int root, bool dir, uint64_t last_flags, uint64_t resolve, int *ret_fd)
{
    CLEAN_FD parent = -1;
    size_t from = 0, to, next;
    unsigned int tries = 0;
    char *b = i->path;

    for (;;) {
        bool last;
        char keep;
        long fd;
        int r;

        while (b[from] == '/')
            from++;
        for (to = from; b[to] && b[to] != '/';)
            to++;
        for (next = to; b[next] == '/';)
            next++;
        last = !b[next];
        keep = b[to];
        b[to] = 0;

        fd = ini_openat2(root, b, O_PATH | (last ? last_flags : O_DIRECTORY), resolve);
        if (fd >= 0) {
            b[to] = keep;
            ini_close(parent);
            parent = (int)fd;
            if (last) {
                *ret_fd = take_fd(&parent);
                return 0;
            }
            from = next;
            continue;
        }
        if (fd != -ENOENT)
            return fail(i, OPENAT2, fd);
        if (++tries > RACES_MAX)
            return fail(i, OPENAT2, -ELOOP);

        r = make_one(i, parent < 0 ? root : parent, b + from, !last || dir);
        if (r == -EEXIST) {
            /* A symlink that leads nowhere: go where it leads. Otherwise someone was faster: look again. */
            r = follow(i, parent < 0 ? root : parent, from, to, keep);
            if (r > 0) {
                ini_close(take_fd(&parent));
                from = 0;
                continue;
            }
        } else if (r == 0 && last) {
            i->made = true;
        }
        if (r < 0)
            return r;
        b[to] = keep;
    }
}

/* Cuts i->path after the first element that cannot be passed: "not a directory" does not say which of them is none. */
static void cut_at_element(struct ini *i, int root, uint64_t resolve)
{
    char *b = i->path;
    size_t to = 0;

    for (;;) {
        long fd;
        char keep;

        for (; b[to] == '/';)
            to++;
        for (; b[to] && b[to] != '/';)
            to++;
        if (!b[to])
            return;
        keep = b[to];
        b[to] = 0;
        fd = ini_openat2(root, b, O_PATH | O_DIRECTORY, resolve);
        if (fd < 0)
            return;
        ini_close((int)fd);
        b[to] = keep;
    }
}

/* i->path, already filled. */
static int resolve_path(struct ini *i, int root, enum ini_make make, unsigned int flags, int *ret_fd)
{
    uint64_t resolve = WH_RESOLVE_IN_ROOT | WH_RESOLVE_NO_MAGICLINKS;
    uint64_t last_flags = flags & INI_NOFOLLOW ? O_NOFOLLOW : 0;
    long fd;
    int r;

    if (flags & INI_NOSYMLINK)
        resolve |= WH_RESOLVE_NO_SYMLINKS;
    i->made = false;
    fd = ini_openat2(root, i->path, O_PATH | last_flags, resolve);
    if (fd >= 0) {
        *ret_fd = (int)fd;
        return 0;
    }
    if (fd == -ENOENT && make != INI_MAKE_NOTHING)
        r = walk(i, root, make == INI_MAKE_DIR, last_flags, resolve, ret_fd);
    else
        r = fail(i, OPENAT2, fd);
    if (r < 0 && fd != -ENOENT)
        cut_at_element(i, root, resolve);
    if (r < 0)
        ini_detail(i, i->path);
    return r;
}

static int set_path(struct ini *i, const char *path, size_t n)
{
    if (n >= sizeof(i->path))
        return fail(i, OPENAT2, -ENAMETOOLONG);
    memcpy(i->path, path, n);
    i->path[n] = 0;
    return 0;
}

int ini_resolve(struct ini *i, int root, const char *path, enum ini_make make, unsigned int flags, int *ret_fd)
{
    int r = set_path(i, path, strlen(path));

    return r < 0 ? r : resolve_path(i, root, make, flags, ret_fd);
}

int ini_resolve_parent(struct ini *i, int root, const char *path, int *ret_fd, const char **ret_name)
{
    size_t end = strlen(path), start;
    int r;

    while (end && path[end - 1] == '/')
        end--;
    for (start = end; start && path[start - 1] != '/';)
        start--;
    if (start == end || (path[start] == '.' && (end - start == 1 || (end - start == 2 && path[start + 1] == '.')))) {
        ini_detail(i, path);
        return fail(i, OPENAT2, -EINVAL);
    }
    r = set_path(i, path, start);
    if (r < 0)
        return r;
    if (!start)
        memcpy(i->path, "/", 2);
    r = resolve_path(i, root, INI_MAKE_DIR, 0, ret_fd);
    if (r < 0)
        return r;
    /* At most NAME_MAX would pass the kernel; the buffer holds any. */
    memcpy(i->link, path + start, end - start);
    i->link[end - start] = 0;
    *ret_name = i->link;
    return 0;
}
