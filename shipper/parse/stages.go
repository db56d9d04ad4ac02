package parse

import (
	"errors"

	"imwatch/event"
)

// ErrIgnored says that a line is left out because the configuration says so.
var ErrIgnored = errors.New("the line is left out, as configured")

// ErrSampled says that a line is left out because others stand for it. The event was filled.
var ErrSampled = errors.New("the line is left out by sampling")

// Stages is what is done to every event, whatever it was read from, in this order. What is nil is not done. They are
// used by the goroutine that parses only.
type Stages struct {
	Enrich []Enricher // adds what follows from what is there
	Sample Sampler    // leaves out what others stand for
	Redact Redactor   // takes out what may stand in no event
}

// Enricher adds fields that follow from others. Fields that the event has it leaves.
type Enricher interface {
	Enrich(*event.Event)
	// Adds names the fields that it may add.
	Adds() []event.FieldID
}

// Sampler says whether an event is kept, and sets its weight if it stands for others too.
type Sampler interface{ Keep(*event.Event) bool }

// Redactor takes out of an event what may not be told, and says whether there was anything.
type Redactor interface{ Event(*event.Event) bool }

func (s *Stages) enrich(e *event.Event) {
	for _, x := range s.Enrich {
		x.Enrich(e)
	}
}

func (s *Stages) keep(e *event.Event) bool { return s.Sample == nil || s.Sample.Keep(e) }

func (s *Stages) redact(e *event.Event) bool { return s.Redact != nil && s.Redact.Event(e) }
