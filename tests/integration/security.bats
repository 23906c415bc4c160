#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The invariants of docs/DESIGN.md, each against a rootfs, a payload or a caller that would break it.
load helpers
load inside

test_setup() { need root; }

# ---------------------------------------------------------------- I1: nothing of a rootfs leads out of it
# hostile PATH: PATH of the rootfs is a symbolic link to a directory of the host; whatever happens, nothing in that changes.
hostile() {
    mkdir -p outside
    echo mine >outside/mark
    rm -rf "rootfs/$1"
    mkdir -p "$(dirname "rootfs/$1")"
    ln -s "$PWD/outside" "rootfs/$1"
    find outside -printf '%p %y %m %U:%G %s\n' | sort >before
    shell_is "mount; echo x >/$1/written 2>/dev/null; true"
    run wherry run "$CID" </dev/null
    find outside -printf '%p %y %m %U:%G %s\n' | sort >after
    diff before after
    have_not "$PWD/outside/mark"
}

@test "I1: every target of the default mounts and devices as a link out of the rootfs" {
    local target
    for target in dev dev/pts dev/shm dev/mqueue proc sys sys/fs sys/fs/cgroup; do
        rm -rf rootfs/dev rootfs/proc rootfs/sys
        mkdir -p rootfs/dev rootfs/proc rootfs/sys
        hostile "$target"
    done
}

@test "I1: the same with links that climb by .." {
    local target
    for target in dev proc sys; do
        rm -rf "rootfs/$target"
        mkdir -p "$BATS_TEST_TMPDIR/out"
        ln -s "../../out" "rootfs/$target"
        command_is /bin/true
        run wherry run "$CID" </dev/null
        [ -z "$(ls -A "$BATS_TEST_TMPDIR/out")" ]
        rm "rootfs/$target"
        mkdir "rootfs/$target"
    done
}

@test "I1: targets of mounts, devices, masks, the working directory and tmpcopyup" {
    mkdir -p outside
    echo mine >outside/mark
    ln -s "$PWD/outside" rootfs/link
    config '.process.cwd = "/link/cwd" | .linux.devices = [{path: "/link/dev", type: "c", major: 1, minor: 5}]
        | .linux.maskedPaths += ["/link/mark"] | .linux.readonlyPaths += ["/link"]'
    add_mount /link/mnt tmpfs tmpfs mode=755
    add_mount /link/file bind "$PWD/config.json" bind
    command_is /bin/true
    run wherry run "$CID" </dev/null
    [ "$(ls -A outside)" = mark ]
    [ "$(cat outside/mark)" = mine ]
}

@test "I1: files, FIFOs and devices where directories should be" {
    local target
    for target in dev proc sys; do
        rm -rf "rootfs/$target"
        mkfifo "rootfs/$target"
        command_is /bin/true
        run timeout 20 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&-
        have_status 1
        have "not a directory"
        rm "rootfs/$target"
        echo text >"rootfs/$target"
        run wherry run "$CID" </dev/null
        have_status 1
        [ "$(cat "rootfs/$target")" = text ]
        rm "rootfs/$target"
        mkdir "rootfs/$target"
    done
}

@test "I1: a loop of links ends" {
    ln -s loop2 rootfs/loop1
    ln -s loop1 rootfs/loop2
    add_mount /loop1/x tmpfs tmpfs mode=755
    run timeout 20 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&-
    have_status 1
    have "too many levels of symbolic links"
}

@test "I1: names in /dev that are there already, as links to the host" {
    mkdir outside
    echo mine >outside/null
    config 'del(.mounts[] | select(.destination | startswith("/dev")))'
    rm -rf rootfs/dev
    mkdir rootfs/dev
    ln -s "$PWD/outside/null" rootfs/dev/null
    ln -s "$PWD/outside/made" rootfs/dev/zero
    command_is /bin/true
    run wherry run "$CID" </dev/null
    [ "$(ls -A outside)" = null ]
    [ "$(cat outside/null)" = mine ]
}

# ---------------------------------------------------------------- I3: procfs is procfs
@test "I3: /proc is checked: a link to another file system is not written to" {
    # Labels, sysctl and oom_score_adj would otherwise be written to files of the attacker's choice.
    mkdir -p rootfs/fake/sys/net/ipv4 rootfs/fake/self
    echo 0 >rootfs/fake/sys/net/ipv4/ip_forward
    rm -rf rootfs/proc
    ln -s /fake rootfs/proc
    config '.linux.sysctl = {"net.ipv4.ip_forward": "1"} | .process.oomScoreAdj = 100'
    command_is /bin/true
    run wherry run "$CID" </dev/null
    [ "$(cat rootfs/fake/sys/net/ipv4/ip_forward)" = 0 ]
    [ ! -e rootfs/fake/self/oom_score_adj ]
}

