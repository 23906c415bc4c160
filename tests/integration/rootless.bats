#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# views: cgroup2
# shellcheck disable=SC2034 # FIRST and SUBIDS are for as_user
# Containers of an ordinary user: with subordinate ids and without, with a delegated cgroup and without.
load helpers
load inside
load ordinary

test_setup() { ordinary_setup; }

test_teardown() {
    if [ -n "${HOLDER:-}" ]; then kill "$HOLDER"; fi
    # An ordinary user's state directory is the user's: root does not go in there.
    [ ! -d "$ROOT/$CID" ] || mine delete -f "$CID"
    # What the test delegated; a cgroup of a container below it is in the way of rmdir, and found.
    for dir in /sys/fs/cgroup{,/unified,/pids}/"$CID"; do
        [ ! -d "$dir/here" ] || rmdir "$dir/here"
        [ ! -d "$dir" ] || rmdir "$dir"
    done
}

# ---------------------------------------------------------------- the life of a container
@test "spec --rootless runs as it is, in a terminal" {
    need script
    cp "$BATS_TEST_TMPDIR/as-written.json" config.json
    # shellcheck disable=SC2016 # for the shell in the container
    run as_user script -qec "$WHERRY run $CID" /dev/null <<<'id -u; cat /proc/self/uid_map; tty; exit 3'
    have_status 3
    have_line '^0.?$'
    have_line "^ +0 +$UID_ +1.?$"
    have_line '^/dev/(console|pts/0).?$'
}

@test "create, state, start, list, kill, delete" {
    rootless '.process.args = ["sleep", "60"]'
    run to_file mine create --pid-file "$RUN/pid" "$CID"
    have_status 0
    [ -z "$output" ]
    # The directory of the container is in $XDG_RUNTIME_DIR, and what sweeps there leaves it alone.
    [ -d "$RUN/wherry/$CID" ]
    [ "$(stat -c %a:%u "$RUN/wherry")" = "1700:$UID_" ]
    run mine state "$CID"
    [ "$(jq -r .status <<<"$output")" = created ]
    [ "$(jq -r .pid <<<"$output")" = "$(cat "$RUN/pid")" ]
    [ "$(awk '$1 == "Uid:" { print $2 }' "/proc/$(cat "$RUN/pid")/status")" = "$UID_" ]
    mine start "$CID"
    run mine list
    have_line "^$CID .* running .* $NAME_\$"
    run mine delete "$CID"
    have_status 1
    mine kill "$CID" KILL
    for _ in $(seq 100); do
        run mine state "$CID"
        [ "$(jq -r .status <<<"$output")" = stopped ] && break
        sleep 0.05
    done
    [ "$(jq -r .status <<<"$output")" = stopped ]
    mine delete "$CID"
    [ ! -e "$RUN/wherry/$CID" ]
}

@test "run -d, kill --all and delete --force" {
    rootless '.process.args = ["sh", "-c", "sleep 60 & sleep 60"]'
    run to_file mine run -d "$CID"
    have_status 0
    pid=$(mine state "$CID" | jq .pid)
    [ -d "/proc/$pid" ]
    mine kill --all "$CID" KILL
    for _ in $(seq 100); do
        [ -d "/proc/$pid" ] || break
        sleep 0.05
    done
    mine delete -f "$CID"
    run to_file mine run -d "$CID"
    have_status 0
    mine delete -f "$CID"
    run mine list -q
    [ -z "$output" ]
}

@test "exec: another process, with one id and with subordinate ones" {
    rootless '.process.args = ["sleep", "60"]'
    run to_file mine run -d "$CID"
    have_status 0
    run mine exec "$CID" sh -c 'id -u; readlink /proc/self/ns/user; readlink /proc/1/ns/user; exit 5'
    have_status 5
    have_line '^0$'
    [ "$(grep -c user: <<<"$output")" = 2 ]
    [ "$(grep user: <<<"$output" | sort -u | wc -l)" = 1 ]
    mine delete -f "$CID"
    need newuidmap
    subids
    run to_file mine run -d "$CID"
    have_status 0
    run mine exec -u 1000:1000 -g 7 "$CID" id
    have_status 0
    have_line '^uid=1000(\(user\))? gid=1000(\(user\))? groups=7$'
    mine delete -f "$CID"
}

@test "the exit status is passed through" {
    user_shell 'exit 7'
    have_status 7
}

