/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "init/ini.h"

/* Attributes of the process, and its end as ours: execve. */

int op_umask(struct ini *i, const struct wh_step_umask *s)
{
    (void)i;
    sys_umask(s->mask);
    return 0;
}

int op_rlimit_soft(struct ini *i, const struct wh_step_rlimit_soft *s)
{
    struct rlimit l;
    long r;

    r = sys_prlimit(s->resource, NULL, &l);
    if (r < 0)
        return fail(i, PRLIMIT, r);
    l.rlim_cur = s->soft < l.rlim_max ? s->soft : l.rlim_max;
    r = sys_prlimit(s->resource, &l, NULL);
    return r < 0 ? fail(i, PRLIMIT, r) : 0;
}

int op_rlimit(struct ini *i, const struct wh_step_rlimit *s)
{
    const struct rlimit l = { .rlim_cur = s->soft, .rlim_max = s->hard };
    long r = sys_prlimit(s->resource, &l, NULL);

    return r < 0 ? fail(i, PRLIMIT, r) : 0;
}

int op_mempolicy(struct ini *i, const struct wh_step_mempolicy *s)
{
    enum { BITS = 8 * sizeof(long) };
    const uint32_t *node = wh_plan_at(i->plan, s->nodes.off);
    unsigned long mask[WH_MAX_NODES / BITS];
    uint32_t k;
    long r;

    memset(mask, 0, sizeof(mask));
    for (k = 0; k < s->nodes.n; k++)
        if (node[k] < WH_MAX_NODES)
            mask[node[k] / BITS] |= 1ul << node[k] % BITS;
    /* The kernel reads one bit less than it is told. */
    r = sys_set_mempolicy((int)(s->mode | s->flags), s->nodes.n ? mask : NULL, s->nodes.n ? WH_MAX_NODES + 1 : 0);
    return r < 0 ? fail(i, SET_MEMPOLICY, r) : 0;
}

/* By way of an fd: chdir() would follow /proc/self/fd/N out of the container (CVE-2024-21626). */
static long enter(const char *path)
{
    CLEAN_FD fd = -1;

    fd = (int)ini_openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY, WH_RESOLVE_NO_MAGICLINKS);
    return fd < 0 ? fd : sys_fchdir(fd);
}

int op_cwd(struct ini *i, const struct wh_step_cwd *s)
{
    const char *path = ini_str(i, s->path);
    long r = enter(path);

    if (r == -ENOENT && s->make) {
        CLEAN_FD root = -1, fd = -1;
        long mask;

        root = (int)sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        if (root < 0)
            return fail(i, OPEN, root);
        /* 0755 whatever the payload's umask is. */
        mask = sys_umask(0);
        r = ini_resolve(i, root, path, INI_MAKE_DIR, 0, &fd);
        sys_umask((unsigned int)mask);
        if (r < 0)
            return (int)r;
        r = sys_fchdir(fd);
    }
    if (r == -EACCES || r == -EPERM) {
        /* A directory on a file system that maps root to nobody: the user itself may be allowed. */
        i->cwd_later = true;
        return 0;
    }
    if (r < 0) {
        ini_detail(i, path);
        return fail(i, CHDIR, r);
    }
    return 0;
}

int op_cwd_check(struct ini *i, const struct wh_step_cwd_check *s)
{
    long r = i->cwd_later ? enter(ini_str(i, s->path)) : 0;

    if (r < 0) {
        ini_detail(i, ini_str(i, s->path));
        return fail(i, CHDIR, r);
    }
    r = sys_getcwd(i->path, sizeof(i->path));
    if (r < 0)
        return fail(i, GETCWD, r);
    /* "(unreachable)/…" is how the kernel names a directory outside of the root. */
    if (i->path[0] != '/') {
        ini_detail(i, i->path);
        return fail(i, VERIFY_CWD, -EXDEV);
    }
    return 0;
}

int op_close_fds(struct ini *i, const struct wh_step_close_fds *s)
{
    /* Not closed yet: `start` learns from the end of its connection that execve has worked. */
    long r = sys_close_range(s->first, ~0u, WH_CLOSE_RANGE_CLOEXEC);

    return r < 0 ? fail(i, CLOSE_RANGE, r) : 0;
}

/* The offsets of v become pointers, in place: from the end, so that none is overwritten before it is read. */
static char **widen(struct ini *i, const struct wh_vec *v)
{
    char *at = (char *)i->plan + v->off;
    uint32_t k;

    for (k = v->n; k--;) {
        wh_off off;
        char *p;

        memcpy(&off, at + 4 * (size_t)k, sizeof(off));
        p = (char *)i->plan + off;
        memcpy(at + sizeof(p) * k, &p, sizeof(p));
    }
    memset(at + sizeof(char *) * v->n, 0, 3 * sizeof(char *));
    return (char **)at;
}

int op_listen_pid(struct ini *i, const struct wh_step_listen_pid *s)
{
    static const char name[] = "LISTEN_PID=";
    char text[INI_I32_TEXT], *pid = ini_decimal(text, (int32_t)sys_getpid());

    (void)s;
    memcpy(i->listen_pid, name, sizeof(name) - 1);
    memcpy(i->listen_pid + sizeof(name) - 1, pid, strlen(pid) + 1);
    i->listen_pid_set = true;
    return 0;
}

int op_exec(struct ini *i, const struct wh_step_exec *s)
{
    char **argv = widen(i, &s->args), **envp = widen(i, &s->env);
    uint32_t n = s->env.n;
    long r;

    if (i->home_set)
        envp[n++] = i->home;
    if (i->listen_pid_set)
        envp[n] = i->listen_pid;
    ini_state(i, WH_MBOX_EXEC);
    r = sys_execve(i->exec_path, argv, envp);
    if (r == -ENOEXEC && i->exec_site) {
        ini_detail(i, i->exec_detail);
        return ini_fail(i, i->exec_site, r);
    }
    ini_detail(i, i->exec_path);
    return fail(i, EXECVE, r);
}
