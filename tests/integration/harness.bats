#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The helpers themselves: what they call a leftover must be seen.
load helpers

@test "a bundle has a rootfs whose busybox runs" {
    run chroot "$BUNDLE/rootfs" /bin/sh -c 'echo $((6 * 7))'
    have_status 0
    have 42
}

@test "config changes config.json, and only what it is told to" {
    command_is id -u
    [ "$(jq -c .process.args config.json)" = '["id","-u"]' ]
    [ "$(jq -r .linux.cgroupsPath config.json)" = "/wherry-test/$CID" ]
    shell_is 'echo a; echo b'
    [ "$(jq -c .process.args config.json)" = '["/bin/sh","-c","echo a; echo b"]' ]
}

@test "a process below the rootfs is seen as left behind" {
    chroot "$BUNDLE/rootfs" /bin/sleep 60 3>&- &
    pid=$!
    sleep 0.1
    found=$(left_processes)
    kill "$pid"
    wait "$pid" || true
    [ "$found" = "$pid" ]
    [ -z "$(left_processes)" ]
}

@test "a mount below the bundle is seen as left behind" {
    need root
    mount -t tmpfs none "$BUNDLE/rootfs/tmp"
    found=$(left_mounts)
    umount "$BUNDLE/rootfs/tmp"
    [ "$found" = "$BUNDLE/rootfs/tmp" ]
    [ -z "$(left_mounts)" ]
}

@test "a cgroup of the id is seen as left behind" {
    need root
    top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$top" ] || skip "no cgroup2 is mounted"
    mkdir "$top/$CID"
    found=$(left_cgroups)
    rmdir "$top/$CID"
    [ "$found" = "$top/$CID" ]
    [ -z "$(left_cgroups)" ]
}

@test "in the cgroup2 view there is nothing but cgroup2" {
    need root cgroup2
    run in_cgroup2_view awk '$2 ~ "^/sys/fs/cgroup" { print $3 }' /proc/mounts
    have_status 0
    [ "$output" = cgroup2 ]
}
