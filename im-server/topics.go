package imserver

import (
	"context"
	"hash/maphash"
	"math"
	"slices"
	"sync"

	"imwatch/event"
	"imwatch/im-server/cluster"
)

// topics knows which sessions of this node follow which topic. Safe for concurrent use.
type topics struct {
	seed   maphash.Seed
	shards [topicShards]topicShard
}

const topicShards = 64

type topicShard struct {
	mu   sync.Mutex
	list map[string]*audience
}

// audience is the sessions of this node that follow one topic, and how far the topic has come here.
type audience struct {
	s     *Server
	topic string

	mu      sync.Mutex
	members []*session
	gone    bool  // nobody was left, and it was taken out
	known   bool  // epoch and last are
	since   int64 // while they are not, and cannot be found out: when following began, milliseconds since 1970
	epoch   string
	last    int64               // offset that was handed out last
	alone   map[messageKey]lone // messages without an offset yet
	mending bool                // a hole is being filled from the log
	held    []*delivery         // what came meanwhile
}

func newTopics() *topics {
	t := &topics{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].list = map[string]*audience{}
	}
	return t
}

func (t *topics) shard(topic string) *topicShard {
	return &t.shards[maphash.String(t.seed, topic)%topicShards]
}

// of gives the audience of a topic; nil if nobody follows it here.
func (t *topics) of(topic string) *audience {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[topic]
}

// enter adds a session.
func (t *topics) enter(topic string, x *session) *audience {
	s := t.shard(topic)
	for {
		s.mu.Lock()
		a := s.list[topic]
		if a == nil {
			a = &audience{s: x.s, topic: topic}
			s.list[topic] = a
		}
		s.mu.Unlock()
		a.mu.Lock()
		if !a.gone {
			a.members = append(a.members, x)
			a.mu.Unlock()
			return a
		}
		a.mu.Unlock()
	}
}

// leave takes a session out and says whether nobody is left.
func (t *topics) leave(topic string, x *session) (empty bool) {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.list[topic]
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.Index(a.members, x)
	if i < 0 {
		return false
	}
	last := len(a.members) - 1
	a.members[i], a.members[last] = a.members[last], nil
	if a.members = a.members[:last]; last > 0 {
		return false
	}
	a.gone = true
	delete(s.list, topic)
	return true
}

// size counts the members but one session; nil: all.
func (a *audience) size(but *session) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.members)
	if but != nil && slices.Contains(a.members, but) {
		n--
	}
	return n
}

// follow makes a session a member of a topic: what is published after it has returned is given to it.
func (s *Server) follow(ctx context.Context, topic string, x *session) error {
	a := s.topics.enter(topic, x)
	if err := s.cluster.Follow(ctx, topic); err != nil {
		s.unfollow(topic, x)
		return err
	}
	if a.strays() {
		return nil
	}
	a.mu.Lock()
	known := a.known
	a.mu.Unlock()
	if known {
		return nil
	}
	page, err := s.cluster.Read(ctx, topic, math.MaxInt64, 1) // only where it stands
	if err != nil && s.cluster.Ready() {
		s.unfollow(topic, x)
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.known:
	case err != nil:
		// This node goes on alone. What others publish meanwhile is read when they can be heard again.
		if a.since == 0 {
			a.since = s.now().UnixMilli()
		}
	case a.since != 0: // others came before, and not all that was published since then has been handed out
		a.situate()
	default: // a topic without messages has no epoch: its first message is to be the first that comes
		a.known, a.epoch, a.last = true, page.Epoch, page.Last
	}
	return nil
}

// strays says whether it could not be found out yet where the topic stands here, and sees to it that it is.
func (a *audience) strays() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known || a.since == 0 {
		return false
	}
	a.situate()
	return true
}

// situate sees to it that it is found out where the topic stands here, as soon as that can be. a.mu is held.
func (a *audience) situate() {
	if a.mending {
		return
	}
	a.mending = true
	a.s.background(func(ctx context.Context) { a.s.mend(ctx, a) })
}

func (s *Server) unfollow(topic string, x *session) {
	if !s.topics.leave(topic, x) {
		return
	}
	s.cluster.Unfollow(topic)
	// Somebody may have entered between the two.
	if a := s.topics.of(topic); a != nil {
		s.background(func(ctx context.Context) {
			if s.cluster.Follow(ctx, topic) == nil {
				s.mend(ctx, a)
			}
		})
	}
}

// receive takes a message of the cluster: it is handed out if it is the next, passed over if it was handed out before,
// and held back while messages before it are fetched.
func (a *audience) receive(s *Server, d *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case d.Offset == 0:
		a.handAlone(d)
	case a.mending:
		a.held = append(a.held, d)
	case !a.next(d):
		a.mending, a.held = true, append(a.held, d)
		s.background(func(ctx context.Context) { s.mend(ctx, a) })
	}
}

