#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# conmon without an engine: the argument lists with which podman and CRI-O start it, and what they read from it then:
# the sync pipe, the exit file, the log, and that the exit command ran.
# shellcheck disable=SC2154 # status and output are set by bats

load ../integration/helpers

test_setup() {
    command -v conmon >/dev/null || skip "needs conmon"
    need root
    mkdir -p exits persist sockets
    # podman 4.3, libpod/oci_conmon_common.go
    podman=(--api-version 1 -c "$CID" -u "$CID" -r "$WHERRY" -b "$BUNDLE" -p "$BUNDLE/pidfile" -n name \
        --exit-dir "$BUNDLE/exits"
        --persist-dir "$BUNDLE/persist" --full-attach -l "k8s-file:$BUNDLE/log" --log-level warn \
            --runtime-arg "--root=$ROOT"
        --runtime-arg --log-format=json --runtime-arg --log --runtime-arg="$BUNDLE/oci-log" --conmon-pidfile "$BUNDLE/conmon.pid"
        --exit-command /bin/sh \
            --exit-command-arg -c --exit-command-arg "echo podman container cleanup >'$BUNDLE/ended'")
    # CRI-O, internal/oci/runtime_oci.go
    crio=(-b "$BUNDLE" -c "$CID" --exit-dir "$BUNDLE/exits" -l "$BUNDLE/log" --log-level info -n name \
        -P "$BUNDLE/conmon.pid"
        -p "$BUNDLE/pidfile" --persist-dir "$BUNDLE/persist" -r "$WHERRY" --runtime-arg "--root=$ROOT" \
            --socket-dir-path "$BUNDLE/sockets" -u "$CID")
    crio_exec=(-c "$CID" -n name -r "$WHERRY" -P "$BUNDLE/execmon.pid" -p "$BUNDLE/exec.pid" -e -l "$BUNDLE/exec.log" \
        --runtime-arg "--root=$ROOT"
        --socket-dir-path "$BUNDLE/sockets" --log-level info --exec-process-spec "$BUNDLE/process.json")
}

# conmon ends after what it has written.
test_teardown() {
    local pid
    for pid in conmon.pid execmon.pid; do
        pid=$(cat "$BUNDLE/$pid" 2>/dev/null) || continue
        timeout 30 tail -f --pid="$pid" /dev/null || true
    done
}

# conmon with its pipes: what it says to the engine goes to the file `sync`.
monitor() {
    : >sync
    _OCI_SYNCPIPE=8 _OCI_STARTPIPE=9 timeout -k 5 60 conmon \
        "$@" 8>>sync 9< <(printf x) </dev/null >/dev/null 2>conmon.err 3>&- 4>&-
}
wait_for() { # CONDITION…
    local i
    for ((i = 0; i < 300; i++)); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    echo "this did not come true: $*"
    tail -n 20 sync log exec.log conmon.err
    return 1
}
# The N-th thing that conmon said, and one field of it.
said() { # N FIELD
    wait_for jq -es ".[$1 - 1] != null" sync || return
    jq -rs ".[$1 - 1].$2" sync
}
ended() { # STATUS: of the container
    wait_for test -s "exits/$CID" || return
    [ "$(cat "exits/$CID")" = "$1" ] || { echo "the exit file has $(cat "exits/$CID")"; return 1; }
}
process() { # COMMAND…
    jq '.process | .args = $ARGS.positional' config.json --args -- "$@" >process.json
}

@test "podman: created, its pid on the sync pipe, started, its output in the log, its status in the exit file, the exit command" {
    shell_is 'echo to out; echo to err >&2; exit 7'
    monitor "${podman[@]}"
    [ "$(said 1 data)" = "$(cat pidfile)" ]
    [ "$(pid_of "$CID")" = "$(cat pidfile)" ]
    run wherry state "$CID"
    [ "$(jq -r .status <<<"$output")" = created ]
    wherry start "$CID"
    ended 7
    [ "$(cat persist/exit)" = 7 ]
    wait_for test -s ended
    grep ' stdout F to out$' log
    grep ' stderr F to err$' log
    [ ! -s oci-log ]
}

@test "CRI-O: created, started, killed: 137" {
    command_is sleep 1000
    monitor "${crio[@]}"
    [ "$(said 1 pid)" = "$(cat pidfile)" ]
    wherry start "$CID"
    wherry kill "$CID" KILL
    ended 137
    wait_status "$CID" stopped
}

@test "a terminal through conmon's socket: podman and CRI-O" {
    local who
    config '.process.terminal = true'
    shell_is 'tty; test -t 0 && test -t 2 && exit 5'
    for who in podman crio; do
        rm -f log "exits/$CID"
        declare -n list=$who
        monitor "${list[@]}" -t
        wait_for test -s pidfile
        wherry start "$CID"
        ended 5
        grep -E ' stdout F /dev/pts/0' log
        wherry delete "$CID"
        rm pidfile
    done
}

