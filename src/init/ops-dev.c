/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/sysmacros.h>

#include "init/ini.h"

static bool is_node(const struct wh_statx *st, uint32_t mode, uint32_t major, uint32_t minor)
{
    return (st->mode & S_IFMT) == (mode & S_IFMT) &&
           ((mode & S_IFMT) == S_IFIFO || (st->rdev_major == major && st->rdev_minor == minor));
}

int op_open_devnull(struct ini *i, const struct wh_step_open_devnull *s)
{
    CLEAN_FD fd = -1;
    struct wh_statx st;
    int r;

    fd = (int)sys_openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return fail(i, OPEN, fd);
    r = ini_stat(fd, &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    if (!is_node(&st, S_IFCHR, 1, 3))
        return fail(i, VERIFY_DEVICE, -ENODEV);
    ini_slot_set(i, s->devnull, take_fd(&fd));
    return 0;
}

/* Makes the node and returns an O_PATH fd of it, or of the one that is there. */
static int make_node(struct ini *i, const struct wh_step_mknod *s, int dir, const char *name, int *ret_fd)
{
    struct wh_statx st;
    unsigned int tries;
    long r, fd;

    for (tries = 0; tries < 2; tries++) {
        /* The umask is 0: the mode is exact from the first moment. */
        r = sys_mknodat(dir, name, s->mode, (unsigned int)makedev(s->major, s->minor));
        if (r < 0 && r != -EEXIST)
            return fail(i, MKNODAT, r);
        fd = sys_openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
        if (fd < 0)
            return fail(i, OPEN, fd);
        *ret_fd = (int)fd;
        r = ini_stat((int)fd, &st);
        if (r < 0)
            return fail(i, FSTAT, r);
        if (!is_node(&st, s->mode, s->major, s->minor))
            return fail(i, VERIFY_DEVICE, -EEXIST);
        if ((st.mode & 07777) == (s->mode & 07777))
            return 0;
        /* The right device of an image with other permissions. chmod would need a name that may have become a link. */
        ini_close(take_fd(ret_fd));
        r = sys_unlinkat(dir, name, 0);
        if (r < 0)
            return fail(i, UNLINKAT, r);
    }
    return fail(i, VERIFY_DEVICE, -EEXIST);
}

int op_mknod(struct ini *i, const struct wh_step_mknod *s)
{
    const char *path = ini_str(i, s->path), *name;
    CLEAN_FD dir = -1, fd = -1;
    long r;

    r = ini_resolve_parent(i, i->slot[s->root], path, &dir, &name);
    if (r < 0)
        return (int)r;
    r = make_node(i, s, dir, name, &fd);
    if (r < 0)
        return (int)r;
    r = sys_fchownat(fd, "", s->uid, s->gid, AT_EMPTY_PATH);
    if (r < 0) {
        sys_unlinkat(dir, name, 0);
        return fail(i, FCHOWN, r);
    }
    return 0;
}

int op_dev_bind(struct ini *i, const struct wh_step_dev_bind *s)
{
    const struct wh_mount_attr attr = { .attr_set =
                                            WH_MOUNT_ATTR_RDONLY | WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NOEXEC };
    CLEAN_FD fd = -1;
    struct wh_statx st;
    int r;

    fd = (int)sys_open_tree(AT_FDCWD, ini_str(i, s->source),
                            WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    if (fd < 0)
        return fail(i, OPEN_TREE, fd);
    r = ini_stat(fd, &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    if (!is_node(&st, s->mode, s->major, s->minor))
        return fail(i, VERIFY_DEVICE, -ENODEV);
    /* Read-only holds for the inode, whose mode and owner are the host's; a device is written to all the same (open(2), special files). */
    r = (int)sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr);
    if (r < 0)
        return fail(i, MOUNT_SETATTR, r);
    return ini_attach(i, fd, i->slot[s->root], ini_str(i, s->path), 0);
}

int op_ask_device(struct ini *i, const struct wh_step_ask_device *s)
{
    CLEAN_FD fd = -1;
    struct wh_statx st;
    int r = ini_ask(i, &fd);

    if (r < 0)
        return r;
    r = ini_stat(fd, &st);
    if (r < 0)
        return fail(i, FSTAT, r);
    if (!is_node(&st, s->mode, s->major, s->minor))
        return fail(i, VERIFY_DEVICE, -ENODEV);
    return ini_attach(i, fd, i->slot[s->root], ini_str(i, s->path), 0);
}

int op_symlink(struct ini *i, const struct wh_step_symlink *s)
{
    const char *path = ini_str(i, s->path), *target = ini_str(i, s->target), *name;
    CLEAN_FD dir = -1;
    long r;

    r = ini_resolve_parent(i, i->slot[s->root], path, &dir, &name);
    if (r < 0)
        return (int)r;
    r = sys_symlinkat(target, dir, name);
    if (r == -EEXIST && s->replace) {
        r = sys_unlinkat(dir, name, 0);
        if (r < 0 && r != -ENOENT)
            return fail(i, UNLINKAT, r);
        r = sys_symlinkat(target, dir, name);
    } else if (r == -EEXIST) {
        r = 0;
    }
    return r < 0 ? fail(i, SYMLINKAT, r) : 0;
}

int op_mkdir(struct ini *i, const struct wh_step_mkdir *s)
{
    CLEAN_FD fd = -1;

    return ini_resolve(i, i->slot[s->root], ini_str(i, s->path), INI_MAKE_DIR, 0, &fd);
}

/* The master of a new pty of the container's devpts. In /dev/pts of a hostile image nothing may be opened before it is known
 * to be a devpts; inside one, all names are the kernel's. */
static int open_ptmx(struct ini *i, int root, int *ret_fd)
{
    CLEAN_FD dir = -1;
    struct statfs st;
    long r;

    dir = (int)ini_openat2(root, "/dev/pts", O_PATH | O_DIRECTORY, WH_RESOLVE_IN_ROOT | WH_RESOLVE_NO_MAGICLINKS);
    if (dir < 0) {
        ini_detail(i, "/dev/pts");
        return fail(i, OPENAT2, dir);
    }
    r = sys_fstatfs(dir, &st);
    if (r < 0)
        return fail(i, FSTATFS, r);
    if (st.f_type != WH_DEVPTS_MAGIC) {
        ini_detail(i, "/dev/pts");
        return fail(i, VERIFY_FS, -ENODEV);
    }
    r = ini_openat2(dir, "ptmx", O_RDWR | O_NOCTTY, WH_RESOLVE_BENEATH | WH_RESOLVE_NO_XDEV | WH_RESOLVE_NO_SYMLINKS);
    if (r < 0) {
        ini_detail(i, "/dev/pts/ptmx");
        return fail(i, OPENAT2, r);
    }
    *ret_fd = (int)r;
    return 0;
}

/* One message, one fd, some payload: what every console socket's reader expects. */
static int send_master(struct ini *i, int sock, int master)
{
    static const char text[] = "/dev/pts/ptmx";
    struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = sizeof(text) - 1 };
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } c;
    struct msghdr h;
    long r;

    memset(&h, 0, sizeof(h));
    memset(&c, 0, sizeof(c));
    c.h.cmsg_len = CMSG_LEN(sizeof(int));
    c.h.cmsg_level = SOL_SOCKET;
    c.h.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&c.h), &master, sizeof(int));
    h.msg_iov = &iov;
    h.msg_iovlen = 1;
    h.msg_control = &c;
    /* CMSG_LEN and not CMSG_SPACE: go-runc reserves exactly the space of one fd. */
    h.msg_controllen = CMSG_LEN(sizeof(int));
    do
        r = sys_sendmsg(sock, &h, MSG_NOSIGNAL);
    while (r == -EINTR);
    return r < 0 ? fail(i, SENDMSG, r) : 0;
}

