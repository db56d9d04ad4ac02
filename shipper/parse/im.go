package parse

import (
	"slices"

	"imwatch/shipper/parse/mapping"
)

// imJSON knows the names that IM servers written in Go give to what they log: OpenIM, goim, Tinode's forks and those
// written in house, with the encoders of zap, logrus, zerolog and slog.
func imJSON() []mapping.Field {
	return slices.Concat(imActions(), []mapping.Field{
		take("timestamp", "@timestamp", "timestamp", "time", "ts", "t", "datetime", "logTime", "log_time", "createTime"),
		take("log.level", "level", "lvl", "severity", "log_level", "logLevel", "L"),
		take("message", "msg", "message", "M"),
		take("user.id", "userId", "user_id", "userID", "uid", "opUserID", "sendID", "mid", "account", "user"),
		take("client.ip", "client_ip", "clientIp", "clientIP", "remote_ip", "remoteIp", "remoteAddr", "remote_addr", "ip"),
		take("client.port", "client_port", "clientPort"),
		take("im.connection.id", "connId", "conn_id", "connID", "connectionId", "connection_id", "connectionID", "cid"),
		take("im.session.id", "sessionId", "session_id", "sessionID", "sid"),
		take("device.id", "deviceId", "device_id", "deviceID"),
		take("im.platform", "platform", "opUserPlatform", "os"),
		{To: "im.platform", From: mapping.Names{"platformID", "platformId", "platform_id"}, Map: openIMPlatforms(), Bad: mapping.Label},
		take("im.app.version", "appVersion", "app_version", "sdkVersion", "clientVersion", "client_version"),
		take("im.room.id", "roomId", "room_id", "roomID", "groupID", "groupId", "group_id", "topic"),
		take("im.message.id", "msgId", "msg_id", "msgID", "messageId", "message_id", "serverMsgID", "clientMsgID"),
		take("im.message.seq", "seq"),
		take("http.response.status_code", "status", "status_code", "statusCode", "httpCode", "http_status"),
		take("http.request.method", "method", "http_method"),
		take("url.path", "path", "uri", "url", "request_uri", "url_path"),
		lasting("event.duration", "ms", "latency_ms", "latencyMs", "duration_ms", "durationMs", "cost_ms", "elapsed_ms", "costMs"),
		lasting("event.duration", unitGo, "latency", "duration", "elapsed", "cost", "time cost", "timeCost"),
		lasting("im.heartbeat.rtt_ms", "", "rtt_ms", "rttMs"),
		lasting("im.heartbeat.rtt_ms", unitGo, "rtt"),
		take("im.close.code", "closeCode", "close_code"),
		{To: "im.close.reason", From: mapping.Names{"closeReason", "close_reason", "close reason"}, Bad: mapping.Label},
		take("event.reason", "reason", "errReason"),
		take("error.message", "error", "err", "errMsg", "error_msg", "errmsg"),
		take("error.code", "errCode", "err_code", "errcode"),
		take("user_agent.original", "user_agent", "userAgent", "ua"),
		take("service.name", "service", "serviceName", "app", "appName"),
		take("service.version", "version", "serviceVersion"),
		take("service.environment", "env", "environment"),
		take("service.node.name", "node", "nodeId", "node_id", "host", "hostname", "server"),
		take("organization.id", "tenant", "tenantId", "tenant_id", "appId", "app_id"),
		{To: "trace.id", From: mapping.Names{"trace_id", "traceId", "traceID", "trace"}, Bad: mapping.Skip},
		{To: "trace.id", From: mapping.Names{"operationID", "operationId", "requestId", "request_id"}, Bad: mapping.Skip},
		{To: "span.id", From: mapping.Names{"span_id", "spanId", "spanID"}, Bad: mapping.Skip},
		take("labels.operation_id", "operationID", "operationId"),
		take("labels.caller", "caller", "source.function"),
	})
}

