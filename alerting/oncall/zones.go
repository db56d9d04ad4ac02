package oncall

import (
	"fmt"
	"strings"
	"time"
)

// zoneOf finds the zone that a TZID names: an IANA name, one with a path before it, or what Outlook calls it.
func zoneOf(id string) (*time.Location, error) {
	id = strings.TrimSpace(id)
	names := []string{id}
	for rest := id; ; { // /citadel.org/20210210_1/Europe/Berlin
		_, behind, ok := strings.Cut(rest, "/")
		if !ok {
			break
		}
		names, rest = append(names, behind), behind
	}
	if iana, ok := outlook[strings.ToLower(id)]; ok {
		names = append(names, iana)
	}
	for _, name := range names {
		if name == "" || strings.EqualFold(name, "Local") {
			continue
		}
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, fmt.Errorf("found TZID %q, expected an IANA name such as Asia/Shanghai", clip(id))
}

// outlook names the zones that Windows calls otherwise, by Unicode's table (CLDR windowsZones): those where on-call
// calendars come from.
var outlook = map[string]string{ //nolint:gochecknoglobals // a table
	"china standard time": "Asia/Shanghai", "taipei standard time": "Asia/Taipei", "singapore standard time": "Asia/Singapore",
	"tokyo standard time": "Asia/Tokyo", "korea standard time": "Asia/Seoul", "india standard time": "Asia/Kolkata",
	"se asia standard time": "Asia/Bangkok", "arabian standard time": "Asia/Dubai", "aus eastern standard time": "Australia/Sydney",
	"gmt standard time": "Europe/London", "w. europe standard time": "Europe/Berlin", "romance standard time": "Europe/Paris",
	"central europe standard time": "Europe/Budapest", "central european standard time": "Europe/Warsaw", "russian standard time": "Europe/Moscow",
	"e. south america standard time": "America/Sao_Paulo", "eastern standard time": "America/New_York", "central standard time": "America/Chicago",
	"mountain standard time": "America/Denver", "pacific standard time": "America/Los_Angeles", "utc": "UTC",
}
