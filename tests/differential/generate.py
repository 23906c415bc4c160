# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bundles of the differential test: (name, configuration), always the same ones in the same order for a seed.

Alone: each property of the specification with the values that matter. Pairs: of those that meet in the kernel. Random: several of them
together, chosen by the seed. Engines: the files of tests/configs, less what names files of the host that wrote them.
"""
import copy
import itertools
import json
import os
import random

NAMESPACES = ["pid", "network", "ipc", "uts", "mount"]
CAPS = ["CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_SETGID",
        "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"]
MAPS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def base():
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/probe"], "cwd": "/", "env": ["PATH=/bin", "TERM=xterm"],
                    "capabilities": {s: CAPS for s in ("bounding", "effective", "permitted")}, "noNewPrivileges": True},
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        ],
        "linux": {"namespaces": [{"type": t} for t in NAMESPACES],
                  "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware", "/masked", "/masked-dir"],
                  "readonlyPaths": ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/readonly", "/readonly-dir"]},
    }


def put(doc, pointer, value):
    *way, last = pointer.split("/")[1:]
    for part in way:
        doc = doc[int(part)] if isinstance(doc, list) else doc.setdefault(part, {})
    if value is None and isinstance(doc, dict):
        doc.pop(last, None)
    elif isinstance(doc, list):
        if last == "-":
            doc.append(value)
        else:
            doc[int(last)] = value
    else:
        doc[last] = value


def mount(destination, **more):
    return [("/mounts/-", {"destination": destination, **more})]


def bind(*options, source="vol", destination="/vol"):
    return mount(destination, type="bind", source=source, options=list(options))


def namespaces(*types):
    return ("/linux/namespaces", [{"type": t} for t in types])


def seccomp(default, *rules, **more):
    return [("/linux/seccomp", {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], **more,
                                "syscalls": [{"names": list(n), "action": a, **e} for n, a, e in rules]})]


def alone():
    """name -> list of (pointer, value); each changes one thing."""
    yield "base", []
    # ---- process
    for uid, gid in ((1000, 1000), (0, 5), (65534, 0)):
        yield f"user-{uid}-{gid}", [("/process/user", {"uid": uid, "gid": gid})]
    yield "user-groups", [("/process/user", {"uid": 1000, "gid": 1000, "additionalGids": [5, 10, 1000, 99999]})]
    yield "user-groups-root", [("/process/user/additionalGids", [1, 2, 3])]
    yield "user-groups-empty", [("/process/user/additionalGids", [])]
    yield "user-without-gid", [("/process/user", {"uid": 1000})]
    for mask in (0, 0o77, 0o777, 0o22):
        yield f"umask-{mask:o}", [("/process/user/umask", mask)]
    for cwd in ("/tmp", "/made/deep", "/root", "/link/made", "/tmp/../tmp"):
        yield "cwd" + cwd.replace("/", "-"), [("/process/cwd", cwd)]
    yield "args", [("/process/args", ["/probe", "", "a b", "\u00e4", "x" * 1000])]
    yield "args-path", [("/process/args", ["probe-in-path"]), ("/process/env", ["PATH=/none:/bin:/usr/bin"])]
    for name, args in (("missing", ["/nosuch"]), ("missing-path", ["nosuch"]), ("directory", ["/tmp"]), ("no-x", ["/no-x"]),
                       ("script-without-interpreter", ["/bad-script"]), ("not-a-program", ["/text"]), ("empty", [""])):
        yield "args-" + name, [("/process/args", args)]
    yield "env", [("/process/env", ["PATH=/bin", "A=1", "A=2", "HOME=/x", "EMPTY=", "EQ=a=b"])]
    yield "env-none", [("/process/env", None)]
    yield "env-home-empty", [("/process/env", ["PATH=/bin", "HOME="])]
    yield "env-home-user", [("/process/user", {"uid": 1000, "gid": 1000})]
    yield "env-home-unknown", [("/process/user", {"uid": 4321, "gid": 4321})]
    for s in ("bounding", "effective", "permitted", "inheritable", "ambient"):
        yield f"caps-without-{s}", [(f"/process/capabilities/{s}", None)]
        yield f"caps-empty-{s}", [(f"/process/capabilities/{s}", [])]
    yield "caps-none", [("/process/capabilities", None)]
    yield "caps-empty", [("/process/capabilities", {})]
    yield "caps-all-sets", [(f"/process/capabilities/{s}", ["CAP_KILL", "CAP_CHOWN"]) for s in
                            ("bounding", "effective", "permitted", "inheritable", "ambient")]
    yield "caps-ambient-user", [("/process/user", {"uid": 1000, "gid": 1000})] + [
        (f"/process/capabilities/{s}", ["CAP_KILL", "CAP_NET_RAW"]) for s in ("bounding", "effective", "permitted", "inheritable", "ambient")]
    yield "caps-user", [("/process/user", {"uid": 1000, "gid": 1000})]
    yield "caps-inheritable", [("/process/capabilities/inheritable", ["CAP_KILL"])]
    yield "caps-unknown", [("/process/capabilities/bounding", CAPS + ["CAP_FUTURE"])]
    yield "caps-lacking", [("/process/capabilities/bounding", CAPS + ["CAP_SYS_RESOURCE"])]
    yield "caps-admin", [(f"/process/capabilities/{s}", CAPS + ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]) for s in
                         ("bounding", "effective", "permitted")]
    for resource in ("AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO", "RTTIME",
                     "SIGPENDING", "STACK"):
        value = {"AS": 1 << 30, "DATA": 1 << 30, "FSIZE": 1 << 30, "STACK": 1 << 20, "NICE": 0, "RTPRIO": 0, "NOFILE": 100, "MEMLOCK": 4096,
                 "NPROC": 200, "MSGQUEUE": 1000}.get(resource, 1000)
        yield f"rlimit-{resource.lower()}", [("/process/rlimits", [{"type": "RLIMIT_" + resource, "soft": value // 2, "hard": value}])]
    yield "rlimit-nofile-small", [("/process/rlimits", [{"type": "RLIMIT_NOFILE", "soft": 4, "hard": 4}])]
    yield "rlimit-unlimited", [("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": 2**64 - 1, "hard": 2**64 - 1}])]
    yield "rlimit-none", [("/process/rlimits", [])]
    yield "nnp-off", [("/process/noNewPrivileges", False)]
    yield "nnp-absent", [("/process/noNewPrivileges", None)]
    for adj in (0, 100, 1000):
        yield f"oom-{adj}", [("/process/oomScoreAdj", adj)]
    yield "terminal", [("/process/terminal", True)]
    yield "terminal-size", [("/process/terminal", True), ("/process/consoleSize", {"height": 30, "width": 90})]
    yield "terminal-user", [("/process/terminal", True), ("/process/user", {"uid": 1000, "gid": 1000})]
    yield "consolesize-without-terminal", [("/process/consoleSize", {"height": 30, "width": 90})]
    yield "scheduler", [("/process/scheduler", {"policy": "SCHED_BATCH", "nice": 5})]
    yield "scheduler-idle", [("/process/scheduler", {"policy": "SCHED_IDLE"})]
    yield "ioprio", [("/process/ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 6})]
    yield "ioprio-idle", [("/process/ioPriority", {"class": "IOPRIO_CLASS_IDLE", "priority": 0})]
    yield "label-empty", [("/process/selinuxLabel", ""), ("/process/apparmorProfile", ""), ("/linux/mountLabel", "")]
    yield "affinity", [("/process/execCPUAffinity", {"initial": "0", "final": "0"})]
    # ---- root, mounts
    yield "root-readonly", [("/root/readonly", True)]
    yield "root-readonly-cwd", [("/root/readonly", True), ("/process/cwd", "/made")]
    yield "root-absolute", [("/root/path", "@BUNDLE@/rootfs")]
    yield "hostname-none", [("/hostname", None)]
    yield "domainname", [("/domainname", "example.org")]
    for options in (["bind"], ["rbind"], ["rbind", "ro"], ["rbind", "rro"], ["bind", "nosuid", "nodev", "noexec"], ["rbind", "rprivate"], ["rbind", "rw"],
                    ["bind", "noatime"], ["bind", "relatime"], ["bind", "strictatime"], ["bind", "nodiratime"], ["bind", ""], ["bind", "ro", "rw"],
                    ["bind", "exec"], ["bind", "suid", "dev"], ["rbind", "rnosuid", "rnoexec"], ["rbind", "slave"], ["rbind", "rslave"],
                    ["rbind", "shared"], ["rbind", "rshared"], ["rbind", "unbindable"], ["bind", "private"], ["bind", "sync"], ["bind", "nosymfollow"],
                    ["bind", "silent"], ["bind", "defaults"]):
        yield "bind-" + "-".join(o or "empty" for o in options), bind(*options)
    yield "bind-file", bind("bind", source="file", destination="/vol-file")
    yield "bind-file-ro-made", bind("bind", "ro", source="file", destination="/made-for/file")
    yield "bind-over-link", bind("bind", destination="/link/vol")
    yield "bind-missing", bind("bind", source="nosuch")
    yield "bind-on-file", bind("bind", destination="/text")
    yield "bind-in-rootfs", bind("rbind", source="rootfs/readonly-dir")
    yield "bind-type-none", mount("/vol", type="none", source="vol", options=["rbind"])
    yield "bind-without-type", mount("/vol", source="vol", options=["rbind"])
    yield "bind-submounts", bind("rbind", source="tree")
    yield "bind-submounts-ro", bind("rbind", "ro", source="tree")
    yield "bind-submounts-not", bind("bind", source="tree")
    yield "bind-noexec-source", bind("rbind", "rw", source="noexec")
    yield "bind-noexec-inherit", bind("rbind", source="noexec")
    yield "bind-data", bind("bind", "size=4k")
    for options in ([], ["mode=700"], ["size=1m"], ["ro"], ["nosuid", "nodev", "noexec"], ["mode=1777", "uid=1000", "gid=1000"], ["noatime"], ["rprivate"],
                    ["tmpcopyup"], ["tmpcopyup", "mode=711"], ["nr_inodes=100"]):
        yield "tmpfs-" + "-".join(options or ["plain"]), mount("/vol", type="tmpfs", source="tmpfs", options=options)
    yield "tmpfs-made", mount("/made/t", type="tmpfs", source="tmpfs")
    yield "tmpfs-on-existing", mount("/readonly-dir", type="tmpfs", source="tmpfs")
    yield "tmpfs-nosuch-option", mount("/vol", type="tmpfs", source="tmpfs", options=["nosuch=1"])
    yield "mount-nosuch-type", mount("/vol", type="nosuchfs", source="x")
    yield "mount-no-type", mount("/vol", source="x")
    yield "mount-relative-destination", mount("vol", type="tmpfs", source="tmpfs")
    yield "mount-proc-inside", mount("/proc/sys", type="tmpfs", source="tmpfs")
    yield "mount-proc-file", bind("bind", source="file", destination="/proc/uptime")
    yield "mount-order", mount("/vol", type="tmpfs", source="a") + mount("/vol/b", type="tmpfs", source="b") + mount("/vol", type="tmpfs", source="c")
    yield "mount-without-proc", [("/mounts", [])]
    yield "mount-without-dev", [("/mounts", [{"destination": "/proc", "type": "proc", "source": "proc"}])]
    yield "mount-dev-ro", [("/mounts/1/options", ["nosuid", "mode=755", "ro"])]
    yield "mount-sys-rw", [("/mounts/5/options", ["nosuid", "noexec", "nodev"])]
    yield "mount-source-absent", mount("/vol", type="tmpfs")
    yield "mount-remount", mount("/dev/shm", type="tmpfs", source="shm", options=["remount", "ro"])
    for cg in (["ro", "nosuid", "noexec", "nodev"], ["rw", "nosuid", "noexec", "nodev"], ["relatime", "ro"]):
        yield "mount-cgroup-" + cg[0], mount("/sys/fs/cgroup", type="cgroup", source="cgroup", options=cg)
    yield "mount-cgroup-ns", mount("/sys/fs/cgroup", type="cgroup", source="cgroup", options=["ro", "nosuid", "noexec", "nodev"]) + [
        namespaces(*NAMESPACES, "cgroup")]
    # ---- linux
    for drop in NAMESPACES:
        more = {"network": [("/mounts/5", {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "ro"]})],
                "uts": [("/hostname", None)], "mount": []}.get(drop, [])
        if drop != "mount":
            yield f"ns-without-{drop}", [namespaces(*(n for n in NAMESPACES if n != drop))] + more
    yield "ns-cgroup", [namespaces(*NAMESPACES, "cgroup")]
    yield "ns-time", [namespaces(*NAMESPACES, "time")]
    yield "ns-user", [namespaces(*NAMESPACES, "user"), ("/linux/uidMappings", MAPS), ("/linux/gidMappings", MAPS)]
    yield "ns-user-process", [namespaces(*NAMESPACES, "user"), ("/linux/uidMappings", MAPS), ("/linux/gidMappings", MAPS),
                              ("/process/user", {"uid": 1000, "gid": 1000})]
    yield "ns-user-unmapped", [namespaces(*NAMESPACES, "user"), ("/linux/uidMappings", [{**MAPS[0], "size": 10}]), ("/linux/gidMappings", MAPS),
                               ("/process/user", {"uid": 1000, "gid": 1000})]
    yield "ns-user-without-maps", [namespaces(*NAMESPACES, "user")]
    yield "ns-maps-without-user", [("/linux/uidMappings", MAPS), ("/linux/gidMappings", MAPS)]
    yield "ns-duplicate", [namespaces(*NAMESPACES, "pid")]
    yield "ns-path-empty", [("/linux/namespaces/0/path", "")]
    yield "ns-path-host-net", [("/linux/namespaces/1/path", "/proc/1/ns/net"),
                               ("/mounts/5", {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "ro"]})]
    yield "ns-path-mount", [("/linux/namespaces/4/path", "@MNTNS@"), ("/root/readonly", True), ("/linux/devices", [
        {"path": "/dev/x", "type": "c", "major": 1, "minor": 5}])] + mount("/vol", type="tmpfs", source="tmpfs", options=["mode=700"])
    yield "ns-path-mount-bare", [("/linux/namespaces/4/path", "@MNTNS@"), ("/mounts", []), ("/linux/maskedPaths", []), ("/linux/readonlyPaths", [])]
    yield "ns-path-wrong", [("/linux/namespaces/1/path", "/proc/1/ns/ipc")]
    yield "ns-path-missing", [("/linux/namespaces/1/path", "/nosuch")]
    for p in ("private", "rprivate", "slave", "rslave", "shared", "rshared", ""):
        yield "propagation-" + (p or "empty"), [("/linux/rootfsPropagation", p)] + bind("rbind")
    yield "propagation-unknown", [("/linux/rootfsPropagation", "nosuch")]
    yield "masked-none", [("/linux/maskedPaths", None)]
    yield "masked-missing", [("/linux/maskedPaths", ["/nosuch", "/masked/below"])]
    yield "masked-link", [("/linux/maskedPaths", ["/link"])]
    yield "masked-twice", [("/linux/maskedPaths", ["/masked", "/masked"])]
    yield "readonly-none", [("/linux/readonlyPaths", None)]
    yield "readonly-vol", bind("rbind") + [("/linux/readonlyPaths", ["/vol"])]
    yield "readonly-link", [("/linux/readonlyPaths", ["/link"])]
    yield "sysctl", [("/linux/sysctl", {"net.ipv4.ip_forward": "1", "kernel.shmmax": "12345678"})]
    yield "sysctl-slashes", [("/linux/sysctl", {"net/ipv4/ping_group_range": "0 5"})]
    yield "sysctl-mqueue", [("/linux/sysctl", {"fs.mqueue.msg_max": "50"})]
    yield "sysctl-not-namespaced", [("/linux/sysctl", {"vm.swappiness": "10"})]
    yield "sysctl-unknown", [("/linux/sysctl", {"net.nosuch": "1"})]
    yield "sysctl-hostname", [("/linux/sysctl", {"kernel.hostname": "x"})]
    yield "sysctl-domainname", [("/linux/sysctl", {"kernel.domainname": "x"})]
    yield "personality", [("/linux/personality", {"domain": "LINUX32"})]
    yield "personality-64", [("/linux/personality", {"domain": "LINUX"})]
    for name, device in (("char", {"path": "/dev/x", "type": "c", "major": 1, "minor": 3}),
                         ("mode", {"path": "/dev/x", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 5, "gid": 6}),
                         ("fifo", {"path": "/dev/x", "type": "p", "fileMode": 0o600}), ("u", {"path": "/dev/x", "type": "u", "major": 1, "minor": 7}),
                         ("elsewhere", {"path": "/made/x", "type": "c", "major": 1, "minor": 3}),
                         ("null-owner", {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 7}),
                         ("block", {"path": "/dev/x", "type": "b", "major": 7, "minor": 0})):
        yield "device-" + name, [("/linux/devices", [device])]
        yield "ns-user-device-" + name, [namespaces(*NAMESPACES, "user"), ("/linux/uidMappings", MAPS), ("/linux/gidMappings", MAPS),
                                         ("/linux/devices", [device])]
    rules = {"deny": [{"allow": False, "access": "rwm"}], "allow": [{"allow": True, "access": "rwm"}],
             "deny-allow": [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}],
             "allow-deny-zero": [{"allow": True, "access": "rwm"}, {"allow": False, "type": "c", "major": 1, "minor": 5, "access": "rwm"}], "none": []}
    for name, list_ in rules.items():
        yield "devrules-" + name, [("/linux/resources/devices", list_)]
    for name, r in {
        "memory": {"memory": {"limit": 64 << 20}}, "memory-swap": {"memory": {"limit": 64 << 20, "swap": 128 << 20}},
        "memory-reservation": {"memory": {"limit": 64 << 20, "reservation": 32 << 20}}, "memory-unlimited": {"memory": {"limit": -1}},
        "memory-swappiness": {"memory": {"limit": 64 << 20, "swappiness": 10}}, "memory-oom": {"memory": {"limit": 64 << 20, "disableOOMKiller": False}},
        "memory-small": {"memory": {"limit": 4096}}, "cpu-shares": {"cpu": {"shares": 512}}, "cpu-quota": {"cpu": {"quota": 50000, "period": 100000}},
        "cpu-quota-alone": {"cpu": {"quota": 20000}}, "cpu-period-alone": {"cpu": {"period": 50000}}, "cpu-set": {"cpu": {"cpus": "0", "mems": "0"}},
        "cpu-set-beyond": {"cpu": {"cpus": "4000"}}, "cpu-quota-bad": {"cpu": {"quota": 5, "period": 100000}}, "cpu-zero": {"cpu": {"shares": 0, "quota": 0}},
        "pids": {"pids": {"limit": 100}}, "pids-unlimited": {"pids": {"limit": -1}}, "pids-zero": {"pids": {"limit": 0}},
        "blkio": {"blockIO": {"weight": 500}}, "hugetlb": {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]},
        "network": {"network": {"classID": 1048577}}, "all-void": {"memory": {}, "cpu": {}, "pids": None, "blockIO": {}, "hugepageLimits": [], "devices": []},
    }.items():
        yield "resources-" + name, [("/linux/resources", r)]
    yield "cgroups-path", [("/linux/cgroupsPath", "/wherry-differential/@ID@")]
    yield "cgroups-path-relative", [("/linux/cgroupsPath", "wherry-differential/@ID@")]
    deny = ("SCMP_ACT_ERRNO", )
    yield "seccomp-errno", seccomp("SCMP_ACT_ALLOW", (["mount", "chroot", "keyctl"], *deny, {}))
    yield "seccomp-errno-ret", seccomp("SCMP_ACT_ALLOW", (["unshare"], "SCMP_ACT_ERRNO", {"errnoRet": 99}))
    yield "seccomp-kill", seccomp("SCMP_ACT_ALLOW", (["swapon"], "SCMP_ACT_KILL_PROCESS", {}))
    yield "seccomp-trap", seccomp("SCMP_ACT_ALLOW", (["swapon"], "SCMP_ACT_TRAP", {}))
    yield "seccomp-args", seccomp("SCMP_ACT_ALLOW", (["personality"], *deny, {"args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ"}]}))
    yield "seccomp-nnp-off", seccomp("SCMP_ACT_ALLOW", (["mount"], *deny, {})) + [("/process/noNewPrivileges", False)]
    yield "seccomp-unknown-call", seccomp("SCMP_ACT_ALLOW", (["nosuchcall", "mount"], *deny, {}))
    yield "seccomp-default-errno", seccomp("SCMP_ACT_ERRNO", (
        ["execve", "read", "write", "close", "fstat", "newfstatat", "lseek", "mmap", "mprotect", "munmap", "brk", "rt_sigaction", "rt_sigprocmask", "ioctl",
         "access", "faccessat", "faccessat2", "open", "openat", "getdents64", "readlink", "readlinkat", "getcwd", "getpid", "getpgrp", "getpgid", "getsid",
         "getpriority", "ioprio_get", "sched_getparam", "sched_getscheduler", "prctl", "prlimit64", "uname", "fcntl", "clone", "clone3", "wait4", "exit_group",
         "exit", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "getrandom", "futex", "stat", "lstat", "statx", "poll", "fork", "vfork"],
        "SCMP_ACT_ALLOW", {}))
    yield "seccomp-flags", seccomp("SCMP_ACT_ALLOW", (["mount"], *deny, {}), flags=["SECCOMP_FILTER_FLAG_LOG"])
    yield "annotations", [("/annotations", {"a": "b", "org.example.x": ""})]
    yield "unknown-key", [("/process/nosuch", 1), ("/nosuch", {"a": []})]
    yield "hooks-empty", [("/hooks", {"prestart": [], "poststop": None})]
    for hook in ("prestart", "createRuntime", "poststart"):
        yield f"hook-{hook}-fails", [("/hooks", {hook: [{"path": "/bin/false"}]})]
        yield f"hook-{hook}", [("/hooks", {hook: [{"path": "/bin/true", "args": ["true"], "env": ["A=1"]}]})]
    yield "version", [("/ociVersion", "1.1.0")]
    yield "version-bad", [("/ociVersion", "2.0.0")]
    yield "process-none", [("/process", None)]
    yield "root-missing", [("/root/path", "nosuch")]


MEET = ["user-1000-1000", "umask-77", "cwd-made-deep", "caps-admin", "caps-none", "nnp-off", "terminal", "root-readonly", "bind-rbind-ro",
        "tmpfs-ro", "mount-dev-ro", "mount-cgroup-rw", "ns-without-pid", "ns-without-network", "ns-without-ipc", "ns-cgroup", "ns-user",
        "propagation-rshared", "masked-none", "readonly-none", "device-mode", "devrules-deny", "resources-memory", "resources-pids",
        "seccomp-errno", "rlimit-nofile-small", "scheduler", "sysctl"]


def build(changes):
    doc = base()
    for pointer, value in changes:
        put(doc, pointer, copy.deepcopy(value))
    return doc


def engines(configs):
    for name in sorted(os.listdir(configs)):
        if not name.endswith(".json"):
            continue
        with open(os.path.join(configs, name), encoding="utf-8") as f:
            doc = json.load(f)
        doc["process"].update({"args": ["/probe"], "terminal": False, "cwd": "/"})
        doc["process"].pop("apparmorProfile", None)
        doc["process"]["rlimits"] = [r for r in doc["process"].get("rlimits") or [] if r["type"] == "RLIMIT_CORE"]
        doc["root"] = {**doc["root"], "path": "rootfs"}
        doc.pop("hooks", None)
        doc["mounts"] = [m for m in doc["mounts"] if m.get("type") != "bind" or m.get("source", "").startswith("/sys")]
        doc["linux"].pop("cgroupsPath", None)
        doc["linux"].pop("intelRdt", None)
        doc["linux"].pop("seccomp", None)
        for ns in doc["linux"]["namespaces"]:
            ns.pop("path", None)
        yield "engine-" + name[:-5], doc


def bundles(seed, configs):
    """All of them, in a fixed order: alone, engines, pairs, random."""
    single = dict(alone())
    for name, changes in single.items():
        yield name, build(changes)
    yield from engines(configs)
    for a, b in itertools.combinations(MEET, 2):
        yield f"{a}+{b}", build(single[a] + single[b])
    rng = random.Random(seed)
    names = [n for n in single if not n.startswith(("args-", "bind-missing", "mount-nosuch", "root-missing", "process-none", "version-bad"))]
    for i in range(120):
        chosen = rng.sample(names, rng.randint(2, 5))
        yield f"random-{seed}-{i}", build([c for n in chosen for c in single[n]])
