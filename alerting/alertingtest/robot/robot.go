package robot

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Key is the key that the WeCom robot asks for.
const Key = "robot-0123456789"

// Provider is which of the providers was called.
type Provider string

// The providers.
const (
	WeCom        Provider = "wecom"
	WeComToken   Provider = "wecom token"
	WeComApp     Provider = "wecom app"
	DingTalk     Provider = "dingtalk"
	Feishu       Provider = "feishu"
	Slack        Provider = "slack"
	PagerDuty    Provider = "pagerduty"
	Alertmanager Provider = "alertmanager"
	Webhook      Provider = "webhook"
	SMS          Provider = "sms"
	Aliyun       Provider = "aliyun"
	Tencent      Provider = "tencent"
)

// endpoint is where a provider answers and how it judges a call. The lock is held while it does.
type endpoint struct {
	provider Provider
	method   string
	path     string
	judge    func(*Robot, *http.Request, *Message) Answer
}

func endpoints() []endpoint {
	return []endpoint{
		{WeCom, http.MethodPost, "/cgi-bin/webhook/send", (*Robot).wecom},
		{WeComToken, http.MethodGet, "/cgi-bin/gettoken", (*Robot).getToken},
		{WeComApp, http.MethodPost, "/cgi-bin/message/send", (*Robot).wecomApp},
		{DingTalk, http.MethodPost, "/robot/send", (*Robot).dingTalk},
		{Feishu, http.MethodPost, "/open-apis/bot/v2/hook/" + FeishuHook, (*Robot).feishu},
		{Slack, http.MethodPost, "/services/" + SlackHook, (*Robot).slack},
		{PagerDuty, http.MethodPost, "/v2/enqueue", (*Robot).pagerDuty},
		{Alertmanager, http.MethodPost, "/api/v2/alerts", (*Robot).alertmanager},
		{Webhook, http.MethodPost, "/webhook", (*Robot).webhook},
		{SMS, http.MethodPost, "/sms", (*Robot).sms},
		{Aliyun, http.MethodPost, "/aliyun/", (*Robot).aliyun},
		{Tencent, http.MethodPost, "/tencent/", (*Robot).tencent},
	}
}

// Message is one accepted call.
type Message struct {
	Provider Provider
	At       time.Time
	Text     string // what a person would see: WeCom's content, a webhook's title, an SMS's text
	To       string // an SMS's number
	Body     []byte // as it came
	Header   http.Header
}

// Robot is the server. Make one with New and close it. Safe for concurrent use.
type Robot struct {
	base   string
	server *http.Server
	done   chan struct{}

	mu       sync.Mutex
	messages []Message
	calls    map[Provider]int
	plans    map[Provider][]Answer
	accepted map[Provider][]time.Time // for limits by the minute
	locked   map[Provider]time.Time
	skew     time.Duration
	token    string // the WeCom application's
	tokens   int
	shown    map[string]time.Time // messages of the application, until when the same is not shown again
	nonces   map[string]bool
	changed  chan struct{}
	closing  chan struct{}
}

// Answer is what a provider does with one call instead of judging it.
type Answer struct {
	Status int               // 0: 200
	Header map[string]string // such as Retry-After
	Body   string
	// Accept records the message all the same: the provider took it, whatever it answers.
	Accept bool
	// Hang never answers: the caller has to give up.
	Hang bool
}

// New starts a robot on a free port of the loopback interface.
func New() (*Robot, error) { return Listen("127.0.0.1:0") }

// Listen starts a robot on an address.
func Listen(addr string) (*Robot, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("starting the robot: %w", err)
	}
	r := Play()
	r.base = "http://" + l.Addr().String()
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(r.done)
		_ = r.server.Serve(l) // ends by Close
	}()
	return r, nil
}

