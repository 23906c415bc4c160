#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who writes the id maps of a new user namespace.
load helpers

test_setup() { need root; }

@test "an ordinary user's ranges go through newuidmap, found in the caller's PATH" {
    # A stand-in that refuses: no subordinate ids are needed on the host that tests.
    mkdir "$BATS_TEST_TMPDIR/bin" "$BATS_TEST_TMPDIR/user"
    cp "$(type -P false)" "$BATS_TEST_TMPDIR/bin/newuidmap"
    chown 65534 "$BATS_TEST_TMPDIR/user"
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    config 'del(.linux.resources, .linux.cgroupsPath) | .linux.namespaces = [{type: "user"}, {type: "mount"}, {type: "pid"}]
        | .mounts = [] | del(.hostname, .linux.maskedPaths, .linux.readonlyPaths)
        | .linux.uidMappings = [{containerID: 0, hostID: 65534, size: 1}, {containerID: 1, hostID: 100000, size: 65536}]
        | .linux.gidMappings = [{containerID: 0, hostID: 65534, size: 1}]'
    run env PATH="$BATS_TEST_TMPDIR/bin:$PATH" setpriv --reuid 65534 --regid 65534 --clear-groups \
        "$WHERRY" --root "$BATS_TEST_TMPDIR/user/root" --cgroup-manager=disabled run -b "$BUNDLE" "$CID"
    have_status 1
    have 'newuidmap refused the map: /etc/subuid has no line '
    have ":100000:65536 for the host's uids 100000-165535 (usermod --add-subuids 100000-165535 "
    have ': operation not permitted'
}

@test "a range that nobody may give: the error says what was tried" {
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    mkdir "$BATS_TEST_TMPDIR/user"
    chown 65534 "$BATS_TEST_TMPDIR/user"
    config 'del(.linux.resources, .linux.cgroupsPath) | .linux.namespaces = [{type: "user"}, {type: "mount"}, {type: "pid"}]
        | .mounts = [] | del(.hostname, .linux.maskedPaths, .linux.readonlyPaths)
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10}]
        | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 10}]'
    run env PATH=/nonexistent "$(command -v setpriv)" --reuid 65534 --regid 65534 --clear-groups \
        "$WHERRY" --root "$BATS_TEST_TMPDIR/user/root" --cgroup-manager=disabled run -b "$BUNDLE" "$CID"
    have_status 1
    have "id maps need newuidmap, which is not in \$PATH (package uidmap): operation not permitted"
}
