/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings that the configuration alone gives: contradictions that are no errors, and how much lies between the container
 * and the host. */
#include <limits.h>
#include <linux/capability.h>

#include "api/check.h"

static bool has_option(const struct wh_mount_spec *m, const char *name)
{
    for (size_t i = 0; i < m->options.n; i++)
        if (wh_streq(m->options.v[i].v, name))
            return true;
    return false;
}

static bool is_bind(const struct wh_mount_spec *m)
{
    return has_option(m, "bind") || has_option(m, "rbind") || (m->type.v && wh_streq(m->type.v, "bind"));
}

/* The later of ro and rw wins. */
static bool read_only(const struct wh_mount_spec *m)
{
    bool ro = false;

    for (size_t i = 0; i < m->options.n; i++) {
        const char *o = m->options.v[i].v;

        if (wh_streq(o, "ro") || wh_streq(o, "rro"))
            ro = true;
        else if (wh_streq(o, "rw") || wh_streq(o, "rrw"))
            ro = false;
    }
    return ro;
}

/* An absolute path without double and trailing slashes: "/" stays "/". */
static const char *tidy(const char *path, char *buf, size_t size)
{
    size_t n = 0;

    for (; *path && n < size - 1; path++)
        if (*path != '/' || n == 0 || buf[n - 1] != '/')
            buf[n++] = *path;
    if (n > 1 && buf[n - 1] == '/')
        n--;
    buf[n] = '\0';
    return buf;
}

