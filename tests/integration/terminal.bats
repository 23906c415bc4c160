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

# ---- in front of a shell with job control; tmux is the terminal
at_a_shell() {
    need tmux
    tmux -S "$BATS_TEST_TMPDIR/tmux" -f /dev/null new-session -d -x 100 -y 30 'exec env PS1="shell> " bash --norc --noprofile -i' 3>&- 4>&-
    # Short words to type: the line does not wrap.
    printf '#!/bin/bash\nexec "%s" --root "%s" run -b "%s" "%s" "$@"\n' "$WHERRY" "$ROOT" "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/go"
    chmod +x "$BATS_TEST_TMPDIR/go"
    sees 'shell>'
    types "cd $BATS_TEST_TMPDIR"
}
keys() { tmux -S "$BATS_TEST_TMPDIR/tmux" send-keys "$@"; }
types() { keys -l "$1"; keys Enter; }
screen() { tmux -S "$BATS_TEST_TMPDIR/tmux" capture-pane -p; }
# The screen has N lines (1) that match, sooner or later.
sees() { # REGEX [N]
    local i
    for ((i = 0; i < 100; i++)); do
        [ "$(screen | grep -cE -- "$1")" -ge "${2:-1}" ] && return 0
        sleep 0.1
    done
    echo "the screen lacks ${2:-1} of: $1"
    screen
    return 1
}
runtime_pid() { ps -eo pid=,args= | awk -v r="--root $ROOT run" 'index($0, r) && !/awk/ { print $1; exit }'; }
test_teardown() {
    [ ! -S "$BATS_TEST_TMPDIR/tmux" ] || tmux -S "$BATS_TEST_TMPDIR/tmux" kill-server || true
}

@test "job control: stopped by SIGTSTP the shell has its terminal, and fg gives it back raw" {
    shell_is 'trap "" INT; echo ready; while read -r line; do echo "got <$line>"; [ "$line" != quit ] || exit 7; done'
    at_a_shell
    types ./go
    sees '^ready'
    kill -TSTP "$(runtime_pid)"
    sees Stopped
    types 'stty -a | grep -ow -- "-*icanon"; echo in the "shell"'
    sees '^icanon'
    sees '^in the shell'
    types 'fg'
    # Twice: the echo of the container's terminal, and the answer.
    types 'again'
    sees '^got <again>'
    # The interrupt key is the payload's again, who ignores it.
    keys C-c
    types 'more'
    sees '^got <more>'
    types 'quit'
    sees '^shell>$'
    types 'echo status "$?"; stty -a | grep -ow -- "-*icanon"'
    sees '^status 7'
    sees '^icanon' 2
}

@test "job control: in the background neither the shell's terminal nor its input is touched, and fg goes on" {
    shell_is 'echo ready; while read -r line; do echo "got <$line>"; [ "$line" != quit ] || exit 7; done; echo input ended'
    at_a_shell
    types './go &'
    sees 'ready$'
    types 'stty -a | grep -ow -- "-*icanon"; echo one of the "shell"'
    sees '^icanon'
    sees '^one of the shell'
    types 'fg'
    sleep 0.6
    types 'mine'
    sees '^got <mine>'
    # SIGSTOP cannot be caught: what the shell makes of the terminal is undone after it.
    kill -STOP "$(runtime_pid)"
    sees Stopped
    types 'bg'
    types 'echo two of the "shell"'
    sees '^two of the shell'
    types 'fg'
    sleep 0.6
    types 'quit'
    sees '^got <quit>'
    screen | grep -q 'input ended' && return 1
    types 'echo status "$?"'
    sees '^status 7'
}

@test "job control: a window that changed its size while the job was stopped" {
    shell_is 'echo ready; while read -r line; do stty size; done'
    at_a_shell
    types ./go
    sees '^ready'
    types 'size'
    sees '^[0-9]+ 100'
    kill -TSTP "$(runtime_pid)"
    sees Stopped
    tmux -S "$BATS_TEST_TMPDIR/tmux" resize-window -x 90 -y 20
    types 'fg'
    types 'size'
    sees '^[0-9]+ 90'
    kill -KILL "$(runtime_pid)"
}

@test "job control: without a terminal of the container's, SIGTSTP stops both and SIGCONT lets both go on" {
    config '.process.terminal = false'
    shell_is 'trap "echo payload continues" CONT; trap "echo payload was told" TSTP; echo ready; while :; do sleep 0.1; done'
    at_a_shell
    types './go </dev/null'
    sees '^ready'
    keys C-z
    sees Stopped
    sees 'payload was told$'
    types 'fg'
    sees 'payload continues$'
    kill -KILL "$(runtime_pid)"
}