// imActions tells what has happened: by a name of its own, by what the message says, or by what only access lines
// have.
func imActions() []mapping.Field {
	fields := []mapping.Field{
		{To: "event.action", From: mapping.Names{"event.action", "action", "event", "eventType", "event_type", "op", "cmd"}, Map: imWords(), Bad: mapping.Skip},
	}
	for _, x := range []struct {
		code string
		says mapping.Names
	}{
		{"handshake_failure", mapping.Names{"*upgrade failed*", "*handshake failed*", "*auth failed*", "*token invalid*", "*invalid token*", "*failed to upgrade*"}},
		{"session_kicked", mapping.Names{"*kick*"}},
		{"heartbeat_timeout", mapping.Names{"*heartbeat timeout*", "*heartbeat timed out*", "*ping timeout*", "*keepalive timeout*"}},
		{"disconnect", mapping.Names{"user offline*", "*disconnected*", "*connection closed*", "*conn closed*", "unregisterclient*", "*session ended*", "*client closed*"}},
		{"connect", mapping.Names{"registerclient*", "user online*", "*client connected*", "*user connected*", "*connection established*", "*new connection*", "*session started*", "*conn connected*"}},
	} {
		for _, name := range []string{"msg", "message"} {
			fields = append(fields, mapping.Field{To: "event.action", Value: x.code, When: mapping.Condition{name: x.says}})
		}
	}
	for _, status := range []string{"status", "status_code", "statusCode"} {
		for _, path := range []string{"path", "uri", "url"} {
			fields = append(fields, when(request(), status, path))
		}
	}
	return fields
}

// imWords are what servers call the contract's actions.
func imWords() map[string]string {
	return map[string]string{
		"connected": "connect", "online": "connect", "login": "connect", "register": "connect", "open": "connect", "user_online": "connect", "conn_open": "connect", "onconnect": "connect",
		"disconnected": "disconnect", "offline": "disconnect", "logout": "disconnect", "unregister": "disconnect", "close": "disconnect", "closed": "disconnect", "user_offline": "disconnect", "conn_close": "disconnect", "ondisconnect": "disconnect",
		"auth_failed": "handshake_failure", "auth_fail": "handshake_failure", "login_failed": "handshake_failure", "connect_failed": "handshake_failure", "upgrade_failed": "handshake_failure", "handshake_failed": "handshake_failure",
		"ping": "heartbeat", "pong": "heartbeat", "keepalive": "heartbeat", "heartbeat_fail": "heartbeat_missed", "heartbeat_lost": "heartbeat_missed", "ping_timeout": "heartbeat_timeout",
		"kick": "session_kicked", "kicked": "session_kicked", "kick_off": "session_kicked", "kickoff": "session_kicked", "replaced": "session_replaced",
		"reconnect": "resume", "reconnected": "resume", "resumed": "resume", "resume_failed": "resume_failure", "reconnect_failed": "resume_failure",
		"join_room": "join", "enter_room": "join", "joined": "join", "leave_room": "leave", "exit_room": "leave", "quit_room": "leave",
		"send_failed": "message_failed", "push_failed": "message_failed", "msg_failed": "message_failed", "rate_limit": "rate_limited", "request": "http_request", "access": "http_request",
	}
}

// openIMPlatforms are OpenIM's numbers of platforms.
func openIMPlatforms() map[string]string {
	return map[string]string{
		"1": "ios", "2": "android", "3": "windows", "4": "macos", "5": "web", "6": "miniweb", "7": "linux", "8": "android_pad", "9": "ipad", "10": "admin", "11": "harmony",
	}
}

// anyJSON is what auto reads JSON as: Envoy's and nginx's own names where they stand, else those of gin and IM servers.
func anyJSON() ready {
	fields := func() []mapping.Field {
		var all []mapping.Field
		for _, f := range envoyJSON() {
			if f.To != "timestamp" {
				all = append(all, when(f, "response_code", "start_time"))
			}
		}
		for _, f := range nginxJSON() {
			if f.To != "timestamp" {
				all = append(all, when(f, "remote_addr", "status"))
			}
		}
		times := take("timestamp", "start_time", "time_iso8601", "msec", "time_local")
		return slices.Concat([]mapping.Field{times}, all, imJSON(), ginJSON()[2:])
	}
	return ready{name: "auto-json", kind: kindJSON, fields: fields}
}
