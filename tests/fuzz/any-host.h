/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_FUZZ_ANY_HOST_H
#define WH_FUZZ_ANY_HOST_H

/* The host and the request of a compilation, from ANY_HOST_BYTES of the input: any facts that a probe can find, and any words of a caller. */

#include <errno.h>
#include <sched.h>

#include "plan/plan.h"

#define ANY_HOST_BYTES 14

struct any_host {
    struct wh_facts facts;
    struct wh_request req;
    struct wh_v1_hierarchy v1[3];
    struct wh_exec_request exec;
    struct wh_exec_hook hook;
};

static const char *pick(uint64_t r, const char *const *v, size_t n)
{
    return v[r % n];
}
#define PICK(r, ...)                                                                                                   \
    pick((r), (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void any_facts(struct any_host *h, struct fuzz_bytes *b)
{
    uint64_t a = fuzz_take(b, 1), c = fuzz_take(b, 1), d = fuzz_take(b, 1);
    struct wh_facts *f = &h->facts;

    h->v1[0] = (struct wh_v1_hierarchy){ "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct", "/" };
    h->v1[1] = (struct wh_v1_hierarchy){ "/sys/fs/cgroup/memory", "memory", "/u" };
    h->v1[2] = (struct wh_v1_hierarchy){ "/sys/fs/cgroup/systemd", "name=systemd", "/" };
    *f = (struct wh_facts){ .feat = fuzz_take(b, 1) & 0xff,
                            .euid = a & 1 ? 1000 : 0,
                            .egid = a & 1 ? 1000 : 0,
                            .last_cap = (uint8_t)(a & 2 ? 40 : 37),
                            .own_caps = a & 4 ? 0 : UINT64_C(0x1ffffffffff),
                            .seccomp_api = (uint8_t)(d % 8),
                            .in_userns = a & 8,
                            .may_mknod = a & 16,
                            .mnt_foreign = a & 32,
                            .systemd_user = a & 64 };
    f->cgroup_mode = (uint8_t)(c % 3);
    if (f->cgroup_mode != WH_CGROUP_NONE) {
        f->cgroup2_mount = f->cgroup_mode == WH_CGROUP_UNIFIED ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
        f->cgroup2_own = PICK(c >> 2, "/", "/user.slice/a b");
        f->cgroup2_controllers = PICK(c >> 3, "cpuset cpu io memory hugetlb pids rdma misc", "", "pids", "memory pids");
        f->cgroup2_delegated = PICK(c >> 5, NULL, "/user.slice/d");
        f->systemd_root = PICK(c >> 6, NULL, "/", "/user.slice/u", NULL);
    }
    if (f->cgroup_mode == WH_CGROUP_HYBRID) {
        f->v1 = h->v1;
        f->nv1 = 1 + d % 3;
    }
}

static void any_request(struct any_host *h, struct fuzz_bytes *b)
{
    static const char *const words[] = { "sh", "-c", "true" }, *const env[] = { "A=b", "PATH=/x" };
    static const uint32_t gids[] = { 5, UINT32_MAX };
    /* A filter that allows everything. */
    static const uint8_t bpf[8] = { 6, 0, 0, 0, 0, 0, 0xff, 0x7f };
    uint64_t a = fuzz_take(b, 1), c = fuzz_take(b, 1), d = fuzz_take(b, 1), e = fuzz_take(b, 1);
    struct wh_request *r = &h->req;

    *r = (struct wh_request){ .verb = (enum wh_verb)(a % 4),
                              .id = "box",
                              .bundle = PICK(a >> 2, "/b", "/b/../c d"),
                              .preserve_fds = (uint32_t)(a >> 3) % 8,
                              .console_socket = a & 64,
                              .no_pivot = a & 128,
                              .no_new_keyring = c & 1,
                              .init = c & 2,
                              .cgroup_manager = (enum wh_cgroup_manager)(c / 4 % 3),
                              .rootless = (enum wh_rootless)(c / 16 % 3),
                              .in_host_netns = c & 64,
                              .in_host_mntns = c & 128,
                              .notify_dir = c & 128 ? "/run/wherry/box/notify" : NULL,
                              .seccomp_receiver = PICK(d, NULL, "/run/agent", "agent") };
    r->listen_fds = r->preserve_fds / 2;
    r->listen_fdnames = PICK(d >> 2, NULL, "a:b");
    for (int i = 0; i < WH_NS_MAX; i++)
        r->ns_owner[i] = (int8_t)(fuzz_take(b, i % 3 == 0) + (uint64_t)i) % 3;
    /* As the host does it: there is a program where the configuration has a filter. */
    r->seccomp_bpf = bpf;
    r->seccomp_bpf_len = sizeof bpf;
    h->exec = (struct wh_exec_request){ .args = words,
                                        .env = env,
                                        .nargs = e % 4,
                                        .nenv = e / 4 % 3,
                                        .cwd = PICK(e >> 4, NULL, "/x", "x"),
                                        .apparmor_profile = PICK(e >> 5, NULL, "p"),
                                        .selinux_label = PICK(e >> 6, NULL, "a:b:c"),
                                        .terminal = d & 16,
                                        .no_new_privileges = d & 32,
                                        .set_uid = d & 64,
                                        .set_gid = d & 64,
                                        .uid = 7,
                                        .gid = UINT32_MAX,
                                        .gids = gids,
                                        .ngids = d / 128 * 2,
                                        .caps = c & 1 ? UINT64_C(1) << 21 : 0,
                                        .rows = 25,
                                        .cols = 80,
                                        .by_fd = a & 128 };
    h->exec.join = (uint32_t)(e & 1 ? CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET : CLONE_NEWNS) |
                   (uint32_t)(e & 2 ? CLONE_NEWUSER | CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWUTS : 0);
    h->exec.join_host = h->exec.by_fd && (c & 8) ? h->exec.join & ~(uint32_t)CLONE_NEWUSER : 0;
    h->hook = (struct wh_exec_hook){ "/h", words, env, 2, 1, c & 4, c & 2 };
    if (r->verb == WH_VERB_EXEC && (c & 32))
        h->exec.hook = &h->hook;
    if (r->verb == WH_VERB_EXEC)
        r->exec = &h->exec;
}

/* What has been compiled, or why not. */
static void any_check(int r, const struct wh_plan *plan, const struct wh_spec *spec, const struct wh_errlist *errs)
{
    struct wh_buf text = { 0 };
    uint32_t step = 0;

    if (r < 0) {
        must(errs->n > 0 && errs->n <= WH_ERRLIST_MAX);
        for (unsigned int i = 0; i < errs->n; i++)
            must(errs->e[i].code < 0 && errs->e[i].msg[0] && !strchr(errs->e[i].msg, '\n') &&
                 strncmp(errs->e[i].msg, "internal error", 14) != 0);
        return;
    }
    must(plan && wh_plan_verify(plan, plan->size, &step) == 0);
    wh_explain(plan, spec, 0, &text);
    must(!text.failed && text.len > 0 && text.data[text.len - 1] == '\n');
    /* Each step can fail, and then there is a sentence. */
    for (uint32_t i = 0; i < plan->nsteps; i += 1 + plan->nsteps / 5) {
        struct wh_failure f = {
            .step = i, .site = i % WH_SITE_MAX, .err = (int)(i % 40), .detail = i % 2 ? "x" : NULL
        };
        struct wh_err err = { 0 };

        wh_render_failure(plan, spec, &f, &err);
        must(err.code < 0 && err.msg[0] && !strchr(err.msg, '\n'));
    }
    wh_buf_done(&text);
}

/* Pure: the same again is the same plan. */
__attribute__((unused)) static void any_compile(const struct wh_spec *spec, const struct any_host *h)
{
    struct wh_arena *arena = wh_arena_new();
    struct wh_errlist errs = { 0 };
    const struct wh_plan *plan = NULL;
    int r = wh_compile(spec, &h->req, &h->facts, arena, &plan, &errs);

    any_check(r, plan, spec, &errs);
    wh_arena_free(arena);
}

#endif
