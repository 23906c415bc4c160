#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the payload is: ids, capabilities, limits, environment, descriptors, session.
load helpers
load inside

test_setup() { need root; }

# The names of a set of /proc/self/status, sorted.
set_names() { # SET
    capsh --decode="$(sed -n "s/^$1:[[:space:]]*//p" <<<"$output")" | sed 's/^[^=]*=//' | tr , '\n' | sort | tr '\n' ' '
}

@test "user and group: real, effective, saved and of the file system" {
    config '.process.user = {uid: 1000, gid: 1001}'
    inside 'cat /proc/self/status'
    have_line $'^Uid:\t1000\t1000\t1000\t1000$'
    have_line $'^Gid:\t1001\t1001\t1001\t1001$'
}

@test "supplementary groups are exactly those listed" {
    inside 'cat /proc/self/status'
    have_line $'^Groups:\t *$'
    config '.process.user.additionalGids = [7, 1000, 4294967294]'
    inside 'cat /proc/self/status'
    have_line $'^Groups:\t7 1000 4294967294 *$'
    # Not those of whoever called, either.
    config 'del(.process.user.additionalGids)'
    run setpriv --groups 8,9 "$WHERRY" --root "$ROOT" run "$CID" </dev/null
    have_status 0
    have_line $'^Groups:\t *$'
}

@test "umask is 0022 unless it is given" {
    shell_is 'umask; mkdir /tmp/d; stat -c %a /tmp/d'
    run bash -c 'umask 0077; "$0" --root "$1" run "$2" </dev/null' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    [ "${lines[0]}" = 0022 ]
    [ "${lines[1]}" = 755 ]
    config '.process.user.umask = 63'
    inside 'umask'
    [ "$output" = 0077 ]
    config '.process.user.umask = 0'
    inside 'umask'
    [ "$output" = 0000 ]
}

@test "cwd: where it starts; made with its parents when it is missing" {
    config '.process.cwd = "/tmp"'
    inside pwd
    [ "$output" = /tmp ]
    config '.process.cwd = "/new/a/b"'
    inside 'pwd; stat -c "%a %u" /new /new/a /new/a/b'
    [ "$output" = $'/new/a/b\n755 0\n755 0\n755 0' ]
    config '.process.cwd = "relative"'
    refused "/process/cwd"
}

@test "a cwd that only the user may enter, and one that nobody may" {
    mkdir -m 700 rootfs/home/user
    chown 1000 rootfs/home/user
    config '.process.user = {uid: 1000, gid: 1000} | .process.cwd = "/home/user" | .process.capabilities = {}'
    inside pwd
    [ "$output" = /home/user ]
}

@test "the environment is that of the config, and nothing of the caller's" {
    config '.process.env = ["PATH=/bin", "A=1", "B=two words", "C=", "A=2"]'
    export SECRET=host
    command_is env
    run wherry run "$CID" </dev/null
    have_status 0
    have_line '^A=2$'
    have_not 'A=1'
    have_line '^B=two words$'
    have_line '^C=$'
    have_not SECRET
    have_line '^HOME=/root$'
    [ "$(sort <<<"$output" | cut -d= -f1 | tr '\n' ' ')" = "A B C HOME PATH " ]
}

@test "environment: entries without = or without a name are refused" {
    config '.process.env = ["PATH=/bin", "NOEQUALS"]'
    refused "/process/env/1"
    config '.process.env = ["PATH=/bin", "=x"]'
    refused "/process/env/1"
}

@test "HOME: from passwd, / for those unknown, kept when given, replaced when empty" {
    config '.process.env = ["PATH=/bin"] | .process.user = {uid: 1000, gid: 1000}'
    inside 'echo $HOME'
    [ "$output" = /home/user ]
    config '.process.user.uid = 4711'
    inside 'echo $HOME'
    [ "$output" = / ]
    config '.process.env += ["HOME=/x"]'
    inside 'echo $HOME'
    [ "$output" = /x ]
    config '.process.env = ["PATH=/bin", "HOME="] | .process.user.uid = 0'
    inside 'echo $HOME'
    [ "$output" = /root ]
}

