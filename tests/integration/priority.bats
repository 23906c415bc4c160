#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Scheduling policy, I/O priority and memory policy of the payload.
load helpers
load inside

test_setup() { need root chrt ionice; }

# A created container: its init is what the payload will be.
created() {
    detached create "$CID"
    have_status 0
    PID=$(pid_of "$CID")
}

@test "scheduler: every policy that needs no real-time bandwidth, with its nice value" {
    local policy
    for policy in OTHER:19 BATCH:5 IDLE:0; do
        config '.process.scheduler = {policy: ("SCHED_" + $p), nice: ($n | tonumber)}' --arg p "${policy%:*}" --arg n "${policy#*:}"
        created
        run chrt -p "$PID"
        have "SCHED_${policy%:*}"
        [ "$(awk '{ print $19 }' "/proc/$PID/stat")" = "${policy#*:}" ]
        wherry start "$CID"
        wherry delete -f "$CID"
    done
}

@test "scheduler: the payload has it, and what it forks" {
    config '.process.scheduler = {policy: "SCHED_BATCH", nice: 7}'
    # Fields 19 and 41 of stat are nice value and policy.
    inside "cat /proc/self/stat; /bin/sh -c 'cat /proc/self/stat'"
    [ "$(awk '{ print $19, $41 }' <<<"$output" | sort -u)" = "7 3" ]
}

@test "scheduler: SCHED_FLAG_RESET_ON_FORK" {
    config '.process.scheduler = {policy: "SCHED_BATCH", nice: -7, flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
    inside "awk '{ print \"self\", \$19, \$41 }' /proc/\$\$/stat; awk '{ print \"child\", \$19, \$41 }' /proc/self/stat; true"
    have "self -7 3"
    have "child 0 3"
}

@test "scheduler: real-time policies, or the reason why not" {
    local policy
    # In a v1 hierarchy of cpu a cgroup has no real-time budget of its own, so that the kernel refuses: with one, below the root, it does not.
    if [ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ]; then
        config '.linux.resources.cpu = {realtimeRuntime: 10000, realtimePeriod: 1000000} | .linux.cgroupsPath = "/" + $id' --arg id "$CID"
    fi
    for policy in FIFO RR; do
        config '.process.scheduler = {policy: ("SCHED_" + $p), priority: 7}' --arg p "$policy"
        if chrt --"${policy,,}" 7 true 2>/dev/null; then
            created
            run chrt -p "$PID"
            have "SCHED_$policy"
            have "priority: 7"
            wherry start "$CID"
            wherry delete -f "$CID"
        else
            refused "/process/scheduler: set scheduling policy SCHED_$policy: operation not permitted" CAP_SYS_NICE
        fi
    done
}

@test "scheduler: a deadline, or the reason why not" {
    config '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 2000000, deadline: 10000000, period: 20000000}'
    if chrt -d --sched-runtime 2000000 --sched-deadline 10000000 --sched-period 20000000 0 true 2>/dev/null; then
        created
        run chrt -p "$PID"
        have SCHED_DEADLINE
        have "2000000/10000000/20000000"
        wherry start "$CID"
        wherry delete -f "$CID"
    else
        refused "/process/scheduler: set scheduling policy SCHED_DEADLINE: "
    fi
}

@test "scheduler: a policy that no kernel has is the kernel's refusal, and nothing is left" {
    config '.process.scheduler = {policy: "SCHED_ISO"}'
    refused "/process/scheduler: set scheduling policy SCHED_ISO: invalid argument (this kernel does not know the policy"
}

@test "scheduler and I/O priority in a user namespace are set with the host's privilege" {
    need userns
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = .linux.uidMappings | .process.user = {uid: 1000, gid: 1000}
        | .process.scheduler = {policy: "SCHED_OTHER", nice: -3} | .process.ioPriority = {class: "IOPRIO_CLASS_RT", priority: 2}'
    created
    [ "$(ps -o ni= -p "$PID" | tr -d ' ')" = -3 ]
    [ "$(ionice -p "$PID")" = "realtime: prio 2" ]
}

