package elastic

import (
	"context"
	"fmt"
	"sync"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/internal/store"
)

// Store keeps documents in a cluster. Safe for concurrent use. Close it.
type Store struct {
	cfg     Config
	client  *client
	metrics *store.Metrics
	log     logrus.FieldLogger
	bodies  sync.Pool // of requests that were answered
}

var _ store.Store = (*Store)(nil)

// New makes a store without asking the cluster anything: it need not be there yet.
func New(cfg Config, log logrus.FieldLogger, reg prometheus.Registerer) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring Elasticsearch: %w", err)
	}
	m, err := store.NewMetrics(reg)
	if err != nil {
		return nil, err
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Store{cfg: cfg, client: c, metrics: m, log: log}, nil
}

// Ping says whether a node answers.
func (s *Store) Ping(ctx context.Context) error {
	done := s.metrics.Observe("ping")
	err := s.client.do(ctx, esapi.InfoRequest{}, nil)
	done(err)
	if err != nil {
		return fmt.Errorf("asking Elasticsearch for a sign of life: %w", err)
	}
	return nil
}

// Close closes the idle connections.
func (s *Store) Close() error { return s.client.close() }
