#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The systemd cgroup manager, in the lab, where systemd is PID 1: as root with the system's, as an ordinary user with the user's;
# what is tagged root is run as root only.
load ../integration/helpers
load ../integration/inside

test_setup() {
    [ -d /run/systemd/system ] || skip "needs systemd"
    if [ "$(id -u)" = 0 ]; then
        systemctl=(systemctl) base=/sys/fs/cgroup slice=system.slice
    else
        rm config.json
        "$WHERRY" spec --rootless
        # shellcheck disable=SC2034 # the strings of jq
        config '.process.terminal = false | .linux.namespaces |= map(select(.type != "cgroup"))'
        systemctl=(systemctl --user) slice=user.slice
        base=/sys/fs/cgroup/user.slice/user-$(id -u).slice/user@$(id -u).service
    fi
    UNIT=wh-$CID.scope
    config '.linux.cgroupsPath = ":wh:'"$CID"'" | .process.args = ["sleep", "100"]'
}

show() { "${systemctl[@]}" show "$UNIT" -p "$1" --value; }
# $cut: runs a command where the bus cannot be reached.
cut_bus() {
    if [ "$(id -u)" = 0 ]; then
        cut=(unshare -m --propagation private sh -c 'mount -t tmpfs none /run/dbus; exec "$@"' sh)
    else
        cut=(env DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent)
    fi
}
gone() {
    [ "$(show LoadState)" = not-found ]
    [ ! -e "$base/$slice/$UNIT" ]
}

@test "systemd: a scope, from create to delete, by option of create alone" {
    config '.linux.resources.pids.limit = 20'
    detached --systemd-cgroup create "$CID"
    have_status 0
    [ -z "$output" ]
    [ "$(show ActiveState)" = active ]
    [ "$(show Slice)" = "$slice" ]
    [ "$(show Description)" = "libcontainer container $CID" ]
    [ "$(show Delegate)" = yes ]
    [ "$(show DefaultDependencies)" = no ]
    [ "$(show TasksMax)" = 20 ]
    [ "$(show MemoryAccounting)" = yes ]
    [ "$(cat "$base/$slice/$UNIT/pids.max")" = 20 ]
    pid=$(pid_of "$CID")
    [ "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" = "${base#/sys/fs/cgroup}/$slice/$UNIT" ]
    wherry start "$CID"
    run wherry exec "$CID" cat /proc/self/cgroup </dev/null
    have_status 0
    "${systemctl[@]}" daemon-reload
    [ "$(show ActiveState)" = active ]
    [ "$(cat "$base/$slice/$UNIT/pids.max")" = 20 ]
    run wherry state "$CID"
    have '"status": "running"'
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    run wherry --log log --debug delete "$CID"
    have_status 0
    [ -z "$output" ]
    grep -qF "stopped unit $UNIT" log
    gone
}

@test "systemd: a container for one process, or for none besides its first" {
    for limit in 0 1; do
        config '.ociVersion = "1.3.0" | .linux.resources.pids.limit = $n' --argjson n $limit
        detached --systemd-cgroup run -d "$CID"
        have_status 0
        [ -z "$output" ]
        [ "$(show TasksMax) $(cat "$base/$slice/$UNIT/pids.max")" = "1 $limit" ]
        wherry delete -f "$CID"
        gone
    done
}

# What the kernel has and what systemd would write there, of the limits that the test below changes.
limits() {
    local file
    for file in memory.max memory.low pids.max cpu.max cpu.weight; do
        echo "$file $(cat "$base/$slice/$UNIT/$file")"
    done
    "${systemctl[@]}" show "$UNIT" -p MemoryMax -p MemoryLow -p TasksMax -p CPUQuotaPerSecUSec -p CPUWeight
}

