package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"imwatch/event"
)

// target looks up where the entry goes.
func (e *entry) target() error {
	switch e.To {
	case "@timestamp":
		e.To = toTimestamp
		return nil
	case toTimestamp, toRequest:
		return nil
	case "":
		return errors.New("to: a field is needed")
	}
	f, ok := event.FieldByName(e.To)
	switch {
	case !ok:
		if near := event.NearestField(e.To); near != "" {
			return fmt.Errorf("to: %q is no field of the contract; did you mean %q?", e.To, near)
		}
		return fmt.Errorf("to: %q is no field of the contract, nor %sNAME, %s or %s", e.To, event.LabelPrefix, toTimestamp, toRequest)
	case f.ID == event.FieldLogFilePath || f.ID == event.FieldLogOffset || f.Group == event.Pipeline || f.Group == event.AlertGroup:
		return fmt.Errorf("to: %s is the pipeline's own", f.Name)
	}
	e.field, e.To = f, f.Name
	return nil
}

// check looks at what does not depend on others.
func (e *entry) check() error {
	var errs []error
	if len(e.From) == 0 && e.Value == "" {
		errs = append(errs, fmt.Errorf("%s: from or value is needed", e.To))
	}
	if !slices.Contains([]string{"", Refuse, Label, Skip}, e.Bad) {
		errs = append(errs, fmt.Errorf("bad: found %q, allowed are %s, %s and %s", e.Bad, Refuse, Label, Skip))
	}
	units := []string{"", "ns", "us", "ms", "s", "m", "h", unitGo}
	switch {
	case !slices.Contains(units, e.Unit):
		errs = append(errs, fmt.Errorf("unit: found %q, allowed are %s", e.Unit, strings.Join(units[1:], ", ")))
	case e.Unit == "" || e.isDuration():
	case e.To != toTimestamp:
		errs = append(errs, fmt.Errorf("unit: %s is no duration", e.To))
	case !slices.Contains([]string{"ns", "us", "ms", "s"}, e.Unit):
		errs = append(errs, fmt.Errorf("unit: found %q, allowed for instants are ns, us, ms and s", e.Unit))
	}
	return errors.Join(append(errs, e.checkConstant(e.Value), e.checkTable())...)
}

func (e *entry) checkTable() error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(e.Map)) {
		if err := e.checkConstant(e.Map[key]); err != nil {
			errs = append(errs, fmt.Errorf("map.%s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// checkConstant says whether a value that stands in the configuration fits the field.
func (e *entry) checkConstant(v string) error {
	if v == "" || e.To == toTimestamp || e.To == toRequest || e.To == "" {
		return nil
	}
	var scratch event.Event
	if expected, ok := e.set(&scratch, v); !ok {
		return fmt.Errorf("found %q, expected %s", v, expected)
	}
	return nil
}

func (e *entry) compileTable() error {
	if e.Map == nil {
		return nil
	}
	e.table = make(map[string]string, len(e.Map))
	for k, v := range e.Map {
		if _, twice := e.table[fold(k)]; twice {
			return fmt.Errorf("map: %q is given twice, case apart", k)
		}
		e.table[fold(k)] = v
	}
	return nil
}
