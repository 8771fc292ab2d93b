# bash completion for sekisho(1); tests/style/check_man.py compares it with each command's --help

_sekisho_options() {
    case $1 in
    collect) echo -c --config --brokers ;;
    replay) echo --data --log --tenant --format --manifest --config --rules --zone --encoding --reference-time --workers --batch-rows ;;
    demo) echo --tenants --seconds --seed --lang --keep ;;
    source) echo --tenant --source --broker --from --tls --format --zone --reference-time --rules --print --lang --json ;;
    parse) echo --format --zone --encoding --reference-time -0 --raw ;;
    gen) echo --seed --tenants --events --days --start --pcs --format --inject --inject-after --mess --mess-huge --out --brokers ;;
    send) echo --brokers --topic --per-message -0 -X ;;
    search) echo --data --keyring --tenant --since --until --json --csv --raw --count --limit --utc --stats --threads --max-time --max-memory ;;
    hunt) echo --data --keyring --list --config --tenant --since --until --time --json --utc ;;
    rule) echo --placeholders --aliases --rule --format --json --title --data --keyring --tenant --class --since --until --against --hidden --threads ;;
    export) echo --data --keyring --tenant --topic --partition --raw -0 --csv --fields --no-bom --bundle --alert --clickhouse --table --user --password-file --ca --wait --clickhouse-ddl --query --since --until --threads ;;
    tail) echo --data --brokers --config --tenant --from-start --json --csv --raw --table --utc ;;
    alerts) echo --data --keyring --tenant --since --until --severity --kind --key --state --follow --json --limit --lang --utc --reason --by ;;
    top) echo --data --metrics --interval --count --lang --utc ;;
    compact) echo --data --keyring --json ;;
    keyring) echo --keyring --tenant --key --yes --json ;;
    checkpoint) echo --data --sign --key --public-key ;;
    proof) echo --data --keyring --tenant --number --topic --partition --offset --line --since ;;
    ledger) echo --data --tenant --source --topic --since --until --by --json --csv --lang --utc ;;
    hold) echo --data --tenant --class --since --until --reason --by --hold --all --json ;;
    retain) echo --data --keyring --dry-run --config --now --json ;;
    verify) echo --data --keyring --checkpoint --key --proof --json ;;
    check) echo --policy --tenant --lang --example --man ;;
    status) echo --data --metrics --json --interval ;;
    bench) echo --seed --events --repeat --lines --golden --format --write --json --threshold ;;
    esac
}

_sekisho() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "collect replay demo parse source gen send search hunt export tail alerts rule compact keyring checkpoint proof ledger retain hold verify check status top bench
            --help --version" -- "$word")
        return
    fi
    case $before in
    --data | --out | --golden)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --format)
        if [ "$command" != gen ]; then
            mapfile -t COMPREPLY < <(compgen -W "auto template: $(sekisho parse --help | sed -n 's/^Formats: //p')" -- "$word")
            return
        fi
        ;;
    --lang)
        mapfile -t COMPREPLY < <(compgen -W "ja en" -- "$word")
        return
        ;;
    --print)
        mapfile -t COMPREPLY < <(compgen -W "collector rsyslog syslog-ng fluent-bit" -- "$word")
        return
        ;;
    --severity)
        mapfile -t COMPREPLY < <(compgen -W "informational low medium high critical" -- "$word")
        return
        ;;
    --state)
        mapfile -t COMPREPLY < <(compgen -W "open amended acknowledged closed superseded" -- "$word")
        return
        ;;
    --stats)
        mapfile -t COMPREPLY < <(compgen -W json -- "$word")
        return
        ;;
    esac
    if [ "$command" = bench ] && [ "$COMP_CWORD" = 2 ] && [ "${word#-}" = "$word" ]; then
        mapfile -t COMPREPLY < <(compgen -W "parse mutate store search pipeline indicators rules compare" -- "$word")
        return
    fi
    if [ "$command" = source ] && [ "$COMP_CWORD" = 2 ] && [ "${word#-}" = "$word" ]; then
        mapfile -t COMPREPLY < <(compgen -W try -- "$word")
        return
    fi
    if [ "$command" = alerts ] && [ "$COMP_CWORD" = 2 ] && [ "${word#-}" = "$word" ]; then
        mapfile -t COMPREPLY < <(compgen -W "show suppress ack close suppressions" -- "$word")
        return
    fi
    if [ "$command" = keyring ] && [ "$COMP_CWORD" = 2 ] && [ "${word#-}" = "$word" ]; then
        mapfile -t COMPREPLY < <(compgen -W "init add rotate list retire" -- "$word")
        return
    fi
    case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "$(_sekisho_options "$command") --help" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}

complete -o filenames -F _sekisho sekisho
