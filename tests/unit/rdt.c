/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups of resctrl, in a directory that stands for it: making one fills it, as the kernel does, and removing one takes its files along. What
 * the kernel says to a value is its own business and is not imitated.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json-out.h"
#include "host/intelrdt.h"
#include "init-plan.h"
#include "tap.h"

#define DEFAULT "    L3:0=fffff;1=fffff\n    MB:0= 100;1= 100\n"

static int top = -1, state = -1;
static char top_path[64], state_path[64];

static void put(int dir, const char *name, const char *text)
{
    WH_CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || wh_write_all(fd, text, strlen(text)) < 0)
        abort();
}

/* Of a file below the mount; static. */
static const char *get(const char *path)
{
    static char buf[512];

    return wh_read_at(top, path, buf, sizeof buf - 1) < 0 ? "(none)" : buf;
}

static bool there(const char *path)
{
    return faccessat(top, path, F_OK, 0) == 0;
}

static int fill(int dir, const char *name)
{
    WH_CLEANUP_FD int fd = -1;

    if (mkdirat(dir, name, 0755) < 0)
        return -errno;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(fd, "tasks", "");
    /* A monitoring group has neither; only the root of the mount has room for control groups. */
    if (dir == top) {
        put(fd, "schemata", DEFAULT);
        if (mkdirat(fd, "mon_groups", 0755) < 0)
            return -errno;
    }
    return 0;
}

static int empty(int dir, const char *name)
{
    return faccessat(dir, name, F_OK, 0) < 0 ? -errno : wh_remove_tree_at(dir, name);
}

static struct wh_rdt_fs fs = { .make = fill, .remove = empty };
static struct wh_plan *plan;
static struct wh_err err;

static const struct wh_step_rdt *step(const char *group, uint32_t mode, const char *monitor, struct wh_vec schemata)
{
    ADD(CLONE_B, clone_b, );
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("x"), .candidates = STRV("/x"));
    ADD(EXEC, exec, .args = STRV("x"), .env = NO_STRV);
    ADD(RDT, rdt, .group = STR(group), .mode = mode, .monitor = STR(monitor), .schemata = schemata);
    free(plan);
    plan = tp_end(NULL);
    err = (struct wh_err){ 0 };
    return wh_rdt_step(plan);
}
#define STEP(group, mode, monitor, ...) (tp_begin(), step((group), (mode), (monitor), __VA_ARGS__))
#define MAKE(group, mode, monitor, ...) make(STEP(group, mode, monitor, __VA_ARGS__))

static int make(const struct wh_step_rdt *s)
{
    unlinkat(state, "rdt", 0);
    return wh_rdt_make(&fs, state, plan, s, &err);
}