@test "a state root of another user is not entered" {
    rm -rf "$RUN/wherry"
    mkdir -m 777 "$RUN/wherry"
    run mine list
    have_status 1
    have "state root $RUN/wherry belongs to uid 0, mode 0777: others could write to it"
}

@test "without XDG_RUNTIME_DIR the error says what to set" {
    run as_user env -u XDG_RUNTIME_DIR "$WHERRY" run "$CID"
    have_status 1
    have "the state root /run/wherry: permission denied (set XDG_RUNTIME_DIR to a directory of this user's, or give --root)"
    run as_user env -u XDG_RUNTIME_DIR "$WHERRY" --root "$RUN/mine" run "$CID"
    have_status 0
}

# ---------------------------------------------------------------- ids
@test "one id: groups are denied, the user is root inside and nobody else" {
    user_shell 'id; cat /proc/self/setgroups; grep -E "^(Groups|CapBnd|NoNewPrivs)" /proc/self/status; ls -ln / | grep " bin$"'
    have_status 0
    have_line '^uid=0\(root\) gid=0\(root\)'
    have_line '^deny$'
    have_line '^CapBnd:.*20000420$'
    have_line ' 0 +0 .* bin$'
}

@test "subordinate ids, through newuidmap and newgidmap" {
    need newuidmap newgidmap
    subids
    rootless '.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 77] } | .root.readonly = false'
    user_shell 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -G; cat /proc/self/setgroups; touch /tmp/mine'
    have_status 0
    [ "$(grep -cE '^ +1 +200000 +65536$' <<<"$output")" = 2 ]
    have_line '^1000 5 77$'
    have_line '^allow$'
    [ "$(stat -c %u:%g rootfs/tmp/mine)" = 200999:200999 ]
}

@test "a range outside of /etc/subuid: the error names the line, and the command that adds it" {
    need newuidmap usermod
    subids
    rootless '.linux.uidMappings[1].hostID = 300000'
    user_refused "newuidmap refused the map: /etc/subuid has no line $NAME_:300000:65536 for the host's uids 300000-365535 (usermod --add-subuids 300000-365535 $NAME_): operation not permitted"
    subids
    rootless '.linux.gidMappings[1].size = 70000'
    user_refused "newgidmap refused the map: /etc/subgid has no line $NAME_:265536:4464 for the host's gids 265536-269999 (usermod --add-subgids 265536-269999 $NAME_): operation not permitted"
    SUBIDS=
    subids
    user_refused "/etc/subuid has no line $NAME_:200000:65536"
    # Ranges that meet are as good as one; a number is as good as a name.
    SUBIDS="$UID_:200000:40000
$NAME_:240000:25536"
    user_runs
    have_status 0
}

@test "newuidmap is missing, or gains no rights" {
    need newuidmap
    subids
    run as_user env PATH=/nonexistent "$WHERRY" run "$CID"
    have_status 1
    have "id maps need newuidmap, which is not in \$PATH (package uidmap): operation not permitted"
    run as_user setpriv --no-new-privs "$WHERRY" run "$CID"
    have_status 1
    have "newuidmap refused the map: no_new_privs is set for the caller, and it gains no rights"
    mkdir -m 755 "$BATS_TEST_TMPDIR/bin"
    install -m 755 "$(type -P newuidmap)" "$BATS_TEST_TMPDIR/bin/newuidmap"
    run as_user env PATH="$BATS_TEST_TMPDIR/bin:$PATH" "$WHERRY" run "$CID"
    have_status 1
    have "newuidmap refused the map: it is neither set-uid nor has file capabilities (chmod u+s"
}

@test "ids that are not mapped are refused by name" {
    rootless '.process.user = { uid: 1000, gid: 1000 }'
    user_refused "/process/user/uid: cannot setuid to unmapped uid 1000 in user namespace"
    rootless '.process.user = { uid: 0, gid: 0, additionalGids: [0] }'
    user_refused "/process/user/additionalGids: cannot set any additional groups in a rootless container"
    rootless 'del(.process.user.additionalGids) | .mounts += [ { destination: "/mnt", type: "tmpfs", options: ["uid=0", "gid=5"] } ]'
    user_refused "/mounts/7: cannot mount /mnt with gid=5: gid 5 is not mapped in the user namespace (leave the option out, or map it)"
}

