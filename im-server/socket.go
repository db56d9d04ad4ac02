package imserver

import "net"

// socketState is what the system knows of a socket that we do not.
type socketState struct {
	unsent int    // bytes that we wrote and the peer has no room for
	acked  uint64 // bytes that the peer's TCP has acknowledged since the start
	ackAge int64  // nanoseconds since its last acknowledgement
}

// tcpOf finds the TCP connection below TLS and other wrappers; nil if there is none.
func tcpOf(nc net.Conn) *net.TCPConn {
	for {
		switch c := nc.(type) {
		case *net.TCPConn:
			return c
		case interface{ NetConn() net.Conn }:
			nc = c.NetConn()
		default:
			return nil
		}
	}
}
