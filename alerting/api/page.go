package api

import (
	"context"
	"html/template"
	"net/http"
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
<body><h1>{{.Title}}</h1>{{if .Alert}}<p><strong>{{.Alert.RuleName}}</strong> ({{.Alert.Severity}}, {{.Alert.State}})<br>{{.Alert.KeyString}}</p>{{end}}
<p>{{.Text}}</p>{{if .Button}}<form method="post"><button>{{.Button}}</button></form>{{end}}</body></html>
`)) //nolint:gochecknoglobals // a template

type linkView struct {
	Title, Text, Button string
	Alert               *event.Alert
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
func (a *API) opened(w http.ResponseWriter, r *http.Request) (l link, alert *event.Alert, ok bool) {
	l, err := a.cfg.Links().open(r.PathValue("link"), a.now())
	if err != nil {
		a.show(w, http.StatusForbidden, linkView{Title: "This link cannot be used", Text: err.Error()})
		return l, nil, false
	}
	r.SetPathValue("id", l.Alert)
	alert, err = a.firing(r)
	if err != nil {
		text, status := "The alert cannot be read now. Try again.", http.StatusServiceUnavailable
		if refused, is := err.(*refusal); is { //nolint:errorlint // find and firing give it as it is
			text, status = refused.text, refused.status
		}
		a.show(w, status, linkView{Title: "Nothing to do", Text: text})
		return l, nil, false
	}
	return l, alert, true
}

func (a *API) linkPage(w http.ResponseWriter, r *http.Request) {
	l, alert, ok := a.opened(w, r)
	if !ok {
		return
	}
	v := linkView{Title: "Acknowledge", Text: "You look after it: it is not told again for " + desk.DefaultAck.String() + ", unless it gets worse.", Button: "Acknowledge", Alert: alert}
	switch l.Action {
	case LinkExtend:
		v.Title, v.Text, v.Button = "Extend the silence", alert.Annotations["summary"]+". It will end "+silenceFor.String()+" later.", "Extend"
	case LinkSilence:
		v.Title, v.Text, v.Button = "Silence", "Alerts of this rule for this key are not told for "+silenceFor.String()+".", "Silence"
	}
	a.show(w, http.StatusOK, v)
}

func (a *API) linkAct(w http.ResponseWriter, r *http.Request) {
	l, alert, ok := a.opened(w, r)
	if !ok {
		return
	}
	text, err := a.act(r.Context(), l, alert, desk.Who{Name: "link to " + l.Receiver, Role: Responder, From: peer(r)})
	if err != nil {
		a.log.WithError(err).Error("a link could not be followed")
		a.show(w, http.StatusServiceUnavailable, linkView{Title: "It did not work", Text: "Nothing was changed. Try again.", Alert: alert})
		return
	}
	a.show(w, http.StatusOK, linkView{Title: "Done", Text: text, Alert: alert})
}

func (a *API) act(ctx context.Context, l link, alert *event.Alert, who desk.Who) (text string, err error) {
	switch l.Action {
	case LinkAck:
		k, err := a.desk.Acknowledge(ctx, who, alert, desk.DefaultAck, "")
		if err != nil {
			return "", err //nolint:wrapcheck // it is only logged
		}
		return "Acknowledged until " + k.Until.Format(time.RFC3339) + ".", nil
	case LinkExtend:
		s, err := a.desk.EditSilence(ctx, who, l.Silence, func(s *silence.Silence) error {
			if s.EndsID() == l.Alert { // else its end was moved already, by this link or another way
				s.Until = s.Until.Add(silenceFor)
			}
			return nil
		})
		if err != nil {
			return "", err //nolint:wrapcheck // the same
		}
		return "The silence ends at " + s.Clock(s.Until) + ".", nil
	default:
		s, err := a.desk.AddSilence(ctx, who, silence.Silence{Match: sameKey(alert), Reason: "by a link in a message", Until: a.now().Add(silenceFor).UTC()})
		if err != nil {
			return "", err //nolint:wrapcheck // the same
		}
		return "Silenced until " + s.Until.Format(time.RFC3339) + ".", nil
	}
}
