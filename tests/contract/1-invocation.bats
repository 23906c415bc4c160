#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# How a runtime is called: arguments, global options, the log, the version, statuses, the state directory, ids.
load ../integration/helpers
load contract

@test "1.1 global options are those before the command, and only there" {
    mkdir "$ROOT"
    ok --debug=false --log-format text --rootless=auto list -q
    says 1 'flag provided but not defined: -log-format (a global option: it goes before the command)' list \
        --log-format json
    says 1 'flag provided but not defined: -debug (a global option: it goes before the command)' state --debug x
    says 1 'flag provided but not defined: -quiet' --quiet list
}

@test "1.1 values after a blank or an equals sign; booleans with true or false; one dash or two" {
    need root
    command_is sleep 100
    mkdir elsewhere
    for words in "--bundle $BUNDLE --pid-file=$BUNDLE/pid" "-bundle=$BUNDLE -pid-file $BUNDLE/pid" \
        "-b $BUNDLE --pid-file $BUNDLE/pid" \
        "-b=$BUNDLE --no-pivot=false --no-new-keyring=true -pid-file=$BUNDLE/pid"; do
        cd elsewhere
        # shellcheck disable=SC2086 # words
        ok create $words "$CID"
        cd ..
        [ -s pid ]
        ok delete -f="true" "$CID"
    done
    says 1 'invalid value "yes" for flag --force: want true or false' delete --force=yes "$CID"
    # As go-runc writes it.
    verb run -no-subreaper -keep "$CID-2" -bundle nosuch
    [ "$status" = 1 ]
    have nosuch
}

@test "1.1 options may follow the id, but in exec, kill and ps, where the rest is passed on" {
    need root
    command_is sleep 100
    ok create "$CID" --pid-file pid
    [ -s pid ]
    ok start "$CID"
    verb exec "$CID" echo --cwd -e x -- --help
    [ "$status:$output" = '0:--cwd -e x -- --help' ]
    verb ps "$CID" -o pid,args
    [[ $output == *'PID COMMAND'*'sleep 100' ]]
    # The usage goes to stdout.
    verb kill "$CID" KILL --all
    [ "$status" = 1 ]
    [ "$(sed -n '1p;$p' <<<"$output")" = $'Incorrect Usage.\nwherry: "kill" requires a maximum of 2 argument(s)' ]
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
    ok delete "$CID" --force
}

@test "1.1 a dash and a digit is no option" {
    need root
    command_is sleep 100
    ok create "$CID"
    says 1 'unknown signal "-1"' kill "$CID" -1
    says 1 'unknown signal "-9"' kill "$CID" -9
    [ "$(wherry state "$CID" | jq -r .status)" = created ]
    if controllers memory; then ok update --memory -1 "$CID"; fi
}

@test "1.1 h, --usage, -V and -? are known, too" {
    for word in h help -h --help '-?'; do
        verb "$word"
        [ "$status" = 0 ]
        have 'Usage: wherry '
        have 'Commands:'
    done
    verb --usage
    [ "$status" = 0 ]
    have 'Usage: wherry '
    verb -V
    [ "$status" = 0 ]
    have 'wherry version '
}

@test "1.2 a root that is not there is made with mode 0700; what engines pass beside it is taken" {
    need root
    command_is sleep 100
    ROOT=$BATS_TEST_TMPDIR/a/b
    mkdir "$BATS_TEST_TMPDIR/a"
    ok --criu /usr/sbin/criu --rootless=false --systemd-cgroup=false --cgroup-manager cgroupfs create "$CID"
    [ "$(stat -c %a "$ROOT")" = 700 ]
    ok delete -f "$CID"
}

@test "1.2 the cgroup manager of create is that of every later command" {
    need root
    command_is sleep 100
    ok --cgroup-manager disabled create "$CID"
    for words in "start $CID" "exec $CID true" "kill $CID 0"; do
        # shellcheck disable=SC2086 # words
        ok $words
    done
    [ -z "$(find /sys/fs/cgroup -type d -name "*$CID*" -print -quit)" ]
    # And what needs one says that there is none, whatever the manager that is named now.
    verb --cgroup-manager cgroupfs pause "$CID"
    [ "$status" = 1 ]
    have 'cgroup'
    ok delete -f "$CID"
}

@test "1.3 the log is appended to, with mode 0644, and is there though nothing failed" {
    mkdir "$ROOT"
    (umask 022 && "$WHERRY" --root "$ROOT" --log log --log-format json list -q)
    [ "$(stat -c '%a %s' log)" = "644 0" ]
    for id in one two; do says 1 'container does not exist' --log-format text state $id; done
    for id in one two; do verb --log log --log-format json state $id; done
    # On stderr the text alone: the engine's own name goes in front.
    [ "$output" = 'container does not exist' ]
    [ "$(jq -s length log)" = 2 ]
    [ "$(jq -rs 'map(.level, .msg) | unique | join("|")' log)" = 'container does not exist|error' ]
}

@test "1.3 containerd keeps the last record of level error, podman reads the file as one object" {
    need root
    config '.process.capabilities.bounding += ["CAP_FUTURE"] | .process.args = ["/nosuch"]'
    verb --log log --log-format json create "$CID"
    [ "$status" = 1 ]
    [ "$(jq -s length log)" = 1 ]
    jq -e '.level == "error" and (.msg | startswith("create failed: ")) and (.time | fromdateiso8601 > 1700000000)' log
    [ "$(jq -r .msg log)" = "$output" ]
    # At debug there are more, and the error is the last.
    rm log
    verb --debug --log log --log-format json create "$CID"
    [ "$(jq -rs '.[-1] | .level' log)" = error ]
    [ "$(jq -rs '[.[] | select(.level == "error")] | length' log)" = 1 ]
    jq -es 'all(.[]; .time and .level and .msg and .func and .file)' log >/dev/null
}

