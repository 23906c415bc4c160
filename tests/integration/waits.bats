#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whatever does not answer, each command ends within its bound, says what it waited for, and ends at once when it is told to.
# shellcheck disable=SC2016 # programs of jq
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
    [ -x "$WHERRY" ] || return 0
    local program
    # The bounds of a copy are seconds. The proportions are those of host/waits.c. The program that is linked statically finds the other one beside it.
    for program in "$WHERRY" "$WHERRY-dynamic"; do
        [ ! -e "$program" ] || "$BATS_TEST_DIRNAME/../tools/shorter-waits" "$program" "$BATS_FILE_TMPDIR/$(basename "$program")" \
            killed=1500 still=2500 exec=3000 frozen=1500 file=1500 peer=1500 unit=2000 helper=1500 filter=1500 ||
                return 1
    done
}

test_setup() {
    need root
    PATIENT=$WHERRY
    WHERRY=$BATS_FILE_TMPDIR/wherry
    PIDS=()
}

test_teardown() {
    local pid
    for pid in "${PIDS[@]}"; do kill -CONT "$pid"; kill "$pid"; done 2>/dev/null
    for pid in "${PIDS[@]}"; do wait "$pid"; done 2>/dev/null
    return 0
}

mute() { # DIR [PID]
    [ -c /dev/fuse ] || skip "needs /dev/fuse"
    "$SRC/tests/tools/mute-fuse" "$@" >"$BATS_TEST_TMPDIR/mute" 3>&- 4>&- &
    PIDS+=($!)
    for _ in $(seq 100); do grep -q mute "$BATS_TEST_TMPDIR/mute" && return 0; sleep 0.05; done
    echo "no mute file system"
    return 1
}

up() { # a container whose payload sleeps
    command_is sleep 1000
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
}

# The command ends by itself with a failure, within SECONDS.
ends() { # SECONDS COMMAND…
    local began=$EPOCHREALTIME limit=$1
    shift
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" "$@" </dev/null 3>&- 4>&-
    echo "$* took $(bc <<<"$EPOCHREALTIME - $began") s: $output"
    [ "$status" -ne 124 ] && [ "$status" -ne 137 ] && [ "$(bc <<<"$EPOCHREALTIME - $began < $limit")" = 1 ]
}

# SIGTERM, and SIGINT, end the command while it waits.
told() { # COMMAND…
    local signal pid began
    for signal in TERM INT; do
        # A background process of a shell without job control ignores SIGINT.
        perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$PATIENT" --root "$ROOT" "$@" </dev/null >"$BATS_TEST_TMPDIR/told" 2>&1 3>&- 4>&- &
        pid=$!
        sleep 0.7
        kill -0 "$pid" || { echo "$* does not wait: $(cat "$BATS_TEST_TMPDIR/told")"; return 1; }
        began=$EPOCHREALTIME
        kill -s "$signal" "$pid"
        status=0
        wait "$pid" || status=$?
        echo "$signal: $* took $(bc <<<"$EPOCHREALTIME - $began") s: $status $(cat "$BATS_TEST_TMPDIR/told")"
        [ "$(bc <<<"$EPOCHREALTIME - $began < 5")" = 1 ] || return 1
    done
}

@test "a mute file system on /etc of the container: exec has an end, and so has every other command" {
    up
    mute /etc "$(pid_of "$CID")"
    ends 5 exec "$CID" true
    have_status 255
    have_line 'exec failed: the process has been waiting for a FUSE file system for 2 s, in step [0-9]+ \(HOME of uid 0 from /etc/passwd'
    # Nothing is looked up in /etc before the program itself is.
    ends 5 exec --env HOME=/ "$CID" /etc/program
    have_line 'exec failed: .*the process has been waiting for a FUSE file system for 2 s, in step [0-9]+ \(.*/etc/program'
    told exec "$CID" true
    have_status 255
    grep -q 'exec failed: canceled' "$BATS_TEST_TMPDIR/told"
    told exec -d "$CID" true
    for what in "state $CID" list "ps $CID" "events --stats $CID" "update --pids-limit 100 $CID" "pause $CID" "resume $CID" "kill $CID 0"; do
        # shellcheck disable=SC2086 # words
        ends 3 $what
        have_status 0
    done
    ends 3 delete -f "$CID"
    have_status 0
}

