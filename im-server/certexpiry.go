package imserver

import (
	"time"

	"imwatch/event"
)

const (
	certSoon  = 14 * 24 * time.Hour // before its end a certificate is warned of
	certNow   = 24 * time.Hour      // before its end it is an error
	certDaily = 24 * time.Hour      // between two lines
)

// certReminder is when the end of the certificate was told last, and of which. Owned by who keeps house.
type certReminder struct {
	at, end time.Time
	level   string
}

// certLevel gives the level of the line about a certificate that ends then; "" if nothing is to be said.
func certLevel(end, now time.Time) string {
	left := end.Sub(now)
	switch {
	case end.IsZero() || left > certSoon:
		return ""
	case left > certNow:
		return event.LevelWarn
	}
	return event.LevelError
}

// due says whether the end of a certificate is to be told now, and at which level: once a day while it is near, and at
// once when it got worse or another certificate is near its end.
func (r *certReminder) due(end, now time.Time) (level string, ok bool) {
	level = certLevel(end, now)
	if level == "" || level == r.level && end.Equal(r.end) && now.Sub(r.at) < certDaily {
		return level, false
	}
	*r = certReminder{now, end, level}
	return level, true
}

// remindOfCertificate writes a certificate_expiry line if one is due.
func (s *Server) remindOfCertificate(r *certReminder) {
	now, end := s.now(), s.certificateEnd()
	level, ok := r.due(end, now)
	if !ok {
		return
	}
	ev := s.nodeEvent(event.ActionCertificateExpiry)
	ev.SetText(event.FieldLogLevel, level)
	ev.SetTime(event.FieldTLSNotAfter, end)
	text := "the certificate ends in " + end.Sub(now).Truncate(time.Minute).String()
	if !end.After(now) {
		text = "the certificate has ended"
		ev.SetText(event.FieldEventOutcome, event.OutcomeFailure)
	}
	ev.SetText(event.FieldMessage, text)
	s.emit(ev)
	s.deps.Log.WithField("end", end).Warn(text)
}
