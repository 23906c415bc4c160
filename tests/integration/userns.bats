#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# User namespaces: every shape of map, what is mounted and bound in them, and how they are joined together with other namespaces.
load helpers
load inside

test_setup() { need root userns; }

# maps UIDS GIDS: a user namespace with these maps, each a list of [containerID, hostID, size].
maps() {
    config '.linux.namespaces |= map(select(.type != "user")) + [{type: "user"}]
        | .linux.uidMappings = ($u | map({containerID: .[0], hostID: .[1], size: .[2]}))
        | .linux.gidMappings = ($g | map({containerID: .[0], hostID: .[1], size: .[2]}))' --argjson u "$1" --argjson g "${2:-$1}"
}
# devpts wants to give its terminals to a group that these maps do not have.
without_gid5() { config '(.mounts[] | select(.type == "devpts").options) -= ["gid=5"]'; }
# The usual one, whose root owns the rootfs.
with_userns() {
    maps '[[0, 100000, 65536]]'
    chown -hR 100000:100000 "$BUNDLE/rootfs"
}
# A container that sleeps; its pid is in $pid. Its namespaces are joined by `join`.
pod() {
    cp "$BUNDLE/config.json" "$BUNDLE/pod.json"
    config '.process.args = ["sleep", "1000"] | .linux.cgroupsPath += "-pod"'
    wherry run -d "$CID-pod" >"$BATS_TEST_TMPDIR/pod" 2>&1 </dev/null || { cat "$BATS_TEST_TMPDIR/pod"; return 1; }
    cp "$BUNDLE/pod.json" "$BUNDLE/config.json"
    pid=$(pid_of "$CID-pod")
}
join() { # TYPE…: these are the pod's
    local type
    for type; do
        config '.linux.namespaces |= map(select(.type != $t)) + [{type: $t, path: ("/proc/" + $p + "/ns/" + $f)}]' \
            --arg t "$type" --arg p "$pid" --arg f "$(case $type in network) echo net ;; mount) echo mnt ;; *) echo "$type" ;; esac)"
    done
    case " $* " in *' user '*) config 'del(.linux.uidMappings, .linux.gidMappings)' ;; esac
}
ns_of() { readlink "/proc/$pid/ns/$1"; }

# ---------------------------------------------------------------- maps

@test "one range: ids, owners of the default mounts, and the kernel's map" {
    with_userns
    inside 'id; cat /proc/self/uid_map; stat -c "%n %u:%g" / /dev /dev/pts /dev/shm /tmp'
    have 'uid=0(root) gid=0(root)'
    have_line '^ +0 +100000 +65536$'
    for dir in / /dev /dev/pts /dev/shm /tmp; do have_line "^$dir 0:0\$"; done
}

@test "a single id" {
    maps '[[0, 1000, 1]]'
    without_gid5
    inside 'id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u /bin; cat /proc/self/setgroups'
    have_line '^0$'
    [ "$(grep -cE '^ +0 +1000 +1$' <<<"$output")" = 2 ]
    have_line '^65534$'
    # Root wrote the map: nothing had to be denied for it.
    have_line '^allow$'
}

@test "a map that does not begin at 0, and has no root" {
    maps '[[1000, 100000, 10]]'
    without_gid5
    config '.process.user = {uid: 1005, gid: 1003, additionalGids: [1009]}'
    inside 'id -u; id -g; id -G; cat /proc/self/uid_map; touch /dev/shm/f && stat -c %u:%g /dev/shm/f'
    have_line '^1005$'
    have_line '^1003 1009$'
    have_line '^ +1000 +100000 +10$'
    have_line '^1005:1003$'
}

@test "holes: what lies in them is nobody, and cannot be had" {
    maps '[[0, 100000, 10], [20, 100020, 10]]'
    chown 100015 "$BUNDLE/rootfs/home"
    chown 100025 "$BUNDLE/rootfs/tmp"
    config '.process.user = {uid: 25, gid: 5}'
    inside 'id -u; stat -c "%n %u" /home /tmp'
    have_line '^25$'
    have_line '^/home 65534$'
    have_line '^/tmp 25$'
    config '.process.user = {uid: 15, gid: 5}'
    refused 'cannot setuid to unmapped uid 15 in user namespace'
}

