package route

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/event"
)

// Group is what an alert is told with. The zero Group: by itself, at once.
type Group struct {
	ID       string        // the same for all alerts of the group, on every alerter
	Name     string        // for people: rule=node-down, labels.team=im
	Match    []string      // conditions that all of its alerts satisfy; none: it is of one alert
	Wait     time.Duration // how long the first waits for others
	Interval time.Duration // after a message, the next one comes no earlier
}

// The names that make each alert a group of its own.
const (
	groupEach = "..."
	groupAll  = "all"
)

// grouping gives alerts their groups. The zero grouping: none.
type grouping struct {
	names  []string
	of     []func(*event.Alert) string
	each   bool
	prefix []byte // the route whose group_by it is: those below it share its groups
	wait   time.Duration
	every  time.Duration
}

// newGrouping reads group_by; an error names the one that is wrong by its place.
func newGrouping(by []string) (grouping, error) {
	g := grouping{}
	for i, name := range by {
		if name == groupEach || name == groupAll {
			if len(by) > 1 {
				return g, fmt.Errorf("[%d]: found %q among others, expected it alone: it makes each alert a group of its own", i, name)
			}
			return grouping{each: true}, nil
		}
		of, err := accessor(name)
		switch {
		case err != nil:
			return g, fmt.Errorf("[%d]: found %q, expected rule, severity, status, labels.NAME or key.FIELD%s", i, name, nearest(name))
		case name == "state":
			return g, fmt.Errorf("[%d]: found \"state\", expected something that an alert keeps: its beginning and its end are told in one group", i)
		case slices.Contains(g.names, name):
			return g, fmt.Errorf("[%d]: found %q twice", i, name)
		}
		g.names, g.of = append(g.names, name), append(g.of, of)
	}
	return g, nil
}

func nearest(name string) string {
	if near := event.Nearest(name, []string{"rule", "severity", "status", "labels.", "key.", groupAll}); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// group gives the group of an alert.
func (g *grouping) group(a *event.Alert) Group {
	if len(g.of) == 0 && !g.each {
		return Group{}
	}
	out := Group{Wait: g.wait, Interval: g.every}
	buf := append(make([]byte, 0, 256), g.prefix...)
	if g.each {
		out.Name = a.RuleID
		out.ID = hashed(appendPart(buf, a.ID))
		return out
	}
	var name strings.Builder
	for i, of := range g.of {
		value := of(a)
		buf = appendPart(buf, value)
		if i > 0 {
			name.WriteString(", ")
		}
		name.WriteString(g.names[i])
		name.WriteByte('=')
		name.WriteString(value)
		out.Match = append(out.Match, g.names[i]+" = "+strconv.Quote(value))
	}
	out.ID, out.Name = hashed(buf), name.String()
	return out
}

// For gives the group as one receiver has it: what is told to different receivers is never told together.
func (g Group) For(receiver string) Group {
	if g.ID != "" {
		g.ID = hashed(appendPart(appendPart(nil, receiver), g.ID))
	}
	return g
}

// appendPart puts a text behind its length, so that no two lists of texts look alike.
func appendPart(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func hashed(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}
