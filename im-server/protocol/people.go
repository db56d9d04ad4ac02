package protocol

// PresenceAsk asks who is there: of some users, or in a room.
type PresenceAsk struct {
	Users []string // at most MaxUsers
	Watch bool     // and tell of changes, until a further presence that does not ask for it
	Room  string
}

func (p *PresenceAsk) walk(c coder) {
	c.texts(field{num: 1, name: "users", max: MaxName, most: MaxUsers}, &p.Users)
	c.flag(field{num: 2, name: "watch"}, &p.Watch)
	c.text(field{num: 3, name: "room", max: MaxName}, &p.Room)
}

func (p *PresenceAsk) check() error {
	if (len(p.Users) == 0) == (p.Room == "") {
		return fault(CodeMissingField, "payload", "a presence has either users or room")
	}
	return nil
}

// Presence says who is there.
type Presence struct {
	States []State
	Room   string
	Count  int64 // users in the room, who may be more than States tells
}

// State is whether one user is there.
type State struct {
	User    string
	Online  bool
	Devices int64 // connections
}

func (p *Presence) walk(c coder) {
	c.records(field{num: 1, name: "states"}, (*states)(&p.States))
	c.text(field{num: 2, name: "room", max: MaxName}, &p.Room)
	c.number(field{num: 3, name: "count"}, &p.Count)
}

func (p *Presence) check() error { return nil }

func (p *State) walk(c coder) {
	c.text(field{num: 1, name: "user", max: MaxName, need: true}, &p.User)
	c.flag(field{num: 2, name: "online"}, &p.Online)
	c.number(field{num: 3, name: "devices"}, &p.Devices)
}

func (p *State) check() error { return nil }

type states []State

func (l *states) len() int         { return len(*l) }
func (l *states) at(i int) Payload { return &(*l)[i] }
func (l *states) add() Payload     { *l = append(*l, State{}); return &(*l)[len(*l)-1] }

// Devices are the connections of the client's own user.
type Devices struct{ Devices []Device }

// Device is one of them.
type Device struct {
	Device       string
	Platform     string
	ConnectionID string
	Since        int64 // milliseconds since 1970
	This         bool  // it is the one that asked
}

func (p *Devices) walk(c coder) {
	c.records(field{num: 1, name: "devices"}, (*devices)(&p.Devices))
}

func (p *Devices) check() error { return nil }

func (p *Device) walk(c coder) {
	c.text(field{num: 1, name: "device", max: MaxName}, &p.Device)
	c.text(field{num: 2, name: "platform", max: MaxName}, &p.Platform)
	c.text(field{num: 3, name: "connection_id", max: MaxName, need: true}, &p.ConnectionID)
	c.number(field{num: 4, name: "since"}, &p.Since)
	c.flag(field{num: 5, name: "this"}, &p.This)
}

func (p *Device) check() error { return nil }

type devices []Device

func (l *devices) len() int         { return len(*l) }
func (l *devices) at(i int) Payload { return &(*l)[i] }
func (l *devices) add() Payload     { *l = append(*l, Device{}); return &(*l)[len(*l)-1] }

// Kick asks to end connections of the client's own user: those of a device, or one.
type Kick struct {
	Device       string
	ConnectionID string
}

func (p *Kick) walk(c coder) {
	c.text(field{num: 1, name: "device", max: MaxName}, &p.Device)
	c.text(field{num: 2, name: "connection_id", max: MaxName}, &p.ConnectionID)
}

func (p *Kick) check() error {
	if (p.Device == "") == (p.ConnectionID == "") {
		return fault(CodeMissingField, "payload", "a kick has either device or connection_id")
	}
	return nil
}
