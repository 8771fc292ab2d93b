#!/bin/bash
# tool.sh CLASS ARGUMENT...: one of Kafka's own tools, as in: tool.sh org.apache.kafka.tools.TopicCommand --list ...
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
    -Djava.io.tmpdir=/tmp -cp '/opt/kafka/jars/*' "$@"
