#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What `check` says this host will refuse, `run` is refused, at the same place of the configuration; and what it does
# not object to, runs. Each finding by itself, without a container: tests/unit/check.c.
# shellcheck disable=SC2154 # status and output are set by bats
load helpers

# As the engines write it, so that nothing but what is tested is above a note.
foreseen() { # ID POINTER FILTER
    cp "$BUNDLE/config.json" "$BATS_TEST_TMPDIR/plain.json"
    config "$3"
    run wherry check --profile engine --format json -b "$BUNDLE"
    [ "$status" = 2 ] || { echo "check $3: status $status: $output"; return 1; }
    [ "$(jq -c '[.findings[] | select(.severity != "note") | [.id, .pointer]]' <<<"$output")" = "[[\"$1\",\"$2\"]]" ] ||
        { echo "check $3: $output"; return 1; }
    run wherry run -b "$BUNDLE" "$CID"
    [ "$status" = 1 ] || { echo "run $3: status $status: $output"; return 1; }
    have "$2: "
    cp "$BATS_TEST_TMPDIR/plain.json" "$BUNDLE/config.json"
}
fine() { # FILTER
    cp "$BUNDLE/config.json" "$BATS_TEST_TMPDIR/plain.json"
    config "$1"
    run wherry check --profile engine -b "$BUNDLE"
    [ "$status" = 0 ] || { echo "check $1: status $status: $output"; return 1; }
    run wherry run -b "$BUNDLE" "$CID"
    [ "$status" = 0 ] || { echo "run $1: status $status: $output"; return 1; }
    cp "$BATS_TEST_TMPDIR/plain.json" "$BUNDLE/config.json"
}

@test "foreseen: file systems, their options, id maps" {
    need root
    local last
    last=$(jq '.mounts | length' "$BUNDLE/config.json")
    foreseen fs-unknown "/mounts/$last" '.mounts += [{destination: "/x", type: "nosuchfs", source: "x"}]'
    foreseen fs-option "/mounts/$last" '.mounts += [{destination: "/x", type: "tmpfs", source: "x", options: ["nosuid",
        "sise=1m"]}]'
    foreseen fs-option "/mounts/$last" '.mounts += [{destination: "/x", type: "tmpfs", source: "x",
        options: ["size=many"]}]'
    foreseen idmap-unsupported "/mounts/$last" '.mounts += [{destination: "/x", type: "bind",
        source: "/proc/self/fdinfo", options: ["bind"],
        uidMappings: [{containerID: 0, hostID: 1000, size: 9}], gidMappings: [{containerID: 0, hostID: 1000,
            size: 9}]}]'
    fine '.mounts += [{destination: "/x", type: "tmpfs", source: "x", options: ["nosuid", "size=1m", "mode=700"]}]'
}

@test "foreseen: sysctls in the namespaces of the container, network devices" {
    need root
    foreseen sysctl-missing /linux/sysctl/net.ipv4.nothing '.linux.sysctl = {"net.ipv4.ip_forward": "1",
        "net.ipv4.nothing": "1"}'
    # The host has it, another network namespace does not.
    [ ! -e /proc/sys/net/core/netdev_max_backlog ] || unshare -n test -e /proc/sys/net/core/netdev_max_backlog ||
        foreseen sysctl-missing /linux/sysctl/net.core.netdev_max_backlog \
            '.linux.sysctl = {"net.core.netdev_max_backlog": "1000"}'
    foreseen sysctl-missing /linux/sysctl/fs.mqueue.nothing '.linux.sysctl = {"fs.mqueue.nothing": "1"}'
    fine '.linux.sysctl = {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.forwarding": "1", "kernel.shmmax": "65536"}'
    foreseen netdev-missing /linux/netDevices/none7 '.linux.netDevices = {none7: {}}'
}

