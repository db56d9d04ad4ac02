package elastic

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"imwatch/internal/store"
)

// statusError is an answer that is not 2xx. It is store.ErrUnavailable where the same request may succeed later.
type statusError struct {
	status int
	reason string
}

func (e *statusError) Error() string { return fmt.Sprintf("answered %d: %s", e.status, e.reason) }

// Is says whether waiting may help.
func (e *statusError) Is(target error) bool {
	return target == store.ErrUnavailable && (e.status == http.StatusTooManyRequests || e.status == http.StatusRequestTimeout || e.status >= 500)
}

// cause is an error as Elasticsearch writes it; of an old or a foreign answer it may be a mere string.
type cause struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
	Inner  *cause `json:"caused_by"`
	Shards []struct {
		Reason *cause `json:"reason"`
	} `json:"failed_shards"`
}

// String gives type and reason, with those of the innermost cause.
func (c cause) String() string {
	text := c.Type + ": " + c.Reason
	inner := c.Inner
	if inner == nil && len(c.Shards) > 0 {
		inner = c.Shards[0].Reason
	}
	for inner != nil && inner.Inner != nil {
		inner = inner.Inner
	}
	if inner != nil && inner.Reason != "" && !strings.Contains(text, inner.Reason) {
		text += " (" + inner.Reason + ")"
	}
	return text
}

const longAnswer = 500 // bytes of an answer without an error object that are shown

func refusal(status int, body []byte) error {
	var answer struct{ Error cause }
	if json.Unmarshal(body, &answer) == nil && answer.Error.Type != "" {
		return &statusError{status, answer.Error.String()}
	}
	text := strings.ToValidUTF8(string(body[:min(len(body), longAnswer)]), "")
	return &statusError{status, strings.TrimSpace(text)}
}

// status gives the HTTP status of an error, 0 where there was no answer.
func status(err error) int {
	if e, ok := errors.AsType[*statusError](err); ok {
		return e.status
	}
	return 0
}
