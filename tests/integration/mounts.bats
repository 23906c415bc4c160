#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounts, devices, masked and read-only paths, the root file system.
load helpers

go() { run wherry run -b "$BUNDLE" "$CID"; }
mount_is() { # JSON of one more mount
    config '.mounts += [ $m ]' --argjson m "$1"
}

@test "tmpfs: options of the file system and of the mount" {
    mount_is '{ "destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "noexec", "nodev", "noatime", "size=64k", "mode=700"] }'
    shell_is 'grep " /t " /proc/self/mountinfo; stat -c %a /t; cp /bin/busybox /t/x; echo "copied: $?"'
    go
    have_line ' /t rw,nosuid,nodev,noexec,noatime .*size=64k'
    have_line '^700$'
    have "copied: 1"
}

@test "an unknown file system or option is an error with its place" {
    mount_is '{ "destination": "/t", "type": "nosuchfs", "source": "x" }'
    go
    have_status 1
    have nosuchfs
    have_line 'config\.json:[0-9]+.*/mounts/[0-9]+'
    config '.mounts[-1] |= (.type = "tmpfs" | .options = ["no-such-option"])'
    go
    have_status 1
    have no-such-option
}

@test "bind: a directory, read-only or not, and its target is made" {
    mkdir "$BATS_TEST_TMPDIR/src"
    echo content >"$BATS_TEST_TMPDIR/src/file"
    mount_is "{ \"destination\": \"/a/b/c\", \"type\": \"bind\", \"source\": \"$BATS_TEST_TMPDIR/src\", \"options\": [\"bind\", \"ro\"] }"
    shell_is 'cat /a/b/c/file; echo x >/a/b/c/new; echo $?'
    go
    have content
    have "Read-only file system"
    config '.mounts[-1].options = ["bind", "rw"]'
    go
    have_line '^0$'
    [ -e "$BATS_TEST_TMPDIR/src/new" ]
}

@test "bind: a file on a file that is made" {
    echo content >"$BATS_TEST_TMPDIR/src"
    mount_is "{ \"destination\": \"/etc/made/here\", \"source\": \"$BATS_TEST_TMPDIR/src\", \"options\": [\"bind\", \"ro\"] }"
    command_is cat /etc/made/here
    go
    have_status 0
    [ "$output" = content ]
}

@test "bind: a relative source is of the bundle" {
    echo content >"$BUNDLE/here"
    mount_is '{ "destination": "/here", "source": "here", "options": ["bind"] }'
    command_is cat /here
    go
    have_status 0
    [ "$output" = content ]
}

@test "bind: a missing source is an error that names it" {
    mount_is '{ "destination": "/here", "source": "/no/such/source", "options": ["bind"] }'
    go
    have_status 1
    have /no/such/source
    have "no such file or directory"
}

@test "rbind brings what is mounted below, bind does not; rro holds for all of it" {
    need root
    mkdir -p "$BATS_TEST_TMPDIR/src/sub"
    mount -t tmpfs none "$BATS_TEST_TMPDIR/src/sub"
    touch "$BATS_TEST_TMPDIR/src/sub/inner"
    mount_is "{ \"destination\": \"/b\", \"source\": \"$BATS_TEST_TMPDIR/src\", \"options\": [\"bind\"] }"
    shell_is 'ls /b/sub | wc -l'
    go
    first=$output
    config '.mounts[-1].options = ["rbind", "ro"]'
    shell_is 'ls /b/sub; touch /b/top 2>&1; touch /b/sub/x && echo inner-writable'
    go
    second=$output
    config '.mounts[-1].options = ["rbind", "rro"]'
    go
    third=$output
    umount "$BATS_TEST_TMPDIR/src/sub"
    [ "$first" = 0 ]
    output=$second
    have inner
    have "Read-only file system"
    have inner-writable
    output=$third
    have inner
    have_not inner-writable
}

@test "flags of the source that are locked or set stay set" {
    need root
    mkdir "$BATS_TEST_TMPDIR/src"
    mount -t tmpfs -o nosuid,nodev,noexec none "$BATS_TEST_TMPDIR/src"
    mount_is "{ \"destination\": \"/b\", \"source\": \"$BATS_TEST_TMPDIR/src\", \"options\": [\"bind\", \"ro\"] }"
    command_is grep " /b " /proc/self/mountinfo
    go
    umount "$BATS_TEST_TMPDIR/src"
    have_line ' /b ro,nosuid,nodev,noexec'
}

