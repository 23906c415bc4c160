#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# views: cgroup2
# shellcheck disable=SC2034 # FIRST is for as_user
# An ordinary user's containers where /proc shows that user no process of others, and none that may not be traced: wherry-init is such a one.
load helpers
load inside
load ordinary

test_setup() { ordinary_setup; }
test_teardown() {
    [ ! -d "$ROOT/$CID" ] || mine delete -f "$CID"
    ! mountpoint -q "$RUN" || umount "$RUN"
}

hide() { FIRST="mount -t proc -o $1 proc /proc"; }
# Pidfds have an identity that does not need /proc.
pidfs() { [ "$(printf '%s\n' 6.9 "$(uname -r)" | sort -V | head -n 1)" = 6.9 ]; }
is() { run mine state "$CID"; [ "$(jq -r .status <<<"$output")" = "$1" ]; }

each_verb() { # OPTIONS
    hide "$1"
    rootless '.process.args = ["sh", "-c", "sleep 60 & wait"]'
    run mine features
    have_status 0
    run to_file mine create --pid-file "$RUN/pid" "$CID"
    have_status 0
    is created
    [ "$(jq -r .pid <<<"$output")" = "$(cat "$RUN/pid")" ]
    mine start "$CID"
    is running
    run mine list -q
    have "$CID"
    run to_file mine exec "$CID" sh -c 'id -u; exit 7'
    have_status 7
    have_line '^0$'
    run to_file mine exec -d --pid-file "$RUN/exec" "$CID" sleep 60
    have_status 0
    run mine state --verbose "$CID"
    have_status 0
    jq -e '.init.pidfdInode > 0' <<<"$output"
    run mine delete "$CID"
    have_status 1
    have "that is not stopped: running"
    mine kill "$CID" KILL
    for _ in $(seq 100); do ! is stopped || break; sleep 0.05; done
    is stopped
    run mine exec "$CID" true
    have "cannot exec in a stopped container"
    mine delete "$CID"
    [ ! -e "$RUN/wherry/$CID" ]
    rootless '.process.args = ["sh", "-c", "exit 3"]'
    run to_file mine run "$CID"
    have_status 3
    rootless '.process.args = ["sleep", "60"]'
    run to_file mine run -d "$CID"
    have_status 0
    is running
    mine delete -f "$CID"
    run mine state "$CID"
    have "does not exist"
}

@test "hidepid=2: every verb" {
    pidfs || skip "needs Linux 6.9 or later, whose pidfds have inodes"
    each_verb hidepid=2
}

@test "hidepid=ptraceable: every verb" {
    pidfs || skip "needs Linux 6.9 or later, whose pidfds have inodes"
    each_verb hidepid=ptraceable
}

@test "hidepid=2: a container that was made where nothing is hidden, and the other way round" {
    pidfs || skip "needs Linux 6.9 or later, whose pidfds have inodes"
    rootless '.process.args = ["sleep", "60"]'
    run to_file mine create "$CID"
    hide hidepid=2
    is created
    mine start "$CID"
    FIRST=
    is running
    run to_file mine exec "$CID" true
    have_status 0
    mine delete -f "$CID"
    hide hidepid=2
    run to_file mine create "$CID"
    FIRST=
    is created
    mine start "$CID"
    mine delete -f "$CID"
}

# bats test_tags=vm
@test "hidepid=2: a kernel whose pidfds have no inodes says what is missing" {
    ! pidfs || skip "since Linux 6.9 they have"
    hide hidepid=2
    run to_file mine create "$CID"
    have_status 1
    have "/proc hides process "
    have "(its mount option hidepid=), and this kernel has no other identity of a process (Linux 6.9 has): mount it without, or become a member of the group of its option gid="
    run mine state "$CID"
    have "does not exist"
}

@test "subset=pid: the boot has no name there, and needs none where the state is on a tmpfs" {
    pidfs || skip "needs Linux 6.9 or later, whose pidfds have inodes"
    rootless '.process.args = ["sleep", "60"]'
    hide subset=pid
    [ "$(stat -f -c %T "$RUN")" != tmpfs ] || skip "temporary files are on a tmpfs"
    run to_file mine create "$CID"
    have_status 1
    have "/proc does not tell which boot this is (its mount option subset=pid): mount it without, or have the state directory (--root) on a tmpfs from the beginning"
    [ ! -e "$RUN/wherry/$CID" ]
    mount -t tmpfs -o "mode=700,uid=$UID_,gid=$UID_" tmpfs "$RUN"
    run to_file mine create "$CID"
    have_status 0
    is created
    mine start "$CID"
    is running
    FIRST=
    is running
    mine delete -f "$CID"
    umount "$RUN"
}
