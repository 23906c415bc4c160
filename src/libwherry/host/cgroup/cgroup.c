/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/cgroup/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "host/cgroup/internal.h"

/* How long a signal to a frozen-to-be cgroup waits for the freeze: a process in an uninterruptible call delays it. */
#define FREEZE_MS 2000

static const struct wh_cgroup_dir no_dir = { .mount_fd = -1, .fd = -1 };

void wh_cgroup_init(struct wh_cgroup *cg)
{
    memset(cg, 0, sizeof *cg);
    cg->two = no_dir;
    cg->devices_fd = cg->in_fd = cg->cancel_fd = -1;
}

static void dir_done(struct wh_cgroup_dir *dir)
{
    wh_closep(&dir->fd);
    wh_closep(&dir->mount_fd);
    free(dir->mount);
    free(dir->path);
    free(dir->controller);
    *dir = no_dir;
}

void wh_cgroup_done(struct wh_cgroup *cg)
{
    dir_done(&cg->two);
    for (uint32_t i = 0; i < cg->none; i++)
        dir_done(&cg->one[i]);
    free(cg->enable);
    free(cg->unit);
    free(cg->sub);
    free(cg->leaf);
    wh_closep(&cg->in_fd);
    wh_closep(&cg->devices_fd);
    wh_cgroup_init(cg);
}

int wh_cgroup_fd(const struct wh_cgroup *cg)
{
    return cg->in_fd >= 0 ? cg->in_fd : cg->two.fd;
}

static int nomem(struct wh_err *err)
{
    return wh_err_sys(err, -ENOMEM, "cgroup");
}

/* ---------------------------------------------------------------- plan */

static int set_dir(struct wh_cgroup_dir *dir, const char *mount, const char *path, const char *controller,
                   struct wh_err *err)
{
    if (!wh_cg_path_ok(path) || !path[1])
        return wh_err_set(err, WH_ERR_SPEC, -EINVAL, NULL, "cgroup path %s: it must name a cgroup below the root",
                          path);
    *dir = no_dir;
    dir->mount = strdup(mount);
    dir->path = strdup(path);
    dir->controller = controller ? strdup(controller) : NULL;
    if (!dir->mount || !dir->path || (controller && !dir->controller))
        return nomem(err);
    return 0;
}

int wh_cg_add_v1(struct wh_cgroup *cg, const char *controller, const char *path, const struct wh_facts *facts,
                 struct wh_err *err)
{
    if (wh_cg_v1_find(cg, controller))
        return 0; /* cpu and cpuacct share one */
    for (size_t i = 0; i < facts->nv1; i++) {
        struct wh_cgroup probe = { .none = 1 };

        probe.one[0].controller = (char *)(uintptr_t)facts->v1[i].controllers;
        if (!wh_cg_v1_find(&probe, controller))
            continue;
        if (cg->none == WH_CGROUP_V1_MAX)
            return wh_err_set(err, WH_ERR_HOST, -E2BIG, NULL, "more than %d v1 cgroup hierarchies", WH_CGROUP_V1_MAX);
        return set_dir(&cg->one[cg->none++], facts->v1[i].mountpoint, path, facts->v1[i].controllers, err);
    }
    return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, NULL, "cgroup controller %s is not mounted on this host",
                      controller);
}

/* Notes the controller of a cgroup2 file ("pids.max"); the core's own ("cgroup.max.depth", "cpu.pressure") are always there. */
int wh_cg_want(struct wh_cgroup *cg, const char *file, struct wh_err *err)
{
    size_t len = strcspn(file, "."), old = cg->enable ? strlen(cg->enable) : 0;
    char *p;

    if ((len == strlen("cgroup") && strncmp(file, "cgroup", len) == 0) || wh_streq(file + len, ".pressure"))
        return 0;
    for (const char *w = cg->enable; w && *w; w += *w == ' ') {
        size_t n = strcspn(w, " ");

        if (n == len && strncmp(w, file, n) == 0)
            return 0;
        w += n;
    }
    p = realloc(cg->enable, old + len + 2);
    if (!p)
        return nomem(err);
    snprintf(p + old, len + 2, "%s%.*s", old ? " " : "", (int)len, file);
    cg->enable = p;
    return 0;
}