@test "a mute file system below the root file system: create and run have an end, and leave nothing" {
    local what
    mkdir rootfs/mnt
    mute "$BUNDLE/rootfs/mnt"
    config '.mounts += [{destination: "/mnt/below", type: "tmpfs", source: "tmpfs"}]'
    for what in create run 'run -d'; do
        # shellcheck disable=SC2086 # words
        ends 6 $what -b "$BUNDLE" "$CID"
        have_status 1
        have_line "${what%% *} failed: container init has been waiting for a FUSE file system for 2 s, in step [0-9]+ \(.*/mnt/below"
        [ ! -e "$ROOT/$CID" ]
        # shellcheck disable=SC2086 # words
        told $what -b "$BUNDLE" "$CID"
        grep -q "${what%% *} failed: .*canceled" "$BATS_TEST_TMPDIR/told"
        [ ! -e "$ROOT/$CID" ]
    done
    ends 3 check -b "$BUNDLE"
    ends 3 explain -b "$BUNDLE"
    have_status 0
    umount -l "$BUNDLE/rootfs/mnt"
}

@test "a pid 1 that is stopped: start says so, and kill and delete end it" {
    command_is sleep 1000
    wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
    kill -STOP "$(pid_of "$CID")"
    told start "$CID"
    ends 5 exec "$CID" true
    ends 3 state "$CID"
    ends 5 start "$CID"
    have_status 1
    have "wherry: container init has not accepted for 1 s: it is stopped by a signal (SIGCONT lets it go on)"
    ends 3 delete -f "$CID"
    have_status 0

    wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
    kill -STOP "$(pid_of "$CID")"
    ends 5 start "$CID"
    have_status 1
    have "wherry: container init has been stopped by a signal (SIGCONT lets it go on) for 2 s, in step"
    wait_status "$CID" stopped
    ends 3 delete "$CID"
    have_status 0

    up
    kill -STOP "$(pid_of "$CID")"
    for what in "exec $CID true" "state $CID" "ps $CID" list "pause $CID" "resume $CID" "update --pids-limit 100 $CID" "events --stats $CID"; do
        # shellcheck disable=SC2086 # words
        ends 3 $what
        have_status 0
    done
    ends 3 delete -f "$CID"
    have_status 0
}

deaf() { # [--full | --accept] NAME
    local socket=$BATS_TEST_TMPDIR/${*: -1}
    "$SRC/tests/tools/deaf" "${@:1:$#-1}" "$socket" >"$socket.said" 3>&- 4>&- &
    PIDS+=($!)
    for _ in $(seq 100); do grep -q deaf "$socket.said" && return 0; sleep 0.05; done
    echo "no socket"
    return 1
}

@test "sockets whose backlog is full: the console's, the pidfd's, the seccomp agent's" {
    deaf --full full
    local full=$BATS_TEST_TMPDIR/full what
    config '.process.terminal = true'
    for what in create 'run -d'; do
        # shellcheck disable=SC2086 # words
        ends 4 $what -b "$BUNDLE" --console-socket "$full" "$CID"
        have_status 1
        have "${what%% *} failed: connect to console socket $full: nobody has accepted for 1 s: connection timed out"
        # shellcheck disable=SC2086 # words
        told $what -b "$BUNDLE" --console-socket "$full" "$CID"
        grep -q canceled "$BATS_TEST_TMPDIR/told"
    done
    config '.process.terminal = false'
    for what in create run; do
        ends 4 "$what" -b "$BUNDLE" --pidfd-socket "$full" "$CID"
        have "$what failed: connect to pidfd socket $full: nobody has accepted for 1 s"
        told "$what" -b "$BUNDLE" --pidfd-socket "$full" "$CID"
        [ ! -e "$ROOT/$CID" ]
    done
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: $p, syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}' --arg p "$full"
    ends 4 run -b "$BUNDLE" "$CID"
    have "/linux/seccomp/listenerPath: connect to seccomp listener $full: nobody has accepted for 1 s"
    told run -b "$BUNDLE" "$CID"
    wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
    told start "$CID"
    ends 4 start "$CID"
    have ": /linux/seccomp/listenerPath: connect to seccomp listener $full: nobody has accepted for 1 s"
    # Nothing has happened to it: it can be started when there is an agent.
    wait_status "$CID" created
    ends 3 delete -f "$CID"
    have_status 0

    config 'del(.linux.seccomp)'
    up
    for what in '-t --console-socket' --pidfd-socket; do
        # shellcheck disable=SC2086 # words
        ends 4 exec -d $what "$full" "$CID" true
        have_status 255
        have "$full: nobody has accepted for 1 s: connection timed out"
        # shellcheck disable=SC2086 # words
        told exec -d $what "$full" "$CID" true
        grep -q canceled "$BATS_TEST_TMPDIR/told"
    done
}

