package outbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// State is where an entry stands.
type State string

// The states of an entry.
const (
	Pending    State = "pending"
	Sent       State = "sent"
	Failed     State = "failed"
	Superseded State = "superseded" // a repeat that was overtaken by the end of the alert, and not sent
)

// Entry is one notification to one receiver, with its history.
type Entry struct {
	At       time.Time // when it was decided
	Receiver string
	Channel  string // wecom, email, aliyun_sms, …
	Kind     channel.Kind
	Moment   time.Time // of the state change; for a repeat, when it was due
	Alert    event.Alert
	Line     []byte // the alert line
	Message  channel.Message
	// After is the id of what this receiver is told before this, as far as it is told: the state before. "": nothing.
	After string
	// Began is the id of what this receiver was told first of the alert, where that was not its beginning; "": it was.
	Began string
	// Step says why it was passed on, of an escalation; nil: it was not.
	Step *Step
	// Group is the id of the group that it is told with, and GroupName what people read of it; "": it is told by itself.
	Group      string
	GroupName  string
	GroupMatch []string      // conditions that all alerts of the group satisfy; none: it is of one alert
	Due        time.Time     // of a group: when the group is to be told at the latest because of this one
	Interval   time.Duration // of a group: from one message to the next
	Rose       bool          // it is graver than the state before: it breaks through
	Note       string        // what is to be said of it beside the alert: that it flaps
	// FallbackOf is the id of the failed entry that this one stands in for; "": none.
	FallbackOf string

	State    State
	Attempts int
	FirstTry time.Time
	LastTry  time.Time
	RetryAt  time.Time // not before this
	Verdict  string    // of the last attempt
	Answer   string    // the provider's words at the last attempt
	Took     []string  // addresses that accepted so far
	SentAt   time.Time // when the provider accepted
	Held     string    // why it was held back, the last time; "": it never was
	Windows  []string  // marks of the maintenance windows that held it
	Digest   string    // id of the digest that it was last told in; "": it was told alone
	Claim    Claim
}

// Step is what led to an escalation.
type Step struct {
	After      string `json:"after"`                // since the alert began to be told
	Regardless bool   `json:"regardless,omitempty"` // of acknowledgements
	// AckedBy is who had acknowledged it before, and AckOver when that was over; zero: it got worse meanwhile.
	AckedBy string    `json:"acked_by,omitempty"`
	AckOver time.Time `json:"ack_over,omitzero"`
	OnCall  string    `json:"on_call,omitempty"` // the schedule by which it came to this receiver
	Person  string    `json:"person,omitempty"`  // who was on call
}

// Claim says who is sending an entry and until when nobody else may.
type Claim struct {
	By    string
	Until time.Time
}

// Ref names an entry and holds what its order among others needs.
type Ref struct {
	Index, ID string
	Receiver  string
	AlertID   string
	Kind      channel.Kind
	Moment    time.Time
	At        time.Time
	Due       time.Time // not before this; the zero time: at once
	Urgent    bool      // critical and not over: it goes before others, and may use what the budget keeps in reserve
	Group     string    // "": none
	Wait      time.Time // of a group: when it is to be told at the latest because of this one
	Interval  time.Duration
	Rank      int // place of the severity among event.Severities; -1: over
	Rose      bool
}

// Joins says whether it is something new to its group, which may break through: not what was told before, or is over.
func (r Ref) Joins() bool {
	return r.Rank >= 0 && (r.Kind == channel.Firing || r.Kind == channel.Updated)
}

// ID gives the entry's id: the same for the same state of the same alert to the same receiver.
func (e *Entry) ID() string { return ID(e.Alert.ID, e.Kind, e.Moment, e.Receiver) }

// Index names the index that holds the entry.
func (e *Entry) Index() string { return IndexOf(e.Alert.From) }

// IndexOf names the index of the entries of alerts that started in the month of from: im-notify-2026.11.
func IndexOf(from time.Time) string { return "im-notify-" + from.UTC().Format("2006.01") }

// Ref gives the entry's name.
func (e *Entry) Ref() Ref {
	r := Ref{
		Index: e.Index(), ID: e.ID(), Receiver: e.Receiver, AlertID: e.Alert.ID, Kind: e.Kind, Moment: e.Moment, At: e.At, Due: e.RetryAt,
		Group: e.Group, Wait: e.Due, Interval: e.Interval, Rose: e.Rose, Rank: -1,
	}
	if e.Kind != channel.Resolved {
		r.Rank = Rank(e.Alert.Severity)
		r.Urgent = e.Alert.Severity == "critical"
	}
	return r
}

// Rank gives the place of a severity among all of them, 0 the least.
func Rank(severity string) int { return max(0, slices.Index(event.Severities(), severity)) }

// ID hashes what is told and to whom. Firing and resolved come once in an alert's life; updates, repeats and
// escalations are told apart by their moment.
func ID(alertID string, kind channel.Kind, moment time.Time, receiver string) string {
	at := ""
	if kind == channel.Updated || kind == channel.Repeat || kind == channel.Escalated {
		at = event.FormatTime(moment.UTC())
	}
	h := sha256.New()
	for _, part := range []string{alertID, string(kind), at, receiver} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:]) // lengths in front, so that no two lists of parts look alike
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// DigestID names a message that tells several entries at once: the same for the same entries.
func DigestID(entries []*Entry) string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID()
	}
	slices.Sort(ids)
	h := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	return hex.EncodeToString(h[:16])
}

// Before says whether r is told before s where both are of one alert.
func (r Ref) Before(s Ref) bool {
	if a, b := rank(r.Kind), rank(s.Kind); a != b {
		return a < b
	}
	return r.Moment.Before(s.Moment)
}

func rank(k channel.Kind) int {
	switch k {
	case channel.Firing:
		return 0
	case channel.Resolved:
		return 2
	}
	return 1
}

// ToldAfter gives the time from an alert's first line to its first notification's acceptance; false for any other, and
// while it is not accepted.
func (e *Entry) ToldAfter() (time.Duration, bool) {
	if e.Kind != channel.Firing || e.State != Sent {
		return 0, false
	}
	return max(0, e.SentAt.Sub(e.Alert.From)), true
}

// Notification gives what the channel sends.
func (e *Entry) Notification() channel.Notification {
	return channel.Notification{
		ID: e.ID(), Receiver: e.Receiver, Kind: e.Kind, Alert: e.Alert, Line: e.Line, Message: e.Message, Done: e.Took,
	}
}
