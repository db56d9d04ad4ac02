package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"imwatch/alerting/desk"
	"imwatch/internal/store"
)

// refusal is an error for the caller.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func badRequest(err error) error { return &refusal{http.StatusBadRequest, err.Error()} }

// answer tells an error: what the caller did wrong in full, what is wrong here as far as it is the caller's business.
func (a *API) answer(w http.ResponseWriter, err error) {
	status, text := http.StatusInternalServerError, "internal error"
	refused, isRefusal := errors.AsType[*refusal](err)
	switch {
	case isRefusal:
		status, text = refused.status, refused.text
	case errors.Is(err, desk.ErrUnknown):
		status, text = http.StatusNotFound, err.Error()
	case errors.Is(err, desk.ErrFixed), errors.Is(err, desk.ErrOver):
		status, text = http.StatusConflict, err.Error()
	case errors.Is(err, store.ErrUnavailable):
		status, text = http.StatusServiceUnavailable, "the store cannot be reached; try again"
		w.Header().Set("Retry-After", "5")
	}
	if status >= http.StatusInternalServerError {
		a.log.WithError(err).Error("a request to the alerting's interface failed")
	}
	a.write(w, status, map[string]string{"error": text})
}

func (a *API) write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.log.WithError(err).Error("an answer of the alerting's interface cannot be encoded")
		http.Error(w, `{"error":"internal error"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller may have gone
}

// maxBody bounds what a caller sends.
const maxBody = 64 << 10

// read decodes a request's body, strictly; ServeHTTP has bounded it. An empty one is an empty object.
func read(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &refusal{http.StatusRequestEntityTooLarge, "the body is too large"}
	}
	if err != nil {
		return badRequest(errors.New("the body cannot be read: " + err.Error()))
	}
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil || body[0] != '{' { // null is no error to the decoder
		if err == nil {
			err = errors.New("found " + string(body[:min(len(body), 20)]))
		}
		return badRequest(errors.New("the body is no JSON object of the form that is expected: " + err.Error()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest(errors.New("something stands behind the JSON object"))
	}
	return nil
}
