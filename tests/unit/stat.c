/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics and events of cgroups, from directories that stand for those of the kernel: what it writes, what older and other kernels write,
 * and what nothing should write.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/stat-read.h"
#include "host/cgroup/stat.h"
#include "host/cgroup/watch.h"
#include "host/netstat.h"
#include "tap.h"

static char top_path[] = "/tmp/wherry-stat-XXXXXX";
static int top = -1;

static void put(int dir, const char *name, const char *text)
{
    WH_CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || wh_write_all(fd, text, strlen(text)) < 0)
        abort();
}

/* A new, empty directory. */
static int fresh(void)
{
    static unsigned n;
    char name[16];
    int fd;

    snprintf(name, sizeof name, "%u", n++);
    if (mkdirat(top, name, 0755) < 0)
        abort();
    fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        abort();
    return fd;
}

/* A cgroup value around directories that are there; its strings are literals, so it is not to be freed. */
static struct wh_cgroup cgroup(int two)
{
    struct wh_cgroup cg;

    wh_cgroup_init(&cg);
    cg.two.fd = two;
    cg.two.mount = (char *)(uintptr_t) "/sys/fs/cgroup";
    return cg;
}

static void add_v1(struct wh_cgroup *cg, const char *controller, int fd)
{
    cg->one[cg->none++] =
        (struct wh_cgroup_dir){ .controller = (char *)(uintptr_t)controller, .fd = fd, .mount_fd = -1 };
}

/* What is between {} of one part; freed by the next call. */
static const char *part(void (*fn)(struct wh_json *j, int dirfd), int dirfd)
{
    static struct wh_buf out;
    struct wh_json j = { .out = &out };

    wh_buf_done(&out);
    wh_json_open(&j, NULL, '{');
    fn(&j, dirfd);
    wh_json_close(&j, '}');
    return out.data;
}

static const char *stats(const struct wh_cgroup *cg)
{
    static struct wh_buf out;
    struct wh_json j = { .out = &out };

    wh_buf_done(&out);
    wh_json_open(&j, NULL, '{');
    wh_cgroup_stats(cg, &j);
    wh_json_close(&j, '}');
    return out.data;
}

#define NOTHING                                                                                                        \
    "{\"cpu\":{\"usage\":{\"kernel\":0,\"user\":0},\"throttling\":{}},\"cpuset\":{\"cpu_exclusive\":0,"                \
    "\"mem_hardwall\":0,\"mem_exclusive\":0,\"memory_migrate\":0,\"memory_spread_page\":0,\"memory_spread_slab\":0,"   \
    "\"memory_pressure\":0,\"sched_load_balance\":0,\"sched_relax_domain_level\":0},\"memory\":{\"usage\":{"           \
    "\"limit\":0,\"failcnt\":0},\"swap\":{\"limit\":0,\"failcnt\":0},\"kernel\":{\"limit\":0,\"failcnt\":0},"          \
    "\"kernelTCP\":{\"limit\":0,\"failcnt\":0}},\"pids\":{},\"blkio\":{},\"hugetlb\":{}}"