@test "a seccomp agent that accepts, and one that does not, and neither answers" {
    local how what
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: $p, syscalls: [{names: ["execve"], action: "SCMP_ACT_NOTIFY"}]}' \
        --arg p "$BATS_TEST_TMPDIR/agent"
    for how in --accept --; do
        rm -f "$BATS_TEST_TMPDIR/agent"
        deaf "$how" agent
        ends 5 run -b "$BUNDLE" "$CID"
        have_status 1
        have_line 'run failed: .*container init has been waiting for a seccomp agent for 2 s, in step [0-9]+ \(exec'
        told run -b "$BUNDLE" "$CID"
        wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
        ends 5 start "$CID"
        have_line 'wherry: .*container init has been waiting for a seccomp agent for 2 s, in step [0-9]+$'
        wait_status "$CID" stopped
        ends 3 delete "$CID"
        have_status 0
    done
}

@test "seccomp rules that libseccomp does not finish compiling" {
    local what pid
    up
    tail -c +9 "$SRC/tests/fuzz/corpus/seccomp/endless" >rules
    config '.linux.cgroupsPath += "-2" | .linux.seccomp = $rules[0]' --slurpfile rules rules
    for what in "create -b $BUNDLE $CID-2" "run -b $BUNDLE $CID-2" "run -d -b $BUNDLE $CID-2" "check -b $BUNDLE" \
        "explain -b $BUNDLE"; do
        # shellcheck disable=SC2086 # words
        ends 5 $what
        [ "$status" -ne 0 ]
        [[ $output == *"libseccomp has not compiled"* ]] || skip "this libseccomp finishes them"
        have "/linux/seccomp/syscalls/2"
        have "libseccomp has not compiled the rule for openat within 1 s: its conditions overlap those of /linux/seccomp/syscalls/0, and some such"
        [ ! -e "$ROOT/$CID-2" ]
        # shellcheck disable=SC2086 # words
        told $what
        run ! pgrep -f -- "$PATIENT --root $ROOT"
    done
    # The configuration that was kept, which may be from a wherry with another libseccomp.
    jq --slurpfile rules rules '.linux.seccomp = $rules[0]' "$ROOT/$CID/config.json" >kept.json
    cp kept.json "$ROOT/$CID/config.json"
    ends 5 exec "$CID" true
    have_status 255
    have "exec failed: config.json"
    have "/linux/seccomp/syscalls/2: libseccomp has not compiled the rule for openat within 1 s"
    told exec "$CID" true
    grep -q 'exec failed: .*canceled' "$BATS_TEST_TMPDIR/told"
    for what in "state $CID" "ps $CID" "events --stats $CID" "update --pids-limit 100 $CID" "pause $CID" "resume $CID" \
        "kill $CID 0" list; do
        # shellcheck disable=SC2086 # words
        ends 2 $what
        have_status 0
    done
    # Someone ends the process that compiles.
    "$PATIENT" --root "$ROOT" run -b "$BUNDLE" "$CID-2" </dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
    # The one that has been there for a while: others only open a file.
    for _ in $(seq 100); do
        pid=$(pgrep -P $!) && sleep 1 && [ "$(pgrep -P $!)" = "$pid" ] && break
        sleep 0.05
    done
    kill -KILL "$pid"
    run ! wait $!
    grep -q "run failed: compile the seccomp filter: the process that does it ended without a result" \
        "$BATS_TEST_TMPDIR/said"
    ends 3 delete -f "$CID"
    have_status 0
}

