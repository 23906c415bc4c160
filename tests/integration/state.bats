#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The state directory: who waits for whom, identities, damage.
load helpers

made() { wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null; }
background() { "$WHERRY" --root "$ROOT" "$@" </dev/null >"$BATS_TEST_TMPDIR/bg" 2>&1 3>&- 4>&- & }

@test "while create is in progress, state, list and kill neither see it nor wait" {
    need root
    command_is sleep 1000
    config '.hooks.createRuntime = [{ path: "/bin/sh", args: ["sh", "-c", "touch ready; sleep 30"] }]'
    background create -b "$BUNDLE" "$CID"
    pid=$!
    for _ in $(seq 100); do [ ! -e "$BUNDLE/ready" ] || break; sleep 0.05; done
    SECONDS=0
    run wherry state "$CID"
    have_status 1
    have "does not exist"
    run wherry kill "$CID"
    have "does not exist"
    run wherry list -q
    [ -z "$output" ]
    run wherry create -b "$BUNDLE" "$CID"
    have "container with given ID already exists"
    run wherry delete "$CID"
    have_status 1
    [ -d "$ROOT/$CID" ]
    [ "$SECONDS" -lt 10 ]
    # Force ends it: with its init killed, create stops waiting for the hook, fails and undoes.
    run wherry delete -f "$CID"
    have_status 0
    if wait "$pid"; then echo "create succeeded"; return 1; fi
    [ "$SECONDS" -lt 10 ]
    grep -q "create failed: " "$BATS_TEST_TMPDIR/bg"
    [ ! -e "$ROOT/$CID" ]
}

@test "two starts at once: one starts" {
    need root
    command_is sleep 1000
    made
    local n ok=0 pids=()
    for n in 1 2 3 4 5; do
        "$WHERRY" --root "$ROOT" start "$CID" </dev/null >"$BATS_TEST_TMPDIR/start$n" 2>&1 3>&- 4>&- &
        pids+=($!)
    done
    for n in "${pids[@]}"; do
        if wait "$n"; then ok=$((ok + 1)); fi
    done
    [ "$ok" = 1 ] || { echo "$ok starts"; cat "$BATS_TEST_TMPDIR"/start*; return 1; }
    if grep -hv "cannot start an already running container" "$BATS_TEST_TMPDIR"/start*; then return 1; fi
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

@test "many deletes at once: each ends, and nothing is left" {
    need root
    command_is sleep 1000
    made
    local n pids=()
    for n in 1 2 3 4 5; do
        "$WHERRY" --root "$ROOT" delete -f "$CID" </dev/null >"$BATS_TEST_TMPDIR/del$n" 2>&1 3>&- 4>&- &
        pids+=($!)
    done
    for n in "${pids[@]}"; do
        wait "$n" || { cat "$BATS_TEST_TMPDIR"/del*; return 1; }
    done
    [ ! -e "$ROOT/$CID" ]
}

@test "a pid that was reused is not the container's" {
    need root
    command_is sleep 1000
    made
    # Start times are counted in hundredths of a second.
    sleep 0.1
    sleep 1000 >/dev/null 2>&1 3>&- 4>&- &
    other=$!
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    jq -c ".init_process_pid = $other" "$ROOT/$CID/state.json" >"$ROOT/$CID/new"
    mv "$ROOT/$CID/new" "$ROOT/$CID/state.json"
    chmod 600 "$ROOT/$CID/state.json"
    [ "$(wherry state "$CID" | jq -r .status)" = stopped ]
    run wherry kill "$CID" KILL
    have "container not running"
    run wherry delete -f "$CID"
    have_status 0
    kill -0 "$other"
    kill "$other"
}

@test "run: a container that others deleted is not deleted again, when its id is another's by now" {
    need root
    command_is sleep 1000
    background run -b "$BUNDLE" "$CID"
    pid=$!
    wait_status "$CID" running
    kill -STOP "$pid"
    wherry delete -f "$CID"
    # No cgroup stands in the way of the removal.
    "$WHERRY" --root "$ROOT" --cgroup-manager=disabled create -b "$BUNDLE" "$CID" </dev/null >/dev/null 3>&- 4>&-
    local rc=0
    kill -CONT "$pid"
    wait "$pid" || rc=$?
    cat "$BATS_TEST_TMPDIR/bg"
    [ "$(wherry state "$CID" | jq -r .status)" = created ]
    # What the payload ended with, and nothing to complain about.
    [ "$rc" = 137 ]
    [ ! -s "$BATS_TEST_TMPDIR/bg" ]
}

@test "damage: state says so, delete -f clears up" {
    need root
    command_is sleep 1000
    local how
    for how in 'echo "{" >state.json' 'truncate -s 0 state.json' 'rm state.json; ln -s /etc/passwd state.json' \
        'rm state.json; mkfifo state.json' 'rm state.json; mkdir state.json' 'rm state.json' 'rm journal' 'rm mbox start.sock steps.txt' \
        'rm state.json; echo junk >>journal' 'jq -c ".id = \"other\"" state.json >x; mv x state.json' \
        'head -c 4096 /dev/urandom >state.json'; do
        made
        (cd "$ROOT/$CID" && eval "$how")
        run timeout 20 "$WHERRY" --root "$ROOT" state "$CID"
        [ "$status" -le 1 ] || { echo "state after '$how': $status"; return 1; }
        run wherry delete -f "$CID"
        have_status 0 || { echo "after '$how'"; return 1; }
        [ ! -e "$ROOT/$CID" ]
        sleep 0.05
        [ -z "$(left_processes)$(left_cgroups)" ] || { echo "left after '$how'"; return 1; }
    done
    [ "$(head -c 4 /etc/passwd)" = root ]
}

@test "only the id is left: delete -f removes it, plain delete too, and says that there was no container" {
    need root
    mkdir -m 700 "$ROOT" "$ROOT/$CID"
    run wherry delete "$CID"
    have_status 1
    have "container does not exist"
    [ ! -e "$ROOT/$CID" ]
    mkdir "$ROOT/$CID"
    run wherry delete -f "$CID"
    have_status 0
    [ -z "$output" ]
    [ ! -e "$ROOT/$CID" ]
}

@test "a state root that others can write to is refused" {
    need root
    mkdir -m 777 "$ROOT"
    chmod 777 "$ROOT"
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "others could write to it"
    chmod 700 "$ROOT"
}

@test "a state root with a long path" {
    need root
    ROOT=$BATS_TEST_TMPDIR/$(printf 'long-%.0s' $(seq 30))/$(printf 'path-%.0s' $(seq 30))
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ -z "$output" ]
}