static void test_nothing(void)
{
    static const char *const files[] = { "cpu.stat",       "cpu.pressure",    "memory.stat",
                                         "memory.current", "memory.max",      "memory.peak",
                                         "pids.max",       "pids.current",    "io.stat",
                                         "rdma.current",   "rdma.max",        "memory.pressure",
                                         "memory.events",  "io.pressure",     "cpuset.cpus.effective",
                                         "hugetlb.events", "hugetlb..current" };
    static const char *const odd[] = { "",
                                       "\n",
                                       " ",
                                       "\n\n\n",
                                       "max max\n",
                                       "-1\n",
                                       "some\n",
                                       "8:0\n",
                                       "8:0 rbytes\n",
                                       "8:0 rbytes=\nx:y rbytes=1\n:\n: =\n8:0 rbytes=99999999999999999999\n",
                                       "usage_usec\nusage_usec x\nusage_usec 99999999999999999999999\n",
                                       "some avg10=nan avg60=inf avg300=0x1 total=1\n",
                                       "some avg10=0.00 avg60=0.00 avg300=0.00 total=-1\n",
                                       "some avg10=01.00 avg60=0.00 avg300=0.00 total=1\n",
                                       "mlx4_0\n=\n",
                                       "oom_kill\noom_kill -1\n",
                                       "0-\n",
                                       "3-1\n",
                                       "0-99999999999\n",
                                       "0,,1\n" };
    int dir = fresh();
    struct wh_cgroup cg = cgroup(dir);
    struct wh_memory m;
    const char *got;

    is_str(stats(&cg), NOTHING, "an empty directory has nothing but the members that are always there");
    cg.two.fd = -1;
    is_str(stats(&cg), NOTHING, "so has none");
    is_int(wh_cgroup_memory(&cg, &m), -ENODATA, "and its memory is not known");
    cg.two.fd = dir;
    for (size_t i = 0; i < WH_ELEMENTSOF(odd); i++) {
        for (size_t k = 0; k < WH_ELEMENTSOF(files); k++)
            put(dir, files[k], odd[i]);
        got = stats(&cg);
        /* A device whose resources cannot be read is a device all the same. */
        ok(wh_streq(got, NOTHING) || strstr(got, ",\"rdma\":{"), "odd text number %zu is not understood", i);
        ok(strstr(got, "\"psi\"") == NULL && strstr(got, "[") == NULL, "and nothing is made of it");
        is_int(wh_cgroup_memory(&cg, &m), -ENODATA, "nor of memory.events");
    }
    close(dir);
}

