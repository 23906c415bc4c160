#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# views: cgroup2
# exec: another process in a container that is there.
load helpers
load inside

test_setup() {
    need root
    command_is sleep 1000
}

up() {
    to_file wherry run -d "$CID"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
}

@test "exec: a command, its output and its status" {
    up
    run wherry exec "$CID" echo hello </dev/null
    have_status 0
    have_line '^hello$'
    run wherry exec "$CID" sh -c 'exit 7' </dev/null
    have_status 7
    run wherry exec "$CID" sh -c 'kill -9 $$' </dev/null
    have_status 137
}
