#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The part of its cgroup that a payload manages itself: with controllers of its own, as systemd and a nested wherry want it. The lab has the
# memory and pids controllers where they can be delegated; the view of the unified hierarchy has at least one that can.
# views: cgroup2
# shellcheck disable=SC2154 # status and output are set by bats
load helpers
load inside

# SIGRTMIN+3
HALT=37

test_setup() {
    need root cgroup2
    [ -e /sys/fs/cgroup/cgroup.controllers ] && CG=/sys/fs/cgroup/wherry-test/$CID
    delegated
}

delegated() { config '.annotations["org.wherry.cgroup.delegate"] = "1"'; }
as_crun() { # SUBGROUP LEAF
    config '.annotations = {"run.oci.systemd.subgroup": $a, "run.oci.delegate-cgroup": $b}' --arg a "$1" --arg b "$2"
}
unified() { [ -n "${CG-}" ] || skip "the controllers are on v1 hierarchies"; }
# A controller that every unified view of a host has; the lab has all.
controller() {
    local c
    for c in memory pids hugetlb; do
        ! grep -qw "$c" /sys/fs/cgroup/cgroup.controllers || { echo "$c"; return 0; }
    done
    return 1
}
# What a payload does with a cgroup that is its own: no process may be in a cgroup that hands controllers on.
# shellcheck disable=SC2016 # for the payload's shell
MANAGE='cd /sys/fs/cgroup; mkdir leaf other; echo 0 >leaf/cgroup.procs || exit 1
for c in $(cat cgroup.controllers); do echo +$c >cgroup.subtree_control || exit 1; done; '

wait_file() {
    local i
    for ((i = 0; i < 1800; i++)); do
        [ -s "$1" ] && return 0
        sleep 0.1
    done
    cat "$BATS_TEST_TMPDIR/detached"
    echo "$1 does not appear"
    return 1
}

# The container waits for good, and starts no process for it.
HOLD='echo up >/up; read x </end; '
hold() { # SCRIPT
    mkfifo rootfs/end
    shell_is "$1$HOLD"
    detached run -d "$CID"
    have_status 0
    wait_file "$BUNDLE/rootfs/up"
}

@test "hosts with controllers on v1 hierarchies: refused, with the place, and nothing is made" {
    [ -z "${CG-}" ] || skip "this view has the unified hierarchy alone"
    refused "/annotations/org.wherry.cgroup.delegate: needs the unified cgroup hierarchy"
}

@test "the payload sees a cgroup of its own as the root, and turns controllers on in it" {
    unified
    config '(.mounts[] | select(.type == "cgroup") | .options) |= . + ["ro"]'
    inside 'grep ^0:: /proc/self/cgroup; '"$MANAGE"'cat cgroup.subtree_control; ls other; ls -d /sys/fs/cgroup/../*/memory.nothing 2>&1 | head -n 1'
    [ "${lines[0]}" = 0::/ ]
    have_line "^(.* )?$(controller)( .*)?\$"
    have_line "^$(controller)\.[^ ]*\.?max\$"
    [ ! -e "$CG" ]
}

