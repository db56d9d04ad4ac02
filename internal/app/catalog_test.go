package app

import (
	"context"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/im-server/cluster"
	"imwatch/im-server/cluster/redis"
	"imwatch/shipper/index"
	"imwatch/sim"

	"github.com/prometheus/client_golang/prometheus"
)

// metricDesc is how client_golang prints what a metric is.
var metricDesc = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: ".*", constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// catalog gives all metrics that the stages register, with their labels. Each stage is built as a process would, on the
// embedded broker and store.
func catalog(t *testing.T) map[string]map[string]bool {
	t.Helper()
	bot, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	defer bot.Close()
	cfg, err := demoConfig(DemoOptions{Data: t.TempDir()}, bot, sim.Scenario{Heartbeat: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Indexer.Sinks = []string{index.SinkElasticsearch, index.SinkParquet}
	cfg.Alerting.API.OIDC.Issuer, cfg.Alerting.API.OIDC.Audience = "https://127.0.0.1:1", "imwatch" // nobody is there
	cfg.Alerting.API.OIDC.Roles = map[string][]string{"viewer": {"*"}}
	s := newSite(cfg, Streams{Out: io.Discard, Err: t.Output()})
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.openEmbedded(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for _, build := range []func() (actor, error){s.imServer, s.alerting, s.detector, s.indexer, s.shipper} {
		a, err := build()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = a.run(ended) }() // gives back what it has opened
	}
	c := redis.DefaultConfig()
	c.Addrs, c.Journal = []string{"127.0.0.1:1"}, filepath.Join(t.TempDir(), "journal")
	shared, err := redis.New(c, cluster.Options{Node: "n", Boot: "b"}, s.reg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shared.Close() }()

	all := map[string]map[string]bool{}
	descs := make(chan *prometheus.Desc)
	go func() {
		s.reg.Describe(descs)
		close(descs)
	}()
	for d := range descs {
		m := metricDesc.FindStringSubmatch(strings.ReplaceAll(d.String(), "\n", " "))
		if m == nil {
			t.Errorf("%s cannot be read", d)
			continue
		}
		if all[m[1]] == nil {
			all[m[1]] = map[string]bool{}
		}
		for part := range strings.SplitSeq(m[2]+","+m[3], ",") {
			if name, _, _ := strings.Cut(part, "="); name != "" {
				all[m[1]][name] = true
			}
		}
	}
	return all
}
