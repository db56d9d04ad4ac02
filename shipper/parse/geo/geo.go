package geo

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"imwatch/event"
)

// Results of a lookup, for Options.Count.
const (
	Found   = "found"
	Missing = "missing" // in no database
	Failed  = "failed"  // a database is damaged
)

// Places adds to events where their client is. Not safe for concurrent use.
type Places struct {
	cfg     Config
	count   func(result string)
	files   []*file
	known   map[string]place
	checked time.Time
}

// place is what the databases know of an address.
type place struct {
	result string
	values [4]event.Value // in the order of Adds; of no text: not known
}

// remembered bounds the addresses whose place is remembered.
const remembered = 16384

// Open opens all databases. An error names the file. count is told the result of each lookup; nil: nobody is. Close it.
func Open(cfg Config, count func(result string), now time.Time) (*Places, error) {
	p := &Places{cfg: cfg, count: count, known: map[string]place{}, checked: now}
	if p.count == nil {
		p.count = func(string) {}
	}
	var errs []error
	for _, path := range cfg.Files {
		f, err := open(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.files = append(p.files, f)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close closes the databases.
func (p *Places) Close() error {
	var errs []error
	for _, f := range p.files {
		errs = append(errs, f.close())
	}
	p.files = nil
	return errors.Join(errs...)
}

// Refresh opens those databases anew that were replaced, at most once in the configured interval. One that cannot be
// opened keeps its old content, and is tried again.
func (p *Places) Refresh(now time.Time) error {
	if now.Sub(p.checked) < p.cfg.CheckInterval {
		return nil
	}
	p.checked = now
	var errs []error
	for _, f := range p.files {
		changed, err := f.refresh()
		if changed {
			clear(p.known)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Adds names the fields that Enrich may add.
func (p *Places) Adds() []event.FieldID {
	return []event.FieldID{
		event.FieldClientGeoCountry, event.FieldClientGeoLocation, event.FieldClientASNumber, event.FieldClientASName,
	}
}

// Enrich adds what the databases know of client.ip and the event does not say itself.
func (p *Places) Enrich(e *event.Event) {
	ip := e.Text(event.FieldClientIP)
	if ip == "" {
		return
	}
	found, ok := p.known[ip]
	if !ok {
		found = p.lookup(ip)
	}
	p.count(found.result)
	for i, id := range [...]event.FieldID{event.FieldClientGeoCountry, event.FieldClientGeoLocation, event.FieldClientASNumber, event.FieldClientASName} {
		if v := found.values[i]; v.Text != "" && !e.Has(id) {
			e.Set(id, v)
		}
	}
}

// lookup asks the databases in turn, and remembers the answer unless one of them is damaged.
func (p *Places) lookup(ip string) place {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return place{result: Missing}
	}
	var all record
	failed := false
	for _, f := range p.files {
		r, err := f.lookup(addr.Unmap())
		failed = failed || err != nil
		all.merge(r)
	}
	found := all.place()
	if failed {
		found.result = Failed
		return found
	}
	if len(p.known) >= remembered {
		clear(p.known)
	}
	p.known[strings.Clone(ip)] = found // not the whole file that it stands in
	return found
}
