package imserver

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/im-server/source"
)

// documents counts the looks at what is kept beside the configuration: keys, key sets, lists, secrets, certificates.
type documents struct{ looks *prometheus.CounterVec }

func newDocuments() *documents {
	return &documents{counters("documents_total", "Looks at keys, key sets, lists, secrets and certificates, by document and result: changed, unchanged, failed.", "document", "result")}
}

func (d *documents) collectors(s *Server) []prometheus.Collector {
	return []prometheus.Collector{
		d.looks,
		gauge("key_set_age_seconds", "How long ago the key set was confirmed that waits the longest for it; NaN without any.", nil, func() float64 {
			if a, ok := s.auth.(interface{ KeyAge() (time.Duration, bool) }); ok {
				if age, known := a.KeyAge(); known {
					return age.Seconds()
				}
			}
			return math.NaN()
		}),
	}
}

// looked takes note of a look at a document.
func (s *Server) looked(out source.Outcome) {
	s.documents.looks.WithLabelValues(out.Ref, out.Result()).Inc()
	s.report("reading "+out.Ref, out.Err)
	if out.Changed {
		s.deps.Log.WithField("document", out.Ref).Info("a document was read")
	}
}

// runner is what keeps its documents up to date until ctx ends.
type runner interface{ Run(ctx context.Context) }

// keepDocuments keeps the documents of the parts up to date.
func (s *Server) keepDocuments() {
	for _, part := range []any{s.auth, s.factor, s.addresses} {
		if r, ok := part.(runner); ok {
			s.background(r.Run)
		}
	}
}
