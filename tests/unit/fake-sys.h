/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TEST_FAKE_SYS_H
#define WH_TEST_FAKE_SYS_H

/*
 * wherry-init against a recorder: all of src/init compiled into the test, with system calls that are written down and answered from a
 * small table of files. What init does is then a text, and any call can be made to fail. No kernel is involved, no root needed.
 *
 * A file descriptor has a name: "ROOT/dev/null" is what an openat2 of "/dev/null" below the fd named ROOT gave. The name is
 * also the key of the table: fake_node() says what stands there; what is not in the table is a directory.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WH_FAKE_SYS
#define INI_ACK_SPINS 1000u
/* The same answer for CLEAN_FD as for any close. */
#include "init/ini.h"
int init_main(int argc, char **argv);
#define main init_main
#include "init/main.c"
#undef main
#include "init/copyup.c"
#undef BENEATH
#include "init/exec-check.c"
#include "init/home.c"
#include "init/ops-dev.c"
#include "init/ops-mount.c"
#include "init/ops-ns.c"
#include "init/ops-proc.c"
#include "init/ops-reap.c"
#include "init/ops-sec.c"
#include "init/ops-sync.c"
#include "init/resolve.c"
#include "init/run.c"

#include <signal.h>
#include <sys/prctl.h>

enum { FAKE_PAYLOAD = 77, FAKE_FDS = 64, FAKE_NODES = 128, FAKE_NAME = 160 };
#define TMPFS_MAGIC_ 0x01021994
#define EXT_MAGIC_ 0xef53

struct fake_node {
    char name[FAKE_NAME];
    int err; /* opening it fails; ENOENT goes when it is made */
    uint32_t mode, major, minor, uid, gid;
    unsigned long fs;
    uint64_t ino;
    bool tty, noexec, exec_denied, no_mount; /* no_mount: nothing is mounted there */
    char link[64];
    const char *data; /* of a file; of a directory: names, each with its NUL, and an empty one */
    size_t len;
};
struct fake_fd {
    bool open, cloexec;
    char name[FAKE_NAME];
    struct fake_node node; /* as it was when opened */
    size_t pos;
};

static struct {
    struct fake_fd fd[FAKE_FDS];
    struct fake_node node[FAKE_NODES];
    unsigned int nnodes;
    /* what was done */
    FILE *out;
    char *text;
    size_t size;
    FILE *conf;
    char *conf_text;
    size_t conf_size;
    unsigned int calls;
    /* fault: the call number `at` fails with err */
    unsigned int at;
    int err;
    char at_name[32], at_text[300];
    const char *match; /* the calls whose text begins so fail with match_err */
    int match_err;
    uint32_t shown; /* step whose header was written last, plus one */
    uint32_t at_step;
    /* script */
    struct wh_plan *plan;
    size_t plan_size;
    struct wh_mbox mbox;
    bool is_a; /* clone returns as in A */
    uint32_t deny; /* step that the host refuses */
    int ack;
    /* --init: clone returns as in the process that stays; what the payload did */
    bool stays, payload_failed;
    int payload_status;
    unsigned int waits, reaps;
    uint16_t pending; /* message that the host sends next */
    uint32_t pending_step;
    int32_t pending_val;
    bool pending_fd, pending_device, wrong_device, eof;
    bool ready; /* init has said so, and has no answer yet */
    uint16_t after_ready; /* what the host says to READY; 0: it has died */
    bool gone; /* the host, after it let B go */
    bool entered; /* one has asked for the namespaces */
    uint32_t uid[3], gid[3];
    unsigned int umounts;
    /* end */
    jmp_buf end;
    int ended; /* 1 exit_group, 2 execve */
    int status;
    char exec[512];
} fake;

static struct fake_node *fake_find(const char *name)
{
    for (unsigned int k = 0; k < fake.nnodes; k++)
        if (strcmp(fake.node[k].name, name) == 0)
            return &fake.node[k];
    return NULL;
}

static struct fake_node *fake_node(const char *name, uint32_t mode)
{
    struct fake_node *n = fake_find(name);

