#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hooks of all six kinds, in the namespaces of the runtime and in those of the container.
load helpers

hook() { # KIND SCRIPT [JQ to change the hook]
    config '.hooks[$kind] += [{ path: "/bin/sh", args: ["sh", "-c", $script], env: ["A=b", "PATH=/usr/bin:/bin"] } | '"${3:-.}"']' \
        --arg kind "$1" --arg script "$2"
}
made() { wherry create -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err"; }

# What was killed may take its time to be gone.
nobody_sleeps() { # SECONDS
    for _ in $(seq 200); do pgrep -xf "sleep $1" >/dev/null || return 0; sleep 0.05; done
    echo "sleep $1 lives"
    return 1
}

@test "order, status and pid of each kind" {
    need root
    local log=$BATS_TEST_TMPDIR/log kind
    for kind in poststop poststart createRuntime prestart; do
        hook "$kind" "cat >>$log; echo ' $kind' >>$log"
    done
    hook prestart "echo prestart again >>$log"
    command_is sleep 1000
    made
    pid=$(pid_of "$CID")
    run cat "$log"
    [ "$(jq -r .status <<<"${lines[0]% prestart}")" = creating ]
    [ "$(jq -r .pid <<<"${lines[0]% prestart}")" = "$pid" ]
    [ "$(jq -r .id <<<"${lines[0]% prestart}")" = "$CID" ]
    [ "$(jq -r .bundle <<<"${lines[0]% prestart}")" = "$BUNDLE" ]
    [ "${lines[1]}" = "prestart again" ]
    [ "$(jq -r .status <<<"${lines[2]% createRuntime}")" = creating ]
    [ "${#lines[@]}" = 3 ]
    wherry start "$CID"
    run tail -n 1 "$log"
    [ "$(jq -r .status <<<"${output% poststart}")" = running ]
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
    run tail -n 1 "$log"
    [ "$(jq -r .status <<<"${output% poststop}")" = stopped ]
    jq -e 'has("pid") | not' <<<"${output% poststop}"
    [ ! -e "$ROOT/$CID" ]
}

@test "createRuntime hooks see the container's namespaces and mounts, and the limits" {
    need root
    hook createRuntime 'pid=$(sed "s/.*\"pid\":\([0-9]*\).*/\1/"); exec >'"$BATS_TEST_TMPDIR"'/log
        for n in mnt net pid uts ipc; do [ "$(readlink /proc/$pid/ns/$n)" != "$(readlink /proc/self/ns/$n)" ] && echo own $n; done
        grep -c " $(pwd)/rootfs/proc " /proc/$pid/mountinfo; cat /proc/$pid/cgroup'
    command_is true
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    run cat "$BATS_TEST_TMPDIR/log"
    for n in mnt net uts ipc; do have "own $n"; done
    have "$CID"
}

@test "env, cwd, descriptors and session are the hook's own" {
    need root
    hook createRuntime "exec >$BATS_TEST_TMPDIR/log; env; pwd; ls /proc/\$\$/fd; ps -o sid=,pid= -p \$\$"
    run env SECRET=1 "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" 3>&- 4>&- 7</dev/null
    have_status 0
    run cat "$BATS_TEST_TMPDIR/log"
    have_line '^A=b$'
    have_not SECRET
    have_line "^$BUNDLE\$"
    [ "$(grep -cE '^[0-9]+$' "$BATS_TEST_TMPDIR/log")" = 3 ]
    read -r sid pid < <(tail -n 1 "$BATS_TEST_TMPDIR/log")
    [ "$sid" = "$pid" ]
}

@test "without env a hook has the caller's, as elsewhere; with an empty one none" {
    need root
    hook createRuntime "env >$BATS_TEST_TMPDIR/inherited" 'del(.env)'
    hook createRuntime "/usr/bin/env >$BATS_TEST_TMPDIR/empty" '.env = []'
    run env SECRET=1 "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" 3>&- 4>&-
    have_status 0
    grep -qx SECRET=1 "$BATS_TEST_TMPDIR/inherited"
    if grep SECRET "$BATS_TEST_TMPDIR/empty"; then return 1; fi
}

@test "a failing createRuntime hook undoes create, and says what it said" {
    need root
    local kind
    for kind in prestart createRuntime; do
        config 'del(.hooks)'
        hook "$kind" 'echo some output; echo the reason >&2; exit 3'
        hook poststop "echo stopped >>$BATS_TEST_TMPDIR/log"
        run wherry create -b "$BUNDLE" --pid-file "$BATS_TEST_TMPDIR/pid" "$CID"
        have_status 1
        have "error running $kind hook #0: exit status 3, stdout: some output, stderr: the reason"
        have_line "^wherry: create failed: config.json:[0-9]+: /hooks/$kind/0: error running .*, /bin/sh\\)\$"
        [ ! -e "$ROOT/$CID" ]
        [ ! -e "$BATS_TEST_TMPDIR/pid" ]
        [ -z "$(left_processes)$(left_cgroups)" ]
    done
    [ "$(cat "$BATS_TEST_TMPDIR/log")" = "stopped
stopped" ]
}

@test "the first failure stops the list" {
    need root
    hook createRuntime true
    hook createRuntime false
    hook createRuntime "touch $BATS_TEST_TMPDIR/log"
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "createRuntime hook #1"
    [ ! -e "$BATS_TEST_TMPDIR/log" ]
}

@test "death by a signal is a failure" {
    need root
    hook prestart 'kill -TERM $$'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "killed by signal 15"
}

@test "a hook that is not there" {
    need root
    hook prestart true '.path = "/nonexistent/hook"'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "/nonexistent/hook: no such file or directory"
}

@test "a timeout kills the hook's whole group and waits on no pipe" {
    need root
    # A number of its own: what another run of these tests left is not ours.
    local nap=$((900000000 + BASHPID))
    hook createRuntime "sleep $nap & sleep $nap" '.timeout = 1'
    SECONDS=0
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "hook ran past specified timeout of 1.0s"
    [ "$SECONDS" -lt 20 ]
    nobody_sleeps "$nap"
}

@test "a failing poststart hook ends the container, and start fails" {
    need root
    hook poststart 'echo no >&2; exit 1'
    hook poststop "touch $BATS_TEST_TMPDIR/poststop"
    command_is sleep 1000
    made
    run wherry start "$CID"
    have_status 1
    have "error running poststart hook #0: exit status 1, stdout: , stderr: no"
    [ ! -e "$ROOT/$CID" ]
    [ -z "$(left_processes)$(left_cgroups)" ]
    [ -e "$BATS_TEST_TMPDIR/poststop" ]
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    [ ! -e "$ROOT/$CID" ]
}

@test "a failing poststop hook after a failed create, start or run is a part of the failure: one record of the log, one line each on stderr" {
    hook createRuntime 'exit 7'
    hook poststop 'echo why >&2; exit 4'
    hook poststop 'exit 5'
    for verb in create run; do
        run wherry --log log.json --log-format json "$verb" "$CID" </dev/null
        have_status 1
        # As podman reads it.
        jq -e . log.json >record
        [ "$(jq -s length record)" = 1 ]
        [ "$(jq -r .level record)" = error ]
        [[ $(jq -r .msg record) == \
            "$verb failed: config.json:"*': /hooks/createRuntime/0: error running createRuntime hook #0: exit status 7, '*'; config.json:'*': /hooks/poststop/0: error running poststop hook #0: exit status 4, stdout: , stderr: why '*'; config.json:'*': /hooks/poststop/1: error running poststop hook #1: exit status 5'* ]] || { cat record; return 1; }
        [ "${#lines[@]}" = 3 ]
        [[ ${lines[0]} == "$verb failed: config.json:"*createRuntime* ]]
        rm log.json
    done
    config 'del(.hooks.createRuntime)'
    hook poststart 'exit 8'
    run wherry --log log.json --log-format json run "$CID" </dev/null
    have_status 1
    [ "$(jq -s length log.json)" = 1 ]
    [[ $(jq -r .msg log.json) == \
        'run failed: '*'poststart hook #0: exit status 8'*'; '*'poststop hook #0: exit status 4'*'; '*'poststop hook #1'* ]] || { cat log.json; return 1; }
    rm log.json
    wherry create "$CID" </dev/null >/dev/null 2>&1
    run wherry --log log.json --log-format json start "$CID"
    have_status 1
    [ "$(jq -s length log.json)" = 1 ]
    [[ $(jq -r .msg log.json) == *'poststart hook #0: exit status 8'*'; '*'poststop hook #0: exit status 4'* ]] ||
        { cat log.json; return 1; }
}

@test "a failing poststop hook does not keep the container" {
    need root
    hook poststop 'echo why >&2; exit 4'
    hook poststop "touch $BATS_TEST_TMPDIR/second"
    hook poststop 'exit 5'
    command_is true
    run wherry --log "$BATS_TEST_TMPDIR/log" --log-format json run -b "$BUNDLE" "$CID"
    have_status 0
    [ -z "$output" ]
    rm "$BATS_TEST_TMPDIR/second"
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    line=$(grep -n '"exit 5"\|echo why' config.json | head -1 | cut -d: -f1)
    have_line "^wherry: warning: config.json:[0-9]+: /hooks/poststop/0: error running poststop hook #0: exit status 4, stdout: , stderr: why .*, /bin/sh\)\$"
    # The line where the hook begins, two above its arguments.
    [ "$(grep -oE 'config.json:[0-9]+: /hooks/poststop/0' <<<"$output" | cut -d: -f2)" -lt "$line" ]
    have_line '^wherry: warning: config.json:[0-9]+: /hooks/poststop/2: error running poststop hook #2: exit status 5'
    [ "$(jq -r .level "$BATS_TEST_TMPDIR/log")" = "warning
warning" ]
    [ ! -e "$ROOT/$CID" ]
    [ -e "$BATS_TEST_TMPDIR/second" ]
    made
    run wherry delete -f "$CID"
    have_status 0
    have 'error running poststop hook #0: exit status 4'
    # Also where the container never came to be.
    hook createRuntime 'exit 6'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have 'error running poststop hook #2: exit status 5'
    have 'error running createRuntime hook #0: exit status 6'
}

@test "changing config.json after create changes no hook" {
    need root
    hook poststop "touch $BATS_TEST_TMPDIR/old"
    command_is sleep 1000
    made
    config '.hooks.poststop[0].args[2] = "touch '"$BATS_TEST_TMPDIR"'/new"'
    wherry delete -f "$CID"
    [ -e "$BATS_TEST_TMPDIR/old" ]
    [ ! -e "$BATS_TEST_TMPDIR/new" ]
}

# ---------------------------------------------------------------- in the container's namespaces

# Between create and start nobody of the rootfs has run: what a hook leaves in /tmp of the rootfs is its own.
namespaces() { # PID
    local n
    for n in mnt net pid uts ipc; do readlink "/proc/$1/ns/$n"; done
}

@test "createContainer: in the container's namespaces, with the runtime's files, before the root is entered" {
    need root
    local log=$BATS_TEST_TMPDIR/log
    hook createContainer "exec >>$log; cat; echo; pwd; id -u; hostname; env; ls -d $BUNDLE/config.json;"' for n in mnt net uts ipc pid; do readlink /proc/self/ns/$n; done; ls -d '"$BUNDLE"'/rootfs/proc/1 && touch '"$BUNDLE"'/rootfs/dev/made'
    hook createRuntime "echo createRuntime >>$log"
    command_is sleep 1000
    config '.hostname = "wherry-hooks"'
    made || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
    run cat "$log"
    [ "${lines[0]}" = createRuntime ]
    [ "$(jq -r .status <<<"${lines[1]}")" = creating ]
    # As the container numbers it.
    [ "$(jq -r .pid <<<"${lines[1]}")" = 1 ]
    [ "$(jq -r .id <<<"${lines[1]}")" = "$CID" ]
    # The rootfs, with what is mounted in it.
    [ "${lines[2]}" = "$BUNDLE/rootfs" ]
    [ "${lines[3]}" = 0 ]
    have_line '^A=b$'
    have_line "^$BUNDLE/config.json$"
    # /proc/self of the container's procfs is not what the hook sees (the host's is), so only that of B can be compared.
    pid=$(pid_of "$CID")
    for n in mnt net uts ipc; do have_line "^$(readlink "/proc/$pid/ns/$n" | sed 's/[][]/\\&/g')\$"; done
    have_line "^$BUNDLE/rootfs/proc/1$"
    # What it does to the container's mounts is there afterwards.
    wherry start "$CID"
    [ -e "/proc/$pid/root/dev/made" ]
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
}

@test "createContainer: a joined pid namespace is not entered, and the pid of init is the host's" {
    need root
    local log=$BATS_TEST_TMPDIR/log holder init
    unshare --fork --kill-child -p sleep 1000 </dev/null >/dev/null 2>&1 3>&- 4>&- &
    holder=$!
    until init=$(cat "/proc/$holder/task/$holder/children") && [ -n "$init" ]; do sleep 0.05; done
    init=${init// /}
    hook createContainer "exec >>$log; cat; echo; grep -E '^(NSpid|CapEff)' /proc/self/status; readlink /proc/self/ns/uts"
    hook startContainer 'exec >/tmp/hook; cat'
    command_is sleep 1000
    config '(.linux.namespaces[] | select(.type == "pid")).path = $p' --arg p "/proc/$init/ns/pid"
    made || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
    pid=$(pid_of "$CID")
    [ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink "/proc/$init/ns/pid")" ]
    run cat "$log"
    [ "$(jq -r .pid <<<"${lines[0]}")" = "$pid" ]
    # One number: whoever is in the joined namespace does not see it.
    have_line "$(grep -E '^NSpid' "/proc/$$/status" | sed -E 's/[0-9]+/[0-9]+/g')"
    have_line "^$(readlink "/proc/$pid/ns/uts" | sed 's/[][]/\\&/g')\$"
    # A startContainer hook has no more than the payload will have, and is where that will be.
    wherry start "$CID"
    for _ in $(seq 100); do [ ! -s rootfs/tmp/hook ] || break; sleep 0.05; done
    [ "$(jq -r .pid rootfs/tmp/hook)" = "$(awk '/^NSpid/ { print $NF }' "/proc/$pid/status")" ]
    [ "$(jq -r .pid rootfs/tmp/hook)" != "$pid" ]
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
    kill "$holder"
}

@test "startContainer: after start and before the payload, as the payload would run" {
    need root
    config '.process.user = {uid: 1000, gid: 1000, additionalGids: [5]} | .process.noNewPrivileges = true
            | .process.capabilities = {bounding: ["CAP_KILL"]} | .process.env = ["PATH=/bin", "OF=process"] | .process.cwd = "/tmp"'
    hook startContainer 'exec >/tmp/hook; cat; echo; pwd; id -u; id -G; env; grep -E "^(CapBnd|CapEff|NoNewPrivs|NSpid)" /proc/self/status; ls /proc/self/fd | wc -l; ls /proc/$$/fd'
    shell_is 'echo payload >>/tmp/hook; sleep 1000'
    chmod 1777 rootfs/tmp
    made || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
    [ ! -e rootfs/tmp/hook ]
    run wherry start "$CID"
    have_status 0
    for _ in $(seq 100); do grep -q payload rootfs/tmp/hook && break; sleep 0.05; done
    run cat rootfs/tmp/hook
    [ "$(jq -r .status <<<"${lines[0]}")" = created ]
    [ "$(jq -r .pid <<<"${lines[0]}")" = 1 ]
    [ "$(jq -r .bundle <<<"${lines[0]}")" = "$BUNDLE" ]
    [ "${lines[1]}" = /tmp ]
    [ "${lines[2]}" = 1000 ]
    [ "${lines[3]}" = "1000 5" ]
    have_line '^A=b$'
    have_not OF=process
    have_not HOME=
    have_line $'^CapBnd:\t0000000000000020$'
    have_line $'^CapEff:\t0000000000000000$'
    have_line $'^NoNewPrivs:\t1$'
    have_line $'^NSpid:.*\t[2-9][0-9]*$'
    # Its own three, and the one of ls.
    [ "$(tail -n 1 rootfs/tmp/hook)" = payload ]
    grep -qx 4 rootfs/tmp/hook
    wherry kill "$CID" KILL
    wait_status "$CID" stopped
    wherry delete "$CID"
}

@test "startContainer: without env that of the process; the path is the container's; run does it too" {
    need root
    config '.process.env = ["PATH=/bin", "OF=process"]'
    printf '#!/bin/sh\nenv >/tmp/env; echo "$0" >/tmp/name\n' >rootfs/bin/only-inside
    chmod +x rootfs/bin/only-inside
    hook startContainer '' '.path = "/bin/only-inside" | del(.env, .args)'
    command_is true
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    grep -qx OF=process rootfs/tmp/env
    grep -qx HOME=/root rootfs/tmp/env
}

@test "startContainer: order, and the first failure stops the container; start names it" {
    need root
    hook startContainer 'echo one >>/tmp/log'
    hook startContainer 'echo two >>/tmp/log; echo why >&2; exit 7'
    hook startContainer 'echo three >>/tmp/log'
    hook poststart "touch $BATS_TEST_TMPDIR/poststart"
    hook poststop "touch $BATS_TEST_TMPDIR/poststop"
    shell_is 'touch /tmp/payload'
    made
    run wherry start "$CID"
    have_status 1
    have "/hooks/startContainer/1: error running startContainer hook #1: exit status 7, stdout: , stderr: why (after "
    [ ! -e "$ROOT/$CID" ]
    [ -z "$(left_processes)$(left_cgroups)" ]
    [ "$(cat rootfs/tmp/log)" = "one
two" ]
    [ ! -e rootfs/tmp/payload ]
    [ ! -e "$BATS_TEST_TMPDIR/poststart" ]
    [ -e "$BATS_TEST_TMPDIR/poststop" ]
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    have "startContainer hook #1"
    [ ! -e "$ROOT/$CID" ]
}

@test "createContainer and startContainer: missing, killed, hanging; nothing is left" {
    need root
    local nap=$((900000000 + BASHPID)) kind
    for kind in createContainer startContainer; do
        config 'del(.hooks)'
        hook "$kind" '' '.path = "/nonexistent/hook"'
        run wherry run -b "$BUNDLE" "$CID"
        have_status 1
        have "error running $kind hook #0: exec: \"/nonexistent/hook\": stat /nonexistent/hook: no such file or directory"
        [ ! -e "$ROOT/$CID" ]
        config 'del(.hooks)'
        hook "$kind" 'kill -SEGV $$'
        run wherry run -b "$BUNDLE" "$CID"
        have_status 1
        have "error running $kind hook #0: killed by signal 11"
        config 'del(.hooks)'
        hook "$kind" "sleep $nap & sleep $nap" '.timeout = 1'
        SECONDS=0
        run wherry run -b "$BUNDLE" "$CID"
        have_status 1
        have "error running $kind hook #0: hook ran past specified timeout of 1.0s"
        [ "$SECONDS" -lt 20 ]
        nobody_sleeps "$nap"
        [ ! -e "$ROOT/$CID" ]
        # Many of them never read their input.
        config 'del(.hooks)'
        hook "$kind" 'exec <&-; exit 0'
        run wherry run -b "$BUNDLE" "$CID"
        have_status 0
    done
}

# The bundle where every user can walk to, and back.
public_bundle() {
    PUBLIC=$(mktemp -d)
    chmod 755 "$PUBLIC"
    cp -a "$BUNDLE" "$PUBLIC/bundle"
    BUNDLE=$PUBLIC/bundle
    cd "$BUNDLE" || return 1
}
test_teardown() { [ -z "${PUBLIC:-}" ] || { cd / && rm -rf "$PUBLIC"; }; }

@test "createContainer and startContainer: in a user namespace" {
    need root userns
    public_bundle
    config '.linux.namespaces += [{type: "user"}]
            | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    chown -R 100000:100000 rootfs
    hook createContainer 'read -r inside outside count </proc/self/uid_map; echo "$inside $outside $(id -u)" >tmp/create'
    hook startContainer 'read -r inside outside count </proc/self/uid_map; echo "$inside $outside $(id -u)" >/tmp/start'
    command_is true
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ "$(cat rootfs/tmp/create)" = "0 100000 0" ]
    [ "$(cat rootfs/tmp/start)" = "0 100000 0" ]
    # Where root of that namespace cannot walk to, the hook is not run in another directory.
    chmod 700 "$PUBLIC"
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    have "error running createContainer hook #0: "
    have "$BUNDLE"
    have "permission denied"
    [ ! -e "$ROOT/$CID" ]
}

@test "createContainer and startContainer: of an ordinary user" {
    need root userns setpriv
    local kind
    public_bundle
    chown -R 12345:12345 "$PUBLIC"
    as_user() { setpriv --reuid 12345 --regid 12345 --clear-groups env -i PATH="$PATH" HOME=/ "$WHERRY" --root "$PUBLIC/state" "$@" 3>&- 4>&-; }
    rm config.json
    as_user spec --rootless
    config '.process.args = ["sleep", "1000"] | .process.terminal = false | .root.readonly = false'
    hook createContainer 'echo $(id -u) >tmp/create'
    hook startContainer 'echo $(id -u) >/tmp/start'
    ROOT=$PUBLIC/state
    as_user create "$CID" </dev/null >/dev/null 2>err || { cat err; return 1; }
    # By another process than the one that has the plan.
    as_user start "$CID"
    run cat rootfs/tmp/create rootfs/tmp/start
    [ "$output" = "0
0" ]
    as_user delete -f "$CID"
    for kind in createContainer startContainer; do
        config 'del(.hooks)'
        hook "$kind" 'echo sorry >&2; exit 3'
        run as_user run "$CID" </dev/null
        have_status 1
        have "error running $kind hook #0: exit status 3, stdout: , stderr: sorry"
        [ ! -e "$ROOT/$CID" ]
    done
}

@test "createContainer and startContainer: the runtime is killed meanwhile" {
    need root
    local nap=$((900000000 + BASHPID)) kind pid
    command_is sleep 1000
    for kind in createContainer startContainer; do
        config 'del(.hooks)'
        hook "$kind" "sleep $nap"
        if [ "$kind" = startContainer ]; then
            made
            "$WHERRY" --root "$ROOT" start "$CID" </dev/null >/dev/null 2>&1 3>&- 4>&- &
        else
            "$WHERRY" --root "$ROOT" create -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1 3>&- 4>&- &
        fi
        pid=$!
        for _ in $(seq 100); do pgrep -xf "sleep $nap" >/dev/null && break; sleep 0.05; done
        pgrep -xf "sleep $nap"
        kill -KILL "$pid"
        wait "$pid" || true
        # Init hears of it, and its pid namespace takes the hook with it; the payload is not started.
        for _ in $(seq 100); do pgrep -xf "sleep $nap" >/dev/null || break; sleep 0.05; done
        nobody_sleeps "$nap"
        [ "$kind" = createContainer ] || wait_status "$CID" stopped
        wherry delete -f "$CID"
        [ ! -e "$ROOT/$CID" ]
    done
}

# ---------------------------------------------------------------- output

@test "annotations: the output of hooks goes to files, which are appended to" {
    need root
    local kind
    config '.annotations["run.oci.hooks.stdout"] = $d + "/out" | .annotations["run.oci.hooks.stderr"] = "errors"' --arg d "$BATS_TEST_TMPDIR"
    for kind in prestart createRuntime createContainer startContainer poststart poststop; do
        hook "$kind" "echo $kind; echo not $kind >&2"
    done
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ -z "$output" ]
    run cat "$BATS_TEST_TMPDIR/out"
    [ "${lines[*]}" = "prestart createRuntime createContainer startContainer poststart poststop" ]
    run cat "$BUNDLE/errors"
    [ "${#lines[@]}" = 6 ]
    [ "$(stat -c %a "$BATS_TEST_TMPDIR/out")" = 700 ]
    config '.annotations["run.oci.hooks.stdout"] = "/nonexistent/out"'
    run wherry run -b "$BUNDLE" "$CID"
    have_status 1
    have "error running prestart hook #0: open /nonexistent/out of annotation run.oci.hooks.stdout: no such file or directory"
    [ ! -e "$ROOT/$CID" ]
    # A FIFO that nobody reads does not keep it waiting.
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    config '.annotations["run.oci.hooks.stdout"] = $f' --arg f "$BATS_TEST_TMPDIR/fifo"
    run timeout 20 "$WHERRY" --root "$ROOT" run -b "$BUNDLE" "$CID" 3>&- 4>&-
    have_status 1
    have "open $BATS_TEST_TMPDIR/fifo of annotation run.oci.hooks.stdout: no such device or address"
}

@test "a hook that leaves a process with its output open, and one that writes more than a pipe holds" {
    need root
    local nap=$((900000000 + BASHPID))
    hook createRuntime "sleep $nap & i=0; while [ \$i -lt 20000 ]; do echo 0123456789; i=\$((i + 1)); done; echo the end; exit 1"
    SECONDS=0
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "the end, stderr: "
    [ "$SECONDS" -lt 20 ]
    pkill -xf "sleep $nap"
}