static void fresh(void)
{
    wh_close(top);
    if (*top_path)
        wh_remove_tree_at(AT_FDCWD, top_path);
    strcpy(top_path, "/tmp/wherry-rdt-XXXXXX");
    if (!mkdtemp(top_path))
        abort();
    fs.fd = top = openat(AT_FDCWD, top_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(top, "schemata", DEFAULT);
    put(top, "tasks", "1\n2\n");
    if (mkdirat(top, "mon_groups", 0755) < 0 || mkdirat(top, "info", 0755) < 0)
        abort();
}

static void test_own(void)
{
    fresh();
    is_int(MAKE("box", WH_RDT_OWN, "box", STRV("L3:0=f", "MB:0=50")), 0, "a group of the container's own is made");
    ok(strncmp(get("box/schemata"), "MB:0=50\n", 8) == 0, "each schema is written, in order, the last one last");
    ok(there("box/mon_groups/box"), "and a monitoring group in it");
    is_int(wh_rdt_join(&fs, state, 4711, &err), 0, "a process joins");
    is_str(get("box/tasks"), "4711\n", "the group");
    is_str(get("box/mon_groups/box/tasks"), "4711\n", "and the monitoring group");
    is_int(MAKE("box", WH_RDT_OWN, NULL, NO_STRV), -EEXIST, "a second container of that name is refused");
    is_str(err.msg, "resctrl has a group box already", "in words");
    is_int(wh_rdt_remove(&fs, state, true, &err), 0, "its undo");
    ok(there("box"), "leaves the first one's group");

    is_int(MAKE("two", WH_RDT_OWN, NULL, STRV("L3:0=f")), 0, "another");
    is_int(wh_rdt_remove(&fs, state, false, &err), 0, "is removed with its container");
    ok(!there("two"), "and gone");
    is_int(wh_rdt_remove(&fs, state, false, &err), 0, "removing it again is fine");
}

static int stolen(int dir, const char *name)
{
    return fill(dir, name) < 0 ? -EIO : -EEXIST;
}

/* Made by somebody else between our look and our mkdir. */
static void test_race(void)
{
    fresh();
    fs.make = stolen;
    is_int(MAKE("box", WH_RDT_OWN, "box", NO_STRV), -EEXIST, "a group that appears meanwhile is refused");
    fs.make = fill;
    is_str(err.msg, "make resctrl group box: file exists", "in words");
    wh_rdt_remove(&fs, state, true, &err);
    ok(there("box"), "and is not removed as if it were ours");

    fresh();
    MAKE("gold", WH_RDT_MAKE, NULL, STRV("L3:0=ff"));
    if (fill(top, "gold/mon_groups/box") < 0)
        abort();
    is_int(MAKE("gold", WH_RDT_JOIN, "box", NO_STRV), -EEXIST, "a monitoring group that is there already is refused");
    is_str(err.msg, "make monitoring group box in resctrl group gold: file exists", "in words");
    wh_rdt_remove(&fs, state, true, &err);
    ok(there("gold/mon_groups/box"), "and is not removed either");
}

static void test_closid(void)
{
    fresh();
    is_int(MAKE("gold", WH_RDT_JOIN, NULL, NO_STRV), -ENOENT, "a closID alone must be there");
    ok(strstr(err.msg, "resctrl has no group gold"), "in words");
    ok(faccessat(state, "rdt", F_OK, 0) < 0, "nothing is written down");
    is_int(MAKE("gold", WH_RDT_MAKE, NULL, STRV("L3:0=ff")), 0, "with schemata it is made");
    is_int(wh_rdt_remove(&fs, state, false, &err), 0, "delete");
    ok(there("gold"), "does not remove it");
    is_int(wh_rdt_remove(&fs, state, true, &err), 0, "a create that failed");
    ok(!there("gold"), "does");
    MAKE("gold", WH_RDT_MAKE, NULL, STRV("L3:0=ff"));
    put(top, "gold/tasks", "99\n");
    wh_rdt_remove(&fs, state, true, &err);
    ok(there("gold"), "but not when somebody else is in it by now");
    is_int(MAKE("gold", WH_RDT_JOIN, "box", NO_STRV), 0, "what is there is joined");
    ok(there("gold/mon_groups/box"), "monitored");
    is_int(wh_rdt_remove(&fs, state, true, &err), 0, "and left");
    ok(there("gold") && !there("gold/mon_groups/box"), "there, without the monitoring group");

    is_int(MAKE("info", WH_RDT_JOIN, NULL, NO_STRV), -ENOTDIR, "a directory that is no group is none");
    is_int(MAKE("/", WH_RDT_JOIN, "box", NO_STRV), 0, "the root group");
    is_int(wh_rdt_join(&fs, state, 5, &err), 0, "is joined");
    is_str(get("mon_groups/box/tasks"), "5\n", "and monitored");
    wh_rdt_remove(&fs, state, true, &err);
    ok(there("schemata") && !there("mon_groups/box"), "and left");
}

static void test_compare(void)
{
    static const struct {
        const char *have, *want;
        bool same;
    } cases[] = {
        { DEFAULT, "L3:0=fffff", true },
        { DEFAULT, "L3:0=fffff;1=fffff", true },
        { DEFAULT, "L3:1=FFFFF;0=000fffff", true },
        { DEFAULT, " MB:0=100;1=100", true },
        { DEFAULT, "MB:0=100\nL3:0=fffff", true },
        { DEFAULT, "L3:0=ffff", false },
        { DEFAULT, "L3:0=fffff;1=f", false },
        { DEFAULT, "L3:2=fffff", false },
        { DEFAULT, "MB:0=10", false },
        { DEFAULT, "MB:0=1000", false },
        { DEFAULT, "L2:0=fffff", false },
        { DEFAULT, "L3:0=fffff\nMB:1=10", false },
        { DEFAULT, "L3", false },
        { DEFAULT, "L3:0", false },
        { "L3CODE:0=3\nL3DATA:0=c\n", "L3DATA:0=c", true },
        { "L3CODE:0=3\nL3DATA:0=c\n", "L3:0=c", false },
        { "L3:0=0\n", "L3:0=0", true },
        { "L3:0=0\n", "L3:0=00", true },
        { "", "L3:0=0", false },
    };

    fresh();
    fill(top, "g");
    for (size_t i = 0; i < WH_ELEMENTSOF(cases); i++) {
        put(top, "g/schemata", cases[i].have);
        is_int(MAKE("g", WH_RDT_MAKE, NULL, STRV(cases[i].want)), cases[i].same ? 0 : -EEXIST, "\"%s\"", cases[i].want);
        is_str(get("g/schemata"), cases[i].have, "nothing is written to what is there");
    }
    ok(strstr(err.msg, "resctrl group g is there and has other schemata than \"L3:0=0\""), "a difference is named");
}

static void test_hostile(void)
{
    static const char *const records[] = { "",
                                           "group own ../x\n",
                                           "group own ..\n",
                                           "group own a/b\n",
                                           "group what x\n",
                                           "group own x",
                                           "group own x\nmonitor ../../y\n",
                                           "nothing\n" };
    struct wh_rdt_fs kernel;
    struct wh_err e = { 0 };
    struct rlimit fds;

    fresh();
    fill(top, "x");
    for (size_t i = 0; i < WH_ELEMENTSOF(records); i++) {
        put(state, "rdt", records[i]);
        is_int(wh_rdt_remove(&fs, state, true, &err), 0, "a damaged record, %zu, is no obstacle", i);
        ok(there("x"), "and nothing is removed for it");
    }
    is_int(wh_rdt_join(&fs, state, 5, &err), -EINVAL, "nor does a process join");
    put(state, "rdt", "group own x\n");
    err = (struct wh_err){ 0 };
    getrlimit(RLIMIT_NOFILE, &fds);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, fds.rlim_max });
    is_int(wh_rdt_remove(&fs, state, false, &err), -EMFILE, "one that cannot be read now is");
    setrlimit(RLIMIT_NOFILE, &fds);
    is_str(err.msg, "read which resctrl group the container has: too many open files", "in words");
    err = (struct wh_err){ 0 };
    unlinkat(state, "rdt", 0);
    is_int(wh_rdt_join(&fs, state, 5, &err), 0, "without a record there is nothing to join");

    /* A write that fails, with the kernel's reason. */
    put(top, "info/last_cmd_status", "Mask out of range\n");
    fs.make = empty; /* fails: it is not there */
    is_int(MAKE("y", WH_RDT_OWN, NULL, NO_STRV), -ENOENT, "a group that cannot be made");
    ok(strstr(err.msg, "make resctrl group y: ") && strstr(err.msg, "(Mask out of range)"), "with the kernel's reason");
    fs.make = fill;

    kernel.fd = -1;
    if (wh_rdt_find(AT_FDCWD, &kernel, &e) == 0)
        ok(false, "no mountinfo, no mount");
    else
        ok(strstr(e.msg, "self/mountinfo"), "no mountinfo, no mount");
    put(top, "mountinfo", "36 35 98:0 / /sys/fs/resctrl rw shared:1 - resctrl resctrl rw\n");
    if (mkdirat(top, "self", 0755) < 0 || renameat(top, "mountinfo", top, "self/mountinfo") < 0)
        abort();
    e = (struct wh_err){ 0 };
    ok(wh_rdt_find(top, &kernel, &e) < 0 && strstr(e.msg, "resctrl") && kernel.fd == -1,
       "what mountinfo says is looked at before it is believed");
    put(top, "self/mountinfo", "36 35 98:0 / /tmp rw shared:1 - resctrl resctrl rw\n");
    e = (struct wh_err){ 0 };
    is_int(wh_rdt_find(top, &kernel, &e), -ENODEV, "another file system is mounted there by now");
    is_str(e.msg, "what is on /tmp now is not resctrl", "in words");
    put(top, "self/mountinfo", "36 35 98:0 / /nowhere/at/all rw shared:1 - resctrl resctrl rw\n");
    e = (struct wh_err){ 0 };
    is_int(wh_rdt_find(top, &kernel, &e), -ENOENT, "or the place is gone");
    is_str(e.msg, "open resctrl on /nowhere/at/all: no such file or directory", "in words");
    put(top, "self/mountinfo", "36 35 98:0 / / rw - ext4 /dev/resctrl rw\n");
    e = (struct wh_err){ 0 };
    is_int(wh_rdt_find(top, &kernel, &e), -ENODEV, "no resctrl among the mounts");
    ok(strstr(e.msg, "intelRdt is specified in config, but resctrl is not mounted"), "in words");
}

