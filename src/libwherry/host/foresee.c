/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/foresee.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/apart.h"
#include "host/rtnl.h"

/* ---------------------------------------------------------------- file systems */

/* A line of /proc/filesystems is "nodev", a tab and the name, or a tab and the name. */
static bool in_filesystems(const char *text, const char *type, size_t len)
{
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        const char *name = memchr(line, '\t', n);

        if (name && (size_t)(line + n - name - 1) == len && memcmp(name + 1, type, len) == 0)
            return true;
        line += n + (line[n] == '\n');
    }
    return false;
}

/* Whether the kernel has a program to load modules with: CONFIG_MODULES, and a name in the file (sysctl/kernel.rst). */
static bool loads_modules(int proc_fd)
{
    char text[256];
    ssize_t n = wh_read_at(proc_fd, "sys/kernel/modprobe", text, sizeof text);

    return n == -ENOENT ? false : n < 0 || (n > 0 && text[0] != '\n');
}

/* "alias fs-TYPE module": what the kernel asks modprobe for, by depmod's list of the running kernel. Where that list is
 * not to be seen, as in a container, modprobe of the host may have it all the same. */
static int has_module(int proc_fd, const char *type, size_t len)
{
    char path[256], want[80];
    struct utsname u;
    char *text;
    ssize_t n;
    bool found;

    if (len > sizeof want - 16 || uname(&u) < 0)
        return -EINVAL;
    snprintf(path, sizeof path, "/lib/modules/%s/modules.alias", u.release);
    snprintf(want, sizeof want, "alias fs-%.*s ", (int)len, type);
    text = malloc(8u << 20);
    if (!text)
        return -ENOMEM;
    n = wh_read_at(AT_FDCWD, path, text, (8u << 20) - 1);
    found = n > 0 && strstr(text, want);
    free(text);
    if (n == -ENOENT && !loads_modules(proc_fd))
        return 0;
    return n < 0 ? (int)n : found;
}

int wh_foresee_fstype(int proc_fd, const char *type)
{
    char text[8192];
    /* "fuse.sshfs" is fuse, with a subtype. */
    size_t len = strcspn(type, ".");
    ssize_t n = wh_read_at(proc_fd, "filesystems", text, sizeof text - 1);

    if (n < 0)
        return (int)n;
    return in_filesystems(text, type, len) ? 1 : has_module(proc_fd, type, len);
}

#define LOG_SIZE 256

struct context {
    const struct wh_plan *plan;
    const struct wh_step_mount_fs *s;
    uint32_t refused; /* index of the key among the parameters */
    char log[LOG_SIZE];
};

/* The first error that the context tells, without its "e ". */
static void read_log(int fs, char *log)
{
    for (unsigned i = 0; i < 8; i++) {
        char line[LOG_SIZE] = { 0 };
        ssize_t n = syscall(SYS_read, fs, line, sizeof line - 1);

        if (n <= 2)
            return;
        line[n] = '\0';
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == 'e' && line[1] == ' ') {
            /* Of the same size as line; in a process that may only make system calls. */
            memcpy(log, line + 2, sizeof line - 2);
            return;
        }
    }
}

static int try_options(void *arg)
{
    struct context *c = arg;
    const wh_off *v = wh_plan_at(c->plan, c->s->params.off);
    int fs = (int)syscall(SYS_fsopen, wh_plan_str(c->plan, c->s->fstype), WH_FSOPEN_CLOEXEC), r = 1;

    if (fs < 0)
        return -errno;
    for (uint32_t i = 0; i < c->s->params.n && r == 1; i += 2) {
        const char *value = v[i + 1] ? wh_plan_str(c->plan, v[i + 1]) : NULL;

        /* Other errors are about paths and ids, which are different ones in the container. */
        if (syscall(SYS_fsconfig, fs, value ? WH_FSCONFIG_SET_STRING : WH_FSCONFIG_SET_FLAG, wh_plan_str(c->plan, v[i]),
                    value, 0) == 0 ||
            errno != EINVAL)
            continue;
        r = 0;
        c->refused = i;
        read_log(fs, c->log);
    }
    wh_close(fs);
    return r;
}

int wh_foresee_fsoptions(int proc_fd, const struct wh_plan *plan, const struct wh_step_mount_fs *s, int cancel_fd,
                         const char **ret_key, char *log, size_t size)
{
    struct context c = { .plan = plan, .s = s };
    const char *type = wh_plan_str(plan, s->fstype);
    char text[8192];
    int r;

    /* fd= is of the process that mounts it. And fsopen(2) would load a module. */
    if (s->params.n == 0 || wh_startswith(type, "fuse") ||
        wh_read_at(proc_fd, "filesystems", text, sizeof text - 1) < 0 || !in_filesystems(text, type, strlen(type)))
        return -EOPNOTSUPP;
    r = wh_apart(try_options, &c, sizeof c, cancel_fd);
    if (r == 0) {
        *ret_key = wh_plan_str(plan, ((const wh_off *)wh_plan_at(plan, s->params.off))[c.refused]);
        snprintf(log, size, "%s", c.log);
    }
    return r;
}

