#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each verb with each of its system calls failing once: it says why it failed, or has done what it was asked for. Whatever happens, it ends, and what
# it has made goes with the container. Which errno is returned changes from call to call; WHERRY_SWEEP=1 takes every call with every errno, or with those of
# WHERRY_ERRNOS.
load ../integration/helpers
load faults

ERRNOS=${WHERRY_ERRNOS:-EIO ENOMEM EMFILE EPERM EINTR}

test_setup() {
    need root strace
    strace -o /dev/null true 2>/dev/null || skip "strace is not allowed to trace"
    command_is sleep 1000
    # What the first one alone does, such as making the state root.
    made
    gone
}

nothing() { :; }
running() { wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1; }
paused() { running && wherry pause "$CID"; }
ended() { running && wherry kill "$CID" KILL && wait_status "$CID" stopped; }
status() { wherry state "$CID" 2>/dev/null | jq -r .status; }
has_status() { local now; now=$(status); [ "$now" = "$1" ] || { echo "status '$now', not '$1'"; return 1; }; }
no_state() { [ ! -e "$ROOT/$CID" ] || { echo "there is a state directory"; return 1; }; }
# What is signalled takes a moment to end.
soon() { # STATUS
    for _ in $(seq 100); do [ "$(status)" != "$1" ] || return 0; sleep 0.02; done
    has_status "$1"
}
printed() { grep -q "$1" "$BATS_TEST_TMPDIR/stdout" || { echo "prints $(head -c 300 "$BATS_TEST_TMPDIR/stdout")"; return 1; }; }

# Runs the verb with one failing call; $rc. Its output and its messages are apart.
injected() { # CALL K ERRNO ARGS…
    local call=$1 k=$2 errno=$3
    shift 3
    rc=0
    timeout 30 strace -o /dev/null -e trace="$call" -e inject="$call:error=$errno:when=$k" "$WHERRY" --root "$ROOT" "$@" \
        </dev/null >"$BATS_TEST_TMPDIR/stdout" 2>"$BATS_TEST_TMPDIR/stderr" 3>&- 4>&- || rc=$?
}

# What is wrong about how the verb has ended, in words; nothing when all is well.
judge() { # EFFECT FAILED
    local said
    said=$(cat "$BATS_TEST_TMPDIR/stderr")
    if [ "$rc" -ge 124 ] && [ "$rc" != 255 ]; then
        echo "status $rc (124: it hung; above: it crashed): $said"
    elif [ "$rc" = 0 ]; then
        $1 || echo "succeeds without the effect: $said"
    else
        # The name of the program, of the verb, and what was tried: an errno's words alone are no answer.
        grep -qE '^wherry: ([a-z]+ failed: )?[^:]{4,}' "$BATS_TEST_TMPDIR/stderr" || echo "status $rc, and says: '$said'"
        [ "$(wc -l <"$BATS_TEST_TMPDIR/stderr")" = 1 ] || echo "says not one line: $said"
        $2 || echo "fails, and leaves what it should not: $said"
    fi
}

# PREPARE makes the container that the verb is for. EFFECT holds after a success, FAILED after a failure.
sweep() { # PREPARE EFFECT FAILED ARGS…
    local prepare=$1 effect=$2 failed=$3 call k rc errno list wrong bad=0 tried=0 said=0 tried_errnos summary
    shift 3
    # shellcheck disable=SC2206 # words
    local errnos=($ERRNOS)
    $prepare
    # shellcheck disable=SC2034 # read by calls
    list=$(samples=24; failing "$@")
    gone 2>/dev/null || true
    rm -f "$BATS_TEST_TMPDIR/pid"
    $prepare
    while read -r call k; do
        tried_errnos=("${errnos[tried % ${#errnos[@]}]}")
        [ -z "${WHERRY_SWEEP:-}" ] || tried_errnos=("${errnos[@]}")
        for errno in "${tried_errnos[@]}"; do
            injected "$call" "$k" "$errno" "$@"
            tried=$((tried + 1))
            [ "$rc" = 0 ] || said=$((said + 1))
            wrong=$(judge "$effect" "$failed")
            # What only looks leaves the container as it is, which is tried again.
            if [ -z "${keeps:-}" ] || [ -n "$wrong" ]; then
                # Without a container there is nothing to delete, and that is said.
                wherry delete -f "$CID" >/dev/null 2>"$BATS_TEST_TMPDIR/deleted" || wrong+=" delete -f: $(cat "$BATS_TEST_TMPDIR/deleted")"
                wrong+=$(nothing_left "" | tr '\n' ' ')
                rm -f "$BATS_TEST_TMPDIR/pid"
                $prepare
            fi
            [ -z "$wrong" ] || { bad=$((bad + 1)); echo "$call $k $errno: $wrong"; }
        done
    done <<<"$list"
    summary="$1: $tried failing calls, $said failures said, $bad wrong"
    echo "# $summary" >&3
    echo "$summary"
    # A sweep in which nothing fails has not made anything fail.
    [ "$tried" -gt 5 ] && [ "$said" -gt 0 ] && [ "$bad" = 0 ]
}

