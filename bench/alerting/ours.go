package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/inhibit"
	"imwatch/alerting/route"
	"imwatch/alerting/silence"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
	"imwatch/internal/bus/kafkabus"
	"imwatch/internal/store/sqlite"

	"github.com/sirupsen/logrus"
)

// task is what the process with our alerting is told.
type task struct {
	Dir, Hook string
	Silenced  []string
	Rules     int
	Grouped   bool
}

// ours is imwatch's alerting as a process of its own, with the embedded broker and store in it: both on disk, and flushed.
type ours struct {
	cmd *exec.Cmd
	in  io.Closer
	bus *kafkabus.Bus
}

func openOurs(ctx context.Context, b *bench, dir string, h *hook) (contender, error) {
	text, err := json.Marshal(task{dir, h.url(), b.silenced(b.load), b.rules, b.grouped})
	if err != nil {
		return nil, fmt.Errorf("encoding the task: %w", err)
	}
	file := filepath.Join(dir, "task.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("writing the task: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	o := &ours{cmd: exec.CommandContext(ctx, self, "serve", file)} //nolint:gosec // this program
	o.cmd.Stderr = os.Stderr
	if o.in, err = o.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("preparing the process: %w", err)
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("preparing the process: %w", err)
	}
	if err := o.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the process: %w", err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for the broker: %w", err), o.close())
	}
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{strings.TrimSpace(address)}
	log := logrus.New()
	log.SetOutput(io.Discard)
	if o.bus, err = kafkabus.New(cfg, log, nil); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *ours) hand(ctx context.Context, alerts []alert) error {
	ms := make([]bus.Message, len(alerts))
	for i, a := range alerts {
		line, err := a.line(time.Now().UTC())
		if err != nil {
			return err
		}
		ms[i] = bus.Message{Key: []byte(a.id), Value: line}
	}
	return o.bus.Produce(ctx, bus.TopicAlerts, ms...)
}

func (o *ours) pid() int { return o.cmd.Process.Pid }

func (o *ours) close() error {
	var err error
	if o.bus != nil {
		err = o.bus.Close()
	}
	return errors.Join(err, o.in.Close(), o.cmd.Wait())
}

// serve is that process; it ends when its standard input does.
func serve(file string, out io.Writer) (err error) {
	text, err := os.ReadFile(file) //nolint:gosec // given by the bench
	if err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	var t task
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is what matters
		stop()
	}()
	log := logrus.New()
	log.SetLevel(logrus.ErrorLevel)
	bc := embedded.DefaultConfig()
	bc.Dir = filepath.Join(t.Dir, "broker")
	broker, err := embedded.Open(bc, log, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	if err := broker.EnsureTopics(ctx, bus.TopicSpec{Name: bus.TopicAlerts, Partitions: 4}, bus.TopicSpec{Name: bus.TopicCanary, Partitions: 1}); err != nil {
		return err
	}
	sc := sqlite.DefaultConfig()
	sc.Dir = filepath.Join(t.Dir, "store")
	st, err := sqlite.Open(sc, log, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	a, err := alerting.New(t.config(), alerting.Deps{Bus: broker, Store: st, Log: log})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, broker.Addr())
	return a.Run(ctx)
}

func (t task) config() alerting.Config {
	c := alerting.DefaultConfig()
	r := alerting.NewReceiver("hook")
	w := webhook.DefaultConfig()
	w.URL, w.AllowPrivate = t.Hook, true
	r.Webhook = &w
	if t.Grouped {
		robot := wecom.DefaultConfig()
		robot.URL, robot.PerMinute, robot.Reserve = t.Hook+"/cgi-bin/webhook/send?key=bench", 100_000, 0
		r.Webhook, r.WeCom = nil, &robot
	}
	c.Receivers = []alerting.Receiver{r}
	c.Route = route.Config{Receivers: []string{"hook"}}
	if t.Grouped {
		c.Route.GroupBy, c.Route.GroupWait, c.Route.GroupInterval = []string{"rule"}, 30*time.Second, 5*time.Minute
	}
	for i, address := range t.Silenced {
		c.Silences = append(c.Silences, &silence.Silence{
			ID: fmt.Sprint("s", i), Match: []string{"key.client.ip = " + address}, Author: "bench", Reason: "bench", Until: time.Now().Add(time.Hour),
		})
	}
	for i := range t.Rules {
		c.Inhibit = append(c.Inhibit, inhibit.Rule{
			Source: []string{"rule = " + source(i)}, Target: []string{fmt.Sprintf("rule = rule-%d", i)}, Equal: []string{"key.service.node.name"},
		})
	}
	return c
}
