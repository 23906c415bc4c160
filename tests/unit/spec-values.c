/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/resource.h>

#include "read-file.h"
#include "spec/fields.h"
#include "spec/spec.h"
#include "tap.h"

/* A configuration that sets every property: each arrives in its field, exactly, and knows its place. */
#define FILE_NAME "tests/oci-validation/good/everything.json"

static const struct wh_spec *s;

static void place(wh_node n, const char *pointer)
{
    char buf[200];

    is_str(wh_spec_pointer(s, n, buf, sizeof buf), pointer, "the place of %s", pointer);
}

static void test_top(void)
{
    is_str(s->oci_version.v, "1.3.0-rc.1+build.5", "ociVersion");
    place(s->oci_version.src, "/ociVersion");
    is_str(s->root.path.v, "rootfs", "root.path");
    ok(s->root.set && s->root.readonly.set && s->root.readonly.v, "root.readonly");
    place(s->root.src, "/root");
    is_str(s->hostname.v, "h\xc3\xb6st", "hostname, an escape decoded");
    is_str(s->domainname.v, "d", "domainname");
    is_int(s->nmounts, 2, "mounts");
    is_str(s->mounts[0].type.v, "proc", "mount type");
    is_str(s->mounts[0].source.v, "proc", "mount source");
    is_str(s->mounts[1].destination.v, "rel", "mount destination");
    ok(!s->mounts[1].type.v && !s->mounts[0].options.set && s->mounts[0].options.n == 0, "absent is absent");
    is_int(s->mounts[1].options.n, 2, "mount options");
    is_str(s->mounts[1].options.v[1].v, "ro", "mount option");
    place(s->mounts[1].options.v[1].src, "/mounts/1/options/1");
    is_u64(s->mounts[1].uid.v[0].container_id, 1, "uidMappings.containerID");
    is_u64(s->mounts[1].uid.v[0].host_id, 2, "uidMappings.hostID");
    is_u64(s->mounts[1].uid.v[0].size, 3, "uidMappings.size");
    is_u64(s->mounts[1].gid.v[0].host_id, 5, "gidMappings.hostID");
    place(s->mounts[1].gid.v[0].src, "/mounts/1/gidMappings/0");
    ok(s->hooks.set && s->hooks.prestart.n == 1 && s->hooks.create_runtime.n == 1 && s->hooks.create_container.n == 1 &&
           s->hooks.start_container.n == 1 && s->hooks.poststart.n == 1 && s->hooks.poststop.n == 2,
       "hooks of six kinds");
    is_str(s->hooks.prestart.v[0].path.v, "/h0", "prestart");
    is_str(s->hooks.create_runtime.v[0].args.v[1].v, "x", "hook args");
    is_str(s->hooks.create_runtime.v[0].env.v[0].v, "K=V", "hook env");
    is_int(s->hooks.create_runtime.v[0].timeout.v, 2147483647, "hook timeout");
    ok(!s->hooks.create_container.v[0].timeout.set, "hook without timeout");
    is_str(s->hooks.create_container.v[0].path.v, "/h2", "createContainer");
    is_str(s->hooks.start_container.v[0].path.v, "/h3", "startContainer");
    is_str(s->hooks.poststart.v[0].path.v, "/h4", "poststart");
    is_str(s->hooks.poststop.v[1].path.v, "/h6", "poststop");
    place(s->hooks.poststop.v[1].path.src, "/hooks/poststop/1/path");
    is_int(s->annotations.n, 2, "annotations");
    is_str(s->annotations.v[0].key, "a/b~c", "an annotation");
    is_str(s->annotations.v[0].value, "1", "and its value");
    is_str(s->annotations.v[1].key, "z", "another");
    is_str(s->annotations.v[1].value, "", "which may be empty");
    place(s->annotations.v[0].src, "/annotations/a~1b~0c");
}

