package shipper

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"

	"imwatch/shipper/parse"
	"imwatch/shipper/parse/mapping"
	"imwatch/shipper/tail"
)

// Whatever byte of the checkpoint is torn or turned, the one before it is used.
func TestTornCheckpoint(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "c") //nolint:usetesting // one for each check
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "checkpoint.json")
		first := checkpoint{Written: epoch, Files: []tail.State{{File: "a", Head: "h", Offset: 10, Tail: 1 << 63, Next: []byte{0, 255}}}, Nodes: []nodeState{{Name: "im-1", Until: epoch, Files: []string{"a"}}}}
		second := first
		second.Files = []tail.State{{File: "a", Head: "h", Offset: 20}}
		for _, c := range []checkpoint{first, second} {
			if err := saveCheckpoint(path, c); err != nil {
				rt.Fatal(err)
			}
		}
		if c, problem := loadCheckpoint(path); problem != nil || cmp.Diff(second, c, cmpopts.EquateEmpty()) != "" {
			rt.Fatalf("%v %+v", problem, c)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		at := rapid.IntRange(0, len(b)-2).Draw(rt, "at")
		torn := b[:at]
		if rapid.Bool().Draw(rt, "turned") {
			torn = bytes.Clone(b)
			torn[at] ^= 1
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			rt.Fatal(err)
		}
		c, problem := loadCheckpoint(path)
		if d := cmp.Diff(first, c, cmpopts.EquateEmpty()); d != "" && cmp.Diff(second, c, cmpopts.EquateEmpty()) != "" {
			rt.Fatal(d)
		}
		if problem == nil && cmp.Diff(second, c, cmpopts.EquateEmpty()) != "" {
			rt.Fatal("nothing was said of it")
		}
	})
}

// A checkpoint that is torn once more, after the first save of the shipper that found it torn, costs no more than one: the
// last good one is used.
func TestTornTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoint.json")
	at := func(seconds int) checkpoint {
		return checkpoint{Written: epoch.Add(time.Duration(seconds) * time.Second)}
	}
	save := func(seconds int) {
		if err := saveCheckpoint(path, at(seconds)); err != nil {
			t.Fatal(err)
		}
	}
	tear := func() {
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(1)
	save(2)
	for next := 3; next < 6; next++ {
		tear()
		if c, problem := loadCheckpoint(path); problem == nil || !c.Written.Equal(at(1).Written) {
			t.Fatalf("before save %d: %v %v", next, problem, c.Written)
		}
		save(next)
	}
	save(6)
	tear()
	if c, problem := loadCheckpoint(path); problem == nil || !c.Written.Equal(at(5).Written) {
		t.Errorf("%v %v", problem, c.Written)
	}
}

func TestNoCheckpoint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoint.json")
	if c, problem := loadCheckpoint(path); problem != nil || len(c.Files) > 0 {
		t.Errorf("%v %v", c, problem)
	}
	if err := saveCheckpoint(path, checkpoint{Written: epoch}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".previous"); err != nil { // between the two renames of a save
		t.Fatal(err)
	}
	if c, problem := loadCheckpoint(path); problem != nil || !c.Written.Equal(epoch) {
		t.Errorf("%v %v", c, problem)
	}
}

// With a checkpoint that cannot be used the queue knows what was sent; without it all is sent again, under the same
// ids. Somebody is told.
func TestUnusableCheckpoint(t *testing.T) {
	t.Parallel()
	for name, queued := range map[string]bool{"queue": true, "no queue": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unusableCheckpoint(t, queued)
		})
	}
}

