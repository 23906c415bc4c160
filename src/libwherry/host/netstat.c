/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/netstat.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/stat-read.h"
#include "host/proc.h"

/* Columns behind "NAME:" (net/core/net-procfs.c). */
static const struct {
    const char *key;
    unsigned column;
} counters[] = {
    { "RxBytes", 0 }, { "RxPackets", 1 }, { "RxErrors", 2 },  { "RxDropped", 3 },
    { "TxBytes", 8 }, { "TxPackets", 9 }, { "TxErrors", 10 }, { "TxDropped", 11 },
};
#define COLUMNS 16

static bool numbers(char *line, uint64_t v[COLUMNS])
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        char *word = wh_stat_word(&line);

        if (!word || wh_parse_u64(word, UINT64_MAX, &v[i]) < 0)
            return false;
    }
    return true;
}

void wh_net_stats_text(char *text, struct wh_json *j)
{
    bool open = false;

    for (char *line; (line = wh_stat_line(&text)) != NULL;) {
        char *name = line + strspn(line, " "), *colon = strrchr(name, ':');
        uint64_t v[COLUMNS];

        if (!colon || colon == name)
            continue;
        *colon = '\0';
        if (!numbers(colon + 1, v))
            continue;
        if (!open)
            wh_json_open(j, "network_interfaces", '[');
        open = true;
        wh_json_open(j, NULL, '{');
        wh_json_str(j, "Name", name);
        for (size_t i = 0; i < WH_ELEMENTSOF(counters); i++)
            wh_json_u64(j, counters[i].key, v[counters[i].column]);
        wh_json_close(j, '}');
    }
    if (open)
        wh_json_close(j, ']');
    else
        wh_json_raw(j, "network_interfaces", "null");
}

static bool same_namespace(int proc_fd, pid_t pid)
{
    uint64_t own, theirs;
    char link[40];

    snprintf(link, sizeof link, "%d/ns/net", (int)pid);
    /* Who may not look at the link (another user's container) may not have the numbers either. */
    return wh_proc_ns_ino(proc_fd, "self/ns/net", &own) < 0 || wh_proc_ns_ino(proc_fd, link, &theirs) < 0 ||
           own == theirs;
}

void wh_net_stats(int proc_fd, pid_t pid, struct wh_json *j)
{
    WH_CLEANUP_FD int dir = -1;
    char path[32], *text = NULL;

    snprintf(path, sizeof path, "%d/net", (int)pid);
    if (!same_namespace(proc_fd, pid))
        dir =
            wh_openat2(proc_fd, path, O_PATH | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (dir >= 0)
        text = wh_stat_file(dir, "dev");
    wh_net_stats_text(text, j);
    free(text);
}
