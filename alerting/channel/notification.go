package channel

import (
	"time"

	"imwatch/event"
)

// Kind says what about an alert is told.
type Kind string

// The kinds of notifications.
const (
	Firing   Kind = event.StateFiring
	Updated  Kind = event.StateUpdated
	Resolved Kind = event.StateResolved
	Repeat   Kind = "repeat" // it still fires, and is told again
	// Escalated: it fires, and is passed on to others.
	Escalated Kind = "escalated"
	Digest    Kind = "digest" // several at once: a group, or what the provider's budget does not allow a message for each
)

// Message is a rendered notification. Channels use the parts that they can show.
type Message struct {
	Title  string  // one line
	Body   string  // in the channel's own markup; plain text where it has none
	HTML   string  // the same for e-mail; "" elsewhere
	Fields []Field // what cards show in rows
	Links  []Link  // where more is to be seen, the best first
}

// PictureMark is where the picture stands in HTML. Nobody else can write it there: texts from outside lose such
// characters.
const PictureMark = "\u2063picture\u2063"

// Field is one row of a card. ID names it in every language: state, severity, rule, key, value, since, lasted, ended.
type Field struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Text string `json:"text"`
}

// Link is a named address.
type Link struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Notification is one thing to be told to one receiver. Channels must not change it.
type Notification struct {
	// ID is the same for every attempt: providers and receivers that can recognise a repeat are given it.
	ID       string
	Receiver string
	Kind     Kind
	Alert    event.Alert // of a digest: the gravest
	Line     []byte      // the alert line, one JSON object; nil in a digest
	Message  Message
	// Group is the id of the group that a digest is about; "": it tells what happens to wait.
	Group string
	// Done names the addresses that accepted in an earlier attempt: they are not told again.
	Done []string
}

// Loud says whether people are to be called: not for what is over.
func (n *Notification) Loud() bool {
	return n.Kind != Resolved && (n.Kind != Digest || n.Alert.State != event.StateResolved)
}

// Budget is how many calls a provider allows. Receivers with the same key share it.
type Budget struct {
	Key   string // not secret
	Calls int    // in any stretch of Per
	Per   time.Duration
	// Reserve is how many of the calls are kept for critical alerts.
	Reserve int
	// Fold is how many bytes the body of a message may have that tells several, of SMS and voice how many characters; 0:
	// each is told by itself. Without Calls, only groups are told so.
	Fold int
}
