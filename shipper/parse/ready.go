package parse

import "imwatch/shipper/parse/mapping"

// ginPattern is the line of gin's default logger. Colours and padding are taken out.
const ginPattern = `[GIN] %{timestamp} |%{http.response.status_code}|%{event.duration}|%{client.ip}|%{http.request.method} "%{url.path}"`

// nginxPattern is nginx's combined format, with anything after it, such as the forwarded address of its example
// configuration.
const nginxPattern = `%{client.ip} - %{user.id} [%{timestamp}] "%{request}" %{http.response.status_code} %{?bytes} "%{?referer}" "%{user_agent.original}"`

const envoyBegin = `[%{timestamp}] "%{http.request.method} %{url.path} %{http.version}" %{http.response.status_code} %{event.reason} `

const envoyEnd = `%{?received} %{?sent} %{duration} %{?upstream_time} "%{client.ip}" "%{user_agent.original}" "%{request_id}" "%{?authority}" "%{?upstream_host}"`

// envoyPattern is Envoy's default format string.
const envoyPattern = envoyBegin + envoyEnd

// istioPattern is Istio's, which says more of the upstream.
const istioPattern = envoyBegin + `%{?details} %{?termination} "%{?failure}" ` + envoyEnd + ` %{?}`

// readyFormats are the formats that know what their lines mean.
func readyFormats() []ready {
	return []ready{
		{name: "gin", kind: kindDissect, patterns: []string{ginPattern}, fields: anyPeer},
		{name: "gin-json", kind: kindJSON, fields: ginJSON},
		{name: "nginx", kind: kindDissect, patterns: []string{ // with $request_time, then with anything
			nginxPattern + " %{event.duration} %{?}", nginxPattern + " %{event.duration}", nginxPattern + "%{?}",
		}, fields: anyPeer},
		{name: "nginx-json", kind: kindJSON, fields: nginxJSON},
		{name: "envoy", kind: kindDissect, patterns: []string{envoyPattern, istioPattern}, fields: envoyText},
		{name: "envoy-json", kind: kindJSON, fields: envoyJSON},
		{name: "im-json", kind: kindJSON, fields: imJSON},
		{name: formatSyslog, kind: kindJSON, fields: syslogFields},
	}
}

// take fills a field from the first of several names. What does not fit becomes a label: the line is an event without
// it.
func take(to string, from ...string) mapping.Field {
	return mapping.Field{To: to, From: from, Bad: mapping.Label}
}

// lasting is take for a length of time in a unit.
func lasting(to, unit string, from ...string) mapping.Field {
	f := take(to, from...)
	f.Unit = unit
	return f
}

// when gives an entry for lines that have all the names.
func when(f mapping.Field, names ...string) mapping.Field {
	f.When = mapping.Condition{}
	for _, name := range names {
		f.When[name] = mapping.Names{"*"}
	}
	return f
}

// request says that lines are those of an access log.
func request() mapping.Field { return mapping.Field{To: "event.action", Value: "http_request"} }

// anyPeer keeps lines whose peer has no address: nginx says unix: of sockets in files.
func anyPeer() []mapping.Field { return []mapping.Field{take("client.ip", "client.ip")} }

func envoyText() []mapping.Field {
	return []mapping.Field{
		request(),
		{To: "event.duration", From: mapping.Names{"duration"}, Unit: "ms"}, // what is none tells Istio's lines from Envoy's
		take("client.ip", "client.ip"),
		{To: "trace.id", From: mapping.Names{"request_id"}, Bad: mapping.Skip},
		{To: "labels.request_id", From: mapping.Names{"request_id"}},
	}
}

func envoyJSON() []mapping.Field {
	return []mapping.Field{
		take("timestamp", "start_time", "timestamp", "@timestamp", "time"),
		request(),
		take("http.request.method", "method", "request_method"),
		take("url.path", "path", "x_envoy_original_path", "request_path", "uri_path"),
		take("http.version", "protocol"),
		take("http.response.status_code", "response_code", "status"),
		take("event.reason", "response_flags"),
		lasting("event.duration", "ms", "duration", "request_duration"),
		take("client.ip", "x_forwarded_for", "client_ip", "downstream_remote_address", "downstream_direct_remote_address"),
		take("user_agent.original", "user_agent"),
		{To: "trace.id", From: mapping.Names{"trace_id", "traceparent", "request_id", "x_request_id"}, Bad: mapping.Skip},
		take("labels.request_id", "request_id", "x_request_id"),
		take("error.message", "upstream_transport_failure_reason"),
	}
}

func nginxJSON() []mapping.Field {
	return []mapping.Field{
		take("timestamp", "time_iso8601", "@timestamp", "timestamp", "msec", "time_local", "time"),
		request(),
		take("request", "request"),
		take("http.request.method", "request_method", "method"),
		take("url.path", "request_uri", "uri", "path", "url"),
		take("http.version", "server_protocol"),
		take("http.response.status_code", "status"),
		take("event.duration", "request_time"),
		take("client.ip", "remote_addr", "client_ip", "http_x_forwarded_for"),
		take("client.port", "remote_port"),
		take("destination.port", "server_port"),
		take("user.id", "remote_user"),
		take("user_agent.original", "http_user_agent", "user_agent"),
		{To: "trace.id", From: mapping.Names{"trace_id", "http_traceparent", "request_id"}, Bad: mapping.Skip},
		take("labels.request_id", "request_id"),
	}
}

// ginJSON knows gin's own parameters as JSON, and what gin-contrib's zap and zerolog loggers and slog-gin write.
func ginJSON() []mapping.Field {
	return []mapping.Field{
		take("timestamp", "time", "ts", "timestamp", "TimeStamp", "@timestamp"),
		request(),
		take("http.response.status_code", "status", "status_code", "StatusCode", "response.status"),
		take("http.request.method", "method", "Method", "request.method"),
		take("url.path", "path", "Path", "request.path", "uri", "url"),
		take("client.ip", "ip", "client_ip", "clientIP", "ClientIP", "request.ip", "remote_ip"),
		when(lasting("event.duration", "ms", "latency"), "message", "user_agent", "body_size"), // zerolog writes milliseconds
		lasting("event.duration", "ms", "latency_ms", "duration_ms"),
		lasting("event.duration", unitGo, "latency", "Latency", "response.latency", "duration"),
		take("user_agent.original", "user-agent", "user_agent", "request.user-agent", "UserAgent"),
		take("error.message", "errors", "error", "ErrorMessage"),
		{To: "trace.id", From: mapping.Names{"trace_id", "traceID", "traceId", "trace-id", "request_id", "id"}, Bad: mapping.Skip},
		{To: "span.id", From: mapping.Names{"span_id", "spanID", "spanId", "span-id"}, Bad: mapping.Skip},
	}
}

// unitGo is how Go's loggers write durations.
const unitGo = "go"
