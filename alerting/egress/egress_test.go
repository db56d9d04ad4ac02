package egress_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "1.1.1.1": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "192.0.2.1": false, "198.18.0.1": false, "240.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false, "ff02::1": false, "2001:db8::1": false,
		"::ffff:10.0.0.1": false, "::ffff:1.1.1.1": true, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
	} {
		if got := egress.Public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-3": 0, "soon": 0, "99999999": time.Hour,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := egress.RetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestProxyNeedsPrivate(t *testing.T) {
	if _, err := egress.New(egress.Options{UseProxy: true}); err == nil {
		t.Error("a proxy would get around the check of addresses")
	}
	if _, err := egress.New(egress.Options{CAFile: "missing.pem"}); err == nil {
		t.Error("a missing file of authorities was ignored")
	}
}

// TestProxyOfAReceiver: calls go through the proxy, and no error holds its address or password.
func TestProxyOfAReceiver(t *testing.T) {
	var asked, auth string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked, auth = q.URL.String(), q.Header.Get("Proxy-Authorization")
		w.WriteHeader(http.StatusTeapot)
	}))
	n := egress.Network{Proxy: strings.Replace(proxy.URL, "http://", "http://u:pa55@", 1)}
	if err := n.Validate("x"); err != nil {
		t.Fatal(err)
	}
	c, err := n.Client(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	a, _, done := egress.Call(t.Context(), c, "http://provider.example/send?key=k", map[string]string{"a": "<b>"})
	if done || a.Status != http.StatusTeapot || asked != "http://provider.example/send?key=k" || auth == "" {
		t.Errorf("%+v %q %q", a, asked, auth)
	}
	proxy.Close()
	c.CloseIdleConnections()
	for _, target := range []string{"http://provider.example/?key=s3cret", "https://provider.example/?key=s3cret"} {
		_, r, done := egress.Call(t.Context(), c, target, nil)
		if !done || r.Verdict != channel.Retry || strings.Contains(r.Words, "pa55") || strings.Contains(r.Words, "s3cret") {
			t.Errorf("%s: %+v", target, r)
		}
	}
	for _, bad := range []egress.Network{{Proxy: "socks://u:pa55@h"}, {Proxy: "http://u:pa55@h", UseProxy: true}} {
		if err := bad.Validate("x"); err == nil || strings.Contains(err.Error(), "pa55") {
			t.Errorf("%v", err)
		}
	}
	if egress.CheckProxy(n, false, "x") == nil || egress.CheckProxy(n, true, "x") != nil {
		t.Error("a proxy goes with private addresses only")
	}
}

func TestClockLearns(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	c := egress.NewClock(func() time.Time { return now })
	date := func(d time.Duration) egress.Answer {
		return egress.Answer{Header: http.Header{"Date": {now.Add(d).Format(http.TimeFormat)}}}
	}
	if c.Learn(date(10*time.Second)) || c.Learn(egress.Answer{Header: http.Header{"Date": {"soon"}}}) {
		t.Error("learnt what is no difference")
	}
	if !c.Learn(date(-2*time.Hour)) || c.Learn(date(-2*time.Hour)) || !c.Now().Equal(now.Add(-2*time.Hour)) || !c.Own().Equal(now) {
		t.Errorf("%v", c.Now())
	}
}
