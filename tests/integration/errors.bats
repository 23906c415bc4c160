#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is said about things that go wrong, where no other file asks for the text.
# shellcheck disable=SC2030,SC2031 # each test has its own variables
load helpers

# MESSAGE, then JQ: what config.json gets, and what create must say about it.
refuses() {
    cp "$BUNDLE/config.json" "$BATS_TEST_TMPDIR/saved.json"
    config "$2"
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "$1"
    [ ! -e "$ROOT/$CID" ]
    cp "$BATS_TEST_TMPDIR/saved.json" "$BUNDLE/config.json"
}

@test "errors: what a configuration may not say, with its place" {
    refuses '/process/scheduler/priority: scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR policy' \
        '.process.scheduler = { policy: "SCHED_OTHER", priority: 3 }'
    refuses '/process/scheduler/runtime: scheduler runtime/deadline/period can only be specified for SCHED_DEADLINE policy' \
        '.process.scheduler = { policy: "SCHED_OTHER", runtime: 3 }'
    refuses '/linux/memoryPolicy/nodes: this memory policy needs at least one node' \
        '.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "" }'
    refuses '/linux/memoryPolicy/flags: MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other' \
        '.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "0", flags: [ "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES" ] }'
    refuses '/linux/memoryPolicy/flags: this memory policy takes no flags' \
        '.linux.memoryPolicy = { mode: "MPOL_LOCAL", nodes: "", flags: [ "MPOL_F_STATIC_NODES" ] }'
    refuses '/linux/uidMappings/0/size: reaches beyond the last id, 4294967294' \
        '.linux.namespaces += [ { type: "user" } ] | .linux.uidMappings = [ { containerID: 1, hostID: 4294967290, size: 10 } ]
         | .linux.gidMappings = [ { containerID: 0, hostID: 1, size: 1 } ]'
    refuses '/linux/seccomp/syscalls/0/errnoRet: errnoRet must not be larger than 4095, the last errno' \
        '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: [ "mkdir" ], action: "SCMP_ACT_ERRNO", errnoRet: 5000 } ] }'
    refuses '/linux/cgroupsPath: cgroupsPath is the root of the hierarchy, which every process of the host is below: /' \
        '.linux.cgroupsPath = "/"'
    refuses '/linux/cgroupsPath: cgroupsPath has a name that is 300 bytes long, and the kernel takes at most 255' \
        '.linux.cgroupsPath = "/" + "x" * 300'
    refuses '/linux/timeOffsets: time namespace offsets specified, but the time namespace is joined and has its own' \
        '.linux.namespaces += [ { type: "time", path: "/proc/1/ns/time" } ] | .linux.timeOffsets = { monotonic: { secs: 1 } }'
    refuses '/process/capabilities/inheritable: the inheritable set has CAP_SYS_PTRACE, which the bounding set lacks' \
        '.process.capabilities.inheritable = [ "CAP_SYS_PTRACE" ]'
    refuses "invalid mount type for \`/x\`: only a bind mount needs none" '.mounts += [ { destination: "/x", source: "tmpfs" } ]'
    refuses 'more than 4 propagation options on one mount' \
        '.mounts += [ { destination: "/x", type: "tmpfs", source: "tmpfs", options: [ range(5) | "private" ] } ]'
    refuses 'mount option a: the kernel takes at most 255 bytes of a name and of a value' \
        '.mounts += [ { destination: "/x", type: "tmpfs", source: "tmpfs", options: [ "a=" + "x" * 300 ] } ]'
    refuses '/destination: is 5001 bytes long, and the kernel takes at most 4095' \
        '.mounts += [ { destination: ("/" + "x/" * 2500), type: "tmpfs" } ]'
    refuses '/source: is 301 bytes long, and of what is no bind mount the kernel takes at most 255' \
        '.mounts += [ { destination: "/x", type: "ext4", source: ("/" + "x" * 300) } ]'
    refuses '/process/args/1: exec: "/bin/sh": argument list too long: the argument "' '.process.args = [ "/bin/sh", "x" * 131072 ]'
    refuses '/linux/seccomp: the required property "defaultAction" is missing' '.linux.seccomp = {}'
    refuses '/mounts/0: mounts are not made without a mount namespace: leave them out, or add {"type": "mount"} to linux.namespaces' \
        '.linux.namespaces |= map(select(.type != "mount")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
    refuses '/linux/rootfsPropagation: unknown propagation "sideways"' '.linux.rootfsPropagation = "sideways"'
    refuses '/linux/sysctl/net.nosuch: write "1" to /proc/sys/net/nosuch: openat2: no such file or directory (this kernel has no such sysctl)' \
        '.linux.sysctl = { "net.nosuch": "1" }'
}

