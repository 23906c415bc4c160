#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# views: cgroup2
# exec: another process in a container that is there.
# shellcheck disable=SC2154 # status and output are set by bats
# shellcheck disable=SC2016,SC2012 # scripts are for the container's shell; names of files are ours
load helpers
load inside

TOOLS=$SRC/tests/tools

test_setup() {
    need root
    command_is sleep 1000
}

up() {
    to_file wherry run -d "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

# What the container's exec prints; status 0 is expected.
in_it() {
    run wherry exec "$@" </dev/null
    have_status 0
}

userns() {
    need userns
    config '.linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE"
    chown -R 100000:100000 "$BUNDLE/rootfs"
}

# Namespaces, root, cgroup and ids of a process are those of the container's init.
same_as_init() { # PID
    local init ns
    init=$(pid_of "$CID")
    for ns in mnt pid net ipc uts cgroup user time; do
        [ "$(readlink "/proc/$1/ns/$ns")" = "$(readlink "/proc/$init/ns/$ns")" ] || { echo "another $ns namespace"; return 1; }
    done
    [ "$(cat "/proc/$1/cgroup")" = "$(cat "/proc/$init/cgroup")" ] || { echo "another cgroup"; return 1; }
    [ "$(stat -L -c %d:%i "/proc/$1/root")" = "$(stat -L -c %d:%i "/proc/$init/root")" ] || { echo "another root"; return 1; }
}

@test "a command, its output and its status" {
    up
    in_it "$CID" echo hello
    [ "$output" = hello ]
    run wherry exec "$CID" sh -c 'exit 7' </dev/null
    have_status 7
    run wherry exec "$CID" sh -c 'kill -9 $$' </dev/null
    have_status 137
    run wherry exec "$CID" sh -c 'echo out; echo err >&2; cat' <<<"in"
    [ "$output" = $'out\nerr\nin' ]
    in_it "$CID" echo -d --tty -- x
    [ "$output" = "-d --tty -- x" ]
}

@test "all namespaces, the cgroup and the root of init; a session of its own" {
    local pid
    up
    detached exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1000
    have_status 0
    [ -z "$output" ]
    pid=$(cat "$BATS_TEST_TMPDIR/pid")
    same_as_init "$pid"
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 1000 " ]
    [ "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ]
    # It belongs to whoever reaps orphans here, and nothing of wherry is between.
    [ "$(ps -o ppid= -p "$pid" | tr -d ' ')" != "$$" ]
    [ -z "$(pgrep -P "$pid")" ]
}

@test "a container with a user namespace" {
    local pid
    userns
    up
    detached exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1000
    have_status 0
    pid=$(cat "$BATS_TEST_TMPDIR/pid")
    same_as_init "$pid"
    [ "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$pid/status")" = "100000 100000 100000 100000" ]
    [ "$(awk '/^Groups:/ { print NF }' "/proc/$pid/status")" = 1 ]
    in_it -u 5:6 -g 7 "$CID" id
    have "uid=5 gid=6 groups=7"
}

@test "a container without a mount namespace: the root is changed as for its init" {
    config 'del(.mounts, .linux.maskedPaths, .linux.readonlyPaths) | .linux.namespaces |= map(select(.type != "mount"))'
    detached run -d "$CID"
    have_status 0
    in_it "$CID" sh -c 'cat /etc/passwd; pwd; ls /'
    have "user:x:1000:1000"
    have_not "$(basename "$BATS_TEST_TMPDIR")"
}

@test "created: exec works before start" {
    detached create "$CID"
    in_it "$CID" cat /proc/1/comm
    [ "$output" = "wherry:[B]" ]
    [ "$(wherry state "$CID" | jq -r .status)" = created ]
    wherry start "$CID"
}

@test "stopped, missing, no id" {
    command_is true
    run wherry run --keep "$CID" </dev/null
    run wherry exec --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" true
    have_status 255
    [ "$output" = "wherry: exec failed: cannot exec in a stopped container" ]
    run wherry exec --pid-file "$BATS_TEST_TMPDIR/pid" "$CID-none" true
    have_status 255
    [ "$output" = "wherry: exec failed: container does not exist" ]
    run wherry exec "../x" true
    have_status 255
    have "invalid container ID format"
    [ ! -e "$BATS_TEST_TMPDIR/pid" ]
    run wherry exec
    have_status 1
    have '"exec" requires a minimum of 1 argument(s)'
}

@test "paused: refused, or begun when it is resumed" {
    local cg rc
    up
    cg=$(wherry state --verbose "$CID" | jq -r '.. | .cgroup? // empty | select(type == "string")' | head -n 1)
    [ -e "$cg/cgroup.freeze" ] || cg=$(find /sys/fs/cgroup -name "$CID" -exec test -e '{}/cgroup.freeze' ';' -print | head -n 1)
    echo 1 >"$cg/cgroup.freeze"
    while [ "$(wherry state "$CID" | jq -r .status)" != paused ]; do sleep 0.05; done
    run wherry exec "$CID" true
    have_status 255
    [ "$output" = "wherry: exec failed: cannot exec in a paused container (use --ignore-paused to override)" ]
    wherry exec --ignore-paused "$CID" echo resumed >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- 4>&- &
    sleep 0.5
    kill -0 $!
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
    echo 0 >"$cg/cgroup.freeze"
    wait $!
    [ "$(cat "$BATS_TEST_TMPDIR/out")" = resumed ]
    # Whoever does not want to wait any longer leaves nothing.
    echo 1 >"$cg/cgroup.freeze"
    while [ "$(wherry state "$CID" | jq -r .status)" != paused ]; do sleep 0.05; done
    "$WHERRY" --root "$ROOT" exec --ignore-paused --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 999 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
    sleep 0.5
    kill -TERM $!
    rc=0
    wait $! || rc=$?
    [ "$rc" = 255 ]
    grep -q canceled "$BATS_TEST_TMPDIR/out"
    echo 0 >"$cg/cgroup.freeze"
    [ ! -e "$BATS_TEST_TMPDIR/pid" ]
    run wherry exec "$CID" ps
    have_not "sleep 999"
}

@test "a cgroup that is frozen below the container's own: the wait has an end, unless it is wanted" {
    local cg pids=() pid rc
    need strace
    cg=$(awk '$9 == "cgroup2" { print $5 }' /proc/self/mountinfo | head -n 1)/wherry-test/$CID
    # It takes 10 s, and once is enough.
    ! grep -q '^[1-9]' /proc/self/cgroup || grep -q ' cgroup ' /proc/self/mountinfo || skip "shown where the v1 hierarchies are"
    up
    mkdir "$cg/sub"
    echo 1 >"$cg/sub/cgroup.freeze"
    # Before it executes wherry-init; and in that (no room for one more process: B enters by itself).
    "$WHERRY" --root "$ROOT" exec --cgroup sub "$CID" true </dev/null >"$BATS_TEST_TMPDIR/out-1" 2>&1 3>&- 4>&- & pids+=($!)
    strace -qq -o /dev/null -e trace=clone3 -e inject=clone3:error=EAGAIN:when=1 "$WHERRY" --root "$ROOT" exec --cgroup sub "$CID" true \
        </dev/null >"$BATS_TEST_TMPDIR/out-2" 2>&1 3>&- 4>&- & pids+=($!)
    "$WHERRY" --root "$ROOT" exec --ignore-paused --cgroup sub "$CID" echo thawed </dev/null >"$BATS_TEST_TMPDIR/out-3" 2>&1 3>&- 4>&- & pids+=($!)
    for pid in "${pids[@]:0:2}"; do
        rc=0
        wait "$pid" || rc=$?
        [ "$rc" = 255 ]
    done
    grep -q 'wherry-init was not executed within 10 s: its cgroup is frozen' "$BATS_TEST_TMPDIR/out-1"
    grep -q 'the cgroup of the process has been frozen for 10 s (use --ignore-paused' "$BATS_TEST_TMPDIR/out-2"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
    # Of the third one alone there is something.
    [ "$(wc -l <"$cg/sub/cgroup.procs")" -le 2 ]
    echo 0 >"$cg/sub/cgroup.freeze"
    wait "${pids[2]}"
    [ "$(cat "$BATS_TEST_TMPDIR/out-3")" = thawed ]
    [ -z "$(cat "$cg/sub/cgroup.procs")" ]
}

@test "user, groups, cwd, environment, capabilities, no_new_privs of the command line" {
    config '.process.user = {uid: 3, gid: 4, additionalGids: [8]} | .process.env += ["A=1", "B=2"]'
    up
    in_it "$CID" id
    [ "$output" = "uid=3 gid=4 groups=8" ]
    in_it -u 1000 "$CID" id
    [ "$output" = "uid=1000(user) gid=4 groups=8" ]
    in_it -u 1000:1000 -g 9 --additional-gids 10 "$CID" id
    [ "$output" = "uid=1000(user) gid=1000(user) groups=8,9,10" ]
    in_it "$CID" mkdir -p /tmp/made/here; in_it --cwd /tmp/made/here "$CID" pwd
    [ "$output" = /tmp/made/here ]
    in_it -e B=3 --env=C=4 "$CID" env
    have_line '^A=1$'
    have_line '^B=3$'
    have_line '^C=4$'
    [ "$(grep -c ^B= <<<"$output")" = 1 ]
    in_it -u 1000:1000 "$CID" sh -c 'echo $HOME'
    [ "$output" = /home/user ]
    in_it -u 0 "$CID" grep -E '^(CapBnd|CapEff|CapPrm|NoNewPrivs)' /proc/self/status
    have_line '^CapEff:[[:space:]]0*20000420$'
    have_line '^NoNewPrivs:[[:space:]]1$'
    in_it -u 0 -c CAP_SYS_PTRACE --cap CAP_NET_RAW "$CID" grep -E '^(CapBnd|CapEff|CapPrm)' /proc/self/status
    [ "$(grep -c 20082420 <<<"$output")" = 3 ]
    config '.process.noNewPrivileges = false'
    wherry delete -f "$CID"
    up
    in_it "$CID" grep NoNewPrivs /proc/self/status
    have_line '0$'
    in_it --no-new-privs "$CID" grep NoNewPrivs /proc/self/status
    have_line '1$'
}

@test "RLIMIT_NPROC: execve fails where the user has more processes; else the limit is exact from the first fork on" {
    local uid=$((50000 + BASHPID % 10000)) limit n
    shell_is 'sleep 1000 & sleep 1000 & exec sleep 1000'
    config ".process.user = { uid: $uid, gid: $uid }"
    up
    # The two of the shell, and itself.
    for n in $(seq 200); do [ "$(grep -l "^Uid:.$uid\b" /proc/[0-9]*/status 2>/dev/null | wc -l)" != 3 ] ||
        break; sleep 0.05; done
    for limit in 1 2 3 4 5; do
        jq --argjson n "$limit" '.process | .rlimits = [{type: "RLIMIT_NPROC", soft: $n, hard: $n}] | .args = ["sh",
            "-c", "true & wait $! && echo forked"]' config.json >p.json
        for n in $(seq 10); do
            run wherry exec -p p.json "$CID" </dev/null
            case $limit in
            1 | 2)
                have_status 255
                have "resource temporarily unavailable"
                have "(RLIMIT_NPROC of the user is reached)"
                ;;
            3 | 4) have "can't fork" ;;
            *) [ "$output" = forked ] ;;
            esac
        done
    done
}