@test "what is no regular file is refused at once: each kind, for each option that names a file" {
    local kind command
    up
    mkfifo fifo
    mkdir directory
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    local -A says=([fifo]="is not a regular file but a FIFO" [directory]="is a directory" [socket]="is not a regular file but a socket, or a device"
        [/dev/zero]="is not a regular file but a device" [/dev/ptmx]="is not a regular file but a device")
    for kind in "${!says[@]}"; do
        for command in "create -b . -f $kind $CID-2" "run -b . --config $kind $CID-2" "run -d -b . -f $kind $CID-2" "check -b . -f $kind" \
            "explain -b . -f $kind" "exec -p $kind $CID" "exec -d --process $kind $CID" "update -r $kind $CID" "update --resources $kind $CID"; do
            # shellcheck disable=SC2086 # words
            ends 1 $command
            [ "$status" -ne 0 ]
            have "$kind"
            have "${says[$kind]}"
        done
        # As config.json of the bundle, and of the container, which its owner could have replaced.
        if [ -e "$BUNDLE/$kind" ]; then
            mkdir "$BATS_TEST_TMPDIR/b"
            cp -a "$kind" "$BATS_TEST_TMPDIR/b/config.json"
            for command in create run check explain; do
                # shellcheck disable=SC2046 # none, or an id
                ends 1 "$command" -b "$BATS_TEST_TMPDIR/b" $([ "$command" = check ] || [ "$command" = explain ] || echo "$CID-2")
                [ "$status" -ne 0 ]
                have "${says[$kind]}"
            done
            rm -rf "$BATS_TEST_TMPDIR/b"
            mv "$ROOT/$CID/config.json" "$ROOT/$CID/kept"
            cp -a "$kind" "$ROOT/$CID/config.json"
            ends 1 exec "$CID" true
            have_status 255
            have "${says[$kind]}"
            rm -rf "$ROOT/$CID/config.json"
            mv "$ROOT/$CID/kept" "$ROOT/$CID/config.json"
        fi
    done
    # A file that is written, not read: a pid file takes the place of what has its name, a log is not opened where nobody reads.
    ends 2 exec -d --pid-file fifo "$CID" true
    have_status 0
    grep -qx '[0-9]*' fifo
    ends 1 exec -d --pid-file directory "$CID" true
    have_status 255
    have "write pid file directory: is a directory"
    mkfifo fifo2
    ends 1 --log fifo2 state "$CID"
    have "open log file fifo2: no such device or address"
}

@test "a pipe of the shell is read to its end, and one that nobody writes is not waited for for ever" {
    up
    jq '.process | .args = ["true"]' config.json >process.json
    run wherry exec -p <(cat process.json) "$CID"
    have_status 0
    run bash -c 'echo "{\"pids\": {\"limit\": 77}}" | "$@"' - "$WHERRY" --root "$ROOT" update -r - "$CID"
    have_status 0
    run wherry update -r <(echo '{"pids": {"limit": 78}}') "$CID"
    have_status 0
    exec 9<> <(:)
    run timeout 10 "$WHERRY" --root "$ROOT" exec -p /dev/fd/9 "$CID" 3>&- 4>&-
    have_status 255
    have "read /dev/fd/9: nobody has written for 1 s"
    told exec -p /dev/fd/9 "$CID"
    grep -q canceled "$BATS_TEST_TMPDIR/told"
    exec 9<&-
}