@test "without a user namespace in the configuration" {
    rootless '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
    user_refused "rootless container requires user namespaces (wherry spec --rootless writes a configuration that has one)"
    rootless '.linux.namespaces += [ { type: "user" } ]'
    user_refused "a new user namespace needs uidMappings and gidMappings"
}

@test "joins a user namespace and what it owns" {
    as_user unshare -Urn --mount-proc -pm --fork sleep 60 3>&- 4>&- &
    HOLDER=$!
    for _ in $(seq 100); do
        pid=$(ps -o pid= --ppid "$(ps -o pid= --ppid "$HOLDER" | tr -d ' ')" 2>/dev/null | tr -d ' ')
        [ -n "$pid" ] || pid=$(ps -o pid= --ppid "$HOLDER" | tr -d ' ')
        [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm")" = sleep ] && break
        sleep 0.05
    done
    [ "$(cat "/proc/$pid/comm")" = sleep ]
    HOLDER=$pid
    rootless '.linux.namespaces |= (map(if .type == "user" then .path = $u else . end) + [ { type: "network", path: $n } ])
        | del(.linux.uidMappings, .linux.gidMappings)' --arg u "/proc/$pid/ns/user" --arg n "/proc/$pid/ns/net"
    user_shell 'readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u'
    have_status 0
    have "$(readlink "/proc/$pid/ns/user")"
    have "$(readlink "/proc/$pid/ns/net")"
    have_line '^0$'
}

# ---------------------------------------------------------------- mounts, devices, limits
@test "the default mounts and devices, bound where the kernel refuses new ones" {
    user_shell 'for d in null zero full random urandom tty; do [ -c /dev/$d ] || echo no $d; done; echo x >/dev/null
        grep -c . /dev/mqueue/../../proc/self/mountinfo >/dev/null && awk "\$5 == \"/sys\" || \$5 == \"/proc\" || \$5 == \"/dev/mqueue\" { print \$5, \$6 }" /proc/self/mountinfo; ls /proc | grep -c "^[0-9]"'
    have_status 0
    have_not "no "
    have_line '^/proc rw'
    have_line '^/sys ro,nosuid,nodev,noexec'
    have_line '^/dev/mqueue rw,nosuid,nodev,noexec'
}

@test "sysfs: a new one with a network namespace of its own, the host's without" {
    rootless '.mounts |= map(if .destination == "/sys" then { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] } else . end)'
    user_shell 'awk "\$5 == \"/sys\" { print \$6 }" /proc/self/mountinfo'
    have_status 0
    have_line '^ro'
    rootless '.linux.namespaces += [ { type: "network" } ]'
    user_shell 'ls /sys/class/net'
    have_status 0
    [ "$output" = lo ]
}

@test "proc below a masked /proc is refused with what to do, and bound without a pid namespace" {
    FIRST='mount --bind /dev/null /proc/timer_list'
    user_refused "/mounts/0: mount proc on /proc:" "operation not permitted" "bind /proc instead"
    rootless '.linux.namespaces |= map(select(.type != "pid"))'
    user_shell 'cat /proc/timer_list | wc -c'
    have_status 0
    [ "$output" = 0 ]
}

@test "mqueue without an IPC namespace is left out" {
    rootless '.linux.namespaces |= map(select(.type != "ipc")) | .linux.maskedPaths = []'
    user_shell 'grep -c " /dev/mqueue " /proc/self/mountinfo; true'
    have_status 0
    [ "$output" = 0 ]
}

@test "binds, a tmpfs, an overlay; a directory that only the host's user may enter" {
    mkdir "$BATS_TEST_TMPDIR"/{data,lower,upper,work}
    echo text >"$BATS_TEST_TMPDIR/data/file"
    chmod 700 "$BATS_TEST_TMPDIR/data"
    chown -R "$UID_" "$BATS_TEST_TMPDIR"/{data,lower,upper,work}
    rootless '.mounts += [ { destination: "/a", type: "bind", source: ($d + "/data"), options: ["rbind", "ro"] },
        { destination: "/b", type: "tmpfs", source: "tmpfs", options: ["nosuid", "uid=0", "mode=700"] },
        { destination: "/c", type: "overlay", source: "overlay",
          options: [ "lowerdir=" + $d + "/lower", "upperdir=" + $d + "/upper", "workdir=" + $d + "/work" ] } ]' --arg d "$BATS_TEST_TMPDIR"
    user_shell 'cat /a/file; echo x >/a/no; echo y >/b/f && cat /b/f; echo z >/c/f && cat /c/f'
    have_status 0
    have_line '^text$'
    have "Read-only file system"
    have_line '^y$'
    have_line '^z$'
    [ "$(cat "$BATS_TEST_TMPDIR/upper/f")" = z ]
    chown root "$BATS_TEST_TMPDIR/data"
    rootless '.mounts |= map(if .destination == "/a" then .source += "/file" else . end)'
    user_refused "/mounts/7: bind $BATS_TEST_TMPDIR/data/file on /a: open_tree: permission denied"
}

