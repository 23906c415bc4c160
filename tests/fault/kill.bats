#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# SIGKILL at each system call of each verb: what lives a second later is a container that `state` knows, or nothing does; no process waits for a
# host that is gone; `delete -f` clears up whatever there is. (What else is to hold after a kill is in host.bats.)
load ../integration/helpers
load faults

test_setup() {
    need root strace
    strace -o /dev/null true 2>/dev/null || skip "strace is not allowed to trace"
    command_is sleep 1000
    # What the first one alone does, such as making the state root.
    made
    gone
}

# A second after the kill: $now is the container's status, or "none" where there is no container and no process of one.
settled() { # WHAT
    local left end=$((SECONDS + 2))
    sleep "${settle:-0.1}"
    while :; do
        now=$(wherry state "$CID" 2>/dev/null | jq -r .status)
        case $now in
        created | running | paused) return 0 ;;
        stopped | '')
            left=$(left_processes)
            if [ -z "$left" ]; then now=${now:-none}; return 0; fi
            ;;
        *) echo "$1: status '$now'"; return 1 ;;
        esac
        if [ "$SECONDS" -ge "$end" ]; then break; fi
        sleep 0.1
    done
    for left in $left; do echo "$1: status '$now', and there is $left $(tr '\0' ' ' <"/proc/$left/cmdline") $(cat "/proc/$left/syscall")"; done
    return 1
}

# Kills a command at each of its calls, and looks at what is there then. Prints how many of each there were.
sweep() { # PREPARE "STATUS…" ARGS…
    local prepare=$1 allowed=" $2 " name k list now bad=0
    local -A seen=()
    shift 2
    $prepare
    list=$(calls "$@")
    gone
    while read -r name k; do
        $prepare
        killed "$name" "$k" "$@" || return 1
        settled "$name $k" || bad=$((bad + 1))
        seen[${now:-orphan}]=$((${seen[${now:-orphan}]:-0} + 1))
        case $allowed in *" $now "*) ;; *) echo "$name $k: status '$now'"; bad=$((bad + 1)) ;; esac
        # A start that `state` shows as possible is.
        if [ "$now" = created ] && ! wherry start "$CID"; then echo "$name $k: created, and cannot be started"; bad=$((bad + 1)); fi
        gone || { echo "delete after a kill at $name $k"; bad=$((bad + 1)); }
        nothing_left "$name $k" || bad=$((bad + 1))
    done <<<"$list"
    summary="$1: $(wc -l <<<"$list") calls: $(for name in "${!seen[@]}"; do echo "$name ${seen[$name]}"; done | sort | paste -sd, | sed 's/,/, /g'); $bad wrong"
    echo "# $summary" >&3
    echo "$summary"
    [ "$bad" = 0 ]
}

nothing() { :; }
running() { wherry run -d -b "$BUNDLE" "$CID" </dev/null >/dev/null 2>&1; }
paused() { running && wherry pause "$CID"; }

@test "create: none, or a container that can be started or is stopped" {
    sweep nothing "none stopped created" create -b "$BUNDLE" "$CID"
    grep -q "none" <<<"$summary"
}

@test "run: none, or a container that runs or is stopped" {
    # START is the last that init waits for: it is either past it, or at its end.
    sweep nothing "none stopped running" run -d -b "$BUNDLE" "$CID"
    grep -q "none.*running" <<<"$summary"
}

@test "run in the foreground, and what it does when the payload has ended" {
    command_is true
    sweep nothing "none stopped running" run -b "$BUNDLE" "$CID"
}

@test "create with hooks in the container's namespaces: no helper is left" {
    config '.hooks = { createRuntime: [ { path: "/bin/true" } ], createContainer: [ { path: "/bin/sh", args: ["sh", "-c", "sleep 0.05"] } ] }'
    sweep nothing "none stopped created" create -b "$BUNDLE" "$CID"
}

@test "start" { sweep made "created running" start "$CID"; }
@test "delete -f" { sweep running "none stopped running" delete -f "$CID"; }
@test "pause" { sweep running "running paused" pause "$CID"; }
@test "resume" { sweep paused "running paused" resume "$CID"; }
@test "kill" { sweep running "running stopped" kill "$CID" KILL; }
@test "kill --all" { sweep running "running stopped" kill --all "$CID" KILL; }
@test "update" { sweep running "running" update --cpu-share 512 "$CID"; }
@test "exec" { sweep running "running" exec "$CID" true; }
