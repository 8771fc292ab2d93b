#!/bin/bash
# setup.sh [FILE]: topics and access rights of the municipalities in FILE (/etc/kafka/municipalities), with the
# administrator's certificate. What is there already is left alone, nothing is taken away; so it can run again.
#   KAFKA_BROKER  kafka:9092
#   KAFKA_GROUP   the collector's group, sekisho
set -euo pipefail
file=${1:-/etc/kafka/municipalities}
broker=${KAFKA_BROKER:-kafka:9092}
group=${KAFKA_GROUP:-sekisho}
start_seconds=120
tries=5

die() {
    echo "setup: $*" >&2
    exit 1
}

topics() {
    /opt/kafka/tool.sh org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" \
        --command-config /opt/kafka/client.properties "$@"
}

acls() {
    /opt/kafka/tool.sh org.apache.kafka.tools.AclCommand --bootstrap-server "$broker" \
        --command-config /opt/kafka/client.properties "$@"
}

# again COMMAND...: several times if need be. While containers start, names are not always found.
again() {
    local left
    for ((left = tries; left > 0; left--)); do
        ! "$@" || return 0
        sleep 2
    done
    die "gave up after $tries tries: $*"
}

# check_code CODE: six digits, the last of them the check digit of the others
check_code() {
    local code=$1 sum=0 i
    [[ $code =~ ^[0-9]{6}$ ]] || return 1
    for i in 0 1 2 3 4; do
        sum=$((sum + ${code:i:1} * (6 - i)))
    done
    [ "${code:5:1}" = $(((11 - sum % 11) % 10)) ]
}

# read_file: LINES becomes "code source partitions", CODES the codes
LINES=() CODES=()
read_file() {
    local number=0 code sources source
    while read -r code sources || [ -n "$code" ]; do
        number=$((number + 1))
        [[ -n $code && $code != \#* ]] || continue
        check_code "$code" || die "$file:$number: \"$code\" is not a municipality's code with its check digit"
        [ -n "$sources" ] || die "$file:$number: $code has no sources; name them behind the code"
        for source in $sources; do
            [[ $source =~ ^([a-z0-9-]{1,32})(:([1-9][0-9]{0,2}))?$ ]] ||
                die "$file:$number: \"$source\" is not a source: 1 to 32 of a-z 0-9 -, then :PARTITIONS if not 1"
            LINES+=("$code ${BASH_REMATCH[1]} ${BASH_REMATCH[3]:-1}")
        done
        CODES+=("$code")
    done <"$file"
    [ ${#CODES[@]} -gt 0 ] || die "$file names no municipality"
}

wait_broker() {
    local deadline=$((SECONDS + start_seconds)) answer
    until answer=$(topics --list 2>&1); do
        [ "$SECONDS" -lt "$deadline" ] || die "$broker does not answer within $start_seconds s: $answer"
        sleep 1
    done
}

# make_topic NAME PARTITIONS OPTION...
make_topic() {
    local name=$1 partitions=$2
    shift 2
    ! grep -qxF "$name" <<<"$HAVE_TOPICS" || return 0
    again topics --create --if-not-exists --topic "$name" --partitions "$partitions" "$@"
}

# list_acls: one line per right, "TYPE NAME PATTERN PRINCIPAL OPERATION"
list_acls() {
    local text
    text=$(again acls --list)
    sed -n -E \
        -e 's/.*resourceType=([A-Z_]+), name=([^,]+), patternType=([A-Z]+)\).*/\1 \2 \3/;T right;h;d;:right' \
        -e 's/.*principal=User:([^,]+), host=[^,]*, operation=([A-Z_]+), permissionType=ALLOW.*/\1 \2/;T;H;x' \
        -e 's/\n/ /;p;s/^([^ ]+ [^ ]+ [^ ]+) .*/\1/;h' <<<"$text"
}

# allow PRINCIPAL TYPE NAME PATTERN OPERATION...: what of it is not there yet
allow() {
    local principal=$1 type=$2 name=$3 pattern=$4 operation options=()
    shift 4
    for operation in "$@"; do
        grep -qxF "${type^^} $name ${pattern^^} $principal ${operation^^}" <<<"$HAVE_ACLS" ||
            options+=(--operation "$operation")
    done
    [ ${#options[@]} -gt 0 ] || return 0
    again acls --add --force --allow-principal "User:$principal" "--$type" "$name" --resource-pattern-type "$pattern" \
        "${options[@]}" >/dev/null
    echo "Given to $principal: $* on $type $name ($pattern)."
}

read_file
wait_broker
HAVE_TOPICS=$(again topics --list)
HAVE_ACLS=$(list_acls)
make_topic seclog.alert.finding.v1 1 --config retention.ms=$((90 * 24 * 3600 * 1000))
for line in "${LINES[@]}"; do
    read -r code source partitions <<<"$line"
    make_topic "seclog.raw.$code.$source" "$partitions"
done
for code in "${CODES[@]}"; do
    allow "relay-$code" topic "seclog.raw.$code." prefixed Write Describe
done
allow collector topic seclog.raw. prefixed Read Describe
allow collector group "$group" literal Read
allow collector topic seclog.alert. prefixed Write Describe
allow alert-reader topic seclog.alert. prefixed Read Describe
allow alert-reader group alert- prefixed Read
echo "Topics and rights of ${#CODES[@]} municipalities are there."
