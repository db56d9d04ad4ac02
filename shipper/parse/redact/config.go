package redact

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"imwatch/event"
	"imwatch/shipper/parse/mapping"
)

// What is done to what a rule finds.
const (
	Mask = "mask" // *** in its place; of an address the host's part becomes 0
	Hash = "hash" // a keyed hash in its place: the same value gives the same hash
	Drop = "drop" // nothing in its place
)

// Config says what is taken out.
type Config struct {
	Defaults    bool   `yaml:"defaults" doc:"take out what the contract allows in no event: tokens in query strings and headers; values of others' JSON and labels whose names are those of tokens, passwords, phone numbers and bodies of messages"`
	DeadLetters bool   `yaml:"dead_letters" doc:"do the same to the originals that dead letters keep, which then are not the bytes that were written"`
	Key         string `yaml:"key" secret:"true" doc:"key of hashes, at least 16 bytes"`
	Rules       []Rule `yaml:"rules" doc:"further rules"`
}

// Rule names what is taken out, and how.
type Rule struct {
	Fields mapping.Names `yaml:"fields" doc:"fields of the contract, labels.NAME or foreign.NAME, with * for anything in labels and foreign; empty: all texts that match looks at"`
	Match  string        `yaml:"match" doc:"expression (RE2) of what is taken out of the values; with groups only those; empty: the whole value"`
	Do     string        `yaml:"do" doc:"mask (***; of an address the host's part becomes 0), hash (HMAC-SHA256 with the key) or drop"`
}

// DefaultConfig takes out what the contract allows in no event.
func DefaultConfig() Config { return Config{Defaults: true} }

// minKey is the least length of a key, in bytes: a shorter one is guessed with all the values there are.
const minKey = 16

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	if c.Key != "" && len(c.Key) < minKey {
		errs = append(errs, fmt.Errorf("key: %d bytes, at least %d are needed", len(c.Key), minKey))
	}
	for i, r := range c.Rules {
		_, err := compile(r)
		if r.Do == Hash && c.Key == "" {
			err = errors.Join(err, errors.New("do: hash needs redact.key"))
		}
		if err == nil {
			continue
		}
		for fault := range strings.SplitSeq(err.Error(), "\n") {
			errs = append(errs, fmt.Errorf("rules[%d].%s", i, fault))
		}
	}
	return errors.Join(errs...)
}

// rule is a Rule, compiled.
type rule struct {
	do     string
	match  *regexp.Regexp  // nil: the whole value
	fields []event.FieldID // of the contract
	others []*regexp.Regexp
	all    bool           // every text
	member *regexp.Regexp // the fields as members of JSON, for originals; nil: none
}

func compile(r Rule) (rule, error) {
	c := rule{do: r.Do, all: len(r.Fields) == 0}
	var errs []error
	if r.Do != Mask && r.Do != Hash && r.Do != Drop {
		errs = append(errs, fmt.Errorf("do: found %q, allowed are %s, %s and %s", r.Do, Mask, Hash, Drop))
	}
	if r.Match != "" {
		var err error
		if c.match, err = regexp.Compile(r.Match); err != nil {
			errs = append(errs, fmt.Errorf("match: %w", err))
		} else if c.match.MatchString("") {
			errs = append(errs, fmt.Errorf("match: %q fits the empty text", r.Match))
		}
	} else if c.all {
		errs = append(errs, errors.New("fields: fields or match are needed"))
	}
	var names []string
	for _, name := range r.Fields {
		if err := c.field(name, r); err != nil {
			errs = append(errs, fmt.Errorf("fields: %w", err))
		}
		names = append(names, anything(name[strings.LastIndexByte(name, '.')+1:]))
	}
	if len(names) > 0 {
		c.member = member(strings.Join(names, "|"))
	}
	return c, errors.Join(errs...)
}

func (c *rule) field(name string, r Rule) error {
	if strings.HasPrefix(name, event.LabelPrefix) || strings.HasPrefix(name, mapping.Foreign+".") {
		c.others = append(c.others, regexp.MustCompile("^"+anything(name)+"$"))
		return nil
	}
	f, ok := event.FieldByName(name)
	text := f.Type == event.Keyword || f.Type == event.Text
	switch {
	case !ok:
		if near := event.NearestField(name); near != "" {
			return fmt.Errorf("%q is no field of the contract; did you mean %q?", name, near)
		}
		return fmt.Errorf("%q is no field of the contract, nor labels.NAME or foreign.NAME", name)
	case f.Group != event.Base && f.Group != event.Optional || f.Group == event.Base && f.ID != event.FieldMessage:
		return fmt.Errorf("the pipeline needs %s as it is", f.Name)
	case f.ID == event.FieldMessage && r.Do == Drop && r.Match == "":
		return errors.New("an event needs its message; mask it")
	case r.Match != "" && !text:
		return fmt.Errorf("%s is a %s, in which match finds nothing; take the whole value", f.Name, f.Type)
	case r.Do == Hash && !text:
		return fmt.Errorf("%s is a %s and cannot be a hash; allowed are %s and %s", f.Name, f.Type, Mask, Drop)
	case r.Do == Mask && !text && f.Type != event.IP:
		return fmt.Errorf("%s is a %s and cannot be masked; allowed is %s", f.Name, f.Type, Drop)
	}
	c.fields = append(c.fields, f.ID)
	return nil
}

// anything makes an expression of a name with * in it.
func anything(name string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, `[^"]*`)
}
