package redis

import (
	"strings"
)

// keys names what is in Redis. What stands in braces says the slot: all of a topic is in one, all of a user's presence
// and inbox in that of the user's own topic.
type keys struct{ prefix string }

func (k keys) meta(topic string) string   { return k.prefix + "{" + topic + "}:m" } // hash: e epoch, n last offset
func (k keys) stream(topic string) string { return k.prefix + "{" + topic + "}:s" }
func (k keys) known(topic string) string  { return k.prefix + "{" + topic + "}:d" } // and a number: hash id → offset
func (k keys) inbox(user string) string   { return k.prefix + "{u:" + user + "}:i" }
func (k keys) present(user string) string { return k.prefix + "{u:" + user + "}:p" } // hash connection → device
func (k keys) session(id string) string   { return k.prefix + "s:" + id }
func (k keys) leases() string             { return k.prefix + "{nodes}:l" }            // sorted set node → end of its lease, ms
func (k keys) claims() string             { return k.prefix + "{nodes}:c" }            // hash node → until when a reaper has it, ms
func (k keys) buried() string             { return k.prefix + "{nodes}:b" }            // and a node: it was buried, its lease ended then, ms
func (k keys) open(member string) string  { return k.prefix + "{n:" + member + "}:o" } // hash connection → Open
func (k keys) taken(member string) string { return k.prefix + "{n:" + member + "}:t" } // the same, of a reaper
func (k keys) back(member string) string  { return k.prefix + "{n:" + member + "}:b" } // when the node came back, ms
func (k keys) holds(member string) string { return k.prefix + "{n:" + member + "}:p" } // set of user NUL connection
func (k keys) probe() string              { return k.prefix + "probe" }

// Channels.
func (k keys) topicFeed(topic string) string { return k.prefix + "t:" + topic }
func (k keys) userFeed(user string) string   { return k.prefix + "p:" + user }
func (k keys) calls(node string) string      { return k.prefix + "c:" + node }
func (k keys) replies(member string) string  { return k.prefix + "r:" + member }

// channel is what a channel's name says.
func (k keys) channel(name string) (kind byte, rest string) {
	name, ok := strings.CutPrefix(name, k.prefix)
	if !ok || len(name) < 2 || name[1] != ':' {
		return 0, ""
	}
	return name[0], name[2:]
}

// member names a start of a node.
func member(node, boot string) string { return node + "\x00" + boot }
