/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/prctl.h>

#include "init/ini.h"

/*
 * Mounts are made detached, restricted while nobody can see them, and moved fd to fd. No path is opened twice, nothing is
 * ever visible with fewer restrictions than it ends with.
 */

#define CLONE_TREE (WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC)

static int set_attr(struct ini *i, int fd, const char *path, unsigned int flags, const struct wh_mount_attr *a)
{
    long r = sys_mount_setattr(fd, path, flags, a);

    return r < 0 ? fail(i, MOUNT_SETATTR, r) : 0;
}

static int clone_tree(struct ini *i, int fd, unsigned int flags, int *ret_fd)
{
    long r = sys_open_tree(fd, "", CLONE_TREE | AT_EMPTY_PATH | flags);

    if (r < 0)
        return fail(i, OPEN_TREE, r);
    *ret_fd = (int)r;
    return 0;
}

static bool same_place(const struct wh_statx *a, const struct wh_statx *b)
{
    return a->ino == b->ino && a->mnt_id == b->mnt_id && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/* `at` is the stat of target. */
static int move_to(struct ini *i, int mount, int root, int target, const struct wh_statx *at)
{
    struct wh_statx top;
    long r;

    /* ".." and symlinks can lead a target to the root itself. A mount there would hide ROOT from what comes after. */
    r = ini_stat(root, &top);
    if (r < 0)
        return fail(i, FSTAT, r);
    if (same_place(&top, at))
        return fail(i, VERIFY_FS, -EINVAL);
    r = sys_move_mount(mount, target, "", WH_MOVE_MOUNT_F_EMPTY_PATH | WH_MOVE_MOUNT_T_EMPTY_PATH);
    return r < 0 ? fail(i, MOVE_MOUNT, r) : 0;
}

static int fs_type(struct ini *i, int fd, unsigned long *ret)
{
    struct statfs st;
    long r = sys_fstatfs(fd, &st);

    if (r < 0)
        return fail(i, FSTATFS, r);
    *ret = (unsigned long)st.f_type;
    return 0;
}

/*
 * What reads like a procfs must be one: processes in the container trust /proc, and so do runtimes that enter it. A mount
 * over /proc itself must therefore be a procfs; below it only single files that compile allows.
 */
static int check_proc(struct ini *i, int mount, int target, const struct wh_statx *at, uint32_t flags)
{
    unsigned long on, what = 0;
    int r;

    r = fs_type(i, target, &on);
    if (r >= 0 && (flags & WH_ATTACH_SOURCE_PROC || on == WH_PROC_MAGIC))
        r = fs_type(i, mount, &what);
    if (r < 0)
        return r;
    if (flags & WH_ATTACH_SOURCE_PROC && what != WH_PROC_MAGIC)
        return fail(i, VERIFY_FS, -EINVAL);
    if (on != WH_PROC_MAGIC)
        return 0;
    if (flags & WH_ATTACH_BENEATH_PROC && (at->mode & S_IFMT) == S_IFREG)
        return 0;
    if (what == WH_PROC_MAGIC && at->ino == WH_PROC_ROOT_INO)
        return 0;
    return fail(i, VERIFY_FS, -EPERM);
}

/* A new tmpfs gets the mode and owner of what it covers. */
static int keep_mode(struct ini *i, int mount, const struct wh_statx *at)
{
    CLEAN_FD dir = -1;
    long r;

    dir = (int)ini_openat2(mount, ".", O_RDONLY | O_DIRECTORY, WH_RESOLVE_NO_SYMLINKS);
    if (dir < 0)
        return fail(i, OPENAT2, dir);
    if (at->uid || at->gid) {
        r = sys_fchown(dir, at->uid, at->gid);
        /* An owner that the user namespace does not map cannot be kept. */
        if (r < 0 && r != -EINVAL && r != -EPERM)
            return fail(i, FCHOWN, r);
    }
    r = sys_fchmod(dir, at->mode & 07777);
    return r < 0 ? fail(i, FCHMOD, r) : 0;
}

/* A directory that was made for a tmpfs gets the mode that the tmpfs has, so that the next start, which keeps it, is like this one. */
static int mode_for_next(struct ini *i, int target)
{
    CLEAN_FD dir = -1;
    long r;

    dir = (int)ini_openat2(target, ".", O_RDONLY | O_DIRECTORY, WH_RESOLVE_NO_SYMLINKS);
    if (dir < 0)
        return fail(i, OPENAT2, dir);
    r = sys_fchmod(dir, 01777);
    return r < 0 ? fail(i, FCHMOD, r) : 0;
}

int ini_attach(struct ini *i, int mount, int root, const char *path, uint32_t flags)
{
    unsigned int how =
        (flags & WH_ATTACH_NOSYMLINK ? INI_NOSYMLINK : 0) | (flags & WH_ATTACH_NOFOLLOW ? INI_NOFOLLOW : 0);
    CLEAN_FD target = -1;
    struct wh_statx st, at;
    bool dir;
    int r;

    r = ini_stat(mount, &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    dir = (st.mode & S_IFMT) == S_IFDIR;
    r = ini_resolve(i, root, path, dir ? INI_MAKE_DIR : INI_MAKE_FILE, how, &target);
    if (r < 0)
        return r;
    r = ini_stat(target, &at);
    if (r < 0)
        return fail(i, FSTAT, r);
    /* move_mount would say EINVAL, which it says of many things. mount(2) said this, and engines hint at mounts by it. */
    if (((at.mode & S_IFMT) == S_IFDIR) != dir)
        return fail(i, VERIFY_FS, -ENOTDIR);
    r = check_proc(i, mount, target, &at, flags);
    if (r >= 0 && flags & WH_ATTACH_KEEP_MODE)
        r = i->made ? mode_for_next(i, target) : keep_mode(i, mount, &at);
    return r < 0 ? r : move_to(i, mount, root, target, &at);
}

int op_root_propagation(struct ini *i, const struct wh_step_root_propagation *s)
{
    struct wh_mount_attr a = { .propagation = s->propagation };

    return set_attr(i, AT_FDCWD, "/", s->recursive ? AT_RECURSIVE : 0, &a);
}

#define ROOT_DEPTH_MAX 2048 /* components of a path of PATH_MAX bytes */

/* Goes up from the rootfs to the root of the mount that it is in: ".." of a directory inside a mount is in the same mount. */
int op_root_holder(struct ini *i, const struct wh_step_root_holder *s)
{
    struct wh_mount_attr a = { .propagation = WH_MS_PRIVATE };
    CLEAN_FD at = -1;
    struct wh_statx st;
    unsigned int depth;
    long r;

    (void)s;
    at = (int)sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (at < 0)
        return fail(i, OPEN, at);
    for (depth = 0;; depth++) {
        r = ini_stat(at, &st);
        if (r < 0)
            return fail(i, FSTAT, r);
        if (st.attributes & WH_STATX_ATTR_MOUNT_ROOT)
            return set_attr(i, at, "", AT_EMPTY_PATH, &a);
        if (depth == ROOT_DEPTH_MAX)
            return fail(i, OPEN, -ELOOP);
        r = sys_openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        if (r < 0)
            return fail(i, OPEN, r);
        ini_close(take_fd(&at));
        at = (int)r;
    }
}

int op_root_bind(struct ini *i, const struct wh_step_root_bind *s)
{
    CLEAN_FD fd = -1;
    long r;

    fd = (int)sys_open_tree(AT_FDCWD, ".", CLONE_TREE | (s->recursive ? AT_RECURSIVE : 0));
    if (fd < 0)
        return fail(i, OPEN_TREE, fd);
    r = sys_move_mount(fd, AT_FDCWD, ".", WH_MOVE_MOUNT_F_EMPTY_PATH);
    if (r < 0)
        return fail(i, MOVE_MOUNT, r);
    ini_slot_set(i, s->root, take_fd(&fd));
    return 0;
}

int op_root_open(struct ini *i, const struct wh_step_root_open *s)
{
    long fd = sys_openat(AT_FDCWD, s->mode ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0)
        return fail(i, OPEN, fd);
    ini_slot_set(i, s->root, (int)fd);
    return 0;
}

/* The kernel's own words about a file system's options: lines of "e text" among warnings and notes, one a read. */
static void read_fs_log(struct ini *i, int fs)
{
    char line[WH_MBOX_DETAIL + 2];
    unsigned int k;

    for (k = 0; k < 8; k++) {
        long n = sys_read(fs, line, sizeof(line) - 1);

        if (n == -EMSGSIZE) /* longer than our buffer: lost */
            continue;
        if (n <= 0)
            return;
        while (n && line[n - 1] == '\n')
            n--;
        line[n] = 0;
        if (n > 2 && line[1] == ' ' && (line[0] == 'e' || !i->detail[0]))
            ini_detail(i, line + 2);
    }
}

static int set_params(struct ini *i, int fs, const struct wh_vec *params)
{
    const wh_off *v = wh_plan_at(i->plan, params->off);
    uint32_t k;
    long r;

    for (k = 0; k < params->n; k += 2) {
        r = sys_fsconfig(fs, v[k + 1] ? WH_FSCONFIG_SET_STRING : WH_FSCONFIG_SET_FLAG, ini_str(i, v[k]),
                         ini_str(i, v[k + 1]), 0);
        if (r < 0) {
            ini_detail(i, ini_str(i, v[k]));
            read_fs_log(i, fs);
            return fail(i, FSCONFIG, r);
        }
    }
    return 0;
}

int op_mount_fs(struct ini *i, const struct wh_step_mount_fs *s)
{
    CLEAN_FD fs = -1;
    long r;

    fs = (int)sys_fsopen(ini_str(i, s->fstype), WH_FSOPEN_CLOEXEC);
    if (fs < 0)
        return fail(i, FSOPEN, fs);
    if (s->source) {
        r = sys_fsconfig(fs, WH_FSCONFIG_SET_STRING, "source", ini_str(i, s->source), 0);
        if (r < 0) {
            ini_detail(i, "source");
            read_fs_log(i, fs);
            return fail(i, FSCONFIG, r);
        }
    }
    r = set_params(i, fs, &s->params);
    if (r < 0)
        return (int)r;
    r = sys_fsconfig(fs, WH_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (r < 0) {
        read_fs_log(i, fs);
        return fail(i, FSCONFIG_CREATE, r);
    }
    r = sys_fsmount(fs, WH_FSMOUNT_CLOEXEC, (unsigned int)s->attr);
    if (r < 0) {
        read_fs_log(i, fs);
        return fail(i, FSMOUNT, r);
    }
    ini_slot_set(i, s->mount, (int)r);
    return 0;
}

int op_mount_bind(struct ini *i, const struct wh_step_mount_bind *s)
{
    long r = sys_open_tree(AT_FDCWD, ini_str(i, s->source),
                           CLONE_TREE | (s->recursive ? AT_RECURSIVE : 0) | (s->nofollow ? AT_SYMLINK_NOFOLLOW : 0));

    if (r < 0)
        return fail(i, OPEN_TREE, r);
    ini_slot_set(i, s->mount, (int)r);
    return 0;
}

int op_bind_root(struct ini *i, const struct wh_step_bind_root *s)
{
    CLEAN_FD source = -1;
    int fd = -1, r;

    r = ini_resolve(i, i->slot[s->root], ini_str(i, s->source), INI_MAKE_NOTHING, s->nofollow ? INI_NOFOLLOW : 0,
                    &source);
    if (r < 0)
        return r;
    r = clone_tree(i, source, s->recursive ? AT_RECURSIVE : 0, &fd);
    if (r >= 0)
        ini_slot_set(i, s->mount, fd);
    return r;
}

int op_ask_mount(struct ini *i, const struct wh_step_ask_mount *s)
{
    int fd, r = ini_ask(i, &fd);

    if (r < 0)
        return r;
    ini_slot_set(i, s->mount, fd);
    return 0;
}

/* What stands in the place of a link that is to be made: nothing to do if it is the same link. */
static int same_link(struct ini *i, int dir, const char *name, const char *target)
{
    char now[PATH_MAX];
    size_t len = strlen(target);
    long r = sys_readlinkat(dir, name, now, sizeof(now));

    return r >= 0 && (size_t)r == len && memcmp(now, target, len) == 0 ? 0 : fail(i, SYMLINKAT, -EEXIST);
}

int op_copy_link(struct ini *i, const struct wh_step_copy_link *s)
{
    CLEAN_FD dir = -1;
    struct wh_statx st;
    const char *name;
    long r;

    r = ini_stat(i->slot[s->mount], &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    if ((st.mode & S_IFMT) != S_IFLNK)
        return 0;
    r = ini_resolve_parent(i, i->slot[s->root], ini_str(i, s->dst), &dir, &name);
    if (r < 0)
        return (int)r;
    r = sys_readlinkat(i->slot[s->mount], "", i->path, sizeof(i->path));
    if (r >= (long)sizeof(i->path))
        r = -ENAMETOOLONG;
    if (r < 0)
        return fail(i, READLINK, r);
    i->path[r] = 0;
    r = sys_symlinkat(i->path, dir, name);
    if (r == -EEXIST)
        r = same_link(i, dir, name, i->path);
    if (r < 0) {
        ini_detail(i, ini_str(i, s->dst));
        return fail(i, SYMLINKAT, r);
    }
    ini_slot_set(i, s->mount, -1);
    i->skipped |= 1ull << s->mount;
    return 0;
}

int op_remount(struct ini *i, const struct wh_step_remount *s)
{
    CLEAN_FD target = -1, fs = -1;
    struct wh_statx st;
    long r;

    /* Attributes are the container's own; a file system may be the host's, and a link of the image must not choose which. */
    r = ini_resolve(i, i->slot[s->root], ini_str(i, s->dst), INI_MAKE_NOTHING, s->params.n ? INI_NOSYMLINK : 0,
                    &target);
    if (r < 0)
        return (int)r;
    r = ini_stat(target, &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    if (!(st.attributes & WH_STATX_ATTR_MOUNT_ROOT))
        return fail(i, VERIFY_FS, -EINVAL);
    if (s->params.n) {
        fs = (int)sys_fspick(target, "", WH_FSPICK_CLOEXEC | WH_FSPICK_EMPTY_PATH);
        if (fs < 0)
            return fail(i, FSPICK, fs);
        r = set_params(i, fs, &s->params);
        if (r < 0)
            return (int)r;
        r = sys_fsconfig(fs, WH_FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
        if (r < 0) {
            read_fs_log(i, fs);
            return fail(i, FSCONFIG_RECONFIGURE, r);
        }
    }
    ini_slot_set(i, s->mount, take_fd(&target));
    return 0;
}

int op_mount_attr(struct ini *i, const struct wh_step_mount_attr *s)
{
    struct wh_mount_attr a = { .attr_set = s->set, .attr_clr = s->clr, .propagation = s->propagation };

    if (i->skipped >> s->mount & 1)
        return 0;
    return set_attr(i, i->slot[s->mount], "", AT_EMPTY_PATH | (s->recursive ? AT_RECURSIVE : 0), &a);
}

int op_mount_relax(struct ini *i, const struct wh_step_mount_relax *s)
{
    struct wh_mount_attr a = { .attr_clr = s->clr };
    uint64_t bit;
    long r;

    if (i->skipped >> s->mount & 1)
        return 0;
    r = sys_mount_setattr(i->slot[s->mount], "", AT_EMPTY_PATH, &a);
    if (r == 0)
        return 0;
    if (r != -EPERM)
        return fail(i, MOUNT_SETATTR, r);
    /* One of them is locked, and the kernel does not say which. */
    for (bit = 1; bit && bit <= s->clr; bit <<= 1) {
        if (!(s->clr & bit))
            continue;
        a.attr_clr = bit;
        r = sys_mount_setattr(i->slot[s->mount], "", AT_EMPTY_PATH, &a);
        if (r < 0 && r != -EPERM)
            return fail(i, MOUNT_SETATTR, r);
    }
    return 0;
}

int op_root_over(struct ini *i, const struct wh_step_root_over *s)
{
    struct wh_statx st;
    long r;

    r = ini_stat(i->slot[s->mount], &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    if ((st.mode & S_IFMT) != S_IFDIR)
        return fail(i, VERIFY_FS, -ENOTDIR);
    r = sys_move_mount(i->slot[s->mount], i->slot[s->root], "",
                       WH_MOVE_MOUNT_F_EMPTY_PATH | WH_MOVE_MOUNT_T_EMPTY_PATH);
    if (r < 0)
        return fail(i, MOVE_MOUNT, r);
    /* A second descriptor: a read-only tmpfs is made read-only later, through its own slot. */
    r = sys_openat(i->slot[s->mount], ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (r < 0)
        return fail(i, OPEN, r);
    ini_slot_set(i, s->root, (int)r);
    return 0;
}

int op_copyup(struct ini *i, const struct wh_step_copyup *s)
{
    CLEAN_FD from = -1;
    int r;

    if (i->skipped >> s->mount & 1)
        return 0;
    r = ini_resolve(i, i->slot[s->root], ini_str(i, s->dst), INI_MAKE_NOTHING, 0, &from);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : ini_copyup(i, from, i->slot[s->mount]);
}

int op_attach(struct ini *i, const struct wh_step_attach *s)
{
    int r;

    if (i->skipped >> s->mount & 1)
        return 0;
    r = ini_attach(i, i->slot[s->mount], i->slot[s->root], ini_str(i, s->dst), s->flags);
    if (r < 0) {
        if (!i->detail[0])
            ini_detail(i, ini_str(i, s->dst));
        return r;
    }
    i->attached |= 1ull << s->mount;
    return 0;
}

/* 1: there is nothing to mask or protect. */
static int resolve_existing(struct ini *i, int root, const char *path, int *ret_fd)
{
    int r = ini_resolve(i, root, path, INI_MAKE_NOTHING, 0, ret_fd);

    return r == -ENOENT || r == -ENOTDIR ? 1 : r;
}

int op_mask(struct ini *i, const struct wh_step_mask *s)
{
    CLEAN_FD target = -1, clone = -1;
    int r, root = i->slot[s->root];
    struct wh_statx st;

    r = resolve_existing(i, root, ini_str(i, s->path), &target);
    if (r)
        return r < 0 ? r : 0;
    r = ini_stat(target, &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    if ((st.mode & S_IFMT) != S_IFDIR) {
        r = clone_tree(i, i->slot[s->devnull], 0, &clone);
        return r < 0 ? r : move_to(i, clone, root, target, &st);
    }
    /* The first directory gets the mount itself: a detached mount cannot be cloned before Linux 6.15. */
    if (!(i->attached >> s->maskfs & 1)) {
        r = move_to(i, i->slot[s->maskfs], root, target, &st);
        if (r >= 0)
            i->attached |= 1ull << s->maskfs;
        return r;
    }
    r = clone_tree(i, i->slot[s->maskfs], 0, &clone);
    return r < 0 ? r : move_to(i, clone, root, target, &st);
}

int op_rdonly(struct ini *i, const struct wh_step_rdonly *s)
{
    struct wh_mount_attr a = { .attr_set = WH_MOUNT_ATTR_RDONLY };
    CLEAN_FD target = -1, clone = -1;
    int r, root = i->slot[s->root];
    struct wh_statx st;

    r = resolve_existing(i, root, ini_str(i, s->path), &target);
    if (r)
        return r < 0 ? r : 0;
    r = ini_stat(target, &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    /* Recursive, else the mounts below it would be uncovered; those keep their own flags. */
    r = clone_tree(i, target, AT_RECURSIVE, &clone);
    if (r >= 0)
        r = set_attr(i, clone, "", AT_EMPTY_PATH, &a);
    return r < 0 ? r : move_to(i, clone, root, target, &st);
}

int op_root_rdonly(struct ini *i, const struct wh_step_root_rdonly *s)
{
    struct wh_mount_attr a = { .attr_set = WH_MOUNT_ATTR_RDONLY };

    return set_attr(i, i->slot[s->root], "", AT_EMPTY_PATH, &a);
}

/* An empty read-only tmpfs on `path`, for what cannot be unmounted. */
static int cover(struct ini *i, const char *path)
{
    CLEAN_FD fs = -1, mnt = -1;
    long r;

    fs = (int)sys_fsopen("tmpfs", WH_FSOPEN_CLOEXEC);
    if (fs < 0)
        return fail(i, FSOPEN, fs);
    r = sys_fsconfig(fs, WH_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (r < 0)
        return fail(i, FSCONFIG_CREATE, r);
    mnt = (int)sys_fsmount(fs, WH_FSMOUNT_CLOEXEC, WH_MOUNT_ATTR_RDONLY);
    if (mnt < 0)
        return fail(i, FSMOUNT, mnt);
    r = sys_move_mount(mnt, AT_FDCWD, path, WH_MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? fail(i, MOVE_MOUNT, r) : 0;
}

/*
 * Without pivot_root the host's tree stays below ours, where a process that escapes the chroot finds it, and a complete
 * /proc or /sys among its mounts would let a user namespace mount a new one without our masks.
 */
static int drop_host(struct ini *i, uint32_t old)
{
    static const char *const paths[] = { "/proc", "/sys" };
    struct wh_mount_attr a = { .propagation = old };
    unsigned int k, n;

    /* Not what is below it: among that are the container's mounts already. */
    if (old && set_attr(i, AT_FDCWD, "/", 0, &a) < 0)
        return -1;
    for (k = 0; k < 2; k++) {
        long r = 0;

        if (old) {
            r = sys_mount_setattr(AT_FDCWD, paths[k], AT_RECURSIVE, &a);
            if (r < 0 && r != -ENOENT && r != -EINVAL)
                return fail(i, MOUNT_SETATTR, r);
            r = 0;
        }
        for (n = 0; n < 64 && r >= 0; n++)
            r = sys_umount2(paths[k], WH_MNT_DETACH | WH_UMOUNT_NOFOLLOW);
        /* EINVAL: no mount point (any more), or locked by our user namespace's parent: it is covered, which hides it. */
        if (r != -ENOENT) {
            int c = r == -EINVAL && n > 1 ? 0 : cover(i, paths[k]);

            if (c < 0)
                return c;
        }
    }
    return 0;
}

int op_pivot(struct ini *i, const struct wh_step_pivot *s)
{
    struct wh_mount_attr old = { .propagation = s->old };
    CLEAN_FD was = -1;
    struct wh_statx a, b;
    int root = i->slot[s->root];
    long r;

    if (s->mode == 1) {
        r = drop_host(i, s->old);
        if (r < 0)
            return (int)r;
    }
    r = sys_fchdir(root);
    if (r < 0)
        return fail(i, FCHDIR, r);
    if (s->mode == 0) {
        if (s->old) {
            was = (int)sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
            if (was < 0)
                return fail(i, OPEN, was);
        }
        /* The old root is stacked on top of the new one; "." resolves to it, and it goes. */
        r = sys_pivot_root(".", ".");
        if (r < 0)
            return fail(i, PIVOT_ROOT, r);
        if (s->old) {
            r = set_attr(i, was, "", AT_EMPTY_PATH | AT_RECURSIVE, &old);
            if (r < 0)
                return (int)r;
        }
        r = sys_umount2(".", WH_MNT_DETACH);
        if (r < 0)
            return fail(i, UMOUNT, r);
    } else {
        if (s->mode == 1) {
            r = sys_move_mount(root, AT_FDCWD, "/", WH_MOVE_MOUNT_F_EMPTY_PATH);
            if (r < 0)
                return fail(i, MOVE_MOUNT, r);
        }
        r = sys_chroot(".");
        if (r < 0)
            return fail(i, CHROOT, r);
    }
    r = sys_chdir("/");
    if (r < 0)
        return fail(i, CHDIR, r);
    r = ini_stat(root, &a);
    if (r >= 0)
        r = sys_statx(AT_FDCWD, "/", 0, WH_STATX_BASIC | WH_STATX_MNT_ID, &b);
    if (r < 0)
        return fail(i, FSTAT, r);
    return same_place(&a, &b) ? 0 : fail(i, VERIFY_FS, -EXDEV);
}

int op_root_share(struct ini *i, const struct wh_step_root_share *s)
{
    struct wh_mount_attr a = { .propagation = s->propagation };

    return set_attr(i, AT_FDCWD, "/", s->recursive ? AT_RECURSIVE : 0, &a);
}
