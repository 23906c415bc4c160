/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/rtnl.h"

#define NSFS_MAGIC 0x6e736673
/* The state of the container, in its first line, is the most of it. */
#define JOURNAL_MAX (80u << 20)

static const char theirs[] = "netns", ours[] = "netns.host";

/* ---- the two namespaces ---- */

/* fd, or -ENOENT when the file is not there or no namespace is mounted on it (any more). */
static int open_pinned(int dir_fd, const char *name)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct statfs sfs;

    if (fd < 0 || fstatfs(fd, &sfs) < 0)
        return -errno;
    return sfs.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET ? wh_take_fd(&fd) : -ENOENT;
}

static int pin(int dir_fd, const char *name, int ns_fd)
{
    WH_CLEANUP_FD int file = openat(dir_fd, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    WH_CLEANUP_FD int tree = -1;

    if (file < 0)
        return errno == EEXIST ? 0 : -errno; /* pinned for the device before */
    tree = (int)syscall(SYS_open_tree, ns_fd, "", AT_EMPTY_PATH | WH_OPEN_TREE_CLONE | WH_OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return -errno;
    return syscall(SYS_move_mount, tree, "", file, "", WH_MOVE_MOUNT_F_EMPTY_PATH | WH_MOVE_MOUNT_T_EMPTY_PATH) < 0
               ? -errno
               : 0;
}

static int unpin(int dir_fd, const char *name)
{
    int r = wh_umount_at(dir_fd, name);

    /* EINVAL: nothing is mounted there. */
    if (r < 0 && r != -EINVAL && r != -ENOENT)
        return r;
    return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

struct ends {
    int host_ns, ctr_ns; /* namespaces */
    int host, ctr; /* netlink sockets in them */
};
#define NO_ENDS                                                                                                        \
    {                                                                                                                  \
        -1, -1, -1, -1                                                                                                 \
    }

static void ends_done(struct ends *e)
{
    wh_close(e->host);
    wh_close(e->ctr);
    wh_close(e->host_ns);
    wh_close(e->ctr_ns);
}
#define CLEANUP_ENDS __attribute__((cleanup(ends_done)))

static int open_sockets(struct ends *e, struct wh_err *err)
{
    e->host = wh_rtnl_open(e->host_ns);
    e->ctr = e->host < 0 ? -1 : wh_rtnl_open(e->ctr_ns);
    if (e->host < 0 || e->ctr < 0)
        return wh_err_sys(err, e->host < 0 ? e->host : e->ctr, "enter the container's network namespace");
    return 0;
}

static int open_ends(struct ends *e, int proc_fd, int dir_fd, pid_t pid, struct wh_err *err)
{
    struct stat a, b;
    char path[32];
    int r;

    snprintf(path, sizeof path, "%d/ns/net", (int)pid);
    e->host_ns = openat(proc_fd, "thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    e->ctr_ns = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (e->host_ns < 0 || e->ctr_ns < 0 || fstat(e->host_ns, &a) < 0 || fstat(e->ctr_ns, &b) < 0)
        return wh_err_sys(err, -errno, "open the container's network namespace");
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return wh_err_set(err, WH_ERR_SPEC, -EINVAL, NULL, "unable to move network devices without a NET namespace");
    r = pin(dir_fd, ours, e->host_ns);
    if (r == 0)
        r = pin(dir_fd, theirs, e->ctr_ns);
    if (r < 0)
        return wh_err_sys(err, r, "keep the network namespaces in the state directory");
    return open_sockets(e, err);
}

/* ---- there ---- */

/* Its number on the host if nobody has it there, else the next free one: so that the journal can name it before it is moved. */
static int free_index(int ctr, int wish, int *ret)
{
    struct wh_link l;
    int r = 0;

    for (int i = 0; i < 4096 && r == 0; i++) {
        *ret = wish + i;
        r = wh_rtnl_link(ctr, NULL, *ret, &l);
    }
    return r == -ENODEV ? 0 : r < 0 ? r : -EBUSY;
}

static int journal(int journal_fd, const struct wh_link *l, int new_index, const char *name,
                   const struct wh_ifaddr *addrs, size_t naddrs)
{
    WH_CLEANUP_BUF struct wh_buf out = { 0 };

    for (size_t i = 0; i < naddrs; i++) {
        wh_buf_puts(&out, "addr ");
        for (size_t k = 0; k < sizeof *addrs; k++)
            wh_buf_printf(&out, "%02x", ((const unsigned char *)&addrs[i])[k]);
        wh_buf_puts(&out, "\n");
    }
    wh_buf_printf(&out, "netdev %d %d %d %s %s %s\n", l->index, !!(l->flags & IFF_UP), new_index,
                  *l->kind ? l->kind : "-", l->name, name);
    return out.failed ? -ENOMEM : wh_write_all(journal_fd, out.data, out.len);
}

static int move_error(struct wh_err *err, int r, const char *device, const char *name)
{
    char words[WH_ERRTEXT_SIZE];

    return wh_err_set(err, WH_ERR_HOST, r, NULL, "move network device %s to the container as %s: %s%s", device, name,
                      wh_errno_words(-r, words),
                      r == -EINVAL ? " (devices of this kind belong to their network namespace)" : "");
}

int wh_netdev_move(int proc_fd, int dir_fd, int journal_fd, const struct wh_plan *plan, const struct wh_ask *ask,
                   struct wh_err *err)
{
    const struct wh_step_ask_netdev *s = (const struct wh_step_ask_netdev *)ask->step;
    const char *device = wh_plan_str(plan, s->device), *name = wh_plan_str(plan, s->name);
    CLEANUP_ENDS struct ends e = NO_ENDS;
    WH_UNINITIALIZED struct wh_ifaddr addrs[WH_IFADDR_MAX];
    struct wh_link l, there;
    size_t naddrs = 0;
    int r = open_ends(&e, proc_fd, dir_fd, ask->pid, err), index = 0;

    if (r < 0)
        return r;
    r = wh_rtnl_link(e.host, device, 0, &l);
    if (r < 0)
        return wh_err_sys(err, r, "find network device %s", device);
    if (!strchr(name, '%') && wh_rtnl_link(e.ctr, name, 0, &there) == 0)
        return wh_err_set(err, WH_ERR_HOST, -EEXIST, NULL,
                          "move network device %s: the container's network namespace has a device %s already", device,
                          name);
    r = wh_rtnl_addrs(e.host, l.index, addrs, &naddrs);
    if (r < 0)
        return wh_err_sys(err, r, "read the addresses of network device %s", device);
    r = free_index(e.ctr, l.index, &index);
    if (r < 0)
        return move_error(err, r, device, name);
    /* From here on whatever removes the state directory brings it back. */
    r = journal(journal_fd, &l, index, name, addrs, naddrs);
    if (r < 0)
        return wh_err_sys(err, r, "write the journal");
    r = wh_rtnl_up(e.host, l.index, false);
    if (r == 0)
        r = wh_rtnl_move(e.host, l.index, e.ctr_ns, name, index);
    if (r < 0)
        return move_error(err, r, device, name);
    /* The kernel drops the addresses of a device that moves. */
    for (size_t i = 0; i < naddrs; i++) {
        r = wh_rtnl_add_addr(e.ctr, index, &addrs[i]);
        if (r < 0)
            return wh_err_sys(err, r, "give network device %s its address in the container", device);
    }
    r = wh_rtnl_up(e.ctr, index, true);
    return r < 0 ? wh_err_sys(err, r, "set network device %s up in the container", device) : 0;
}

/* ---- and back ---- */

struct entry {
    uint64_t index, up, new_index;
    const char *kind, *device;
    const char *addrs; /* the first line of them in the journal; null: none */
};

static bool number(char **at, uint64_t max, uint64_t *ret)
{
    char *word = strsep(at, " ");

    return word && wh_parse_u64(word, max, ret) == 0;
}

/* "INDEX UP NEWINDEX KIND DEVICE NAME", cut in place. */
static bool parse_entry(char *line, struct entry *e)
{
    char *kind, *device;

    if (!number(&line, INT32_MAX, &e->index) || !number(&line, 1, &e->up) || !number(&line, INT32_MAX, &e->new_index))
        return false;
    kind = strsep(&line, " ");
    device = strsep(&line, " ");
    if (!kind || !device || !line || strlen(device) >= IF_NAMESIZE)
        return false;
    e->kind = wh_streq(kind, "-") ? "" : kind;
    e->device = device;
    return true;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_addr(const char *line, struct wh_ifaddr *ret)
{
    for (size_t i = 0; i < sizeof *ret; i++) {
        int high = digit(line[2 * i]), low = high < 0 ? -1 : digit(line[2 * i + 1]);

        if (low < 0)
            return false;
        ((unsigned char *)ret)[i] = (unsigned char)(high << 4 | low);
    }
    return line[2 * sizeof *ret] == '\0';
}

/* As it was on the host. What is right already stays. */
static int restore(const struct ends *e, const struct entry *d, int index)
{
    int r = 0;

    for (const char *line = d->addrs; r == 0 && line && wh_startswith(line, "addr "); line += strlen(line) + 1) {
        struct wh_ifaddr a;

        if (parse_addr(line + 5, &a))
            r = wh_rtnl_add_addr(e->host, index, &a);
    }
    return r < 0 ? r : wh_rtnl_up(e->host, index, d->up);
}

static int bring_back(const struct ends *e, const struct entry *d)
{
    int index = (int)d->index, r;
    const char *name = d->device;
    struct wh_link l, other;

    r = wh_rtnl_link(e->host, d->device, 0, &l);
    /* Not moved at all (refused, or killed before), or back already. */
    if (r == 0 && l.index == index)
        return restore(e, d, index);
    if (r < 0 && r != -ENODEV)
        return r;
    if (r == 0)
        name = "dev%d";
    r = wh_rtnl_link(e->ctr, NULL, (int)d->new_index, &l);
    if (r == -ENODEV || (r == 0 && !wh_streq(l.kind, d->kind)))
        return 0;
    if (r == 0)
        r = wh_rtnl_up(e->ctr, l.index, false);
    if (r < 0)
        return r;
    if (wh_rtnl_link(e->host, NULL, index, &other) == 0)
        index = 0;
    r = wh_rtnl_move(e->ctr, l.index, e->host_ns, name, index);
    /* Under another name the addresses would be the other device's. */
    if (r < 0 || name != d->device)
        return r;
    if (index == 0) {
        r = wh_rtnl_link(e->host, name, 0, &l);
        index = l.index;
    }
    return r < 0 ? r : restore(e, d, index);
}

static int return_all(const struct ends *e, char *text, struct wh_err *err)
{
    const char *addrs = NULL;

    /* A line without its end was being written when the writer died, before it touched the device. */
    for (char *line = text, *nl; line && (nl = strchr(line, '\n')); line = nl + 1) {
        struct entry d = { .addrs = addrs };
        int r;

        *nl = '\0';
        if (wh_startswith(line, "addr ")) {
            addrs = addrs ? addrs : line;
            continue;
        }
        addrs = NULL;
        if (!wh_startswith(line, "netdev ") || !parse_entry(line + 7, &d))
            continue;
        r = bring_back(e, &d);
        if (r < 0)
            return wh_err_sys(err, r, "return network device %s to the host", d.device);
    }
    return 0;
}

static int slurp(int dir_fd, struct wh_buf *out)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, "journal", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    char chunk[4096];
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    while ((n = read(fd, chunk, sizeof chunk)) > 0 && out->len < JOURNAL_MAX)
        wh_buf_add(out, chunk, (size_t)n);
    return n < 0 ? -errno : out->failed ? -ENOMEM : 0;
}

int wh_netdev_return(int dir_fd, struct wh_err *err)
{
    CLEANUP_ENDS struct ends e = NO_ENDS;
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    int r;

    if (faccessat(dir_fd, ours, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : wh_err_sys(err, -errno, "look for the container's network devices");
    e.host_ns = open_pinned(dir_fd, ours);
    e.ctr_ns = e.host_ns < 0 ? e.host_ns : open_pinned(dir_fd, theirs);
    if (e.ctr_ns < 0 && e.ctr_ns != -ENOENT)
        return wh_err_sys(err, e.ctr_ns, "open the container's network namespace");
    /* Neither survives a restart of the host, nor do the devices. */
    if (e.ctr_ns >= 0) {
        r = slurp(dir_fd, &text);
        if (r < 0)
            return wh_err_sys(err, r, "read the journal");
        r = open_sockets(&e, err);
        if (r == 0)
            r = return_all(&e, text.data, err);
        if (r < 0)
            return r;
    }
    r = unpin(dir_fd, theirs);
    if (r == 0)
        r = unpin(dir_fd, ours);
    return r < 0 ? wh_err_sys(err, r, "let go of the container's network namespace") : 0;
}
