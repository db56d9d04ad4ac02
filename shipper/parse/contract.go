package parse

import (
	"strings"

	"imwatch/event"
	"imwatch/shipper/parse/fault"
)

// Contract passes lines of the event contract on: checked, byte by byte as they were written, with what they lack
// added at the end.
type Contract struct {
	defaults Defaults
	stages   Stages
	had      []event.FieldID // what the stages add and the line lacks; kept for its memory
}

var _ Parser = (*Contract)(nil)

// Parse checks the line and adds log.file.path, log.offset and what is missing of the fields that the pipeline needs.
func (p *Contract) Parse(dst []byte, e *event.Event, line string, at Origin) ([]byte, error) {
	if err := event.DecodeString(line, e); err != nil {
		return dst, err // it is told apart by FaultOf, and has no more to say
	}
	switch {
	case e.Action() == "":
		return dst, fault.New("missing", "event.action: an event needs one")
	case e.IsWatermark():
		return dst, fault.New("reserved", "event.dataset: %s is the pipeline's own", event.DatasetPipeline)
	case len(e.ID()) > MaxID:
		return dst, fault.New("id", "event.id: %d bytes, at most %d are allowed", len(e.ID()), MaxID)
	}
	moved := settle(e, line)
	body := strings.TrimRight(line, " \t\r\n")
	x := extra{dst: append(dst, body[:len(body)-1]...)}
	if !e.Has(event.FieldLogFilePath) {
		x.text("log.file.path", at.File)
	}
	if !e.Has(event.FieldLogOffset) {
		x.long("log.offset", at.Offset)
	}
	if e.ID() == "" {
		moved = moved || e.Has(event.FieldEventID) // an empty one stands in the line
		e.SetText(event.FieldEventID, MakeID(line, at, e.Time()))
		x.text("event.id", e.ID())
	}
	p.missing(&x, e)
	rewrite, kept := p.refine(&x, e)
	switch {
	case !kept:
		return dst, ErrSampled
	case rewrite || moved:
		return bounded(p.rewritten(dst, e, at), dst)
	}
	return bounded(append(x.dst, '}'), dst)
}

// missing adds the defaults of fields that the line lacks.
func (p *Contract) missing(x *extra, e *event.Event) {
	for _, d := range [...]struct {
		id          event.FieldID
		name, value string
	}{
		{event.FieldServiceNode, "service.node.name", p.defaults.Node},
		{event.FieldServiceName, "service.name", p.defaults.Service},
		{event.FieldServiceEnvironment, "service.environment", p.defaults.Environment},
		{event.FieldLogLevel, "log.level", event.LevelInfo},
		{event.FieldEventDataset, "event.dataset", datasetOf(e.Action())},
		{event.FieldEventKind, "event.kind", "event"},
		{event.FieldECSVersion, "ecs.version", event.ECSVersion},
	} {
		if !e.Has(d.id) && d.value != "" {
			e.SetText(d.id, d.value)
			x.text(d.name, d.value)
		}
	}
}

// datasetOf gives the dataset that an action is of.
func datasetOf(action string) string {
	switch {
	case action == event.ActionHTTPRequest.Code:
		return event.DatasetHTTP
	case strings.HasPrefix(action, "message_"), action == event.ActionTopicGap.Code:
		return event.DatasetMessage
	}
	return event.DatasetConnection
}

// refine does what is configured for every event. What that adds goes to the end of the line; what it changes needs the
// line to be written anew.
func (p *Contract) refine(x *extra, e *event.Event) (rewrite, kept bool) {
	s := &p.stages
	for _, enricher := range s.Enrich {
		p.had = p.had[:0]
		for _, id := range enricher.Adds() {
			if !e.Has(id) {
				p.had = append(p.had, id)
			}
		}
		enricher.Enrich(e)
		for _, id := range p.had {
			x.field(e, id)
		}
	}
	if s.Sample != nil {
		had := e.Has(event.FieldSampleWeight)
		before := e.Weight()
		if !s.Sample.Keep(e) {
			return false, false
		}
		if !had {
			x.field(e, event.FieldSampleWeight)
		}
		rewrite = had && before != e.Weight()
	}
	return s.redact(e) || rewrite, true
}

// rewritten appends the event as it is now.
func (p *Contract) rewritten(dst []byte, e *event.Event, at Origin) []byte {
	if !e.Has(event.FieldLogFilePath) {
		e.SetText(event.FieldLogFilePath, at.File)
	}
	if !e.Has(event.FieldLogOffset) {
		e.SetInt(event.FieldLogOffset, at.Offset)
	}
	return e.AppendJSON(dst)
}
