#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounts of every kind with every option, as the container sees them.
load helpers
load inside

test_setup() { need root; mkdir src; echo content >src/file; }

# shows OPTIONS-OF-THE-MOUNT-POINT: every named option is in the line; with ! in front it is not.
shows() {
    local o
    for o in "$@"; do
        case $o in
        !*) case ",${output//;/,}," in *",${o#!},"*) echo "has ${o#!}: $output"; return 1 ;; esac ;;
        *) case ",${output//;/,}," in *",$o,"*) ;; *) echo "lacks $o: $output"; return 1 ;; esac ;;
        esac
    done
}

# ---------------------------------------------------------------- file systems
@test "the default mounts: types and options" {
    inside 'awk "{ for (i = 7; \$i != \"-\"; i++); print \$5, \$(i + 1), \$6 }" /proc/self/mountinfo'
    have_line '^/proc proc rw'
    have_line '^/dev tmpfs rw,nosuid'
    have_line '^/dev/pts devpts rw,nosuid,noexec'
    have_line '^/dev/shm tmpfs rw,nosuid,nodev,noexec'
    have_line '^/dev/mqueue mqueue rw,nosuid,nodev,noexec'
    have_line '^/sys sysfs ro,nosuid,nodev,noexec'
    have_line '^/sys/fs/cgroup'
}

@test "tmpfs: mode, owner, size, and its flags" {
    add_mount /mnt tmpfs tmpfs mode=1750,uid=7,gid=8,size=64k,nosuid,nodev,noexec,noatime
    inside "$MOUNT_OPTIONS"'opts /mnt; stat -c "%a %u %g" /mnt; head -c 100000 /dev/zero >/mnt/x || echo full'
    output=${lines[0]} shows nosuid nodev noexec noatime size=64k rw
    [ "${lines[1]}" = "1750 7 8" ]
    have full || [ "${lines[3]}" = full ]
}

@test "tmpfs: keeps the mode of the directory below unless it is given one" {
    mkdir -m 711 rootfs/mnt
    add_mount /mnt tmpfs tmpfs nosuid
    inside 'stat -c %a /mnt'
    [ "$output" = 711 ]
}

@test "tmpfs: read-only, with what was copied up" {
    mkdir -p rootfs/data/sub
    echo one >rootfs/data/sub/file
    add_mount /data tmpfs tmpfs tmpcopyup,ro
    inside "$MOUNT_OPTIONS"'opts /data; cat /data/sub/file; touch /data/x 2>&1 || true'
    have "one"
    have "Read-only file system"
}

@test "tmpcopyup: files, directories, links, modes, owners and times" {
    mkdir -p rootfs/data/d
    echo text >rootfs/data/f
    chmod 4751 rootfs/data/f
    chown 5:6 rootfs/data/d
    chmod 2770 rootfs/data/d
    ln -s ../somewhere rootfs/data/l
    mkfifo rootfs/data/p
    truncate -s 1M rootfs/data/big
    add_mount /data tmpfs tmpfs tmpcopyup
    inside 'cd /data; cat f; stat -c "%n %a %u %g %F" f d l p; readlink l; stat -c %s big; echo changed >f'
    have_line '^text$'
    have_line '^f 4751 0 0 regular file$'
    have_line '^d 2770 5 6 directory$'
    have_line '^l 777 0 0 symbolic link$'
    have_line '^\.\./somewhere$'
    have_line '^1048576$'
    [ "$(cat rootfs/data/f)" = text ]
}

@test "tmpcopyup: a symbolic link is not followed out" {
    echo secret >outside
    mkdir rootfs/data
    ln -s "$PWD/outside" rootfs/data/link
    add_mount /data tmpfs tmpfs tmpcopyup
    inside 'readlink /data/link; cat /data/link 2>&1 || true'
    have_not secret
}

@test "tmpcopyup on anything but tmpfs is refused" {
    add_mount /data bind "$PWD/src" bind,tmpcopyup
    refused tmpcopyup
}

@test "ramfs, a second proc, and options of a file system" {
    add_mount /ram ramfs ramfs mode=700
    add_mount /mnt/proc2 proc proc hidepid=2,ro
    inside "$MOUNT_OPTIONS"'stat -c %a /ram; opts /mnt/proc2'
    [ "${lines[0]}" = 700 ]
    output=${lines[1]} shows hidepid=invisible ro || output=${lines[1]} shows hidepid=2 ro
}

