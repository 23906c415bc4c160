/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/apart.h"
#include "host/build-id.h"
#include "host/forked.h"
#include "host/seccomp-cache.h"
#include "host/waits.h"

#define PIPEFS 0x50495045 /* linux/magic.h */

void wh_load_init(struct wh_load *l)
{
    *l = (struct wh_load){ .bundle_fd = -1, .proc_fd = -1, .cancel_fd = -1 };
    wh_nsfds_init(&l->ns);
}

void wh_load_done(struct wh_load *l)
{
    wh_nsfds_done(&l->ns);
    wh_closep(&l->bundle_fd);
    wh_closep(&l->proc_fd);
    wh_buf_done(&l->text);
    wh_spec_free(l->spec);
    wh_arena_free(l->arena);
    free(l->errs);
    l->spec = NULL;
    l->arena = NULL;
    l->errs = NULL;
}

int wh_load_fail(const struct wh_load *l, const struct wh_err *err, uint32_t step, wherry_error **reterr)
{
    return err->code == 0 && l->errs && l->errs->n > 0 ? wh_api_fail_list(reterr, l->errs)
                                                       : wh_api_fail(reterr, err, step);
}

void wh_load_warnings(const struct wh_load *l, const wherry_ctx *ctx)
{
    char text[sizeof((struct wh_err *)0)->path + sizeof((struct wh_err *)0)->msg + 3];

    for (unsigned i = 0; l->errs && i < l->errs->nwarn; i++)
        wh_api_log(ctx, WHERRY_LOG_WARNING, "%s", wh_err_text(&l->errs->w[i], text, sizeof text));
    if (l->errs && l->errs->warn_dropped)
        wh_api_log(ctx, WHERRY_LOG_WARNING, "%u more warnings about the configuration (wherry check has all)",
                   l->errs->warn_dropped);
    if (l->errs)
        l->errs->nwarn = l->errs->warn_dropped = 0;
}

/* The real path of an open directory: what `state` shows, whatever the symlinks and dots that led there. */
static const char *path_of(struct wh_arena *arena, int proc_fd, int fd)
{
    char link[32], buf[4096];
    ssize_t n;

    snprintf(link, sizeof link, "self/fd/%d", fd);
    n = readlinkat(proc_fd, link, buf, sizeof buf - 1);
    if (n <= 0 || n >= (ssize_t)sizeof buf - 1 || buf[0] != '/')
        return NULL;
    return wh_arena_strndup(arena, buf, (size_t)n);
}

static int open_bundle(struct wh_load *l, struct wh_err *err)
{
    const char *path = l->opts.bundle ? l->opts.bundle : ".";

    l->bundle_fd = wh_apart_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, l->cancel_fd);
    if (l->bundle_fd < 0)
        return wh_api_unanswered(l->bundle_fd, "open bundle", path, err);
    l->bundle = path_of(l->arena, l->proc_fd, l->bundle_fd);
    if (!l->bundle)
        l->bundle = wh_api_absolute(l->arena, path);
    return l->bundle ? 0 : wh_err_sys(err, -errno, "find the absolute path of bundle %s", path);
}

/* A pipe without a name: `<(program)` of a shell, or /dev/stdin. A FIFO has a name, and anyone may have made it, and never write. */
static bool is_pipe(int fd, const struct stat *st)
{
    struct statfs fs;

    return S_ISFIFO(st->st_mode) && fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS;
}

static int refuse_kind(int fd, const struct stat *st, const char *name, struct wh_err *err)
{
    const char *what = S_ISFIFO(st->st_mode)                          ? "a FIFO"
                       : S_ISSOCK(st->st_mode)                        ? "a socket"
                       : S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? "a device"
                                                                      : "something else";

    if (S_ISDIR(st->st_mode))
        return wh_err_sys(err, -EISDIR, "read %s", name);
    if (!S_ISREG(st->st_mode) && !is_pipe(fd, st))
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL, "%s is not a regular file but %s", name, what);
    if (S_ISREG(st->st_mode) && st->st_size > (off_t)WH_SPEC_MAX_BYTES)
        return wh_err_set(err, WH_ERR_SPEC, -EFBIG, NULL, "%s has %lld bytes, more than %u", name,
                          (long long)st->st_size, WH_SPEC_MAX_BYTES);
    return 0;
}