    if (!n) {
        if (fake.nnodes == FAKE_NODES)
            abort();
        n = &fake.node[fake.nnodes++];
        memset(n, 0, sizeof(*n));
        snprintf(n->name, sizeof(n->name), "%s", name);
        n->fs = EXT_MAGIC_;
    }
    n->mode = mode;
    n->err = 0;
    return n;
}

__attribute__((unused)) static void fake_missing(const char *name)
{
    fake_node(name, S_IFDIR | 0755)->err = ENOENT;
}

static uint64_t fake_hash(const char *s)
{
    uint64_t h = 1000;

    while (*s)
        h = h * 31 + (unsigned char)*s++;
    return h;
}

static int fake_open(const char *name, const struct fake_node *node)
{
    struct fake_node dir = { .mode = S_IFDIR | 0755, .fs = EXT_MAGIC_ };

    for (int k = 3; k < FAKE_FDS; k++)
        if (!fake.fd[k].open) {
            fake.fd[k] = (struct fake_fd){ .open = true, .cloexec = true, .node = node ? *node : dir };
            snprintf(fake.fd[k].name, sizeof(fake.fd[k].name), "%s", name);
            if (!fake.fd[k].node.ino)
                fake.fd[k].node.ino = fake_hash(name);
            return k;
        }
    abort();
}

static const char *fdn(int fd)
{
    static char buf[4][FAKE_NAME];
    static unsigned int k;
    char *b = buf[k++ % 4];

    if (fd == AT_FDCWD)
        return "CWD";
    if (fd >= 0 && fd < FAKE_FDS && fake.fd[fd].open)
        return fake.fd[fd].name;
    snprintf(b, FAKE_NAME, "BAD(%d)", fd);
    return b;
}

static bool fake_fd_ok(int fd)
{
    return fd == AT_FDCWD || (fd >= 0 && fd < FAKE_FDS && fake.fd[fd].open);
}

/* The name of `path` below fd, without repeated slashes and one at the end. */
static const char *fake_join(int fd, const char *path)
{
    static char buf[4][FAKE_NAME];
    static unsigned int k;
    char *b = buf[k++ % 4], *to = b;

    if (fd == AT_FDCWD || !*path)
        snprintf(b, FAKE_NAME, "%s", *path ? path : fdn(fd));
    else if (!strcmp(path, "."))
        snprintf(b, FAKE_NAME, "%s", fdn(fd));
    else
        snprintf(b, FAKE_NAME, "%s/%s", fdn(fd), path);
    for (const char *from = b; *from; from++)
        if (*from != '/' || (from[1] && from[1] != '/') || to == b)
            *to++ = *from;
    *to = 0;
    return b;
}

/* What confines the container: a run with a tolerated failure must have done exactly the same of it. */
static bool fake_confines(const char *name)
{
    static const char list[] =
        " unshare setns mount_setattr capset prctl seccomp setgroups setresuid setresgid pivot_root umount2 "
        "sched_setaffinity set_mempolicy move_mount close_range chroot fsmount prlimit personality setsid write umask "
        "fchdir ";
    char key[40];

    snprintf(key, sizeof(key), " %s ", name);
    return strstr(list, key);
}

static const char *const fake_ops[] = {
    "NONE",
#define F(kind, field)
#define OP(NAME, name, phases, flags, tmpl, doc, fields) #NAME,
#include "abi/ops.def"
#undef OP
#undef F
};
static const char *fake_op(const struct wh_plan *p, uint32_t nr)
{
    const struct wh_step *s = wh_plan_first(p);

    while (nr--)
        s = wh_step_next(s);
    return fake_ops[s->op];
}

