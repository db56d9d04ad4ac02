package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	alertsapi "imwatch/alerting/api"
	imserver "imwatch/im-server"
	"imwatch/shipper"
	"imwatch/sim"
)

// upKeys are the parts of the configuration that up needs.
func upKeys() []string {
	return []string{"log", "ops", "scale", "topics", "embedded", "im_server", "shipper", "indexer", "parquet", "clickhouse", "detector", "alerting"}
}

// LoadUpConfig is LoadConfig for up: what stands in files is put below the folder data where the configuration does
// not say otherwise, and without a key for tokens one is made there.
func LoadUpConfig(file string, env []string, data string) (Config, error) {
	cfg, err := readConfig(file, env, upKeys())
	if err != nil {
		return cfg, err
	}
	if err := cfg.below(data); err != nil {
		return cfg, err
	}
	cfg.source = &source{file, func() (Config, error) { return LoadUpConfig(file, env, data) }}
	return cfg, cfg.check(upKeys())
}

// below moves what stands in files into the folder data, which it makes.
func (c *Config) below(data string) error {
	c.moveBelow(data)
	if err := os.MkdirAll(filepath.Join(data, "log"), 0o750); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	var errs []error
	if c.IMServer.OpsToken == "" {
		token, err := ownSecret(filepath.Join(data, "ops.token"))
		c.IMServer.OpsToken = token
		errs = append(errs, err)
	}
	if c.Ops.Token == "" { // one token for both listeners of the one process
		c.Ops.Token = c.IMServer.OpsToken
	}
	if len(c.Alerting.API.Tokens) == 0 {
		token, err := ownSecret(filepath.Join(data, "alerts.token"))
		c.Alerting.API.Tokens = []alertsapi.Token{{Name: "operator", Role: alertsapi.Admin, Token: token}}
		errs = append(errs, err)
	}
	if len(c.IMServer.JWT.Keys) == 0 {
		secret, err := ownSecret(filepath.Join(data, "jwt.secret"))
		c.IMServer.JWT.Keys = []imserver.JWTKey{{Algorithm: "HS256", Secret: secret}}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// moveBelow moves every path that still has its default into the folder data.
func (c *Config) moveBelow(data string) {
	def := DefaultConfig()
	move := func(path *string, byDefault, name string) {
		if *path == byDefault {
			*path = filepath.Join(data, name)
		}
	}
	move(&c.Embedded.Broker.Dir, def.Embedded.Broker.Dir, "broker")
	move(&c.Embedded.Store.Dir, def.Embedded.Store.Dir, "store")
	move(&c.Shipper.Checkpoint, def.Shipper.Checkpoint, "shipper.checkpoint")
	move(&c.Detector.Checkpoint, def.Detector.Checkpoint, "detector.checkpoint")
	move(&c.Parquet.Dir, def.Parquet.Dir, "parquet")
	if c.IMServer.Log.Path != def.IMServer.Log.Path {
		return
	}
	c.IMServer.Log.Path = filepath.Join(data, "log", "im-server.log")
	if sources := c.Shipper.Sources; len(sources) == 1 && slices.Equal(sources[0].Paths, []string{def.IMServer.Log.Path}) {
		c.Shipper.Sources = []shipper.Source{{Paths: []string{filepath.Join(data, "log", "*.log")}, Format: shipper.FormatContract}}
	}
}

// ownSecret reads a secret of this site, or makes it once.
func ownSecret(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading the secret of this site: %w", err)
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("making the secret of this site: %w", err)
	}
	secret := hex.EncodeToString(raw)
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the secret of this site: %w", err)
	}
	return secret, nil
}

// Up runs everything in one process on embedded parts until ctx ends.
func Up(ctx context.Context, cfg Config, streams Streams) error {
	return up(ctx, cfg, streams, func(a addresses) {
		fmt.Fprintf(streams.Out, "imwatch %s is up\n  clients    ws://%s/ws/connect\n  server     http://%s (/healthz /readyz /metrics /debug/pprof /-/)\n",
			Version(), local(a.clients), local(a.serverOps))
		if a.ops != "" {
			fmt.Fprintf(streams.Out, "  pipeline   http://%s (/healthz /readyz /metrics /debug/pprof, /api/v1 for alerts)\n", local(a.ops))
		}
		fmt.Fprintf(streams.Out, "  broker     %s (Kafka's protocol)\n  events     %s\n  store      %s\n",
			a.broker, cfg.IMServer.Log.Path, cfg.Embedded.Store.Dir)
		if token := trialToken(cfg); token != "" {
			fmt.Fprintf(streams.Out, "A token to try, for user trial, good for a day:\n  %s\n", token)
		}
		if len(cfg.Alerting.Receivers) == 0 {
			fmt.Fprintln(streams.Out, "No receivers are configured: alerts are kept in the store, nobody is told. See docs/alerting.md.")
		}
	}, func() error { return nil })
}

// local gives an address under which a listener on all addresses can be called from this machine.
func local(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

// trialToken signs a token where the site's key is a secret of its own; "" where it is not.
func trialToken(cfg Config) string {
	tokens, ok := tokenSource(cfg)
	if !ok {
		return ""
	}
	tokens.Life = 24 * time.Hour
	token, err := tokens.Token("trial", "")
	if err != nil {
		return ""
	}
	return token
}

// tokenSource signs as the site's own key does, if that is a shared secret.
func tokenSource(cfg Config) (sim.HS256, bool) {
	for _, k := range cfg.IMServer.JWT.Keys {
		if k.Algorithm == "HS256" && k.Secret != "" {
			return sim.HS256{Secret: []byte(k.Secret), KeyID: k.ID, Issuer: cfg.IMServer.JWT.Issuer, Audience: cfg.IMServer.JWT.Audience}, true
		}
	}
	return sim.HS256{}, false
}

// addresses is where a running site can be reached.
type addresses struct{ clients, serverOps, ops, broker string }

// up runs the whole. It calls ready once every part is built and every address is known, and after when all parts
// have stopped.
func up(ctx context.Context, cfg Config, streams Streams, ready func(addresses), after func() error) (err error) {
	s := newSite(cfg, streams)
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.openEmbedded(ctx); err != nil {
		return err
	}
	var stages []actor
	for _, build := range []func() (actor, error){s.alerting, s.detector, s.indexer, s.shipper} {
		a, err := build()
		if err != nil {
			return err
		}
		stages = append(stages, a)
	}
	var g group
	var at addresses
	if cfg.Ops.Addr != "" {
		ops, err := newOps(ctx, cfg.Ops, s.reg, s.checks(), s.pages...)
		if err != nil {
			return err
		}
		at.ops = ops.addr()
		g.add("operations", ops.run)
	}
	g.add("retention", s.retention)
	for _, a := range stages {
		g.add(a.name, a.run)
	}
	srv, err := s.newIMServer()
	if err != nil {
		return err
	}
	g.add("im-server", srv.Run)
	at.clients, at.serverOps, at.broker = srv.Addr(), srv.OpsAddr(), s.brokerAddr
	ready(at)
	return errors.Join(g.run(ctx), after())
}
