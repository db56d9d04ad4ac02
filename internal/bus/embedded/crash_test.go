package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
)

// childDir names the directory in which this program, started by the test below, has to work until it is killed.
const childDir = "EMBEDDED_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		say("error:", child(dir)) // it returns only if something is wrong
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// say tells the parent.
func say(words ...any) { _, _ = fmt.Fprintln(os.Stdout, words...) }

// child produces without end and says on its output how far it has come; the first 100 messages it consumes and
// commits too.
func child(dir string) error {
	ctx := context.Background()
	cfg := embedded.DefaultConfig()
	cfg.Dir = dir
	b, err := embedded.Open(cfg, quiet(), nil)
	if err != nil {
		return err
	}
	if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		return err
	}
	from, err := b.Ends(ctx, topic)
	if err != nil {
		return err
	}
	for n := from[0]; ; n += 50 {
		ms := make([]bus.Message, 50)
		for i := range ms {
			ms[i] = bus.Message{Key: []byte("k"), Value: fmt.Append(nil, n+int64(i))}
		}
		if err := b.Produce(ctx, topic, ms...); err != nil {
			return err
		}
		say("acknowledged", n+50)
		if n == 100 {
			if err := commit(ctx, b, 100); err != nil {
				return err
			}
			say("committed", 100)
		}
	}
}

func commit(ctx context.Context, b bus.Bus, n int) error {
	c, err := b.Consume(ctx, "g", topic)
	if err != nil {
		return err
	}
	for n > 0 {
		ms, err := c.Fetch(ctx, n)
		if err != nil {
			return err
		}
		if err := c.Commit(ctx, ms...); err != nil {
			return err
		}
		n -= len(ms)
	}
	return nil
}

// TestKilled kills a process with a broker, several times, and finds all that it had acknowledged, in order, and what
// its group had committed.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	var acked, committed int64
	for life := range 3 {
		killChild(t, dir, int64(life+1)*1000, &acked, &committed)
	}
	b := open(t, func(c *embedded.Config) { c.Dir = dir })
	ends, err := b.Ends(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if ends[0] < acked {
		t.Fatalf("%d messages were acknowledged, %d are there", acked, ends[0])
	}
	for i, v := range values(t, b, int(ends[0])) {
		if v != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, v)
		}
	}
	pos, err := b.Committed(t.Context(), "g", topic)
	if err != nil || pos[0] != committed || committed == 0 {
		t.Fatalf("committed: %v, %v; want %d", pos, err, committed)
	}
	c, err := b.Consume(t.Context(), "g", topic)
	if err != nil {
		t.Fatal(err)
	}
	if ms, err := c.Fetch(t.Context(), 1); err != nil || ms[0].Offset != committed {
		t.Fatalf("the group goes on with %v, %v; want offset %d", ms, err, committed)
	}
}

// killChild lets a child work until it has acknowledged want messages, and kills it in the midst of its work.
func killChild(t *testing.T, dir string, want int64, acked, committed *int64) {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for *acked < want && lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "acknowledged "):
			_, err = fmt.Sscanf(line, "acknowledged %d", acked)
		case strings.HasPrefix(line, "committed "):
			_, err = fmt.Sscanf(line, "committed %d", committed)
		default:
			err = errors.New(line)
		}
		if err != nil {
			t.Fatalf("the child says %v", err)
		}
	}
	if _, err := embedded.Open(embeddedIn(dir), quiet(), nil); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("opening what another process has open: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it had said before it died counts
		_, _ = fmt.Sscanf(lines.Text(), "acknowledged %d", acked)
	}
	_ = cmd.Wait() // it was killed
	if *acked < want {
		t.Fatalf("the child ended by itself after %d messages", *acked)
	}
}

func embeddedIn(dir string) embedded.Config {
	cfg := embedded.DefaultConfig()
	cfg.Dir = dir
	return cfg
}

// TestInUse opens one directory twice.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	b := open(t, func(c *embedded.Config) { c.Dir = dir })
	if _, err := embedded.Open(embeddedIn(dir), quiet(), nil); !errors.Is(err, embedded.ErrInUse) {
		t.Fatalf("opening it twice: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := embedded.Open(embeddedIn(dir), quiet(), nil)
	if err != nil {
		t.Fatalf("opening it after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