@test "foreseen: processors, their time, limits" {
    need root
    foreseen cpuset-beyond /linux/resources/cpu/cpus '.linux.resources.cpu = {cpus: "0,4000"}'
    foreseen cpuset-beyond /linux/resources/cpu/mems '.linux.resources.cpu = {mems: "900"}'
    # Where there is no such controller both are refused.
    if grep -qsw cpu /sys/fs/cgroup/cgroup.controllers || grep -qE '^[^ ]+ [^ ]+ cgroup [^ ]*\bcpu\b' /proc/mounts; then
        foreseen value-range /linux/resources/cpu/quota '.linux.resources.cpu = {quota: 500, period: 100000}'
        fine '.linux.resources.cpu = {quota: 50000, period: 100000}'
    fi
    foreseen value-range /process/rlimits/0 '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 9, hard: 99999999999}]'
}

@test "foreseen: a hard limit above the caller's own, without CAP_SYS_RESOURCE" {
    need root setpriv
    local own
    own=$(ulimit -Hn)
    [ "$own" != unlimited ] || own=4000
    config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 9, hard: $h}]' --argjson h "$own"
    low() { (ulimit -n "$((own - 1))" &&
        exec setpriv --bounding-set -sys_resource --inh-caps -sys_resource -- "$WHERRY" --root "$ROOT" \
        "$@" </dev/null 3>&- 4>&-); }
    run low check -b "$BUNDLE"
    have_status 2
    have "error: /process/rlimits/0: RLIMIT_NOFILE $own is more than the caller's hard limit, $((own - 1)) [rlimit-above]"
    # An engine has limits of its own.
    run low check --profile engine -b "$BUNDLE"
    have_status 0
    have "note: /process/rlimits/0: RLIMIT_NOFILE $own is more"
    run low run -b "$BUNDLE" "$CID"
    have_status 1
    have "/process/rlimits/0: "
}

