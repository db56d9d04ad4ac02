package redis

import (
	"context"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

// Read implements cluster.Log.
func (c *Cluster) Read(ctx context.Context, topic string, after int64, limit int) (cluster.Page, error) {
	var page cluster.Page
	err := c.do(ctx, "reading a topic", func(ctx context.Context) error {
		values, err := c.eval(ctx, c.scripts.read, []string{c.keys.meta(topic), c.keys.stream(topic)}, strconv.FormatUint(uint64(max(after, 0))+1, 10)+"-0", limit, c.opts.Keep.Age.Milliseconds()).Slice()
		if err != nil {
			return err
		}
		page, err = c.page(topic, values)
		return err
	})
	return page, err
}

func (c *Cluster) page(topic string, values []any) (cluster.Page, error) {
	wrong := fmt.Errorf("the script answered %d values: %w", len(values), errWire)
	if len(values) < 3 || len(values)%3 != 0 {
		return cluster.Page{}, wrong
	}
	epoch, ok1 := values[0].(string)
	last, ok2 := values[1].(int64)
	first, ok3 := values[2].(int64)
	if !ok1 || !ok2 || !ok3 {
		return cluster.Page{}, wrong
	}
	p := cluster.Page{Epoch: epoch, First: first, Last: last}
	for v := values[3:]; len(v) > 0; v = v[3:] {
		offset, ok1 := v[0].(int64)
		head, ok2 := v[1].(string)
		body, ok3 := v[2].(string)
		m := cluster.Message{Topic: topic, Epoch: epoch, Offset: offset, Body: []byte(body)}
		if !ok1 || !ok2 || !ok3 {
			return cluster.Page{}, wrong
		}
		if err := parseHead(head, &m); err != nil {
			return cluster.Page{}, err
		}
		m.Again = c.handed.before(&m)
		p.Messages = append(p.Messages, m)
	}
	return p, nil
}

// eval calls a script by its hash; do loads it where it is missing.
func (c *Cluster) eval(ctx context.Context, s *goredis.Script, keys []string, args ...any) *goredis.Cmd {
	return c.client.EvalSha(ctx, s.Hash(), keys, args...)
}