@test "foreground: a terminal that is closed takes nothing with it that hangs" {
    # pid 1 has no handler for SIGHUP and lives on; wherry does not spin on the terminal that is gone.
    shell_is 'echo ready; exec sleep 1000'
    at_a_shell
    types ./go
    sees '^ready'
    local pid before after
    pid=$(runtime_pid)
    tmux -S "$BATS_TEST_TMPDIR/tmux" kill-server
    sleep 0.5
    before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
    sleep 1
    after=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
    [ "$((after - before))" -le 5 ] || { echo "$((after - before)) ticks of processor time in a second"; return 1; }
    wherry kill "$CID" KILL
    for _ in $(seq 100); do [ -d "/proc/$pid" ] || return 0; sleep 0.1; done
    return 1
}

@test "foreground: ended before the payload is there, nothing is left" {
    local pid sig rc nap=$((900000000 + BASHPID))
    config '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "echo here >\($f); sleep \($n)"]}]' \
        --arg f "$BATS_TEST_TMPDIR/hook" --arg n "$nap"
    for sig in INT TERM HUP; do
        rm -f "$BATS_TEST_TMPDIR/hook"
        # A background job of a shell ignores SIGINT.
        python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
            "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" </dev/null >out 2>&1 3>&- 4>&- &
        pid=$!
        for _ in $(seq 100); do [ -e "$BATS_TEST_TMPDIR/hook" ] && break; sleep 0.1; done
        kill -"$sig" "$pid"
        rc=0
        wait "$pid" || rc=$?
        [ "$rc" = 1 ] || { echo "$sig: status $rc"; return 1; }
        grep -q canceled out
        [ ! -e "$ROOT/$CID" ]
    done
    if pgrep -xf "sleep $nap"; then return 1; fi
}

@test "foreground: a payload that leaves a process with the terminal open ends all the same" {
    # Without a pid namespace of its own nothing kills that process.
    config 'del(.linux.namespaces[] | select(.type == "pid")) | .mounts |= map(select(.destination != "/proc"))
            | del(.linux.maskedPaths, .linux.readonlyPaths)'
    shell_is 'trap "" HUP; sleep 5 & echo bye; exit 4'
    SECONDS=0
    at_a_tty --
    have_line '^bye$'
    have_line '^status 4 terminal restored$'
    [ "$SECONDS" -lt 5 ]
}

@test "foreground: a reader that stops for a while loses nothing and costs no processor time" {
    shell_is 'stty -onlcr; i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i + 1)); done'
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" </dev/null >"$BATS_TEST_TMPDIR/fifo" 3>&- 4>&- &
    local pid=$! before after
    exec 5<"$BATS_TEST_TMPDIR/fifo"
    # All buffers are full now.
    sleep 2
    before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
    sleep 1
    after=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
    [ "$((after - before))" -le 5 ] || { echo "$((after - before)) ticks of processor time in a second"; return 1; }
    [ "$(wc -c <&5)" = 220000 ]
    exec 5<&-
    wait "$pid"
}

@test "foreground: the caller's terminal stays the caller's, and nothing can be pushed back into it" {
    need musl-gcc
    config '.process.terminal = false | .process.user = {uid: 1000, gid: 1000}'
    cat >"$BATS_TEST_TMPDIR/push.c" <<'C'
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
int main(void)
{
    int tty = ioctl(0, TIOCSCTTY, 0);
    printf("control: %s\n", tty < 0 ? strerror(errno) : "taken");
    for (int fd = 0; fd < 3; fd++) {
        int r = ioctl(fd, TIOCSTI, "x");
        printf("push %d: %s\n", fd, r < 0 ? strerror(errno) : "done");
    }
    printf("terminal: %d\n", isatty(0));
    return 0;
}
C
    musl-gcc -static -o rootfs/bin/push "$BATS_TEST_TMPDIR/push.c"
    command_is /bin/push
    run "$TOOLS/on-a-tty" sh -c 'stat -L -c "owner %u" /dev/stdin; "$@"; stat -L -c "owner %u" /dev/stdin' sh \
        "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" 3>&- 4>&-
    have_line '^terminal: 1$'
    have_line '^control: Operation not permitted$'
    for fd in 0 1 2; do have_line "^push $fd: (Operation not permitted|I/O error)\$"; done
    [ "$(grep -c "^owner $(id -u)$" <<<"$output")" = 2 ]
    # A terminal of its own is the container's: what it pushes is read by itself.
    config '.process.terminal = true'
    at_a_tty --
    have_line '^terminal: 1$'
    have_line '^status 0 terminal restored$'
}

@test "console socket: a receiver that goes away is an error, and nothing is left" {
    need strace
    command_is sleep 30
    python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); print("listening", flush=True)
