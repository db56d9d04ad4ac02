package mapping

import (
	"maps"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/event"
)

// unitGo is how Go's loggers write durations: zap as seconds with a fraction, those that print a time.Duration as
// nanoseconds.
const unitGo = "go"

// set gives the event a value in the form that the field needs. If it cannot, it says what was expected.
func (x *entry) set(e *event.Event, v string) (want string, ok bool) {
	f := x.field
	switch {
	case x.To == toRequest:
		setRequest(e, v)
		return "", true
	case f.ID == event.NoField:
		e.SetLabel(strings.TrimPrefix(x.To, event.LabelPrefix), v)
		return "", true
	case x.isDuration():
		return x.setDuration(e, v)
	}
	switch f.ID {
	case event.FieldEventAction:
		if known := actions(); known[v].Code == "" {
			return "an action of the contract" + nearest(v, slices.Sorted(maps.Keys(known))), false
		}
	case event.FieldLogLevel:
		if v, ok = Level(v); !ok {
			return "one of trace, debug, info, warn, error, fatal", false
		}
	case event.FieldCloseReason:
		if _, ok := event.CloseReasonByName(v); !ok {
			return "a close reason of the contract" + nearest(v, closeReasons()), false
		}
	case event.FieldEventOutcome:
		if v != event.OutcomeSuccess && v != event.OutcomeFailure && v != event.OutcomeUnknown {
			return "success, failure or unknown", false
		}
	case event.FieldURLPath:
		v = pathOf(v)
	case event.FieldHTTPVersion:
		v = strings.TrimPrefix(v, "HTTP/")
	case event.FieldClientIP:
		v = address(v)
	case event.FieldClientPort:
		v = portOf(v)
	case event.FieldTraceID:
		if v, ok = hexID(v, 32); !ok {
			return "up to 32 hex digits", false
		}
	case event.FieldSpanID, event.FieldParentID:
		if v, ok = hexID(v, 16); !ok {
			return "up to 16 hex digits", false
		}
	}
	if f.Type == event.Bool {
		v = boolean(v)
	}
	val, ok := event.Parse(f.Type, v)
	if ok && f.Type == event.GeoPoint {
		_, _, ok = val.Point()
	}
	if !ok {
		return expected(f.Type), false
	}
	e.Set(f.ID, val)
	return "", true
}

func expected(t event.Type) string {
	switch t {
	case event.Long:
		return "an integer"
	case event.Float:
		return "a number"
	case event.Bool:
		return "true or false"
	case event.Date:
		return "an RFC 3339 date"
	case event.IP:
		return "an IP address"
	case event.GeoPoint:
		return "latitude and longitude"
	}
	return "a text"
}

// isDuration says whether the field is a length of time: the duration, in nanoseconds, or one in milliseconds.
func (x *entry) isDuration() bool {
	return x.To == "event.duration" || strings.HasSuffix(x.To, "_ms") && (x.field.Type == event.Long || x.field.Type == event.Float)
}

func (x *entry) setDuration(e *event.Event, v string) (string, bool) {
	ns, ok := x.nanoseconds(v)
	if !ok {
		return "a length of time: a number, or one with its unit", false
	}
	switch {
	case x.To == "event.duration":
		e.SetInt(x.field.ID, int64(ns))
	case x.field.Type == event.Float:
		e.SetFloat(x.field.ID, ns/1e6)
	default:
		e.SetInt(x.field.ID, int64(ns/1e6))
	}
	return "", true
}

// nanoseconds reads "12.3ms", "2m10s", or a number in the entry's unit; without one seconds, for fields in milliseconds
// those.
func (x *entry) nanoseconds(v string) (float64, bool) {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		d, err := time.ParseDuration(strings.ReplaceAll(v, " ", ""))
		return float64(d), err == nil && d >= 0
	}
	unit := x.Unit
	switch {
	case unit == unitGo && strings.ContainsAny(v, ".eE"):
		unit = "s"
	case unit == unitGo:
		unit = "ns"
	case unit == "" && strings.HasSuffix(x.To, "_ms"):
		unit = "ms"
	case unit == "":
		unit = "s"
	}
	ns := math.Round(f * float64(lengthOf(unit)))
	return ns, ns >= 0 && ns < 1<<63
}