@test "as many ranges as the kernel takes, one more, and too long a text" {
    without_gid5
    # Less than a page of text: short numbers.
    maps "$(jq -nc '[range(340) | [. * 2, . * 3, 1]]')"
    config '.process.user = {uid: 678, gid: 2}'
    inside 'id -u; wc -l </proc/self/uid_map; tail -n 1 /proc/self/uid_map'
    have_line '^678$'
    have_line '^340$'
    have_line '^ +678 +1017 +1$'
    maps "$(jq -nc '[range(341) | [. * 2, 100000 + . * 3, 1]]')"
    refused 'has 341 ranges, more than the 340 that the kernel takes' '/linux/uidMappings'
    maps "$(jq -nc '[range(340) | [4000000000 + . * 2, 3000000000 + . * 3, 1]]')" '[[4000000000, 0, 5]]'
    config '.process.user = {uid: 4000000000, gid: 4000000000}'
    if [ "$(getconf PAGESIZE)" = 4096 ]; then
        refused 'write uid_map: its text has ' 'the kernel takes less than 4096' 'invalid argument'
    fi
}

@test "ranges out of order, up to the last id, and users unlike groups" {
    maps '[[4294967290, 4294967290, 5], [0, 0, 1], [5, 200000, 3]]' '[[0, 300000, 100]]'
    config '.process.user = {uid: 4294967294, gid: 99}'
    inside 'cat /proc/self/status'
    have_line '^Uid:.4294967294.4294967294.4294967294.4294967294$'
    have_line '^Gid:.99'
}

@test "additional groups are exactly the mapped ones" {
    with_userns
    config '.process.user = {uid: 1, gid: 2, additionalGids: [7, 65535]}'
    inside 'id -G'
    have_line '^2 7 65535$'
    config '.process.user.additionalGids = [65536]'
    refused '65536'
}

@test "an ordinary user's own id: setgroups is denied, and nothing else is needed" {
    chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    setpriv --reuid 65534 --clear-groups test -x "$WHERRY" || skip "needs a program that others may execute"
    mkdir "$BATS_TEST_TMPDIR/user"
    chown 65534:65534 "$BATS_TEST_TMPDIR/user"
    maps '[[0, 65534, 1]]'
    without_gid5
    config 'del(.linux.resources, .linux.cgroupsPath) | .mounts |= map(select(.destination != "/sys/fs/cgroup")) | .process.rlimits = []'
    shell_is 'id -u; cat /proc/self/setgroups /proc/self/gid_map; grep -c . /proc/self/mountinfo; ls -l /dev/null; echo x >/dev/null'
    run setpriv --reuid 65534 --regid 65534 --clear-groups \
        "$WHERRY" --root "$BATS_TEST_TMPDIR/user/root" --cgroup-manager=disabled run -b "$BUNDLE" "$CID" </dev/null
    have_status 0
    have_line '^0$'
    have_line '^deny$'
    have_line '^ +0 +65534 +1$'
}

# ---------------------------------------------------------------- files that the mapped root cannot reach

@test "a rootfs and a source below directories that the mapped root may not enter" {
    with_userns
    mkdir -p "$BATS_TEST_TMPDIR/closed/data/inner"
    echo secret >"$BATS_TEST_TMPDIR/closed/data/file"
    chmod 700 "$BATS_TEST_TMPDIR/closed" "$BUNDLE"
    add_mount /data '' "$BATS_TEST_TMPDIR/closed/data" rbind
    add_mount /file '' "$BATS_TEST_TMPDIR/closed/data/file" bind,ro
    inside 'cat /data/file /file; ls -d /data/inner; pwd'
    [ "$(grep -c '^secret$' <<<"$output")" = 2 ]
    have_line '^/data/inner$'
}

