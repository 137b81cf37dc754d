# bash completion for nacelle. What there is to complete is asked of the program itself: its help, and the node.

_nacelle_containers() { # OPTION...: ids and POD/NAME of those that ps lists with them
    nacelle ps -q "$@" 2>/dev/null
    nacelle ps "$@" 2>/dev/null | awk -F '   +' 'NR > 1 { print $8 "/" $5 }'
}

_nacelle_names() { # VERB: what its arguments may be
    case $1 in
    logs | exec | attach | inspect | stats | stop | checkpoint | rm) _nacelle_containers -a ;;
    start) _nacelle_containers --state created ;;
    inspectp | statsp | stopp | rmp | pods | describe)
        nacelle pods -q 2>/dev/null
        nacelle pods 2>/dev/null | awk -F '   +' 'NR > 1 { print $4 }' ;;
    inspecti | pull | push | save | tag | history | rmi | image | images)
        nacelle images 2>/dev/null | awk 'NR > 1 && $1 != "<none>" { print $1 ":" $2 }' ;;
    help) nacelle --help 2>/dev/null | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }' ;;
    esac
}

_nacelle() {
    local current=${COMP_WORDS[COMP_CWORD]} verb="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -r | -i | -t | --runtime-endpoint | --image-endpoint | --timeout) i=$((i + 1)) ;;
        -*) ;;
        *) verb=${COMP_WORDS[i]}; break ;;
        esac
    done
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(nacelle ${verb:+"$verb"} --help 2>/dev/null | grep -o -e '--[a-z-]*')" -- "$current")
    elif [[ -z $verb ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_nacelle_names help) help" -- "$current")
    elif [[ $verb == import || $verb == load ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$(_nacelle_names "$verb")" -- "$current")
    fi
}

complete -o default -F _nacelle nacelle