@test "I3: sysctl without a /proc in the container go to the kernel all the same" {
    config 'del(.mounts[] | select(.destination == "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []
        | .linux.sysctl = {"kernel.shmmax": "7654321"}'
    shell_is 'ls -A /proc; ipcs -l 2>/dev/null | grep -i "max seg size"; true'
    run wherry run "$CID" </dev/null
    have_status 0
    [ ! -e rootfs/proc/sys ]
}

# ---------------------------------------------------------------- I4: the runtime's own files
@test "I4: /proc/self/exe as the entry point, itself and through #!" {
    cp "$WHERRY" wherry.before
    local before
    before=$(sha256sum <"$WHERRY")
    command_is /proc/self/exe --version
    run timeout 20 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&-
    [ "$status" != 0 ]
    have_not "wherry version"
    printf '#!/proc/self/exe\n' >rootfs/script
    chmod +x rootfs/script
    command_is /script
    run timeout 20 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&-
    [ "$status" != 0 ]
    [ "$(sha256sum <"$WHERRY")" = "$before" ]
}

@test "I4: the program of a created container is a sealed file in memory" {
    to_file wherry create "$CID"
    pid=$(pid_of "$CID")
    exe=$(readlink "/proc/$pid/exe")
    [[ $exe == *memfd:* || $exe == *deleted* ]]
    [[ $exe != "$(realpath "$WHERRY")"* ]]
    run bash -c 'echo x >>/proc/'"$pid"'/exe'
    [ "$status" != 0 ]
    run cat "/proc/$pid/maps"
    have_not "$(realpath "$WHERRY")"
    have_not libc
    have_not libyajl
}

@test "I4: a created container has nothing mapped but its image, its plan and its mailbox" {
    to_file wherry create "$CID"
    pid=$(pid_of "$CID")
    # Address, permissions, name: anonymous memory and what the kernel gives to each process have no file.
    run awk 'NF > 5 { $1 = $2 = $3 = $4 = $5 = ""; sub(/^ */, ""); print }' "/proc/$pid/maps"
    while read -r name; do
        case $name in
        "[stack]" | "[vdso]" | "[vvar"* | "[vsyscall]" | "[heap]" | "") ;;
        */memfd:*) ;;
        "$ROOT/$CID/"*) ;;
        *) echo "mapped: $name"; return 1 ;;
        esac
    done <<<"$output"
    rss=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status")
    echo "RSS $rss kB"
    [ "$rss" -le 120 ]
}

# ---------------------------------------------------------------- I5: out of reach
@test "I5: init is not dumpable before the payload is executed" {
    config '.process.user = {uid: 1000, gid: 1000}'
    to_file wherry create "$CID"
    pid=$(pid_of "$CID")
    # The kernel gives the files of a process that is not dumpable to root.
    [ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" = 1000 ]
    [ "$(stat -c %u "/proc/$pid/fd")" = 0 ]
    [ "$(stat -c %u "/proc/$pid/mem")" = 0 ]
    run setpriv --reuid 1000 --regid 1000 --clear-groups ls -l "/proc/$pid/cwd/" "/proc/$pid/exe"
    have_status 2
}

@test "I5: a created container holds no descriptor of the host but its stdio and what was asked for" {
    command_is sleep 100
    bash -c 'exec 5<. 7</dev/zero; "$0" --root "$1" create "$2" </dev/null >/dev/null 2>/dev/null 3>&- 4>&-' "$WHERRY" "$ROOT" "$CID"
    pid=$(pid_of "$CID")
    for fd in /proc/"$pid"/fd/*; do
        target=$(readlink "$fd")
        echo "${fd##*/} -> $target"
        case ${fd##*/}:$target in
        [012]:/dev/null) ;;
        # The socket that start comes to, and handles of the container's own tree and procfs.
        *:socket:* | *:/memfd:*) ;;
        # Of init itself: the signals that end it while it waits.
        *:'anon_inode:[signalfd]') signalfds=$((${signalfds:-0} + 1)) ;;
        *:/proc) ;;
        *:/) [ "$(stat -L -c %d:%i "$fd")" = "$(stat -c %d:%i rootfs)" ] ;;
        *:"$PWD/rootfs") ;;
        *) echo "unexpected"; return 1 ;;
        esac
    done
    [ "${signalfds:-0}" = 1 ]
}

