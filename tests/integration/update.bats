#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# update: every option and every way to give it, what stays as it was, and that a failure changes nothing. Twice: as the machine is, and where
# the unified hierarchy is all there is; in the lab that has all controllers.
# views: cgroup2
# bats file_tags=vm
# shellcheck disable=SC2154 # status and output are set by bats
load helpers
load inside

test_setup() {
    need root cgroup2
    TWO=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
    CG=$TWO/wherry-test/$CID
}

# The directory of the container's where the controller is, or nothing.
dir_of() { # CONTROLLER, as v1 names it
    local mount two=$1
    mount=$(awk -v c="$1" '{ for (i = 7; $i != "-"; i++); n = split($(i + 3), o, ","); for (k = 1; k <= n; k++) if ($(i + 1) == "cgroup" && o[k] == c) { print $5; exit } }' /proc/self/mountinfo)
    [ "$1" != blkio ] || two=io
    if [ -n "$mount" ]; then
        echo "$mount/wherry-test/$CID"
    elif grep -qw "$two" "$TWO/cgroup.controllers"; then
        echo "$CG"
    fi
}
need_controller() {
    local c
    for c in "$@"; do [ -n "$(dir_of "$c")" ] || skip "the controller $c is not in this view"; done
}
# value CONTROLLER FILE-OF-CGROUP2 FILE-OF-V1: what the kernel says
value() {
    local dir
    dir=$(dir_of "$1")
    if [ "$dir" = "$CG" ]; then cat "$dir/$2"; else cat "$dir/$3"; fi
}
is_v1() { [ "$(dir_of "$1")" != "$CG" ]; }

# A container that runs, with limits to begin with: linux.resources as jq writes it.
running() { # RESOURCES
    config '.linux.resources += ($r | fromjson)' --arg r "${1:-{\}}"
    command_is sleep 1000
    detached run -d "$CID"
    have_status 0
}

# The same where a v1 hierarchy is not mounted, so that the container has no directory in it.
running_without() { # CONTROLLER RESOURCES
    # shellcheck disable=SC2016 # for the inner shell
    printf '#!/bin/sh\nexec unshare -m --propagation private sh -c '\''umount "$1" && shift && exec "$@"'\'' sh %s %s "$@"\n' \
        "$(dir_of "$1" | sed 's|/wherry-test/.*||')" "$WHERRY" >"$BATS_TEST_TMPDIR/without"
    chmod +x "$BATS_TEST_TMPDIR/without"
    WHERRY=$BATS_TEST_TMPDIR/without running "${2:-}"
    [ ! -e "$(dir_of "$1")" ]
}

