package embedded

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges tell how full the topics are.
type gauges struct {
	reg   prometheus.Registerer // nil if nobody wants to know
	bytes *prometheus.GaugeVec
	full  *prometheus.GaugeVec
}

func newGauges(reg prometheus.Registerer) (gauges, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"topic"})
	}
	g := gauges{
		bytes: gauge("im_bus_embedded_topic_bytes", "Bytes that the embedded broker keeps of a topic."),
		full:  gauge("im_bus_embedded_topic_full", "1 while producers wait for a topic's consumers to make space, else 0."),
	}
	if reg == nil {
		return g, nil
	}
	if err := errors.Join(reg.Register(g.bytes), reg.Register(g.full)); err != nil {
		return g, fmt.Errorf("registering the embedded broker's metrics: %w", err)
	}
	g.reg = reg
	return g, nil
}

// unregister lets another broker take the names.
func (g gauges) unregister() {
	if g.reg != nil {
		g.reg.Unregister(g.bytes)
		g.reg.Unregister(g.full)
	}
}
