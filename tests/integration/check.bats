#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# `check`: exit status, formats, and its reports on the four configurations. Each finding by itself: tests/unit/check.c.
# shellcheck disable=SC2154 # status and output are set by bats
load helpers

# The reports depend on the host in two findings, which are left out: which capabilities it may grant, and which limits
# the caller has.
report() { # CONFIG FORMAT
    cp "$CONFIGS/$1.json" "$BUNDLE/config.json"
    # What the bundle has to have for no finding to be about it.
    mkdir -p "$BUNDLE/rootfs/bin"
    wherry check --format "$2" -b "$BUNDLE"
}

ids() { jq -r '.findings[] | select(.id != "cap-not-granted" and .id != "rlimit-above") |
    .severity + " " + .id + " " + .pointer' <<<"$1"; }

@test "check: the default configuration of runc" {
    run report runc-1.1-spec text
    have_status 1
    [ "$(head -n 12 <<<"$output")" = 'config.json:6:11: warning: /process/user/uid: the process runs as root, without a user namespace [root-no-userns]
    why: uid 0 of the container is uid 0 of the host: one hole in the confinement is root on the host.
    fix: Set process.user.uid, or add a user namespace with id maps.
config.json:33:15: note: /process/capabilities/ambient: CAP_KILL and others are not in the inheritable set [ambient-lost]
    why: the kernel raises only ambient capabilities that are also permitted and inheritable; the others are left out.
    fix: Add them to the inheritable and permitted sets, or remove them from the ambient one.
config.json:129:11: warning: /linux: no seccomp filter [no-seccomp]
    why: every system call of the kernel is within reach, those with known holes too.
    fix: Add linux.seccomp with a profile that denies by default.
config.json:129:11: note: /linux: no cgroup namespace: the container is in the host'"'"'s [host-cgroup]
    why: the container sees where it is in the host'"'"'s cgroups, and the names of others.
    fix: Add a namespace of type cgroup.' ]
    [ "$(tail -n 1 <<<"$output")" = "0 errors, 2 warnings, 3 notes" ]
}

@test "check: the rootless configuration of runc" {
    run report runc-1.1-spec-rootless json
    have_status 1
    [ "$(ids "$output")" = 'note ambient-lost /process/capabilities/ambient
warning no-seccomp /linux
warning host-network /linux
note host-cgroup /linux
note no-pids-limit /linux
warning userns-maps-root /linux/uidMappings/0' ]
}

@test "check: the default configuration of containerd, which has no command" {
    run report containerd-1.6-default json
    have_status 2
    [ "$(ids "$output")" = 'error refused /process
warning root-no-userns /process/user/uid
note rootfs-writable /root
warning no-seccomp /linux
note host-cgroup /linux
note no-pids-limit /linux' ]
    [ "$(jq -r '.findings[] | select(.id == "refused").message' <<<"$output")" = "args must not be empty" ]
}

@test "check: the default configuration of podman" {
    run report podman-4.3-default json
    # Sources of its bind mounts are those of one container on one machine.
    [ "$(ids "$output" | grep -v bind-source-missing)" = 'warning new-privileges /process
warning root-no-userns /process/user/uid
note rootfs-writable /root
note host-cgroup /linux
warning seccomp-overruled /linux/seccomp/syscalls/10/names/7' ]
    # It is so: that profile names setns twice.
    have "SCMP_ACT_ERRNO is not applied to setns: /linux/seccomp/syscalls/1 says SCMP_ACT_ALLOW without conditions"
}

@test "check: exit status 0, 1, 2, and --strict" {
    config '.process.noNewPrivileges = true | .root.readonly = true | .process.user = {uid: 1000, gid: 1000}
            | .linux.resources.pids.limit = -1 | del(.process.capabilities.ambient)
            | .linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", syscalls: [{names: ["read", "write", "execve"], action: "SCMP_ACT_ALLOW"}]}'
    run wherry check -b "$BUNDLE"
    have_status 0
    have "0 errors, 0 warnings, 1 note"
    run wherry check --strict -b "$BUNDLE"
    have_status 0
    config '.process.noNewPrivileges = false'
    run wherry check -b "$BUNDLE"
    have_status 1
    run wherry check --strict -b "$BUNDLE"
    have_status 2
    have "error: /process/noNewPrivileges: noNewPrivileges is false"
    config '.process.cwd = "relative"'
    run wherry check -b "$BUNDLE"
    have_status 2
    have "error: /process/cwd: "
    have "[invalid]"
}

@test "check: all errors of a file at once, and what is no file" {
    config '.process.cwd = 1 | .process.env = "x" | .hostname = [] | .root.readonly = "yes"'
    run wherry check --format json -b "$BUNDLE"
    have_status 2
    [ "$(jq .errors <<<"$output")" = 4 ]
    rm "$BUNDLE/config.json"
    run wherry check -b "$BUNDLE"
    have_status 2
    have "[unreadable]"
    # Not the configuration's fault.
    need root
    run unshare -m --propagation private sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$WHERRY" --root "$ROOT" check -b "$BUNDLE"
    have "/proc is not the root of a proc file system [host-lacks]"
}

@test "check: unknown keys, with the nearest known name" {
    config '.process.noNewPrivilege = true | .linux.maskedPath = []'
    run wherry check -b "$BUNDLE"
    have 'did you mean "noNewPrivileges"?'
    have 'did you mean "maskedPaths"?'
    # run ignores them, as the specification wants.
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
}

@test "check: a configuration with errors is told its unknown keys as well" {
    config '.process.noNewPrivilege = true | .process.user.uid = "1000" | .mounts[0].optoins = []'
    run wherry check --format json -b "$BUNDLE"
    have_status 2
    [ "$(jq -c '[.findings[] | [.id, .pointer]] | sort' <<<"$output")" = \
        '[["invalid","/process/user/uid"],["unknown-key","/mounts/0/optoins"],["unknown-key","/process/noNewPrivilege"]]' ]
    # Logic errors are found after the types, and syntax errors end the reading.
    config '.process.user.uid = 0 | .process.cwd = "relative"'
    run wherry check -b "$BUNDLE"
    have_status 2
    have "/process/cwd: Cwd must be an absolute path [invalid]"
    have 'did you mean "options"?'
    printf '{ "proces": {}, "linux": [ }' >"$BUNDLE/config.json"
    run wherry check -b "$BUNDLE"
    have_status 2
    have "not valid JSON"
    have 'did you mean "process"?'
}

@test "check: options that it does not know are status 2, because 1 means warnings" {
    run wherry check --bogus
    have_status 2
    have "flag provided but not defined: -bogus"
    run wherry check operand
    have_status 2
    have 'requires exactly 0 argument(s)'
    run wherry check -b
    have_status 2
}

@test "check: what is wrong before the command is status 2, too" {
    local options
    for options in "--log /nonexistent/x" "--log-level nope" "--log-format nope" "--nosuch" "--nosuch value" \
        "--nosuch --" "--nosuch=1" \
        "--debug=perhaps" "--nosuch --root list" "--log-level nope --root list" "--cgroup-manager nope"; do
        # shellcheck disable=SC2086
        run "$WHERRY" $options check -b "$BUNDLE"
        have_status 2
        # shellcheck disable=SC2086
        run "$WHERRY" $options list
        have_status 1
    done
    # The word after the options is the command, and what follows it belongs to it.
    run "$WHERRY" --log-level nope state check
    have_status 1
    run "$WHERRY" --log-level nope chekc check
    have_status 1
    run "$WHERRY" --nosuch state check
    have_status 1
}

@test "check: a program that is not in the rootfs, also through a link out of it" {
    command_is /no/such/program
    run wherry check -b "$BUNDLE"
    have_status 2
    have "/no/such/program is not in the root file system [args-not-found]"
    ln -s /../../../../../../../../../bin "$BUNDLE/rootfs/hostbin"
    command_is /hostbin/bash
    run wherry check -b "$BUNDLE"
    have "/hostbin/bash is not in the root file system"
    command_is sh
    run wherry check -b "$BUNDLE"
    have_not args-not-found
}

@test "check: makes nothing, and needs no privileges" {
    find /sys/fs/cgroup -name "*$CID*" >"$BATS_TEST_TMPDIR/before"
    find "$BUNDLE" | sort >"$BATS_TEST_TMPDIR/files"
    run wherry check -b "$BUNDLE"
    [ ! -e "$ROOT" ]
    find /sys/fs/cgroup -name "*$CID*" | cmp - "$BATS_TEST_TMPDIR/before"
    find "$BUNDLE" | sort | cmp - "$BATS_TEST_TMPDIR/files"
    if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --clear-groups test -x "$WHERRY" -a -r "$BUNDLE/config.json"; then
        run setpriv --reuid 65534 --clear-groups "$WHERRY" --root "$BATS_TEST_TMPDIR/none" check -b "$BUNDLE"
        have_status 1
        have "root-no-userns"
    fi
}

@test "check --profile engine: what engines write by default exits with 0" {
    local name
    # All that are kept: configs.bats.
    for name in runc-1.1-spec runc-1.1-spec-rootless podman-4.3-default podman-5.8-systemd containerd-1.6-default; do
        cp "$CONFIGS/$name.json" "$BUNDLE/config.json"
        # What the engine makes for one container on one machine, before it calls the runtime.
        config '.root.path = "rootfs" | (.mounts[] | select(.source // "" |
            startswith("/var/lib/engine/"))).source = "/etc/hostname"
                | (.mounts[] | select(.source == "/sys/fs/cgroup/systemd")).source = "/sys"'
        run wherry check --profile engine -b "$BUNDLE"
        [ "$status" = 0 ] || { echo "$name: $output"; return 1; }
        have "0 errors, 0 warnings, "
    done
    # containerd's has no command, and other profiles refuse it.
    cp "$CONFIGS/containerd-1.6-default.json" "$BUNDLE/config.json"
    run wherry check --profile=engine -b "$BUNDLE"
    have "note: /process: args must not be empty [no-command]"
    run wherry check --profile default -b "$BUNDLE"
    have_status 2
    have "[refused]"
    # What cannot run is an error for engines, too.
    command_is /no/such/program
    run wherry check --profile engine -b "$BUNDLE"
    have_status 2
    have "[args-not-found]"
}

@test "check --profile hardened, --ignore, and names that do not exist" {
    run wherry check --profile hardened -b "$BUNDLE"
    have_status 2
    have "error: /linux: no seccomp filter [no-seccomp]"
    run wherry check --profile hardened --ignore no-seccomp --ignore=root-no-userns -b "$BUNDLE"
    have_not "no-seccomp"
    have ", 2 ignored"
    run wherry check --profile lax -b "$BUNDLE"
    have_status 2
    have 'unknown profile "lax": want engine, default or hardened'
    run wherry check --ignore no-secomp -b "$BUNDLE"
    have_status 2
    have 'no finding has the id "no-secomp"; did you mean "no-seccomp"?'
}

@test "check --ignore: a bundle that was not checked never passes" {
    local id
    printf '{' >"$BUNDLE/config.json"
    for id in invalid unreadable; do
        run wherry check --ignore no-seccomp --ignore "$id" -b "$BUNDLE"
        have_status 2
        have "the finding \"$id\" cannot be ignored: it means that nothing else was checked"
        rm -f "$BUNDLE/config.json"
    done
    # Nor are they suggested.
    run wherry check --ignore invalit -b "$BUNDLE"
    have_status 2
    have 'no finding has the id "invalit"'
    have_not "did you mean"
}

@test "check --ignore host-lacks: not where /proc is missing" {
    [ "$(id -u)" = 0 ] || skip "needs root to hide /proc"
    run unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$WHERRY" check --ignore host-lacks -b "$BUNDLE"
    have_status 2
    have "[host-lacks]"
}

@test "check --format json: as its schema says, with a place in files of one line too" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "needs python3-jsonschema"
    valid() {
        run wherry check --format json "$@" -b "$BUNDLE"
        python3 -c 'import json, jsonschema, sys; jsonschema.Draft7Validator(json.load(open(sys.argv[1]))).validate(json.load(sys.stdin))' \
            "$SRC/docs/check-report.schema.json" <<<"$output"
    }
    valid
    valid --profile engine --ignore no-seccomp
    [ "$(jq -c '[.version, .profile, .ignored]' <<<"$output")" = '[1,"engine",1]' ]
    jq -c '.process.cwd = 7' "$BUNDLE/config.json" >"$BUNDLE/line" && mv "$BUNDLE/line" "$BUNDLE/config.json"
    valid --profile hardened --strict
    [ "$(jq -c '.findings[0] | [.id, .line, .pointer]' <<<"$output")" = '["invalid",null,"/process/cwd"]' ]
    rm "$BUNDLE/config.json"
    valid
    [ "$(jq -c '.findings[0] | [.id, .line, .pointer]' <<<"$output")" = '["unreadable",null,null]' ]
}