@test "what root of the container mounts below a bind stays there, however the host's mount is shared" {
    with_userns
    mkdir -p "$BATS_TEST_TMPDIR/shared/sub"
    add_mount /data '' "$BATS_TEST_TMPDIR/shared" rbind
    config '.process.capabilities[] += ["CAP_SYS_ADMIN"] | .process.capabilities |= with_entries(select(.key | test("bounding|effective|permitted")))'
    shell_is 'mount -t tmpfs none /data/sub && echo mounted; grep " /data " /proc/self/mountinfo'
    run unshare -m --propagation private bash -e -c 'mount --bind "$2" "$2"; mount --make-shared "$2"
        "$0" --root "$1" run "$3" </dev/null 3>&- 4>&-; echo host:; grep -c "$2/sub" /proc/self/mountinfo' \
        "$WHERRY" "$ROOT" "$BATS_TEST_TMPDIR/shared" "$CID"
    have_line '^mounted$'
    have_line ' /data .* master:'
    [ "${lines[-1]}" = 0 ]
    # Asked for, it is what it was; a peer of the host's mount it is not, even so.
    config '.mounts[-1].options += ["rshared"]'
    run unshare -m --propagation private bash -e -c 'mount --bind "$2" "$2"; mount --make-shared "$2"
        "$0" --root "$1" run "$3" </dev/null 3>&- 4>&-; echo host:; grep -c "$2/sub" /proc/self/mountinfo' \
        "$WHERRY" "$ROOT" "$BATS_TEST_TMPDIR/shared" "$CID"
    have_line ' /data .* shared:[0-9]+ master:'
    [ "${lines[-1]}" = 0 ]
}

# ---------------------------------------------------------------- mounts and devices

@test "the default mounts, with a network namespace" {
    with_userns
    inside "$MOUNT_OPTIONS"'for m in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup; do echo "$m $(stat -f -c %T $m) $(opts $m)"; done
        ls /sys/class/net; touch /dev/mqueue/q && echo queue'
    have_line '^/dev/mqueue mqueue|^/dev/mqueue UNKNOWN'
    have_line '^/sys sysfs ro,nosuid,nodev,noexec'
    have_line '^queue$'
    # The container's own: a new network namespace has nothing else.
    have_line '^lo$'
    [ "$(wherry explain | grep -c 'fsopen sysfs')" = 1 ]
}

@test "the default mounts, without a network namespace: the host's /sys stands in, read-only to its last mount" {
    with_userns
    config '.linux.namespaces |= map(select(.type != "network"))'
    inside 'awk "\$5 ~ /^\/sys/ && \$6 !~ /^ro,/ { print \"writable\", \$5 }" /proc/self/mountinfo; ls /sys/kernel >/dev/null && echo sys
        sh -c "echo x >/sys/kernel/mm/x" 2>&1; true'
    have_line '^sys$'
    have 'Read-only file system'
    have_not writable
}

@test "mqueue without an IPC namespace is left out, and the container runs" {
    with_userns
    config '.linux.namespaces |= map(select(.type != "ipc"))'
    inside 'grep -c " /dev/mqueue " /proc/self/mountinfo; echo ran'
    have_line '^0$'
    have_line '^ran$'
}

@test "the host's pid namespace: its /proc is bound" {
    with_userns
    config '.linux.namespaces |= map(select(.type != "pid")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
    inside 'cat /proc/self/uid_map; test -e /proc/1/stat && echo one'
    have_line '^ +0 +100000 +65536$'
    have_line '^one$'
}

@test "devpts with a group that is not mapped: the error says what to leave out" {
    maps '[[0, 100000, 65536]]' '[[0, 100000, 5]]'
    detached create "$CID"
    have_status 1
    have 'gid='
    have '/mounts/2'
    without_gid5
    inside 'stat -c %g /dev/pts'
    have_line '^0$'
}

@test "the default devices are the host's nodes, bound; a FIFO is made" {
    with_userns
    config '.linux.devices = [{path: "/dev/kmsg2", type: "p", fileMode: 384}, {path: "/dev/net/../zero", type: "c", major: 1, minor: 5}]'
    inside 'for d in null zero full random urandom tty; do echo "$d $(stat -c "%t:%T %F %u" /dev/$d)"; done; head -c 3 /dev/zero | wc -c; echo x >/dev/null && echo written
        stat -c "%F %a %u" /dev/kmsg2; grep -c " /dev/null " /proc/self/mountinfo'
    have_line '^null 1:3 character special file 65534$'
    have_line '^zero 1:5 character special file'
    have_line '^tty 5:0 character special file'
    have_line '^3$'
    have_line '^written$'
    have_line '^fifo 600 0$'
    have_line '^1$'
}

