// Package cluster is what the nodes of an IM server share: the kept messages of topics, sessions, presence and who is
// alive. Memory is for a node that stands alone; package redis is for several. A suite holds both to the same answers.
package cluster

import (
	"context"
	"errors"
	"time"
)

// Errors of a cluster. Others mean that what the nodes share cannot be reached: try again, or go on alone.
var (
	ErrUnknown = errors.New("it is not known") // a session or a node that is not there (any more)
	ErrTaken   = errors.New("another node has it now")
	ErrNoReply = errors.New("the node does not answer")
	ErrClosed  = errors.New("the cluster is closed")
)

// Topics are named by their kind, a colon and a name.
const (
	User   = "u:" // messages to one user: the inbox that offline messages wait in
	Room   = "r:"
	Global = "g:"
)

// Message is one message of a topic, as it is kept.
type Message struct {
	Topic   string
	Epoch   string // of the topic: another one means that offsets began anew
	Offset  int64  // within the topic, from 1, without holes; by the log
	ID      string // chosen by the sender
	From    string // the sender's account
	Session string // and session, which is not handed what it published itself
	At      int64  // when the server took it, milliseconds since 1970
	Body    []byte // not to be changed
	Binary  bool   // Body is the sender's own bytes; else it is JSON
	// Again marks a message that this node handed out before, while what the nodes share was lost: it has its offset now.
	Again bool
}

// Receipt says where a published message stands.
type Receipt struct {
	Epoch     string
	Offset    int64 // 0: what the nodes share is lost; the message is in this node's journal and was handed out on it
	Duplicate bool  // it stood there already: published before by the same sender under the same id
}

// Page is a piece of a topic.
type Page struct {
	Epoch       string
	First, Last int64 // offsets of the oldest message kept and of the newest ever published; First > Last: none is kept
	Messages    []Message
}

// Log keeps the messages of topics for a time, each topic in one order. Safe for concurrent use.
type Log interface {
	// Publish appends a message, whose Topic, ID, From, At and Body are given, and hands it to all subscribers. When it
	// returns nil, the message is as safe as the log can make it. A second publish of the same Topic, From and ID within
	// the time of deduplication gives the first one's receipt, and nobody is handed anything. Body must not be changed
	// any more.
	Publish(ctx context.Context, m Message) (Receipt, error)
	// Read gives at most limit messages behind the offset after, oldest first. Where messages behind after are gone the
	// page says so by its First; that is no error. A topic without messages has Last 0 and the Epoch "".
	Read(ctx context.Context, topic string, after int64, limit int) (Page, error)
	// Follow begins to hand the messages of a topic to the Receiver: all that are published after it has returned, in
	// order; some may come twice or not at all when the connection to the log breaks, and some from before may come as well,
	// which their offsets tell.
	// Unfollow ends it. Both are cheap and may be called again.
	Follow(ctx context.Context, topic string) error
	Unfollow(topic string)
}

// Receiver takes what comes from the cluster. Its methods are called by several goroutines, but those for one topic one
// after another; they must not block and not call the cluster.
type Receiver interface {
	Deliver(m *Message)                           // of a topic that is followed; m is shared, not to be changed
	Lost(topics []string)                         // the feed of these broke and is whole again: read what was missed
	Ask(request []byte) (reply []byte, err error) // another node asks this one; may take its time and call the cluster
	Seen(user string, online bool)                // presence of a user that is watched
	// Changed: what the nodes share was lost (with the reason), or came back; state is that of the circuit breaker.
	Changed(up bool, state string, err error)
}

// Session is what another node must know to continue a session.
type Session struct {
	ID, Epoch    string
	User, Device string
	Node, Boot   string           // who holds it
	Seq          int64            // number of the last message sent
	Acked        int64            // and of the last one acknowledged
	Positions    map[string]int64 // by topic: offset of the last message that was acknowledged
	Epochs       map[string]string
	Rooms        []string
	Detached     time.Time // when its connection was lost; zero: it has one
}

// Sessions keeps sessions. Safe for concurrent use.
type Sessions interface {
	// TakeSession saves a session that s.Node holds from now on. SaveSession saves it again, and gives ErrTaken when another
	// start of a node has taken it since.
	TakeSession(ctx context.Context, s *Session, keep time.Duration) error
	SaveSession(ctx context.Context, s *Session, keep time.Duration) error
	LoadSession(ctx context.Context, id string) (*Session, error) // ErrUnknown
	// DropSession forgets a session, unless another start of a node has it.
	DropSession(ctx context.Context, id string) error
	// Inbox gives the offset up to which a device has acknowledged its user's messages; for a device that was never seen,
	// the furthest of the user's devices. SetInbox never goes back within an epoch.
	Inbox(ctx context.Context, user, device string) (epoch string, offset int64, err error)
	SetInbox(ctx context.Context, user, device, epoch string, offset int64) error
}