int wh_api_unanswered(int r, const char *what, const char *name, struct wh_err *err)
{
    if (r == -ECANCELED)
        return wh_err_set(err, WH_ERR_HOST, r, NULL, "canceled");
    if (r == -ETIMEDOUT)
        return wh_err_set(err, WH_ERR_HOST, r, NULL,
                          "%s %s: its file system has not answered for %d s: connection timed out", what, name,
                          wh_waits.file / 1000);
    return wh_err_sys(err, r, "%s %s", what, name);
}

/* One read, which has an end whatever is behind the fd. 0 at the end of the file. */
static ssize_t read_some(int fd, bool slow, int cancel_fd, char *buf, size_t size)
{
    int64_t end = wh_now_ms() + wh_waits.file;

    for (;;) {
        ssize_t n = slow ? wh_apart_read(fd, buf, size, cancel_fd) : read(fd, buf, size);
        int r = slow || n >= 0 ? (int)n : -errno;

        if (r == -EAGAIN)
            r = wh_wait_fd(fd, POLLIN, cancel_fd, end);
        else if (r != -EINTR)
            return slow ? r : n >= 0 ? n : r;
        if (r < 0 && r != -EINTR)
            return r;
    }
}

/*
 * Read, not mapped: whoever truncates a mapped file kills us with SIGBUS. A regular file by its size; a pipe to its end. The limit
 * holds before anything is read: 1 GB is refused at once.
 */
int wh_load_file(int dir_fd, const char *name, int flags, int cancel_fd, struct wh_buf *ret, struct wh_err *err)
{
    bool slow = false;
    WH_CLEANUP_FD int fd = wh_apart_open_file(dir_fd, name, flags, cancel_fd, &slow);
    size_t cap, len = 0;
    struct stat st;
    char *buf;
    int r;

    if (fd == -ENOENT)
        return -ENOENT;
    /* What open(2) says of a socket. */
    if (fd == -ENXIO)
        return wh_err_set(err, WH_ERR_USAGE, fd, NULL, "%s is not a regular file but a socket, or a device", name);
    if (fd < 0)
        return wh_api_unanswered(fd, "open", name, err);
    if (fstat(fd, &st) < 0)
        return wh_err_sys(err, -errno, "open %s", name);
    r = refuse_kind(fd, &st, name, err);
    if (r < 0)
        return r;
    slow = slow && S_ISREG(st.st_mode);
    cap = S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : 65536;
    buf = malloc(cap);
    while (buf) {
        ssize_t n = read_some(fd, slow, cancel_fd, buf + len, cap - len);

        if (n < 0) {
            free(buf);
            return n == -ETIMEDOUT && !slow
                       ? wh_err_set(err, WH_ERR_HOST, -ETIMEDOUT, NULL, "read %s: nobody has written for %d s", name,
                                    wh_waits.file / 1000)
                       : wh_api_unanswered((int)n, "read", name, err);
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > WH_SPEC_MAX_BYTES) {
            free(buf);
            return wh_err_set(err, WH_ERR_SPEC, -EFBIG, NULL, "%s has more than %u bytes", name, WH_SPEC_MAX_BYTES);
        }
        if (len == cap) {
            char *more = realloc(buf, cap * 2);

            if (!more)
                free(buf);
            buf = more;
            cap *= 2;
        }
    }
    if (!buf)
        return wh_err_sys(err, -ENOMEM, "read %s", name);
    *ret = (struct wh_buf){ .data = buf, .len = len, .cap = cap };
    return 0;
}

