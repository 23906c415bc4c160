/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/intelrdt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "host/proc.h"
#include "host/state.h"

#define RESCTRL_MAGIC 0x7655821
#define MOUNTINFO_MAX (4u << 20)
/* A line for each of a few resources, a value for each cache. */
#define SCHEMATA_MAX 16384u
#define RECORD_MAX 1024u

/* ---- the mount ---- */

static int kernel_make(int dir_fd, const char *name)
{
    return mkdirat(dir_fd, name, 0755) < 0 ? -errno : 0;
}

static int kernel_remove(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* The mount point of one line of mountinfo (proc(5)), cut in place; null if it is another file system. */
static const char *mount_point(char *line)
{
    char *dash = strstr(line, " - "), *p = line;

    if (!dash || !wh_startswith(dash + 3, "resctrl "))
        return NULL;
    for (int i = 0; i < 4; i++) {
        p = strchr(p, ' ');
        if (!p || p > dash)
            return NULL;
        p++;
    }
    p[strcspn(p, " ")] = '\0';
    wh_unescape_octal(p);
    return p;
}

int wh_rdt_find(int proc_fd, struct wh_rdt_fs *ret, struct wh_err *err)
{
    WH_CLEANUP_FD int info = openat(proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC), fd = -1;
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    WH_UNINITIALIZED char chunk[8192];
    const char *where = NULL;
    struct statfs sfs;
    ssize_t n = 0;

    *ret = (struct wh_rdt_fs){ .fd = -1, .make = kernel_make, .remove = kernel_remove };
    if (info < 0)
        return wh_err_sys(err, -errno, "read /proc/self/mountinfo");
    while ((n = read(info, chunk, sizeof chunk)) > 0 && text.len < MOUNTINFO_MAX)
        wh_buf_add(&text, chunk, (size_t)n);
    if (n < 0 || text.failed)
        return wh_err_sys(err, n < 0 ? -errno : -ENOMEM, "read /proc/self/mountinfo");
    for (char *line = text.data, *next; line && *line && !where; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        where = mount_point(line);
    }
    if (!where)
        return wh_err_set(err, WH_ERR_HOST, -ENODEV, NULL,
                          "intelRdt is specified in config, but resctrl is not mounted (mount -t resctrl resctrl "
                          "/sys/fs/resctrl, on a processor and a kernel that have it)");
    fd = openat(AT_FDCWD, where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &sfs) < 0)
        return wh_err_sys(err, -errno, "open resctrl on %s", where);
    if (sfs.f_type != RESCTRL_MAGIC)
        return wh_err_set(err, WH_ERR_HOST, -ENODEV, NULL, "what is on %s now is not resctrl", where);
    ret->fd = wh_take_fd(&fd);
    return 0;
}

const struct wh_step_rdt *wh_rdt_step(const struct wh_plan *plan)
{
    const struct wh_step *s = wh_plan_first_host(plan);

    for (uint32_t i = 0; i < plan->nhost; i++, s = wh_step_next(s))
        if (s->op == WH_OP_RDT)
            return (const struct wh_step_rdt *)s;
    return NULL;
}

/* ---- the record ---- */

enum kind { OWN, MADE, THERE };
static const char *const kinds[] = { "own", "made", "there" };

struct record {
    enum kind kind;
    char text[RECORD_MAX + 1];
    const char *group, *monitor; /* in text; monitor may be null */
};

static int write_record(int dir_fd, enum kind kind, const char *group, const char *monitor, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf out = { 0 };

    wh_buf_printf(&out, "group %s %s\n", kinds[kind], group);
    if (monitor)
        wh_buf_printf(&out, "monitor %s\n", monitor);
    return wh_store_write(dir_fd, "rdt", &out, err);
}

