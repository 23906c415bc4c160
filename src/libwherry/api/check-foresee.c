/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings about what the kernel of this host would refuse, step by step of the plan. What it is asked:
 * host/foresee.c. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "api/check.h"
#include "base/fd.h"
#include "host/foresee.h"
#include "host/mountfd.h"

struct look {
    struct wh_findings *f;
    const struct wh_plan *plan;
    const struct wh_facts *facts;
    int proc_fd, cancel_fd;
    /* A limit is refused together with others of the same group. */
    wh_node quota_src, burst_src, rt_src;
    uint64_t quota, burst, rt_runtime, rt_period; /* 0: none */
};

/* ---------------------------------------------------------------- mounts */

static void mount_fs(const struct look *l, const struct wh_step_mount_fs *s)
{
    const char *type = wh_plan_str(l->plan, s->fstype), *key = NULL;
    char log[256] = "";

    if (!(s->s.soft & WH_SOFT_NOSYS) && wh_foresee_fstype(l->proc_fd, type) == 0) {
        wh_check_add(l->f, WH_CHECK_FS_UNKNOWN, s->s.src, "this kernel does not know the file system %s", type);
        return;
    }
    if (wh_foresee_fsoptions(l->proc_fd, l->plan, s, l->cancel_fd, &key, log, sizeof log) == 0)
        wh_check_add(l->f, WH_CHECK_FS_OPTION, s->s.src, "%s refuses the option %s%s%s", type, key, *log ? ": " : "",
                     log);
}

static void idmap(const struct look *l, struct wh_mountfd *m, const struct wh_step_ask_mount *s)
{
    struct wh_ask ask = { .step = &s->s, .pidfd = -1, .cancel_fd = l->cancel_fd };
    struct wh_err err = { 0 };
    int fd;

    if (!s->uid_map || !s->gid_map || s->userns)
        return;
    fd = wh_mountfd_open(m, l->plan, &ask, &err);
    if (fd >= 0)
        wh_close(fd);
    else if (m->cannot_idmap)
        wh_check_add(l->f, WH_CHECK_IDMAP_UNSUPPORTED, s->s.src, "%s", err.msg);
}

/* ---------------------------------------------------------------- sysctls, devices, limits */

/* net/ipv4/conf/eth0/…: the device comes with the network, which engines make later. */
static bool of_a_device(const char *path)
{
    static const char *const dirs[] = { "/conf/", "/neigh/" }, *const always[] = { "all/", "default/", "lo/" };

    for (size_t i = 0; wh_startswith(path, "net/") && i < WH_ELEMENTSOF(dirs); i++) {
        const char *device = strstr(path, dirs[i]);

        if (!device)
            continue;
        device += strlen(dirs[i]);
        for (size_t k = 0; k < WH_ELEMENTSOF(always); k++)
            if (wh_startswith(device, always[k]))
                return false;
        return true;
    }
    return false;
}