@test "bundle, config.json, rootfs, sockets and sources of mounts on a mute file system" {
    local m=$BATS_TEST_TMPDIR/m what
    mkdir "$m"
    mute "$m"
    for what in create run; do
        ends 3 "$what" -b "$m/b" "$CID"
        have "$what failed: open bundle $m/b: its file system has not answered for 1 s"
    done
    ends 3 run -b "$BUNDLE" -f "$m/c" "$CID"
    have "open $m/c: its file system has not answered for 1 s"
    told run -b "$m/b" "$CID"
    grep -q canceled "$BATS_TEST_TMPDIR/told"
    for what in check explain; do
        ends 3 "$what" -b "$m/b"
        have "open bundle $m/b: its file system has not answered for 1 s"
    done
    told explain -b "$m/b"
    cp config.json kept.json
    config '.root.path = $p' --arg p "$m/r"
    ends 3 run -b "$BUNDLE" "$CID"
    have "open rootfs $m/r: its file system has not answered for 1 s"
    told create -b "$BUNDLE" "$CID"
    cp kept.json config.json
    config '.process.terminal = true'
    ends 3 create -b "$BUNDLE" --console-socket "$m/s" "$CID"
    have "connect to console socket $m/s: connection timed out"
    cp kept.json config.json
    config '.linux.namespaces |= map(if .type == "network" then .path = $p else . end)' --arg p "$m/n"
    ends 3 create -b "$BUNDLE" "$CID"
    have "open namespace $m/n: connection timed out"
    cp kept.json config.json
    config '.mounts += [{destination: "/tmp", type: "bind", source: $p, options: ["bind"]}]' --arg p "$m/x"
    ends 5 create -b "$BUNDLE" "$CID"
    have_line 'create failed: .*(container init has been waiting for a FUSE file system for 2 s, in step|its file system has not answered|connection timed out)'
    told create -b "$BUNDLE" "$CID"
    cp kept.json config.json
    config '.hooks.createRuntime = [{path: $p}]' --arg p "$m/h"
    ends 4 create -b "$BUNDLE" "$CID"
    have_line "error running createRuntime hook #0: $m/h was not executed within 1 s: it is waiting for a FUSE file system"
    told create -b "$BUNDLE" "$CID"
    grep -q canceled "$BATS_TEST_TMPDIR/told"
    # No process that waits there is left.
    run ! pgrep -f "$m/"
    umount -l "$m"
    [ ! -e "$ROOT/$CID" ]
}

@test "a pid file, a log, and the programs of PATH on a mute file system; standard error that nobody reads" {
    local m=$BATS_TEST_TMPDIR/m what signal pid began
    up
    config '.linux.cgroupsPath += "-2"'
    mkdir "$m"
    mute "$m"
    for what in create run 'run -d'; do
        # shellcheck disable=SC2086 # words
        ends 4 $what -b "$BUNDLE" --pid-file "$m/pid" "$CID-2"
        have_status 1
        have "${what%% *} failed: write pid file $m/pid: its file system has not answered for 1 s"
        [ ! -e "$ROOT/$CID-2" ]
    done
    told run -d -b "$BUNDLE" --pid-file "$m/pid" "$CID-2"
    grep -q 'run failed: canceled' "$BATS_TEST_TMPDIR/told"
    [ ! -e "$ROOT/$CID-2" ]
    ends 4 exec -d --pid-file "$m/pid" "$CID" sleep 100
    have_status 255
    have "exec failed: write pid file $m/pid: its file system has not answered for 1 s"
    told exec -d --pid-file "$m/pid" "$CID" sleep 100
    grep -q 'exec failed: canceled' "$BATS_TEST_TMPDIR/told"
    # Of those nothing runs.
    [ "$(wherry ps --format json "$CID" | jq length)" = 1 ]
    run timeout 10 env PATH="$m:$PATH" "$WHERRY" --root "$ROOT" ps "$CID" 3>&- 4>&-
    have_status 1
    have 'look for ps in $PATH: connection timed out'
    for what in "state $CID" "exec $CID true" "run -b $BUNDLE $CID-2"; do
        # shellcheck disable=SC2086 # words
        told --log "$m/log" $what
    done
    [ ! -e "$ROOT/$CID-2" ]
    # A pipe that is full.
    mkfifo full
    exec 9<>full
    perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK); 1 while syswrite STDOUT, "x" x 4096; 1 while syswrite STDOUT, "x"; fcntl(STDOUT, F_SETFL, 0)' >&9
    for what in "state nosuch" "exec nosuch true" "run -b nosuch $CID-2" "create -b nosuch $CID-2"; do
        for signal in TERM INT; do
            # shellcheck disable=SC2086 # words
            perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$PATIENT" --root "$ROOT" $what </dev/null >/dev/null 2>&9 3>&- 4>&- 9>&- &
            pid=$!
            sleep 0.4
            kill -0 "$pid"
            began=$EPOCHREALTIME
            kill -s "$signal" "$pid"
            timeout 6 tail --pid="$pid" -f /dev/null || { kill -KILL "$pid"; echo "$what does not end on $signal"; return 1; }
            [ "$(bc <<<"$EPOCHREALTIME - $began < 5")" = 1 ]
            wait "$pid" || :
        done
    done
    exec 9>&-
    umount -l "$m"
    ends 3 delete -f "$CID"
    have_status 0
}

