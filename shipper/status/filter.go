package status

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/event"
)

// Filter says which files are asked for. The zero value of a field asks for any.
type Filter struct {
	Path   string // a pattern as in sources, of the path or of its last element
	Source string
	Input  string
	State  string
	MinLag time.Duration // of the oldest line that is not acknowledged
	Behind int64         // least bytes that are not acknowledged
	Errors bool          // only those with an error
	Limit  int           // of one page

	after string
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// filterKeys are the query parameters, in the order of the documentation.
var filterKeys = []string{"path", "source", "input", "state", "min_lag", "min_behind", "error", "limit", "after"}

// ParseFilter reads the query of a list. It names every fault, joined.
func ParseFilter(q url.Values) (Filter, error) {
	f := Filter{Path: q.Get("path"), Source: q.Get("source"), Input: q.Get("input"), State: q.Get("state"), Limit: defaultLimit}
	var errs []error
	fail := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	for key, values := range q {
		switch near := event.Nearest(key, filterKeys); {
		case slices.Contains(filterKeys, key) && len(values) > 1:
			fail(key, "it stands %d times", len(values))
		case slices.Contains(filterKeys, key):
		case near != "":
			fail(key, "no such filter; did you mean %s?", near)
		default:
			fail(key, "no such filter; there are %s", strings.Join(filterKeys, ", "))
		}
	}
	number := func(key string, least, most, absent int64) int64 {
		if !q.Has(key) {
			return absent
		}
		n, err := strconv.ParseInt(q.Get(key), 10, 64)
		if err != nil || n < least || n > most {
			fail(key, "found %q, expected a whole number from %d to %d", q.Get(key), least, most)
		}
		return n
	}
	if _, err := filepath.Match(f.Path, ""); err != nil {
		fail("path", "found %q, expected a pattern like /var/log/*.log", f.Path)
	}
	oneOf := func(key, found string, allowed ...string) {
		if found != "" && !slices.Contains(allowed, found) {
			fail(key, "found %q, expected one of %s", found, strings.Join(allowed, ", "))
		}
	}
	oneOf("state", f.State, States()...)
	oneOf("input", f.Input, "file", "stdin", "syslog", "http")
	oneOf("error", q.Get("error"), "true", "false")
	f.Errors = q.Get("error") == "true"
	if s := q.Get("min_lag"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			fail("min_lag", "found %q, expected a duration like 90s or 2h", s)
		}
		f.MinLag = d
	}
	f.Behind = number("min_behind", 0, 1<<62, 0)
	f.Limit = int(number("limit", 1, maxLimit, defaultLimit))
	if s := q.Get("after"); s != "" {
		var ok bool
		if f.after, ok = parseCursor(s); !ok {
			fail("after", "found %q, expected what next of the page before says", s)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return f, errors.Join(errs...)
}

// Match says whether a file is asked for.
func (f *Filter) Match(x *File) bool {
	switch {
	case f.Path != "" && !f.named(x),
		f.Source != "" && x.Source != f.Source,
		f.Input != "" && x.Input != f.Input,
		f.State != "" && x.State != f.State,
		x.LagSeconds < f.MinLag.Seconds(),
		x.LagBytes < f.Behind,
		f.Errors && x.Error == "":
		return false
	}
	return true
}

func (f *Filter) named(x *File) bool {
	for _, name := range []string{x.Path, x.Log, filepath.Base(x.Path)} {
		if ok, _ := filepath.Match(f.Path, name); ok { // the pattern was checked
			return true
		}
	}
	return false
}
