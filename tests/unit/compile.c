/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What golden plans cannot show: size and speed, and refusals that spec makes first as long as it is asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plan/compile.h"

#include "compile-spoil.h"
#include "tap.h"

static const struct wh_facts facts = {
    .feat = WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP | WH_FEAT_CGROUP_BPF | WH_FEAT_CGROUP_WRITABLE,
    .last_cap = 40,
    .own_caps = (UINT64_C(1) << 41) - 1,
    .cgroup_mode = WH_CGROUP_UNIFIED,
    .may_mknod = true,
    .cgroup2_mount = "/sys/fs/cgroup",
    .cgroup2_own = "/",
    .cgroup2_controllers = "pids",
};
static const struct wh_request request = { .verb = WH_VERB_CREATE, .id = "box", .bundle = "/bundle" };

/* Needs every part, so that each can be spoiled. */
static const char config[] =
    "{\"ociVersion\":\"1.2.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],\"env\":[\"PATH=/bin\",\"A=b\"],"
    "\"user\":{\"uid\":0,\"gid\":0}},\"root\":{\"path\":\"rootfs\"},\"hooks\":{\"poststop\":[{\"path\":\"/"
    "h\",\"timeout\":3}]},"
    "\"linux\":{\"sysctl\":{\"net.core.somaxconn\":\"9\"},\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"}]}"
    "}";

static struct wh_spec *parse(const char *json, size_t len)
{
    struct wh_errlist errs = { 0 };
    struct wh_spec *spec = NULL;

    if (wh_spec_parse(json, len, "config.json", 0, &spec, &errs) < 0) {
        printf("Bail out! %s: %s\n", errs.e[0].path, errs.e[0].msg);
        exit(1);
    }
    return spec;
}

/* A spec is immutable; these are the test's own, to play a validator that let something through. */
static void no_equals(struct wh_spec *s)
{
    s->process->env.v[1].v = "A";
}
static void no_name(struct wh_spec *s)
{
    s->process->env.v[1].v = "=b";
}
static void climbing(struct wh_spec *s)
{
    s->linux_.sysctl.v[0].key = "net/../kernel/panic";
}
static void dotted_climbing(struct wh_spec *s)
{
    s->linux_.sysctl.v[0].key = "net.//.kernel";
}
static void empty_part(struct wh_spec *s)
{
    s->linux_.sysctl.v[0].key = "net..core";
}
static void absolute(struct wh_spec *s)
{
    s->linux_.sysctl.v[0].key = "/net/core";
}
static void prefix_only(struct wh_spec *s)
{
    s->linux_.sysctl.v[0].key = "net.";
}
static void hostname(struct wh_spec *s)
{
    s->linux_.sysctl.v[0].key = "kernel/hostname";
}
static void hostwide(struct wh_spec *s)
{
    s->linux_.sysctl.v[0].key = "vm.swappiness";
}
static void relative_hook(struct wh_spec *s)
{
    s->hooks.poststop.v[0].path.v = "h";
}
static void long_timeout(struct wh_spec *s)
{
    s->hooks.poststop.v[0].timeout.v = INT64_C(1) << 32;
}
static void no_timeout(struct wh_spec *s)
{
    s->hooks.poststop.v[0].timeout.v = 0;
}
static void relative_cwd(struct wh_spec *s)
{
    s->process->cwd.v = "tmp";
}
static void no_cwd(struct wh_spec *s)
{
    s->process->cwd.v = NULL;
}
static void no_root(struct wh_spec *s)
{
    s->root.set = false;
}
static void no_process(struct wh_spec *s)
{
    s->process = NULL;
}
static void maps_alone(struct wh_spec *s)
{
    static struct wh_idmap map = { 0, 0, 1, 0 };

    s->linux_.uid_mappings = (struct wh_idmaps){ .v = &map, .n = 1, .set = true };
}
static void new_user(struct wh_spec *s)
{
    s->linux_.ns[WH_NS_USER].set = true;
}
static void unmapped(struct wh_spec *s)
{
    maps_alone(s);
    new_user(s);
    s->linux_.gid_mappings = s->linux_.uid_mappings;
    s->process->user.uid.v = 1;
}
static void offsets(struct wh_spec *s)
{
    s->linux_.time_offsets.boottime.set = true;
}