# bats test_tags=vm
@test "the limits are above it, and hold whatever it writes to the files that it has" {
    unified
    local c
    c=$(controller)
    case $c in
    hugetlb) config '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]' ;;
    *) config '.linux.resources = {memory: {limit: 67108864}, pids: {limit: 20}}' ;;
    esac
    # With more than twenty, fork fails; the shell says so and ends.
    hold "$MANAGE"'cat cgroup.subtree_control >/on
        for f in *.max *.high leaf/*.max; do [ -w $f ] && echo max >$f; done 2>/dev/null
        (for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do sleep 1000 & done; echo more >/more) 2>/forked; '
    if [ "$c" != hugetlb ]; then
        # Both, in its own subtree.
        grep -w memory "$BUNDLE/rootfs/on" | grep -w pids
        [ "$(cat "$CG/memory.max") $(cat "$CG/pids.max")" = "67108864 20" ]
        [ "$(cat "$CG/payload/memory.max") $(cat "$CG/payload/leaf/pids.max")" = "max max" ]
        [ ! -e "$BUNDLE/rootfs/more" ]
        grep -i "fork" "$BUNDLE/rootfs/forked"
        wherry update --pids-limit 40 "$CID"
    else
        [ "$(cat "$CG/hugetlb.2MB.max") $(cat "$CG/payload/hugetlb.2MB.max")" = "4194304 max" ]
    fi
    [ -z "$(cat "$CG/cgroup.procs")" ]
    grep -qx "$(pid_of "$CID")" "$CG/payload/leaf/cgroup.procs"
    # Nothing is above the root of its namespace.
    run wherry exec "$CID" sh -c 'cat /proc/self/cgroup; ls /sys/fs/cgroup/..'
    have 0::/leaf
    have_not "$CID"
}

@test "pause, ps, update, kill, delete: with all the cgroups that the payload made" {
    unified
    hold "$MANAGE"'mkdir -p other/deep/er; sleep 1000 & echo $! >other/deep/er/cgroup.procs || exit 1; '
    grep -q . "$CG/payload/other/deep/er/cgroup.procs"
    wherry pause "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = paused ]
    grep -q "^frozen 1" "$CG/payload/other/deep/er/cgroup.events"
    # It enters where init is, for the root has controllers on, and goes on when all do.
    wherry exec -d --ignore-paused "$CID" sleep 1001 </dev/null >out 2>&1 &
    while [ "$(wc -l <"$CG/payload/leaf/cgroup.procs")" -lt 2 ]; do kill -0 $!; sleep 0.05; done
    wherry resume "$CID"
    wait $!
    run wherry ps "$CID" -o pid,args
    have "sleep 1000"
    have "sleep 1001"
    if [ -e "$CG/pids.max" ]; then
        wherry update --pids-limit 77 "$CID"
        [ "$(cat "$CG/pids.max")" = 77 ]
        [ "$(cat "$CG/payload/pids.max")" = max ]
    fi
    run wherry events --stats "$CID"
    have_status 0
    wherry kill -a "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
    [ ! -e "$CG" ]
}

@test "exec: in the payload's part; in init's own cgroup once that hands controllers on; where it is told" {
    unified
    mkfifo rootfs/end
    shell_is 'while [ ! -e /go ]; do sleep 0.1; done; '"$MANAGE$HOLD"
    detached run -d "$CID"
    have_status 0
    run wherry exec "$CID" grep ^0:: /proc/self/cgroup
    [ "$output" = 0::/ ]
    : >"$BUNDLE/rootfs/go"
    wait_file "$BUNDLE/rootfs/up"
    run wherry exec "$CID" grep ^0:: /proc/self/cgroup
    [ "$output" = 0::/leaf ]
    run wherry exec --cgroup other "$CID" grep ^0:: /proc/self/cgroup
    [ "$output" = 0::/other ]
    run wherry exec --cgroup ../.. "$CID" true
    have_status 255
    run wherry exec --cgroup nothing "$CID" true
    have_status 255
    have "no such file"
}

@test "crun's annotations: the payload is moved below the root of its namespace, which hands controllers on" {
    unified
    as_crun 'box' 'pay load'
    config '.annotations["run.oci.systemd.subgroup"] = "box"'
    hold 'grep ^0:: /proc/self/cgroup >/where; cat /sys/fs/cgroup/*/cgroup.controllers >/has; '
    [ "$(cat "$BUNDLE/rootfs/where")" = "0::/pay load" ]
    grep -qw "$(controller)" "$BUNDLE/rootfs/has"
    grep -qx "$(pid_of "$CID")" "$CG/box/pay load/cgroup.procs"
    run wherry exec "$CID" grep ^0:: /proc/self/cgroup
    [ "$output" = "0::/pay load" ]
    # It comes back in when the payload has left it, and removed it.
    wherry exec "$CID" sh -c 'mkdir /sys/fs/cgroup/new; echo 1 >/sys/fs/cgroup/new/cgroup.procs'
    rmdir "$CG/box/pay load"
    run wherry exec "$CID" grep ^0:: /proc/self/cgroup
    [ "$output" = "0::/new" ]
    wherry delete -f "$CID"
    [ ! -e "$CG" ]
}

@test "hooks in the container's namespaces run where the payload does" {
    unified
    printf '#!/bin/sh\ngrep ^0:: /proc/self/cgroup >>/tmp/hooked\n' >rootfs/bin/hook
    chmod 755 rootfs/bin/hook
    config '.hooks.startContainer = [{path: "/bin/hook"}] | .mounts |= map(select(.destination != "/tmp"))'
    inside 'cat /tmp/hooked'
    have 0::/
    as_crun a b
    inside 'cat /tmp/hooked'
    have 0::/b
}

