#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounts that are there already (remount), sources that are links (copy-symlink), and containers without a mount namespace of their own.
load helpers
load inside
load ordinary

test_setup() {
    need root
    config 'del(.linux.maskedPaths, .linux.readonlyPaths)'
}

without_mntns() {
    config '.linux.namespaces |= map(select(.type != "mount")) | .mounts = [] | .root.readonly = false'
}

@test "remount: attributes and options of what an earlier mount brought" {
    add_mount /t tmpfs tmpfs size=8m,nosuid
    add_mount /t tmpfs tmpfs remount,size=2m,noexec
    inside "$MOUNT_OPTIONS"'opts /t'
    have_line '^rw,nosuid,noexec.*size=2048k'
    # Nothing but what is named changes; ro last, so that the mount can still be filled.
    config '.mounts[-1].options = ["remount", "bind", "ro"]'
    inside "$MOUNT_OPTIONS"'opts /t; sh -c "echo x >/t/x" 2>&1; true'
    have_line '^ro,nosuid.*;rw.*size=8192k'
    have 'Read-only file system'
}

@test "remount: /proc with hidepid, /dev read-only after the devices are made" {
    add_mount /proc proc proc remount,hidepid=invisible
    add_mount /dev '' '' remount,bind,ro
    inside "$MOUNT_OPTIONS"'opts /proc; opts /dev; ls /dev/null; sh -c "echo x >/dev/x" 2>&1; true'
    have 'hidepid=invisible'
    have_line '^ro,nosuid'
    have_line '^/dev/null$'
    have 'Read-only file system'
}

@test "remount: a whole tree, and propagation" {
    mkdir -p "$BATS_TEST_TMPDIR/tree/sub"
    add_mount /tree '' "$BATS_TEST_TMPDIR/tree" rbind
    add_mount /tree/sub tmpfs tmpfs mode=755
    add_mount /tree '' '' bind,remount,rro,rshared
    inside "$MOUNT_OPTIONS"'opts /tree; opts /tree/sub; tags /tree'
    [ "$(grep -c '^ro,' <<<"$output")" = 2 ]
    have 'shared'
}

@test "remount: the host's own mount of the source keeps its flags" {
    mkdir "$BATS_TEST_TMPDIR/src"
    add_mount /b '' "$BATS_TEST_TMPDIR/src" bind
    add_mount /b '' '' bind,remount,ro
    inside 'sh -c "echo x >/b/x" 2>&1; true'
    have 'Read-only file system'
    echo x >"$BATS_TEST_TMPDIR/src/x"
}

@test "remount: where nothing is mounted, with options that do not exist, and where it cannot be" {
    mkdir "$BUNDLE/rootfs/plain"
    add_mount /plain '' '' bind,remount,ro
    refused 'invalid argument' 'nothing is mounted there' '/mounts/7'
    config '.mounts[-1] = {destination: "/dev/shm", type: "tmpfs", options: ["remount", "nonesuch"]}'
    refused 'does not know this option' '/mounts/7'
    config '.mounts[-1] = {destination: "/none", options: ["remount", "ro"]}'
    refused 'no such file or directory' '/mounts/7'
    config '.mounts[-1] = {destination: "/", options: ["remount", "ro"]}'
    refused 'a mount on "/" cannot have the option remount: root.readonly is for that'
}

@test "remount: a link of the image does not choose whose options change" {
    mkdir "$BATS_TEST_TMPDIR/fs"
    ln -s /victim "$BUNDLE/rootfs/innocent"
    add_mount /victim tmpfs tmpfs size=8m
    add_mount /innocent tmpfs tmpfs remount,size=1m
    refused 'too many levels of symbolic links' '/mounts/8'
}

@test "copy-symlink: the link is copied, and anything else is bound" {
    ln -s ../zone/utc "$BATS_TEST_TMPDIR/link"
    echo text >"$BATS_TEST_TMPDIR/file"
    add_mount /etc/link '' "$BATS_TEST_TMPDIR/link" bind,copy-symlink,ro
    add_mount /etc/file '' "$BATS_TEST_TMPDIR/file" bind,copy-symlink,ro
    inside 'readlink /etc/link; cat /etc/file; grep -c " /etc/" /proc/self/mountinfo'
    have_line '^\.\./zone/utc$'
    have_line '^text$'
    have_line '^1$'
    # A second time the same link is there; anything else is an error.
    inside 'readlink /etc/link'
    ln -sf elsewhere "$BUNDLE/rootfs/etc/link"
    refused 'file exists' 'the rootfs has another file there' '/mounts/7'
}