DEVICES='[{path: "/dev/mine", type: "c", major: 1, minor: 5, fileMode: 420, uid: 7, gid: 8}, {path: "/dev/full", type: "c", major: 1, minor: 7, fileMode: 384},
    {path: "/deep/down/null", type: "u", major: 1, minor: 3}, {path: "/dev/disk", type: "b", major: 7, minor: 0, fileMode: 25008, gid: 6}]'
# What the container sees of them.
LOOK='stat -c "%n %t:%T %F %a %u:%g" /dev/mine /dev/full /deep/down/null /dev/disk
    head -c 3 /dev/mine | wc -c; echo x >/deep/down/null && echo written; head -c 1 /dev/full | wc -c; chmod 640 /dev/full && stat -c "now %a" /dev/full
    awk '"'"'$5 ~ "/dev/mine|/dev/full|/deep" { print "mounted", $5, $6 }'"'"' /proc/self/mountinfo'
have_devices() {
    have_line '^/dev/mine 1:5 character special file 644 7:8$'
    have_line '^/dev/full 1:7 character special file 600 0:0$'
    have_line '^/deep/down/null 1:3 character special file 666 0:0$'
    have_line '^/dev/disk 7:0 block special file 660 0:6$'
    have_line '^3$'
    have_line '^written$'
    have_line '^1$'
    have_line '^now 640$'
    [ "$(grep -c '^mounted .* rw,nosuid,noexec' <<<"$output")" = 3 ]
}

@test "devices of the configuration have the path, the mode and the owner that it names, and are not the host's nodes" {
    with_userns
    config ".linux.devices = $DEVICES"
    stat -c '%n %a %u:%g %i' /dev/zero /dev/full /dev/null >"$BATS_TEST_TMPDIR/nodes"
    cat /proc/self/mountinfo >"$BATS_TEST_TMPDIR/mounts"
    inside "$LOOK"
    have_devices
    cmp /proc/self/mountinfo "$BATS_TEST_TMPDIR/mounts"
    stat -c '%n %a %u:%g %i' /dev/zero /dev/full /dev/null | cmp - "$BATS_TEST_TMPDIR/nodes"
    # In a user namespace that is joined, whose maps the configuration does not say.
    pod
    join user
    inside "$LOOK"
    have_devices
}

@test "a device whose owner is not mapped is nobody's, with a warning" {
    with_userns
    config '.linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 5, uid: 70000, gid: 80000}]'
    inside 'stat -c "%u:%g" /dev/mine; head -c 3 /dev/mine | wc -c'
    have_line '^65534:65534$'
    have_line '^3$'
    have '/linux/devices/0: device /dev/mine gets no owner: the user namespace of the container does not map uid 70000'
    have '/linux/devices/0: device /dev/mine gets no group: the user namespace of the container does not map gid 80000'
}

@test "root of the host mapped, and CAP_SYS_ADMIN: the devices are the container's own" {
    maps '[[0, 0, 65536]]'
    config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN", "CAP_CHOWN", "CAP_FOWNER"])'
    stat -c '%n %a %u:%g %Z' /dev/null >"$BATS_TEST_TMPDIR/nodes"
    inside 'stat -c "%t:%T %a %u:%g" /dev/null; echo x >/dev/null && echo written; chmod 600 /dev/null;
        chown 3:3 /dev/null; stat -c "now %a %u:%g" /dev/null'
    have_line '^1:3 666 0:0$'
    have_line '^written$'
    have_line '^now 600 3:3$'
    stat -c '%n %a %u:%g %Z' /dev/null | cmp - "$BATS_TEST_TMPDIR/nodes"
}

