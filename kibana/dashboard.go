package kibana

import "imwatch/event"

// The ids of the dashboards, for links.
const (
	DashboardID         = "imwatch-connections"
	AlertingDashboardID = "imwatch-alerting"
)

const (
	connects = `event.action: "connect"`
	ends     = `event.action: ("disconnect" or "orphaned")`
	failures = `event.action: "handshake_failure"`
	timeouts = `event.action: "heartbeat_timeout"`
)

// panels lays out the dashboard of the connections, 48 columns wide: figures, then connections, failures, heartbeats, latency, alerts.
func panels() []panel {
	conn, alert := selection{event.DatasetConnection, ""}, selection{event.DatasetAlert, ""}
	return []panel{
		figure("connects", "Connects", EventsView, conn, 0, 12, countOf, connects),
		figure("ends", "Ends", EventsView, conn, 12, 12, countOf, ends),
		figure("failures", "Handshake failures", EventsView, conn, 24, 12, countOf, failures),
		figure("timeouts", "Heartbeat timeouts", EventsView, conn, 36, 12, countOf, timeouts),
		{
			"connections", "Connections", EventsView, "lnsXY", conn,
			[]column{overTime(), countOf("connects", "connects", connects), countOf("ends", "ends", ends), countOf("failures", "handshake failures", failures)},
			xy("line", "", "connects", "ends", "failures"), 0, 5, 24, 12,
		},
		{
			"reasons", "Handshake failures by reason", EventsView, "lnsXY", conn,
			[]column{topOf("event.reason", 10, "n"), overTime(), countOf("n", "failures", failures)},
			xy("bar_stacked", "top", "n"), 24, 5, 24, 12,
		},
		{
			"closes", "Ends by reason", EventsView, "lnsXY", conn,
			[]column{topOf("im.close.reason", 10, "n"), overTime(), countOf("n", "ends", ends)},
			xy("bar_stacked", "top", "n"), 0, 17, 24, 12,
		},
		{
			"heartbeats", "Heartbeat timeouts by node", EventsView, "lnsXY", conn,
			[]column{topOf("service.node.name", 10, "n"), overTime(), countOf("n", "timeouts", timeouts)},
			xy("bar_stacked", "top", "n"), 24, 17, 24, 12,
		},
		{
			"addresses", "Top addresses", EventsView, "lnsDatatable", conn,
			[]column{topOf("client.ip", 20, "connects"), countOf("connects", "connects", connects), countOf("failures", "handshake failures", failures)},
			table("top", "connects", "failures"), 0, 29, 24, 12,
		},
		{
			"latency", "Handshake time", EventsView, "lnsXY", conn,
			[]column{
				overTime(), percentileOf("p50", "P50", "event.duration", 50, connects), percentileOf("p95", "P95", "event.duration", 95, connects),
				percentileOf("p99", "P99", "event.duration", 99, connects),
			},
			xy("line", "", "p50", "p95", "p99"), 24, 29, 24, 12,
		},
		alertsBy("alerts", "Alerts by rule", "rule.id", 10, 0, 41),
		{
			"alert-severity", "Alerts by severity", AlertsView, "lnsDatatable", alert,
			[]column{topOf("im.alert.severity", 5, "n"), countOf("n", "alerts", `event.kind: "alert"`), countOf("open", "still firing", `not im.alert.state: "resolved"`)},
			table("top", "n", "open"), 24, 41, 24, 12,
		},
	}
}

// board is one dashboard.
type board struct {
	id, title, description string
	panels                 []panel
	from                   string // the time range begins there
}

func dashboards() []board {
	return []board{
		{DashboardID, "[imwatch] Connections", "Connections, failures by reason, heartbeat timeouts by node, top addresses, handshake time, alerts.", panels(), "now-1h"},
		{AlertingDashboardID, "[imwatch] Alerting", "What fires, who was told and how soon, what waits, what failed and what is held back.", alertingPanels(), "now-7d"},
	}
}

func (b board) object() object {
	var list []any
	refs := []reference{tagRef()}
	for _, p := range b.panels {
		list = append(list, map[string]any{
			"type": "lens", "panelIndex": p.id, "title": p.title,
			"gridData":         map[string]any{"x": p.x, "y": p.y, "w": p.w, "h": p.h, "i": p.id},
			"embeddableConfig": map[string]any{"attributes": p.attributes(), "enhancements": map[string]any{}, "hidePanelTitles": false},
		})
		for _, r := range p.references() {
			r.Name = p.id + ":" + r.Name
			refs = append(refs, r)
		}
	}
	return newObject("dashboard", b.id, map[string]any{
		"title": b.title, "description": b.description,
		"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": text(map[string]any{"query": map[string]any{"language": "kuery", "query": ""}, "filter": []any{}})},
		"optionsJSON":           text(map[string]any{"useMargins": true, "syncColors": true, "syncCursor": true, "syncTooltips": true, "hidePanelTitles": false}),
		"panelsJSON":            text(list), "timeRestore": true, "timeFrom": b.from, "timeTo": "now",
		"refreshInterval": map[string]any{"pause": false, "value": 10000}, "version": 1,
	}, refs...)
}
