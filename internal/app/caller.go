package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// readToken gives the token of a file, or else of a variable of the environment. hint says where such a file is.
func readToken(file string, env []string, variable, hint string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", Usagef("--token-file: %w", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	for _, v := range env {
		if token, ok := strings.CutPrefix(v, variable+"="); ok {
			return token, nil
		}
	}
	return "", Usagef("no token: give --token-file FILE (%s) or %s", hint, variable)
}

func serverURL(server, path string, query url.Values) string {
	target := strings.TrimSuffix(server, "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return target
}

// callServer asks an interface of ours; the caller closes the body. A refusal is an error with the server's words.
func callServer(ctx context.Context, method, target string, body io.Reader, header http.Header) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, Usagef("--server: %w", err)
	}
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the server: %w", err)
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what came of it will do
	var refusal struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(b, &refusal) != nil || refusal.Error == "" {
		refusal.Error = strings.TrimSpace(string(b))
	}
	if resp.StatusCode == http.StatusBadRequest {
		return nil, Usagef("%s", refusal.Error)
	}
	return nil, fmt.Errorf("the server refuses: status %d: %s", resp.StatusCode, refusal.Error)
}

// askOps reads what a page of an operations listener says, with the token ops.token.
func askOps(ctx context.Context, target, tokenFile string, env []string, into any) error {
	token, err := readToken(tokenFile, env, EnvPrefix+"OPS_TOKEN", "of imwatch up: data/ops.token")
	if err != nil {
		return err
	}
	body, err := callServer(ctx, http.MethodGet, target, nil, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", target, err)
	}
	return nil
}
