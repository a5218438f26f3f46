# bash(1) completion of tiercel. Made by script/reference.py; edit what it reads instead.
_tiercel() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} path=tiercel words= files= word
    # An equals sign is a word of its own: --config=FILE.
    if [ "$current" = '=' ]; then
        current=
    elif [ "$previous" = '=' ]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$path $word" in
            'tiercel alerts' | 'tiercel alerts list' | 'tiercel alerts show' | 'tiercel alerts tail' | 'tiercel check' | 'tiercel config' | 'tiercel config import' | 'tiercel config init' | 'tiercel config show' | 'tiercel doctor' | 'tiercel events' | 'tiercel fields' | 'tiercel packaging' | 'tiercel plugins' | 'tiercel plugins info' | 'tiercel plugins list' | 'tiercel record' | 'tiercel reload' | 'tiercel replay' | 'tiercel rules' | 'tiercel rules describe' | 'tiercel rules explain' | 'tiercel rules lint' | 'tiercel rules list' | 'tiercel rules mutate' | 'tiercel rules test' | 'tiercel run' | 'tiercel schema' | 'tiercel spool' | 'tiercel spool dead-letters' | 'tiercel spool purge' | 'tiercel spool replay' | 'tiercel spool status' | 'tiercel status') path="$path $word" ;;
        esac
    done
    case "$path $previous" in
        'tiercel alerts list -p' | 'tiercel alerts list --priority') words='' ;;
        'tiercel alerts list -r' | 'tiercel alerts list --rule') words='' ;;
        'tiercel alerts list -t' | 'tiercel alerts list --tag') words='' ;;
        'tiercel alerts list -s' | 'tiercel alerts list --source') words='' ;;
        'tiercel alerts list --since') words='' ;;
        'tiercel alerts list --until') words='' ;;
        'tiercel alerts list --waiting-for') words='' ;;
        'tiercel alerts list -n' | 'tiercel alerts list --limit') words='' ;;
        'tiercel alerts list -c' | 'tiercel alerts list --config') files=1 ;;
        'tiercel alerts list -o' | 'tiercel alerts list --option') words='' ;;
        'tiercel alerts show -c' | 'tiercel alerts show --config') files=1 ;;
        'tiercel alerts show -o' | 'tiercel alerts show --option') words='' ;;
        'tiercel alerts tail -p' | 'tiercel alerts tail --priority') words='' ;;
        'tiercel alerts tail -r' | 'tiercel alerts tail --rule') words='' ;;
        'tiercel alerts tail -t' | 'tiercel alerts tail --tag') words='' ;;
        'tiercel alerts tail -s' | 'tiercel alerts tail --source') words='' ;;
        'tiercel alerts tail --since') words='' ;;
        'tiercel alerts tail --until') words='' ;;
        'tiercel alerts tail --waiting-for') words='' ;;
        'tiercel alerts tail -n' | 'tiercel alerts tail --lines') words='' ;;
        'tiercel alerts tail -c' | 'tiercel alerts tail --config') files=1 ;;
        'tiercel alerts tail -o' | 'tiercel alerts tail --option') words='' ;;
        'tiercel check -c' | 'tiercel check --config') files=1 ;;
        'tiercel check -r' | 'tiercel check --rules') files=1 ;;
        'tiercel check -o' | 'tiercel check --option') words='' ;;
        'tiercel config import --output') files=1 ;;
        'tiercel config init --output') files=1 ;;
        'tiercel config show -c' | 'tiercel config show --config') files=1 ;;
        'tiercel config show -o' | 'tiercel config show --option') words='' ;;
        'tiercel events -s' | 'tiercel events --source') words='' ;;
        'tiercel events -c' | 'tiercel events --config') files=1 ;;
        'tiercel fields -s' | 'tiercel fields --source') words='' ;;
        'tiercel fields -c' | 'tiercel fields --config') files=1 ;;
        'tiercel plugins -c' | 'tiercel plugins --config') files=1 ;;
        'tiercel plugins info -c' | 'tiercel plugins info --config') files=1 ;;
        'tiercel plugins list -c' | 'tiercel plugins list --config') files=1 ;;
        'tiercel record -o' | 'tiercel record --output') files=1 ;;
        'tiercel record -c' | 'tiercel record --config') files=1 ;;
        'tiercel record -r' | 'tiercel record --rules') files=1 ;;
        'tiercel record --output-file') files=1 ;;
        'tiercel record --rule-matching') words='first all' ;;
        'tiercel reload -c' | 'tiercel reload --config') files=1 ;;
        'tiercel reload -o' | 'tiercel reload --option') words='' ;;
        'tiercel replay -c' | 'tiercel replay --config') files=1 ;;
        'tiercel replay -r' | 'tiercel replay --rules') files=1 ;;
        'tiercel replay --rule-matching') words='first all' ;;
        'tiercel replay --speed') words='' ;;
        'tiercel replay --from') words='' ;;
        'tiercel replay --export') words='ndjson' ;;
        'tiercel rules describe -c' | 'tiercel rules describe --config') files=1 ;;
        'tiercel rules describe -r' | 'tiercel rules describe --rules') files=1 ;;
        'tiercel rules describe -o' | 'tiercel rules describe --option') words='' ;;
        'tiercel rules explain -c' | 'tiercel rules explain --config') files=1 ;;
        'tiercel rules explain -r' | 'tiercel rules explain --rules') files=1 ;;
        'tiercel rules explain -o' | 'tiercel rules explain --option') words='' ;;
        'tiercel rules explain --counters') files=1 ;;
        'tiercel rules lint -c' | 'tiercel rules lint --config') files=1 ;;
        'tiercel rules lint -r' | 'tiercel rules lint --rules') files=1 ;;
        'tiercel rules lint -o' | 'tiercel rules lint --option') words='' ;;
        'tiercel rules lint --disable') words='' ;;
        'tiercel rules list -c' | 'tiercel rules list --config') files=1 ;;
        'tiercel rules list -r' | 'tiercel rules list --rules') files=1 ;;
        'tiercel rules list -o' | 'tiercel rules list --option') words='' ;;
        'tiercel rules mutate --tests') files=1 ;;
        'tiercel rules mutate -c' | 'tiercel rules mutate --config') files=1 ;;
        'tiercel rules test -c' | 'tiercel rules test --config') files=1 ;;
        'tiercel rules test -k') words='' ;;
        'tiercel rules test --junit') files=1 ;;
        'tiercel rules test --from-capture') files=1 ;;
        'tiercel rules test --rule') words='' ;;
        'tiercel rules test -r' | 'tiercel rules test --rules') files=1 ;;
        'tiercel run -c' | 'tiercel run --config') files=1 ;;
        'tiercel run -r' | 'tiercel run --rules') files=1 ;;
        'tiercel run -o' | 'tiercel run --option') words='' ;;
        'tiercel run --output-file') files=1 ;;
        'tiercel run --rule-matching') words='first all' ;;
        'tiercel run -M' | 'tiercel run --duration') words='' ;;
        'tiercel schema -c' | 'tiercel schema --config') files=1 ;;
        'tiercel spool dead-letters --output') words='' ;;
        'tiercel spool dead-letters -n' | 'tiercel spool dead-letters --limit') words='' ;;
        'tiercel spool dead-letters -c' | 'tiercel spool dead-letters --config') files=1 ;;
        'tiercel spool dead-letters -o' | 'tiercel spool dead-letters --option') words='' ;;
        'tiercel spool purge --output') words='' ;;
        'tiercel spool purge --before') words='' ;;
        'tiercel spool purge -c' | 'tiercel spool purge --config') files=1 ;;
        'tiercel spool purge -o' | 'tiercel spool purge --option') words='' ;;
        'tiercel spool replay --output') words='' ;;
        'tiercel spool replay --since') words='' ;;
        'tiercel spool replay -c' | 'tiercel spool replay --config') files=1 ;;
        'tiercel spool replay -o' | 'tiercel spool replay --option') words='' ;;
        'tiercel spool status -c' | 'tiercel spool status --config') files=1 ;;
        'tiercel spool status -o' | 'tiercel spool status --option') words='' ;;
        'tiercel status --counters') files=1 ;;
        'tiercel status --url') words='' ;;
        *)
            case $path in
                'tiercel') words='alerts check config doctor events fields packaging plugins record reload replay rules run schema spool status --version -h --help' ;;
                'tiercel alerts') words='list show tail -h --help' ;;
                'tiercel alerts list') words='-p --priority -r --rule -t --tag -s --source --since --until --waiting-for -n --limit -c --config -o --option --json -h --help' ;;
                'tiercel alerts show') words='-c --config -o --option --json -h --help' ;;
                'tiercel alerts tail') words='-p --priority -r --rule -t --tag -s --source --since --until --waiting-for -n --lines -c --config -o --option --json -h --help' ;;
                'tiercel check') words='-c --config -r --rules -o --option --json -h --help' ;;
                'tiercel config') words='import init show -h --help' ;;
                'tiercel config import') words='--output --json -h --help' files=1 ;;
                'tiercel config init') words='--output -h --help' ;;
                'tiercel config show') words='-c --config -o --option --json -h --help' ;;
                'tiercel doctor') words='--json -h --help' ;;
                'tiercel events') words='-s --source -N --names --not-collected -c --config --json -h --help' ;;
                'tiercel fields') words='-s --source -N --names -c --config --json -h --help' ;;
                'tiercel packaging') words='--json -h --help' ;;
                'tiercel plugins') words='info list -c --config --json -v --verbose -h --help' ;;
                'tiercel plugins info') words='-c --config --json -h --help' ;;
                'tiercel plugins list') words='-c --config --json -v --verbose -h --help' ;;
                'tiercel record') words='-o --output --all -c --config -r --rules --output-file --json --rule-matching --stats -h --help' ;;
                'tiercel reload') words='-c --config -o --option --json -h --help' ;;
                'tiercel replay') words='-c --config -r --rules --json --rule-matching --real-time --speed --from --export -h --help' files=1 ;;
                'tiercel rules') words='describe explain lint list mutate test -h --help' ;;
                'tiercel rules describe') words='-c --config -r --rules -o --option --json -h --help' ;;
                'tiercel rules explain') words='-c --config -r --rules -o --option --counters --json -h --help' ;;
                'tiercel rules lint') words='-c --config -r --rules -o --option --disable --codes --json -h --help' ;;
                'tiercel rules list') words='-c --config -r --rules -o --option --json -h --help' ;;
                'tiercel rules mutate') words='--tests -c --config --json -h --help' ;;
                'tiercel rules test') words='-c --config -k --junit --from-capture --rule -r --rules --json -h --help' files=1 ;;
                'tiercel run') words='-c --config -r --rules -o --option --json --output-file --rule-matching -M --duration --stats -h --help' ;;
                'tiercel schema') words='--rules -c --config -h --help' ;;
                'tiercel spool') words='dead-letters purge replay status -h --help' ;;
                'tiercel spool dead-letters') words='--output -n --limit -c --config -o --option --json -h --help' ;;
                'tiercel spool purge') words='--output --waiting --dead-letters --before --yes -c --config -o --option -h --help' ;;
                'tiercel spool replay') words='--output --since --dead-letters -c --config -o --option -h --help' ;;
                'tiercel spool status') words='-c --config -o --option --json -h --help' ;;
                'tiercel status') words='--counters --url --json -h --help' ;;
            esac
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    if [ -n "$files" ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current")
    fi
}
complete -F _tiercel tiercel
