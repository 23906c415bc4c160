#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# --init: wherry-init stays as the first process, and the payload is its child.
load helpers
load inside

TOOLS=$SRC/tests/tools
go() { run wherry run --init -b "$BUNDLE" "$CID"; }
test_setup() { need root; }
# The payload writes to files below /out.
out() {
    mkdir -p "$BATS_TEST_TMPDIR/out"
    config '.mounts += [ { destination: "/out", type: "bind", source: $s, options: ["rbind", "rw"] } ]' --arg s "$BATS_TEST_TMPDIR/out"
}
wait_for() { for _ in $(seq 200); do [ ! -e "$1" ] || return 0; sleep 0.05; done; echo "there is no $1"; return 1; }

@test "the payload is a child of pid 1, and its status is the container's" {
    shell_is 'echo "$$ $PPID"; tr "\0" " " </proc/1/cmdline; exit 7'
    go
    have_status 7
    [ "${lines[0]}" = "2 1" ]
    have "wherry:"
    shell_is 'kill -KILL $$'
    go
    have_status 137
    shell_is 'kill -TERM $$'
    go
    have_status 143
}

@test "org.wherry.init asks for it, and takes 0 and 1 only" {
    shell_is 'exit $PPID'
    config '.annotations["org.wherry.init"] = "1"'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    config '.annotations["org.wherry.init"] = "0"'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    config '.annotations["org.wherry.init"] = "yes"'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    have "/annotations/org.wherry.init: must be 0 or 1, not \"yes\""
}

@test "what cannot be executed is an error of create, or of start" {
    command_is /no/such
    go
    have_status 1
    have "no such file or directory"
    printf '#!/no/interpreter\n' >rootfs/bin/script
    chmod 755 rootfs/bin/script
    command_is /bin/script
    go
    have_status 1
    have "no/interpreter"
    # Gone between create and start.
    cp rootfs/bin/busybox rootfs/bin/mine
    command_is /bin/mine true
    detached create --init -b "$BUNDLE" "$CID"
    have_status 0
    rm rootfs/bin/mine
    run wherry start "$CID"
    have_status 1
    have "no such file or directory"
    wait_status "$CID" stopped
}

@test "ten thousand orphans leave no zombie" {
    shell_is 'i=0; while [ $i -lt 100 ]; do (j=0; while [ $j -lt 100 ]; do (:) & j=$((j + 1)); done) & i=$((i + 1)); wait 2>/dev/null; done
        sleep 0.3; n=0
        for p in /proc/[0-9]*/stat; do read -r l <$p 2>/dev/null && case $l in *") Z "*) n=$((n + 1)) ;; esac; done; echo "zombies: $n"'
    go
    have_status 0
    have "zombies: 0"
}

@test "an orphan outlives nothing: the container ends with its payload" {
    shell_is '(sleep 1000 &); exit 0'
    SECONDS=0
    go
    have_status 0
    [ "$SECONDS" -lt 10 ]
}

@test "signals reach the payload: from outside, from within, and those of job control" {
    out
    shell_is 'for s in TERM HUP USR1 WINCH 35; do trap "echo $s >>/out/log" $s; done; echo ready >/out/ready; while :; do sleep 0.05; done'
    wherry run --init -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
    wait_for "$BATS_TEST_TMPDIR/out/ready"
    for s in TERM HUP USR1 WINCH 35; do
        wherry kill "$CID" "$s"
        for _ in $(seq 100); do grep -qs "^$s$" "$BATS_TEST_TMPDIR/out/log" && break; sleep 0.05; done
        grep -q "^$s$" "$BATS_TEST_TMPDIR/out/log"
    done
    # The child of init, that is.
    child=$(cut -d' ' -f1 "/proc/$(pid_of "$CID")/task/$(pid_of "$CID")/children")
    wherry kill "$CID" TSTP
    for _ in $(seq 100); do grep -q '^State:.T' "/proc/$child/status" && break; sleep 0.05; done
    grep -q '^State:.T' "/proc/$child/status"
    wherry kill "$CID" CONT
    for _ in $(seq 100); do grep -q '^State:.T' "/proc/$child/status" || break; sleep 0.05; done
    run ! grep -q '^State:.T' "/proc/$child/status"
    [ "$(grep -c TERM "$BATS_TEST_TMPDIR/out/log")" = 1 ]
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
}

