#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Without CAP_SYS_PTRACE init sends its namespaces to who may not open them, and is dumpable for nobody but the one who takes a seccomp listener out of
# it: a process of the same user could take it over before it has its filter. The programs that do are those of the image.
load helpers
load ordinary

test_setup() {
    ordinary_setup
    need musl-gcc
    cat >"$BATS_TEST_TMPDIR/seize.c" <<'C'
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    long pid = argc > 1 ? atol(argv[1]) : 0;

    if (argc > 1 && strcmp(argv[1], "hide") == 0) {
        prctl(PR_SET_DUMPABLE, 0);
        puts("hidden");
        fflush(stdout);
        pause();
    }
    printf("seize %ld: %s\n", pid, ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 ? strerror(errno) : "done");
    fflush(stdout);
    if (argc > 2)
        sleep((unsigned)atoi(argv[2]));
    return 0;
}
C
    musl-gcc -static -o rootfs/bin/seize "$BATS_TEST_TMPDIR/seize.c"
    FILTER='.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" } ] }'
}

@test "a startContainer hook cannot take init over before it has its filter" {
    # Root there has the capabilities that init has; but for the filter, it may trace.
    rootless "$FILTER"' | .hooks.startContainer = [ { path: "/bin/sh", args: [ "sh", "-c", "seize 1 >&2; exit 3" ], env: [ "PATH=/bin" ] } ]'
    user_runs
    have_status 1
    have "stderr: seize 1: Operation not permitted"
}

