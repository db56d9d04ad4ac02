package imserver

import (
	"fmt"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/event"
	"imwatch/im-server/hot"
	"imwatch/im-server/source"
)

// reloading is what a server knows of changes of its configuration.
type reloading struct {
	mu      sync.Mutex        // one change at a time; guards the fields below
	pending map[string]string // keys that wait for a restart, and the value they will have then
	stamp   source.Stamp      // of the file, when it was looked at last

	tries *prometheus.CounterVec // by result: changed, unchanged, refused
	bad   prometheus.Gauge       // 1 while the file's last version was refused
	wait  prometheus.Gauge       // keys that wait for a restart
}

func newReloading() *reloading {
	r := &reloading{
		pending: map[string]string{},
		tries:   counters("config_reloads_total", "Times the configuration was read or asked to change, by result: changed, unchanged, refused.", "result"),
		bad:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_server_config_bad", Help: "1 while the configuration file has faults and the one before goes on."}),
		wait:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "im_server_config_pending", Help: "Keys that were changed and wait for a restart."}),
	}
	for _, result := range []string{"changed", "unchanged", "refused"} {
		r.tries.WithLabelValues(result)
	}
	return r
}

func (r *reloading) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.tries, r.bad, r.wait}
}

// reconfigure takes a changed configuration while the server runs. What can change does so at once, for connections that
// are open too; the rest is said and waits for a restart. Each changed key has a config_change line that names by, who
// did it. A configuration with faults changes nothing. It gives the keys that were changed. The lock of changes is held.
func (s *Server) reconfigure(wanted *Config, by string) ([]hot.Change, error) {
	running := s.conf()
	merged, changes := hot.Merge(running, wanted)
	for _, c := range []*Config{wanted, &merged} { // merged: a change may not fit to what stays
		if err := s.validConfig(c); err != nil {
			s.reloading.tries.WithLabelValues("refused").Inc()
			return nil, err
		}
	}
	fresh := s.onlyFresh(changes)
	if len(fresh) == 0 {
		s.reloading.tries.WithLabelValues("unchanged").Inc()
		return nil, nil
	}
	s.live.Store(&merged)
	s.reconfigured(running, &merged)
	s.reloading.tries.WithLabelValues("changed").Inc()
	for _, c := range fresh {
		s.logChange(c, by)
	}
	return fresh, nil
}

func (s *Server) validConfig(c *Config) error {
	if s.deps.Authenticator != nil {
		return c.validate()
	}
	return c.Validate()
}

// onlyFresh leaves out the keys that were said to wait for a restart with this value before, and keeps which do.
func (s *Server) onlyFresh(changes []hot.Change) (fresh []hot.Change) {
	pending := map[string]string{}
	for _, c := range changes {
		if !c.Hot {
			pending[c.Key] = c.To
			if before, ok := s.reloading.pending[c.Key]; ok && before == c.To {
				continue
			}
		}
		fresh = append(fresh, c)
	}
	s.reloading.pending = pending
	s.reloading.wait.Set(float64(len(pending)))
	return fresh
}

// reconfigured tells the parts that keep something made of the configuration; the others read it with conf.
func (s *Server) reconfigured(old, now *Config) {
	if old.Limits.ConnectRate != now.Limits.ConnectRate || old.Limits.ConnectBurst != now.Limits.ConnectBurst {
		s.limiter.setRate(now.Limits.ConnectRate, now.Limits.ConnectBurst)
	}
	if old.Limits.UserConnectRate != now.Limits.UserConnectRate || old.Limits.UserConnectBurst != now.Limits.UserConnectBurst {
		s.userLimiter.setRate(now.Limits.UserConnectRate, now.Limits.UserConnectBurst)
	}
	s.addresses.set(now.Addresses)
	origins := newOriginList(now.Origins)
	s.origins.Store(&origins)
	s.log.Apply(now.Log)
}

// logChange writes who changed what, from, to.
func (s *Server) logChange(c hot.Change, by string) {
	applied := "now"
	if !c.Hot {
		applied = "restart"
		s.deps.Log.WithField("key", c.Key).Warn("a changed key waits for a restart: it cannot change while the server runs")
	}
	ev := s.nodeEvent(event.ActionConfigChange)
	ev.SetText(event.FieldMessage, clipText(fmt.Sprintf("%s changed %s from %s to %s", by, c.Key, orNothing(c.From), orNothing(c.To)), maxErrorText))
	ev.SetLabel("actor", clipText(by, maxErrorText))
	ev.SetLabel("key", c.Key)
	ev.SetLabel("from", clipText(c.From, maxErrorText))
	ev.SetLabel("to", clipText(c.To, maxErrorText))
	ev.SetLabel("applied", applied)
	s.emit(ev)
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// refuseConfig says that the file's configuration is not taken; the one before goes on.
func (s *Server) refuseConfig(by string, err error) {
	s.reloading.bad.Set(1)
	for line := range strings.SplitSeq(err.Error(), "\n") {
		s.deps.Log.WithField("source", by).Error("the changed configuration is not taken, the one before goes on: " + line)
	}
}
