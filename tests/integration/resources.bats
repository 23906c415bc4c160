#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# linux.resources: what is in the kernel's files, and what it does. The same tests where the controllers are on v1 hierarchies and where
# they are in cgroup2 (the lab: tests/vm/run); what the machine does not have is skipped.
# bats file_tags=vm
# shellcheck disable=SC2154 # status and output are set by bats
load helpers
load inside

test_setup() {
    need root cgroup2
    TWO=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
    CG=$TWO/wherry-test/$CID
    command_is sleep 1000
}

# Where the v1 hierarchy of a controller is mounted, or nothing.
v1_mount() {
    [ "$TWO" != /sys/fs/cgroup ] || return 0
    awk -v c="$1" '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup" && index("," $(i + 3) ",", "," c ",")) { print $5; exit } }' \
        /proc/self/mountinfo
}

# controller V1-NAME CGROUP2-NAME: sets V (1 or 2) and DIR, the container's directory; skips where there is none.
controller() {
    local mount
    mount=$(v1_mount "$1")
    if [ -n "$mount" ]; then
        V=1 DIR=$mount/wherry-test/$CID
    elif grep -qw "$2" "$TWO/cgroup.controllers"; then
        V=2 DIR=$CG
    else
        skip "the controller $2 is nowhere on this machine"
    fi
}

# resources JQ: linux.resources, beside the device rules.
resources() { config ".linux.resources += $1"; }

created() {
    detached create "$CID"
    have_status 0
}

# in_file FILE TEXT: of the container's directory.
in_file() {
    local got
    got=$(cat "$DIR/$1")
    [ "$got" = "$2" ] || { echo "$1 is '$got', not '$2'"; return 1; }
}
# has FILE V1-VALUE FILE CGROUP2-VALUE
has() { if [ "$V" = 1 ]; then in_file "$1" "$2"; else in_file "$3" "$4"; fi; }
# file V1-NAME CGROUP2-NAME: the one of this machine; skips when the kernel does not have it.
file() {
    FILE=$([ "$V" = 1 ] && echo "$1" || echo "$2")
    [ -e "$DIR/$FILE" ] || skip "this kernel has no $FILE"
}

# A program of one page: exit(0).
tiny_true() {
    {
        printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0\1\0\0\0\170\0\100\0\0\0\0\0\100\0\0\0\0\0\0\0'
        printf '\0\0\0\0\0\0\0\0\0\0\0\0\100\0\70\0\1\0\0\0\0\0\0\0'
        printf '\1\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\100\0\0\0\0\0\0\0\100\0\0\0\0\0'
        printf '\204\0\0\0\0\0\0\0\204\0\0\0\0\0\0\0\0\20\0\0\0\0\0\0'
        printf '\270\74\0\0\0\61\377\17\5\0\0\0'
    } >"$1"
    chmod 755 "$1"
}

@test "memory: limit, reservation" {
    controller memory memory
    resources '{memory: {limit: 67108864, reservation: 33554432}}'
    created
    has memory.limit_in_bytes 67108864 memory.max 67108864
    has memory.soft_limit_in_bytes 33554432 memory.low 33554432
    grep -qx "$(pid_of "$CID")" "$DIR/cgroup.procs"
}

@test "memory: swap is what goes beyond the limit" {
    controller memory memory
    resources '{memory: {limit: 67108864, swap: 100663296}}'
    [ "$V" = 2 ] || [ -e "$(v1_mount memory)/memory.memsw.limit_in_bytes" ] || skip "swap is not accounted"
    created
    has memory.memsw.limit_in_bytes 100663296 memory.swap.max 33554432
    wherry delete -f "$CID"
    resources '{memory: {limit: 67108864, swap: 67108864}}'
    created
    has memory.memsw.limit_in_bytes 67108864 memory.swap.max 0
    wherry delete -f "$CID"
    resources '{memory: {limit: -1}}'
    created
    [ "$V" = 1 ] || { in_file memory.max max && in_file memory.swap.max max; }
    [ "$V" = 2 ] || [ "$(cat "$DIR/memory.limit_in_bytes")" -gt 1000000000000 ]
}