# All that the kernel says of the container, but what counts and measures.
all_values() {
    local c d
    for c in memory cpu cpuset pids blkio; do
        d=$(dir_of $c)
        [ -d "$d" ] && (cd "$d" && grep -HsE '' ./*.max ./*.low ./*.high ./*.weight ./*.idle ./cpuset.cpus ./cpuset.mems ./*limit_in_bytes ./*shares ./*_us ./*.burst \
            ./*_device ./*.swappiness ./*.oom_control ./cgroup.subtree_control | grep -v oom_kill\  | sed "s|^|$c |")
    done
    cat "$ROOT/$CID/state.json" | jq -c '.cgroup | sub(" [0-9]+ [0-9]+ [0-9]+ "; " ")'
}

@test "pids: by option and by file; created, running and paused; no container, stopped" {
    need_controller pids
    config '.linux.resources.pids.limit = 50'
    command_is sleep 1000
    detached create "$CID"
    run wherry update --pids-limit 20 "$CID"
    have_status 0
    [ "$output" = "" ]
    [ "$(value pids pids.max pids.max)" = 20 ]
    wherry start "$CID"
    echo '{"pids": {"limit": 21}, "unknown": 1}' >"$BATS_TEST_TMPDIR/r.json"
    run wherry update --resources "$BATS_TEST_TMPDIR/r.json" --pids-limit 9 "$CID"
    have_status 0
    [ "$(value pids pids.max pids.max)" = 21 ]
    echo '{"pids": {"limit": 22}}' | wherry update --resources=- "$CID"
    [ "$(value pids pids.max pids.max)" = 22 ]
    echo '{"pids": {"limit": 23}}' | wherry update --resources - "$CID"
    [ "$(value pids pids.max pids.max)" = 23 ]
    wherry update -r "$BATS_TEST_TMPDIR/r.json" "$CID"
    [ "$(value pids pids.max pids.max)" = 21 ]
    wherry pause "$CID"
    wherry update --pids-limit 24 "$CID"
    wherry resume "$CID"
    [ "$(value pids pids.max pids.max)" = 24 ]
    wherry update --pids-limit -1 "$CID"
    [ "$(value pids pids.max pids.max)" = max ]
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    run wherry update --pids-limit 25 "$CID"
    have_status 1
    have "container not running"
    wherry delete "$CID"
    run wherry update --pids-limit 25 "$CID"
    have_status 1
    have "container does not exist"
}

# bats test_tags=vm:not
@test "nothing asked for is nothing changed" {
    running
    all_values >"$BATS_TEST_TMPDIR/before"
    run wherry update "$CID"
    have_status 0
    echo '{"memory": {"limit": 0, "swap": 0, "reservation": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""}, "blockIO": {"weight": 0}}' >"$BATS_TEST_TMPDIR/zero.json"
    run wherry update -r "$BATS_TEST_TMPDIR/zero.json" "$CID"
    have_status 0
    all_values | diff "$BATS_TEST_TMPDIR/before" -
}

@test "memory: limit, reservation, units, and what is below the use" {
    need_controller memory
    running '{"memory": {"limit": 67108864}}'
    wherry update --memory 100m --memory-reservation 32MiB "$CID"
    [ "$(value memory memory.max memory.limit_in_bytes)" = $((100 << 20)) ]
    [ "$(value memory memory.low memory.soft_limit_in_bytes)" = $((32 << 20)) ]
    wherry update --memory 209715200 "$CID"
    [ "$(value memory memory.max memory.limit_in_bytes)" = $((200 << 20)) ]
    echo '{"memory": {"limit": 4096, "checkBeforeUpdate": true}}' >"$BATS_TEST_TMPDIR/r.json"
    if ! is_v1 memory; then
        run wherry update -r "$BATS_TEST_TMPDIR/r.json" "$CID"
        have_status 1
        have "r.json: /memory/limit"
        have "memory.max"
        have "current usage is "
        have ", and checkBeforeUpdate is set"
        [ "$(value memory memory.max memory.limit_in_bytes)" = $((200 << 20)) ]
    fi
    wherry update --memory -1 "$CID"
    if is_v1 memory; then
        [ "$(value memory memory.max memory.limit_in_bytes)" -gt $((1 << 60)) ]
    else
        [ "$(value memory memory.max memory.limit_in_bytes)" = max ]
    fi
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

@test "memory and swap: one stands beside the other's present value, growing and shrinking" {
    need_controller memory
    both() { if is_v1 memory; then cat "$(dir_of memory)/memory.memsw.limit_in_bytes"; else echo $(($(cat "$CG/memory.max") + $(cat "$CG/memory.swap.max"))); fi; }
    running '{"memory": {"limit": 67108864, "swap": 134217728}}' || true
    if is_v1 memory; then [ -e "$(dir_of memory)/memory.memsw.limit_in_bytes" ] || skip "swap is not accounted here"; else [ -e "$CG/memory.swap.max" ] || skip "swap is not accounted here"; fi
    [ "$(both)" = $((128 << 20)) ]
    wherry update --memory 96m "$CID"
    [ "$(value memory memory.max memory.limit_in_bytes)" = $((96 << 20)) ]
    [ "$(both)" = $((128 << 20)) ]
    wherry update --memory-swap 256m "$CID"
    [ "$(value memory memory.max memory.limit_in_bytes)" = $((96 << 20)) ]
    [ "$(both)" = $((256 << 20)) ]
    # Both grow, beyond what both were; both shrink below what one was.
    wherry update --memory 512m --memory-swap 1g "$CID"
    [ "$(value memory memory.max memory.limit_in_bytes)" = $((512 << 20)) ]
    [ "$(both)" = $((1024 << 20)) ]
    wherry update --memory 64m --memory-swap 64m "$CID"
    [ "$(value memory memory.max memory.limit_in_bytes)" = $((64 << 20)) ]
    [ "$(both)" = $((64 << 20)) ]
    all_values >"$BATS_TEST_TMPDIR/before"
    run wherry update --memory 128m "$CID"
    have_status 1
    have "memory+swap limit should be >= memory limit"
    all_values | diff "$BATS_TEST_TMPDIR/before" -
}

# bats test_tags=vm:not
@test "swap without any memory limit is refused" {
    need_controller memory
    running '{"memory": {"reservation": 33554432}}'
    run wherry update --memory-swap 256m "$CID"
    have_status 1
    have "unable to set swap limit without memory limit"
}

@test "cpu: weight, quota and period, each alone and together" {
    need_controller cpu
    running '{"cpu": {"shares": 512}}'
    quota() { if is_v1 cpu; then echo "$(cat "$(dir_of cpu)/cpu.cfs_quota_us") $(cat "$(dir_of cpu)/cpu.cfs_period_us")"; else cat "$CG/cpu.max"; fi; }
    wherry update --cpu-share 2048 "$CID"
    if is_v1 cpu; then [ "$(cat "$(dir_of cpu)/cpu.shares")" = 2048 ]; else [ "$(cat "$CG/cpu.weight")" -gt 100 ]; fi
    if is_v1 cpu && [ ! -e "$(dir_of cpu)/cpu.cfs_quota_us" ]; then skip "this kernel has no cpu quota"; fi
    wherry update --cpu-quota 20000 --cpu-period 50000 "$CID"
    [ "$(quota)" = "20000 50000" ]
    wherry update --cpu-quota 30000 "$CID"
    [ "$(quota)" = "30000 50000" ]
    wherry update --cpu-period 80000 "$CID"
    [ "$(quota)" = "30000 80000" ]
    wherry update --cpu-quota -1 "$CID"
    if is_v1 cpu; then [ "$(quota)" = "-1 80000" ]; else [ "$(quota)" = "max 80000" ]; fi
}

@test "zeros: a burst of 0 is a change, by option and in a file; what else is 0 changes nothing, and options say so" {
    need_controller cpu memory
    running '{"cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 10000}, "memory": {"limit": 67108864, "reservation": 33554432}}'
    if is_v1 cpu && [ ! -e "$(dir_of cpu)/cpu.cfs_burst_us" ]; then skip "this kernel has no cpu burst"; fi
    [ "$(value cpu cpu.max.burst cpu.cfs_burst_us)" = 10000 ]
    run wherry update --cpu-burst 0 "$CID"
    have_status 0
    [ -z "$output" ]
    [ "$(value cpu cpu.max.burst cpu.cfs_burst_us)" = 0 ]
    wherry update --cpu-burst 20000 "$CID"
    run wherry update \
        --resources - "$CID" <<<'{"cpu": {"burst": 0, "shares": 0, "quota": 0, "period": 0}, "memory": {"limit": 0, "swap": 0, "reservation": 0}}'
    have_status 0
    [ -z "$output" ]
    [ "$(value cpu cpu.max.burst cpu.cfs_burst_us)" = 0 ]
    all_values >"$BATS_TEST_TMPDIR/before"
    for option in cpu-quota memory memory-swap; do
        run wherry update --$option 0 "$CID"
        have_status 0
        have "warning: --$option 0 changes nothing: -1 is no limit"
    done
    # -1 is no hint for these: kernels refuse it as a realtime runtime, and in cgroup2 it reserves all memory.
    for option in cpu-period cpu-share cpu-rt-period cpu-rt-runtime memory-reservation blkio-weight; do
        run wherry update --$option 0 "$CID"
        have_status 0
        have_line "warning: --$option 0 changes nothing\$"
    done
    run wherry --log-level error update --memory 0 "$CID"
    have_status 0
    [ -z "$output" ]
    all_values | diff "$BATS_TEST_TMPDIR/before" -
}

@test "cpu: idle, and the weight that is there before and after" {
    need_controller cpu cpuset
    running '{"cpu": {"shares": 512, "cpus": "0"}}'
    [ -e "$(dir_of cpu)/cpu.idle" ] || skip "this kernel has no idle cgroups"
    wherry update --cpu-idle 1 "$CID"
    [ "$(cat "$(dir_of cpu)/cpu.idle")" = 1 ]
    wherry update --cpu-idle 0 --cpu-share 512 "$CID"
    [ "$(cat "$(dir_of cpu)/cpu.idle")" = 0 ]
    all_values >"$BATS_TEST_TMPDIR/before"
    # The first of the two is done, and would have taken the weight with it.
    run wherry update --cpu-idle 1 --cpuset-cpus 4000 "$CID"
    have_status 1
    all_values | diff "$BATS_TEST_TMPDIR/before" -
}

@test "cpuset" {
    need_controller cpuset
    running '{"cpu": {"cpus": "0"}}'
    [ "$(value cpuset cpuset.cpus cpuset.cpus)" = 0 ]
    [ "$(nproc)" -gt 1 ] || skip "one processor"
    wherry update --cpuset-cpus 0-1 --cpuset-mems 0 "$CID"
    [ "$(value cpuset cpuset.cpus cpuset.cpus)" = 0-1 ]
    [ "$(value cpuset cpuset.mems cpuset.mems)" = 0 ]
    run wherry update --cpuset-cpus 4000 "$CID"
    have_status 1
    have "cpuset.cpus"
    have "/cpu/cpus"
    [ "$(value cpuset cpuset.cpus cpuset.cpus)" = 0-1 ]
}

@test "raw keys of cgroup2" {
    need_controller memory
    is_v1 memory && skip "the memory controller is on v1"
    running '{"memory": {"limit": 67108864}}'
    echo '{"unified": {"memory.high": "33554432", "pids.max": "77"}}' | wherry update -r - "$CID"
    [ "$(cat "$CG/memory.high")" = 33554432 ]
    [ "$(cat "$CG/pids.max")" = 77 ]
    all_values >"$BATS_TEST_TMPDIR/before"
    run wherry update -r - "$CID" <<<'{"unified": {"memory.high": "1048576000", "memory.nosuch": "1"}}'
    have_status 1
    have "memory.nosuch"
    all_values | diff "$BATS_TEST_TMPDIR/before" -
    run wherry update -r - "$CID" <<<'{"unified": {"cgroup.freeze": "1"}}'
    have_status 1
    have "/unified/cgroup.freeze"
}

# bats test_tags=vm:not
@test "block I/O: a throttle for one device leaves the others" {
    need_controller blkio
    local dev other
    read -r dev other < <(for d in /sys/block/{loop,nbd,ram,vd,sd}*/dev; do [ -e "$d" ] && cat "$d"; done | head -n 2 | tr '\n' ' '; echo)
    [ -n "$other" ] || skip "needs two block devices"
    running
    throttle() { if is_v1 blkio; then cat "$(dir_of blkio)/blkio.throttle.read_bps_device"; else cat "$CG/io.max"; fi; }
    set_bps() { jq -nc --arg d "$1" --argjson r "$2" '{blockIO: {throttleReadBpsDevice: [{major: ($d | split(":")[0] | tonumber), minor: ($d | split(":")[1] | tonumber), rate: $r}]}}' | wherry update -r - "$CID"; }
    set_bps "$dev" 1048576
    set_bps "$other" 2097152
    [ "$(throttle | grep -cE "^($dev|$other) .*(1048576|2097152)")" = 2 ]
    set_bps "$dev" 4194304
    throttle | grep -E "^$dev .*4194304"
    throttle | grep -E "^$other .*2097152"
    all_values >"$BATS_TEST_TMPDIR/before"
    # The first write is for a device that has no throttle yet: bringing that back is taking it away.
    run wherry update -r - "$CID" <<<"{\"blockIO\": {\"throttleWriteBpsDevice\": [{\"major\": ${dev%:*}, \"minor\": ${dev#*:}, \"rate\": 1000000}, {\"major\": 4000, \"minor\": 1, \"rate\": 5}]}}"
    have_status 1
    have "4000:1"
    all_values | diff "$BATS_TEST_TMPDIR/before" -
}