@test "systemd: update changes the unit as well, so that a reload keeps it; or nothing at all" {
    config '.linux.resources = { memory: { limit: 104857600 }, pids: { limit: 20 }, unified: { "memory.oom.group": "1" } }'
    detached --systemd-cgroup run -d "$CID"
    have_status 0
    run limits
    have_line '^memory.max 104857600$'
    have_line '^MemoryMax=104857600$'
    # From a pipe, which the program that has the bus reads a second time.
    run wherry update --resources - "$CID" < <(echo '{ "memory": { "limit": 209715200, "reservation": 1048576 }, "pids": { "limit": 30 },
        "cpu": { "quota": 12345, "period": 50000, "shares": 2048 } }')
    have_status 0
    [ -z "$output" ]
    run limits
    for line in 'memory.max 209715200' 'memory.low 1048576' 'pids.max 30' 'cpu.max 12345 50000' MemoryMax=209715200 \
        MemoryLow=1048576 TasksMax=30 CPUQuotaPerSecUSec=250ms "CPUWeight=$(cat "$base/$slice/$UNIT/cpu.weight")"; do
        have_line "^$line\$"
    done
    after=$output
    # systemd has written this one, too, and has no property for it.
    [ "$(cat "$base/$slice/$UNIT/memory.oom.group")" = 1 ]
    "${systemctl[@]}" daemon-reload
    # Of the quota it knows hundredths of a processor.
    run limits
    [ "${output/cpu.max 12500/cpu.max 12345}" = "$after" ]
    "${systemctl[@]}" daemon-reexec
    run limits
    [ "${output/cpu.max 12500/cpu.max 12345}" = "$after" ]
    before=$output

    # The kernel refuses, after other files were written.
    run wherry update --memory 150m --cpuset-cpus 900-901 "$CID"
    have_status 1
    have cpuset.cpus
    run limits
    [ "$output" = "$before" ]
    # systemd is not there to be told.
    cut_bus
    run "${cut[@]}" "$WHERRY" --root "$ROOT" update --memory 150m --pids-limit 9 "$CID" 3>&- 4>&-
    have_status 1
    have "reach systemd at unix:path="
    run limits
    [ "$output" = "$before" ]
    run wherry update --memory 150m "$CID"
    have_status 0
    [ "$(show MemoryMax)" = 157286400 ]
    # One that was killed is undone, in the unit as well, by the next that reaches systemd.
    echo 'was unified memory.max 125829120' >"$ROOT/$CID/update"
    wherry update --pids-limit 31 "$CID"
    [ "$(show MemoryMax) $(show TasksMax) $(cat "$base/$slice/$UNIT/memory.max")" = "125829120 31 125829120" ]
    [ ! -e "$ROOT/$CID/update" ]
    run wherry exec "$CID" true </dev/null
    have_status 0
    wherry delete -f "$CID"
    gone
}

# bats test_tags=root
@test "systemd: the device rules are the unit's, too, and a reload neither adds to them nor takes away" {
    config '.linux.resources.devices = [{ allow: false, access: "rwm" }, { allow: true, type: "c", major: 1, access: "rw" },
        { allow: false, type: "c", major: 1, minor: 11, access: "w" }]'
    detached --systemd-cgroup run -d "$CID"
    have_status 0
    [ "$(show DevicePolicy)" = strict ]
    run show DeviceAllow
    have "char-1 rw"
    have "/dev/char/5:2 rwm"
    # 1:2 is allowed, and no driver has it; 1:11 (kmsg) only for all that systemd knows; 7:0 for nobody.
    mknod rootfs/a c 1 2 && mknod rootfs/k c 1 11 && mknod rootfs/l b 7 0
    # shellcheck disable=SC2016 # for the container's shell
    try='cd /tmp; for f in /dev/null /a /k /l; do if (exec 9>>"$f") 2>err; then echo "$f opens"; else sed "s/.*: //" err; fi; done'
    for step in true "systemctl daemon-reload" "systemctl daemon-reexec"; do
        $step
        run wherry exec "$CID" sh -c "$try" </dev/null
        have_status 0
        [ "$output" = $'/dev/null opens\nNo such device or address\nOperation not permitted\nOperation not permitted' ] || { echo "$output"; false; }
    done
    config 'del(.linux.resources.devices) | .linux.resources.devices = [{ allow: true, access: "rwm" }] | .linux.cgroupsPath += "-2"'
    detached --systemd-cgroup run -d "$CID-2"
    have_status 0
    [ "$(systemctl show "wh-$CID-2.scope" -p DevicePolicy --value)" = auto ]
}

@test "systemd: a part of the scope for the payload, which hands controllers on, and outlives a reload" {
    local dir=$base/$slice/$UNIT pid
    config '.linux.resources.pids.limit = 20 | .linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}])
        | .annotations = {"run.oci.systemd.subgroup": "part", "run.oci.delegate-cgroup": "leaf"}'
    detached --systemd-cgroup create "$CID"
    have_status 0
    [ -z "$(cat "$dir/cgroup.procs" "$dir/part/cgroup.procs")" ]
    pid=$(pid_of "$CID")
    [ "$(cat "$dir/part/leaf/cgroup.procs")" = "$pid" ]
    [ "$(cat "$dir/pids.max") $(cat "$dir/part/pids.max")" = "20 max" ]
    grep -qw pids "$dir/part/leaf/cgroup.controllers"
    wherry start "$CID"
    run wherry exec "$CID" cat /proc/self/cgroup </dev/null
    have 0::/leaf
    "${systemctl[@]}" daemon-reload
    grep -qw pids "$dir/part/leaf/cgroup.controllers"
    wherry update --pids-limit 30 "$CID"
    [ "$(cat "$dir/pids.max") $(cat "$dir/part/pids.max")" = "30 max" ]
    wherry delete -f "$CID"
    gone
}

