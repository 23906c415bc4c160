# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for wherry: commands, options, their values, and the ids of containers.

_wherry_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

_wherry_ids() {
    _wherry_words "$(wherry "$@" list --quiet 2>/dev/null)"
}

# Names as `kill` takes them, with SIG where that was typed.
_wherry_signals() {
    local names="HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ \
        VTALRM PROF WINCH IO PWR SYS RTMIN RTMAX" cur=${COMP_WORDS[COMP_CWORD]}

    # shellcheck disable=SC2086 # words
    if [[ $cur == SIG* ]]; then names=$(printf 'SIG%s ' $names); fi
    _wherry_words "$names"
}

_wherry() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i command="" root=() options="" operands=0
    local word value
    local commands="check create delete doctor events exec explain features help kill licenses list pause ps resume run spec start state update"
    local globals="--root --log --log-format --log-level --debug --systemd-cgroup --cgroup-manager --rootless --version --help"

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]} value=0
        # readline splits words at "=", so that is a word of its own before the value; flags may have a value, too.
        if [[ $word == -* && ${COMP_WORDS[i + 1]-} == = ]]; then i=$((i + 1)) value=1; fi
        case $word in
        --root)
            root=(--root "${COMP_WORDS[i + 1]-}")
            i=$((i + 1))
            ;;
        --log | --log-format | --log-level | --cgroup-manager | --rootless) i=$((i + 1)) ;;
        -*) i=$((i + value)) ;;
        *)
            command=$word
            break
            ;;
        esac
    done
    # The value of an option, which may be behind a "=".
    if [ "$prev" = = ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
    case $command:$prev in
    *:--root | *:--bundle | *:-b)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    *:--log | *:--pid-file | *:--console-socket | *:--pidfd-socket | *:--config | *:--file | *:--process | *:--resources | update:-r | exec:-p | create:-f | run:-f | explain:-f | check:-f | spec:-f)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    *:--log-format) _wherry_words "text json" && return ;;
    *:--log-level) _wherry_words "error warning info debug" && return ;;
    *:--cgroup-manager) _wherry_words "cgroupfs systemd disabled" && return ;;
    *:--rootless) [ "$command" = "" ] && _wherry_words "true false auto" && return ;;
    list:--format | list:-f | ps:--format | ps:-f) _wherry_words "table json" && return ;;
    *:--format) _wherry_words "text json" && return ;;
    check:--profile) _wherry_words "engine default hardened" && return ;;
    check:--ignore)
        _wherry_words "unknown-key accepted refused no-command annotation-unknown duplicate-env \
            hidden-mount ambient-lost host-lacks rootfs-missing bind-source-missing namespace-missing \
            hook-missing args-not-found interpreter-missing shebang-crlf loader-missing wrong-machine \
            not-a-program fs-unknown fs-option idmap-unsupported sysctl-missing cpuset-beyond value-range \
            rlimit-above netdev-missing cgroup-busy cap-not-granted root-no-userns userns-maps-root \
            new-privileges privileged cap-sys-admin cap-dangerous env-secret oom-protected no-seccomp \
            seccomp-allows seccomp-unknown seccomp-overruled host-pid host-network host-ipc host-uts host-mount \
            host-cgroup rootfs-is-host rootfs-writable proc-sys-writable proc-unmasked sysfs-writable \
            cgroup-writable bind-root bind-socket bind-sensitive shared-propagation device-wildcard device-disk \
            device-memory no-pids-limit not-weighed"
        return
        ;;
    events:--trigger)
        _wherry_words "memory=some:150ms/2s memory=full:150ms/2s cpu=some:150ms/2s io=some:150ms/2s"
        return
        ;;
    events:--interval) return ;;
    *:--preserve-fds) return ;;
    esac
    case $command in
    "")
        _wherry_words "$commands $globals"
        return
        ;;
    check) options="--bundle --config --format --profile --ignore --strict --help" ;;
    create) options="--bundle --config --console-socket --pidfd-socket --pid-file --preserve-fds --no-pivot --no-new-keyring --init --help" ;;
    delete) options="--force --regex --help" ;;
    doctor) options="--rootless --json --format --help" ;;
    events) options="--stats --interval --no-stats --trigger --help" ;;
    exec) options="--detach --tty --user --additional-gids --cwd --env --cap --no-new-privs --apparmor --process-label --process \
        --cgroup --ignore-paused --console-socket --pidfd-socket --pid-file --preserve-fds --help" ;;
    explain) options="--bundle --config --format --no-pivot --no-new-keyring --init --preserve-fds --help" ;;
    features) options="--help" ;;
    help) options="--help $commands" ;;
    kill) options="--all --regex --help" ;;
    licenses) options="--help" ;;
    list) options="--format --quiet --help" ;;
    pause) options="--help" ;;
    ps) options="--format --help" ;;
    resume) options="--help" ;;
    run) options="--bundle --config --console-socket --pidfd-socket --pid-file --preserve-fds --no-pivot --no-new-keyring --init \
        --detach --keep --no-subreaper --help" ;;
    spec) options="--bundle --file --rootless --help" ;;
    start) options="--help" ;;
    state) options="--verbose --help" ;;
    update) options="--resources --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period --cpu-rt-runtime --cpu-idle \
        --cpuset-cpus --cpuset-mems --memory --memory-reservation --memory-swap --pids-limit --l3-cache-schema --mem-bw-schema --help" ;;
    esac
    # Right for the commands whose options have no values.
    for ((i++; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -*) if [ "${COMP_WORDS[i + 1]-}" = = ]; then i=$((i + 2)); fi ;;
        *) operands=$((operands + 1)) ;;
        esac
    done
    case $command:$cur in
    *:-*) _wherry_words "$options" ;;
    kill:*)
        if [ "$operands" = 0 ]; then
            _wherry_ids "${root[@]}"
        elif [ "$operands" = 1 ]; then
            _wherry_signals
        fi
        ;;
    start:* | state:* | delete:* | pause:* | resume:*) if [ "$operands" = 0 ]; then _wherry_ids "${root[@]}"; fi ;;
    exec:* | update:* | ps:* | events:*) _wherry_ids "${root[@]}" ;;
    help:*) _wherry_words "$commands" ;;
    *) _wherry_words "$options" ;;
    esac
}
complete -F _wherry wherry
