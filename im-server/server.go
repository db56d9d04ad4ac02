package imserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/im-server/accept"
	"imwatch/im-server/cluster"
	"imwatch/im-server/cluster/redis"
	"imwatch/im-server/eventlog"
	"imwatch/im-server/factor"
	"imwatch/im-server/framing"
	"imwatch/im-server/ops"
	"imwatch/im-server/protocol"
	"imwatch/im-server/source"
)

// Deps are the things a server is given. The zero Deps is usable.
type Deps struct {
	Log           logrus.FieldLogger    // diagnostics; nil: none
	Registerer    prometheus.Registerer // takes the metrics; nil with Gatherer nil: a registry of its own
	Gatherer      prometheus.Gatherer   // what /metrics shows
	Now           func() time.Time      // the clock of events, tokens and rates; nil: time.Now
	Authenticator Authenticator         // nil: JWT by the configuration
	SecondFactor  factor.Checker        // nil: by the configuration
	// NewCluster makes what this node shares with others; the server binds and runs it. nil: the Redis of the configuration,
	// and without one it stands alone.
	NewCluster  func(cluster.Options) (cluster.Cluster, error)
	ClusterName string           // what it is, for the log: redis
	Listener    net.Listener     // of clients, in place of Config.Addr; the server closes it
	OpsListener net.Listener     // in place of Config.OpsAddr; the server closes it
	Stdout      io.Writer        // where events go if Config.Log.Stdout is set; nil: os.Stdout
	Reopen      <-chan os.Signal // each value reopens the event log and reads the configuration again; nil: none
	Reload      *Reload          // where a changed configuration comes from; nil: the operations API only
	Version     string           // service.version of events; "": dev
}

// Server is an IM server. Make it with New, and call Run once.
type Server struct {
	live         atomic.Pointer[Config] // read with conf
	deps         Deps
	now          func() time.Time
	start        time.Time // clock zero of connections
	node         string
	boot         string
	auth         Authenticator
	factor       factor.Checker // nil: none is asked for
	passed       passed
	revoked      atomic.Bool // lists of what was revoked have changed
	addresses    *addresses
	trusted      *networks     // proxies
	certificates *certificates // nil: no TLS
	documents    *documents
	origins      atomic.Pointer[originList]
	upgrader     websocket.Upgrader
	handlers     map[protocol.Type]handler
	codecs       []protocol.Codec
	take         func(c *conn, text bool, data []byte) // a message

	listener, ops net.Listener
	public, admin *http.Server
	accept        *accept.Listener // before listener

	cluster  cluster.Cluster
	shared   bool     // with other nodes
	globals  []string // topics that everybody follows
	topics   *topics
	sessions *sessions
	watchers *watchers
	held     *held
	before   sync.Map // boots of this node whose ends it has written

	hub         *hub
	wheel       *wheel
	seed        maphash.Seed // of what clients must not guess, and of spreads
	limiter     *connectLimiter[netip.Addr]
	userLimiter *connectLimiter[string]
	folder      *folder
	log         *eventlog.Log
	metrics     *metrics

	reloading *reloading
	watch     *watch
	api       *ops.API

	ready    atomic.Bool
	draining atomic.Bool
	drainage drainage
	slots    atomic.Int64 // connections and handshakes that hold a place
	pending  atomic.Int64 // handshakes under way
	connects atomic.Int64
	ends     atomic.Int64
	counts   traffic
	// queuedBytes is what waits for all clients together.
	queuedBytes atomic.Int64
	pool        *framing.Pool // of messages being read and packed
	packing     *packing
	writers     *sync.Pool // *writer
	handouts    *sync.Pool // *handout
	frames      framePool
	flusher     flusher
	tasks       sync.WaitGroup
	life        context.Context // ends with the server
	endLife     context.CancelFunc
	failing     sync.Mutex      // guards failed
	failed      map[string]bool // what failed the last time
	freed       chan struct{}   // has a token when a place was given back
}

