#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# delete -f where the state is damaged: it returns 0 when nothing of the container lives any more, whatever is left of its files.
# WHERRY_DAMAGE=all tries every damage with every kind of container, which takes some minutes, instead of one kind for each.
load helpers

setup_file() { compile_static headless; }

test_setup() {
    need root
    cp "$BATS_FILE_TMPDIR/headless" rootfs/bin/headless
    chmod 755 rootfs/bin/headless
    config '.process.user = { uid: 1000, gid: 1000 } | .process.capabilities = {}'
    command_is /bin/headless
    config '.linux.namespaces |= map(select(.type != "pid"))'
    cp config.json headless-none.json
    command_is /bin/busybox sleep 1000
    cp config.json plain-none.json
    config '.linux.namespaces += [ { type: "pid" } ]'
    cp config.json plain-own.json
    command_is /bin/headless
    cp config.json headless-own.json
}

KINDS=(created-own created-none running-own running-none headless-own headless-none)

# Leaves PID.
made() { # KIND
    local i config=plain
    [ "${1%-*}" != headless ] || config=headless
    if [ "${1%-*}" = created ]; then
        wherry "${GLOBAL[@]}" create -b . -f "$config-${1#*-}.json" --pid-file pid "$CID" </dev/null >out 2>&1
    else
        wherry "${GLOBAL[@]}" run -d -b . -f "$config-${1#*-}.json" --pid-file pid "$CID" </dev/null >out 2>&1
    fi || { cat out; return 1; }
    read -r PID <pid || [ -n "$PID" ]
    [ "$config" = plain ] || for ((i = 0; i < 400; i++)); do [ "$(letter "$PID")" = Z ] && break; sleep 0.02; done
    lives "$PID"
}

letter() { sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null || true; }
lives() { # PID
    [ -d "/proc/$1" ] || return 1
    [ "$(threads_of "$1")" -gt 1 ] && return 0
    case $(letter "$1") in Z | X | '') return 1 ;; esac
}

damage() { # FILE HOW
    local file=$ROOT/$CID/$1
    case $2 in
    intact) ;;
    empty) rm -f "$file" && : >"$file" ;;
    missing) rm -f "$file" ;;
    junk) rm -f "$file" && head -c 300 /dev/urandom >"$file" ;;
    truncated)
        # A socket has no contents.
        if [ -f "$file" ]; then truncate -s $(($(stat -c %s "$file") / 2)) "$file"; else rm -f "$file"; fi
        ;;
    esac
}

# Exit status 0, and then nothing is left; only the directory's lock may make it wait.
deleted() { # WHAT
    run wherry delete -f "$CID"
    [ "$status" = 0 ] || { echo "$1: $output"; return 1; }
    ! lives "$PID" || { echo "$1: $PID lives"; return 1; }
    if [ -e "$ROOT/$CID" ] || [ -L "$ROOT/$CID" ]; then echo "$1: its directory is left"; return 1; fi
    [ ! -L "$ROOT/.init/$CID" ] || { echo "$1: its record is left"; return 1; }
}

nothing_left() {
    [ -z "$(left_processes)$(left_cgroups)" ] || { left_processes; left_cgroups; return 1; }
}

every_kind() { # FUNCTION ARG…
    local kind
    for kind in "${KINDS[@]}"; do "$@" "$kind" || return 1; done
}

HOW=(intact empty missing junk truncated)

@test "every combination of damage to state.json, journal, mailbox and socket" {
    local state journal mbox sock n=0 kind
    for state in "${HOW[@]}"; do
        for journal in "${HOW[@]}"; do
            for mbox in "${HOW[@]}"; do
                for sock in "${HOW[@]}"; do
                    for kind in "${KINDS[@]}"; do
                        # Five kinds of damage and six of containers: in turn, all of them meet.
                        [ "${WHERRY_DAMAGE-}" = all ] || kind=${KINDS[n++ % ${#KINDS[@]}]}
                        made "$kind"
                        damage state.json "$state"
                        damage journal "$journal"
                        damage mbox "$mbox"
                        damage start.sock "$sock"
                        deleted "$kind: state.json $state, journal $journal, mbox $mbox, start.sock $sock"
                        [ "${WHERRY_DAMAGE-}" = all ] || break
                    done
                done
            done
        done
    done
    nothing_left
}

replaced() { # HOW KIND
    made "$2"
    mv "$ROOT/$CID" "$BATS_TEST_TMPDIR/elsewhere"
    case $1 in
    link) ln -s "$BATS_TEST_TMPDIR/elsewhere" "$ROOT/$CID" ;;
    dangling) ln -s /no/such/directory "$ROOT/$CID" ;;
    file) echo junk >"$ROOT/$CID" ;;
    fifo) mkfifo "$ROOT/$CID" ;;
    empty) mkdir "$ROOT/$CID" ;;
    missing) ;;
    esac
    deleted "$2: $1"
    # Nothing is followed.
    [ "$1" != link ] || [ -e "$BATS_TEST_TMPDIR/elsewhere/config.json" ]
    rm -rf "$BATS_TEST_TMPDIR/elsewhere"
}

