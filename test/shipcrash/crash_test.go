package shipcrash

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/shipper"
)

// fault is one way to disturb the site, once a round.
type fault struct {
	name      string
	truncates bool // the log is rotated by copytruncate
	do        func(*site)
}

func faults() []fault {
	return []fault{
		{name: "shipper", do: func(s *site) { s.kill(s.shipper) }},
		{name: "truncate", truncates: true, do: func(s *site) { s.kill(s.shipper) }},
		{name: "kafka", do: func(s *site) { s.crash(kafkaScriptVar) }},
		{name: "both", do: func(s *site) {
			s.script(kafkaScriptVar, "kill9")
			s.pause(time.Second)
			s.kill(s.shipper)
			s.pause(2 * time.Second)
			s.script(kafkaScriptVar, "start")
		}},
		{name: "indexer", do: func(s *site) { s.kill(s.indexer) }},
		{name: "elasticsearch", do: func(s *site) { s.crash(esScriptVar) }},
		{name: "checkpoint", do: tear},
	}
}

func needServers(t *testing.T) {
	t.Helper()
	for _, v := range []string{kafkaVar, esVar, kafkaScriptVar, esScriptVar} {
		if os.Getenv(v) == "" {
			t.Skipf("%s is not set: test/shipcrash.sh does that", v)
		}
	}
}

// TestCrash disturbs one thing after the other, each many times, at random moments.
func TestCrash(t *testing.T) {
	needServers(t)
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			s := newSite(t, f.name, "")
			s.log.truncates = f.truncates
			s.shipper, s.indexer = s.start("ship"), s.start("index")
			s.log.start()
			for range s.rounds {
				s.pause(3 * time.Second)
				f.do(s)
			}
			s.pause(time.Second)
			s.settle()
		})
	}
}

// TestDiskFull has the disk of checkpoint and queue full for a while, and the shipper killed in the midst of it.
func TestDiskFull(t *testing.T) {
	needServers(t)
	disk := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk).CombinedOutput(); err != nil { //nolint:gosec // a folder of the test
		t.Skipf("no small disk can be made: %v %s", err, out)
	}
	s := newSite(t, "diskfull", filepath.Join(disk, "state"))
	s.shipper, s.indexer = s.start("ship"), s.start("index")
	t.Cleanup(func() {
		s.shipper.kill()
		if err := exec.CommandContext(context.Background(), "umount", disk).Run(); err != nil { //nolint:gosec // as above
			t.Error(err)
		}
	})
	s.log.start()
	for range s.rounds {
		s.pause(3 * time.Second)
		ballast := filepath.Join(disk, "ballast")
		fill(t, ballast)
		s.pause(2 * time.Second)
		if rand.IntN(2) == 0 {
			s.kill(s.shipper)
			s.pause(time.Second)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	s.settle()
}

// TestClockStepped moves the shipper's clock by up to a day, to and fro, and starts it anew in between.
func TestClockStepped(t *testing.T) {
	needServers(t)
	s := newSite(t, "clock", "")
	s.indexer = s.start("index")
	var step atomic.Int64
	log := logrus.New()
	log.SetOutput(io.Discard)
	run := func() (stop func()) {
		cfg := shipper.DefaultConfig()
		cfg.Checkpoint = filepath.Join(s.dir, "state", "checkpoint.json")
		cfg.Sources = []shipper.Source{{Paths: []string{s.log.path}, Format: shipper.FormatContract}}
		sh, err := shipper.New(cfg, shipper.Deps{
			Bus: s.bus, Log: log, Now: func() time.Time { return time.Now().Add(time.Duration(step.Load())) },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- sh.Run(ctx) }()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	stop := run()
	defer func() { stop() }()
	s.log.start()
	for range s.rounds {
		s.pause(3 * time.Second)
		step.Store(int64(rand.N(48*time.Hour) - 24*time.Hour))
		if rand.IntN(2) == 0 {
			stop()
			stop = run()
		}
	}
	s.pause(time.Second)
	s.settle()
}

// pause waits for a random time: any moment will do.
func (s *site) pause(most time.Duration) {
	select {
	case <-time.After(rand.N(most)):
	case <-s.Context().Done():
	}
}

// kill kills a process and starts it again, mostly at once.
func (s *site) kill(p *process) {
	s.Helper()
	p.kill()
	if rand.IntN(3) == 0 {
		s.pause(2 * time.Second)
	}
	p.again()
}

// crash kills a server and starts it again.
func (s *site) crash(script string) {
	s.Helper()
	s.script(script, "kill9")
	s.pause(3 * time.Second)
	s.script(script, "start")
}

// tear kills the shipper and leaves a torn checkpoint.
func tear(s *site) {
	s.Helper()
	s.shipper.kill()
	path := filepath.Join(s.dir, "state", "checkpoint.json")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // killed before its first one, it leaves an empty one here
		s.Fatal(err)
	}
	if len(b) > 0 {
		if at := rand.IntN(len(b)); rand.IntN(2) == 0 {
			b = b[:at]
		} else {
			b[at] ^= 0x40
		}
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		s.Fatal(err)
	}
	s.shipper.again()
}

// fill takes all space that is left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
