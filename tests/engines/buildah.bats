#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2086 # $STORAGE is a list of words

load engines

setup_file() {
    command -v buildah >/dev/null || skip "needs buildah"
    [ "$(id -u)" = 0 ] || skip "needs root"
    engine_setup
    # Where nothing is said, newer buildah asks for more than a machine without CAP_SYS_RESOURCE has. It reports 1.28 as
    # "buildah version 1.28.2 (image-spec …)".
    local limits
    if [[ ! $(buildah --version) =~ ^buildah\ version\ 1\.[12][0-9]\. ]]; then
        limits="\"nofile=$(ulimit -n):$(ulimit -Hn)\", \"nproc=$(ulimit -u):$(ulimit -Hu)\""
        sed -i "s/^default_ulimits = .*/default_ulimits = [${limits//unlimited/-1}]/" "$CONTAINERS_CONF"
    fi
    BOX=$(quick buildah $STORAGE from scratch) && quick buildah $STORAGE add -q "$BOX" "$DIR/rootfs" / || { engine_teardown; return 1; }
    export BOX
}
teardown_file() {
    quick buildah $STORAGE rm --all >/dev/null
    engine_teardown
}

buildah_run() { quick buildah $STORAGE run --isolation oci --runtime "$WHERRY" --network none "$@" </dev/null; }

@test "run: output and exit status" {
    run buildah_run "$BOX" sh -c 'echo built >/made; echo out'
    have_status 0
    [ "$output" = out ]
    run buildah_run "$BOX" cat /made
    [ "$output" = built ]
    run buildah_run "$BOX" sh -c 'exit 3'
    have_status 3
    run buildah_run -t "$BOX" tty
    have /dev/pts/0
}

@test "run: why not" {
    run buildah_run "$BOX" nosuch
    [ "$status" != 0 ]
    have 'exec: "nosuch": executable file not found in $PATH'
}

@test "build: RUN steps" {
    quick buildah $STORAGE commit -q "$BOX" $IMAGE
    printf 'FROM %s\nRUN echo made >/made && id -u\nRUN test "$(cat /made)" = made\n' $IMAGE >"$DIR/Containerfile"
    run quick buildah $STORAGE build --isolation oci --runtime "$WHERRY" --network none --layers -t box-built -f "$DIR/Containerfile" "$DIR/run"
    have_status 0
    printf 'FROM %s\nRUN exit 5\n' $IMAGE >"$DIR/Containerfile"
    run quick buildah $STORAGE build --isolation oci --runtime "$WHERRY" --network none -f "$DIR/Containerfile" "$DIR/run"
    have_status 5
}
