//go:build linux

package eventlog

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"imwatch/event"
)

func testConfig(tb testing.TB) Config {
	tb.Helper()
	c := DefaultConfig()
	c.Path = filepath.Join(tb.TempDir(), "im-server.log")
	return c
}

// TestFullDisk writes onto a device that is full until somebody makes room, and wants every line once.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := testConfig(t)
		if err := os.Symlink("/dev/full", c.Path); err != nil {
			t.Fatal(err)
		}
		l, stop := openTest(t, c)
		for i := range 100 {
			l.Put(line(l.Event(), fmt.Sprint(i)))
			<-time.After(time.Second / 10)
		}
		if !l.metrics.failing.Load() || l.Dropped() != 0 {
			t.Errorf("failing is %t, %d events were dropped", l.metrics.failing.Load(), l.Dropped())
		}
		if err := os.Remove(c.Path); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * retryAfter)
		if l.metrics.failing.Load() {
			t.Error("the log still fails")
		}
		stop()
		if n := len(readAll(t, c.Path)); n != 100 {
			t.Errorf("%d of 100 lines are there", n)
		}
	})
}

// TestStopOnAFullDisk ends in bounded time, and says what is lost.
func TestStopOnAFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := testConfig(t)
		if err := os.Symlink("/dev/full", c.Path); err != nil {
			t.Fatal(err)
		}
		l, err := Open(c, testDeps("b00t"))
		if err != nil {
			t.Fatal(err)
		}
		l.Put(line(l.Event(), "x"))
		l.Seal()
		stop := make(chan struct{})
		close(stop)
		began := time.Now()
		l.Run(stop)
		if took := time.Since(began); took > 2*giveUp {
			t.Errorf("it took %v", took)
		}
		if err := l.Close(); err == nil || err.Error() != "writing event log: 1 lines are lost" {
			t.Errorf("Close says %v", err)
		}
	})
}

// TestSlowDisk writes into a pipe that nobody reads for a while: nobody waits for it, what cannot be kept is counted, and
// the ends of connections are all there.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Queue = 1000
	if err := syscall.Mkfifo(c.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	l, stop := openTest(t, c)
	const lines = 5000
	taken, ends := 0, 0
	for i := range lines { // on this goroutine: a Put that waits would never return
		ev := line(l.Event(), fmt.Sprint(i))
		switch {
		case i%10 == 0:
			if !l.End(ev, fmt.Sprint(i)) {
				t.Error("an end was not taken")
			}
			ends++
			taken++
		case l.Put(ev):
			taken++
		}
	}
	if l.Dropped() == 0 || uint64(taken)+l.Dropped() != lines {
		t.Errorf("%d taken, %d dropped", taken, l.Dropped())
	}
	// Opened to read and write: the pipe has no end while the log is still writing.
	pipe, err := os.OpenFile(c.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	scan := bufio.NewScanner(pipe)
	for range taken {
		if !scan.Scan() {
			t.Fatal(scan.Err())
		}
		if event.Decode(scan.Bytes(), new(event.Event)) != nil {
			t.Fatalf("not a line: %s", scan.Bytes())
		}
	}
	stop()
}

// TestMinorLinesGiveWay: what floods the queue leaves room for the lifecycle.
func TestMinorLinesGiveWay(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Queue, c.Path = 100, ""
	l, err := Open(c, testDeps("b00t")) // and nobody runs it
	if err != nil {
		t.Fatal(err)
	}
	put := func(a event.Action) (n int) {
		for range 1000 {
			ev := l.Event()
			ev.Begin(a, at)
			if l.Put(ev) {
				n++
			}
		}
		return n
	}
	if n := put(event.ActionHTTPRequest); n != 75 {
		t.Errorf("%d http_request lines were taken", n)
	}
	if n := put(event.ActionHandshakeFailure); n != 25 {
		t.Errorf("%d handshake_failure lines were taken", n)
	}
	if n := put(event.ActionServerStop); n != 1000 {
		t.Errorf("%d lines of the node itself were taken", n)
	}
}

// TestFsync counts what each policy forces onto the disk.
func TestFsync(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]uint64{FsyncNone: 0, FsyncInterval: 8, FsyncAlways: 30} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := testConfig(t)
				c.Fsync, c.FsyncInterval = policy, time.Second
				l, stop := openTest(t, c)
				for i := range 30 { // three times a second
					l.Put(line(l.Event(), fmt.Sprint(i)))
					synctest.Wait()
					<-time.After(333 * time.Millisecond)
				}
				<-time.After(10 * time.Second)
				synctest.Wait()
				n := observations(t, l)
				// The interval begins with the first line that is not on the disk: every fourth line.
				if n != want {
					t.Errorf("%d fsyncs, want %d", n, want)
				}
				stop()
			})
		})
	}
}

func observations(t *testing.T, l *Log) uint64 {
	t.Helper()
	var m dto.Metric
	if err := l.metrics.sync.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetHistogram().GetSampleCount()
}