@test "exec has its own scheduler and I/O priority, and the container's memory policy" {
    command_is sleep 1000
    [ ! -r /proc/self/numa_maps ] || config '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}'
    created
    wherry start "$CID"
    jq '.process | .args = ["/bin/sh", "-c", "cat /proc/self/stat; grep -c bind:0 /proc/self/numa_maps; sleep 0.2"]
        | .scheduler = {policy: "SCHED_BATCH", nice: 4} | .ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}' "$BUNDLE/config.json" >"$BATS_TEST_TMPDIR/p.json"
    run wherry exec -p "$BATS_TEST_TMPDIR/p.json" "$CID" </dev/null
    have_status 0
    [ "$(awk 'NR == 1 { print $19, $41 }' <<<"$output")" = "4 3" ]
    [ ! -r /proc/self/numa_maps ] || [ "${lines[1]}" -gt 0 ]
    jq '.scheduler = {policy: "SCHED_ISO"}' "$BATS_TEST_TMPDIR/p.json" >"$BATS_TEST_TMPDIR/q.json"
    run wherry exec -p "$BATS_TEST_TMPDIR/q.json" "$CID" </dev/null
    [ "$status" -ne 0 ]
    have "set scheduling policy SCHED_ISO: invalid argument"
}

@test "I/O priority: every class" {
    local it
    for it in RT:3:realtime BE:7:best-effort IDLE:0:idle; do
        config '.process.ioPriority = {class: ("IOPRIO_CLASS_" + $c), priority: ($p | tonumber)}' \
            --arg c "${it%%:*}" --arg p "$(cut -d: -f2 <<<"$it")"
        created
        run ionice -p "$PID"
        have "${it##*:}"
        case $it in IDLE*) ;; *) have "prio $(cut -d: -f2 <<<"$it")" ;; esac
        wherry delete -f "$CID"
    done
}

@test "scheduler: what an ordinary user may not set is told" {
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    mkdir "$BATS_TEST_TMPDIR/user"
    chown -R 65534 "$BATS_TEST_TMPDIR/user" "$BUNDLE/rootfs"
    config 'del(.linux.resources, .linux.cgroupsPath) | .linux.namespaces = [{type: "user"}, {type: "mount"}, {type: "pid"}]
        | .mounts = [] | del(.hostname, .linux.maskedPaths, .linux.readonlyPaths) | .process.rlimits = []
        | .linux.uidMappings = [{containerID: 0, hostID: 65534, size: 1}]
        | .linux.gidMappings = [{containerID: 0, hostID: 65534, size: 1}]
        | .process.scheduler = {policy: "SCHED_FIFO", priority: 3}'
    run setpriv --reuid 65534 --regid 65534 --clear-groups \
        "$WHERRY" --root "$BATS_TEST_TMPDIR/user/root" --cgroup-manager=disabled run -b "$BUNDLE" "$CID" </dev/null
    have_status 1
    have "set scheduling policy SCHED_FIFO: operation not permitted (real-time policies and a nice value below the caller's need CAP_SYS_NICE"
}

@test "memory policy: the payload's pages follow it" {
    [ -r /proc/self/numa_maps ] || skip "this kernel has no NUMA"
    config '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}'
    inside 'cat /proc/self/numa_maps'
    have_line ' bind:0 '
    config '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}'
    inside 'cat /proc/self/numa_maps'
    have_line ' interleave=static:0 '
    config '.linux.memoryPolicy = {mode: "MPOL_PREFERRED", nodes: "0"}'
    inside 'cat /proc/self/numa_maps'
    have_line ' prefer:0 '
    config '.linux.memoryPolicy = {mode: "MPOL_LOCAL"}'
    inside 'cat /proc/self/numa_maps'
    have_line ' local '
    config '.linux.memoryPolicy = {mode: "MPOL_DEFAULT"}'
    inside 'cat /proc/self/numa_maps'
    have_line ' default '
}

@test "memory policy: nodes that this host does not have are the kernel's refusal" {
    [ -r /proc/self/numa_maps ] || skip "this kernel has no NUMA"
    [ ! -e /sys/devices/system/node/node1023 ] || skip "this host has a node 1023"
    config '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "1023"}'
    refused "/linux/memoryPolicy: set_mempolicy MPOL_BIND nodes 1023: invalid argument (a node is offline"
    config '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0-1024"}'
    refused "/linux/memoryPolicy/nodes: there is no memory node above 1023"
}

@test "personality: flags are none of the specification's" {
    config '.linux.personality = {domain: "LINUX", flags: ["X"]}'
    refused "/linux/personality/flags: no personality flags are defined"
}
