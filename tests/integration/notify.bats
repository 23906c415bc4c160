#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Readiness (sd_notify) and socket activation: what a service manager expects of what it starts.
load helpers
load inside

test_setup() {
    need root python3
    MANAGER=$BATS_TEST_TMPDIR/manager.sock
    # A client of the protocol in the container: busybox has none.
    cat >"$BATS_FILE_TMPDIR/say.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
int main(int argc, char **argv)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), i, k;

    strcpy(a.sun_path, getenv("NOTIFY_SOCKET"));
    for (i = 1; i < argc; i++)
        for (k = 0; k < (argv[i][0] == '*' ? 20000 : 1); k++)
            if (sendto(s, argv[i], strlen(argv[i]), 0, (void *)&a, sizeof a) < 0) {
                perror("sendto");
                return 1;
            }
    return 0;
}
C
    [ -x "$BATS_FILE_TMPDIR/say" ] || "${CC:-gcc}" -static -o "$BATS_FILE_TMPDIR/say" "$BATS_FILE_TMPDIR/say.c"
    cp "$BATS_FILE_TMPDIR/say" "$BUNDLE/rootfs/bin/say"
    chmod 755 "$BUNDLE/rootfs/bin/say"
}
test_teardown() {
    local pid
    for pid in ${manager_pid:-} ${starter:-}; do kill "$pid" 2>/dev/null || :; done
}

manager() {
    "$SRC/tests/tools/notify-manager" "$@" >manager.out 2>manager.err 3>&- 4>&- &
    manager_pid=$!
    for _ in $(seq 200); do grep -q listening manager.out && return; sleep 0.05; done
    cat manager.err
    return 1
}
heard() { tail -n +2 manager.out; }
wait_for() { # FILE TEXT
    for _ in $(seq 200); do grep -qF -- "$2" "$1" && return; sleep 0.05; done
    echo "$1 lacks $2:"
    cat "$1"
    return 1
}
start_in_background() {
    NOTIFY_SOCKET=${1-$MANAGER} "$WHERRY" --root "$ROOT" start "$CID" >start.out 2>&1 </dev/null 3>&- 4>&- &
    starter=$!
}

@test "start waits for READY=1, passes it on, then MAINPID and a barrier; nothing else of the payload reaches the manager" {
    manager "$MANAGER"
    shell_is 'env | grep NOTIFY; say "STATUS=warming up" "FDSTORE=1" "MAINPID=1"; while [ ! -e /tmp/go ]; do sleep 0.05; done; say "STATUS=up
READY=1
ERRNO=5"; sleep 60'
    NOTIFY_SOCKET=$MANAGER detached create "$CID"
    have_status 0
    start_in_background
    wait_status "$CID" running
    sleep 0.3
    kill -0 "$starter"
    [ -z "$(heard)" ]
    # While it waits, the others do not.
    run timeout -k 1 5 "$WHERRY" --root "$ROOT" kill "$CID" 0 3>&- 4>&-
    have_status 0
    pid=$(pid_of "$CID")
    : >"$BUNDLE/rootfs/tmp/go" || : >"/proc/$pid/root/tmp/go"
    wait "$starter"
    starter=
    [ ! -s start.out ]
    [ "$(heard)" = "$(printf '["READY=1", 0]\n["MAINPID=%s", 0]\n["BARRIER=1", 1]' "$pid")" ]
}

@test "run -d and an abstract address" {
    manager "@$CID"
    shell_is 'say READY=1; sleep 60'
    NOTIFY_SOCKET="@$CID" detached run -d "$CID"
    have_status 0
    [ "$(heard | jq -r '.[0]' | paste -sd' ')" = "READY=1 MAINPID=$(pid_of "$CID") BARRIER=1" ]
}

@test "run in the foreground passes READY on while it serves the payload, and stays the main process; also with a terminal" {
    manager "$MANAGER"
    shell_is 'say READY=1; sleep 0.3; echo done'
    for tty in false true; do
        config '.process.terminal = $t | if $t and ([.mounts[].destination] | index("/dev/pts") | not) then .mounts += [{destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]}] else . end' --argjson t "$tty"
        run env NOTIFY_SOCKET="$MANAGER" timeout -k 1 20 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
        have_status 0
        have "done"
    done
    [ "$(heard)" = "$(printf '["READY=1", 0]\n["READY=1", 0]')" ]
}

