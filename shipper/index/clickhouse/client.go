package clickhouse

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// client speaks ClickHouse's HTTP protocol.
type client struct {
	cfg  Config
	http *http.Client
}

func newClient(cfg Config) (*client, error) {
	web := http.DefaultTransport.(*http.Transport).Clone()
	web.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
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
	return &client{cfg, &http.Client{Transport: web, Timeout: cfg.Timeout}}, nil
}

// exception is an error of ClickHouse's own.
type exception struct {
	status int
	code   int
	text   string
}

func (e *exception) Error() string {
	return fmt.Sprintf("ClickHouse answered %d: %s", e.status, e.text)
}

// aboutData says whether the rows are at fault, and not the server, the table or the moment.
func (e *exception) aboutData() bool {
	switch e.code {
	case 6, // CANNOT_PARSE_TEXT
		26, 27, 38, 41, // CANNOT_PARSE_QUOTED_STRING, …_INPUT_ASSERTION_FAILED, …_DATE, …_DATETIME
		53,       // TYPE_MISMATCH
		69,       // ARGUMENT_OUT_OF_BOUND
		72,       // CANNOT_PARSE_NUMBER
		117,      // INCORRECT_DATA
		131,      // TOO_LARGE_STRING_SIZE
		321, 349, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE, CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
		407, // DECIMAL_OVERFLOW
		467, // CANNOT_PARSE_BOOL
		469: // VIOLATED_CONSTRAINT
		return true
	}
	return e.status == http.StatusRequestEntityTooLarge
}

var codeIn = regexp.MustCompile(`Code: (\d+)\. DB::(?:\w+)?Exception`)

// do runs a statement with the rows, and gives the answer. ClickHouse may begin an answer with 200 and break off with
// an exception in its body: that is an error too, and so is an answer that is cut.
func (c *client) do(ctx context.Context, statement string, rows []byte, settings map[string]string) (string, error) {
	query := url.Values{"wait_end_of_query": {"1"}, "query": {statement}}
	for k, v := range settings {
		query.Set(k, v)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.cfg.URL, "/")+"/?"+query.Encode(), bytes.NewReader(rows))
	if err != nil {
		return "", fmt.Errorf("asking ClickHouse: %w", err)
	}
	if c.cfg.Username != "" {
		req.Header.Set("X-ClickHouse-User", c.cfg.Username)
		req.Header.Set("X-ClickHouse-Key", c.cfg.Password)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if inner, ok := err.(*url.Error); ok { //nolint:errorlint // its text holds the whole statement
			err = inner.Err
		}
		return "", fmt.Errorf("asking ClickHouse: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", fmt.Errorf("reading ClickHouse's answer: %w", err)
	}
	text := string(body)
	late := codeIn.FindStringSubmatch(text)
	code := res.Header.Get("X-ClickHouse-Exception-Code")
	if code == "" {
		code = res.Trailer.Get("X-ClickHouse-Exception-Code")
	}
	if code == "" && late != nil {
		code = late[1]
	}
	if res.StatusCode != http.StatusOK || code != "" {
		n, _ := strconv.Atoi(code) // 0 where there is none: another's answer
		return "", &exception{res.StatusCode, n, strings.TrimSpace(strings.ToValidUTF8(text[:min(len(text), 500)], ""))}
	}
	return text, nil
}

// insert puts rows into a table in one go; with the same token it does so once.
func (c *client) insert(ctx context.Context, table, token string, rows []byte) error {
	answer, err := c.do(ctx, "INSERT INTO "+table+" FORMAT JSONEachRow", rows, map[string]string{
		"insert_deduplicate": "1", "insert_deduplication_token": token, "async_insert": "0",
		"date_time_input_format": "best_effort", "input_format_parallel_parsing": "0", "max_insert_block_size": "100000000",
		"input_format_skip_unknown_fields": "0",
	})
	if err == nil && strings.TrimSpace(answer) != "" {
		err = fmt.Errorf("ClickHouse answered an insert with %.200q", answer)
	}
	return err
}

// quote writes a string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
