/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/cgroup/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"
#include "host/cgroup/stat-read.h"
#include "host/cgroup/stat.h"

/* Between two records of one source. */
#define QUIET_MS 100
/* v1 tells of an OOM before the kernel has chosen whom to kill; that is a matter of milliseconds, unless the victim cannot die. */
#define KILL_MS 1000
#define KILL_LOOK_MS 20

#define COUNTERS_MAX 16

enum kind { MEMORY, SWAP, PIDS, HUGETLB, FROZEN, TRIGGER, OOM_V1 };

struct counter {
    char name[24];
    uint64_t value;
};

struct wh_watch_source {
    enum kind kind;
    int fd; /* polled, and read */
    int dirfd; /* of the cgroup; borrowed */
    int local_fd; /* MEMORY: memory.events.local; OOM_V1: memory.oom_control */
    short events;
    int64_t quiet_until; /* 0: polled; else looked at when that time has come */
    int64_t kill_until; /* OOM_V1: a kill is expected until then */
    struct counter all[COUNTERS_MAX], local[COUNTERS_MAX];
    unsigned nall, nlocal;
    char size[16]; /* HUGETLB: "2MB" */
    char *trigger, resource[8];
};

/* ---- counters ---- */

static bool read_text(int fd, char *buf, size_t size)
{
    ssize_t n = fd < 0 ? -1 : pread(fd, buf, size - 1, 0);

    buf[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static struct counter *find(struct counter *v, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++)
        if (wh_streq(v[i].name, name))
            return &v[i];
    return NULL;
}

/* Reads the file again; the new values go into v, and by how much each has grown into delta (names too), which is returned in number. */
static unsigned read_counters(int fd, struct counter *v, unsigned *n, struct counter *delta)
{
    char text[1024], *at = text;
    unsigned changed = 0;

    if (!read_text(fd, text, sizeof text))
        return 0;
    for (char *line; (line = wh_stat_line(&at)) != NULL;) {
        char *name = wh_stat_word(&line), *value = name ? wh_stat_word(&line) : NULL;
        struct counter *c;
        uint64_t now;

        if (!value || strlen(name) >= sizeof c->name || wh_parse_u64(value, UINT64_MAX, &now) < 0)
            continue;
        c = find(v, *n, name);
        if (!c && *n == COUNTERS_MAX)
            continue;
        if (!c) {
            c = &v[(*n)++];
            snprintf(c->name, sizeof c->name, "%s", name);
            c->value = 0;
        }
        if (now > c->value && delta) {
            struct counter *d = find(delta, changed, name);

            /* A name that is there twice must not be two entries: there is room for one of each counter. */
            if (!d) {
                d = &delta[changed++];
                *d = *c;
                d->value = 0;
            }
            d->value += now - c->value;
        }
        c->value = now;
    }
    return changed;
}

/* ---- records ---- */

void wh_record_open(struct wh_json *j, struct wh_buf *out, const char *type, const char *id)
{
    *j = (struct wh_json){ .out = out };
    wh_json_open(j, NULL, '{');
    wh_json_str(j, "type", type);
    wh_json_str(j, "id", id);
}

void wh_record_close(struct wh_json *j)
{
    wh_json_close(j, '}');
    wh_buf_add(j->out, "\n", 1);
}

static void events(struct wh_json *j, const struct counter *delta, unsigned n)
{
    wh_json_open(j, "events", '{');
    for (unsigned i = 0; i < n; i++)
        wh_json_u64(j, delta[i].name, delta[i].value);
    wh_json_close(j, '}');
}

/* current and, unless there is none, limit. */
static void usage(struct wh_json *j, int dirfd, const char *current, const char *limit)
{
    uint64_t v;

    if (wh_stat_number(dirfd, limit, &v) && v != UINT64_MAX)
        wh_json_u64(j, "limit", v);
    if (wh_stat_number(dirfd, current, &v))
        wh_json_u64(j, "current", v);
}

static void oom(const struct wh_watch *w, struct wh_buf *out)
{
    struct wh_json j;

    wh_record_open(&j, out, "oom", w->id);
    wh_record_close(&j);
}

/* The limit that was hit. memory.events counts what is below as well, memory.events.local does not. Who was killed without that any limit
 * in here was hit is the victim of one above, or of the host. */
static const char *memory_limit_hit(struct counter *all, unsigned nall, struct counter *local, unsigned nlocal)
{
    if (find(local, nlocal, "max") || find(local, nlocal, "oom"))
        return "memory.max";
    if (find(local, nlocal, "high"))
        return "memory.high";
    if (find(all, nall, "max") || find(all, nall, "oom") || find(all, nall, "high"))
        return "below";
    return find(all, nall, "low") && !find(all, nall, "oom_kill") ? "memory.low" : "above";
}

static void memory_usage(const struct wh_watch *w, struct wh_json *j)
{
    struct wh_memory m;

    if (wh_cgroup_memory(w->cg, &m) < 0)
        return;
    if (m.limit != UINT64_MAX)
        wh_json_u64(j, "limit", m.limit);
    wh_json_u64(j, "current", m.usage);
    wh_stat_opt(j, "peak", m.peak);
}

static bool look_memory(const struct wh_watch *w, struct wh_watch_source *s, struct wh_buf *out)
{
    struct counter all[COUNTERS_MAX], local[COUNTERS_MAX];
    unsigned nall = read_counters(s->fd, s->all, &s->nall, all), nlocal;
    struct wh_json j;

    if (nall == 0)
        return false;
    /* Second: what is counted in between must not look like a limit below. */
    nlocal = read_counters(s->local_fd, s->local, &s->nlocal, local);
    if (find(all, nall, "oom_kill"))
        oom(w, out);
    wh_record_open(&j, out, "memory", w->id);
    wh_json_open(&j, "data", '{');
    events(&j, all, nall);
    wh_json_str(&j, "hit", memory_limit_hit(all, nall, local, nlocal));
    memory_usage(w, &j);
    wh_json_close(&j, '}');
    wh_record_close(&j);
    return true;
}

static bool look_limit(const struct wh_watch *w, struct wh_watch_source *s, struct wh_buf *out)
{
    static const char *const types[] = { [SWAP] = "swap", [PIDS] = "pids", [HUGETLB] = "hugetlb" };
    struct counter delta[COUNTERS_MAX];
    unsigned n = read_counters(s->fd, s->all, &s->nall, delta);
    char limit[48], current[48];
    struct wh_json j;

    if (n == 0)
        return false;
    if (s->kind == HUGETLB) {
        snprintf(limit, sizeof limit, "hugetlb.%s.max", s->size);
        snprintf(current, sizeof current, "hugetlb.%s.current", s->size);
    } else {
        const char *prefix = s->kind == SWAP ? "memory.swap" : "pids";

        snprintf(limit, sizeof limit, "%s.%s", prefix,
                 find(delta, n, "high") && !find(delta, n, "max") ? "high" : "max");
        snprintf(current, sizeof current, "%s.current", prefix);
    }
    wh_record_open(&j, out, types[s->kind], w->id);
    wh_json_open(&j, "data", '{');
    if (s->kind == HUGETLB)
        wh_json_str(&j, "size", s->size);
    events(&j, delta, n);
    wh_json_str(&j, "hit", limit);
    usage(&j, s->dirfd, current, limit);
    wh_json_close(&j, '}');
    wh_record_close(&j);
    return true;
}

static bool look_frozen(const struct wh_watch *w, struct wh_watch_source *s, struct wh_buf *out)
{
    uint64_t was = s->all[0].value, now;
    char text[256];
    struct wh_json j;

    /* "populated" changes in the same file; it is the exit, and told as that. */
    if (!read_text(s->fd, text, sizeof text) || !wh_stat_key(text, "frozen", &now) || now == was)
        return false;
    s->all[0].value = now;
    wh_record_open(&j, out, "freeze", w->id);
    wh_json_open(&j, "data", '{');
    wh_json_bool(&j, "frozen", now != 0);
    wh_json_close(&j, '}');
    wh_record_close(&j);
    return true;
}

static bool look_trigger(const struct wh_watch *w, struct wh_watch_source *s, struct wh_buf *out)
{
    char name[24];
    struct wh_json j;

    wh_record_open(&j, out, "psi", w->id);
    wh_json_open(&j, "data", '{');
    wh_json_str(&j, "trigger", s->trigger);
    snprintf(name, sizeof name, "%s.pressure", s->resource);
    wh_stat_psi(&j, s->dirfd, name);
    wh_json_close(&j, '}');
    wh_record_close(&j);
    return true;
}

static bool look_oom_v1(const struct wh_watch *w, struct wh_watch_source *s, struct wh_buf *out)
{
    struct counter delta[COUNTERS_MAX];
    bool expected = s->kill_until != 0;
    struct wh_json j;
    uint64_t times = 0;
    char text[128];
    unsigned n;

    if (read(s->fd, &times, sizeof times) != sizeof times)
        times = 0;
    /* It is signalled by the removal of the cgroup as well. */
    if (!read_text(s->local_fd, text, sizeof text))
        return false;
    if (times > 0)
        s->kill_until = wh_cg_now() + KILL_MS;
    n = read_counters(s->local_fd, s->all, &s->nall, delta);
    /* Its other lines are states, not counters. */
    for (unsigned i = 0; i < n; i++)
        if (!wh_streq(delta[i].name, "oom_kill"))
            delta[i--] = delta[--n];
    if (n > 0)
        s->kill_until = 0;
    if (times > 0)
        oom(w, out);
    if (times == 0 && n == 0)
        return false;
    if (times > 0) {
        delta[n] = (struct counter){ .name = "oom", .value = times };
        n++;
    }
    wh_record_open(&j, out, "memory", w->id);
    wh_json_open(&j, "data", '{');
    events(&j, delta, n);
    wh_json_str(&j, "hit", times > 0 || expected ? "memory.limit_in_bytes" : "above");
    memory_usage(w, &j);
    wh_json_close(&j, '}');
    wh_record_close(&j);
    return true;
}

/* The cgroup was removed under a container that was moved elsewhere: poll would return at once, for ever. */
static bool gone(const struct wh_watch_source *s)
{
    char c;

    return pread(s->kind == OOM_V1 ? s->local_fd : s->fd, &c, 1, 0) < 0 && errno != EINTR;
}

static bool look(const struct wh_watch *w, struct wh_watch_source *s, bool ready, struct wh_buf *out)
{
    switch (s->kind) {
    case MEMORY:
        return look_memory(w, s, out);
    case SWAP:
    case PIDS:
    case HUGETLB:
        return look_limit(w, s, out);
    case FROZEN:
        return look_frozen(w, s, out);
    case TRIGGER:
        return ready && !gone(s) && look_trigger(w, s, out);
    case OOM_V1:
        return look_oom_v1(w, s, out);
    }
    return false;
}

/* ---- what is watched ---- */

static struct wh_watch_source *add(struct wh_watch *w, enum kind kind, int dirfd)
{
    struct wh_watch_source *s = w->n < WH_WATCH_MAX ? calloc(1, sizeof *s) : NULL;

    if (!s)
        return NULL;
    s->kind = kind;
    s->dirfd = dirfd;
    s->fd = s->local_fd = -1;
    s->events = POLLPRI;
    w->v[w->n++] = s;
    return s;
}

static int cannot_watch(const char *name, int r, struct wh_err *err)
{
    return wh_err_sys(err, r, "watch %s of the container's cgroup", name);
}

/* A file that notifies; one that is not there (no such controller) is not watched. */
static int add_file(struct wh_watch *w, enum kind kind, int dirfd, const char *name, struct wh_watch_source **ret,
                    struct wh_err *err)
{
    WH_CLEANUP_FD int fd = dirfd < 0 ? -1 : openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct wh_watch_source *s;

    *ret = NULL;
    if (fd < 0)
        return dirfd < 0 || errno == ENOENT || errno == ENODEV ? 0 : cannot_watch(name, -errno, err);
    s = add(w, kind, dirfd);
    if (!s)
        return cannot_watch(name, -ENOMEM, err);
    s->fd = wh_take_fd(&fd);
    *ret = s;
    return 0;
}

static int add_limit(struct wh_watch *w, enum kind kind, int dirfd, const char *name, struct wh_err *err)
{
    struct wh_watch_source *s;
    int r = add_file(w, kind, dirfd, name, &s, err);

    if (s && kind == MEMORY) {
        s->local_fd = openat(dirfd, "memory.events.local", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        read_counters(s->local_fd, s->local, &s->nlocal, NULL);
    }
    if (s)
        read_counters(s->fd, s->all, &s->nall, NULL);
    return r;
}

static int add_hugetlb(struct wh_watch *w, int dirfd, struct wh_err *err)
{
    struct wh_stat_sizes sizes;
    int r = 0;

    wh_stat_sizes(dirfd, "events", &sizes);
    for (unsigned i = 0; i < sizes.n && r == 0; i++) {
        char name[48];
        unsigned n = w->n;

        snprintf(name, sizeof name, "hugetlb.%s.events", sizes.name[i]);
        r = add_limit(w, HUGETLB, dirfd, name, err);
        if (w->n > n)
            snprintf(w->v[n]->size, sizeof w->v[n]->size, "%s", sizes.name[i]);
    }
    return r;
}

static int add_frozen(struct wh_watch *w, int dirfd, struct wh_err *err)
{
    struct wh_watch_source *s;
    int r = add_file(w, FROZEN, dirfd, "cgroup.events", &s, err);
    char text[256];

    if (s && read_text(s->fd, text, sizeof text))
        wh_stat_key(text, "frozen", &s->all[0].value);
    return r;
}

static int add_oom_v1(struct wh_watch *w, int dirfd, struct wh_err *err)
{
    struct wh_watch_source *s;
    char text[32];
    int r;

    r = add_file(w, OOM_V1, dirfd, "memory.oom_control", &s, err);
    if (!s)
        return r;
    s->local_fd = s->fd;
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->fd < 0)
        return cannot_watch("memory.oom_control", -errno, err);
    s->events = POLLIN;
    read_counters(s->local_fd, s->all, &s->nall, NULL);
    snprintf(text, sizeof text, "%d %d", s->fd, s->local_fd);
    r = wh_write_at(dirfd, "cgroup.event_control", text);
    return r < 0 && r != -ENOENT ? cannot_watch("memory.oom_control", r, err) : 0;
}

int wh_watch_open(struct wh_watch *w, const struct wh_cgroup *cg, const char *id, struct wh_err *err)
{
    const struct wh_cgroup_dir *memory = wh_cg_v1_find(cg, "memory"), *pids = wh_cg_v1_find(cg, "pids");
    int r;

    *w = (struct wh_watch){ .id = id, .cg = cg };
    r = add_frozen(w, cg->two.fd, err);
    if (r == 0 && memory && memory->fd >= 0)
        r = add_oom_v1(w, memory->fd, err);
    else if (r == 0)
        r = add_limit(w, MEMORY, cg->two.fd, "memory.events", err);
    if (r == 0)
        r = add_limit(w, SWAP, cg->two.fd, "memory.swap.events", err);
    if (r == 0)
        r = add_limit(w, PIDS, pids && pids->fd >= 0 ? pids->fd : cg->two.fd, "pids.events", err);
    if (r == 0)
        r = add_hugetlb(w, cg->two.fd, err);
    return r;
}

void wh_watch_done(struct wh_watch *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        wh_close(w->v[i]->fd);
        wh_close(w->v[i]->local_fd);
        free(w->v[i]->trigger);
        free(w->v[i]);
    }
    w->n = 0;
}

