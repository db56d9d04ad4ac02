// Package chunktest makes what tests of sinks put into chunks: messages of partition 3 of im.lifecycle.
package chunktest

import (
	"fmt"
	"time"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/shipper/index"
	"imwatch/shipper/index/chunk"
)

// Event is the n-th message, an event with every type of field in it.
func Event(n int64, at time.Time, level string) index.Item {
	var e event.Event
	e.Begin(event.ActionConnect, at)
	e.SetText(event.FieldEventID, fmt.Sprintf("im-1-b-%010d", n))
	e.SetText(event.FieldLogLevel, level)
	e.SetText(event.FieldClientIP, "192.0.2.1")
	e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", n%7))
	e.SetInt(event.FieldHTTPStatus, 101)
	e.SetFloat(event.FieldHeartbeatRTT, 2.5)
	e.SetBool(event.FieldSessionResumed, n%2 == 0)
	e.SetLabel("team", "im")
	return index.Item{Topic: "im.lifecycle", Partition: 3, Offset: n, Time: at.Add(time.Second), ID: e.ID(), Body: e.AppendJSON(nil)}
}

// letter is the n-th message as one that is no event.
func letter(n int64, at time.Time) index.Item {
	l := deadletter.Letter{At: at, ID: fmt.Sprintf("im.lifecycle-3-%d", n), Stage: "indexer", Reason: "json", Topic: "im.lifecycle", Partition: 3, Offset: n, Original: []byte("{'")}
	return index.Item{Topic: "im.lifecycle", Partition: 3, Offset: n, Time: at, ID: l.ID, Letter: true, Body: l.AppendJSON(nil)}
}

// Mixed is a chunk of n messages from a time on, every so often one, of three levels; one of a hundred is a dead letter.
func Mixed(n int64, from time.Time, every time.Duration) chunk.Chunk {
	c := chunk.Chunk{Place: chunk.Place{Topic: "im.lifecycle", Partition: 3}, Span: chunk.Span{From: 0, To: n - 1}}
	for i := range n {
		at := from.Add(time.Duration(i) * every)
		if i%100 == 50 {
			c.Items = append(c.Items, letter(i, at))
			continue
		}
		c.Items = append(c.Items, Event(i, at, []string{"info", "warn", "error"}[i%3]))
	}
	return c
}