# bats test_tags=vm:not
@test "devices, huge pages, rdma and networks of an object are no change" {
    running
    run wherry update -r - "$CID" <<<'{"devices": [{"allow": true, "access": "rwm"}], "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
        "rdma": {"mlx5_1": {"hcaHandles": 3}}, "network": {"classID": 7}}'
    have_status 0
    # Still denied.
    run wherry exec "$CID" sh -c 'mknod /tmp/kmsg c 1 11 2>&1; cat /tmp/kmsg'
    have "not permitted"
}

# bats test_tags=vm:not
@test "what is wrong is told with its place, and nothing is touched" {
    running
    run wherry update -r "$BATS_TEST_TMPDIR/nosuch.json" "$CID"
    have_status 1
    have "nosuch.json: no such file or directory"
    printf '{\n "memory": {"limit": "x"}}' >"$BATS_TEST_TMPDIR/r.json"
    run wherry update -r "$BATS_TEST_TMPDIR/r.json" "$CID"
    have_status 1
    have "r.json:2:22: /memory/limit"
    run wherry update -r - "$CID" <<<'{"blockIO": {"weight": 5}}'
    have_status 1
    have "stdin: /blockIO/weight: must be an integer from 10 to 1000"
    run wherry update -r - "$CID" <<<'not json'
    have_status 1
    have "stdin:1"
    run wherry update --memory lots "$CID"
    have_status 1
    have 'invalid value for memory: "lots" is no size'
    run wherry update --memory 99999999999g "$CID"
    have_status 1
    have 'invalid value for memory: "99999999999g" is out of range'
    run wherry update --pids-limit ten "$CID"
    have_status 1
    have 'invalid value for pids-limit: "ten" is no whole number'
    # The largest numbers there are.
    run wherry update --memory 9223372036854775808 "$CID"
    have_status 1
    have 'invalid value for memory: "9223372036854775808" is out of range'
    run wherry update --memory 9223372036854775807 --memory-swap -1 "$CID"
    have_not "invalid value"
    run wherry update --cpu-period 18446744073709551615 "$CID"
    have_not "invalid value"
    run wherry update --nosuch 1 "$CID"
    have_status 1
    have "flag provided but not defined"
}

