#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The invariants of docs/DESIGN.md, from outside: each test fails when its invariant is broken.
load helpers

go() { run wherry run -b "$BUNDLE" "$CID"; }
create() {
    command_is sleep 1000
    wherry create -b "$BUNDLE" "$CID" >/dev/null </dev/null
    PID=$(pid_of "$CID")
}

@test "I1: a hostile /dev, /proc, /sys leads nowhere outside" {
    outside=$BATS_TEST_TMPDIR/outside
    up=../../../../../../../../../../../..
    for kind in absolute relative; do
        for name in dev proc sys; do
            rm -rf "$outside" "rootfs/$name"
            mkdir "$outside"
            if [ "$kind" = absolute ]; then ln -s "$outside" "rootfs/$name"; else ln -s "$up$outside" "rootfs/$name"; fi
            wherry run -b "$BUNDLE" "$CID" >/dev/null 2>&1 || true
            [ -z "$(ls -A "$outside")" ] || { echo "$kind $name: $(ls -A "$outside")"; return 1; }
            [ -z "$(awk -v o="$outside" 'index($5, o) == 1' /proc/self/mountinfo)" ]
            rm -rf "rootfs/$name"
            mkdir "rootfs/$name"
        done
    done
}

@test "I1: symlinks at every mount target, device and link" {
    outside=$BATS_TEST_TMPDIR/outside
    mkdir "$outside"
    # Without a /dev of its own, everything is made in the image's.
    config '.mounts |= map(select(.destination | startswith("/dev") | not))'
    for name in null zero full random urandom tty fd stdin stdout stderr ptmx console pts shm mqueue; do
        ln -s "$outside/$name" "rootfs/dev/$name"
    done
    wherry run -b "$BUNDLE" "$CID" >/dev/null 2>&1 || true
    [ -z "$(ls -A "$outside")" ]
}

@test "I1: a symlink of the image means what it means in the container, whatever stands there on the host" {
    need root
    outside=$BATS_TEST_TMPDIR/outside
    mkdir "$outside"
    ln -s "$outside" rootfs/link
    config '.mounts += [ { destination: "/link/sub", type: "tmpfs", source: "tmpfs" } ]'
    command_is cat /proc/self/mountinfo
    go
    have_status 0
    have " $outside/sub "
    [ -d "rootfs$outside/sub" ]
    [ -z "$(ls -A "$outside")" ]
}

@test "I1: FIFOs and files where directories should be hang nothing" {
    for name in dev/pts dev/shm sys; do
        rm -rf "rootfs/$name"
        mkfifo "rootfs/$name"
        config '.mounts |= map(select(.destination != "/dev"))'
        run timeout 20 "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID"
        [ "$status" -ne 124 ]
        rm -rf "rootfs/$name"
        mkdir -p "rootfs/$name"
    done
}

@test "I1: masked and read-only paths cannot be redirected" {
    outside=$BATS_TEST_TMPDIR/outside
    echo plain >"$outside"
    ln -s "../../../../../../../../..$outside" rootfs/trap
    config '.linux.maskedPaths += ["/trap"] | .linux.readonlyPaths += ["/trap"]'
    wherry run -b "$BUNDLE" "$CID" >/dev/null 2>&1 || true
    [ "$(cat "$outside")" = plain ]
    echo again >"$outside"
}

@test "I3: something else than procfs on /proc is refused" {
    # A tmpfs where masks and checks expect procfs.
    config '.mounts |= map(if .destination == "/proc" then . + { type: "tmpfs", source: "tmpfs" } else . end)'
    go
    have_status 1
    have /proc
    config '.mounts |= map(if .destination == "/proc" then . + { type: "proc", source: "proc" } else . end)'
    config '.mounts += [ { destination: "/proc/self", type: "tmpfs", source: "tmpfs" } ]'
    go
    have_status 1
    have /proc/self
}

@test "I3: a symlink of the image leads no mount over procfs" {
    for to in /proc /proc/sys /proc/self; do
        rm -f rootfs/volume
        ln -s "$to" rootfs/volume
        config '.mounts |= map(select(.destination != "/volume")) + [ { destination: "/volume", type: "tmpfs", source: "tmpfs" } ]'
        go
        have_status 1 || { echo "$to"; return 1; }
        have /volume
    done
}

@test "I4: the runtime is not reachable through /proc/self/exe" {
    before=$(sha256sum "$WHERRY")
    for args in '["/proc/self/exe", "--version"]' '["/bin/hash"]'; do
        printf '#!/proc/self/exe\n' >rootfs/bin/hash
        chmod 755 rootfs/bin/hash
        config '.process.args = $a' --argjson a "$args"
        run timeout 20 "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID"
        [ "$status" -ne 0 ]
        have_not "wherry version"
    done
    [ "$(sha256sum "$WHERRY")" = "$before" ]
}

@test "I4: init is a sealed memory file" {
    create
    exe=$(readlink "/proc/$PID/exe")
    case $exe in /memfd:*) ;; *) echo "init runs $exe"; return 1 ;; esac
    run bash -c 'exec 9>>"/proc/$1/exe"' sh "$PID"
    [ "$status" -ne 0 ]
}