@test "what cannot be delegated is refused with its place" {
    unified
    config '.annotations["org.wherry.cgroup.delegate"] = "yes"'
    refused '/annotations/org.wherry.cgroup.delegate: must be 0 or 1, not "yes"'
    delegated
    config '.linux.namespaces |= map(select(.type != "cgroup"))'
    refused "/annotations/org.wherry.cgroup.delegate: needs a cgroup namespace of the container's own"
    config '.linux.namespaces += [{type: "cgroup"}]'
    run wherry --cgroup-manager=disabled run "$CID"
    have "/annotations/org.wherry.cgroup.delegate: a container without a cgroup has nothing to delegate"
    as_crun "" b
    refused "/annotations/run.oci.delegate-cgroup: needs the annotation run.oci.systemd.subgroup"
    as_crun a/b c
    refused '/annotations/run.oci.systemd.subgroup: "a/b" cannot be the name of a cgroup'
    as_crun a ..
    refused '/annotations/run.oci.delegate-cgroup: ".." cannot be the name of a cgroup'
    as_crun a memory.max
    refused '/annotations/run.oci.delegate-cgroup: "memory.max" cannot be the name of a cgroup'
    [ ! -e "$CG" ]
}

@test "in a user namespace: what the kernel lists is its root's, and works; files of limits are not" {
    need userns
    unified
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    chmod 777 rootfs
    hold "$MANAGE"
    [ "$(stat -c %u "$CG/payload")" = 100000 ]
    for f in $(cat /sys/kernel/cgroup/delegate); do
        [ ! -e "$CG/payload/$f" ] || [ "$(stat -c %u "$CG/payload/$f")" = 100000 ]
        [ ! -e "$CG/$f" ] || [ "$(stat -c %u "$CG/$f")" = 0 ]
    done
    [ "$(stat -c %u "$CG/payload/cgroup.max.depth")" = 0 ]
    grep -qw "$(controller)" "$CG/payload/cgroup.subtree_control"
    run wherry exec "$CID" id -u
    [ "$output" = 0 ]
}

@test "a user other than root: the payload's part is that user's" {
    unified
    config '.process.user = {uid: 1000, gid: 1000}'
    inside "id -u; $MANAGE"'cat cgroup.subtree_control; echo 1 2>/dev/null >cgroup.max.depth || echo refused'
    [ "${lines[0]}" = 1000 ]
    have_line "^(.* )?$(controller)( .*)?\$"
    have refused
}

# A root from the machine's own programs, which is cheaper than a copy of them.
machine_rootfs() {
    rm -r rootfs
    mkdir -p rootfs/{proc,sys,dev,etc,run,tmp,usr,var,root}
    local l
    for l in bin sbin lib lib64; do ln -s "usr/$l" "rootfs/$l"; done
    printf 'root:x:0:0:root:/root:/bin/sh\n' >rootfs/etc/passwd
    printf 'root:x:0:\n' >rootfs/etc/group
    : >rootfs/etc/machine-id
    add_mount /usr bind /usr rbind,ro
    add_mount /run tmpfs tmpfs rw,nosuid,nodev,mode=755
}

