#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is accepted with a warning: who is told, when, and in which form.
bats_require_minimum_version 1.5.0
load helpers

warned() { # FILE TEXT: one warning on one line
    [ "$(grep -cF -- "$2" "$1")" = 1 ] || { echo "not once in $1: $2"; cat "$1"; return 1; }
}

unknown() { config '.process.capabilities.bounding += ["CAP_FUTURE"]'; }

@test "an unknown capability: the container runs, stderr has one line with the place" {
    unknown
    run --separate-stderr wherry run "$CID"
    have_status 0
    [ -z "$output" ]
    [[ $stderr =~ ^wherry:\ warning:\ config.json:[0-9]+:[0-9]+:\ /process/capabilities/bounding/[0-9]+:\ unknown\ capability\ \"CAP_FUTURE\"\ is\ left\ out$ ]]
}

@test "a log has the warning as a record, and stderr, which is the container's, has nothing" {
    unknown
    wherry --log log.json --log-format json run "$CID" 2>err
    [ "$(jq -r .level log.json)" = warning ]
    jq -r .msg log.json >msg
    warned msg 'unknown capability "CAP_FUTURE" is left out'
    [ ! -s err ] || { cat err; return 1; }
    # create as containerd runs it: its stderr is the container's.
    wherry --log create.json --log-format json create "$CID" </dev/null >out 2>err
    [ ! -s err ] || { cat err; return 1; }
    [ "$(jq -r .level create.json)" = warning ]
    wherry delete -f "$CID"
    wherry --log text.log run "$CID" 2>err
    warned text.log 'level=warning msg="config.json'
    [ ! -s err ] || { cat err; return 1; }
    # A log in JSON on stderr has a record and no line for people.
    wherry --log-format json run "$CID" 2>err
    [ "$(jq -r .level err)" = warning ]
}

@test "update: an option that is 0 and changes nothing is a warning, which a log gets alone" {
    command_is sleep 60
    wherry run -d "$CID" </dev/null >/dev/null 2>&1
    run --separate-stderr wherry update --memory 0 "$CID"
    have_status 0
    [ "$stderr" = "wherry: warning: --memory 0 changes nothing: -1 is no limit" ]
    run --separate-stderr wherry --log log.json --log-format json update --memory 0 "$CID"
    have_status 0
    [ -z "$stderr" ]
    [ "$(jq -r .msg log.json)" = "--memory 0 changes nothing: -1 is no limit" ]
    run wherry update --memory 0 "$CID-none"
    have_status 1
    [ "$output" = "wherry: container does not exist" ]
}

@test "memory.swap 0 without a limit of memory, which engines write beside one" {
    config '.linux.resources.memory = {swap: 0}'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [[ $stderr == 'wherry: warning: config.json:'*': /linux/resources/memory/swap: swap limit 0 without a memory limit has no effect: 0 is no limit, and swap is limited with memory' ]]
    config '.linux.resources.memory = {swap: 0, limit: 0}'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [ -z "$stderr" ]
}

@test "--log-level error silences warnings" {
    unknown
    run --separate-stderr wherry --log-level error run "$CID"
    have_status 0
    [ -z "$output$stderr" ] || { echo "$output$stderr"; return 1; }
}

@test "a failure is one record: warnings do not come with it" {
    unknown
    command_is /nosuch
    run wherry --log log.json --log-format json run "$CID"
    have_status 1
    [ "$(jq -s length log.json)" = 1 ]
    [ "$(jq -r .level log.json)" = error ]
}

@test "start, state, exec and delete do not repeat what create has said" {
    unknown
    command_is sleep 60
    wherry create "$CID" </dev/null >out 2>err
    warned err CAP_FUTURE
    for verb in "start $CID" "state $CID" "exec $CID true" "delete -f $CID"; do
        # shellcheck disable=SC2086 # words
        wherry $verb >/dev/null 2>err
        [ ! -s err ] || { cat err; return 1; }
    done
}

@test "exec: what create has warned of is not said again, nor in the place of what the process file has" {
    unknown
    command_is sleep 60
    wherry run -d "$CID" </dev/null >/dev/null 2>&1
    jq '.process | .args = ["echo", "started"] | .capabilities.bounding = ["CAP_OTHER"]' config.json >p.json
    run --separate-stderr wherry exec -p p.json "$CID"
    have_status 0
    [[ $stderr =~ ^wherry:\ warning:\ p.json:[0-9]+:[0-9]+:\ /capabilities/bounding/0:\ unknown\ capability\ \"CAP_OTHER\"\ is\ left\ out$ ]] || { echo "$stderr"; return 1; }
}

@test "exec: a capability that is not known, or not the caller's, is left out with a warning" {
    command_is sleep 60
    wherry run -d "$CID" </dev/null >/dev/null 2>&1
    run --separate-stderr wherry exec --cap CAP_FUTURE "$CID" echo started
    have_status 0
    [ "$output" = started ]
    [[ $stderr == 'wherry: warning: unknown capability "CAP_FUTURE" is left out' ]]
    jq '.process | .args = ["echo", "started"] | .capabilities.permitted += ["CAP_FUTURE"]' config.json >p.json
    run --separate-stderr wherry exec -p p.json "$CID"
    have_status 0
    [ "$output" = started ]
    [[ $stderr == *'/capabilities/permitted/'*': unknown capability "CAP_FUTURE" is left out' ]]
}

@test "a capability that the caller lacks is left out with a warning" {
    need root
    capsh --help >/dev/null 2>&1 || skip "capsh is not installed"
    config '.process.capabilities |= with_entries(.value += ["CAP_SYS_TIME"])'
    run --separate-stderr capsh --drop=cap_sys_time -- -c "exec '$WHERRY' --root '$ROOT' run '$CID'"
    have_status 0
    [[ $stderr == *'/process/capabilities: CAP_SYS_TIME left out: the caller does not have it to grant' ]]
}

# The default configuration of runc 1.1 asks for three of them: a warning would come with every container.
@test "an ambient capability that cannot be raised is a finding of check, and no warning" {
    config '.process.capabilities = {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"], ambient: ["CAP_KILL"]}'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [ -z "$output$stderr" ] || { echo "$output$stderr"; return 1; }
    run wherry check
    have '[ambient-lost]'
}

@test "more warnings than there is room for are counted" {
    config '.process.capabilities.bounding = [range(12) | "CAP_FUTURE_\(.)"]'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [ "$(grep -c 'is left out' <<<"$stderr")" = 8 ]
    [[ $stderr == *'wherry: warning: 4 more warnings about the configuration (wherry check has all)' ]]
}

@test "user without gid and ioPriority without priority: 0, with a warning" {
    config 'del(.process.user.gid) | .process.ioPriority = {class: "IOPRIO_CLASS_BE"} | .process.args = ["id", "-g"]'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [ "$output" = 0 ]
    warned <(printf '%s\n' "$stderr") '/process/user: the required property "gid" is missing: 0 is taken'
    warned <(printf '%s\n' "$stderr") '/process/ioPriority: the required property "priority" is missing: 0 is taken'
}

@test "what engines write for nothing is accepted in silence" {
    config '.mounts[0].options = [""] | .mounts[1].options += [""] | .domainname = "" | .linux.rootfsPropagation = "" | .linux.mountLabel = ""
        | (.linux.namespaces[] | select(.type == "network")).path = "" | .linux.maskedPaths = null | .process.apparmorProfile = ""'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [ -z "$output$stderr" ] || { echo "$output$stderr"; return 1; }
}