/* path is dir or below it. */
static bool within(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return wh_streq(dir, "/") || (strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

static bool any_within(const struct wh_sstrv *list, const char *path)
{
    char buf[PATH_MAX];

    for (size_t i = 0; i < list->n; i++)
        if (within(path, tidy(list->v[i].v, buf, sizeof buf)))
            return true;
    return false;
}

/* ---------------------------------------------------------------- the process */

static const struct {
    unsigned cap;
    const char *does;
} dangerous[] = {
    { CAP_DAC_READ_SEARCH, "opens every file of the host's file systems by its handle" },
    { CAP_LINUX_IMMUTABLE, "changes files that are marked immutable" },
    { CAP_NET_ADMIN, "configures network interfaces, routes and packet filters" },
    { CAP_SYS_MODULE, "loads code into the kernel" },
    { CAP_SYS_RAWIO, "writes to disks, ports and memory past the drivers" },
    { CAP_SYS_PTRACE, "reads and changes the memory of other processes" },
    { CAP_SYS_BOOT, "reboots the host, or starts another kernel" },
    { CAP_SYS_TIME, "sets the host's clock" },
    { CAP_MAC_OVERRIDE, "goes past mandatory access control" },
    { CAP_MAC_ADMIN, "changes the policy of mandatory access control" },
    { CAP_SYSLOG, "reads the kernel's messages and addresses" },
    { CAP_PERFMON, "observes the whole system" },
    { CAP_BPF, "loads programs into the kernel" },
    { CAP_CHECKPOINT_RESTORE, "chooses process ids and reads the memory maps of others" },
};

static void caps(struct wh_findings *f, const struct wh_caps *c, bool userns)
{
    const struct wh_capset *sets[] = { &c->effective, &c->permitted, &c->bounding };
    uint64_t lost;

    for (size_t i = 0; i < WH_ELEMENTSOF(dangerous) + 1 && !userns; i++) {
        bool admin = i == WH_ELEMENTSOF(dangerous);
        unsigned cap = admin ? CAP_SYS_ADMIN : dangerous[i].cap;

        for (size_t s = 0; s < WH_ELEMENTSOF(sets); s++) {
            if (!(sets[s]->mask & 1ull << cap))
                continue;
            if (admin)
                wh_check_add(f, WH_CHECK_CAP_SYS_ADMIN, sets[s]->src, "CAP_SYS_ADMIN is granted");
            else
                wh_check_add(f, WH_CHECK_CAP_DANGEROUS, sets[s]->src, "%s %s", wh_cap_name(cap), dangerous[i].does);
            break;
        }
    }
    lost = c->ambient.mask & ~(c->permitted.mask & c->inheritable.mask);
    for (unsigned cap = 0; cap < 64 && lost; cap++)
        if (lost & 1ull << cap) {
            wh_check_add(f, WH_CHECK_AMBIENT_LOST, c->ambient.src, "%s %s not in the %s set",
                         wh_cap_name(cap) ? wh_cap_name(cap) : "a capability",
                         lost & (lost - 1) ? "and others are" : "is",
                         c->permitted.mask & 1ull << cap ? "inheritable" : "permitted");
            break;
        }
}

/* Upper case of s contains word, as a part between underscores. */
static bool has_part(const char *s, size_t len, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= len; i++) {
        size_t k = 0;

        while (k < n && (s[i + k] >= 'a' && s[i + k] <= 'z' ? s[i + k] - 'a' + 'A' : s[i + k]) == word[k])
            k++;
        if (k == n && (i == 0 || s[i - 1] == '_') && (i + n == len || s[i + n] == '_'))
            return true;
    }
    return false;
}

static void env(struct wh_findings *f, const struct wh_sstrv *e)
{
    static const char *const words[] = { "PASSWORD", "PASSWD",  "PASSPHRASE", "SECRET",      "SECRETS",    "TOKEN",
                                         "APIKEY",   "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIALS" };

    for (size_t i = 0; i < e->n; i++) {
        size_t len = strcspn(e->v[i].v, "=");

        /* Values that are names of files are how it should be done. */
        if (e->v[i].v[len] && e->v[i].v[len + 1] && e->v[i].v[len + 1] != '/' && !has_part(e->v[i].v, len, "FILE"))
            for (size_t w = 0; w < WH_ELEMENTSOF(words); w++)
                if (has_part(e->v[i].v, len, words[w])) {
                    wh_check_add(f, WH_CHECK_ENV_SECRET, e->v[i].src, "%.*s looks like a secret", (int)len, e->v[i].v);
                    break;
                }
        for (size_t k = 0; k < i; k++)
            if (strncmp(e->v[k].v, e->v[i].v, len) == 0 && e->v[k].v[len] == '=' && e->v[i].v[len] == '=') {
                wh_check_add(f, WH_CHECK_DUPLICATE_ENV, e->v[i].src, "%.*s is set twice", (int)len, e->v[i].v);
                break;
            }
    }
}

static void process(struct wh_findings *f, const struct wh_spec *s, bool userns)
{
    const struct wh_process *p = s->process;

    if (!userns && (!p->user.uid.set || p->user.uid.v == 0))
        wh_check_add(f, WH_CHECK_ROOT_NO_USERNS, p->user.uid.set ? p->user.uid.src : p->src,
                     "the process runs as root, without a user namespace");
    if (!p->no_new_privileges.set || !p->no_new_privileges.v)
        wh_check_add(f, WH_CHECK_NEW_PRIVILEGES, p->no_new_privileges.set ? p->no_new_privileges.src : p->src,
                     "noNewPrivileges is %s", p->no_new_privileges.set ? "false" : "not set");
    if (p->oom_score_adj.set && p->oom_score_adj.v < 0)
        wh_check_add(f, WH_CHECK_OOM_PROTECTED, p->oom_score_adj.src, "oomScoreAdj is %d", p->oom_score_adj.v);
    caps(f, &p->capabilities, userns);
    env(f, &p->env);
}

/* ---------------------------------------------------------------- namespaces, seccomp */

static void namespaces(struct wh_findings *f, const struct wh_linux *l)
{
    static const struct {
        enum wh_ns ns;
        enum wh_check check;
    } t[] = { { WH_NS_PID, WH_CHECK_HOST_PID },     { WH_NS_NETWORK, WH_CHECK_HOST_NETWORK },
              { WH_NS_IPC, WH_CHECK_HOST_IPC },     { WH_NS_UTS, WH_CHECK_HOST_UTS },
              { WH_NS_MOUNT, WH_CHECK_HOST_MOUNT }, { WH_NS_CGROUP, WH_CHECK_HOST_CGROUP } };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++)
        if (!l->ns[t[i].ns].set)
            wh_check_add(f, t[i].check, l->src, "no %s namespace: the container is in the host's", wh_ns_name(t[i].ns));
    for (size_t i = 0; i < l->uid_mappings.n; i++)
        if (l->uid_mappings.v[i].host_id == 0 && l->uid_mappings.v[i].size > 0)
            wh_check_add(f, WH_CHECK_USERNS_MAPS_ROOT, l->uid_mappings.v[i].src,
                         "uid %u of the container is root of the host", l->uid_mappings.v[i].container_id);
}

