package stdout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"imwatch/alerting/channel"
	"imwatch/alerting/stdout"
	"imwatch/event"
)

func TestFormats(t *testing.T) {
	n := channel.Notification{ID: "n", Kind: channel.Firing, Receiver: "log", Alert: event.Alert{ID: "a", Severity: "high"}, Message: channel.Message{Title: "<title>", Body: "one\ntwo"}}
	var b bytes.Buffer
	if got := stdout.New(stdout.Config{Format: stdout.Text}, &b).Send(t.Context(), n); got.Verdict != channel.Accepted || b.String() != "<title>\n  one\n  two\n\n" {
		t.Errorf("%+v %q", got, b.String())
	}
	b.Reset()
	stdout.New(stdout.Config{Format: stdout.JSON}, &b).Send(t.Context(), n)
	var line struct{ Title, Text, Alert string }
	if err := json.Unmarshal(b.Bytes(), &line); err != nil || strings.Count(b.String(), "\n") != 1 || line.Title != "<title>" || line.Alert != "a" {
		t.Errorf("%v %s", err, b.String())
	}
	if got := stdout.New(stdout.DefaultConfig(), broken{}).Send(t.Context(), n); got.Verdict != channel.Retry {
		t.Errorf("%+v", got)
	}
	cfg := stdout.Config{Format: "jsno"}
	if err := cfg.Validate("s"); err == nil || !strings.Contains(err.Error(), `s.format: found "jsno", expected text or json; did you mean json?`) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("pipe is closed") }
