package robot_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
)

// post is called by other goroutines too, so it does not end the test.
func post(t *testing.T, url, contentType, body string) string {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
		return ""
	}
	return string(b)
}

func TestProvidersJudge(t *testing.T) {
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const js, form = "application/json", "application/x-www-form-urlencoded"
	for _, tc := range []struct{ url, contentType, body, want string }{
		{r.URL(), js, `{"msgtype":"markdown","markdown":{"content":"**x**"}}`, `"errcode":0`},
		{r.URL() + "x", js, `{"msgtype":"markdown","markdown":{"content":"x"}}`, `"errcode":93000`},
		{r.URL(), js, `{"msgtype":"video"}`, `"errcode":40008`},
		{r.URL(), js, `nonsense`, `"errcode":40008`},
		{r.URL(), js, `{"msgtype":"text","text":{"content":"` + strings.Repeat("x", 2049) + `"}}`, `"errcode":40058`},
		{r.URL(), js, `{"msgtype":"markdown","markdown":{"content":"` + strings.Repeat("告", 1366) + `"}}`, `"errcode":40058`},
		{r.WebhookURL(), js, `{"title":"t"}`, `"ok":true`},
		{r.WebhookURL(), js, `nonsense`, `not JSON`},
		{r.SMSURL(), form, `to=1&text=hello`, `"OK"`},
		{r.SMSURL(), js, `{"to":"1","text":"hello"}`, `"OK"`},
		{r.SMSURL(), form, `to=1`, `MissingParameter`},
	} {
		if got := post(t, tc.url, tc.contentType, tc.body); !strings.Contains(got, tc.want) {
			t.Errorf("%.80s: %s, want %s", tc.body, got, tc.want)
		}
	}
	if got := r.Received(); len(got) != 4 || r.Calls(robot.WeCom) != 6 {
		t.Errorf("%d accepted, %d calls to WeCom", len(got), r.Calls(robot.WeCom))
	}
}

func TestPlanAndWait(t *testing.T) {
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Plan(robot.SMS, robot.Answer{Status: 500, Body: "down"})
	done := make(chan struct{})
	go func() {
		for range 2 {
			post(t, r.SMSURL(), "application/x-www-form-urlencoded", "to=1&text=hello")
		}
		close(done)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := r.Wait(ctx, func(ms []robot.Message) bool { return len(ms) == 1 })
	if err != nil || got[0].Text != "hello" || got[0].To != "1" || r.Calls(robot.SMS) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	<-done
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := r.Wait(ended, func(ms []robot.Message) bool { return len(ms) > 1 }); err == nil {
		t.Error("Wait did not end with its context")
	}
}