/* One finding for each rule with names that another one decides. */
static void overruled(struct wh_findings *f, const struct wh_spec *s)
{
    const struct wh_seccomp *c = &s->linux_.seccomp;

    for (size_t i = 0; i < c->nrules; i++) {
        WH_CLEANUP_BUF struct wh_buf list = { 0 };
        const struct wh_seccomp_rule *r = &c->rules[i], *by = NULL, *now;
        wh_node first = 0;
        unsigned n = 0;

        for (size_t k = 0; k < r->names.n; k++) {
            now = wh_seccomp_overruled(s, i, k);
            /* Those of another rule are told by a check of what is left. */
            if (!now || (by && now != by))
                continue;
            by = now;
            if (n == 0)
                first = r->names.v[k].src;
            if (n++ < 10)
                wh_buf_printf(&list, "%s%s", n > 1 ? ", " : "", r->names.v[k].v);
        }
        if (by)
            wh_check_add(f, WH_CHECK_SECCOMP_OVERRULED, first,
                         "%s is not applied to %s%s: /linux/seccomp/syscalls/%zu says %s without conditions",
                         r->action.v, list.data ? list.data : "", n > 10 ? ", and more" : "", (size_t)(by - c->rules),
                         by->action.v);
    }
}

static void seccomp(struct wh_findings *f, const struct wh_spec *s)
{
    const struct wh_seccomp *c = &s->linux_.seccomp;
    const struct wh_sstr *name;
    WH_CLEANUP_BUF struct wh_buf list = { 0 };
    wh_node first = 0;
    unsigned n = 0;

    if (!c->set) {
        wh_check_add(f, WH_CHECK_NO_SECCOMP, s->linux_.src, "no seccomp filter");
        return;
    }
    if (c->default_action.v &&
        (wh_streq(c->default_action.v, "SCMP_ACT_ALLOW") || wh_streq(c->default_action.v, "SCMP_ACT_LOG") ||
         wh_streq(c->default_action.v, "SCMP_ACT_TRACE")))
        wh_check_add(f, WH_CHECK_SECCOMP_ALLOWS, c->default_action.src, "the default action is %s",
                     c->default_action.v);
    for (size_t pos = 0; (name = wh_seccomp_unknown(s, &pos)) != NULL; n++) {
        if (n == 0)
            first = name->src;
        if (n < 10)
            wh_buf_printf(&list, "%s%s", n ? ", " : "", name->v);
    }
    if (n)
        wh_check_add(f, WH_CHECK_SECCOMP_UNKNOWN, first, "%u unknown system call%s: %s%s", n, n == 1 ? "" : "s",
                     list.data ? list.data : "", n > 10 ? ", and more" : "");
    overruled(f, s);
}

/* ---------------------------------------------------------------- file systems */

/* Directories of the host that decide what runs there or hold its secrets. The second column: also what is below. */
static const struct {
    const char *path;
    bool below;
} sensitive[] = {
    { "/boot", true },
    { "/etc", false },
    { "/etc/shadow", false },
    { "/etc/ssh", true },
    { "/root", true },
    { "/dev", false },
    { "/proc", true },
    { "/usr", false },
    { "/bin", false },
    { "/sbin", false },
    { "/lib", false },
    { "/lib64", false },
    { "/run", false },
    { "/var/run", false },
    { "/var", false },
    { "/var/lib", false },
    { "/home", false },
    { "/var/lib/docker", true },
    { "/var/lib/containerd", true },
    { "/var/lib/containers", false },
    { "/var/lib/kubelet", false },
    { "/etc/kubernetes", true },
    { "/sys/kernel/debug", true },
    { "/sys/kernel/tracing", true },
};

static const char *const sockets[] = { "docker.sock", "containerd.sock", "crio.sock", "podman.sock", "buildkitd.sock" };