# ---------------------------------------------------------------- I6
@test "I6: descriptors of hooks: 0, 1 and 2" {
    cat >hook <<'S'
#!/bin/sh
ls /proc/self/fd | tr '\n' ' ' >"$1"
S
    chmod +x hook
    config '.hooks = {createRuntime: [{path: $p, args: ["hook", $o]}], poststop: [{path: $p, args: ["hook", $o2]}]}' \
        --arg p "$PWD/hook" --arg o "$PWD/hook.out" --arg o2 "$PWD/hook2.out"
    run bash -c 'exec 5<. 7</dev/zero; "$0" --root "$1" run "$2" </dev/null' "$WHERRY" "$ROOT" "$CID"
    if [ "$status" != 0 ]; then have /hooks; skip "hooks are not executed yet"; fi
    # `ls` has the directory open as 3.
    [ "$(cat hook.out)" = "0 1 2 3 " ]
    [ "$(cat hook2.out)" = "0 1 2 3 " ]
}

@test "I6: descriptors 0 to 2 that the caller closed are /dev/null in the payload" {
    shell_is 'for f in 0 1 2; do readlink /proc/self/fd/$f; done >/fds'
    bash -c '"$0" --root "$1" run "$2" <&- >&- 2>&-' "$WHERRY" "$ROOT" "$CID"
    run cat rootfs/fds
    [ "${lines[0]}" = /dev/null ]
    have_line '^/dev/null$'
}

@test "I6: a working directory that leads out through a descriptor" {
    local fd
    for fd in 3 4 5 6 7 8 9 10 11; do
        for cwd in "/proc/self/fd/$fd" "/proc/self/fd/$fd/../../.." "/proc/1/fd/$fd" /proc/self/cwd /proc/1/root/../..; do
            config '.process.cwd = $c' --arg c "$cwd"
            shell_is 'ls / ..; cat ./config.json ../config.json 2>/dev/null'
            run wherry run "$CID" </dev/null
            have_not ociVersion
            have_not "$(basename "$BATS_TEST_TMPDIR")"
        done
    done
}

# ---------------------------------------------------------------- masks and read-only paths
@test "masked: a file reads as nothing, a directory is empty and read-only, what is missing is skipped" {
    mkdir rootfs/secret-dir
    echo s >rootfs/secret-dir/f
    echo s >rootfs/secret-file
    config '.linux.maskedPaths += ["/secret-dir", "/secret-file", "/no/such", "/secret-file"]'
    inside 'cat /secret-file; stat -c "%F %t:%T" /secret-file; ls -A /secret-dir; touch /secret-dir/x 2>&1 || true; cat /proc/kcore | wc -c'
    [ "${lines[0]}" = "character special file 1:3" ]
    have "Read-only file system"
    [ "${lines[${#lines[@]} - 1]}" = 0 ]
    [ "$(cat rootfs/secret-file)" = s ]
}

@test "masked: links are followed within the container, and cannot redirect a mask" {
    mkdir -p rootfs/real
    echo s >rootfs/real/f
    ln -s /real rootfs/alias
    config '.linux.maskedPaths += ["/alias"]'
    inside 'ls -A /real /alias; echo done'
    have_not "^f$"
    [ "$(ls rootfs/real)" = f ]
}

@test "masked and read-only hold against a payload that has all capabilities but CAP_SYS_ADMIN" {
    config '.process.capabilities = ({} | .bounding = ["CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_FOWNER", "CAP_MKNOD"] | .permitted = .bounding | .effective = .bounding)'
    inside 'umount /proc/kcore 2>&1 || true; echo 1 >/proc/sys/kernel/panic 2>&1 || echo refused; echo h >/proc/sysrq-trigger || echo refused'
    [ "$(grep -c refused <<<"$output")" -ge 1 ]
    have "Read-only file system"
}

@test "read-only paths: with what is mounted below them, and keeping flags" {
    mkdir rootfs/ro
    config '.linux.readonlyPaths += ["/ro", "/no/such"]'
    add_mount /ro tmpfs tmpfs nosuid,nodev,noexec
    inside "$MOUNT_OPTIONS"'opts /ro; touch /ro/x 2>&1 || true; touch /proc/sys/x 2>&1 || true'
    have_line '^ro,nosuid,nodev,noexec'
    [ "$(grep -c 'Read-only file system' <<<"$output")" -ge 1 ]
}