@test "HOME: strange passwd files neither hang nor mislead" {
    config '.process.env = ["PATH=/bin"] | .process.user = {uid: 1000, gid: 1000}'
    rm rootfs/etc/passwd
    inside 'echo $HOME'
    [ "$output" = / ]
    mkfifo rootfs/etc/passwd
    shell_is 'echo $HOME'
    run timeout 10 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&-
    have_status 0
    [ "$output" = / ]
    rm rootfs/etc/passwd
    echo 'user:x:1000:1000::/outside:' >"$BATS_TEST_TMPDIR/passwd"
    ln -s "$BATS_TEST_TMPDIR/passwd" rootfs/etc/passwd
    inside 'echo $HOME'
    [ "$output" = / ]
    rm rootfs/etc/passwd
    # Images of Nix have a link to their store.
    mkdir -p rootfs/nix/store
    echo 'user:x:1000:1000::/linked:' >rootfs/nix/store/passwd
    ln -s /nix/store/passwd rootfs/etc/passwd
    inside 'echo $HOME'
    [ "$output" = /linked ]
    rm rootfs/nix/store/passwd
    mkfifo rootfs/nix/store/passwd
    shell_is 'echo $HOME'
    run timeout 10 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&-
    have_status 0
    [ "$output" = / ]
    rm rootfs/etc/passwd
    ln -s /proc/self/fd/0 rootfs/etc/passwd
    echo 'user:x:1000:1000::/magic:' >"$BATS_TEST_TMPDIR/passwd"
    run timeout 10 "$WHERRY" --root "$ROOT" run "$CID" <"$BATS_TEST_TMPDIR/passwd" 3>&-
    [ "$output" = / ]
    rm rootfs/etc/passwd
    mkdir rootfs/etc/passwd
    inside 'echo $HOME'
    [ "$output" = / ]
    rmdir rootfs/etc/passwd
    {
        printf '#comment:x:1000:1000::/comment:\n:x:1000:1000::/noname:\nshort:x:1000\nbad:x:1000x:1000::/bad:/bin/sh\n'
        head -c 100000 /dev/zero | tr '\0' x
        printf '\nuser:x:1000:1000::/right:/bin/sh'
    } >rootfs/etc/passwd
    shell_is 'echo $HOME'
    run timeout 10 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&-
    have_status 0
    have_not /comment
    have_not /bad
}

@test "args[0] is looked up in the PATH of the container's environment" {
    mkdir -p rootfs/opt/bin
    printf '#!/bin/sh\necho mine "$@"\n' >rootfs/opt/bin/ls
    chmod +x rootfs/opt/bin/ls
    config '.process.env = ["PATH=/nowhere:/opt/bin:/bin"]'
    command_is ls arg
    run wherry run "$CID" </dev/null
    have_status 0
    [ "$output" = "mine arg" ]
    # A name with a slash is a path from the working directory.
    config '.process.env = ["PATH=/bin"] | .process.cwd = "/opt"'
    command_is bin/ls 1
    run wherry run "$CID" </dev/null
    have_status 0
    [ "$output" = "mine 1" ]
    # No PATH in it: the runtime's own is never used.
    config '.process.env = [] | .process.cwd = "/"'
    command_is ls
    refused 'exec: "ls": executable file not found in $PATH'
}

@test "capabilities: bounding and permitted of root" {
    config '.process.capabilities = {bounding: ["CAP_CHOWN", "CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"],
            inheritable: [], ambient: []}'
    config '.process.noNewPrivileges = true'
    inside 'cat /proc/self/status'
    [ "$(set_names CapBnd)" = "cap_chown cap_kill " ]
    [ "$(set_names CapPrm)" = "cap_kill " ]
    [ "$(set_names CapEff)" = "cap_kill " ]
    config '.process.noNewPrivileges = false'
    inside 'cat /proc/self/status'
    [ "$(set_names CapBnd)" = "cap_chown cap_kill " ]
    # execve gives root what the bounding set allows.
    [ "$(set_names CapPrm)" = "cap_chown cap_kill " ]
    [ -z "$(set_names CapInh | tr -d ' ')" ]
    [ -z "$(set_names CapAmb | tr -d ' ')" ]
}

@test "capabilities: all five sets of a user" {
    config '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {
        bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SYSLOG"], effective: ["CAP_KILL", "CAP_NET_RAW"],
        permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"], inheritable: ["CAP_CHOWN", "CAP_NET_RAW"], ambient: ["CAP_NET_RAW"]}'
    inside 'cat /proc/self/status'
    [ "$(set_names CapBnd)" = "cap_chown cap_kill cap_net_raw cap_syslog " ]
    [ "$(set_names CapInh)" = "cap_chown cap_net_raw " ]
    [ "$(set_names CapAmb)" = "cap_net_raw " ]
    [ "$(set_names CapPrm)" = "cap_net_raw " ]
    [ "$(set_names CapEff)" = "cap_net_raw " ]
}