@test "a config.json that is a pipe, too large, a directory, missing" {
    need root
    run bash -c 'cat config.json | "$WHERRY" --root "$1" run -b . --config /dev/stdin "$2" 3>&- 4>&-' sh "$ROOT" "$CID"
    have_status 0
    truncate -s 1G big.json
    SECONDS=0
    run wherry run -b "$BUNDLE" --config big.json "$CID"
    have_status 1
    have "big.json"
    [ "$SECONDS" -lt 5 ]
    run wherry run -b "$BUNDLE" --config rootfs "$CID"
    have_status 1
    have "is a directory"
    run wherry run -b "$BUNDLE" --config none.json "$CID"
    have_status 1
    have "none.json not found"
}

@test "a filter that another build of wherry compiled is not used" {
    need root
    local id other=$BATS_TEST_TMPDIR/other at
    id=$(readelf -nW "$WHERRY" 2>/dev/null | sed -n 's/.*Build ID: //p')
    [ -n "$id" ] || skip "$WHERRY has no build id"
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["acct"], action: "SCMP_ACT_ERRNO"}]}'
    shell_is true
    cp "$WHERRY" "$other"
    # The note begins with 16 bytes of lengths and of its owner's name.
    at=$((0x$(readelf -SW "$WHERRY" | sed -n 's/.*\.note\.gnu\.build-id *NOTE *[0-9a-f]* \([0-9a-f]*\) .*/\1/p') + 16))
    head -c 20 /dev/zero | dd of="$other" bs=1 seek="$at" conv=notrunc status=none
    for program in "$WHERRY" "$WHERRY" "$other" "$other"; do
        run "$program" --root "$ROOT" run -b "$BUNDLE" "$CID" </dev/null
        have_status 0
    done
    # One of each, and each says who made it.
    [ "$(find "$ROOT/.cache/seccomp" -type f | wc -l)" = 2 ]
    [ "$(grep -alx "wherry $id" "$ROOT"/.cache/seccomp/* | wc -l)" = 1 ]
    [ "$(grep -alx "wherry $(printf '0%.0s' {1..40})" "$ROOT"/.cache/seccomp/* | wc -l)" = 1 ]
    [ "$(grep -alx "kernel $(uname -r)" "$ROOT"/.cache/seccomp/* | wc -l)" = 2 ]
    [ "$(grep -al "^libseccomp $(wherry --version | sed -n 's/^libseccomp: //p') native " "$ROOT"/.cache/seccomp/* | wc -l)" = 2 ]
}

@test "the seccomp filter is compiled once, and not from a file that was tampered with" {
    need root
    jq -f "$CONFIGS/base.jq" --arg id "$CID" --argjson args '["true"]' "$CONFIGS/podman-4.3-default.json" |
        jq 'del(.process.rlimits)' >"$BUNDLE/config.json"
    grep -q SCMP "$BUNDLE/config.json" || skip "no profile"
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    local file
    file=$(echo "$ROOT"/.cache/seccomp/*)
    [ "$(stat -c %a "$file")" = 600 ]
    sum=$(sha256sum <"$file")
    wherry run -b "$BUNDLE" "$CID"
    [ "$(sha256sum <"$file")" = "$sum" ]
    # allow everything, in the place of the filter
    head -c -64 "$file" >"$file.x"
    head -c 64 /dev/zero >>"$file.x"
    chmod 600 "$file.x"
    mv "$file.x" "$file"
    shell_is 'grep Seccomp: /proc/self/status'
    run wherry run -b "$BUNDLE" "$CID"
    have_line 'Seccomp:[[:space:]]*2'
    [ "$(sha256sum <"$file")" = "$sum" ]
    run wherry list -q
    [ -z "$output" ]
}
