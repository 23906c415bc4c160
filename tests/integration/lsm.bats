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

@test "what has no label loads no libselinux, and executes no other program" {
    need strace
    local trace=$BATS_TEST_TMPDIR/trace
    strace -f -qq -e trace=file -o "$trace" "$WHERRY" --root "$ROOT" run "$CID" </dev/null
    # The trace has what it would show: the payload.
    grep -q 'exec.*"true"' "$trace"
    run ! grep -e libselinux -e wherry-dynamic -e /sys/fs/selinux "$trace"
}

@test "SELinux: a label that the policy does not know is refused by libselinux before anything is made, by the write without it" {
    lab selinux
    local bad=system_u:system_r:none_such_t:s0 path='`/proc/thread-self/attr/exec`'
    config '.process.selinuxLabel = $l' --arg l $bad
    refused 'write to `/proc/thread-self/attr/exec`' "/process/selinuxLabel: write to $path: invalid argument: the context \"$bad\" is not valid in the loaded policy"
    run wherry check
    have_status 2
    have "is not valid in the loaded policy"
    config '.process.selinuxLabel = "" | .linux.mountLabel = $l' --arg l $bad
    refused "/linux/mountLabel: label new file systems: invalid argument: the context \"$bad\" is not valid in the loaded policy"
    config '.process.selinuxLabel = "system_u:system_r:container_t:s0" | .linux.mountLabel = "" | .process.args = ["/bin/sleep", "1000"]'
    detached run -d "$CID"
    have_status 0
    run wherry exec --process-label $bad "$CID" /bin/true
    have_status 255
    have "write to $path: invalid argument: the context \"$bad\" is not valid in the loaded policy"
    run wherry exec --process-label system_u:system_r:container_t:s0:c3 "$CID" cat /proc/self/attr/current
    have "container_t:s0:c3"
    wherry delete -f "$CID"
}

@test "SELinux: without the program that can load libselinux labels are set all the same, and refused by the kernel" {
    lab selinux
    cp "$WHERRY" "$BATS_TEST_TMPDIR/wherry"
    WHERRY=$BATS_TEST_TMPDIR/wherry
    config '.process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2"'
    inside 'cat /proc/self/attr/current'
    have "container_t:s0:c1,c2"
    config '.process.selinuxLabel = "system_u:system_r:none_such_t:s0"'
    refused '`/proc/thread-self/attr/keycreate`' "invalid argument"
}

@test "SELinux: the session keyring has the label of its process, in a container and in an exec" {
    lab selinux
    compile_static keylabel
    cp "$BATS_FILE_TMPDIR/keylabel" "$BUNDLE/rootfs/bin/"
    config '.process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2" | .process.args = ["/bin/keylabel"]'
    run wherry run "$CID" </dev/null
    have_line '^keyring: system_u:system_r:container_t:s0:c1,c2$'
    config '.process.args = ["/bin/sleep", "1000"]'
    detached run -d "$CID"
    have_status 0
    run wherry exec --process-label system_u:system_r:container_t:s0:c3 "$CID" /bin/keylabel
    have_line '^keyring: system_u:system_r:container_t:s0:c3$'
    wherry delete -f "$CID"
}

@test "SELinux: the payload and new file systems have their labels" {
    lab selinux
    config '.process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2" | .linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2"'
    inside 'cat /proc/self/attr/current; grep " /dev " /proc/self/mountinfo'
    have "container_t:s0:c1,c2"
    have "container_file_t:s0:c1,c2"
}