/* "memory=some:150ms/1s", in microseconds. */
static int parse_trigger(const char *text, char resource[8], char kind[8], uint64_t *stall, uint64_t *window)
{
    char copy[96], *eq, *colon, *slash;

    if (strlen(text) >= sizeof copy)
        return -EINVAL;
    snprintf(copy, sizeof copy, "%s", text);
    eq = strchr(copy, '=');
    colon = eq ? strchr(eq, ':') : NULL;
    slash = colon ? strchr(colon, '/') : NULL;
    if (!slash)
        return -EINVAL;
    *eq++ = *colon++ = *slash++ = '\0';
    if (!wh_streq(copy, "memory") && !wh_streq(copy, "cpu") && !wh_streq(copy, "io") && !wh_streq(copy, "irq"))
        return -EINVAL;
    if ((!wh_streq(eq, "some") && !wh_streq(eq, "full")) || wh_parse_duration(colon, stall) < 0 ||
        wh_parse_duration(slash, window) < 0)
        return -EINVAL;
    snprintf(resource, 8, "%.7s", copy);
    snprintf(kind, 8, "%.7s", eq);
    *stall /= 1000;
    *window /= 1000;
    return 0;
}

int wh_watch_trigger(struct wh_watch *w, const char *text, struct wh_err *err)
{
    char resource[8], kind[8], name[24], line[64];
    struct wh_watch_source *s;
    uint64_t stall, window;
    int dirfd = w->cg->two.fd;
    ssize_t n;

    if (parse_trigger(text, resource, kind, &stall, &window) < 0)
        return wh_err_set(
            err, WH_ERR_USAGE, -EINVAL, NULL,
            "invalid trigger \"%.96s\": want memory, cpu, io or irq, =some: or =full:, and how long in what "
            "time, such as memory=some:150ms/1s",
            text);
    /* The kernel's own bounds (psi.rst); it says EINVAL to everything. */
    if (window < 500000 || window > 10000000 || stall == 0 || stall > window)
        return wh_err_set(err, WH_ERR_USAGE, -EINVAL, NULL,
                          "invalid trigger \"%.96s\": the time behind / is 500ms to 10s, that before it no longer",
                          text);
    snprintf(name, sizeof name, "%s.pressure", resource);

    WH_CLEANUP_FD int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return wh_err_sys(err, -errno, "trigger %s: open %s of the container's cgroup", text, name);
    n = snprintf(line, sizeof line, "%s %llu %llu", kind, (unsigned long long)stall, (unsigned long long)window);
    if (write(fd, line, (size_t)n) != n)
        return wh_err_sys(err, -errno, "trigger %s: write \"%s\" to %s of the container's cgroup%s", text, line, name,
                          window % 2000000 && (errno == EPERM || errno == EINVAL)
                              ? " (without CAP_SYS_RESOURCE the window is a multiple of 2s)"
                              : "");
    if (w->n == WH_WATCH_MAX)
        return wh_err_set(err, WH_ERR_USAGE, -E2BIG, NULL, "trigger %s: too many triggers", text);
    s = add(w, TRIGGER, dirfd);
    if (!s)
        return wh_err_sys(err, -ENOMEM, "trigger %s", text);
    s->fd = wh_take_fd(&fd);
    s->trigger = strdup(text);
    snprintf(s->resource, sizeof s->resource, "%s", resource);
    return s->trigger ? 0 : wh_err_sys(err, -ENOMEM, "trigger %s", text);
}