/* One that is there already, and cannot be a container's. */
static int refuse_kind(const struct wh_cgroup_dir *two, struct wh_err *err)
{
    char type[32], on[512];

    /* Threads of processes of the domain above live in it: none can be born there, and no memory limit holds for it alone. */
    if (wh_read_at(two->fd, "cgroup.type", type, sizeof type - 1) > 0 && !wh_startswith(type, "domain\n")) {
        type[strcspn(type, "\n")] = '\0';
        return wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL,
                          "container's cgroup is of type \"%s\", which no container can be in: %s%s (choose another "
                          "cgroupsPath)",
                          type, two->mount, two->path);
    }
    /* Somebody distributes its resources among cgroups below, which our delete would remove. */
    if (wh_read_at(two->fd, "cgroup.subtree_control", on, sizeof on - 1) > 0 && on[0] > ' ') {
        on[strcspn(on, "\n")] = '\0';
        return wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL,
                          "container's cgroup is somebody else's: it hands %s on to cgroups below it: %s%s (choose "
                          "another cgroupsPath)",
                          on, two->mount, two->path);
    }
    return 0;
}

static int look_two(struct wh_cgroup *cg, struct wh_err *err)
{
    struct wh_cgroup_dir *two = &cg->two;
    unsigned depth = wh_cg_depth(two->path), up;
    int r = wh_cg_look(two, err);

    if (r < 0)
        return r;
    if (two->fd >= 0) {
        struct wh_pids pids = { 0 };

        r = wh_cg_event(two->fd, "populated");
        if (r > 0) {
            wh_cg_collect(two->fd, &pids); /* for the number only */
            free(pids.v);
            return wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL,
                              "container's cgroup is not empty: %zu process(es) found in %s%s", pids.n, two->mount,
                              two->path);
        }
        if (r == 0)
            r = wh_cg_event(two->fd, "frozen");
        if (r > 0)
            return wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL, "container's cgroup unexpectedly frozen: %s%s",
                              two->mount, two->path);
        if (r == 0) {
            r = refuse_kind(two, err);
            if (r < 0)
                return r;
        }
        return r < 0 ? wh_err_sys(err, r, "read cgroup.events of cgroup %s%s", two->mount, two->path) : 0;
    }
    /* A child of a frozen cgroup is born frozen, and we would wait for it in vain. */
    up = depth - two->made;
    if (up > 0) {
        char rel[4096];

        snprintf(rel, sizeof rel, "%.*s", (int)wh_cg_prefix(two->path, up), two->path + 1);
        WH_CLEANUP_FD int fd = openat(two->mount_fd, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && wh_cg_event(fd, "frozen") > 0)
            return wh_err_set(err, WH_ERR_HOST, -EBUSY, NULL,
                              "container's cgroup unexpectedly frozen: its parent %s/%s is", two->mount, rel);
    }
    return 0;
}

/* All that there are, whether something is limited or not: engines show what every container uses, write to its files later, and what runs
 * inside hands on what it has. */
static void plan_account(struct wh_cgroup *cg, const char *controllers)
{
    size_t len = 0;

    if (cg->sub) /* by the plan: wh_cg_payload_plan() */
        return;
    for (const char *at = controllers ? controllers : ""; *at; at += *at == ' ') {
        size_t n = strcspn(at, " ");

        if (n && len + 1 + n < sizeof cg->account)
            len += (size_t)snprintf(cg->account + len, sizeof cg->account - len, "%s%.*s", len ? " " : "", (int)n, at);
        at += n;
    }
}

/* A cgroup above that has processes of its own, or one whose files are another's, goes without: nothing has asked for it. */
void wh_cg_account(const struct wh_cgroup *cg)
{
    char word[sizeof cg->account];
    struct wh_err ignored;

    ignored = (struct wh_err){ 0 };
    if (!cg->account[0] || wh_cg_enable(&cg->two, cg->account, &ignored) == 0)
        return;
    /* One may be refused for itself, as cpu is where a real-time process runs. */
    for (const char *at = cg->account; *at; at += *at == ' ') {
        size_t n = strcspn(at, " ");

        snprintf(word, sizeof word, "%.*s", (int)n, at);
        ignored = (struct wh_err){ 0 };
        (void)wh_cg_enable(&cg->two, word, &ignored);
        at += n;
    }
}