static void sysctls(const struct look *l, const struct wh_step_sysctl *const *steps, size_t n, bool new_netns)
{
    const char *paths[WH_FORESEE_SYSCTLS];
    uint64_t missing = 0;

    for (size_t i = 0; i < n; i++)
        paths[i] = wh_plan_str(l->plan, steps[i]->path);
    if (n == 0 || wh_foresee_sysctls(l->proc_fd, paths, n, new_netns, l->cancel_fd, &missing) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (missing & 1ull << i)
            wh_check_add(l->f, WH_CHECK_SYSCTL_MISSING, steps[i]->s.src, "there is no /proc/sys/%s%s", paths[i],
                         new_netns && wh_startswith(paths[i], "net/") ? " in a new network namespace" : "");
}

static void rlimit(const struct look *l, const struct wh_step_rlimit *s)
{
    bool raises = l->facts->own_caps & 1ull << CAP_SYS_RESOURCE && !l->facts->in_userns;
    const char *name = wh_rlimit_name((int)s->resource);
    uint64_t own, most;

    if (s->resource == RLIMIT_NOFILE && wh_foresee_nr_open(l->proc_fd, &most) == 0 && s->hard > most)
        wh_check_add(l->f, WH_CHECK_VALUE_RANGE, s->s.src, "%s %llu is more than fs.nr_open, %llu", name,
                     (unsigned long long)s->hard, (unsigned long long)most);
    /* Who is not root looks at what root will run. */
    else if (l->facts->euid == 0 && !raises && wh_foresee_rlimit((int)s->resource, &own) == 0 && s->hard > own)
        wh_check_add(l->f, WH_CHECK_RLIMIT_ABOVE, s->s.src, "%s %llu is more than the caller's hard limit, %llu", name,
                     (unsigned long long)s->hard, (unsigned long long)own);
}

static void netdev(const struct look *l, const struct wh_step_ask_netdev *s)
{
    const char *name = wh_plan_str(l->plan, s->device);

    if (wh_foresee_netdev(name) == 0)
        wh_check_add(l->f, WH_CHECK_NETDEV_MISSING, s->s.src, "there is no network device %s", name);
}

/* ---------------------------------------------------------------- cgroups */

/* One number or range of a list such as "0-3,7"; *p moves behind it. False at the end, or where it is of another
 * form. */
static bool next_range(const char **p, uint64_t *ret_from, uint64_t *ret_to)
{
    if (wh_parse_u64_front(*p, 1u << 20, ret_from) < 0)
        return false;
    *p += strspn(*p, "0123456789");
    *ret_to = *ret_from;
    if (**p == '-') {
        if (wh_parse_u64_front(++*p, 1u << 20, ret_to) < 0)
            return false;
        *p += strspn(*p, "0123456789");
    }
    *p += **p == ',';
    return true;
}

static bool has(const char *list, uint64_t number)
{
    uint64_t from, to;

    while (next_range(&list, &from, &to))
        if (number >= from && number <= to)
            return true;
    return false;
}

static void cpuset(const struct look *l, const struct wh_step_cg_write *s, bool cpus, const char *value)
{
    const char *file = wh_plan_str(l->plan, s->file);
    char host[512];
    uint64_t from, to;

    if ((cpus ? wh_foresee_cpus(host, sizeof host) : wh_foresee_mems(host, sizeof host)) < 0)
        return;
    for (const char *p = value; next_range(&p, &from, &to);)
        for (uint64_t n = from; n <= to; n++)
            if (!has(host, n)) {
                wh_check_add(l->f, WH_CHECK_CPUSET_BEYOND, s->s.src, "%s %s: this host has %s %s", file, value,
                             cpus ? "the processors" : "the memory nodes", host);
                return;
            }
}

/* Files whose value is one number, and the kernel's range for it (0: no limit of that side). */
static const struct {
    const char *file;
    uint64_t least, most;
} ranges[] = {
    { "cpu.cfs_quota_us", 1000, 0 }, { "cpu.cfs_period_us", 1000, 1000000 }, { "cpu.weight", 1, 10000 },
    { "cpu.rt_period_us", 1, 0 },    { "blkio.bfq.weight", 1, 1000 },        { "blkio.weight", 10, 1000 },
    { "memory.swappiness", 0, 200 },
};

static void range(const struct look *l, wh_node src, const char *what, const char *value, uint64_t least, uint64_t most)
{
    uint64_t n;

    if (wh_parse_u64(value, UINT64_MAX, &n) < 0 || (n >= least && (most == 0 || n <= most)))
        return;
    if (most)
        wh_check_add(l->f, WH_CHECK_VALUE_RANGE, src, "%s %s: the kernel takes %llu to %llu", what, value,
                     (unsigned long long)least, (unsigned long long)most);
    else
        wh_check_add(l->f, WH_CHECK_VALUE_RANGE, src, "%s %s: the kernel takes %llu or more", what, value,
                     (unsigned long long)least);
}

/* "QUOTA PERIOD" or "max PERIOD", or the first alone. */
static void cpu_max(struct look *l, const struct wh_step_cg_write *s, const char *value)
{
    const char *period = strchr(value, ' ');
    char quota[32] = "";
    size_t n = period ? (size_t)(period - value) : strlen(value);

    if (n < sizeof quota)
        memcpy(quota, value, n);
    range(l, s->s.src, "cpu.max quota", quota, 1000, 0);
    if (period)
        range(l, s->s.src, "cpu.max period", period + 1, 1000, 1000000);
    if (wh_parse_u64(quota, UINT64_MAX, &l->quota) == 0)
        l->quota_src = s->s.src;
}

static void keep(const char *value, wh_node src, uint64_t *ret, wh_node *ret_src)
{
    if (wh_parse_u64(value, UINT64_MAX, ret) < 0)
        *ret = 0; /* "-1": no limit */
    else if (ret_src)
        *ret_src = src;
}

static void cg_write(struct look *l, const struct wh_step_cg_write *s)
{
    const char *file = wh_plan_str(l->plan, s->file), *value = wh_plan_str(l->plan, s->value);

    if (wh_streq(file, "cpuset.cpus") || wh_streq(file, "cpuset.mems"))
        cpuset(l, s, wh_streq(file, "cpuset.cpus"), value);
    else if (wh_streq(file, "cpu.max"))
        cpu_max(l, s, value);
    else if (wh_streq(file, "cpu.cfs_quota_us"))
        keep(value, s->s.src, &l->quota, &l->quota_src);
    else if (wh_streq(file, "cpu.cfs_burst_us") || wh_streq(file, "cpu.max.burst"))
        keep(value, s->s.src, &l->burst, &l->burst_src);
    else if (wh_streq(file, "cpu.rt_runtime_us"))
        keep(value, s->s.src, &l->rt_runtime, &l->rt_src);
    else if (wh_streq(file, "cpu.rt_period_us"))
        keep(value, s->s.src, &l->rt_period, NULL);
    for (size_t i = 0; i < WH_ELEMENTSOF(ranges); i++)
        if (wh_streq(file, ranges[i].file))
            range(l, s->s.src, file, value, ranges[i].least, ranges[i].most);
}

/* What is only wrong together. */
static void groups(const struct look *l)
{
    if (l->quota && l->burst > l->quota)
        wh_check_add(l->f, WH_CHECK_VALUE_RANGE, l->burst_src, "cpu burst %llu is more than the quota, %llu",
                     (unsigned long long)l->burst, (unsigned long long)l->quota);
    /* A new group has a period of a second. */
    uint64_t period = l->rt_period ? l->rt_period : 1000000;
    if (l->rt_runtime > period)
        wh_check_add(l->f, WH_CHECK_VALUE_RANGE, l->rt_src, "realtime runtime %llu is more than its period, %llu",
                     (unsigned long long)l->rt_runtime, (unsigned long long)period);
}

/* ---------------------------------------------------------------- */

void wh_check_foresee(struct wh_findings *f, const struct wh_spec *spec, const struct wh_plan *plan,
                      const struct wh_facts *facts, int proc_fd, int cancel_fd)
{
    struct look l = { .f = f, .plan = plan, .facts = facts, .proc_fd = proc_fd, .cancel_fd = cancel_fd };
    const struct wh_step_sysctl *sysctl_steps[WH_FORESEE_SYSCTLS];
    const struct wh_namespace *net = &spec->linux_.ns[WH_NS_NETWORK];
    bool new_netns = net->set && (!net->path.v || !*net->path.v);
    const struct wh_step *step = wh_plan_first(plan);
    struct wh_mountfd m;
    size_t nsysctls = 0;

    wh_mountfd_init(&m);
    m.proc_fd = proc_fd;
    for (uint32_t i = 0; i < plan->nsteps; i++, step = wh_step_next(step)) {
        const void *p = step;

        if (step->op == WH_OP_MOUNT_FS)
            mount_fs(&l, p);
        else if (step->op == WH_OP_ASK_MOUNT)
            idmap(&l, &m, p);
        else if (step->op == WH_OP_RLIMIT)
            rlimit(&l, p);
        else if (step->op == WH_OP_ASK_NETDEV)
            netdev(&l, p);
        else if (step->op == WH_OP_SYSCTL && nsysctls < WH_FORESEE_SYSCTLS &&
                 !of_a_device(wh_plan_str(plan, ((const struct wh_step_sysctl *)p)->path)))
            sysctl_steps[nsysctls++] = p;
    }
    wh_mountfd_done(&m);
    sysctls(&l, sysctl_steps, nsysctls, new_netns);
    step = wh_plan_first_host(plan);
    for (uint32_t i = 0; i < plan->nhost; i++, step = wh_step_next(step))
        if (step->op == WH_OP_CG_WRITE)
            cg_write(&l, (const void *)step);
    groups(&l);
}
