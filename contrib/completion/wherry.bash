# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for wherry: commands, options, and the ids of containers.

_wherry() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i word command="" root=()
    local commands="create start run state kill delete list spec features explain check help"
    local globals="--root --log --log-format --log-level --debug --cgroup-manager --version --help"
    local create="--bundle --config --console-socket --pid-file --preserve-fds --no-pivot --no-new-keyring"

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --root)
            root=(--root "${COMP_WORDS[i + 1]}")
            i=$((i + 1))
            ;;
        --log | --log-format | --log-level | --cgroup-manager) i=$((i + 1)) ;;
        -*) ;;
        *)
            command=$word
            break
            ;;
        esac
    done
    case $prev in
    --root | --bundle | -b)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --log | --pid-file | --console-socket | --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --log-format)
        mapfile -t COMPREPLY < <(compgen -W "text json" -- "$cur")
        return
        ;;
    --log-level)
        mapfile -t COMPREPLY < <(compgen -W "error warning debug" -- "$cur")
        return
        ;;
    --cgroup-manager)
        mapfile -t COMPREPLY < <(compgen -W "cgroupfs disabled" -- "$cur")
        return
        ;;
    --format | -f)
        mapfile -t COMPREPLY < <(compgen -W "text table json" -- "$cur")
        return
        ;;
    esac
    case $command in
    "")
        mapfile -t COMPREPLY < <(compgen -W "$commands $globals" -- "$cur")
        ;;
    create) mapfile -t COMPREPLY < <(compgen -W "$create --help" -- "$cur") ;;
    run) mapfile -t COMPREPLY < <(compgen -W "$create --detach --keep --no-subreaper --help" -- "$cur") ;;
    list) mapfile -t COMPREPLY < <(compgen -W "--format --quiet --help" -- "$cur") ;;
    spec) mapfile -t COMPREPLY < <(compgen -W "--bundle --rootless --help" -- "$cur") ;;
    explain) mapfile -t COMPREPLY < <(compgen -W "--bundle --format --help" -- "$cur") ;;
    check) mapfile -t COMPREPLY < <(compgen -W "--bundle --strict --format --help" -- "$cur") ;;
    start | state | kill | delete)
        case $cur in
        -*)
            case $command in
            kill) mapfile -t COMPREPLY < <(compgen -W "--all --help" -- "$cur") ;;
            delete) mapfile -t COMPREPLY < <(compgen -W "--force --help" -- "$cur") ;;
            *) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$cur") ;;
            esac
            ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$(wherry "${root[@]}" list --quiet 2>/dev/null)" -- "$cur") ;;
        esac
        ;;
    esac
}
complete -F _wherry wherry
