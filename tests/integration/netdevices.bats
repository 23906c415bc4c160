#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# linux.netDevices: devices of the host in a container, which never moves them back. The "host" is a network namespace of the test's own.
bats_require_minimum_version 1.5.0
load helpers
load inside

test_setup() {
    need root nsenter ip
    unshare -n sleep 1000 >/dev/null 2>&1 3>&- 4>&- &
    NET=$!
    local i
    for ((i = 0; i < 100; i++)); do
        [ "$(readlink /proc/$NET/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break
        sleep 0.02
    done
    host ip link add v0 type veth peer name v1 2>/dev/null || skip "this kernel has no veth devices"
    host ip addr add 192.0.2.7/24 brd 192.0.2.255 dev v0
    host ip addr add 2001:db8::7/64 dev v0 nodad
    host ip link set v0 up
    host ip link set v1 up
    BEFORE=$(on_host v0)
    config '.linux.netDevices = {v0: {name: "net0"}}'
}
test_teardown() { [ -z "${NET:-}" ] || kill "$NET"; }

host() { nsenter --net="/proc/$NET/ns/net" "$@"; }
# What the host knows of a device: number, name, up or not, addresses.
on_host() { host ip -j addr show dev "$1" 2>/dev/null | jq -c '.[0] | [.ifindex, .ifname, (.flags | contains(["UP"])),
    ([.addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen) \(.broadcast)"] | sort)]'; }
w() { host "$WHERRY" --root "$ROOT" "$@" 3>&- 4>&-; }
created() {
    run to_file w create "$CID"
    have_status 0
}
# refused TEXT…, and the device is where it was, as it was.
stays() {
    local text
    run to_file w create "$CID"
    have_status 1
    for text in "$@"; do have "$text"; done
    [ "$(on_host v0)" = "$BEFORE" ]
    [ ! -e "$ROOT/$CID" ]
}
# The kernel takes a namespace apart after its last process.
gone() { # DEVICE
    local i
    for ((i = 0; i < 50; i++)); do
        [ -n "$(on_host "$1")" ] || return 0
        sleep 0.02
    done
    echo "$1 is on the host: $(on_host "$1")"
    return 1
}
inside_net() { nsenter --net="/proc/$(pid_of "$CID")/ns/net" "$@"; }

@test "a device is moved, renamed and set up, with its addresses, and never moved back" {
    host ip link set v0 down
    host ip addr flush dev v0
    host ip addr add 192.0.2.7/24 brd 192.0.2.255 dev v0
    host ip addr add 2001:db8::7/64 dev v0 nodad
    BEFORE=$(on_host v0)
    [[ $BEFORE = *false* ]]
    shell_is 'ip addr show dev net0'
    created
    [ -z "$(on_host v0)" ]
    run inside_net ip -j addr show dev net0
    [ "$(jq -c '.[0].flags | contains(["UP"])' <<<"$output")" = true ]
    have '"local":"192.0.2.7","prefixlen":24,"broadcast":"192.0.2.255"'
    have '"local":"2001:db8::7","prefixlen":64'
    inside_net ping -c 1 -W 2 192.0.2.7 >/dev/null 2>&1 || true
    w start "$CID"
    wait_status "$CID" stopped
    # Virtual devices die with their namespace, and nothing keeps that.
    [ ! -e "$ROOT/$CID/netns" ]
    run ! grep -q "$ROOT" /proc/self/mountinfo
    w delete "$CID"
    gone v0
}

@test "a device that was up, with run" {
    shell_is 'ip addr show dev net0'
    run w run "$CID" </dev/null
    have_status 0
    have "192.0.2.7/24"
    have "2001:db8::7/64"
    have ",UP"
    gone v0
}

@test "the name is that on the host where none is given, and may be a template" {
    config '.linux.netDevices = {v0: {}, v1: {name: "eth%d"}}'
    shell_is 'ip link show dev v0 && ip link show dev eth0'
    run w run "$CID" </dev/null
    have_status 0
    gone v0
    gone v1
}

@test "in a joined network namespace it stays, after delete and after a create that fails later" {
    unshare -n sleep 1000 >/dev/null 2>&1 3>&- 4>&- &
    local other=$!
    sleep 0.3
    config '(.linux.namespaces[] | select(.type == "network")).path = $p' --arg p "/proc/$other/ns/net"
    shell_is 'sleep 1000'
    created
    w start "$CID"
    run w delete -f "$CID"
    have_status 0
    gone v0
    run nsenter --net="/proc/$other/ns/net" ip addr show dev net0
    have 192.0.2.7/24
    have ",UP"
    nsenter --net="/proc/$other/ns/net" ip link del net0
    host ip link add v0 type veth peer name v1
    command_is /no/such/program
    run to_file w create "$CID"
    have_status 1
    have "no such file or directory"
    [ ! -e "$ROOT/$CID" ]
    gone v0
    nsenter --net="/proc/$other/ns/net" ip link show dev net0
    kill "$other"
}

@test "the container has a device of that name: refused, and nothing has changed" {
    unshare -n sleep 1000 >/dev/null 2>&1 3>&- 4>&- &
    local other=$!
    sleep 0.3
    nsenter --net="/proc/$other/ns/net" ip link add net0 type veth peer name x
    config '(.linux.namespaces[] | select(.type == "network")).path = $p' --arg p "/proc/$other/ns/net"
    stays "/linux/netDevices/v0: move network device v0: the container's network namespace has a device net0 already"
    # Its own number is another device's there, too.
    config '.linux.netDevices = {v0: {name: "net%d"}}'
    shell_is 'ip addr show dev net1'
    run w run "$CID" </dev/null
    have_status 0
    have "192.0.2.7/24"
    gone v0
    nsenter --net="/proc/$other/ns/net" ip link show dev net1
    kill "$other"
}

@test "devices that cannot be moved are told: of this kind, loopback, in the host's namespace" {
    host ip link add br9 type bridge 2>/dev/null || skip "this kernel has no bridges"
    config '.linux.netDevices = {br9: {}}'
    stays "/linux/netDevices/br9: move network device br9 to the container as br9: invalid argument (devices of this kind belong"
    host ip addr add 2001:db8:9::1/64 dev br9
    host ip link set br9 up
    BR9=$(on_host br9)
    config '.linux.netDevices = {br9: {}}'
    stays "/linux/netDevices/br9: move network device br9 to the container as br9: invalid argument"
    [ "$(on_host br9)" = "$BR9" ]
    config '.linux.netDevices = {wt9: {}}'
    stays "/linux/netDevices/wt9: find network device wt9: no such device"
    config '.linux.netDevices = {lo: {name: "x"}}'
    stays "/linux/netDevices/lo: the loopback device cannot be moved"
    config '.linux.netDevices = {v0: {}} | (.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/net"'
    stays "/linux/netDevices: unable to move network devices without a NET namespace"
    config '.linux.namespaces |= map(select(.type != "network")) | .mounts |= map(select(.type != "sysfs"))'
    stays "/linux/netDevices: unable to move network devices without a NET namespace"
}

@test "a container with a user namespace" {
    need userns
    config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = .linux.uidMappings'
    shell_is 'ip addr show dev net0'
    run w run "$CID" </dev/null
    have_status 0
    have "192.0.2.7/24"
    gone v0
}

@test "each netlink request of create refused once: an error or none, and no container is left of one" {
    need strace
    local n k
    command_is sleep 1000
    host strace -qq -e trace=sendto -o "$BATS_TEST_TMPDIR/trace" "$WHERRY" --root "$ROOT" create "$CID" >/dev/null 2>&1 </dev/null 3>&- 4>&- ||
        skip "strace cannot trace"
    n=$(grep -c NETLINK "$BATS_TEST_TMPDIR/trace")
    [ "$n" -ge 7 ]
    w delete -f "$CID"
    gone v0
    for ((k = 1; k <= n; k++)); do
        # The kernel takes the devices of a namespace away after its last process has ended: until then the name of the
        # other end is used.
        [ -n "$(on_host v0)" ] || for i in $(seq 400); do host ip link add v0 type veth peer name v1 2>/dev/null &&
            break; sleep 0.05; done
        [ -n "$(on_host v0)" ]
        rc=0
        host strace -qq -e trace=sendto -e "inject=sendto:error=EPERM:when=$k" -o /dev/null "$WHERRY" --root "$ROOT" create "$CID" \
            >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- 4>&- || rc=$?
        # One that asks whether a name is free may fail unnoticed: the move itself would.
        [ "$rc" = 0 ] || grep -q 'operation not permitted' "$BATS_TEST_TMPDIR/out" || { echo "request $k:"; cat "$BATS_TEST_TMPDIR/out"; return 1; }
        [ "$rc" = 0 ] && w delete -f "$CID"
        [ ! -e "$ROOT/$CID" ]
    done
}
