#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hooks of the runtime's namespaces: prestart, createRuntime, poststart, poststop.
load helpers

hook() { # KIND SCRIPT [JQ to change the hook]
    config '.hooks[$kind] += [{ path: "/bin/sh", args: ["sh", "-c", $script], env: ["A=b", "PATH=/usr/bin:/bin"] } | '"${3:-.}"']' \
        --arg kind "$1" --arg script "$2"
}
made() { wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err"; }

@test "order, status and pid of each kind" {
    need root
    local log=$BATS_TEST_TMPDIR/log kind
    for kind in poststop poststart createRuntime prestart; do
        hook "$kind" "cat >>$log; echo ' $kind' >>$log"
    done
    hook prestart "echo prestart again >>$log"
    command_is sleep 1000
    made
    pid=$(pid_of "$CID")
    run cat "$log"
    [ "$(jq -r .status <<<"${lines[0]% prestart}")" = creating ]
    [ "$(jq -r .pid <<<"${lines[0]% prestart}")" = "$pid" ]
    [ "$(jq -r .id <<<"${lines[0]% prestart}")" = "$CID" ]
    [ "$(jq -r .bundle <<<"${lines[0]% prestart}")" = "$BUNDLE" ]
    [ "${lines[1]}" = "prestart again" ]
    [ "$(jq -r .status <<<"${lines[2]% createRuntime}")" = creating ]
    [ "${#lines[@]}" = 3 ]
    wherry start "$CID"
    run tail -n 1 "$log"
    [ "$(jq -r .status <<<"${output% poststart}")" = running ]
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
    run tail -n 1 "$log"
    [ "$(jq -r .status <<<"${output% poststop}")" = stopped ]
    jq -e 'has("pid") | not' <<<"${output% poststop}"
    [ ! -e "$ROOT/$CID" ]
}

@test "createRuntime hooks see the container's namespaces and mounts, and the limits" {
    need root
    hook createRuntime 'pid=$(sed "s/.*\"pid\":\([0-9]*\).*/\1/"); exec >'"$BATS_TEST_TMPDIR"'/log
        for n in mnt net pid uts ipc; do [ "$(readlink /proc/$pid/ns/$n)" != "$(readlink /proc/self/ns/$n)" ] && echo own $n; done
        grep -c " $(pwd)/rootfs/proc " /proc/$pid/mountinfo; cat /proc/$pid/cgroup'
    command_is true
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    run cat "$BATS_TEST_TMPDIR/log"
    for n in mnt net uts ipc; do have "own $n"; done
    have "$CID"
}

@test "env, cwd, descriptors and session are the hook's own" {
    need root
    hook createRuntime "exec >$BATS_TEST_TMPDIR/log; env; pwd; ls /proc/\$\$/fd; ps -o sid=,pid= -p \$\$"
    run env SECRET=1 "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" 3>&- 4>&- 7</dev/null
    have_status 0
    run cat "$BATS_TEST_TMPDIR/log"
    have_line '^A=b$'
    have_not SECRET
    have_line "^$BUNDLE\$"
    [ "$(grep -cE '^[0-9]+$' "$BATS_TEST_TMPDIR/log")" = 3 ]
    read -r sid pid < <(tail -n 1 "$BATS_TEST_TMPDIR/log")
    [ "$sid" = "$pid" ]
}

@test "without env a hook has the caller's, as elsewhere; with an empty one none" {
    need root
    hook createRuntime "env >$BATS_TEST_TMPDIR/inherited" 'del(.env)'
    hook createRuntime "/usr/bin/env >$BATS_TEST_TMPDIR/empty" '.env = []'
    run env SECRET=1 "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" 3>&- 4>&-
    have_status 0
    grep -qx SECRET=1 "$BATS_TEST_TMPDIR/inherited"
    if grep SECRET "$BATS_TEST_TMPDIR/empty"; then return 1; fi
}

@test "a failing createRuntime hook undoes create, and says what it said" {
    need root
    local kind
    for kind in prestart createRuntime; do
        config 'del(.hooks)'
        hook "$kind" 'echo some output; echo the reason >&2; exit 3'
        hook poststop "echo stopped >>$BATS_TEST_TMPDIR/log"
        run wherry create -b "$BUNDLE" --pid-file "$BATS_TEST_TMPDIR/pid" "$CID"
        have_status 1
        have "error running $kind hook #0: exit status 3, stdout: some output, stderr: the reason"
        [ ! -e "$ROOT/$CID" ]
        [ ! -e "$BATS_TEST_TMPDIR/pid" ]
        [ -z "$(left_processes)$(left_cgroups)" ]
    done
    [ "$(cat "$BATS_TEST_TMPDIR/log")" = "stopped
stopped" ]
}

@test "the first failure stops the list" {
    need root
    hook createRuntime true
    hook createRuntime false
    hook createRuntime "touch $BATS_TEST_TMPDIR/log"
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "createRuntime hook #1"
    [ ! -e "$BATS_TEST_TMPDIR/log" ]
}

@test "death by a signal is a failure" {
    need root
    hook prestart 'kill -TERM $$'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "killed by signal 15"
}

@test "a hook that is not there" {
    need root
    hook prestart true '.path = "/nonexistent/hook"'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "/nonexistent/hook: no such file or directory"
}

@test "a timeout kills the hook's whole group and waits on no pipe" {
    need root
    # A number of its own: what another run of these tests left is not ours.
    local nap=$((900000000 + BASHPID))
    hook createRuntime "sleep $nap & sleep $nap" '.timeout = 1'
    SECONDS=0
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "hook ran past specified timeout of 1.0s"
    [ "$SECONDS" -lt 20 ]
    if pgrep -xf "sleep $nap"; then return 1; fi
}

@test "a failing poststart hook kills the container, and start fails" {
    need root
    hook poststart 'echo no >&2; exit 1'
    command_is sleep 1000
    made
    run wherry start "$CID"
    have_status 1
    have "error running poststart hook #0: exit status 1, stdout: , stderr: no"
    wait_status "$CID" stopped
    wherry delete "$CID"
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    [ ! -e "$ROOT/$CID" ]
}

@test "a failing poststop hook does not keep the container" {
    need root
    hook poststop 'exit 1'
    hook poststop "touch $BATS_TEST_TMPDIR/second"
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ -z "$output" ]
    [ ! -e "$ROOT/$CID" ]
    [ -e "$BATS_TEST_TMPDIR/second" ]
}

@test "changing config.json after create changes no hook" {
    need root
    hook poststop "touch $BATS_TEST_TMPDIR/old"
    command_is sleep 1000
    made
    config '.hooks.poststop[0].args[2] = "touch '"$BATS_TEST_TMPDIR"'/new"'
    wherry delete -f "$CID"
    [ -e "$BATS_TEST_TMPDIR/old" ]
    [ ! -e "$BATS_TEST_TMPDIR/new" ]
}

@test "hooks of the container's namespaces are refused until they are there" {
    need root
    local kind
    for kind in createContainer startContainer; do
        config 'del(.hooks)'
        hook "$kind" true
        run wherry create -b "$BUNDLE" "$CID"
        have_status 1
        have "$kind"
        [ ! -e "$ROOT/$CID" ]
    done
}