# bats test_tags=vm:not
@test "memory: limits go into a cgroup that has others, whichever has to be written first" {
    controller memory memory
    [ "$V" = 1 ] || skip "in cgroup2 they do not depend on each other"
    [ -e "$(v1_mount memory)/memory.memsw.limit_in_bytes" ] || skip "swap is not accounted"
    local old new
    for old in 33554432 268435456; do
        mkdir -p "$DIR"
        echo "$old" >"$DIR/memory.limit_in_bytes"
        echo "$old" >"$DIR/memory.memsw.limit_in_bytes"
        for new in 67108864 -1; do
            resources "{memory: {limit: $new, swap: $new}}"
            created
            [ "$new" = -1 ] || in_file memory.limit_in_bytes "$new"
            [ "$new" = -1 ] || in_file memory.memsw.limit_in_bytes "$new"
            [ "$new" != -1 ] || [ "$(cat "$DIR/memory.limit_in_bytes")" -gt 1000000000000 ]
            wherry delete -f "$CID"
            mkdir -p "$DIR"
            echo "$old" >"$DIR/memory.limit_in_bytes"
            echo "$old" >"$DIR/memory.memsw.limit_in_bytes"
        done
        rmdir "$DIR"
    done
    rmdir "${DIR%/*}" 2>/dev/null || true
}

@test "memory: who needs more than the limit is killed" {
    controller memory memory
    resources '{memory: {limit: 8388608, swap: 8388608}}'
    # Pages of a tmpfs cannot be dropped.
    shell_is 'dd if=/dev/zero of=/dev/shm/full bs=1M count=12 2>/dev/null; s=$?; [ $s = 0 ] && echo survived; exit $s'
    run wherry run "$CID" </dev/null
    have_status 137
    have_not survived
    have "was killed: memory limit reached: "
    have "limit 8388608"
    resources '{memory: {limit: 134217728, swap: 134217728}}'
    run wherry run "$CID" </dev/null
    have_status 0
    have survived
}

@test "memory: the runtime is not what reaches the limit: 512 KiB start a static program" {
    controller memory memory
    [ "$(uname -m)" = x86_64 ] || skip "the program is for x86-64"
    tiny_true "$BUNDLE/rootfs/bin/tiny"
    resources '{memory: {limit: 524288, swap: 524288}}'
    command_is /bin/tiny
    run timeout 60 "$WHERRY" --root "$ROOT" run "$CID" </dev/null
    have_status 0
}

@test "memory: a limit that nothing can start with is told, and nothing is left" {
    controller memory memory
    resources '{memory: {limit: 4096, swap: 4096}}'
    detached create "$CID"
    have_status 1
    if [ "$V" = 1 ]; then
        have "/linux/resources/memory/limit: write \"4096\" to memory.limit_in_bytes"
    else
        have "/linux/resources/memory/limit: "
        have "OOM-killed (memory limit too low?)"
        have "limit 4096"
    fi
    [ ! -e "$ROOT/$CID" ]
    [ ! -e "$DIR" ]
}

@test "memory: what v1 alone can do is done there, and refused elsewhere" {
    controller memory memory
    local property
    for property in 'swappiness: 20' 'disableOOMKiller: true' 'kernel: 33554432' 'kernelTCP: 33554432'; do
        resources "{memory: {limit: 67108864, $property}}"
        if [ "$V" = 2 ]; then
            refused "/linux/resources/memory/${property%%:*}" "leave it out"
            continue
        fi
        created
        case $property in
        swap*) in_file memory.swappiness 20 ;;
        dis*) grep -qx "oom_kill_disable 1" "$DIR/memory.oom_control" ;;
        esac
        wherry delete -f "$CID"
    done
    resources '{memory: {limit: 67108864, useHierarchy: true, checkBeforeUpdate: true, kernel: -1, kernelTCP: 0}}'
    created
}

@test "memory: checkBeforeUpdate refuses less than there is in use" {
    controller memory memory
    [ "$V" = 2 ] || skip "on v1 the kernel always refuses it"
    resources '{memory: {limit: 65536, checkBeforeUpdate: true}}'
    refused "/linux/resources/memory/limit: write \"65536\" to memory.max" "current usage is " \
        ", and checkBeforeUpdate is set"
}

