package detector

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"imwatch/detector/rule"
)

// Of a counter that begins at 1 no rate shows that first failure.
func TestFailuresOfRulesAreCountedFromZero(t *testing.T) {
	t.Parallel()
	rules := []*rule.Rule{
		{ID: "streamed", Mode: rule.ModeStream, Status: rule.StatusEnabled},
		{ID: "asked", Mode: rule.ModeQuery, Status: rule.StatusEnabled},
		{ID: "twice", Mode: rule.ModeBoth, Status: rule.StatusShadow},
		{ID: "off", Mode: rule.ModeBoth, Status: rule.StatusDisabled},
	}
	inStream := map[string][]string{
		"im_detector_overflow_keys_total": {"streamed", "twice"},
		"im_detector_overflow_lost_total": {"streamed", "twice"},
	}
	both := map[string][]string{"im_detector_query_runs_total": {"asked", "twice"}, "im_detector_evaluator_differences_total": {"twice"}}
	maps.Copy(both, inStream)
	for _, c := range []struct {
		what    string
		queried bool
		want    map[string][]string
	}{{"with a store", true, both}, {"without one", false, inStream}} {
		reg := prometheus.NewRegistry()
		m, err := newMetrics(reg, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		m.begin(rules, c.queried)
		if diff := cmp.Diff(c.want, zeros(t, reg)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

// zeros gives the rules that counters are shown for, all of which are 0.
func zeros(t *testing.T, reg *prometheus.Registry) map[string][]string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() != "rule" {
					continue
				}
				got[f.GetName()] = append(got[f.GetName()], l.GetValue())
				if m.GetCounter().GetValue() != 0 {
					t.Errorf("%s of %s is not 0", f.GetName(), l.GetValue())
				}
			}
		}
	}
	return got
}