@test "a mount point that is missing in somebody else's rootfs" {
    rmdir rootfs/proc
    chown root rootfs
    user_refused "/mounts/0: mount on /proc" "mkdirat: permission denied" "the rootfs lacks the mount point, and its owner is not the container's root"
    chown "$UID_" rootfs
    user_runs
    have_status 0
}

@test "oom_score_adj, rlimits, a sysctl, a time namespace, the keyring" {
    rootless '.process.oomScoreAdj = 500 | .process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 100, hard: 200 } ]
        | .linux.sysctl = { "kernel.msgmax": "4242" } | .linux.namespaces += [ { type: "time" } ]
        | .linux.timeOffsets = { monotonic: { secs: 1000 } }'
    user_shell 'cat /proc/self/oom_score_adj; ulimit -S -n; ulimit -H -n; cat /proc/sys/kernel/msgmax; grep monotonic /proc/self/timens_offsets'
    have_status 0
    [ "$(head -4 <<<"$output")" = "500
100
200
4242" ]
    have_line '^monotonic +1000'
    rootless '.process.oomScoreAdj = -500'
    user_refused "/process/oomScoreAdj: write -500 to /proc/self/oom_score_adj: permission denied (a score below the caller's own needs CAP_SYS_RESOURCE)"
    rootless 'del(.process.oomScoreAdj) | .process.rlimits = [ { type: "RLIMIT_NOFILE", soft: 100, hard: 1000000000 } ]'
    user_refused "/process/rlimits/0: raise the limit RLIMIT_NOFILE to at least 1000000000" "CAP_SYS_RESOURCE"
}

@test "a seccomp filter, with and without noNewPrivileges" {
    rootless '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 } ] }'
    user_shell 'mkdir /dev/shm/x'
    have_status 1
    have "Operation not supported"
    rootless '.process.noNewPrivileges = false'
    user_shell 'mkdir /dev/shm/x; grep Seccomp: /proc/self/status'
    have "Operation not supported"
    have_line '^Seccomp:.*2$'
}

@test "what needs root of the host is refused by name" {
    mkdir "$BATS_TEST_TMPDIR/data"
    cp config.json "$BATS_TEST_TMPDIR/base.json"
    rootless '.mounts += [ { destination: "/a", type: "bind", source: $d, options: ["rbind", "idmap"] } ]' --arg d "$BATS_TEST_TMPDIR/data"
    user_refused "/mounts/7/options/1: an idmapped mount needs root of the host: it is not possible for a rootless container"
    cp "$BATS_TEST_TMPDIR/base.json" config.json
    rootless '.process.scheduler = { policy: "SCHED_FIFO", priority: 5 }'
    user_refused "/process/scheduler: set scheduling policy SCHED_FIFO: operation not permitted" "CAP_SYS_NICE"
    rootless 'del(.process.scheduler) | .process.ioPriority = { class: "IOPRIO_CLASS_RT", priority: 1 }'
    user_refused "/process/ioPriority: set I/O priority IOPRIO_CLASS_RT: operation not permitted"
    rootless '.process.scheduler = { policy: "SCHED_BATCH", nice: 5 } | .process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 7 }'
    user_shell 'cut -d" " -f19 /proc/self/stat'
    have_status 0
    [ "$output" = 5 ]
}

@test "hooks of the runtime's namespaces are run as the user" {
    rootless '.hooks = { createRuntime: [ { path: "/bin/sh", args: ["sh", "-c", $s] } ], poststop: [ { path: "/bin/sh", args: ["sh", "-c", $s] } ] }' \
        --arg s "id -u >>$RUN/hook"
    user_runs
    have_status 0
    [ "$(cat "$RUN/hook")" = "$UID_
$UID_" ]
}

# ---------------------------------------------------------------- cgroups
NO_CGROUP="rootless needs no limits + no cgrouppath when no permission is granted for cgroups (start it in a cgroup that is yours: systemd-run --user --scope -p Delegate=yes"

@test "no cgroup may be made: it runs without, unless something asks for one" {
    user_shell 'cat /proc/self/status >/dev/null; echo ran'
    have_status 0
    rootless '.linux.resources = { pids: { limit: 10 } }'
    user_refused "/linux/resources/pids/limit: $NO_CGROUP"
    # Nothing is limited by these.
    rootless '.linux.resources = { pids: { limit: -1 }, devices: [ { allow: false, access: "rwm" } ] }'
    user_runs
    have_status 0
    rootless 'del(.linux.resources) | .linux.cgroupsPath = "/wt-of-root"'
    user_refused "/linux/cgroupsPath: $NO_CGROUP"
}

@test "--rootless: false insists on a cgroup, true and auto do not" {
    for value in true auto; do
        run mine --rootless=$value run "$CID"
        have_status 0
    done
    run mine --rootless false run "$CID"
    have_status 1
    have "make cgroup /"
    have "permission denied (it is not delegated to this user"
    run mine --rootless=sometimes run "$CID"
    have_status 1
    have "invalid rootless: sometimes (want true, false or auto)"
}

# Root makes /$CID in the cgroup2 hierarchy, the user's, and the command runs in /$CID/here; in a view where cgroup2 is all there is.
delegated='umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; cg=/sys/fs/cgroup/'
made='mkdir -p $cg/here; chown $id $cg $cg/here $cg/cgroup.procs $cg/cgroup.subtree_control $cg/here/cgroup.procs'

# bats test_tags=vm
@test "a delegated part of cgroup2: the container's cgroup is there, seen as the root, and goes with it" {
    need cgroup2
    FIRST="id=$UID_; $delegated$CID; $made; echo \$\$ >\$cg/here/cgroup.procs"
    rootless '.linux.namespaces |= map(select(.type != "cgroup"))'
    user_shell 'grep ^0:: /proc/self/cgroup'
    have_status 0
    [ "$output" = "0::/$CID/$CID" ]
    rootless '.linux.namespaces += [ { type: "cgroup" } ]'
    user_shell 'grep ^0:: /proc/self/cgroup; grep -c "" /sys/fs/cgroup/cgroup.procs'
    have_status 0
    have_line '^0::/$'
    run find /sys/fs/cgroup -type d -path "*$CID/$CID*"
    [ -z "$output" ]
    # exec is born there too, and kill --all reaches everything in it.
    rootless '.linux.namespaces |= map(select(.type != "cgroup")) | .process.args = ["sh", "-c", "sleep 60 & sleep 60"]'
    run to_file mine run -d "$CID"
    have_status 0
    run mine exec "$CID" grep ^0:: /proc/self/cgroup
    have_status 0
    [ "$output" = "0::/$CID/$CID" ]
    mine delete -f "$CID"
    run find /sys/fs/cgroup -type d -path "*$CID/$CID*"
    [ -z "$output" ]
    # In the delegated cgroup itself: below it. The runs above have turned controllers on there, and such a cgroup takes no process.
    FIRST="id=$UID_; $delegated$CID; $made; for c in \$(cat \$cg/cgroup.subtree_control); do echo -\$c >\$cg/cgroup.subtree_control; done; echo \$\$ >\$cg/cgroup.procs"
    rootless '.linux.namespaces |= map(select(.type != "cgroup")) | .linux.cgroupsPath = $p' --arg p "/$CID/a/b"
    user_shell 'grep ^0:: /proc/self/cgroup'
    have_status 0
    [ "$output" = "0::/$CID/a/b" ]
    # A limit needs a controller in the cgroup that the caller is in: the kernel would take this one, and let no process into what is below.
    grep -qw pids /sys/fs/cgroup/cgroup.controllers || return 0
    rootless '.linux.resources = { pids: { limit: 10 } }'
    user_refused "turn on controllers +pids below cgroup /$CID: it has processes of its own"
}

# bats test_tags=vm
@test "a delegated part of cgroup2, on the outside: what is missing is told" {
    need cgroup2
    FIRST="id=$UID_; $delegated$CID; $made"
    rootless '.linux.cgroupsPath = $p' --arg p "/$CID/box"
    user_refused "create a process for wherry-init in its cgroup: permission denied (the caller's own cgroup is outside of what is delegated"
    FIRST="id=$UID_; $delegated$CID; $made; echo \$\$ >\$cg/here/cgroup.procs; grep -qw pids \$cg/cgroup.controllers && echo -pids >\$cg/../cgroup.subtree_control || true"
    rootless 'del(.linux.cgroupsPath) | .linux.resources = { pids: { limit: 10 } }'
    user_runs
    case $output in *"pids limit 10: the cgroup controller pids is not delegated to this user"*) ;; *) have_status 0 ;; esac
}

