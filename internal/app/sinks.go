package app

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/shipper/index"
	"imwatch/shipper/index/chunk"
	"imwatch/shipper/index/clickhouse"
	"imwatch/shipper/index/parquet"
	"imwatch/shipper/index/status"
)

// indexer builds an indexer for each sink. Each has its own consumer group: a sink that is away holds up no other.
func (s *site) indexer() (actor, error) {
	var g group
	var all []status.Indexer
	for _, name := range s.cfg.Indexer.Sinks {
		x, err := s.indexInto(name)
		if err != nil {
			return actor{}, fmt.Errorf("indexer into %s: %w", name, err)
		}
		g.add("into "+name, x.Run)
		all = append(all, x)
	}
	s.pages = append(s.pages, page{"GET /-/index", s.cfg.Ops.guarded(status.Serve(all, s.now))})
	a := actor{"indexer", g.run}
	if !slices.Contains(s.cfg.Indexer.Sinks, index.SinkElasticsearch) {
		return a, nil // the others commit by chunks: what they have not committed says little
	}
	watch, err := s.watchIndexers()
	if err != nil {
		return actor{}, fmt.Errorf("indexer: %w", err)
	}
	return s.advised(a, watch), nil
}

func (s *site) indexInto(name string) (*index.Indexer, error) {
	log := s.component("indexer").WithField("sink", name)
	deps := index.Deps{Bus: s.bus, Log: log, Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"sink": name}, s.reg), Now: s.now}
	var err error
	switch name {
	case index.SinkElasticsearch:
		deps.Store, deps.Search = s.store, s.store
	case index.SinkParquet:
		deps.Sink, err = s.parquetSink(log, deps.Registerer)
	case index.SinkClickHouse:
		deps.Sink, err = s.clickHouseSink(log, deps.Registerer)
	}
	if err != nil {
		return nil, err
	}
	return index.New(s.cfg.Indexer.For(name), deps)
}

func (s *site) parquetSink(log logrus.FieldLogger, reg prometheus.Registerer) (index.Sink, error) {
	k, err := parquet.New(s.cfg.Parquet, s.now)
	if err != nil {
		return nil, err
	}
	return chunk.New(s.cfg.Parquet.Chunk, chunk.Deps{Keeper: k, Log: log, Registerer: reg, Now: s.now})
}

func (s *site) clickHouseSink(log logrus.FieldLogger, reg prometheus.Registerer) (index.Sink, error) {
	k, err := clickhouse.New(s.cfg.ClickHouse, log)
	if err != nil {
		return nil, err
	}
	s.opened.add("ClickHouse", k.Close)
	return chunk.New(s.cfg.ClickHouse.Chunk, chunk.Deps{Keeper: k, Log: log, Registerer: reg, Now: s.now})
}
