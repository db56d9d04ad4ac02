package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"imwatch/im-server/cluster"
)

// markTime is how long it is known of a node that it was buried.
const markTime = 24 * time.Hour

// Renew implements cluster.Nodes.
func (c *Cluster) Renew(ctx context.Context, ttl time.Duration) error {
	var was int64
	err := c.do(ctx, "renewing the lease", func(ctx context.Context) error {
		var err error
		was, err = c.eval(ctx, c.scripts.renew, []string{c.keys.leases(), c.keys.claims(), c.keys.buried() + c.member}, c.member, ttl.Milliseconds()).Int64()
		return err
	})
	if err != nil {
		return err
	}
	c.leaseTTL.Store(int64(ttl))
	if was == 2 {
		return errors.Join(cluster.ErrBuried, c.beginAnew(ctx))
	}
	if was == 0 && c.leased.Load() {
		c.own.spoil() // Redis has forgotten this node, and more
	}
	c.leased.Store(true)
	return nil
}

// beginAnew forgets this node's connections here and there.
func (c *Cluster) beginAnew(ctx context.Context) error {
	c.own.clear()
	return c.keepTrying(c.forget(ctx, c.member))
}

// forget takes a node's presence and connections out.
func (c *Cluster) forget(ctx context.Context, member string) error {
	return c.do(ctx, "forgetting a node", func(ctx context.Context) error {
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
	return c.keepTrying(c.do(ctx, "telling of open connections", func(ctx context.Context) error {
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
	return c.keepTrying(c.do(ctx, "telling of closed connections", func(ctx context.Context) error {
		return c.client.HDel(ctx, c.keys.open(c.member), ids...).Err()
	}))
}

// Reap implements cluster.Nodes. After Redis was lost it gives nobody for the time of a lease: every node must have had
// the time to renew its own first.
func (c *Cluster) Reap(ctx context.Context) ([]cluster.Dead, error) {
	if err := c.await(ctx); err != nil {
		return nil, fmt.Errorf("looking for dead nodes: %w", err)
	}
	if c.opts.Now().Sub(c.breaker.since()) < time.Duration(c.leaseTTL.Load()) {
		return nil, nil
	}
	var dead []cluster.Dead
	err := c.do(ctx, "looking for dead nodes", func(ctx context.Context) error {
		values, err := c.eval(ctx, c.scripts.reap, []string{c.keys.leases(), c.keys.claims()}, c.member, cluster.ClaimTime.Milliseconds()).StringSlice()
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
	// A piece at a time, since a node may have had many.
	for cursor := uint64(0); ; {
		var values []string
		values, cursor, err = c.client.HScan(ctx, c.keys.open(member), cursor, "", 512).Result()
		if err != nil {
			return cluster.Dead{}, err
		}
		for i := 1; i < len(values); i += 2 {
			var o cluster.Open
			if err := json.Unmarshal([]byte(values[i]), &o); err != nil {
				return cluster.Dead{}, fmt.Errorf("%w: %w", errWire, err)
			}
			d.Open = append(d.Open, o)
		}
		if cursor == 0 {
			break
		}
	}
	cluster.SortOpen(d.Open)
	return d, nil
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
	return c.bury(ctx, m, markTime)
}

// bury takes a node's lease out when it has run out, or only asks whether it has.
func (c *Cluster) bury(ctx context.Context, member string, mark time.Duration) error {
	return c.do(ctx, "burying a node", func(ctx context.Context) error {
		n, err := c.eval(ctx, c.scripts.bury, []string{c.keys.leases(), c.keys.claims(), c.keys.buried() + member}, member, mark.Milliseconds()).Int()
		if err == nil && n == 0 {
			return cluster.ErrUnknown
		}
		return err
	})
}

// Retire implements cluster.Nodes.
func (c *Cluster) Retire(ctx context.Context) error {
	c.leased.Store(false)
	if err := c.beginAnew(ctx); err != nil {
		return err
	}
	return c.do(ctx, "giving the lease up", func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		pipe.ZRem(ctx, c.keys.leases(), c.member)
		pipe.HDel(ctx, c.keys.claims(), c.member)
		_, err := pipe.Exec(ctx)
		return err
	})
}