@test "masked and read-only paths need a mount namespace of the container's own" {
    config 'del(.linux.namespaces[] | select(.type == "mount"))'
    detached create "$CID"
    have_status 1
    have "private MNT namespace"
    [ -z "$(awk -v b="$PWD" 'index($5, b)' /proc/self/mountinfo)" ]
}

# ---------------------------------------------------------------- I14: devices and cgroups
# bats test_tags=vm
@test "I14: devices that were not allowed can be made but not used" {
    config '.process.capabilities = (.process.capabilities | map_values(. + ["CAP_MKNOD"]))'
    inside 'mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg 2>&1 | head -c 200; mknod /tmp/z c 1 5 && head -c 3 /tmp/z | wc -c'
    have "Operation not permitted"
    have_line '^3$'
}

@test "I14: the same without linux.resources" {
    config 'del(.linux.resources) | .process.capabilities = (.process.capabilities | map_values(. + ["CAP_MKNOD"]))'
    inside 'mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg 2>&1 | head -c 200; echo x >/dev/null && echo null'
    have "Operation not permitted"
    have_line '^null$'
}

# bats test_tags=vm
@test "I14: device rules, in their order" {
    config '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 11, access: "r"}]
        | .process.capabilities = (.process.capabilities | map_values(. + ["CAP_MKNOD", "CAP_SYSLOG"]))'
    inside 'mknod /tmp/kmsg c 1 11; dd if=/tmp/kmsg of=/dev/null bs=8192 count=1 2>/dev/null && echo read; echo x 2>&1 >/tmp/kmsg || echo no-write'
    have_line '^read$'
    have_line '^no-write$'
    config '.linux.resources.devices += [{allow: false, type: "c", major: 1, minor: 11, access: "r"}]'
    inside 'mknod /tmp/kmsg2 c 1 11; dd if=/tmp/kmsg2 of=/dev/null bs=8192 count=1 2>&1 || true'
    have "Operation not permitted"
}

# bats test_tags=vm
@test "I14: the cgroup mount is read-only and shows the container's own part" {
    inside 'mkdir /sys/fs/cgroup/x 2>&1 || true; cat /proc/self/cgroup'
    have "Read-only file system"
    have_not "$CID"
    have_line '^0::/$'
}

@test "I14: a cgroups path with .. stays below the mount" {
    config ".linux.cgroupsPath = \"/../../../wherry-test/$CID\""
    inside 'echo ok'
    config ".linux.cgroupsPath = \"../../../../../wherry-test/$CID\""
    run wherry run "$CID" </dev/null
    [ ! -e "/$CID" ]
}

# ---------------------------------------------------------------- seccomp
seccomp() { config ".linux.seccomp = $1"; }

@test "seccomp: actions, with their errno" {
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [
        {names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}, {names: ["symlink", "symlinkat"], action: "SCMP_ACT_ERRNO", errnoRet: 30}]}'
    inside 'grep ^Seccomp: /proc/self/status; mkdir /tmp/d 2>&1 || true; ln -s a /tmp/l 2>&1 || true; touch /tmp/f && echo fine'
    have_line $'^Seccomp:\t2$'
    have "Operation not permitted"
    have "Read-only file system"
    have fine
}

@test "seccomp: kill" {
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS"}]}'
    command_is mkdir /tmp/d
    run wherry run "$CID" </dev/null
    have_status $((128 + 31))
    [ ! -e rootfs/tmp/d ]
}

@test "seccomp: comparisons of arguments" {
    # personality(2): any but 0 is refused.
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [
        {names: ["kill"], action: "SCMP_ACT_ERRNO", errnoRet: 22, args: [{index: 1, value: 10, op: "SCMP_CMP_EQ"}]},
        {names: ["kill"], action: "SCMP_ACT_ERRNO", errnoRet: 22, args: [{index: 1, value: 16, valueTwo: 16, op: "SCMP_CMP_MASKED_EQ"}]}]}'
    inside 'sleep 9 & kill -10 $! 2>&1 || echo refused; kill -17 $! 2>&1 || echo refused; kill -12 $! && echo allowed'
    [ "$(grep -c refused <<<"$output")" = 2 ]
    have_line '^allowed$'
}

