#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# containerd as Kubernetes uses it: pods and containers through the Container Runtime Interface, with wherry behind the
# shim io.containerd.runc.v2. Pods are on the host's network: an own one needs the devices of a CNI plugin, and the
# runtime has no part in it.

bats_require_minimum_version 1.5.0
load engines

setup_file() {
    local need
    for need in containerd ctr podman protoc jq; do command -v $need >/dev/null || skip "needs $need"; done
    /usr/bin/python3 -c 'import grpc, google.protobuf' 2>/dev/null || skip "needs python3-grpcio and python3-protobuf"
    [ "$(id -u)" = 0 ] || skip "needs root"
    engine_setup
    export CRI_MODULE=$DIR
    protoc -I "$BATS_TEST_DIRNAME/cri" --python_out="$DIR" "$BATS_TEST_DIRNAME/cri/cri.proto"
    cat >"$DIR/containerd.toml" <<END
version = 2
root = "$DIR/containerd"
state = "$DIR/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$DIR/c.sock"
[ttrpc]
  address = "$DIR/t.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:latest"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$DIR/cni/bin"
    conf_dir = "$DIR/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "wherry"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.wherry]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.wherry.options]
        BinaryName = "$WHERRY"
        Root = "$DIR/runtime"
        SystemdCgroup = false
END
    start_containerd
    # shellcheck disable=SC2086 # $STORAGE is a list of words
    {
        podman $STORAGE import "$DIR/rootfs.tar" $IMAGE &&
            podman $STORAGE import -c 'CMD ["/bin/sleep", "100000"]' "$DIR/rootfs.tar" localhost/pause:latest &&
            podman $STORAGE save -q --format oci-archive -o "$DIR/image.tar" $IMAGE &&
            podman $STORAGE save -q --format oci-archive -o "$DIR/pause.tar" localhost/pause:latest &&
            import_archive "$DIR/image.tar" -n k8s.io && import_archive "$DIR/pause.tar" -n k8s.io
    } || { stop_containerd; engine_teardown; return 1; }
}
teardown_file() {
    stop_containerd
    engine_teardown
}
setup() {
    NAME=p$BATS_TEST_NUMBER
    LOGS=$DIR/logs/$NAME
    POD=
    mkdir -p "$LOGS"
}
teardown() {
    [ -z "$POD" ] || remove_pod
    umount -R "$DIR/volume" 2>/dev/null
    # shellcheck disable=SC2154 # set by bats
    [ -n "$BATS_TEST_COMPLETED" ] || tail -n 5 "$DIR/containerd.log"
}

cri() { quick "$BATS_TEST_DIRNAME/cri/cri" "$DIR/c.sock" "$@"; }

