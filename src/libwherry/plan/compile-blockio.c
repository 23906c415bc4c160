/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux.resources.blockIO. Weights are the I/O scheduler's: of BFQ where the kernel has that, else of the iocost controller, which every
 * cgroup2 with io.weight has. Throttles are the block layer's own.
 */
#include "plan/compile-resources.h"

static const struct wh_controller io = { "io", "blkio" };

uint32_t wh_io_weight(uint32_t weight)
{
    return weight <= 10 ? 1 : weight >= 1000 ? 10000 : 1 + (weight - 10) * 9999 / 990;
}

static const char *device(struct wh_res *x, const struct wh_blkio_dev *d, const char *key, uint64_t value)
{
    return wh_arena_printf(x->c->arena, "%lld:%lld %s%llu", (long long)d->major, (long long)d->minor, key,
                           (unsigned long long)value);
}

/* `dev`: for one device, else for all. */
static void weight(struct wh_res *x, const struct wh_opt_u32 *w, const struct wh_blkio_dev *dev)
{
    enum wh_res_at at;

    if (!w->v)
        return;
    at = wh_res_at(x, WH_RES_WEIGHT, &io, w->src, dev ? "blockIO weightDevice" : "blockIO weight", wh_res_u64(x, w->v));
    if (at == WH_RES_V1) {
        const char *value = dev ? device(x, dev, "", w->v) : wh_res_u64(x, w->v);

        wh_res_put(x, at, &io, w->src, dev ? "blkio.bfq.weight_device" : "blkio.bfq.weight", value, WH_CGW_MAY_LACK);
        wh_res_put(x, at, &io, w->src, dev ? "blkio.weight_device" : "blkio.weight", value,
                   WH_CGW_ELSE | WH_CGW_MAY_LACK);
    } else {
        uint32_t iocost = wh_io_weight(w->v);

        wh_res_put(x, at, &io, w->src, "io.bfq.weight", dev ? device(x, dev, "", w->v) : wh_res_u64(x, w->v),
                   WH_CGW_MAY_LACK);
        wh_res_put(x, at, &io, w->src, "io.weight", dev ? device(x, dev, "", iocost) : wh_res_u64(x, iocost),
                   WH_CGW_ELSE | WH_CGW_MAY_LACK);
    }
}

/* Of the processes against the cgroups below, in a scheduler that left the kernel with 5.0: that the file is there after all is for a kernel
 * that somebody has put it back into. cgroup2 has no such thing. */
static void leaf_weight(struct wh_res *x, const struct wh_opt_u32 *w, const struct wh_blkio_dev *dev)
{
    const char *what = dev ? "blockIO weightDevice leafWeight" : "blockIO leafWeight", *value = wh_res_u64(x, w->v);
    enum wh_res_at at;

    if (!w->v)
        return;
    at = wh_res_at(x, WH_RES_WEIGHT, &io, w->src, what, value);
    if (at != WH_RES_NOWHERE)
        wh_res_skip(x, w->src, what, value, "blkio.leaf_weight");
    if (at == WH_RES_V1)
        wh_res_put(x, at, &io, w->src, dev ? "blkio.leaf_weight_device" : "blkio.leaf_weight",
                   dev ? device(x, dev, "", w->v) : value, WH_CGW_MAY_LACK);
}

void wh_res_block_io(struct wh_res *x)
{
    const typeof(x->r->block_io) *b = &x->r->block_io;
    const struct {
        const struct wh_blkio_devs *devs;
        const char *what, *one, *two;
    } throttles[] = {
        { &b->read_bps, "throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps=" },
        { &b->write_bps, "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps=" },
        { &b->read_iops, "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops=" },
        { &b->write_iops, "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops=" },
    };

    weight(x, &b->weight, NULL);
    leaf_weight(x, &b->leaf_weight, NULL);
    for (size_t i = 0; i < b->weight_device.n; i++) {
        weight(x, &b->weight_device.v[i].weight, &b->weight_device.v[i]);
        leaf_weight(x, &b->weight_device.v[i].leaf_weight, &b->weight_device.v[i]);
    }
    for (size_t k = 0; k < WH_ELEMENTSOF(throttles); k++)
        for (size_t i = 0; i < throttles[k].devs->n; i++) {
            const struct wh_blkio_dev *d = &throttles[k].devs->v[i];
            enum wh_res_at at;

            if (!d->rate.v)
                continue;
            at = wh_res_at(x, WH_RES_LIMIT, &io, d->rate.src, throttles[k].what, device(x, d, "", d->rate.v));
            wh_res_put(x, at, &io, d->rate.src, at == WH_RES_V1 ? throttles[k].one : "io.max",
                       device(x, d, at == WH_RES_V1 ? "" : throttles[k].two, d->rate.v), 0);
        }
}