@test "systemd: run, in slices that are made for it, with properties from annotations" {
    config '.linux.cgroupsPath = "wh-x.slice:wh:'"$CID"'" | .process.args = ["true"]
        | .annotations = { "org.systemd.property.TimeoutStopUSec": "uint64 5000000", "org.systemd.property.KillSignal": "2",
            "org.systemd.property.RuntimeMaxSec": "77", "org.systemd.property.CollectMode": "'"'inactive'"'" }'
    run wherry --cgroup-manager=systemd run "$CID" </dev/null
    have_status 0
    command_is sleep 100
    detached --systemd-cgroup run -d "$CID"
    have_status 0
    [ "$(show Slice)" = wh-x.slice ]
    [ "$(show TimeoutStopUSec)" = 5s ]
    [ "$(show KillSignal)" = 2 ]
    [ "$(show RuntimeMaxUSec)" = "1min 17s" ]
    wherry delete -f "$CID"
    slice=wh.slice/wh-x.slice
    gone
}

# bats test_tags=root
@test "systemd: what a payload that was killed has left is no obstacle, nor what nobody deleted" {
    detached --systemd-cgroup run -d "$CID"
    have_status 0
    # A failed unit of that name: as if the container's state had been lost.
    "${systemctl[@]}" kill -s KILL "$UNIT"
    wait_status "$CID" stopped
    rm -rf "${ROOT:?}/$CID"
    detached --systemd-cgroup run -d "$CID"
    have_status 0
    wherry delete -f "$CID"
    gone
}

# bats test_tags=root
@test "systemd: a unit that is somebody else's stays theirs" {
    systemd-run "${systemctl[@]:1}" --quiet --scope --slice=other.slice --unit="$UNIT" sleep 100 3>&- 4>&- &
    for ((i = 0; i < 600; i++)); do [ "$(show ActiveState)" != active ] || break; sleep 0.1; done
    detached --systemd-cgroup create "$CID"
    have_status 1
    have "start unit $UNIT: systemd: "
    have "already"
    [ "$(show ActiveState)" = active ]
    run wherry state "$CID"
    have "does not exist"
    "${systemctl[@]}" stop "$UNIT"
}

@test "systemd: a property that systemd refuses is named with its place, and nothing is left" {
    config '.annotations = { "org.systemd.property.NoSuchThing": "true" }'
    detached --systemd-cgroup create "$CID"
    have_status 1
    have "/annotations/org.systemd.property.NoSuchThing: start unit $UNIT: systemd: "
    run wherry state "$CID"
    have "does not exist"
    gone
    config '.annotations = { "org.systemd.property.KillSignal": "TERM" }'
    detached --systemd-cgroup create "$CID"
    have_status 1
    have 'annotation org.systemd.property.KillSignal value "TERM": not a value'
    gone
}

# bats test_tags=root
@test "systemd: killed at any moment of create, delete -f stops the unit" {
    for moment in 0.1 0.25 0.4; do
        "$WHERRY" --root "$ROOT" --systemd-cgroup create "$CID" </dev/null >/dev/null 2>&1 3>&- 4>&- &
        sleep "$moment"
        kill -KILL $! 2>/dev/null || true
        wait $! 2>/dev/null || true
        wherry delete -f "$CID"
        gone
    done
    [ ! -e "$ROOT/$CID" ]
}

@test "systemd: without its bus a container is not made, and one that is there can be deleted" {
    detached --systemd-cgroup run -d "$CID"
    have_status 0
    cut_bus
    config '.linux.cgroupsPath = ":wh:'"$CID"'-2"'
    run "${cut[@]}" "$WHERRY" --root "$ROOT" --systemd-cgroup create -b "$BUNDLE" "$CID-2" 3>&- 4>&-
    have_status 1
    have "reach systemd at unix:path="
    run "${cut[@]}" "$WHERRY" --root "$ROOT" delete -f "$CID" 3>&- 4>&-
    have_status 0
    [ ! -e "$base/$slice/$UNIT" ]
    # systemd has seen that it is empty: who removes the cgroup before takes the news away.
    for ((i = 0; i < 100; i++)); do [ "$(show ActiveState)" = active ] || break; sleep 0.1; done
    [ "$(show ActiveState)" != active ]
    "${systemctl[@]}" reset-failed "$UNIT" 2>/dev/null || true
}

# bats test_tags=root
@test "systemd: the name of a slice is that slice" {
    # A user's process is put into scopes by systemd alone.
    UNIT=wh$$.slice
    config '.linux.cgroupsPath = "x:y:'"$UNIT"'"'
    detached --systemd-cgroup run -d "$CID"
    have_status 0
    [ "$(sed -n 's/^0:://p' "/proc/$(pid_of "$CID")/cgroup")" = "/$UNIT" ]
    wherry delete -f "$CID"
    [ ! -e "$base/$UNIT" ]
    [ "$(show ActiveState)" = inactive ]
}