created() { has_status created; }
runs() { has_status running; }
undone() { no_state && [ -z "$(left_processes)$(left_cgroups)" ]; }

@test "create" { sweep nothing created undone create -b "$BUNDLE" "$CID"; }

# A failure after START cannot take back that the payload ran; what is left is a container that `state` knows.
known() { no_state >/dev/null || case $(status) in stopped | running) ;; *) echo "status '$(status)'"; return 1 ;; esac; }
@test "run -d" { sweep nothing runs known run -d -b "$BUNDLE" "$CID"; }

ran() { printed "it ran" && undone; }
@test "run in the foreground" {
    shell_is "echo it ran"
    sweep nothing ran undone run -b "$BUNDLE" "$CID"
}

created_or_ended() { case $(status) in created | stopped | running) ;; *) has_status created ;; esac; }
@test "start" { sweep made runs created_or_ended start "$CID"; }

@test "kill" { sweep running "soon stopped" runs kill "$CID" KILL; }
some() { case $(status) in stopped | running) ;; *) has_status running ;; esac; }
@test "kill --all" { sweep running "soon stopped" some kill --all "$CID" KILL; }

@test "pause" { sweep running "has_status paused" runs pause "$CID"; }
# It is let go, and then looked at: what fails may be the look.
thawed_or_not() { case $(status) in paused | running) ;; *) has_status paused ;; esac; }
@test "resume" { sweep paused runs thawed_or_not resume "$CID"; }

exec_ran() { printed "it ran"; }
# The process may have run before what failed, but a message then says what; nothing of it lives.
exec_gone() { ! pgrep -xf "sleep 54322" >/dev/null; }
@test "exec" { keeps=1; sweep running exec_ran exec_gone exec "$CID" echo "it ran"; }

exec_lives() { local pid; pid=$(cat "$BATS_TEST_TMPDIR/pid") && [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 54322 " ]; }
exec_undone() { exec_gone && [ ! -e "$BATS_TEST_TMPDIR/pid" ]; }
@test "exec -d with a pid file" { sweep running exec_lives exec_undone exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 54322; }

limit() { find /sys/fs/cgroup -path "*/$CID/pids.max" -exec cat '{}' + 2>/dev/null; }
limited() { [ "$(limit)" = 77 ]; }
unlimited() { [ "$(limit)" != 77 ]; }
@test "update" {
    [ -n "$(made && limit)" ] || { gone; skip "needs the pids controller"; }
    gone
    sweep running limited unlimited update --pids-limit 77 "$CID"
}

as_it_was() { :; }
@test "state" { keeps=1; sweep running "printed status.*running" as_it_was state "$CID"; }
@test "state of a container that was created" { keeps=1; sweep made "printed status.*created" as_it_was state "$CID"; }
@test "state of a container that is paused" { keeps=1; sweep paused "printed status.*paused" as_it_was state "$CID"; }
@test "a mailbox that cannot be read is not a container that runs; one that is missing is" {
    made
    injected pread64 1 EIO state "$CID"
    [ "$rc" != 0 ]
    grep -q "read the mailbox of container $CID: input/output error" "$BATS_TEST_TMPDIR/stderr"
    rm "$ROOT/$CID/mbox"
    has_status running
}
@test "list" { keeps=1; sweep running "listed" as_it_was list; }
# One that cannot be read is left out, and a warning says which.
listed() { grep -q "$CID.*running" "$BATS_TEST_TMPDIR/stdout" || grep -q "$CID" "$BATS_TEST_TMPDIR/stderr" || printed "$CID"; }
@test "ps" { keeps=1; sweep running "printed sleep" as_it_was ps "$CID"; }

@test "delete" { sweep ended no_state as_it_was delete "$CID"; }
@test "delete of a container that was created" { sweep made undone as_it_was delete -f "$CID"; }
@test "delete -f of a container that runs" { sweep running undone as_it_was delete -f "$CID"; }