int wh_cgroup_plan(struct wh_cgroup *cg, const struct wh_plan *plan, const struct wh_facts *facts, struct wh_err *err)
{
    const struct wh_step *s = wh_plan_first_host(plan);
    int r = 0;

    for (uint32_t i = 0; i < plan->nhost && r == 0; i++, s = wh_step_next(s)) {
        if (s->op == WH_OP_CG_CREATE) {
            const struct wh_step_cg_create *a = (const void *)s;

            if (!facts->cgroup2_mount)
                return wh_err_set(err, WH_ERR_HOST, -EOPNOTSUPP, NULL, "cgroup2 is not mounted on this host");
            r = set_dir(&cg->two, facts->cgroup2_mount, wh_plan_str(plan, a->path), NULL, err);
        } else if (s->op == WH_OP_CG_UNIT) {
            r = wh_cg_unit_plan(cg, plan, (const void *)s);
            if (r < 0)
                return nomem(err);
        } else if (s->op == WH_OP_CG_V1_CREATE) {
            const struct wh_step_cg_v1_create *a = (const void *)s;

            r = wh_cg_add_v1(cg, wh_plan_str(plan, a->controller), wh_plan_str(plan, a->path), facts, err);
        } else if (s->op == WH_OP_CG_WRITE) {
            const struct wh_step_cg_write *a = (const void *)s;

            if (wh_streq(wh_plan_str(plan, a->controller), "unified"))
                r = wh_cg_want(cg, wh_plan_str(plan, a->file), err);
        } else {
            r = wh_cg_payload_plan(cg, plan, s, err);
        }
    }
    if (r == 0 && cg->two.mount)
        r = look_two(cg, err);
    plan_account(cg, facts->cgroup2_controllers);
    /* What is left of a unit that failed is systemd's, and goes with it. */
    if (r == 0 && cg->unit)
        wh_closep(&cg->two.fd);
    for (uint32_t i = 0; i < cg->none && r == 0; i++)
        r = wh_cg_v1_look(&cg->one[i], err);
    return r;
}

/* ---------------------------------------------------------------- make, attach */

int wh_cgroup_make(struct wh_cgroup *cg, struct wh_err *err)
{
    int r;

    if (!wh_cgroup_exists(cg) || cg->unit)
        return 0;
    r = wh_cg_make_dir(&cg->two, err);
    if (r == 0 && cg->enable)
        r = wh_cg_enable(&cg->two, cg->enable, err);
    if (r == 0)
        wh_cg_account(cg);
    for (uint32_t i = 0; i < cg->none && r == 0; i++)
        r = wh_cg_v1_make(&cg->one[i], err);
    if (r == 0)
        r = wh_cg_payload_make(cg, err);
    if (r < 0)
        (void)wh_cgroup_remove(cg, 1000, NULL);
    return r;
}

int wh_cgroup_attach(struct wh_cgroup *cg, pid_t pid, struct wh_err *err)
{
    char text[24];

    snprintf(text, sizeof text, "%d", (int)pid);
    for (uint32_t i = 0; i < cg->none; i++) {
        int r = wh_write_at(cg->one[i].fd, "cgroup.procs", text);

        if (r < 0)
            return wh_err_sys(err, r, "put the container's process into cgroup %s%s", cg->one[i].mount,
                              cg->one[i].path);
    }
    return 0;
}

int wh_cgroup_enter(struct wh_cgroup *cg, pid_t pid, struct wh_err *err)
{
    char text[24];
    int r;

    if (wh_cgroup_fd(cg) >= 0) {
        snprintf(text, sizeof text, "%d", (int)pid);
        r = wh_write_at(wh_cgroup_fd(cg), "cgroup.procs", text);
        if (r < 0)
            return wh_err_sys(err, r, "put the process into cgroup %s%s", cg->two.mount, cg->two.path);
    }
    return wh_cgroup_attach(cg, pid, err);
}

