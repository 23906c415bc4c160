#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Without CAP_SYS_PTRACE the host enters init's namespaces, and takes a seccomp listener out of it, only while it is dumpable: then a process of the
# same user could take it over before it has its filter. The programs that do are those of the image.
load helpers
load ordinary

test_setup() {
    ordinary_setup
    need musl-gcc
    cat >"$BATS_TEST_TMPDIR/seize.c" <<'C'
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    long pid = argc > 1 ? atol(argv[1]) : 0;

    printf("seize %ld: %s\n", pid, ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 ? strerror(errno) : "done");
    fflush(stdout);
    if (argc > 2)
        sleep((unsigned)atoi(argv[2]));
    return 0;
}
C
    musl-gcc -static -o rootfs/bin/seize "$BATS_TEST_TMPDIR/seize.c"
    FILTER='.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" } ] }'
}

@test "a startContainer hook cannot take init over before it has its filter" {
    # Root there has the capabilities that init has; but for the filter, it may trace.
    rootless "$FILTER"' | .hooks.startContainer = [ { path: "/bin/sh", args: [ "sh", "-c", "seize 1 >&2; exit 3" ], env: [ "PATH=/bin" ] } ]'
    user_runs
    have_status 1
    have "stderr: seize 1: Operation not permitted"
}

@test "the same where the container may have what would let it: refused" {
    rootless "$FILTER"' | .hooks.startContainer = [ { path: "/bin/true" } ] | .process.capabilities.bounding += ["CAP_SYS_PTRACE"]'
    user_refused "startContainer hooks need CAP_SYS_PTRACE, which this process lacks"
    rootless "$FILTER"' | .process.capabilities.bounding -= ["CAP_SYS_PTRACE"] | .process.args = ["grep", "-E", "^Cap(Prm|Eff)", "/proc/self/status"]'
    user_runs
    have_status 0
    # What shields init is not the payload's.
    local kept=$output
    rootless 'del(.hooks)'
    user_runs
    [ "$output" = "$kept" ]
}

@test "a process that has ended, and that one beside it traces and keeps: exec and a hook do not wait for ever" {
    rootless '.process.args = ["sleep", "1000"]'
    mine create "$CID" </dev/null >out 2>err || { cat err; return 1; }
    mine start "$CID"
    as_user timeout -k 1 60 "$WHERRY" exec "$CID" sh -c 'seize $$ 100 & exec sleep 1' </dev/null >said 2>&1 3>&- 4>&- && status=0 || status=$?
    have_status 255
    run cat said
    have ": done"
    have "the process has ended, but a process that traces it does not let go of it"
    mine delete -f "$CID"
    rootless '.hooks.startContainer = [ { path: "/bin/sh", args: [ "sh", "-c", "seize $$ 100 & exec sleep 1" ], env: [ "PATH=/bin" ] } ]'
    as_user timeout -k 1 60 "$WHERRY" run "$CID" </dev/null >said 2>&1 3>&- 4>&- && status=0 || status=$?
    have_status 1
    run cat said
    have "startContainer hook #0: it ended, but a process that traces it keeps it"
}
