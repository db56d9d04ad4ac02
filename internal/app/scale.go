package app

import (
	"context"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/detector/shard"
	"imwatch/internal/bus"
	"imwatch/internal/scale"
	"imwatch/shipper/index"
)

// What one instance is taken to handle a second until it has been seen at its limit: half of what was measured
// (bench/capacity/measured.json), for nobody knows on what it runs.
const (
	indexerEach  = 10_000
	detectorEach = 20_000
	shardEach    = 20_000 // messages of several events: rather too many, what waits tells then
	alerterEach  = 100
)

func (s *site) watchIndexers() (*scale.Watch, error) {
	return scale.New(s.cfg.Scale, s.scaleDeps(scale.Deps{
		Group: s.cfg.Indexer.Group, Topic: bus.TopicLifecycle, Each: indexerEach, Metric: "im_index_wanted_instances",
		Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"sink": index.SinkElasticsearch}, s.reg),
	}))
}

// watchDetectors watches both that each detector does: bring events to the shards, and evaluate them. As many are wanted as
// the one or the other asks for.
func (s *site) watchDetectors() ([]*scale.Watch, error) {
	n := s.cfg.Detector.Shards
	part := func(name string) prometheus.Registerer {
		return prometheus.WrapRegistererWith(prometheus.Labels{"part": name}, s.reg)
	}
	deps := s.scaleDeps(scale.Deps{
		Group: shard.RouterGroup(n), Topic: bus.TopicLifecycle, Each: detectorEach, Most: n, Metric: "im_detector_wanted_instances", Registerer: part("router"),
	})
	if n == 0 {
		deps.Group = ""
		w, err := scale.Fixed(s.cfg.Scale, deps, 1, "detector.shards is 0: one detector has all partitions, and others would tell the same alerts")
		return []*scale.Watch{w}, err
	}
	routers, err := scale.New(s.cfg.Scale, deps)
	if err != nil {
		return nil, err
	}
	deps.Group, deps.Topic, deps.Each, deps.Registerer = shard.Group(n), shard.Topic(n), shardEach, part("evaluator")
	evaluators, err := scale.New(s.cfg.Scale, deps)
	return []*scale.Watch{routers, evaluators}, err
}

func (s *site) watchAlerters() (*scale.Watch, error) {
	return scale.New(s.cfg.Scale, s.scaleDeps(scale.Deps{
		Group: s.cfg.Alerting.Group, Topic: bus.TopicAlerts, Each: alerterEach, Metric: "im_alerting_wanted_instances", Registerer: s.reg,
	}))
}

func (s *site) scaleDeps(d scale.Deps) scale.Deps {
	d.Bus, d.Log, d.Now = s.bus, s.component("scale"), s.now
	return d
}

// advised has watches run beside a stage, and shows what they say.
func (s *site) advised(a actor, watches ...*scale.Watch) actor {
	if len(s.advice) == 0 {
		s.pages = append(s.pages, page{"GET /-/scale", http.HandlerFunc(s.scalePage)})
	}
	s.advice = append(s.advice, watches...)
	return actor{a.name, func(ctx context.Context) error {
		watching, end := context.WithCancel(ctx)
		var done sync.WaitGroup
		defer done.Wait()
		defer end()
		for _, w := range watches {
			done.Go(func() { _ = w.Run(watching) }) // it returns no error
		}
		return a.run(ctx)
	}}
}

// scaleReport is what /-/scale shows: the most that a group of this process wants, and each group.
type scaleReport struct {
	Wanted int            `json:"wanted"`
	Why    string         `json:"why"`
	Group  string         `json:"group"` // that wants so many
	Groups []scale.Report `json:"groups"`
}

func (s *site) scalePage(w http.ResponseWriter, _ *http.Request) {
	var out scaleReport
	for _, watch := range s.advice {
		r := watch.Advice()
		if r.Wanted > out.Wanted {
			out.Wanted, out.Why, out.Group = r.Wanted, r.Why, r.Group
		}
		out.Groups = append(out.Groups, r)
	}
	writeJSON(w, out)
}