@test "the same where the container has what would let it: init is never dumpable" {
    rootless "$FILTER"' | .hooks.startContainer = [ { path: "/bin/sh", args: [ "sh", "-c", "seize 1 >&2; exit 3" ], env: [ "PATH=/bin" ] } ]
        | .process.capabilities |= map_values(. + ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN"]) | del(.process.capabilities.ambient)'
    user_runs
    have_status 1
    have "stderr: seize 1: Operation not permitted"
    rootless '.hooks.startContainer[0].args[2] = "true"'
    user_runs
    have_status 0
    [ -z "$output" ]
}

@test "exec into a container that is not started yet, and from there into its init" {
    # shellcheck disable=SC2016 # for jq and the container
    for ids in own subids; do
        if [ "$ids" = subids ]; then subids; fi
        rootless '.process.args = ["sleep", "1000"] | .process.capabilities |= map_values(. + ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN"]) | del(.process.capabilities.ambient)'
        mine create "$CID" </dev/null >out 2>err || { cat err; return 1; }
        run mine exec "$CID" sh -c 'id -u; hostname; seize 1; for n in user mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done; ls /proc/self/fd | wc -l' </dev/null
        have_status 0
        [ "$(head -n 3 <<<"$output")" = $'0\n'"$(jq -r .hostname config.json)"$'\nseize 1: Operation not permitted' ]
        said=$(sed -n '4,$p' <<<"$output")
        [ "$(tail -n 1 <<<"$output")" = 4 ]
        # Any number of times, detached too, and with what it says of a command that is not there.
        mine exec -d --pid-file "$BATS_TEST_TMPDIR/run/pid" "$CID" sleep 1000 </dev/null >out 2>err || { cat err; return 1; }
        [ "$(tr '\0' ' ' <"/proc/$(cat "$BATS_TEST_TMPDIR/run/pid")/cmdline")" = "sleep 1000 " ]
        run mine exec "$CID" none </dev/null
        have_status 255
        have 'exec: "none": executable file not found in $PATH'
        [ "$(mine state "$CID" | jq -r .status)" = created ]
        # The same place as that of a container that runs.
        mine start "$CID"
        run mine exec "$CID" sh -c 'for n in user mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done; ls /proc/self/fd | wc -l' </dev/null
        [ "$output" = "$said" ]
        mine delete -f "$CID"
    done
}

@test "exec into a container with --init, whose first process is never dumpable" {
    rootless '.process.args = ["sleep", "1000"] | .process.capabilities |= map_values(. + ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN"]) | del(.process.capabilities.ambient)'
    mine run --init -d "$CID" </dev/null >out 2>err || { cat err; return 1; }
    # Orphans are children of init as well.
    mine exec -d "$CID" sh -c 'sleep 999 & sleep 999 &' </dev/null >out 2>err || { cat err; return 1; }
    run mine exec "$CID" sh -c 'seize 1; hostname; tr "\0" " " </proc/2/cmdline; for n in user mnt pid net ipc uts; do readlink /proc/self/ns/$n; done; for n in user mnt pid net ipc uts; do readlink /proc/2/ns/$n; done' </dev/null
    have_status 0
    [ "${lines[0]}" = "seize 1: Operation not permitted" ]
    [ "${lines[1]}" = "$(jq -r .hostname config.json)" ]
    have "sleep 1000"
    [ "$(grep -c '[[]' <<<"$output")" = 12 ]
    [ "$(grep -o '[a-z]*:[[].*' <<<"$output" | sort -u | wc -l)" = 6 ]
    mine delete -f "$CID"
}

@test "exec into a container whose payload is not dumpable either" {
    rootless '.process.args = ["seize", "hide"]'
    for init in "" --init; do
        # shellcheck disable=SC2086 # a word or none
        mine run $init -d "$CID" </dev/null >out 2>err || { cat err; return 1; }
        for _ in $(seq 200); do ! grep -q hidden out || break; sleep 0.05; done
        run mine exec "$CID" sh -c 'hostname; ls -ld /proc/1/fd' </dev/null
        [ "${lines[0]}" = "$(jq -r .hostname config.json)" ]
        mine delete -f "$CID"
    done
}

@test "exec into a container that somebody with CAP_SYS_PTRACE has created" {
    cp "$CONFIGS/runc-1.1-spec.json" config.json
    config '.process.terminal = false | .process.args = ["sleep", "1000"] | .process.rlimits = [] | .linux.cgroupsPath = "/wherry-test/'"$CID"'"'
    ROOT=$BATS_TEST_TMPDIR/state
    chown 0:0 "$BUNDLE"
    wherry create "$CID" </dev/null >out 2>err || { cat err; return 1; }
    run setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace "$WHERRY" --root "$ROOT" exec "$CID" true </dev/null 3>&- 4>&-
    have_status 255
    have "enter the namespaces of a created container: operation not permitted: whoever created it had CAP_SYS_PTRACE, which this process lacks: start it first"
    wherry start "$CID"
    run setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace "$WHERRY" --root "$ROOT" exec "$CID" echo in </dev/null 3>&- 4>&-
    have_status 0
    [ "$output" = in ]
}

# Root's, without a user namespace, with CAP_SYS_PTRACE: there that it is not dumpable protects no process.
tracing() { # FILTER of jq…
    cp "$CONFIGS/runc-1.1-spec.json" config.json
    config '.process.terminal = false | .process.args = ["sleep", "1000"] | .process.rlimits = [] | .process.noNewPrivileges = false | .root.readonly = false
        | .linux.cgroupsPath = "/wherry-test/'"$CID"'" | .process.capabilities |= (map_values(. + ["CAP_SYS_PTRACE"]) | .inheritable = .bounding | .ambient = .bounding)'
    config "$@"
    ROOT=$BATS_TEST_TMPDIR/state
    chown 0:0 "$BUNDLE"
}

@test "with CAP_SYS_PTRACE, exec into a container that is not started cannot take init over before it has its filter" {
    local lost="CAP_SYS_PTRACE left out: the container is not started, and its first process, which has no seccomp filter or label yet, could be taken over" pause
    tracing "$FILTER"
    jq '{ cwd: "/", args: ["sh", "-c", "seize 1; grep Cap /proc/self/status"], env: ["PATH=/bin"], user: { uid: 0, gid: 0 } }
        | .capabilities = $c[0].process.capabilities' -n --slurpfile c config.json >process.json
    wherry create "$CID" </dev/null >out 2>err || { cat err; return 1; }
    [ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$(pid_of "$CID")/status")" = 0 ]
    for how in "$CID seize 1" "--cap CAP_SYS_PTRACE $CID seize 1" "-p process.json $CID"; do
        # shellcheck disable=SC2086 # words
        run wherry exec $how </dev/null
        have_status 0
        have "seize 1: Operation not permitted"
        have "$lost"
        have_not "seize 1: done"
    done
    # CAP_SYS_PTRACE is bit 19: in none of the five sets.
    [ "$(awk '/^Cap/ { print substr($2, 12, 1) }' <<<"$output" | sort -u)" = 0 ]
    # What was there before start is without it for good.
    wherry exec -d "$CID" sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; seize 1 >/tmp/said' </dev/null >out 2>&1
    # One that is paused was not started either.
    wherry pause "$CID"
    "$WHERRY" --root "$ROOT" exec --ignore-paused "$CID" seize 1 </dev/null >paused 2>&1 3>&- 4>&- &
    pause=$!
    sleep 0.3
    wherry resume "$CID"
    wait "$pause"
    grep -F "seize 1: Operation not permitted" paused
    wherry start "$CID"
    wherry exec "$CID" touch /tmp/go </dev/null
    for _ in $(seq 100); do [ ! -s rootfs/tmp/said ] || break; sleep 0.1; done
    [ "$(cat rootfs/tmp/said)" = "seize 1: Operation not permitted" ]
    # Then the payload is one like others, under the same filter.
    run wherry exec "$CID" seize 1 </dev/null
    have_status 0
    [ "$output" = "seize 1: done" ]
    wherry delete -f "$CID"
}

@test "without a filter and a label, init is no more than the payload will be: exec before start has CAP_SYS_PTRACE" {
    tracing 'del(.linux.seccomp)'
    wherry create "$CID" </dev/null >out 2>err || { cat err; return 1; }
    run wherry exec "$CID" seize 1 </dev/null
    [ "$output" = "seize 1: done" ]
    wherry delete -f "$CID"
}

@test "with CAP_SYS_PTRACE a startContainer hook cannot take init over before it has its filter" {
    tracing "$FILTER"' | .hooks.startContainer = [ { path: "/bin/sh", args: [ "sh", "-c", "seize 1 >&2; grep CapBnd /proc/self/status >&2; exit 3" ], env: [ "PATH=/bin" ] } ]'
    run wherry run "$CID" </dev/null
    have_status 1
    have "seize 1: Operation not permitted"
}

@test "exec into a container whose init has adopted many" {
    cp "$CONFIGS/runc-1.1-spec.json" config.json
    config '.process.terminal = false | .process.rlimits = [] | .linux.cgroupsPath = "/wherry-test/'"$CID"'" | .process.args = ["sh", "-c", $s]' \
        --arg s 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do (sleep 1000 &) & done; wait; echo all; exec sleep 1000'
    ROOT=$BATS_TEST_TMPDIR/state
    chown 0:0 "$BUNDLE"
    wherry run --init -d "$CID" </dev/null >out 2>err || { cat err; return 1; }
    for _ in $(seq 200); do ! grep -q all out || break; sleep 0.05; done
    run setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace "$WHERRY" --root "$ROOT" exec "$CID" hostname </dev/null 3>&- 4>&-
    have_status 0
    [ "$output" = "$(jq -r .hostname config.json)" ]
}

@test "hooks of the container's namespaces, in a user namespace that was joined" {
    rootless '.process.args = ["sleep", "1000"]'
    mine run -d "$CID" </dev/null >out 2>err || { cat err; return 1; }
    pid=$(mine state "$CID" | jq .pid)
    rootless '.linux.namespaces |= map(if .type == "user" then .path = $p else . end) | del(.linux.uidMappings, .linux.gidMappings)
        | .hooks = { createContainer: [ { path: "/bin/sh", args: ["sh", "-c", "readlink /proc/self/ns/user >tmp/create"] } ],
            startContainer: [ { path: "/bin/sh", args: ["sh", "-c", "readlink /proc/self/ns/user >/dev/shm/start"], env: ["PATH=/bin"] } ] }
        | .process.args = ["sh", "-c", "readlink /proc/self/ns/user; cat /tmp/create /dev/shm/start"]' --arg p "/proc/$pid/ns/user"
    run mine run "$CID-2" </dev/null
    have_status 0
    [ "$(sort -u <<<"$output" | wc -l)" = 1 ]
    [ "${#lines[@]}" = 3 ]
    [ "${lines[0]}" = "$(readlink "/proc/$pid/ns/user")" ]
    mine delete -f "$CID"
}

@test "a process that has ended, and that one beside it traces and keeps: exec and a hook do not wait for ever" {
    rootless '.process.args = ["sleep", "1000"]'
    mine create "$CID" </dev/null >out 2>err || { cat err; return 1; }
    mine start "$CID"
    as_user timeout -k 1 60 "$WHERRY" exec "$CID" sh -c 'seize $$ 100 & exec sleep 1' </dev/null >said 2>&1 3>&- 4>&- && status=0 || status=$?
    have_status 255
    run cat said
    have ": done"
    have "the process has ended, but a process that traces it does not let go of it"
    mine delete -f "$CID"
    rootless '.hooks.startContainer = [ { path: "/bin/sh", args: [ "sh", "-c", "seize $$ 100 & exec sleep 1" ], env: [ "PATH=/bin" ] } ]'
    as_user timeout -k 1 60 "$WHERRY" run "$CID" </dev/null >said 2>&1 3>&- 4>&- && status=0 || status=$?
    have_status 1
    run cat said
    have "startContainer hook #0: it ended, but a process that traces it keeps it"
}
