/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as the files of /proc, of cgroups and of /etc/subuid: what is read of them is in bounds, what is made of them is JSON, and no
 * descriptor is left open. The first byte chooses the reader; the rest, divided at NUL bytes, is what the files hold that it opens, one after
 * the other. Much of it is the kernel's word; cpulists, names of devices and what an LXC-like host mounts over /proc are not.
 */
#define FUZZ_NAME "texts"
#include "fuzz.h"

#include "fake-files.h"

/* All headers first: the names that two of the files have for something of their own are renamed for one of them. */
#include "base/json.h"
#include "host/cgroup/internal.h"
#include "host/cgroup/stat-read.h"
#include "host/cgroup/stat.h"
#include "host/cgroup/watch.h"
#include "host/facts.h"
#include "host/netstat.h"
#include "host/proc.h"
#include "host/subid.h"

#include "base/fd.c"
#define digits stat_digits
#define parse stat_parse
#define by_name stat_by_name
#include "host/cgroup/stat-read.c"
#undef digits
#undef parse
#undef by_name
#define memory_entry memory_entry_v1
#include "host/cgroup/stat-v1.c"
#undef memory_entry
#define memory_entry memory_entry_v2
#include "host/cgroup/stat-v2.c"
#undef memory_entry
#define v1 stat_v1
#include "host/cgroup/stat.c"
#undef v1
#define numbers net_numbers
#include "host/netstat.c"
#undef numbers
#include "host/proc.c"
#include "host/facts.c"
#define parse subid_parse
#define number subid_number
#include "host/subid.c"
#undef parse
#undef number
#include "host/cgroup/tree.c"
#include "host/cgroup/unified.c"
#include "host/cgroup/watch.c"

static struct fuzz_bytes rest;
static char *parts[32];
static size_t lens[32];
static unsigned int nparts, next_part;

static bool fake_file(int at, const char *path, const uint8_t **ret, size_t *ret_len)
{
    (void)at;
    must(path[0]);
    if (nparts == 0)
        return false;
    *ret = (const uint8_t *)parts[next_part % nparts];
    *ret_len = lens[next_part % nparts];
    next_part++;
    return true;
}

static void fake_path(int at, const char *path)
{
    (void)at;
    /* Killing and freezing a cgroup, and turning controllers on; no other file is written by what only looks. */
    must(strstr(path, "cgroup.") != NULL || strstr(path, ".pressure") != NULL);
}

/* ---- is it JSON? ---- */

static int on_value(void *ctx, const struct wh_json_value *v)
{
    (void)ctx, (void)v;
    return 0;
}
static int on_end(void *ctx)
{
    (void)ctx;
    return 0;
}
/* A device that is listed twice is a name twice; nothing else may be wrong. */
static void on_problem(void *ctx, uint32_t offset, const char *what)
{
    (void)ctx, (void)offset;
    must(strstr(what, "twice"));
}

static void check_json(const struct wh_buf *b)
{
    static const struct wh_json_events events = { on_value, on_end, on_problem };
    struct wh_json_reader r = { 0 };

    must(!b->failed && b->len > 0);
    must(wh_json_read(&r, b->data, b->len, &events, NULL) == 0);
    wh_json_reader_done(&r);
}

/* ---- readers ---- */

static void read_stats(bool one)
{
    static char controller[] = "cpu,cpuacct,cpuset,memory,pids,blkio,hugetlb,rdma", mount[] = "/c";
    struct wh_buf out = { 0 };
    struct wh_json j = { .out = &out };
    struct wh_cgroup cg = { .two = { .fd = fake_new(NULL, 0, true), .mount = mount } };
    struct wh_memory m;
    char text[160];

    if (one)
        cg.one[cg.none++] = (struct wh_cgroup_dir){ .controller = controller, .fd = cg.two.fd };
    wh_json_open(&j, NULL, '{');
    wh_cgroup_stats(&cg, &j);
    if (wh_cgroup_memory(&cg, &m) == 0) {
        wh_memory_json(&m, "why", &j);
        must(strlen(wh_memory_text(&m, text, sizeof text)) < sizeof text - 1);
    }
    wh_json_close(&j, '}');
    check_json(&out);
    wh_buf_done(&out);
    wh_close(cg.two.fd);
}

