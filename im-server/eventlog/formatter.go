package eventlog

import (
	"context"
	"errors"

	"github.com/sirupsen/logrus"

	"imwatch/event"
)

// carrier takes an event through logrus as an entry's Context: unlike Data it is no map, which logrus would clone for
// each line.
type carrier struct {
	context.Context //nolint:containedctx // never asked: only its type and the event are

	ev *event.Event
}

// formatter is the logrus formatter of events: the event of the entry as one line of JSON, made by appending, without a
// map, reflection or an allocation. An entry without an event is an error, so that no other line gets into the event log.
// Not safe for concurrent use: its buffer is used again.
type formatter struct {
	buf []byte
}

// Format gives the line with its line feed. It is good until the next call.
func (f *formatter) Format(entry *logrus.Entry) ([]byte, error) {
	c, ok := entry.Context.(*carrier)
	if !ok {
		return nil, errors.New("formatting an entry that carries no event")
	}
	f.buf = append(c.ev.AppendJSON(f.buf[:0]), '\n')
	return f.buf, nil
}

func logrusLevel(level string) logrus.Level {
	switch level {
	case event.LevelTrace:
		return logrus.TraceLevel
	case event.LevelDebug:
		return logrus.DebugLevel
	case event.LevelWarn:
		return logrus.WarnLevel
	case event.LevelError:
		return logrus.ErrorLevel
	case event.LevelFatal:
		return logrus.FatalLevel
	}
	return logrus.InfoLevel
}
