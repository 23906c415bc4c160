# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For the bats files here, after `load ../integration/helpers`: a command of wherry's is killed, or a call of its fails, at each of its system calls.
# Calls are named as strace counts them: the k-th call of that name. WHERRY_SWEEP=1 takes every one, otherwise about 40 are taken.
# The first calls, up to the one that opens /proc, are the loader's.

made() { wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null; }
gone() { wherry delete -f "$CID"; }

# Runs a command of wherry's under strace: stdio is not bats', which waits for everybody that holds it.
traced() { # STRACE-OPTIONS… -- ARGS…
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    timeout 30 strace "${options[@]}" "$WHERRY" --root "$ROOT" "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&-
}

# Every call of a command as "name k", from the first that is wherry's own; every n-th of them.
calls() { # ARGS…
    local every=1 total
    traced -o "$BATS_TEST_TMPDIR/trace" -- "$@"
    awk -F'(' '/^[a-z]/ { n[$1]++; if ($0 ~ /"\/proc"/) on = 1; if (on && $1 !~ /^(exit_group|getpid|geteuid|brk|rt_sigprocmask)$/) print $1, n[$1] }' \
        "$BATS_TEST_TMPDIR/trace" >"$BATS_TEST_TMPDIR/calls"
    total=$(wc -l <"$BATS_TEST_TMPDIR/calls")
    [ "$total" -gt 30 ] || { echo "only $total calls were traced"; return 1; }
    [ -n "${WHERRY_SWEEP:-}" ] || every=$((total / ${samples:-40} + 1))
    awk -v every="$every" 'NR % every == 0' "$BATS_TEST_TMPDIR/calls"
}

# Those that can fail. What strace makes fail is not executed, and a close that is not leaves the fd open; the kernel's close never does.
failing() { calls "$@" | grep -v '^close '; }

# Kills the command at that call. It may end before, a few times: one that waits makes a few calls more in one run than in another, and so does the
# first that needs a cgroup which all tests share.
killed() { # NAME K ARGS…
    local name=$1 k=$2 most
    shift 2
    # The shell says of each that it was killed.
    { ! traced -o /dev/null -e inject="$name:signal=KILL:when=$k" -- "$@" || early="${early:-} $name:$k"; } 2>/dev/null
    # A test with a list of its own has made no trace with `calls`.
    most=4
    [ ! -f "$BATS_TEST_TMPDIR/calls" ] || most=$(($(wc -l <"$BATS_TEST_TMPDIR/calls") / 20 + 4))
    # shellcheck disable=SC2086 # words
    [ "$(printf '%s\n' ${early:-} | wc -l)" -le "$most" ] || { echo "not killed at$early"; return 1; }
}

nothing_left() { # WHAT
    local left
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        left=$(
            [ ! -e "$ROOT/$CID" ] || echo "state directory"
            left_cgroups
            left_processes
        )
        [ -n "$left" ] || return 0
        sleep 0.1
    done
    echo "$1 left: $left"
    return 1
}