@test "an unknown file system type, and an unknown option of one" {
    add_mount /mnt nonesuchfs none ro
    refused nonesuchfs "no such device" config.json
    config 'del(.mounts[-1])'
    add_mount /mnt tmpfs tmpfs frobnicate=1
    refused frobnicate config.json /mounts/
}

@test "a mount that is no bind needs a type" {
    add_mount /mnt "" tmpfs ro
    refused /mounts/ type
}

@test "options that come later win" {
    add_mount /mnt tmpfs tmpfs ro,nosuid,noexec,rw,suid
    inside "$MOUNT_OPTIONS"'opts /mnt'
    shows rw noexec '!nosuid' '!ro'
}

@test "every flag of a mount point: set" {
    local flag
    for flag in ro nosuid nodev noexec noatime nodiratime relatime nosymfollow; do
        add_mount "/mnt/$flag" tmpfs tmpfs "$flag"
    done
    add_mount /mnt/strictatime tmpfs tmpfs strictatime
    inside "$MOUNT_OPTIONS"'for f in ro nosuid nodev noexec noatime nodiratime relatime nosymfollow strictatime; do echo "$f $(opts /mnt/$f)"; done'
    for flag in ro nosuid nodev noexec noatime nodiratime relatime nosymfollow; do have_line "^$flag .*\b$flag\b"; done
    have_line '^strictatime '
    ! grep '^strictatime ' <<<"$output" | grep -qE 'noatime|relatime' || return 1
}

@test "every flag of a mount point: cleared" {
    add_mount /mnt tmpfs tmpfs ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow,rw,suid,dev,exec,atime,diratime,symfollow
    inside "$MOUNT_OPTIONS"'opts /mnt'
    shows rw '!ro' '!nosuid' '!nodev' '!noexec' '!noatime' '!nodiratime' '!nosymfollow'
}

@test "flags of a file system: sync, dirsync, lazytime, and those without effect" {
    add_mount /mnt/sync tmpfs tmpfs sync
    add_mount /mnt/dirsync tmpfs tmpfs dirsync
    add_mount /mnt/lazytime tmpfs tmpfs lazytime
    add_mount /mnt/none tmpfs tmpfs defaults,async,nolazytime,noiversion,silent,loud,nomand,norelatime,nostrictatime
    inside "$MOUNT_OPTIONS"'for f in sync dirsync lazytime none; do echo "$f $(opts /mnt/$f)"; done'
    have_line '^sync .*;.*\bsync\b'
    have_line '^dirsync .*;.*\bdirsync\b'
    have_line '^lazytime .*;.*\blazytime\b'
    have_line '^none rw,'
}

@test "the cgroup mount is writable where it is not read-only, with and without a cgroup namespace" {
    local two=/sys/fs/cgroup/unified
    if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then two=/sys/fs/cgroup; fi
    config '(.mounts[] | select(.type == "cgroup")).options |= map(select(. != "ro"))'
    # shellcheck disable=SC2016 # for the container
    local script='set -e; c='$two'$(sed -n "s/^0:://p" /proc/self/cgroup)
        [ -d $c ] || c='$two'; mkdir $c/below; rmdir $c/below
        for m in $(awk "/ - cgroup / { print \$5 }" /proc/self/mountinfo); do mkdir $m/below; rmdir $m/below; done
        awk "\$5 ~ \"^/sys/fs/cgroup\" && \$6 ~ /^ro/ { print }" /proc/self/mountinfo'
    inside "$script"
    [ -z "$output" ]
    config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
    inside "$script"
    [ -z "$output" ]
    run wherry check
    have "cgroup-writable"
}

@test "the cgroup mount without a cgroup namespace" {
    config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
    inside 'find /sys/fs/cgroup -name cgroup.procs | head -n 1; mkdir /sys/fs/cgroup/x 2>&1 || true'
    have cgroup.procs
    have "Read-only file system"
}

# ---------------------------------------------------------------- binds
@test "bind a directory and a file; missing targets are made" {
    add_mount /a/b/dir bind "$PWD/src" bind
    add_mount /a/c/file bind "$PWD/src/file" rbind
    inside 'cat /a/b/dir/file /a/c/file; echo new >/a/b/dir/new'
    [ "$output" = $'content\ncontent' ]
    [ "$(cat src/new)" = new ]
    [ "$(stat -c '%a %u %F' rootfs/a/b/dir)" = "755 0 directory" ]
    [ "$(stat -c '%a %u %F' rootfs/a/c/file)" = "644 0 regular empty file" ]
}