@test "propagation of a mount, and nothing comes back to the host" {
    mount_is '{ "destination": "/p", "type": "tmpfs", "source": "tmpfs", "options": ["rshared"] }'
    command_is grep " /p " /proc/self/mountinfo
    before=$(wc -l </proc/self/mountinfo)
    go
    have_status 0
    have_line ' /p .* shared:'
    [ "$(wc -l </proc/self/mountinfo)" = "$before" ]
}

@test "rootfsPropagation" {
    config '.linux.rootfsPropagation = "shared"'
    command_is grep -E '^[0-9]+ [0-9]+ [0-9:]+ [^ ]+ / ' /proc/self/mountinfo
    go
    have_status 0
    have shared:
    config '.linux.rootfsPropagation = "private"'
    go
    have_status 0
    have_not shared:
}

@test "tmpcopyup brings what was there" {
    mkdir -p rootfs/data/deep
    echo one >rootfs/data/file
    echo two >rootfs/data/deep/file
    ln -s file rootfs/data/link
    chmod 640 rootfs/data/file
    chown 0:6 rootfs/data/file
    mount_is '{ "destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"] }'
    shell_is 'cat /data/file /data/deep/file; readlink /data/link; stat -c "%a %u %g" /data/file; echo changed >/data/file'
    go
    have_status 0
    [ "$output" = "one
two
file
640 0 6" ]
    [ "$(cat rootfs/data/file)" = one ]
}

@test "a read-only root, with its mounts still writable" {
    config '.root.readonly = true'
    mount_is '{ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }'
    shell_is 'echo x >/file; echo $?; echo x >/tmp/file; echo $?'
    go
    have "Read-only file system"
    [ "${lines[-1]}" = 0 ]
    [ ! -e rootfs/file ]
}

@test "masked paths: empty files and directories, missing ones skipped" {
    mkdir -p rootfs/secret
    echo inner >rootfs/secret/inner
    echo hidden >rootfs/hidden
    config '.linux.maskedPaths += ["/secret", "/hidden", "/no/such/path"]'
    shell_is 'cat /hidden | wc -c; ls -a /secret | wc -l; touch /secret/new; echo "$?"; head -c 1 /proc/kcore | wc -c; ls /sys/firmware | wc -l'
    go
    [ "${lines[0]}" = 0 ]
    [ "${lines[1]}" = 2 ]
    have "Read-only file system"
    [ "${lines[-2]}" = 0 ]
    [ "${lines[-1]}" = 0 ]
    [ "$(cat rootfs/hidden)" = hidden ]
}

@test "read-only paths" {
    mkdir -p rootfs/fixed/deep
    config '.linux.readonlyPaths += ["/fixed", "/no/such/path"]'
    shell_is 'touch /fixed/x; touch /fixed/deep/x; echo 0 >/proc/sys/vm/swappiness; touch /free'
    go
    have_status 0
    have "/fixed/x: Read-only file system"
    have "/fixed/deep/x: Read-only file system"
    have_line '(swappiness: Read-only file system|write error|nonexistent directory|Permission denied)'
    [ -e rootfs/free ]
}

@test "default devices and links" {
    shell_is 'cd /dev; for d in null zero full random urandom tty; do stat -c "%n %F %t:%T %a %u:%g" $d; done; for l in fd stdin stdout stderr ptmx; do echo "$l $(readlink $l)"; done'
    go
    have_status 0
    have "null character special file 1:3 666 0:0"
    have "zero character special file 1:5 666 0:0"
    have "full character special file 1:7 666 0:0"
    have "random character special file 1:8 666 0:0"
    have "urandom character special file 1:9 666 0:0"
    have "tty character special file 5:0 666 0:0"
    have "fd /proc/self/fd"
    have "stdin /proc/self/fd/0"
    have "stdout /proc/self/fd/1"
    have "stderr /proc/self/fd/2"
    have "ptmx pts/ptmx"
}

@test "listed devices: kind, number, mode and owner" {
    config '.linux.devices = [ { path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 384, uid: 7, gid: 8 },
        { path: "/dev/sub/pipe", type: "p", fileMode: 432 } ]'
    shell_is 'stat -c "%F %t:%T %a %u:%g" /dev/mine; stat -c "%F %a" /dev/sub/pipe; umask'
    go
    have_status 0
    have "character special file 1:3 600 7:8"
    have "fifo 660"
}