@test "standard input that nobody asked for is empty" {
    shell_is 'cat; echo end'
    monitor "${crio[@]}"
    wait_for test -s pidfile
    wherry start "$CID"
    ended 0
    grep ' stdout F end$' log
}

@test "podman: a failed create arrives as text, and as one record of the log; no pid file" {
    command_is nosuch
    run monitor "${podman[@]}"
    [ "$(said 1 data)" = -1 ]
    [ "$(wc -l <oci-log)" = 1 ]
    output=$(jq -r .msg oci-log)
    have 'exec: "nosuch": executable file not found in $PATH'
    [ "$(jq -r .level oci-log)" = error ]
    [ ! -e pidfile ]
}

@test "CRI-O: a failed create arrives as text" {
    command_is /etc
    run monitor "${crio[@]}"
    [ "$(said 1 pid)" = -1 ]
    output=$(said 1 message)
    have 'permission denied (it is a directory)'
    [ ! -e pidfile ]
}

@test "podman --cgroups=disabled: --cgroup-manager disabled, in two arguments" {
    command_is true
    monitor "${podman[@]}" --runtime-arg --cgroup-manager --runtime-arg disabled
    [ "$(said 1 data)" = "$(cat pidfile)" ]
    [ "$(cat "/proc/$(cat pidfile)/cgroup")" = "$(cat /proc/self/cgroup)" ]
    wherry start "$CID"
    ended 0
}

@test "CRI-O's exec: the status on the sync pipe; a terminal; what cannot be executed; the time-out" {
    command_is sleep 1000
    monitor "${crio[@]}"
    wait_for test -s pidfile
    wherry start "$CID"

    process sh -c 'echo inside; exit 9'
    monitor "${crio_exec[@]}"
    [ "$(said 1 exit_code)" = 9 ]
    grep ' stdout F inside$' exec.log

    rm -f exec.pid exec.log
    jq '.process | .args = ["tty"] | .terminal = true' config.json >process.json
    monitor "${crio_exec[@]}" -t
    [ "$(said 1 exit_code)" = 0 ]
    grep ' stdout F /dev/pts/' exec.log

    rm -f exec.pid exec.log
    process nosuch
    run monitor "${crio_exec[@]}"
    output=$(jq -rs 'map(.message // empty) | add' sync)
    have 'exec: "nosuch": executable file not found in $PATH'
    [ ! -e exec.pid ]

    process sleep 1000
    monitor "${crio_exec[@]}" -T 1
    [ "$(said 1 exit_code)" = -1 ]
    [ "$(said 1 message)" = "command timed out" ]
    wherry kill "$CID" KILL
    ended 137
}

# As podman starts an exec: conmon waits until the engine is at its socket, and passes on what arrives there.
attached() { # COMMAND…: prints what the process wrote after the name of the stream, then what conmon said
    process "$@"
    mkdir session
    timeout -k 5 60 python3 - "$BUNDLE" conmon --api-version 1 -c "$CID" -u session -r "$WHERRY" -b "$BUNDLE/session" \
        -p "$BUNDLE/session/pid" -n name --exit-dir "$BUNDLE/session" --full-attach -s \
        -l "k8s-file:$BUNDLE/session/log" --log-level warn --runtime-arg "--root=$ROOT" \
        --exec-process-spec "$BUNDLE/process.json" -e --exec-attach 3>&- 4>&- <<'END'
import json, os, socket, subprocess, sys

bundle, command = sys.argv[1], sys.argv[2:]
sync, start, attach = os.pipe(), os.pipe(), os.pipe()
given = {"_OCI_SYNCPIPE": sync[1], "_OCI_STARTPIPE": start[0], "_OCI_ATTACHPIPE": attach[1]}
environment = dict(os.environ, **{name: str(fd) for name, fd in given.items()})
monitor = subprocess.Popen(command, pass_fds=given.values(), env=environment, stdin=subprocess.DEVNULL)
for fd in given.values():
    os.close(fd)
os.write(start[1], b"x")
os.fdopen(attach[0]).readline()
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(os.path.join(bundle, "session", "attach"))
os.write(start[1], b"x")
os.close(start[1])
while packet := client.recv(8193):
    print({2: "out", 3: "err"}[packet[0]], packet[1:].decode().strip())
for line in os.fdopen(sync[0]):
    print("said", json.loads(line)["data"])
monitor.wait()
END
}

@test "podman's exec --exec-attach: both streams through the socket, the pid and the status on the sync pipe" {
    command_is sleep 1000
    monitor "${podman[@]}"
    wait_for test -s pidfile
    wherry start "$CID"
    run attached sh -c 'echo to out; sleep 0.2; echo to err >&2; exit 9'
    wherry kill "$CID" KILL
    have_status 0
    have_line '^out to out$'
    have_line '^err to err$'
    have_line "^said $(cat session/pid)$"
    have_line '^said 9$'
    [ "$(cat "session/$CID")" = 9 ]
    ended 137
}
