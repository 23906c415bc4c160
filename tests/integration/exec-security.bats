#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# exec against root of a container that waits for it (invariants I1, I4, I5, I6, I7).
# shellcheck disable=SC2154 # status and output are set by bats
# shellcheck disable=SC2016 # scripts are for the container's shell
load helpers
load inside

test_setup() {
    need root
    command_is sleep 1000
}

up() {
    to_file wherry run -d "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

cgroup() { find /sys/fs/cgroup -name "$CID" -exec test -e '{}/cgroup.freeze' ';' -print | head -n 1; }

# An exec that stands still as B, in the container's namespaces and before its first step: its pid is in $B.
frozen_b() { # ARGS of exec…
    local cg init
    cg=$(cgroup)
    init=$(pid_of "$CID")
    echo 1 >"$cg/cgroup.freeze"
    while [ "$(wherry state "$CID" | jq -r .status)" != paused ]; do sleep 0.05; done
    "$WHERRY" --root "$ROOT" exec --ignore-paused "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
    EXEC=$!
    while [ "$(wc -l <"$cg/cgroup.procs")" != 2 ]; do sleep 0.05; done
    B=$(grep -vx "$init" "$cg/cgroup.procs")
    sleep 0.2
}
thaw() {
    echo 0 >"$(cgroup)/cgroup.freeze"
    wait "$EXEC"
}

@test "what B holds when a process of the container can look at it: stdio and one socket; its image is in memory and sealed" {
    local link
    config '.process.oomScoreAdj = 11'
    up
    frozen_b "$CID" true
    [ "$(cat "/proc/$B/comm")" = "wherry:[A]" ] || [ "$(cat "/proc/$B/comm")" = "wherry:[B]" ]
    for link in "/proc/$B/fd"/*; do
        case $(basename "$link"):$(readlink "$link") in
        [012]:*) ;;
        [0-9]*:socket:*) ;;
        *) echo "it holds $(readlink "$link")"; return 1 ;;
        esac
    done
    [ "$(find "/proc/$B/fd" -lname 'socket:*' | wc -l)" = 1 ]
    [ "$(readlink "/proc/$B/exe")" = "/memfd:wherry-init (deleted)" ]
    # Nothing of the host's files is mapped.
    run awk '$6 ~ /^\// { print $6 }' "/proc/$B/maps"
    [ "$(grep -cv '^/memfd:' <<<"$output")" = 0 ]
    [ "$(tr -d '\0' <"/proc/$B/environ")" = "" ]
    # Not even root can write to the image.
    run sh -c 'echo x >>"/proc/$1/exe"' sh "$B"
    [ "$status" != 0 ]
    thaw
}

@test "a user namespace's root is not the owner of B, and has no way to look into it" {
    need userns
    config '.linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings
        | .process.capabilities = ((["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]) as $c | {bounding: $c, effective: $c, permitted: $c})'
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE"
    up
    frozen_b "$CID" true
    [ "$(awk '/^Uid:/ { print $2 }' "/proc/$B/status")" = 100000 ]
    # The owner of the files of a process that is not dumpable is root of the namespace that its memory was made in.
    [ "$(stat -c %u "/proc/$B/fd")" = 0 ]
    # The container's own root, with every capability there, is refused what ptrace would be.
    run nsenter -t "$(pid_of "$CID")" -U -p -m -- sh -c 'for p in /proc/[0-9]*; do grep -q wherry "$p/comm" && ls -l "$p/fd/" "$p/exe"; done'
    have "ermission denied"
    have_not memfd
    thaw
}

@test "an interpreter that is /proc/self/exe gets nothing that it could write to" {
    local sum
    sum=$(sha256sum <"$WHERRY")
    printf '#!/proc/self/exe\n' >rootfs/bin/evil
    printf '#!/bin/sh\nexec 3</proc/self/exe; readlink /proc/self/exe; for p in /proc/[0-9]*; do echo x >"$p/exe"; done 2>/dev/null; echo done\n' >rootfs/bin/again
    chmod 755 rootfs/bin/evil rootfs/bin/again
    up
    for _ in 1 2 3; do
        run wherry exec "$CID" /bin/evil </dev/null
        run wherry exec "$CID" /bin/again </dev/null
        have /bin/busybox
        have_not "$WHERRY"
    done
    [ "$(sha256sum <"$WHERRY")" = "$sum" ]
    run wherry exec "$CID" readlink /proc/self/exe </dev/null
    [ "$output" = /bin/busybox ]
}

@test "a working directory that leads out: /proc/self/fd, links to it, links upwards" {
    up
    for dir in /proc/self/fd/3 /proc/self/fd/7 /proc/1/root /proc/self/cwd /proc/thread-self/root; do
        run wherry exec --cwd "$dir" "$CID" pwd </dev/null
        have_status 255
        have "chdir $dir"
    done
    for n in $(seq 0 20); do ln -sfn "/proc/self/fd/$n" "rootfs/link"; run wherry exec --cwd /link "$CID" cat /etc/hostname </dev/null; [ "$status" = 255 ]; done
    ln -sfn ../../../../../../../../.. rootfs/up
    run wherry exec --cwd /up "$CID" sh -c 'pwd; ls etc/passwd; ls' </dev/null
    have_status 0
    have_not "$(basename "$BATS_TEST_TMPDIR")"
    grep -q . rootfs/etc/passwd
}

@test "a user database that is a FIFO, a device, a link to the host, or endless" {
    local what
    up
    for what in 'mkfifo etc/passwd' 'mknod etc/passwd c 1 5' 'ln -s /proc/kmsg etc/passwd' 'ln -s /dev/zero etc/passwd' 'mkdir etc/passwd'; do
        (cd rootfs && rm -rf etc/passwd && sh -c "$what")
        run timeout 10 "$WHERRY" --root "$ROOT" exec -u 1000 "$CID" sh -c 'echo "[$HOME]"' </dev/null
        [ "$status" != 124 ] || { echo "it hangs: $what"; return 1; }
        [ "$output" = "[/]" ] || have "HOME of uid"
    done
    rm -rf rootfs/etc/passwd
}

@test "a /dev/pts that is none: no terminal, and nothing there is opened" {
    need python3
    config '.process.capabilities = ((["CAP_SYS_ADMIN", "CAP_MKNOD"]) as $c | {bounding: $c, effective: $c, permitted: $c}) | .linux.seccomp = null'
    shell_is 'mount -t tmpfs none /dev/pts && mkfifo /dev/pts/ptmx && ln -sf /dev/pts/ptmx /dev/ptmx; echo up >/up; exec sleep 1000'
    up
    while [ ! -e rootfs/up ]; do sleep 0.05; done
    run timeout 10 "$SRC/tests/tools/on-a-tty" "$WHERRY" --root "$ROOT" exec -t "$CID" true 3>&- 4>&-
    have "status 255"
    have "/dev/pts"
}

@test "a filter and capabilities hold for exec as for init" {
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95}]}'
    up
    run wherry exec "$CID" sh -c 'mkdir /tmp/x; grep Seccomp: /proc/self/status' </dev/null
    have_line '^Seccomp:[[:space:]]2$'
    [ ! -e rootfs/tmp/x ]
    run wherry exec "$CID" sh -c 'grep -E "^(Cap|NoNew)" /proc/self/status' </dev/null
    [ "$output" = "$(grep -E "^(Cap|NoNew)" "/proc/$(pid_of "$CID")/status")" ]
}

@test "nothing of the caller: environment, working directory, descriptors, groups, umask, limits of signals" {
    up
    run env SECRET=hush bash -c 'exec 9<"$1"; umask 0; trap "" PIPE INT; cd /; exec setpriv --groups 5,6 "$2" --root "$3" exec "$4" sh -c "
        env; id -G; umask; ls /proc/self/fd; grep -E ^Sig /proc/self/status; pwd"' - "$BUNDLE/config.json" "$WHERRY" "$ROOT" "$CID" </dev/null
    have_status 0
    have_not hush
    have_line '^0022$'
    have_line '^SigIgn:[[:space:]]0+$'
    have_line '^SigBlk:[[:space:]]0+$'
    have_line '^/$'
    have_not "5 6"
    [ "$(grep -cxE '[0-9]+' <<<"$output")" -le 6 ]
}

# A container whose first process seizes whatever turns up in its pid namespace; what it finds is in "said".
tracer_up() {
    need musl-gcc
    [ -x "$BATS_FILE_TMPDIR/tracer" ] || musl-gcc -O2 -static -o "$BATS_FILE_TMPDIR/tracer" "$SRC/tests/tools/tracer.c"
    cp "$BATS_FILE_TMPDIR/tracer" rootfs/bin/tracer
    command_is tracer
    config '.process.capabilities = ((["CAP_SYS_PTRACE", "CAP_KILL"]) as $c | {bounding: $c, effective: $c, permitted: $c})
        | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95}]}'
    wherry run -d "$CID" </dev/null >said 2>&1
    for _ in $(seq 200); do ! grep -q ready said || break; sleep 0.05; done
    grep -q ready said
}

# seized_nothing_of_the_host COUNT [SOCKETS]: of the helpers that were seized, which are some; each is held against what
# init itself has. Besides stdio it has its control socket, and that of a created container the one that `start`
# connects to, and a signalfd.
seized_nothing_of_the_host() {
    awk -v most="${2:-1}" -v bnd="$(awk '/^CapBnd/ { print $2 }' "/proc/$(pid_of "$CID")/status")" '
        function beyond(mine, theirs,   i, m, t) {
            for (i = 1; i <= length(mine); i++) {
                m = index("0123456789abcdef", substr(mine, i, 1)) - 1
                t = index("0123456789abcdef", substr(theirs, i, 1)) - 1
                while (m > 0) { if (m % 2 && !(t % 2)) return 1; m = int(m / 2); t = int(t / 2) }
            }
            return 0
        }
        $1 == "seized" && $2 ~ /^wherry:/ {
            n++
            for (i = 3; i <= NF; i++) {
                split($i, v, "=")
                if (v[1] ~ /^Cap/ && beyond(v[2], bnd)) print "it holds " $i ", the container " bnd
                if (v[1] == "Seccomp" && v[2] != 2) print "it has no filter yet"
                if (v[1] == "fds") {
                    k = split(substr($i, 5), fd, ","); sockets = 0
                    for (j = 1; j < k; j++) {
                        if (fd[j] ~ /^[012]:/ || (most > 1 && fd[j] ~ /:anon_inode:\[signalfd\]$/)) continue
                        if (fd[j] !~ /:socket:/ || ++sockets > most) print "it holds the descriptor " fd[j]
                    }
                }
                if (v[1] == "maps" && v[2] != "") { gsub(/\/memfd:[a-z-]*,?/, "", v[2]); if (v[2] != "") print "it maps " v[2] }
            }
        }
        END { print n + 0 > "/dev/stderr" }' said 2>seized | sort | uniq -c >beyond
    echo "$(cat seized) helpers were seized"
    cat beyond
    [ ! -s beyond ]
    # The tracer would find something, if there were something to find.
    [ "$(cat seized)" -ge "$1" ]
}

@test "1,000 execs under the eyes of a process with CAP_SYS_PTRACE: what it seizes has nothing that the container does not have" {
    local n
    tracer_up
    for ((n = 0; n < 1000; n++)); do
        "$WHERRY" --root "$ROOT" exec "$CID" true </dev/null 3>&- 4>&- || true
    done
    seized_nothing_of_the_host 20
}

# A container that joins the pid namespace of the tracer's, changed by a jq filter, is run that often.
beside_the_tracer() { # TIMES FILTER
    local n
    tracer_up
    command_is true
    config '.linux.namespaces |= map(if .type == "pid" then
        .path = "/proc/'"$(pid_of "$CID")"'/ns/pid" else . end) | .linux.cgroupsPath += "-2"'" | $2"
    for ((n = 0; n < $1; n++)); do
        "$WHERRY" --root "$ROOT" run "$CID-2" </dev/null >ran 2>&1 3>&- 4>&- || { cat ran; return 1; }
    done
}

@test "containers made in the pid namespace of a process with CAP_SYS_PTRACE: what it seizes has nothing that they do not have" {
    config '(.linux.namespaces[] | select(.type == "pid")).path = "/proc/1/ns/pid"'
    wherry explain | awk '/clone B/ { clone = NR } /pivot_root to/ { pivot = NR } END { exit clone < pivot }' ||
        skip "procfs has no option pidns here (Linux 6.17)"
    config 'del((.linux.namespaces[] | select(.type == "pid")).path)'
    beside_the_tracer 300 .
    seized_nothing_of_the_host 20 2
}

@test "a filter that does not let exec finish, where it is loaded early: the error says so; without CAP_SYS_PTRACE it is loaded last" {
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["setsid"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}'
    up
    run wherry exec "$CID" true </dev/null
    have_status 0
    wherry delete -f "$CID"
    config '.process.capabilities |= map_values(. + ["CAP_SYS_PTRACE"])'
    up
    run wherry exec "$CID" true </dev/null
    have_status 255
    have "setsid"
    have "the seccomp filter must allow what is still done: docs/COMPATIBILITY.md"
}

@test "exec with a listener where B could be taken over before it has its filter" {
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/none", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}'
    jq '.process.capabilities |= map_values(. + ["CAP_SYS_PTRACE"])' config.json >with.json
    config '.linux.seccomp = null | .process.capabilities |= map_values(. + ["CAP_SYS_PTRACE"])'
    up
    # The configuration that exec reads is the one that create has kept.
    cp with.json "$ROOT/$CID/config.json"
    run wherry exec "$CID" true </dev/null
    have_status 255
    have "exec with a seccomp listener is refused in a container without a user namespace whose processes may have CAP_SYS_PTRACE"
}