@test "the end of init ends the wait; delete -f does not wait for it; a flood changes nothing" {
    manager "$MANAGER"
    shell_is 'exit 3'
    NOTIFY_SOCKET=$MANAGER detached create "$CID"
    start_in_background
    wait "$starter"
    [ -z "$(heard)" ]
    wherry delete "$CID"
    shell_is 'say READY=0 READY=10 xREADY=1 "*flood"; sleep 60'
    NOTIFY_SOCKET=$MANAGER detached create "$CID"
    start_in_background
    wait_status "$CID" running
    sleep 0.5
    kill -0 "$starter"
    run timeout -k 1 10 "$WHERRY" --root "$ROOT" delete -f "$CID" 3>&- 4>&-
    have_status 0
    wait "$starter"
    starter=
    [ -z "$(heard)" ]
    # The same of run -d, which made the container.
    NOTIFY_SOCKET=$MANAGER "$WHERRY" --root "$ROOT" run -d "$CID" </dev/null >out 2>&1 3>&- 4>&- &
    starter=$!
    wait_status "$CID" running
    run timeout -k 1 10 "$WHERRY" --root "$ROOT" delete -f "$CID" 3>&- 4>&-
    have_status 0
    wait "$starter"
    starter=
}

@test "the socket: any user may write to it, the directory is read-only, and its environment variable wins over the configuration's" {
    manager "$MANAGER"
    config '.process.user = { uid: 1000, gid: 1000 } | .process.env += ["NOTIFY_SOCKET=/nonesuch"]'
    shell_is 'echo "at $NOTIFY_SOCKET"; touch /run/notify/x; ls -ln /run/notify/notify.sock; grep " /run/notify " /proc/self/mountinfo; say READY=1'
    run env NOTIFY_SOCKET="$MANAGER" timeout -k 1 20 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 0
    have "at /run/notify/notify.sock"
    have "Read-only file system"
    have_line '^srwxrwxrwx'
    have_line ' ro,nosuid,nodev,noexec'
    [ "$(heard)" = '["READY=1", 0]' ]
}

@test "in a user namespace" {
    need userns
    manager "$MANAGER"
    config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE"
    # Its root owns nothing of the rootfs.
    mkdir -p "$BUNDLE/rootfs/run/notify"
    shell_is 'say READY=1'
    run env NOTIFY_SOCKET="$MANAGER" timeout -k 1 20 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 0
    [ "$(heard)" = '["READY=1", 0]' ]
}

@test "without NOTIFY_SOCKET at create there is no socket; without it at start nobody waits; a manager that is gone is no failure" {
    shell_is 'echo "${NOTIFY_SOCKET-none}"; ls -d /run/notify; sleep 60'
    NOTIFY_SOCKET='' detached create "$CID"
    start_in_background
    wait "$starter"
    wherry delete -f "$CID"
    shell_is 'sleep 60'
    NOTIFY_SOCKET=$MANAGER detached create "$CID"
    have_status 0
    detached start "$CID"
    have_status 0
    wherry delete -f "$CID"
    shell_is 'say READY=1; sleep 60'
    NOTIFY_SOCKET=$MANAGER detached create "$CID"
    start_in_background "$MANAGER.none"
    wait "$starter"
    starter=
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

@test "with systemd-notify itself, whose barrier must be answered" {
    need systemd-notify
    manager "$MANAGER"
    # Through the rootfs of the host: the program is linked dynamically.
    config '.root = { path: "/", readonly: true } | .process.args = ["/usr/bin/systemd-notify", "--ready", "--status=up"] | .mounts += [{destination: "/run", type: "tmpfs", source: "tmpfs"}]'
    run env NOTIFY_SOCKET="$MANAGER" timeout -k 1 20 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 0
    [ "$(heard)" = '["READY=1", 0]' ]
}

@test "socket activation: the descriptors, their number, names and process id, before the preserved ones" {
    shell_is 'env | grep ^LISTEN | sort; ls /proc/self/fd | sort -n | paste -sd" "; cat <&3; cat <&4'
    echo first >one
    echo second >two
    config '.process.env += ["LISTEN_FDNAMES=theirs", "LISTEN_FDS=9"]'
    run bash -c 'export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$BASHPID
        exec "$0" --root "$1" run --preserve-fds 1 "$2" 3<one 4<two' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    have_line '^LISTEN_FDNAMES=web$'
    have_line '^LISTEN_FDS=1$'
    have_line '^LISTEN_PID=1$'
    have_line '^0 1 2 3 4( 5)?$'
    have first
    have second
    # Meant for another process.
    shell_is 'env | grep ^LISTEN || echo none; ls /proc/self/fd | paste -sd" "'
    config '.process.env |= map(select(startswith("LISTEN") | not))'
    run bash -c 'export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=1; exec "$0" --root "$1" run "$2" 3<one 4>&-' "$WHERRY" "$ROOT" "$CID"
    have none
    have_line '^0 1 2( 3)?$'
}

@test "socket activation by systemd-socket-activate: the payload answers on the socket that it was given" {
    need systemd-socket-activate
    shell_is 'echo "$LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES"; readlink /proc/self/fd/3'
    timeout -k 1 20 systemd-socket-activate -l "$BATS_TEST_TMPDIR/listen.sock" --fdname=web "$WHERRY" --root "$ROOT" run "$CID" >out 2>err </dev/null 3>&- 4>&- &
    starter=$!
    for _ in $(seq 100); do [ -S "$BATS_TEST_TMPDIR/listen.sock" ] && break; sleep 0.05; done
    python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])' "$BATS_TEST_TMPDIR/listen.sock"
    wait "$starter" || { cat out err; false; }
    starter=
    grep -q "^1 1 web$" out
    grep -q "^socket:" out
}

