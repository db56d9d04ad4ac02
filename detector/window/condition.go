package window

// Observation is one event as the condition of one key sees it.
type Observation struct {
	At     int64
	Weight float64 // how many events it stands for
	Sight
}

// Look is what a look at a condition shows.
type Look struct {
	Value float64 // the number that is compared
	Holds bool
}

// Condition is what a rule's type remembers of one key. The engine calls it in order of event time: at one instant
// first Enter for each event, in order of id, then Advance if something is due.
type Condition interface {
	// Enter lets leave what leaves at or before the event's instant, takes the event in, and looks.
	Enter(o Observation) Look
	// Advance lets leave what leaves at or before an instant at which no further event enters, and looks.
	Advance(at int64) Look
	// Next gives the instant at which the truth may change next without an event, Never if it cannot.
	Next() int64
	// Since gives the first instant whose events still count at the instant at; Never when none do.
	Since(at int64) int64
	// Expiry gives the instant before whose events the condition has become as new.
	Expiry() int64
	// Encode writes the state; one of the same rule reads it by Decode.
	Encode(e *Encoder)
	Decode(d *Decoder)
}