@test "capabilities: none when the object is missing" {
    config 'del(.process.capabilities)'
    inside 'cat /proc/self/status'
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do have_line "^$set:[[:space:]]0+\$"; done
}

@test "capabilities: ambient ones need permitted and inheritable" {
    config '.process.capabilities = {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: [], inheritable: [], ambient: ["CAP_KILL"]}'
    detached create "$CID"
    if [ "$status" = 0 ]; then
        run grep CapAmb "/proc/$(pid_of "$CID")/status"
        have_line '^CapAmb:[[:space:]]0+$'
    else
        have /process/capabilities
    fi
}

@test "noNewPrivileges" {
    config '.process.noNewPrivileges = true'
    inside 'grep NoNewPrivs /proc/self/status'
    [ "$output" = $'NoNewPrivs:\t1' ]
    config '.process.noNewPrivileges = false'
    inside 'grep NoNewPrivs /proc/self/status'
    [ "$output" = $'NoNewPrivs:\t0' ]
}

@test "rlimits: every kind, lowered" {
    config '.process.rlimits = ([["AS", 4294967296], ["CORE", 1], ["CPU", 1000], ["DATA", 4294967296], ["FSIZE", 1048576], ["LOCKS", 3],
        ["MEMLOCK", 4096], ["MSGQUEUE", 5], ["NICE", 0], ["NOFILE", 42], ["NPROC", 4000], ["RSS", 1048576], ["RTPRIO", 0],
        ["RTTIME", 1000000], ["SIGPENDING", 99], ["STACK", 4194304]] | map({type: ("RLIMIT_" + .[0]), soft: .[1], hard: .[1]}))'
    inside 'cat /proc/self/limits'
    have_line '^Max cpu time +1000 +1000 '
    have_line '^Max file size +1048576 +1048576 '
    have_line '^Max data size +4294967296 +4294967296 '
    have_line '^Max stack size +4194304 +4194304 '
    have_line '^Max core file size +1 +1 '
    have_line '^Max resident set +1048576 +1048576 '
    have_line '^Max processes +4000 +4000 '
    have_line '^Max open files +42 +42 '
    have_line '^Max locked memory +4096 +4096 '
    have_line '^Max address space +4294967296 +4294967296 '
    have_line '^Max file locks +3 +3 '
    have_line '^Max pending signals +99 +99 '
    have_line '^Max msgqueue size +5 +5 '
    have_line '^Max nice priority +0 +0 '
    have_line '^Max realtime priority +0 +0 '
    have_line '^Max realtime timeout +1000000 +1000000 '
}

@test "rlimits: so few descriptors that the runtime itself could not work" {
    config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 3, hard: 4}]'
    inside 'ulimit -n; ulimit -H -n'
    [ "$output" = $'3\n4' ]
}

@test "rlimits: those that are not given are the caller's" {
    config '.process.rlimits = []'
    shell_is 'ulimit -n; ulimit -H -n'
    run prlimit --nofile=333:444 "$WHERRY" --root "$ROOT" run "$CID" </dev/null
    have_status 0
    [ "$output" = $'333\n444' ]
}

@test "rlimits: soft below hard, without the privilege to raise one" {
    # The bounding set without CAP_SYS_RESOURCE: what is not raised needs no privilege.
    config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}]'
    shell_is 'ulimit -n; ulimit -H -n'
    run capsh --drop=cap_sys_resource -- -c 'ulimit -S -n 100; ulimit -H -n 200; exec "$0" --root "$1" run "$2" </dev/null' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    [ "$output" = $'100\n200' ]
    config '.process.rlimits[0].hard = 1000'
    run capsh --drop=cap_sys_resource -- -c 'ulimit -S -n 100; ulimit -H -n 200; exec "$0" --root "$1" run "$2" </dev/null' "$WHERRY" "$ROOT" "$CID"
    have_status 1
    have "operation not permitted"
    have "/process/rlimits/0"
}