static bool fake_enter(const char *name, long *ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static char fake_args[1024];
static const char *fake_name;
static bool fake_enter(const char *name, long *ret, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(fake_args, sizeof(fake_args), fmt, ap);
    va_end(ap);
    fake_name = name;
    if (ini.plan && fake.mbox.state > WH_MBOX_NEW && !fake.pending && fake.shown != ini.nr + 1) {
        fprintf(fake.out, "-- %s\n", fake_op(fake.plan, ini.nr));
        fake.shown = ini.nr + 1;
    }
    fprintf(fake.out, "%s(%s)", name, fake_args);
    if (++fake.calls == fake.at) {
        snprintf(fake.at_name, sizeof(fake.at_name), "%s", name);
        snprintf(fake.at_text, sizeof(fake.at_text), "%s(%.250s)", name, fake_args);
        fake.at_step = ini.nr;
        fprintf(fake.out, " = -%d INJECTED\n", fake.err);
        *ret = -fake.err;
        return true;
    }
    if (fake.match) {
        char text[1100];

        snprintf(text, sizeof(text), "%s(%s)", name, fake_args);
        if (strncmp(text, fake.match, strlen(fake.match)) == 0) {
            fprintf(fake.out, " = -%d\n", fake.match_err);
            *ret = -fake.match_err;
            return true;
        }
    }
    return false;
}

static long fake_leave(long r)
{
    if (r < 0)
        fprintf(fake.out, " = -%ld", -r);
    else if (r > 0)
        fprintf(fake.out, " = %s", r >= 3 && r < FAKE_FDS && fake.fd[r].open ? fdn((int)r) : "n");
    fputc('\n', fake.out);
    if (r >= 0 && fake_confines(fake_name))
        fprintf(fake.conf, "%s(%s)\n", fake_name, fake_args);
    return r;
}

#define ENTER(name, ...)                                                                                               \
    do {                                                                                                               \
        long enter_r;                                                                                                  \
        if (fake_enter(#name, &enter_r, __VA_ARGS__))                                                                  \
            return enter_r;                                                                                            \
    } while (0)
#define NEEDS_FD(fd)                                                                                                   \
    do {                                                                                                               \
        if (!fake_fd_ok(fd))                                                                                           \
            return fake_leave(-EBADF);                                                                                 \
    } while (0)
#define SIMPLE(name, params, ...)                                                                                      \
    long sys_##name params                                                                                             \
    {                                                                                                                  \
        ENTER(name, __VA_ARGS__);                                                                                      \
        return fake_leave(0);                                                                                          \
    }

static const char *fake_oflags(uint64_t f)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } names[] = { { O_PATH, "PATH" }, { O_DIRECTORY, "DIR" },     { O_NOFOLLOW, "NOFOLLOW" }, { O_CREAT, "CREAT" },
                  { O_EXCL, "EXCL" }, { O_NONBLOCK, "NONBLOCK" }, { O_NOCTTY, "NOCTTY" } };
    static char buf[128];

    snprintf(buf, sizeof(buf), "%s", (f & O_ACCMODE) == O_RDONLY ? "RD" : (f & O_ACCMODE) == O_WRONLY ? "WR" : "RDWR");
    for (unsigned int k = 0; k < sizeof(names) / sizeof(names[0]); k++)
        if ((f & names[k].bit) == names[k].bit) {
            strcat(buf, "|");
            strcat(buf, names[k].name);
        }
    if (!(f & O_CLOEXEC))
        strcat(buf, "|!CLOEXEC");
    return buf;
}

static const char *fake_resolve(uint64_t f)
{
    static char buf[96];

    snprintf(buf, sizeof(buf), "%s%s%s%s%s", f & WH_RESOLVE_IN_ROOT ? "|IN_ROOT" : "",
             f & WH_RESOLVE_BENEATH ? "|BENEATH" : "", f & WH_RESOLVE_NO_XDEV ? "|NO_XDEV" : "",
             f & WH_RESOLVE_NO_MAGICLINKS ? "|NO_MAGICLINKS" : "", f & WH_RESOLVE_NO_SYMLINKS ? "|NO_SYMLINKS" : "");
    return *buf ? buf + 1 : "0";
}

static long fake_open_path(int fd, const char *path, uint64_t flags)
{
    const char *name = fake_join(fd, path);
    struct fake_node *n = fake_find(name);

    if (!fake_fd_ok(fd))
        return -EBADF;
    if (flags & O_CREAT) {
        if (n && !n->err && flags & O_EXCL)
            return -EEXIST;
        n = fake_node(name, S_IFREG | 0644);
    }
    if (n && n->err)
        return -n->err;
    if (n && flags & O_DIRECTORY && (n->mode & S_IFMT) != S_IFDIR)
        return -ENOTDIR;
    return fake_open(name, n);
}

long sys_openat(int fd, const char *path, int flags, unsigned int mode)
{
    ENTER(openat, "%s, \"%s\", %s, %o", fdn(fd), path, fake_oflags((uint64_t)flags), mode);
    return fake_leave(fake_open_path(fd, path, (uint64_t)flags));
}

long sys_openat2(int fd, const char *path, const struct wh_open_how *how)
{
    ENTER(openat2, "%s, \"%s\", %s, %s", fdn(fd), path, fake_oflags(how->flags), fake_resolve(how->resolve));
    return fake_leave(fake_open_path(fd, path, how->flags));
}

/* Not recorded and never failing: by the time close(2) returns, the number is free whatever it says. */
long sys_close(int fd)
{
    if (!fake_fd_ok(fd) || fd < 0) {
        fprintf(fake.out, "close(%s) = -EBADF\n", fdn(fd));
        return -EBADF;
    }
    fake.fd[fd].open = false;
    return 0;
}

long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
    char to[12] = "~0";

    if (last != ~0u)
        snprintf(to, sizeof(to), "%u", last);
    ENTER(close_range, "%u, %s, %s", first, to, flags ? "CLOEXEC" : "0");
    for (unsigned int k = first; k < FAKE_FDS && k <= last; k++) {
        if (flags)
            fake.fd[k].cloexec = true;
        else
            fake.fd[k].open = false;
    }
    return fake_leave(0);
}