@test "a signal to the payload's own group is not sent back to it" {
    shell_is 'n=0; trap "n=\$((n + 1))" USR1; kill -USR1 0; sleep 0.3; echo "times: $n"'
    go
    have "times: 1"
}

@test "what stays is small, and has nothing: no fd, no capability, no syscall but four" {
    command_is sleep 1000
    wherry run --init -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
    pid=$(pid_of "$CID")
    for _ in $(seq 100); do grep -q '^Seccomp:.2' "/proc/$pid/status" && break; sleep 0.05; done
    cat "/proc/$pid/status"
    grep -q '^Seccomp:.2$' "/proc/$pid/status"
    grep -q '^NoNewPrivs:.1$' "/proc/$pid/status"
    [ -z "$(ls "/proc/$pid/fd")" ]
    # CAP_KILL, which the configuration has given to the payload too.
    grep -q '^CapEff:.0000000000000020$' "/proc/$pid/status"
    [ "$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")" -le 100 ]
    run ! grep -q 'wherry-plan\|mbox' "/proc/$pid/maps"
    # Nothing of it in the container's file system.
    run wherry kill "$CID" KILL
    wait_status "$CID" stopped
    run find rootfs -name '*wherry*'
    [ -z "$output" ]
}

@test "the payload, as the same user, cannot look into it" {
    config 'del(.process.capabilities) | .linux.maskedPaths = []'
    for what in 'cat /proc/1/environ' 'cat /proc/1/exe' 'cat /proc/1/mem' 'cat /proc/1/maps'; do
        shell_is "$what"
        go
        [ "$status" -ne 0 ]
        have "ermission denied"
    done
    # Its process can be signalled, as any init; what cannot be caught does not stop it.
    shell_is 'kill -STOP 1; kill -KILL 1; sleep 0.2; echo end'
    go
    have_status 0
    have end
}

@test "stdio ends with the payload, not with init" {
    out
    shell_is 'exec 1>&- 2>&-; echo x >/out/closed; sleep 1000'
    # `run` reads to the end of the pipe, which init would hold for as long as the payload lives.
    SECONDS=0
    run wherry run --init -d -b "$BUNDLE" "$CID"
    have_status 0
    [ "$SECONDS" -lt 30 ]
    wherry kill "$CID" KILL
}

@test "at a terminal the payload is in the foreground" {
    config '.process.terminal = true'
    shell_is 'echo ready; read -r _ _ _ _ pgrp _ _ tpgid _ </proc/self/stat; read -r x; echo "read $x"; [ "$tpgid" = 2 ] && echo foreground'
    run "$TOOLS/on-a-tty" -i 'hello\n' "$WHERRY" --root "$ROOT" run --init -b "$BUNDLE" "$CID" 3>&- 4>&-
    have "read hello"
    have foreground
}

@test "with a filter that lets the payload do little, and without a pid namespace" {
    shell_is 'mkdir /tmp/x 2>&1; exit 5'
    config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["mkdir", "mkdirat", "rt_sigtimedwait", "capset", "munmap", "prctl"], action: "SCMP_ACT_ERRNO" } ] } | .process.noNewPrivileges = false'
    go
    have_status 5
    have "not permitted"
    config 'del(.linux.seccomp) | .linux.namespaces |= map(select(.type != "pid"))'
    shell_is '(sleep 0.2 &) ; sleep 0.5; exit 6'
    go
    have_status 6
}

@test "SCHED_DEADLINE cannot fork, hence not with --init" {
    config '.process.scheduler = { policy: "SCHED_DEADLINE", runtime: 1000000, deadline: 10000000, period: 10000000 }'
    go
    have_status 1
    have "/process/scheduler: with an init of wherry's the payload is its child, which would lose this scheduling policy"
}

@test "a seccomp listener gets there, though it is the payload's" {
    config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: $s, syscalls: [ { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" } ] }' --arg s "$BATS_TEST_TMPDIR/agent.sock"
    shell_is 'mkdir /tmp/x; echo "$PPID"'
    "$TOOLS/seccomp-agent" "$BATS_TEST_TMPDIR/agent.sock" 83=28 258=28 >agent.out 2>agent.err 3>&- 4>&- &
    agent_pid=$!
    wait_for "$BATS_TEST_TMPDIR/agent.sock"
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run --init "$CID" 3>&- 4>&-
    have "No space left on device"
    have_line '^1$'
    wait "$agent_pid"
}
