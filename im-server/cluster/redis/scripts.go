package redis

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// scripts are what Redis does in one step. What they decide by time they decide by Redis' clock, the only one that all
// nodes share.
type scripts struct {
	publish, read, check, renumber, enter, leave, inbox, renew, reap, bury, succeed, take, back, save, drop *goredis.Script
}

func loadScripts() (*scripts, error) {
	s := &scripts{}
	var errs []error
	for name, to := range s.all() {
		src, err := luaFiles.ReadFile("lua/" + name + ".lua")
		errs = append(errs, err)
		*to = goredis.NewScript(string(src))
	}
	return s, errors.Join(errs...)
}

func (s *scripts) all() map[string]**goredis.Script {
	return map[string]**goredis.Script{
		"publish": &s.publish, "read": &s.read, "check": &s.check, "renumber": &s.renumber, "enter": &s.enter, "leave": &s.leave,
		"inbox": &s.inbox, "renew": &s.renew, "reap": &s.reap, "bury": &s.bury,
		"succeed": &s.succeed, "take": &s.take, "back": &s.back, "save": &s.save, "drop": &s.drop,
	}
}

// load puts the scripts into every server: a pipeline calls them by their hash.
func (s *scripts) load(ctx context.Context, client goredis.UniversalClient) error {
	one := func(ctx context.Context, c goredis.Cmdable) error {
		for name, script := range s.all() {
			if err := (*script).Load(ctx, c).Err(); err != nil {
				return fmt.Errorf("loading the script %s: %w", name, err)
			}
		}
		return nil
	}
	if c, ok := client.(*goredis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, c *goredis.Client) error { return one(ctx, c) })
	}
	return one(ctx, client)
}

func missingScript(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT")
}