@test "--process: a whole process, and what it leaves out" {
    config '.process.user.umask = 7 | .process.oomScoreAdj = 77 | .process.rlimits = [{type: "RLIMIT_CORE", soft: 5, hard: 6}]'
    up
    cat >p.json <<'P'
{ "args": ["sh", "-c", "id; pwd; umask; cat /proc/self/oom_score_adj; grep Max.core /proc/self/limits; grep CapEff /proc/self/status; env"],
  "cwd": "/home", "env": ["PATH=/bin", "X=y"], "user": { "uid": 12, "gid": 13, "additionalGids": [14] } }
P
    in_it -p p.json "$CID"
    have_line '^uid=12 gid=13 groups=14$'
    have_line '^/home$'
    have_line '^0007$'
    have_line '^77$'
    have_line 'core file size +5 +6 '
    # Not root: the capabilities of the container are not effective for it, but bounding.
    have_line '^X=y$'
    jq '.user.umask = 22 | .capabilities = {bounding: ["CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"]} | .user.uid = 0
        | .rlimits = [{type: "RLIMIT_CORE", soft: 1, hard: 2}] | .oomScoreAdj = 5' p.json >q.json
    in_it --process=q.json "$CID"
    have_line '^0026$'
    have_line '^77$'
    have_line 'core file size +1 +2 '
    have_line '^CapEff:[[:space:]]0*20$'
}