@test "--pidfd-socket and run.oci.pidfd_receiver: one message, one pidfd of init; nobody there undoes all" {
    cat >receiver <<'P'
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1])
s.listen(1)
s.settimeout(20)
print("listening", flush=True)
peer, _ = s.accept()
data, anc, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(64))
fds = array.array("i")
fds.frombytes(anc[0][2])
info = dict(l.split(":\t", 1) for l in open("/proc/self/fdinfo/%d" % fds[0]) if ":\t" in l)
print(len(fds), data.decode(), info["Pid"].strip(), len(peer.recv(10)), flush=True)
P
    receive() {
        rm -f "$1"
        python3 receiver "$1" >received 2>&1 3>&- 4>&- &
        manager_pid=$!
        wait_for received listening
    }
    shell_is 'sleep 60'
    # By annotation, from the bundle on.
    config '.annotations = { "run.oci.pidfd_receiver": "sock" }'
    receive sock
    cd /
    detached create -b "$BUNDLE" "$CID"
    have_status 0
    cd "$BUNDLE"
    wait "$manager_pid"
    [ "$(tail -n 1 received)" = "1 standard $(pid_of "$CID") 0" ]
    wherry delete -f "$CID"
    # The option comes first; of run -d as well.
    config '.annotations = { "run.oci.pidfd_receiver": "/none" }'
    receive sock
    detached run -d --pidfd-socket "$BUNDLE/sock" "$CID"
    have_status 0
    wait "$manager_pid"
    [ "$(tail -n 1 received)" = "1 standard $(pid_of "$CID") 0" ]
    wherry delete -f "$CID"
    manager_pid=
    refused "connect to pidfd socket /none: no such file or directory"
    detached create --pid-file pid --pidfd-socket "$BUNDLE/config.json" "$CID"
    have "it is not a socket"
    [ ! -e pid ]
    [ ! -e "$ROOT/$CID" ]
}

@test "a manager whose queue is full: start and run -d end on TERM and INT, and it is told when there is room" {
    local signal began pid
    manager --full "$MANAGER"
    shell_is 'say READY=1; sleep 100'
    for signal in TERM INT; do
        NOTIFY_SOCKET=$MANAGER wherry create "$CID" </dev/null >/dev/null 2>&1
        NOTIFY_SOCKET=$MANAGER perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$WHERRY" --root "$ROOT" start "$CID" </dev/null >start.out 2>&1 3>&- 4>&- &
        pid=$!
        wait_status "$CID" running
        sleep 0.3
        kill -0 "$pid"
        began=$EPOCHREALTIME
        kill -s "$signal" "$pid"
        wait "$pid" || :
        [ "$(bc <<<"$EPOCHREALTIME - $began < 2")" = 1 ]
        wherry delete -f "$CID"
        NOTIFY_SOCKET=$MANAGER perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$WHERRY" --root "$ROOT" run -d "$CID" </dev/null >run.out 2>&1 3>&- 4>&- &
        pid=$!
        wait_status "$CID" running
        sleep 0.3
        kill -0 "$pid"
        began=$EPOCHREALTIME
        kill -s "$signal" "$pid"
        status=0
        wait "$pid" || status=$?
        [ "$(bc <<<"$EPOCHREALTIME - $began < 2")" = 1 ]
        [ "$status" = 1 ]
        grep -q 'run failed: canceled' run.out
        [ ! -e "$ROOT/$CID" ]
    done
    NOTIFY_SOCKET=$MANAGER wherry create "$CID" </dev/null >/dev/null 2>&1
    start_in_background
    sleep 0.3
    kill -USR1 "$manager_pid"
    wait "$starter"
    heard | grep -q READY=1
    heard | grep -q MAINPID=
}

@test "a manager whose queue is full does not hold up a run in the foreground, and is told when there is room" {
    local began=$EPOCHREALTIME
    manager --full "$MANAGER"
    shell_is 'say READY=1; sleep 0.2; exit 7'
    NOTIFY_SOCKET=$MANAGER run wherry run "$CID" </dev/null
    have_status 7
    [ "$(bc <<<"$EPOCHREALTIME - $began < 4")" = 1 ]
    shell_is 'say READY=1; sleep 100'
    NOTIFY_SOCKET=$MANAGER "$WHERRY" --root "$ROOT" run "$CID" </dev/null >run.out 2>&1 3>&- 4>&- &
    starter=$!
    wait_status "$CID" running
    sleep 0.3
    # A signal reaches the payload meanwhile, too.
    kill -USR1 "$manager_pid"
    wait_for manager.out READY=1
    kill -KILL "$(pid_of "$CID")"
    wait "$starter" || :
}
