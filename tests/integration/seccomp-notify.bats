#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Filters that ask somebody: the listener gets there in time, with the message of the specification, whatever the filter forbids.
load helpers
load inside

test_setup() {
    need root python3
    AGENT=$BATS_TEST_TMPDIR/agent.sock
    shell_is 'mkdir /tmp/x; echo "mkdir $?"'
}
test_teardown() { stop_agent; }

# The agent refuses mkdir (83) and mkdirat (258 on x86-64, 34 on arm64) with ENOSPC, or as the arguments say.
agent() {
    # The output too: an earlier one says "listening" already.
    rm -f "$AGENT" agent.out
    "$SRC/tests/tools/seccomp-agent" "$@" >agent.out 2>agent.err 3>&- 4>&- &
    agent_pid=$!
    for _ in $(seq 200); do grep -q listening agent.out && return; sleep 0.05; done
    cat agent.err
    return 1
}
refusing() { agent "$AGENT" 83=28 258=28 34=28; }
stop_agent() {
    [ -z "${agent_pid:-}" ] || { kill "$agent_pid" 2>/dev/null || :; wait "$agent_pid" 2>/dev/null || :; agent_pid=; }
}
said() { sed -n 2p agent.out | jq -r "$1"; }
finished() { wait "$agent_pid"; agent_pid=; }
notify() { # PATH [JQ]
    config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: $s, syscalls: [ { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" } ] } | '"${2:-.}" --arg s "$1"
}
# A program that notifies everything, execve and exit included: ret USER_NOTIF.
everything() {
    config '.annotations = { "run.oci.seccomp_bpf_data": "BgAAAAAAwH8=", "run.oci.seccomp.receiver": $s } | del(.linux.seccomp)' --arg s "$AGENT"
}

@test "listenerPath: the container process state and the listener, in one message on one connection; the agent decides" {
    notify "$AGENT" '.linux.seccomp.listenerMetadata = "a \"word\"" | .annotations = { one: "1" }'
    refusing
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run --pid-file pid "$CID" 3>&- 4>&-
    have_status 0
    have "No space left on device"
    have "mkdir 1"
    finished
    [ "$(said '.fds, .kind, .more' | paste -sd' ')" = "1 anon_inode:seccomp notify false" ]
    [ "$(said '.message | del(.pid, .state.pid) | tostring' | jq -cS .)" = "$(jq -ncS --arg id "$CID" --arg b "$BUNDLE" '{ ociVersion: "1.3.0", fds: ["seccompFd"],
        metadata: "a \"word\"", state: { ociVersion: "1.3.0", id: $id, status: "creating", bundle: $b, annotations: { one: "1" } } }')" ]
    # As the host numbers it.
    [ "$(said .message.pid)" = "$(cat pid)" ]
    [ "$(said .message.state.pid)" = "$(cat pid)" ]
    # Optional members that have no value are not there.
    notify "$AGENT" 'del(.annotations)'
    refusing
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    finished
    [ "$(said '.message | [has("metadata"), (.state | has("annotations"))] | tostring')" = "[false,false]" ]
}

@test "create and start by two processes: start hands the listener over, from what create left" {
    notify "$AGENT" '.linux.seccomp.listenerMetadata = "kept"'
    refusing
    detached create "$CID"
    have_status 0
    [ "$(wc -l <agent.out)" = 1 ]
    # The bundle is not read again.
    echo '{}' >config.json
    pid=$(pid_of "$CID")
    detached start "$CID"
    have_status 0
    wait_status "$CID" stopped
    finished
    [ "$(said '.message | "\(.pid) \(.metadata) \(.state.status)"')" = "$pid kept creating" ]
}

@test "a filter that notifies everything, execve and exit included, with and without no_new_privs, as root and not" {
    everything
    for nnp in true false; do
        for uid in 0 1000; do
            config '.process.noNewPrivileges = $n | .process.user = { uid: $u, gid: $u }' --argjson n "$nnp" --argjson u "$uid"
            refusing
            run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
            have_status 0
            have "No space left on device"
            have "mkdir 1"
            finished
            # Nothing of the set-up is in the filter: the first call that the agent sees is execve.
            [[ $(tail -n 1 agent.out) == "seen 59 "* || $(tail -n 1 agent.out) == "seen 221 "* ]]
        done
    done
}

@test "a startContainer hook under a filter that notifies everything: a connection of its own, and the payload's after it" {
    need python3
    everything
    # A capability that the caller lacks would be warned of, and this test reads everything that is said.
    config '.process.capabilities |= map_values(. - ["CAP_KILL"]) | .hooks.startContainer = [ { path: "/bin/sh", args: ["sh", "-c", "cat >/tmp/said; exit $1", "sh", "0"], env: ["PATH=/bin"] } ]'
    shell_is 'grep -o "\"id\":[^,]*" /tmp/said'
    for lacks in kill sys_ptrace; do
        # Without CAP_SYS_PTRACE it is the process that lets itself be looked at.
        agent --forever "$AGENT"
        run timeout -k 1 60 setpriv --bounding-set "-$lacks" --inh-caps "-$lacks" "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
        have_status 0
        [ "$output" = "\"id\":\"$CID\"" ]
        stop_agent
    done
    agent --forever "$AGENT"
    config '.hooks.startContainer[0].args[4] = "3"'
    run timeout -k 1 60 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 1
    have "error running startContainer hook #0: exit status 3"
}

@test "in a user namespace" {
    need userns
    everything
    config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE"
    refusing
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have_status 0
    have "mkdir 1"
    finished
}

@test "without CAP_SYS_PTRACE" {
    notify "$AGENT" '.process.noNewPrivileges = true'
    refusing
    run timeout -k 1 30 setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have_status 0
    have "mkdir 1"
    finished
}

@test "a relative listenerPath starts at the bundle, wherever start is called" {
    notify agent.sock
    AGENT=$BUNDLE/agent.sock
    refusing
    detached create "$CID"
    have_status 0
    cd /
    detached start "$CID"
    have_status 0
    wait_status "$CID" stopped
    cd "$BUNDLE"
    finished
    [ "$(said .message.state.id)" = "$CID" ]
}

@test "nobody there: create says so and leaves nothing; a start that finds nobody can be tried again" {
    notify "$BATS_TEST_TMPDIR/none.sock"
    place="config.json:$(grep -n listenerPath "$BUNDLE/config.json" | cut -d: -f1):"
    refused "$place" ": /linux/seccomp/listenerPath: connect to seccomp listener $BATS_TEST_TMPDIR/none.sock: no such file or directory"
    : >"$BATS_TEST_TMPDIR/none.sock"
    refused "none.sock: it is not a socket"
    notify "$AGENT"
    refusing
    detached create "$CID"
    have_status 0
    stop_agent
    detached start "$CID"
    have_status 1
    have "$place"
    have ": /linux/seccomp/listenerPath: connect to seccomp listener $AGENT: connection refused"
    [ "$(wherry state "$CID" | jq -r .status)" = created ]
    refusing
    detached start "$CID"
    have_status 0
    wait_status "$CID" stopped
    finished
}

@test "an agent that goes away unanswered is an error or ENOSYS, and never a hang that kill and delete cannot end" {
    notify "$AGENT"
    agent --forget "$AGENT"
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have "Function not implemented"
    have "mkdir 1"
    stop_agent
    # Everything waits, execve first, and init itself holds the listener open: nobody answers it, ever.
    everything
    agent --forget "$AGENT"
    timeout -k 1 60 "$WHERRY" --root "$ROOT" run "$CID" >out 2>&1 </dev/null 3>&- 4>&- &
    runner=$!
    wait_status "$CID" running
    run timeout -k 1 20 "$WHERRY" --root "$ROOT" delete -f "$CID" 3>&- 4>&-
    have_status 0
    wait "$runner" && { echo "run succeeded"; return 1; }
    stop_agent
}

@test "the receiver: crun's annotation, its environment variable, and which comes first" {
    notify "" 'del(.linux.seccomp.listenerPath) | .annotations = { "run.oci.seccomp.receiver": $s }' # the empty one is replaced below
    config '.annotations["run.oci.seccomp.receiver"] = $s' --arg s "$AGENT"
    refusing
    run timeout -k 1 30 env RUN_OCI_SECCOMP_RECEIVER=/none "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have "mkdir 1"
    finished
    config 'del(.annotations)'
    refusing
    run timeout -k 1 30 env RUN_OCI_SECCOMP_RECEIVER="$AGENT" "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have "mkdir 1"
    finished
    config '.linux.seccomp.listenerPath = $s | .annotations = { "run.oci.seccomp.receiver": "/none" }' --arg s "$AGENT"
    refusing
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have "mkdir 1"
    finished
    # No agent there: the place is that of the annotation, or none.
    config 'del(.linux.seccomp.listenerPath)'
    refused ": /annotations/run.oci.seccomp.receiver: connect to seccomp listener /none: no such file or directory"
    config 'del(.annotations)'
    run env RUN_OCI_SECCOMP_RECEIVER=/none "$WHERRY" --root "$ROOT" create "$CID" </dev/null 3>&- 4>&-
    have_status 1
    have_line "^wherry: create failed: connect to seccomp listener /none: no such file or directory\$"
    # Not used, hence not looked for.
    config '.linux.seccomp.listenerPath = "/none" | .linux.seccomp.syscalls = []'
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have_status 0
    have "mkdir 0"
}

@test "the flags, together with a listener" {
    for flags in '[]' '["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]' '["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]'; do
        notify "$AGENT" ".linux.seccomp.flags = $flags"
        refusing
        run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
        have_status 0
        have "mkdir 1"
        finished
    done
}

@test "a message larger than the socket's buffer arrives whole" {
    notify "$AGENT" '.linux.seccomp.listenerMetadata = ("x" * 700000)'
    refusing
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have_status 0
    have "mkdir 1"
    finished
    [ "$(said '.message.metadata | length')" = 700000 ]
}

@test "run.oci.seccomp_bpf_data stands instead of linux.seccomp" {
    # mkdir: EDOM (33); mkdirat and the rest: allowed. linux.seccomp would refuse both.
    data=$(python3 -c '
import base64, struct
i = lambda *a: struct.pack("<HBBI", *a)
print(base64.b64encode(i(0x20, 0, 0, 0) + i(0x15, 1, 0, 83) + i(0x15, 0, 1, 34) + i(6, 0, 0, 0x50000 | 33) + i(6, 0, 0, 0x7fff0000)).decode())')
    config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["mkdir", "mkdirat", "getuid"], action: "SCMP_ACT_ERRNO" } ] } | .annotations = { "run.oci.seccomp_bpf_data": $d }' --arg d "$data"
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run "$CID" 3>&- 4>&-
    have_status 0
    have "Numerical argument out of domain"
}