static void refusals(void)
{
    static const struct spoilt t[] = {
        { no_equals, "invalid environment variable: missing '='" },
        { no_name, "invalid environment variable: missing '='" },
        { climbing, "sysctl \"net/../kernel/panic\" is not a valid name" },
        { dotted_climbing, "sysctl \"net.//.kernel\" is not a valid name" },
        { empty_part, "sysctl \"net..core\" is not a valid name" },
        { absolute, "sysctl \"/net/core\" is not a valid name" },
        { prefix_only, "sysctl \"net.\" is not a valid name" },
        { hostname, "sysctl \"kernel/hostname\" is not allowed: use the hostname property" },
        { hostwide, "sysctl \"vm.swappiness\" is not in a separate kernel namespace: it would change the whole host" },
        { relative_hook, "the path of a hook must be absolute" },
        { long_timeout, "the timeout of a hook must be from 1 to 4294967295 seconds" },
        { no_timeout, "the timeout of a hook must be from 1 to 4294967295 seconds" },
        { relative_cwd, "Cwd must be an absolute path" },
        { no_cwd, "Cwd must be an absolute path" },
        { no_root, "root property must not be empty" },
        { no_process, "process property must not be empty" },
        { maps_alone, "user namespace mappings specified, but user namespace isn't enabled in the config" },
        { new_user, "a new user namespace requires at least one UID mapping" },
        { unmapped, "cannot setuid to unmapped uid 1 in user namespace" },
        { offsets, "time namespace offsets specified, but time namespace isn't enabled in the config" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        WH_CLEANUP_SPEC struct wh_spec *spec = parse(config, sizeof config - 1);
        const struct wh_plan *plan = NULL;
        struct wh_errlist errs = { 0 };
        int r;

        r = wh_compile(spec, &request, &facts, arena, &plan, &errs);
        if (r < 0)
            diag("%s", errs.e[0].msg);
        if (i == 0)
            is_int(r, 0, "the configuration is good");
        spoilt_is_refused(&t[i], spec, &request, &facts);
    }
}

static void many_errors(void)
{
    static const char *const bad = "\"vm.a%u\":\"1\"%s";
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_BUF struct wh_buf json = { 0 };
    WH_CLEANUP_SPEC struct wh_spec *spec = NULL;
    const struct wh_plan *plan = NULL;
    struct wh_errlist errs = { 0 };

    wh_buf_puts(
        &json, "{\"ociVersion\":\"1.2.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"/x\"],\"user\":{\"uid\":0,\"gid\":0}},"
               "\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"sysctl\":{");
    for (unsigned i = 0; i < 30; i++)
        wh_buf_printf(&json, bad, i, i < 29 ? "," : "");
    wh_buf_puts(&json, "}}}");
    spec = parse(json.data, json.len);
    is_int(wh_compile(spec, &request, &facts, arena, &plan, &errs), -EINVAL, "30 errors");
    is_int(errs.n, WH_ERRLIST_MAX, "20 of them are kept");
    is_int(errs.dropped, 10, "the others are counted");
}

/* Of a plan that joins a user namespace: is A out of its root's reach when it enters? */
static bool undumpable_first(uint32_t euid, bool new_time)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_SPEC struct wh_spec *spec = parse(config, sizeof config - 1);
    struct wh_namespace *ns = spec->linux_.ns;
    const struct wh_plan *plan = NULL;
    struct wh_errlist errs = { 0 };
    struct wh_facts f = facts;
    bool undumpable = false;

    f.euid = euid;
    ns[WH_NS_USER].set = true;
    ns[WH_NS_USER].path.v = "/proc/1/ns/user";
    ns[WH_NS_TIME].set = new_time;
    is_int(wh_compile(spec, &request, &f, arena, &plan, &errs), 0, "a user namespace is joined");
    for (uint32_t i = 0; plan && i < plan->nsteps; i++) {
        const struct wh_step *s = wh_plan_step(plan, i);

        if (s->op == WH_OP_DUMPABLE)
            undumpable = ((const struct wh_step_dumpable *)s)->value == 0;
        if (s->op == WH_OP_JOIN && ((const struct wh_step_join *)s)->ns == WH_SLOT_NS + WH_NS_USER)
            return undumpable;
    }
    return false;
}

static void joined_user(void)
{
    ok(undumpable_first(0, false), "by a process that its root cannot trace");
    ok(undumpable_first(0, true), "also with a new time namespace");
    ok(undumpable_first(1000, false), "also by an ordinary user");
    ok(!undumpable_first(1000, true), "who could not write the offsets of a new time namespace any more");
}

