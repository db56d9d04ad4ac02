package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func someFiles(n int) (all []File) {
	for i := range n {
		all = append(all, File{
			Path: fmt.Sprintf("/log/%d/app-%03d.log", i%3, i/2), Fingerprint: fmt.Sprint(i % 2), Source: fmt.Sprintf("s%d", i%4), Input: "file",
			State: States()[i%len(States())], LagBytes: int64(i * 10), LagSeconds: float64(i), Error: strings.Repeat("x", i%2),
		})
	}
	return all
}

// TestPages holds the pages together to what the filter asks for of the whole.
func TestPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := someFiles(rapid.IntRange(0, 60).Draw(t, "files"))
		q := url.Values{}
		for key, values := range map[string][]string{
			"state": States(), "source": {"s0", "s3"}, "min_behind": {"0", "200"}, "min_lag": {"10s", "1m"}, "error": {"true", "false"}, "path": {"/log/1/*", "app-00?.log"},
		} {
			if rapid.Bool().Draw(t, key) {
				q.Set(key, rapid.SampledFrom(values).Draw(t, key+"'s"))
			}
		}
		whole, err := ParseFilter(q)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for i := range all {
			if whole.Match(&all[i]) {
				want = append(want, all[i].key())
			}
		}
		slices.Sort(want)
		q.Set("limit", fmt.Sprint(rapid.IntRange(1, 20).Draw(t, "limit")))
		for range 100 {
			f, err := ParseFilter(q)
			if err != nil {
				t.Fatal(err)
			}
			page := Pick("n", slices.Clone(all), &f)
			if page.Matched != len(want) || page.Total != len(all) || len(page.Files) > f.Limit {
				t.Fatalf("%d of %d, %d on a page", page.Matched, page.Total, len(page.Files))
			}
			for i := range page.Files {
				got = append(got, page.Files[i].key())
			}
			if page.Next == "" {
				break
			}
			q.Set("after", page.Next)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q, not %q", got, want)
		}
	})
}

func TestFilterFaults(t *testing.T) {
	for query, says := range map[string]string{
		"stat=live":      "did you mean state?",
		"zzz=1":          "there are path, source",
		"state=old":      `found "old", expected one of live, rotated`,
		"min_lag=5":      "expected a duration like 90s",
		"min_behind=-1":  "expected a whole number",
		"limit=0":        "from 1 to 1000",
		"limit=2&limit=": "it stands 2 times",
		"after=%21":      "what next of the page before says",
		"path=%5B":       "expected a pattern",
		"error=yes":      "expected one of true, false",
		"input=pipe":     "file, stdin, syslog, http",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseFilter(q); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

type fake struct{ err error }

func (f fake) Status(context.Context) Status { return Status{Node: "n"} }
func (f fake) Files(context.Context) (string, []File, error) {
	return "n", someFiles(3), f.err
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		err    error
		target string
		status int
	}{
		{nil, "/-/files", 200}, {nil, "/-/files?limit=x", 400}, {ErrNotRunning, "/-/files", 503}, {errors.New("late"), "/-/files", 503}, {nil, "/-/ship", 200},
	} {
		w := httptest.NewRecorder()
		h := ServeFiles(fake{tt.err})
		if tt.target == "/-/ship" {
			h = ServeStatus(fake{})
		}
		h(w, httptest.NewRequestWithContext(t.Context(), "GET", tt.target, nil))
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != tt.status {
			t.Errorf("%s: %d %s", tt.target, w.Code, w.Body)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add("state=live&limit=3&after=AAA")
	f.Add("path=[&min_lag=1h")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		filter, err := ParseFilter(q)
		if err != nil {
			return
		}
		if p := Pick("n", someFiles(5), &filter); len(p.Files) > filter.Limit {
			t.Errorf("%d files", len(p.Files))
		}
	})
}