# A pod; ARG is merged into its linux part. The kubelet names no host for a pod on the host's network.
pod() { # [ARG]
    SANDBOX=$(jq -cn --arg name "$NAME" --arg logs "$LOGS" --arg parent "$PARENT/$NAME" --argjson linux "${1-null}" '
        { metadata: { name: $name, uid: $name, namespace: "tests" }, log_directory: $logs,
          linux: ({ cgroup_parent: $parent, security_context: { namespace_options: { network: "NODE" } } } * ($linux // {})) }')
    POD=$(cri RunPodSandbox "{\"config\": $SANDBOX}" | jq -er .pod_sandbox_id)
}
remove_pod() {
    cri StopPodSandbox "{\"pod_sandbox_id\": \"$POD\"}" && cri RemovePodSandbox "{\"pod_sandbox_id\": \"$POD\"}" && POD=
}

# A container of the pod. PART, JSON, is merged into its configuration; its security context has the pod's network.
create() { # NAME PART COMMAND…
    local name=$1 part=$2 config
    shift 2
    config=$(jq -cn --arg name "$name" --arg image "$IMAGE" --argjson part "$part" '
        { metadata: { name: $name }, image: { image: $image }, command: $ARGS.positional, log_path: ($name + ".log"),
          linux: { security_context: { namespace_options: { network: "NODE", pid: "CONTAINER" } } } } * $part' \
              --args -- "$@")
    ID=
    answer=$(cri CreateContainer "{\"pod_sandbox_id\": \"$POD\", \"config\": $config, \"sandbox_config\": $SANDBOX}") ||
        return
    ID=$(jq -er .container_id <<<"$answer")
}
start() { create "$@" && cri StartContainer "{\"container_id\": \"$ID\"}" >/dev/null; }
status_of() { cri ContainerStatus "{\"container_id\": \"$ID\"}" | jq -c .status; }
# Runs one to its end: $status is its own, $output what it said (the log has a time, a stream and a mark before each
# line).
one() {
    local state i
    start "$@" || return
    for ((i = 0; i < 200; i++)); do
        state=$(status_of)
        [ "$(jq -r .state <<<"$state")" != CONTAINER_EXITED ] || break
        sleep 0.1
    done
    cut -d' ' -f4- "$LOGS/$1.log"
    return "$(jq -r .exit_code <<<"$state")"
}
inside() { # COMMAND…: in the container, with an end
    cri ExecSync "$(jq -cn --arg id "$ID" '{ container_id: $id, cmd: $ARGS.positional, timeout: 30 }' --args -- "$@")"
}

@test "a pod with a container: created, running, exec, stopped, removed, nothing left" {
    pod
    create c '{}' sh -c 'trap "exit 3" TERM; echo up; while :; do sleep 0.05; done'
    [ "$(status_of | jq -r .state)" = CONTAINER_CREATED ]
    cri StartContainer "{\"container_id\": \"$ID\"}"
    [ "$(status_of | jq -r .state)" = CONTAINER_RUNNING ]
    run --separate-stderr inside sh -c 'hostname; echo err >&2; exit 7'
    have_status 7
    [ "$output" = "$(hostname)" ]
    # shellcheck disable=SC2154 # set by bats
    [ "$stderr" = err ]
    for _ in $(seq 200); do grep -q ' stdout F up$' "$LOGS/c.log" && break; sleep 0.1; done
    grep ' stdout F up$' "$LOGS/c.log"
    cri StopContainer "{\"container_id\": \"$ID\", \"timeout\": 30}"
    [ "$(status_of | jq -r '.state, .exit_code' | tr '\n' ' ')" = "CONTAINER_EXITED 3 " ]
    cri RemoveContainer "{\"container_id\": \"$ID\"}"
    run status_of
    have "NOT_FOUND"
    remove_pod
    [ -z "$(find "$DIR/runtime" -mindepth 2 ! -name .init)" ]
    run no_trace
    have_status 0
}

@test "stop with a time-out kills what ignores the signal: 137" {
    pod
    start c '{}' sh -c 'trap "" TERM; while :; do sleep 0.05; done'
    cri StopContainer "{\"container_id\": \"$ID\", \"timeout\": 1}"
    [ "$(status_of | jq -r .exit_code)" = 137 ]
}

@test "what cannot be executed: the runtime's sentence reaches the kubelet" {
    pod
    # containerd creates the runtime's container at the start.
    run start c '{}' nosuch
    have_status 125
    have 'OCI runtime create failed'
    have 'exec: "nosuch": executable file not found in $PATH'
    ID=
    start d '{}' sleep 1000
    run inside nosuch
    have_status 125
    have 'exec: "nosuch": executable file not found in $PATH'
    run inside false
    have_status 1
}

@test "mounts: Bidirectional reaches the host, HostToContainer the container, None neither; read-only" {
    local asked m
    mkdir -p "$DIR/volume"
    mount -t tmpfs volume "$DIR/volume"
    mount --make-shared "$DIR/volume"
    mkdir "$DIR/volume/in" "$DIR/volume/out"
    pod '{"security_context": {"privileged": true}}'
    for asked in PRIVATE HOST_TO_CONTAINER BIDIRECTIONAL; do
        m=$(jq -cn --arg p "PROPAGATION_$asked" --arg h "$DIR/volume" \
            '{ mounts: [{ container_path: "/v", host_path: $h, propagation: $p }],
            linux: { security_context: { privileged: true } } }')
        start "$asked" "$m" sleep 1000
        mount -t tmpfs out "$DIR/volume/out"
        inside mount -t tmpfs in /v/in
        run inside grep -c ' /v/out ' /proc/self/mountinfo
        case $asked in PRIVATE) [ "$output" = 0 ] ;; *) [ "$output" = 1 ] ;; esac
        run mountpoint -q "$DIR/volume/in"
        case $asked in
        BIDIRECTIONAL) have_status 0; umount "$DIR/volume/in" ;;
        *) [ "$status" != 0 ] ;;
        esac
        umount "$DIR/volume/out"
    done
    run one ro "$(jq -cn --arg h "$DIR/volume" '{ mounts: [{ container_path: "/v", host_path: $h, readonly: true }] }')" touch /v/x
    have_status 1
    have "Read-only file system"
}

@test "seccomp: the engine's default, and none; capabilities, no new privileges" {
    pod
    run one a '{"linux": {"security_context": {"seccomp": {"profile_type": "RuntimeDefault"}, "no_new_privs": true}}}' \
        grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status
    have_status 0
    have_line '^NoNewPrivs:.1$'
    have_line '^Seccomp:.2$'
    run one b '{"linux": {"security_context": {"seccomp": {"profile_type": "Unconfined"}}}}' grep Seccomp: \
        /proc/self/status
    have_line '^Seccomp:.0$'
    run one c '{"linux": {"security_context": {"capabilities": {"drop_capabilities": ["ALL"], "add_capabilities": ["KILL"]}}}}' \
        grep CapEff: /proc/self/status
    have_line '^CapEff:.0000000000000020$'
}

@test "sysctls and namespaces: the pod's, the container's and the host's" {
    pod '{"sysctls": {"kernel.shm_rmid_forced": "1"}}'
    start first '{}' sh -c 'exec sleep 1000'
    run inside cat /proc/sys/kernel/shm_rmid_forced
    [ "$output" = 1 ]
    run inside readlink /proc/self/ns/ipc
    local ipc=$output
    [ "$ipc" != "$(readlink /proc/self/ns/ipc)" ]
    run one second '{}' readlink /proc/self/ns/ipc
    [ "$output" = "$ipc" ]
    run one own '{}' sh -c 'echo $$'
    [ "$output" = 1 ]
    run one shared '{"linux": {"security_context": {"namespace_options": {"pid": "POD"}}}}' \
        sh -c 'tr "\0" " " </proc/1/cmdline'
    have "sleep 100000"
    remove_pod
    pod '{"security_context": {"namespace_options": {"network": "NODE", "pid": "NODE", "ipc": "NODE"}}}'
    run one host '{"linux": {"security_context": {"namespace_options": {"pid": "NODE", "ipc": "NODE"}}}}' \
        sh -c 'for n in pid ipc net; do readlink /proc/self/ns/$n; done'
    [ "$output" = "$(readlink /proc/self/ns/pid /proc/self/ns/ipc /proc/self/ns/net)" ]
}

@test "user, groups, environment, directory, devices, read-only root, a terminal" {
    pod
    run one a '{"working_dir": "/tmp", "envs": [{"key": "A", "value": "b"}], "linux": {"security_context":
        {"run_as_user": {"value": 1000}, "run_as_group": {"value": 7}, "supplemental_groups": [55], "readonly_rootfs": true}}}' \
        sh -c 'id -u; id -g; id -G; pwd; echo $A; touch /x'
    have_status 1
    have_line '^1000$'
    have_line '^7$'
    have_line '(^| )55( |$)'
    have_line '^/tmp$'
    have_line '^b$'
    have "Read-only file system"
    run one b '{"devices": [{"container_path": "/dev/other", "host_path": "/dev/null", "permissions": "r"}]}' stat \
        -c '%t %T' /dev/other
    [ "$output" = "1 3" ]
    run one c '{"tty": true}' tty
    have /dev/pts/0
}