static void test_update(void)
{
    const struct wh_rdt_fs none = { .fd = -1 };
    char *old = NULL;

    fresh();
    err = (struct wh_err){ 0 };
    is_int(wh_rdt_update(&none, state, "L3:0=3", NULL, &old, &err), -EOPNOTSUPP, "an update without resctrl");
    is_str(err.msg, "Intel RDT/CAT: l3 cache schema is not enabled", "in words");
    err = (struct wh_err){ 0 };
    is_int(wh_rdt_update(&none, state, NULL, "MB:0=50", &old, &err), -EOPNOTSUPP, "of memory bandwidth");
    is_str(err.msg, "Intel RDT/MBA: memory bandwidth schema is not enabled", "in words");
    err = (struct wh_err){ 0 };
    put(top, "schemata", "    L3CODE:0=fffff\n    L3DATA:0=fffff\n");
    is_int(wh_rdt_update(&fs, state, "L3CODE:0=3", "MB:0=50", &old, &err), -EOPNOTSUPP, "a processor with half of it");
    is_str(err.msg, "Intel RDT/MBA: memory bandwidth schema is not enabled", "says which half");
    fresh();
    unlinkat(state, "rdt", 0);
    err = (struct wh_err){ 0 };
    is_int(wh_rdt_update(&fs, state, "L3:0=3", NULL, &old, &err), -EOPNOTSUPP, "a container without a group");
    is_str(err.msg, "updating a non-existent Intel RDT configuration is not supported", "in words");
    is_int(MAKE("/", WH_RDT_JOIN, NULL, NO_STRV), 0, "one in the root group");
    is_int(wh_rdt_update(&fs, state, "L3:0=3", NULL, &old, &err), -EOPNOTSUPP, "has none of its own, either");
    is_str(get("schemata"), DEFAULT, "and that is left alone");

    is_int(MAKE("box", WH_RDT_OWN, NULL, NO_STRV), 0, "one with a group");
    put(top, "box/schemata", "old");
    is_int(wh_rdt_update(&fs, state, "L3:0=3", "MB:0=50", &old, &err), 0, "is updated");
    is_str(get("box/schemata"), "L3:0=3\nMB:0=50\n", "in one write");
    is_str(old, "old", "the former text is handed over");
    put(top, "box/schemata", "");
    wh_rdt_put_back(&fs, state, old);
    is_str(get("box/schemata"), "old", "and put back");
    free(old);
    wh_rdt_remove(&fs, state, false, &err);
}

