# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For the bats files: `load helpers`, nothing else is needed. Each test gets
#   $BUNDLE    a bundle with a busybox rootfs and a config.json that runs `true` (tests/configs/base.jq)
#   $ROOT      a state directory of its own; the function `wherry` passes it
#   $CID       a container id that no other test has; ids of further containers start with it
# and afterwards its containers are deleted with force, and the test fails if a process, a mount or a cgroup of them is left.
#
#   config JQ [ARGS…]     change config.json:   config '.process.args = $ARGS.positional' --args id -u
#   command_is ARG…       what the container runs
#   shell_is SCRIPT       the same, as sh -c
#   wherry ARG…           the program under test, with --root
#   pid_of ID             pid of the container's init, as `state` tells it
#   wait_status ID STATUS waits until the container has that status (10 s)
#   in_cgroup2_view CMD…  runs CMD where /sys/fs/cgroup is the unified hierarchy alone
# A file with a line "# views: cgroup2" runs a second time in that view where the machine has v1 hierarchies as well (./check).
#   have_status N, have TEXT, have_not TEXT, have_line REGEX    about $status and $output of `run`
#   need root|userns|cgroup2|…        skips the test where the machine cannot run it

SRC=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CONFIGS=$SRC/tests/configs
WHERRY=${WHERRY:-${WHERRY_BUILD_DIR:-$SRC/build}/gcc/wherry}
export SRC CONFIGS WHERRY LC_ALL=C.UTF-8

# Once per file: the rootfs that each bundle is a copy of.
make_rootfs() { # DIR
    mkdir -p "$1"/{bin,dev,etc,proc,sys,tmp,root,home,var,run}
    chmod 1777 "$1/tmp"
    cp "$(command -v busybox)" "$1/bin/busybox"
    # One process, not one for each of the 270 links.
    "$1/bin/busybox" --list | (cd "$1/bin" && perl -nle 'symlink "busybox", $_ or die "$_: $!" unless $_ eq "busybox"') || return 1
    mkdir -p "$1/usr" && ln -s ../bin "$1/usr/bin" && ln -s bin "$1/sbin"
    printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\nuser:x:1000:\n' >"$1/etc/group"
}

make_bundle() { # DIR [CONFIG]
    mkdir -p "$1"
    if [ ! -d "$BATS_FILE_TMPDIR/rootfs" ]; then make_rootfs "$BATS_FILE_TMPDIR/rootfs"; fi
    cp -a "$BATS_FILE_TMPDIR/rootfs" "$1/rootfs"
    jq -f "$CONFIGS/base.jq" --arg id "$CID" --argjson args '["true"]' "${2:-$CONFIGS/runc-1.1-spec.json}" >"$1/config.json"
}

setup() {
    CID=wt-$$-$BATS_SUITE_TEST_NUMBER-$RANDOM
    ROOT=$BATS_TEST_TMPDIR/state
    BUNDLE=$BATS_TEST_TMPDIR/bundle
    [ -x "$WHERRY" ] || { echo "there is no $WHERRY: build first"; return 1; }
    make_bundle "$BUNDLE"
    cd "$BUNDLE" || return 1
    if declare -F test_setup >/dev/null; then test_setup; fi
}

wherry() {
    # bats' own descriptors: a container that outlives the command would keep bats waiting for its end.
    "$WHERRY" --root "$ROOT" "$@" 3>&- 4>&-
}

config() {
    local program=$1
    shift
    jq "$program" "$@" <"$BUNDLE/config.json" >"$BUNDLE/config.json.new" || return 1
    mv "$BUNDLE/config.json.new" "$BUNDLE/config.json"
}

command_is() { config '.process.args = $ARGS.positional' --args -- "$@"; }
shell_is() { command_is /bin/sh -c "$1"; }

pid_of() { wherry state "$1" | jq .pid; }

wait_status() { # ID STATUS
    local i now=
    for ((i = 0; i < 200; i++)); do
        now=$(wherry state "$1" 2>/dev/null | jq -r .status)
        [ "$now" = "$2" ] && return 0
        sleep 0.05
    done
    echo "status of $1 is '$now', not '$2'"
    return 1
}

# For setup_file: $BATS_FILE_TMPDIR/NAME from NAME.c beside the bats files.
compile_static() { # NAME
    local cc
    for cc in musl-gcc gcc; do command -v "$cc" >/dev/null && break; done
    "$cc" -static -O1 -Wall -Wextra -o "$BATS_FILE_TMPDIR/$1" "$SRC/tests/integration/$1.c" -pthread
}