/* -ENOENT: there is none. */
static int read_record(int dir_fd, struct record *ret)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, "rdt", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -errno : wh_read_fd(fd, ret->text, RECORD_MAX);
    char *line = ret->text, *end;

    if (n < 0)
        return (int)n;
    end = strchr(line, '\n');
    if (!end || !wh_startswith(line, "group "))
        return -EINVAL;
    *end = '\0';
    for (unsigned k = 0; k < WH_ELEMENTSOF(kinds); k++) {
        size_t len = strlen(kinds[k]);

        if (strncmp(line + 6, kinds[k], len) == 0 && line[6 + len] == ' ') {
            ret->kind = (enum kind)k;
            ret->group = line + 6 + len + 1;
        }
    }
    line = end + 1;
    if (wh_startswith(line, "monitor ") && (end = strchr(line, '\n'))) {
        *end = '\0';
        ret->monitor = line + 8;
    }
    /* It is the name of a directory, whoever wrote it. */
    if (!ret->group || !*ret->group || (strchr(ret->group, '/') && !wh_streq(ret->group, "/")) ||
        wh_streq(ret->group, "..") || (ret->monitor && (strchr(ret->monitor, '/') || wh_streq(ret->monitor, ".."))))
        return -EINVAL;
    return 0;
}

/* ---- a group ---- */

