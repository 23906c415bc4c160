#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2086 # $STORAGE is a list of words
# podman and buildah of an ordinary user: wherry is root of their user namespace, without a cgroup of its own.
bats_require_minimum_version 1.5.0
load engines

ID=61235

setup_file() {
    command -v podman >/dev/null || skip "needs podman"
    command -v newuidmap >/dev/null || skip "needs newuidmap"
    [ "$(id -u)" = 0 ] || skip "needs root"
    engine_setup
    chmod 755 "$DIR"
    # Where the user can get at it.
    install -m 755 "$WHERRY" "$DIR/wherry"
    sed -i "s|^wherry = .*|wherry = [\"$DIR/wherry\"]|" "$DIR/containers.conf"
    { cat /etc/passwd; echo "wt-engine:x:$ID:$ID::$DIR/home:/bin/sh"; } >"$DIR/passwd"
    { cat /etc/group; echo "wt-engine:x:$ID:"; } >"$DIR/group"
    echo "wt-engine:300000:65536" >"$DIR/subids"
    mkdir "$DIR/home" "$DIR/xdg"
    chmod 700 "$DIR/xdg"
    chown "$ID:$ID" "$DIR/home" "$DIR/xdg"
    export STORAGE="--root $DIR/home/storage --runroot $DIR/home/run --storage-driver vfs"
    podman import "$DIR/rootfs.tar" $IMAGE || { teardown_file; return 1; }
}

teardown_file() {
    local pid
    # The process that keeps the user's namespaces.
    find "$DIR" -name pause.pid -exec sh -c 'cat "$1"; echo' sh {} \; | while read -r pid; do
        case $(cat "/proc/$pid/comm" 2>/dev/null) in podman*) kill -KILL "$pid" ;; esac
    done
    engine_teardown
}
setup() { NAME=c$BATS_TEST_NUMBER; }
teardown() { podman rm -f -t 0 --ignore "$NAME" >/dev/null; }

as_user() {
    # shellcheck disable=SC2016 # for the inner shell
    quick unshare -m --propagation private bash -e -c '
        mount --bind "$1/passwd" /etc/passwd
        mount --bind "$1/group" /etc/group
        mount --bind "$1/subids" /etc/subuid
        mount --bind "$1/subids" /etc/subgid
        cd "$1/home"
        dir=$1 id=$2
        shift 2
        exec setpriv --reuid "$id" --regid "$id" --clear-groups env HOME="$dir/home" USER=wt-engine XDG_RUNTIME_DIR="$dir/xdg" "$@"
    ' sh "$DIR" "$ID" "$@"
}
podman() { as_user podman --log-level error $STORAGE --tmpdir "$DIR/home/tmp" --runtime wherry "$@"; }
made() { # COMMAND ARG…
    local command=$1
    shift
    podman "$command" --name "$NAME" --network none "$@"
}
box() { made run --rm "$@" </dev/null; }

@test "podman run: ids of the user's ranges, exit status, with and without --cgroups=disabled" {
    run box --cgroups=disabled $IMAGE sh -c 'id -u; cat /proc/self/uid_map; exit 7'
    have_status 7
    have_line "^ +0 +$ID +1$"
    have_line "^ +1 +300000 +65536$"
    run box $IMAGE sh -c 'id -u; exit 8'
    have_status 8
    run box --user 1000:1000 --group-add 5 $IMAGE id
    have_status 0
    have "uid=1000"
    have "5"
}

@test "podman run --userns=keep-id: the user's own id inside, another that is chosen, and what belongs to whom" {
    mkdir -p "$DIR/home/kept"
    chown "$ID:$ID" "$DIR/home/kept"
    run box --userns keep-id -v "$DIR/home/kept:/kept" $IMAGE sh -c 'id -u; id -g; stat -c %u /kept; echo >/kept/made'
    have_status 0
    [ "$output" = "$ID"$'\n'"$ID"$'\n'"$ID" ]
    [ "$(stat -c %u "$DIR/home/kept/made")" = "$ID" ]
    run box --userns keep-id --user 0 $IMAGE sh -c 'id -u; cat /proc/self/uid_map'
    have_status 0
    have_line '^0$'
    have_line "^ +$ID +0 +1$"
    made run -d --userns keep-id $IMAGE sleep 1000
    run podman exec "$NAME" id -u </dev/null
    [ "$output" = "$ID" ]
    podman rm -f -t 0 "$NAME"
    # Since podman 4.3.
    run box --userns keep-id:uid=1000,gid=7 $IMAGE sh -c 'id -u; id -g; echo out >/dev/stdout'
    have_status 0
    [ "$output" = $'1000\n7\nout' ]
}

@test "podman run --userns=nomap, and a volume that belongs to the container's ids (:U)" {
    run box --userns nomap $IMAGE sh -c 'id -u; cat /proc/self/uid_map'
    have_status 0
    have_line '^0$'
    have_not " $ID "
    run box --user 1000:1000 -v made:/made:U $IMAGE sh -c 'echo kept >/made/a && stat -c %u /made/a'
    have_status 0
    [ "$output" = 1000 ]
}

@test "podman run: exit statuses of what cannot be executed" {
    run -127 box $IMAGE nosuch
    have 'executable file not found in $PATH'
    run box $IMAGE /etc
    have_status 126
}

@test "podman run -d, stop, start, rm; -t; a volume" {
    mkdir "$DIR/home/volume"
    chown "$ID" "$DIR/home/volume"
    run made run -d -v "$DIR/home/volume:/v" $IMAGE sh -c 'trap "exit 0" TERM; echo here >/v/file; while :; do sleep 0.1; done'
    have_status 0
    for _ in $(seq 100); do
        [ -s "$DIR/home/volume/file" ] && break
        sleep 0.1
    done
    [ "$(stat -c %u "$DIR/home/volume/file")" = "$ID" ]
    run podman inspect -f '{{.State.Status}} {{.OCIRuntime}}' "$NAME"
    [ "$output" = "running wherry" ]
    podman stop -t 5 "$NAME"
    podman start "$NAME"
    podman rm -f -t 0 "$NAME"
    run box -t $IMAGE sh -c '[ -t 0 ] && echo terminal'
    have terminal
}

@test "buildah run and build, --isolation oci" {
    command -v buildah >/dev/null || skip "needs buildah"
    box=$(as_user buildah $STORAGE from $IMAGE)
    run as_user buildah $STORAGE run --isolation oci --runtime "$DIR/wherry" --network none "$box" sh -c 'echo made >/made; cat /made; exit 3' </dev/null
    have_status 3
    have made
    printf 'FROM %s\nRUN echo made >/made && id -u\nRUN test "$(cat /made)" = made\n' $IMAGE >"$DIR/home/Containerfile"
    run as_user buildah $STORAGE build --isolation oci --runtime "$DIR/wherry" --network none -t box-built -f "$DIR/home/Containerfile" "$DIR/xdg"
    have_status 0
    as_user buildah $STORAGE rm --all
}