long sys_dup3(int from, int to, int flags)
{
    ENTER(dup3, "%s, %d, %s", fdn(from), to, flags & O_CLOEXEC ? "CLOEXEC" : "0");
    NEEDS_FD(from);
    fake.fd[to] = fake.fd[from];
    fake.fd[to].cloexec = flags & O_CLOEXEC;
    return fake_leave(0);
}

static void fake_fill(struct wh_statx *st, const struct fake_node *n, const char *name)
{
    memset(st, 0, sizeof(*st));
    st->mode = (unsigned short)n->mode;
    st->uid = n->uid;
    st->gid = n->gid;
    st->rdev_major = n->major;
    st->rdev_minor = n->minor;
    st->ino = n->ino ? n->ino : fake_hash(name);
    st->attributes = n->no_mount ? 0 : WH_STATX_ATTR_MOUNT_ROOT;
    /* Two names of one inode are one place. */
    st->mnt_id = st->ino == fake_hash("ROOT") ? 99 : 1;
}

long sys_statx(int fd, const char *path, int flags, unsigned int mask, struct wh_statx *st)
{
    struct fake_node dir = { .mode = S_IFDIR | 0755 };

    ENTER(statx, "%s, \"%s\", %s%s", fdn(fd), path, flags & AT_SYMLINK_NOFOLLOW ? "NOFOLLOW" : "",
          mask & WH_STATX_MNT_ID ? "" : "no id");
    NEEDS_FD(fd);
    if (*path) {
        /* After the pivot "/" is the container's root. */
        const char *name = strcmp(path, "/") == 0 ? "ROOT" : fake_join(fd, path);
        struct fake_node *n = fake_find(name);

        if (n && n->err)
            return fake_leave(-n->err);
        fake_fill(st, n ? n : &dir, name);
    } else {
        fake_fill(st, &fake.fd[fd].node, fake.fd[fd].name);
        if (strcmp(fake.fd[fd].name, "plan") == 0)
            st->size = fake.plan_size;
    }
    return fake_leave(0);
}

long sys_fstatfs(int fd, struct statfs *st)
{
    ENTER(fstatfs, "%s", fdn(fd));
    NEEDS_FD(fd);
    memset(st, 0, sizeof(*st));
    st->f_type = (__typeof__(st->f_type))fake.fd[fd].node.fs;
    st->f_flags = fake.fd[fd].node.noexec ? WH_ST_NOEXEC : 0;
    return fake_leave(0);
}

