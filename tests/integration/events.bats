#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# events: what a container uses and what happens to it; and who says so when it dies of its memory limit.
# views: cgroup2
# shellcheck disable=SC2154,SC2030,SC2031 # status and output are set by bats
load helpers
load inside

test_setup() {
    need root cgroup2
    TWO=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
    CG=$TWO/wherry-test/$CID
    EVENTS=$BATS_TEST_TMPDIR/events
    WATCHER=
}
test_teardown() {
    if [ -n "$WATCHER" ]; then kill "$WATCHER" 2>/dev/null || true; fi
}

# controller NAME: skips where the machine does not have it, in whatever hierarchy.
controller() {
    ONE=$(awk -v c="$1" '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup" && $NF ~ "(^|,)" c "(,|$)") { print $5; exit } }' /proc/self/mountinfo)
    [ -n "$ONE" ] || grep -qw "$1" "$TWO/cgroup.controllers" || skip "needs the $1 controller"
}

running() { # ID
    detached run -d "$1"
    have_status 0
}

# watch [OPTIONS] ID: events in the background, into $EVENTS; returns when it waits for the kernel.
watch() {
    "$WHERRY" --root "$ROOT" events "$@" >"$EVENTS" 2>"$EVENTS.err" </dev/null 3>&- 4>&- &
    WATCHER=$!
    for _ in $(seq 600); do
        grep -q poll "/proc/$WATCHER/wchan" 2>/dev/null && return 0
        kill -0 "$WATCHER" 2>/dev/null || break
        sleep 0.05
    done
    cat "$EVENTS.err"
    return 1
}
# watched: it has ended, and well.
watched() {
    local rc=0
    wait "$WATCHER" || rc=$?
    WATCHER=
    [ "$rc" = 0 ] && [ ! -s "$EVENTS.err" ] && return 0
    echo "events ended with $rc: $(cat "$EVENTS.err")"
    return 1
}
# told FILTER: some record is such; waits for it (10 s).
told() {
    for _ in $(seq 600); do
        [ -n "$(jq -c "select($1)" "$EVENTS" 2>/dev/null)" ] && return 0
        sleep 0.05
    done
    echo "no record is: $1"
    cat "$EVENTS"
    return 1
}
types() { jq -r .type "$EVENTS" | uniq | tr '\n' ' '; }

# valid: every line of $EVENTS is as the schema says; strictly: no duplicates, no NaN.
valid() {
    [ -s "$EVENTS" ] || { echo "nothing was written"; return 1; }
    need python3
    python3 -c 'import jsonschema' 2>/dev/null || skip "needs python3-jsonschema"
    python3 - "$SRC/oci-spec-schema/stats-schema.json" "$EVENTS" <<'PY'
import json, sys, jsonschema

def pairs(p):
    assert len({k for k, _ in p}) == len(p), f"a member twice: {p}"
    return dict(p)

def constant(c):
    raise ValueError(c)

schema = json.load(open(sys.argv[1], encoding="utf-8"))
jsonschema.Draft7Validator.check_schema(schema)
kinds = {s["properties"]["type"]["const"]: dict(s, definitions=schema["definitions"]) for s in schema["oneOf"]}
for line in open(sys.argv[2], encoding="utf-8"):
    doc = json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
    assert not list(jsonschema.Draft7Validator(schema).iter_errors(doc)), "\n".join(
        f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in jsonschema.Draft7Validator(kinds[doc["type"]]).iter_errors(doc))
PY
}

# value FILTER: of the record in $EVENTS
value() { jq -r "$1" "$EVENTS"; }

@test "--stats prints one record, of created, running and paused containers" {
    command_is sleep 1000
    detached create "$CID"
    have_status 0
    wherry events --stats "$CID" >"$EVENTS"
    [ "$(wc -l <"$EVENTS")" = 1 ]
    [ "$(value '.type + " " + .id')" = "stats $CID" ]
    [ "$(value '.data.cpu.usage.total > 0')" = true ]
    [ "$(value '.data.network_interfaces[0].Name')" = lo ]
    valid
    wherry start "$CID"
    wherry pause "$CID"
    run --separate-stderr wherry events --stats "$CID"
    have_status 0
    [ "$stderr" = "" ]
    [ "$(jq -r .type <<<"$output")" = stats ]
}

