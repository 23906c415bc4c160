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

# ---------------------------------------------------------------- every file that is kept

# What the engine made on its machine for that one container, and what this machine lacks, is patched, and nothing else;
# the test says what.
patch() { # FILTER WHAT [JQ OPTION…]
    cp "$BUNDLE/config.json" "$BUNDLE/before"
    config "$1" "${@:3}"
    cmp -s <(jq -S . "$BUNDLE/before") <(jq -S . "$BUNDLE/config.json") ||
        echo "# $BATS_TEST_DESCRIPTION: patched: $2" >&3
    rm "$BUNDLE/before"
}
kept() { # CONFIG
    local made=$BATS_TEST_TMPDIR/made source destination owner type hard n=0
    mkdir "$made"
    cp "$CONFIGS/$1" "$BUNDLE/config.json"
    patch '.root.path = "rootfs"' "root.path, which was a directory of that machine"
    patch '.linux.cgroupsPath = "/wherry-test/" + $id' "linux.cgroupsPath, one of the test's own" --arg id "$CID"
    patch 'if .process.terminal then .process.terminal = false else . end' "process.terminal: the test has none"
    patch '.process.args //= ["/bin/true"]' "process.args: the template has none"
    while IFS=$'\t' read -r source destination; do
        [ -e "$source" ] && continue
        n=$((n + 1))
        case $destination in
        /dev/shm | /v) mkdir "$made/$n" ;;
        /sys/fs/cgroup/systemd) mkdir "$made/$n" ;;
        *) echo made >"$made/$n" ;;
        esac
        patch '(.mounts[] | select(.source == $s)).source = $m' "the source of $destination" --arg s "$source" --arg m \
            "$made/$n"
    done < <(jq -r '.mounts[] | select(.type == "bind") | [.source, .destination] | @tsv' "$BUNDLE/config.json")
    # The engine gives the rootfs to the root of the user namespace.
    owner=$(jq '.linux.uidMappings // [] | map(select(.containerID == 0))[0].hostID // 0' "$BUNDLE/config.json")
    [ "$(id -u)" != 0 ] || chown -R "$owner:$owner" "$BUNDLE/rootfs"
    # Their sources are given to the container's root as those of the engine are.
    chmod -R a+rX "$made" "$BATS_TEST_TMPDIR"
    # The helper of docker --init, which is not wherry's to bring.
    patch 'if .process.args[0] == "/sbin/docker-init" and ($there | not) then
            .process.args = .process.args[2:] | .mounts |= map(select(.destination != "/sbin/docker-init")) else
                . end' \
        "docker-init, which is not installed" --argjson there \
            "$([ -x /usr/bin/docker-init ] && echo true || echo false)"
    patch '(.linux.namespaces[] | select(.path // "" |
        startswith("/var/lib/engine/"))) |= {type}' "namespaces that the engine made: new ones"
    patch 'del(.hooks)' "hooks, which call the engine"
    if ! (($(sed -n 's/^CapEff:[[:space:]]*/0x/p' /proc/self/status) >> 24 & 1)); then
        for type in $(jq -r '.process.rlimits // [] | .[].type' "$BUNDLE/config.json"); do
            case $type in
            RLIMIT_NPROC) hard=$(ulimit -Hu) ;;
            RLIMIT_NOFILE) hard=$(ulimit -Hn) ;;
            *) continue ;;
            esac
            [ "$hard" != unlimited ] || continue
            patch '.process.rlimits |= map(if .type == $t then .hard = ([.hard, $h] | min) | .soft = ([.soft, $h] |
                min) else . end)' \
                "$type, because this machine has no CAP_SYS_RESOURCE" --arg t "$type" --argjson h "$hard"
        done
    fi
    run wherry check --profile engine -b "$BUNDLE"
    [ "$status" = 0 ] || { echo "check: $output"; return 1; }
    run wherry run -b "$BUNDLE" "$CID"
    [ "$status" = 0 ] || { echo "run: status $status: $output"; return 1; }
}

