package oncall

import (
	"strings"
	"unicode"
)

// directory finds people by what calendars call them.
type directory map[string]string // lower case name or address → name

func newDirectory(people []Person) directory {
	d := directory{}
	for _, p := range people {
		d[strings.ToLower(p.Name)] = p.Name
	}
	for _, p := range people {
		for _, name := range p.Also {
			if _, taken := d[strings.ToLower(name)]; !taken {
				d[strings.ToLower(name)] = p.Name
			}
		}
	}
	return d
}

// find gives the person whom the first of some names means that means somebody: as it is, or as words within it ("On call:
// Ann"). A name within which different people are named means nobody.
func (d directory) find(names []string) string {
	for _, name := range names {
		if person, ok := d[strings.ToLower(strings.TrimSpace(name))]; ok {
			return person
		}
	}
	for _, name := range names {
		if person := d.within(strings.ToLower(name)); person != "" {
			return person
		}
	}
	return ""
}

// within finds who is named in a text. A longer name hides those within it.
func (d directory) within(text string) string {
	found, length := "", 0
	for name, person := range d {
		if !hasWords(text, name) {
			continue
		}
		switch {
		case len(name) > length:
			found, length = person, len(name)
		case len(name) == length && person != found:
			found = ""
		}
	}
	if found == "" {
		return ""
	}
	for name, person := range d { // another one beside the longest
		if person != found && hasWords(text, name) && !d.hides(text, found, name) {
			return ""
		}
	}
	return found
}

// hides says whether all places of a name in a text lie within longer names of a person.
func (d directory) hides(text, person, name string) bool {
	for full, p := range d {
		if p == person && len(full) > len(name) {
			text = strings.ReplaceAll(text, full, " ")
		}
	}
	return !hasWords(text, name)
}

// hasWords says whether a text has a name that no letter or digit touches. Names in scripts without spaces touch others.
func hasWords(text, name string) bool {
	for from := 0; name != ""; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		begin, end := from+i, from+i+len(name)
		if !joins(lastRune(text[:begin]), firstRune(name)) && !joins(firstRune(text[end:]), lastRune(name)) {
			return true
		}
		from = begin + len(string(firstRune(text[begin:])))
	}
	return false
}

// joins says whether a rune beside a name's edge makes it part of a longer word.
func joins(beside, edge rune) bool {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return word(beside) && word(edge) && !unicode.Is(unicode.Han, beside) && !unicode.Is(unicode.Han, edge)
}

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

func lastRune(s string) (last rune) {
	for _, r := range s[max(0, len(s)-4):] {
		last = r
	}
	return last
}
