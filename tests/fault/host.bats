#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The host's side against the kernel: SIGKILL at each system call, and each system call failing once (invariants I10 and I15).
load ../integration/helpers
load faults

test_setup() {
    need root strace
    strace -o /dev/null true 2>/dev/null || skip "strace is not allowed to trace"
    command_is sleep 1000
    # What the first one alone does, such as making the state root.
    made
    gone
}

test_teardown() { [ -z "${helper:-}" ] || kill "$helper"; }

@test "SIGKILL at each system call of create: delete -f clears up, and the id is free" {
    local name k list
    list=$(calls create -b "$BUNDLE" "$CID")
    gone
    while read -r name k; do
        killed "$name" "$k" create -b "$BUNDLE" "$CID"
        gone || { echo "delete after a kill at $name $k"; return 1; }
        nothing_left "$name $k"
    done <<<"$list"
    made
}

@test "SIGKILL at each system call of delete -f: it can be repeated" {
    local name k list
    made
    wherry start "$CID"
    list=$(calls delete -f "$CID")
    while read -r name k; do
        made
        wherry start "$CID"
        killed "$name" "$k" delete -f "$CID"
        gone || { echo "delete after a kill at $name $k"; return 1; }
        nothing_left "$name $k"
    done <<<"$list"
}

@test "SIGKILL at each system call of start: the container is created, running or stopped, and can be deleted" {
    local name k list now
    made
    list=$(calls start "$CID")
    gone
    while read -r name k; do
        made
        killed "$name" "$k" start "$CID"
        now=$(wherry state "$CID" | jq -r .status)
        case $now in created | running | stopped) ;; *) echo "status '$now' after $name $k"; return 1 ;; esac
        gone
        nothing_left "$name $k"
    done <<<"$list"
}

# What lives in the container beside its init.
exec_pids() {
    local cg
    cg=$(find /sys/fs/cgroup -name "$CID" -exec test -e '{}/cgroup.freeze' ';' -print | head -n 1)
    { grep -vx "$(pid_of "$CID")" "$cg/cgroup.procs" || true; } | while read -r pid; do
        case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) in Z* | X* | '') ;; *) echo "$pid" ;; esac
    done
}