@test "a bundle that changes after create has no effect" {
    up
    config '.process.env += ["NEW=1"] | .process.user.uid = 55'
    in_it "$CID" sh -c 'id -u; echo "[$NEW]"'
    [ "$output" = $'0\n[]' ]
    rm config.json
    in_it "$CID" true
    # Nothing is left of any of them in the state directory.
    [ "$(ls -A "$ROOT/$CID" | sort | tr '\n' ' ')" = "config.json journal mbox start.sock state.json " ]
    [ "$(stat -c %a "$ROOT/$CID/config.json")" = 600 ]
}

@test "signals of the foreground go to the process" {
    local i rc
    up
    "$WHERRY" --root "$ROOT" exec "$CID" sh -c 'trap "echo got; exit 9" USR1; echo ready; while :; do sleep 0.1; done' \
        >"$BATS_TEST_TMPDIR/out" </dev/null 3>&- 4>&- &
    i=$!
    while ! grep -q ready "$BATS_TEST_TMPDIR/out"; do sleep 0.05; done
    kill -USR1 "$i"
    rc=0
    wait "$i" || rc=$?
    [ "$rc" = 9 ]
    grep -q got "$BATS_TEST_TMPDIR/out"
}

@test "a terminal: of the caller, restored, resized, and never the container's /dev/console" {
    up
    run "$TOOLS/on-a-tty" -s 33x77 "$WHERRY" --root "$ROOT" exec -t "$CID" sh -c 'tty; stty size; ls /dev/console; exit 4' 3>&- 4>&-
    have_line '^/dev/pts/0$'
    have_line '^33 77$'
    have "/dev/console: No such file"
    have "status 4 terminal restored"
    run "$TOOLS/on-a-tty" -i 'typed\n' "$WHERRY" --root "$ROOT" exec -t "$CID" sh -c 'echo ready; read x; echo "got $x"' 3>&- 4>&-
    have_line '^got typed$'
    run "$TOOLS/on-a-tty" -i '\x03' "$WHERRY" --root "$ROOT" exec -t "$CID" sh -c 'trap "exit 5" INT; echo ready; while :; do sleep 0.1; done' 3>&- 4>&-
    have "status 5 terminal restored"
    run "$TOOLS/on-a-tty" "$WHERRY" --root "$ROOT" exec -t "$CID" /none 3>&- 4>&-
    have "status 255 terminal restored"
}

