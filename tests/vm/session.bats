#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# An ordinary user in a systemd session, in the lab: the user's manager has made the cgroup that this runs in, with the controllers in it.
load ../integration/helpers
load ../integration/inside

test_setup() {
    [ "$(id -u)" != 0 ] || skip "needs an ordinary user"
    MINE=$(sed -n 's/^0:://p' /proc/self/cgroup)
    case $MINE in /user.slice/*/user@"$(id -u)".service/*) ;; *) skip "needs a systemd session" ;; esac
    rm config.json
    "$WHERRY" spec --rootless
    config '.process.terminal = false'
}

@test "session: the controllers are delegated, and the cgroup is the user's" {
    grep -qw pids "/sys/fs/cgroup$MINE/cgroup.controllers"
    grep -qw memory "/sys/fs/cgroup$MINE/cgroup.controllers"
    [ "$(stat -c %u "/sys/fs/cgroup$MINE")" = "$(id -u)" ]
}

@test "session: spec --rootless runs, in a cgroup beside this one" {
    config '.linux.namespaces |= map(select(.type != "cgroup"))'
    inside 'sed -n "s/^0:://p" /proc/self/cgroup; id -u'
    have_line '^0$'
    have_line "^${MINE%/*}/.*$CID\$"
    run find /sys/fs/cgroup -type d -name "$CID*"
    [ -z "$output" ]
}

@test "session: a pids limit is set, and holds" {
    config '.linux.resources = { pids: { limit: 6 } } | .linux.namespaces |= map(select(.type != "cgroup"))'
    shell_is 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait; true'
    run wherry run "$CID" </dev/null
    have "fork"
    config '.process.args = ["sleep", "60"]'
    detached create "$CID"
    have_status 0
    made=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid_of "$CID")/cgroup")
    [ "$(cat "$made/pids.max")" = 6 ]
    [ "$(stat -c %u "$made")" = "$(id -u)" ]
    wherry delete -f "$CID"
    [ ! -e "$made" ]
}
