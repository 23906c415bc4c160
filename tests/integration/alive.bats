#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# views: cgroup2
# A process whose first thread has called pthread_exit(3) is a zombie in /proc, and lives: any payload can do that, without privileges.
load helpers

setup_file() { compile_static headless; }

test_setup() {
    need root
    cp "$BATS_FILE_TMPDIR/headless" rootfs/bin/headless
    chmod 755 rootfs/bin/headless
    config '.process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {} | .process.noNewPrivileges = true'
    command_is /bin/headless
}

without_pidns() { config '.linux.namespaces |= map(select(.type != "pid"))'; }

started() { # [how]
    [ $# = 0 ] || command_is /bin/headless "$1"
    wherry run -d -b "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/out" </dev/null
    for _ in $(seq 400); do grep -q ready "$BATS_TEST_TMPDIR/out" && break; sleep 0.05; done
    grep -q ready "$BATS_TEST_TMPDIR/out"
    PID=$(pid_of "$CID")
    for _ in $(seq 200); do [ -n "$(headless_pid)" ] && break; sleep 0.05; done
    HEADLESS=$(headless_pid)
    [ -n "$HEADLESS" ]
}

# A process of the container whose first thread is a zombie, while others run.
headless_pid() {
    local pid
    for pid in $(wherry ps --format json "$CID" | jq -r '.[]'); do
        case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) in
        Z*) [ "$(threads_of "$pid")" = 4 ] && echo "$pid" ;;
        esac
    done
}

# The kernel is done with it: no thread is left.
gone() { # PID
    local i
    for ((i = 0; i < 200; i++)); do
        [ "$(threads_of "$1")" -le 1 ] && return 0
        sleep 0.05
    done
    echo "process $1 has $(threads_of "$1") threads"
    return 1
}

