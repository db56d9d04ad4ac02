package redis

import (
	"context"
	"errors"
	"fmt"

	"imwatch/im-server/cluster"
)

var errNoJournal = errors.New("there is no journal")

// remember reads what a process before this one left in the journal.
func (c *Cluster) remember() error {
	records, err := c.journal.Next(c.journal.Len())
	if err != nil {
		return err
	}
	for _, r := range records {
		m, err := parseRecord(r)
		if err != nil {
			return err
		}
		c.handed.add(m, false)
	}
	return nil
}

// keep puts messages into the journal, and hands them out on this node.
func (l *lane) keep(batch []*publishing) {
	c := l.c
	var fresh []*publishing
	var records [][]byte
	for _, p := range batch {
		switch {
		case c.journal == nil:
			p.answer(cluster.Receipt{}, errors.Join(c.breaker.reason(), errNoJournal))
		case !c.handed.add(&p.msg, true):
			// It may be of this very batch: it is answered once that is on the disk, behind it.
			fresh, records = append(fresh, p), append(records, nil)
		default:
			fresh, records = append(fresh, p), append(records, record(&p.msg))
		}
	}
	err := l.append(records)
	for i, p := range fresh {
		switch {
		case err != nil:
			if records[i] != nil {
				c.handed.remove(&p.msg)
			}
			p.answer(cluster.Receipt{}, errors.Join(c.breaker.reason(), err))
		case records[i] == nil:
			p.answer(cluster.Receipt{Duplicate: true}, nil)
		default:
			c.handOut(&p.msg)
			p.answer(cluster.Receipt{}, nil)
		}
	}
}

func (l *lane) append(records [][]byte) error {
	var some [][]byte
	for _, r := range records {
		if r != nil {
			some = append(some, r)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return l.c.journal.Append(some...)
}

// handOut gives a message to those on this node who follow its topic. It has no offset.
func (c *Cluster) handOut(m *cluster.Message) {
	if !c.feed.follows(m.Topic) {
		return
	}
	out := *m
	out.Epoch, out.Offset, out.Again = "", 0, false
	mu := c.order.of(m.Topic)
	mu.Lock()
	defer mu.Unlock()
	c.receiver.Deliver(&out)
}

// replaying says whether the journal waits to be put into Redis. With nothing in it the breaker closes.
func (l *lane) replaying() bool {
	if state, _ := l.c.breaker.now(); state != stateHalfOpen {
		return false
	}
	if l.c.journal != nil && l.c.journal.Len() > 0 {
		return true
	}
	l.c.breaker.replayed(l.c.opts.Now())
	return false
}

// replay puts the journal's oldest messages into Redis, and takes them out when they are there.
func (l *lane) replay(ctx context.Context) {
	taken, err := l.replaySome(ctx)
	if len(taken) > 0 {
		// Until they are out of the journal they may come again, and are known by their ids then.
		if errDone := l.c.journal.Done(len(taken)); errDone != nil {
			err = errors.Join(err, errDone)
		} else {
			now := l.c.opts.Now()
			for _, m := range taken {
				l.c.handed.done(m, now)
			}
			l.c.metrics.replayed.Add(float64(len(taken)))
		}
	}
	if err != nil && ctx.Err() == nil {
		l.c.breaker.failed(err)
	}
}

func (l *lane) replaySome(ctx context.Context) ([]*cluster.Message, error) {
	records, err := l.c.journal.Next(batchMessages)
	if err != nil {
		return nil, err
	}
	batch := make([]*publishing, len(records))
	for i, r := range records {
		m, err := parseRecord(r)
		if err != nil {
			return nil, err
		}
		batch[i] = &publishing{msg: *m, head: head(m), id: identity(m)}
	}
	var taken []*cluster.Message
	for i, r := range l.c.pipePublish(ctx, batch) {
		if r.err != nil {
			return taken, fmt.Errorf("replaying the journal: %w", r.err)
		}
		taken = append(taken, &batch[i].msg)
	}
	return taken, nil
}
