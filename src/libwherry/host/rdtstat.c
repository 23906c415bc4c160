/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What resctrl says of a container's group (Documentation/arch/x86/resctrl.rst). */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/stat-read.h"
#include "host/intelrdt.h"

/* One for each L3 cache: far above any machine's. */
#define DOMAINS_MAX 256

static void info(struct wh_json *j, const struct wh_rdt_fs *fs, const char *key, const char *dir,
                 const char *const *files)
{
    char name[64];

    if (faccessat(fs->fd, dir, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    wh_json_open(j, key, '{');
    for (; *files; files++) {
        char *text;
        uint64_t v;

        snprintf(name, sizeof name, "%s/%s", dir, *files);
        text = wh_stat_file(fs->fd, name);
        if (text)
            text[strcspn(text, "\n")] = '\0';
        /* A mask of bits is hexadecimal, and stays as it is written. */
        if (text && wh_streq(*files, "cbm_mask"))
            wh_json_str(j, *files, text);
        else if (text && wh_parse_u64(text, UINT64_MAX, &v) == 0)
            wh_stat_opt(j, *files, v);
        free(text);
    }
    wh_json_close(j, '}');
}

/* The line of a schemata file that is about a resource: "L3:0=fffff;1=fffff", which the kernel indents. */
static void schema(struct wh_json *j, const char *key, const char *schemata, const char *resource)
{
    char *copy = schemata ? strdup(schemata) : NULL, *at = copy;
    size_t len = strlen(resource);

    for (char *line; (line = wh_stat_line(&at)) != NULL;) {
        line += strspn(line, " ");
        if (strncmp(line, resource, len) == 0 && line[len] == ':') {
            wh_json_str(j, key, line);
            break;
        }
    }
    free(copy);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_l3(const struct dirent *e)
{
    return wh_startswith(e->d_name, "mon_L3_");
}

/* One list of what is monitored, an entry for each L3 cache. The second file may be null. */
static void monitored(struct wh_json *j, const char *key, int group, const char *one, const char *two)
{
    WH_CLEANUP_FD int data = openat(group, "mon_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct dirent **domains = NULL;
    int n = data < 0 ? -1 : scandirat(data, ".", &domains, is_l3, by_name);
    bool open = false;

    for (int i = 0; i < n; i++) {
        WH_CLEANUP_FD int d = openat(data, domains[i]->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        uint64_t a = 0, b = 0;
        bool some = wh_stat_number(d, one, &a);

        some = (two && wh_stat_number(d, two, &b)) || some;
        free(domains[i]);
        /* "Unavailable": the hardware has not counted yet. */
        if (!some || i >= DOMAINS_MAX)
            continue;
        if (!open)
            wh_json_open(j, key, '[');
        open = true;
        wh_json_open(j, NULL, '{');
        wh_stat_opt(j, one, a);
        if (two)
            wh_stat_opt(j, two, b);
        wh_json_close(j, '}');
    }
    if (open)
        wh_json_close(j, ']');
    free(domains);
}

void wh_rdt_stats(const struct wh_rdt_fs *fs, int dir_fd, struct wh_json *j)
{
    static const char *const cache[] = { "cbm_mask", "min_cbm_bits", "num_closids", NULL };
    static const char *const bandwidth[] = { "bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids", NULL };
    WH_CLEANUP_FD int group = -1, monitor = -1;

    wh_json_open(j, "intel_rdt", '{');
    if (fs->fd >= 0 && wh_rdt_open(fs, dir_fd, &group, &monitor) == 0) {
        char *root = wh_stat_file(fs->fd, "schemata"), *own = wh_stat_file(group, "schemata");

        info(j, fs, "l3_cache_info", "info/L3", cache);
        schema(j, "l3_cache_schema_root", root, "L3");
        schema(j, "l3_cache_schema", own, "L3");
        info(j, fs, "mem_bw_info", "info/MB", bandwidth);
        schema(j, "mem_bw_schema_root", root, "MB");
        schema(j, "mem_bw_schema", own, "MB");
        if (own)
            wh_json_str(j, "schemata", own);
        monitored(j, "mbm_stats", monitor >= 0 ? monitor : group, "mbm_total_bytes", "mbm_local_bytes");
        monitored(j, "cmt_stats", monitor >= 0 ? monitor : group, "llc_occupancy", NULL);
        free(root);
        free(own);
    }
    wh_json_close(j, '}');
}

void wh_rdt_stats_here(int proc_fd, int dir_fd, struct wh_json *j)
{
    struct wh_rdt_fs fs = { .fd = -1 };
    struct wh_err ignored = { 0 };

    if (faccessat(dir_fd, "rdt", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        (void)wh_rdt_find(proc_fd, &fs, &ignored);
    wh_rdt_stats(&fs, dir_fd, j);
    wh_close(fs.fd);
}
