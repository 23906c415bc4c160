#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What engines pass and read, and the words by which they tell failures apart. tests/engines has the engines themselves.
load ../integration/helpers
load contract

test_setup() { need root; command_is sleep 100; }

@test "3.1 go-runc: each call with all of its options, in its order" {
    local prefix=(--debug=false --log "$PWD/log.json" --log-format json --rootless=false)
    ok "${prefix[@]}" create --bundle "$BUNDLE" --pid-file "$BUNDLE/init.pid" \
        --no-pivot=false --no-new-keyring --detach \
        --preserve-fds 0 "$CID"
    ok "${prefix[@]}" start "$CID"
    jq '.process | .args = ["true"]' config.json >process.json
    ok "${prefix[@]}" exec --process process.json --detach --pid-file "$BUNDLE/exec.pid" "$CID"
    [ -s exec.pid ]
    verb "${prefix[@]}" list --format=json
    jq -e 'length == 1 and .[0].status == "running"' <<<"$output"
    verb "${prefix[@]}" state "$CID"
    jq -e --argjson pid "$(cat init.pid)" '.pid == $pid' <<<"$output"
    verb "${prefix[@]}" ps --format json "$CID"
    jq -e --argjson pid "$(cat init.pid)" 'index($pid)' <<<"$output"
    verb "${prefix[@]}" ps --format table "$CID" -o pid,comm
    have sleep
    verb "${prefix[@]}" events --stats "$CID"
    jq -e '.data.cpu.usage.total > 0' <<<"$output"
    ok "${prefix[@]}" pause "$CID"
    ok "${prefix[@]}" resume "$CID"
    echo '{"memory": {"limit": 134217728}, "cpu": {"shares": 512}, "pids": {"limit": 99}}' >r.json
    controllers memory cpu pids || echo '{"memory": {"limit": 0}, "cpu": {"shares": 0}}' >r.json
    status=0
    wherry "${prefix[@]}" update --resources=- "$CID" <r.json || status=$?
    [ "$status" = 0 ]
    ok "${prefix[@]}" kill --all "$CID" 9
    wait_status "$CID" stopped
    ok "${prefix[@]}" delete --force "$CID"
    [ ! -s log.json ]
}

@test "3.2 containerd: the log is there from the first call on; kill and delete of what has ended are told by their words" {
    ok --log log.json --log-format json create "$CID"
    [ -e log.json ]
    ok kill "$CID" 9
    wait_status "$CID" stopped
    verb kill "$CID" 15
    have 'container not running'
    ok kill --all "$CID" 9
    ok delete "$CID"
    for words in "kill $CID 15" "delete $CID"; do
        # shellcheck disable=SC2086 # words
        verb --log log.json --log-format json $words
        have 'does not exist'
        [ "$(jq -rs '[.[] | select(.level == "error")][-1].msg' log.json)" = 'container does not exist' ]
    done
    ok delete --force "$CID"
}

@test "3.3 conmon: less than its one read of stderr, on one line, and no name of our own in front" {
    command_is "/$(printf '%0200d' 0)"
    verb create --bundle "$BUNDLE" --pid-file pid --no-pivot "$CID"
    [ "$(wc -l <<<"$output")" = 1 ]
    [ "${#output}" -lt 8192 ]
    status=0
    output=$(_OCI_SYNCPIPE=9 "$WHERRY" --root "$ROOT" create --bundle "$BUNDLE" --pid-file pid \
        "$CID" 2>&1 </dev/null) || status=$?
    [ "$status" = 1 ]
    [[ $output == 'create failed: '* ]]
    [ ! -e pid ]
}

@test "3.5 CRI-O: kill by name, exec in the foreground, 255 for the runtime's failures alone, update without a manager" {
    ok create --bundle "$BUNDLE" --pid-file "$BUNDLE/pidfile" "$CID"
    ok start "$CID"
    jq '.process | .args = ["sh", "-c", "exit 9"]' config.json >process.json
    verb exec --process process.json "$CID"
    [ "$status:$output" = 9: ]
    jq '.process | .args = ["nosuch"]' config.json >process.json
    verb exec --process process.json "$CID"
    [ "$status" = 255 ]
    echo '{"cpu": {"shares": 300}}' >r.json
    controllers cpu || echo '{"cpu": {"shares": 0}}' >r.json
    status=0
    wherry update --resources - "$CID" <r.json || status=$?
    [ "$status" = 0 ]
    ok kill "$CID" 37
    ok kill "$CID" KILL
    wait_status "$CID" stopped
    verb kill "$CID" KILL
    have 'container not running'
    ok delete --force "$CID"
}