# bats test_tags=vm:not
@test "without a cgroup there is nothing to limit" {
    config 'del(.linux.cgroupsPath)'
    command_is sleep 100
    run to_file wherry --cgroup-manager disabled run -d "$CID"
    have_status 0
    run wherry update --pids-limit 5 "$CID"
    have_status 1
    have "cgroup not exist: the container was created without one"
}

@test "a controller that the container had no need of until now" {
    need_controller pids cpu
    local c d
    running
    wherry exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1001 </dev/null >/dev/null
    wherry update --pids-limit 30 --cpu-share 512 "$CID"
    for c in pids cpu; do
        d=$(dir_of $c)
        # With all of its processes.
        [ "$(sort -n "$d/cgroup.procs")" = "$(printf '%s\n' "$(pid_of "$CID")" "$(cat "$BATS_TEST_TMPDIR/pid")" | sort -n)" ]
    done
    [ "$(value pids pids.max pids.max)" = 30 ]
    wherry exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1002 </dev/null >/dev/null
    grep -qx "$(cat "$BATS_TEST_TMPDIR/pid")" "$(dir_of pids)/cgroup.procs"
    wherry update --pids-limit 31 "$CID"
    [ "$(value pids pids.max pids.max)" = 31 ]
    wherry delete -f "$CID"
    [ -z "$(find /sys/fs/cgroup -name "$CID")" ]
}

