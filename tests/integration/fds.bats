#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What wherry executes has the descriptors 0, 1 and 2, and those that are handed over by their numbers: payloads, exec's processes and hooks of each
# kind, whatever the caller has open without FD_CLOEXEC.
load helpers

setup_file() { compile_static fds; }

test_setup() {
    need root
    cp "$BATS_FILE_TMPDIR/fds" "$BUNDLE/rootfs/bin/fds"
    FDS=$BATS_FILE_TMPDIR/fds
    LOG=$BATS_TEST_TMPDIR/log
    : >"$LOG"
}

# wherry from a caller that has more open than it should: files and directories, low and high numbers. bats' own 3 and 4 would stay with what
# outlives it.
open_handed_to() { # COMMAND…
    bash -c 'exec 3>&- 4>&- 5<. 6<>/dev/null 7</dev/zero 20</dev/null 250<. 1000</dev/null; exec "$@"' - "$@" </dev/null
}
open_handed() { open_handed_to "$WHERRY" --root "$ROOT" "$@"; } # ARGS…
# In a terminal of its own. The shell is bash: script takes the caller's, and dash has no descriptors above 9.
in_terminal() { SHELL=/bin/bash script -qec "exec 7</dev/zero 20<.; $* 3>&- 4>&-" /dev/null; }
quiet() { "$@" >/dev/null 2>"$BATS_TEST_TMPDIR/err" || { cat "$BATS_TEST_TMPDIR/err"; return 1; }; }

# The lines of FILE are these, in this order. What is detached takes its time.
lines_are() { # FILE LINE…
    local file=$1 i
    shift
    for ((i = 0; i < 100; i++)); do
        ! [ -e "$file" ] || [ "$(wc -l <"$file")" -lt "$#" ] || break
        sleep 0.05
    done
    diff <(printf '%s\n' "$@") "$file"
}

hook() { # KIND PATH ARGS…
    config '.hooks[$ARGS.positional[0]] += [{ path: $ARGS.positional[1], args: $ARGS.positional[1:] }]' --args -- "$@"
}
all_hooks() {
    local kind
    for kind in prestart createRuntime createContainer poststart poststop; do hook "$kind" "$FDS" "$kind" "$LOG"; done
    hook startContainer /bin/fds startContainer /hooks
}
hooks_saw() { # KIND…
    local kind lines=()
    for kind; do lines+=("$kind: 0 1 2"); done
    lines_are "$LOG" "${lines[@]}" && lines_are "$BUNDLE/rootfs/hooks" "startContainer: 0 1 2"
}

@test "the program that looks sees what is open" {
    # bats and bash have some of their own open, with FD_CLOEXEC and without.
    run open_handed_to "$FDS" me -
    have_line '^me: 0 1 2 5 6 7( [0-9]+)* 20( [0-9]+)* 250( [0-9]+)* 1000$'
}

@test "run, in the foreground and detached: the payload" {
    command_is /bin/fds run /fds
    quiet open_handed run -b "$BUNDLE" "$CID"
    quiet open_handed run --init -b "$BUNDLE" "$CID"
    quiet open_handed run -d -b "$BUNDLE" "$CID"
    lines_are rootfs/fds "run: 0 1 2" "run: 0 1 2" "run: 0 1 2"
}

@test "run with a terminal: the payload" {
    config '.process.terminal = true'
    command_is /bin/fds run /fds
    quiet in_terminal "'$WHERRY' --root '$ROOT' run -b '$BUNDLE' '$CID'"
    lines_are rootfs/fds "run: 0 1 2"
}

@test "create and start: the payload; and init before" {
    command_is /bin/fds start /fds /bin/sleep 1000
    quiet open_handed create -b "$BUNDLE" "$CID"
    # While it waits for start, init holds what start needs, and nothing of the caller's.
    run find "/proc/$(pid_of "$CID")/fd" '(' -lname '/dev/zero' -o -lname "$BUNDLE" ')'
    [ "$output" = "" ]
    quiet open_handed start "$CID"
    lines_are rootfs/fds "start: 0 1 2"
}