@test "stats are the container's own; limits, and an update of them" {
    pod
    local held=20971520 memory cpu
    start c '{"linux": {"resources": {"memory_limit_in_bytes": 134217728, "cpu_shares": 512}}}' \
        sh -c "head -c $held /dev/zero >/dev/shm/x; echo held; exec sleep 1000"
    for _ in $(seq 200); do grep -q ' held$' "$LOGS/c.log" && break; sleep 0.1; done
    run cri ContainerStats "{\"container_id\": \"$ID\"}"
    have_status 0
    cpu=$(jq -r '.stats.cpu.usage_core_nano_seconds.value' <<<"$output")
    [ "$cpu" -gt 0 ]
    if grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null || [ -d /sys/fs/cgroup/memory ]; then
        memory=$(jq -r '.stats.memory.working_set_bytes.value' <<<"$output")
        [ "$memory" -ge "$held" ]
        [ "$memory" -le 134217728 ]
    fi
    cri UpdateContainerResources \
        "{\"container_id\": \"$ID\", \"linux\": {\"memory_limit_in_bytes\": 67108864, \"cpu_shares\": 1024}}"
    if [ -d /sys/fs/cgroup/memory ]; then
        run inside cat /sys/fs/cgroup/memory/memory.limit_in_bytes
        [ "$output" = 67108864 ]
        run inside cat /sys/fs/cgroup/cpu/cpu.shares
        [ "$output" = 1024 ]
    fi
}
