# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# For tests that run as an ordinary user: `load helpers`, then `load ordinary`, and ordinary_setup from test_setup. /etc of the host stays as it is:
# user and ranges are in files that are bound over its own, in a mount namespace of the one command.
#   as_user CMD…      runs CMD as the user, with XDG_RUNTIME_DIR=$RUN
#   mine ARG…         wherry as that user, without --root, and away from what `run` of bats waits for
#   rootless JQ ARG…  changes config.json, which begins as `wherry spec --rootless` writes it, without a terminal and running `true`
#   subids            the ids of the container's map: the user's own, and 65536 subordinate ones
#   SUBIDS=LINE       what /etc/subuid and /etc/subgid say; empty: nothing
#   FIRST=SCRIPT      what root does before, in that mount namespace
UID_=61234
NAME_=wt-ordinary
SUBIDS=$NAME_:200000:65536
FIRST=

ordinary_setup() {
    need root userns setpriv
    RUN=$BATS_TEST_TMPDIR/run
    ROOT=$RUN/wherry
    mkdir -m 700 "$RUN"
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
    { cat /etc/passwd; echo "$NAME_:x:$UID_:$UID_::$BATS_TEST_TMPDIR:/bin/sh"; } >"$BATS_TEST_TMPDIR/passwd"
    chown -R "$UID_:$UID_" "$BUNDLE" "$RUN"
    # A build below somebody's home is out of the user's reach.
    if ! as_user test -x "$WHERRY"; then
        install -m 755 "$WHERRY" "$BATS_TEST_TMPDIR/wherry"
        WHERRY=$BATS_TEST_TMPDIR/wherry
    fi
    rm "$BUNDLE/config.json"
    as_user "$WHERRY" spec --rootless
    cp "$BUNDLE/config.json" "$BATS_TEST_TMPDIR/as-written.json"
    rootless '.process.terminal = false | .process.args = ["true"]'
}

as_user() {
    printf '%s\n' "$SUBIDS" >"$BATS_TEST_TMPDIR/subids"
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m --propagation private bash -e -c '
        mount --bind "$1/passwd" /etc/passwd
        for file in /etc/subuid /etc/subgid; do
            if [ -e "$file" ]; then mount --bind "$1/subids" "$file"; fi
        done
        eval "$3"
        tmp=$1 id=$2
        shift 3
        exec setpriv --reuid "$id" --regid "$id" --clear-groups env USER=wt-ordinary HOME="$tmp" XDG_RUNTIME_DIR="$tmp/run" "$@"
    ' sh "$BATS_TEST_TMPDIR" "$UID_" "$FIRST" "$@"
}

mine() { as_user "$WHERRY" "$@" 3>&- 4>&-; }

rootless() {
    config "$@"
    chown "$UID_:$UID_" "$BUNDLE/config.json"
}

subids() {
    rootless '.linux.uidMappings = [ { containerID: 0, hostID: $own, size: 1 }, { containerID: 1, hostID: 200000, size: 65536 } ]
        | .linux.gidMappings = .linux.uidMappings' --argjson own "$UID_"
}

# To its end; what it printed is in $output.
user_runs() { run mine run "$CID" </dev/null; }
user_shell() {
    rootless '.process.args = ["sh", "-c", $s]' --arg s "$1"
    user_runs
}
# Not created, for these reasons, and nothing is left.
user_refused() {
    local text
    user_runs
    have_status 1
    for text in "$@"; do have "$text"; done
    run ls "$ROOT"
    [ -z "$output" ] || { echo "left in the state root: $output"; return 1; }
}
