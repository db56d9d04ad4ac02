package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/sim"
)

// The nodes of a site: clients connect to both. What else runs is the mode's.
const (
	node1 = "im-1"
	node2 = "im-2"
	// gateway is a node whose log is somebody else's.
	gateway = "gateway-1"
)

// mode is one of the two ways to run imwatch. Everything else in this package is the same for both.
type mode struct {
	name    string
	open    func(t *testing.T, rules string) *site // starts all, with a folder of rules or those shipped
	victims []string                               // whom TestKills kills, in order
}

func modes() []mode {
	return []mode{
		{"embedded", openEmbedded, []string{node1, node2, node1, node1}},
		{"cluster", openCluster, []string{node1, "ship", "index", "detect", "alert", kafka, elasticsearch}},
	}
}

// site is a running pipeline.
type site struct {
	dir, logs string
	config    string // file
	told      *receivers
	targets   []string            // where clients connect, by node
	pipeline  string              // the process whose metrics speak of the detector
	alerter   string              // and that whose metrics speak of alerting
	specs     map[string]spec     // by process
	procs     map[string]*process // by process, those that run
	servers   map[string]server   // by name: what is no process of ours
	store     documents
	lines     uint64 // of the gateway
}

// server is Kafka or Elasticsearch.
type server interface {
	crash(*testing.T)
	start(*testing.T)
}

// documents is what a site knows of its store.
type documents interface {
	// settled stops the site's servers, waits until every line of their logs is a document, and gives all documents by
	// id, with the number of dead letters.
	settled(*testing.T, *site) (docs map[string]record, deadLetters int)
	// since says whether there is a document about something since a moment.
	since(context.Context, time.Time) error
}

// newSite makes folders and receivers.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		dir: t.TempDir(), told: newReceivers(t), specs: map[string]spec{}, procs: map[string]*process{}, servers: map[string]server{},
	}
	s.logs = filepath.Join(s.dir, "log")
	if err := os.MkdirAll(s.logs, 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// node plans an IM server as a process.
func (s *site) node(t *testing.T, name string, args ...string) {
	t.Helper()
	ports := freePorts(t, 2)
	s.targets = append(s.targets, "ws://127.0.0.1:"+ports[0]+"/ws/connect")
	s.specs[name] = spec{
		name: name, args: append(args, "--config", s.config), ops: "127.0.0.1:" + ports[1],
		env: []string{
			"IMWATCH_IM_SERVER_NODE=" + name, "IMWATCH_IM_SERVER_ADDR=127.0.0.1:" + ports[0], "IMWATCH_IM_SERVER_OPS_ADDR=127.0.0.1:" + ports[1],
		},
	}
}

// role plans another role as a process.
func (s *site) role(t *testing.T, name string) {
	t.Helper()
	ops := "127.0.0.1:" + freePorts(t, 1)[0]
	s.specs[name] = spec{name: name, args: []string{name, "--config", s.config}, ops: ops, env: []string{"IMWATCH_OPS_ADDR=" + ops}}
}

// start starts a process or a server and returns when it is ready.
func (s *site) start(t *testing.T, name string) {
	t.Helper()
	if srv := s.servers[name]; srv != nil {
		srv.start(t)
		return
	}
	s.procs[name] = launch(t, s.dir, s.specs[name])
	s.procs[name].ready(t)
}

// stop ends a process in order, if it runs.
func (s *site) stop(t *testing.T, name string) {
	t.Helper()
	if p := s.procs[name]; p != nil {
		p.stop(t)
		delete(s.procs, name)
	}
}

// kill ends a process or a server by SIGKILL.
func (s *site) kill(t *testing.T, name string) {
	t.Helper()
	if srv := s.servers[name]; srv != nil {
		srv.crash(t)
		return
	}
	s.procs[name].kill(t)
	delete(s.procs, name)
}

// Stop implements sim.NodeController.
func (s *site) Stop(_ context.Context, n int, _ bool) error {
	p := s.procs[[]string{node1, node2}[n]]
	if !p.end(syscall.SIGTERM) {
		return errors.New("it does not stop")
	}
	return p.err
}

// Start implements sim.NodeController.
func (s *site) Start(context.Context, int) error {
	return errors.New("no scenario here starts a node again")
}

// play drives real clients until the scenario or ctx ends.
func (s *site) play(ctx context.Context, scenario sim.Scenario) (sim.Report, error) {
	return sim.Run(ctx, sim.Options{
		Target: s.targets, NodeNames: []string{node1, node2}, Scenario: scenario, Seed: 1, Nodes: s,
		Tokens: sim.HS256{Secret: []byte(jwtSecret)},
	})
}

// gatewayLine writes a line of the contract into a log that no server of ours writes, as another program would.
func (s *site) gatewayLine(t *testing.T, a event.Action, level string, more func(*event.Event)) {
	t.Helper()
	s.lines++
	var e event.Event
	e.Begin(a, time.Now())
	e.SetText(event.FieldEventID, fmt.Sprintf("%s-0-%010d", gateway, s.lines))
	e.SetText(event.FieldServiceNode, gateway)
	e.SetText(event.FieldLogLevel, level)
	if more != nil {
		more(&e)
	}
	f, err := os.OpenFile(filepath.Join(s.logs, "gateway.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(e.AppendJSON(nil), '\n')); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// badGateway writes two failures with status 500, one of them on the clients' path.
func (s *site) badGateway(t *testing.T) {
	t.Helper()
	for _, path := range []string{clientPath, "/api/rooms"} {
		s.gatewayLine(t, event.ActionHTTPRequest, event.LevelError, func(e *event.Event) {
			e.SetText(event.FieldURLPath, path)
			e.SetInt(event.FieldHTTPStatus, 500)
			e.SetText(event.FieldEventOutcome, event.OutcomeFailure)
		})
	}
}

// fatal writes the line that the rule fatal-event fires for. As the last thing that happens it also shows, by its
// alert, that the detector has come to the end.
func (s *site) fatal(t *testing.T) {
	t.Helper()
	s.gatewayLine(t, event.ActionPanic, event.LevelFatal, nil)
}

// clientPath is where clients connect.
const clientPath = "/ws/connect"