static const char *stats(void)
{
    static struct wh_buf out;
    struct wh_json j = { .out = &out };

    wh_buf_done(&out);
    wh_json_open(&j, NULL, '{');
    wh_rdt_stats(&fs, state, &j);
    wh_json_close(&j, '}');
    return out.data;
}

static void put_below(const char *dir, const char *name, const char *text)
{
    char path[128];

    for (size_t i = 0; dir[i]; i++)
        if (dir[i + 1] == '/' || !dir[i + 1]) {
            snprintf(path, sizeof path, "%.*s", (int)i + 1, dir);
            mkdirat(top, path, 0755);
        }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    put(top, path, text);
}

static void test_stats(void)
{
    fresh();
    unlinkat(state, "rdt", 0);
    is_str(stats(), "{\"intel_rdt\":{}}", "a container without a group has no numbers");
    is_int(MAKE("box", WH_RDT_OWN, "box", STRV("L3:0=f")), 0, "a group with a monitoring group");
    put(top, "box/schemata", "    MB:0=50\n    L3:0=f\n");
    put_below("info/L3", "cbm_mask", "fffff\n");
    put_below("info/L3", "min_cbm_bits", "1\n");
    put_below("info/L3", "num_closids", "16\n");
    put_below("info/MB", "bandwidth_gran", "10\n");
    put_below("info/MB", "delay_linear", "1\n");
    put_below("info/MB", "min_bandwidth", "ten\n");
    put_below("box/mon_data/mon_L3_00", "llc_occupancy", "99\n");
    put_below("box/mon_groups/box/mon_data/mon_L3_01", "mbm_total_bytes", "7\n");
    put_below("box/mon_groups/box/mon_data/mon_L3_00", "mbm_total_bytes", "5\n");
    put_below("box/mon_groups/box/mon_data/mon_L3_00", "mbm_local_bytes", "3\n");
    put_below("box/mon_groups/box/mon_data/mon_L3_00", "llc_occupancy", "Unavailable\n");
    is_str(stats(),
           "{\"intel_rdt\":{\"l3_cache_info\":{\"cbm_mask\":\"fffff\",\"min_cbm_bits\":1,\"num_closids\":16},"
           "\"l3_cache_schema_root\":\"L3:0=fffff;1=fffff\",\"l3_cache_schema\":\"L3:0=f\",\"mem_bw_info\":{"
           "\"bandwidth_gran\":10,"
           "\"delay_linear\":1},\"mem_bw_schema_root\":\"MB:0= 100;1= 100\",\"mem_bw_schema\":\"MB:0=50\","
           "\"schemata\":\"    MB:0=50\\n    L3:0=f\\n\",\"mbm_stats\":[{\"mbm_total_bytes\":5,\"mbm_local_bytes\":3},"
           "{\"mbm_total_bytes\":7}]}}",
           "its schemata, those of the machine, and what the monitoring group counts");
    put(state, "rdt", "group own ../box\n");
    is_str(stats(), "{\"intel_rdt\":{}}", "nothing is read elsewhere");
    unlinkat(state, "rdt", 0);
}