static void read_net(void)
{
    struct wh_buf out = { 0 };
    struct wh_json j = { .out = &out };
    char *text = fuzz_part(&rest, '\0', NULL);

    wh_json_open(&j, NULL, '{');
    wh_net_stats_text(text, &j);
    wh_json_close(&j, '}');
    check_json(&out);
    wh_buf_done(&out);
    free(text);
}

static void read_proc(int proc)
{
    char boot[WH_BOOT_ID_SIZE];
    struct wh_proc_stat st;
    struct wh_exit ex;
    int pid;

    if (wh_proc_stat(proc, 1, &st) == 0)
        must(st.state != '\0');
    pid = wh_pidfd_pid(proc, 5);
    must(pid > 0 || pid < 0);
    if (wh_proc_boot_id(proc, -1, boot) == 0)
        must(strlen(boot) < sizeof boot);
    if (wh_pidfd_exit(proc, 5, 1, 7, &ex) == 0)
        must(ex.value >= 0);
}

static void read_facts(int proc)
{
    struct wh_arena *arena = wh_arena_new();
    struct wh_facts f = { 0 };
    struct wh_err err = { 0 };

    if (probe_cgroups(proc, &f, arena, &err) < 0)
        must(err.code < 0 && err.msg[0]);
    must(f.nv1 <= V1_MAX);
    for (size_t i = 0; i < f.nv1; i++)
        must(f.v1[i].mountpoint && f.v1[i].controllers && f.v1[i].controllers[0] && f.v1[i].own);
    must(f.cgroup_mode == WH_CGROUP_NONE || f.cgroup2_mount);
    wh_arena_free(arena);
}

static void read_subid(void)
{
    struct wh_subid_range r;
    char name[64], *map;

    wh_user_name(1000, name, sizeof name);
    must(strlen(name) < sizeof name);
    if (wh_subid_biggest(false, 1000, name, &r) == 1)
        must(r.count > 0 && r.count <= UINT32_MAX && r.first <= UINT32_MAX);
    must(wh_subid_free() >= FIRST_SUBID);
    map = fuzz_part(&rest, '\0', NULL);
    if (wh_subid_uncovered(true, 1000, name, 1000, map, &r) == 1)
        must(r.count > 0);
    free(map);
}

static void read_cgroup(void)
{
    static char mount[] = "/c", path[] = "/a/b";
    struct wh_cgroup_dir dir = { .mount = mount, .path = path };
    struct wh_pids pids = { 0 };
    struct wh_err err = { 0 };
    int fd = fake_new(NULL, 0, true);

    dir.mount_fd = fd;
    (void)wh_cg_event(fd, "populated");
    (void)wh_cg_wait_event(fd, "frozen", 1, 0);
    if (add_pids(fd, "cgroup.procs", &pids) == 0)
        for (size_t i = 0; i < pids.n; i++)
            must(pids.v[i] > 0);
    free(pids.v);
    (void)wh_cg_enable(&dir, "pids memory cpu io", &err);
    wh_close(fd);
}