static void test_process(void)
{
    const struct wh_process *p = s->process;

    ok(p && p->terminal.set && p->terminal.v, "terminal");
    is_u64(p->console_size.height, 24, "height");
    is_u64(p->console_size.width, 65535, "width");
    is_str(p->cwd.v, "/w", "cwd");
    is_int(p->env.n, 2, "env");
    is_str(p->env.v[1].v, "B=", "env entry");
    is_int(p->args.n, 3, "args");
    is_str(p->args.v[1].v, "", "an empty argument");
    is_str(p->args.v[2].v, "\xf0\x9f\x98\x80", "a surrogate pair is one character");
    is_str(p->command_line.v, "c", "commandLine");
    is_u64(p->user.uid.v, 4294967294u, "uid, the last that there is");
    ok(p->user.gid.set && p->user.gid.v == 0, "gid 0 is set");
    is_u64(p->user.umask.v, 022, "umask");
    is_u64(p->user.additional_gids.v[1].v, 4294967294u, "additionalGids");
    place(p->user.additional_gids.v[1].src, "/process/user/additionalGids/1");
    is_str(p->user.username.v, "u", "username");
    is_u64(p->capabilities.bounding.mask, 1ull << 0 | 1ull << 40, "bounding");
    ok(p->capabilities.effective.set && p->capabilities.effective.mask == 0, "an empty set is there");
    is_u64(p->capabilities.inheritable.mask, 1ull << 5, "inheritable");
    is_u64(p->capabilities.permitted.mask, 1ull << 21, "a capability named twice");
    ok(!p->capabilities.ambient.set, "null is absent");
    place(p->capabilities.bounding.src, "/process/capabilities/bounding");
    is_int(p->rlimits.n, 2, "rlimits");
    is_int(p->rlimits.v[0].resource, RLIMIT_NOFILE, "rlimit type");
    is_str(p->rlimits.v[0].type.v, "RLIMIT_NOFILE", "rlimit type as written");
    is_u64(p->rlimits.v[0].hard, UINT64_MAX, "18446744073709551615 is exact");
    is_u64(p->rlimits.v[1].hard, UINT64_MAX - 1, "18446744073709551614 is exact");
    is_u64(p->rlimits.v[1].soft, 9007199254740993u, "2^53 + 1 is exact");
    ok(p->no_new_privileges.set && !p->no_new_privileges.v, "false is set");
    is_str(p->apparmor_profile.v, "a", "apparmorProfile");
    is_str(p->selinux_label.v, "s", "selinuxLabel");
    is_int(p->oom_score_adj.v, -1000, "oomScoreAdj");
    is_int(p->scheduler.policy, SCHED_DEADLINE, "scheduler.policy");
    is_int(p->scheduler.nice.v, -20, "scheduler.nice");
    ok(p->scheduler.priority.set && p->scheduler.priority.v == 0, "scheduler.priority");
    is_u64(p->scheduler.flags, SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_UTIL_CLAMP_MAX, "scheduler.flags");
    is_u64(p->scheduler.runtime.v, 2000, "scheduler.runtime");
    is_u64(p->scheduler.deadline.v, 3000, "scheduler.deadline");
    is_u64(p->scheduler.period.v, 4000, "scheduler.period");
    is_int(p->ioprio.class, IOPRIO_CLASS_IDLE, "ioPriority.class");
    is_int(p->ioprio.priority.v, 7, "ioPriority.priority");
    is_str(p->exec_cpu_affinity.initial.v, "0-3, 7", "execCPUAffinity.initial");
    is_str(p->exec_cpu_affinity.final.v, "", "execCPUAffinity.final, empty and there");
    place(p->src, "/process");
}

