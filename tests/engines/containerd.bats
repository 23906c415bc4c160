#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later

load engines

setup_file() {
    local need
    for need in containerd ctr podman; do command -v $need >/dev/null || skip "needs $need"; done
    [ "$(id -u)" = 0 ] || skip "needs root"
    engine_setup
    cat >"$DIR/containerd.toml" <<EOF
version = 2
root = "$DIR/containerd"
state = "$DIR/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$DIR/c.sock"
[ttrpc]
  address = "$DIR/t.sock"
EOF
    start_containerd
    # The image is an archive that podman writes: ctr makes none from a directory.
    # shellcheck disable=SC2086
    podman $STORAGE import "$DIR/rootfs.tar" $IMAGE && podman $STORAGE save -q --format oci-archive -o "$DIR/image.tar" $IMAGE &&
        import_archive "$DIR/image.tar" || { stop_containerd; engine_teardown; return 1; }
}
teardown_file() {
    stop_containerd
    engine_teardown
}
setup() { NAME=c$BATS_TEST_NUMBER-${DIR##*.}; }
teardown() {
    ctr task rm -f "$NAME" >/dev/null 2>&1
    ctr container rm "$NAME" >/dev/null 2>&1
    return 0
}

ctr() { quick ctr -a "$DIR/c.sock" "$@"; }
box() { # ctr's options, the container's arguments after "--"
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    ctr run --snapshotter native --runc-binary "$WHERRY" --runc-root "$DIR/runtime" --cgroup "$PARENT/$NAME" "${options[@]}" $IMAGE "$NAME" "$@" </dev/null
}

@test "run --rm: output, exit status, nothing left" {
    run box --rm -- sh -c 'echo out; exit 7'
    have_status 7
    have out
    run ctr container ls -q
    [ "$output" = "" ]
    [ -z "$(find "$DIR/runtime" -mindepth 2 ! -name .init)" ]
    run no_trace
    have_status 0
}

@test "run: what cannot be executed" {
    run box --rm -- nosuch
    have_status 1
    have 'OCI runtime create failed'
    have 'exec: "nosuch": executable file not found in $PATH'
}

@test "detached: list, kill, delete" {
    box -d --null-io -- sleep 100
    run ctr task ls
    have_line "^$NAME +[0-9]+ +RUNNING"
    ctr task kill -s KILL "$NAME"
    for _ in $(seq 100); do ctr task ls | grep -q STOPPED && break; sleep 0.1; done
    run ctr task delete "$NAME"
    have 137
    ctr container delete "$NAME"
    [ -z "$(find "$DIR/runtime" -mindepth 2 ! -name .init)" ]
}

@test "delete -f of a running one" {
    box -d --null-io -- sleep 100
    ctr task delete -f "$NAME" || true
    run ctr task ls -q
    [ "$output" = "" ]
    [ -z "$(find "$DIR/runtime" -mindepth 2 ! -name .init)" ]
}

@test "options: environment, read-only root, seccomp, privileged, mounts" {
    run box --rm --env A=b --read-only --seccomp --mount "type=bind,src=$DIR/rootfs,dst=/mnt,options=rbind:ro" -- \
        sh -c 'echo $A; grep Seccomp: /proc/self/status; ls /mnt/bin/busybox; touch /x'
    have_status 1
    have_line '^b$'
    have_line '^Seccomp:.2$'
    have /mnt/bin/busybox
    have "Read-only file system"
    run box --rm --privileged -- grep CapEff /proc/self/status
    have_status 0
}

@test "limits: shares, and memory that is exceeded" {
    run box --rm --cpu-shares 512 -- true
    have_status 0
    run box --rm --memory-limit 33554432 -- sh -c 'x=$(head -c 100000000 /dev/zero | tr "\\0" x)'
    have_status 137
}

@test "task exec: output, status, user, terminal, what cannot be executed" {
    box -d --null-io -- sleep 1000
    run ctr task exec --exec-id one "$NAME" sh -c 'echo out; exit 7' </dev/null
    have_status 7
    have out
    run ctr task exec --exec-id two --user 1000:1000 --cwd /tmp "$NAME" sh -c 'id -u; pwd' </dev/null
    have_status 0
    [ "$output" = $'1000\n/tmp' ]
    run ctr task exec --exec-id three "$NAME" nosuch </dev/null
    have_status 1
    have "OCI runtime exec failed"
    have 'exec: "nosuch": executable file not found in $PATH'
    run ctr task ps "$NAME"
    ctr task kill -s KILL "$NAME"
}