// join makes the cluster that the server is a node of.
func (s *Server) join() error {
	conf := s.conf()
	o := cluster.Options{Node: s.node, Boot: s.boot, Keep: conf.Sessions.Keep, Now: s.now}
	newCluster := s.deps.NewCluster
	if newCluster == nil && len(conf.Redis.Addrs) > 0 {
		s.deps.ClusterName = "redis"
		newCluster = func(o cluster.Options) (cluster.Cluster, error) { return redis.New(conf.Redis, o, s.deps.Registerer) }
	}
	if newCluster == nil {
		s.cluster = cluster.NewMemory(o)
	} else {
		var err error
		if s.cluster, err = newCluster(o); err != nil {
			return err
		}
		s.shared = true
	}
	s.cluster.Bind(receiver{s})
	return nil
}

// traffic counts messages for connection_stats.
type traffic struct {
	in, out atomic.Int64
}

// New checks the configuration, binds the listeners and opens the log. It takes over the listeners in deps. A Server
// that is not run must be closed with Close.
func New(cfg Config, deps Deps) (*Server, error) {
	err := cfg.validate()
	if deps.Authenticator == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("im-server: %w", err)
	}
	s := &Server{deps: deps, now: deps.Now, auth: deps.Authenticator, node: cfg.Node}
	s.live.Store(&cfg)
	s.setDefaults()
	if err := s.build(); err != nil {
		return nil, fmt.Errorf("im-server: %w", errors.Join(err, s.Close()))
	}
	return s, nil
}

func (s *Server) setDefaults() {
	if s.now == nil {
		s.now = time.Now
	}
	if s.deps.Log == nil {
		quiet := logrus.New()
		quiet.SetOutput(io.Discard)
		s.deps.Log = quiet
	}
	if s.deps.Registerer == nil && s.deps.Gatherer == nil {
		reg := prometheus.NewRegistry()
		reg.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsGC, collectors.MetricsScheduler)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		s.deps.Registerer, s.deps.Gatherer = reg, reg
	}
	if s.deps.Stdout == nil {
		s.deps.Stdout = os.Stdout
	}
	if s.deps.Version == "" {
		s.deps.Version = "dev"
	}
	s.failed = map[string]bool{}
	s.passed.until = map[[sha256.Size]byte]time.Time{}
	s.documents = newDocuments()
	s.life, s.endLife = context.WithCancel(context.Background())
	s.freed, s.pool, s.writers, s.handouts = make(chan struct{}, 1), framing.NewPool(), newWriters(), newHandouts()
	s.flusher.writers = s.writers
	s.start = s.now()
	s.boot = eventlog.BootID(s.start)
}

func (s *Server) build() (err error) {
	if s.node == "" {
		if s.node, err = os.Hostname(); err != nil {
			return fmt.Errorf("node: finding the host's name: %w", err)
		}
	}
	if s.auth == nil {
		o := JWTOptions{Now: s.now, Looked: s.looked, Revoked: s.Revoked}
		if s.auth, err = NewJWT(s.conf().JWT, o); err != nil {
			return fmt.Errorf("jwt.%w", err)
		}
	}
	if s.factor, err = s.newFactor(); err != nil {
		return err
	}
	if s.addresses, err = newAddresses(s.conf().Addresses, source.Options{Now: s.now, Done: s.looked}); err != nil {
		return err
	}
	if s.certificates, err = newCertificates(s.conf().TLS); err != nil {
		return err
	}
	s.trusted = newNetworks(s.conf().TrustedProxies)
	origins := newOriginList(s.conf().Origins)
	s.origins.Store(&origins)
	s.reloading = newReloading()
	s.watch = newWatch(s)
	s.packing = newPacking(s)
	s.api = ops.New(ops.Deps{Node: opsNode{s}, Token: func() string { return s.conf().OpsToken }, Log: s.deps.Log, Closed: s.conf().OpsClosed})
	s.rememberConfig()
	limits := &s.conf().Limits
	s.limiter = newConnectLimiter[netip.Addr](limits.ConnectRate, limits.ConnectBurst)
	s.userLimiter = newConnectLimiter[string](limits.UserConnectRate, limits.UserConnectBurst)
	s.folder = newFolder(s.logRefusal)
	s.hub = newHub()
	hb := s.conf().Heartbeat
	s.wheel, s.seed = newWheel(hb.tick(), hb.span(), s.clock()), maphash.MakeSeed()
	s.handlers, s.codecs, s.take = handlers(), protocol.Codecs(), (*conn).dispatch
	s.topics, s.sessions, s.watchers = newTopics(), newSessions(), &watchers{s: s, of: map[string][]*conn{}}
	s.held = newHeld()
	s.globals = s.conf().Sessions.GlobalTopics
	if err := s.join(); err != nil {
		return err
	}
	s.log, err = eventlog.Open(s.conf().Log, eventlog.Deps{Node: s.node, Boot: s.boot, Stdout: s.deps.Stdout, Diag: s.deps.Log, Now: s.now, Began: s.began})
	if err != nil {
		return err
	}
	s.upgrader = websocket.Upgrader{
		ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: new(sync.Pool), HandshakeTimeout: s.conf().Timeouts.Handshake,
		CheckOrigin:  func(*http.Request) bool { return true },                // checked before, with its own reason
		Error:        func(http.ResponseWriter, *http.Request, int, error) {}, // answered by us
		Subprotocols: subprotocols(s.codecs),
	}
	if s.metrics, err = newMetrics(s.deps.Registerer, s); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := s.listen(); err != nil {
		return err
	}
	return s.routes()
}

