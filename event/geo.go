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

// PointValue makes a value of type GeoPoint.
func PointValue(lat, lon float64) Value {
	b := append([]byte(nil), `{"lat":`...)
	b = strconv.AppendFloat(b, lat, 'f', -1, 64)
	b = append(b, `,"lon":`...)
	b = strconv.AppendFloat(b, lon, 'f', -1, 64)
	return Value{Type: GeoPoint, Text: string(append(b, '}'))}
}
