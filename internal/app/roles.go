package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/sirupsen/logrus"

	"imwatch/alerting"
	alertsapi "imwatch/alerting/api"
	"imwatch/detector"
	imserver "imwatch/im-server"
	"imwatch/rules"
	"imwatch/shipper"
	"imwatch/shipper/index"
	"imwatch/shipper/status"
)

// Role is one job of the pipeline that can be a process of its own.
type Role struct {
	Name    string
	Summary string
	keys    []string // parts of the configuration that it needs
	bus     bool
	store   bool
	build   func(*site) (actor, error)
}

// Roles gives the roles in the order of the data's way.
func Roles() []Role {
	return []Role{
		{"im-server", "the IM server: clients connect to it, it writes one line for each event", []string{"log", "im_server"}, false, false, (*site).imServer},
		{"ship", "the shipper: from the log files into Kafka", []string{"log", "ops", "kafka", "shipper"}, true, false, (*site).shipper},
		{"index", "the indexer: from Kafka into Elasticsearch, Parquet files, ClickHouse", []string{"log", "ops", "scale", "kafka", "elasticsearch", "indexer", "parquet", "clickhouse"}, true, true, (*site).indexer},
		{"detect", "the detector: runs the rules", []string{"log", "ops", "scale", "kafka", "elasticsearch", "detector"}, true, true, (*site).detector},
		{"alert", "the alerting: tells people", []string{"log", "ops", "scale", "kafka", "elasticsearch", "alerting"}, true, true, (*site).alerting},
	}
}

func roleByName(name string) (Role, bool) {
	for _, r := range Roles() {
		if r.Name == name {
			return r, true
		}
	}
	return Role{}, false
}

// ConfigKeys gives the parts of the configuration that a role needs, for LoadConfig.
func ConfigKeys(role string) []string {
	r, _ := roleByName(role)
	return r.keys
}

// RoleOptions are the flags of a role.
type RoleOptions struct {
	Once bool // ship: to the end of the files, then exit
}

// RunRole runs one role on Kafka and Elasticsearch until ctx ends.
func RunRole(ctx context.Context, name string, cfg Config, o RoleOptions, streams Streams) (err error) {
	role, ok := roleByName(name)
	if !ok {
		return Usagef("unknown role %q", name)
	}
	if o.Once {
		cfg.Shipper.ExitAtEnd = true
	}
	if name == "ship" || name == "index" {
		defer lean(os.Getenv)()
	}
	s := newSite(cfg, streams)
	defer func() { err = errors.Join(err, s.close()) }()
	if role.bus {
		if err := s.openKafka(); err != nil {
			return err
		}
	}
	needsStore := role.store && (name != "index" || slices.Contains(cfg.Indexer.Sinks, index.SinkElasticsearch))
	if needsStore {
		if err := s.openElastic(); err != nil {
			return err
		}
	}
	a, err := role.build(s)
	if err != nil {
		return err
	}
	var g group
	if name != "im-server" && cfg.Ops.Addr != "" { // the server has its own
		ops, err := newOps(ctx, cfg.Ops, s.reg, s.checks(), s.pages...)
		if err != nil {
			return err
		}
		s.log.WithField("addr", ops.addr()).Info("operations listener is up")
		g.add("operations", ops.run)
	}
	if name == "index" && needsStore {
		g.add("retention", s.retention)
	}
	if c, ok := newCollector(cfg.IMServer.HeapFloor, os.Getenv); ok && name == "im-server" {
		g.add("collector", c.run)
	}
	g.add(a.name, a.run)
	return g.run(ctx)
}

func (s *site) retention(ctx context.Context) error {
	return retention(ctx, s.store, s.now, s.component("retention"))
}

func (s *site) imServer() (actor, error) {
	srv, err := s.newIMServer()
	if err != nil {
		return actor{}, err
	}
	return actor{"im-server", srv.Run}, nil
}