@test "bind: a relative source is below the bundle, type need not be given" {
    add_mount /mnt "" src bind,ro
    inside 'cat /mnt/file'
    [ "$output" = content ]
    cd /
    run wherry run --bundle "$BUNDLE" "$CID" </dev/null
    have_status 0
    [ "$output" = content ]
}

@test "bind: a missing source is an error that names it" {
    add_mount /mnt bind "$PWD/nonesuch" rbind
    refused "$PWD/nonesuch" "no such file or directory" "config.json:" /mounts/
    [ ! -e rootfs/mnt ]
}

@test "bind: a file on a directory, and a directory on a file" {
    mkdir rootfs/d
    touch rootfs/f
    add_mount /d bind "$PWD/src/file" bind
    refused "not a directory" /mounts/ "cannot be mounted on each other"
    config 'del(.mounts[-1])'
    add_mount /f bind "$PWD/src" bind
    refused "not a directory" /mounts/
}

@test "bind: with options of a file system is refused" {
    add_mount /mnt bind "$PWD/src" bind,size=64k
    refused size=64k /mounts/
}

@test "bind: flags on the copy alone, the source keeps its own" {
    add_mount /mnt bind "$PWD/src" bind,ro,nosuid,nodev,noexec,noatime
    inside "$MOUNT_OPTIONS"'opts /mnt; touch /mnt/x 2>&1 || true'
    have "Read-only file system"
    output=${lines[0]} shows ro nosuid nodev noexec noatime
    touch src/x
}

@test "bind without flags: those of the source" {
    add_mount /mnt bind "$PWD/src" bind
    inside_after "mount -t tmpfs -o nosuid,noexec,noatime none '$PWD/src'" "$MOUNT_OPTIONS"'opts /mnt'
    shows nosuid noexec noatime
}

@test "bind with one more flag: that one alone" {
    add_mount /mnt bind "$PWD/src" bind,ro
    inside_after "mount -t tmpfs -o nosuid,nodev,noexec none '$PWD/src'" "$MOUNT_OPTIONS"'opts /mnt'
    shows ro
    shows ro "!nosuid" "!nodev" "!noexec"
}

@test "rbind: submounts come along, ro is for the top, rro for all" {
    mkdir -p src/sub
    add_mount /plain bind "$PWD/src" rbind,ro
    add_mount /deep bind "$PWD/src" rbind,rro,rnosuid,rnodev,rnoexec,rnoatime,rnodiratime,rnosymfollow
    add_mount /flat bind "$PWD/src" bind
    inside_after "mount -t tmpfs none '$PWD/src/sub'; echo below >'$PWD/src/sub/f'" "$MOUNT_OPTIONS"'
        opts /plain; opts /plain/sub; opts /deep; opts /deep/sub; cat /plain/sub/f; ls /flat/sub | wc -l'
    output=${lines[0]} shows ro
    output=${lines[1]} shows rw '!ro'
    output=${lines[2]} shows ro nosuid nodev noexec noatime nodiratime nosymfollow
    output=${lines[3]} shows ro nosuid nodev noexec noatime nodiratime nosymfollow
    [ "${lines[4]}" = below ]
    [ "${lines[5]}" = 0 ]
}

@test "recursive clearing options" {
    mkdir -p src/sub
    add_mount /mnt bind "$PWD/src" rbind,rrw,rsuid,rdev,rexec,ratime,rdiratime,rsymfollow
    add_mount /strict bind "$PWD/src" rbind,rstrictatime
    add_mount /rel bind "$PWD/src" rbind,rrelatime
    inside_after "mount -t tmpfs -o ro,nosuid,nodev,noexec,noatime,nodiratime none '$PWD/src/sub'" "$MOUNT_OPTIONS"'opts /mnt/sub; opts /strict/sub; opts /rel/sub'
    output=${lines[0]} shows rw '!nosuid' '!nodev' '!noexec' '!noatime' '!nodiratime'
    output=${lines[1]} shows '!noatime' '!relatime'
    output=${lines[2]} shows relatime '!noatime'
}

