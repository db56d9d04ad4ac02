package render

import (
	"fmt"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// Passed says why an alert is passed on to somebody.
type Passed struct {
	After      time.Duration // since it began to be told
	Regardless bool          // of whether somebody acknowledged it
	// AckedBy is who acknowledged it before, and AckEnded when that was over; zero: nobody, or that it got worse meanwhile.
	AckedBy  string
	AckEnded time.Time
	// OnCall names the schedule by which it comes to whom it comes, and Person who that is; "": by none.
	OnCall string
	Person string
}

// PassedOn renders what a receiver is told to whom an alert is passed on, with the reason.
func (r *Renderer) PassedOn(style Style, lang string, a *event.Alert, p Passed, more ...channel.Link) (channel.Message, error) {
	return r.message(style, lang, channel.Escalated, a, p.text(lang, r.zone), more)
}

// text puts the reason into words.
func (p Passed) text(lang string, zone *time.Location) string {
	ended := p.AckEnded.In(zone).Format("15:04:05")
	if lang == "zh" {
		return p.reasonZH(ended) + p.whom("；当前值班（%s）：%s")
	}
	return p.reason(ended) + p.whom("; on call (%s): %s")
}

func (p Passed) reason(ended string) string {
	switch {
	case p.Regardless:
		return "it has been firing for " + duration(p.After)
	case p.AckedBy == "":
		return "nobody acknowledged it for " + duration(p.After)
	case p.AckEnded.IsZero():
		return "it got worse than what " + p.AckedBy + " acknowledged"
	}
	return "the acknowledgement by " + p.AckedBy + " was over at " + ended + ", and it still fires"
}

func (p Passed) reasonZH(ended string) string {
	switch {
	case p.Regardless:
		return "告警已持续 " + duration(p.After)
	case p.AckedBy == "":
		return duration(p.After) + " 内无人确认"
	case p.AckEnded.IsZero():
		return "告警级别高于 " + p.AckedBy + " 确认时的级别"
	}
	return p.AckedBy + " 的确认已于 " + ended + " 到期，告警仍在持续"
}

func (p Passed) whom(format string) string {
	if p.Person == "" {
		return ""
	}
	return fmt.Sprintf(format, p.OnCall, p.Person)
}
