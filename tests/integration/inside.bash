# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# For tests that look at a container from within: `load helpers`, then `load inside`.
bats_require_minimum_version 1.5.0

# inside SCRIPT: the container runs the script, to its end and with status 0; what it printed is in $output.
inside() {
    shell_is "$1"
    run wherry run "$CID" </dev/null
    have_status 0
}

# The same, in a mount namespace of its own in which PREPARE has run.
inside_after() { # PREPARE SCRIPT
    shell_is "$2"
    run unshare -m --propagation private bash -e -c "$1"'
        exec "$0" --root "$1" run "$2" </dev/null 3>&- 4>&-' "$WHERRY" "$ROOT" "$CID"
    have_status 0
}

# As `run wherry ARG…`, for commands that may leave a process behind: it holds what `run` would read to its end.
to_file() {
    local rc=0
    "$@" >"$BATS_TEST_TMPDIR/detached" 2>&1 </dev/null || rc=$?
    cat "$BATS_TEST_TMPDIR/detached"
    return "$rc"
}
detached() { run to_file wherry "$@"; }

# refused TEXT…: the container is not created; every text is in the one line that says why, and nothing is left.
refused() {
    local text
    detached create "$CID"
    have_status 1
    for text in "$@"; do have "$text"; done
    run wherry state "$CID"
    have "does not exist"
}

# The options that mountinfo shows for a mount point, those of the mount and those of the file system; from within.
# shellcheck disable=SC2034 # for the tests
MOUNT_OPTIONS='opts() { awk -v t="$1" '"'"'$5 == t { o = $6; for (i = 7; $i != "-"; i++); s = $(i + 3) } END { print o ";" s }'"'"' /proc/self/mountinfo; }
tags() { awk -v t="$1" '"'"'$5 == t { o = ""; for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); o = o $i " " } } END { print o }'"'"' /proc/self/mountinfo; }
'

# add_mount DESTINATION TYPE SOURCE OPTION,OPTION…: one more mount at the end of the list.
add_mount() {
    config '.mounts += [{destination: $d, type: $t, source: $s, options: ($o | split(","))} | if .type == "" then del(.type) else . end]' \
        --arg d "$1" --arg t "$2" --arg s "$3" --arg o "$4"
}
