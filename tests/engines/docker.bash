# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A dockerd of the test file's own, after `load engines` and engine_setup. It starts a containerd of its own; what both
# keep is below $DIR, and neither touches the network of the machine.

docker_or_skip() {
    local need
    for need in dockerd docker containerd jq; do command -v $need >/dev/null || skip "needs $need"; done
    [ "$(id -u)" = 0 ] || skip "needs root"
}

# With --users FILE-DIRECTORY the daemon sees the files passwd, group, subuid and subgid of that directory in /etc.
start_docker() { # [--users DIRECTORY] [OPTION OF THE DAEMON…]
    local path in=()
    if [ "${1-}" = --users ]; then
        # shellcheck disable=SC2016 # for the inner shell
        in=(unshare -m --propagation private bash -c 'for i in passwd group subuid subgid; do
            mount --bind "$1/$i" "/etc/$i" || exit; done; shift; exec "$@"' sh "$2")
        shift 2
    fi
    export DOCKER_HOST=unix://$DIR/docker.sock DOCKER_CONFIG=$DIR/docker-config IMAGE=box
    jq -n --arg path "$WHERRY" '{ runtimes: { wherry: { path: $path }, named: { path: $path } } }' >"$DIR/daemon.json"
    # BuildKit's runtime is the program of this name, whatever the runtimes are.
    mkdir "$DIR/bin"
    printf '#!/bin/sh\necho "$@" >>"%s"\nexec "%s" "$@"\n' "$DIR/runc-was-started" "$WHERRY" >"$DIR/bin/runc"
    chmod 755 "$DIR/bin/runc"
    # Whatever its own directories are, dockerd makes these. Those that were not there before are removed.
    for path in /etc/docker/key.json /etc/docker /run/docker/plugins /run/docker; do
        if [ ! -e "$path" ]; then echo "$path" >>"$DIR/not-there-before"; fi
    done
    PATH=$DIR/bin:$PATH "${in[@]}" dockerd --config-file "$DIR/daemon.json" --default-runtime wherry \
        --data-root "$DIR/data" --exec-root "$DIR/exec" --pidfile "$DIR/docker.pid" --host "$DOCKER_HOST" \
        --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$PARENT" --bridge=none \
        --iptables=false --ip6tables=false --ip-forward=false "$@" >"$DIR/docker.log" 2>&1 3>&- 4>&- &
    echo $! >"$DIR/pid"
    for _ in $(seq 200); do
        quick docker version >/dev/null 2>&1 && break
        kill -0 "$(cat "$DIR/pid")" 2>/dev/null || break
        sleep 0.1
    done
    if ! quick docker import - $IMAGE <"$DIR/rootfs.tar"; then
        grep -E 'level=(error|fatal)|failed to start' "$DIR/docker.log" | tail -n 3 >&2
        stop_docker
        engine_teardown
        return 1
    fi
}
stop_docker() {
    local pid containerd
    pid=$(cat "$DIR/pid")
    containerd=$(cat "$DIR/exec/containerd/containerd.pid" 2>/dev/null)
    kill "$pid" 2>/dev/null
    for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    # The daemon ends its containerd, unless it had to be killed.
    for pid in "$pid" $containerd; do
        [ "$(readlink "/proc/$pid/exe")" != "" ] || continue
        if grep -qsF "$DIR/" "/proc/$pid/cmdline"; then kill -KILL "$pid"; fi
    done
    # dockerd leaves this mount of the host's network namespace behind with every runtime.
    umount "$DIR/exec/netns/default" 2>/dev/null || true
    if [ -e "$DIR/not-there-before" ]; then xargs -d '\n' rm -d -f -- <"$DIR/not-there-before" 2>/dev/null || true; fi
}
setup() { NAME=c$BATS_TEST_NUMBER; }

docker() { quick docker "$@"; }
made() { docker run --name "$NAME" --network "${NETWORK-none}" "$@"; }
box() { made --rm "$@" </dev/null; }
started() { made -d "$@" >/dev/null </dev/null; }

# The daemon's own mounts are there as long as it is.
no_trace_of_containers() { nothing_left traces_of_containers; }
traces_of_containers() {
    find /sys/fs/cgroup -mindepth 1 -path "*$PARENT/*" -type d 2>/dev/null | grep . ||
        grep -lsF -- "$PARENT/" /proc/[0-9]*/cgroup
}
