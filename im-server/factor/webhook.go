package factor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Webhook asks an HTTP endpoint: POST with {"user", "code", "device", "client_ip"}. 2xx lets in, 401 and 403 refuse,
// anything else is a failure of the endpoint. Safe for concurrent use.
type Webhook struct {
	URL    string
	Token  string       // sent as a bearer token; "": none
	Client *http.Client // heeds the context's deadline; nil: http.DefaultClient
}

// Check asks the endpoint.
func (w *Webhook) Check(ctx context.Context, r Request) error {
	body, err := json.Marshal(map[string]string{"user": r.User, "code": r.Code, "device": r.Device, "client_ip": r.ClientIP})
	if err != nil {
		return fmt.Errorf("asking the second factor's hook: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the second factor's hook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if w.Token != "" {
		req.Header.Set("Authorization", "Bearer "+w.Token)
	}
	client := w.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the second factor's hook: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // only its status counts
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: the hook says %s", ErrRefused, res.Status)
	}
	return fmt.Errorf("asking the second factor's hook: the answer is %s", res.Status)
}
