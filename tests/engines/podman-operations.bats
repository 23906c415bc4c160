#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2086,SC2154 # $STORAGE is a list of words; status and output are set by bats
#
# What podman does with containers beyond running them: pods, kube play, healthchecks, user namespaces, propagation,
# statistics.

bats_require_minimum_version 1.5.0
load engines
load podman

setup_file() {
    needs_podman
    engine_setup
    # The image is also that of a pod's first container, which runs the command of its image.
    podman import -c 'CMD ["/bin/sleep", "100000"]' "$DIR/rootfs.tar" $IMAGE || { engine_teardown; return 1; }
    # What a volume is made of: a mount of its own that is shared with the containers' namespaces.
    mkdir "$DIR/volume"
    mount -t tmpfs volume "$DIR/volume" && mount --make-shared "$DIR/volume" && mkdir "$DIR/volume/in"
}
teardown_file() {
    umount -R "$DIR/volume"
    engine_teardown
}
teardown() {
    podman pod rm -f -t 0 --ignore "p$NAME" >/dev/null
    podman rm -f -t 0 --ignore "$NAME" >/dev/null
    ! mountpoint -q "$DIR/volume/in" || umount "$DIR/volume/in"
}

says() { # TEXT: a container has it in its log
    for _ in $(seq 300); do podman logs "$NAME" 2>&1 | grep -q "$1" && return; sleep 0.1; done
    podman logs "$NAME"
    return 1
}

@test "exit statuses: 0, 1, the command's, 125, 126, 127, 137, 143" {
    local case
    for case in "0 true" "1 false" "42 exit 42" "137 kill -KILL \$\$" "143 kill -TERM \$\$"; do
        # In a namespace of its own the first process would not get the signals that it sends itself.
        run box --pid host $IMAGE sh -c "${case#* }"
        have_status "${case%% *}"
    done
    run box --nosuchflag $IMAGE true
    have_status 125
    run box $IMAGE /etc
    have_status 126
    run -127 box $IMAGE nosuch
}

@test "stop: what ignores the signal is killed after the time-out: 137; restart" {
    made run -d $IMAGE sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done'
    says up
    podman stop -t 1 "$NAME"
    run podman inspect -f '{{.State.ExitCode}}' "$NAME"
    [ "$output" = 137 ]
    podman start "$NAME"
    run podman inspect -f '{{.State.Pid}}' "$NAME"
    local before=$output
    podman restart -t 0 "$NAME"
    run podman inspect -f '{{.State.Pid}} {{.State.Status}}' "$NAME"
    have " running"
    [ "${output% *}" != "$before" ]
}

@test "pause, unpause, top" {
    made run -d $IMAGE sleep 1000
    run podman top "$NAME" pid args
    have_line '^1 +sleep 1000'
    podman pause "$NAME"
    run podman inspect -f '{{.State.Status}}' "$NAME"
    [ "$output" = paused ]
    podman unpause "$NAME"
    run podman exec "$NAME" echo on </dev/null
    [ "$output" = on ]
}

@test "stats: the memory and the processes of the container, not the machine's" {
    [ -d /sys/fs/cgroup/memory ] || grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null ||
        skip "there is no memory controller in this view"
    made run -d --memory 128m $IMAGE sh -c 'head -c 20971520 /dev/zero >/dev/shm/x; echo held; exec sleep 1000'
    says held
    run podman stats --no-stream --no-reset --format '{{.MemUsageBytes}} {{.PIDs}}' "$NAME"
    have_status 0
    # 20 MiB of /dev/shm and the little that sleep takes, of 128; one process.
    have_line '^2[0-9](\.[0-9]+)?MiB / 128MiB 1$'
}

@test "exec: many at the same time" {
    local i many=8 pids=()
    [ -z "${WHERRY_ALL-}" ] || many=50
    made run -d $IMAGE sleep 1000
    for ((i = 0; i < many; i++)); do
        podman exec "$NAME" sh -c "echo $i; exit $i" </dev/null >"$BATS_TEST_TMPDIR/$i" &
        pids+=($!)
    done
    for ((i = 0; i < many; i++)); do
        status=0
        wait "${pids[i]}" || status=$?
        have_status "$i"
        [ "$(cat "$BATS_TEST_TMPDIR/$i")" = "$i" ]
    done
}

@test "healthcheck: what is well, and what is not" {
    made run -d --health-cmd 'test ! -e /ill' --health-interval disable --health-retries 1 $IMAGE sleep 1000
    podman healthcheck run "$NAME"
    run podman exec "$NAME" touch /ill </dev/null
    run podman healthcheck run "$NAME"
    have_status 1
    run podman inspect -f '{{.State.Health.Status}}' "$NAME"
    [ "$output" = unhealthy ]
}

@test "--systemd=always: tmpfs on /run and /tmp, a writable cgroup, the variable container" {
    run box --systemd always $IMAGE sh -c 'echo $container;
        grep -cE " (/run|/run/lock|/tmp|/var/log/journal) .* - tmpfs " /proc/self/mountinfo
        d=/sys/fs/cgroup/systemd; [ -d $d ] || d=/sys/fs/cgroup;
            mkdir $(find $d -maxdepth 0)/made || mkdir $d$(sed -n "s/^1:name=systemd://p" /proc/self/cgroup)/made;
            echo $?'
    have_status 0
    have_line '^(oci|podman)$'
    have_line '^4$'
}

