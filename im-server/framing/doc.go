// Package framing reads the frames of WebSocket clients (RFC 6455) and packs and unpacks their messages (RFC 7692), on the
// server's side. It checks all that the RFCs demand, UTF-8 as it comes among it, and bounds what one message may take: bytes
// as sent, bytes unpacked, frames. What a client does wrong is an *Error that says how to close the connection.
package framing