@test "the directory is a link, a dangling link, a file, a FIFO, an empty directory, or missing" {
    local how
    for how in link dangling file fifo empty missing; do every_kind replaced "$how"; done
    nothing_left
}

lost() { # KIND
    made "$1"
    damage state.json junk
    damage journal junk
    damage mbox missing
    damage start.sock missing
    deleted "$1"
}

@test "without a cgroup: init is found, too" {
    GLOBAL=(--cgroup-manager=disabled)
    local how
    # Outside of a pid namespace of its own init is all that is known of such a container; these have nothing else.
    every_kind lost
    for how in link dangling file fifo empty missing; do every_kind replaced "$how"; done
    nothing_left
}

@test "a container that has ended, and whose state is damaged" {
    for how in empty junk truncated missing; do
        made running-own
        wherry kill "$CID" KILL
        wait_status "$CID" stopped
        damage state.json "$how"
        damage journal "$how"
        deleted "$how"
    done
    nothing_left
}

@test "where the record is damaged as well, delete -f says what may be left, and keeps it" {
    for how in junk empty; do
        made running-own
        mark=$(readlink -n "$ROOT/.init/$CID" && echo .)
        damage state.json junk
        damage journal "$how"
        ln -sfn "some text" "$ROOT/.init/$CID"
        run wherry delete -f "$CID"
        have_status 1
        have "the state of container $CID is damaged, and so is the record of its first process (.init/$CID in the state root): processes and a cgroup of it may be left; when there are none, remove the directory and the record by hand"
        lives "$PID"
        [ -d "$ROOT/$CID" ]
        ln -sfn "${mark%.}" "$ROOT/.init/$CID"
        deleted "$how"
    done
}

@test "the record of another boot, and of a number that is another process by now" {
    made created-own
    mark=$(readlink "$ROOT/.init/$CID")
    wherry delete -f "$CID"
    sleep 1000 3>&- 4>&- &
    other=$!
    mkdir "$ROOT/$CID"
    # Neither is this container's, and neither is killed.
    read -r _ _ _ pidns boot rest <<<"$mark"
    start=$(sed 's/.*) //' "/proc/$other/stat" | cut -d' ' -f20)
    # By the start time, where pidfds have no inodes; by the inode, whatever the time; by the boot.
    for text in "$other $((start - 1)) 0 $pidns $boot $rest" "$other $start 1 $pidns $boot $rest" \
        "$other $start 0 $pidns 00000000-0000-0000-0000-000000000000 $rest"; do
        mkdir -p "$ROOT/$CID"
        echo junk >"$ROOT/$CID/state.json"
        ln -sfn "$text"$'\n' "$ROOT/.init/$CID"
        run wherry delete -f "$CID"
        have_status 0
        [ ! -e "$ROOT/$CID" ]
        [ ! -L "$ROOT/.init/$CID" ]
        lives "$other"
    done
    kill "$other"
}

@test "delete without force never kills by the record" {
    made running-own
    rm -f "$ROOT/$CID"/{state.json,journal}
    run wherry delete "$CID"
    have_status 1
    have "container does not exist"
    lives "$PID"
    deleted "missing"
}

@test "a container in another pid namespace, without a cgroup: delete -f does not say that it is gone" {
    local how
    for how in intact junk; do
        # shellcheck disable=SC2016
        unshare --fork --pid --mount-proc sh -c '"$0" --root "$1" --cgroup-manager=disabled run -d -b . -f plain-none.json "$2" </dev/null >out 2>&1; echo $? >rc; exec sleep 1000' \
            "$WHERRY" "$ROOT" "$CID" 3>&- 4>&- &
        holder=$!
        for _ in $(seq 200); do [ -s rc ] && break; sleep 0.05; done
        [ "$(cat rc)" = 0 ] || { cat out; return 1; }
        damage state.json "$how"
        damage journal "$how"
        run wherry delete -f "$CID"
        have_status 1
        have "it cannot be told whether container $CID lives: it has no cgroup, and its init is in another pid namespace than the caller's"
        [ -d "$ROOT/$CID" ]
        pkill -KILL -P "$holder" sleep || true
        wait "$holder" || true
        rm -rf "${ROOT:?}/$CID" "$ROOT/.init/$CID" rc
    done
}
