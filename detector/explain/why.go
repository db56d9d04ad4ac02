package explain

import (
	"strings"

	"imwatch/detector/kql"
	"imwatch/event"
	"imwatch/event/filter"
)

// Failure is one part of a condition that an event does not satisfy.
type Failure struct {
	KQL   string `json:"kql"`             // as in "event.action: handshake_failure"
	Found string `json:"found,omitempty"` // what the event has there; "" where it lacks the field
}

// failures gives the parts of a condition for which an event does not satisfy it, none if it does. Of an or all parts
// are given, since any of them would have done.
func failures(x filter.Expr, e *event.Event) []Failure {
	if filter.Compile(x)(e) {
		return nil
	}
	switch x := x.(type) {
	case filter.And:
		return failuresOf(x, e)
	case filter.Or:
		return failuresOf(x, e)
	case filter.Not:
		return []Failure{{kql.Format(x), found(x.X, e)}}
	}
	return []Failure{{kql.Format(x), found(x, e)}}
}

func failuresOf(xs []filter.Expr, e *event.Event) (all []Failure) {
	for _, x := range xs {
		all = append(all, failures(x, e)...)
	}
	return all
}

// found prints what an event has in the fields that a condition looks at.
func found(x filter.Expr, e *event.Event) string {
	switch x := x.(type) {
	case filter.And:
		return foundIn(x, e)
	case filter.Or:
		return foundIn(x, e)
	case filter.Not:
		return found(x.X, e)
	}
	f, ok := filter.FieldOf(x)
	if !ok {
		return ""
	}
	v, has := f.Value(e)
	if !has {
		return ""
	}
	var texts []string
	v.Each(func(v event.Value) bool {
		texts = append(texts, v.Text)
		return len(texts) < 5
	})
	return strings.Join(texts, ", ")
}

func foundIn(xs []filter.Expr, e *event.Event) string {
	var texts []string
	for _, x := range xs {
		if f, ok := filter.FieldOf(x); ok {
			if text := found(x, e); text != "" {
				texts = append(texts, f.Name+" "+text)
			}
		}
	}
	return strings.Join(texts, ", ")
}