# bats test_tags=vm
@test "the numbers are those of the kernel" {
    controller memory
    command_is sleep 1000
    config '.linux.resources.memory = {limit: 33554432}'
    running "$CID"
    local dir=$CG limit=memory.max current=memory.current
    if [ -n "$ONE" ]; then dir=$ONE/wherry-test/$CID limit=memory.limit_in_bytes current=memory.usage_in_bytes; fi
    wherry events --stats "$CID" >"$EVENTS"
    valid
    [ "$(value .data.memory.usage.limit)" = "$(cat "$dir/$limit")" ]
    # The kernel charges pages in batches, and later.
    value .data.memory.usage.usage | awk -v b="$(cat "$dir/$current")" '{ d = $1 - b; exit !($1 > 0 && d * d < 2 ^ 40) }'
    [ "$(value '.data.memory.raw | length')" = "$(wc -l <"$dir/memory.stat")" ]
    # What it uses more of is seen.
    dd if=/dev/zero of="/proc/$(pid_of "$CID")/root/dev/shm/x" bs=1M count=4 2>/dev/null
    sh -c 'for d in $(find /sys/fs/cgroup -type d -name "$1"); do echo $$ >"$d/cgroup.procs"; done
        i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done' sh "$CID"
    local was now
    was=$(value .data.cpu.usage.total)
    wherry events --stats "$CID" >"$EVENTS"
    now=$(value .data.cpu.usage.total)
    [ "$((now - was))" -gt 10000000 ]
}

# bats test_tags=vm
@test "processes and their limit" {
    controller pids
    shell_is 'sleep 1000 & sleep 1000 & wait'
    config '.linux.resources.pids = {limit: 20}'
    running "$CID"
    for _ in $(seq 100); do [ "$(wherry ps -f json "$CID" | jq length)" = 3 ] && break; sleep 0.05; done
    wherry events --stats "$CID" >"$EVENTS"
    [ "$(value '"\(.data.pids.current) \(.data.pids.limit)"')" = "3 20" ]
}

@test "the interfaces of the caller's own network are not the container's" {
    command_is sleep 1000
    config '.linux.namespaces -= [{type: "network"}]'
    running "$CID"
    wherry events --stats "$CID" >"$EVENTS"
    [ "$(value .data.network_interfaces)" = null ]
    valid
}

@test "statistics at an interval, the first after one" {
    command_is sleep 1000
    running "$CID"
    local start=$EPOCHREALTIME
    watch --interval 300ms "$CID"
    told '.type == "stats"'
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { exit !(b - a >= 0.3) }'
    for _ in $(seq 100); do [ "$(wc -l <"$EVENTS")" -ge 3 ] && break; sleep 0.05; done
    [ "$(types)" = "stats " ]
    wherry kill "$CID" KILL
    watched
    [ "$(types)" = "stats exit " ]
    valid
}

@test "whoever has read enough ends it" {
    command_is sleep 1000
    running "$CID"
    # shellcheck disable=SC2016 # for the inner shell
    run timeout 20 bash -o pipefail -c '"$@" | head -n 2 | jq -r .type; echo "${PIPESTATUS[0]}"' - "$WHERRY" --root "$ROOT" events --interval 50ms "$CID"
    [ "${lines[0]} ${lines[1]}" = "stats stats" ]
    [ "${lines[2]}" = 141 ]
}

@test "nothing is polled: without an interval not one system call in two seconds" {
    need strace
    command_is sleep 1000
    running "$CID"
    watch --no-stats "$CID"
    timeout 2 strace -f -p "$WATCHER" -o "$BATS_TEST_TMPDIR/calls" 2>"$BATS_TEST_TMPDIR/strace" || true
    grep -q attached "$BATS_TEST_TMPDIR/strace"
    # What strace itself interrupts, and the call that it finds going on.
    grep -vE 'restart_syscall|detached|poll\(|SIGSTOP|stopped' "$BATS_TEST_TMPDIR/calls" >"$BATS_TEST_TMPDIR/others" || true
    [ ! -s "$BATS_TEST_TMPDIR/others" ]
    [ "$(grep -c poll "$BATS_TEST_TMPDIR/calls")" -le 1 ]
    wherry kill "$CID" KILL
    watched
}