@test "exec sends its own, with the container's current status" {
    notify "$AGENT" '.annotations = { one: "1" } | .linux.seccomp.listenerMetadata = "kept"'
    shell_is 'sleep 60'
    refusing
    detached create "$CID"
    have_status 0
    # Into a created container: the agent is asked for exec alone.
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" exec "$CID" mkdir /tmp/y 3>&- 4>&-
    have_status 1
    have "No space left on device"
    finished
    [ "$(said '.message | "\(.metadata) \(.state.status) \(.state.pid) \(.pid == .state.pid)"')" = "kept created $(pid_of "$CID") false" ]
    refusing
    detached start "$CID"
    have_status 0
    init_agent=$agent_pid agent_pid=
    refusing
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" exec "$CID" mkdir /tmp/y 3>&- 4>&-
    have "No space left on device"
    finished
    [ "$(said .message.state.status)" = running ]
    # Nobody there: the exec fails, the container goes on.
    rm "$AGENT"
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" exec "$CID" true 3>&- 4>&-
    have_status 255
    have ": /linux/seccomp/listenerPath: connect to seccomp listener $AGENT: no such file or directory"
    [ "$(wherry state "$CID" | jq -r .status)" = running ]
    wherry delete -f "$CID"
    wait "$init_agent"
}