int wh_load_spec(struct wh_load *l, unsigned spec_flags, struct wh_err *err)
{
    const char *name = l->opts.config ? l->opts.config : "config.json";
    int r;

    l->arena = wh_arena_new();
    l->errs = calloc(1, sizeof *l->errs);
    if (!l->arena || !l->errs)
        return wh_err_sys(err, -ENOMEM, "load %s", name);
    l->proc_fd = wh_proc_open(err);
    if (l->proc_fd < 0)
        return l->proc_fd;
    r = open_bundle(l, err);
    if (r < 0)
        return r;
    if (l->opts.config_data) {
        if (l->opts.config_len > WH_SPEC_MAX_BYTES)
            return wh_err_set(err, WH_ERR_SPEC, -EFBIG, NULL, "%s has %zu bytes, more than %u", name,
                              l->opts.config_len, WH_SPEC_MAX_BYTES);
        wh_buf_add(&l->text, l->opts.config_data, l->opts.config_len);
    } else {
        r = wh_load_file(l->bundle_fd, name, 0, l->cancel_fd, &l->text, err);
        if (r == -ENOENT && err->code == 0)
            return wh_err_set(err, WH_ERR_USAGE, -ENOENT, NULL, "JSON specification file %s not found", name);
        if (r < 0)
            return r;
    }
    if (l->text.failed)
        return wh_err_sys(err, -ENOMEM, "load %s", name);
    return wh_spec_parse(l->text.data, l->text.len, name, spec_flags, &l->spec, l->errs);
}

static int load_namespaces(struct wh_load *l, struct wh_err *err)
{
    const struct wh_namespace *ns = l->spec->linux_.ns;
    char where[160];
    int r;

    /* The user namespace first: the others are asked whether it owns them. */
    for (int i = -1; i < WH_NS_MAX; i++) {
        enum wh_ns n = i < 0 ? WH_NS_USER : (enum wh_ns)i;

        if ((i >= 0 && n == WH_NS_USER) || !ns[n].set || !ns[n].path.v)
            continue;
        r = wh_nsfds_open(&l->ns, l->proc_fd, n, ns[n].path.v,
                          wh_spec_where(l->spec, ns[n].path.src, where, sizeof where), l->cancel_fd, err);
        if (r < 0)
            return r;
        l->req.ns_owner[n] = l->ns.owner[n];
    }
    l->req.in_host_mntns = l->ns.own[WH_NS_MOUNT];
    l->req.in_host_netns = l->ns.own[WH_NS_NETWORK];
    return 0;
}

struct compiling {
    const struct wh_spec *spec;
    int fd;
    struct wh_seccomp_at at;
    struct wh_err err;
};

static int compile_rules(void *arg)
{
    struct compiling *c = arg;

    return wh_seccomp_compile(c->spec, c->fd, &c->at, &c->err);
}

/* Rules are from a configuration, and what libseccomp makes of some has no end: those it compiles in a process that
 * can be killed. */
static int compile_bounded(struct wh_load *l, int fd, struct wh_err *err)
{
    struct compiling c = { .spec = l->spec, .fd = fd };
    int r;

    if (!wh_seccomp_risky(l->spec))
        return wh_seccomp_compile(l->spec, fd, NULL, err);
    r = wh_forked(compile_rules, &c, sizeof c, fd, wh_waits.filter, l->cancel_fd);
    if (r == -ETIMEDOUT)
        return wh_seccomp_endless(l->spec, &c.at, wh_waits.filter, err);
    if (r == -ECHILD)
        return wh_err_set(err, WH_ERR_HOST, r, NULL,
                          "compile the seccomp filter: the process that does it ended without a result");
    if (r < 0 && c.err.code < 0)
        *err = c.err;
    return r < 0 ? wh_err_sys(err, r, "compile the seccomp filter") : 0;
}