static void test_two(void)
{
    int d = fresh();
    struct wh_cgroup cg = cgroup(d);

    put(d, "cpu.stat",
        "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 7\nnr_throttled 3\nthrottled_usec 42\n"
        "nr_bursts 0\nburst_usec 0\n");
    is_str(part(wh_stat_two_usage, d), "{\"total\":1500000,\"kernel\":500000,\"user\":1000000}",
           "microseconds become nanoseconds");
    is_str(part(wh_stat_two_throttling, d), "{\"periods\":7,\"throttledPeriods\":3,\"throttledTime\":42000}",
           "throttling");
    put(d, "cpu.stat", "usage_usec 18446744073709551615\n");
    is_str(part(wh_stat_two_usage, d), "{\"total\":18446744073709551615,\"kernel\":0,\"user\":0}",
           "nothing wraps around");

    put(d, "memory.current", "4096\n");
    put(d, "memory.max", "max\n");
    put(d, "memory.stat", "anon 1\nfile 2048\nsock 0\n");
    is_str(part(wh_stat_two_memory, d),
           "{\"cache\":2048,\"usage\":{\"limit\":18446744073709551615,\"usage\":4096,\"failcnt\":0},\"swap\":{"
           "\"limit\":0,\"failcnt\":0},"
           "\"kernel\":{\"limit\":0,\"failcnt\":0},\"kernelTCP\":{\"limit\":0,\"failcnt\":0},\"raw\":{\"anon\":1,"
           "\"file\":2048,\"sock\":0}}",
           "memory without a limit, on a kernel without swap and peak");
    put(d, "memory.max", "8192\n");
    put(d, "memory.peak", "5000\n");
    put(d, "memory.swap.current", "100\n");
    put(d, "memory.swap.max", "1000\n");
    put(d, "memory.stat", "");
    is_str(part(wh_stat_two_memory, d),
           "{\"usage\":{\"limit\":8192,\"usage\":4096,\"max\":5000,\"failcnt\":0},\"swap\":{\"limit\":9192,\"usage\":"
           "4196,\"failcnt\":0},"
           "\"kernel\":{\"limit\":0,\"failcnt\":0},\"kernelTCP\":{\"limit\":0,\"failcnt\":0}}",
           "swap is memory and swap together");
    put(d, "memory.swap.max", "max\n");
    has_str(part(wh_stat_two_memory, d), "\"swap\":{\"limit\":18446744073709551615,\"usage\":4196",
            "unlimited swap is no small number");

    put(d, "cpuset.cpus.effective", "0-2,5\n");
    put(d, "cpuset.mems.effective", "0\n");
    has_str(part(wh_stat_two_cpuset, d), "{\"cpus\":[0,1,2,5],\"cpu_exclusive\":0,\"mems\":[0],", "a cpuset");

    put(d, "io.stat",
        "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n7:1 \n253:16 rbytes=1 wbytes=2 rios=3 wios=4 "
        "cost.usage=5\n");
    is_str(part(wh_stat_two_blkio, d),
           "{\"ioServiceBytesRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":4096},{\"major\":8,\"op\":\"Write\"},"
           "{\"major\":253,\"minor\":16,\"op\":\"Read\",\"value\":1},{\"major\":253,\"minor\":16,\"op\":\"Write\","
           "\"value\":2}],"
           "\"ioServicedRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":1},{\"major\":8,\"op\":\"Write\"},"
           "{\"major\":253,\"minor\":16,\"op\":\"Read\",\"value\":3},{\"major\":253,\"minor\":16,\"op\":\"Write\","
           "\"value\":4}]}",
           "block I/O; a device without numbers has none");

    put(d, "hugetlb.2MB.current", "1\n");
    put(d, "hugetlb.2MB.rsvd.current", "2097152\n");
    put(d, "hugetlb.2MB.events", "max 3\n");
    put(d, "hugetlb.1GB.current", "0\n");
    put(d, "hugetlb.1GB.max", "max\n");
    is_str(part(wh_stat_two_hugetlb, d), "{\"1GB\":{\"failcnt\":0},\"2MB\":{\"usage\":2097152,\"failcnt\":3}}",
           "huge pages: what is reserved");

    put(d, "pids.current", "5\n");
    put(d, "pids.max", "max\n");
    has_str(stats(&cg), "\"pids\":{\"current\":5},", "no limit of processes is none");
    put(d, "pids.max", "20\n");
    has_str(stats(&cg), "\"pids\":{\"current\":5,\"limit\":20},", "a limit of processes");

    put(d, "rdma.current", "mlx4_0 hca_handle=2 hca_object=0\n");
    put(d, "rdma.max", "mlx4_1 hca_handle=9\nmlx4_0 hca_handle=4 hca_object=max\n");
    has_str(stats(&cg),
            ",\"rdma\":{\"mlx4_0\":{\"hca_handle\":{\"current\":2,\"limit\":4},\"hca_object\":{\"limit\":"
            "18446744073709551615}}}}",
            "rdma");

    put(d, "memory.pressure",
        "some avg10=0.10 avg60=12.00 avg300=100.00 total=7\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    has_str(
        stats(&cg),
        "\"psi\":{\"some\":{\"avg10\":0.10,\"avg60\":12.00,\"avg300\":100.00,\"total\":7},\"full\":{\"avg10\":0.00,",
        "pressure as the kernel writes it");
    put(d, "memory.pressure", "some avg10=0.10 avg60=12.00 avg300=100.00 total=7\nfull avg10=0.00 avg60=\n");
    has_str(stats(&cg), "\"psi\":{\"some\":{\"avg10\":0.10,\"avg60\":12.00,\"avg300\":100.00,\"total\":7}}}",
            "half of it");
    close(d);
}