# bats test_tags=vm:not
@test "what an update has made goes with the container that run removes" {
    need_controller pids
    # A FIFO that it waits for, so that the end comes when we say.
    mkfifo "$BUNDLE/rootfs/tmp/end"
    shell_is 'read x </tmp/end'
    detach_run & # in the foreground of its own
    wait_status "$CID" running
    wherry update --pids-limit 30 "$CID"
    timeout 20 sh -c 'echo >"$1"' sh "$BUNDLE/rootfs/tmp/end"
    wait $!
    [ -z "$(find /sys/fs/cgroup -name "$CID")" ]
}
detach_run() { wherry run "$CID" </dev/null >/dev/null; }

# Starts a command that strace stops at the k-th call of a name. $pid is the command's.
stopped() { # NAME CALL K ARGS…
    local name=$1 call=$2 k=$3
    shift 3
    strace -D -o "$BATS_TEST_TMPDIR/$name.trace" -e "trace=$call" -e "inject=$call:signal=STOP:when=$k" "$WHERRY" --root "$ROOT" "$@" \
        </dev/null >"$BATS_TEST_TMPDIR/$name" 2>&1 3>&- 4>&- &
    pid=$!
    for _ in {1..300}; do
        ! grep -qs "stopped by SIGSTOP" "$BATS_TEST_TMPDIR/$name.trace" || return 0
        sleep 0.1
    done
    return 1
}

