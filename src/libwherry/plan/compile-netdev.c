/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include <errno.h>

void wh_compile_netdevs(struct wh_compile *c)
{
    const struct wh_linux *l = &c->spec->linux_;
    const enum wh_ns net = WH_NS_NETWORK;

    if (l->net_devices.n == 0)
        return;
    /* They belong to the host's network namespace, in which such a user has no rights. */
    if (c->facts->euid != 0) {
        wh_compile_err(c, -EINVAL, l->net_devices.src, "network devices are not supported for rootless containers");
        return;
    }
    if (!c->new_ns[net] && (!c->join_ns[net] || c->req->in_host_netns)) {
        wh_compile_err(c, -EINVAL, l->net_devices.src, "unable to move network devices without a NET namespace");
        return;
    }
    for (size_t i = 0; i < l->net_devices.n; i++) {
        const struct wh_netdev *d = &l->net_devices.v[i];
        struct wh_step_ask_netdev *s;

        /* Each namespace has its own, which cannot be moved. */
        if (wh_streq(d->host_name, "lo")) {
            wh_compile_err(c, -EINVAL, d->src, "the loopback device cannot be moved");
            continue;
        }
        s = WH_STEP(c, ASK_NETDEV, ask_netdev, d->src);
        if (!s)
            return;
        s->device = wh_build_str(c->b, d->host_name);
        s->name = wh_build_str(c->b, d->name.v ? d->name.v : d->host_name);
    }
}