@test "a terminal for an engine: --console-socket" {
    up
    "$TOOLS/console-receiver" "$BATS_TEST_TMPDIR/sock" $'typed\n' >"$BATS_TEST_TMPDIR/received" 2>&1 3>&- 4>&- &
    while ! grep -q listening "$BATS_TEST_TMPDIR/received"; do sleep 0.05; done
    run wherry exec -d -t --console-socket "$BATS_TEST_TMPDIR/sock" --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sh -c 'tty; read x; echo "got $x"'
    have_status 0
    wait $!
    output=$(cat "$BATS_TEST_TMPDIR/received")
    have '"fds": 1'
    have '"after": 0'
    have_line '^/dev/pts/0$'
    have_line '^got typed$'
    [ -s "$BATS_TEST_TMPDIR/pid" ]
}

@test "a terminal in a user namespace belongs to the user" {
    userns
    up
    run "$TOOLS/on-a-tty" "$WHERRY" --root "$ROOT" exec -t -u 1000 "$CID" sh -c 'stat -c %u "$(tty)"; echo x >/dev/tty' 3>&- 4>&-
    have_line '^1000$'
    have "status 0 terminal restored"
}

@test "pid file and pidfd socket" {
    local pid
    up
    python3 - "$BATS_TEST_TMPDIR/fd" >"$BATS_TEST_TMPDIR/got" 3>&- 4>&- <<'P' &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); s.settimeout(20)