# bats test_tags=vm:not
@test "a delete that has begun leaves nothing of an update" {
    need strace
    need_controller pids
    is_v1 pids || skip "update makes no directory here"
    local pid update delete
    running_without pids
    # It opens each of the container's cgroups twice for what is there, and then in the hierarchy where there is none yet.
    stopped update openat2 $((2 * $(find /sys/fs/cgroup -name "$CID" | wc -l) + 1)) update --pids-limit 30 "$CID"
    update=$pid
    stopped delete unlinkat 1 delete -f "$CID"
    delete=$pid
    kill -CONT "$update"
    # It waits for the delete; one that did not would be done by then.
    for _ in {1..15}; do ! kill -0 "$update" 2>/dev/null || sleep 0.1; done
    kill -CONT "$delete"
    wait "$delete"
    # Not by `run`: to its subshell it is no child.
    local rc=0
    wait "$update" || rc=$?
    [ "$rc" != 0 ]
    run cat "$BATS_TEST_TMPDIR/update"
    # The latter when the delete took more than ten seconds.
    have_line "container does not exist|is being started or deleted by another process"
    [ -z "$(find /sys/fs/cgroup -name "$CID")" ]
}

# bats test_tags=vm:not
@test "a failing update makes no cgroup and moves nobody" {
    need_controller pids cpuset
    is_v1 pids || skip "update makes no directory here"
    running_without pids
    local before
    before=$(cat "/proc/$(pid_of "$CID")/cgroup")
    find /sys/fs/cgroup -name "$CID" | sort >"$BATS_TEST_TMPDIR/dirs"
    run wherry update --pids-limit 30 --cpuset-cpus 4000 "$CID"
    have_status 1
    have "/cpu/cpus"
    [ "$(cat "/proc/$(pid_of "$CID")/cgroup")" = "$before" ]
    find /sys/fs/cgroup -name "$CID" | sort | diff "$BATS_TEST_TMPDIR/dirs" -
    wherry delete -f "$CID"
    [ -z "$(find /sys/fs/cgroup -name "$CID")" ]
}