func lengthOf(unit string) time.Duration {
	switch unit {
	case "ns":
		return time.Nanosecond
	case "us":
		return time.Microsecond
	case "ms":
		return time.Millisecond
	case "m":
		return time.Minute
	case "h":
		return time.Hour
	}
	return time.Second
}

// boolean takes what loggers write for true and false.
func boolean(v string) string {
	switch fold(v) {
	case "true", "1", "yes", "y", "on", "t":
		return "true"
	case "false", "0", "no", "n", "off", "f":
		return "false"
	}
	return v
}

// Level gives the contract's name for a level as loggers write it: names in any case, their first letters, and the
// numbers of syslog (0 to 7) and of pino and bunyan (10 to 60).
func Level(v string) (string, bool) {
	switch fold(v) {
	case "trace", "t", "10", "verbose":
		return event.LevelTrace, true
	case "debug", "d", "7", "20", "dbg", "debu":
		return event.LevelDebug, true
	case "info", "i", "6", "5", "30", "information", "informational", "notice", "n", "inf":
		return event.LevelInfo, true
	case "warn", "w", "4", "40", "warning", "wrn":
		return event.LevelWarn, true
	case "error", "e", "3", "50", "err", "erro", "severe":
		return event.LevelError, true
	case "fatal", "f", "2", "1", "0", "60", "critical", "crit", "c", "alert", "emerg", "emergency", "panic", "dpanic", "p", "ftl", "pnc":
		return event.LevelFatal, true
	}
	return "", false
}

// address takes the peer of "a, b, c", without port, brackets and zone.
func address(v string) string {
	v, _, _ = strings.Cut(v, ",")
	v = strings.TrimSpace(v)
	if a, err := netip.ParseAddrPort(v); err == nil {
		return a.Addr().WithZone("").String()
	}
	v = strings.TrimSuffix(strings.TrimPrefix(v, "["), "]")
	v, _, _ = strings.Cut(v, "%")
	return v
}

// portOf takes the port of host:port.
func portOf(v string) string {
	if i := strings.LastIndexByte(v, ':'); i >= 0 {
		return v[i+1:]
	}
	return v
}

// hexID gives a trace or span id n digits, as W3C has it: a UUID without its dashes, a short one with zeros in front.
func hexID(v string, n int) (string, bool) {
	v = fold(strings.ReplaceAll(v, "-", ""))
	if v == "" || len(v) > n || strings.Trim(v, "0123456789abcdef") != "" || strings.Trim(v, "0") == "" {
		return "", false
	}
	return strings.Repeat("0", n-len(v)) + v, true
}

// setRequest takes the method, path and version of "GET /a?b HTTP/1.1". What is none (a TLS greeting sent to a plain
// port) has neither.
func setRequest(e *event.Event, v string) {
	method, rest, ok := strings.Cut(v, " ")
	if !ok {
		return
	}
	target, proto, ok := strings.Cut(rest, " ")
	if !ok || !strings.HasPrefix(proto, "HTTP/") {
		return
	}
	e.SetText(event.FieldHTTPMethod, method)
	e.SetText(event.FieldURLPath, pathOf(target))
	e.SetText(event.FieldHTTPVersion, strings.TrimPrefix(proto, "HTTP/"))
}

// pathOf is without the query, in which tokens may stand that belong in no event, and without host.
func pathOf(v string) string {
	if strings.IndexByte(v, '\\') >= 0 {
		if s, err := strconv.Unquote(`"` + v + `"`); err == nil {
			v = s
		}
	}
	v, _, _ = strings.Cut(v, "?")
	if strings.Contains(v, "://") {
		if u, err := url.Parse(v); err == nil && u.Host != "" {
			v = u.EscapedPath()
		}
	}
	return v
}
