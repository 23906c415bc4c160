/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/fields.h"

#include <linux/utsname.h>

/*
 * Every property of config.json that Linux knows (runtime-spec 1.3.0, specs config.md and config-linux.md), one row
 * each. Ranges narrower than the C type are those of the kernel, or of the specification where it is stricter.
 */
#define REQ WH_F_REQUIRED
#define NONEMPTY WH_F_NONEMPTY
#define PLAIN WH_F_PLAIN
#define AT(member) .offset = (uint16_t)offsetof(T, member), .text = WH_NO_TEXT

#define STR(key, member, fl, ...)                                                                                      \
    {                                                                                                                  \
        .name = key, .kind = WH_K_STR, .flags = (fl), AT(member), __VA_ARGS__                                          \
    }
#define STRV(key, member, fl, ...)                                                                                     \
    {                                                                                                                  \
        .name = key, .kind = WH_K_STRV, .flags = (fl) | WH_F_HEAD, AT(member), __VA_ARGS__                             \
    }
#define KVS(key, member, fl, ...)                                                                                      \
    {                                                                                                                  \
        .name = key, .kind = WH_K_KVS, .flags = (fl) | WH_F_HEAD, AT(member), __VA_ARGS__                              \
    }
#define BOOL(key, member, fl)                                                                                          \
    {                                                                                                                  \
        .name = key, .kind = WH_K_BOOL, .flags = (fl), AT(member)                                                      \
    }
#define INT(knd, key, member, fl, ...)                                                                                 \
    {                                                                                                                  \
        .name = key, .kind = WH_K_##knd, .flags = (fl), AT(member), __VA_ARGS__                                        \
    }
#define OBJ(key, member, fl, tp)                                                                                       \
    {                                                                                                                  \
        .name = key, .kind = WH_K_OBJECT, .flags = (fl), AT(member), .sub.type = &(tp)                                 \
    }
#define LIST(key, member, fl, tp)                                                                                      \
    {                                                                                                                  \
        .name = key, .kind = WH_K_LIST, .flags = (fl), AT(member), .sub.type = &(tp)                                   \
    }
#define MAP(key, member, fl, tp, ...)                                                                                  \
    {                                                                                                                  \
        .name = key, .kind = WH_K_MAP, .flags = (fl) | WH_F_HEAD, AT(member), .sub.type = &(tp), __VA_ARGS__           \
    }
#define ENUM_AT(key, member, fl, nm)                                                                                   \
    .name = key, .kind = WH_K_ENUM, .flags = (fl), .width = sizeof(((T *)0)->member),                                  \
    .offset = (uint16_t)offsetof(T, member), .sub.names = &wh_names_##nm
#define ENUM(key, member, fl, nm)                                                                                      \
    {                                                                                                                  \
        ENUM_AT(key, member, fl, nm), .text = WH_NO_TEXT                                                               \
    }
#define ENUM_TEXT(key, member, word, fl, nm)                                                                           \
    {                                                                                                                  \
        ENUM_AT(key, member, fl, nm), .text = (uint16_t)offsetof(T, word)                                              \
    }
#define BITS(key, member, fl, w, nm)                                                                                   \
    {                                                                                                                  \
        .name = key, .kind = WH_K_BITS, .flags = (fl), .width = (w), AT(member), .sub.names = &wh_names_##nm           \
    }
#define IGNORED(key)                                                                                                   \
    {                                                                                                                  \
        .name = key, .kind = WH_K_IGNORED, .text = WH_NO_TEXT                                                          \
    }