# As engines run systemd; its units alone, not those of the machine.
systemd_is_payload() {
    local units=/lib/systemd/system unit
    [ -x /lib/systemd/systemd ] && [ -L /bin ] || skip "needs systemd on a merged /usr"
    machine_rootfs
    add_mount /run/lock tmpfs tmpfs rw,nosuid,nodev
    add_mount /tmp tmpfs tmpfs rw,nosuid,nodev
    mkdir -p rootfs/etc/systemd/system/multi-user.target.wants
    for unit in basic sysinit multi-user shutdown umount final halt; do cp "$units/$unit.target" rootfs/etc/systemd/system/; done
    cp "$units/systemd-halt.service" rootfs/etc/systemd/system/
    ln -s multi-user.target rootfs/etc/systemd/system/default.target
    printf '%s\n' '[Service]' Type=oneshot RemainAfterExit=yes MemoryMax=50M TasksMax=20 \
        'ExecStart=/bin/sh -c "cat /proc/self/cgroup >/cgroup; cd /sys/fs/cgroup/system.slice/up.service; cat memory.max pids.max >/max; echo 1 >/up"' \
        >rootfs/etc/systemd/system/up.service
    ln -s ../up.service rootfs/etc/systemd/system/multi-user.target.wants/
    config '.process.args = ["/lib/systemd/systemd"] | .process.env += ["container=oci", "SYSTEMD_UNIT_PATH=/etc/systemd/system"]'
}
systemd_boots() { # CGROUP
    local i
    detached run -d "$CID"
    have_status 0
    wait_file rootfs/up
    grep -qx 0::/system.slice/up.service rootfs/cgroup
    if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
        [ "$(tr '\n' ' ' <rootfs/max)" = "52428800 20 " ]
    fi
    # exec gets where systemd itself is, for it allows no process in the root.
    for i in {1..100}; do
        run wherry exec "$CID" systemctl is-active multi-user.target
        [ "$output" != active ] || break
        sleep 0.2
    done
    [ "$output" = active ] || { echo "$i times: $output"; return 1; }
    grep -q "^0::.*/$1/init.scope\$" "/proc/$(pid_of "$CID")/cgroup"
}
systemd_stops() {
    local t0=$EPOCHREALTIME
    wherry kill "$CID" $HALT
    wait_status "$CID" stopped || wait_status "$CID" stopped || wait_status "$CID" stopped
    # Half a second on an idle machine, where 5 s would be too long, and some forty times that in the lab of a busy one. Of 90 s are the
    # timeouts of systemd, none of which may have run out.
    awk -v a="$t0" -v b="$EPOCHREALTIME" 'BEGIN { print "stopped after " b - a " s"; exit !(b - a < 80) }'
    run wherry delete "$CID"
    have_status 0
    [ ! -e "$CG" ]
}

# bats test_tags=vm
@test "systemd is the payload: it reaches multi-user.target, and stops on SIGRTMIN+3" {
    unified
    systemd_is_payload
    systemd_boots payload
    wherry pause "$CID"
    wherry resume "$CID"
    systemd_stops
}

@test "systemd in a user namespace, in a cgroup that is mounted writable without an annotation" {
    need userns
    unified
    systemd_is_payload
    config 'del(.annotations) | (.mounts[] | select(.type == "cgroup") | .options) |= map(select(. != "ro"))
        | .linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    chown -R 100000:100000 rootfs
    systemd_boots "$CID"
    [ "$(stat -c %u "$CG") $(stat -c %u "$CG/cgroup.procs") $(stat -c %u "$CG/cgroup.max.depth")" = "100000 100000 0" ]
    systemd_stops
}

# bats test_tags=vm
@test "a nested wherry is the payload: its container has limits" {
    unified
    local file limit
    [ -L /bin ] || skip "needs a merged /usr"
    case $(controller) in
    hugetlb) file=hugetlb.2MB.max limit='.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]' ;;
    *) file=pids.max limit='.pids.limit = 11' ;;
    esac
    make_bundle "$BATS_TEST_TMPDIR/inner"
    cp "$WHERRY" "$BATS_TEST_TMPDIR/inner/wherry"
    jq '.linux.resources'"$limit"' | .linux.cgroupsPath = "/in" | .process.args = ["cat", "/sys/fs/cgroup/'"$file"'"]' \
        <"$BATS_TEST_TMPDIR/inner/config.json" >"$BATS_TEST_TMPDIR/inner/config"
    mv "$BATS_TEST_TMPDIR/inner/config" "$BATS_TEST_TMPDIR/inner/config.json"
    machine_rootfs
    add_mount /inner bind "$BATS_TEST_TMPDIR/inner" rbind,rw
    mkdir rootfs/inner
    config '.process.capabilities[] = ("CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP SETFCAP NET_ADMIN NET_BIND_SERVICE SYS_CHROOT
        SYS_ADMIN SYS_PTRACE MKNOD AUDIT_WRITE BPF" | [splits("[ \n]+") | "CAP_" + .])'
    config '.process.args = ["/bin/sh", "-c", $s]' --arg s "$MANAGE"'/inner/wherry run -b /inner in && ls -d /sys/fs/cgroup/*/'
    run wherry run "$CID" </dev/null
    have_status 0
    case $file in pids.max) [ "${lines[0]}" = 11 ] ;; *) [ "${lines[0]}" = 4194304 ] ;; esac
    have /leaf/
    have_not /in/
    [ ! -e "$CG" ]
}
