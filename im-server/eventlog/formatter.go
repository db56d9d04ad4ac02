package eventlog

import (
	"errors"

	"github.com/sirupsen/logrus"

	"imwatch/event"
)

// entryKey is where an entry's Data carries its *event.Event.
const entryKey = "event"

// formatter is the logrus formatter of events: the event of the entry as one line of JSON, made by appending and
// without a map or reflection. An entry without an event is an error, so that no other line gets into the event log.
// Not safe for concurrent use: its buffer is used again.
type formatter struct {
	buf []byte
}

// Format gives the line with its line feed. It is good until the next call.
func (f *formatter) Format(entry *logrus.Entry) ([]byte, error) {
	ev, ok := entry.Data[entryKey].(*event.Event)
	if !ok {
		return nil, errors.New("formatting an entry that carries no event")
	}
	f.buf = append(ev.AppendJSON(f.buf[:0]), '\n')
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
