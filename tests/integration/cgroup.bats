#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The container's cgroup. Twice: as the machine is, and in a view where the unified hierarchy is all there is (./check).
# views: cgroup2
# shellcheck disable=SC2154 # status and output are set by bats
load helpers

test_setup() {
    need root cgroup2
    TWO=$(awk '$9 == "cgroup2" || $8 == "cgroup2" { print $5; exit }' /proc/self/mountinfo)
    [ -n "$TWO" ] || TWO=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
    PIDS=$(awk '$0 ~ / - cgroup .*[ ,]pids/ { print $5; exit }' /proc/self/mountinfo)
    CG=$TWO/wherry-test/$CID
}

# The directory with the container's pids.max, wherever the controller is.
need_pids() {
    if [ -n "$PIDS" ]; then
        PIDS_CG=$PIDS/wherry-test/$CID
    elif grep -qw pids "$TWO/cgroup.controllers"; then
        PIDS_CG=$CG
    else
        skip "the pids controller is not in this view"
    fi
}

# bats test_tags=vm
@test "one of its own, gone after delete, with the parents" {
    command_is sleep 30
    wherry create -b "$BUNDLE" "$CID"
    [ "$(cat "$CG/cgroup.procs")" = "$(pid_of "$CID")" ]
    grep -qF "0::/wherry-test/$CID" "/proc/$(pid_of "$CID")/cgroup"
    wherry start "$CID"
    [ "$(cat "$CG/cgroup.procs")" = "$(pid_of "$CID")" ]
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
    [ ! -e "$CG" ]
    [ -z "$(find /sys/fs/cgroup -type d -name "$CID")" ]
    # Other tests may run beside this one and have it in use.
    [ ! -e "$TWO/wherry-test" ] || [ -n "$(find "$TWO/wherry-test" -mindepth 1 -type d)" ]
}

@test "a parent that was there before stays" {
    mkdir -p "$TWO/wherry-test/$CID-parent"
    config '.linux.cgroupsPath = "/wherry-test/'"$CID"'-parent/deep/er"'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ -d "$TWO/wherry-test/$CID-parent" ]
    [ ! -e "$TWO/wherry-test/$CID-parent/deep" ]
    rmdir "$TWO/wherry-test/$CID-parent"
}

@test "without cgroupsPath it still has one, named after it" {
    config 'del(.linux.cgroupsPath)'
    command_is sleep 30
    wherry create -b "$BUNDLE" "$CID"
    grep -E "^0::/(.*/)?$CID\$" "/proc/$(pid_of "$CID")/cgroup"
    wherry delete -f "$CID"
    [ -z "$(find /sys/fs/cgroup -type d -name "$CID")" ]
}

# bats test_tags=vm
@test "pids: the limit is in the file, holds, and does not hinder create" {
    need_pids
    config '.linux.resources.pids.limit = 1'
    shell_is 'echo alone; sleep 0 && echo forked'
    run wherry run -b "$BUNDLE" "$CID"
    have alone
    have_not forked
    config '.linux.resources.pids.limit = 7'
    command_is sleep 30
    wherry create -b "$BUNDLE" "$CID"
    [ "$(cat "$PIDS_CG/pids.max")" = 7 ]
    grep -qx "$(pid_of "$CID")" "$PIDS_CG/cgroup.procs"
    wherry delete -f "$CID"
    [ ! -e "$PIDS_CG" ]
    config '.linux.resources.pids.limit = -1'
    run wherry run -b "$BUNDLE" "$CID"
}

# What /proc/PID/cgroup says, without the numbers of the hierarchies and the container's name.
membership() { # PID NAME
    sed "s/^[0-9]*:\(.*\)$2\$/\1CONTAINER/" "/proc/$1/cgroup" | sort
}