@test "mounts are made in the order of the list, each on what is there by then" {
    mkdir src/inner
    add_mount /a tmpfs tmpfs mode=755
    add_mount /a/b bind "$PWD/src" bind
    add_mount /a/b/inner tmpfs tmpfs mode=700
    add_mount /a/b/file bind "$PWD/config.json" bind
    inside 'stat -c %a /a/b/inner; head -c 1 /a/b/file; ls /a'
    [ "${lines[0]}" = 700 ]
    have_line '^\{b$' || [ "${lines[1]}" = "{b" ]
}

@test "targets through symbolic links stay in the rootfs" {
    mkdir -p rootfs/real outside
    ln -s /real rootfs/abs
    ln -s ../../../../../../real rootfs/climb
    ln -s "$PWD/outside" rootfs/escape
    add_mount /abs/one tmpfs tmpfs mode=755
    add_mount /climb/two tmpfs tmpfs mode=755
    add_mount /escape/three tmpfs tmpfs mode=755
    inside 'awk "{ print \$5 }" /proc/self/mountinfo'
    have_line '^/real/one$'
    have_line '^/real/two$'
    [ -z "$(ls -A outside)" ]
}

@test "a target with .. cannot leave the rootfs" {
    add_mount /../../../mnt/../mnt2 tmpfs tmpfs mode=755
    inside 'awk "{ print \$5 }" /proc/self/mountinfo'
    have_line '^/mnt2$'
}

@test "propagation: each kind, shown by mountinfo" {
    add_mount /p/shared tmpfs tmpfs shared
    add_mount /p/private tmpfs tmpfs private
    add_mount /p/unbindable tmpfs tmpfs unbindable
    add_mount /p/rshared tmpfs tmpfs rshared
    add_mount /p/slave bind "$PWD/src" rbind,rslave
    inside_after "mount -t tmpfs none '$PWD/src'; mount --make-shared '$PWD/src'" "$MOUNT_OPTIONS"'for p in shared private unbindable rshared slave; do echo "$p:$(tags /p/$p)"; done'
    have_line '^shared:shared '
    have_line '^private:$'
    have_line '^unbindable:unbindable '
    have_line '^rshared:shared '
    have_line '^slave:master '
}

@test "rslave: a mount that the host makes later appears in the container" {
    mkdir -p src/later
    add_mount /mnt bind "$PWD/src" rbind,rslave
    shell_is 'while [ ! -e /mnt/later/here ]; do sleep 0.05; done; echo seen'
    run unshare -m --propagation private bash -e -c '
        mount -t tmpfs none "$2"; mkdir "$2/later"; mount --make-shared "$2"
        "$0" --root "$1" run "$3" </dev/null 3>&- 4>&- &
        sleep 0.5
        mount -t tmpfs none "$2/later"
        touch "$2/later/here"
        timeout 10 tail --pid=$! -f /dev/null
        wait $!' "$WHERRY" "$ROOT" "$PWD/src" "$CID"
    have_status 0
    [ "$output" = seen ]
}

# ---------------------------------------------------------------- what is refused
@test "no mount below /proc but for known files" {
    add_mount /proc/sys tmpfs tmpfs mode=755
    refused /mounts/ /proc
    config 'del(.mounts[-1])'
    add_mount /proc/../proc/self/attr tmpfs tmpfs mode=755
    refused /mounts/ /proc
    config 'del(.mounts[-1])'
    add_mount /proc/uptime bind "$PWD/src/file" bind
    inside 'cat /proc/uptime'
    [ "$output" = content ]
}

@test "nothing but procfs on /proc" {
    config 'del(.mounts[] | select(.destination == "/proc"))'
    add_mount /proc tmpfs tmpfs mode=755
    refused /proc
    config 'del(.mounts[-1])'
    add_mount /proc bind "$PWD/src" bind
    refused /proc
}

# ---------------------------------------------------------------- the root
@test "a read-only root, with writable mounts in it" {
    config '.root.readonly = true'
    add_mount /tmp tmpfs tmpfs mode=1777
    inside "$MOUNT_OPTIONS"'opts /; touch /x 2>&1 || true; touch /tmp/x && echo fine'
    output=${lines[0]} shows ro
    have "Read-only file system"
    have fine
    touch rootfs/x
}

