package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"imwatch/sim"

	"github.com/sirupsen/logrus"
)

// Scenarios names the shipped scenarios, for messages.
func Scenarios() string {
	var names []string
	for _, s := range sim.Scenarios() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// SimOptions are the flags of sim run.
type SimOptions struct {
	Scenario string
	Target   string
	Secret   string // file
	Seed     uint64
}

// SimRun drives real connections against a server and prints a report.
func SimRun(ctx context.Context, o SimOptions, streams Streams) error {
	scenario, err := sim.ByName(o.Scenario)
	if err != nil {
		return Usagef("%w", err)
	}
	if o.Secret == "" {
		return Usagef("--secret is needed: a file with the HS256 secret of the server; imwatch up keeps its own in data/jwt.secret")
	}
	secret, err := os.ReadFile(o.Secret)
	if err != nil {
		return Usagef("reading the secret: %w", err)
	}
	log := newLogger(LogConfig{Level: "info", Format: "text"}, streams.Err)
	report, err := sim.Run(ctx, sim.Options{
		Target: strings.Split(o.Target, ","), Scenario: scenario, Seed: o.Seed,
		Tokens: sim.HS256{Secret: []byte(strings.TrimSpace(string(secret)))}, Log: log, Progress: logProgress(log),
	})
	if err != nil {
		return err
	}
	return report.WriteText(streams.Out)
}

func logProgress(log logrus.FieldLogger) func(sim.Progress) {
	var next time.Duration
	return func(p sim.Progress) {
		if p.At < next {
			return
		}
		next = p.At + 10*time.Second
		log.WithFields(logrus.Fields{"online": p.Online, "connects": p.Connects, "failures": p.Failures, "lost": p.Lost}).Info("fleet")
	}
}

// GenerateOptions are the flags of sim generate.
type GenerateOptions struct {
	Scenario    string
	Out, Labels string
	Seed        uint64
	Count       int64
	From        time.Time
}

// SimGenerate writes the events that a scenario leaves, and the truth beside them.
func SimGenerate(ctx context.Context, o GenerateOptions, streams Streams) (err error) {
	scenario, err := sim.ByName(o.Scenario)
	if err != nil {
		return Usagef("%w", err)
	}
	events, err := createFile(o.Out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	var labels io.Writer
	if o.Labels != "" {
		f, err := createFile(o.Labels)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		labels = f
	}
	sum, err := sim.Generate(ctx, scenario, o.Seed, events, labels, sim.GenerateOptions{Count: o.Count, Start: o.From})
	if err != nil {
		return err
	}
	return json.NewEncoder(streams.Err).Encode(sum)
}

func createFile(name string) (*os.File, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("creating output: %w", err)
	}
	return f, nil
}

// Score prints precision, recall and time to detect of alert lines against label lines.
func Score(alertFile, labelFile string, streams Streams) error {
	alerts, err := os.Open(alertFile)
	if err != nil {
		return Usagef("reading alerts: %w", err)
	}
	defer alerts.Close()
	labels, err := os.Open(labelFile)
	if err != nil {
		return Usagef("reading labels: %w", err)
	}
	defer labels.Close()
	report, err := sim.Score(bufio.NewReader(alerts), bufio.NewReader(labels))
	if err != nil {
		return err
	}
	return report.WriteText(streams.Out)
}
