package imserver

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// readSocket asks the system for the state of a connection's socket; false if it has none or it is closed.
func readSocket(nc net.Conn) (st socketState, ok bool) {
	tcp := tcpOf(nc)
	if tcp == nil {
		return st, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return st, false
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) //nolint:gosec // a descriptor is small
	})
	if err != nil || failed != nil {
		return st, false
	}
	return socketState{
		unsent: int(info.Notsent_bytes), acked: info.Bytes_acked, ackAge: int64(info.Last_ack_recv) * int64(time.Millisecond),
	}, true
}
