package status

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Shipper is what is asked. Its methods are safe for concurrent use, and return when ctx ends at the latest.
type Shipper interface {
	// Status tells how it is; what does not answer within ctx is told as trouble.
	Status(ctx context.Context) Status
	// Files gives all files and inputs. Its error is ErrNotRunning or ctx's.
	Files(ctx context.Context) (node string, files []File, err error)
}

// ErrNotRunning says that a shipper has not begun to read, or has ended.
var ErrNotRunning = errors.New("the shipper is not running")

// patience is how long an answer may take: the reader may be in the midst of a look at thousands of files.
const patience = 5 * time.Second

// ServeFiles answers GET /-/files.
func ServeFiles(s Shipper) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, err := ParseFilter(r.URL.Query())
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		node, files, err := s.Files(ctx)
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, err)
			return
		}
		answer(w, http.StatusOK, Pick(node, files, &f))
	}
}

// ServeStatus answers GET /-/ship: 200 whether it is healthy or not, since the answer says it.
func ServeStatus(s Shipper) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		answer(w, http.StatusOK, s.Status(ctx))
	}
}

func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]any{"error": err.Error(), "status": status})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(body) // who asked has gone away
}