@test "1.3 what is parsed from both streams together has nothing else in it: state, list, ps, features" {
    need root
    config '.process.capabilities.bounding += ["CAP_FUTURE"]'
    command_is sleep 100
    verb create "$CID"
    [ "$status" = 0 ]
    verb state "$CID"
    jq -e '.status == "created"' <<<"$output"
    verb list --format=json
    jq -e 'length == 1' <<<"$output"
    verb ps --format json "$CID"
    jq -e 'length == 1' <<<"$output"
    verb features
    jq -e '.ociVersionMin and .ociVersionMax' <<<"$output"
}

@test "1.4 version: name and number, the commit if it is known, the specification, libraries, what is built in" {
    verb --version
    [ "$status" = 0 ]
    sed -n 1p <<<"$output" | grep -qxE 'wherry version [0-9]+\.[0-9]+\.[0-9]+'
    # As moby and go-runc read it.
    [ "$(grep -c version <<<"$output")" = 1 ]
    [ "$(grep -cE '^(commit: [0-9a-f]+|spec: [0-9.]+|libseccomp: [0-9.]+)$' <<<"$output")" -ge 2 ]
    tail -n 1 <<<"$output" | grep -qxE '([+-][A-Z0-9_]+ ?)+'
}

@test "1.5 statuses: 0 and 1; 255 where exec itself failed; else those of the process, 128 and the signal" {
    need root
    command_is sleep 100
    ok run -d "$CID"
    for words in "exec -d $CID true" "pause $CID" "resume $CID" "kill $CID 0"; do
        # shellcheck disable=SC2086 # words
        ok $words
    done
    changes "$CID"
    for it in '0 true' '1 false' '7 exit 7' '255 exit 255' '137 kill -KILL $$' '143 kill -TERM $$'; do
        verb exec "$CID" sh -c "${it#* }"
        [ "$status" = "${it%% *}" ] || { echo "$it: $status"; return 1; }
        [ -z "$output" ]
    done
    for words in "$CID nosuch" "$CID /nosuch" "none true" "--cwd /nosuch $CID true" "-u x $CID true" \
        "--preserve-fds 9 $CID true" "-p nosuch.json $CID" "--pid-file /nosuch/pid $CID true" "$CID"; do
        # shellcheck disable=SC2086 # words
        verb exec $words
        [ "$status" = 255 ] || { echo "exec $words: $status"; return 1; }
        [[ $output == 'wherry: exec failed: '* ]] || { echo "exec $words: $output"; return 1; }
    done
    for words in frobnicate state "state none" "create --nosuch $CID-2" "start $CID" "kill $CID FOO" "delete $CID"; do
        # shellcheck disable=SC2086 # words
        verb $words
        [ "$status" = 1 ] || { echo "$words: $status"; return 1; }
    done
}

@test "1.5 what create and run report begins with create failed: and run failed:" {
    need root
    command_is /nosuch
    for it in '' '--pid-file /nosuch/pid' '--bundle /nosuch' '--console-socket /nosuch' '--preserve-fds 9' \
        '--config nosuch'; do
        for c in create run 'run -d'; do
            # shellcheck disable=SC2086 # words
            verb $c $it "$CID"
            [ "$status" = 1 ]
            [[ $output == "wherry: ${c%% *} failed: "* ]] || { echo "$c $it: $output"; return 1; }
            # shellcheck disable=SC2154 # of bats
            [ "$(wc -l <<<"$output")" = 1 ]
        done
    done
    run "$WHERRY" --root "$ROOT" list -q
    [ -z "$output" ]
}

@test "1.7 the state directory is private, and list shows what it holds, by name" {
    need root
    command_is sleep 100
    # Three with one cgroup would be refused.
    config 'del(.linux.cgroupsPath)'
    for id in b a c; do ok create "$CID-$id"; done
    # What is bound from there (notify) has to be reached by the container's users; nothing is listed.
    [ "$(stat -c %a "$ROOT/$CID-a")" = 711 ]
    [ "$(wherry list -q)" = "$CID-a"$'\n'"$CID-b"$'\n'"$CID-c" ]
    # The configuration of create is the one that counts, and the bundle may go.
    mv config.json gone
    ok start "$CID-a"
    verb exec "$CID-a" cat /proc/1/cmdline
    have sleep
    for id in a b c; do ok delete -f "$CID-$id"; done
    [ -z "$(wherry list -q)" ]
}

@test "1.8 ids: letters, digits, _ + . and -, as long as a file name" {
    need root
    local long id
    command_is sleep 100
    long=$(printf '%064d' 7 | tr 0 a)
    for id in "$CID" "$CID+a_b.C-9" "$CID$long"; do
        ok create -- "$id"
        [ "$(wherry state -- "$id" | jq -r .id)" = "$id" ]
        ok delete -f -- "$id"
    done
    says 1 'create failed: container id cannot be empty' create ''
    for id in . .. a/b 'a b' a:b ä 'a\b' $'a\n' '*' @; do
        verb create "$id"
        [ "$status" = 1 ]
        have 'invalid container ID format'
    done
    verb create "$(printf '%0300d' 7)"
    [ "$status" = 1 ]
    [[ $output == 'wherry: create failed: '* ]]
    [ ! -e "$ROOT" ] || [ -z "$(ls "$ROOT")" ]
}
