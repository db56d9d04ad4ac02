package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"imwatch/im-server/protocol"
)

// mail is all that was sent, by sender and number.
type mail struct {
	mu     sync.Mutex
	acked  []map[int]bool // the sender was told that it is safe
	seen   []map[int]int  // in which of its receiver's lives it came last, from 1
	life   []int          // of each receiver
	counts struct{ acked, received, repeats, doubles, disorder int }
	newest []map[int]int // by receiver and sender, of its present life
	fresh  atomic.Int64  // when something arrived last
}

func newMail(n int) *mail {
	m := &mail{acked: make([]map[int]bool, n), seen: make([]map[int]int, n), life: make([]int, n), newest: make([]map[int]int, n)}
	for i := range n {
		m.acked[i], m.seen[i], m.newest[i] = map[int]bool{}, map[int]int{}, map[int]int{}
	}
	return m
}

func (m *mail) ack(sender, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.acked[sender][n] {
		m.acked[sender][n] = true
		m.counts.acked++
	}
}

// receive notes a message. Its life's memory is the client's: one that was killed may be handed a message again, as the
// durable store of a real program would notice.
func (m *mail) receive(receiver int, key string) error {
	from, number, _ := strings.Cut(key, ".")
	sender, err1 := strconv.Atoi(from)
	n, err2 := strconv.Atoi(number)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh.Store(time.Now().UnixNano())
	last, now := m.seen[sender][n], m.life[receiver]+1
	m.seen[sender][n] = now
	switch {
	case last == now:
		m.counts.doubles++
		return nil
	case last != 0:
		m.counts.repeats++
		return nil
	}
	m.counts.received++
	if n < m.newest[receiver][sender] {
		m.counts.disorder++
	}
	m.newest[receiver][sender] = max(n, m.newest[receiver][sender])
	return nil
}

// missing gives messages that were acknowledged and never arrived.
func (m *mail) missing() (keys []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.acked {
		for n := range m.acked[s] {
			if m.seen[s][n] == 0 {
				keys = append(keys, strconv.Itoa(s)+"."+strconv.Itoa(n))
			}
		}
	}
	return keys
}

// inFlight is how many messages of one sender wait for their acknowledgement at most.
const inFlight = 8

// courier is a person that sends.
type courier struct {
	*person
	index   int
	mail    *mail
	newLife func() // before one begins

	mu    sync.Mutex
	keys  map[string]int  // by id, of what waits
	early map[string]bool // acknowledged before its id was known here
	slots chan struct{}
}

func (c *courier) acknowledged(a protocol.Ack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.keys[a.Ref]
	if !ok {
		c.early[a.Ref] = true
		return
	}
	delete(c.keys, a.Ref)
	c.done(n)
}

// done takes the server's word for a message. mu is held.
func (c *courier) done(n int) {
	c.mail.ack(c.index, n)
	select {
	case <-c.slots:
	default: // it was given up with another life
	}
}

// reborn forgets what waited: the client that would have sent it again is gone.
func (c *courier) reborn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys, c.early = map[string]int{}, map[string]bool{}
	for len(c.slots) > 0 {
		<-c.slots
	}
	c.mail.nextLife(c.index)
}

func (m *mail) nextLife(receiver int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life[receiver]++
	m.newest[receiver] = map[int]int{}
}

// send sends so many messages, as fast as they are acknowledged.
func (c *courier) send(ctx context.Context, people []*courier, from, to int) {
	for n := from; n < to; {
		select {
		case c.slots <- struct{}{}:
		case <-time.After(5 * time.Minute): // the end shows what was not acknowledged
			return
		case <-ctx.Done():
			return
		}
		cl := c.client()
		if cl == nil { // between two lives
			pause(ctx, 20*time.Millisecond)
			c.release()
			continue
		}
		to := people[rand.IntN(len(people))] //nolint:gosec // no secret
		id, err := cl.SendTo(to.user, body{strconv.Itoa(c.index) + "." + strconv.Itoa(n)}.raw())
		if err != nil {
			c.release()
			pause(ctx, 20*time.Millisecond)
			continue
		}
		c.mu.Lock()
		if c.early[id] {
			delete(c.early, id)
			c.done(n)
		} else {
			c.keys[id] = n
		}
		c.mu.Unlock()
		n++
	}
}

