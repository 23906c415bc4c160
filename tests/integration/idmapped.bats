#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Id-mapped mounts: whose files a bind shows, and who owns what is written there.
load helpers
load inside

test_setup() {
    need root userns
    case $(stat -f -c %T "$BATS_TEST_TMPDIR") in
    ext2/ext3 | xfs | btrfs | tmpfs) ;;
    *) skip "needs a file system that can be id-mapped, not $(stat -f -c %T "$BATS_TEST_TMPDIR")" ;;
    esac
    SRC_DIR=$BATS_TEST_TMPDIR/data
    mkdir "$SRC_DIR"
    echo zero >"$SRC_DIR/zero"
    echo five >"$SRC_DIR/five"
    chown 5:6 "$SRC_DIR/five"
    config 'del(.linux.maskedPaths, .linux.readonlyPaths)'
}

# mapped OPTION,… [MAPPINGS]: one bind of the data on /data; MAPPINGS is [containerID, hostID, size] for users and groups.
mapped() {
    config '.mounts += [{destination: "/data", source: $s, options: ($o | split(","))}
        | if $m == null then . else .uidMappings = [{containerID: $m[0], hostID: $m[1], size: $m[2]}] | .gidMappings = .uidMappings end]' \
        --arg s "$SRC_DIR" --arg o "$1" --argjson m "${2:-null}"
}

# A user namespace of 65536 ids from 100000 on, whose root owns the rootfs.
with_userns() {
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = .linux.uidMappings'
    chown -hR 100000:100000 "$BUNDLE/rootfs"
}

@test "mappings of the mount, without a user namespace" {
    mapped bind,idmap '[0, 3000, 100]'
    chmod 777 "$SRC_DIR"
    config '.process.user = {uid: 3007, gid: 3008}'
    inside 'cd /data; stat -c "%n %u:%g" zero five; echo new >new; cat five; grep " /data " /proc/self/mountinfo'
    have_line '^zero 3000:3000$'
    have_line '^five 3005:3006$'
    have_line '^five$'
    have_line ' /data rw.*idmapped'
    [ "$(stat -c %u:%g "$SRC_DIR/new")" = 7:8 ]
    # Ids that the mount does not map cannot be written to the disk.
    config '.process.user = {uid: 0, gid: 0}'
    inside 'sh -c "echo no >/data/no" 2>&1; true'
    have 'Value too large'
    [ ! -e "$SRC_DIR/no" ]
    [ "$(stat -c %u:%g "$SRC_DIR/zero")" = 0:0 ]
}

@test "mappings without the option map as well" {
    mapped bind '[0, 3000, 100]'
    inside 'stat -c "%n %u:%g" /data/five'
    have_line '^/data/five 3005:3006$'
}

@test "the container's own mappings: what it writes is the host's own on disk" {
    with_userns
    mapped bind,idmap
    inside 'cd /data; stat -c "%n %u:%g" zero five; echo x >mine; echo y >zero; stat -c %u:%g mine'
    have_line '^zero 0:0$'
    have_line '^five 5:6$'
    [ "$(stat -c %u:%g "$SRC_DIR/mine")" = 0:0 ]
    [ "$(cat "$SRC_DIR/zero")" = y ]
}

@test "without the option, a user namespace sees strangers' files" {
    with_userns
    mapped bind
    inside 'stat -c "%n %u:%g" /data/zero; echo x 2>/dev/null >/data/mine || echo no'
    have_line '^/data/zero 65534:65534$'
    have_line '^no$'
}

@test "mappings of the mount that are not the container's" {
    with_userns
    mapped bind,idmap '[5, 100007, 2]'
    inside 'stat -c "%n %u:%g" /data/five /data/zero'
    have_line '^/data/five 7:8$'
    have_line '^/data/zero 65534:65534$'
}

@test "idmap maps the top of a tree, ridmap all of it" {
    with_userns
    for option in idmap ridmap; do
        mapped "rbind,$option"
        inside_after "mkdir -p '$SRC_DIR/sub' && mount -t tmpfs none '$SRC_DIR/sub' && touch '$SRC_DIR/sub/file'" \
            'stat -c "%n %u" /data/zero /data/sub/file'
        have_line '^/data/zero 0$'
        if [ "$option" = ridmap ]; then have_line '^/data/sub/file 0$'; else have_line '^/data/sub/file 65534$'; fi
        config 'del(.mounts[-1])'
    done
}

@test "read-only and other attributes hold on an id-mapped mount" {
    with_userns
    mapped bind,idmap,ro,nosuid,noexec
    inside 'echo x 2>&1 >/data/mine; grep " /data " /proc/self/mountinfo'
    have 'Read-only file system'
    have_line ' /data ro,nosuid,noexec,'
}

@test "mappings in the option: several ranges, both lists" {
    mapped 'bind,idmap=uids=0-3000-1#5-4000-10;gids=0-0-1#6-60-1'
    inside 'stat -c "%n %u:%g" /data/zero /data/five'
    have_line '^/data/zero 3000:0$'
    have_line '^/data/five 4000:60$'
}

