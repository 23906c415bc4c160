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
