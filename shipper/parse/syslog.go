package parse

import (
	"slices"

	"imwatch/event"
	"imwatch/shipper/parse/mapping"
	"imwatch/shipper/parse/rfc5424"
)

const formatSyslog = "syslog"

// syslogFields are those of JSON logs, for the text may be JSON; what the header says counts where they have nothing.
func syslogFields() []mapping.Field {
	return slices.Concat(imJSON(), []mapping.Field{
		take("timestamp", "syslog.time"),
		take("log.level", "syslog.severity"),
		take("service.name", "syslog.app"),
		take("service.node.name", "syslog.host"),
		take("labels.syslog_facility", "syslog.facility"),
		take("labels.syslog_id", "syslog.id"),
		take("labels.process", "syslog.process"),
	})
}

// syslogLines reads lines as syslog messages.
type syslogLines struct {
	inner Parser
	buf   []byte
}

// Parse reads what the message says as JSON.
func (p *syslogLines) Parse(dst []byte, e *event.Event, line string, at Origin) ([]byte, error) {
	p.buf = rfc5424.Parse(line).AppendJSON(p.buf[:0])
	return p.inner.Parse(dst, e, string(p.buf), at)
}