print("listening", flush=True)
c, _ = s.accept()
text, fds, _, _ = socket.recv_fds(c, 100, 4)
info = open(f"/proc/self/fdinfo/{fds[0]}").read()
print(text.decode(), len(fds), [l.split()[1] for l in info.splitlines() if l.startswith("Pid:")][0], flush=True)
P
    while ! grep -q listening "$BATS_TEST_TMPDIR/got"; do sleep 0.05; done
    detached exec -d --pidfd-socket "$BATS_TEST_TMPDIR/fd" --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1000
    have_status 0
    wait $!
    pid=$(cat "$BATS_TEST_TMPDIR/pid")
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/got")" = "setns 1 $pid" ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/pid")" = 0 ]
}

@test "descriptors: the preserved ones, and no other" {
    up
    run bash -c 'exec 3<"$1" 4<"$1" 7<"$1"; exec "$2" --root "$3" exec --preserve-fds 1 "$4" ls /proc/self/fd' - \
        "$BUNDLE/config.json" "$WHERRY" "$ROOT" "$CID" </dev/null
    # 4 is the directory that ls reads.
    [ "$(tr '\n' ' ' <<<"$output")" = "0 1 2 3 4 " ]
    run wherry exec --preserve-fds 9 "$CID" true 3>&- 4>&-
    have_status 255
    have "unable to stat preserved-fd"
}

@test "descriptors: one that is not open is not one of our own" {
    up
    # Signals come by the lowest free number.
    run bash -c 'exec "$0" --root "$1" exec --preserve-fds 1 "$2" readlink /proc/self/fd/3' "$WHERRY" "$ROOT" "$CID" </dev/null 3>&- 4>&-
    have_status 255
    have "exec failed: unable to stat preserved-fd 0 (of 1)"
}

@test "socket activation: the descriptors come first, and LISTEN_PID is the process's own" {
    local with='exec 3<one 4<two; export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$BASHPID; exec "$0" --root "$1" exec'
    echo first >one
    echo second >two
    config '.process.env += ["LISTEN_PID=9", "LISTEN_FDS=9"]'
    up
    run bash -c "$with"' --preserve-fds 1 "$2" sh -c "echo \$LISTEN_FDS \$LISTEN_FDNAMES \$((LISTEN_PID == \$\$)) \$LISTEN_PID; cat <&3; cat <&4"' \
        "$WHERRY" "$ROOT" "$CID" </dev/null
    have_status 0
    have_line '^1 web 1 [0-9]+$'
    have_not "1 web 1 9"
    [ "${lines[1]}" = first ]
    [ "${lines[2]}" = second ]
    # Meant for another process.
    run bash -c 'exec 3<one 4>&-; export LISTEN_FDS=1 LISTEN_PID=1; exec "$0" --root "$1" exec "$2" sh -c "echo \$LISTEN_FDS \$LISTEN_PID; ls /proc/self/fd"' \
        "$WHERRY" "$ROOT" "$CID" </dev/null
    have_status 0
    [ "$(tr '\n' ' ' <<<"$output")" = "9 9 0 1 2 3 " ]
    run bash -c 'exec 4>&-; export LISTEN_FDS=x LISTEN_PID=$BASHPID; exec "$0" --root "$1" exec "$2" true' "$WHERRY" "$ROOT" "$CID" </dev/null
    have_status 255
    have 'exec failed: LISTEN_FDS is "x", which is no number of descriptors'
}

@test "affinity: not the caller's; execCPUAffinity" {
    local all
    [ "$(nproc)" -gt 1 ] || skip "needs two processors"
    all=$(grep Cpus_allowed_list /proc/1/status | cut -f 2)
    to_file taskset -c 0 "$WHERRY" --root "$ROOT" run -d "$CID"
    [ "$(grep Cpus_allowed_list "/proc/$(pid_of "$CID")/status" | cut -f 2)" = "$all" ]
    run taskset -c 0 "$WHERRY" --root "$ROOT" exec "$CID" grep Cpus_allowed_list /proc/self/status </dev/null
    [ "$(cut -f 2 <<<"$output")" = "$all" ]
    jq '{args: ["grep", "Cpus_allowed_list", "/proc/self/status"], cwd, env, user: .process.user} + .process | .args = ["grep", "Cpus_allowed_list", "/proc/self/status"] | .execCPUAffinity = {initial: "0", final: "1"}' config.json >p.json
    in_it -p p.json "$CID"
    [ "$(cut -f 2 <<<"$output")" = 1 ]
    jq '.execCPUAffinity = {initial: "0"}' p.json >q.json
    in_it -p q.json "$CID"
    [ "$(cut -f 2 <<<"$output")" = 0 ]
    jq '.execCPUAffinity = {final: "5000"}' p.json >q.json
    run wherry exec -p q.json "$CID" </dev/null
    have_status 255
    have "q.json:"
    have "/execCPUAffinity/final"
    have "sched_setaffinity to 5000"
}

