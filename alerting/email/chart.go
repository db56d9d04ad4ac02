package email

import (
	"context"

	"imwatch/event"
)

// Picture shows the course of an alert's events: a PNG for the HTML part and a line of signs for the text.
type Picture struct {
	PNG  []byte
	Line string
	Alt  string // what the picture says, for those who do not see it
}

// Chart makes the picture of an alert; false: there is none to show. It returns soon after ctx ends.
type Chart func(ctx context.Context, a *event.Alert) (Picture, bool)