@test "I4: nothing of the host is mapped in a created container" {
    create
    # The image, the plan and the mailbox.
    run awk '$6 ~ /^\// { print $6 }' "/proc/$PID/maps"
    have_status 0
    for line in "${lines[@]}"; do
        case $line in
        /memfd:* | "$ROOT"/*) ;;
        *) echo "mapped: $line"; return 1 ;;
        esac
    done
    [ -z "$(grep -E '\.so|heap' "/proc/$PID/maps")" ]
}

@test "I4: a created container is small" {
    create
    rss=$(awk '/^Rss:/ { print $2 }' "/proc/$PID/smaps_rollup")
    echo "RSS $rss KiB"
    [ "$rss" -le 120 ]
}

@test "I5: init is not dumpable" {
    create
    # The files below /proc/PID belong to root whatever the process is.
    [ "$(stat -c %u "/proc/$PID/environ")" = 0 ]
    run grep -E '^(TracerPid|Seccomp|NoNewPrivs):' "/proc/$PID/status"
    have "TracerPid:	0"
    if [ "$(cat /proc/sys/fs/suid_dumpable)" = 0 ]; then
        config '.process.user = { uid: 1000, gid: 1000 }'
        CID2=$CID-b
        config '.linux.cgroupsPath += "-b"'
        wherry create -b "$BUNDLE" "$CID2" >/dev/null </dev/null
        [ "$(stat -c %u "/proc/$(pid_of "$CID2")/environ")" = 0 ]
        wherry delete -f "$CID2"
    fi
}

@test "I5: root without CAP_SYS_PTRACE cannot look into a created container's init" {
    need root setpriv
    # Owners below /proc tell nothing of a process of root's. Init has fewer capabilities: the dumpable flag alone refuses this.
    less() { setpriv --bounding-set=-sys_ptrace "$@" 3>&- 4>&-; }
    setpriv --bounding-set=-sys_ptrace sleep 100 3>&- 4>&- &
    other=$!
    for _ in $(seq 100); do [ "$(cat "/proc/$other/comm")" != sleep ] || break; sleep 0.05; done
    run less readlink "/proc/$other/exe"
    kill "$other"
    case $output in */*) ;; *) skip "this machine refuses it of any process" ;; esac
    create
    run less readlink "/proc/$PID/exe"
    have_status 1
    [ -z "$output" ]
}

@test "I6: no descriptor of the host's in a created container" {
    exec 7<"$BATS_TEST_DIRNAME/helpers.bash"
    create
    exec 7<&-
    run ls -l "/proc/$PID/fd"
    # One is init's own: the signals that end it while it waits for start.
    [ "$(grep -c "anon_inode:\[signalfd\]" <<<"$output")" = 1 ]
    for line in "${lines[@]:1}"; do
        case $line in
        *" 0 -> /dev/null" | *" 1 -> /dev/null" | *" 2 -> "*) ;;
        *"memfd:"* | *"socket:"* | *"anon_inode:[signalfd]") ;;
        *"$ROOT"*) ;;
        *) echo "open: $line"; return 1 ;;
        esac
    done
}

@test "I6: a working directory outside the root is not possible" {
    for cwd in /proc/self/fd/7 /proc/self/fd/8 /proc/self/cwd/../../../..; do
        config '.process.cwd = $c' --arg c "$cwd"
        command_is ls -d /proc/self/cwd/bin/busybox
        exec 7</ 8</etc
        go
        exec 7<&- 8<&-
        if [ "$status" = 0 ]; then
            [ "$output" = /proc/self/cwd/bin/busybox ]
        fi
    done
}

@test "I8: what cannot be done is an error, not a warning" {
    config '.process.rlimits = [{type: "RLIMIT_NO_SUCH", soft: 1, hard: 1}]'
    go
    have_status 1
    have RLIMIT_NO_SUCH
    have /process/rlimits/0/type
}

@test "I9: ids that mean 'no change' are refused" {
    config '.process.user = { uid: 4294967295, gid: 0 }'
    go
    have_status 1
    have /process/user/uid
}

@test "I13: nothing in the state root is followed if it is a symlink" {
    mkdir -m 700 "$ROOT"
    mkdir "$BATS_TEST_TMPDIR/outside"
    ln -s "$BATS_TEST_TMPDIR/outside" "$ROOT/$CID"
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    run wherry delete -f "$CID"
    [ -d "$BATS_TEST_TMPDIR/outside" ]
    [ -z "$(ls -A "$BATS_TEST_TMPDIR/outside")" ]
    rm -f "${ROOT:?}/$CID"
}

@test "I13: a state that is a symlink or a FIFO is damage: nothing is read through it, nobody waits for it" {
    need root
    create
    mv "$ROOT/$CID/state.json" "$BATS_TEST_TMPDIR/state.json"
    ln -s "$BATS_TEST_TMPDIR/state.json" "$ROOT/$CID/state.json"
    run wherry state "$CID"
    have_status 1
    have state.json
    rm "$ROOT/$CID/state.json"
    mkfifo "$ROOT/$CID/state.json"
    run timeout 10 "$WHERRY" --root "$ROOT" state "$CID"
    have_status 1
    have state.json
    run timeout 20 "$WHERRY" --root "$ROOT" delete -f "$CID"
    have_status 0
    [ ! -e "$ROOT/$CID" ]
}

