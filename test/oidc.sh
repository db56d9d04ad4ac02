#!/usr/bin/env bash
# The alerting's interface with a real OpenID Connect provider: oidc-provider from npm, which is certified. `imwatch up` begins before the
# provider does; then come access tokens of machines, an ID token of a person, tokens that must not count, and a provider with new keys.
#   oidc.sh IMWATCH       the program to try; needs node and npm
# Environment (defaults): NODE_CACHE=${TMPDIR:-/tmp}/imwatch-oidc PORT=19120
set -euo pipefail
imwatch=$(realpath "${1:?usage: oidc.sh IMWATCH}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/infra/oidc" && pwd)
cache=${NODE_CACHE:-${TMPDIR:-/tmp}/imwatch-oidc}
port=${PORT:-19120} provider=$((${PORT:-19120} + 1))
mkdir -p "$cache" && cp "$here"/*.mjs "$here"/package*.json "$cache"
[ -d "$cache/node_modules/oidc-provider" ] || (cd "$cache" && npm ci --silent)
work=$(mktemp -d) up='' op=''
trap 'kill $up $op 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
issuer="http://127.0.0.1:$provider"
fail() { echo "FAILED: $*" >&2; tail -20 "$work/up.log" >&2; exit 1; }
until_said() { # FILE TEXT PID
  until grep -q "$2" "$1"; do kill -0 "$3" 2>/dev/null || fail "it ended before it said: $2"; sleep 0.1; done
}
start_provider() { # KID TTL
  (cd "$cache" && exec node provider.mjs "$provider" "$1" "$2") >"$work/op.log" 2>&1 &
  op=$!
  until_said "$work/op.log" "the provider is up" $op
}
stop_provider() { kill $op; wait $op 2>/dev/null || true; }
token() { (cd "$cache" && node token.mjs "$issuer" "$@"); }
alerts() { "$imwatch" alerts "$@" --server "http://127.0.0.1:$port"; }
status() { # TOKEN PATH
  curl -s -o "$work/answer" -w '%{http_code}' -H "Authorization: Bearer $1" "http://127.0.0.1:$port/api/v1/$2"
}
want() { # WHAT STATUS TEXT TOKEN PATH
  local got; got=$(status "$4" "$5")
  if [ "$got" != "$2" ] || ! grep -q "$3" "$work/answer"; then fail "$1: $got $(cat "$work/answer"), want $2 and \"$3\""; fi
  echo "ok   $1: $2 $(head -c 110 "$work/answer")"
}

cat >"$work/imwatch.yaml" <<YAML
ops: {addr: "127.0.0.1:0"}
im_server: {addr: "127.0.0.1:0", ops_addr: "127.0.0.1:0"}
alerting:
  api:
    addr: "127.0.0.1:$port"
    oidc:
      issuer: "$issuer"
      audience: imwatch
      client_ids: [sre-job, visitor, web]
      roles: {admin: [sre], responder: [oncall], viewer: [staff]}
      skew: 0s
YAML
"$imwatch" up --config "$work/imwatch.yaml" --data "$work/data" >"$work/up.log" 2>&1 &
up=$!
until_said "$work/up.log" "the interface for people is up" $up
until_said "$work/up.log" "cannot be found" $up
own=$(cat "$work/data/alerts.token")
want "a token of the configuration, without the provider" 200 alerts "$own" alerts
start_provider one 60
sre=$(token access sre-job imwatch)
until_said "$work/up.log" "tokens of the OpenID Connect provider count" $up
want "an access token of the group sre" 200 entries "$sre" audit
want "one of the group staff" 403 "admin is needed" "$(token access visitor imwatch)" audit
want "the same, looking" 200 alerts "$(token access visitor imwatch)" alerts
want "one for another audience" 401 'is for' "$(token access sre-job mail)" alerts
want "one of another client" 401 "stranger" "$(token access stranger imwatch)" alerts
li=$(token id li)
want "an ID token of a person" 200 alerts "$li" alerts
IFS=. read -r head _ signature <<<"$sre"; IFS=. read -r _ claims _ <<<"$li"
want "claims of one under the signature of another" 401 "none of the provider's keys" "$head.$claims.$signature" alerts
none=$(printf '{"alg":"none","kid":"one"}' | base64 -w0 | tr '+/' '-_' | tr -d =)
want "no signature" 401 'none.* do not count' "$none.${sre#*.}" alerts
echo "$li" >"$work/li.token"
alerts silence 'rule = x' --for 1h --reason upgrade --maintenance --token-file "$work/li.token"
alerts silences --token-command "cat '$work/li.token'" | tee "$work/list"
grep -q " li " "$work/list" || fail "the silence is not li's"
want "li in the audit" 200 '"by":"li","role":"responder"' "$sre" audit
stop_provider
want "the provider is away, and its keys are known" 200 alerts "$sre" alerts
start_provider two 2
short=$(token access sre-job imwatch)
want "a token signed by a new key" 200 alerts "$short" alerts
until [ "$(status "$short" alerts)" != 200 ]; do sleep 0.2; done # it lives for two seconds
want "the same, expired" 401 expired "$short" alerts
for t in "$sre" "$li" "$short" "$own"; do
  if grep -qF "${t: -20}" "$work/up.log"; then fail "a token is in the log"; fi
done
grep -o 'a caller is not let in: [^"]*' "$work/up.log" | sort | uniq -c
ops=$(sed -n 's/.*pipeline *http:\/\/\([^ ]*\).*/\1/p' "$work/up.log" | head -1)
curl -s "http://$ops/metrics" | grep '^im_alerting_\(logins_total\|oidc_ready\)'
echo "all as it should be"