# A process that was executed is whole, whoever died then: it is ended here, and may have a pid file. Nothing else is left of an exec, neither a
# process nor a file.
exec_end() { # WHAT
    local pid left
    for _ in $(seq 20); do
        for pid in $(exec_pids); do
            [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" != "sleep 54321 " ] || kill -KILL "$pid"
        done
        left=$(
            exec_pids
            # shellcheck disable=SC2010 # names of ours
            ls "$ROOT/$CID" | grep -vxE 'config.json|journal|mbox|start.sock|state.json|steps.txt' || true
        )
        [ -n "$left" ] || break
        sleep 0.1
    done
    rm -f "$BATS_TEST_TMPDIR/pid"
    [ -z "$left" ] || { echo "$1 left: $left"; return 1; }
}

@test "SIGKILL at each system call of exec: no half of a process is left" {
    local name k list
    made
    wherry start "$CID"
    list=$(calls exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 54321)
    exec_end "nothing"
    while read -r name k; do
        killed "$name" "$k" exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 54321
        # A pid file is written for a process that runs.
        [ ! -e "$BATS_TEST_TMPDIR/pid" ] || [ -e "/proc/$(cat "$BATS_TEST_TMPDIR/pid")" ] || { echo "$name $k: a pid file, and no process"; return 1; }
        sleep 0.05
        exec_end "$name $k" || return 1
    done <<<"$list"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

# Each call fails once: the process runs and there is a pid file, or one line says why and there is neither.
exec_fails() { # ERRNO
    local name k rc list pid
    made
    wherry start "$CID"
    list=$(failing exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 54321)
    exec_end "nothing"
    while read -r name k; do
        rc=0
        traced -o /dev/null -e inject="$name:error=$1:when=$k" -- exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 54321 || rc=$?
        if [ "$rc" = 0 ]; then
            [ ! -s "$BATS_TEST_TMPDIR/out" ] || { echo "$name $k: success, and says: $(cat "$BATS_TEST_TMPDIR/out")"; return 1; }
            pid=$(cat "$BATS_TEST_TMPDIR/pid")
            [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 54321 " ] || { echo "$name $k: success, and no process"; return 1; }
        else
            [ "$rc" = 255 ] || [ "$rc" = 1 ] || { echo "$name $k: status $rc (124: it hung; others: it crashed)"; return 1; }
            [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" = 1 ] || { echo "$name $k: says not one line: $(cat "$BATS_TEST_TMPDIR/out")"; return 1; }
            [ ! -e "$BATS_TEST_TMPDIR/pid" ] || { echo "$name $k: failed, and there is a pid file"; return 1; }
            [ -z "$(exec_pids)" ] || { echo "$name $k: failed, and the process runs"; return 1; }
        fi
        exec_end "$name $k" || return 1
    done <<<"$list"
}

@test "each system call of exec fails once: EIO" { exec_fails EIO; }
@test "each system call of exec fails once: EPERM" { exec_fails EPERM; }
@test "each system call of exec fails once: ENOMEM" { exec_fails ENOMEM; }
@test "each system call of exec is interrupted once" { exec_fails EINTR; }

# A call that fails once: success with nothing to say, or a message and no change.
each_fails() { # ERRNO VERB-AND-ARGS…
    local errno=$1 name k rc list
    shift
    if [ "$1" != create ]; then made; fi
    list=$(failing "$@")
    gone
    while read -r name k; do
        if [ "$1" != create ]; then made; fi
        if [ "$1" = update ]; then cp "/proc/$(pid_of "$CID")/cgroup" "$BATS_FILE_TMPDIR/where-$CID"; fi
        rc=0
        traced -o /dev/null -e inject="$name:error=$errno:when=$k" -- "$@" || rc=$?
        [ "$rc" -lt 124 ] || { echo "$name $k: status $rc (124: it hung; above: it crashed)"; return 1; }
        if [ "$rc" = 0 ]; then
            [ ! -s "$BATS_TEST_TMPDIR/out" ] || { echo "$name $k: success, and says: $(cat "$BATS_TEST_TMPDIR/out")"; return 1; }
        else
            [ -s "$BATS_TEST_TMPDIR/out" ] || { echo "$name $k: fails without a word"; return 1; }
            [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" = 1 ] || { echo "$name $k: says more than one line: $(cat "$BATS_TEST_TMPDIR/out")"; return 1; }
            if [ "$1" = create ]; then nothing_left "$name $k"; fi
        fi
        "after_$1" "$rc" || { echo "after $name $k, status $rc"; return 1; }
        gone || { echo "delete after $name $k"; return 1; }
        nothing_left "$name $k"
    done <<<"$list"
}
after_create() { [ "$1" != 0 ] || [ "$(wherry state "$CID" | jq -r .status)" = created ]; }
after_start() { [ "$1" != 0 ] || [ "$(wherry state "$CID" | jq -r .status)" = running ]; }
after_delete() { [ "$1" != 0 ] || [ ! -e "$ROOT/$CID" ]; }

# What an update changes, and where the container's processes are: in cgroups that it had not before, on hosts with v1 controllers.
need_pids() { grep -qw pids /sys/fs/cgroup/cgroup.controllers 2>/dev/null || grep -q '^[^ ]* [^ ]* cgroup .*[, ]pids' /proc/mounts || skip "needs the pids controller"; }
pids_max() { find /sys/fs/cgroup -path "*/$CID/pids.max" -exec cat '{}' + 2>/dev/null | grep -x 9; }
after_update() { # STATUS
    local where
    if [ "$1" = 0 ]; then [ "$(pids_max)" = 9 ]; return; fi
    [ -z "$(pids_max)" ] || { echo "the limit is there"; return 1; }
    where=$(cat "/proc/$(pid_of "$CID")/cgroup")
    [ "$where" = "$(cat "$BATS_FILE_TMPDIR/where-$CID")" ] || { echo "it was moved: $where"; return 1; }
}

# What an update does before its end: all of it, or none of it, once another command has looked at the container.
@test "SIGKILL at each system call of update: the next command finds the container as it was, or changed as a whole" {
    local name k list whole=0 none=0
    need_pids
    made
    list=$(calls update --pids-limit 9 "$CID")
    gone
    while read -r name k; do
        made
        cp "/proc/$(pid_of "$CID")/cgroup" "$BATS_FILE_TMPDIR/where-$CID"
        ! traced -o /dev/null -e inject="$name:signal=KILL:when=$k" -- update --pids-limit 9 "$CID" || { echo "not killed at $name $k"; return 1; }
        [ "$(wherry state "$CID" | jq -r .status)" = created ] || { echo "after $name $k"; return 1; }
        [ ! -e "$ROOT/$CID/update" ] || { echo "after $name $k: the journal is there"; return 1; }
        if [ -n "$(pids_max)" ]; then
            whole=$((whole + 1))
            grep -q "pids:.*/$CID\|^0:.*/$CID" "/proc/$(pid_of "$CID")/cgroup"
        else
            none=$((none + 1))
            after_update 1 || { echo "after $name $k"; return 1; }
        fi
        wherry update --pids-limit 9 "$CID" || { echo "another after $name $k"; return 1; }
        after_update 0 || { echo "another after $name $k changes nothing"; return 1; }
        gone
        nothing_left "$name $k"
    done <<<"$list"
    echo "$none as before, $whole changed"
    [ "$none" -ge 5 ]
}

@test "each system call of update fails once: EIO" { need_pids; each_fails EIO update --pids-limit 9 "$CID"; }
@test "each system call of update fails once: ENOMEM" { need_pids; each_fails ENOMEM update --pids-limit 9 "$CID"; }

@test "each system call of create fails once: EIO" { each_fails EIO create -b "$BUNDLE" "$CID"; }
@test "each system call of create fails once: EPERM" { each_fails EPERM create -b "$BUNDLE" "$CID"; }
@test "each system call of create fails once: ENOMEM" { each_fails ENOMEM create -b "$BUNDLE" "$CID"; }
@test "each system call of create is interrupted once" { each_fails EINTR create -b "$BUNDLE" "$CID"; }
@test "each system call of start fails once: EIO" { each_fails EIO start "$CID"; }
@test "each system call of delete fails once: EIO" { each_fails EIO delete -f "$CID"; }

# What precedes the calls that are swept through: stdio is looked at, and filled where it is closed.
@test "the look at stdio: a failing call is no end without a word" {
    local k
    for k in 1 2 3; do
        traced -o /dev/null -e inject="fcntl:error=EIO:when=$k" -- features || { echo "fcntl $k: $(cat "$BATS_TEST_TMPDIR/out")"; return 1; }
        ! traced -o /dev/null -e inject="fcntl:error=EBADF:when=$k" -- features || { echo "fcntl $k: no failure"; return 1; }
        grep -q "open /dev/null for stdin, stdout or stderr that is closed: " "$BATS_TEST_TMPDIR/out"
    done
}

# The last calls of a command, which are those that change something, fail once. Each time CHECK is run.
last_fail() { # N CHECK ARGS…
    local n=$1 check=$2 name k list rc=0
    shift 2
    list=$(WHERRY_SWEEP=1 failing "$@" | tail -n "$n")
    "$check"
    while read -r name k; do
        rc=0
        traced -o /dev/null -e inject="$name:error=ENFILE:when=$k" -- "$@" || rc=$?
        "$check" || { echo "$name $k: status $rc"; return 1; }
    done <<<"$list"
}
status() { wherry state "$CID" | jq -r .status; }
paused_or_running() {
    if [ "$rc" = 0 ]; then [ "$(status)" = paused ] && wherry resume "$CID"; else [ "$(status)" = running ]; fi
}
still_running() { [ "$(status)" = running ]; }
still_paused() { [ "$(status)" = paused ]; }

@test "the last system calls of pause and of kill -a fail once: nothing stays frozen, nor goes on, that should not" {
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null
    last_fail 12 paused_or_running pause "$CID"
    last_fail 16 still_running kill -a "$CID" URG
    wherry pause "$CID"
    last_fail 16 still_paused kill -a "$CID" URG
    # Those in cgroups below, which cannot be listed.
    ! traced -o /dev/null -e inject=getdents64:error=ENFILE:when=1 -- kill -a "$CID" URG || { echo "no failure"; return 1; }
    grep -q "signal the processes of cgroup .*: too many open files in system" "$BATS_TEST_TMPDIR/out"
}

@test "each system call of delete fails once: a container that runs goes on" {
    local name k list
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null
    list=$(WHERRY_SWEEP=1 failing delete "$CID")
    while read -r name k; do
        ! traced -o /dev/null -e inject="$name:error=ENFILE:when=$k" -- delete "$CID" || { echo "$name $k: no failure"; return 1; }
        ! grep "another pid namespace" "$BATS_TEST_TMPDIR/out" || return 1
    done <<<"$list"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

@test "a seccomp listener: each system call of start fails once, and start killed at each" {
    local pid list name k
    need python3
    "$SRC/tests/tools/seccomp-agent" --forever "$BATS_TEST_TMPDIR/agent" >"$BATS_TEST_TMPDIR/agent.out" 2>&1 3>&- 4>&- &
    pid=$!
    for _ in $(seq 200); do [ ! -S "$BATS_TEST_TMPDIR/agent" ] || break; sleep 0.05; done
    config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: $s, syscalls: [ { names: ["mkdir"], action: "SCMP_ACT_NOTIFY" } ] }' --arg s "$BATS_TEST_TMPDIR/agent"
    each_fails EIO start "$CID"
    made
    list=$(calls start "$CID")
    gone
    while read -r name k; do
        made
        killed "$name" "$k" start "$CID"
        gone
        nothing_left "$name $k"
    done <<<"$list"
    kill "$pid"
}

# Two more processes of ours enter the container, and hooks run there, while the runtime is killed.
@test "hooks of the container's namespaces: run killed at each call" {
    local name k list samples=16
    config '.hooks = { createContainer: [ { path: "/bin/sh", args: ["sh", "-c", "sleep 0.05"] } ], startContainer: [ { path: "/bin/sh", args: ["sh", "-c", "sleep 0.05"] } ] }'
    list=$(failing run -d -b "$BUNDLE" "$CID")
    # A helper and a cgroup for init, and for each hook.
    [ "$(grep -c 'fork\|clone' "$BATS_TEST_TMPDIR/calls")" -ge 3 ]
    gone
    while read -r name k; do
        killed "$name" "$k" run -d -b "$BUNDLE" "$CID"
        gone || { echo "delete after a kill at $name $k"; return 1; }
        nothing_left "$name $k"
    done <<<"$list"
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
}

@test "readiness: start killed at each call, before, while and after it waits for READY=1" {
    # shellcheck disable=SC2034 # read by calls
    local name k list samples=12 now
    need python3
    # The service manager, and whatever the payload would say, again and again.
    python3 - "$BATS_TEST_TMPDIR/manager" "$ROOT" >"$BATS_TEST_TMPDIR/manager.out" 2>&1 3>&- 4>&- <<'P' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(0.02)
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.setblocking(False)
while True:
    try:
        text, fds, _, _ = socket.recv_fds(s, 100, 4)
        for fd in fds:
            os.close(fd)
        print(text, flush=True)
    except TimeoutError:
        pass
    for name in os.listdir(sys.argv[2]) if os.path.isdir(sys.argv[2]) else ():
        try:
            os.chdir(os.path.join(sys.argv[2], name))
            out.sendto(b"READY=1", "notify/notify.sock")
        except OSError:
            pass
    os.chdir("/")
P
    helper=$!
    for _ in $(seq 200); do [ ! -S "$BATS_TEST_TMPDIR/manager" ] || break; sleep 0.05; done
    export NOTIFY_SOCKET=$BATS_TEST_TMPDIR/manager
    made
    list=$(failing start "$CID")
    grep -q "MAINPID=" "$BATS_TEST_TMPDIR/manager.out" || { echo "nobody waited: $(cat "$BATS_TEST_TMPDIR/manager.out")"; return 1; }
    # The wait itself is among them, whatever is left out.
    list=$(printf '%s\n' "$list" "$(grep '^poll ' "$BATS_TEST_TMPDIR/calls" | tail -n 2)" | sort -u)
    gone
    while read -r name k; do
        made
        killed "$name" "$k" start "$CID"
        now=$(wherry state "$CID" | jq -r .status)
        case $now in created | running | stopped) ;; *) echo "status '$now' after $name $k"; return 1 ;; esac
        gone || { echo "delete after a kill at $name $k"; return 1; }
        nothing_left "$name $k"
    done <<<"$list"
}

# A trace that lacks the calls that it is about would pass for whatever becomes of them.
are_among() { # FILE CALL…
    local call
    for call in "${@:2}"; do
        grep -q "^$call " "$1" || { echo "$call is not among: $(cat "$1")"; return 1; }
    done
}

create_killed_at() { # FILE: lines of a call and its number
    local name k
    while read -r name k; do
        killed "$name" "$k" create -b "$BUNDLE" "$CID"
        gone || { echo "delete after a kill at $name $k"; return 1; }
        nothing_left "$name $k"
    done <"$1"
}

# The calls between the user namespace of a mapping and the answer that hands over the mount.
@test "an id-mapped mount: killed at each call of the host that makes it, and each failing once" {
    need userns
    case $(stat -f -c %T "$BUNDLE") in ext2/ext3 | xfs | btrfs | tmpfs) ;; *) skip "needs a file system that can be id-mapped" ;; esac
    mkdir "$BATS_TEST_TMPDIR/data"
    config '.mounts += [{destination: "/data", source: $s, options: ["bind"], uidMappings: [{containerID: 0, hostID: 3000, size: 10}],
        gidMappings: [{containerID: 0, hostID: 3000, size: 10}]}]' --arg s "$BATS_TEST_TMPDIR/data"
    traced -o "$BATS_TEST_TMPDIR/trace" -- create -b "$BUNDLE" "$CID"
    gone
    awk -F'(' '/^[a-z]/ { n[$1]++; if (/CLONE_NEWUSER/) on = 1; if (on && $1 !~ /^(rt_sigprocmask|getpid)$/) print $1, n[$1]; if ($1 == "mount_setattr") last = 1
        if (last && $1 == "sendmsg") exit }' "$BATS_TEST_TMPDIR/trace" >"$BATS_TEST_TMPDIR/mapping"
    are_among "$BATS_TEST_TMPDIR/mapping" clone3 mount_setattr pidfd_send_signal openat write
    create_killed_at "$BATS_TEST_TMPDIR/mapping"
    calls() { cat "$BATS_TEST_TMPDIR/mapping"; }
    each_fails EIO create -b "$BUNDLE" "$CID"
    each_fails EPERM create -b "$BUNDLE" "$CID"
    each_fails EINTR create -b "$BUNDLE" "$CID"
}