in_cgroup2_view() {
    unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' sh "$@"
}

# ---------------------------------------------------------------- what a test says about `run`
have_status() {
    # shellcheck disable=SC2154 # set by bats
    [ "$status" = "$1" ] && return 0
    echo "exit status is $status, not $1; output:"
    # shellcheck disable=SC2154
    echo "$output"
    return 1
}

have() {
    case $output in *"$1"*) return 0 ;; esac
    echo "output lacks: $1"
    echo "output: $output"
    return 1
}

have_not() {
    case $output in *"$1"*) ;; *) return 0 ;; esac
    echo "output has: $1"
    echo "output: $output"
    return 1
}

have_line() {
    grep -qE -- "$1" <<<"$output" && return 0
    echo "no line of the output matches: $1"
    echo "output: $output"
    return 1
}

need() {
    local what
    for what in "$@"; do
        case $what in
        root) [ "$(id -u)" = 0 ] || skip "needs root" ;;
        userns) unshare -U true 2>/dev/null || skip "needs user namespaces" ;;
        cgroup2) grep -q cgroup2 /proc/filesystems || skip "needs cgroup2" ;;
        hybrid) grep -qE '^[^ ]+ [^ ]+ cgroup ' /proc/mounts || skip "needs v1 cgroup controllers" ;;
        unified) [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || skip "needs the unified cgroup hierarchy" ;;
        *) command -v "$what" >/dev/null || skip "needs $what" ;;
        esac
    done
}

# ---------------------------------------------------------------- what must not be left
threads_of() { # PID
    set -- "/proc/$1/task/"*
    if [ -d "$1" ]; then echo $#; else echo 0; fi
}

# Processes in a cgroup of ours, below a rootfs of ours, or that were started for an id of ours.
left_processes() {
    local pid
    # One grep and one find over all processes: a handful of them for each process takes seconds on a busy machine.
    {
        grep -lsF -- "$CID" /proc/[0-9]*/cgroup /proc/[0-9]*/cmdline
        find /proc -maxdepth 2 -name root -path '/proc/[0-9]*' -lname "$BATS_TEST_TMPDIR/*" 2>/dev/null
    } | cut -d/ -f3 | sort -nu | while read -r pid; do
        # A zombie waits for its parent, and runs nothing: unless it is but the first of several threads.
        case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) in
        Z* | X* | '') [ "$(threads_of "$pid")" -gt 1 ] || continue ;;
        esac
        # The first process of a pid namespace ends when the last of the others is reaped, by whatever inherited it.
        [ "$(cat "/proc/$pid/wchan" 2>/dev/null)" != zap_pid_ns_processes ] || continue
        [ "$pid" = "$$" ] || [ "$pid" = "$BASHPID" ] || echo "$pid"
    done
}
left_mounts() { awk -v t="$BATS_TEST_TMPDIR/" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }
left_cgroups() { find /sys/fs/cgroup -depth -type d -name "*$CID*" 2>/dev/null; }

teardown() {
    local state what pid bad=0
    cd / || return 1
    if declare -F test_teardown >/dev/null; then test_teardown; fi
    for state in "$ROOT"/*/; do
        [ -d "$state" ] || continue
        "$WHERRY" --root "$ROOT" delete -f "$(basename "$state")" 3>&- || { echo "delete -f $(basename "$state") failed"; bad=1; }
    done
    for what in processes mounts cgroups; do
        left_$what >"$BATS_TEST_TMPDIR/left"
        # What was killed an instant ago may still be on its way out.
        if [ -s "$BATS_TEST_TMPDIR/left" ]; then sleep 0.3; left_$what >"$BATS_TEST_TMPDIR/left"; fi
        if [ -s "$BATS_TEST_TMPDIR/left" ]; then
            bad=1
            echo "left behind ($what):"
            if [ "$what" = processes ]; then
                while read -r pid; do
                    echo "  $pid $(tr '\0' ' ' </proc/"$pid"/cmdline)"
                    kill -KILL "$pid"
                done <"$BATS_TEST_TMPDIR/left"
            else
                sed 's/^/  /' "$BATS_TEST_TMPDIR/left"
            fi
        fi
    done
    # Swept up in any case: the next test starts from nothing.
    left_mounts | while read -r what; do umount -l "$what"; done
    left_cgroups | while read -r what; do rmdir "$what" 2>/dev/null; done
    find /sys/fs/cgroup -depth -type d -name wherry-test -exec rmdir {} + 2>/dev/null
    return "$bad"
}