static void test_one(void)
{
    int d = fresh(), two = fresh();
    struct wh_cgroup cg = cgroup(two);
    char want[128];
    struct wh_memory m;
    char text[160];

    put(d, "cpuacct.usage", "123\n");
    put(d, "cpuacct.usage_percpu", "100 23 \n");
    put(d, "cpuacct.usage_all", "cpu user system\n0 60 40\n1 20 3\n");
    put(d, "cpuacct.stat", "user 2\nsystem 1\n");
    snprintf(want, sizeof want, "\"kernel\":%ld,\"user\":%ld}", 1000000000 / sysconf(_SC_CLK_TCK),
             2000000000 / sysconf(_SC_CLK_TCK));
    has_str(part(wh_stat_one_usage, d),
            "{\"total\":123,\"percpu\":[100,23],\"percpu_kernel\":[40,3],\"percpu_user\":[60,20],",
            "processors one by one");
    has_str(part(wh_stat_one_usage, d), want, "ticks become nanoseconds");
    put(d, "cpu.stat", "nr_periods 7\nnr_throttled 3\nthrottled_time 42\n");
    is_str(part(wh_stat_one_throttling, d), "{\"periods\":7,\"throttledPeriods\":3,\"throttledTime\":42}",
           "v1 throttling");

    put(d, "cpuset.cpus", "1\n");
    put(d, "cpuset.mems", "\n");
    put(d, "cpuset.sched_load_balance", "1\n");
    put(d, "cpuset.sched_relax_domain_level", "-1\n");
    is_str(part(wh_stat_one_cpuset, d),
           "{\"cpus\":[1],\"cpu_exclusive\":0,\"mem_hardwall\":0,\"mem_exclusive\":0,\"memory_migrate\":0,\"memory_"
           "spread_page\":0,"
           "\"memory_spread_slab\":0,\"memory_pressure\":0,\"sched_load_balance\":1,\"sched_relax_domain_level\":-1}",
           "v1 cpuset");

    put(d, "memory.stat", "cache 1\ntotal_cache 5\nhierarchical_memory_limit 9223372036854771712\n");
    put(d, "memory.usage_in_bytes", "10\n");
    put(d, "memory.max_usage_in_bytes", "20\n");
    put(d, "memory.limit_in_bytes", "30\n");
    put(d, "memory.failcnt", "4\n");
    put(d, "memory.memsw.limit_in_bytes", "40\n");
    put(d, "memory.kmem.tcp.usage_in_bytes", "6\n");
    is_str(part(wh_stat_one_memory, d),
           "{\"cache\":5,\"usage\":{\"limit\":30,\"usage\":10,\"max\":20,\"failcnt\":4},\"swap\":{\"limit\":40,"
           "\"failcnt\":0},"
           "\"kernel\":{\"limit\":0,\"failcnt\":0},\"kernelTCP\":{\"limit\":0,\"usage\":6,\"failcnt\":0},"
           "\"raw\":{\"cache\":1,\"total_cache\":5,\"hierarchical_memory_limit\":9223372036854771712}}",
           "v1 memory");

    put(d, "blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096\n");
    put(d, "blkio.time_recursive", "8:0 12\n");
    is_str(part(wh_stat_one_blkio, d),
           "{\"ioServiceBytesRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":4096},{\"major\":8,\"op\":\"Write\"}],"
           "\"ioTimeRecursive\":[{\"major\":8,\"value\":12}]}",
           "v1 block I/O, without sums");
    put(d, "blkio.bfq.io_service_bytes_recursive", "8:0 Read 1\nTotal 1\n");
    has_str(part(wh_stat_one_blkio, d), "\"ioServiceBytesRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":1}]",
            "the scheduler's own count before that of throttling");

    put(d, "hugetlb.2MB.usage_in_bytes", "1\n");
    put(d, "hugetlb.2MB.max_usage_in_bytes", "2\n");
    put(d, "hugetlb.2MB.failcnt", "3\n");
    is_str(part(wh_stat_one_hugetlb, d), "{\"2MB\":{\"usage\":1,\"max\":2,\"failcnt\":3}}",
           "v1 huge pages of old kernels");
    put(d, "hugetlb.2MB.rsvd.usage_in_bytes", "7\n");
    put(d, "hugetlb.2MB.rsvd.failcnt", "9\n");
    is_str(part(wh_stat_one_hugetlb, d), "{\"2MB\":{\"usage\":7,\"failcnt\":9}}", "v1 huge pages: what is reserved");

    put(two, "cpu.stat", "usage_usec 1\n");
    put(two, "memory.current", "99\n");
    add_v1(&cg, "memory", d);
    has_str(stats(&cg), "\"usage\":{\"total\":1000,", "processor time of cgroup2 where v1 has no directory");
    has_str(stats(&cg), "\"usage\":{\"limit\":30,\"usage\":10,", "memory of v1 where it has one");

    put(d, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    put(d, "memory.limit_in_bytes", "30000000\n");
    put(d, "memory.failcnt", "0\n");
    is_int(wh_cgroup_memory(&cg, &m), 0, "v1 memory is known");
    is_u64(m.kills, 2, "its kills");
    is_u64(m.limit, 30000000, "its limit");
    is_str(wh_memory_text(&m, text, sizeof text),
           "out of memory: peak 20, limit 30000000, which was not reached (the host or a cgroup above it ran out)",
           "a limit that nothing failed at is not what killed");
    put(d, "memory.memsw.failcnt", "1\n");
    is_int(wh_cgroup_memory(&cg, &m), 0, "v1 memory and swap, whose limit is hit first where the two are the same");
    is_str(wh_memory_text(&m, text, sizeof text), "memory limit reached: peak 20, limit 30000000", "and its text");
    put(d, "memory.memsw.failcnt", "0\n");
    put(d, "memory.max_usage_in_bytes", "29900000\n");
    is_int(wh_cgroup_memory(&cg, &m), 0, "v1 memory of a kernel that does not count failures");
    is_str(wh_memory_text(&m, text, sizeof text), "memory limit reached: peak 29900000, limit 30000000",
           "is known by its peak");
    put(d, "memory.max_usage_in_bytes", "20\n");
    put(d, "memory.limit_in_bytes", "9223372036854771712\n");
    is_int(wh_cgroup_memory(&cg, &m), 0, "v1 memory without a limit");
    is_str(wh_memory_text(&m, text, sizeof text),
           "out of memory: peak 20, no limit of its own (the host or a cgroup above it ran out)",
           "is not its own fault");
    close(d);
    close(two);
}