# What is made below the container's cgroup, where B is moved, and the controllers and owners at the end: the calls between and around are every create's.
@test "a part of the cgroup for the payload: killed at each call of the host that makes it, and each failing once" {
    need userns cgroup2
    wherry() { in_cgroup2_view "$WHERRY" --root "$ROOT" "$@" 3>&- 4>&-; }
    traced() { # STRACE-OPTIONS… -- ARGS…
        local options=()
        while [ "$1" != -- ]; do options+=("$1"); shift; done
        shift
        in_cgroup2_view timeout 30 strace "${options[@]}" "$WHERRY" --root "$ROOT" "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&-
    }
    config '.annotations = {"run.oci.systemd.subgroup": "part", "run.oci.delegate-cgroup": "leaf"} | .linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    traced -o "$BATS_TEST_TMPDIR/trace" -- create -b "$BUNDLE" "$CID"
    gone
    awk -F'(' '/^[a-z]/ { n[$1]++; if (/^mkdirat.*"part"/ || /^openat2.*"leaf"/ || /"cgroup.controllers"/) on = 1
        if (/^(clone3?|faccessat2|ftruncate|sendmsg)\(/) on = 0; if (on && $1 !~ /^(close|rt_sigprocmask|getpid)$/) print $1, n[$1] }' \
        "$BATS_TEST_TMPDIR/trace" >"$BATS_TEST_TMPDIR/handing"
    are_among "$BATS_TEST_TMPDIR/handing" mkdirat openat2 fchmod openat read write fchown fchownat
    # Every other one: those between are like their neighbours.
    awk 'NR % 2' "$BATS_TEST_TMPDIR/handing" >"$BATS_TEST_TMPDIR/some"
    create_killed_at "$BATS_TEST_TMPDIR/some"
    calls() { cat "$BATS_TEST_TMPDIR/handing"; }
    each_fails EIO create -b "$BUNDLE" "$CID"
}

