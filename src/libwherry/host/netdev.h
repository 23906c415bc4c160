/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_NETDEV_H
#define WH_HOST_NETDEV_H

#include "host/serve.h"

/*
 * ASK_NETDEV: moves a network device of the host into the container (linux.netDevices), renamed, with its permanent global addresses, and
 * sets it up. It is never moved back: the specification leaves it to the kernel what becomes of it when the namespace ends (physical
 * devices return to the host, virtual ones are destroyed), and in a joined namespace it stays.
 */
int wh_netdev_move(int proc_fd, const struct wh_plan *plan, const struct wh_ask *ask, struct wh_err *err);

#endif
