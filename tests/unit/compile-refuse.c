/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What compile says where nothing else gets it to: of a configuration that the checks of the specification refuse
 * first (its own checks are the second line of defence), of a libseccomp that fails, and when memory runs out after
 * any number of bytes.
 */
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan/compile-resources.h"
#include "plan/compile-systemd.h"
#include "plan/compile.h"

#include "compile-spoil.h"
#include "tap.h"

/* ---- calls that the test lets fail (plan.mk: -Wl,--wrap) ---- */

static unsigned allocations_left = UINT_MAX;
static const char *failing = "";
static bool no_memory(void)
{
    return allocations_left == 0 || (allocations_left < UINT_MAX && allocations_left-- == 0);
}
static bool fails(const char *name)
{
    return strcmp(failing, name) == 0;
}

#define WRAP(type, name, failed, params, args)                                                                         \
    type __real_##name params;                                                                                         \
    type __wrap_##name params;                                                                                         \
    type __wrap_##name params                                                                                          \
    {                                                                                                                  \
        return failed;                                                                                                 \
    }

WRAP(void *, malloc, no_memory() ? NULL : __real_malloc(n), (size_t n), (n))
WRAP(void *, calloc, no_memory() ? NULL : __real_calloc(n, size), (size_t n, size_t size), (n, size))
WRAP(void *, realloc, no_memory() ? NULL : __real_realloc(p, n), (void *p, size_t n), (p, n))
WRAP(int, wh_plan_verify, fails("verify") ? (*step = 3, 9) : __real_wh_plan_verify(p, size, step),
     (const struct wh_plan *p, uint32_t size, uint32_t *step), (p, size, step))
#ifdef HAVE_SECCOMP
WRAP(int, seccomp_attr_set,
     (attr == SCMP_FLTATR_CTL_NNP && fails("nnp")) || (attr == SCMP_FLTATR_CTL_OPTIMIZE && fails("tree"))
         ? -EINVAL
         : __real_seccomp_attr_set(ctx, attr, v),
     (scmp_filter_ctx ctx, enum scmp_filter_attr attr, uint32_t v), (ctx, attr, v))
WRAP(int, seccomp_arch_add, fails("arch") ? -EINVAL : __real_seccomp_arch_add(ctx, arch),
     (scmp_filter_ctx ctx, uint32_t arch), (ctx, arch))
WRAP(int, seccomp_rule_add_array, fails("rule") ? -EFAULT : __real_seccomp_rule_add_array(ctx, a, nr, n, v),
     (scmp_filter_ctx ctx, uint32_t a, int nr, unsigned int n, const struct scmp_arg_cmp *v), (ctx, a, nr, n, v))
WRAP(int, seccomp_export_bpf, fails("export") ? -ENOSPC : __real_seccomp_export_bpf(ctx, fd),
     (const scmp_filter_ctx ctx, int fd), (ctx, fd))
#endif

/* ---- a configuration that has a part of each kind, so that each can be spoiled ---- */

static const struct wh_facts facts = {
    .feat = WH_FEAT_KEYRINGS | WH_FEAT_SECCOMP | WH_FEAT_CGROUP_BPF | WH_FEAT_CGROUP_WRITABLE,
    .last_cap = 40,
    .own_caps = (UINT64_C(1) << 41) - 1,
    .cgroup_mode = WH_CGROUP_UNIFIED,
    .may_mknod = true,
    .cgroup2_mount = "/sys/fs/cgroup",
    .cgroup2_own = "/",
    .cgroup2_controllers = "pids",
    .systemd_root = "/",
};
static const struct wh_request request = { .verb = WH_VERB_CREATE, .id = "box", .bundle = "/bundle" };

#define FILTER                                                                                                         \
    "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getpid\"],\"action\":"              \
    "\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]},"
#define CONFIG(linux_)                                                                                                 \
    "{\"ociVersion\":\"1.3.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],\"env\":[\"PATH=/bin\"],"                  \
    "\"user\":{\"uid\":0,\"gid\":0},\"capabilities\":{\"permitted\":[\"CAP_CHOWN\"],\"effective\":[\"CAP_CHOWN\"]}},"  \
    "\"root\":{\"path\":\"rootfs\"},\"mounts\":[{\"destination\":\"/m\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","      \
    "\"options\":[\"size=1k\"]}],\"linux\":{" linux_                                                                   \
    "\"namespaces\":[{\"type\":\"mount\"}],\"rootfsPropagation\":\"private\",\"devices\":[{\"path\":\"/dev/x\","       \
    "\"type\":\"c\",\"major\":1,\"minor\":3}],\"resources\":{\"pids\":{\"limit\":9},\"devices\":[{\"allow\":true,"     \
    "\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rw\"}]}}}"
