#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Labels of AppArmor and SELinux. Where there is no such module, that they are refused; where there is one, that they are there.
# Loading profiles changes the host: WHERRY_LSM=apparmor says that the host is one for tests.
load helpers
load inside

test_setup() { need root; }

apparmor_is_on() { [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; }
selinux_is_on() { [ -e /sys/fs/selinux/enforce ]; }
lab() { [ "${WHERRY_LSM:-}" = "$1" ] || skip "needs a host for tests that has $1: WHERRY_LSM=$1"; }

# A profile that lets everything be done but writing below /tmp/denied.
load_profile() { # NAME
    need apparmor_parser
    PROFILE=$BATS_TEST_TMPDIR/profile
    printf '#include <tunables/global>\nprofile %s flags=(attach_disconnected,mediate_deleted) {\n  file,\n  capability,\n  network,\n  signal,\n  mount,\n  umount,\n  ptrace,\n  unix,\n  deny /tmp/denied w,\n}\n' "$1" >"$PROFILE"
    apparmor_parser -r -K "$PROFILE"
}
test_teardown() { [ ! -e "${PROFILE:-}" ] || apparmor_parser -R "$PROFILE"; }

@test "AppArmor: a profile where there is none is refused" {
    ! apparmor_is_on || skip "this host has AppArmor"
    config '.process.apparmorProfile = "wherry-test"'
    refused "/process/apparmorProfile: apparmor: config provided but apparmor not supported"
}

@test "SELinux: labels where there is none are refused" {
    ! selinux_is_on || skip "this host has SELinux"
    config '.process.selinuxLabel = "system_u:system_r:container_t:s0"'
    refused "/process/selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported"
    config 'del(.process.selinuxLabel) | .linux.mountLabel = "system_u:object_r:container_file_t:s0"'
    refused "/linux/mountLabel: mountLabel is specified in config, but selinux is disabled or not supported"
}

@test "empty labels ask for nothing" {
    config '.process.apparmorProfile = "" | .process.selinuxLabel = "" | .linux.mountLabel = ""'
    inside 'echo it runs'
    have "it runs"
}

@test "AppArmor: the payload is confined by the profile, with and without noNewPrivileges and in a user namespace" {
    lab apparmor
    load_profile wherry-test
    local nnp
    for nnp in true false; do
        config '.process.apparmorProfile = "wherry-test" | .process.noNewPrivileges = ($n == "true")' --arg n "$nnp"
        inside 'cat /proc/self/attr/current; echo x >/tmp/allowed && echo allowed; echo x >/tmp/denied || echo denied'
        have "wherry-test (enforce)"
        have_line '^allowed$'
        have_line '^denied$'
    done
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = .linux.uidMappings'
    inside 'cat /proc/self/attr/current'
    have "wherry-test (enforce)"
}

@test "AppArmor: unconfined is a profile like another" {
    lab apparmor
    config '.process.apparmorProfile = "unconfined"'
    inside 'cat /proc/self/attr/current'
    have_line '^unconfined'
}

@test "AppArmor: a profile that is not loaded is an error of create, in the words that engines know" {
    lab apparmor
    config '.process.apparmorProfile = "wherry-none-such"'
    refused "/process/apparmorProfile: " "apparmor failed to apply profile: " '`/proc/thread-self/attr/apparmor/exec`' "no such file or directory" "is not loaded"
}

@test "SELinux: the payload and new file systems have their labels" {
    lab selinux
    config '.process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2" | .linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2"'
    inside 'cat /proc/self/attr/current; grep " /dev " /proc/self/mountinfo'
    have "container_t:s0:c1,c2"
    have "container_file_t:s0:c1,c2"
}
