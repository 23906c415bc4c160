#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# views: cgroup2
# create, start, state, kill, delete, list: the table of states, and the texts that engines compare.
load helpers

sleeper() {
    command_is sleep 1000
    wherry create -b "$BUNDLE" "$CID" >/dev/null </dev/null
}

@test "create: the payload waits, with everything in place" {
    sleeper
    run wherry state "$CID"
    have_status 0
    [ "$(jq -r .status <<<"$output")" = created ]
    [ "$(jq -r .id <<<"$output")" = "$CID" ]
    [ "$(jq -r .bundle <<<"$output")" = "$BUNDLE" ]
    [ "$(jq -r .rootfs <<<"$output")" = "$BUNDLE/rootfs" ]
    [ "$(jq -r .ociVersion <<<"$output")" = 1.3.0 ]
    jq -er '.created | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]+Z$")' <<<"$output"
    pid=$(jq .pid <<<"$output")
    [ "$pid" -gt 1 ]
    # It is not the payload yet.
    [ "$(readlink "/proc/$pid/ns/pid_for_children")" != "$(readlink /proc/self/ns/pid_for_children)" ]
    run grep -c sleep "/proc/$pid/cmdline"
    [ "$output" = 0 ]
}

@test "create, start, kill, delete" {
    sleeper
    run wherry start "$CID"
    have_status 0
    [ -z "$output" ]
    run wherry state "$CID"
    [ "$(jq -r .status <<<"$output")" = running ]
    pid=$(jq .pid <<<"$output")
    run wherry start "$CID"
    have_status 1
    have "cannot start an already running container"
    run wherry delete "$CID"
    have_status 1
    have "cannot delete container $CID that is not stopped: running"
    run wherry kill "$CID" KILL
    have_status 0
    [ -z "$output" ]
    wait_status "$CID" stopped
    [ "$(pid_of "$CID")" = 0 ]
    run wherry kill "$CID" KILL
    have_status 1
    have "container not running"
    run wherry kill --all "$CID" 9
    have_status 0
    run wherry start "$CID"
    have_status 1
    have "cannot start a container that has stopped"
    run wherry delete "$CID"
    have_status 0
    [ -z "$output" ]
    [ ! -e "$ROOT/$CID" ]
    [ ! -e "/proc/$pid" ] || [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat")" = Z ]
}

@test "a container that does not exist" {
    for command in start state kill delete; do
        run wherry "$command" "$CID"
        have_status 1
        have "container does not exist"
    done
    run wherry delete --force "$CID"
    have_status 0
    [ -z "$output" ]
}

@test "an id is used once, and may be used again" {
    sleeper
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "container with given ID already exists"
    wherry delete -f "$CID"
    sleeper
    wherry delete -f "$CID"
}

@test "ids: what is no id" {
    for id in "" . .. a/b "a b" $'a\nb' "$(printf 'x%.0s' {1..300})"; do
        run wherry create -b "$BUNDLE" "$id"
        have_status 1
        run wherry state "$id"
        have_status 1
    done
    [ -z "$(ls "$ROOT" 2>/dev/null)" ]
}

@test "created: kill works, and delete -f ends it" {
    sleeper
    pid=$(pid_of "$CID")
    run wherry kill "$CID" 0
    have_status 0
    run wherry delete -f "$CID"
    have_status 0
    [ ! -d "/proc/$pid" ] || [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat")" = Z ]
}

@test "created: plain delete" {
    sleeper
    run wherry delete "$CID"
    have_status 0
    [ ! -e "$ROOT/$CID" ]
}

@test "plain delete from another pid namespace does not end what lives" {
    elsewhere() { run unshare -pm --propagation private --fork --mount-proc "$WHERRY" --root "$ROOT" "$@" 3>&- 4>&-; }
    command_is sleep 1000
    wherry run -d "$CID" </dev/null >/dev/null
    elsewhere delete "$CID"
    have_status 1
    have "cannot delete container $CID that is not stopped"
    have "another pid namespace"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
    elsewhere delete -f "$CID"
    have_status 0
    [ ! -e "$ROOT/$CID" ]
}

