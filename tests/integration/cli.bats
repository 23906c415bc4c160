#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line: arguments, log, texts and exit statuses, as engines and people rely on them.
load helpers
load inside

# `! command` ends no test: bash does not count it as a failure.
fails() {
    "$@" || return 0
    echo "succeeded: $*"
    return 1
}

# stdout and stderr apart: `run` mixes them.
apart() {
    local rc=0
    "$WHERRY" --root "$ROOT" "$@" >out 2>err 3>&- 4>&- || rc=$?
    return "$rc"
}

@test "no arguments, help, -h, --help and -? show help on stdout and exit 0" {
    local words
    for words in "" help h -h --help "-?"; do
        # shellcheck disable=SC2086 # none or one word
        run --separate-stderr "$WHERRY" $words
        have_status 0
        have "Usage: wherry"
        have_line "^  create "
        [ -z "$stderr" ]
    done
}

@test "every command has help without an id, before and after operands" {
    local c
    for c in check create delete doctor events explain features help kill licenses list pause ps resume run spec start state update; do
        run --separate-stderr "$WHERRY" "$c" --help
        have_status 0
        have "Usage: wherry [GLOBAL OPTIONS] $c"
        [ -z "$stderr" ]
        run "$WHERRY" help "$c"
        have_status 0
        have "Usage: wherry [GLOBAL OPTIONS] $c"
    done
    run "$WHERRY" create some-id -h
    have_status 0
}

@test "a command that is not there fails even with --help: engines probe so for checkpoint" {
    run "$WHERRY" checkpoint --help
    have_status 1
    have 'unknown command "checkpoint"'
    run "$WHERRY" help frobnicate
    have_status 1
    have 'no help topic for "frobnicate"'
}