static const char *net(const char *text)
{
    static struct wh_buf out;
    struct wh_json j = { .out = &out };
    char *copy = strdup(text);

    wh_buf_done(&out);
    wh_json_open(&j, NULL, '{');
    wh_net_stats_text(copy, &j);
    wh_json_close(&j, '}');
    free(copy);
    return out.data;
}

static void test_net(void)
{
#define HEAD                                                                                                           \
    "Inter-|   Receive                                                |  Transmit\n"                                   \
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier " \
    "compressed\n"
    is_str(net(HEAD "    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"),
           "{\"network_interfaces\":[{\"Name\":\"lo\",\"RxBytes\":1,\"RxPackets\":2,\"RxErrors\":3,\"RxDropped\":4,"
           "\"TxBytes\":9,\"TxPackets\":10,\"TxErrors\":11,\"TxDropped\":12}]}",
           "an interface");
    has_str(net(HEAD "a\"b\\:0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"), "[{\"Name\":\"a\\\"b\\\\\",",
            "a name that JSON has to quote");
    is_str(net(HEAD), "{\"network_interfaces\":null}", "none");
    is_str(net(""), "{\"network_interfaces\":null}", "no text");
    is_str(net(HEAD
               "eth0: 1 2 3\neth1: a b c d e f g h i j k l m n o p\n: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\neth2\n"),
           "{\"network_interfaces\":null}", "lines that are none");
}