/* Compiles into a memfd, because libseccomp writes to an fd, and takes the filter back. */
static int compile_filter(struct wh_load *l, const void **ret, size_t *ret_len, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = memfd_create("wherry-seccomp", MFD_CLOEXEC);
    const void *stub = NULL;
    size_t stub_len = 0;
    struct stat st;
    char *buf;
    int r;

    if (fd < 0)
        return wh_err_sys(err, -errno, "make a memfd");
    r = wh_seccomp_stub(l->spec, l->arena, &stub, &stub_len, err);
    if (r == 0 && stub_len > 0) {
        r = wh_write_all(fd, stub, stub_len);
        if (r < 0)
            return wh_err_sys(err, r, "write the seccomp filter");
    }
    if (r == 0)
        r = compile_bounded(l, fd, err);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return wh_err_sys(err, -errno, "read the seccomp filter");
    buf = wh_arena_alloc(l->arena, (size_t)st.st_size);
    if (!buf || pread(fd, buf, (size_t)st.st_size, 0) != st.st_size)
        return wh_err_sys(err, buf ? -EIO : -ENOMEM, "read the seccomp filter");
    *ret = buf;
    *ret_len = (size_t)st.st_size;
    return 0;
}

/* What compiled the filter, and under which kernel: one that another build made, with a defect that this one does not have, is not taken from the
 * cache. Null: there is nothing to tell builds apart by, and no cache then. */
static const char *made_by(struct wh_load *l)
{
    char build[WH_BUILD_ID_TEXT];
    struct utsname kernel;

    if (!wh_build_id(build) || uname(&kernel) < 0)
        return NULL;
    return wh_arena_printf(l->arena, "wherry %s\nkernel %s", build, kernel.release);
}

static int load_filter(struct wh_load *l, int root_fd, struct wh_err *err)
{
    size_t key_len = 0, len = 0;
    const void *filter = NULL;
    const char *key, *by;
    int r = wh_seccomp_data(l->spec, l->arena, &l->req.seccomp_bpf, &l->req.seccomp_bpf_len, err);

    if (r < 0 || l->req.seccomp_bpf)
        return r;
    by = made_by(l);
    if (!by)
        root_fd = -1;
    key = wh_seccomp_key(l->spec, by ? by : "", l->arena, &key_len);
    if (!key)
        return wh_arena_failed(l->arena) ? wh_err_sys(err, -ENOMEM, "load the seccomp filter") : 0;
    if (root_fd >= 0 && wh_seccomp_cache_get(root_fd, key, key_len, l->arena, &filter, &len)) {
        WH_DEBUG("seccomp: a filter of %zu bytes was taken from the cache", len);
    } else {
        r = compile_filter(l, &filter, &len, err);
        if (r < 0)
            return r;
        WH_DEBUG("seccomp: a filter of %zu bytes was compiled", len);
        if (root_fd >= 0)
            wh_seccomp_cache_put(root_fd, key, key_len, filter, len);
    }
    l->req.seccomp_bpf = filter;
    l->req.seccomp_bpf_len = len;
    return 0;
}

int wh_load_kept(struct wh_load *l, int proc_fd, int dir_fd, const char *id, struct wh_err *err)
{
    int r;

    l->arena = wh_arena_new();
    l->errs = calloc(1, sizeof *l->errs);
    if (!l->arena || !l->errs)
        return wh_err_sys(err, -ENOMEM, "load config.json");
    l->proc_fd = fcntl(proc_fd, F_DUPFD_CLOEXEC, 3);
    if (l->proc_fd < 0)
        return wh_err_sys(err, -errno, "duplicate a descriptor");
    r = wh_load_file(dir_fd, "config.json", O_NOFOLLOW, l->cancel_fd, &l->text, err);
    if (r == -ENOENT && err->code == 0)
        return wh_err_set(err, WH_ERR_STATE, r, NULL,
                          "the configuration of container %s was not kept: it was created by an older version", id);
    if (r == 0)
        r = wh_spec_parse(l->text.data, l->text.len, "config.json", 0, &l->spec, l->errs);
    /* `create` has logged them. */
    l->errs->nwarn = l->errs->warn_dropped = 0;
    return r;
}

