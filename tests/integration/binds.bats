#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Flags of binds, sources inside the rootfs, mounts on /, the mode of a tmpfs: as runc and crun have them.
bats_require_minimum_version 1.5.0
load helpers

test_setup() { need root; }

# The flags that a bind of a nosuid,nodev,noexec,ro file system has with OPTIONS.
flags_of() { # OPTIONS
    config '.mounts += [{destination: "/vol", type: "bind", source: "vol", options: $options}] | .process.args = ["awk", "$5 == \"/vol\" {print $6}", "/proc/self/mountinfo"]' \
        --argjson options "$1"
    # shellcheck disable=SC2016
    unshare -m bash -c 'mount -t tmpfs -o nosuid,nodev,noexec,noatime vol vol && mount -o remount,bind,ro,nosuid,nodev,noexec,noatime vol && "$@"' \
        bash "$WHERRY" --root "$ROOT" run "$CID" 2>&1
    config 'del(.mounts[-1])'
}

@test "a bind without flags has those of its source" {
    mkdir vol
    [ "$(flags_of '["rbind","rprivate"]')" = ro,nosuid,nodev,noexec,noatime ]
    [ "$(flags_of '["bind"]')" = ro,nosuid,nodev,noexec,noatime ]
    [ "$(flags_of '["bind","defaults",""]')" = ro,nosuid,nodev,noexec,noatime ]
}

@test "a bind with flags in its options has these, and no others; its atime mode stays where none is named" {
    mkdir vol
    [ "$(flags_of '["rbind","rprivate","rw"]')" = rw,noatime ]
    [ "$(flags_of '["bind","ro"]')" = ro,noatime ]
    [ "$(flags_of '["bind","nosuid"]')" = rw,nosuid,noatime ]
    [ "$(flags_of '["bind","exec"]')" = rw,noatime ]
    [ "$(flags_of '["bind","nodev","ro","noexec"]')" = ro,nodev,noexec,noatime ]
    [ "$(flags_of '["bind","relatime"]')" = rw,relatime ]
}

@test "a volume on a noexec file system with rw is executable" {
    mkdir vol
    config '.mounts += [{destination: "/vol", type: "bind", source: "vol", options: ["rbind", "rprivate", "rw"]}] | .process.args = ["/vol/echo", "ran"]'
    # shellcheck disable=SC2016
    run unshare -m bash -c 'mount -t tmpfs -o noexec vol vol && cp rootfs/bin/busybox vol/echo && "$@"' bash "$WHERRY" --root "$ROOT" run "$CID"
    have_status 0
    [ "$output" = ran ]
}

@test "in a user namespace flags that are locked stay, unless their opposite is asked for" {
    need userns
    mkdir vol
    # In a mount namespace that a user namespace was given, every flag that the host's mounts had is locked.
    config '.process.args = ["awk", "$5 == \"/vol\" {print $6}", "/proc/self/mountinfo"] | .mounts |= map(select(.type != "sysfs"))
        | .mounts += [{destination: "/vol", type: "bind", source: "vol", options: ["bind", "ro"]}]'
    config '.linux.namespaces |= map(select(.type | IN("user", "network") | not))
        | .mounts |= map(select(.type | IN("mqueue", "cgroup", "devpts") | not)) | del(.linux.resources)'
    # shellcheck disable=SC2016
    run unshare -m bash -c 'mount -t tmpfs -o nosuid,noexec vol vol && unshare -Ur -m "$@"' bash \
        "$WHERRY" --root "$ROOT" --cgroup-manager disabled run "$CID"
    have_status 0
    [ "$output" = ro,nosuid,noexec,relatime ]
    config '.mounts[-1].options = ["bind", "exec"]'
    # shellcheck disable=SC2016
    run unshare -m bash -c 'mount -t tmpfs -o nosuid,noexec vol vol && unshare -Ur -m "$@"' bash \
        "$WHERRY" --root "$ROOT" --cgroup-manager disabled run "$CID"
    have_status 1
    have 'mount_setattr'
    have 'operation not permitted'
    have "/mounts/"
}

