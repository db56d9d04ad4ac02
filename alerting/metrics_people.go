package alerting

import (
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/silence"

	"github.com/prometheus/client_golang/prometheus"
)

// login counts a request of the interface by how its caller was let in.
func (m *metrics) login(source, result string) { m.logins.WithLabelValues(source, result).Inc() }

func newLogins() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "im_alerting_logins_total",
		Help: "Requests of the interface for people by source of the caller's token (token: of the configuration, oidc, none) and result: ok, role (it may not do this), limited, missing, unknown, or why a provider's token does not count.",
	}, []string{"source", "result"})
}

// silences adds the gauge of silences that are on.
func (m *metrics) silences(d *desk.Desk, now func() time.Time) {
	for _, kind := range []string{"silence", silence.Maintenance} {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "im_alerting_silences", Help: "Silences and maintenance windows that are on.", ConstLabels: prometheus.Labels{"kind": kind},
		}, func() float64 {
			n, at := 0, now()
			for _, s := range d.Silences() {
				if list := s.Stretches(at, at); len(list) > 0 && (s.Kind == silence.Maintenance) == (kind == silence.Maintenance) {
					n++
				}
			}
			return float64(n)
		}))
	}
}

// provider adds the gauge of whether the OpenID Connect provider has been found.
func (m *metrics) provider(ready func() bool) {
	m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "im_alerting_oidc_ready", Help: "1 if the OpenID Connect provider has been found and its tokens count, 0 if not.",
	}, func() float64 {
		if ready() {
			return 1
		}
		return 0
	}))
}
