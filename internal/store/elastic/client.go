package elastic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"

	"imwatch/internal/store"
)

// client sends one request at a time, without retrying, and makes an error of every answer that is not 2xx.
type client struct {
	transport *elastictransport.Client
	idle      interface{ CloseIdleConnections() }
	timeout   time.Duration
}

func newClient(cfg Config) (*client, error) {
	web := http.DefaultTransport.(*http.Transport).Clone()
	web.MaxIdleConnsPerHost = 32
	web.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: cfg.InsecureSkipVerify} //nolint:gosec // asked for by the operator
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		web.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !web.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: no certificate in %s", cfg.CAFile)
		}
	}
	var urls []*url.URL
	for _, a := range cfg.Addresses {
		u, err := url.Parse(a)
		if err != nil {
			return nil, fmt.Errorf("addresses: %w", err)
		}
		urls = append(urls, u)
	}
	options := []elastictransport.Option{
		elastictransport.WithURLs(urls...), elastictransport.WithTransport(web),
		elastictransport.WithDisableRetry(), // the caller retries: it knows how long the answer is worth having
	}
	switch {
	case cfg.APIKey != "":
		options = append(options, elastictransport.WithAPIKey(cfg.APIKey))
	case cfg.Username != "":
		options = append(options, elastictransport.WithBasicAuth(cfg.Username, cfg.Password))
	}
	t, err := elastictransport.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("configuring Elasticsearch: %w", err)
	}
	return &client{transport: t, idle: web, timeout: cfg.Timeout}, nil
}

func (c *client) close() error {
	defer c.idle.CloseIdleConnections()
	return c.transport.Close(context.Background())
}

// do sends a request and reads the answer's JSON into the value that into points to, unless that is nil.
func (c *client) do(ctx context.Context, r esapi.Request, into any) error {
	body, err := c.raw(ctx, r)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("reading Elasticsearch's answer: %w: %w", store.ErrUnavailable, err)
	}
	return nil
}

// raw is do for the answer's bytes.
func (c *client) raw(caller context.Context, r esapi.Request) ([]byte, error) {
	if err := caller.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(caller, c.timeout)
	defer cancel()
	res, err := r.Do(ctx, c.transport)
	if err != nil {
		return nil, lost(caller, err)
	}
	body, err := io.ReadAll(res.Body)
	err = errors.Join(err, res.Body.Close())
	if err != nil {
		return nil, lost(caller, err)
	}
	if res.StatusCode/100 != 2 {
		return nil, refusal(res.StatusCode, body)
	}
	return body, nil
}

// lost is the error of a request that had no whole answer.
func lost(caller context.Context, err error) error {
	if ctxErr := caller.Err(); ctxErr != nil {
		return ctxErr
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}