static void read_watch(void)
{
    struct counter all[COUNTERS_MAX], delta[COUNTERS_MAX];
    char *text = fuzz_part(&rest, '\0', NULL), resource[8], kind[8];
    uint64_t stall, window;
    unsigned int n = 0;

    /* The first part is the trigger; the others are the file, again and again. */
    for (next_part = 1; next_part < nparts;) {
        const uint8_t *data = NULL;
        size_t len = 0;
        int fd;

        fake_file(0, "memory.events", &data, &len);
        fd = fake_new(data, len, false);
        must(read_counters(fd, all, &n, delta) <= n);
        must(n <= COUNTERS_MAX);
        fake_close(fd);
    }
    if (parse_trigger(text, resource, kind, &stall, &window) == 0)
        must(memchr(resource, '\0', sizeof resource) && memchr(kind, '\0', sizeof kind));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int proc;
    unsigned int which;

    rest = (struct fuzz_bytes){ data, size };
    which = (unsigned int)fuzz_take(&rest, 1) % 8;
    fake_reset();
    nparts = next_part = 0;
    if (which != 2)
        while (rest.left > 0 && nparts < WH_ELEMENTSOF(parts) - 1) {
            parts[nparts] = fuzz_part(&rest, '\0', &lens[nparts]);
            nparts++;
        }
    /* Some readers take a text as well. */
    if (which != 2 && nparts > 0)
        rest = (struct fuzz_bytes){ (const uint8_t *)parts[0], lens[0] };
    proc = fake_new(NULL, 0, true);
    if (which < 2)
        read_stats(which == 1);
    else if (which == 2)
        read_net();
    else if (which == 3)
        read_proc(proc);
    else if (which == 4)
        read_facts(proc);
    else if (which == 5)
        read_subid();
    else if (which == 6)
        read_cgroup();
    else
        read_watch();
    fake_close(proc);
    must(fake.open == 0);
    while (nparts > 0)
        free(parts[--nparts]);
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    /* Of each reader; a NUL byte is the end of a file. */
#define SEED(text)                                                                                                     \
    {                                                                                                                  \
        text, sizeof text - 1                                                                                          \
    }
    static const struct {
        const char *text;
        size_t len;
    } seeds[] = {
        SEED("\0usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nnr_throttled 1\nthrottled_usec 9\n\0"
             "some avg10=0.00 avg60=1.20 avg300=0.33 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n\0"
             "0-3,8\n\0max\n\0"
             "4096\n\0oom_kill 2\n\0"
             "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n\0mlx4_0 hca_handle=2 hca_object=2000\n\0"
             "hugetlb.2MB.current\nhugetlb.1GB.current\n\0"),
        SEED("\1cpu user system\n0 12 5\n1 7 9\n\0user 8\nsystem 2\n\0"
             "8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096\n\0"
             "-1\n\0total_cache 4096\ncache 1\nrss 2\n\0"
             "9223372036854771712\n\0oom_kill_disable 0\nunder_oom 0\noom_kill 1\n\0"
             "12 13 14 \n\0"),
        SEED("\2Inter-|   Receive\n face |bytes\n  lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\neth0:1 2 3 4 5 6 7 8 9 "
             "10 11 12 13 14 15 16\n"),
        SEED("\3"
             "1 (a) b) Z 0 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 7 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 "
             "0 0 0 0 0 0 9\0"
             "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nPid:\t42\nNSpid:\t42\n\0"
             "0b1c2d3e-0000-4000-8000-000000000000\n\0"),
        SEED("\4"
             "4:cpu,cpuacct:/a\n3:name=systemd:/u\n0::/a/b\n\0"
             "30 24 0:26 / /sys/fs/cgroup/uni\\040fied rw,nosuid - cgroup2 cgroup2 rw\n"
             "36 35 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\0pids memory\n\0"),
        SEED("\5u:x:1000:1000::/:/bin/sh\n\0u:100000:65536\n1000:200000:65536\nv:300000:1\n\0"
             "0 1000 1\n1 100000 65536\n\0"),
        SEED("\6populated 1\nfrozen 0\n\0"
             "12\n13\n0\n4194304\n\0pids memory\n\0domain\n\0"),
        SEED("\7memory=some:150ms/1s\0low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\n\0low 5\noom_kill 5\nhigh 1\n\0"),
    };

    if (n >= WH_ELEMENTSOF(seeds))
        return NULL;
    *ret_size = seeds[n].len;
    return memcpy(malloc(seeds[n].len), seeds[n].text, seeds[n].len);
}