@test "a delegated part of every hierarchy of a hybrid host: limits work" {
    need hybrid
    [ -d /sys/fs/cgroup/pids ] && [ -d /sys/fs/cgroup/unified ] || skip "needs a pids hierarchy beside cgroup2"
    FIRST="id=$UID_; cg=/sys/fs/cgroup/unified/$CID; $made; echo \$\$ >\$cg/here/cgroup.procs"
    rootless '.linux.resources = { pids: { limit: 7 } }'
    user_refused "make cgroup /sys/fs/cgroup/pids/$CID: permission denied (it is not delegated to this user: leave out what needs it, or have it made and chowned)"
    FIRST="$FIRST; mkdir -p /sys/fs/cgroup/pids/$CID; chown $UID_ /sys/fs/cgroup/pids/$CID"
    rootless '.mounts |= map(select(.destination != "/sys/fs/cgroup"))'
    user_shell 'cat /sys/fs/cgroup/pids/'"$CID/$CID"'/pids.max; for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'
    have_line '^7$'
    have "fork"
    run find /sys/fs/cgroup -type d -path "*$CID/$CID*"
    [ -z "$output" ]
}

# ---------------------------------------------------------------- root of a user namespace, as engines without privileges are
nested() { as_user unshare -Urm "$@" 3>&- 4>&-; }
in_nested() {
    rootless '.process.args = ["sh", "-c", $s]' --arg s "$1"
    run nested "$WHERRY" run "$CID" </dev/null
}