@test "3.6 buildah and BuildKit: state is polled, kill by number and name, delete without force" {
    ok create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$CID"
    ok start "$CID"
    verb state "$CID"
    jq -e '.status == "running"' <<<"$output"
    ok kill "$CID" SIGKILL
    wait_status "$CID" stopped
    ok delete "$CID"
    shell_is 'exit 5'
    verb --log "$PWD/runc-log.json" --log-format json run --bundle "$BUNDLE" --keep "$CID"
    [ "$status:$output" = 5: ]
    ok delete "$CID"
    [ ! -s runc-log.json ]
}

# As podman (libpod/oci_util.go, define/exec_codes.go) and moby (daemon/errors.go) sort what they were told.
podman_status() {
    if grep -qiE 'permission denied|operation not permitted' <<<"$output"; then
        echo 126
    elif grep -qiE 'executable file not found in|no such file or directory|open executable' <<<"$output"; then
        echo 127
    else
        echo 125
    fi
}
moby_status() {
    local text=${output,,}
    case $text in
    *'executable file not found'* | *'no such file or directory'* | *'system cannot find the file specified'*) \
        echo 127 ;;
    *'permission denied'* | *'is a directory'*) echo 126 ;;
    *) echo 128 ;;
    esac
}

@test "3.7 what cannot be executed is 127 or 126 with podman and with moby; in create and in exec" {
    echo text >rootfs/etc/plain
    printf '#!/nosuch/interpreter\n' >rootfs/bin/script
    chmod 755 rootfs/bin/script
    ok create "$CID-up"
    ok start "$CID-up"
    config '.linux.cgroupsPath += "-2"'
    while read -r program want; do
        command_is "$program"
        verb create "$CID"
        [ "$status" = 1 ]
        [ "$(podman_status)" = "$want" ] || { echo "podman $(podman_status): $output"; return 1; }
        [ "$(moby_status)" = "$want" ] || { echo "moby $(moby_status): $output"; return 1; }
        verb exec "$CID-up" "$program"
        [ "$status" = 255 ]
        # The container's rootfs is the same.
        [ "$(podman_status)" = "$want" ] || { echo "podman $(podman_status): $output"; return 1; }
        [ "$(moby_status)" = "$want" ] || { echo "moby $(moby_status): $output"; return 1; }
    done <<'END'
nosuch 127
/nosuch 127
/etc 126
/etc/plain 126
END
}

@test "3.7 errors that are not of the program have none of these words, so that nobody takes them for 126 or 127" {
    for it in '.hostname = "x" | del(.linux.namespaces[] | select(.type == "uts"))' \
        '.process.rlimits = [{type: "RLIMIT_FOO", soft: 1, hard: 1}]' \
            '.linux.seccomp = {defaultAction: "SCMP_ACT_FOO"}' \
        '.mounts += [{destination: "/x", type: "nosuchfs", source: "x"}]' '.process.user.uid = "x"' \
            '.ociVersion = "2.0.0"'; do
        cp config.json keep.json
        config "$it"
        verb create "$CID"
        cp keep.json config.json
        [ "$status" = 1 ]
        [ "$(podman_status) $(moby_status)" = '125 128' ] || { echo "$it: $output"; return 1; }
        [ ! -e "$ROOT/$CID" ]
    done
}

@test "3.8 scripts: list -q, list -f json, ps, spec, update and events are what jq and xargs take" {
    config 'del(.linux.cgroupsPath)'
    for id in a b; do ok create "$CID-$id"; done
    wherry list -q | xargs -n 1 "$WHERRY" --root "$ROOT" state 3>&- 4>&- | jq -es 'length == 2 and
        all(.[]; .status == "created")'
    [ "$(wherry list -f json | jq -r '.[].id' | tr '\n' ' ')" = "$CID-a $CID-b " ]
    wherry list -q | xargs -n 1 "$WHERRY" --root "$ROOT" delete -f 3>&- 4>&-
    [ -z "$(wherry list -q)" ]
}