long sys_mmap(size_t len, int prot, int flags, int fd)
{
    (void)len;
    ENTER(mmap, "%s, %s%s", fdn(fd), flags == MAP_SHARED ? "SHARED" : "PRIVATE", prot & PROT_WRITE ? "" : ", no write");
    fputc('\n', fake.out);
    return strcmp(fake.fd[fd].name, "mbox") == 0 ? (long)&fake.mbox : (long)fake.plan;
}

/* ---- making things ---- */

static long fake_make(int fd, const char *path, uint32_t mode, struct fake_node **ret)
{
    const char *name = fake_join(fd, path);
    struct fake_node *n = fake_find(name);

    if (!fake_fd_ok(fd))
        return -EBADF;
    if (n && n->err != ENOENT)
        return -EEXIST;
    n = fake_node(name, mode);
    if (ret)
        *ret = n;
    return 0;
}

long sys_mkdirat(int fd, const char *path, unsigned int mode)
{
    ENTER(mkdirat, "%s, \"%s\", %o", fdn(fd), path, mode);
    return fake_leave(fake_make(fd, path, S_IFDIR | mode, NULL));
}

long sys_mknodat(int fd, const char *path, unsigned int mode, unsigned int dev)
{
    struct fake_node *n = NULL;
    long r;

    ENTER(mknodat, "%s, \"%s\", %o, %u:%u", fdn(fd), path, mode, major(dev), minor(dev));
    r = fake_make(fd, path, mode, &n);
    if (n) {
        n->major = major(dev);
        n->minor = minor(dev);
    }
    return fake_leave(r);
}

long sys_symlinkat(const char *target, int fd, const char *path)
{
    struct fake_node *n = NULL;
    long r;

    ENTER(symlinkat, "\"%s\", %s, \"%s\"", target, fdn(fd), path);
    r = fake_make(fd, path, S_IFLNK | 0777, &n);
    if (n)
        snprintf(n->link, sizeof(n->link), "%s", target);
    return fake_leave(r);
}

long sys_unlinkat(int fd, const char *path, int flags)
{
    ENTER(unlinkat, "%s, \"%s\", %d", fdn(fd), path, flags);
    fake_missing(fake_join(fd, path));
    return fake_leave(0);
}

long sys_readlinkat(int fd, const char *path, char *buf, size_t n)
{
    struct fake_node *node = fake_find(fake_join(fd, path));

    ENTER(readlinkat, "%s, \"%s\"", fdn(fd), path);
    (void)n;
    if (!node || !node->link[0])
        return fake_leave(-EINVAL);
    memcpy(buf, node->link, strlen(node->link));
    fake_leave(0);
    return (long)strlen(node->link);
}

SIMPLE(fchmod, (int fd, unsigned int mode), "%s, %o", fdn(fd), mode)
SIMPLE(fchown, (int fd, uint32_t uid, uint32_t gid), "%s, %d, %d", fdn(fd), (int)uid, (int)gid)
SIMPLE(fchownat, (int fd, const char *path, uint32_t uid, uint32_t gid, int flags), "%s, \"%s\", %u, %u, %s", fdn(fd),
       path, uid, gid,
       flags == AT_SYMLINK_NOFOLLOW ? "NOFOLLOW"
       : flags == AT_EMPTY_PATH     ? "EMPTY_PATH"
                                    : "?")
SIMPLE(utimensat, (int fd, const char *path, const struct timespec ts[2], int flags), "%s, %s, %ld, %d", fdn(fd),
       path ? path : "NULL", (long)ts[1].tv_sec, flags)

long sys_flistxattr(int fd, char *list, size_t size)
{
    static const char names[] = "security.capability";

    ENTER(flistxattr, "%s", fdn(fd));
    NEEDS_FD(fd);
    if ((fake.fd[fd].node.mode & S_IFMT) != S_IFREG || size < sizeof(names))
        return fake_leave(0);
    memcpy(list, names, sizeof(names));
    fake_leave(0);
    return sizeof(names);
}

long sys_fgetxattr(int fd, const char *name, void *value, size_t size)
{
    ENTER(fgetxattr, "%s, %s", fdn(fd), name);
    NEEDS_FD(fd);
    memset(value, 1, size < 4 ? size : 4);
    fake_leave(0);
    return 4;
}

