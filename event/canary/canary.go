// Package canary is the harmless record that goes the whole way of the data once a minute, and the dead man's switch
// that notices when none comes any more.
//
// A canary is a record of dataset im.pipeline: to rules it is no event, in the store it is no document. The shipper
// sends it behind the lines that it has read, the detector passes it on once evaluation has passed its time, and
// alerting measures how long it took. A detector sends records of its own beside it, its pulse, so that alerting can
// tell a dead detector from a way that is cut before it.
package canary

import (
	"strconv"
	"time"

	"imwatch/event"
)

// The services that send canaries (service.name).
const (
	Shipper  = "imwatch-shipper"
	Detector = "imwatch-detector"
)

// Missed is how many canaries in a row have to be missing until the way counts as cut.
const Missed = 3

// Runbook is the page for those who are told by one of the alerts about the pipeline's own health.
const Runbook = "docs/runbooks/own-health.md"

// Line makes the canary of a service on a node; every is the time until its next one. 0 says that it sends no more,
// so that nobody waits for them.
func Line(service, node string, every time.Duration, at time.Time) []byte {
	var e event.Event
	e.Begin(event.ActionCanary, at)
	e.SetText(event.FieldEventID, "canary-"+service+"-"+node+"-"+strconv.FormatInt(at.UnixNano(), 10))
	e.SetText(event.FieldServiceName, service)
	e.SetText(event.FieldServiceNode, node)
	e.SetInt(event.FieldEventDuration, int64(every))
	return e.AppendJSON(nil)
}

// Is says whether an event is a canary.
func Is(e *event.Event) bool {
	return e.IsWatermark() && e.Action() == event.ActionCanary.Code
}
