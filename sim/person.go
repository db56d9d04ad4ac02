package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"time"

	"imwatch/client"
	"imwatch/im-server/protocol"
)

// person is one normal client of a Run.
type person struct {
	run     *runner
	tally   *tally
	account string
	room    string
	ip      string
	node    int
	once    time.Duration // if not 0: it stays so long and does not come back
	rng     *rand.Rand    // owned by live
	line    line
}

// roomSize is how many neighbours share a room.
const roomSize = 10

func (r *runner) newPerson(i int) *person {
	return &person{
		run: r, tally: r.tallies[0], account: accountOf(i), room: "room-" + strconv.Itoa(i/roomSize), ip: r.addr.user(i), node: i,
		rng: r.rng(i),
	}
}

func accountOf(i int) string { return fmt.Sprintf("u-%06d", i+1) }

// live is the client's day: it connects, talks, hangs up and comes back, until the run ends.
func (p *person) live(ctx context.Context) {
	for {
		c, err := p.connect(ctx)
		if err != nil {
			p.run.fail(fmt.Errorf("client %s: %w", p.account, err))
			return
		}
		p.talk(ctx, c)
		if err := c.Close(); err != nil {
			p.run.fail(fmt.Errorf("client %s: %w", p.account, err))
		}
		if p.once > 0 || !sleep(ctx, time.Second+time.Duration(p.rng.ExpFloat64()*float64(10*time.Second))) {
			return
		}
	}
}

func (p *person) connect(ctx context.Context) (*client.Client, error) {
	o := p.run.client(p.account, "", p.node, p.line.dial(p.run.route(p.node, from(p.ip))))
	o.Persist = true
	o.Handler = p.tally.handler()
	// The client outlives the run's context by its goodbye: Close says it, not the context.
	c, err := client.Dial(context.WithoutCancel(ctx), o)
	if err != nil {
		return nil, err
	}
	if err := c.Join(p.room); err != nil && !errors.Is(err, client.ErrNotConnected) {
		p.run.Log.WithError(err).Debug("entering a room")
	}
	return c, nil
}

// talk sends messages until the client hangs up, or is ended.
func (p *person) talk(ctx context.Context, c *client.Client) {
	life := p.once
	if life == 0 && p.run.Scenario.Life > 0 {
		life = time.Duration(p.rng.ExpFloat64() * float64(p.run.Scenario.Life))
	}
	hangUp, next := after(life), after(p.pause())
	defer hangUp.Stop()
	defer next.Stop()
	for turn := p.rng.IntN(3); ; turn++ {
		select {
		case <-next.C:
			p.say(c, turn)
			next.Reset(p.pause())
		case <-hangUp.C:
			return
		case <-c.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// pause is the time to the next message, 0: none comes.
func (p *person) pause() time.Duration {
	chat := p.run.Scenario.Chat
	if chat == 0 {
		return 0
	}
	return time.Millisecond + time.Duration(min(p.rng.ExpFloat64(), 20)/chat*float64(time.Second))
}

// after is a timer that never fires where d is 0.
func after(d time.Duration) *time.Timer {
	if d == 0 {
		d = math.MaxInt64
	}
	return time.NewTimer(d)
}

// say sends one message: an echo, one to somebody, one to the room, by turns.
func (p *person) say(c *client.Client, turn int) {
	var err error
	switch turn % 3 {
	case 0:
		_, err = c.Echo(json.RawMessage(`{"sent":` + strconv.FormatInt(time.Now().UnixNano(), 10) + `}`))
	case 1:
		_, err = c.SendTo(accountOf(p.rng.IntN(max(1, p.run.Scenario.Users))), json.RawMessage(`{"text":"hello"}`))
	default:
		_, err = c.SendRoom(p.room, json.RawMessage(`{"text":"hello, all"}`))
	}
	if err != nil {
		p.tally.notSent.Add(1)
		return
	}
	p.tally.sent.Add(1)
}

// handler counts what a client receives.
func (t *tally) handler() client.Handler {
	return client.Handler{
		State:   t.state,
		Message: func(protocol.Message, protocol.Envelope) { t.received.Add(1) },
		Ack:     func(protocol.Ack) { t.acked.Add(1) },
		Error:   func(protocol.Error) { t.errors.Add(1) },
		Echo: func(_ string, payload json.RawMessage) {
			t.received.Add(1)
			var e struct {
				Sent int64 `json:"sent"`
			}
			if json.Unmarshal(payload, &e) == nil && e.Sent > 0 {
				t.rtt.Add(time.Now().UnixNano() - e.Sent)
				t.echoes.Add(1)
			}
		},
	}
}

// route sends each dial to the next target, beginning with the one of node, as a load balancer would: what is away is
// passed over with the next try.
func (r *runner) route(node int, d netDial) netDial {
	next := node
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if u, err := url.Parse(r.Target[next%len(r.Target)]); err == nil && len(r.Target) > 1 {
			address = hostPort(u)
		}
		next++
		return d(ctx, network, address)
	}
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	port := "80"
	if u.Scheme == "wss" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