@test "rlimits: unknown, twice, and soft above hard are refused" {
    config '.process.rlimits = [{type: "RLIMIT_NOPE", soft: 1, hard: 1}]'
    refused /process/rlimits/0 RLIMIT_NOPE
    config '.process.rlimits = [{type: "RLIMIT_CORE", soft: 1, hard: 1}, {type: "RLIMIT_CORE", soft: 1, hard: 1}]'
    refused /process/rlimits/1
    config '.process.rlimits = [{type: "RLIMIT_CORE", soft: 2, hard: 1}]'
    refused /process/rlimits/0
}

@test "oomScoreAdj, and the caller's when it is absent" {
    config '.process.oomScoreAdj = 321'
    inside 'cat /proc/self/oom_score_adj'
    [ "$output" = 321 ]
    config 'del(.process.oomScoreAdj)'
    shell_is 'cat /proc/self/oom_score_adj'
    run bash -c 'echo 55 >/proc/self/oom_score_adj; "$0" --root "$1" run "$2" </dev/null' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    [ "$output" = 55 ]
    config '.process.oomScoreAdj = 1001'
    refused /process/oomScoreAdj
}

@test "personality" {
    [ "$(uname -m)" = x86_64 ] || skip "needs x86_64"
    config '.linux.personality = {domain: "LINUX32"}'
    inside 'uname -m; cat /proc/self/personality'
    [ "${lines[0]}" = i686 ]
    [ "${lines[1]}" = 00000008 ]
    config '.linux.personality = {domain: "LINUX"}'
    shell_is 'uname -m'
    run setarch i686 "$WHERRY" --root "$ROOT" run "$CID" </dev/null
    have_status 0
    [ "$output" = x86_64 ]
}

@test "hostname and domainname" {
    config '.hostname = "wherry-host" | .domainname = "wherry.domain"'
    inside 'hostname; cat /proc/sys/kernel/domainname'
    [ "$output" = $'wherry-host\nwherry.domain' ]
    [ "$(hostname)" != wherry-host ]
    config 'del(.linux.namespaces[] | select(.type == "uts"))'
    refused /hostname
}

@test "exit status: of the payload, 128 and its number for a signal" {
    local n
    for n in 0 1 2 126 127 128 255; do
        shell_is "exit $n"
        run wherry run "$CID" </dev/null
        have_status "$n"
        [ -z "$output" ]
    done
    # As pid 1 it is immune to signals without a handler from within, so it dies of one from outside.
    command_is sleep 100
    "$WHERRY" --root "$ROOT" run "$CID" </dev/null >/dev/null 2>&1 3>&- 4>&- &
    n=$!
    wait_status "$CID" running
    wherry kill "$CID" KILL
    rc=0
    wait "$n" || rc=$?
    [ "$rc" = $((128 + $(kill -l KILL))) ]
}

@test "run passes signals on to the payload" {
    local n
    for n in HUP INT TERM USR1 USR2 WINCH RTMIN+3; do
        shell_is "trap 'echo got $n; exit 9' ${n/RTMIN+3/37}; echo ready; while :; do sleep 0.05; done"
        "$WHERRY" --root "$ROOT" run "$CID" </dev/null >out 2>err 3>&- 4>&- &
        pid=$!
        # A signal before the trap is set may be one that does nothing, and the payload would go on without end.
        for _ in $(seq 600); do grep -q ready out && break; sleep 0.05; done
        grep -q ready out || { kill -KILL "$pid"; echo "$n: the payload was not ready after 30 s"; cat err; return 1; }
        echo "sending $n"
        kill -s "$n" "$pid"
        rc=0
        wait "$pid" || rc=$?
        [ "$rc" = 9 ] || { echo "$n: status $rc"; cat out err; return 1; }
        grep -q "got $n" out
    done
}

@test "stdin, stdout and stderr are the caller's" {
    shell_is 'cat; echo to-stderr >&2'
    printf 'a\nb\n' | wherry run "$CID" >out 2>err
    [ "$(cat out)" = $'a\nb' ]
    [ "$(cat err)" = to-stderr ]
}

@test "a user can reopen its stdout; a file of the caller's stays the caller's" {
    config '.process.user = {uid: 1000, gid: 1000}'
    shell_is 'echo again >/dev/stdout; echo err >/dev/stderr'
    run bash -c '"$0" --root "$1" run "$2" </dev/null 2>&1 | cat' "$WHERRY" "$ROOT" "$CID"
    have_line '^again$'
    have_line '^err$'
    shell_is 'echo plain'
    wherry run "$CID" </dev/null >file
    [ "$(cat file)" = plain ]
    [ "$(stat -c %u file)" = 0 ]
}

