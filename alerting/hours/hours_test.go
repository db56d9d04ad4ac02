package hours

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRead reads every hour there is, and says what is wrong with any other.
func TestRead(t *testing.T) {
	t.Parallel()
	for m := range 24*60 + 1 {
		text := fmt.Sprintf("%02d:%02d", m/60, m%60)
		w, err := Read([]string{"Mon", "sat"}, "00:30", text)
		if err != nil || w.Until != time.Duration(m)*time.Minute || w.From != 30*time.Minute || w.Over() != (m <= 30) || w.On != [7]bool{1: true, 6: true} {
			t.Errorf("%s: %+v, %v", text, w, err)
		}
	}
	if w, err := Read(nil, "23:59", "00:00"); err != nil || w.On != [7]bool{true, true, true, true, true, true, true} {
		t.Errorf("%+v, %v", w, err)
	}
	for _, tt := range []struct{ day, from, until, want string }{
		{"monday", "09:00", "18:00", `days[0]: found "monday"`},
		{"mon", "24:00", "18:00", `from: found "24:00"`},
		{"mon", "9:00", "18:00", `from: found "9:00"`},
		{"mon", "", "18:00", `from: found ""`},
		{"mon", "09:00", "24:01", `until: found "24:01"`},
		{"mon", "09:00", "18:60", `until: found "18:60"`},
		{"mon", "+9:00", "18:00", `from: found "+9:00"`},
		{"mon", "09:00", "18-00", `until: found "18-00"`},
		{"mon", "09:00", "18:00:00", `until: found`},
	} {
		if _, err := Read([]string{tt.day}, tt.from, tt.until); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
