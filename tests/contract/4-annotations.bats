#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Which annotations act, and that the others pass through. Those that need systemd or SELinux are tested in the lab.
load ../integration/helpers
load contract

test_setup() { need root; command_is sleep 100; }

@test "4 annotations that nobody knows, and those of engines, are ignored and shown in state, list and to hooks" {
    config '.annotations = {"io.kubernetes.cri.container-type": "container", "io.container.manager": "libpod",
            "krun.cpus": "2", "org.opencontainers.image.stopSignal": "37", "io.podman.annotations.init": "FALSE",
                "umask.crio.io": "0777",
            "run.oci.systemd.force_cgroup_v1": "/sys/fs/cgroup/systemd", "module.wasm.image/variant": "compat",
                "a": ""} |
        .hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "cat >\($f)"]}]' --arg f "$BATS_TEST_TMPDIR/hook"
    jq -S .annotations config.json >want
    verb create "$CID"
    [ "$status" = 0 ]
    wherry state "$CID" | jq -S .annotations | diff want -
    wherry list -f json | jq -S '.[0].annotations' | diff want -
    jq -S .annotations "$BATS_TEST_TMPDIR/hook" | diff want -
    ok start "$CID"
    verb exec "$CID" sh -c umask
    [ "$output" = 0022 ]
}

@test "4.1 bundle is no annotation of ours" {
    config '.annotations = {bundle: "/nowhere"}'
    ok create "$CID"
    [ "$(wherry state "$CID" | jq -r .bundle)" = "$BUNDLE" ]
    ok start "$CID"
    ok exec "$CID" true
}

@test "4.1 org.systemd.property means nothing with another manager, however it is written" {
    config '.annotations = {"org.systemd.property.KillSignal": "37",
        "org.systemd.property.TimeoutStopUSec": "uint64 30000000",
        "org.systemd.property.x": "nonsense", "org.systemd.property.CollectMode": "\u0027inactive-or-failed\u0027"}'
    ok create "$CID"
}

@test "4.2 run.oci.hooks.stdout and stderr are files that are appended to; empty is none" {
    config '.annotations = {"run.oci.hooks.stdout": "out", "run.oci.hooks.stderr": ""} |
        .hooks.createRuntime = [{path: "/bin/echo", args: ["echo", "one"]}, {path: "/bin/echo", args: ["echo", "two"]}]'
    ok create "$CID"
    [ "$(cat out)" = $'one\ntwo' ]
    [ "$(stat -c %a out)" = 700 ]
}

@test "4.2 run.oci.keep_original_groups: anything but 0" {
    command -v setpriv >/dev/null || skip "needs setpriv"
    for it in '1 0 11 22' '0 0' 'true 0 11 22'; do
        config '.annotations = {"run.oci.keep_original_groups": $v} | .process.args = ["id", "-G"]' --arg v "${it%% *}"
        status=0
        output=$(setpriv --groups 11,22 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-) || status=$?
        [ "$status" = 0 ]
        # The primary group is the process's own.
        [ "$output" = "${it#* }" ] || { echo "$it: $output"; return 1; }
    done
}

@test "4.2 what would confine and is not there is refused: handlers and plug-ins" {
    for it in run.oci.handler run.oci.seccomp.plugins; do
        config '.annotations = {($a): "krun"}' --arg a "$it"
        verb create "$CID"
        [ "$status" = 1 ]
        have ": /annotations/$it: "
    done
    config '.annotations = {"run.oci.handler": "krun", "io.kubernetes.cri.container-type": "sandbox"}'
    ok create "$CID"
}
