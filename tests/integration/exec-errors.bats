#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Why a payload could not be executed. Engines turn these texts into exit codes 126 and 127.
load helpers

fails() { # ARGS… : run must fail
    command_is "$@"
    run wherry run -b "$BUNDLE" "$CID"
    [ "$status" -ne 0 ]
    run wherry state "$CID"
    have "does not exist"
    run wherry run -b "$BUNDLE" "$CID"
}

@test "not on PATH" {
    fails no-such-program
    have 'exec: "no-such-program": executable file not found in $PATH'
}

@test "an absolute path that is not there" {
    fails /no/such/program
    have "/no/such/program"
    have "no such file or directory"
}

@test "a directory" {
    fails /etc
    have "/etc"
    have "is a directory"
}

@test "no x bit" {
    echo '#!/bin/sh' >rootfs/bin/plain
    chmod 644 rootfs/bin/plain
    fails /bin/plain
    have /bin/plain
    have "permission denied"
}

@test "a noexec mount" {
    config '.mounts += [ { destination: "/opt", type: "bind", source: $s, options: ["bind", "noexec"] } ]' --arg s "$BATS_TEST_TMPDIR/opt"
    mkdir "$BATS_TEST_TMPDIR/opt"
    cp rootfs/bin/busybox "$BATS_TEST_TMPDIR/opt"
    fails /opt/busybox true
    have /opt/busybox
    have "permission denied"
    have noexec
}

@test "another architecture" {
    cp rootfs/bin/busybox rootfs/bin/foreign
    # e_machine: SPARC.
    printf '\x02\x00' | dd of=rootfs/bin/foreign bs=1 seek=18 conv=notrunc status=none
    fails /bin/foreign true
    have /bin/foreign
    have_line 'exec format error|architecture'
}

@test "no program at all" {
    printf 'just text\n' >rootfs/bin/text
    chmod 755 rootfs/bin/text
    fails /bin/text
    have /bin/text
    have "exec format error"
}

@test "the interpreter of a script is missing" {
    printf '#!/no/such/interpreter -x\necho\n' >rootfs/bin/script
    chmod 755 rootfs/bin/script
    fails /bin/script
    have /bin/script
    have /no/such/interpreter
    have "no such file or directory"
}

@test "a carriage return after the interpreter" {
    printf '#!/bin/sh\r\necho\r\n' >rootfs/bin/script
    chmod 755 rootfs/bin/script
    fails /bin/script
    have /bin/script
    have_line 'CR|carriage return|\\r'
}

@test "the ELF loader is missing" {
    # A program of the host's, linked dynamically; the rootfs has no libraries.
    cp "$(readlink -f "$(command -v sleep)")" rootfs/bin/dynamic
    fails /bin/dynamic 1
    have /bin/dynamic
    have_line 'ld-|loader|interpreter'
}

@test "create fails too, where it can know, and leaves no pid file" {
    command_is no-such-program
    run wherry create -b "$BUNDLE" --pid-file "$BATS_TEST_TMPDIR/pid" "$CID"
    have_status 1
    have "executable file not found"
    [ ! -e "$BATS_TEST_TMPDIR/pid" ]
    [ ! -e "$ROOT/$CID" ]
}

@test "start fails when the payload cannot be executed" {
    printf 'just text\n' >rootfs/bin/text
    chmod 755 rootfs/bin/text
    command_is /bin/text
    run wherry create -b "$BUNDLE" "$CID"
    if [ "$status" = 0 ]; then
        run wherry start "$CID"
        have_status 1
    fi
    have "exec format error"
}