SIMPLE(fsetxattr, (int fd, const char *name, const void *value, size_t size), "%s, %s, %u bytes of %u", fdn(fd), name,
       (unsigned int)size, *(const unsigned char *)value)

long sys_getdents64(int fd, void *buf, size_t size)
{
    struct fake_fd *f = &fake.fd[fd];
    struct wh_dirent *d = buf;
    size_t n;

    ENTER(getdents64, "%s", fdn(fd));
    NEEDS_FD(fd);
    if (!f->node.data || !f->node.data[f->pos])
        return fake_leave(0);
    n = strlen(f->node.data + f->pos) + 1;
    memset(d, 0, 40);
    d->reclen = (unsigned short)((offsetof(struct wh_dirent, name) + n + 7) & ~7u);
    if (d->reclen > size)
        abort();
    memcpy(d->name, f->node.data + f->pos, n);
    f->pos += n;
    fake_leave(0);
    return d->reclen;
}

long sys_read(int fd, void *buf, size_t n)
{
    struct fake_fd *f = &fake.fd[fd];

    ENTER(read, "%s", fdn(fd));
    NEEDS_FD(fd);
    if (strncmp(f->name, "fs(", 3) == 0)
        return fake_leave(-ENODATA);
    if (strcmp(f->name, "signals") == 0)
        return fake_leave(-EAGAIN);
    if (!f->node.data || f->pos >= f->node.len)
        return fake_leave(0);
    if (n > f->node.len - f->pos)
        n = f->node.len - f->pos;
    memcpy(buf, f->node.data + f->pos, n);
    f->pos += n;
    fake_leave(0);
    return (long)n;
}

long sys_pread(int fd, void *buf, size_t n, long off)
{
    const struct fake_node *f = &fake.fd[fd].node;

    ENTER(pread, "%s, %ld", fdn(fd), off);
    NEEDS_FD(fd);
    if (!f->data || (size_t)off >= f->len)
        return fake_leave(0);
    if (n > f->len - (size_t)off)
        n = f->len - (size_t)off;
    memcpy(buf, f->data + off, n);
    fake_leave(0);
    return (long)n;
}

long sys_write(int fd, const void *buf, size_t n)
{
    const char *end = memchr(buf, '\n', n);

    ENTER(write, "%s, \"%.*s\"", fdn(fd), end ? (int)(end - (const char *)buf) : (int)n, (const char *)buf);
    NEEDS_FD(fd);
    fake_leave(0);
    return (long)n;
}

#include "fake-calls.h"

/* ---- running ---- */

/* An ELF of this machine without a loader. */
static char fake_elf[256];