c, _ = s.accept(); c.close()' "$BATS_TEST_TMPDIR/console" >"$BATS_TEST_TMPDIR/received" 3>&- 4>&- &
    for _ in $(seq 100); do grep -qs listening "$BATS_TEST_TMPDIR/received" && break; sleep 0.05; done
    # What is sent before it goes waits in the socket, and nobody learns of it: it has the time to go first.
    run timeout 60 strace -qq -o /dev/null -e trace=connect -e inject=connect:delay_exit=3000000 \
        "$WHERRY" --root "$ROOT" create -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/console" "$CID" 3>&- 4>&- </dev/null
    have_status 1
    have "terminal"
    have "broken pipe"
    [ ! -e "$ROOT/$CID" ]
}

@test "conmon: a terminal through its own socket, the pid file and the exit file" {
    need conmon
    shell_is 'tty; stty size; exit 5'
    local dir=$BATS_TEST_TMPDIR/conmon i
    mkdir -p "$dir/exits" "$dir/sock"
    printf '#!/bin/sh\nexec "%s" --root "%s" "$@"\n' "$WHERRY" "$ROOT" >"$dir/runtime"
    chmod +x "$dir/runtime"
    conmon --api-version 1 -c "$CID" -u "$CID" -r "$dir/runtime" -b "$BUNDLE" -p "$dir/pid" -n "$CID" --exit-dir "$dir/exits" \
        --socket-dir-path "$dir/sock" -l k8s-file:"$dir/log" -t --full-attach --log-level debug 3>&- 4>&- </dev/null >/dev/null 2>&1
    for ((i = 0; i < 100; i++)); do [ -s "$dir/pid" ] && break; sleep 0.1; done
    wait_status "$CID" created
    wherry start "$CID"
    for ((i = 0; i < 100; i++)); do [ -s "$dir/exits/$CID" ] && break; sleep 0.1; done
    [ "$(cat "$dir/exits/$CID")" = 5 ]
    run cat "$dir/log"
    have_line ' /dev/(pts/[0-9]+|console)'
    wherry delete "$CID"
}

@test "foreground: orphans do not stay zombies while the payload runs" {
    config 'del(.linux.namespaces[] | select(.type == "pid")) | .mounts |= map(select(.destination != "/proc"))
            | del(.linux.maskedPaths, .linux.readonlyPaths)'
    shell_is 'for i in 1 2 3; do (sleep 0.2 &); done; echo ready; sleep 2'
    local tty pid
    for tty in true false; do
        config ".process.terminal = $tty"
        "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" </dev/null >out 2>&1 3>&- 4>&- &
        pid=$!
        for _ in $(seq 100); do grep -q ready out && break; sleep 0.05; done
        sleep 1
        # The payload alone is left of its children.
        [ "$(ps -o pid= --ppid "$pid" | wc -l)" = 1 ] || { ps -o pid,stat,args --ppid "$pid"; return 1; }
        wait "$pid"
    done
}

# ---------------------------------------------------------------- what a pipe at the other end gets
@test "foreground: a line of output ends with a newline alone; with a console socket the terminal is as the kernel made it" {
    shell_is 'echo one; echo two'
    wherry run "$CID" </dev/null | cat >out
    [ "$(od -An -c out | tr -d ' \n')" = 'one\ntwo\n' ]
    config '.process.terminal = false'
    command_is sleep 60
    wherry run -d "$CID" </dev/null >/dev/null 2>&1
    wherry exec -t "$CID" echo one </dev/null | cat >out
    [ "$(od -An -c out | tr -d ' \n')" = 'one\n' ]
    wherry delete -f "$CID"
    config '.process.terminal = true'
    shell_is 'stty -a | grep -o -- "-*onlcr"'
    receiver "$BATS_TEST_TMPDIR/console"
    wherry create --console-socket "$BATS_TEST_TMPDIR/console" "$CID"
    wherry start "$CID"
    received
    have_line '^onlcr$'
}

@test "foreground: on a terminal lines still begin at the left" {
    shell_is 'echo one; echo two'
    # The kernel has added the carriage returns of this terminal, not of the container's.
    output=$(script -qec "'$WHERRY' --root '$ROOT' run '$CID'" /dev/null </dev/null | od -An -c | tr -d ' \n')
    have 'one\r\ntwo\r\n'
}

@test "exec -t: the size of the terminal from the first instruction, whichever of stdin, stdout and stderr is one" {
    config '.process.terminal = false'
    command_is sleep 60
    wherry run -d "$CID" </dev/null >/dev/null 2>&1
    for redirect in '' '</dev/null' '2>/dev/null' '</dev/null 2>/dev/null' '</dev/null 3>&1 >/dev/null 2>&3'; do
        run script -qec "stty rows 33 cols 99; '$WHERRY' --root '$ROOT' exec -t '$CID' sh -c 'stty size >/tmp/size' $redirect" /dev/null </dev/null
        run wherry exec "$CID" cat /tmp/size
        [ "$output" = "33 99" ] || { echo "$redirect: $output"; return 1; }
    done
}