func (c *courier) release() {
	select {
	case <-c.slots:
	default:
	}
}

// deliver sends messages among clients while everything is killed, now and then.
func deliver(ctx context.Context, b *bench, r result) error {
	if b.clients == 0 {
		b.clients = 200
	}
	b.harsh = true
	s, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer s.close(syscall.SIGKILL)
	m := newMail(b.clients)
	couriers := make([]*courier, b.clients)
	var broken atomic.Pointer[error]
	for i := range couriers {
		c := &courier{index: i, mail: m, keys: map[string]int{}, early: map[string]bool{}, slots: make(chan struct{}, inFlight)}
		c.person = &person{
			user: "u-" + strconv.Itoa(i),
			dial: func(ctx context.Context) (net.Conn, error) { return dialTo(ctx, s.pick(nil).addr) },
			ack:  c.acknowledged,
			message: func(msg protocol.Message, _ protocol.Envelope) {
				key, err := keyOf(msg)
				if err == nil {
					err = m.receive(i, key)
				}
				if err != nil {
					broken.CompareAndSwap(nil, &err)
				}
			},
		}
		couriers[i] = c
		if err := c.live(ctx); err != nil {
			return err
		}
	}
	chaos, calm := context.WithCancel(ctx)
	defer calm()
	var k killings
	var trouble, sending sync.WaitGroup
	k.begin(chaos, s, couriers, &trouble)
	each := b.messages / b.clients
	start := time.Now()
	for _, c := range couriers {
		sending.Go(func() { c.send(ctx, couriers, 0, each) })
	}
	sent := make(chan struct{})
	go func() { sending.Wait(); close(sent) }()
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for going := true; going; {
		select {
		case <-sent:
			going = false
		case <-tick.C:
			m.mu.Lock()
			b.say("%+v, %s", m.counts, k.String())
			m.mu.Unlock()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r["seconds"] = int(time.Since(start).Seconds())
	calm()
	trouble.Wait()
	b.say("calm: %s", k.String())
	if err := k.err(); err != nil {
		return err
	}
	var lost []string
	_ = until(ctx, 5*time.Minute, "all has arrived", func() error { // what is missing is said below
		lost = m.missing()
		if idle := time.Since(time.Unix(0, m.fresh.Load())); len(lost) > 0 && idle < 90*time.Second {
			pause(ctx, time.Second)
			return errors.New("some are missing")
		}
		return nil
	})
	if len(lost) > 0 {
		b.say("missing, by sender and number: %v", lost[:min(100, len(lost))])
	}
	var people []*person
	for _, c := range couriers {
		people = append(people, c.person)
	}
	_ = all(people, 100, (*person).leave) // what they say of their end is of no interest
	if err := broken.Load(); err != nil {
		return *err
	}
	s.close(syscall.SIGTERM)
	m.mu.Lock()
	r["clients"], r["sent"], r["acknowledged"], r["received"] = b.clients, each*b.clients, m.counts.acked, m.counts.received
	r["missing"], r["again_after_a_kill"], r["doubles"], r["out_of_order"] = len(lost), m.counts.repeats, m.counts.doubles, m.counts.disorder
	m.mu.Unlock()
	k.report(r)
	if err := s.balance(r, 0); err != nil {
		return err
	}
	if m.counts.doubles > 0 {
		return fmt.Errorf("%d messages came twice to a client that had not forgotten the first", m.counts.doubles)
	}
	if len(lost) > 0 {
		return fmt.Errorf("%d acknowledged messages never arrived, as %s", len(lost), lost[0])
	}
	return nil
}
