package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/wecom"
	"imwatch/sim"
)

// DemoOptions are the flags of demo.
type DemoOptions struct {
	For     time.Duration // 0: until ctx ends
	Clients int
	Data    string // "": a temporary folder
	Env     []string
}

// Demo runs the whole on embedded parts, drives a simulated fleet with trouble in it against it, and shows each alert
// as it reaches a local WeCom robot.
func Demo(ctx context.Context, o DemoOptions, streams Streams) (err error) {
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	if o.Data == "" {
		dir, err := os.MkdirTemp("", "imwatch-demo-")
		if err != nil {
			return fmt.Errorf("making a folder for the demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		o.Data = dir
	}
	bot, err := robot.New()
	if err != nil {
		return fmt.Errorf("starting the local robot: %w", err)
	}
	defer bot.Close()
	scenario, err := sim.ByName("demo")
	if err != nil {
		return err
	}
	scenario.Users = o.Clients
	cfg, err := demoConfig(o, bot, scenario)
	if err != nil {
		return err
	}
	show := &show{out: streams.Out, start: time.Now()}
	show.intro(cfg, o)
	return up(ctx, cfg, Streams{Out: streams.Out, Err: show.diagnostics(streams.Err)}, func(at addresses) {
		show.goes(func() { show.alerts(ctx, at.broker, bot) })
		show.goes(func() { show.fleet(ctx, cfg, at.clients, scenario) })
	}, show.outro)
}

// demoConfig is what up has, with short heartbeats, free ports and the robot as the one who is told.
func demoConfig(o DemoOptions, bot *robot.Robot, scenario sim.Scenario) (Config, error) {
	cfg, err := LoadUpConfig("", o.Env, o.Data)
	if err != nil {
		return cfg, err
	}
	cfg.source = nil // what is set here would be lost
	cfg.Log.Level = "warn"
	cfg.Ops.Addr, cfg.IMServer.Addr, cfg.IMServer.OpsAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.IMServer.Heartbeat.Interval = scenario.Heartbeat
	cfg.IMServer.Heartbeat.Timeout = 3 * scenario.Heartbeat
	cfg.IMServer.Limits.Connections = max(cfg.IMServer.Limits.Connections, o.Clients+1000)
	receiver := alerting.NewReceiver("robot")
	receiver.WeCom = &wecom.Config{}
	receiver.WeCom.SetDefaults()
	receiver.WeCom.URL = bot.URL()
	cfg.Alerting.Receivers = []alerting.Receiver{receiver}
	return cfg, cfg.check(upKeys())
}