@test "cpu: shares, quota, period, burst" {
    controller cpu cpu
    resources '{cpu: {shares: 512, quota: 50000, period: 200000, burst: 10000}}'
    created
    has cpu.shares 512 cpu.weight 59
    if [ "$V" = 1 ]; then
        in_file cpu.cfs_quota_us 50000
        in_file cpu.cfs_period_us 200000
        [ ! -e "$DIR/cpu.cfs_burst_us" ] || in_file cpu.cfs_burst_us 10000
    else
        in_file cpu.max "50000 200000"
        in_file cpu.max.burst 10000
    fi
    wherry delete -f "$CID"
    resources '{cpu: {quota: -1, period: 50000}}'
    created
    [ "$V" = 1 ] || in_file cpu.max "max 50000"
    [ "$V" = 2 ] || { in_file cpu.cfs_quota_us -1 && in_file cpu.cfs_period_us 50000; }
}

@test "cpu: a quota slows down" {
    controller cpu cpu
    resources '{cpu: {quota: 5000, period: 100000}}'
    shell_is 'while :; do :; done'
    wherry run -d "$CID" </dev/null >/dev/null 2>&1
    for _ in $(seq 100); do
        [ "$(awk '$1 == "nr_throttled" { print $2 }' "$DIR/cpu.stat")" -lt 3 ] || break
        sleep 0.1
    done
    [ "$(awk '$1 == "nr_throttled" { print $2 }' "$DIR/cpu.stat")" -ge 3 ]
}

@test "cpu: idle, and a weight for what is idle" {
    controller cpu cpu
    [ -e "$(v1_mount cpu)/cpu.idle" ] || [ "$V" = 2 ] || skip "this kernel has no cpu.idle"
    resources '{cpu: {idle: 1, shares: 0}}'
    created
    in_file cpu.idle 1
    wherry delete -f "$CID"
    resources '{cpu: {idle: 1, shares: 1024}}'
    refused /linux/resources/cpu/shares "takes no weight"
    resources '{cpu: {idle: 0, shares: 1024}}'
    created
    in_file cpu.idle 0
    has cpu.shares 1024 cpu.weight 100
}

@test "cpu: a quota, a period or a burst that the kernel does not take: the error says what it takes" {
    controller cpu cpu
    max="write \"5 100000\" to cpu.max" period="write \"5000 10\" to cpu.max" long="write \"5000 2000000\" to cpu.max"
    [ "$V" = 2 ] || max="write \"5\" to cpu.cfs_quota_us" period="write \"10\" to cpu.cfs_period_us" \
        long="write \"2000000\" to cpu.cfs_period_us"
    resources '{cpu: {quota: 5, period: 100000}}'
    refused "/linux/resources/cpu/quota: $max of cgroup $DIR: invalid argument (a quota is 1000 us or more, and -1 is no limit)"
    resources '{cpu: {quota: 5000, period: 10}}'
    refused "$period of cgroup $DIR: invalid argument (a period is between 1000 and 1000000 us)" /linux/resources/cpu/
    resources '{cpu: {quota: 5000, period: 2000000}}'
    refused "$long of cgroup $DIR: invalid argument (a period is between 1000 and 1000000 us)"
    resources '{cpu: {quota: 50000, burst: 60000}}'
    created_or=$(wherry create "$CID" 2>&1 </dev/null) && skip "this kernel has no cpu burst"
    [[ $created_or == *'/linux/resources/cpu/'*': invalid argument (a burst is not more than the quota)'* ||
        $created_or == *'/linux/resources/cpu/quota: '*': invalid argument (the burst, 60000 us, is more than that)'* ]] || { echo "$created_or"; return 1; }
}

