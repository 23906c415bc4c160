#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# views: cgroup2
# shellcheck disable=SC2034 # FIRST and SUBIDS are for as_user
# What `doctor` finds is what containers then find, each lack has a command, and nothing is left.
load helpers
load inside
load ordinary

test_setup() { ordinary_setup; }

test_teardown() {
    for dir in /sys/fs/cgroup{,/unified}/"$CID"; do
        [ ! -d "$dir/here" ] || rmdir "$dir/here"
        [ ! -d "$dir" ] || rmdir "$dir"
    done
}

doctor() { run mine doctor "$@"; }
# is ID STATUS: in the JSON report of the last run.
is() {
    [ "$(jq -r --arg i "$1" '.probes[] | select(.id == $i) | .status' <<<"$output")" = "$2" ] && return 0
    echo "$1 is not $2 in:"
    echo "$output"
    return 1
}
fix_of() { jq -r --arg i "$1" '.probes[] | select(.id == $i) | .fix' <<<"$output"; }

@test "the report follows its schema, as root, as a user, and for a user as root" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "needs python3-jsonschema"
    for who in wherry mine "wherry --rootless"; do
        # shellcheck disable=SC2086 # words
        run "${who%% *}" doctor --json ${who#"${who%% *}"}
        printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/report"
        run python3 - "$SRC/oci-spec-schema/doctor-schema.json" "$BATS_TEST_TMPDIR/report" <<'PY'
import json, sys
import jsonschema
schema, doc = (json.load(open(p)) for p in sys.argv[1:])
jsonschema.validate(doc, schema)
assert len({p["id"] for p in doc["probes"]}) == len(doc["probes"]), "an id twice"
for p in doc["probes"]:
    # Each lack has a command, and nothing else has.
    assert ("fix" in p) == (p["status"] in ("lack", "missing")), p
    assert p["status"] != "missing" or p["needed"], p
    assert p["status"] != "lack" or not p["needed"], p
    assert p["status"] != "skipped" or p.get("detail"), p
assert doc["usable"] == all(p["status"] != "missing" for p in doc["probes"])
PY
        have_status 0
    done
    [ "$(jq .rootless "$BATS_TEST_TMPDIR/report")" = true ]
}

@test "the ids and their order are those of the list, and --format json is --json" {
    run wherry doctor --format json
    [ "$(jq -r '.probes[].id' <<<"$output")" = "$(sed -n 's/^PROBE([A-Z_]*, "\([a-z-]*\)".*/\1/p' "$SRC/src/libwherry/host/doctor.def")" ]
    run wherry doctor --format yaml
    have_status 1
    have "yaml"
}

@test "text: a line for each probe, and the verdict last" {
    run wherry doctor
    text=$output
    status_text=$status
    run wherry doctor --json
    [ "$status" = "$status_text" ]
    while read -r word id; do
        output=$text
        have_line "^$word +$id "
    done < <(wherry doctor --json | jq -r '.probes[] | .status + " " + .id')
    [ "$(grep -c ' fix: ' <<<"$text")" = "$(wherry doctor --json | jq '[.probes[] | select(.fix)] | length')" ]
    output=$(tail -1 <<<"$text")
    have_line '^Containers (run here\.|do not run here: )'
}

@test "where doctor says that containers run, they do" {
    doctor --json
    [ "$status" = 0 ]
    [ "$(jq .usable <<<"$output")" = true ]
    user_runs
    have_status 0
    run wherry doctor --json
    if [ "$status" = 0 ]; then
        make_bundle "$BATS_TEST_TMPDIR/root-bundle"
        run "$WHERRY" --root "$BATS_TEST_TMPDIR/root-state" run -b "$BATS_TEST_TMPDIR/root-bundle" "$CID"
        have_status 0
    fi
}

# A doctor that was killed, in another test or by hand, may have left some.
doctor_cgroups() { find /sys/fs/cgroup -name 'wherry-doctor*' | sort; }

@test "quick, and nothing is left: no process, mount, cgroup, file or key" {
    cgroups=$(doctor_cgroups)
    mounts=$(cat /proc/self/mountinfo)
    before=$(pgrep -x wherry -u "$UID_" || true)
    start=$(date +%s%N)
    run wherry doctor
    end=$(date +%s%N)
    [ $(((end - start) / 1000000)) -lt 1000 ]
    [ "$(cat /proc/self/mountinfo)" = "$mounts" ]
    [ "$(doctor_cgroups)" = "$cgroups" ]
    [ ! -e "$ROOT" ]
    doctor
    [ -z "$(ls -A "$RUN")" ]
    [ "$(pgrep -x wherry -u "$UID_" || true)" = "$before" ]
}

@test "no place for the state" {
    run as_user env -u XDG_RUNTIME_DIR "$WHERRY" doctor --json
    have_status 1
    is state-root missing
    [ "$(fix_of state-root)" = "export XDG_RUNTIME_DIR=/run/user/$UID_   (root makes it: loginctl enable-linger $NAME_)" ]
    [ "$(jq .usable <<<"$output")" = false ]
    run as_user env -u XDG_RUNTIME_DIR "$WHERRY" doctor
    have_status 1
    [ "$(tail -1 <<<"$output")" = "Containers do not run here: 1 thing is missing." ]
}

