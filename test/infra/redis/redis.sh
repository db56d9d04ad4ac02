#!/usr/bin/env bash
# A single Redis on 127.0.0.1 for tests; the server is Debian's redis-server.
#   redis.sh install     install the server if it is missing (needs root and apt-get)
#   redis.sh start       start in the background, return when it answers
#   redis.sh stop        orderly stop (SIGTERM)      redis.sh kill9   crash it (SIGKILL)
#   redis.sh wipe        stop and delete the data    redis.sh status
# Environment (defaults): REDIS_PORT=19379 REDIS_RUN=${TMPDIR:-/tmp}/imwatch-redis/run-PORT REDIS_MEMORY=256mb
#   REDIS_PASSWORD= (none) REDIS_FSYNC=always (or everysec)
set -euo pipefail
port=${REDIS_PORT:-19379}
run=${REDIS_RUN:-${TMPDIR:-/tmp}/imwatch-redis/run-$port}
pidfile=$run/redis.pid
alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }
cli() { REDISCLI_AUTH=${REDIS_PASSWORD:-} redis-cli -h 127.0.0.1 -p "$port" "$@" 2>/dev/null; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
install() {
  command -v redis-server >/dev/null && command -v redis-cli >/dev/null && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q >/dev/null # a new machine knows no packages yet
    # RUNLEVEL=1: the package must not start a service of its own
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q redis-server >/dev/null && return 0
  fi
  echo "redis-server is missing: install it as root (apt-get install redis-server)" >&2; return 1
}
start() {
  alive && { echo "already running: pid $(cat "$pidfile")"; return 0; }
  answers "$port" && { echo "port $port is in use by another program" >&2; return 1; }
  install
  mkdir -p "$run"
  cat > "$run/redis.conf" <<P
bind 127.0.0.1
port $port
dir "$run"
appendonly yes
appendfsync ${REDIS_FSYNC:-always}
maxmemory ${REDIS_MEMORY:-256mb}
maxmemory-policy noeviction
daemonize no
P
  [ -z "${REDIS_PASSWORD:-}" ] || echo "requirepass \"$REDIS_PASSWORD\"" >> "$run/redis.conf"
  setsid redis-server "$run/redis.conf" > "$run/console.log" 2>&1 < /dev/null &
  echo $! > "$pidfile"
  for _ in $(seq 1 100); do
    [ "$(cli ping)" = PONG ] && { echo "up: pid $(cat "$pidfile") port $port"; return 0; }
    alive || { tail -n 30 "$run/console.log" >&2; return 1; }
    sleep 0.1
  done
  echo "no answer within 10 s, see $run/console.log" >&2; return 1
}
finish() {
  local p; p=$(cat "$pidfile" 2>/dev/null || true); [ -n "$p" ] || return 0
  kill "-$1" "$p" 2>/dev/null || true
  for _ in $(seq 1 100); do kill -0 "$p" 2>/dev/null || { rm -f "$pidfile"; return 0; }; sleep 0.1; done
  echo "still there after 10 s: $p" >&2; return 1
}
case "${1:-}" in
  install) install ;;
  start) start ;;
  stop) finish TERM ;;
  kill9) finish KILL ;;
  status) alive && echo "pid $(cat "$pidfile")" || { echo down; exit 1; } ;;
  wipe) finish TERM || finish KILL || true; rm -rf "$run" ;;
  *) sed -n '2,8p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
