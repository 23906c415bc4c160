#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2086 # $STORAGE is a list of words

# views: cgroup2
bats_require_minimum_version 1.5.0
load engines
load podman

setup_file() {
    needs_podman
    engine_setup
    podman import "$DIR/rootfs.tar" $IMAGE || { engine_teardown; return 1; }
}
teardown_file() { engine_teardown; }
teardown() { podman rm -f -t 0 --ignore "$NAME" >/dev/null; }


@test "run: output, exit status, nothing left" {
    run box $IMAGE sh -c 'echo out; exit 7'
    have_status 7
    [ "$output" = out ]
    run podman ps -aq
    [ "$output" = "" ]
    run no_trace
    have_status 0
}

@test "run -i: standard input" {
    run made run --rm -i $IMAGE cat <<<"to the container"
    have_status 0
    [ "$output" = "to the container" ]
}

@test "exit statuses of what cannot be executed: 127, 126, and 125 for podman's own" {
    run -127 box $IMAGE nosuch
    have 'executable file not found in $PATH'
    run -127 box $IMAGE /nosuch
    run box $IMAGE /etc
    have_status 126
    have "permission denied (it is a directory)"
    run box $IMAGE /etc/passwd
    have_status 126
    have "permission denied"
    run box --nosuchflag $IMAGE true
    have_status 125
}

@test "-t: a terminal through conmon" {
    run box -t $IMAGE tty
    have_status 0
    have /dev/pts/0
}

@test "create, start, logs, stop, start, kill, inspect" {
    made create $IMAGE sh -c 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.05; done'
    podman start "$NAME"
    for _ in $(seq 100); do podman logs "$NAME" | grep -q up && break; sleep 0.05; done
    run podman inspect -f '{{.State.Status}} {{.OCIRuntime}}' "$NAME"
    [ "$output" = "running wherry" ]
    podman stop -t 20 "$NAME"
    run podman inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$NAME"
    [ "$output" = "exited 3" ]
    run podman logs "$NAME"
    have bye
    podman start "$NAME"
    podman kill -s KILL "$NAME"
    run podman wait "$NAME"
    [ "$output" = 137 ]
}

@test "rm -f of a running container" {
    made run -d $IMAGE sleep 100
    podman rm -f -t 0 "$NAME"
    run no_trace
    have_status 0
}

@test "read-only root, tmpfs, volumes, devices" {
    run box --read-only $IMAGE sh -c 'touch /x; touch /tmp/x && echo written'
    have "Read-only file system"
    have written
    run box --tmpfs /mnt:rw,size=1m $IMAGE df /mnt
    have_line '^tmpfs +1024 '
    run box -v "$DIR/rootfs:/mnt:ro" $IMAGE sh -c 'ls /mnt/bin/busybox; touch /mnt/x'
    have_status 1
    have /mnt/bin/busybox
    have "Read-only file system"
    run box -v data:/data $IMAGE sh -c 'echo kept >/data/a'
    have_status 0
    run box -v data:/data $IMAGE cat /data/a
    [ "$output" = kept ]
    run box --device /dev/null:/dev/other:r $IMAGE sh -c 'stat -c "%t %T" /dev/other'
    [ "$output" = "1 3" ]
    run box --shm-size 1m $IMAGE df /dev/shm
    have_line '^shm +1024 '
}

@test "user, groups, host name, directory, umask, limits" {
    run box --user 1000:7 --group-add 55 --umask 077 --workdir /home $IMAGE sh -c 'id; pwd; umask'
    have_status 0
    have "uid=1000(user) gid=7"
    have ",55"
    have /home
    have 0077
    run box --hostname box --ulimit nofile=100:200 --ulimit nproc=50:60 $IMAGE sh -c 'hostname; ulimit -n; ulimit -Hn'
    [ "$output" = $'box\n100\n200' ]
    run box --sysctl kernel.shm_rmid_forced=1 $IMAGE cat /proc/sys/kernel/shm_rmid_forced
    [ "$output" = 1 ]
}

