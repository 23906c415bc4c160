# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shared by ./check, ./demo and the suites: packages, builds, and TAP from shell scripts. Source it; SRC is the source tree.

export LC_ALL=C.UTF-8
SRC=${SRC:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${WHERRY_BUILD_DIR:-$SRC/build}
JOBS=${JOBS:-$(nproc)}
export SRC BUILD JOBS

# shellcheck disable=SC2034 # read by those who source this
{
    PACKAGES_BUILD="gcc libc6-dev make autoconf automake libtool pkg-config libyajl-dev libseccomp-dev libcap-dev musl-tools binutils"
    PACKAGES_DEMO="busybox-static jq"
    PACKAGES_CHECK="bats clang clang-format clang-tidy cppcheck shellcheck mandoc g++ strace util-linux procps file xz-utils man-db python3 python3-jsonschema git tmux keyutils"
    PACKAGES_ENGINES="podman buildah conmon containerd docker.io runc crun skopeo umoci python3-grpcio python3-protobuf protobuf-compiler"
    PACKAGES_VM="qemu-system-x86 busybox-static cpio kmod xz-utils perl-base apparmor secilc systemd-sysv dbus dbus-user-session libpam-systemd"
}

# Installs those of the named packages that are missing. Debian and what is made from it; elsewhere they are only looked for by ./configure.
need_packages() {
    local package missing=""
    command -v dpkg-query >/dev/null || return 0
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        echo "missing packages:$missing (install them, or run this as root)" >&2
        return 1
    fi
    echo "installing:$missing" >&2
    # --no-remove: Debian's containerd would otherwise take the place of Docker's, and Docker with it.
    # The lists of packages may be absent on a fresh machine, or old.
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-remove --no-install-recommends $missing >/dev/null 2>&1 </dev/null ||
        { apt-get update -qq >/dev/null &&
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-remove --no-install-recommends $missing >/dev/null </dev/null; }
}

# configured_build DIR [CONFIGURE ARGS…]: makes DIR/Makefile when it is missing or older than what it is made from.
configured_build() {
    local dir=$1
    shift
    if [ -f "$SRC/config.status" ]; then
        echo "the source tree itself is configured: run 'make distclean' in it first" >&2
        return 1
    fi
    if [ ! -x "$SRC/configure" ] || [ "$SRC/configure.ac" -nt "$SRC/configure" ] || [ ! -f "$SRC/Makefile.in" ]; then
        "$SRC/autogen.sh" || return 1
    fi
    mkdir -p "$dir"
    if [ ! -f "$dir/Makefile" ] || [ "$SRC/configure" -nt "$dir/config.status" ] || [ "$*" != "$(cat "$dir/.flags" 2>/dev/null)" ]; then
        # Objects do not depend on the flags that they were compiled with. Only what was made here is thrown away.
        if [ -f "$dir/.flags" ]; then rm -rf "${dir:?}" && mkdir -p "$dir"; fi
        (cd "$dir" && "$SRC/configure" "$@") || return 1
        echo "$*" >"$dir/.flags"
    fi
}

# ---------------------------------------------------------------- TAP
tap_n=0 tap_bad=0

tap_ok() {
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $*"
}

tap_not_ok() {
    tap_n=$((tap_n + 1)) tap_bad=1
    echo "not ok $tap_n - $*"
}

tap_skip() { # DESCRIPTION REASON
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $1 # SKIP $2"
}

# tap_cmd DESCRIPTION COMMAND…: passes when the command exits 0; what it printed is shown when it does not.
tap_cmd() {
    local what=$1 log rc
    shift
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null
    rc=$?
    if [ "$rc" = 0 ]; then
        tap_ok "$what"
    else
        tap_not_ok "$what"
        echo "#   exit status $rc: $*"
        # What failed may be long before the end: a program of `make check` among many.
        grep -nE '^not ok| [1-9][0-9]* failed' "$log" | head -n 20 | sed 's/^/#   line /'
        tail -n 40 "$log" | sed 's/^/#   /'
    fi
    rm -f "$log"
    return "$rc"
}

# tap_silent DESCRIPTION COMMAND…: passes when the command exits 0 and prints nothing.
tap_silent() {
    local what=$1 out rc
    shift
    out=$("$@" 2>&1 </dev/null)
    rc=$?
    if [ "$rc" = 0 ] && [ -z "$out" ]; then
        tap_ok "$what"
    else
        tap_not_ok "$what"
        [ "$rc" = 0 ] || echo "#   exit status $rc"
        printf '%s\n' "$out" | head -n 60 | sed 's/^/#   /'
    fi
}

tap_done() {
    echo "1..$tap_n"
    exit "$tap_bad"
}

# Files of the project, as relative paths: from git, or all of them in an unpacked release.
project_files() {
    (cd "$SRC" && { git ls-files -co --exclude-standard -- "$@" 2>/dev/null ||
        find . -type f -not -path './build/*' -not -path './autom4te.cache/*' | sed 's|^\./||'; }) | while read -r f; do
        [ -f "$SRC/$f" ] && echo "$f"
    done
}

# tap SUITE NAME SECONDS COMMAND…: the results go to $out, which ./check has made.
tap() {
    printf '%q ' "$@" >"$out/command.$1.$2"
    "$SRC/tests/harness/run-tap" --out "$out" --suite "$1" --name "$2" --timeout "$3" -- "${@:4}" &
    child=$!
    wait "$child"
    child=
    # Whatever ends the runner itself must not pass for a success.
    if ! grep -q "^$1 $2 " "$out/counts" 2>/dev/null; then
        echo "$1 $2: the runner ended without a result"
        echo "$1 $2 0 1 0" >>"$out/counts"
    fi
}

# What failed beside the other lanes runs once more, alone. Containers, engines and the lab wait for each other's
# processors and have deadlines, and `make distcheck` runs the unit tests, so that a failure that does not come back is
# one of load. It is listed as such below, and the second result counts. With many failures there is no doubt.
once_more() {
    local failed='' name
    failed=$(awk '$4 > 0 && $1 ~ /^(unit|differential|integration|contract|engines|fault|vm|dist)$/ { print $1 "." $2 }' \
        "$out/counts")
    # shellcheck disable=SC2086 # a list of words
    set -- $failed
    [ $# -le 6 ] || return 0
    for name; do
        sed -i "/^${name%%.*} ${name#*.} /d" "$out/counts"
        mkdir -p "$out/first"
        cp "$out/${name%%.*}/${name#*.}."* "$out/first/"
        eval "tap $(cat "$out/command.$name")"
        ! grep -q "^${name%%.*} ${name#*.} [0-9]* 0 " "$out/counts" || echo "  ${name%%.*}/${name#*.}" >>"$out/flaky"
    done
}
