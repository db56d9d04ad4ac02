package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"imwatch/client"
	"imwatch/event"
)

// trouble plays the i-th trouble of the scenario with real connections, and returns when it is over.
func (r *runner) trouble(ctx context.Context, i int, t Trouble) {
	a := &actor{runner: r, Trouble: t, index: i, tally: r.tallies[1+i]}
	switch t.Kind {
	case BadTokens:
		a.badTokens(ctx)
	case Silent:
		a.silentClients(ctx)
	case Hammer:
		a.hammer(ctx)
	case Reset:
		a.reset(ctx)
	case NodeStop, NodeKill:
		a.stopNode(ctx)
	case SharedAddr:
		a.office(ctx)
	case Errors, Panic: // refused by validate
	}
}

// actor plays one trouble.
type actor struct {
	*runner
	Trouble
	index int
	tally *tally
}

func (a *actor) account(k int) string { return fmt.Sprintf("%s-%d-%03d", a.Kind, a.index, k) }

// each calls f for the k-th of n moments, spread evenly over For, each in a goroutine of its own, and waits for all. It
// gives the number of calls: fewer than n where the run ends before.
func (a *actor) each(ctx context.Context, n int, f func(k int)) int {
	var all sync.WaitGroup
	defer all.Wait()
	began := time.Now()
	for k, at := range spread(n, a.For) {
		if !sleep(ctx, at-time.Since(began)) {
			return k
		}
		all.Go(func() { f(k) })
	}
	return n
}

// once makes a client that tries one time.
func (a *actor) once(ctx context.Context, k int, fault string, dial netDial, told ...func(client.State)) (*client.Client, error) {
	o := a.client(a.account(k), fault, a.Node, dial)
	o.NoReconnect = true
	o.Handler = a.tally.handler()
	o.Handler.State = func(s client.State) {
		a.tally.state(s)
		for _, f := range told {
			f(s)
		}
	}
	c, err := client.Dial(ctx, o)
	if err != nil && !errors.Is(err, context.Canceled) {
		a.tally.refused(err)
	}
	return c, err
}

func (a *actor) badTokens(ctx context.Context) {
	if _, err := a.Tokens.Token("probe", a.Reason.Reason); err != nil {
		a.fail(err)
		return
	}
	began := time.Now()
	a.Count = a.each(ctx, a.Count, func(k int) {
		c, err := a.once(ctx, k, a.Reason.Reason, from(a.addr.trouble(a.index, k%max(1, a.Addresses))))
		if err == nil {
			a.Log.WithField("reason", a.Reason.Reason).Warn("the server took a bad token")
			_ = c.Close() // it has none to give
		}
	})
	a.For = time.Since(began) // what it really took
	a.label(a.badTokensLabel(began.UTC()))
}

// silentClients connect and then never read again. They hold their sockets until the run ends: it is the server that
// must find out.
func (a *actor) silentClients(ctx context.Context) {
	began := time.Now()
	a.For = max(a.For, silentRamp)
	var interval atomic.Int64
	a.Count = a.each(ctx, a.Count, func(k int) {
		l := new(line)
		c, err := a.once(context.WithoutCancel(ctx), k, "", l.dial(from(a.addr.trouble(a.index, k))), func(s client.State) {
			if s.Connected {
				interval.Store(s.Hello.HeartbeatMS)
			}
		})
		if err != nil {
			return
		}
		l.hang()
		a.actors.Go(func() {
			<-ctx.Done()
			l.reset()
			<-c.Done()
		})
	})
	a.For = time.Since(began)
	limit := heartbeatsMissed * time.Duration(interval.Load()) * time.Millisecond
	if sleep(ctx, limit) { // else the servers had no time to find out
		a.label(a.silentLabel(began.UTC(), limit, a.nodeKey(a.Node)))
	}
}

func (a *actor) hammer(ctx context.Context) {
	began := time.Now()
	ip := a.addr.trouble(a.index, 0)
	a.each(ctx, int(a.Rate*a.For.Seconds()), func(k int) {
		if c, err := a.once(ctx, k%5, "", from(ip)); err == nil {
			_ = c.Close() // it has none to give
		}
	})
	a.For = time.Since(began)
	l := a.hammerLabel(began.UTC(), ip)
	if ip == "" {
		l.Key = nil
	}
	a.label(l)
	if n := a.tally.report().Refusals[event.HandshakeRateLimitedIP.Reason]; n > 0 {
		a.label(refusedLabel(n, began.UTC(), l.To))
	}
}

// resetEvery is the time between two looks for clients that are connected.
const resetEvery = 20 * time.Millisecond

// reset cuts normal clients off, all at once; or so many, as soon as they are connected.
func (a *actor) reset(ctx context.Context) {
	began := time.Now().UTC()
	rng := a.rng(-1 - a.index)
	left := a.Count
	for again := true; again; again = left > 0 && sleep(ctx, resetEvery) {
		for _, k := range rng.Perm(len(a.users)) {
			if a.Count > 0 && left == 0 {
				break
			}
			if a.users[k].line.reset() {
				left--
				a.tally.lost.Add(1)
			}
		}
	}
	a.label(a.benignLabel(began))
}

func (a *actor) stopNode(ctx context.Context) {
	began := time.Now().UTC()
	held := a.tallies[0].online.Load() / int64(len(a.Target)) // about as many: clients are spread evenly
	if err := a.Nodes.Stop(ctx, a.Node, a.Kind == NodeKill); err != nil {
		a.fail(fmt.Errorf("stopping node %d: %w", a.Node, err))
		return
	}
	if a.Kind == NodeStop {
		a.label(a.benignLabel(began))
	} else {
		a.label(burstLabel(int(held), began, began.Add(a.lasts(a.Scenario))))
	}
	if a.For == 0 || !sleep(ctx, a.For-time.Since(began)) {
		return
	}
	if err := a.Nodes.Start(ctx, a.Node); err != nil {
		a.fail(fmt.Errorf("starting node %d: %w", a.Node, err))
	}
}

// office lets further normal clients come through one address.
func (a *actor) office(ctx context.Context) {
	began := time.Now().UTC()
	ip := a.addr.trouble(a.index, 0)
	a.label(a.benignLabel(began))
	a.each(ctx, a.Count, func(k int) {
		p := a.newPerson(k)
		p.tally, p.account, p.ip, p.rng = a.tally, a.account(k), ip, a.rng(1<<32+a.index<<20+k)
		p.once = time.Minute + time.Duration(p.rng.Int64N(int64(2*time.Minute)))
		p.live(ctx)
	})
}
