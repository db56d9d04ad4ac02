package wecomapp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// token is the access token with the time at which it ends, as WeCom said when it gave it. One is fetched at a time:
// fetching is limited too, and a new one may end the one before.
type token struct {
	mu    sync.Mutex
	value string
	ends  time.Time
}

// margin is how long before its end a token is not used any more: a request under way still needs it.
const margin = time.Minute

// get gives a token that lasts, from WeCom where there is none; or the result that says why there is none.
func (a *App) get(ctx context.Context) (string, channel.Result, bool) {
	a.token.mu.Lock()
	defer a.token.mu.Unlock()
	if a.token.value != "" && a.now().Before(a.token.ends) {
		return a.token.value, channel.Result{}, true
	}
	q := url.Values{"corpid": {a.cfg.CorpID}, "corpsecret": {a.cfg.Secret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(a.cfg.URL, "/")+"/cgi-bin/gettoken?"+q.Encode(), http.NoBody)
	if err != nil {
		return "", channel.Refuse("the interface's address is not one"), false
	}
	asked := a.now()
	answer, err := egress.Do(ctx, a.client, req)
	if err != nil {
		return "", channel.TryLater(0, "fetching a token: %v", err), false // no message was sent, so nothing is open
	}
	answer = answer.Without(a.cfg.Secret)
	if result, ok := egress.ByStatus(answer, a.now()); ok {
		return "", result, false
	}
	var t struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
		Token   string `json:"access_token"`
		Seconds int    `json:"expires_in"`
	}
	switch err := json.Unmarshal(answer.Body, &t); {
	case err != nil || t.Code == nil:
		return "", channel.TryLater(0, "fetching a token: HTTP 200 without an errcode"), false
	case *t.Code == codeBusy:
		return "", channel.TryLater(0, "fetching a token: errcode -1: %s", t.Message), false
	case tooOftenCode(*t.Code):
		return "", channel.TryLater(tooOften, "fetching a token: errcode %d: %s", *t.Code, t.Message), false
	case *t.Code != codeOK || t.Token == "":
		return "", channel.Refuse("fetching a token: errcode %d: %s", *t.Code, t.Message), false
	}
	life := time.Duration(t.Seconds) * time.Second
	a.token.value, a.token.ends = t.Token, asked.Add(life-min(margin, life/2))
	return t.Token, channel.Result{}, true
}

// drop forgets a token that WeCom did not take, unless another call has fetched a new one since.
func (a *App) drop(value string) {
	a.token.mu.Lock()
	defer a.token.mu.Unlock()
	if a.token.value == value {
		a.token.value = ""
	}
}
