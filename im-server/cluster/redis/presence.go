package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

// Enter implements cluster.Presence.
func (c *Cluster) Enter(ctx context.Context, user string, d cluster.Device) error {
	d.Node = c.opts.Node
	b, err := json.Marshal(presentDevice{d, c.opts.Boot})
	if err != nil {
		return fmt.Errorf("entering presence: %w", err)
	}
	c.own.mu.Lock()
	c.own.enter[d.Connection] = entry{user, b}
	c.own.mu.Unlock()
	return c.keepTrying(c.do(ctx, "entering presence", func(ctx context.Context) error {
		pipe := c.client.Pipeline()
		c.pipeEnter(ctx, pipe, user, d.Connection, b)
		_, err := pipe.Exec(ctx)
		return err
	}))
}

// Leave implements cluster.Presence.
func (c *Cluster) Leave(ctx context.Context, user, connection string) error {
	c.own.mu.Lock()
	delete(c.own.enter, connection)
	c.own.mu.Unlock()
	return c.keepTrying(c.do(ctx, "leaving presence", func(ctx context.Context) error {
		return c.leaveAll(ctx, c.member, []string{hold(user, connection)})
	}))
}

// Devices implements cluster.Presence.
func (c *Cluster) Devices(ctx context.Context, user string) ([]cluster.Device, error) {
	var out []cluster.Device
	err := c.do(ctx, "reading presence", func(ctx context.Context) error {
		values, err := c.client.HVals(ctx, c.keys.present(user)).Result()
		if err != nil || len(values) == 0 {
			return err
		}
		out, err = c.living(ctx, values)
		return err
	})
	cluster.SortDevices(out)
	return out, err
}

// living gives the devices whose nodes are alive.
func (c *Cluster) living(ctx context.Context, values []string) ([]cluster.Device, error) {
	devices := make([]presentDevice, len(values))
	pipe := c.client.Pipeline()
	clock := pipe.Time(ctx)
	leases := map[string]*goredis.FloatCmd{}
	for i, v := range values {
		d := &devices[i]
		if err := json.Unmarshal([]byte(v), d); err != nil {
			return nil, fmt.Errorf("%w: %w", errWire, err)
		}
		if m := member(d.Node, d.Boot); leases[m] == nil {
			leases[m] = pipe.ZScore(ctx, c.keys.leases(), m)
		}
	}
	if _, err := pipe.Exec(ctx); unavailable(err) {
		return nil, err
	}
	var out []cluster.Device
	for _, d := range devices {
		until, err := leases[member(d.Node, d.Boot)].Result()
		if unavailable(err) {
			return nil, err
		}
		if err == nil && until > float64(clock.Val().UnixMilli()) {
			out = append(out, d.Device)
		}
	}
	return out, nil
}

// Watch implements cluster.Presence.
func (c *Cluster) Watch(ctx context.Context, user string) error {
	channel := c.keys.userFeed(user)
	if err := c.feed.listen(ctx, channel); err != nil {
		return err
	}
	if !c.breaker.up() {
		return nil // what is missed is told when the feed is whole
	}
	return c.do(ctx, "watching presence", func(ctx context.Context) error {
		n, err := c.client.Exists(ctx, c.keys.present(user)).Result()
		if err == nil {
			c.feed.expect(channel, user, n > 0)
		}
		return err
	})
}

// expect sets what the one who watches can see for himself.
func (f *feed) expect(channel, user string, online bool) {
	f.mu.RLock()
	s := f.subs[channel]
	f.mu.RUnlock()
	if s == nil {
		return
	}
	mu := f.c.order.of(cluster.User + user)
	mu.Lock()
	defer mu.Unlock()
	s.online = online
}

// Unwatch implements cluster.Presence.
func (c *Cluster) Unwatch(user string) { c.feed.leave(c.keys.userFeed(user)) }

// score reads an instant that stands in a sorted set.
func score(s string) (time.Time, error) {
	ms, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time: %w", s, errWire)
	}
	return time.UnixMilli(int64(ms)), nil
}