@test "v1 hierarchies: in each of them, without limits too, as with runc; nothing is left" {
    need hybrid runc
    local pid peer name
    config 'del(.linux.resources.pids, .linux.resources.memory, .linux.resources.cpu)'
    command_is sleep 1000
    wherry create -b "$BUNDLE" "$CID"
    pid=$(pid_of "$CID")
    membership "$pid" "$CID" >"$BATS_TEST_TMPDIR/ours"
    # Every line: none stays where the caller is.
    [ "$(grep -c CONTAINER "$BATS_TEST_TMPDIR/ours")" = "$(wc -l </proc/self/cgroup)" ]
    for name in $(awk '/ - cgroup / { print $5 }' /proc/self/mountinfo); do
        [ "$(cat "$name/wherry-test/$CID/cgroup.procs")" = "$pid" ]
    done
    config '.linux.cgroupsPath = "/wherry-test/'"$CID"'-runc" | del(.process.rlimits)'
    runc --root "$BATS_TEST_TMPDIR/runc" create -b "$BUNDLE" "$CID-runc" </dev/null >/dev/null 2>&1 3>&- 4>&-
    peer=$(runc --root "$BATS_TEST_TMPDIR/runc" state "$CID-runc" | jq .pid)
    membership "$peer" "$CID-runc" >"$BATS_TEST_TMPDIR/theirs"
    runc --root "$BATS_TEST_TMPDIR/runc" delete -f "$CID-runc"
    diff "$BATS_TEST_TMPDIR/theirs" "$BATS_TEST_TMPDIR/ours"
    wherry delete -f "$CID"
    [ -z "$(find /sys/fs/cgroup -type d -name "$CID*")" ]
}

@test "v1 hierarchies: exec is in each of them" {
    need hybrid
    command_is sleep 1000
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
    wherry exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1000 </dev/null >/dev/null 2>&1
    membership "$(cat "$BATS_TEST_TMPDIR/pid")" "$CID" >"$BATS_TEST_TMPDIR/exec"
    [ "$(grep -c CONTAINER "$BATS_TEST_TMPDIR/exec")" = "$(wc -l </proc/self/cgroup)" ]
}