#define NAMED(nm) .sub.names = &wh_names_##nm
/* A list without WH_F_HEAD is a pointer and the number behind it. */
#define PAIR(tp, v, n)                                                                                                 \
    _Static_assert(offsetof(tp, n) == offsetof(tp, v) + sizeof(void *), #tp "." #v " is filled as a list")
PAIR(struct wh_spec, mounts, nmounts);
PAIR(struct wh_seccomp, rules, nrules);
PAIR(struct wh_seccomp_rule, args, nargs);
PAIR(struct wh_resources, network.prio, network.nprio);
#define RANGE(lo, hi)                                                                                                  \
    .range = &(const struct wh_range)                                                                                  \
    {                                                                                                                  \
        (lo), (hi)                                                                                                     \
    }
#define CHECK(fn) .check = wh_check_##fn
#define MAX(bytes) .max = (bytes)
#define PATH MAX(WH_MAX_PATH)

/* (uid_t)-1 and (gid_t)-1 mean "leave as it is" to the kernel. */
#define ID RANGE(0, UINT32_MAX - 1)

#define OFF(member) (int16_t) offsetof(T, member)
#define TYPE(var, ...)                                                                                                 \
    static const struct wh_type var = {                                                                                \
        .size = sizeof(T), .rows = var##_rows, .nrows = WH_ELEMENTSOF(var##_rows), __VA_ARGS__                         \
    };                                                                                                                 \
    _Static_assert(WH_ELEMENTSOF(var##_rows) <= 64, "the engine keeps a bit for each row")

/* ---------------------------------------------------------------- process */

#define T typeof(((struct wh_process *)0)->console_size)
static const struct wh_row console_size_rows[] = {
    INT(U64, "height", height, REQ | PLAIN, RANGE(0, UINT16_MAX)),
    INT(U64, "width", width, REQ | PLAIN, RANGE(0, UINT16_MAX)),
};
TYPE(console_size, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_process *)0)->user)
static const struct wh_row user_rows[] = {
    INT(U32, "uid", uid, REQ, ID),
    INT(U32, "gid", gid, 0, ID),
    INT(U32, "umask", umask, 0, RANGE(0, 0777)),
    INT(U32V, "additionalGids", additional_gids, WH_F_HEAD, ID),
    STR("username", username, 0),
};
TYPE(user, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_caps
static const struct wh_row caps_rows[] = {
    BITS("bounding", bounding, WH_F_HEAD | WH_F_LENIENT, 8, cap),
    BITS("effective", effective, WH_F_HEAD | WH_F_LENIENT, 8, cap),
    BITS("inheritable", inheritable, WH_F_HEAD | WH_F_LENIENT, 8, cap),
    BITS("permitted", permitted, WH_F_HEAD | WH_F_LENIENT, 8, cap),
    BITS("ambient", ambient, WH_F_HEAD | WH_F_LENIENT, 8, cap),
};
TYPE(caps, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_rlimit
static const struct wh_row rlimit_rows[] = {
    ENUM_TEXT("type", resource, type, REQ, rlimit),
    INT(U64, "soft", soft, REQ | PLAIN),
    INT(U64, "hard", hard, REQ | PLAIN),
};
TYPE(rlimit, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T struct wh_scheduler
static const struct wh_row scheduler_rows[] = {
    ENUM("policy", policy, REQ, sched_policy),
    INT(I32, "nice", nice, 0, RANGE(-20, 19)),
    INT(I32, "priority", priority, 0, RANGE(0, 99)),
    BITS("flags", flags, 0, 8, sched_flag),
    INT(U64, "runtime", runtime, 0),
    INT(U64, "deadline", deadline, 0),
    INT(U64, "period", period, 0),
};
TYPE(scheduler, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_ioprio
static const struct wh_row ioprio_rows[] = {
    ENUM("class", class, REQ, ioprio),
    INT(I32, "priority", priority, 0, RANGE(0, 7)),
};
TYPE(ioprio, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_process *)0)->exec_cpu_affinity)
static const struct wh_row affinity_rows[] = {
    STR("initial", initial, 0, CHECK(cpulist)),
    STR("final", final, 0, CHECK(cpulist)),
};
TYPE(affinity, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_process
static const struct wh_row process_rows[] = {
    BOOL("terminal", terminal, 0),
    OBJ("consoleSize", console_size, 0, console_size),
    STR("cwd", cwd, REQ | NONEMPTY, CHECK(cwd), PATH),
    STRV("env", env, 0, CHECK(env)),
    STRV("args", args, 0),
    STR("commandLine", command_line, 0),
    OBJ("user", user, 0, user),
    OBJ("capabilities", capabilities, 0, caps),
    LIST("rlimits", rlimits, WH_F_HEAD, rlimit),
    BOOL("noNewPrivileges", no_new_privileges, 0),
    STR("apparmorProfile", apparmor_profile, 0, MAX(WH_MAX_WRITE - sizeof "exec")),
    STR("selinuxLabel", selinux_label, 0, MAX(WH_MAX_WRITE)),
    INT(I32, "oomScoreAdj", oom_score_adj, 0, RANGE(-1000, 1000)),
    OBJ("scheduler", scheduler, 0, scheduler),
    OBJ("ioPriority", ioprio, 0, ioprio),
    OBJ("execCPUAffinity", exec_cpu_affinity, 0, affinity),
};
TYPE(process, .set = -1, .src = OFF(src), .key = -1);
#undef T

/* ---------------------------------------------------------------- root, mounts, hooks */

#define T struct wh_root
static const struct wh_row root_rows[] = {
    STR("path", path, REQ | NONEMPTY, PATH),
    BOOL("readonly", readonly, 0),
};
TYPE(root, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_idmap
static const struct wh_row idmap_rows[] = {
    INT(U32, "containerID", container_id, REQ | PLAIN, ID),
    INT(U32, "hostID", host_id, REQ | PLAIN, ID),
    INT(U32, "size", size, REQ | PLAIN, RANGE(1, UINT32_MAX)),
};
TYPE(idmap, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T struct wh_mount_spec
static const struct wh_row mount_rows[] = {
    STR("destination", destination, REQ | NONEMPTY, PATH),
    STR("type", type, 0, MAX(WH_MAX_WRITE)),
    STR("source", source, 0, PATH),
    STRV("options", options, 0),
    LIST("uidMappings", uid, WH_F_HEAD, idmap),
    LIST("gidMappings", gid, WH_F_HEAD, idmap),
};
TYPE(mount, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T struct wh_hook
static const struct wh_row hook_rows[] = {
    STR("path", path, REQ | NONEMPTY, CHECK(abspath), PATH),
    STRV("args", args, 0),
    STRV("env", env, 0, CHECK(env)),
    INT(I64, "timeout", timeout, 0, RANGE(1, INT32_MAX)),
};
TYPE(hook, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T struct wh_hooks
static const struct wh_row hooks_rows[] = {
    LIST("prestart", prestart, WH_F_HEAD, hook),
    LIST("createRuntime", create_runtime, WH_F_HEAD, hook),
    LIST("createContainer", create_container, WH_F_HEAD, hook),
    LIST("startContainer", start_container, WH_F_HEAD, hook),
    LIST("poststart", poststart, WH_F_HEAD, hook),
    LIST("poststop", poststop, WH_F_HEAD, hook),
};
TYPE(hooks, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

/* ---------------------------------------------------------------- linux: namespaces, devices */

struct ns_entry {
    wh_node src;
    int type;
    struct wh_sstr path;
};

/* The list becomes a table by type. */
static void ns_end(struct wh_parser *p, void *object)
{
    const struct ns_entry *e = object;
    struct wh_namespace *ns = &wh_parser_spec(p)->linux_.ns[e->type];

    if (ns->set)
        wh_parser_error(p, "malformed spec file: duplicated ns \"%s\"", wh_ns_name((enum wh_ns)e->type));
    else
        *ns = (struct wh_namespace){ .set = true, .path = e->path, .src = e->src };
}

#define T struct ns_entry
static const struct wh_row ns_rows[] = {
    ENUM("type", type, REQ, ns),
    STR("path", path, NONEMPTY, CHECK(abspath), PATH),
};
TYPE(ns, .set = -1, .src = OFF(src), .key = -1, .end = ns_end);
#undef T

/* dev_t has 12 bits for the major and 20 for the minor number. */
#define MAJOR_MAX 4095
#define MINOR_MAX 1048575

#define T struct wh_device
static const struct wh_row device_rows[] = {
    STR("path", path, REQ | NONEMPTY, CHECK(abspath), PATH),
    ENUM("type", type, REQ, device),
    INT(I64, "major", major, 0, RANGE(0, MAJOR_MAX)),
    INT(I64, "minor", minor, 0, RANGE(0, MINOR_MAX)),
    /* Engines copy st_mode here; the bits of the type are not used. */
    INT(U32, "fileMode", file_mode, 0, RANGE(0, 0177777)),
    INT(U32, "uid", uid, 0, ID),
    INT(U32, "gid", gid, 0, ID),
};
TYPE(device, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T struct wh_netdev
static const struct wh_row netdev_rows[] = {
    STR("name", name, NONEMPTY, CHECK(ifname)),
};
TYPE(netdev, .set = -1, .src = OFF(src), .key = OFF(host_name));
#undef T

/* ---------------------------------------------------------------- linux: resources */

#define T struct wh_devrule
static const struct wh_row devrule_rows[] = {
    BOOL("allow", allow, REQ | PLAIN),
    ENUM("type", type, 0, devrule),
    INT(I64, "major", major, 0, RANGE(-1, MAJOR_MAX)),
    INT(I64, "minor", minor, 0, RANGE(-1, MINOR_MAX)),
    STR("access", access, 0, CHECK(access)),
};
TYPE(devrule, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_resources *)0)->pids)
static const struct wh_row pids_rows[] = {
    INT(I64, "limit", limit, REQ, RANGE(-1, INT64_MAX)),
};
TYPE(pids, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_resources *)0)->memory)
static const struct wh_row memory_rows[] = {
    INT(I64, "limit", limit, 0, RANGE(-1, INT64_MAX)),
    INT(I64, "reservation", reservation, 0, RANGE(-1, INT64_MAX)),
    INT(I64, "swap", swap, 0, RANGE(-1, INT64_MAX)),
    INT(I64, "kernel", kernel, 0, RANGE(-1, INT64_MAX)),
    INT(I64, "kernelTCP", kernel_tcp, 0, RANGE(-1, INT64_MAX)),
    INT(U64, "swappiness", swappiness, 0, RANGE(0, 100)),
    BOOL("disableOOMKiller", disable_oom_killer, 0),
    BOOL("useHierarchy", use_hierarchy, 0),
    BOOL("checkBeforeUpdate", check_before_update, 0),
};
TYPE(memory, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_resources *)0)->cpu)
static const struct wh_row cpu_rows[] = {
    INT(U64, "shares", shares, 0),
    INT(I64, "quota", quota, 0),
    INT(U64, "period", period, 0),
    INT(U64, "burst", burst, 0),
    INT(I64, "realtimeRuntime", rt_runtime, 0),
    INT(U64, "realtimePeriod", rt_period, 0),
    INT(I64, "idle", idle, 0, RANGE(0, 1)),
    STR("cpus", cpus, 0, CHECK(cpulist), MAX(WH_MAX_WRITE)),
    STR("mems", mems, 0, CHECK(nodelist), MAX(WH_MAX_WRITE)),
};
TYPE(cpu, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_blkio_dev
static const struct wh_row weight_device_rows[] = {
    INT(I64, "major", major, REQ | PLAIN, RANGE(0, MAJOR_MAX)),
    INT(I64, "minor", minor, REQ | PLAIN, RANGE(0, MINOR_MAX)),
    INT(U32, "weight", weight, 0, RANGE(0, 1000)),
    INT(U32, "leafWeight", leaf_weight, 0, RANGE(0, 1000)),
};
TYPE(weight_device, .set = -1, .src = OFF(src), .key = -1);
static const struct wh_row throttle_device_rows[] = {
    INT(I64, "major", major, REQ | PLAIN, RANGE(0, MAJOR_MAX)),
    INT(I64, "minor", minor, REQ | PLAIN, RANGE(0, MINOR_MAX)),
    INT(U64, "rate", rate, REQ),
};
TYPE(throttle_device, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_resources *)0)->block_io)
static const struct wh_row block_io_rows[] = {
    INT(U32, "weight", weight, 0, RANGE(0, 1000)),
    INT(U32, "leafWeight", leaf_weight, 0, RANGE(0, 1000)),
    LIST("weightDevice", weight_device, WH_F_HEAD, weight_device),
    LIST("throttleReadBpsDevice", read_bps, WH_F_HEAD, throttle_device),
    LIST("throttleWriteBpsDevice", write_bps, WH_F_HEAD, throttle_device),
    LIST("throttleReadIOPSDevice", read_iops, WH_F_HEAD, throttle_device),
    LIST("throttleWriteIOPSDevice", write_iops, WH_F_HEAD, throttle_device),
};
TYPE(block_io, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_hugepage
static const struct wh_row hugepage_rows[] = {
    STR("pageSize", page_size, REQ | NONEMPTY, CHECK(pagesize)),
    INT(U64, "limit", limit, REQ | PLAIN),
};
TYPE(hugepage, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T struct wh_rdma
static const struct wh_row rdma_rows[] = {
    INT(U32, "hcaHandles", hca_handles, 0),
    INT(U32, "hcaObjects", hca_objects, 0),
};
TYPE(rdma, .set = -1, .src = OFF(src), .key = OFF(device));
#undef T

#define T struct wh_net_prio
static const struct wh_row net_prio_rows[] = {
    STR("name", name, REQ | NONEMPTY, MAX(WH_MAX_WRITE)),
    INT(U32, "priority", priority, REQ | PLAIN),
};
TYPE(net_prio, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_resources *)0)->network)
static const struct wh_row network_rows[] = {
    INT(U32, "classID", class_id, 0),
    LIST("priorities", prio, 0, net_prio),
};
TYPE(network, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_resources
static const struct wh_row resources_rows[] = {
    KVS("unified", unified, 0, CHECK(unified), MAX(WH_MAX_NAME)),
    LIST("devices", devices, WH_F_HEAD, devrule),
    OBJ("pids", pids, 0, pids),
    OBJ("memory", memory, 0, memory),
    OBJ("cpu", cpu, 0, cpu),
    OBJ("blockIO", block_io, 0, block_io),
    LIST("hugepageLimits", hugepages, WH_F_HEAD, hugepage),
    MAP("rdma", rdma, 0, rdma, CHECK(key)),
    OBJ("network", network, 0, network),
};
TYPE(resources, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

/* ---------------------------------------------------------------- linux: seccomp and the rest */

#define T struct wh_seccomp_arg
static const struct wh_row seccomp_arg_rows[] = {
    INT(U32, "index", index, REQ | PLAIN, RANGE(0, 5)),
    INT(U64, "value", value, REQ | PLAIN),
    INT(U64, "valueTwo", value_two, PLAIN),
    STR("op", op, REQ, NAMED(seccomp_op)),
};
TYPE(seccomp_arg, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T struct wh_seccomp_rule
static const struct wh_row seccomp_rule_rows[] = {
    STRV("names", names, REQ | NONEMPTY | WH_F_MINONE),
    STR("action", action, REQ, NAMED(seccomp_action)),
    INT(U32, "errnoRet", errno_ret, 0, RANGE(0, UINT16_MAX)),
    LIST("args", args, 0, seccomp_arg),
};
TYPE(seccomp_rule, .set = -1, .src = OFF(src), .key = -1);
#undef T

#define T struct wh_seccomp
static const struct wh_row seccomp_rows[] = {
    STR("defaultAction", default_action, REQ, NAMED(seccomp_action)),
    INT(U32, "defaultErrnoRet", default_errno_ret, 0, RANGE(0, UINT16_MAX)),
    STRV("architectures", architectures, 0, NAMED(seccomp_arch)),
    STRV("flags", flags, 0, NAMED(seccomp_flag)),
    STR("listenerPath", listener_path, NONEMPTY, PATH),
    STR("listenerMetadata", listener_metadata, 0),
    LIST("syscalls", rules, 0, seccomp_rule),
};
TYPE(seccomp, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_timeoff
static const struct wh_row timeoff_rows[] = {
    INT(I64, "secs", secs, 0),
    INT(U32, "nanosecs", nanosecs, 0, RANGE(0, 999999999)),
};
TYPE(timeoff, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_linux *)0)->time_offsets)
static const struct wh_row time_offsets_rows[] = {
    OBJ("monotonic", monotonic, 0, timeoff),
    OBJ("boottime", boottime, 0, timeoff),
};
TYPE(time_offsets, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_linux *)0)->intel_rdt)
static const struct wh_row intel_rdt_rows[] = {
    STR("closID", clos_id, NONEMPTY, CHECK(closid), MAX(WH_MAX_NAME)),
    STR("l3CacheSchema", l3_cache_schema, NONEMPTY, MAX(WH_MAX_WRITE)),
    STR("memBwSchema", mem_bw_schema, NONEMPTY, CHECK(membw), MAX(WH_MAX_WRITE)),
    STRV("schemata", schemata, NONEMPTY, MAX(WH_MAX_WRITE)),
    BOOL("enableMonitoring", enable_monitoring, 0),
    /* Of versions before 1.3. */
    BOOL("enableCMT", enable_cmt, 0),
    BOOL("enableMBM", enable_mbm, 0),
};
TYPE(intel_rdt, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_linux *)0)->memory_policy)
static const struct wh_row memory_policy_rows[] = {
    ENUM("mode", mode, REQ, mpol),
    STR("nodes", nodes, 0, CHECK(nodelist)),
    BITS("flags", flags, 0, 4, mpol_flag),
};
TYPE(memory_policy, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T typeof(((struct wh_linux *)0)->personality)
static const struct wh_row personality_rows[] = {
    ENUM("domain", persona, REQ, persona),
    STRV("flags", flags, 0),
};
TYPE(personality, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

#define T struct wh_linux
static const struct wh_row linux_object_rows[] = {
    { .name = "namespaces", .kind = WH_K_LIST, .flags = WH_F_SCRATCH, .text = WH_NO_TEXT, .sub.type = &ns },
    LIST("uidMappings", uid_mappings, WH_F_HEAD, idmap),
    LIST("gidMappings", gid_mappings, WH_F_HEAD, idmap),
    LIST("devices", devices, WH_F_HEAD, device),
    MAP("netDevices", net_devices, 0, netdev, CHECK(ifname)),
    STR("cgroupsPath", cgroups_path, 0, PATH),
    STR("rootfsPropagation", rootfs_propagation, NONEMPTY, NAMED(propagation)),
    /* A parameter of fsconfig(2). */
    STR("mountLabel", mount_label, 0, MAX(255)),
    OBJ("resources", resources, 0, resources),
    KVS("sysctl", sysctl, 0, CHECK(sysctl), MAX(WH_MAX_PATH - sizeof "/proc/sys")),
    OBJ("seccomp", seccomp, 0, seccomp),
    STRV("maskedPaths", masked_paths, 0, CHECK(abspath), PATH),
    STRV("readonlyPaths", readonly_paths, 0, CHECK(abspath), PATH),
    OBJ("intelRdt", intel_rdt, 0, intel_rdt),
    OBJ("memoryPolicy", memory_policy, 0, memory_policy),
    OBJ("personality", personality, 0, personality),
    OBJ("timeOffsets", time_offsets, 0, time_offsets),
};
TYPE(linux_object, .set = OFF(set), .src = OFF(src), .key = -1);
#undef T

/* ---------------------------------------------------------------- the document */

#define T struct wh_spec
/* In the document, and the document itself of `exec --process`. */
const struct wh_row wh_row_process = OBJ("process", process, WH_F_POINTER, process);
/* The document of `update --resources`. */
const struct wh_row wh_row_resources = OBJ("resources", linux_.resources, 0, resources);
static const struct wh_row spec_rows[] = {
    STR("ociVersion", oci_version, REQ | NONEMPTY, CHECK(version)),
    OBJ("root", root, REQ, root),
    LIST("mounts", mounts, 0, mount),
    OBJ("process", process, WH_F_POINTER, process),
    STR("hostname", hostname, NONEMPTY, MAX(__NEW_UTS_LEN)),
    STR("domainname", domainname, NONEMPTY, MAX(__NEW_UTS_LEN)),
    OBJ("hooks", hooks, 0, hooks),
    KVS("annotations", annotations, 0, CHECK(key)),
    OBJ("linux", linux_, 0, linux_object),
    IGNORED("windows"),
    IGNORED("solaris"),
    IGNORED("vm"),
    IGNORED("zos"),
    IGNORED("freebsd"),
};
const struct wh_type wh_type_spec = {
    .size = sizeof(T), .rows = spec_rows, .nrows = WH_ELEMENTSOF(spec_rows), .set = -1, .src = -1, .key = -1
};
#undef T