static int descend(struct wh_cgroup_dir *dir, const char *path)
{
    int fd;

    if (dir->fd < 0)
        return -ENOENT;
    path += strspn(path, "/");
    if (!*path)
        return 0;
    fd = wh_openat2(dir->fd, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (fd < 0)
        return fd == -EXDEV ? -EINVAL : fd;
    wh_closep(&dir->fd);
    dir->fd = fd;
    return 0;
}

/* From where the payload sees the root of it. */
static int descend_two(struct wh_cgroup *cg, const char *path)
{
    if (cg->sub && cg->in_fd >= 0) {
        struct wh_cgroup_dir from = no_dir;
        int r;

        from.fd = wh_openat2(cg->two.fd, cg->sub, O_RDONLY | O_DIRECTORY, 0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        r = from.fd < 0 ? from.fd : descend(&from, path);
        if (r == 0) {
            wh_closep(&cg->in_fd);
            cg->in_fd = wh_take_fd(&from.fd);
        }
        wh_closep(&from.fd);
        return r;
    }
    return descend(&cg->two, path);
}

int wh_cgroup_descend_to(struct wh_cgroup *cg, const char *path)
{
    size_t len = cg->two.path ? strlen(cg->two.path) : 0;

    if (len == 0 || strncmp(path, cg->two.path, len) != 0 || path[len] != '/')
        return -ENOENT;
    wh_closep(&cg->in_fd);
    return descend(&cg->two, path + len);
}

int wh_cgroup_descend(struct wh_cgroup *cg, const char *where, struct wh_err *err)
{
    const char *colon = strchr(where, ':'), *path = colon ? colon + 1 : where;
    int r = 0;

    if (!wh_cgroup_exists(cg))
        return wh_err_set(err, WH_ERR_USAGE, -EOPNOTSUPP, NULL, "cgroup %s: the container has no cgroup", where);
    for (const char *w = where; colon && w < colon; w += *w == ',') {
        size_t len = strcspn(w, ",:");
        char name[64];
        const struct wh_cgroup_dir *dir;

        snprintf(name, sizeof name, "%.*s", (int)len, w);
        dir = len < sizeof name ? wh_cg_v1_find(cg, name) : NULL;
        if (!dir)
            return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL,
                              "cgroup %s: the container is in no v1 hierarchy of controller %s", where, name);
        r = descend(&cg->one[dir - cg->one], path);
        if (r < 0)
            return wh_err_sys(err, r, "open cgroup %s of the container", where);
        w += len;
    }
    if (colon)
        return colon == where ? wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "cgroup %s names no controller", where)
                              : 0;
    r = descend_two(cg, path);
    for (uint32_t i = 0; i < cg->none && r == 0; i++) {
        r = descend(&cg->one[i], path);
        /* On a hybrid host the path is most often one of cgroup2 alone. */
        r = r == -ENOENT ? 0 : r;
    }
    return r < 0 ? wh_err_sys(err, r, "open cgroup %s of the container", where) : 0;
}

/* ---------------------------------------------------------------- save, load */

/* KIND made id length-of-mount mount path */
static void save_dir(const struct wh_cgroup_dir *dir, struct wh_buf *out)
{
    if (dir->mount)
        wh_buf_printf(out, "%s%s %u %llu %zu %s%s\n", dir->controller ? "v1:" : "v2",
                      dir->controller ? dir->controller : "", dir->made, (unsigned long long)dir->id,
                      strlen(dir->mount), dir->mount, dir->path);
}

void wh_cgroup_save(const struct wh_cgroup *cg, struct wh_buf *out)
{
    save_dir(&cg->two, out);
    for (uint32_t i = 0; i < cg->none; i++)
        save_dir(&cg->one[i], out);
    wh_cg_payload_save(cg, out);
    wh_cg_unit_save(cg, out);
}

/* Cuts the next blank-separated word off *p, in place. */
static char *word(char **p)
{
    char *w = *p, *end = strchr(w, ' ');

    if (!end || end == w)
        return NULL;
    *end = '\0';
    *p = end + 1;
    return w;
}

/* Fills dir from one line; nothing is opened. 0, -EINVAL or -ENOMEM. */
static int parse_line(char *line, struct wh_cgroup_dir *dir)
{
    char *kind = word(&line), *made = kind ? word(&line) : NULL, *id = made ? word(&line) : NULL;
    char *len = id ? word(&line) : NULL;
    uint64_t n, m, mount_len;

    if (!len || (!wh_streq(kind, "v2") && !(wh_startswith(kind, "v1:") && kind[3])) ||
        wh_parse_u64(made, 4096, &m) < 0 || m == 0 || wh_parse_u64(id, UINT64_MAX, &n) < 0 ||
        wh_parse_u64(len, 4095, &mount_len) < 0)
        return -EINVAL;
    if (mount_len == 0 || mount_len >= strlen(line) || line[0] != '/' || !wh_cg_path_ok(line + mount_len) ||
        !line[mount_len + 1] || m > wh_cg_depth(line + mount_len))
        return -EINVAL;
    *dir = no_dir;
    dir->made = (uint32_t)m;
    dir->id = n;
    dir->mount = strndup(line, mount_len);
    dir->path = strdup(line + mount_len);
    dir->controller = kind[1] == '1' ? strdup(kind + 3) : NULL;
    return !dir->mount || !dir->path || (kind[1] == '1' && !dir->controller) ? -ENOMEM : 0;
}