@test "cpu: a larger part than the cgroup above has, which v1 refuses" {
    controller cpu cpu
    [ "$V" = 1 ] || skip "cgroup2 takes it, and the cgroup above limits both"
    DIR=$(v1_mount cpu)/$CID/c
    mkdir "${DIR%/*}"
    [ -e "${DIR%/*}/cpu.cfs_quota_us" ] || { rmdir "${DIR%/*}"; skip "this kernel has no cpu quota"; }
    echo 20000 >"${DIR%/*}/cpu.cfs_quota_us"
    config '.linux.cgroupsPath = "/" + $id + "/c"' --arg id "$CID"
    resources '{cpu: {quota: 50000, period: 100000}}'
    refused "/linux/resources/cpu/quota: write \"50000\" to cpu.cfs_quota_us of cgroup $DIR: invalid argument (the cgroup above it has 20000 us, in a period of its own, and none below can have a larger part)"
    resources '{cpu: {quota: 10000, period: 100000}}'
    created
    wherry delete -f "$CID"
    rmdir "${DIR%/*}"
}

@test "cpuset: processors and memory nodes that the host does not have: the error says what there is" {
    controller cpuset cpuset
    cpus=$(cat /sys/devices/system/cpu/online) nodes=$(cat /sys/devices/system/node/online 2>/dev/null) ||
        skip "this kernel does not tell its memory nodes"
    resources '{cpu: {cpus: "4000"}}'
    refused "/linux/resources/cpu/cpus: write \"4000\" to cpuset.cpus of cgroup $DIR: " \
        " (the cgroup above it has the CPUs $cpus)"
    resources '{cpu: {cpus: "0", mems: "900"}}'
    refused "/linux/resources/cpu/mems: write \"900\" to cpuset.mems of cgroup $DIR: " \
        " (the cgroup above it has the memory nodes $nodes)"
}

@test "memory: less than there is in use, and less with swap than without: v1 refuses it, and the error says how much" {
    controller memory memory
    [ "$V" = 1 ] || skip "cgroup2 reclaims, and kills"
    resources '{memory: {limit: 4096}}'
    refused "/linux/resources/memory/limit: write \"4096\" to memory.limit_in_bytes of cgroup $DIR: device or resource busy (current usage is " ", of which not enough can be reclaimed)"
    resources '{memory: {limit: 67108864, swap: 67108864}}'
    created
    run wherry update --memory 4096 "$CID"
    have_status 1
    have "/memory/limit: write \"4096\" to memory.limit_in_bytes of cgroup $DIR: device or resource busy (current usage is "
}

@test "cpu: realtime, where the kernel has it" {
    controller cpu cpu
    resources '{cpu: {realtimeRuntime: 1000, realtimePeriod: 900000}}'
    if [ "$V" = 2 ]; then
        refused /linux/resources/cpu/realtimeRuntime "leave it out"
    elif [ ! -e "$(v1_mount cpu)/cpu.rt_runtime_us" ]; then
        refused /linux/resources/cpu/realtimePeriod "this kernel has no such file"
    else
        # The cgroup above has nothing to give: it is said, and not changed.
        refused "/linux/resources/cpu/realtimeRuntime: write \"1000\" to cpu.rt_runtime_us of cgroup $DIR: invalid argument (the cgroup above it has 0 us for all below it: write more to its cpu.rt_runtime_us, or leave realtimeRuntime out)"
        DIR=$(v1_mount cpu)/$CID/c
        mkdir "${DIR%/*}"
        echo 2000 >"${DIR%/*}/cpu.rt_runtime_us"
        config '.linux.cgroupsPath = "/" + $id + "/c"' --arg id "$CID"
        resources '{cpu: {realtimeRuntime: 1000, realtimePeriod: 900000}}'
        created
        in_file cpu.rt_runtime_us 1000
        in_file cpu.rt_period_us 900000
        wherry delete -f "$CID"
        rmdir "${DIR%/*}"
    fi
}

@test "cpuset: CPUs and memory nodes" {
    controller cpuset cpuset
    resources '{cpu: {cpus: "0", mems: "0"}}'
    shell_is 'grep -E "^(Cpus|Mems)_allowed_list" /proc/self/status'
    run wherry run "$CID" </dev/null
    have_status 0
    have_line '^Cpus_allowed_list:.0$'
    have_line '^Mems_allowed_list:.0$'
    resources '{cpu: {cpus: "0"}}'
    command_is sleep 1000
    created
    in_file cpuset.cpus 0
    wherry delete -f "$CID"
    resources '{cpu: {cpus: "4095"}}'
    refused "/linux/resources/cpu/cpus: write \"4095\" to cpuset.cpus of cgroup $DIR: "
    [ ! -e "$DIR" ]
}

