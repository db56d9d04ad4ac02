package event_test

import (
	"encoding/json"
	"math"
	"testing"

	"imwatch/event"
)

// Whatever way a point is read, the answer is that of the JSON library.
func FuzzPoint(f *testing.F) {
	for _, s := range []string{
		`{"lat":31.2,"lon":121.5}`, `{"lat":-0.5,"lon":0}`, `{"lat":01,"lon":2}`, `{"lat":1.,"lon":2}`, `{"lat":.5,"lon":2}`, `{"lat":1e1,"lon":2}`,
		`{"lat":+1,"lon":2}`, `{"lat":1,"lon":2`, `{"lat":1,"lon":2}}`, `{"lon":2,"lat":1}`, `{"lat":91,"lon":2}`, `{"lat":"1","lon":2}`, `{"lat":-,"lon":2}`, `{"lat":1,"lon":2,"lon":3}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || s[0] != '{' {
			return
		}
		lat, lon, ok := event.Value{Type: event.GeoPoint, Text: s}.Point()
		var p struct{ Lat, Lon *float64 }
		want := json.Unmarshal([]byte(s), &p) == nil && p.Lat != nil && p.Lon != nil && math.Abs(*p.Lat) <= 90 && math.Abs(*p.Lon) <= 180
		if ok != want || ok && (lat != *p.Lat || lon != *p.Lon) {
			t.Errorf("%s: %v %v %t, want %t", s, lat, lon, ok, want)
		}
	})
}