static void test_linux(void)
{
    const struct wh_linux *l = &s->linux_;

    for (int i = 0; i < WH_NS_MAX; i++)
        ok(l->ns[i].set && (l->ns[i].path.v != NULL) == (i == WH_NS_NETWORK), "namespace %s",
           wh_ns_name((enum wh_ns)i));
    is_str(l->ns[WH_NS_NETWORK].path.v, "/n", "namespace path");
    place(l->ns[WH_NS_TIME].src, "/linux/namespaces/7");
    is_u64(l->uid_mappings.v[0].size, 4294967295u, "a map of all ids");
    is_int(l->gid_mappings.n, 1, "gidMappings");
    is_int(l->devices.n, 3, "devices");
    ok(l->devices.v[0].type == 'p' && l->devices.v[1].type == 'c' && l->devices.v[2].type == 'b',
       "device types, u is c");
    ok(!l->devices.v[0].major.set && l->devices.v[0].file_mode.v == 0644, "a FIFO");
    is_u64(l->devices.v[0].uid.v, 1, "device uid");
    is_u64(l->devices.v[0].gid.v, 2, "device gid");
    is_int(l->devices.v[1].major.v, 4095, "device major");
    is_int(l->devices.v[1].minor.v, 1048575, "device minor");
    is_str(l->devices.v[2].path.v, "/dev/b", "device path");
    is_int(l->net_devices.n, 2, "netDevices");
    is_str(l->net_devices.v[0].host_name, "eth0", "netDevices, the key");
    is_str(l->net_devices.v[0].name.v, "c%d", "netDevices name");
    is_str(l->net_devices.v[1].name.v, NULL, "netDevices without name");
    is_str(l->cgroups_path.v, "", "an empty cgroupsPath is there");
    is_str(l->rootfs_propagation.v, "rslave", "rootfsPropagation");
    is_str(l->mount_label.v, "l", "mountLabel");
    is_str(l->sysctl.v[1].key, "net/ipv4/conf/eth0.5/forwarding", "sysctl key");
    is_str(l->sysctl.v[0].value, "1", "sysctl value");
    is_str(l->masked_paths.v[0].v, "/m", "maskedPaths");
    is_str(l->readonly_paths.v[1].v, "/r2", "readonlyPaths");
    is_str(l->intel_rdt.clos_id.v, "/", "closID");
    is_str(l->intel_rdt.l3_cache_schema.v, "L3:0=f", "l3CacheSchema");
    is_str(l->intel_rdt.mem_bw_schema.v, "MB:0=1", "memBwSchema");
    is_str(l->intel_rdt.schemata.v[1].v, "y", "schemata");
    ok(l->intel_rdt.enable_monitoring.v && l->intel_rdt.enable_cmt.set && !l->intel_rdt.enable_cmt.v &&
           l->intel_rdt.enable_mbm.v,
       "intelRdt switches");
    is_int(l->memory_policy.mode, 6, "memoryPolicy mode");
    is_str(l->memory_policy.nodes.v, "0-1,3", "memoryPolicy nodes");
    is_u64(l->memory_policy.flags, 1u << 15, "memoryPolicy flags");
    is_u64(l->personality.persona, 8, "personality");
    ok(l->personality.set && l->personality.flags.set && l->personality.flags.n == 0, "personality flags");
    is_int(l->time_offsets.monotonic.secs.v, INT64_MIN, "secs, the least");
    is_u64(l->time_offsets.monotonic.nanosecs.v, 999999999, "nanosecs");
    is_int(l->time_offsets.boottime.secs.v, INT64_MAX, "secs, the most");
    ok(!l->time_offsets.boottime.nanosecs.set, "nanosecs absent");
}

