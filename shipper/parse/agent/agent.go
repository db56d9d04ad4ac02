// Package agent says what a User-Agent header names: program, system and device, in the fields that ECS has for them.
package agent

import (
	"strings"

	"github.com/mileusna/useragent"

	"imwatch/event"
)

// Reader adds what user agents name to events. It remembers those it has read, as a fleet has few; so it is not safe
// for concurrent use.
type Reader struct{ known map[string]agent }

// agent is what a header names; "" where it does not.
type agent struct{ name, version, system, systemVersion, device string }

const (
	// remembered bounds the headers that are remembered: clients can invent as many as they like.
	remembered = 4096
	// longest is how much of a header is looked at.
	longest = 512
)

// New makes a Reader.
func New() *Reader { return &Reader{known: map[string]agent{}} }

// Adds names the fields that Enrich may add.
func (r *Reader) Adds() []event.FieldID {
	return []event.FieldID{
		event.FieldUserAgentName, event.FieldUserAgentVersion, event.FieldUserAgentOS, event.FieldUserAgentOSVersion, event.FieldUserAgentDevice,
	}
}

// Enrich adds what user_agent.original names and the event does not say itself.
func (r *Reader) Enrich(e *event.Event) {
	header := e.Text(event.FieldUserAgent)
	if header == "" {
		return
	}
	a := r.read(header)
	for _, f := range [...]struct {
		id    event.FieldID
		value string
	}{
		{event.FieldUserAgentName, a.name},
		{event.FieldUserAgentVersion, a.version},
		{event.FieldUserAgentOS, a.system},
		{event.FieldUserAgentOSVersion, a.systemVersion},
		{event.FieldUserAgentDevice, a.device},
	} {
		if !e.Has(f.id) {
			e.SetText(f.id, f.value)
		}
	}
}

func (r *Reader) read(header string) agent {
	header = header[:min(len(header), longest)]
	if a, ok := r.known[header]; ok {
		return a
	}
	if len(r.known) >= remembered {
		clear(r.known)
	}
	header = strings.Clone(header) // not the whole file that it stands in
	ua := useragent.Parse(strings.ToValidUTF8(header, ""))
	a := agent{ua.Name, ua.Version, ua.OS, ua.OSVersion, ua.Device}
	r.known[header] = a
	return a
}