@test "no user namespaces" {
    # The switch is the user namespace's own.
    # shellcheck disable=SC2016 # for the inner shell
    run as_user unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$1" doctor --json' sh "$WHERRY"
    # Root of a user namespace needs no further one.
    have_status 0
    is user-namespace lack
    [ "$(fix_of user-namespace)" = "sysctl -w user.max_user_namespaces=15000" ]
    # Anybody else in it does.
    # shellcheck disable=SC2016 # for the inner shell
    run unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all "$1" doctor --json' sh "$WHERRY"
    have_status 1
    is namespaces missing
}

@test "a masked /proc: what doctor says and what run says" {
    FIRST='mount --bind /dev/null /proc/timer_list'
    doctor --json
    have_status 1
    is proc-mount missing
    case $(fix_of proc-mount) in *"/proc/self/mountinfo"*) ;; *) false ;; esac
    user_refused "mount proc on /proc" "operation not permitted"
}

@test "subordinate ids: mapped, without ranges, without the tools, without rights" {
    need newuidmap
    doctor --json
    is map-subordinate-ids ok
    have "65536 uids from 200000, 65536 gids from 200000"
    SUBIDS=
    doctor --json
    have_status 0
    is map-subordinate-ids lack
    [ "$(fix_of map-subordinate-ids)" = "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $NAME_" ]
    # Never a part of somebody else's.
    SUBIDS=somebody:100000:65536
    doctor --json
    [ "$(fix_of map-subordinate-ids)" = "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 $NAME_" ]
    SUBIDS=$NAME_:200000:65536
    run as_user env PATH=/nonexistent "$WHERRY" doctor --json
    is map-subordinate-ids lack
    have "apt install uidmap"
    run as_user setpriv --no-new-privs "$WHERRY" doctor --json
    is map-subordinate-ids lack
    have "no_new_privs"
}

@test "cgroups of root: not mounted, read-only" {
    run unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup && exec "$@"' sh "$WHERRY" doctor --json
    have_status 1
    is cgroup missing
    [ "$(fix_of cgroup)" = "mount -t cgroup2 none /sys/fs/cgroup" ]
    run unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && mount -o remount,bind,ro /sys/fs/cgroup &&
        exec "$@"' sh "$WHERRY" doctor --json
    have_status 1
    is cgroup missing
    [ "$(fix_of cgroup)" = "mount -o remount,rw /sys/fs/cgroup" ]
}

@test "cgroups of a user: none delegated, and one that is" {
    cgroups=$(doctor_cgroups)
    doctor --json
    is cgroup lack
    is cgroup-controllers skipped
    [ -n "$(fix_of cgroup)" ]
    FIRST="umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; cg=/sys/fs/cgroup/$CID; mkdir -p \$cg/here
        chown $UID_ \$cg \$cg/here \$cg/cgroup.procs \$cg/here/cgroup.procs; echo \$\$ >\$cg/here/cgroup.procs"
    doctor --json
    is cgroup ok
    have "in /sys/fs/cgroup/$CID"
    # A controller is there or lacking, by what the kernel says.
    [ "$(doctor_cgroups)" = "$cgroups" ]
}

@test "executable memfds forbidden: a file without a name in the state root takes their place" {
    [ -e /proc/sys/vm/memfd_noexec ] || skip "needs Linux 6.3"
    # The switch is the pid namespace's own.
    # shellcheck disable=SC2016 # for the inner shell
    run unshare -pm --fork --mount-proc sh -c 'echo 2 >/proc/sys/vm/memfd_noexec; exec "$@"' sh "$WHERRY" --root "$BATS_TEST_TMPDIR/there" doctor --json
    is helper ok
    # shellcheck disable=SC2016 # for the inner shell
    run unshare -pm --fork --mount-proc sh -c 'echo 2 >/proc/sys/vm/memfd_noexec; mount -t tmpfs -o noexec none "$2"; exec "$1" --root "$2" doctor --json' sh "$WHERRY" "$RUN"
    have_status 1
    is helper missing
    [ "$(fix_of helper)" = "sysctl -w vm.memfd_noexec=1" ]
}

@test "a proc of another pid namespace, and root without rights" {
    run unshare -p --fork "$WHERRY" doctor --json
    have_status 1
    is proc missing
    [ "$(fix_of proc)" = "mount -t proc proc /proc" ]
    run setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$WHERRY" doctor --json
    have_status 1
    is namespaces missing
    [ "$(fix_of namespaces)" = "run it as root, or with --rootless" ]
}

@test "a sandbox that kills who tries: the verdict is not that all is well" {
    ! ldd "$WHERRY" 2>/dev/null | grep -q "=>" || skip "needs a program that is linked statically"
    make_bundle "$BATS_TEST_TMPDIR/box"
    cp "$WHERRY" "$BATS_TEST_TMPDIR/box/rootfs/bin/wherry"
    jq '.process.args = ["wherry", "--root", "/dev/shm/state", "doctor", "--json"]
        | .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["unshare"], action: "SCMP_ACT_KILL_PROCESS" } ] }' \
        "$BATS_TEST_TMPDIR/box/config.json" >"$BATS_TEST_TMPDIR/config" && mv "$BATS_TEST_TMPDIR/config" "$BATS_TEST_TMPDIR/box/config.json"
    run "$WHERRY" --root "$BATS_TEST_TMPDIR/box-state" run -b "$BATS_TEST_TMPDIR/box" "$CID"
    have_status 1
    is kernel ok
    is namespaces missing
    have "the process that was to try it was killed, or did not end"
    [ "$(jq .usable <<<"$output")" = false ]
}