@test "without a pid namespace, delete -f where the cgroup cannot be seen forgets nobody" {
    config 'del(.linux.namespaces[] | select(.type == "pid")) | .mounts |= map(select(.destination != "/proc")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
    shell_is 'sleep 1000 & exec sleep 1001'
    wherry run -d "$CID" </dev/null >/dev/null
    run unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup && exec "$@"' sh "$WHERRY" --root "$ROOT" delete -f "$CID" 3>&- 4>&-
    have_status 1
    have "the processes of container $CID cannot be told"
    wherry delete -f "$CID"
    [ -z "$(left_processes)" ]
}

@test "kill: signals by name and number, in any case" {
    shell_is 'for s in HUP USR1 TERM 35; do trap "echo $s" $s; done; echo ready; while :; do sleep 0.05; done'
    wherry run -d -b "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null
    for _ in $(seq 100); do grep -q ready "$BATS_TEST_TMPDIR/out" && break; sleep 0.05; done
    for signal in HUP sigusr1 15 "" RTMIN+1; do
        # shellcheck disable=SC2086 # no word when it is empty
        run wherry kill "$CID" $signal
        have_status 0
        sleep 0.2
    done
    output=$(cat "$BATS_TEST_TMPDIR/out")
    have HUP
    have USR1
    [ "$(grep -c TERM <<<"$output")" = 2 ]
    have 35
    run wherry kill "$CID" FOO
    have_status 1
    have 'unknown signal "FOO"'
}

@test "kill: without a pid namespace SIGKILL reaches every process" {
    config '.linux.namespaces |= map(select(.type != "pid"))'
    shell_is 'sleep 1000 & sleep 1000 & echo ready; wait'
    wherry run -d -b "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null
    for _ in $(seq 100); do grep -q ready "$BATS_TEST_TMPDIR/out" && break; sleep 0.05; done
    [ "$(left_processes | wc -l)" -ge 3 ]
    run wherry kill "$CID" KILL
    have_status 0
    wait_status "$CID" stopped
    sleep 0.2
    [ -z "$(left_processes)" ]
}

@test "state: annotations, and pid 0 when stopped" {
    config '.annotations = { "a.b": "c", "quote\"": "\u00e9\n" }'
    wherry run --keep -b "$BUNDLE" "$CID"
    run wherry state "$CID"
    have_status 0
    [ "$(jq -r '.annotations["a.b"]' <<<"$output")" = c ]
    [ "$(jq -c '.annotations["quote\""]' <<<"$output")" = '"é\n"' ]
    [ "$(jq .pid <<<"$output")" = 0 ]
    [ "$(jq -r .status <<<"$output")" = stopped ]
}

@test "list: nothing, one, two; table, json, quiet" {
    run wherry list -f json
    have_status 1 # a root that was named and is not there
    mkdir -m 700 "$ROOT"
    run wherry list -f json
    have_status 0
    jq -e 'length == 0' <<<"$output"
    sleeper
    command_is true
    # A cgroup that has processes is never shared.
    config '.linux.cgroupsPath += "-b"'
    wherry run --keep -b "$BUNDLE" "$CID-b"
    run wherry list -q
    have_status 0
    [ "$(sort <<<"$output")" = "$CID
$CID-b" ]
    run wherry list --format=json
    have_status 0
    [ "${#lines[@]}" = 1 ]
    [ "$(jq -r 'map(.status) | sort | join(" ")' <<<"$output")" = "created stopped" ]
    [ "$(jq -r '.[0].owner' <<<"$output")" = "$(id -un)" ]
    run wherry list
    have_line '^ID +PID +STATUS +BUNDLE +CREATED +OWNER'
    have_line "^$CID +[0-9]+ +created +$BUNDLE +20"
    run wherry list -f yaml
    have_status 1
    have "invalid format option"
    wherry delete "$CID-b"
}

@test "pid file: the pid, no newline, and no file after a failure" {
    command_is sleep 1000
    wherry create -b "$BUNDLE" --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" >/dev/null </dev/null
    [ "$(wc -l <"$BATS_TEST_TMPDIR/pid")" = 0 ]
    [ "$(cat "$BATS_TEST_TMPDIR/pid")" = "$(pid_of "$CID")" ]
    wherry delete -f "$CID"
    command_is /nonexistent
    rm "$BATS_TEST_TMPDIR/pid"
    run wherry create -b "$BUNDLE" --pid-file "$BATS_TEST_TMPDIR/pid" "$CID"
    have_status 1
    [ ! -e "$BATS_TEST_TMPDIR/pid" ]
}

@test "config.json is read once" {
    command_is echo first
    wherry create -b "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/out" </dev/null
    command_is echo second
    wherry start "$CID"
    wait_status "$CID" stopped
    [ "$(cat "$BATS_TEST_TMPDIR/out")" = first ]
}

@test "create leaves no other process behind than the container's" {
    command_is sleep 1000
    # The caller waits for the end of this pipe: only the container may still hold it.
    run timeout 20 bash -c '"$WHERRY" --root "$1" create -b "$2" "$3" </dev/null >/dev/null 2>&1; "$WHERRY" --root "$1" state "$3"' sh "$ROOT" "$BUNDLE" "$CID"
    have_status 0
    [ "$(left_processes | wc -l)" = 1 ]
}

@test "init belongs to the nearest subreaper when create has ended" {
    sleeper
    pid=$(pid_of "$CID")
    parent=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f2)
    [ "$(readlink "/proc/$parent/exe")" != "$(readlink -f "$WHERRY")" ]
}

