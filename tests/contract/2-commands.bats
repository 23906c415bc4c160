#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What each command takes, does and prints.
load ../integration/helpers
load contract

test_setup() { need root; command_is sleep 100; }

@test "2.1 create: a terminal needs a console socket, and a console socket a terminal" {
    config '.process.terminal = true'
    says 1 'create failed: cannot allocate tty if wherry will detach without setting console socket' create "$CID"
    says 1 'run failed: cannot allocate tty if wherry will detach without setting console socket' run -d "$CID"
    config '.process.terminal = false'
    says 1 'create failed: cannot use console socket if wherry will not detach or allocate tty' \
        create --console-socket /x "$CID"
    [ ! -e "$ROOT/$CID" ]
}

@test "2.1 create: process is needed, another file is taken by --config, --detach means nothing" {
    jq .process.args=[\"true\"] config.json >other.json
    config 'del(.process)'
    says 1 'create failed: process property must not be empty' create "$CID"
    ok create --detach -f other.json -b . "$CID"
    [ "$(wherry state "$CID" | jq -r .bundle)" = "$BUNDLE" ]
}

@test "2.1 create: a program that is missing is known then, and nothing is left" {
    for it in 'nosuch executable file not found in $PATH' '/nosuch stat /nosuch: no such file or directory' \
        '/etc permission denied (it is a directory)' '/etc/passwd permission denied'; do
        command_is "${it%% *}"
        verb create --pid-file pid "$CID"
        [ "$status" = 1 ]
        have "exec: \"${it%% *}\": ${it#* }"
        have 'unable to start container process: error during container init: exec: '
        [[ $output == 'wherry: create failed: config.json:'*': /process/args/0: '* ]]
        [ ! -e pid ] && [ ! -e "$ROOT/$CID" ]
    done
    [ -z "$(find /sys/fs/cgroup -type d -name "*$CID*" -print -quit)" ]
}

@test "2.3 run: the status of the container, which is gone afterwards, or stopped with --keep" {
    shell_is 'exit 42'
    verb run "$CID"
    [ "$status:$output" = 42: ]
    says 1 'container does not exist' state "$CID"
    verb run --keep "$CID"
    [ "$status" = 42 ]
    [ "$(wherry state "$CID" | jq -r '.status, .pid' | tr '\n' ' ')" = 'stopped 0 ' ]
    [ -n "$(find /sys/fs/cgroup -type d -name "*$CID*" -print -quit)" ]
    ok delete "$CID"
    # The first process of a pid namespace does not end itself by a signal.
    config 'del(.linux.namespaces[] | select(.type == "pid"))'
    # shellcheck disable=SC2016 # for the container
    shell_is 'kill -TERM $$'
    verb run "$CID"
    [ "$status" = 143 ]
}

@test "2.4 state: the object's keys, and their types" {
    config '.annotations = {"a.b": "c", "": null} | del(.annotations[""])'
    ok create "$CID"
    verb state "$CID"
    jq -e --arg id "$CID" --arg b "$BUNDLE" --arg s "$(jq -r .ociVersion config.json)" '
        (keys - ["annotations", "bundle", "created", "id", "ociVersion", "owner", "pid", "rootfs", "status"] == []) and
        .id == $id and .status == "created" and .bundle == $b and .rootfs == $b + "/rootfs" and
        (.pid | type == "number" and . > 1) and
        (.created | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]+Z$")) and .owner == "" and
        .annotations == {"a.b": "c"} and (.ociVersion | test("^1\\.[0-9]+\\.[0-9]+$"))' <<<"$output"
    # Two blanks a level, one object, nothing else.
    sed -n 2p <<<"$output" | grep -q '^  "'
    [ "$(sed -n '1p;$p' <<<"$output")" = $'{\n}' ]
    ok delete -f "$CID"
    config 'del(.annotations)'
    ok create "$CID"
    [ "$(wherry state "$CID" | jq 'has("annotations")')" = false ]
    # Of a relative bundle it is the absolute path.
    ok delete -f "$CID"
    cd rootfs
    ok create -b .. "$CID"
    [ "$(wherry state "$CID" | jq -r .bundle)" = "$BUNDLE" ]
}

@test "2.5 list: a line of JSON with the owner, null for none; a table; ids alone" {
    mkdir "$ROOT"
    verb list -f json
    [ "$output" = null ]
    ok create "$CID"
    verb list --format=json
    [ "$(wc -l <<<"$output")" = 1 ]
    [ "$(jq -c '.[0] | del(.owner)' <<<"$output")" = "$(wherry state "$CID" | jq -c 'del(.owner)')" ]
    [ "$(jq -r '.[0].owner' <<<"$output")" = "$(id -un)" ]
    verb list
    [[ $(sed -n 1p <<<"$output") =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
    # Columns begin where their headers do.
    [ "$(sed -n 2p <<<"$output" | cut -c1-${#CID})" = "$CID" ]
    verb list --quiet
    [ "$output" = "$CID" ]
    says 1 'invalid format option: xml (want table or json)' list -f xml
    chown 12345 "$ROOT/$CID"
    [ "$(wherry list -f json | jq -r '.[0].owner')" = '#12345' ]
    # One that cannot be read does not hide the others.
    mkdir "$ROOT/broken"
    echo '{' >"$ROOT/broken/state.json"
    verb list -q
    [ "$status" = 0 ]
    have "$CID"
    rm -r "$ROOT/broken"
}

@test "2.6 kill: TERM by default; names of runc and crun, in any case, with and without SIG; numbers from 0 to 64" {
    local name
    shell_is 'trap "echo term >/tmp/got; exit 7" TERM; while :; do sleep 0.05; done'
    ok run -d "$CID"
    for name in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN \
        TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS RTMIN RTMIN+1 RTMIN+15 RTMAX-14 RTMAX-1 RTMAX 0 1 31 34 64; do
        for it in "$name" "SIG$name" "${name,,}" "sig${name,,}"; do
            [[ $it != [sS][iI][gG][0-9]* ]] || continue
            # The name is looked at before the container.
            says 1 'container does not exist' kill "$CID-none" "$it"
        done
    done
    for name in FOO SIG 65 -1 '9 ' 0x9 99999999999 RTMIN+31 TERM9; do
        says 1 "unknown signal \"$name\"" kill "$CID" "$name"
    done
    # Until the trap is there.
    for ((i = 0; i < 400; i++)); do grep -q '^SigCgt:.*4...$' "/proc/$(pid_of "$CID")/status" && break; sleep 0.05; done
    ok kill "$CID"
    wait_status "$CID" stopped
    [ "$(cat rootfs/tmp/got)" = term ]
}

@test "2.6 kill: KILL of a container without a pid namespace of its own ends every process" {
    config 'del(.linux.namespaces[] | select(.type == "pid"))'
    shell_is 'sleep 101 & sleep 102 & wait'
    ok run -d "$CID"
    for ((i = 0; i < 400; i++)); do [ "$(wherry ps -f json "$CID" | jq length)" = 3 ] && break; sleep 0.05; done
    ok kill "$CID" 9
    wait_status "$CID" stopped
    for ((i = 0; i < 400; i++)); do [ "$(wherry ps -f json "$CID")" = null ] && break; sleep 0.05; done
    [ "$(wherry ps -f json "$CID")" = null ]
}

@test "2.7 exec: what a process may not lack, and how ids are written" {
    ok run -d "$CID"
    says 255 'exec failed: exec args cannot be empty' exec "$CID"
    while read -r json text; do
        echo "$json" >p.json
        verb exec -p p.json "$CID"
        [ "$status" = 255 ]
        [[ $output == 'wherry: exec failed: p.json'*": $text" ]] || { echo "$json: $output"; return 1; }
    done <<'END'
{"cwd":"/"} args must not be empty
{"cwd":"/","args":[]} args must not be empty
{"cwd":"","args":["true"]} Cwd property must not be empty
{"cwd":"x","args":["true"]} Cwd must be an absolute path
{"args":["true"]} the required property "cwd" is missing
END
    says 255 'exec failed: bad uid in user "x": want UID or UID:GID' exec -u x "$CID" true
    says 255 'exec failed: bad gid in user "1:x": want UID or UID:GID' exec -u 1:x "$CID" true
    verb exec -u 11:22 -g 33 -g 44 --cwd /tmp -e A=b --env C= "$CID" \
        sh -c 'id -u; id -g; id -G; pwd; echo "$A.$C.${C+set}"'
    [ "$(tr '\n' ' ' <<<"$output")" = '11 22 22 33 44 /tmp b..set ' ]
    # A terminal only when it is asked for, whatever the configuration says.
    verb exec -t=false "$CID" tty
    [ "$output" = 'not a tty' ]
}

@test "2.7 exec: the namespaces and the cgroup of init, a session of its own, and the container's umask" {
    ok run -d "$CID"
    # shellcheck disable=SC2016 # for the container
    verb exec "$CID" sh -c 'for n in cgroup ipc mnt net pid uts user; do
            [ "$(readlink /proc/1/ns/$n)" = "$(readlink /proc/self/ns/$n)" ] || echo $n
        done
        diff /proc/1/cgroup /proc/self/cgroup; umask; set -- $(cut -d")" -f2 /proc/$$/stat); [ $4 = $$ ] && echo leader'
    [ "$output" = $'0022\nleader' ] || { echo "$output"; return 1; }
}

@test "2.7 exec: detached it returns when the program runs, with its pid in the file; no file where it does not" {
    ok run -d "$CID"
    ok exec -d --pid-file pid "$CID" sleep 103
    [ "$(tr '\0' ' ' <"/proc/$(cat pid)/cmdline")" = 'sleep 103 ' ]
    rm pid
    for it in nosuch /nosuch /etc /etc/passwd; do
        verb exec -d --pid-file pid "$CID" $it
        [ "$status" = 255 ]
        [ ! -e pid ]
    done
}

@test "2.8 ps: host pids of every process as one line of JSON, a table of ps for the ids; options of ps behind the id" {
    ok run -d "$CID"
    ok exec -d --pid-file pid "$CID" sleep 103
    verb ps --format json "$CID"
    [ "$(jq -c sort <<<"$output")" = "$(jq -nc --argjson a "$(pid_of "$CID")" --argjson b "$(cat pid)" '[$a, $b] | sort')" ]
    [ "$(wc -l <<<"$output")" = 1 ]
    verb ps --format table "$CID"
    [ "$(wc -l <<<"$output")" = 3 ]
    sed -n 1p <<<"$output" | grep -qw PID
    verb ps "$CID" -o pid,args
    [ "$(sed -n 1p <<<"$output" | tr -s ' ')" = ' PID COMMAND' ]
}

@test "2.10 update: sizes with suffixes, resources from a file or stdin, unknown keys, zero is unset" {
    controllers memory pids || skip "needs the controllers of memory and pids"
    ok run -d "$CID"
    files=$(wherry exec "$CID" cat /proc/self/cgroup >/dev/null && find /sys/fs/cgroup -type d -name "$CID")
    limit() { # FILE…: the first that is there
        local dir file
        for file; do for dir in $files; do [ ! -e "$dir/$file" ] || { cat "$dir/$file"; return; }; done; done
    }
    for it in 67108864 65536k 64m 64M 64MiB; do
        verb update --memory 128m "$CID"
        verb update --memory $it "$CID"
        [ "$status" = 0 ] || { echo "$it: $output"; return 1; }
        [ "$(limit memory.max memory.limit_in_bytes)" = 67108864 ]
    done
    ok update --pids-limit 55 "$CID"
    [ "$(limit pids.max)" = 55 ]
    echo '{"pids": {"limit": 66}, "memory": {"limit": 0}, "future": {"x": 1}}' >r.json
    # Every other option of resources is ignored.
    ok update --pids-limit 77 -r r.json "$CID"
    [ "$(limit pids.max)" = 66 ]
    [ "$(limit memory.max memory.limit_in_bytes)" = 67108864 ]
    status=0
    echo '{"pids": {"limit": 88}}' | wherry update --resources=- "$CID" || status=$?
    [ "$status" = 0 ]
    [ "$(limit pids.max)" = 88 ]
    says 1 'invalid value for memory: "3x" is no size (12, 64m, 1g, -1)' update --memory 3x "$CID"
}

@test "2.11 events: --stats is one record with runc's keys; the interval is a duration above 0" {
    ok run -d "$CID"
    verb events --stats "$CID"
    [ "$(wc -l <<<"$output")" = 1 ]
    jq -e --arg id "$CID" '.type == "stats" and .id == $id and (.data.cpu.usage | has("kernel") and has("user")) and
        (["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"] - (.data |
            keys) == [])
        ' <<<"$output"
    if controllers memory pids; then
        jq -e '.data | (.memory | has("usage") and has("swap") and has("kernel") and has("kernelTCP")) and
            .pids.current >= 1
            ' <<<"$output"
    fi
    says 1 'duration interval must be greater than 0' events --interval 0 "$CID"
    says 1 'invalid interval "x": want a duration of at most 24 days, such as 5s or 1m30s' events --interval x "$CID"
}

@test "2.12 spec: runc's default configuration, once; features: what must be there, and nothing unknown to 1.3" {
    rm config.json
    ok spec
    jq -e '.process.terminal and .process.args == ["sh"] and .root == {path: "rootfs", readonly: true} and
        .process.noNewPrivileges and (.linux.maskedPaths | length > 5)' config.json >/dev/null
    [ "$(sed -n 2p config.json | cut -c1)" = $'\t' ]
    says 1 'File config.json exists. Remove it first' spec
    verb features
    jq -e '.ociVersionMin == "1.0.0" and .ociVersionMax == "1.3.0" and (.mountOptions | . == sort and index("rro") and
        index("rbind")) and
        (.linux.namespaces | index("user") and index("time")) and .linux.mountExtensions.idmap.enabled and
        (.potentiallyUnsafeConfigAnnotations | index("org.systemd.property.") and index("run.oci.") and
            index("org.wherry.")) and
        (keys - ["ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
            "potentiallyUnsafeConfigAnnotations"]
        == [])' <<<"$output" >/dev/null
}

@test "2.13 checkpoint and restore are not there, which probes find out" {
    for words in 'checkpoint --help' 'restore --help' 'restore --lsm-mount-context' 'checkpoint x'; do
        # shellcheck disable=SC2086 # words
        verb $words
        [ "$status" = 1 ]
        have "unknown command \"${words%% *}\""
        have_not 'flag needs an argument'
        have_not 'requires an argument'
    done
}

@test "2.15 delete: processes, cgroups and state are gone, the bundle stays; again it is no container" {
    ok run -d "$CID"
    ok exec -d "$CID" sleep 103
    pid=$(pid_of "$CID")
    ok delete --force "$CID"
    [ ! -e "/proc/$pid" ] && [ ! -e "$ROOT/$CID" ]
    [ -z "$(find /sys/fs/cgroup -type d -name "*$CID*" -print -quit)" ]
    [ -e config.json ] && [ -e rootfs/bin/busybox ]
    says 1 'container does not exist' delete "$CID"
    ok delete --force "$CID"
    # A directory that is left of one, too.
    mkdir "$ROOT/$CID"
    ok delete --force "$CID"
    [ ! -e "$ROOT/$CID" ]
}

@test "2.17 pid file: decimal without a newline, relative to where the command was given, nothing beside it; replaced" {
    mkdir here
    cd here
    echo old >pid
    ok create -b .. --pid-file pid "$CID"
    [ "$(cat pid)" = "$(pid_of "$CID")" ]
    [ "$(tr -d 0-9 <pid | wc -c)" = 0 ]
    [ "$(ls -A)" = pid ]
    [ ! -e ../pid ]
    # Only what the umask leaves.
    ok delete -f "$CID"
    rm pid
    umask 027
    ok create -b .. --pid-file pid "$CID"
    [ "$(stat -c %a pid)" = 640 ]
}
