package shipper

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
)

// childAddress makes the test binary a shipper with a broker of its own in this directory.
const childAddress = "IMWATCH_TEST_SHIPPER_DIR"

// child ships dir/app.log into the broker in dir/broker until it is killed.
func child(dir string) int {
	err := func() error {
		b, err := openBroker(context.Background(), dir)
		if err != nil {
			return err
		}
		cfg := config(dir, filepath.Join(dir, "app.log"))
		cfg.CheckpointInterval = 50 * time.Millisecond // many, so that kills hit all of it
		s, err := New(cfg, Deps{Bus: b, Log: quiet()})
		if err != nil {
			return err
		}
		return s.Run(context.Background())
	}()
	fmt.Fprintln(os.Stderr, err) // the child's way to say why it ended
	return 1
}

func openBroker(ctx context.Context, dir string) (*embedded.Bus, error) {
	cfg := embedded.DefaultConfig()
	cfg.Dir = filepath.Join(dir, "broker")
	b, err := embedded.Open(cfg, quiet(), nil)
	if err != nil {
		return nil, err
	}
	return b, b.EnsureTopics(ctx, bus.TopicSpec{Name: bus.TopicLifecycle, Partitions: 2}, bus.TopicSpec{Name: bus.TopicDeadLetter, Partitions: 1})
}

// A shipper is killed again and again, at any moment, while its log is written and rotated in both ways. Every line is
// in the broker under its id and once, those of each key in order, and nothing became a dead letter.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, copied := range []bool{false, true} {
		t.Run(fmt.Sprintf("copytruncate=%v", copied), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			live := filepath.Join(dir, "app.log")
			rng := rand.New(rand.NewPCG(7, 7)) // the same kills every time
			n, rotations := 0, 0
			for range 8 {
				cmd := exec.Command(os.Args[0]) //nolint:noctx // this very program, killed below
				cmd.Env = append(os.Environ(), childAddress+"="+dir)
				cmd.Stderr = os.Stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				deadline := time.After(time.Duration(50+rng.IntN(400)) * time.Millisecond)
				for tick := time.NewTicker(time.Millisecond); ; {
					for range rng.IntN(20) {
						appendTo(t, live, line("im-1", n, epoch.Add(time.Duration(n)*time.Millisecond))+"\n")
						n++
					}
					if rng.IntN(60) == 0 && n > 0 {
						if _, err := os.Stat(live); err == nil {
							rotate(t, live, rotations, copied)
							rotations++
						}
					}
					select {
					case <-tick.C:
						continue
					case <-deadline:
					}
					tick.Stop()
					break
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // it was killed: that is its error
			}
			b, err := openBroker(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.Close() })
			once(t, config(dir, live), b)
			ids, keys, _ := shipped(t, b)
			if len(ids) != n {
				t.Errorf("%d of %d lines arrived", len(ids), n)
			}
			again := 0
			for _, times := range ids {
				again += times - 1
			}
			if again > 0 {
				t.Errorf("%d lines were written into the broker twice", again)
			}
			for key, got := range keys {
				if !slices.IsSorted(got) {
					t.Errorf("key %s is out of order", key)
				}
			}
			if l := letters(t, b); len(l) > 0 {
				t.Errorf("%d dead letters: %+v", len(l), l[0])
			}
			t.Logf("%d lines, %d rotations", n, rotations)
		})
	}
}
