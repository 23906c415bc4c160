#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A payload that cannot be executed: why, in words that engines turn into 126 and 127.
load helpers
load inside

test_setup() { need root; }

# cannot_run NAME TEXT…: create or, if only execve can tell, start fails with these texts; run fails with them too, and leaves nothing.
cannot_run() {
    local name=$1 text
    shift
    command_is "$name"
    run wherry run "$CID" </dev/null
    have_status 1
    have "wherry: run failed: "
    for text in "$@"; do have "$text"; done
    [ "${#lines[@]}" = 1 ]
    [ ! -e "$ROOT/$CID" ]
    detached create "$CID"
    if [ "$status" = 0 ]; then run wherry start "$CID"; fi
    have_status 1
    for text in "$@"; do have "$text"; done
    run wherry delete -f "$CID"
    have_status 0
}

executable() { # NAME TEXT
    printf '%b' "$2" >"rootfs/$1"
    chmod 755 "rootfs/$1"
}

@test "a name that is nowhere in PATH" {
    cannot_run nonesuch 'exec: "nonesuch": executable file not found in $PATH'
}

@test "a path that is not there" {
    cannot_run /bin/nonesuch 'exec: "/bin/nonesuch": stat /bin/nonesuch: no such file or directory'
    cannot_run ./nonesuch 'exec: "./nonesuch": stat ./nonesuch: no such file or directory'
    cannot_run /bin/busybox/x 'exec: "/bin/busybox/x":' 'not a directory'
}

@test "an empty name" {
    cannot_run '' '/process/args/0' 'must not be empty'
}

@test "no x bit" {
    executable plain '#!/bin/sh\n'
    chmod 644 rootfs/plain
    cannot_run /plain 'exec: "/plain": permission denied'
    # In PATH: what was found and refused says more than that nothing was found.
    mkdir rootfs/opt
    mv rootfs/plain rootfs/opt/plain
    config '.process.env = ["PATH=/opt:/bin"]'
    cannot_run plain 'exec: "plain": permission denied'
}

@test "a directory" {
    cannot_run /etc 'exec: "/etc": permission denied (it is a directory)'
}

@test "a broken symbolic link, and a loop of them" {
    ln -s /nowhere rootfs/broken
    ln -s loop rootfs/loop
    cannot_run /broken 'exec: "/broken": stat /broken: no such file or directory'
    cannot_run /loop 'exec: "/loop":' 'too many levels of symbolic links'
}

@test "the interpreter of #! is missing" {
    executable script '#!/usr/bin/python9\nprint(1)\n'
    cannot_run /script 'exec: "/script": ' '/usr/bin/python9' 'no such file or directory'
}

@test "the line of #! ends with CR LF" {
    executable script '#!/bin/sh\r\necho hi\r\n'
    cannot_run /script 'exec: "/script": ' 'no such file or directory: /bin/sh' 'carriage return'
}

@test "the interpreter of #! may not be executed" {
    executable script '#!/etc/passwd\n'
    cannot_run /script 'exec: "/script": ' 'permission denied'
}

@test "text without #!" {
    executable script 'echo hi\n'
    cannot_run /script 'exec: "/script": exec format error' 'begins with #!'
}

@test "an empty file" {
    executable empty ''
    cannot_run /empty 'exec: "/empty": exec format error'
}

# A program of another machine: the header of ours with another number in e_machine.
@test "a program for another architecture" {
    cp "$(command -v busybox)" rootfs/foreign
    printf '\x16\x00' | dd of=rootfs/foreign bs=1 seek=18 conv=notrunc status=none
    cannot_run /foreign 'exec: "/foreign": exec format error' 'another machine'
}

@test "a program whose dynamic loader is missing" {
    need file
    cp /bin/true rootfs/dynamic
    file -L /bin/true | grep -q 'dynamically linked' || skip "/bin/true is static"
    cannot_run /dynamic 'exec: "/dynamic": ' 'ld-linux' 'no such file or directory'
}

@test "on a file system that is mounted noexec" {
    mkdir rootfs/opt host
    cp "$(command -v busybox)" host/true
    add_mount /opt bind "$PWD/host" bind,noexec
    cannot_run /opt/true 'exec: "/opt/true": permission denied' 'noexec'
}

@test "a user who may not execute it" {
    executable secret '#!/bin/sh\n'
    chmod 700 rootfs/secret
    config '.process.user = {uid: 1000, gid: 1000}'
    cannot_run /secret 'exec: "/secret": permission denied'
}

@test "a file that is being written" {
    cp "$(command -v busybox)" rootfs/busy
    exec 9>>rootfs/busy
    cannot_run /busy 'exec: "/busy": text file busy'
    exec 9>&-
}

@test "arguments that are too long" {
    config '.process.args = ["true", ("x" * 200000)]'
    run wherry run "$CID" </dev/null
    have_status 1
    have "argument list too long"
}

@test "when it vanishes between create and start, start says so" {
    executable gone '#!/bin/sh\n'
    command_is /gone
    to_file wherry create "$CID"
    rm rootfs/gone
    run wherry start "$CID"
    have_status 1
    have 'exec: "/gone": '
    have 'no such file or directory'
    wait_status "$CID" stopped
}

@test "create fails where it can know, and leaves no pid file" {
    command_is nonesuch
    detached create --pid-file "$PWD/pid" "$CID"
    have_status 1
    have 'create failed: '
    [ ! -e pid ]
    [ ! -e "$ROOT/$CID" ]
}

@test "podman and Docker find 126 and 127 in these texts" {
    # getOCIRuntimeError of podman and setExitCodeFromError of moby (docs: contrib/engines).
    command_is nonesuch
    run wherry run "$CID" </dev/null
    grep -qiE 'executable file not found in|no such file or directory' <<<"$output"
    ! grep -qiE 'permission denied|operation not permitted' <<<"$output" || return 1
    chmod 644 rootfs/bin/busybox
    command_is /bin/busybox
    run wherry run "$CID" </dev/null
    grep -qiE 'permission denied' <<<"$output"
}