int wh_load_plan(struct wh_load *l, const wherry_ctx *ctx, enum wh_verb verb, const char *id, int root_fd,
                 struct wh_err *err)
{
    const struct wherry_create_opts *o = &l->opts;
    const struct wh_process *p = l->spec->process, *e = l->spec->exec ? l->spec->exec->process : NULL;
    bool lsm = (p && (p->apparmor_profile.v || p->selinux_label.v)) ||
               (e && (e->apparmor_profile.v || e->selinux_label.v)) ||
               (l->req.exec && (l->req.exec->apparmor_profile || l->req.exec->selinux_label));
    unsigned want = (lsm || l->spec->linux_.mount_label.v ? WH_FACTS_LSM : 0) |
                    (wh_seccomp_wanted(l->spec) ? WH_FACTS_SECCOMP : 0) |
                    (l->spec->linux_.ns[WH_NS_PID].path.v ? WH_FACTS_PROC_PIDNS : 0) |
                    (verb == WH_VERB_EXEC ? WH_FACTS_NO_CGROUP : 0);
    int r = wh_facts_probe(l->proc_fd, want, l->arena, &l->facts, err);

    if (r < 0)
        return r;
    l->req.verb = verb;
    l->req.id = id;
    l->req.bundle = l->bundle;
    l->req.preserve_fds = o->preserve_fds;
    l->req.listen_fds = o->listen_fds;
    l->req.listen_fdnames = o->listen_fdnames;
    l->req.no_pivot = o->flags & WHERRY_CREATE_NO_PIVOT;
    l->req.init = o->flags & WHERRY_CREATE_INIT;
    l->req.no_new_keyring = o->flags & WHERRY_CREATE_NO_NEW_KEYRING;
    l->req.cgroup_manager = ctx->cgroup_manager == WHERRY_CGROUP_SYSTEMD    ? WH_CGM_SYSTEMD
                            : ctx->cgroup_manager == WHERRY_CGROUP_DISABLED ? WH_CGM_DISABLED
                                                                            : WH_CGM_CGROUPFS;
    l->req.rootless = ctx->rootless == WHERRY_ROOTLESS_YES  ? WH_ROOTLESS_YES
                      : ctx->rootless == WHERRY_ROOTLESS_NO ? WH_ROOTLESS_NO
                                                            : WH_ROOTLESS_AUTO;
    if (verb == WH_VERB_EXEC)
        ; /* the container has its cgroup */
    else if (l->req.cgroup_manager == WH_CGM_SYSTEMD)
        wh_facts_systemd(l->arena, &l->facts);
    else if (l->facts.euid != 0 || l->facts.in_userns || l->req.rootless == WH_ROOTLESS_YES)
        wh_facts_delegation(l->spec->linux_.cgroups_path.v, l->arena, &l->facts);
    l->req.own_tty = verb == WH_VERB_EXEC ? o->console_socket && !*o->console_socket
                                          : verb == WH_VERB_RUN && !(o->flags & WHERRY_CREATE_DETACH);
    l->req.console_socket = o->console_socket || (verb == WH_VERB_RUN && !(o->flags & WHERRY_CREATE_DETACH));
    if (verb != WH_VERB_EXPLAIN && verb != WH_VERB_EXEC) {
        r = load_namespaces(l, err);
        if (r < 0)
            return r;
    }
    l->req.seccomp_receiver = o->seccomp_receiver;
    if (wh_seccomp_wanted(l->spec)) {
        r = load_filter(l, root_fd, err);
        if (r < 0)
            return r;
    }
    wh_api_log_facts(&l->facts);
    r = wh_compile(l->spec, &l->req, &l->facts, l->arena, &l->plan, l->errs);
    if (r == 0)
        wh_api_log_plan(l->plan);
    return r;
}
