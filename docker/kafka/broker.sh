#!/bin/bash
# broker.sh: format the storage if it is new, then become the broker.
#   KAFKA_OUTSIDE  host:port under which relays reach it
#   KAFKA_HEAP     Java heap, 512m
set -euo pipefail
: "${KAFKA_OUTSIDE:?host:port under which relays reach this broker}"
conf=/tmp/server.properties
sed "s|@OUTSIDE@|$KAFKA_OUTSIDE|" /opt/kafka/server.properties >"$conf"
if [ ! -e /var/lib/kafka/data/meta.properties ]; then
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
    # The tools take an argument that begins with a dash for an option.
    /opt/kafka/tool.sh kafka.tools.StorageTool format -t "A${id:1}" -c "$conf"
fi
exec java "-Xmx${KAFKA_HEAP:-512m}" -XX:MaxDirectMemorySize=128m -Xss512k -XX:+ExitOnOutOfMemoryError \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=info -Dorg.slf4j.simpleLogger.showDateTime=true \
    -Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn \
    -Djava.io.tmpdir=/tmp -cp '/opt/kafka/jars/*' kafka.Kafka "$conf"