static const char plain[] = CONFIG(""), config[] = CONFIG(FILTER);

/* A mount with a map of its own, written relative to the container's. */
static const char mapped[] =
    "{\"ociVersion\":\"1.3.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],\"env\":[\"PATH=/bin\"],"
    "\"user\":{\"uid\":0,\"gid\":0}},\"root\":{\"path\":\"r\"},\"mounts\":[{\"destination\":\"/m\",\"source\":\"/s\","
    "\"options\":[\"bind\",\"idmap=uids=0-1-1#2-3-1;gids=0-1-1\"]}],\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}";

static struct wh_spec *parse(const char *json)
{
    struct wh_errlist errs = { 0 };
    struct wh_spec *spec = NULL;

    if (wh_spec_parse(json, strlen(json), "config.json", 0, &spec, &errs) < 0) {
        printf("Bail out! %s: %s\n", errs.e[0].path, errs.e[0].msg);
        exit(1);
    }
    return spec;
}

/* ---- what the specification's checks refuse first ---- */

static void line_break(struct wh_spec *s)
{
    s->linux_.cgroups_path.v = "a\nb";
}
static void no_major(struct wh_spec *s)
{
    s->linux_.devices.v[0].major.set = false;
}
static void great_minor(struct wh_spec *s)
{
    s->linux_.devices.v[0].minor.v = 0x100000;
}
static void no_device(struct wh_spec *s)
{
    s->linux_.devices.v[0].path.v = NULL;
}
static void no_type(struct wh_spec *s)
{
    s->mounts[0].type.v = NULL;
}
static void no_destination(struct wh_spec *s)
{
    s->mounts[0].destination.v = NULL;
}
static void no_option(struct wh_spec *s)
{
    s->mounts[0].options.v[0].v = "=1k";
}
static void joined_time(struct wh_spec *s)
{
    s->linux_.ns[WH_NS_TIME] = (struct wh_namespace){ .set = true, .path.v = "/proc/1/ns/time" };
    s->linux_.time_offsets.boottime.set = true;
}
static void not_permitted(struct wh_spec *s)
{
    s->process->capabilities.effective.mask = UINT64_C(1) << 1 | 1;
}
static void nameless_capability(struct wh_spec *s)
{
    s->process->capabilities.effective.mask = UINT64_C(1) << 63;
}
static void long_name(struct wh_spec *s)
{
    static char name[257];

    memset(name, 'a', sizeof name - 1);
    s->process->args.v[0].v = name;
}
static void low_pids(struct wh_spec *s)
{
    s->linux_.resources.pids.limit.v = -2;
}
static void odd_propagation(struct wh_spec *s)
{
    s->linux_.rootfs_propagation.v = "odd";
}

static void refusals(void)
{
    static const struct spoilt t[] = {
        { line_break, "cgroupsPath has a line break" },
        { no_major, "device /dev/x has no major number" },
        { great_minor, "the minor number of a device is from 0 to 1048575" },
        { no_device, "a device needs a path" },
        { no_type, "invalid mount type for \"/m\": a mount that is not a bind needs one" },
        { no_destination, "a mount needs a destination" },
        { no_option, "mount option \"=1k\" has no name" },
        { joined_time, "time namespace offsets specified, but the time namespace is joined by path" },
        { not_permitted, "the effective set has CAP_DAC_OVERRIDE, which the permitted set lacks" },
        { nameless_capability, "the effective set has an unknown capability, which the permitted set lacks" },
        { long_name, "exec: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is 256 bytes long, and the kernel takes at "
                     "most 255" },
        { low_pids, "pids limit -2: it is -1 (unlimited) or a number of processes" },
        { odd_propagation, "unknown rootfsPropagation \"odd\"" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        WH_CLEANUP_SPEC struct wh_spec *spec = parse(plain);

        spoilt_is_refused(&t[i], spec, &request, &facts);
    }
}

/* ---- what a host does not offer ---- */

/* linux.resources where no controller is there: what is refused, or what is left out. */
static void not_offered(const char *resources, const char *want)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_facts f = facts;
    struct wh_cg_writes w = { 0 };
    struct wh_errlist errs = { 0 };
    struct wh_compile c = { .req = &request, .facts = &f, .arena = arena, .errs = &errs };
    char json[1500], left_out[200] = "";
    struct wh_spec *spec;

    f.cgroup2_controllers = "";
    snprintf(json, sizeof json,
             "{\"ociVersion\":\"1.3.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"/x\"],\"user\":{\"uid\":0,\"gid\":0}},"
             "\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"resources\":{%s}}}",
             resources);
    c.spec = spec = parse(json);
    wh_compile_resources(&c, &spec->linux_.resources, WH_RES_HOST, &w);
    if (w.nskipped)
        snprintf(left_out, sizeof left_out, "%s %s", w.skipped[0].file, w.skipped[0].value);
    is_str(errs.n ? errs.e[0].msg : left_out, want, "without a controller: %s", want);
    wh_spec_free(spec);
}