func (s *site) newIMServer() (*imserver.Server, error) {
	reopen := make(chan os.Signal, 1)
	signal.Notify(reopen, syscall.SIGHUP)
	s.opened.add("SIGHUP", func() error { signal.Stop(reopen); return nil })
	srv, err := imserver.New(s.cfg.IMServer, imserver.Deps{
		Log: s.component("im-server"), Registerer: s.reg, Gatherer: s.reg, Now: s.now, Stdout: s.streams.Out, Reopen: reopen, Reload: s.reload(), Version: Version(),
	})
	if err != nil {
		return nil, err
	}
	s.log.WithField("addr", srv.Addr()).WithField("ops", srv.OpsAddr()).Info("im-server listens")
	return srv, nil
}

// reload reads the configuration again for the IM server, and takes up the level of diagnostics by the way.
func (s *site) reload() *imserver.Reload {
	from := s.cfg.source
	if from == nil {
		return nil
	}
	return &imserver.Reload{Path: from.file, Load: func() (imserver.Config, error) {
		cfg, err := from.load()
		if err != nil {
			return imserver.Config{}, fmt.Errorf("reading the configuration again: %w", err)
		}
		if level, err := logrus.ParseLevel(cfg.Log.Level); err == nil && level != s.log.GetLevel() {
			s.log.WithField("level", level).Info("the level of diagnostics changes")
			s.log.SetLevel(level)
		}
		return cfg.IMServer, nil
	}}
}

func (s *site) shipper() (actor, error) {
	sh, err := shipper.New(s.cfg.Shipper, shipper.Deps{Bus: s.bus, Log: s.component("shipper"), Registerer: s.reg, Now: s.now})
	if err != nil {
		return actor{}, fmt.Errorf("shipper: %w", err)
	}
	s.pages = append(s.pages,
		page{"GET /-/files", s.cfg.Ops.guarded(status.ServeFiles(sh))},
		page{"GET /-/ship", s.cfg.Ops.guarded(status.ServeStatus(sh))})
	return actor{"shipper", sh.Run}, nil
}

func (s *site) detector() (actor, error) {
	d, err := detector.New(s.cfg.Detector, detector.Deps{Bus: s.bus, Store: s.store, Shipped: rules.Files(), Log: s.component("detector"), Registerer: s.reg, Now: s.now})
	if err != nil {
		return actor{}, fmt.Errorf("detector: %w", err)
	}
	s.pages = append(s.pages, page{"GET /-/rules", rulesPage(d.Rules)})
	watches, err := s.watchDetectors()
	if err != nil {
		return actor{}, fmt.Errorf("detector: %w", err)
	}
	return s.advised(actor{"detector", func(ctx context.Context) error {
		hangup := make(chan os.Signal, 1)
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
		go func() {
			for {
				select {
				case <-hangup:
					d.Reload()
				case <-ctx.Done():
					return
				}
			}
		}()
		return d.Run(ctx)
	}}, watches...), nil
}

func (s *site) alerting() (actor, error) {
	a, err := alerting.New(s.cfg.Alerting, alerting.Deps{
		Bus: s.bus, Store: s.store, Log: s.component("alerting"), Registerer: s.reg, Now: s.now,
		Out: s.streams.Out, Series: newSeries(s.store, s.cfg.Detector.Rules),
	})
	if err != nil {
		return actor{}, fmt.Errorf("alerting: %w", err)
	}
	watch, err := s.watchAlerters()
	if err != nil {
		return actor{}, fmt.Errorf("alerting: %w", err)
	}
	api := s.cfg.Alerting.API
	if !api.On() {
		return s.advised(actor{"alerting", a.Run}, watch), nil
	}
	people := a.Handler()
	s.pages = append(s.pages, page{"/api/v1/", people}, page{alertsapi.LinkPath, people})
	if api.Addr == "" {
		return s.advised(actor{"alerting", a.Run}, watch), nil
	}
	return s.advised(actor{"alerting", func(ctx context.Context) error {
		var g group
		g.add("alerting", a.Run)
		g.add("people", func(ctx context.Context) error { return serveHTTP(ctx, api.Addr, people, s.component("alerting")) })
		return g.run(ctx)
	}}, watch), nil
}
