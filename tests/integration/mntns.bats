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

# A mount namespace of another process, $holder.
holder() {
    unshare -m --propagation private sleep 1000 3>&- 4>&- &
    holder=$!
    for ((i = 0; i < 500; i++)); do
        [ "$(cat /proc/$holder/comm 2>/dev/null)" = sleep ] && break
        sleep 0.02
    done
    config '.linux.namespaces |= map(if .type == "mount" then .path = $p else . end)' --arg p "/proc/$holder/ns/mnt"
}
test_teardown() { [ -z "${holder-}" ] || kill "$holder" 2>/dev/null || true; }

@test "a joined mount namespace is set up: mounts, devices, masks, read-only paths and root; the host's stay" {
    holder
    echo here >"$BUNDLE/rootfs/which"
    echo secret >"$BUNDLE/rootfs/secret"
    add_mount /t tmpfs tmpfs mode=755
    config '.linux.maskedPaths = ["/secret", "/proc/kcore"] | .linux.readonlyPaths = ["/proc/sys"] |
        .root.readonly = true
        | .linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 5}]'
    cat /proc/self/mountinfo >"$BATS_TEST_TMPDIR/before"
    inside 'readlink /proc/self/ns/mnt; cat /which; echo x >/t/x && echo written; wc -c </secret;
        head -c 3 /dev/mine | wc -c; touch /x 2>&1; sh -c "echo 1 >/proc/sys/kernel/core_uses_pid" 2>&1; true'
    have_line "^$(readlink "/proc/$holder/ns/mnt" | sed 's/[][]/\\&/g')\$"
    have_line '^here$'
    have_line '^written$'
    have_line '^0$'
    have_line '^3$'
    have 'touch: /x: Read-only file system'
    have '/proc/sys/kernel/core_uses_pid: Read-only file system'
    cmp /proc/self/mountinfo "$BATS_TEST_TMPDIR/before"
    # It is the root of who was there before as well, and stays when the container is gone.
    [ "$(cat "/proc/$holder/root/which")" = here ]
    [ "$(stat -f -c %T "/proc/$holder/root/t")" = tmpfs ]
}

@test "a joined mount namespace: hooks, exec, and propagation" {
    holder
    config '.hooks.createContainer = [{path: "/bin/sh", args: ["sh", "-c", "pwd >/tmp/hook"]}] |
        .linux.rootfsPropagation = "rprivate" | .process.args = ["sleep", "1000"]'
    config '.hooks.createContainer[0].args[2] = "pwd >" + $f' --arg f "$BATS_TEST_TMPDIR/hook"
    wherry run -d "$CID" >"$BATS_TEST_TMPDIR/run" 2>&1 </dev/null || { cat "$BATS_TEST_TMPDIR/run"; return 1; }
    [ "$(cat "$BATS_TEST_TMPDIR/hook")" = "$BUNDLE/rootfs" ]
    run wherry exec "$CID" sh -c 'ls -d /proc/self /bin'
    have_status 0
    have_line '^/bin$'
    wherry delete -f "$CID"
}

@test "a joined mount namespace that is shared with the host: nothing of it reaches the host" {
    # The "host" is a namespace of the test's own. Its mounts are shared, but not with the real host's: first private,
    # then shared anew.
    config '.linux.namespaces |= map(if .type == "mount" then .path = "/run/wherry-'"$CID"'" else . end)'
    shell_is 'ls -d /bin'
    # On one processor: a mount namespace can be bound only in an older one, which the kernel tells by numbers that each
    # processor has its own range of.
    run taskset -c "$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status)" unshare \
        -m --propagation private sh -c '
        mount --make-rshared /
        touch "/run/wherry-$4"
        unshare -m --propagation unchanged sleep 1000 & h=$!
        trap "kill $h; rm -f /run/wherry-$4" EXIT
        for i in $(seq 1000); do [ "$(cat /proc/$h/comm)" = sleep ] && break; sleep 0.02; done
        cut -d" " -f4- /proc/self/mountinfo >"$1"
        mount --make-private -t tmpfs x /mnt
        touch /mnt/ns && mount --bind /proc/$h/ns/mnt /mnt/ns
        sed "s#/run/wherry-$4#/mnt/ns#" "$5/config.json" >"$5/c" && mv "$5/c" "$5/config.json"
        "$2" --root "$3" run "$4"; echo "status $?"
        umount /mnt/ns /mnt
        cut -d" " -f4- /proc/self/mountinfo | cmp - "$1" && echo same' sh "$BATS_TEST_TMPDIR/before" "$WHERRY" "$ROOT" \
            "$CID" "$BUNDLE" </dev/null 3>&- 4>&-
    have_line '^/bin$'
    have_line '^status 0$'
    have_line '^same$'
}

@test "a mount namespace that cannot be joined: the host's own, without the rootfs, with a new user namespace" {
    config '.linux.namespaces |= map(if .type == "mount" then .path = "/proc/self/ns/mnt" else . end)'
    refused "/linux/namespaces/$(jq '.linux.namespaces | map(.type) | index("mount")' "$BUNDLE/config.json")/path: mount namespace /proc/self/ns/mnt is the host's: the root of every process in it would be the container's"
    config '.linux.namespaces |= map(if .type == "mount" then .path = "/proc/1/ns/mnt" else . end)'
    # An engine may have a mount namespace of its own: that of process 1 is another.
    run unshare -mpf --mount-proc sh -c 'unshare -m "$@"' sh "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 1
    have "mount namespace /proc/1/ns/mnt is the host's"
    holder
    nsenter -t "$holder" -m mount -t tmpfs empty "$BUNDLE"
    refused "chdir to $BUNDLE/rootfs in the joined mount namespace: openat2: no such file or directory" \
        'root.path has to be there in the mount namespace that is joined; "/" is the root that it has already' '/root'
    # Not by a link to what we have open of the host.
    nsenter -t "$holder" -m ln -s /proc/self/fd/3/etc "$BUNDLE/rootfs"
    refused "chdir to $BUNDLE/rootfs in the joined mount namespace: openat2: too many levels of symbolic links"
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000,
        size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    refused 'a new user namespace gives no right to mount in a mount namespace that is joined: join the user namespace that owns it, too'
}

@test "a joined mount namespace whose root stays what it is: nothing is set up" {
    holder
    echo "$CID" >"$BATS_TEST_TMPDIR/seen"
    config '.root = {path: "/"} | .mounts = []'
    shell_is "cat $BATS_TEST_TMPDIR/seen"
    config '.process.env = ["PATH=/bin:/usr/bin"]'
    run wherry run "$CID" </dev/null
    have_status 0
    have_line "^$CID\$"
    config '.mounts = [{destination: "/t", type: "tmpfs"}] | .linux.maskedPaths = ["/proc/kcore"] |
        .linux.devices = [{path: "/dev/x", type: "c", major: 1, minor: 3}] | .root.readonly = true'
    refused 'mounts are not made on the root of a joined mount namespace: leave them out' \
        'devices are not made on the root of a joined mount namespace' \
        'unable to restrict sys entries without a private MNT namespace' \
            'the root cannot be made read-only on the root of a joined mount namespace'
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
