#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each command in each status that a container can have: what it does, or the words with which it is refused.
load ../integration/helpers
load contract

test_setup() {
    need root
    command_is sleep 100
}

status_is() {
    [ "$(wherry state "$CID" | jq -r .status)" = "$1" ] || { echo "$(wherry state "$CID" | jq -r .status), not $1"; \
        return 1; }
}

@test "2.0 missing: every command says that the container does not exist, but delete -f, which is content" {
    local words
    mkdir "$ROOT"
    for words in "start x" "state x" "kill x" "kill x KILL" "kill -a x 9" "delete x" "pause x" "resume x" \
        "update --pids-limit 9 x" \
        "ps x" "ps -f json x" "events --stats x" "events x"; do
        # shellcheck disable=SC2086 # words
        says 1 'container does not exist' $words
    done
    says 255 'exec failed: container does not exist' exec x true
    ok delete -f x
    ok delete --force x
}

@test "2.0 created: exec, events, ps, update, kill and pause work; resume is refused; delete ends it" {
    ok create "$CID"
    status_is created
    says 1 'container not paused' resume "$CID"
    changes "$CID"
    ok exec "$CID" true
    verb ps -f json "$CID"
    [ "$output" = "[$(pid_of "$CID")]" ]
    verb events --stats "$CID"
    jq -e '.type == "stats"' <<<"$output"
    ok kill "$CID" 0
    ok pause "$CID"
    ok resume "$CID"
    status_is created
    says 1 'create failed: container with given ID already exists' create "$CID"
    # That container is left as it was.
    status_is created
    ok delete "$CID"
    says 1 'container does not exist' state "$CID"
}

@test "2.0 running: start, resume and delete are refused, the rest works" {
    ok run -d "$CID"
    status_is running
    says 1 'cannot start an already running container' start "$CID"
    says 1 "cannot delete container $CID that is not stopped: running" delete "$CID"
    says 1 'container not paused' resume "$CID"
    status_is running
    ok exec "$CID" true
    changes "$CID"
    verb ps "$CID"
    have 'sleep 100'
    verb events --stats "$CID"
    jq -e .data "$BATS_TEST_TMPDIR/said" >/dev/null
    ok delete -f "$CID"
    says 1 'container does not exist' state "$CID"
}

@test "2.0 paused: start, exec, pause and delete are refused; update, ps, events and kill work; KILL thaws" {
    ok run -d "$CID"
    ok pause "$CID"
    status_is paused
    says 1 'cannot start a container in the paused state' start "$CID"
    says 1 'container not running' pause "$CID"
    says 255 'exec failed: cannot exec in a paused container (use --ignore-paused to override)' exec "$CID" true
    says 1 "cannot delete container $CID that is not stopped: paused" delete "$CID"
    status_is paused
    changes "$CID"
    verb ps -f json "$CID"
    [ "$output" = "[$(pid_of "$CID")]" ]
    verb events --stats "$CID"
    [ "$status" = 0 ]
    ok kill "$CID" USR1
    status_is paused
    ok kill "$CID" KILL
    wait_status "$CID" stopped
    ok delete "$CID"
    ok run -d "$CID"
    ok pause "$CID"
    ok delete -f "$CID"
}

@test "2.0 stopped: state, ps and delete work, the rest is refused" {
    ok run -d "$CID"
    ok kill "$CID" KILL
    wait_status "$CID" stopped
    says 1 'cannot start a container that has stopped' start "$CID"
    for sig in '' TERM KILL 0 9; do
        # shellcheck disable=SC2086 # may be nothing
        says 1 'container not running' kill "$CID" $sig
    done
    ok kill --all "$CID" 9
    ok kill -a "$CID"
    says 255 'exec failed: cannot exec in a stopped container' exec "$CID" true
    says 1 'container not running' pause "$CID"
    says 1 'container not paused' resume "$CID"
    says 1 'container not running' update --pids-limit 100 "$CID"
    says 1 "container with id $CID is not running" events --stats "$CID"
    verb ps -f json "$CID"
    [ "$output" = null ]
    verb ps "$CID"
    [ "$(wc -l <<<"$output")" = 1 ]
    have PID
    status_is stopped
    [ "$(pid_of "$CID")" = 0 ]
    ok delete "$CID"
}

@test "2.0 creating: hooks see it, and while create goes on there is no such container" {
    # shellcheck disable=SC2016 # for the hook
    config '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c",
        "cat >$0; \"$1\" --root \"$2\" state \"$3\" >$0.state 2>&1; true",
        $d, $w, $r, $id]}]' --arg d "$BATS_TEST_TMPDIR/hook" --arg w "$WHERRY" --arg r "$ROOT" --arg id "$CID"
    ok create "$CID"
    [ "$(jq -r .status "$BATS_TEST_TMPDIR/hook")" = creating ]
    [ "$(cat "$BATS_TEST_TMPDIR/hook.state")" = 'wherry: container does not exist' ]
    status_is created
}
