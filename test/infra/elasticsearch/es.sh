#!/usr/bin/env bash
# Single-node Elasticsearch 8.19.8 on 127.0.0.1 for tests.
#   es.sh install            fetch and unpack the server (once; needs mvn)
#   es.sh start              start in the background, return when it answers with green/yellow health
#   es.sh stop               orderly stop (SIGTERM)          es.sh kill9    crash it (SIGKILL)
#   es.sh status             pid, RSS, health                es.sh wipe     stop and delete the data
# Environment (defaults): ES_HTTP_PORT=19200 ES_TRANSPORT_PORT=HTTP+100 ES_RUN=/tmp/es-node/run-PORT
#   ES_HEAP=1g ES_CACHE=/tmp/es-node/dist ES_USER_ID=65534 ES_JAVA_HOME (else JAVA_HOME, else java on PATH)
#   ES_CARRIER: another version of the zip, with a cache of its own: 26.9.0.129388 has Elasticsearch 9.4.3, for Java 21 and later
#   ES_EXTRA_YML: further lines for elasticsearch.yml      M2_REPO: a Maven local repository to use
# As root the server runs as ES_USER_ID (it refuses uid 0), so ES_RUN and ES_CACHE must be reachable
# by that id: not below a 0700 home.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=${ES_HTTP_PORT:-19200}
tport=${ES_TRANSPORT_PORT:-$((port + 100))}
cache=${ES_CACHE:-/tmp/es-node/dist}
run=${ES_RUN:-/tmp/es-node/run-$port}
heap=${ES_HEAP:-1g}
uid=${ES_USER_ID:-65534}
pidfile=$run/es.pid
java_home=${ES_JAVA_HOME:-${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")}}

home_dir() { ls -d "$cache"/sonarqube-*/elasticsearch 2>/dev/null | head -n1; }
alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
own() { if [ "$(id -u)" = 0 ]; then chown -R "$uid:$uid" "$@"; fi; }

install_es() {
  [ -n "$(home_dir)" ] && [ -e "$cache/.complete" ] && return 0
  mkdir -p "$cache"
  local tmp; tmp=$(mktemp -d)
  mvn -q -B -f "$here/pom.xml" ${M2_REPO:+-Dmaven.repo.local=$M2_REPO} ${ES_CARRIER:+-Dcarrier.version=$ES_CARRIER} \
    -Des.out="$cache" -Des.build="$tmp" dependency:unpack
  rm -rf "$tmp"
  mkdir -p "$(home_dir)/plugins" "$(home_dir)/logs" "$(home_dir)/bin"
  chmod -R a+rX "$cache"
  touch "$cache/.complete"
}

start_es() {
  alive && { echo "already running: pid $(cat "$pidfile")"; return 0; }
  answers "$port" && { echo "port $port is in use by another program" >&2; return 1; }
  install_es
  local home; home=$(home_dir)
  mkdir -p "$run/data" "$run/logs" "$run/config" "$run/tmp"
  cp "$home"/config/log4j2.properties "$home"/config/jvm.options "$run/config/"
  # no GC log, no rolling JSON logs: one plain server log is enough for tests
  sed -i -e '/^-Xlog:gc/d' -e "s#hs_err_pid#$run/logs/hs_err_pid#" "$run/config/jvm.options"
  cat > "$run/config/elasticsearch.yml" <<Y
cluster.name: test-$port
node.name: n1
path.data: $run/data
path.logs: $run/logs
network.host: 127.0.0.1
http.port: $port
transport.port: $tport
discovery.type: single-node
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
action.destructive_requires_name: false
${ES_EXTRA_YML:-}
Y
  own "$run"
  local as=()
  [ "$(id -u)" = 0 ] && as=(setpriv "--reuid=$uid" "--regid=$uid" --clear-groups)
  local t0; t0=$(date +%s%N)
  # cwd must be the server's home: it looks for modules/apm there; the launcher forks the server itself; -p makes the *server* write its pid
  (
    cd "$home"
    export ES_JAVA_HOME=$java_home ES_TMPDIR=$run/tmp LIBFFI_TMPDIR=$run/tmp HOSTNAME=${HOSTNAME:-localhost}
    export ES_JAVA_OPTS="-Xms$heap -Xmx$heap ${ES_JAVA_OPTS:-}"
    exec </dev/null >"$run/console.log" 2>&1
    if [ -d lib/tools/server-launcher ]; then # from 9.4 on; the launcher starts what is below as its helper
      export JAVA=$java_home/bin/java ES_HOME=$home ES_PATH_CONF=$run/config ES_DISTRIBUTION_TYPE=tar JAVA_TYPE=JAVA_HOME CLI_JAVA_OPTS="-Xms4m -Xmx64m -XX:+UseSerialGC"
      exec setsid "${as[@]}" "$JAVA" -Xms4m -Xmx64m -XX:+UseSerialGC -cp "lib/tools/server-launcher/*" org.elasticsearch.server.launcher.ServerLauncher -p "$pidfile"
    fi
    exec setsid "${as[@]}" "$java_home/bin/java" -Xms4m -Xmx64m -XX:+UseSerialGC \
      -Dcli.name=server -Dcli.script="$home/bin/elasticsearch" -Dcli.libs=lib/tools/server-cli \
      -Des.path.home="$home" -Des.path.conf="$run/config" -Des.distribution.type=tar -Des.java.type=JAVA_HOME \
      -cp "$home/lib/*:$home/lib/cli-launcher/*" org.elasticsearch.launcher.CliToolLauncher -p "$pidfile"
  ) &
  echo $! > "$run/launcher.pid"
  local i
  for i in $(seq 1 1500); do
    if curl -fsS -o /dev/null "http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=1s" 2>/dev/null; then
      echo "up: pid $(cat "$pidfile") port $port after $(( ($(date +%s%N) - t0) / 1000000 )) ms"
      return 0
    fi
    kill -0 "$(cat "$run/launcher.pid")" 2>/dev/null || { echo "died; tail of $run/console.log:" >&2; tail -n 30 "$run/console.log" >&2; return 1; }
    sleep 0.2
  done
  echo "no answer within 300 s, see $run/console.log" >&2; return 1
}

finish() { # SIGNAL: to the server, then wait until server and launcher are gone
  local sig=$1 p l i
  p=$(cat "$pidfile" 2>/dev/null || true); l=$(cat "$run/launcher.pid" 2>/dev/null || true)
  [ -n "$p" ] && kill "-$sig" "$p" 2>/dev/null || true
  for i in $(seq 1 300); do
    if { [ -z "$p" ] || ! kill -0 "$p" 2>/dev/null; } && { [ -z "$l" ] || ! kill -0 "$l" 2>/dev/null; }; then
      rm -f "$pidfile" "$run/launcher.pid"; return 0
    fi
    sleep 0.1
  done
  echo "still there after 30 s: $p $l" >&2; return 1
}

case "${1:-}" in
  install) install_es; home_dir ;;
  start) start_es ;;
  stop) finish TERM ;;
  kill9) finish KILL ;;
  status) alive || { echo down; exit 1; }
          p=$(cat "$pidfile"); echo "pid $p rss $(awk '/VmRSS/{print int($2/1024)" MiB"}' "/proc/$p/status")"
          curl -fsS "http://127.0.0.1:$port/_cluster/health?pretty" ;;
  wipe) finish TERM || true; rm -rf "$run" ;;
  *) sed -n '2,14p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