/* What each call says when it fails: a file that is a directory cannot be written or read, and a record names what
 * is in the way. */
static void said(int r, int want, const char *text)
{
    is_int(r, want, "fails: %s", text);
    is_str(err.msg, text, "in these words");
    err = (struct wh_err){ 0 };
}

static void make_file(int dir, const char *name, bool directory)
{
    unlinkat(dir, name, 0);
    unlinkat(dir, name, AT_REMOVEDIR);
    if (directory ? mkdirat(dir, name, 0755) < 0 : false)
        abort();
    if (!directory)
        put(dir, name, DEFAULT);
}

static int busy(int dir, const char *name)
{
    (void)dir, (void)name;
    return -EBUSY;
}

static int unwritable(int dir, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "%s/schemata", name);
    return mkdirat(dir, name, 0755) < 0 || mkdirat(dir, path, 0755) < 0 ? -errno : 0;
}

static void test_failures(void)
{
    char *old = NULL;
    struct wh_rdt_fs broken;
    struct rlimit size;
    int r;

    fresh();
    if (mkdirat(top, "odd", 0755) < 0)
        abort();
    said(MAKE("odd", WH_RDT_OWN, NULL, NO_STRV), -ENOTDIR, "open resctrl group odd: not a directory");
    fill(top, "g");
    make_file(top, "g/schemata", true);
    said(MAKE("g", WH_RDT_MAKE, NULL, STRV("L3:0=f")), -EISDIR, "read schemata of resctrl group g: is a directory");
    put(state, "rdt", "group own g\n");
    said(wh_rdt_update(&fs, state, "L3:0=3", NULL, &old, &err), -EISDIR,
         "read schemata of resctrl group g: is a directory");
    make_file(top, "g/schemata", false);
    getrlimit(RLIMIT_FSIZE, &size);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, size.rlim_max });
    r = wh_rdt_update(&fs, state, "L3:0=3", "MB:0=50", &old, &err);
    setrlimit(RLIMIT_FSIZE, &size);
    said(r, -EFBIG, "write \"L3:0=3 MB:0=50\" to schemata of resctrl group g: file too large");
    free(old);
    make_file(top, "g/tasks", true);
    said(wh_rdt_join(&fs, state, 4711, &err), -EISDIR, "put process 4711 into resctrl group g: is a directory");
    fs.make = unwritable;
    said(MAKE("new", WH_RDT_OWN, NULL, STRV("L3:0=f")), -EISDIR,
         "write \"L3:0=f\" to schemata of resctrl group new: is a directory");
    fs.make = fill;
    put(state, "rdt", "group own g\n");
    broken = fs;
    broken.remove = busy;
    said(wh_rdt_remove(&broken, state, false, &err), -EBUSY, "remove resctrl group g: device or resource busy");
    put(state, "rdt", "group own g\nmonitor m\n");
    said(wh_rdt_remove(&broken, state, false, &err), -EBUSY,
         "remove monitoring group m of resctrl group g: device or resource busy");
    unlinkat(state, "rdt", 0);
}

int main(void)
{
    strcpy(state_path, "/tmp/wherry-rdt-XXXXXX");
    if (!mkdtemp(state_path))
        abort();
    state = openat(AT_FDCWD, state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    test_own();
    test_race();
    test_closid();
    test_compare();
    test_hostile();
    test_update();
    test_stats();
    test_failures();
    wh_remove_tree_at(AT_FDCWD, top_path);
    wh_remove_tree_at(AT_FDCWD, state_path);
    free(plan);
    wh_close(top);
    wh_close(state);
    return done_testing();
}
