#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The processes of a container, as a table of ps(1) and as JSON.
# views: cgroup2
# shellcheck disable=SC2154 # status and output are set by bats
load helpers
load inside

test_setup() {
    need root cgroup2 ps
    TWO=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
    CG=$TWO/wherry-test/$CID
}

# Three processes; the last one is in the background of the first.
three() {
    shell_is 'sleep 1001 & sleep 1002 & echo ready; wait; sleep 1003'
    detached run -d "$CID"
    have_status 0
    for _ in $(seq 100); do [ "$(wc -l <"$CG/cgroup.procs")" = 3 ] && return 0; sleep 0.05; done
    return 1
}

@test "json: one line, the host's ids of all processes, those of exec and of cgroups below too" {
    three
    wherry exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1004 </dev/null >/dev/null
    mkdir "$CG/sub"
    cat "$BATS_TEST_TMPDIR/pid" >"$CG/sub/cgroup.procs"
    run wherry ps --format json "$CID"
    have_status 0
    [ "$(wc -l <<<"$output")" = 1 ]
    [ "$(jq length <<<"$output")" = 4 ]
    [ "$output" = "$(cat "$CG/cgroup.procs" "$CG/sub/cgroup.procs" | sort -n | jq -sc .)" ]
    [ "$(jq "index($(pid_of "$CID"))" <<<"$output")" != null ]
    [ "$(jq "index($(cat "$BATS_TEST_TMPDIR/pid"))" <<<"$output")" != null ]
    # Before the id or behind it: what is behind it is the ps program's.
    [ "$(wherry ps -f json "$CID")" = "$output" ]
}

@test "json: a process in the deepest of a thousand cgroups, which kill -a reaches" {
    three
    wherry exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$CID" sleep 1004 </dev/null >/dev/null
    local pid i
    pid=$(cat "$BATS_TEST_TMPDIR/pid")
    (cd "$CG" && for ((i = 0; i < 1000; i++)); do mkdir -p a/b && cd a || exit 1; done && echo "$pid" >cgroup.procs)
    run wherry ps --format json "$CID"
    have_status 0
    [ "$(jq -c "[length, index($pid) != null]" <<<"$output")" = "[4,true]" ]
    run wherry kill -a "$CID" TERM
    have_status 0
    # Ended: gone, or a zombie that nobody reaps here.
    for ((i = 0; i < 200; i++)); do [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null)" = S ] || return 0; sleep 0.05; done
    return 1
}

@test "table: the header and the container's rows, nobody else's" {
    three
    run wherry ps "$CID"
    have_status 0
    [ "${#lines[@]}" = 4 ]
    grep -qE '^UID +PID +PPID ' <<<"${lines[0]}"
    have "sleep 1001"
    have "sleep 1002"
    run wherry ps --format table "$CID" -o args,pid
    have_status 0
    [ "${#lines[@]}" = 4 ]
    grep -qE '^COMMAND +PID$' <<<"${lines[0]}"
}

@test "table: options of ps behind the id; without a PID column, or with a mistake, an error" {
    three
    run wherry ps "$CID" -e -o pid,ppid,args
    have_status 0
    [ "${#lines[@]}" = 4 ]
    grep -qE '^ +PID +PPID COMMAND$' <<<"${lines[0]}"
    have_line "^ *$(pid_of "$CID") "
    run wherry ps "$CID" -e -o ppid,args
    have_status 1
    have "ps prints no column PID"
    run wherry ps "$CID" --no-such-option
    have_status 1
    have "ps failed (exit status 1): error: unknown"
    run wherry ps --format xml "$CID"
    have_status 1
    have "invalid format option"
    run env PATH=/nowhere "$WHERRY" --root "$ROOT" ps "$CID"
    have_status 1
    have "ps is not in \$PATH"
    have "--format json"
}

@test "table: a ps that does not end is killed, and said to be" {
    need strace
    three
    # sleep(1) goes by any name.
    mkdir "$BATS_TEST_TMPDIR/bin"
    cp "$(command -v sleep)" "$BATS_TEST_TMPDIR/bin/ps"
    # The half minute is over at once, as poll(2) tells it.
    run timeout 60 strace -qq -o /dev/null -e trace=poll -e inject=poll:retval=0:when=1 \
        env PATH="$BATS_TEST_TMPDIR/bin:$PATH" "$WHERRY" --root "$ROOT" ps "$CID" 1000
    have_status 1
    have "ps did not end within 30 s, and was killed: --format json does without"
    [ -z "$(find /proc -maxdepth 2 -name exe -lname "$BATS_TEST_TMPDIR/bin/ps" 2>/dev/null)" ]
}

@test "a long command line is not cut off, whatever the terminal's width" {
    local long
    long=$(printf 'x%.0s' $(seq 400))
    command_is sh -c "sleep 1000; : $long end-of-it"
    detached run -d "$CID"
    COLUMNS=40 run wherry ps "$CID"
    have "end-of-it"
}

@test "a paused and a created container have processes as well" {
    command_is sleep 1000
    detached create "$CID"
    [ "$(wherry ps -f json "$CID")" = "[$(pid_of "$CID")]" ]
    wherry start "$CID"
    wherry pause "$CID"
    [ "$(wherry ps -f json "$CID")" = "[$(pid_of "$CID")]" ]
    run wherry ps "$CID"
    [ "${#lines[@]}" = 2 ]
}

@test "a stopped container: null, or the header alone" {
    command_is true
    detached run -d "$CID"
    wait_status "$CID" stopped
    [ "$(wherry ps -f json "$CID")" = null ]
    run wherry ps "$CID"
    have_status 0
    [ "${#lines[@]}" = 1 ]
    have "PID"
}

@test "no container, no cgroup, no id" {
    run wherry ps -f json "$CID"
    have_status 1
    have "container does not exist"
    run wherry ps
    have_status 1
    have '"ps" requires a minimum of 1 argument(s)'
    config 'del(.linux.cgroupsPath)'
    command_is sleep 1000
    run to_file wherry --cgroup-manager disabled run -d "$CID"
    have_status 0
    run wherry ps -f json "$CID"
    have_status 1
    have "cgroup not exist: the container was created without one"
}