@test "an outer sandbox that refuses clone3" {
    local errno
    shell_is 'echo it runs'
    for errno in ENOSYS EPERM; do
        traced -o /dev/null -e inject="clone3:error=$errno" -- run -b "$BUNDLE" "$CID"
        grep -q "it runs" "$BATS_TEST_TMPDIR/out"
    done
    command_is sleep 1000
    traced -o /dev/null -e inject="clone3:error=EPERM" -- create -b "$BUNDLE" "$CID"
    grep -q "$CID" "/proc/$(pid_of "$CID")/cgroup"
}

@test "vm.memfd_noexec: a copy without a name instead; where the state root is mounted noexec, one clear sentence" {
    local noexec=$BATS_TEST_TMPDIR/noexec
    # EACCES is what memfd_create(MFD_EXEC) answers under vm.memfd_noexec = 2.
    command_is true
    traced -o /dev/null -e inject=memfd_create:error=EACCES:when=1 -- run -b "$BUNDLE" "$CID"
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
    mkdir -m 700 "$noexec"
    # shellcheck disable=SC2016 # expanded by the inner shell
    run unshare -m --propagation private sh -c 'mount -t tmpfs -o noexec,mode=700 none "$1" &&
        strace -o /dev/null -e inject=memfd_create:error=EACCES:when=1 "$2" --root "$1" run -b "$3" "$4"' \
        sh "$noexec" "$WHERRY" "$BUNDLE" "$CID"
    have_status 1
    have "vm.memfd_noexec"
    have "mounted noexec"
}