@test "root of a user namespace: no user namespace, one of its own, and one in a foreign mount namespace" {
    cp config.json "$BATS_TEST_TMPDIR/base.json"
    rootless '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
    in_nested 'id -u; cat /proc/self/uid_map'
    have_status 0
    have_line "^ +0 +$UID_ +1$"
    rootless '.linux.namespaces += [ { type: "user" } ] | .linux.uidMappings = [ { containerID: 0, hostID: 0, size: 1 } ] | .linux.gidMappings = .linux.uidMappings'
    in_nested 'id -u; cat /proc/self/uid_map; ls /sys'
    have_status 0
    have_line '^ +0 +0 +1$'
    # Without -m the mounts are the host's, of which this root may clone none.
    run as_user unshare -Ur "$WHERRY" run "$CID"
    have_status 0
    have_line '^ +0 +0 +1$'
}

@test "root of a user namespace: the state root is not /run/wherry" {
    rootless '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings) | .process.args = ["sleep", "60"]'
    run to_file nested "$WHERRY" create "$CID"
    have_status 0
    [ -d "$RUN/wherry/$CID" ]
    nested "$WHERRY" delete -f "$CID"
    [ ! -d "$RUN/wherry/$CID" ]
}

@test "root of a user namespace: what it cannot have is refused by name" {
    rootless '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings) | .process.user = { uid: 5, gid: 0 }'
    in_nested true
    have_status 1
    have "/process/user: setresgid 0, setresuid 5"
    have "the id is not mapped in the user namespace"
    rootless '.process.user = { uid: 0, gid: 0, additionalGids: [1] }'
    in_nested true
    have_status 1
    have "cannot set any additional groups in a rootless container"
    rootless 'del(.process.user.additionalGids) | .linux.resources.pids.limit = 5'
    in_nested true
    have_status 1
    have "$NO_CGROUP"
}

@test "a /proc of another pid namespace is told, not misread" {
    rootless '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
    run as_user unshare -Urpm --fork "$WHERRY" run "$CID"
    have_status 1
    have "/proc shows another pid namespace than the caller's: mount a proc file system there first (unshare --mount-proc)"
    run as_user unshare -Urpm --fork --mount-proc "$WHERRY" run "$CID"
    have_status 0
}