static int load_dir(struct wh_cgroup_dir *dir, struct wh_err *err)
{
    uint64_t id = 0;
    int r = wh_cg_open_mount(dir);

    if (r == 0)
        r = wh_cg_open_dir(dir, &id);
    if (r == 0 && dir->id && dir->id != id)
        wh_closep(&dir->fd);
    else if (r == 0)
        dir->id = id;
    if (r < 0 && r != -ENOENT && r != -ENODEV && r != -ENOTDIR)
        return wh_err_sys(err, r, "open cgroup %s%s", dir->mount, dir->path);
    return 0;
}

int wh_cgroup_load(struct wh_cgroup *cg, const char *text, size_t len, struct wh_err *err)
{
    char *copy = strndup(text, len), *next;
    bool bad = false;
    int r = copy ? 0 : -ENOMEM;

    wh_cgroup_init(cg);
    /* All of it is read before anything is opened: a damaged text must not be acted upon in part. */
    if (copy && strlen(copy) != len)
        bad = true;
    for (char *line = copy; r == 0 && !bad && *line; line = next) {
        struct wh_cgroup_dir dir = no_dir;

        next = strchr(line, '\n');
        if (!next) {
            bad = true;
            break;
        }
        *next++ = '\0';
        if (wh_startswith(line, "unit ")) {
            r = wh_cg_unit_parse(cg, line);
            continue;
        }
        r = wh_cg_payload_parse(cg, line);
        if (r <= 0)
            continue;
        r = parse_line(line, &dir);
        if (r == -EINVAL || (r == 0 && (dir.controller ? cg->none == WH_CGROUP_V1_MAX : cg->two.mount != NULL)))
            bad = true;
        if (r < 0 || bad)
            dir_done(&dir);
        else if (dir.controller)
            cg->one[cg->none++] = dir;
        else
            cg->two = dir;
    }
    free(copy);
    if ((cg->unit || cg->sub) && !cg->two.mount)
        bad = true;
    if (bad || r == -EINVAL) {
        wh_cgroup_done(cg);
        return wh_err_set(err, WH_ERR_STATE, -EINVAL, NULL, "the saved cgroup is damaged");
    }
    if (r < 0) {
        wh_cgroup_done(cg);
        return nomem(err);
    }
    if (cg->two.mount)
        r = load_dir(&cg->two, err);
    if (r == 0)
        r = wh_cg_payload_open(cg, err);
    for (uint32_t i = 0; i < cg->none && r == 0; i++)
        r = load_dir(&cg->one[i], err);
    if (r < 0)
        wh_cgroup_done(cg);
    return r;
}

/* ---------------------------------------------------------------- what is in it, and acting on it */

static int event(int dirfd, const char *key)
{
    int r = dirfd < 0 ? 0 : wh_cg_event(dirfd, key);

    return r == -ENODEV || r == -ENOENT ? 0 : r;
}

int wh_cgroup_frozen(const struct wh_cgroup *cg)
{
    return event(cg->two.fd, "frozen");
}

int wh_cgroup_stands(const struct wh_cgroup *cg)
{
    return event(wh_cgroup_fd(cg), "frozen");
}

bool wh_cgroup_freezing(const struct wh_cgroup *cg)
{
    char text[8];

    if (cg->two.fd >= 0 && wh_read_at(cg->two.fd, "cgroup.freeze", text, sizeof text - 1) > 0 && text[0] == '1')
        return true;
    return wh_cg_v1_frozen(cg) != NULL;
}

int wh_cgroup_populated(const struct wh_cgroup *cg)
{
    return event(cg->two.fd, "populated");
}

static int no_cgroup(struct wh_err *err)
{
    return wh_err_set(
        err, WH_ERR_STATE, -EOPNOTSUPP, NULL,
        "cgroup not exist: the container was created without one (--cgroup-manager=disabled, or no permission "
        "to make one)");
}

