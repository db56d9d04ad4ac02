package shipcrash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

// Where the real servers are, and the scripts that kill them.
const (
	kafkaVar       = "IMWATCH_TEST_KAFKA"
	esVar          = "IMWATCH_TEST_ES"
	kafkaScriptVar = "IMWATCH_TEST_KAFKA_SCRIPT"
	esScriptVar    = "IMWATCH_TEST_ES_SCRIPT"
	roundsVar      = "ROUNDS"
)

var program string // the built imwatch

func TestMain(m *testing.M) {
	code := 1
	dir, err := os.MkdirTemp("", "imwatch-crash-")
	if err == nil {
		program = filepath.Join(dir, "imwatch")
		if os.Getenv(kafkaVar) != "" {
			var out []byte
			if out, err = exec.CommandContext(context.Background(), "go", "build", "-o", program, "imwatch/cmd/imwatch").CombinedOutput(); err != nil { //nolint:gosec // our own program
				err = fmt.Errorf("%w: %s", err, out)
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir) // a left folder is no fault of what was tested
	os.Exit(code)
}

// site is a log, a shipper, an indexer and the real servers.
type site struct {
	*testing.T
	name   string // of the run, and of the node that writes the log
	dir    string
	config string
	bus    *kafkabus.Bus
	from   bus.Position
	log    *writer
	rounds int

	shipper, indexer *process
}

func newSite(t *testing.T, name, state string) *site {
	t.Helper()
	s := &site{T: t, name: name + "-" + strconv.FormatInt(time.Now().Unix(), 36), dir: t.TempDir(), rounds: 3}
	if n, err := strconv.Atoi(os.Getenv(roundsVar)); err == nil {
		s.rounds = n
	}
	if state == "" {
		state = filepath.Join(s.dir, "state")
	}
	s.config = filepath.Join(s.dir, "imwatch.yaml")
	s.log = newWriter(t, filepath.Join(s.dir, "log", "app.log"), s.name)
	yaml := fmt.Sprintf(`log: {level: warn}
ops: {addr: ""}
kafka: {brokers: [%q]}
elasticsearch: {addresses: [%q], replicas: 0}
shipper:
  checkpoint: %s
  checkpoint_interval: 200ms
  sources: [{paths: [%s], format: contract}]
`, os.Getenv(kafkaVar), os.Getenv(esVar), filepath.Join(state, "checkpoint.json"), s.log.path)
	if err := os.WriteFile(s.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "setup", "--config", s.config).CombinedOutput(); err != nil { //nolint:gosec // our own program
		t.Fatalf("setup: %v\n%s", err, out)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{os.Getenv(kafkaVar)}
	var err error
	if s.bus, err = kafkabus.New(cfg, log, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.bus.Close() })
	if s.from, err = s.bus.Ends(t.Context(), bus.TopicLifecycle); err != nil {
		t.Fatal(err)
	}
	return s
}

// script calls one of the servers' scripts.
func (s *site) script(variable, what string) {
	s.Helper()
	out, err := exec.CommandContext(s.Context(), os.Getenv(variable), what).CombinedOutput() //nolint:gosec // named by whoever runs the test
	if err != nil {
		s.Fatalf("%s %s: %v\n%s", variable, what, err, out)
	}
}

// records counts the lines' records in Kafka by their ids.
func (s *site) records() map[string]int {
	s.Helper()
	ends, err := s.bus.Ends(s.Context(), bus.TopicLifecycle)
	if err != nil {
		s.Fatal(err)
	}
	left := int64(0)
	for p, end := range ends {
		left += end - s.from[p]
	}
	c, err := s.bus.Read(s.Context(), bus.TopicLifecycle, s.from)
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	out := map[string]int{}
	for left > 0 {
		ms, err := c.Fetch(s.Context(), 5000)
		if err != nil {
			s.Fatal(err)
		}
		for _, m := range ms {
			if m.Offset >= ends[m.Partition] { // watermarks go on coming: they stand for none of what was there
				continue
			}
			left--
			var e event.Event
			if err := event.Decode(m.Value, &e); err != nil {
				s.Fatalf("%v in %s", err, m.Value)
			}
			if e.Node() == s.name && !e.IsWatermark() {
				out[e.ID()]++
			}
		}
	}
	return out
}

// documents counts the lines' documents.
func (s *site) documents() (int, error) {
	body := []byte(fmt.Sprintf(`{"query":{"term":{"service.node.name":%q}}}`, s.name))
	if err := s.ask(http.MethodPost, "/im-connection-*/_refresh", nil, nil); err != nil {
		return 0, err
	}
	var answer struct{ Count int }
	err := s.ask(http.MethodPost, "/im-connection-*/_count?allow_no_indices=true", body, &answer)
	return answer.Count, err
}

func (s *site) ask(method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(s.Context(), method, os.Getenv(esVar)+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s: %s", res.Status, b)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(b, into)
}

// settle ends the writing, waits until every line has come, and checks that none has come twice.
func (s *site) settle() {
	s.Helper()
	n, most := s.log.stop(), 0
	s.wait("every line is a document", func() (progress bool, err error) {
		docs, err := s.documents()
		if err != nil {
			return false, err
		}
		progress, most = docs > most, max(docs, most)
		if docs < n {
			return progress, fmt.Errorf("%d of %d", docs, n)
		}
		if docs > n {
			s.Fatalf("%d documents of %d lines", docs, n)
		}
		return true, nil
	})
	ids, doubled := s.records(), 0
	for _, times := range ids {
		doubled += times - 1
	}
	if len(ids) != n || doubled > 0 {
		s.Fatalf("of %d lines %d are in Kafka, %d records too many", n, len(ids), doubled)
	}
	s.Logf("%d rounds, %d lines, %d rotations: one record and one document each", s.rounds, n, s.log.rotations)
}

// patience is how long nothing may happen while something is waited for. How much there is to do depends on the machine.
const patience = 5 * time.Minute

func (s *site) wait(what string, ok func() (progress bool, err error)) {
	s.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for last := time.Now(); ; <-tick.C {
		progress, err := ok()
		switch {
		case err == nil:
			return
		case progress:
			last = time.Now()
		case time.Since(last) > patience:
			s.Fatalf("waited in vain: %s: %v", what, err)
		}
	}
}

// process is a role of imwatch that can be killed and started again.
type process struct {
	s    *site
	role string
	cmd  *exec.Cmd
}

func (s *site) start(role string) *process {
	s.Helper()
	p := &process{s: s, role: role}
	p.again()
	s.Cleanup(p.kill)
	return p
}

func (p *process) again() {
	p.s.Helper()
	out, err := os.OpenFile(filepath.Join(p.s.dir, p.role+".out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.s.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(program, p.role, "--config", p.s.config) //nolint:noctx,gosec // our own program, killed below
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		p.s.Fatal(err)
	}
}

func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // it was killed
	p.cmd = nil
	if b, err := os.ReadFile(filepath.Join(p.s.dir, p.role+".out")); err == nil && p.s.Failed() {
		p.s.Logf("%s says:\n%s", p.role, b[max(0, len(b)-4000):])
	}
}
