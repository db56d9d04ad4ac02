package mapping

import (
	"strings"
	"time"

	"imwatch/event"
)

// complete fills in what follows from the values where none of them says it.
func (m *Mapping) complete(e *event.Event) {
	switch {
	case e.Action() == event.ActionHTTPRequest.Code:
		m.byStatus(e)
	case e.Action() == event.ActionDisconnect.Code:
		m.byReason(e)
	}
}

// byStatus takes level and outcome of an access line from its status.
func (m *Mapping) byStatus(e *event.Event) {
	level, outcome := event.LevelInfo, event.OutcomeUnknown
	switch status := e.Int(event.FieldHTTPStatus); {
	case status >= 500:
		level, outcome = event.LevelError, event.OutcomeFailure
	case status >= 400:
		outcome = event.OutcomeFailure
	case status > 0:
		outcome = event.OutcomeSuccess
	}
	if !m.has("log.level") {
		e.SetText(event.FieldLogLevel, level)
	}
	if !m.has("event.outcome") {
		e.SetText(event.FieldEventOutcome, outcome)
	}
}

// byReason takes what follows from a close reason, and the reason from the close code.
func (m *Mapping) byReason(e *event.Event) {
	reason, ok := event.CloseReasonByName(e.Text(event.FieldCloseReason))
	if !ok {
		if reason, ok = reasonOfCode(e.Int(event.FieldCloseCode)); !ok {
			return
		}
		e.SetText(event.FieldCloseReason, reason.Reason)
	}
	for _, d := range [...]struct {
		id    event.FieldID
		value string
	}{
		{event.FieldCloseInitiator, reason.Initiator},
		{event.FieldEventOutcome, reason.Outcome},
		{event.FieldLogLevel, reason.LevelFor(life(e))},
	} {
		if !m.has(event.FieldByID(d.id).Name) {
			e.SetText(d.id, d.value)
		}
	}
}

// life is how long the connection lived, as far as the line says.
func life(e *event.Event) time.Duration {
	if !e.Has(event.FieldEventDuration) {
		return event.ShortLife
	}
	return time.Duration(e.Int(event.FieldEventDuration))
}

// reasonOfCode gives the close reason that a code of RFC 6455, or one of ours, stands for.
func reasonOfCode(code int64) (event.CloseReason, bool) {
	switch code {
	case 0:
		return event.CloseReason{}, false
	case 1005:
		return event.CloseNormal, true
	case 1006, 1015:
		return event.CloseClientGone, true
	case 1002, 1003, 1007, 1010:
		return event.CloseProtocolError, true
	case 1008:
		return event.ClosePermission, true
	case 1011:
		return event.CloseServerError, true
	case 1012:
		return event.CloseDrain, true
	case 1013:
		return event.CloseOverload, true
	}
	for _, r := range event.CloseReasons() {
		if int64(r.Code) == code {
			return r, true
		}
	}
	return event.CloseReason{}, false
}

// actions gives those that a line may say, by their codes.
func actions() map[string]event.Action {
	byCode := map[string]event.Action{}
	for _, a := range event.Actions() {
		if a.Dataset != event.DatasetPipeline {
			byCode[a.Code] = a
		}
	}
	return byCode
}

func closeReasons() []string {
	var names []string
	for _, r := range event.CloseReasons() {
		names = append(names, r.Reason)
	}
	return names
}

func nearest(v string, known []string) string {
	if near := event.Nearest(v, known); near != "" {
		return "; the nearest is " + near
	}
	return ""
}

// labelOf names the label of a value that does not fit the entry's field: as the line names it.
func labelOf(x *entry, from int) string {
	name := x.To
	if from < len(x.From) {
		name = x.From[from]
	}
	return strings.NewReplacer(".", "_", " ", "_").Replace(name)
}
