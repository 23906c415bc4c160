#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command line: grammar, texts, exit codes, logs.
load helpers

@test "--version: the word once, and on the first line" {
    run wherry --version
    have_status 0
    [[ ${lines[0]} =~ ^wherry\ version\ [0-9]+\.[0-9]+\.[0-9]+ ]]
    [ "$(grep -ci version <<<"$output")" = 1 ]
    have_line '^spec: 1\.3\.0$'
}

@test "help: of the program and of each command, without an id" {
    run wherry --help
    have_status 0
    for command in create start run state kill delete list spec features explain check; do
        have_line "(^| )$command( |\$)"
    done
    for command in create start run state kill delete list spec features explain check; do
        run wherry "$command" --help
        have_status 0
        have "$command"
    done
    run wherry
    have_status 0
}

@test "what does not exist yet fails, also --help of it" {
    run wherry checkpoint --help
    [ "$status" -ne 0 ]
    run wherry no-such-command
    have_status 1
}

@test "options: unknown, without a value, one dash, =, false" {
    run wherry create --no-such-option x
    have_status 1
    have "flag provided but not defined: -no-such-option"
    run wherry create --bundle
    have_status 1
    have "flag needs an argument: --bundle"
    command_is true
    run wherry run -bundle="$BUNDLE" "$CID"
    have_status 0
    run wherry run --detach=false --bundle "$BUNDLE" "$CID"
    have_status 0
}

@test "arguments: too few, too many" {
    run wherry state
    have_status 1
    have "requires"
    run wherry create a b
    have_status 1
    have "requires exactly 1 argument"
}

@test "--root / is refused" {
    run "$WHERRY" --root / list
    have_status 1
}

@test "an error is one line, on standard error, and in the log" {
    command_is no-such-program
    run bash -c '"$WHERRY" --root "$1" --log "$2" --log-format json run -b "$3" "$4" 2>"$2.err"' sh "$ROOT" "$BATS_TEST_TMPDIR/log" "$BUNDLE" "$CID"
    have_status 1
    [ -z "$output" ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/log")" = 1 ]
    jq -e '.level == "error" and (.msg | length > 0) and (.time | test("^[0-9-]{10}T[0-9:]{8}"))' "$BATS_TEST_TMPDIR/log"
    grep -q "executable file not found" "$BATS_TEST_TMPDIR/log.err"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/log.err")" = 1 ]
}

@test "success is silent" {
    command_is sleep 1000
    run wherry --log "$BATS_TEST_TMPDIR/log" --log-format json create -b "$BUNDLE" "$CID" </dev/null
    have_status 0
    [ -z "$output" ]
    [ ! -s "$BATS_TEST_TMPDIR/log" ]
    [ -f "$BATS_TEST_TMPDIR/log" ]
}

@test "log formats and levels" {
    run wherry --log-format yaml list
    have_status 1
    have "invalid log-format: yaml"
}

@test "spec writes a config.json that runs, and overwrites none" {
    rm config.json
    run wherry spec
    have_status 0
    jq -e .ociVersion config.json
    run wherry spec
    have_status 1
    have "exists"
    config '.process.terminal = false | .process.args = ["true"]'
    run wherry run "$CID"
    have_status 0
}

@test "features: a document with the versions, nothing on standard error" {
    run bash -c '"$WHERRY" features 2>&1 >/dev/null'
    [ -z "$output" ]
    run wherry features
    have_status 0
    jq -e '.ociVersionMin == "1.0.0" and .ociVersionMax == "1.3.0"' <<<"$output"
    jq -e '.linux.namespaces | index("pid") and index("mount")' <<<"$output"
}

@test "errors of the configuration are collected, each with line, column and pointer" {
    config '.process.user.uid = "1000" | .process.cwd = 5 | .root = []'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    have_line 'config\.json:[0-9]+:[0-9]+: /process/user/uid: '
    have_line 'config\.json:[0-9]+:[0-9]+: /process/cwd: '
    have_line 'config\.json:[0-9]+:[0-9]+: /root: '
}

@test "check: unknown keys with the nearest known name, findings, exit codes" {
    config '.process.usr = {} | .hostnam = "x"'
    run wherry check -b "$BUNDLE"
    [ "$status" -ge 1 ]
    have hostnam
    have hostname
    run wherry check -b "$BUNDLE" --format json
    jq -e . <<<"$output"
    config '.process.user.uid = "x"'
    run wherry check -b "$BUNDLE"
    have_status 2
}

@test "explain: text and JSON, the same steps" {
    run wherry explain -b "$BUNDLE"
    have_status 0
    have /proc
    have hostname
    run wherry explain -b "$BUNDLE" --format json
    have_status 0
    jq -e . <<<"$output"
    [ ! -e "$ROOT/$CID" ]
}