@test "seccomp: with and without no_new_privs, as root and as a user" {
    local nnp uid
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}]}'
    for nnp in true false; do
        for uid in 0 1000; do
            config ".process.noNewPrivileges = $nnp | .process.user = {uid: $uid, gid: $uid}"
            inside 'grep -E "^(Seccomp|NoNewPrivs|CapEff):" /proc/self/status | tr "\n\t" "  "; mkdir /tmp/d 2>&1 || true'
            have "Seccomp: 2"
            have "Operation not permitted"
            if [ "$uid" = 1000 ]; then have "CapEff: 0000000000000000"; fi
            if [ "$nnp" = true ]; then have "NoNewPrivs: 1"; else have "NoNewPrivs: 0"; fi
        done
    done
}

@test "seccomp: Docker's shape of a profile, where nearly all that the setup uses is denied" {
    # Only what execve of a static program needs: nothing of the runtime's own may come after the filter.
    seccomp '{defaultAction: "SCMP_ACT_ERRNO", syscalls: [{action: "SCMP_ACT_ALLOW", names: ["execve", "brk", "arch_prctl", "write", "writev",
        "exit", "exit_group", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "getrandom", "mprotect", "mmap",
        "munmap", "getuid", "geteuid", "getgid", "getegid", "setuid", "setgid", "prctl", "uname", "fstat", "newfstatat", "ioctl", "close", "futex"]}]}'
    command_is echo filtered
    run wherry run "$CID" </dev/null
    have_status 0
    [ "$output" = filtered ]
}

@test "seccomp: system calls that the profile does not know get ENOSYS above its newest" {
    need python3
    seccomp '{defaultAction: "SCMP_ACT_ERRNO", syscalls: [{action: "SCMP_ACT_ALLOW", names: ["execve", "brk", "read", "write", "openat", "close",
        "mmap", "munmap", "mprotect", "exit_group", "arch_prctl", "fstat", "newfstatat", "rt_sigaction", "rt_sigprocmask", "getpid", "getppid",
        "getuid", "geteuid", "getgid", "getegid", "getcwd", "uname", "fcntl", "dup2", "wait4", "clone", "fork", "vfork", "ioctl", "stat", "lstat",
        "readlink", "prlimit64", "set_tid_address", "set_robust_list", "rseq", "getrandom", "prctl", "setuid", "setgid", "poll", "lseek"]}]}'
    run wherry run "$CID" </dev/null
    [ "$status" != 159 ]
}

@test "seccomp: unknown actions, operators and architectures are refused by place" {
    seccomp '{defaultAction: "SCMP_ACT_MAYBE"}'
    refused /linux/seccomp/defaultAction SCMP_ACT_MAYBE
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_Z80"]}'
    refused /linux/seccomp/architectures/0 SCMP_ARCH_Z80
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["read"], action: "SCMP_ACT_ERRNO", args: [{index: 9, value: 1, op: "SCMP_CMP_EQ"}]}]}'
    refused /linux/seccomp/syscalls/0/args/0/index
}

# ---------------------------------------------------------------- I13: the state
@test "I13: modes of the state, whatever the umask" {
    (umask 000 && to_file wherry create --pid-file "$PWD/pid" "$CID")
    [ "$(stat -c %a "$ROOT")" = 700 ]
    run find "$ROOT/$CID" -type f -perm /077
    [ -z "$output" ]
    run find "$ROOT/$CID" -type s -perm /077
    [ -z "$output" ]
    [ "$(cat pid)" = "$(pid_of "$CID")" ]
}

@test "I13: a pid file that is a symbolic link is replaced, not written through" {
    echo mine >target
    ln -s target pid
    to_file wherry create --pid-file pid "$CID"
    [ "$(cat target)" = mine ]
    [ ! -L pid ]
    [ "$(cat pid)" = "$(pid_of "$CID")" ]
}

@test "I13: the environment of the payload is on disk in the kept config.json alone, which is its owner's" {
    config '.process.env += ["PASSWORD=hunter2-in-env"]'
    to_file wherry create "$CID"
    run grep -rl hunter2-in-env "$ROOT"
    [ "$output" = "$ROOT/$CID/config.json" ]
    [ "$(stat -c %a "$ROOT/$CID/config.json")" = 600 ]
    wherry delete -f "$CID"
    run grep -rl hunter2-in-env "$ROOT"
    [ -z "$output" ]
}

