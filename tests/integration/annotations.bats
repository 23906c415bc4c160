#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Annotations that do something: docs/ANNOTATIONS.md. Those about listeners and readiness are in seccomp-notify.bats and notify.bats.
load helpers
load inside

annotate() { config '.annotations = { ($k): $v }' --arg k "$1" --arg v "$2"; }

@test "run.oci.keep_original_groups: the caller's groups stay, and additionalGids are not set" {
    need root setpriv
    config '.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 6] }'
    shell_is 'grep ^Groups: /proc/self/status'
    for value in 1 true ''; do
        annotate run.oci.keep_original_groups "$value"
        run setpriv --groups 7,8,9 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
        have_status 0
        have_line '^Groups:	7 8 9 ?$'
    done
    annotate run.oci.keep_original_groups 0
    run setpriv --groups 7,8,9 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_line '^Groups:	5 6 ?$'
    config 'del(.annotations)'
    run setpriv --groups 7,8,9 "$WHERRY" --root "$ROOT" run "$CID" </dev/null 3>&- 4>&-
    have_line '^Groups:	5 6 ?$'
}

@test "run.oci.seccomp_fail_unknown_syscall: else unknown names are skipped" {
    config '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["mkdir", "no_such_call"], action: "SCMP_ACT_ERRNO" } ] }'
    inside true
    annotate run.oci.seccomp_fail_unknown_syscall 1
    refused '/linux/seccomp/syscalls/0/names/1: unknown system call "no_such_call"'
    annotate run.oci.seccomp_fail_unknown_syscall 0
    inside true
    # Nothing unknown, nothing refused.
    config '.linux.seccomp.syscalls[0].names = ["mkdir"]'
    annotate run.oci.seccomp_fail_unknown_syscall 1
    inside true
}

@test "run.oci.seccomp_bpf_data: the limits of its size" {
    program() { # INSTRUCTIONS
        python3 -c 'import base64, struct, sys
print(base64.b64encode(struct.pack("<HBBI", 0, 0, 0, 1) * (int(sys.argv[1]) - 1) + struct.pack("<HBBI", 6, 0, 0, 0x7fff0000)).decode())' "$1"
    }
    need python3
    annotate run.oci.seccomp_bpf_data "$(program 1)"
    inside 'grep ^Seccomp: /proc/self/status'
    have "Seccomp:	2"
    annotate run.oci.seccomp_bpf_data "$(program 4096)"
    inside 'grep ^Seccomp: /proc/self/status'
    have "Seccomp:	2"
    annotate run.oci.seccomp_bpf_data "$(program 4097)"
    refused /annotations/run.oci.seccomp_bpf_data "more than 4096 instructions"
    # What kills at every system call is loaded like any other: the payload dies of its execve.
    annotate run.oci.seccomp_bpf_data BgAAAAAAAIA=
    run wherry run "$CID" </dev/null
    have_status 159
}

@test "annotations that nobody knows are ignored, and shown; those that promise confinement are refused" {
    config '.annotations = { "run.oci.nonesuch": "1", "org.example": "2", "bundle": "/elsewhere", "krun.cpus": "4" }'
    inside true
    detached create "$CID"
    have_status 0
    [ "$(wherry state "$CID" | jq -cS .annotations)" = '{"bundle":"/elsewhere","krun.cpus":"4","org.example":"2","run.oci.nonesuch":"1"}' ]
    [ "$(wherry state "$CID" | jq -r .bundle)" = "$BUNDLE" ]
    wherry delete "$CID"
    annotate run.oci.handler krun
    refused /annotations/run.oci.handler "there are no handlers in wherry"
    annotate run.oci.seccomp.plugins a.so
    refused /annotations/run.oci.seccomp.plugins "loads no seccomp plug-ins"
    config '.annotations = { "run.oci.handler": "krun", "io.kubernetes.cri.container-type": "sandbox" }'
    inside true
}

@test "every annotation that is read, or that features calls unsafe, is documented" {
    local name
    for name in $(wherry features | jq -r '.potentiallyUnsafeConfigAnnotations[]') \
        $(sed -n 's/^WH_ANNOTATION([A-Z_]*, "\(.*\)")$/\1/p' "$SRC/src/libwherry/plan/annotations.def"); do
        grep -qF "\`$name\`" "$SRC/docs/ANNOTATIONS.md" || { echo "docs/ANNOTATIONS.md lacks $name"; return 1; }
    done
}