# Of every kind that this machine has: keys that every kernel knows, and the limits of whatever controllers are here, in either hierarchy.
some_changes() {
    local c='{"unified": {"cgroup.max.depth": "7", "cgroup.max.descendants": "8"}}'
    if [ -n "$(dir_of pids)" ]; then c=$(jq -c '.pids = {limit: 60}' <<<"$c"); fi
    if [ -n "$(dir_of memory)" ]; then c=$(jq -c '.memory = {limit: 134217728, reservation: 33554432}' <<<"$c"); fi
    if [ -n "$(dir_of cpu)" ]; then c=$(jq -c '.cpu.shares = 700' <<<"$c"); fi
    if [ -n "$(dir_of cpuset)" ]; then c=$(jq -c '.cpu.cpus = "0" | .cpu.mems = "0"' <<<"$c"); fi
    if [ -e "$CG/hugetlb.2MB.max" ]; then c=$(jq -c '.unified["hugetlb.2MB.max"] = "4194304"' <<<"$c"); fi
    echo "$c"
}
# With what is there before and after.
everything() {
    all_values
    grep -sH '' "$CG"/cgroup.max.* "$CG"/hugetlb.2MB.max
    cat "/proc/$(pid_of "$CID")/cgroup"
    ls "$ROOT/$CID"
}

# each_write INJECTION STATUS: the injection at each write of an update, as long as there is one. The container has some limits, and gets others.
each_write() {
    local changes before k rc n=0 had={}
    if [ -n "$(dir_of memory)" ]; then had='{"memory": {"limit": 67108864}}'; fi
    # A controller that update turns on stays on, with its files.
    if grep -qw hugetlb "$TWO/cgroup.controllers"; then had=$(jq -c '.unified = {"hugetlb.2MB.max": "2097152"}' <<<"$had"); fi
    # Of one hierarchy the directory is made, and of the others there is one.
    local start=(running)
    if [ -n "$(dir_of pids)" ] && is_v1 pids; then start=(running_without pids); fi
    "${start[@]}" "$had"
    changes=$(some_changes)
    before=$(everything)
    for ((k = 1; k <= 80; k++)); do
        rc=0
        strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=write -e inject="write:$1:when=$k" "$WHERRY" --root "$ROOT" update -r - "$CID" \
            <<<"$changes" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- || rc=$?
        grep -qE 'INJECTED|killed by SIGKILL' "$BATS_TEST_TMPDIR/trace" || break
        # One that is made again after a failure.
        [ "$rc" != 0 ] || { wherry delete -f "$CID" && "${start[@]}" "$had" && before=$(everything) && continue; }
        [ "$rc" = "$2" ] || { echo "write $k: status $rc: $(cat "$BATS_TEST_TMPDIR/out")"; return 1; }
        n=$((n + 1))
        # Killed, it is the next command that puts it right.
        wherry state "$CID" | grep -q '"running"'
        diff <(echo "$before") <(everything) || { echo "write $k"; cat "$BATS_TEST_TMPDIR/trace" "$BATS_TEST_TMPDIR/out"; return 1; }
    done
    # At least those of limits.
    [ "$n" -ge "$(jq '[.. | scalars] | length' <<<"$changes")" ] || { echo "only $n writes"; return 1; }
    # The last one went through, and the container never noticed.
    [ "$rc" = 0 ]
    [ "$(cat "$CG/cgroup.max.depth")" = 7 ]
    [ "$(everything)" != "$before" ]
    wherry state "$CID" | grep -q '"running"'
}

# bats test_tags=vm:not
@test "the k-th write fails: everything is as it was before" {
    need strace
    each_write error=EIO 1
}

# bats test_tags=vm:not
@test "killed at each write: the next command finds everything as it was before" {
    need strace
    each_write signal=KILL 137
}

# bats test_tags=vm:not
@test "two at the same time: each whole, and neither fails" {
    need_controller pids cpu
    running
    local a b
    for _ in 1 2 3; do
        wherry update --pids-limit 11 --cpu-share 1111 "$CID" & a=$!
        wherry update --pids-limit 22 --cpu-share 2222 "$CID" & b=$!
        wait "$a"
        wait "$b"
        case $(value pids pids.max pids.max) in
        11) is_v1 cpu && [ "$(cat "$(dir_of cpu)/cpu.shares")" = 1111 ] ;;
        22) is_v1 cpu && [ "$(cat "$(dir_of cpu)/cpu.shares")" = 2222 ] ;;
        *) false ;;
        esac || ! is_v1 cpu
    done
}
