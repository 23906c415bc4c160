#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later

# Docker's daemon, with wherry as the default runtime, under a name, and as the program `runc` that BuildKit starts.
bats_require_minimum_version 1.5.0
load engines
load docker

setup_file() {
    docker_or_skip
    engine_setup
    start_docker
}
teardown_file() {
    [ -n "${DIR-}" ] || return 0
    stop_docker
    engine_teardown
}
teardown() {
    docker rm -f "$NAME" >/dev/null 2>&1
    if mountpoint -q "$DIR/volume"; then umount -R "$DIR/volume"; fi
}
have_controller() { # NAME
    grep -qE "^[^ ]+ [^ ]+ cgroup [^ ]*\b$1\b" /proc/mounts || grep -qsw "$1" /sys/fs/cgroup/cgroup.controllers ||
        skip "there is no $1 controller on this machine"
}
cgroup_value() { # V1-CONTROLLER V1-FILE V2-FILE: as the running container $NAME sees it
    docker exec "$NAME" sh -c "cat /sys/fs/cgroup/$1/$2 2>/dev/null || cat /sys/fs/cgroup/$3"
}

@test "info: wherry is the default runtime, and one under a name" {
    run docker info -f '{{.DefaultRuntime}} {{range $name, $_ := .Runtimes}}{{$name}} {{end}}'
    have_status 0
    have_line '^wherry '
    have " named "
}

@test "run: output, exit status, nothing left" {
    run box $IMAGE sh -c 'echo out; exit 7'
    have_status 7
    [ "$output" = out ]
    run docker ps -aq
    [ "$output" = "" ]
    [ -z "$(find "$DIR/exec/runtime-wherry" -mindepth 2 2>/dev/null)" ]
    run no_trace_of_containers
    have_status 0
}

@test "a named runtime" {
    started --runtime named $IMAGE sleep 100
    run docker inspect -f '{{.HostConfig.Runtime}} {{.State.Status}}' "$NAME"
    [ "$output" = "named running" ]
    run docker exec "$NAME" echo in
    [ "$output" = in ]
}

@test "exit statuses of what cannot be executed: 127, 126, and 125 for docker's own" {
    run -127 box $IMAGE nosuch
    have 'exec: "nosuch": executable file not found in $PATH'
    run -127 box $IMAGE /nosuch
    have "no such file or directory"
    run box $IMAGE /etc
    have_status 126
    have "is a directory"
    run box $IMAGE /etc/passwd
    have_status 126
    have "permission denied"
    run box --nosuchflag $IMAGE true
    have_status 125
}

@test "run -i: standard input; -t: a terminal" {
    run made --rm -i $IMAGE cat <<<"to the container"
    have_status 0
    [ "$output" = "to the container" ]
    run box -t $IMAGE tty
    have_status 0
    have /dev/pts/0
}

@test "logs, stop with a status of its own, start, kill, wait" {
    started $IMAGE sh -c 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.05; done'
    for _ in $(seq 100); do docker logs "$NAME" | grep -q up && break; sleep 0.05; done
    docker stop -t 20 "$NAME"
    run docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$NAME"
    [ "$output" = "exited 3" ]
    run docker logs "$NAME"
    [ "$output" = $'up\nbye' ]
    docker start "$NAME"
    docker kill "$NAME"
    run docker wait "$NAME"
    [ "$output" = 137 ]
}

@test "stop: what ignores the signal is killed after the time-out" {
    started $IMAGE sleep 100
    docker stop -t 1 "$NAME"
    run docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "$NAME"
    [ "$output" = "137 false" ]
}

@test "--init: a signal that the process alone would ignore ends the container: 143" {
    command -v docker-init >/dev/null || skip "needs docker-init (package tini)"
    started --init $IMAGE sleep 100
    run docker exec "$NAME" sh -c 'tr "\0" " " </proc/1/cmdline'
    have docker-init
    docker kill -s TERM "$NAME"
    run docker wait "$NAME"
    [ "$output" = 143 ]
}

@test "restart, rm -f" {
    local first
    started $IMAGE sleep 100
    first=$(docker inspect -f '{{.State.Pid}}' "$NAME")
    docker restart -t 0 "$NAME"
    run docker inspect -f '{{.State.Status}} {{.State.Pid}}' "$NAME"
    have_line '^running [1-9]'
    [ "$output" != "running $first" ]
    docker rm -f "$NAME"
    run no_trace_of_containers
    have_status 0
}

