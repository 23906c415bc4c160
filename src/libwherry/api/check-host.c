/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings about this host: what the configuration names and is not there. Nothing is changed, and nothing is executed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/check.h"
#include "base/fd.h"
#include "host/cgroup/cgroup.h"
#include "plan/compile-resources.h"

static bool is_bind(const struct wh_mount_spec *m)
{
    if (m->type.v && wh_streq(m->type.v, "bind"))
        return true;
    for (size_t i = 0; i < m->options.n; i++)
        if (wh_streq(m->options.v[i].v, "bind") || wh_streq(m->options.v[i].v, "rbind"))
            return true;
    return false;
}

/* Only what is certain is reported: a path that may not be looked at is not one that is missing. */
static bool missing(int r)
{
    return r == -ENOENT || r == -ENOTDIR;
}

static int open_path(int dirfd, const char *path)
{
    int fd = openat(dirfd, path, O_PATH | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int open_rootfs(struct wh_findings *f, const struct wh_spec *s, int bundle_fd)
{
    struct stat st;
    int fd;

    if (!s->root.path.v || !*s->root.path.v)
        return -1;
    fd = open_path(bundle_fd, s->root.path.v);
    if (missing(fd)) {
        wh_check_add(f, WH_CHECK_ROOTFS_MISSING, s->root.path.src, "there is no %s", s->root.path.v);
        return -1;
    }
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
        wh_check_add(f, WH_CHECK_ROOTFS_MISSING, s->root.path.src, "%s is not a directory", s->root.path.v);
        wh_close(fd);
        return -1;
    }
    return fd;
}

static void binds(struct wh_findings *f, const struct wh_spec *s, int bundle_fd)
{
    for (size_t i = 0; i < s->nmounts; i++) {
        const struct wh_mount_spec *m = &s->mounts[i];

        if (!is_bind(m) || !m->source.v || !*m->source.v)
            continue;
        int fd = open_path(bundle_fd, m->source.v);
        if (missing(fd))
            wh_check_add(f, WH_CHECK_BIND_SOURCE_MISSING, m->source.src, "there is no %s, which is mounted on %s",
                         m->source.v, m->destination.v);
        if (fd >= 0)
            wh_close(fd);
    }
}

static void namespaces(struct wh_findings *f, const struct wh_linux *l, int proc_fd)
{
    static const struct {
        const char *file;
        enum wh_check check;
    } t[WH_NS_MAX] = {
        [WH_NS_PID] = { "pid", WH_CHECK_HOST_PID },          [WH_NS_NETWORK] = { "net", WH_CHECK_HOST_NETWORK },
        [WH_NS_MOUNT] = { "mnt", WH_CHECK_HOST_MOUNT },      [WH_NS_IPC] = { "ipc", WH_CHECK_HOST_IPC },
        [WH_NS_UTS] = { "uts", WH_CHECK_HOST_UTS },          [WH_NS_USER] = { "user", WH_CHECK_MAX },
        [WH_NS_CGROUP] = { "cgroup", WH_CHECK_HOST_CGROUP }, [WH_NS_TIME] = { "time", WH_CHECK_MAX },
    };

    for (unsigned i = 0; i < WH_NS_MAX; i++) {
        const struct wh_namespace *ns = &l->ns[i];
        static const char *const whose[] = { "1", "self" };
        struct stat st, host;

        if (!ns->set || !ns->path.v || !*ns->path.v)
            continue;
        WH_CLEANUP_FD int fd = open_path(AT_FDCWD, ns->path.v);
        if (missing(fd))
            wh_check_add(f, WH_CHECK_NAMESPACE_MISSING, ns->path.src, "there is no %s", ns->path.v);
        if (fd < 0 || t[i].check == WH_CHECK_MAX || fstat(fd, &st) < 0)
            continue;
        for (size_t k = 0; k < WH_ELEMENTSOF(whose); k++) {
            char path[64];

            snprintf(path, sizeof path, "%s/ns/%s", whose[k], t[i].file);
            if (fstatat(proc_fd, path, &host, 0) == 0 && host.st_dev == st.st_dev && host.st_ino == st.st_ino) {
                wh_check_add(f, t[i].check, ns->path.src, "%s is the host's %s namespace", ns->path.v,
                             wh_ns_name((enum wh_ns)i));
                break;
            }
        }
    }
}

static void hooks(struct wh_findings *f, const struct wh_hooks *h)
{
    const struct wh_hooklist *lists[] = { &h->prestart, &h->create_runtime, &h->create_container, &h->poststart,
                                          &h->poststop };

    for (size_t i = 0; i < WH_ELEMENTSOF(lists); i++)
        for (size_t k = 0; k < lists[i]->n; k++) {
            const struct wh_hook *e = &lists[i]->v[k];
            struct stat st;

            if (!e->path.v)
                continue;
            WH_CLEANUP_FD int fd = open_path(AT_FDCWD, e->path.v);
            if (missing(fd))
                wh_check_add(f, WH_CHECK_HOOK_MISSING, e->path.src, "there is no %s", e->path.v);
            else if (fd >= 0 && fstat(fd, &st) == 0 && (!S_ISREG(st.st_mode) || !(st.st_mode & 0111)))
                wh_check_add(f, WH_CHECK_HOOK_MISSING, e->path.src, "%s is not an executable file", e->path.v);
        }
}

/* ---------------------------------------------------------------- the program */

/* A mount on it or above it decides what is there, not the rootfs. */
static bool under_mount(const struct wh_spec *s, const char *path)
{
    for (size_t i = 0; i < s->nmounts; i++) {
        const char *d = s->mounts[i].destination.v;
        size_t n = d ? strlen(d) : 0;

        while (n > 1 && d[n - 1] == '/')
            n--;
        if (n > 1 && strncmp(path, d, n) == 0 && (path[n] == '/' || path[n] == '\0'))
            return true;
    }
    return false;
}

static bool may_execute(const struct stat *st, const struct wh_process *p)
{
    uint32_t uid = p->user.uid.set ? p->user.uid.v : 0, gid = p->user.gid.set ? p->user.gid.v : 0;
    bool member = st->st_gid == gid;

    if (uid == 0)
        return st->st_mode & 0111;
    for (size_t i = 0; i < p->user.additional_gids.n; i++)
        member = member || st->st_gid == p->user.additional_gids.v[i].v;
    return st->st_mode & (st->st_uid == uid ? 0100u : member ? 0010u : 0001u);
}

/* A mount that may bring programs along, where a link leads to it: /bin may be a link to usr/bin, and /usr a mount. */
static bool brings_programs(const struct wh_mount_spec *m, const char *path)
{
    static const char *const dirs[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix", "/gnu" };
    const char *d = m->destination.v;
    size_t first = 1 + strcspn(path + 1, "/");

    for (size_t i = 0; i < WH_ELEMENTSOF(dirs); i++) {
        size_t n = strlen(dirs[i]);

        if (strncmp(d, dirs[i], n) == 0 && (d[n] == '/' || !d[n]))
            return true;
    }
    return strncmp(d, path, first) == 0 && (d[first] == '/' || !d[first]);
}

/* The path of a descriptor as this mount namespace has it. False: it is too long, or cannot be read. */
static bool path_of(int proc_fd, int fd, char *ret, size_t size)
{
    char link[32];
    ssize_t n;

    snprintf(link, sizeof link, "self/fd/%d", fd);
    n = readlinkat(proc_fd, link, ret, size - 1);
    if (n <= 0 || n >= (ssize_t)size - 1)
        return false;
    ret[n] = '\0';
    return true;
}

/* The same as under_mount() for where the symbolic links of a path have led: /bin/sh is on a mount on /usr where /bin
 * is a link to usr/bin. */
static bool leads_under_mount(const struct wh_spec *s, int root_fd, int proc_fd, int fd)
{
    char root[PATH_MAX], path[PATH_MAX];
    size_t n;

    if (!path_of(proc_fd, root_fd, root, sizeof root) || !path_of(proc_fd, fd, path, sizeof path))
        return true;
    n = wh_streq(root, "/") ? 0 : strlen(root);
    /* One of them was moved meanwhile. */
    if (strncmp(path, root, n) != 0 || path[n] != '/')
        return true;
    return under_mount(s, path + n);
}

static enum wh_program look_at(const struct wh_spec *s, int root_fd, int proc_fd, const char *path, struct stat *ret)
{
    if (path[0] != '/' || under_mount(s, path))
        return WH_PROGRAM_UNKNOWN;
    WH_CLEANUP_FD int fd = wh_openat2(root_fd, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (missing(fd)) {
        for (size_t i = 0; i < s->nmounts; i++)
            if (brings_programs(&s->mounts[i], path))
                return WH_PROGRAM_UNKNOWN;
        return WH_PROGRAM_MISSING;
    }
    if (fd < 0 || fstat(fd, ret) < 0 || leads_under_mount(s, root_fd, proc_fd, fd))
        return WH_PROGRAM_UNKNOWN;
    return !S_ISREG(ret->st_mode)         ? WH_PROGRAM_NO_FILE
           : may_execute(ret, s->process) ? WH_PROGRAM_THERE
                                          : WH_PROGRAM_DENIED;
}

enum wh_program wh_check_executable(const struct wh_spec *s, int root_fd, int proc_fd, const char *path)
{
    struct stat st;

    return look_at(s, root_fd, proc_fd, path, &st);
}

static const struct wh_step_exec_check *exec_check(const struct wh_plan *plan)
{
    const struct wh_step *step = wh_plan_first(plan);

    for (uint32_t i = 0; i < plan->nsteps; i++, step = wh_step_next(step))
        if (step->op == WH_OP_EXEC_CHECK)
            return (const void *)step;
    return NULL;
}

static void program(struct wh_findings *f, const struct wh_spec *s, const struct wh_plan *plan, int root_fd,
                    int proc_fd, int cancel_fd)
{
    const struct wh_step_exec_check *e = exec_check(plan);
    const char *found = NULL, *wrong = NULL;
    const uint32_t *candidates;
    wh_node src = s->process->args.v[0].src;

    if (!e)
        return;
    candidates = wh_plan_at(plan, e->candidates.off);
    for (uint32_t i = 0; i < e->candidates.n; i++) {
        const char *path = wh_plan_str(plan, candidates[i]);
        struct stat st;
        enum wh_program there = path ? look_at(s, root_fd, proc_fd, path, &st) : WH_PROGRAM_UNKNOWN;

        if (there == WH_PROGRAM_UNKNOWN)
            return; /* nor which of the candidates it will be */
        if (there == WH_PROGRAM_MISSING)
            continue;
        if (there == WH_PROGRAM_THERE) {
            wh_check_program(f, s, path, root_fd, proc_fd, cancel_fd);
            return;
        }
        if (!found) {
            found = path;
            wrong = there == WH_PROGRAM_DENIED ? "may not be executed by the user of the process"
                    : S_ISDIR(st.st_mode)      ? "is a directory"
                                               : "is not a regular file";
        }
    }
    if (found)
        wh_check_add(f, WH_CHECK_ARGS_NOT_FOUND, src, "%s %s", found, wrong);
    else
        wh_check_add(f, WH_CHECK_ARGS_NOT_FOUND, src, "%s is not in the root file system%s", wh_plan_str(plan, e->arg0),
                     strchr(wh_plan_str(plan, e->arg0), '/') ? "" : ", nowhere in PATH");
}

/* ---------------------------------------------------------------- what the host grants */

static void capabilities(struct wh_findings *f, const struct wh_spec *s, const struct wh_facts *facts)
{
    const struct wh_caps *c = &s->process->capabilities;
    uint64_t known = facts->last_cap >= 63 ? UINT64_MAX : (1ull << (facts->last_cap + 1)) - 1;
    uint64_t can = s->linux_.ns[WH_NS_USER].set ? known : known & facts->own_caps;
    uint64_t lost = (c->bounding.mask | c->permitted.mask | c->effective.mask) & ~can;

    /* Who is not root looks at what root will run. */
    if (facts->euid != 0)
        return;
    for (unsigned cap = 0; cap < 64; cap++)
        if (lost & 1ull << cap)
            wh_check_add(f, WH_CHECK_CAP_NOT_GRANTED, c->src, "%s %s",
                         wh_cap_name(cap) ? wh_cap_name(cap) : "a capability",
                         known & 1ull << cap ? "is not ours to grant" : "is not known to this kernel");
}

/* Compile has left them out without a word, because engines send them with every container. */
static void weights(struct wh_findings *f, const struct wh_spec *s, const struct wh_facts *facts)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_errlist errs = { 0 };
    struct wh_compile c = { .spec = s, .facts = facts, .arena = arena, .errs = &errs };
    struct wh_cg_writes writes;

    if (!arena)
        return;
    wh_compile_resources(&c, &s->linux_.resources, WH_RES_HOST, &writes);
    for (size_t i = 0; i < writes.nskipped; i++)
        wh_check_add(f, WH_CHECK_NOT_WEIGHED, writes.skipped[i].src, "%s %s: this host does not have %s",
                     writes.skipped[i].file, writes.skipped[i].value, writes.skipped[i].controller);
}

static void cgroup(struct wh_findings *f, const struct wh_spec *s, const struct wh_plan *plan,
                   const struct wh_facts *facts)
{
    WH_CLEANUP_CGROUP struct wh_cgroup cg;
    struct wh_err err = { 0 };
    int r;

    wh_cgroup_init(&cg);
    r = wh_cgroup_plan(&cg, plan, facts, &err);
    if (r == -EBUSY)
        wh_check_add(f, WH_CHECK_CGROUP_BUSY, s->linux_.cgroups_path.src, "%s", err.msg);
    else if (r == -EOPNOTSUPP)
        wh_check_add(f, WH_CHECK_HOST_LACKS, s->linux_.resources.src, "%s", err.msg);
}

void wh_check_host(struct wh_findings *f, const struct wh_spec *s, const struct wh_plan *plan,
                   const struct wh_facts *facts, int bundle_fd, int proc_fd, int cancel_fd)
{
    WH_CLEANUP_FD int root_fd = open_rootfs(f, s, bundle_fd);

    binds(f, s, bundle_fd);
    namespaces(f, &s->linux_, proc_fd);
    hooks(f, &s->hooks);
    if (facts && s->process)
        capabilities(f, s, facts);
    if (!plan)
        return;
    if (root_fd >= 0 && s->process && s->process->args.n)
        program(f, s, plan, root_fd, proc_fd, cancel_fd);
    if (facts) {
        wh_check_foresee(f, s, plan, facts, proc_fd, cancel_fd);
        cgroup(f, s, plan, facts);
        weights(f, s, facts);
    }
}
