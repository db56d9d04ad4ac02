package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"imwatch/event"
	"imwatch/internal/store"
)

// appendCreate adds one document to the body of a _bulk request.
func appendCreate(dst []byte, d store.Doc) []byte {
	dst = append(dst, `{"create":{"_index":`...)
	dst = event.AppendString(dst, d.Index)
	dst = append(dst, `,"_id":`...)
	dst = event.AppendString(dst, d.ID)
	dst = append(dst, "}}\n"...)
	return appendLine(dst, d.Body)
}

// appendLine adds a body as one line. A newline in JSON can stand between tokens only, where a space means the same.
func appendLine(dst, body []byte) []byte {
	start := len(dst)
	dst = append(dst, body...)
	for i := bytes.IndexByte(dst[start:], '\n'); i >= 0; i = bytes.IndexByte(dst[start:], '\n') {
		start += i
		dst[start] = ' '
	}
	return append(dst, '\n')
}

// bulkItem is the answer to one line of a _bulk request.
type bulkItem struct {
	Status      int    `json:"status"`
	Error       *cause `json:"error"`
	SeqNo       int64  `json:"_seq_no"`
	PrimaryTerm int64  `json:"_primary_term"`
}

// reason gives the server's words.
func (i bulkItem) reason() string {
	if i.Error == nil {
		return fmt.Sprintf("status %d", i.Status)
	}
	return i.Error.String()
}

// result says what became of the document of an item.
func (i bulkItem) result() store.Result {
	switch i.Status {
	case http.StatusCreated, http.StatusOK:
		return store.Result{Outcome: store.Stored}
	case http.StatusConflict:
		return store.Result{Outcome: store.Existed}
	// The document is not at fault: no right to write, an index that is blocked or cannot be made.
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return store.Result{Outcome: store.Retry, Reason: i.reason()}
	}
	// A cluster that has all the shards it may have answers 400 too, with this type of its own.
	if i.Status >= 500 || i.Error != nil && i.Error.Type == "validation_exception" {
		return store.Result{Outcome: store.Retry, Reason: i.reason()}
	}
	return store.Result{Outcome: store.Rejected, Reason: i.reason()}
}

// items sends the body of a _bulk request of n lines. Without errors, and unless all are wanted, it gives none.
func (c *client) items(ctx context.Context, body []byte, n int, all bool) ([]bulkItem, error) {
	req := esapi.BulkRequest{Body: bytes.NewReader(body)}
	if !all {
		req.FilterPath = []string{"errors", "items.*.status", "items.*.error.type", "items.*.error.reason", "items.*.error.caused_by"}
	}
	answer, err := c.raw(ctx, req)
	if err != nil {
		return nil, err
	}
	if !all && bytes.HasPrefix(answer, []byte(`{"errors":false`)) {
		return nil, nil
	}
	var got struct {
		Errors bool
		Items  []map[string]bulkItem
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, fmt.Errorf("reading the answer to _bulk: %w: %w", store.ErrUnavailable, err)
	}
	if len(got.Items) != n {
		return nil, fmt.Errorf("reading the answer to _bulk: %w: %d results for %d documents", store.ErrUnavailable, len(got.Items), n)
	}
	items := make([]bulkItem, n)
	for i, m := range got.Items {
		for _, item := range m { // the one member, named by the action
			items[i] = item
		}
	}
	return items, nil
}