/* Of an exec whose process has this affinity: the CPUs, as a mask. */
static uint64_t affinity(const char *cpus)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_SPEC struct wh_spec *spec = parse(config, sizeof config - 1), *file = NULL;
    const struct wh_exec_request exec = { 0 };
    const struct wh_request req = { .verb = WH_VERB_EXEC, .id = "box", .bundle = "/bundle", .exec = &exec };
    const struct wh_plan *plan = NULL;
    struct wh_errlist errs = { 0 };
    uint64_t mask = 0;
    char json[200];

    snprintf(json, sizeof json,
             "{\"cwd\":\"/\",\"args\":[\"/x\"],\"user\":{\"uid\":0,\"gid\":0},\"execCPUAffinity\":{\"final\":\"%s\"}}",
             cpus);
    is_int(wh_spec_parse_process(json, strlen(json), "p.json", &file, &errs), 0, "\"%s\" is a list of CPUs", cpus);
    spec->exec = file;
    is_int(wh_compile(spec, &req, &facts, arena, &plan, &errs), 0, "which is compiled");
    for (uint32_t i = 0; plan && i < plan->nsteps; i++) {
        const struct wh_step_affinity *s = (const void *)wh_plan_step(plan, i);

        if (s->s.op == WH_OP_AFFINITY)
            memcpy(&mask, wh_plan_at(plan, s->mask.off), sizeof mask);
    }
    return mask;
}

static void affinities(void)
{
    is_u64(affinity("0-2,5"), 0x27, "four CPUs");
    is_u64(affinity(" 0 - 2 , 5 "), 0x27, "the same with blanks, which the specification's pattern allows");
    is_u64(affinity("3 -3"), 0x8, "one CPU");
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* n mounts, env entries and PATH elements; seconds that compile takes. */
static double compile_many(unsigned n, int *ret_r, const struct wh_plan **ret, struct wh_arena *arena)
{
    WH_CLEANUP_BUF struct wh_buf json = { 0 };
    WH_CLEANUP_SPEC struct wh_spec *spec = NULL;
    struct wh_errlist errs = { 0 };
    double start;

    wh_buf_puts(&json,
                "{\"ociVersion\":\"1.2.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"x\"],\"user\":{\"uid\":0,\"gid\":0},"
                "\"env\":[\"PATH=/bin");
    for (unsigned i = 0; i < n / 4; i++)
        wh_buf_printf(&json, ":/p%u", i);
    wh_buf_puts(&json, "\"");
    for (unsigned i = 0; i < n; i++)
        wh_buf_printf(&json, ",\"V%u=%u\"", i / 2, i);
    wh_buf_puts(&json, "]},\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]},\"mounts\":[");
    for (unsigned i = 0; i < n; i++)
        wh_buf_printf(&json,
                      "%s\n{\"destination\":\"/m%u\",\"source\":\"/s%u\",\"options\":[\"bind\",\"ro\",\"slave\"]}",
                      i ? "," : "", i, i);
    wh_buf_puts(&json, "]}");
    spec = parse(json.data, json.len);
    start = now();
    *ret_r = wh_compile(spec, &request, &facts, arena, ret, &errs);
    if (*ret_r < 0)
        diag("%s", errs.e[0].msg);
    return now() - start;
}

static void large(void)
{
    WH_CLEANUP_ARENA struct wh_arena *a = wh_arena_new(), *b = wh_arena_new(), *c = wh_arena_new();
    const struct wh_plan *plan = NULL;
    const struct wh_step *last;
    struct wh_buf text = { 0 };
    double few, many, start;
    int r;

    few = compile_many(1000, &r, &plan, a);
    is_int(r, 0, "1,000 mounts");
    many = compile_many(10000, &r, &plan, b);
    is_int(r, 0, "10,000 mounts");
    ok(many < 1, "in under a second");
    /* Ten times the work; a hundred times would be quadratic. Small absolute times say nothing. */
    ok(many < few * 40 || many < 0.05, "and no quadratic behaviour");
    diag("%.4f s and %.4f s, %u steps, %u bytes", few, many, plan->nsteps, plan->size);
    last = wh_plan_step(plan, plan->nsteps - 1);
    is_int(((const struct wh_step_exec *)last)->env.n, 5001, "of duplicate variables one is left");
    start = now();
    wh_explain(plan, NULL, 0, &text);
    ok(!text.failed && now() - start < 1, "explained in under a second");
    wh_buf_done(&text);
    compile_many(20000, &r, &plan, c);
    is_int(r, -E2BIG, "more steps than a plan may have");
}

int main(void)
{
    refusals();
    many_errors();
    affinities();
    joined_user();
    large();
    return done_testing();
}