@test "paused, and going on" {
    command_is sleep 1000
    running "$CID"
    watch --no-stats "$CID"
    wherry pause "$CID"
    told '.type == "freeze" and .data.frozen'
    wherry resume "$CID"
    told '.type == "freeze" and .data.frozen == false'
    wherry kill "$CID" KILL
    watched
    [ "$(types)" = "freeze exit " ]
    jq -e 'select(.type == "exit") | .data | del(.status, .signal) | keys == ["pid"]' "$EVENTS"
    valid
}

# exit_is STATUS SIGNAL: of the last record.
exit_is() {
    jq -se "last | .type == \"exit\" and .data.status == $1 and .data.signal == $2" "$EVENTS" || { cat "$EVENTS"; return 1; }
}

@test "the exit has the status, also when somebody else reaps the container" {
    need python3
    local parent
    shell_is 'until [ -e /dev/shm/go ]; do sleep 0.05; done; exit 7'
    # The kernel keeps it for whoever holds a pidfd.
    if [ "$(printf '%s\n' 6.15 "$(uname -r)" | sort -V | head -n 1)" = 6.15 ]; then
        running "$CID"
        watch --no-stats "$CID"
        touch "/proc/$(pid_of "$CID")/root/dev/shm/go"
        watched
        exit_is 7 null
        valid
        wherry delete "$CID"
        running "$CID"
        watch --no-stats "$CID"
        wherry kill "$CID" KILL
        watched
        exit_is 137 9
        wherry delete "$CID"
    fi
    # One that nobody reaps.
    python3 -c 'import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1)
r = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
sys.stdout.write("up\n" if r == 0 else "failed\n"); sys.stdout.flush(); time.sleep(1000)' \
        "$WHERRY" --root "$ROOT" run -d "$CID" >"$BATS_TEST_TMPDIR/up" 3>&- 4>&- &
    parent=$!
    for _ in $(seq 600); do [ ! -s "$BATS_TEST_TMPDIR/up" ] || break; sleep 0.05; done
    [ "$(cat "$BATS_TEST_TMPDIR/up")" = up ]
    watch --no-stats "$CID"
    touch "/proc/$(pid_of "$CID")/root/dev/shm/go"
    watched
    kill "$parent"
    wait "$parent" || true
    exit_is 7 null
    valid
}

# bats test_tags=vm
@test "a fork that pids.max refuses" {
    controller pids
    shell_is 'until [ -e /dev/shm/go ]; do sleep 0.1; done; (for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done); sleep 1000'
    config '.linux.resources.pids = {limit: 4}'
    running "$CID"
    watch --interval 200ms "$CID"
    touch "/proc/$(pid_of "$CID")/root/dev/shm/go"
    told '.type == "pids"'
    jq -se 'map(select(.type == "pids"))[0].data | .hit == "pids.max" and .limit == 4 and .events.max >= 1' "$EVENTS"
    wherry kill "$CID" KILL || true
    watched
    valid
}

# A container of 16 MiB: its shell lives with it that a child is killed.
greedy() {
    shell_is 'until [ -e /dev/shm/go ]; do sleep 0.1; done; tail /dev/zero; until [ -e /dev/shm/end ]; do sleep 0.1; done'
    config '.linux.resources.memory = {limit: 16777216}'
}

