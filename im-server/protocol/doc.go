// Package protocol is what an IM client and the IM server say to each other: the envelope of a message, its types and
// payloads, the names of the handshake and the text of a close frame. docs/protocol.md says the same in prose.
//
// Every WebSocket message is one envelope, in JSON one object:
//
//	{"v":1,"type":"message","id":"m-1","seq":7,"ts":1763719200123,"payload":{"from":"u-1","room":"r-1","body":{"text":"hi"}}}
//
// What an envelope carries is described once, by the walk of its payload, and every [Codec] goes by that. Decoding checks
// everything it hands on. What a client sends is read strictly: what is not known is an error that says where. What a
// server sends is read leniently: fields that are not known are passed over, so that a newer server can say more. The
// package does no input or output and keeps no state.
package protocol