@test "I13: a state directory that is a symbolic link is not followed" {
    mkdir -p "$ROOT" elsewhere
    chmod 700 "$ROOT"
    ln -s "$PWD/elsewhere" "$ROOT/$CID"
    detached create "$CID"
    have_status 1
    run wherry state "$CID"
    have_status 1
    run wherry delete -f "$CID"
    [ -z "$(ls -A elsewhere)" ]
    rm -f "$ROOT/$CID"
}

# Bound device nodes are the host's: `chmod 666` is what they have anyway, so that a test that fails does no harm.
WRITE_NODES='for d in null zero full random urandom tty; do
        chmod 666 /dev/$d 2>&1; chown 0:0 /dev/$d 2>&1; touch /dev/$d 2>&1
        awk -v d="/dev/$d" '"'"'$5 == d { print "mounted", d, $6 }'"'"' /proc/self/mountinfo
    done; echo x >/dev/null && echo written; head -c 3 /dev/zero | wc -c'
nodes_are_bound() {
    have_status 0
    have_line '^written$'
    have_line '^3$'
    [ "$(grep -cE '^chmod: /dev/[a-z]*: Read-only file system' <<<"$output")" = 6 ]
    [ "$(grep -cE '^chown: /dev/[a-z]*: Read-only file system' <<<"$output")" = 6 ]
    [ "$(grep -cE '^touch: /dev/[a-z]*: Read-only file system' <<<"$output")" = 6 ]
    [ "$(grep -cE '^mounted /dev/[a-z]* ro,nosuid,.*noexec' <<<"$output")" = 6 ]
}

@test "without CAP_MKNOD: the host's device nodes are bound, and cannot be changed through that" {
    config '.process.capabilities = ((["CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE"]) as $c | {bounding: $c, effective: $c, permitted: $c}) | .root.readonly = false'
    shell_is "$WRITE_NODES"
    run setpriv --bounding-set -mknod --inh-caps -mknod "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    nodes_are_bound
    # A payload that could make the mounts writable has none of the host's.
    config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
    run setpriv --bounding-set -mknod --inh-caps -mknod "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_status 1
    have "device /dev/null cannot be made, and the host's is not bound instead: with CAP_SYS_ADMIN the container could change its mode and owner on the host"
}

@test "mknod refused by the device policy of the caller: the same" {
    # The container's own cgroup of the v1 hierarchy is below the one that refuses: beside it, it would not be refused.
    local cg=/sys/fs/cgroup/devices/$CID
    [ -d /sys/fs/cgroup/devices ] || skip "needs the v1 controller of devices"
    mkdir "$cg" || skip "cannot make a cgroup of the v1 controller of devices"
    for n in 3 5 7 8 9; do echo "c 1:$n m" >"$cg/devices.deny"; done
    echo "c 5:0 m" >"$cg/devices.deny"
    config '.linux.cgroupsPath = $p' --arg p "/$CID/inner"
    config '.process.capabilities = ((["CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE"]) as $c | {bounding: $c, effective: $c, permitted: $c}) | .root.readonly = false'
    shell_is "$WRITE_NODES"
    run sh -c 'echo $$ >"$1/cgroup.procs"; exec "$2" --root "$3" run "$4"' sh "$cg" "$WHERRY" "$ROOT" "$CID" </dev/null 3>&- 4>&-
    nodes_are_bound
    config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
    run sh -c 'echo $$ >"$1/cgroup.procs"; exec "$2" --root "$3" run "$4"' sh "$cg" "$WHERRY" "$ROOT" "$CID" </dev/null 3>&- 4>&-
    have_status 1
    have "mknod /dev/null"
    have "operation not permitted"
    have "with CAP_SYS_ADMIN the container could change mode and owner of the host's, which is therefore not bound instead"
    # In a user namespace the node is made by the host, to which the same policy applies.
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000,
        size: 65536}] | .linux.gidMappings = .linux.uidMappings
        | .linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 5}]'
    chown -hR 100000:100000 "$BUNDLE/rootfs"
    run sh -c 'echo $$ >"$1/cgroup.procs"; exec "$2" --root "$3" run "$4"' sh "$cg" "$WHERRY" "$ROOT" \
        "$CID" </dev/null 3>&- 4>&-
    have_status 1
    have "/linux/devices/0: make the device node /dev/mine: mknod: operation not permitted"
    rmdir "$cg"
}
