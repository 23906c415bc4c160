/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who killed a process is what the cgroup has counted, and is not guessed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/fd.h"
#include "host/cgroup/internal.h"
#include "tap.h"

static int dir = -1;

static void put(const char *name, const char *text)
{
    WH_CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || wh_write_all(fd, text, strlen(text)) < 0)
        bail_out("no temporary file");
}

static const char *explained(const struct wh_cgroup *cg, uint64_t before, int code, bool killed)
{
    static struct wh_err err;

    err = (struct wh_err){ 0 };
    wh_err_set(&err, WH_ERR_STEP, code, NULL, "it died");
    err.killed = killed;
    wh_api_oom_explain(cg, before, NULL, &err);
    return err.msg;
}

#define OTHERS "; RLIMIT_CPU, systemd-oomd, an engine that gave up and kill -9 send this signal too"
#define BY_OTHERS "it died: not by the OOM killer, which counted nothing in its cgroup" OTHERS
#define PERHAPS                                                                                                        \
    "it died: the OOM killer may have done it, but its cgroup has no count of that; RLIMIT_CPU, systemd-oomd, an "     \
    "engine that gave up and kill -9 send this signal too"

static void version(const char *name, struct wh_cgroup *cg, const char *events, const char *none, const char *one)
{
    put(events, none);
    is_u64(wh_api_oom_kills(cg), 3, "%s: what was counted before", name);
    is_str(explained(cg, 3, -ECHILD, true), BY_OTHERS, "%s: killed, and the count is what it was", name);
    is_str(explained(cg, 3, -ECHILD, false), "it died", "%s: another end is not explained by memory", name);
    put(events, one);
    is_str(explained(cg, 3, -ECHILD, true),
           "it died: OOM-killed (memory limit too low?): memory limit reached: peak 4096, limit 4096",
           "%s: killed, and the count is higher", name);
    is_str(explained(cg, 3, -ECHILD, false),
           "it died: OOM-killed (memory limit too low?): memory limit reached: peak 4096, limit 4096",
           "%s: the same where another process is the parent, which sees no signal", name);
    is_str(explained(cg, 3, -ENOENT, false), "it died", "%s: an error that has a reason keeps it", name);
    unlinkat(dir, events, 0);
    is_str(explained(cg, 0, -ECHILD, true), PERHAPS, "%s: killed, and nothing is counted", name);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    struct wh_cgroup cg;
    char path[128];

    snprintf(path, sizeof path, "%s/wherry-oom-%d", tmp ? tmp : "/tmp", (int)getpid());
    if (mkdirat(AT_FDCWD, path, 0700) < 0)
        bail_out("no temporary directory");
    dir = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    wh_cgroup_init(&cg);
    is_str(explained(&cg, 0, -ECHILD, true), PERHAPS, "a container without a cgroup");
    cg.two.fd = dir;
    cg.two.mount = (char *)(uintptr_t) "/sys/fs/cgroup";
    put("memory.max", "4096\n");
    put("memory.peak", "4096\n");
    version("cgroup2", &cg, "memory.events", "oom 3\noom_kill 3\n", "oom 4\noom_kill 4\n");
    cg.one[cg.none++] = (struct wh_cgroup_dir){ .controller = (char *)(uintptr_t) "memory", .fd = dir, .mount_fd = -1 };
    put("memory.limit_in_bytes", "4096\n");
    put("memory.max_usage_in_bytes", "4096\n");
    version("v1", &cg, "memory.oom_control", "under_oom 0\noom_kill 3\n", "under_oom 0\noom_kill 4\n");
    wh_close(dir);
    wh_remove_tree_at(AT_FDCWD, path);
    return done_testing();
}