@test "exec: output, input, status, user, environment, directory, terminal, detached" {
    started $IMAGE sleep 1000
    run docker exec "$NAME" sh -c 'echo out; exit 7'
    have_status 7
    [ "$output" = out ]
    run docker exec -i "$NAME" cat <<<"to the process"
    [ "$output" = "to the process" ]
    run docker exec -u 1000:1000 -w /tmp -e A=1 "$NAME" sh -c 'id -u; pwd; echo $A $HOME'
    have_status 0
    [ "$output" = $'1000\n/tmp\n1 /home/user' ]
    run docker exec -t "$NAME" sh -c 'tty; exit 5'
    have_status 5
    have /dev/pts/
    docker exec -d "$NAME" sleep 2000
    run docker exec "$NAME" ps
    have "sleep 2000"
    run docker exec --privileged "$NAME" grep CapEff /proc/self/status
    have_status 0
    have_not 00000000a80425fb
    run docker exec "$NAME" sh -c 'kill -9 $$'
    have_status 137
}

@test "exec: what cannot be executed fails, and the container goes on" {
    started $IMAGE sleep 1000
    # Docker 20.10 says 126 for all of them, also with runc; newer ones 127 for what is not found.
    run ! docker exec "$NAME" nosuch
    [ "$status" = 126 ] || [ "$status" = 127 ]
    have 'exec: "nosuch": executable file not found in $PATH'
    run docker exec "$NAME" /etc/passwd
    have_status 126
    have "permission denied"
    run ! docker exec -w /nosuch "$NAME" true
    [ "$status" = 126 ] || [ "$status" = 127 ]
    have "/nosuch: no such file or directory"
    run docker exec "$NAME" echo on
    [ "$output" = on ]
}

@test "pause, unpause, top" {
    started $IMAGE sleep 1000
    docker pause "$NAME"
    run docker inspect -f '{{.State.Status}}' "$NAME"
    [ "$output" = paused ]
    docker unpause "$NAME"
    run docker inspect -f '{{.State.Status}}' "$NAME"
    [ "$output" = running ]
    run docker top "$NAME"
    have_status 0
    have_line 'sleep 1000$'
    [ "${#lines[@]}" = 2 ]
}

@test "stats: the memory and the processes of the container, not the machine's" {
    have_controller memory
    started --memory 64m --memory-swap 64m $IMAGE sleep 1000
    run docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' "$NAME"
    have_status 0
    # Less than 10 MiB of the limit for a sleep, and one process.
    have_line '^[0-9.]+(KiB|B) / 64MiB 1$|^[0-9]\.[0-9]+MiB / 64MiB 1$'
}

@test "--memory, update --memory, and memory that is exceeded" {
    have_controller memory
    started --memory 64m --memory-swap 64m $IMAGE sleep 1000
    run cgroup_value memory memory.limit_in_bytes memory.max
    [ "$output" = $((64 << 20)) ]
    docker update --memory 128m --memory-swap 128m "$NAME"
    run cgroup_value memory memory.limit_in_bytes memory.max
    [ "$output" = $((128 << 20)) ]
    docker rm -f "$NAME"
    started --memory 32m --memory-swap 32m $IMAGE sh -c 'x=$(head -c 100000000 /dev/zero | tr "\\0" x)'
    run docker wait "$NAME"
    [ "$output" = 137 ]
    run docker inspect -f '{{.State.OOMKilled}}' "$NAME"
    [ "$output" = true ]
}

@test "--pids-limit, --cpus" {
    have_controller pids
    have_controller cpu
    started --pids-limit 33 --cpus 0.5 $IMAGE sleep 1000
    run cgroup_value pids pids.max pids.max
    [ "$output" = 33 ]
    run cgroup_value cpu cpu.cfs_quota_us cpu.max
    have_line '^50000( 100000)?$'
}

@test "read-only root, tmpfs, shm, devices" {
    run box --read-only --tmpfs /mnt:rw,size=1m $IMAGE sh -c 'touch /x; touch /mnt/x && df /mnt'
    have_status 0
    have "Read-only file system"
    have_line '^tmpfs +1024 '
    run box --shm-size 1m $IMAGE df /dev/shm
    have_line '^shm +1024 '
    run box --device /dev/null:/dev/other:rwm $IMAGE sh -c 'stat -c "%t %T" /dev/other && echo >/dev/other'
    have_status 0
    [ "$output" = "1 3" ]
}

@test "volumes: read-only, named, and every propagation" {
    local asked tags
    run box -v "$DIR/rootfs:/mnt:ro" $IMAGE sh -c 'ls /mnt/bin/busybox; touch /mnt/x'
    have_status 1
    have /mnt/bin/busybox
    have "Read-only file system"
    box -v data:/data $IMAGE sh -c 'echo kept >/data/a'
    run docker run --rm --network none -v data:/data $IMAGE cat /data/a
    [ "$output" = kept ]
    mkdir -p "$DIR/volume"
    mount -t tmpfs volume "$DIR/volume"
    mount --make-shared "$DIR/volume"
    for asked in private rprivate slave rslave shared rshared; do
        run box -v "$DIR/volume:/volume:$asked" $IMAGE sed -n 's/^.* \/volume [^ ]* \(.*\)- tmpfs.*/[\1]/p' /proc/self/mountinfo
        have_status 0
        case $asked in
        *private) tags='^\[\]$' ;;
        *slave) tags='^\[master:[0-9]+ \]$' ;;
        *) tags='^\[shared:[0-9]+ \]$' ;;
        esac
        have_line "$tags"
    done
}