static void controllers(void)
{
    not_offered("\"cpu\":{\"idle\":1}", "cpu idle 1: this host does not offer the cgroup controller cpu");
    not_offered("\"cpu\":{\"quota\":1000}", "cpu quota 1000: this host does not offer the cgroup controller cpu");
    not_offered("\"cpu\":{\"quota\":-1}", "");
    not_offered("\"cpu\":{\"period\":1000}", "");
    not_offered("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":10}]}", "blockIO weightDevice 10");
    not_offered("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"leafWeight\":11}]}",
                "blockIO weightDevice leafWeight 11");
}

/* ---- warnings ---- */

static const char *warning(struct wh_spec *spec, const struct wh_facts *f)
{
    static char text[sizeof((struct wh_err *)NULL)->msg];
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    const struct wh_plan *plan = NULL;
    struct wh_errlist errs = { 0 };

    is_int(wh_compile(spec, &request, f, arena, &plan, &errs), 0, "accepted, with a warning");
    snprintf(text, sizeof text, "%s", errs.nwarn ? errs.w[0].msg : "none");
    return text;
}

static void warnings(void)
{
    static const char shared[] =
        "{\"ociVersion\":\"1.3.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"/x\"],\"user\":{\"uid\":0,\"gid\":0}},"
        "\"root\":{\"path\":\"r\"},\"mounts\":[{\"destination\":\"/m\",\"source\":\"/s\",\"options\":[\"bind\","
        "\"shared\"]}],\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}],\"gidMappings\":"
        "[{\"containerID\":0,\"hostID\":1,\"size\":1}],\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"}]}}";
    WH_CLEANUP_SPEC struct wh_spec *foreign = parse(shared), *spec = parse(plain);
    struct wh_facts old = facts;

    is_str(warning(foreign, &facts),
           "mounts made on /m in the container will not appear on the host: a user namespace never sends mounts to it",
           "a shared mount of a new user namespace");
    old.last_cap = 37;
    old.own_caps = (UINT64_C(1) << 38) - 1;
    spec->process->capabilities.permitted.mask = UINT64_C(1) << 40 | 1;
    is_str(warning(spec, &old), "CAP_CHECKPOINT_RESTORE left out: not known to this kernel",
           "a capability that is younger than the kernel");
}

/* ---- device rules ---- */

static void device_rules(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_SPEC struct wh_spec *spec = parse(config);
    struct wh_devrule *rule = spec->linux_.resources.devices.v;
    struct wh_err err = { 0 };
    struct bpf_insn *insns;
    size_t n;

    rule->major.v = -2;
    is_int(wh_devbpf_compile(spec, &request, arena, &insns, &n, &err), -EINVAL, "a number below -1");
    is_str(err.msg, "a device number is -1 (any) or from 0 to 4294967295", "is refused in words");
    rule->major.v = 1;
    rule->access.v = "rx";
    err = (struct wh_err){ 0 };
    is_int(wh_devbpf_compile(spec, &request, arena, &insns, &n, &err), -EINVAL, "an unknown kind of access");
    is_str(err.msg, "device access is made of the letters r, w and m", "is refused in words");
}

/* ---- unit properties ---- */