# bats test_tags=vm:not
@test "cpuset: a parent that somebody left empty is filled" {
    controller cpuset cpuset
    [ "$V" = 1 ] || skip "only a v1 cpuset begins empty"
    mkdir -p "${DIR%/*}/$CID-p"
    config '.linux.cgroupsPath += "-p/c"'
    resources '{cpu: {cpus: "0"}}'
    created
    [ "$(cat "${DIR%/*}/$CID-p/c/cpuset.cpus")" = 0 ]
    [ -n "$(cat "${DIR%/*}/$CID-p/cpuset.mems")" ]
    wherry delete -f "$CID"
    rmdir "${DIR%/*}/$CID-p"
}

@test "blockIO: weights go where there are any" {
    controller blkio io
    resources '{blockIO: {weight: 100, leafWeight: 10}}'
    created
    if [ "$V" = 1 ]; then
        file blkio.bfq.weight -
        in_file blkio.bfq.weight 100
    elif [ -e "$DIR/io.bfq.weight" ]; then
        [ "$(head -n 1 "$DIR/io.bfq.weight")" = "default 100" ]
    else
        file - io.weight
        [ "$(head -n 1 "$DIR/io.weight")" = "default 910" ]
    fi
}

@test "blockIO: weights of a device" {
    controller blkio io
    local major minor name
    disk >/dev/null
    read -r major minor name < <(disk)
    config '.linux.resources += {blockIO: {weightDevice: [{major: $M, minor: $m, weight: 200, leafWeight: 10}]}}' \
        --argjson M "$major" --argjson m "$minor"
    detached create "$CID"
    # A disk without a scheduler that weighs has no weight to set: the kernel says so, and so do we.
    if [ "$status" != 0 ]; then
        have "/linux/resources/blockIO/weightDevice/0/weight: write \"$major:$minor "
        [ ! -e "$DIR" ]
    elif [ "$V" = 1 ]; then
        file blkio.bfq.weight_device -
        grep -qx "$major:$minor 200" "$DIR/blkio.bfq.weight_device"
    else
        grep -qxE "$major:$minor (200|1920)" "$DIR"/io.bfq.weight "$DIR"/io.weight
    fi
}

# bats test_tags=vm:not
@test "weights that nothing here weighs are left out, and check says so" {
    in_cgroup2_view true 2>/dev/null || skip "no such view"
    resources '{cpu: {shares: 512}, blockIO: {weight: 100}}'
    run in_cgroup2_view cat /sys/fs/cgroup/cgroup.controllers
    [[ " $output " != *" cpu "* ]] || skip "the controllers are here"
    run in_cgroup2_view "$WHERRY" check
    have "/linux/resources/cpu/shares: cpu shares 512: this host does not have cpu"
    have "/linux/resources/blockIO/weight: blockIO weight 100: this host does not have io"
    command_is true
    run in_cgroup2_view "$WHERRY" --root "$ROOT" run "$CID" </dev/null
    have_status 0
}

# The first disk of this machine, as "MAJOR MINOR NAME".
disk() {
    local d
    # The lab has none; there, a module more is nobody's business.
    if [ -n "${WHERRY_LSM:-}" ]; then insmod "$(find /lib/modules/ -name brd.ko)" rd_nr=1 rd_size=4096 2>/dev/null || true; fi
    for d in /sys/block/[svn]* /sys/block/ram0; do
        [ -e "$d/dev" ] && [ -b "/dev/${d##*/}" ] && { tr ':' ' ' <"$d/dev" | sed "s|\$| ${d##*/}|"; return; }
    done
    skip "no disk here"
}

@test "blockIO: throttles of a device, which is slow then" {
    controller blkio io
    local major minor name from to
    disk >/dev/null
    read -r major minor name < <(disk)
    config '.linux.resources += {blockIO: {throttleReadBpsDevice: [{major: $M, minor: $m, rate: 262144}], throttleWriteIOPSDevice: [{major: $M, minor: $m, rate: 50}],
            throttleWriteBpsDevice: [{major: $M, minor: $m, rate: 1048576}], throttleReadIOPSDevice: [{major: $M, minor: $m, rate: 1000}]}}
        | .linux.resources.devices += [{allow: true, type: "b", major: $M, minor: $m, access: "r"}]
        | .linux.devices += [{path: "/dev/disk", type: "b", major: $M, minor: $m}]' --argjson M "$major" --argjson m "$minor"
    created
    if [ "$V" = 1 ]; then
        in_file blkio.throttle.read_bps_device "$major:$minor 262144"
        in_file blkio.throttle.write_iops_device "$major:$minor 50"
        in_file blkio.throttle.write_bps_device "$major:$minor 1048576"
        in_file blkio.throttle.read_iops_device "$major:$minor 1000"
    else
        in_file io.max "$major:$minor rbps=262144 wbps=1048576 riops=1000 wiops=50"
    fi
    wherry delete -f "$CID"
    dd if="/dev/$name" of=/dev/null bs=512 count=1 2>/dev/null || skip "this machine does not let $name be read"
    command_is dd if=/dev/disk of=/dev/null bs=65536 count=12 iflag=direct
    from=$(date +%s%N)
    run wherry run "$CID" </dev/null
    to=$(date +%s%N)
    have_status 0
    # 768 KiB at 256 KiB a second.
    [ $(((to - from) / 1000000)) -ge 1500 ] || { echo "$name was read in $(((to - from) / 1000000)) ms"; return 1; }
}

