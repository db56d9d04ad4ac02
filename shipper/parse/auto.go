package parse

import (
	"errors"
	"strings"

	"imwatch/event"
	"imwatch/shipper/parse/fault"
)

// auto tells by a line's first bytes which of the ready formats it is of.
type auto struct {
	contract, json    Parser
	gin, envoy, nginx Parser
}

func newAuto(o Options) (Parser, error) {
	if len(o.Patterns) > 0 {
		return nil, errors.New("pattern: format auto has its own")
	}
	p := &auto{contract: &Contract{defaults: o.Defaults, stages: o.Stages}}
	var errs []error
	for _, x := range []struct {
		format string
		to     *Parser
	}{{"gin", &p.gin}, {"nginx", &p.nginx}, {"envoy", &p.envoy}, {"auto-json", &p.json}} {
		for _, r := range append(readyFormats(), anyJSON()) {
			if r.name != x.format {
				continue
			}
			one := o
			if x.format != "auto-json" {
				one.Fields, one.Ignore = nil, nil // names of values are those of JSON
			}
			var err error
			if *x.to, err = newForeign(r.options(one), r.kind); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return p, errors.Join(errs...)
}

// Parse hands the line to the format that it looks like.
func (p *auto) Parse(dst []byte, e *event.Event, line string, at Origin) ([]byte, error) {
	text := strings.TrimLeft(line, " \t\x1b")
	switch {
	case text == "":
	case text[0] == '{':
		if strings.Contains(text, `"@timestamp"`) {
			rec, err := p.contract.Parse(dst, e, line, at)
			if err == nil || !strange(err) {
				return rec, err
			}
		}
		return p.json.Parse(dst, e, line, at)
	case strings.HasPrefix(text, "[GIN"):
		return p.gin.Parse(dst, e, line, at)
	case text[0] == '[':
		return p.envoy.Parse(dst, e, line, at)
	case text[0] >= '0' && text[0] <= '9' || strings.Contains(text[:min(40, len(text))], ":"):
		return p.nginx.Parse(dst, e, line, at)
	}
	return dst, fault.New("pattern", "the line is of none of the forms that auto knows: contract, JSON, gin, nginx, envoy")
}

// strange says whether a line that is no event of the contract may be one of others.
func strange(err error) bool {
	f, ok := FaultOf(err)
	return ok && (f.Reason == "type" || f.Reason == "missing" || f.Reason == "duplicate")
}