// listen binds what was not handed in.
func (s *Server) listen() error {
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 300 * time.Second, Interval: 15 * time.Second, Count: 3}}
	var err error
	if s.listener = s.deps.Listener; s.listener == nil {
		if s.listener, err = lc.Listen(context.Background(), "tcp", s.conf().Addr); err != nil {
			return fmt.Errorf("addr: %w", err)
		}
	}
	if s.ops = s.deps.OpsListener; s.ops == nil && s.conf().OpsAddr != "" {
		if s.ops, err = lc.Listen(context.Background(), "tcp", s.conf().OpsAddr); err != nil {
			return fmt.Errorf("ops_addr: %w", err)
		}
	}
	s.takeConnections()
	return nil
}

// Addr gives the address that clients connect to.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// OpsAddr gives the address of health, metrics and profiles; "" if there is none.
func (s *Server) OpsAddr() string {
	if s.ops == nil {
		return ""
	}
	return s.ops.Addr().String()
}

// Close gives back what New took, for a Server that was never run.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []net.Listener{s.listener, s.ops} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(errs...)
}

// clock gives the nanoseconds since the server was made: what ages are computed from.
func (s *Server) clock() int64 { return int64(s.now().Sub(s.start)) }

func (s *Server) imbalance() float64 {
	return float64(s.connects.Load() - s.ends.Load() - int64(s.hub.count()))
}

// event begins an event with what every line has but its id.
func (s *Server) event(a event.Action, at time.Time) *event.Event {
	ev := s.log.Event()
	s.describe(ev, a, at)
	return ev
}

func (s *Server) describe(ev *event.Event, a event.Action, at time.Time) {
	ev.Begin(a, at)
	ev.SetText(event.FieldServiceName, "im-server")
	ev.SetText(event.FieldServiceVersion, s.deps.Version)
	ev.SetText(event.FieldServiceEnvironment, s.conf().Environment)
	ev.SetText(event.FieldServiceNode, s.node)
	ev.SetText(event.FieldCloudZone, s.conf().Zone)
}

// nodeEvent begins an event of the node itself.
func (s *Server) nodeEvent(a event.Action) *event.Event {
	ev := s.event(a, s.now())
	trace := continueTrace("")
	trace.describe(ev)
	return ev
}

// emit hands an event to the log.
func (s *Server) emit(ev *event.Event) { s.log.Put(ev) }

// port gives the port of an address; 0 if it has none.
func port(addr net.Addr) int64 {
	if addr == nil {
		return 0
	}
	_, p, err := net.SplitHostPort(addr.String())
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(p, 10, 32)
	if err != nil {
		return 0
	}
	return n
}