freezer() { # a v1 cgroup, which holds even what is killed
    FREEZER=/sys/fs/cgroup/freezer/$CID-test
    [ -e /sys/fs/cgroup/freezer/cgroup.procs ] || skip "needs a v1 freezer"
    mkdir "$FREEZER"
}

@test "a hook that SIGKILL does not end: which process is left is said" {
    local pid began
    freezer
    printf '#!/bin/sh\necho $$ >%s/cgroup.procs\nexec sleep 1000\n' "$FREEZER" >hook
    chmod 755 hook
    config '.hooks.createRuntime = [{path: $p, timeout: $t}]' --arg p "$BUNDLE/hook" --argjson t 1
    "$WHERRY" --root "$ROOT" create -b "$BUNDLE" "$CID" </dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
    for _ in $(seq 100); do pid=$(cat "$FREEZER/cgroup.procs"); [ -n "$pid" ] && break; sleep 0.01; done
    echo FROZEN >"$FREEZER/freezer.state"
    began=$EPOCHREALTIME
    status=0
    wait $! || status=$?
    echo THAWED >"$FREEZER/freezer.state"
    [ "$status" = 1 ]
    [ "$(bc <<<"$EPOCHREALTIME - $began < 5")" = 1 ]
    cat "$BATS_TEST_TMPDIR/said"
    grep -q "hook ran past specified timeout of 1.0s.*; process $pid was killed, but has not ended within 1 s: it is .*, and is left$" \
        "$BATS_TEST_TMPDIR/said"
    sleep 0.2
    rmdir "$FREEZER"
}

@test "init and a hook that SIGKILL does not end: a cancelled create has one bound for all, and the state stays for delete" {
    local began
    freezer
    printf '#!/bin/sh\npid=$(jq .pid)\necho $pid >%s/cgroup.procs\necho $$ >%s/cgroup.procs\necho FROZEN >%s/freezer.state\n' \
        "$FREEZER" "$FREEZER" "$FREEZER" >hook
    chmod 755 hook
    config '.hooks.createRuntime = [{path: $p}]' --arg p "$BUNDLE/hook"
    "$WHERRY" --root "$ROOT" create -b "$BUNDLE" "$CID" </dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
    for _ in $(seq 100); do grep -q FROZEN "$FREEZER/freezer.state" && break; sleep 0.02; done
    began=$EPOCHREALTIME
    kill $!
    status=0
    wait $! || status=$?
    echo "took $(bc <<<"$EPOCHREALTIME - $began") s: $(cat "$BATS_TEST_TMPDIR/said")"
    # killed=1500, once
    [ "$(bc <<<"$EPOCHREALTIME - $began < 2.5")" = 1 ]
    [ "$status" = 1 ]
    grep -qE "create failed: .*canceled.*; process [0-9]+ was killed, but has not ended within 1 s: it is .*, and is left" "$BATS_TEST_TMPDIR/said"
    [ -e "$ROOT/$CID" ]
    began=$EPOCHREALTIME
    ends 15 delete -f "$CID"
    [ "$status" -ne 0 ]
    have "container init still running"
    echo THAWED >"$FREEZER/freezer.state"
    sleep 0.2
    rmdir "$FREEZER"
    ends 3 delete -f "$CID"
    have_status 0
}

@test "a process of exec that SIGKILL does not end: which one is said, and that its cgroup has it" {
    local pid child
    freezer
    up
    mute /etc "$(pid_of "$CID")"
    "$WHERRY" --root "$ROOT" exec "$CID" true </dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
    child=$!
    sleep 0.7
    pid=$(pgrep -P "$child" | tail -n 1)
    echo "$pid" >"$FREEZER/cgroup.procs"
    echo FROZEN >"$FREEZER/freezer.state"
    status=0
    wait "$child" || status=$?
    echo THAWED >"$FREEZER/freezer.state"
    cat "$BATS_TEST_TMPDIR/said"
    [ "$status" = 255 ]
    grep -qE "; process $pid was killed, but has not ended within 1 s: it is .*, and is left to its cgroup\$" "$BATS_TEST_TMPDIR/said"
    sleep 0.2
    rmdir "$FREEZER"
    ends 3 delete -f "$CID"
    have_status 0
}

