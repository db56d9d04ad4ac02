package geo

import (
	"cmp"
	"math"

	"imwatch/event"
)

// record is the part of MaxMind's records that the contract has fields for.
type record struct {
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Registered struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"registered_country"`
	Location struct {
		Latitude  *float64 `maxminddb:"latitude"`
		Longitude *float64 `maxminddb:"longitude"`
	} `maxminddb:"location"`
	ASNumber uint   `maxminddb:"autonomous_system_number"`
	ASName   string `maxminddb:"autonomous_system_organization"`
}

// merge takes what r knows and the record does not.
func (a *record) merge(r record) {
	a.Country.Code = cmp.Or(a.Country.Code, r.Country.Code)
	a.Registered.Code = cmp.Or(a.Registered.Code, r.Registered.Code)
	if a.Location.Latitude == nil || a.Location.Longitude == nil {
		a.Location = r.Location
	}
	if a.ASNumber == 0 {
		a.ASNumber, a.ASName = r.ASNumber, r.ASName
	}
}

func (a *record) place() place {
	var p place
	if code := cmp.Or(a.Country.Code, a.Registered.Code); code != "" {
		p.values[0] = event.KeywordValue(code)
	}
	if lat, lon := a.Location.Latitude, a.Location.Longitude; lat != nil && lon != nil && math.Abs(*lat) <= 90 && math.Abs(*lon) <= 180 {
		p.values[1] = event.PointValue(*lat, *lon)
	}
	if a.ASNumber > 0 {
		p.values[2] = event.LongValue(int64(a.ASNumber)) //nolint:gosec // 32 bits
	}
	if a.ASName != "" {
		p.values[3] = event.KeywordValue(a.ASName)
	}
	p.result = Missing
	for _, v := range p.values {
		if v.Text != "" {
			p.result = Found
		}
	}
	return p
}