int wh_cgroup_pids(const struct wh_cgroup *cg, pid_t **ret, size_t *ret_n, struct wh_err *err)
{
    struct wh_pids pids = { 0 };
    int r;

    if (!wh_cgroup_exists(cg))
        return no_cgroup(err);
    r = cg->two.fd < 0 ? 0 : wh_cg_collect(cg->two.fd, &pids);
    if (r < 0) {
        free(pids.v);
        return wh_err_sys(err, r, "list the processes of cgroup %s%s", cg->two.mount, cg->two.path);
    }
    *ret = pids.v;
    *ret_n = pids.n;
    return 0;
}

/* What was frozen for a moment must not stay so: tried again, in case that the failure is a passing one. */
static int thaw(int dirfd)
{
    int r = wh_write_at(dirfd, "cgroup.freeze", "0");

    if (r < 0)
        r = wh_write_at(dirfd, "cgroup.freeze", "0");
    return r == -ENODEV || r == -ENOENT ? 0 : r;
}

int wh_cgroup_freeze(struct wh_cgroup *cg, bool freeze, int timeout_ms, struct wh_err *err)
{
    const struct wh_cgroup_dir *dir = &cg->two;
    int r;

    if (!wh_cgroup_exists(cg))
        return no_cgroup(err);
    if (cg->two.fd < 0)
        return wh_err_set(err, WH_ERR_STATE, -ENOENT, NULL, "cgroup not exist: %s%s was removed", cg->two.mount,
                          cg->two.path);
    /* We freeze with cgroup2; what others have frozen with v1 is thawed as well. */
    if (!freeze)
        wh_cg_v1_thaw(cg);
    r = wh_write_at(cg->two.fd, "cgroup.freeze", freeze ? "1" : "0");
    if (r == 0)
        r = wh_cg_wait_event(cg->two.fd, "frozen", freeze, wh_cg_now() + timeout_ms);
    /* Half frozen is neither: what does not stop in time goes on. */
    if (r < 0 && freeze)
        (void)thaw(cg->two.fd);
    if (r == 0 && !freeze && wh_cg_v1_frozen(cg)) {
        dir = wh_cg_v1_frozen(cg);
        r = -ETIMEDOUT;
    }
    if (r == -ETIMEDOUT)
        return wh_err_set(err, WH_ERR_HOST, r, NULL,
                          freeze ? "freeze cgroup %s%s: not all of its processes stop (one is in an uninterruptible "
                                   "call); they go on"
                                 : "thaw cgroup %s%s: it stays frozen (a cgroup above it is)",
                          dir->mount, dir->path);
    return r < 0 ? wh_err_sys(err, r, "%s cgroup %s%s", freeze ? "freeze" : "thaw", cg->two.mount, cg->two.path) : 0;
}

int wh_cgroup_signal(struct wh_cgroup *cg, int sig, struct wh_err *err)
{
    char was[8] = "0";
    size_t n;
    int r;

    if (!wh_cgroup_exists(cg))
        return no_cgroup(err);
    if (cg->two.fd < 0)
        return 0;
    if (sig == SIGKILL) {
        r = wh_cg_kill_two(cg->two.fd, wh_cg_now());
        wh_cg_v1_thaw(cg);
        return r < 0 && r != -ETIMEDOUT ? wh_err_sys(err, r, "kill cgroup %s%s", cg->two.mount, cg->two.path) : 0;
    }
    /* Else a paused container would go on. */
    r = (int)wh_read_at(cg->two.fd, "cgroup.freeze", was, sizeof was - 1);
    if (r < 0 && r != -ENODEV && r != -ENOENT)
        return wh_err_sys(err, r, "read cgroup.freeze of cgroup %s%s", cg->two.mount, cg->two.path);
    if (was[0] != '1' && wh_write_at(cg->two.fd, "cgroup.freeze", "1") == 0)
        (void)wh_cg_wait_event(cg->two.fd, "frozen", 1, wh_cg_now() + FREEZE_MS);
    r = wh_cg_signal_all(cg->two.fd, sig, &n);
    if (was[0] != '1') {
        int t = thaw(cg->two.fd);

        if (t < 0)
            return wh_err_sys(err, t, "thaw cgroup %s%s", cg->two.mount, cg->two.path);
    }
    return r < 0 ? wh_err_sys(err, r, "signal the processes of cgroup %s%s", cg->two.mount, cg->two.path) : 0;
}

