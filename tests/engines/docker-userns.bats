#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later

# shellcheck disable=SC2086 # $IMAGE is one word
# Docker with userns-remap: every container has a user namespace whose root is a subordinate id of the host.
bats_require_minimum_version 1.5.0
load engines
load docker

setup_file() {
    docker_or_skip
    engine_setup
    # The root of the containers has to reach their files. The user and its ids are in /etc for the daemon alone.
    chmod 755 "$DIR"
    mkdir "$DIR/users"
    { cat /etc/passwd && echo remapped:x:398:398::/:/bin/false; } >"$DIR/users/passwd"
    { cat /etc/group && echo remapped:x:398:; } >"$DIR/users/group"
    echo remapped:300000:65536 | tee "$DIR/users/subuid" >"$DIR/users/subgid"
    start_docker --users "$DIR/users" --userns-remap remapped
}
teardown_file() {
    [ -n "${DIR-}" ] || return 0
    stop_docker
    engine_teardown
}
teardown() { docker rm -f "$NAME" >/dev/null 2>&1; }

@test "run: the ids, output, exit status, nothing left" {
    run box $IMAGE sh -c 'cat /proc/self/uid_map; id -u; stat -c "%u %g" /bin; exit 7'
    have_status 7
    have_line '^ +0 +300000 +65536$'
    [ "${lines[1]} ${lines[2]}" = "0 0 0" ]
    run no_trace_of_containers
    have_status 0
}

@test "the process belongs to the subordinate ids on the host, in namespaces of its own" {
    local pid i
    started --user 1000:7 $IMAGE sleep 1000
    pid=$(docker inspect -f '{{.State.Pid}}' "$NAME")
    [ "$(stat -c '%u %g' "/proc/$pid")" = "301000 300007" ]
    for i in user mnt pid ipc uts net; do
        if [ "$(readlink "/proc/$pid/ns/$i")" = "$(readlink "/proc/self/ns/$i")" ]; then
            echo "the $i namespace is the host's"
            return 1
        fi
    done
}

@test "a terminal, standard input, what cannot be executed" {
    run box -t $IMAGE sh -c 'tty; stat -c "%u %a" /dev/pts/0 /dev/console'
    have_status 0
    have /dev/pts/0
    have_line '^0 620'
    run made --rm -i $IMAGE cat <<<"to the container"
    [ "$output" = "to the container" ]
    run -127 box $IMAGE nosuch
    have 'exec: "nosuch": executable file not found in $PATH'
    run -126 box $IMAGE /etc
}

@test "exec: ids, status, a terminal, detached" {
    started $IMAGE sleep 1000
    run docker exec "$NAME" sh -c 'id -u; cat /proc/self/uid_map; exit 7'
    have_status 7
    have_line '^0$'
    have_line '^ +0 +300000 +65536$'
    run docker exec -u 1000:1000 -t "$NAME" sh -c 'id -u; test -t 0 && echo terminal >/dev/tty'
    have_status 0
    have 1000
    have terminal
    docker exec -d "$NAME" sleep 2000
    run docker exec "$NAME" ps
    have "sleep 2000"
}

@test "output that is opened again, as daemons do with their logs" {
    run box $IMAGE sh -c 'echo out >/dev/stdout; echo err >/dev/stderr'
    have_status 0
    have out
    have err
}

@test "devices, also under another name; volumes belong to the container's root; tmpfs, read-only root, sysctl" {
    run box --device /dev/null:/dev/other:rwm $IMAGE \
        sh -c 'stat -c "%t %T" /dev/other && echo >/dev/other && echo >/dev/null'
    have_status 0
    [ "$output" = "1 3" ]
    run box -v data:/data $IMAGE sh -c 'echo kept >/data/a; stat -c "%u %g" /data /data/a; cat /data/a'
    have_status 0
    [ "$output" = $'0 0\n0 0\nkept' ]
    [ "$(stat -c '%u %g' "$DIR"/data/300000.300000/volumes/data/_data/a)" = "300000 300000" ]
    run box --read-only --tmpfs /mnt:rw,size=1m --sysctl kernel.shm_rmid_forced=1 $IMAGE \
        sh -c 'touch /mnt/x && cat /proc/sys/kernel/shm_rmid_forced; touch /x'
    have_status 1
    have_line '^1$'
    have "Read-only file system"
}

@test "limits hold; stop, start, kill, pause" {
    started --pids-limit 33 $IMAGE sh -c 'trap "exit 3" TERM; echo up; while :; do sleep 0.05; done'
    run docker exec "$NAME" sh -c 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max'
    [ "$output" = 33 ]
    for _ in $(seq 100); do docker logs "$NAME" | grep -q up && break; sleep 0.05; done
    docker pause "$NAME"
    docker unpause "$NAME"
    docker stop -t 20 "$NAME"
    run docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$NAME"
    [ "$output" = "exited 3" ]
    docker start "$NAME"
    docker kill "$NAME"
    run docker wait "$NAME"
    [ "$output" = 137 ]
}

@test "--userns host: the host's user namespace; --privileged with it" {
    run box --userns host --privileged $IMAGE sh -c 'readlink /proc/self/ns/user; grep CapEff /proc/self/status'
    have_status 0
    [ "${lines[0]}" = "$(readlink /proc/self/ns/user)" ]
    have_not 00000000a80425fb
}

@test "build: RUN steps belong to the container's root" {
    mkdir "$DIR/context"
    printf 'FROM %s\nRUN id -u >/made && chown 1000:7 /made\nRUN test "$(stat -c %%u:%%g /made)" = 1000:7\n' $IMAGE \
        >"$DIR/context/Dockerfile"
    DOCKER_BUILDKIT=0 docker build --network none -t built "$DIR/context" </dev/null
    run made --rm built cat /made </dev/null
    [ "$output" = 0 ]
}
