/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kinds of hosts, and what mutated texts are compiled on them for: see mutate-config.c. */
#ifndef WH_TEST_MUTATE_HOSTS_H
#define WH_TEST_MUTATE_HOSTS_H

#include "plan/plan.h"

#include "mutate.h"

/* ---------------------------------------------------------------- hosts */

#define FEATS                                                                                                          \
    (WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP | WH_FEAT_SECCOMP_NOTIFY | WH_FEAT_CGROUP_BPF | WH_FEAT_CGROUP_WRITABLE)
#define ALL_CAPS ((UINT64_C(1) << 41) - 1)
#define COMMON .last_cap = 40, .own_caps = ALL_CAPS, .seccomp_api = 6, .may_mknod = true
#define UNIFIED                                                                                                        \
    .cgroup_mode = WH_CGROUP_UNIFIED, .cgroup2_mount = "/sys/fs/cgroup", .cgroup2_own = "/user.slice/session",         \
    .cgroup2_controllers = "cpuset cpu io memory hugetlb pids rdma misc"

static const struct wh_v1_hierarchy v1[] = {
    { "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct", "/" },
    { "/sys/fs/cgroup/cpuset", "cpuset", "/" },
    { "/sys/fs/cgroup/memory", "memory", "/session" },
    { "/sys/fs/cgroup/blkio", "blkio", NULL },
    { "/sys/fs/cgroup/pids", "pids", "/../elsewhere" },
    { "/sys/fs/cgroup/devices", "devices", "/" },
    { "/sys/fs/cgroup/hugetlb", "hugetlb", "/" },
    { "/sys/fs/cgroup/rdma", "rdma", "/" },
    { "/sys/fs/cgroup/net_cls,net_prio", "net_cls,net_prio", "/" },
    { "/sys/fs/cgroup/systemd", "name=systemd", "/" },
};

/* Any instructions will do: compile does not look into a filter. */
static const uint64_t filter[4];
#define REQUEST .id = "box", .bundle = "/bundle", .seccomp_bpf = filter, .seccomp_bpf_len = sizeof filter

static const struct host {
    const char *name;
    struct wh_facts facts;
    struct wh_request req;
} hosts[] = {
    { "the unified hierarchy", { .feat = FEATS, COMMON, UNIFIED }, { REQUEST, .console_socket = true } },
    { "systemd and security modules",
      { .feat = FEATS | WH_FEAT_APPARMOR | WH_FEAT_SELINUX, COMMON, UNIFIED, .systemd_root = "/" },
      { REQUEST, .cgroup_manager = WH_CGM_SYSTEMD, .console_socket = true, .init = true } },
    { "hybrid hierarchies",
      { .feat = FEATS | WH_FEAT_APPARMOR | WH_FEAT_SELINUX,
        COMMON,
        .cgroup_mode = WH_CGROUP_HYBRID,
        .cgroup2_mount = "/sys/fs/cgroup/unified",
        .cgroup2_own = "/",
        .cgroup2_controllers = "",
        .v1 = v1,
        .nv1 = WH_ELEMENTSOF(v1) },
      { REQUEST, .console_socket = true, .listen_fds = 1, .listen_fdnames = "a", .notify_dir = "/run/n" } },
    { "cgroups disabled",
      { .feat = FEATS, COMMON, UNIFIED },
      { REQUEST, .cgroup_manager = WH_CGM_DISABLED, .console_socket = true } },
    { "no cgroup hierarchy", { .feat = FEATS, COMMON, .cgroup_mode = WH_CGROUP_NONE }, { REQUEST } },
    { "an ordinary user",
      { .feat = WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP,
        .euid = 1000,
        .egid = 1000,
        .last_cap = 40,
        .seccomp_api = 6,
        UNIFIED },
      { REQUEST, .console_socket = true } },
    { "an ordinary user with a systemd session",
      { .feat = FEATS,
        .euid = 1000,
        .egid = 1000,
        .last_cap = 40,
        .seccomp_api = 6,
        UNIFIED,
        .systemd_root = "/user.slice/user-1000.slice/user@1000.service",
        .systemd_user = true,
        .cgroup2_delegated = "/user.slice/user-1000.slice/user@1000.service/a" },
      { REQUEST } },
    { "root of a user namespace",
      { .feat = FEATS & ~WH_FEAT_CGROUP_BPF,
        .last_cap = 40,
        .own_caps = ALL_CAPS,
        .seccomp_api = 6,
        .in_userns = true,
        .mnt_foreign = true,
        UNIFIED },
      { REQUEST, .no_pivot = true } },
    { "an old kernel",
      { .last_cap = 37, .own_caps = UINT64_C(0x2401c0), UNIFIED },
      { REQUEST, .verb = WH_VERB_EXPLAIN } },
};

struct run {
    struct mutator *m;
    bool deep; /* every host and every kind of namespaces; else the first hosts */
    const struct wh_spec *container; /* exec: what the process is added to */
    struct complaints places, internal;
    unsigned refused, compiled;
    struct wh_errlist errs; /* empty between two uses: it is large */
};

static struct run *new_run(void)
{
    struct run *run = calloc(1, sizeof *run);

    if (!run)
        abort();
    return run;
}

static void look_at(struct run *run)
{
    for (unsigned i = 0; i < run->errs.n; i++) {
        struct wh_err *e = &run->errs.e[i];
        const char *digit = strchr(e->path, ':');

        run->refused++;
        if (strstr(e->msg, "internal error"))
            complain(&run->internal, run->m, e->msg);
        /* Line and column where there is more than one line; a JSON pointer but for the document itself, whose pointer is empty. */
        if (!digit || ((digit[1] < '1' || digit[1] > '9') && strncmp(digit, ": /", 3) != 0))
            complain(&run->places, run->m, e->msg);
        *e = (struct wh_err){ 0 };
    }
    /* Warnings have places, too. */
    for (unsigned i = 0; i < run->errs.nwarn; i++) {
        if (!strchr(run->errs.w[i].path, ':'))
            complain(&run->places, run->m, run->errs.w[i].msg);
        run->errs.w[i] = (struct wh_err){ 0 };
    }
    run->errs.n = run->errs.dropped = run->errs.nwarn = run->errs.warn_dropped = 0;
}

static void compile_on(struct run *run, const struct wh_spec *s, const struct host *h, const struct wh_request *req,
                       bool explain)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    const struct wh_plan *plan = NULL;

    mutating_what = h->name;
    if (wh_compile(s, req, &h->facts, arena, &plan, &run->errs) == 0) {
        run->compiled++;
        if (explain)
            wh_explain(plan, s, 0, &text);
    }
    look_at(run);
}

#endif