static int kill_failed(int r, const struct wh_cgroup_dir *dir, struct wh_err *err)
{
    struct wh_pids pids = { 0 };

    if (r == -ETIMEDOUT && wh_cg_collect(dir->fd, &pids) == 0 && pids.n)
        r = wh_err_set(err, WH_ERR_HOST, r, NULL,
                       "kill cgroup %s%s: %zu process(es) do not end, the first is %d (in an uninterruptible call?)",
                       dir->mount, dir->path, pids.n, (int)pids.v[0]);
    else
        r = wh_err_sys(err, r, "kill cgroup %s%s", dir->mount, dir->path);
    free(pids.v);
    return r;
}

static int kill_until(const struct wh_cgroup *cg, int64_t deadline, struct wh_err *err)
{
    int r;

    /*
     * Unlike that of cgroup2, the freezer of v1 keeps what is killed, and a process that may write to its files can
     * have frozen any cgroup below. They are thawed after they have been killed: nothing runs any more that could
     * freeze them again.
     */
    if (wh_cg_v1_find(cg, "freezer")) {
        if (cg->two.fd >= 0)
            (void)wh_cg_kill_two(cg->two.fd, wh_cg_now());
        wh_cg_v1_thaw(cg);
    }
    r = cg->two.fd < 0 ? 0 : wh_cg_kill_two(cg->two.fd, deadline);
    if (r < 0)
        return kill_failed(r, &cg->two, err);
    for (uint32_t i = 0; i < cg->none; i++) {
        r = cg->one[i].fd < 0 ? 0 : wh_cg_v1_kill(&cg->one[i], deadline);
        if (r < 0)
            return kill_failed(r, &cg->one[i], err);
    }
    return 0;
}

int wh_cgroup_kill(struct wh_cgroup *cg, int timeout_ms, struct wh_err *err)
{
    return kill_until(cg, wh_cg_now() + timeout_ms, err);
}

static int remove_dir(struct wh_cgroup_dir *dir, int64_t deadline, struct wh_err *err)
{
    int r = 0;

    /* A directory that we did not open is not ours (any more). */
    for (int wait = 0; dir->fd >= 0; wait = 10) {
        if (unlinkat(dir->mount_fd, dir->path + 1, AT_REMOVEDIR) == 0 || errno == ENOENT)
            break;
        r = -errno;
        if (r == -EBUSY || r == -ENOTEMPTY) {
            r = wh_cg_remove_below(dir->fd, deadline);
            if (r == 0 && wh_cg_left(deadline) > 0 && wait == 0)
                continue;
            if (r == -EBUSY || r == 0)
                /* Somebody entered after the kill, or the kernel has not done with the last one's exit. */
                r = dir->controller ? wh_cg_v1_kill(dir, deadline) : wh_cg_kill_two(dir->fd, deadline);
        }
        if (r == 0 && wh_cg_left(deadline) == 0)
            r = -EBUSY;
        if (r < 0 && r != -ENODEV && r != -ENOENT)
            return wh_err_sys(err, r, "remove cgroup %s%s", dir->mount, dir->path);
        if (wait)
            (void)poll(NULL, 0, wait);
    }
    if (dir->fd >= 0)
        WH_INFO("removed cgroup %s%s", dir->mount, dir->path);
    wh_closep(&dir->fd);
    if (dir->mount_fd >= 0)
        wh_cg_remove_parents(dir);
    return 0;
}

int wh_cgroup_remove(struct wh_cgroup *cg, int timeout_ms, struct wh_err *err)
{
    int64_t deadline = wh_cg_now() + timeout_ms;
    int ret = 0;

    /* Most are empty by now, and then there is nothing to kill and nothing to wait for. */
    if (wh_cgroup_populated(cg) != 0)
        ret = kill_until(cg, deadline, err);
    for (uint32_t i = 0; i < cg->none; i++) {
        int r = remove_dir(&cg->one[i], deadline, err);

        ret = ret < 0 ? ret : r;
    }
    if (ret == 0)
        ret = wh_cg_unit_remove(cg, deadline, err);
    if (cg->two.mount) {
        int r = remove_dir(&cg->two, deadline, err);

        ret = ret < 0 ? ret : r;
    }
    return ret;
}
