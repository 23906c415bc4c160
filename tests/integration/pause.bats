#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# pause and resume, and what every other command says to a paused container. Twice: as the machine is, and where the unified hierarchy is all there is.
# views: cgroup2
# shellcheck disable=SC2154 # status and output are set by bats
load helpers
load inside

test_setup() {
    need root cgroup2
    TWO=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
    CG=$TWO/wherry-test/$CID
}

# A container that counts, in its own tmpfs, several times a second.
counting() {
    shell_is 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/n; sleep 0.02; done'
    config '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]'
    detached run -d "$CID"
    have_status 0
    for _ in $(seq 200); do [ -n "$(count)" ] && return 0; sleep 0.05; done
    return 1
}
count() { cat "/proc/$(pid_of "$CID")/root/tmp/n" 2>/dev/null; }

@test "a paused container stands still, and goes on when it is resumed" {
    counting
    run wherry pause "$CID"
    have_status 0
    [ "$output" = "" ]
    [ "$(wherry state "$CID" | jq -r .status)" = paused ]
    grep -qx 'frozen 1' "$CG/cgroup.events"
    local was
    was=$(count)
    sleep 0.3
    [ "$(count)" = "$was" ]
    run wherry resume "$CID"
    have_status 0
    [ "$output" = "" ]
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
    for _ in $(seq 100); do [ "$(count)" != "$was" ] && break; sleep 0.05; done
    [ "$(count)" != "$was" ]
}

@test "pause: what is not running" {
    counting
    run wherry resume "$CID"
    have_status 1
    have "container not paused"
    wherry pause "$CID"
    run wherry pause "$CID"
    have_status 1
    have "container not running"
    wherry delete -f "$CID"
    run wherry pause "$CID"
    have_status 1
    have "container does not exist"
    run wherry resume "$CID"
    have_status 1
    have "container does not exist"
    command_is true
    wherry run -d "$CID" >/dev/null
    wait_status "$CID" stopped
    run wherry pause "$CID"
    have_status 1
    have "container not running"
    run wherry resume "$CID"
    have_status 1
    have "container not paused"
}

