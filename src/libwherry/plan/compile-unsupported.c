/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include <errno.h>

/*
 * What spec takes in and no op executes yet. Refusing is the only answer that is neither a lie (the container would run
 * without what was asked for) nor a surprise. Values that mean "unset" to every engine (0, "", false, empty objects) ask
 * for nothing: docker sends all resources as zeros and labels as empty strings.
 */
static void refuse(struct wh_compile *c, wh_node src, const char *property)
{
    wh_compile_err(c, -EINVAL, src, "%s is not supported by this version of wherry", property);
}

static void refuse_str(struct wh_compile *c, const struct wh_sstr *s, const char *property)
{
    if (s->v && *s->v)
        refuse(c, s->src, property);
}

/* For the optional numbers, whatever their type. */
#define refuse_nonzero(c, opt, property)                                                                               \
    do {                                                                                                               \
        if ((opt).set && (opt).v)                                                                                      \
            refuse((c), (opt).src, (property));                                                                        \
    } while (0)

static void memory(struct wh_compile *c, const struct wh_resources *r)
{
    refuse_nonzero(c, r->memory.limit, "resources.memory.limit");
    refuse_nonzero(c, r->memory.reservation, "resources.memory.reservation");
    refuse_nonzero(c, r->memory.swap, "resources.memory.swap");
    refuse_nonzero(c, r->memory.kernel, "resources.memory.kernel");
    refuse_nonzero(c, r->memory.kernel_tcp, "resources.memory.kernelTCP");
    /* 0 is a swappiness. */
    if (r->memory.swappiness.set)
        refuse(c, r->memory.swappiness.src, "resources.memory.swappiness");
    refuse_nonzero(c, r->memory.disable_oom_killer, "resources.memory.disableOOMKiller");
    /* useHierarchy is ignored everywhere, and checkBeforeUpdate says nothing about create. */
}

static void cpu(struct wh_compile *c, const struct wh_resources *r)
{
    /* 1024 is the weight that every cgroup starts with (100 in cgroup2), and what ctr sends with every container. */
    if (r->cpu.shares.set && r->cpu.shares.v != 1024)
        refuse_nonzero(c, r->cpu.shares, "resources.cpu.shares");
    refuse_nonzero(c, r->cpu.quota, "resources.cpu.quota");
    refuse_nonzero(c, r->cpu.period, "resources.cpu.period");
    refuse_nonzero(c, r->cpu.burst, "resources.cpu.burst");
    refuse_nonzero(c, r->cpu.rt_runtime, "resources.cpu.realtimeRuntime");
    refuse_nonzero(c, r->cpu.rt_period, "resources.cpu.realtimePeriod");
    refuse_nonzero(c, r->cpu.idle, "resources.cpu.idle");
    refuse_str(c, &r->cpu.cpus, "resources.cpu.cpus");
    refuse_str(c, &r->cpu.mems, "resources.cpu.mems");
}

static void block_io(struct wh_compile *c, const struct wh_resources *r)
{
    const struct {
        const struct wh_blkio_devs *devs;
        const char *property;
    } lists[] = {
        { &r->block_io.weight_device, "resources.blockIO.weightDevice" },
        { &r->block_io.read_bps, "resources.blockIO.throttleReadBpsDevice" },
        { &r->block_io.write_bps, "resources.blockIO.throttleWriteBpsDevice" },
        { &r->block_io.read_iops, "resources.blockIO.throttleReadIOPSDevice" },
        { &r->block_io.write_iops, "resources.blockIO.throttleWriteIOPSDevice" },
    };

    refuse_nonzero(c, r->block_io.weight, "resources.blockIO.weight");
    refuse_nonzero(c, r->block_io.leaf_weight, "resources.blockIO.leafWeight");
    for (size_t i = 0; i < WH_ELEMENTSOF(lists); i++)
        if (lists[i].devs->n)
            refuse(c, lists[i].devs->src, lists[i].property);
}

static void resources(struct wh_compile *c, const struct wh_resources *r)
{
    memory(c, r);
    cpu(c, r);
    block_io(c, r);
    if (r->hugepages.n)
        refuse(c, r->hugepages.src, "resources.hugepageLimits");
    if (r->rdma.n)
        refuse(c, r->rdma.src, "resources.rdma");
    refuse_nonzero(c, r->network.class_id, "resources.network.classID");
    if (r->network.nprio)
        refuse(c, r->network.src, "resources.network.priorities");
    if (r->unified.n)
        refuse(c, r->unified.src, "resources.unified");
}

void wh_compile_refuse(struct wh_compile *c)
{
    const struct wh_spec *s = c->spec;
    const struct wh_linux *l = &s->linux_;

    resources(c, &l->resources);
}
