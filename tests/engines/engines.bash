# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Real engines with $WHERRY as their runtime, for the bats files: `load engines`. Everything of theirs is below one directory, /etc is not
# read, and no registry is asked: the image is a busybox of this machine.
#   $DIR            the file's directory; $DIR/rootfs what the image is made of
#   $PARENT         the parent of the cgroups, removed afterwards
#   quick CMD…      with an end: 60 s
#   no_trace        fails when mounts, cgroups or processes of ours are there; teardown_file calls it

SRC=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
WHERRY=${WHERRY:-${WHERRY_BUILD_DIR:-$SRC/build}/gcc/wherry}
export SRC WHERRY LC_ALL=C.UTF-8
# The same functions as in the tests without engines; their setup and teardown are about a bundle, and are not ours.
# shellcheck source=tests/integration/helpers.bash
. "$SRC/tests/integration/helpers.bash"
setup() { :; }
teardown() { :; }

quick() { timeout -k 5 60 "$@" 3>&- 4>&-; }

engine_setup() {
    [ -x "$WHERRY" ] || { echo "there is no $WHERRY: build first"; return 1; }
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/wherry-engines.XXXXXX")
    PARENT=/${DIR##*/}
    IMAGE=localhost/box:latest
    export DIR PARENT IMAGE
    make_rootfs "$DIR/rootfs"
    tar -C "$DIR/rootfs" -c . >"$DIR/rootfs.tar"
    cat >"$DIR/containers.conf" <<EOF
[containers]
default_ulimits = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["wherry"]
runtime_supports_nocgroup = ["wherry"]
[engine.runtimes]
wherry = ["$WHERRY"]
EOF
    # podman 5 warns at each start where hierarchies of the first version are mounted, as the tests' machines may have.
    export CONTAINERS_CONF=$DIR/containers.conf PODMAN_IGNORE_CGROUPSV1_WARNING=1
    export STORAGE="--root $DIR/storage --runroot $DIR/run --storage-driver vfs"
}

traces() {
    local pid bad=1
    grep -F "$DIR/" /proc/self/mountinfo && { echo "mounts are left"; bad=0; }
    # The engine makes the parent, and an empty one is what it leaves.
    find /sys/fs/cgroup -depth -mindepth 1 -path "*$PARENT/*" -type d ! -name conmon | grep . &&
        { echo "cgroups are left"; bad=0; }
    for pid in $(grep -lsF -- "${DIR##*/}" /proc/[0-9]*/cgroup | cut -d/ -f3); do
        echo "process $pid is left: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
        bad=0
    done
    return "$bad"
}

# LOOK is a command that prints what is left, and fails when that is nothing. Engines clean up after themselves in
# processes of their own (conmon starts `podman container cleanup`), which take their time on a busy machine.
nothing_left() { # LOOK
    local i
    for ((i = 0; i < 300; i++)); do
        "$1" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    ! "$1"
}
no_trace() { nothing_left traces; }

# A containerd of the test's own, from $DIR/containerd.toml, whose socket is $DIR/c.sock.
start_containerd() {
    containerd -c "$DIR/containerd.toml" >"$DIR/containerd.log" 2>&1 3>&- 4>&- &
    echo $! >"$DIR/pid"
    for _ in $(seq 200); do quick ctr -a "$DIR/c.sock" version >/dev/null 2>&1 && break; sleep 0.1; done
}
# containerd 2 has its daemon import an archive, which is then unpacked for the snapshotters that its configuration
# names; with --local `ctr` does it, as that of containerd 1.
import_archive() { # ARCHIVE [OPTION OF CTR…]
    local archive=$1 how=()
    shift
    if ctr image import --help | grep -q -e --local; then how=(--local); fi
    quick ctr -a "$DIR/c.sock" "$@" image import "${how[@]}" --snapshotter native "$archive"
}
stop_containerd() {
    local pid
    pid=$(cat "$DIR/pid")
    kill "$pid"
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
    kill -KILL "$pid"
}

engine_teardown() {
    local i bad=0
    no_trace >&2 || bad=1
    for i in $(grep -lsF -- "${DIR##*/}" /proc/[0-9]*/cgroup | cut -d/ -f3); do kill -KILL "$i"; done
    awk -v t="$DIR/" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r i; do umount -l "$i"; done
    find /sys/fs/cgroup -depth -type d -path "*$PARENT*" -exec rmdir {} + 2>/dev/null
    rm -rf "$DIR"
    return "$bad"
}
