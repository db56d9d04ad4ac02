// Package stdout notifies whoever reads the process's standard output: a log collector, or a person at a terminal.
package stdout

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// The formats of a message.
const (
	Text = "text"
	JSON = "json"
)

// Config says how notifications are written. Begin with DefaultConfig.
type Config struct {
	Format string `yaml:"format" doc:"text, or json: one object a line"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config { return Config{Format: Text} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path.
func (c *Config) Validate(path string) error { return channel.CheckFormat(path, c.Format, Text, JSON) }

// Writer writes notifications. Safe for concurrent use.
type Writer struct {
	cfg Config
	mu  sync.Mutex
	out io.Writer
}

// New makes a writer; out nil: standard output.
func New(cfg Config, out io.Writer) *Writer {
	if out == nil {
		out = os.Stdout
	}
	return &Writer{cfg: cfg, out: out}
}

// maxText is how long a text about several alerts may be.
const maxText = 60_000

// Budget says that texts can tell several alerts at once; objects for programs tell each by itself.
func (w *Writer) Budget() channel.Budget {
	if w.cfg.Format == JSON {
		return channel.Budget{}
	}
	return channel.Budget{Fold: maxText}
}

// Close does nothing: standard output belongs to the process.
func (w *Writer) Close() {}

type line struct {
	ID       string         `json:"id"`
	Kind     channel.Kind   `json:"kind"`
	Receiver string         `json:"receiver"`
	Title    string         `json:"title"`
	Text     string         `json:"text"`
	Alert    string         `json:"alert"`
	Severity string         `json:"severity"`
	Links    []channel.Link `json:"links,omitempty"`
}

// Send writes a notification in one call, so that lines of others do not come between.
func (w *Writer) Send(_ context.Context, n channel.Notification) channel.Result {
	text := n.Message.Title + "\n" + "  " + strings.ReplaceAll(n.Message.Body, "\n", "\n  ") + "\n\n"
	if w.cfg.Format == JSON {
		b, err := egress.Encode(line{n.ID, n.Kind, n.Receiver, n.Message.Title, n.Message.Body, n.Alert.ID, n.Alert.Severity, n.Message.Links})
		if err != nil {
			return channel.Refuse("%v", err)
		}
		text = string(b) + "\n"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := io.WriteString(w.out, text); err != nil {
		return channel.TryLater(0, "%v", err)
	}
	return channel.Accept(fmt.Sprintf("%d bytes", len(text)))
}