@test "a created container can be paused, and starts when it is resumed" {
    shell_is 'echo begun; sleep 100'
    detached create "$CID"
    have_status 0
    wherry pause "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = paused ]
    run wherry start "$CID"
    have_status 1
    have "cannot start a container in the paused state"
    run wherry resume "$CID"
    have_status 0
    [ "$(wherry state "$CID" | jq -r .status)" = created ]
    wherry start "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

@test "exec in a paused container is refused; with --ignore-paused it runs when it is resumed" {
    counting
    wherry pause "$CID"
    run wherry exec "$CID" true
    have_status 255
    have "cannot exec in a paused container (use --ignore-paused to override)"
    "$WHERRY" --root "$ROOT" exec --ignore-paused "$CID" sh -c 'exit 9' 3>&- 4>&- </dev/null &
    local pid=$! rc=0
    sleep 0.3
    kill -0 "$pid"
    wherry resume "$CID"
    wait "$pid" || rc=$?
    [ "$rc" = 9 ]
}

@test "signals to a paused container: TERM waits, KILL thaws" {
    shell_is 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done'
    detached run -d "$CID"
    for _ in $(seq 100); do grep -q ready "$BATS_TEST_TMPDIR/detached" && break; sleep 0.05; done
    wherry pause "$CID"
    run wherry kill "$CID" TERM
    have_status 0
    sleep 0.2
    [ "$(wherry state "$CID" | jq -r .status)" = paused ]
    wherry resume "$CID"
    wait_status "$CID" stopped
    wherry delete "$CID"
    detached run -d "$CID"
    wherry pause "$CID"
    run timeout 20 "$WHERRY" --root "$ROOT" kill "$CID" KILL
    have_status 0
    wait_status "$CID" stopped
    run timeout 20 "$WHERRY" --root "$ROOT" delete "$CID"
    have_status 0
    [ ! -e "$CG" ]
}

@test "delete of a paused container is refused, delete -f is not" {
    counting
    wherry pause "$CID"
    run wherry delete "$CID"
    have_status 1
    have "cannot delete container $CID that is not stopped: paused"
    grep -qx 'frozen 1' "$CG/cgroup.events"
    run timeout 20 "$WHERRY" --root "$ROOT" delete -f "$CID"
    have_status 0
    [ ! -e "$CG" ]
    [ ! -e "$ROOT/$CID" ]
}

@test "processes in cgroups below are paused with the rest" {
    counting
    mkdir "$CG/deep" "$CG/deep/er"
    pid_of "$CID" >"$CG/deep/er/cgroup.procs"
    wherry pause "$CID"
    local was
    was=$(count)
    sleep 0.2
    [ "$(count)" = "$was" ]
    wherry resume "$CID"
    for _ in $(seq 100); do [ "$(count)" != "$was" ] && return 0; sleep 0.05; done
    return 1
}

@test "resume ends a pause that was interrupted before all stood still" {
    counting
    # As a pause leaves it that was killed between its two looks.
    wherry pause "$CID"
    mkdir "$CG/below"
    echo 1 >"$CG/cgroup.freeze"
    run wherry resume "$CID"
    have_status 0
    grep -qx 0 "$CG/cgroup.freeze"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

@test "resume says so when a cgroup above is what keeps it frozen" {
    counting
    config '.linux.cgroupsPath = "/wherry-test/'"$CID"'-up/x"'
    detached run -d "$CID-2"
    have_status 0
    echo 1 >"$CG-up/cgroup.freeze"
    wait_status "$CID-2" paused
    run wherry resume "$CID-2"
    echo 0 >"$CG-up/cgroup.freeze"
    have_status 1
    have "it stays frozen (a cgroup above it is)"
    wait_status "$CID-2" running
}

@test "without a cgroup there is nothing to freeze" {
    config 'del(.linux.cgroupsPath)'
    command_is sleep 100
    run to_file wherry --cgroup-manager disabled run -d "$CID"
    have_status 0
    run wherry pause "$CID"
    have_status 1
    have "cgroup not exist: the container was created without one"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

@test "kill -a: every process, in cgroups below and of exec too; a stopped container is no error" {
    shell_is 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
    detached run -d "$CID"
    for _ in $(seq 100); do grep -q ready "$BATS_TEST_TMPDIR/detached" && break; sleep 0.05; done
    wherry exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1000 </dev/null >/dev/null
    local other
    other=$(cat "$BATS_TEST_TMPDIR/pid")
    mkdir "$CG/sub"
    echo "$other" >"$CG/sub/cgroup.procs"
    # Of the first process alone: it ignores it, and nobody else hears of it.
    run wherry kill "$CID" TERM
    have_status 0
    sleep 0.2
    kill -0 "$other"
    run wherry kill -a "$CID" TERM
    have_status 0
    for _ in $(seq 100); do [ "$(sed 's/.*) //; s/ .*//' "/proc/$other/stat" 2>/dev/null)" != S ] && break; sleep 0.05; done
    [ -z "$(cat "$CG/sub/cgroup.procs")" ]
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
    wherry pause "$CID"
    run timeout 20 "$WHERRY" --root "$ROOT" kill -a "$CID" KILL
    have_status 0
    wait_status "$CID" stopped
    run wherry kill -a "$CID" KILL
    have_status 0
    run wherry kill "$CID" KILL
    have_status 1
    have "container not running"
}

@test "kill -a of a paused container does not let it go on" {
    counting
    local i
    wherry pause "$CID"
    # What is frozen leaves the freezer for a moment to take the signal: that is no other state.
    for ((i = 0; i < 20; i++)); do
        wherry kill -a "$CID" USR1
        [ "$(wherry state "$CID" | jq -r .status)" = paused ]
    done
}
