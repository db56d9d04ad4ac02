package sim

import (
	"fmt"
	"strings"
	"time"

	"imwatch/event"
)

// Scenarios gives the scenarios that are shipped, in the order in which help shows them.
func Scenarios() []Scenario {
	return []Scenario{
		base("calm", "nothing is wrong: clients come, talk and go"),
		demo(),
		acceptance(),
		base("bad-tokens", "25 handshakes with forged tokens in a minute",
			Trouble{Kind: BadTokens, At: 2 * time.Minute, For: 50 * time.Second, Count: 25, Addresses: 5, Reason: event.HandshakeTokenSignature}),
		base("silent-clients", "12 clients of one node stop answering pings and keep their connections open",
			Trouble{Kind: Silent, At: 2 * time.Minute, Count: 12}),
		base("hammer", "one address connects 30 times a second",
			Trouble{Kind: Hammer, At: 2 * time.Minute, For: 10 * time.Second, Rate: 30}),
		base("rst", "one client's TCP is reset: no reason for an alert",
			Trouble{Kind: Reset, At: 2 * time.Minute, Count: 1}),
		base("storm", "all clients lose their network at once and come back: no reason for an alert",
			Trouble{Kind: Reset, At: 2 * time.Minute}),
		base("office", "200 clients of one office come through one address in a minute: no reason for an alert",
			Trouble{Kind: SharedAddr, At: 2 * time.Minute, For: time.Minute, Count: 200}),
		base("node-stop", "one node drains, stops and comes back: no reason for an alert",
			Trouble{Kind: NodeStop, At: 2 * time.Minute, For: time.Minute}),
		base("node-kill", "one node dies; its connections are orphaned",
			Trouble{Kind: NodeKill, At: 2 * time.Minute, For: 2 * time.Minute}),
		base("errors", "one node writes 30 errors in a row",
			Trouble{Kind: Errors, At: 2 * time.Minute, For: 20 * time.Second, Count: 30}),
		base("panic", "one node writes a fatal line",
			Trouble{Kind: Panic, At: 2 * time.Minute}),
		fleet(),
	}
}

// ByName finds a shipped scenario.
func ByName(name string) (Scenario, error) {
	var names []string
	for _, s := range Scenarios() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scenario{}, fmt.Errorf("unknown scenario %q, there are: %s", name, strings.Join(names, ", "))
}

func base(name, title string, troubles ...Trouble) Scenario {
	return Scenario{
		Name: name, Title: title, Duration: 10 * time.Minute, Users: 300, Ramp: time.Minute, Life: 4 * time.Minute,
		Chat: 0.2, Nodes: 3, Troubles: troubles,
	}
}

// demo fits into a minute with the short heartbeats of imwatch demo.
func demo() Scenario {
	return Scenario{
		Name: "demo", Title: "a few hundred clients, forged tokens, silent clients and one hammering address",
		Duration: time.Minute, Users: 300, Ramp: 6 * time.Second, Chat: 0.5, Nodes: 2, Heartbeat: 5 * time.Second,
		Troubles: []Trouble{
			{Kind: Silent, At: 7 * time.Second, Count: 12},
			{Kind: BadTokens, At: 10 * time.Second, For: 12 * time.Second, Count: 25, Addresses: 5, Reason: event.HandshakeTokenSignature},
			{Kind: Hammer, At: 26 * time.Second, For: 4 * time.Second, Rate: 30},
			{Kind: Reset, At: 32 * time.Second, Count: 1},
		},
	}
}

// acceptance is the project's own bar: what must raise alerts beside what must not.
func acceptance() Scenario {
	return Scenario{
		Name: "acceptance", Title: "300 clients, 25 forged tokens, 12 silent clients, one RST, one node stopped",
		Duration: 150 * time.Second, Users: 300, Ramp: 10 * time.Second, Chat: 0.5, Nodes: 2,
		Troubles: []Trouble{
			{Kind: Silent, At: 15 * time.Second, Count: 12},
			{Kind: BadTokens, At: 20 * time.Second, For: 40 * time.Second, Count: 25, Addresses: 5, Reason: event.HandshakeTokenSignature},
			{Kind: Reset, At: 65 * time.Second, Count: 1},
			{Kind: NodeStop, At: 120 * time.Second, Node: 1},
		},
	}
}

// fleet is everything after one another on a larger fleet: the one to score a detector with.
func fleet() Scenario {
	s := base("fleet", "a fleet of six nodes in an hour with every kind of trouble, and with what only looks like trouble")
	s.Duration, s.Users, s.Nodes, s.Ramp = time.Hour, 3000, 6, 3*time.Minute
	s.Troubles = []Trouble{
		{Kind: BadTokens, At: 5 * time.Minute, For: 50 * time.Second, Count: 40, Addresses: 8, Reason: event.HandshakeTokenSignature},
		{Kind: SharedAddr, At: 8 * time.Minute, For: time.Minute, Count: 200},
		{Kind: Silent, At: 10 * time.Minute, Count: 12, Node: 1},
		{Kind: Hammer, At: 16 * time.Minute, For: 10 * time.Second, Rate: 30, Node: 2},
		{Kind: Reset, At: 20 * time.Minute, Count: 300},
		{Kind: NodeStop, At: 25 * time.Minute, For: 2 * time.Minute, Node: 3},
		{Kind: Errors, At: 32 * time.Minute, For: 20 * time.Second, Count: 30, Node: 4},
		{Kind: BadTokens, At: 37 * time.Minute, For: 50 * time.Second, Count: 30, Addresses: 1, Reason: event.HandshakeTokenExpired},
		{Kind: NodeKill, At: 43 * time.Minute, For: 2 * time.Minute, Node: 5},
		{Kind: Panic, At: 50 * time.Minute},
		{Kind: Hammer, At: 55 * time.Minute, For: 5 * time.Second, Rate: 15, Node: 1},
	}
	return s
}
