package sigma

import (
	"maps"
	"slices"
	"strings"

	"imwatch/event"

	"go.yaml.in/yaml/v3"
)

// modifiers are what stands after the field: field|contains|all.
type modifiers struct {
	contains, starts, ends, all, cidr, exists, cased, not bool
	op                                                    string // > >= < <=, "" for none
}

// match says whether the value is looked for inside.
func (m modifiers) match() bool { return m.contains || m.starts || m.ends }

func known() map[string]func(*modifiers) {
	return map[string]func(*modifiers){
		"contains":   func(m *modifiers) { m.contains = true },
		"startswith": func(m *modifiers) { m.starts = true },
		"endswith":   func(m *modifiers) { m.ends = true },
		"all":        func(m *modifiers) { m.all = true },
		"cidr":       func(m *modifiers) { m.cidr = true },
		"exists":     func(m *modifiers) { m.exists = true },
		"cased":      func(m *modifiers) { m.cased = true },
		"neq":        func(m *modifiers) { m.not = true },
		"gt":         func(m *modifiers) { m.op = ">" },
		"gte":        func(m *modifiers) { m.op = ">=" },
		"lt":         func(m *modifiers) { m.op = "<" },
		"lte":        func(m *modifiers) { m.op = "<=" },
	}
}

// refused says why a modifier of Sigma's cannot be expressed, "" for one that is none of Sigma's.
func refused(name string) string {
	switch name {
	case "re", "i", "m", "s":
		return "KQL has no regular expressions: a * in a value stands for any run of characters, so write contains, startswith or endswith where they say the same"
	case "windash", "base64", "base64offset", "utf16le", "utf16be", "utf16", "wide":
		return "it rewrites command lines and payloads, which events do not carry"
	case "fieldref":
		return "a condition compares a field with a value, not with another field"
	case "expand":
		return "placeholders have no value here: write the values in the rule"
	case "minute", "hour", "day", "week", "month", "year":
		return "a condition cannot look at parts of a time: hours and days are what when and its calendar are for"
	}
	return ""
}

// modifiersOf reads what stands after the field's name.
func (c *converter) modifiersOf(d *doc, n *yaml.Node, names []string) (m modifiers, ok bool) {
	ok = true
	for _, name := range names {
		set := known()[name]
		if set == nil {
			ok = false
			if why := refused(name); why != "" {
				c.fail(d, n, "modifier %q cannot be expressed: %s; allowed are %s", name, why, modifierNames())
				continue
			}
			hint := ""
			if near := event.Nearest(name, slices.Collect(maps.Keys(known()))); near != "" {
				hint = "; the nearest is \"" + near + "\""
			}
			c.fail(d, n, "unknown modifier %q%s; allowed are %s", name, hint, modifierNames())
			continue
		}
		set(&m)
	}
	if count(m.contains, m.starts, m.ends, m.cidr, m.exists, m.op != "") > 1 {
		c.fail(d, n, "found %s together, expected one of contains, startswith, endswith, cidr, exists, gt, gte, lt, lte", strings.Join(names, " and "))
		ok = false
	}
	return m, ok
}

func modifierNames() string { return strings.Join(slices.Sorted(maps.Keys(known())), ", ") }

func count(are ...bool) (n int) {
	for _, is := range are {
		if is {
			n++
		}
	}
	return n
}