/* ---- the loop's two halves ---- */

int wh_watch_prepare(struct wh_watch *w, struct pollfd *p)
{
    int64_t now = 0, wait = -1;

    for (unsigned i = 0; i < w->n; i++) {
        struct wh_watch_source *s = w->v[i];
        int64_t due = s->quiet_until;

        p[i] = (struct pollfd){ .fd = due ? -1 : s->fd, .events = s->events };
        /* A kill that is expected is looked for, since v1 tells nobody of it. */
        if (s->kill_until && !due)
            due = s->quiet_until = wh_cg_now() + KILL_LOOK_MS;
        if (!due)
            continue;
        now = now ? now : wh_cg_now();
        if (wait < 0 || due - now < wait)
            wait = due > now ? due - now : 0;
    }
    return (int)wait;
}

void wh_watch_look(struct wh_watch *w, const struct pollfd *p, bool all, struct wh_buf *out)
{
    int64_t now = wh_cg_now();

    for (unsigned i = 0; i < w->n; i++) {
        struct wh_watch_source *s = w->v[i];
        bool ready = p[i].revents != 0, due = s->quiet_until && now >= s->quiet_until;

        if (!ready && !due && !all)
            continue;
        if (due)
            s->quiet_until = 0;
        if (s->kill_until && now >= s->kill_until)
            s->kill_until = 0;
        if (look(w, s, ready, out))
            s->quiet_until = now + QUIET_MS;
        else if (ready && gone(s))
            wh_closep(&s->fd);
    }
}
