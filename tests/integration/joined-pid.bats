#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Containers that join a pid namespace, as those of a pod do. Where the kernel can show that namespace from outside
# (Linux 6.17), their first process is born last, and is then the payload but for execve.
# shellcheck disable=SC2154 # status and output are set by bats
# shellcheck disable=SC2016 # scripts are for the container's shell
load helpers
load inside

test_setup() {
    need root
    command_is sleep 1000
    to_file wherry run -d "$CID-pod"
    POD=$(pid_of "$CID-pod")
    cp config.json pod.json
    joining .
}
test_teardown() { wherry delete -f "$CID-pod"; }

joining() { # FILTER
    cp pod.json config.json
    config "(.linux.namespaces[] | select(.type == \"pid\")).path = \"/proc/$POD/ns/pid\" | .linux.cgroupsPath += \"-2\" | $1"
}
# Whether the plan sets the container up before there is a process in the pid namespace.
born_last() {
    wherry explain |
        awk '/clone B/ { clone = NR } /pivot_root to the rootfs/ { pivot = NR } END { exit !(clone && pivot && clone > pivot) }'
}
can_be_born_last() { born_last || skip "procfs has no option pidns here (Linux 6.17)"; }

# Everything that a process can see of what it was given.
LOOK='
    for n in pid mnt ipc uts net cgroup time user; do readlink /proc/self/ns/$n >/dev/null || echo "no $n"; done
    readlink /proc/self/ns/pid; tr "\0" " " </proc/1/cmdline; echo
    grep -vE "^(Pid|Tgid|PPid|NSpid|NStgid|NSpgid|NSsid|Ngid|Vm|Rss|Hug|Cpus_|Mems_|.*ctxt|SigQ|Threads|Name)" /proc/self/status
    cat /proc/self/limits /proc/self/oom_score_adj; id; umask; pwd; hostname; echo "$HOME"; env | sort; ulimit -a
    awk "{ \$1 = \$2 = \$3 = \"\"; print }" /proc/self/mountinfo
    for f in /dev/*; do stat -c "%N %F %a %u:%g %t:%T" "$f"; done; for f in 0 1 2; do readlink /proc/$$/fd/$f; done; ls /proc/$$/fd
    cat /proc/self/cgroup; [ "$(awk "{ print \$5 }" /proc/self/stat)" != 0 ] && echo a group; awk "{ print \$6 == \$1 }" /proc/self/stat; tty
    mkdir /tmp/x; echo "mkdir: $?"; rmdir /tmp/x; touch /new; echo "touch: $?"; ls /proc/acpi /proc/kcore 2>&1 | head -n 3; awk "{ print \$41 }" /proc/self/stat'

look() { # FILTER: "last" is what a container whose first process is born last sees, "first" the same of another
    local which
    for which in last first; do
        joining "$1"
        shell_is "$LOOK"
        [ "$which" = last ] || config '.hooks.createRuntime = [ { path: "/bin/true" } ]'
        ! { [ "$which" = last ] && ! born_last; } || return 1
        ! { [ "$which" = first ] && born_last; } || return 1
        if jq -e .process.terminal config.json >/dev/null; then
            "$SRC/tests/tools/on-a-tty" "$WHERRY" --root "$ROOT" run "$CID" >out 2>&1 3>&- 4>&-
        else
            "$WHERRY" --root "$ROOT" run "$CID" </dev/null >out 2>&1 3>&- 4>&-
        fi
        mv out "$which"
        cat "$which"
        grep -q "Seccomp:" "$which"
        [ "$(grep -c 'sleep 1000' "$which")" -ge 1 ]
    done
    diff last first
}

@test "what a process that is born last has is what it has otherwise" {
    can_be_born_last
    look .
    look '.process.user = { uid: 1000, gid: 1000, additionalGids: [7], umask: 63 } | .process.noNewPrivileges = false |
        .process.oomScoreAdj = 77
        | .process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 20, hard: 30 }, { type: "RLIMIT_CORE", soft: 1,
            hard: 2 } ]'
    look '.process.terminal = true | .linux.seccomp = null'
    look '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["mkdir", "mkdirat"],
        action: "SCMP_ACT_ERRNO", errnoRet: 95 } ] }
        | .process.noNewPrivileges = false | .linux.resources.pids.limit = 20 | .process.scheduler = {
            policy: "SCHED_BATCH" }'
}

@test "its procfs is that of the pid namespace that it joins, with the options of its own" {
    config '(.mounts[] | select(.type == "proc")).options = ["hidepid=invisible", "ro"]'
    shell_is 'readlink /proc/self/ns/pid; tr "\0" " " </proc/1/cmdline; echo; grep " /proc " /proc/mounts;
        [ $$ != 1 ] && ls -d /proc/$$'
    run wherry run "$CID" </dev/null
    have_status 0
    have_line "$(readlink "/proc/$POD/ns/pid" | sed 's/[][]/\\&/g')"
    have_line "sleep 1000 "
    have_line "^proc /proc proc ro.*hidepid=invisible"
    have_line "^/proc/[0-9]*$"
}

@test "it is created, entered, started, killed and deleted; a hook that enters finds it" {
    config '.hooks.startContainer = [ { path: "/bin/sh", args: ["sh", "-c", "readlink /proc/self/ns/pid >/hooked"],
        env: ["PATH=/bin"] } ] | .root.readonly = false'
    wherry create "$CID" </dev/null >out 2>&1
    [ "$(readlink "/proc/$(pid_of "$CID")/ns/pid")" = "$(readlink "/proc/$POD/ns/pid")" ]
    wherry start "$CID"
    [ "$(cat rootfs/hooked)" = "$(readlink "/proc/$POD/ns/pid")" ]
    run wherry exec "$CID" sh -c 'tr "\0" " " </proc/1/cmdline' </dev/null
    [ "$output" = "sleep 1000 " ]
    wherry kill "$CID" KILL
    for _ in $(seq 200); do [ "$(wherry state "$CID" | jq -r .status)" != stopped ] || break; sleep 0.05; done
    wherry delete "$CID"
    [ "$(wherry state "$CID-pod" | jq -r .status)" = running ]
}

@test "a pids limit of one is enough for it; a filter that does not let it finish is named" {
    config '.linux.resources.pids.limit = 1'
    command_is true
    run wherry run "$CID" </dev/null
    have_status 0
    can_be_born_last
    config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["setsid"],
        action: "SCMP_ACT_ERRNO", errnoRet: 1 } ] }'
    run wherry run "$CID" </dev/null
    have_status 1
    have "setsid"
    have "the seccomp filter must allow what is still done"
}

@test "a filter that allows what docs/COMPATIBILITY.md lists, and what the program needs, is enough" {
    local allow
    can_be_born_last
    allow=$(awk -F'|' '/loads the seccomp filter before its helper/ || /has its seccomp filter before it waits/ { print $2 }' "$SRC/docs/COMPATIBILITY.md" |
        grep -oE '(allow|exec needs,) [a-z0-9_, ]+ and [a-z0-9_]+' |
            sed -E 's/^(allow|exec needs,) //; s/ and /, /; s/, /\n/g' | jq -R . | jq -sc .)
    [ "$(jq length <<<"$allow")" -ge 18 ]
    command_is true
    # What the dynamic linker and busybox call.
    config '.linux.seccomp = { defaultAction: "SCMP_ACT_ERRNO", syscalls: [ { action: "SCMP_ACT_ALLOW",
        names: ($a + ["brk", "arch_prctl", "set_tid_address",
        "set_robust_list", "rseq", "mmap", "munmap", "mprotect", "openat", "fstat", "newfstatat", "write", "getuid",
            "geteuid", "getgid", "getegid", "setuid", "setgid",
        "readlink", "getrandom", "pread64", "access"]) } ] } | .process.rlimits = [ { type: "RLIMIT_CORE", soft: 0,
            hard: 0 } ]' --argjson a "$allow"
    run wherry run "$CID" </dev/null
    have_status 0
    config '.process.noNewPrivileges = false | .hooks.startContainer = [ { path: "/bin/true" } ]'
    run wherry run "$CID" </dev/null
    have_status 0
}
