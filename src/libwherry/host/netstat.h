/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_NETSTAT_H
#define WH_HOST_NETSTAT_H

#include <sys/types.h>

#include "base/json-out.h"

/* The member network_interfaces: what the interfaces of the process's network namespace have counted; null when that is our own (its
 * numbers are the host's and not a container's), when it cannot be read, or when there is none. The caller makes sure afterwards that the
 * process still lives: its number may be another one's by then. */
void wh_net_stats(int proc_fd, pid_t pid, struct wh_json *j);

/* The same from the text of /proc/PID/net/dev, which is changed. */
void wh_net_stats_text(char *text, struct wh_json *j);

#endif
