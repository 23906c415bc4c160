#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The system call filter.
load helpers

go() { run wherry run -b "$BUNDLE" "$CID"; }
filter() { config '.linux.seccomp = $s' --argjson s "$1"; }

@test "errno: the default, and one of one's own" {
    filter '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" } ] }'
    command_is mkdir /tmp/x
    go
    have_status 1
    have "Operation not permitted"
    filter '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 } ] }'
    go
    have "No space left on device"
}

@test "allow-list: what is not on it gets the default errno" {
    names=$(jq -c '[.linux.seccomp.syscalls[] | select(.action == "SCMP_ACT_ALLOW") | .names[]] | unique - ["mkdir", "mkdirat"]' "$CONFIGS/podman-4.3-default.json")
    filter "{ \"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38, \"syscalls\": [ { \"names\": $names, \"action\": \"SCMP_ACT_ALLOW\" } ] }"
    command_is mkdir /tmp/x
    go
    have_status 1
    have "Function not implemented"
}

@test "arguments are compared" {
    # kill(pid, 0) is refused, other signals are not.
    filter '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28,
        "args": [ { "index": 1, "value": 0, "op": "SCMP_CMP_EQ" } ] } ] }'
    shell_is 'kill -0 $$; trap "echo caught" USR1; kill -USR1 $$'
    go
    have "No space left on device"
    have caught
}

@test "kill ends the process" {
    filter '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS" } ] }'
    shell_is 'mkdir /tmp/x; echo "status $?"'
    go
    have_status 0
    have "status 159"
}

@test "a payload that the filter kills: the reason is said, in run and in exec" {
    need root
    filter '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS" } ] }'
    command_is mkdir /tmp/x
    go
    have_status 159
    # The name is in the kernel's log, unless an audit daemon takes it from there.
    line="container $CID was killed: bad system call(: mkdir(at)?)?: the seccomp filter does not allow it"
    have_line "^time=.* level=error msg=.*$line(; the kernel's audit log may have its number \(type=1326\))?"
    command_is sleep 1000
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
    run wherry exec "$CID" mkdir /tmp/x
    have_status 159
    have_line 'the process was killed: bad system call(: mkdir(at)?)?: the seccomp filter does not allow it'
    # Nothing is said of a filter where there is none.
    wherry delete -f "$CID"
    config 'del(.linux.seccomp)'
    shell_is 'exit 159'
    go
    have_status 159
    have_not "bad system call"
    # A filter that does not allow the hook what it does.
    filter '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS" } ] }'
    config '.hooks.startContainer = [ { path: "/bin/mkdir", args: ["mkdir", "/tmp/x"] } ]'
    go
    have_status 1
    have_line 'error running startContainer hook #0: killed by signal 31 \(bad system call(: mkdir(at)?)?\)'
}

@test "the filter is on whether or not new privileges are barred" {
    filter '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" } ] }'
    shell_is 'grep -E "^(NoNewPrivs|Seccomp|CapEff):" /proc/self/status'
    for nnp in true false; do
        config ".process.noNewPrivileges = $nnp"
        config '.process.user = { uid: 0, gid: 0 }'
        go
        have_status 0
        have "Seccomp:	2"
        # CAP_SYS_ADMIN, which loading it may need, is gone again.
        have "CapEff:	0000000020000420"
        config '.process.user = { uid: 1000, gid: 1000 }'
        go
        have_status 0
        have "Seccomp:	2"
    done
}

@test "a filter that allows nothing but what the payload needs lets it run" {
    # Nothing of the set-up has to be in the profile: it is loaded last.
    filter '{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [ { "names": ["execve", "exit_group", "exit", "brk", "arch_prctl", "set_tid_address",
        "set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "getrandom", "mprotect", "getuid", "geteuid", "mmap", "prctl"], "action": "SCMP_ACT_ALLOW" } ] }'
    command_is true
    go
    have_status 0
}

@test "an unknown action or operator is an error with its place" {
    filter '{ "defaultAction": "SCMP_ACT_SHRUG" }'
    go
    have_status 1
    have /linux/seccomp/defaultAction
    filter '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [ { "index": 9, "value": 0, "op": "SCMP_CMP_EQ" } ] } ] }'
    go
    have_status 1
    have /linux/seccomp/syscalls/0/args/0
}
