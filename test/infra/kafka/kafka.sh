#!/usr/bin/env bash
# A single-node Apache Kafka 4.1 (KRaft) on 127.0.0.1 for tests.
#   kafka.sh install     fetch the jars (once; needs mvn)
#   kafka.sh start       start in the background, return when the port answers
#   kafka.sh stop        orderly stop (SIGTERM)      kafka.sh kill9   crash it (SIGKILL)
#   kafka.sh wipe        stop and delete the data    kafka.sh status
# Environment (defaults): KAFKA_PORT=19092 KAFKA_RUN=${TMPDIR:-/tmp}/imwatch-kafka/run-PORT KAFKA_CACHE=${TMPDIR:-/tmp}/imwatch-kafka/lib KAFKA_HEAP=512m
#   KAFKA_PARTITIONS=4
#   KAFKA_SECURE_PORT= (none): a second listener there, TLS with SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), user im, password im-secret;
#   its certificate is its own authority: KAFKA_RUN/ca.pem
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=${KAFKA_PORT:-19092}; cport=$((port + 1)); sport=${KAFKA_SECURE_PORT:-}
run=${KAFKA_RUN:-${TMPDIR:-/tmp}/imwatch-kafka/run-$port}; cache=${KAFKA_CACHE:-${TMPDIR:-/tmp}/imwatch-kafka/lib}
pidfile=$run/kafka.pid
alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
install() {
  [ -e "$cache/.complete" ] && return 0
  mkdir -p "$cache"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache"
  touch "$cache/.complete"
}
start() {
  alive && { echo "already running: pid $(cat "$pidfile")"; return 0; }
  answers "$port" && { echo "port $port is in use by another program" >&2; return 1; }
  install
  mkdir -p "$run"
  local secure='' advertised='' map='' scram=()
  if [ -n "$sport" ]; then
    secure=",SASL_SSL://127.0.0.1:$sport" advertised=$secure map=,SASL_SSL:SASL_SSL
    scram=(--add-scram 'SCRAM-SHA-256=[name=im,password=im-secret]' --add-scram 'SCRAM-SHA-512=[name=im,password=im-secret]')
    if [ ! -f "$run/ca.pem" ]; then
      keytool -genkeypair -alias broker -keyalg RSA -keysize 2048 -validity 365 -dname CN=broker -ext SAN=IP:127.0.0.1 -ext BC=ca:true \
        -storetype PKCS12 -keystore "$run/broker.p12" -storepass im-secret 2>/dev/null
      keytool -exportcert -rfc -alias broker -keystore "$run/broker.p12" -storepass im-secret > "$run/ca.pem" 2>/dev/null
    fi
  fi
  cat > "$run/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$cport
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$cport$secure
advertised.listeners=PLAINTEXT://127.0.0.1:$port$advertised
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT$map
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$run/log
num.partitions=${KAFKA_PARTITIONS:-4}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
P
  if [ -n "$sport" ]; then
    cat >> "$run/server.properties" <<P
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_im="im-secret";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location=$run/broker.p12
ssl.keystore.password=im-secret
P
  fi
  local j=(java "-Xmx${KAFKA_HEAP:-512m}" -cp "$cache/*")
  if [ ! -f "$run/log/meta.properties" ]; then
    "${j[@]}" kafka.tools.StorageTool format -t "$("${j[@]}" kafka.tools.StorageTool random-uuid)" -c "$run/server.properties" "${scram[@]}" > "$run/format.log" 2>&1
  fi
  setsid "${j[@]}" kafka.Kafka "$run/server.properties" > "$run/console.log" 2>&1 < /dev/null &
  echo $! > "$pidfile"
  for _ in $(seq 1 240); do
    if answers "$port"; then echo "up: pid $(cat "$pidfile") port $port"; return 0; fi
    alive || { tail -n 30 "$run/console.log" >&2; return 1; }
    sleep 0.25
  done
  echo "no answer within 60 s, see $run/console.log" >&2; return 1
}
finish() {
  local p; p=$(cat "$pidfile" 2>/dev/null || true); [ -n "$p" ] || return 0
  kill "-$1" "$p" 2>/dev/null || true
  for _ in $(seq 1 300); do kill -0 "$p" 2>/dev/null || { rm -f "$pidfile"; return 0; }; sleep 0.1; done
  echo "still there after 30 s: $p" >&2; return 1
}
case "${1:-}" in
  install) install ;;
  start) start ;;
  stop) finish TERM ;;
  kill9) finish KILL ;;
  status) alive && echo "pid $(cat "$pidfile")" || { echo down; exit 1; } ;;
  wipe) finish TERM || finish KILL || true; rm -rf "$run" ;;
  *) sed -n '2,11p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
