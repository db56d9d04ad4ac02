package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
	"imwatch/sim"

	"github.com/sirupsen/logrus"
)

// show is what the demo prints. Its methods are safe for concurrent use.
type show struct {
	mu      sync.Mutex // guards out and the fields below
	out     io.Writer
	start   time.Time
	started map[string]*event.Alert // by the beginning of the id, as messages print it
	shown   int
	report  sim.Report
	fault   error

	running sync.WaitGroup
}

func (s *show) goes(f func()) { s.running.Go(f) }

func (s *show) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%7.1fs  "+format+"\n", append([]any{time.Since(s.start).Seconds()}, args...)...)
}

func (s *show) intro(cfg Config, o DemoOptions) {
	length := "until you press Ctrl-C"
	if o.For > 0 {
		length = "for " + o.For.String()
	}
	fmt.Fprintf(s.out, "imwatch %s demo, %s: IM server, shipper, indexer, detector and alerting in this process; %d real WebSocket clients over loopback.\n"+
		"Data in %s. Alerts go to a local WeCom robot, which shows them here.\n\n", Version(), length, o.Clients, cfg.Embedded.Store.Dir)
}

// diagnostics keeps warnings of the pipeline from standing between lines of the show.
func (s *show) diagnostics(w io.Writer) io.Writer { return &lockedWriter{&s.mu, w} }

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// fleet plays the scenario again and again until ctx ends.
func (s *show) fleet(ctx context.Context, cfg Config, clients string, scenario sim.Scenario) {
	tokens, _ := tokenSource(cfg)
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	for round := uint64(1); ctx.Err() == nil; round++ {
		report, err := sim.Run(ctx, sim.Options{
			Target: []string{"ws://" + clients + "/ws/connect"}, Scenario: scenario, Seed: round, Tokens: tokens, Log: quiet,
			Progress: s.progress(),
		})
		s.mu.Lock()
		s.report, s.fault = report, err
		s.mu.Unlock()
		if err != nil {
			s.printf("simulation: %v", err)
			return
		}
	}
}

// progress prints each trouble as it begins, and a line each ten seconds.
func (s *show) progress() func(sim.Progress) {
	var next time.Duration
	return func(p sim.Progress) {
		if p.Trouble != nil {
			s.printf("trouble begins: %s", troubleText(*p.Trouble))
		}
		if p.At >= next {
			next += 10 * time.Second
			s.printf("%d clients online, %d connects, %d handshakes refused, %d messages received", p.Online, p.Connects, p.Failures, p.Received)
		}
	}
}

func troubleText(t sim.Trouble) string {
	switch t.Kind {
	case sim.BadTokens:
		return fmt.Sprintf("%d handshakes with bad tokens (%s) in %v", t.Count, t.Reason.Reason, t.For)
	case sim.Silent:
		return fmt.Sprintf("%d clients stop answering pings", t.Count)
	case sim.Hammer:
		return fmt.Sprintf("one address connects %.0f times a second for %v", t.Rate, t.For)
	case sim.Reset:
		return fmt.Sprintf("%d client killed by RST: no reason for an alert", t.Count)
	}
	return string(t.Kind)
}

// alertID finds the beginning of the alert's id at the end of a message.
var alertID = regexp.MustCompile(`· ([0-9a-f]+)</font>`)

// alerts shows each message as it reaches the robot. When the lines behind an alert were written is read from the
// topic im.alerts, as any consumer may.
func (s *show) alerts(ctx context.Context, broker string, bot *robot.Robot) {
	s.started = map[string]*event.Alert{}
	s.goes(func() { s.follow(ctx, broker) })
	for n := 0; ; {
		messages, err := bot.Wait(ctx, func(ms []robot.Message) bool { return len(ms) > n })
		for _, m := range messages[n:] {
			s.message(m)
		}
		n = len(messages)
		if err != nil {
			return
		}
	}
}

func (s *show) follow(ctx context.Context, broker string) {
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{broker}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	b, err := kafkabus.New(cfg, quiet, nil)
	if err != nil {
		return
	}
	defer b.Close()
	c, err := b.Read(ctx, bus.TopicAlerts, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		ms, err := c.Fetch(ctx, 100)
		if err != nil {
			return
		}
		for _, m := range ms {
			var a event.Alert
			if a.UnmarshalJSON(m.Value) == nil {
				s.mu.Lock()
				if s.started[a.ID] == nil {
					s.started[a.ID] = &a
				}
				s.mu.Unlock()
			}
		}
	}
}

func (s *show) message(m robot.Message) {
	var body struct {
		Markdown struct{ Content string } `json:"markdown"`
	}
	if json.Unmarshal(m.Body, &body) != nil {
		return
	}
	text := body.Markdown.Content
	late := ""
	if a := s.alertOf(text); a != nil && a.State == event.StateFiring {
		late = fmt.Sprintf(", %.1f s after the line that made it true", m.At.Sub(a.From).Seconds())
	}
	s.printf("ALERT reached the robot%s:", late)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown++
	for line := range strings.Lines(text) {
		fmt.Fprintf(s.out, "          │ %s\n", strings.TrimRight(line, "\n"))
	}
}

func (s *show) alertOf(text string) *event.Alert {
	found := alertID.FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, a := range s.started {
		if strings.HasPrefix(id, found[1]) {
			return a
		}
	}
	return nil
}

// outro waits for the show's parts and sums up.
func (s *show) outro() error {
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "\nThe fleet:\n")
	if err := s.report.WriteText(s.out); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\n%d messages reached the robot.\nNext: imwatch up --data ./data, and the rules in rules/.\n", s.shown)
	return s.fault
}
