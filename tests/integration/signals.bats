#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Signals to a container that is created and not started: what they do to runc's init, they do to ours.
load helpers

ENDING=(1 2 3 4 5 6 7 8 11 15 16 31)
IGNORED=(10 12 13 14 17 18 20 21 22 23 24 25 26 27 28 29 30 34 50 64)

created() {
    wherry create -b "$BUNDLE" "$CID" >/dev/null </dev/null
    [ "$(wherry state "$CID" | jq -r .status)" = created ]
}

each_signal_ends() {
    for sig in "${ENDING[@]}"; do
        created
        run wherry kill "$CID" "$sig"
        have_status 0
        [ -z "$output" ]
        wait_status "$CID" stopped || { echo "after signal $sig"; return 1; }
        run wherry start "$CID"
        have_status 1
        have "cannot start a container that has stopped"
        run wherry kill "$CID" TERM
        have_status 1
        have "container not running"
        # Without force: it has stopped.
        run wherry delete "$CID"
        have_status 0
    done
}

others_do_nothing() {
    shell_is 'grep -E "^Sig(Blk|Ign|Cgt|Pnd)" /proc/self/status >/sigs; exec sleep 1000'
    created
    for sig in "${IGNORED[@]}"; do
        wherry kill "$CID" "$sig"
    done
    sleep 0.2
    [ "$(wherry state "$CID" | jq -r .status)" = created ]
    # None of them is kept for the payload, which has every signal unblocked, with its default action.
    wherry start "$CID"
    wait_status "$CID" running
    for _ in $(seq 100); do [ "$(wc -l 2>/dev/null <rootfs/sigs)" = 4 ] && break; sleep 0.05; done
    run cat rootfs/sigs
    have_line '^SigBlk:	0+$'
    have_line '^SigIgn:	0+$'
    have_line '^SigPnd:	0+$'
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

test_setup() {
    need root
    command_is sleep 1000
    config '.root.readonly = false'
}

@test "created: HUP, INT, QUIT, TERM and what else ends runc's init end ours" { each_signal_ends; }

@test "created, without a pid namespace: the same signals end init" {
    config '.linux.namespaces |= map(select(.type != "pid"))'
    each_signal_ends
}

# bats test_tags=vm
@test "created: the other signals do nothing, and the payload does not inherit any of it" { others_do_nothing; }

@test "created, without a pid namespace: the other signals do nothing" {
    config '.linux.namespaces |= map(select(.type != "pid"))'
    others_do_nothing
}

@test "created: a signal ends init also while a client of its socket is silent" {
    need python3
    created
    python3 - "$ROOT/$CID/start.sock" >connected 3>&- 4>&- <<'EOF' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
print(flush=True)
time.sleep(60)
EOF
    client=$!
    for _ in $(seq 200); do [ -s connected ] && break; sleep 0.05; done
    # Time for init to accept it, and to wait for its message.
    sleep 0.2
    run wherry kill "$CID" TERM
    have_status 0
    wait_status "$CID" stopped
    kill "$client"
}

@test "created: the status of init is that of the signal" {
    need python3
    config '.linux.namespaces |= map(select(.type != "pid"))'
    # The parent of init, as an engine's monitor is.
    run python3 - "$WHERRY" "$ROOT" "$BUNDLE" "$CID" <<'EOF'
import ctypes, os, subprocess, sys
wherry, root, bundle, cid = sys.argv[1:]
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
file = bundle + "/pid"
subprocess.run([wherry, "--root", root, "create", "-b", bundle, "--pid-file", file, cid], check=True, stdin=subprocess.DEVNULL)
pid = int(open(file).read())
subprocess.run([wherry, "--root", root, "kill", cid, "TERM"], check=True)
status = os.waitpid(pid, 0x40000000)[1]
print("signal", os.WTERMSIG(status) if os.WIFSIGNALED(status) else -1)
EOF
    have_status 0
    have "signal 15"
}

@test "while a startContainer hook runs: TERM, INT, QUIT and HUP end pid 1, other signals do nothing; with start and with run" {
    local signal pid
    config '.hooks.startContainer = [{path: "/bin/sleep", args: ["sleep", "30"]}]'
    for signal in TERM INT QUIT HUP; do
        wherry create "$CID" </dev/null >/dev/null 2>&1
        "$WHERRY" --root "$ROOT" start "$CID" </dev/null >start.out 2>&1 3>&- 4>&- &
        pid=$!
        for _ in $(seq 100); do pgrep -P "$pid" -f '^sleep 30' && break; sleep 0.02; done
        wherry kill "$CID" "$signal"
        status=0
        timeout 5 tail --pid="$pid" -f /dev/null
        wait "$pid" || status=$?
        [ "$status" = 1 ]
        grep -qE "error running startContainer hook #0: (container init died meanwhile|killed by signal 9)" start.out
        # A container whose startContainer hook failed is destroyed.
        [ ! -e "$ROOT/$CID" ]
    done
    # Ignored until now, and not pending when the payload is there.
    config '.hooks.startContainer = [{path: "/bin/sleep", args: ["sleep", "1"]}]'
    shell_is 'trap "echo USR1; exit 3" USR1; trap "echo CHLD" WINCH; sleep 0.2; echo whole'
    "$WHERRY" --root "$ROOT" run "$CID" </dev/null >run.out 2>&1 3>&- 4>&- &
    pid=$!
    for _ in $(seq 100); do pgrep -P "$pid" -f '^sleep 1$' && break; sleep 0.02; done
    kill -USR1 "$(pid_of "$CID")"
    kill -WINCH "$(pid_of "$CID")"
    wait "$pid"
    [ "$(cat run.out)" = whole ]
}
