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
)

// Message is a rendered notification. Channels use the parts that they can show.
type Message struct {
	Title string // one line
	Body  string // Markdown for WeCom, plain text elsewhere
	HTML  string // the same for e-mail; "" elsewhere
}

// Notification is one thing to be told to one receiver. Channels must not change it.
type Notification struct {
	// ID is the same for every attempt: providers and receivers that can recognise a repeat are given it.
	ID       string
	Receiver string
	Kind     Kind
	Alert    event.Alert
	Line     []byte // the alert line, one JSON object
	Message  Message
	// Done names the addresses that accepted in an earlier attempt: they are not told again.
	Done []string
}

// Budget is how many calls a provider allows. Receivers with the same key share it.
type Budget struct {
	Key   string // not secret
	Calls int    // in any stretch of Per
	Per   time.Duration
}
