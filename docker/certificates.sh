#!/bin/bash
# Certificates for Kafka over mTLS, as PEM, by openssl alone.
set -euo pipefail
umask 077
days_authority=3650
days=825

usage() {
    cat <<'HELP'
usage: certificates.sh authority DIR            the authority: DIR/ca.key, to be kept offline, and DIR/ca.pem
       certificates.sh broker DIR HOST...       DIR/broker, for a broker reached under these names or addresses
       certificates.sh client DIR NAME...       DIR/NAME each: admin, collector, alert-reader, relay-<code6>
       certificates.sh all DIR FILE HOST...     all of it for compose.yaml; FILE lists the municipalities
Each folder holds ca.pem, NAME.key, NAME.crt, and NAME.pem of all three for Java. The name is the principal in Kafka.
What is there already stays: to renew a certificate, remove its folder. As root, `all` gives the folders that containers
read to the users in the images.
HELP
}

die() {
    echo "certificates.sh: $*" >&2
    exit 2
}

authority() {
    local dir=$1
    mkdir -p "$dir"
    [ ! -e "$dir/ca.pem" ] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha256 -nodes -days "$days_authority" \
        -subj "/CN=sekisho-authority" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
}

# issue DIR NAME EXTENSION...: appears whole or not at all
issue() {
    local dir=$1 name=$2 new=$1/.$2.new
    shift 2
    [ -e "$dir/ca.key" ] || die "$dir/ca.key is not there; first: certificates.sh authority $dir"
    [ ! -e "$dir/$name" ] || return 0
    rm -rf "$new"
    mkdir "$new"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha256 -nodes -subj "/CN=$name" \
        -keyout "$new/$name.key" -out "$new/request" 2>/dev/null
    openssl x509 -req -in "$new/request" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -sha256 -days "$days" \
        -set_serial "0x$(openssl rand -hex 16)" -out "$new/$name.crt" \
        -extfile <(printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" "$@") \
        2>/dev/null
    rm "$new/request"
    cp "$dir/ca.pem" "$new/ca.pem"
    cat "$new/$name.key" "$new/$name.crt" "$new/ca.pem" >"$new/$name.pem"
    mv "$new" "$dir/$name"
}

broker() {
    local dir=$1 host names=()
    shift
    for host in "$@"; do
        if [[ $host =~ ^[0-9.]+$ || $host == *:* ]]; then
            names+=("IP:$host")
        else
            names+=("DNS:$host")
        fi
    done
    issue "$dir" broker "extendedKeyUsage=serverAuth,clientAuth" "subjectAltName=$(IFS=,; echo "${names[*]}")"
}

client() {
    local dir=$1 name
    shift
    for name in "$@"; do
        [[ $name =~ ^[a-z0-9-]{1,63}$ ]] || die "\"$name\" is not a name: 1 to 63 of a-z 0-9 -"
        [ "$name" != broker ] || die "broker is the broker's name"
        issue "$dir" "$name" "extendedKeyUsage=clientAuth"
    done
}

all() {
    local dir=$1 file=$2 codes
    shift 2
    codes=$(sed -n 's/^[[:space:]]*\([0-9]\{6\}\)\([[:space:]].*\)\{0,1\}$/relay-\1/p' "$file")
    [ -n "$codes" ] || die "$file names no municipality"
    authority "$dir"
    broker "$dir" kafka localhost "$@"
    # shellcheck disable=SC2086 # names without blanks
    client "$dir" admin collector alert-reader $codes
    if [ "$(id -u)" = 0 ]; then
        chmod 711 "$dir"
        chown -R 981:981 "$dir/broker" "$dir/admin"
        chown -R 980:980 "$dir/collector"
    fi
}

[ $# -ge 2 ] || { usage >&2; exit 2; }
command=$1
shift
case $command in
authority) authority "$1" ;;
broker) [ $# -ge 2 ] || die "broker: DIR HOST..."; broker "$@" ;;
client) [ $# -ge 2 ] || die "client: DIR NAME..."; client "$@" ;;
all) [ $# -ge 2 ] || die "all: DIR FILE HOST..."; all "$@" ;;
*) usage >&2; exit 2 ;;
esac
