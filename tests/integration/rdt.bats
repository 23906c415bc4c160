#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# linux.intelRdt. What is done in resctrl is tested on a directory (tests/unit/rdt.c), for few machines have it; here, what a
# machine without it says, and on one with it (WHERRY_RDT=1: groups are made), that the kernel agrees.
load helpers
load inside

test_setup() { need root; }
mounted() { awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "resctrl") print $5 }' /proc/self/mountinfo | head -1; }

@test "without resctrl it is refused, with what to do, and nothing is left" {
    [ -z "$(mounted)" ] || skip "resctrl is mounted"
    for it in '{closID: "gold"}' '{l3CacheSchema: "L3:0=f"}' '{enableMonitoring: true}' '{schemata: ["MB:0=50"]}'; do
        config ".linux.intelRdt = $it"
        refused "/linux/intelRdt: intelRdt is specified in config, but resctrl is not mounted (mount -t resctrl resctrl /sys/fs/resctrl"
        [ ! -e "$ROOT/$CID" ]
    done
}

@test "a directory that is mounted as something else is not resctrl" {
    [ -z "$(mounted)" ] || skip "resctrl is mounted"
    # Its source may say what it likes.
    config '.linux.intelRdt = {closID: "gold"}'
    mkdir "$BATS_TEST_TMPDIR/fake"
    run unshare -m --propagation private sh -c 'mount -t tmpfs resctrl "$1"/fake && mkdir "$1"/fake/gold &&
        exec "$2" --root "$3" create "$4"' sh "$BATS_TEST_TMPDIR" "$WHERRY" "$ROOT" "$CID" 3>&- 4>&-
    have_status 1
    have "resctrl is not mounted"
}

@test "an empty intelRdt asks for nothing" {
    config '.linux.intelRdt = {}'
    inside 'echo it runs'
    have "it runs"
    config '.linux.intelRdt = {enableMonitoring: false, enableCMT: true}'
    inside 'echo it runs'
    have "it runs"
}

@test "a group of its own, its processes in it, gone with the container" {
    local at
    at=$(mounted)
    [ -n "$at" ] && [ "${WHERRY_RDT:-}" = 1 ] || skip "needs a machine for tests that has resctrl mounted: WHERRY_RDT=1"
    config '.linux.intelRdt = {schemata: [$s]}' --arg s "$(grep -o 'L3:.*' "$at/schemata" | head -1)"
    shell_is 'sleep 1000'
    detached create "$CID"
    have_status 0
    grep -qx "$(pid_of "$CID")" "$at/$CID/tasks"
    wherry delete -f "$CID"
    [ ! -e "$at/$CID" ]
}