@test "in a user namespace pipes and sockets of stdio can be opened again, by root and by a user, in run and exec" {
    need userns
    chmod -R a+rX rootfs
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = .linux.uidMappings | .root.readonly = false'
    chown -R 100000:100000 rootfs
    for uid in 0 1000; do
        config '.process.user = {uid: $uid, gid: $uid}' --argjson uid $uid
        shell_is 'echo out >/dev/stdout; echo err >/dev/stderr; cat </dev/stdin'
        run bash -c 'echo in | "$0" --root "$1" run "$2" 2>&1 | cat' "$WHERRY" "$ROOT" "$CID"
        for word in out err in; do have_line "^$word\$"; done
    done
    command_is sleep 60
    wherry run -d "$CID" </dev/null >/dev/null 2>&1
    for user in 0:0 1000:1000 4321:4321; do
        run bash -c 'echo in | "$0" --root "$1" exec -u $3 "$2" sh -c "echo out >/dev/stdout; echo err >/dev/stderr; cat </dev/stdin" 2>&1 | cat' \
            "$WHERRY" "$ROOT" "$CID" $user
        for word in out err in; do have_line "^$word\$"; done
    done
}

@test "pid 1, leader of its own session and group, without a terminal" {
    inside 'read -r stat </proc/self/stat; set -- ${stat##*) }; echo "$4 $3 $5"; echo $$'
    # session, process group, terminal
    [ "${lines[0]}" = "1 1 0" ]
    [ "${lines[1]}" = 1 ]
}

@test "signals: none blocked, none ignored, whatever the caller has" {
    shell_is 'cat /proc/self/status'
    command_is cat /proc/self/status
    run bash -c 'trap "" PIPE HUP USR1; "$0" --root "$1" run "$2" </dev/null' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    have_line $'^SigBlk:\t0+$'
    have_line $'^SigIgn:\t0+$'
}

@test "no descriptor but 0, 1 and 2 reaches the payload" {
    # `ls` itself has the directory open, as 3.
    command_is ls /proc/self/fd
    run bash -c 'exec 5<. 7</dev/zero 20</dev/null; "$0" --root "$1" run "$2" </dev/null' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    [ "$(tr '\n' ' ' <<<"$output")" = "0 1 2 3 " ]
}

@test "create and start leave no descriptor in the payload either" {
    shell_is 'ls /proc/self/fd >/fds.new; mv /fds.new /fds; while :; do sleep 1; done'
    bash -c 'exec 5<. 7</dev/zero; "$0" --root "$1" create "$2" </dev/null >/dev/null 2>&1 3>&- 4>&-' "$WHERRY" "$ROOT" "$CID"
    bash -c 'exec 5<. 9</dev/zero; "$0" --root "$1" start "$2" 3>&- 4>&-' "$WHERRY" "$ROOT" "$CID"
    for _ in $(seq 100); do [ -s rootfs/fds ] && break; sleep 0.05; done
    run cat rootfs/fds
    [ "$(tr '\n' ' ' <<<"$output")" = "0 1 2 3 " ]
}

@test "--preserve-fds: the descriptors, and no more" {
    echo three >f3
    echo four >f4
    shell_is 'cat <&3; cat <&4; ls /proc/self/fd | tr "\n" " "'
    run bash -c '"$0" --root "$1" run --preserve-fds 2 "$2" </dev/null 3<f3 4<f4 5<f4' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    [ "${lines[0]}" = three ]
    [ "${lines[1]}" = four ]
    [ "${lines[2]}" = "0 1 2 3 4 5 " ]
}

@test "LISTEN_FDS: for this process, then as the payload's" {
    echo three >f3
    shell_is 'echo "$LISTEN_FDS $LISTEN_PID"; cat <&3'
    run bash -c 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" --root "$1" run "$2" </dev/null 3<f3' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    [ "$output" = $'1 1\nthree' ]
    # sd_listen_fds(3) refuses any number but its own: not 1 with --init, nor among the host's processes.
    shell_is 'echo "$LISTEN_FDS $((LISTEN_PID == $$ && $$ != 1))"'
    run bash -c 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" --root "$1" run --init "$2" </dev/null 3<f3' "$WHERRY" "$ROOT" "$CID"
    [ "$output" = "1 1" ]
    config '.linux.namespaces |= map(select(.type != "pid"))'
    run bash -c 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" --root "$1" run "$2" </dev/null 3<f3' "$WHERRY" "$ROOT" "$CID"
    [ "$output" = "1 1" ]
    shell_is 'echo "<$LISTEN_FDS$LISTEN_PID>"; ls /proc/self/fd | tr "\n" " "'
    run bash -c 'export LISTEN_FDS=1 LISTEN_PID=1; exec "$0" --root "$1" run "$2" </dev/null 3<f3' "$WHERRY" "$ROOT" "$CID"
    have_status 0
    [ "${lines[0]}" = "<>" ]
    [ "${lines[1]}" = "0 1 2 3 " ]
}

