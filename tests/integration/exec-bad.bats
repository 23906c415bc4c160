#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# exec that cannot be done: one line that says why, status 255, no pid file, and no process.
# shellcheck disable=SC2016,SC2154 # $PATH is in the text; status and output are set by bats
load helpers
load inside

PROCESS='{"args": ["true"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}'

test_setup() {
    need root
    command_is sleep 1000
}

up() {
    to_file wherry run -d "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

# fails TEXT… -- ARGS…: exec with these arguments fails, saying all of the texts in one line.
fails() {
    local text=()
    while [ "$1" != -- ]; do text+=("$1"); shift; done
    shift
    run wherry exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$@" </dev/null
    have_status 255
    [ "${#lines[@]}" = 1 ] || { echo "more than one line: $output"; return 1; }
    have "exec failed: "
    for text in "${text[@]}"; do have "$text"; done
    [ ! -e "$BATS_TEST_TMPDIR/pid" ]
    [ "$(wc -l <"$(find /sys/fs/cgroup -name "$CID" -exec test -e '{}/cgroup.freeze' ';' -print | head -n 1)/cgroup.procs")" = 1 ]
}

# The same with a process object that JQ has changed.
bad() { # JQ TEXT…
    jq "$1" <<<"$PROCESS" >p.json
    shift
    fails "$@" -- -p p.json "$CID"
}

@test "options: what is no user, group, capability, working directory, variable" {
    up
    fails 'bad uid in user "root"' -- -u root "$CID" true
    fails 'bad uid' -- -u 4294967295 "$CID" true
    fails 'bad uid' -- -u -1 "$CID" true
    fails 'bad gid in user "1:staff"' -- -u 1:staff "$CID" true
    fails 'bad gid "x" in additional gids' -- -g x "$CID" true
    fails 'bad gid' -- -g 4294967295 "$CID" true
    fails 'Cwd must be an absolute path' -- --cwd tmp "$CID" true
    fails "invalid environment variable: missing '='" -- -e NOVALUE "$CID" true
    fails 'exec args cannot be empty' -- "$CID"
}

@test "executables that are missing, or are none" {
    up
    fails 'exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH' -- "$CID" nosuch
    fails 'exec: "/nosuch": stat /nosuch: no such file or directory' -- "$CID" /nosuch
    fails 'exec: "/etc": permission denied (it is a directory)' -- "$CID" /etc
    fails 'exec: "/etc/passwd": permission denied' -- "$CID" /etc/passwd
    printf 'garbage' >rootfs/bin/garbage
    chmod 755 rootfs/bin/garbage
    fails 'exec: "garbage": exec format error' -- "$CID" garbage
}

@test "terminals without a socket, and sockets without a terminal" {
    up
    fails 'cannot allocate tty if wherry will detach without setting console socket' -- -t "$CID" true
    fails 'cannot use console socket if wherry will not detach or allocate tty' -- --console-socket x "$CID" true
    fails 'connect to console socket ./none: no such file or directory' -- -t --console-socket ./none "$CID" true
    jq '.terminal = true' <<<"$PROCESS" >p.json
    fails 'cannot allocate tty' -- -p p.json "$CID"
}

@test "process files: the pointer and the place in that file" {
    up
    fails 'open process file none.json: no such file or directory' -- -p none.json "$CID"
    fails 'read /: is a directory' -- -p / "$CID"
    printf '' >p.json
    fails 'p.json' -- -p p.json "$CID"
    printf '{"args": ["true"' >p.json
    fails 'p.json:1:17: not valid JSON' -- -p p.json "$CID"
    printf '[]' >p.json
    fails 'p.json' 'object' -- -p p.json "$CID"
    bad 'del(.cwd)' 'p.json' 'the required property "cwd" is missing'
    bad '.cwd = ""' '/cwd'
    bad '.cwd = "x"' '/cwd' 'absolute'
    bad 'del(.args)' 'p.json' 'args must not be empty'
    bad '.args = []' 'args must not be empty'
    bad '.args = [""]' '/args/0'
    bad '.args = "true"' '/args' 'an array'
    bad '.args = ["a\u0000b"]' '/args/0'
    bad '.env = ["X"]' "/env/0" "missing '='"
    bad '.env = ["=x"]' "/env/0"
    bad '.user.uid = -1' '/user/uid'
    bad '.user.uid = 4294967295' '/user/uid'
    bad '.user.gid = "0"' '/user/gid'
    bad '.user.umask = 512' '/user/umask'
    bad '.user.additionalGids = [4294967295]' '/user/additionalGids/0'
    bad '.capabilities = {effective: ["CAP_KILL"]}' '/capabilities/effective' 'CAP_KILL'
    bad '.rlimits = [{type: "RLIMIT_X", soft: 1, hard: 1}]' '/rlimits/0/type'
    bad '.rlimits = [{type: "RLIMIT_CORE", soft: 2, hard: 1}]' '/rlimits/0/soft'
    bad '.terminal = 1' '/terminal' 'true or false'
    bad '.consoleSize = {height: 70000, width: 1}' '/consoleSize/height'
    bad '.execCPUAffinity = {initial: "a"}' '/execCPUAffinity/initial'
    bad '.execCPUAffinity = {final: "9999"}' '/execCPUAffinity/final' 'CPU above'
    bad '.oomScoreAdj = 1001' '/oomScoreAdj'
    bad '.apparmorProfile = "p"' '/apparmorProfile' 'apparmor'
    bad '.selinuxLabel = "l"' '/selinuxLabel' 'selinux'
    # Many errors are told at once, as those of config.json; the file stays the one that is named.
    jq '.cwd = "x" | .user.uid = -1' <<<"$PROCESS" >p.json
    run wherry exec -p p.json "$CID" </dev/null
    have_status 255
    [ "$(grep -c 'p.json:' <<<"$output")" = 2 ]
}

@test "ids that the container's user namespace does not map" {
    need userns
    config '.linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = .linux.uidMappings'
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE"
    up
    fails 'cannot setuid to unmapped uid 1000 in user namespace' -- -u 1000 "$CID" true
    fails 'cannot setgid to unmapped gid 1000 in user namespace' -- -u 1:1000 "$CID" true
    fails 'cannot set unmapped additional gid 1000 in user namespace' -- -g 1000 "$CID" true
    bad '.user.uid = 1000' 'p.json:' '/user/uid: cannot setuid to unmapped uid 1000'
}

@test "a working directory that cannot be entered or made" {
    config '.root.readonly = true'
    up
    fails 'chdir /none' 'no such file or directory' -- --cwd /none "$CID" true
    fails 'chdir /etc/passwd' 'not a directory' -- --cwd /etc/passwd "$CID" true
    bad '.cwd = "/none"' 'p.json:' '/cwd' 'no such file or directory'
}

@test "a pid file that cannot be written: the process does not stay" {
    up
    run wherry exec -d --pid-file /nonexistent/pid "$CID" sleep 77 </dev/null
    have_status 255
    have "write pid file /nonexistent/pid: no such file or directory"
    run wherry exec -d --pidfd-socket /nonexistent/sock "$CID" sleep 77 </dev/null
    have_status 255
    run wherry exec "$CID" sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "' </dev/null
    have_not "sleep 77"
}

@test "a limit that the host does not grant, a filter that forbids execve" {
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"}'
    up
    bad '.rlimits = [{type: "RLIMIT_NOFILE", soft: 4294967296, hard: 4294967296}]' 'p.json:' '/rlimits/0' 'RLIMIT_NOFILE'
}

@test "the log has one record, with the same text" {
    up
    "$WHERRY" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format json exec "$CID" nosuch </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 || true
    [ "$(wc -l <"$BATS_TEST_TMPDIR/log")" = 1 ]
    [ "$(jq -r .msg "$BATS_TEST_TMPDIR/log")" = "$(cat "$BATS_TEST_TMPDIR/out")" ]
    [ "$(jq -r .level "$BATS_TEST_TMPDIR/log")" = error ]
}

@test "a cgroup that is not the container's any more is not entered, and none is no choice" {
    up
    # The inode tells which directory it was.
    cp "$ROOT/$CID/state.json" kept
    sed -i -E 's/(v2 [0-9]+ )[0-9]+/\19999999/' "$ROOT/$CID/state.json"
    fails 'the cgroup of the container is gone' -- "$CID" true
    cp kept "$ROOT/$CID/state.json"
}

@test "a command beside --process is ignored with a warning" {
    command_is sleep 1000
    wherry run -d "$CID" </dev/null >/dev/null 2>&1
    jq '.process | .args = ["echo", "of the file"]' config.json >process.json
    run --separate-stderr wherry exec -p process.json "$CID" false
    have_status 0
    [ "$output" = "of the file" ]
    [[ $stderr == *'with --process the command is that of the file: "false" is ignored'* ]]
}

@test "kill: an empty signal is the default" {
    command_is sleep 1000
    wherry create "$CID" </dev/null >/dev/null 2>&1
    wherry kill "$CID" ""
    wait_status "$CID" stopped
}