int op_console(struct ini *i, const struct wh_step_console *s)
{
    struct winsize ws = { .ws_row = (unsigned short)s->rows, .ws_col = (unsigned short)s->cols };
    CLEAN_FD master = -1, slave = -1, mnt = -1;
    struct wh_ktermios tio = { 0 };
    int unlock = 0, k, root = i->slot[s->root];
    long r;

    r = open_ptmx(i, root, &master);
    if (r < 0)
        return (int)r;
    r = sys_ioctl(master, TIOCSPTLCK, &unlock);
    if (r < 0)
        return fail(i, IOCTL, r);
    /* Not by name: /dev/pts/N could be another's by now. */
    slave = (int)sys_ioctl(master, TIOCGPTPEER, (void *)(uintptr_t)(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (slave < 0)
        return fail(i, IOCTL, slave);
    r = sys_fchown(slave, s->uid, (uint32_t)-1);
    if (r < 0)
        return fail(i, FCHOWN, r);
    if (s->rows && s->cols) {
        r = sys_ioctl(master, TIOCSWINSZ, &ws);
        if (r < 0)
            return fail(i, IOCTL, r);
    }

    if (s->nocrlf) {
        r = sys_ioctl(slave, TCGETS, &tio);
        tio.oflag &= ~WH_ONLCR;
        if (r >= 0)
            r = sys_ioctl(slave, TCSETS, &tio);
        if (r < 0)
            return fail(i, IOCTL, r);
    }

    if (s->node) {
        mnt = (int)sys_open_tree(slave, "", WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (mnt < 0)
            return fail(i, OPEN_TREE, mnt);
        r = ini_attach(i, mnt, root, "/dev/console", 0);
        if (r < 0)
            return (int)r;
    }

    r = send_master(i, i->slot[s->socket], master);
    if (r < 0)
        return (int)r;
    /* The reader sees the socket close after its one message. */
    ini_slot_set(i, s->socket, -1);
    for (k = 0; k < 3; k++) {
        r = sys_dup3(slave, k, 0);
        if (r < 0)
            return fail(i, DUP, r);
    }
    return 0;
}

/* Stdio that is the host's /dev/null holds a mount of the host: it becomes the container's, if that has a real one. */
static int reopen_null(struct ini *i, int fd)
{
    CLEAN_FD probe = -1, own = -1;
    struct wh_statx st;
    long r;

    /* Opening whatever else stands there could block or have effects: look first. */
    probe = (int)ini_openat2(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW, WH_RESOLVE_NO_MAGICLINKS);
    if (probe < 0 || ini_stat(probe, &st) < 0 || !is_node(&st, S_IFCHR, 1, 3))
        return 0;
    own = (int)ini_openat2(AT_FDCWD, "/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY, WH_RESOLVE_NO_MAGICLINKS);
    /* A device policy may deny it; then stdio stays what it was. */
    if (own < 0 || ini_stat(own, &st) < 0 || !is_node(&st, S_IFCHR, 1, 3))
        return 0;
    r = sys_dup3(own, fd, 0);
    return r < 0 ? fail(i, DUP, r) : 0;
}

/* Files and devices belong to the caller. His terminal too: a process with that uid on the host could open it, and read
 * what is typed there, long after the container. A terminal of the container's own got its owner in CONSOLE. */
static int own_stdio(struct ini *i, int fd, const struct wh_statx *st, uint32_t uid)
{
    uint32_t type = st->mode & S_IFMT;
    long r;

    if ((type != S_IFIFO && type != S_IFSOCK) || st->uid == uid)
        return 0;
    r = sys_fchown(fd, uid, (uint32_t)-1);
    return r < 0 && r != -EPERM && r != -EROFS && r != -EINVAL ? fail(i, FCHOWN, r) : 0;
}

int op_stdio_owner(struct ini *i, const struct wh_step_stdio_owner *s)
{
    struct wh_statx st;
    int fd, r;

    for (fd = 0; fd < 3; fd++) {
        r = ini_stat(fd, &st);
        if (r < 0)
            return fail(i, FSTAT, r);
        r = own_stdio(i, fd, &st, s->uid);
        if (r < 0)
            return r;
    }
    return 0;
}

int op_stdio(struct ini *i, const struct wh_step_stdio *s)
{
    struct wh_statx st;
    int fd, r;

    for (fd = 0; fd < 3; fd++) {
        r = ini_stat(fd, &st);
        if (r < 0)
            return fail(i, FSTAT, r);
        r = is_node(&st, S_IFCHR, 1, 3) ? reopen_null(i, fd) : own_stdio(i, fd, &st, s->uid);
        if (r < 0)
            return r;
    }
    return 0;
}