@test "kept: buildah-1.28-options.json" {
    need root
    kept buildah-1.28-options.json
}
@test "kept: buildah-1.28-run.json" {
    need root
    kept buildah-1.28-run.json
}
@test "kept: buildah-1.39-options.json" {
    need root
    kept buildah-1.39-options.json
}
@test "kept: buildah-1.39-run.json" {
    need root
    kept buildah-1.39-run.json
}
@test "kept: buildah-1.43-options.json" {
    need root
    kept buildah-1.43-options.json
}
@test "kept: buildah-1.43-run.json" {
    need root
    kept buildah-1.43-run.json
}
@test "kept: containerd-1.6-default.json" {
    need root
    kept containerd-1.6-default.json
}
@test "kept: containerd-1.6-options.json" {
    need root
    kept containerd-1.6-options.json
}
@test "kept: containerd-1.6-privileged.json" {
    need root
    kept containerd-1.6-privileged.json
}
@test "kept: containerd-1.6-run.json" {
    need root
    kept containerd-1.6-run.json
}
@test "kept: containerd-1.6-seccomp.json" {
    need root
    kept containerd-1.6-seccomp.json
}
@test "kept: containerd-1.7-options.json" {
    need root
    kept containerd-1.7-options.json
}
@test "kept: containerd-1.7-privileged.json" {
    need root
    kept containerd-1.7-privileged.json
}
@test "kept: containerd-1.7-run.json" {
    need root
    kept containerd-1.7-run.json
}
@test "kept: containerd-1.7-seccomp.json" {
    need root
    kept containerd-1.7-seccomp.json
}
@test "kept: containerd-2.1-options.json" {
    need root
    kept containerd-2.1-options.json
}
@test "kept: containerd-2.1-privileged.json" {
    need root
    kept containerd-2.1-privileged.json
}
@test "kept: containerd-2.1-run.json" {
    need root
    kept containerd-2.1-run.json
}
@test "kept: containerd-2.1-seccomp.json" {
    need root
    kept containerd-2.1-seccomp.json
}
@test "kept: docker-20.10-host.json" {
    need root
    kept docker-20.10-host.json
}
@test "kept: docker-20.10-options.json" {
    need root
    kept docker-20.10-options.json
}
@test "kept: docker-20.10-privileged.json" {
    need root
    kept docker-20.10-privileged.json
}
@test "kept: docker-20.10-run.json" {
    need root
    kept docker-20.10-run.json
}
@test "kept: docker-20.10-unconfined.json" {
    need root
    kept docker-20.10-unconfined.json
}
@test "kept: docker-26.1-host.json" {
    need root
    kept docker-26.1-host.json
}
@test "kept: docker-26.1-options.json" {
    need root
    kept docker-26.1-options.json
}
@test "kept: docker-26.1-privileged.json" {
    need root
    kept docker-26.1-privileged.json
}
@test "kept: docker-26.1-run.json" {
    need root
    kept docker-26.1-run.json
}
@test "kept: docker-26.1-unconfined.json" {
    need root
    kept docker-26.1-unconfined.json
}
@test "kept: docker-28.5-host.json" {
    need root
    kept docker-28.5-host.json
}
@test "kept: docker-28.5-options.json" {
    need root
    kept docker-28.5-options.json
}
@test "kept: docker-28.5-privileged.json" {
    need root
    kept docker-28.5-privileged.json
}
@test "kept: docker-28.5-run.json" {
    need root
    kept docker-28.5-run.json
}
@test "kept: docker-28.5-unconfined.json" {
    need root
    kept docker-28.5-unconfined.json
}
@test "kept: podman-4.3-default.json" {
    need root hybrid
    kept podman-4.3-default.json
}
@test "kept: podman-4.3-host.json" {
    need root
    kept podman-4.3-host.json
}
@test "kept: podman-4.3-options.json" {
    need root
    kept podman-4.3-options.json
}
@test "kept: podman-4.3-privileged.json" {
    need root
    kept podman-4.3-privileged.json
}
@test "kept: podman-4.3-run.json" {
    need root
    kept podman-4.3-run.json
}
@test "kept: podman-4.3-systemd.json" {
    need root
    kept podman-4.3-systemd.json
}
@test "kept: podman-4.3-unconfined.json" {
    need root
    kept podman-4.3-unconfined.json
}
@test "kept: podman-4.3-userns.json" {
    need root
    kept podman-4.3-userns.json
}
@test "kept: podman-5.4-host.json" {
    need root
    kept podman-5.4-host.json
}
@test "kept: podman-5.4-options.json" {
    need root
    kept podman-5.4-options.json
}
@test "kept: podman-5.4-privileged.json" {
    need root
    kept podman-5.4-privileged.json
}
@test "kept: podman-5.4-run.json" {
    need root
    kept podman-5.4-run.json
}
@test "kept: podman-5.4-systemd.json" {
    need root
    kept podman-5.4-systemd.json
}
@test "kept: podman-5.4-unconfined.json" {
    need root
    kept podman-5.4-unconfined.json
}
@test "kept: podman-5.4-userns.json" {
    need root
    kept podman-5.4-userns.json
}
@test "kept: podman-5.8-host.json" {
    need root
    kept podman-5.8-host.json
}
@test "kept: podman-5.8-options.json" {
    need root
    kept podman-5.8-options.json
}
@test "kept: podman-5.8-privileged.json" {
    need root
    kept podman-5.8-privileged.json
}
@test "kept: podman-5.8-run.json" {
    need root
    kept podman-5.8-run.json
}
@test "kept: podman-5.8-systemd.json" {
    need root hybrid
    kept podman-5.8-systemd.json
}
@test "kept: podman-5.8-unconfined.json" {
    need root
    kept podman-5.8-unconfined.json
}
@test "kept: podman-5.8-userns.json" {
    need root
    kept podman-5.8-userns.json
}
@test "kept: runc-1.1-spec-rootless.json" {
    need userns
    kept runc-1.1-spec-rootless.json
}
@test "kept: runc-1.1-spec.json" {
    need root
    kept runc-1.1-spec.json
}

@test "kept: each file has its test" {
    local name
    for name in "$CONFIGS"/*.json; do
        grep -qF "kept ${name##*/}" "$BATS_TEST_FILENAME" || { echo "no test runs $name"; return 1; }
    done
}