every_command() {
    started
    [ "$HEADLESS" = "$PID" ]
    [ "$(wherry state "$CID" | jq -r '"\(.status) \(.pid)"')" = "running $PID" ]
    wherry list --format json | jq -e --arg id "$CID" --argjson pid "$PID" '.[] | select(.id == $id) | .status == "running" and .pid == $pid'
    [ "$(wherry ps --format json "$CID")" = "[$PID]" ]
    run wherry start "$CID"
    have_status 1
    have "cannot start an already running container"
    run wherry delete "$CID"
    have_status 1
    have "cannot delete container $CID that is not stopped: running"
    run wherry events --stats "$CID"
    have_status 0
    have '"type":"stats"'
    wherry pause "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = paused ]
    wherry resume "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
    wherry update --cpu-idle 0 "$CID"
    wherry kill "$CID" USR1
    for _ in $(seq 100); do grep -q usr1 "$BATS_TEST_TMPDIR/out" && break; sleep 0.05; done
    grep -q usr1 "$BATS_TEST_TMPDIR/out"
    run wherry exec "$CID" /bin/true
    have_status 255
    have "cannot exec in container $CID: the first thread of its init has ended"
    # What is said is what is: it lives.
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

no_trace() {
    gone "$HEADLESS"
    [ ! -e "$ROOT/$CID" ]
    [ -z "$(left_cgroups)" ]
}

# bats test_tags=vm
@test "pid 1: every command says that it runs; kill ends it" {
    every_command
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    gone "$HEADLESS"
    wherry delete "$CID"
    no_trace
}

# bats test_tags=vm
@test "without a pid namespace: every command says that it runs; kill ends it" {
    without_pidns
    every_command
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    gone "$HEADLESS"
    wherry delete "$CID"
    no_trace
}

@test "events: the exit comes when the last thread has ended" {
    started
    wherry events --no-stats "$CID" >"$BATS_TEST_TMPDIR/events" &
    events=$!
    sleep 0.5
    [ ! -s "$BATS_TEST_TMPDIR/events" ]
    wherry kill "$CID" KILL
    wait "$events"
    jq -e 'select(.type == "exit") | .data.signal == 9 or .data.signal == "KILL" or .data.signal == "SIGKILL"' "$BATS_TEST_TMPDIR/events"
}

# bats test_tags=vm
@test "kill --all and delete -f reach pid 1, and one beside pid 1, with and without a pid namespace" {
    for ns in with without; do
        [ "$ns" = with ] || without_pidns
        for how in alone child; do
            for end in "kill --all $CID KILL" "delete -f $CID"; do
                started "$how"
                # shellcheck disable=SC2086
                run wherry $end
                have_status 0 || { echo "$end, $how, $ns"; return 1; }
                gone "$HEADLESS" || { echo "$end, $how, $ns"; return 1; }
                wherry delete -f "$CID"
                no_trace
            done
        done
    done
}

pause_it() { wherry pause "$CID"; }
stop_it() { kill -STOP "$HEADLESS"; }
freeze_below() {
    local dir
    for dir in /sys/fs/cgroup/unified /sys/fs/cgroup; do [ ! -f "$dir/cgroup.procs" ] || [ ! -f "$dir/cgroup.controllers" ] || break; done
    dir=$dir$(sed -n 's/^0:://p' "/proc/$HEADLESS/cgroup")
    mkdir "$dir/below"
    echo "$HEADLESS" >"$dir/below/cgroup.procs"
    echo 1 >"$dir/below/cgroup.freeze"
}

# By the freezer of v1, which does not let go of what is killed: all of it, and a cgroup below.
# The first thread has ended, and is in no cgroup of v1 any more: the others are.
v1_freezer() { echo "/sys/fs/cgroup/freezer$(sed -n 's/^[0-9]*:freezer://p' /proc/"$HEADLESS"/task/*/cgroup | sort | tail -n 1)"; }
freeze_v1() { echo FROZEN >"$(v1_freezer)/freezer.state"; }
freeze_v1_below() {
    local dir
    dir=$(v1_freezer)
    mkdir "$dir/below"
    echo "$HEADLESS" >"$dir/below/cgroup.procs"
    echo FROZEN >"$dir/below/freezer.state"
}

@test "what the v1 freezer has frozen is paused; resume, kill and delete -f thaw it" {
    [ -e /sys/fs/cgroup/freezer/cgroup.procs ] || skip "there is no v1 freezer"
    for ns in with without; do
        [ "$ns" = with ] || without_pidns
        started alone
        freeze_v1
        [ "$(wherry state "$CID" | jq -r .status)" = paused ]
        run wherry exec "$CID" true
        have_status 255
        have "cannot exec in a paused container"
        wherry resume "$CID"
        [ "$(wherry state "$CID" | jq -r .status)" = running ]
        freeze_v1
        wherry kill "$CID" KILL
        gone "$HEADLESS"
        wherry delete -f "$CID"
        for before in freeze_v1 freeze_v1_below; do
            for end in "kill --all $CID KILL" "delete -f $CID"; do
                started child
                "$before"
                # shellcheck disable=SC2086 # words
                run wherry $end
                have_status 0 || { echo "$before, $end, $ns"; return 1; }
                gone "$HEADLESS" || { echo "$before, $end, $ns"; return 1; }
                wherry delete -f "$CID"
                no_trace
            done
        done
    done
    started alone
    parent=$(dirname "$(v1_freezer)")
    [ "$parent" != /sys/fs/cgroup/freezer ] || return 0
    echo FROZEN >"$parent/freezer.state"
    run wherry resume "$CID"
    echo THAWED >"$parent/freezer.state"
    have_status 1
    have "thaw cgroup $(v1_freezer): it stays frozen (a cgroup above it is)"
}

@test "delete -f of one that is paused, or stopped by SIGSTOP, or frozen below" {
    for ns in with without; do
        [ "$ns" = with ] || without_pidns
        for how in alone child; do
            for before in pause_it stop_it freeze_below; do
                started "$how"
                "$before"
                run wherry delete -f "$CID"
                have_status 0 || { echo "$before, $how, $ns"; return 1; }
                no_trace
            done
        done
    done
}

@test "delete -f where the kernel has no cgroup.kill reaches them too" {
    need strace
    for how in alone child; do
        started "$how"
        # As before Linux 5.14: the file is not there.
        run strace -f -o /dev/null -e trace=openat -P cgroup.kill -e inject=openat:error=ENOENT "$WHERRY" --root "$ROOT" delete -f "$CID"
        have_status 0
        no_trace
    done
}

@test "a first process that waits in vfork is killed, with its child" {
    for ns in with without; do
        [ "$ns" = with ] || without_pidns
        command_is /bin/headless vfork
        wherry run -d -b "$BUNDLE" "$CID" >/dev/null </dev/null
        for _ in $(seq 200); do [ "$(wherry ps --format json "$CID" | jq length)" = 2 ] && break; sleep 0.05; done
        HEADLESS=$(wherry ps --format json "$CID" | jq '.[1]')
        run wherry delete -f "$CID"
        have_status 0
        no_trace
    done
}

@test "kill and delete -f end a first process that a process of the container traces and does not let go of" {
    for ns in with without; do
        [ "$ns" = with ] || without_pidns
        for end in "kill $CID KILL" "kill --all $CID KILL" "delete -f $CID"; do
            # Its end stops for the tracer (PTRACE_O_TRACEEXIT), which does not care; no second SIGKILL has an effect then.
            command_is /bin/headless traced
            wherry run -d -b "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/out" </dev/null
            for _ in $(seq 400); do grep -q ready "$BATS_TEST_TMPDIR/out" && break; sleep 0.05; done
            grep -q ready "$BATS_TEST_TMPDIR/out"
            HEADLESS=$(pid_of "$CID")
            [ "$(awk '/^TracerPid:/ { print $2 }' "/proc/$HEADLESS/status")" != 0 ]
            # shellcheck disable=SC2086
            run wherry $end
            have_status 0 || { echo "$end, $ns"; return 1; }
            for _ in $(seq 100); do [ -d "/proc/$HEADLESS/fd" ] && [ -n "$(ls "/proc/$HEADLESS/fd" 2>/dev/null)" ] || break; sleep 0.05; done
            [ -z "$(ls "/proc/$HEADLESS/fd" 2>/dev/null)" ] || { echo "$end, $ns: it lives"; return 1; }
            wherry delete -f "$CID"
            no_trace
        done
    done
}
