#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# `features`: valid, and true: every entry is tried.
# shellcheck disable=SC2154,SC2046 # status and output are set by bats; lists of names are meant to be split
load helpers

OFFICIAL=$SRC/tests/oci-validation/official

list() { wherry features | jq -r "$1 | .[]"; }
explained() { wherry explain -b "$BUNDLE" >/dev/null 2>"$BATS_TEST_TMPDIR/err" || { cat "$BATS_TEST_TMPDIR/err"; return 1; }; }

@test "features: one JSON document on standard output, and nothing else" {
    wherry features >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
    [ ! -s "$BATS_TEST_TMPDIR/err" ]
    jq -e . "$BATS_TEST_TMPDIR/out" >/dev/null
    # Four blanks a level.
    grep -q '^    "ociVersionMin": "1\.0\.0",$' "$BATS_TEST_TMPDIR/out"
    run wherry features extra
    [ "$status" -ne 0 ]
}

@test "features: valid by the official schema, and no property that it does not know" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "needs python3-jsonschema"
    wherry features >"$BATS_TEST_TMPDIR/out"
    python3 - "$OFFICIAL" "$BATS_TEST_TMPDIR/out" <<'PY'
import json, pathlib, sys
import jsonschema
base = pathlib.Path(sys.argv[1]).resolve()
schema = json.loads((base / "features-schema.json").read_text())
doc = json.load(open(sys.argv[2]))
jsonschema.validate(doc, schema, resolver=jsonschema.RefResolver((base / "features-schema.json").as_uri(), schema))

def known(doc, props, path):
    for key, value in doc.items():
        assert key in props, f"{path}/{key} is not in the schema"
        if isinstance(value, dict) and "properties" in props[key]:
            known(value, props[key]["properties"], f"{path}/{key}")
linux = json.loads((base / "features-linux.json").read_text())["linux"]
known({k: v for k, v in doc.items() if k != "linux"}, schema["properties"], "")
# features-linux.md describes these, the schema of 1.3.0 forgot them.
del doc["linux"]["memoryPolicy"], doc["linux"]["intelRdt"]["schemata"], doc["linux"]["intelRdt"]["monitoring"]
known(doc["linux"], linux["properties"], "/linux")
PY
}

@test "features: lists are sorted where engines search them, and nothing is twice" {
    for what in .mountOptions .linux.namespaces .linux.seccomp.actions .linux.seccomp.operators .linux.seccomp.archs; do
        [ "$(list "$what")" = "$(list "$what" | LC_ALL=C sort -u)" ]
        [ -n "$(list "$what")" ]
    done
    for what in .hooks .linux.capabilities .linux.seccomp.knownFlags; do
        [ "$(list "$what" | sort)" = "$(list "$what" | sort -u)" ]
    done
}

@test "features: every mount option is taken" {
    local option
    for option in $(list .mountOptions); do
        config '.mounts = [{destination: "/x", type: "tmpfs", source: "tmpfs", options: [$o]}]' --arg o "$option"
        case $option in
        bind | rbind) config '.mounts[0].source = "/tmp"' ;;
        src-nofollow | dest-nofollow | copy-symlink) config '.mounts[0] |= (.source = "/tmp" | .options += ["bind"])' ;;
        remount) config '.mounts = [{destination: "/x", type: "none", source: "/tmp", options: ["bind"]}] +
                         (.mounts | .[0].options += ["bind"] | .[0].source = "/x")' ;;
        esac
        config 'del(.linux.maskedPaths, .linux.readonlyPaths)'
        explained || { echo "mount option $option"; return 1; }
    done
}

@test "features: id-mapped mounts are told where engines look for them" {
    [ "$(wherry features | jq .linux.mountExtensions.idmap.enabled)" = true ]
    for option in idmap ridmap; do
        [ -z "$(list .mountOptions | grep -x "$option")" ]
        config '.mounts = [{destination: "/x", type: "none", source: "/tmp", options: ["bind", $o],
            uidMappings: [{containerID: 0, hostID: 1, size: 1}], gidMappings: [{containerID: 0, hostID: 1, size: 1}]}]' --arg o "$option"
        explained
    done
}

