#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# --log-level info and debug: one record for each thing that is done, in both formats; none at the default level.
bats_require_minimum_version 1.5.0
load helpers

# Runs one verb with --debug: its records are in debug.json, each is whole, and nothing is on stderr.
debug() { # VERB…
    rm -f debug.json
    wherry --debug --log debug.json --log-format json "$@" </dev/null >out 2>err || { cat err; return 1; }
    [ ! -s err ] || { echo "stderr:"; cat err; return 1; }
    jq -e -s 'all(.[]; (.level | IN("debug", "info")) and (.msg | type == "string" and (test("\n") | not)) and
        (.time | fromdateiso8601 > 0) and (.file | startswith("src/")) and
        (.func | test("^[a-z_]+$")))' debug.json >/dev/null ||
        { echo "not all records are whole:"; cat debug.json; return 1; }
}

record() { # LEVEL REGEX: exactly one
    local n
    n=$(jq -r --arg l "$1" 'select(.level == $l) | .msg' debug.json | grep -cE -- "$2") || true
    [ "$n" = 1 ] || { echo "$n records at level $1 match $2:"; jq -r '.level + " " + .msg' debug.json; return 1; }
}

records() { # LEVEL REGEX: at least one
    jq -r --arg l "$1" 'select(.level == $l) | .msg' debug.json | grep -qE -- "$2" ||
        { echo "no record at level $1 matches $2:"; jq -r '.level + " " + .msg' debug.json; return 1; }
}

all_of_it() {
    command_is sleep 100
    # shellcheck disable=SC2016 # jq
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
                              syscalls: [{names: ["acct"], action: "SCMP_ACT_ERRNO"}]} |
        .process.env += ["SECRET=hunter2"] | .linux.resources.pids.limit = 77 |
        .hooks = {createRuntime: [{path: "/bin/true"}, {path: "/bin/sh", args: ["sh", "-c", "sleep 0.05"]}],
                  startContainer: [{path: "/bin/true"}], poststart: [{path: "/bin/true"}],
                  poststop: [{path: "/bin/false"}]}'
}

@test "create: facts, plan, affinity, filter, cgroups, limits, requests, steps with their times, hooks, the container" {
    need root
    all_of_it
    debug create "$CID"
    record debug '^host: euid 0, capabilities 0x.* of [0-9]+, (in a|in the initial) user namespace, features: .'
    feature='AppArmor|SELinux|keyrings|seccomp|seccomp listeners|eBPF device programs|writable cgroups|setgroups denied'
    record debug "^host: .*, features: ($feature)(, ($feature))*$"
    record debug '^host: (cgroup2 alone|v1 hierarchies and cgroup2), '
    record debug '^host: .*, cgroup2 at /sys/.*, own cgroup /.*, controllers .*, delegated .*, [0-9]+ v1 hierarchies$'
    record debug '^plan: [0-9]+ steps for wherry-init, [0-9]+ entries for the host, [0-9]+ bytes$'
    record debug '^CPU affinity, in step [0-9]+: sched_setaffinity to all$'
    record debug '^seccomp: a filter of [0-9]+ bytes was compiled$'
    record debug '^seccomp, in step [0-9]+: seccomp filter of [0-9]+ instructions, flags SPEC_ALLOW$'
    records debug "^cgroup: /sys/fs/cgroup.*/$CID"
    records debug "^wrote \"77\" to pids.max of cgroup /sys/fs/cgroup.*/$CID$"
    record debug '^wherry-init runs as process [0-9]+, with a plan of [0-9]+ steps '
    record debug '^request of step [0-9]+ \(host applies cgroup limits and the device program\): served after .* ms$'
    record debug '^request of step [0-9]+ \(host runs createRuntime hooks\): served after [0-9]+ ms$'
    record info '^createRuntime hook #0 /bin/true: exit status 0 after [0-9]+ ms$'
    record info '^createRuntime hook #1 /bin/sh: exit status 0 after ([5-9][0-9]|[0-9]{3,}) ms$'
    record debug '^step 0: .*: began after [0-9]+ us, took [0-9]+ us$'
    record debug '^step [0-9]+: pivot_root .*: began after [0-9]+ us, took [0-9]+ us$'
    record debug '^step [0-9]+: report ready.*: began after [0-9]+ us, took (at most )?[0-9]+ us$'
    record debug '^step [0-9]+: .* took at most [0-9]+ us$'
    record info "^container $CID was created: its init is process $(pid_of "$CID"), its bundle "
    # Each step once, in order, and none that takes longer than to the next one.
    jq -r .msg debug.json |
        sed -nE 's/^step ([0-9]+): .* began after ([0-9]+) us, took (at most )?([0-9]+) us$/\1 \2 \4/p' >steps
    [ "$(wc -l <steps)" -gt 50 ]
    awk '{ if (NR > 1 && ($1 <= n || $2 < end)) exit 1; n = $1; end = $2 + $3 }' steps || { cat steps; return 1; }
    # The hook of 50 ms is in the step that waited for it.
    took=$(jq -r .msg debug.json | sed -nE 's/^step [0-9]+: host runs createRuntime hooks: .* took ([0-9]+) us$/\1/p')
    [ "$took" -ge 50000 ]
    # What may be a secret is not in a log.
    run ! grep -q hunter2 debug.json
}

