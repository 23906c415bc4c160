/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TEST_INIT_PLAN_H
#define WH_TEST_INIT_PLAN_H

/* Plans by hand, for the tests of wherry-init: one statement a step, fields by name. */

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/kernel.h"
#include "abi/plan.h"
#include "plan/plan.h"

static struct wh_arena *tp_arena;
static struct wh_build *tp;

__attribute__((unused)) static void tp_begin(void)
{
    tp_arena = wh_arena_new();
    tp = wh_build_new(tp_arena);
}

/* An aligned copy on the heap, for init to write into and for the sanitizer to watch its end. */
__attribute__((unused)) static struct wh_plan *tp_end(size_t *ret_size)
{
    const struct wh_plan *p = NULL;
    struct wh_err err = { 0 };
    struct wh_plan *copy;

    if (wh_build_finish(tp, &p, &err) < 0)
        abort();
    copy = malloc(p->size);
    memcpy(copy, p, p->size);
    if (ret_size)
        *ret_size = p->size;
    wh_arena_free(tp_arena);
    tp_arena = NULL;
    tp = NULL;
    return copy;
}

#define STR(s) wh_build_str(tp, (s))
#define STRV(...)                                                                                                      \
    wh_build_strv(tp, (const char *const[]){ __VA_ARGS__ },                                                            \
                  sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define NO_STRV wh_build_strv(tp, NULL, 0)
#define PARAMS(...)                                                                                                    \
    wh_build_params(tp, (const char *const[]){ __VA_ARGS__ },                                                          \
                    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define U32V(...)                                                                                                      \
    wh_build_u32v(tp, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* Evaluates to the step, for its flags. */
#define ADD(NAME, name, ...)                                                                                           \
    ({                                                                                                                 \
        struct wh_step_##name add_v = { __VA_ARGS__ }, *add_p = wh_add(tp, NAME, name, 0, 0);                          \
        add_v.s = add_p->s;                                                                                            \
        *add_p = add_v;                                                                                                \
        &add_p->s;                                                                                                     \
    })

/* One step of nearly every op, in the order of a real container. */
struct tp_options {
    bool exec; /* like `wherry exec`: no READY and WAIT_START */
    bool early; /* and the filter in A */
    bool notify;
    bool init; /* --init */
    bool fds; /* namespaces by descriptor: the host lacks CAP_SYS_PTRACE */
};

__attribute__((unused)) static void tp_fs(const char *type, const char *dst, struct wh_vec params, uint64_t attr,
                                          uint32_t flags, uint16_t soft)
{
    ADD(MOUNT_FS, mount_fs, .fstype = STR(type), .source = STR(type), .params = params, .attr = attr,
        .mount = WH_SLOT_SCRATCH)
        ->soft = soft;
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR(dst), .flags = flags);
}

__attribute__((unused)) static void tp_tail(struct tp_options o)
{
    static const struct wh_sock_filter filter[2] = { { 0x20, 0, 0, 0 }, { 0x06, 0, 0, 0x7fff0000 } };

    ADD(PERSONALITY, personality, .persona = 8);
    if (!o.exec)
        ADD(ASK_PRIO, ask_prio, .policy = 3, .nice = 5, .ioprio = 2 << WH_IOPRIO_CLASS_SHIFT | 4);
    ADD(MEMPOLICY, mempolicy, .mode = 2, .flags = 1 << 15, .nodes = U32V(0, 3));
    ADD(UMASK, umask, .mask = 022);
    if (!o.exec)
        ADD(LSM_EXEC, lsm_exec, .proc = WH_SLOT_PROC, .attr = WH_LSM_APPARMOR, .label = STR("exec box"));
    ADD(HOME, home, .uid = 1000);
    ADD(CWD, cwd, .path = STR("/work"), .make = 1);
    ADD(STDIO, stdio, .uid = 1000);
    ADD(SETGROUPS, setgroups, .gids = U32V(5, 6));
    ADD(BOUNDING, bounding, .caps = 0x3, .last_cap = 5);
    ADD(IDS, ids, .uid = 1000, .gid = 1000);
    ADD(CAPS, caps, .effective = 1, .permitted = 3, .inheritable = 1);
    ADD(AMBIENT, ambient, .caps = 1);
    ADD(NNP, nnp, );
    ADD(CWD_CHECK, cwd_check, .path = STR("/work"));
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("prog"), .candidates = STRV("/sbin/prog", "/bin/prog"));
    if (o.exec) {
        if (o.early) {
            ADD(SECCOMP, seccomp, .filter = wh_build_bytes(tp, filter, sizeof(filter)),
                .flags = WH_SECCOMP_FILTER_FLAG_LOG);
            ADD(CAPS, caps, .effective = 1, .permitted = 3, .inheritable = 1);
        }
        ADD(CLONE_B, clone_b, );
        ADD(SESSION, session, );
        ADD(CTTY, ctty, );
        ADD(ASK_PRIO, ask_prio, .policy = 3, .nice = 5, .ioprio = 2 << WH_IOPRIO_CLASS_SHIFT | 4);
        ADD(HOST_ALIVE, host_alive, );
    } else {
        ADD(READY, ready, .preserve = 1, .listen = WH_SLOT_LISTEN);
        ADD(WAIT_START, wait_start, .listen = WH_SLOT_LISTEN);
        ADD(ASK_HOOK, ask_hook, .kind = WH_HOOK_START_CONTAINER);
    }
    ADD(RLIMIT, rlimit, .soft = 64, .hard = 128, .resource = 7);
    ADD(CLOSE_FDS, close_fds, .first = 4);
    ADD(DUMPABLE, dumpable, .value = 1);
    if (o.init)
        ADD(BE_INIT, be_init, .keep = 1 << 5, .foreground = 1);
    if (o.exec || o.init)
        ADD(LISTEN_PID, listen_pid, );
    if (!o.early)
        ADD(SECCOMP, seccomp, .filter = wh_build_bytes(tp, filter, sizeof(filter)), .flags = WH_SECCOMP_FILTER_FLAG_LOG,
            .notify = o.notify);
    ADD(EXEC, exec, .args = STRV("prog", "arg"), .env = STRV("A=1", "B=2"));
}

/* What `wherry exec` sends: no root is set up, and there is no READY. */
__attribute__((unused)) static void tp_exec(struct tp_options o)
{
    static const uint64_t cpus[2] = { ~0ull, 3 };

    tp_begin();
    wh_build_preserve(tp, 1);
    wh_build_host_slot(tp, WH_SLOT_PROC);
    wh_build_host_slot(tp, WH_SLOT_CONSOLE);
    wh_build_host_slot(tp, o.fds ? WH_SLOT_NS : WH_SLOT_TARGET);
    if (o.fds)
        wh_build_host_slot(tp, WH_SLOT_NS + 1);

    ADD(SIGNALS, signals, );
    ADD(OOM_ADJ, oom_adj, .proc = WH_SLOT_PROC, .value = -17);
    ADD(RLIMIT_RAISE, rlimit_raise, .hard = 4096, .resource = 7);
    ADD(RLIMIT_SOFT, rlimit_soft, .soft = 16, .resource = 6);
    ADD(RLIMIT_SOFT, rlimit_soft, .soft = ~0ull, .resource = 6);
    ADD(AFFINITY, affinity, .cpus = STR("0-65"), .mask = wh_build_bytes(tp, cpus, sizeof(cpus)));
    ADD(LSM_EXEC, lsm_exec, .proc = WH_SLOT_PROC, .attr = WH_LSM_APPARMOR, .label = STR("exec box"));
    ADD(DUMPABLE, dumpable, .value = 0);
    if (o.fds) {
        ADD(JOIN_FD, join_fd, .ns = WH_SLOT_NS + 1, .nstype = CLONE_NEWUSER);
        ADD(JOIN_FD, join_fd, .ns = WH_SLOT_NS, .nstype = CLONE_NEWNS);
        ADD(CLOSE_HOST, close_host, );
    } else {
        ADD(JOIN_PIDFD, join_pidfd, .target = WH_SLOT_TARGET, .nsflags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
    }
    ADD(SET_IDS, set_ids, .uid = 0, .gid = 0);
    ADD(ROOT_OPEN, root_open, .root = WH_SLOT_ROOT, .mode = 1);
    ADD(CONSOLE, console, .root = WH_SLOT_ROOT, .socket = WH_SLOT_CONSOLE, .uid = 1000, .rows = 24, .cols = 80);
    ADD(KEYRING, keyring, )->soft = WH_SOFT_NOSYS;
    tp_tail(o);
}

__attribute__((unused)) static void tp_realistic(struct tp_options o)
{
    static const uint64_t cpus[2] = { ~0ull, 3 };
    const struct wh_vec none = { 0, 0 };
    wh_slot root = WH_SLOT_ROOT, tmp = WH_SLOT_SCRATCH, late;

    if (o.exec) {
        tp_exec(o);
        return;
    }
    tp_begin();
    late = wh_build_alloc_slot(tp);
    wh_build_preserve(tp, 1);
    wh_build_host_slot(tp, WH_SLOT_PROC);
    wh_build_host_slot(tp, WH_SLOT_ROOTFS);
    wh_build_host_slot(tp, WH_SLOT_CONSOLE);
    wh_build_host_slot(tp, WH_SLOT_LISTEN);
    wh_build_host_slot(tp, WH_SLOT_NS);

    ADD(SIGNALS, signals, );
    ADD(OOM_ADJ, oom_adj, .proc = WH_SLOT_PROC, .value = -17);
    ADD(RLIMIT_RAISE, rlimit_raise, .hard = 4096, .resource = 7);
    ADD(AFFINITY, affinity, .cpus = STR("all CPUs"), .mask = wh_build_bytes(tp, cpus, sizeof(cpus)));
    ADD(JOIN, join, .ns = WH_SLOT_NS, .nstype = CLONE_NEWNET, .path = STR("/run/netns/x"));
    ADD(UNSHARE, unshare, .nsflags = CLONE_NEWUSER);
    ADD(ASK_IDMAP, ask_idmap, .uid_map = STR("0 100000 65536\n"), .gid_map = STR("0 100000 65536\n"),
        .setgroups = STR("allow"));
    ADD(CHDIR_JOINED, chdir_joined, .path = STR("/srv/rootfs"));
    ADD(CHDIR_ROOTFS, chdir_rootfs, .rootfs = WH_SLOT_ROOTFS);
    ADD(UNSHARE, unshare, .nsflags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWTIME);
    ADD(TIMENS, timens, .proc = WH_SLOT_PROC, .offsets = STR("monotonic 5 0\n"));
    ADD(SET_IDS, set_ids, .uid = 0, .gid = 0);
    ADD(DUMPABLE, dumpable, .value = 0);
    ADD(CLONE_B, clone_b, );

    ADD(ASK_LIMITS, ask_limits, );
    ADD(SESSION, session, );
    ADD(KEYRING, keyring, )->soft = WH_SOFT_NOSYS;
    if (o.fds)
        ADD(OPEN_NS, open_ns, .proc = WH_SLOT_PROC, .nsflags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
    ADD(LOOPBACK, loopback, );
    ADD(ASK_NETDEV, ask_netdev, .device = STR("eth0"), .name = STR("net%d"));
    ADD(ROOT_PROPAGATION, root_propagation, .propagation = WH_MS_SLAVE, .recursive = 1);
    ADD(ROOT_HOLDER, root_holder, );
    ADD(OPEN_DEVNULL, open_devnull, .devnull = WH_SLOT_DEVNULL);
    ADD(ROOT_BIND, root_bind, .root = root, .recursive = 1);
    tp_fs("proc", "/proc", none, WH_MOUNT_ATTR_NOSUID, WH_ATTACH_NOSYMLINK | WH_ATTACH_SOURCE_PROC, 0);
    ADD(MOUNT_FS, mount_fs, .fstype = STR("sysfs"), .mount = tmp)->soft = WH_SOFT_PERM;
    ADD(MOUNT_BIND, mount_bind, .source = STR("/sys"), .recursive = 1, .mount = tmp)->flags = WH_STEP_ALT;
    ADD(ATTACH, attach, .mount = tmp, .root = root, .dst = STR("/sys"), .flags = WH_ATTACH_NOSYMLINK);
    tp_fs("tmpfs", "/dev", PARAMS("mode", "755", "ro", NULL), WH_MOUNT_ATTR_NOSUID, 0, 0);
    tp_fs("devpts", "/dev/pts", PARAMS("newinstance", NULL), WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NOEXEC, 0, 0);
    tp_fs("mqueue", "/dev/mqueue", none, WH_MOUNT_ATTR_NODEV, 0, WH_SOFT_PERM);
    ADD(MOUNT_FS, mount_fs, .fstype = STR("tmpfs"), .mount = late);
    ADD(COPYUP, copyup, .mount = late, .root = root, .dst = STR("/run"));
    ADD(ATTACH, attach, .mount = late, .root = root, .dst = STR("/run"), .flags = WH_ATTACH_KEEP_MODE);
    ADD(MOUNT_BIND, mount_bind, .source = STR("/etc/hosts"), .nofollow = 1, .mount = tmp);
    ADD(MOUNT_ATTR, mount_attr, .mount = tmp, .set = WH_MOUNT_ATTR_RDONLY, .propagation = WH_MS_PRIVATE);
    ADD(ATTACH, attach, .mount = tmp, .root = root, .dst = STR("/etc/hosts"));
    ADD(BIND_ROOT, bind_root, .root = root, .source = STR("/srv/in"), .recursive = 1, .mount = tmp);
    ADD(MOUNT_RELAX, mount_relax, .mount = tmp, .clr = WH_MOUNT_ATTR_NOEXEC | WH_MOUNT_ATTR_NODEV);
    ADD(ATTACH, attach, .mount = tmp, .root = root, .dst = STR("/srv/out"));
    ADD(MOUNT_BIND, mount_bind, .source = STR("/etc/meminfo"), .mount = tmp);
    ADD(ATTACH, attach, .mount = tmp, .root = root, .dst = STR("/proc/meminfo"), .flags = WH_ATTACH_BENEATH_PROC);
    ADD(ASK_MOUNT, ask_mount, .source = STR("/srv/data"), .uid_map = STR("0 100000 65536"),
        .gid_map = STR("0 100000 65536"), .propagation = WH_MS_SLAVE, .mount = tmp);
    ADD(ATTACH, attach, .mount = tmp, .root = root, .dst = STR("/srv"));
    ADD(REMOUNT, remount, .root = root, .dst = STR("/srv"), .params = PARAMS("size", "1m"), .mount = tmp);
    ADD(MOUNT_ATTR, mount_attr, .mount = tmp, .set = WH_MOUNT_ATTR_RDONLY);
    ADD(MOUNT_BIND, mount_bind, .source = STR("/etc/localtime"), .nofollow = 1, .mount = tmp);
    ADD(COPY_LINK, copy_link, .mount = tmp, .root = root, .dst = STR("/etc/localtime"));
    ADD(ATTACH, attach, .mount = tmp, .root = root, .dst = STR("/etc/localtime"));
    ADD(MKNOD, mknod, .root = root, .path = STR("/dev/null"), .mode = S_IFCHR | 0666, .major = 1, .minor = 3)->soft =
        WH_SOFT_PERM;
    ADD(DEV_BIND, dev_bind, .source = STR("/dev/null"), .root = root, .path = STR("/dev/null"), .mode = S_IFCHR | 0666,
        .major = 1, .minor = 3)
        ->flags = WH_STEP_ALT;
    ADD(DEV_BIND, dev_bind, .source = STR("/dev/full"), .root = root, .path = STR("/dev/full"), .mode = S_IFCHR | 0666,
        .major = 1, .minor = 7);
    ADD(ASK_DEVICE, ask_device, .root = root, .path = STR("/dev/fuse"), .mode = S_IFCHR | 0660, .major = 1, .minor = 3,
        .uid = 1000, .gid = 5);
    ADD(SYMLINK, symlink, .root = root, .target = STR("pts/ptmx"), .path = STR("/dev/ptmx"), .replace = 1);
    ADD(CONSOLE, console, .root = root, .socket = WH_SLOT_CONSOLE, .uid = 1000, .rows = 24, .cols = 80, .node = 1);
    ADD(CTTY, ctty, );
    ADD(ASK_HOOK, ask_hook, .kind = WH_HOOK_CREATE_RUNTIME);
    ADD(MOUNT_ATTR, mount_attr, .mount = late, .set = WH_MOUNT_ATTR_RDONLY);
    ADD(MOUNT_FS, mount_fs, .fstype = STR("tmpfs"), .params = PARAMS("nr_inodes", "1"), .attr = WH_MOUNT_ATTR_RDONLY,
        .mount = WH_SLOT_MASKFS);
    ADD(MASK, mask, .root = root, .devnull = WH_SLOT_DEVNULL, .maskfs = WH_SLOT_MASKFS, .path = STR("/proc/kcore"));
    ADD(MASK, mask, .root = root, .devnull = WH_SLOT_DEVNULL, .maskfs = WH_SLOT_MASKFS, .path = STR("/proc/acpi"));
    ADD(MASK, mask, .root = root, .devnull = WH_SLOT_DEVNULL, .maskfs = WH_SLOT_MASKFS, .path = STR("/sys/firmware"));
    ADD(RDONLY, rdonly, .root = root, .path = STR("/proc/sys"));
    ADD(MKDIR, mkdir, .root = root, .path = STR("/work"));
    ADD(ROOT_RDONLY, root_rdonly, .root = root);
    ADD(PIVOT, pivot, .root = root, .mode = 0);
    ADD(ROOT_SHARE, root_share, .propagation = WH_MS_SHARED);
    ADD(SYSCTL, sysctl, .proc = WH_SLOT_PROC, .path = STR("net/ipv4/ip_forward"), .value = STR("1"));
    ADD(HOSTNAME, hostname, .name = STR("host"));
    ADD(DOMAINNAME, domainname, .name = STR("domain"));

    tp_tail(o);

    ADD(CG_WRITE, cg_write, .controller = STR("unified"), .file = STR("pids.max"), .value = STR("7"));
    ADD(HOOK, hook, .kind = WH_HOOK_CREATE_RUNTIME, .path = STR("/hook"), .args = STRV("hook"), .env = NO_STRV);
}

/* The n-th step (from 0) of an op, or null. */
__attribute__((unused)) static struct wh_step *tp_find(struct wh_plan *p, uint32_t op, uint32_t n, uint32_t *ret_nr)
{
    struct wh_step *s = (struct wh_step *)wh_plan_first(p);

    for (uint32_t k = 0; k < p->nsteps + p->nhost; k++, s = (struct wh_step *)wh_step_next(s))
        if (s->op == op && n-- == 0) {
            if (ret_nr)
                *ret_nr = k;
            return s;
        }
    return NULL;
}

/* Takes a step out; what is before it moves up, so that the data stays where it is. */
__attribute__((unused)) static void tp_remove(struct wh_plan *p, struct wh_step *s)
{
    char *first = (char *)p + p->steps;
    uint16_t len = s->len;

    memmove(first + len, first, (size_t)((char *)s - first));
    p->steps += len;
    p->nsteps--;
}

/* Exchanges a step with the one behind it. */
__attribute__((unused)) static void tp_swap(struct wh_step *s)
{
    char *next = (char *)s + s->len, buf[512];
    uint16_t len = s->len, len2 = ((struct wh_step *)next)->len;

    memcpy(buf, s, len);
    memmove(s, next, len2);
    memcpy((char *)s + len2, buf, len);
}

#endif
