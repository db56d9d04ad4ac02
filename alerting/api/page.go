package api

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/silence"
	"imwatch/event"
)

// linkTemplate is the page behind a link. Nothing is done before a click on it: programs open links as well, to show what
// is behind them.
var linkTemplate = template.Must(template.New("link").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">
<title>imwatch</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem}</style></head>
<body><h1>{{.Title}}</h1>{{range .Alerts}}<p><strong>{{.RuleName}}</strong> ({{.Severity}}, {{.State}})<br>{{.KeyString}}</p>{{end}}{{if .More}}<p>…+{{.More}}</p>{{end}}
<p>{{.Text}}</p>{{if .Button}}<form method="post"><button>{{.Button}}</button></form>{{end}}</body></html>
`)) //nolint:gochecknoglobals // a template

type linkView struct {
	Title, Text, Button string
	Alerts              []*event.Alert
	More                int // that are not shown
}

// maxShown is how many alerts of a group a page shows.
const maxShown = 50

// about has the page show what the link stands for.
func (v linkView) about(on subject) linkView {
	shown := min(len(on.alerts), maxShown)
	v.Alerts, v.More = on.alerts[:shown], len(on.alerts)-shown
	return v
}

// subject is what a link stands for: an alert, or the alerts of a group, that fire.
type subject struct {
	link
	alerts []*event.Alert // at least one
	match  []string       // the conditions by which they are silenced
}

func (a *API) show(w http.ResponseWriter, status int, v linkView) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(status)
	if err := linkTemplate.Execute(w, v); err != nil {
		a.log.WithError(err).Debug("a page could not be written")
	}
}

// opened finds what a request's link stands for, or answers why it cannot be used.
func (a *API) opened(w http.ResponseWriter, r *http.Request) (on subject, ok bool) {
	l, err := a.cfg.Links().open(r.PathValue("link"), a.now())
	if err != nil {
		a.show(w, http.StatusForbidden, linkView{Title: "This link cannot be used", Text: err.Error()})
		return on, false
	}
	if l.Group != "" {
		on, err = a.group(r.Context(), l.Group)
		if err == nil && len(on.alerts) == 0 {
			err = &refusal{http.StatusConflict, "none of the alerts fires any more"}
		}
	} else {
		r.SetPathValue("id", l.Alert)
		var alert *event.Alert
		if alert, err = a.firing(r); err == nil {
			on = subject{alerts: []*event.Alert{alert}, match: sameKey(alert)}
		}
	}
	if err != nil {
		text, status := "It cannot be read now what the link is about. Try again.", http.StatusServiceUnavailable
		if refused, is := err.(*refusal); is { //nolint:errorlint // find, firing and group give it as it is
			text, status = refused.text, refused.status
		} else {
			a.log.WithError(err).Error("a link could not be opened")
		}
		a.show(w, status, linkView{Title: "Nothing to do", Text: text})
		return on, false
	}
	on.link = l
	return on, true
}

func (a *API) linkPage(w http.ResponseWriter, r *http.Request) {
	on, ok := a.opened(w, r)
	if !ok {
		return
	}
	what := "Alerts of this rule for this key"
	if on.Group != "" {
		what = "All alerts with " + strings.Join(on.match, ", ")
	}
	var v linkView
	switch on.Action {
	case LinkExtend:
		v = linkView{Title: "Extend the silence", Text: on.alerts[0].Annotations["summary"] + ". It will end " + silenceFor.String() + " later.", Button: "Extend"}
	case LinkSilence:
		v = linkView{Title: "Silence", Text: what + " are not told for " + silenceFor.String() + ".", Button: "Silence"}
	default:
		v = linkView{Title: "Acknowledge", Text: "You look after it: it is not told again for " + desk.DefaultAck.String() + ", unless it gets worse.", Button: "Acknowledge"}
		if n := len(on.alerts); n > 1 {
			v.Text = fmt.Sprintf("You look after these %d: they are not told again for %s, unless they get worse.", n, desk.DefaultAck)
		}
	}
	a.show(w, http.StatusOK, v.about(on))
}

func (a *API) linkAct(w http.ResponseWriter, r *http.Request) {
	on, ok := a.opened(w, r)
	if !ok {
		return
	}
	text, err := a.act(r.Context(), on, desk.Who{Name: "link to " + on.Receiver, Role: Responder, From: peer(r)})
	if err != nil {
		a.log.WithError(err).Error("a link could not be followed")
		v := linkView{Title: "It did not work", Text: "Nothing was changed. Try again."}
		if text != "" {
			v.Text = text + " Try again for the others."
		}
		a.show(w, http.StatusServiceUnavailable, v.about(on))
		return
	}
	a.show(w, http.StatusOK, linkView{Title: "Done", Text: text}.about(on))
}

// act does what a link stands for and says what was done; with an error, what was done before it, "" for nothing.
func (a *API) act(ctx context.Context, on subject, who desk.Who) (text string, err error) {
	switch on.Action {
	case LinkAck:
		return a.acknowledgeAll(ctx, on, who)
	case LinkExtend:
		s, err := a.desk.EditSilence(ctx, who, on.Silence, func(s *silence.Silence) error {
			if s.EndsID() == on.Alert { // else its end was moved already, by this link or another way
				s.Until = s.Until.Add(silenceFor)
			}
			return nil
		})
		if err != nil {
			return "", err //nolint:wrapcheck // it is only logged
		}
		return "The silence ends at " + s.Clock(s.Until) + ".", nil
	default:
		s, err := a.desk.AddSilence(ctx, who, silence.Silence{Match: on.match, Reason: "by a link in a message", Until: a.now().Add(silenceFor).UTC()})
		if err != nil {
			return "", err //nolint:wrapcheck // the same
		}
		return "Silenced until " + s.Until.Format(time.RFC3339) + ".", nil
	}
}

// acknowledgeAll acknowledges what a link stands for. Of a group, what somebody looks after already stays theirs, so a
// second click goes on where the first one failed.
func (a *API) acknowledgeAll(ctx context.Context, on subject, who desk.Who) (text string, err error) {
	done := 0
	for _, alert := range on.alerts {
		if _, acked := a.desk.Acked(alert); acked && on.Group != "" {
			continue
		}
		var k *desk.Ack
		if k, err = a.desk.Acknowledge(ctx, who, alert, desk.DefaultAck, ""); err != nil {
			break
		}
		done++
		text = "Acknowledged until " + k.Until.Format(time.RFC3339) + "."
		if on.Group != "" {
			text = fmt.Sprintf("%d acknowledged until %s.", done, k.Until.Format(time.RFC3339))
		}
	}
	if done == 0 && err == nil {
		text = "Somebody looks after all of them already."
	}
	return text, err //nolint:wrapcheck // it is only logged
}