/* ---------------------------------------------------------------- sysctls, devices, limits */

struct sysctls {
    int proc_fd;
    bool new_netns;
    size_t n;
    uint64_t missing;
    char paths[][128];
};

static int look_for_sysctls(void *arg)
{
    struct sysctls *s = arg;

    /* Not all that is below net/ in the first namespace is in others. Without the privilege: what is nowhere is not
     * there either. */
    if (s->new_netns)
        syscall(SYS_unshare, CLONE_NEWNET);
    for (size_t i = 0; i < s->n; i++) {
        int fd = (int)syscall(SYS_openat, s->proc_fd, s->paths[i], O_PATH | O_CLOEXEC, 0);

        if (fd >= 0)
            wh_close(fd);
        else if (errno == ENOENT || errno == ENOTDIR)
            s->missing |= 1ull << i;
    }
    return 0;
}

int wh_foresee_sysctls(int proc_fd, const char *const *paths, size_t n, bool new_netns, int cancel_fd,
                       uint64_t *ret_missing)
{
    size_t size = sizeof(struct sysctls) + n * sizeof((struct sysctls *)0)->paths[0];
    struct sysctls *s = n <= WH_FORESEE_SYSCTLS ? calloc(1, size) : NULL;
    int r;

    if (!s)
        return -ENOMEM;
    *s = (struct sysctls){ .proc_fd = proc_fd, .new_netns = new_netns, .n = n };
    for (size_t i = 0; i < n; i++)
        if (snprintf(s->paths[i], sizeof s->paths[i], "sys/%s", paths[i]) >= (int)sizeof s->paths[i])
            s->paths[i][3] = '\0'; /* "sys": longer than any that there is, and not told */
    r = wh_apart(look_for_sysctls, s, size, cancel_fd);
    *ret_missing = s->missing;
    free(s);
    return r;
}

static int sysfs_list(const char *path, char *buf, size_t size)
{
    ssize_t n = wh_read_at(AT_FDCWD, path, buf, size - 1);

    if (n < 0)
        return (int)n;
    buf[strcspn(buf, "\n")] = '\0';
    return *buf ? (int)strlen(buf) : -ENODATA;
}

int wh_foresee_cpus(char *buf, size_t size)
{
    return sysfs_list("/sys/devices/system/cpu/online", buf, size);
}

int wh_foresee_mems(char *buf, size_t size)
{
    return sysfs_list("/sys/devices/system/node/has_memory", buf, size);
}

int wh_foresee_rlimit(int resource, uint64_t *ret_hard)
{
    struct rlimit l;

    if (syscall(SYS_prlimit64, 0, resource, NULL, &l) < 0)
        return -errno;
    *ret_hard = l.rlim_max;
    return 0;
}

int wh_foresee_nr_open(int proc_fd, uint64_t *ret)
{
    char text[32];
    ssize_t n = wh_read_at(proc_fd, "sys/fs/nr_open", text, sizeof text - 1);

    if (n < 0)
        return (int)n;
    text[strcspn(text, "\n")] = '\0';
    return wh_parse_u64(text, UINT64_MAX, ret);
}

int wh_foresee_netdev(const char *name)
{
    WH_CLEANUP_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    const struct timeval wait = { .tv_sec = 10 };
    struct wh_link l;
    int r = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ? -errno
                                                                                      : wh_rtnl_link(fd, name, 0, &l);

    return r == -ENODEV ? 0 : r < 0 ? r : 1;
}

/* O_PATH alone does not trigger an automount (open(2)), which systemd has here and which would be waited for without
 * end; with O_DIRECTORY it would. */
bool wh_foresee_binfmt(int proc_fd)
{
    WH_CLEANUP_FD int at = openat(proc_fd, "sys/fs/binfmt_misc", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    const struct dirent *e;
    struct statfs fs;
    bool any = false;
    DIR *dir;
    int fd;

    if (at < 0)
        return errno != ENOENT;
    if (fstatfs(at, &fs) < 0 || fs.f_type == AUTOFS_SUPER_MAGIC)
        return true;
    /* The empty directory where it could be mounted: nothing is registered. */
    if (fs.f_type != BINFMTFS_MAGIC)
        return false;
    fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        wh_close(fd);
        return true;
    }
    while (!any && (e = readdir(dir)) != NULL)
        any = e->d_name[0] != '.' && !wh_streq(e->d_name, "register") && !wh_streq(e->d_name, "status");
    closedir(dir);
    return any;
}
