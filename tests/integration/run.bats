#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a process finds when it runs in a container of wherry's.
load helpers

# Runs the container in the foreground.
go() { run wherry run -b "$BUNDLE" "$CID"; }

@test "run: pid 1, with the host name of the config" {
    config '.hostname = "skiff" | .domainname = "river"'
    shell_is 'echo pid $$; hostname; cat /proc/sys/kernel/domainname'
    go
    have_status 0
    [ "$output" = "pid 1
skiff
river" ]
}

@test "run: the exit status of the payload, and of the signal that ended it" {
    shell_is 'exit 7'
    go
    have_status 7
    # Pid 1 of a pid namespace ignores its own signals; without one it does not.
    config 'del(.linux.namespaces[] | select(.type == "pid"))'
    config '.mounts |= map(select(.destination != "/proc"))'
    config 'del(.linux.maskedPaths, .linux.readonlyPaths)'
    shell_is 'kill -KILL $$'
    go
    have_status 137
    shell_is 'kill -TERM $$'
    go
    have_status 143
}

@test "a caller that ignores SIGCHLD: the status, hooks and ps are as ever" {
    ignoring() { run perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV or die "$!"' "$WHERRY" --root "$ROOT" "$@"; }
    shell_is 'exit 7'
    config '.hooks = {prestart: [{path: "/bin/true"}], poststop: [{path: "/bin/true"}]}'
    ignoring run "$CID"
    have_status 7
    command_is sleep 1000
    wherry run -d "$CID" </dev/null >/dev/null
    ignoring exec "$CID" sh -c 'exit 8'
    have_status 8
    ignoring ps "$CID"
    have_status 0
    have "sleep 1000"
}

@test "run: standard input and output pass through" {
    command_is tr a-z A-Z
    run bash -c 'printf "hello\nworld\n" | "$WHERRY" --root "$1" run -b "$2" "$3" 3>&- 4>&-' sh "$ROOT" "$BUNDLE" "$CID"
    have_status 0
    [ "$output" = "HELLO
WORLD" ]
    shell_is 'echo out; echo err >&2'
    out=$(wherry run -b "$BUNDLE" "$CID" 2>"$BATS_TEST_TMPDIR/err")
    [ "$out" = out ]
    [ "$(cat "$BATS_TEST_TMPDIR/err")" = err ]
}

@test "run: large output is complete" {
    command_is head -c 3000000 /dev/zero
    [ "$(wherry run -b "$BUNDLE" "$CID" | wc -c)" = 3000000 ]
}

@test "run: nothing of the caller's environment, and HOME from the container's passwd" {
    config '.process.env = ["PATH=/bin", "A=1", "A=2", "B=x=y"]'
    command_is /bin/env
    LEAK=yes go
    have_status 0
    have_not LEAK
    have "B=x=y"
    have "A=2"
    have_not "A=1"
    have "HOME=/root"
    config '.process.user = { uid: 1000, gid: 1000 }'
    go
    have "HOME=/home/user"
    config '.process.user = { uid: 4242, gid: 1000 }'
    go
    have_line '^HOME=/$'
    config '.process.env += ["HOME=/elsewhere"]'
    go
    have "HOME=/elsewhere"
}

@test "run: a FIFO as /etc/passwd hangs nothing" {
    rm rootfs/etc/passwd
    mkfifo rootfs/etc/passwd
    command_is /bin/env
    run timeout 20 "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID"
    have_status 0
    have "HOME=/"
}

@test "run: the working directory, made if it is missing" {
    config '.process.cwd = "/new/dir"'
    command_is pwd
    go
    have_status 0
    [ "$output" = /new/dir ]
}

@test "run: ids, groups and umask" {
    config '.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 77], umask: 63 }'
    shell_is 'id -u; id -g; id -G; umask; grep ^Groups: /proc/self/status'
    go
    have_status 0
    have_line '^1000$'
    have_line '^1001$'
    have_line '^1001 5 77$'
    have_line '^0077$'
    have_line '^Groups:	5 77 $'
}

@test "run: no supplementary group unless asked for, umask 022" {
    shell_is 'grep ^Groups: /proc/self/status; umask'
    go
    have_status 0
    have_line '^Groups:[[:space:]]*$'
    have_line '^0022$'
}

# bats test_tags=vm
@test "run: capabilities are exactly those of the five sets" {
    config '.process.capabilities = { bounding: ["CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE"], permitted: ["CAP_KILL", "CAP_CHOWN"],
        effective: ["CAP_CHOWN"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"] }'
    config '.process.user = { uid: 1000, gid: 1000 }'
    command_is grep Cap /proc/self/status
    go
    have_status 0
    # Without uid 0, execve leaves what is ambient.
    have "CapInh:	0000000000000020"
    have "CapPrm:	0000000000000020"
    have "CapEff:	0000000000000020"
    have "CapBnd:	0000000000000421"
    have "CapAmb:	0000000000000020"
    config 'del(.process.capabilities)'
    go
    have "CapBnd:	0000000000000000"
    have "CapEff:	0000000000000000"
}

@test "run: as root without inheritable capabilities" {
    config '.process.capabilities = { bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"] }'
    command_is grep Cap /proc/self/status
    go
    have_status 0
    have "CapInh:	0000000000000000"
    have "CapPrm:	0000000000000020"
    have "CapEff:	0000000000000020"
    have "CapBnd:	0000000000000020"
    have "CapAmb:	0000000000000000"
}

@test "run: no new privileges, or not" {
    command_is grep NoNewPrivs /proc/self/status
    config '.process.noNewPrivileges = true'
    go
    have "NoNewPrivs:	1"
    config '.process.noNewPrivileges = false'
    go
    have "NoNewPrivs:	0"
}

# bats test_tags=vm
@test "run: limits, exactly" {
    config '.process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 100, hard: 200 }, { type: "RLIMIT_CORE", soft: 0, hard: 0 } ]'
    command_is cat /proc/self/limits
    go
    have_status 0
    have_line '^Max open files +100 +200 '
    have_line '^Max core file size +0 +0 '
    # Fewer descriptors than wherry-init itself uses.
    config '.process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 4, hard: 4 } ]'
    go
    have_status 0
    have_line '^Max open files +4 +4 '
}

@test "run: oom_score_adj" {
    own=$(cat /proc/self/oom_score_adj)
    config ".process.oomScoreAdj = $((own + 100 > 1000 ? 1000 : own + 100))"
    command_is cat /proc/self/oom_score_adj
    go
    have_status 0
    [ "$output" = "$((own + 100 > 1000 ? 1000 : own + 100))" ]
}

@test "run: personality" {
    [ "$(uname -m)" = x86_64 ] || skip "about x86-64"
    config '.linux.personality = { domain: "LINUX32" }'
    command_is uname -m
    go
    have_status 0
    [ "$output" = i686 ]
}

@test "run: no descriptor but 0, 1 and 2" {
    # ls adds the directory that it reads.
    command_is ls /proc/self/fd
    exec 7</dev/null 9</dev/null
    go
    exec 7<&- 9<&-
    have_status 0
    [ "$output" = "0
1
2
3" ]
}

@test "run: --preserve-fds passes the next ones, and no more" {
    shell_is 'ls /proc/self/fd; cat <&3; cat <&4'
    echo three >"$BATS_TEST_TMPDIR/3"
    echo four >"$BATS_TEST_TMPDIR/4"
    echo five >"$BATS_TEST_TMPDIR/5"
    # shellcheck disable=SC2016 # for the inner shell
    run bash -c '"$WHERRY" --root "$1" run -b "$2" --preserve-fds 2 "$3" 3<"$4/3" 4<"$4/4" 5<"$4/5"' sh "$ROOT" "$BUNDLE" "$CID" "$BATS_TEST_TMPDIR"
    have_status 0
    have three
    have four
    have_not five
    have_not "6"
}

@test "run: a preserved descriptor that is not there is an error" {
    # shellcheck disable=SC2016 # for the inner shell
    run bash -c 'exec 3>&- 4>&-; "$WHERRY" --root "$1" run -b "$2" --preserve-fds 2 "$3"' sh "$ROOT" "$BUNDLE" "$CID"
    have_status 1
    [ ! -e "$ROOT/$CID" ]
}

@test "run: closed standard descriptors are not reused for something else" {
    shell_is 'ls -l /proc/self/fd >/tmp/fds 2>/dev/null; exit 0'
    # shellcheck disable=SC2016 # for the inner shell
    run bash -c '"$WHERRY" --root "$1" run -b "$2" "$3" <&- >&- 2>&-' sh "$ROOT" "$BUNDLE" "$CID"
    have_status 0
    run cat rootfs/tmp/fds
    have_line ' 0 -> /dev/null$'
    have_line ' 2 -> /dev/null$'
}

@test "run: what is in config.json, and nothing else, decides about the session" {
    command_is sh -c 'read -r pid comm state ppid pgrp session rest </proc/self/stat; echo $pgrp $session'
    go
    have_status 0
    [ "$output" = "1 1" ]
}

@test "run: signals are passed on" {
    shell_is 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
    # shellcheck disable=SC2016 # for the inner shell
    "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
    pid=$!
    for _ in $(seq 100); do
        grep -q ready "$BATS_TEST_TMPDIR/out" && break
        sleep 0.05
    done
    kill -TERM "$pid"
    status=0
    wait "$pid" || status=$?
    output=$(cat "$BATS_TEST_TMPDIR/out")
    have_status 3
    have "got it"
}

@test "run: --no-pivot, for a root that cannot be pivoted" {
    shell_is 'cat /proc/self/mountinfo | wc -l; ls /'
    run wherry run --no-pivot -b "$BUNDLE" "$CID"
    have_status 0
    have bin
    have_not "$BATS_TEST_TMPDIR"
}

@test "run: sysctl of a namespace of its own" {
    config '.linux.sysctl = { "net.ipv4.ip_forward": "1", "kernel.msgmax": "4242" }'
    shell_is 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax'
    before=$(cat /proc/sys/kernel/msgmax)
    go
    have_status 0
    [ "$output" = "1
4242" ]
    [ "$(cat /proc/sys/kernel/msgmax)" = "$before" ]
}

@test "run: a sysctl of the host's is refused, naming the namespace" {
    config '.linux.sysctl = { "net.ipv4.ip_forward": "1" } | .linux.namespaces |= map(select(.type != "network"))'
    go
    have_status 1
    have network
    have net.ipv4.ip_forward
    config '.linux.sysctl = { "vm.swappiness": "1" }'
    go
    have_status 1
    have vm.swappiness
}

@test "run: a host name needs a namespace of its own" {
    config '.linux.namespaces |= map(select(.type != "uts"))'
    go
    have_status 1
    have /hostname
    have "UTS namespace"
}

@test "run: joins the namespaces that have a path" {
    unshare -n -u sh -c 'hostname other; ip link set lo up 2>/dev/null; exec sleep 60' 3>&- 4>&- &
    holder=$!
    for _ in $(seq 100); do
        [ "$(readlink /proc/$holder/ns/uts)" != "$(readlink /proc/self/ns/uts)" ] && [ "$(cat /proc/$holder/comm)" = sleep ] && break
        sleep 0.05
    done
    config '.linux.namespaces |= map(if .type == "network" then .path = $n elif .type == "uts" then .path = $u else . end) | del(.hostname)' \
        --arg n "/proc/$holder/ns/net" --arg u "/proc/$holder/ns/uts"
    shell_is 'readlink /proc/self/ns/net; readlink /proc/self/ns/uts; hostname'
    go
    wanted="$(readlink /proc/$holder/ns/net)
$(readlink /proc/$holder/ns/uts)
other"
    kill "$holder"
    have_status 0
    [ "$output" = "$wanted" ]
}

@test "run: a namespace path of another kind is an error" {
    config '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/uts" else . end)'
    go
    have_status 1
    have /proc/self/ns/uts
}

@test "run: all eight namespaces are new" {
    config '.linux.namespaces = [ "pid", "network", "ipc", "uts", "mount", "cgroup", "time" | { type: . } ]'
    shell_is 'for n in pid net ipc uts mnt cgroup time; do echo $n $(readlink /proc/self/ns/$n); done'
    go
    have_status 0
    for n in pid net ipc uts mnt cgroup time; do
        have_line "^$n "
        have_not "$n $(readlink /proc/self/ns/$n)"
    done
}

@test "run: the loopback interface of a new network namespace is up" {
    command_is cat /sys/class/net/lo/operstate /sys/class/net/lo/flags
    go
    have_status 0
    # IFF_UP is the lowest bit.
    have 0x9
}

@test "run: the container is gone afterwards, and stays with --keep" {
    go
    have_status 0
    run wherry state "$CID"
    have_status 1
    have "does not exist"
    run wherry run --keep -b "$BUNDLE" "$CID"
    have_status 0
    run wherry state "$CID"
    have_status 0
    [ "$(jq -r .status <<<"$output")" = stopped ]
    wherry delete "$CID"
}

@test "run -d: returns while the payload runs" {
    command_is sleep 60
    # The payload keeps its standard output, which must not be the pipe that `run` reads to the end.
    wherry run -d -b "$BUNDLE" --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" >/dev/null 2>&1 </dev/null
    [ "$(pid_of "$CID")" = "$(cat "$BATS_TEST_TMPDIR/pid")" ]
    [ "$(tr '\0' ' ' <"/proc/$(pid_of "$CID")/cmdline")" = "sleep 60 " ]
}
