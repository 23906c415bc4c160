#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2086 # $STORAGE is a list of words

load engines

setup_file() {
    local need
    for need in umoci skopeo podman jq; do command -v $need >/dev/null || skip "needs $need"; done
    [ "$(id -u)" = 0 ] || skip "needs root"
    engine_setup
    quick podman $STORAGE import "$DIR/rootfs.tar" $IMAGE && quick podman $STORAGE save -q --format oci-archive -o "$DIR/image.tar" $IMAGE &&
        quick skopeo copy -q "oci-archive:$DIR/image.tar" "oci:$DIR/layout:box" && quick umoci unpack --image "$DIR/layout:box" "$DIR/bundle" ||
        { engine_teardown; return 1; }
}
teardown_file() { engine_teardown; }

@test "a bundle that umoci unpacked runs" {
    jq '.process.terminal = false | .process.args = ["sh", "-c", "echo out; exit 7"] | .linux.cgroupsPath = env.PARENT + "/umoci"' \
        "$DIR/bundle/config.json" >"$DIR/config.json"
    cp "$DIR/config.json" "$DIR/bundle/config.json"
    run quick "$WHERRY" --root "$DIR/runtime" run -b "$DIR/bundle" umoci
    have_status 7
    [ "$output" = out ]
}
