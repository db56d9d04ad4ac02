package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

const resyncAtOnce = 256

// own is what this node has told Redis of its connections: Redis is made equal to it when it comes back.
type own struct {
	mu    sync.Mutex
	dirty bool                       // Redis may not know it all
	enter map[string]entry           // by connection
	open  map[string]json.RawMessage // by connection: cluster.Open
}

type entry struct {
	user   string
	device []byte // presentDevice
}

// presentDevice is a device as it stands in Redis.
type presentDevice struct {
	cluster.Device
	Boot string
}

func newOwn() *own {
	return &own{enter: map[string]entry{}, open: map[string]json.RawMessage{}}
}

func (o *own) spoil() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dirty = true
}

func (o *own) spoilt() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dirty
}

// keepTrying is for the end of calls that change what this node has told.
func (c *Cluster) keepTrying(err error) error {
	if err != nil {
		c.own.spoil()
	}
	return err
}

func (o *own) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.enter, o.open, o.dirty = map[string]entry{}, map[string]json.RawMessage{}, false
}

func (o *own) snapshot() (map[string]entry, map[string]json.RawMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dirty = false
	return maps.Clone(o.enter), maps.Clone(o.open)
}

func (o *own) has(connection string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.enter[connection]
	return ok
}

// resync makes Redis equal to what this node knows of itself.
func (c *Cluster) resync(ctx context.Context) {
	err := c.doSoon(ctx, "telling Redis of this node's connections anew", func(ctx context.Context) error {
		enter, open := c.own.snapshot()
		return first(c.resyncOpen(ctx, open), func() error { return c.resyncPresence(ctx, enter) })
	})
	if err != nil {
		c.own.spoil()
	}
}

func first(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

func (c *Cluster) resyncOpen(ctx context.Context, open map[string]json.RawMessage) error {
	key := c.keys.open(c.member)
	ids, err := c.client.HKeys(ctx, key).Result()
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(ids, func(id string) bool { return open[id] != nil })
	for part := range slices.Chunk(gone, resyncAtOnce) {
		if err := c.client.HDel(ctx, key, part...).Err(); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(slices.Collect(maps.Keys(open)), resyncAtOnce) {
		values := make([]any, 0, 2*len(part))
		for _, id := range part {
			values = append(values, id, []byte(open[id]))
		}
		if err := c.client.HSet(ctx, key, values...).Err(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) resyncPresence(ctx context.Context, enter map[string]entry) error {
	held, err := c.client.SMembers(ctx, c.keys.holds(c.member)).Result()
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(held, func(h string) bool {
		_, connection := splitHold(h)
		return c.own.has(connection)
	})
	if err := c.leaveAll(ctx, c.member, gone); err != nil {
		return err
	}
	for part := range slices.Chunk(slices.Collect(maps.Keys(enter)), resyncAtOnce) {
		pipe := c.client.Pipeline()
		for _, connection := range part {
			c.pipeEnter(ctx, pipe, enter[connection].user, connection, enter[connection].device)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		// What has left meanwhile must not stay.
		var left []string
		for _, connection := range part {
			if !c.own.has(connection) {
				left = append(left, hold(enter[connection].user, connection))
			}
		}
		if err := c.leaveAll(ctx, c.member, left); err != nil {
			return err
		}
	}
	return nil
}

// leaveAll takes entries of a node's out of presence.
func (c *Cluster) leaveAll(ctx context.Context, member string, holds []string) error {
	for part := range slices.Chunk(holds, resyncAtOnce) {
		pipe := c.client.Pipeline()
		for _, h := range part {
			user, connection := splitHold(h)
			c.pipeLeave(ctx, pipe, member, user, connection)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("taking out of presence: %w", err)
		}
	}
	return nil
}

// pipeEnter notes that the node holds an entry before it makes it, so that none outlives its node.
func (c *Cluster) pipeEnter(ctx context.Context, pipe goredis.Pipeliner, user, connection string, device []byte) {
	pipe.SAdd(ctx, c.keys.holds(c.member), hold(user, connection))
	c.evalIn(ctx, pipe, c.scripts.enter, []string{c.keys.present(user)}, connection, device, c.keys.userFeed(user))
}

func (c *Cluster) pipeLeave(ctx context.Context, pipe goredis.Pipeliner, member, user, connection string) {
	c.evalIn(ctx, pipe, c.scripts.leave, []string{c.keys.present(user)}, connection, c.keys.userFeed(user))
	pipe.SRem(ctx, c.keys.holds(member), hold(user, connection))
}

func hold(user, connection string) string { return user + "\x00" + connection }

func splitHold(h string) (user, connection string) {
	i := strings.LastIndexByte(h, 0)
	return h[:max(i, 0)], h[i+1:]
}