@test "exec, in the foreground, detached and with a terminal: the process" {
    command_is sleep 1000
    quiet wherry run -d -b "$BUNDLE" "$CID" </dev/null
    quiet open_handed exec "$CID" /bin/fds exec /fds
    quiet open_handed exec -d "$CID" /bin/fds detached /fds
    lines_are rootfs/fds "exec: 0 1 2" "detached: 0 1 2"
    quiet in_terminal "'$WHERRY' --root '$ROOT' exec -t '$CID' /bin/fds terminal /fds"
    jq '.process | .args = ["/bin/fds", "object", "/fds"]' config.json >"$BATS_TEST_TMPDIR/process.json"
    quiet open_handed exec -p "$BATS_TEST_TMPDIR/process.json" "$CID"
    lines_are rootfs/fds "exec: 0 1 2" "detached: 0 1 2" "terminal: 0 1 2" "object: 0 1 2"
}

# Namespaces that are joined, binds, masks, a filter and a user namespace take descriptors on their way.
@test "run of a configuration that needs descriptors for its namespaces, mounts and filter" {
    need userns
    command_is /bin/fds rich /fds
    mkdir "$BATS_TEST_TMPDIR/data"
    chmod 777 rootfs
    config '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/net" else . end)
        | .mounts += [{ destination: "/data", source: $data, type: "bind", options: ["rbind", "ro"] }]
        | .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["mkdir"], action: "SCMP_ACT_ERRNO" } ] }
        | .linux.maskedPaths = ["/proc/kcore", "/etc/group"] | .linux.readonlyPaths = ["/proc/sys"]' --arg data "$BATS_TEST_TMPDIR/data"
    quiet open_handed run -b "$BUNDLE" "$CID"
    lines_are rootfs/fds "rich: 0 1 2"
    config '.linux.namespaces |= map(select(.type != "network")) | .linux.namespaces += [{ type: "user" }, { type: "network" }]
        | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
    rm rootfs/fds
    quiet open_handed run -b "$BUNDLE" "$CID"
    lines_are rootfs/fds "rich: 0 1 2"
}

@test "hooks of the six kinds: run" {
    all_hooks
    command_is /bin/true
    quiet open_handed run -b "$BUNDLE" "$CID"
    hooks_saw prestart createRuntime createContainer poststart poststop
}

@test "hooks of the six kinds: create, start and delete" {
    all_hooks
    command_is sleep 1000
    # What the payload is given is not for hooks.
    bash -c 'exec 3</dev/null 4</dev/null 5</dev/null 9</dev/zero; exec "$@"' - "$WHERRY" --root "$ROOT" create --preserve-fds 3 -b "$BUNDLE" "$CID" </dev/null >/dev/null
    quiet open_handed start "$CID"
    quiet open_handed delete -f "$CID"
    hooks_saw prestart createRuntime createContainer poststart poststop
}

@test "preserved descriptors: those, and no more" {
    local with='exec 3</dev/null 4</dev/zero 5</dev/null 6</dev/null 40<.; exec "$@"'
    command_is /bin/fds kept /fds
    bash -c "$with" - "$WHERRY" --root "$ROOT" run --preserve-fds 2 -b "$BUNDLE" "$CID" </dev/null
    bash -c "export LISTEN_FDS=3 LISTEN_PID=\$\$; $with" - "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" </dev/null
    bash -c "export LISTEN_FDS=1 LISTEN_PID=\$\$; $with" - "$WHERRY" --root "$ROOT" run --preserve-fds 1 -b "$BUNDLE" "$CID" </dev/null
    lines_are rootfs/fds "kept: 0 1 2 3 4" "kept: 0 1 2 3 4 5" "kept: 0 1 2 3 4"
    command_is sleep 1000
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null
    bash -c "$with" - "$WHERRY" --root "$ROOT" exec --preserve-fds 1 "$CID" /bin/fds exec /exec </dev/null
    bash -c "export LISTEN_FDS=2 LISTEN_PID=\$\$; $with" - "$WHERRY" --root "$ROOT" exec "$CID" /bin/fds exec /exec </dev/null
    bash -c "$with" - "$WHERRY" --root "$ROOT" exec -d --preserve-fds 2 "$CID" /bin/fds exec /exec </dev/null >/dev/null
    lines_are rootfs/exec "exec: 0 1 2 3" "exec: 0 1 2 3 4" "exec: 0 1 2 3 4"
}
