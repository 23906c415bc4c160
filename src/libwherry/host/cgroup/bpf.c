/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device program of a cgroup: loading and attaching. What it does is compiled by plan/compile-devbpf.c. */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/internal.h"

/* More than one or two on one directory means that something else manages it. */
#define OLD_MAX 64

static int sys_bpf(int cmd, union bpf_attr *attr)
{
    for (int tries = 0;; tries++) {
        long r = syscall(SYS_bpf, cmd, attr, sizeof *attr);

        /* The verifier gives up with EAGAIN when a signal is pending; it does no harm to ask again. */
        if (r >= 0 || (errno != EAGAIN && errno != EINTR) || tries == 5)
            return r < 0 ? -errno : (int)r;
    }
}

static int load(const void *insns, size_t len, char *log, size_t log_size)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = (uintptr_t)insns;
    attr.insn_cnt = (uint32_t)(len / sizeof(struct bpf_insn));
    attr.license = (uintptr_t) "LGPL-2.1-or-later";
    memcpy(attr.prog_name, "wherry_devices", sizeof "wherry_devices");
    if (log) {
        attr.log_level = 1;
        attr.log_buf = (uintptr_t)log;
        attr.log_size = (uint32_t)log_size;
    }
    return sys_bpf(BPF_PROG_LOAD, &attr);
}

static int prog_fd(uint32_t id)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.prog_id = id;
    return sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

static int attach(int dirfd, int prog, uint32_t flags, int replace)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)dirfd;
    attr.attach_bpf_fd = (uint32_t)prog;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = flags;
    if (replace >= 0) {
        attr.attach_flags |= BPF_F_REPLACE;
        attr.replace_bpf_fd = (uint32_t)replace;
    }
    return sys_bpf(BPF_PROG_ATTACH, &attr);
}

/* Programs of the directory itself (not those of its parents, which go on to bind it). */
static int query(int dirfd, uint32_t *ids, uint32_t *ret_n, uint32_t *ret_flags)
{
    union bpf_attr attr;
    int r;

    memset(&attr, 0, sizeof attr);
    attr.query.target_fd = (uint32_t)dirfd;
    attr.query.attach_type = BPF_CGROUP_DEVICE;
    attr.query.prog_cnt = OLD_MAX;
    attr.query.prog_ids = (uintptr_t)ids;
    r = sys_bpf(BPF_PROG_QUERY, &attr);
    *ret_n = r < 0 ? 0 : attr.query.prog_cnt;
    *ret_flags = attr.query.attach_flags;
    return r;
}

static int replace_old(int dirfd, int prog)
{
    uint32_t ids[OLD_MAX], n, flags;
    int r = query(dirfd, ids, &n, &flags);

    if (r < 0)
        return r;
    if (n == 0)
        return attach(dirfd, prog, BPF_F_ALLOW_MULTI, -1);
    if (n > 1 || !(flags & BPF_F_ALLOW_MULTI)) {
        /* The new one first: all must allow, so at no moment is less refused than before and after. */
        r = attach(dirfd, prog, flags, -1);
        /* Without ALLOW_MULTI an attach replaces by itself. */
        if (r < 0 || !(flags & BPF_F_ALLOW_MULTI))
            return r;
        for (uint32_t i = 0; i < n && r == 0; i++) {
            WH_CLEANUP_FD int old = prog_fd(ids[i]);
            union bpf_attr attr;

            if (old < 0)
                return old;
            memset(&attr, 0, sizeof attr);
            attr.target_fd = (uint32_t)dirfd;
            attr.attach_bpf_fd = (uint32_t)old;
            attr.attach_type = BPF_CGROUP_DEVICE;
            r = sys_bpf(BPF_PROG_DETACH, &attr);
        }
        return r;
    }

    WH_CLEANUP_FD int old = prog_fd(ids[0]);
    return old < 0 ? old : attach(dirfd, prog, BPF_F_ALLOW_MULTI, old);
}

int wh_cg_load_devices(const void *insns, size_t len, struct wh_err *err)
{
    int prog = load(insns, len, NULL, 0), r = prog;
    char log[4096], *end;

    if (prog >= 0)
        return prog;
    if (r == -EPERM)
        return wh_err_sys(err, r, "load the device program (it needs CAP_BPF or CAP_SYS_ADMIN)");
    /* The verifier's last line says why, when it was the verifier. */
    log[0] = '\0';
    prog = load(insns, len, log, sizeof log);
    if (prog >= 0)
        return prog;
    log[sizeof log - 1] = '\0';
    for (end = log + strlen(log); end > log && end[-1] == '\n';)
        *--end = '\0';
    end = strrchr(log, '\n');
    return wh_err_sys(err, r, "load the device program%s%s", log[0] ? ": " : "", end ? end + 1 : log);
}

int wh_cg_attach_devices(int dirfd, int prog, bool fresh, struct wh_err *err)
{
    int r = fresh ? attach(dirfd, prog, BPF_F_ALLOW_MULTI, -1) : replace_old(dirfd, prog);

    if (r == -EPERM)
        return wh_err_sys(err, r, "attach the device program (a parent cgroup has one that forbids others below it?)");
    return r < 0 ? wh_err_sys(err, r, "attach the device program to the cgroup") : 0;
}