@test "where mknod is refused, the host's node of the same path is bound, if it is the same device" {
    with_userns
    config '.linux.devices = [{path: "/dev/zero", type: "c", major: 1, minor: 5}]'
    shell_is 'stat -c "%t:%T %u" /dev/zero'
    without=(setpriv --bounding-set -mknod --inh-caps -mknod)
    run "${without[@]}" "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 0
    have_line '^1:5 65534$'
    config '.linux.devices = [{path: "/dev/wherry-none", type: "c", major: 1, minor: 5}]'
    run "${without[@]}" "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 1
    have '/linux/devices/0: bind the host'"'"'s /dev/wherry-none'
    have 'the host has no such device'
    config '.linux.devices = [{path: "/dev/full", type: "c", major: 1, minor: 5}]'
    run "${without[@]}" "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 1
    have '/linux/devices/0'
    have 'the host'"'"'s node is another device'
}

@test "cgroup: the container's own directory is its root, with and without a cgroup namespace" {
    with_userns
    inside 'cat /proc/self/cgroup; ls /sys/fs/cgroup | head -n 3; mkdir /sys/fs/cgroup/x 2>/dev/null || echo no'
    have_line '^0::/$'
    have_line '^no$'
    config '.linux.namespaces |= map(select(.type != "cgroup"))'
    inside 'ls /sys/fs/cgroup >/dev/null && echo shown; mkdir /sys/fs/cgroup/x 2>/dev/null || echo no'
    have_line '^shown$'
    have_line '^no$'
}

@test "read-only root, masks and read-only paths hold in a user namespace" {
    with_userns
    config '.root.readonly = true'
    inside 'touch /x 2>&1; cat /proc/kcore; sh -c "echo 1 >/proc/sys/kernel/core_uses_pid" 2>&1; ls /sys/firmware | wc -l'
    have 'touch: /x: Read-only file system'
    have_line '^0$'
}

# ---------------------------------------------------------------- joined

@test "join a user namespace alone; the rest is new and belongs to it" {
    with_userns
    pod
    join user
    inside 'readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u; cat /proc/self/uid_map; ls -l /dev/null; hostname'
    have "$(ns_of user)"
    have_not "$(ns_of net)"
    have_line '^ +0 +100000 +65536$'
}

@test "join all of a pod's namespaces but the mounts" {
    with_userns
    config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 1000000}}'
    pod
    config 'del(.hostname, .linux.timeOffsets)'
    join user network ipc uts pid time cgroup
    inside 'for n in user net ipc uts pid time cgroup; do echo "$n $(readlink /proc/self/ns/$n)"; done; ps | grep -c "[s]leep 1000"; cut -d. -f1 /proc/uptime'
    for n in user net ipc uts pid time cgroup; do have_line "^$n $(ns_of "$n" | sed 's/[][]/\\&/g')\$"; done
    have_line '^1$'
    [ "${lines[-1]}" -gt 1000000 ]
}

@test "join a pod's mount namespace, with its user namespace: the root that it has" {
    with_userns
    echo pod >"$BUNDLE/rootfs/which"
    pod
    config '.mounts = [] | del(.hostname, .linux.maskedPaths, .linux.readonlyPaths) | .root.path = "/" |
        .root.readonly = false'
    join user mount pid network ipc uts cgroup
    inside 'cat /which; id -u; ls -d /proc/self; ps | grep -c "[s]leep 1000"'
    have_line '^pod$'
    have_line '^0$'
    have_line '^1$'
}

@test "a joined user namespace with a time namespace of one's own, and its offsets" {
    with_userns
    pod
    join user
    config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 6000000}}'
    inside 'cut -d. -f1 /proc/uptime; readlink /proc/self/ns/user'
    [ "${lines[0]}" -gt 6000000 ]
    have "$(ns_of user)"
}