static void unit_properties(void)
{
    static const struct {
        const char *text, *why;
    } t[] = {
        { "@as 5", "@as without an array" },
        { "@as", "@as without an array" },
        { "uint64(5)", "a type without its number" },
        { "int32-5", "a type without its number" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        struct wh_unit_value v;
        const char *why = "";

        is_int(wh_gvariant_parse(arena, t[i].text, &v, &why), -EINVAL, "%s is not a value of a unit property",
               t[i].text);
        is_str(why, t[i].why, "and why");
    }
}

/* ---- libseccomp ---- */

#ifdef HAVE_SECCOMP
static struct wh_seccomp_rule *only_rule(struct wh_spec *s)
{
    return &s->linux_.seccomp.rules[0];
}
static void unknown_op(struct wh_spec *s)
{
    only_rule(s)->args[0].op.v = "SCMP_CMP_ODD";
}
static void many_args(struct wh_spec *s)
{
    only_rule(s)->nargs = 65;
}
static void without(struct wh_spec *s)
{
    s->linux_.seccomp.set = false;
}
static void two_arches(struct wh_spec *s)
{
    static struct wh_sstr both[2] = { { .v = "SCMP_ARCH_X86_64" }, { .v = "SCMP_ARCH_X86" } };

    s->linux_.seccomp.architectures = (struct wh_sstrv){ .v = both, .n = 2, .set = true };
}
static void many_names(struct wh_spec *s)
{
    static struct wh_sstr names[100];

    for (size_t i = 0; i < WH_ELEMENTSOF(names); i++)
        names[i].v = "getpid";
    only_rule(s)->names = (struct wh_sstrv){ .v = names, .n = WH_ELEMENTSOF(names), .set = true };
}

static void filters(void)
{
    static const struct {
        void (*spoil)(struct wh_spec *);
        const char *failing, *want;
    } t[] = {
        { unknown_op, "", "unknown comparison SCMP_CMP_ODD" },
        { many_args, "", "more than 64 conditions in one rule" },
        { without, "", "the configuration has no seccomp filter" },
        { NULL, "nnp", "compile the seccomp filter: libseccomp keeps no_new_privs: operation not supported" },
        { many_names, "tree", "compile the seccomp filter: libseccomp has no binary tree: operation not supported" },
        { two_arches, "arch",
          "compile the seccomp filter: libseccomp refuses an architecture: operation not supported" },
        { NULL, "rule", "libseccomp refuses the rule for getpid: bad address" },
        { NULL, "export", "compile the seccomp filter: write the program: no space left on device" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        WH_CLEANUP_SPEC struct wh_spec *spec = parse(config);
        struct wh_err err = { 0 };

        if (t[i].spoil)
            t[i].spoil(spec);
        failing = t[i].failing;
        ok(wh_seccomp_compile(spec, -1, NULL, &err) < 0, "no filter: %s", t[i].want);
        is_str(err.msg, t[i].want, "in these words");
        failing = "";
    }
}
#else
static void filters(void)
{
    skip("built without libseccomp");
}
#endif

/* ---- memory ---- */

#define CHUNK 16384u /* the first one of an arena */

/* With every number of bytes left that makes a difference: 16 is an arena's grain, and what does not fit into the
 * first chunk is in a second one. */
static unsigned little_memory(const char *json, const struct wh_request *req, const char *const *want, size_t nwant)
{
    WH_CLEANUP_SPEC struct wh_spec *spec = parse(json);
    unsigned wrong = 0, seen = 0, tries = 0;
    int r = -ENOMEM;

    for (size_t left = 0; r != 0 && left < 2 * CHUNK; left += 16) {
        WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
        const struct wh_plan *plan = NULL;
        struct wh_errlist errs = { 0 };

        wh_arena_alloc(arena, CHUNK - left % CHUNK);
        allocations_left = (unsigned)(left / CHUNK);
        r = wh_compile(spec, req, &facts, arena, &plan, &errs);
        allocations_left = UINT_MAX;
        tries++;
        for (unsigned i = 0; r != 0 && i < errs.n; i++) {
            size_t at = 0;

            while (at < nwant && strcmp(errs.e[i].msg, want[at]) != 0)
                at++;
            if (at == nwant)
                diag("%zu bytes: %s", left, errs.e[i].msg);
            wrong += at == nwant || errs.e[i].code != -ENOMEM;
            seen |= 1u << at;
        }
        wrong += r == 0 ? !plan : r != -ENOMEM || plan || errs.n == 0;
    }
    is_int(r, 0, "compiled in the end");
    ok(tries > 100, "after %u times without memory", tries - 1);
    is_int(wrong, 0, "each of which is said in known words and leaves no plan");
    return seen;
}

/* An arena that has failed already. */
static struct wh_arena *no_arena(void)
{
    struct wh_arena *arena = wh_arena_new();

    wh_arena_alloc(arena, SIZE_MAX);
    return arena;
}

static void no_memory_at_all(void)
{
    WH_CLEANUP_SPEC struct wh_spec *spec = parse(config);
    WH_CLEANUP_ARENA struct wh_arena *arena = no_arena();
    struct wh_kv given = { .key = "run.oci.seccomp_bpf_data", .value = "BgAAAAAA/38=" };
    struct bpf_insn *insns;
    struct wh_unit unit;
    struct wh_err err = { 0 };
    const void *bytes;
    const char *path;
    size_t n;

    is_int(wh_cgroup_path(spec, &request, &facts, arena, &path, &err), -ENOMEM, "no memory for a cgroup path");
    is_str(err.msg, "cannot allocate memory for the cgroup path", "in words");
    err = (struct wh_err){ 0 };
    is_int(wh_devbpf_compile(spec, &request, arena, &insns, &n, &err), -ENOMEM, "none for device rules");
    is_str(err.msg, "compile the device rules: cannot allocate memory", "in words");
    err = (struct wh_err){ 0 };
    is_int(wh_unit_find(spec, &request, &facts, arena, &unit, &err), -ENOMEM, "none for a unit");
    is_str(err.msg, "cannot allocate memory for the unit's name", "in words");
    err = (struct wh_err){ 0 };
    spec->annotations = (struct wh_kvs){ .v = &given, .n = 1, .set = true };
    is_int(wh_seccomp_data(spec, arena, &bytes, &n, &err), -ENOMEM, "none for a filter that is given");
    is_str(err.msg, "decode the seccomp filter: cannot allocate memory", "in words");
#ifdef HAVE_SECCOMP
    err = (struct wh_err){ 0 };
    spec->linux_.seccomp.default_action.v = "SCMP_ACT_ERRNO";
    is_int(wh_seccomp_stub(spec, arena, &bytes, &n, &err), -ENOMEM, "none for a filter");
    is_str(err.msg, "compile the seccomp filter: cannot allocate memory", "in words");
#endif
}

static void memory(void)
{
    static const char *const want[] = {
        "cannot allocate memory for the plan",      "cannot allocate memory for the cgroup path",
        "cannot allocate memory for mount options", "cannot allocate memory for an id map",
        "cannot allocate memory for the masks",     "compile the device rules: cannot allocate memory",
    };
    struct wh_request no_cgroup = request;
    unsigned seen = little_memory(plain, &request, want, WH_ELEMENTSOF(want));

    /* Without a device program, which takes the most, what comes after it meets the end of the memory first. */
    no_cgroup.cgroup_manager = WH_CGM_DISABLED;
    seen |= little_memory(mapped, &no_cgroup, want, WH_ELEMENTSOF(want));
    is_int(seen, (1 << WH_ELEMENTSOF(want)) - 1, "and all of them occur");
    no_memory_at_all();
}

/* ---- a plan that compile got wrong ---- */

static void wrong_plan(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    WH_CLEANUP_SPEC struct wh_spec *spec = parse(plain);
    const struct wh_plan *plan = NULL;
    struct wh_errlist errs = { 0 };

    failing = "verify";
    is_int(wh_compile(spec, &request, &facts, arena, &plan, &errs), -EPROTO, "a plan that breaks the rules");
    failing = "";
    is_str(errs.e[0].msg, "internal error: step 3 of the plan breaks rule 9", "is named");
    ok(!plan, "and does not leave compile");
}

static void large_file(void)
{
    struct wh_errlist errs = { 0 };
    struct wh_spec *spec = NULL;

    /* The length alone decides: nothing is read. */
    ok(wh_spec_parse("{}", (64u << 20) + 1, "config.json", 0, &spec, &errs) < 0, "a file of 64 MiB and a byte");
    is_str(errs.e[0].msg, "is larger than 64 MiB, the most that a configuration may have", "is refused in words");
}

int main(void)
{
    refusals();
    controllers();
    warnings();
    device_rules();
    unit_properties();
    filters();
    memory();
    wrong_plan();
    large_file();
    return done_testing();
}