@test "exec where everything is notified" {
    everything
    shell_is 'sleep 60'
    refusing
    detached create "$CID"
    have_status 0
    detached start "$CID"
    have_status 0
    init_agent=$agent_pid agent_pid=
    for _ in $(seq 10); do
        refusing
        run timeout -k 1 30 "$WHERRY" --root "$ROOT" exec "$CID" echo here 3>&- 4>&-
        have_status 0
        have here
        finished
    done
    wherry delete -f "$CID"
    wait "$init_agent"
}

@test "with an init of wherry's, whose child loads the filter" {
    everything
    refusing
    run timeout -k 1 30 "$WHERRY" --root "$ROOT" run --init "$CID" 3>&- 4>&-
    have_status 0
    have "mkdir 1"
    finished
}

@test "an ordinary user: init is dumpable when the host takes the listener out of it" {
    need setpriv userns
    local user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    cp "$WHERRY" wherry
    "${user[@]}" test -x "$PWD/wherry" || chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$(dirname "$BATS_FILE_TMPDIR")"
    "${user[@]}" test -x "$PWD/wherry" || skip "an ordinary user cannot reach the test's directory"
    mkdir -m 700 state
    config '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 65534, size: 1 }] | .linux.gidMappings = .linux.uidMappings
        | del(.linux.resources, .linux.cgroupsPath) | .mounts |= map(if .options then .options |= map(select(startswith("gid=") | not)) else . end)'
    notify "$PWD/agent.sock"
    AGENT=$PWD/agent.sock
    refusing
    chmod 777 agent.sock
    chown -R 65534:65534 "$BUNDLE"
    run timeout -k 1 30 "${user[@]}" env -u NOTIFY_SOCKET ./wherry --root "$PWD/state" --cgroup-manager disabled run "$CID" </dev/null 3>&- 4>&-
    have_status 0
    have "mkdir 1"
    finished
    [ "$(said .message.state.status)" = creating ]
    run timeout -k 1 30 "${user[@]}" ./wherry --root "$PWD/state" explain --bundle "$PWD" 3>&- 4>&-
    have "prctl PR_SET_DUMPABLE 1"
}
