package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

const checksAtOnce = 256

// suspect notes that something may be missed from now on.
func (s *sub) suspect() {
	if !s.doubted {
		s.doubted, s.base = true, s.seen
	}
}

// doubt is called with the lock held.
func (f *feed) doubt(s *sub) {
	if s.listed || s.kind != 't' && s.kind != 'p' {
		return
	}
	s.listed = true
	f.doubts = append(f.doubts, s)
	select {
	case f.doubted <- struct{}{}:
	default:
	}
}

// recheck asks, of what something may have been missed, whether something was, and tells the Receiver.
func (f *feed) recheck(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.doubted:
		}
		for ctx.Err() == nil {
			some := f.doubtful()
			if len(some) == 0 {
				break
			}
			if err := f.check(ctx, some); err != nil {
				f.again(some)
				pause(ctx, f.c.cfg.Ping)
			}
		}
	}
}

// suspicion is a sub as it stood when it was taken to be checked.
type suspicion struct {
	sub    *sub
	base   seen
	breaks int
}

// doubtful takes some off the list. Those of a feed that is broken again come back when it is whole.
func (f *feed) doubtful() []suspicion {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []suspicion
	for len(f.doubts) > 0 && len(out) < checksAtOnce {
		s := f.doubts[0]
		f.doubts = f.doubts[1:]
		s.listed = false
		if s.live {
			out = append(out, suspicion{s, s.base, s.breaks})
		}
	}
	return out
}

func (f *feed) again(some []suspicion) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range some {
		if x.sub.live {
			f.doubt(x.sub)
		}
	}
}

// cleared is told of those that were checked, before the Receiver is: what is missed from here on is another doubt.
func (f *feed) cleared(some []suspicion) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range some {
		if x.sub.breaks == x.breaks {
			x.sub.doubted = false
		}
	}
}

func (f *feed) check(ctx context.Context, some []suspicion) error {
	var topics, users []suspicion
	for _, x := range some {
		if x.sub.kind == 't' {
			topics = append(topics, x)
		} else {
			users = append(users, x)
		}
	}
	var lost []string
	err := f.c.do(ctx, "checking the feed", func(ctx context.Context) error {
		var err error
		if lost, err = f.checkTopics(ctx, topics); err != nil {
			return err
		}
		return f.checkUsers(ctx, users)
	})
	if err != nil {
		return err
	}
	f.cleared(some)
	if len(lost) > 0 {
		f.c.receiver.Lost(lost)
	}
	return nil
}

// checkTopics gives those of which more was published than came by.
func (f *feed) checkTopics(ctx context.Context, topics []suspicion) ([]string, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	c := f.c
	pipe := c.client.Pipeline()
	cmds := make([]*goredis.Cmd, len(topics))
	for i, x := range topics {
		name := x.sub.name
		cmds[i] = c.evalIn(ctx, pipe, c.scripts.check, []string{c.keys.meta(name), c.keys.stream(name)}, x.base.offset)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var lost []string
	for i, x := range topics {
		values, err := cmds[i].Slice()
		if err != nil {
			return nil, err
		}
		missed, rewound, err := compare(x.base, values)
		if err != nil {
			return nil, err
		}
		if rewound {
			c.metrics.rewound.Inc()
			if err := c.eval(ctx, c.scripts.renumber, []string{c.keys.meta(x.sub.name)}, x.base.epoch, newEpoch()).Err(); err != nil {
				return nil, fmt.Errorf("renumbering %s: %w", x.sub.name, err)
			}
		}
		if missed || rewound {
			lost = append(lost, x.sub.name)
		}
	}
	return lost, nil
}

// compare says whether a topic has more than was seen of it, and whether Redis has forgotten what it had taken: then other
// messages have, or will have, numbers that are known here, and only another epoch tells them apart.
func compare(had seen, values []any) (missed, rewound bool, err error) {
	if len(values) != 3 {
		return false, false, fmt.Errorf("the script answered %v: %w", values, errWire)
	}
	epoch, ok1 := values[0].(string)
	last, ok2 := values[1].(int64)
	head, ok3 := values[2].(string)
	if !ok1 || !ok2 || !ok3 {
		return false, false, fmt.Errorf("the script answered %v: %w", values, errWire)
	}
	if had.epoch == "" || epoch != had.epoch {
		return last > 0 || had.epoch != "", false, nil
	}
	if last < had.offset {
		return true, true, nil
	}
	if head != "" {
		var m cluster.Message
		if err := parseHead(head, &m); err != nil {
			return false, false, err
		}
		rewound = printOf(identity(&m)) != had.print
	}
	return last > had.offset, rewound, nil
}

// checkUsers tells of those who came or went unseen.
func (f *feed) checkUsers(ctx context.Context, users []suspicion) error {
	if len(users) == 0 {
		return nil
	}
	c := f.c
	pipe := c.client.Pipeline()
	cmds := make([]*goredis.IntCmd, len(users))
	for i, x := range users {
		cmds[i] = pipe.Exists(ctx, c.keys.present(x.sub.name))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for i, x := range users {
		f.settleUser(x.sub, cmds[i].Val() > 0)
	}
	return nil
}

func (f *feed) settleUser(s *sub, online bool) {
	mu := f.c.order.of(cluster.User + s.name)
	mu.Lock()
	defer mu.Unlock()
	if s.online != online {
		s.online = online
		f.c.receiver.Seen(s.name, online)
	}
}

func (c *Cluster) evalIn(ctx context.Context, pipe goredis.Pipeliner, s *goredis.Script, keys []string, args ...any) *goredis.Cmd {
	return pipe.EvalSha(ctx, s.Hash(), keys, args...)
}