# What a payload such as systemd does with a cgroup of its own. A limit makes the runtime hand hugetlb on to the container.
handed_on() { # Sets cg, the container's directory in cgroup2
    [ -d /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no pages of 2 MB"
    grep -qsw hugetlb /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers || skip "needs the hugetlb controller on cgroup2"
    config '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 0}]'
    up
    cg=$(find /sys/fs/cgroup -name "$CID" -exec test -e '{}/cgroup.freeze' ';' -print | head -n 1)
    mkdir "$cg/init.scope" "$cg/other"
    pid_of "$CID" >"$cg/init.scope/cgroup.procs"
    echo +hugetlb >"$cg/cgroup.subtree_control"
}

@test "a cgroup whose controllers were handed on takes no process: exec enters that of init" {
    local cg pid
    handed_on
    # The kernel does refuse.
    run sh -c 'echo 0 >"$1/cgroup.procs"' sh "$cg"
    [ "$status" != 0 ]
    in_it "$CID" true
    detached exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1000
    have_status 0
    pid=$(cat "$BATS_TEST_TMPDIR/pid")
    [ "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" = "$(sed -n 's/^0:://p' "/proc/$(pid_of "$CID")/cgroup")" ]
    [[ $(sed -n 's/^0:://p' "/proc/$pid/cgroup") == */$CID/init.scope ]]
    # A directory that was asked for is not exchanged for another one.
    in_it --cgroup other "$CID" true
    mkdir "$cg/other/below"
    echo +hugetlb >"$cg/other/cgroup.subtree_control"
    run wherry exec --cgroup other "$CID" true </dev/null
    have_status 255
    have "busy"
    rmdir "$cg/other/below"
}

@test "the same in a paused container" {
    local cg
    handed_on
    echo 1 >"$cg/cgroup.freeze"
    wait_status "$CID" paused
    "$WHERRY" --root "$ROOT" exec --ignore-paused "$CID" cat /proc/self/cgroup </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
    for _ in $(seq 200); do [ "$(wc -l <"$cg/init.scope/cgroup.procs")" = 2 ] && break; sleep 0.05; done
    echo 0 >"$cg/cgroup.freeze"
    wait $! || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
    grep -q "init.scope$" "$BATS_TEST_TMPDIR/out"
}

@test "a cgroup below the container's" {
    local cg
    up
    cg=$(find /sys/fs/cgroup -name "$CID" -exec test -e '{}/cgroup.freeze' ';' -print | head -n 1)
    mkdir "$cg/sub"
    detached exec -d --cgroup sub --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1000
    have_status 0
    grep -q "/$CID/sub\$" "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/cgroup"
    for path in none ../.. sub/../.. ; do
        run wherry exec --cgroup "$path" "$CID" true </dev/null
        have_status 255
        have "cgroup $path"
    done
    run wherry exec --cgroup nosuch:sub "$CID" true </dev/null
    have_status 255
    have "no v1 hierarchy of controller nosuch"
}

@test "the limit of processes leaves room for one, or none" {
    local n limit
    config '.linux.resources.pids.limit = 5'
    detached run -d "$CID"
    case $output in *"controller pids is not"* | *"controller"*"pids"*) skip "no pids controller here" ;; esac
    have_status 0
    for n in 1 2 3; do detached exec -d "$CID" sleep 1000; have_status 0; done
    # Four of five.
    in_it "$CID" true
    detached exec -d "$CID" sleep 1000
    have_status 0
    limit=$(find /sys/fs/cgroup -path "*$CID/pids.current" -exec cat {} + | sort -n | tail -n 1)
    [ "$limit" = 5 ]
    in_it "$CID" true
}