@test "newuidmap that does not end" {
    need userns
    local bin=$BATS_TEST_TMPDIR/bin home=$BATS_TEST_TMPDIR/home
    mkdir "$bin" "$home"
    # A script would not do: it is executed by fd. This one writes to /dev/null for ever.
    cp "$(command -v yes)" "$bin/newuidmap"
    cp "$(command -v yes)" "$bin/newgidmap"
    chmod 755 "$bin"/* "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR"
    jq -f "$CONFIGS/base.jq" --arg id "$CID" --argjson args '["true"]' "$CONFIGS/runc-1.1-spec.json" |
        jq 'del(.linux.resources, .linux.cgroupsPath, .hostname) | .linux.namespaces = [{type: "user"}, {type: "mount"}, {type: "pid"}] | .mounts = [] |
            .linux.uidMappings = [{containerID: 0, hostID: 1000, size: 1}, {containerID: 1, hostID: 100000, size: 10}] |
            .linux.gidMappings = .linux.uidMappings' >config.json
    chown -R 1000:1000 "$BUNDLE" "$home"
    cat >"$home/run" <<END
#!/bin/bash
cd "$BUNDLE" && PATH="$bin:\$PATH" exec "\$0.program" --root "$home/state" run -b . "$CID"
END
    chmod 755 "$home/run"
    cp "$WHERRY" "$home/run.program"
    chmod 755 "$home/run.program"
    local began=$EPOCHREALTIME
    run timeout 20 setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all "$home/run" </dev/null 3>&- 4>&-
    have_status 1
    have_line 'run failed: .*newuidmap \(process [0-9]+\) did not end within 1 s'
    [ "$(bc <<<"$EPOCHREALTIME - $began < 5")" = 1 ]
    run ! pgrep -u 1000 -f "$bin/newuidmap|^newuidmap"
    # And when it is told to.
    cp "$PATIENT" "$home/run.program"
    setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all "$home/run" </dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
    local pid=$!
    sleep 0.7
    began=$EPOCHREALTIME
    kill "$pid"
    status=0
    wait "$pid" || status=$?
    [ "$status" -ne 0 ]
    [ "$(bc <<<"$EPOCHREALTIME - $began < 5")" = 1 ]
    grep -q 'run failed: .*canceled' "$BATS_TEST_TMPDIR/said"
    run ! pgrep -u 1000 -f "$bin/newuidmap|^newuidmap"
}

# A mount namespace in which this host is run by systemd, whose bus is what the command makes of /run/dbus/system_bus_socket.
systemd_view() { # COMMAND…
    local view=$BATS_TEST_TMPDIR/view
    cat >"$BATS_TEST_TMPDIR/in-view" <<END
#!/bin/sh
exec nsenter -t \$(cat "$view") -m "\$@"
END
    chmod 755 "$BATS_TEST_TMPDIR/in-view"
    unshare -m --propagation private bash -c '
        umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup &&
        mount -t tmpfs none /run && mkdir -p /run/dbus /run/systemd/system && echo $$ >"$0.new" && mv "$0.new" "$0" && exec "$@"' \
        "$view" "$@" >"$view.said" 2>&1 3>&- 4>&- &
    PIDS+=($!)
    for _ in $(seq 100); do
        [ -e "$view" ] && nsenter -t "$(cat "$view")" -m test -S /run/dbus/system_bus_socket && break
        sleep 0.05
    done
    for what in WHERRY PATIENT; do
        printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$BATS_TEST_TMPDIR/in-view" "${!what}" >"$BATS_TEST_TMPDIR/$what"
        chmod 755 "$BATS_TEST_TMPDIR/$what"
        printf -v "$what" %s "$BATS_TEST_TMPDIR/$what"
    done
}

has_systemd() {
    [[ $("$WHERRY" --version) == *+SYSTEMD* ]] || skip "this build has no systemd cgroup manager"
    ldconfig -p | grep -q libsystemd.so.0 || skip "needs libsystemd"
}

@test "a bus of systemd that accepts and says nothing: create, run, update and delete" {
    local what
    has_systemd
    systemd_view "$SRC/tests/tools/deaf" --accept /run/dbus/system_bus_socket
    config '.linux.cgroupsPath = "system.slice:wherry:" + $id' --arg id "$CID"
    for what in create run 'run -d'; do
        # shellcheck disable=SC2086 # words
        ends 5 --systemd-cgroup $what -b "$BUNDLE" "$CID"
        have_status 1
        have "${what%% *} failed: reach systemd at unix:path=/run/dbus/system_bus_socket: connection timed out"
        # shellcheck disable=SC2086 # words
        told --systemd-cgroup $what -b "$BUNDLE" "$CID"
        grep -q "${what%% *} failed: .*canceled" "$BATS_TEST_TMPDIR/told"
        [ ! -e "$ROOT/$CID" ]
    done
    # As one that was created while the bus answered.
    config '.linux.cgroupsPath = "/" + $id | .process.args = ["sleep", "1000"]' --arg id "$CID"
    "$WHERRY" --root "$ROOT" run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1 3>&- 4>&-
    jq --arg unit "wherry-$CID.scope" '.cgroup += "unit system \($unit)\n"' "$ROOT/$CID/state.json" >state.json
    cp state.json "$ROOT/$CID/state.json"
    # Elsewhere a v1 hierarchy has it, which is not systemd's.
    if in_cgroup2_view grep -qw pids /sys/fs/cgroup/cgroup.controllers; then
        ends 4 update --pids-limit 100 "$CID"
        have_status 1
        have "reach systemd at unix:path=/run/dbus/system_bus_socket: connection timed out"
        told update --pids-limit 100 "$CID"
    fi
    for what in "state $CID" "ps $CID" "pause $CID" "resume $CID"; do
        # shellcheck disable=SC2086 # words
        ends 2 $what
        have_status 0
    done
    # systemd may have the unit still: it is said, and the state stays.
    ends 4 delete -f "$CID"
    have_status 1
    have "reach systemd at unix:path=/run/dbus/system_bus_socket: connection timed out"
    told delete -f "$CID"
    [ -e "$ROOT/$CID" ]
    jq '.cgroup |= sub("unit.*\n"; "")' state.json >"$ROOT/$CID/state.json"
    ends 2 delete -f "$CID"
    have_status 0
}

@test "a bus without a systemd: what it answers is said" {
    has_systemd
    [ -x "$(command -v dbus-daemon)" ] || skip "needs dbus-daemon"
    cat >"$BATS_TEST_TMPDIR/bus.conf" <<END
<busconfig><type>session</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>
END
    systemd_view dbus-daemon --nofork --config-file="$BATS_TEST_TMPDIR/bus.conf"
    config '.linux.cgroupsPath = "system.slice:wherry:" + $id' --arg id "$CID"
    ends 3 --systemd-cgroup create -b "$BUNDLE" "$CID"
    have_status 1
    have_line "create failed: start unit wherry-$CID.scope: systemd: .* \(org.freedesktop.DBus.Error.ServiceUnknown\)"
    [ ! -e "$ROOT/$CID" ]
}

@test "the bounds are those of the table: as many names in it as fields, and all are used" {
    local name
    while read -r name; do
        grep -rqE "wh_waits\.$name\b" "$SRC/src/libwherry" || { echo "nobody uses $name"; return 1; }
        grep -qE "^    \.$name = [0-9]+," "$SRC/src/libwherry/host/waits.c" || { echo "$name has no value"; return 1; }
    done < <(sed -n '/^struct wh_waits {/,/^}/s/^    int \([a-z]*\);.*/\1/p' "$SRC/src/libwherry/host/waits.h")
    run "$SRC/tests/tools/shorter-waits" "$PATIENT" "$BATS_TEST_TMPDIR/copy" nosuch=1
    [ "$status" -ne 0 ]
}

@test "a state directory whose lock another process holds: only delete waits for it, and says so" {
    up
    exec 9<"$ROOT/$CID"
    flock 9
    for what in "state $CID" list "ps $CID" "events --stats $CID" "update --pids-limit 100 $CID" "pause $CID" \
        "resume $CID" "exec $CID true" \
        "kill $CID KILL"; do
        # shellcheck disable=SC2086 # words
        ends 3 $what
        have_status 0
    done
    ends 3 delete "$CID"
    have_status 1
    have "cannot delete container $CID: another command holds the lock of its state directory"
    ends 14 delete -f "$CID"
    have_status 1
    have "cannot delete container $CID: another command has held the lock of its state directory for 10 s"
    exec 9<&-
    ends 3 delete -f "$CID"
    have_status 0
}
