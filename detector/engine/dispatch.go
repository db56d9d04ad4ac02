package engine

import (
	"imwatch/event"
	"imwatch/event/filter"
)

// dispatch finds the rules that an event can be of use to by its action: most rules name the actions they are about,
// and trying twenty conditions on every event would cost more than everything else together.
type dispatch struct {
	always []*runner // rules that name none
	by     map[string][]*runner
	all    []*runner
}

func newDispatch(runners []*runner) dispatch {
	d := dispatch{by: map[string][]*runner{}, all: runners}
	for _, r := range runners {
		actions, named := actionsOf(r.kind.Selects)
		if !named {
			d.always = append(d.always, r)
			continue
		}
		for a := range actions {
			d.by[a] = append(d.by[a], r)
		}
	}
	return d
}

// of gives the rules that can have a use for an event.
func (d *dispatch) of(ev *event.Event) [2][]*runner {
	action, _ := ev.Get(event.FieldEventAction)
	if action.List != nil {
		return [2][]*runner{d.all}
	}
	return [2][]*runner{d.by[action.Text], d.always}
}

// actionsOf gives actions of which an event must have one for x to be true; named is false where x does not say.
func actionsOf(x filter.Expr) (actions map[string]bool, named bool) {
	switch x := x.(type) {
	case filter.Equal:
		if x.Field.ID == event.FieldEventAction {
			return map[string]bool{x.Value.Text: true}, true
		}
	case filter.And:
		for _, part := range x {
			if a, ok := actionsOf(part); ok && (!named || len(a) < len(actions)) {
				actions, named = a, true
			}
		}
		return actions, named
	case filter.Or:
		for _, part := range x {
			a, ok := actionsOf(part)
			if !ok {
				return nil, false
			}
			actions = union(actions, a)
		}
		return actions, len(x) > 0
	case filter.None:
		return nil, true
	}
	return nil, false
}

func union(a, b map[string]bool) map[string]bool {
	u := map[string]bool{}
	for _, m := range []map[string]bool{a, b} {
		for k := range m {
			u[k] = true
		}
	}
	return u
}