@test "200 at once: all succeed, and nothing is left" {
    local n pids=() cg
    up
    for n in $(seq 200); do
        "$WHERRY" --root "$ROOT" exec "$CID" sh -c "exit $((n % 100))" </dev/null >>"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
        pids+=($!)
    done
    for n in $(seq 200); do
        rc=0
        wait "${pids[n - 1]}" || rc=$?
        [ "$rc" = $((n % 100)) ] || { echo "exec $n: status $rc"; cat "$BATS_TEST_TMPDIR/out"; return 1; }
    done
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
    cg=$(find /sys/fs/cgroup -name "$CID" -exec test -e '{}/cgroup.freeze' ';' -print | head -n 1)
    for _ in 1 2 3 4 5; do
        [ "$(wc -l <"$cg/cgroup.procs")" = 1 ] && break
        sleep 0.1
    done
    [ "$(wc -l <"$cg/cgroup.procs")" = 1 ]
    [ "$(ls -A "$ROOT/$CID" | sort | tr '\n' ' ')" = "config.json journal mbox start.sock state.json " ]
}

@test "kill, state and delete do not wait for an exec" {
    up
    "$WHERRY" --root "$ROOT" exec "$CID" sleep 1000 </dev/null >/dev/null 2>&1 3>&- 4>&- &
    sleep 0.3
    timeout 5 "$WHERRY" --root "$ROOT" state "$CID" >/dev/null
    timeout 10 "$WHERRY" --root "$ROOT" delete -f "$CID"
    rc=0
    wait $! || rc=$?
    [ "$rc" = 137 ]
}

@test "a session keyring of its own, whatever has the name of the container's" {
    config '.linux.maskedPaths = []'
    up
    # Somebody on the host has one of that name, that lets itself be found.
    cat >"$BATS_TEST_TMPDIR/join.py" <<'P'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
keyctl, add_key = {"x86_64": (250, 248), "aarch64": (219, 217)}[os.uname().machine]
ring = libc.syscall(keyctl, 1, b"_ses." + sys.argv[3].encode(), 0)
assert ring > 0
libc.syscall(keyctl, 5, ring, 0x3f3f3f3f)
assert libc.syscall(add_key, b"user", b"of-the-caller", b"x", 1, ring) > 0
os.execv(sys.argv[1], [sys.argv[1], "--root", sys.argv[2], "exec", sys.argv[3], "cat", "/proc/keys"])
P
    run python3 "$BATS_TEST_TMPDIR/join.py" "$WHERRY" "$ROOT" "$CID" </dev/null
    have_status 0
    # The keyring that the reader possesses has possessor permissions; the caller's key can be seen by its owner, but not be reached.
    have_line ' 3f000000 .*keyring +_ses: empty'
}

@test "an exec whose wherry is killed before it begins does not begin" {
    local cg
    up
    cg=$(find /sys/fs/cgroup -name "$CID" -exec test -e '{}/cgroup.freeze' ';' -print | head -n 1)
    echo 1 >"$cg/cgroup.freeze"
    while [ "$(wherry state "$CID" | jq -r .status)" != paused ]; do sleep 0.05; done
    # B stands still with the host's last answer before it.
    "$WHERRY" --root "$ROOT" exec --ignore-paused -d "$CID" sleep 77 </dev/null >/dev/null 2>&1 3>&- 4>&- &
    while [ "$(wc -l <"$cg/cgroup.procs")" != 2 ]; do sleep 0.05; done
    sleep 0.3
    kill -KILL $!
    wait $! || true
    echo 0 >"$cg/cgroup.freeze"
    sleep 0.3
    # What is dead waits for whoever adopted it; the shell and grep are the only ones beside init.
    run wherry exec "$CID" sh -c 'grep -h ^State: /proc/[0-9]*/status; cat /proc/[0-9]*/cmdline | tr "\0" " "' </dev/null
    have_status 0
    have_not 77
    [ "$(grep '^State:' <<<"$output" | grep -cv zombie)" = 2 ]
}