@test "mappings in the option, relative to the container's user namespace" {
    with_userns
    mapped 'bind,ridmap=uids=@0-20-10;gids=@0-30-10'
    inside 'stat -c "%n %u:%g" /data/zero /data/five'
    have_line '^/data/zero 20:30$'
    have_line '^/data/five 25:36$'
}

@test "many mounts, of the same and of other mappings, leave no process" {
    with_userns
    for i in 1 2 3; do
        mkdir "$BATS_TEST_TMPDIR/d$i"
        chown "$i" "$BATS_TEST_TMPDIR/d$i"
        config '.mounts += [{destination: ("/m" + $i), source: $s, options: ["bind", "idmap"]},
            {destination: ("/n" + $i), source: $s, options: ["bind"], uidMappings: [{containerID: 0, hostID: (100000 + ($i | tonumber) * 10), size: 10}],
             gidMappings: [{containerID: 0, hostID: 100000, size: 1}]}]' --arg i "$i" --arg s "$BATS_TEST_TMPDIR/d$i"
    done
    inside 'stat -c "%n %u" /m1 /m2 /m3 /n1 /n2 /n3'
    have_line '^/m1 1$'
    have_line '^/m3 3$'
    have_line '^/n1 11$'
    have_line '^/n2 22$'
    have_line '^/n3 33$'
}

@test "the ids of a joined user namespace" {
    with_userns
    shell_is 'while :; do sleep 1; done'
    wherry create "$CID-pod" >"$BATS_TEST_TMPDIR/pod" 2>&1 </dev/null || { cat "$BATS_TEST_TMPDIR/pod"; return 1; }
    pid=$(pid_of "$CID-pod")
    config '.linux.namespaces |= map(if .type == "user" then .path = $p else . end) | del(.linux.uidMappings, .linux.gidMappings)' \
        --arg p "/proc/$pid/ns/user"
    config '.linux.cgroupsPath += "-second"'
    mapped bind,idmap
    inside 'stat -c "%n %u:%g" /data/zero /data/five; echo x >/data/mine'
    have_line '^/data/zero 0:0$'
    have_line '^/data/five 5:6$'
    [ "$(stat -c %u:%g "$SRC_DIR/mine")" = 0:0 ]
}

@test "a file system that cannot be id-mapped: the error says so, at the mount" {
    SRC_DIR=/sys/kernel
    mapped bind,idmap '[0, 3000, 100]'
    refused 'id-map the mount of /sys/kernel (its file system cannot be id-mapped on this kernel): invalid argument' '/mounts/7'
    config '.mounts[-1].options = ["rbind", "ridmap"]'
    refused 'one of its file systems cannot be id-mapped on this kernel'
}

@test "an overlapping map is refused by the kernel, and told" {
    mapped 'bind,idmap=uids=0-3000-10#5-4000-10;gids=0-0-1'
    refused 'write uid_map "0 3000 10\x0a5 4000 10"' 'invalid argument' '/mounts/7'
}

@test "an ordinary user is told that it takes root" {
    mapped bind,idmap
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    config 'del(.linux.cgroupsPath, .linux.resources) | .linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 65534, size: 1}] | .linux.gidMappings = .linux.uidMappings'
    run setpriv --reuid 65534 --regid 65534 --clear-groups "$WHERRY" --root "$BATS_TEST_TMPDIR/none" --cgroup-manager=disabled explain -b "$BUNDLE"
    have_status 1
    have 'an idmapped mount needs root of the host: it is not possible for a rootless container'
}

@test "file capabilities in a user namespace: on a bind, in the rootfs, on an id-mapped mount" {
    need setcap
    with_userns
    for dir in "$SRC_DIR" "$BUNDLE/rootfs"; do
        mkdir -p "$dir/two" "$dir/three" "$dir/other"
        for version in two three other; do cp "$BUNDLE/rootfs/bin/busybox" "$dir/$version/grep"; done
        setcap cap_net_raw+ep "$dir/two/grep"
        setcap -n 100000 cap_net_raw+ep "$dir/three/grep"
        setcap -n 200000 cap_net_raw+ep "$dir/other/grep"
    done
    config '.process.noNewPrivileges = false | .process.user = {uid: 1000, gid: 1000} | .process.capabilities = {bounding: ["CAP_NET_RAW"]}'
    mapped bind
    inside 'for f in /data /; do for v in two three other; do echo "$f $v $($f/$v/grep CapEff /proc/self/status)"; done; done'
    # Those of another user namespace are none.
    for dir in /data /; do
        have_line "^$dir two CapEff:.0000000000002000\$"
        have_line "^$dir three CapEff:.0000000000002000\$"
        have_line "^$dir other CapEff:.0000000000000000\$"
    done
    config '.mounts[-1].options = ["bind", "idmap"]'
    inside '/data/two/grep CapEff /proc/self/status'
    have_line '^CapEff:.0000000000002000$'
    config '.mounts[-1].options = ["bind", "idmap", "nosuid"]'
    inside '/data/two/grep CapEff /proc/self/status'
    have_line '^CapEff:.0000000000000000$'
}
