#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The systemd cgroup manager where the controllers are on v1 hierarchies beside cgroup2, in the lab (tests/vm/run --systemd --hybrid).
load ../integration/helpers
load ../integration/inside

test_setup() {
    [ -d /run/systemd/system ] || skip "needs systemd"
    need root hybrid
    UNIT=wh-$CID.scope
}

show() { systemctl show "$UNIT" -p "$1" --value; }
in_v1() { cat "/sys/fs/cgroup/$1/system.slice/$UNIT/$2"; }
limits() {
    in_v1 memory memory.limit_in_bytes
    in_v1 pids pids.max
    in_v1 cpu,cpuacct cpu.cfs_quota_us
    show MemoryMax
    show TasksMax
    show CPUQuotaPerSecUSec
}

@test "hybrid: one unit in all hierarchies, with limits that a reload keeps, from create to delete" {
    config '.linux.cgroupsPath = ":wh:'"$CID"'" | .process.args = ["sleep", "100"]
        | .linux.resources = { memory: { limit: 104857600 }, pids: { limit: 20 }, cpu: { cpus: "0" } }'
    detached --systemd-cgroup run -d "$CID"
    have_status 0
    [ "$(limits | xargs)" = "104857600 20 -1 104857600 20 infinity" ]
    # systemd has no such controller.
    [ "$(in_v1 cpuset cpuset.cpus)" = 0 ]
    run cat "/proc/$(pid_of "$CID")/cgroup"
    for hierarchy in 0:: memory pids cpu,cpuacct cpuset blkio devices name=systemd; do
        have_line "(^|:)$hierarchy:?/system.slice/$UNIT\$"
    done
    # The period alone, of what is one property and two files, and one that the container had no limit of.
    wherry update --memory 200m --pids-limit 30 --cpu-quota 10000 "$CID"
    wherry update --cpu-period 50000 "$CID"
    systemctl daemon-reload
    [ "$(limits | xargs)" = "209715200 30 10000 209715200 30 200ms" ]
    run wherry exec "$CID" sh -c 'echo in >/dev/null && cat /proc/self/cgroup' </dev/null
    have_status 0
    # As seen from the container's cgroup namespace: nowhere outside of it.
    have_line ':memory:/$'
    have_not ':/..'
    run wherry pause "$CID"
    have_status 0
    run wherry delete -f "$CID"
    have_status 0
    [ -z "$output" ]
    [ "$(show LoadState)" = not-found ]
    [ -z "$(find /sys/fs/cgroup -name "$UNIT")" ]
    [ ! -e /sys/fs/cgroup/cpuset/system.slice ]
}