// Device is one connection of a user somewhere in the cluster.
type Device struct {
	Device, Platform string
	Connection       string
	Session          string
	Node             string
	Since            time.Time
}

// Presence knows who is there. Entries of a node vanish when its lease runs out (a node that never took one has no end).
// Safe for concurrent use.
type Presence interface {
	// Enter adds a connection of this node, or changes it; Leave takes it out. When they fail because what the nodes share
	// is lost, they are made good once it is back: there is no need to call again.
	Enter(ctx context.Context, user string, d Device) error
	Leave(ctx context.Context, user, connection string) error
	Devices(ctx context.Context, user string) ([]Device, error) // oldest first
	Watch(ctx context.Context, user string) error               // Receiver.Seen is told of changes
	Unwatch(user string)
}

// Open is an open connection: enough to write its end for a node that died.
type Open struct {
	ID      string `json:"id"`
	At      int64  `json:"at"` // nanoseconds since 1970
	Session string `json:"session,omitempty"`
	User    string `json:"user,omitempty"`
	Device  string `json:"device,omitempty"`
	IP      string `json:"ip,omitempty"`
	Port    int    `json:"port,omitempty"`
	Trace   string `json:"trace,omitempty"`
	Span    string `json:"span,omitempty"`
}

// Dead is a node whose lease has run out, and the connections that it held.
type Dead struct {
	Node, Boot string
	Until      time.Time // when its lease ended
	Open       []Open
}

// Lease is what Renew has got.
type Lease struct {
	Until time.Time // its end, by the clock that all nodes share
	// Buried is set where the lease had run out and another node has taken this one for dead. Presence and the list of open
	// connections are empty: enter anew what goes on. The connections in Buried.Open do not: their ends are written, or will
	// be. Others, that it was not told of, go on.
	Buried *Dead
}

// Nodes knows which nodes are alive. Safe for concurrent use.
type Nodes interface {
	// Renew holds the lease of this node, which lasts ttl from now. One goroutine at a time calls it.
	Renew(ctx context.Context, ttl time.Duration) (Lease, error)
	// Opened and Closed keep the list of this node's connections, for its reaper; they are made good as Enter is.
	Opened(ctx context.Context, open []Open) error
	Closed(ctx context.Context, ids []string) error
	// Reap claims the nodes whose lease has run out, for one caller at a time: within ClaimTime no other caller is given
	// them; what they held is not told to anybody else any more. Buried forgets one of them, with its presence, once its ends are written; without it another caller gets it
	// later. Buried gives ErrUnknown when the node has come back meanwhile. Who has no lease yet is given none: what the nodes share may have been lost
	// until just now, and how long others are to be waited for then follows from the lease.
	Reap(ctx context.Context) ([]Dead, error)
	Buried(ctx context.Context, d Dead) error
	// Succeed ends the lease of an earlier start of a node, whose process is no more, and claims it as Reap does. Where another
	// was quicker, it gives the same end of the lease. ErrUnknown: nothing is known of it.
	Succeed(ctx context.Context, node, boot string) (Dead, error)
	// Call asks another node; ErrNoReply when it does not answer within ctx.
	Call(ctx context.Context, node string, request []byte) (reply []byte, err error)
	// Retire gives the lease up: the node ends in order, and has ended its connections itself.
	Retire(ctx context.Context) error
}

// ClaimTime is how long a dead node is its reaper's alone.
const ClaimTime = 30 * time.Second

// Cluster is all of it. Its life: made by the adapter, bound to a Receiver, then run; every method may be called from Bind
// until Run has returned, after which they give ErrClosed.
type Cluster interface {
	Log
	Sessions
	Presence
	Nodes
	// Bind names the one who takes what comes. It is called once, before Run and before all else.
	Bind(r Receiver)
	// Run works until ctx ends: keeps the connection, the feed, the breaker. Then it closes everything and returns; an
	// error means that it could not go on.
	Run(ctx context.Context) error
	// Ready says whether what the nodes share can be reached; Receiver.Changed is called with every change.
	Ready() bool
}