@test "volumes: a mount made inside is seen on the host with rshared, and not with rprivate" {
    mkdir -p "$DIR/volume"
    mount -t tmpfs volume "$DIR/volume"
    mount --make-shared "$DIR/volume"
    mkdir "$DIR/volume/in"
    box --privileged -v "$DIR/volume:/volume:rprivate" $IMAGE mount -t tmpfs in /volume/in
    run mountpoint -q "$DIR/volume/in"
    [ "$status" != 0 ]
    box --privileged -v "$DIR/volume:/volume:rshared" $IMAGE mount -t tmpfs in /volume/in
    mountpoint -q "$DIR/volume/in"
}

@test "user, groups, host name, directory, limits, sysctl" {
    run box --user 1000:7 --group-add 55 --workdir /home $IMAGE sh -c 'id; pwd'
    have_status 0
    have "uid=1000(user) gid=7"
    have ",55"
    have /home
    run box --hostname box --ulimit nofile=100:200 --sysctl kernel.shm_rmid_forced=1 $IMAGE \
        sh -c 'hostname; ulimit -n; ulimit -Hn; cat /proc/sys/kernel/shm_rmid_forced'
    [ "$output" = $'box\n100\n200\n1' ]
}

@test "capabilities, seccomp, no new privileges, privileged" {
    run box --cap-drop all $IMAGE grep CapBnd /proc/self/status
    have 0000000000000000
    run box --cap-drop all --cap-add kill $IMAGE grep CapEff /proc/self/status
    have 0000000000000020
    run box --cap-add net_admin $IMAGE grep CapEff /proc/self/status
    have 00000000a80435fb
    run box $IMAGE grep Seccomp: /proc/self/status
    have_line '^Seccomp:.2$'
    run box --security-opt seccomp=unconfined $IMAGE grep Seccomp: /proc/self/status
    have_line '^Seccomp:.0$'
    run box --security-opt no-new-privileges $IMAGE grep NoNewPrivs /proc/self/status
    have_line '^NoNewPrivs:.1$'
    run box --privileged $IMAGE sh -c 'grep -e Seccomp: -e CapEff /proc/self/status; mount -t tmpfs t /mnt 2>&1 || mkdir /m && mount -t tmpfs t /m'
    have_status 0
    have_line '^Seccomp:.0$'
    have_not 00000000a80425fb
}

@test "namespaces: none and the host's" {
    run box $IMAGE sh -c 'ls /sys/class/net'
    [ "$output" = lo ]
    NETWORK=host run box --ipc host --pid host --uts host $IMAGE \
        sh -c 'for i in net ipc pid uts; do readlink /proc/self/ns/$i; done; hostname'
    have_status 0
    [ "$output" = "$(for i in net ipc pid uts; do readlink /proc/self/ns/$i; done; hostname)" ]
    run box $IMAGE sh -c 'for i in net ipc pid uts; do readlink /proc/self/ns/$i; done'
    for i in net ipc pid uts; do have_not "$(readlink /proc/self/ns/$i)"; done
}

# ---------------------------------------------------------------- images

build() { # BUILDKIT DOCKERFILE-LINE…
    local how=$1
    shift
    mkdir -p "$DIR/context"
    printf '%s\n' "FROM $IMAGE" "$@" >"$DIR/context/Dockerfile"
    DOCKER_BUILDKIT=$how docker build --network none -t "built-$NAME" "$DIR/context" </dev/null
}
what_was_built() { # BUILDKIT
    run build "$1" 'RUN echo made >/made && id -u' 'USER 1000:1000' 'WORKDIR /tmp' 'ENV A=b' \
        'RUN test "$(cat /made) $(id -u) $(pwd) $A" = "made 1000 /tmp b" && echo >mine'
    have_status 0
    run made --rm "built-$NAME" sh -c 'stat -c "%u %n" mine /made' </dev/null
    [ "$output" = $'1000 mine\n0 /made' ]
    # The classic builder of 20.10 ends with the status of the command, and the others with 1.
    run ! build "$1" 'RUN exit 5'
    [ "$status" = 1 ] || [ "$status" = 5 ]
    # "returned a non-zero code: 5", "did not complete successfully: exit code: 5", or "executor failed running …".
    have_line 'code: 5$'
    run ! build "$1" 'RUN ["nosuch"]'
    have 'exec: "nosuch": executable file not found in $PATH'
    run no_trace_of_containers
    have_status 0
}

@test "build: the classic builder" { what_was_built 0; }

@test "build: BuildKit, which starts a program named runc" {
    [[ $(docker version -f "{{.Client.Version}}") =~ ^(19|20)\. ]] || docker buildx version ||
        skip "needs docker buildx"
    what_was_built 1
    [ -s "$DIR/runc-was-started" ]
}
