package kibana

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says where Kibana is. Without a URL there is nothing to do.
type Config struct {
	URL      string        `yaml:"url" doc:"address of Kibana, http://kibana:5601; empty: saved objects are not imported"`
	Username string        `yaml:"username" doc:"user for basic authentication; empty: none"`
	Password string        `yaml:"password" doc:"its password" secret:"true"`
	APIKey   string        `yaml:"api_key" doc:"encoded API key, instead of user and password" secret:"true"`
	Space    string        `yaml:"space" doc:"Kibana space; empty: the default space"`
	Timeout  time.Duration `yaml:"timeout" doc:"longest wait for an answer"`
}

// DefaultConfig gives the defaults: no Kibana.
func DefaultConfig() Config { return Config{Timeout: 30 * time.Second} }

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("url: found %q, expected http://host:port or https://host:port", c.URL))
		}
	}
	if c.APIKey != "" && c.Username != "" {
		errs = append(errs, errors.New("api_key, username: give one of them"))
	}
	if c.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: found %v, expected more than 0", c.Timeout))
	}
	return errors.Join(errs...)
}

// Install imports all objects, in place of older ones of the same ids. It can be run again. Kibana answers 200 also
// when objects were refused, so the body decides.
func Install(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	body, contentType := importForm()
	path := "/api/saved_objects/_import?overwrite=true"
	if cfg.Space != "" {
		path = "/s/" + url.PathEscape(cfg.Space) + path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(cfg.URL, "/")+path, body)
	if err != nil {
		return fmt.Errorf("preparing Kibana import: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("kbn-xsrf", "imwatch")
	switch {
	case cfg.APIKey != "":
		req.Header.Set("Authorization", "ApiKey "+cfg.APIKey)
	case cfg.Username != "":
		req.SetBasicAuth(cfg.Username, cfg.Password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("importing into Kibana: %w", err)
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

func importForm() (*bytes.Buffer, string) {
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	part, err := form.CreateFormFile("file", "imwatch.ndjson")
	if err == nil {
		_, err = part.Write(NDJSON())
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil { // a bytes.Buffer does not fail
		panic(fmt.Sprintf("writing a form to memory: %v", err))
	}
	return &buf, form.FormDataContentType()
}

func readAnswer(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("reading Kibana's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("importing into Kibana: status %d: %.300s", resp.StatusCode, b)
	}
	var answer struct {
		Success bool
		Errors  []struct {
			ID, Type string
			Error    struct{ Type, Reason string }
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return fmt.Errorf("reading Kibana's answer: %w", err)
	}
	if answer.Success {
		return nil
	}
	errs := []error{errors.New("saved objects were refused by Kibana")}
	for _, e := range answer.Errors {
		errs = append(errs, fmt.Errorf("%s %s: %s %s", e.Type, e.ID, e.Error.Type, e.Error.Reason))
	}
	return errors.Join(errs...)
}