@test "rootfsPropagation" {
    local p
    for p in shared slave private unbindable rshared rprivate; do
        config ".linux.rootfsPropagation = \"$p\""
        inside "$MOUNT_OPTIONS"'echo "tags:$(tags /)"'
        case $p in
        *shared) have_line '^tags:.*shared' ;;
        unbindable) have_line '^tags:.*unbindable' ;;
        *) have_line '^tags:[master ]*$' ;;
        esac
    done
    config '.linux.rootfsPropagation = "sideways"'
    refused /linux/rootfsPropagation sideways
}

@test "nothing of the host's tree is left in the container's" {
    inside 'wc -l </proc/self/mountinfo; awk "{ print \$5 }" /proc/self/mountinfo; ls -A /'
    have_not "$BATS_TEST_TMPDIR"
    have_not oldroot
    [ "$(grep -c '^/$' <<<"$output")" = 1 ]
}

@test "what is mounted in the container does not reach the host" {
    config '.process.capabilities.bounding += ["CAP_SYS_ADMIN"] | .process.capabilities.permitted += ["CAP_SYS_ADMIN"]
        | .process.capabilities.effective += ["CAP_SYS_ADMIN"]'
    before=$(wc -l </proc/self/mountinfo)
    inside 'mount -t tmpfs none /mnt 2>/dev/null || { mkdir /mnt; mount -t tmpfs none /mnt; }; echo mounted'
    [ "$(wc -l </proc/self/mountinfo)" = "$before" ]
}

@test "--no-pivot" {
    shell_is "touch /x && echo written; ls -d '$BATS_TEST_TMPDIR' 2>&1 || true; ls /../../.. | tr '\\n' ' '; grep -c . /proc/self/mountinfo"
    run wherry run --no-pivot "$CID" </dev/null
    have_status 0
    have written
    have "No such file or directory"
    have "bin dev etc"
    [ -e rootfs/x ]
}

@test "a rootfs that is missing, no directory, or a symbolic link" {
    config '.root.path = "nonesuch"'
    refused nonesuch "no such file or directory" /root/path
    config '.root.path = "config.json"'
    refused "not a directory" /root/path
    ln -s rootfs link
    config '.root.path = "link"'
    run wherry run "$CID" </dev/null
    [ "$status" = 0 ] || have /root/path
}

@test "a rootfs below directories that others may not enter" {
    mkdir -m 700 closed
    mv rootfs closed/
    config '.root.path = "closed/rootfs"'
    inside 'echo ok'
    [ "$output" = ok ]
}

# ---------------------------------------------------------------- devices
@test "default devices, symlinks, and no console without a terminal" {
    inside 'cd /dev; for d in null zero full random urandom tty; do stat -c "%n %F %t:%T %a %u:%g" $d; done
        for l in fd stdin stdout stderr ptmx; do echo "$l -> $(readlink $l)"; done; ls console 2>&1 || true
        echo x >null; head -c 4 zero | wc -c; head -c 4 urandom | wc -c; echo x 2>/dev/null >full || echo full'
    have_line '^null character special file 1:3 666 0:0$'
    have_line '^zero character special file 1:5 666 0:0$'
    have_line '^full character special file 1:7 666 0:0$'
    have_line '^random character special file 1:8 666 0:0$'
    have_line '^urandom character special file 1:9 666 0:0$'
    have_line '^tty character special file 5:0 666 0:0$'
    have_line '^fd -> /proc/self/fd$'
    have_line '^stdin -> /proc/self/fd/0$'
    have_line '^stdout -> /proc/self/fd/1$'
    have_line '^stderr -> /proc/self/fd/2$'
    have_line '^ptmx -> pts/ptmx$'
    have "No such file or directory"
    have_line '^full$'
}

@test "devices of the config: type, numbers, mode, owner; directories are made" {
    config '.linux.devices = [
        {path: "/dev/sub/char", type: "c", major: 1, minor: 5, fileMode: 416, uid: 7, gid: 8},
        {path: "/dev/block", type: "b", major: 7, minor: 200, fileMode: 384},
        {path: "/dev/unbuffered", type: "u", major: 1, minor: 3},
        {path: "/run/fifo", type: "p", fileMode: 432}]'
    inside 'for d in /dev/sub/char /dev/block /dev/unbuffered /run/fifo; do stat -c "%n %F %t:%T %a %u:%g" $d; done'
    have_line '^/dev/sub/char character special file 1:5 640 7:8$'
    have_line '^/dev/block block special file 7:c8 600 0:0$'
    have_line '^/dev/unbuffered character special file 1:3 666 0:0$'
    have_line '^/run/fifo fifo 0:0 660 0:0$'
}