static void test_resources(void)
{
    const struct wh_resources *r = &s->linux_.resources;

    is_str(r->unified.v[0].key, "memory.high", "unified");
    is_int(r->devices.n, 2, "device rules");
    ok(!r->devices.v[0].allow && r->devices.v[1].allow && r->devices.v[1].type == 'c', "device rule");
    ok(!r->devices.v[0].major.set && r->devices.v[1].major.v == -1 && r->devices.v[1].minor.v == 3,
       "device rule numbers");
    is_str(r->devices.v[1].access.v, "r", "device rule access");
    ok(r->pids.limit.set && r->pids.limit.v == 0, "pids.limit 0 is set");
    is_int(r->memory.limit.v, INT64_MAX, "memory.limit");
    is_int(r->memory.reservation.v, -1, "memory.reservation");
    is_int(r->memory.swap.v, INT64_MAX, "memory.swap");
    is_int(r->memory.kernel.v, -1, "memory.kernel");
    ok(r->memory.kernel_tcp.set && r->memory.kernel_tcp.v == 0, "memory.kernelTCP");
    is_u64(r->memory.swappiness.v, 100, "memory.swappiness");
    ok(r->memory.disable_oom_killer.v && r->memory.use_hierarchy.set && !r->memory.use_hierarchy.v &&
           r->memory.check_before_update.v,
       "memory switches");
    is_u64(r->cpu.shares.v, UINT64_MAX, "cpu.shares");
    is_int(r->cpu.quota.v, INT64_MIN, "cpu.quota");
    is_u64(r->cpu.period.v, 2, "cpu.period");
    is_u64(r->cpu.burst.v, 3, "cpu.burst");
    is_int(r->cpu.rt_runtime.v, -4, "cpu.realtimeRuntime");
    is_u64(r->cpu.rt_period.v, 5, "cpu.realtimePeriod");
    is_int(r->cpu.idle.v, 1, "cpu.idle");
    is_str(r->cpu.cpus.v, "0-1", "cpu.cpus");
    is_str(r->cpu.mems.v, "0", "cpu.mems");
    is_u64(r->block_io.weight.v, 10, "blockIO.weight");
    is_u64(r->block_io.leaf_weight.v, 1000, "blockIO.leafWeight");
    is_u64(r->block_io.weight_device.v[0].weight.v, 20, "weightDevice.weight");
    is_u64(r->block_io.weight_device.v[0].leaf_weight.v, 30, "weightDevice.leafWeight");
    is_u64(r->block_io.read_bps.v[0].rate.v, UINT64_MAX, "throttleReadBpsDevice");
    is_u64(r->block_io.write_bps.v[0].rate.v, 3, "throttleWriteBpsDevice");
    is_int(r->block_io.read_iops.v[0].minor, 4, "throttleReadIOPSDevice");
    is_u64(r->block_io.write_iops.v[1].rate.v, 6, "throttleWriteIOPSDevice");
    place(r->block_io.write_iops.v[1].src, "/linux/resources/blockIO/throttleWriteIOPSDevice/1");
    is_str(r->hugepages.v[0].page_size.v, "2MB", "hugepageLimits.pageSize");
    is_u64(r->hugepages.v[0].limit, 9223372036854772000u, "hugepageLimits.limit");
    is_str(r->rdma.v[0].device, "mlx5_1", "rdma, the key");
    is_u64(r->rdma.v[0].hca_handles.v, 3, "hcaHandles");
    is_u64(r->rdma.v[0].hca_objects.v, UINT32_MAX, "hcaObjects");
    is_u64(r->network.class_id.v, 1048577, "classID");
    is_int(r->network.nprio, 1, "priorities");
    is_str(r->network.prio[0].name.v, "eth0", "priority name");
    is_u64(r->network.prio[0].priority, 500, "priority");
}

static void test_seccomp(void)
{
    const struct wh_seccomp *c = &s->linux_.seccomp;

    ok(c->set, "seccomp is there");
    is_str(c->default_action.v, "SCMP_ACT_ERRNO", "defaultAction");
    is_u64(c->default_errno_ret.v, 38, "defaultErrnoRet");
    is_str(c->architectures.v[0].v, "SCMP_ARCH_X86_64", "architectures");
    ok(c->flags.set && c->flags.n == 0, "flags: [] is not absent");
    is_str(c->listener_path.v, "/l", "listenerPath");
    is_str(c->listener_metadata.v, "", "listenerMetadata");
    is_int(c->nrules, 1, "syscalls");
    is_str(c->rules[0].names.v[1].v, "b", "names");
    is_str(c->rules[0].action.v, "SCMP_ACT_TRACE", "action");
    is_u64(c->rules[0].errno_ret.v, 65535, "errnoRet");
    is_int(c->rules[0].nargs, 2, "args");
    is_u64(c->rules[0].args[0].index, 5, "index");
    is_u64(c->rules[0].args[0].value, UINT64_MAX, "value is exact");
    is_u64(c->rules[0].args[0].value_two, UINT64_MAX - 1, "valueTwo is exact");
    is_str(c->rules[0].args[0].op.v, "SCMP_CMP_MASKED_EQ", "op");
    is_u64(c->rules[0].args[1].value, 9007199254740993u, "2^53 + 1 is exact");
    place(c->rules[0].args[1].src, "/linux/seccomp/syscalls/0/args/1");
}