@test "v1 hierarchies: the container sees its own directories alone, with and without a cgroup namespace" {
    need hybrid
    local all
    all=$(grep -c ' - cgroup ' /proc/self/mountinfo)
    shell_is 'grep -c " - cgroup " /proc/self/mountinfo
        for f in /sys/fs/cgroup/*/cgroup.procs; do n=0; while read -r p; do [ "$p" = 1 ] && n=1 || echo "$p in $f"; done <$f; [ $n = 1 ] || echo "not in $f"; done
        find /sys/fs/cgroup/ -mindepth 2 -type d'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ "$output" = "$all" ]
    config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ "$output" = "$all" ]
    shell_is 'awk "/ - cgroup / { print \$4 }" /proc/self/mountinfo | sort -u'
    run wherry run -b "$BUNDLE" "$CID"
    [ "$output" = "/wherry-test/$CID" ]
}

@test "v1 hierarchies: one that takes no new cgroup is left out, and not mounted; a limit that needs it is refused" {
    need hybrid
    local closed
    closed=$(awk '$0 ~ / - cgroup .*[ ,]pids/ { print $5; exit }' /proc/self/mountinfo)
    [ -n "$closed" ] || skip "the pids controller is not on v1"
    config 'del(.linux.resources.pids)'
    shell_is 'grep -c " - cgroup " /proc/self/mountinfo; grep :pids: /proc/self/cgroup; ls -d /sys/fs/cgroup/pids'
    view() { # a view where that hierarchy is read-only
        unshare -m --propagation private sh -c 'mount -o remount,bind,ro "$1" && shift && exec "$@"' sh "$closed" "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID"
    }
    run view
    have_line "^$(($(grep -c ' - cgroup ' /proc/self/mountinfo) - 1))\$"
    have "/sys/fs/cgroup/pids: No such file"
    have_not "wherry-test"
    config '.linux.resources.pids.limit = 7'
    run view
    have_status 1
    have "make cgroup $closed/wherry-test"
    have "read-only file system"
    [ -z "$(find /sys/fs/cgroup -type d -name "$CID")" ]
}

@test "v1 hierarchies: below a frozen cgroup none is made" {
    need hybrid
    local frozen
    frozen=$(awk '$0 ~ / - cgroup .*[ ,]freezer/ { print $5; exit }' /proc/self/mountinfo)
    [ -n "$frozen" ] || skip "the freezer is not on v1"
    mkdir -p "$frozen/wherry-test/$CID-cold"
    echo FROZEN >"$frozen/wherry-test/$CID-cold/freezer.state"
    config '.linux.cgroupsPath = "/wherry-test/'"$CID"'-cold/c"'
    run wherry run -b "$BUNDLE" "$CID"
    rmdir "$frozen/wherry-test/$CID-cold"
    have_status 1
    have "container's cgroup unexpectedly frozen: the parent of $frozen/wherry-test/$CID-cold/c is"
    [ -z "$(find /sys/fs/cgroup -type d -name "$CID*")" ]
}

# bats test_tags=vm
@test "every controller is handed down, though nothing is limited, and also below a cgroup that was there" {
    [ -n "$(cat "$TWO/cgroup.controllers")" ] || skip "no controller is in cgroup2"
    config 'del(.linux.resources.pids, .linux.resources.memory, .linux.resources.cpu)'
    mkdir -p "$TWO/wherry-test/$CID-parent"
    config '.linux.cgroupsPath = "/wherry-test/'"$CID"'-parent/deep/er"'
    command_is sleep 30
    wherry create -b "$BUNDLE" "$CID"
    diff "$TWO/cgroup.controllers" "$TWO/wherry-test/$CID-parent/deep/er/cgroup.controllers"
    wherry delete -f "$CID"
    rmdir "$TWO/wherry-test/$CID-parent"
}

# bats test_tags=vm
@test "what a container uses is counted, though nothing is limited" {
    grep -qw memory "$TWO/cgroup.controllers" || skip "the controllers are on v1 hierarchies"
    config 'del(.linux.resources.pids)'
    command_is sleep 30
    wherry create -b "$BUNDLE" "$CID"
    for file in memory.current pids.current cpu.weight io.stat; do
        [ -e "$CG/$file" ] || { echo "no $file"; return 1; }
    done
    [ "$(cat "$CG/pids.current")" = 1 ]
}

@test "pids: where there is no controller, the limit is refused before anything is made" {
    [ -z "$PIDS" ] && ! grep -qw pids "$TWO/cgroup.controllers" || skip "the pids controller is here"
    config '.linux.resources.pids.limit = 7'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    have "/linux/resources/pids"
    have "pids"
    [ ! -e "$CG" ]
    [ ! -e "$ROOT/$CID" ]
}

# bats test_tags=vm
@test "a limit below a cgroup with processes of its own is refused, however many they are" {
    grep -qw pids "$TWO/cgroup.controllers" || skip "the pids controller is not in this view"
    local busy=$TWO/wherry-test/$CID-busy pids=() i
    mkdir -p "$busy"
    for i in {1..20}; do
        sleep 1000 >/dev/null 3>&- 4>&- &
        pids+=($!)
        echo $! >"$busy/cgroup.procs"
    done
    config '.linux.cgroupsPath = $p | .linux.resources.pids.limit = 10' --arg p "/wherry-test/$CID-busy/c"
    run wherry create "$CID"
    kill "${pids[@]}"
    wait "${pids[@]}" || true
    rmdir "$busy"
    have_status 1
    have "turn on controllers +pids below cgroup /wherry-test/$CID-busy: it has processes of its own"
}

@test "devices: denied unless allowed, whatever the node" {
    config '.process.capabilities[] |= (. + ["CAP_MKNOD"]) | .root.readonly = false'
    # Not all of them open without a device behind them, so what is compared is EPERM.
    shell_is 'mknod /tmp/kmsg c 1 11; mknod /tmp/disk b 7 0; mknod /tmp/null c 1 3
        cat /tmp/kmsg; dd if=/tmp/disk count=1; cat /tmp/null && echo null works; echo x >/dev/full; head -c 4 /dev/zero | wc -c'
    run wherry run -b "$BUNDLE" "$CID"
    have "'/tmp/kmsg': Operation not permitted"
    have "'/tmp/disk': Operation not permitted"
    have "null works"
    have "No space left"
    have_line '^4$'
    # Whatever the device itself says to being opened, the rule does not.
    config '.linux.resources.devices += [{allow: true, type: "c", major: 10, minor: 229, access: "r"}]'
    shell_is 'mknod /tmp/fuse c 10 229; (exec 3</tmp/fuse) 2>&1 | grep -q "not permitted" || echo may read
        (exec 3>/tmp/fuse) 2>&1 | grep -q "not permitted" && echo may not write'
    run wherry run -b "$BUNDLE" "$CID"
    have_line '^may read$'
    have_line '^may not write$'
}

@test "a cgroup with processes in it is refused, and left alone" {
    mkdir -p "$CG"
    sleep 60 3>&- 4>&- &
    local sleeper=$!
    echo "$sleeper" >"$CG/cgroup.procs"
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "container's cgroup is not empty: 1 process(es) found"
    [ ! -e "$ROOT/$CID" ]
    grep -qx "$sleeper" "$CG/cgroup.procs"
    kill "$sleeper"
    wait "$sleeper" || true
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ ! -e "$CG" ]
}

@test "a frozen cgroup is refused" {
    mkdir -p "$CG"
    echo 1 >"$CG/cgroup.freeze"
    run timeout 20 "$WHERRY" --root "$ROOT" create -b "$BUNDLE" "$CID"
    have_status 1
    have "container's cgroup unexpectedly frozen"
    echo 0 >"$CG/cgroup.freeze"
    rmdir "$CG"
    # Its children would be born frozen.
    mkdir -p "$CG-p"
    echo 1 >"$CG-p/cgroup.freeze"
    config '.linux.cgroupsPath += "-p/c"'
    run timeout 20 "$WHERRY" --root "$ROOT" create -b "$BUNDLE" "$CID"
    have_status 1
    have "unexpectedly frozen"
    echo 0 >"$CG-p/cgroup.freeze"
    rmdir "$CG-p"
    [ ! -e "$ROOT/$CID" ]
}

@test "delete -f of a frozen container, with children that ignore signals" {
    config 'del(.linux.namespaces[] | select(.type == "pid"))
            | .mounts |= map(select(.destination != "/proc")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
    shell_is 'trap "" TERM HUP INT; for i in 1 2 3 4 5; do sleep 100 & done; wait; sleep 100'
    wherry run -d -b "$BUNDLE" "$CID"
    for _ in $(seq 100); do
        [ "$(wc -l <"$CG/cgroup.procs")" = 6 ] && break
        sleep 0.05
    done
    echo 1 >"$CG/cgroup.freeze"
    run timeout 20 "$WHERRY" --root "$ROOT" delete -f "$CID"
    have_status 0
    [ ! -e "$CG" ]
    run pgrep -f "sleep 100 $CID"
    [ "$status" -ne 0 ]
}

@test "without a pid namespace, what the first process leaves behind is killed" {
    config 'del(.linux.namespaces[] | select(.type == "pid"))
            | .mounts |= map(select(.destination != "/proc")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
    shell_is 'sleep 1000 >/dev/null 2>&1 & exit 0'
    wherry run -d -b "$BUNDLE" "$CID"
    wait_status "$CID" stopped
    local left
    left=$(cat "$CG/cgroup.procs")
    [ -n "$left" ]
    wherry delete "$CID"
    [ ! -e "$CG" ]
    # Gone, or waiting for whoever inherited it.
    case $(sed 's/.*) //' "/proc/$left/stat" 2>/dev/null) in Z* | X* | '') ;; *) false ;; esac
}

@test "cgroups that the payload made are removed with it" {
    config '.mounts |= map(if .destination == "/sys/fs/cgroup" then .options -= ["ro"] else . end)'
    shell_is 'cd /sys/fs/cgroup && [ -d unified ] && cd unified; mkdir -p a/b/c a/d && echo 0 >a/b/c/cgroup.procs && echo made; sleep 100'
    wherry run -d -b "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/out"
    for _ in $(seq 100); do
        grep -q made "$BATS_TEST_TMPDIR/out" && break
        sleep 0.05
    done
    [ -d "$CG/a/d" ]
    wherry delete -f "$CID"
    [ ! -e "$CG" ]
}

@test "a path cannot lead out of the hierarchy" {
    config '.linux.cgroupsPath = "/../../wherry-test/../../wherry-test/'"$CID"'"'
    command_is sleep 30
    wherry create -b "$BUNDLE" "$CID"
    [ "$(cat "$CG/cgroup.procs")" = "$(pid_of "$CID")" ]
    wherry delete -f "$CID"
    config '.linux.cgroupsPath = "/"'
    run wherry create -b "$BUNDLE" "$CID"
    [ "$status" -ne 0 ]
    [ ! -e "$ROOT/$CID" ]
}

@test "a hundred at the same time, created and deleted: nothing is left" {
    local i pids=() failed=0
    command_is sleep 1000
    if [ -n "$PIDS" ]; then config '.linux.resources.pids.limit = 20'; fi
    # A bundle has one rootfs for them all.
    jq -c --arg p "/wherry-test/$CID-all/$CID" 'range(100) as $i | .linux.cgroupsPath = "\($p)-\($i)"' <"$BUNDLE/config.json" | split -l 1 -d -a 2 - "$BUNDLE/config-"
    for i in $(seq -w 0 99); do
        { wherry create -b "$BUNDLE" -f "config-$i" "$CID-$i" && wherry delete -f "$CID-$i"; } >"$BATS_TEST_TMPDIR/out-$i" 2>&1 </dev/null &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || failed=$((failed + 1)); done
    cat "$BATS_TEST_TMPDIR"/out-*
    [ "$failed" = 0 ]
    [ -z "$(find /sys/fs/cgroup -name "$CID*")" ]
    [ -z "$(ls "$ROOT")$(ls "$ROOT/.init")" ]
}

# bats test_tags=vm
@test "limits that fail undo the create and name the place" {
    need_pids
    config '.linux.resources.pids.limit = 99999999'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "/linux/resources/pids/limit"
    have "pids.max"
    have "invalid argument"
    [ ! -e "$CG" ]
    [ ! -e "$ROOT/$CID" ]
}

@test "the systemd manager is refused where there is no systemd, and says so" {
    [ ! -d /run/systemd/system ] || skip "systemd runs here"
    config '.linux.cgroupsPath = "system.slice:wherry:'"$CID"'"'
    run wherry --systemd-cgroup create -b "$BUNDLE" "$CID"
    have_status 1
    have "this host is not run by systemd: use --cgroup-manager=cgroupfs"
    [ ! -e "$ROOT/$CID" ]
}

@test "mounts without a source and binds without a type, where the payload gets its cgroup namespace" {
    config '.linux.namespaces |= map(select(.type != "cgroup")) + [ { type: "cgroup" } ]
        | .mounts = [ { destination: "/mnt", type: "tmpfs" }, { destination: "/srv", source: "/", options: [ "bind" ] } ] + .mounts'
    command_is sh -c 'grep -c " /mnt " /proc/self/mountinfo; grep -c " /srv " /proc/self/mountinfo'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ "$output" = "1
1" ]
}