@test "a failed create leaves nothing" {
    config '.mounts += [ { destination: "/x", type: "no-such-filesystem", source: "x" } ]'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have no-such-filesystem
    have_line 'config.json:[0-9]+'
    have /mounts/
    [ ! -e "$ROOT/$CID" ]
    [ -z "$(left_processes)" ]
    [ -z "$(left_cgroups)" ]
}

@test "the state directory is for its owner" {
    umask 000
    sleeper
    [ "$(stat -c %a "$ROOT")" = 700 ]
    run find "$ROOT/$CID" -type f -perm /077
    [ -z "$output" ]
    run find "$ROOT/$CID" -type d -perm /066
    [ -z "$output" ]
}

@test "the plan that is kept has no environment in it" {
    config '.process.env += ["TOKEN=hush-hush"]'
    sleeper
    # The configuration itself is kept, for exec; of all else nothing.
    run grep -rl hush-hush "$ROOT"
    [ "$output" = "$ROOT/$CID/config.json" ]
    [ "$(stat -c %a "$output")" = 600 ]
    [ -s "$ROOT/$CID/steps.txt" ]
}

@test "a cgroup of its own, with its process in it" {
    sleeper
    pid=$(pid_of "$CID")
    grep -q "^0::.*$CID" "/proc/$pid/cgroup"
    wherry delete -f "$CID"
    [ -z "$(left_cgroups)" ]
}

@test "--cgroup-manager=disabled makes none" {
    command_is sleep 1000
    wherry --cgroup-manager=disabled create -b "$BUNDLE" "$CID" >/dev/null </dev/null
    [ -z "$(left_cgroups)" ]
    # Remembered, so that it is not needed again.
    wherry start "$CID"
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
}

@test "killed at some moment of create: delete -f clears up, and the id is free" {
    command_is sleep 1000
    for ms in 0 1 2 3 4 5 6 8 10 12 15 20; do
        "$WHERRY" --root "$ROOT" create -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1 3>&- 4>&- &
        pid=$!
        sleep "0.$(printf %03d "$ms")"
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        run wherry delete -f "$CID"
        have_status 0
        sleep 0.05
        [ -z "$(left_processes)" ] || { echo "after $ms ms: processes $(left_processes)"; return 1; }
        [ -z "$(left_cgroups)" ] || { echo "after $ms ms: cgroups $(left_cgroups)"; return 1; }
        [ ! -e "$ROOT/$CID" ]
    done
    sleeper
    wherry delete -f "$CID"
}

@test "a corrupt state file: delete -f clears up all the same" {
    sleeper
    pid=$(pid_of "$CID")
    echo '{ "pid": ' >"$ROOT/$CID/state.json"
    run wherry delete -f "$CID"
    have_status 0
    [ ! -e "$ROOT/$CID" ]
    sleep 0.2
    [ -z "$(left_processes)" ]
}