@test "a pod: shared ipc and uts, own pid; kill, stop, removal" {
    podman pod create --name "p$NAME" --cgroup-parent "$PARENT" --network none --infra-image $IMAGE \
        --infra-command "/bin/sleep 100000" \
        --hostname pod --share ipc,uts
    podman run -d --pod "p$NAME" --name "$NAME" --network none --pids-limit -1 $IMAGE sleep 1000
    run podman run --rm --pod "p$NAME" --network none --pids-limit -1 $IMAGE sh -c 'hostname
        readlink /proc/self/ns/ipc; echo $$' </dev/null
    have_status 0
    local one=$output
    run podman exec "$NAME" sh -c 'hostname; readlink /proc/self/ns/ipc; echo 1' </dev/null
    [ "$output" = "$one" ]
    have_line '^pod$'
    podman pod stop -t 0 "p$NAME"
    run podman inspect -f '{{.State.ExitCode}}' "$NAME"
    [ "$output" = 137 ]
    podman pod rm -f -t 0 "p$NAME"
    run podman ps -aq
    [ "$output" = "" ]
}

@test "userns: explicit ids, auto, devices under another name" {
    run box --uidmap 0:100000:65536 --gidmap 0:100000:65536 --device /dev/null:/dev/other $IMAGE \
        sh -c 'cat /proc/self/uid_map; stat -c "%t %T" /dev/other; echo written >/dev/other; echo $?'
    have_status 0
    have_line '^ +0 +100000 +65536$'
    have_line '^1 3$'
    have_line '^0$'
    # Of the ranges that /etc/subuid names for containers, who is a user for newer podman; the files are the test's, in
    # a mount namespace of its own.
    echo containers:200000:200000 >"$DIR/subids"
    { cat /etc/passwd && echo containers:x:399:399::/:/bin/false; } >"$DIR/passwd"
    run quick unshare -m --propagation private bash -c 'cd "$1" && mount --bind subids /etc/subuid &&
        mount --bind subids /etc/subgid && mount --bind passwd /etc/passwd && shift && exec "$@"' sh "$DIR" \
        podman $STORAGE --tmpdir "$DIR/tmp" --runtime wherry run --rm --name "$NAME" --network none \
        --cgroup-parent "$PARENT" --pids-limit -1 --userns auto:size=1024 $IMAGE cat /proc/self/uid_map </dev/null
    have_status 0
    have_line '^ +0 +2[0-9]{5} +1024$'
}

@test "volumes: every propagation; with rshared a mount made inside reaches the host" {
    local asked tags
    for asked in private rprivate slave rslave shared rshared; do
        run box -v "$DIR/volume:/volume:$asked" $IMAGE sed -n 's/^.* \/volume [^ ]* \(.*\)- tmpfs.*/[\1]/p' \
            /proc/self/mountinfo
        have_status 0
        case $asked in
        *private) tags='^\[\]$' ;;
        *slave) tags='^\[master:[0-9]+ \]$' ;;
        *) tags='^\[shared:[0-9]+ \]$' ;;
        esac
        have_line "$tags"
    done
    box --privileged -v "$DIR/volume:/volume:rprivate" $IMAGE mount -t tmpfs in /volume/in
    run mountpoint -q "$DIR/volume/in"
    [ "$status" != 0 ]
    box --privileged -v "$DIR/volume:/volume:rshared" $IMAGE mount -t tmpfs in /volume/in
    mountpoint -q "$DIR/volume/in"
}

@test "volumes: idmap gives the files of the host to the container's ids" {
    touch "$DIR/volume/file"
    run box --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v "$DIR/volume:/volume:idmap" $IMAGE stat -c '%u %g' \
        /volume/file
    have_status 0
    [ "$output" = "0 0" ]
    run box --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v "$DIR/volume:/volume" $IMAGE stat -c '%u' /volume/file
    [ "$output" = 65534 ]
}

@test "kube play: a pod from a file, and down again" {
    cat >"$DIR/pod.yaml" <<END
apiVersion: v1
kind: Pod
metadata:
  name: p$NAME
spec:
  hostNetwork: true
  containers:
  - name: one
    image: $IMAGE
    imagePullPolicy: Never
    command: ["/bin/sh", "-c", "echo \$A; exec sleep 1000"]
    env:
    - { name: A, value: from-the-file }
    securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true, capabilities: { drop: [all] } }
END
    sed -i 's/^\[engine\]/[engine]\ninfra_image = "localhost\/box:latest"/' "$CONTAINERS_CONF"
    NAME=p$NAME-one
    quick env podman $STORAGE --tmpdir "$DIR/tmp" --runtime wherry kube play "$DIR/pod.yaml"
    says from-the-file
    run podman exec "$NAME" /bin/sh -c 'id -u; touch /x; grep CapBnd /proc/self/status' </dev/null
    have_line '^1000$'
    have "Read-only file system"
    have_line '^CapBnd:.0000000000000000$'
    podman kube down "$DIR/pod.yaml" || podman play kube --down "$DIR/pod.yaml"
    run podman ps -aq
    [ "$output" = "" ]
}
