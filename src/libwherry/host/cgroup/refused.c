/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why the kernel may have refused a value: what it takes, and what is above or in use. It answers with a number
 * alone. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"

/* kernel/sched: min_cfs_quota_period and max_cfs_quota_period. */
#define CFS_MIN_US 1000
#define CFS_MAX_US 1000000

struct hint {
    char text[160];
};

__attribute__((format(printf, 2, 3))) static void say(struct hint *h, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(h->text, sizeof h->text, fmt, ap);
    va_end(ap);
}

/* The file's first word; false when it cannot be read, or is empty. */
static bool word_of(const struct wh_cgroup_dir *dir, const char *file, char *buf, size_t size)
{
    ssize_t n = wh_read_at(dir->fd, file, buf, size - 1);

    if (n <= 0)
        return false;
    buf[strcspn(buf, " \n")] = '\0';
    return *buf;
}

static bool number_of(const struct wh_cgroup_dir *dir, const char *file, uint64_t *ret)
{
    char text[32];

    return word_of(dir, file, text, sizeof text) && wh_parse_u64(text, UINT64_MAX, ret) == 0;
}

static void period(struct hint *h, uint64_t us)
{
    if (us < CFS_MIN_US || us > CFS_MAX_US)
        say(h, "a period is between %d and %d us", CFS_MIN_US, CFS_MAX_US);
}

/* Both of cpu.max, and the two files of v1. */
static void quota(const struct wh_cgroup_dir *dir, struct hint *h, uint64_t us, const char *burst_file)
{
    uint64_t burst, above;

    if (us < CFS_MIN_US)
        say(h, "a quota is %d us or more, and -1 is no limit", CFS_MIN_US);
    else if (number_of(dir, burst_file, &burst) && burst > us)
        say(h, "the burst, %llu us, is more than that", (unsigned long long)burst);
    else if (number_of(dir, "../cpu.cfs_quota_us", &above))
        say(h, "the cgroup above it has %llu us, in a period of its own, and none below can have a larger part",
            (unsigned long long)above);
}

static void cpu(const struct wh_cgroup_dir *dir, const struct wh_cg_write *w, struct hint *h)
{
    const char *second = strchr(w->value, ' ');
    uint64_t v = 0, p = 0;
    bool number = wh_parse_u64_front(w->value, UINT64_MAX, &v) == 0;

    if (wh_streq(w->file, "cpu.cfs_period_us") && number) {
        period(h, v);
    } else if (wh_streq(w->file, "cpu.cfs_quota_us") && number) {
        quota(dir, h, v, "cpu.cfs_burst_us");
    } else if (wh_streq(w->file, "cpu.max")) {
        if (second && wh_parse_u64(second + 1, UINT64_MAX, &p) == 0)
            period(h, p);
        if (!*h->text && number)
            quota(dir, h, v, "cpu.max.burst");
    } else if (wh_streq(w->file, "cpu.cfs_burst_us") || wh_streq(w->file, "cpu.max.burst")) {
        say(h, "a burst is not more than the quota");
    }
}

/* What the cgroup above has is the most that this one can have; the root has what the host has. */
static void cpuset(const struct wh_cgroup_dir *dir, const struct wh_cg_write *w, struct hint *h)
{
    bool mems = wh_streq(w->file, "cpuset.mems");
    char list[96];

    if (!mems && !wh_streq(w->file, "cpuset.cpus"))
        return;
    if (word_of(dir, mems ? "../cpuset.effective_mems" : "../cpuset.effective_cpus", list, sizeof list) ||
        word_of(dir, mems ? "../cpuset.mems.effective" : "../cpuset.cpus.effective", list, sizeof list))
        say(h, "the cgroup above it has the %s %s", mems ? "memory nodes" : "CPUs", list);
}

static void memory(const struct wh_cgroup_dir *dir, const struct wh_cg_write *w, int r, struct hint *h)
{
    uint64_t v;

    if (wh_streq(w->file, "memory.limit_in_bytes") && r == -EBUSY && number_of(dir, "memory.usage_in_bytes", &v))
        say(h, "current usage is %llu, of which not enough can be reclaimed", (unsigned long long)v);
}

/* The kernel divides realtime among cgroups from the root down, and gives a new one none (sched-rt-group.rst): what
 * is above has to have it. How much of the machine that is, is not the container's to say. */
static void realtime(const struct wh_cgroup_dir *dir, const struct wh_cg_write *w, struct hint *h)
{
    uint64_t above = 0;

    if (!wh_streq(w->file, "cpu.rt_runtime_us"))
        return;
    (void)number_of(dir, "../cpu.rt_runtime_us", &above);
    say(h,
        "the cgroup above it has %llu us for all below it: write more to its cpu.rt_runtime_us, or leave "
        "realtimeRuntime "
        "out",
        (unsigned long long)above);
}

int wh_cg_refused(const struct wh_cgroup_dir *dir, const struct wh_cg_write *w, int r, struct wh_err *err)
{
    char words[WH_ERRTEXT_SIZE];
    struct hint h = { "" };

    if (r == -EINVAL) {
        cpu(dir, w, &h);
        realtime(dir, w, &h);
    }
    if (r == -EINVAL || r == -ERANGE || r == -EACCES)
        cpuset(dir, w, &h);
    memory(dir, w, r, &h);
    return wh_err_set(err, WH_ERR_HOST, r, NULL, "write \"%s\" to %s of cgroup %s%s: %s%s%s%s", w->value, w->file,
                      dir->mount, dir->path, wh_errno_words(-r, words), *h.text ? " (" : "", h.text,
                      *h.text ? ")" : "");
}