@test "copy-symlink in a user namespace, below a directory that the mapped root may not enter" {
    need userns
    mkdir -m 700 "$BATS_TEST_TMPDIR/closed"
    ln -s target "$BATS_TEST_TMPDIR/closed/link"
    chown -hR 100000:100000 "$BUNDLE/rootfs"
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    add_mount /etc/link '' "$BATS_TEST_TMPDIR/closed/link" bind,copy-symlink
    inside 'readlink /etc/link; stat -c %u /etc/link'
    have_line '^target$'
    have_line '^0$'
}

@test "copy-symlink: a link in the place of the target's directory stays in the rootfs" {
    ln -s ../../../../../../../../../.. "$BUNDLE/rootfs/out"
    ln -s target "$BATS_TEST_TMPDIR/link"
    add_mount "/out/wherry-$CID" '' "$BATS_TEST_TMPDIR/link" bind,copy-symlink
    inside "readlink /wherry-$CID"
    have_line '^target$'
    [ ! -L "/wherry-$CID" ]
}

@test "without a mount namespace: another root, and the host's mounts as they were" {
    without_mntns
    cat /proc/self/mountinfo >"$BATS_TEST_TMPDIR/before"
    echo here >"$BUNDLE/rootfs/which"
    config '.process.cwd = "/srv/deep"'
    inside 'cat /which; pwd; ls / | tr "\n" " "; ls /dev'
    have_line '^here$'
    have_line '^/srv/deep$'
    cmp /proc/self/mountinfo "$BATS_TEST_TMPDIR/before"
    [ -z "$(find "$BUNDLE/rootfs/dev" "$BUNDLE/rootfs/proc" -mindepth 1)" ]
}

@test "without any namespace, the host's names and processes are the container's" {
    without_mntns
    config '.linux.namespaces = [] | del(.hostname)'
    inside 'hostname'
    have_line "^$(hostname)\$"
    wherry create "$CID-two" >"$BATS_TEST_TMPDIR/two" 2>&1 </dev/null || { cat "$BATS_TEST_TMPDIR/two"; return 1; }
    pid=$(pid_of "$CID-two")
    [ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink /proc/self/ns/pid)" ]
    [ "$(readlink "/proc/$pid/root")" = "$BUNDLE/rootfs" ]
}

@test "without a mount namespace, in a user namespace" {
    need userns
    without_mntns
    chown -hR 100000:100000 "$BUNDLE/rootfs"
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    inside 'id -u; touch /mine && stat -c %u /mine'
    [ "$(grep -c '^0$' <<<"$output")" = 2 ]
    [ "$(stat -c %u "$BUNDLE/rootfs/mine")" = 100000 ]
}

@test "without a mount namespace, what would be done to the host is refused" {
    config '.linux.namespaces |= map(select(.type != "mount"))'
    refused 'mounts are not made without a mount namespace: leave them out, or add {"type": "mount"}' '/mounts/0'
    config '.mounts = [] | .root.readonly = true'
    refused 'the root cannot be made read-only without a mount namespace' '/root/readonly'
    config '.root.readonly = false | .linux.devices = [{path: "/dev/x", type: "c", major: 1, minor: 3}]'
    refused 'devices are not made without a mount namespace' '/linux/devices'
    config 'del(.linux.devices) | .linux.maskedPaths = ["/proc/kcore"]'
    refused 'unable to restrict sys entries without a private MNT namespace' '/linux/maskedPaths'
}

@test "an ordinary user: remount, copy-symlink, and no mount namespace" {
    ordinary_setup
    ln -s target "$BATS_TEST_TMPDIR/link"
    rootless '.mounts += [{destination: "/t", type: "tmpfs", source: "tmpfs", options: ["size=4m"]},
        {destination: "/t", type: "tmpfs", options: ["remount", "size=1m", "noexec"]},
        {destination: "/etc/link", source: $l, options: ["bind", "copy-symlink"]}]' --arg l "$BATS_TEST_TMPDIR/link"
    user_shell "$MOUNT_OPTIONS"'opts /t; readlink /etc/link'
    have_status 0
    have_line '^rw,.*noexec.*size=1024k'
    have_line '^target$'
    rootless '.linux.namespaces |= map(select(.type != "mount")) | .mounts = [] | .root.readonly = false | del(.linux.maskedPaths, .linux.readonlyPaths)'
    user_shell 'readlink /etc/link; id -u'
    have_status 0
    have_line '^0$'
    rootless '.mounts = [{destination: "/m", type: "tmpfs"}]'
    user_refused 'mounts are not made without a mount namespace'
}

@test "root of a user namespace without a mount namespace of its own" {
    need userns
    without_mntns
    config 'del(.linux.cgroupsPath, .linux.resources) | .process.rlimits = []'
    shell_is 'id -u; cat /which'
    echo here >"$BUNDLE/rootfs/which"
    run unshare -Ur "$WHERRY" --root "$ROOT" --cgroup-manager=disabled run "$CID" </dev/null 3>&- 4>&-
    have_status 0
    have_line '^0$'
    have_line '^here$'
}