func unusableCheckpoint(t *testing.T, queued bool) {
	t.Helper()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "app.log")
	appendTo(t, live, line("im-1", 1, epoch)+"\n")
	cfg := config(dir, live)
	cfg.ExitAtEnd = true
	want := 1
	if !queued {
		cfg.Queue.Dir, want = "", 2
	}
	once(t, cfg, b)
	for _, p := range []string{cfg.Checkpoint, cfg.Checkpoint + ".previous"} {
		if err := os.WriteFile(p, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var told bytes.Buffer
	log := logrus.New()
	log.SetOutput(io.Writer(&told))
	s, err := New(cfg, Deps{Bus: b, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ids, _, _ := shipped(t, b); len(ids) != 1 || ids["im-1-boot-0000000001"] != want {
		t.Errorf("%v", ids)
	}
	if !strings.Contains(told.String(), "level=error") {
		t.Errorf("the log has %q", told.String())
	}
}

func TestOneShipperPerCheckpoint(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	cfg := config(dir, filepath.Join(dir, "app.log"))
	start(t, cfg, b)
	eventually(t, "the first shipper has its lock", func() bool {
		_, err := os.Stat(cfg.Checkpoint + ".lock")
		return err == nil
	})
	var err error
	eventually(t, "a second shipper is refused", func() bool {
		var release func() error
		if release, err = lock(cfg.Checkpoint + ".lock"); err == nil {
			err = release()
			return false
		}
		return true
	})
	if !strings.Contains(err.Error(), "another shipper") {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := config("d", "a.log")
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for key, change := range map[string]func(*Config){
		"sources":           func(c *Config) { c.Sources = nil },
		"sources[0].paths":  func(c *Config) { c.Sources[0].Paths = []string{"[a"} },
		"sources[0].format": func(c *Config) { c.Sources[0].Format = "xml" },
		"sources[0].fields: nothing goes to timestamp": func(c *Config) {
			c.Sources[0].Format, c.Sources[0].Pattern = parse.FormatGrok, mapping.Names{"%{IP:client.ip}"}
		},
		"pattern: format grok": func(c *Config) { c.Sources[0].Format = parse.FormatGrok },
		"pattern: contract":    func(c *Config) { c.Sources[0].Pattern = mapping.Names{"x"} },
		"sources[0].timezone":  func(c *Config) { c.Sources[0].Format, c.Sources[0].Timezone = "gin", "Mars/Olympus" },
		"checkpoint":           func(c *Config) { c.Checkpoint = "" },
		"watch":                func(c *Config) { c.Watch = "never" },
		"window_bytes":         func(c *Config) { c.WindowBytes = 1 },
		"queue.max_bytes":      func(c *Config) { c.Queue.MaxBytes = 1 },
		"queue.fsync:":         func(c *Config) { c.Queue.Fsync = "often" },
		"queue.fsync_interval": func(c *Config) { c.Queue.FsyncInterval = 0 },
		"batch_lines":          func(c *Config) { c.BatchLines = 0 },
		"batch_bytes":          func(c *Config) { c.BatchBytes = 10 },
		"poll_interval":        func(c *Config) { c.PollInterval = 0 },
		"watermark_interval":   func(c *Config) { c.WatermarkInterval = -1 },
		"checkpoint_interval":  func(c *Config) { c.CheckpointInterval = 0 },
		"close_after":          func(c *Config) { c.CloseAfter = 0 },
		"forget_after":         func(c *Config) { c.ForgetAfter = 0 },
		"shutdown_timeout":     func(c *Config) { c.ShutdownTimeout = 0 },
	} {
		c := config("d", "a.log")
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
}

// The metrics say what was done, and how far behind each file is.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBus(t)
	live := filepath.Join(dir, "app.log")
	appendTo(t, live, line("im-1", 1, epoch)+"\n\nbroken\n")
	cfg := config(dir, live)
	cfg.ExitAtEnd = true
	reg := prometheus.NewPedanticRegistry()
	s, err := New(cfg, Deps{Bus: b, Log: quiet(), Registerer: reg, Now: func() time.Time { return epoch.Add(time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`
# HELP im_shipper_bytes_behind Bytes of a log and its rotated files that are not acknowledged yet.
# TYPE im_shipper_bytes_behind gauge
im_shipper_bytes_behind{file=%q} 0
# HELP im_shipper_checkpoint_age_seconds How long acknowledged lines have not been in the checkpoint.
# TYPE im_shipper_checkpoint_age_seconds gauge
im_shipper_checkpoint_age_seconds 0
# HELP im_shipper_dead_letters_total Lines that became dead letters, by reason.
# TYPE im_shipper_dead_letters_total counter
im_shipper_dead_letters_total{reason="json"} 1
# HELP im_shipper_lines_total Lines that the broker has acknowledged, by result: shipped, dead_letter; and empty ones.
# TYPE im_shipper_lines_total counter
im_shipper_lines_total{result="dead_letter"} 1
im_shipper_lines_total{result="empty"} 1
im_shipper_lines_total{result="shipped"} 1
# HELP im_shipper_watermark_lag_seconds How far the progress told for the node that is farthest behind is behind the clock.
# TYPE im_shipper_watermark_lag_seconds gauge
im_shipper_watermark_lag_seconds 60
`, live)
	err = testutil.GatherAndCompare(reg, strings.NewReader(want), "im_shipper_bytes_behind", "im_shipper_checkpoint_age_seconds",
		"im_shipper_dead_letters_total", "im_shipper_lines_total", "im_shipper_watermark_lag_seconds")
	if err != nil {
		t.Error(err)
	}
	m := newMetrics()
	many := map[string]int64{}
	for i := range maxFileLabels + 5 {
		many[fmt.Sprint(i)] = 1
	}
	m.setBehind(many)
	if n := testutil.CollectAndCount(m.behind); n != maxFileLabels+1 {
		t.Errorf("%d files are shown", n)
	}
	m.setBehind(map[string]int64{"0": 1})
	if n := testutil.CollectAndCount(m.behind); n > 2 {
		t.Errorf("%d files are shown of one", n)
	}
}
