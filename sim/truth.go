package sim

import (
	"time"

	"imwatch/event"
)

// From which size on a trouble is one: the limits that the shipped rules are asked to watch.
const (
	manyErrors    = 20 // more error events than this in a minute
	rowOfErrors   = 5  // as many error lines of one node with none between
	manyConnects  = 10 // more connects a second from one address than this
	manyRefusals  = 20 // more refused handshakes for one reason in a minute than this
	manyTimeouts  = 10 // more heartbeat timeouts of one node in a minute than this
	manyOrphans   = 10 // as many connections of one node that died with it
	fieldNode     = "service.node.name"
	fieldConnNode = "im.connection.node"
	fieldClientIP = "client.ip"
	fieldReason   = "event.reason"
)

// kindIf tells a trouble from what is too small to be one.
func kindIf(anomaly bool) string {
	if anomaly {
		return Anomaly
	}
	return Benign
}

// perMinute is how many of count events, spread evenly over d, fall into a minute.
func perMinute(count int, d time.Duration) float64 {
	return float64(count) / max(1, d.Minutes())
}

func (t Trouble) badTokensLabel(from time.Time) Label {
	return Label{
		Kind: kindIf(perMinute(t.Count, t.For) > manyRefusals), From: from, To: from.Add(t.For),
		Key: map[string]string{fieldReason: t.Reason.Reason}, Rules: []string{ruleHandshakeFailures},
	}
}

// silentLabel spans from the moment the clients fall silent until the server gives the last of them up.
func (t Trouble) silentLabel(from time.Time, limit time.Duration, key map[string]string) Label {
	return Label{
		Kind: kindIf(perMinute(t.Count, t.For) > manyTimeouts), From: from, To: from.Add(t.For + limit),
		Key: key, Rules: []string{ruleHeartbeatTimeouts},
	}
}

func (t Trouble) hammerLabel(from time.Time, ip string) Label {
	return Label{
		Kind: kindIf(t.Rate > manyConnects), From: from, To: from.Add(t.For),
		Key: map[string]string{fieldClientIP: ip}, Rules: []string{ruleConnectFlood},
	}
}

// benignLabel marks what looks like trouble. The rules are those that it could mislead.
func (t Trouble) benignLabel(from time.Time) Label {
	return Label{
		Kind: Benign, From: from, To: from.Add(t.For),
		Rules: []string{ruleErrorBurst, ruleNodeErrors, ruleConnectFlood, ruleHeartbeatTimeouts},
	}
}

// rowLabel is about error lines of one node with no other line between.
func rowLabel(node string, count int, from, to time.Time) Label {
	l := Label{
		Kind: kindIf(count >= rowOfErrors), From: from, To: to, Key: map[string]string{fieldNode: node}, Rules: []string{ruleNodeErrors},
	}
	return l.hurting(from)
}

// hurting says when users begin to be hurt, if anything is wrong at all.
func (l Label) hurting(at time.Time) Label {
	if l.Kind == Anomaly {
		l.ImpactAt = at
	}
	return l
}

// burstLabel is about count error lines, wherever they come from.
func burstLabel(count int, from, to time.Time) Label {
	l := Label{Kind: kindIf(perMinute(count, to.Sub(from)) > manyErrors), From: from, To: to, Rules: []string{ruleErrorBurst}}
	return l.hurting(from)
}

// deathLabel is about a node that died with count connections.
func deathLabel(node string, count int, from, to time.Time) Label {
	l := Label{Kind: kindIf(count >= manyOrphans), From: from, To: to, Key: map[string]string{fieldConnNode: node}, Rules: []string{ruleNodeDied}}
	return l.hurting(from)
}

// refusedLabel is about handshakes that a server refused by its limit for one address.
func refusedLabel(count int64, from, to time.Time) Label {
	return Label{
		Kind: kindIf(perMinute(int(count), to.Sub(from)) > manyRefusals), From: from, To: to,
		Key: map[string]string{fieldReason: event.HandshakeRateLimitedIP.Reason}, Rules: []string{ruleHandshakeFailures},
	}
}