@test "capabilities, seccomp, no new privileges, privileged" {
    run box --cap-drop all $IMAGE grep CapBnd /proc/self/status
    have 0000000000000000
    run box --cap-drop all --cap-add kill $IMAGE grep CapEff /proc/self/status
    have 0000000000000020
    run box $IMAGE grep Seccomp: /proc/self/status
    have 2
    run box --security-opt seccomp=unconfined $IMAGE grep Seccomp: /proc/self/status
    have 0
    run box --security-opt no-new-privileges $IMAGE grep NoNewPrivs /proc/self/status
    have 1
    run box --privileged $IMAGE sh -c 'ls /dev | wc -l; grep CapEff /proc/self/status'
    have_status 0
    have_not "CapEff:	00000000a80425fb"
}

@test "--pids-limit: a number is a limit, -1 and 0 are none" {
    if grep -qE '^[^ ]+ [^ ]+ cgroup [^ ]*pids' /proc/mounts; then
        PIDS_LIMIT=33 run box $IMAGE cat /sys/fs/cgroup/pids/pids.max
        [ "$output" = 33 ]
    elif grep -qw pids /sys/fs/cgroup/cgroup.controllers; then
        PIDS_LIMIT=33 run box $IMAGE cat /sys/fs/cgroup/pids.max
        [ "$output" = 33 ]
    fi
    PIDS_LIMIT=-1 run box $IMAGE sh -c 'true & wait; echo forked | cat'
    have_status 0
    [ "$output" = forked ]
    PIDS_LIMIT=0 run box $IMAGE sh -c 'true & wait; echo forked | cat'
    have_status 0
    [ "$output" = forked ]
}

@test "cgroups=disabled; the host's namespaces" {
    run podman run --rm --name "$NAME" --network none --cgroups disabled $IMAGE echo none
    have_status 0
    [ "$output" = none ]
    run box --ipc host --pid host --uts host --cgroupns host $IMAGE hostname
    have_status 0
    [ "$output" = "$(hostname)" ]
}

@test "limits: memory that is exceeded" {
    grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null || [ -d /sys/fs/cgroup/memory ] || skip "there is no memory controller in this view"
    run box --memory 64m $IMAGE true
    have_status 0
    run box --memory 32m $IMAGE sh -c 'x=$(head -c 100000000 /dev/zero | tr "\\0" x)'
    have_status 137
}

@test "exec: output, input, status, user, working directory, environment" {
    made run -d $IMAGE sleep 1000
    run podman exec "$NAME" sh -c 'echo out; exit 7' </dev/null
    have_status 7
    [ "$output" = out ]
    run podman exec -i "$NAME" cat <<<"to the process"
    [ "$output" = "to the process" ]
    run podman exec -u 1000:1000 -w /tmp -e A=1 "$NAME" sh -c 'id -u; pwd; echo $A $HOME' </dev/null
    have_status 0
    [ "$output" = $'1000\n/tmp\n1 /home/user' ]
    run podman exec "$NAME" sh -c 'kill -9 $$' </dev/null
    have_status 137
}

@test "exec: 127 and 126 for what cannot be executed" {
    made run -d $IMAGE sleep 1000
    run -127 podman exec "$NAME" nosuch </dev/null
    have 'executable file not found in $PATH'
    run -127 podman exec "$NAME" /nosuch </dev/null
    # podman's exec knows no status for it.
    run podman exec "$NAME" /etc </dev/null
    [ "$status" != 0 ]
    have "permission denied (it is a directory)"
    run podman exec "$NAME" /etc/passwd </dev/null
    have_status 126
    have "permission denied"
    run -127 podman exec -w /nosuch "$NAME" true </dev/null
    have "no such file or directory"
}

@test "exec -t: a terminal through conmon" {
    made run -d $IMAGE sleep 1000
    run podman exec -t "$NAME" sh -c 'tty; exit 5' </dev/null
    have_status 5
    have /dev/pts/
}

@test "exec -d: it runs on by itself, and ends with the container" {
    made run -d $IMAGE sleep 1000
    podman exec -d "$NAME" sleep 2000
    run podman exec "$NAME" ps </dev/null
    have "sleep 2000"
    podman rm -f -t 0 "$NAME"
}

@test "exec: --privileged, --preserve-fds" {
    made run -d $IMAGE sleep 1000
    run podman exec --privileged "$NAME" grep CapEff /proc/self/status </dev/null
    have_status 0
    have_not 00000000a80425fb
}