@test "a joined user namespace, and a network namespace of the host's, and one of the pod's" {
    with_userns
    pod
    unshare -n sleep 1000 3>&- 4>&- &
    other=$!
    for ((i = 0; i < 100; i++)); do [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break; sleep 0.02; done
    join user ipc
    config '.linux.namespaces |= map(if .type == "network" then .path = "/proc/'$other'/ns/net" else . end)'
    config '(.mounts[] | select(.type == "sysfs")) |= {destination, type: "none", source: "/sys", options: ["rbind", "ro"]}'
    shell_is 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; readlink /proc/self/ns/user'
    net=$(readlink "/proc/$other/ns/net")
    run wherry run "$CID" </dev/null
    kill $other
    wait $other || true
    have_status 0
    have "$net"
    have "$(ns_of ipc)"
    have "$(ns_of user)"
}

@test "a new user namespace, and the host's network namespace by path: /sys is the host's" {
    with_userns
    config '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/net" else . end)'
    inside 'readlink /proc/self/ns/net; ls -d /sys/kernel; grep " /sys " /proc/self/mountinfo'
    have "$(readlink /proc/self/ns/net)"
    have_line ' /sys ro,'
}

@test "groups in a joined user namespace" {
    with_userns
    pod
    join user
    config '.process.user = {uid: 5, gid: 6, additionalGids: [7]}'
    inside 'id -u; id -G'
    have_line '^5$'
    have_line '^6 7$'
}

@test "a joined user namespace does not map the id: the error says so" {
    maps '[[0, 100000, 10]]'
    pod
    join user
    config '.process.user = {uid: 50, gid: 0}'
    refused 'the id is not mapped in the user namespace' '/process/user'
}

# ---------------------------------------------------------------- time

@test "time offsets, in a user namespace and without" {
    config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 5000000}, monotonic: {secs: 100, nanosecs: 5}}'
    for kind in without with; do
        [ $kind = without ] || with_userns
        inside 'cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets'
        [ "${lines[0]}" -gt 5000000 ]
        have_line '^monotonic +100 +5$'
        have_line '^boottime +5000000 +0$'
    done
}

@test "a time namespace joined by path" {
    config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 7000000}}'
    pod
    config 'del(.linux.timeOffsets)'
    join time
    inside 'cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time'
    [ "${lines[0]}" -gt 7000000 ]
    have "$(ns_of time)"
}

# ---------------------------------------------------------------- in a user namespace already

# nested CMD…: as root of a user namespace with all ids of ours, in a mount and pid namespace of its own.
nested() {
    unshare -U -m -p -f --kill-child --propagation private --map-users=0,0,4000000 --map-groups=0,0,4000000 --mount-proc "$@" 3>&- 4>&-
}

@test "root of a user namespace makes containers, with and without another one" {
    nested true 2>/dev/null || skip "needs an unshare that maps ranges"
    config '.mounts |= map(select(.destination != "/sys/fs/cgroup")) | del(.linux.cgroupsPath, .linux.resources) | .process.rlimits = []'
    shell_is 'id -u; cat /proc/self/uid_map; echo x >/dev/null && echo written'
    run nested "$WHERRY" --root "$ROOT" --cgroup-manager=disabled run "$CID" </dev/null
    have_status 0
    have_line '^0$'
    have_line '^written$'
    with_userns
    run nested "$WHERRY" --root "$ROOT" --cgroup-manager=disabled run "$CID" </dev/null
    have_status 0
    have_line '^ +0 +100000 +65536$'
    have_line '^written$'
}

@test "root of a user namespace: what is its own can be id-mapped, the host's cannot" {
    nested true 2>/dev/null || skip "needs an unshare that maps ranges"
    config '.mounts |= map(select(.destination != "/sys/fs/cgroup")) | del(.linux.cgroupsPath, .linux.resources) | .process.rlimits = []
        | .mounts += [{destination: "/data", source: "/mnt", options: ["bind", "idmap"], uidMappings: [{containerID: 0, hostID: 3000, size: 10}],
                       gidMappings: [{containerID: 0, hostID: 3000, size: 10}]}]'
    shell_is 'stat -c %u /data/file'
    run nested sh -c 'touch /mnt/wherry 2>/dev/null && rm /mnt/wherry; mount -t tmpfs none /mnt && touch /mnt/file && exec "$@"' sh \
        "$WHERRY" --root "$ROOT" --cgroup-manager=disabled run "$CID" </dev/null
    have_status 0
    have_line '^3000$'
    run nested "$WHERRY" --root "$ROOT" --cgroup-manager=disabled run "$CID" </dev/null
    have_status 1
    have 'id-map the mount of /mnt (it is id-mapped already, or its file system belongs to another user namespace than ours): operation not permitted'
}
