package kibana

// saved is one saved search.
type saved struct {
	id, title, description string
	view                   string
	query                  string // KQL
	columns                []string
}

func savedSearches() []saved {
	return []saved{
		{
			"imwatch-handshake-failures", "[imwatch] Handshake failures", "Every connect that came to nothing, with its stage and reason.", EventsView,
			`event.action: "handshake_failure" and path: "/ws/connect"`,
			[]string{"log.level", "event.reason", "im.handshake.stage", "status", "client.ip", "user.id", "service.node.name"},
		},
		{
			"imwatch-server-errors", "[imwatch] Errors 500 on connect", "The server's own failures on the upgrade request.", EventsView,
			`status: 500 and path: "/ws/connect"`,
			[]string{"event.action", "event.reason", "error.message", "client.ip", "service.node.name", "trace.id"},
		},
		{
			"imwatch-disconnects", "[imwatch] Ends of connections", "Every end with its reason, who began it and how long the connection lived.", EventsView,
			`event.action: ("disconnect" or "orphaned")`,
			[]string{"im.close.reason", "im.close.code", "im.close.initiator", "event.duration", "user.id", "client.ip", "service.node.name"},
		},
		{
			"imwatch-heartbeats", "[imwatch] Heartbeat trouble", "Missed heartbeats and time-outs.", EventsView,
			`event.action: ("heartbeat_missed" or "heartbeat_timeout")`,
			[]string{"event.action", "im.heartbeat.missed", "im.rx.age_ms", "user.id", "client.ip", "service.node.name"},
		},
		{
			"imwatch-errors", "[imwatch] Errors", "Every line of level error or fatal.", EventsView,
			`level: ("error" or "fatal")`,
			[]string{"log.level", "event.action", "event.reason", "message", "client.ip", "service.node.name"},
		},
		{
			"imwatch-alerts-search", "[imwatch] Alerts", "What the detector raised.", AlertsView,
			`event.kind: "alert"`,
			[]string{"im.alert.state", "im.alert.severity", "rule.name", "im.alert.summary", "im.alert.value", "im.alert.limit", "im.alert.from", "im.alert.to"},
		},
		{
			"imwatch-notifications-search", "[imwatch] Notifications", "Who was told what, and what the provider answered.", NotifyView,
			`event.dataset: "im.notify"`,
			[]string{"im.notify.state", "im.notify.kind", "im.notify.receiver", "im.notify.channel", "im.notify.verdict", "im.notify.answer", "im.alert.severity", "rule.name", "im.notify.sent_at"},
		},
		{
			"imwatch-not-told", "[imwatch] Not told", "Notifications that failed for good, or wait.", NotifyView,
			`event.dataset: "im.notify" and im.notify.state: ("failed" or "pending")`,
			[]string{"im.notify.state", "im.notify.receiver", "im.notify.channel", "im.notify.verdict", "im.notify.answer", "im.notify.attempts", "im.alert.severity", "rule.name"},
		},
		{
			"imwatch-deadletters-search", "[imwatch] Dead letters", "Lines that could not be shipped or stored, as they came, with the reason.", DeadLettersView, "",
			[]string{"stage", "reason", "detail", "file", "topic", "offset"},
		},
	}
}

func searches() []object {
	var all []object
	for _, s := range savedSearches() {
		source := map[string]any{
			"query": map[string]any{"language": "kuery", "query": s.query}, "filter": []any{},
			"indexRefName": "kibanaSavedObjectMeta.searchSourceJSON.index",
		}
		all = append(all, newObject("search", s.id, map[string]any{
			"title": s.title, "description": s.description, "columns": s.columns, "sort": [][]string{{"@timestamp", "desc"}},
			"grid": map[string]any{}, "hideChart": false, "isTextBasedQuery": false,
			"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": text(source)},
		}, reference{"index-pattern", s.view, "kibanaSavedObjectMeta.searchSourceJSON.index"}, tagRef()))
	}
	return all
}