@test "a device of the config that is one of the default ones replaces it" {
    config '.linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 384}]'
    inside 'stat -c %a /dev/null'
    [ "$output" = 600 ]
}

@test "a file that is there already and is another device is an error" {
    config 'del(.mounts[] | select(.destination | startswith("/dev")))'
    config '.linux.devices = [{path: "/dev/thing", type: "c", major: 1, minor: 5}]'
    touch rootfs/dev/thing
    refused /linux/devices/0 /dev/thing
}

# ---------------------------------------------------------------- sysctl and namespaces
@test "sysctl: of namespaces that are the container's own" {
    config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/forwarding": "1", "kernel.shmmax": "1234567", "fs.mqueue.msg_max": "20",
        "kernel.domainname": "dom"}'
    before=$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax)
    inside 'cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/lo/forwarding kernel/shmmax fs/mqueue/msg_max kernel/domainname'
    [ "$output" = $'1\n1\n1234567\n20\ndom' ]
    [ "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax)" = "$before" ]
}

@test "sysctl: of no namespace, or of the host's, are refused by name" {
    local key
    for key in vm.swappiness kernel.panic fs.file-max kernel.hostname kernel/core_pattern; do
        config ".linux.sysctl = {\"$key\": \"1\"}"
        refused "$key" /linux/sysctl
    done
    config '.linux.sysctl = {"net.ipv4.ip_forward": "1"} | del(.linux.namespaces[] | select(.type == "network"))'
    refused net.ipv4.ip_forward network
    config '.linux.sysctl = {"kernel.shmmax": "1"} | del(.linux.namespaces[] | select(.type == "ipc"))'
    refused kernel.shmmax ipc
    config '.linux.sysctl = {"net/../kernel/core_pattern": "x"}'
    refused /linux/sysctl
}

@test "namespaces: joined by path" {
    local type
    command_is sleep 100
    to_file wherry create "$CID"
    pid=$(pid_of "$CID")
    for type in net uts ipc cgroup; do
        long=$type
        [ "$type" = net ] && long=network
        config "del(.hostname) | .linux.sysctl = {} | .linux.cgroupsPath = \"/wherry-test/$CID-2\"
            | (.linux.namespaces[] | select(.type == \"$long\")).path = \"/proc/$pid/ns/$type\""
        shell_is "readlink /proc/self/ns/$type"
        run wherry run "$CID-2" </dev/null
        have_status 0
        [ "$output" = "$(readlink "/proc/$pid/ns/$type")" ]
        config "del((.linux.namespaces[] | select(.type == \"$long\")).path)"
    done
    # A pid namespace needs its first process, which is the other container's.
    config "(.linux.namespaces[] | select(.type == \"pid\")).path = \"/proc/$pid/ns/pid\""
    shell_is 'readlink /proc/self/ns/pid; [ $$ != 1 ] && echo not the first'
    run wherry run "$CID-2" </dev/null
    have_status 0
    [ "${lines[0]}" = "$(readlink "/proc/$pid/ns/pid")" ]
    have "not the first"
}

@test "namespaces: a path of another kind, or to nothing, is refused" {
    config '(.linux.namespaces[] | select(.type == "uts")).path = "/proc/self/ns/net"'
    refused /linux/namespaces/ uts
    config '(.linux.namespaces[] | select(.type == "uts")).path = "/nonesuch"'
    refused /linux/namespaces/ "no such file or directory"
    config '(.linux.namespaces[] | select(.type == "uts")).path = "/etc/passwd"'
    refused /linux/namespaces/
}

@test "namespaces: those that are not listed are the caller's" {
    config 'del(.hostname) | .linux.sysctl = {} | .linux.namespaces = [{type: "mount"}, {type: "pid"}]'
    config 'del(.mounts[] | select(.type == "sysfs" or .type == "mqueue" or .type == "cgroup"))'
    inside 'for n in net uts ipc user; do readlink /proc/self/ns/$n; done'
    local i=0 n
    for n in net uts ipc user; do
        [ "${lines[i]}" = "$(readlink "/proc/self/ns/$n")" ]
        i=$((i + 1))
    done
}

@test "a new network namespace has its loopback up" {
    inside 'cat /sys/class/net/lo/flags; ls /sys/class/net'
    [ $((${lines[0]} & 1)) = 1 ]
    [ "${lines[1]}" = lo ]
}