static int open_group(const struct wh_rdt_fs *fs, const char *group)
{
    WH_CLEANUP_FD int fd =
        openat(fs->fd, wh_streq(group, "/") ? "." : group, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    /* resctrl has directories that are no groups: info, mon_data, mon_groups. */
    return faccessat(fd, "schemata", F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -ENOTDIR : wh_take_fd(&fd);
}

/* The kernel's own words for the last failure, when it has some. */
static void add_reason(const struct wh_rdt_fs *fs, struct wh_err *err)
{
    char text[256];
    ssize_t n = wh_read_at(fs->fd, "info/last_cmd_status", text, sizeof text - 1);
    size_t len = strlen(err->msg);

    if (n <= 1 || wh_startswith(text, "ok"))
        return;
    text[strcspn(text, "\n")] = '\0';
    snprintf(err->msg + len, sizeof err->msg - len, " (%s)", text);
}

static int write_schemata(const struct wh_rdt_fs *fs, int group_fd, const struct wh_plan *plan,
                          const struct wh_step_rdt *s, struct wh_err *err)
{
    const wh_off *at = wh_plan_at(plan, s->schemata.off);

    for (uint32_t i = 0; i < s->schemata.n; i++) {
        WH_CLEANUP_BUF struct wh_buf line = { 0 };
        int r;

        wh_buf_printf(&line, "%s\n", wh_plan_str(plan, at[i]));
        r = line.failed ? -ENOMEM : wh_write_at(group_fd, "schemata", line.data);
        if (r < 0) {
            wh_err_sys(err, r, "write \"%s\" to schemata of resctrl group %s", wh_plan_str(plan, at[i]),
                       wh_plan_str(plan, s->group));
            add_reason(fs, err);
            return r;
        }
    }
    return 0;
}

/* ---- comparing ---- */

static const char *blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* One "DOMAIN=VALUE" at *p, up to the next ';'. Numbers are compared without blanks and leading zeros, masks without case. */
struct cell {
    const char *domain, *value;
    size_t ndomain, nvalue;
};
static bool next_cell(const char **p, struct cell *ret)
{
    const char *start = blanks(*p), *end = start + strcspn(start, ";\n"),
               *eq = memchr(start, '=', (size_t)(end - start));

    *p = *end == ';' ? end + 1 : end;
    if (!eq)
        return false;
    *ret = (struct cell){ start, blanks(eq + 1), (size_t)(eq - start), 0 };
    while (ret->ndomain && ret->domain[ret->ndomain - 1] == ' ')
        ret->ndomain--;
    while (ret->ndomain > 1 && *ret->domain == '0')
        ret->domain++, ret->ndomain--;
    while (ret->value + 1 < end && *ret->value == '0' && ret->value[1] != ' ')
        ret->value++;
    ret->nvalue = (size_t)(end - ret->value);
    while (ret->nvalue && ret->value[ret->nvalue - 1] == ' ')
        ret->nvalue--;
    return true;
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
    return a->ndomain == b->ndomain && a->nvalue == b->nvalue && memcmp(a->domain, b->domain, a->ndomain) == 0 &&
           strncasecmp(a->value, b->value, a->nvalue) == 0;
}

/* "L3:0=f;1=f" holds if the text has a line L3 with these values; it may have others. */
static bool line_holds(const char *wanted, const char *text)
{
    const char *name = blanks(wanted), *colon = strchr(name, ':'), *line, *p;
    struct cell want, have;

    if (!colon)
        return false;
    for (line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        line = blanks(line);
        if (strncmp(line, name, (size_t)(colon - name) + 1) == 0)
            break;
    }
    if (!*line)
        return false;
    for (p = colon + 1; *blanks(p) && *p != '\n';) {
        const char *q = line + (colon - name) + 1;
        bool found = false;

        if (!next_cell(&p, &want))
            return false;
        while (!found && *blanks(q) && *q != '\n')
            found = next_cell(&q, &have) && same_cell(&want, &have);
        if (!found)
            return false;
    }
    return true;
}

static int compare(int group_fd, const struct wh_plan *plan, const struct wh_step_rdt *s, struct wh_err *err)
{
    const wh_off *at = wh_plan_at(plan, s->schemata.off);
    char text[SCHEMATA_MAX + 1];
    ssize_t n;

    if (s->schemata.n == 0)
        return 0;
    n = wh_read_at(group_fd, "schemata", text, SCHEMATA_MAX);
    if (n < 0)
        return wh_err_sys(err, (int)n, "read schemata of resctrl group %s", wh_plan_str(plan, s->group));
    for (uint32_t i = 0; i < s->schemata.n; i++)
        /* A property may have several lines. */
        for (const char *line = wh_plan_str(plan, at[i]); *line; line += strcspn(line, "\n"), line += *line == '\n')
            if (!line_holds(line, text))
                return wh_err_set(err, WH_ERR_HOST, -EEXIST, NULL,
                                  "resctrl group %s is there and has other schemata than \"%.*s\"",
                                  wh_plan_str(plan, s->group), (int)strcspn(line, "\n"), line);
    return 0;
}

/* ---- making ---- */

static int make_group(const struct wh_rdt_fs *fs, int dir_fd, const struct wh_plan *plan, const struct wh_step_rdt *s,
                      struct wh_err *err)
{
    const char *group = wh_plan_str(plan, s->group), *monitor = wh_plan_str(plan, s->monitor);
    WH_CLEANUP_FD int fd = open_group(fs, group);
    enum kind kind = fd >= 0 || s->mode == WH_RDT_JOIN ? THERE : s->mode == WH_RDT_OWN ? OWN : MADE;
    int r;

    if (fd < 0 && fd != -ENOENT)
        return wh_err_sys(err, fd, "open resctrl group %s", group);
    if (fd >= 0 && s->mode == WH_RDT_OWN)
        return wh_err_set(err, WH_ERR_HOST, -EEXIST, NULL, "resctrl has a group %s already", group);
    if (fd < 0 && s->mode == WH_RDT_JOIN)
        return wh_err_set(err, WH_ERR_HOST, -ENOENT, NULL,
                          "resctrl has no group %s, and intelRdt has no schemata to make one with", group);
    r = write_record(dir_fd, kind, group, monitor, err);
    if (r < 0 || kind == THERE)
        return r < 0 ? r : compare(fd, plan, s, err);
    r = fs->make(fs->fd, group);
    /* Somebody else's since we looked: the undo must not take it for ours. */
    if (r == -EEXIST)
        write_record(dir_fd, THERE, group, NULL, err);
    if (r < 0) {
        *err = (struct wh_err){ 0 };
        wh_err_sys(err, r, "make resctrl group %s", group);
        add_reason(fs, err);
        return r;
    }
    fd = open_group(fs, group);
    return fd < 0 ? wh_err_sys(err, fd, "open resctrl group %s", group) : write_schemata(fs, fd, plan, s, err);
}

int wh_rdt_make(const struct wh_rdt_fs *fs, int dir_fd, const struct wh_plan *plan, const struct wh_step_rdt *s,
                struct wh_err *err)
{
    const char *group = wh_plan_str(plan, s->group), *monitor = wh_plan_str(plan, s->monitor);
    WH_CLEANUP_FD int fd = -1, groups = -1;
    struct wh_err ignored = { 0 };
    struct record rec = { 0 };
    int r = make_group(fs, dir_fd, plan, s, err);

    if (r < 0 || !monitor)
        return r;
    fd = open_group(fs, group);
    groups = fd < 0 ? -1 : openat(fd, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (groups < 0)
        return wh_err_sys(err, fd < 0 ? fd : -errno,
                          "make a monitoring group in resctrl group %s: this processor has no monitoring", group);
    r = fs->make(groups, monitor);
    /* Somebody else's: the undo removes what the record names. */
    if (r == -EEXIST && read_record(dir_fd, &rec) == 0)
        write_record(dir_fd, rec.kind, group, NULL, &ignored);
    if (r < 0) {
        wh_err_sys(err, r, "make monitoring group %s in resctrl group %s", monitor, group);
        add_reason(fs, err);
    }
    return r;
}

/* ---- processes ---- */

int wh_rdt_join(const struct wh_rdt_fs *fs, int dir_fd, pid_t pid, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = -1, groups = -1, mon = -1;
    struct record rec = { 0 };
    char number[16];
    int r = read_record(dir_fd, &rec);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return wh_err_sys(err, r, "read which resctrl group the container has");
    snprintf(number, sizeof number, "%d\n", (int)pid);
    fd = open_group(fs, rec.group);
    r = fd < 0 ? fd : wh_write_at(fd, "tasks", number);
    /* The monitoring group takes only what is in the group above it. */
    if (r == 0 && rec.monitor) {
        groups = openat(fd, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        mon = groups < 0 ? -1 : openat(groups, rec.monitor, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = mon < 0 ? -errno : wh_write_at(mon, "tasks", number);
    }
    if (r < 0) {
        wh_err_sys(err, r, "put process %d into resctrl group %s", (int)pid, rec.group);
        add_reason(fs, err);
    }
    return r;
}

/* ---- changing ---- */

/* A line for this resource, or for its half ("L3CODE", "L3DATA"). */
static bool has_resource(const char *text, const char *name)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (wh_startswith(blanks(line), name))
            return true;
    return false;
}

static int no_resource(bool l3, struct wh_err *err)
{
    return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, NULL,
                      l3 ? "Intel RDT/CAT: l3 cache schema is not enabled"
                         : "Intel RDT/MBA: memory bandwidth schema is not enabled");
}

int wh_rdt_update(const struct wh_rdt_fs *fs, int dir_fd, const char *l3, const char *mb, char **ret_old,
                  struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf lines = { 0 };
    WH_CLEANUP_FD int fd = -1;
    struct record rec = { 0 };
    char old[SCHEMATA_MAX + 1];
    ssize_t n = fs->fd < 0 ? -ENOENT : wh_read_at(fs->fd, "schemata", old, SCHEMATA_MAX);
    int r;

    if (n < 0 || (l3 && !has_resource(old, "L3")))
        return no_resource(l3 != NULL, err);
    if (mb && !has_resource(old, "MB"))
        return no_resource(false, err);
    r = read_record(dir_fd, &rec);
    /* The root group is what all have that have no group. */
    if (r == -ENOENT || (r == 0 && wh_streq(rec.group, "/")))
        return wh_err_set(err, WH_ERR_STATE, -EOPNOTSUPP, NULL,
                          "updating a non-existent Intel RDT configuration is not supported");
    if (r < 0)
        return wh_err_sys(err, r, "read which resctrl group the container has");
    fd = open_group(fs, rec.group);
    n = fd < 0 ? fd : wh_read_at(fd, "schemata", old, SCHEMATA_MAX);
    if (n < 0)
        return wh_err_sys(err, (int)n, "read schemata of resctrl group %s", rec.group);
    wh_buf_printf(&lines, "%s%s%s%s", l3 ? l3 : "", l3 ? "\n" : "", mb ? mb : "", mb ? "\n" : "");
    *ret_old = strdup(old);
    if (lines.failed || !*ret_old)
        return wh_err_sys(err, -ENOMEM, "read schemata of resctrl group %s", rec.group);
    r = wh_write_at(fd, "schemata", lines.data);
    if (r < 0) {
        wh_err_sys(err, r, "write \"%s%s%s\" to schemata of resctrl group %s", l3 ? l3 : "", l3 && mb ? " " : "",
                   mb ? mb : "", rec.group);
        add_reason(fs, err);
    }
    return r;
}

void wh_rdt_put_back(const struct wh_rdt_fs *fs, int dir_fd, const char *old)
{
    WH_CLEANUP_FD int fd = -1;
    struct record rec = { 0 };

    if (read_record(dir_fd, &rec) < 0)
        return;
    fd = open_group(fs, rec.group);
    /* Once more: the first failure may have been a passing one. */
    if (fd >= 0 && wh_write_at(fd, "schemata", old) < 0)
        (void)wh_write_at(fd, "schemata", old);
}

int wh_rdt_open(const struct wh_rdt_fs *fs, int dir_fd, int *ret_group, int *ret_monitor)
{
    WH_CLEANUP_FD int fd = -1, groups = -1;
    struct record rec = { 0 };
    int r = read_record(dir_fd, &rec);

    if (r < 0)
        return r;
    fd = open_group(fs, rec.group);
    if (fd < 0)
        return fd;
    if (rec.monitor)
        groups = openat(fd, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *ret_monitor = groups < 0 ? -1 : openat(groups, rec.monitor, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *ret_group = wh_take_fd(&fd);
    return 0;
}

/* ---- removing ---- */

/* The kernel gives the processes of a removed group back to the default one: another container's, if one has joined it. */
static bool in_use(int group_fd)
{
    char text[16];
    WH_CLEANUP_FD int fd = openat(group_fd, "tasks", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 || read(fd, text, sizeof text) != 0;
}

int wh_rdt_remove(const struct wh_rdt_fs *fs, int dir_fd, bool failed, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = -1, groups = -1;
    struct record rec = { 0 };
    int r = read_record(dir_fd, &rec);

    /* Damaged beyond reading: what it was about has the container's name and is found by it, by hand. */
    if (r == -ENOENT || r == -EINVAL || r == -EFBIG || r == -ELOOP)
        return 0;
    if (r < 0)
        return wh_err_sys(err, r, "read which resctrl group the container has");
    fd = open_group(fs, rec.group);
    if (fd < 0)
        return fd == -ENOENT || fd == -ENOTDIR ? 0 : wh_err_sys(err, fd, "open resctrl group %s", rec.group);
    if (rec.monitor) {
        groups = openat(fd, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = groups < 0 ? 0 : fs->remove(groups, rec.monitor);
        if (r < 0 && r != -ENOENT)
            return wh_err_sys(err, r, "remove monitoring group %s of resctrl group %s", rec.monitor, rec.group);
    }
    if (rec.kind == THERE || (rec.kind == MADE && (!failed || in_use(fd))))
        return 0;
    r = fs->remove(fs->fd, rec.group);
    if (r < 0 && r != -ENOENT)
        return wh_err_sys(err, r, "remove resctrl group %s", rec.group);
    WH_INFO("removed resctrl group %s", rec.group);
    return 0;
}

/* ---- with the kernel's ---- */

int wh_rdt_join_here(int proc_fd, int dir_fd, pid_t pid, struct wh_err *err)
{
    struct wh_rdt_fs fs;
    int r;

    if (faccessat(dir_fd, "rdt", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : wh_err_sys(err, -errno, "look for the container's resctrl group");
    r = wh_rdt_find(proc_fd, &fs, err);
    if (r < 0)
        return r;
    r = wh_rdt_join(&fs, dir_fd, pid, err);
    wh_close(fs.fd);
    return r;
}

int wh_rdt_remove_here(int dir_fd, bool failed, struct wh_err *err)
{
    WH_CLEANUP_FD int proc = -1;
    struct wh_err why = { 0 };
    struct wh_rdt_fs fs;
    int r;

    if (faccessat(dir_fd, "rdt", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : wh_err_sys(err, -errno, "look for the container's resctrl group");
    proc = wh_proc_open(err);
    if (proc < 0)
        return proc;
    /* Groups do not outlive the mount. */
    r = wh_rdt_find(proc, &fs, &why);
    if (r == -ENODEV || r == -ENOENT)
        return 0;
    if (r < 0) {
        if (err && err->code == 0)
            *err = why;
        return r;
    }
    r = wh_rdt_remove(&fs, dir_fd, failed, err);
    wh_close(fs.fd);
    return r;
}
