#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The end of run and delete: each system call of the clean-up fails once, and all is removed nevertheless; what failed is reported, or did not matter.
load ../integration/helpers

test_setup() {
    need root strace
    strace -o /dev/null true 2>/dev/null || skip "strace is not allowed to trace"
    command_is /bin/true
    TRACE=$BATS_TEST_TMPDIR/trace
}

traced() { # STRACE-OPTIONS… -- ARGS…
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    timeout 60 strace "${options[@]}" "$WHERRY" --root "$ROOT" "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&-
}

# "name k" of the calls of $TRACE from the last line that matches.
calls_from() { # REGEX
    awk -v from="$1" '{ name = $0; sub(/\(.*/, "", name); line[NR] = name; count[NR] = ++n[name] } $0 ~ from { begin = NR }
        END { if (!begin) exit 1; for (i = begin; i <= NR; i++) print line[i], count[i] }' "$TRACE" |
        grep -vE '^(exit_group|exit|close|munmap|brk|rt_sigreturn|\+\+\+|---) '
}

each_fails() { # REGEX PREPARE ARGS…
    local from=$1 prepare=$2 name k status left bad=0 tried=0
    shift 2
    "$prepare"
    traced -o "$TRACE" -- "$@" || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
    calls_from "$from" >"$BATS_TEST_TMPDIR/calls"
    while read -r name k; do
        "$prepare"
        status=0
        traced -o /dev/null -e trace="$name" -e inject="$name:error=EIO:when=$k" -- "$@" || status=$?
        tried=$((tried + 1))
        left=
        [ ! -e "$ROOT/$CID" ] || left+=" state"
        [ ! -L "$ROOT/.init/$CID" ] || left+=" record"
        [ -z "$(left_cgroups)" ] || left+=" cgroup"
        [ "$status" = 0 ] || [ -s "$BATS_TEST_TMPDIR/out" ] || left+=" no message"
        [ "$status" -lt 124 ] || left+=" status $status"
        if [ -n "$left" ]; then
            bad=$((bad + 1))
            echo "$* with $name $k failing: exit status $status,$left: $(cat "$BATS_TEST_TMPDIR/out")"
            wherry delete -f "$CID"
        fi
    done <"$BATS_TEST_TMPDIR/calls"
    echo "$tried calls, $bad bad"
    [ "$tried" -gt 10 ] && [ "$bad" = 0 ]
}

nothing() { :; }
stopped() {
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null
    wait_status "$CID" stopped
}
created() { wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null; }

@test "the end of run: each call fails once" { each_fails '^waitid\(P_PIDFD' nothing run -b "$BUNDLE" "$CID"; }

@test "delete, from the lock on: each call fails once" { each_fails '^flock\(' stopped delete "$CID"; }

@test "delete -f of a created container, from the lock on: each call fails once" { each_fails '^flock\(' created delete -f "$CID"; }
