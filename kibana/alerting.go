package kibana

import "imwatch/event"

const (
	fires   = `not im.alert.state: "resolved" and im.alert.status: "enabled"`
	waits   = `im.notify.state: "pending" and not im.notify.verdict: ("silenced" or "inhibited" or "acknowledged")`
	failed  = `im.notify.state: "failed"`
	sent    = `im.notify.state: "sent"`
	heldNow = `im.notify.state: "pending" and im.notify.verdict: ("silenced" or "inhibited" or "acknowledged")`
	held    = `im.notify.held: *`
	prompt  = `im.notify.told_after_ms: * and not im.notify.held: *` // what was held back would say when the silence ended
)

// alertingPanels lays out the dashboard of the alerting: figures, then alerts, how soon and how people were told, what
// waits and what is held back, what failed.
func alertingPanels() []panel {
	alert, notify := selection{event.DatasetAlert, ""}, selection{event.DatasetNotify, ""}
	only := func(query string) selection { return selection{event.DatasetNotify, query} }
	firing := func(severity string, x int) panel {
		return figure("firing-"+severity, "Firing: "+severity, AlertsView, alert, x, 8, countOf, fires+` and im.alert.severity: "`+severity+`"`)
	}
	return []panel{
		firing("critical", 0), firing("high", 8), firing("warn", 16), firing("info", 24),
		figure("waiting", "Waiting to be told", NotifyView, notify, 32, 8, countOf, waits),
		figure("waiting-since", "The oldest waits since", NotifyView, notify, 40, 8, firstOf, waits),
		alertsBy("alerts-by-rule", "Alerts by rule", "rule.id", 10, 0, 5),
		alertsBy("alerts-by-severity", "Alerts by severity", "im.alert.severity", 5, 24, 5),
		{
			"told-after", "From the first line to told", NotifyView, "lnsXY", notify,
			[]column{
				overTime(), percentileOf("p50", "P50", "im.notify.told_after_ms", 50, prompt), percentileOf("p90", "P90", "im.notify.told_after_ms", 90, prompt),
				percentileOf("p99", "P99", "im.notify.told_after_ms", 99, prompt),
			},
			xy("line", "", "p50", "p90", "p99"), 0, 17, 24, 12,
		},
		{
			"results", "Notifications by channel and result", NotifyView, "lnsDatatable", notify,
			[]column{
				byField("channel", "Channel", "im.notify.channel", 15, "n"), byField("verdict", "Result", "im.notify.verdict", 10, "n"),
				countOf("n", "notifications", `im.notify.state: *`), countOf("tried", "tried more than once", `im.notify.attempts > 1`),
			},
			table("channel", "verdict", "n", "tried"), 24, 17, 24, 12,
		},
		{
			"waiting-by-receiver", "Waiting, by receiver", NotifyView, "lnsDatatable", only(waits),
			[]column{byField("receiver", "Receiver", "im.notify.receiver", 20, "n"), countOf("n", "waiting", waits), firstOf("since", "oldest", waits)},
			table("receiver", "n", "since"), 0, 29, 24, 12,
		},
		{
			"held", "Held back, by reason", NotifyView, "lnsDatatable", only(held),
			[]column{
				byField("why", "Reason", "im.notify.held", 10, "n"), byField("receiver", "Receiver", "im.notify.receiver", 20, "n"),
				countOf("n", "held back", held), countOf("now", "now", heldNow), firstOf("since", "oldest of these", heldNow),
			},
			table("why", "receiver", "n", "now", "since"), 24, 29, 24, 12,
		},
		{
			"failed", "Failed, with the provider's answer", NotifyView, "lnsDatatable", only(failed),
			[]column{
				byField("answer", "Answer", "im.notify.answer", 20, "n"), byField("receiver", "Receiver", "im.notify.receiver", 10, "n"),
				byField("channel", "Channel", "im.notify.channel", 5, "n"), countOf("n", "failed", failed), lastOf("last", "last", failed),
			},
			table("answer", "receiver", "channel", "n", "last"), 0, 41, 28, 12,
		},
		{
			"most-told", "Most told", NotifyView, "lnsDatatable", only(sent),
			[]column{
				byField("receiver", "Receiver", "im.notify.receiver", 20, "n"), countOf("n", "told", sent),
				countOf("critical", "of these critical", sent+` and im.alert.severity: "critical"`), countOf("again", "of these repeats", sent+` and im.notify.kind: "repeat"`),
			},
			table("receiver", "n", "critical", "again"), 28, 41, 20, 12,
		},
	}
}
