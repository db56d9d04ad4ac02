package sqlite

import (
	"time"

	"imwatch/event"
	"imwatch/internal/store"
)

// benchDoc makes an event of the usual size.
func benchDoc(id string, at time.Time) store.Doc {
	e := event.Event{}
	e.SetTime(event.FieldTimestamp, at)
	e.SetText(event.FieldEventID, id)
	e.SetText(event.FieldEventDataset, event.DatasetConnection)
	e.SetText(event.FieldEventKind, "event")
	e.SetText(event.FieldEventAction, event.ActionConnect.Code)
	e.SetList(event.FieldEventCategory, "session", "network")
	e.SetList(event.FieldEventType, "start", "connection")
	e.SetText(event.FieldEventOutcome, event.OutcomeSuccess)
	e.SetTime(event.FieldEventIngested, at.Add(time.Second))
	e.SetText(event.FieldLogLevel, event.LevelInfo)
	e.SetText(event.FieldMessage, "user user-"+id+" connected from 198.51.100.7 with the Android client")
	e.SetText(event.FieldServiceName, "im-server")
	e.SetText(event.FieldServiceVersion, "1.4.2")
	e.SetText(event.FieldServiceNode, "im-7f9c4d-x2x9p")
	e.SetText(event.FieldTraceID, "4bf92f3577b34da6a3ce929d0e0e4736")
	e.SetText(event.FieldSpanID, "00f067aa0ba902b7")
	e.SetText(event.FieldClientIP, "198.51.100.7")
	e.SetInt(event.FieldClientPort, 51234)
	e.SetText(event.FieldUserID, "user-"+id)
	e.SetText(event.FieldDeviceID, "device-"+id)
	e.SetText(event.FieldUserAgent, "IMClient/5.2.1 (Android 15; Pixel 9) okhttp/4.12")
	e.SetText(event.FieldURLPath, "/ws/connect")
	e.SetInt(event.FieldHTTPStatus, 101)
	e.SetText(event.FieldConnID, "c-"+id)
	e.SetText(event.FieldSessionID, "s-"+id)
	e.SetInt(event.FieldEventDuration, 12_345_678)
	return store.Doc{Index: e.Index(), ID: id, Body: e.AppendJSON(nil)}
}
