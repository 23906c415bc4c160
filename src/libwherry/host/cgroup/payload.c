/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the payload manages itself, below the container's cgroup: made, handed over, found again (plan/compile-delegate.c says why). */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"

static int open_below(int dirfd, const char *path)
{
    return wh_openat2(dirfd, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

static bool name_ok(const char *name)
{
    return *name && strlen(name) <= 255 && !strchr(name, '/') && !wh_streq(name, ".") && !wh_streq(name, "..");
}

/* The last part of a path of the plan, which has to be directly below `dir`. */
static int take_name(const char *path, const char *dir, char **ret, struct wh_err *err)
{
    size_t len = strlen(dir);

    if (*ret || strncmp(path, dir, len) != 0 || path[len] != '/' || !name_ok(path + len + 1))
        return wh_err_set(err, WH_ERR_HOST, -EPROTO, NULL, "cgroup %s is not one below %s", path, dir);
    *ret = strdup(path + len + 1);
    return *ret ? 0 : wh_err_sys(err, -ENOMEM, "cgroup");
}

int wh_cg_payload_plan(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step *s, struct wh_err *err)
{
    char ns[4096 + 256];

    if (s->op == WH_OP_CG_SUB) {
        const struct wh_step_cg_sub *a = (const void *)s;
        const char *controllers = wh_plan_str(plan, a->controllers);

        if (!cg->two.path)
            return wh_err_set(err, WH_ERR_HOST, -EPROTO, NULL, "a cgroup below none");
        if (strlen(controllers) >= sizeof cg->account)
            return wh_err_set(err, WH_ERR_HOST, -E2BIG, NULL, "too many cgroup controllers: %s", controllers);
        snprintf(cg->account, sizeof cg->account, "%s", controllers);
        return take_name(wh_plan_str(plan, a->path), cg->two.path, &cg->sub, err);
    }
    if (s->op == WH_OP_CG_LEAF) {
        const struct wh_step_cg_leaf *a = (const void *)s;

        if (!cg->sub)
            return wh_err_set(err, WH_ERR_HOST, -EPROTO, NULL, "a cgroup below none");
        snprintf(ns, sizeof ns, "%s/%s", cg->two.path, cg->sub);
        return take_name(wh_plan_str(plan, a->path), ns, &cg->leaf, err);
    }
    return 0;
}

static int make_dir(const struct wh_cgroup *cg, int dirfd, const char *name, int *ret_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = -1;

    if (mkdirat(dirfd, name, 0755) < 0)
        return wh_err_sys(err, -errno, "make cgroup %s below cgroup %s%s", name, cg->two.mount, cg->two.path);
    fd = open_below(dirfd, name);
    if (fd < 0)
        return wh_err_sys(err, fd, "open cgroup %s below cgroup %s%s", name, cg->two.mount, cg->two.path);
    /* mkdir obeys the caller's umask. */
    if (fchmod(fd, 0755) < 0)
        return wh_err_sys(err, -errno, "chmod cgroup %s below cgroup %s%s", name, cg->two.mount, cg->two.path);
    *ret_fd = wh_take_fd(&fd);
    return 0;
}

int wh_cg_payload_make(struct wh_cgroup *cg, struct wh_err *err)
{
    WH_CLEANUP_FD int leaf = -1;
    int r;

    if (!cg->sub)
        return 0;
    r = make_dir(cg, cg->two.fd, cg->sub, &cg->in_fd, err);
    return r == 0 && cg->leaf ? make_dir(cg, cg->in_fd, cg->leaf, &leaf, err) : r;
}

int wh_cgroup_settle(struct wh_cgroup *cg, pid_t pid, struct wh_err *err)
{
    int fd;

    if (!cg->leaf)
        return 0;
    fd = open_below(cg->in_fd, cg->leaf);
    if (fd < 0)
        return wh_err_sys(err, fd, "open cgroup %s below cgroup %s%s", cg->leaf, cg->two.mount, cg->two.path);
    wh_closep(&cg->in_fd);
    cg->in_fd = fd;
    return wh_cgroup_enter(cg, pid, err);
}

/* Every controller that this cgroup has is turned on for those below it. `name`: "", or that of the one below the container's. */
static int hand_on(const struct wh_cgroup *cg, int dirfd, const char *name, struct wh_err *err)
{
    char have[512], text[1024] = "", path[2 * 4096];
    size_t len = 0;
    ssize_t n = wh_read_at(dirfd, "cgroup.controllers", have, sizeof have - 1);
    int r;

    snprintf(path, sizeof path, "%s%s%s%s", cg->two.mount, cg->two.path, *name ? "/" : "", name);
    if (n < 0)
        return wh_err_sys(err, (int)n, "read cgroup.controllers of cgroup %s", path);
    for (const char *w = have + strspn(have, " \n"); *w; w += strspn(w, " \n")) {
        size_t k = strcspn(w, " \n");

        len += (size_t)snprintf(text + len, sizeof text - len, "%s+%.*s", len ? " " : "", (int)k, w);
        w += k;
    }
    r = len ? wh_write_at(dirfd, "cgroup.subtree_control", text) : 0;
    return r < 0 ? wh_err_sys(err, r, "write \"%s\" to cgroup.subtree_control of cgroup %s", text, path) : 0;
}

/* The files that the kernel wants a delegate to have, and no others. */
static int own_files(int dirfd, uid_t uid, char *list, const char **ret_file)
{
    *ret_file = "";
    if (fchown(dirfd, uid, (gid_t)-1) < 0)
        return -errno;
    for (char *save = NULL, *name = strtok_r(list, " \n", &save); name; name = strtok_r(NULL, " \n", &save)) {
        *ret_file = name;
        /* Some are a controller's, which need not be on here. */
        if (strchr(name, '/') || (fchownat(dirfd, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT))
            return strchr(name, '/') ? -EPROTO : -errno;
    }
    return 0;
}

static int give(const struct wh_cgroup *cg, const char *path, uid_t uid, struct wh_err *err)
{
    size_t len = strlen(cg->two.path);
    WH_CLEANUP_FD int fd = -1;
    char list[1024];
    const char *file = "";
    ssize_t n = wh_read_at(AT_FDCWD, "/sys/kernel/cgroup/delegate", list, sizeof list - 1);
    int r;

    /* A kernel that has no list has these. */
    if (n < 0)
        snprintf(list, sizeof list, "cgroup.procs cgroup.subtree_control cgroup.threads");
    if (strncmp(path, cg->two.path, len) != 0 || (path[len] && path[len] != '/'))
        return wh_err_set(err, WH_ERR_HOST, -EPROTO, NULL, "cgroup %s is not the container's", path);
    fd = open_below(cg->two.fd, path[len] ? path + len + 1 : ".");
    r = fd < 0 ? fd : own_files(fd, uid, list, &file);
    return r < 0 ? wh_err_sys(err, r, "give cgroup %s%s%s%s to uid %u", cg->two.mount, path, *file ? "/" : "", file,
                              (unsigned)uid)
                 : 0;
}

int wh_cg_payload_hand_over(const struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_step **ret_step,
                            struct wh_err *err)
{
    const struct wh_step *s = wh_plan_first_host(plan);
    int r = 0;

    for (uint32_t i = 0; i < plan->nhost && r == 0; i++, s = wh_step_next(s)) {
        *ret_step = s;
        if (s->op == WH_OP_CG_SUB) {
            r = hand_on(cg, cg->two.fd, "", err);
        } else if (s->op == WH_OP_CG_LEAF) {
            WH_CLEANUP_FD int fd = open_below(cg->two.fd, cg->sub);

            /* Nobody is in it: B has been moved, and A is gone. */
            r = fd < 0 ? wh_err_sys(err, fd, "open cgroup %s", cg->sub) : hand_on(cg, fd, cg->sub, err);
        } else if (s->op == WH_OP_CG_OWNER) {
            const struct wh_step_cg_owner *a = (const void *)s;

            /* After the controllers: turning one on makes files. */
            r = give(cg, wh_plan_str(plan, a->path), a->uid, err);
        }
    }
    return r;
}

int wh_cg_payload_open(struct wh_cgroup *cg, struct wh_err *err)
{
    char path[2 * 256 + 2];
    int fd;

    if (!cg->sub || cg->two.fd < 0)
        return 0;
    snprintf(path, sizeof path, "%s%s%s", cg->sub, cg->leaf ? "/" : "", cg->leaf ? cg->leaf : "");
    fd = open_below(cg->two.fd, path);
    /* The payload may have removed the one that it left. */
    if (fd == -ENOENT || fd == -ENODEV)
        return 0;
    if (fd < 0)
        return wh_err_sys(err, fd, "open cgroup %s below cgroup %s%s", path, cg->two.mount, cg->two.path);
    cg->in_fd = fd;
    return 0;
}

/* ---- "sub NAME" and "leaf NAME" ---- */

void wh_cg_payload_save(const struct wh_cgroup *cg, struct wh_buf *out)
{
    if (cg->sub)
        wh_buf_printf(out, "sub %s\n", cg->sub);
    if (cg->leaf)
        wh_buf_printf(out, "leaf %s\n", cg->leaf);
}

int wh_cg_payload_parse(struct wh_cgroup *cg, const char *line)
{
    bool leaf = wh_startswith(line, "leaf ");
    char **to = leaf ? &cg->leaf : &cg->sub;

    if (!leaf && !wh_startswith(line, "sub "))
        return 1;
    line += leaf ? strlen("leaf ") : strlen("sub ");
    if (*to || (leaf && !cg->sub) || !name_ok(line))
        return -EINVAL;
    *to = strdup(line);
    return *to ? 0 : -ENOMEM;
}
