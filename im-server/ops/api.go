package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/im-server/hot"
)

// Node is what the API needs of a server. Its methods are safe for concurrent use.
type Node interface {
	// Name gives the node's name and boot.
	Name() (node, boot string)
	// Count is how many connections are open.
	Count() int
	// Conns gives the open connections, of one user or room where these are not "". They may change meanwhile.
	Conns(user, room string) iter.Seq[Conn]
	// Conn gives one open connection with its rooms.
	Conn(id string) (Conn, bool)
	// Kick ends a connection; false if there is none with the id, or it ends already.
	Kick(id, actor string) bool
	// KickUser ends all connections of a user, on every node, and gives their number.
	KickUser(ctx context.Context, user, actor string) int
	// Config gives the configuration as it is.
	Config() []hot.Value
	// Configure changes it, by a JSON object of keys and values.
	Configure(object []byte, actor string) ([]hot.Change, error)
}

// Deps are the things an API is given; all are needed.
type Deps struct {
	Node   Node
	Token  func() string // what callers must bring; "": nobody may call
	Log    logrus.FieldLogger
	Closed int // how many ends are kept
}

// API answers the requests. Make it with New; close its Traces when the server stops. Safe for concurrent use.
type API struct {
	deps    Deps
	closed  *ring
	Traces  Traces
	handler http.Handler
	logs    sync.WaitGroup // traces that go to the log
}

// New makes the API.
func New(d Deps) *API {
	a := &API{deps: d, closed: newRing(d.Closed)}
	m := http.NewServeMux()
	m.HandleFunc("GET /-/conns", a.list)
	m.HandleFunc("GET /-/conns/{id}", a.detail)
	m.HandleFunc("POST /-/conns/{id}/kick", a.kick)
	m.HandleFunc("GET /-/conns/{id}/trace", a.stream)
	m.HandleFunc("POST /-/conns/{id}/trace", a.trace)
	m.HandleFunc("POST /-/users/{user}/kick", a.kickUser)
	m.HandleFunc("GET /-/users/{user}/trace", a.stream)
	m.HandleFunc("POST /-/users/{user}/trace", a.trace)
	m.HandleFunc("GET /-/config", a.config)
	m.HandleFunc("PATCH /-/config", a.configure)
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "nothing answers "+r.Method+" "+r.URL.Path+"; see docs/im-server.md, the operations API")
	})
	a.handler = a.authorize(m)
	return a
}

// ServeHTTP answers what is below /-/.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Ended takes a connection that is over.
func (a *API) Ended(c Conn) { a.closed.add(c) }

// Wait waits for the traces that go to the log, after Traces.Close and the last request.
func (a *API) Wait() { a.logs.Wait() }

func (a *API) list(w http.ResponseWriter, r *http.Request) {
	f, err := ParseFilter(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	conns := a.closed.all()
	if f.State != StateClosed {
		conns = a.deps.Node.Conns(f.User, f.Room)
	} else if f.Room != "" {
		refuse(w, http.StatusBadRequest, "room: a connection that is over is in no room")
		return
	}
	page := pick(conns, &f)
	page.Node, page.Boot = a.deps.Node.Name()
	page.Open = a.deps.Node.Count()
	if page.Conns == nil {
		page.Conns = []Conn{} // a list, not null
	}
	answer(w, http.StatusOK, page)
}

func (a *API) detail(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c, ok := a.deps.Node.Conn(id)
	if !ok {
		c, ok = a.closed.find(id)
	}
	if !ok {
		noConn(w, id)
		return
	}
	answer(w, http.StatusOK, c)
}

func noConn(w http.ResponseWriter, id string) {
	refuse(w, http.StatusNotFound, fmt.Sprintf("no connection %q on this node, nor among the last ends", id))
}

func (a *API) kick(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !a.deps.Node.Kick(id, actor(r)) {
		refuse(w, http.StatusNotFound, fmt.Sprintf("no open connection %q on this node", id))
		return
	}
	answer(w, http.StatusOK, map[string]int{"kicked": 1})
}

func (a *API) kickUser(w http.ResponseWriter, r *http.Request) {
	n := a.deps.Node.KickUser(r.Context(), r.PathValue("user"), actor(r))
	answer(w, http.StatusOK, map[string]int{"kicked": n})
}

func (a *API) config(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, a.deps.Node.Config())
}

// changed is one key of an answer to PATCH.
type changed struct {
	Key     string `json:"key"`
	From    string `json:"from"`
	To      string `json:"to"`
	Applied string `json:"applied"`
}

func (a *API) configure(w http.ResponseWriter, r *http.Request) {
	const most = 64 << 10
	object, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		if _, big := errors.AsType[*http.MaxBytesError](err); big {
			refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes", most))
			return
		}
		refuse(w, http.StatusBadRequest, "reading the request: "+err.Error())
		return
	}
	changes, err := a.deps.Node.Configure(object, actor(r))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	list := make([]changed, 0, len(changes))
	for _, c := range changes {
		list = append(list, changed{c.Key, c.From, c.To, "now"})
	}
	answer(w, http.StatusOK, map[string][]changed{"changed": list})
}

// defaultTrace and maxTrace bound how long somebody follows.
const (
	defaultTrace = time.Minute
	maxTrace     = 10 * time.Minute
)