__attribute__((unused)) static void fake_reset(void)
{
    static const char *const fds[] = { "stdin", "stdout", "stderr", "preserved", "ctl", "plan", "mbox" };
    Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1 : 2 },
                     .e_machine = WH_MACHINE,
                     .e_phentsize = sizeof(Elf64_Phdr) };
    static const char passwd[] = "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n";
    struct fake_node *n;

    if (fake.out)
        fclose(fake.out);
    if (fake.conf)
        fclose(fake.conf);
    free(fake.text);
    free(fake.conf_text);
    memset(&fake, 0, sizeof(fake));
    memset(&ini, 0, sizeof(ini));
    fake.out = open_memstream(&fake.text, &fake.size);
    fake.conf = open_memstream(&fake.conf_text, &fake.conf_size);
    fake.deny = ~0u;
    fake.ack = 1;
    fake.after_ready = WH_MSG_COMMIT;
    fake.mbox.abi = WH_ABI_VERSION;
    for (unsigned int k = 0; k < sizeof(fds) / sizeof(fds[0]); k++) {
        fake.fd[k] = (struct fake_fd){ .open = true, .node = { .mode = S_IFDIR | 0755 } };
        snprintf(fake.fd[k].name, FAKE_NAME, "%s", fds[k]);
    }
    /* Something of the host's that leaked. */
    fake.fd[20] = (struct fake_fd){ .open = true, .name = "leak" };
    fake.fd[0].node = (struct fake_node){ .mode = S_IFCHR | 0666, .major = 1, .minor = 3 };
    fake.fd[1].node = (struct fake_node){ .mode = S_IFIFO | 0600 };
    fake.fd[2].node = (struct fake_node){ .mode = S_IFREG | 0600 };

    n = fake_node("/dev/null", S_IFCHR | 0666);
    n->major = 1, n->minor = 3;
    n = fake_node("/dev/full", S_IFCHR | 0666);
    n->major = 1, n->minor = 7;
    fake_node("//dev/pts", S_IFDIR | 0755)->fs = WH_DEVPTS_MAGIC; /* of a mount namespace that was joined */
    n = fake_node("/etc/passwd", S_IFREG | 0644);
    n->data = passwd, n->len = sizeof(passwd) - 1;
    memcpy(fake_elf, &h, sizeof(h));
    fake_missing("/sbin/prog");
    n = fake_node("/bin/prog", S_IFREG | 0755);
    n->data = fake_elf, n->len = sizeof(fake_elf);
    fake_node("/etc/hosts", S_IFREG | 0644);
    fake_node("/etc/meminfo", S_IFREG | 0644);
    fake_node("/etc/localtime", S_IFLNK | 0777);
    strcpy(fake_node("tree(/etc/localtime)", S_IFLNK | 0777)->link, "zone/utc");
    fake_node("ROOT/etc/hosts", S_IFREG | 0644);
    fake_node("ROOT/proc/meminfo", S_IFREG | 0444)->fs = WH_PROC_MAGIC;
    fake_node("ROOT/proc/kcore", S_IFREG | 0400)->fs = WH_PROC_MAGIC;
    fake_node("ROOT/proc/sys", S_IFDIR | 0555)->fs = WH_PROC_MAGIC;
    fake_missing("ROOT/dev/null");
    fake_missing("ROOT/dev/full");
    fake_missing("ROOT/dev/fuse");
    fake_missing("ROOT/dev/ptmx");
    fake_missing("ROOT/dev/console");
    fake_missing("ROOT/dev/mqueue");
    /* tmpcopyup of /run: what a directory can hold. */
    n = fake_node("ROOT/run", S_IFDIR | 0750);
    n->data = ".\0file\0link\0sub\0fifo\0sock\0other\0", n->len = 1;
    n = fake_node("ROOT/run/file", S_IFREG | 04755);
    n->data = "data", n->len = 4, n->uid = 7;
    n = fake_node("ROOT/run/link", S_IFLNK | 0777);
    strcpy(n->link, "target");
    fake_node("ROOT/run/fifo", S_IFIFO | 0600);
    fake_node("ROOT/run/sock", S_IFSOCK | 0600);
    fake_node("ROOT/run/other", S_IFDIR | 0700)->err = 0;
    for (unsigned int k = 0; k < 5; k++) {
        static const char *const made[] = { "file", "link", "sub", "fifo", "other" };
        char name[64];

        snprintf(name, sizeof(name), "mnt(tmpfs)/%s", made[k]);
        fake_missing(name);
    }
}

/* Runs the plan from main(). Returns how it ended: 1 exit, 2 execve. */
__attribute__((unused)) static int fake_run(struct wh_plan *plan, size_t size)
{
    static char title[32];
    static const char *const slots[] = { "PROC", "ROOTFS", "CONSOLE", "LISTEN", "TARGET", "NETNS", "USERNS" };
    char *argv[] = { title, (char[]){ "4" }, NULL };
    unsigned int fd = 7;

    for (unsigned int k = 0; k < sizeof(slots) / sizeof(slots[0]); k++)
        if (plan->host_slots >> (k < 5 ? k : WH_SLOT_NS + k - 5) & 1) {
            fake.fd[fd] = (struct fake_fd){ .open = true, .node = { .mode = S_IFDIR | 0755 } };
            snprintf(fake.fd[fd++].name, FAKE_NAME, "%s", slots[k]);
        }
    strcpy(title, "wherry:[A]");
    fake.plan = plan;
    fake.plan_size = size;
    if (setjmp(fake.end) == 0)
        init_main(2, argv);
    fflush(fake.out);
    fflush(fake.conf);
    return fake.ended;
}

#endif