// next takes a message that leaves no hole, and says so. a.mu is held.
func (a *audience) next(d *delivery) bool {
	switch {
	case !a.known && a.since != 0: // what was published between is not known to be nothing
		return false
	case !a.known:
		a.known, a.epoch = true, d.Epoch
	case a.epoch == "" && d.Offset == 1:
		a.epoch = d.Epoch
	case a.epoch != d.Epoch: // offsets began anew, at a place that the log knows
		return false
	case d.Offset <= a.last:
		return true
	case d.Offset > a.last+1:
		return false
	}
	a.last = d.Offset
	if d.Again {
		a.handRest(d)
	} else {
		a.hand(d)
	}
	return true
}

// lone is a message without an offset, and who was given it.
type lone struct {
	d   *delivery
	had []*session
}

// handAlone gives everybody a message that has no offset yet, and notes who that is. a.mu is held.
func (a *audience) handAlone(d *delivery) {
	a.hand(d)
	if a.alone == nil {
		a.alone = map[messageKey]lone{}
	}
	a.alone[messageKey{d.From, d.ID}] = lone{d, slices.Clone(a.members)}
}

// handRest gives a message that had no offset when it was handed out to those who have come since. Those who have it
// already know its place from now on. a.mu is held.
func (a *audience) handRest(d *delivery) {
	key := messageKey{d.From, d.ID}
	before := a.alone[key]
	if before.d != nil {
		before.d.later.Store(&position{d.Epoch, d.Offset})
	}
	if delete(a.alone, key); len(a.alone) == 0 {
		a.alone = nil
	}
	h := a.s.newHandout(len(a.members))
	defer h.end()
	for _, x := range a.members {
		if !slices.Contains(before.had, x) {
			x.deliver(d, h)
		}
	}
}

// messageKey is what a sender calls a message of its own.
type messageKey struct{ from, id string }

// hand gives a message to all. a.mu is held.
func (a *audience) hand(d *delivery) {
	h := a.s.newHandout(len(a.members))
	defer h.end()
	for _, x := range a.members {
		x.deliver(d, h)
	}
}

// mendPage is how many messages are fetched at a time.
const mendPage = 200

// mend fetches what was published behind the last message that was handed out, until there is no hole.
func (s *Server) mend(ctx context.Context, a *audience) {
	a.mu.Lock()
	a.mending = true
	a.mu.Unlock()
	for {
		a.mu.Lock()
		after, known, since, gone := a.last, a.known, a.since, a.gone
		a.mu.Unlock()
		if gone {
			return
		}
		if !known && (since == 0 || a.topic[:2] == cluster.User) {
			after = math.MaxInt64 // only where it stands: members are still being given what is older, or it is not for them
		}
		page, err := s.cluster.Read(ctx, a.topic, after, mendPage)
		if err != nil {
			if s.pause(ctx, mendRetry) {
				continue
			}
			return
		}
		a.mu.Lock()
		done := a.fill(page, known)
		a.mu.Unlock()
		if done {
			return
		}
	}
}

// fill hands out a page, and then what was held, and says whether that is all. a.mu is held.
func (a *audience) fill(page cluster.Page, known bool) (done bool) {
	if known && a.epoch == "" {
		a.epoch = page.Epoch
	}
	if known && page.Epoch != "" && page.Epoch != a.epoch {
		a.missed(0)
		a.epoch, a.last = page.Epoch, 0 // what was asked for is of an epoch that is over
		return false
	}
	if known && page.First > a.last+1 {
		a.missed(page.First - 1 - a.last)
		a.last = page.First - 1
	}
	for i := range page.Messages {
		m := &page.Messages[i]
		if m.At < a.since { // and so not for those who have come since then
			a.passed(m.Epoch, m.Offset)
			continue
		}
		a.since = 0
		a.next(&delivery{Message: m})
	}
	if len(page.Messages) == mendPage {
		return false
	}
	if !a.known {
		a.passed(page.Epoch, page.Last)
	}
	a.since = 0 // what is published later is for everybody, even if it waited in a journal and is older
	held := a.held
	a.held = nil
	for i, d := range held {
		if a.known && a.epoch != "" && d.Epoch != a.epoch {
			continue // of one that was over when the page was read
		}
		if !a.next(d) {
			if d.Offset > page.Last { // published after the page was read
				a.held = held[i:]
				return false
			}
			a.missed(d.Offset - 1 - a.last)
			a.last = d.Offset - 1
			a.next(d)
		}
	}
	a.mending = false
	return true
}

// passed notes that a topic has come to a place without that anybody was handed what is before it. Those who are being given
// older messages read up to there. a.mu is held.
func (a *audience) passed(epoch string, last int64) {
	a.known, a.epoch, a.last = true, epoch, last
	for _, x := range a.members {
		x.mu.Lock()
		if w := x.catch[a.topic]; w != nil {
			w.more = true
		}
		x.mu.Unlock()
	}
}

// missed tells everybody of messages that cannot be given any more. a.mu is held.
func (a *audience) missed(n int64) {
	for _, x := range a.members {
		x.mu.Lock()
		x.tellGap(event.ActionTopicGap, a.topic, n)
		x.mu.Unlock()
	}
}

func topicKind(topic string) string {
	switch topic[:2] {
	case cluster.User:
		return "private"
	case cluster.Room:
		return "room"
	}
	return "global"
}