@test "--version: the word version on the first line alone" {
    local word
    for word in --version -v -version -V; do
        run --separate-stderr "$WHERRY" "$word"
        have_status 0
        [ "$(grep -ci version <<<"$output")" = 1 ]
        [[ ${lines[0]} =~ ^wherry\ version\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
        have_line '^spec: 1\.3\.0$'
        have_line '^\+[A-Z]'
        [ -z "$stderr" ]
    done
    if [ -e "$SRC/.git" ]; then have_line '^commit: [0-9a-f]{40}$'; fi
}

@test "wrong numbers of operands: help on stdout, the reason on stderr, status 1" {
    fails apart create
    grep -q '^Incorrect Usage\.' out
    grep -q 'Usage: wherry .* create' out
    [ "$(cat err)" = 'wherry: "create" requires exactly 1 argument(s)' ]
    fails apart create a b
    [ "$(cat err)" = 'wherry: "create" requires exactly 1 argument(s)' ]
    for c in start state run delete; do
        fails apart $c
        [ "$(cat err)" = "wherry: \"$c\" requires exactly 1 argument(s)" ]
    done
    fails apart kill
    [ "$(cat err)" = 'wherry: "kill" requires a minimum of 1 argument(s)' ]
    fails apart kill a b c
    [ "$(cat err)" = 'wherry: "kill" requires a maximum of 2 argument(s)' ]
    for c in list spec features explain check doctor licenses; do
        fails apart $c extra
        [ "$(cat err)" = "wherry: \"$c\" requires exactly 0 argument(s)" ]
    done
}

@test "options: what is unknown, lacks its value or has a wrong one is named on one line" {
    fails apart create --bundle
    [ "$(cat err)" = 'wherry: flag needs an argument: --bundle' ]
    [ ! -s out ]
    fails apart create --frobnicate x
    [ "$(cat err)" = 'wherry: flag provided but not defined: -frobnicate' ]
    fails "$WHERRY" --frobnicate list 2>err
    [ "$(cat err)" = 'wherry: flag provided but not defined: -frobnicate' ]
    fails "$WHERRY" --root 2>err
    [ "$(cat err)" = 'wherry: flag needs an argument: --root' ]
    fails apart create --preserve-fds=-1 x
    [ "$(cat err)" = 'wherry: invalid value "-1" for flag --preserve-fds: want a number' ]
    fails apart run --detach=maybe x
    [ "$(cat err)" = 'wherry: invalid value "maybe" for flag --detach: want true or false' ]
    fails apart list --format yaml
    [ "$(cat err)" = 'wherry: invalid format option: yaml (want table or json)' ]
    fails apart explain --format yaml
    [ "$(cat err)" = 'wherry: invalid format option: yaml (want text or json)' ]
    run "$WHERRY" check --format yaml
    have_status 2
}

@test "global options with values that are none" {
    run "$WHERRY" --log-format xml list
    have_status 1
    have 'invalid log-format: xml'
    run "$WHERRY" --log-level loud list
    have_status 1
    have 'invalid log-level: loud'
    run "$WHERRY" --cgroup-manager openrc list
    have_status 1
    have 'invalid cgroup-manager: openrc'
    run "$WHERRY" --rootless perhaps list
    have_status 1
    have 'invalid rootless: perhaps'
}

@test "--root: / is refused in every spelling, a relative one is made absolute" {
    local root
    for root in / // /. /.. /../ /a/.. /a/../..; do
        run "$WHERRY" --root "$root" list
        have_status 1
        [ "$output" = "wherry: Option --root argument should not be set to /" ]
    done
    run "$WHERRY" --root no/such/../dir list
    have_status 1
    have "$PWD/no/dir: no such file or directory"
}

@test "list: a root that was named must exist, the default one need not" {
    run "$WHERRY" --root "$BATS_TEST_TMPDIR/none" list
    have_status 1
    have "no such file or directory"
    need userns
    mkdir xdg
    # Root of a user namespace of its own, and no user named root: what runc calls rootless.
    run unshare -Ur env -u USER XDG_RUNTIME_DIR="$PWD/xdg" "$WHERRY" list -f json
    have_status 0
    [ "$output" = null ]
    run unshare -Ur env -u USER XDG_RUNTIME_DIR="$PWD/xdg" "$WHERRY" list -q
    have_status 0
    [ -z "$output" ]
    [ ! -e xdg/wherry ]
}

@test "list: table header, json and quiet of an empty root" {
    mkdir -p "$ROOT"
    run --separate-stderr wherry list
    have_status 0
    [ "$output" = "ID          PID         STATUS      BUNDLE      CREATED     OWNER" ]
    run --separate-stderr wherry list --format=json
    [ "$output" = null ]
    run --separate-stderr wherry list --quiet
    [ -z "$output" ]
    [ -z "$stderr" ]
}

@test "errors about containers that do not exist" {
    local c
    for c in state start delete "kill"; do
        run wherry "$c" "$CID"
        have_status 1
        have "container does not exist"
    done
    run --separate-stderr wherry delete --force "$CID"
    have_status 0
    [ -z "$output$stderr" ]
    run --separate-stderr wherry delete -f "$CID"
    have_status 0
    run --separate-stderr wherry delete -force "$CID"
    have_status 0
}

@test "ids: empty, with a slash, . and .. are refused" {
    local id
    for id in "" . .. a/b ../x "a b" "$(printf 'a\nb')" "ä" '*'; do
        for c in create start state "kill" delete; do
            run wherry "$c" -- "$id"
            have_status 1
            if [ -z "$id" ]; then have "container id cannot be empty"; else have "invalid container ID format"; fi
            [ "${#lines[@]}" = 1 ]
        done
    done
    [ ! -e "$BATS_TEST_TMPDIR/x" ]
}

@test "kill: unknown signals are named" {
    local s
    for s in FOO SIGFOO 65 -1 1x RTMIN+31 99999999999999999999; do
        run wherry kill "$CID" "$s"
        have_status 1
        [ "$output" = "wherry: unknown signal \"$s\"" ]
    done
}

@test "--log FILE: one record on failure, the plain message on stderr too" {
    fails "$WHERRY" --root "$ROOT" --log log state "$CID" >out 2>err
    [ ! -s out ]
    [ "$(cat err)" = "container does not exist" ]
    [ "$(wc -l <log)" = 1 ]
    grep -qE '^time="[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z" level=error msg="container does not exist"$' log
    fails "$WHERRY" --root "$ROOT" --log file:log state "$CID" 2>err
    [ "$(wc -l <log)" = 2 ]
    # 0644, less the umask of the caller.
    [ "$(umask 022; rm log; "$WHERRY" --root "$ROOT" --log log state "$CID" 2>/dev/null; stat -c %a log)" = 644 ]
}

@test "--log-format json: level, msg and an RFC 3339 time" {
    fails "$WHERRY" --root "$ROOT" --log log.json --log-format json state "$CID" 2>err
    [ "$(cat err)" = "container does not exist" ]
    [ "$(jq -s length log.json)" = 1 ]
    [ "$(jq -r 'keys | join(" ")' log.json)" = "level msg time" ]
    [ "$(jq -r .level log.json)" = error ]
    [ "$(jq -r .msg log.json)" = "container does not exist" ]
    jq -e '.time | fromdateiso8601 > 1700000000' log.json
    # A second failure is a second value in the stream, as containerd's shim decodes it.
    fails "$WHERRY" --root "$ROOT" --log=log.json --log-format=json start "$CID" 2>err
    [ "$(jq -s length log.json)" = 2 ]
}

@test "--log-format json without a file: the record is what stderr gets" {
    fails apart --log-format json state "$CID"
    [ "$(jq -r .msg err)" = "container does not exist" ]
    [ "$(wc -l <err)" = 1 ]
}

@test "the log file is there, and empty, when nothing failed" {
    mkdir "$ROOT"
    run --separate-stderr "$WHERRY" --root "$ROOT" --log log.json --log-format json list -q
    have_status 0
    [ -z "$output$stderr" ]
    [ -f log.json ]
    [ ! -s log.json ]
}

@test "a log that cannot be opened is an error" {
    run "$WHERRY" --root "$ROOT" --log no/such/dir/log list
    have_status 1
    have "open log file no/such/dir/log: no such file or directory"
    mkfifo pipe
    run timeout 5 "$WHERRY" --root "$ROOT" --log pipe list
    have_status 1
    have "open log file pipe: no such device or address"
}

@test "a usage error goes to the log as well" {
    fails "$WHERRY" --root "$ROOT" --log log --log-format json create >out 2>err
    [ "$(jq -r .msg log)" = 'wherry: "create" requires exactly 1 argument(s)' ]
    [ "$(cat err)" = 'wherry: "create" requires exactly 1 argument(s)' ]
    fails "$WHERRY" --root "$ROOT" --log log2 --log-format json create --nope x >out 2>err
    [ "$(jq -r .msg log2)" = 'wherry: flag provided but not defined: -nope' ]
}

@test "a config with several errors: one line each on stderr, one record in the log" {
    config '.process.cwd = 1 | .process.user.uid = "0" | .hostname = []'
    fails "$WHERRY" --root "$ROOT" --log log --log-format json create "$CID" 2>err
    [ "$(wc -l <err)" = 3 ]
    [[ $(head -n 1 err) == "create failed: config.json:"* ]]
    [ "$(grep -c 'config.json:[0-9]*:[0-9]*: /' err)" = 3 ]
    [ "$(jq -s length log)" = 1 ]
    [ "$(jq -r .msg log | wc -l)" = 1 ]
    jq -r .msg log | grep -q '^create failed: config.json:.*; config.json:.*; config.json:'
    fails apart run "$CID"
    [[ $(head -n 1 err) == "wherry: run failed: config.json:"* ]]
}

@test "a failure is one write to stderr, of less than 64 KiB" {
    need strace
    config '.process.cwd = 1 | .process.user.uid = "0" | .hostname = []'
    strace -qq -e trace=write -e write=none -o trace "$WHERRY" --root "$ROOT" create "$CID" 2>err && return 1
    [ "$(grep -c '^write(2,' trace)" = 1 ]
    # A message of any length: the name of the bundle is in it.
    run "$WHERRY" --root "$ROOT" create --bundle "$(head -c 100000 /dev/zero | tr '\0' x)" "$CID"
    have_status 1
    [ "${#output}" -lt 65536 ]
}

@test "control characters do not reach the terminal or begin a second line" {
    run "$WHERRY" "$(printf 'a\nb\033[31m')"
    have_status 1
    [ "${#lines[@]}" = 1 ]
    have 'a\x0ab\x1b[31m'
}

@test "success is silent: stdout and stderr of create, start, kill and delete are empty" {
    need root
    command_is sleep 100
    for c in "create $CID" "start $CID" "kill $CID KILL"; do
        # shellcheck disable=SC2086 # words
        apart $c </dev/null
        [ ! -s out ]
        [ ! -s err ]
    done
    wait_status "$CID" stopped
    apart delete "$CID"
    [ ! -s out ]
    [ ! -s err ]
}

@test "a stdout that is full is an error" {
    [ -c /dev/full ] || skip "no /dev/full"
    run bash -c '"$1" features >/dev/full' sh "$WHERRY"
    have_status 1
    have "write to standard output: no space left on device"
}

@test "descriptors 0 to 2 that are closed are not given to files of ours" {
    # The log would otherwise be descriptor 0, 1 or 2.
    "$WHERRY" --root "$ROOT" --log log state "$CID" <&- >&- 2>&- && return 1
    [ "$(wc -l <log)" = 1 ]
}

@test "set-uid or with file capabilities it refuses to run" {
    need root setpriv
    cp "$WHERRY" /tmp/wherry-$CID
    chmod 4755 /tmp/wherry-$CID
    run setpriv --reuid 65534 --regid 65534 --clear-groups /tmp/wherry-$CID --version
    rm -f /tmp/wherry-$CID
    have_status 1
    have "must not be set-uid"
}

# ---------------------------------------------------------------- command lines of engines
@test "go-runc: the calls of a container's life" {
    need root
    mkdir log
    pre=(--debug=false --log "$PWD/log/log.json" --log-format json --systemd-cgroup=false --rootless=false)
    command_is sleep 100
    detached "${pre[@]}" create --bundle "$BUNDLE" --pid-file "$PWD/init.pid" --no-pivot=false --detach "$CID"
    have_status 0
    [ -z "$output" ]
    [[ $(cat init.pid) =~ ^[0-9]+$ ]]
    [ "$(wc -l <init.pid)" = 0 ]
    run wherry "${pre[@]}" state "$CID"
    [ "$(jq -r .status <<<"$output")" = created ]
    run wherry "${pre[@]}" start "$CID"
    have_status 0
    run wherry "${pre[@]}" list --format=json
    [ "$(jq length <<<"$output")" = 1 ]
    run wherry "${pre[@]}" kill --all "$CID" 9
    have_status 0
    wait_status "$CID" stopped
    run wherry "${pre[@]}" kill --all "$CID" 9
    have_status 0
    run wherry "${pre[@]}" delete --force "$CID"
    have_status 0
    [ -f log/log.json ]
    [ ! -s log/log.json ]
}

@test "conmon and podman: manager, log and options where they put them" {
    need root
    command_is sleep 100
    detached --log-format=json --log="$PWD/oci-log" --cgroup-manager cgroupfs create --bundle "$BUNDLE" \
        --pid-file "$PWD/pidfile" --no-new-keyring --preserve-fds 0 "$CID"
    have_status 0
    run wherry start "$CID"
    have_status 0
    run wherry kill "$CID" 37
    have_status 0
    run wherry kill "$CID" KILL
    have_status 0
    wait_status "$CID" stopped
    run wherry delete --force "$CID"
    have_status 0
}

@test "BuildKit: run in the foreground with --keep, then delete" {
    need root
    shell_is 'exit 7'
    run wherry --log "$PWD/runc-log.json" --log-format json run --bundle "$BUNDLE" --keep "$CID" </dev/null
    have_status 7
    [ "$(wherry state "$CID" | jq -r .status)" = stopped ]
    run wherry delete "$CID"
    have_status 0
}

@test "an id may begin with a dash after --, and options may follow it" {
    need root
    detached create --bundle "$BUNDLE" "$CID" --no-new-keyring
    have_status 0
    run wherry delete "$CID" --force
    have_status 0
}

@test "kill and delete --regex" {
    need root
    local id
    command_is sleep 100
    for id in a b; do
        config ".linux.cgroupsPath = \"/wherry-test/$CID-$id\""
        to_file wherry create "$CID-$id"
        wherry start "$CID-$id"
    done
    run wherry kill --regex "^$CID-[a-b]\$" KILL
    have_status 0
    wait_status "$CID-a" stopped
    wait_status "$CID-b" stopped
    run wherry kill -r "^$CID" KILL
    have_status 1
    have "$CID-a: container not running"
    have "$CID-b: container not running"
    run wherry delete -r '(['
    have_status 1
    have "invalid regular expression"
    run wherry delete -r "^$CID-"
    have_status 0
    run wherry list -q
    [ -z "$output" ]
}

@test "list: a container with its columns, and the same as JSON" {
    need root
    to_file wherry create "$CID"
    run wherry list
    have_line "^ID +PID +STATUS +BUNDLE +CREATED +OWNER\$"
    have_line "^$CID   $(pid_of "$CID") +created +$BUNDLE +[0-9T:.-]+Z +root\$"
    # Columns stand below their names.
    header=${lines[0]} row=${lines[1]}
    before=${header%%BUNDLE*}
    [[ ${row:${#before}} == "$BUNDLE   "* ]]
    run wherry list -q
    [ "$output" = "$CID" ]
    run wherry list -f json
    [ "${#lines[@]}" = 1 ]
    [ "$(jq -r '.[0] | [.id, .status, .bundle, .owner] | join(" ")' <<<"$output")" = "$CID created $BUNDLE root" ]
    [ "$(jq -r '.[0].pid' <<<"$output")" = "$(pid_of "$CID")" ]
}

@test "spec: writes config.json once, with -b and -f elsewhere" {
    mkdir new
    rm -f config.json
    run --separate-stderr "$WHERRY" spec
    have_status 0
    [ -z "$output$stderr" ]
    jq -e '.ociVersion and .process.args == ["sh"]' config.json
    run "$WHERRY" spec
    have_status 1
    [ "$output" = "wherry: File config.json exists. Remove it first" ]
    run "$WHERRY" spec -b new -f other.json --rootless
    have_status 0
    jq -e '.linux.namespaces | map(.type) | index("user")' new/other.json
    ln -s nowhere link.json
    run "$WHERRY" spec --file link.json
    have_status 1
    [ ! -e nowhere ]
    run "$WHERRY" spec --bundle no/such
    have_status 1
    have "open bundle no/such: no such file or directory"
    (umask 077 && rm config.json && "$WHERRY" spec && [ "$(stat -c %a config.json)" = 600 ])
}

@test "preserved descriptors that are not open are an error" {
    run wherry create --preserve-fds 20 "$CID"
    have_status 1
    have "unable to stat preserved-fd"
    have "(of 20)"
    run wherry create --preserve-fds 4294967295 "$CID"
    have_status 1
}

@test "explain: text and JSON, without privileges and without traces" {
    run --separate-stderr wherry explain
    have_status 0
    have hostname
    [ -z "$stderr" ]
    run --separate-stderr wherry explain --format=json
    have_status 0
    jq -e . <<<"$output" >/dev/null
    [ ! -e "$ROOT" ]
    config '.process.cwd = 1'
    run wherry explain
    have_status 1
    have "config.json:"
}

@test "--bundle and --config: another place, another name" {
    mv config.json other.json
    run wherry explain --config other.json
    have_status 0
    cd /
    run wherry explain -b "$BUNDLE" -f other.json
    have_status 0
    run wherry explain -b "$BUNDLE"
    have_status 1
    have "config.json not found"
    run wherry create -b "$BUNDLE/nonesuch" "$CID"
    have_status 1
    have "no such file or directory"
}

@test "create and run -d that are told to end undo what they have done" {
    need root
    local signal command
    printf '#!/bin/sh\necho $$ >"$1"\nexec sleep 60\n' >hook
    chmod +x hook
    config '.hooks.createRuntime = [{path: $p, args: ["hook", $o]}]' --arg p "$PWD/hook" --arg o "$PWD/hook.pid"
    for signal in TERM INT HUP; do
        command="create"
        if [ "$signal" = HUP ]; then command="run -d"; fi
        rm -f hook.pid
        # shellcheck disable=SC2086 # words
        # A background job of a shell without job control ignores SIGINT, and so would we.
        python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$WHERRY" --root "$ROOT" $command --pid-file "$PWD/pid" "$CID" </dev/null >out 2>err 3>&- 4>&- &
        pid=$!
        for _ in $(seq 200); do [ -s hook.pid ] && break; sleep 0.05; done
        kill -s "$signal" "$pid"
        rc=0
        wait "$pid" || rc=$?
        cat err
        [ "$rc" = 1 ]
        grep -q "^wherry: ${command% *} failed: " err
        [ ! -e "$ROOT/$CID" ]
        [ ! -e pid ]
        # The hook went with it.
        ! kill -0 "$(cat hook.pid)" 2>/dev/null || [[ $(sed 's/.*) //' "/proc/$(cat hook.pid)/stat") == Z* ]]
    done
}

@test "--pidfd-socket: one message with one pidfd, of init" {
    need root python3
    cat >receiver <<'P'
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind("sock")
s.listen(1)
print("listening", flush=True)
peer, _ = s.accept()
data, anc, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(16))
fds = array.array("i")
fds.frombytes(anc[0][2])
info = dict(l.split(":\t", 1) for l in open("/proc/self/fdinfo/%d" % fds[0]) if ":\t" in l)
print(len(fds), data.decode(), info["Pid"].strip(), len(peer.recv(10)), flush=True)
P
    python3 receiver >received 2>&1 3>&- 4>&- &
    receiver=$!
    for _ in $(seq 100); do grep -q listening received && break; sleep 0.05; done
    to_file wherry create --pidfd-socket "$PWD/sock" "$CID"
    wait "$receiver"
    [ "$(tail -n 1 received)" = "1 standard $(pid_of "$CID") 0" ]
}

@test "--log journald:IDENT and syslog:IDENT" {
    need root python3
    run unshare -m --propagation private sh -c 'mount -t tmpfs none /run; "$0" --root "$1" --log journald:me list' "$WHERRY" "$ROOT"
    have_status 1
    have "connect to the journal at /run/systemd/journal/socket: no such file or directory"
    cat >receiver <<'P'
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(10)
subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL)
print(s.recv(65536).decode())
P
    run unshare -m --propagation private sh -c 'mount -t tmpfs none /run; mkdir -p /run/systemd/journal
        python3 "$0" /run/systemd/journal/socket "$1" --root "$2" --log journald:me state "$3"' receiver "$WHERRY" "$ROOT" "$CID"
    have_status 0
    have_line '^PRIORITY=3$'
    have_line '^SYSLOG_IDENTIFIER=me$'
    have_line '^MESSAGE=container does not exist$'
    have_line '^container does not exist$'
    run unshare -m --propagation private sh -c 'mount -t tmpfs none /dev; : >/dev/null
        python3 "$0" /dev/log "$1" --root "$2" --log syslog:me state "$3" </dev/null' receiver "$WHERRY" "$ROOT" "$CID"
    have_line '^<27>.* me\[[0-9]+\]: container does not exist'
}

@test "the default root of a user without privileges is private and sticky" {
    need userns
    mkdir -m 700 xdg
    run unshare -Ur env -u USER XDG_RUNTIME_DIR="$PWD/xdg" "$WHERRY" create --bundle "$PWD/nonesuch" "$CID"
    have_status 1
    [ "$(stat -c %a xdg/wherry)" = 1700 ]
}

@test "bash completion: commands, options, values and ids" {
    # shellcheck source=contrib/completion/wherry.bash
    . "$SRC/contrib/completion/wherry.bash"
    complete_words() {
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _wherry
        echo "${COMPREPLY[*]}"
    }
    PATH=$(dirname "$WHERRY"):$PATH
    [ "$(complete_words wherry cr)" = create ]
    [ "$(complete_words wherry --root /x st | tr ' ' '\n' | sort | tr '\n' ' ')" = "start state " ]
    # As readline splits `--root=/x`.
    [ "$(complete_words wherry --root = /x li | tr ' ' '\n' | sort | tr '\n' ' ')" = "licenses list " ]
    [ "$(complete_words wherry --log-format = json --log = /y cr)" = create ]
    [ "$(complete_words wherry --debug = true cr)" = create ]
    [ "$(complete_words wherry --root = /x run --no-s)" = --no-subreaper ]
    [ "$(complete_words wherry run --no-s)" = --no-subreaper ]
    [ "$(complete_words wherry --log-format j)" = json ]
    [ "$(complete_words wherry --log-format = j)" = json ]
    [ "$(complete_words wherry list --format t)" = table ]
    [ "$(complete_words wherry check --format t)" = text ]
    [ "$(complete_words wherry check --profile e)" = engine ]
    # Every finding that can be ignored (check.bats refuses the other two).
    [ "$(complete_words wherry check --ignore "" | tr ' ' '\n' | sort)" = "$(sed -n 's/^### `\(.*\)` .*/\1/p' "$SRC/docs/CHECKS.md" |
        grep -vx -e unreadable -e invalid | sort)" ]
    [ "$(complete_words wherry help exp)" = explain ]
    [ "$(complete_words wherry create --bundle roo)" = rootfs ]
    if [ "$(id -u)" = 0 ]; then
        to_file wherry create "$CID"
        [ "$(complete_words wherry --root "$ROOT" state "${CID:0:3}")" = "$CID" ]
        [ "$(complete_words wherry --root = "$ROOT" state "${CID:0:3}")" = "$CID" ]
    fi
}

@test "bash completion: kill ID completes signals, and every one of them is a signal to kill" {
    local word
    # shellcheck source=contrib/completion/wherry.bash
    . "$SRC/contrib/completion/wherry.bash"
    complete_words() {
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _wherry
        echo "${COMPREPLY[*]}"
    }
    PATH=$(dirname "$WHERRY"):$PATH
    [ "$(complete_words wherry kill c1 K)" = KILL ]
    [ "$(complete_words wherry --root /x kill -a c1 SIGK)" = SIGKILL ]
    [ "$(complete_words wherry kill --all = true c1 SIGK)" = SIGKILL ]
    [ "$(complete_words wherry kill c1 --al)" = --all ]
    [ -z "$(complete_words wherry kill c1 KILL "")" ]
    [ -z "$(complete_words wherry --root "$ROOT" state c1 "")" ]
    [ "$(complete_words wherry kill c1 "" | wc -w)" -gt 30 ]
    for word in $(complete_words wherry kill c1 "") $(complete_words wherry kill c1 SIG); do
        run wherry kill no-such "$word"
        have 'container does not exist'
    done
    run wherry kill no-such NONE
    have 'unknown signal "NONE"'
}

@test "misspelt commands and options: what is within two edits is suggested, more is another word" {
    suggests() { # TEXT ARG…
        local text=$1
        shift
        run "$WHERRY" "$@"
        have_status 1
        [ "$output" = "wherry: $text" ] || { echo "$output"; return 1; }
    }
    suggests 'unknown command "creat", did you mean "create"? (`wherry --help` lists them)' creat x
    suggests 'unknown command "deleet", did you mean "delete"? (`wherry --help` lists them)' deleet -f x
    suggests 'unknown command "stat", did you mean "start" or "state"? (`wherry --help` lists them)' stat x
    # A swap of neighbours is one edit, which short words may have; two are another word there, but not in a long one.
    suggests 'unknown command "exce", did you mean "exec"? (`wherry --help` lists them)' exce x
    suggests 'unknown command "satrt", did you mean "start"? (`wherry --help` lists them)' satrt x
    suggests 'unknown command "pasue", did you mean "pause"? (`wherry --help` lists them)' pasue x
    suggests 'flag provided but not defined: -quite, did you mean --quiet?' list --quite
    suggests 'flag provided but not defined: -evn, did you mean --env?' exec --evn A=b x
    suggests 'unknown command "erusme", did you mean "resume"? (`wherry --help` lists them)' erusme x
    suggests 'unknown command "xatrt" (`wherry --help` lists them)' xatrt x
    suggests 'unknown command "creation" (`wherry --help` lists them)' creation x
    suggests 'unknown command "x" (`wherry --help` lists them)' x
    suggests 'no help topic for "lisst", did you mean "list"?' help lisst
    suggests 'flag provided but not defined: -bundel, did you mean --bundle?' create --bundel . x
    suggests 'flag provided but not defined: -cgruop-manager, did you mean --cgroup-manager?' --cgruop-manager x list
    suggests 'flag provided but not defined: -no-pviot, did you mean --no-pivot?' run -no-pviot x
    suggests 'flag provided but not defined: -bdls' create --bdls . x
    # Not one that is hidden.
    suggests 'flag provided but not defined: -kernel-memry' update --kernel-memry 1 x
    suggests 'flag provided but not defined: -root (a global option: it goes before the command)' list --root /x
}

@test "by the name of runc, and with WHERRY_COMPAT=runc, the version is one that go-runc reads" {
    ln -s "$WHERRY" runc
    for it in ./runc "env WHERRY_COMPAT=runc $WHERRY" "env -C / WHERRY_COMPAT= $PWD/runc"; do
        # shellcheck disable=SC2086 # words
        run $it --version
        have_status 0
        [[ ${lines[0]} =~ ^runc\ version\ [0-9]+\.[0-9]+\.[0-9]+\+wherry$ ]]
        [ "$(grep -ci version <<<"$output")" = 1 ]
        have_line '^spec: 1\.3\.0$'
    done
    for it in "$WHERRY" "env WHERRY_COMPAT= $WHERRY"; do
        # shellcheck disable=SC2086 # words
        run $it --version
        [[ ${lines[0]} =~ ^wherry\ version\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    done
    run env WHERRY_COMPAT=crun "$WHERRY" --version
    have_status 1
    [ "$output" = 'wherry: invalid WHERRY_COMPAT: crun (want runc)' ]
}

@test "without the systemd manager nothing of systemd is looked for: no other program, library or socket" {
    local trace=$BATS_TEST_TMPDIR/trace
    need strace
    traced() { strace -f -qq -e trace=execve,execveat,%file,%network -o "$trace" "$WHERRY" --root "$ROOT" "$@" </dev/null 3>&- 4>&-; }
    # With it something is, which shows that it would be seen.
    run traced --systemd-cgroup run "$CID"
    grep -qE 'wherry-dynamic|/run/systemd' "$trace"
    run traced run "$CID"
    have_status 0
    grep -q execveat "$trace"
    run grep -E 'wherry-dynamic|libsystemd|/run/systemd|dbus|connect\(.*/bus' "$trace"
    [ -z "$output" ] || { echo "$output"; return 1; }
}

@test "licenses prints the notice of each library in the program" {
    local f
    "$WHERRY" licenses >out
    for f in "$SRC"/contrib/licenses/*.txt; do
        grep -q "^==== $(basename "$f" .txt)\$" out
        # As it is in the tree, whole.
        python3 -c 'import sys; sys.exit(open(sys.argv[1]).read() not in open("out").read())' "$f"
    done
}