@test "devices: what no rule allows is denied" {
    grep -q '^devices\|cgroup2' /proc/cgroups /proc/filesystems || skip "no cgroup that knows devices"
    config '.process.capabilities |= map_values(. + ["CAP_MKNOD", "CAP_SYSLOG"])'
    # Numbers of memory, of a loop device and of null: only the last is open.
    shell_is 'mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem; mknod /tmp/null c 1 3 && cat /tmp/null && echo null works; echo x >/dev/null && echo dev null works'
    go
    have "null works"
    have "dev null works"
    have "Operation not permitted"
    config '.linux.resources.devices += [ { allow: true, type: "c", major: 1, minor: 11, access: "r" } ]'
    config '.process.capabilities |= map_values(. + ["CAP_SYSLOG"])'
    shell_is 'mknod /tmp/kmsg c 1 11 && exec 3</tmp/kmsg && echo opened; (exec 4>/tmp/kmsg) && echo written'
    go
    have opened
    have_not written
}

@test "the cgroup mount shows this container's cgroup, read-only" {
    shell_is 'ls /sys/fs/cgroup; cat /proc/self/cgroup; mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x'
    go
    have "Read-only file system"
    have_not "$CID"
}

@test "the cgroup mount without a cgroup namespace" {
    config '.linux.namespaces |= map(select(.type != "cgroup"))'
    shell_is 'ls /sys/fs/cgroup; find /sys/fs/cgroup -name cgroup.procs | head -n 1'
    go
    have_status 0
    have cgroup.procs
}

@test "a mount target that is a symlink stays inside" {
    ln -s /etc rootfs/link
    mount_is '{ "destination": "/link/inner", "type": "tmpfs", "source": "tmpfs" }'
    command_is grep inner /proc/self/mountinfo
    go
    have_status 0
    have " /etc/inner "
    # One that leads out of the image, if it were followed from the host's root.
    mkdir -p "$BATS_TEST_TMPDIR/outside"
    ln -s "../../../../../../../../../..$BATS_TEST_TMPDIR/outside" rootfs/escape
    mount_is '{ "destination": "/escape/inner", "type": "tmpfs", "source": "tmpfs" }'
    go
    [ -z "$(ls "$BATS_TEST_TMPDIR/outside")" ]
}

@test "terminal: a pty of the container's own, sent over the console socket" {
    need python3
    config '.process.terminal = true | .process.consoleSize = { height: 33, width: 77 }'
    shell_is 'tty; stty size; test -c /dev/console && echo console'
    python3 - "$BATS_TEST_TMPDIR/console" "$BATS_TEST_TMPDIR/out" 3>&- 4>&- <<'PY' &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1]); s.listen(1)
c, _ = s.accept()
data, anc, _, _ = c.recvmsg(4096, socket.CMSG_SPACE(4))
fd = array.array("i", anc[0][2])[0]
open(sys.argv[2] + ".got", "w").write("%d %d" % (len(data), len(anc)))
out = b""
try:
    while True:
        b = os.read(fd, 4096)
        if not b: break
        out += b
except OSError:
    pass
open(sys.argv[2], "wb").write(out)
PY
    server=$!
    for _ in $(seq 100); do [ -S "$BATS_TEST_TMPDIR/console" ] && break; sleep 0.05; done
    run wherry run -d -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/console" "$CID"
    have_status 0
    wait "$server"
    output=$(tr -d '\r' <"$BATS_TEST_TMPDIR/out")
    have /dev/pts/0
    have "33 77"
    have console
}

@test "terminal: the rules about the console socket" {
    config '.process.terminal = true'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "cannot allocate tty if"
    config '.process.terminal = false'
    run wherry create -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/console" "$CID"
    have_status 1
    have "cannot use console socket if"
}