# bats test_tags=vm
@test "out of memory: a child is killed, and then the container ends" {
    controller memory
    greedy
    running "$CID"
    watch --no-stats "$CID"
    touch "/proc/$(pid_of "$CID")/root/dev/shm/go"
    told '.type == "oom"'
    told '.type == "memory" and .data.events.oom_kill == 1'
    [ "$(jq -c 'select(.type == "oom")' "$EVENTS")" = "{\"type\":\"oom\",\"id\":\"$CID\"}" ]
    jq -se 'map(select(.type == "memory")) | map(.data.hit | IN("memory.max", "memory.limit_in_bytes")) | any' "$EVENTS"
    jq -se 'map(select(.type == "memory"))[0].data | .limit == 16777216 and .current > 0' "$EVENTS"
    # The counter of kills says one; so do the records together.
    [ "$(jq -s 'map(.data.events.oom_kill? // 0) | add' "$EVENTS")" = 1 ]
    touch "/proc/$(pid_of "$CID")/root/dev/shm/end"
    watched
    [ "$(jq -c 'select(.type == "exit") | .data.oom | {kills, limit}' "$EVENTS")" = '{"kills":1,"limit":16777216}' ]
    valid
    run wherry state --verbose "$CID"
    [ "$(jq -c '.oom | {kills, limit}' <<<"$output")" = '{"kills":1,"limit":16777216}' ]
    [ "$(jq -r .status <<<"$output")" = stopped ]
    run wherry exec "$CID" true
    have_status 255
    have "cannot exec in a stopped container (the OOM killer ended 1 of its processes: memory limit reached: "
    have "limit 16777216)"
}

# bats test_tags=vm
@test "a container that dies of its memory limit: run says so, with the limit, and its status is 137" {
    controller memory
    command_is tail /dev/zero
    config '.linux.resources.memory = {limit: 16777216}'
    run --separate-stderr wherry run "$CID"
    have_status 137
    [ "$output" = "" ]
    [ "${#stderr_lines[@]}" = 1 ]
    output=$stderr
    have "container $CID was killed: memory limit reached: "
    have "limit 16777216"
    # One record in a log that is a file of JSON.
    run --separate-stderr wherry --log "$BATS_TEST_TMPDIR/log" --log-format json run "$CID"
    have_status 137
    [ "$(jq -s 'length' "$BATS_TEST_TMPDIR/log")" = 1 ]
    jq -e '.level == "error" and (.msg | contains("memory limit reached"))' "$BATS_TEST_TMPDIR/log"
}

# bats test_tags=vm
@test "a container that lives with it gets no word, nor one that ends like this by itself" {
    controller memory
    shell_is 'tail /dev/zero; exit 0'
    config '.linux.resources.memory = {limit: 16777216}'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [ "$output$(grep -v Killed <<<"$stderr")" = "" ]
    shell_is 'exit 137'
    run --separate-stderr wherry run "$CID"
    have_status 137
    [ "$output$stderr" = "" ]
    run wherry state --verbose "$CID"
    have "does not exist"
}

# bats test_tags=vm
@test "exec: a process that dies of the limit; what was killed before is not its fault" {
    controller memory
    command_is sleep 1000
    config '.linux.resources.memory = {limit: 16777216}'
    running "$CID"
    run --separate-stderr wherry exec "$CID" tail /dev/zero
    have_status 137
    output=$stderr
    have "the process was killed: memory limit reached: "
    run --separate-stderr wherry exec "$CID" sh -c 'exit 137'
    have_status 137
    [ "$output$stderr" = "" ]
}

# bats test_tags=vm
@test "create under a limit that is too small for it: the reason, and nothing is left" {
    controller memory
    [ -z "$ONE" ] || skip "v1 refuses the limit instead"
    config '.linux.resources.memory = {limit: 8192}'
    detached create "$CID"
    have_status 1
    have "memory limit reached: "
    have "limit 8192"
    run wherry state "$CID"
    have "does not exist"
}

@test "pressure: a trigger fires" {
    [ -e "$TWO/cpu.pressure" ] || skip "needs pressure stall information"
    shell_is 'for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; wait'
    running "$CID"
    watch --no-stats --trigger cpu=some:20ms/2s --trigger memory=full:2s/10s "$CID"
    told '.type == "psi"'
    wherry kill "$CID" KILL
    watched
    [ "$(jq -r 'select(.type == "psi") | .data.trigger' "$EVENTS" | uniq)" = cpu=some:20ms/2s ]
    jq -se 'map(select(.type == "psi"))[0].data.psi.some.total > 0' "$EVENTS"
    valid
}

