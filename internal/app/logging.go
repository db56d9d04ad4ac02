package app

import (
	"fmt"
	"io"
	"slices"

	"github.com/sirupsen/logrus"
)

// LogConfig is for diagnostics, what the program says of itself. Events are another log: im_server.log.
type LogConfig struct {
	Level  string `yaml:"level" doc:"debug, info, warn or error"`
	Format string `yaml:"format" doc:"text or json"`
}

// Validate names every fault by its key.
func (c LogConfig) Validate() error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Level) {
		return fmt.Errorf("level: found %q, expected debug, info, warn or error", c.Level)
	}
	if c.Format != "text" && c.Format != "json" {
		return fmt.Errorf("format: found %q, expected text or json", c.Format)
	}
	return nil
}

func newLogger(c LogConfig, w io.Writer) *logrus.Logger {
	l := logrus.New()
	l.SetOutput(w)
	level, err := logrus.ParseLevel(c.Level)
	if err != nil {
		level = logrus.InfoLevel
	}
	l.SetLevel(level)
	if c.Format == "json" {
		l.SetFormatter(&logrus.JSONFormatter{})
	} else {
		l.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, DisableColors: true})
	}
	return l
}
