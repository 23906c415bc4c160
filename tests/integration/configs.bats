#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The four configs that real programs write (tests/configs), as they are but for the terminal and the command.
load helpers

use() { # CONFIG
    jq --arg id "$CID" '.process.terminal = false | .linux.cgroupsPath = "/wherry-test/" + $id' "$CONFIGS/$1" >"$BUNDLE/config.json"
    # A hard limit above the caller's own needs CAP_SYS_RESOURCE, which a machine may lack.
    local hard
    hard=$(ulimit -Hu)
    if [ "$hard" != unlimited ] && ! (($(sed -n 's/^CapEff:[[:space:]]*/0x/p' /proc/self/status) >> 24 & 1)); then
        config '.process.rlimits |= map(if .type == "RLIMIT_NPROC" then .hard = ([.hard, $h] | min) | .soft = ([.soft, $h] | min) else . end)' \
            --argjson h "$hard"
    fi
}

all() { # CONFIG
    use "$1"
    shell_is 'echo pid $$; ls /proc | grep -c "^[0-9]"; cat /proc/kcore 2>/dev/null | head -c 1 | wc -c; (echo 1 >/proc/sys/vm/drop_caches) 2>/dev/null && echo writable; exit 5'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 5
    have_line '^pid 1$'
    have_not writable
    [ "${lines[2]}" = 0 ]
    command_is /bin/sleep 1000
    run bash -c '"$WHERRY" --root "$1" create -b "$2" "$3" </dev/null >/dev/null 2>"$4" 3>&- 4>&-; echo $?; cat "$4"' sh "$ROOT" "$BUNDLE" "$CID" "$BATS_TEST_TMPDIR/err"
    [ "$output" = 0 ] || { echo "$output"; return 1; }
    wherry start "$CID"
    wait_status "$CID" running
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
}

@test "runc-1.1-spec.json" { all runc-1.1-spec.json; }
@test "podman-4.3-default.json" {
    need hybrid
    all podman-4.3-default.json
}
@test "containerd-1.6-default.json" { all containerd-1.6-default.json; }

@test "runc-1.1-spec-rootless.json" {
    need userns
    all runc-1.1-spec-rootless.json
}

@test "podman's limit of processes holds" {
    need hybrid
    use podman-4.3-default.json
    config '.linux.resources.pids.limit = 5'
    shell_is 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo all'
    run wherry run -b "$BUNDLE" "$CID"
    have_not all
    have "fork"
}

@test "podman's filter holds" {
    use podman-4.3-default.json
    config 'del(.linux.resources.pids)'
    # Not in the profile without CAP_SYS_ADMIN.
    shell_is 'grep Seccomp: /proc/self/status; unshare -m true'
    run wherry run -b "$BUNDLE" "$CID"
    have_line '^Seccomp:	2$'
    have "Operation not permitted"
    [ "$status" -ne 0 ]
}

@test "explain works without privileges on all four" {
    for file in runc-1.1-spec.json podman-4.3-default.json containerd-1.6-default.json runc-1.1-spec-rootless.json; do
        use "$file"
        command_is /bin/true
        # Who is not root has no say over cgroups.
        config 'del(.linux.cgroupsPath, .linux.resources)'
        # bats keeps its directories to itself.
        open=$(mktemp -d)
        chmod 755 "$open"
        cp -a "$BUNDLE/." "$open"
        cp "$WHERRY" "$open/wherry"
        run setpriv --reuid=65534 --regid=65534 --clear-groups "$open/wherry" explain -b "$open"
        rm -rf "$open"
        have_status 0
        have /proc
        [ "${#lines[@]}" -gt 30 ]
    done
}