@test "start, exec, pause, resume, update, kill and delete" {
    need root
    all_of_it
    wherry create "$CID" </dev/null >/dev/null 2>&1
    debug start "$CID"
    record debug '^request of step [0-9]+ \(startContainer hooks\): served$'
    record info '^startContainer hook #0 /bin/true: exit status 0 after [0-9]+ ms$'
    # Two: the hook has the filter as well, in a process of its own.
    records debug '^step [0-9]+: seccomp filter of .*: began after [0-9]+ us, took at most [0-9]+ us$'
    record info '^poststart hook #0 /bin/true: exit status 0 after [0-9]+ ms$'
    record info "^container $CID was started$"
    debug exec "$CID" sh -c 'exit 0'
    record debug '^host: euid 0'
    record debug '^plan: '
    record debug '^seccomp: a filter of [0-9]+ bytes was taken from the cache$'
    record debug '^step [0-9]+: setns to .*: began after [0-9]+ us, took [0-9]+ us$'
    record info "^process [0-9]+ was started in container $CID$"
    record info '^the process ended: exit status 0$'
    debug pause "$CID"
    record info "^container $CID was paused$"
    debug resume "$CID"
    record info "^container $CID was resumed$"
    debug update --pids-limit 55 "$CID"
    records debug "^wrote \"55\" to pids.max of cgroup /sys/fs/cgroup.*/$CID$"
    record info "^container $CID was updated$"
    debug kill "$CID" USR1
    record info "^signal 10 was sent to container $CID$"
    rm -f debug.json
    wherry --debug --log debug.json --log-format json delete -f "$CID" 2>err
    record info "^killed process [0-9]+ of container $CID$"
    records info "^removed cgroup /sys/fs/cgroup.*/$CID$"
    record info "^removed the state directory of container $CID$"
    record info '^poststop hook #0 /bin/false: exit status 1 after [0-9]+ ms$'
    record warning 'error running poststop hook #0: exit status 1'
    [[ $(jq -r 'select(.level == "warning") | .file' debug.json) = src/libwherry/api/* ]]
}

@test "what is not there is a record as well: no cgroup, no filter, no change of affinity" {
    need root
    command_is sleep 100
    debug --cgroup-manager disabled create "$CID"
    record debug '^cgroup: none$'
    record debug '^seccomp: no filter$'
    wherry start "$CID"
    jq '.process | .args = ["true"] | .execCPUAffinity = {initial: "0"}' config.json >process.json
    debug exec --process process.json "$CID"
    record debug '^CPU affinity of wherry-init, before it enters the cgroup: 0$'
    record debug '^CPU affinity: left as it is$'
}

@test "run in the foreground: how it ended, and what was removed" {
    need root
    shell_is 'exit 3'
    run wherry --log-level debug --log debug.json --log-format json run "$CID"
    have_status 3
    record info '^container init ended: exit status 3$'
    record info "^removed the state directory of container $CID$"
}

@test "a create that fails: what was removed, then the error, with its place" {
    need root
    config '.hooks.createRuntime = [{path: "/bin/false"}]'
    run wherry --debug --log debug.json --log-format json create "$CID"
    have_status 1
    record debug '^request of step [0-9]+ \(host runs createRuntime hooks\): refused after [0-9]+ ms$'
    record info "^creating container $CID failed: what was made for it is removed$"
    record info '^killed process [0-9]+$'
    records info "^removed cgroup /sys/fs/cgroup.*/$CID$"
    record info "^removed the state directory of container $CID$"
    record error '^create failed: config.json:[0-9]+: /hooks/createRuntime/0: error running createRuntime hook #0: '

    # Engines take the last one of level error.
    [ "$(tail -n 1 debug.json | jq -r '.level, .file')" = $'error\nsrc/cli/log.c' ]
}

@test "a hook that runs too long is a record, too" {
    need root
    config '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "100"], timeout: 1}]'
    run wherry --log-level info --log debug.json --log-format json create "$CID"
    have_status 1
    record info '^createRuntime hook #0 /bin/sleep was stopped after [0-9]{4,} ms$'
}

@test "a hook that fails after start: what was killed and removed" {
    need root
    command_is sleep 100
    config '.hooks.poststart = [{path: "/bin/sleep", args: ["sleep", "100"], timeout: 1}]'
    wherry create "$CID" </dev/null >/dev/null
    run wherry --log-level info --log debug.json --log-format json start "$CID"
    have_status 1
    record info '^poststart hook #0 /bin/sleep was stopped after [0-9]{4,} ms$'
    record info "^killed process [0-9]+ of container $CID$"
    record info "^removed the state directory of container $CID$"
}

@test "text: the same records, one line each, with their place at the end" {
    need root
    all_of_it
    # Not with `run`: the container has its descriptors.
    wherry --debug create "$CID" </dev/null >out 2>err
    [ ! -s out ]
    output=$(<err)
    have_line '^time="[0-9T:-]+Z" level=debug msg="plan: .*" func=wh_api_log_plan file=src/libwherry/api/log.c$'
    have_line '^time="[0-9T:-]+Z" level=debug msg="step 0: .*" func=log_steps file=src/libwherry/host/serve.c$'
    have_line '^time="[0-9T:-]+Z" level=info msg="createRuntime hook #0 /bin/true: .*" func=run_one file='
    run grep -vE '^time="[^"]*" level=(debug|info) msg=".*" func=[a-z_]+ file=src/[a-z/-]+\.c$' err
    have_status 1
}

@test "--log-level info: hooks, containers and what was removed, without places and without times of steps" {
    need root
    all_of_it
    wherry --log-level info --log debug.json --log-format json create "$CID" </dev/null >/dev/null
    wherry --log-level info --log debug.json --log-format json delete -f "$CID" 2>/dev/null
    [ "$(jq -s '[.[] | select(.level == "debug" or has("file") or has("func"))] | length' debug.json)" = 0 ]
    record info "^container $CID was created"
    record info '^createRuntime hook #0 '
    record info "^removed the state directory of container $CID$"
}

@test "the default level: nothing is written, and init makes no system call for records" {
    need root strace
    all_of_it
    command_is true
    config 'del(.hooks)'
    for level in "" "--log-level warning" "--log-level error" --debug; do
        # shellcheck disable=SC2086 # words
        strace -f -qq -o trace -e trace=clock_gettime,clock_gettime64,pwrite64,execve \
            "$WHERRY" --root "$ROOT" $level --log log run "$CID" </dev/null >out 2>err 3>&- 4>&-
        # clock_gettime is a system call only for wherry-init, which has no vDSO. pwrite clears the times.
        wc -l <log >"lines$level"
        grep -cE 'clock_gettime(64)?\(CLOCK_REALTIME' trace >"clock$level" || true
        grep -cE 'pwrite64\(.*, 1024\) ' trace >"pwrite$level" || true
        rm log
    done
    for level in "" "--log-level warning" "--log-level error"; do
        [ "$(cat "lines$level" "clock$level" "pwrite$level" | tr '\n' ' ')" = "0 0 0 " ] ||
            { head "lines$level" "clock$level" "pwrite$level"; return 1; }
    done
    [ "$(cat lines--debug)" -gt 50 ]
    [ "$(cat clock--debug)" -gt 50 ]
    [ "$(cat pwrite--debug)" -ge 1 ]
}

@test "start at the default level after create with --debug: init notes no times" {
    need root strace
    command_is sleep 100
    wherry --debug --log log create "$CID" </dev/null >/dev/null
    strace -qq -o trace -p "$(pid_of "$CID")" 2>/dev/null 3>&- 4>&- &
    tracer=$!
    for ((i = 0; i < 400; i++)); do
        grep -q "^TracerPid:.[1-9]" "/proc/$(pid_of "$CID")/status" && break
        sleep 0.05
    done
    wherry start "$CID"
    kill "$tracer"
    wait "$tracer" || true
    grep -q 'execve(' trace
    run ! grep -q clock_gettime trace
}
