package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

// markTime is how long it is known of a node that it was buried.
const markTime = 24 * time.Hour

// staleLeases is for how many times that of a lease a node is waited for that died while Redis was lost.
const staleLeases = 6

// Renew implements cluster.Nodes.
func (c *Cluster) Renew(ctx context.Context, ttl time.Duration) (cluster.Lease, error) {
	var got []string
	var l cluster.Lease
	err := c.doSoon(ctx, "renewing the lease", func(ctx context.Context) (err error) {
		got, err = c.eval(ctx, c.scripts.renew, c.lifeKeys(c.member), c.member, ttl.Milliseconds()).StringSlice()
		if err == nil && len(got) != 3 {
			err = fmt.Errorf("%q is no lease: %w", got, errWire)
		}
		if err == nil {
			l.Until, err = score(got[1])
		}
		return err
	})
	if err != nil {
		return l, err
	}
	c.leaseTTL.Store(int64(ttl))
	switch {
	case got[0] == "2":
		if l.Buried, err = c.comeBack(ctx, got[2]); err != nil {
			return l, err
		}
	case got[0] == "0" && c.leased.Load():
		c.own.spoil() // Redis has forgotten this node, and more
	}
	c.leased.Store(true)
	return l, nil
}

// lifeKeys are those that say whether a node lives.
func (c *Cluster) lifeKeys(member string) []string {
	return []string{c.keys.leases(), c.keys.claims(), c.keys.buried() + member}
}

// comeBack forgets this node's connections here and there, and gives those that a reaper has.
func (c *Cluster) comeBack(ctx context.Context, until string) (*cluster.Dead, error) {
	if c.buried == nil { // else it is known, and something behind failed
		d := &cluster.Dead{Node: c.opts.Node, Boot: c.opts.Boot}
		err := c.doSoon(ctx, "coming back", func(ctx context.Context) (err error) {
			if d.Until, err = score(until); err != nil {
				return err
			}
			if err := c.eval(ctx, c.scripts.back, []string{c.keys.open(c.member), c.keys.back(c.member)}, markTime.Milliseconds()).Err(); err != nil {
				return err
			}
			d.Open, err = c.taken(ctx, c.member)
			return err
		})
		if err != nil {
			return nil, err
		}
		c.buried = d
	}
	c.own.clear()
	if err := c.keepTrying(c.forget(ctx, c.member)); err != nil {
		return nil, err
	}
	err := c.doSoon(ctx, "coming back", func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		pipe.Del(ctx, c.keys.taken(c.member))
		pipe.HDel(ctx, c.keys.claims(), c.member)
		pipe.Del(ctx, c.keys.buried()+c.member)
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	d := c.buried
	c.buried = nil
	return d, nil
}

// forget takes a node's presence and connections out.
func (c *Cluster) forget(ctx context.Context, member string) error {
	return c.doSoon(ctx, "forgetting a node", func(ctx context.Context) error {
		holds, err := c.client.SMembers(ctx, c.keys.holds(member)).Result()
		if err != nil {
			return err
		}
		if err := c.leaveAll(ctx, member, holds); err != nil {
			return err
		}
		return c.client.Del(ctx, c.keys.open(member), c.keys.holds(member)).Err()
	})
}

// Opened implements cluster.Nodes.
func (c *Cluster) Opened(ctx context.Context, open []cluster.Open) error {
	values := make([]any, 0, 2*len(open))
	for _, o := range open {
		b, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("telling of open connections: %w", err)
		}
		values = append(values, o.ID, b)
		c.own.mu.Lock()
		c.own.open[o.ID] = b
		c.own.mu.Unlock()
	}
	if len(open) == 0 {
		return nil
	}
	return c.keepTrying(c.doSoon(ctx, "telling of open connections", func(ctx context.Context) error {
		return c.client.HSet(ctx, c.keys.open(c.member), values...).Err()
	}))
}

// Closed implements cluster.Nodes.
func (c *Cluster) Closed(ctx context.Context, ids []string) error {
	c.own.mu.Lock()
	for _, id := range ids {
		delete(c.own.open, id)
	}
	c.own.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	return c.keepTrying(c.doSoon(ctx, "telling of closed connections", func(ctx context.Context) error {
		return c.client.HDel(ctx, c.keys.open(c.member), ids...).Err()
	}))
}