/* A process object of its own: places name its file, also when a container's configuration is asked for them. */
static void test_process_file(void)
{
    static const char good[] = "{\n \"cwd\": \"/x\", \"args\": [\"a\", \"b\"] }",
                      bad[] = "{ \"cwd\": \"x\", \"args\": 1 }";
    struct wh_errlist errs = { 0 };
    struct wh_spec *p = NULL, container = *s;
    char buf[200];
    uint32_t col;

    is_int(wh_spec_parse_process(good, sizeof good - 1, "p.json", &p, &errs), 0, "a process object is a document");
    if (!p)
        return;
    ok(p->process && p->process->args.n == 2, "with its properties");
    is_str(wh_spec_where(p, p->process->args.v[1].src, buf, sizeof buf), "p.json:2:29: /args/1", "and their places");
    container.exec = p;
    is_str(wh_spec_where(&container, p->process->cwd.src, buf, sizeof buf), "p.json:2:9: /cwd",
           "also by way of a container");
    is_str(wh_spec_file(&container, p->process->cwd.src), "p.json", "its file");
    is_int(wh_spec_line(&container, p->process->cwd.src, &col), 2, "its line");
    is_str(wh_spec_pointer(&container, container.root.src, buf, sizeof buf), "/root", "those of the container stay");
    wh_spec_free(p);
    is_int(wh_spec_parse_process(bad, sizeof bad - 1, "p.json", &p, &errs), -EINVAL, "what is wrong is told");
    is_int(errs.n, 2, "all of it");
    is_str(errs.e[0].path, "p.json: /cwd", "with its place");
}

/* A guess is worth something within two letters, and for what confines none is made. */
static void suggestions(void)
{
    static const struct {
        const struct wh_names *names;
        const char *name, *want;
    } t[] = {
        { &wh_names_rlimit, "RLIMIT_NPRCO", "RLIMIT_NPROC" },
        { &wh_names_rlimit, "RLIMIT_NPRXX", "RLIMIT_NPROC" },
        { &wh_names_rlimit, "RLIMIT_NPXXX", NULL },
        { &wh_names_rlimit, "rlimit_nproc", "RLIMIT_NPROC" },
        { &wh_names_cap, "CAP_CHECKPOINT_RESTOER", NULL },
        { &wh_names_propagation, "rshard", NULL },
        { &wh_names_cap, "CAP_CHECKPOINT_RESXXX", NULL },
        { &wh_names_cap, "SYS_ADMIN", "CAP_SYS_ADMIN" },
        { &wh_names_seccomp_action, "SCMP_ACT_ALOW", NULL },
        { &wh_names_seccomp_action, "SCMP_ACT_KILL_PROCES", NULL },
        { &wh_names_seccomp_op, "SCMP_CMP_NEQ", NULL },
        { &wh_names_seccomp_flag, "SECCOMP_FILTER_FLAG_LOGS", NULL },
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        const char *got = wh_names_nearest(t[i].names, t[i].name);

        ok(t[i].want ? got && strcmp(got, t[i].want) == 0 : !got, "the name that %s may have meant", t[i].name);
    }
}

int main(void)
{
    struct wh_errlist errs = { 0 };
    WH_CLEANUP_SPEC struct wh_spec *spec = NULL;
    size_t len = 0;
    char *json = read_file(FILE_NAME, &len);

    suggestions();
    if (!ok(json && wh_spec_parse(json, len, "config.json", WH_SPEC_UNKNOWN, &spec, &errs) == 0,
            FILE_NAME " is read")) {
        for (unsigned i = 0; i < errs.n; i++)
            diag("  %s: %s", errs.e[i].path, errs.e[i].msg);
        return done_testing();
    }
    /* Nothing of the text is kept. */
    memset(json, 'x', len);
    free(json);
    s = spec;
    test_process_file();
    test_top();
    test_process();
    test_linux();
    test_resources();
    test_seccomp();
    is_int(s->nunknown, 0, "no property is unknown");
    return done_testing();
}