static void bind(struct wh_findings *f, const struct wh_mount_spec *m)
{
    char src[PATH_MAX];
    const char *base;

    if (!m->source.v || m->source.v[0] != '/')
        return;
    tidy(m->source.v, src, sizeof src);
    base = strrchr(src, '/') + 1;
    for (size_t i = 0; i < WH_ELEMENTSOF(sockets); i++)
        if (wh_streq(base, sockets[i])) {
            wh_check_add(f, WH_CHECK_BIND_SOCKET, m->source.src, "%s is an engine's socket", src);
            return;
        }
    if (wh_streq(src, "/")) {
        wh_check_add(f, WH_CHECK_BIND_ROOT, m->source.src, "the host's / is mounted on %s%s", m->destination.v,
                     read_only(m) ? ", read-only" : "");
        return;
    }
    if (within(src, "/sys") && !read_only(m))
        wh_check_add(f, within(src, "/sys/fs/cgroup") ? WH_CHECK_CGROUP_WRITABLE : WH_CHECK_SYSFS_WRITABLE,
                     m->source.src, "%s of the host is mounted writable on %s", src, m->destination.v);
    for (size_t i = 0; i < WH_ELEMENTSOF(sensitive); i++)
        if (wh_streq(src, sensitive[i].path) || (sensitive[i].below && within(src, sensitive[i].path))) {
            wh_check_add(f, WH_CHECK_BIND_SENSITIVE, m->source.src, "%s of the host is mounted on %s%s", src,
                         m->destination.v, read_only(m) ? ", read-only" : "");
            return;
        }
}

static void mounts(struct wh_findings *f, const struct wh_spec *s)
{
    const struct wh_linux *l = &s->linux_;

    for (size_t i = 0; i < s->nmounts; i++) {
        const struct wh_mount_spec *m = &s->mounts[i];
        const char *type = m->type.v ? m->type.v : "";
        char dst[PATH_MAX], other[PATH_MAX];

        tidy(m->destination.v, dst, sizeof dst);
        if (is_bind(m))
            bind(f, m);
        else if (wh_streq(type, "sysfs") && !read_only(m))
            wh_check_add(f, WH_CHECK_SYSFS_WRITABLE, m->src, "sysfs is mounted writable on %s", dst);
        else if ((wh_streq(type, "cgroup") || wh_streq(type, "cgroup2")) && !read_only(m))
            wh_check_add(f, WH_CHECK_CGROUP_WRITABLE, m->src, "cgroups are mounted writable on %s", dst);
        else if (wh_streq(type, "proc") && !read_only(m) && wh_streq(dst, "/proc")) {
            if (!any_within(&l->readonly_paths, "/proc/sys") && !any_within(&l->masked_paths, "/proc/sys"))
                wh_check_add(f, WH_CHECK_PROC_SYS_WRITABLE, m->src, "/proc/sys is writable");
            if (!any_within(&l->readonly_paths, "/proc/sysrq-trigger") &&
                !any_within(&l->masked_paths, "/proc/sysrq-trigger"))
                wh_check_add(f, WH_CHECK_PROC_SYS_WRITABLE, m->src, "/proc/sysrq-trigger is writable");
            if (!any_within(&l->masked_paths, "/proc/kcore"))
                wh_check_add(f, WH_CHECK_PROC_UNMASKED, l->masked_paths.set ? l->masked_paths.src : m->src,
                             l->masked_paths.n ? "/proc/kcore is not masked" : "nothing in /proc is masked");
        }
        if (is_bind(m) && (has_option(m, "shared") || has_option(m, "rshared")))
            wh_check_add(f, WH_CHECK_SHARED_PROPAGATION, m->src, "the mount on %s is shared with the host", dst);
        if (has_option(m, "remount"))
            continue;
        for (size_t k = i + 1; k < s->nmounts; k++)
            if (within(dst, tidy(s->mounts[k].destination.v, other, sizeof other)) &&
                !has_option(&s->mounts[k], "remount")) {
                wh_check_add(f, WH_CHECK_HIDDEN_MOUNT, m->src, "the mount on %s is hidden by the later one on %s", dst,
                             other);
                break;
            }
    }
    if (l->rootfs_propagation.v &&
        (wh_streq(l->rootfs_propagation.v, "shared") || wh_streq(l->rootfs_propagation.v, "rshared")))
        wh_check_add(f, WH_CHECK_SHARED_PROPAGATION, l->rootfs_propagation.src, "rootfsPropagation is %s",
                     l->rootfs_propagation.v);
}

static void root(struct wh_findings *f, const struct wh_spec *s)
{
    char path[PATH_MAX];

    if (!s->root.set)
        return;
    if (s->root.path.v && wh_streq(tidy(s->root.path.v, path, sizeof path), "/"))
        wh_check_add(f, WH_CHECK_ROOTFS_IS_HOST, s->root.path.src, "root.path is /");
    if (!s->root.readonly.set || !s->root.readonly.v)
        wh_check_add(f, WH_CHECK_ROOTFS_WRITABLE, s->root.readonly.set ? s->root.readonly.src : s->root.src,
                     "the root file system is writable");
}

/* ---------------------------------------------------------------- devices, limits */