static void test_list(void)
{
    static const struct {
        const char *text, *want;
    } t[] = { { "0", "{\"k\":[0]}" },
              { "0-3", "{\"k\":[0,1,2,3]}" },
              { "1,3-4", "{\"k\":[1,3,4]}" },
              { "", "{}" },
              { "a", "{}" },
              { "1-", "{}" },
              { "-1", "{}" },
              { "2-1", "{}" },
              { "1,", "{}" },
              { "0-4294967295", "{}" },
              { "99999999999999999999", "{}" },
              { "1 2", "{}" } };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        WH_CLEANUP_BUF struct wh_buf out = { 0 };
        struct wh_json j = { .out = &out };

        wh_json_open(&j, NULL, '{');
        wh_stat_list(&j, "k", t[i].text);
        wh_json_close(&j, '}');
        is_str(out.data, t[i].want, "list \"%s\"", t[i].text);
    }
}

/* ---- events ---- */

/* What is told when all is looked at; freed by the next call. */
static const char *look(struct wh_watch *w)
{
    static struct wh_buf out;
    struct pollfd p[WH_WATCH_MAX] = { 0 };

    wh_buf_done(&out);
    wh_watch_look(w, p, true, &out);
    return out.data ? out.data : "";
}

static void test_watch(void)
{
    int d = fresh();
    struct wh_cgroup cg = cgroup(d);
    struct wh_err err = { 0 };
    struct wh_watch w;

    put(d, "cgroup.events", "populated 1\nfrozen 0\n");
    put(d, "memory.events", "low 0\nhigh 5\nmax 10\noom 1\noom_kill 1\noom_group_kill 0\n");
    put(d, "memory.events.local", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n");
    put(d, "memory.swap.events", "high 0\nmax 0\nfail 0\n");
    put(d, "memory.max", "1000\n");
    put(d, "memory.current", "900\n");
    put(d, "memory.swap.max", "50\n");
    put(d, "memory.swap.current", "49\n");
    put(d, "pids.events", "max 0\n");
    put(d, "pids.max", "7\n");
    put(d, "pids.current", "6\n");
    put(d, "hugetlb.2MB.events", "max 0\n");
    put(d, "hugetlb.2MB.max", "max\n");
    is_int(wh_watch_open(&w, &cg, "c1", &err), 0, "watch a cgroup");
    is_str(look(&w), "", "what was counted before is no news");
    put(d, "memory.events", "low 0\nhigh 5\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n");
    put(d, "memory.events.local", "low 0\nhigh 0\nmax 2\noom 0\noom_kill 0\noom_group_kill 0\n");
    is_str(look(&w),
           "{\"type\":\"memory\",\"id\":\"c1\",\"data\":{\"events\":{\"max\":2},\"hit\":\"memory.max\",\"limit\":1000,"
           "\"current\":900}}\n",
           "a limit that is hit");
    is_str(look(&w), "", "is told once");
    put(d, "memory.peak", "999\n");
    put(d, "memory.events", "low 0\nhigh 6\nmax 12\noom 2\noom_kill 3\noom_group_kill 0\n");
    is_str(look(&w),
           "{\"type\":\"oom\",\"id\":\"c1\"}\n"
           "{\"type\":\"memory\",\"id\":\"c1\",\"data\":{\"events\":{\"high\":1,\"oom\":1,\"oom_kill\":2},\"hit\":"
           "\"below\","
           "\"limit\":1000,\"current\":900,\"peak\":999}}\n",
           "a kill by a limit below");
    put(d, "memory.events", "low 0\nhigh 6\nmax 12\noom 2\noom_kill 4\n");
    has_str(look(&w), "\"events\":{\"oom_kill\":1},\"hit\":\"above\"", "a kill by nobody in here");
    put(d, "memory.events", "low 0\nhigh 7\nmax 12\noom 2\noom_kill 4\n");
    put(d, "memory.events.local", "low 0\nhigh 1\nmax 2\noom 0\noom_kill 0\n");
    has_str(look(&w), "\"hit\":\"memory.high\"", "memory.high");
    put(d, "memory.events", "low 0\nhigh 1\nmax 0\n");
    is_str(look(&w), "", "counters that went back are no news");
    put(d, "memory.events", "low 0\nhigh 2\nmax 0\nnew_counter 3\nno number\n1\na_name_that_is_longer_than_any 4\n");
    has_str(look(&w), "\"events\":{\"high\":1,\"new_counter\":3}", "and from there they count; a new one does too");

    put(d, "memory.swap.events", "high 0\nmax 2\nfail 3\n");
    is_str(look(&w),
           "{\"type\":\"swap\",\"id\":\"c1\",\"data\":{\"events\":{\"max\":2,\"fail\":3},\"hit\":\"memory.swap.max\","
           "\"limit\":50,\"current\":49}}\n",
           "swap");
    put(d, "pids.events", "max 4\n");
    is_str(look(&w),
           "{\"type\":\"pids\",\"id\":\"c1\",\"data\":{\"events\":{\"max\":4},\"hit\":\"pids.max\",\"limit\":7,"
           "\"current\":6}}\n",
           "forks that failed");
    put(d, "hugetlb.2MB.events", "max 1\n");
    is_str(look(&w),
           "{\"type\":\"hugetlb\",\"id\":\"c1\",\"data\":{\"size\":\"2MB\",\"events\":{\"max\":1},\"hit\":\"hugetlb."
           "2MB.max\"}}\n",
           "huge pages");
    put(d, "cgroup.events", "populated 1\nfrozen 1\n");
    is_str(look(&w), "{\"type\":\"freeze\",\"id\":\"c1\",\"data\":{\"frozen\":true}}\n", "frozen");
    put(d, "cgroup.events", "populated 0\nfrozen 1\n");
    is_str(look(&w), "", "populated is no freeze");
    put(d, "cgroup.events", "populated 0\nfrozen 0\n");
    has_str(look(&w), "{\"frozen\":false}", "thawed");
    wh_watch_done(&w);
    close(d);
}

static void test_triggers(void)
{
    static const struct {
        const char *text, *want;
    } t[] = { { "memory", "invalid trigger \"memory\": want memory" },
              { "", "invalid trigger \"\"" },
              { "disk=some:1s/2s", "want memory, cpu, io or irq" },
              { "memory=any:1s/2s", "want memory" },
              { "memory=some:1/2", "want memory" },
              { "memory=some:1s", "want memory" },
              { "memory=some:-1s/2s", "want memory" },
              { "memory=some:3s/2s", "the time behind / is 500ms to 10s" },
              { "memory=some:0/2s", "the time behind / is 500ms to 10s" },
              { "memory=some:1s/11s", "the time behind / is 500ms to 10s" },
              { "memory=some:1ms/499ms", "the time behind / is 500ms to 10s" },
              { "cpu=some:1s/2s",
                "trigger cpu=some:1s/2s: open cpu.pressure of the container's cgroup: no such file" } };
    int d = fresh();
    struct wh_cgroup cg = cgroup(d);
    struct wh_err err = { 0 };
    struct wh_watch w;
    char text[64] = "";

    is_int(wh_watch_open(&w, &cg, "c1", &err), 0, "watch a cgroup with nothing in it");
    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        struct wh_err e = { 0 };

        ok(wh_watch_trigger(&w, t[i].text, &e) < 0, "trigger \"%s\" is refused", t[i].text);
        has_str(e.msg, t[i].want, "and says why");
    }
    put(d, "memory.pressure", "");
    is_int(wh_watch_trigger(&w, "memory=some:150ms/1s", &err), 0, "a trigger");
    ok(wh_read_at(d, "memory.pressure", text, sizeof text - 1) > 0, "is written");
    is_str(text, "some 150000 1000000", "in microseconds");
    wh_watch_done(&w);
    close(d);
}

int main(void)
{
    if (!mkdtemp(top_path))
        return 1;
    top = open(top_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    test_nothing();
    test_two();
    test_one();
    test_net();
    test_list();
    test_watch();
    test_triggers();
    if (wh_remove_tree_at(AT_FDCWD, top_path) < 0)
        fail_test("remove %s", top_path);
    close(top);
    return done_testing();
}
