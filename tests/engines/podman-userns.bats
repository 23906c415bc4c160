#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2086,SC2154 # $STORAGE is a list of words; status and output are set by bats
#
# podman's user namespaces, of root's containers: several ranges, auto, another container's, and volumes whose mounts
# are id-mapped. Those of an ordinary user are in rootless.bats.

# views: cgroup2
bats_require_minimum_version 1.5.0
load engines
load podman

setup_file() {
    needs_podman
    engine_setup
    podman import "$DIR/rootfs.tar" $IMAGE || { engine_teardown; return 1; }
    # What with_ranges puts into /etc.
    { cat /etc/passwd && echo containers:x:399:399::/:/bin/false; } >"$DIR/passwd"
    echo containers:200000:200000 >"$DIR/subids"
    mkdir "$DIR/volume"
    mount -t tmpfs volume "$DIR/volume"
}
teardown_file() {
    umount -R "$DIR/volume"
    engine_teardown
}
# Two processes of podman 4.3 clean up after a container that is removed while it runs, and the second one may find its
# /dev/shm still mounted, with runc too.
teardown() {
    local name
    for name in "$NAME" "s$NAME"; do
        podman rm -f -t 0 --ignore "$name" >/dev/null 2>&1 || { sleep 1 && podman rm -f -t 0 --ignore "$name"; }
    done
}
# A container of podman's where /etc names the ranges that it may give to containers.
with_ranges() {
    quick unshare -m --propagation private bash -c 'cd "$1" && mount --bind subids /etc/subuid &&
        mount --bind subids /etc/subgid && mount --bind passwd /etc/passwd && shift && exec "$@"' sh "$DIR" \
        podman $STORAGE --tmpdir "$DIR/tmp" --runtime wherry run --name "$NAME" --network none \
        --cgroup-parent "$PARENT" --pids-limit -1 "$@" </dev/null
}

@test "several ranges; the files of the image belong to their ids; a terminal" {
    run box --uidmap 0:100000:1000 --uidmap 1000:300000:1000 --gidmap 0:100000:2000 --user 1000:7 $IMAGE \
        sh -c 'cat /proc/self/uid_map; id -u; id -g; stat -c "%u %g" /bin'
    have_status 0
    have_line '^ +0 +100000 +1000$'
    have_line '^ +1000 +300000 +1000$'
    have_line '^1000$'
    have_line '^7$'
    have_line '^0 0$'
    run box -t --uidmap 0:100000:65536 --gidmap 0:100000:65536 $IMAGE sh -c 'tty; stat -c %u /dev/pts/0'
    have_status 0
    have /dev/pts/0
}

@test "auto: ranges that do not overlap" {
    local first
    with_ranges -d --userns auto:size=1024 $IMAGE sleep 1000
    run podman exec "$NAME" cat /proc/self/uid_map </dev/null
    have_line '^ +0 +2[0-9]{5} +1024$'
    first=$(awk '{ print $2 }' <<<"$output")
    NAME=s$NAME run with_ranges --userns auto:size=2000 --user 5:5 $IMAGE sh -c 'cat /proc/self/uid_map; id -u'
    have_status 0
    have_line ' 2000$'
    have_line '^5$'
    output=$(awk 'NR == 1 { print $2 }' <<<"$output")
    [ "$output" -ge $((first + 1024)) ] || [ $((output + 2000)) -le "$first" ]
}

@test "the user namespace of another container" {
    podman run -d --name "s$NAME" --network none --cgroup-parent "$PARENT" --pids-limit -1 \
        --uidmap 0:100000:65536 --gidmap 0:100000:65536 $IMAGE sleep 1000
    run podman exec "s$NAME" readlink /proc/self/ns/user </dev/null
    local one=$output
    run box --userns "container:s$NAME" $IMAGE readlink /proc/self/ns/user
    have_status 0
    [ "$output" = "$one" ]
}

@test "id-mapped volumes: what is written belongs to the host's ids, with ids that are chosen too" {
    run box --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v "$DIR/volume:/volume:idmap" $IMAGE \
        sh -c 'echo x >/volume/made && stat -c "%u %g" /volume/made'
    have_status 0
    [ "$output" = "0 0" ]
    [ "$(stat -c '%u %g' "$DIR/volume/made")" = "0 0" ]
    chown 5:6 "$DIR/volume/made"
    # Ids of the container's namespace, in the order file, mapped, size.
    run box --uidmap 0:100000:65536 --gidmap 0:100000:65536 \
        -v "$DIR/volume:/volume:idmap=uids=@5-7-1;gids=@6-8-1" $IMAGE stat -c '%u %g' /volume/made
    have_status 0
    [ "$output" = "7 8" ]
}

@test "exec into a container with a user namespace: ids, a terminal, another user" {
    made run -d --uidmap 0:100000:65536 --gidmap 0:100000:65536 $IMAGE sleep 1000
    run podman exec "$NAME" sh -c 'id -u; cat /proc/self/uid_map; exit 7' </dev/null
    have_status 7
    have_line '^0$'
    have_line '^ +0 +100000 +65536$'
    run podman exec -t -u 1000:1000 "$NAME" sh -c 'id -u; tty' </dev/null
    have_status 0
    have 1000
    have /dev/pts/
    run podman exec "$NAME" sh -c 'echo out >/dev/stdout' </dev/null
    [ "$output" = out ]
}
