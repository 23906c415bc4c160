# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# podman with a storage of the file's own (engine_setup). Loaded after engines.
# shellcheck disable=SC2086 # $STORAGE is a list of words

needs_podman() {
    command -v podman >/dev/null || skip "needs podman"
    [ "$(id -u)" = 0 ] || skip "needs root"
}
# conmon writes its file of an out-of-memory kill into the working directory.
setup() { NAME=c$BATS_TEST_NUMBER; cd "$DIR" || return; }
podman() { quick podman $STORAGE --tmpdir "$DIR/tmp" --runtime wherry "$@"; }
made() { # COMMAND ARG…: no network, and the test's own name and cgroup
    local command=$1
    shift
    podman "$command" --name "$NAME" --network none --cgroup-parent "$PARENT" --pids-limit "${PIDS_LIMIT--1}" "$@"
}
box() { made run --rm "$@" </dev/null; }
