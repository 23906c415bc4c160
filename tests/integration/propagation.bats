#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# linux.rootfsPropagation and the propagation of binds: who sees whose mounts. A mount namespace of the test's own stands for the host, so that
# nothing reaches the machine's own table.
bats_require_minimum_version 1.5.0
load helpers

test_setup() {
    need root
    mkdir vol
    config '.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"])'
}

# Runs the container with ROOT-PROPAGATION and a volume with OPTIONS (JSON) whose host mount has TYPE; prints whether the host sees the container's
# mount and the container the host's: in|- out|-
travel() { # TYPE ROOT-PROPAGATION OPTIONS [WHERRY-OPTION…]
    local type=$1 rp=$2 options=$3
    shift 3
    rm -rf vol/* flag
    mkdir -p flag
    config '.mounts = [.mounts[] | select(.destination | IN("/vol", "/flag") | not)]
        | .mounts += [{destination: "/vol", type: "bind", source: $vol, options: $options}, {destination: "/flag", type: "bind", source: $flag, options: ["bind"]}]
        | if $rp == "" then del(.linux.rootfsPropagation) else .linux.rootfsPropagation = $rp end' \
        --arg vol "$PWD/vol" --arg flag "$PWD/flag" --argjson options "$options" --arg rp "$rp"
    shell_is 'mount -t tmpfs in /vol/a && touch /vol/a/in; touch /flag/ready
        i=0; while [ ! -e /flag/go ] && [ $i -lt 200 ]; do usleep 50000; i=$((i + 1)); done
        [ -e /vol/b/out ] && touch /flag/out; grep " /vol " /proc/self/mountinfo > /flag/mountinfo'
    # The inner shell expands its own variables.
    # shellcheck disable=SC2016
    unshare -m --propagation private bash -c '
        # Shared, but not with the real host.
        mount --make-rshared /
        type=$1; shift
        mount -t tmpfs vol vol && mkdir vol/a vol/b && mount --make-"$type" vol || exit 1
        "$@" >flag/log 2>&1 & pid=$!
        for ((i = 0; i < 200; i++)); do [ -e flag/ready ] && break; kill -0 $pid 2>/dev/null || break; sleep 0.05; done
        [ -e flag/ready ] || { cat flag/log; exit 1; }
        [ -e vol/a/in ] && in=in || in=-
        mount -t tmpfs out vol/b; touch vol/b/out flag/go
        wait $pid || exit 1
        [ -e flag/out ] && out=out || out=-
        grep -q " /proc/sys\| - proc " /proc/self/mountinfo || exit 3
        echo "$in $out"' bash "$type" "$WHERRY" --root "$ROOT" run "$@" "$CID"
}

# What runc and crun have for each.
@test "a shared host mount: rootfsPropagation decides without an option" {
    for case in '/- out' 'private/in out' 'rprivate/- -' 'slave/in out' 'rslave/- out' 'shared/in out' 'rshared/in out'; do
        result=$(travel shared "${case%%/*}" '["rbind"]')
        [ "$result" = "${case#*/}" ] || { echo "$case: got $result"; return 1; }
    done
}

@test "a shared host mount: the option of the bind decides over it" {
    for case in 'rprivate//- -' 'rprivate/rshared/- -' 'rslave/rshared/- out' 'rslave//- out' 'rshared/rshared/in out' 'rshared/shared/in out' \
        'shared/rshared/in out' 'rshared//- out' 'rshared/rslave/- out' 'rshared/rprivate/- -' 'runbindable/rshared/- -'; do
        IFS=/ read -r option rp want <<<"$case"
        result=$(travel shared "$rp" "[\"rbind\",\"$option\"]")
        [ "$result" = "$want" ] || { echo "$case: got $result"; return 1; }
    done
}

@test "host mounts of the other types: only a shared one has peers" {
    for type in private slave unbindable; do
        [ "$type" = unbindable ] && continue # cannot be bound at all
        result=$(travel $type rshared '["rbind","rshared"]')
        [ "$result" = "- $([ $type = slave ] && echo - || echo -)" ] || { echo "$type: got $result"; return 1; }
    done
}

@test "with --no-pivot mounts travel as well, and nothing of the host is unmounted" {
    result=$(travel shared rshared '["rbind","rshared"]' --no-pivot)
    [ "$result" = "in out" ]
}

@test "unbindable: the new root cannot be bound, volumes are slaves" {
    for rp in unbindable runbindable; do
        config '.linux.rootfsPropagation = $rp | .process.args = ["grep", " / / \\| / ", "/proc/self/mountinfo"]' --arg rp $rp
        run wherry run "$CID"
        have_status 0
        have unbindable
    done
}

@test "the host's own mounts stay when a container with rootfsPropagation shared is made and ends" {
    config '.linux.rootfsPropagation = "rshared"'
    # shellcheck disable=SC2016
    unshare -m --propagation private bash -c 'mount --make-rshared /; before=$(awk "{print \$5}" /proc/self/mountinfo);
        "$@"; status=$?
        after=$(awk "{print \$5}" /proc/self/mountinfo); [ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after"); exit 1; }; exit $status' \
        bash "$WHERRY" --root "$ROOT" run "$CID"
}

@test "shared on a bind without rootfsPropagation shared is a warning" {
    config '.mounts += [{destination: "/vol", type: "bind", source: "vol", options: ["bind", "shared"]}]'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [[ $stderr == *'/options: mounts made on /vol in the container will not appear on the host: that takes linux.rootfsPropagation shared or rshared too' ]]
    config '.linux.rootfsPropagation = "shared"'
    run --separate-stderr wherry run "$CID"
    have_status 0
    [ -z "$stderr" ] || { echo "$stderr"; return 1; }
}
