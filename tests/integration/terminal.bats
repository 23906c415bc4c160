#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Terminals: for an engine, over its console socket, and for somebody in front of one.
# shellcheck disable=SC2154 # status and output are set by bats
load helpers

TOOLS=$SRC/tests/tools

test_setup() {
    need python3
    config '.process.terminal = true'
}

# A receiver in the background; its output is in $BATS_TEST_TMPDIR/received.
receiver() { # SOCKET [INPUT]
    "$TOOLS/console-receiver" "$@" >"$BATS_TEST_TMPDIR/received" 2>&1 3>&- 4>&- &
    RECEIVER=$!
    for _ in $(seq 100); do
        grep -q listening "$BATS_TEST_TMPDIR/received" && return 0
        sleep 0.05
    done
    return 1
}

received() {
    wait "$RECEIVER"
    output=$(cat "$BATS_TEST_TMPDIR/received")
}

# Somebody at a terminal; arguments of on-a-tty, then of `wherry run`.
at_a_tty() { # OPTIONS… -- OPTIONS OF RUN…
    local opts=()
    while [ "$1" != -- ]; do opts+=("$1"); shift; done
    shift
    run "$TOOLS/on-a-tty" "${opts[@]}" "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$@" "$CID" 3>&- 4>&-
}

@test "console socket: one message, one pty, and a working terminal behind it" {
    config '.process.consoleSize = {height: 31, width: 97}'
    shell_is 'tty; stty size; read line; echo "got $line"; ls -l /dev/console; exit 3'
    receiver "$BATS_TEST_TMPDIR/console" $'typed\n'
    run wherry create -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/console" "$CID"
    have_status 0
    [ -z "$output" ]
    wherry start "$CID"
    received
    have '"fds": 1'
    have '"after": 0'
    have '"rows": 31, "cols": 97'
    [ "$(sed -n 's/.*"payload": \([0-9]*\).*/\1/p' <<<"$output")" -ge 1 ]
    have_line '^/dev/(pts/[0-9]+|console)$'
    have_line '^31 97$'
    have_line '^got typed$'
    have_line '^crw'
    wait_status "$CID" stopped
    wherry delete "$CID"
}

@test "console socket: a path longer than a socket address" {
    local dir
    dir=$BATS_TEST_TMPDIR/$(printf 'd%.0s' {1..120})
    mkdir "$dir"
    shell_is 'echo here'
    receiver "$dir/console"
    wherry create -b "$BUNDLE" --console-socket "$dir/console" "$CID"
    wherry start "$CID"
    received
    have_line '^here$'
    wait_status "$CID" stopped
}

@test "console socket: run -d returns, and the terminal is the receiver's" {
    shell_is 'echo in the background'
    receiver "$BATS_TEST_TMPDIR/console"
    run wherry run -d -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/console" "$CID"
    have_status 0
    received
    have_line '^in the background$'
}

@test "console socket: nothing of the caller's stdio stays in the container" {
    # An engine reads its pipe to the end: it must end with create, not with the container.
    command_is sleep 30
    receiver "$BATS_TEST_TMPDIR/console"
    run timeout 10 bash -c '"$WHERRY" --root "$1" create -b "$2" --console-socket "$3" "$4" 2>&1 3>&- 4>&- | cat' \
        sh "$ROOT" "$BUNDLE" "$BATS_TEST_TMPDIR/console" "$CID"
    have_status 0
    for fd in 0 1 2; do
        run readlink "/proc/$(pid_of "$CID")/fd/$fd"
        have_line '^/dev/(pts/[0-9]+|console)$'
    done
    wherry delete -f "$CID"
    wait "$RECEIVER" || true
}

@test "console socket: the pty belongs to the user of the process" {
    config '.process.user = {uid: 1000, gid: 1000}'
    shell_is 'stat -c %u $(tty); echo again >/proc/self/fd/1'
    receiver "$BATS_TEST_TMPDIR/console"
    wherry create -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/console" "$CID"
    wherry start "$CID"
    received
    have_line '^1000$'
    have_line '^again$'
    wait_status "$CID" stopped
}

@test "console socket: the rules of who needs one" {
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "cannot allocate tty if wherry will detach without setting console socket"
    run wherry run -d -b "$BUNDLE" "$CID"
    have_status 1
    have "cannot allocate tty if wherry will detach without setting console socket"
    config '.process.terminal = false'
    run wherry create -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/console" "$CID"
    have_status 1
    have "cannot use console socket if wherry will not detach or allocate tty"
    [ ! -e "$ROOT/$CID" ]
}

@test "console socket: none there, and nothing is left behind" {
    run wherry create -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/none" "$CID"
    have_status 1
    have "console socket $BATS_TEST_TMPDIR/none: no such file or directory"
    touch "$BATS_TEST_TMPDIR/file"
    run wherry create -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/file" "$CID"
    have_status 1
    have "it is not a socket"
    [ ! -e "$ROOT/$CID" ]
}

@test "foreground: size, raw mode, input, exit status, and the terminal restored" {
    shell_is 'stty size; tty; echo ready; read line; echo "got $line"; exit 9'
    at_a_tty -s 40x120 -i 'typed\n' --
    have_status 0
    have_line '^40 120$'
    have_line '^/dev/(pts/[0-9]+|console)$'
    have_line '^got typed$'
    have_line '^status 9 terminal restored$'
}

@test "foreground: ^C goes to the payload's terminal, not to wherry" {
    shell_is 'trap "echo interrupted; exit 5" INT; echo ready; while :; do sleep 0.1; done'
    at_a_tty -i '\x03' --
    have_line 'interrupted'
    have_line '^status 5 terminal restored$'
}

@test "foreground: a resized window" {
    shell_is 'trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.1; done'
    at_a_tty -r 50x101 --
    have_line '^50 101$'
    have_line '^status 0 terminal restored$'
}

@test "foreground: signals are passed on" {
    shell_is 'trap "echo terminated; exit 4" TERM; echo ready; while :; do sleep 0.1; done'
    at_a_tty -k TERM --
    have_line 'terminated'
    have_line '^status 4 terminal restored$'
}

@test "foreground: death by a signal" {
    config 'del(.linux.namespaces[] | select(.type == "pid"))
            | .mounts |= map(select(.destination != "/proc")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
    shell_is 'kill -KILL $$'
    at_a_tty --
    have_line '^status 137 terminal restored$'
}

@test "foreground: a failed run leaves the terminal as it was" {
    command_is /no/such/program
    at_a_tty --
    have_line '^status 1 terminal restored$'
}

@test "foreground: without a terminal of one's own, input ends where it ends" {
    shell_is 'wc -l; echo done'
    run bash -c 'printf "a\nb\nc\n" | timeout 10 "$WHERRY" --root "$1" run -b "$2" "$3" 3>&- 4>&-' sh "$ROOT" "$BUNDLE" "$CID"
    have_status 0
    have "3"
    have "done"
}

@test "foreground: a reader that goes away does not keep the container" {
    shell_is 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done; exit 6'
    run timeout 20 bash -c '"$WHERRY" --root "$1" run -b "$2" "$3" 3>&- 4>&- </dev/null | head -n 1; echo ${PIPESTATUS[0]}' \
        sh "$ROOT" "$BUNDLE" "$CID"
    have_line 'line 0'
    have_line '^6$'
}

@test "foreground: all of a large output" {
    shell_is 'stty -onlcr; i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i + 1)); done'
    [ "$(wherry run -b "$BUNDLE" "$CID" </dev/null | wc -c)" = 220000 ]
}
