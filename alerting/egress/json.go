package egress

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Encode gives v as JSON that keeps <, > and & as they are: they would take six bytes each of what a provider allows.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the message: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Post makes a request of JSON. Its error does not hold the address.
func Post(ctx context.Context, address string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, errURL
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	return req, nil
}

type urlError struct{}

func (urlError) Error() string { return "the provider's address is not one" }

var errURL error = urlError{}

// Send posts JSON and reads the answer.
func Send(ctx context.Context, c *http.Client, address string, v any) (Answer, error) {
	body, err := Encode(v)
	if err != nil {
		return Answer{}, err
	}
	req, err := Post(ctx, address, body)
	if err != nil {
		return Answer{}, err
	}
	return Do(ctx, c, req)
}
