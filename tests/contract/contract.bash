# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# For the files here: `load ../integration/helpers`, then `load contract`.
bats_require_minimum_version 1.5.0

# verb ARG…: what the program under test says is in $output (both streams), how it ended in $status. Not `run`: a
# container would keep its pipe.
verb() {
    status=0
    "$WHERRY" --root "$ROOT" "$@" >"$BATS_TEST_TMPDIR/said" 2>&1 </dev/null 3>&- 4>&- || status=$?
    output=$(<"$BATS_TEST_TMPDIR/said")
}

# ok ARG…: success, in silence.
ok() {
    verb "$@"
    [ "$status:$output" = 0: ] || { echo "$*: status $status: $output"; return 1; }
}

# says STATUS TEXT ARG…: this status, and exactly this line on stderr.
says() {
    local want=$1 text=$2
    shift 2
    verb "$@"
    if [ "$status:$output" != "$want:wherry: $text" ]; then
        echo "$*: status $status: $output"
        echo "want $want: wherry: $text"
        return 1
    fi
}

# changes: an update that succeeds, on every host; there may be no controller.
changes() { echo '{}' >"$BATS_TEST_TMPDIR/r.json" && ok update -r "$BATS_TEST_TMPDIR/r.json" "$1"; }

controllers() { # NAME…: whether there are such, in a hierarchy of their own or in the unified one
    local name
    for name; do
        grep -qE "^[^ ]+ [^ ]+ cgroup [^ ]*\b$name\b" /proc/mounts ||
            grep -qw "$name" /sys/fs/cgroup/cgroup.controllers 2>/dev/null || return 1
    done
}
