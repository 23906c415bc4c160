#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# podman with the systemd cgroup manager and limits, in the lab, where systemd is PID 1 and every controller is there.
# shellcheck disable=SC2086 # $STORAGE is a list of words
bats_require_minimum_version 1.5.0
load ../engines/engines

setup_file() {
    command -v podman >/dev/null || skip "needs podman"
    [ -d /run/systemd/system ] || skip "needs systemd"
    engine_setup
    sed -i 's/cgroup_manager = "cgroupfs"/cgroup_manager = "systemd"/' "$CONTAINERS_CONF"
    podman import "$DIR/rootfs.tar" $IMAGE || { engine_teardown; return 1; }
}
teardown_file() { engine_teardown; }
podman() { timeout -k 5 300 podman $STORAGE --tmpdir "$DIR/tmp" --runtime wherry "$@" 3>&- 4>&-; }

show() { systemctl show "libpod-$cid.scope" -p "$1" --value; }

@test "podman and systemd: limits are in the scope and in the kernel's files, stats see them, and nothing is left" {
    local cid cg
    run podman run -d --name box --network none --memory 64m --memory-swap 64m --cpus 0.5 --cpu-shares 512 --pids-limit 30 $IMAGE sh -c 'cat /proc/self/cgroup; sleep 1000'
    have_status 0
    cid=$output
    cg=/sys/fs/cgroup/machine.slice/libpod-$cid.scope
    [ "$(show ActiveState)" = active ]
    [ "$(show MemoryMax) $(show TasksMax) $(show CPUQuotaPerSecUSec)" = "67108864 30 500ms" ]
    [ "$(cat $cg/memory.max $cg/memory.swap.max $cg/pids.max $cg/cpu.max | tr '\n' ' ')" = "67108864 0 30 50000 100000 " ]
    run podman stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' box
    have_status 0
    have "67.11MB"
    run podman exec box sh -c 'echo in; exit 3'
    have_status 3
    run podman pause box
    have_status 0
    run podman unpause box
    have_status 0
    run podman rm -f -t 0 box
    have_status 0
    [ "$(show LoadState)" = not-found ]
    [ ! -e "$cg" ]
}