@test "I14: the device rules hold without resources" {
    config 'del(.linux.resources) | .process.capabilities |= map_values(. + ["CAP_MKNOD"])'
    shell_is 'mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem'
    go
    have "Operation not permitted"
}

@test "a limit that this host cannot hold is refused, not ignored" {
    config '.linux.resources.rdma = { none0: { hcaHandles: 1 } }'
    go
    have_status 1
    have /linux/resources/rdma
}

@test "set-id execution of wherry is refused" {
    need root
    cp "$WHERRY" "$BATS_TEST_TMPDIR/wherry-suid"
    chmod 4755 "$BATS_TEST_TMPDIR/wherry-suid"
    chmod 755 "$BATS_TEST_TMPDIR" 2>/dev/null
    run setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_TEST_TMPDIR/wherry-suid" --version
    if [ "$status" = 126 ]; then skip "the directory is not reachable"; fi
    have_status 1
}

# What the commands execute, and the names of their sockets. Not create: strace waits for all that it follows.
traced() { # ARGS of wherry…
    SECRET=hush timeout 60 strace -f -qq -s 200 -o "$BATS_TEST_TMPDIR/trace" -e trace=execve,execveat,bind,connect,sendto,sendmsg \
        "$WHERRY" --root "$ROOT" "$@" </dev/null >/dev/null 2>err 3>&- 4>&- || { cat err; return 1; }
}

@test "I4: the helper has an empty environment, and no socket has an abstract name" {
    need strace
    config '.hooks.createContainer = [ { path: "/bin/sh", args: ["sh", "-c", ":"], env: [] } ]
        | .hooks.startContainer = [ { path: "/bin/sh", args: ["sh", "-c", ":"], env: [] } ]'
    command_is true
    traced run -b "$BUNDLE" "$CID"
    # The container's and that of each hook.
    [ "$(grep -c 'execveat(.*"", \["wherry:\[A\]"' "$BATS_TEST_TMPDIR/trace")" = 3 ]
    [ "$(grep -c 'execveat(.*/\* 0 vars \*/, AT_EMPTY_PATH) = 0' "$BATS_TEST_TMPDIR/trace")" = 3 ]
    # The one that start connects to has a name in the state directory; a bind without a name would get an abstract one.
    grep -q 'bind(.*sun_path="/.*start.sock"' "$BATS_TEST_TMPDIR/trace"
    run grep -E 'bind\(.*AF_UNIX\}|sun_path=@' "$BATS_TEST_TMPDIR/trace"
    [ -z "$output" ]
    config 'del(.hooks)'
    command_is sleep 1000
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >out 2>&1
    traced exec "$CID" true
    [ "$(grep -c 'execveat(.*/\* 0 vars \*/, AT_EMPTY_PATH) = 0' "$BATS_TEST_TMPDIR/trace")" = 1 ]
    run grep -E 'bind\(.*AF_UNIX\}|sun_path=@|hush' "$BATS_TEST_TMPDIR/trace"
    [ -z "$output" ]
    wherry delete -f "$CID"
}

# killed AT ARGS of wherry…: its helper gets SIGSEGV as it enters a system call, with no limit on the size of cores.
killed() {
    local at=$1
    shift
    (cd "$BATS_TEST_TMPDIR/cores" && ulimit -c unlimited && timeout 60 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace="$at" -e inject="$at:signal=SEGV:when=1" \
        "$WHERRY" --root "$ROOT" "$@" </dev/null >/dev/null 2>&1 3>&- 4>&-) || true
    grep -E "killed by SIGSEGV" "$BATS_TEST_TMPDIR/trace"
    [ "$(grep -c 'killed by SIGSEGV' "$BATS_TEST_TMPDIR/trace")" = 1 ]
}

@test "I5: the helper leaves no core when it dies: it is not dumpable" {
    need strace
    mkdir "$BATS_TEST_TMPDIR/cores"
    (cd "$BATS_TEST_TMPDIR/cores" && ulimit -c unlimited && strace -f -qq -o ../control sh -c 'kill -SEGV $$' >/dev/null 2>&1 3>&- 4>&-) || true
    grep -q 'killed by SIGSEGV (core dumped)' "$BATS_TEST_TMPDIR/control" || skip "this machine dumps no cores"
    # The first process of a pid namespace would not be sent the signal.
    config 'del(.linux.namespaces[] | select(.type == "pid"))'
    command_is sleep 1000
    for at in pivot_root capset; do
        killed "$at" run -b "$BUNDLE" "$CID"
        run cat "$BATS_TEST_TMPDIR/trace"
        have_not "core dumped"
        wherry delete -f "$CID"
    done
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >out 2>&1
    for at in setns capset setsid; do
        killed "$at" exec "$CID" true
        run cat "$BATS_TEST_TMPDIR/trace"
        have_not "core dumped"
    done
    wherry delete -f "$CID"
}
