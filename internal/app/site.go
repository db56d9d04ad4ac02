package app

import (
	"context"
	"fmt"
	"time"

	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
	"imwatch/internal/bus/kafkabus"
	"imwatch/internal/scale"
	"imwatch/internal/store"
	"imwatch/internal/store/elastic"
	"imwatch/internal/store/sqlite"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"
)

// site is what a process has open: its configuration and the parts that stages share.
type site struct {
	cfg     Config
	streams Streams
	log     *logrus.Logger
	reg     *prometheus.Registry
	now     func() time.Time

	bus    bus.Bus     // nil until a role needs it
	store  store.Store // nil until a role needs it
	opened cleanups
	pages  []page // of the stages that were built
	advice []*scale.Watch

	brokerAddr string // of the embedded broker
}

func newSite(cfg Config, streams Streams) *site {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsGC, collectors.MetricsScheduler)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &site{cfg: cfg, streams: streams, log: newLogger(cfg.Log, streams.Err), reg: reg, now: time.Now}
}

func (s *site) close() error { return s.opened.run() }

// component gives the logger of a stage.
func (s *site) component(name string) logrus.FieldLogger { return s.log.WithField("component", name) }

// openKafka connects to the configured Kafka.
func (s *site) openKafka() error {
	b, err := kafkabus.New(s.cfg.Kafka, s.component("kafka"), s.reg)
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	s.bus = b
	s.opened.add("Kafka", b.Close)
	return nil
}

// openElastic connects to the configured Elasticsearch.
func (s *site) openElastic() error {
	st, err := elastic.New(s.cfg.Elasticsearch, s.component("elasticsearch"), s.reg)
	if err != nil {
		return fmt.Errorf("connecting to Elasticsearch: %w", err)
	}
	s.store = st
	s.opened.add("Elasticsearch", st.Close)
	return nil
}

// openEmbedded opens the broker and the store inside the process and makes what is missing in them.
func (s *site) openEmbedded(ctx context.Context) error {
	if err := s.openBroker(); err != nil {
		return err
	}
	if err := s.openStore(); err != nil {
		return err
	}
	return s.makeParts(ctx)
}

func (s *site) openBroker() error {
	b, err := embedded.Open(s.cfg.Embedded.Broker, s.component("broker"), s.reg)
	if err != nil {
		return fmt.Errorf("opening the embedded broker: %w", err)
	}
	s.bus, s.brokerAddr = b, b.Addr()
	s.opened.add("the embedded broker", b.Close)
	return nil
}

func (s *site) openStore() error {
	st, err := sqlite.Open(s.cfg.Embedded.Store, s.component("store"), s.reg)
	if err != nil {
		return fmt.Errorf("opening the embedded store: %w", err)
	}
	s.store = st
	s.opened.add("the embedded store", st.Close)
	return nil
}

// makeParts makes topics and what the store needs; both can be made again.
func (s *site) makeParts(ctx context.Context) error {
	if err := s.bus.EnsureTopics(ctx, s.cfg.topics()...); err != nil {
		return fmt.Errorf("making topics: %w", err)
	}
	if err := s.store.Setup(ctx); err != nil {
		return fmt.Errorf("preparing the store: %w", err)
	}
	return nil
}

// checks are what readiness means for this process.
func (s *site) checks() []check {
	var all []check
	if s.bus != nil {
		all = append(all, check{"broker", s.bus.Ping})
	}
	if s.store != nil {
		all = append(all, check{"store", s.store.Ping})
	}
	return all
}
