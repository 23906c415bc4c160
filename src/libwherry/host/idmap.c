/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/apart.h"
#include "host/proc.h"
#include "host/spawn.h"
#include "host/subid.h"
#include "host/waits.h"

/* newuidmap PID CID HID SIZE … : the words of the map. */
static const char **helper_argv(struct wh_arena *a, const char *tool, int pid, const char *map)
{
    size_t n = 2, i = 2;
    const char **argv;
    char *text, *word, *save;

    for (const char *p = map; *p; p++)
        n += *p == ' ' || *p == '\n';
    argv = wh_arena_new_array(a, const char *, n + 3);
    text = wh_arena_strndup(a, map, strlen(map));
    if (!argv || !text)
        return NULL;
    argv[0] = tool;
    argv[1] = wh_arena_printf(a, "%d", pid);
    for (word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
        argv[i++] = word;
    return wh_arena_failed(a) ? NULL : argv;
}

/* Its first line, if it said anything. It writes little; what does not fit in a pipe is lost, not waited for. */
static void first_line(int fd, char *buf, size_t size)
{
    ssize_t n = read(fd, buf, size - 1);

    buf[n > 0 ? n : 0] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    for (char *p = buf; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

static int look_at_rights(void *arg)
{
    /* What was found is an O_PATH descriptor, which has no attributes. */
    WH_CLEANUP_FD int fd = openat(AT_FDCWD, arg, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char caps[64];
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && !(st.st_mode & S_ISUID) &&
           fgetxattr(fd, "security.capability", caps, sizeof caps) < 0 && (errno == ENODATA || errno == EOPNOTSUPP);
}

/* Neither set-uid nor with file capabilities, for certain. */
static bool gains_nothing(int tool_fd, int cancel_fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", tool_fd);
    return wh_apart(look_at_rights, path, sizeof path, cancel_fd) == 1;
}

/* Why it was refused, as far as that can be known, and what would change that. */
static int refused(const char *tool, int tool_fd, const struct wh_exit *ex, const char *map, const char *said,
                   int cancel_fd, struct wh_err *err)
{
    bool gid = wh_streq(tool, "newgidmap");
    const char *file = gid ? "/etc/subgid" : "/etc/subuid";
    struct wh_subid_range range;
    unsigned long long first, last;
    char name[64];

    wh_user_name(getuid(), name, sizeof name);
    if (wh_subid_uncovered(gid, getuid(), name, gid ? getgid() : getuid(), map, &range) > 0) {
        first = range.first;
        last = range.first + range.count - 1;
        return wh_err_set(err, WH_ERR_HOST, -EPERM, NULL,
                          "%s refused the map: %s has no line %s:%llu:%llu for the host's %ss %llu-%llu (usermod "
                          "--add-sub%ss %llu-%llu %s): operation not permitted",
                          tool, file, name, first, last - first + 1, gid ? "gid" : "uid", first, last,
                          gid ? "gid" : "uid", first, last, name);
    }
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return wh_err_set(
            err, WH_ERR_HOST, -EPERM, NULL,
            "%s refused the map: no_new_privs is set for the caller, and it gains no rights: operation not "
            "permitted",
            tool);
    if (gains_nothing(tool_fd, cancel_fd))
        return wh_err_set(
            err, WH_ERR_HOST, -EPERM, NULL,
            "%s refused the map: it is neither set-uid nor has file capabilities (chmod u+s \"$(command -v "
            "%s)\"): operation not permitted",
            tool, tool);
    return wh_err_set(err, WH_ERR_HOST, -EPERM, NULL, "%s refused the map (%s %d%s%.120s): operation not permitted",
                      tool, ex->signalled ? "signal" : "exit status", ex->value, *said ? ": " : "", said);
}

static int helper(const char *path, const char *tool, int pid, const char *map, int cancel_fd, struct wh_err *err)
{
    static const char *const empty[] = { NULL };
    WH_CLEANUP_FD int fd = wh_spawn_find(path, tool, cancel_fd), pidfd = -1, out = -1, in = -1;
    WH_CLEANUP_ARENA struct wh_arena *a = wh_arena_new();
    struct wh_exit ex = { 0 };
    char said[256];
    struct wh_spawn s;
    pid_t helper_pid = 0;
    int pipefd[2], r;

    if (fd == -ECANCELED)
        return wh_err_set(err, WH_ERR_HOST, fd, NULL, "canceled");
    if (fd == -ETIMEDOUT)
        return wh_err_sys(err, fd, "look for %s in $PATH", tool);
    if (fd < 0)
        return wh_err_set(err, WH_ERR_HOST, -EPERM, NULL,
                          "id maps need %s, which is not in $PATH (package uidmap): operation not permitted", tool);
    if (!a)
        return wh_err_sys(err, -ENOMEM, "run %s", tool);
    wh_spawn_init(&s, tool);
    s.exec_fd = fd;
    s.argv = helper_argv(a, tool, pid, map);
    s.envp = empty;
    if (!s.argv)
        return wh_err_sys(err, -ENOMEM, "run %s", tool);
    if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) < 0)
        return wh_err_sys(err, -errno, "make a pipe for %s", tool);
    in = pipefd[0];
    out = pipefd[1];
    s.stdio[0] = s.stdio[1] = WH_SPAWN_NULL;
    s.stdio[2] = out;
    s.session = s.reset_signals = true;
    s.cancel_fd = cancel_fd;
    r = wh_spawn(&s, &pidfd, &helper_pid, err);
    if (r < 0)
        return r;
    r = wh_wait_fd(pidfd, POLLIN, cancel_fd, wh_now_ms() + wh_waits.helper);
    if (r < 0) {
        /* With what it started: it leads a session. It is not reaped yet, so the number is still its own. */
        syscall(SYS_kill, -helper_pid, SIGKILL);
        wh_pidfd_kill(pidfd, SIGKILL);
        (void)wh_pidfd_reap(pidfd, NULL);
    }
    if (r == -ECANCELED)
        return wh_err_set(err, WH_ERR_HOST, r, NULL, "canceled");
    if (r == -ETIMEDOUT)
        return wh_err_set(err, WH_ERR_HOST, r, NULL, "%s (process %d) did not end within %d s", tool, (int)helper_pid,
                          wh_waits.helper / 1000);
    if (r == 0)
        r = wh_pidfd_reap(pidfd, &ex);
    if (r < 0)
        return wh_err_sys(err, r, "wait for %s", tool);
    if (!ex.signalled && ex.value == 0)
        return 0;
    first_line(in, said, sizeof said);
    return refused(tool, fd, &ex, map, said, cancel_fd, err);
}

/* One of the files, directly or by its helper. */
static int write_map(int dir, const char *file, const char *path, const char *tool, pid_t pid, const char *map,
                     int cancel_fd, struct wh_err *err)
{
    long page = sysconf(_SC_PAGESIZE);
    size_t len = strlen(map);
    int r = wh_write_at(dir, file, map);

    if (r == -EPERM)
        return helper(path, tool, pid, map, cancel_fd, err);
    /* In one write, and of less than a page: 340 ranges are taken only if their numbers are short. */
    if (r == -EINVAL && page > 0 && len >= (size_t)page)
        return wh_err_set(
            err, WH_ERR_HOST, r, NULL,
            "write %s: its text has %zu bytes, and the kernel takes less than %ld (merge ranges that touch "
            "each other): invalid argument",
            file, len, page);
    return r < 0 ? wh_err_sys(err, r, "write %s \"%.200s%s\"", file, map, len > 200 ? "..." : "") : 0;
}

static int write_maps(int proc_fd, const char *path, pid_t pid, const char *uid_map, const char *gid_map,
                      const char *setgroups, int cancel_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int dir = -1;
    char name[16];
    int r;

    snprintf(name, sizeof name, "%d", (int)pid);
    /* It is our child and not reaped: the number cannot mean another process. */
    dir = openat(proc_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return wh_err_sys(err, -errno, "open /proc/%s", name);
    /* Before gid_map: once a group map is in place, an unprivileged writer may not deny any more. */
    if (wh_streq(setgroups, "deny")) {
        r = wh_write_at(dir, "setgroups", "deny");
        if (r < 0)
            return wh_err_sys(err, r, "write setgroups of the container");
    }
    r = write_map(dir, "uid_map", path, "newuidmap", pid, uid_map, cancel_fd, err);
    return r < 0 ? r : write_map(dir, "gid_map", path, "newgidmap", pid, gid_map, cancel_fd, err);
}

int wh_idmap_write(int proc_fd, const char *path, const struct wh_plan *plan, const struct wh_ask *ask,
                   struct wh_err *err)
{
    const struct wh_step_ask_idmap *s = (const struct wh_step_ask_idmap *)ask->step;

    if (ask->pid <= 0)
        return wh_err_sys(err, -ESRCH, "write id maps");
    return write_maps(proc_fd, path, ask->pid, wh_plan_str(plan, s->uid_map), wh_plan_str(plan, s->gid_map),
                      wh_plan_str(plan, s->setgroups), ask->cancel_fd, err);
}

int wh_idmap_userns(int proc_fd, const char *path, const char *uid_map, const char *gid_map, int cancel_fd,
                    struct wh_err *err)
{
    struct wh_holder h;
    WH_CLEANUP_FD int fd = -1;
    char name[32];
    int r = wh_spawn_holder(&h, err);

    if (r < 0)
        return r;
    r = write_maps(proc_fd, path, h.pid, uid_map, gid_map, "allow", cancel_fd, err);
    if (r == 0) {
        snprintf(name, sizeof name, "%d/ns/user", (int)h.pid);
        fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            r = wh_err_sys(err, -errno, "open the user namespace of an id-mapped mount");
    }
    wh_holder_done(&h);
    return r < 0 ? r : wh_take_fd(&fd);
}