@test "features: every namespace, hook and capability is taken" {
    local it
    for it in $(list .linux.namespaces); do
        config '.linux.namespaces |= (map(select(.type != $t)) + [{type: $t}])' --arg t "$it"
        if [ "$it" = user ]; then
            config '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
        fi
        explained || { echo "namespace $it"; return 1; }
        config '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
    done
    for it in $(list .hooks); do
        config '.hooks = {($h): [{path: "/bin/true"}]}' --arg h "$it"
        explained || { echo "hook $it"; return 1; }
    done
    config 'del(.hooks) | .process.capabilities = {bounding: $ARGS.positional}' --args $(list .linux.capabilities)
    explained
}

@test "features: every seccomp action, operator, architecture and flag is taken" {
    [ "$(wherry features | jq .linux.seccomp.enabled)" = true ] || skip "built without seccomp"
    local it
    for it in $(list .linux.seccomp.actions); do
        config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/l", syscalls: [{names: ["acct"], action: $a}]}' --arg a "$it"
        explained || { echo "action $it"; return 1; }
    done
    for it in $(list .linux.seccomp.operators); do
        config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["acct"], action: "SCMP_ACT_ERRNO",
                args: [{index: 0, value: 1, op: $o}]}]}' --arg o "$it"
        explained || { echo "operator $it"; return 1; }
    done
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: $ARGS.positional,
            syscalls: [{names: ["acct"], action: "SCMP_ACT_ERRNO"}]}' --args $(list .linux.seccomp.archs)
    explained
    config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", flags: $ARGS.positional,
            syscalls: [{names: ["acct"], action: "SCMP_ACT_ERRNO"}]}' --args $(list .linux.seccomp.supportedFlags)
    explained
}

@test "features: every memory policy and each of its flags is taken" {
    local it nodes
    for it in $(list .linux.memoryPolicy.modes); do
        case $it in MPOL_DEFAULT | MPOL_LOCAL) nodes= ;; *) nodes=0 ;; esac
        config '.linux.memoryPolicy = {mode: $m, nodes: $n}' --arg m "$it" --arg n "$nodes"
        explained || { echo "mode $it"; return 1; }
    done
    for it in $(list .linux.memoryPolicy.flags); do
        config '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: [$f]}' --arg f "$it"
        explained || { echo "flag $it"; return 1; }
    done
}

@test "features: Intel RDT is taken, with schemata and monitoring" {
    [ "$(wherry features | jq -c .linux.intelRdt)" = '{"enabled":true,"schemata":true,"monitoring":true}' ]
    config '.linux.intelRdt = {closID: "x", l3CacheSchema: "L3:0=f", memBwSchema: "MB:0=50", schemata: ["L2:0=1"], enableMonitoring: true}'
    explained
}

@test "features: network devices are taken" {
    [ "$(wherry features | jq .linux.netDevices.enabled)" = true ]
    config '.linux.netDevices = {eth9: {name: "net%d"}}'
    explained
}

@test "features: security modules are taken, or it is the host that lacks them" {
    [ "$(wherry features | jq -c '[.linux.apparmor, .linux.selinux | .enabled]')" = '[true,true]' ]
    config '.process.apparmorProfile = "x" | .process.selinuxLabel = "x" | .linux.mountLabel = "x"'
    run wherry explain -b "$BUNDLE"
    have_not "not supported by this version"
}

@test "features: nothing is said to be absent but what this build was told to leave out" {
    [ "$(wherry features | jq -c '[paths(. == false)]')" = "[]" ] || wherry --version | grep -q -- "-SYSTEMD"
    [ ! -d /run/systemd/system ] || skip "this host is run by systemd"
    run wherry --systemd-cgroup explain -b "$BUNDLE"
    have_status 1
    have "--systemd-cgroup: this host is not run by systemd: use --cgroup-manager=cgroupfs"
}

@test "features: the same document whoever asks, and whatever the host" {
    one=$(wherry features)
    [ "$one" = "$(unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup; exec "$1" features' sh "$WHERRY")" ]
    if setpriv --reuid 65534 --clear-groups test -x "$WHERRY"; then
        [ "$one" = "$(setpriv --reuid 65534 --clear-groups env -i "$WHERRY" --root /tmp/wherry-none features)" ]
    fi
}
