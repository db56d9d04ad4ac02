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

// The paths that the robot answers.
const (
	wecomPath   = "/cgi-bin/webhook/send"
	webhookPath = "/webhook"
	smsPath     = "/sms"
)

// Key is the key that the WeCom robot asks for.
const Key = "robot-0123456789"

// Provider is which of the providers was called.
type Provider string

// The providers.
const (
	WeCom   Provider = "wecom"
	Webhook Provider = "webhook"
	SMS     Provider = "sms"
)

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
	accepted []time.Time // WeCom's, for its limit
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
	r := &Robot{
		base: "http://" + l.Addr().String(), done: make(chan struct{}), closing: make(chan struct{}),
		calls: map[Provider]int{}, plans: map[Provider][]Answer{}, changed: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wecomPath, func(w http.ResponseWriter, q *http.Request) { r.serve(w, q, WeCom, r.wecom) })
	mux.HandleFunc("POST "+webhookPath, func(w http.ResponseWriter, q *http.Request) { r.serve(w, q, Webhook, r.webhook) })
	mux.HandleFunc("POST "+smsPath, func(w http.ResponseWriter, q *http.Request) { r.serve(w, q, SMS, r.sms) })
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(r.done)
		_ = r.server.Serve(l) // ends by Close
	}()
	return r, nil
}

// URL is the WeCom robot's webhook, with its key.
func (r *Robot) URL() string { return r.base + wecomPath + "?key=" + Key }

// WebhookURL is the webhook receiver's address.
func (r *Robot) WebhookURL() string { return r.base + webhookPath }

// SMSURL is the SMS gateway's address: it takes the form fields to and text, or JSON with them, and answers
// {"code":"OK"}.
func (r *Robot) SMSURL() string { return r.base + smsPath }

// Close stops the robot. Calls that hang are cut.
func (r *Robot) Close() {
	close(r.closing)
	_ = r.server.Close()
	<-r.done
}

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
func (r *Robot) serve(w http.ResponseWriter, q *http.Request, p Provider, judge func(*http.Request, *Message) Answer) {
	body, err := io.ReadAll(io.LimitReader(q.Body, 1<<20))
	if err != nil {
		return // the caller is gone
	}
	m := Message{Provider: p, At: time.Now(), Body: body, Header: q.Header.Clone()}
	r.mu.Lock()
	r.calls[p]++
	a := judge(q, &m)
	if plan := r.plans[p]; len(plan) > 0 {
		a, r.plans[p] = plan[0], plan[1:]
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