// Play makes a robot without a server: call it as a handler. Its addresses begin with http://robot.example. It needs no
// Close.
func Play() *Robot {
	return &Robot{
		base: "http://robot.example", done: make(chan struct{}), closing: make(chan struct{}), calls: map[Provider]int{},
		plans: map[Provider][]Answer{}, changed: make(chan struct{}), accepted: map[Provider][]time.Time{}, locked: map[Provider]time.Time{},
		shown: map[string]time.Time{}, nonces: map[string]bool{},
	}
}

// ServeHTTP answers a call as the provider of its path does.
func (r *Robot) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	for _, e := range endpoints() {
		if q.Method == e.method && q.URL.Path == e.path {
			r.serve(w, q, e.provider, e.judge)
			return
		}
	}
	http.NotFound(w, q)
}

// Skew sets how far the providers' clocks are ahead of this machine's.
func (r *Robot) Skew(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.skew = d
}

// Address gives the base of all addresses, without a slash at its end.
func (r *Robot) Address() string { return r.base }

// URL is the WeCom robot's webhook, with its key.
func (r *Robot) URL() string { return r.base + "/cgi-bin/webhook/send" + "?key=" + Key }

// WebhookURL is the webhook receiver's address.
func (r *Robot) WebhookURL() string { return r.base + "/webhook" }

// SMSURL is the SMS gateway's address: it takes the form fields to and text, or JSON with them, and answers
// {"code":"OK"}.
func (r *Robot) SMSURL() string { return r.base + "/sms" }

// Close stops the robot. Calls that hang are cut.
func (r *Robot) Close() {
	close(r.closing)
	_ = r.server.Close()
	<-r.done
}

// now is the providers' time.
func (r *Robot) now(at time.Time) time.Time { return at.Add(r.skew) }

// Plan makes a provider answer its next calls so, one after the other, and as usual after that.
func (r *Robot) Plan(p Provider, answers ...Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plans[p] = append(r.plans[p], answers...)
}

// Calls gives the number of calls to a provider, those it did not accept included.
func (r *Robot) Calls(p Provider) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[p]
}

// Received gives the accepted messages in their order.
func (r *Robot) Received() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Message(nil), r.messages...)
}

// Wait returns the accepted messages as soon as they satisfy enough, or ctx's error with those there are.
func (r *Robot) Wait(ctx context.Context, enough func([]Message) bool) ([]Message, error) {
	for {
		r.mu.Lock()
		ms, changed := append([]Message(nil), r.messages...), r.changed
		r.mu.Unlock()
		if enough(ms) {
			return ms, nil
		}
		select {
		case <-ctx.Done():
			return ms, fmt.Errorf("waiting for the robot's messages, %d are there: %w", len(ms), ctx.Err())
		case <-changed:
		}
	}
}

// serve reads a call, and answers by the plan or as judge says.
func (r *Robot) serve(w http.ResponseWriter, q *http.Request, p Provider, judge func(*Robot, *http.Request, *Message) Answer) {
	body, err := io.ReadAll(io.LimitReader(q.Body, 1<<20))
	if err != nil {
		return // the caller is gone
	}
	m := Message{Provider: p, At: time.Now(), Body: body, Header: q.Header.Clone()}
	r.mu.Lock()
	r.calls[p]++
	w.Header().Set("Date", r.now(m.At).UTC().Format(http.TimeFormat))
	var a Answer
	if plan := r.plans[p]; len(plan) > 0 {
		a, r.plans[p] = plan[0], plan[1:]
		if a.Accept {
			_ = judge(r, q, &m) // to know its text
		}
	} else {
		a = judge(r, q, &m)
	}
	if a.Accept {
		r.messages = append(r.messages, m)
		close(r.changed)
		r.changed = make(chan struct{})
	}
	r.mu.Unlock()
	if a.Hang {
		select {
		case <-q.Context().Done():
		case <-r.closing:
		}
		panic(http.ErrAbortHandler) // cut the connection without an answer
	}
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	_, _ = io.WriteString(w, a.Body) // a caller that is gone misses it
}