// Reap implements cluster.Nodes. After Redis was lost it gives nobody for the time of a lease: every node must have had
// the time to renew its own first. One that has not since may have died without having told of what ended meanwhile. Its
// next start knows that, and is given time to come.
func (c *Cluster) Reap(ctx context.Context) ([]cluster.Dead, error) {
	if err := c.await(ctx, c.looked); err != nil {
		return nil, fmt.Errorf("looking for dead nodes: %w", err)
	}
	ttl, since := time.Duration(c.leaseTTL.Load()), c.breaker.since()
	back := c.opts.Now().Sub(since)
	if ttl == 0 || back < ttl {
		return nil, nil
	}
	from := int64(0)
	if back < staleLeases*ttl {
		from = since.UnixMilli()
	}
	var dead []cluster.Dead
	err := c.do(ctx, "looking for dead nodes", func(ctx context.Context) error {
		values, err := c.eval(ctx, c.scripts.reap, []string{c.keys.leases(), c.keys.claims()}, c.member, cluster.ClaimTime.Milliseconds(), from).StringSlice()
		if err != nil {
			return err
		}
		for ; len(values) >= 2; values = values[2:] {
			d, err := c.dead(ctx, values[0], values[1])
			if err != nil {
				return err
			}
			dead = append(dead, d)
		}
		return nil
	})
	return dead, err
}

func (c *Cluster) dead(ctx context.Context, member, until string) (cluster.Dead, error) {
	node, boot, ok := strings.Cut(member, "\x00")
	if !ok {
		return cluster.Dead{}, fmt.Errorf("%q is no node: %w", member, errWire)
	}
	d := cluster.Dead{Node: node, Boot: boot}
	var err error
	if d.Until, err = score(until); err != nil {
		return cluster.Dead{}, err
	}
	n, err := c.eval(ctx, c.scripts.take, []string{c.keys.open(member), c.keys.taken(member), c.keys.back(member)}, until).Int()
	if err != nil || n == 0 { // it has come back, and its connections go on
		return d, err
	}
	d.Open, err = c.taken(ctx, member)
	return d, err
}

// taken reads what a reaper has of a node, a piece at a time, since there may be much.
func (c *Cluster) taken(ctx context.Context, member string) (list []cluster.Open, err error) {
	seen := map[string]bool{} // a scan may give one twice
	for cursor := uint64(0); ; {
		var values []string
		values, cursor, err = c.client.HScan(ctx, c.keys.taken(member), cursor, "", 512).Result()
		if err != nil {
			return nil, err
		}
		for i := 1; i < len(values); i += 2 {
			var o cluster.Open
			if err := json.Unmarshal([]byte(values[i]), &o); err != nil {
				return nil, fmt.Errorf("%w: %w", errWire, err)
			}
			if !seen[o.ID] {
				seen[o.ID] = true
				list = append(list, o)
			}
		}
		if cursor == 0 {
			break
		}
	}
	cluster.SortOpen(list)
	return list, nil
}

// Succeed implements cluster.Nodes.
func (c *Cluster) Succeed(ctx context.Context, node, boot string) (d cluster.Dead, err error) {
	m := member(node, boot)
	err = c.doSoon(ctx, "following on an earlier start", func(ctx context.Context) error {
		until, err := c.eval(ctx, c.scripts.succeed, c.lifeKeys(m), m, cluster.ClaimTime.Milliseconds()).Text()
		if errors.Is(err, goredis.Nil) {
			return cluster.ErrUnknown
		}
		if err == nil {
			d, err = c.dead(ctx, m, until)
		}
		return err
	})
	return d, err
}

// Buried implements cluster.Nodes.
func (c *Cluster) Buried(ctx context.Context, d cluster.Dead) error {
	m := member(d.Node, d.Boot)
	if err := c.bury(ctx, m, 0); err != nil {
		return err
	}
	if err := c.forget(ctx, m); err != nil {
		return err
	}
	err := c.doSoon(ctx, "burying a node", func(ctx context.Context) error { // should it come back, it is told
		return c.client.PExpire(ctx, c.keys.taken(m), markTime).Err()
	})
	if err != nil {
		return err
	}
	return c.bury(ctx, m, markTime)
}

// bury takes a node's lease out when it has run out, or only asks whether it has.
func (c *Cluster) bury(ctx context.Context, member string, mark time.Duration) error {
	return c.doSoon(ctx, "burying a node", func(ctx context.Context) error {
		n, err := c.eval(ctx, c.scripts.bury, c.lifeKeys(member), member, mark.Milliseconds()).Int()
		if err == nil && n == 0 {
			return cluster.ErrUnknown
		}
		return err
	})
}

// Retire implements cluster.Nodes.
func (c *Cluster) Retire(ctx context.Context) error {
	c.leased.Store(false)
	c.own.clear()
	if err := c.keepTrying(c.forget(ctx, c.member)); err != nil {
		return err
	}
	return c.doSoon(ctx, "giving the lease up", func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		pipe.ZRem(ctx, c.keys.leases(), c.member)
		pipe.HDel(ctx, c.keys.claims(), c.member)
		_, err := pipe.Exec(ctx)
		return err
	})
}
