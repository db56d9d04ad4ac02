package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

// TakeSession implements cluster.Sessions.
func (c *Cluster) TakeSession(ctx context.Context, s *cluster.Session, keep time.Duration) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("taking a session: %w", err)
	}
	return c.do(ctx, "taking a session", func(ctx context.Context) error {
		return c.client.Set(ctx, c.keys.session(s.ID), b, keep).Err()
	})
}

// SaveSession implements cluster.Sessions.
func (c *Cluster) SaveSession(ctx context.Context, s *cluster.Session, keep time.Duration) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("saving a session: %w", err)
	}
	return c.do(ctx, "saving a session", func(ctx context.Context) error {
		n, err := c.eval(ctx, c.scripts.save, []string{c.keys.session(s.ID)}, b, keep.Milliseconds(), s.Node, s.Boot).Int()
		if err == nil && n == 0 {
			err = cluster.ErrTaken
		}
		return err
	})
}

// LoadSession implements cluster.Sessions.
func (c *Cluster) LoadSession(ctx context.Context, id string) (*cluster.Session, error) {
	s := &cluster.Session{}
	err := c.do(ctx, "loading a session", func(ctx context.Context) error {
		b, err := c.client.Get(ctx, c.keys.session(id)).Bytes()
		if errors.Is(err, goredis.Nil) {
			return cluster.ErrUnknown
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, s); err != nil {
			return fmt.Errorf("%w: %w", errWire, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// DropSession implements cluster.Sessions.
func (c *Cluster) DropSession(ctx context.Context, id string) error {
	return c.do(ctx, "dropping a session", func(ctx context.Context) error {
		return c.eval(ctx, c.scripts.drop, []string{c.keys.session(id)}, c.opts.Node, c.opts.Boot).Err()
	})
}

// Inbox implements cluster.Sessions.
func (c *Cluster) Inbox(ctx context.Context, user, device string) (epoch string, offset int64, err error) {
	err = c.do(ctx, "reading an inbox", func(ctx context.Context) error {
		values, err := c.client.HMGet(ctx, c.keys.inbox(user), "d"+device, "*").Result()
		if err != nil {
			return err
		}
		for _, v := range values {
			s, ok := v.(string)
			if !ok {
				continue
			}
			e, o, _ := strings.Cut(s, " ")
			if offset, err = strconv.ParseInt(o, 10, 64); err != nil {
				return fmt.Errorf("%q: %w", s, errWire)
			}
			epoch = e
			return nil
		}
		return nil
	})
	return epoch, offset, err
}

// SetInbox implements cluster.Sessions.
func (c *Cluster) SetInbox(ctx context.Context, user, device, epoch string, offset int64) error {
	return c.do(ctx, "moving in an inbox", func(ctx context.Context) error {
		return c.eval(ctx, c.scripts.inbox, []string{c.keys.inbox(user), c.keys.meta(cluster.User + user)},
			device, epoch, offset, c.opts.Keep.Positions.Milliseconds()).Err()
	})
}
