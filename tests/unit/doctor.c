/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What doctor says of each thing that it tries, and what it advises for each way in which one can fail. Most of them
 * no one host has. */
#include <errno.h>

#include "host/doctor.c"
#include "tap.h"

static void titles(void)
{
    static const char *const want[] = {
        "system calls of Linux 5.14",
        "this host's /proc",
        "a place for the state",
        "executing wherry-init from memory",
        "processes by file descriptor",
        "a new user namespace",
        "mapping the user's own id",
        "mapping ids with newuidmap and newgidmap",
        "mount, pid, ipc, uts, network and cgroup namespaces",
        "a time namespace",
        "a new tmpfs, built detached and attached",
        "cloning a mount",
        "a new proc for a pid namespace",
        "a new sysfs for a network namespace",
        "a new devpts, for terminals",
        "a new mqueue for an IPC namespace",
        "an overlay mount",
        "an idmapped mount",
        "making, killing and removing a cgroup",
        "controllers for limits",
        "a program for device rules",
        "a seccomp filter",
        "a seccomp filter with a listener",
        "a session keyring",
        "AppArmor profiles",
        "SELinux labels",
    };

    is_int(WH_PROBE_MAX, WH_ELEMENTSOF(want), "every probe has a title here");
    for (unsigned p = 0; p < WH_PROBE_MAX; p++)
        is_str(wh_probe_infos[p].title, want[p], "%s", wh_probe_infos[p].id);
}

static void advice(void)
{
    static const char root[] = "run it as root, or with --rootless";
    static const char sandbox[] =
        "let the sandbox around this allow the mount system calls: --security-opt seccomp=unconfined";
    static const struct {
        enum wh_probe p;
        bool user;
        int err;
        const char *want;
    } t[] = {
        { WH_PROBE_NAMESPACES, false, ENOSPC, "sysctl -w user.max_net_namespaces=15000 user.max_mnt_namespaces=15000" },
        { WH_PROBE_NAMESPACES, false, EPERM, root },
        { WH_PROBE_NAMESPACES, false, EINVAL,
          "boot a kernel with CONFIG_NAMESPACES=y, CONFIG_NET_NS=y and CONFIG_CGROUPS=y" },
        { WH_PROBE_TIME_NAMESPACE, false, EPERM, root },
        { WH_PROBE_TIME_NAMESPACE, false, EINVAL, "boot a kernel with CONFIG_TIME_NS=y" },
        { WH_PROBE_PROC_MOUNT, true, EPERM,
          "unmount what covers parts of /proc: grep ' /proc/' /proc/self/mountinfo   (or run where nothing does: "
          "--security-opt unmask=ALL)" },
        { WH_PROBE_SYSFS, true, EPERM,
          "unmount what covers parts of /sys: grep ' /sys/' /proc/self/mountinfo   (or bind /sys)" },
        { WH_PROBE_OVERLAY, false, ENODEV, "modprobe overlay" },
        { WH_PROBE_OVERLAY, true, EPERM, "boot Linux 5.11 or later, or use fuse-overlayfs" },
        { WH_PROBE_OVERLAY, false, EPERM, "boot a kernel with CONFIG_OVERLAY_FS=y" },
        { WH_PROBE_MQUEUE, false, ENODEV, "boot a kernel with CONFIG_POSIX_MQUEUE=y" },
        { WH_PROBE_SECCOMP, false, EINVAL, "boot a kernel with CONFIG_SECCOMP_FILTER=y" },
        { WH_PROBE_SECCOMP_NOTIFY, false, EBUSY, "leave the container whose filter has a listener already" },
        { WH_PROBE_KEYRING, false, EDQUOT, "sysctl -w kernel.keys.maxkeys=2000" },
        { WH_PROBE_KEYRING, false, EPERM, "let the sandbox around this allow keyctl, or run with --no-new-keyring" },
        { WH_PROBE_TMPFS, false, EPERM, sandbox },
        { WH_PROBE_BIND, true, EPERM, sandbox },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++)
        is_str(fix_trial(t[i].p, t[i].user, t[i].err), t[i].want, "%s, %s, %s", wh_probe_infos[t[i].p].id,
               t[i].user ? "an ordinary user" : "root", wh_errno_name(t[i].err));
}

static void limits(void)
{
    static const struct {
        bool rootless;
        uint64_t feat;
        const char *have, *detail, *advice;
    } t[] = {
        { false, 0, "cpu cpuset io memory pids", "cpu cpuset io memory pids", "" },
        { false, 0, "cpu pids", "cpu pids; lacking: cpuset io memory",
          "boot without cgroup_disable=, and with systemd.unified_cgroup_hierarchy=1" },
        { true, WH_FEAT_CGROUP_WRITABLE, "", "lacking: cpu cpuset io memory pids",
          "systemctl edit user@.service, there: [Service] Delegate=cpu cpuset io memory pids" },
        { true, 0, "cpu", "not tried: no cgroup is delegated", "" },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        struct wh_doctor d = { .rootless = t[i].rootless,
                               .facts = { .feat = t[i].feat, .cgroup2_controllers = t[i].have } };

        controllers(&d, NULL);
        is_str(d.r[WH_PROBE_CONTROLLERS].detail, t[i].detail, "controllers \"%s\"%s", t[i].have,
               t[i].rootless ? " of an ordinary user" : "");
        is_str(d.r[WH_PROBE_CONTROLLERS].fix, t[i].advice, "and the advice");
    }
}

int main(void)
{
    titles();
    advice();
    limits();
    return done_testing();
}