@test "a bind source inside the rootfs, with symlinks that stay inside" {
    mkdir -p rootfs/srv/data
    echo inside >rootfs/srv/data/file
    ln -s /srv/data rootfs/link
    for source in rootfs/srv/data "$PWD/rootfs/srv/data" rootfs/link rootfs/../rootfs/srv/data; do
        config '.mounts += [{destination: "/vol", type: "bind", source: $s, options: ["rbind", "ro"]}] | .process.args = ["cat", "/vol/file"]' --arg s "$source"
        run wherry run "$CID"
        have_status 0
        [ "$output" = inside ]
        config 'del(.mounts[-1])'
    done
}

@test "a symlink of the rootfs does not lead a bind source out of it" {
    ln -s "$BATS_TEST_TMPDIR/outside" rootfs/link
    mkdir "$BATS_TEST_TMPDIR/outside"
    touch "$BATS_TEST_TMPDIR/outside/secret"
    config '.mounts += [{destination: "/vol", type: "bind", source: "rootfs/link", options: ["bind"]}] | .process.args = ["ls", "/vol"]'
    run wherry run "$CID"
    have_status 1
    have 'no such file or directory'
    have '/mounts/'
}

@test "a bind source inside the rootfs cannot be id-mapped" {
    mkdir rootfs/srv
    config '.mounts += [{destination: "/vol", type: "bind", source: "rootfs/srv", options: ["bind", "idmap"],
        uidMappings: [{containerID: 0, hostID: 100000, size: 10}], gidMappings: [{containerID: 0, hostID: 100000, size: 10}]}]'
    run wherry run "$CID"
    have_status 1
    have 'a bind source inside the rootfs cannot be id-mapped'
}

@test "mounts on /: a bind, an overlay, a tmpfs that is read-only; later mounts and masks go into it" {
    cp -a rootfs other
    echo other >other/mark
    mkdir vol && echo vol >vol/v
    config '.mounts = [{destination: "/", type: "bind", source: "other", options: ["rbind"]}] + .mounts + [{destination: "/vol", type: "bind", source: "vol", options: ["bind"]}]'
    echo secret >other/masked
    config '.linux.maskedPaths += ["/masked"]'
    shell_is 'cat /mark /vol/v; wc -c </masked'
    run wherry run "$CID"
    have_status 0
    [ "$output" = $'other\nvol\n0' ]
    [ ! -e rootfs/mark ]
    config '.mounts[0].destination = "//."'
    run wherry run "$CID"
    have_status 0
}

@test "mounts on /: options that make no sense there, and a file" {
    config '.mounts = [{destination: "/", type: "tmpfs", options: ["tmpcopyup"]}] + .mounts'
    run wherry run "$CID"
    have_status 1
    have 'a mount on "/" cannot have the option tmpcopyup'
    config '.mounts[0].options = ["remount", "ro"]'
    run wherry run "$CID"
    have 'a mount on "/" cannot have the option remount: root.readonly is for that'
    config '.mounts[0] = {destination: "/", type: "bind", source: "config.json", options: ["bind", "copy-symlink"]}'
    run wherry run "$CID"
    have 'a mount on "/" cannot have the option copy-symlink'
    config '.mounts[0].options = ["bind"]'
    run wherry run "$CID"
    have_status 1
    have 'not a directory'
}

@test "a tmpfs without mode on a directory that is made: 1777, at the second start too" {
    config '.root.readonly = false | .mounts += [{destination: "/new", type: "tmpfs"}, {destination: "/deep/new", type: "tmpfs"}, {destination: "/other", type: "tmpfs", options: ["mode=0700"]}]'
    command_is stat -c %a /new /deep/new /other
    for _ in 1 2; do
        run wherry run "$CID"
        have_status 0
        [ "$output" = $'1777\n1777\n700' ]
    done
}
