package event

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Point gives a geo_point's latitude and longitude. Read are {"lat":…,"lon":…}, "lat,lon" and [lon, lat].
func (v Value) Point() (lat, lon float64, ok bool) {
	if v.Type != GeoPoint || v.Text == "" {
		return 0, 0, false
	}
	switch v.Text[0] {
	case '{':
		if lat, lon, ok = plainPoint(v.Text); ok {
			break
		}
		var p struct{ Lat, Lon *float64 }
		if json.Unmarshal([]byte(v.Text), &p) != nil || p.Lat == nil || p.Lon == nil {
			return 0, 0, false
		}
		lat, lon = *p.Lat, *p.Lon
	case '[':
		var p []float64
		if json.Unmarshal([]byte(v.Text), &p) != nil || len(p) != 2 {
			return 0, 0, false
		}
		lat, lon = p[1], p[0]
	default:
		a, b, found := strings.Cut(strings.Trim(v.Text, `"`), ",")
		if !found {
			return 0, 0, false
		}
		var errA, errB error
		lat, errA = strconv.ParseFloat(strings.TrimSpace(a), 64)
		lon, errB = strconv.ParseFloat(strings.TrimSpace(b), 64)
		if errA != nil || errB != nil {
			return 0, 0, false
		}
	}
	return lat, lon, math.Abs(lat) <= 90 && math.Abs(lon) <= 180
}

// plainPoint reads a point as PointValue writes it, as nearly all are, without the cost of reading JSON.
func plainPoint(s string) (lat, lon float64, ok bool) {
	s, isLat := strings.CutPrefix(s, `{"lat":`)
	s, isWhole := strings.CutSuffix(s, "}")
	a, b, isLon := strings.Cut(s, `,"lon":`)
	if !isLat || !isWhole || !isLon || !plainNumber(a) || !plainNumber(b) {
		return 0, 0, false
	}
	lat, errA := strconv.ParseFloat(a, 64)
	lon, errB := strconv.ParseFloat(b, 64)
	return lat, lon, errA == nil && errB == nil
}

// plainNumber says whether s is a number in JSON without an exponent.
func plainNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, part, hasPart := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(whole) && (whole == "0" || whole[0] != '0') && (!hasPart || digits(part))
}

// PointValue makes a value of type GeoPoint.
func PointValue(lat, lon float64) Value {
	b := append([]byte(nil), `{"lat":`...)
	b = strconv.AppendFloat(b, lat, 'f', -1, 64)
	b = append(b, `,"lon":`...)
	b = strconv.AppendFloat(b, lon, 'f', -1, 64)
	return Value{Type: GeoPoint, Text: string(append(b, '}'))}
}
