// Package protocol is what an IM client and the IM server say to each other: the envelope of a message, its types and
// payloads, the names of the handshake and the text of a close frame. docs/protocol.md says the same in prose.
//
// Every WebSocket text message is one envelope, one JSON object:
//
//	{"v":1,"type":"message","id":"m-1","seq":7,"ts":1763719200123,"payload":{"room":"r-1","body":{"text":"hi"}}}
//
// Decoding checks everything it hands on. A server decodes with [Strict]: what it does not know is an error that says
// where. A client decodes with [Lenient]: fields that it does not know are passed over, so that a newer server can say
// more. The package does no input or output and keeps no state.
package protocol