@test "a container that is deleted while it is watched" {
    command_is sleep 1000
    running "$CID"
    watch --interval 10ms --trigger cpu=some:1s/2s "$CID"
    told '.type == "stats"'
    wherry delete -f "$CID"
    watched
    [ "$(tail -n 1 "$EVENTS" | jq -r .type)" = exit ]
    valid
}

@test "a container that has ended, is not there, or has no cgroup" {
    local option
    command_is true
    detached create "$CID"
    wherry start "$CID"
    wait_status "$CID" stopped
    for option in --stats --no-stats --interval=1s; do
        run --separate-stderr wherry events "$option" "$CID"
        have_status 1
        [ "$output" = "" ]
        [ "$stderr" = "wherry: container with id $CID is not running" ]
        run wherry events "$option" "$CID-other"
        have_status 1
        [ "$output" = "wherry: container does not exist" ]
    done
    command_is sleep 1000
    config 'del(.linux.resources, .linux.cgroupsPath)'
    CID=$CID-none
    to_file wherry --cgroup-manager disabled run -d "$CID"
    run wherry events --stats "$CID"
    have_status 1
    have "container with id $CID has no cgroup"
}

@test "wrong options" {
    local bad
    command_is sleep 1000
    running "$CID"
    for bad in 5 x -1s 1d 99999999h ''; do
        run wherry events --interval="$bad" "$CID"
        have_status 1
        have "invalid interval \"$bad\": want a duration"
    done
    for bad in 0 0s; do
        run wherry events --interval="$bad" "$CID"
        have_status 1
        have "duration interval must be greater than 0"
    done
    run wherry events --no-stats --trigger memory=some:1s "$CID"
    have_status 1
    have 'invalid trigger "memory=some:1s": want memory, cpu, io or irq'
    run wherry events --no-stats --trigger memory=some:3s/2s "$CID"
    have_status 1
    have "the time behind / is 500ms to 10s"
    run wherry events --stats --trigger memory=some:1s/2s "$CID"
    have_status 1
    have "--stats prints one record and ends"
    run wherry events --no-stats --interval 1s "$CID"
    have_status 1
    have "contradict each other"
}

# What README shows, where cgroup2 has all controllers: each record of it comes in that order with those members. The numbers are its own.
# bats test_tags=vm
@test "README's example" {
    controller memory
    [ -z "$ONE" ] || skip "README shows the unified hierarchy"
    # One after the other: what is limited to ten records a second might else overtake.
    shell_is 'until [ -e /dev/shm/go ]; do sleep 0.1; done; tail /dev/zero; until [ -e /dev/shm/more ]; do sleep 0.1; done
        (for i in 1 2 3 4; do sleep 1000 & done); sleep 1000'
    config '.linux.resources.memory = {limit: 16777216, swap: 16777216} | .linux.resources.pids = {limit: 4}'
    running "$CID"
    watch --no-stats "$CID"
    wherry pause "$CID"
    told '.type == "freeze" and .data.frozen'
    wherry resume "$CID"
    told '.type == "freeze" and .data.frozen == false'
    touch "/proc/$(pid_of "$CID")/root/dev/shm/go"
    told '.type == "memory" and .data.events.oom_kill == 1'
    touch "/proc/$(pid_of "$CID")/root/dev/shm/more"
    told '.type == "pids"'
    wherry kill "$CID" KILL || true
    watched
    valid
    cp "$EVENTS" "$BATS_TEST_TMPDIR/real"
    sed -n '/^<!-- BEGIN events output -->/,/^<!-- END events output -->/p' "$SRC/README.md" | grep '^{' >"$EVENTS"
    valid
    # How often a limit is hit on the way is chance; so is which of the counters goes up with which, and, on older kernels, whether the status is
    # there still.
    local shape='select(.type != "memory" or .data.events.oom_kill) | [.type, (.data // {} | del(.events, .status, .signal) | [paths | map(tostring) | join(".")])]'
    # For README: bats --show-output-of-passing-tests.
    sed "s/$CID/web/" "$BATS_TEST_TMPDIR/real"
    diff <(jq -c "$shape" "$EVENTS" | uniq) <(jq -c "$shape" "$BATS_TEST_TMPDIR/real" | uniq)
}