static bool any_number(const struct wh_opt_i64 *n)
{
    return !n->set || n->v < 0;
}

static bool grants_use(const struct wh_devrule *r)
{
    return r->allow && r->access.v && strpbrk(r->access.v, "rw") != NULL;
}

/* 1: memory, kernel memory, ports. */
static bool is_memory(char type, int64_t major, int64_t minor)
{
    return (type == 'c' || type == 'u') && major == 1 && (minor == 1 || minor == 2 || minor == 4);
}

/* Returns whether every device is allowed. */
static bool devices(struct wh_findings *f, const struct wh_linux *l)
{
    bool all = false;

    for (size_t i = 0; i < l->resources.devices.n; i++) {
        const struct wh_devrule *r = &l->resources.devices.v[i];

        bool every = r->type == 'a' || r->type == '\0'; /* absent means all */

        if (!r->allow && every)
            all = false;
        if (!grants_use(r))
            continue;
        if (every || any_number(&r->major) || (any_number(&r->minor) && r->major.v != 136)) {
            wh_check_add(f, WH_CHECK_DEVICE_WILDCARD, r->src, "%s devices are allowed",
                         every                   ? "all"
                         : any_number(&r->major) ? r->type == 'b' ? "all block" : "all character"
                                                 : "all of a driver's");
            all = all || every;
        } else if (r->type == 'b')
            wh_check_add(f, WH_CHECK_DEVICE_DISK, r->src, "block device %lld:%lld is allowed", (long long)r->major.v,
                         (long long)r->minor.v);
        else if (is_memory(r->type, r->major.v, r->minor.v))
            wh_check_add(f, WH_CHECK_DEVICE_MEMORY, r->src, "device %lld:%lld is allowed", (long long)r->major.v,
                         (long long)r->minor.v);
    }
    for (size_t i = 0; i < l->devices.n; i++) {
        const struct wh_device *d = &l->devices.v[i];

        if (d->type == 'b')
            wh_check_add(f, WH_CHECK_DEVICE_DISK, d->src, "%s is a block device", d->path.v);
        else if (d->major.set && d->minor.set && is_memory(d->type, d->major.v, d->minor.v))
            wh_check_add(f, WH_CHECK_DEVICE_MEMORY, d->src, "%s is device %lld:%lld", d->path.v, (long long)d->major.v,
                         (long long)d->minor.v);
    }
    return all;
}

void wh_check_unknown(struct wh_findings *f, const struct wh_spec *s)
{
    for (size_t i = 0; i < s->nunknown; i++) {
        const struct wh_unknown_key *u = &s->unknown[i];

        if (u->nearest)
            wh_check_add(f, WH_CHECK_UNKNOWN_KEY, u->src, "unknown property; did you mean \"%s\"?", u->nearest);
        else
            wh_check_add(f, WH_CHECK_UNKNOWN_KEY, u->src, "unknown property");
    }
}

static void annotations(struct wh_findings *f, const struct wh_spec *s)
{
    const char *near = NULL;

    for (const struct wh_kv *kv = NULL; (kv = wh_annotation_unknown(s, kv, &near)) != NULL;)
        if (near)
            wh_check_add(f, WH_CHECK_ANNOTATION_UNKNOWN, kv->src, "unknown annotation; did you mean \"%s\"?", near);
        else
            wh_check_add(f, WH_CHECK_ANNOTATION_UNKNOWN, kv->src, "unknown annotation");
}

void wh_check_spec(struct wh_findings *f, const struct wh_spec *s)
{
    const struct wh_linux *l = &s->linux_;
    bool userns = l->ns[WH_NS_USER].set, all_devices;

    wh_check_unknown(f, s);
    annotations(f, s);
    if (s->process)
        process(f, s, userns);
    root(f, s);
    mounts(f, s);
    namespaces(f, l);
    seccomp(f, s);
    all_devices = devices(f, l);
    if (!l->resources.pids.set || !l->resources.pids.limit.set || l->resources.pids.limit.v < 0)
        wh_check_add(f, WH_CHECK_NO_PIDS_LIMIT, l->resources.pids.limit.set ? l->resources.pids.limit.src : l->src,
                     "the number of processes is not limited");
    if (!userns && all_devices && s->process && s->process->capabilities.effective.mask & 1ull << CAP_SYS_ADMIN)
        wh_check_add(f, WH_CHECK_PRIVILEGED, s->process->src, "this is a privileged container");
}