@test "foreseen: programs that execve will not start" {
    local bin=$BUNDLE/rootfs/bin place=/process/args/0
    printf '#!/bin/none\n' >"$bin/s-none"
    printf '#!/bin/s-none\n' >"$bin/s-nested"
    printf '#!/bin/sh\r\nexit 0\r\n' >"$bin/s-crlf"
    printf 'exit 0\n' >"$bin/s-text"
    printf '#!/bin/sh\nexit 0\n' >"$bin/s-good"
    cp "$(command -v bash)" "$bin/foreign"
    # The machine of an ELF file: a VAX.
    printf '\113' | dd of="$bin/foreign" bs=1 seek=18 conv=notrunc status=none
    chmod 755 "$bin"/s-* "$bin/foreign"
    fine '.process.args = ["s-good"]'
    foreseen interpreter-missing $place '.process.args = ["s-none"]'
    foreseen shebang-crlf $place '.process.args = ["s-crlf"]'
    # These are only found out by execve, which is the step of all arguments.
    place_of() { run wherry check --profile engine --format json -b "$BUNDLE"; jq -r '.findings[] |
        select(.severity == "error") | .id' <<<"$output"; }
    for name in s-nested:interpreter-missing s-text:not-a-program foreign:wrong-machine; do
        command_is "/bin/${name%%:*}"
        [ "$(place_of)" = "${name#*:}" ] || { echo "$name: $output"; return 1; }
        run wherry run -b "$BUNDLE" "$CID"
        have_status 1
        have "/process/args: exec: \"/bin/${name%%:*}\": "
    done
    chmod 644 "$bin/s-good"
    foreseen args-not-found $place '.process.args = ["/bin/s-good"]'
    # What a mount may bring along cannot be told from here.
    config '.process.args = ["/bin/s-none"] | .mounts += [{destination: "/usr", type: "tmpfs", source: "x"}]'
    run wherry check --profile engine -b "$BUNDLE"
    have_status 0
}

@test "foreseen: a file system that is not loaded, but that there is a module for" {
    need root
    local modules
    modules=/usr/lib/modules/$(uname -r)
    config '.mounts += [{destination: "/x", type: "nosuchfs", source: "x"}]'
    with_module() { # ALIAS
        unshare -m --propagation private \
            sh -ec 'mkdir -p "$1/upper" "$1/work" && mount -t overlay -o "lowerdir=/usr/lib,upperdir=$1/upper,workdir=$1/work" o /usr/lib
            mkdir -p "$2" && echo "alias fs-$3 some_module" >>"$2/modules.alias" && shift 3 && exec "$@"' \
                sh "$BATS_TEST_TMPDIR/o" "$modules" "$1" \
            "$WHERRY" --root "$ROOT" check --profile engine -b "$BUNDLE" 3>&- 4>&-
    }
    mkdir "$BATS_TEST_TMPDIR/o"
    # The directories of an overlay may not be on one.
    mount -t tmpfs none "$BATS_TEST_TMPDIR/o"
    run with_module nosuch
    echo "$output" >"$BATS_TEST_TMPDIR/other"
    other=$status
    run with_module nosuchfs
    umount "$BATS_TEST_TMPDIR/o"
    [ -L /lib ] || skip "/lib is not /usr/lib"
    have_status 0
    [ "$other" = 2 ] || { cat "$BATS_TEST_TMPDIR/other"; return 1; }
    grep -q "does not know the file system nosuchfs" "$BATS_TEST_TMPDIR/other"
}

# An automount that is never answered, as systemd's where what would mount it hangs. What is in it cannot be known.
@test "foreseen: looking for formats of binfmt_misc does not wait for an automount" {
    need root
    grep -qw autofs /proc/filesystems || skip "the kernel has no autofs"
    printf 'exit 0\n' >"$BUNDLE/rootfs/bin/s-text"
    chmod 755 "$BUNDLE/rootfs/bin/s-text"
    config '.process.args = ["/bin/s-text"]'
    # shellcheck disable=SC2016 # for the inner shells
    run unshare -m --propagation private python3 -c '
import ctypes, os, subprocess, sys
reading, writing = os.pipe()
libc = ctypes.CDLL(None, use_errno=True)
options = "fd=%d,pgrp=%d,minproto=5,maxproto=5,direct" % (writing, os.getpgrp())
if libc.mount(b"test", b"/proc/sys/fs/binfmt_misc", b"autofs", 0, options.encode()) < 0:
    sys.exit("mount autofs: " + os.strerror(ctypes.get_errno()))
# The group that serves an automount does not wait for it.
child = subprocess.Popen(sys.argv[1:], start_new_session=True)
try:
    sys.exit(child.wait(10))
except subprocess.TimeoutExpired:
    child.kill()
    os.close(reading)
    sys.exit("it waits for the automount")
' "$WHERRY" --root "$ROOT" check --profile engine -b "$BUNDLE" 3>&- 4>&-
    have_not "waits for the automount"
    have_not "is neither an ELF file nor a script"
    have_status 0
}

@test "foreseen: a program whose path leads below a mount through a link is not judged by the rootfs" {
    ln -s bin "$BUNDLE/rootfs/link"
    printf 'exit 0\n' >"$BUNDLE/rootfs/bin/s-text"
    printf '#!/link/s-text\n' >"$BUNDLE/rootfs/s-script"
    chmod 755 "$BUNDLE/rootfs/bin/s-text" "$BUNDLE/rootfs/s-script"
    for program in /link/s-text /s-script; do
        config '.process.args = ["'$program'"]'
        run wherry check --profile engine -b "$BUNDLE"
        have_status 2
        config '.mounts += [{destination: "/bin", type: "tmpfs", source: "x"}]'
        run wherry check --profile engine -b "$BUNDLE"
        have_status 0
        config 'del(.mounts[-1])'
    done
    rm "$BUNDLE/rootfs/s-script" "$BUNDLE/rootfs/link"
}

@test "foreseen: a source that cannot be bound is not a file system that cannot be id-mapped" {
    need root
    mkdir "$BATS_TEST_TMPDIR/source"
    config '.mounts += [{destination: "/x", type: "bind", source: "'"$BATS_TEST_TMPDIR/source"'", options: ["bind"],
        uidMappings: [{containerID: 0, hostID: 9, size: 9}], gidMappings: [{containerID: 0, hostID: 9, size: 9}]}]'
    # shellcheck disable=SC2016 # for the inner shell
    run unshare -m --propagation private sh -ec 'mount -t tmpfs --make-unbindable x "$1" && shift && exec "$@"' \
        sh "$BATS_TEST_TMPDIR/source" "$WHERRY" --root "$ROOT" check --profile engine -b "$BUNDLE" 3>&- 4>&-
    have_not idmap-unsupported
    have_status 0
}
