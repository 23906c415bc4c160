#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# `spec`: the configuration that one begins with.
# shellcheck disable=SC2154 # status and output are set by bats
load helpers

OFFICIAL=$SRC/tests/oci-validation/official

test_setup() { rm -f "$BUNDLE/config.json"; }

@test "spec: writes config.json in the bundle, and not over one" {
    run wherry spec -b "$BUNDLE"
    have_status 0
    [ -z "$output" ]
    [ "$(stat -c %a "$BUNDLE/config.json")" = 644 ]
    run wherry spec -b "$BUNDLE"
    have_status 1
    have "File config.json exists. Remove it first"
}

@test "spec: tabs, valid by the official schema, without findings of its own making" {
    wherry spec -b "$BUNDLE"
    grep -qP '^\t"ociVersion": "1\.3\.0",$' "$BUNDLE/config.json"
    run grep -cP '^ ' "$BUNDLE/config.json"
    [ "$output" = 0 ]
    # jq lays out the same way: not a blank is out of place.
    jq --tab . "$BUNDLE/config.json" | cmp - "$BUNDLE/config.json"
    run wherry check --format json -b "$BUNDLE"
    [ "$(jq .errors <<<"$output")" = 0 ]
    if python3 -c 'import jsonschema' 2>/dev/null; then
        python3 - "$OFFICIAL" "$BUNDLE/config.json" <<'PY'
import json, pathlib, sys
import jsonschema
base = pathlib.Path(sys.argv[1]).resolve() / "config-schema.json"
schema = json.loads(base.read_text())
jsonschema.validate(json.load(open(sys.argv[2])), schema, resolver=jsonschema.RefResolver(base.as_uri(), schema))
PY
    fi
}

@test "spec: what engines and people rely on is in it" {
    wherry spec -b "$BUNDLE"
    run jq -c '[.process.terminal, .process.args, .process.cwd, .process.noNewPrivileges, .root, .hostname]' "$BUNDLE/config.json"
    [ "$output" = '[true,["sh"],"/",true,{"path":"rootfs","readonly":true},"wherry"]' ]
    run jq -c '.process.capabilities' "$BUNDLE/config.json"
    caps='["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"]'
    [ "$output" = "{\"bounding\":$caps,\"effective\":$caps,\"permitted\":$caps}" ]
    run jq -c '[.linux.namespaces[].type]' "$BUNDLE/config.json"
    [ "$output" = '["pid","network","ipc","uts","mount","cgroup"]' ]
    run jq -c '[.mounts[].destination]' "$BUNDLE/config.json"
    [ "$output" = '["/proc","/dev","/dev/pts","/dev/shm","/dev/mqueue","/sys","/sys/fs/cgroup"]' ]
    # The mounts, masked and read-only paths are those of runc, which everybody has seen.
    [ "$(jq -cS '[.mounts, .linux.maskedPaths, .linux.readonlyPaths, .linux.resources]' "$BUNDLE/config.json")" = \
        "$(jq -cS '[.mounts, .linux.maskedPaths, .linux.readonlyPaths, .linux.resources]' "$CONFIGS/runc-1.1-spec.json")" ]
}

@test "spec: it runs" {
    wherry spec -b "$BUNDLE"
    config '.process.terminal = false | .process.args = ["sh", "-c", "hostname; id -u"] | .linux.cgroupsPath = $p' \
        --arg p "/wherry-test/$CID"
    run wherry run -b "$BUNDLE" "$CID"
    have_status 0
    [ "$output" = "wherry
0" ]
}

@test "spec --rootless: the caller's ids, and nothing that needs root" {
    wherry spec --rootless -b "$BUNDLE"
    jq --tab . "$BUNDLE/config.json" | cmp - "$BUNDLE/config.json"
    run jq -c '[.linux.uidMappings, .linux.gidMappings]' "$BUNDLE/config.json"
    [ "$output" = "[[{\"containerID\":0,\"hostID\":$(id -u),\"size\":1}],[{\"containerID\":0,\"hostID\":$(id -g),\"size\":1}]]" ]
    run jq -c '[.linux.namespaces[].type]' "$BUNDLE/config.json"
    [ "$output" = '["pid","ipc","uts","mount","cgroup","user"]' ]
    [ "$(jq '.linux | has("resources")' "$BUNDLE/config.json")" = false ]
    run jq -c '[.mounts[].options // [] | .[] | select(test("^[ug]id="))]' "$BUNDLE/config.json"
    [ "$output" = '[]' ]
    run jq -c '.mounts[] | select(.destination == "/sys") | [.type, .source, .options[0]]' "$BUNDLE/config.json"
    [ "$output" = '["none","/sys","rbind"]' ]
    if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 test -x "$WHERRY"; then
        mkdir -m 777 "$BATS_TEST_TMPDIR/u"
        chmod a+x "$BATS_TEST_TMPDIR"
        if setpriv --reuid 65534 --clear-groups test -w "$BATS_TEST_TMPDIR/u"; then
            setpriv --reuid 65534 --clear-groups "$WHERRY" --root /tmp/wherry-none spec --rootless -b "$BATS_TEST_TMPDIR/u"
            [ "$(jq .linux.uidMappings[0].hostID "$BATS_TEST_TMPDIR/u/config.json")" = 65534 ]
        fi
    fi
}
