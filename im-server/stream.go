package imserver

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// stream reads and writes a client's connection. It says when reading has to wait for the client, so that what answers
// all that came together goes out together, and it writes what the system takes at once without waiting for more. One
// goroutine may read and one may write.
type stream struct {
	nc    net.Conn
	raw   syscall.RawConn // nil: nothing is known of waiting, as with TLS
	waits func()          // called by the reader before it waits, and perhaps when it does not

	// of the read under way
	p    []byte
	n    int
	err  error
	told bool
	try  func(fd uintptr) (done bool)
}

func (t *stream) init(nc net.Conn, waits func()) {
	t.nc, t.waits = nc, waits
	if tcp, ok := nc.(*net.TCPConn); ok && rawIO {
		if raw, err := tcp.SyscallConn(); err == nil {
			t.raw, t.try = raw, t.tryRead
		}
	}
}

// Read implements io.Reader.
func (t *stream) Read(p []byte) (int, error) {
	if t.raw == nil || len(p) == 0 {
		t.waits()
		return t.nc.Read(p)
	}
	t.p, t.told = p, false
	err := t.raw.Read(t.try)
	t.p = nil
	switch {
	case err != nil:
		return 0, err
	case t.err != nil:
		return 0, t.failed("read", t.err)
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

// tryRead reads what has come; false: nothing has.
func (t *stream) tryRead(fd uintptr) bool {
	for {
		switch t.n, t.err = readRaw(fd, t.p); {
		case errors.Is(t.err, syscall.EINTR):
		case !errors.Is(t.err, syscall.EAGAIN):
			return true
		default:
			if !t.told {
				t.told = true
				t.waits()
			}
			return false
		}
	}
}

// failed makes an error of the system what net would make of it.
func (t *stream) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: t.nc.LocalAddr(), Addr: t.nc.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}

// writing writes to streams without waiting.
type writing struct {
	p   []byte
	n   int
	err error
	try func(fd uintptr) (done bool)
}

// now writes what the system takes at once of p, and gives how much that was: less than all with no error is a socket
// that is full, or one of which nothing is known.
func (o *writing) now(t *stream, p []byte) (int, error) {
	if t.raw == nil {
		return 0, nil
	}
	if o.try == nil {
		o.try = o.tryWrite
	}
	o.p, o.n, o.err = p, 0, nil
	err := t.raw.Write(o.try)
	o.p = nil
	if err == nil && o.err != nil {
		err = t.failed("write", o.err)
	}
	return o.n, err
}

func (o *writing) tryWrite(fd uintptr) bool {
	for o.n < len(o.p) {
		n, err := writeRaw(fd, o.p[o.n:])
		switch {
		case err == nil:
			o.n += n
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return true
		default:
			o.err = err
			return true
		}
	}
	return true
}