@test "session keyring: its own by default, the caller's with --no-new-keyring" {
    need keyctl
    keyctl_is_there
    command_is keyctl show @s
    run keyctl session mine "$WHERRY" --root "$ROOT" run --no-new-keyring "$CID" </dev/null 3>&- 4>&-
    have_status 0
    have_line 'keyring: mine$'
    run keyctl session mine "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 0
    have_line 'keyring: _ses$'
    have_not mine
}

keyctl_is_there() {
    local lib
    cp "$(command -v keyctl)" rootfs/bin/
    ldd "$(command -v keyctl)" | grep -o '/[^ ]*' | while read -r lib; do
        mkdir -p "rootfs$(dirname "$lib")"
        cp -L "$lib" "rootfs$lib"
    done
}

# What a process does that has the uid of another container's and no part in its session: every way to a key by the key's number, the keyring's, and the
# keyring's name. It prints what it got.
THIEF='for name in _ses "_ses.$3"; do keyctl session "$name" keyctl show @s; done
    keyctl read "$2" || keyctl print "$2"
    keyctl link "$2" @s && keyctl print "$2"
    keyctl link "$1" @s && keyctl show @s && keyctl print "$2"
    keyctl search "$1" user treasure @s && keyctl print "$2"
    keyctl rlist "$1"; keyctl list "$1"; keyctl show "$1"
    keyctl setperm "$1" 0x3f3f3f3f && keyctl link "$1" @s && keyctl print "$2"
    keyctl setperm "$2" 0x3f3f3f3f && keyctl print "$2"
    keyctl chown "$1" 0 && keyctl link "$1" @s && keyctl print "$2"
    echo tried'

@test "keys in the session keyring of a container, and in that of an exec, are out of reach for others of the same uid, in another container and on the host" {
    local how ring key
    need keyctl
    keyctl_is_there
    # The uid that has made the keyring is root's, whose the process is too.
    config '.process.capabilities = {bounding: [], effective: [], permitted: []} | .linux.seccomp = null | .root.readonly = false'
    cp -a "$BUNDLE" "$BATS_TEST_TMPDIR/thief"
    (cd "$BATS_TEST_TMPDIR/thief" && BUNDLE=$PWD && config '.linux.cgroupsPath += "-2"')
    shell_is 'keyctl add user treasure hush @s >/tmp/key; keyctl rlist @s; keyctl id @s >/tmp/ring; exec sleep 1000'
    wherry run -d "$CID" </dev/null >out 2>&1
    for how in run exec; do
        if [ "$how" = exec ]; then
            rm -f rootfs/tmp/ring
            wherry exec -d "$CID" sh -c 'keyctl add user treasure hush @s >/tmp/key; keyctl id @s >/tmp/ring; exec sleep 1000' </dev/null >out 2>&1
        fi
        for _ in $(seq 200); do [ ! -s rootfs/tmp/ring ] || break; sleep 0.05; done
        ring=$(cat rootfs/tmp/ring) key=$(cat rootfs/tmp/key)
        (cd "$BATS_TEST_TMPDIR/thief" && BUNDLE=$PWD && command_is sh -c "$THIEF" thief "$ring" "$key" "$CID")
        run wherry run --bundle "$BATS_TEST_TMPDIR/thief" "$CID-2" </dev/null
        have_line '^tried$'
        have_not hush
        have_not treasure
        run sh -c "$THIEF" thief "$ring" "$key" "$CID" </dev/null
        have_line '^tried$'
        have_not hush
        have_not treasure
        # Its own processes have it.
        run grep -c . "rootfs/tmp/key"
        [ "$output" = 1 ]
    done
}

@test "--no-subreaper: orphans are not the runtime's" {
    shell_is 'sleep 0.1'
    run wherry run --no-subreaper "$CID" </dev/null
    have_status 0
}