# bats test_tags=vm:not
@test "blockIO: a device that is not there" {
    controller blkio io
    resources '{blockIO: {throttleReadBpsDevice: [{major: 4000, minor: 1, rate: 1}]}}'
    refused "/linux/resources/blockIO/throttleReadBpsDevice/0/rate: write \"4000:1 " "no such device"
}

@test "hugepageLimits: pages and reservations" {
    controller hugetlb hugetlb
    [ -d /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no pages of 2 MB"
    resources '{hugepageLimits: [{pageSize: "2MB", limit: 4194304}]}'
    created
    has hugetlb.2MB.limit_in_bytes 4194304 hugetlb.2MB.max 4194304
    [ ! -e "$DIR/hugetlb.2MB.rsvd.max" ] || in_file hugetlb.2MB.rsvd.max 4194304
    wherry delete -f "$CID"
    resources '{hugepageLimits: [{pageSize: "3MB", limit: 0}]}'
    refused "/linux/resources/hugepageLimits/0: write \"0\" to hugetlb.3MB." "this kernel has no such file"
    [ ! -e "$DIR" ]
}

@test "rdma: refused by the kernel without the device, or without the controller" {
    resources '{rdma: {nosuch0: {hcaHandles: 2, hcaObjects: 2000}}}'
    refused /linux/resources/rdma/nosuch0 "nosuch0 hca_handle=2 hca_object=2000"
    [ ! -e "$CG" ]
}

@test "network: classes and priorities, where there is a v1 controller" {
    local mount
    mount=$(v1_mount net_cls)
    resources '{network: {classID: 1048577, priorities: [{name: "lo", priority: 7}]}}'
    if [ -z "$mount" ]; then
        refused /linux/resources/network/classID "this host does not offer the cgroup controller net_cls"
        return
    fi
    created
    [ "$(cat "$mount/wherry-test/$CID/net_cls.classid")" = 1048577 ]
    grep -qx "lo 7" "$(v1_mount net_prio)/wherry-test/$CID/net_prio.ifpriomap"
}

@test "unified: keys as they are, after the properties" {
    resources '{unified: {"cgroup.max.depth": "7", "cgroup.max.descendants": "9"}}'
    # Of no controller, and there without any.
    if [ -e "$TWO/cgroup.pressure" ]; then config '.linux.resources.unified["cgroup.pressure"] = "1"'; fi
    created
    [ "$(cat "$CG/cgroup.max.depth")" = 7 ]
    [ "$(cat "$CG/cgroup.max.descendants")" = 9 ]
    wherry delete -f "$CID"
    controller memory memory
    resources '{memory: {limit: 67108864}, unified: {"memory.high": "33554432", "memory.max": "50331648"}}'
    if [ "$V" = 1 ]; then
        refused /linux/resources/unified/memory.high "is on a cgroup v1 hierarchy"
    else
        created
        in_file memory.high 33554432
        in_file memory.max 50331648
    fi
}

# bats test_tags=vm:not
@test "unified: what moves, kills, stops or leads out is refused, and so is a controller that is nowhere" {
    local key
    for key in cgroup.procs cgroup.threads cgroup.kill cgroup.freeze cgroup.type ../memory.max x/memory.max nonsense.max; do
        config '.linux.resources.unified = {($k): "1"}' --arg k "$key"
        refused "/linux/resources/unified/${key/\//~1}" "$(case $key in non*) echo "does not offer the cgroup controller nonsense" ;; cgroup*) echo "cannot be set" ;; esac)"
        [ ! -e "$CG" ]
    done
    config '.linux.resources.unified = {"cgroup.max.depth": "rubbish"}'
    refused "/linux/resources/unified/cgroup.max.depth: write \"rubbish\" to cgroup.max.depth of cgroup $CG: invalid argument"
    [ ! -e "$CG" ]
}

# bats test_tags=vm:not
@test "limits are there before the hooks, and before the first instruction" {
    controller memory memory
    cat >"$BUNDLE/hook" <<EOF
#!/bin/sh
cat "$DIR/$([ "$V" = 1 ] && echo memory.limit_in_bytes || echo memory.max)" >"$BUNDLE/seen"
EOF
    chmod 755 "$BUNDLE/hook"
    config '.hooks.createRuntime = [{path: $p}]' --arg p "$BUNDLE/hook"
    resources '{memory: {limit: 67108864}}'
    created
    [ "$(cat "$BUNDLE/seen")" = 67108864 ]
}

# bats test_tags=vm:not
@test "a cgroup that is threaded, or hands controllers on, is refused with its reason" {
    local c
    mkdir -p "$TWO/$CID-t/c"
    echo threaded >"$TWO/$CID-t/c/cgroup.type"
    config '.linux.cgroupsPath = "/" + $id + "-t/c"' --arg id "$CID"
    detached create "$CID"
    rmdir "$TWO/$CID-t/c" "$TWO/$CID-t"
    have_status 1
    have "container's cgroup is of type \"threaded\""
    [ ! -e "$ROOT/$CID" ]
    c=$(awk '{ print $1 }' "$TWO/cgroup.controllers")
    [ -n "$c" ] || skip "no controller in cgroup2"
    mkdir -p "$TWO/$CID-c"
    echo "+$c" >"$TWO/cgroup.subtree_control"
    echo "+$c" >"$TWO/$CID-c/cgroup.subtree_control"
    config '.linux.cgroupsPath = "/" + $id + "-c"' --arg id "$CID"
    detached create "$CID"
    rmdir "$TWO/$CID-c"
    have_status 1
    have "container's cgroup is somebody else's"
    have "it hands $c on"
}

# each_write LEAST COMMAND…: of a create, run by the command; at least so many of them.
each_write() {
    local least=$1 writes k n=0 log=$BATS_TEST_TMPDIR/trace
    shift
    # Others may come and go below the parent that tests have in common, which changes how many calls there are.
    config '.linux.cgroupsPath = "/" + $id' --arg id "$CID"
    # The first one makes the state root as well.
    "$@" "$WHERRY" --root "$ROOT" create "$CID" </dev/null >/dev/null 2>&1 3>&- 4>&-
    "$@" "$WHERRY" --root "$ROOT" delete -f "$CID"
    "$@" timeout 60 strace -o "$log" -e trace=openat "$WHERRY" --root "$ROOT" create "$CID" </dev/null >/dev/null 2>&1 3>&- 4>&-
    "$@" "$WHERRY" --root "$ROOT" delete -f "$CID"
    # The k-th openat of create, as strace counts them, for those that open a limit.
    writes=$(awk '/^openat/ { k++ } /"(cpu\.|cpuset\.|memory\.|pids\.max|hugetlb\.|cgroup\.max)[^\/]*", O_WRONLY/ { print k }' "$log")
    [ "$(wc -l <<<"$writes")" -ge "$least" ]
    for k in $writes; do
        ! "$@" timeout 60 strace -o /dev/null -e trace=openat -e inject="openat:error=EIO:when=$k" "$WHERRY" --root "$ROOT" create "$CID" \
            </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&-
        grep -q '/linux/resources/.*: write ".*" to [a-zA-Z0-9_.]* of cgroup /.*: input/output error' "$BATS_TEST_TMPDIR/out" || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
        [ ! -e "$ROOT/$CID" ]
        [ -z "$(find /sys/fs/cgroup -type d -name "$CID")" ]
        n=$((n + 1))
    done
    echo "$n writes"
}

# bats test_tags=vm:not
@test "each write of a limit failing: the place is named, and nothing is left" {
    need strace
    strace -o /dev/null true 2>/dev/null || skip "strace is not allowed to trace"
    resources '{cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0"}, memory: {limit: 67108864, reservation: 33554432}, pids: {limit: 20}, unified: {"cgroup.max.depth": "7"}}'
    run wherry explain
    [ "$status" = 0 ] || skip "not all of these controllers are here"
    each_write 7
}

# bats test_tags=vm:not
@test "each write of a limit failing, where the unified hierarchy is all there is" {
    need strace
    strace -o /dev/null true 2>/dev/null || skip "strace is not allowed to trace"
    in_cgroup2_view true 2>/dev/null || skip "no such view"
    resources '{hugepageLimits: [{pageSize: "2MB", limit: 4194304}], unified: {"cgroup.max.depth": "7", "cgroup.max.descendants": "8", "hugetlb.2MB.max": "2097152"}}'
    run in_cgroup2_view "$WHERRY" explain
    [ "$status" = 0 ] || skip "not all of these controllers are there"
    each_write 4 in_cgroup2_view
}

# A hook of the runtime's knows init's pid: the way to kill a helper at a point of one's choice. It is stopped there, and killed when the hook has ended.
killer() { # KIND
    config '.hooks = {($k): [{path: "/bin/sh", args: ["sh", "-c", $s]}]}' --arg k "$1" \
        --arg s 'p=$(jq .pid); kill -s STOP $p; (sleep 0.3; kill -s KILL $p) >/dev/null 2>&1 &'
}

@test "a helper that is killed by hand was not OOM-killed, whatever the cgroup counted before" {
    controller memory memory
    need jq
    resources '{memory: {limit: 134217728}}'
    killer createRuntime
    detached create "$CID"
    have_status 1
    have "container init was killed by signal 9 during step "
    have "not by the OOM killer, which counted nothing in its cgroup; RLIMIT_CPU, systemd-oomd, an engine that gave up and kill -9 send this signal too"
    have_not "OOM-killed"
    # The same cgroup, in which a process has been ended by the OOM killer.
    mkdir -p "$DIR"
    # The parent hands the controller down only while a container has needed it.
    [ "$V" = 1 ] || echo +memory >"$(dirname "$DIR")/cgroup.subtree_control"
    if [ "$V" = 1 ]; then echo 4194304 >"$DIR/memory.limit_in_bytes"; else echo 4194304 >"$DIR/memory.max"; fi
    run sh -c 'echo $$ >"$0/cgroup.procs"; exec tail /dev/zero' "$DIR"
    have_status 137
    if [ "$V" = 1 ]; then echo -1 >"$DIR/memory.limit_in_bytes"; else echo max >"$DIR/memory.max"; fi
    killer createRuntime
    detached create "$CID"
    have "not by the OOM killer, which counted nothing in its cgroup"
    have_not "OOM-killed"
    rmdir "$DIR" 2>/dev/null || true
    rmdir "${DIR%/*}" 2>/dev/null || true
}
