package ops

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"
)

// newFollow begins what a request for a trace asks for; nil after it was refused.
func (a *API) newFollow(w http.ResponseWriter, r *http.Request) (*follow, time.Duration) {
	id, user := r.PathValue("id"), r.PathValue("user")
	length := defaultTrace
	if text := r.URL.Query().Get("for"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > maxTrace {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("for: found %q, expected a duration up to %v", text, maxTrace))
			return nil, 0
		}
		length = d
	}
	f := a.Traces.begin(id, user) // before the look, so that its end is not missed
	if f == nil {
		refuse(w, http.StatusServiceUnavailable, "the server stops")
		return nil, 0
	}
	if id != "" {
		if _, ok := a.deps.Node.Conn(id); !ok {
			a.Traces.end(f)
			noConn(w, id)
			return nil, 0
		}
	}
	a.deps.Log.WithFields(logrus.Fields{"connection": id, "user": user, "for": length, "actor": actor(r)}).Warn("frames are being followed")
	return f, length
}

// lastLine ends a stream, and says what it lacks.
type lastLine struct {
	End     string `json:"end"`
	Dropped int64  `json:"dropped"`
}

// stream answers with a line of JSON for each frame as it comes.
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	f, length := a.newFollow(w, r)
	if f == nil {
		return
	}
	defer a.Traces.end(f)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	send := func(v any) error {
		// Who follows and does not read must not keep the server from stopping.
		_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second)) // without one it is the server's time-out
		if err := lines.Encode(v); err != nil {
			return fmt.Errorf("sending a frame: %w", err)
		}
		if len(f.frames) > 0 {
			return nil // more comes at once
		}
		return out.Flush() //nolint:wrapcheck // only whether it failed is asked
	}
	if out.Flush() != nil {
		return
	}
	why := f.run(r.Context().Done(), length, func(fr Frame) error { return send(fr) })
	_ = send(lastLine{why, f.dropped.Load()}) // the caller may be gone
}

// trace writes the frames into the diagnostics, and answers at once.
func (a *API) trace(w http.ResponseWriter, r *http.Request) {
	f, length := a.newFollow(w, r)
	if f == nil {
		return
	}
	a.logs.Go(func() {
		defer a.Traces.end(f)
		why := f.run(nil, length, func(fr Frame) error {
			a.deps.Log.WithFields(logrus.Fields{
				"connection": fr.Conn, "user": fr.User, "dir": fr.Dir, "type": fr.Type, "bytes": fr.Bytes, "queue_bytes": fr.Queue, "at": fr.At.Format(time.RFC3339Nano),
			}).Info("frame")
			return nil
		})
		a.deps.Log.WithFields(logrus.Fields{"connection": f.conn, "user": f.user, "dropped": f.dropped.Load()}).Info("frames are no longer followed: " + why)
	})
	answer(w, http.StatusAccepted, map[string]any{"for_ms": length.Milliseconds(), "to": "the diagnostics of the server"})
}
