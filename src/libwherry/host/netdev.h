/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_NETDEV_H
#define WH_HOST_NETDEV_H

#include "host/serve.h"

/*
 * Network devices of the host in a container (linux.netDevices). For each, lines of the journal, written before it is touched:
 *
 *   addr BYTES                                      for each address, struct wh_ifaddr in hex
 *   netdev INDEX UP NEWINDEX KIND DEVICE NAME       ends the list of its addresses; UP: 1 or 0, KIND: "-" if physical
 *
 * The two namespaces are mounted on files of the state directory: without that, virtual devices would be destroyed together with
 * the container's namespace when its last process ends, before delete could bring them back.
 */

/* ASK_NETDEV: moves one, renamed, with its permanent global addresses, and sets it up. */
int wh_netdev_move(int proc_fd, int dir_fd, int journal_fd, const struct wh_plan *plan, const struct wh_ask *ask,
                   struct wh_err *err);

/*
 * Brings back what the journal in dir_fd names, as it was: name, number, addresses, up or down. What is gone (deleted by the
 * container, or the host restarted) is nothing to bring back; when the host has another device of that name by now, it gets the
 * name that the kernel gives in such a case, dev%d. Does nothing where nothing was moved. On failure all of it can be repeated.
 */
int wh_netdev_return(int dir_fd, struct wh_err *err);

#endif