@test "errors: a namespace to join is of the type that it is said to be" {
    local type file
    for type in network uts ipc cgroup pid time mount user; do
        file=net
        [ $type != network ] || file=uts
        refuses "/proc/$$/ns/$file is not a" "
            .linux.namespaces |= map(select(.type != \"$type\")) + [ { type: \"$type\", path: \"/proc/$$/ns/$file\" } ] | del(.hostname)"
        have_line " is not an? $type namespace$"
    done
    refuses "/etc/passwd is not a network namespace" \
        '.linux.namespaces |= map(select(.type != "network")) + [ { type: "network", path: "/etc/passwd" } ]'
    refuses "open namespace /no/such/ns: no such file or directory" \
        '.linux.namespaces |= map(select(.type != "network")) + [ { type: "network", path: "/no/such/ns" } ]'
}

@test "errors: a bundle that is none" {
    run wherry create -b /no/such/bundle "$CID"
    have_status 1
    have "create failed: open bundle /no/such/bundle: no such file or directory"
    run wherry create -b "$BUNDLE/config.json" "$CID"
    have "open bundle $BUNDLE/config.json: not a directory"
    run wherry create -b "$BUNDLE" -f nope.json "$CID"
    have "JSON specification file nope.json not found"
    run wherry create -b "$BUNDLE" -f rootfs "$CID"
    have "read rootfs: is a directory"
    run wherry create -b "$BUNDLE" -f /dev/null "$CID"
    have "/dev/null is not a regular file but a device"
    truncate -s 65M "$BUNDLE/large.json"
    run wherry create -b "$BUNDLE" -f large.json "$CID"
    have_status 1
    have "large.json has 68157440 bytes, more than 67108864"
    mv "$BUNDLE/rootfs" "$BUNDLE/moved"
    run wherry create -b "$BUNDLE" "$CID"
    have "/root/path: open rootfs rootfs: no such file or directory"
    [ ! -e "$ROOT/$CID" ]
}

@test "errors: a pid file that cannot be written leaves no container" {
    run wherry create -b "$BUNDLE" --pid-file /no/such/dir/pid "$CID"
    have_status 1
    have "create failed: write pid file /no/such/dir/pid: no such file or directory"
    run wherry state "$CID"
    have "container does not exist"
    run wherry create -b "$BUNDLE" --pid-file "$BUNDLE" "$CID"
    have_status 1
    have "write pid file $BUNDLE: is a directory"
    run wherry state "$CID"
    have "container does not exist"
}

@test "errors: a damaged state is told, skipped by list, and cleared by delete -f" {
    mkdir -p "$ROOT/$CID"
    chmod 700 "$ROOT"
    echo '{ "id":' >"$ROOT/$CID/state.json"
    for command in state start kill delete; do
        run wherry "$command" "$CID"
        have_status 1
        have "the state of container $CID is damaged"
    done
    run wherry list -q
    have_status 0
    [ "$output" = "wherry: warning: load container $CID: the state of container $CID is damaged (state.json): delete --force clears it up" ]
    [ -z "$(wherry list -q 2>/dev/null)" ]
    run wherry create -b "$BUNDLE" "$CID"
    have "container with given ID already exists"
    run wherry delete -f "$CID"
    have_status 0
    [ ! -e "$ROOT/$CID" ]
    # What is not even a directory.
    ln -s /etc "$ROOT/$CID"
    run wherry delete "$CID"
    have_status 1
    have "open the state directory of $CID: not a directory"
    run wherry delete -f "$CID"
    have_status 0
    [ ! -L "$ROOT/$CID" ]
    [ -e /etc/passwd ]
    # A directory of an interrupted create: delete says that there is no container, and removes it.
    mkdir "$ROOT/$CID"
    run wherry delete "$CID"
    have_status 1
    have "container does not exist"
    [ ! -e "$ROOT/$CID" ]
}

@test "errors: a /proc that is none is not believed" {
    # shellcheck disable=SC2016 # for the inner shell
    run unshare -m --propagation private sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$WHERRY" --root "$ROOT" create -b "$BUNDLE" "$CID"
    have_status 1
    have "/proc is not the root of a proc file system"
}

@test "errors: a host without cgroup2" {
    # shellcheck disable=SC2016 # for the inner shell
    run unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup && exec "$@"' sh "$WHERRY" --root "$ROOT" create -b "$BUNDLE" "$CID"
    have_status 1
    have "this host has no cgroup2 hierarchy mounted: mount one, or use --cgroup-manager=disabled"
}

@test "errors: a container that is frozen" {
    command_is sleep 60
    # Not `run`, which would wait until the container lets go of its output.
    wherry create -b "$BUNDLE" "$CID" >"$BATS_TEST_TMPDIR/out" 2>&1
    dir=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)$(sed -n 's/^0:://p' "/proc/$(pid_of "$CID")/cgroup")
    echo 1 >"$dir/cgroup.freeze"
    wait_status "$CID" paused
    run wherry start "$CID"
    have_status 1
    have "cannot start a container in the paused state"
    run wherry delete "$CID"
    have_status 1
    have "cannot delete container $CID that is not stopped: paused"
    # SIGKILL gets through, although it is frozen.
    run wherry kill "$CID" KILL
    have_status 0
    wait_status "$CID" stopped
}

@test "errors: a configuration of one line is named by the pointer alone; a passing process file as process.json" {
    need root
    jq -c . "$BUNDLE/config.json" >"$BATS_TEST_TMPDIR/one"
    cp "$BATS_TEST_TMPDIR/one" "$BUNDLE/config.json"
    jq -c '.process.args = ["/etc"]' "$BATS_TEST_TMPDIR/one" >"$BUNDLE/config.json"
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have_line '^wherry: create failed: config.json: /process/args/0: .*exec: "/etc": permission denied \(it is a directory\)$'
    run wherry explain -b "$BUNDLE"
    have '(config.json: /process/args/0)'
    jq -c '.process.cwd = 3' "$BATS_TEST_TMPDIR/one" >"$BUNDLE/config.json"
    run wherry check -b "$BUNDLE"
    have_line '^config.json: error: /process/cwd: must be a string, not a number \(3\)'
    run wherry create -b "$BUNDLE" "$CID"
    have_line '^wherry: create failed: config.json: /process/cwd: must be a string'
    # What is no JSON has no other place.
    echo '{ "a": 1 "b": 2 }' >"$BUNDLE/config.json"
    run wherry create -b "$BUNDLE" "$CID"
    have 'config.json:1:10: '
    jq '.process.args = ["sleep", "1000"]' "$BATS_TEST_TMPDIR/one" >"$BUNDLE/config.json"
    wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1
    for name in runc-process123 exec-process-456; do
        echo '{"args":["true"],"cwd":3,"user":{"uid":0,"gid":0}}' >"$BATS_TEST_TMPDIR/$name"
        run wherry exec -p "$BATS_TEST_TMPDIR/$name" "$CID"
        have_status 255
        have_line '^wherry: exec failed: process.json: /cwd: must be a string'
        # Also of several lines: it is gone when its user looks.
        printf '{\n"args": ["true"],\n"cwd": 3,\n"user": {"uid": 0, "gid": 0}}\n' >"$BATS_TEST_TMPDIR/$name"
        run wherry exec -p "$BATS_TEST_TMPDIR/$name" "$CID"
        have_status 255
        have_line '^wherry: exec failed: process.json: /cwd: must be a string'
        printf '{\n"args": ["/none"],\n"cwd": "/",\n"user": {"uid": 0, "gid": 0}}\n' >"$BATS_TEST_TMPDIR/$name"
        run wherry exec -p "$BATS_TEST_TMPDIR/$name" "$CID"
        have_status 255
        have_line '^wherry: exec failed: process.json: /args/0: '
    done
    echo '{"args":["true"],"cwd":3,"user":{"uid":0,"gid":0}}' >"$BATS_TEST_TMPDIR/mine.json"
    run wherry exec -p "$BATS_TEST_TMPDIR/mine.json" "$CID"
    have_line '^wherry: exec failed: mine.json: /cwd: must be a string'
}

@test "errors: the element that is in the way of a mount point, whatever comes after it" {
    need root
    mkdir -p rootfs/etc/conf "$BATS_TEST_TMPDIR/d"
    echo x >rootfs/etc/conf/item
    for below in sub sub/deeper; do
        config '.mounts = [.mounts[] | select(.destination | startswith("/etc") | not)] + [{ destination: ("/etc/conf/item/" + $b), type: "bind", source: $s, options: ["bind"] }]' \
            --arg b "$below" --arg s "$BATS_TEST_TMPDIR/d"
        run wherry create -b "$BUNDLE" "$CID"
        have_status 1
        have "mount on /etc/conf/item/$below: openat2: not a directory: /etc/conf/item (an element of the target is a file)"
    done
    ln -s item/x rootfs/etc/conf/link
    config '.mounts[-1].destination = "/etc/conf/link/y"'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "not a directory: /etc/conf/link (an element"
}

@test "errors: a sysctl of ids, in a user namespace that does not map them" {
    need root userns
    config '.linux.sysctl = {"net.ipv4.ping_group_range": "0 2147483647"} | .linux.namespaces += [{type: "user"}]
            | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE"
    chown -R 100000:100000 rootfs
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have "invalid argument (the kernel does not take this value; in a user namespace the group ids have to be mapped)"
}

@test "errors: an argument or a variable that execve does not take names the program" {
    config '.process.args = ["/bin/sh", "-c", ("x" * 200000)]'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have 'exec: "/bin/sh": argument list too long: the argument "xxxx'
    config '.process.args = ["sh"] | .process.env += ["BIG=" + ("x" * 200000)]'
    run wherry create -b "$BUNDLE" "$CID"
    have_status 1
    have 'exec: "sh": argument list too long: the environment variable "BIG..." is 200004 bytes long'
}

# The order is meant: standard error into the pipe, standard output away.
# shellcheck disable=SC2069
stderr_of() { "$@" 2>&1 >/dev/null; }

@test "errors: under conmon, whose engine puts the runtime's name in front, none of our own" {
    for words in "state nosuch" "create" "--nosuch"; do
        # shellcheck disable=SC2086 # a list of words
        run stderr_of env _OCI_SYNCPIPE=3 "$WHERRY" --root "$ROOT" $words
        [[ $output != *wherry:*wherry:* ]]
        # shellcheck disable=SC2086
        run stderr_of "$WHERRY" --root "$ROOT" $words
        [[ $output == wherry:* && $output != *wherry:*wherry:* ]]
    done
    run stderr_of env _OCI_SYNCPIPE=3 "$WHERRY" --root "$ROOT" state nosuch
    [ "$output" = "container does not exist" ]
    run stderr_of env _OCI_SYNCPIPE=3 "$WHERRY" --root "$ROOT" create
    [[ $output != wherry:* ]]
}
